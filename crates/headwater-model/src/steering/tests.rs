//! States of tasks in words, and orders that make no sense.

use super::*;

#[test]
fn the_clock_tells_who_waits_and_who_is_silent() {
    let of = |stored, held, due| TaskState::of(stored, held, Timestamp(due), Timestamp(10));
    assert_eq!(of("queued", false, 10), Some(TaskState::Queued));
    assert_eq!(of("queued", false, 11), Some(TaskState::Waiting));
    assert_eq!(of("queued", true, 10), Some(TaskState::Held));
    assert_eq!(of("leased", true, 11), Some(TaskState::Leased));
    assert_eq!(of("leased", false, 10), Some(TaskState::Silent));
    assert_eq!(of("invented-later", false, 10), None);
    for state in TaskState::ALL {
        assert!(state.name().chars().all(|c| c.is_ascii_lowercase()));
    }
}

#[test]
fn orders_that_make_no_sense_are_refused() {
    assert!(refused(Order::Hold, true, true, false).is_some());
    assert!(refused(Order::Release, false, true, false).is_some());
    assert!(refused(Order::Cancel, false, false, false).is_some());
    assert!(refused(Order::Cancel, false, true, true).is_some());
    assert_eq!(refused(Order::Cancel, true, true, false), None);
    assert_eq!(refused(Order::Hold, false, false, false), None);
    assert_eq!(refused(Order::Prioritise(Priority::Low), false, false, true), None);
}
