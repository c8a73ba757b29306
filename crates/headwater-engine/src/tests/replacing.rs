//! What is lost and does not come out as it was gets a new version, once, while viewers keep the old one until then.

use bytes::Bytes;
use headwater_model::incident::{How, Incident};
use headwater_model::refusal::Refusal;
use headwater_model::task::Remake;
use headwater_ports::transcoder::Part;
use headwater_testkit::digest::put;
use headwater_testkit::flaky::{Fail, Flaky};
use headwater_testkit::scripted_transcoder::Mishap;
use tokio::sync::Notify;

use crate::audit::{Budget, Method, Scope, Source};

use super::gated_catalog::{Gate, GatedCatalog};
use super::*;

const LOST: &str = "video-360p/seg-00003.m4s";

fn film() -> headwater_model::id::TitleId {
    "film".parse().unwrap()
}

fn at(version: u32, path: &str) -> ObjectKey {
    package("film", version).key(path)
}

/// A published title that another build of the engine has to look after from now on.
async fn upgraded() -> Lab {
    let lab = Lab::new();
    lab.make(&lab.title("film", "a film")).await;
    lab.transcoder.upgrade();
    lab
}

fn contents(lab: &Lab, prefix: &str) -> Vec<(String, Bytes)> {
    let keys = lab.origin.keys().into_iter().filter(|key| key.starts_with(prefix));
    keys.map(|key| (key.clone(), lab.origin.object(&ObjectKey::new(key).unwrap()).unwrap().0))
        .collect()
}

async fn incidents(lab: &Lab) -> Vec<Incident> {
    lab.catalog.incidents(&Tenant::default(), Some(&film()), true, 1_000).await.unwrap()
}

/// Asks for healing and works until nothing is left to do.
async fn heal(lab: &Lab) -> TitleRecord {
    heal_by(lab, &lab.engine()).await
}

async fn heal_by(lab: &Lab, engine: &Engine) -> TitleRecord {
    assert!(engine.heal(&Tenant::default(), &film()).await.unwrap().0);
    let service = Service::start(engine);
    settle(lab).await;
    service.stop().await;
    lab.record("film").await
}

/// Waits until no version of the title has anything in the queue.
async fn settle(lab: &Lab) {
    for _ in 0..200_000 {
        sleep(Duration::from_secs(1)).await;
        let mut busy = false;
        for version in 1..=lab.record("film").await.version.0 {
            busy |= lab.catalog.is_busy(&package("film", version)).await.unwrap();
        }
        if !busy {
            return;
        }
    }
    panic!("never done:\n{}", lab.history("film").await);
}

/// Every byte that viewers get is read: nothing may be wrong, and no incident open.
async fn check_sound(lab: &Lab, live: u32) {
    let record = lab.record("film").await;
    let history = lab.history("film").await;
    assert_eq!(
        (lab.told(&record).as_str(), record.live),
        ("published", Some(Version(live))),
        "{history}"
    );
    assert_eq!(lab.found("film").await, [], "no incident is open");
    let tenant = Tenant::default();
    let proofs = lab.engine().verify(&tenant, &film(), None).await.unwrap();
    assert!(proofs.iter().all(|proof| proof.findings.is_empty()), "{proofs:?}");
    let method = Method {
        read: 1.0,
        from: Source::Origin,
        round: 0,
        heals: false,
        budget: Budget::NONE,
        checkpoint: None,
    };
    let tally =
        lab.engine().audit(&tenant, &Scope::default(), &method, &|_| {}).await.unwrap()[0].tally;
    assert_eq!((tally.findings, tally.orphans), (0, 0));
}

/// Renditions whose media lies in the folder of a version.
fn renditions(lab: &Lab, version: u32) -> Vec<String> {
    let prefix = format!("main/film/v{version}/");
    let keys = lab.origin.keys();
    let paths = keys.iter().filter_map(|key| key.strip_prefix(&prefix));
    paths.filter_map(|path| path.strip_suffix("/init.mp4")).map(str::to_owned).collect()
}

