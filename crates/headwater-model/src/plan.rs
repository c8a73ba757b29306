//! The plan of a title: which frames go into which segment, which segments into which span, and what every span reads.
//!
//! A plan is made once, from the index, before anything is transcoded. It is a pure function of master, pipeline and
//! engine build (R1), and everything later is counted against it.

use std::collections::BTreeSet;
use std::ops::Range;

use serde::{Deserialize, Serialize};

use crate::id::{Sha256, Version};
use crate::index::{Basis, Cadence, Index, cadence};
use crate::ladder::{Picture, VideoRendition, resolve};
use crate::master::{MasterFacts, Orientation, VideoTrack};
use crate::pipeline::{Audio, AudioEncode, Pipeline, Video};
use crate::refusal::{Code, Refusal};
use crate::task::Remake;
use crate::time::{MediaTime, NS};

/// Format of the plans that this build makes, from 1. It changes when an older build would misread a plan, so that workers
/// of both builds can share a queue during a roll: each leaves the tasks whose plans it cannot read.
pub const FORMAT: u32 = 1;

/// The oldest format that this build still reads.
pub const OLDEST_FORMAT: u32 = 1;

/// Samples in an AAC-LC frame (ISO/IEC 14496-3).
pub const AAC_FRAME: u32 = 1024;

/// Ticks per second of a title with variable cadence: MPEG's system clock / 300, fine enough for any container.
const VARIABLE_TIMESCALE: u32 = 90_000;

/// A last segment shorter than this joins the one before: a player should not fetch an object for a blink.
const SHORTEST_TAIL_MS: u32 = 1_000;

/// Frames by which x264 reorders at most: B-frames that refer to B-frames, two levels deep.
const REORDERED_FRAMES: u64 = 2;

/// RFC 8216 has no limit, but DESIGN promises segments of at most 10 s.
const LONGEST_SEGMENT_MS: u64 = 10_000;

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
    /// Which of the master's tracks is the picture: [`crate::master::VideoTrack::stream`].
    pub stream: String,
    /// How the master's picture has to be turned.
    pub orientation: Orientation,
    /// Width and height of the master's picture as it is coded: what decoding takes. Plans from before it counted have
    /// none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub coded: Option<(u32, u32)>,
    /// Video renditions, largest first.
    pub video: Vec<VideoRendition>,
    /// Audio renditions, the default first.
    pub audio: Vec<AudioRendition>,
    /// The older version that it goes back to, where only a part of the title is made again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base: Option<Base>,
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
    /// How many frames to keep.
    pub frames: u64,
}

/// One audio rendition.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AudioRendition {
    /// Its name and folder: `audio-en` or `audio-1`.
    pub name: String,
    /// Which of the master's tracks it is made from: [`crate::master::AudioTrack::stream`].
    pub stream: String,
    /// Language, when the master states one.
    pub language: Option<String>,
    /// Channels of the rendition.
    pub channels: u32,
    /// Samples per second of the rendition, which is also its timescale.
    pub sample_rate: u32,
    /// Audio frames ([`AAC_FRAME`] samples each) up to the end of every segment: boundaries lie within half an audio
    /// frame of the video's, but every segment has at least one audio frame.
    pub ends: Vec<u64>,
    /// When the presentation starts, on the clock that the master's tracks share, in nanoseconds.
    pub zero_ns: i64,
}

