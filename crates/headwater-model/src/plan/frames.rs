//! Which frames a title has, and how they are cut into segments and spans.

use std::ops::Range;

use super::{FrameTicks, SegmentPlan, SpanPlan, SpanRead};
use crate::index::{Basis, Cadence, Index};
use crate::ladder::VideoRendition;
use crate::pace::pace;
use crate::refusal::{Code, Refusal};
use crate::time::{FrameRate, MediaTime, NS, gcd};

/// Ticks per second of a title with variable cadence: MPEG's system clock / 300, fine enough for any container.
const VARIABLE_TIMESCALE: u32 = 90_000;

/// A last segment shorter than this joins the one before: a player should not fetch an object for a blink.
const SHORTEST_TAIL_MS: u32 = 1_000;

/// RFC 8216 has no limit, but DESIGN promises segments of at most 10 s.
const LONGEST_SEGMENT_MS: u64 = 10_000;

/// Timescale and duration of every frame. A whole rate such as 25 gets ticks of a millisecond or finer, so that
/// players which keep time in floating point see round numbers; 24000/1001 is exact as it is.
pub(super) fn frame_ticks(
    cadence: Cadence,
    times: &[i64],
    last_duration_ns: Option<i64>,
) -> (u32, FrameTicks) {
    match cadence {
        Cadence::Constant(rate) => {
            let fine = if rate.num() < 10_000 { 1000 } else { 1 };
            (rate.num() * fine, FrameTicks::Each(rate.den() * fine))
        }
        Cadence::Variable(rate) => {
            let first = times.first().copied().unwrap_or(0);
            let tick = |ns: i64| {
                MediaTime { ticks: u64::try_from(ns - first).unwrap_or(0), timescale: NS as u32 }
                    .rescale(VARIABLE_TIMESCALE)
            };
            let mut list: Vec<u32> = times
                .windows(2)
                .map(|w| u32::try_from(tick(w[1]) - tick(w[0])).unwrap_or(u32::MAX).max(1))
                .collect();
            let last = last_duration_ns
                .filter(|ns| (1..NS).contains(ns))
                .unwrap_or_else(|| rate.frame_ns(1));
            list.push(u32::try_from(tick(first + last)).unwrap_or(1).max(1));
            (VARIABLE_TIMESCALE, FrameTicks::List(list))
        }
    }
}

/// Which frames a title has.
pub(super) enum Grid {
    /// Those of the master, one for one.
    Own,
    /// Even steps; up to which of them each of the master's frames is shown, in order.
    Steps(Vec<u64>),
}

impl Grid {
    /// How many frames the title has, where it is not as many as the master.
    pub(super) fn frames(&self) -> Option<u64> {
        match self {
            Grid::Own => None,
            Grid::Steps(ends) => Some(ends.last().copied().unwrap_or(0)),
        }
    }

    /// Which of the master's frames the title's frames `wanted` show, and how many of these show each.
    pub(super) fn of_master(&self, wanted: Range<u64>) -> (Range<usize>, Option<Vec<u32>>) {
        let Grid::Steps(ends) = self else {
            return (wanted.start as usize..wanted.end as usize, None);
        };
        let first = ends.partition_point(|end| *end <= wanted.start);
        let last = ends.partition_point(|end| *end < wanted.end);
        let repeats = (first..=last)
            .map(|n| {
                let begins = n.checked_sub(1).and_then(|n| ends.get(n)).copied().unwrap_or(0);
                let end = ends.get(n).copied().unwrap_or(begins);
                let shown = end.min(wanted.end).saturating_sub(begins.max(wanted.start));
                u32::try_from(shown).unwrap_or(u32::MAX)
            })
            .collect();
        (first..last + 1, Some(repeats))
    }
}

