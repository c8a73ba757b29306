//! The catalog's contract on a server, and what only a server can show: others at the same time, and a server that is gone.

use std::collections::HashSet;
use std::panic::AssertUnwindSafe;
use std::time::Instant;

use futures_util::{FutureExt, StreamExt};
use headwater_model::id::{Tenant, Version};
use headwater_model::lane::Offer;
use headwater_model::life::TitleState;
use headwater_model::task::{Role, TaskKind};
use headwater_ports::catalog::Catalog;
use headwater_testkit::catalog_suite::scene::{
    ALL, LEASE_MS, Scene, assert_lost, good, new_title, package, prepared,
};
use headwater_testkit::clock::ManualClock;
use headwater_testkit::postgres::Server;
use sqlx::Connection;

use super::*;

type Case = Result<(), CatalogError>;

fn options(url: &str) -> PostgresOptions {
    PostgresOptions::parse(url).unwrap().connections(4)
}

async fn open(url: &str) -> Result<Arc<PostgresCatalog>, CatalogError> {
    PostgresCatalog::connect(&options(url)).await.map(Arc::new)
}

fn scene(catalog: &Arc<PostgresCatalog>) -> Scene {
    Scene { catalog: catalog.clone(), clock: Arc::default() }
}

/// Each case in a database of its own, all on one server.
#[tokio::test]
async fn the_whole_contract() {
    let server = Server::start();
    // Databases are copied from one that has the schema.
    let template = server.database();
    open(&template).await.unwrap().close().await;
    let template = template.rsplit('/').next().unwrap().to_owned();
    let cases = headwater_testkit::catalog_cases!();
    assert!(cases.len() > 100, "{}", cases.len());
    let run =
        |(n, (name, case)): (usize, (&'static str, headwater_testkit::catalog_suite::Case))| {
            let (server, template) = (&server, &template);
            async move {
                let database = format!("case{n}");
                server.psql(&format!("create database {database} template {template}"));
                let clock = Arc::new(ManualClock::default());
                let options = options(&server.url(&database)).clock(clock.clone());
                let catalog = Arc::new(PostgresCatalog::connect(&options).await.unwrap());
                let scene = Scene { catalog: catalog.clone(), clock };
                let done = AssertUnwindSafe(case(scene)).catch_unwind().await;
                catalog.close().await;
                match done {
                    Ok(Ok(())) => None,
                    Ok(Err(error)) => Some(format!("{name}: {error}")),
                    Err(_) => Some(format!("{name} panicked (see above)")),
                }
            }
        };
    let failed: Vec<Option<String>> = futures_util::stream::iter(cases.into_iter().enumerate())
        .map(run)
        .buffer_unordered(3)
        .collect()
        .await;
    let failed: Vec<String> = failed.into_iter().flatten().collect();
    assert!(failed.is_empty(), "{failed:#?}");
}

#[tokio::test]
async fn a_restart_of_the_server_loses_nothing_and_is_survived() -> Case {
    let mut server = Server::start_durable();
    let url = server.database();
    let catalog = open(&url).await?;
    let s = scene(&catalog);
    s.prepare("film", 2).await?;
    let span = s.claim_kind(TaskKind::Audio(0)).await?;
    // Whatever is kept keeps what was before it: a claim alone may be forgotten.
    s.submit("another").await?;
    server.kill();
    // While it is away, that is said, and soon.
    let asked = Instant::now();
    let away = catalog.renew(&span.lease, LEASE_MS, 0).await;
    assert!(matches!(away, Err(CatalogError::Away { .. })), "{away:?}");
    assert!(asked.elapsed() < Duration::from_secs(20), "{:?}", asked.elapsed());
    server.start_again();
    // All of its connections are dead, and nobody notices.
    catalog.complete(&span.lease, &good(TaskKind::Audio(0))).await?;
    assert_lost(catalog.complete(&span.lease, &good(TaskKind::Audio(0))).await);
    s.work().await?;
    assert_eq!(s.state("film").await?, TitleState::Published);
    Ok(())
}

/// A copy of the database that takes over may be a moment behind: it never heard of the last claims.
#[tokio::test]
async fn a_copy_that_takes_over_gives_out_other_tokens() -> Case {
    let server = Server::start();
    let url = server.database();
    let catalog = open(&url).await?;
    let s = scene(&catalog);
    s.prepare("film", 2).await?;
    for forget in [
        "update tasks set state = 'queued', token = 0, worker = null, due_at = 0 where state = 'leased'",
        // This time somebody is found to have vanished.
        "update tasks set token = 1, worker = 'w', due_at = 0 where state = 'leased'",
    ] {
        let unheard_of = s.claim_kind(TaskKind::Audio(0)).await?;
        sleep(Duration::from_millis(5)).await;
        sqlx::raw_sql(forget).execute(&catalog.store.pool).await.unwrap();
        let known = s.claim_kind(TaskKind::Audio(0)).await?;
        assert_eq!(unheard_of.lease.task, known.lease.task);
        assert_lost(catalog.renew(&unheard_of.lease, LEASE_MS, 0).await.map(drop));
        assert_lost(catalog.complete(&unheard_of.lease, &good(TaskKind::Audio(0))).await);
        catalog.release(&known.lease).await?;
    }
    s.work().await?;
    assert_eq!(s.state("film").await?, TitleState::Published);
    Ok(())
}

#[tokio::test]
async fn many_claim_and_complete_and_nothing_is_done_twice_or_left() -> Case {
    let server = Server::start();
    let url = server.database();
    let catalogs = [open(&url).await?, open(&url).await?, open(&url).await?];
    for n in 0..6 {
        scene(&catalogs[0]).submit(&format!("film{n}")).await?;
    }
    let workers = (0..12usize).map(|n| {
        let catalog = catalogs[n % 3].clone();
        tokio::spawn(async move {
            let mut done = Vec::new();
            let mut idle = 0;
            let offer = Offer::of(&format!("w{n}"), &ALL);
            while idle < 40 {
                let Some(claimed) = catalog.claim(&offer, LEASE_MS).await? else {
                    idle += 1;
                    sleep(Duration::from_millis(25)).await;
                    continue;
                };
                idle = 0;
                let outcome = match claimed.kind {
                    TaskKind::Prepare => prepared(1, 10),
                    kind => good(kind),
                };
                catalog.complete(&claimed.lease, &outcome).await?;
                done.push(claimed.lease.task);
            }
            Ok::<_, CatalogError>(done)
        })
    });
    let mut all = Vec::new();
    for worker in workers.collect::<Vec<_>>() {
        all.extend(worker.await.unwrap()?);
    }
    // Prepare, a track, ten spans, seal, verify, publish.
    assert_eq!(all.len(), 6 * 15);
    assert_eq!(all.iter().collect::<HashSet<_>>().len(), all.len());
    for n in 0..6 {
        assert_eq!(scene(&catalogs[1]).title(&format!("film{n}")).await?.live, Some(Version(1)));
    }
    Ok(())
}

#[tokio::test]
async fn only_the_clock_of_the_server_counts() -> Case {
    let server = Server::start();
    let url = server.database();
    let catalog = open(&url).await?;
    let s = scene(&catalog);
    s.submit("film").await?;
    let claimed = catalog.claim(&Offer::of("w", &ALL), 300).await?.unwrap();
    let server_now: i64 = server
        .psql("select cast(extract(epoch from clock_timestamp()) * 1000 as bigint)")
        .parse()
        .unwrap();
    assert!((claimed.lease.until.0 - server_now - 300).abs() < 5_000, "{claimed:?}");
    assert_eq!(catalog.claim(&Offer::of("v", &ALL), LEASE_MS).await?, None);
    sleep(Duration::from_millis(400)).await;
    assert_lost(catalog.complete(&claimed.lease, &good(TaskKind::Prepare)).await);
    assert!(catalog.claim(&Offer::of("v", &ALL), LEASE_MS).await?.is_some());
    Ok(())
}

#[tokio::test]
async fn news_reach_other_processes() -> Case {
    let server = Server::start();
    let url = server.database();
    let (here, there) = (open(&url).await?, open(&url).await?);
    // The listener needs a moment to be there.
    for _ in 0..50 {
        let heard = here.news();
        tokio::pin!(heard);
        assert!(heard.as_mut().now_or_never().is_none());
        there.submit(&new_title("film")).await?;
        there
            .submit(&headwater_model::task::NewTitle {
                again: true,
                pipeline: "other".to_owned(),
                ..new_title("film")
            })
            .await?;
        if tokio::time::timeout(Duration::from_millis(200), heard).await.is_ok() {
            return Ok(());
        }
    }
    panic!("nothing was heard");
}

#[tokio::test]
async fn a_schema_that_needs_a_newer_build_is_refused_and_one_that_has_more_is_not() -> Case {
    let server = Server::start();
    let url = server.database();
    open(&url).await?.close().await;
    let database = url.rsplit('/').next().unwrap();
    server.psql_in(
        database,
        "insert into _sqlx_migrations (version, description, success, checksum, execution_time) \
         values (99991231000000, 'from the future', true, 'x', 0); \
         alter table tasks add column invented_later text",
    );
    let catalog = open(&url).await?;
    scene(&catalog).prepare("film", 1).await?;
    scene(&catalog).work().await?;
    assert_eq!(scene(&catalog).title("film").await?.live, Some(Version(1)));
    server.psql_in(database, "update schema_form set needs = 2");
    assert!(matches!(open(&url).await.err(), Some(CatalogError::TooNew)));
    Ok(())
}

#[tokio::test]
async fn a_database_that_only_reads_can_be_asked() -> Case {
    let server = Server::start();
    let url = server.database();
    let catalog = open(&url).await?;
    scene(&catalog).submit("film").await?;
    catalog.close().await;
    let database = url.rsplit('/').next().unwrap();
    server.psql(&format!("alter database {database} set default_transaction_read_only = on"));
    let catalog = open(&url).await?;
    assert!(scene(&catalog).title("film").await.is_ok());
    let refused = catalog.submit(&new_title("other")).await.unwrap_err();
    assert!(matches!(refused, CatalogError::Away { .. }), "{refused}");
    assert!(refused.to_string().contains("it only reads"), "{refused}");
    Ok(())
}

#[tokio::test]
async fn who_was_let_in_before_waits_to_be_let_in_again() -> Case {
    let server = Server::start();
    let url = server.database();
    open(&url).await?.close().await;
    server.psql("create role guest superuser login");
    let (_, place) = url.split_once('@').unwrap();
    let guest = format!("postgres://guest@{place}");
    let catalog = open(&guest).await?;
    server.psql("alter role guest nologin");
    server.psql("select pg_terminate_backend(pid) from pg_stat_activity where usename = 'guest'");
    let error = scene(&catalog).title("film").await.unwrap_err();
    assert!(error.to_string().contains("not permitted to log in"), "{error}");
    let error = catalog.workers().await.unwrap_err();
    assert!(matches!(error, CatalogError::Away { .. }), "{error}");
    let error = open(&guest).await.err().unwrap();
    assert!(matches!(error, CatalogError::TurnedAway { .. }), "{error}");
    server.psql("alter role guest login");
    catalog.workers().await?;
    Ok(())
}

#[tokio::test]
async fn many_that_find_an_empty_database_make_one_catalog() -> Case {
    let server = Server::start();
    let url = server.database();
    let openers: Vec<_> = (0..6)
        .map(|_| {
            let url = url.clone();
            tokio::spawn(async move { open(&url).await.map(drop) })
        })
        .collect();
    for opener in openers {
        opener.await.unwrap()?;
    }
    Ok(())
}

#[tokio::test]
async fn two_that_touch_the_pointers_of_a_title_take_turns() -> Case {
    let server = Server::start();
    let url = server.database();
    let catalogs = [open(&url).await?, open(&url).await?];
    let s = scene(&catalogs[0]);
    s.submit("film").await?;
    s.work().await?;
    // A rollback and a healing of two versions, both due.
    catalogs[0]
        .submit(&headwater_model::task::NewTitle { again: true, ..new_title("film") })
        .await?;
    s.work().await?;
    for _ in 0..10 {
        assert!(catalogs[0].heal(&package("film", 2)).await?);
        assert!(catalogs[0].roll_back(&package("film", 1)).await?);
        let offer = Offer::of("w", &[Role::Verifier, Role::Publisher]);
        let (a, b) =
            tokio::join!(catalogs[0].claim(&offer, LEASE_MS), catalogs[1].claim(&offer, LEASE_MS));
        let claimed: Vec<_> = [a?, b?].into_iter().flatten().collect();
        assert_eq!(claimed.len(), 1, "{claimed:?}");
        catalogs[0].complete(&claimed[0].lease, &good(claimed[0].kind)).await?;
        s.work().await?;
    }
    Ok(())
}

/// Locks a title as a completion does that is not yet committed.
async fn share(
    catalog: &PostgresCatalog,
    title: &str,
) -> Result<Transaction<'static, Postgres>, sqlx::Error> {
    let mut tx = catalog.store.pool.begin().await?;
    sqlx::query("select pg_advisory_xact_lock_shared(hashtextextended($1, 0))")
        .bind(format!("main/{title}"))
        .execute(&mut *tx)
        .await?;
    Ok(tx)
}

