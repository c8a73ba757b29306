//! What is found when a segment's bytes are not what the inventory says.

use expect_test::{Expect, expect};

use super::*;
use crate::cmaf::{AudioInit, Sample, VideoInit, segment_head};
use crate::fixture::{self, ASC, AVCC};

/// A finding as people read it, `fine` when there is none.
fn check(found: Option<FindingKind>, expected: Expect) {
    let found = found.map(|kind| fixture::sentence(&fixture::package().key("x"), kind));
    expected.assert_eq(found.as_deref().unwrap_or("fine"));
}

fn sample(composition_offset: i32, key: bool) -> Sample {
    Sample { size: 10, duration: 1001, composition_offset, key }
}

/// A segment of these samples from tick 180180 on, and what the inventory says about it.
fn made_of(samples: &[Sample]) -> (Object, Vec<u8>) {
    let mut bytes = segment_head(2, 180_180, samples).expect("a head");
    bytes.resize(bytes.len() + samples.len() * 10, 0);
    let role = ObjectRole::Segment {
        rendition: "video-540p".to_owned(),
        number: 1,
        start: 180_180,
        ticks: samples.len() as u64 * 1001,
        samples: samples.len() as u32,
    };
    (fixture::object("video-540p/seg-00002.m4s".to_owned(), bytes.len() as u64, role), bytes)
}

fn sound_segment() -> (Object, Vec<u8>) {
    made_of(&[sample(0, true), sample(1001, false), sample(-1001, false)])
}

#[test]
fn sound_segment_is_fine() {
    let (object, bytes) = sound_segment();
    check(segment(&object, &bytes), expect!["fine"]);
}

#[test]
fn wrong_bytes() {
    let check = |change: fn(&mut Vec<u8>), expected| {
        let (object, mut bytes) = sound_segment();
        change(&mut bytes);
        check(segment(&object, &bytes), expected);
    };
    check(Vec::clear, expect!["`v1/x` is empty (it should have 186 bytes)"]);
    check(|bytes| bytes.truncate(100), expect!["`v1/x` is truncated: 100 of 186 bytes are there"]);
    check(|bytes| bytes.push(0), expect!["`v1/x` is too long: 187 bytes instead of 186"]);
    check(
        |bytes| bytes.fill(0),
        expect![[r#"`v1/x` is malformed: box `\x00\x00\x00\x00` does not say its size"#]],
    );
    check(
        |bytes| bytes.fill(b'<'),
        expect!["`v1/x` is malformed: box `<<<<` is cut off: 186 of 1010580540 bytes are there"],
    );
}

#[test]
fn segment_of_another_place() {
    let check = |change: fn(&mut u64, &mut u64, &mut u32), expected| {
        let (mut object, bytes) = sound_segment();
        if let ObjectRole::Segment { start, ticks, samples, .. } = &mut object.role {
            change(start, ticks, samples);
        }
        check(segment(&object, &bytes), expected);
    };
    check(
        |start, _, _| *start -= 1,
        expect!["`v1/x` starts at tick 180180, but the segment before it ends at tick 180179"],
    );
    check(
        |_, ticks, _| *ticks += 1,
        expect!["`v1/x` is malformed: it lasts 3003 ticks instead of 3004"],
    );
    check(
        |_, _, samples| *samples += 1,
        expect!["`v1/x` is malformed: it has 3 samples instead of 4"],
    );
}

#[test]
fn segment_that_cannot_be_switched_to() {
    let check = |samples: [Sample; 2], expected| {
        let (object, bytes) = made_of(&samples);
        check(segment(&object, &bytes), expected);
    };
    check(
        [sample(0, false), sample(0, true)],
        expect!["`v1/x` is malformed: its first sample is not a key"],
    );
    check(
        [sample(2002, true), sample(2002, false)],
        expect!["`v1/x` is malformed: it shows its first sample at tick 182182, not at 180180"],
    );
    check(
        [sample(0, true), sample(-2002, false)],
        expect!["`v1/x` is malformed: it shows its first sample at tick 179179, not at 180180"],
    );
}

#[test]
fn init_segment_of_another_rendition() {
    let inventory = fixture::inventory();
    let check = |codec: &str, timescale, bytes: &[u8], expected| {
        let codec = codec.to_owned();
        let header = RenditionHeader { codec, timescale, ..inventory.header.renditions[0].clone() };
        let role = ObjectRole::Init { rendition: header.name.clone() };
        let object = fixture::object("video-1080p/init.mp4".to_owned(), bytes.len() as u64, role);
        check(init(&header, &object, bytes), expected);
    };
    let video = VideoInit { width: 320, height: 180, timescale: 30_000, avcc: &AVCC, colour: None };
    let video = video.to_bytes().expect("an init segment");
    check("avc1.64000d", 30_000, &video, expect!["fine"]);
    check(
        "avc1.64000d",
        25_000,
        &video,
        expect!["`v1/x` is malformed: it has 30000 ticks a second instead of 25000"],
    );
    check(
        "avc1.640028",
        30_000,
        &video,
        expect!["`v1/x` is malformed: its codec is `avc1.64000d` instead of `avc1.640028`"],
    );
    check(
        "avc1.64000d",
        30_000,
        &sound_segment().1,
        expect!["`v1/x` is malformed: box `mdat` does not belong into an init segment"],
    );
    let audio = AudioInit {
        sample_rate: 48_000,
        channels: 2,
        timescale: 48_000,
        language: None,
        asc: &ASC,
        bitrate: 128_000,
    };
    let audio = audio.to_bytes().expect("an init segment");
    check("mp4a.40.2", 48_000, &audio, expect!["fine"]);
    check(
        "avc1.64000d",
        48_000,
        &audio,
        expect!["`v1/x` is malformed: its codec is `mp4a.40.2` instead of `avc1.64000d`"],
    );
}
