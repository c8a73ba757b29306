//! What a part consists of, and what is said when something else was made.

use expect_test::{Expect, expect};
use headwater_model::id::{Md5, Sha256};
use headwater_model::plan::plan;
use headwater_ports::masters::Input;
use headwater_testkit::scripted_transcoder::ScriptedTranscoder;

use super::*;

/// 15 s at 25 frames a second in segments of 6 s and spans of two.
async fn short_plan() -> Plan {
    use headwater_ports::transcoder::Transcoder as _;
    let transcoder = ScriptedTranscoder::new(15);
    let seen = transcoder.inspect(&Input::File("film.mp4".into())).await.unwrap();
    let pipeline = ScriptedTranscoder::pipeline("vod");
    plan(Sha256([7; 32]), &pipeline, "test", &seen.facts, &seen.index, seen.zero_ns).unwrap()
}

fn object(path: &str, role: &ObjectRole) -> Object {
    let (sha256, md5) = (Sha256([1; 32]), Md5([1; 16]));
    Object { path: path.to_owned(), bytes: 1, sha256, md5, version: None, role: role.clone() }
}

fn check_refused(result: Result<(), Refusal>, expected: Expect) {
    expected.assert_eq(&result.unwrap_err().to_string());
}

#[tokio::test]
async fn parts_together_are_every_object_of_the_plan_once() {
    let plan = short_plan().await;
    let mut told = String::new();
    for part in [Part::Span(0), Part::Span(1), Part::Audio(0), Part::Span(2), Part::Audio(1)] {
        told.push_str(&format!("{part:?}\n"));
        for (path, role) in objects_of(&plan, part) {
            let times = match role {
                ObjectRole::Segment { start, ticks, samples, .. } => {
                    format!(": {ticks} ticks from {start}, {samples} samples")
                }
                _ => String::new(),
            };
            told.push_str(&format!("  {path}{times}\n"));
        }
    }
    expect![[r#"
        Span(0)
          video-234p/init.mp4
          video-234p/seg-00001.m4s: 150000 ticks from 0, 150 samples
          video-360p/init.mp4
          video-360p/seg-00001.m4s: 150000 ticks from 0, 150 samples
        Span(1)
          video-234p/init.mp4
          video-234p/seg-00002.m4s: 150000 ticks from 150000, 150 samples
          video-234p/seg-00003.m4s: 75000 ticks from 300000, 75 samples
          video-360p/init.mp4
          video-360p/seg-00002.m4s: 150000 ticks from 150000, 150 samples
          video-360p/seg-00003.m4s: 75000 ticks from 300000, 75 samples
        Audio(0)
          audio-en/init.mp4
          audio-en/seg-00001.m4s: 287744 ticks from 0, 281 samples
          audio-en/seg-00002.m4s: 288768 ticks from 287744, 282 samples
          audio-en/seg-00003.m4s: 143360 ticks from 576512, 140 samples
        Span(2)
        Audio(1)
    "#]]
    .assert_eq(&told);
}

#[tokio::test]
async fn a_file_that_is_not_as_planned_is_refused() {
    let planned = objects_of(&short_plan().await, Part::Span(1));
    let path = "video-360p/seg-00002.m4s";
    let rendition = || "video-360p".to_owned();
    let (number, start, ticks, samples) = (1, 150_000, 150_000, 150);
    let segment = |start, ticks, samples| ObjectRole::Segment {
        rendition: rendition(),
        number,
        start,
        ticks,
        samples,
    };
    check_made(&planned, path, &segment(start, ticks, samples)).unwrap();
    check_refused(
        check_made(&planned, path, &segment(start, ticks - 1000, samples - 1)),
        expect![
            "frame-count-mismatch: `video-360p/seg-00002.m4s` has 149 frames where the plan counts 150"
        ],
    );
    check_refused(
        check_made(&planned, path, &segment(start + 1, ticks, samples)),
        expect![
            "internal: `video-360p/seg-00002.m4s` lasts 150000 ticks from tick 150001 where the plan has 150000 ticks from tick 150000"
        ],
    );
    check_refused(
        check_made(&planned, path, &ObjectRole::Init { rendition: rendition() }),
        expect!["internal: `video-360p/seg-00002.m4s` is not what the plan has under this name"],
    );
    check_refused(
        check_made(&planned, "../../film2/v1/init.mp4", &segment(start, ticks, samples)),
        expect![
            "internal: `../../film2/v1/init.mp4` was made, but this part of the plan has no such object"
        ],
    );
}

#[tokio::test]
async fn a_part_is_complete_with_every_object_once_and_every_codec() {
    let planned = objects_of(&short_plan().await, Part::Span(0));
    let mut objects: Vec<Object> = planned.iter().map(|(path, role)| object(path, role)).collect();
    let codec = |name: &str| (name.to_owned(), "avc1.42c01e".to_owned());
    let codecs = [codec("video-360p"), codec("video-234p")];
    check_complete(&planned, &objects, &codecs).unwrap();
    check_refused(
        check_complete(&planned, &objects, &codecs[..1]),
        expect!["transcoder-failed: the transcoder did not tell the codec of `video-234p`"],
    );
    objects.push(objects[0].clone());
    check_refused(
        check_complete(&planned, &objects, &codecs),
        expect!["internal: `video-234p/init.mp4` was made twice"],
    );
    objects.truncate(2);
    check_refused(
        check_complete(&planned, &objects, &codecs),
        expect![
            "transcoder-failed: the transcoder ended without `video-360p/init.mp4`: 2 of 4 objects were made"
        ],
    );
}
