//! The parent side: starts transcoder children, listens to them, and makes sure that none outlives its purpose (R4).
//!
//! `running` is one child. Whatever becomes of it, crash, hang, too much of anything or nonsense on its output, ends as
//! one [`TranscodeError::Crashed`] with what happened and its last words, and costs one try.

mod running;
mod scratch;

use std::collections::BTreeSet;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use headwater_model::allowance::Allowance;
use headwater_model::plan::{Pictures, Plan};
use headwater_model::refusal::{Code, Refusal};
use headwater_ports::masters::Input;
use headwater_ports::transcoder::{Done, Inspection, Part, Report, TranscodeError, Transcoder};
use tokio::sync::{OnceCell, mpsc};
use tokio::task::spawn_blocking;
use tracing::{info, warn};

use self::running::{Heard, Running, Terms};
use self::scratch::{LEFT_BEHIND, Scratch, sweep};
use crate::feed::{Feed, Fetched};
use crate::protocol::{Installed, Job, Line, Order};

/// What is set for all children.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// A child that reports no progress for this long hangs. The slowest honest silence is a minute of 1080p through a
    /// slow preset between two reports of 25 frames, which takes seconds.
    pub silence: Duration,
    /// Memory that a child may use, in MB, where that is not for [`Allowance`] to say.
    pub memory_mb: Option<u64>,
}

impl Default for Limits {
    fn default() -> Self {
        Self { silence: Duration::from_secs(120), memory_mb: None }
    }
}

/// Runs jobs in children: this very executable, started again.
#[derive(Debug)]
pub struct ChildTranscoder {
    executable: PathBuf,
    folder: PathBuf,
    limits: Limits,
    installed: OnceCell<Installed>,
    count: AtomicU64,
    /// Whether it was said already that children are not as confined as they should be.
    warned: AtomicBool,
}

impl ChildTranscoder {
    /// `executable` answers `transcoder-child FOLDER` with [`crate::child::main`]. `folder` must exist; small job
    /// folders and GStreamer's registry go there.
    pub fn new(executable: PathBuf, folder: PathBuf, limits: Limits) -> Self {
        let (count, warned) = (AtomicU64::new(0), AtomicBool::new(false));
        Self { executable, folder, limits, installed: OnceCell::new(), count, warned }
    }

    /// What is installed, which is asked once.
    async fn installed(&self) -> Result<&Installed, TranscodeError> {
        let ask = || async {
            // This is the first job of every process that transcodes.
            let folder = self.folder.clone();
            let _ = spawn_blocking(move || sweep(&folder, LEFT_BEHIND)).await;
            let scratch = self.scratch()?;
            let find =
                |line| if let Line::Engine(installed) = line { Some(installed) } else { None };
            self.run(Job::Engine, find, None, scratch.path(), None).await
        };
        self.installed.get_or_try_init(ask).await
    }

    /// Where GStreamer keeps its list of plugins. Only the child that names the engine writes there.
    fn registry(&self) -> Result<PathBuf, TranscodeError> {
        let path = self.folder.join("registry");
        std::fs::create_dir_all(&path).map_err(|e| start_error(e, "the data folder"))?;
        Ok(path)
    }

    /// What a child may take for a job.
    fn allowance(&self, job: &Job, master: Option<u64>) -> Allowance {
        let allowance = match job {
            Job::Engine => Allowance::of_engine(),
            Job::Inspect => Allowance::of_look(master),
            Job::Make { plan, part: Part::Audio(_) } => Allowance::of_audio(plan, master),
            Job::Make { plan, part: Part::Pictures } => Allowance::of_pictures(plan, master),
            Job::Make { plan, part: Part::Text(_) } => Allowance::of_text(plan, master),
            Job::Make { plan, part: Part::Span(n) } => match plan.spans.get(*n as usize) {
                Some(span) => Allowance::of_span(plan, span, master),
                // The child says that the plan has no such part.
                None => Allowance::of_engine(),
            },
        };
        allowance.with_memory(self.limits.memory_mb)
    }

    /// Says once what children could not be kept from.
    fn warn_once(&self, missing: &[String]) {
        if !missing.is_empty() && !self.warned.swap(true, Ordering::Relaxed) {
            let missing = missing.join("; ");
            warn!("a transcoder child is not wholly confined: {missing}. All other limits hold");
        }
    }

    /// A folder for a job that makes no files. It goes when the guard goes.
    fn scratch(&self) -> Result<Scratch, TranscodeError> {
        loop {
            let number = self.count.fetch_add(1, Ordering::Relaxed);
            if let Some(made) =
                Scratch::make(&self.folder, number).map_err(TranscodeError::Start)?
            {
                return Ok(made);
            }
        }
    }

