//! Brings frames of uneven distance onto a grid of equal steps, with no drift: every frame is placed by its own time from
//! the start, never by how long those before it were.

use crate::time::{FrameRate, NS};

/// Rates that players, televisions and editing tools are made for, lowest first.
const STANDARD: [(u32, u32); 8] =
    [(24_000, 1001), (24, 1), (25, 1), (30_000, 1001), (30, 1), (50, 1), (60_000, 1001), (60, 1)];

/// Time stamps this near to a grid lie on it: containers round to milliseconds.
const ON_GRID_NS: i64 = 1_500_000;

/// A rate as near as this to the mean is what the frames were made at. The longest pulldown pattern has five frames, and
/// a short clip may end within one.
const NEAR_MEAN: f64 = 0.02;

/// A grid, and how often each of the master's frames is shown on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pace {
    /// Steps per second.
    pub rate: FrameRate,
    /// Steps that each frame lasts, in order of presentation; 0 for a frame that another one of the same step replaces.
    pub shows: Vec<u32>,
}

impl Pace {
    /// Steps in all.
    pub fn steps(&self) -> u64 {
        self.shows.iter().map(|n| u64::from(*n)).sum()
    }
}

/// The grid for frames that are shown at `times` (ascending nanoseconds), the last of them until `end_ns`.
///
/// In order of preference: the standard rate near the mean where every frame gets one step and is nearest to it, as with film whose television
/// pulldown is only flags; the lowest one that all frames lie on, as of a phone that left some out; the one nearest to what
/// most frames last.
pub fn pace(times: &[i64], end_ns: i64) -> Option<Pace> {
    let (first, last) = (*times.first()?, *times.last()?);
    let rates = || STANDARD.iter().filter_map(|(num, den)| FrameRate::new(*num, *den));
    let mean = (times.len() - 1) as f64 * NS as f64 / (last - first).max(1) as f64;
    let near = |rate: &FrameRate| (rate.as_f64() / mean - 1.0).abs();
    let one_each = rates()
        .filter(|rate| near(rate) < NEAR_MEAN)
        .filter(|rate| steps(times, end_ns, *rate).iter().all(|n| *n == 1))
        .min_by_key(|rate| times.iter().map(|t| off_grid(t - first, *rate)).max());
    let on_grid = || {
        rates().find(|rate| {
            times.iter().all(|t| off_grid(t - first, *rate) <= ON_GRID_NS)
                && steps(times, end_ns, *rate).iter().all(|n| *n > 0)
        })
    };
    let usual = || {
        let mut lengths: Vec<i64> = times.windows(2).map(|w| w[1] - w[0]).collect();
        lengths.sort_unstable();
        let middle = lengths.get(lengths.len() / 2).copied().unwrap_or(0).max(1);
        let usual = NS as f64 / middle as f64;
        let ratio = |rate: &FrameRate| (rate.as_f64() / usual).ln().abs();
        rates().min_by(|a, b| ratio(a).total_cmp(&ratio(b)))
    };
    let rate = one_each.or_else(on_grid).or_else(usual)?;
    Some(Pace { rate, shows: steps(times, end_ns, rate) })
}

/// Which step of the grid is nearest to a time after its start.
fn step(ns: i64, rate: FrameRate) -> i64 {
    let steps = i128::from(ns) * i128::from(rate.num());
    let second = i128::from(NS) * i128::from(rate.den());
    i64::try_from((2 * steps + second).div_euclid(2 * second)).unwrap_or(i64::MAX)
}

/// How far a time is from the grid, in nanoseconds.
fn off_grid(ns: i64, rate: FrameRate) -> i64 {
    (ns - rate.frame_ns(u64::try_from(step(ns, rate)).unwrap_or(0))).abs()
}

fn steps(times: &[i64], end_ns: i64, rate: FrameRate) -> Vec<u32> {
    let first = times.first().copied().unwrap_or(0);
    let at = |t: i64| step(t - first, rate);
    let last = times.last().map_or(0, |t| at(*t));
    let ends = times.iter().skip(1).map(|t| at(*t)).chain([at(end_ns).max(last + 1)]);
    times.iter().zip(ends).map(|(t, end)| u32::try_from(end - at(*t)).unwrap_or(0)).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn rate(num: u32, den: u32) -> FrameRate {
        FrameRate::new(num, den).unwrap()
    }

    fn at(rate: FrameRate, frames: impl IntoIterator<Item = u64>) -> Vec<i64> {
        frames.into_iter().map(|n| rate.frame_ns(n)).collect()
    }

    #[test]
    fn a_phone_that_leaves_frames_out_keeps_its_grid() {
        let frames = (0..300).filter(|n| !matches!(n % 7, 2 | 3 | 5));
        let times = at(rate(30, 1), frames);
        let found = pace(&times, rate(30, 1).frame_ns(300)).unwrap();
        assert_eq!(found.rate, rate(30, 1));
        assert_eq!(found.steps(), 300);
        assert_eq!(found.shows[..4], [1, 3, 2, 1], "frames 0, 1, 4, 6 of seven");
    }

    #[test]
    fn film_with_pulldown_flags_is_film() {
        // Two fields, three fields: frames are shown for 33 and 50 ms in turn.
        let field = rate(60_000, 1001);
        let times = at(field, (0..240u64).map(|n| n / 2 * 5 + n % 2 * 2));
        let found = pace(&times, field.frame_ns(600)).unwrap();
        assert_eq!(found.rate, rate(24_000, 1001));
        assert!(found.shows.iter().all(|n| *n == 1));
    }

    #[test]
    fn a_screen_recording_gets_the_rate_that_most_frames_have() {
        // Milliseconds that lie on no grid: 33 ms mostly, with breaks.
        let mut now = 0;
        let times: Vec<i64> = (0..200)
            .map(|n| {
                let at = now;
                now += if n % 40 == 39 { 411_000_000 } else { 33_000_000 + n % 3 * 700_000 };
                at
            })
            .collect();
        let found = pace(&times, now).unwrap();
        assert_eq!(found.rate, rate(30_000, 1001));
    }

    #[test]
    fn one_frame_is_one_step_at_least() {
        let found = pace(&[7], 7).unwrap();
        assert_eq!(found.steps(), 1);
        assert_eq!(pace(&[], 0), None);
    }

    proptest! {
        /// No drift: each frame that is shown begins within half a step of its own time.
        #[test]
        fn frames_stay_where_they_are(lengths in prop::collection::vec(1_000_000i64..200_000_000, 1..400)) {
            let mut times = vec![0];
            for length in lengths {
                times.push(times[times.len() - 1] + length);
            }
            let end = times.pop().unwrap();
            let found = pace(&times, end).unwrap();
            let half = found.rate.frame_ns(1) / 2 + 2;
            let mut begins = 0;
            for (time, shows) in times.iter().zip(&found.shows) {
                if *shows > 0 {
                    prop_assert!((found.rate.frame_ns(begins) - time).abs() <= half);
                }
                begins += u64::from(*shows);
            }
            prop_assert_eq!(begins, found.steps());
            // The last frame, too, gets a step of its own.
            prop_assert!((found.rate.frame_ns(begins) - end).abs() <= 3 * half);
        }
    }
}
