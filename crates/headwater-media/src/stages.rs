//! How far each stage of a child's work is: what its last words begin with, however it ends.
//!
//! A child that crashes cannot speak any more, and one that hangs does not know it. So it counts while it works, and the
//! thread that holds on to the worker (`leash`) tells the counts every second when they have changed.

use std::fmt::Write;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// All stages of this process, in the order in which they began.
static STAGES: Mutex<Vec<Stage>> = Mutex::new(Vec::new());

/// Stages that are told of. A ladder has some ten; a master that is read again and again must not fill the memory.
const MOST: usize = 64;

/// One step of the work, and how often it was done.
#[derive(Debug, Clone)]
pub(crate) struct Stage {
    name: Arc<str>,
    count: Arc<AtomicU64>,
}

impl Stage {
    /// A stage that begins now. `name` says what is counted: `units read`.
    pub(crate) fn begin(name: &str) -> Self {
        let stage = Self { name: name.into(), count: Arc::default() };
        let mut stages = STAGES.lock().unwrap_or_else(PoisonError::into_inner);
        // Who begins again, such as a reader that counts because it could not seek, counts anew.
        stages.retain(|known| known.name != stage.name);
        if stages.len() < MOST {
            stages.push(stage.clone());
        }
        stage
    }

    /// It was done once more.
    pub(crate) fn done(&self) {
        self.count.fetch_add(1, Ordering::Relaxed);
    }
}

/// All stages in a line: `units read 412, frames decoded 398, video-180p encoded 380`. Empty before the first.
pub(crate) fn told() -> String {
    let stages = STAGES.lock().unwrap_or_else(PoisonError::into_inner);
    let mut line = String::new();
    for stage in stages.iter() {
        let gap = if line.is_empty() { "" } else { ", " };
        // Writing to a string cannot fail.
        let _ = write!(line, "{gap}{} {}", stage.name, stage.count.load(Ordering::Relaxed));
    }
    line
}
