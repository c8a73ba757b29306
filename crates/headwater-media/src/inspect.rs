//! Looks at a master: its tracks, and the index of its first video track, in one parse-only pass (R3).

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use gstreamer as gst;
use gstreamer::prelude::*;
use gstreamer_app as gst_app;
use gstreamer_video as gst_video;
use headwater_model::index::{Basis, Index, Unit};
use headwater_model::master::MasterFacts;
use headwater_model::refusal::Code;
use headwater_packaging::language::UNDETERMINED;
use headwater_ports::transcoder::Inspection;

use crate::delivered;
use crate::error::{Error, PipelineFault};
use crate::facts::{self, Described, Kind};
use crate::frames::FrameReader;
use crate::running::{Running, cpu_ms, make};
use crate::source::{Master, Times};
use crate::stages::Stage;
use crate::tracks::{self, Mapping};
use crate::words;

/// Containers whose time stamps say exactly what a decoder will put out. Everything else is indexed by decoding it once.
const TRUSTED_CONTAINERS: [&str; 3] = ["video/quicktime", "video/x-matroska", "video/webm"];

/// Tracks in one master. A feature film in thirty languages stays well below; ten thousand tracks are an attack.
const MAX_TRACKS: usize = 128;

/// Lines and columns that a picture has at least: a block of any codec.
const SMALLEST: u32 = 8;

/// A master that ends this much before its container says it does is cut off.
const CUT_OFF_NS: i64 = 1_000_000_000;

/// What the pass collects of one track.
#[derive(Debug, Default)]
struct Track {
    caps: Option<gst::Caps>,
    orientation: Option<String>,
    language: Option<String>,
    title: Option<String>,
    timecode: Option<String>,
    units: Vec<SeenUnit>,
    /// Its place among the tracks.
    number: String,
    mapping: Arc<Mutex<Mapping>>,
    first_ns: Option<i64>,
    end_ns: i64,
    /// End of the last unit on the track's own line, shown or not.
    media_end_ns: i64,
    count: u64,
    is_video: bool,
    captions: bool,
}

impl Track {
    /// What is known of it, on a line that begins at `zero_ns`.
    fn described(&self, zero_ns: i64) -> Option<Described<'_>> {
        Some(Described {
            caps: self.caps.as_ref()?,
            stream: &self.number,
            language: self.language.as_deref(),
            title: self.title.as_deref(),
            orientation: self.orientation.as_deref(),
            start_ns: self.first_ns.unwrap_or(0) - zero_ns,
            end_ns: self.end_ns - zero_ns,
            units: self.count,
            captions: self.captions,
        })
    }
}

#[derive(Debug)]
struct SeenUnit {
    pts_ns: Option<i64>,
    stream_ns: Option<i64>,
    duration_ns: i64,
    size: u32,
    key: bool,
    /// The segment (an edit list) lets it through, and it is not an alternate reference frame.
    visible: bool,
    /// Decoders drop it when decoding starts at the key before it.
    skipped_leading: bool,
    /// An H.264 key that is no IDR.
    open: bool,
}

