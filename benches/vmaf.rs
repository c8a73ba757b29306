//! Compares the picture: VMAF of each rendition, Headwater's against ffmpeg's at the same number of bytes.
//!
//! Two encoders never spend exactly the same, so ffmpeg runs at three qualities and its VMAF is read off between them
//! where its bytes are Headwater's. VMAF is measured at the master's size, as a viewer would see it full screen.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use serde::Deserialize;

use crate::hls::{self, Rendition};
use crate::ladder::Ffmpeg;
use crate::{Bed, measure};

/// Moves of the constant rate factor: one step is about 12 % of bytes, and spans cost less than that.
const MOVES: [f64; 3] = [-1.0, 0.0, 1.0];

/// Every so many frames are judged: neighbours differ little, and judging takes longer than encoding.
const SUBSAMPLE: u32 = 5;

/// A rendition that was judged.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Point {
    bytes: u64,
    vmaf: f64,
}

/// Judges the renditions of `package` and of `theirs`, and returns a Markdown table.
pub(crate) fn compare(
    bed: &Bed<'_>,
    master: &Path,
    package: &Path,
    theirs: &Ffmpeg,
) -> Result<String> {
    let judge = judge(bed)?;
    let ours = pictures(package)?;
    let mut curves: Vec<Vec<Point>> = vec![Vec::new(); ours.len()];
    for crf in MOVES {
        let (index, _) = theirs.run(master, crf, &bed.dir.join("ladder-vmaf"))?;
        for rendition in pictures(&index)? {
            if let Some(at) = ours.iter().position(|it| it.height == rendition.height) {
                curves[at].push(point(bed, &judge, master, &rendition)?);
            }
        }
    }
    let mut text = String::from(
        "\n| picture | Headwater MB | VMAF | ffmpeg at the same bytes | difference |\n|---|---|---|---|---|\n",
    );
    for (rendition, curve) in ours.iter().zip(&curves) {
        let Point { bytes, vmaf } = point(bed, &judge, master, rendition)?;
        let other = at_bytes(curve, bytes);
        let other =
            other.with_context(|| format!("ffmpeg made no `{}`", rendition.playlist.display()))?;
        let (height, megabytes) = (rendition.height.unwrap_or_default(), bytes as f64 / 1e6);
        let _ = writeln!(
            text,
            "| {height}p | {megabytes:.2} | {vmaf:.2} | {other:.2} | {:+.2} |",
            vmaf - other
        );
    }
    Ok(text)
}

/// Debian's ffmpeg has no VMAF; this one from PyPI has.
fn judge(bed: &Bed<'_>) -> Result<PathBuf> {
    let folder = crate::packaging::python_package(bed, "imageio-ffmpeg==0.8.1")?
        .join("imageio_ffmpeg/binaries");
    let files = fs::read_dir(&folder).with_context(|| format!("list `{}`", folder.display()))?;
    let ffmpeg =
        files.flatten().find(|it| it.file_name().to_string_lossy().starts_with("ffmpeg-linux"));
    Ok(ffmpeg.context("imageio-ffmpeg brought no ffmpeg for this system")?.path())
}

fn pictures(index: &Path) -> Result<Vec<Rendition>> {
    let mut pictures = hls::renditions(index)?;
    pictures.retain(|rendition| rendition.height.is_some());
    Ok(pictures)
}

fn point(bed: &Bed<'_>, judge: &Path, master: &Path, rendition: &Rendition) -> Result<Point> {
    #[derive(Deserialize)]
    struct Report {
        pooled_metrics: Metrics,
    }
    #[derive(Deserialize)]
    struct Metrics {
        vmaf: Mean,
    }
    #[derive(Deserialize)]
    struct Mean {
        mean: f64,
    }
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let mut command = Command::new(judge);
    command.args(["-nostdin", "-v", "error", "-i"]).arg(&rendition.playlist).arg("-i").arg(master);
    command.args([
        "-lavfi",
        // Both sides start at 0 and are compared frame by frame.
        &format!(
            "[0:v]setpts=PTS-STARTPTS[a];[1:v]setpts=PTS-STARTPTS[b];[a][b]scale2ref=flags=bicubic[x][y];\
             [x][y]libvmaf=log_fmt=json:log_path=vmaf.json:n_subsample={SUBSAMPLE}:n_threads={threads}"
        ),
        "-f",
        "null",
        "-",
    ]);
    measure::prepare(command.current_dir(&bed.dir), &bed.dir.join("vmaf.log"))?;
    let report = fs::read_to_string(bed.dir.join("vmaf.json")).context("read `vmaf.json`")?;
    let report: Report = serde_json::from_str(&report).context("understand `vmaf.json`")?;
    Ok(Point { bytes: rendition.bytes, vmaf: report.pooled_metrics.vmaf.mean })
}

/// VMAF at `bytes` on the line through the two nearest points, over the logarithm of bytes: quality is close to linear
/// in that. Beyond the points it goes on as between the last two.
fn at_bytes(curve: &[Point], bytes: u64) -> Option<f64> {
    let mut curve = curve.to_vec();
    curve.sort_by_key(|point| point.bytes);
    curve.dedup_by_key(|point| point.bytes);
    let pair =
        curve.windows(2).find(|pair| bytes <= pair[1].bytes).or_else(|| curve.windows(2).last())?;
    let log = |bytes: u64| (bytes.max(1) as f64).ln();
    let slope = (pair[1].vmaf - pair[0].vmaf) / (log(pair[1].bytes) - log(pair[0].bytes));
    Some(pair[0].vmaf + slope * (log(bytes) - log(pair[0].bytes)))
}

#[cfg(test)]
mod tests;
