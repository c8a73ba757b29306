//! Tasks and leases: how work is queued, claimed, kept and given back (R8).

use headwater_model::history::Line;
use headwater_model::id::Sha256;
use headwater_model::key::PackageId;
use headwater_model::lane::Offer;
use headwater_model::life::{TitleState, Work};
use headwater_model::queue::{is_proven_still, lost_too_often};
use headwater_model::refusal::Refusal;
use headwater_model::task::{Claimed, Lease, TaskKind};
use headwater_model::time::Timestamp;
use tracing::error;

use super::lanes::{Book, Signpost};
use super::{archived, incidents, lanes, packages, plans, rows, titles};
use crate::db::{Db, Row, query, query_as, query_scalar};
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

/// What whoever claims a task has to know of its package `p` and title `t`.
macro_rules! package_columns {
    () => {
        "t.tenant, t.title, p.version, p.master_path, p.pipeline, p.again, p.remake, p.differs, p.reseals, \
             case when p.published_at is not null then p.inventory end as published_as"
    };
}

/// Claims the best task that is due.
pub(crate) async fn claim(
    tx: &mut Db,
    offer: &Offer,
    lease_ms: i64,
    book: &Book,
) -> Result<Option<Claimed>, Fault> {
    for (lane, _) in book.known(offer).unwrap_or_default() {
        if let Some(claimed) = claim_from(tx, lane, offer, lease_ms, book).await? {
            return Ok(Some(claimed));
        }
    }
    // What is written down says that there is nothing: something may have come since.
    book.write(tx).await?;
    for (lane, _) in book.fresh(offer, tx.now) {
        if let Some(claimed) = claim_from(tx, lane, offer, lease_ms, book).await? {
            return Ok(Some(claimed));
        }
    }
    Ok(None)
}

