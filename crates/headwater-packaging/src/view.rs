//! What manifests are rendered from: the renditions of a package that is complete, with the sizes that were measured.

use std::collections::BTreeMap;

use headwater_model::colour::{Colour, DynamicRange};
use headwater_model::id::Version;
use headwater_model::inventory::{Object, ObjectRole};
use headwater_model::key::{
    INIT_NAME, WHOLE_TEXT_NAME, picture_name, segment_name, text_segment_name, transport_name,
};
use headwater_model::ladder::VideoRendition;
use headwater_model::pipeline::SURROUND;
use headwater_model::plan::{AAC_FRAME, AudioRendition, Pictures, Plan, SegmentPlan, TextPurpose};
use headwater_model::time::{FrameRate, MediaTime};
use thiserror::Error;

use crate::language;

/// A package that has every object that its plan asks for.
#[derive(Debug, Clone, PartialEq)]
pub struct PackageView {
    /// Length of the presentation: that of its video.
    pub duration: MediaTime,
    /// Video renditions, largest first.
    pub video: Vec<VideoView>,
    /// Those that have one picture of each segment.
    pub trick: Vec<VideoView>,
    /// Audio renditions, the default first. Empty for a silent title.
    pub audio: Vec<AudioView>,
    /// Text renditions, the default first.
    pub text: Vec<TextView>,
    /// Small pictures.
    pub pictures: Option<PicturesView>,
    /// Whether HLS has segments as MPEG-TS.
    pub transport: bool,
    /// Whether video carries captions (CEA-608, CEA-708).
    pub captions: bool,
}

/// Small pictures and the poster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PicturesView {
    /// What they are like.
    pub plan: Pictures,
    /// Ticks per second.
    pub timescale: u32,
    /// Start and length of each segment, in ticks.
    pub segments: Vec<(u64, u64)>,
    /// The older version whose folder holds them, if it is one.
    pub version: Option<Version>,
    /// Bytes of the largest sheet.
    pub largest: u64,
}

/// A rendition as all kinds have it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrackView {
    /// Name and folder.
    pub name: String,
    /// Codec string (RFC 6381).
    pub codec: String,
    /// Ticks per second.
    pub timescale: u32,
    /// Ticks that the edit list takes off every presentation time. Segments start and end without it.
    pub delay: u64,
    /// The older version whose folder holds it, if it is one.
    pub version: Option<Version>,
    /// Segments in order, without a gap.
    pub segments: Vec<SegmentView>,
}

/// One media segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SegmentView {
    /// When it starts, in ticks.
    pub start: u64,
    /// How long it lasts, in ticks.
    pub ticks: u64,
    /// Its size in bytes.
    pub bytes: u64,
    /// The size of what HLS names in its place: the same, or that of its twin in MPEG-TS.
    pub bytes_in_hls: u64,
}

/// One video rendition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VideoView {
    /// Its name and segments.
    pub track: TrackView,
    /// Picture width in square pixels.
    pub width: u32,
    /// Picture height in square pixels.
    pub height: u32,
    /// Frames per second; the mean when they are unevenly spaced.
    pub frame_rate: FrameRate,
    /// Its colours, where they are known.
    pub colour: Option<Colour>,
}

impl VideoView {
    /// How bright it may get.
    pub fn range(&self) -> DynamicRange {
        self.colour.map_or(DynamicRange::Sdr, Colour::dynamic_range)
    }
}

/// One audio rendition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AudioView {
    /// Its name and segments.
    pub track: TrackView,
    /// Language (BCP 47 or ISO 639), when known.
    pub language: Option<String>,
    /// What people choose it by, when somebody has named it.
    pub title: Option<String>,
    /// Channels.
    pub channels: u32,
    /// Samples per second.
    pub sample_rate: u32,
}

/// One rendition of subtitles.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TextView {
    /// Name and folder.
    pub name: String,
    /// Language (BCP 47 or ISO 639), when known.
    pub language: Option<String>,
    /// What people choose it by, when the master names it.
    pub title: Option<String>,
    /// What it is for.
    pub purpose: TextPurpose,
    /// The older version whose folder holds it, if it is one.
    pub version: Option<Version>,
    /// Bytes of all of it in one file.
    pub bytes: u64,
    /// Ticks per second of its segments.
    pub timescale: u32,
    /// Segments in order, without a gap.
    pub segments: Vec<SegmentView>,
}

