//! A short torture: everything that `cargo xtask torture` does to a cluster, once.

use std::path::Path;
use std::time::Duration;

use headwater_torture::schedule::Kind;
use headwater_torture::{Settings, run};

#[test]
fn a_cluster_stands_everything_that_can_happen_to_it() {
    let verdict = run(&Settings {
        headwater: Path::new(env!("CARGO_BIN_EXE_headwater")).to_owned(),
        seed: 4,
        rounds: Kind::ALL.len(),
        pace: (Duration::from_millis(300), Duration::from_secs(2)),
        titles_at_once: 2,
        peace: Duration::from_mins(2),
        tells: true,
    });
    let verdict = verdict.unwrap();
    assert!(verdict.wrong.is_empty(), "{verdict}");
    // What is told when it passes is what `--no-capture` shows.
    println!("{verdict}");
}
