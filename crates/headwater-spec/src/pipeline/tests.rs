//! The shipped pipelines as snapshots, every rule against a file that breaks it, and what the digest depends on.

mod ladder;
mod rules;
mod shipped;

use std::collections::BTreeSet;

use expect_test::{Expect, expect};
use headwater_model::pipeline::{Audio, Video};
use proptest::prelude::*;

use super::*;
use crate::shipped::SHIPPED;

/// A good file, which the tests break.
const GOOD: &str = r#"version = 1
segment_seconds = 6

[video]
encoders = ["x264enc"]
preset = "fast"
gop_seconds = 2
span_segments = 10

[[video.ladder]]
name = "720p"
long_side = 1280
short_side = 720
crf = 22
max_kbps = 4500
buffer_kbit = 9000

[[video.ladder]]
name = "360p"
long_side = 640
short_side = 360
crf = 22
max_kbps = 1100
buffer_kbit = 2200

[audio]
encoders = ["avenc_aac"]
kbps = 128
sample_rate = 48000
channels = 2
"#;

/// `GOOD` with the first occurrence of each `from` replaced.
fn edited(edits: &[(&str, &str)]) -> String {
    let mut text = GOOD.to_owned();
    for (from, to) in edits {
        assert!(text.contains(from), "{from} is not in the file");
        text = text.replacen(from, to, 1);
    }
    text
}

fn problems(text: &str) -> String {
    match pipeline("pipelines/x.toml", text) {
        Ok(_) => "fine".to_owned(),
        Err(problems) => {
            assert!(!problems.is_empty());
            problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n\n")
        }
    }
}

/// What is said about `GOOD` with one thing changed.
fn check(from: &str, to: &str, expected: Expect) {
    expected.assert_eq(&problems(&edited(&[(from, to)])));
}

#[test]
fn the_name_is_that_of_the_file() {
    for file in ["x", "x.toml", "pipelines/x.toml", "C:\\pipelines\\x.toml"] {
        assert_eq!(pipeline(file, GOOD).unwrap().name, "x", "{file}");
    }
}

#[test]
fn neither_name_nor_spelling_counts_for_the_digest() {
    let plain = pipeline("x.toml", GOOD).unwrap().sha256;
    assert_eq!(pipeline("y.toml", GOOD).unwrap().sha256, plain);
    let spelled = edited(&[
        ("segment_seconds = 6\n", "segment_seconds = 6.000 # a comment\n"),
        (
            "preset = \"fast\"\ngop_seconds = 2\n",
            "'gop_seconds' = 0x2\npreset = 'fast'\nmode='encode'\n",
        ),
        ("crf = 22", "crf = 2.2e1"),
    ]);
    assert_eq!(pipeline("x.toml", &spelled).unwrap().sha256, plain);
}

#[test]
fn every_value_counts_for_the_digest() {
    let changes = [
        ("segment_seconds = 6", "segment_seconds = 8"),
        ("segment_seconds = 6", "segment_seconds = 6\nmpeg_ts = true"),
        ("gop_seconds = 2", "gop_seconds = 3"),
        ("gop_seconds = 2", "gop_seconds = 2\ntrick = true"),
        ("gop_seconds = 2", "gop_seconds = 2\npictures = true"),
        ("crf = 22", "crf = 22\nmax_fps = 30"),
        ("crf = 22", "crf = 22\ncopy = true"),
        ("kbps = 128", "kbps = 128\nloudness = -16.0"),
        ("kbps = 128", "kbps = 128\nsurround_kbps = 384"),
        ("span_segments = 10", "span_segments = 11"),
        ("preset = \"fast\"", "preset = \"slow\""),
        ("name = \"360p\"", "name = \"small\""),
        ("long_side = 640", "long_side = 638"),
        ("short_side = 360", "short_side = 358"),
        ("crf = 22", "crf = 22.5"),
        ("max_kbps = 1100", "max_kbps = 1101"),
        ("buffer_kbit = 2200", "buffer_kbit = 2201"),
        ("[\"avenc_aac\"]", "[\"fdkaacenc\", \"avenc_aac\"]"),
        ("[\"avenc_aac\"]", "[\"avenc_aac\", \"fdkaacenc\"]"),
        ("kbps = 128", "kbps = 129"),
        ("sample_rate = 48000", "sample_rate = 44100"),
        ("channels = 2", "channels = 1"),
        (
            "encoders = [\"avenc_aac\"]\nkbps = 128\nsample_rate = 48000\nchannels = 2",
            "mode = \"copy\"",
        ),
    ];
    let mut digests = BTreeSet::from([pipeline("x.toml", GOOD).unwrap().sha256]);
    for (from, to) in changes {
        let digest = pipeline("x.toml", &edited(&[(from, to)])).unwrap().sha256;
        assert!(digests.insert(digest), "`{to}` leaves the digest as it was");
    }
}

#[test]
fn the_readme_names_every_key() {
    let readme = include_str!("../../../../pipelines/README.md");
    let sections = [KEYS, video::KEYS, video::RUNG_KEYS, audio::KEYS, publish::KEYS, quality::KEYS];
    for key in sections.into_iter().flatten() {
        assert!(readme.contains(&format!("`{key}`")), "pipelines/README.md does not name `{key}`");
    }
    let words = [MODES, video::ENCODERS, audio::ENCODERS, video::PRESETS];
    for word in words.into_iter().flatten() {
        assert!(
            readme.contains(&format!("`{word}`")),
            "pipelines/README.md does not name `{word}`"
        );
    }
}

proptest! {
    /// Whatever is pasted over a good file: it is read, or every problem can be shown.
    #[test]
    fn no_text_makes_it_panic(at in 0..GOOD.len(), cut in 0usize..80, paste in "[\\PC\n\t]{0,40}") {
        let text = format!("{}{paste}{}", &GOOD[..at], &GOOD[(at + cut).min(GOOD.len())..]);
        if let Err(problems) = pipeline("x.toml", &text) {
            prop_assert!(!problems.is_empty());
            for problem in problems {
                prop_assert!(problem.line <= text.lines().count() + 1);
                prop_assert!(problem.to_string().contains(&problem.message));
            }
        }
    }
}
