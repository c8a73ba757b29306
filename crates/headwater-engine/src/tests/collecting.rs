//! Versions that viewers left long ago are deleted, and nothing that anybody may still get.

use std::sync::Mutex;

use futures_util::FutureExt;
use headwater_model::audit::Standing;
use headwater_testkit::flaky::{Fail, Flaky};

use super::gated_catalog::{Gate as CatalogGate, GatedCatalog};
use super::gated_origin::{Gate, GatedOrigin};
use super::*;

const FAR: Timestamp = Timestamp(i64::MAX);

/// Deletes what viewers no longer get, at once, and says what that was.
async fn collect(engine: &Engine) -> Vec<String> {
    let found = Mutex::new(Vec::new());
    let note = |unneeded: &crate::gc::Unneeded| {
        found.lock().unwrap().push(unneeded.package.to_string());
    };
    engine.collect(&Tenant::default(), FAR, 0, true, &note).await.unwrap();
    found.into_inner().unwrap()
}

/// A lab whose title `film` has two versions that viewers have had.
async fn with_two_versions() -> Lab {
    let lab = Lab::new();
    for content in ["a film", "b film"] {
        lab.make(&lab.title("film", content)).await;
    }
    lab
}

fn keys_of(origin: &MemoryOrigin, version: u32) -> Vec<String> {
    let prefix = package("film", version).prefix();
    origin.keys().into_iter().filter(|key| key.starts_with(&prefix)).collect()
}

async fn check_sound(engine: &Engine) {
    let proofs = engine.verify(&Tenant::default(), &"film".parse().unwrap(), None).await.unwrap();
    assert!(proofs.iter().all(|proof| proof.findings.is_empty()), "{proofs:?}");
}

#[tokio::test(start_paused = true)]
async fn what_viewers_left_long_ago_is_deleted_everywhere_and_nothing_else() {
    let lab = Lab::new();
    for content in ["a film", "b film", "c film"] {
        lab.make(&lab.title("film", content)).await;
    }
    lab.make(&lab.title("other", "other")).await;
    let engine = lab.engine();
    let found = std::sync::Mutex::new(Vec::new());
    let note = |unneeded: &crate::gc::Unneeded| {
        found.lock().unwrap().push((unneeded.package.to_string(), unneeded.objects));
    };
    let (tenant, far) = (Tenant::default(), Timestamp(i64::MAX));
    let before = lab.origin.keys();
    engine.collect(&tenant, far, 1, false, &note).await.unwrap();
    assert_eq!(std::mem::take(&mut *found.lock().unwrap()), [("main/film/v1".to_owned(), 22)]);
    assert_eq!(lab.origin.keys(), before, "it was only asked");
    engine.collect(&tenant, Timestamp(0), 0, true, &note).await.unwrap();
    assert_eq!(lab.origin.keys(), before, "not long enough ago");
    engine.collect(&tenant, far, 0, true, &note).await.unwrap();
    assert_eq!(found.lock().unwrap().len(), 2);
    let kept: Vec<String> = before
        .into_iter()
        .filter(|key| !key.starts_with("main/film/v1/") && !key.starts_with("main/film/v2/"))
        .collect();
    assert_eq!(lab.origin.keys(), kept);
    assert_eq!(
        engine.verify(&tenant, &"film".parse().unwrap(), None).await.unwrap()[0].findings,
        []
    );
    assert!(lab.history("film").await.contains("v1 deleted"));
}

