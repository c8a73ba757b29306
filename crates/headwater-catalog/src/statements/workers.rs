//! Workers: who is there, since when, and what they have in hand.

use std::collections::BTreeMap;

use headwater_model::key::PackageId;
use headwater_model::time::Timestamp;
use headwater_model::worker::{FORGOTTEN_MS, Worker, WorkerRecord, WorkerState, free_name};

use super::{duties, rows};
use crate::db::{Db, Row, query};
use crate::error::Fault;

/// Enters a worker and says what name it goes by.
pub(crate) async fn enlist(tx: &mut Db, worker: &Worker) -> Result<String, Fault> {
    let now = tx.now;
    // Two that come up at once must not both find the name free.
    if tx.is_shared() {
        query("lock table workers in share row exclusive mode").execute(tx).await?;
    }
    query("delete from workers where beat_at < $1")
        .bind(now.plus_ms(-FORGOTTEN_MS))
        .execute(tx)
        .await?;
    let rows = query("select name, instance, state, beat_at from workers").fetch_all(tx).await?;
    let mut alive: Vec<String> = Vec::new();
    for row in &rows {
        let is_there = matches!(state(row, now)?, WorkerState::Alive | WorkerState::Draining);
        if is_there && row.get::<&str>("instance")? != worker.instance {
            alive.push(row.get("name")?);
        }
    }
    let name = free_name(&worker.name, |name| alive.iter().any(|taken| taken == name));
    let said = Worker { name: name.clone(), ..worker.clone() };
    query(
        "insert into workers (name, instance, record, state, since, beat_at) values ($1, $2, $3, $4, $5, $5) \
         on conflict (name) do update set instance = excluded.instance, record = excluded.record, \
             state = excluded.state, since = excluded.since, beat_at = excluded.beat_at",
    )
    .bind(&name)
    .bind(&worker.instance)
    .bind(rows::json(&said)?)
    .bind(WorkerState::Alive.name())
    .bind(now)
    .execute(tx)
    .await?;
    Ok(name)
}

/// Notes that a worker is there still.
pub(crate) async fn beat(
    tx: &mut Db,
    name: &str,
    instance: &str,
    state: WorkerState,
) -> Result<bool, Fault> {
    let noted =
        query("update workers set state = $3, beat_at = $4 where name = $1 and instance = $2")
            .bind(name)
            .bind(instance)
            .bind(state.name())
            .bind(tx.now)
            .execute(tx)
            .await?;
    Ok(noted > 0)
}

/// All that were heard of within a day.
pub(crate) async fn list(tx: &mut Db) -> Result<Vec<WorkerRecord>, Fault> {
    let now = tx.now;
    let rows = query(
        "select name, instance, record, state, since, beat_at from workers where beat_at >= $1 order by name",
    )
    .bind(now.plus_ms(-FORGOTTEN_MS))
    .fetch_all(tx)
    .await?;
    let mut in_hand = in_hand(tx).await?;
    let duties = duties::held(tx, now).await?;
    let mut workers = Vec::with_capacity(rows.len());
    for row in &rows {
        let (name, instance): (&str, &str) = (row.get("name")?, row.get("instance")?);
        let has = duties.iter().filter(|(_, holder)| holder == instance);
        workers.push(WorkerRecord {
            worker: serde_json::from_str(row.get("record")?)?,
            since: Timestamp(row.get("since")?),
            beat: Timestamp(row.get("beat_at")?),
            state: state(row, now)?,
            tasks: in_hand.remove(name).unwrap_or_default(),
            duties: has.map(|(duty, _)| *duty).collect(),
        });
    }
    Ok(workers)
}

/// What is in hand, in words, by worker.
async fn in_hand(tx: &mut Db) -> Result<BTreeMap<String, Vec<String>>, Fault> {
    let now = tx.now;
    let rows = query(
        "select k.worker, t.tenant, t.title, p.version, k.kind, k.number \
         from tasks k join packages p on p.id = k.package_id join titles t on t.id = p.title_id \
         where k.state = 'leased' and k.due_at > $1 order by k.id",
    )
    .bind(now)
    .fetch_all(tx)
    .await?;
    let mut by_worker = BTreeMap::<String, Vec<String>>::new();
    for row in &rows {
        let PackageId { title, version, .. } = rows::package_id(row)?;
        let task = format!("{title} {version} {}", rows::kind(row)?);
        by_worker.entry(row.get("worker")?).or_default().push(task);
    }
    Ok(by_worker)
}

fn state(row: &Row, now: Timestamp) -> Result<WorkerState, Fault> {
    let said = match row.get("state")? {
        "draining" => WorkerState::Draining,
        "left" => WorkerState::Left,
        _ => WorkerState::Alive,
    };
    Ok(WorkerState::at(said, Timestamp(row.get("beat_at")?), now))
}