    /// Runs one job to its last line, in which `find` has to find the answer to the job.
    async fn run<T>(
        &self,
        job: Job,
        find: impl FnOnce(Line) -> Option<T>,
        master: Option<&Input>,
        spool: &Path,
        reports: Option<mpsc::Sender<Report>>,
    ) -> Result<T, TranscodeError> {
        let allowance = self.allowance(&job, master.and_then(size_of));
        let terms = Terms {
            spool: spool.to_owned(),
            walls: job.walls(),
            registry: self.registry()?,
            silence: self.limits.silence,
            longest_line: job.longest_line(),
            allowance,
        };
        let silence = self.limits.silence.as_secs().max(1);
        let order = Order { allowance, silence, registry: terms.registry.clone(), job };
        order.write(spool).map_err(|e| start_error(e, "the spool folder"))?;
        let (stdin, feed) = match master {
            Some(Input::File(path)) => (Stdio::from(open(path)?), None),
            Some(Input::Remote(master)) => {
                let (stdin, feed) = Feed::start(master.clone()).map_err(TranscodeError::Start)?;
                (stdin, Some(feed))
            }
            None => (Stdio::null(), None),
        };
        let running = Running::start(&self.executable, terms, stdin)?;
        let Heard { ended, last_words, missing } = running.finish(reports).await;
        self.warn_once(&missing);
        if let Some(feed) = feed {
            let (size, overdue) = (feed.bytes(), feed.overdue(self.limits.silence / 2));
            // Whatever the child makes of it: it had no more of its master.
            let Fetched { reads, given, requests, bytes } =
                feed.finish().map_err(TranscodeError::Master)?;
            info!(bytes, of = size, requests, given, reads, "fetched of the master");
            // A silent child that waits does not hang: the master does, and that costs no try of the transcoder.
            if let (Err(_) | Ok(Line::Refused(_)), Some(error)) = (&ended, overdue) {
                return Err(TranscodeError::Master(error));
            }
        }
        match ended {
            Ok(Line::Refused(refusal)) => Err(TranscodeError::Refused(refusal)),
            Ok(line) => find(line).ok_or_else(|| {
                let how = "gave an answer to another question".to_owned();
                TranscodeError::Crashed { how, last_words }
            }),
            Err(how) => Err(TranscodeError::Crashed { how, last_words }),
        }
    }
}

#[async_trait]
impl Transcoder for ChildTranscoder {
    async fn engine(&self) -> Result<String, TranscodeError> {
        Ok(self.installed().await?.engine.clone())
    }

    async fn encoders(&self) -> Result<BTreeSet<String>, TranscodeError> {
        Ok(self.installed().await?.encoders.clone())
    }

    async fn inspect(&self, master: &Input) -> Result<Inspection, TranscodeError> {
        self.engine().await?;
        let scratch = self.scratch()?;
        let find = |line| if let Line::Inspected(found) = line { Some(*found) } else { None };
        self.run(Job::Inspect, find, Some(master), scratch.path(), None).await
    }

    async fn make(
        &self,
        master: &Input,
        plan: &Plan,
        part: Part,
        spool: &Path,
        reports: mpsc::Sender<Report>,
    ) -> Result<Done, TranscodeError> {
        // Whoever has not asked for the engine's name yet has no list of plugins, and children cannot make one.
        self.engine().await?;
        for folder in folders_of(plan, part) {
            std::fs::create_dir_all(spool.join(folder))
                .map_err(|e| start_error(e, "the spool folder"))?;
        }
        let job = Job::Make { plan: Box::new(plan.clone()), part };
        let find = |line| if let Line::Done(done) = line { Some(done) } else { None };
        self.run(job, find, Some(master), spool, Some(reports)).await
    }
}

/// Where a child puts the files of a part. It cannot make folders.
fn folders_of(plan: &Plan, part: Part) -> Vec<&str> {
    match part {
        Part::Span(_) => plan.video.iter().map(|rendition| rendition.name.as_str()).collect(),
        Part::Audio(n) => plan.audio.get(n as usize).iter().map(|it| it.name.as_str()).collect(),
        Part::Pictures => plan.pictures.iter().map(|_| Pictures::FOLDER).collect(),
        Part::Text(n) => plan.text.get(n as usize).iter().map(|it| it.name.as_str()).collect(),
    }
}

/// Size of a master in bytes, where that is known.
fn size_of(master: &Input) -> Option<u64> {
    match master {
        Input::File(path) => Some(std::fs::metadata(path).ok()?.len()),
        Input::Remote(master) => Some(master.seen().bytes),
    }
}

fn open(master: &Path) -> Result<File, TranscodeError> {
    File::open(master).map_err(|error| {
        let refusal = match error.kind() {
            std::io::ErrorKind::NotFound => {
                Refusal::new(Code::MasterGone, format!("the master `{}` is gone", master.display()))
            }
            _ => Refusal::new(
                Code::Unreadable,
                format!("the master `{}` cannot be opened: {error}", master.display()),
            ),
        };
        TranscodeError::Refused(refusal)
    })
}

fn start_error(error: std::io::Error, what: &str) -> TranscodeError {
    match error.kind() {
        std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => {
            TranscodeError::Refused(Refusal::new(
                Code::DiskFull,
                format!("the disk of {what} is full"),
            ))
        }
        _ => TranscodeError::Start(error),
    }
}
