//! What parent and child say to each other.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use headwater_model::allowance::Allowance;
use headwater_model::plan::Plan;
use headwater_model::refusal::Refusal;
use headwater_ports::transcoder::{Done, Inspection, Part, Report};
use serde::{Deserialize, Serialize};

use crate::confine::Walls;

/// Name of the job file in the spool folder.
pub(crate) const JOB_FILE: &str = "job.json";

/// Environment variable with the process id of the worker: how a child learns that its worker died before it could ask
/// to die with it.
pub(crate) const PARENT: &str = "HEADWATER_WORKER_PID";

/// Name of the hidden subcommand that the binary answers with [`crate::child::main`].
pub const SUBCOMMAND: &str = "transcoder-child";

/// What a child has to do. Written to [`JOB_FILE`] with all that goes with it, since a plan can be longer than an
/// argument may be.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Job {
    /// Name the engine build, and bring GStreamer's registry up to date.
    Engine,
    /// Look at the master on standard input.
    Inspect,
    /// Make one part of a plan.
    Make { plan: Box<Plan>, part: Part },
}

/// A job, and on which terms.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Order {
    /// What it may take.
    pub(crate) allowance: Allowance,
    /// How long it may say nothing, in seconds.
    pub(crate) silence: u64,
    /// Folder with GStreamer's registry.
    pub(crate) registry: PathBuf,
    /// What to do.
    pub(crate) job: Job,
}

/// One line of a child's standard output.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Line {
    /// First of all: what could not be taken from it, in sentences.
    Confined(Vec<String>),
    /// How far the stages of its work are. No progress: a stage that hangs may stand beside one that runs in circles.
    Stages(String),
    /// Still at it: feeds the watchdog where there is nothing else to report.
    Alive,
    /// A file or progress.
    Report(Report),
    /// Last line of `Job::Engine`.
    Engine(Installed),
    /// Last line of `Job::Inspect`.
    Inspected(Box<Inspection>),
    /// Last line of `Job::Make`.
    Done(Done),
    /// Last line of a job that cannot be done.
    Refused(Refusal),
}

impl Job {
    /// What a child with this job may do.
    pub(crate) fn walls(&self) -> Walls {
        match self {
            Job::Engine => Walls::Scan,
            Job::Inspect | Job::Make { .. } => Walls::Work,
        }
    }

    /// Bytes that a line may have: the index of a ten-hour master has some 50 MB, all else is short.
    pub(crate) fn longest_line(&self) -> u64 {
        match self {
            Job::Inspect => 256 << 20,
            Job::Engine | Job::Make { .. } => 1 << 20,
        }
    }
}

impl Order {
    pub(crate) fn read(spool: &Path) -> std::io::Result<Self> {
        let file = std::fs::File::open(spool.join(JOB_FILE))?;
        Ok(serde_json::from_reader(std::io::BufReader::new(file))?)
    }

    pub(crate) fn write(&self, spool: &Path) -> std::io::Result<()> {
        std::fs::write(spool.join(JOB_FILE), serde_json::to_vec(self)?)
    }
}

/// What is installed on this machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Installed {
    /// This build and the libraries whose output goes into segments.
    pub(crate) engine: String,
    /// GStreamer factories of encoders.
    pub(crate) encoders: BTreeSet<String>,
}
