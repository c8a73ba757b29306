//! Whether the bytes of an init or media segment are what the inventory says about them.

use headwater_model::finding::FindingKind;
use headwater_model::inventory::{Object, ObjectRole, RenditionHeader};

use crate::cmaf::{InitFacts, SegmentFacts, read_init, read_segment};
use crate::ts;

/// What is wrong with an init segment: its size, its boxes, or that timescale, delay or codec are not its rendition's.
pub fn init(rendition: &RenditionHeader, object: &Object, bytes: &[u8]) -> Option<FindingKind> {
    size(object, bytes).or_else(|| match read_init(bytes) {
        Err(why) => Some(malformed(why)),
        Ok(InitFacts { timescale, .. }) if timescale != rendition.timescale => Some(malformed(
            format!("it has {timescale} ticks a second instead of {}", rendition.timescale),
        )),
        Ok(InitFacts { delay, .. }) if delay != rendition.delay => Some(malformed(format!(
            "its edit list skips {delay} ticks instead of {}",
            rendition.delay
        ))),
        Ok(InitFacts { codec, .. }) if codec != rendition.codec => {
            Some(malformed(format!("its codec is `{codec}` instead of `{}`", rendition.codec)))
        }
        Ok(_) => None,
    })
}

/// What is wrong with a media segment: its size, its boxes, that it is not where and as long as the inventory says,
/// that decoding cannot start with it, or that its first frame is not presented at its start, once the edit list of its
/// rendition has taken the delay off (R2). `None` for an object that is no media segment.
pub fn segment(rendition: &RenditionHeader, object: &Object, bytes: &[u8]) -> Option<FindingKind> {
    let ObjectRole::Segment { start, ticks, samples, .. } = object.role else {
        return None;
    };
    if let Some(wrong) = size(object, bytes) {
        return Some(wrong);
    }
    let facts = match read_segment(bytes) {
        Ok(facts) => facts,
        Err(why) => return Some(malformed(why)),
    };
    match facts {
        SegmentFacts { start: found, .. } if found != start => {
            Some(FindingKind::TimeGap { expected: start, found })
        }
        SegmentFacts { ticks: found, .. } if found != ticks => {
            Some(malformed(format!("it lasts {found} ticks instead of {ticks}")))
        }
        SegmentFacts { samples: found, .. } if found != samples => {
            Some(malformed(format!("it has {found} samples instead of {samples}")))
        }
        SegmentFacts { starts_with_key: false, .. } => {
            Some(malformed("its first sample is not a key"))
        }
        SegmentFacts { earliest, .. } if start.checked_add(rendition.delay) != Some(earliest) => {
            let delay = rendition.delay;
            Some(malformed(format!(
                "its first frame is presented at tick {earliest} instead of {start} + {delay}"
            )))
        }
        SegmentFacts { .. } => None,
    }
}

/// What is wrong with a segment as MPEG-TS: its size, its packets, that decoding cannot start with it, or that it is not
/// presented when the inventory says. `None` for any other object.
pub fn transport(
    rendition: &RenditionHeader,
    object: &Object,
    bytes: &[u8],
) -> Option<FindingKind> {
    let ObjectRole::Transport { start, .. } = object.role else {
        return None;
    };
    let expected = ts::presented(start, rendition.timescale);
    size(object, bytes).or_else(|| match ts::read_segment(bytes) {
        Err(why) => Some(malformed(why)),
        Ok(ts::SegmentFacts { starts_with_key: false, .. }) => {
            Some(malformed("its first access unit is not a key"))
        }
        Ok(ts::SegmentFacts { presented, .. }) if presented != expected => {
            Some(FindingKind::TimeGap { expected, found: presented })
        }
        Ok(_) => None,
    })
}

fn size(object: &Object, bytes: &[u8]) -> Option<FindingKind> {
    FindingKind::of_size(object.bytes, bytes.len() as u64)
}

fn malformed(reason: impl ToString) -> FindingKind {
    FindingKind::Malformed { reason: reason.to_string() }
}

#[cfg(test)]
mod tests;
