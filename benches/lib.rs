//! Compares Headwater with the tools that people use for the same work today: what `cargo xtask bench` runs.
//!
//! The tools take turns, so that a machine that warms up or gets busy slows all of them. What counts is the processor
//! time of all processes of a tool together; wall time, memory and bytes stand beside it. Results are added to
//! `benches/RESULTS.md` with date and machine.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "benchmarks report to the terminal")]
#![allow(clippy::disallowed_methods, reason = "measuring other programs takes starting them")]

mod claims;
mod ladder;
mod origin;
mod packaging;
mod scale;

mod headwater;
mod hls;
mod machine;
mod measure;
mod probe;
mod results;
mod vmaf;

use std::path::{Path, PathBuf};

use anyhow::Result;

/// Fewer rounds have no median worth the name.
const MIN_ROUNDS: usize = 3;

pub use origin::{Options as OriginOptions, Part};

/// A benchmark and its options.
#[derive(Debug, Clone, PartialEq)]
pub enum Bench {
    /// The default ladder against one ffmpeg command with the same settings.
    Ladder(Options),
    /// Stream copy against ffmpeg and Shaka Packager.
    Packaging(Options),
    /// Uploads, audits and healing against s5cmd, rclone and the servers' own limits.
    Origin(OriginOptions),
    /// The queue on PostgreSQL against the bare statements of one.
    Claims(Rounds),
    /// A title by one worker on one core, and by two on a core each.
    Scale(Rounds),
}

/// What ladder and packaging benchmarks take.
#[derive(Debug, Clone, PartialEq)]
pub struct Options {
    /// The master; made from the sample when none is given.
    pub master: Option<PathBuf>,
    /// Name of a pipeline, or path of its file; the benchmark's own default when none is given.
    pub pipeline: Option<String>,
    /// How often each tool runs.
    pub rounds: usize,
    /// Whether to compare the picture as well (ladder only; slow).
    pub vmaf: bool,
}

/// What benchmarks take that have a small form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rounds {
    /// How often each kind runs.
    pub rounds: usize,
    /// Little and short, to see that it works: nothing is added to the results.
    pub quick: bool,
}

impl Rounds {
    /// Reads `--rounds 5 --quick`. `None` for anything that is not understood.
    fn parse(args: &[&str]) -> Option<Self> {
        let mut options = Self { rounds: MIN_ROUNDS, quick: false };
        let mut args = args.iter();
        while let Some(arg) = args.next() {
            match *arg {
                "--rounds" => {
                    options.rounds = args.next()?.parse().ok().filter(|n| *n >= MIN_ROUNDS)?
                }
                "--quick" => options.quick = true,
                _ => return None,
            }
        }
        Some(options)
    }
}

impl Bench {
    /// Reads `ladder --rounds 5 …`. `None` for anything that is not understood.
    pub fn parse(args: &[&str]) -> Option<Self> {
        let (name, args) = args.split_first()?;
        match *name {
            "origin" => return OriginOptions::parse(args).map(Bench::Origin),
            "claims" => return Rounds::parse(args).map(Bench::Claims),
            "scale" => return Rounds::parse(args).map(Bench::Scale),
            _ => {}
        }
        let mut options = Options { master: None, pipeline: None, rounds: MIN_ROUNDS, vmaf: false };
        let mut args = args.iter();
        while let Some(arg) = args.next() {
            match *arg {
                "--master" => options.master = Some(PathBuf::from(args.next()?)),
                "--pipeline" => options.pipeline = Some((*args.next()?).to_owned()),
                "--rounds" => {
                    options.rounds = args.next()?.parse().ok().filter(|n| *n >= MIN_ROUNDS)?
                }
                "--vmaf" if *name == "ladder" => options.vmaf = true,
                _ => return None,
            }
        }
        match *name {
            "ladder" => Some(Bench::Ladder(options)),
            "packaging" => Some(Bench::Packaging(options)),
            _ => None,
        }
    }

    /// The packages of this repository whose programs it runs.
    pub fn packages(&self) -> &'static [&'static str] {
        match self {
            Bench::Ladder(_) | Bench::Packaging(_) => &["headwater"],
            Bench::Origin(_) => &["headwater", "headwater-load", "headwater-lying-origin"],
            Bench::Claims(_) => &["headwater-crowd"],
            Bench::Scale(_) => &["headwater", "headwater-crowd"],
        }
    }

    /// Runs it with the repository at `root`, the demo's `sample` master and the built `headwater`, beside which are the
    /// programs of its other [`Bench::packages`].
    ///
    /// # Errors
    ///
    /// When a tool cannot be got or fails, or when what it made cannot be read.
    pub fn run(&self, root: &Path, sample: &Path, headwater: &Path) -> Result<()> {
        let bench = Bed { root, sample, headwater, dir: root.join("target/bench") };
        std::fs::create_dir_all(&bench.dir)?;
        let keep = |section: String| {
            println!("\n{section}");
            results::append(&root.join("benches/RESULTS.md"), &section)
        };
        let show = |section: String| {
            println!("\n{section}");
            Ok(())
        };
        let add = |quick: bool, section: String| if quick { show(section) } else { keep(section) };
        match self {
            Bench::Ladder(options) => keep(ladder::run(&bench, options)?),
            Bench::Packaging(options) => keep(packaging::run(&bench, options)?),
            Bench::Origin(options) => {
                origin::run(&bench, options, &|section| add(options.quick, section))
            }
            Bench::Claims(options) => add(options.quick, claims::run(&bench, options)?),
            Bench::Scale(options) => add(options.quick, scale::run(&bench, options)?),
        }
    }
}

/// What a benchmark has to work with.
struct Bed<'a> {
    root: &'a Path,
    sample: &'a Path,
    headwater: &'a Path,
    /// Where everything that is made goes.
    dir: PathBuf,
}

#[cfg(test)]
mod tests;