#[tokio::test]
async fn completions_of_a_title_do_not_wait_for_each_other_but_the_last_does() -> Case {
    let server = Server::start();
    let catalog = open(&server.database()).await?;
    let s = scene(&catalog);
    s.prepare("film", 2).await?;
    let claimed = [s.claim().await?, s.claim().await?, s.claim().await?];
    let other = share(&catalog, "film").await.unwrap();
    let soon = Duration::from_secs(20);
    for claimed in &claimed[..2] {
        let outcome = good(claimed.kind);
        let done = catalog.complete(&claimed.lease, &outcome);
        tokio::time::timeout(soon, done).await.expect("others share the title")?;
    }
    let renewed = catalog.renew(&claimed[2].lease, LEASE_MS, 0);
    let last = tokio::time::timeout(soon, renewed).await.expect("a renewal waits for nobody")?;
    let outcome = good(claimed[2].kind);
    let done = catalog.complete(&last, &outcome);
    tokio::pin!(done);
    let early = tokio::time::timeout(Duration::from_millis(300), done.as_mut()).await;
    assert!(early.is_err(), "the other completion may be of this package: {early:?}");
    other.commit().await.unwrap();
    done.await?;
    s.claim_kind(TaskKind::Seal).await?;
    Ok(())
}

/// Whoever is last has to know it, or the title stops for ever.
#[tokio::test]
async fn of_several_that_are_completed_at_once_one_is_the_last() -> Case {
    let server = Server::start();
    let url = server.database();
    let catalogs = [open(&url).await?, open(&url).await?];
    let s = scene(&catalogs[0]);
    for n in 0..60 {
        let title = format!("film{n}");
        // A track and from one to five spans, all of them in hand.
        s.prepare(&title, n % 5 + 1).await?;
        let mut claimed = Vec::new();
        while let Some(task) = s.try_claim().await? {
            claimed.push(task);
        }
        assert_eq!(claimed.len() as u64, n % 5 + 2);
        let completions = claimed.into_iter().enumerate().map(|(k, task)| {
            let catalog = catalogs[k % 2].clone();
            tokio::spawn(async move { catalog.complete(&task.lease, &good(task.kind)).await })
        });
        for completion in completions.collect::<Vec<_>>() {
            completion.await.unwrap()?;
        }
        s.work().await?;
        assert_eq!(s.state(&title).await?, TitleState::Published, "{title}");
    }
    Ok(())
}

