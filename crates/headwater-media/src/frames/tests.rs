//! The union of the spans equals one full decode, bit for bit.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::Path;

use gstreamer_video as gst_video;
use gstreamer_video::prelude::*;
use headwater_model::id::Sha256;
use headwater_model::origin::PublishRules;
use headwater_model::pipeline::{
    Audio, AudioEncode, Codec, Pipeline, Rung, USUAL_PEAK, Video, VideoEncode,
};
use headwater_model::plan::{SpanPlan, plan};
use headwater_model::quality::QualityRules;

use super::*;
use crate::inspect::inspect;

/// Makes a master of `frames` numbered frames with a launch line between source and file.
fn master(folder: &Path, name: &str, frames: u32, rate: &str, line: &str) -> Master {
    gst::init().expect("GStreamer starts");
    let path = folder.join(name);
    let launch = format!(
        "videotestsrc num-buffers={frames} pattern=ball ! video/x-raw,format=I420,width=160,height=90,framerate={rate} \
         ! timeoverlay ! {line} ! filesink location={}",
        path.display()
    );
    let pipeline = gst::parse::launch(&launch).expect("the launch line is right");
    pipeline.set_state(gst::State::Playing).expect("the master can be made");
    let bus = pipeline.bus().expect("a pipeline has a bus");
    let message = bus.timed_pop_filtered(
        gst::ClockTime::from_seconds(50),
        &[gst::MessageType::Eos, gst::MessageType::Error],
    );
    let _ = pipeline.set_state(gst::State::Null);
    assert!(matches!(message.expect("it ends").view(), gst::MessageView::Eos(_)), "{launch}");
    Master::new(File::open(path).expect("it is there")).expect("it can be read")
}

