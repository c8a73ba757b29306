//! A pipeline after validation: what to make out of a master.
//!
//! `headwater-spec` makes these from text; nothing else does, so whoever holds one may rely on every rule it states.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::id::Sha256;
use crate::origin::PublishRules;
use crate::quality::QualityRules;

/// A validated pipeline file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Pipeline {
    /// Its name: the file name without `.toml`.
    pub name: String,
    /// SHA-256 of its canonical form: comments, order and spelling of the file do not count, every value does.
    pub sha256: Sha256,
    /// Target segment length in milliseconds, 5,000 to 10,000.
    pub segment_ms: u32,
    /// Time from one IDR to the next in milliseconds; a segment always starts with one.
    pub gop_ms: u32,
    /// Segments in a span: how much one task transcodes (R3).
    pub span_segments: u32,
    /// What becomes of the picture.
    pub video: Video,
    /// What becomes of the sound.
    pub audio: Audio,
    /// The pool of workers that transcode with it, where it asks for one. It changes no segment either.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pool: Option<String>,
    /// What has to be proven before titles are published. It changes no segment, and so does not count in the digest.
    #[serde(default, skip_serializing_if = "PublishRules::is_empty")]
    pub publish: PublishRules,
    /// What follows from flaws of a master. It changes no segment either.
    #[serde(default, skip_serializing_if = "QualityRules::is_default")]
    pub quality: QualityRules,
    /// Whether HLS has its segments as MPEG-TS, which are there beside those of CMAF.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub transport: bool,
}

/// What becomes of the picture.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Video {
    /// Decode once and encode every rung.
    Encode(VideoEncode),
    /// Package the master's own H.264 as it is; segments start at its keys.
    Copy,
}

/// How renditions are encoded.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct VideoEncode {
    /// GStreamer factories for H.264, in order of preference.
    pub encoders: Vec<String>,
    /// x264's preset: how much work per frame.
    pub preset: String,
    /// The same for the other codecs of the ladder.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub others: BTreeMap<Codec, CodecEncode>,
    /// The ladder: of each codec largest first, never empty.
    pub ladder: Vec<Rung>,
    /// Whether there is one picture of each segment beside it, for fast forward and for finding a scene.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub trick: bool,
    /// Whether there are small pictures of each segment, and a poster.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub pictures: bool,
}

impl VideoEncode {
    /// GStreamer factories for a codec, in order of preference, and how much work they put into a frame: x264's or x265's
    /// preset, or the speed of AV1's and VP9's encoders as a number. Empty for a codec that no rung has.
    pub fn of(&self, codec: Codec) -> (&[String], &str) {
        match (codec, self.others.get(&codec)) {
            (Codec::H264, _) => (&self.encoders, &self.preset),
            (_, Some(other)) => (&other.encoders, &other.effort),
            (_, None) => (&[], ""),
        }
    }

    /// The factories of every codec, to choose among.
    pub fn choices(&mut self) -> impl Iterator<Item = &mut Vec<String>> {
        std::iter::once(&mut self.encoders)
            .chain(self.others.values_mut().map(|other| &mut other.encoders))
    }
}

/// How a picture is coded.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "kebab-case")]
pub enum Codec {
    /// ITU-T H.264.
    #[default]
    H264,
    /// ITU-T H.265.
    H265,
    /// AV1.
    Av1,
    /// VP9.
    Vp9,
}

impl Codec {
    /// Its name in a pipeline: `h264`.
    pub fn name(self) -> &'static str {
        match self {
            Codec::H264 => "h264",
            Codec::H265 => "h265",
            Codec::Av1 => "av1",
            Codec::Vp9 => "vp9",
        }
    }

    pub(crate) fn is_h264(&self) -> bool {
        *self == Codec::H264
    }
}

impl fmt::Display for Codec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Codec::H264 => "H.264",
            Codec::H265 => "H.265",
            Codec::Av1 => "AV1",
            Codec::Vp9 => "VP9",
        })
    }
}

/// How renditions of a codec beside H.264 are encoded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CodecEncode {
    /// GStreamer factories in order of preference.
    pub encoders: Vec<String>,
    /// How much work per frame: x265's preset, or a speed.
    pub effort: String,
}

/// One rung of the ladder: a box that the picture is fitted into, and what it may cost.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Rung {
    /// Its name, which becomes the rendition's: `1080p`.
    pub name: String,
    /// How it is coded.
    #[serde(default, skip_serializing_if = "Codec::is_h264")]
    pub codec: Codec,
    /// Longer side of the box in pixels.
    pub long_side: u32,
    /// Shorter side of the box in pixels.
    pub short_side: u32,
    /// Constant rate factor: the quality aimed at.
    pub crf: f64,
    /// VBV maximum rate in kbit/s: the cap.
    pub max_kbps: u32,
    /// VBV buffer in kbit.
    pub buffer_kbit: u32,
    /// Most frames per second: of a master that has more, every second frame is shown, or every third.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_fps: Option<f64>,
    /// It keeps the colours and the 10 bits of masters of high dynamic range, and is left out of others.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub hdr: bool,
    /// It is the master's own video where that fits as it is, and encoded where not.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub copy: bool,
}

/// What becomes of the sound.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Audio {
    /// Decode, mix down and encode every track.
    Encode(AudioEncode),
    /// Package the master's own AAC as it is.
    Copy,
}

/// How sound is encoded.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AudioEncode {
    /// GStreamer factories in order of preference.
    pub encoders: Vec<String>,
    /// Bit rate of a track in kbit/s.
    pub kbps: u32,
    /// Samples per second.
    pub sample_rate: u32,
    /// Channels of the rendition; more are mixed down, fewer are kept.
    pub channels: u32,
    /// Bit rate in kbit/s of a second rendition, in 5.1, of tracks that have as many channels; none makes none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub surround_kbps: Option<u32>,
    /// Integrated loudness that sound is brought to, in LUFS (EBU R 128); none leaves it as it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub loudness: Option<f64>,
    /// Highest true peak, in dBTP: what would be above is turned down for that moment.
    #[serde(default = "usual_peak", skip_serializing_if = "is_usual_peak")]
    pub true_peak: f64,
}

impl AudioEncode {
    /// Bit rate in kbit/s of a rendition with so many channels: stereo gets the whole rate, mono half of it.
    pub fn kbps_of(&self, channels: u32) -> u32 {
        match (channels, self.surround_kbps) {
            (0..=1, _) => self.kbps / 2,
            (SURROUND.., Some(kbps)) => kbps,
            _ => self.kbps,
        }
    }
}

/// Channels of 5.1.
pub const SURROUND: u32 = 6;

/// What encoders overshoot by at most, and so what is left for them (EBU R 128 s2 for streaming).
pub const USUAL_PEAK: f64 = -1.0;

fn usual_peak() -> f64 {
    USUAL_PEAK
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "what serde asks for")]
fn is_usual_peak(peak: &f64) -> bool {
    *peak == USUAL_PEAK
}
