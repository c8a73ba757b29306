//! What a plan has beside its ladder: sound, subtitles, pictures.

use std::ops::Range;

use serde::{Deserialize, Serialize};

use super::AAC_FRAME;
use crate::ladder::VideoRendition;
use crate::master::{DeliveredText, MasterFacts, SoundPart};
use crate::pipeline::{Audio, AudioEncode, Codec, SURROUND};
use crate::time::MediaTime;

/// One audio rendition.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AudioRendition {
    /// Its name and folder: `audio-en` or `audio-1`.
    pub name: String,
    /// Which of the master's tracks it is made from: [`crate::master::AudioTrack::stream`].
    pub stream: String,
    /// Tracks of a delivery's files that it is put together from.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parts: Vec<SoundPart>,
    /// Language, when the master states one.
    pub language: Option<String>,
    /// What people choose it by, when the delivery names it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// Channels of the rendition.
    pub channels: u32,
    /// Channels of the track; 0 in plans from before it counted.
    #[serde(default)]
    pub track_channels: u32,
    /// Samples per second of the rendition, which is also its timescale.
    pub sample_rate: u32,
    /// Audio frames ([`AAC_FRAME`] samples each) up to the end of every segment: boundaries lie within half an audio
    /// frame of the video's, but every segment has at least one audio frame.
    pub ends: Vec<u64>,
    /// When the presentation starts, on the clock that the master's tracks share, in nanoseconds.
    pub zero_ns: i64,
}

/// Small pictures of a title, one for each segment, and its poster.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pictures {
    /// Width of one in pixels, even.
    pub width: u32,
    /// Height, likewise.
    pub height: u32,
    /// How many stand side by side on a sheet.
    pub columns: u32,
    /// And one below the other.
    pub rows: u32,
    /// Width and height of the poster.
    pub poster: (u32, u32),
    /// The time stamp, as the container has it in nanoseconds, of the master's frame that each segment begins with.
    pub times: Vec<i64>,
}

impl Pictures {
    /// Where they are in a package, and what they are called among renditions.
    pub const FOLDER: &str = "pictures";

    /// How many are on a sheet.
    pub fn on_a_sheet(&self) -> usize {
        (self.columns * self.rows).max(1) as usize
    }

    /// Width and height of a sheet.
    pub fn sheet(&self) -> (u32, u32) {
        (self.columns * self.width, self.rows * self.height)
    }

    /// How many sheets there are.
    pub fn sheets(&self) -> u32 {
        u32::try_from(self.times.len().div_ceil(self.on_a_sheet())).unwrap_or(u32::MAX)
    }
}

/// One rendition of subtitles.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TextRendition {
    /// Its name and folder: `text-en` or `text-1`.
    pub name: String,
    /// Which of the master's tracks it is made from: [`crate::master::TextTrack::stream`].
    pub stream: String,
    /// Or which of a delivery's files.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delivered: Option<DeliveredText>,
    /// Language, when the master states one.
    pub language: Option<String>,
    /// What people choose it by, when the master names it.
    pub title: Option<String>,
    /// What it is for.
    pub purpose: TextPurpose,
    /// When the presentation starts, on the clock that the master's tracks share, in nanoseconds.
    pub zero_ns: i64,
}

/// What subtitles are for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TextPurpose {
    /// For people who do not know the language.
    #[default]
    Dialogue,
    /// For people who do not hear: sounds are described as well.
    HardOfHearing,
    /// Only what nobody could understand otherwise, shown without being asked for.
    Forced,
}

impl TextPurpose {
    /// What a track's name tells of it: `English SDH`, `Deutsch (forced)`.
    pub fn of_title(title: &str) -> Self {
        let title = title.to_lowercase();
        let words = || title.split(|c: char| !c.is_alphanumeric());
        let any = |known: &[&str]| words().any(|word| known.contains(&word));
        match () {
            () if any(&["forced", "foreign"]) => TextPurpose::Forced,
            () if any(&["sdh", "cc", "hoh", "hearing"]) => TextPurpose::HardOfHearing,
            () => TextPurpose::Dialogue,
        }
    }
}

impl AudioRendition {
    /// The audio frames of segment `n`.
    pub fn frames_of(&self, n: usize) -> Range<u64> {
        let start = n.checked_sub(1).and_then(|before| self.ends.get(before)).copied().unwrap_or(0);
        start..self.ends.get(n).copied().unwrap_or(start)
    }
}

/// Small pictures and a poster, in the shape of the renditions.
pub(super) fn pictures(video: &[VideoRendition], times: Vec<i64>) -> Option<Pictures> {
    /// Longer sides: what pages and players have room for.
    const SMALL: u32 = 160;
    const POSTER: u32 = 1280;
    let of = video.iter().max_by_key(|v| u64::from(v.width) * u64::from(v.height))?;
    let fitted = |side: u32| {
        let scale = (f64::from(side) / f64::from(of.width.max(of.height))).min(1.0);
        let even = |n: u32| ((f64::from(n) * scale / 2.0).round() as u32 * 2).max(2);
        (even(of.width), even(of.height))
    };
    let (width, height) = fitted(SMALL);
    Some(Pictures { width, height, columns: 5, rows: 5, poster: fitted(POSTER), times })
}

