//! What origins lose is put right: before publishing and afterwards, from another origin, by rendering, by transcoding.

use bytes::Bytes;
use headwater_model::finding::FindingKind;
use headwater_model::incident::{How, Incident};
use headwater_ports::transcoder::Part;
use headwater_testkit::digest;
use headwater_testkit::flaky::{Fail, Flaky};
use headwater_testkit::scripted_transcoder::Mishap;

use super::gated_origin::{Gate, GatedOrigin};
use super::*;
use crate::audit::{Budget, Method, Scope, Source};

const SEGMENT: &str = "video-360p/seg-00003.m4s";

fn at(path: &str) -> ObjectKey {
    package("film", 1).key(path)
}

/// Every object that a package of the lab has, one of each kind.
const KINDS: [&str; 5] = [
    SEGMENT,
    "audio-en/seg-00002.m4s",
    "audio-en/init.mp4",
    "video-234p/media.m3u8",
    "inventory.jsonl",
];

/// The ways to lose an object, as a test of the origin can do them.
type Deed = fn(&MemoryOrigin, &ObjectKey);

const DEEDS: [(&str, Deed); 4] = [
    ("deleted", MemoryOrigin::remove),
    ("emptied", MemoryOrigin::empty),
    ("truncated", |origin, key| origin.truncate(key, 100)),
    ("altered", MemoryOrigin::alter),
];

/// The ways that only reading shows.
const UNSEEN: [(&str, Deed); 3] = [
    ("rotten", MemoryOrigin::rot),
    ("cut short", |origin, key| origin.truncate_unseen(key, 100)),
    ("unreadable", MemoryOrigin::make_unreadable),
];

/// Audits everything, and reads this share of it.
async fn audit(engine: &Engine, read: f64) {
    let method = Method {
        read,
        from: Source::Origin,
        round: 0,
        heals: false,
        budget: Budget::NONE,
        checkpoint: None,
    };
    engine.audit(&Tenant::default(), &Scope::default(), &method, &|_| {}).await.unwrap();
}

async fn incidents(lab: &Lab) -> Vec<Incident> {
    let title = "film".parse().unwrap();
    lab.catalog.incidents(&Tenant::default(), Some(&title), true, 1_000).await.unwrap()
}

/// Heals the title and checks that the origins hold what they held before and that every incident is closed.
async fn heal(lab: &Lab, engine: &Engine, expected: &[(ObjectKey, Bytes)]) {
    assert!(engine.heal(&Tenant::default(), &"film".parse().unwrap()).await.unwrap().0);
    let service = Service::start(engine);
    lab.wait_for(|history| history.contains("healed:")).await;
    service.stop().await;
    for (key, body) in expected {
        assert_eq!(lab.origin.object(key).map(|o| o.0).as_ref(), Some(body), "{key}");
    }
    assert!(incidents(lab).await.iter().all(|i| i.closed.is_some()));
    assert_eq!(lab.record("film").await.state.name(), "published");
}

fn name(part: &Part) -> String {
    match part {
        Part::Span(n) => format!("span {}", n + 1),
        Part::Audio(n) => format!("audio {}", n + 1),
        Part::Text(n) => format!("text {}", n + 1),
        Part::Pictures => "pictures".to_owned(),
    }
}

fn contents(origin: &MemoryOrigin) -> Vec<(ObjectKey, Bytes)> {
    let keys = origin.keys().into_iter().map(|key| ObjectKey::new(key).unwrap());
    keys.map(|key| (key.clone(), origin.object(&key).unwrap().0)).collect()
}

