//! The plan of a title: which frames go into which segment, which segments into which span, and what every span reads.
//!
//! A plan is made once, from the index, before anything is transcoded. It is a pure function of master, pipeline and
//! engine build (R1), and everything later is counted against it.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use self::frames::{
    Frames, Grid, copied_delay, copied_starts, cut_spans, encoded_starts, frame_ticks, lay_out,
    steady, to_multiple,
};
use crate::colour::{Colour, ContentLight, MasteringDisplay};
use crate::delivery::Bundled;
use crate::id::{Sha256, Version};
use crate::index::{Basis, Cadence, Index, cadence};
use crate::ladder::{Picture, VideoRendition, resolve};
use crate::master::{Fields, MasterFacts, Orientation, SoundPart, VideoTrack};
use crate::pipeline::{Audio, Pipeline, Video};
use crate::refusal::{Code, Refusal};
use crate::task::Remake;
use crate::time::{FrameRate, MediaTime, NS};

mod frames;
mod renditions;
mod sound;

pub use renditions::{AudioRendition, Pictures, TextPurpose, TextRendition};
use renditions::{audio_renditions, copied_rendition, pictures, text_renditions, trick};

/// Format of the plans that this build makes, from 1. It changes when an older build would misread a plan, so that workers
/// of both builds can share a queue during a roll: each leaves the tasks whose plans it cannot read.
pub const FORMAT: u32 = 2;

/// The oldest format that this build still reads.
pub const OLDEST_FORMAT: u32 = 1;

/// Samples in an AAC-LC frame (ISO/IEC 14496-3).
pub const AAC_FRAME: u32 = 1024;

/// Frames by which x264 reorders at most: B-frames that refer to B-frames, two levels deep.
const REORDERED_FRAMES: u64 = 2;

/// How long a segment of subtitles is, in milliseconds: a player fetches one at a time, and a title of two hours has 120.
const TEXT_SEGMENT_MS: u32 = 60_000;

/// Nothing that is shown at a stretch is longer: a damaged time stamp would otherwise become days of one still picture.
const LONGEST_TITLE_NS: i64 = 48 * 3600 * NS;

/// Everything that is decided about a package before work starts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// The master it is for.
    pub master: Sha256,
    /// The pipeline it follows.
    pub pipeline: Pipeline,
    /// Build of the engine: part of what makes segments equal (R1).
    pub engine: String,
    /// Constant or variable, and the rate.
    pub cadence: Cadence,
    /// Ticks per second of every video rendition.
    pub timescale: u32,
    /// Frames of every video rendition.
    pub frames: u64,
    /// Ticks from decoding a video frame's time slot to showing it: how far B-frames may be reordered. Every composition
    /// offset contains it and the edit list of the init segment takes it out again, so presentation starts at 0 (R2).
    pub delay: u64,
    /// Segments in order, the same for every video rendition.
    pub segments: Vec<SegmentPlan>,
    /// Spans in order; together they are all segments.
    pub spans: Vec<SpanPlan>,
    /// The delivery that it is made from, where its master is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delivery: Option<Bundled>,
    /// SHA-256 of each of its files.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sources: Vec<Sha256>,
    /// Which of the master's tracks is the picture: [`crate::master::VideoTrack::stream`].
    pub stream: String,
    /// How the master's picture has to be turned.
    pub orientation: Orientation,
    /// Of an interlaced picture, which field comes first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fields: Option<Fields>,
    /// Colours of the master's picture, with what it does not say filled in. None where they stay what they are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub colour: Option<Colour>,
    /// How bright it gets, in cd/m², when it says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peak: Option<u32>,
    /// Whether pictures carry captions, which the renditions carry on.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub captions: bool,
    /// The screen that it was graded on, when it says so: what renditions say that keep its light.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mastering: Option<MasteringDisplay>,
    /// How bright its pictures get, when it says so: likewise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub light: Option<ContentLight>,
    /// Width and height of the master's picture as it is coded: what decoding takes. Plans from before it counted have
    /// none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub coded: Option<(u32, u32)>,
    /// The least number of frames after which every rendition of the title shows one again: keys stand there.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub stride: u32,
    /// Video renditions, largest first.
    pub video: Vec<VideoRendition>,
    /// Audio renditions, the default first.
    pub audio: Vec<AudioRendition>,
    /// Text renditions, the default first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub text: Vec<TextRendition>,
    /// Small pictures and a poster, where the pipeline asks for them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pictures: Option<Pictures>,
    /// The older version that it goes back to, where only a part of the title is made again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base: Option<Base>,
}