#[tokio::test(start_paused = true)]
async fn a_segment_that_comes_out_otherwise_brings_its_rendition_as_a_new_version() {
    let lab = upgraded().await;
    lab.origin.remove(&at(1, LOST));
    let (before, calls) = (contents(&lab, "main/film/v1/"), lab.transcoder.calls().len());
    heal(&lab).await;
    check_sound(&lab, 2).await;
    let mut again = lab.transcoder.calls()[calls..].to_vec();
    assert_eq!(again[0], Part::Span(1), "as it was");
    again[1..].sort_by_key(|part| *part == Part::Span(1));
    assert_eq!(again[1..], [Part::Span(0), Part::Span(1)], "the rendition");
    assert_eq!(renditions(&lab, 2), ["video-360p"], "what is not lost stays");
    assert_eq!(
        contents(&lab, "main/film/v1/"),
        before,
        "nothing of the old version is written over"
    );
    let pointer = lab.text("main/film/index.m3u8").unwrap();
    for address in ["\nv2/video-360p/", "\nv1/video-234p/", "\"v1/audio-en/"] {
        assert!(pointer.contains(address), "{pointer}");
    }
    let found = incidents(&lab).await;
    assert_eq!((found.len(), &found[0].finding.object), (1, &at(1, LOST).to_string()));
    assert_eq!(found[0].mended, Some(How::ReplacedBy { version: Version(2) }));

    let history = lab.history("film").await;
    let told: Vec<&str> = history.lines().skip_while(|line| *line != "healing asked for").collect();
    assert!(told[1].starts_with("heal found something lost; done again in 2."), "{history}");
    assert_eq!(
        told[2..4],
        [
            "span 2 came out as other bytes than viewers have: video-234p, video-360p",
            "queued as v2: video-360p made again, the rest from v1 \
             (`main/film/v1/video-360p/seg-00003.m4s` is lost and came out as other bytes)",
        ]
    );
    assert_eq!(told.last(), Some(&"published as v2"));
}

#[tokio::test(start_paused = true)]
async fn what_rots_and_comes_out_otherwise_is_a_new_version_too() {
    for damage in [MemoryOrigin::rot, MemoryOrigin::make_unreadable] {
        let lab = upgraded().await;
        damage(&lab.origin, &at(1, LOST));
        let method = Method {
            read: 1.0,
            from: Source::Origin,
            round: 0,
            heals: false,
            budget: Budget::NONE,
            checkpoint: None,
        };
        let (tenant, all) = (Tenant::default(), Scope::default());
        lab.engine().audit(&tenant, &all, &method, &|_| {}).await.unwrap();
        heal(&lab).await;
        check_sound(&lab, 2).await;
        assert_eq!(renditions(&lab, 2), ["video-360p"]);
    }
}

#[tokio::test(start_paused = true)]
async fn all_that_is_lost_is_replaced_by_one_version() {
    let lab = upgraded().await;
    for path in [LOST, "video-234p/seg-00001.m4s", "audio-en/seg-00002.m4s"] {
        lab.origin.remove(&at(1, path));
    }
    heal(&lab).await;
    check_sound(&lab, 2).await;
    assert_eq!(renditions(&lab, 2), ["audio-en", "video-234p", "video-360p"]);
    assert!(incidents(&lab).await.iter().all(|i| i.closed.is_some()));
}

#[tokio::test(start_paused = true)]
async fn what_comes_out_as_it_was_is_put_back_and_not_replaced() {
    let lab = Lab::new();
    lab.make(&lab.title("film", "a film")).await;
    let before = lab.origin.object(&at(1, "audio-en/seg-00002.m4s"));
    for path in [LOST, "audio-en/seg-00002.m4s"] {
        lab.origin.remove(&at(1, path));
    }
    lab.transcoder.goes_wrong(Part::Span(1), Mishap::OtherBytes);
    heal(&lab).await;
    check_sound(&lab, 2).await;
    assert_eq!(renditions(&lab, 2), ["video-360p"]);
    assert_eq!(lab.origin.object(&at(1, "audio-en/seg-00002.m4s")), before);
}

