//! Turns rounds of measurements into the section that `RESULTS.md` gets.

use std::fmt::Write as _;
use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};

use crate::measure::Cost;

/// One run of one tool.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Run {
    /// What it took.
    pub(crate) cost: Cost,
    /// Bytes of the renditions it made.
    pub(crate) bytes: u64,
}

/// All runs of one tool.
pub(crate) struct Tool<'a> {
    /// Its name.
    pub(crate) name: &'a str,
    /// Its runs in the order of rounds.
    pub(crate) runs: Vec<Run>,
}

impl Tool<'_> {
    /// Median of the processor time, in seconds.
    pub(crate) fn cpu(&self) -> f64 {
        medians(&self.runs).cpu
    }

    /// Median of the wall time, in seconds.
    pub(crate) fn wall(&self) -> f64 {
        medians(&self.runs).wall
    }

    /// Median of the peak memory, in bytes.
    pub(crate) fn memory(&self) -> f64 {
        medians(&self.runs).memory
    }
}

/// Medians of a tool's runs.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Medians {
    wall: f64,
    cpu: f64,
    memory: f64,
    bytes: f64,
}

/// A goal: Headwater's figure over another tool's, at most.
pub(crate) struct Goal<'a> {
    /// Which other tool, by its name.
    pub(crate) against: &'a str,
    /// Of wall time, if there is such a goal.
    pub(crate) wall: Option<f64>,
    /// Of processor time, if there is such a goal.
    pub(crate) cpu: Option<f64>,
}

/// Runs every tool once per round. The one that starts changes from round to round, so that none always meets the
/// caches and the temperature that another left behind.
pub(crate) fn take_turns<'a>(
    names: &[&'a str],
    rounds: usize,
    mut run: impl FnMut(&str) -> Result<Run>,
) -> Result<Vec<Tool<'a>>> {
    let mut tools: Vec<Tool<'a>> =
        names.iter().map(|name| Tool { name, runs: Vec::new() }).collect();
    for round in 0..rounds {
        for turn in 0..tools.len() {
            let at = (round + turn) % tools.len();
            let name = tools[at].name;
            let done = run(name).with_context(|| format!("round {} of {name}", round + 1))?;
            eprintln!(
                "  {name}: {:.2} s wall, {:.2} s CPU",
                done.cost.wall.as_secs_f64(),
                done.cost.cpu.as_secs_f64()
            );
            tools[at].runs.push(done);
        }
    }
    Ok(tools)
}

/// A Markdown table of medians with every run's times, and the first tool's ratios to the others with their goals.
pub(crate) fn table(tools: &[Tool<'_>], goals: &[Goal<'_>]) -> String {
    let mut text = String::from(
        "| tool | wall s | CPU s | peak MB | output MB | wall, CPU s of each round |\n|---|---|---|---|---|---|\n",
    );
    for tool in tools {
        let m = medians(&tool.runs);
        let each = tool
            .runs
            .iter()
            .map(|run| format!("{:.2}, {:.2}", secs(run.cost.wall), secs(run.cost.cpu)));
        let each: Vec<String> = each.collect();
        let _ = writeln!(
            text,
            "| {} | {:.2} | {:.2} | {:.0} | {:.2} | {} |",
            tool.name,
            m.wall,
            m.cpu,
            m.memory / 1e6,
            m.bytes / 1e6,
            each.join(" · ")
        );
    }
    let Some((first, others)) = tools.split_first() else { return text };
    let ours = medians(&first.runs);
    text.push('\n');
    for other in others {
        let theirs = medians(&other.runs);
        let goal = goals.iter().find(|goal| goal.against == other.name);
        let _ = writeln!(
            text,
            "- {} / {}: wall {}, CPU {}, bytes {:.3}",
            first.name,
            other.name,
            ratio(ours.wall, theirs.wall, goal.and_then(|goal| goal.wall)),
            ratio(ours.cpu, theirs.cpu, goal.and_then(|goal| goal.cpu)),
            ours.bytes / theirs.bytes
        );
    }
    text
}

fn ratio(ours: f64, theirs: f64, goal: Option<f64>) -> String {
    let ratio = ours / theirs;
    match goal {
        Some(goal) if ratio <= goal => format!("**{ratio:.2}** (goal {goal:.2}: reached)"),
        Some(goal) => format!("**{ratio:.2}** (goal {goal:.2}: missed)"),
        None => format!("**{ratio:.2}**"),
    }
}

fn medians(runs: &[Run]) -> Medians {
    let of = |figure: fn(&Run) -> f64| median(runs.iter().map(figure).collect());
    Medians {
        wall: of(|run| secs(run.cost.wall)),
        cpu: of(|run| secs(run.cost.cpu)),
        memory: of(|run| run.cost.memory as f64),
        bytes: of(|run| run.bytes as f64),
    }
}

/// The middle of the sorted values, or half-way between the two in the middle; not a number for none.
pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let half = values.len() / 2;
    match values.len() {
        0 => f64::NAN,
        odd if odd % 2 == 1 => values[half],
        _ => f64::midpoint(values[half - 1], values[half]),
    }
}

fn secs(duration: Duration) -> f64 {
    duration.as_secs_f64()
}

/// Adds a section at the end of the results. Old sections stay: they show where we came from.
pub(crate) fn append(file: &Path, section: &str) -> Result<()> {
    let results = OpenOptions::new().append(true).create(true).open(file);
    results
        .and_then(|mut results| results.write_all(format!("\n{section}").as_bytes()))
        .with_context(|| format!("add to `{}`", file.display()))
}

#[cfg(test)]
mod tests;