#[derive(Debug, Default)]
struct Seen {
    tracks: Vec<Arc<Mutex<Track>>>,
    container: Option<String>,
    too_many: bool,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Looks at `master`, and at all files of a delivery. `alive` is called now and then while that goes on.
pub(crate) fn inspect(master: &Master, mut alive: impl FnMut()) -> Result<Inspection, Error> {
    let mut found = inspect_file(master, &mut alive)?;
    delivered::add(master, &mut found, |file| inspect_file(file, &mut alive))?;
    Ok(Inspection { cpu_ms: cpu_ms(), ..found })
}

fn inspect_file(master: &Master, alive: impl FnMut()) -> Result<Inspection, Error> {
    look_through(master, alive).map_err(|error| match (&error, master.missing_part()) {
        // A demuxer says what it cannot do, and not that half of the file is missing.
        (
            Error::Pipeline { kind: PipelineFault::Damaged | PipelineFault::GaveUp, .. },
            Some(missing),
        ) => Error::refused(Code::DamagedMaster, missing),
        _ => error,
    })
}

fn look_through(master: &Master, mut alive: impl FnMut()) -> Result<Inspection, Error> {
    // A demuxer would set up all of them first, which takes minutes.
    if master.claimed_tracks() > MAX_TRACKS {
        return Err(too_many_tracks());
    }
    let seen = Arc::new(Mutex::new(Seen::default()));
    let running = Running::new("inspect");
    let parse = make("parsebin")?;
    running.chain(&[&master.element(), &parse])?;
    let pipeline = running.pipeline().downgrade();
    let collected = seen.clone();
    let edits = master.clone();
    let stage = Stage::begin("units seen");
    parse.connect_pad_added(move |_, pad| {
        let Some(pipeline) = pipeline.upgrade() else { return };
        let mut seen = lock(&collected);
        if seen.tracks.len() >= MAX_TRACKS {
            seen.too_many = true;
            return;
        }
        let track = Arc::new(Mutex::new(Track::default()));
        seen.tracks.push(track.clone());
        drop(seen);
        if let Err(error) = collect(
            &pipeline,
            pad,
            edits.times(&tracks::number(pad)),
            track,
            (collected.clone(), stage.clone()),
        ) {
            gst::element_error!(pipeline, gst::CoreError::Pad, ("a track cannot be read: {error}"));
        }
    });
    running.play()?;
    let promised = {
        let mut promised: Option<gst::ClockTime> = None;
        let mut before = 0;
        let ended = running.wait_for_end(|| {
            // Only what moves is alive: a demuxer that hangs must not look busy.
            let units = lock(&seen).tracks.iter().map(|t| lock(t).count).sum();
            if units != before {
                before = units;
                alive();
            }
            if promised.is_none() {
                promised = parse.query_duration::<gst::ClockTime>();
            }
        });
        ended.map_err(|error| match error {
            // Matroska's demuxer has no other words for a file that ends before its first track.
            Error::Pipeline { kind: PipelineFault::Stream | PipelineFault::GaveUp, .. }
                if lock(&seen).tracks.is_empty() =>
            {
                Error::refused(
                    Code::DamagedMaster,
                    "not one track of the master can be read: it is cut off or damaged",
                )
            }
            _ => error,
        })?;
        promised.or_else(|| parse.query_duration::<gst::ClockTime>())
    };
    drop(running);
    let seen = lock(&seen);
    if seen.too_many {
        return Err(too_many_tracks());
    }
    report(master, &seen, promised, alive)
}

fn too_many_tracks() -> Error {
    let message = format!("the master claims more than {MAX_TRACKS} tracks");
    Error::refused(Code::DamagedMaster, message)
}

/// Links a track's pad to a sink that notes every unit and keeps none.
fn collect(
    pipeline: &gst::Pipeline,
    pad: &gst::Pad,
    times: Times,
    track: Arc<Mutex<Track>>,
    (seen, stage): (Arc<Mutex<Seen>>, Stage),
) -> Result<(), Error> {
    let events = track.clone();
    let mapping = tracks::unclip(pad, times);
    {
        let mut track = lock(&track);
        track.number = tracks::number(pad);
        track.is_video = tracks::media_type(pad).starts_with("video/");
        track.mapping = mapping;
    }
    pad.add_probe(gst::PadProbeType::EVENT_DOWNSTREAM, move |_, info| {
        if let Some(gst::PadProbeData::Event(event)) = &info.data {
            note_event(event, &events, &seen);
        }
        gst::PadProbeReturn::Ok
    });
    let callbacks = gst_app::AppSinkCallbacks::builder()
        .new_sample(move |sink| {
            let sample = sink.pull_sample().map_err(|_| gst::FlowError::Eos)?;
            note_unit(&sample, &mut lock(&track));
            stage.done();
            Ok(gst::FlowSuccess::Ok)
        })
        .build();
    // `async=false`: with several sinks behind one demuxer, waiting for each one's first buffer can wait for ever.
    let sink = gst_app::AppSink::builder().sync(false).async_(false).callbacks(callbacks).build();
    let sink: gst::Element = sink.upcast();
    pipeline.add(&sink).map_err(|_| Error::Step("add a sink"))?;
    sink.sync_state_with_parent().map_err(|_| Error::Step("start a sink"))?;
    let target = sink.static_pad("sink").ok_or(Error::Step("find a sink's pad"))?;
    pad.link(&target).map_err(|_| Error::Step("link a track"))?;
    Ok(())
}

fn note_event(event: &gst::Event, track: &Mutex<Track>, seen: &Mutex<Seen>) {
    match event.view() {
        gst::EventView::Caps(caps) => lock(track).caps = Some(caps.caps_owned()),
        gst::EventView::Tag(tag) => {
            let tags = tag.tag();
            if let Some(container) = tags.get::<gst::tags::ContainerFormat>() {
                lock(seen).container.get_or_insert_with(|| container.get().to_owned());
            }
            let mut track = lock(track);
            if let Some(value) = tags.get::<gst::tags::ImageOrientation>() {
                track.orientation = Some(value.get().to_owned());
            }
            if let Some(value) = tags.get::<gst::tags::LanguageCode>() {
                track.language = Some(value.get().to_owned()).filter(|l| l != UNDETERMINED);
            }
            // A title that belongs to the whole file comes down every pad.
            if tags.scope() == gst::TagScope::Stream
                && let Some(value) = tags.get::<gst::tags::Title>()
            {
                track.title = Some(value.get().to_owned());
            }
        }
        _ => {}
    }
}

fn note_unit(sample: &gst::Sample, track: &mut Track) {
    let Some(buffer) = sample.buffer() else { return };
    track.count += 1;
    let ns = |t: gst::ClockTime| i64::try_from(t.nseconds()).unwrap_or(i64::MAX);
    let pts = buffer.pts();
    let duration = buffer.duration().unwrap_or(gst::ClockTime::ZERO);
    // A frame belongs to the edit that it starts in.
    let (visible, stream_ns, media_ns) = {
        let mapping = lock(&track.mapping);
        let at = |map: fn(&Mapping, gst::ClockTime) -> Option<i64>| {
            pts.and_then(|pts| map(&mapping, pts))
        };
        (pts.is_none_or(|pts| mapping.shows(pts)), at(Mapping::stream_ns), at(Mapping::media_ns))
    };
    track.media_end_ns = track.media_end_ns.max(media_ns.unwrap_or(0) + ns(duration));
    if let Some(at) = stream_ns.filter(|_| visible) {
        track.first_ns = Some(track.first_ns.map_or(at, |first| first.min(at)));
        track.end_ns = track.end_ns.max(at + ns(duration));
    }
    if track.timecode.is_none() && track.count == 1 {
        track.timecode = buffer.meta::<gst_video::VideoTimeCodeMeta>().map(|m| m.tc().to_string());
    }
    track.captions |= buffer.meta::<gst_video::VideoCaptionMeta>().is_some();
    if track.is_video {
        let kind = sample.caps().map(words::media_type).unwrap_or_default();
        let data = buffer.map_readable().ok();
        let data = data.as_deref().unwrap_or(&[]);
        track.units.push(SeenUnit {
            pts_ns: pts.map(ns),
            stream_ns,
            duration_ns: ns(duration),
            size: u32::try_from(buffer.size()).unwrap_or(u32::MAX),
            key: !buffer.flags().contains(gst::BufferFlags::DELTA_UNIT),
            skipped_leading: kind == "video/x-h265" && is_rasl(data),
            open: kind == "video/x-h264" && !has_idr(data),
            visible: visible
                && !is_hidden(&kind, data)
                && !buffer.flags().contains(gst::BufferFlags::DECODE_ONLY),
        });
    }
}

/// Whether a VP8 or VP9 frame is only a reference (RFC 6386 section 9.1, VP9 bitstream section 6.2): no picture comes
/// out of it.
fn is_hidden(media_type: &str, data: &[u8]) -> bool {
    let (Some(first), Some(last)) = (data.first(), data.last()) else { return false };
    match media_type {
        "video/x-vp8" => first & 0x10 == 0,
        "video/x-vp9" => {
            // The last frame of a superframe is shown.
            let superframe = last & 0xe0 == 0xc0;
            let profile = (first >> 5 & 1) | (first >> 4 & 1) << 1;
            let header = if profile == 3 { first << 5 } else { first << 4 };
            let (existing, shown) = (header & 0x80 != 0, header & 0x20 != 0);
            !superframe && !existing && !shown
        }
        _ => false,
    }
}

/// Whether an H.264 access unit (4-byte lengths) has an IDR picture (ITU-T H.264, table 7-1).
fn has_idr(mut data: &[u8]) -> bool {
    while let [a, b, c, d, rest @ ..] = data {
        let length = u32::from_be_bytes([*a, *b, *c, *d]) as usize;
        match rest.first().map(|header| header & 0x1f) {
            Some(kind @ 1..=5) => return kind == 5,
            Some(_) => data = rest.get(length..).unwrap_or(&[]),
            None => return false,
        }
    }
    false
}

/// Whether an HEVC access unit (4-byte lengths) is a random access skipped leading picture (ITU-T H.265, 3.126).
fn is_rasl(mut data: &[u8]) -> bool {
    while let [a, b, c, d, rest @ ..] = data {
        let length = u32::from_be_bytes([*a, *b, *c, *d]) as usize;
        match rest.first().map(|header| header >> 1 & 0x3f) {
            Some(kind @ 0..=31) => return matches!(kind, 8 | 9),
            Some(_) => data = rest.get(length..).unwrap_or(&[]),
            None => return false,
        }
    }
    false
}

/// Turns what was collected into facts and an index.
fn report(
    master: &Master,
    seen: &Seen,
    promised: Option<gst::ClockTime>,
    alive: impl FnMut(),
) -> Result<Inspection, Error> {
    let mut tracks: Vec<MutexGuard<'_, Track>> = seen.tracks.iter().map(|t| lock(t)).collect();
    tracks.sort_by(|a, b| a.number.cmp(&b.number));
    let of_kind = |kind: Kind| {
        tracks.iter().filter(move |t| t.caps.as_deref().is_some_and(|c| Kind::of(c) == kind))
    };
    let first_video = of_kind(Kind::Video).next();
    let zero_ns = match first_video {
        Some(t) => t.units.iter().filter(|u| u.visible).filter_map(|u| u.stream_ns).min(),
        None => of_kind(Kind::Audio).filter_map(|t| t.first_ns).min(),
    }
    .unwrap_or(0);
    let mut facts = MasterFacts {
        container: seen.container.clone().unwrap_or_else(|| "no container".to_owned()),
        bytes: master.bytes(),
        modified_ns: 0,
        video: of_kind(Kind::Video).filter_map(|t| facts::video(&t.described(zero_ns)?)).collect(),
        audio: of_kind(Kind::Audio)
            .filter_map(|t| facts::audio(&t.described(zero_ns)?, Some(master)))
            .collect(),
        text: of_kind(Kind::Text)
            .filter_map(|t| Some(facts::text(&t.described(zero_ns)?)))
            .collect(),
        other: of_kind(Kind::Other)
            .filter_map(|t| t.caps.as_deref())
            .map(|c| format!("other track {}", words::codec(c)))
            .collect(),
        timecode: first_video.and_then(|t| t.timecode.clone()).or_else(|| master.timecode()),
        edit_lists: master.edit_lists(),
        delivery: None,
        sources: vec![],
        flaws: vec![],
    };
    if let Some(track) = facts.video.first().filter(|t| t.decoder.is_none()) {
        let message = format!("no decoder for the video track's codec: {}", track.codec);
        return Err(Error::refused(Code::UnsupportedCodec, message));
    }
    if let Some(track) = facts.video.first().filter(|t| is_too_large(t.width, t.height)) {
        let (width, height) = (track.width, track.height);
        let message = format!("a picture of {width} × {height} samples is larger than 8K");
        return Err(Error::refused(Code::PictureTooLarge, message));
    }
    let end = tracks.iter().map(|t| t.media_end_ns.max(t.end_ns)).max().unwrap_or(0);
    if let Some(promised) =
        promised.and_then(|p| i64::try_from(p.nseconds()).ok()).filter(|p| end < p - CUT_OFF_NS)
    {
        let seconds = |ns: i64| ns as f64 / 1e9;
        return Err(Error::refused(
            Code::DamagedMaster,
            format!(
                "the master is cut off: its header promises {:.1} s, but media ends after {:.1} s",
                seconds(promised),
                seconds(end)
            ),
        ));
    }
    let nothing = Index { basis: Basis::Parsed, units: vec![], last_duration_ns: None };
    let Some(video) = first_video else {
        if let Some((picture, whole)) = master.passed_over() {
            return Err(Error::refused(
                Code::DamagedMaster,
                format!(
                    "the picture lasts {picture:.1} s of the {whole:.1} s that the master is long: one of its tracks is not whole"
                ),
            ));
        }
        return Ok(Inspection { facts, index: nothing, zero_ns, cpu_ms: cpu_ms() });
    };
    let container = container_type(&facts.container);
    let parsed = TRUSTED_CONTAINERS.contains(&container).then(|| parsed_index(video)).flatten();
    let index = match parsed {
        Some(index) => index,
        None => decoded_index(master, &video.number, alive)?,
    };
    if let (Some(track), Some(caps)) = (facts.video.first_mut(), video.caps.as_deref()) {
        facts::look_at_first_frame(master, track, caps)?;
        if track.width.min(track.height) < SMALLEST {
            let (width, height) = (track.width, track.height);
            let message = format!("a picture of {width} × {height} samples shows nothing");
            return Err(Error::refused(Code::DamagedMaster, message));
        }
    }
    Ok(Inspection { facts, index, zero_ns, cpu_ms: cpu_ms() })
}

/// Whether a picture has more samples than 8K of cinemas. A few of them wait between decoder, scaler and encoders, and a
/// small file can claim any size.
fn is_too_large(width: u32, height: u32) -> bool {
    const LARGEST: u64 = 8192 * 4320;
    u64::from(width) * u64::from(height) > LARGEST
}

fn container_type(words: &str) -> &'static str {
    let words = words.to_lowercase();
    match () {
        () if words.contains("webm") => "video/webm",
        () if words.contains("matroska") => "video/x-matroska",
        () if words.contains("quicktime")
            || words.contains("mp4")
            || words.contains("iso")
            || words.contains("3gp") =>
        {
            "video/quicktime"
        }
        () => "",
    }
}

