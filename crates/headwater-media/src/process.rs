//! The parent side: starts transcoder children, listens to them, and makes sure that none outlives its purpose (R4).

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use headwater_model::plan::Plan;
use headwater_model::refusal::{Code, Refusal};
use headwater_ports::masters::Input;
use headwater_ports::transcoder::{Done, Inspection, Part, Report, TranscodeError, Transcoder};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::{OnceCell, mpsc};
use tracing::info;

use crate::feed::{Feed, Fetched};
use crate::protocol::{Job, Line, PARENT, SUBCOMMAND};

/// A child that says nothing for this long hangs. The slowest honest silence is a minute of 1080p through a slow preset
/// between two reports of 25 frames, which takes seconds.
const SILENCE_LIMIT: Duration = Duration::from_secs(120);

/// Bytes of a child's log that are kept: its last words.
const LAST_WORDS: usize = 4096;

/// Longest line a child may write: the index of a ten-hour master has some 50 MB.
const LINE_LIMIT: u64 = 256 * 1024 * 1024;

/// What a child may know of its parent's environment: where GStreamer finds plugins, nothing else.
const PASSED_ON: [&str; 5] = [
    "PATH",
    "LD_LIBRARY_PATH",
    "GST_PLUGIN_PATH",
    "GST_PLUGIN_SYSTEM_PATH",
    "GST_PLUGIN_SYSTEM_PATH_1_0",
];

/// Runs jobs in children: this very executable, started again.
#[derive(Debug)]
pub struct ChildTranscoder {
    executable: PathBuf,
    folder: PathBuf,
    engine: OnceCell<String>,
    count: AtomicU64,
}

impl ChildTranscoder {
    /// `executable` answers `transcoder-child FOLDER` with [`crate::child::main`]. `folder` must exist; small job
    /// folders and GStreamer's registry go there.
    pub fn new(executable: PathBuf, folder: PathBuf) -> Self {
        Self { executable, folder, engine: OnceCell::new(), count: AtomicU64::new(0) }
    }

