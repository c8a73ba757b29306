//! Reads init segments and media segments back, believing nothing: sizes must add up to the last byte.
//!
//! What is read is exactly what CMAF and this crate allow: one track, one fragment, samples right behind `moof`.
//! Anything else is an error, never a panic, whatever the bytes are.

use headwater_model::colour::Colour;
use mp4_atom::{Atom, Audio, Colr, Decode, ElstEntry, FourCC, Header, Visual};

use super::segment::DELTA_FLAGS;
use super::{Error, TRACK_ID, VideoConfig, codec_string_aac};

/// What an init segment says about its track.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InitFacts {
    /// Ticks per second.
    pub timescale: u32,
    /// Ticks that the edit list takes off every presentation time.
    pub delay: u64,
    /// Codec string, such as `avc1.64001f` (RFC 6381).
    pub codec: String,
    /// Language as ISO 639-2/T, `und` when not known.
    pub language: String,
    /// Video or audio, by its handler and its sample entry.
    pub track: Track,
}

/// What kind of track, and the facts that only this kind has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Track {
    /// Handler `vide`.
    Video {
        /// Coded picture width.
        width: u32,
        /// Coded picture height.
        height: u32,
    },
    /// Handler `soun`.
    Audio {
        /// Samples per second; 0 when that is more than 65,535.
        sample_rate: u32,
        /// Channels.
        channels: u32,
    },
}

/// What a media segment really contains.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SegmentFacts {
    /// Sequence number of its fragment.
    pub sequence: u32,
    /// When its first sample is decoded (`tfdt`), in ticks.
    pub start: u64,
    /// Sum of its samples' durations, in ticks.
    pub ticks: u64,
    /// How many samples it has.
    pub samples: u32,
    /// Whether decoding can start with its first sample.
    pub starts_with_key: bool,
    /// When the sample that is presented first is presented, in ticks, before the edit list takes the delay off.
    pub earliest: u64,
}

/// One box among its siblings.
struct Found<'a> {
    kind: FourCC,
    /// Where it starts, counted from the start of its first sibling.
    start: usize,
    /// What is in it.
    body: &'a [u8],
}

/// The boxes that `bytes` consist of, to the last byte. Nothing comes after an error.
fn boxes(bytes: &[u8]) -> impl Iterator<Item = Result<Found<'_>, Error>> {
    let mut start = 0;
    std::iter::from_fn(move || {
        let rest = bytes.get(start..).filter(|rest| !rest.is_empty())?;
        let found = first_box(rest, start);
        start = match &found {
            Ok((_, size)) => start + size,
            Err(_) => bytes.len(),
        };
        Some(found.map(|(found, _)| found))
    })
}

/// The box that `bytes`, which start at `start`, begin with, and its size.
fn first_box(bytes: &[u8], start: usize) -> Result<(Found<'_>, usize), Error> {
    let there = bytes.len() as u64;
    let cut_off = |kind: String, expected| Error::CutOff { kind, expected, found: there };
    let mut after = bytes;
    // A header has 8 bytes, or 16 when the size needs 64 bits: at least one more than there are.
    let header = Header::decode(&mut after)
        .map_err(|_| cut_off("?".to_owned(), (there + 1).next_multiple_of(8)))?;
    let kind = name(header.kind);
    let Some(size) = header.size else {
        return Err(Error::Contradiction(format!("box `{kind}` does not say its size")));
    };
    let header_size = bytes.len() - after.len();
    let Some(body) = after.get(..size) else {
        return Err(cut_off(kind, (header_size as u64).saturating_add(size as u64)));
    };
    Ok((Found { kind: header.kind, start, body }, header_size + size))
}

/// Four characters that may be any bytes, for people.
fn name(kind: FourCC) -> String {
    <[u8; 4]>::from(kind).escape_ascii().to_string()
}

