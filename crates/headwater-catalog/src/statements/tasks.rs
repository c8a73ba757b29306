//! Tasks and leases: how work is queued, kept and given back (R8). `claims` hands it out.

use headwater_model::history::Line;
use headwater_model::key::PackageId;
use headwater_model::life::{TitleState, Work};
use headwater_model::refusal::Refusal;
use headwater_model::task::{Lease, TaskKind};
use headwater_model::time::Timestamp;

use super::lanes::Signpost;
use super::{incidents, packages, rows, titles};
use crate::db::{Db, query, query_as, query_scalar};
use crate::error::Fault;

/// What becomes of a task that was there before.
macro_rules! or_open_again {
    ($insert:literal) => {
        concat!(
            $insert,
            " on conflict (package_id, kind, number) do update set state = 'queued', due_at = excluded.due_at, \
                 worker = null, frames_done = 0, finished_at = null, lane_id = excluded.lane_id, \
                 updated_at = excluded.updated_at"
        )
    };
}

/// Adds tasks to the queue, each with the frames that it makes, due at once. One that was there before is open again; its
/// tries count on.
pub(crate) async fn add(
    tx: &mut Db,
    package_id: i64,
    tasks: &[(TaskKind, u64)],
    now: Timestamp,
) -> Result<(), Fault> {
    let mut signpost = Signpost::new(package_id);
    let mut lanes = Vec::new();
    for (kind, _) in tasks {
        lanes.push(signpost.lane(tx, *kind).await?);
    }
    if tx.is_shared() {
        // A plan of two hours has more than a hundred, and each would be a way to the server.
        query(or_open_again!(
            "insert into tasks (package_id, kind, number, role, state, due_at, frames, lane_id, created_at, updated_at) \
             select $1, k.kind, k.number, k.role, 'queued', $2, k.frames, nullif(k.lane, 0), $2, $2 \
             from unnest($3::text[], $4::bigint[], $5::text[], $6::bigint[], $7::bigint[]) with ordinality \
                 as k (kind, number, role, frames, lane, place) order by k.place"
        ))
        .bind(package_id)
        .bind(now.0)
        .bind(tasks.iter().map(|(kind, _)| kind.name().to_owned()).collect::<Vec<_>>())
        .bind(tasks.iter().map(|(kind, _)| i64::from(kind.number())).collect::<Vec<_>>())
        .bind(tasks.iter().map(|(kind, _)| rows::role_name(kind.role()).to_owned()).collect::<Vec<_>>())
        .bind(tasks.iter().map(|(_, frames)| rows::int(*frames)).collect::<Vec<_>>())
        .bind(lanes.iter().map(|lane| lane.unwrap_or(0)).collect::<Vec<_>>())
        .execute(tx)
        .await?;
    } else {
        for ((kind, frames), lane) in tasks.iter().zip(lanes) {
            query(or_open_again!(
                "insert into tasks (package_id, kind, number, role, state, due_at, frames, lane_id, created_at, \
                     updated_at) \
                 values ($1, $2, $3, $4, 'queued', $5, $6, $7, $5, $5)"
            ))
            .bind(package_id)
            .bind(kind.name())
            .bind(kind.number())
            .bind(rows::role_name(kind.role()))
            .bind(now.0)
            .bind(rows::int(*frames))
            .bind(lane)
            .execute(tx)
            .await?;
        }
    }
    tx.queues |= !tasks.is_empty();
    Ok(())
}

