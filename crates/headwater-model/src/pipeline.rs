//! A pipeline after validation: what to make out of a master.
//!
//! `headwater-spec` makes these from text; nothing else does, so whoever holds one may rely on every rule it states.

use serde::{Deserialize, Serialize};

use crate::id::Sha256;
use crate::origin::PublishRules;

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
    /// GStreamer factories in order of preference.
    pub encoders: Vec<String>,
    /// x264's preset: how much work per frame.
    pub preset: String,
    /// The ladder, largest first, never empty.
    pub ladder: Vec<Rung>,
}

/// One rung of the ladder: a box that the picture is fitted into, and what it may cost.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Rung {
    /// Its name, which becomes the rendition's: `1080p`.
    pub name: String,
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
}
