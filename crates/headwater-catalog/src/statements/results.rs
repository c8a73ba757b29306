//! Results and failures of tasks, and what follows from them in the same transaction.

use headwater_model::history::Line;
use headwater_model::id::Version;
use headwater_model::inventory::Object;
use headwater_model::life::{TitleState, Work, after};
use headwater_model::plan::Plan;
use headwater_model::quality::Verdict;
use headwater_model::queue::{
    Replaced, answers, cut_otherwise, first_again, frames_of, replacement, state_before,
    try_again_at,
};
use headwater_model::refusal::Refusal;
use headwater_model::task::{Failure, Lease, NewTitle, Outcome, Remake, Retry, TaskKind};
use headwater_model::time::Timestamp;

use super::claims::AtOnce;
use super::tasks::Held;
use super::{archived, incidents, lanes, packages, plans, rows, tasks, titles};
use crate::db::{Db, query, query_scalar};
use crate::error::Fault;

/// Accepts an outcome and takes the title on.
pub(crate) async fn complete(
    tx: &mut Db,
    lease: &Lease,
    outcome: &Outcome,
    now: Timestamp,
) -> Result<(), Fault> {
    let held = tasks::held(tx, lease, now).await?;
    if !answers(held.kind, outcome) {
        return Err(Fault::Contradiction(format!("{} cannot end like this", held.kind)));
    }
    query(
        "update tasks set state = 'done', worker = null, frames_done = frames, finished_at = $2, updated_at = $2, \
             cpu_ms = $3, code = null, message = null \
         where id = $1",
    )
    .bind(held.task)
    .bind(now.0)
    .bind(rows::int(outcome.cpu_ms()))
    .execute(tx)
    .await?;

    let Held { package_id, title_id, kind, tries, work, .. } = held;
    let mut plan = None;
    match outcome {
        Outcome::Prepared { facts, plan: made, verdict, .. } => {
            tx.makes_plan = true;
            keep_plan(tx, package_id, &rows::json(facts)?, made).await?;
            plan = Some(made);
            titles::record(tx, title_id, now, Line::Prepared { facts, plan: made }).await?;
            let (version, remake) = packages::remake(tx, package_id).await?;
            if let Some(base) = cut_otherwise(remake.as_ref(), made) {
                titles::record(tx, title_id, now, Line::CutOtherwise { version, base }).await?;
            }
            review(tx, title_id, verdict, now).await?;
        }
        Outcome::AlreadyPublished { version } => {
            return go_back(tx, title_id, package_id, *version, now).await;
        }
        // The inventory has them.
        Outcome::Made { .. } if work == Work::Healing => {
            titles::record(tx, title_id, now, Line::Made { kind, attempt: tries }).await?;
        }
        Outcome::Made { objects, codecs, seen, .. } => {
            packages::keep_made(tx, package_id, kind, objects, codecs).await?;
            packages::keep_seen(tx, package_id, kind, seen).await?;
            titles::record(tx, title_id, now, Line::Made { kind, attempt: tries }).await?;
        }
        Outcome::MadeDifferently { renditions, .. } if work == Work::Healing => {
            packages::add_differing(tx, package_id, renditions).await?;
            let line = Line::MadeDifferently { kind, renditions };
            titles::record(tx, title_id, now, line).await?;
        }
        Outcome::MadeDifferently { .. } => {
            let why = format!("{kind} cannot differ from what nobody has");
            return Err(Fault::Contradiction(why));
        }
        Outcome::Sealed { inventory, objects, bytes, .. } if work.is_for_viewers() => {
            let (package, inventory) = (package_id, inventory.to_string());
            let sealed = query("select 1 from packages where id = $1 and inventory = $2");
            if sealed.bind(package).bind(inventory).fetch_optional(tx).await?.is_none() {
                let why = "viewers have the package with another inventory".to_owned();
                return Err(Fault::Contradiction(why));
            }
            packages::reseal(tx, package_id, false).await?;
            let line = Line::Sealed { objects: *objects, bytes: *bytes };
            titles::record(tx, title_id, now, line).await?;
        }
        Outcome::Sealed { inventory, objects, bytes, verdict } => {
            query(
                "update packages set inventory = $2, objects = $3, bytes = $4, sealed_at = $5 where id = $1",
            )
            .bind(package_id)
            .bind(inventory.to_string())
            .bind(rows::int(*objects))
            .bind(rows::int(*bytes))
            .bind(now.0)
            .execute(tx)
            .await?;
            let line = Line::Sealed { objects: *objects, bytes: *bytes };
            titles::record(tx, title_id, now, line).await?;
            review(tx, title_id, verdict, now).await?;
        }
        Outcome::Proven { origins } => {
            query("update packages set proven_on = $2 where id = $1")
                .bind(package_id)
                .bind(rows::json(origins)?)
                .execute(tx)
                .await?;
            titles::record(tx, title_id, now, Line::Proven { origins }).await?;
        }
        Outcome::Published { pointers } => {
            packages::keep_pointers(tx, package_id, pointers).await?;
            // Until here they were what to seal the package from once more.
            packages::forget_made(tx, package_id).await?;
            go_live(tx, title_id, package_id, now).await?;
        }
        Outcome::Healed { pointers } => {
            packages::keep_pointers(tx, package_id, pointers).await?;
            incidents::settle(tx, title_id, now).await?;
            titles::record(tx, title_id, now, Line::Healed).await?;
        }
        Outcome::Archived { copy } => {
            archived::keep_proven(tx, title_id, copy, now).await?;
            titles::record(tx, title_id, now, Line::Archived { copy }).await?;
        }
    }

    let left = tasks::left(tx, package_id).await?;
    let next = after(outcome, left, work);
    let frames = |task: &TaskKind| (*task, plan.map_or(0, |plan| frames_of(*task, plan)));
    let new: Vec<(TaskKind, u64)> = next.tasks.iter().map(frames).collect();
    tasks::add(tx, package_id, &new, now).await?;
    match &next.state {
        Some(state) => packages::set_state(tx, package_id, state, now).await,
        None => Ok(()),
    }
}

