//! What a play came to.

use std::fmt;
use std::time::Duration;

use headwater_model::task::{Role, TaskKind};
use headwater_model::time::Timestamp;

use super::Options;
use super::stage::Stretch;
use crate::stopwatch::Percentiles;

/// Of the time that workers live, until there is nothing more to begin.
const BUSY: f64 = 0.95;

/// What a library is, to which smaller ones are compared.
const LIBRARY: f64 = 25_000.0;

/// What became of a title.
#[derive(Debug, Clone)]
pub(crate) struct TitleLog {
    pub(crate) urgent: bool,
    pub(crate) submitted: Timestamp,
    pub(crate) begun: Option<Timestamp>,
    pub(crate) prepared: Option<Timestamp>,
    pub(crate) published: Option<Timestamp>,
    /// Milliseconds of transcoding workers.
    pub(crate) work_ms: i64,
    /// Milliseconds if every task had a worker waiting for it.
    pub(crate) path_ms: i64,
}

impl TitleLog {
    pub(crate) fn new(submitted: Timestamp, urgent: bool, tasks: &[(TaskKind, i64)]) -> Self {
        let in_parallel = |kind| matches!(kind, TaskKind::Span(_) | TaskKind::Audio(_));
        let work = tasks.iter().filter(|(kind, _)| kind.role() == Role::Worker);
        let longest = tasks.iter().filter(|(kind, _)| in_parallel(*kind)).map(|(_, ms)| *ms).max();
        let rest = tasks.iter().filter(|(kind, _)| !in_parallel(*kind)).map(|(_, ms)| *ms);
        Self {
            urgent,
            submitted,
            begun: None,
            prepared: None,
            published: None,
            work_ms: work.map(|(_, ms)| *ms).sum(),
            path_ms: rest.sum::<i64>() + longest.unwrap_or(0),
        }
    }
}

/// Everything.
#[derive(Debug)]
pub(crate) struct Report {
    pub(super) options: Options,
    pub(super) titles: Vec<TitleLog>,
    pub(super) idle: Vec<Stretch>,
    pub(super) dead: Vec<Stretch>,
    pub(super) end: Timestamp,
    pub(super) busy_ms: i64,
    pub(super) wasted_ms: i64,
    pub(super) claims: u64,
    pub(super) leases_lost: u64,
    pub(super) deaths: u64,
    pub(super) real: Duration,
    pub(super) cut_short: bool,
    pub(super) methods: Vec<(&'static str, Percentiles)>,
    pub(super) bytes: u64,
    pub(super) unpublished: usize,
    pub(super) open: u64,
}

impl Report {
    fn start(&self) -> Timestamp {
        self.titles.first().map_or(self.end, |title| title.submitted)
    }

    /// When a worker first found nothing to do and no title was to be begun any more.
    fn last_titles(&self) -> Timestamp {
        let prepared: Option<Vec<Timestamp>> =
            self.titles.iter().map(|title| title.prepared).collect();
        let Some(all) = prepared.and_then(|all| all.into_iter().max()) else { return self.end };
        self.idle
            .iter()
            .map(|(from, _)| *from)
            .filter(|from| *from >= all)
            .min()
            .unwrap_or(self.end)
    }

    /// Share of the time that workers lived in which they worked, until the last titles.
    pub(crate) fn busy(&self) -> f64 {
        let (start, end) = (self.start(), self.last_titles());
        let within = |stretches: &[Stretch]| -> i64 {
            stretches.iter().map(|(from, to)| (to.0.min(end.0) - from.0.max(start.0)).max(0)).sum()
        };
        let all = (end.0 - start.0) * self.options.workers as i64;
        1.0 - within(&self.idle) as f64 / (all - within(&self.dead)) as f64
    }

    /// Milliseconds until the last title was published.
    fn makespan_ms(&self) -> i64 {
        self.end.0 - self.start().0
    }

