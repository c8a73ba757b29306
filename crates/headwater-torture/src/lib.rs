//! Tortures a cluster of Headwater: PostgreSQL, two origins, four workers and every other role as processes of their own,
//! of which any may be killed, frozen or cut off at any moment, while titles keep coming. When it is over and all are
//! left in peace, every title has to be published with the bytes of a run that nobody disturbed.
//!
//! # Order of events
//!
//! 1. [`masters`] are made, and packages of them by one process that nobody disturbs.
//! 2. The database, the [`origins`] and the [`cluster`] start. The database keeps a [`ledger`] of every change of a task.
//! 3. Round by round, as the [`schedule`] of the seed says, something happens ([`ordeal`]). Titles are queued as fast as
//!    they are made, by command and through the drop folder.
//! 4. Everything is honest and connected again, and what is left is finished. What origins lost is healed.
//! 5. [`verdict`]: titles, audits, bytes, the ledger, children and files that were left behind.
//!
//! Invariant: what a verdict needs is asked of the database and the origins, never of the processes that were tortured.

pub mod schedule;

mod masters;
mod origins;

mod cluster;
mod ends;
mod proxy;

mod ledger;
mod ordeal;
mod verdict;

use std::ffi::OsStr;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::Result;

pub use verdict::Verdict;

/// What to do.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The program to torture.
    pub headwater: PathBuf,
    /// Decides what happens, in which order and after which pauses.
    pub seed: u64,
    /// How many things happen.
    pub rounds: usize,
    /// Shortest and longest time from one to the next.
    pub pace: (Duration, Duration),
    /// Titles that are being made at a time, at least: work for whoever is alive.
    pub titles_at_once: usize,
    /// How long the cluster may take to finish once it is left in peace.
    pub peace: Duration,
    /// Whether each round is told as it begins.
    pub tells: bool,
}

/// Tortures a cluster and judges what is left.
///
/// # Errors
///
/// When the torture itself cannot go on, such as without ffmpeg. What is wrong with the cluster is in the verdict.
///
/// # Panics
///
/// When PostgreSQL is not installed, or does not come up.
pub fn run(settings: &Settings) -> Result<Verdict> {
    ordeal::run(settings)
}

/// A program to start.
#[expect(clippy::disallowed_methods, reason = "processes are what is tortured")]
fn program(name: impl AsRef<OsStr>) -> Command {
    Command::new(name)
}

/// Milliseconds since 1970: the clock that the database has too.
#[expect(clippy::disallowed_methods, reason = "tells which connection a port was at a time")]
fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}
