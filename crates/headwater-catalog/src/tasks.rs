//! Tasks and leases: how work is queued, claimed, kept and given back (R8).

use headwater_model::history::Line;
use headwater_model::key::PackageId;
use headwater_model::life::{TitleState, Work};
use headwater_model::queue::{healing_comes_first, is_proven_still, lost_too_often};
use headwater_model::refusal::Refusal;
use headwater_model::task::{Claimed, Lease, Role, TaskKind};
use headwater_model::time::Timestamp;
use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection};

use crate::error::Fault;
use crate::{archived, incidents, packages, rows, titles};

/// Adds a task to the queue, due at once. One that was there before is open again; its tries count on.
pub(crate) async fn add(
    tx: &mut SqliteConnection,
    package_id: i64,
    kind: TaskKind,
    frames: u64,
    now: Timestamp,
) -> Result<(), Fault> {
    sqlx::query(
        "insert into tasks (package_id, kind, number, role, state, due_at, frames, created_at, updated_at) \
         values ($1, $2, $3, $4, 'queued', $5, $6, $5, $5) \
         on conflict (package_id, kind, number) do update set state = 'queued', due_at = excluded.due_at, \
             worker = null, frames_done = 0, finished_at = null, updated_at = excluded.updated_at",
    )
    .bind(package_id)
    .bind(kind.name())
    .bind(kind.number())
    .bind(role_name(kind.role()))
    .bind(now.0)
    .bind(rows::int(frames))
    .execute(tx)
    .await?;
    Ok(())
}

/// Opens a task anew, due at `due`, with all its tries unused.
pub(crate) async fn start_over(
    tx: &mut SqliteConnection,
    package_id: i64,
    kind: TaskKind,
    frames: u64,
    due: Timestamp,
    now: Timestamp,
) -> Result<(), Fault> {
    add(tx, package_id, kind, frames, now).await?;
    sqlx::query(
        "update tasks set due_at = $4, tries = 0, failures = 0, losses = 0, code = null, message = null \
         where package_id = $1 and kind = $2 and number = $3",
    )
    .bind(package_id)
    .bind(kind.name())
    .bind(kind.number())
    .bind(due.0)
    .execute(tx)
    .await?;
    Ok(())
}

fn role_name(role: Role) -> &'static str {
    match role {
        Role::Worker => "worker",
        Role::Verifier => "verifier",
        Role::Publisher => "publisher",
        Role::Archiver => "archiver",
    }
}

/// Claims the best task that is due.
pub(crate) async fn claim(
    tx: &mut SqliteConnection,
    worker: &str,
    roles: &[Role],
    lease_ms: i64,
    now: Timestamp,
) -> Result<Option<Claimed>, Fault> {
    // Each turn but the last ends a package, so the loop does too.
    while let Some(due) = first_due(tx, roles, now).await? {
        let task: i64 = due.try_get("id")?;
        let kind = rows::kind(&due)?;
        let mut losses = rows::small(&due, "losses")?;
        if let Some(lost) = due.try_get::<Option<&str>, _>("worker")? {
            losses += 1;
            let title_id = due.try_get("title_id")?;
            titles::record(tx, title_id, now, Line::WorkerLost { kind, worker: lost }).await?;
            if let Some(refusal) = lost_too_often(kind, losses) {
                let package_id = due.try_get("package_id")?;
                let published_as: Option<&str> = due.try_get("published_as")?;
                if kind.is_beside() {
                    archived::give_up(tx, title_id, task, &refusal, now).await?;
                } else if published_as.is_some() {
                    end_healing(tx, title_id, package_id, kind, &refusal, now).await?;
                } else {
                    let state = TitleState::refused(refusal);
                    end_package(tx, title_id, package_id, kind, &state, now).await?;
                }
                continue;
            }
        }
        let proven_at = due.try_get::<Option<i64>, _>("proven_at")?.map(Timestamp);
        let proven_on = match is_proven_still(proven_at, now) {
            true => serde_json::from_str(due.try_get("proven_on")?)?,
            false => Vec::new(),
        };
        let until = now.plus_ms(lease_ms);
        let claimed = sqlx::query(
            "update tasks set state = 'leased', token = token + 1, due_at = $2, worker = $3, tries = tries + 1, \
                 losses = $4, frames_done = 0, started_at = coalesce(started_at, $5), updated_at = $5 \
             where id = $1 returning token, tries",
        )
        .bind(task)
        .bind(until.0)
        .bind(worker)
        .bind(losses)
        .bind(now.0)
        .fetch_one(&mut *tx)
        .await?;
        return Ok(Some(Claimed {
            lease: Lease { task, token: claimed.try_get("token")?, until },
            package: rows::package_id(&due)?,
            kind,
            attempt: rows::small(&claimed, "tries")?,
            master_path: due.try_get("master_path")?,
            pipeline: due.try_get("pipeline")?,
            again: due.try_get("again")?,
            remake: rows::from_json(&due, "remake")?,
            plan: rows::from_json(&due, "plan")?,
            facts: rows::from_json(&due, "facts")?,
            known_master: rows::parsed_maybe(&due, "known_master")?,
            proven_on,
            published_as: rows::parsed_maybe(&due, "published_as")?,
            reseals: due.try_get("reseals")?,
            differs: serde_json::from_str(due.try_get("differs")?)?,
        }));
    }
    Ok(None)
}

