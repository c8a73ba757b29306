//! `cargo xtask fuzz-masters`: real masters of many kinds, each damaged in some way, given to a running service. Whatever
//! they are, each becomes a package that can be proven or a refusal with a code, and the service goes on.

mod damage;
mod kinds;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde::Deserialize;

use crate::{packages, shell, workspace};

/// How to run it.
#[derive(Debug, PartialEq)]
pub(crate) struct Options {
    /// Masters to damage.
    count: u64,
    /// What they follow from: the same seed damages the same places.
    seed: u64,
    /// Only this one of them.
    only: Option<u64>,
}

impl Options {
    pub(crate) fn parse(args: &[&str]) -> Option<Self> {
        let mut options = Self { count: 1000, seed: 1, only: None };
        let mut args = args.iter();
        while let Some(arg) = args.next() {
            let number = args.next()?.parse().ok()?;
            match *arg {
                "--count" => options.count = number,
                "--seed" => options.seed = number,
                "--only" => options.only = Some(number),
                _ => return None,
            }
        }
        Some(options)
    }
}

/// Masters that wait or are worked on at once: some for each processor, and not so many that the disk fills.
const AT_ONCE: usize = 12;

const POLL: Duration = Duration::from_millis(300);

/// Seconds without a word after which a child is taken to hang: ten times as long as any of these masters takes.
const SILENCE: &str = "20";

/// Longer than any of these masters, of two seconds, may take with all tries that it has.
const TOO_LONG: Duration = Duration::from_secs(600);

/// What a service gets to end in.
const TO_STOP: Duration = Duration::from_secs(30);

/// Codes that say that something of ours went wrong.
const OURS: [&str; 2] = ["internal", "made-differently"];

const PIPELINE: &str = r#"version = 1
segment_seconds = 5

[video]
encoders = ["x264enc"]
preset = "ultrafast"
gop_seconds = 1
span_segments = 1
trick = true
ladder = [
  { name = "90p", long_side = 160, short_side = 90, crf = 28, max_kbps = 200, buffer_kbit = 400 },
]

[audio]
encoders = ["avenc_aac"]
kbps = 64
sample_rate = 48000
channels = 2
"#;

/// Runs it. The exit code says whether every master came to a good end.
pub(crate) fn run(options: &Options) -> Result<ExitCode> {
    packages::install(packages::Need::Test)?;
    let headwater = workspace::build_release()?;
    let folder = workspace::target().join("fuzz");
    let kinds = kinds::make_if_missing(&folder.join("kinds"))?;
    let site = Site::new(headwater, folder.join("site"))?;
    let mut service = site.start()?;
    let numbers: Vec<u64> = match options.only {
        Some(only) => vec![only],
        None => (0..options.count).collect(),
    };
    let (mut waiting, mut ended) = (BTreeMap::<String, Case>::new(), Vec::new());
    let mut numbers = numbers.into_iter().peekable();
    let mut told = 0;
    while numbers.peek().is_some() || !waiting.is_empty() {
        while let Some(number) = numbers.next_if(|_| waiting.len() < AT_ONCE) {
            let case = Case::make(&kinds, options.seed, number, &site.folder)?;
            site.ingest(&case)?;
            waiting.insert(case.title.clone(), case);
        }
        thread::sleep(POLL);
        if let Some(status) = service.try_wait().context("look after the service")? {
            bail!("the service ended: {status}; its log is {}", site.log().display());
        }
        for title in site.titles()? {
            let Some(case) = waiting.get(&title.title) else { continue };
            if title.is_final() {
                let end = site.judge(case, &title)?;
                if let Some(case) = waiting.remove(&title.title) {
                    fs::remove_file(&case.file).context("remove a master")?;
                    ended.push((case, end));
                }
            } else if case.began.elapsed() > TOO_LONG {
                bail!("{case} is {} after {} s", title.state, TOO_LONG.as_secs());
            }
        }
        if ended.len() / 100 > told {
            told = ended.len() / 100;
            eprintln!("{} of {}", ended.len(), options.count);
        }
    }
    site.stop(&mut service)?;
    let left = site.children()?;
    report(options, &ended, &left)
}

/// Prints the table and says whether all is well.
fn report(options: &Options, ended: &[(Case, End)], left: &[String]) -> Result<ExitCode> {
    let mut table: BTreeMap<&str, u64> = BTreeMap::new();
    for (_, end) in ended {
        *table.entry(end.name()).or_default() += 1;
    }
    println!("{} masters, seed {}", ended.len(), options.seed);
    for (name, count) in &table {
        println!("  {count:>6}  {name}");
    }
    let bad: Vec<String> = ended
        .iter()
        .filter_map(|(case, end)| match end {
            End::Bad(why) => Some(format!("{case}: {why}")),
            End::Published | End::Refused(_) => None,
        })
        .collect();
    for line in bad.iter().chain(left) {
        println!("{line}");
    }
    if bad.is_empty() && left.is_empty() {
        println!(
            "each became a package that is proven, or was refused with its code; nobody is left"
        );
        return Ok(ExitCode::SUCCESS);
    }
    println!("hint: `cargo xtask fuzz-masters --seed {} --only N` runs one again", options.seed);
    Ok(ExitCode::FAILURE)
}

/// A damaged master.
struct Case {
    number: u64,
    title: String,
    file: PathBuf,
    what: String,
    began: Instant,
}

impl std::fmt::Display for Case {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} ({})", self.number, self.what)
    }
}

