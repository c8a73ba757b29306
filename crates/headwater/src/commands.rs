//! One file for each command, and how they say no.

pub(crate) mod audit;
pub(crate) mod gc;
pub(crate) mod heal;
pub(crate) mod incidents;
pub(crate) mod ingest;
pub(crate) mod origin;
pub(crate) mod pipelines;
pub(crate) mod probe;
pub(crate) mod rebuild;
pub(crate) mod retranscode;
pub(crate) mod rollback;
pub(crate) mod status;
pub(crate) mod up;
pub(crate) mod verify;

use std::path::Path;

use anyhow::Context;
use serde_json::json;

use crate::cli::Outcome;
use crate::terminal::{complain, news, say};

/// Says no to what was asked of a title, an origin or whatever `what` names: why, and what to do about it. Nothing was
/// done.
pub(crate) fn turn_down(
    (what, name): (&str, &str),
    message: &str,
    next_step: &str,
    json: bool,
) -> Outcome {
    if json {
        say(&json!({ what: name, "message": message, "next_step": next_step }).to_string());
    } else {
        complain(message);
        news(&format!("hint: {next_step}"));
    }
    Outcome::Refused
}

/// A pipeline as the catalog keeps it: a file by its whole path, since a service may have started in another folder.
pub(crate) fn named(pipeline: String) -> anyhow::Result<String> {
    if !pipeline.ends_with(".toml") {
        return Ok(pipeline);
    }
    let path = std::path::absolute(Path::new(&pipeline)).context("find the pipeline file")?;
    Ok(path.display().to_string())
}