/// The first task in the queue's order that may be claimed now: `$1` the time, `$2` to `$5` whether for a worker,
/// verifier, publisher, archiver, `$6` whether of those that make something again for a title that viewers have, or of all
/// others. Of the tasks of a title that touch its pointers, one is under way at a time. In PostgreSQL this is the inner
/// select of one update, with `for update of k skip locked`; here
/// the transaction holds the write lock, so nobody else can be choosing.
pub(crate) const FIRST_DUE: &str = "\
    select k.id, k.package_id, p.title_id, k.kind, k.number, k.worker, k.losses, \
           t.tenant, t.title, p.version, p.master_path, p.pipeline, p.again, p.remake, p.plan, p.facts, p.differs, p.reseals, \
           case when p.published_at is not null then p.inventory end as published_as, p.proven_on, \
           (select proof.finished_at from tasks proof where proof.package_id = p.id and proof.kind = 'verify' \
                and proof.state = 'done') as proven_at, \
           case when p.remake is null then (select same.master from packages same \
                    where same.title_id = p.title_id and same.master_path = p.master_path and same.master is not null \
                    order by same.version desc limit 1) \
                else (select base.master from packages base where base.title_id = p.title_id \
                    and base.version = json_extract(p.remake, '$.base')) end as known_master \
    from tasks k join packages p on p.id = k.package_id join titles t on t.id = p.title_id \
    where k.finished_at is null and k.due_at <= $1 \
      and case k.role when 'worker' then $2 when 'verifier' then $3 \
           when 'publisher' then $4 else $5 end \
      and $6 = (k.role in ('worker', 'verifier') and p.published_at is not null) \
      and (k.kind not in ('publish', 'heal') or not exists ( \
           select 1 from packages of_title join tasks under_way on under_way.package_id = of_title.id \
           where of_title.title_id = p.title_id and under_way.id <> k.id and under_way.state = 'leased' \
             and under_way.kind in ('publish', 'heal') and under_way.due_at > $1)) \
      and (k.kind <> 'publish' or not exists ( \
           select 1 from tasks before join packages older on older.id = before.package_id \
           where older.title_id = p.title_id and older.version < p.version \
             and before.kind = 'publish' and before.finished_at is null)) \
    order by k.package_id, k.id limit 1";

async fn first_due(
    tx: &mut SqliteConnection,
    roles: &[Role],
    now: Timestamp,
) -> Result<Option<SqliteRow>, Fault> {
    let healing_first = healing_comes_first(now);
    for healing in [healing_first, !healing_first] {
        let row = sqlx::query(FIRST_DUE)
            .bind(now.0)
            .bind(roles.contains(&Role::Worker))
            .bind(roles.contains(&Role::Verifier))
            .bind(roles.contains(&Role::Publisher))
            .bind(roles.contains(&Role::Archiver))
            .bind(healing)
            .fetch_optional(&mut *tx)
            .await?;
        if row.is_some() {
            return Ok(row);
        }
    }
    Ok(None)
}

/// A task as the holder of its lease sees it.
pub(crate) struct Held {
    /// The task's row.
    pub(crate) task: i64,
    /// Its package's row.
    pub(crate) package_id: i64,
    /// Its title's row.
    pub(crate) title_id: i64,
    /// What it is.
    pub(crate) kind: TaskKind,
    /// Which try this is, from 1.
    pub(crate) tries: u32,
    /// How many tries have reported a failure before this one.
    pub(crate) failures: u32,
    /// What the package's tasks are about.
    pub(crate) work: Work,
}

