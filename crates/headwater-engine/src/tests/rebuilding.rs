//! A catalog that was lost is filled again from an origin alone, and goes on as if nothing had happened.

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
    let tally = audit.unwrap()[0].1;
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
    let put = headwater_testkit::digest::put(pointer("split", "manifest.mpd").as_str(), other);
    old.origin.put(put).await.unwrap();
    for name in ["index.m3u8", "manifest.mpd"] {
        old.origin.remove(&pointer("unpointed", name));
    }
    let lab = lab_with(old.origin.clone());
    let rebuilt = lab.engine().rebuild(&Tenant::default(), "lab").await.unwrap();
    assert_eq!(rebuilt.titles, 3);
    assert_eq!(rebuilt.problems.len(), 3, "{:#?}", rebuilt.problems);
    assert!(rebuilt.problems[0].starts_with("main/cut/v1: "), "{:#?}", rebuilt.problems);
    assert_eq!(lab.record("split").await.live, Some(Version(1)));
    let unpointed = lab.record("unpointed").await;
    assert_eq!((unpointed.live, unpointed.state.name()), (None, "failed"));
}
