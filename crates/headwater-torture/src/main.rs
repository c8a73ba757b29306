//! The torture as a program: `cargo xtask torture`.
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "it talks to the person at the terminal"
)]

use std::hash::{BuildHasher, Hasher, RandomState};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use headwater_torture::{Settings, run};

const USAGE: &str = "\
torture --headwater FILE [--rounds N] [--seed N]

Tortures a cluster of this program: 200 rounds by default, with a seed that is printed and can be given again. The exit code
is 0 when every title ended published with the bytes of an undisturbed run, and 1 when anything is wrong.
";

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let Some(settings) = parse(&args) else {
        eprint!("{USAGE}");
        return ExitCode::from(2);
    };
    println!("seed {}", settings.seed);
    match run(&settings) {
        Ok(verdict) => {
            print!("\n{verdict}");
            if verdict.wrong.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn parse(args: &[String]) -> Option<Settings> {
    let mut settings = Settings {
        headwater: PathBuf::new(),
        // Its keys come from the system's randomness. Short enough to be typed again.
        seed: RandomState::new().build_hasher().finish() % 1_000_000,
        rounds: 200,
        pace: (Duration::from_millis(500), Duration::from_secs(7)),
        titles_at_once: 4,
        peace: Duration::from_mins(10),
        tells: true,
    };
    let mut args = args.iter();
    while let Some(option) = args.next() {
        let value = args.next()?;
        match option.as_str() {
            "--headwater" => settings.headwater = value.into(),
            "--rounds" => settings.rounds = value.parse().ok()?,
            "--seed" => settings.seed = value.parse().ok()?,
            _ => return None,
        }
    }
    (!settings.headwater.as_os_str().is_empty()).then_some(settings)
}
