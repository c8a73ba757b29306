//! Names and silence of workers.

use super::*;

#[test]
fn two_of_one_name_are_told_apart() {
    let taken = ["w", "w-2"];
    let is_taken = |name: &str| taken.contains(&name);
    assert_eq!(free_name("w", is_taken), "w-3");
    assert_eq!(free_name("v", is_taken), "v");
}

#[test]
fn who_says_nothing_is_silent_unless_they_said_goodbye() {
    let now = Timestamp(SILENT_MS);
    let at = |said, beat| WorkerState::at(said, Timestamp(beat), now);
    assert_eq!(at(WorkerState::Alive, 0), WorkerState::Silent);
    assert_eq!(at(WorkerState::Alive, 1), WorkerState::Alive);
    assert_eq!(at(WorkerState::Draining, 1), WorkerState::Draining);
    assert_eq!(at(WorkerState::Left, 0), WorkerState::Left);
}
