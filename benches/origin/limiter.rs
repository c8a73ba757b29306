//! 2,000 uploads, 64 and 400 in flight, against a server that lets in 200 a second and tells the rest to slow down.

use std::fmt::Write as _;

use anyhow::Result;
use serde::Deserialize;

use super::figures::{Goal, judged};
use super::servers::{Kind, Server};
use super::{Lab, Options};
use crate::results::median;

const UPLOADS: u32 = 2_000;
const IN_FLIGHT: [&str; 2] = ["64", "400"];
const LET_IN: &str = "200";

#[derive(Deserialize)]
struct Limited {
    uploads: u32,
    lost: u32,
    seconds: f64,
}

/// Measures, and returns the section.
pub(super) fn run(lab: &Lab<'_>, options: &Options) -> Result<String> {
    // Fewer would be over before the pace is found.
    let uploads = UPLOADS.to_string();
    let mut section = format!(
        "## Limiter: {uploads} uploads where {LET_IN} a second are let in and the rest gets 503 SlowDown\n\n{}\n\
         | in flight | lost | uploads/s | of each round |\n|---|---|---|---|\n",
        lab.described(None)
    );
    for in_flight in IN_FLIGHT {
        let (mut lost, mut rates) = (0, Vec::new());
        for _ in 0..options.rounds {
            let limited = ["--puts-per-second", LET_IN];
            let server = Server::start_with(lab, Kind::Lying, &limited)?;
            let done: Limited = lab.load(&server, &["limited", &uploads, in_flight])?;
            lost += done.lost;
            rates.push(f64::from(done.uploads) / done.seconds);
        }
        let each: Vec<String> = rates.iter().map(|rate| format!("{rate:.1}")).collect();
        let _ = writeln!(
            section,
            "| {in_flight} | {} | {} | {} |",
            judged(f64::from(lost), Goal::AtMost(0.0)),
            judged(median(rates), Goal::AtLeast(190.0)),
            each.join(" · ")
        );
    }
    Ok(section)
}