impl Case {
    fn make(kinds: &[PathBuf], seed: u64, number: u64, folder: &Path) -> Result<Self> {
        let mut random =
            fastrand::Rng::with_seed(seed.wrapping_mul(1_000_003).wrapping_add(number));
        let kind = &kinds[random.usize(..kinds.len())];
        let other = &kinds[random.usize(..kinds.len())];
        let read =
            |file: &Path| fs::read(file).with_context(|| format!("read `{}`", file.display()));
        let mut bytes = read(kind)?;
        let what = damage::damage(&mut bytes, &read(other)?, &mut random);
        let name = kind.file_name().map(|name| name.to_string_lossy().into_owned());
        let name = name.context("a kind has a name")?;
        let title = format!("fuzz-{number}");
        let file = folder.join(format!("{title}-{name}"));
        fs::write(&file, bytes).with_context(|| format!("write `{}`", file.display()))?;
        Ok(Self { number, title, file, what: format!("{name}: {what}"), began: Instant::now() })
    }
}

/// How it ended.
enum End {
    Published,
    Refused(String),
    Bad(String),
}

impl End {
    fn name(&self) -> &str {
        match self {
            End::Published => "published",
            End::Refused(code) => code,
            End::Bad(_) => "BAD",
        }
    }
}

/// The part of `headwater status --json` that matters here.
#[derive(Debug, Deserialize)]
struct Title {
    title: String,
    state: String,
    code: Option<String>,
    message: Option<String>,
}

impl Title {
    fn is_final(&self) -> bool {
        matches!(self.state.as_str(), "published" | "rejected" | "failed")
    }
}

/// A folder with a service.
struct Site {
    headwater: PathBuf,
    folder: PathBuf,
}

impl Site {
    fn new(headwater: PathBuf, folder: PathBuf) -> Result<Self> {
        if folder.exists() {
            fs::remove_dir_all(&folder).context("remove what an earlier run left")?;
        }
        fs::create_dir_all(&folder).context("create a folder")?;
        fs::write(folder.join("fuzz.toml"), PIPELINE).context("write the pipeline")?;
        Ok(Self { headwater, folder })
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.headwater);
        command.args(arguments).current_dir(&self.folder).stdin(Stdio::null());
        command
    }

    fn log(&self) -> PathBuf {
        self.folder.join("service.log")
    }

    fn start(&self) -> Result<Child> {
        let log = fs::File::create(self.log()).context("create the service's log")?;
        let mut up = self.command(&["up", "--roles", "watch,worker,verify"]);
        up.env("HEADWATER_WORKER_TRANSCODER_SILENCE_SECONDS", SILENCE);
        up.stdout(Stdio::null()).stderr(log);
        up.spawn().context("start the service")
    }

    fn stop(&self, service: &mut Child) -> Result<()> {
        let pid = rustix::process::Pid::from_raw(service.id().cast_signed());
        let pid = pid.context("the service has a process id")?;
        rustix::process::kill_process(pid, rustix::process::Signal::TERM)
            .context("end the service")?;
        let asked = Instant::now();
        while service.try_wait().context("wait for the service")?.is_none() {
            if asked.elapsed() > TO_STOP {
                bail!("the service does not end");
            }
            thread::sleep(POLL);
        }
        Ok(())
    }

    fn ingest(&self, case: &Case) -> Result<()> {
        let file = case.file.to_str().context("a path of text")?;
        let ingest = ["--json", "ingest", file, "--title", &case.title, "--pipeline", "fuzz.toml"];
        // What is refused at the door has a title all the same.
        let output = self.command(&ingest).output().context("ingest a master")?;
        match output.status.code() {
            Some(0 | 1) => Ok(()),
            _ => bail!("`ingest` of {case}: {}", String::from_utf8_lossy(&output.stderr)),
        }
    }

    fn titles(&self) -> Result<Vec<Title>> {
        let text = shell::read(&mut self.command(&["--json", "status"]))?;
        let lines = text.lines().map(serde_json::from_str);
        lines.collect::<Result<_, _>>().context("read the titles")
    }

    fn judge(&self, case: &Case, title: &Title) -> Result<End> {
        if title.state == "published" {
            let verify = self.command(&["verify", &case.title, "--policy", "read"]).output();
            let verify = verify.context("prove a title")?;
            return Ok(match verify.status.success() {
                true => End::Published,
                false => End::Bad(String::from_utf8_lossy(&verify.stdout).into_owned()),
            });
        }
        let message = title.message.clone().unwrap_or_default();
        Ok(match &title.code {
            Some(code) if OURS.contains(&code.as_str()) => End::Bad(format!("{code}: {message}")),
            Some(code) if !message.is_empty() => End::Refused(code.clone()),
            _ => End::Bad(format!("{} without a reason", title.state)),
        })
    }

    /// Transcoders that are still there.
    fn children(&self) -> Result<Vec<String>> {
        let here = self.folder.to_string_lossy().into_owned();
        let processes = fs::read_dir("/proc").context("look at all processes")?.flatten();
        let lines = processes.filter_map(|p| fs::read(p.path().join("cmdline")).ok());
        let words = lines.map(|line| String::from_utf8_lossy(&line).replace('\0', " "));
        let ours = words.filter(|line| line.contains(" transcoder-child ") && line.contains(&here));
        Ok(ours.map(|line| format!("left behind: {line}")).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_read() {
        let all = Options { count: 1000, seed: 1, only: None };
        assert_eq!(Options::parse(&[]), Some(all));
        let some = Options { count: 20, seed: 7, only: Some(3) };
        assert_eq!(Options::parse(&["--count", "20", "--seed", "7", "--only", "3"]), Some(some));
        assert_eq!(Options::parse(&["--count"]), None);
        assert_eq!(Options::parse(&["--many", "1"]), None);
    }
}
