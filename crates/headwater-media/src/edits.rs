//! Reads the edit lists of MP4 and QuickTime masters (ISO/IEC 14496-12, 8.6.6), so that they are applied by arithmetic.
//!
//! A demuxer that applies an edit stops at its end while B-frames that are shown before it are still to come. So it is
//! shown a list that plays everything in place of a simple one (a delay, then one piece of the media), which is applied
//! here instead, to every frame by its own time. Anything else is left to the demuxer.

use headwater_model::master::EditList;

/// Boxes nested deeper than a movie has them are an attack.
const MAX_DEPTH: usize = 4;

/// What the edit list of one track says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Edit {
    /// The track's id, as in `tkhd`.
    pub(crate) track: u32,
    /// Presentation starts this much later than zero, in nanoseconds.
    pub(crate) delay_ns: i64,
    /// What is shown begins here on the media's own line, in nanoseconds.
    pub(crate) from_ns: i64,
    /// And ends here; `None` at its end.
    pub(crate) to_ns: Option<i64>,
}

impl Edit {
    /// Whether a frame at `media_ns` is shown; 1 ms for rounding. A frame belongs to the edit that it starts in.
    pub(crate) fn shows(&self, media_ns: i64) -> bool {
        const SLACK_NS: i64 = 1_000_000;
        media_ns + SLACK_NS >= self.from_ns && self.to_ns.is_none_or(|to| media_ns < to + SLACK_NS)
    }

    /// When what is at `media_ns` is presented.
    pub(crate) fn presented_ns(&self, media_ns: i64) -> i64 {
        media_ns - self.from_ns + self.delay_ns
    }
}

/// Bytes that the demuxer gets to read in place of a file's own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Patch {
    /// Where they stand: in the `moov` box, its header included, or in the file.
    pub(crate) at: u64,
    /// The bytes.
    pub(crate) bytes: Vec<u8>,
}

/// The edits of a `moov` box, and what to show to a demuxer in place of them. `None` when a track has an edit list that
/// is not simple.
pub(crate) fn of_movie(moov: &[u8]) -> Option<(Vec<Edit>, Vec<Patch>)> {
    let mut movie = Movie::default();
    walk(moov, 0, 0, &mut movie)?;
    let timescale = movie.timescale?;
    let mut edits = Vec::new();
    let mut patches = Vec::new();
    for track in movie.tracks {
        let Some((at, version, entries)) = track.list else { continue };
        edits.push(simple(&entries, track.id?, timescale, track.timescale?)?);
        patches.push(everything(at, version));
    }
    Some((edits, patches))
}

/// What the edit lists of a `moov` box say, track by track, however many pieces they have.
pub(crate) fn lists(moov: &[u8]) -> Vec<EditList> {
    let mut movie = Movie::default();
    if walk(moov, 0, 0, &mut movie).is_none() {
        return Vec::new();
    }
    let of_track = |track: Track| {
        let (_, _, entries) = track.list?;
        let pieces = entries.iter().filter(|e| e.media_time >= 0);
        let first = pieces.clone().next()?;
        let waits = entries.iter().take_while(|e| e.media_time < 0);
        Some(EditList {
            stream: format!("{:03}", track.id?),
            pieces: u32::try_from(pieces.count()).ok()?,
            delay_ns: ns(waits.map(|e| e.duration).sum(), movie.timescale?)?,
            from_ns: ns(first.media_time.cast_unsigned(), track.timescale?)?,
        })
    };
    movie.tracks.into_iter().filter_map(of_track).collect()
}

#[derive(Debug, Default)]
struct Movie {
    timescale: Option<u32>,
    tracks: Vec<Track>,
}

#[derive(Debug, Default)]
struct Track {
    id: Option<u32>,
    timescale: Option<u32>,
    /// Where its number of entries stands, its version, its entries.
    list: Option<(usize, u8, Vec<Entry>)>,
}

/// One line of an edit list: duration in the movie's timescale, start in the media's (-1: nothing), rate as 16.16.
#[derive(Debug, Clone, Copy)]
struct Entry {
    duration: u64,
    media_time: i64,
    rate: u32,
}

