//! Bit rates that were measured, not asked for, as each standard defines them. All in bit/s, rounded up.

use crate::view::{SegmentView, TrackView};

/// Bits of `bytes` over `ticks`, in bit/s, rounded up; 0 for no time.
fn rate(bytes: u64, ticks: u64, timescale: u32) -> u64 {
    if ticks == 0 {
        return 0;
    }
    let bits_times_scale = u128::from(bytes) * 8 * u128::from(timescale);
    u64::try_from(bits_times_scale.div_ceil(u128::from(ticks))).unwrap_or(u64::MAX)
}

/// The average segment bit rate (RFC 8216, 4.1): all bytes over all time.
pub(crate) fn average(track: &TrackView) -> u64 {
    let bytes = track.segments.iter().map(|s| s.bytes_in_hls).sum();
    let ticks = track.segments.iter().map(|s| s.ticks).sum();
    rate(bytes, ticks, track.timescale)
}

/// The peak segment bit rate (RFC 8216, 4.1): the largest bit rate of any contiguous set of segments whose total
/// duration is between 0.5 and 1.5 target durations (`target`, in seconds). Where no set is that long, as in a clip of
/// a blink, it is the average.
pub(crate) fn peak(track: &TrackView, target: u64) -> u64 {
    // Durations doubled, so that half a target is a whole number of ticks.
    let target = u128::from(target) * u128::from(track.timescale);
    let mut peak = None;
    for first in 0..track.segments.len() {
        let (mut bytes, mut ticks) = (0u64, 0u64);
        for segment in track.segments.iter().skip(first) {
            bytes += segment.bytes_in_hls;
            ticks += segment.ticks;
            let doubled = 2 * u128::from(ticks);
            if doubled > 3 * target {
                break;
            }
            if doubled >= target {
                peak = peak.max(Some(rate(bytes, ticks, track.timescale)));
            }
        }
    }
    peak.unwrap_or_else(|| average(track))
}

/// `@bandwidth` (ISO/IEC 23009-1, 5.3.5.2): the smallest constant rate that, from any segment on, delivers every byte
/// before it is needed when playing starts `buffer_ms` after loading.
pub(crate) fn sustained(track: &TrackView, buffer_ms: u64) -> u64 {
    let (mut low, mut high) = (1, 1);
    while !sustains(track, buffer_ms, high) {
        if high == u64::MAX {
            return high;
        }
        (low, high) = (high, high.saturating_mul(2));
    }
    while low < high {
        let middle = low + (high - low) / 2;
        if sustains(track, buffer_ms, middle) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    high
}

/// Whether a channel of `bandwidth` never keeps a player waiting that began with any segment.
///
/// For all first segments i and later ones j: bits(i..=j) ≤ bandwidth × (start(j) − start(i) + buffer). Seen from j,
/// the worst i is where a bucket that fills with each segment's bits and leaks at `bandwidth` ran empty last: one pass.
fn sustains(track: &TrackView, buffer_ms: u64, bandwidth: u64) -> bool {
    let scale = u128::from(track.timescale);
    let bandwidth = u128::from(bandwidth);
    // In bits × timescale, and bits × timescale × 1000 where milliseconds come in.
    let brim = bandwidth.saturating_mul(u128::from(buffer_ms)).saturating_mul(scale);
    let mut level = 0u128;
    track.segments.iter().all(|SegmentView { ticks, bytes, .. }| {
        level = level.saturating_add(u128::from(*bytes) * 8 * scale);
        let in_time = level.saturating_mul(1000) <= brim;
        level = level.saturating_sub(bandwidth.saturating_mul(u128::from(*ticks)));
        in_time
    })
}

#[cfg(test)]
mod tests;
