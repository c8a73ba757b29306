//! Renditions that a player switches between have their boundaries at the same times (R2).

use headwater_model::finding::FindingKind;
use headwater_model::key::segment_name;
use headwater_model::plan::AAC_FRAME;

use super::{Findings, Known, Rendition, Segment};

/// Every video segment ends when that of the first video rendition does, and every audio segment within one audio
/// frame of it; there are as many of all. Of each rendition only the first segment that does not fit is reported.
pub(super) fn check(known: &Known<'_>, findings: &mut Findings) {
    let Some(reference) = known.renditions.iter().find(|r| !is_audio(r)) else {
        return;
    };
    for rendition in &known.renditions {
        let pairs =
            rendition.segments.iter().filter_map(|s| Some((s, reference.segment(s.number)?)));
        let misaligned = pairs.into_iter().find(|(segment, other)| {
            apart(rendition, segment, reference, other) > tolerance(rendition, reference)
        });
        if let Some((segment, other)) = misaligned {
            findings.malformed(
                &known.key(segment.object),
                format!(
                    "it ends at {:.3} s, but segment {} of `{}` ends at {:.3} s",
                    rendition.seconds(segment.end()),
                    other.number,
                    reference.header.name,
                    reference.seconds(other.end())
                ),
            );
        }
        for (one, other) in [(rendition, reference), (reference, rendition)] {
            let missing = one.segments.iter().find(|s| other.segment(s.number).is_none());
            if let Some(missing) = missing {
                let path = other.path(&segment_name(missing.number));
                findings.add(&known.package.key(&path), FindingKind::Missing);
            }
        }
    }
}

pub(super) fn is_audio(rendition: &Rendition<'_>) -> bool {
    rendition.header.codec.starts_with("mp4a")
}

/// How far apart the ends of two segments are, in seconds times both timescales: whole numbers, so nothing is rounded.
fn apart(
    rendition: &Rendition<'_>,
    segment: &Segment<'_>,
    reference: &Rendition<'_>,
    other: &Segment<'_>,
) -> u128 {
    let end = u128::from(segment.end()) * u128::from(reference.header.timescale);
    let other_end = u128::from(other.end()) * u128::from(rendition.header.timescale);
    end.abs_diff(other_end)
}

/// How far apart they may be: one audio frame, whose ticks are those of its rendition.
fn tolerance(rendition: &Rendition<'_>, reference: &Rendition<'_>) -> u128 {
    let ticks = if is_audio(rendition) { AAC_FRAME } else { 0 };
    u128::from(ticks) * u128::from(reference.header.timescale)
}