/// The content of the one child of this kind; more than one is an error.
fn child<'a>(parent: &'a [u8], kind: &[u8; 4]) -> Result<&'a [u8], Error> {
    optional_child(parent, kind)?.ok_or_else(|| Error::Missing(name(kind.into())))
}

fn optional_child<'a>(parent: &'a [u8], kind: &[u8; 4]) -> Result<Option<&'a [u8]>, Error> {
    let mut only = None;
    for found in boxes(parent) {
        let found = found?;
        if found.kind == kind.into() && only.replace(found.body).is_some() {
            return Err(Error::Contradiction(format!(
                "there is more than one box `{}`",
                name(found.kind)
            )));
        }
    }
    Ok(only)
}

/// Decodes the one child of this type, which has no children of its own and must be used up.
fn leaf<T: Atom>(parent: &[u8]) -> Result<T, Error> {
    let mut body = child(parent, &T::KIND.into())?;
    let decoded = T::decode_body(&mut body).map_err(failed(T::KIND))?;
    if body.is_empty() {
        Ok(decoded)
    } else {
        Err(failed(T::KIND)(mp4_atom::Error::UnderDecode(T::KIND)))
    }
}

fn failed(kind: FourCC) -> impl Fn(mp4_atom::Error) -> Error {
    move |source| Error::Read { kind: name(kind), source }
}

/// Fails unless the box is of this kind.
fn expect(found: &Found<'_>, kind: &[u8; 4], place: &'static str) -> Result<(), Error> {
    if found.kind == kind.into() {
        Ok(())
    } else {
        Err(Error::Unexpected { kind: name(found.kind), place })
    }
}

/// What an init segment says.
///
/// # Errors
/// When it is not exactly one `ftyp` and one `moov` with one track of video or AAC audio that can be packaged, set up for fragments, or
/// when an edit list does anything but skip a start.
pub fn read_init(bytes: &[u8]) -> Result<InitFacts, Error> {
    let parts = boxes(bytes).collect::<Result<Vec<_>, _>>()?;
    let place = "an init segment";
    let [ftyp, moov] = &parts[..] else {
        return Err(match parts.get(2) {
            Some(third) => Error::Unexpected { kind: name(third.kind), place },
            None => Error::Missing("moov".to_owned()),
        });
    };
    expect(ftyp, b"ftyp", place)?;
    expect(moov, b"moov", place)?;

    let trex: mp4_atom::Trex = leaf(child(moov.body, b"mvex")?)?;
    let trak = child(moov.body, b"trak")?;
    let tkhd: mp4_atom::Tkhd = leaf(trak)?;
    if (tkhd.track_id, trex.track_id) != (TRACK_ID, TRACK_ID) {
        return Err(Error::Contradiction(format!("the track's id is {}, not 1", tkhd.track_id)));
    }
    let delay = optional_child(trak, b"edts")?.map_or(Ok(0), delay)?;
    let mdia = child(trak, b"mdia")?;
    let mdhd: mp4_atom::Mdhd = leaf(mdia)?;
    let hdlr: mp4_atom::Hdlr = leaf(mdia)?;
    if mdhd.timescale == 0 {
        return Err(Error::Contradiction("the timescale is 0".to_owned()));
    }
    let stsd = child(child(child(mdia, b"minf")?, b"stbl")?, b"stsd")?;
    // Version and flags, then the number of entries.
    let entries = match stsd {
        [0, 0, 0, 0, 0, 0, 0, 1, entry @ ..] => entry,
        _ => return Err(Error::Contradiction("there is not exactly one sample entry".to_owned())),
    };
    let (codec, track) = match &<[u8; 4]>::from(hdlr.handler) {
        b"vide" => video_entry(entries)?,
        b"soun" => audio_entry(child(entries, b"mp4a")?)?,
        _ => {
            let handler = name(hdlr.handler);
            return Err(Error::Contradiction(format!("nothing plays a track of kind `{handler}`")));
        }
    };
    Ok(InitFacts { timescale: mdhd.timescale, delay, codec, language: mdhd.language, track })
}

