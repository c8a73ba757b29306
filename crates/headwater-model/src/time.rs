//! Exact time: rational frame rates and integer ticks, never floating point.

use std::fmt;
use std::num::NonZeroU32;

use serde::{Deserialize, Serialize};

/// Nanoseconds in a second: GStreamer's clock.
pub const NS: i64 = 1_000_000_000;

/// Milliseconds since 1970-01-01 UTC, as told by a clock outside this crate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(pub i64);

impl Timestamp {
    /// The moment `ms` milliseconds later.
    pub fn plus_ms(self, ms: i64) -> Self {
        Self(self.0.saturating_add(ms))
    }
}

/// An exact frame rate such as 24000/1001, in lowest terms.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "(u32, u32)", into = "(u32, u32)")]
pub struct FrameRate {
    num: NonZeroU32,
    den: NonZeroU32,
}

/// The greatest common divisor; of 0 and another number, that number.
pub fn gcd(a: u64, b: u64) -> u64 {
    if b == 0 { a } else { gcd(b, a % b) }
}

impl FrameRate {
    /// 25 frames per second.
    pub const PAL: Self =
        Self { num: NonZeroU32::new(25).expect("25 is not zero"), den: NonZeroU32::MIN };

    /// `num / den` frames per second; `None` when either is zero.
    pub fn new(num: u32, den: u32) -> Option<Self> {
        let g = u32::try_from(gcd(num.into(), den.into())).unwrap_or(1).max(1);
        Some(Self { num: NonZeroU32::new(num / g)?, den: NonZeroU32::new(den / g)? })
    }

    /// Frames per `den` seconds.
    pub fn num(self) -> u32 {
        self.num.get()
    }

    /// Seconds in which `num` frames pass.
    pub fn den(self) -> u32 {
        self.den.get()
    }

    /// Frames in `ms` milliseconds, rounded half up: 6 s at 24000/1001 are 144.
    pub fn frames_in_ms(self, ms: u32) -> u32 {
        let num = u128::from(ms) * u128::from(self.num());
        let den = 1000 * u128::from(self.den());
        u32::try_from((2 * num + den) / (2 * den)).unwrap_or(u32::MAX)
    }

    /// When frame `n` starts, in nanoseconds rounded down: the value GStreamer gives it.
    pub fn frame_ns(self, n: u64) -> i64 {
        let ns = u128::from(n) * 1_000_000_000 * u128::from(self.den()) / u128::from(self.num());
        i64::try_from(ns).unwrap_or(i64::MAX)
    }

    /// Frames per second, for people and for `FRAME-RATE`.
    pub fn as_f64(self) -> f64 {
        f64::from(self.num()) / f64::from(self.den())
    }
}

impl fmt::Display for FrameRate {
    /// As the MPD's `@frameRate` wants it: `25` or `24000/1001` (ISO/IEC 23009-1, 5.3.7).
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.den() == 1 {
            write!(f, "{}", self.num)
        } else {
            write!(f, "{}/{}", self.num, self.den)
        }
    }
}

impl TryFrom<(u32, u32)> for FrameRate {
    type Error = String;
    fn try_from((num, den): (u32, u32)) -> Result<Self, String> {
        Self::new(num, den).ok_or_else(|| format!("{num}/{den} is not a frame rate"))
    }
}

impl From<FrameRate> for (u32, u32) {
    fn from(rate: FrameRate) -> Self {
        (rate.num(), rate.den())
    }
}

/// Ticks of a media timescale as exact seconds, `ticks / timescale`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct MediaTime {
    /// How many ticks.
    pub ticks: u64,
    /// Ticks per second.
    pub timescale: u32,
}

impl MediaTime {
    /// Seconds, for people and for decimal attributes.
    pub fn seconds(self) -> f64 {
        self.ticks as f64 / f64::from(self.timescale.max(1))
    }

    /// The same time in another timescale, rounded half up.
    pub fn rescale(self, timescale: u32) -> u64 {
        let from = u128::from(self.timescale.max(1));
        let scaled = (2 * u128::from(self.ticks) * u128::from(timescale) + from) / (2 * from);
        u64::try_from(scaled).unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests;
