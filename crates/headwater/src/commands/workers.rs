//! `headwater workers`: who does the work of the queue, what each has, and what it has in hand.

use std::collections::BTreeSet;

use headwater_model::process::Role;
use headwater_model::time::Timestamp;
use headwater_model::worker::{Duty, WorkerRecord, WorkerState};
use serde::Serialize;

use crate::app::App;
use crate::cli::Outcome;
use crate::config::Config;
use crate::origins::Need;
use crate::table::{lasting, lines};
use crate::terminal::say;

/// Lists the workers that were heard of within a day: the living first, then by name.
pub(crate) async fn workers(config: Config, json: bool) -> anyhow::Result<Outcome> {
    let app = App::open(config, Need::Nothing).await?;
    let mut found = app.catalog.workers().await?;
    let is_gone = |state| matches!(state, WorkerState::Silent | WorkerState::Left);
    found.sort_by_key(|record| is_gone(record.state));
    if json {
        for record in &found {
            say(&serde_json::to_string(&WorkerReport::from(record))?);
        }
    } else if found.is_empty() {
        say("no worker was heard of within a day: start `headwater up` or `headwater worker`");
    } else {
        for line in table(&found, app.clock.now()) {
            say(&line);
        }
    }
    Ok(Outcome::Done)
}

/// A worker as `--json` prints it.
#[derive(Debug, Serialize)]
struct WorkerReport<'a> {
    name: &'a str,
    state: WorkerState,
    /// Its build.
    version: &'a str,
    pool: &'a str,
    /// As on the command line: those that have tasks, and `watch` and `audit` where it has that duty.
    roles: Vec<&'static str>,
    /// Transcoders at once.
    slots: u32,
    /// For one transcoder, in megabytes; absent without a bound.
    #[serde(skip_serializing_if = "Option::is_none")]
    memory_mb: Option<u32>,
    /// Encoders that it has; absent when it did not say.
    #[serde(skip_serializing_if = "Option::is_none")]
    encoders: Option<&'a BTreeSet<String>>,
    /// What it has in hand, in words.
    tasks: &'a [String],
    /// Milliseconds since 1970, as all times: when it came up, and when it was last heard of.
    since: Timestamp,
    heard_of: Timestamp,
}

impl<'a> From<&'a WorkerRecord> for WorkerReport<'a> {
    fn from(record: &'a WorkerRecord) -> Self {
        let worker = &record.worker;
        Self {
            name: &worker.name,
            state: record.state,
            version: &worker.version,
            pool: &worker.pool,
            roles: roles(record),
            slots: worker.slots,
            memory_mb: worker.memory_mb,
            encoders: worker.elements.as_ref(),
            tasks: &record.tasks,
            since: record.since,
            heard_of: record.beat,
        }
    }
}

/// The roles of a process that has these tasks and duties, by the names that it was started with. `watch` and `audit` are
/// those of the process that does it, not of one that stands by.
fn roles(record: &WorkerRecord) -> Vec<&'static str> {
    let does = |role: &Role| {
        let has = |duty: &Duty| duty.name() == role.name();
        let works = role.tasks().iter().any(|task| record.worker.roles.contains(task));
        works || record.duties.iter().any(has)
    };
    Role::ALL.iter().filter(|role| does(role)).map(|role| role.name()).collect()
}

const HEADS: [&str; 8] =
    ["WORKER", "STATE", "VERSION", "POOL", "ROLES", "SLOTS", "MEMORY", "HEARD OF"];

/// Workers for people: a row for each, and below it what is longer than a column.
fn table(workers: &[WorkerRecord], now: Timestamp) -> Vec<String> {
    let rows: Vec<[String; HEADS.len()]> = workers.iter().map(|record| row(record, now)).collect();
    let mut rows = lines(HEADS, &rows).into_iter();
    let mut text: Vec<String> = rows.next().into_iter().collect();
    for (row, record) in rows.zip(workers) {
        text.push(row);
        text.extend(record.tasks.iter().map(|task| format!("  in hand  {task}")));
    }
    text
}

fn row(record: &WorkerRecord, now: Timestamp) -> [String; HEADS.len()] {
    let worker = &record.worker;
    let quiet = lasting(now.0 - record.beat.0);
    let state = match record.state {
        WorkerState::Silent => format!("silent for {quiet}"),
        state => state.name().to_owned(),
    };
    [
        worker.name.clone(),
        state,
        worker.version.clone(),
        worker.pool.clone(),
        match roles(record).as_slice() {
            // One that watches, audits or serves, and has no tasks.
            [] => "-".to_owned(),
            roles => roles.join(","),
        },
        worker.slots.to_string(),
        worker.memory_mb.map(|mb| format!("{mb} MB")).unwrap_or_default(),
        format!("{quiet} ago"),
    ]
}

#[cfg(test)]
mod tests;
