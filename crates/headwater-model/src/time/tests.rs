//! Frame rates and ticks: the numbers that DESIGN promises.

use super::*;

#[test]
fn six_seconds_are_counted_in_frames() {
    for (num, den, frames) in [
        (24000, 1001, 144),
        (25, 1, 150),
        (30000, 1001, 180),
        (30, 1, 180),
        (60000, 1001, 360),
        (25, 2, 75),
    ] {
        assert_eq!(
            FrameRate::new(num, den).map(|r| r.frames_in_ms(6000)),
            Some(frames),
            "{num}/{den}"
        );
    }
}

#[test]
fn rates_are_in_lowest_terms_and_never_zero() {
    assert_eq!(FrameRate::new(50, 2), FrameRate::new(25, 1));
    assert_eq!(FrameRate::new(0, 1), None);
    assert_eq!(FrameRate::new(25, 0), None);
    assert_eq!(FrameRate::new(30000, 1001).map(|r| r.to_string()).as_deref(), Some("30000/1001"));
}

#[test]
fn rescaling_rounds_half_up() {
    assert_eq!(MediaTime { ticks: 1001, timescale: 24000 }.rescale(48000), 2002);
    assert_eq!(MediaTime { ticks: 1, timescale: 2 }.rescale(1), 1);
}
