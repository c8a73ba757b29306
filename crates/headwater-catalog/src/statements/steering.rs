//! Steering: titles that are held, hurried and given up; tasks as people see them.

use headwater_model::history::Line;
use headwater_model::id::{Tenant, TitleId};
use headwater_model::lane::Priority;
use headwater_model::life::TitleState;
use headwater_model::refusal::{Code, Refusal};
use headwater_model::steering::{
    Answer, Order, TaskFilter, TaskOrder, TaskRecord, TaskState, refused,
};
use headwater_model::task::TaskKind;
use headwater_model::time::Timestamp;

use super::{archived, lanes, rows, tasks, titles};
use crate::db::{Db, Row, query};
use crate::error::Fault;

/// Does what is asked of a title.
pub(crate) async fn steer(
    tx: &mut Db,
    tenant: &Tenant,
    title: &TitleId,
    order: Order,
) -> Result<Answer, Fault> {
    let now = tx.now;
    let row = query(
        "select t.id, t.held, t.priority, p.id as package_id, p.published_at is not null as published, p.state, \
             p.code, p.message, \
             exists (select 1 from tasks k join packages o on o.id = k.package_id where o.title_id = t.id \
                 and k.finished_at is null and k.kind <> 'archive') as busy, \
             exists (select 1 from tasks k join packages o on o.id = k.package_id where o.title_id = t.id \
                 and k.state = 'leased' and k.kind = 'publish' and k.due_at > $3) as publishing \
         from titles t join packages p on p.title_id = t.id and p.version = t.newest \
         where t.tenant = $1 and t.title = $2",
    )
    .bind(tenant.as_str())
    .bind(title.as_str())
    .bind(now)
    .fetch_optional(tx)
    .await?;
    let Some(row) = row else { return Ok(Answer::Unknown) };
    let title_id: i64 = row.get("id")?;
    if let Some(why) = refused(order, row.get("held")?, row.get("busy")?, row.get("publishing")?) {
        return Ok(Answer::Refused(why.to_owned()));
    }
    match order {
        Order::Hold | Order::Release => {
            let held = order == Order::Hold;
            query("update titles set held = $2 where id = $1")
                .bind(title_id)
                .bind(held)
                .execute(tx)
                .await?;
            lanes::sort_again(tx, title_id).await?;
            titles::record(tx, title_id, now, if held { Line::Held } else { Line::Released })
                .await?;
        }
        Order::Prioritise(priority) => {
            titles::prioritise(tx, title_id, priority).await?;
            lanes::sort_again(tx, title_id).await?;
            titles::record(tx, title_id, now, Line::Prioritised { priority }).await?;
        }
        Order::Cancel => {
            let open = query(
                "select k.id, k.kind, k.number, p.id as package_id, \
                     p.published_at is not null and p.inventory is not null as healing \
                 from tasks k join packages p on p.id = k.package_id \
                 where p.title_id = $1 and k.finished_at is null and k.kind <> 'archive' order by k.id",
            )
            .bind(title_id)
            .fetch_all(tx)
            .await?;
            let mut ended: Vec<i64> = Vec::new();
            for task in &open {
                let package_id = task.get("package_id")?;
                if !ended.contains(&package_id) {
                    ended.push(package_id);
                    give_up(tx, title_id, package_id, rows::kind(task)?, task.get("healing")?)
                        .await?;
                }
            }
        }
    }
    Ok(Answer::Done)
}

/// Ends what is being done about a package, since somebody asked for it.
async fn give_up(
    tx: &mut Db,
    title_id: i64,
    package_id: i64,
    kind: TaskKind,
    healing: bool,
) -> Result<(), Fault> {
    let now = tx.now;
    let refusal = Refusal::new(Code::Cancelled, "it was cancelled by hand");
    if healing {
        return tasks::end_healing(tx, title_id, package_id, kind, &refusal, now).await;
    }
    let state = TitleState::refused(refusal);
    tasks::end_package(tx, title_id, package_id, kind, &state, now).await
}

/// Does what is asked of a task.
pub(crate) async fn steer_task(
    tx: &mut Db,
    tenant: &Tenant,
    task: i64,
    order: TaskOrder,
) -> Result<Answer, Fault> {
    let now = tx.now;
    let Some(row) = one(tx, tenant, task).await? else { return Ok(Answer::Unknown) };
    let (title_id, package_id): (i64, i64) = (row.get("title_id")?, row.get("package_id")?);
    let (kind, healing) = (rows::kind(&row)?, row.get("healing")?);
    let state = task_state(&row, now)?;
    let refuse = |why: &str| Ok(Answer::Refused(why.to_owned()));
    match (order, state) {
        (TaskOrder::Retry, TaskState::Done) => {
            refuse("it is done; `headwater retranscode` makes a part of a title again")
        }
        (TaskOrder::Retry, TaskState::Leased) => refuse("a worker is at it"),
        (TaskOrder::Retry, TaskState::Failed | TaskState::Cancelled) if !kind.is_beside() => {
            if rows::state(&row)?.refusal().is_none() || !row.get::<bool>("newest")? {
                return refuse("its package is over; ingest, heal or retranscode the title");
            }
            let version = rows::package_id(&row)?.version;
            titles::resume(tx, title_id, package_id, version, now).await?;
            Ok(Answer::Done)
        }
        (
            TaskOrder::Retry,
            TaskState::Queued
            | TaskState::Waiting
            | TaskState::Held
            | TaskState::Silent
            | TaskState::Failed
            | TaskState::Cancelled,
        ) => {
            let frames = rows::count(&row, "frames")?;
            tasks::start_over(tx, package_id, kind, frames, now, now).await?;
            titles::record(tx, title_id, now, Line::TriedAfresh { kind }).await?;
            Ok(Answer::Done)
        }
        (TaskOrder::Cancel, TaskState::Done | TaskState::Failed | TaskState::Cancelled) => {
            refuse("it is over")
        }
        (TaskOrder::Cancel, TaskState::Leased) if kind == TaskKind::Publish => {
            refuse("it is being published, which takes seconds; roll it back afterwards")
        }
        (TaskOrder::Cancel, _) if kind.is_beside() => {
            let refusal = Refusal::new(Code::Cancelled, "it was cancelled by hand");
            archived::give_up(tx, title_id, task, &refusal, now).await?;
            Ok(Answer::Done)
        }
        (TaskOrder::Cancel, _) => {
            give_up(tx, title_id, package_id, kind, healing).await?;
            Ok(Answer::Done)
        }
    }
}