/// Tells of flaws, and holds the title where somebody has to look at them: before what follows is put into a lane.
async fn review(
    tx: &mut Db,
    title_id: i64,
    verdict: &Verdict,
    now: Timestamp,
) -> Result<(), Fault> {
    for text in &verdict.told {
        titles::record(tx, title_id, now, Line::Flaw { text }).await?;
    }
    if verdict.hold {
        query("update titles set held = $2 where id = $1")
            .bind(title_id)
            .bind(true)
            .execute(tx)
            .await?;
        lanes::sort_again(tx, title_id).await?;
        titles::record(tx, title_id, now, Line::HeldForReview).await?;
    }
    Ok(())
}

/// Accepts what a span or a track of a package in the making hands in, if it is not the last of it: what follows from the
/// last is for [`complete`], as is whatever else is unusual.
pub(crate) async fn complete_at_once(
    tx: &mut Db,
    lease: &Lease,
    objects: &[Object],
    codecs: &[(String, String)],
    cpu_ms: u64,
) -> Result<AtOnce<()>, Fault> {
    let done: bool = query_scalar("select complete_made_1($1, $2, $3, $4, $5, $6)")
        .bind(lease.task)
        .bind(lease.token)
        .bind(tx.given.map(|now| now.0))
        .bind(rows::int(cpu_ms))
        .bind(rows::json(&objects)?)
        .bind(rows::json(&codecs)?)
        .fetch_one(tx)
        .await?;
    Ok(if done { AtOnce::Done(()) } else { AtOnce::TakesMore })
}

/// Keeps what `Prepare` found and decided.
async fn keep_plan(tx: &mut Db, package_id: i64, facts: &str, plan: &Plan) -> Result<(), Fault> {
    query(
        "update packages set master = $2, pipeline_sha256 = $3, facts = $4, plan = $5, spans = $6, frames = $7, \
             duration_ms = $8 \
         where id = $1",
    )
    .bind(package_id)
    .bind(plan.master.to_string())
    .bind(plan.pipeline.sha256.to_string())
    .bind(facts)
    .bind(rows::json(plan)?)
    .bind(rows::int(plan.spans.len() as u64))
    .bind(rows::int(plan.frames))
    .bind(rows::int(plan.duration().rescale(1000)))
    .execute(tx)
    .await?;
    Ok(())
}

