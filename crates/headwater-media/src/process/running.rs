//! One running child: started with nothing that it does not need, listened to, watched, and killed with its whole group.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use headwater_model::allowance::Allowance;
use headwater_ports::transcoder::{Report, TranscodeError};
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::process::{Child, ChildStderr, ChildStdout, Command};
use tokio::sync::mpsc;
use tokio::task::spawn_blocking;
use tokio::time::{Instant, interval, sleep, timeout, timeout_at};

use crate::confine::{FOLDER_LISTS, Walls};
use crate::protocol::{Line, PARENT, SUBCOMMAND};
use crate::watch::{LOOK_EVERY, look};

/// Bytes of a child's log that are kept: its last words.
const LAST_WORDS: usize = 4096;

/// Bytes that a child may say beside its longest line. A day of stages, told every second, is a third of it.
const MORE_OUTPUT: u64 = 64 << 20;

/// Lines that a child may say: one for each 25 frames of ten hours, each segment, and each second of a day are a tenth.
const MOST_LINES: u64 = 1_000_000;

/// How long a child that has closed its output may take to end, and its log to end after it.
const LAST_BREATH: Duration = Duration::from_secs(5);

/// How often it is asked whether a child has ended.
const ASK_EVERY: Duration = Duration::from_millis(10);

/// What a child may know of its parent's environment beside lists of folders: nothing that could be a secret.
const PASSED_ON: [&str; 2] = ["LANG", "GST_DEBUG"];

/// On which terms a child runs.
#[derive(Debug)]
pub(super) struct Terms {
    pub(super) spool: PathBuf,
    pub(super) walls: Walls,
    pub(super) registry: PathBuf,
    pub(super) silence: Duration,
    /// Bytes.
    pub(super) longest_line: u64,
    pub(super) allowance: Allowance,
}

/// What was heard of a child from its start to its end.
#[derive(Debug)]
pub(super) struct Heard {
    /// Its last line, or what became of it, as the rest of a sentence.
    pub(super) ended: Result<Line, String>,
    /// The end of its log, and how far each stage was.
    pub(super) last_words: String,
    /// What it could not be kept from.
    pub(super) missing: Vec<String>,
}

/// A child in a process group of its own. Dropping it kills the group.
#[derive(Debug)]
pub(super) struct Running {
    child: Child,
    terms: Terms,
    log: Arc<Mutex<Vec<u8>>>,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.kill();
    }
}

impl Running {
    #[expect(clippy::disallowed_methods, reason = "this is the one place that starts children")]
    pub(super) fn start(
        executable: &Path,
        terms: Terms,
        stdin: Stdio,
    ) -> Result<Self, TranscodeError> {
        let mut command = Command::from(std::process::Command::new(executable));
        command
            .arg(SUBCOMMAND)
            .arg(&terms.spool)
            .env_clear()
            .stdin(stdin)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command.process_group(0).kill_on_drop(true);
        for name in FOLDER_LISTS.iter().chain(&PASSED_ON) {
            if let Some(value) = std::env::var_os(name) {
                command.env(name, value);
            }
        }
        if let Some(home) = users_data() {
            command.env("XDG_DATA_HOME", home);
        }
        command.env("GST_REGISTRY", terms.registry.join("gstreamer.bin"));
        if terms.walls == Walls::Work {
            // The list is right since the last scan, and a child could not write another.
            command.env("GST_REGISTRY_UPDATE", "no");
        }
        command.env("TMPDIR", &terms.spool).env("NO_COLOR", "1");
        command.env(PARENT, std::process::id().to_string());
        let child = command.spawn().map_err(TranscodeError::Start)?;
        Ok(Self { child, terms, log: Arc::default() })
    }

    /// Listens to the child until it is done, or until it has to be killed. It does not run any more then.
    pub(super) async fn finish(mut self, reports: Option<mpsc::Sender<Report>>) -> Heard {
        let log = self.child.stderr.take().map(|log| tokio::spawn(keep_end(log, self.log.clone())));
        let mut said = Said::default();
        let ended = match (self.child.stdout.take(), self.child.id()) {
            (Some(stdout), Some(child)) => {
                // Whichever comes first: its last line, silence or nonsense, or too much of something.
                tokio::select! {
                    heard = listen(&self.terms, stdout, reports, &mut said) => heard,
                    how = excess(&self.terms, child) => Err(how),
                }
            }
            _ => Ok(None),
        };
        let ended = match ended {
            Ok(Some(line)) => Ok(line),
            Ok(None) => Err(self.how_it_ended().await),
            Err(how) => Err(how),
        };
        // Done or not: nothing that it could still do is wanted, and no process of it may stay.
        self.kill();
        let _ = timeout(LAST_BREATH, self.child.wait()).await;
        if let Some(log) = log {
            let _ = timeout(LAST_BREATH, log).await;
        }
        let last_words = self.last_words(&said.stages);
        Heard { ended, last_words, missing: said.missing }
    }

    /// What became of a child that closed its output without a last line.
    async fn how_it_ended(&self) -> String {
        let Some(pid) = self.pid() else { return "ended in an unknown way".to_owned() };
        let until = Instant::now() + LAST_BREATH;
        // It is left unreaped for now: as long as it is, its number and its group are nobody else's.
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        while Instant::now() < until {
            match waitid(WaitId::Pid(pid), options) {
                Ok(Some(status)) => {
                    let allowance = &self.terms.allowance;
                    return match (status.exit_status(), status.terminating_signal()) {
                        (_, Some(signal)) => killed_by(signal, allowance),
                        (Some(code), None) => {
                            format!("exited with code {code} and without a result")
                        }
                        (None, None) => "ended in an unknown way".to_owned(),
                    };
                }
                Ok(None) => sleep(ASK_EVERY).await,
                Err(_) => return "ended in an unknown way".to_owned(),
            }
        }
        "closed its output and went on running".to_owned()
    }

