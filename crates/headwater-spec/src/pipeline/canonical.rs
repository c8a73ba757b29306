//! The canonical form of a pipeline: what its SHA-256 is taken of.
//!
//! Equal pipelines make equal segments (R1), so every value that shapes them counts, and nothing else does: not the name,
//! nor what is asked of origins or made of flaws, nor the order, comments or spelling of the file.

use headwater_model::id::Sha256;
use headwater_model::pipeline::{Audio, Pipeline, Video};
use serde::Serialize;
use sha2::Digest;

/// Stands in a pipeline whose digest is still to be taken.
pub(crate) const UNKNOWN: Sha256 = Sha256([0; 32]);

/// The values in an order that is fixed here, since fields of a struct are written in the order of their declaration.
#[derive(Serialize)]
struct Canonical<'p> {
    segment_ms: u32,
    gop_ms: u32,
    span_segments: u32,
    video: &'p Video,
    audio: &'p Audio,
    /// Left out where it is not wanted, as by builds that did not know it.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    transport: bool,
}

/// SHA-256 of the canonical form: compact JSON.
pub(crate) fn sha256(pipeline: &Pipeline) -> Sha256 {
    // Taken apart field by field so that a new field of the model cannot be left out of the digest unnoticed.
    let Pipeline {
        name: _,
        sha256: _,
        pool: _,
        publish: _,
        quality: _,
        segment_ms,
        gop_ms,
        span_segments,
        video,
        audio,
        transport,
    } = pipeline;
    let canonical = Canonical {
        segment_ms: *segment_ms,
        gop_ms: *gop_ms,
        span_segments: *span_segments,
        video,
        audio,
        transport: *transport,
    };
    let json = serde_json::to_vec(&canonical).expect("structs of numbers and strings are JSON");
    Sha256(sha2::Sha256::digest(json).into())
}
