//! Tests of percentiles.

use super::*;

#[test]
fn percentiles_are_of_all_calls() {
    let (mut some, mut others) = (Stopwatch::default(), Stopwatch::default());
    (1..=100).for_each(|ms| some.took(Duration::from_millis(ms)));
    (101..=200).for_each(|ms| others.took(Duration::from_millis(ms)));
    some.add(others);
    let Percentiles { calls, p50_ms, p99_ms } = some.percentiles();
    assert_eq!((calls, p50_ms, p99_ms), (200, 100.0, 198.0));
}
