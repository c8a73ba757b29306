//! Init and media segments, compared box by box, broken in every way, and read back.

use std::fmt::Write as _;

use expect_test::{Expect, expect};
use headwater_model::colour::Colour;
use mp4_atom::{Buf as _, Decode as _, Header};
use proptest::prelude::*;

use super::*;
use crate::fixture::{ASC, AVCC, DELAY};

/// A frame of video: its size, its offset and whether it is a key.
fn frame(size: u32, composition_offset: i32, key: bool) -> Sample {
    Sample { size, duration: 1001, composition_offset, key }
}

/// `I P B b` twice, the second group a key again: presented in the order 0 3 2 1, two frames of delay in each offset.
fn two_groups() -> Vec<Sample> {
    let offsets = [(50, 2, true), (20, 4, false), (10, 2, false), (5, 0, false)];
    let group = offsets.map(|(size, frames, key)| frame(size, frames * 1001, key));
    [group, group].concat()
}

fn sound(sizes: &[u32]) -> Vec<Sample> {
    let sample = |size| Sample { size, duration: 1024, composition_offset: 0, key: true };
    sizes.iter().copied().map(sample).collect()
}

/// A whole segment with content that does not matter.
fn segment(sequence: u32, start: u64, samples: &[Sample]) -> Vec<u8> {
    let mut bytes = segment_head(sequence, start, samples).expect("a head");
    let size: u32 = samples.iter().map(|s| s.size).sum();
    bytes.resize(bytes.len() + size as usize, 0xaa);
    bytes
}

fn video_init() -> VideoInit<'static> {
    let colour = Some(Colour::BT709);
    VideoInit {
        width: 320,
        height: 180,
        timescale: 30_000,
        delay: DELAY,
        config: VideoConfig::Avc(&AVCC),
        colour,
        mastering: None,
        light: None,
    }
}

fn audio_init() -> AudioInit<'static> {
    AudioInit {
        sample_rate: 48_000,
        channels: 2,
        timescale: 48_000,
        language: Some("de-AT"),
        asc: &ASC,
        bitrate: 128_000,
    }
}

/// The boxes as a tree: size and kind, and the bytes of those without children.
fn tree(bytes: &[u8]) -> String {
    fn walk(mut rest: &[u8], depth: usize, out: &mut String) {
        const CONTAINERS: [&str; 10] =
            ["moov", "trak", "edts", "mdia", "minf", "dinf", "stbl", "mvex", "moof", "traf"];
        while !rest.is_empty() {
            let before = rest.len();
            let header = Header::decode(&mut rest).expect("a header");
            let size = header.size.expect("a size").min(rest.len());
            let body = &rest[..size];
            let kind = header.kind.to_string();
            write!(out, "{:indent$}{kind} {}", "", before - rest.len() + size, indent = depth * 2)
                .expect("memory");
            // Bytes of fixed fields before the children.
            let fixed = match kind.as_str() {
                "stsd" | "dref" => Some(8),
                "avc1" => Some(78),
                "mp4a" => Some(28),
                kind if CONTAINERS.contains(&kind) => Some(0),
                _ => None,
            };
            let hex = |bytes: &[u8]| {
                bytes.chunks(4).fold(String::new(), |text, word| {
                    let word: String = word.iter().map(|b| format!("{b:02x}")).collect();
                    text + " " + &word
                })
            };
            match fixed {
                Some(fixed) => {
                    writeln!(out, "{}", hex(&body[..fixed])).expect("memory");
                    walk(&body[fixed..], depth + 1, out);
                }
                None if kind == "mdat" => writeln!(out).expect("memory"),
                None => writeln!(out, "{}", hex(body)).expect("memory"),
            }
            rest.advance(size);
        }
    }
    let mut out = String::new();
    walk(bytes, 0, &mut out);
    out
}

fn check_tree(bytes: &[u8], expected: Expect) {
    expected.assert_eq(&tree(bytes));
}