impl AudioRendition {
    /// The audio frames of segment `n`.
    pub fn frames_of(&self, n: usize) -> Range<u64> {
        let start = n.checked_sub(1).and_then(|before| self.ends.get(before)).copied().unwrap_or(0);
        start..self.ends.get(n).copied().unwrap_or(start)
    }
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
            pin(&mut encode.encoders);
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
        .collect();
    if let Some(unknown) = remake.renditions.iter().find(|name| !names.contains(&name.as_str())) {
        return Err(format!("there is no rendition `{unknown}`: there are {}", names.join(", ")));
    }
    let in_part = remake.from_ms.is_some() || remake.to_ms.is_some();
    let wanted = |name: &str| remake.renditions.iter().any(|wanted| wanted == name);
    let is_audio = |name: &str| plan.audio.iter().any(|audio| audio.name == name);
    // Sound is made in one piece (R3), and so only where it is asked for by name.
    let made = |name: &str| match remake.renditions.is_empty() {
        true => !(in_part && is_audio(name)),
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
    if copied.len() == plan.spans.len() {
        let length = plan.duration().rescale(1000) as f64 / 1000.0;
        return Err(format!("nothing of the title, which is {length} s long, lies in that time"));
    }
    Ok(Base { version: remake.base, kept, copied })
}

/// Makes the plan, or says why this master and this pipeline do not go together.
///
/// `index` is that of the first video track. `zero_ns` is when its first frame is presented on the clock that all tracks
/// share, in nanoseconds: the zero of the presentation.
pub fn plan(
    master: Sha256,
    pipeline: &Pipeline,
    engine: &str,
    facts: &MasterFacts,
    index: &Index,
    zero_ns: i64,
) -> Result<Plan, Refusal> {
    let Some(track) = facts.video.first() else {
        return Err(Refusal::new(
            Code::NoVideoTrack,
            format!("the master has no video track (found: {})", facts.tracks_in_words()),
        ));
    };
    if let (Audio::Encode(_), Some(track)) =
        (&pipeline.audio, facts.audio.iter().find(|a| a.decoder.is_none()))
    {
        return Err(Refusal::new(
            Code::UnsupportedCodec,
            format!("no decoder for an audio track's codec: {}", track.codec),
        ));
    }
    let order = index.frames();
    let times = index.frame_times();
    if times.is_empty() {
        return Err(Refusal::new(
            Code::DamagedMaster,
            "the video track has no frame that can be decoded",
        ));
    }
    let cadence = cadence(&times, track.stated_rate);
    let (timescale, ticks) = frame_ticks(cadence, &times, index.last_duration_ns);

    let starts = match pipeline.video {
        Video::Encode(_) => {
            encoded_starts(cadence, times.len() as u64, &ticks, timescale, pipeline.segment_ms)
        }
        Video::Copy => copied_starts(index, &order, &ticks, timescale, pipeline.segment_ms)?,
    };
    let segments = lay_out(&starts, times.len() as u64, &ticks);
    let span_segments = match (&pipeline.video, index.basis) {
        (Video::Encode(_), Basis::Parsed) => pipeline.span_segments.max(1),
        // Without an index there is no place to start but the beginning; and copying is one read of the file.
        (Video::Copy, _) | (_, Basis::Decoded) => u32::MAX,
    };
    let spans = cut_spans(&segments, span_segments, index, &order, &ticks);

    let delay = match pipeline.video {
        Video::Encode(_) => longest_run(&ticks, times.len() as u64, REORDERED_FRAMES),
        Video::Copy => copied_delay(index, &order, &ticks),
    };
    let video = video_renditions(pipeline, track);
    let ends: Vec<MediaTime> =
        segments.iter().map(|s| MediaTime { ticks: s.start + s.ticks, timescale }).collect();
    let audio = audio_renditions(facts, &pipeline.audio, &ends, zero_ns);
    Ok(Plan {
        master,
        pipeline: pipeline.clone(),
        engine: engine.to_owned(),
        cadence,
        timescale,
        frames: times.len() as u64,
        delay,
        segments,
        spans,
        stream: track.stream.clone(),
        orientation: track.orientation,
        coded: Some((track.width, track.height)),
        video,
        audio,
        base: None,
    })
}

/// The video renditions that a pipeline makes of a track, largest first.
pub fn video_renditions(pipeline: &Pipeline, track: &VideoTrack) -> Vec<VideoRendition> {
    let coded = (track.width, track.height);
    match &pipeline.video {
        Video::Encode(encode) => {
            let swaps = track.orientation.swaps_sides();
            resolve(&encode.ladder, Picture::of(coded, track.sample_aspect, swaps))
        }
        Video::Copy => vec![copied_rendition(track.width, track.height)],
    }
}

/// Timescale and duration of every frame. A whole rate such as 25 gets ticks of a millisecond or finer, so that
/// players which keep time in floating point see round numbers; 24000/1001 is exact as it is.
fn frame_ticks(
    cadence: Cadence,
    times: &[i64],
    last_duration_ns: Option<i64>,
) -> (u32, FrameTicks) {
    match cadence {
        Cadence::Constant(rate) => {
            let fine = if rate.num() < 10_000 { 1000 } else { 1 };
            (rate.num() * fine, FrameTicks::Each(rate.den() * fine))
        }
        Cadence::Variable(rate) => {
            let first = times.first().copied().unwrap_or(0);
            let tick = |ns: i64| {
                MediaTime { ticks: u64::try_from(ns - first).unwrap_or(0), timescale: NS as u32 }
                    .rescale(VARIABLE_TIMESCALE)
            };
            let mut list: Vec<u32> = times
                .windows(2)
                .map(|w| u32::try_from(tick(w[1]) - tick(w[0])).unwrap_or(u32::MAX).max(1))
                .collect();
            let last = last_duration_ns
                .filter(|ns| (1..NS).contains(ns))
                .unwrap_or_else(|| rate.frame_ns(1));
            list.push(u32::try_from(tick(first + last)).unwrap_or(1).max(1));
            (VARIABLE_TIMESCALE, FrameTicks::List(list))
        }
    }
}

/// First frames of the segments of an encoded title.
///
/// With a constant cadence a segment is `round(target × rate)` frames (R2). With a variable one, segment `k` starts at
/// the first frame shown at or after `k × target`, so that segments stay near the target however uneven the frames.
fn encoded_starts(
    cadence: Cadence,
    frames: u64,
    ticks: &FrameTicks,
    timescale: u32,
    target_ms: u32,
) -> Vec<u64> {
    let ms = |ms: u32| u64::from(ms) * u64::from(timescale) / 1000;
    let mut starts = match cadence {
        Cadence::Constant(rate) => {
            (0..frames).step_by(rate.frames_in_ms(target_ms).max(1) as usize).collect()
        }
        Cadence::Variable(_) => {
            let mut starts = vec![0];
            let (mut now, mut next) = (0, ms(target_ms));
            for n in 0..frames {
                if now >= next {
                    starts.push(n);
                    next = (now / ms(target_ms) + 1) * ms(target_ms);
                }
                now += u64::from(ticks.of(n));
            }
            starts
        }
    };
    if let [.., _, last] = starts[..] {
        let tail: u64 = (last..frames).map(|n| u64::from(ticks.of(n))).sum();
        if tail < ms(SHORTEST_TAIL_MS) {
            starts.pop();
        }
    }
    starts
}

/// First frames of the segments of a title whose video is copied: the first key at or after each multiple of the
/// target. A key whose leading pictures are shown before it cannot start a segment.
fn copied_starts(
    index: &Index,
    order: &[u32],
    ticks: &FrameTicks,
    timescale: u32,
    target_ms: u32,
) -> Result<Vec<u64>, Refusal> {
    let refuse = |why: String| Refusal::new(Code::PipelineMismatch, why);
    if index.basis == Basis::Decoded {
        return Err(refuse(
            "the video cannot be copied: its time stamps are not usable".to_owned(),
        ));
    }
    let limit = LONGEST_SEGMENT_MS * u64::from(timescale) / 1000;
    let target = (u64::from(target_ms) * u64::from(timescale) / 1000).max(1);
    let mut starts = vec![0];
    let (mut now, mut started, mut next) = (0, 0, target);
    // Largest unit number among the frames shown so far: a closed key is decoded after all of them.
    let mut latest_unit = 0;
    for (n, unit) in (0u64..).zip(order) {
        let closed_key = index.units.get(*unit as usize).is_some_and(|u| u.key && !u.open)
            && (n == 0 || *unit > latest_unit);
        if n == 0 && !closed_key {
            return Err(refuse(
                "the video cannot be copied: it does not start with a key frame".to_owned(),
            ));
        }
        if closed_key && now >= next {
            starts.push(n);
            started = now;
            next = (now / target + 1) * target;
        }
        latest_unit = latest_unit.max(*unit);
        now += u64::from(ticks.of(n));
        if now - started > limit {
            let at = MediaTime { ticks: started, timescale }.seconds();
            return Err(refuse(format!(
                "the video cannot be copied: no closed key frame for more than 10 s after {at:.3} s; transcode it instead"
            )));
        }
    }
    Ok(starts)
}

/// Ticks of the longest `run` of consecutive frames.
fn longest_run(ticks: &FrameTicks, frames: u64, run: u64) -> u64 {
    match ticks {
        FrameTicks::Each(each) => u64::from(*each) * run,
        FrameTicks::List(_) => {
            let sum = |first: u64| (first..first + run).map(|n| u64::from(ticks.of(n))).sum();
            (0..frames).map(sum).max().unwrap_or(0)
        }
    }
}

/// How far a master reorders its own frames: the most by which any frame is decoded after its place in the order of
/// presentation.
fn copied_delay(index: &Index, order: &[u32], ticks: &FrameTicks) -> u64 {
    let mut starts = Vec::with_capacity(order.len());
    let mut place = vec![None; index.units.len()];
    let mut now = 0u64;
    for (n, unit) in (0u64..).zip(order) {
        starts.push(now);
        now += u64::from(ticks.of(n));
        if let Some(place) = place.get_mut(*unit as usize) {
            *place = starts.last().copied();
        }
    }
    place
        .iter()
        .flatten()
        .zip(&starts)
        .map(|(shown, slot)| slot.saturating_sub(*shown))
        .max()
        .unwrap_or(0)
}

fn lay_out(starts: &[u64], frames: u64, ticks: &FrameTicks) -> Vec<SegmentPlan> {
    let ends = starts.iter().skip(1).copied().chain([frames]);
    let mut start = 0;
    starts
        .iter()
        .zip(ends)
        .map(|(first_frame, end)| {
            let length: u64 = (*first_frame..end).map(|n| u64::from(ticks.of(n))).sum();
            let frames = u32::try_from(end - first_frame).unwrap_or(u32::MAX);
            let segment = SegmentPlan { first_frame: *first_frame, frames, start, ticks: length };
            start += length;
            segment
        })
        .collect()
}

/// Cuts segments into as few runs of at most `most` as it takes, all as long as each other give or take one: a worker
/// with a short last span would wait for the others.
fn share_out(segments: &[SegmentPlan], most: u32) -> impl Iterator<Item = &[SegmentPlan]> {
    let runs = segments.len().div_ceil(usize::try_from(most).unwrap_or(usize::MAX).max(1));
    let start = move |n: usize| n * segments.len() / runs;
    (0..runs).map(move |n| segments.get(start(n)..start(n + 1)).unwrap_or(&[]))
}

fn cut_spans(
    segments: &[SegmentPlan],
    span_segments: u32,
    index: &Index,
    order: &[u32],
    ticks: &FrameTicks,
) -> Vec<SpanPlan> {
    let mut first_segment = 0;
    share_out(segments, span_segments)
        .map(|chunk| {
            let first = chunk.first().map_or(0, |s| s.first_frame);
            let frames: u64 = chunk.iter().map(|s| u64::from(s.frames)).sum();
            let run = &order[first as usize..(first + frames) as usize];
            let units = index.units_for(run);
            let pts = |n: Option<&u32>| {
                n.and_then(|n| index.units.get(*n as usize)).map_or(0, |u| u.pts_ns)
            };
            let start = index.units.get(units.start as usize);
            let span = SpanPlan {
                first_segment,
                segments: chunk.len() as u32,
                read: SpanRead {
                    basis: index.basis,
                    first_unit: units.start,
                    first_unit_pts_ns: start.map_or(0, |u| u.pts_ns),
                    first_unit_size: start.map_or(0, |u| u.size),
                    units: units.len() as u32,
                    first_frame_pts_ns: pts(run.first()),
                    last_frame_pts_ns: pts(run.last()),
                    frames,
                },
                ticks: match ticks {
                    FrameTicks::Each(each) => FrameTicks::Each(*each),
                    FrameTicks::List(list) => {
                        FrameTicks::List(list[first as usize..(first + frames) as usize].to_vec())
                    }
                },
            };
            first_segment += chunk.len() as u32;
            span
        })
        .collect()
}

fn copied_rendition(width: u32, height: u32) -> VideoRendition {
    VideoRendition {
        name: format!("video-{height}p"),
        width,
        height,
        crf: 0.0,
        max_kbps: 0,
        buffer_kbit: 0,
    }
}

/// One rendition for every audio track, named after its language where that is unique.
fn audio_renditions(
    facts: &MasterFacts,
    audio: &Audio,
    ends: &[MediaTime],
    zero_ns: i64,
) -> Vec<AudioRendition> {
    let mut renditions: Vec<AudioRendition> = Vec::new();
    for (track, a) in (0u32..).zip(&facts.audio) {
        let (channels, sample_rate) = match audio {
            Audio::Encode(AudioEncode { channels, sample_rate, .. }) => {
                (a.channels.clamp(1, *channels), *sample_rate)
            }
            Audio::Copy => (a.channels, a.sample_rate),
        };
        // `und` says nothing: such a track is known by its number.
        let language = a
            .language
            .clone()
            .filter(|l| l != "und" && l.chars().all(|c| c.is_ascii_alphanumeric() || c == '-'));
        let by_language = language.as_ref().map(|l| format!("audio-{}", l.to_lowercase()));
        let name = by_language
            .filter(|name| renditions.iter().all(|r| &r.name != name))
            .unwrap_or_else(|| format!("audio-{}", track + 1));
        renditions.push(AudioRendition {
            name,
            stream: a.stream.clone(),
            language,
            channels,
            sample_rate,
            ends: audio_ends(ends, sample_rate),
            zero_ns,
        });
    }
    renditions
}

/// Audio frames up to each of these times, rounded half up. They increase strictly: a video segment that is shorter than
/// an audio frame, as of a title of one picture, still gets a whole one, since a segment without samples cannot be
/// written.
fn audio_ends(ends: &[MediaTime], sample_rate: u32) -> Vec<u64> {
    let frame = u64::from(AAC_FRAME);
    let mut before = 0;
    ends.iter()
        .map(|end| {
            before = ((end.rescale(sample_rate) + frame / 2) / frame).max(before + 1);
            before
        })
        .collect()
}

#[cfg(test)]
pub(crate) mod tests;
