//! Where objects live: every key of a title, made and read in one place (R6).

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::id::{Tenant, TitleId, Version};
use crate::inventory::Object;

/// The key of an object in an origin, such as `main/film/v1/video-720p/seg-00001.m4s`. Parts are separated by `/`;
/// there are no empty, `.` or `..` parts.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ObjectKey(String);

/// Name of the HLS multivariant playlist, in a version and as the title's pointer.
pub const HLS_NAME: &str = "index.m3u8";
/// Name of the MPD, in a version and as the title's pointer.
pub const MPD_NAME: &str = "manifest.mpd";
/// Name of a rendition's media playlist.
pub const MEDIA_PLAYLIST_NAME: &str = "media.m3u8";
/// Name of a rendition's init segment.
pub const INIT_NAME: &str = "init.mp4";
/// Name of the plan that a version was made by.
pub const PLAN_NAME: &str = "plan.json";
/// Name of a version's inventory.
pub const INVENTORY_NAME: &str = "inventory.jsonl";

/// Name of the WebVTT file that says where the small pictures are.
pub const THUMBNAILS_NAME: &str = "thumbnails.vtt";

/// The name of sheet `n` (from 0) of small pictures, `sheet-00001.jpg` is the first; without a number that of the poster.
pub fn picture_name(n: Option<u32>) -> String {
    match n {
        Some(n) => format!("sheet-{:05}.jpg", u64::from(n) + 1),
        None => "poster.jpg".to_owned(),
    }
}

/// Name of all subtitles of a rendition in one file.
pub const WHOLE_TEXT_NAME: &str = "whole.vtt";

/// The name of segment `n` (from 0) of subtitles: `seg-00001.vtt` is the first.
pub fn text_segment_name(n: u32) -> String {
    format!("seg-{:05}.vtt", u64::from(n) + 1)
}

/// The name of segment `n` (from 0) within its rendition: `seg-00001.m4s` is the first.
pub fn segment_name(n: u32) -> String {
    format!("seg-{:05}.m4s", u64::from(n) + 1)
}

/// The name of segment `n` (from 0) within its rendition as MPEG-TS: `seg-00001.ts` is the first.
pub fn transport_name(n: u32) -> String {
    format!("seg-{:05}.ts", u64::from(n) + 1)
}

impl ObjectKey {
    /// A key from its text, or `None` when a part could leave the origin.
    pub fn new(text: impl Into<String>) -> Option<Self> {
        let text = text.into();
        Self::is_key(&text).then_some(Self(text))
    }

    /// Whether a text would be a key.
    pub fn is_key(text: &str) -> bool {
        let part_ok = |p: &str| !p.is_empty() && p != "." && p != "..";
        // Among bytes, since neither can be part of a longer character.
        !text.bytes().any(|b| matches!(b, b'\\' | b'\0')) && text.split('/').all(part_ok)
    }

    /// The key as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The last part.
    pub fn name(&self) -> &str {
        self.0.rsplit('/').next().unwrap_or(&self.0)
    }

    /// `Content-Type` by the key's extension, as players and CDNs expect it.
    pub fn content_type(&self) -> &'static str {
        match self.name().rsplit('.').next() {
            Some("m3u8") => "application/vnd.apple.mpegurl",
            Some("mpd") => "application/dash+xml",
            Some("m4s") => "video/iso.segment",
            Some("mp4") => "video/mp4",
            Some("ts") => "video/mp2t",
            Some("vtt") => "text/vtt",
            Some("jpg") => "image/jpeg",
            Some("jsonl") => "application/jsonl",
            Some("json") => "application/json",
            _ => "application/octet-stream",
        }
    }
}

impl fmt::Display for ObjectKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for ObjectKey {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        Self::new(text.clone()).ok_or_else(|| format!("`{text}` is not an object key"))
    }
}

impl From<ObjectKey> for String {
    fn from(key: ObjectKey) -> String {
        key.0
    }
}

/// One package of one title: names every key in it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct PackageId {
    /// Whose.
    pub tenant: Tenant,
    /// Which title.
    pub title: TitleId,
    /// Which version of it.
    pub version: Version,
}

impl fmt::Display for PackageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.tenant, self.title, self.version)
    }
}

impl PackageId {
    /// `main/film/v1/` and what follows.
    pub fn key(&self, path: &str) -> ObjectKey {
        ObjectKey(format!("{self}/{path}"))
    }

    /// What all keys of the package start with, `/` included.
    pub fn prefix(&self) -> String {
        format!("{self}/")
    }

    /// The key of an object of its inventory, which an older version may hold.
    pub fn key_of(&self, object: &Object) -> ObjectKey {
        match object.version {
            None => self.key(&object.path),
            Some(version) => PackageId { version, ..self.clone() }.key(&object.path),
        }
    }

    /// The title's two pointer objects, HLS first.
    pub fn pointers(&self) -> [ObjectKey; 2] {
        [HLS_NAME, MPD_NAME].map(|name| ObjectKey(format!("{}/{}/{name}", self.tenant, self.title)))
    }

    /// A key's path within the package: the inverse of [`PackageId::key`].
    pub fn path_of<'k>(&self, key: &'k ObjectKey) -> Option<&'k str> {
        key.as_str().strip_prefix(&self.prefix())
    }
}

/// `Cache-Control` of what never changes: everything under a version.
pub const CACHE_FOREVER: &str = "public, max-age=31536000, immutable";
/// `Cache-Control` of copies of masters: nobody is to keep one on the way.
pub const CACHE_NEVER: &str = "private, no-store";
/// `Cache-Control` of the pointers: short, so that a publish or a rollback is seen soon.
pub const CACHE_POINTER: &str = "public, max-age=5";
