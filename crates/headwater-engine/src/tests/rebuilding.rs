//! A catalog that was lost is filled again from an origin alone, and goes on as if nothing had happened.

use headwater_model::task::Remake;
use headwater_ports::origin::OriginErrorKind;
use headwater_testkit::digest::put;
use headwater_testkit::flaky::{Fail, Flaky};

use crate::audit::{Budget, Method, Scope, Source};
use crate::rebuild::RebuildError;

use super::*;

fn lab_with(origin: Arc<MemoryOrigin>) -> Lab {
    Lab { origin, ..Lab::new() }
}

async fn findings(lab: &Lab) -> u64 {
    let method = Method {
        read: 1.0,
        from: Source::Origin,
        round: 0,
        heals: false,
        budget: Budget::NONE,
        checkpoint: None,
    };
    let audit = lab.engine().audit(&Tenant::default(), &Scope::default(), &method, &|_| {}).await;
    let tally = audit.unwrap()[0].tally;
    tally.findings + tally.orphans
}

#[tokio::test(start_paused = true)]
async fn everything_that_was_published_is_known_again() {
    let old = Lab::new();
    old.make(&old.title("film", "a film")).await;
    old.make(&old.title("film-2", "another film")).await;
    old.make(&NewTitle { again: true, ..old.title("film", "a film") }).await;

    let lab = lab_with(old.origin.clone());
    let tenant = Tenant::default();
    let rebuilt = lab.engine().rebuild(&tenant, "lab").await.unwrap();
    assert_eq!((rebuilt.titles, rebuilt.packages, rebuilt.problems.len()), (2, 3, 0));
    for title in ["film", "film-2"] {
        let (before, after) = (old.record(title).await, lab.record(title).await);
        assert_eq!(
            (after.live, after.version, after.state),
            (before.live, before.version, before.state)
        );
        assert_eq!((after.master, after.pipeline), (before.master, before.pipeline));
        assert_eq!(after.progress.frames, before.progress.frames);
        let package = package(title, before.version.0);
        let expected = old.catalog.package(&package).await.unwrap();
        assert_eq!(lab.catalog.package(&package).await.unwrap(), expected, "{title}");
    }
    assert_eq!(findings(&lab).await, 0);

    let again = lab.engine().rebuild(&tenant, "lab").await;
    assert!(matches!(again, Err(RebuildError::NotEmpty(_))));
    let other = lab.engine().rebuild(&tenant, "cellar").await;
    assert!(matches!(other, Err(RebuildError::NoSuchOrigin(_))));
}