/// The task that `lease` holds at `now`, or that it does not.
pub(crate) async fn held(
    tx: &mut SqliteConnection,
    lease: &Lease,
    now: Timestamp,
) -> Result<Held, Fault> {
    let row = sqlx::query(
        "select k.package_id, p.title_id, k.kind, k.number, k.tries, k.failures, \
             p.published_at is not null and p.inventory is not null as healing, p.reseals \
         from tasks k join packages p on p.id = k.package_id \
         where k.id = $1 and k.token = $2 and k.state = 'leased' and k.due_at > $3",
    )
    .bind(lease.task)
    .bind(lease.token)
    .bind(now.0)
    .fetch_optional(tx)
    .await?
    .ok_or(Fault::LeaseLost { task: lease.task })?;
    Ok(Held {
        task: lease.task,
        package_id: row.try_get("package_id")?,
        title_id: row.try_get("title_id")?,
        kind: rows::kind(&row)?,
        tries: rows::small(&row, "tries")?,
        failures: rows::small(&row, "failures")?,
        work: match (row.try_get("healing")?, row.try_get("reseals")?) {
            (false, _) => Work::Making,
            (true, false) => Work::Healing,
            (true, true) => Work::Resealing,
        },
    })
}

/// Extends a lease.
pub(crate) async fn renew(
    tx: &mut SqliteConnection,
    lease: &Lease,
    lease_ms: i64,
    frames_done: u64,
    now: Timestamp,
) -> Result<Lease, Fault> {
    let held = held(tx, lease, now).await?;
    let until = now.plus_ms(lease_ms);
    sqlx::query(
        "update tasks set due_at = $2, frames_done = case when $3 < frames then $3 else frames end, \
             updated_at = $4 where id = $1",
    )
    .bind(held.task)
    .bind(until.0)
    .bind(rows::int(frames_done))
    .bind(now.0)
    .execute(tx)
    .await?;
    Ok(Lease { until, ..lease.clone() })
}

/// Gives a claim back, as if it had never been.
pub(crate) async fn release(
    tx: &mut SqliteConnection,
    lease: &Lease,
    now: Timestamp,
) -> Result<(), Fault> {
    let held = held(tx, lease, now).await?;
    sqlx::query(
        "update tasks set state = 'queued', due_at = $2, worker = null, tries = tries - 1, frames_done = 0, \
             updated_at = $2 \
         where id = $1",
    )
    .bind(held.task)
    .bind(now.0)
    .execute(tx)
    .await?;
    Ok(())
}

/// Puts every leased task back. Nothing is counted against them: whoever stopped the service meant the service.
pub(crate) async fn end_all_leases(
    tx: &mut SqliteConnection,
    now: Timestamp,
) -> Result<u64, Fault> {
    let titles: Vec<(i64, i64)> = sqlx::query_as(
        "select p.title_id, count(*) from tasks k join packages p on p.id = k.package_id \
         where k.state = 'leased' group by p.title_id order by p.title_id",
    )
    .fetch_all(&mut *tx)
    .await?;
    let mut ended = 0;
    for (title_id, tasks) in titles {
        let tasks = u64::try_from(tasks).unwrap_or(0);
        titles::record(tx, title_id, now, Line::Restarted { tasks }).await?;
        ended += tasks;
    }
    sqlx::query(
        "update tasks set state = 'queued', due_at = $1, worker = null, frames_done = 0, updated_at = $1 \
         where state = 'leased'",
    )
    .bind(now.0)
    .execute(tx)
    .await?;
    Ok(ended)
}

/// Ends the healing of a package at the task `kind`. Viewers keep what they have, and what was made once counts as made.
pub(crate) async fn end_healing(
    tx: &mut SqliteConnection,
    title_id: i64,
    package_id: i64,
    kind: TaskKind,
    refusal: &Refusal,
    now: Timestamp,
) -> Result<(), Fault> {
    close(tx, package_id, now).await?;
    packages::reseal(tx, package_id, false).await?;
    incidents::settle(tx, title_id, now).await?;
    titles::record(tx, title_id, now, Line::NotHealed { kind, refusal }).await
}

/// Takes for done whatever a package still has in the queue, but for `Archive`.
pub(crate) async fn close(
    tx: &mut SqliteConnection,
    package_id: i64,
    now: Timestamp,
) -> Result<(), Fault> {
    sqlx::query(
        "update tasks set state = 'done', worker = null, finished_at = $2, updated_at = $2 \
         where package_id = $1 and state <> 'done' and kind <> 'archive'",
    )
    .bind(package_id)
    .bind(now.0)
    .execute(tx)
    .await?;
    Ok(())
}

/// Ends a package at the task `kind`.
pub(crate) async fn end_package(
    tx: &mut SqliteConnection,
    title_id: i64,
    package_id: i64,
    kind: TaskKind,
    state: &TitleState,
    now: Timestamp,
) -> Result<(), Fault> {
    cancel(tx, package_id, now).await?;
    packages::set_state(tx, package_id, state, now).await?;
    titles::record(tx, title_id, now, Line::Ended { kind, state }).await
}