    fn last_words(&self, stages: &str) -> String {
        let log = self.log.lock().unwrap_or_else(PoisonError::into_inner);
        let log = String::from_utf8_lossy(&log);
        let stages = match stages {
            "" => String::new(),
            stages => format!("so far: {stages}"),
        };
        [log.trim(), stages.as_str()].join("\n").trim().to_owned()
    }

    fn pid(&self) -> Option<Pid> {
        self.child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw)
    }

    fn kill(&mut self) {
        if let Some(pid) = self.pid() {
            // Gone already is as good as killed.
            let _ = kill_process_group(pid, Signal::KILL);
        }
    }
}

/// Where a user's own plugins are looked for: the child cannot ask who the user is.
fn users_data() -> Option<PathBuf> {
    let given = std::env::var_os("XDG_DATA_HOME").map(PathBuf::from);
    let home = || Some(PathBuf::from(std::env::var_os("HOME")?).join(".local/share"));
    given.or_else(home).filter(|path| path.is_absolute())
}

/// The rest of a sentence about a child that a signal ended.
fn killed_by(signal: i32, allowance: &Allowance) -> String {
    match signal {
        libc::SIGXCPU => {
            format!("used more than {} s of processor time", allowance.cpu_seconds)
        }
        libc::SIGXFSZ => format!("wrote a file of more than {} MB", allowance.spool_mb),
        libc::SIGABRT => format!("gave up by itself (signal {signal}, SIGABRT)"),
        libc::SIGSEGV => format!("was killed by signal {signal} (SIGSEGV)"),
        libc::SIGBUS => format!("was killed by signal {signal} (SIGBUS)"),
        libc::SIGILL => format!("was killed by signal {signal} (SIGILL)"),
        libc::SIGFPE => format!("was killed by signal {signal} (SIGFPE)"),
        libc::SIGKILL => {
            format!(
                "was killed by signal {signal} (SIGKILL), as the kernel does when memory runs out"
            )
        }
        _ => format!("was killed by signal {signal}"),
    }
}

/// What a child has said beside reports.
#[derive(Debug, Default)]
struct Said {
    missing: Vec<String>,
    stages: String,
}

/// Passes reports on until the last line. `None` when the child ended without one; an error says why it has to be
/// killed.
async fn listen(
    terms: &Terms,
    stdout: ChildStdout,
    reports: Option<mpsc::Sender<Report>>,
    said: &mut Said,
) -> Result<Option<Line>, String> {
    let mut stdout = BufReader::with_capacity(64 * 1024, stdout);
    let (mut left, mut lines) = (terms.longest_line + MORE_OUTPUT, 0);
    let mut deadline = Instant::now() + terms.silence;
    let mut text = Vec::new();
    loop {
        text.clear();
        let mut line = (&mut stdout).take(terms.longest_line);
        match timeout_at(deadline, line.read_until(b'\n', &mut text)).await {
            Err(_) => {
                return Err(format!("made no progress for {} s", terms.silence.as_secs_f64()));
            }
            Ok(Err(error)) => return Err(format!("cannot be listened to: {error}")),
            Ok(Ok(0)) => return Ok(None),
            Ok(Ok(_)) => {}
        }
        let bytes = text.len() as u64;
        if text.last() != Some(&b'\n') {
            if bytes == terms.longest_line {
                return Err(format!("wrote a line of more than {} MB", bytes >> 20));
            }
            // It was cut off by a crash.
            return Ok(None);
        }
        lines += 1;
        left = match left.checked_sub(bytes) {
            Some(left) if lines <= MOST_LINES => left,
            _ => return Err("talked without end".to_owned()),
        };
        match serde_json::from_slice(&text) {
            Ok(Line::Confined(missing)) => said.missing = missing,
            Ok(Line::Stages(stages)) => said.stages = stages.chars().take(LAST_WORDS).collect(),
            Ok(Line::Alive) => deadline = Instant::now() + terms.silence,
            Ok(Line::Report(report)) => {
                if let Some(reports) = &reports
                    && reports.send(report).await.is_err()
                {
                    return Err("was stopped: nobody takes its segments".to_owned());
                }
                // Counted from now: whoever takes files slowly does not make the child a silent one.
                deadline = Instant::now() + terms.silence;
            }
            Ok(last) => return Ok(Some(last)),
            Err(error) => return Err(format!("wrote a line that is no report: {error}")),
        }
    }
}

/// Waits until the child has taken more than it may, and says of what.
async fn excess(terms: &Terms, child: u32) -> String {
    let mut every = interval(LOOK_EVERY);
    loop {
        every.tick().await;
        let (spool, files) = (terms.spool.clone(), terms.allowance.files);
        let taken = spawn_blocking(move || look(child, &spool, files)).await.unwrap_or_default();
        if let Some(how) = terms.allowance.exceeded_by(&taken) {
            return how;
        }
    }
}

/// Reads a child's log to its end and keeps the last of it.
async fn keep_end(mut log: ChildStderr, kept: Arc<Mutex<Vec<u8>>>) {
    let mut block = [0; 16 * 1024];
    while let Ok(n @ 1..) = log.read(&mut block).await {
        let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.extend_from_slice(block.get(..n).unwrap_or(&[]));
        let surplus = kept.len().saturating_sub(LAST_WORDS);
        kept.drain(..surplus);
    }
}
