//! What an audit may ask of an origin in a second, and the waiting that keeps to it.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// The most that one origin is asked and read in a second.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Budget {
    /// Requests; `u32::MAX` is no limit.
    pub requests: u32,
    /// Bytes; `u64::MAX` is no limit.
    pub bytes: u64,
}

impl Budget {
    /// No limit.
    pub const NONE: Self = Self { requests: u32::MAX, bytes: u64::MAX };
}

/// Spends a budget evenly: each payment waits until it is earned.
pub(super) struct Purse {
    budget: Budget,
    /// When the next request, and the next byte, may start.
    next: Mutex<(Instant, Instant)>,
}

impl Purse {
    pub(super) fn new(budget: Budget) -> Self {
        let now = Instant::now();
        Self { budget, next: Mutex::new((now, now)) }
    }

    pub(super) async fn pay(&self, requests: u32, bytes: u64) {
        let wait = {
            let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
            let now = Instant::now();
            let (request, byte) = (next.0.max(now), next.1.max(now));
            if self.budget.requests != u32::MAX {
                let each = Duration::from_secs(1) / self.budget.requests.max(1);
                next.0 = request + each * requests;
            }
            if self.budget.bytes != u64::MAX {
                let seconds = bytes as f64 / self.budget.bytes.max(1) as f64;
                next.1 = byte + Duration::from_secs_f64(seconds);
            }
            request.max(byte) - now
        };
        if !wait.is_zero() {
            tokio::time::sleep(wait).await;
        }
    }
}