/// Where a multivariant playlist or an MPD stands, which decides how it addresses the renditions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// In the package, beside the renditions' folders.
    Package,
    /// In the title's folder, as the pointer to this version (R6).
    Title(Version),
}

impl Place {
    /// What goes before the name of a rendition's folder: nothing, `v1/`, or `../v1/` from a version to an older one.
    pub fn base_of(self, version: Option<Version>) -> String {
        match (self, version) {
            (Place::Package, None) => String::new(),
            (Place::Package, Some(older)) => format!("../{older}/"),
            (Place::Title(own), older) => format!("{}/", older.unwrap_or(own)),
        }
    }
}

/// The first thing in which objects and plan differ.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Incomplete {
    /// The plan asks for an object that nobody made.
    #[error("`{path}` is planned, but was not made")]
    Missing {
        /// Path within the package.
        path: String,
    },
    /// An object that the plan does not ask for, or a second one at the same path.
    #[error("`{path}` was made, but is not planned")]
    Unplanned {
        /// Path within the package.
        path: String,
    },
    /// An object is not what the plan asks for.
    #[error("`{path}` is not as planned: its {what} is {found} instead of {planned}")]
    Differs {
        /// Path within the package.
        path: String,
        /// `role`, `start`, `ticks`, `samples`, `version` or `size`.
        what: &'static str,
        /// What the plan says.
        planned: String,
        /// What was made.
        found: String,
    },
    /// The transcoder did not say how a rendition is coded.
    #[error("the codec of rendition `{rendition}` is not known")]
    NoCodec {
        /// Its name.
        rendition: String,
    },
}

impl PackageView {
    /// The view of a plan whose objects are all made. `codecs` are (rendition, codec string).
    ///
    /// Playlists and MPD may be among the objects; they are not looked at.
    ///
    /// # Errors
    /// Names the first object, in the plan's order, that is missing or not as planned: one init segment a rendition,
    /// and exactly the planned segments with the planned times and numbers of samples.
    pub fn new(
        plan: &Plan,
        objects: &[Object],
        codecs: &[(String, String)],
    ) -> Result<Self, Incomplete> {
        let mut made = Made::new(objects)?;
        let codec = |rendition: &str| {
            let known = codecs.iter().find(|(name, _)| name == rendition);
            known
                .map(|(_, codec)| codec.clone())
                .ok_or_else(|| Incomplete::NoCodec { rendition: rendition.to_owned() })
        };
        let mut track = |name: &str, timescale, delay, segments: Vec<Planned>| {
            let (version, segments) = made.rendition(name, &segments, plan.pipeline.transport)?;
            let (name, codec) = (name.to_owned(), codec(name)?);
            Ok(TrackView { name, codec, timescale, delay, version, segments })
        };
        let mut all = plan
            .video
            .iter()
            .map(|v| {
                let segments = plan.segments.iter().map(|s| Planned::video(v, s)).collect();
                let track = track(&v.name, plan.timescale, plan.delay, segments)?;
                let frame_rate = v.rate(plan.cadence.rate());
                let colour = plan.colour_of(v);
                Ok(VideoView { track, width: v.width, height: v.height, frame_rate, colour })
            })
            .collect::<Result<Vec<_>, _>>()?;
        let is_trick =
            |view: &VideoView| plan.video.iter().any(|v| v.trick && v.name == view.track.name);
        let trick = all.extract_if(.., |view| is_trick(view)).collect();
        let video = all;
        let audio = plan
            .audio
            .iter()
            .map(|a| {
                let segments = (0..plan.segments.len()).map(|n| Planned::audio(a, n)).collect();
                Ok(AudioView {
                    track: track(&a.name, a.sample_rate, 0, segments)?,
                    language: a.language.clone(),
                    title: a.title.clone(),
                    channels: a.channels,
                    sample_rate: a.sample_rate,
                })
            })
            .collect::<Result<Vec<_>, _>>()?;
        let text = plan
            .text
            .iter()
            .map(|t| {
                let (version, bytes, segments) = made.text(&t.name, &plan.text_segments())?;
                Ok(TextView {
                    name: t.name.clone(),
                    language: t.language.clone(),
                    title: t.title.clone(),
                    purpose: t.purpose,
                    version,
                    bytes,
                    timescale: plan.timescale,
                    segments,
                })
            })
            .collect::<Result<Vec<_>, _>>()?;
        let pictures = match &plan.pictures {
            Some(pictures) => {
                let (version, largest) = made.pictures(pictures)?;
                Some(PicturesView {
                    plan: pictures.clone(),
                    timescale: plan.timescale,
                    segments: plan.segments.iter().map(|s| (s.start, s.ticks)).collect(),
                    version,
                    largest,
                })
            }
            None => None,
        };
        if let Some(path) = made.0.into_keys().next() {
            return Err(Incomplete::Unplanned { path: path.to_owned() });
        }
        Ok(Self {
            duration: plan.duration(),
            video,
            trick,
            audio,
            text,
            pictures,
            transport: plan.pipeline.transport,
            captions: plan.captions,
        })
    }

