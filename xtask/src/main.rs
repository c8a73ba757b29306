//! Everything that is automated about this repository: `cargo xtask COMMAND`.
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "xtask talks to the person at the terminal"
)]
#![allow(clippy::disallowed_methods, reason = "running other programs is what xtask is for")]

mod demo;
mod fuzz;
mod sample;
mod test;
mod tidy;

mod packages;
mod shell;
mod workspace;

use std::process::ExitCode;

use anyhow::{Context, Result};
use headwater_benches::Bench;

const USAGE: &str = "\
cargo xtask COMMAND

  demo [--once] [--fresh]    install what is missing, build, and take a sample master all the way to a page that
                             plays it; --once stops when it is published, --fresh forgets earlier runs
  test                       install what the tests need, then run every check and every test (what CI runs)
  tidy                       check the rules that the compiler does not: directions, licences, module docs
  setup [build|run|demo|test|bench]
                             only install the system's packages (default: test)
  lying-origin [OPTIONS]     an S3 server that loses, alters and refuses on demand, to try Headwater against
  simulate [--workers N] [--titles N] [--deaths-per-hour N] [--urgent-per-hour N] [--seed N] [--lease-seconds N]
           [--minutes-of-real-time N]
                             a library on a cluster, played through in compressed time on the real catalog and a
                             PostgreSQL server of its own: makespan, busy share, urgent titles, query times
  torture [--rounds N] [--seed N]
                             kills, freezes and cuts off the processes of a cluster, its database and its origins, and
                             sees whether every title is published all the same; a seed can be run again
  fuzz-masters [--count N] [--seed N] [--only N]
                             masters of many kinds, each damaged in some way, given to a running service: each becomes
                             a package that is proven, or is refused with a code
  bench ladder [--master FILE] [--pipeline NAME] [--rounds N] [--vmaf]
                             default ladder, Headwater against one ffmpeg command
  bench packaging [--master FILE] [--pipeline NAME] [--rounds N]
                             stream copy, Headwater against ffmpeg and Shaka Packager
  bench origin [upload] [audit] [limiter] [heal] [--rounds N] [--quick]
                             S3 uploads with proof, audits, a limiter and healing, against s5cmd, rclone and the
                             servers' own limits; builds Garage at first; --quick is a tenth of it, not kept
  bench claims [--rounds N] [--quick]
                             the queue on PostgreSQL with 3 million tasks: 64 claimers against the bare statements
                             under pgbench; --quick is small and short, not kept
  bench scale [--rounds N] [--quick]
                             a title of ten minutes by one worker on one core, and by two workers on a core each;
                             --quick is two minutes, not kept
                             (all of them add their results to benches/RESULTS.md)
";

/// One way to call xtask.
#[derive(Debug, PartialEq)]
enum Command {
    Demo(demo::Options),
    Test,
    Tidy,
    Setup(packages::Need),
    LyingOrigin(Vec<String>),
    Simulate(Vec<String>),
    Torture(Vec<String>),
    FuzzMasters(fuzz::Options),
    Bench(Bench),
    Help,
}

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let Some(command) = parse(&args) else {
        eprint!("{USAGE}");
        return ExitCode::from(2);
    };
    match run(command) {
        Ok(code) => code,
        Err(e) => {
            eprintln!("error: {e:#}");
            ExitCode::FAILURE
        }
    }
}

fn parse(args: &[&str]) -> Option<Command> {
    Some(match args {
        ["demo", options @ ..] => Command::Demo(demo::Options::parse(options)?),
        ["test"] => Command::Test,
        ["tidy"] => Command::Tidy,
        ["setup"] => Command::Setup(packages::Need::Test),
        ["setup", need] => Command::Setup(packages::Need::parse(need)?),
        ["lying-origin", rest @ ..] => {
            Command::LyingOrigin(rest.iter().map(|arg| (*arg).to_owned()).collect())
        }
        ["simulate", rest @ ..] => {
            Command::Simulate(rest.iter().map(|arg| (*arg).to_owned()).collect())
        }
        ["torture", rest @ ..] => {
            Command::Torture(rest.iter().map(|arg| (*arg).to_owned()).collect())
        }
        ["fuzz-masters", options @ ..] => Command::FuzzMasters(fuzz::Options::parse(options)?),
        ["bench", rest @ ..] => Command::Bench(Bench::parse(rest)?),
        ["help" | "--help" | "-h"] => Command::Help,
        _ => return None,
    })
}

fn run(command: Command) -> Result<ExitCode> {
    match command {
        Command::Demo(options) => return demo::run(&options),
        Command::Test => test::run()?,
        Command::Tidy => tidy::run()?,
        Command::Setup(need) => packages::install(need)?,
        Command::LyingOrigin(options) => return lying_origin(&options),
        Command::Simulate(options) => return simulate(&options),
        Command::Torture(options) => return torture(&options),
        Command::FuzzMasters(options) => return fuzz::run(&options),
        Command::Bench(bench) => {
            packages::install(packages::Need::Bench)?;
            let sample = sample::make_if_missing()?;
            let headwater = workspace::build_packages(bench.packages())?;
            bench.run(&workspace::root(), &sample, &headwater)?;
        }
        Command::Help => print!("{USAGE}"),
    }
    Ok(ExitCode::SUCCESS)
}

/// Builds the crowd for release and has it play a library through.
fn simulate(options: &[String]) -> Result<ExitCode> {
    let program = workspace::build_packages(&["headwater-crowd"])?;
    let crowd = program.with_file_name("headwater-crowd");
    let mut crowd = std::process::Command::new(crowd);
    let status = crowd.arg("simulate").args(options).status().context("run the crowd")?;
    Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Builds and runs the lying origin, which is no part of xtask: a machine that only sets things up need not build it.
fn lying_origin(options: &[String]) -> Result<ExitCode> {
    let name = "headwater-lying-origin";
    let mut cargo =
        workspace::cargo(&["run", "--quiet", "--package", name, "--bin", "lying-origin"]);
    let status = cargo.arg("--").args(options).status().context("run the lying origin")?;
    Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Builds the product and the torture for release and runs the one on the other.
fn torture(options: &[String]) -> Result<ExitCode> {
    packages::install(packages::Need::Test)?;
    let headwater = workspace::build_packages(&["headwater", "headwater-torture"])?;
    let mut torture = std::process::Command::new(headwater.with_file_name("torture"));
    let torture = torture.arg("--headwater").arg(&headwater).args(options);
    // 2 is how it was asked for, 1 what it found.
    let code = torture.status().context("run the torture")?.code();
    Ok(ExitCode::from(code.and_then(|code| u8::try_from(code).ok()).unwrap_or(1)))
}

#[cfg(test)]
mod tests;
