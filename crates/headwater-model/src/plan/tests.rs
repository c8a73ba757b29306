//! Plans: frames into segments, segments into spans, audio beside them.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::renditions::audio_ends;
use super::*;
use crate::colour::Colour;
use crate::index::Unit;
use crate::master::{AudioTrack, Orientation, VideoTrack};
use crate::origin::PublishRules;
use crate::pipeline::{AudioEncode, Codec, Rung, USUAL_PEAK, VideoEncode};
use crate::quality::QualityRules;
use crate::time::FrameRate;

fn pipeline() -> Pipeline {
    Pipeline {
        name: "test".into(),
        sha256: Sha256([1; 32]),
        segment_ms: 6000,
        gop_ms: 2000,
        span_segments: 10,
        video: Video::Encode(VideoEncode {
            encoders: vec!["x264enc".into()],
            preset: "fast".into(),
            others: BTreeMap::new(),
            trick: false,
            pictures: false,
            ladder: vec![Rung {
                name: "360p".into(),
                codec: Codec::H264,
                long_side: 640,
                short_side: 360,
                crf: 23.0,
                max_kbps: 800,
                buffer_kbit: 1600,
                max_fps: None,
                hdr: false,
                copy: false,
            }],
        }),
        audio: Audio::Encode(AudioEncode {
            encoders: vec!["avenc_aac".into()],
            kbps: 128,
            sample_rate: 48000,
            channels: 2,
            surround_kbps: None,
            loudness: None,
            true_peak: USUAL_PEAK,
        }),
        pool: None,
        publish: PublishRules::default(),
        quality: QualityRules::default(),
        transport: false,
    }
}

pub(crate) fn facts_of(rate: Option<FrameRate>) -> MasterFacts {
    MasterFacts {
        container: "Quicktime".into(),
        bytes: 1,
        modified_ns: 0,
        video: vec![VideoTrack {
            stream: "001".into(),
            codec: "H.264".into(),
            media_type: "video/x-h264".into(),
            width: 640,
            height: 360,
            sample_aspect: (1, 1),
            orientation: Orientation::Upright,
            stated_rate: rate,
            interlaced: false,
            fields: None,
            bit_depth: Some(8),
            chroma: None,
            colour: Colour::UNSPECIFIED,
            mastering: None,
            light: None,
            end_ns: 0,
            language: None,
            decoder: Some("avdec_h264".into()),
            captions: false,
        }],
        audio: vec![AudioTrack {
            stream: "002".into(),
            codec: "AAC".into(),
            media_type: "audio/mpeg".into(),
            channels: 6,
            sample_rate: 44100,
            language: Some("en".into()),
            layout: None,
            start_ns: 0,
            end_ns: 0,
            decoder: Some("avdec_aac".into()),
            delivered: None,
        }],
        text: vec![],
        other: vec![],
        timecode: None,
        edit_lists: vec![],
        delivery: None,
        sources: vec![],
        flaws: vec![],
    }
}

/// A closed GOP of `gop` frames each, no B-frames.
fn index(times: &[i64], gop: usize) -> Index {
    let units = times
        .iter()
        .enumerate()
        .map(|(n, t)| Unit {
            pts_ns: *t,
            size: n as u32,
            key: n % gop == 0,
            open: false,
            shown: true,
        })
        .collect();
    Index { basis: Basis::Parsed, units, last_duration_ns: None }
}

fn make(p: &Pipeline, times: &[i64], gop: usize, rate: Option<FrameRate>) -> Result<Plan, Refusal> {
    plan(Sha256([2; 32]), p, "engine", &facts_of(rate), &index(times, gop), 0)
}

/// A plan of whatever.
pub(crate) fn any() -> Plan {
    make(&pipeline(), &at(25, 1, 300), 50, Some(FrameRate::PAL)).expect("an even master")
}

/// A plan of as many spans, each one segment of 6 s.
pub(crate) fn of_spans(spans: u64) -> Plan {
    let p = Pipeline { span_segments: 1, ..pipeline() };
    make(&p, &at(25, 1, 150 * spans), 50, Some(FrameRate::PAL)).expect("an even master")
}

fn at(num: u32, den: u32, frames: u64) -> Vec<i64> {
    (0..frames).map(|n| FrameRate::new(num, den).unwrap().frame_ns(n)).collect()
}

#[test]
fn film_rate_has_segments_of_144_frames() {
    let p = make(&pipeline(), &at(24000, 1001, 24 * 60), 48, None).unwrap();
    assert_eq!((p.timescale, p.segments[1].frames, p.segments[1].start), (24000, 144, 144 * 1001));
    assert_eq!(p.gop_frames(), 48);
    assert_eq!(p.segments.len(), 10);
    assert_eq!(p.audio[0].ends[0], 282, "6.006 s are 281.53 audio frames of 1024 samples");
    assert_eq!((p.audio[0].name.as_str(), p.audio[0].channels), ("audio-en", 2));
}

