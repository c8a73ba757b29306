//! Tests of the benchmarks' options.

use super::*;

#[test]
fn options_are_read() {
    let Some(Bench::Ladder(options)) =
        Bench::parse(&["ladder", "--master", "a.mov", "--rounds", "5", "--vmaf"])
    else {
        panic!("not understood");
    };
    assert_eq!(options.master, Some(PathBuf::from("a.mov")));
    assert_eq!((options.rounds, options.vmaf), (5, true));
}

#[test]
fn what_makes_no_sense_is_refused() {
    for args in [
        &["ladder", "--rounds", "2"][..],
        &["ladder", "--rounds"],
        &["packaging", "--vmaf"],
        &["packaging", "a.mov"],
        &["speed"],
        &[],
    ] {
        assert_eq!(Bench::parse(args), None, "{args:?}");
    }
}