/// Opens a task anew, due at `due`, with all its tries unused.
pub(crate) async fn start_over(
    tx: &mut Db,
    package_id: i64,
    kind: TaskKind,
    frames: u64,
    due: Timestamp,
    now: Timestamp,
) -> Result<(), Fault> {
    add(tx, package_id, &[(kind, frames)], now).await?;
    query(
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

macro_rules! held {
    ($lock:literal) => {
        concat!(
            "select k.package_id, p.title_id, k.kind, k.number, k.tries, k.failures, \
                 p.published_at is not null and p.inventory is not null as healing, p.reseals \
             from tasks k join packages p on p.id = k.package_id \
             where k.id = $1 and k.token = $2 and k.state = 'leased' and k.due_at > $3",
            $lock
        )
    };
}

/// The task that `lease` holds at `now`, or that it does not.
pub(crate) async fn held(tx: &mut Db, lease: &Lease, now: Timestamp) -> Result<Held, Fault> {
    // Until the end of the transaction nobody claims it, however long that takes: the lease may run out meanwhile.
    let row = query(tx.pick(held!(""), held!(" for update of k")))
        .bind(lease.task)
        .bind(lease.token)
        .bind(now.0)
        .fetch_optional(tx)
        .await?
        .ok_or(Fault::LeaseLost { task: lease.task })?;
    Ok(Held {
        task: lease.task,
        package_id: row.get("package_id")?,
        title_id: row.get("title_id")?,
        kind: rows::kind(&row)?,
        tries: rows::small(&row, "tries")?,
        failures: rows::small(&row, "failures")?,
        work: match (row.get("healing")?, row.get("reseals")?) {
            (false, _) => Work::Making,
            (true, false) => Work::Healing,
            (true, true) => Work::Resealing,
        },
    })
}

/// The statement that extends the lease `$2` of task `$1` by `$3` milliseconds with `$4` frames done, given the time. As with
/// claims, a server that is killed right then may forget it.
macro_rules! renewal {
    ($now:literal) => {
        concat!(
            "with moment as materialized (select ",
            $now,
            " as now_ms) update tasks set due_at = (select now_ms from moment) + $3, \
                 frames_done = case when $4 < frames then $4 else frames end, updated_at = (select now_ms from moment) \
             where id = $1 and token = $2 and state = 'leased' and due_at > (select now_ms from moment) \
             returning due_at"
        )
    };
}

/// Extends a lease. What becomes of its title meanwhile does not matter: whoever ends its task takes the lease away.
pub(crate) async fn renew(
    tx: &mut Db,
    lease: &Lease,
    lease_ms: i64,
    frames_done: u64,
) -> Result<Lease, Fault> {
    let renew = tx.pick(
        renewal!("$5"),
        renewal!(
            "set_config('synchronous_commit', 'off', true), \
             coalesce($5, cast(extract(epoch from clock_timestamp()) * 1000 as bigint))"
        ),
    );
    let until: Option<i64> = query_scalar(renew)
        .bind(lease.task)
        .bind(lease.token)
        .bind(lease_ms)
        .bind(rows::int(frames_done))
        .bind(tx.given.map(|now| now.0))
        .fetch_optional(tx)
        .await?;
    let until = until.map(Timestamp).ok_or(Fault::LeaseLost { task: lease.task })?;
    Ok(Lease { until, ..lease.clone() })
}

/// Gives a claim back, as if it had never been.
pub(crate) async fn release(tx: &mut Db, lease: &Lease, now: Timestamp) -> Result<(), Fault> {
    let held = held(tx, lease, now).await?;
    query(
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
pub(crate) async fn end_all_leases(tx: &mut Db, now: Timestamp) -> Result<u64, Fault> {
    let titles: Vec<(i64, i64)> = query_as(
        "select p.title_id, count(*) from tasks k join packages p on p.id = k.package_id \
         where k.state = 'leased' group by p.title_id order by p.title_id",
    )
    .fetch_all(tx)
    .await?;
    let mut ended = 0;
    for (title_id, tasks) in titles {
        let tasks = u64::try_from(tasks).unwrap_or(0);
        titles::record(tx, title_id, now, Line::Restarted { tasks }).await?;
        ended += tasks;
    }
    query(
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
    tx: &mut Db,
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
pub(crate) async fn close(tx: &mut Db, package_id: i64, now: Timestamp) -> Result<(), Fault> {
    query(
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
    tx: &mut Db,
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
pub(crate) async fn cancel(tx: &mut Db, package_id: i64, now: Timestamp) -> Result<(), Fault> {
    query(
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
pub(crate) async fn heal(tx: &mut Db, package: &PackageId, now: Timestamp) -> Result<bool, Fault> {
    let Some((package_id, title_id)) = idle(tx, package).await? else { return Ok(false) };
    packages::forget_differing(tx, package_id).await?;
    start_over(tx, package_id, TaskKind::Heal, 0, now, now).await?;
    titles::record(tx, title_id, now, Line::HealQueued).await?;
    Ok(true)
}

/// Opens `Publish` of a package that was published before; false when it is busy or there is no such package.
pub(crate) async fn roll_back(
    tx: &mut Db,
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
async fn idle(tx: &mut Db, package: &PackageId) -> Result<Option<(i64, i64)>, Fault> {
    let row = query_as(
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
pub(crate) async fn is_busy(tx: &mut Db, package: &PackageId) -> Result<bool, Fault> {
    let Some(package_id) = packages::id(tx, package).await? else { return Ok(false) };
    let busy = query_scalar(
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
    tx: &mut Db,
    package_id: i64,
    now: Timestamp,
) -> Result<Vec<TaskKind>, Fault> {
    let rows = query(
        "update tasks set state = 'queued', due_at = $2, tries = 0, failures = 0, losses = 0, finished_at = null, \
             code = null, message = null, updated_at = $2 \
         where package_id = $1 and state in ('failed', 'cancelled') returning kind, number",
    )
    .bind(package_id)
    .bind(now.0)
    .fetch_all(tx)
    .await?;
    let kinds: Vec<TaskKind> = rows.iter().map(rows::kind).collect::<Result<_, _>>()?;
    // Those that were cancelled may have been held then, or their title wanted otherwise.
    let mut signpost = Signpost::new(package_id);
    for kind in &kinds {
        let lane = signpost.lane(tx, *kind).await?;
        query("update tasks set lane_id = $4 where package_id = $1 and kind = $2 and number = $3")
            .bind(package_id)
            .bind(kind.name())
            .bind(kind.number())
            .bind(lane)
            .execute(tx)
            .await?;
    }
    tx.queues = true;
    Ok(kinds)
}

/// How many tasks of a package are done.
pub(crate) async fn done(tx: &mut Db, package_id: i64) -> Result<u64, Fault> {
    let row = query("select count(*) as done from tasks where package_id = $1 and state = 'done'")
        .bind(package_id)
        .fetch_one(tx)
        .await?;
    rows::count(&row, "done")
}

/// How many tasks of a package are not done, but for `Archive`.
pub(crate) async fn left(tx: &mut Db, package_id: i64) -> Result<u64, Fault> {
    let row = query(
        "select count(*) as remaining from tasks where package_id = $1 and state <> 'done' \
         and kind <> 'archive'",
    )
    .bind(package_id)
    .fetch_one(tx)
    .await?;
    rows::count(&row, "remaining")
}
