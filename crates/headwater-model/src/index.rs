//! The index of a master's video track: every access unit, and what follows from it (R3).
//!
//! A span's frames are decided here, by arithmetic on what one parse-only pass recorded, and never by where a seek
//! happens to land.

use std::ops::{Range, RangeInclusive};

use serde::{Deserialize, Serialize};

use crate::time::{FrameRate, NS};

/// One access unit in decoding order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unit {
    /// Presentation time stamp in nanoseconds, as the decoder will repeat it on the frame.
    pub pts_ns: i64,
    /// Size in bytes; together with the PTS it recognises the unit after a seek.
    pub size: u32,
    /// Decoding can start here.
    pub key: bool,
    /// A key that is no clean start: an H.264 recovery point. A decoder that starts here has no history of frame numbers
    /// and references, and gives reliable pictures only from the next key on.
    pub open: bool,
    /// A frame comes out of it. False for alternate reference frames, for what an edit list cuts away and for what
    /// precedes the first key.
    pub shown: bool,
}

/// How the index was made, which decides how spans may read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Basis {
    /// Parsed: units are known, spans start at any key.
    Parsed,
    /// Decoded once from end to end, since the container's time stamps cannot be trusted: units are frames in output
    /// order, and the title is one span.
    Decoded,
}

/// The index of one video track. `wire` form: columns, so that two hours of film are a few megabytes of JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Columns", into = "Columns")]
pub struct Index {
    /// How it was made.
    pub basis: Basis,
    /// Units in decoding order.
    pub units: Vec<Unit>,
    /// How long the last frame lasts, in nanoseconds, when the container says.
    pub last_duration_ns: Option<i64>,
}

#[derive(Serialize, Deserialize)]
struct Columns {
    basis: Basis,
    /// Difference to the PTS before.
    pts_ns: Vec<i64>,
    sizes: Vec<u32>,
    /// One letter a unit: `K` key, `R` open key, `-` neither; lower case and `.` when it is not shown.
    kinds: String,
    last_duration_ns: Option<i64>,
}

impl From<Index> for Columns {
    fn from(index: Index) -> Self {
        let mut before = 0;
        let pts_ns = index
            .units
            .iter()
            .map(|u| {
                let step = u.pts_ns.wrapping_sub(before);
                before = u.pts_ns;
                step
            })
            .collect();
        let kind = |u: &Unit| match (u.key, u.open, u.shown) {
            (true, false, true) => 'K',
            (true, false, false) => 'k',
            (true, true, true) => 'R',
            (true, true, false) => 'r',
            (false, _, true) => '-',
            (false, _, false) => '.',
        };
        Columns {
            basis: index.basis,
            pts_ns,
            sizes: index.units.iter().map(|u| u.size).collect(),
            kinds: index.units.iter().map(kind).collect(),
            last_duration_ns: index.last_duration_ns,
        }
    }
}

impl TryFrom<Columns> for Index {
    type Error = String;
    fn try_from(c: Columns) -> Result<Self, String> {
        if c.pts_ns.len() != c.sizes.len() || c.sizes.len() != c.kinds.len() {
            return Err("the columns of the index differ in length".to_owned());
        }
        let mut pts = 0i64;
        let mut units = Vec::with_capacity(c.sizes.len());
        for ((step, size), kind) in c.pts_ns.into_iter().zip(c.sizes).zip(c.kinds.chars()) {
            pts = pts.wrapping_add(step);
            let key = matches!(kind, 'K' | 'k' | 'R' | 'r');
            let open = matches!(kind, 'R' | 'r');
            units.push(Unit {
                pts_ns: pts,
                size,
                key,
                open,
                shown: matches!(kind, 'K' | 'R' | '-'),
            });
        }
        Ok(Index { basis: c.basis, units, last_duration_ns: c.last_duration_ns })
    }
}

/// When frames are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Cadence {
    /// Every frame lasts exactly `1 / rate` seconds.
    Constant(FrameRate),
    /// Frames keep the times that the master gives them. The rate is the mean: what playlists and people are told
    /// (`frameRate` of ISO 23009-1 5.3.7.2).
    Variable(FrameRate),
}

impl Cadence {
    /// The exact rate, or the mean one.
    pub fn rate(self) -> FrameRate {
        match self {
            Cadence::Constant(rate) | Cadence::Variable(rate) => rate,
        }
    }
}

/// Rates that material is made in, most common first. A cadence that fits one of them within the container's rounding
/// is that rate.
const STANDARD_RATES: [(u32, u32); 17] = [
    (24000, 1001),
    (24, 1),
    (25, 1),
    (30000, 1001),
    (30, 1),
    (50, 1),
    (60000, 1001),
    (60, 1),
    (48000, 1001),
    (48, 1),
    (100, 1),
    (120000, 1001),
    (120, 1),
    (15, 1),
    (12, 1),
    (10, 1),
    (25, 2),
];

