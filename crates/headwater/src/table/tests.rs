//! Columns line up, and times are said as people say them.

use super::*;

#[test]
fn columns_are_as_wide_as_what_they_hold_and_empty_ones_are_left_out() {
    let row = |cells: [&str; 4]| cells.map(str::to_owned);
    let rows = [row(["1", "a-long-title", "", "why"]), row(["1000", "film", "", ""])];
    let expected = ["TASK  TITLE         TROUBLE", "1     a-long-title  why", "1000  film"];
    assert_eq!(lines(["TASK", "TITLE", "WORKER", "TROUBLE"], &rows), expected);
}

#[test]
fn a_time_is_told_in_two_units() {
    let said = [-5_000, 41_900, 200_000, 7_500_000, 273_600_000].map(lasting);
    assert_eq!(said, ["0 s", "41 s", "3 min 20 s", "2 h 05 min", "3 d 4 h"]);
}
