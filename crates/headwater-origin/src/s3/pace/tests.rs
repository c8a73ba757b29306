//! Tests of the pace, in a time that they move.

use super::*;

const MS: Duration = Duration::from_millis(1);

/// How many turns there are in the next second for callers that come as soon as they may.
fn turns(pace: &mut Pace, now: &mut Instant) -> usize {
    let until = *now + Duration::from_secs(1);
    let mut turns = 0;
    while *now < until && turns < 1_000 {
        match pace.turn(*now) {
            Ok(()) => turns += 1,
            Err(wait) => *now += wait,
        }
    }
    turns
}

/// A window in which calls end like this, all at once at its end.
fn window(pace: &mut Pace, now: &mut Instant, ended: &[Ended]) {
    *now += WINDOW;
    // Only the last of them closes the window.
    pace.window.began = *now;
    let (last, others) = ended.split_last().unwrap();
    others.iter().for_each(|ended| pace.learn(*now, *ended));
    pace.window.began = *now - WINDOW;
    pace.learn(*now, *last);
}

/// One that lets in two calls a second.
fn slow() -> (Pace, Instant) {
    let mut now = Instant::now();
    let mut pace = Pace::new(now);
    for _ in 0..20 {
        window(&mut pace, &mut now, &[Ended::Throttled]);
    }
    (pace, now)
}

#[test]
fn an_origin_that_never_refused_anything_is_not_held_back() {
    let mut now = Instant::now();
    let mut pace = Pace::new(now);
    for _ in 0..10 {
        window(&mut pace, &mut now, &[Ended::Well, Ended::Badly]);
    }
    assert_eq!(turns(&mut pace, &mut now), 1_000);
}

#[test]
fn a_refusal_after_an_idle_hour_says_nothing_about_that_hour() {
    let mut now = Instant::now();
    let mut pace = Pace::new(now);
    pace.learn(now, Ended::Well);
    now += Duration::from_hours(1);
    pace.learn(now, Ended::Throttled);
    let turns = turns(&mut pace, &mut now);
    assert!((45..=60).contains(&turns), "{turns}");
}

#[test]
fn a_moment_of_refusals_halves_the_rate_and_no_more() {
    let mut now = Instant::now();
    let mut pace = Pace::new(now);
    // 400 asked in half a second.
    window(&mut pace, &mut now, &[Ended::Throttled; 400]);
    assert_eq!(pace.rate, Some(400.0));
    window(&mut pace, &mut now, &[Ended::Throttled; 200]);
    assert_eq!(pace.rate, Some(200.0));
    // What was let in is known better than by halves.
    window(&mut pace, &mut now, &[[Ended::Well; 90], [Ended::Throttled; 90]].concat());
    assert_eq!(pace.rate, Some(180.0 * ABOVE));
}

#[test]
fn an_origin_that_lets_in_next_to_nothing_is_asked_now_and_then() {
    let (mut pace, mut now) = slow();
    assert_eq!(pace.rate, Some(LOWEST_RATE));
    let turns = turns(&mut pace, &mut now);
    assert!((2..=3).contains(&turns), "{turns}");
}

#[test]
fn who_waits_has_a_turn_sooner_once_the_rate_has_risen() {
    let (mut pace, now) = slow();
    pace.turn(now).unwrap();
    let before = pace.turn(now).unwrap_err();
    assert!(before > 400 * MS, "{before:?}");
    pace.rate = Some(100.0);
    assert_eq!(pace.turn(now), Err(10 * MS));
    assert_eq!(pace.turn(now + 4 * MS), Err(6 * MS), "it comes nearer");
    assert_eq!(pace.turn(now + 10 * MS), Ok(()));
    pace.turn(now + 10 * MS).unwrap_err();
    pace.rate = None;
    assert_eq!(pace.turn(now + 10 * MS), Ok(()), "there is no limit any more");
}

#[test]
fn without_refusals_the_rate_grows_slowly_and_then_by_leaps() {
    let (mut pace, mut now) = slow();
    for _ in 0..QUIET {
        window(&mut pace, &mut now, &[Ended::Well]);
    }
    assert!(pace.rate.is_some_and(|rate| rate < 2.5), "{:?}", pace.rate);
    for _ in 0..10 {
        window(&mut pace, &mut now, &[Ended::Well]);
    }
    assert!(pace.rate.is_some_and(|rate| rate > 100.0), "{:?}", pace.rate);
    for _ in 0..20 {
        window(&mut pace, &mut now, &[Ended::Well]);
    }
    assert_eq!(pace.rate, None);
}

#[test]
fn starting_late_does_not_lower_the_rate() {
    let (mut pace, mut now) = slow();
    pace.rate = Some(200.0);
    let (until, mut turns) = (now + Duration::from_secs(1), 0);
    while now < until {
        match pace.turn(now) {
            Ok(()) => turns += 1,
            // As timers do.
            Err(wait) => now += wait + 2 * MS,
        }
    }
    assert!((195..=206).contains(&turns), "{turns}");
}

#[test]
fn however_long_a_pause_is_asked_for_it_is_a_minute_at_most() {
    let now = Instant::now();
    let mut pace = Pace::new(now);
    assert!(pace.freeze(now, Duration::from_secs(u64::MAX)), "that is news");
    assert_eq!(pace.turn(now), Err(LONGEST_PAUSE));
    assert!(!pace.freeze(now + MS, Duration::from_secs(1)), "that is none");
    assert_eq!(pace.turn(now + LONGEST_PAUSE), Ok(()));
}

#[test]
fn calls_in_flight_follow_how_well_the_origin_copes() {
    let mut now = Instant::now();
    let mut pace = Pace::new(now);
    for _ in 0..20 {
        window(&mut pace, &mut now, &[Ended::Well]);
    }
    assert_eq!(pace.in_flight(), MOST_IN_FLIGHT);
    window(&mut pace, &mut now, &[Ended::Well, Ended::Badly]);
    assert_eq!(pace.in_flight(), MOST_IN_FLIGHT, "as many well as badly");
    for _ in 0..20 {
        window(&mut pace, &mut now, &[Ended::Badly]);
    }
    assert_eq!(pace.in_flight(), LEAST_IN_FLIGHT);
}
