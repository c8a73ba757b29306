//! The catalog's contract on a file, and what only a file can show.

use std::path::PathBuf;

use headwater_model::id::Version;
use headwater_model::lane::Offer;
use headwater_model::life::TitleState;
use headwater_model::quality::Seen;
use headwater_model::refusal::Code;
use headwater_model::task::{Outcome, TaskKind};
use headwater_ports::catalog::Catalog;
use headwater_testkit::catalog_suite::scene::{
    ALL, LEASE_MS, Scene, good, lasting, new_title, object, package,
};
use headwater_testkit::clock::ManualClock;
use tempfile::TempDir;

use super::*;
use crate::db::query;
use crate::statements::{claims, lanes, titles};

type Case = Result<(), CatalogError>;

async fn make(clock: Arc<ManualClock>) -> (Arc<dyn Catalog>, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let catalog = SqliteCatalog::open(&folder.path().join("catalog.db"), clock).await.unwrap();
    (Arc::new(catalog), folder)
}

headwater_testkit::catalog_suite!(make);

/// A file that catalogs come and go on.
struct Shelf {
    folder: TempDir,
    clock: Arc<ManualClock>,
}

impl Shelf {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), clock: Arc::default() }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("catalog.db")
    }

    async fn open(&self) -> Result<SqliteCatalog, CatalogError> {
        SqliteCatalog::open(&self.path(), self.clock.clone()).await
    }

    fn scene(&self, catalog: &Arc<SqliteCatalog>) -> Scene {
        Scene { catalog: catalog.clone(), clock: self.clock.clone() }
    }
}

#[tokio::test]
async fn a_restart_keeps_everything() -> Case {
    let shelf = Shelf::new();
    let catalog = Arc::new(shelf.open().await?);
    let s = shelf.scene(&catalog);
    s.prepare("film", 2).await?;
    s.finish(TaskKind::Audio(0), &good(TaskKind::Audio(0))).await?;
    let span = s.claim_kind(TaskKind::Span(0)).await?;
    let span = s.catalog.renew(&span.lease, LEASE_MS, 42).await?;
    let before = (s.title("film").await?, s.history("film").await?);
    catalog.close().await;

    let catalog = Arc::new(shelf.open().await?);
    let s = shelf.scene(&catalog);
    assert_eq!((s.title("film").await?, s.history("film").await?), before);
    assert_eq!(s.catalog.objects(&package("film", 1)).await?.len(), 1);
    // The lease outlives the process that gave it: its worker may be another one.
    s.catalog.complete(&span, &good(TaskKind::Span(0))).await?;
    s.work().await?;
    assert_eq!(s.state("film").await?, TitleState::Published);
    Ok(())
}

#[tokio::test]
async fn a_process_that_is_killed_leaves_what_it_was_told_is_done() -> Case {
    let shelf = Shelf::new();
    let killed = Arc::new(shelf.open().await?);
    shelf.scene(&killed).prepare("film", 2).await?;
    // A change that has not been committed when the power goes.
    let mut tx = killed.store.change(Lock::None).await.map_err(|fault| fault.during("test"))?;
    query("delete from tasks").execute(&mut tx).await.map_err(|fault| fault.during("test"))?;
    // The files as they are at this moment, which is what a kill leaves.
    let copy = Shelf::new();
    for ending in ["", "-wal"] {
        let name = format!("catalog.db{ending}");
        std::fs::copy(shelf.folder.path().join(&name), copy.folder.path().join(&name)).unwrap();
    }
    let catalog = Arc::new(copy.open().await?);
    let s = copy.scene(&catalog);
    s.finish(TaskKind::Audio(0), &good(TaskKind::Audio(0))).await?;
    s.finish(TaskKind::Span(0), &good(TaskKind::Span(0))).await?;
    assert_eq!(s.title("film").await?.progress.spans_done, 1);
    Ok(())
}

#[tokio::test]
async fn many_that_find_no_file_make_one_together() -> Case {
    for _ in 0..5 {
        let shelf = Arc::new(Shelf::new());
        let openers: Vec<_> = (0..6)
            .map(|_| {
                let shelf = Arc::clone(&shelf);
                tokio::spawn(async move { shelf.open().await.map(drop) })
            })
            .collect();
        for opener in openers {
            opener.await.unwrap()?;
        }
    }
    Ok(())
}

