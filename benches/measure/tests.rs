//! Tests of measuring, on commands whose cost is known.

use super::*;

#[test]
fn fields_are_counted_from_the_end_of_the_name() {
    let stat = "7 (a) b (c)) S 1 7 7 0 -1 4194560 100 200 0 0 11 12 300 45 20 0 1 0 99 1000 10";
    assert_eq!((ticks(stat, OWN), ticks(stat, OF_CHILDREN)), (Some(23), Some(345)));
    assert_eq!(ticks("nonsense", OWN), None);
}

// One test, because the kernel adds up all children of this process, whoever started them.
#[test]
fn processes_of_processes_count_and_waiting_does_not() {
    let log = std::env::temp_dir().join(format!("headwater-measure-{}", std::process::id()));
    let burn = "i=0; while [ $i -lt 300000 ]; do i=$((i+1)); done";
    let mut nested = Command::new("sh");
    nested.args(["-c", &format!("sh -c '{burn}' & sh -c '{burn}' & wait; echo done")]);
    let (output, burnt) = run(&mut nested, &log).unwrap();
    assert_eq!(output, "done\n");
    assert!(burnt.cpu >= Duration::from_millis(50), "{burnt:?}");
    assert!(burnt.memory > 1_000_000, "{burnt:?}");

    let (_, slept) = run(Command::new("sleep").arg("0.3"), &log).unwrap();
    assert!(slept.wall >= Duration::from_millis(300), "{slept:?}");
    assert!(slept.cpu < Duration::from_millis(100), "{slept:?}");

    let error = run(Command::new("sh").args(["-c", "echo why >&2; exit 3"]), &log).unwrap_err();
    assert_eq!(error.to_string(), "`sh -c echo why >&2; exit 3` failed: exit status: 3\nwhy");
    fs::remove_file(&log).unwrap();
}

#[test]
fn only_the_end_of_a_long_log_is_shown() {
    assert_eq!(last_lines("1\n2\n3", 2), "2\n3");
    assert_eq!(last_lines("1", 2), "1");
}
