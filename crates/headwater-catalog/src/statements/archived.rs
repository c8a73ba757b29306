//! Masters and their copies in the archive; and the task that makes a copy, which goes beside the life of its title.

use headwater_model::archive::{Archiving, MasterCopy, MasterRecord};
use headwater_model::history::Line;
use headwater_model::id::{Sha256, Tenant};
use headwater_model::key::{ObjectKey, PackageId};
use headwater_model::refusal::Refusal;
use headwater_model::task::TaskKind;
use headwater_model::time::Timestamp;

use super::{rows, tasks, titles};
use crate::db::{Db, Row, query, query_as, query_scalar};
use crate::error::Fault;

/// Opens `Archive` of a package's master; false when that is under way, or when the master is not known.
pub(crate) async fn archive(
    tx: &mut Db,
    package: &PackageId,
    now: Timestamp,
) -> Result<bool, Fault> {
    let row: Option<(i64, i64)> = query_as(
        "select p.id, p.title_id from packages p join titles t on t.id = p.title_id \
         where t.tenant = $1 and t.title = $2 and p.version = $3 and p.plan is not null \
           and not exists ( \
               select 1 from packages same join titles its on its.id = same.title_id \
                   join tasks k on k.package_id = same.id \
               where same.master = p.master and its.tenant = t.tenant \
                 and k.kind = 'archive' and k.finished_at is null)",
    )
    .bind(package.tenant.as_str())
    .bind(package.title.as_str())
    .bind(package.version.0)
    .fetch_optional(tx)
    .await?;
    let Some((package_id, title_id)) = row else { return Ok(false) };
    tasks::start_over(tx, package_id, TaskKind::Archive, 0, now, now).await?;
    titles::record(tx, title_id, now, Line::ArchiveQueued).await?;
    Ok(true)
}

/// Ends an `Archive` that has outlived too many workers.
pub(crate) async fn give_up(
    tx: &mut Db,
    title_id: i64,
    task: i64,
    refusal: &Refusal,
    now: Timestamp,
) -> Result<(), Fault> {
    query(
        "update tasks set state = 'failed', worker = null, code = $3, message = $4, finished_at = $2, \
             updated_at = $2 \
         where id = $1",
    )
    .bind(task)
    .bind(now.0)
    .bind(refusal.code.as_str())
    .bind(&refusal.message)
    .execute(tx)
    .await?;
    titles::record(tx, title_id, now, Line::NotArchived { refusal }).await
}

/// Keeps a copy that was just proven.
pub(crate) async fn keep_proven(
    tx: &mut Db,
    title_id: i64,
    copy: &MasterCopy,
    now: Timestamp,
) -> Result<(), Fault> {
    let tenant: String = query_scalar("select tenant from titles where id = $1")
        .bind(title_id)
        .fetch_one(tx)
        .await?;
    query(
        "insert into archived_masters (tenant, sha256, origin, key, bytes, etag, storage_class, proven_at) \
         values ($1, $2, $3, $4, $5, $6, $7, $8) \
         on conflict (tenant, sha256) do update set origin = excluded.origin, key = excluded.key, \
             bytes = excluded.bytes, etag = excluded.etag, storage_class = excluded.storage_class, \
             proven_at = excluded.proven_at",
    )
    .bind(tenant)
    .bind(copy.sha256.to_string())
    .bind(&copy.origin)
    .bind(copy.key.as_str())
    .bind(rows::int(copy.bytes))
    .bind(&copy.etag)
    .bind(&copy.storage_class)
    .bind(now.0)
    .execute(tx)
    .await?;
    Ok(())
}

/// Keeps a copy that was found and not proven, unless one is known.
pub(crate) async fn keep_found(
    tx: &mut Db,
    tenant: &Tenant,
    copy: &MasterCopy,
) -> Result<(), Fault> {
    query(
        "insert into archived_masters (tenant, sha256, origin, key, bytes, etag, storage_class) \
         values ($1, $2, $3, $4, $5, $6, $7) on conflict do nothing",
    )
    .bind(tenant.as_str())
    .bind(copy.sha256.to_string())
    .bind(&copy.origin)
    .bind(copy.key.as_str())
    .bind(rows::int(copy.bytes))
    .bind(&copy.etag)
    .bind(&copy.storage_class)
    .execute(tx)
    .await?;
    Ok(())
}

