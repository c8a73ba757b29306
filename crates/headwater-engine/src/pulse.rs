//! Shows that the loops of this process turn: each beats every second for as long as the runtime comes round to it.
//!
//! A loop that waits for the catalog or an origin beats too: that these are away is no reason to end a process, which
//! would only lose what is under way. What stops the beats is a loop that blocks its thread, and a runtime that is stuck.

use std::collections::BTreeMap;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, sleep};

/// Time from one beat to the next.
const BEAT: Duration = Duration::from_secs(1);

/// The beats of this process. Clones are the same.
#[derive(Debug, Clone, Default)]
pub struct Pulse(Arc<Mutex<BTreeMap<&'static str, Instant>>>);

/// Takes a loop off the list when it ends, however it ends.
struct Listed<'p> {
    pulse: &'p Pulse,
    name: &'static str,
}

impl Drop for Listed<'_> {
    fn drop(&mut self) {
        self.pulse.beats().remove(self.name);
    }
}

impl Pulse {
    /// Runs a loop, which beats as `name` until it ends. One of a name at a time.
    pub async fn beating<F: Future>(&self, name: &'static str, turning: F) -> F::Output {
        let mut turning = pin!(turning);
        let _listed = Listed { pulse: self, name };
        loop {
            self.beats().insert(name, Instant::now());
            tokio::select! {
                ended = &mut turning => return ended,
                () = sleep(BEAT) => {}
            }
        }
    }

    /// The loops that run, each with the time since it last beat.
    pub fn read(&self) -> Vec<(&'static str, Duration)> {
        let now = Instant::now();
        self.beats().iter().map(|(name, beat)| (*name, now - *beat)).collect()
    }

    fn beats(&self) -> MutexGuard<'_, BTreeMap<&'static str, Instant>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
