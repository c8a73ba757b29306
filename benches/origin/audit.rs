//! Audits by listing: `headwater audit --all` against rclone and s5cmd, and against the bare listing of the server.
//!
//! The catalog is the product's own, rebuilt from the origin that it is about. What Headwater takes includes its start,
//! a look whether the origin can be used at all, and reading the inventory of every title.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};
use serde::Deserialize;

use super::figures::{Goal, Work, judged};
use super::servers::{Kind, Server};
use super::{Lab, Options, understood};
use crate::results::{self, Run, Tool, median};
use crate::{headwater, measure};

/// Segments of each of five renditions of a title: 1,001 objects with playlists, inventory and pointers.
const SEGMENTS: &str = "197";

/// Titles of the small library and of the large one.
const TITLES: [u32; 2] = [10, 100];

/// Memory that an audit may take, in MB.
const MOST_MEMORY: f64 = 200.0;

/// A library on a server: the titles of one tenant.
struct Library {
    tenant: String,
    titles: u32,
    objects: u64,
    /// Folder of its catalog.
    data: PathBuf,
    /// MD5 of every object, for rclone.
    sums: PathBuf,
}

#[derive(Deserialize)]
struct Filled {
    objects: u64,
}

#[derive(Deserialize)]
struct Listed {
    keys: u64,
    seconds: f64,
}

#[derive(Deserialize)]
struct Audited {
    tally: Tally,
}

#[derive(Deserialize)]
struct Tally {
    titles: u64,
    objects: u64,
    findings: u64,
    orphans: u64,
}

/// Measures on both servers.
pub(super) fn run(
    lab: &Lab<'_>,
    options: &Options,
    keep: &dyn Fn(String) -> Result<()>,
) -> Result<()> {
    for kind in Kind::ALL {
        let server = Server::start(lab, kind)?;
        let mut peaks = Vec::new();
        for titles in TITLES {
            let library = fill(lab, &server, options.sized(titles))?;
            let (section, peak) = on(lab, options, &server, &library, &peaks)?;
            peaks.push((library.objects, peak));
            keep(section)?;
        }
    }
    Ok(())
}

/// Stores a library, and rebuilds its catalog.
fn fill(lab: &Lab<'_>, server: &Server, titles: u32) -> Result<Library> {
    let tenant = format!("library-{titles}");
    let (data, sums) = (lab.dir.join(&tenant), lab.dir.join(format!("{tenant}.md5")));
    headwater::empty(&data)?;
    let shown = sums.to_string_lossy().into_owned();
    let args = ["fill", &tenant, &titles.to_string(), SEGMENTS, &shown];
    let filled: Filled = lab.load(server, &args)?;
    let library = Library { tenant, titles, objects: filled.objects, data, sums };
    let mut rebuild = product(lab, server, &library);
    rebuild.args(["catalog", "rebuild", "--origin", "lab", "--json"]);
    measure::prepare(&mut rebuild, &lab.dir.join("rebuild.log")).context("rebuild the catalog")?;
    Ok(library)
}

/// The product, told where the origin and the catalog are.
fn product(lab: &Lab<'_>, server: &Server, library: &Library) -> Command {
    let mut command = Command::new(lab.bed.headwater);
    server.known_to(&mut command);
    command.env("HEADWATER_TENANT", &library.tenant);
    command.env("HEADWATER_DATA_DIR", &library.data).current_dir(&library.data);
    command
}

/// The section of one library, and Headwater's peak memory in MB.
fn on(
    lab: &Lab<'_>,
    options: &Options,
    server: &Server,
    library: &Library,
    before: &[(u64, f64)],
) -> Result<(String, f64)> {
    let names = [
        "Headwater",
        "rclone check",
        "rclone checksum",
        "s5cmd sync --dry-run",
        "s5cmd ls",
        "bare listing",
    ];
    let prefix = format!("{}/", library.tenant);
    let (mut server_cpu, mut listing) = (vec![Vec::new(); names.len()], Vec::new());
    let tools = results::take_turns(&names, options.rounds, |name| {
        let mut command = match name {
            "Headwater" => product(lab, server, library),
            "rclone check" => lab.tools.rclone_check(server, &prefix),
            "rclone checksum" => lab.tools.rclone_checksum(server, &library.sums, &prefix),
            "s5cmd sync --dry-run" => lab.tools.s5cmd_compare(server, &prefix),
            "s5cmd ls" => lab.tools.s5cmd_list(server, &prefix),
            _ => Command::new(&lab.load),
        };
        match name {
            "Headwater" => drop(command.args(["audit", "--all", "--from-start", "--json"])),
            "bare listing" => drop(server.known_to(&mut command).args(["list", &prefix])),
            _ => {}
        }
        let before = server.cpu()?;
        let (output, cost) = measure::run(&mut command, &lab.dir.join("audit.log"))?;
        let at = names.iter().position(|it| *it == name).unwrap_or_default();
        server_cpu[at].push(server.cpu()?.saturating_sub(before));
        match name {
            "Headwater" => check(&output, library)?,
            "s5cmd ls" => ensure!(
                output.lines().count() as u64 == library.objects,
                "s5cmd listed {} objects",
                output.lines().count()
            ),
            "bare listing" => {
                let listed: Listed = understood(&output)?;
                ensure!(listed.keys == library.objects, "{} keys were listed", listed.keys);
                listing.push(listed.keys as f64 / listed.seconds);
            }
            _ => {}
        }
        Ok(Run { cost, bytes: 0 })
    })?;

    let work = Work { objects: library.objects, server: server_cpu };
    let Some((ours, others)) = tools.split_first() else { bail!("nothing was measured") };
    let peak = ours.memory() / 1e6;
    let listing = median(listing);
    let mut section = format!(
        "## Audit: {} objects in {} titles, on {}\n\n{}\n{}\n",
        library.objects,
        library.titles,
        server.kind.name(),
        lab.described(Some(server.kind)),
        work.table(&tools)
    );
    for other in others {
        let goal = if other.name == "rclone check" { Goal::AtLeast(5.0) } else { Goal::None };
        section += &line(&work, ours, other, goal);
    }
    section += &format!(
        "- Headwater / the server's bare listing, {listing:.0} keys a second on one connection without start and end: {}\n\
         - Peak memory in MB: {}",
        judged(work.rate(ours) / listing, Goal::AtLeast(0.8)),
        judged(peak, Goal::AtMost(MOST_MEMORY))
    );
    for (objects, before) in before {
        section += &format!(", {:.2} times that of {objects} objects", peak / before);
    }
    section.push('\n');
    Ok((section, peak))
}

fn line(work: &Work, ours: &Tool<'_>, other: &Tool<'_>, goal: Goal) -> String {
    format!(
        "- Headwater / {}: rate {}, CPU **{:.2}**\n",
        other.name,
        judged(work.rate(ours) / work.rate(other), goal),
        ours.cpu() / other.cpu()
    )
}

/// Fails unless everything was looked at and found sound.
fn check(output: &str, library: &Library) -> Result<()> {
    let Tally { titles, objects, findings, orphans } = understood::<Audited>(output)?.tally;
    ensure!(
        (titles, objects, findings, orphans) == (u64::from(library.titles), library.objects, 0, 0),
        "the audit looked at {titles} titles and {objects} objects and found {findings} wrong and {orphans} orphans"
    );
    Ok(())
}
