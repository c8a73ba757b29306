//! A small package that tests can break: 22.022 s at 29.97 Hz, three pictures, two languages, four segments each.

use std::collections::BTreeMap;

use headwater_model::finding::{Finding, FindingKind};
use headwater_model::id::{Md5, Sha256, Version};
use headwater_model::index::Cadence;
use headwater_model::inventory::{FORMAT, Header, Inventory, Object, ObjectRole, RenditionHeader};
use headwater_model::key::{
    HLS_NAME, INIT_NAME, MEDIA_PLAYLIST_NAME, MPD_NAME, ObjectKey, PackageId, WHOLE_TEXT_NAME,
    segment_name, text_segment_name, transport_name,
};
use headwater_model::ladder::VideoRendition;
use headwater_model::master::Orientation;
use headwater_model::origin::PublishRules;
use headwater_model::pipeline::{Audio, Codec, Pipeline, Video};
use headwater_model::plan::{
    AAC_FRAME, AudioRendition, Plan, SegmentPlan, TextPurpose, TextRendition,
};
use headwater_model::quality::QualityRules;
use headwater_model::time::{FrameRate, MediaTime};

use crate::view::{PackageView, Place};
use crate::{dash, hls, inventory};

/// AVCDecoderConfigurationRecord of x264, High profile, level 1.3, 320x180.
pub(crate) const AVCC: [u8; 45] = [
    0x01, 0x64, 0x00, 0x0d, 0xff, 0xe1, 0x00, 0x18, 0x67, 0x64, 0x00, 0x0d, 0xac, 0xd9, 0x41, 0x41,
    0x9f, 0x9f, 0x01, 0x10, 0x00, 0x00, 0x3e, 0x90, 0x00, 0x0e, 0xa6, 0x00, 0xf1, 0x42, 0x99, 0x60,
    0x01, 0x00, 0x06, 0x68, 0xeb, 0xe3, 0xcb, 0x22, 0xc0, 0xfd, 0xf8, 0xf8, 0x00,
];

/// AudioSpecificConfig of AAC-LC, 48 kHz, stereo, as avenc_aac writes it: with a word on SBR at the end.
pub(crate) const ASC: [u8; 5] = [0x11, 0x90, 0x56, 0xe5, 0x00];

/// Ticks by which two frames of reordering put off the presentation of video.
pub(crate) const DELAY: u64 = 2 * 1001;

/// Frames of each segment.
const FRAMES: [u32; 4] = [180, 180, 180, 120];

pub(crate) fn plan() -> Plan {
    let mut segments: Vec<SegmentPlan> = Vec::new();
    for frames in FRAMES {
        let (first_frame, start) = segments
            .last()
            .map_or((0, 0), |s| (s.first_frame + u64::from(s.frames), s.start + s.ticks));
        segments.push(SegmentPlan { first_frame, frames, start, ticks: u64::from(frames) * 1001 });
    }
    let ends: Vec<u64> = segments
        .iter()
        .map(|s| MediaTime { ticks: s.start + s.ticks, timescale: 30_000 })
        .map(|t| (t.rescale(48_000) + 512) / u64::from(AAC_FRAME))
        .collect();
    let video = |name: &str, width, height| VideoRendition {
        name: format!("video-{name}"),
        codec: Codec::H264,
        width,
        height,
        crf: 23.0,
        max_kbps: 0,
        buffer_kbit: 0,
        every: 1,
        trick: false,
        hdr: false,
        copy: false,
    };
    let audio = |language: &str| AudioRendition {
        name: format!("audio-{language}"),
        stream: format!("audio_{language}"),
        parts: vec![],
        title: None,
        language: Some(language.to_owned()),
        channels: 2,
        track_channels: 2,
        sample_rate: 48_000,
        ends: ends.clone(),
        zero_ns: 0,
    };
    Plan {
        master: Sha256([1; 32]),
        pipeline: Pipeline {
            name: "vod-h264".to_owned(),
            sha256: Sha256([2; 32]),
            segment_ms: 6000,
            gop_ms: 2000,
            span_segments: 10,
            video: Video::Copy,
            audio: Audio::Copy,
            pool: None,
            publish: PublishRules::default(),
            quality: QualityRules::default(),
            transport: false,
        },
        engine: "test".to_owned(),
        cadence: Cadence::Constant(FrameRate::new(30_000, 1001).expect("a rate")),
        timescale: 30_000,
        delay: DELAY,
        delivery: None,
        sources: vec![],
        stream: "000".to_owned(),
        frames: FRAMES.iter().map(|n| u64::from(*n)).sum(),
        segments,
        spans: Vec::new(),
        orientation: Orientation::Upright,
        fields: None,
        colour: None,
        peak: None,
        captions: false,
        mastering: None,
        light: None,
        coded: None,
        stride: 1,
        video: vec![video("1080p", 1920, 1080), video("540p", 960, 540), video("234p", 416, 234)],
        audio: vec![audio("eng"), audio("de")],
        text: vec![],
        pictures: None,
        base: None,
    }
}

