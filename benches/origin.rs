//! Origins: uploading with proof, auditing, uploading against a limiter and healing, against s5cmd, rclone, and what the
//! servers can do at all.
//!
//! The servers run on this machine and share its cores with the clients, so a client that takes less processor time is
//! faster for that alone; the server's own time stands beside the client's.

mod audit;
mod heal;
mod limiter;
mod upload;

mod clients;
pub(crate) mod figures;
mod servers;

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result};
use serde::de::DeserializeOwned;

use crate::{Bed, MIN_ROUNDS, machine, measure};

/// What to measure, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// In this order.
    pub parts: Vec<Part>,
    /// How often each tool runs.
    pub rounds: usize,
    /// A tenth of the size but for the limiter, to see that it works: nothing is added to the results.
    pub quick: bool,
}

/// A part of the benchmark, which can be run by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// Upload and proof.
    Upload,
    /// Audit by listing.
    Audit,
    /// Uploads that are refused when there are too many.
    Limiter,
    /// Healing against transcoding.
    Heal,
}

impl Options {
    /// Reads `audit heal --rounds 5 --quick`. `None` for anything that is not understood.
    pub(crate) fn parse(args: &[&str]) -> Option<Self> {
        let mut options = Self { parts: Vec::new(), rounds: MIN_ROUNDS, quick: false };
        let mut args = args.iter();
        while let Some(arg) = args.next() {
            match *arg {
                "upload" => options.parts.push(Part::Upload),
                "audit" => options.parts.push(Part::Audit),
                "limiter" => options.parts.push(Part::Limiter),
                "heal" => options.parts.push(Part::Heal),
                "--rounds" => {
                    options.rounds = args.next()?.parse().ok().filter(|n| *n >= MIN_ROUNDS)?
                }
                "--quick" => options.quick = true,
                _ => return None,
            }
        }
        if options.parts.is_empty() {
            options.parts = vec![Part::Upload, Part::Audit, Part::Limiter, Part::Heal];
        }
        Some(options)
    }

    /// A number of objects, or a tenth of them.
    fn sized(&self, full: u32) -> u32 {
        if self.quick { full / 10 } else { full }
    }
}

/// Runs the parts and hands each section of results to `keep` when it is done.
pub(crate) fn run(
    bed: &Bed<'_>,
    options: &Options,
    keep: &dyn Fn(String) -> Result<()>,
) -> Result<()> {
    let lab = Lab::new(bed)?;
    for part in &options.parts {
        match part {
            Part::Upload => upload::run(&lab, options, keep)?,
            Part::Audit => audit::run(&lab, options, keep)?,
            Part::Limiter => keep(limiter::run(&lab, options)?)?,
            Part::Heal => keep(heal::run(&lab, options)?)?,
        }
    }
    Ok(())
}

/// The bed, and what else is needed for origins.
struct Lab<'b> {
    bed: &'b Bed<'b>,
    /// The process that does what `headwater` has no command for: `headwater-load`.
    load: PathBuf,
    tools: clients::Tools,
    /// Where everything that is made goes.
    dir: PathBuf,
}

impl<'b> Lab<'b> {
    fn new(bed: &'b Bed<'b>) -> Result<Self> {
        let dir = bed.dir.join("origin");
        std::fs::create_dir_all(&dir).context("make a folder for the benchmark")?;
        let load = bed.headwater.with_file_name("headwater-load");
        Ok(Self { bed, load, tools: clients::Tools::get(bed)?, dir })
    }

    /// Runs `headwater-load` with the server's address in its environment; what it says.
    fn load<T: DeserializeOwned>(&self, server: &servers::Server, args: &[&str]) -> Result<T> {
        let mut command = Command::new(&self.load);
        self.said(server.known_to(command.args(args)))
    }

    /// Runs a command; what the last line of its output says.
    fn said<T: DeserializeOwned>(&self, command: &mut Command) -> Result<T> {
        let output = measure::prepare(command, &self.dir.join("prepare.log"))?;
        understood(&output)
    }

    /// When and on what it was measured, and the versions of the tools.
    fn described(&self, server: Option<servers::Kind>) -> String {
        let clients::Tools { s5cmd, rclone, garage } = &self.tools;
        let mut tools = vec![(s5cmd.as_path(), "version"), (rclone.as_path(), "version")];
        if server == Some(servers::Kind::Garage) {
            tools.push((garage.as_path(), "--version"));
        }
        let described =
            machine::describe(self.bed.root, if server.is_some() { &tools } else { &[] });
        // It tells its version without its name.
        described.replacen("\n\nv", "\n\ns5cmd v", 1)
    }
}

/// The last line of what a program printed, as JSON.
fn understood<T: DeserializeOwned>(output: &str) -> Result<T> {
    let last = output.lines().last().context("nothing was printed")?;
    serde_json::from_str(last).with_context(|| format!("understand `{last}`"))
}
