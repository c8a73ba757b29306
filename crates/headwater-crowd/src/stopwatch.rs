//! How long calls took: the middle of them, and what one in a hundred exceeds.

use std::time::Duration;

use serde::Serialize;

/// Times of many calls of one kind.
#[derive(Debug, Default, Clone)]
pub(crate) struct Stopwatch {
    micros: Vec<u32>,
}

/// Percentiles in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(crate) struct Percentiles {
    pub(crate) calls: usize,
    pub(crate) p50_ms: f64,
    pub(crate) p99_ms: f64,
}

impl Stopwatch {
    pub(crate) fn took(&mut self, time: Duration) {
        self.micros.push(u32::try_from(time.as_micros()).unwrap_or(u32::MAX));
    }

    pub(crate) fn add(&mut self, others: Stopwatch) {
        self.micros.extend(others.micros);
    }

    pub(crate) fn percentiles(&self) -> Percentiles {
        let mut sorted = self.micros.clone();
        sorted.sort_unstable();
        let at = |hundredths: usize| {
            let last = sorted.len().saturating_sub(1);
            sorted.get(last * hundredths / 100).map_or(f64::NAN, |it| f64::from(*it) / 1000.0)
        };
        Percentiles { calls: sorted.len(), p50_ms: at(50), p99_ms: at(99) }
    }
}

#[cfg(test)]
mod tests;
