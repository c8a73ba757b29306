//! What parent and child say to each other.

use std::path::Path;

use headwater_model::plan::Plan;
use headwater_model::refusal::Refusal;
use headwater_ports::transcoder::{Done, Inspection, Part, Report};
use serde::{Deserialize, Serialize};

/// Name of the job file in the spool folder.
pub(crate) const JOB_FILE: &str = "job.json";

/// Environment variable with the process id of the worker: how a child learns that its worker died before it could ask
/// to die with it.
pub(crate) const PARENT: &str = "HEADWATER_WORKER_PID";

/// Name of the hidden subcommand that the binary answers with [`crate::child::main`].
pub const SUBCOMMAND: &str = "transcoder-child";

/// What a child has to do. Written to [`JOB_FILE`], since a plan can be longer than an argument may be.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Job {
    /// Name the engine build.
    Engine,
    /// Look at the master on standard input.
    Inspect,
    /// Make one part of a plan.
    Make { plan: Box<Plan>, part: Part },
}

/// One line of a child's standard output.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Line {
    /// Still at it: feeds the watchdog where there is nothing else to report.
    Alive,
    /// A file or progress.
    Report(Report),
    /// Last line of `Job::Engine`.
    Engine(String),
    /// Last line of `Job::Inspect`.
    Inspected(Box<Inspection>),
    /// Last line of `Job::Make`.
    Done(Done),
    /// Last line of a job that cannot be done.
    Refused(Refusal),
}

impl Job {
    pub(crate) fn read(spool: &Path) -> std::io::Result<Self> {
        let file = std::fs::File::open(spool.join(JOB_FILE))?;
        Ok(serde_json::from_reader(std::io::BufReader::new(file))?)
    }

    pub(crate) fn write(&self, spool: &Path) -> std::io::Result<()> {
        std::fs::write(spool.join(JOB_FILE), serde_json::to_vec(self)?)
    }
}
