//! Runs the binary under test in a folder of its own, and reads what it answers.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

/// Longest wait for something that should happen at once: two cores that others use too can keep it waiting.
const PATIENCE: Duration = Duration::from_secs(30);

/// Longest time that a command may take: well below what the runner gives a test, so that a hang is told with its words.
const LONGEST_COMMAND: Duration = Duration::from_secs(90);

/// How often a condition is looked at. Some of them hold for a few milliseconds only.
const LOOK_EVERY: Duration = Duration::from_millis(1);

/// A program to start.
#[expect(clippy::disallowed_methods, reason = "the one place where these tests start programs")]
pub(crate) fn program(name: impl AsRef<OsStr>) -> Command {
    Command::new(name)
}

/// Runs a tool that has to succeed.
pub(crate) fn tool(command: &mut Command) -> Output {
    let shown = format!("{command:?}");
    let output = command.stdin(Stdio::null()).output();
    let output = output.unwrap_or_else(|e| {
        panic!("failed to start {shown}: {e}\nhint: `cargo xtask test` installs it")
    });
    assert!(
        output.status.success(),
        "{shown}: {}\n{}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
    output
}

/// Waits until `holds`; `what` is for the failure's message.
pub(crate) fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    let began = Instant::now();
    while !holds() {
        assert!(began.elapsed() < PATIENCE, "waited {} s in vain until {what}", PATIENCE.as_secs());
        std::thread::sleep(LOOK_EVERY);
    }
}

/// The repository.
pub(crate) fn repository() -> &'static Path {
    let crate_folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    crate_folder.ancestors().nth(2).unwrap()
}

/// A pipeline for tests: what the shipped ones do, at a size and speed that let a whole title take two seconds.
pub(crate) fn quick_pipeline(span_segments: u32) -> String {
    format!(
        r#"version = 1
segment_seconds = 5

[video]
encoders = ["x264enc"]
preset = "superfast"
gop_seconds = 1
span_segments = {span_segments}
ladder = [
  {{ name = "180p", long_side = 320, short_side = 180, crf = 23, max_kbps = 600, buffer_kbit = 1200 }},
  {{ name = "90p",  long_side = 160, short_side = 90,  crf = 23, max_kbps = 200, buffer_kbit = 400 }},
]

[audio]
encoders = ["avenc_aac"]
kbps = 64
sample_rate = 48000
channels = 2
"#
    )
}

/// A machine that has never seen Headwater: an empty folder, which commands start in and which goes with the test.
#[derive(Debug)]
pub(crate) struct Site {
    folder: TempDir,
    /// Variables that commands get.
    environment: Vec<(String, String)>,
}

impl Site {
    pub(crate) fn new() -> Self {
        let folder = tempfile::Builder::new().prefix("headwater-it-").tempdir().unwrap();
        Self { folder, environment: Vec::new() }
    }

    /// The same, with variables for every command.
    pub(crate) fn with(self, variables: impl IntoIterator<Item = (String, String)>) -> Self {
        Self { environment: variables.into_iter().collect(), ..self }
    }

    /// A path in the folder.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a file into the folder.
    pub(crate) fn write(&self, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        fs::write(&path, bytes).unwrap();
        path
    }

    /// Writes [`quick_pipeline`] and gives the name that commands take it by.
    pub(crate) fn quick(&self, span_segments: u32) -> String {
        let file = format!("quick-{span_segments}.toml");
        self.write(&file, quick_pipeline(span_segments));
        file
    }

    /// The binary with these arguments, started here, with nothing of ours in its environment.
    pub(crate) fn command<A: AsRef<OsStr>>(
        &self,
        arguments: impl IntoIterator<Item = A>,
    ) -> Command {
        self.command_of(Path::new(env!("CARGO_BIN_EXE_headwater")), arguments)
    }

