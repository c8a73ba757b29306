//! Draining: what is under way may finish, nothing new is begun, and what takes too long is given back.

use expect_test::expect;
use headwater_model::lane::Offer;
use headwater_model::life::TitleState;
use headwater_ports::transcoder::Part;
use headwater_testkit::scripted_transcoder::Mishap;

use super::gated_catalog::{Gate, GatedCatalog};
use super::*;

/// A service at work on the first span and the sound of `film`, both of which take their time.
async fn at_work(lab: &Lab, engine: &Engine) -> Service {
    lab.catalog.submit(&lab.title("film", "a film")).await.unwrap();
    let service = Service::start(engine);
    lab.wait("film", |_| lab.transcoder.calls().len() == 2).await;
    let calls = lab.transcoder.calls();
    assert!(calls.contains(&Part::Span(0)) && calls.contains(&Part::Audio(0)), "{calls:?}");
    service
}

/// What is left in the queue, each with the number of the try that it would get.
async fn left(lab: &Lab) -> Vec<String> {
    let mut left = Vec::new();
    while let Some(claimed) = lab.catalog.claim(&Offer::of("w2", &ALL), 1_000_000).await.unwrap() {
        left.push(format!("{} {}", claimed.kind, claimed.attempt));
    }
    left.sort();
    left
}

#[tokio::test(start_paused = true)]
async fn what_is_under_way_is_finished_and_nothing_else_begun() {
    // Paused time runs away while other threads hash: no span of it is long enough but one like this.
    let lab = Lab { drain: Duration::from_secs(10_000_000), ..Lab::new() };
    lab.transcoder.goes_wrong(Part::Span(0), Mishap::Slow(Duration::from_secs(2)));
    lab.transcoder.goes_wrong(Part::Audio(0), Mishap::Slow(Duration::from_secs(1)));
    let engine = lab.engine();
    let service = at_work(&lab, &engine).await;
    let began = Instant::now();
    service.shutdown.drain();
    service.ended().await.unwrap();
    assert!(began.elapsed() < lab.drain, "{:?}", began.elapsed());
    assert_eq!(lab.transcoder.calls().len(), 2);
    let history = lab.history("film").await;
    assert!(history.contains("span 1 done") && history.contains("audio 1 done"), "{history}");
    assert_eq!(left(&lab).await, ["span 2 1"]);
}

#[tokio::test(start_paused = true)]
async fn what_takes_longer_is_given_back_and_does_not_count_as_a_try() {
    let lab = Lab::new();
    lab.transcoder.goes_wrong(Part::Span(0), Mishap::HangAfter(3));
    lab.transcoder.goes_wrong(Part::Audio(0), Mishap::HangAfter(1));
    let engine = lab.engine();
    let service = at_work(&lab, &engine).await;
    let began = Instant::now();
    service.shutdown.drain();
    service.ended().await.unwrap();
    let took = began.elapsed();
    assert!(took >= lab.drain && took < lab.drain + Duration::from_secs(1), "{took:?}");
    assert_eq!(left(&lab).await, ["audio 1 1", "span 1 1", "span 2 1"]);
}

#[tokio::test(start_paused = true)]
async fn whoever_drains_can_still_be_told_to_stop() {
    let lab = Lab::new();
    lab.transcoder.goes_wrong(Part::Span(0), Mishap::HangAfter(3));
    lab.transcoder.goes_wrong(Part::Audio(0), Mishap::HangAfter(1));
    let engine = lab.engine();
    let service = at_work(&lab, &engine).await;
    service.shutdown.drain();
    sleep(Duration::from_secs(5)).await;
    assert!(!service.running.is_finished());
    let began = Instant::now();
    service.stop().await;
    assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
    assert_eq!(left(&lab).await, ["audio 1 1", "span 1 1", "span 2 1"]);
}

