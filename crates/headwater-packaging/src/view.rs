//! What manifests are rendered from: the renditions of a package that is complete, with the sizes that were measured.

use std::collections::BTreeMap;

use headwater_model::id::Version;
use headwater_model::inventory::{Object, ObjectRole};
use headwater_model::key::{INIT_NAME, segment_name};
use headwater_model::plan::{AAC_FRAME, AudioRendition, Plan, SegmentPlan};
use headwater_model::time::{FrameRate, MediaTime};
use thiserror::Error;

use crate::language;

/// A package that has every object that its plan asks for.
#[derive(Debug, Clone, PartialEq)]
pub struct PackageView {
    /// Length of the presentation: that of its video.
    pub duration: MediaTime,
    /// Frames per second of all video renditions; the mean when they are unevenly spaced.
    pub frame_rate: FrameRate,
    /// Video renditions, largest first.
    pub video: Vec<VideoView>,
    /// Audio renditions, the default first. Empty for a silent title.
    pub audio: Vec<AudioView>,
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
}

/// One audio rendition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AudioView {
    /// Its name and segments.
    pub track: TrackView,
    /// Language (BCP 47 or ISO 639), when known.
    pub language: Option<String>,
    /// Channels.
    pub channels: u32,
    /// Samples per second.
    pub sample_rate: u32,
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
    pub fn base_of(self, track: &TrackView) -> String {
        match (self, track.version) {
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
            let (version, segments) = made.rendition(name, &segments)?;
            let (name, codec) = (name.to_owned(), codec(name)?);
            Ok(TrackView { name, codec, timescale, delay, version, segments })
        };
        let video = plan
            .video
            .iter()
            .map(|v| {
                let segments = plan.segments.iter().map(Planned::video).collect();
                let track = track(&v.name, plan.timescale, plan.delay, segments)?;
                Ok(VideoView { track, width: v.width, height: v.height })
            })
            .collect::<Result<Vec<_>, _>>()?;
        let audio = plan
            .audio
            .iter()
            .map(|a| {
                let segments = (0..plan.segments.len()).map(|n| Planned::audio(a, n)).collect();
                Ok(AudioView {
                    track: track(&a.name, a.sample_rate, 0, segments)?,
                    language: a.language.clone(),
                    channels: a.channels,
                    sample_rate: a.sample_rate,
                })
            })
            .collect::<Result<Vec<_>, _>>()?;
        if let Some(path) = made.0.into_keys().next() {
            return Err(Incomplete::Unplanned { path: path.to_owned() });
        }
        Ok(Self { duration: plan.duration(), frame_rate: plan.cadence.rate(), video, audio })
    }

    /// All renditions, video first.
    pub fn tracks(&self) -> impl Iterator<Item = &TrackView> {
        self.video.iter().map(|v| &v.track).chain(self.audio.iter().map(|a| &a.track))
    }

    /// What people choose an audio rendition by: its language, or its number (from 1) where the language is not known or
    /// not the only one of its name.
    pub fn audio_names(&self) -> Vec<String> {
        let mut names: Vec<String> = Vec::new();
        for (n, audio) in (1..).zip(&self.audio) {
            let by_number = format!("Audio {n}");
            let name = match audio.language.as_deref().and_then(language::for_people) {
                Some(language) if names.iter().any(|n| n == language) => {
                    format!("{language} ({by_number})")
                }
                Some(language) => language.to_owned(),
                None => by_number,
            };
            names.push(name);
        }
        names
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
    fn video(segment: &SegmentPlan) -> Self {
        Self { start: segment.start, ticks: segment.ticks, samples: segment.frames.into() }
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

    fn rendition(
        &mut self,
        name: &str,
        planned: &[Planned],
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
            segments.push(SegmentView { start: *start, ticks: *ticks, bytes: object.bytes });
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
        ObjectRole::Manifest => "manifest".to_owned(),
        ObjectRole::Plan => "plan".to_owned(),
    };
    Incomplete::Differs { path: object.path.clone(), what: "role", planned, found }
}

#[cfg(test)]
mod tests;