fn one() -> u32 {
    1
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "what serde asks for")]
fn is_one(n: &u32) -> bool {
    *n == 1
}

/// What a partial re-transcode takes from an older version of the title, which was made by the same plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Base {
    /// That version.
    pub version: Version,
    /// Renditions that stay where they are: the new version refers to them (R6).
    pub kept: Vec<String>,
    /// Spans of the other video renditions that are copied and not made again.
    pub copied: Vec<u32>,
}

/// One segment of the video grid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct SegmentPlan {
    /// Number of its first frame, from 0.
    pub first_frame: u64,
    /// How many frames.
    pub frames: u32,
    /// When it starts, in ticks.
    pub start: u64,
    /// How long it lasts, in ticks.
    pub ticks: u64,
}

/// A run of consecutive segments that is transcoded as one unit of work.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SpanPlan {
    /// Index of its first segment, from 0.
    pub first_segment: u32,
    /// How many segments.
    pub segments: u32,
    /// How the frames are read from the master.
    pub read: SpanRead,
    /// How long its frames last.
    pub ticks: FrameTicks,
    /// How many frames of the renditions show each frame that is kept of the master, where that is not one each.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repeats: Option<Vec<u32>>,
}

impl SpanPlan {
    /// How many frames of the renditions show the `n`-th frame that is kept of the master, from 0.
    pub fn repeats_of(&self, n: u64) -> u32 {
        match &self.repeats {
            None => 1,
            Some(list) => usize::try_from(n).ok().and_then(|n| list.get(n)).copied().unwrap_or(0),
        }
    }
}

/// Durations of the frames of a span, in ticks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FrameTicks {
    /// All alike.
    Each(u32),
    /// One by one.
    List(Vec<u32>),
}

impl FrameTicks {
    /// Duration of the span's frame `n`, in ticks.
    pub fn of(&self, n: u64) -> u32 {
        match self {
            FrameTicks::Each(ticks) => *ticks,
            FrameTicks::List(list) => {
                usize::try_from(n).ok().and_then(|n| list.get(n)).copied().unwrap_or(0)
            }
        }
    }
}

/// Where a span's frames are in the master.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SpanRead {
    /// How the index was made.
    pub basis: Basis,
    /// Number of the first access unit to decode, in decoding order from 0. It is a key.
    pub first_unit: u32,
    /// Its time stamp, in nanoseconds: where to seek.
    pub first_unit_pts_ns: i64,
    /// Its size in bytes: how to recognise it.
    pub first_unit_size: u32,
    /// How many units to decode.
    pub units: u32,
    /// Time stamp of the first frame to keep, in nanoseconds.
    pub first_frame_pts_ns: i64,
    /// Time stamp of the last frame to keep, in nanoseconds.
    pub last_frame_pts_ns: i64,
    /// How many frames of the master to keep.
    pub frames: u64,
}

impl Plan {
    /// Whether a rendition stays in an older version.
    pub fn keeps(&self, rendition: &str) -> bool {
        self.base.as_ref().is_some_and(|base| base.kept.iter().any(|kept| kept == rendition))
    }

    /// Whether span `n` is copied from an older version.
    pub fn copies(&self, span: u32) -> bool {
        self.base.as_ref().is_some_and(|base| base.copied.contains(&span))
    }

    /// Whether the title is cut alike in both: the same frames, boundaries and renditions, whoever made the plans, with
    /// which of the pipeline's encoders, and whatever they go back to. Older plans do not know how the master is coded.
    pub fn cuts_like(&self, other: &Plan) -> bool {
        let (engine, base) = (other.engine.clone(), other.base.clone());
        let pipeline = other.pipeline.clone();
        let same_pipeline = self.pipeline.sha256 == pipeline.sha256;
        same_pipeline
            && Plan { engine, base, pipeline, coded: other.coded, ..self.clone() } == *other
    }

