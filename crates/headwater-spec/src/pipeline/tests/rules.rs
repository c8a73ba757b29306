//! One broken file for every rule, and what is said about it; those of the ladder are next door.

use super::*;

#[test]
fn the_good_file_is_good() {
    check("version = 1", "version = 1", expect!["fine"]);
}

#[test]
fn version() {
    check(
        "version = 1\n",
        "",
        expect![[r#"
        pipelines/x.toml:1:1: `version` is missing
          1 | segment_seconds = 6
            | ^
        hint: add `version = 1`"#]],
    );
    check(
        "version = 1",
        "version = 2",
        expect![[r#"
        pipelines/x.toml:1:11: version = 2 is not known
          1 | version = 2
            |           ^
        hint: this build reads version 1"#]],
    );
}

#[test]
fn mpeg_ts_carries_h264() {
    check("version = 1\n", "version = 1\nmpeg_ts = true\n", expect!["fine"]);
    check(
        "version = 1\n",
        "version = 1\nmpeg_ts = 1\n",
        expect![[r#"
        pipelines/x.toml:2:11: `mpeg_ts` must be true or false, not a whole number
          2 | mpeg_ts = 1
            |           ^"#]],
    );
    let other = [
        ("version = 1\n", "version = 1\nmpeg_ts = true\n"),
        ("name = \"360p\"\n", "name = \"360p\"\ncodec = \"h265\"\n"),
        ("[audio]", "[video.h265]\nencoders = [\"x265enc\"]\npreset = \"fast\"\n\n[audio]"),
    ];
    expect![[r#"
        pipelines/x.toml:2:11: MPEG-TS carries H.264 here, and rung `360p` is coded otherwise
          2 | mpeg_ts = true
            |           ^^^^
        hint: leave the rung out, or make a pipeline of its own for old devices"#]]
    .assert_eq(&problems(&edited(&other)));
}

#[test]
fn segment_length() {
    check(
        "segment_seconds = 6",
        "segment_seconds = 12",
        expect![[r#"
        pipelines/x.toml:2:19: segment_seconds = 12 is outside 5 to 10
          2 | segment_seconds = 12
            |                   ^^
        hint: players expect about 6 s"#]],
    );
    check(
        "segment_seconds = 6",
        "segment_seconds = 4.9",
        expect![[r#"
        pipelines/x.toml:2:19: segment_seconds = 4.9 is outside 5 to 10
          2 | segment_seconds = 4.9
            |                   ^^^
        hint: players expect about 6 s"#]],
    );
    check(
        "segment_seconds = 6",
        "segment_seconds = 6.00048",
        expect![[r#"
        pipelines/x.toml:2:19: segment_seconds = 6.00048 is finer than a millisecond
          2 | segment_seconds = 6.00048
            |                   ^^^^^^^
        hint: the nearest is 6"#]],
    );
    check(
        "segment_seconds = 6\n",
        "",
        expect![[r#"
        pipelines/x.toml:1:1: `segment_seconds` is missing
          1 | version = 1
            | ^
        hint: add `segment_seconds = 6`, which players expect"#]],
    );
}

#[test]
fn gop() {
    check(
        "gop_seconds = 2",
        "gop_seconds = 8",
        expect![[r#"
        pipelines/x.toml:7:15: gop_seconds = 8 is longer than segment_seconds = 6
          7 | gop_seconds = 8
            |               ^
        hint: every segment starts with an IDR frame, so a GOP ends with its segment"#]],
    );
    check(
        "gop_seconds = 2",
        "gop_seconds = 4",
        expect![[r#"
        pipelines/x.toml:7:15: gop_seconds = 4 does not divide segment_seconds = 6
          7 | gop_seconds = 4
            |               ^
        hint: use 3, or change the segment"#]],
    );
    check(
        "gop_seconds = 2",
        "gop_seconds = 2.5",
        expect![[r#"
        pipelines/x.toml:7:15: gop_seconds = 2.5 does not divide segment_seconds = 6
          7 | gop_seconds = 2.5
            |               ^^^
        hint: use 2, or change the segment"#]],
    );
    check(
        "gop_seconds = 2",
        "gop_seconds = 0.04",
        expect![[r#"
        pipelines/x.toml:7:15: gop_seconds = 0.04 is outside 0.5 to 10
          7 | gop_seconds = 0.04
            |               ^^^^
        hint: an IDR frame every 2 s lets players seek well"#]],
    );
}

#[test]
fn span() {
    check(
        "span_segments = 10",
        "span_segments = 0",
        expect![[r#"
        pipelines/x.toml:8:17: span_segments = 0 is outside 1 to 100
          8 | span_segments = 0
            |                 ^
        hint: 10 segments make spans of about a minute"#]],
    );
    check(
        "span_segments = 10",
        "span_segments = 101",
        expect![[r#"
        pipelines/x.toml:8:17: span_segments = 101 is outside 1 to 100
          8 | span_segments = 101
            |                 ^^^
        hint: 10 segments make spans of about a minute"#]],
    );
}

#[test]
fn typo_in_a_key() {
    check(
        "segment_seconds = 6",
        "segment_second = 6",
        expect![[r#"
            pipelines/x.toml:2:1: unknown key `segment_second`
              2 | segment_second = 6
                | ^^^^^^^^^^^^^^
            hint: did you mean `segment_seconds`?"#]],
    );
    check(
        "max_kbps = 4500",
        "max_kpbs = 4500",
        expect![[r#"
            pipelines/x.toml:15:1: unknown key `video.ladder.max_kpbs`
              15 | max_kpbs = 4500
                 | ^^^^^^^^
            hint: did you mean `max_kbps`?"#]],
    );
    check(
        "[audio]",
        "[aduio]",
        expect![[r#"
            pipelines/x.toml:26:2: unknown key `aduio`
              26 | [aduio]
                 |  ^^^^^
            hint: did you mean `audio`?"#]],
    );
    check(
        "kbps = 128",
        "kbps = 128\nvolume = 11",
        expect![[r#"
            pipelines/x.toml:29:1: unknown key `audio.volume`
              29 | volume = 11
                 | ^^^^^^
            hint: known: `mode`, `encoders`, `kbps`, `sample_rate`, `channels`, `surround_kbps`, `loudness`, `true_peak`"#]],
    );
}

#[test]
fn encoders() {
    check(
        "\"x264enc\"",
        "\"x265enc\"",
        expect![[r#"
        pipelines/x.toml:5:13: `x265enc` is no encoder that this build knows
          5 | encoders = ["x265enc"]
            |             ^^^^^^^^^
        hint: did you mean `x264enc`?"#]],
    );
    check(
        "\"x264enc\"",
        "\"libx264\"",
        expect![[r#"
        pipelines/x.toml:5:13: `libx264` is no encoder that this build knows
          5 | encoders = ["libx264"]
            |             ^^^^^^^^^
        hint: known: `x264enc`"#]],
    );
    check(
        "\"avenc_aac\"",
        "\"fdkaacenc\", \"avencaac\"",
        expect![[r#"
        pipelines/x.toml:27:26: `avencaac` is no encoder that this build knows
          27 | encoders = ["fdkaacenc", "avencaac"]
             |                          ^^^^^^^^^^
        hint: did you mean `avenc_aac`?"#]],
    );
    check(
        "\"avenc_aac\"",
        "\"avenc_aac\", \"avenc_aac\"",
        expect![[r#"
        pipelines/x.toml:27:26: `avenc_aac` is named twice
          27 | encoders = ["avenc_aac", "avenc_aac"]
             |                          ^^^^^^^^^^^"#]],
    );
    check(
        "[\"x264enc\"]",
        "[]",
        expect![[r#"
        pipelines/x.toml:5:12: no encoder is named
          5 | encoders = []
            |            ^^
        hint: name at least one, best first: `x264enc`"#]],
    );
    check(
        "[\"x264enc\"]",
        "\"x264enc\"",
        expect![[r#"
        pipelines/x.toml:5:12: `video.encoders` must be an array, not a string
          5 | encoders = "x264enc"
            |            ^^^^^^^^^"#]],
    );
}

#[test]
fn preset() {
    check(
        "\"fast\"",
        "\"fats\"",
        expect![[r#"
        pipelines/x.toml:6:10: `fats` is no preset of x264
          6 | preset = "fats"
            |          ^^^^^^
        hint: did you mean `fast`?"#]],
    );
    check(
        "\"fast\"",
        "\"best\"",
        expect![[r#"
        pipelines/x.toml:6:10: `best` is no preset of x264
          6 | preset = "best"
            |          ^^^^^^
        hint: known: `ultrafast`, `superfast`, `veryfast`, `faster`, `fast`, `medium`, `slow`, `slower`, `veryslow`, `placebo`"#]],
    );
}

#[test]
fn sound() {
    check(
        "kbps = 128",
        "kbps = 16",
        expect![[r#"
        pipelines/x.toml:28:8: kbps = 16 is outside 32 to 512
          28 | kbps = 16
             |        ^^
        hint: 128 is right for stereo, 64 for mono"#]],
    );
    check(
        "kbps = 128",
        "kbps = 48",
        expect![[r#"
        pipelines/x.toml:28:8: kbps = 48 cannot be reached with stereo sound
          28 | kbps = 48
             |        ^^
        hint: AAC-LC carries stereo well at 64 to 512"#]],
    );
    check(
        "kbps = 128\nsample_rate = 48000\nchannels = 2",
        "kbps = 320\nsample_rate = 48000\nchannels = 1",
        expect![[r#"
            pipelines/x.toml:28:8: kbps = 320 cannot be reached with mono sound
              28 | kbps = 320
                 |        ^^^
            hint: AAC-LC carries mono well at 32 to 256"#]],
    );
    check(
        "sample_rate = 48000",
        "sample_rate = 46000",
        expect![[r#"
        pipelines/x.toml:29:15: sample_rate = 46000 is neither 44100 nor 48000
          29 | sample_rate = 46000
             |               ^^^^^
        hint: 48000 suits film and television, 44100 music"#]],
    );
    check(
        "sample_rate = 48000",
        "sample_rate = 96000",
        expect![[r#"
        pipelines/x.toml:29:15: sample_rate = 96000 is outside 44100 to 48000
          29 | sample_rate = 96000
             |               ^^^^^
        hint: 48000 suits film and television, 44100 music"#]],
    );
    check(
        "channels = 2",
        "channels = 6",
        expect![[r#"
        pipelines/x.toml:30:12: channels = 6 is outside 1 to 2
          30 | channels = 6
             |            ^
        hint: mono and stereo are what this version makes"#]],
    );
}

#[test]
fn mode() {
    check(
        "[audio]\n",
        "[audio]\nmode = \"copied\"\n",
        expect![[r#"
        pipelines/x.toml:27:8: `copied` is no mode
          27 | mode = "copied"
             |        ^^^^^^^^
        hint: known: `encode`, `copy`"#]],
    );
    check(
        "[audio]\n",
        "[audio]\nmode = \"copy\"\n",
        expect![[r#"
        pipelines/x.toml:28:1: `encoders` has no effect on a track that is copied
          28 | encoders = ["avenc_aac"]
             | ^^^^^^^^
        hint: remove it, or set `mode = "encode"`

        pipelines/x.toml:29:1: `kbps` has no effect on a track that is copied
          29 | kbps = 128
             | ^^^^
        hint: remove it, or set `mode = "encode"`

        pipelines/x.toml:30:1: `sample_rate` has no effect on a track that is copied
          30 | sample_rate = 48000
             | ^^^^^^^^^^^
        hint: remove it, or set `mode = "encode"`

        pipelines/x.toml:31:1: `channels` has no effect on a track that is copied
          31 | channels = 2
             | ^^^^^^^^
        hint: remove it, or set `mode = "encode"`"#]],
    );
}

#[test]
fn wrong_type() {
    check(
        "segment_seconds = 6",
        "segment_seconds = \"6\"",
        expect![[r#"
        pipelines/x.toml:2:19: `segment_seconds` must be a number, not a string
          2 | segment_seconds = "6"
            |                   ^^^
        hint: take the quotes away"#]],
    );
    check(
        "channels = 2",
        "channels = 2.0",
        expect![[r#"
        pipelines/x.toml:30:12: `audio.channels` must be a whole number, not a number with decimals
          30 | channels = 2.0
             |            ^^^"#]],
    );
    check(
        "preset = \"fast\"",
        "preset = 3",
        expect![[r#"
        pipelines/x.toml:6:10: `video.preset` must be a string in quotes, not a whole number
          6 | preset = 3
            |          ^"#]],
    );
}

#[test]
fn syntax() {
    check(
        "preset = \"fast\"",
        "preset = \"fast",
        expect![[r#"
        pipelines/x.toml:6:15: not TOML: invalid basic string, expected `"`
          6 | preset = "fast
            |               ^"#]],
    );
    check(
        "[video]\n",
        "[video\n",
        expect![[r#"
            pipelines/x.toml:4:7: not TOML: unclosed table, expected `]`
              4 | [video
                |       ^"#]],
    );
}

#[test]
fn empty_file() {
    expect![[r#"
        pipelines/x.toml:1:1: `version` is missing
          1 | 
            | ^
        hint: add `version = 1`"#]]
    .assert_eq(&problems(""));
}

#[test]
fn many_things_at_once_come_in_the_order_of_the_file() {
    let text = edited(&[
        ("segment_seconds = 6", "segment_seconds = 3"),
        ("preset = \"fast\"", "preset = \"quick\""),
        ("crf = 22", "cfr = 22"),
        ("buffer_kbit = 2200", "buffer_kbit = 2200.5"),
        ("channels = 2", "channels = 5"),
    ]);
    expect![[r#"
        pipelines/x.toml:2:19: segment_seconds = 3 is outside 5 to 10
          2 | segment_seconds = 3
            |                   ^
        hint: players expect about 6 s

        pipelines/x.toml:6:10: `quick` is no preset of x264
          6 | preset = "quick"
            |          ^^^^^^^
        hint: known: `ultrafast`, `superfast`, `veryfast`, `faster`, `fast`, `medium`, `slow`, `slower`, `veryslow`, `placebo`

        pipelines/x.toml:14:1: unknown key `video.ladder.cfr`
          14 | cfr = 22
             | ^^^
        hint: did you mean `crf`?

        pipelines/x.toml:24:15: `video.ladder.buffer_kbit` must be a whole number, not a number with decimals
          24 | buffer_kbit = 2200.5
             |               ^^^^^^

        pipelines/x.toml:30:12: channels = 5 is outside 1 to 2
          30 | channels = 5
             |            ^
        hint: mono and stereo are what this version makes"#]].assert_eq(&problems(&text));
}

#[test]
fn proof_before_publishing() {
    let with = |rules: &str| format!("channels = 2\n\n[publish]\n{rules}\n");
    let asks = with("required = [\"b2\", \"ibm\"]\nmin_copies = 3\nverify = \"read\"");
    check("channels = 2\n", &asks, expect!["fine"]);
    check(
        "channels = 2\n",
        &with("required = ['b2', 'b2']"),
        expect![[r#"
        pipelines/x.toml:33:19: `b2` is required twice
          33 | required = ['b2', 'b2']
             |                   ^^^^"#]],
    );
    check(
        "channels = 2\n",
        &with("required = ['b2', 'ibm']\nmin_copies = 1"),
        expect![[r#"
        pipelines/x.toml:34:14: 1 is less than the 2 origins required
          34 | min_copies = 1
             |              ^
        hint: `min_copies = 2`"#]],
    );
    check(
        "channels = 2\n",
        &with("verify = 'edges'"),
        expect![[r#"
        pipelines/x.toml:33:10: `edges` is no way to prove a package
          33 | verify = 'edges'
             |          ^^^^^^^
        hint: did you mean `edge`?"#]],
    );
}

#[test]
fn what_is_asked_of_origins_does_not_make_another_pipeline() {
    let plain = pipeline("x.toml", GOOD).unwrap();
    let text = format!("{GOOD}\n[publish]\nrequired = ['b2']\nverify = 'edge'\n");
    let asking = pipeline("x.toml", &text).unwrap();
    assert_eq!(asking.sha256, plain.sha256);
    let publish = &asking.publish;
    assert_eq!(publish.required.as_deref(), Some(["b2".to_owned()].as_slice()));
    assert_eq!(publish.verify, Some(headwater_model::origin::Verify::Edge));
    assert!(plain.publish.is_empty());
}

#[test]
fn quality() {
    let with = |line: &str| format!("buffer_kbit = 2200\n\n[quality]\n{line}");
    check(
        "buffer_kbit = 2200",
        &with("black = 'stop'"),
        expect![[r#"
        pipelines/x.toml:27:9: `stop` is no judgement of a flaw
          27 | black = 'stop'
             |         ^^^^^^
        hint: known: `accept`, `warn`, `hold`, `reject`"#]],
    );
    check(
        "buffer_kbit = 2200",
        &with("silence_seconds = 0.1"),
        expect![[r#"
        pipelines/x.toml:27:19: silence_seconds = 0.1 is outside 0.2 to 3600
          27 | silence_seconds = 0.1
             |                   ^^^
        hint: films fade for a second or two"#]],
    );
    check(
        "buffer_kbit = 2200",
        &with("loudness_lufs = [-20, -24]"),
        expect![[r#"
        pipelines/x.toml:27:17: loudness_lufs = [-20, -24] leaves nothing between them
          27 | loudness_lufs = [-20, -24]
             |                 ^^^^^^^^^^
        hint: the quietest and the loudest that is right: `[-24, -22]`"#]],
    );
    check(
        "buffer_kbit = 2200",
        &with("blakc = 'warn'"),
        expect![[r#"
        pipelines/x.toml:27:1: unknown key `quality.blakc`
          27 | blakc = 'warn'
             | ^^^^^
        hint: did you mean `black`?"#]],
    );
}

#[test]
fn what_is_made_of_flaws_does_not_make_another_pipeline() {
    use headwater_model::quality::{FlawClass, Judgement};

    let plain = pipeline("x.toml", GOOD).unwrap();
    let text = format!(
        "{GOOD}\n[quality]\nblack = 'hold'\nfreeze = 'warn'\nblack_seconds = 1.5\nloudness_lufs = [-24, -22]\n"
    );
    let strict = pipeline("x.toml", &text).unwrap();
    assert_eq!(strict.sha256, plain.sha256);
    let quality = &strict.quality;
    assert_eq!(quality.judgements.get(&FlawClass::Black), Some(&Judgement::Hold));
    assert_eq!(quality.judgements.len(), 1, "what is as usual is not noted");
    assert_eq!((quality.black_ms, quality.freeze_ms), (1_500, 5_000));
    assert_eq!(quality.loudness, Some((-24.0, -22.0)));
    assert!(plain.quality.is_default());
}