    /// A folder for a job that makes no files. It goes when the guard goes.
    fn scratch(&self) -> Result<Scratch, TranscodeError> {
        let number = self.count.fetch_add(1, Ordering::Relaxed);
        let path = self.folder.join(format!("job-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&path).map_err(TranscodeError::Start)?;
        Ok(Scratch(path))
    }

    /// Runs one job to its last line. `title` is only there for people who look at `ps`.
    async fn run(
        &self,
        job: &Job,
        master: Option<&Input>,
        spool: &Path,
        reports: Option<mpsc::Sender<Report>>,
    ) -> Result<Line, TranscodeError> {
        job.write(spool).map_err(|e| start_error(e, "the spool folder"))?;
        let (stdin, feed) = match master {
            Some(Input::File(path)) => (Stdio::from(open(path)?), None),
            Some(Input::Remote(master)) => {
                let (stdin, feed) = Feed::start(master.clone()).map_err(TranscodeError::Start)?;
                (stdin, Some(feed))
            }
            None => (Stdio::null(), None),
        };
        let mut running = Running::start(&self.executable, &self.folder, spool, stdin)?;
        let stderr = running.child.stderr.take();
        let last_words = tokio::spawn(async move {
            let mut tail = Vec::new();
            if let Some(mut stderr) = stderr {
                let mut block = [0; 1024];
                while let Ok(n @ 1..) = stderr.read(&mut block).await {
                    tail.extend_from_slice(block.get(..n).unwrap_or(&[]));
                    let surplus = tail.len().saturating_sub(LAST_WORDS);
                    tail.drain(..surplus);
                }
            }
            String::from_utf8_lossy(&tail).trim().to_owned()
        });
        let outcome = running.listen(reports).await;
        if let Some(feed) = feed {
            let size = feed.bytes();
            // Whatever the child makes of it: it had no more of its master.
            let Fetched { reads, given, requests, bytes } =
                feed.finish().map_err(TranscodeError::Master)?;
            info!(bytes, of = size, requests, given, reads, "fetched of the master");
        }
        let crashed = |how: String, last_words: String| TranscodeError::Crashed { how, last_words };
        match outcome {
            Ok(Some(Line::Refused(refusal))) => Err(TranscodeError::Refused(refusal)),
            Ok(Some(line)) => Ok(line),
            Ok(None) => {
                let how = running.how_it_ended().await;
                Err(crashed(how, last_words.await.unwrap_or_default()))
            }
            Err(how) => {
                running.kill();
                Err(crashed(how, last_words.await.unwrap_or_default()))
            }
        }
    }
}

#[async_trait]
impl Transcoder for ChildTranscoder {
    async fn engine(&self) -> Result<String, TranscodeError> {
        let ask = || async {
            let scratch = self.scratch()?;
            match self.run(&Job::Engine, None, &scratch.0, None).await? {
                Line::Engine(engine) => Ok(engine),
                line => Err(unexpected(&line)),
            }
        };
        self.engine.get_or_try_init(ask).await.cloned()
    }

    async fn inspect(&self, master: &Input) -> Result<Inspection, TranscodeError> {
        let scratch = self.scratch()?;
        match self.run(&Job::Inspect, Some(master), &scratch.0, None).await? {
            Line::Inspected(inspection) => Ok(*inspection),
            line => Err(unexpected(&line)),
        }
    }

    async fn make(
        &self,
        master: &Input,
        plan: &Plan,
        part: Part,
        spool: &Path,
        reports: mpsc::Sender<Report>,
    ) -> Result<Done, TranscodeError> {
        let job = Job::Make { plan: Box::new(plan.clone()), part };
        match self.run(&job, Some(master), spool, Some(reports)).await? {
            Line::Done(done) => Ok(done),
            line => Err(unexpected(&line)),
        }
    }
}

fn unexpected(line: &Line) -> TranscodeError {
    let how = format!("gave an answer to another question: {line:?}");
    TranscodeError::Crashed { how: how.chars().take(200).collect(), last_words: String::new() }
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

/// A folder that is removed when nobody needs it.
#[derive(Debug)]
struct Scratch(PathBuf);

impl Drop for Scratch {
    fn drop(&mut self) {
        // A left-over is swept at the next start.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A child in a process group of its own. Dropping it kills the group.
#[derive(Debug)]
struct Running {
    child: Child,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.kill();
    }
}

impl Running {
    #[expect(clippy::disallowed_methods, reason = "this is the one place that starts children")]
    fn start(
        executable: &Path,
        folder: &Path,
        spool: &Path,
        stdin: Stdio,
    ) -> Result<Self, TranscodeError> {
        let mut command = Command::from(std::process::Command::new(executable));
        command
            .arg(SUBCOMMAND)
            .arg(spool)
            .env_clear()
            .stdin(stdin)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command.process_group(0).kill_on_drop(true);
        for name in PASSED_ON {
            if let Some(value) = std::env::var_os(name) {
                command.env(name, value);
            }
        }
        // Without a registry every child would look at every plugin again.
        command.env("GST_REGISTRY", folder.join("gstreamer-registry.bin")).env("NO_COLOR", "1");
        command.env(PARENT, std::process::id().to_string());
        Ok(Self { child: command.spawn().map_err(TranscodeError::Start)? })
    }

    /// Passes reports on until the last line. `None` when the child ended without one; an error says why it has to be
    /// killed.
    async fn listen(
        &mut self,
        reports: Option<mpsc::Sender<Report>>,
    ) -> Result<Option<Line>, String> {
        let Some(stdout) = self.child.stdout.take() else { return Ok(None) };
        let mut stdout = BufReader::with_capacity(64 * 1024, stdout);
        let mut text = Vec::new();
        loop {
            text.clear();
            let read = (&mut stdout).take(LINE_LIMIT);
            let mut read = read;
            let waited =
                tokio::time::timeout(SILENCE_LIMIT, read.read_until(b'\n', &mut text)).await;
            match waited {
                Err(_) => {
                    return Err(format!("made no progress for {} s", SILENCE_LIMIT.as_secs()));
                }
                Ok(Err(error)) => return Err(format!("cannot be listened to: {error}")),
                Ok(Ok(0)) => return Ok(None),
                Ok(Ok(_)) => {}
            }
            // A line without its end was cut off by a crash.
            if text.last() != Some(&b'\n') {
                return Ok(None);
            }
            match serde_json::from_slice(&text) {
                Ok(Line::Alive) => {}
                Ok(Line::Report(report)) => {
                    if let Some(reports) = &reports
                        && reports.send(report).await.is_err()
                    {
                        return Err("was stopped: nobody takes its segments".to_owned());
                    }
                }
                Ok(last) => {
                    // The child has nothing left to do but to exit, which a hanging library can prevent.
                    let _ = tokio::time::timeout(Duration::from_secs(5), self.child.wait()).await;
                    return Ok(Some(last));
                }
                Err(error) => return Err(format!("wrote a line that is no report: {error}")),
            }
        }
    }

    async fn how_it_ended(&mut self) -> String {
        use std::os::unix::process::ExitStatusExt;
        match tokio::time::timeout(Duration::from_secs(5), self.child.wait()).await {
            Ok(Ok(status)) => match (status.code(), status.signal()) {
                (_, Some(signal)) => format!("was killed by signal {signal}"),
                (Some(code), None) => format!("exited with code {code} and without a result"),
                (None, None) => "ended in an unknown way".to_owned(),
            },
            _ => "closed its output and went on running".to_owned(),
        }
    }

    fn kill(&mut self) {
        let pid = self
            .child
            .id()
            .and_then(|id| i32::try_from(id).ok())
            .and_then(rustix::process::Pid::from_raw);
        if let Some(pid) = pid {
            // Gone already is as good as killed.
            let _ = rustix::process::kill_process_group(pid, rustix::process::Signal::KILL);
        }
    }
}