    /// All renditions, video first.
    pub fn tracks(&self) -> impl Iterator<Item = &TrackView> {
        let pictures = self.video.iter().chain(&self.trick).map(|v| &v.track);
        pictures.chain(self.audio.iter().map(|a| &a.track))
    }

    /// Whether a rendition has one picture of each segment.
    pub fn is_trick(&self, track: &TrackView) -> bool {
        self.trick.iter().any(|v| v.track.name == track.name)
    }

    /// The video renditions by how they are coded and how bright they may get, in the order in which each codec comes first.
    pub fn codings(&self) -> Vec<Vec<&VideoView>> {
        let coding = |v: &VideoView| {
            (v.track.codec.split('.').next().unwrap_or_default().to_owned(), v.range())
        };
        let mut sets: Vec<Vec<&VideoView>> = Vec::new();
        for video in &self.video {
            match sets.iter_mut().find(|set| coding(set[0]) == coding(video)) {
                Some(set) => set.push(video),
                None => sets.push(vec![video]),
            }
        }
        sets
    }

    /// What people choose a text rendition by, likewise.
    pub fn text_names(&self) -> Vec<String> {
        let mut names: Vec<String> = Vec::new();
        for (n, text) in (1..).zip(&self.text) {
            let by_number = format!("Subtitles {n}");
            let language = text.language.as_deref().and_then(language::for_people);
            let named = match (language, text.purpose) {
                _ if text.title.is_some() && text.language.is_none() => text.title.clone(),
                (Some(language), TextPurpose::Dialogue) => Some(language.to_owned()),
                (Some(language), TextPurpose::HardOfHearing) => Some(format!("{language} SDH")),
                (Some(language), TextPurpose::Forced) => Some(format!("{language} (forced)")),
                (None, _) => text.title.clone(),
            };
            let name = match named {
                Some(name) if names.contains(&name) => format!("{name} ({by_number})"),
                Some(name) => name,
                None => by_number,
            };
            names.push(name);
        }
        names
    }

    /// The audio renditions that belong together, as numbers of [`Self::audio`]: first those of at most two channels, then,
    /// if there are any, those in 5.1, and for languages without it the others again. A player stays in one of them.
    pub fn audio_groups(&self) -> Vec<Vec<usize>> {
        let is_surround = |n: &usize| self.audio.get(*n).is_some_and(|a| a.channels >= SURROUND);
        let (surround, plain): (Vec<usize>, Vec<usize>) =
            (0..self.audio.len()).partition(is_surround);
        if surround.is_empty() || plain.is_empty() {
            return vec![(0..self.audio.len()).collect()];
        }
        // A rendition in 5.1 is named after the one that is mixed down from the same track.
        let same = |n: &usize, m: &usize| {
            self.audio[*m].track.name.strip_suffix("-51")
                == Some(self.audio[*n].track.name.as_str())
        };
        let instead = |n: &usize| surround.iter().find(|m| same(n, m)).copied().unwrap_or(*n);
        let with_surround = plain.iter().map(instead).collect();
        vec![plain, with_surround]
    }

