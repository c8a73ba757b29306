//! Where calls to one origin wait for their turn.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tracing::warn;

use super::pace::{Ended, LONGEST_PAUSE, Pace};

/// A wait for a turn ends after this long at the latest, and is begun again by what is known then.
const SLICE: Duration = Duration::from_millis(100);

/// Pauses from here on are worth a warning: until then it may be an origin that limits its callers as a habit.
const LONG_PAUSE: Duration = Duration::from_secs(10);

/// The gate that all calls to one origin pass.
#[derive(Debug, Clone)]
pub(super) struct Gate(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    began: Instant,
    /// How much faster than time the pace's time passes.
    haste: u32,
    pace: Mutex<Pace>,
    /// Who is first in the queue. Only the first waits for a place and then for a turn, so that the others hold nothing
    /// and all of them start in the order in which they came.
    first: tokio::sync::Mutex<()>,
    /// As many permits as calls may be in flight, more while a shrunken limit is not yet reached.
    places: Arc<Semaphore>,
    granted: Mutex<usize>,
}

/// A place of a call in flight; given up when dropped.
#[derive(Debug)]
pub(super) struct Place {
    gate: Gate,
    permit: Option<OwnedSemaphorePermit>,
}

impl Gate {
    pub(super) fn new(haste: u32) -> Self {
        let began = Instant::now();
        let pace = Pace::new(began);
        let places = pace.in_flight();
        Self(Arc::new(Inner {
            began,
            haste,
            pace: Mutex::new(pace),
            first: tokio::sync::Mutex::default(),
            places: Arc::new(Semaphore::new(places)),
            granted: Mutex::new(places),
        }))
    }

    /// Waits until a call may start; none if there is no turn for it by `until`, in the pace's time.
    pub(super) async fn enter(&self, until: Instant) -> Option<Place> {
        let _first = self.0.first.lock().await;
        // Never closed.
        let permit = Arc::clone(&self.0.places).acquire_owned().await.ok();
        let place = Place { gate: self.clone(), permit };
        loop {
            let now = self.now();
            let Err(wait) = self.pace().turn(now) else { return Some(place) };
            if now >= until {
                return None;
            }
            tokio::time::sleep(wait.min(SLICE) / self.0.haste).await;
        }
    }

    /// The pace's time.
    pub(super) fn now(&self) -> Instant {
        self.0.began + self.0.began.elapsed() * self.0.haste
    }

    fn pace(&self) -> MutexGuard<'_, Pace> {
        self.0.pace.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Place {
    /// Says how the call to `origin` ended, and for how long that wants to be left alone.
    pub(super) fn leave(self, origin: &str, ended: Ended, pause: Option<Duration>) {
        let now = self.gate.now();
        let mut pace = self.gate.pace();
        pace.learn(now, ended);
        let Some(pause) = pause else { return };
        if pace.freeze(now, pause) && pause >= LONG_PAUSE {
            let waits = pause.min(LONGEST_PAUSE);
            warn!(origin, asked = ?pause, ?waits, "the origin asks to be left alone: nothing is sent to it meanwhile");
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let inner = &self.gate.0;
        let limit = self.gate.pace().in_flight();
        let mut granted = inner.granted.lock().unwrap_or_else(PoisonError::into_inner);
        if *granted > limit {
            if let Some(permit) = self.permit.take() {
                permit.forget();
                *granted -= 1;
            }
        } else if *granted < limit {
            inner.places.add_permits(limit - *granted);
            *granted = limit;
        }
    }
}

#[cfg(test)]
mod tests;
