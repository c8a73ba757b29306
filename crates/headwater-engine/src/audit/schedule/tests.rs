//! Audits that go on by themselves: each in its time, none kept from it by another.

use std::sync::Arc;
use std::time::Duration;

use headwater_ports::catalog::Catalog;
use headwater_ports::origin::Origin;
use headwater_testkit::flaky::{Fail, Flaky};
use headwater_testkit::memory_origin::MemoryOrigin;
use tokio::task::JoinHandle;

use super::*;
use crate::audit::tests::{key, published};
use crate::tests::Lab;

const HOUR: Duration = Duration::from_secs(3_600);

/// Audits of `lab` that list every hour and read every ten.
struct Auditor {
    stop: CancellationToken,
    running: JoinHandle<()>,
}

impl Auditor {
    fn start(lab: &Lab, engine: Engine) -> Self {
        let stop = CancellationToken::new();
        let schedule =
            Schedule { list: HOUR, read: Some(10 * HOUR), budget: Budget::NONE, heals: true };
        let clock = lab.clock.clone();
        let now: Arc<dyn Fn() -> i64 + Send + Sync> = Arc::new(move || clock.now().0);
        let running = tokio::spawn({
            let stop = stop.clone();
            async move { engine.audit_for_ever(&Tenant::default(), schedule, now, stop).await }
        });
        Self { stop, running }
    }

    async fn stop(self) {
        self.stop.cancel();
        self.running.await.unwrap();
    }
}

/// Waits until a round on an origin is done that is not `before`, and says when that began, in milliseconds after the lab
/// did. Paused time runs away while threads outside the runtime compute, so what has happened is waited for.
async fn round(lab: &Lab, name: &str, origin: &str, before: Option<i64>) -> i64 {
    loop {
        let mark = lab.catalog.checkpoint(&format!("audit/{name}/main/{origin}")).await.unwrap();
        match mark.and_then(|(text, _)| began_and_done(&text)) {
            Some((began, true)) if Some(began) != before => return began,
            _ => tokio::time::sleep(Duration::from_secs(1)).await,
        }
    }
}

async fn findings(lab: &Lab) -> usize {
    lab.catalog.incidents(&Tenant::default(), None, true, 10).await.unwrap().len()
}

/// Waits until there are so many incidents.
async fn found(lab: &Lab, expected: usize) {
    while findings(lab).await != expected {
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn every_round_is_done_once_in_its_time() {
    let lab = published(&["film"]).await;
    let auditor = Auditor::start(&lab, lab.engine());
    for (name, every_ms) in [("list", 3_600_000), ("read", 36_000_000)] {
        let first = round(&lab, name, "lab", None).await;
        let second = round(&lab, name, "lab", Some(first)).await;
        assert!(second - first >= every_ms, "not before its time: {}", second - first);
    }
    lab.origin.rot(&key("main/film/v1/video-360p/seg-00002.m4s"));
    found(&lab, 1).await;
    lab.origin.remove(&key("main/film/v1/video-360p/seg-00003.m4s"));
    found(&lab, 2).await;
    auditor.stop().await;
}

#[tokio::test(start_paused = true)]
async fn reading_keeps_nothing_from_being_listed() {
    let lab = published(&["film"]).await;
    // Only who reads comes to the segments.
    let hangs = Flaky::new(lab.origin.clone(), vec![Fail::HangGets { containing: "/seg-" }]);
    let auditor = Auditor::start(&lab, lab.engine_on(Arc::new(hangs)));
    let first = round(&lab, "list", "lab", None).await;
    round(&lab, "list", "lab", Some(first)).await;
    lab.origin.remove(&key("main/film/v1/video-360p/seg-00003.m4s"));
    found(&lab, 1).await;
    let mark = lab.catalog.checkpoint("audit/read/main/lab").await.unwrap().unwrap().0;
    assert!(mark.ends_with("under way"), "{mark}");
    auditor.stop().await;
}

#[tokio::test(start_paused = true)]
async fn an_origin_that_is_away_neither_ends_nor_repeats_the_audits_of_another() {
    let lab = Lab::new();
    let second = Arc::new(MemoryOrigin::new("second"));
    let engine = lab.on_two(lab.origin.clone(), second.clone());
    engine.submit(&lab.title("film", "a film")).await.unwrap();
    lab.work(&engine, "film").await;
    let away: Arc<dyn Origin> = Arc::new(Flaky::new(lab.origin.clone(), vec![Fail::Lists]));
    let auditor = Auditor::start(&lab, lab.on_two(away, second.clone()));
    for name in ["list", "read"] {
        round(&lab, name, "second", None).await;
    }
    let first = round(&lab, "list", "second", None).await;
    let next = round(&lab, "list", "second", Some(first)).await;
    assert!(next - first >= 3_600_000, "not again before its time: {}", next - first);
    second.remove(&key("main/film/v1/video-360p/seg-00003.m4s"));
    found(&lab, 1).await;
    auditor.stop().await;

    // A restart does not begin again with what is done.
    let read = round(&lab, "read", "second", None).await;
    let auditor = Auditor::start(&lab, engine);
    round(&lab, "read", "lab", None).await;
    let then = round(&lab, "read", "second", None).await;
    assert!(then == read || then - read >= 36_000_000, "{}", then - read);
    auditor.stop().await;
}

#[tokio::test(start_paused = true)]
async fn what_was_seen_too_long_ago_is_looked_at_again() {
    let names: Vec<String> = (0..17).map(|n| format!("title-{n:03}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let lab = published(&names).await;
    // The second group never ends.
    let stuck = || {
        let hangs = vec![Fail::HangGets { containing: "title-009/v1/inventory" }];
        lab.engine_on(Arc::new(Flaky::new(lab.origin.clone(), hangs)))
    };
    let lost = key("main/title-003/v1/index.m3u8");
    let (body, _) = lab.origin.object(&lost).unwrap();
    for (stands, expected) in [(HOUR / 2, 0), (2 * HOUR, 1)] {
        let auditor = Auditor::start(&lab, stuck());
        while lab.catalog.checkpoint("audit/list/main/place/lab").await.unwrap().is_none() {
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        auditor.stop().await;
        lab.origin.remove(&lost);
        tokio::time::sleep(stands).await;
        let before = lab.catalog.checkpoint("audit/list/main/lab").await.unwrap().unwrap();
        assert!(before.0.ends_with("under way"), "{before:?}");
        let list = Schedule { list: HOUR, read: None, budget: Budget::NONE, heals: false };
        let (clock, stop, tenant) =
            (lab.clock.clone(), CancellationToken::new(), Tenant::default());
        let (now, engine) = (Arc::new(move || clock.now().0), lab.engine());
        tokio::select! {
            () = engine.audit_for_ever(&tenant, list, now, stop) => {}
            _ = round(&lab, "list", "lab", None) => {}
        }
        assert_eq!(findings(&lab).await, expected, "it stood for {stands:?}");
        lab.origin.put(headwater_testkit::digest::put(lost.as_str(), body.clone())).await.unwrap();
        lab.catalog.keep_checkpoint("audit/list/main/lab", None).await.unwrap();
    }
}