/// How many ticks the edit list skips, which is all that it may do: it must have one edit, from there to the end, at
/// normal speed. An empty edit (no media time) would put off the start instead.
fn delay(edts: &[u8]) -> Result<u64, Error> {
    match leaf::<mp4_atom::Elst>(edts)?.entries[..] {
        [ElstEntry { segment_duration: 0, media_time: Some(delay), media_rate }]
            if media_rate == 1.into() =>
        {
            Ok(delay)
        }
        _ => Err(Error::Contradiction("the edit list does more than skip a start".to_owned())),
    }
}

fn video_entry(entries: &[u8]) -> Result<(String, Track), Error> {
    for (kind, record, config) in VideoConfig::KINDS {
        let Some(mut entry) = optional_child(entries, &kind)? else { continue };
        let visual = Visual::decode(&mut entry).map_err(failed(FourCC::new(&kind)))?;
        let track = Track::Video { width: visual.width.into(), height: visual.height.into() };
        let colour = colour(entry)?;
        return Ok((config(child(entry, &record)?).codec_string(colour)?, track));
    }
    let known = VideoConfig::KINDS.map(|(entry, _, _)| name(entry.into()));
    Err(Error::Missing(known.join("` or `")))
}

/// What the sample entry says of colours, by code points.
fn colour(entry: &[u8]) -> Result<Option<Colour>, Error> {
    if optional_child(entry, b"colr")?.is_none() {
        return Ok(None);
    }
    let code = |code: u16| u8::try_from(code).unwrap_or(Colour::UNSPECIFIED.primaries);
    Ok(match leaf::<Colr>(entry)? {
        Colr::Nclx {
            colour_primaries,
            transfer_characteristics,
            matrix_coefficients,
            full_range_flag,
        } => Some(Colour {
            primaries: code(colour_primaries),
            transfer: code(transfer_characteristics),
            matrix: code(matrix_coefficients),
            full_range: full_range_flag,
        }),
        _ => None,
    })
}

fn audio_entry(mut entry: &[u8]) -> Result<(String, Track), Error> {
    let audio = Audio::decode(&mut entry).map_err(failed(FourCC::new(b"mp4a")))?;
    let track = Track::Audio {
        sample_rate: audio.sample_rate.integer().into(),
        channels: audio.channel_count.into(),
    };
    let esds: mp4_atom::esds::Esds = leaf(entry)?;
    let asc = esds.es_desc.dec_config.dec_specific.map_or_else(Vec::new, |config| config.raw);
    Ok((codec_string_aac(&asc)?, track))
}

