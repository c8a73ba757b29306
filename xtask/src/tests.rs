//! Tests of the command line.

use super::*;

#[test]
fn every_command_of_the_usage_is_understood() {
    assert_eq!(parse(&["test"]), Some(Command::Test));
    assert_eq!(parse(&["tidy"]), Some(Command::Tidy));
    assert_eq!(parse(&["setup"]), Some(Command::Setup(packages::Need::Test)));
    assert_eq!(parse(&["setup", "build"]), Some(Command::Setup(packages::Need::Build)));
    assert_eq!(
        parse(&["demo", "--fresh", "--once"]),
        Some(Command::Demo(demo::Options { once: true, fresh: true }))
    );
    let words = ["--rounds", "8"].map(str::to_owned).to_vec();
    assert_eq!(parse(&["torture", "--rounds", "8"]), Some(Command::Torture(words)));
    assert!(matches!(parse(&["bench", "ladder", "--vmaf"]), Some(Command::Bench(_))));
    assert!(matches!(parse(&["bench", "packaging", "--rounds", "5"]), Some(Command::Bench(_))));
    assert!(matches!(parse(&["bench", "origin", "audit", "--quick"]), Some(Command::Bench(_))));
}

#[test]
fn anything_else_is_a_usage_error() {
    for args in
        [&["demo", "--onse"][..], &["bench"], &["bench", "laddr"], &["setup", "x"], &[], &["ci"]]
    {
        assert_eq!(parse(args), None, "{args:?}");
    }
}
