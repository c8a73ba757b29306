//! Claims: tasks that 64 claimers get through in a second, by the catalog's own code on PostgreSQL, against the bare
//! statements of a queue under pgbench.
//!
//! `headwater-crowd` has the server, the tasks and the claimers; here its figures are put beside their goals.

use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};
use serde::Deserialize;

use crate::origin::figures::{Goal, judged};
use crate::results::median;
use crate::{Bed, Rounds, machine, measure};

/// Enough, whatever pgbench can do.
const ENOUGH: f64 = 2_000.0;

/// Or this much of what it can do.
const OF_BARE: f64 = 0.7;

/// Of the rate in empty tables: a tenth is what turns differ by without a cause.
const NO_SLOWER: f64 = 0.9;

#[derive(Debug, Deserialize)]
struct Measured {
    claimers: usize,
    connections: u32,
    tables: Vec<Table>,
}

#[derive(Debug, Deserialize)]
struct Table {
    open: u64,
    finished: u64,
    bare: Vec<Bare>,
    with_objects: Vec<Turn>,
    without_objects: Vec<Turn>,
    database_bytes: u64,
}

#[derive(Debug, Deserialize)]
struct Bare {
    tasks_per_second: f64,
    cpu_ms: Cpu,
}

#[derive(Debug, Clone, Copy, Deserialize)]
struct Cpu {
    server: f64,
    client: f64,
}

#[derive(Debug, Deserialize)]
struct Turn {
    tasks_per_second: f64,
    cpu_ms: Cpu,
    claim: Percentiles,
    complete: Percentiles,
}

#[derive(Debug, Deserialize)]
struct Percentiles {
    p50_ms: f64,
    p99_ms: f64,
}

/// Measures, and writes the section of the results.
pub(super) fn run(bed: &Bed<'_>, options: &Rounds) -> Result<String> {
    let mut crowd = Command::new(bed.headwater.with_file_name("headwater-crowd"));
    crowd.args(["claims", "--rounds", &options.rounds.to_string()]);
    if options.quick {
        crowd.args(["--titles", "2000", "--finished", "2000", "--seconds", "5"]);
    }
    let (told, _) = measure::run(&mut crowd, &bed.dir.join("claims.log"))?;
    let measured = serde_json::from_str(&told).context("understand what the crowd says")?;
    let psql = (Path::new("psql"), "--version");
    Ok(section(&measured, &machine::describe(bed.root, &[psql])))
}

fn section(measured: &Measured, machine: &str) -> String {
    let Measured { claimers, connections, tables } = measured;
    let mut text = format!(
        "## Claims: {claimers} claimers on {connections} connections, PostgreSQL on the same machine\n\n{machine}\n\
         | finished tasks | open at first | what | tasks/s | / bare | CPU ms a task, server + client | claim ms p50, p99 | complete ms p50, p99 | \
         tasks/s of each round |\n|---|---|---|---|---|---|---|---|---|\n"
    );
    for table in tables {
        let of = |figure: fn(&Bare) -> f64| median(table.bare.iter().map(figure).collect());
        let bare = of(|turn| turn.tasks_per_second);
        let cpu = (of(|turn| turn.cpu_ms.server), of(|turn| turn.cpu_ms.client));
        let each: Vec<String> =
            table.bare.iter().map(|turn| format!("{:.0}", turn.tasks_per_second)).collect();
        let sizes = format!("| {} | {} ", table.finished, table.open);
        let _ = writeln!(
            text,
            "{sizes}| bare | {bare:.0} | | {:.2} + {:.2} | | | {} |",
            cpu.0,
            cpu.1,
            each.join(" · ")
        );
        let turns = [
            ("claim + complete", &table.without_objects),
            ("claim + complete with 50 objects", &table.with_objects),
        ];
        for (what, turns) in turns {
            let of = |figure: fn(&Turn) -> f64| median(turns.iter().map(figure).collect());
            let rate = of(|turn| turn.tasks_per_second);
            let each: Vec<String> =
                turns.iter().map(|turn| format!("{:.0}", turn.tasks_per_second)).collect();
            let _ = writeln!(
                text,
                "{sizes}| {what} | {rate:.0} | {:.2} | {:.2} + {:.2} | {:.1}, {:.1} | {:.1}, {:.1} | {} |",
                rate / bare,
                of(|turn| turn.cpu_ms.server),
                of(|turn| turn.cpu_ms.client),
                of(|turn| turn.claim.p50_ms),
                of(|turn| turn.claim.p99_ms),
                of(|turn| turn.complete.p50_ms),
                of(|turn| turn.complete.p99_ms),
                each.join(" · ")
            );
        }
    }
    text.push('\n');
    let rate = |turns: &[Turn]| median(turns.iter().map(|turn| turn.tasks_per_second).collect());
    for table in tables {
        let least = ENOUGH
            .min(OF_BARE * median(table.bare.iter().map(|turn| turn.tasks_per_second).collect()));
        for (what, turns) in [("", &table.without_objects), (" with objects", &table.with_objects)]
        {
            let judged = judged(rate(turns), Goal::AtLeast(least.round()));
            let _ = writeln!(text, "- Tasks a second{what}, {} finished: {judged}", table.finished);
        }
    }
    if let [none, many] = tables.as_slice() {
        for (what, turns) in [
            ("", [&many.without_objects, &none.without_objects]),
            (" with objects", [&many.with_objects, &none.with_objects]),
        ] {
            let ratio = rate(turns[0]) / rate(turns[1]);
            let judged = judged(ratio, Goal::AtLeast(NO_SLOWER));
            let _ = writeln!(text, "- {} finished / none{what}: {judged}", many.finished);
        }
        let _ = writeln!(text, "- Database: {:.2} GB", many.database_bytes as f64 / 1e9);
    }
    text
}

#[cfg(test)]
mod tests;
