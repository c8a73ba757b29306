//! A small master of each kind that suppliers send, made with ffmpeg.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::shell;

/// Names, and what ffmpeg is told after its inputs.
const KINDS: [(&str, &str); 14] = [
    ("h264.mp4", "-c:v libx264 -preset veryfast -pix_fmt yuv420p -c:a aac"),
    (
        "open-gop.mp4",
        "-c:v libx264 -preset veryfast -x264-params open-gop=1:keyint=20 -pix_fmt yuv420p -c:a aac",
    ),
    (
        "faststart.mp4",
        "-c:v libx264 -preset veryfast -pix_fmt yuv420p -c:a aac -movflags faststart",
    ),
    (
        "fragments.mp4",
        "-c:v libx264 -preset veryfast -pix_fmt yuv420p -c:a aac -movflags frag_keyframe+empty_moov",
    ),
    (
        "h265.mkv",
        "-c:v libx265 -preset ultrafast -x265-params log-level=error -pix_fmt yuv420p10le -c:a flac",
    ),
    ("prores.mov", "-c:v prores_ks -pix_fmt yuv422p10le -timecode 01:00:00:00 -c:a pcm_s16le"),
    (
        "dnxhd.mxf",
        "-vf scale=1280:720 -c:v dnxhd -profile:v dnxhr_lb -pix_fmt yuv422p -c:a pcm_s16le -ar 48000",
    ),
    ("mpeg2.mxf", "-c:v mpeg2video -g 12 -bf 2 -c:a pcm_s16le -ar 48000"),
    ("mpeg2.ts", "-c:v mpeg2video -g 12 -bf 2 -c:a ac3"),
    ("h264.ts", "-c:v libx264 -preset veryfast -pix_fmt yuv420p -c:a aac"),
    ("mpeg2.mpg", "-c:v mpeg2video -g 12 -bf 2 -c:a mp2"),
    ("mpeg4.avi", "-c:v mpeg4 -g 20 -c:a libmp3lame"),
    ("vp9.webm", "-c:v libvpx-vp9 -deadline realtime -cpu-used 8 -b:v 200k -c:a libopus"),
    ("sound.mka", "-vn -c:a flac"),
];

/// All kinds; makes those that are not there.
pub(super) fn make_if_missing(folder: &Path) -> Result<Vec<PathBuf>> {
    fs::create_dir_all(folder).context("create a folder")?;
    let make = |(name, how): (&str, &str)| {
        let file = folder.join(name);
        if !file.exists() {
            let making = folder.join(format!("making-{name}"));
            let mut ffmpeg = Command::new("ffmpeg");
            ffmpeg.args(["-nostdin", "-v", "error", "-y"]);
            ffmpeg.args(["-f", "lavfi", "-i", "testsrc2=s=320x180:r=25:d=2.4"]);
            ffmpeg.args(["-f", "lavfi", "-i", "sine=f=440:r=48000:d=2.4"]);
            shell::run(ffmpeg.args(how.split(' ')).arg(&making))?;
            fs::rename(&making, &file).context("name a master")?;
        }
        Ok(file)
    };
    KINDS.into_iter().map(make).collect()
}
