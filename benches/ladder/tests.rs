//! Tests of the ffmpeg command that stands for a pipeline.

use std::collections::BTreeMap;

use expect_test::expect;
use headwater_model::id::Sha256;
use headwater_model::origin::PublishRules;
use headwater_model::pipeline::{AudioEncode, Codec, Rung, USUAL_PEAK, VideoEncode};
use headwater_model::quality::QualityRules;

use super::*;

fn pipeline() -> Pipeline {
    let rung = |name: &str, long_side, short_side, crf, max_kbps| Rung {
        name: name.to_owned(),
        codec: Codec::H264,
        long_side,
        short_side,
        crf,
        max_kbps,
        buffer_kbit: max_kbps * 2,
        max_fps: None,
        hdr: false,
        copy: false,
    };
    Pipeline {
        name: "test".to_owned(),
        sha256: Sha256([0; 32]),
        segment_ms: 6000,
        gop_ms: 2000,
        span_segments: 10,
        video: Video::Encode(VideoEncode {
            encoders: vec!["x264enc".to_owned()],
            preset: "fast".to_owned(),
            others: BTreeMap::new(),
            trick: false,
            pictures: false,
            ladder: vec![rung("720p", 1280, 720, 22.0, 3000), rung("360p", 640, 360, 23.5, 800)],
        }),
        audio: Audio::Encode(AudioEncode {
            encoders: vec!["avenc_aac".to_owned()],
            kbps: 128,
            sample_rate: 48_000,
            channels: 2,
            surround_kbps: None,
            loudness: None,
            true_peak: USUAL_PEAK,
        }),
        pool: None,
        publish: PublishRules::default(),
        quality: QualityRules::default(),
        transport: false,
    }
}

fn master(rate: (u32, u32), sound: bool) -> Master {
    Master { size: (1280, 720), sample_aspect: (1, 1), rate, sound, seconds: 60.0 }
}

#[test]
fn one_command_makes_every_rendition_with_the_pipelines_settings() {
    let ffmpeg = Ffmpeg::new(&pipeline(), &master((25, 1), true)).unwrap();
    expect![[r#"
        -nostdin -v error -y -i m.mp4
        -filter_complex [0:v:0]split=2[s0][s1];[s0]null[v0];[s1]scale=640:360:flags=bicubic[v1]
        -map [v0] -map [v1]
        -c:v libx264 -preset fast -pix_fmt yuv420p -g 50 -keyint_min 50 -sc_threshold 0 -flags +cgop
        -crf:v:0 22 -maxrate:v:0 3000k -bufsize:v:0 6000k
        -crf:v:1 23.5 -maxrate:v:1 800k -bufsize:v:1 1600k
        -map 0:a:0 -c:a aac -b:a 128k -ac 2 -ar 48000
        -f hls -hls_time 6 -hls_playlist_type vod -hls_segment_type fmp4 -hls_flags independent_segments -master_pl_name index.m3u8 -hls_segment_filename %v/%05d.m4s -var_stream_map v:0,agroup:sound v:1,agroup:sound a:0,agroup:sound %v/media.m3u8"#]]
    .assert_eq(
        &[" -filter", " -map [", " -c:v", " -crf", " -map 0:a", " -f hls"].iter().fold(
            ffmpeg.args("m.mp4", 0.0).join(" "),
            |line, word| line.replace(word, &word.replacen(' ', "\n", 1)),
        )
        .replace("\n-map [v1]", " -map [v1]"),
    );
}

#[test]
fn keys_are_counted_in_frames() {
    let keyint = |rate| Ffmpeg::new(&pipeline(), &master(rate, false)).unwrap().keyint;
    assert_eq!([(25, 1), (24_000, 1001), (60, 1)].map(keyint), [50, 48, 120]);
}

#[test]
fn a_silent_master_gives_a_silent_package() {
    let ffmpeg = Ffmpeg::new(&pipeline(), &master((25, 1), false)).unwrap();
    let args = ffmpeg.args("m.mp4", 0.0);
    assert!(args.contains(&"v:0 v:1".to_owned()));
    assert!(!args.contains(&"-c:a".to_owned()));
}

#[test]
fn another_quality_moves_every_rendition() {
    let ffmpeg = Ffmpeg::new(&pipeline(), &master((25, 1), true)).unwrap();
    let args = ffmpeg.args("m.mp4", -1.0);
    assert!(args.contains(&"21".to_owned()) && args.contains(&"22.5".to_owned()), "{args:?}");
}

#[test]
fn a_pipeline_that_encodes_nothing_is_refused() {
    let copy = Pipeline { video: Video::Copy, ..pipeline() };
    assert!(Ffmpeg::new(&copy, &master((25, 1), true)).is_err());
}