/// Segments of 5 s, one in each span.
fn pipeline() -> Pipeline {
    let rung = Rung {
        name: "90p".into(),
        codec: Codec::H264,
        long_side: 160,
        short_side: 90,
        crf: 23.0,
        max_kbps: 300,
        buffer_kbit: 600,
        max_fps: None,
        hdr: false,
        copy: false,
    };
    Pipeline {
        name: "test".into(),
        sha256: Sha256([0; 32]),
        segment_ms: 5000,
        gop_ms: 1000,
        span_segments: 1,
        video: Video::Encode(VideoEncode {
            encoders: vec![],
            preset: String::new(),
            others: BTreeMap::new(),
            trick: false,
            pictures: false,
            ladder: vec![rung],
        }),
        audio: Audio::Encode(AudioEncode {
            encoders: vec![],
            kbps: 64,
            sample_rate: 48_000,
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

/// What every frame looks like.
fn pictures(mut reader: FrameReader) -> Vec<u64> {
    use std::hash::{DefaultHasher, Hash, Hasher};
    let mut seen = Vec::new();
    while let Some(sample) = reader.next().expect("it decodes") {
        let info =
            gst_video::VideoInfo::from_caps(sample.caps().expect("caps")).expect("a picture");
        let frame = gst_video::VideoFrameRef::from_buffer_ref_readable(
            sample.buffer().expect("a buffer"),
            &info,
        );
        let frame = frame.expect("a readable picture");
        let mut hash = DefaultHasher::new();
        for plane in 0..3 {
            let stride = frame.plane_stride()[plane as usize] as usize;
            let (width, rows) = (frame.comp_width(plane), frame.comp_height(plane));
            let (width, rows) = (width as usize, rows as usize);
            let data = frame.plane_data(plane).expect("a plane");
            (0..rows).for_each(|row| data[row * stride..row * stride + width].hash(&mut hash));
        }
        seen.push(hash.finish());
    }
    seen
}

fn check(name: &str, frames: u32, rate: &str, line: &str, basis: Basis) {
    let folder = tempfile::tempdir().expect("a folder");
    let master = master(folder.path(), name, frames, rate, line);
    let found = inspect(&master, || ()).expect("it is fine");
    assert_eq!(found.index.basis, basis, "{name}");
    let plan =
        plan(Sha256([0; 32]), &pipeline(), "engine", &found.facts, &found.index, found.zero_ns)
            .expect("a plan");
    assert_eq!(plan.frames, u64::from(frames), "{name}: frames in the plan");
    let whole = pictures(FrameReader::whole(&master, &plan.stream).expect("it opens"));
    let spans: Vec<u64> = plan
        .spans
        .iter()
        .flat_map(|s| pictures(FrameReader::span(&master, &plan, &s.read).expect("it opens")))
        .collect();
    assert_eq!(spans, whole, "{name}: {} spans against one full decode", plan.spans.len());
    assert!(basis == Basis::Decoded || plan.spans.len() > 1, "{name} is cut");
}

const OPEN_GOPS: &str = "x264enc bframes=3 key-int-max=37 option-string=open-gop=1:scenecut=0 speed-preset=veryfast ! h264parse";

#[test]
fn open_gops_in_mp4() {
    check("open.mp4", 300, "25/1", &format!("{OPEN_GOPS} ! mp4mux"), Basis::Parsed);
}

#[test]
fn open_gops_at_a_broken_rate_in_matroska() {
    check("open.mkv", 360, "30000/1001", &format!("{OPEN_GOPS} ! matroskamux"), Basis::Parsed);
}

#[test]
fn vp8_in_webm() {
    check(
        "film.webm",
        300,
        "25/1",
        "vp8enc keyframe-max-dist=40 deadline=1 ! webmmux",
        Basis::Parsed,
    );
}

#[test]
fn a_transport_stream_is_decoded_for_its_index() {
    check(
        "film.ts",
        200,
        "25/1",
        "x264enc key-int-max=25 bframes=0 speed-preset=veryfast ! h264parse ! mpegtsmux",
        Basis::Decoded,
    );
}

/// Each field is of another moment, and the missing lines of each frame come from the frames around it: also from those of
/// the spans before and after.
#[test]
fn fields_become_frames_whatever_the_span() {
    let folder = tempfile::tempdir().expect("a folder");
    // Fields of 4:2:0 need a number of lines that 4 divides.
    let line = "videocrop bottom=2 ! interlace field-pattern=1:1 top-field-first=false ! x264enc interlaced=true key-int-max=23 bframes=2 \
                option-string=bff=1 speed-preset=veryfast ! h264parse ! mp4mux";
    let master = master(folder.path(), "tape.mp4", 600, "50/1", line);
    let found = inspect(&master, || ()).expect("it is fine");
    assert_eq!(found.facts.video[0].fields, Some(Fields::BottomFirst));
    let planned = |span_segments| {
        let pipeline = Pipeline { span_segments, ..pipeline() };
        plan(Sha256([0; 32]), &pipeline, "engine", &found.facts, &found.index, found.zero_ns)
            .expect("a plan")
    };
    let seen = |plan: &Plan| -> Vec<u64> {
        let reader = |s: &SpanPlan| FrameReader::span(&master, plan, &s.read).expect("it opens");
        plan.spans.iter().flat_map(|s| pictures(reader(s))).collect()
    };
    let (cut, whole) = (planned(1), planned(100));
    assert_eq!((cut.spans.len(), whole.spans.len()), (3, 1));
    let whole = seen(&whole);
    assert_eq!(whole.len(), 300);
    assert_eq!(seen(&cut), whole);
}

#[test]
fn a_span_of_another_master_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let one = master(folder.path(), "one.mp4", 300, "25/1", &format!("{OPEN_GOPS} ! mp4mux"));
    let two = master(
        folder.path(),
        "two.mp4",
        300,
        "25/1",
        "x264enc key-int-max=11 ! h264parse ! mp4mux",
    );
    let found = inspect(&one, || ()).expect("it is fine");
    let plan =
        plan(Sha256([0; 32]), &pipeline(), "engine", &found.facts, &found.index, found.zero_ns)
            .expect("a plan");
    let second = &plan.spans[1];
    let error = FrameReader::span(&two, &plan, &second.read).expect_err("it is another film");
    assert_eq!(error.into_refusal().code, Code::FrameCountMismatch);
}