#[test]
fn a_blink_of_a_tail_joins_the_segment_before() {
    assert_eq!(
        make(&pipeline(), &at(25, 1, 301), 50, None)
            .unwrap()
            .segments
            .iter()
            .map(|s| s.frames)
            .collect::<Vec<_>>(),
        [150, 151]
    );
    assert_eq!(
        make(&pipeline(), &at(25, 1, 330), 50, None)
            .unwrap()
            .segments
            .iter()
            .map(|s| s.frames)
            .collect::<Vec<_>>(),
        [150, 150, 30]
    );
    assert_eq!(
        make(&pipeline(), &at(25, 1, 3), 50, None)
            .unwrap()
            .segments
            .iter()
            .map(|s| s.frames)
            .collect::<Vec<_>>(),
        [3]
    );
}

#[test]
fn title_of_one_picture_has_one_audio_frame() {
    // 1/120 s are 400 samples at 48 kHz: less than half an audio frame.
    let p = make(&pipeline(), &at(120, 1, 1), 1, FrameRate::new(120, 1)).unwrap();
    assert_eq!((p.segments.len(), p.audio[0].frames_of(0)), (1, 0..1));
}

#[test]
fn segment_of_one_picture_has_an_audio_frame_of_its_own() {
    let end_of = |ticks| MediaTime { ticks, timescale: 50 };
    // At 8 kHz an audio frame lasts 128 ms, a picture 20 ms: the last boundaries are 47.03, 47.19 and 47.34.
    let ends = [end_of(301), end_of(302), end_of(303)];
    assert_eq!(audio_ends(&ends, 8000), [47, 48, 49]);
}

fn uneven() -> Vec<i64> {
    let mut times = at(30, 1, 1000);
    times.retain(|t| t % 7 != 3);
    times.drain(100..130);
    times
}

#[test]
fn uneven_frames_that_are_copied_keep_their_times() {
    let copy = Pipeline { video: Video::Copy, audio: Audio::Copy, ..pipeline() };
    let times = uneven();
    let p = make(&copy, &times, 30, FrameRate::new(30, 1)).unwrap();
    assert!(matches!(p.cadence, Cadence::Variable(_)));
    assert_eq!(p.frames, times.len() as u64);
    let last = *times.last().unwrap();
    let expected = (last as f64 / 1e9 + 1.0 / p.cadence.rate().as_f64()) * 90_000.0;
    assert!(
        (p.duration().ticks as f64 - expected).abs() < 3.0,
        "{} {expected}",
        p.duration().ticks
    );
}

#[test]
fn uneven_frames_that_are_encoded_are_brought_onto_a_grid() {
    let times = uneven();
    let p = make(&pipeline(), &times, 30, FrameRate::new(30, 1)).unwrap();
    assert_eq!(p.cadence, Cadence::Constant(FrameRate::new(30, 1).unwrap()));
    assert_eq!(p.frames, 1000);
    assert_eq!(p.segments.iter().map(|s| s.frames).collect::<Vec<_>>()[..2], [180, 180]);
    let shown: u64 = p
        .spans
        .iter()
        .flat_map(|span| (0..span.read.frames).map(|n| u64::from(span.repeats_of(n))))
        .sum();
    assert_eq!(shown, 1000);
}

#[test]
fn a_damaged_time_stamp_does_not_become_days_of_a_still_picture() {
    let mut times = at(25, 1, 100);
    times.extend(at(25, 1, 100).iter().map(|t| t + 95_443_717_688_888));
    assert!(make(&pipeline(), &times, 25, None).is_ok(), "26.5 hours: 33 bits of 90 kHz");
    times.push(200 * 3600 * NS + 1);
    let refused = make(&pipeline(), &times, 25, None).unwrap_err();
    assert_eq!(refused.code, Code::DamagedMaster);
    assert!(refused.to_string().contains("200 hours apart"), "{refused}");
}

#[test]
fn copying_cuts_at_closed_keys_or_refuses() {
    let copy = Pipeline { video: Video::Copy, audio: Audio::Copy, ..pipeline() };
    let p = make(&copy, &at(25, 1, 1000), 40, None).unwrap();
    assert_eq!(
        p.segments.iter().map(|s| s.first_frame).collect::<Vec<_>>(),
        [0, 160, 320, 480, 600, 760, 920]
    );
    assert_eq!(p.spans.len(), 1);
    let refused = make(&copy, &at(25, 1, 1000), 400, None).unwrap_err();
    assert_eq!(refused.code, Code::PipelineMismatch);
}