#[tokio::test(start_paused = true)]
async fn what_was_not_lost_after_all_needs_no_new_version() {
    let lab = upgraded().await;
    let (key, before) = (at(1, LOST), contents(&lab, "main/film/"));
    let (body, _) = lab.origin.object(&key).unwrap();
    lab.origin.remove(&key);
    let engine = lab.engine();
    engine.heal(&Tenant::default(), &film()).await.unwrap();
    let service = Service::start(&engine);
    lab.wait_for(|history| history.contains("heal found something lost")).await;
    lab.origin.put(put(key.as_str(), body)).await.unwrap();
    settle(&lab).await;
    service.stop().await;
    check_sound(&lab, 1).await;
    assert_eq!(contents(&lab, "main/film/"), before);
}

/// Kills right before, or right after, every call of the catalog while a title is healed by a new version.
async fn check_kills(gate: impl Fn(usize, Arc<Notify>) -> Gate) {
    for n in 0.. {
        let lab = Lab { slots: 1, ..upgraded().await };
        lab.origin.remove(&at(1, LOST));
        lab.engine().heal(&Tenant::default(), &film()).await.unwrap();
        let bell = Arc::new(Notify::new());
        let catalog = GatedCatalog::new(lab.catalog.clone(), gate(n, bell.clone()));
        let service = Service::start(&lab.engine_by(catalog, lab.origin.clone()));
        let stopped = tokio::select! {
            () = bell.notified() => true,
            () = settle(&lab) => false,
        };
        service.kill().await;
        if !stopped {
            assert!(n > 15, "only {n} calls");
            return;
        }
        lab.catalog.end_all_leases().await.unwrap();
        let service = Service::start(&lab.engine());
        settle(&lab).await;
        service.stop().await;
        check_sound(&lab, 2).await;
        assert_eq!(lab.record("film").await.version, Version(2), "killed at call {n}");
    }
}

#[tokio::test(start_paused = true)]
async fn killed_before_every_call_of_the_catalog_the_title_still_heals() {
    check_kills(Gate::ClosesBefore).await;
}

#[tokio::test(start_paused = true)]
async fn killed_after_every_call_of_the_catalog_the_title_still_heals() {
    check_kills(Gate::ClosesAfter).await;
}

#[tokio::test(start_paused = true)]
async fn what_an_older_version_lost_is_replaced_in_what_viewers_get() {
    let lab = Lab::new();
    lab.make(&lab.title("film", "a film")).await;
    let remake = Remake {
        base: Version(1),
        renditions: vec!["video-234p".to_owned()],
        from_ms: None,
        to_ms: None,
        reason: None,
        heals: false,
    };
    lab.make(&NewTitle { remake: Some(remake), ..lab.title("film", "a film") }).await;
    lab.transcoder.upgrade();
    // Viewers get one of them only.
    lab.origin.remove(&at(1, LOST));
    lab.origin.remove(&at(1, "video-234p/seg-00001.m4s"));
    heal(&lab).await;
    check_sound(&lab, 3).await;
    assert_eq!(renditions(&lab, 3), ["video-360p"]);
    let pointer = lab.text("main/film/index.m3u8").unwrap();
    for address in ["\nv3/video-360p/", "\nv2/video-234p/", "\"v1/audio-en/"] {
        assert!(pointer.contains(address), "{pointer}");
    }

    // What only a rollback would need is not made for viewers who do not get it.
    let engine = lab.engine();
    assert!(lab.catalog.heal(&package("film", 1)).await.unwrap());
    let service = Service::start(&engine);
    settle(&lab).await;
    service.stop().await;
    check_sound(&lab, 3).await;
    let history = lab.history("film").await;
    let last = history.lines().last().unwrap();
    assert!(last.ends_with("and viewers get v3, which does without it"), "{history}");
}

