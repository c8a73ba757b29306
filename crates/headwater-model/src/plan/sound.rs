//! The plan of a title without a picture: a radio play, an album. Its segments are cut where frames of sound end.

use super::frames::{encoded_starts, lay_out};
use super::{AAC_FRAME, FrameTicks, Plan, audio_renditions, text_renditions};
use crate::id::Sha256;
use crate::index::Cadence;
use crate::master::{MasterFacts, Orientation};
use crate::pipeline::{Audio, Pipeline};
use crate::refusal::{Code, Refusal};
use crate::time::{FrameRate, MediaTime, NS};

/// Makes the plan. Segments are counted in frames of sound of the first track.
pub(super) fn plan(
    master: Sha256,
    pipeline: &Pipeline,
    engine: &str,
    facts: &MasterFacts,
    zero_ns: i64,
) -> Result<Plan, Refusal> {
    let rate = match &pipeline.audio {
        Audio::Encode(encode) => encode.sample_rate,
        Audio::Copy => facts.audio.first().map_or(0, |track| track.sample_rate),
    };
    let end_ns = facts.audio.iter().map(|track| track.end_ns).max().unwrap_or(0);
    let (Some(cadence), 1..) = (FrameRate::new(rate, AAC_FRAME), end_ns) else {
        let why = "the audio tracks have no sound that can be decoded";
        return Err(Refusal::new(Code::DamagedMaster, why));
    };
    if end_ns > super::LONGEST_TITLE_NS {
        let why =
            format!("the time stamps jump: the sound ends after {} hours", end_ns / (3600 * NS));
        return Err(Refusal::new(Code::DamagedMaster, why));
    }
    let ticks = FrameTicks::Each(AAC_FRAME);
    let samples =
        u64::try_from(i128::from(end_ns) * i128::from(rate) / i128::from(NS)).unwrap_or(0);
    let frames = samples.div_ceil(AAC_FRAME.into()).max(1);
    let each = cadence.frames_in_ms(pipeline.segment_ms).max(1);
    let segments = lay_out(&encoded_starts(frames, each.into(), &ticks, rate), frames, &ticks);
    let ends: Vec<MediaTime> =
        segments.iter().map(|s| MediaTime { ticks: s.start + s.ticks, timescale: rate }).collect();
    Ok(Plan {
        master,
        pipeline: pipeline.clone(),
        engine: engine.to_owned(),
        cadence: Cadence::Constant(cadence),
        timescale: rate,
        frames: 0,
        delay: 0,
        segments,
        spans: vec![],
        delivery: facts.delivery.clone(),
        sources: facts.sources.clone(),
        stream: String::new(),
        orientation: Orientation::default(),
        fields: None,
        colour: None,
        peak: None,
        captions: false,
        mastering: None,
        light: None,
        coded: None,
        stride: 1,
        video: vec![],
        audio: audio_renditions(facts, &pipeline.audio, &ends, zero_ns),
        text: text_renditions(facts, zero_ns),
        pictures: None,
        base: None,
    })
}
