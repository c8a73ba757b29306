//! Tests of when a call is tried again.

use super::*;

const NOW: Duration = Duration::ZERO;

/// How often a call that always fails like this is made, and how long it waits at most in between.
fn tries(trouble: Trouble) -> (u32, Duration) {
    let (mut failures, mut tries, mut waited) = (Failures::default(), 1, Duration::ZERO);
    while let Some(wait) = failures.again(trouble, waited, 1.0) {
        tries += 1;
        waited += wait;
    }
    (tries, waited)
}

#[test]
fn each_trouble_has_its_own_tries() {
    let ms = Duration::from_millis;
    assert_eq!(tries(Trouble::Reset), (8, ms(25 * 127)));
    assert_eq!(tries(Trouble::Fault), (8, ms(200 * 127)));
    assert_eq!(tries(Trouble::Garbled), (3, ms(600)));
    assert_eq!(tries(Trouble::Timeout), (4, ms(7_000)));
    assert_eq!(tries(Trouble::Lasting), (1, NOW));
}

#[test]
fn a_throttled_call_is_tried_for_as_long_as_anybody_waits() {
    let (tries, waited) = tries(Trouble::Throttled(None));
    assert!(tries > 20 && waited >= THROTTLED_LIMIT && waited <= THROTTLED_LIMIT + THROTTLED_CAP);
}

#[test]
fn a_call_that_was_throttled_often_is_not_asleep_when_there_is_room() {
    let mut failures = Failures::default();
    let waits = (0..50).filter_map(|_| failures.again(Trouble::Throttled(None), NOW, 1.0));
    assert_eq!(waits.max(), Some(Duration::from_secs(1)));
}

#[test]
fn one_trouble_does_not_use_up_the_tries_of_another() {
    let mut failures = Failures::default();
    for _ in 0..50 {
        assert!(failures.again(Trouble::Throttled(None), NOW, 1.0).is_some());
    }
    for (trouble, first) in [
        (Trouble::Reset, 25),
        (Trouble::Fault, 200),
        (Trouble::Garbled, 200),
        (Trouble::Timeout, 1_000),
    ] {
        let wait = failures.again(trouble, NOW, 1.0);
        assert_eq!(wait, Some(Duration::from_millis(first)), "{trouble:?}: the first of its kind");
    }
}

#[test]
fn calls_that_failed_together_come_back_apart() {
    let wait = |jitter| Failures::default().again(Trouble::Fault, NOW, jitter).unwrap();
    assert_eq!((wait(0.0), wait(0.5)), (NOW, Duration::from_millis(100)));
    assert_eq!((wait(-1.0), wait(7.0)), (NOW, Duration::from_millis(200)), "out of range");
}
