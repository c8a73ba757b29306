//! A clock that stands still until a test moves it.

use std::sync::atomic::{AtomicI64, Ordering};

use headwater_model::time::Timestamp;
use headwater_ports::clock::Clock;

/// A clock that a test moves by hand. It starts at 2026-01-01 00:00 UTC, so that no test meets times near 0 by chance.
#[derive(Debug)]
pub struct ManualClock {
    now_ms: AtomicI64,
}

/// 2026-01-01 00:00 UTC in milliseconds since 1970.
const START_MS: i64 = 1_767_225_600_000;

impl Default for ManualClock {
    fn default() -> Self {
        Self { now_ms: AtomicI64::new(START_MS) }
    }
}

impl ManualClock {
    /// Lets `ms` milliseconds pass.
    pub fn advance_ms(&self, ms: i64) {
        self.now_ms.fetch_add(ms, Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        Timestamp(self.now_ms.load(Ordering::SeqCst))
    }
}
