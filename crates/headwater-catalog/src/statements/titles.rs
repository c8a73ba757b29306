//! Titles: how they are queued and resumed, and how they are read; their history; the files they came from.

use headwater_model::history::Line;
use headwater_model::id::{Tenant, TitleId, Version};
use headwater_model::key::PackageId;
use headwater_model::lane::Priority;
use headwater_model::life::{Event, TitleRecord, TitleState};
use headwater_model::queue::{Newest, Submission, state_before, submission};
use headwater_model::refusal::{Code, Refusal};
use headwater_model::task::{NewTitle, TaskKind};
use headwater_model::time::Timestamp;
use headwater_ports::catalog::{SeenFile, Submitted};

use super::{lanes, packages, rows, tasks};
use crate::db::{Db, query, query_scalar};
use crate::error::Fault;

/// Queues, resumes or leaves alone.
pub(crate) async fn submit(
    tx: &mut Db,
    new: &NewTitle,
    now: Timestamp,
) -> Result<Submitted, Fault> {
    let known = query(
        "select t.id as title_id, p.id as package_id, p.version, p.state, p.code, p.message, p.master_path, \
                p.pipeline, p.plan is not null as planned \
         from titles t join packages p on p.title_id = t.id and p.version = t.newest \
         where t.tenant = $1 and t.title = $2",
    )
    .bind(new.tenant.as_str())
    .bind(new.title.as_str())
    .fetch_optional(tx)
    .await?;
    let Some(known) = known else {
        let title_id = query_scalar(
            "insert into titles (tenant, title, newest, priority, queued_at, created_at) \
             values ($1, $2, 1, $4, $3, $3) returning id",
        )
        .bind(new.tenant.as_str())
        .bind(new.title.as_str())
        .bind(now.0)
        .bind(new.priority.unwrap_or_default().rank())
        .fetch_one(tx)
        .await?;
        let first = next(tx, title_id).await?;
        return queue(tx, title_id, first, new, now).await;
    };

    let state = rows::state(&known)?;
    let newest = Newest {
        state: &state,
        master_path: known.get("master_path")?,
        pipeline: known.get("pipeline")?,
        planned: known.get("planned")?,
    };
    let (title_id, package_id) = (known.get("title_id")?, known.get("package_id")?);
    if let Some(priority) = new.priority {
        prioritise(tx, title_id, priority).await?;
        lanes::sort_again(tx, title_id).await?;
    }
    let version = Version(rows::small(&known, "version")?);
    match submission(Some(newest), new) {
        Submission::InProgress => Ok(Submitted::InProgress(version)),
        Submission::Resume => resume(tx, title_id, package_id, version, now).await,
        Submission::NewVersion { gives_up } => {
            // Not `version + 1`: a title that turned out to have its master already went back to an older version.
            let next = next(tx, title_id).await?;
            if gives_up {
                tasks::cancel(tx, package_id, now).await?;
                let why = format!("{next} was asked for before it was done");
                let given_up = TitleState::refused(Refusal::new(Code::Superseded, why));
                packages::set_state(tx, package_id, &given_up, now).await?;
                record(tx, title_id, now, Line::GivenUp { version, newer: next }).await?;
            }
            if state != TitleState::Published && state != TitleState::Publishing {
                // It will never be sealed, so nobody will ask for its objects again.
                packages::forget_made(tx, package_id).await?;
            }
            queue(tx, title_id, next, new, now).await
        }
    }
}

/// Adds the version behind all that there are or were.
pub(crate) async fn queue_next(
    tx: &mut Db,
    title_id: i64,
    new: &NewTitle,
    now: Timestamp,
) -> Result<(), Fault> {
    let version = next(tx, title_id).await?;
    queue(tx, title_id, version, new, now).await.map(|_| ())
}

/// The version behind all that a title has, and behind those that an origin has something of.
async fn next(tx: &mut Db, title_id: i64) -> Result<Version, Fault> {
    let row = query(
        "select coalesce(max(version), 0) as highest from ( \
             select version from packages where title_id = $1 \
             union all select k.version from taken_versions k \
                 join titles t on t.tenant = k.tenant and t.title = k.title where t.id = $1) as known",
    )
    .bind(title_id)
    .fetch_one(tx)
    .await?;
    let next = rows::small(&row, "highest")?.checked_add(1);
    next.map(Version).ok_or_else(|| Fault::Contradiction("no number is left".to_owned()))
}

