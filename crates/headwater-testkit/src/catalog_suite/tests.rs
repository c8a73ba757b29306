//! The list of cases names them all: a case that is not listed would never run.

#[test]
fn every_case_is_listed() {
    let list = include_str!("../catalog_suite.rs");
    for part in [
        include_str!("submitting.rs"),
        include_str!("claiming.rs"),
        include_str!("results.rs"),
        include_str!("reading.rs"),
        include_str!("queueing.rs"),
        include_str!("steering.rs"),
    ] {
        let cases = part.lines().filter_map(|line| line.strip_prefix("pub async fn "));
        for case in cases.filter_map(|line| line.split('(').next()) {
            assert!(list.lines().any(|line| line.trim() == case), "{case} is not listed");
        }
    }
}
