//! Workers: the processes that do the work, as the catalog knows them.

use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};

pub use lack::Lack;

mod lack;

use crate::task::Role;
use crate::time::Timestamp;

/// How often a worker says that it is there, in milliseconds.
pub const BEAT_MS: i64 = 5_000;

/// A worker that was not heard of for this long is taken for gone, in milliseconds: six beats, since a database that
/// fails over is away for some of them.
pub const SILENT_MS: i64 = 30_000;

/// A worker that nobody has heard of for this long is forgotten, in milliseconds: a day, so that whoever asks in the
/// morning sees what was lost in the night.
pub const FORGOTTEN_MS: i64 = 86_400_000;

/// How long a process has a duty without saying so again, in milliseconds: as long as it takes until a worker is taken for
/// gone.
pub const DUTY_MS: i64 = SILENT_MS;

/// Work beside the queue that one process of all that share a catalog does at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Duty {
    /// Watching the drop folder and buckets.
    Watch,
    /// Looking for what origins have lost.
    Audit,
}

impl Duty {
    /// All there are.
    pub const ALL: [Duty; 2] = [Duty::Watch, Duty::Audit];

    /// Its word: that of the role that has it.
    pub fn name(self) -> &'static str {
        match self {
            Duty::Watch => "watch",
            Duty::Audit => "audit",
        }
    }
}

impl fmt::Display for Duty {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What a worker says of itself when it comes up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Worker {
    /// The name that it goes by.
    pub name: String,
    /// Tells this process from any other of the same name.
    pub instance: String,
    /// Its build.
    pub version: String,
    /// Its pool.
    pub pool: String,
    /// What it does.
    pub roles: Vec<Role>,
    /// Transcoding tasks at once; 0 for one that does none.
    pub slots: u32,
    /// Memory for one transcoder, in megabytes, if there is a bound.
    pub memory_mb: Option<u32>,
    /// Encoders that it has, of those that pipelines name; `None` for one that is not asked to encode.
    pub elements: Option<BTreeSet<String>>,
}

/// A worker as the catalog knows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct WorkerRecord {
    /// What it said of itself.
    #[serde(flatten)]
    pub worker: Worker,
    /// When it came up.
    pub since: Timestamp,
    /// When it was last heard of.
    pub beat: Timestamp,
    /// How it is.
    pub state: WorkerState,
    /// What it has in hand: title, version and task, in words.
    pub tasks: Vec<String>,
    /// The duties that it has.
    pub duties: Vec<Duty>,
}

/// How a worker is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum WorkerState {
    /// It takes work.
    Alive,
    /// It finishes what it has and takes no more.
    Draining,
    /// It said goodbye.
    Left,
    /// It did not, and is not heard of any more.
    Silent,
}

impl WorkerState {
    /// Its word.
    pub fn name(self) -> &'static str {
        match self {
            WorkerState::Alive => "alive",
            WorkerState::Draining => "draining",
            WorkerState::Left => "left",
            WorkerState::Silent => "silent",
        }
    }

    /// How a worker is at `now` that last said `said` at `beat`.
    pub fn at(said: WorkerState, beat: Timestamp, now: Timestamp) -> Self {
        match said {
            WorkerState::Left => WorkerState::Left,
            _ if now.0 - beat.0 >= SILENT_MS => WorkerState::Silent,
            said => said,
        }
    }
}

/// The name for a worker that wants to be called `wanted`, where `taken` are the names of others that are alive: leases and
/// histories name workers, and two of one name could not be told apart.
pub fn free_name(wanted: &str, taken: impl Fn(&str) -> bool) -> String {
    let others = (2u32..).map(|n| format!("{wanted}-{n}"));
    let mut names = std::iter::once(wanted.to_owned()).chain(others);
    names.find(|name| !taken(name)).unwrap_or_else(|| wanted.to_owned())
}

#[cfg(test)]
mod tests;