#[tokio::test(start_paused = true)]
async fn what_was_rebuilt_can_be_healed_once_the_master_is_found_again() {
    let old = Lab::new();
    old.make(&old.title("film", "a film")).await;
    let lab = lab_with(old.origin.clone());
    let tenant = Tenant::default();
    lab.engine().rebuild(&tenant, "lab").await.unwrap();
    let segment = package("film", 1).key("video-360p/seg-00003.m4s");
    let before = lab.origin.object(&segment);
    lab.origin.remove(&segment);

    assert!(lab.engine().heal(&tenant, &"film".parse().unwrap()).await.unwrap().0);
    let service = Service::start(&lab.engine());
    lab.wait_for(|history| history.contains("viewers keep what they have")).await;
    service.stop().await;
    let history = lab.history("film").await;
    assert!(history.contains("no origin says where the master is: its SHA-256 is "), "{history}");

    lab.make(&lab.title("film", "a film")).await;
    assert_eq!(lab.record("film").await.version, Version(1), "nothing was made again");
    assert!(lab.engine().heal(&tenant, &"film".parse().unwrap()).await.unwrap().0);
    let service = Service::start(&lab.engine());
    lab.wait_for(|history| history.contains("healed: every origin")).await;
    service.stop().await;
    assert_eq!(lab.origin.object(&segment), before);
    assert_eq!(findings(&lab).await, 0);
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_taken_over_is_told() {
    let old = Lab::new();
    for title in ["cut", "split", "sound", "unpointed"] {
        old.make(&old.title(title, title)).await;
    }
    old.origin.truncate(&package("cut", 1).key("inventory.jsonl"), 300);
    let pointer = |title: &str, name: &str| ObjectKey::new(format!("main/{title}/{name}")).unwrap();
    let other = "<MPD><SegmentTemplate media=\"v7/x\"/></MPD>";
    let mpd = old.origin.object(&pointer("split", "manifest.mpd")).unwrap().0;
    old.origin.put(put(pointer("split", "manifest.mpd").as_str(), other)).await.unwrap();
    for name in ["index.m3u8", "manifest.mpd"] {
        old.origin.remove(&pointer("unpointed", name));
    }
    let lab = lab_with(old.origin.clone());
    let rebuilt = lab.engine().rebuild(&Tenant::default(), "lab").await.unwrap();
    assert_eq!(rebuilt.titles, 3);
    assert_eq!(rebuilt.problems.len(), 3, "{:#?}", rebuilt.problems);
    assert!(rebuilt.problems[0].starts_with("main/cut/v1: "), "{:#?}", rebuilt.problems);
    assert_eq!(lab.record("split").await.live, Some(Version(1)));
    // What the other pointer has to be is known, so that this is found and put right.
    let split: headwater_model::id::TitleId = "split".parse().unwrap();
    let engine = lab.engine();
    let proofs = engine.verify(&Tenant::default(), &split, None).await.unwrap();
    assert_eq!(proofs[0].findings.len(), 1, "{proofs:?}");
    assert!(engine.heal(&Tenant::default(), &split).await.unwrap().0);
    let service = Service::start(&engine);
    while lab.origin.object(&pointer("split", "manifest.mpd")).unwrap().0 != mpd {
        sleep(Duration::from_secs(1)).await;
    }
    service.stop().await;
    let unpointed = lab.record("unpointed").await;
    assert_eq!((unpointed.live, unpointed.state.name()), (None, "failed"));
}

/// A new version of `film` of which only some renditions are its own.
async fn make_again(lab: &Lab, base: u32, renditions: &[&str]) {
    let remake = Remake {
        base: Version(base),
        renditions: renditions.iter().map(|name| (*name).to_owned()).collect(),
        from_ms: None,
        to_ms: None,
        reason: None,
        heals: false,
    };
    let new = NewTitle { remake: Some(remake), ..lab.title("film", "a film") };
    assert_eq!(lab.told(&lab.make(&new).await), "published");
}

#[tokio::test(start_paused = true)]
async fn viewers_get_the_newest_of_the_versions_that_a_pointer_names() {
    for renditions in [&["video-234p"][..], &["audio-en"], &["video-360p"]] {
        let old = Lab::new();
        old.make(&old.title("film", "a film")).await;
        make_again(&old, 1, renditions).await;
        let lab = lab_with(old.origin.clone());
        let rebuilt = lab.engine().rebuild(&Tenant::default(), "lab").await.unwrap();
        assert_eq!(rebuilt.problems, Vec::<String>::new(), "{renditions:?}");
        assert_eq!(lab.record("film").await.live, Some(Version(2)), "{renditions:?}");
        let v2 = package("film", 2);
        let before = old.catalog.package(&v2).await.unwrap().unwrap().pointers;
        assert_eq!(lab.catalog.package(&v2).await.unwrap().unwrap().pointers, before);
        assert_eq!(findings(&lab).await, 0);
    }
}

#[tokio::test(start_paused = true)]
async fn nothing_is_written_over_what_could_not_be_taken_over() {
    let old = Lab::new();
    for content in ["a film", "b film"] {
        old.make(&old.title("film", content)).await;
    }
    old.make(&old.title("lone", "lone")).await;
    for lost in [package("film", 2), package("lone", 1)] {
        old.origin.remove(&lost.key("inventory.jsonl"));
    }
    let lab = lab_with(old.origin.clone());
    let rebuilt = lab.engine().rebuild(&Tenant::default(), "lab").await.unwrap();
    assert_eq!((rebuilt.titles, rebuilt.packages), (1, 1));
    assert_eq!(rebuilt.problems.len(), 2, "{:#?}", rebuilt.problems);
    let what = "film: its pointers lead to v2, which has no inventory";
    assert_eq!(rebuilt.problems[0], what);
    assert_eq!(lab.record("film").await.live, None);
    // Of a version that has lost even its last object, only the pointers tell.
    let media = |lab: &Lab| -> Vec<(String, Option<bytes::Bytes>)> {
        let keys = lab.origin.keys().into_iter().filter(|key| key.contains("/v"));
        keys.map(|key| {
            let object = lab.origin.object(&ObjectKey::new(&key).unwrap());
            (key, object.map(|(body, _)| body))
        })
        .collect()
    };
    let before = media(&lab);
    assert_eq!(lab.make(&lab.title("film", "c film")).await.live, Some(Version(3)));
    assert_eq!(lab.make(&lab.title("lone", "lone anew")).await.live, Some(Version(2)));
    let after = media(&lab);
    assert!(before.iter().all(|object| after.contains(object)), "nothing is written over");
}

#[tokio::test(start_paused = true)]
async fn a_rebuild_that_was_stopped_is_done_again() {
    let old = Lab::new();
    for title in ["alone", "film", "zoo"] {
        old.make(&old.title(title, title)).await;
    }
    let lab = lab_with(old.origin.clone());
    let tenant = Tenant::default();
    let kind = OriginErrorKind::Unavailable;
    let refuses = vec![Fail::Gets { containing: "film/v1/inventory.jsonl", kind }];
    let flaky = lab.engine_on(Arc::new(Flaky::new(lab.origin.clone(), refuses)));
    let stopped = flaky.rebuild(&tenant, "lab").await;
    assert!(matches!(stopped, Err(RebuildError::Origin(_))), "{stopped:?}");
    assert_eq!(lab.catalog.titles(&tenant, 9).await.unwrap().len(), 1);
    let rebuilt = lab.engine().rebuild(&tenant, "lab").await.unwrap();
    assert_eq!((rebuilt.titles, rebuilt.packages, rebuilt.problems.len()), (3, 3, 0));
    assert_eq!(lab.catalog.titles(&tenant, 9).await.unwrap().len(), 3);
    assert_eq!(findings(&lab).await, 0);
    let again = lab.engine().rebuild(&tenant, "lab").await;
    assert!(matches!(again, Err(RebuildError::NotEmpty(_))), "it is done");
}