    /// The plan with the one encoder of each kind that it is made with from now on: the first of those that its pipeline
    /// names and that are `installed`. Every part of it is then made with the same one, wherever that is done (R1). Where
    /// none is, whoever makes a part says so.
    pub fn made_with(mut self, installed: &BTreeSet<String>) -> Self {
        let pin = |encoders: &mut Vec<String>| {
            if let Some(first) = encoders.iter().position(|name| installed.contains(name)) {
                *encoders = vec![encoders.swap_remove(first)];
            }
        };
        if let Video::Encode(encode) = &mut self.pipeline.video {
            encode.choices().for_each(pin);
        }
        if let Audio::Encode(encode) = &mut self.pipeline.audio {
            pin(&mut encode.encoders);
        }
        self
    }

    /// The plan without video renditions that are kept: what a transcoder has to make.
    pub fn to_make(&self) -> Plan {
        let mut plan = self.clone();
        plan.video.retain(|rendition| !self.keeps(&rendition.name));
        plan
    }

    /// The segments of subtitles: each as many of the video's as come to about a minute, since text is small. Start and
    /// length in ticks.
    pub fn text_segments(&self) -> Vec<(u64, u64)> {
        let each = (TEXT_SEGMENT_MS / self.pipeline.segment_ms.max(1)).max(1);
        let runs = self.segments.chunks(each as usize);
        runs.filter_map(|run| Some((run.first()?.start, run.iter().map(|s| s.ticks).sum())))
            .collect()
    }

    /// The colours of a rendition, where they are known.
    pub fn colour_of(&self, rendition: &VideoRendition) -> Option<Colour> {
        let colour = self.colour?;
        Some(if rendition.hdr { colour } else { colour.as_sdr() })
    }

    /// Length of the presentation.
    pub fn duration(&self) -> MediaTime {
        let ticks = self.segments.last().map_or(0, |s| s.start + s.ticks);
        MediaTime { ticks, timescale: self.timescale }
    }

    /// The segments of span `n`.
    pub fn segments_of(&self, span: &SpanPlan) -> &[SegmentPlan] {
        let first = span.first_segment as usize;
        self.segments.get(first..first + span.segments as usize).unwrap_or(&[])
    }

    /// How many frames of each rendition are in span `n`.
    pub fn frames_of(&self, span: &SpanPlan) -> u64 {
        self.segments_of(span).iter().map(|s| u64::from(s.frames)).sum()
    }

    /// Frames between two IDRs within a segment.
    pub fn gop_frames(&self) -> u32 {
        self.cadence.rate().frames_in_ms(self.pipeline.gop_ms).max(1)
    }
}

