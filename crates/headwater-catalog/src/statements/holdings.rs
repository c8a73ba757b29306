//! Holdings: what origins should have, title by title in key order; and where audits of them stand.

use headwater_model::audit::{Content, Held, Holding, Standing};
use headwater_model::history::Line;
use headwater_model::id::{Tenant, TitleId, Version};
use headwater_model::key::PackageId;
use headwater_model::life::{Restored, RestoredPackage};
use headwater_model::time::Timestamp;

use super::{incidents, packages, rows, titles};
use crate::db::{Db, Row, query, query_as, query_scalar};
use crate::error::Fault;

/// Holdings in the order of their keys: `film-2/…` comes before `film/…`.
pub(crate) async fn list(
    tx: &mut Db,
    tenant: &Tenant,
    after: Option<&str>,
    limit: u32,
) -> Result<Vec<Holding>, Fault> {
    let titles = query(
        "select id, title, live, live_since from titles \
         where tenant = $1 and ($2 is null or tenant || '/' || title || '/' > $2) \
         order by title || '/' limit $3",
    )
    .bind(tenant.as_str())
    .bind(after)
    .bind(limit)
    .fetch_all(tx)
    .await?;
    let mut holdings = Vec::with_capacity(titles.len());
    for title in &titles {
        holdings.push(holding(tx, tenant, title).await?);
    }
    Ok(holdings)
}

/// One holding.
pub(crate) async fn one(
    tx: &mut Db,
    tenant: &Tenant,
    title: &TitleId,
) -> Result<Option<Holding>, Fault> {
    let row =
        query("select id, title, live, live_since from titles where tenant = $1 and title = $2")
            .bind(tenant.as_str())
            .bind(title.as_str())
            .fetch_optional(tx)
            .await?;
    let Some(row) = row else { return Ok(None) };
    holding(tx, tenant, &row).await.map(Some)
}

async fn holding(tx: &mut Db, tenant: &Tenant, title: &Row) -> Result<Holding, Fault> {
    let versions = query(
        "select version, state, code, message, inventory, pointers, published_at, condemned_at \
         from packages where title_id = $1 order by version",
    )
    .bind(title.get::<i64>("id")?)
    .fetch_all(tx)
    .await?;
    let live: Option<i64> = title.get("live")?;
    Ok(Holding {
        tenant: tenant.clone(),
        title: rows::parsed(title, "title")?,
        live: live.and_then(|v| u32::try_from(v).ok()).map(Version),
        live_since: title.get::<Option<i64>>("live_since")?.map(Timestamp),
        versions: versions.iter().map(held).collect::<Result<_, _>>()?,
    })
}

fn held(row: &Row) -> Result<Held, Fault> {
    let content = match rows::parsed_maybe(row, "inventory")? {
        Some(inventory) => {
            Content::Sealed { inventory, pointers: serde_json::from_str(row.get("pointers")?)? }
        }
        None if rows::state(row)?.is_final() => Content::Nothing,
        None => Content::InTheMaking,
    };
    let (published, condemned): (Option<i64>, Option<i64>) =
        (row.get("published_at")?, row.get("condemned_at")?);
    let standing = match (published, condemned) {
        (_, Some(_)) => Standing::Condemned,
        (Some(_), None) => Standing::Published,
        (None, None) => Standing::NeverPublished,
    };
    Ok(Held { version: Version(rows::small(row, "version")?), content, standing })
}

/// Condemns versions of a title that is still as it was seen and of which nothing is in the queue.
pub(crate) async fn condemn(
    tx: &mut Db,
    seen: &Holding,
    versions: &[Version],
    now: Timestamp,
) -> Result<bool, Fault> {
    let Holding { tenant, title, .. } = seen;
    if one(tx, tenant, title).await?.as_ref() != Some(seen) {
        return Ok(false);
    }
    let is_busy: bool = query_scalar(
        "select exists (select 1 from tasks k \
             join packages p on p.id = k.package_id join titles t on t.id = p.title_id \
             where t.tenant = $1 and t.title = $2 and k.finished_at is null and k.kind <> 'archive')",
    )
    .bind(tenant.as_str())
    .bind(title.as_str())
    .fetch_one(tx)
    .await?;
    if is_busy {
        return Ok(false);
    }
    for version in versions {
        let condemned = query(
            "update packages set condemned_at = coalesce(condemned_at, $4) where id = ( \
                 select p.id from packages p join titles t on t.id = p.title_id \
                 where t.tenant = $1 and t.title = $2 and p.version = $3 \
                   and t.newest <> p.version and t.live is distinct from p.version)",
        )
        .bind(tenant.as_str())
        .bind(title.as_str())
        .bind(version.0)
        .bind(now.0)
        .execute(tx)
        .await?;
        if condemned == 0 {
            let package = seen.package(*version);
            return Err(Fault::Contradiction(format!("`{package}` is needed or not known")));
        }
    }
    Ok(true)
}