/// Takes a package's open tasks out of the queue, those under way included: their workers find the lease lost. Its master
/// is archived all the same.
pub(crate) async fn cancel(
    tx: &mut SqliteConnection,
    package_id: i64,
    now: Timestamp,
) -> Result<(), Fault> {
    sqlx::query(
        "update tasks set state = 'cancelled', worker = null, frames_done = 0, finished_at = $2, updated_at = $2 \
         where package_id = $1 and finished_at is null and kind <> 'archive'",
    )
    .bind(package_id)
    .bind(now.0)
    .execute(tx)
    .await?;
    Ok(())
}

/// Opens `Heal` of a package that was published; false when it is busy or there is no such package.
pub(crate) async fn heal(
    tx: &mut SqliteConnection,
    package: &PackageId,
    now: Timestamp,
) -> Result<bool, Fault> {
    let Some((package_id, title_id)) = idle(tx, package).await? else { return Ok(false) };
    packages::forget_differing(tx, package_id).await?;
    start_over(tx, package_id, TaskKind::Heal, 0, now, now).await?;
    titles::record(tx, title_id, now, Line::HealQueued).await?;
    Ok(true)
}

/// Opens `Publish` of a package that was published before; false when it is busy or there is no such package.
pub(crate) async fn roll_back(
    tx: &mut SqliteConnection,
    package: &PackageId,
    now: Timestamp,
) -> Result<bool, Fault> {
    let Some((package_id, title_id)) = idle(tx, package).await? else { return Ok(false) };
    start_over(tx, package_id, TaskKind::Publish, 0, now, now).await?;
    let line = Line::RollbackQueued { to: package.version };
    titles::record(tx, title_id, now, line).await?;
    Ok(true)
}

/// The rows of a package that was published, and of its title, when nothing is being done about it.
async fn idle(tx: &mut SqliteConnection, package: &PackageId) -> Result<Option<(i64, i64)>, Fault> {
    let row = sqlx::query_as(
        "select p.id, p.title_id from packages p join titles t on t.id = p.title_id \
         where t.tenant = $1 and t.title = $2 and p.version = $3 \
           and p.published_at is not null and p.inventory is not null and p.condemned_at is null \
           and not exists (select 1 from tasks where package_id = p.id and finished_at is null \
               and kind <> 'archive')",
    )
    .bind(package.tenant.as_str())
    .bind(package.title.as_str())
    .bind(package.version.0)
    .fetch_optional(tx)
    .await?;
    Ok(row)
}

/// Whether a package has tasks that are not finished, but for `Archive`.
pub(crate) async fn is_busy(tx: &mut SqliteConnection, package: &PackageId) -> Result<bool, Fault> {
    let Some(package_id) = packages::id(tx, package).await? else { return Ok(false) };
    let busy = sqlx::query_scalar(
        "select exists (select 1 from tasks where package_id = $1 and finished_at is null \
             and kind <> 'archive')",
    )
    .bind(package_id)
    .fetch_one(tx)
    .await?;
    Ok(busy)
}

/// Puts a package's failed and cancelled tasks back in the queue with their tries unused, and says which they are.
pub(crate) async fn reopen(
    tx: &mut SqliteConnection,
    package_id: i64,
    now: Timestamp,
) -> Result<Vec<TaskKind>, Fault> {
    let rows = sqlx::query(
        "update tasks set state = 'queued', due_at = $2, tries = 0, failures = 0, losses = 0, finished_at = null, \
             code = null, message = null, updated_at = $2 \
         where package_id = $1 and state in ('failed', 'cancelled') returning kind, number",
    )
    .bind(package_id)
    .bind(now.0)
    .fetch_all(tx)
    .await?;
    rows.iter().map(rows::kind).collect()
}

/// How many tasks of a package are done.
pub(crate) async fn done(tx: &mut SqliteConnection, package_id: i64) -> Result<u64, Fault> {
    let row =
        sqlx::query("select count(*) as done from tasks where package_id = $1 and state = 'done'")
            .bind(package_id)
            .fetch_one(tx)
            .await?;
    rows::count(&row, "done")
}

/// How many tasks of a package are not done, but for `Archive`.
pub(crate) async fn left(tx: &mut SqliteConnection, package_id: i64) -> Result<u64, Fault> {
    let row = sqlx::query(
        "select count(*) as remaining from tasks where package_id = $1 and state <> 'done' \
         and kind <> 'archive'",
    )
    .bind(package_id)
    .fetch_one(tx)
    .await?;
    rows::count(&row, "remaining")
}