/// Claims the first task of a lane that is due.
async fn claim_from(
    tx: &mut Db,
    lane: i64,
    offer: &Offer,
    lease_ms: i64,
    book: &Book,
) -> Result<Option<Claimed>, Fault> {
    let now = tx.now;
    let first = tx.pick(FIRST_DUE, FIRST_FREE);
    // Each turn but the last ends a package, so the loop does too.
    while let Some(due) = query(first).bind(lane).bind(now).fetch_optional(tx).await? {
        let task: i64 = due.get("id")?;
        let title_id: i64 = due.get("title_id")?;
        let package_id: i64 = due.get("package_id")?;
        let kind = rows::kind(&due)?;
        if touches_pointers(kind) && tx.is_shared() && !is_first(tx, title_id, task).await? {
            return Ok(None);
        }
        let mut losses = rows::small(&due, "losses")?;
        if let Some(lost) = due.get::<Option<&str>>("worker")? {
            losses += 1;
            let refusal = lost_too_often(kind, losses);
            // It ends more than the task. Whoever is changing the title looks at its tasks meanwhile: another time.
            if refusal.is_some() && tx.is_shared() && !try_lock(tx, &due).await? {
                return Ok(None);
            }
            titles::record(tx, title_id, now, Line::WorkerLost { kind, worker: lost }).await?;
            if let Some(refusal) = refusal {
                let published_as: Option<&str> = due.get("published_as")?;
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
        let until = now.plus_ms(lease_ms);
        let claimed = query(
            "update tasks set state = 'leased', token = token + 1, due_at = $2, worker = $3, tries = tries + 1, \
                 losses = $4, frames_done = 0, started_at = coalesce(started_at, $5), updated_at = $5 \
             where id = $1 returning token, tries",
        )
        .bind(task)
        .bind(until.0)
        .bind(&offer.worker)
        .bind(losses)
        .bind(now.0)
        .fetch_one(tx)
        .await?;
        match tx.is_shared() {
            true => book.claimed(lane, (package_id, task), now),
            false => lanes::note_claimed(tx, lane, now).await?,
        }
        let lease = Lease { task, token: claimed.get("token")?, until };
        let attempt = rows::small(&claimed, "tries")?;
        match claimed_as(tx, &due, lease.clone(), attempt, now).await {
            Err(Fault::Contradiction(why)) => set_aside(tx, &lease, &why, now).await?,
            claimed => return claimed.map(Some),
        }
    }
    Ok(None)
}

/// How long a task is left that cannot be read.
const SET_ASIDE_MS: i64 = 60_000;

/// Leaves a claim whose task cannot be read, which another build may be able to, for the others behind it in the lane.
async fn set_aside(tx: &mut Db, lease: &Lease, why: &str, now: Timestamp) -> Result<(), Fault> {
    error!(task = lease.task, why, "a task cannot be read; it is left for a minute");
    query(
        "update tasks set state = 'queued', due_at = $3, worker = null, tries = tries - 1, updated_at = $4 \
         where id = $1 and token = $2",
    )
    .bind(lease.task)
    .bind(lease.token)
    .bind(now.plus_ms(SET_ASIDE_MS))
    .bind(now)
    .execute(tx)
    .await?;
    Ok(())
}

/// Locks the title of a task as those do who change titles, if nobody has it locked.
async fn try_lock(tx: &mut Db, task: &Row) -> Result<bool, Fault> {
    query_scalar("select pg_try_advisory_xact_lock(hashtextextended($1 || '/' || $2, 0))")
        .bind(task.get::<String>("tenant")?)
        .bind(task.get::<String>("title")?)
        .fetch_one(tx)
        .await
}

/// What the holder of a new lease is told, from columns of [`package_columns`].
async fn claimed_as(
    tx: &mut Db,
    row: &Row,
    lease: Lease,
    attempt: u32,
    now: Timestamp,
) -> Result<Claimed, Fault> {
    let package_id: i64 = row.get("package_id")?;
    let kind = rows::kind(row)?;
    let known = match kind {
        TaskKind::Prepare => None,
        _ => plans::of(tx, package_id).await?,
    };
    Ok(Claimed {
        lease,
        package: rows::package_id(row)?,
        kind,
        attempt,
        master_path: row.get("master_path")?,
        pipeline: row.get("pipeline")?,
        again: row.get("again")?,
        remake: rows::from_json(row, "remake")?,
        plan: known.as_ref().map(|known| known.plan.clone()),
        facts: known.and_then(|known| known.facts),
        known_master: match kind {
            TaskKind::Prepare => known_master(tx, package_id).await?,
            _ => None,
        },
        proven_on: match kind {
            TaskKind::Publish => proven_on(tx, package_id, now).await?,
            _ => Vec::new(),
        },
        published_as: rows::parsed_maybe(row, "published_as")?,
        reseals: row.get("reseals")?,
        differs: serde_json::from_str(row.get("differs")?)?,
    })
}

/// What one statement came to that may be enough.
pub(crate) enum AtOnce<T> {
    /// It was.
    Done(T),
    /// Nothing was changed; it takes a transaction.
    TakesMore,
}

/// Claims the best task that is due by one statement, where that is one to transcode or to prove that nobody had before.
pub(crate) async fn claim_at_once(
    tx: &mut Db,
    offer: &Offer,
    lease_ms: i64,
    book: &Book,
) -> Result<AtOnce<Option<Claimed>>, Fault> {
    let known = book.known(offer).unwrap_or_default();
    match first_of(tx, known, offer, lease_ms, book).await? {
        AtOnce::Done(None) => {}
        answer => return Ok(answer),
    }
    book.write(tx).await?;
    let fresh = book.fresh(offer, tx.now);
    first_of(tx, fresh, offer, lease_ms, book).await
}

/// Claims the first task of the first of these lanes that has one.
async fn first_of(
    tx: &mut Db,
    lanes: Vec<(i64, (i64, i64))>,
    offer: &Offer,
    lease_ms: i64,
    book: &Book,
) -> Result<AtOnce<Option<Claimed>>, Fault> {
    let mut lanes = lanes.into_iter();
    let mut next = lanes.next();
    while let Some((lane, (package, task))) = next {
        let row = query(CLAIM_AT_ONCE)
            .bind(lane)
            .bind(tx.given.map(|now| now.0))
            .bind(lease_ms)
            .bind(&offer.worker)
            .bind(package)
            .bind(task)
            .fetch_optional(tx)
            .await?;
        let Some(row) = row else {
            book.emptied(lane);
            next = lanes.next();
            continue;
        };
        let Some(token) = row.get::<Option<i64>>("token")? else { return Ok(AtOnce::TakesMore) };
        let (package_id, task, now) =
            (row.get("package_id")?, row.get("id")?, Timestamp(row.get("now_ms")?));
        book.claimed(lane, (package_id, task), now);
        let lease = Lease { task, token, until: now.plus_ms(lease_ms) };
        let attempt = rows::small(&row, "tries")?;
        match claimed_as(tx, &row, lease.clone(), attempt, now).await {
            Err(Fault::Contradiction(why)) => {
                set_aside(tx, &lease, &why, now).await?;
                next = Some((lane, (package_id, task)));
            }
            claimed => return Ok(AtOnce::Done(Some(claimed?))),
        }
    }
    Ok(AtOnce::Done(None))
}

/// Claims the first task of lane `$1` that is due, at the time `$2` or by the server's clock, for `$3` milliseconds and the
/// worker `$4`; of a task that takes more than this, and is not claimed, there is no token. From package `$5` and its task
/// `$6` on: what was before them was not due a moment ago. Thousands of claims in a second leave as many dead entries at
/// the head of the lane until the next vacuum, and each claim would have to wade through them.
const CLAIM_AT_ONCE: &str = concat!(
    "with moment as materialized ( \
         select coalesce($2, cast(extract(epoch from clock_timestamp()) * 1000 as bigint)) as now_ms), \
     first as materialized ( \
         select k.id, k.package_id, k.kind, k.number, k.worker from tasks k \
         where k.lane_id = $1 and k.finished_at is null and k.due_at <= (select now_ms from moment) \
             and (k.package_id, k.id) >= ($5, $6) \
         order by k.package_id, k.id limit 1 for update of k skip locked), \
     claimed as ( \
         update tasks k set state = 'leased', token = k.token + 1, due_at = moment.now_ms + $3, worker = $4, \
             tries = k.tries + 1, frames_done = 0, started_at = coalesce(k.started_at, moment.now_ms), \
             updated_at = moment.now_ms \
         from first, moment \
         where k.id = first.id and first.worker is null and first.kind not in ('prepare', 'publish', 'heal') \
         returning k.id, k.token, k.tries) \
     select k.id, k.package_id, k.kind, k.number, moment.now_ms, claimed.token, coalesce(claimed.tries, 0) as tries, ",
    package_columns!(),
    " from moment cross join first k left join claimed on claimed.id = k.id \
         join packages p on p.id = k.package_id join titles t on t.id = p.title_id"
);

/// Of the tasks of a title that touch its pointers, one is under way at a time.
fn touches_pointers(kind: TaskKind) -> bool {
    matches!(kind, TaskKind::Publish | TaskKind::Heal)
}

/// The statement that finds the first task of lane `$1` that may be claimed at `$2`.
macro_rules! first_due {
    ($lock:literal) => {
        concat!(
            "select k.id, k.package_id, p.title_id, k.kind, k.number, k.worker, k.losses, ",
            package_columns!(),
            " from tasks k join packages p on p.id = k.package_id join titles t on t.id = p.title_id \
             where k.lane_id = $1 and k.finished_at is null and k.due_at <= $2 \
               and (k.kind not in ('publish', 'heal') or not exists ( \
                   select 1 from packages of_title join tasks under_way on under_way.package_id = of_title.id \
                   where of_title.title_id = p.title_id and under_way.id <> k.id and under_way.state = 'leased' \
                     and under_way.kind in ('publish', 'heal') and under_way.due_at > $2)) \
               and (k.kind <> 'publish' or not exists ( \
                   select 1 from tasks before join packages older on older.id = before.package_id \
                   where older.title_id = p.title_id and older.version < p.version \
                     and before.kind = 'publish' and before.finished_at is null)) \
             order by k.package_id, k.id limit 1",
            $lock
        )
    };
}

/// Where nobody else can be choosing.
pub(crate) const FIRST_DUE: &str = first_due!("");

/// Where others choose at the same time: each takes what nobody has in hand.
pub(crate) const FIRST_FREE: &str = first_due!(" for update of k skip locked");

/// Whether a task that touches pointers is the only such one of its title that is under way. Two that chose at the same
/// time did not see each other; with the title locked, the second does.
async fn is_first(tx: &mut Db, title_id: i64, task: i64) -> Result<bool, Fault> {
    query("select id from titles where id = $1 for no key update")
        .bind(title_id)
        .fetch_one(tx)
        .await?;
    query_scalar(
        "select not exists (select 1 from tasks k join packages p on p.id = k.package_id \
             where p.title_id = $1 and k.id <> $2 and k.state = 'leased' and k.kind in ('publish', 'heal') \
               and k.due_at > $3)",
    )
    .bind(title_id)
    .bind(task)
    .bind(tx.now)
    .fetch_one(tx)
    .await
}

/// What was at the path of a package's master when an earlier version was made from there; where a part is made again, the
/// master of the version that has the rest.
async fn known_master(tx: &mut Db, package_id: i64) -> Result<Option<Sha256>, Fault> {
    let (_, remake) = packages::remake(tx, package_id).await?;
    let row = match remake {
        None => query(
            "select same.master from packages p join packages same on same.title_id = p.title_id \
                     and same.master_path = p.master_path and same.master is not null \
                 where p.id = $1 order by same.version desc limit 1",
        )
        .bind(package_id)
        .fetch_optional(tx)
        .await?,
        Some(remake) => query(
            "select base.master from packages p join packages base on base.title_id = p.title_id \
                 where p.id = $1 and base.version = $2",
        )
        .bind(package_id)
        .bind(remake.base.0)
        .fetch_optional(tx)
        .await?,
    };
    row.map_or(Ok(None), |row| rows::parsed_maybe(&row, "master"))
}

/// The origins that have just proven to hold a package; none when that is too long ago.
async fn proven_on(tx: &mut Db, package_id: i64, now: Timestamp) -> Result<Vec<String>, Fault> {
    let row = query(
        "select p.proven_on, proof.finished_at from packages p \
             left join tasks proof on proof.package_id = p.id and proof.kind = 'verify' and proof.state = 'done' \
         where p.id = $1",
    )
    .bind(package_id)
    .fetch_one(tx)
    .await?;
    let at = row.get::<Option<i64>>("finished_at")?.map(Timestamp);
    match is_proven_still(at, now) {
        true => Ok(serde_json::from_str(row.get("proven_on")?)?),
        false => Ok(Vec::new()),
    }
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

/// The statement that extends the lease `$2` of task `$1` by `$3` milliseconds with `$4` frames done, given the time.
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
        renewal!("coalesce($5, cast(extract(epoch from clock_timestamp()) * 1000 as bigint))"),
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