/// Keeps a version's number, and all below it, from being given to another one.
pub(crate) async fn take(tx: &mut Db, package: &PackageId) -> Result<(), Fault> {
    query(
        "insert into taken_versions (tenant, title, version) values ($1, $2, $3) \
         on conflict (tenant, title) do update set version = excluded.version \
         where taken_versions.version < excluded.version",
    )
    .bind(package.tenant.as_str())
    .bind(package.title.as_str())
    .bind(package.version.0)
    .execute(tx)
    .await?;
    Ok(())
}

/// Adds a version with its first task.
async fn queue(
    tx: &mut Db,
    title_id: i64,
    version: Version,
    new: &NewTitle,
    now: Timestamp,
) -> Result<Submitted, Fault> {
    let package_id = query_scalar(
        "insert into packages (title_id, version, state, master_path, pipeline, again, remake, pool, created_at, \
             updated_at) \
         values ($1, $2, 'queued', $3, $4, $5, $7, $8, $6, $6) returning id",
    )
    .bind(title_id)
    .bind(version.0)
    .bind(&new.master_path)
    .bind(&new.pipeline)
    .bind(new.again)
    .bind(now.0)
    .bind(new.remake.as_ref().map(rows::json).transpose()?)
    .bind(&new.pool)
    .fetch_one(tx)
    .await?;
    query("update titles set newest = $2, queued_at = $3 where id = $1")
        .bind(title_id)
        .bind(version.0)
        .bind(now.0)
        .execute(tx)
        .await?;
    tasks::add(tx, package_id, &[(TaskKind::Prepare, 0)], now).await?;
    let line = match &new.remake {
        Some(remake) => Line::RemakeQueued { version, remake },
        None => Line::Queued {
            version,
            master_path: &new.master_path,
            pipeline: &new.pipeline,
            reason: new.reason.as_deref(),
        },
    };
    record(tx, title_id, now, line).await?;
    Ok(Submitted::Queued(version))
}

/// Lets a package that stopped go on.
pub(crate) async fn resume(
    tx: &mut Db,
    title_id: i64,
    package_id: i64,
    version: Version,
    now: Timestamp,
) -> Result<Submitted, Fault> {
    let reopened = tasks::reopen(tx, package_id, now).await?;
    let mut first =
        reopened.iter().filter(|kind| !kind.is_beside()).min().copied().ok_or_else(|| {
            Fault::Contradiction(format!("{version} has stopped and has no task to go on with"))
        })?;
    let done = tasks::done(tx, package_id).await?;
    if first == TaskKind::Publish {
        // What was proven once may be lost since. The proof brings it back.
        tasks::close(tx, package_id, now).await?;
        first = TaskKind::Verify;
        tasks::start_over(tx, package_id, first, 0, now, now).await?;
    }
    packages::set_state(tx, package_id, &state_before(first), now).await?;
    let line = Line::Resumed { done, left: reopened.len() as u64 };
    record(tx, title_id, now, line).await?;
    Ok(Submitted::Queued(version))
}

/// Notes how much a title is wanted.
pub(crate) async fn prioritise(
    tx: &mut Db,
    title_id: i64,
    priority: Priority,
) -> Result<(), Fault> {
    query("update titles set priority = $2 where id = $1")
        .bind(title_id)
        .bind(priority.rank())
        .execute(tx)
        .await?;
    Ok(())
}

/// Adds a line to a title's history.
pub(crate) async fn record(
    tx: &mut Db,
    title_id: i64,
    now: Timestamp,
    line: Line<'_>,
) -> Result<(), Fault> {
    query("insert into events (title_id, happened_at, text) values ($1, $2, $3)")
        .bind(title_id)
        .bind(now.0)
        .bind(line.to_string())
        .execute(tx)
        .await?;
    Ok(())
}

