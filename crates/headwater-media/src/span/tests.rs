//! Where IDRs go.

use std::collections::BTreeMap;

use headwater_model::colour::Colour;
use headwater_model::id::Sha256;
use headwater_model::index::{Basis, Index, Unit};
use headwater_model::master::{MasterFacts, Orientation, VideoTrack};
use headwater_model::origin::PublishRules;
use headwater_model::pipeline::{Audio, Codec, Pipeline, Video};
use headwater_model::plan::plan;
use headwater_model::quality::QualityRules;

use super::*;

/// The keys of a title of `frames` frames at 25 fps, in order, in segments of 6 s with GOPs of 2 s.
fn check(frames: u32, expected: &[u64], every: u32) {
    let unit = |n: u32| Unit {
        pts_ns: i64::from(n) * 40_000_000,
        size: 1,
        key: n == 0,
        open: false,
        shown: true,
    };
    let index = Index {
        basis: Basis::Parsed,
        units: (0..frames).map(unit).collect(),
        last_duration_ns: None,
    };
    let track = VideoTrack {
        stream: String::new(),
        codec: String::new(),
        media_type: String::new(),
        width: 16,
        height: 16,
        sample_aspect: (1, 1),
        orientation: Orientation::Upright,
        stated_rate: None,
        interlaced: false,
        fields: None,
        bit_depth: None,
        chroma: None,
        colour: Colour::UNSPECIFIED,
        mastering: None,
        light: None,
        end_ns: 0,
        language: None,
        decoder: None,
        captions: false,
    };
    let facts = MasterFacts {
        container: String::new(),
        bytes: 1,
        modified_ns: 0,
        video: vec![track],
        audio: vec![],
        text: vec![],
        other: vec![],
        timecode: None,
        edit_lists: vec![],
        delivery: None,
        sources: vec![],
        flaws: vec![],
    };
    let pipeline = Pipeline {
        name: String::new(),
        sha256: Sha256([0; 32]),
        segment_ms: 6000,
        gop_ms: 2000,
        span_segments: 10,
        video: Video::Encode(VideoEncode {
            encoders: vec![],
            preset: String::new(),
            others: BTreeMap::new(),
            trick: false,
            pictures: false,
            ladder: vec![],
        }),
        audio: Audio::Copy,
        pool: None,
        publish: PublishRules::default(),
        quality: QualityRules::default(),
        transport: false,
    };
    let plan = plan(Sha256([0; 32]), &pipeline, "engine", &facts, &index, 0).expect("a plan");
    let rendition = VideoRendition {
        name: "video-16p".into(),
        codec: Codec::H264,
        width: 16,
        height: 16,
        crf: 23.0,
        max_kbps: 100,
        buffer_kbit: 200,
        every: 1,
        trick: false,
        hdr: false,
        copy: false,
    };
    let keys = key_frames(&plan, &plan.spans[0], &rendition);
    let mut at: Vec<u64> = keys.at.into_iter().collect();
    at.sort_unstable();
    assert_eq!((at.as_slice(), keys.every), (expected, every), "{frames} frames");
}

#[test]
fn every_gop_and_every_segment_starts_with_an_idr() {
    check(300, &[0, 50, 100, 150, 200, 250], 50);
}

#[test]
fn a_few_frames_more_make_no_gop_of_their_own() {
    check(153, &[0, 51, 102], 51);
    check(190, &[0, 50, 100, 150], 50);
    check(3, &[0], 3);
}
