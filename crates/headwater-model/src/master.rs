//! What a look at a master found: its tracks, in the words that people use for them.

use serde::{Deserialize, Serialize};

use crate::colour::{Colour, ContentLight, MasteringDisplay};
use crate::delivery::Bundled;
use crate::flaw::Flaw;
use crate::id::Sha256;
use crate::plan::TextPurpose;
use crate::time::FrameRate;

/// Everything that a probe knows about a master.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
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
    /// Subtitles and captions that are tracks of their own, in container order.
    #[serde(default)]
    pub text: Vec<TextTrack>,
    /// Everything else (timecode, data), as one line of text each.
    pub other: Vec<String>,
    /// Timecode of the first frame (SMPTE ST 12), `01:00:00:00`, or `01:00:00;00` where it drops frames, when the master
    /// carries one.
    #[serde(default)]
    pub timecode: Option<String>,
    /// What its edit lists say, in container order.
    #[serde(default)]
    pub edit_lists: Vec<EditList>,
    /// The delivery that it is, where it is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delivery: Option<Bundled>,
    /// SHA-256 of each of its files. The engine fills it in.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sources: Vec<Sha256>,
    /// What is odd about the times of its frames and the lengths of its tracks. The engine fills it in.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub flaws: Vec<Flaw>,
}

/// Which part of a track is shown, and when: the edit list of an MP4 or QuickTime file (ISO/IEC 14496-12, 8.6.6).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EditList {
    /// The track's own number in the container, as the demuxer names it.
    pub stream: String,
    /// How many pieces of the track are put together.
    pub pieces: u32,
    /// The first of them is shown this long after the start, in nanoseconds.
    pub delay_ns: i64,
    /// And begins here on the track's own line, in nanoseconds: what is before it is not shown.
    pub from_ns: i64,
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

/// Which field of an interlaced picture was taken first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fields {
    /// The one with the topmost line, as in most of high definition.
    TopFirst,
    /// The other one, as in DV.
    BottomFirst,
    /// Only some pictures are interlaced, as where film and tape were cut together.
    Mixed,
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
    /// Whether pictures, or some of them, are interlaced, as far as the stream says.
    pub interlaced: bool,
    /// Of an interlaced picture, which field comes first, when known.
    #[serde(default)]
    pub fields: Option<Fields>,
    /// Bits per luma sample, when known.
    pub bit_depth: Option<u32>,
    /// How samples share their colour (`4:2:0`, `4:2:2`, `4:4:4`, `4:0:0`), when known.
    #[serde(default)]
    pub chroma: Option<String>,
    /// How its numbers become colours, as far as the stream says.
    #[serde(default = "unspecified")]
    pub colour: Colour,
    /// The screen that an HDR picture was graded on, when stated.
    #[serde(default)]
    pub mastering: Option<MasteringDisplay>,
    /// How bright it gets, when stated.
    #[serde(default)]
    pub light: Option<ContentLight>,
    /// When its last frame ends, in nanoseconds after its first is presented.
    #[serde(default)]
    pub end_ns: i64,
    /// Language (BCP 47 or ISO 639), when stated.
    pub language: Option<String>,
    /// The GStreamer element that will decode it; `None` when nothing here can.
    pub decoder: Option<String>,
    /// Whether pictures carry captions (CEA-608, CEA-708).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub captions: bool,
}

impl VideoTrack {
    /// How bright its picture gets, in cd/m², as far as it says.
    pub fn peak(&self) -> Option<u32> {
        let content = self.light.map(|light| u32::from(light.max_pixel));
        let screen = self.mastering.map(|screen| screen.max_luminance / 10_000);
        content.filter(|nits| *nits > 0).or(screen.filter(|nits| *nits > 0))
    }
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
    /// What its channels are for (`mono`, `stereo`, `5.1` …), when known.
    #[serde(default)]
    pub layout: Option<String>,
    /// Language (BCP 47 or ISO 639), when stated.
    pub language: Option<String>,
    /// When its first sample is presented, in nanoseconds after the first video frame (negative: before).
    pub start_ns: i64,
    /// When its last sample ends, on the same line.
    pub end_ns: i64,
    /// The GStreamer element that will decode it; `None` when nothing here can.
    pub decoder: Option<String>,
    /// What the manifest of a delivery says of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delivered: Option<DeliveredSound>,
}

/// Sound of a delivery.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeliveredSound {
    /// What it is put together from: a track, or a track of one channel for each channel.
    pub parts: Vec<SoundPart>,
    /// What people choose it by.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// When the presentation starts on the line of its own file, in nanoseconds.
    pub zero_ns: i64,
}

/// A track of one of the files of a delivery.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SoundPart {
    /// Which of the files, from 0.
    pub source: u32,
    /// The track's own number in it, as the demuxer names it.
    pub stream: String,
}

/// One track of subtitles or captions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TextTrack {
    /// The track's own number in the container, as the demuxer names it: how later passes find it again.
    pub stream: String,
    /// Its format in words: `SubRip`, `CEA-608 captions`.
    pub codec: String,
    /// Media type of its elementary stream: `text/x-raw`.
    pub media_type: String,
    /// Language (BCP 47 or ISO 639), when stated.
    pub language: Option<String>,
    /// Its name, when the container has one: `English SDH`.
    pub title: Option<String>,
    /// How many cues it has.
    pub cues: u64,
    /// What the manifest of a delivery says of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delivered: Option<DeliveredText>,
}

/// A file of subtitles in a delivery.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeliveredText {
    /// Which of the files, from 0.
    pub source: u32,
    /// What it is for.
    pub purpose: TextPurpose,
    /// How many milliseconds its zero is before that of the picture.
    pub starts_at_ms: u64,
}

fn unspecified() -> Colour {
    Colour::UNSPECIFIED
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
        parts.extend(self.text.iter().map(|t| format!("subtitles {}", t.codec)));
        parts.extend(self.other.iter().cloned());
        if parts.is_empty() { "no tracks at all".to_owned() } else { parts.join("; ") }
    }
}