#[test]
fn without_an_index_there_is_one_span() {
    let mut i = index(&at(25, 1, 3000), 50);
    i.basis = Basis::Decoded;
    let p = plan(Sha256([2; 32]), &pipeline(), "engine", &facts_of(None), &i, 0).unwrap();
    assert_eq!((p.spans.len(), p.spans[0].read.frames), (1, 3000));
}

#[test]
fn spans_are_equally_long() {
    let p = make(&pipeline(), &at(25, 1, 64 * 25), 50, None).unwrap();
    assert_eq!(p.spans.iter().map(|s| s.segments).collect::<Vec<_>>(), [5, 6]);
}

#[test]
fn a_key_that_is_no_idr_starts_no_copied_segment() {
    let copy = Pipeline { video: Video::Copy, audio: Audio::Copy, ..pipeline() };
    let mut i = index(&at(25, 1, 400), 50);
    i.units[150].open = true;
    let p = plan(Sha256([2; 32]), &copy, "engine", &facts_of(None), &i, 0).unwrap();
    assert_eq!(p.segments.iter().map(|s| s.first_frame).collect::<Vec<_>>(), [0, 200, 300]);
}

#[test]
fn sound_that_nobody_decodes_is_refused_before_any_work() {
    let mut f = facts_of(None);
    f.audio[0].decoder = None;
    let i = index(&at(25, 1, 100), 50);
    let refused = plan(Sha256([2; 32]), &pipeline(), "engine", &f, &i, 0).unwrap_err();
    assert_eq!(
        refused.to_string(),
        "unsupported-codec: no decoder for an audio track's codec: AAC"
    );
    let copy = Pipeline { audio: Audio::Copy, ..pipeline() };
    assert!(plan(Sha256([2; 32]), &copy, "engine", &f, &i, 0).is_ok(), "copying needs no decoder");
}

#[test]
fn nothing_to_see_or_hear_is_refused_in_words() {
    let mut f = facts_of(None);
    f.video.clear();
    f.audio.clear();
    let e = plan(Sha256([2; 32]), &pipeline(), "engine", &f, &index(&[], 1), 0).unwrap_err();
    assert_eq!(
        e.to_string(),
        "no-video-track: the master has neither picture nor sound (found: no tracks at all)"
    );
}

proptest! {
    /// Whatever the length, rate and span: every frame is in exactly one segment, every segment in exactly one span,
    /// spans begin at keys, and audio stays within one audio frame of the video.
    #[test]
    fn nothing_is_lost_or_doubled(frames in 1u64..4000, rate in 0usize..6, span in 1u32..12, gop in 1usize..400) {
        let (num, den) = [(24000, 1001), (25, 1), (30000, 1001), (50, 1), (60000, 1001), (10, 1)][rate];
        let mut pipe = pipeline();
        pipe.span_segments = span;
        let p = make(&pipe, &at(num, den, frames), gop, FrameRate::new(num, den)).unwrap();
        let mut next = 0;
        let mut start = 0;
        for s in &p.segments {
            prop_assert_eq!((s.first_frame, s.start), (next, start));
            next += u64::from(s.frames);
            start += s.ticks;
        }
        prop_assert_eq!(next, frames);
        let mut segment = 0;
        for s in &p.spans {
            prop_assert_eq!(s.first_segment, segment);
            segment += s.segments;
            prop_assert_eq!(s.read.frames, p.segments_of(s).iter().map(|s| u64::from(s.frames)).sum::<u64>());
            prop_assert_eq!(s.read.first_unit as usize % gop, 0);
            let first = p.segments_of(s)[0].first_frame;
            prop_assert!(u64::from(s.read.first_unit) <= first && first < u64::from(s.read.first_unit) + gop as u64);
        }
        prop_assert_eq!(segment as usize, p.segments.len());
        for n in 0..p.segments.len() {
            prop_assert!(!p.audio[0].frames_of(n).is_empty());
        }
        for (s, end) in p.segments.iter().zip(&p.audio[0].ends) {
            let video = (s.start + s.ticks) as f64 / f64::from(p.timescale);
            let audio = (end * 1024) as f64 / 48000.0;
            prop_assert!((video - audio).abs() <= 1024.0 / 48000.0);
        }
    }
}