/// The index from the parse-only pass, or `None` when the time stamps do not carry it.
fn parsed_index(track: &Track) -> Option<Index> {
    if lock(&track.mapping).kinds > 1 || track.units.iter().any(|u| u.pts_ns.is_none()) {
        return None;
    }
    let first_key = track.units.iter().position(|u| u.key)?;
    let second_key = track
        .units
        .iter()
        .skip(first_key + 1)
        .position(|u| u.key)
        .map_or(usize::MAX, |n| first_key + 1 + n);
    let units: Vec<Unit> = track
        .units
        .iter()
        .enumerate()
        .map(|(n, u)| {
            let pts_ns = u.pts_ns.unwrap_or(0);
            // Nothing can be decoded before the first key, nor what follows it and refers to pictures before it.
            let decodable = n >= first_key && !(n < second_key && u.skipped_leading);
            Unit {
                pts_ns,
                size: u.size,
                key: u.key,
                open: u.key && u.open,
                shown: u.visible && decodable,
            }
        })
        .collect();
    let mut times: Vec<i64> = units.iter().filter(|u| u.shown).map(|u| u.pts_ns).collect();
    let shown = times.len();
    times.sort_unstable();
    times.dedup();
    if times.len() != shown {
        return None;
    }
    let last = times.last()?;
    let last_duration_ns = track
        .units
        .iter()
        .find(|u| u.pts_ns == Some(*last))
        .map(|u| u.duration_ns)
        .filter(|d| *d > 0);
    Some(Index { basis: Basis::Parsed, units, last_duration_ns })
}