    /// What people choose an audio rendition by: its language, or its number (from 1) where the language is not known or
    /// not the only one of its name.
    pub fn audio_names(&self) -> Vec<String> {
        let mut names: Vec<String> = Vec::new();
        for (n, audio) in (1..).zip(&self.audio) {
            let by_number = format!("Audio {n}");
            let language = audio.language.as_deref().and_then(language::for_people);
            let named = match audio.channels {
                _ if audio.title.is_some() => audio.title.clone(),
                0..SURROUND => language.map(str::to_owned),
                SURROUND.. => language.map(|language| format!("{language} 5.1")),
            };
            let name = match named {
                Some(name) if names.contains(&name) => format!("{name} ({by_number})"),
                Some(name) => name,
                None => by_number,
            };
            names.push(name);
        }
        names
    }
}

impl TextView {
    /// Length of the longest segment.
    pub fn longest_segment(&self) -> MediaTime {
        let ticks = self.segments.iter().map(|s| s.ticks).max().unwrap_or(0);
        MediaTime { ticks, timescale: self.timescale }
    }
}

impl TrackView {
    /// Length of the longest segment.
    pub fn longest_segment(&self) -> MediaTime {
        let ticks = self.segments.iter().map(|s| s.ticks).max().unwrap_or(0);
        MediaTime { ticks, timescale: self.timescale }
    }
}

/// What the plan says about one segment.
struct Planned {
    start: u64,
    ticks: u64,
    samples: u64,
}

impl Planned {
    fn video(rendition: &VideoRendition, segment: &SegmentPlan) -> Self {
        let samples = rendition.frames_of(segment.frames).into();
        Self { start: segment.start, ticks: segment.ticks, samples }
    }

    /// An audio rendition counts time in samples, and its segments in frames of [`AAC_FRAME`] samples.
    fn audio(rendition: &AudioRendition, n: usize) -> Self {
        let frames = rendition.frames_of(n);
        let samples = frames.end.saturating_sub(frames.start);
        let frame = u64::from(AAC_FRAME);
        Self { start: frames.start * frame, ticks: samples * frame, samples }
    }
}

/// The init and media segments that were made and are not accounted for yet, by path.
struct Made<'a>(BTreeMap<&'a str, &'a Object>);

impl<'a> Made<'a> {
    fn new(objects: &'a [Object]) -> Result<Self, Incomplete> {
        let mut by_path = BTreeMap::new();
        for object in objects.iter().filter(|o| o.role.rendition().is_some()) {
            if by_path.insert(object.path.as_str(), object).is_some() {
                return Err(Incomplete::Unplanned { path: object.path.clone() });
            }
        }
        Ok(Self(by_path))
    }

