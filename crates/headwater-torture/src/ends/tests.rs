//! Ends of processes: which are excused.

use super::*;

fn code(code: i32) -> ExitStatus {
    ExitStatus::from_raw(code << 8)
}

fn signal(signal: i32) -> ExitStatus {
    ExitStatus::from_raw(signal)
}

const YOUNG: Duration = Duration::from_secs(3);
const OLD: Duration = Duration::from_secs(60);

#[test]
fn only_who_could_not_start_may_end_by_itself() {
    assert!(is_excused(code(1), YOUNG, true));
    assert!(!is_excused(code(1), YOUNG, false), "nothing was away");
    assert!(!is_excused(code(1), OLD, true), "it had started long since");
    for status in [code(0), code(2), code(101), signal(6), signal(9), signal(11), signal(15)] {
        assert!(!is_excused(status, YOUNG, true), "{status}");
    }
}

#[test]
fn who_is_told_to_end_ends_with_0_once_it_listens() {
    assert!(is_proper(code(0), OLD));
    assert!(is_proper(code(0), YOUNG));
    assert!(is_proper(signal(15), YOUNG));
    assert!(!is_proper(signal(15), OLD));
    for status in [code(1), code(101), code(143), signal(6), signal(9)] {
        assert!(!is_proper(status, YOUNG), "{status}");
    }
}