/// What a media segment contains, after checking that its boxes agree with each other and with its length.
///
/// # Errors
/// When it is not exactly an optional `styp`, one `moof` and one `mdat`, when the samples that `trun` describes do not
/// fill `mdat` exactly, or when one is presented before it is decoded.
pub fn read_segment(bytes: &[u8]) -> Result<SegmentFacts, Error> {
    let parts = boxes(bytes).collect::<Result<Vec<_>, _>>()?;
    let place = "a segment";
    let after_styp = match &parts[..] {
        [first, rest @ ..] if first.kind == FourCC::new(b"styp") => rest,
        all => all,
    };
    let [moof, mdat] = after_styp else {
        return Err(match after_styp {
            [_, _, third, ..] => Error::Unexpected { kind: name(third.kind), place },
            [_] => Error::Missing("mdat".to_owned()),
            _ => Error::Missing("moof".to_owned()),
        });
    };
    expect(moof, b"moof", place)?;
    expect(mdat, b"mdat", place)?;

    let mfhd: mp4_atom::Mfhd = leaf(moof.body)?;
    let traf = child(moof.body, b"traf")?;
    let tfhd: mp4_atom::Tfhd = leaf(traf)?;
    let tfdt: mp4_atom::Tfdt = leaf(traf)?;
    let trun: mp4_atom::Trun = leaf(traf)?;
    if tfhd.track_id != TRACK_ID || tfhd.base_data_offset.is_some() || !tfhd.default_base_is_moof {
        return Err(Error::Contradiction("`tfhd` does not count from its own `moof`".to_owned()));
    }
    // `mdat` is last, so its content starts where as many bytes are left; `trun` counts from the start of `moof`.
    let expected = bytes.len() - mdat.body.len() - moof.start;
    if trun.data_offset.and_then(|at| usize::try_from(at).ok()) != Some(expected) {
        return Err(Error::Contradiction(format!(
            "`trun` says that the samples start at byte {} of the fragment, they start at byte {expected}",
            trun.data_offset.unwrap_or(0)
        )));
    }

    let run = run(&tfhd, &trun)?;
    if run.bytes != mdat.body.len() as u64 {
        return Err(Error::Contradiction(format!(
            "the samples have {} bytes, but `mdat` has {}",
            run.bytes,
            mdat.body.len()
        )));
    }
    let start = tfdt.base_media_decode_time;
    let (Some(earliest), Some(_)) = (start.checked_add(run.earliest), start.checked_add(run.ticks))
    else {
        return Err(Error::Contradiction(format!("it starts at tick {start}")));
    };
    Ok(SegmentFacts {
        sequence: mfhd.sequence_number,
        start,
        ticks: run.ticks,
        samples: run.samples,
        starts_with_key: run.starts_with_key,
        earliest,
    })
}

/// What `trun` adds up to.
struct Run {
    samples: u32,
    bytes: u64,
    ticks: u64,
    starts_with_key: bool,
    /// From the first decoding time to the first presentation time, in ticks.
    earliest: u64,
}

fn run(tfhd: &mp4_atom::Tfhd, trun: &mp4_atom::Trun) -> Result<Run, Error> {
    let unsaid = |what| Error::Contradiction(format!("a sample's {what} is not said"));
    let first = trun.samples.get(0).ok_or(Error::NoSamples)?;
    let flags = first.flags.or(tfhd.default_sample_flags).ok_or_else(|| unsaid("kind"))?;
    // A key depends on no other sample and is not marked as anything else.
    let starts_with_key = flags & DELTA_FLAGS == 0;
    let size = |said: Option<u32>| {
        let size = said.or(tfhd.default_sample_size).ok_or_else(|| unsaid("size"))?;
        if size == 0 {
            return Err(Error::Contradiction("a sample has no bytes".to_owned()));
        }
        Ok(u64::from(size))
    };
    let duration = |said: Option<u32>| {
        said.or(tfhd.default_sample_duration).map(u64::from).ok_or_else(|| unsaid("duration"))
    };
    let mut run = Run {
        samples: u32::try_from(trun.samples.len()).unwrap_or(u32::MAX),
        bytes: 0,
        ticks: 0,
        starts_with_key,
        earliest: u64::MAX,
    };
    match &trun.samples {
        // All alike: multiplied, since the count is only a number and may be a lie.
        mp4_atom::TrunSamples::Inherited { count, .. } => {
            run.bytes = u64::from(*count) * size(None)?;
            run.ticks = u64::from(*count) * duration(None)?;
            run.earliest = 0;
        }
        mp4_atom::TrunSamples::Explicit(entries) => {
            for (number, entry) in entries.iter().enumerate() {
                let offset = entry.cts.unwrap_or(0);
                let Ok(offset) = u64::try_from(offset) else {
                    // A `trun` has 32 bits for an offset.
                    let ticks = u32::try_from(offset.unsigned_abs()).unwrap_or(u32::MAX);
                    return Err(Error::Early { number, ticks });
                };
                // At most 2^32 additions of less than 2^32: no overflow.
                run.earliest = run.earliest.min(run.ticks + offset);
                run.bytes += size(entry.size)?;
                run.ticks += duration(entry.duration)?;
            }
        }
    }
    Ok(run)
}