/// Brings frames of uneven distance onto a steady grid.
pub(super) fn steady(
    times: &[i64],
    last_duration_ns: Option<i64>,
    mean: FrameRate,
) -> (Cadence, Grid) {
    let length = last_duration_ns.filter(|ns| (1..NS).contains(ns));
    let end = times.last().map_or(0, |last| last + length.unwrap_or_else(|| mean.frame_ns(1)));
    let Some(found) = pace(times, end) else { return (Cadence::Constant(mean), Grid::Own) };
    let mut now = 0;
    let ends = found.shows.iter().map(|steps| {
        now += u64::from(*steps);
        now
    });
    (Cadence::Constant(found.rate), Grid::Steps(ends.collect()))
}

/// The least number of frames after which each of these renditions shows one again.
pub(super) fn stride(video: &[VideoRendition]) -> u32 {
    let every = video.iter().filter(|v| !v.trick).map(|v| u64::from(v.every.max(1)));
    u32::try_from(every.fold(1, |all, every| all / gcd(all, every) * every)).unwrap_or(u32::MAX)
}

/// The number of frames nearest to `frames` with which segments begin on a frame that each of these renditions shows.
pub(super) fn to_multiple(frames: u32, video: &[VideoRendition]) -> u64 {
    let stride = u64::from(stride(video));
    ((u64::from(frames) + stride / 2) / stride).max(1) * stride
}

/// First frames of the segments of an encoded title: a segment is `each` frames, `round(target × rate)` (R2).
pub(super) fn encoded_starts(
    frames: u64,
    each: u64,
    ticks: &FrameTicks,
    timescale: u32,
) -> Vec<u64> {
    let mut starts: Vec<u64> = (0..frames).step_by(each as usize).collect();
    if let [.., _, last] = starts[..] {
        let tail: u64 = (last..frames).map(|n| u64::from(ticks.of(n))).sum();
        if tail < u64::from(SHORTEST_TAIL_MS) * u64::from(timescale) / 1000 {
            starts.pop();
        }
    }
    starts
}

/// First frames of the segments of a title whose video is copied: the first key at or after each multiple of the
/// target. A key whose leading pictures are shown before it cannot start a segment.
pub(super) fn copied_starts(
    index: &Index,
    order: &[u32],
    ticks: &FrameTicks,
    timescale: u32,
    target_ms: u32,
) -> Result<Vec<u64>, Refusal> {
    let refuse = |why: String| Refusal::new(Code::PipelineMismatch, why);
    if index.basis == Basis::Decoded {
        return Err(refuse(
            "the video cannot be copied: its time stamps are not usable".to_owned(),
        ));
    }
    let limit = LONGEST_SEGMENT_MS * u64::from(timescale) / 1000;
    let target = (u64::from(target_ms) * u64::from(timescale) / 1000).max(1);
    let mut starts = vec![0];
    let (mut now, mut started, mut next) = (0, 0, target);
    // Largest unit number among the frames shown so far: a closed key is decoded after all of them.
    let mut latest_unit = 0;
    for (n, unit) in (0u64..).zip(order) {
        let closed_key = index.units.get(*unit as usize).is_some_and(|u| u.key && !u.open)
            && (n == 0 || *unit > latest_unit);
        if n == 0 && !closed_key {
            return Err(refuse(
                "the video cannot be copied: it does not start with a key frame".to_owned(),
            ));
        }
        if closed_key && now >= next {
            starts.push(n);
            started = now;
            next = (now / target + 1) * target;
        }
        latest_unit = latest_unit.max(*unit);
        now += u64::from(ticks.of(n));
        if now - started > limit {
            let at = MediaTime { ticks: started, timescale }.seconds();
            return Err(refuse(format!(
                "the video cannot be copied: no closed key frame for more than 10 s after {at:.3} s; transcode it instead"
            )));
        }
    }
    Ok(starts)
}

