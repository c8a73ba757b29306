//! Reads `[video]`: what becomes of the picture, and its ladder.

use std::collections::BTreeMap;

use headwater_model::pipeline::{Codec, CodecEncode, Rung, Video, VideoEncode};

use super::rates::{HIGHEST, floor_kbps, level};
use super::{copies, encoders};
use crate::document::{Field, Section};

/// Keys of `[video]`.
pub(super) const KEYS: &[&str] = &[
    "mode",
    "encoders",
    "preset",
    "h265",
    "av1",
    "vp9",
    "gop_seconds",
    "span_segments",
    "trick",
    "pictures",
    "ladder",
];

/// Keys of a rung of the ladder.
pub(super) const RUNG_KEYS: &[&str] = &[
    "name",
    "codec",
    "long_side",
    "short_side",
    "crf",
    "max_kbps",
    "buffer_kbit",
    "max_fps",
    "hdr",
    "copy",
];

/// GStreamer factories that take capped CRF and give the same bytes every time (R1).
pub(super) const ENCODERS: &[&str] = &["x264enc"];

/// Those of the other codecs, and the key that says how much work they put into a frame.
const OTHERS: [(Codec, &[&str], &str); 3] = [
    (Codec::H265, &["x265enc"], "preset"),
    (Codec::Av1, &["av1enc"], "speed"),
    (Codec::Vp9, &["vp9enc"], "speed"),
];

/// `cpu-used` of libaom and libvpx: quicker, the higher it is.
const SPEEDS: std::ops::RangeInclusive<u32> = 0..=8;

/// All codecs of a rung.
const CODECS: [Codec; 4] = [Codec::H264, Codec::H265, Codec::Av1, Codec::Vp9];

/// x264's presets, quickest first.
pub(super) const PRESETS: &[&str] = &[
    "ultrafast",
    "superfast",
    "veryfast",
    "faster",
    "fast",
    "medium",
    "slow",
    "slower",
    "veryslow",
    "placebo",
];

/// Shortest time between IDR frames in milliseconds: below it most of the bits go into IDR frames.
const SHORTEST_GOP_MS: u32 = 500;

/// Time between IDR frames in seconds; the longest is the longest segment.
const GOP_SECONDS: std::ops::RangeInclusive<f64> = SHORTEST_GOP_MS as f64 / 1000.0..=10.0;

/// Segments in a span: more than 100 would leave a title of ten minutes on one worker, and lose as much when it dies.
const SPAN_SEGMENTS: std::ops::RangeInclusive<u32> = 1..=100;

/// All rungs are encoded at once from one decode, and each holds an encoder with its look-ahead in memory.
const MAX_RUNGS: usize = 16;

/// A rung's name is part of every object key and of paths on people's disks.
const MAX_RUNG_NAME: usize = 32;

/// Shortest side in pixels: one macroblock, the least that H.264 codes.
const LEAST_SIDE: u32 = 16;

/// Longest side in pixels: more than the longest that any level of H.264 allows, so that `level` gives the reason.
const MOST_SIDE: u32 = 16_384;

/// Below 1, x264 codes without loss in a profile (High 4:4:4 Predictive) that players do not have.
const CRF: std::ops::RangeInclusive<f64> = 1.0..=51.0;

/// What AV1 and VP9 have in its place, `cq-level`.
const QUALITY: std::ops::RangeInclusive<f64> = 1.0..=63.0;

/// Most frames per second of a rung: what is below is not smooth any more, and no master that people can tell from one
/// of 120 is faster.
const MAX_FPS: std::ops::RangeInclusive<f64> = 15.0..=120.0;

/// What `[video]` says.
pub(super) struct VideoPlan {
    /// What becomes of the picture.
    pub(super) video: Video,
    /// Time between IDR frames in milliseconds.
    pub(super) gop_ms: u32,
    /// Segments in a span.
    pub(super) span_segments: u32,
}