/// The statement that reads titles, given how to pick them: only those that are picked have their spans added up.
macro_rules! title_rows {
    ($pick:literal) => {
        concat!(
            "with picked as (select t.* from titles t ",
            $pick,
            ") select t.tenant, t.title, t.live, t.queued_at, t.priority, t.held, p.version, p.state, p.code, p.message, p.master_path, \
                 p.pipeline, p.master, p.facts, p.spans, p.frames, p.duration_ms, p.updated_at, \
                 count(s.id) filter (where s.state = 'done') as spans_done, \
                 cast(coalesce(sum(s.frames_done), 0) as bigint) as frames_done, \
                 (select cast(coalesce(sum(cpu_ms), 0) as bigint) from tasks where package_id = p.id) as cpu_ms, \
                 min(s.started_at) as first_started_at, \
                 max(case when s.finished_at > p.sealed_at then p.sealed_at else s.finished_at end) \
                     filter (where s.state = 'done') as last_finished_at \
             from picked t join packages p on p.title_id = t.id and p.version = t.newest \
                 left join tasks s on s.package_id = p.id and s.kind = 'span' \
             group by t.id, t.tenant, t.title, t.live, t.queued_at, t.priority, t.held, p.id order by t.queued_at desc, t.id desc"
        )
    };
}

/// One title: `$1` its tenant, `$2` its name.
pub(crate) const ONE: &str = title_rows!("where t.tenant = $1 and t.title = $2");

/// The titles of tenant `$1`, the last queued first, at most `$2`.
pub(crate) const LIST: &str =
    title_rows!("where t.tenant = $1 order by t.queued_at desc, t.id desc limit $2");

/// One title.
pub(crate) async fn one(
    tx: &mut Db,
    tenant: &Tenant,
    title: &TitleId,
    now: Timestamp,
) -> Result<Option<TitleRecord>, Fault> {
    let row = query(ONE).bind(tenant.as_str()).bind(title.as_str()).fetch_optional(tx).await?;
    row.map(|row| rows::title(&row, now)).transpose()
}

/// A tenant's titles, the last queued first.
pub(crate) async fn list(
    tx: &mut Db,
    tenant: &Tenant,
    limit: u32,
    now: Timestamp,
) -> Result<Vec<TitleRecord>, Fault> {
    let rows = query(LIST).bind(tenant.as_str()).bind(limit).fetch_all(tx).await?;
    rows.iter().map(|row| rows::title(row, now)).collect()
}

/// A title's history, oldest first.
pub(crate) async fn events(
    tx: &mut Db,
    tenant: &Tenant,
    title: &TitleId,
) -> Result<Vec<Event>, Fault> {
    let rows = query(
        "select e.happened_at, e.text from events e join titles t on t.id = e.title_id \
         where t.tenant = $1 and t.title = $2 order by e.id",
    )
    .bind(tenant.as_str())
    .bind(title.as_str())
    .fetch_all(tx)
    .await?;
    rows.iter().map(rows::event).collect()
}

/// Whether a file is known in this size and time.
pub(crate) async fn knows_file(tx: &mut Db, file: &SeenFile) -> Result<bool, Fault> {
    let known = query_scalar(
        "select exists (select 1 from seen_files where path = $1 and bytes = $2 and modified_ns = $3)",
    )
    .bind(&file.path)
    .bind(rows::int(file.bytes))
    .bind(file.modified_ns)
    .fetch_one(tx)
    .await?;
    Ok(known)
}

/// Remembers a file; true when that was news.
pub(crate) async fn remember_file(tx: &mut Db, file: &SeenFile) -> Result<bool, Fault> {
    let written = query(
        "insert into seen_files (path, bytes, modified_ns) values ($1, $2, $3) \
         on conflict (path) do update set bytes = excluded.bytes, modified_ns = excluded.modified_ns \
         where seen_files.bytes <> excluded.bytes or seen_files.modified_ns <> excluded.modified_ns",
    )
    .bind(&file.path)
    .bind(rows::int(file.bytes))
    .bind(file.modified_ns)
    .execute(tx)
    .await?;
    Ok(written > 0)
}
