//! Masters that cannot be used, one kind each: refused with a code and a sentence, and the service goes on.

use expect_test::{Expect, expect};
use headwater_model::refusal::{Code, Refusal};
use headwater_ports::transcoder::{Part, TranscodeError};
use headwater_testkit::scripted_transcoder::Mishap;

use super::*;

async fn check(lab: &Lab, new: &NewTitle, expected: Expect) {
    let record = lab.make(new).await;
    expected.assert_eq(&lab.told(&record));
    assert_eq!(record.live, None);
    let pointer = format!("main/{}/index.m3u8", new.title);
    assert!(!lab.origin.keys().contains(&pointer));
}

#[tokio::test(start_paused = true)]
async fn files_that_are_no_masters_are_refused_before_anybody_probes_them() {
    let lab = Lab::new();
    check(
        &lab,
        &lab.title("empty", ""),
        expect!["rejected empty-file: the master `FOLDER/empty.mp4` is empty: it has 0 bytes"],
    )
    .await;
    let gone = lab.title_at("gone", &lab.folder.path().join("gone.mp4"));
    check(&lab, &gone, expect!["failed master-gone: there is no file `FOLDER/gone.mp4` any more"])
        .await;
    let folder = lab.title_at("folder", lab.folder.path());
    check(&lab, &folder, expect!["rejected not-a-file: `FOLDER` is a folder, not a media file"])
        .await;
    assert_eq!(lab.transcoder.inspected(), 0);
    assert_eq!(lab.told(&lab.make(&lab.title("film", "a film")).await), "published");
}

#[tokio::test(start_paused = true)]
async fn what_the_probe_refuses_is_not_tried_again() {
    let lab = Lab::new();
    let refusal = Refusal::new(Code::NotMedia, "no container was recognised");
    lab.transcoder.inspection_fails(TranscodeError::Refused(refusal));
    let new = lab.title("text", "not a film at all");
    check(&lab, &new, expect!["rejected not-media: no container was recognised"]).await;
    assert_eq!(lab.transcoder.inspected(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_probe_that_crashes_is_tried_again() {
    let lab = Lab::new();
    let crash = || TranscodeError::Crashed {
        how: "was killed by signal 9".to_owned(),
        last_words: String::new(),
    };
    lab.transcoder.inspection_fails(crash());
    lab.transcoder.inspection_fails(crash());
    assert_eq!(lab.told(&lab.make(&lab.title("film", "a film")).await), "published");
    assert_eq!(lab.transcoder.inspected(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_master_that_vanishes_half_way_is_gone_whatever_the_transcoder_says() {
    let lab = Lab { slots: 1, ..Lab::new() };
    let new = lab.title("film", "a film");
    let refusal = Refusal::new(Code::DamagedMaster, "the file ends in the middle of a frame");
    lab.transcoder.goes_wrong(Part::Span(1), Mishap::MasterVanishes(refusal));
    let record = lab.make(&new).await;
    expect!["failed master-gone: there is no file `FOLDER/film.mp4` any more"]
        .assert_eq(&lab.told(&record));

    // Put back, with another time: the content decides, and what was made is kept.
    let made = lab.transcoder.calls();
    let record = lab.make(&lab.title("film", "a film")).await;
    assert_eq!(lab.told(&record), "published");
    assert_eq!(record.version, Version(1));
    assert_eq!(lab.transcoder.calls()[made.len()..], [Part::Span(1)]);
}

#[tokio::test(start_paused = true)]
async fn spans_of_a_replaced_master_are_not_mixed_with_those_made_before() {
    let lab = Lab::new();
    let new = lab.title("film", "a film");
    lab.transcoder.goes_wrong(Part::Span(1), Mishap::HangAfter(1));
    let engine = lab.engine();
    engine.submit(&new).await.unwrap();
    let service = Service::start(&engine);
    lab.wait("film", |r| r.progress.spans_done == 1).await;
    service.stop().await;
    lab.title("film", "b film");
    let record = lab.work(&lab.engine(), "film").await;
    assert_eq!(record.state.refusal().unwrap().code, Code::MasterChanged);

    let record = lab.make(&new).await;
    assert_eq!((lab.told(&record).as_str(), record.version), ("published", Version(2)));
}

#[tokio::test(start_paused = true)]
async fn a_master_that_is_replaced_while_its_span_is_made_spoils_the_span() {
    let lab = Lab::new();
    let new = lab.title("film", "a film");
    lab.transcoder.goes_wrong(Part::Span(0), Mishap::Slow(Duration::from_secs(2)));
    let engine = lab.engine();
    engine.submit(&new).await.unwrap();
    let service = Service::start(&engine);
    lab.wait("film", |r| r.state.name() == "transcoding").await;
    sleep(Duration::from_secs(5)).await;
    lab.title("film", "a longer film");
    let record = lab.wait("film", |r| r.state.is_final()).await;
    service.stop().await;
    assert_eq!(record.state.refusal().unwrap().code, Code::MasterChanged);
}
