//! Says when and on what a benchmark ran: numbers without that compare to nothing.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::thread;

/// One line about date, commit and machine, and one about the versions of `tools` (program, argument that asks it) if there are any.
pub(crate) fn describe(root: &Path, tools: &[(&Path, &str)]) -> String {
    let date = said("date", &["--utc", "+%F %H:%M UTC"]);
    let git = |ask: &[&str]| said("git", &[&["-C", &*root.to_string_lossy()], ask].concat());
    // The file that this goes into is changed by the results before.
    let changed = git(&["status", "--porcelain", "--", ".", ":!benches/RESULTS.md"]);
    let dirty = if changed.is_empty() { "" } else { "-dirty" };
    let commit = git(&["describe", "--always"]);
    let cores = thread::available_parallelism().map_or(0, std::num::NonZero::get);
    let info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let memory = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let versions = tools.iter().map(|(tool, ask)| said(&tool.to_string_lossy(), &[ask]));
    let versions: Vec<String> = versions.filter(|it| !it.is_empty()).collect();
    let mut text = format!(
        "{date}, commit {commit}{dirty}; {}, {cores} cores, {} GB\n",
        cpu(&info).unwrap_or("unknown processor"),
        gigabytes(&memory).unwrap_or_default()
    );
    if !versions.is_empty() {
        text += &format!("\n{}\n", versions.join("; "));
    }
    text
}

/// The first line of what a program says, cut at the copyright; nothing when it is not there.
fn said(program: &str, args: &[&str]) -> String {
    let output = Command::new(program).args(args).output();
    let text =
        output.map(|it| String::from_utf8_lossy(&it.stdout).into_owned()).unwrap_or_default();
    let line = text.lines().next().unwrap_or_default();
    line.split(" Copyright").next().unwrap_or_default().trim().to_owned()
}

fn cpu(info: &str) -> Option<&str> {
    let line = info.lines().find(|line| line.starts_with("model name"))?;
    Some(line.split_once(':')?.1.trim())
}

fn gigabytes(memory: &str) -> Option<u64> {
    let line = memory.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kib: u64 = line.trim().strip_suffix(" kB")?.parse().ok()?;
    Some((kib + 512 * 1024) / (1024 * 1024))
}
