//! Leases, shutdown and what goes wrong in transcoders and spools.

use expect_test::expect;
use headwater_model::lane::Offer;
use headwater_model::refusal::Code;
use headwater_ports::transcoder::Part;
use headwater_testkit::flaky::{Fail, Flaky};
use headwater_testkit::scripted_transcoder::Mishap;

use super::gated_catalog::{Gate, GatedCatalog};
use super::*;
use crate::lease::Hold;

#[tokio::test(start_paused = true)]
async fn a_transcoder_that_crashes_twice_succeeds_at_the_third_try() {
    let lab = Lab::new();
    lab.transcoder.goes_wrong(Part::Span(1), Mishap::CrashAfter(0));
    lab.transcoder.goes_wrong(Part::Span(1), Mishap::CrashAfter(2));
    assert_eq!(lab.told(&lab.make(&lab.title("film", "a film")).await), "published");
    let calls = lab.transcoder.calls();
    let count = |part| calls.iter().filter(|p| **p == part).count();
    assert_eq!((count(Part::Span(0)), count(Part::Span(1)), count(Part::Audio(0))), (1, 3, 1));
}

#[tokio::test(start_paused = true)]
async fn a_transcoder_that_always_crashes_fails_with_its_last_words() {
    let lab = Lab::new();
    for _ in 0..3 {
        lab.transcoder.goes_wrong(Part::Audio(0), Mishap::CrashAfter(1));
    }
    let record = lab.make(&lab.title("film", "a film")).await;
    expect!["failed transcoder-failed: the transcoder was killed by signal 11"]
        .assert_eq(&lab.told(&record));
}

#[tokio::test(start_paused = true)]
async fn what_a_transcoder_gets_wrong_is_not_believed() {
    let cases = [
        (Mishap::FrameMissing, Code::FrameCountMismatch),
        (Mishap::EmptyFile, Code::TranscoderFailed),
        (Mishap::LeavesOutLast, Code::TranscoderFailed),
        (Mishap::NamesFile("/etc/hostname".into()), Code::TranscoderFailed),
        (Mishap::NamesFile("../../film.mp4".into()), Code::TranscoderFailed),
    ];
    for (mishap, code) in cases {
        let lab = Lab::new();
        for _ in 0..3 {
            lab.transcoder.goes_wrong(Part::Span(1), mishap.clone());
        }
        let record = lab.make(&lab.title("film", "a film")).await;
        assert_eq!(record.state.refusal().map(|r| r.code), Some(code), "{mishap:?}");
        assert!(lab.folder.path().join("film.mp4").exists());
    }
}

#[tokio::test(start_paused = true)]
async fn an_init_segment_that_differs_between_spans_is_an_error() {
    let lab = Lab { slots: 1, ..Lab::new() };
    lab.transcoder.goes_wrong(Part::Span(1), Mishap::OtherInit);
    let engine = lab.engine();
    engine.submit(&lab.title("film", "a film")).await.unwrap();
    let record = lab.work(&engine, "film").await;
    let refusal = record.state.refusal().unwrap();
    assert_eq!(refusal.code, Code::Internal);
    assert!(refusal.message.contains("init.mp4` differs between spans"), "{refusal}");
}