/// Drops a package whose master is that of an earlier one, which the title goes back to. A catalog that was rebuilt
/// learns by it where the master is.
async fn go_back(
    tx: &mut Db,
    title_id: i64,
    package_id: i64,
    version: Version,
    now: Timestamp,
) -> Result<(), Fault> {
    let earlier = query(
        "update packages set updated_at = $3, master_path = case master_path \
             when '' then (select master_path from packages where id = $4) else master_path end \
         where title_id = $1 and version = $2 and published_at is not null",
    )
    .bind(title_id)
    .bind(version.0)
    .bind(now.0)
    .bind(package_id)
    .execute(tx)
    .await?;
    if earlier == 0 {
        return Err(Fault::Contradiction(format!("{version} was never published")));
    }
    query("update titles set newest = $2 where id = $1")
        .bind(title_id)
        .bind(version.0)
        .execute(tx)
        .await?;
    packages::forget_made(tx, package_id).await?;
    query("delete from packages where id = $1").bind(package_id).execute(tx).await?;
    titles::record(tx, title_id, now, Line::AlreadyPublished { version }).await
}

/// Notes that viewers get this package now.
async fn go_live(tx: &mut Db, title_id: i64, package_id: i64, now: Timestamp) -> Result<(), Fault> {
    let row = query(
        "update packages set published_at = coalesce(published_at, $2) where id = $1 returning version",
    )
    .bind(package_id)
    .bind(now.0)
    .fetch_one(tx)
    .await?;
    let version = Version(rows::small(&row, "version")?);
    query(
        "update titles set live_since = case when live is not distinct from $2 then live_since else $3 end, live = $2 \
         where id = $1",
    )
        .bind(title_id)
        .bind(version.0)
        .bind(now.0)
        .execute(tx)
        .await?;
    incidents::settle(tx, title_id, now).await?;
    titles::record(tx, title_id, now, Line::Published { version }).await
}

/// Puts a failed task back with back-off, has others done again before it, or ends its package.
pub(crate) async fn fail(
    tx: &mut Db,
    lease: &Lease,
    failure: &Failure,
    now: Timestamp,
) -> Result<(), Fault> {
    let held = tasks::held(tx, lease, now).await?;
    let failures = held.failures + 1;
    let again = try_again_at(failure, failures, lease, now);
    let Failure { refusal, last_words, retry } = failure;
    let state = match (again, retry) {
        (None, _) => "failed",
        // What has to be done first brings it back.
        (Some(_), Retry::After(_)) => "done",
        (Some(_), Retry::Later | Retry::Patiently | Retry::Never | Retry::NewVersion(_)) => {
            "queued"
        }
    };
    query(
        "update tasks set state = $2, due_at = $3, finished_at = $4, failures = $5, last_words = $6, \
             code = $8, message = $9, failed_at = $7, worker = null, frames_done = 0, updated_at = $7 \
         where id = $1",
    )
    .bind(held.task)
    .bind(state)
    .bind(again.unwrap_or(now).0)
    .bind((state != "queued").then_some(now.0))
    .bind(failures)
    .bind(last_words)
    .bind(now.0)
    .bind(refusal.code.as_str())
    .bind(&refusal.message)
    .execute(tx)
    .await?;
    let Held { package_id, title_id, kind, tries, work, .. } = held;
    let healing = work.is_for_viewers();
    match (again, retry) {
        (Some(at), Retry::After(lost)) => {
            let line = Line::DoneAgain { kind, tasks: lost, refusal, wait_ms: at.0 - now.0 };
            titles::record(tx, title_id, now, line).await?;
            do_again(tx, &held, lost, at, now).await
        }
        (Some(at), Retry::Later | Retry::Patiently | Retry::Never | Retry::NewVersion(_)) => {
            let line = Line::TryAgain { kind, attempt: tries, refusal, wait_ms: at.0 - now.0 };
            titles::record(tx, title_id, now, line).await
        }
        (None, _) if kind.is_beside() => {
            titles::record(tx, title_id, now, Line::NotArchived { refusal }).await
        }
        (None, Retry::NewVersion(remake)) if healing => {
            replace(tx, &held, remake, refusal, now).await
        }
        (None, _) if healing => {
            tasks::end_healing(tx, title_id, package_id, kind, refusal, now).await
        }
        (None, _) => {
            let state = TitleState::refused(refusal.clone());
            tasks::end_package(tx, title_id, package_id, kind, &state, now).await
        }
    }
}