    /// Likewise with a copy of the binary, or a program that starts it.
    pub(crate) fn command_of<A: AsRef<OsStr>>(
        &self,
        file: &Path,
        arguments: impl IntoIterator<Item = A>,
    ) -> Command {
        let mut command = program(file);
        command.args(arguments).current_dir(self.folder.path()).stdin(Stdio::null());
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("HEADWATER_") {
                command.env_remove(name);
            }
        }
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        command
    }

    /// Runs the binary to its end.
    pub(crate) fn run<A: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = A>) -> Ran {
        Ran::of(&mut self.command(arguments))
    }

    /// `headwater ingest MASTER --title TITLE --pipeline PIPELINE --wait --json`.
    pub(crate) fn ingest_command(&self, master: &Path, title: &str, pipeline: &str) -> Command {
        let mut command =
            self.command(["--json", "ingest", "--wait", "--title", title, "--pipeline", pipeline]);
        command.arg(master);
        command
    }

    /// Ingests a master, whatever comes of it.
    pub(crate) fn ingest(&self, master: &Path, title: &str, pipeline: &str) -> Ran {
        Ran::of(&mut self.ingest_command(master, title, pipeline))
    }

    /// Ingests a master that has to be published, and gives the verdict.
    pub(crate) fn publish(&self, master: &Path, title: &str, pipeline: &str) -> Value {
        let ran = self.ingest(master, title, pipeline);
        let verdict = ran.last_line();
        assert_eq!(verdict["state"], "published", "{ran}");
        assert_eq!(ran.code, Some(0), "{ran}");
        verdict
    }

    /// `headwater status TITLE --json`.
    pub(crate) fn status(&self, title: &str) -> Value {
        self.run(["--json", "status", title]).last_line()
    }

    /// What happened to a title, as sentences.
    pub(crate) fn history(&self, title: &str) -> Vec<String> {
        let status = self.status(title);
        let events = status["events"].as_array().cloned().unwrap_or_default();
        events.iter().map(|e| e["text"].as_str().unwrap().to_owned()).collect()
    }

    /// Where the origin holds a title.
    pub(crate) fn title(&self, title: &str) -> PathBuf {
        self.path("headwater-data/origin/main").join(title)
    }

    /// Where the origin holds the first version of a title.
    pub(crate) fn package(&self, title: &str) -> PathBuf {
        self.title(title).join("v1")
    }

    /// Transcoder children that work for this site.
    pub(crate) fn children(&self) -> Vec<String> {
        let here = self.folder.path().to_str().unwrap();
        let processes = fs::read_dir("/proc").unwrap().flatten();
        let command_lines = processes.filter_map(|p| fs::read(p.path().join("cmdline")).ok());
        let words = command_lines.map(|line| String::from_utf8_lossy(&line).replace('\0', " "));
        words.filter(|line| line.contains(" transcoder-child ") && line.contains(here)).collect()
    }
}

/// A command that has ended.
#[derive(Debug)]
pub(crate) struct Ran {
    /// Exit code; `None` when a signal ended it.
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ran {
    pub(crate) fn of(command: &mut Command) -> Self {
        Running::start(command).finish()
    }

    /// The last line of standard output, which `--json` makes an object.
    pub(crate) fn last_line(&self) -> Value {
        let last = self.stdout.lines().last().unwrap_or_default();
        serde_json::from_str(last)
            .unwrap_or_else(|e| panic!("the last line is not JSON ({e}): {self}"))
    }
}

impl From<Output> for Ran {
    fn from(output: Output) -> Self {
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Self {
            code: output.status.code(),
            stdout: text(output.stdout),
            stderr: text(output.stderr),
        }
    }
}

impl std::fmt::Display for Ran {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "exit code {:?}\n--- stdout\n{}\n--- stderr\n{}",
            self.code, self.stdout, self.stderr
        )
    }
}

/// A command that is running, in a process group of its own. Killed when the test ends, however it ends.
#[derive(Debug)]
pub(crate) struct Running(Option<Child>);

impl Running {
    pub(crate) fn start(command: &mut Command) -> Self {
        let command = command.process_group(0).stdout(Stdio::piped()).stderr(Stdio::piped());
        Self(Some(command.spawn().unwrap_or_else(|e| panic!("failed to start {command:?}: {e}"))))
    }

    /// Likewise for a command that goes on until it is told to stop: its standard error is written to a file, since
    /// nobody reads a pipe.
    pub(crate) fn start_with_log(command: &mut Command, log: fs::File) -> Self {
        let command = command.process_group(0).stdout(Stdio::null()).stderr(log);
        Self(Some(command.spawn().unwrap_or_else(|e| panic!("failed to start {command:?}: {e}"))))
    }

    /// Whether it is still running.
    pub(crate) fn is_alive(&mut self) -> bool {
        self.0.as_mut().is_some_and(|child| child.try_wait().unwrap().is_none())
    }

    /// Sends SIGKILL to its process group and waits for its end.
    pub(crate) fn kill(&mut self) {
        self.signal(rustix::process::Signal::KILL);
        if let Some(mut child) = self.0.take() {
            child.wait().unwrap();
        }
    }

    /// Sends a signal to its process group.
    pub(crate) fn signal(&self, signal: rustix::process::Signal) {
        let Some(child) = &self.0 else { return };
        let group = rustix::process::Pid::from_child(child);
        // Gone already is as good as signalled.
        let _ = rustix::process::kill_process_group(group, signal);
    }

    /// Waits for its end. Who hangs is killed, and what it said until then is the failure's message.
    pub(crate) fn finish(mut self) -> Ran {
        let began = Instant::now();
        while self.is_alive() && began.elapsed() < LONGEST_COMMAND {
            std::thread::sleep(LOOK_EVERY);
        }
        let hangs = self.is_alive();
        if hangs {
            self.signal(rustix::process::Signal::KILL);
        }
        let ran: Ran = self.0.take().unwrap().wait_with_output().unwrap().into();
        assert!(!hangs, "did not end within {} s: {ran}", LONGEST_COMMAND.as_secs());
        ran
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.kill();
    }
}
