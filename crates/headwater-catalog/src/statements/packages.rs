//! Packages: their plan, and their objects while they are being made.

use std::collections::{BTreeMap, BTreeSet};

use headwater_model::id::{Sha256, Tenant, Version};
use headwater_model::inventory::Object;
use headwater_model::key::PackageId;
use headwater_model::life::{Making, PackageRecord, TitleState};
use headwater_model::quality::Seen;
use headwater_model::task::{Remake, TaskKind};
use headwater_model::time::Timestamp;

use super::rows;
use crate::db::{Db, Row, query, query_scalar};
use crate::error::Fault;

/// The row of a package.
pub(crate) async fn id(tx: &mut Db, package: &PackageId) -> Result<Option<i64>, Fault> {
    let id = query_scalar(
        "select p.id from packages p join titles t on t.id = p.title_id \
         where t.tenant = $1 and t.title = $2 and p.version = $3",
    )
    .bind(package.tenant.as_str())
    .bind(package.title.as_str())
    .bind(package.version.0)
    .fetch_optional(tx)
    .await?;
    Ok(id)
}

/// One package.
pub(crate) async fn one(tx: &mut Db, package: &PackageId) -> Result<Option<PackageRecord>, Fault> {
    let Some(id) = id(tx, package).await? else { return Ok(None) };
    let made: Vec<String> = made(tx, id, MADE_CODECS).await?;
    let mut codecs = BTreeMap::new();
    for row in &made {
        let pairs: Vec<(String, String)> = serde_json::from_str(row)?;
        codecs.extend(pairs);
    }
    let seen: Vec<String> =
        query_scalar("select seen from seen where package_id = $1 order by kind, number")
            .bind(id)
            .fetch_all(tx)
            .await?;
    let seen =
        seen.iter().map(|text| serde_json::from_str(text)).collect::<Result<Vec<Seen>, _>>()?;
    let row = query(
        "select plan, inventory, objects, bytes, proven_on, pointers from packages where id = $1",
    )
    .bind(id)
    .fetch_one(tx)
    .await?;
    rows::package(&row, codecs.into_iter().collect(), Seen::of(seen)).map(Some)
}

/// How a package came about.
pub(crate) async fn making(tx: &mut Db, package: &PackageId) -> Result<Option<Making>, Fault> {
    let Some(id) = id(tx, package).await? else { return Ok(None) };
    let row = query("select master_path, pipeline, remake from packages where id = $1")
        .bind(id)
        .fetch_one(tx)
        .await?;
    let tasks = query(
        "select kind, number, cpu_ms from tasks where package_id = $1 and state = 'done' \
         and kind in ('span', 'audio', 'text', 'pictures') order by kind, number",
    )
    .bind(id)
    .fetch_all(tx)
    .await?;
    let failed = query(
        "select code, message from tasks where package_id = $1 and failed_at is not null and kind <> 'archive' \
         order by failed_at desc, id desc limit 1",
    )
    .bind(id)
    .fetch_optional(tx)
    .await?;
    let spent = |row: &Row| Ok((rows::kind(row)?, rows::count(row, "cpu_ms")?));
    Ok(Some(Making {
        master_path: row.get("master_path")?,
        pipeline: row.get("pipeline")?,
        remake: rows::from_json(&row, "remake")?,
        spent: tasks.iter().map(spent).collect::<Result<_, Fault>>()?,
        trouble: failed.as_ref().map_or(Ok(None), rows::trouble)?,
    }))
}

/// A package's objects by path, as long as it is being made.
pub(crate) async fn objects(tx: &mut Db, package: &PackageId) -> Result<Vec<Object>, Fault> {
    let Some(id) = id(tx, package).await? else { return Ok(vec![]) };
    let rows = made(tx, id, MADE_OBJECTS).await?;
    let mut by_path = BTreeMap::new();
    for row in &rows {
        let objects: Vec<Object> = serde_json::from_str(row)?;
        by_path.extend(objects.into_iter().map(|object| (object.path.clone(), object)));
    }
    Ok(by_path.into_values().collect())
}

/// A column of what was made of a package, in the order in which it was made: what several have in common, such as init
/// segments and codecs, is as the last has it.
async fn made(tx: &mut Db, package_id: i64, column: &'static str) -> Result<Vec<String>, Fault> {
    query_scalar(column).bind(package_id).fetch_all(tx).await
}

macro_rules! made {
    ($column:literal) => {
        concat!(
            "select m.",
            $column,
            " from made m left join tasks k \
                 on k.package_id = m.package_id and k.kind = m.kind and k.number = m.number \
             where m.package_id = $1 order by k.finished_at nulls first, k.id"
        )
    };
}

const MADE_OBJECTS: &str = made!("objects");
const MADE_CODECS: &str = made!("codecs");

/// Packages of a master and a pipeline, newest first, and whether they were published.
pub(crate) async fn of(
    tx: &mut Db,
    tenant: &Tenant,
    master: Sha256,
    pipeline: Sha256,
) -> Result<Vec<(PackageId, bool)>, Fault> {
    let rows = query(
        "select t.tenant, t.title, p.version, p.published_at is not null as published \
         from packages p join titles t on t.id = p.title_id \
         where t.tenant = $1 and p.master = $2 and p.pipeline_sha256 = $3 \
         order by p.created_at desc, p.id desc",
    )
    .bind(tenant.as_str())
    .bind(master.to_string())
    .bind(pipeline.to_string())
    .fetch_all(tx)
    .await?;
    rows.iter().map(|row| Ok((rows::package_id(row)?, row.get("published")?))).collect()
}

