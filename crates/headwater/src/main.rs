//! Headwater: from a source master to a proven HLS and DASH package.

mod app;
mod archived;
mod cli;
mod commands;
mod config;
mod env_vars;
mod machine;
mod origins;
mod progress;
mod report;
mod stopping;
mod table;
mod terminal;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::run()
}