/// Reads the section. `segment_ms` is `None` when that value was rejected.
pub(super) fn read(section: &Section<'_>, segment_ms: Option<u32>) -> Option<VideoPlan> {
    if copies(section)? {
        // Neither has a meaning for a copy; fixed values keep them out of what tells pipelines apart.
        return Some(VideoPlan { video: Video::Copy, gop_ms: segment_ms?, span_segments: 1 });
    }
    let encoders = encoders(section, ENCODERS);
    let preset = section
        .need("preset", "add `preset = \"fast\"`")
        .and_then(|f| f.one_of(PRESETS, "preset of x264"));
    let others = others(section);
    let gop_ms =
        section.need("gop_seconds", "add `gop_seconds = 2`").and_then(|f| gop_ms(&f, segment_ms));
    let span_segments = section
        .need("span_segments", "add `span_segments = 10`")
        .and_then(|f| f.whole(SPAN_SEGMENTS, "10 segments make spans of about a minute"));
    let ladder = section
        .need("ladder", "add a rung: `[[video.ladder]]`")
        .and_then(|f| ladder(&f, segment_ms, others.as_ref()));
    let wish = |key: &str| match section.get(key) {
        Some(field) => field.boolean(),
        None => Some(false),
    };
    let (trick, pictures) = (wish("trick"), wish("pictures"));
    Some(VideoPlan {
        video: Video::Encode(VideoEncode {
            encoders: encoders?,
            preset: preset?.to_owned(),
            others: others?,
            ladder: ladder?,
            trick: trick?,
            pictures: pictures?,
        }),
        gop_ms: gop_ms?,
        span_segments: span_segments?,
    })
}

/// How codecs beside H.264 are encoded, each in a section of its own.
fn others(section: &Section<'_>) -> Option<BTreeMap<Codec, CodecEncode>> {
    let mut found = BTreeMap::new();
    let mut all_good = true;
    for (codec, factories, key) in OTHERS {
        let Some(field) = section.get(codec.name()) else { continue };
        let read = field.section(&["encoders", key]).and_then(|own| {
            let encoders = encoders(&own, factories);
            let effort = match codec {
                Codec::H264 | Codec::H265 => own
                    .need(key, "add `preset = \"fast\"`")
                    .and_then(|f| f.one_of(PRESETS, "preset of x265"))
                    .map(str::to_owned),
                Codec::Av1 | Codec::Vp9 => own
                    .need(key, "add `speed = 5`")
                    .and_then(|f| f.whole(SPEEDS, "0 is best, 8 quickest"))
                    .map(|speed| speed.to_string()),
            };
            Some(CodecEncode { encoders: encoders?, effort: effort? })
        });
        all_good &= read.is_some();
        found.extend(read.map(|encode| (codec, encode)));
    }
    all_good.then_some(found)
}

fn gop_ms(field: &Field<'_>, segment_ms: Option<u32>) -> Option<u32> {
    let gop_ms =
        field.seconds_as_ms(GOP_SECONDS, "an IDR frame every 2 s lets players seek well")?;
    let Some(segment_ms) = segment_ms else { return Some(gop_ms) };
    let segment = f64::from(segment_ms) / 1000.0;
    if gop_ms > segment_ms {
        let hint =
            "every segment starts with an IDR frame, so a GOP ends with its segment".to_owned();
        let message = format!("{field} is longer than segment_seconds = {segment}");
        field.reject(message, Some(hint));
        return None;
    }
    if segment_ms % gop_ms != 0 {
        let message = format!("{field} does not divide segment_seconds = {segment}");
        let hint = match (SHORTEST_GOP_MS..gop_ms).rev().find(|ms| segment_ms % ms == 0) {
            Some(ms) => format!("use {}, or change the segment", f64::from(ms) / 1000.0),
            None => "the last GOP of every segment would be cut short".to_owned(),
        };
        field.reject(message, Some(hint));
        return None;
    }
    Some(gop_ms)
}

fn ladder(
    field: &Field<'_>,
    segment_ms: Option<u32>,
    others: Option<&BTreeMap<Codec, CodecEncode>>,
) -> Option<Vec<Rung>> {
    let items = field.items()?;
    if items.is_empty() {
        let hint = "add at least one rung".to_owned();
        field.reject("the ladder is empty".to_owned(), Some(hint));
    }
    if let Some(item) = items.get(MAX_RUNGS) {
        let hint = "every rung costs each worker an encoder's memory".to_owned();
        item.reject(format!("the ladder has more than {MAX_RUNGS} rungs"), Some(hint));
    }
    let mut rungs: Vec<Rung> = Vec::new();
    let mut all_good = true;
    for item in items {
        let rung = item.section(RUNG_KEYS).and_then(|s| rung(&s, segment_ms, &rungs));
        let unknown = |rung: &Rung| {
            rung.codec != Codec::H264 && others.is_some_and(|o| !o.contains_key(&rung.codec))
        };
        if let Some(rung) = rung.as_ref().filter(|rung| unknown(rung)) {
            let hint = format!("add a section `[video.{}]` with its encoders", rung.codec.name());
            item.reject(
                format!("`{}` is {}, which nothing encodes", rung.name, rung.codec),
                Some(hint),
            );
        }
        all_good &= rung.is_some();
        rungs.extend(rung);
    }
    if all_good && !rungs.is_empty() && rungs.iter().all(|rung| rung.hdr) {
        let hint = "add at least one rung without `hdr`".to_owned();
        field.reject(
            "the ladder has nothing for screens and masters without high dynamic range".to_owned(),
            Some(hint),
        );
        return None;
    }
    all_good.then_some(rungs)
}

