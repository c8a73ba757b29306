//! One call to an origin, made until it is answered: it waits for its turn, has its time, and is tried again.

use std::future::Future;
use std::time::Duration;

use headwater_ports::origin::OriginError;
use tracing::debug;

use super::error::Failed;
use super::gate::Gate;
use super::pace::Ended;
use super::retry::{Failures, THROTTLED_LIMIT, Trouble};

/// The calls to one origin. Clones wait at the same gate.
#[derive(Debug, Clone)]
pub(crate) struct Calls {
    origin: String,
    gate: Gate,
    haste: u32,
}

impl Calls {
    /// Calls to the origin of this name, `haste` times as impatient as they should be.
    pub(crate) fn new(origin: &str, haste: u32) -> Self {
        let haste = haste.max(1);
        Self { origin: origin.to_owned(), gate: Gate::new(haste), haste }
    }

    /// A limit as it counts here.
    pub(crate) fn hasten(&self, limit: Duration) -> Duration {
        limit / self.haste
    }

    /// Makes `call` until it is answered, or failed in a way that another try cannot change. Each try has `limit`.
    pub(crate) async fn ask<T, F: Future<Output = Result<T, Failed>>>(
        &self,
        operation: &'static str,
        key: &str,
        limit: Duration,
        call: impl Fn() -> F,
    ) -> Result<T, OriginError> {
        let patience = Patience { once: limit, all: None };
        let answer = self.answer(operation, key, patience, call).await;
        answer.map_err(|failed| failed.into_error(operation, key))
    }

    /// The same, for callers that look closer at why it failed, or have no more time than for some tries.
    pub(crate) async fn answer<T, F: Future<Output = Result<T, Failed>>>(
        &self,
        operation: &'static str,
        key: &str,
        patience: Patience,
        call: impl Fn() -> F,
    ) -> Result<T, Failed> {
        let began = self.gate.now();
        let until = began + patience.all.unwrap_or(THROTTLED_LIMIT).min(THROTTLED_LIMIT);
        let mut failures = Failures::default();
        let mut last = None;
        loop {
            let Some(place) = self.gate.enter(until).await else {
                return Err(last.unwrap_or_else(Failed::no_turn));
            };
            let limit = patience.left(self.gate.now() - began);
            let result = tokio::time::timeout(self.hasten(limit), call()).await;
            let failed = match result {
                Ok(Ok(answer)) => {
                    place.leave(&self.origin, Ended::Well, None);
                    return Ok(answer);
                }
                Ok(Err(failed)) => failed,
                Err(_) => Failed::too_late(limit),
            };
            let (ended, pause) = match failed.trouble {
                Trouble::Throttled(pause) => (Ended::Throttled, pause),
                Trouble::Fault | Trouble::Reset | Trouble::Timeout => (Ended::Badly, None),
                Trouble::Garbled | Trouble::Lasting => (Ended::Well, None),
            };
            place.leave(&self.origin, ended, pause);
            let elapsed = self.gate.now() - began;
            let wait = failures.again(failed.trouble, elapsed, random());
            let Some(wait) = wait.filter(|wait| !patience.left(elapsed + *wait).is_zero()) else {
                return Err(failed);
            };
            let wait = self.hasten(wait);
            debug!(origin = self.origin, operation, key, ?failures, ?wait, why = %failed, "again");
            last = Some(failed);
            tokio::time::sleep(wait).await;
        }
    }
}

/// For how long an answer is waited for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Patience {
    /// In one try.
    pub(crate) once: Duration,
    /// In all of them, with what is waited in between; where nothing is said, the number of tries limits it.
    pub(crate) all: Option<Duration>,
}

impl Patience {
    /// What is left for a try after `elapsed`.
    fn left(self, elapsed: Duration) -> Duration {
        self.all.map_or(self.once, |all| self.once.min(all.saturating_sub(elapsed)))
    }
}

/// From 0 to 1.
fn random() -> f64 {
    f64::from(fastrand::u32(..)) / f64::from(u32::MAX)
}
