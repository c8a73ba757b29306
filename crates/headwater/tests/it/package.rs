//! A published package as ffmpeg sees it: what is in its renditions, and the pictures themselves.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::run::{program, tool};

/// Columns and rows of a [`Thumbnail`].
const GRID: (usize, usize) = (20, 16);

/// One decoded frame, small and grey: enough to tell any frame of a numbered master from any other.
pub(crate) type Thumbnail = Vec<u8>;

/// A rendition, put together to one file as a player does it.
#[derive(Debug)]
pub(crate) struct Rendition {
    /// Its name and folder.
    pub(crate) name: String,
    /// Init segment and all segments in a row.
    pub(crate) file: PathBuf,
}

/// One packet, in seconds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Packet {
    pub(crate) at: f64,
    pub(crate) lasts: f64,
    pub(crate) key: bool,
}

/// All renditions of a package, put together in `scratch`, in order of their names.
pub(crate) fn renditions(package: &Path, scratch: &Path) -> Vec<Rendition> {
    let folders = fs::read_dir(package)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        // Subtitles have no init segment.
        .filter(|path| path.join("init.mp4").is_file());
    let mut renditions: Vec<_> =
        folders.map(|folder| Rendition::put_together(&folder, scratch)).collect();
    renditions.sort_by(|a, b| a.name.cmp(&b.name));
    renditions
}

impl Rendition {
    fn put_together(folder: &Path, scratch: &Path) -> Self {
        let name = folder.file_name().unwrap().to_str().unwrap().to_owned();
        let mut bytes = fs::read(folder.join("init.mp4")).unwrap();
        for segment in segments(folder) {
            bytes.extend(fs::read(segment).unwrap());
        }
        let file = scratch.join(format!("{name}.mp4"));
        fs::write(&file, bytes).unwrap();
        Self { name, file }
    }

    pub(crate) fn is_video(&self) -> bool {
        self.name.starts_with("video-")
    }
}

/// Segments of a rendition in order.
pub(crate) fn segments(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut segments: Vec<_> =
        entries.filter(|path| path.extension().is_some_and(|e| e == "m4s")).collect();
    segments.sort();
    segments
}

/// When the first stream of a file starts, as ffprobe says it, and its packets in the order in which they are shown.
pub(crate) fn packets(file: &Path) -> (String, Vec<Packet>) {
    let entries = "stream=start_time:packet=pts_time,duration_time,flags";
    let output = tool(
        program("ffprobe").args(["-v", "error", "-of", "json", "-show_entries", entries]).arg(file),
    );
    assert_eq!(
        String::from_utf8_lossy(&output.stderr),
        "",
        "ffprobe has nothing to say about {}",
        file.display()
    );
    let found: Value = serde_json::from_slice(&output.stdout).unwrap();
    let seconds = |value: &Value| value.as_str().unwrap().parse::<f64>().unwrap();
    let packets = found["packets"].as_array().unwrap().iter().map(|packet| Packet {
        at: seconds(&packet["pts_time"]),
        // ffprobe knows no duration of a sound's first packet.
        lasts: packet.get("duration_time").map_or(0.0, seconds),
        key: packet["flags"].as_str().unwrap().starts_with('K'),
    });
    let mut packets: Vec<_> = packets.collect();
    packets.sort_by(|a, b| a.at.total_cmp(&b.at));
    (found["streams"][0]["start_time"].as_str().unwrap().to_owned(), packets)
}

/// When the last packet ends, in seconds.
pub(crate) fn end(packets: &[Packet]) -> f64 {
    packets.iter().map(|p| p.at + p.lasts).fold(0.0, f64::max)
}

/// When the frames of a master's picture are shown, from its first frame on, in seconds.
pub(crate) fn frame_times(master: &Path) -> Vec<f64> {
    let times = stamps(master);
    let first = times.first().copied().unwrap();
    times.into_iter().map(|time| time - first).collect()
}

/// When a master's first frame is shown, in seconds on the line that its tracks share.
pub(crate) fn first_frame(master: &Path) -> f64 {
    stamps(master).first().copied().unwrap()
}

/// When the first track of a file starts, in seconds on the line that they share.
pub(crate) fn start(master: &Path) -> f64 {
    let mut command = program("ffprobe");
    command.args(["-v", "error", "-of", "csv=p=0", "-show_entries", "format=start_time"]);
    let output = tool(command.arg(master));
    String::from_utf8(output.stdout).unwrap().trim().parse().unwrap()
}

fn stamps(master: &Path) -> Vec<f64> {
    let entries = "frame=best_effort_timestamp_time";
    let mut command = program("ffprobe");
    command
        .args(["-v", "error", "-select_streams", "v:0", "-of", "csv=p=0", "-show_entries", entries])
        .arg(master);
    let output = tool(&mut command);
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().filter_map(|line| line.trim_end_matches(',').parse::<f64>().ok()).collect()
}

/// Every frame of one full decode, in order.
pub(crate) fn thumbnails(file: &Path) -> Vec<Thumbnail> {
    filtered_thumbnails(file, "null")
}

/// The same behind a filter of ffmpeg's.
pub(crate) fn filtered_thumbnails(file: &Path, filter: &str) -> Vec<Thumbnail> {
    let (columns, rows) = GRID;
    let scaled = format!("{filter},scale={columns}:{rows}:flags=area");
    let grey = decode(file, &["-vf", &scaled, "-pix_fmt", "gray"], "rawvideo");
    grey.chunks(columns * rows).map(<[u8]>::to_vec).collect()
}

/// A thumbnail, as [`thumbnails`] has them, of a grey picture without a header.
pub(crate) fn thumbnail_of_grey(file: &Path, (width, height): (usize, usize)) -> Thumbnail {
    let mut command = program("ffmpeg");
    command.args(["-nostdin", "-v", "error", "-f", "rawvideo", "-pix_fmt", "gray"]);
    command.args(["-s", &format!("{width}x{height}"), "-i"]).arg(file);
    let (columns, rows) = GRID;
    command.args(["-vf", &format!("scale={columns}:{rows}:flags=area"), "-pix_fmt", "gray"]);
    tool(command.args(["-f", "rawvideo", "-"])).stdout
}

/// The sound as 16-bit samples of one channel at 48 kHz.
pub(crate) fn samples(file: &Path) -> Vec<i16> {
    // Starting at 0 and without gaps, whatever the container's time stamps say.
    let filter = "aresample=48000:async=1:first_pts=0:min_hard_comp=0.001";
    let bytes = decode(file, &["-map", "0:a:0", "-af", filter, "-ac", "1"], "s16le");
    bytes.chunks_exact(2).map(|pair| i16::from_le_bytes([pair[0], pair[1]])).collect()
}

pub(crate) fn decode(file: &Path, how: &[&str], format: &str) -> Vec<u8> {
    let mut command = program("ffmpeg");
    command.args(["-nostdin", "-v", "error", "-i"]).arg(file);
    command.args(how).args(["-vsync", "passthrough", "-f", format, "-"]);
    tool(&mut command).stdout
}