/// What a partial re-transcode of a title with this plan takes from the version that it goes back to; or, in words, why
/// it cannot be done.
pub fn again(plan: &Plan, remake: &Remake) -> Result<Base, String> {
    let names: Vec<&str> = plan
        .video
        .iter()
        .map(|video| video.name.as_str())
        .chain(plan.audio.iter().map(|audio| audio.name.as_str()))
        .chain(plan.text.iter().map(|text| text.name.as_str()))
        .chain(plan.pictures.iter().map(|_| Pictures::FOLDER))
        .collect();
    if let Some(unknown) = remake.renditions.iter().find(|name| !names.contains(&name.as_str())) {
        return Err(format!("there is no rendition `{unknown}`: there are {}", names.join(", ")));
    }
    let in_part = remake.from_ms.is_some() || remake.to_ms.is_some();
    let wanted = |name: &str| remake.renditions.iter().any(|wanted| wanted == name);
    let is_track = |name: &str| {
        plan.audio.iter().any(|audio| audio.name == name)
            || plan.text.iter().any(|text| text.name == name)
            || name == Pictures::FOLDER
    };
    // Sound, text and small pictures are made in one piece (R3), and so only where it is asked for by name.
    let made = |name: &str| match remake.renditions.is_empty() {
        true => !(in_part && is_track(name)),
        false => wanted(name),
    };
    let kept = names.iter().filter(|name| !made(name)).map(|name| (*name).to_owned()).collect();
    let ms = |segment: u32| {
        let segment = plan.segments.get(segment as usize);
        let ticks = segment.map_or(plan.duration().ticks, |segment| segment.start);
        MediaTime { ticks, timescale: plan.timescale }.rescale(1000)
    };
    let (from, to) = (remake.from_ms.unwrap_or(0), remake.to_ms.unwrap_or(u64::MAX));
    let overlaps = |span: &SpanPlan| {
        ms(span.first_segment) < to && ms(span.first_segment + span.segments) > from
    };
    let copied: Vec<u32> =
        (0u32..).zip(&plan.spans).filter(|(_, span)| !overlaps(span)).map(|(n, _)| n).collect();
    if copied.len() == plan.spans.len() && (in_part || !plan.spans.is_empty()) {
        let length = plan.duration().rescale(1000) as f64 / 1000.0;
        return Err(format!("nothing of the title, which is {length} s long, lies in that time"));
    }
    Ok(Base { version: remake.base, kept, copied })
}

/// What a plan of a delivery can take from an older version of its title, made from a delivery that has some of its files:
/// all renditions that would be made from the same files in the same way. None where there are none, or nothing else.
pub fn reuse(plan: &Plan, older: &Plan, version: Version) -> Option<Base> {
    let is_cut_alike = plan.pipeline.sha256 == older.pipeline.sha256
        && plan.segments == older.segments
        && plan.timescale == older.timescale
        && plan.delay == older.delay;
    let source = |plan: &Plan, n: u32| plan.sources.get(n as usize).copied();
    let same_main = source(plan, 0).is_some() && source(plan, 0) == source(older, 0);
    if !is_cut_alike {
        return None;
    }
    // Files may have other numbers than they had: their content says which they are.
    let sound = |plan: &Plan, a: &AudioRendition| {
        let parts: Vec<_> =
            a.parts.iter().map(|part| (source(plan, part.source), part.stream.clone())).collect();
        (AudioRendition { parts: vec![], ..a.clone() }, parts)
    };
    let text = |plan: &Plan, t: &TextRendition| {
        let file = t.delivered.as_ref().map(|own| (source(plan, own.source), own.starts_at_ms));
        (TextRendition { delivered: None, ..t.clone() }, file)
    };
    let mut kept: Vec<String> = Vec::new();
    if same_main {
        let same = |v: &&VideoRendition| older.video.contains(v);
        kept.extend(plan.video.iter().filter(same).map(|v| v.name.clone()));
        let poster = |plan: &Plan| source(plan, plan.delivery.as_ref()?.poster()?);
        let pictures = plan.pictures.is_some()
            && plan.pictures == older.pictures
            && poster(plan) == poster(older);
        kept.extend(pictures.then(|| Pictures::FOLDER.to_owned()));
    }
    let own = |parts: &[SoundPart]| same_main || !parts.is_empty();
    let same = |a: &&AudioRendition| {
        own(&a.parts) && older.audio.iter().any(|o| sound(older, o) == sound(plan, a))
    };
    kept.extend(plan.audio.iter().filter(same).map(|a| a.name.clone()));
    let same = |t: &&TextRendition| {
        (same_main || t.delivered.is_some())
            && older.text.iter().any(|o| text(older, o) == text(plan, t))
    };
    kept.extend(plan.text.iter().filter(same).map(|t| t.name.clone()));
    let all = plan.video.len()
        + plan.audio.len()
        + plan.text.len()
        + usize::from(plan.pictures.is_some());
    (!kept.is_empty() && kept.len() < all).then_some(Base { version, kept, copied: vec![] })
}