/// One picture of each segment, as small as the smallest rendition that every player has.
pub(super) fn trick(video: &[VideoRendition], frames: u32) -> Option<VideoRendition> {
    let small = |v: &&VideoRendition| {
        (v.hdr, v.codec != Codec::H264, u64::from(v.width) * u64::from(v.height))
    };
    video.iter().min_by_key(small).map(|smallest| smallest.trick(frames))
}

pub(super) fn copied_rendition(width: u32, height: u32) -> VideoRendition {
    VideoRendition {
        name: format!("video-{height}p"),
        codec: Codec::H264,
        width,
        height,
        crf: 0.0,
        max_kbps: 0,
        buffer_kbit: 0,
        every: 1,
        trick: false,
        hdr: false,
        copy: true,
    }
}

/// One rendition for every audio track, named after its language where that is unique, and behind all of them those in 5.1.
pub(super) fn audio_renditions(
    facts: &MasterFacts,
    audio: &Audio,
    ends: &[MediaTime],
    zero_ns: i64,
) -> Vec<AudioRendition> {
    let (mut renditions, mut surround): (Vec<AudioRendition>, Vec<AudioRendition>) =
        Default::default();
    for (track, a) in (0u32..).zip(&facts.audio) {
        let (channels, sample_rate) = match audio {
            Audio::Encode(AudioEncode { channels, sample_rate, .. }) => {
                (a.channels.clamp(1, *channels), *sample_rate)
            }
            Audio::Copy => (a.channels, a.sample_rate),
        };
        let language = stated(a.language.as_ref());
        let by_language = language.as_ref().map(|l| format!("audio-{}", l.to_lowercase()));
        let name = by_language
            .filter(|name| renditions.iter().all(|r| &r.name != name))
            .unwrap_or_else(|| format!("audio-{}", track + 1));
        let rendition = AudioRendition {
            name,
            stream: a.stream.clone(),
            parts: a.delivered.as_ref().map_or_else(Vec::new, |own| own.parts.clone()),
            language,
            title: a.delivered.as_ref().and_then(|own| own.name.clone()),
            channels,
            track_channels: a.channels,
            sample_rate,
            ends: audio_ends(ends, sample_rate),
            zero_ns: a.delivered.as_ref().map_or(zero_ns, |own| own.zero_ns),
        };
        if let Audio::Encode(AudioEncode { surround_kbps: Some(_), .. }) = audio
            && a.channels >= SURROUND
        {
            let name = format!("{}-51", rendition.name);
            surround.push(AudioRendition { name, channels: SURROUND, ..rendition.clone() });
        }
        renditions.push(rendition);
    }
    renditions.extend(surround);
    renditions
}

/// One rendition for every track of text that is text, and not pictures of it, named after its language where that is
/// unique.
pub(super) fn text_renditions(facts: &MasterFacts, zero_ns: i64) -> Vec<TextRendition> {
    let mut renditions: Vec<TextRendition> = Vec::new();
    let tracks =
        facts.text.iter().filter(|track| track.media_type == "text/x-raw" && track.cues > 0);
    for (n, track) in (1u32..).zip(tracks) {
        let language = stated(track.language.as_ref());
        let purpose = match &track.delivered {
            Some(own) => own.purpose,
            None => track.title.as_deref().map_or(TextPurpose::default(), TextPurpose::of_title),
        };
        let more = match purpose {
            TextPurpose::Dialogue => "",
            TextPurpose::HardOfHearing => "-sdh",
            TextPurpose::Forced => "-forced",
        };
        let by_language = language.as_ref().map(|l| format!("text-{}{more}", l.to_lowercase()));
        let name = by_language
            .filter(|name| renditions.iter().all(|r| &r.name != name))
            .unwrap_or_else(|| format!("text-{n}"));
        renditions.push(TextRendition {
            name,
            stream: track.stream.clone(),
            delivered: track.delivered.clone(),
            language,
            title: track.title.clone(),
            purpose,
            zero_ns,
        });
    }
    renditions
}

/// A language that is one. `und` says nothing: such a track is known by its number.
pub(super) fn stated(language: Option<&String>) -> Option<String> {
    let is_one = |l: &&String| {
        l.as_str() != "und" && l.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
    };
    language.filter(is_one).cloned()
}

/// Audio frames up to each of these times, rounded half up. They increase strictly: a video segment that is shorter than
/// an audio frame, as of a title of one picture, still gets a whole one, since a segment without samples cannot be
/// written.
pub(super) fn audio_ends(ends: &[MediaTime], sample_rate: u32) -> Vec<u64> {
    let frame = u64::from(AAC_FRAME);
    let mut before = 0;
    ends.iter()
        .map(|end| {
            before = ((end.rescale(sample_rate) + frame / 2) / frame).max(before + 1);
            before
        })
        .collect()
}
