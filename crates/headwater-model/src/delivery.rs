//! Deliveries: several files that are one master.
//!
//! What works on a master works on its bytes: it is hashed, read in parts, archived and recognised by them. So a delivery
//! has bytes too: a line that says that it is one, a line with what its files are, and then the files one after the other.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::plan::TextPurpose;

/// What the bytes of a delivery begin with.
pub const MAGIC: &[u8] = b"HEADWATER-DELIVERY 1\n";

/// Bytes of the line that says what its files are, at most.
pub const LONGEST_LINE: usize = 1 << 20;

/// What a supplier delivered, as its manifest says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Delivery {
    /// The version of the format: 1.
    pub version: u32,
    /// The title; that of the manifest's name where it says none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// The pipeline; the usual one where it says none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pipeline: Option<String>,
    /// The picture; none for a title that is only heard.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub video: Option<Essence>,
    /// Sound, the default first. Where there is none, it is that of the picture's file.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub audio: Vec<AudioEssence>,
    /// Whether all tracks of sound of the picture's file, if it has any, come before `audio`.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub own_sound: bool,
    /// Subtitles.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub text: Vec<TextEssence>,
    /// A picture that stands for the title.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub poster: Option<Essence>,
    /// Whether it is complete only when a file `.complete` says so.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub marker: bool,
    /// SHA-256 of files, in hexadecimal digits.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub sha256: BTreeMap<String, String>,
    /// MD5 likewise.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub md5: BTreeMap<String, String>,
    /// Whatever else is to be kept of it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub metadata: BTreeMap<String, String>,
}

/// A file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Essence {
    /// Its path from the manifest's folder.
    pub file: String,
}

/// One audio rendition.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AudioEssence {
    /// The file that it is in; the picture's where it says none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// Or a file for each channel, in the order of `channels`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<String>,
    /// Tracks of the file, counted from 1: one, or one for each channel. The first where it says none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tracks: Vec<u32>,
    /// What tracks or files of one channel each are together.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub channels: Option<Channels>,
    /// Language (BCP 47).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub language: Option<String>,
    /// What people choose it by.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

/// Loudspeakers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Channels {
    /// Left, right.
    #[serde(rename = "2.0")]
    Stereo,
    /// Left, right, centre, low frequencies, left surround, right surround (SMPTE ST 2067-8).
    #[serde(rename = "5.1")]
    Surround,
}

impl Channels {
    /// How many.
    pub fn count(self) -> usize {
        match self {
            Channels::Stereo => 2,
            Channels::Surround => 6,
        }
    }
}

/// One rendition of subtitles.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TextEssence {
    /// The file: SubRip, WebVTT or TTML.
    pub file: String,
    /// Language (BCP 47).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub language: Option<String>,
    /// What people choose it by.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// What it is for.
    #[serde(default)]
    pub purpose: TextPurpose,
    /// How many milliseconds its zero is before that of the picture: one hour where cues count from 01:00:00.
    #[serde(default)]
    pub starts_at_ms: u64,
}

impl Delivery {
    /// All files that it names, each once, as it names them: the picture first.
    pub fn files(&self) -> Vec<&str> {
        let audio = self.audio.iter().flat_map(|a| a.file.iter().chain(&a.files));
        let named = (self.video.iter().map(|video| video.file.as_str()))
            .chain(audio.map(String::as_str))
            .chain(self.text.iter().map(|text| text.file.as_str()))
            .chain(self.poster.iter().map(|poster| poster.file.as_str()));
        let mut files: Vec<&str> = Vec::new();
        for file in named {
            if !files.contains(&file) {
                files.push(file);
            }
        }
        files
    }

    /// The file that is the picture, or of a title that is only heard the first.
    pub fn main(&self) -> Option<&str> {
        self.files().first().copied()
    }
}

/// A delivery and its files as they were found: what its bytes follow from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bundled {
    /// What they are.
    pub delivery: Delivery,
    /// Names and sizes, in the order in which they follow.
    pub files: Vec<BundledFile>,
}

/// One file of a delivery.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BundledFile {
    /// Its path from the manifest's folder.
    pub file: String,
    /// Its size.
    pub bytes: u64,
}

impl Bundled {
    /// What stands before the first file.
    pub fn header(&self) -> Vec<u8> {
        let mut header = MAGIC.to_vec();
        // Structs of numbers and text are JSON.
        header.extend(serde_json::to_vec(self).unwrap_or_default());
        header.push(b'\n');
        header
    }

    /// A delivery whose bytes begin with `start`, and where its first file begins. None where they are no delivery's.
    pub fn read(start: &[u8]) -> Option<(Self, u64)> {
        let rest = start.strip_prefix(MAGIC)?;
        let end = rest.iter().position(|b| *b == b'\n')?;
        let bundled = serde_json::from_slice(&rest[..end]).ok()?;
        Some((bundled, (MAGIC.len() + end + 1) as u64))
    }

    /// Bytes in all.
    pub fn bytes(&self) -> u64 {
        self.header().len() as u64 + self.files.iter().map(|file| file.bytes).sum::<u64>()
    }

    /// Number of the file with its poster, where it has one.
    pub fn poster(&self) -> Option<u32> {
        self.number_of(&self.delivery.poster.as_ref()?.file)
    }

    /// Which of the files is named so.
    pub fn number_of(&self, file: &str) -> Option<u32> {
        let place = self.files.iter().position(|known| known.file == file)?;
        u32::try_from(place).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_delivery_is_read_back_from_its_bytes() {
        let essence = |file: &str| Essence { file: file.to_owned() };
        let text = TextEssence {
            file: "film.srt".to_owned(),
            language: Some("en".to_owned()),
            name: None,
            purpose: TextPurpose::Forced,
            starts_at_ms: 3_600_000,
        };
        let delivery = Delivery {
            version: 1,
            title: None,
            pipeline: None,
            video: Some(essence("film.mov")),
            audio: vec![],
            own_sound: false,
            text: vec![text],
            poster: Some(essence("film.mov")),
            marker: false,
            sha256: BTreeMap::new(),
            md5: BTreeMap::new(),
            metadata: BTreeMap::new(),
        };
        assert_eq!(delivery.files(), ["film.mov", "film.srt"]);
        let file = |(file, bytes): (&str, u64)| BundledFile { file: file.to_owned(), bytes };
        let files = [("film.mov", 1_000), ("film.srt", 50)].map(file).to_vec();
        let bundled = Bundled { delivery, files };
        let mut bytes = bundled.header();
        assert_eq!(bundled.bytes(), bytes.len() as u64 + 1_050);
        bytes.extend(b"whatever follows\n");
        let (found, first) = Bundled::read(&bytes).unwrap();
        assert_eq!((found, first), (bundled.clone(), bundled.header().len() as u64));
        assert_eq!(bundled.number_of("film.srt"), Some(1));
        assert_eq!(Bundled::read(b"RIFF"), None);
    }
}