#[tokio::test(start_paused = true)]
async fn an_encoder_that_never_gives_the_same_bytes_is_told_once() {
    let lab = Lab::new();
    lab.make(&lab.title("film", "a film")).await;
    lab.origin.remove(&at(1, LOST));
    lab.transcoder.goes_wrong(Part::Span(1), Mishap::OtherBytes);
    heal(&lab).await;
    check_sound(&lab, 2).await;

    lab.origin.remove(&at(2, LOST));
    lab.transcoder.goes_wrong(Part::Span(1), Mishap::OtherBytes);
    let record = heal(&lab).await;
    assert_eq!((record.version, record.live), (Version(2), Some(Version(2))));
    let history = lab.history("film").await;
    assert_eq!(
        history.lines().last().unwrap(),
        "heal failed, viewers keep what they have: made-differently: \
         `main/film/v2/video-360p/seg-00003.m4s` is lost and came out as other bytes, although this very build made v2 in \
         place of what was lost before"
    );
    assert_eq!(lab.found("film").await.len(), 1, "and it stays open");

    // Another build is another matter.
    lab.transcoder.upgrade();
    heal(&lab).await;
    check_sound(&lab, 3).await;
}

#[tokio::test(start_paused = true)]
async fn a_new_version_that_fails_is_not_followed_by_another() {
    let lab = upgraded().await;
    lab.origin.remove(&at(1, LOST));
    let gone = Refusal::new(headwater_model::refusal::Code::NotMedia, "it is noise");
    let (calls, transcoder) = (lab.transcoder.calls().len(), lab.transcoder.clone());
    let engine = lab.engine();
    engine.heal(&Tenant::default(), &film()).await.unwrap();
    let service = Service::start(&engine);
    lab.wait("film", |_| transcoder.calls().len() > calls).await;
    transcoder.goes_wrong(Part::Span(0), Mishap::Refuse(gone));
    settle(&lab).await;
    service.stop().await;
    let record = lab.record("film").await;
    assert_eq!(
        (lab.told(&record).as_str(), record.live),
        ("rejected not-media: it is noise", Some(Version(1)))
    );
    let record = heal(&lab).await;
    assert_eq!(record.version, Version(2));
    let history = lab.history("film").await;
    let last = "is lost and came out as other bytes, and v2 was to take the place of v1 and viewers do not get it";
    assert!(history.trim_end().ends_with(last), "{history}");
    assert_eq!(lab.found("film").await.len(), 1, "and it stays open");
}

#[tokio::test(start_paused = true)]
async fn a_build_that_cuts_the_title_otherwise_makes_all_of_it() {
    let lab = upgraded().await;
    lab.transcoder.finds_keys_every(40);
    lab.origin.remove(&at(1, LOST));
    heal(&lab).await;
    check_sound(&lab, 2).await;
    assert_eq!(renditions(&lab, 2), ["audio-en", "video-234p", "video-360p"]);
    let history = lab.history("film").await;
    let line = "v2 is made as a whole: this build cuts the master otherwise than v1 is cut\n";
    assert!(history.contains(line), "{history}");
}

#[tokio::test(start_paused = true)]
async fn another_build_does_not_write_over_a_version_whose_inventory_is_lost() {
    let lab = upgraded().await;
    lab.origin.remove(&at(1, "inventory.jsonl"));
    let before = contents(&lab, "main/film/v1/");
    heal(&lab).await;
    let record = lab.record("film").await;
    assert_eq!(record.live, Some(Version(2)), "{}", lab.history("film").await);
    assert_eq!(lab.found("film").await, []);
    assert_eq!(contents(&lab, "main/film/v1/"), before);
    let history = lab.history("film").await;
    let line = "queued as v2: everything made again (`main/film/v1/inventory.jsonl` is lost on every origin)";
    assert!(history.contains(line), "{history}");
}