pub(crate) fn codecs() -> Vec<(String, String)> {
    [
        ("video-1080p", "avc1.640028"),
        ("video-540p", "avc1.64001f"),
        ("video-234p", "avc1.64000d"),
        ("trick-234p", "avc1.64000b"),
        ("audio-eng", "mp4a.40.2"),
        ("audio-de", "mp4a.40.2"),
    ]
    .map(|(name, codec)| (name.to_owned(), codec.to_owned()))
    .to_vec()
}

pub(crate) fn object(path: String, bytes: u64, role: ObjectRole) -> Object {
    Object { path, bytes, sha256: Sha256([3; 32]), md5: Md5([4; 16]), version: None, role }
}

/// Everything that the plan asks for. The second segment of each rendition is twice as heavy as the others.
pub(crate) fn objects(plan: &Plan) -> Vec<Object> {
    let mut objects = Vec::new();
    let mut rendition = |name: &str, per_second: u64, times: Vec<(u64, u64, u64)>, scale: u64| {
        let role = ObjectRole::Init { rendition: name.to_owned() };
        objects.push(object(format!("{name}/{INIT_NAME}"), 700, role));
        for (n, (start, ticks, samples)) in (0..).zip(times) {
            let heavy = if n == 1 { 2 } else { 1 };
            let role = ObjectRole::Segment {
                rendition: name.to_owned(),
                number: n,
                start,
                ticks,
                samples: u32::try_from(samples).expect("few samples"),
            };
            let bytes = per_second * ticks / scale * heavy;
            objects.push(object(format!("{name}/{}", segment_name(n)), bytes, role));
            if plan.pipeline.transport {
                let rendition = name.to_owned();
                let role = ObjectRole::Transport { rendition, number: n, start };
                let bytes = bytes * 21 / 20;
                objects.push(object(format!("{name}/{}", transport_name(n)), bytes, role));
            }
        }
    };
    for (v, per_second) in plan.video.iter().zip([600_000, 200_000, 20_000, 2_000]) {
        let frames = |s: &SegmentPlan| v.frames_of(s.frames).into();
        let times = plan.segments.iter().map(|s| (s.start, s.ticks, frames(s))).collect();
        rendition(&v.name, per_second, times, plan.timescale.into());
    }
    for a in &plan.audio {
        let frames = (0..plan.segments.len()).map(|n| a.frames_of(n));
        let times = frames.map(|f| (f.start * 1024, (f.end - f.start) * 1024, f.end - f.start));
        rendition(&a.name, 16_000, times.collect(), a.sample_rate.into());
    }
    for t in &plan.text {
        let numbers = (0u32..).zip(plan.text_segments()).map(|(n, _)| Some(n));
        for number in numbers.chain([None]) {
            let file = number.map_or_else(|| WHOLE_TEXT_NAME.to_owned(), text_segment_name);
            let role = ObjectRole::Text { rendition: t.name.clone(), number };
            objects.push(object(format!("{}/{file}", t.name), 900, role));
        }
    }
    objects
}

pub(crate) fn view() -> PackageView {
    view_of(&plan())
}

pub(crate) fn view_of(plan: &Plan) -> PackageView {
    PackageView::new(plan, &objects(plan), &codecs()).expect("a complete package")
}