#[tokio::test]
async fn what_is_completed_at_once_is_told_in_the_words_of_the_model() -> Case {
    let server = Server::start();
    let catalog = open(&server.database()).await?;
    let s = scene(&catalog);
    s.prepare("film", 3).await?;
    let audio = s.claim_kind(TaskKind::Audio(0)).await?;
    catalog.complete(&audio.lease, &good(audio.kind)).await?;
    let span = s.claim_kind(TaskKind::Span(0)).await?;
    catalog.release(&span.lease).await?;
    let lost = catalog.claim(&Offer::of("w", &ALL), 200).await?.unwrap();
    sleep(Duration::from_millis(300)).await;
    let again = s.claim_kind(lost.kind).await?;
    assert_eq!(again.attempt, 2);
    catalog.complete(&again.lease, &good(again.kind)).await?;
    assert_lost(catalog.complete(&lost.lease, &good(lost.kind)).await);
    let told = s.history("film").await?;
    for (kind, attempt) in [(audio.kind, 1), (again.kind, 2)] {
        let line = headwater_model::history::Line::Made { kind, attempt }.to_string();
        assert!(told.contains(&line), "`{line}` is not in {told:?}");
    }
    assert_eq!(s.catalog.objects(&package("film", 1)).await?.len(), 2);
    Ok(())
}