/// One master.
pub(crate) async fn one(
    tx: &mut Db,
    tenant: &Tenant,
    sha256: Sha256,
) -> Result<Option<MasterRecord>, Fault> {
    let record = record(tx, tenant, sha256).await?;
    Ok((record.package.is_some() || record.copy.is_some()).then_some(record))
}

/// Masters in the order of their SHA-256.
pub(crate) async fn list(
    tx: &mut Db,
    tenant: &Tenant,
    after: Option<Sha256>,
    limit: u32,
) -> Result<Vec<MasterRecord>, Fault> {
    let digests: Vec<String> = query_scalar(
        "select p.master from packages p join titles t on t.id = p.title_id \
         where t.tenant = $1 and p.master > $2 and (p.version = t.newest or p.version is not distinct from t.live) \
         union \
         select sha256 from archived_masters where tenant = $1 and sha256 > $2 \
         order by 1 limit $3",
    )
    .bind(tenant.as_str())
    .bind(after.map(|sha256| sha256.to_string()).unwrap_or_default())
    .bind(limit)
    .fetch_all(tx)
    .await?;
    let mut records = Vec::with_capacity(digests.len());
    for digest in digests {
        let sha256 = digest.parse().map_err(|_| {
            Fault::Contradiction(format!("`{digest}` is not the SHA-256 of a master"))
        })?;
        records.push(record(tx, tenant, sha256).await?);
    }
    Ok(records)
}

async fn record(tx: &mut Db, tenant: &Tenant, sha256: Sha256) -> Result<MasterRecord, Fault> {
    let newest = query(
        "select t.tenant, t.title, p.version, p.master_path \
         from packages p join titles t on t.id = p.title_id \
         where p.master = $2 and t.tenant = $1 order by p.id desc limit 1",
    )
    .bind(tenant.as_str())
    .bind(sha256.to_string())
    .fetch_optional(tx)
    .await?;
    let copy = query(
        "select origin, key, bytes, etag, storage_class, proven_at from archived_masters \
         where tenant = $1 and sha256 = $2",
    )
    .bind(tenant.as_str())
    .bind(sha256.to_string())
    .fetch_optional(tx)
    .await?;
    // What is open says more than what has ended, and what ended last more than what ended before.
    let task = query(
        "select k.finished_at is null as is_open, k.state, k.code, k.message \
         from tasks k join packages p on p.id = k.package_id join titles t on t.id = p.title_id \
         where p.master = $2 and t.tenant = $1 and k.kind = 'archive' \
         order by is_open desc, k.finished_at desc, k.id desc limit 1",
    )
    .bind(tenant.as_str())
    .bind(sha256.to_string())
    .fetch_optional(tx)
    .await?;
    Ok(MasterRecord {
        sha256,
        package: newest.as_ref().map(rows::package_id).transpose()?,
        path: newest.as_ref().map_or(Ok(String::new()), |row| row.get("master_path"))?,
        copy: copy.as_ref().map(|row| of_row(row, sha256)).transpose()?,
        archiving: task.as_ref().map_or(Ok(Archiving::Idle), archiving)?,
    })
}

fn of_row(row: &Row, sha256: Sha256) -> Result<(MasterCopy, Option<Timestamp>), Fault> {
    let key: String = row.get("key")?;
    let copy = MasterCopy {
        origin: row.get("origin")?,
        key: ObjectKey::try_from(key).map_err(Fault::Contradiction)?,
        bytes: rows::count(row, "bytes")?,
        sha256,
        etag: row.get("etag")?,
        storage_class: row.get("storage_class")?,
    };
    Ok((copy, row.get::<Option<i64>>("proven_at")?.map(Timestamp)))
}

fn archiving(row: &Row) -> Result<Archiving, Fault> {
    Ok(match (row.get("is_open")?, rows::trouble(row)?) {
        (true, trouble) => Archiving::UnderWay(trouble),
        (false, Some(refusal)) => Archiving::GivenUp(refusal),
        (false, None) => Archiving::Idle,
    })
}
