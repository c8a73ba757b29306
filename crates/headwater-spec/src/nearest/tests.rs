//! What counts as a typo and what as another word.

use super::*;

const KNOWN: [&str; 5] = ["segment_seconds", "gop_seconds", "crf", "preset", "x264enc"];

#[test]
fn a_typo_finds_its_word() {
    for (typed, meant) in [
        ("segment_second", "segment_seconds"),
        ("segmnet_seconds", "segment_seconds"),
        ("Segment-Seconds", "segment_seconds"),
        ("gop_secs", "gop_seconds"),
        ("crt", "crf"),
        ("cfr", "crf"),
        ("present", "preset"),
        ("x265enc", "x264enc"),
        ("nvh264enc", "x264enc"),
    ] {
        assert_eq!(nearest(typed, KNOWN), Some(meant), "{typed}");
    }
}

#[test]
fn another_word_finds_none() {
    for typed in ["", "bitrate", "quality", "libx264", "é"] {
        assert_eq!(nearest(typed, KNOWN), None, "{typed}");
    }
}

#[test]
fn the_first_of_two_equally_near_wins() {
    assert_eq!(nearest("ab", ["aa", "bb"]), Some("aa"));
}
