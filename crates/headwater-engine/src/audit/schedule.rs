//! Audits that go on by themselves: each origin listed, and each read, once in its time, also across restarts.
//!
//! The two rounds run beside each other, so that reading, which takes weeks, does not keep origins from being listed; what
//! both spend of an origin's budget is one sum. Each origin has rounds of its own: one that is away neither ends nor
//! repeats those of the others.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::future::join_all;
use headwater_model::id::Tenant;
use headwater_ports::catalog::CatalogError;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::purse::Purse;
use super::{Audits, Budget, Method, News, Source, place_of};
use crate::life::Engine;

/// Audits that go on by themselves.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Schedule {
    /// Every object of every live title is listed once in this time.
    pub list: Duration,
    /// Every byte is read once in this time; never when there is none.
    pub read: Option<Duration>,
    /// The most that each origin is asked and read, by both rounds together.
    pub budget: Budget,
    /// Whether what is found is put right at once.
    pub heals: bool,
}

/// How often the schedule looks whether something is due.
const TICK: Duration = Duration::from_secs(30);

/// A kind of round, and all that it needs.
struct Round<'a> {
    tenant: &'a Tenant,
    name: &'static str,
    every: Duration,
    /// The share of objects that is read.
    read: f64,
    schedule: Schedule,
    /// By the names of origins.
    purses: &'a BTreeMap<String, Purse>,
    now_ms: &'a (dyn Fn() -> i64 + Send + Sync),
}

impl Engine {
    /// Audits by `schedule` until `stop`. An audit that was interrupted goes on where it was.
    pub async fn audit_for_ever(
        &self,
        tenant: &Tenant,
        schedule: Schedule,
        now_ms: Arc<dyn Fn() -> i64 + Send + Sync>,
        stop: CancellationToken,
    ) {
        let purse =
            |audits: &Audits<'_>| (audits.origin().name().to_owned(), Purse::new(schedule.budget));
        let (purses, now_ms) = (self.audited().iter().map(purse).collect(), &*now_ms);
        let round = |name, every, read| Round {
            tenant,
            name,
            every,
            read,
            schedule,
            purses: &purses,
            now_ms,
        };
        let mut rounds = vec![round("list", schedule.list, 0.0)];
        rounds.extend(schedule.read.map(|every| round("read", every, 1.0)));
        let rounds = join_all(rounds.iter().map(|round| self.repeat(round)));
        tokio::select! {
            () = stop.cancelled() => {}
            _ = rounds => {}
        }
    }

    /// Does one kind of round on every origin, again and again.
    async fn repeat(&self, round: &Round<'_>) {
        loop {
            for audits in self.audited() {
                let (name, origin) = (round.name, audits.origin().name());
                if let Err(error) = self.round(round, audits).await {
                    warn!(origin, round = name, %error, "no audit for now");
                }
            }
            tokio::time::sleep(TICK).await;
        }
    }

    /// Does a round on one origin if it is due, or goes on with one that was interrupted.
    async fn round(&self, round: &Round<'_>, audits: Audits<'_>) -> Result<(), CatalogError> {
        let Round { tenant, name, every, read, schedule, purses, now_ms } = *round;
        let (catalog, origin) = (&self.ports().catalog, audits.origin().name());
        let (key, now) = (format!("audit/{name}/{tenant}"), now_ms());
        let (mark, place) = (format!("{key}/{origin}"), format!("{key}/place"));
        let every = i64::try_from(every.as_millis()).unwrap_or(i64::MAX);
        let is_over = |since: i64, now: i64| since.saturating_add(every) <= now;

        let kept = catalog.checkpoint(&mark).await?;
        let begins = match kept.as_ref().and_then(|(text, _)| began_and_done(text)) {
            Some((began, true)) if !is_over(began, now) => return Ok(()),
            Some((began, false)) => {
                // What was seen longer ago than a round may take vouches for nothing.
                let place = place_of(&place, origin);
                match catalog.checkpoint(&place).await? {
                    Some((_, stopped)) if !is_over(stopped.0, now) => began,
                    _ => {
                        catalog.keep_checkpoint(&place, None).await?;
                        now
                    }
                }
            }
            Some((_, true)) | None => now,
        };
        catalog.keep_checkpoint(&mark, Some(&format!("{begins} under way"))).await?;

        let budget = schedule.budget;
        let checkpoint = Some(place);
        let from = Source::Origin;
        let method = Method { read, from, round: 0, heals: schedule.heals, budget, checkpoint };
        let Some(purse) = purses.get(origin) else { return Ok(()) };
        let is_late = AtomicBool::new(false);
        let tell = |news| {
            let ends = matches!(news, News::Progress(_)) && is_over(begins, now_ms());
            if ends && !is_late.swap(true, Ordering::Relaxed) {
                warn!(
                    origin,
                    round = name,
                    "the audit takes longer than its time: let it ask and read more a second, or less often"
                );
            }
        };
        let audited = self.audit_one(tenant, audits, &[], &method, purse, &tell).await?;
        if let Some(error) = audited.stopped {
            warn!(origin, round = name, %error, "the audit stopped early; it goes on later");
            return Ok(());
        }
        info!(origin, round = name, tally = ?audited.tally, "audited");
        catalog.keep_checkpoint(&mark, Some(&format!("{begins} done"))).await
    }
}

/// Reads back what [`Engine::round`] has written down.
fn began_and_done(text: &str) -> Option<(i64, bool)> {
    let (began, state) = text.split_once(' ')?;
    Some((began.parse().ok()?, state == "done"))
}

#[cfg(test)]
mod tests;