#[tokio::test(start_paused = true)]
async fn an_origin_that_does_not_answer_may_still_have_it() {
    let lab = Lab::new();
    let other = Arc::new(MemoryOrigin::new("second"));
    let policy = Policy {
        origins: vec!["lab".to_owned(), "second".to_owned()],
        min_copies: 2,
        ..Policy::of_one("lab")
    };
    let origins: [Arc<dyn Origin>; 2] = [lab.origin.clone(), other.clone()];
    let engine =
        lab.engine_with(lab.catalog.clone(), Stores::new(&origins, policy.clone()).unwrap());
    engine.submit(&lab.title("film", "a film")).await.unwrap();
    lab.work(&engine, "film").await;
    lab.transcoder.upgrade();
    let before = lab.origin.object(&at(1, LOST));
    lab.origin.remove(&at(1, LOST));
    let away = Flaky::new(other, vec![Fail::Away]);
    let origins: [Arc<dyn Origin>; 2] = [lab.origin.clone(), Arc::new(away)];
    let alone = lab.engine_with(lab.catalog.clone(), Stores::new(&origins, policy).unwrap());
    alone.heal(&Tenant::default(), &film()).await.unwrap();
    let service = Service::start(&alone);
    lab.wait_for(|history| history.contains("and an origin does not answer")).await;
    service.stop().await;
    assert_eq!(lab.record("film").await.version, Version(1));

    let service = Service::start(&engine);
    settle(&lab).await;
    service.stop().await;
    assert_eq!(lab.record("film").await.version, Version(1), "it was copied");
    assert_eq!(lab.origin.object(&at(1, LOST)), before);
}

#[tokio::test(start_paused = true)]
async fn what_another_origin_has_is_not_replaced_because_one_does_not_keep_it() {
    let lab = Lab::new();
    let other = Arc::new(MemoryOrigin::new("second"));
    let policy = Policy {
        origins: vec!["lab".to_owned(), "second".to_owned()],
        min_copies: 2,
        ..Policy::of_one("lab")
    };
    let stores = |lab: Arc<dyn Origin>| Stores::new(&[lab, other.clone()], policy.clone()).unwrap();
    let engine = lab.engine_with(lab.catalog.clone(), stores(lab.origin.clone()));
    engine.submit(&lab.title("film", "a film")).await.unwrap();
    lab.work(&engine, "film").await;
    lab.transcoder.upgrade();
    lab.origin.remove(&at(1, LOST));
    let forgetful = Flaky::new(lab.origin.clone(), vec![Fail::DropPuts { containing: LOST }]);
    let engine = lab.engine_with(lab.catalog.clone(), stores(Arc::new(forgetful)));
    let record = heal_by(&lab, &engine).await;
    assert_eq!((record.version, record.live), (Version(1), Some(Version(1))));
    let history = lab.history("film").await;
    let last = history.lines().last().unwrap();
    assert!(last.starts_with("heal failed, viewers keep what they have: not-proven: "), "{last}");
}

#[tokio::test(start_paused = true)]
async fn a_span_that_was_copied_is_made_when_there_is_nothing_to_copy_it_from() {
    let lab = Lab::new();
    lab.make(&lab.title("film", "a film")).await;
    let renditions = ["video-360p", "video-234p", "audio-en"].map(str::to_owned).to_vec();
    let remake = Remake {
        base: Version(1),
        renditions,
        from_ms: Some(0),
        to_ms: Some(1_000),
        reason: None,
        heals: false,
    };
    lab.make(&NewTitle { remake: Some(remake), ..lab.title("film", "a film") }).await;
    let far = Timestamp(i64::MAX);
    lab.engine().collect(&Tenant::default(), far, 0, true, &|_| {}).await.unwrap();
    assert_eq!(contents(&lab, "main/film/v1/"), []);
    let before = contents(&lab, "main/film/v2/");
    lab.origin.remove(&at(2, LOST));
    heal(&lab).await;
    check_sound(&lab, 2).await;
    assert_eq!(contents(&lab, "main/film/v2/"), before);
}

#[tokio::test(start_paused = true)]
async fn a_lost_inventory_that_comes_out_otherwise_is_a_whole_new_version() {
    let lab = Lab::new();
    lab.make(&lab.title("film", "a film")).await;
    lab.origin.remove(&at(1, "inventory.jsonl"));
    let before = contents(&lab, "main/film/v1/");
    lab.transcoder.goes_wrong(Part::Span(1), Mishap::OtherBytes);
    heal(&lab).await;
    check_sound(&lab, 2).await;
    assert_eq!(contents(&lab, "main/film/v1/"), before, "nothing is written over");
    assert_eq!(renditions(&lab, 2), ["audio-en", "video-234p", "video-360p"]);
}