#[tokio::test(start_paused = true)]
async fn a_claim_that_is_answered_after_the_end_goes_back_as_it_is() {
    let lab = Lab { drain: Duration::from_secs(10_000_000), ..Lab::new() };
    lab.catalog.submit(&lab.title("film", "a film")).await.unwrap();
    let slow = GatedCatalog::new(lab.catalog.clone(), Gate::OneConnection(Default::default()));
    let engine = lab.engine_by(slow, lab.origin.clone());
    let service = Service::start_as(&engine, &[Role::Publisher, Role::Worker]);
    // The question is on its way once the loops beat.
    while engine.pulse().read().is_empty() {
        tokio::task::yield_now().await;
    }
    service.shutdown.drain();
    service.ended().await.unwrap();
    assert_eq!(lab.record("film").await.state.name(), "queued");
    assert_eq!(left(&lab).await, ["prepare 1"]);
}

#[tokio::test(start_paused = true)]
async fn a_catalog_that_takes_nothing_back_holds_nobody_up() {
    let lab = Lab::new();
    lab.transcoder.goes_wrong(Part::Span(0), Mishap::HangAfter(3));
    lab.transcoder.goes_wrong(Part::Audio(0), Mishap::HangAfter(1));
    let mute = GatedCatalog::new(lab.catalog.clone(), Gate::Hangs("release"));
    let engine = lab.engine_by(mute, lab.origin.clone());
    let service = at_work(&lab, &engine).await;
    let began = Instant::now();
    service.stop().await;
    assert!(began.elapsed() < Duration::from_secs(6), "{:?}", began.elapsed());
}

#[tokio::test(start_paused = true)]
async fn loops_beat_while_they_drain_and_are_gone_afterwards() {
    let lab = Lab::new();
    lab.transcoder.goes_wrong(Part::Span(0), Mishap::HangAfter(3));
    lab.transcoder.goes_wrong(Part::Audio(0), Mishap::HangAfter(1));
    let engine = lab.engine();
    let service = at_work(&lab, &engine).await;
    let names = |engine: &Engine| engine.pulse().read().iter().map(|(n, _)| *n).collect::<Vec<_>>();
    assert_eq!(names(&engine), ["archive", "publish", "verify", "worker"]);
    service.shutdown.drain();
    sleep(Duration::from_secs(10)).await;
    let [("worker", ago)] = engine.pulse().read()[..] else { panic!("{:?}", names(&engine)) };
    assert!(ago <= Duration::from_secs(1), "{ago:?}");
    service.ended().await.unwrap();
    assert!(names(&engine).is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_loop_that_fails_ends_the_engine_with_an_error() {
    let lab = Lab::new();
    let broken = GatedCatalog::new(lab.catalog.clone(), Gate::Panics("claim"));
    let engine = lab.engine_by(broken, lab.origin.clone());
    let service = Service::start_as(&engine, &[Role::Worker]);
    let error = service.ended().await.unwrap_err();
    expect!["the loop that looks for tasks to transcode has failed: the engine panicked: the catalog's fault"]
        .assert_eq(&error.to_string());
}

#[tokio::test(start_paused = true)]
async fn no_more_is_begun_than_there_is_memory_for() {
    // What either of the two parts needs is more than half of what is left beside the process.
    for (memory_mb, together) in [(8_192, 2), (2_048, 1), (512, 0)] {
        let lab = Lab {
            memory_mb: Some(memory_mb),
            drain: Duration::from_secs(10_000_000),
            ..Lab::new()
        };
        for part in [Part::Span(0), Part::Audio(0)] {
            lab.transcoder.goes_wrong(part, Mishap::Slow(Duration::from_secs(1_000_000)));
        }
        lab.catalog.submit(&lab.title("film", "a film")).await.unwrap();
        let service = Service::start(&lab.engine());
        lab.wait("film", |record| record.state == TitleState::Transcoding).await;
        tokio::time::sleep(Duration::from_secs(60)).await;
        assert_eq!(lab.transcoder.calls().len(), together, "with {memory_mb} MB");
        service.shutdown.stop();
        service.ended().await.unwrap();
    }
}
