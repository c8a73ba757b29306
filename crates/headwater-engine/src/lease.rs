//! Holds a claim while its task is worked on: renews it in time, and says so when it is lost (R8).

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use headwater_model::task::Lease;
use headwater_ports::catalog::{Catalog, CatalogError};
use tokio::time::{Instant, sleep, timeout_at};
use tracing::{info, warn};

/// A lease is renewed when a third of it has passed: two renewals may fail before it is in danger.
const RENEWALS_PER_LEASE: u32 = 3;

/// While frames are being done, they are told this often: people watch a title grow, and a database does not notice.
const PROGRESS: Duration = Duration::from_secs(2);

/// A claim in use.
pub(crate) struct Hold {
    catalog: Arc<dyn Catalog>,
    lease: Mutex<Lease>,
    lasts: Duration,
    frames_done: AtomicU64,
}

impl Hold {
    /// Holds `lease`, which was taken for `lasts`.
    pub(crate) fn new(catalog: Arc<dyn Catalog>, lease: Lease, lasts: Duration) -> Self {
        Self { catalog, lease: Mutex::new(lease), lasts, frames_done: AtomicU64::new(0) }
    }

    /// The claim as the catalog last confirmed it.
    pub(crate) fn lease(&self) -> Lease {
        self.lease.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Notes how many frames are done; the next renewal tells the catalog.
    pub(crate) fn progress(&self, frames_done: u64) {
        self.frames_done.store(frames_done, Ordering::Relaxed);
    }

    /// Frames that are done.
    pub(crate) fn frames_done(&self) -> u64 {
        self.frames_done.load(Ordering::Relaxed)
    }

    /// Renews now. Success means that nobody else had the task at the moment of asking.
    pub(crate) async fn confirm(&self) -> Result<(), CatalogError> {
        let frames = self.frames_done();
        let lease = self.lease();
        let renewed = self.catalog.renew(&lease, millis(self.lasts), frames).await?;
        *self.lease.lock().unwrap_or_else(PoisonError::into_inner) = renewed;
        Ok(())
    }

    /// Keeps the claim alive; ends only when it is lost. A catalog that cannot be asked for as long as the lease lasts
    /// has, for all this worker knows, given the task to somebody else.
    pub(crate) async fn keep(&self) {
        let third = self.lasts / RENEWALS_PER_LEASE;
        let (mut asked, mut told) = (Instant::now(), 0);
        loop {
            sleep(PROGRESS.min(third)).await;
            let (now, frames) = (Instant::now(), self.frames_done());
            if frames == told && now - asked < third {
                continue;
            }
            let ends = asked + self.lasts;
            match timeout_at(ends, self.confirm()).await {
                Ok(Ok(())) => (asked, told) = (now, frames),
                Ok(Err(error @ CatalogError::LeaseLost { .. })) => {
                    return info!(%error, "work dropped");
                }
                Ok(Err(error)) if Instant::now() < ends => warn!(%error, "lease not renewed yet"),
                Ok(Err(error)) => return warn!(%error, "lease ran out; work dropped"),
                Err(_) => return warn!("lease ran out without an answer; work dropped"),
            }
        }
    }
}

/// Whole milliseconds, as leases are counted.
pub(crate) fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}