/// Ends the healing of a package and queues a version that takes its place; or says why not.
async fn replace(
    tx: &mut Db,
    held: &Held,
    remake: &Remake,
    refusal: &Refusal,
    now: Timestamp,
) -> Result<(), Fault> {
    let Held { package_id, title_id, kind, .. } = *held;
    let row = query(
        "select t.tenant, t.title, t.live, n.version, n.state, n.code, n.message, p.master_path, p.pipeline, p.pool \
         from packages p join titles t on t.id = p.title_id \
             join packages n on n.title_id = t.id and n.version = t.newest \
         where p.id = $1",
    )
    .bind(package_id)
    .fetch_one(tx)
    .await?;
    let remakes = query(
        "select version, remake from packages where title_id = $1 and remake is not null order by version",
    )
    .bind(title_id)
    .fetch_all(tx)
    .await?;
    let mut before = Vec::new();
    for row in &remakes {
        let remake: Option<Remake> = rows::from_json(row, "remake")?;
        let version = Version(rows::small(row, "version")?);
        before.extend(remake.map(|remake| (version, remake)));
    }
    let live: Option<i64> = row.get("live")?;
    let state = rows::state(&row)?;
    let title = Replaced {
        live: live.and_then(|v| u32::try_from(v).ok()).map(Version),
        newest: (Version(rows::small(&row, "version")?), &state),
        remakes: &before,
    };
    if let Err(why) = replacement(remake, title) {
        let refusal = Refusal::new(refusal.code, format!("{}, and {why}", refusal.message));
        return tasks::end_healing(tx, title_id, package_id, kind, &refusal, now).await;
    }
    let new = NewTitle {
        tenant: rows::parsed(&row, "tenant")?,
        title: rows::parsed(&row, "title")?,
        master_path: row.get("master_path")?,
        pipeline: row.get("pipeline")?,
        pool: row.get("pool")?,
        priority: None,
        again: true,
        remake: Some(remake.clone()),
        reason: None,
    };
    tasks::close(tx, package_id, now).await?;
    packages::reseal(tx, package_id, false).await?;
    titles::queue_next(tx, title_id, &new, now).await
}

/// Opens tasks again whose results are lost. `Seal` is brought by the last of the others, if there are any. What viewers
/// have stays sealed as it is, whatever becomes of it.
async fn do_again(
    tx: &mut Db,
    held: &Held,
    lost: &[TaskKind],
    at: Timestamp,
    now: Timestamp,
) -> Result<(), Fault> {
    let package_id = held.package_id;
    let plan = plans::of(tx, package_id).await?.map(|known| known.plan);
    let first = first_again(lost);
    for kind in &first {
        let frames = plan.as_ref().map_or(0, |plan| frames_of(*kind, plan));
        tasks::start_over(tx, package_id, *kind, frames, at, now).await?;
    }
    let seals = lost.contains(&TaskKind::Seal);
    if held.work.is_for_viewers() {
        packages::reseal(tx, package_id, seals).await?;
    } else if let (true, Some(kind)) = (seals, first.iter().min()) {
        query("update packages set inventory = null where id = $1")
            .bind(package_id)
            .execute(tx)
            .await?;
        packages::set_state(tx, package_id, &state_before(*kind), now).await?;
    }
    Ok(())
}
