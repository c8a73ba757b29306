//! Every rendition shows exactly the frames of one full decode of the master, however it is cut into spans.

use std::fs;

use crate::masters::{self, Master};
use crate::package::{self, Packet, Rendition, Thumbnail};
use crate::run::Site;

/// How far a frame may be shown from where the master shows it, in seconds. WebM rounds to milliseconds.
const TIME_TOLERANCE: f64 = 0.002;

/// How far a cell of a thumbnail may be off on average: encoding at test quality costs a few levels, a bar of another
/// frame's number more than two hundred in a twentieth of the picture.
const MEAN_TOLERANCE: f64 = 6.0;

/// How far sound and picture may end from each other, in seconds.
const END_TOLERANCE: f64 = 0.1;

/// What the master has, found by ffmpeg.
struct Truth {
    frames: Vec<Thumbnail>,
    times: Vec<f64>,
}

fn check(master: &Master, spans: &[u32]) {
    let file = master.path();
    let truth = Truth { frames: package::thumbnails(&file), times: package::frame_times(&file) };
    assert_eq!(truth.frames.len(), truth.times.len(), "ffmpeg and ffprobe agree about the master");
    for &span_segments in spans {
        let site = Site::new();
        let verdict = site.publish(&file, "film", &site.quick(span_segments));
        assert_eq!(
            verdict["frames"],
            truth.frames.len(),
            "frames with spans of {span_segments}: {verdict}"
        );
        let scratch = site.path("renditions");
        fs::create_dir(&scratch).unwrap();
        let renditions = package::renditions(&site.package("film"), &scratch);
        check_renditions(
            &truth,
            &renditions,
            &format!("{} with spans of {span_segments}", master.file),
        );
    }
}

fn check_renditions(truth: &Truth, renditions: &[Rendition], what: &str) {
    let mut grid: Option<Vec<Packet>> = None;
    for rendition in renditions.iter().filter(|r| r.is_video()) {
        let what = format!("{what}, {}", rendition.name);
        let (start, packets) = package::packets(&rendition.file);
        assert_eq!(start, "0.000000", "{what}: start");
        same_times(&truth.times, &packets, &what);
        same_frames(&truth.frames, &package::thumbnails(&rendition.file), &what);
        match &grid {
            Some(grid) => assert_eq!(*grid, packets, "{what}: aligned with the largest rendition"),
            None => grid = Some(packets),
        }
    }
    let grid = grid.expect("there is a video rendition");
    for rendition in renditions.iter().filter(|r| !r.is_video()) {
        let (start, packets) = package::packets(&rendition.file);
        assert_eq!(start, "0.000000", "{what}, {}: start", rendition.name);
        let apart = package::end(&grid) - package::end(&packets);
        assert!(
            apart.abs() <= END_TOLERANCE,
            "{what}, {}: ends {apart:.3} s before the picture",
            rendition.name
        );
    }
}

fn same_times(expected: &[f64], packets: &[Packet], what: &str) {
    assert_eq!(packets.len(), expected.len(), "{what}: packets");
    for (n, (expected, packet)) in expected.iter().zip(packets).enumerate() {
        let apart = (packet.at - expected).abs();
        assert!(
            apart <= TIME_TOLERANCE,
            "{what}: frame {n} is shown at {} instead of {expected}",
            packet.at
        );
    }
}

fn same_frames(expected: &[Thumbnail], found: &[Thumbnail], what: &str) {
    assert_eq!(found.len(), expected.len(), "{what}: decoded frames");
    for (n, (expected_frame, frame)) in expected.iter().zip(found).enumerate() {
        let apart = distance(expected_frame, frame);
        if apart > MEAN_TOLERANCE {
            let nearest = (0..expected.len()).min_by(|a, b| {
                distance(&expected[*a], frame).total_cmp(&distance(&expected[*b], frame))
            });
            panic!(
                "{what}: frame {n} differs by {apart:.1} levels; it looks like frame {nearest:?} of the master"
            );
        }
    }
}

/// Mean difference of two thumbnails in levels of grey.
fn distance(a: &Thumbnail, b: &Thumbnail) -> f64 {
    let sum: u32 = a.iter().zip(b).map(|(a, b)| u32::from(a.abs_diff(*b))).sum();
    f64::from(sum) / a.len() as f64
}

#[test]
fn b_frames_at_23976() {
    check(&masters::H264_23976, &[1, 2, 3]);
}

#[test]
fn b_frames_at_25() {
    check(&masters::H264_25, &[1, 2, 3]);
}

#[test]
fn b_frames_at_2997() {
    check(&masters::H264_2997, &[1, 2, 3]);
}

#[test]
fn b_frames_at_30() {
    check(&masters::H264_30, &[1, 2, 3]);
}

#[test]
fn b_frames_at_50() {
    check(&masters::H264_50, &[1, 2, 3]);
}

#[test]
fn b_frames_at_5994() {
    check(&masters::H264_5994, &[1, 2, 3]);
}

#[test]
fn h264_with_open_gops() {
    check(&masters::H264_OPEN_GOP, &[1, 2, 3]);
}

#[test]
fn mkv_with_times_in_milliseconds() {
    check(&masters::MKV, &[1, 2, 3]);
}

#[test]
fn vp8_with_frames_that_are_never_shown() {
    check(&masters::VP8, &[1, 2, 3]);
}

#[test]
fn vp9_with_superframes() {
    check(&masters::VP9, &[1, 2, 3]);
}

#[test]
fn av1() {
    check(&masters::AV1, &[1, 2, 3]);
}

#[test]
fn mov_with_pcm() {
    check(&masters::MOV_PCM, &[1, 2, 3]);
}

#[test]
fn hevc_with_open_gops() {
    check(&masters::HEVC_OPEN_GOP, &[1, 2, 3]);
}

#[test]
fn edit_list_that_hides_the_beginning() {
    check(&masters::EDIT_LIST, &[1, 2, 3]);
}

#[test]
fn rotated_by_the_track_header() {
    check(&masters::ROTATED, &[1, 2, 3]);
}

#[test]
fn variable_frame_rate() {
    check(&masters::VARIABLE_RATE, &[1, 2, 3]);
}

#[test]
fn odd_width_and_height() {
    check(&masters::ODD_SIZE, &[1, 2, 3]);
}

#[test]
fn pixels_that_are_not_square() {
    check(&masters::WIDE_PIXELS, &[1, 2, 3]);
}

#[test]
fn sound_longer_than_the_picture() {
    check(&masters::LONG_SOUND, &[1, 3]);
}

#[test]
fn sound_shorter_than_the_picture() {
    check(&masters::SHORT_SOUND, &[1, 3]);
}

#[test]
fn sound_that_starts_late() {
    check(&masters::LATE_SOUND, &[1, 3]);
}

#[test]
fn no_sound() {
    check(&masters::SILENT, &[2]);
}

#[test]
fn a_minute_in_spans_of_ten() {
    check(&masters::MINUTE, &[10]);
}