/// Reads a rung; `before` are those that stand before it.
fn rung(section: &Section<'_>, segment_ms: Option<u32>, before: &[Rung]) -> Option<Rung> {
    let name = section.need("name", "add `name = \"720p\"`").and_then(|f| name(&f, before));
    let codec = match section.get("codec") {
        Some(field) => {
            let known = CODECS.map(Codec::name);
            let name = field.one_of(&known, "codec that this build encodes")?;
            CODECS.into_iter().find(|codec| codec.name() == name)?
        }
        None => Codec::H264,
    };
    // Each codec has a ladder of its own, and so has high dynamic range.
    let is_hdr = section.get("hdr").and_then(|field| field.boolean()).unwrap_or(false);
    let alike = |r: &&Rung| (r.codec, r.hdr) == (codec, is_hdr);
    let larger: Vec<Rung> = before.iter().filter(alike).cloned().collect();
    let larger = larger.as_slice();
    let long_side = section
        .need("long_side", "the longer side of the box in pixels: add `long_side = 1280`")
        .and_then(|f| side(&f));
    let short_side = section
        .need("short_side", "the shorter side of the box in pixels: add `short_side = 720`")
        .and_then(|f| side(&f));
    let sides = long_side.zip(short_side).and_then(|sides| size(section, codec, sides, larger));
    let crf = section.need("crf", "add `crf = 23`").and_then(|f| match codec {
        Codec::H264 | Codec::H265 => {
            f.number(CRF, "18 is near to the master, 23 usual, 28 visibly coarse")
        }
        Codec::Av1 | Codec::Vp9 => {
            f.number(QUALITY, "20 is near to the master, 32 usual, 45 visibly coarse")
        }
    });
    let max_kbps = section
        .need("max_kbps", "the cap in kbit/s: look at the README for Apple's table")
        .and_then(|f| max_kbps(&f, codec, sides, larger));
    let buffer_kbit = section
        .need("buffer_kbit", "usual is `max_kbps` for one second, twice that for two")
        .and_then(|f| buffer_kbit(&f, codec, sides, max_kbps, segment_ms));
    let max_fps = match section.get("max_fps") {
        Some(field) => {
            let hint = "30 halves what has 50, 59.94 or 60 frames per second";
            Some(field.number(MAX_FPS, hint)?)
        }
        None => None,
    };
    let (long_side, short_side) = sides?;
    let hdr = hdr(section, codec);
    let copy = copy(section, codec);
    Some(Rung {
        name: name?,
        codec,
        long_side,
        short_side,
        crf: crf?,
        max_kbps: max_kbps?,
        buffer_kbit: buffer_kbit?,
        max_fps,
        hdr: hdr?,
        copy: copy?,
    })
}

/// Whether a rung is the master's own video where that fits.
fn copy(section: &Section<'_>, codec: Codec) -> Option<bool> {
    let Some(field) = section.get("copy") else { return Some(false) };
    let copy = field.boolean()?;
    if copy && codec != Codec::H264 {
        let hint = "only H.264 is copied".to_owned();
        field.reject(format!("{field}, but the rung is {codec}"), Some(hint));
        return None;
    }
    Some(copy)
}

/// Whether a rung keeps high dynamic range, which H.264 has no profile for that players decode.
fn hdr(section: &Section<'_>, codec: Codec) -> Option<bool> {
    let Some(field) = section.get("hdr") else { return Some(false) };
    let hdr = field.boolean()?;
    if hdr && codec != Codec::H265 {
        let hint = "add `codec = \"h265\"`".to_owned();
        field.reject(
            format!("{field}, but the rung is {codec}: only H.265 is encoded with 10 bits"),
            Some(hint),
        );
        return None;
    }
    Some(hdr)
}

fn name(field: &Field<'_>, larger: &[Rung]) -> Option<String> {
    let name = field.text()?;
    let usable = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    if name.is_empty() || name.len() > MAX_RUNG_NAME || !name.bytes().all(usable) {
        let hint = format!("use 1 to {MAX_RUNG_NAME} of a-z, 0-9 and -: it becomes a folder");
        field.reject(format!("`{name}` cannot name a rung"), Some(hint));
        return None;
    }
    if larger.iter().any(|r| r.name == name) {
        field.reject(format!("two rungs are named `{name}`"), None);
        return None;
    }
    Some(name.to_owned())
}

