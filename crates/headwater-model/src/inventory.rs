//! The inventory: the list of every object of a package, which verifying, auditing, healing, copying and rebuilding
//! all start from. If an object is not in it, it is not part of the package.

use serde::{Deserialize, Serialize};

use crate::plan::Pictures;

use crate::id::{Md5, Sha256, Version};
use crate::key::PackageId;

/// Format name in the first line of every inventory object.
pub const FORMAT: &str = "headwater-inventory/1";

/// What an object is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "kind")]
pub enum ObjectRole {
    /// Init segment of a rendition.
    Init {
        /// The rendition.
        rendition: String,
    },
    /// A media segment.
    Segment {
        /// The rendition.
        rendition: String,
        /// Its number, from 0.
        number: u32,
        /// When it starts (`tfdt`), in the rendition's ticks.
        start: u64,
        /// How long it lasts, in ticks.
        ticks: u64,
        /// How many samples it has.
        samples: u32,
    },
    /// A media segment once more, as MPEG-TS.
    Transport {
        /// The rendition.
        rendition: String,
        /// Its number, from 0.
        number: u32,
        /// When it starts, in the rendition's ticks.
        start: u64,
    },
    /// Subtitles in WebVTT.
    Text {
        /// The rendition.
        rendition: String,
        /// The segment's number, from 0; none for all of them in one file.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        number: Option<u32>,
    },
    /// A picture in JPEG.
    Picture {
        /// The number of its sheet, from 0; none for the poster.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        number: Option<u32>,
    },
    /// A playlist or MPD.
    Manifest,
    /// The plan that it was made by, as JSON: with it, a catalog that was lost can have lost segments made again.
    Plan,
}

impl ObjectRole {
    /// The rendition that it is media of; none of what is written when a package is sealed.
    pub fn rendition(&self) -> Option<&str> {
        match self {
            ObjectRole::Init { rendition }
            | ObjectRole::Segment { rendition, .. }
            | ObjectRole::Transport { rendition, .. }
            | ObjectRole::Text { rendition, .. } => Some(rendition),
            ObjectRole::Picture { .. } => Some(Pictures::FOLDER),
            ObjectRole::Manifest | ObjectRole::Plan => None,
        }
    }
}

/// Bytes of the largest object of a package. Proofs and healing read objects in one piece, and a worker has several in
/// memory at once. Segments have 10 MB as a rule, and the inventory of twenty renditions of three hours in segments of 2 s
/// has 25 MB. What is copied of a master of 53 Mbit/s comes to it with segments of 10 s.
pub const LARGEST_OBJECT: u64 = 64 * 1024 * 1024;

/// One object as it must be stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Object {
    /// Path within the package: `video-720p/seg-00001.m4s`.
    pub path: String,
    /// Size in bytes, never 0.
    pub bytes: u64,
    /// SHA-256 of its content.
    pub sha256: Sha256,
    /// MD5 of its content, for origins that report it.
    pub md5: Md5,
    /// The version whose folder holds it, where that is an older one (R6).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<Version>,
    /// What it is.
    #[serde(flatten)]
    pub role: ObjectRole,
}

/// The first line of an inventory object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    /// [`FORMAT`].
    pub format: String,
    /// The package.
    pub package: PackageId,
    /// Its master.
    pub master: Sha256,
    /// Name of its pipeline.
    pub pipeline: String,
    /// SHA-256 of its pipeline.
    pub pipeline_sha256: Sha256,
    /// Engine build that made it.
    pub engine: String,
    /// Renditions with their timescale and codec.
    pub renditions: Vec<RenditionHeader>,
    /// Number of objects that follow, one a line.
    pub objects: u64,
}

/// A rendition as the inventory introduces it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RenditionHeader {
    /// Name and folder.
    pub name: String,
    /// `avc1.64001f`, `mp4a.40.2` (RFC 6381).
    pub codec: String,
    /// Ticks per second of its segments.
    pub timescale: u32,
    /// Ticks that its edit list takes off every presentation time.
    pub delay: u64,
    /// Whether it has one picture of each segment, for fast forward.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub trick: bool,
    /// The package version whose folder holds its objects: a partial re-transcode refers to older ones (R6).
    pub version: Version,
}

impl Header {
    /// The codec of each rendition, by name.
    pub fn codecs(&self) -> Vec<(String, String)> {
        self.renditions.iter().map(|r| (r.name.clone(), r.codec.clone())).collect()
    }
}

/// A whole inventory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inventory {
    /// Its first line.
    pub header: Header,
    /// The objects, in the order in which they were listed: by path.
    pub objects: Vec<Object>,
}