#[tokio::test(start_paused = true)]
async fn a_lease_lost_while_uploading_publishes_nothing() {
    let lab = Lab::new();
    let hanging =
        Flaky::new(lab.origin.clone(), vec![Fail::HangPuts { containing: "video-360p/seg-00004" }]);
    let engine = lab.engine_on(Arc::new(hanging));
    engine.submit(&lab.title("film", "a film")).await.unwrap();
    let service = Service::start(&engine);
    lab.wait("film", |r| r.progress.spans_done == 1).await;
    sleep(Duration::from_secs(300)).await;
    assert_eq!(
        lab.record("film").await.state.name(),
        "transcoding",
        "renewed for as long as it takes"
    );

    // To the worker this looks like a partition: its lease is somebody else's now.
    assert_eq!(lab.catalog.end_all_leases().await.unwrap(), 1);
    let other =
        lab.catalog.claim(&Offer::of("w2", &[Role::Worker]), 1_000_000).await.unwrap().unwrap();
    sleep(Duration::from_secs(60)).await;
    let left: Vec<_> = fs::read_dir(lab.spool()).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(left, [".lock"], "the child and its files are gone");
    assert_eq!(lab.record("film").await.state.name(), "transcoding");
    service.stop().await;

    lab.catalog.release(&other.lease).await.unwrap();
    assert_eq!(lab.told(&lab.work(&lab.engine(), "film").await), "published");
}

#[tokio::test(start_paused = true)]
async fn shutdown_gives_the_claims_back_and_does_not_count_as_a_try() {
    let lab = Lab::new();
    lab.transcoder.goes_wrong(Part::Span(0), Mishap::HangAfter(3));
    lab.transcoder.goes_wrong(Part::Audio(0), Mishap::HangAfter(1));
    let engine = lab.engine();
    engine.submit(&lab.title("film", "a film")).await.unwrap();
    let service = Service::start(&engine);
    lab.wait("film", |_| lab.transcoder.calls().len() == 2).await;
    let started = Instant::now();
    service.stop().await;
    assert!(started.elapsed() < Duration::from_secs(1));
    for _ in 0..3 {
        let claimed =
            lab.catalog.claim(&Offer::of("w2", &[Role::Worker]), 1_000).await.unwrap().unwrap();
        assert_eq!(claimed.attempt, 1, "{}", claimed.kind);
    }
}

#[tokio::test(start_paused = true)]
async fn a_full_origin_is_waited_for() {
    let lab = Lab::new();
    let full = Flaky::new(lab.origin.clone(), vec![Fail::FullAfter { bytes: 10_000 }]);
    let engine = lab.engine_on(Arc::new(full));
    engine.submit(&lab.title("film", "a film")).await.unwrap();
    let service = Service::start(&engine);
    lab.wait_for(|history| history.contains("failed (attempt 20), next try in")).await;
    service.stop().await;
    let history = lab.history("film").await;
    let why = ": origin-full: origin lab has no space left: failed to store";
    assert!(history.contains(why), "{history}");

    // Somebody has made room.
    let record = lab.work(&lab.engine(), "film").await;
    assert_eq!((lab.told(&record).as_str(), record.version), ("published", Version(1)));
}

#[tokio::test(start_paused = true)]
async fn an_origin_that_is_away_for_a_while_costs_a_try() {
    let lab = Lab::new();
    let engine = lab.engine_on(Arc::new(Flaky::new(lab.origin.clone(), vec![Fail::FirstPuts(2)])));
    engine.submit(&lab.title("film", "a film")).await.unwrap();
    assert_eq!(lab.told(&lab.work(&engine, "film").await), "published");
}

#[tokio::test(start_paused = true)]
async fn work_that_is_submitted_while_all_sleep_starts_at_once() {
    let lab = Lab::new();
    let engine = lab.engine();
    let service = Service::start(&engine);
    sleep(Duration::from_secs(10)).await;
    engine.submit(&lab.title("film", "a film")).await.unwrap();
    lab.wait("film", |r| r.state.is_final()).await;
    service.stop().await;
}