/// The index from decoding the whole track once.
fn decoded_index(master: &Master, stream: &str, mut alive: impl FnMut()) -> Result<Index, Error> {
    let mut reader = FrameReader::whole(master, stream)?;
    let mut units: Vec<Unit> = Vec::new();
    let mut last_duration_ns = None;
    while let Some(frame) = reader.next()? {
        let buffer = frame.buffer().ok_or(Error::Step("read a frame"))?;
        let rate =
            frame.caps().and_then(|c| gst_video::VideoInfo::from_caps(c).ok()).map(|i| i.fps());
        let step = rate
            .filter(|r| r.numer() > 0)
            .map_or(40_000_000, |r| 1_000_000_000 * i64::from(r.denom()) / i64::from(r.numer()));
        let before = units.last().map(|u| u.pts_ns);
        let pts = buffer.pts().and_then(|t| i64::try_from(t.nseconds()).ok());
        // A frame without a time, or one that goes back, comes one frame duration after the one before.
        let pts_ns = match (pts, before) {
            (Some(pts), Some(before)) if pts > before => pts,
            (Some(pts), None) => pts,
            (_, Some(before)) => before + step,
            (None, None) => 0,
        };
        last_duration_ns = buffer.duration().and_then(|t| i64::try_from(t.nseconds()).ok());
        units.push(Unit { pts_ns, size: 0, key: units.is_empty(), open: false, shown: true });
        if units.len().is_multiple_of(100) {
            alive();
        }
    }
    Ok(Index { basis: Basis::Decoded, units, last_duration_ns })
}

#[cfg(test)]
mod tests;
