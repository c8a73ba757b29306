//! Where calls to one origin wait for their turn.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::pace::{Ended, Pace};

/// The gate that all calls to one origin pass.
#[derive(Debug, Clone)]
pub(super) struct Gate(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    began: Instant,
    /// How much faster than time the pace's time passes.
    haste: u32,
    pace: Mutex<Pace>,
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
            places: Arc::new(Semaphore::new(places)),
            granted: Mutex::new(places),
        }))
    }

    /// Waits until a call may start.
    pub(super) async fn enter(&self) -> Place {
        // Never closed.
        let permit = Arc::clone(&self.0.places).acquire_owned().await.ok();
        let place = Place { gate: self.clone(), permit };
        let wait = self.pace().turn(self.now()) / self.0.haste;
        if !wait.is_zero() {
            tokio::time::sleep(wait).await;
        }
        place
    }

    fn now(&self) -> Instant {
        self.0.began + self.0.began.elapsed() * self.0.haste
    }

    fn pace(&self) -> MutexGuard<'_, Pace> {
        self.0.pace.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Place {
    /// Says how the call ended, and for how long the origin wants to be left alone.
    pub(super) fn leave(self, ended: Ended, pause: Option<Duration>) {
        let now = self.gate.now();
        let mut pace = self.gate.pace();
        pace.learn(now, ended);
        if let Some(pause) = pause {
            pace.freeze(now, pause);
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
