//! How fast an origin may be asked: a rate that follows what it lets in, and a number of calls in flight that follows
//! how well it copes. Decisions only, on times that the caller hands in; waiting is done in [`super::gate`].
//!
//! An origin that is asked too much answers `SlowDown` to the rest. Waiting longer before each retry alone does not help:
//! the refused calls come back all the same and are most of what the origin then refuses. So the rate of *all* calls,
//! first tries included, is brought down to what succeeded, and grows from there in small steps until the next refusal.

use std::time::{Duration, Instant};

/// Outcomes are judged over this long: some round trips, and short enough to notice when a limit is lifted.
const WINDOW: Duration = Duration::from_millis(500);

/// No more than this counts as the length of a window: one that an idle time falls into says nothing about its rate.
const LONGEST_WINDOW: Duration = Duration::from_secs(2);

/// The longest time for which an origin is left alone because it says so. One that is better known to be away is asked
/// once a minute; and a day, or a number that makes no sense, would be an outage of our own.
pub(super) const LONGEST_PAUSE: Duration = Duration::from_mins(1);

/// What may be caught up with after a late start: waits end a millisecond or two late, which must not lower the rate.
const CATCH_UP: Duration = Duration::from_millis(20);

/// An origin that never refused anything is taken to have let in at least as many calls a second, whatever few there
/// happened to be when it refused the first.
const FREE_RATE: f64 = 100.0;

/// Never slower than this many calls a second, or nobody would notice that an origin recovered.
const LOWEST_RATE: f64 = 2.0;

/// Faster than this is as good as no limit: a whole process does not get there.
const HIGHEST_RATE: f64 = 20_000.0;

/// Above what was let in, so that a limit that has risen is found: a few refusals more, a few tries each.
const ABOVE: f64 = 1.02;

/// Growth in a window without refusals, soon after the last.
const STEP: f64 = 1.03;

/// The same, once that is long ago: the limit is somewhere else now, or was never about us.
const LEAP: f64 = 1.5;

/// Windows without refusals after which they are long ago.
const QUIET: u32 = 6;

/// Calls in flight at first.
pub(super) const START_IN_FLIGHT: usize = 16;

/// Never fewer: one that hangs must not stop the others.
const LEAST_IN_FLIGHT: usize = 4;

/// Never more. A call holds one body, of 2 MB mostly: half a gigabyte, and by Little's law 290 uploads a second with
/// nearly a second for each.
pub(super) const MOST_IN_FLIGHT: usize = 256;

/// How a call ended, as far as the pace is concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ended {
    /// Answered, whatever the answer.
    Well,
    /// Refused because of too many calls.
    Throttled,
    /// Reset, timed out or answered with a fault of the server.
    Badly,
}

/// The pace of one origin.
#[derive(Debug)]
pub(super) struct Pace {
    /// Calls per second; `None` until the first refusal.
    rate: Option<f64>,
    /// Windows since the last refusal.
    quiet: u32,
    /// When the next call may start, at `rate`.
    next: Instant,
    /// Nobody starts before: the origin said so.
    frozen: Instant,
    in_flight: usize,
    window: Window,
}

#[derive(Debug)]
struct Window {
    began: Instant,
    well: u32,
    throttled: u32,
    badly: u32,
}

impl Window {
    fn new(began: Instant) -> Self {
        Self { began, well: 0, throttled: 0, badly: 0 }
    }
}

impl Pace {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            rate: None,
            quiet: 0,
            next: now,
            frozen: now,
            in_flight: START_IN_FLIGHT,
            window: Window::new(now),
        }
    }

    /// Takes a turn if there is one now; else says how long it will be until there is, as things stand. Nobody has a
    /// turn in advance: when the rate rises, that time becomes shorter.
    pub(super) fn turn(&mut self, now: Instant) -> Result<(), Duration> {
        let wait = |until: Instant| match until.saturating_duration_since(now) {
            Duration::ZERO => Ok(()),
            wait => Err(wait),
        };
        wait(self.frozen)?;
        let Some(rate) = self.rate else { return Ok(()) };
        let interval = Duration::from_secs_f64(1.0 / rate);
        // The last turn may have been taken at a lower rate than this one.
        self.next = self.next.min(now + interval);
        wait(self.next)?;
        let earliest = now.checked_sub(CATCH_UP).unwrap_or(now);
        self.next = self.next.max(earliest) + interval;
        Ok(())
    }

    /// Calls that may be in flight.
    pub(super) fn in_flight(&self) -> usize {
        self.in_flight
    }

    /// Nobody starts for `pause`: the origin asked for it in `Retry-After`. Whether that is news.
    pub(super) fn freeze(&mut self, now: Instant, pause: Duration) -> bool {
        let is_news = self.frozen <= now;
        self.frozen = self.frozen.max(now + pause.min(LONGEST_PAUSE));
        is_news
    }

    /// Learns from the end of a call.
    pub(super) fn learn(&mut self, now: Instant, ended: Ended) {
        match ended {
            Ended::Well => self.window.well += 1,
            Ended::Throttled => self.window.throttled += 1,
            Ended::Badly => self.window.badly += 1,
        }
        let elapsed = now.saturating_duration_since(self.window.began);
        if elapsed < WINDOW {
            return;
        }
        let Window { well, throttled, badly, .. } = self.window;
        self.window = Window::new(now);
        if throttled > 0 {
            let seconds = elapsed.min(LONGEST_WINDOW).as_secs_f64();
            let [let_in, asked] = [well, well + throttled].map(|n| f64::from(n) / seconds);
            // One window without a success says that it is too much, and not that nothing is let in.
            let half = self.rate.unwrap_or(asked.max(FREE_RATE)) / 2.0;
            self.rate = Some((let_in * ABOVE).max(half).max(LOWEST_RATE));
            self.quiet = 0;
        } else if let Some(rate) = &mut self.rate {
            self.quiet += 1;
            *rate *= if self.quiet > QUIET { LEAP } else { STEP };
            if *rate > HIGHEST_RATE {
                self.rate = None;
            }
        }
        self.in_flight = if throttled + badly > well {
            (self.in_flight / 2).max(LEAST_IN_FLIGHT)
        } else if throttled + badly == 0 {
            (self.in_flight + self.in_flight / 4).min(MOST_IN_FLIGHT)
        } else {
            self.in_flight
        };
    }
}

#[cfg(test)]
mod tests;
