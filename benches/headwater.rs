//! Drives the `headwater` binary the way anybody would: by its command line and its JSON.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use headwater_model::pipeline::Pipeline;
use serde::Deserialize;

use crate::Bed;
use crate::measure::{self, Cost};

/// The last line of `headwater ingest --wait --json`, as far as it matters here.
#[derive(Debug, Deserialize)]
struct Answer {
    state: String,
    hls: Option<PathBuf>,
    code: Option<String>,
    message: Option<String>,
}

/// Takes a master all the way to a published package below `dir`, which is emptied first. Returns the package's
/// multivariant playlist and what it took, proof and catalog included.
pub(crate) fn ingest(
    bed: &Bed<'_>,
    master: &Path,
    pipeline: &str,
    dir: &Path,
) -> Result<(PathBuf, Cost)> {
    empty(dir)?;
    let mut command = Command::new(bed.headwater);
    command.arg("ingest").arg(master).args(["--wait", "--json", "--pipeline", pipeline]);
    command.arg("--data-dir").arg(dir).current_dir(bed.root);
    let (output, cost) = measure::run(&mut command, &dir.with_extension("log"))?;
    let last = output.lines().last().context("`headwater ingest` printed nothing")?;
    let answer: Answer = serde_json::from_str(last)
        .with_context(|| format!("understand what `headwater ingest` said: `{last}`"))?;
    ensure!(
        answer.state == "published",
        "the master was {}: {}: {}",
        answer.state,
        answer.code.as_deref().unwrap_or("no code"),
        answer.message.as_deref().unwrap_or("no message")
    );
    Ok((answer.hls.context("`headwater ingest` did not say where the package is")?, cost))
}

/// The pipeline of that name (or in that file) as the product itself reads it.
pub(crate) fn pipeline(bed: &Bed<'_>, name: &str) -> Result<Pipeline> {
    let shipped = bed.root.join("pipelines").join(format!("{name}.toml"));
    let file = if shipped.exists() { shipped } else { PathBuf::from(name) };
    let mut command = Command::new(bed.headwater);
    command.args(["pipelines", "check"]).arg(&file).arg("--json");
    let output = measure::prepare(&mut command, &bed.dir.join("pipeline.log"))?;
    serde_json::from_str(&output)
        .with_context(|| format!("understand pipeline `{}`", file.display()))
}

/// Makes `dir` an empty folder.
pub(crate) fn empty(dir: &Path) -> Result<()> {
    if dir.exists() {
        fs::remove_dir_all(dir).with_context(|| format!("remove `{}`", dir.display()))?;
    }
    fs::create_dir_all(dir).with_context(|| format!("create `{}`", dir.display()))
}
