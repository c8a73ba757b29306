//! Steering: what people ask of the queue while it works, and what they are shown of it.

use serde::Serialize;

use crate::key::PackageId;
use crate::lane::{Needs, Priority};
use crate::refusal::Refusal;
use crate::task::TaskKind;
use crate::time::Timestamp;

/// What is asked of a title.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// Begin nothing more of it. What is under way is finished.
    Hold,
    /// Go on with what was held.
    Release,
    /// Give up the version that is being made, or the healing of the one that viewers have. Viewers keep what they have.
    Cancel,
    /// Want it more, or less.
    Prioritise(Priority),
}

/// What is asked of a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TaskOrder {
    /// Try it now, with all its tries unused: it waits for its next try, or was given up.
    Retry,
    /// Give it up, and with it the package that cannot be whole without it.
    Cancel,
}

/// What became of an order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// It was done.
    Done,
    /// There is nothing of that name or number.
    Unknown,
    /// It makes no sense as things are: why, as a sentence.
    Refused(String),
}

/// Where a task stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum TaskState {
    /// It may be claimed.
    Queued,
    /// It waits for its next try.
    Waiting,
    /// Its title is held.
    Held,
    /// Somebody works on it.
    Leased,
    /// Somebody did, and has not been heard of since its lease ran out.
    Silent,
    /// It is done.
    Done,
    /// It was given up after its last try.
    Failed,
    /// Nobody wants it any more.
    Cancelled,
}

impl TaskState {
    /// All there are.
    pub const ALL: [TaskState; 8] = [
        TaskState::Queued,
        TaskState::Waiting,
        TaskState::Held,
        TaskState::Leased,
        TaskState::Silent,
        TaskState::Done,
        TaskState::Failed,
        TaskState::Cancelled,
    ];

    /// Its word, as on the command line.
    pub fn name(self) -> &'static str {
        match self {
            TaskState::Queued => "queued",
            TaskState::Waiting => "waiting",
            TaskState::Held => "held",
            TaskState::Leased => "leased",
            TaskState::Silent => "silent",
            TaskState::Done => "done",
            TaskState::Failed => "failed",
            TaskState::Cancelled => "cancelled",
        }
    }

    /// Whether the queue still has it.
    pub fn is_open(self) -> bool {
        !matches!(self, TaskState::Done | TaskState::Failed | TaskState::Cancelled)
    }

    /// The state of a task that catalogs keep under `stored` ("queued", "leased", "done", "failed", "cancelled"), due at
    /// `due` (for a leased one the end of its lease), at `now`; `None` for a word that this build does not know.
    pub fn of(stored: &str, held: bool, due: Timestamp, now: Timestamp) -> Option<Self> {
        Some(match stored {
            "queued" if held => TaskState::Held,
            "queued" if due > now => TaskState::Waiting,
            "queued" => TaskState::Queued,
            "leased" if due > now => TaskState::Leased,
            "leased" => TaskState::Silent,
            "done" => TaskState::Done,
            "failed" => TaskState::Failed,
            "cancelled" => TaskState::Cancelled,
            _ => return None,
        })
    }
}

/// Which tasks somebody wants to see.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TaskFilter {
    /// In these states; in any that is open when there are none.
    pub states: Vec<TaskState>,
    /// Of a title of this name.
    pub title: Option<String>,
    /// In the hands of this worker.
    pub worker: Option<String>,
    /// Of this number.
    pub task: Option<i64>,
}

/// A task as the queue has it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TaskRecord {
    /// Its number.
    pub task: i64,
    /// Its package.
    pub package: PackageId,
    /// What it is.
    pub kind: TaskKind,
    /// Where it stands.
    pub state: TaskState,
    /// How much its title is wanted.
    pub priority: Priority,
    /// What it takes; `None` while its title is held, and when it is over.
    pub needs: Option<Needs>,
    /// Who has it.
    pub worker: Option<String>,
    /// Tries so far.
    pub attempts: u32,
    /// Those that reported a failure.
    pub failures: u32,
    /// Those whose worker fell silent.
    pub losses: u32,
    /// When it may be claimed, or when its lease ends.
    pub due: Timestamp,
    /// When it was first claimed.
    pub started: Option<Timestamp>,
    /// When anything about it changed last.
    pub updated: Timestamp,
    /// Frames of the picture that it makes.
    pub frames: u64,
    /// How many of them are done in this try.
    pub frames_done: u64,
    /// Why its last try failed.
    pub trouble: Option<Refusal>,
    /// What the transcoder said last in that try.
    pub last_words: Option<String>,
}

/// Why an order about a title in this state is refused, if it is: `busy` when the queue has something of it.
pub fn refused(order: Order, held: bool, busy: bool, publishing: bool) -> Option<&'static str> {
    match order {
        Order::Hold if held => Some("it is held already"),
        Order::Release if !held => Some("it is not held"),
        Order::Cancel if !busy => Some("nothing is being made of it"),
        Order::Cancel if publishing => {
            Some("it is being published, which takes seconds; roll it back afterwards")
        }
        Order::Hold | Order::Release | Order::Cancel | Order::Prioritise(_) => None,
    }
}

#[cfg(test)]
mod tests;
