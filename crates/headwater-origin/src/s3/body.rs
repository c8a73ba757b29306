//! Takes bodies in, of no more bytes than there is reason for: an origin that sends without end must not fill our memory.

use std::ops::Range;

use aws_sdk_s3::primitives::ByteStream;
use bytes::{Bytes, BytesMut};
use headwater_model::inventory::LARGEST_OBJECT;

use super::error::Failed;

/// Bytes that an origin may send beside the range that it was asked for. Some send the whole object, which is fine for a
/// segment; a master would not fit into memory.
const MOST_BESIDE: u64 = 32 * 1024 * 1024;

/// Bytes of the largest object that is read in one piece.
pub(crate) const MOST_WHOLE: u64 = LARGEST_OBJECT;

/// Bytes of the largest page of a listing: 1,000 keys of a kilobyte each, every character of them escaped.
pub(crate) const MOST_LISTED: u64 = 16 * 1024 * 1024;

/// What an answer says about its body before that comes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Announced {
    /// How many bytes follow.
    pub(crate) length: Option<u64>,
    /// Which part of the object they are; nothing when they are all of it.
    pub(crate) part: Option<String>,
}

/// The whole body, which has `most` bytes at most.
pub(crate) async fn whole(
    mut body: ByteStream,
    length: Option<u64>,
    most: u64,
) -> Result<Bytes, Failed> {
    if length.is_some_and(|length| length > most) {
        return Err(Failed::too_long(most));
    }
    let expected = usize::try_from(length.unwrap_or_default()).unwrap_or_default();
    let mut taken = BytesMut::with_capacity(expected);
    while let Some(chunk) = body.next().await {
        taken.extend_from_slice(&chunk.map_err(|error| Failed::cut(&error))?);
        if taken.len() as u64 > most {
            return Err(Failed::too_long(most));
        }
    }
    Ok(taken.freeze())
}

/// The bytes of `range` (clipped to the object) from an answer to whoever asked for them.
pub(crate) async fn part(
    body: ByteStream,
    announced: &Announced,
    range: &Range<u64>,
) -> Result<Bytes, Failed> {
    // Whoever wants all that follows does not know how much that is.
    let wanted = if range.end == u64::MAX { MOST_WHOLE } else { range.end - range.start };
    match &announced.part {
        Some(told) => {
            let taken = whole(body, announced.length, wanted).await?;
            check(told, range, taken.len() as u64).map_err(Failed::corrupt)?;
            Ok(taken)
        }
        None => {
            let most = wanted.saturating_add(MOST_BESIDE);
            let taken = whole(body, announced.length, most).await?;
            let clip = |n: u64| usize::try_from(n).unwrap_or(usize::MAX).min(taken.len());
            Ok(taken.slice(clip(range.start)..clip(range.end)))
        }
    }
}

/// Checks that a `Content-Range` with so many bytes behind it is `range`, clipped by nothing but the end of the object.
pub(crate) fn check(told: &str, range: &Range<u64>, taken: u64) -> Result<(), String> {
    let read = || {
        let (part, total) = told.strip_prefix("bytes ")?.split_once('/')?;
        let (first, last) = part.split_once('-')?;
        let total = if total == "*" { None } else { Some(total.parse::<u64>().ok()?) };
        Some((first.parse::<u64>().ok()?, last.parse::<u64>().ok()?, total))
    };
    let is_it = read().is_some_and(|(first, last, total)| {
        let ends_there = last.checked_add(1).is_some_and(|end| end == range.end);
        let clipped =
            last < range.end && total.is_none_or(|total| last.checked_add(1) == Some(total));
        first == range.start
            && (ends_there || clipped)
            && last.checked_sub(first).and_then(|n| n.checked_add(1)) == Some(taken)
    });
    if is_it {
        return Ok(());
    }
    let (first, last) = (range.start, range.end.saturating_sub(1));
    Err(format!("the origin sent {taken} bytes as `{told}` instead of bytes {first} to {last}"))
}

#[cfg(test)]
mod tests;