#[tokio::test(start_paused = true)]
async fn a_rollback_at_any_moment_finds_its_version_whole_or_is_refused() {
    let (mut refused, mut granted) = (0, 0);
    for n in 0.. {
        let lab = with_two_versions().await;
        let before = keys_of(&lab.origin, 1);
        let answer = Arc::new(Mutex::new(None));
        let act = {
            let (catalog, answer) = (lab.catalog.clone(), answer.clone());
            move || {
                let v1 = package("film", 1);
                *answer.lock().unwrap() = catalog.roll_back(&v1).now_or_never();
            }
        };
        let gated = GatedOrigin::new(lab.origin.clone(), Gate::Before(n, Box::new(act)));
        collect(&lab.engine_on(gated)).await;
        let Some(answer) = answer.lock().unwrap().take() else { break };
        if !answer.unwrap() {
            refused += 1;
            assert_eq!(keys_of(&lab.origin, 1), Vec::<String>::new());
            continue;
        }
        granted += 1;
        assert_eq!(keys_of(&lab.origin, 1), before, "operation {n}");
        let service = Service::start(&lab.engine());
        lab.wait("film", |record| record.live == Some(Version(1))).await;
        service.stop().await;
        check_sound(&lab.engine()).await;
    }
    assert!(refused > 20 && granted > 2, "{refused} {granted}");
}

#[tokio::test(start_paused = true)]
async fn what_an_origin_still_leads_viewers_to_is_not_deleted() {
    let (lab, second) = (Lab::new(), Arc::new(MemoryOrigin::new("second")));
    let both = lab.on_two(lab.origin.clone(), second.clone());
    both.submit(&lab.title("film", "a film")).await.unwrap();
    lab.work(&both, "film").await;
    let away = Arc::new(Flaky::new(second.clone(), vec![Fail::Away]));
    let alone = lab.on_two(lab.origin.clone(), away);
    alone.submit(&lab.title("film", "b film")).await.unwrap();
    assert_eq!(lab.work(&alone, "film").await.live, Some(Version(2)));

    let before = (lab.origin.keys(), second.keys());
    assert_eq!(collect(&both).await, Vec::<String>::new());
    assert_eq!((lab.origin.keys(), second.keys()), before);
    assert!(both.heal(&Tenant::default(), &"film".parse().unwrap()).await.unwrap().0);
    let service = Service::start(&both);
    lab.wait_for(|history| history.contains("healed: every origin")).await;
    service.stop().await;
    assert_eq!(collect(&both).await, ["main/film/v1"]);
    assert_eq!((keys_of(&lab.origin, 1), keys_of(&second, 1)), (vec![], vec![]));
    check_sound(&both).await;
}

#[tokio::test(start_paused = true)]
async fn a_collection_that_was_stopped_anywhere_is_ended_by_the_next() {
    for n in 0.. {
        let lab = with_two_versions().await;
        let (gated, bell) = GatedOrigin::closing(lab.origin.clone(), n);
        let engine = lab.engine_on(gated);
        tokio::select! {
            () = bell.notified() => {}
            _ = collect(&engine) => break,
        }
        collect(&lab.engine()).await;
        assert_eq!(keys_of(&lab.origin, 1), Vec::<String>::new(), "operation {n}");
        assert_eq!(lab.catalog.package(&package("film", 1)).await.unwrap(), None, "operation {n}");
        check_sound(&lab.engine()).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_version_whose_last_object_was_deleted_is_forgotten_by_the_next_collection() {
    let lab = with_two_versions().await;
    let gated = GatedCatalog::new(lab.catalog.clone(), CatalogGate::Hangs("forget"));
    let stuck = lab.engine_by(gated, lab.origin.clone());
    let all_deleted = async {
        while !keys_of(&lab.origin, 1).is_empty() {
            sleep(Duration::from_secs(1)).await;
        }
    };
    tokio::select! {
        () = all_deleted => {}
        _ = collect(&stuck) => panic!("it cannot end"),
    }
    let holding = lab.catalog.holding(&Tenant::default(), &"film".parse().unwrap()).await.unwrap();
    assert_eq!(holding.unwrap().versions[0].standing, Standing::Condemned);

    let away = Flaky::new(lab.origin.clone(), vec![Fail::Away]);
    collect(&lab.engine_on(Arc::new(away))).await;
    assert!(lab.catalog.package(&package("film", 1)).await.unwrap().is_some(), "nobody knows");
    collect(&lab.engine()).await;
    assert_eq!(lab.catalog.package(&package("film", 1)).await.unwrap(), None);
}
