//! Claims: which task is handed out next, to whom, and with what it takes to work on it (R8).

use headwater_model::history::Line;
use headwater_model::id::Sha256;
use headwater_model::lane::Offer;
use headwater_model::life::TitleState;
use headwater_model::queue::{is_proven_still, lost_too_often};
use headwater_model::task::{Claimed, Lease, TaskKind};
use headwater_model::time::Timestamp;
use tracing::error;

use super::lanes::Book;
use super::tasks::{end_healing, end_package};
use super::{archived, lanes, packages, plans, rows, titles};
use crate::db::{Db, Row, query, query_scalar};
use crate::error::Fault;

/// What whoever claims a task has to know of its package `p` and title `t`.
macro_rules! package_columns {
    () => {
        "t.tenant, t.title, p.version, p.master_path, p.pipeline, p.again, p.remake, p.differs, p.reseals, \
             case when p.published_at is not null then p.inventory end as published_as"
    };
}

/// The token of a claim at `$now` behind `$token`. It is the time, wherever that is later than the token before it: a server
/// that has forgotten the last claims, or a copy that takes over and never heard of them, must not give out theirs again.
macro_rules! later_token {
    ($token:literal, $now:literal) => {
        concat!("case when ", $token, " < ", $now, " then ", $now, " else ", $token, " + 1 end")
    };
}

/// Claims task `$1` at `$5` until `$2` for worker `$3`, of those that had it `$4` having vanished.
macro_rules! take {
    ($token:expr) => {
        concat!(
            "update tasks set state = 'leased', token = ",
            $token,
            ", due_at = $2, worker = $3, tries = tries + 1, losses = $4, frames_done = 0, \
                 started_at = coalesce(started_at, $5), updated_at = $5 \
             where id = $1 returning token, tries"
        )
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
        let take = tx.pick(take!("token + 1"), take!(later_token!("token", "$5")));
        let claimed = query(take)
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
///
/// The server answers before its disk has the claim, since a claim is no result. One that is killed in the same moment has
/// forgotten it, and so has a copy that takes over a little behind: another is given the task, and whoever had it finds at
/// the next renewal that it is not theirs, as after any lease. Their tokens differ ([`later_token`]).
const CLAIM_AT_ONCE: &str = concat!(
    "with moment as materialized ( \
         select coalesce($2, cast(extract(epoch from clock_timestamp()) * 1000 as bigint)) as now_ms, \
             set_config('synchronous_commit', 'off', true)), \
     first as materialized ( \
         select k.id, k.package_id, k.kind, k.number, k.worker from tasks k \
         where k.lane_id = $1 and k.finished_at is null and k.due_at <= (select now_ms from moment) \
             and (k.package_id, k.id) >= ($5, $6) \
         order by k.package_id, k.id limit 1 for update of k skip locked), \
     claimed as ( \
         update tasks k set state = 'leased', \
             token = ",
    later_token!("k.token", "moment.now_ms"),
    ", due_at = moment.now_ms + $3, worker = $4, tries = k.tries + 1, frames_done = 0, \
             started_at = coalesce(k.started_at, moment.now_ms), updated_at = moment.now_ms \
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