#[tokio::test(start_paused = true)]
async fn a_loss_before_publishing_delays_the_title_and_nothing_else() {
    for path in KINDS {
        for (deed, damage) in DEEDS {
            let lab = Lab::new();
            let once = std::sync::atomic::AtomicBool::new(true);
            let strike = move |origin: &MemoryOrigin| {
                if once.swap(false, std::sync::atomic::Ordering::SeqCst) {
                    damage(origin, &at(path));
                }
            };
            let gate = Gate::AfterPut("inventory.jsonl", Box::new(strike));
            let engine = lab.engine_on(GatedOrigin::new(lab.origin.clone(), gate));
            engine.submit(&lab.title("film", "a film")).await.unwrap();
            let told = lab.told(&lab.work(&engine, "film").await);
            assert_eq!(told, "published", "{path} {deed}:\n{}", lab.history("film").await);
            let found = incidents(&lab).await;
            assert_eq!(found.len(), 1, "{path} {deed}");
            assert_eq!(found[0].finding.object, at(path).to_string());
            assert!(found[0].closed.is_some(), "{path} {deed}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn one_origin_is_healed_by_making_exactly_what_is_lost_again() {
    for (path, remade, how) in [
        (SEGMENT, Some("span 2"), How::MadeAgain),
        ("video-234p/seg-00001.m4s", Some("span 1"), How::MadeAgain),
        ("video-234p/init.mp4", Some("span 1"), How::MadeAgain),
        ("audio-en/seg-00004.m4s", Some("audio 1"), How::MadeAgain),
        ("video-234p/media.m3u8", None, How::Rendered),
        ("manifest.mpd", None, How::Rendered),
        ("../index.m3u8", None, How::Rendered),
    ] {
        for (deed, damage) in DEEDS {
            let lab = Lab::new();
            lab.make(&lab.title("film", "a film")).await;
            let (before, made) = (contents(&lab.origin), lab.transcoder.calls().len());
            let key = match path.strip_prefix("../") {
                Some(pointer) => ObjectKey::new(format!("main/film/{pointer}")).unwrap(),
                None => at(path),
            };
            damage(&lab.origin, &key);
            let stored = lab.origin.stored().len();
            heal(&lab, &lab.engine(), &before).await;
            let again = lab.transcoder.calls()[made..].to_vec();
            let expected = remade.into_iter().map(str::to_owned).collect::<Vec<_>>();
            assert_eq!(again.iter().map(name).collect::<Vec<_>>(), expected, "{path} {deed}");
            let written = &lab.origin.stored()[stored..];
            let pointers = ["main/film/index.m3u8", "main/film/manifest.mpd"];
            if path.starts_with("..") {
                assert_eq!(written, pointers, "{path} {deed}");
            } else {
                assert_eq!(written, [key.to_string()], "{path} {deed}: only what was lost");
            }
            let found = incidents(&lab).await;
            assert_eq!((found.len(), &found[0].mended), (1, &Some(how.clone())), "{path} {deed}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_only_reading_shows_is_made_again_and_read_before_it_counts_as_healed() {
    for verify in [Verify::Listing, Verify::Read] {
        for (path, remade) in [
            (SEGMENT, Some("span 2")),
            ("audio-en/init.mp4", Some("audio 1")),
            ("video-234p/media.m3u8", None),
        ] {
            for (deed, damage) in UNSEEN {
                let lab = Lab { verify, ..Lab::new() };
                lab.make(&lab.title("film", "a film")).await;
                let (before, made) = (contents(&lab.origin), lab.transcoder.calls().len());
                damage(&lab.origin, &at(path));
                let engine = lab.engine();
                audit(&engine, 1.0).await;
                audit(&engine, 0.0).await;
                assert_eq!(
                    lab.found("film").await.len(),
                    1,
                    "{path} {deed}: a listing ends nothing"
                );
                heal(&lab, &engine, &before).await;
                let again = lab.transcoder.calls()[made..].iter().map(name).collect::<Vec<_>>();
                assert_eq!(again, Vec::from_iter(remade), "{path} {deed}");
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_does_not_stay_right_is_not_healed_because_the_listing_is_right() {
    for (deed, damage) in UNSEEN {
        let lab = Lab::new();
        lab.make(&lab.title("film", "a film")).await;
        damage(&lab.origin, &at(SEGMENT));
        let again = Gate::AfterPut("seg-00003.m4s", Box::new(move |o| damage(o, &at(SEGMENT))));
        let engine = lab.engine_on(GatedOrigin::new(lab.origin.clone(), again));
        audit(&engine, 1.0).await;
        engine.heal(&Tenant::default(), &"film".parse().unwrap()).await.unwrap();
        let service = Service::start(&engine);
        lab.wait_for(|history| history.contains("heal failed, viewers keep what they have")).await;
        service.stop().await;
        assert_eq!(lab.found("film").await.len(), 1, "{deed}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_audit_that_saw_nothing_ends_no_incident() {
    let lab = Lab::new();
    lab.make(&lab.title("film", "a film")).await;
    let engine = lab.engine();
    lab.origin.remove(&at(SEGMENT));
    audit(&engine, 0.0).await;
    let inventory = lab.origin.object(&at("inventory.jsonl")).unwrap().0;
    type Open = (Arc<dyn Origin>, Deed, &'static str);
    let flaky = Flaky::new(lab.origin.clone(), vec![Fail::FirstGets(1)]);
    let looks: [Open; 3] = [
        (Arc::new(flaky), |_, _| {}, "could not be asked about"),
        (lab.origin.clone(), MemoryOrigin::alter, "is altered"),
        (lab.origin.clone(), MemoryOrigin::remove, "is missing"),
    ];
    for (origin, damage, told) in looks {
        damage(&lab.origin, &at("inventory.jsonl"));
        let engine = lab.engine_on(origin);
        audit(&engine, 0.0).await;
        let open = lab.found("film").await;
        assert_eq!((open.len(), &open[0].kind), (2, &FindingKind::Missing), "{told}");
        assert!(open[1].to_string().contains(told), "{}", open[1]);
        engine.verify(&Tenant::default(), &"film".parse().unwrap(), None).await.unwrap();
        assert_eq!(lab.found("film").await.len(), if told.starts_with("could") { 1 } else { 2 });
    }
    lab.origin.put(digest::put(at("inventory.jsonl").as_str(), inventory)).await.unwrap();
    engine.verify(&Tenant::default(), &"film".parse().unwrap(), None).await.unwrap();
    assert_eq!(lab.found("film").await.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn what_rots_on_one_origin_is_copied_from_another() {
    let (lab, other) = (Lab::new(), Arc::new(MemoryOrigin::new("second").with_page(3)));
    let policy = Policy {
        origins: vec!["lab".to_owned(), "second".to_owned()],
        min_copies: 2,
        ..Policy::of_one("lab")
    };
    let origins: [Arc<dyn Origin>; 2] = [lab.origin.clone(), other.clone()];
    let engine = lab.engine_with(lab.catalog.clone(), Stores::new(&origins, policy).unwrap());
    engine.submit(&lab.title("film", "a film")).await.unwrap();
    lab.work(&engine, "film").await;
    let (before, made) = (contents(&lab.origin), lab.transcoder.calls().len());
    lab.origin.rot(&at(SEGMENT));
    other.rot(&at("audio-en/seg-00001.m4s"));
    audit(&engine, 1.0).await;
    heal(&lab, &engine, &before).await;
    assert_eq!((contents(&other), lab.transcoder.calls().len()), (before, made));
}

#[tokio::test(start_paused = true)]
async fn what_another_origin_has_is_copied_from_there() {
    let (lab, other) = (Lab::new(), Arc::new(MemoryOrigin::new("second").with_page(3)));
    let policy = Policy {
        origins: vec!["lab".to_owned(), "second".to_owned()],
        min_copies: 2,
        ..Policy::of_one("lab")
    };
    let origins: [Arc<dyn Origin>; 2] = [lab.origin.clone(), other.clone()];
    let engine = lab.engine_with(lab.catalog.clone(), Stores::new(&origins, policy).unwrap());
    engine.submit(&lab.title("film", "a film")).await.unwrap();
    lab.work(&engine, "film").await;
    let (before, made) = (contents(&lab.origin), lab.transcoder.calls().len());
    for (path, (_, damage)) in KINDS.into_iter().zip(DEEDS.into_iter().cycle()) {
        damage(&lab.origin, &at(path));
    }
    // The other one has lost something too, and something that both have lost is made again.
    other.remove(&at("audio-en/seg-00001.m4s"));
    other.remove(&at(SEGMENT));
    heal(&lab, &engine, &before).await;
    assert_eq!(contents(&other), before);
    let again = lab.transcoder.calls()[made..].to_vec();
    assert_eq!(again.iter().map(name).collect::<Vec<_>>(), ["span 2"]);
    let found = incidents(&lab).await;
    let copied = |from: &str| {
        let how = Some(How::Copied { from: from.to_owned() });
        found.iter().filter(|i| i.mended == how).count()
    };
    assert_eq!((copied("second"), copied("lab"), found.len()), (4, 1, 7), "{found:#?}");
}

#[tokio::test(start_paused = true)]
async fn a_lost_inventory_is_made_again_with_all_that_it_lists() {
    let lab = Lab::new();
    lab.make(&lab.title("film", "a film")).await;
    let before = contents(&lab.origin);
    lab.origin.remove(&at("inventory.jsonl"));
    // What else is lost is known only then.
    lab.origin.remove(&at(SEGMENT));
    let stored = lab.origin.stored().len();
    heal(&lab, &lab.engine(), &before).await;
    assert_eq!(contents(&lab.origin), before);
    let segments = lab.origin.stored()[stored..].iter().filter(|key| key.contains(".m4s")).count();
    assert_eq!(segments, 1, "what is there is counted and not written over");
    assert_eq!(lab.catalog.objects(&package("film", 1)).await.unwrap(), []);
}

#[tokio::test(start_paused = true)]
async fn an_inventory_that_cannot_be_made_again_leaves_viewers_and_catalog_what_they_have() {
    let lab = Lab::new();
    let new = lab.title("film", "a film");
    lab.make(&new).await;
    let sealed = lab.catalog.package(&package("film", 1)).await.unwrap();
    lab.origin.remove(&at("inventory.jsonl"));
    let before = contents(&lab.origin);
    fs::remove_file(&new.master_path).unwrap();
    let engine = lab.engine();
    engine.heal(&Tenant::default(), &"film".parse().unwrap()).await.unwrap();
    let service = Service::start(&engine);
    lab.wait_for(|history| history.contains("viewers keep what they have: master-gone")).await;
    service.stop().await;
    assert_eq!(
        (contents(&lab.origin), lab.record("film").await.state.name()),
        (before, "published")
    );
    assert_eq!(lab.catalog.package(&package("film", 1)).await.unwrap(), sealed);
    audit(&engine, 0.0).await;
    assert_eq!(lab.found("film").await.len(), 1, "and it is not forgotten");

    // The master turns up again.
    fs::write(&new.master_path, "a film").unwrap();
    engine.heal(&Tenant::default(), &"film".parse().unwrap()).await.unwrap();
    let service = Service::start(&engine);
    lab.wait_for(|history| history.contains("healed: every origin")).await;
    service.stop().await;
    assert_eq!(lab.catalog.package(&package("film", 1)).await.unwrap(), sealed);
}

#[tokio::test(start_paused = true)]
async fn a_transcoder_that_fails_while_healing_is_tried_again() {
    let lab = Lab::new();
    lab.make(&lab.title("film", "a film")).await;
    let before = contents(&lab.origin);
    lab.origin.remove(&at(SEGMENT));
    lab.transcoder.goes_wrong(Part::Span(1), Mishap::CrashAfter(1));
    heal(&lab, &lab.engine(), &before).await;
}

#[tokio::test(start_paused = true)]
async fn an_inventory_that_is_not_answered_for_is_not_lost() {
    let lab = Lab::new();
    lab.make(&lab.title("film", "a film")).await;
    let (before, made) = (contents(&lab.origin), lab.transcoder.calls().len());
    let flaky = Flaky::new(lab.origin.clone(), vec![Fail::FirstGets(2)]);
    heal(&lab, &lab.engine_on(Arc::new(flaky)), &before).await;
    assert_eq!(lab.transcoder.calls().len(), made, "nothing was made again");
}

#[tokio::test(start_paused = true)]
async fn a_pointer_that_is_lost_at_once_is_replaced_once_more() {
    for (deed, damage) in DEEDS {
        let lab = Lab::new();
        let once = std::sync::atomic::AtomicBool::new(true);
        let pointer = ObjectKey::new("main/film/index.m3u8").unwrap();
        let strike = move |origin: &MemoryOrigin| {
            if once.swap(false, std::sync::atomic::Ordering::SeqCst) {
                damage(origin, &pointer);
            }
        };
        let gate = Gate::AfterPut("film/index.m3u8", Box::new(strike));
        let engine = lab.engine_on(GatedOrigin::new(lab.origin.clone(), gate));
        engine.submit(&lab.title("film", "a film")).await.unwrap();
        let told = lab.told(&lab.work(&engine, "film").await);
        assert_eq!(told, "published", "{deed}:\n{}", lab.history("film").await);
        let found = incidents(&lab).await;
        assert_eq!(found.len(), 1, "{deed}");
        assert_eq!(found[0].finding.object, "main/film/index.m3u8");
        assert!(found[0].closed.is_some(), "{deed}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_origin_that_lost_everything_is_one_incident_a_title_and_is_healed() {
    let remove: fn(&MemoryOrigin, &ObjectKey) = MemoryOrigin::remove;
    for damage in [remove, MemoryOrigin::rot] {
        // Eighty segments of each of three renditions.
        let lab = Lab { transcoder: Arc::new(ScriptedTranscoder::new(480)), ..Lab::new() };
        lab.make(&lab.title("film", "a film")).await;
        let keys = lab.origin.keys().into_iter().map(|key| ObjectKey::new(key).unwrap());
        let keys: Vec<ObjectKey> = keys.collect();
        let before: Vec<_> = keys.iter().map(|key| lab.origin.object(key)).collect();
        let segments = keys.iter().filter(|key| key.as_str().contains("/seg-"));
        assert!(segments.clone().count() > 200);
        segments.for_each(|key| damage(&lab.origin, key));
        let engine = lab.engine();
        let (tenant, film) = (Tenant::default(), "film".parse().unwrap());
        let read = Some(Verify::Read);
        assert!(engine.verify(&tenant, &film, read).await.unwrap()[0].findings.len() > 200);
        let open = lab.found("film").await;
        assert_eq!((open.len(), open[0].object.as_str()), (1, "main/film/v1/*"), "{open:?}");
        assert!(engine.heal(&tenant, &film).await.unwrap().0);
        let service = Service::start(&engine);
        lab.wait_for(|history| history.contains("healed: every origin")).await;
        service.stop().await;
        assert_eq!(lab.found("film").await, []);
        let after: Vec<_> = keys.iter().map(|key| lab.origin.object(key)).collect();
        assert!(before == after, "every byte is what it was");
    }
}

#[tokio::test(start_paused = true)]
async fn while_a_title_is_healed_nobody_swaps_its_pointers() {
    let lab = Lab::new();
    lab.make(&lab.title("film", "a film")).await;
    let pointers = || ["index.m3u8", "manifest.mpd"].map(|p| lab.text(&format!("main/film/{p}")));
    let first = pointers();
    lab.make(&lab.title("film", "b film")).await;
    let second = pointers();
    lab.origin.remove(&ObjectKey::new("main/film/index.m3u8").unwrap());

    // Healing that has read what viewers get, and stops before it writes.
    let (stuck, bell) = GatedOrigin::closing(lab.origin.clone(), 25);
    let healer = lab.engine_on(stuck);
    healer.heal(&Tenant::default(), &"film".parse().unwrap()).await.unwrap();
    let healing = Service::start_as(&healer, &[Role::Verifier]);
    bell.notified().await;
    let engine = lab.engine();
    assert!(engine.roll_back(&package("film", 1)).await.unwrap());
    let service = Service::start(&engine);
    sleep(Duration::from_secs(600)).await;
    assert_eq!(lab.record("film").await.live, Some(Version(2)));
    assert_eq!(pointers(), [None, second[1].clone()]);

    healing.kill().await;
    // Which of the two is next, is left open.
    lab.wait_for(|history| history.contains("healed: every origin")).await;
    lab.wait("film", |record| record.live == Some(Version(1))).await;
    service.stop().await;
    assert_eq!(pointers(), first);
    assert_eq!(lab.found("film").await, []);
}
