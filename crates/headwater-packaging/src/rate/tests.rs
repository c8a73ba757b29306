//! Bit rates against their definitions, written out the slow way.

use proptest::prelude::*;

use super::*;

fn track(segments: &[(u64, u64)]) -> TrackView {
    let mut start = 0;
    let segments = segments
        .iter()
        .map(|(ticks, bytes)| {
            let segment = SegmentView { start, ticks: *ticks, bytes: *bytes, bytes_in_hls: *bytes };
            start += ticks;
            segment
        })
        .collect();
    TrackView {
        name: String::new(),
        codec: String::new(),
        timescale: 1000,
        delay: 0,
        version: None,
        segments,
    }
}

#[test]
fn peak_of_whole_segments_is_that_of_the_heaviest() {
    assert_eq!(peak(&track(&[(6000, 6000), (6000, 12_000), (6000, 3000)]), 6), 16_000);
}

#[test]
fn short_heavy_tail_counts_only_with_its_neighbour() {
    // 1 s is less than half a target: the tail's own 80 kbit/s are never asked of a network for long enough.
    assert_eq!(peak(&track(&[(6000, 6000), (1000, 10_000)]), 6), 18_286);
}

#[test]
fn sets_longer_than_one_and_a_half_targets_do_not_count() {
    // The heavy second never counts: by itself it is too short, and with its neighbour it is 10 s of at most 9.
    assert_eq!(peak(&track(&[(9000, 9000), (1000, 100_000)]), 6), 8000);
}

#[test]
fn no_set_of_segments_is_long_enough() {
    assert_eq!(peak(&track(&[(200, 100)]), 1), 4000);
    assert_eq!(peak(&track(&[]), 6), 0);
}

#[test]
fn heavy_start_needs_more_than_a_heavy_segment_later() {
    // A first segment of 12 kB must arrive within the buffer of 6 s.
    assert_eq!(sustained(&track(&[(6000, 12_000), (6000, 6000)]), 6000), 16_000);
    // The second has 12 s from the first on, but a player may start with it.
    assert_eq!(sustained(&track(&[(6000, 6000), (6000, 12_000)]), 6000), 16_000);
    assert_eq!(sustained(&track(&[]), 6000), 1);
}

/// The definition of [`sustained`] for every pair of segments.
fn sustained_by_definition(track: &TrackView, buffer_ms: u64) -> u64 {
    let mut rate = 1;
    for i in 0..track.segments.len() {
        for j in i..track.segments.len() {
            let bits: u64 = track.segments[i..=j].iter().map(|s| s.bytes * 8).sum();
            let ms = track.segments[j].start - track.segments[i].start + buffer_ms;
            rate = rate.max((bits * 1000).div_ceil(ms));
        }
    }
    rate
}

proptest! {
    #[test]
    fn sustained_is_the_smallest_rate_that_is_in_time(
        segments in prop::collection::vec((1..10_000u64, 0..10_000_000u64), 0..20),
        buffer in 1..10_000u64,
    ) {
        let track = track(&segments);
        prop_assert_eq!(sustained(&track, buffer), sustained_by_definition(&track, buffer));
    }

    #[test]
    fn peak_lies_between_average_and_the_heaviest_moment(
        segments in prop::collection::vec((500..9000u64, 1..10_000_000u64), 1..20),
    ) {
        let track = track(&segments);
        let heaviest = track.segments.iter().map(|s| rate(s.bytes, s.ticks, 1000)).max();
        prop_assert!(Some(peak(&track, 6)) <= heaviest);
    }
}