    /// The least that it could take: all work evenly on all workers, or the one title that takes longest.
    fn ideal_ms(&self) -> i64 {
        let work: i64 = self.titles.iter().map(|title| title.work_ms).sum();
        let path = self.titles.iter().filter(|title| !title.urgent).map(|title| title.path_ms);
        (work / self.options.workers as i64).max(path.max().unwrap_or(0))
    }

    /// What must not be: something left undone.
    pub(crate) fn faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        if !self.cut_short && self.unpublished > 0 {
            faults.push(format!("{} titles are not published", self.unpublished));
        }
        if !self.cut_short && self.open > 0 {
            faults.push(format!("{} tasks are not done", self.open));
        }
        faults
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Options { workers, deaths_per_hour, seed, .. } = self.options;
        let titles = self.titles.len();
        let published = self.titles.iter().filter(|title| title.published.is_some()).count();
        writeln!(
            f,
            "{titles} titles, {workers} workers, {deaths_per_hour} deaths an hour, seed {seed}{}",
            if self.cut_short { ", cut short" } else { "" }
        )?;
        let hours = |ms: i64| ms as f64 / 3_600_000.0;
        writeln!(f, "  published         {published} titles, {} claims", self.claims)?;
        if !self.cut_short {
            writeln!(
                f,
                "  makespan          {:.2} h, {:.3} times the ideal of {:.2} h (all work on all workers, or the longest title)",
                hours(self.makespan_ms()),
                self.makespan_ms() as f64 / self.ideal_ms() as f64,
                hours(self.ideal_ms())
            )?;
        }
        let busy = self.busy();
        writeln!(
            f,
            "  busy              {:.1} % of the time that workers lived, until the last titles (goal {:.0} %: {})",
            busy * 100.0,
            BUSY * 100.0,
            if busy >= BUSY { "reached" } else { "missed" }
        )?;
        writeln!(
            f,
            "  deaths            {}, {} results or renewals too late, {:.2} % of the work done twice",
            self.deaths,
            self.leases_lost,
            100.0 * self.wasted_ms as f64 / (self.busy_ms.max(1)) as f64
        )?;
        let mut waits: Vec<i64> = self
            .titles
            .iter()
            .filter(|title| title.urgent)
            .filter_map(|title| Some(title.begun?.0 - title.submitted.0))
            .collect();
        waits.sort_unstable();
        let late: Vec<f64> = self
            .titles
            .iter()
            .filter(|title| title.urgent)
            .filter_map(|title| {
                Some((title.published?.0 - title.submitted.0) as f64 / title.path_ms as f64)
            })
            .collect();
        if let (Some(half), Some(longest)) = (waits.get(waits.len() / 2), waits.last()) {
            writeln!(
                f,
                "  urgent titles     {}, begun after {:.0} s (median), {:.0} s at most; published after {:.2} times their longest path at most",
                waits.len(),
                *half as f64 / 1000.0,
                *longest as f64 / 1000.0,
                late.iter().copied().fold(0.0, f64::max)
            )?;
        }
        writeln!(
            f,
            "  renewals          every third of a lease of {} s; real workers renew every 2 s while frames come",
            self.options.lease_seconds
        )?;
        let real = self.real.as_secs_f64();
        writeln!(
            f,
            "  real time         {real:.0} s, {:.0} claims a second; {:.0} s for {LIBRARY:.0} titles",
            self.claims as f64 / real,
            real * LIBRARY / titles as f64
        )?;
        writeln!(
            f,
            "  database          {:.3} GB; {:.2} GB for {LIBRARY:.0} titles",
            self.bytes as f64 / 1e9,
            self.bytes as f64 / 1e9 * LIBRARY / titles as f64
        )?;
        for (method, Percentiles { calls, p50_ms, p99_ms }) in &self.methods {
            writeln!(
                f,
                "  {method:<24} {calls:>9} calls, {p50_ms:>7.2} ms, {p99_ms:>7.2} ms at the 99th percentile"
            )?;
        }
        Ok(())
    }
}
