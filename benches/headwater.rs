//! Drives the `headwater` binary the way anybody would: by its command line and its JSON.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use headwater_model::pipeline::Pipeline;
use serde::Deserialize;

use crate::Bed;
use crate::measure::{self, Cost};

/// A small picture: what counts in long masters is how many spans there are, not how long one takes.
const SIZE: &str = "scale=416:234";

/// The last line of `headwater ingest --wait --json`, as far as it matters here.
#[derive(Debug, Deserialize)]
struct Answer {
    title: String,
    state: String,
    hls: Option<PathBuf>,
    code: Option<String>,
    message: Option<String>,
}

/// What `headwater status --json` says of a title, as far as it matters here.
#[derive(Debug, Deserialize)]
struct Status {
    cpu_seconds: f64,
}

/// What one run left behind.
pub(crate) struct Package {
    /// Its multivariant playlist.
    pub(crate) index: PathBuf,
    /// What the run took, proof and catalog included.
    pub(crate) cost: Cost,
    /// Processor time of the transcoder children alone: looking at the master, and all that makes segments of it.
    pub(crate) transcoder: Duration,
}

/// What became of a master.
pub(crate) struct Published {
    title: String,
    /// The multivariant playlist of its package.
    pub(crate) index: PathBuf,
}

/// Takes a master all the way to a published package below `dir`, which is emptied first.
pub(crate) fn ingest(bed: &Bed<'_>, master: &Path, pipeline: &str, dir: &Path) -> Result<Package> {
    empty(dir)?;
    let mut command = Command::new(bed.headwater);
    command.arg("ingest").arg(master).args(["--wait", "--json", "--pipeline", pipeline]);
    command.arg("--data-dir").arg(dir).current_dir(bed.root);
    let (output, cost) = measure::run(&mut command, &dir.with_extension("log"))?;
    let Published { title, index } = published(&output)?;

    let mut status = Command::new(bed.headwater);
    status.args(["status", "--json", &title, "--data-dir"]).arg(dir).current_dir(bed.root);
    let output = measure::prepare(&mut status, &dir.with_extension("log"))?;
    let status: Status = serde_json::from_str(&output)
        .with_context(|| format!("understand what `headwater status` said: `{output}`"))?;
    Ok(Package { index, cost, transcoder: Duration::from_secs_f64(status.cpu_seconds) })
}

/// What `headwater ingest --wait --json` printed, unless the master was not published.
pub(crate) fn published(output: &str) -> Result<Published> {
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
    let index = answer.hls.context("`headwater ingest` did not say where the package is")?;
    Ok(Published { title: answer.title, index })
}

/// A master of so many minutes: a minute of the sample, small, repeated without another generation of loss.
pub(crate) fn minutes(bed: &Bed<'_>, minutes: u32) -> Result<PathBuf> {
    let master = bed.dir.join(format!("minutes-{minutes}.mp4"));
    if !master.exists() {
        let (part, unfinished) = (bed.dir.join("minute.mp4"), bed.dir.join("minutes.part.mp4"));
        let log = bed.dir.join("make.log");
        let mut encode = Command::new("ffmpeg");
        encode.args(["-nostdin", "-v", "error", "-y", "-i"]).arg(bed.sample);
        encode.args(["-t", "60", "-vf", SIZE, "-c:v", "libx264", "-preset", "veryfast"]);
        encode.args(["-g", "50", "-crf", "18", "-c:a", "aac", "-b:a", "128k"]).arg(&part);
        measure::prepare(&mut encode, &log)?;
        let mut repeat = Command::new("ffmpeg");
        repeat.args(["-nostdin", "-v", "error", "-y", "-stream_loop", &(minutes - 1).to_string()]);
        repeat.arg("-i").arg(&part).args(["-c", "copy", "-movflags", "+faststart"]);
        measure::prepare(repeat.arg(&unfinished), &log)?;
        fs::rename(unfinished, &master)?;
        fs::remove_file(part)?;
    }
    Ok(master)
}

/// The pipeline of that name (or in that file) as the product itself reads it.
pub(crate) fn pipeline(bed: &Bed<'_>, name: &str) -> Result<Pipeline> {
    let file = pipeline_file(bed, name);
    let mut command = Command::new(bed.headwater);
    command.args(["pipelines", "check"]).arg(&file).arg("--json");
    let output = measure::prepare(&mut command, &bed.dir.join("pipeline.log"))?;
    serde_json::from_str(&output)
        .with_context(|| format!("understand pipeline `{}`", file.display()))
}

/// What stands in its file.
pub(crate) fn pipeline_text(bed: &Bed<'_>, name: &str) -> Result<String> {
    let file = pipeline_file(bed, name);
    fs::read_to_string(&file).with_context(|| format!("read pipeline `{}`", file.display()))
}

fn pipeline_file(bed: &Bed<'_>, name: &str) -> PathBuf {
    let shipped = bed.root.join("pipelines").join(format!("{name}.toml"));
    if shipped.exists() { shipped } else { PathBuf::from(name) }
}

/// Makes `dir` an empty folder.
pub(crate) fn empty(dir: &Path) -> Result<()> {
    if dir.exists() {
        fs::remove_dir_all(dir).with_context(|| format!("remove `{}`", dir.display()))?;
    }
    fs::create_dir_all(dir).with_context(|| format!("create `{}`", dir.display()))
}