/// The last words of the try that failed last.
pub(crate) async fn last_words(tx: &mut Db, package: &PackageId) -> Result<Option<String>, Fault> {
    let Some(id) = id(tx, package).await? else { return Ok(None) };
    let words: Option<Option<String>> = query_scalar(
        "select last_words from tasks where package_id = $1 and failed_at is not null \
         order by failed_at desc, id desc limit 1",
    )
    .bind(id)
    .fetch_optional(tx)
    .await?;
    Ok(words.flatten())
}

/// Writes a package's state.
pub(crate) async fn set_state(
    tx: &mut Db,
    package_id: i64,
    state: &TitleState,
    now: Timestamp,
) -> Result<(), Fault> {
    let refusal = state.refusal();
    query("update packages set state = $2, code = $3, message = $4, updated_at = $5 where id = $1")
        .bind(package_id)
        .bind(state.name())
        .bind(refusal.map(|r| r.code.as_str()))
        .bind(refusal.map(|r| r.message.as_str()))
        .bind(now.0)
        .execute(tx)
        .await?;
    Ok(())
}

/// Keeps what a task made, or replaces it: the same span made again gives the same paths (R1).
pub(crate) async fn keep_made(
    tx: &mut Db,
    package_id: i64,
    kind: TaskKind,
    objects: &[Object],
    codecs: &[(String, String)],
) -> Result<(), Fault> {
    query(
        "insert into made (package_id, kind, number, objects, codecs) values ($1, $2, $3, $4, $5) \
         on conflict (package_id, kind, number) \
             do update set objects = excluded.objects, codecs = excluded.codecs",
    )
    .bind(package_id)
    .bind(kind.name())
    .bind(kind.number())
    .bind(rows::json(&objects)?)
    .bind(rows::json(&codecs)?)
    .execute(tx)
    .await?;
    Ok(())
}

/// Keeps what was seen of a part, where there is something to say. A part that is made again is seen as it was (R1).
pub(crate) async fn keep_seen(
    tx: &mut Db,
    package_id: i64,
    kind: TaskKind,
    seen: &Seen,
) -> Result<(), Fault> {
    if !seen.is_empty() {
        query(
            "insert into seen (package_id, kind, number, seen) values ($1, $2, $3, $4) \
             on conflict (package_id, kind, number) do update set seen = excluded.seen",
        )
        .bind(package_id)
        .bind(kind.name())
        .bind(kind.number())
        .bind(rows::json(seen)?)
        .execute(tx)
        .await?;
    }
    Ok(())
}

/// Notes the pointers that lead to a package; none leave those that are noted.
pub(crate) async fn keep_pointers(
    tx: &mut Db,
    package_id: i64,
    pointers: &[Object],
) -> Result<(), Fault> {
    if !pointers.is_empty() {
        query("update packages set pointers = $2 where id = $1")
            .bind(package_id)
            .bind(rows::json(&pointers)?)
            .execute(tx)
            .await?;
    }
    Ok(())
}

/// Notes renditions of which something came out as other bytes than viewers have.
pub(crate) async fn add_differing(
    tx: &mut Db,
    package_id: i64,
    renditions: &[String],
) -> Result<(), Fault> {
    let known: String = query_scalar("select differs from packages where id = $1")
        .bind(package_id)
        .fetch_one(tx)
        .await?;
    let mut all: BTreeSet<String> = serde_json::from_str(&known)?;
    all.extend(renditions.iter().cloned());
    query("update packages set differs = $2 where id = $1")
        .bind(package_id)
        .bind(rows::json(&all)?)
        .execute(tx)
        .await?;
    Ok(())
}

/// Forgets them: whoever makes them next may make them as they were.
pub(crate) async fn forget_differing(tx: &mut Db, package_id: i64) -> Result<(), Fault> {
    query("update packages set differs = '[]' where id = $1").bind(package_id).execute(tx).await?;
    Ok(())
}

/// What a package is to be made of again, when it is not the whole title, and its version.
pub(crate) async fn remake(
    tx: &mut Db,
    package_id: i64,
) -> Result<(Version, Option<Remake>), Fault> {
    let row = query("select version, remake from packages where id = $1")
        .bind(package_id)
        .fetch_one(tx)
        .await?;
    Ok((Version(rows::small(&row, "version")?), rows::from_json(&row, "remake")?))
}

/// Notes that a package that viewers have is sealed once more, or no longer, and forgets what was counted for it.
pub(crate) async fn reseal(tx: &mut Db, package_id: i64, reseals: bool) -> Result<(), Fault> {
    let set = query("update packages set reseals = $2 where id = $1 and reseals <> $2")
        .bind(package_id)
        .bind(reseals)
        .execute(tx)
        .await?;
    if set > 0 {
        forget_made(tx, package_id).await?;
    }
    Ok(())
}

/// Deletes what was kept of what was made of a package.
pub(crate) async fn forget_made(tx: &mut Db, package_id: i64) -> Result<(), Fault> {
    query("delete from made where package_id = $1").bind(package_id).execute(tx).await?;
    Ok(())
}