/// Makes the plan, or says why this master and this pipeline do not go together.
///
/// `index` is that of the first video track. `zero_ns` is when its first frame is presented on the clock that all tracks
/// share, in nanoseconds: the zero of the presentation. Without a picture it is when the first sound begins.
pub fn plan(
    master: Sha256,
    pipeline: &Pipeline,
    engine: &str,
    facts: &MasterFacts,
    index: &Index,
    zero_ns: i64,
) -> Result<Plan, Refusal> {
    if facts.video.is_empty() && facts.audio.is_empty() {
        return Err(Refusal::new(
            Code::NoVideoTrack,
            format!(
                "the master has neither picture nor sound (found: {})",
                facts.tracks_in_words()
            ),
        ));
    }
    if let (Audio::Encode(_), Some(track)) =
        (&pipeline.audio, facts.audio.iter().find(|a| a.decoder.is_none()))
    {
        return Err(Refusal::new(
            Code::UnsupportedCodec,
            format!("no decoder for an audio track's codec: {}", track.codec),
        ));
    }
    let Some(track) = facts.video.first() else {
        return sound::plan(master, pipeline, engine, facts, zero_ns);
    };
    let order = index.frames();
    let times = index.frame_times();
    if times.is_empty() {
        return Err(Refusal::new(
            Code::DamagedMaster,
            "the video track has no frame that can be decoded",
        ));
    }
    let span = times.last().zip(times.first()).map_or(0, |(last, first)| last - first);
    if span > LONGEST_TITLE_NS {
        return Err(Refusal::new(
            Code::DamagedMaster,
            format!(
                "the video's time stamps jump: from the first frame to the last they are {} hours apart",
                span / (3600 * NS)
            ),
        ));
    }
    let cadence = cadence(&times, track.stated_rate);
    let (cadence, grid) = match (&pipeline.video, cadence) {
        (Video::Encode(_), Cadence::Variable(mean)) => steady(&times, index.last_duration_ns, mean),
        _ => (cadence, Grid::Own),
    };
    let mut video = video_renditions(pipeline, track, cadence.rate());
    let frames = grid.frames().unwrap_or(times.len() as u64);
    let (timescale, ticks) = frame_ticks(cadence, &times, index.last_duration_ns);

    let starts = match &pipeline.video {
        Video::Encode(encode) => {
            let each = cadence.rate().frames_in_ms(pipeline.segment_ms);
            let each = to_multiple(each, &video);
            if encode.trick {
                video.extend(trick(&video, u32::try_from(each).unwrap_or(u32::MAX)));
            }
            encoded_starts(frames, each, &ticks, timescale)
        }
        Video::Copy => copied_starts(index, &order, &ticks, timescale, pipeline.segment_ms)?,
    };
    let segments = lay_out(&starts, frames, &ticks);
    if let Video::Encode(_) = pipeline.video {
        let own = Own { track, index, order: &order, grid: &grid, segments: &segments };
        let seconds = times.len() as f64 / cadence.rate().as_f64();
        video.iter_mut().for_each(|rendition| rendition.copy &= own.fits(rendition, seconds));
    }
    let pictures = match &pipeline.video {
        Video::Encode(encode) if encode.pictures => {
            let frame = |s: &SegmentPlan| grid.of_master(s.first_frame..s.first_frame + 1).0.start;
            let shown = segments.iter().filter_map(|s| times.get(frame(s)).copied());
            pictures(&video, shown.collect())
        }
        _ => None,
    };
    let span_segments = match (&pipeline.video, index.basis) {
        (Video::Encode(_), Basis::Parsed) => pipeline.span_segments.max(1),
        // Without an index there is no place to start but the beginning; and copying is one read of the file.
        (Video::Copy, _) | (_, Basis::Decoded) => u32::MAX,
    };
    // What nobody knows is taken for what most of television is.
    let fields = track.interlaced.then(|| track.fields.unwrap_or(Fields::TopFirst));
    // A line that is missing in a field is looked for in the fields before and after.
    let around = usize::from(fields.is_some());
    let spans =
        cut_spans(&segments, span_segments, &Frames { index, order: &order, grid, around }, &ticks);

    let delay = match pipeline.video {
        Video::Encode(_) => {
            // Of the rendition whose frames are furthest apart.
            let every = video.iter().filter(|v| !v.trick).map(|v| v.every).max().unwrap_or(1);
            let encoded = u64::from(ticks.of(0)) * u64::from(every) * REORDERED_FRAMES;
            match video.iter().any(|v| v.copy) {
                true => encoded.max(copied_delay(index, &order, &ticks)),
                false => encoded,
            }
        }
        Video::Copy => copied_delay(index, &order, &ticks),
    };
    let ends: Vec<MediaTime> =
        segments.iter().map(|s| MediaTime { ticks: s.start + s.ticks, timescale }).collect();
    let audio = audio_renditions(facts, &pipeline.audio, &ends, zero_ns);
    let text = text_renditions(facts, zero_ns);
    Ok(Plan {
        master,
        pipeline: pipeline.clone(),
        engine: engine.to_owned(),
        cadence,
        timescale,
        frames,
        delay,
        segments,
        spans,
        delivery: facts.delivery.clone(),
        sources: facts.sources.clone(),
        stream: track.stream.clone(),
        orientation: track.orientation,
        fields,
        colour: match pipeline.video {
            Video::Encode(_) => Some(track.colour.or_usual(track.width, track.height)),
            Video::Copy => None,
        },
        peak: track.peak(),
        captions: track.captions,
        mastering: track.mastering,
        light: track.light,
        coded: Some((track.width, track.height)),
        stride: frames::stride(&video),
        video,
        audio,
        text,
        pictures,
        base: None,
    })
}

