//! Boxes of MP4 and QuickTime masters (ISO/IEC 14496-12), and which pictures their demuxer passes over.

/// The boxes in `data`, each with what is in it (ISO/IEC 14496-12, 4.2).
pub(crate) fn children(data: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    let mut rest = data;
    std::iter::from_fn(move || {
        let size = u32_at(rest, 0)? as usize;
        // Size 0 means: to the end.
        let size = if size == 0 { rest.len() } else { size };
        let (kind, body) = (rest.get(4..8)?, rest.get(8..size)?);
        rest = rest.get(size..)?;
        Some((kind, body))
    })
}

pub(crate) fn child<'a>(data: &'a [u8], kind: &[u8]) -> Option<&'a [u8]> {
    children(data).find(|(found, _)| *found == kind).map(|(_, body)| body)
}

pub(crate) fn u32_at(data: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_be_bytes(data.get(at..at + 4)?.try_into().ok()?))
}

/// How many tracks a `moov` box, given with its header, says that it has.
pub(crate) fn tracks(moov: &[u8]) -> usize {
    let movie = child(moov, b"moov").unwrap_or_default();
    children(movie).filter(|(kind, _)| kind == b"trak").count()
}

/// Codecs of pictures that stand for others: a cover, or the chapters' small ones.
const STILLS: [&[u8; 4]; 3] = [b"jpeg", b"png ", b"mjpg"];

/// The video track of a `moov` box, given with its header, that is so much shorter than the whole that the demuxer takes it
/// for a preview: its seconds, and those of the whole.
pub(crate) fn passed_over(moov: &[u8]) -> Option<(f64, f64)> {
    /// What is shorter than this part of the whole is passed over.
    const PREVIEW: f64 = 0.2;
    let movie = child(moov, b"moov")?;
    let whole = seconds(child(movie, b"mvhd")?)?;
    children(movie)
        .filter(|(kind, _)| kind == b"trak")
        .filter_map(|(_, track)| picture_seconds(track))
        .find(|seconds| *seconds < whole * PREVIEW)
        .map(|seconds| (seconds, whole))
}

fn picture_seconds(track: &[u8]) -> Option<f64> {
    let media = child(track, b"mdia")?;
    // Behind version, flags and a field that is zero.
    (child(media, b"hdlr")?.get(8..12)? == b"vide").then_some(())?;
    let table = child(child(media, b"minf")?, b"stbl")?;
    let codec = child(table, b"stsd")?.get(12..16)?;
    (!STILLS.iter().any(|still| still.as_slice() == codec)).then_some(())?;
    seconds(child(media, b"mdhd")?).filter(|s| *s > 0.0)
}

/// How long an `mvhd` or `mdhd` says that it is.
fn seconds(header: &[u8]) -> Option<f64> {
    let (timescale, duration) = match header.first()? {
        1 => (u32_at(header, 20)?, u64::from_be_bytes(header.get(24..32)?.try_into().ok()?)),
        _ => (u32_at(header, 12)?, u32_at(header, 16)?.into()),
    };
    (timescale > 0).then(|| duration as f64 / f64::from(timescale))
}