#[tokio::test]
async fn every_connection_lets_go_and_keeps_its_plans() -> Case {
    let server = Server::start();
    let catalog = open(&server.database()).await?;
    for (setting, value) in [
        ("idle_in_transaction_session_timeout", "30s"),
        ("tcp_user_timeout", "30000"),
        ("default_transaction_isolation", "read committed"),
        ("plan_cache_mode", "force_generic_plan"),
        ("jit", "off"),
    ] {
        let set: String = sqlx::query_scalar("select current_setting($1)")
            .bind(setting)
            .fetch_one(&catalog.store.pool)
            .await
            .unwrap();
        assert_eq!(set, value, "{setting}");
    }
    Ok(())
}

#[tokio::test]
async fn the_order_of_things_does_not_depend_on_how_a_database_is_set_up() -> Case {
    let server = Server::start();
    let url = server.database();
    let name = url.rsplit('/').next().unwrap();
    server.psql(&format!(
        "alter database {name} set default_transaction_isolation = 'repeatable read'; \
         alter database {name} set idle_session_timeout = '100ms'"
    ));
    let catalog = open(&url).await?;
    let s = scene(&catalog);
    for n in 0..20 {
        let title = format!("film{n}");
        s.prepare(&title, 2).await?;
        let mut claimed = Vec::new();
        while let Some(task) = s.try_claim().await? {
            claimed.push(task);
        }
        let done = claimed.into_iter().map(|task| {
            let catalog = catalog.clone();
            tokio::spawn(async move { catalog.complete(&task.lease, &good(task.kind)).await })
        });
        for done in done.collect::<Vec<_>>() {
            done.await.unwrap()?;
        }
        s.work().await?;
        assert_eq!(s.state(&title).await?, TitleState::Published, "{title}");
    }
    // The server has let go of all connections.
    sleep(Duration::from_millis(300)).await;
    s.prepare("after", 1).await?;
    Ok(())
}