#[tokio::test]
async fn two_processes_share_a_file() -> Case {
    let shelf = Shelf::new();
    let (up, ingest) = (Arc::new(shelf.open().await?), Arc::new(shelf.open().await?));
    shelf.scene(&ingest).prepare("film", 20).await?;
    let claim_all = |catalog: Arc<SqliteCatalog>| {
        tokio::spawn(async move {
            let mut kinds = Vec::new();
            while let Some(claimed) = catalog.claim(&Offer::of("w", &ALL), LEASE_MS).await? {
                kinds.push(claimed.kind);
                catalog.complete(&claimed.lease, &good(claimed.kind)).await?;
            }
            Ok::<_, CatalogError>(kinds)
        })
    };
    let (first, second) = tokio::join!(claim_all(up.clone()), claim_all(ingest));
    let mut kinds = [first.unwrap()?, second.unwrap()?].concat();
    kinds.sort();
    kinds.dedup();
    assert_eq!(kinds.len(), 24, "audio, 20 spans, seal, verify, publish: {kinds:?}");
    assert_eq!(shelf.scene(&up).title("film").await?.live, Some(Version(1)));
    Ok(())
}

#[tokio::test]
async fn what_an_older_build_made_of_a_package_is_kept() -> Case {
    let shelf = Shelf::new();
    let catalog = Arc::new(shelf.open().await?);
    let s = shelf.scene(&catalog);
    s.prepare("film", 1).await?;
    let before = [object("audio-1/init.mp4", 700), object("audio-1/seg-00001.m4s", 9_000)];
    // As it was before `made`.
    sqlx::raw_sql(
        "create table objects (package_id integer not null references packages on delete cascade, \
             path text not null, bytes integer not null, sha256 text not null, md5 text not null, \
             role text not null, primary key (package_id, path)) strict, without rowid; \
         create table codecs (package_id integer not null references packages on delete cascade, \
             rendition text not null, codec text not null, primary key (package_id, rendition)) strict, without rowid; \
         insert into codecs select id, 'audio-1', 'mp4a.40.2' from packages; \
         drop table made; drop table duties; drop table seen; delete from _sqlx_migrations where version >= 20261123091000",
    )
    .execute(&catalog.store.writer)
    .await
    .unwrap();
    for object in &before {
        sqlx::query("insert into objects select id, $1, $2, $3, $4, $5 from packages")
            .bind(&object.path)
            .bind(object.bytes as i64)
            .bind(object.sha256.to_string())
            .bind(object.md5.to_string())
            .bind(serde_json::to_string(&object.role).unwrap())
            .execute(&catalog.store.writer)
            .await
            .unwrap();
    }
    catalog.close().await;
    let catalog = Arc::new(shelf.open().await?);
    assert_eq!(catalog.objects(&package("film", 1)).await?, before);
    let record = catalog.package(&package("film", 1)).await?.expect("there is a v1");
    assert_eq!(record.codecs, [("audio-1".to_owned(), "mp4a.40.2".to_owned())]);
    Ok(())
}

#[tokio::test]
async fn a_catalog_from_the_future_is_refused_untouched() -> Case {
    let shelf = Shelf::new();
    let catalog = shelf.open().await?;
    sqlx::query(
        "insert into _sqlx_migrations (version, description, success, checksum, execution_time) \
         values (99991231000000, 'from the future', true, x'00', 0)",
    )
    .execute(&catalog.store.writer)
    .await
    .unwrap();
    catalog.close().await;
    let before = std::fs::read(shelf.path()).unwrap();
    assert!(matches!(shelf.open().await, Err(CatalogError::TooNew)));
    assert_eq!(std::fs::read(shelf.path()).unwrap(), before);
    Ok(())
}

#[tokio::test]
async fn a_file_that_is_no_catalog_is_refused() {
    let shelf = Shelf::new();
    std::fs::write(shelf.path(), "this is not a database, however long it is".repeat(100)).unwrap();
    let error = shelf.open().await.err().unwrap().to_string();
    assert!(error.starts_with("failed to open the catalog: "), "{error}");
    let missing = shelf.folder.path().join("no-such-folder/catalog.db");
    assert!(SqliteCatalog::open(&missing, shelf.clock.clone()).await.is_err());
}