fn side(field: &Field<'_>) -> Option<u32> {
    let side = field.whole(LEAST_SIDE..=MOST_SIDE, "sides are in pixels")?;
    if side % 2 == 1 {
        let hint = format!("4:2:0 video has even sides: {}", side - 1);
        field.reject(format!("{field} is odd"), Some(hint));
        return None;
    }
    Some(side)
}

/// Checks the two sides of a rung against each other, the levels of H.264 and the rung before.
fn size(
    section: &Section<'_>,
    codec: Codec,
    sides: (u32, u32),
    larger: &[Rung],
) -> Option<(u32, u32)> {
    let (long, short) = sides;
    let reject = |key: &str, message: String, hint: String| {
        if let Some(field) = section.get(key) {
            field.reject(message, Some(hint));
        }
        None
    };
    if long < short {
        let hint = "boxes turn with the picture: portrait needs no rungs of its own".to_owned();
        return reject(
            "long_side",
            format!("long_side = {long} is less than short_side = {short}"),
            hint,
        );
    }
    if level(codec, long, short).is_none() {
        let (highest, largest) =
            if codec == Codec::H264 { ("5.2", "4096x2304") } else { ("6.2", "7680x4320") };
        let message =
            format!("{codec} has no level up to {highest} for a picture of {long}x{short}");
        return reject("long_side", message, format!("{largest} is the largest 16:9 picture"));
    }
    let Some(before) = larger.last() else { return Some(sides) };
    if let Some(same) = larger.iter().find(|r| (r.long_side, r.short_side) == sides) {
        let message = format!("`{}` has the same size, {long}x{short}", same.name);
        let hint = "a picture would fill only one of the two: remove the other".to_owned();
        return reject("long_side", message, hint);
    }
    if long > before.long_side || short > before.short_side {
        let message = format!(
            "{long}x{short} comes after `{}`, {}x{}, and is not smaller",
            before.name, before.long_side, before.short_side
        );
        return reject("long_side", message, "sort the ladder, largest rung first".to_owned());
    }
    Some(sides)
}

fn max_kbps(
    field: &Field<'_>,
    codec: Codec,
    sides: Option<(u32, u32)>,
    larger: &[Rung],
) -> Option<u32> {
    let max_kbps =
        field.whole(1..=HIGHEST, "the unit is kbit/s; level 5.2 of H.264 ends at 300000")?;
    let (long, short) = sides?;
    let level = level(codec, long, short)?;
    let floor = floor_kbps(long, short);
    if max_kbps < floor {
        let hint = format!("even the coarsest quantiser needs more: at least {floor}");
        field.reject(format!("{field} cannot be reached at {long}x{short}"), Some(hint));
        return None;
    }
    if max_kbps > level.max_kbps {
        let hint =
            format!("High profile at level {} carries at most {}", level.name, level.max_kbps);
        field.reject(format!("{field} cannot be reached at {long}x{short}"), Some(hint));
        return None;
    }
    if let Some(before) = larger.last().filter(|r| r.max_kbps <= max_kbps) {
        let message = format!(
            "{field} is not below the {} of `{}`, which is larger",
            before.max_kbps, before.name
        );
        let hint = "a smaller picture that costs as much is never the better choice".to_owned();
        field.reject(message, Some(hint));
        return None;
    }
    Some(max_kbps)
}

/// Checks the VBV buffer: half a second of the cap at least, a segment of it at most, and what the level allows.
fn buffer_kbit(
    field: &Field<'_>,
    codec: Codec,
    sides: Option<(u32, u32)>,
    max_kbps: Option<u32>,
    segment_ms: Option<u32>,
) -> Option<u32> {
    let buffer = field.whole(1..=HIGHEST, "the unit is kbit; level 5.2 of H.264 ends at 300000")?;
    let ((long, short), max_kbps, segment_ms) = (sides?, max_kbps?, segment_ms?);
    let level = level(codec, long, short)?;
    let least = max_kbps.div_ceil(2);
    if buffer < least {
        let hint = format!("IDR frames would starve; {least} is half a second of max_kbps");
        field.reject(format!("{field} is too small for max_kbps = {max_kbps}"), Some(hint));
        return None;
    }
    let segment = u64::from(max_kbps) * u64::from(segment_ms) / 1000;
    if u64::from(buffer) > segment {
        let hint = format!("a segment could cost twice the cap; {segment} is one segment of it");
        field.reject(format!("{field} is too large for max_kbps = {max_kbps}"), Some(hint));
        return None;
    }
    if buffer > level.buffer_kbit {
        let hint =
            format!("High profile at level {} has at most {}", level.name, level.buffer_kbit);
        field.reject(format!("{field} is more than players have"), Some(hint));
        return None;
    }
    Some(buffer)
}