proptest! {
    /// However uneven the frames and short the spans: spans together show every step of the grid, each by the frame that
    /// a single span over the whole title shows there.
    #[test]
    fn spans_of_uneven_frames_are_one_title(
        lengths in prop::collection::vec(1_000_000i64..2_000_000_000, 2..300), span in 1u32..4,
    ) {
        let mut times = vec![0];
        for length in lengths {
            times.push(times[times.len() - 1] + length);
        }
        let shown = |span_segments: u32| -> Vec<i64> {
            let p = Pipeline { span_segments, ..pipeline() };
            let p = make(&p, &times, 7, None).unwrap();
            p.spans
                .iter()
                .flat_map(|span| {
                    let first = times.iter().position(|t| *t == span.read.first_frame_pts_ns).unwrap();
                    let kept = times[first..].iter().take(span.read.frames as usize);
                    assert_eq!(kept.clone().next_back(), Some(&span.read.last_frame_pts_ns));
                    (0u64..)
                        .zip(kept)
                        .flat_map(|(n, t)| vec![*t; span.repeats_of(n) as usize])
                        .collect::<Vec<_>>()
                })
                .collect()
        };
        prop_assert_eq!(shown(span), shown(1000));
    }
}

#[test]
fn every_part_is_made_with_the_same_encoder() {
    let planned = make(&pipeline(), &at(25, 1, 300), 50, Some(FrameRate::PAL)).unwrap();
    let encoders = |plan: &Plan| match &plan.pipeline.audio {
        Audio::Encode(encode) => encode.encoders.clone(),
        Audio::Copy => vec![],
    };
    let mut several = planned.clone();
    if let Audio::Encode(encode) = &mut several.pipeline.audio {
        encode.encoders = ["best", "good", "worst"].map(str::to_owned).to_vec();
    }
    let with = |names: &[&str]| {
        let installed = names.iter().map(|name| (*name).to_owned()).collect();
        several.clone().made_with(&installed)
    };
    assert_eq!(encoders(&with(&["worst", "good"])), ["good"]);
    assert_eq!(encoders(&with(&[])), ["best", "good", "worst"]);
    // Healing goes on with what was made, whatever is installed by then.
    assert!(with(&["worst"]).cuts_like(&with(&["best"])));
}

/// A radio play of ten minutes and a bit.
#[test]
fn sound_without_a_picture_is_a_title() {
    let mut facts = facts_of(None);
    facts.video.clear();
    facts.audio[0].end_ns = 600_300_000_000;
    let nothing = Index { basis: Basis::Parsed, units: vec![], last_duration_ns: None };
    let p = plan(Sha256([2; 32]), &pipeline(), "engine", &facts, &nothing, 5).unwrap();
    assert!(p.video.is_empty() && p.spans.is_empty());
    assert_eq!(p.segments.len(), 100, "the last 0.3 s are part of the one before");
    let rendition = &p.audio[0];
    assert_eq!((p.timescale, rendition.zero_ns), (rendition.sample_rate, 5));
    // Boundaries are those of the sound itself.
    for (n, segment) in p.segments.iter().enumerate() {
        let frames = rendition.frames_of(n);
        assert_eq!(frames.start * u64::from(AAC_FRAME), segment.start);
        assert_eq!((frames.end - frames.start) * u64::from(AAC_FRAME), segment.ticks);
    }
    let length = p.duration().ticks as f64 / f64::from(p.timescale);
    assert!((600.3..600.33).contains(&length), "{length}");
    let whole = Remake {
        base: Version(1),
        renditions: vec![],
        from_ms: None,
        to_ms: None,
        reason: None,
        heals: false,
    };
    assert_eq!(again(&p, &whole).map(|base| base.kept), Ok(vec![]));
    facts.audio[0].end_ns = 0;
    let refused = plan(Sha256([2; 32]), &pipeline(), "engine", &facts, &nothing, 0).unwrap_err();
    assert_eq!(refused.code, Code::DamagedMaster);
}

#[test]
fn tracks_with_six_channels_are_there_in_two_as_well() {
    let mut surround = pipeline();
    let Audio::Encode(encode) = &mut surround.audio else { unreachable!("it encodes") };
    encode.surround_kbps = Some(384);
    assert_eq!((encode.kbps_of(1), encode.kbps_of(6)), (encode.kbps / 2, 384));
    let mut facts = facts_of(Some(FrameRate::PAL));
    facts.audio[0].channels = 6;
    facts.audio.push(AudioTrack {
        stream: "003".to_owned(),
        channels: 2,
        ..facts.audio[0].clone()
    });
    let index = index(&at(25, 1, 300), 50);
    let p = plan(Sha256([2; 32]), &surround, "engine", &facts, &index, 0).unwrap();
    let found: Vec<(&str, u32)> = p.audio.iter().map(|a| (a.name.as_str(), a.channels)).collect();
    let first = p.audio[0].name.clone();
    assert_eq!(
        found,
        [(first.as_str(), 2), (p.audio[1].name.as_str(), 2), (&*format!("{first}-51"), 6)]
    );
    assert_eq!(p.audio[2].stream, p.audio[0].stream);
}
