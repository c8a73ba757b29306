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
fn parts_of_the_origin_benchmark_run_in_the_order_given() {
    let Some(Bench::Origin(options)) = Bench::parse(&["origin", "heal", "audit", "--quick"]) else {
        panic!("not understood");
    };
    assert_eq!(options.parts, [Part::Heal, Part::Audit]);
    assert_eq!((options.rounds, options.quick), (MIN_ROUNDS, true));
    let Some(Bench::Origin(all)) = Bench::parse(&["origin", "--rounds", "5"]) else {
        panic!("not understood");
    };
    assert_eq!(all.parts, [Part::Upload, Part::Audit, Part::Limiter, Part::Heal]);
    assert_eq!((all.rounds, all.quick), (5, false));
}

#[test]
fn scale_takes_rounds() {
    let options = Rounds { rounds: 4, quick: true };
    let read = Bench::parse(&["scale", "--quick", "--rounds", "4"]);
    assert_eq!(read, Some(Bench::Scale(options)));
}

#[test]
fn what_makes_no_sense_is_refused() {
    for args in [
        &["ladder", "--rounds", "2"][..],
        &["ladder", "--rounds"],
        &["packaging", "--vmaf"],
        &["packaging", "a.mov"],
        &["origin", "--rounds", "2"],
        &["origin", "--master", "a.mov"],
        &["claims", "--rounds", "2"],
        &["claims", "upload"],
        &["scale", "--workers", "3"],
        &["speed"],
        &[],
    ] {
        assert_eq!(Bench::parse(args), None, "{args:?}");
    }
}
