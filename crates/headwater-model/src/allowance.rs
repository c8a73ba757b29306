//! What a transcoder child may take of the machine: memory, processor time, space in its spool folder. Bounds, not
//! forecasts: honest work stays well below them, and what goes beyond them is not honest work.

use serde::{Deserialize, Serialize};

use crate::pipeline::{Audio, Video};
use crate::plan::{Plan, SpanPlan};

/// Program, libraries, GStreamer's registry and the stacks of some sixty threads, in MB. Measured: 60 to 150.
const BASE_MB: u64 = 400;

/// Decoded pictures that a decoder, the queue behind it and the scaler hold: H.264 and HEVC refer to 16 at most, and
/// decoders keep some more.
const PICTURES_DECODED: u64 = 28;

/// Bytes of a pixel of a decoded picture: 10-bit 4:2:2, which mezzanine masters have.
const DECODED_PIXEL: u64 = 4;

/// Compressed pictures between the demuxer and the decoder, each at most a byte a pixel.
const UNITS_WAITING: u64 = 24;

/// Pictures that wait for an encoder, 12, and that it refers to, 16, and B-frames.
const PICTURES_IN_ENCODER: u64 = 36;

/// Bytes that an encoder keeps for a pixel of a picture: the picture with its margins, half-size copies, and what it
/// knows of each block.
const ENCODED_PIXEL: u64 = 4;

/// Pictures that x264 looks ahead, by preset.
const LOOK_AHEAD: [(&str, u64); 9] = [
    ("ultrafast", 0),
    ("superfast", 0),
    ("veryfast", 10),
    ("faster", 20),
    ("fast", 30),
    ("medium", 40),
    ("slow", 50),
    ("slower", 60),
    ("veryslow", 60),
];

/// What other encoders and presets may look ahead.
const LONGEST_LOOK_AHEAD: u64 = 60;

/// The picture of a master of which nobody has written down the size: 4K.
const UNKNOWN_PICTURE: u64 = 4096 * 2304;

/// Memory for looking at a master, in MB: nothing is known of it yet. A movie header of 512 MB that is read twice, the
/// index of ten hours, and pictures of 8K where the index is made by decoding.
const LOOK_MB: u64 = 6_144;

/// Memory for what has no pictures, in MB: sound, and copying, where a segment of the master is held.
const PLAIN_MB: u64 = 1_024;

/// Processor time that everything may take, in seconds.
const LEAST_CPU: u64 = 900;

/// Nanoseconds of processor time for a pixel decoded or encoded: ten times what x264's slowest preset takes.
const PIXEL_NS: u128 = 2_000;

/// Nanoseconds of processor time for a byte of a master that is looked at. Where that means decoding, a 4K master of
/// 10 Mbit/s takes some 2,000.
const BYTE_NS: u128 = 20_000;

/// Seconds of processor time for a second of sound. Honest tracks take a hundredth of one.
const SOUND: u64 = 1;

/// How many times a rate's cap renditions may take in the spool: caps hold over seconds, and encoders other than x264
/// keep them less well. A child whose files nobody takes away stops long before.
const CAPS: u64 = 4;

/// Space in the spool that everything may take, in MB: the job, init segments, temporary files of libraries.
const LEAST_SPOOL_MB: u64 = 64;

/// What a master is taken to be where nobody knows its size.
const UNKNOWN_MASTER: u64 = 100 << 30;

/// Files and folders in the spool that everything may take.
const LEAST_FILES: u64 = 1_000;

/// Bytes of a MB here.
const MB: u64 = 1 << 20;

/// What one child may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Allowance {
    /// Memory in use, in MB of 1,048,576 bytes.
    pub memory_mb: u64,
    /// Processor time of all its threads, in seconds.
    pub cpu_seconds: u64,
    /// Size of its spool folder at any time, and so of any one file, in MB.
    pub spool_mb: u64,
    /// Files and folders in its spool folder at any time.
    pub files: u64,
}

/// What a look at a child and its spool folder found.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Taken {
    /// Memory in use, in bytes; 0 where nobody can tell.
    pub memory: u64,
    /// Size of the spool folder, in bytes.
    pub spool: u64,
    /// Files and folders in it.
    pub files: u64,
    /// Whether something in it could not be looked at.
    pub hidden: bool,
}

impl Allowance {
    /// For listing the installed plugins and naming the engine.
    pub fn of_engine() -> Self {
        Self {
            memory_mb: PLAIN_MB,
            cpu_seconds: LEAST_CPU,
            spool_mb: LEAST_SPOOL_MB,
            files: LEAST_FILES,
        }
    }

    /// For looking at a master of so many bytes.
    pub fn of_look(master: Option<u64>) -> Self {
        let bytes = master.unwrap_or(UNKNOWN_MASTER);
        Self {
            memory_mb: LOOK_MB,
            cpu_seconds: LEAST_CPU + seconds(u128::from(bytes) * BYTE_NS),
            ..Self::of_engine()
        }
    }

