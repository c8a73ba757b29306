//! The ladder against pictures of all shapes.

use expect_test::{Expect, expect};

use super::*;

fn ladder() -> Vec<Rung> {
    [(1920, 1080), (1280, 720), (960, 540), (640, 360), (416, 234)]
        .map(|(long_side, short_side)| Rung {
            name: format!("{short_side}p"),
            long_side,
            short_side,
            codec: Codec::H264,
            crf: 23.0,
            max_kbps: 1000,
            buffer_kbit: 2000,
            max_fps: None,
            hdr: false,
            copy: false,
        })
        .to_vec()
}

fn check(coded: (u32, u32), sample_aspect: (u32, u32), turned: bool, expected: Expect) {
    let renditions = resolve(
        &ladder(),
        Picture::of(coded, sample_aspect, turned),
        FrameRate::PAL,
        DynamicRange::Sdr,
    );
    let text: Vec<String> =
        renditions.iter().map(|r| format!("{} {}x{}", r.name, r.width, r.height)).collect();
    expected.assert_eq(&text.join(", "));
}

#[test]
fn full_hd_fills_every_rung() {
    check(
        (1920, 1080),
        (1, 1),
        false,
        expect![
            "video-1080p 1920x1080, video-720p 1280x720, video-540p 960x540, video-360p 640x360, video-234p 416x234"
        ],
    );
}

#[test]
fn uhd_is_shrunk_to_the_top_rung() {
    check(
        (3840, 2160),
        (1, 1),
        false,
        expect![
            "video-1080p 1920x1080, video-720p 1280x720, video-540p 960x540, video-360p 640x360, video-234p 416x234"
        ],
    );
}

#[test]
fn nothing_is_upscaled() {
    check((480, 270), (1, 1), false, expect!["video-360p 480x270, video-234p 416x234"]);
    check((320, 180), (1, 1), false, expect!["video-234p 320x180"]);
    check((1, 1), (1, 1), false, expect!["video-234p 2x2"]);
}

#[test]
fn scope_keeps_its_shape() {
    check((640, 272), (1, 1), false, expect!["video-360p 640x272, video-234p 416x176"]);
    check(
        (1920, 800),
        (1, 1),
        false,
        expect![
            "video-1080p 1920x800, video-720p 1280x534, video-540p 960x400, video-360p 640x266, video-234p 416x174"
        ],
    );
}

#[test]
fn portrait_turns_the_boxes() {
    check(
        (720, 1280),
        (1, 1),
        false,
        expect!["video-720p 720x1280, video-540p 540x960, video-360p 360x640, video-234p 234x416"],
    );
    check(
        (1280, 720),
        (1, 1),
        true,
        expect!["video-720p 720x1280, video-540p 540x960, video-360p 360x640, video-234p 234x416"],
    );
}

#[test]
fn odd_sides_lose_a_line_and_anamorphic_gets_square_pixels() {
    check(
        (720, 405),
        (1, 1),
        false,
        expect!["video-540p 720x404, video-360p 640x360, video-234p 416x234"],
    );
    check(
        (800, 640),
        (1137, 800),
        false,
        expect!["video-720p 1138x640, video-540p 960x540, video-360p 640x360, video-234p 416x234"],
    );
}

#[test]
fn a_rung_halves_what_is_faster_than_it_allows() {
    let rung = |max_fps| Rung { max_fps, ..ladder()[0].clone() };
    let shown = |max_fps, num, den| {
        let rate = FrameRate::new(num, den).unwrap();
        let picture = Picture { width: 1920, height: 1080 };
        let rendition = resolve(&[rung(max_fps)], picture, rate, DynamicRange::Sdr).remove(0);
        (rendition.every, rendition.rate(rate).to_string())
    };
    assert_eq!(shown(None, 50, 1), (1, "50".to_owned()));
    assert_eq!(shown(Some(30.0), 50, 1), (2, "25".to_owned()));
    assert_eq!(shown(Some(30.0), 60_000, 1001), (2, "30000/1001".to_owned()));
    assert_eq!(shown(Some(29.97), 60_000, 1001), (2, "30000/1001".to_owned()));
    assert_eq!(shown(Some(30.0), 30, 1), (1, "30".to_owned()));
    assert_eq!(shown(Some(30.0), 120, 1), (4, "30".to_owned()));
    let half = resolve(
        &[rung(Some(25.0))],
        Picture { width: 640, height: 360 },
        FrameRate::new(50, 1).unwrap(),
        DynamicRange::Sdr,
    );
    assert_eq!((half[0].frames_of(300), half[0].frames_of(7), half[0].frames_of(1)), (150, 4, 1));
}

#[test]
fn one_picture_of_each_segment_is_one_of_the_last_too() {
    let ladder = [ladder()[4].clone()];
    let rate = FrameRate::new(25, 1).unwrap();
    let small =
        resolve(&ladder, Picture { width: 1280, height: 720 }, rate, DynamicRange::Sdr).remove(0);
    let trick = small.trick(150);
    assert_eq!(
        (trick.name.as_str(), trick.frames_of(150), trick.frames_of(174)),
        ("trick-234p", 1, 1)
    );
    // Two segments, the second of them 24 frames longer.
    let shown: Vec<u64> = (0..324).filter(|n| trick.shows(*n, 2)).collect();
    assert_eq!(shown, [0, 150]);
    assert_eq!((0..4).filter(|n| small.shows(*n, 2)).count(), 4);
    assert_eq!(trick.rate(rate).to_string(), "1/6");
}
