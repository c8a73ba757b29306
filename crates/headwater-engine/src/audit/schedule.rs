//! Audits that go on by themselves, each round once in its time, also across restarts.

use std::sync::Arc;
use std::time::Duration;

use headwater_model::id::Tenant;
use tracing::warn;

use super::{AuditError, Budget, Method, Scope, Source};
use crate::life::Engine;

/// Audits that go on by themselves.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Schedule {
    /// Every object of every live title is listed once in this time.
    pub list: Duration,
    /// Every byte is read once in this time; never when there is none.
    pub read: Option<Duration>,
    /// The most that each origin is asked and read.
    pub budget: Budget,
    /// Whether what is found is put right at once.
    pub heals: bool,
}

/// How often the schedule looks whether something is due.
const TICK: Duration = Duration::from_secs(30);

impl Engine {
    /// Audits by `schedule` until `stop`. An audit that was interrupted goes on where it was.
    pub async fn audit_for_ever(
        &self,
        tenant: &Tenant,
        schedule: Schedule,
        now_ms: Arc<dyn Fn() -> i64 + Send + Sync>,
        stop: tokio_util::sync::CancellationToken,
    ) {
        let rounds = [Some(("list", schedule.list, 0.0)), schedule.read.map(|r| ("read", r, 1.0))];
        loop {
            for (name, every, read) in rounds.iter().flatten() {
                let due = self.round(tenant, name, *every, *read, schedule, &*now_ms);
                tokio::select! {
                    () = stop.cancelled() => return,
                    done = due => if let Err(error) = done {
                        warn!(%error, "an audit stopped early; it goes on later");
                    },
                }
            }
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(TICK) => {}
            }
        }
    }

    /// Does a round that is due, or goes on with one that was interrupted.
    async fn round(
        &self,
        tenant: &Tenant,
        name: &str,
        every: Duration,
        read: f64,
        schedule: Schedule,
        now_ms: &(dyn Fn() -> i64 + Send + Sync),
    ) -> Result<(), AuditError> {
        let catalog = &self.ports().catalog;
        let (key, now) = (format!("audit/{name}/{tenant}"), now_ms());
        let kept = catalog.checkpoint(&key).await?;
        let (began, done) = kept.as_deref().and_then(began_and_done).unwrap_or((now, false));
        let every = i64::try_from(every.as_millis()).unwrap_or(i64::MAX);
        let begins = match (&kept, done) {
            (None, _) => now,
            (Some(_), false) => began,
            (Some(_), true) if began.saturating_add(every) <= now => now,
            (Some(_), true) => return Ok(()),
        };
        catalog.keep_checkpoint(&key, Some(&format!("{begins} under way"))).await?;
        let method = Method {
            read,
            from: Source::Origin,
            round: 0,
            heals: schedule.heals,
            budget: schedule.budget,
            checkpoint: Some(format!("{key}/place")),
        };
        let tallies = self.audit(tenant, &Scope::default(), &method, &|_| {}).await?;
        for (origin, tally) in tallies {
            tracing::info!(origin, round = name, ?tally, "audited");
        }
        catalog.keep_checkpoint(&key, Some(&format!("{begins} done"))).await?;
        Ok(())
    }
}

/// Reads back what [`Engine::round`] has written down.
fn began_and_done(text: &str) -> Option<(i64, bool)> {
    let (began, state) = text.split_once(' ')?;
    Some((began.parse().ok()?, state == "done"))
}
