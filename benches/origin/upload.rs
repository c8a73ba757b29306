//! 2,000 objects of 2 MB: Headwater uploads and proves them, s5cmd and rclone upload the same files and leave it at that.
//!
//! Headwater hashes content once, when it packages it; so its hashes are there when the clock starts, as they are when
//! the product uploads. Every run meets an empty server: some keep equal blocks only once.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, bail};
use serde::Deserialize;

use super::figures::{Goal, Work, judged};
use super::servers::{Kind, Server};
use super::{Lab, Options, understood};
use crate::results::{self, Run, median};
use crate::{headwater, measure};

/// Segments of each of five renditions: 2,000 objects of 2 MB, and some twenty small ones.
const SEGMENTS: u32 = 400;
const BYTES: &str = "2000000";

/// Uploads of the bare client.
const BARE: u32 = 1_000;

#[derive(Deserialize)]
struct Made {
    objects: u64,
    bytes: u64,
}

#[derive(Deserialize)]
struct Uploaded {
    objects: u64,
    upload_seconds: f64,
    verify_seconds: f64,
}

#[derive(Deserialize)]
struct Bare {
    uploads: u32,
    seconds: f64,
}

/// Measures on both servers.
pub(super) fn run(
    lab: &Lab<'_>,
    options: &Options,
    keep: &dyn Fn(String) -> Result<()>,
) -> Result<()> {
    let segments = options.sized(SEGMENTS).to_string();
    let dir = lab.dir.join("files");
    headwater::empty(&dir)?;
    let mut make = Command::new(&lab.load);
    let made: Made = lab.said(make.arg("files").arg(&dir).args(["1", &segments, BYTES]))?;
    for kind in Kind::ALL {
        keep(on(lab, options, kind, &dir, &made)?)?;
    }
    fs::remove_dir_all(&dir).context("remove the files")
}

fn on(lab: &Lab<'_>, options: &Options, kind: Kind, dir: &PathBuf, made: &Made) -> Result<String> {
    let bare = {
        let server = Server::start(lab, kind)?;
        let uploads = options.sized(BARE).to_string();
        let bare: Bare = lab.load(&server, &["put", &uploads, BYTES])?;
        f64::from(bare.uploads) / bare.seconds
    };
    let names = ["Headwater, with proof", "s5cmd", "rclone"];
    let (mut server_cpu, mut parts) = (vec![Vec::new(); names.len()], Vec::new());
    let tools = results::take_turns(&names, options.rounds, |name| {
        let server = Server::start(lab, kind)?;
        let mut command = match name {
            "s5cmd" => lab.tools.s5cmd_upload(&server, dir),
            "rclone" => lab.tools.rclone_upload(&server, dir),
            _ => {
                let mut command = Command::new(&lab.load);
                server.known_to(command.arg("upload").arg(dir));
                command
            }
        };
        let before = server.cpu()?;
        let (output, cost) = measure::run(&mut command, &lab.dir.join("upload.log"))?;
        let at = names.iter().position(|it| *it == name).unwrap_or_default();
        server_cpu[at].push(server.cpu()?.saturating_sub(before));
        if at == 0 {
            let told: Uploaded = understood(&output)?;
            if told.objects != made.objects {
                bail!("{} objects were uploaded, not {}", told.objects, made.objects);
            }
            parts.push((told.upload_seconds, told.verify_seconds));
        }
        Ok(Run { cost, bytes: made.bytes })
    })?;

    let work = Work { objects: made.objects, server: server_cpu };
    let [ours, s5cmd, rclone] = tools.as_slice() else { bail!("a client is missing") };
    let of = |part: fn(&(f64, f64)) -> f64| median(parts.iter().map(part).collect());
    let against = |other: &results::Tool<'_>, rate, cpu| {
        format!(
            "- Headwater / {}: rate {}, client CPU {}\n",
            other.name,
            judged(work.rate(ours) / work.rate(other), rate),
            judged(ours.cpu() / other.cpu(), cpu)
        )
    };
    Ok(format!(
        "## Upload: {} objects, {:.0} MB, to {}\n\n{}\n{}\n{}{}\
         - Headwater's uploads {:.2} s, its proof (listing, and the last byte of every object) {:.2} s\n\
         - The server's limit: {bare:.0} bare uploads of 2 MB a second, 8 at once\n",
        made.objects,
        made.bytes as f64 / 1e6,
        kind.name(),
        lab.described(Some(kind)),
        work.table(&tools),
        against(s5cmd, Goal::AtLeast(1.0), Goal::AtMost(0.3)),
        against(rclone, Goal::None, Goal::None),
        of(|part| part.0),
        of(|part| part.1),
    ))
}
