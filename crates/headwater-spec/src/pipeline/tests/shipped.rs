//! The pipelines that come with the binary, resolved.

use super::*;

fn check(file: &str, expected: Expect) {
    let shipped = SHIPPED.iter().find(|s| s.file == file).unwrap();
    let pipeline = pipeline(shipped.file, shipped.text).unwrap_or_else(|problems| {
        panic!("{}", problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n\n"))
    });
    assert_eq!(pipeline.name, shipped.name());
    expected.assert_debug_eq(&pipeline);
}

#[test]
fn vod_h264() {
    check(
        "vod-h264.toml",
        expect![[r#"
            Pipeline {
                name: "vod-h264",
                sha256: Sha256(a1fa8e541da6a135bc9ec8ecbe12b5c07387dc6b2d7752c5781388dc49323d98),
                segment_ms: 6000,
                gop_ms: 2000,
                span_segments: 10,
                video: Encode(
                    VideoEncode {
                        encoders: [
                            "x264enc",
                        ],
                        preset: "fast",
                        others: {},
                        ladder: [
                            Rung {
                                name: "1080p",
                                codec: H264,
                                long_side: 1920,
                                short_side: 1080,
                                crf: 22.0,
                                max_kbps: 7800,
                                buffer_kbit: 15600,
                                max_fps: None,
                                hdr: false,
                                copy: false,
                            },
                            Rung {
                                name: "720p",
                                codec: H264,
                                long_side: 1280,
                                short_side: 720,
                                crf: 22.0,
                                max_kbps: 4500,
                                buffer_kbit: 9000,
                                max_fps: None,
                                hdr: false,
                                copy: false,
                            },
                            Rung {
                                name: "540p",
                                codec: H264,
                                long_side: 960,
                                short_side: 540,
                                crf: 22.0,
                                max_kbps: 2000,
                                buffer_kbit: 4000,
                                max_fps: None,
                                hdr: false,
                                copy: false,
                            },
                            Rung {
                                name: "360p",
                                codec: H264,
                                long_side: 640,
                                short_side: 360,
                                crf: 22.0,
                                max_kbps: 1100,
                                buffer_kbit: 2200,
                                max_fps: None,
                                hdr: false,
                                copy: false,
                            },
                            Rung {
                                name: "234p",
                                codec: H264,
                                long_side: 416,
                                short_side: 234,
                                crf: 22.0,
                                max_kbps: 365,
                                buffer_kbit: 730,
                                max_fps: None,
                                hdr: false,
                                copy: false,
                            },
                        ],
                        trick: false,
                        pictures: false,
                    },
                ),
                audio: Encode(
                    AudioEncode {
                        encoders: [
                            "avenc_aac",
                        ],
                        kbps: 128,
                        sample_rate: 48000,
                        channels: 2,
                        surround_kbps: None,
                        loudness: None,
                        true_peak: -1.0,
                    },
                ),
                pool: None,
                publish: PublishRules {
                    required: None,
                    min_copies: None,
                    verify: None,
                },
                quality: QualityRules {
                    judgements: {},
                    black_ms: 3000,
                    freeze_ms: 5000,
                    silence_ms: 5000,
                    loudness: None,
                },
                transport: false,
            }
        "#]],
    );
}

#[test]
fn copy() {
    check(
        "copy.toml",
        expect![[r#"
            Pipeline {
                name: "copy",
                sha256: Sha256(a50b9a82caf7da129af72d922087aaa97e2ee0cd1b5d9f0b8929aa24d8634094),
                segment_ms: 6000,
                gop_ms: 6000,
                span_segments: 1,
                video: Copy,
                audio: Copy,
                pool: None,
                publish: PublishRules {
                    required: None,
                    min_copies: None,
                    verify: None,
                },
                quality: QualityRules {
                    judgements: {},
                    black_ms: 3000,
                    freeze_ms: 5000,
                    silence_ms: 5000,
                    loudness: None,
                },
                transport: false,
            }
        "#]],
    );
}

#[test]
fn every_file_of_the_folder_is_shipped() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../pipelines");
    let files: BTreeSet<String> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.ends_with(".toml"))
        .collect();
    assert_eq!(files, SHIPPED.iter().map(|s| s.file.to_owned()).collect());
}

/// What a segment may cost, against what Apple asks for: a peak of at most twice the average.
#[test]
fn the_default_bounds_its_segments() {
    let shipped = SHIPPED[0];
    let pipeline = pipeline(shipped.file, shipped.text).unwrap();
    let Video::Encode(video) = pipeline.video else { panic!("the default encodes") };
    for rung in video.ladder {
        let segment_kbit = rung.max_kbps * pipeline.segment_ms / 1000;
        assert!(segment_kbit + rung.buffer_kbit <= segment_kbit * 4 / 3, "{}", rung.name);
    }
    assert!(matches!(pipeline.audio, Audio::Encode(_)));
}