/// The video renditions that a pipeline makes of a track, largest first, where the title has this frame rate.
pub fn video_renditions(
    pipeline: &Pipeline,
    track: &VideoTrack,
    rate: FrameRate,
) -> Vec<VideoRendition> {
    let coded = (track.width, track.height);
    match &pipeline.video {
        Video::Encode(encode) => {
            let swaps = track.orientation.swaps_sides();
            let picture = Picture::of(coded, track.sample_aspect, swaps);
            resolve(&encode.ladder, picture, rate, track.colour.dynamic_range())
        }
        Video::Copy => vec![copied_rendition(track.width, track.height)],
    }
}

/// A master's own video, beside the segments of its title.
struct Own<'a> {
    track: &'a VideoTrack,
    index: &'a Index,
    /// The units of its frames in order of presentation.
    order: &'a [u32],
    grid: &'a Grid,
    segments: &'a [SegmentPlan],
}

impl Own<'_> {
    /// Whether it can be a rendition as it is: what it is like, and that each segment begins with a key after which nothing
    /// of before it is shown.
    fn fits(&self, rendition: &VideoRendition, seconds: f64) -> bool {
        let track = self.track;
        let colour = track.colour.or_usual(track.width, track.height);
        let is_alike = track.media_type == "video/x-h264"
            && (track.width, track.height) == (rendition.width, rendition.height)
            && track.sample_aspect.0 == track.sample_aspect.1
            && track.orientation == Orientation::Upright
            && !track.interlaced
            && track.bit_depth.is_none_or(|bits| bits == 8)
            && colour == colour.as_sdr()
            && rendition.every == 1;
        let bits = self.index.units.iter().map(|unit| f64::from(unit.size) * 8.0).sum::<f64>();
        is_alike
            && bits / seconds.max(1.0) <= f64::from(rendition.max_kbps) * 1000.0
            && self.index.basis == Basis::Parsed
            && matches!(self.grid, Grid::Own)
            && self.begins_closed()
    }

    fn begins_closed(&self) -> bool {
        let mut starts = self.segments.iter().map(|s| s.first_frame).peekable();
        // Largest unit number among the frames shown so far: a closed key is decoded after all of them.
        let mut latest = None;
        for (n, unit) in (0u64..).zip(self.order) {
            if starts.next_if_eq(&n).is_some() {
                let is_key = self.index.units.get(*unit as usize).is_some_and(|u| u.key && !u.open);
                if !is_key || latest.is_some_and(|latest| latest > *unit) {
                    return false;
                }
            }
            latest = latest.max(Some(*unit));
        }
        starts.next().is_none()
    }
}

#[cfg(test)]
pub(crate) mod tests;