/// Containers with millisecond time stamps (WebM, Matroska) are off by up to 1 ms at both ends of a difference.
const ROUNDING_NS: i64 = 2_000_000;

impl Index {
    /// The shown units' numbers in presentation order: frame `n` of the title is unit `frames()[n]`.
    pub fn frames(&self) -> Vec<u32> {
        let mut order: Vec<u32> =
            (0u32..).zip(&self.units).filter(|(_, u)| u.shown).map(|(n, _)| n).collect();
        order.sort_by_key(|n| self.units[*n as usize].pts_ns);
        order
    }

    /// Presentation times of all frames in order, in nanoseconds.
    pub fn frame_times(&self) -> Vec<i64> {
        let mut times: Vec<i64> = self.units.iter().filter(|u| u.shown).map(|u| u.pts_ns).collect();
        times.sort_unstable();
        times
    }

    /// Which units to decode so that the frames whose units are `frames` (a run of [`Index::frames`]) come out whole:
    /// from the last key that all of them can be decoded from, to the last of them.
    ///
    /// A frame that is decoded after a key but shown before it (a leading picture of an open GOP) refers to the GOP
    /// before, so that key does not serve it. And before an open key, one more GOP is decoded and dropped.
    pub fn units_for(&self, frames: &[u32]) -> Range<u32> {
        let first = frames.iter().copied().min().unwrap_or(0);
        let end = frames.iter().copied().max().map_or(0, |n| n + 1);
        let earliest_pts =
            frames.iter().map(|n| self.units[*n as usize].pts_ns).min().unwrap_or(i64::MIN);
        let last_key = |range: RangeInclusive<u32>, fits: &dyn Fn(&Unit) -> bool| {
            range.rev().find(|n| self.units.get(*n as usize).is_some_and(|u| u.key && fits(u)))
        };
        let key = last_key(0..=first, &|u| u.pts_ns <= earliest_pts).unwrap_or(0);
        let open = self.units.get(key as usize).is_some_and(|u| u.open);
        let key = match key.checked_sub(1) {
            Some(before) if open => last_key(0..=before, &|_| true).unwrap_or(0),
            _ => key,
        };
        key..end
    }
}

/// The cadence of frames shown at `times` (ascending nanoseconds). `stated` is what the container claims; it wins over
/// an equally good fit, since a short clip cannot tell 24 from 23.976.
pub fn cadence(times: &[i64], stated: Option<FrameRate>) -> Cadence {
    let standard = || STANDARD_RATES.iter().filter_map(|(n, d)| FrameRate::new(*n, *d));
    let sane = stated.filter(|r| (1.0..=300.0).contains(&r.as_f64()));
    let (Some(first), Some(last)) = (times.first(), times.last()) else {
        return Cadence::Constant(sane.unwrap_or(DEFAULT_RATE));
    };
    if times.len() < 2 || last <= first {
        return Cadence::Constant(sane.unwrap_or(DEFAULT_RATE));
    }
    let mean = (times.len() - 1) as f64 * NS as f64 / (last - first) as f64;
    // A rate that no standard names, such as 14.985 or 7.5: three decimals are what containers can express.
    let measured = FrameRate::new((mean * 1000.0).round() as u32, 1000);
    let worst = |rate: FrameRate| {
        (0u64..).zip(times).map(|(n, t)| (t - first - rate.frame_ns(n)).abs()).max().unwrap_or(0)
    };
    let fits = |rate: FrameRate| worst(rate) <= ROUNDING_NS.min(rate.frame_ns(1) / 4);
    if let Some(rate) = sane.filter(|r| fits(*r)) {
        return Cadence::Constant(standard().find(|s| s == &rate).unwrap_or(rate));
    }
    let best =
        standard().filter(|r| fits(*r)).min_by_key(|r| worst(*r)).or(measured.filter(|r| fits(*r)));
    if let Some(rate) = best {
        return Cadence::Constant(rate);
    }
    let near = |r: &FrameRate| (r.as_f64() / mean - 1.0).abs();
    let nominal =
        standard().filter(|r| near(r) < MEAN_IS).min_by(|a, b| near(a).total_cmp(&near(b)));
    Cadence::Variable(nominal.or(measured).unwrap_or(DEFAULT_RATE))
}

/// A mean this near to a standard rate is that rate: closer than 24 is to 23.976.
const MEAN_IS: f64 = 0.000_5;

/// What a lone frame is taken to last 1/n of a second of.
const DEFAULT_RATE: FrameRate = FrameRate::PAL;

#[cfg(test)]
mod tests;
