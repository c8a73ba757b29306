//! A crowd of workers without transcoders, on a PostgreSQL server of its own: what the queue can do, measured by
//! `cargo xtask bench claims` and played through by `cargo xtask simulate`. `cargo xtask bench scale` borrows the server. No part of the product.
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "it talks to the benchmark, or to the person at the terminal"
)]

mod claims;
mod simulate;

mod library;
mod processor;
mod stopwatch;

use std::process::ExitCode;

use anyhow::{Result, ensure};
use headwater_testkit::postgres::Server;

const USAGE: &str = "\
headwater-crowd COMMAND

  serve               a PostgreSQL server until standard input ends; says the address of an empty database of it
  claims [OPTIONS]    how many tasks a second 64 claimers get through; told as JSON, in one line
    --titles N        titles of 120 tasks that wait in the queue (default 25000)
    --finished N      titles of 120 tasks that are done, in the second half of the measurement (default 25000)
    --seconds N       how long each turn lasts (default 20)
    --rounds N        turns of each kind (default 3)
    --connections N   connections of the claimers' process (default 16)
  simulate [OPTIONS]  a library on a cluster, in compressed time; tells makespan, busy share and query times
    --workers N                   that transcode, one task at a time (default 200)
    --titles N                    of some 120 tasks each (default 25000)
    --deaths-per-hour N           of all workers together (default 20)
    --urgent-per-hour N           titles that somebody waits for (default 1)
    --seed N                      what titles there are, how long tasks take and who dies when (default 1)
    --lease-seconds N             a third of it passes between renewals (default 300)
    --minutes-of-real-time N      stops then, wherever it is
";

#[tokio::main]
async fn main() -> ExitCode {
    // On a worker of the runtime, as the product's own tasks are.
    let done = tokio::spawn(async {
        let args: Vec<String> = std::env::args().skip(1).collect();
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        run(&args).await
    });
    match done.await.map_err(anyhow::Error::from).flatten() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => {
            eprint!("{USAGE}");
            ExitCode::from(2)
        }
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// False when the arguments make no sense.
async fn run(args: &[&str]) -> Result<bool> {
    match args {
        ["serve"] => {
            let server = Server::start_for_measuring();
            println!("{}", server.database());
            tokio::task::spawn_blocking(|| {
                std::io::copy(&mut std::io::stdin(), &mut std::io::sink())
            })
            .await??;
        }
        ["claims", options @ ..] => {
            let Some(options) = claims::Options::parse(options) else { return Ok(false) };
            println!("{}", serde_json::to_string(&claims::run(&options).await?)?);
        }
        ["simulate", options @ ..] => {
            let Some(options) = simulate::Options::parse(options) else { return Ok(false) };
            let report = simulate::run(&options).await?;
            print!("{report}");
            let faults = report.faults();
            ensure!(faults.is_empty(), "{}", faults.join("; "));
        }
        _ => return Ok(false),
    }
    Ok(true)
}