#[test]
fn video_init_segment() {
    check_tree(
        &video_init().to_bytes().expect("an init segment"),
        expect![[r#"
            ftyp 24 636d6663 00000000 69736f36 636d6663
            moov 740
              mvhd 120 01000000 00000000 00000000 00000000 00000000 00007530 00000000 00000000 00010000 01000000 00000000 00000000 00010000 00000000 00000000 00000000 00010000 00000000 00000000 00000000 40000000 00000000 00000000 00000000 00000000 00000000 00000000 00000002
              trak 572
                tkhd 104 01000007 00000000 00000000 00000000 00000000 00000001 00000000 00000000 00000000 00000000 00000000 00000000 00000000 00010000 00000000 00000000 00000000 00010000 00000000 00000000 00000000 40000000 01400000 00b40000
                edts 36
                  elst 28 00000000 00000001 00000000 000007d2 00010000
                mdia 424
                  mdhd 44 01000000 00000000 00000000 00000000 00000000 00007530 00000000 00000000 55c40000
                  hdlr 42 00000000 00000000 76696465 00000000 00000000 00000000 48656164 77617465 7200
                  minf 330
                    vmhd 20 00000001 00000000 00000000
                    dinf 36
                      dref 28 00000000 00000001
                        url  12 00000001
                    stbl 266
                      stsd 190 00000000 00000001
                        avc1 174 00000000 00000001 00000000 00000000 00000000 00000000 014000b4 00480000 00480000 00000000 00010000 00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000018 ffff
                          avcC 53 0164000d ffe10018 6764000d acd94141 9f9f0110 00003e90 000ea600 f1429960 01000668 ebe3cb22 c0fdf8f8 00
                          colr 19 6e636c78 00010001 000100
                          pasp 16 00000001 00000001
                      stts 16 00000000 00000000
                      stsc 16 00000000 00000000
                      stsz 20 00000000 00000000 00000000
                      stco 16 00000000 00000000
              mvex 40
                trex 32 00000000 00000001 00000001 00000000 00000000 00000000
        "#]],
    );
}

#[test]
fn audio_init_segment() {
    check_tree(
        &audio_init().to_bytes().expect("an init segment"),
        expect![[r#"
            ftyp 24 636d6663 00000000 69736f36 636d6663
            moov 604
              mvhd 120 01000000 00000000 00000000 00000000 00000000 0000bb80 00000000 00000000 00010000 01000000 00000000 00000000 00010000 00000000 00000000 00000000 00010000 00000000 00000000 00000000 40000000 00000000 00000000 00000000 00000000 00000000 00000000 00000002
              trak 436
                tkhd 104 01000007 00000000 00000000 00000000 00000000 00000001 00000000 00000000 00000000 00000000 00000000 00000000 01000000 00010000 00000000 00000000 00000000 00010000 00000000 00000000 00000000 40000000 00000000 00000000
                mdia 324
                  mdhd 44 01000000 00000000 00000000 00000000 00000000 0000bb80 00000000 00000000 10b50000
                  hdlr 42 00000000 00000000 736f756e 00000000 00000000 00000000 48656164 77617465 7200
                  minf 230
                    smhd 16 00000000 00000000
                    dinf 36
                      dref 28 00000000 00000001
                        url  12 00000001
                    stbl 170
                      stsd 94 00000000 00000001
                        mp4a 78 00000000 00000001 00000000 00000000 00020010 00000000 bb800000
                          esds 42 00000000 031c0000 00041440 15000600 00022400 0001f400 05051190 56e50006 0102
                      stts 16 00000000 00000000
                      stsc 16 00000000 00000000
                      stsz 20 00000000 00000000 00000000
                      stco 16 00000000 00000000
              mvex 40
                trex 32 00000000 00000001 00000001 00000000 00000000 00000000
        "#]],
    );
}

#[test]
fn video_segment_with_two_groups() {
    check_tree(
        &segment(7, 360_360, &two_groups()),
        expect![[r#"
            styp 32 636d6673 00000000 636d6673 636d6666 636d6663 6d736468
            moof 188
              mfhd 16 00000000 00000007
              traf 164
                tfhd 20 00020008 00000001 000003e9
                tfdt 20 01000000 00000000 00057fa8
                trun 116 01000e01 00000008 000000c4 00000032 02000000 000007d2 00000014 01010000 00000fa4 0000000a 01010000 000007d2 00000005 01010000 00000000 00000032 02000000 000007d2 00000014 01010000 00000fa4 0000000a 01010000 000007d2 00000005 01010000 00000000
            mdat 178
        "#]],
    );
}

#[test]
fn video_segment_with_one_group_says_flags_once() {
    let samples = [frame(50, 0, true), frame(20, 0, false), frame(10, 0, false)];
    check_tree(
        &segment(1, 0, &samples),
        expect![[r#"
            styp 32 636d6673 00000000 636d6673 636d6666 636d6663 6d736468
            moof 112
              mfhd 16 00000000 00000001
              traf 88
                tfhd 24 00020028 00000001 000003e9 01010000
                tfdt 20 01000000 00000000 00000000
                trun 36 01000205 00000003 00000078 02000000 00000032 00000014 0000000a
            mdat 88
        "#]],
    );
}

#[test]
fn audio_segment_has_only_sizes() {
    check_tree(
        &segment(2, 288_768, &sound(&[341, 342])),
        expect![[r#"
            styp 32 636d6673 00000000 636d6673 636d6666 636d6663 6d736468
            moof 104
              mfhd 16 00000000 00000002
              traf 80
                tfhd 24 00020028 00000001 00000400 02000000
                tfdt 20 01000000 00000000 00046800
                trun 28 01000201 00000002 00000070 00000155 00000156
            mdat 691
        "#]],
    );
}

#[test]
fn samples_that_are_all_alike_take_no_bytes() {
    check_tree(
        &segment(2, 288_768, &sound(&[341, 341, 341])),
        expect![[r#"
            styp 32 636d6673 00000000 636d6673 636d6666 636d6663 6d736468
            moof 100
              mfhd 16 00000000 00000002
              traf 76
                tfhd 28 00020038 00000001 00000400 00000155 02000000
                tfdt 20 01000000 00000000 00046800
                trun 20 01000001 00000003 0000006c
            mdat 1031
        "#]],
    );
}

#[test]
fn configurations_are_kept_byte_for_byte() {
    let has = |bytes: &[u8], part: &[u8]| bytes.windows(part.len()).any(|w| w == part);
    // Reserved bits that are not as they should be, as old encoders leave them.
    let mut odd = AVCC;
    odd[4] = 0x03;
    let init = VideoInit { config: VideoConfig::Avc(&odd), ..video_init() };
    assert!(has(&init.to_bytes().expect("an init segment"), &odd));
    assert!(has(&audio_init().to_bytes().expect("an init segment"), &ASC));
}

#[test]
fn same_input_same_bytes() {
    assert_eq!(video_init().to_bytes().ok(), video_init().to_bytes().ok());
    assert_eq!(segment(1, 0, &two_groups()), segment(1, 0, &two_groups()));
}

#[test]
fn init_segments_are_read_back() {
    let video = read_init(&video_init().to_bytes().expect("an init segment"));
    assert_eq!(
        video.expect("it was just written"),
        InitFacts {
            timescale: 30_000,
            delay: DELAY,
            codec: "avc1.64000d".to_owned(),
            language: "und".to_owned(),
            track: Track::Video { width: 320, height: 180 },
        }
    );
    let audio = read_init(&audio_init().to_bytes().expect("an init segment"));
    assert_eq!(
        audio.expect("it was just written"),
        InitFacts {
            timescale: 48_000,
            delay: 0,
            codec: "mp4a.40.2".to_owned(),
            language: "deu".to_owned(),
            track: Track::Audio { sample_rate: 48_000, channels: 2 },
        }
    );
}

#[test]
fn video_without_reordering_has_no_edit_list() {
    let bytes = VideoInit { delay: 0, ..video_init() }.to_bytes().expect("an init segment");
    assert!(!tree(&bytes).contains("edts"), "{}", tree(&bytes));
    assert_eq!(read_init(&bytes).expect("it was just written").delay, 0);
}

#[test]
fn delay_that_needs_64_bits_is_read_back() {
    let delay = u64::from(u32::MAX) + 1;
    let bytes = VideoInit { delay, ..video_init() }.to_bytes().expect("an init segment");
    assert_eq!(read_init(&bytes).expect("it was just written").delay, delay);
}

/// What reading says about an init segment that has these bytes instead of its `edts`, sizes put right.
fn check_edit_list(edts: &[u8], expected: Expect) {
    let mut bytes = video_init().to_bytes().expect("an init segment");
    let edts_start = inside(&bytes, b"edts") - 8;
    let size = |bytes: &[u8], at: usize| {
        u32::from_be_bytes(bytes[at..at + 4].try_into().expect("four bytes")) as usize
    };
    let old = size(&bytes, edts_start);
    for at in [inside(&bytes, b"moov") - 8, inside(&bytes, b"trak") - 8] {
        let new = u32::try_from(size(&bytes, at) + edts.len() - old).expect("a small box");
        bytes[at..at + 4].copy_from_slice(&new.to_be_bytes());
    }
    bytes.splice(edts_start..edts_start + old, edts.iter().copied());
    let found = match read_init(&bytes) {
        Ok(facts) => format!("skips {}", facts.delay),
        Err(why) => why.to_string(),
    };
    expected.assert_eq(&found);
}

/// An edit list, version 0, of edits that are (duration, media time, rate as 16.16).
fn edts(edits: &[(u32, i32, u32)]) -> Vec<u8> {
    let mut elst = vec![0; 4];
    elst.extend((edits.len() as u32).to_be_bytes());
    for (duration, media_time, rate) in edits {
        elst.extend(duration.to_be_bytes());
        elst.extend(media_time.to_be_bytes());
        elst.extend(rate.to_be_bytes());
    }
    in_box(b"edts", &in_box(b"elst", &elst))
}

fn in_box(kind: &[u8; 4], content: &[u8]) -> Vec<u8> {
    let size = (content.len() as u32 + 8).to_be_bytes();
    [&size, &kind[..], content].concat()
}

#[test]
fn edit_list_that_only_skips_a_start_is_read() {
    check_edit_list(&edts(&[(0, 3003, 0x1_0000)]), expect!["skips 3003"]);
    check_edit_list(&edts(&[(0, 0, 0x1_0000)]), expect!["skips 0"]);
}

#[test]
fn edit_list_that_does_anything_else_is_refused() {
    let more = || expect!["the edit list does more than skip a start"];
    // Ends early; an empty edit, alone and before the media; half and no speed; no edit at all.
    check_edit_list(&edts(&[(9, 2002, 0x1_0000)]), more());
    check_edit_list(&edts(&[(0, -1, 0x1_0000)]), more());
    check_edit_list(&edts(&[(9, -1, 0x1_0000), (0, 2002, 0x1_0000)]), more());
    check_edit_list(&edts(&[(0, 2002, 0x1_0000), (0, 2002, 0x1_0000)]), more());
    check_edit_list(&edts(&[(0, 2002, 0x8000)]), more());
    check_edit_list(&edts(&[(0, 2002, 0)]), more());
    check_edit_list(&edts(&[]), more());
    check_edit_list(
        &edts(&[(0, -2, 0x1_0000)]),
        expect![
            "failed to read box `elst`: unsupported: elst media_time must be -1 or non-negative"
        ],
    );
    check_edit_list(&in_box(b"edts", &[]), expect!["there is no box `elst`"]);
    let two = [edts(&[(0, 2002, 0x1_0000)]), edts(&[(0, 2002, 0x1_0000)])].concat();
    check_edit_list(&two, expect!["there is more than one box `edts`"]);
}

#[test]
fn segments_are_read_back() {
    assert_eq!(
        read_segment(&segment(7, 360_360, &two_groups())).expect("it was just written"),
        SegmentFacts {
            sequence: 7,
            start: 360_360,
            ticks: 8008,
            samples: 8,
            starts_with_key: true,
            earliest: 362_362,
        }
    );
    // All alike: not one entry in `trun`.
    let facts = read_segment(&segment(2, 1024, &sound(&[9, 9, 9]))).expect("it was just written");
    assert_eq!((facts.start, facts.ticks, facts.samples, facts.earliest), (1024, 3072, 3, 1024));
}

#[test]
fn earliest_frame_need_not_be_the_first() {
    let samples = [frame(50, 3003, true), frame(20, 1001, false), frame(10, 1001, false)];
    let facts = read_segment(&segment(1, 0, &samples)).expect("it was just written");
    assert_eq!(facts.earliest, 2002);
}

#[test]
fn frame_presented_before_it_is_decoded_is_refused() {
    check_refusal(
        segment_head(1, 0, &[frame(50, 1001, true), frame(20, -1001, false)]),
        expect!["sample 1 is presented 1001 ticks before it is decoded"],
    );
    check_broken(
        |b| {
            // Its header, the first sample's size, flags and offset; then the second's size and flags.
            let at = inside(b, b"trun") + 12 + 12 + 8;
            assert_eq!(b[at..at + 4], 4004u32.to_be_bytes());
            b[at..at + 4].copy_from_slice(&(-1001i32).to_be_bytes());
        },
        expect!["sample 1 is presented 1001 ticks before it is decoded"],
    );
}

#[test]
fn segment_that_starts_without_a_key_is_seen() {
    let samples = [frame(20, 0, false), frame(50, 0, true)];
    assert!(!read_segment(&segment(1, 0, &samples)).expect("it was just written").starts_with_key);
}

#[test]
fn codec_strings() {
    assert_eq!(VideoConfig::Avc(&AVCC).codec_string(None).expect("a record"), "avc1.64000d");
    for (asc, codec) in [
        (&ASC[..], "mp4a.40.2"),
        (&[0x2b, 0x8a, 0x08, 0x00], "mp4a.40.5"),
        (&[0xf9, 0x49, 0x20], "mp4a.40.42"),
    ] {
        assert_eq!(codec_string_aac(asc).expect("a configuration"), codec);
    }
}

/// What writing says about something that cannot be written.
fn check_refusal<T: std::fmt::Debug>(result: Result<T, Error>, expected: Expect) {
    expected.assert_eq(&result.expect_err("it is wrong").to_string());
}

#[test]
fn wrong_input_is_refused() {
    check_refusal(
        VideoInit { width: 70_000, ..video_init() }.to_bytes(),
        expect!["70000 is too much for the picture width: at most 65535"],
    );
    check_refusal(
        VideoInit { delay: 1 << 63, ..video_init() }.to_bytes(),
        expect!["failed to write the boxes: unsupported: elst media_time exceeds i64::MAX"],
    );
    check_refusal(
        VideoInit { config: VideoConfig::Avc(&AVCC[..20]), ..video_init() }.to_bytes(),
        expect!["the AVCDecoderConfigurationRecord is malformed: out of bounds"],
    );
    check_refusal(
        VideoInit { config: VideoConfig::Avc(&[1, 100, 0, 13, 0xff, 0xe0, 0]), ..video_init() }
            .to_bytes(),
        expect!["the AVCDecoderConfigurationRecord is malformed: it has no parameter sets"],
    );
    check_refusal(
        AudioInit { asc: &[0x11], ..audio_init() }.to_bytes(),
        expect!["the AudioSpecificConfig is malformed: it has 1 bytes, at least 2 are needed"],
    );
    check_refusal(segment_head(1, 0, &[]), expect!["a segment needs at least one sample"]);
    check_refusal(
        segment_head(1, 0, &[frame(u32::MAX, 0, true), frame(1, 0, false)]),
        expect!["4294967296 is too much for the `mdat` of a segment: at most 4294967287"],
    );
}

#[test]
fn rate_that_does_not_fit_is_left_to_the_configuration() {
    let init = AudioInit { sample_rate: 96_000, timescale: 96_000, ..audio_init() };
    let facts = read_init(&init.to_bytes().expect("an init segment")).expect("just written");
    assert_eq!(facts.track, Track::Audio { sample_rate: 0, channels: 2 });
}

#[test]
fn cut_off_anywhere_is_an_error() {
    let segment = segment(7, 360_360, &two_groups());
    for end in 0..segment.len() {
        assert!(read_segment(&segment[..end]).is_err(), "segment cut off at {end}");
    }
    let init = video_init().to_bytes().expect("an init segment");
    for end in 0..init.len() {
        assert!(read_init(&init[..end]).is_err(), "init segment cut off at {end}");
    }
}

/// What reading says about a segment after `break_it`.
fn check_broken(break_it: impl FnOnce(&mut Vec<u8>), expected: Expect) {
    let mut bytes = segment(7, 360_360, &two_groups());
    break_it(&mut bytes);
    check_refusal(read_segment(&bytes), expected);
}

/// Where the content of the first box of this kind starts.
fn inside(bytes: &[u8], kind: &[u8; 4]) -> usize {
    bytes.windows(4).position(|w| w == kind).expect("the box") + 4
}

#[test]
fn broken_segments() {
    check_broken(|b| b.clear(), expect!["there is no box `moof`"]);
    check_broken(|b| b.push(0), expect!["box `?` is cut off: 1 of 8 bytes are there"]);
    check_broken(
        |b| b.extend_from_slice(b"\0\0\0\x08free"),
        expect!["box `free` does not belong into a segment"],
    );
    check_broken(
        |b| {
            let at = inside(b, b"trun") + 8;
            b[at..at + 4].copy_from_slice(&9i32.to_be_bytes());
        },
        expect![
            "`trun` says that the samples start at byte 9 of the fragment, they start at byte 196"
        ],
    );
    check_broken(
        |b| {
            let at = inside(b, b"trun") + 12 + 3;
            b[at] += 1;
        },
        expect!["the samples have 171 bytes, but `mdat` has 170"],
    );
    check_broken(
        |b| {
            let at = inside(b, b"trun") + 12 + 3;
            b[at] -= 1;
        },
        expect!["the samples have 169 bytes, but `mdat` has 170"],
    );
    check_broken(
        |b| {
            let at = inside(b, b"trun") + 4;
            b[at..at + 4].copy_from_slice(&u32::MAX.to_be_bytes());
        },
        expect!["failed to read box `trun`: out of bounds"],
    );
    check_broken(
        |b| {
            let at = inside(b, b"tfdt") + 4;
            b[at..at + 8].copy_from_slice(&u64::MAX.to_be_bytes());
        },
        expect!["it starts at tick 18446744073709551615"],
    );
    check_broken(
        |b| {
            let at = inside(b, b"tfdt") - 4;
            b[at..at + 4].copy_from_slice(b"skip");
        },
        expect!["there is no box `tfdt`"],
    );
    check_broken(
        |b| {
            let at = inside(b, b"mdat") - 4;
            b[at..at + 4].copy_from_slice(b"\n\x1b[7");
        },
        expect![[r#"box `\n\x1b[7` does not belong into a segment"#]],
    );
}

#[test]
fn whole_segment_followed_by_another_is_an_error() {
    check_broken(
        |b| b.extend_from_within(..),
        expect!["box `styp` does not belong into a segment"],
    );
}

proptest! {
    #[test]
    fn changed_bytes_never_panic(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
    ) {
        for mut bytes in [
            segment(7, 360_360, &two_groups()),
            segment(2, 0, &sound(&[341, 341])),
            video_init().to_bytes().expect("an init segment"),
            audio_init().to_bytes().expect("an init segment"),
        ] {
            for (at, value) in &changes {
                let at = at.index(bytes.len());
                bytes[at] = *value;
            }
            let _ = (read_segment(&bytes), read_init(&bytes));
        }
    }

    #[test]
    fn garbage_never_panics(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = (read_segment(&bytes), read_init(&bytes));
        for (_, _, config) in VideoConfig::KINDS {
            let _ = config(&bytes).codec_string(Some(Colour::BT470BG));
        }
        let _ = codec_string_aac(&bytes);
    }

    #[test]
    fn what_is_written_is_what_is_read(
        samples in prop::collection::vec(
            (1..2000u32, 1..5000u32, 0..9000i32, any::<bool>()),
            1..40,
        ),
        sequence: u32,
        start in 0..u64::from(u32::MAX) * 100,
    ) {
        let samples: Vec<Sample> = samples
            .into_iter()
            .map(|(size, duration, composition_offset, key)| {
                Sample { size, duration, composition_offset, key }
            })
            .collect();
        let facts = read_segment(&segment(sequence, start, &samples)).expect("just written");
        let (mut now, mut earliest) = (start, u64::MAX);
        for sample in &samples {
            earliest = earliest.min(now + u64::from(sample.composition_offset.unsigned_abs()));
            now += u64::from(sample.duration);
        }
        prop_assert_eq!(facts, SegmentFacts {
            sequence,
            start,
            ticks: samples.iter().map(|s| u64::from(s.duration)).sum(),
            samples: samples.len() as u32,
            starts_with_key: samples[0].key,
            earliest,
        });
    }
}
