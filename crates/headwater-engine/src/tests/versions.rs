//! Masters that come twice, titles that come again.

use expect_test::expect;
use headwater_model::refusal::Code;
use headwater_ports::transcoder::Part;
use headwater_testkit::scripted_transcoder::Mishap;

use super::gated_origin::GatedOrigin;
use super::*;

#[tokio::test(start_paused = true)]
async fn a_title_that_comes_again_unchanged_is_published_already() {
    let lab = Lab::new();
    let new = lab.title("film", "a film");
    lab.make(&new).await;
    let made = lab.transcoder.calls();
    let record = lab.make(&new).await;
    assert_eq!((lab.told(&record).as_str(), record.version), ("published", Version(1)));
    assert_eq!(lab.transcoder.calls(), made);
}

#[tokio::test(start_paused = true)]
async fn a_master_that_another_title_has_is_refused_by_name() {
    let lab = Lab::new();
    lab.make(&lab.title("film", "a film")).await;
    let copy = lab.title("copy", "a film");
    let record = lab.make(&copy).await;
    expect!["rejected duplicate-master: title `film` has this very master with pipeline `vod` and is published; nothing was transcoded"]
        .assert_eq(&lab.told(&record));
    let record = lab.make(&NewTitle { again: true, ..copy }).await;
    assert_eq!(lab.told(&record), "published");
}

#[tokio::test(start_paused = true)]
async fn a_master_that_another_title_is_being_made_of_is_refused_too() {
    let lab = Lab::new();
    lab.transcoder.goes_wrong(Part::Span(0), Mishap::HangAfter(0));
    let engine = lab.engine();
    engine.submit(&lab.title("film", "a film")).await.unwrap();
    let service = Service::start(&engine);
    lab.wait("film", |r| r.state.name() == "transcoding").await;
    engine.submit(&lab.title("copy", "a film")).await.unwrap();
    let record = lab.wait("copy", |r| r.state.is_final()).await;
    service.stop().await;
    expect!["rejected duplicate-master: title `film` has this very master with pipeline `vod` and is being worked on; nothing was transcoded"]
        .assert_eq(&lab.told(&record));
}

#[tokio::test(start_paused = true)]
async fn a_master_whose_other_title_failed_is_welcome() {
    let lab = Lab::new();
    for _ in 0..3 {
        lab.transcoder.goes_wrong(Part::Span(0), Mishap::CrashAfter(0));
    }
    assert_eq!(lab.make(&lab.title("film", "a film")).await.state.name(), "failed");
    assert_eq!(lab.told(&lab.make(&lab.title("copy", "a film")).await), "published");
}

#[tokio::test(start_paused = true)]
async fn a_new_version_goes_live_only_when_it_is_proven() {
    let lab = Lab::new();
    lab.make(&lab.title("film", "a film")).await;
    let pointers =
        || lab.text("main/film/index.m3u8").unwrap() + &lab.text("main/film/manifest.mpd").unwrap();
    let first = pointers();

    let second = NewTitle { again: true, ..lab.title("film", "b film") };
    let damage =
        |origin: &MemoryOrigin| origin.remove(&package("film", 2).key("video-360p/seg-00003.m4s"));
    let engine = lab.engine_on(GatedOrigin::damaged_when_sealed(lab.origin.clone(), damage));
    engine.submit(&second).await.unwrap();
    let record = lab.work(&engine, "film").await;
    assert_eq!(record.state.refusal().unwrap().code, Code::NotProven);
    assert_eq!((record.version, record.live), (Version(2), Some(Version(1))));
    assert_eq!(pointers(), first);

    let record = lab.make(&second).await;
    assert_eq!((record.version, record.live), (Version(3), Some(Version(3))));
    assert!(pointers().contains("v3/") && !pointers().contains("v1/"));
    let (tenant, title) = (Tenant::default(), "film".parse().unwrap());
    assert_eq!(lab.engine().verify(&tenant, &title, None).await.unwrap()[0].findings, []);
}

#[tokio::test(start_paused = true)]
async fn a_master_that_an_older_version_had_is_made_again() {
    let lab = Lab::new();
    lab.make(&lab.title("film", "a film")).await;
    assert_eq!(lab.make(&lab.title("film", "b film")).await.live, Some(Version(2)));
    let record = lab.make(&lab.title("film", "a film")).await;
    assert_eq!(record.live, Some(Version(3)));
}

#[tokio::test(start_paused = true)]
async fn viewers_get_an_older_version_again_once_it_is_proven() {
    let lab = Lab::new();
    lab.make(&lab.title("film", "a film")).await;
    let pointers =
        || lab.text("main/film/index.m3u8").unwrap() + &lab.text("main/film/manifest.mpd").unwrap();
    let first = pointers();
    lab.make(&lab.title("film", "b film")).await;
    assert_ne!(pointers(), first);

    let segment = package("film", 1).key("video-360p/seg-00003.m4s");
    let body = lab.origin.object(&segment).unwrap().0;
    lab.origin.remove(&segment);
    let engine = lab.engine();
    assert!(engine.roll_back(&package("film", 1)).await.unwrap());
    let service = Service::start(&engine);
    lab.wait_for(|history| history.contains("publish failed, viewers keep what they have")).await;
    assert_ne!(pointers(), first);
    assert_eq!(lab.record("film").await.live, Some(Version(2)));
    assert!(lab.history("film").await.contains("seg-00003.m4s` on origin lab is missing"));

    lab.origin.put(headwater_testkit::digest::put(segment.as_str(), body)).await.unwrap();
    assert!(engine.roll_back(&package("film", 1)).await.unwrap());
    lab.wait("film", |record| record.live == Some(Version(1))).await;
    service.stop().await;
    assert_eq!(pointers(), first);
    let proofs = engine.verify(&Tenant::default(), &"film".parse().unwrap(), None).await.unwrap();
    assert_eq!(proofs[0].findings, []);
}
