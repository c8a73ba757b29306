//! Runs one command and measures it together with every process that it starts.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

/// What one run of a command took.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Cost {
    /// From start to end.
    pub(crate) wall: Duration,
    /// User and system time of the command and of all its descendants, as far as their parents waited for them.
    pub(crate) cpu: Duration,
    /// Most resident memory of the command and its descendants at one moment, in bytes. Pages that several of them
    /// share count for each. Of a command without descendants, what the kernel has kept as its peak.
    pub(crate) memory: u64,
}

/// `/proc` counts processor time in hundredths of a second: `USER_HZ`, which is 100 on every Linux that Rust supports
/// for servers.
const TICK: Duration = Duration::from_millis(10);

/// Between two looks at the peak of the command itself, which only grows: what it adds to it in its last moments is
/// missed.
const GLANCE: Duration = Duration::from_millis(10);

/// Glances between two looks at the memory of all: seldom enough to cost nothing, often enough for stages that last
/// seconds.
const LOOK: u32 = 10;

/// Size of a page of memory: 4 KiB on the machines that we measure on.
const PAGE: u64 = 4096;

/// Runs `command` to its end, its standard error going to the file `log`. Returns what it printed and what it took.
/// Only one command may be measured at a time: the kernel adds up the children of this process.
pub(crate) fn run(command: &mut Command, log: &Path) -> Result<(String, Cost)> {
    let shown = shown(command);
    eprintln!("$ {shown}");
    let log_file = File::create(log).with_context(|| format!("create `{}`", log.display()))?;
    let before = cpu_of_children()?;
    let started = Instant::now();
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(log_file);
    let child = command.spawn().with_context(|| format!("start `{shown}`"))?;
    let id = child.id();
    let ended = AtomicBool::new(false);
    let (output, memory) = thread::scope(|scope| {
        let watch = scope.spawn(|| peak_memory(id, &ended));
        let output = child.wait_with_output();
        ended.store(true, Ordering::Relaxed);
        (output, watch.join().unwrap_or_default())
    });
    let output = output.with_context(|| format!("wait for `{shown}`"))?;
    let wall = started.elapsed();
    let cpu = cpu_of_children()?.saturating_sub(before);
    if !output.status.success() {
        let words = fs::read_to_string(log).unwrap_or_default();
        bail!("`{shown}` failed: {}\n{}", output.status, last_lines(&words, 20));
    }
    Ok((String::from_utf8_lossy(&output.stdout).into_owned(), Cost { wall, cpu, memory }))
}

/// Runs a command that only prepares something; see [`run`].
pub(crate) fn prepare(command: &mut Command, log: &Path) -> Result<String> {
    run(command, log).map(|(output, _)| output)
}

/// A command in one line, cut short: filter graphs are long.
fn shown(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    let line = words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ");
    if line.chars().count() > 200 {
        format!("{}…", line.chars().take(200).collect::<String>())
    } else {
        line
    }
}

fn last_lines(text: &str, count: usize) -> String {
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(count)..].join("\n")
}

/// Processor time of all children that this process has waited for so far, and theirs.
fn cpu_of_children() -> Result<Duration> {
    let stat = fs::read_to_string("/proc/self/stat").context("read `/proc/self/stat`")?;
    ticks(&stat, OF_CHILDREN).map(|ticks| TICK * ticks).context("understand `/proc/self/stat`")
}

/// Where `utime` and `cutime` are among the fields of proc(5), counted from the end of the program's name, field 2: it may
/// hold blanks and brackets.
const OWN: usize = 11;
const OF_CHILDREN: usize = 13;

/// User time at this place, and system time, which follows it.
fn ticks(stat: &str, place: usize) -> Option<u32> {
    let (_, fields) = stat.rsplit_once(") ")?;
    let mut fields = fields.split(' ').skip(place);
    let user: u32 = fields.next()?.parse().ok()?;
    let system: u32 = fields.next()?.parse().ok()?;
    user.checked_add(system)
}

/// Looks at the memory of a process and its descendants until `ended`, and returns the most it saw.
fn peak_memory(id: u32, ended: &AtomicBool) -> u64 {
    let mut peak = 0;
    for glance in (0..LOOK).cycle() {
        if ended.load(Ordering::Relaxed) {
            break;
        }
        peak = peak.max(own_peak(id).unwrap_or(0));
        if glance == 0 {
            peak = peak.max(descendants(id).into_iter().filter_map(resident).sum());
        }
        thread::sleep(GLANCE);
    }
    peak
}

/// Most resident memory of a process so far in bytes, if it is still there.
fn own_peak(id: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{id}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kib: u64 = line.trim().strip_suffix(" kB")?.parse().ok()?;
    Some(kib * 1024)
}

/// Processor time that a running process itself has taken so far.
pub(crate) fn cpu_of(id: u32) -> Result<Duration> {
    let file = format!("/proc/{id}/stat");
    let stat = fs::read_to_string(&file).with_context(|| format!("read `{file}`"))?;
    ticks(&stat, OWN).map(|ticks| TICK * ticks).with_context(|| format!("understand `{file}`"))
}

/// A process and all its descendants. Those that end meanwhile are left out.
fn descendants(id: u32) -> BTreeSet<u32> {
    let mut found = BTreeSet::new();
    let mut open = vec![id];
    while let Some(id) = open.pop() {
        if found.insert(id) {
            // Each thread lists the children that it started itself.
            let threads = fs::read_dir(format!("/proc/{id}/task")).into_iter().flatten().flatten();
            for thread in threads {
                let children =
                    fs::read_to_string(thread.path().join("children")).unwrap_or_default();
                open.extend(children.split_whitespace().filter_map(|it| it.parse::<u32>().ok()));
            }
        }
    }
    found
}

/// Resident memory of a process in bytes, if it is still there.
fn resident(id: u32) -> Option<u64> {
    let statm = fs::read_to_string(format!("/proc/{id}/statm")).ok()?;
    let pages: u64 = statm.split(' ').nth(1)?.parse().ok()?;
    Some(pages * PAGE)
}

#[cfg(test)]
mod tests;