/// The same with one picture of each segment.
pub(crate) fn plan_with_trick() -> Plan {
    let mut plan = plan();
    let small = plan.video[2].trick(FRAMES[0]);
    plan.video.push(small);
    plan
}

/// The same with segments as MPEG-TS for HLS.
pub(crate) fn plan_with_transport() -> Plan {
    let mut plan = plan();
    plan.pipeline.transport = true;
    plan
}

/// The same with subtitles of three kinds.
pub(crate) fn plan_with_text() -> Plan {
    let text = |name: &str, language: Option<&str>, purpose| TextRendition {
        name: name.to_owned(),
        stream: "003".to_owned(),
        delivered: None,
        language: language.map(str::to_owned),
        title: None,
        purpose,
        zero_ns: 0,
    };
    let text = vec![
        text("text-en-forced", Some("eng"), TextPurpose::Forced),
        text("text-en-sdh", Some("eng"), TextPurpose::HardOfHearing),
        text("text-3", None, TextPurpose::Dialogue),
    ];
    Plan { text, ..plan() }
}

pub(crate) fn package() -> PackageId {
    PackageId {
        tenant: "main".parse().expect("a name"),
        title: "film".parse().expect("a name"),
        version: Version(1),
    }
}

/// A finding as people read it, without what is the same in all.
pub(crate) fn sentence(key: &ObjectKey, kind: FindingKind) -> String {
    let finding = Finding { origin: "o".to_owned(), object: key.to_string(), kind };
    finding.to_string().replace(" on origin o", "").replace("main/film/", "")
}

/// All playlists and the MPD of the package, by path.
fn manifests(plan: &Plan) -> Vec<(String, String)> {
    let view = view_of(plan);
    let mut manifests: Vec<(String, String)> = view
        .tracks()
        .map(|t| (format!("{}/{MEDIA_PLAYLIST_NAME}", t.name), hls::media_playlist(&view, t)))
        .collect();
    manifests.extend(
        view.text
            .iter()
            .map(|t| (format!("{}/{MEDIA_PLAYLIST_NAME}", t.name), hls::text_playlist(t))),
    );
    manifests.push((HLS_NAME.to_owned(), hls::multivariant(&view, Place::Package)));
    manifests.push((MPD_NAME.to_owned(), dash::mpd(&view, Place::Package)));
    manifests
}

/// The bytes of all manifests, pointers included, by key.
pub(crate) fn files() -> BTreeMap<ObjectKey, Vec<u8>> {
    files_of(&plan())
}

pub(crate) fn files_of(plan: &Plan) -> BTreeMap<ObjectKey, Vec<u8>> {
    let package = package();
    let mut files: BTreeMap<ObjectKey, Vec<u8>> = manifests(plan)
        .into_iter()
        .map(|(path, text)| (package.key(&path), text.into_bytes()))
        .collect();
    let place = Place::Title(package.version);
    let pointers = [hls::multivariant(&view_of(plan), place), dash::mpd(&view_of(plan), place)];
    files.extend(package.pointers().into_iter().zip(pointers.map(String::into_bytes)));
    files
}

pub(crate) fn inventory() -> Inventory {
    inventory_of(&plan())
}

pub(crate) fn inventory_of(plan: &Plan) -> Inventory {
    let mut objects = objects(plan);
    objects.extend(
        manifests(plan)
            .into_iter()
            .map(|(path, text)| object(path, text.len() as u64, ObjectRole::Manifest)),
    );
    let view = view_of(plan);
    let renditions = view
        .tracks()
        .map(|t| RenditionHeader {
            name: t.name.clone(),
            codec: t.codec.clone(),
            timescale: t.timescale,
            delay: t.delay,
            trick: view.is_trick(t),
            version: Version(1),
        })
        .collect();
    let header = Header {
        format: FORMAT.to_owned(),
        package: package(),
        master: plan.master,
        pipeline: plan.pipeline.name.clone(),
        pipeline_sha256: plan.pipeline.sha256,
        engine: plan.engine.clone(),
        renditions,
        objects: 0,
    };
    inventory::read(&inventory::write(&header, &objects)).expect("what was written can be read")
}