/// How far a master reorders its own frames: the most by which any frame is decoded after its place in the order of
/// presentation.
pub(super) fn copied_delay(index: &Index, order: &[u32], ticks: &FrameTicks) -> u64 {
    let mut starts = Vec::with_capacity(order.len());
    let mut place = vec![None; index.units.len()];
    let mut now = 0u64;
    for (n, unit) in (0u64..).zip(order) {
        starts.push(now);
        now += u64::from(ticks.of(n));
        if let Some(place) = place.get_mut(*unit as usize) {
            *place = starts.last().copied();
        }
    }
    place
        .iter()
        .flatten()
        .zip(&starts)
        .map(|(shown, slot)| slot.saturating_sub(*shown))
        .max()
        .unwrap_or(0)
}

pub(super) fn lay_out(starts: &[u64], frames: u64, ticks: &FrameTicks) -> Vec<SegmentPlan> {
    let ends = starts.iter().skip(1).copied().chain([frames]);
    let mut start = 0;
    starts
        .iter()
        .zip(ends)
        .map(|(first_frame, end)| {
            let length: u64 = (*first_frame..end).map(|n| u64::from(ticks.of(n))).sum();
            let frames = u32::try_from(end - first_frame).unwrap_or(u32::MAX);
            let segment = SegmentPlan { first_frame: *first_frame, frames, start, ticks: length };
            start += length;
            segment
        })
        .collect()
}

/// Cuts segments into as few runs of at most `most` as it takes, all as long as each other give or take one: a worker
/// with a short last span would wait for the others.
fn share_out(segments: &[SegmentPlan], most: u32) -> impl Iterator<Item = &[SegmentPlan]> {
    let runs = segments.len().div_ceil(usize::try_from(most).unwrap_or(usize::MAX).max(1));
    let start = move |n: usize| n * segments.len() / runs;
    (0..runs).map(move |n| segments.get(start(n)..start(n + 1)).unwrap_or(&[]))
}

/// Where a title's frames come from.
pub(super) struct Frames<'a> {
    pub(super) index: &'a Index,
    /// The units of the master's frames in order of presentation.
    pub(super) order: &'a [u32],
    pub(super) grid: Grid,
    /// How many frames before and after those of a span have to be decoded as well.
    pub(super) around: usize,
}

pub(super) fn cut_spans(
    segments: &[SegmentPlan],
    span_segments: u32,
    of: &Frames<'_>,
    ticks: &FrameTicks,
) -> Vec<SpanPlan> {
    let index = of.index;
    let mut first_segment = 0;
    share_out(segments, span_segments)
        .map(|chunk| {
            let first = chunk.first().map_or(0, |s| s.first_frame);
            let frames: u64 = chunk.iter().map(|s| u64::from(s.frames)).sum();
            let (kept, repeats) = of.grid.of_master(first..first + frames);
            let begin = kept.start.saturating_sub(of.around);
            let end = (kept.end + of.around).min(of.order.len());
            let run = of.order.get(kept).unwrap_or(&[]);
            let units = index.units_for(of.order.get(begin..end).unwrap_or(run));
            let pts = |n: Option<&u32>| {
                n.and_then(|n| index.units.get(*n as usize)).map_or(0, |u| u.pts_ns)
            };
            let start = index.units.get(units.start as usize);
            let span = SpanPlan {
                first_segment,
                segments: chunk.len() as u32,
                read: SpanRead {
                    basis: index.basis,
                    first_unit: units.start,
                    first_unit_pts_ns: start.map_or(0, |u| u.pts_ns),
                    first_unit_size: start.map_or(0, |u| u.size),
                    units: units.len() as u32,
                    first_frame_pts_ns: pts(run.first()),
                    last_frame_pts_ns: pts(run.last()),
                    frames: run.len() as u64,
                },
                ticks: match ticks {
                    FrameTicks::Each(each) => FrameTicks::Each(*each),
                    FrameTicks::List(list) => {
                        FrameTicks::List(list[first as usize..(first + frames) as usize].to_vec())
                    }
                },
                repeats,
            };
            first_segment += chunk.len() as u32;
            span
        })
        .collect()
}