#[tokio::test]
async fn whoever_has_begun_to_hand_in_is_not_overtaken() -> Case {
    let server = Server::start();
    let catalog = open(&server.database()).await?;
    let s = scene(&catalog);
    s.prepare("film", 1).await?;
    let claimed = catalog.claim(&Offer::of("w", &ALL), 400).await?.unwrap();
    // As `complete` and `fail` begin.
    let mut tx = catalog.store.change(Lock::Task(claimed.lease.task)).await.unwrap();
    let now = tx.now;
    crate::statements::tasks::held(&mut tx, &claimed.lease, now).await.unwrap();
    sleep(Duration::from_millis(600)).await;
    let mut others = Vec::new();
    while let Some(task) = s.try_claim().await? {
        others.push(task.kind);
    }
    assert!(!others.is_empty() && !others.contains(&claimed.kind), "{others:?}");
    catalog.store.commit(tx).await.unwrap();
    assert_eq!(s.claim().await?.kind, claimed.kind);
    Ok(())
}

#[tokio::test]
async fn a_task_that_cannot_be_read_is_left_for_the_others() -> Case {
    let server = Server::start();
    let url = server.database();
    let catalog = open(&url).await?;
    let s = scene(&catalog);
    s.prepare("broken", 1).await?;
    s.prepare("film", 1).await?;
    let name = url.rsplit('/').next().unwrap();
    let broken = "update packages set differs = 'what a newer build wrote' where title_id = \
        (select id from titles where title = 'broken')";
    server.psql_in(name, broken);
    let mut titles = HashSet::new();
    while let Some(claimed) = s.try_claim().await? {
        titles.insert(claimed.package.title.to_string());
    }
    assert_eq!(titles, HashSet::from(["film".to_owned()]));
    let left = "select count(*) from tasks where state = 'leased' and package_id = \
        (select id from packages where differs like 'what%')";
    assert_eq!(server.psql_in(name, left).trim(), "0");
    Ok(())
}

/// Leads to a server until it is told to lead nowhere: what was connected by then is never answered again. What is connected
/// later is led to the server, as after a fail-over.
struct Wire {
    address: std::net::SocketAddr,
    cut: tokio::sync::watch::Sender<()>,
}