    /// For making a span. What the plan leaves to older versions counts too: it is a bound.
    pub fn of_span(plan: &Plan, span: &SpanPlan, master: Option<u64>) -> Self {
        let base = Self::of_engine();
        let files = plan.video.len() as u64 * (u64::from(span.segments) + 2);
        let files = LEAST_FILES + 2 * files;
        let Video::Encode(encode) = &plan.pipeline.video else {
            let bytes = master.unwrap_or(UNKNOWN_MASTER);
            let spool_mb = LEAST_SPOOL_MB + mb(bytes);
            let cpu_seconds = LEAST_CPU + seconds(u128::from(bytes) * BYTE_NS);
            return Self { cpu_seconds, spool_mb, files, ..base };
        };
        let largest = plan.video.iter().map(|v| pixels(v.width, v.height)).max().unwrap_or(0);
        let coded = plan.coded.map_or(UNKNOWN_PICTURE, |(width, height)| pixels(width, height));
        let coded = coded.max(largest);
        let encoded: u64 = plan.video.iter().map(|v| pixels(v.width, v.height)).sum();

        let ahead = LOOK_AHEAD.iter().find(|(preset, _)| *preset == encode.preset);
        let ahead = ahead.map_or(LONGEST_LOOK_AHEAD, |(_, pictures)| *pictures);
        let decoding = coded * (PICTURES_DECODED * DECODED_PIXEL + UNITS_WAITING);
        let encoding = encoded * (ahead + PICTURES_IN_ENCODER) * ENCODED_PIXEL;

        let ticks: u64 = plan.segments_of(span).iter().map(|s| s.ticks).sum();
        let seconds_long = ticks.div_ceil(u64::from(plan.timescale.max(1)));
        let kbps: u64 = plan.video.iter().map(|v| u64::from(v.max_kbps)).sum();
        let kbit: u64 = plan.video.iter().map(|v| u64::from(v.buffer_kbit)).sum();
        let spool = (kbps * seconds_long + kbit) * CAPS * 1000 / 8;

        // Where there is no index, what comes before the span is decoded too.
        let decoded = u128::from(span.read.units) + u128::from(span.read.first_unit);
        let work =
            decoded * u128::from(coded) + u128::from(plan.frames_of(span)) * u128::from(encoded);
        Self {
            // What is in the making of every rendition is held until its segment is complete.
            memory_mb: BASE_MB + mb(decoding + encoding + spool / CAPS),
            cpu_seconds: LEAST_CPU + seconds(work * PIXEL_NS),
            spool_mb: LEAST_SPOOL_MB + mb(spool),
            files,
        }
    }

    /// For making an audio rendition.
    pub fn of_audio(plan: &Plan, master: Option<u64>) -> Self {
        let base = Self::of_engine();
        let seconds_long = plan.duration().rescale(1) + 1;
        let bytes = master.unwrap_or(UNKNOWN_MASTER);
        let spool = match &plan.pipeline.audio {
            Audio::Encode(encode) => u64::from(encode.kbps) * seconds_long * CAPS * 1000 / 8,
            Audio::Copy => bytes,
        };
        Self {
            // The whole master is read, though most of it is only skipped.
            cpu_seconds: LEAST_CPU
                + seconds_long * SOUND
                + seconds(u128::from(bytes) * BYTE_NS / 100),
            spool_mb: LEAST_SPOOL_MB + mb(spool),
            files: LEAST_FILES + 2 * plan.segments.len() as u64,
            ..base
        }
    }

    /// For small pictures: all of the master is read, and one frame of each segment decoded, or all of them where every one
    /// is a key.
    pub fn of_pictures(plan: &Plan, master: Option<u64>) -> Self {
        let Some(first) = plan.spans.first() else { return Self::of_engine() };
        let whole = SpanPlan { segments: plan.segments.len() as u32, ..first.clone() };
        let all = Self::of_span(plan, &whole, master);
        Self { spool_mb: LEAST_SPOOL_MB, files: LEAST_FILES + plan.segments.len() as u64, ..all }
    }

    /// For a track of text.
    pub fn of_text(plan: &Plan, master: Option<u64>) -> Self {
        let bytes = master.unwrap_or(UNKNOWN_MASTER);
        Self {
            cpu_seconds: LEAST_CPU + seconds(u128::from(bytes) * BYTE_NS / 100),
            spool_mb: LEAST_SPOOL_MB,
            files: LEAST_FILES + 1 + plan.text_segments().len() as u64,
            ..Self::of_engine()
        }
    }

    /// The same with as much memory as somebody has set.
    #[must_use]
    pub fn with_memory(self, set_mb: Option<u64>) -> Self {
        Self { memory_mb: set_mb.unwrap_or(self.memory_mb), ..self }
    }

    /// What is wrong with having taken so much, as the rest of a sentence about the transcoder; `None` when nothing is.
    pub fn exceeded_by(&self, taken: &Taken) -> Option<String> {
        if taken.memory / MB > self.memory_mb {
            let (used, may) = (taken.memory / MB, self.memory_mb);
            return Some(format!(
                "used {used} MB of memory, more than the {may} MB that it may use (`worker.transcoder_memory_mb` sets another bound)"
            ));
        }
        if taken.spool / MB > self.spool_mb {
            let (wrote, may) = (taken.spool / MB, self.spool_mb);
            return Some(format!(
                "wrote {wrote} MB that nobody had taken yet, more than the {may} MB that its work can come to"
            ));
        }
        if taken.files > self.files {
            let may = self.files;
            return Some(format!(
                "made more than {may} files, which is more than its work can come to"
            ));
        }
        taken.hidden.then(|| "keeps something in its spool folder from being looked at".to_owned())
    }
}

/// Pixels of a picture. No decoder takes larger ones than 16K, whatever a master says.
fn pixels(width: u32, height: u32) -> u64 {
    u64::from(width.min(16_384)) * u64::from(height.min(16_384))
}

fn mb(bytes: u64) -> u64 {
    bytes.div_ceil(MB)
}

fn seconds(ns: u128) -> u64 {
    u64::try_from(ns / 1_000_000_000).unwrap_or(u64::MAX / 4)
}

#[cfg(test)]
mod tests;
