//! The index: order, where decoding starts, and which cadence times have.

use super::*;

/// Units from a drawing in decoding order: `I0 P3 b1 b2` are a key shown at 0, a frame shown at 3 …; lower case is
/// an ordinary frame, `K`/`I` a key, `R` an open one, `x` not shown. Times are in units of 40 ms.
fn index(drawing: &str) -> Index {
    let units = drawing
        .split_whitespace()
        .map(|word| {
            let (kind, at) = word.split_at(1);
            Unit {
                pts_ns: at.parse::<i64>().unwrap() * 40_000_000,
                size: 1,
                key: matches!(kind, "I" | "K" | "R"),
                open: kind == "R",
                shown: kind != "x",
            }
        })
        .collect();
    Index { basis: Basis::Parsed, units, last_duration_ns: None }
}

#[test]
fn frames_are_in_presentation_order() {
    assert_eq!(index("I0 p3 b1 b2 x3 p4").frames(), [0, 2, 3, 1, 5]);
}

#[test]
fn closed_gop_starts_at_its_own_key() {
    let i = index("I0 p3 b1 b2 I4 p7 b5 b6");
    assert_eq!(i.units_for(&i.frames()[4..8]), 4..8);
}

#[test]
fn a_span_inside_a_gop_starts_at_the_key_before() {
    let i = index("I0 p3 b1 b2 I4 p7 b5 b6");
    assert_eq!(i.units_for(&i.frames()[5..6]), 4..7);
}

#[test]
fn leading_pictures_need_the_gop_before() {
    // Open GOP: 4 and 5 are decoded after the key that is shown at 6, and refer to 3.
    let i = index("I0 p3 b1 b2 I6 b4 b5 p9 b7 b8");
    assert_eq!(i.units_for(&i.frames()[4..10]), 0..10);
    assert_eq!(i.units_for(&i.frames()[6..10]), 4..10);
}

#[test]
fn an_open_key_is_approached_from_the_one_before() {
    let i = index("I0 p1 R2 p3 R4 p5 p6");
    assert_eq!(i.units_for(&i.frames()[5..7]), 2..7);
    assert_eq!(i.units_for(&i.frames()[2..4]), 0..4);
}

#[test]
fn columns_survive_json() {
    let i = index("I0 p3 b1 b2 x3 R4 I5");
    let json = serde_json::to_string(&i).unwrap();
    assert_eq!(serde_json::from_str::<Index>(&json).unwrap(), i);
    assert!(
        serde_json::from_str::<Index>(r#"{"basis":"parsed","pts_ns":[1],"sizes":[],"kinds":"K"}"#)
            .is_err()
    );
}

fn times(rate: (u32, u32), n: u64, round_ns: i64) -> Vec<i64> {
    let rate = FrameRate::new(rate.0, rate.1).unwrap();
    (0..n).map(|i| (rate.frame_ns(i) + round_ns / 2) / round_ns * round_ns).collect()
}

#[test]
fn constant_rates_are_recognised_through_rounding() {
    for rate in STANDARD_RATES {
        let exact = FrameRate::new(rate.0, rate.1).unwrap();
        for round in [1, 11_111, 1_000_000] {
            assert_eq!(
                cadence(&times(rate, 2000, round), None),
                Cadence::Constant(exact),
                "{exact} rounded to {round} ns"
            );
        }
    }
}

#[test]
fn the_stated_rate_decides_for_a_short_clip() {
    let film = FrameRate::new(24000, 1001).unwrap();
    assert_eq!(cadence(&times((24, 1), 10, 1_000_000), Some(film)), Cadence::Constant(film));
}

#[test]
fn a_dropped_frame_makes_the_cadence_variable() {
    let mut t = times((25, 1), 500, 1);
    t.remove(200);
    let mean = FrameRate::new(24_950, 1000).unwrap();
    assert_eq!(cadence(&t, FrameRate::new(25, 1)), Cadence::Variable(mean));
}

#[test]
fn a_lone_frame_has_the_stated_rate() {
    assert_eq!(cadence(&[7], None), Cadence::Constant(FrameRate::PAL));
    assert_eq!(
        cadence(&[7], FrameRate::new(30, 1)),
        Cadence::Constant(FrameRate::new(30, 1).unwrap())
    );
}