/// The statement that reads tasks, given how to pick them.
macro_rules! task_rows {
    ($pick:literal) => {
        concat!(
            "select k.id, k.package_id, p.title_id, t.tenant, t.title, p.version, k.kind, k.number, k.state as stored, \
                 k.due_at, k.worker, k.tries, k.failures, k.losses, k.frames, k.frames_done, k.started_at, k.updated_at, \
                 k.code as task_code, k.message as task_message, k.last_words, t.priority, t.held, \
                 p.state, p.code, p.message, p.version = t.newest as newest, \
                 p.published_at is not null and p.inventory is not null as healing, \
                 l.id as lane_id, l.pool, l.elements, l.plan, l.memory_mb \
             from tasks k join packages p on p.id = k.package_id join titles t on t.id = p.title_id \
                 left join lanes l on l.id = k.lane_id ",
            $pick
        )
    };
}

async fn one(tx: &mut Db, tenant: &Tenant, task: i64) -> Result<Option<Row>, Fault> {
    query(task_rows!("where t.tenant = $1 and k.id = $2"))
        .bind(tenant.as_str())
        .bind(task)
        .fetch_optional(tx)
        .await
}

/// The tasks that somebody wants to see, by age.
pub(crate) async fn list(
    tx: &mut Db,
    tenant: &Tenant,
    filter: &TaskFilter,
    limit: u32,
) -> Result<Vec<TaskRecord>, Fault> {
    let wants = |state: TaskState| match filter.states.as_slice() {
        [] => state.is_open(),
        some => some.contains(&state),
    };
    // The states that are kept, of which those with a clock in them are two or three.
    let waiting = wants(TaskState::Waiting);
    let (queued, held) = (wants(TaskState::Queued), wants(TaskState::Held));
    let (leased, silent) = (wants(TaskState::Leased), wants(TaskState::Silent));
    let mut unclaimed = TaskState::ALL
        .into_iter()
        .filter(|it| !matches!(it, TaskState::Leased | TaskState::Silent));
    let rows = query(task_rows!(
        "where t.tenant = $1 and ($2 is null or t.title = $2) and ($3 is null or k.worker = $3) \
           and case k.state \
               when 'queued' then case when t.held then $6 when k.due_at > $4 then $7 else $5 end \
               when 'leased' then case when k.due_at > $4 then $8 else $9 end \
               when 'done' then $10 when 'failed' then $11 else $12 end \
           and (k.finished_at is null or $10 or $11 or $12) \
           and (k.state = 'leased' or $14) and ($15 is null or k.id = $15) \
         order by k.package_id, k.id limit $13"
    ))
    .bind(tenant.as_str())
    .bind(filter.title.as_deref())
    .bind(filter.worker.as_deref())
    .bind(tx.now)
    .bind(queued)
    .bind(held)
    .bind(waiting)
    .bind(leased)
    .bind(silent)
    .bind(wants(TaskState::Done))
    .bind(wants(TaskState::Failed))
    .bind(wants(TaskState::Cancelled))
    .bind(limit)
    // Those that somebody claimed are few and have an index of their own.
    .bind(filter.worker.is_none() && unclaimed.any(wants))
    .bind(filter.task)
    .fetch_all(tx)
    .await?;
    let now = tx.now;
    rows.iter().map(|row| record(row, now)).collect()
}

fn record(row: &Row, now: Timestamp) -> Result<TaskRecord, Fault> {
    let state = task_state(row, now)?;
    let in_lane = state.is_open() && row.get::<Option<i64>>("lane_id")?.is_some();
    let trouble = row.get::<Option<&str>>("task_code")?.map(|code| {
        let message: Option<String> = row.get("task_message")?;
        Ok::<_, Fault>(rows::refusal_of(code, message))
    });
    Ok(TaskRecord {
        task: row.get("id")?,
        package: rows::package_id(row)?,
        kind: rows::kind(row)?,
        state,
        priority: Priority::of_rank(row.get("priority")?),
        needs: in_lane.then(|| lanes::needs(row)).transpose()?,
        worker: row.get("worker")?,
        attempts: rows::small(row, "tries")?,
        failures: rows::small(row, "failures")?,
        losses: rows::small(row, "losses")?,
        due: Timestamp(row.get("due_at")?),
        started: row.get::<Option<i64>>("started_at")?.map(Timestamp),
        updated: Timestamp(row.get("updated_at")?),
        frames: rows::count(row, "frames")?,
        frames_done: rows::count(row, "frames_done")?,
        trouble: trouble.transpose()?,
        last_words: row.get("last_words")?,
    })
}

fn task_state(row: &Row, now: Timestamp) -> Result<TaskState, Fault> {
    let stored: &str = row.get("stored")?;
    TaskState::of(stored, row.get("held")?, Timestamp(row.get("due_at")?), now)
        .ok_or_else(|| Fault::Contradiction(format!("`{stored}` is not a state of a task")))
}
