//! What a look at a master found: its tracks, in the words that people use for them.

use serde::{Deserialize, Serialize};

use crate::time::FrameRate;

/// Everything that a probe knows about a master.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MasterFacts {
    /// The container, as GStreamer names it: `Quicktime`, `Matroska`, `WebM` …
    pub container: String,
    /// Size of the file in bytes.
    pub bytes: u64,
    /// When the file was last modified, in nanoseconds since 1970. With `bytes` it tells cheaply that a span reads the
    /// very file that the plan is for. The engine fills it in; a probe leaves 0.
    #[serde(default)]
    pub modified_ns: i64,
    /// Video tracks in container order.
    pub video: Vec<VideoTrack>,
    /// Audio tracks in container order.
    pub audio: Vec<AudioTrack>,
    /// Everything else (subtitles, timecode, data), as one line of text each.
    pub other: Vec<String>,
}

/// Clockwise turn that shows the picture upright.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Orientation {
    /// As coded.
    #[default]
    Upright,
    /// A quarter turn clockwise.
    Clockwise,
    /// Half a turn.
    UpsideDown,
    /// A quarter turn counter-clockwise.
    CounterClockwise,
    /// One of the four mirrored kinds, by GStreamer's name (`flip-rotate-0` …).
    Mirrored,
}

impl Orientation {
    /// Whether width and height change places.
    pub fn swaps_sides(self) -> bool {
        matches!(self, Orientation::Clockwise | Orientation::CounterClockwise)
    }
}

/// One video track.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VideoTrack {
    /// The track's own number in the container, as the demuxer names it: how later passes find it again.
    #[serde(default)]
    pub stream: String,
    /// The codec in words: `H.264 (High Profile)`.
    pub codec: String,
    /// Media type of its elementary stream: `video/x-h264`.
    pub media_type: String,
    /// Coded picture width in pixels.
    pub width: u32,
    /// Coded picture height in pixels.
    pub height: u32,
    /// Sample aspect ratio: width of a pixel over its height.
    pub sample_aspect: (u32, u32),
    /// How the picture has to be turned.
    pub orientation: Orientation,
    /// The rate that the container or stream states, when it states one.
    pub stated_rate: Option<FrameRate>,
    /// Whether pictures are interlaced, as far as the stream says.
    pub interlaced: bool,
    /// Bits per luma sample, when known.
    pub bit_depth: Option<u32>,
    /// Colorimetry in GStreamer's notation (`bt709`, `2:4:7:1` …), when known.
    pub colorimetry: Option<String>,
    /// Language (BCP 47 or ISO 639), when stated.
    pub language: Option<String>,
    /// The GStreamer element that will decode it; `None` when nothing here can.
    pub decoder: Option<String>,
}

/// One audio track.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AudioTrack {
    /// The track's own number in the container, as the demuxer names it: how later passes find it again.
    #[serde(default)]
    pub stream: String,
    /// The codec in words: `MPEG-4 AAC`.
    pub codec: String,
    /// Media type of its elementary stream: `audio/mpeg`.
    pub media_type: String,
    /// Channels.
    pub channels: u32,
    /// Samples per second.
    pub sample_rate: u32,
    /// Language (BCP 47 or ISO 639), when stated.
    pub language: Option<String>,
    /// When its first sample is presented, in nanoseconds after the first video frame (negative: before).
    pub start_ns: i64,
    /// When its last sample ends, on the same line.
    pub end_ns: i64,
    /// The GStreamer element that will decode it; `None` when nothing here can.
    pub decoder: Option<String>,
}

impl MasterFacts {
    /// The tracks in a few words, for refusals: `1 audio track, MPEG-4 AAC 48000 Hz 2 channels`.
    pub fn tracks_in_words(&self) -> String {
        let mut parts = Vec::new();
        for v in &self.video {
            parts.push(format!("video {} {}x{}", v.codec, v.width, v.height));
        }
        for a in &self.audio {
            parts.push(format!(
                "audio {} {} Hz {} channel{}",
                a.codec,
                a.sample_rate,
                a.channels,
                if a.channels == 1 { "" } else { "s" }
            ));
        }
        parts.extend(self.other.iter().cloned());
        if parts.is_empty() { "no tracks at all".to_owned() } else { parts.join("; ") }
    }
}
