//! The ladder against pictures of all shapes.

use expect_test::{Expect, expect};

use super::*;

fn ladder() -> Vec<Rung> {
    [(1920, 1080), (1280, 720), (960, 540), (640, 360), (416, 234)]
        .map(|(long_side, short_side)| Rung {
            name: format!("{short_side}p"),
            long_side,
            short_side,
            crf: 23.0,
            max_kbps: 1000,
            buffer_kbit: 2000,
        })
        .to_vec()
}

fn check(coded: (u32, u32), sample_aspect: (u32, u32), turned: bool, expected: Expect) {
    let renditions = resolve(&ladder(), Picture::of(coded, sample_aspect, turned));
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