impl Wire {
    async fn to(port: u16) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (address, cut) = (listener.local_addr().unwrap(), tokio::sync::watch::Sender::new(()));
        let cuts = cut.clone();
        tokio::spawn(async move {
            while let Ok((mut client, _)) = listener.accept().await {
                let mut cut = cuts.subscribe();
                tokio::spawn(async move {
                    let mut server =
                        tokio::net::TcpStream::connect(("127.0.0.1", port)).await.unwrap();
                    tokio::select! {
                        _ = tokio::io::copy_bidirectional(&mut client, &mut server) => {}
                        _ = cut.changed() => {
                            let _ = tokio::io::copy(&mut client, &mut tokio::io::sink()).await;
                        }
                    }
                });
            }
        });
        Self { address, cut }
    }
}

#[tokio::test]
async fn a_server_that_vanishes_without_a_word_is_not_waited_for() -> Case {
    let server = Server::start();
    let url = server.database();
    let wire = Wire::to(server.port()).await;
    let through = url.replace(&server.port().to_string(), &wire.address.port().to_string());
    let limit = Duration::from_millis(500);
    let options = options(&through).answers_within(limit);
    let catalog = Arc::new(PostgresCatalog::connect(&options).await?);
    let s = scene(&catalog);
    s.prepare("film", 6).await?;
    let tenant = Tenant::default();
    // All connections there may be are there.
    let many = (0..4).map(|_| catalog.titles(&tenant, 1));
    futures_util::future::try_join_all(many).await?;
    for _ in 0..2 {
        wire.cut.send_replace(());
        let started = Instant::now();
        // More than there are connections, all of them at once.
        let asked = (0..8).map(|_| catalog.titles(&tenant, 1));
        futures_util::future::try_join_all(asked).await?;
        s.claim().await?;
        let took = started.elapsed();
        assert!(took > limit && took < 6 * limit, "{took:?}");
    }
    Ok(())
}

/// Whoever stops waiting, as for a lease that has run out, leaves no transaction open on a connection that others get.
#[tokio::test]
async fn who_stops_waiting_leaves_nothing_open() -> Case {
    let server = Server::start();
    let url = server.database();
    // A wire that this very thread has to carry answers over: none is there before it is waited for.
    let wire = Wire::to(server.port()).await;
    let through = url.replace(&server.port().to_string(), &wire.address.port().to_string());
    let catalog = PostgresCatalog::connect(&options(&through).connections(1)).await?;
    let catalog = Arc::new(catalog);
    let s = scene(&catalog);
    s.prepare("film", 6).await?;
    let mut watcher = PgConnection::connect(&url).await.unwrap();
    let tenant = Tenant::default();
    // At each place where it waits: the first time in the middle of its beginning, the last time at none.
    for places in 1.. {
        assert!(places < 20, "it is never answered");
        let mut asked = Box::pin(catalog.titles(&tenant, 1));
        let mut answered = None;
        for _ in 0..places {
            answered = asked.as_mut().now_or_never();
            if answered.is_some() {
                break;
            }
            sleep(Duration::from_millis(5)).await;
        }
        drop(asked);
        let since = Instant::now();
        loop {
            let open: i64 = sqlx::query_scalar(
                "select count(*) from pg_stat_activity \
                 where datname = current_database() and state like 'idle in transaction%'",
            )
            .fetch_one(&mut watcher)
            .await
            .unwrap();
            if open == 0 {
                break;
            }
            assert!(since.elapsed() < Duration::from_secs(2), "stopped at place {places}");
        }
        if answered.is_some() {
            assert!(places > 3, "{places}");
            break;
        }
    }
    s.work().await?;
    assert_eq!(s.state("film").await?, TitleState::Published);
    Ok(())
}

#[test]
fn an_address_is_not_told_with_its_password() {
    let options = PostgresOptions::parse("postgres://me:secret@db.example:5433/hw").unwrap();
    assert_eq!(options.place(), "db.example:5433/hw");
    assert!(PostgresOptions::parse("mysql://me:secret@db").err().unwrap().contains("postgres://"));
    let wrong = PostgresOptions::parse("postgres://me:secret@db:port/hw").err().unwrap();
    assert!(!wrong.contains("secret"), "{wrong}");
}
