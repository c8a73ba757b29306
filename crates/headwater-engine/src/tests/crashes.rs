//! Killed at any moment and started again, a title ends published, and nothing that was done is done again.

use std::collections::BTreeSet;

use headwater_ports::transcoder::Part;
use headwater_testkit::scripted_transcoder::Mishap;
use tokio::sync::Notify;

use super::gated_catalog::{Gate, GatedCatalog};
use super::gated_origin::GatedOrigin;
use super::*;

/// Parts that the catalog has as done.
async fn done(lab: &Lab) -> BTreeSet<String> {
    let history = lab.history("film").await;
    history.lines().filter_map(|l| l.strip_suffix(" done")).map(str::to_owned).collect()
}

fn name(part: &Part) -> String {
    match part {
        Part::Span(n) => format!("span {}", n + 1),
        Part::Audio(n) => format!("audio {}", n + 1),
        Part::Text(n) => format!("text {}", n + 1),
        Part::Pictures => "pictures".to_owned(),
    }
}

/// Starts again after a kill and checks that the title ends published and that what was done before is kept.
async fn check_restart(lab: &Lab, when: &str) {
    lab.catalog.end_all_leases().await.unwrap();
    let (kept, before) = (done(lab).await, lab.transcoder.calls().len());
    let record = lab.work(&lab.engine(), "film").await;
    assert_eq!(lab.told(&record), "published", "{when}");
    assert_eq!((record.version, record.live), (Version(1), Some(Version(1))), "{when}");
    for part in &lab.transcoder.calls()[before..] {
        assert!(!kept.contains(&name(part)), "{} was made again after {when}", name(part));
    }
    let (tenant, title) = (Tenant::default(), "film".parse().unwrap());
    let proofs = lab.engine().verify(&tenant, &title, None).await.unwrap();
    assert!(proofs.iter().all(|proof| proof.findings.is_empty()), "{when}: {proofs:?}");
}

#[tokio::test(start_paused = true)]
async fn killed_at_every_operation_on_the_origin() {
    for n in 0.. {
        let lab = Lab::new();
        let (origin, bell) = GatedOrigin::closing(lab.origin.clone(), n);
        let engine = lab.engine_on(origin);
        engine.submit(&lab.title("film", "a film")).await.unwrap();
        let service = Service::start(&engine);
        let stopped = tokio::select! {
            () = bell.notified() => true,
            _ = lab.wait("film", |r| r.state.is_final()) => false,
        };
        service.kill().await;
        if !stopped {
            assert!(n > 30, "only {n} operations");
            break;
        }
        check_restart(&lab, &format!("operation {n}")).await;
    }
}

/// Kills right before, or right after, every call of the catalog.
async fn check_catalog_calls(gate: impl Fn(usize, Arc<Notify>) -> Gate) {
    for n in 0.. {
        let lab = Lab { slots: 1, ..Lab::new() };
        lab.engine().submit(&lab.title("film", "a film")).await.unwrap();
        let bell = Arc::new(Notify::new());
        let catalog = GatedCatalog::new(lab.catalog.clone(), gate(n, bell.clone()));
        let service = Service::start(&lab.engine_by(catalog, lab.origin.clone()));
        let stopped = tokio::select! {
            () = bell.notified() => true,
            _ = lab.wait("film", |r| r.state.is_final()) => false,
        };
        service.kill().await;
        if !stopped {
            assert!(n > 15, "only {n} calls");
            break;
        }
        check_restart(&lab, &format!("call {n}")).await;
    }
}

#[tokio::test(start_paused = true)]
async fn killed_before_every_call_of_the_catalog() {
    check_catalog_calls(Gate::ClosesBefore).await;
}

#[tokio::test(start_paused = true)]
async fn killed_after_every_call_of_the_catalog() {
    check_catalog_calls(Gate::ClosesAfter).await;
}

#[tokio::test(start_paused = true)]
async fn killed_while_transcoders_work() {
    for part in [Part::Span(0), Part::Span(1), Part::Audio(0)] {
        for files in 0..5 {
            let lab = Lab::new();
            lab.transcoder.goes_wrong(part, Mishap::HangAfter(files));
            let engine = lab.engine();
            engine.submit(&lab.title("film", "a film")).await.unwrap();
            let service = Service::start(&engine);
            lab.wait("film", |_| lab.transcoder.calls().len() == 3).await;
            sleep(Duration::from_secs(5)).await;
            service.kill().await;
            check_restart(&lab, &format!("{} files of {}", files, name(&part))).await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_killed_worker_whose_leases_nobody_ends_is_replaced_when_they_run_out() {
    let lab = Lab::new();
    lab.transcoder.goes_wrong(Part::Span(1), Mishap::HangAfter(2));
    let engine = lab.engine();
    engine.submit(&lab.title("film", "a film")).await.unwrap();
    let service = Service::start(&engine);
    lab.wait("film", |r| r.progress.spans_done == 1).await;
    service.kill().await;
    let started = Instant::now();
    assert_eq!(lab.told(&lab.work(&lab.engine(), "film").await), "published");
    assert!(started.elapsed() > Duration::from_secs(20), "the lease was honoured");
}
