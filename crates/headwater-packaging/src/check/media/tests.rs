//! What is found when a segment's bytes are not what the inventory says.

use expect_test::{Expect, expect};

use super::*;
use crate::cmaf::{AudioInit, Sample, VideoConfig, VideoInit, segment_head};
use crate::fixture::{self, ASC, AVCC, DELAY};

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

/// `I P B`, presented in the order 0 2 1, two frames of delay in each offset.
fn sound_segment() -> (Object, Vec<u8>) {
    made_of(&[sample(2002, true), sample(3003, false), sample(1001, false)])
}

/// What the inventory says about the rendition.
fn rendition() -> RenditionHeader {
    let named = |r: &RenditionHeader| r.name == "video-540p";
    fixture::inventory().header.renditions.into_iter().find(named).expect("it is in the fixture")
}

#[test]
fn sound_segment_is_fine() {
    let (object, bytes) = sound_segment();
    check(segment(&rendition(), &object, &bytes), expect!["fine"]);
}

#[test]
fn wrong_bytes() {
    let check = |change: fn(&mut Vec<u8>), expected| {
        let (object, mut bytes) = sound_segment();
        change(&mut bytes);
        check(segment(&rendition(), &object, &bytes), expected);
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
        check(segment(&rendition(), &object, &bytes), expected);
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
    let (object, bytes) = made_of(&[sample(2002, false), sample(2002, true)]);
    check(
        segment(&rendition(), &object, &bytes),
        expect!["`v1/x` is malformed: its first sample is not a key"],
    );
}

#[test]
fn segment_that_is_not_presented_from_its_start_on() {
    let check = |samples: [Sample; 2], expected| {
        let (object, bytes) = made_of(&samples);
        check(segment(&rendition(), &object, &bytes), expected);
    };
    check([sample(2002, true), sample(2002, false)], expect!["fine"]);
    // Without the delay, which the edit list takes off all the same; with one frame more; one frame shown too early.
    check(
        [sample(0, true), sample(0, false)],
        expect![
            "`v1/x` is malformed: its first frame is presented at tick 180180 instead of 180180 + 2002"
        ],
    );
    check(
        [sample(3003, true), sample(3003, false)],
        expect![
            "`v1/x` is malformed: its first frame is presented at tick 183183 instead of 180180 + 2002"
        ],
    );
    check(
        [sample(2002, true), sample(0, false)],
        expect![
            "`v1/x` is malformed: its first frame is presented at tick 181181 instead of 180180 + 2002"
        ],
    );
}

#[test]
fn delay_of_the_inventory_counts() {
    let (object, bytes) = sound_segment();
    let check = |delay, expected| {
        check(segment(&RenditionHeader { delay, ..rendition() }, &object, &bytes), expected);
    };
    check(
        0,
        expect![
            "`v1/x` is malformed: its first frame is presented at tick 182182 instead of 180180 + 0"
        ],
    );
    check(
        u64::MAX,
        expect![
            "`v1/x` is malformed: its first frame is presented at tick 182182 instead of 180180 + 18446744073709551615"
        ],
    );
}

#[test]
fn init_segment_of_another_rendition() {
    let inventory = fixture::inventory();
    let check = |codec: &str, timescale, delay, bytes: &[u8], expected| {
        let (codec, rendition) = (codec.to_owned(), inventory.header.renditions[0].clone());
        let header = RenditionHeader { codec, timescale, delay, ..rendition };
        let role = ObjectRole::Init { rendition: header.name.clone() };
        let object = fixture::object("video-1080p/init.mp4".to_owned(), bytes.len() as u64, role);
        check(init(&header, &object, bytes), expected);
    };
    let video = VideoInit {
        width: 320,
        height: 180,
        timescale: 30_000,
        delay: DELAY,
        config: VideoConfig::Avc(&AVCC),
        mastering: None,
        light: None,
        colour: None,
    };
    let without_delay = VideoInit { delay: 0, ..video }.to_bytes().expect("an init segment");
    let video = video.to_bytes().expect("an init segment");
    check("avc1.64000d", 30_000, DELAY, &video, expect!["fine"]);
    check(
        "avc1.64000d",
        30_000,
        1001,
        &video,
        expect!["`v1/x` is malformed: its edit list skips 2002 ticks instead of 1001"],
    );
    check(
        "avc1.64000d",
        30_000,
        DELAY,
        &without_delay,
        expect!["`v1/x` is malformed: its edit list skips 0 ticks instead of 2002"],
    );
    check(
        "avc1.64000d",
        25_000,
        DELAY,
        &video,
        expect!["`v1/x` is malformed: it has 30000 ticks a second instead of 25000"],
    );
    check(
        "avc1.640028",
        30_000,
        DELAY,
        &video,
        expect!["`v1/x` is malformed: its codec is `avc1.64000d` instead of `avc1.640028`"],
    );
    check(
        "avc1.64000d",
        30_000,
        DELAY,
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
    check("mp4a.40.2", 48_000, 0, &audio, expect!["fine"]);
    check(
        "avc1.64000d",
        48_000,
        0,
        &audio,
        expect!["`v1/x` is malformed: its codec is `mp4a.40.2` instead of `avc1.64000d`"],
    );
}
