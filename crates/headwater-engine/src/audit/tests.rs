//! Audits of small worlds: what is wrong is found, exactly that, on every page size, and a stopped audit goes on.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use headwater_model::key::ObjectKey;
use headwater_ports::catalog::Catalog;

use headwater_testkit::flaky::{Fail, Flaky};
use headwater_testkit::memory_origin::MemoryOrigin;

use tokio::time::Instant;

use super::*;
use crate::tests::Lab;
use crate::tests::gated_catalog::{Gate, GatedCatalog};
use crate::tests::gated_origin::GatedOrigin;

/// A lab with these titles published.
pub(super) async fn published(titles: &[&str]) -> Lab {
    let lab = Lab::new();
    for title in titles {
        let record = lab.make(&lab.title(title, &format!("master of {title}"))).await;
        assert_eq!(record.state.name(), "published");
    }
    lab
}

fn method(read: f64) -> Method {
    Method {
        read,
        from: Source::Origin,
        round: 1,
        heals: false,
        budget: Budget::NONE,
        checkpoint: None,
    }
}

/// Audits everything and says what was told, a line each, and the sum.
async fn audit(lab: &Lab, scope: &Scope, method: &Method) -> (Vec<String>, Tally) {
    let told = Mutex::new(Vec::new());
    let hear = |news| {
        let line = match news {
            News::Finding(finding) => finding.to_string(),
            News::Orphan { key, bytes, .. } => format!("orphan {key} {bytes}"),
            News::GoesOn { .. } | News::Progress(_) => return,
        };
        told.lock().unwrap().push(line);
    };
    let tallies = lab.engine().audit(&Tenant::default(), scope, method, &hear).await.unwrap();
    let mut told = told.into_inner().unwrap();
    told.sort();
    (told, tallies[0].tally)
}