/// Forgets a package that was deleted.
pub(crate) async fn forget(tx: &mut Db, package: &PackageId, now: Timestamp) -> Result<(), Fault> {
    incidents::keep_others(tx, package).await?;
    let deleted: Option<(i64, i64)> = query_as(
        "delete from packages where id = ( \
             select p.id from packages p join titles t on t.id = p.title_id \
             where t.tenant = $1 and t.title = $2 and p.version = $3 and p.condemned_at is not null) \
         returning title_id, id",
    )
    .bind(package.tenant.as_str())
    .bind(package.title.as_str())
    .bind(package.version.0)
    .fetch_optional(tx)
    .await?;
    let Some((title_id, package_id)) = deleted else {
        return match packages::id(tx, package).await? {
            // Whoever did not hear the answer asks again.
            None => Ok(()),
            Some(_) => Err(Fault::Contradiction(format!("`{package}` is not condemned"))),
        };
    };
    packages::forget_made(tx, package_id).await?;
    titles::record(tx, title_id, now, Line::Collected { version: package.version }).await
}

/// Takes over a title that is not known.
pub(crate) async fn restore(tx: &mut Db, restored: &Restored, now: Timestamp) -> Result<(), Fault> {
    let newest = restored.packages.iter().map(|p| p.package.version.0).max();
    let newest =
        newest.ok_or_else(|| Fault::Contradiction("a title without packages".to_owned()))?;
    let title_id: i64 = query_scalar(
        "insert into titles (tenant, title, newest, live, live_since, queued_at, created_at) \
         values ($1, $2, $3, $4, $5, $5, $5) returning id",
    )
    .bind(restored.tenant.as_str())
    .bind(restored.title.as_str())
    .bind(newest)
    .bind(restored.live.map(|live| live.0))
    .bind(now.0)
    .fetch_one(tx)
    .await?;
    for package in &restored.packages {
        let RestoredPackage { master, pipeline, pipeline_sha256, record, .. } = package;
        let version = package.package.version;
        let state = restored.state_of(version);
        let plan = record.plan.as_ref();
        let package_id: i64 = query_scalar(
            "insert into packages (title_id, version, state, master_path, pipeline, again, master, \
                 pipeline_sha256, plan, spans, frames, duration_ms, inventory, objects, bytes, proven_on, \
                 pointers, sealed_at, published_at, created_at, updated_at) \
             values ($1, $2, 'queued', '', $3, false, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, \
                 $15, $15) returning id",
        )
        .bind(title_id)
        .bind(version.0)
        .bind(pipeline)
        .bind(master.to_string())
        .bind(pipeline_sha256.to_string())
        .bind(plan.map(rows::json).transpose()?)
        .bind(rows::int(plan.map_or(0, |plan| plan.spans.len() as u64)))
        .bind(rows::int(plan.map_or(0, |plan| plan.frames)))
        .bind(rows::int(plan.map_or(0, |plan| plan.duration().rescale(1000))))
        .bind(record.inventory.map(|sha256| sha256.to_string()))
        .bind(rows::int(record.objects))
        .bind(rows::int(record.bytes))
        .bind(rows::json(&record.proven_on)?)
        .bind(rows::json(&record.pointers)?)
        .bind(now.0)
        .bind(state.refusal().is_none().then_some(now.0))
        .fetch_one(tx)
        .await?;
        packages::set_state(tx, package_id, &state, now).await?;
    }
    let origin = restored.packages.iter().flat_map(|p| &p.record.proven_on).next();
    let origin = origin.map_or("unknown", String::as_str);
    titles::record(tx, title_id, now, Line::Restored { origin, live: restored.live }).await
}

/// What was written down under a name, and when.
pub(crate) async fn checkpoint(
    tx: &mut Db,
    name: &str,
) -> Result<Option<(String, Timestamp)>, Fault> {
    let kept: Option<(String, i64)> =
        query_as("select text, kept_at from checkpoints where name = $1")
            .bind(name)
            .fetch_optional(tx)
            .await?;
    Ok(kept.map(|(text, at)| (text, Timestamp(at))))
}

/// Writes it down, or forgets it.
pub(crate) async fn keep_checkpoint(
    tx: &mut Db,
    name: &str,
    text: Option<&str>,
    now: Timestamp,
) -> Result<(), Fault> {
    let statement = match text {
        Some(text) => query(
            "insert into checkpoints (name, text, kept_at) values ($1, $2, $3) \
             on conflict (name) do update set text = excluded.text, kept_at = excluded.kept_at",
        )
        .bind(name)
        .bind(text)
        .bind(now.0),
        None => query("delete from checkpoints where name = $1").bind(name),
    };
    statement.execute(tx).await?;
    Ok(())
}
