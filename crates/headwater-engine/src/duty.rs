//! Duties: work beside the queue, watching and auditing, that one process of all that share a catalog does at a time. The
//! others stand by, and one of them takes over when it falls silent.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::Poll;
use std::time::Duration;

use headwater_model::worker::{BEAT_MS, DUTY_MS, Duty};
use headwater_ports::catalog::Catalog;
use tokio::time::{Instant, sleep, timeout, timeout_at};
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

use crate::lease::millis;
use crate::life::Engine;

/// How often whoever has a duty says that it is there, and whoever stands by asks for it.
const BEAT: Duration = Duration::from_millis(BEAT_MS.unsigned_abs());

/// How long a duty stays with a process that does not say so.
const LASTS: Duration = Duration::from_millis(DUTY_MS.unsigned_abs());

/// How long giving it back may take. What is not given back is free when its lease runs out.
const GOODBYE: Duration = Duration::from_secs(2);

/// A duty that this process wants, and until when it has it for certain.
struct Post<'a> {
    catalog: &'a dyn Catalog,
    instance: &'a str,
    duty: Duty,
    ends: Mutex<Instant>,
}

impl Engine {
    /// Does `work` whenever this process has `duty`, until `stop` or until the work ends by itself, and gives the duty back.
    /// `None` when it was told to stop while it stood by.
    ///
    /// Work that another may have taken over is dropped where it stands, as by a crash, and begun anew with a new `work()`
    /// when the duty comes back. `stop` ends no work: it has to end by itself then.
    pub async fn on_duty<F: Future>(
        &self,
        duty: Duty,
        stop: &CancellationToken,
        work: impl Fn() -> F,
    ) -> Option<F::Output> {
        let catalog = &*self.ports().catalog;
        let instance = self.presence().instance();
        let post = Post { catalog, instance, duty, ends: Mutex::new(Instant::now()) };
        let done = loop {
            tokio::select! {
                () = stop.cancelled() => break None,
                () = post.take() => {}
            }
            if let Some(done) = post.hold(work()).await {
                break Some(done);
            }
        };
        // Also by one that stands by: the answer to its asking may be under way.
        if !matches!(timeout(GOODBYE, catalog.leave_duty(duty, instance)).await, Ok(Ok(()))) {
            debug!(%duty, "not given back: it is free when its lease runs out");
        }
        done
    }
}

impl Post<'_> {
    /// Waits until this process has the duty.
    async fn take(&self) {
        let (mut stands_by, mut trouble) = (false, false);
        loop {
            let asked = Instant::now();
            let taken = self.catalog.take_duty(self.duty, self.instance, millis(LASTS));
            match timeout(LASTS, taken).await {
                Ok(Ok(true)) => {
                    *self.ends() = asked + LASTS;
                    if stands_by || trouble {
                        info!(duty = %self.duty, "this process takes over");
                    }
                    return;
                }
                Ok(Ok(false)) => {
                    if !stands_by {
                        info!(
                            "another process {}; this one stands by and takes over when it falls silent",
                            in_words(self.duty)
                        );
                    }
                    (stands_by, trouble) = (true, false);
                }
                Ok(Err(error)) => {
                    if !trouble {
                        warn!(duty = %self.duty, %error, "the catalog does not say who has this duty yet");
                    }
                    trouble = true;
                }
                // Whatever comes is too late to count.
                Err(_) => {}
            }
            sleep(BEAT).await;
        }
    }

    /// Works for as long as the duty is this process's; `None` when it is not any more.
    async fn hold<F: Future>(&self, work: F) -> Option<F::Output> {
        let (mut keeping, mut work) = (pin!(self.keep()), pin!(work));
        let done = poll_fn(|context| {
            // A process that was frozen finds its lease over before its timers do.
            if keeping.as_mut().poll(context).is_ready() || Instant::now() >= *self.ends() {
                return Poll::Ready(None);
            }
            work.as_mut().poll(context).map(Some)
        });
        let done = done.await;
        if done.is_none() {
            warn!(duty = %self.duty, "the duty is not this process's any more; its work stops here");
        }
        done
    }

    /// Keeps the duty; ends only when it is lost, or when the catalog has not said for so long that it is not.
    async fn keep(&self) {
        let mut trouble = false;
        loop {
            sleep(BEAT).await;
            let (asked, ends) = (Instant::now(), *self.ends());
            let kept = self.catalog.take_duty(self.duty, self.instance, millis(LASTS));
            match timeout_at(ends, kept).await {
                Ok(Ok(true)) => (*self.ends(), trouble) = (asked + LASTS, false),
                Ok(Ok(false)) | Err(_) => return,
                Ok(Err(error)) => {
                    if !trouble {
                        warn!(duty = %self.duty, %error, "the duty is not renewed yet");
                    }
                    trouble = true;
                }
            }
        }
    }

    fn ends(&self) -> MutexGuard<'_, Instant> {
        self.ends.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn in_words(duty: Duty) -> &'static str {
    match duty {
        Duty::Watch => "watches",
        Duty::Audit => "audits",
    }
}
