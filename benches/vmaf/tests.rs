//! Tests of reading VMAF off between measured points.

use super::*;

const CURVE: [Point; 3] = [
    Point { bytes: 4_000, vmaf: 94.0 },
    Point { bytes: 1_000, vmaf: 90.0 },
    Point { bytes: 2_000, vmaf: 92.5 },
];

#[track_caller]
fn check(bytes: u64, expected: f64) {
    let vmaf = at_bytes(&CURVE, bytes).unwrap();
    assert!((vmaf - expected).abs() < 0.001, "{vmaf}");
}

#[test]
fn points_are_met_exactly() {
    check(1_000, 90.0);
    check(2_000, 92.5);
    check(4_000, 94.0);
}

#[test]
fn between_two_points_each_doubling_gains_the_same() {
    check(1_414, 91.2497);
    check(2_828, 93.2497);
}

#[test]
fn beyond_the_points_the_line_goes_on() {
    check(500, 87.5);
    check(8_000, 95.5);
}

#[test]
fn one_point_makes_no_line() {
    assert_eq!(at_bytes(&CURVE[..1], 1_000), None);
    assert_eq!(at_bytes(&[CURVE[0]; 3], 1_000), None);
}