#[tokio::test(start_paused = true)]
async fn frames_are_told_while_a_span_is_being_made() {
    let lab = Lab { slots: 1, ..Lab::new() };
    lab.transcoder.goes_wrong(Part::Span(0), Mishap::Slow(Duration::from_secs(5)));
    let engine = lab.engine();
    engine.submit(&lab.title("film", "a film")).await.unwrap();
    let service = Service::start(&engine);
    for frames in [150, 300] {
        let record = lab.wait("film", |r| r.progress.frames_done == frames).await;
        assert_eq!(record.progress.spans_done, 0);
    }
    service.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_result_is_handed_in_again_until_the_catalog_takes_it() {
    let lab = Lab::new();
    let catalog = GatedCatalog::new(lab.catalog.clone(), Gate::Fails("complete", 5));
    let engine = lab.engine_by(catalog, lab.origin.clone());
    engine.submit(&lab.title("film", "a film")).await.unwrap();
    assert_eq!(lab.told(&lab.work(&engine, "film").await), "published");
    assert_eq!(lab.transcoder.calls().len(), 3, "nothing was made twice");
}

#[tokio::test(start_paused = true)]
async fn a_catalog_that_is_away_for_a_moment_loses_no_lease() {
    let lab = Lab::new();
    lab.transcoder.goes_wrong(Part::Span(0), Mishap::Slow(Duration::from_secs(60)));
    let catalog = GatedCatalog::new(lab.catalog.clone(), Gate::Fails("renew", 1));
    let engine = lab.engine_by(catalog, lab.origin.clone());
    engine.submit(&lab.title("film", "a film")).await.unwrap();
    assert_eq!(lab.told(&lab.work(&engine, "film").await), "published");
    assert_eq!(lab.transcoder.calls().len(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_catalog_that_is_away_in_the_middle_of_work_costs_no_try() {
    for method in ["objects", "renew", "note", "keep_copy", "package"] {
        let lab = Lab::new();
        let catalog = GatedCatalog::new(lab.catalog.clone(), Gate::Away(method, 20));
        let engine = lab.engine_by(catalog, lab.origin.clone());
        lab.engine().submit(&lab.title("film", "a film")).await.unwrap();
        assert_eq!(lab.told(&lab.work(&engine, "film").await), "published");
        assert_eq!(lab.transcoder.calls().len(), 3, "{method}: nothing was made twice");
        let told = lab.history("film").await;
        assert!(!told.contains("failed"), "{method}: {told}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_worker_that_is_cut_off_from_the_catalog_lets_go_when_its_lease_is_over() {
    for gate in [Gate::Fails("renew", usize::MAX), Gate::Hangs("renew")] {
        let lab = Lab::new();
        lab.catalog.submit(&lab.title("film", "a film")).await.unwrap();
        let claimed = lab.catalog.claim(&Offer::of("w1", &ALL), 30_000).await.unwrap().unwrap();
        let catalog = GatedCatalog::new(lab.catalog.clone(), gate);
        let started = Instant::now();
        Hold::new(catalog, claimed.lease, Duration::from_secs(30)).keep().await;
        assert_eq!(started.elapsed(), Duration::from_secs(30));
    }
}

#[tokio::test(start_paused = true)]
async fn a_publisher_that_cannot_ask_whether_it_may_touches_no_pointer() {
    let lab = Lab::new();
    let engine = lab.engine();
    engine.submit(&lab.title("film", "a film")).await.unwrap();
    let shutdown = CancellationToken::new();
    let worked = engine.run(&[Role::Worker, Role::Verifier], shutdown.clone());
    let sealed = async {
        lab.wait("film", |r| r.state.name() == "publishing").await;
        shutdown.cancel();
    };
    let (worked, ()) = tokio::join!(worked, sealed);
    worked.unwrap();

    let catalog = GatedCatalog::new(lab.catalog.clone(), Gate::Fails("renew", usize::MAX));
    let record = lab.work(&lab.engine_by(catalog, lab.origin.clone()), "film").await;
    assert_eq!(record.state.refusal().map(|r| r.code), Some(Code::Internal));
    assert_eq!(
        (lab.text("main/film/index.m3u8"), lab.text("main/film/manifest.mpd")),
        (None, None)
    );

    let record = lab.make(&lab.title("film", "a film")).await;
    assert_eq!((lab.told(&record).as_str(), record.version), ("published", Version(1)));
}