#[tokio::test]
async fn a_full_disk_has_its_own_name_and_undoes_the_whole_change() -> Case {
    let shelf = Shelf::new();
    let catalog = Arc::new(shelf.open().await?);
    shelf.scene(&catalog).prepare("film", 1).await?;
    let pages: i64 =
        sqlx::query_scalar("pragma page_count").fetch_one(&catalog.store.readers).await.unwrap();
    catalog.close().await;
    // The disk that has no room left: SQLite fails in the same way when a file may not grow.
    let limited = options(&shelf.path()).pragma("max_page_count", (pages + 64).to_string());
    let catalog = SqliteCatalog::try_open(limited, shelf.clock.clone()).await.unwrap();
    let catalog = Arc::new(catalog);
    let s = shelf.scene(&catalog);
    let audio = s.claim_kind(TaskKind::Audio(0)).await?;
    // More than the room that the catalog keeps.
    let many = (0..10_000).map(|n| object(&format!("audio-1/seg-{n}.m4s"), 1)).collect();
    let made = Outcome::Made { objects: many, codecs: vec![], cpu_ms: 0, seen: Seen::default() };
    let full = s.catalog.complete(&audio.lease, &made).await;
    assert!(matches!(full, Err(CatalogError::Full)), "{full:?}");
    assert!(s.catalog.objects(&package("film", 1)).await?.is_empty());
    catalog.close().await;

    let catalog = Arc::new(shelf.open().await?);
    catalog.complete(&audio.lease, &made).await?;
    assert_eq!(catalog.objects(&package("film", 1)).await?.len(), 10_000);
    Ok(())
}

#[tokio::test]
async fn a_call_that_is_given_up_leaves_nothing_and_blocks_nobody() -> Case {
    let shelf = Shelf::new();
    let catalog = Arc::new(shelf.open().await?);
    let s = shelf.scene(&catalog);
    let film = new_title("film");
    for n in 0..50u32 {
        // Dropped at whichever step it has come to.
        let submit = s.catalog.submit(&film);
        let _ = tokio::time::timeout(Duration::from_micros(u64::from(n) * 20), submit).await;
    }
    s.submit("film").await?;
    let claimed = s.claim_kind(TaskKind::Prepare).await?;
    assert_eq!(claimed.package, package("film", 1));
    assert_eq!(s.try_claim().await?, None);
    assert_eq!(s.history("film").await?.len(), 1);
    Ok(())
}

#[tokio::test]
async fn a_code_of_a_newer_headwater_is_shown_with_its_sentence() -> Case {
    let shelf = Shelf::new();
    let catalog = Arc::new(shelf.open().await?);
    let s = shelf.scene(&catalog);
    s.submit("film").await?;
    let claimed = s.claim().await?;
    s.catalog.fail(&claimed.lease, &lasting(Code::DamagedMaster)).await?;
    sqlx::query("update packages set code = 'not-yet-invented'")
        .execute(&catalog.store.writer)
        .await
        .unwrap();
    assert_eq!(s.state("film").await?.to_string(), "rejected");
    assert_eq!(
        s.state("film").await?.refusal().map(ToString::to_string).as_deref(),
        Some("internal: it did not work")
    );
    Ok(())
}

#[tokio::test]
async fn what_is_asked_often_is_read_by_index() -> Case {
    let shelf = Shelf::new();
    let catalog = shelf.open().await?;
    for (sql, index) in [
        (claims::FIRST_DUE, "tasks_in_lane (lane_id=?)"),
        (lanes::STANDINGS, "tasks_leased (lane_id=? AND due_at>?)"),
        (titles::ONE, "sqlite_autoindex_titles_1 (tenant=? AND title=?)"),
        (titles::LIST, "titles_by_age"),
    ] {
        let explain = sqlx::AssertSqlSafe(format!("explain query plan {sql}"));
        let steps: Vec<(i64, i64, i64, String)> =
            sqlx::query_as(explain).fetch_all(&catalog.store.writer).await.unwrap();
        assert!(steps.iter().any(|step| step.3.contains(index)), "{index}: {steps:#?}");
    }
    Ok(())
}