pub(super) fn key(text: &str) -> ObjectKey {
    ObjectKey::new(text).unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_library_without_a_fault_is_clean() {
    let lab = published(&["film", "film-2", "film.x", "zoo"]).await;
    let (told, tally) = audit(&lab, &Scope::default(), &method(0.0)).await;
    assert_eq!(told, Vec::<String>::new());
    // Twenty-one in each inventory, the inventory and two pointers.
    assert_eq!((tally.titles, tally.objects, tally.read), (4, 4 * 24, 0));
    let (told, tally) = audit(&lab, &Scope::default(), &method(1.0)).await;
    assert_eq!((told.len(), tally.read), (0, 4 * 24));
}

#[tokio::test(start_paused = true)]
async fn what_is_wrong_is_found_and_nothing_else() {
    let lab = published(&["film", "film-2", "zoo"]).await;
    lab.origin.remove(&key("main/film/v1/video-360p/seg-00003.m4s"));
    lab.origin.empty(&key("main/film-2/v1/audio-en/init.mp4"));
    lab.origin.truncate(&key("main/film-2/manifest.mpd"), 9);
    lab.origin.alter(&key("main/zoo/v1/index.m3u8"));
    lab.origin.remove(&key("main/zoo/v1/inventory.jsonl"));
    let (told, tally) = audit(&lab, &Scope::default(), &method(0.0)).await;
    assert_eq!(told.len(), 4, "{told:#?}");
    let is = |n: usize, object: &str, what: &str| {
        assert!(
            told[n].starts_with(&format!("`main/{object}` on origin lab {what}")),
            "{}",
            told[n]
        );
    };
    is(0, "film-2/manifest.mpd", "is truncated: 9 of ");
    is(1, "film-2/v1/audio-en/init.mp4", "is empty");
    is(2, "film/v1/video-360p/seg-00003.m4s", "is missing");
    // Without its inventory, nothing else of a title can be judged.
    is(3, "zoo/v1/inventory.jsonl", "is missing");
    assert_eq!(tally.findings, 4);
    let open = lab.catalog.incidents(&Tenant::default(), None, false, 10).await.unwrap();
    assert_eq!(open.len(), 4, "they are noted");

    let film = Scope { titles: vec!["film".parse().unwrap()], ..Scope::default() };
    let (told, tally) = audit(&lab, &film, &method(0.0)).await;
    assert_eq!((told.len(), tally.titles, tally.objects), (1, 1, 24), "{told:#?}");
}

#[tokio::test(start_paused = true)]
async fn rot_is_found_by_reading_only() {
    let lab = published(&["film"]).await;
    lab.origin.rot(&key("main/film/v1/video-234p/seg-00002.m4s"));
    lab.origin.make_unreadable(&key("main/film/v1/audio-en/seg-00004.m4s"));
    assert_eq!(audit(&lab, &Scope::default(), &method(0.0)).await.0, Vec::<String>::new());
    let (told, _) = audit(&lab, &Scope::default(), &method(1.0)).await;
    assert!(
        told[0].contains("audio-en/seg-00004.m4s` on origin lab is listed but cannot be read"),
        "{told:?}"
    );
    assert!(told[1].contains("video-234p/seg-00002.m4s` on origin lab is altered"), "{told:?}");
    assert_eq!(told.len(), 2);
}

#[tokio::test(start_paused = true)]
async fn orphans_are_reported_and_left_alone() {
    let lab = published(&["film", "zoo"]).await;
    for orphan in [
        "main/aaa/v1/x.m4s",
        "main/film/notes.txt",
        "main/film/v1/video-360p/seg-00099.m4s",
        "main/film/v7/index.m3u8",
        "main/film0",
        "main/lost/v1/inventory.jsonl",
        "main/zzz",
    ] {
        lab.origin.put(headwater_testkit::digest::put(orphan, "12345")).await.unwrap();
    }
    // Of another tenant, and so of nobody here.
    lab.origin.put(headwater_testkit::digest::put("other/film/v1/x", "1")).await.unwrap();
    let before = lab.origin.keys();
    let (told, tally) = audit(&lab, &Scope::default(), &method(0.0)).await;
    assert_eq!((tally.orphans, tally.orphan_bytes, tally.findings), (7, 35, 0), "{told:#?}");
    assert_eq!(lab.origin.keys(), before);
}

#[tokio::test(start_paused = true)]
async fn older_versions_and_packages_in_the_making_are_no_orphans() {
    let lab = published(&["film"]).await;
    let again =
        headwater_model::task::NewTitle { again: true, ..lab.title("film", "master of film") };
    lab.make(&again).await;
    // Half of a third version: nobody has sealed it yet.
    lab.engine().submit(&again).await.unwrap();
    let half = "main/film/v3/video-360p/seg-00001.m4s";
    lab.origin.put(headwater_testkit::digest::put(half, "12345")).await.unwrap();
    let (told, tally) = audit(&lab, &Scope::default(), &method(0.0)).await;
    assert_eq!((told.len(), tally.orphans), (0, 0), "{told:#?}");
    assert_eq!(tally.objects, 24, "viewers need the newest published version");
    lab.origin.remove(&key("main/film/v1/video-360p/seg-00001.m4s"));
    let (told, _) = audit(&lab, &Scope::default(), &method(0.0)).await;
    assert_eq!(told.len(), 0, "nobody gets the first version any more");
}

#[tokio::test(start_paused = true)]
async fn many_titles_are_gone_through_in_groups_of_any_page_size() {
    let names: Vec<String> = (0..GROUP * 3 + 1).map(|n| format!("title-{n:03}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let lab = published(&names).await;
    for title in ["title-000", "title-007", "title-008", "title-024"] {
        lab.origin.remove(&key(&format!("main/{title}/v1/video-234p/init.mp4")));
    }
    for orphan in ["main/title-007/v1/zz", "main/title-0075/x", "main/title-008/v0", "main/tz"] {
        lab.origin.put(headwater_testkit::digest::put(orphan, "1")).await.unwrap();
    }
    let (told, tally) = audit(&lab, &Scope::default(), &method(0.0)).await;
    assert_eq!((told.len(), tally.findings, tally.orphans), (8, 4, 4), "{told:#?}");
    assert_eq!(tally.objects, u64::from(GROUP * 3 + 1) * 24);
}

#[tokio::test(start_paused = true)]
async fn groups_that_have_the_catalog_are_not_left_waiting_with_it() {
    let names: Vec<String> = (0..GROUP * 10).map(|n| format!("title-{n:03}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let lab = published(&names).await;
    for name in &names {
        let cut_off = format!("main/{name}/v1/video-234p/init.mp4");
        lab.origin.put(headwater_testkit::digest::put(&cut_off, "1")).await.unwrap();
    }
    let gate = Gate::OneConnection(tokio::sync::Mutex::default());
    let engine = lab.engine_by(GatedCatalog::new(lab.catalog.clone(), gate), lab.origin.clone());
    let method = Method { checkpoint: Some("night".to_owned()), ..method(0.0) };
    let (tenant, all) = (Tenant::default(), Scope::default());
    // Paused time passes while bytes are hashed, and nobody would wait for that.
    tokio::time::resume();
    let audit = engine.audit(&tenant, &all, &method, &|_| {});
    let audits = tokio::time::timeout(Duration::from_secs(30), audit).await;
    let audits = audits.expect("nobody waits for what only it can give back").unwrap();
    assert_eq!(audits[0].tally.findings, names.len() as u64);
}

#[tokio::test(start_paused = true)]
async fn an_audit_that_was_stopped_goes_on_where_it_was() {
    let names: Vec<String> = (0..GROUP * 2 + 1).map(|n| format!("title-{n:03}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let lab = published(&names).await;
    let method = Method { checkpoint: Some("night".to_owned()), ..method(0.0) };
    let (tenant, all) = (Tenant::default(), Scope::default());
    // The second group never ends.
    let hangs = vec![Fail::HangGets { containing: "title-009/v1/inventory" }];
    let stuck = lab.engine_on(Arc::new(Flaky::new(lab.origin.clone(), hangs)));
    let noted = async {
        loop {
            if let Some((place, at)) = lab.catalog.checkpoint("night/lab").await.unwrap() {
                return (place, at);
            }
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    };
    let (place, kept) = tokio::select! {
        place = noted => place,
        _ = stuck.audit(&tenant, &all, &method, &|_| {}) => panic!("it cannot end"),
    };
    assert!(place.contains("main/title-007/"), "{place}");

    // What is done is not done again: its objects could be gone by now.
    lab.origin.remove(&key("main/title-003/v1/index.m3u8"));
    let told = Mutex::new(Vec::new());
    let tell = |news| {
        if let News::GoesOn { stopped, seen, .. } = news {
            told.lock().unwrap().push((stopped, seen.titles));
        }
    };
    let tallies = lab.engine().audit(&tenant, &all, &method, &tell).await.unwrap();
    assert_eq!(told.into_inner().unwrap(), [(kept, u64::from(GROUP))], "nobody is misled");
    assert_eq!(tallies[0].tally.objects, u64::from(GROUP * 2 + 1) * 24, "the sum is that of both");
    assert_eq!(tallies[0].tally.findings, 0);
    assert_eq!(lab.catalog.checkpoint("night/lab").await.unwrap(), None);
}

#[tokio::test(start_paused = true)]
async fn an_audit_has_healed_what_it_finds() {
    let lab = published(&["film"]).await;
    let before = lab.origin.keys();
    lab.origin.remove(&key("main/film/v1/video-360p/seg-00003.m4s"));
    let heals = Method { heals: true, ..method(0.0) };
    audit(&lab, &Scope::default(), &heals).await;
    let service = crate::tests::Service::start(&lab.engine());
    lab.wait_for(|history| history.contains("healed: ")).await;
    service.stop().await;
    assert_eq!(lab.origin.keys(), before);
    assert_eq!(audit(&lab, &Scope::default(), &heals).await.0, Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn an_incident_that_ended_by_itself_is_closed_where_the_listing_is_proof() {
    let lab = published(&["film"]).await;
    let segment = key("main/film/v1/video-360p/seg-00003.m4s");
    let (body, _) = lab.origin.object(&segment).unwrap();
    lab.origin.remove(&segment);
    audit(&lab, &Scope::default(), &method(0.0)).await;
    lab.origin.put(headwater_testkit::digest::put(segment.as_str(), body)).await.unwrap();
    audit(&lab, &Scope::default(), &method(0.0)).await;
    let open = lab.catalog.incidents(&Tenant::default(), None, false, 10).await.unwrap();
    assert_eq!(open, []);
}

#[tokio::test(start_paused = true)]
async fn a_budget_is_kept() {
    let lab = published(&["film", "zoo"]).await;
    let (began, objects) = (Instant::now(), 48.0);
    let budget = Budget { requests: 2, bytes: u64::MAX };
    audit(&lab, &Scope::default(), &Method { budget, ..method(1.0) }).await;
    let seconds = began.elapsed().as_secs_f64();
    assert!(seconds > objects / 2.0 && seconds < objects, "{seconds} s");
    let (began, bytes) =
        (Instant::now(), audit(&lab, &Scope::default(), &method(0.0)).await.1.bytes);
    let budget = Budget { requests: u32::MAX, bytes: bytes / 10 };
    audit(&lab, &Scope::default(), &Method { budget, ..method(1.0) }).await;
    assert!((9.0..13.0).contains(&began.elapsed().as_secs_f64()), "{:?}", began.elapsed());
}

#[tokio::test(start_paused = true)]
async fn an_audit_that_was_stopped_at_its_end_does_not_ask_for_each_object() {
    let names: Vec<String> = (0..=GROUP).map(|n| format!("title-{n:03}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let lab = published(&names).await;
    let method = Method { checkpoint: Some("night".to_owned()), ..method(0.0) };
    let (tenant, all) = (Tenant::default(), Scope::default());
    for n in 0.. {
        let bell = Arc::new(tokio::sync::Notify::new());
        let gate = Gate::ClosesBefore(n, bell.clone());
        let gated = GatedCatalog::new(lab.catalog.clone(), gate);
        let engine = lab.engine_by(gated, lab.origin.clone());
        tokio::select! {
            () = bell.notified() => {}
            _ = engine.audit(&tenant, &all, &method, &|_| {}) => break,
        }
        let place = lab.catalog.checkpoint("night/lab").await.unwrap();
        let begun = Instant::now();
        // Requests in a second: as many as a listing and the inventories take, in pages of seven.
        let budget = Budget { requests: 1, bytes: u64::MAX };
        let method = Method { budget, ..method.clone() };
        lab.engine().audit(&tenant, &all, &method, &|_| {}).await.unwrap();
        let most = 2 * (names.len() as u64 * 24 / 7 + names.len() as u64);
        assert!(begun.elapsed().as_secs() < most, "call {n}: {place:?} {:?}", begun.elapsed());
    }
}

#[tokio::test(start_paused = true)]
async fn an_origin_that_cannot_be_listed_keeps_no_other_from_being_audited() {
    let lab = Lab::new();
    let second = Arc::new(MemoryOrigin::new("second"));
    let engine = lab.on_two(lab.origin.clone(), second.clone());
    engine.submit(&lab.title("film", "a film")).await.unwrap();
    lab.work(&engine, "film").await;
    second.remove(&key("main/film/v1/video-360p/seg-00003.m4s"));
    let flaky = Arc::new(Flaky::new(lab.origin.clone(), vec![Fail::Lists]));
    let engine = lab.on_two(flaky, second);
    let (tenant, all) = (Tenant::default(), Scope::default());
    let audited = engine.audit(&tenant, &all, &method(0.0), &|_| {}).await.unwrap();
    let told: Vec<_> = audited
        .iter()
        .map(|a| (a.origin.as_str(), a.tally.findings, a.stopped.is_some()))
        .collect();
    assert_eq!(told, [("lab", 0, true), ("second", 1, false)]);
}

#[tokio::test(start_paused = true)]
async fn what_nobody_knows_is_told_page_by_page_and_never_held() {
    let lab = published(&["film"]).await;
    for n in 0..20 {
        for prefix in ["aaa", "film/v0", "zoo"] {
            let stranger = format!("main/{prefix}/{n:02}");
            lab.origin.put(headwater_testkit::digest::put(&stranger, "1")).await.unwrap();
        }
    }
    // Pages have seven objects. Whichever is never answered, all those before it have been told.
    let mut pages = 0;
    for n in 0.. {
        let told = Mutex::new(0);
        let hear = |news| *told.lock().unwrap() += usize::from(matches!(news, News::Orphan { .. }));
        let (gated, bell) = GatedOrigin::closing_at_list(lab.origin.clone(), n);
        let engine = lab.engine_on(gated);
        let tenant = Tenant::default();
        let scope = Scope::default();
        let method = method(0.0);
        tokio::select! {
            biased;
            _ = engine.audit(&tenant, &scope, &method, &hear) => break,
            () = bell.notified() => {}
        }
        let listed: Vec<String> = lab.origin.keys().into_iter().take(7 * n).collect();
        let strangers = listed.iter().filter(|key| !key.contains("film/v1")).count();
        let known = listed
            .iter()
            .filter(|key| key.starts_with("main/film/") && !key.contains("/v"))
            .count();
        assert_eq!(*told.lock().unwrap(), strangers - known, "page {n}");
        pages += 1;
    }
    assert!(pages > 10, "{pages}");
}