    fn take(&mut self, path: String) -> Result<&'a Object, Incomplete> {
        let object = self.0.remove(path.as_str()).ok_or(Incomplete::Missing { path })?;
        same(object, "size", 1, object.bytes.min(1))?;
        Ok(object)
    }

    /// The version of small pictures, and the bytes of the largest sheet.
    fn pictures(&mut self, plan: &Pictures) -> Result<(Option<Version>, u64), Incomplete> {
        let mut take = |number: Option<u32>| {
            let object = self.take(format!("{}/{}", Pictures::FOLDER, picture_name(number)))?;
            match object.role {
                ObjectRole::Picture { number: found } if found == number => Ok(object),
                _ => Err(wrong_role(object, "picture".to_owned())),
            }
        };
        let poster = take(None)?;
        let sheets = (0..plan.sheets()).map(|n| take(Some(n))).collect::<Result<Vec<_>, _>>()?;
        Ok((poster.version, sheets.iter().map(|sheet| sheet.bytes).max().unwrap_or(0)))
    }

    /// Version and bytes of all of a text rendition, and its segments.
    fn text(
        &mut self,
        name: &str,
        planned: &[(u64, u64)],
    ) -> Result<(Option<Version>, u64, Vec<SegmentView>), Incomplete> {
        let mut take = |file: &str, n: Option<u32>| {
            let object = self.take(format!("{name}/{file}"))?;
            match &object.role {
                ObjectRole::Text { rendition, number } if rendition == name && *number == n => {
                    Ok(object)
                }
                _ => Err(wrong_role(object, format!("text of {name}"))),
            }
        };
        let whole = take(WHOLE_TEXT_NAME, None)?;
        let number = |version: Option<Version>| version.map_or(0, |version| version.0.into());
        let mut segments = Vec::with_capacity(planned.len());
        for (n, (start, ticks)) in (0u32..).zip(planned) {
            let object = take(&text_segment_name(n), Some(n))?;
            same(object, "version", number(whole.version), number(object.version))?;
            let (bytes, bytes_in_hls) = (object.bytes, object.bytes);
            segments.push(SegmentView { start: *start, ticks: *ticks, bytes, bytes_in_hls });
        }
        Ok((whole.version, whole.bytes, segments))
    }

    /// Segment `n` of a rendition as MPEG-TS.
    fn twin(&mut self, name: &str, n: u32, planned: u64) -> Result<&'a Object, Incomplete> {
        let object = self.take(format!("{name}/{}", transport_name(n)))?;
        match &object.role {
            ObjectRole::Transport { rendition, number, start }
                if (rendition.as_str(), *number) == (name, n) =>
            {
                same(object, "start", planned, *start)?;
                Ok(object)
            }
            _ => Err(wrong_role(object, format!("segment {n} of {name} as MPEG-TS"))),
        }
    }

    fn rendition(
        &mut self,
        name: &str,
        planned: &[Planned],
        transport: bool,
    ) -> Result<(Option<Version>, Vec<SegmentView>), Incomplete> {
        let init = self.take(format!("{name}/{INIT_NAME}"))?;
        if !matches!(&init.role, ObjectRole::Init { rendition } if rendition == name) {
            return Err(wrong_role(init, format!("init segment of {name}")));
        }
        let mut segments = Vec::with_capacity(planned.len());
        for (n, planned) in (0u32..).zip(planned) {
            let object = self.take(format!("{name}/{}", segment_name(n)))?;
            let ObjectRole::Segment { rendition, number, start, ticks, samples } = &object.role
            else {
                return Err(wrong_role(object, format!("segment {n} of {name}")));
            };
            if (rendition.as_str(), *number) != (name, n) {
                return Err(wrong_role(object, format!("segment {n} of {name}")));
            }
            same(object, "start", planned.start, *start)?;
            same(object, "ticks", planned.ticks, *ticks)?;
            same(object, "samples", planned.samples, u64::from(*samples))?;
            let number = |version: Option<Version>| version.map_or(0, |version| version.0.into());
            same(object, "version", number(init.version), number(object.version))?;
            let in_hls = if transport { self.twin(name, n, planned.start)? } else { object };
            same(in_hls, "version", number(init.version), number(in_hls.version))?;
            let (bytes, bytes_in_hls) = (object.bytes, in_hls.bytes);
            segments.push(SegmentView { start: *start, ticks: *ticks, bytes, bytes_in_hls });
        }
        Ok((init.version, segments))
    }
}

fn same(object: &Object, what: &'static str, planned: u64, found: u64) -> Result<(), Incomplete> {
    if planned == found {
        return Ok(());
    }
    let (planned, found) = (planned.to_string(), found.to_string());
    Err(Incomplete::Differs { path: object.path.clone(), what, planned, found })
}

fn wrong_role(object: &Object, planned: String) -> Incomplete {
    let found = match &object.role {
        ObjectRole::Init { rendition } => format!("init segment of {rendition}"),
        ObjectRole::Segment { rendition, number, .. } => format!("segment {number} of {rendition}"),
        ObjectRole::Transport { rendition, number, .. } => {
            format!("segment {number} of {rendition} as MPEG-TS")
        }
        ObjectRole::Text { rendition, .. } => format!("text of {rendition}"),
        ObjectRole::Picture { .. } => "picture".to_owned(),
        ObjectRole::Manifest => "manifest".to_owned(),
        ObjectRole::Plan => "plan".to_owned(),
    };
    Incomplete::Differs { path: object.path.clone(), what: "role", planned, found }
}

#[cfg(test)]
mod tests;