fn walk(data: &[u8], base: usize, depth: usize, movie: &mut Movie) -> Option<()> {
    let mut at = 0;
    while let Some(header) = data.get(at..at + 8) {
        let (size, kind) = header.split_at(4);
        let size = u32_at(size, 0)? as usize;
        // Boxes of 64-bit size do not occur inside a movie header; size 0 means: to the end.
        let end =
            if size == 0 { data.len() } else { at.checked_add(size).filter(|_| size >= 8)? };
        let body = data.get(at + 8..end)?;
        let version_1 = body.first() == Some(&1);
        match kind {
            b"moov" | b"mdia" if depth < MAX_DEPTH => walk(body, base + at + 8, depth + 1, movie)?,
            b"trak" if depth < MAX_DEPTH => {
                movie.tracks.push(Track::default());
                walk(body, base + at + 8, depth + 1, movie)?;
            }
            b"mvhd" => movie.timescale = Some(u32_at(body, if version_1 { 20 } else { 12 })?),
            b"tkhd" => {
                movie.tracks.last_mut()?.id = Some(u32_at(body, if version_1 { 20 } else { 12 })?)
            }
            b"mdhd" => {
                movie.tracks.last_mut()?.timescale =
                    Some(u32_at(body, if version_1 { 20 } else { 12 })?)
            }
            b"edts" => {
                let (version, list) = entries(body)?;
                // Behind the headers of both boxes, version and flags.
                movie.tracks.last_mut()?.list = Some((base + at + 20, version, list));
            }
            _ => {}
        }
        at = end;
    }
    Some(())
}

/// The entries of the `elst` in an `edts`.
fn entries(edts: &[u8]) -> Option<(u8, Vec<Entry>)> {
    let body = edts.get(8..).filter(|_| edts.get(4..8) == Some(b"elst"))?;
    let (version, count) = (*body.first()?, u32_at(body, 4)? as usize);
    let size = if version == 1 { 20 } else { 12 };
    let mut list = Vec::new();
    for entry in body.get(8..)?.chunks_exact(size).take(count) {
        list.push(if version == 1 {
            Entry {
                duration: u64_at(entry, 0)?,
                media_time: u64_at(entry, 8)?.cast_signed(),
                rate: u32_at(entry, 16)?,
            }
        } else {
            Entry {
                duration: u32_at(entry, 0)?.into(),
                media_time: u32_at(entry, 4)?.cast_signed().into(),
                rate: u32_at(entry, 8)?,
            }
        });
    }
    (list.len() == count && count > 0).then_some((version, list))
}

/// A list of one entry that plays a track from its beginning for as long as it lasts: number of entries, duration,
/// media time 0, rate 1.
fn everything(at: usize, version: u8) -> Patch {
    // Far longer than any film; not the largest number, which demuxers take for "unknown" or overflow on.
    const LONG: u32 = 1 << 31;
    let mut bytes = 1u32.to_be_bytes().to_vec();
    if version == 1 {
        bytes.extend(u64::from(LONG).to_be_bytes());
        bytes.extend(0u64.to_be_bytes());
    } else {
        bytes.extend(LONG.to_be_bytes());
        bytes.extend(0u32.to_be_bytes());
    }
    bytes.extend((1u32 << 16).to_be_bytes());
    Patch { at: at as u64, bytes }
}

/// A delay and one piece at normal speed, in nanoseconds; `None` for anything else.
fn simple(entries: &[Entry], track: u32, movie_scale: u32, media_scale: u32) -> Option<Edit> {
    let pieces = entries.iter().filter(|e| e.media_time >= 0).count();
    let piece = entries.last().filter(|e| e.media_time >= 0 && e.rate == 1 << 16)?;
    if pieces != 1 {
        return None;
    }
    let delay: u64 = entries.iter().filter(|e| e.media_time < 0).map(|e| e.duration).sum();
    let from_ns = ns(piece.media_time.cast_unsigned(), media_scale)?;
    let length = ns(piece.duration, movie_scale)?;
    let to_ns = if piece.duration == 0 { None } else { Some(from_ns.checked_add(length)?) };
    Some(Edit { track, delay_ns: ns(delay, movie_scale)?, from_ns, to_ns })
}

fn ns(ticks: u64, scale: u32) -> Option<i64> {
    let ns = u128::from(ticks) * 1_000_000_000 / u128::from(scale.max(1));
    i64::try_from(ns).ok()
}

fn u32_at(data: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_be_bytes(data.get(at..at + 4)?.try_into().ok()?))
}

fn u64_at(data: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_be_bytes(data.get(at..at + 8)?.try_into().ok()?))
}

#[cfg(test)]
mod tests;
