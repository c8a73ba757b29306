//! A part of a title is made again: the new version refers to what stays, and viewers notice nothing until it is proven.

use headwater_model::task::Remake;
use headwater_ports::transcoder::Part;
use headwater_testkit::scripted_transcoder::Mishap;

use crate::audit::{Budget, Method, Scope, Source};

use super::*;

fn remake(renditions: &[&str]) -> Remake {
    Remake {
        base: Version(1),
        renditions: renditions.iter().map(|name| (*name).to_owned()).collect(),
        from_ms: None,
        to_ms: None,
        reason: Some("blocky".to_owned()),
        heals: false,
    }
}

/// Makes a part of `film` again.
async fn make_again(lab: &Lab, remake: Remake) -> TitleRecord {
    let new = NewTitle { remake: Some(remake), ..lab.title("film", "a film") };
    lab.make(&new).await
}

async fn findings(lab: &Lab) -> Vec<Finding> {
    let tenant = Tenant::default();
    let proofs = lab.engine().verify(&tenant, &"film".parse().unwrap(), None).await.unwrap();
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
    proofs.into_iter().flat_map(|proof| proof.findings).collect()
}

fn keys_of(lab: &Lab, version: u32) -> Vec<String> {
    let prefix = format!("main/film/v{version}/");
    lab.origin
        .keys()
        .into_iter()
        .filter_map(|key| key.strip_prefix(&prefix).map(str::to_owned))
        .collect()
}

#[tokio::test(start_paused = true)]
async fn one_rendition_is_made_and_the_others_stay_where_they_are() {
    let lab = Lab::new();
    lab.make(&lab.title("film", "a film")).await;
    let (before, calls) = (lab.origin.keys(), lab.transcoder.calls().len());
    let record = make_again(&lab, remake(&["video-234p"])).await;
    assert_eq!(lab.told(&record), "published", "{}", lab.history("film").await);
    assert_eq!(record.live, Some(Version(2)));
    let mut again = lab.transcoder.calls()[calls..].to_vec();
    again.sort_by_key(|part| *part == Part::Span(1));
    assert_eq!(again, [Part::Span(0), Part::Span(1)]);
    assert_eq!(
        keys_of(&lab, 2),
        [
            "index.m3u8",
            "inventory.jsonl",
            "manifest.mpd",
            "plan.json",
            "video-234p/init.mp4",
            "video-234p/media.m3u8",
            "video-234p/seg-00001.m4s",
            "video-234p/seg-00002.m4s",
            "video-234p/seg-00003.m4s",
            "video-234p/seg-00004.m4s",
        ]
    );
    assert!(before.iter().all(|key| lab.origin.keys().contains(key)), "nothing is taken away");
    let pointer = lab.text("main/film/index.m3u8").unwrap();
    assert!(
        pointer.contains("\nv2/video-234p/media.m3u8")
            && pointer.contains("\nv1/video-360p/media.m3u8")
    );
    assert!(pointer.contains("URI=\"v1/audio-en/media.m3u8\""));
    let own = lab.text("main/film/v2/index.m3u8").unwrap();
    assert!(
        own.contains("\nvideo-234p/media.m3u8") && own.contains("\n../v1/video-360p/media.m3u8")
    );
    let mpd = lab.text("main/film/manifest.mpd").unwrap();
    assert!(
        mpd.contains("v2/$RepresentationID$/seg-") && mpd.contains("v1/$RepresentationID$/seg-")
    );
    assert_eq!(findings(&lab).await, []);
    let history = lab.history("film").await;
    let queued = "queued as v2: video-234p made again, the rest from v1 (blocky)";
    assert!(history.contains(queued), "{history}");

    // A part of that again: what stays is where it was, two versions back.
    let again = Remake { base: Version(2), ..remake(&["audio-en"]) };
    assert_eq!(lab.told(&make_again(&lab, again).await), "published");
    let pointer = lab.text("main/film/index.m3u8").unwrap();
    for address in ["\nv2/video-234p/", "\nv1/video-360p/", "\"v3/audio-en/"] {
        assert!(pointer.contains(address), "{pointer}");
    }
    assert_eq!(findings(&lab).await, []);
}

#[tokio::test(start_paused = true)]
async fn only_the_spans_of_a_time_are_made_and_the_others_are_copied() {
    let lab = Lab::new();
    lab.make(&lab.title("film", "a film")).await;
    let calls = lab.transcoder.calls().len();
    let part = Remake { from_ms: Some(13_000), to_ms: Some(14_000), ..remake(&[]) };
    let record = make_again(&lab, part).await;
    assert_eq!(lab.told(&record), "published", "{}", lab.history("film").await);
    assert_eq!(lab.transcoder.calls()[calls..], [Part::Span(1)]);
    let of = |version: u32, path: &str| lab.origin.object(&package("film", version).key(path));
    for path in ["video-360p/init.mp4", "video-360p/seg-00001.m4s", "video-234p/seg-00003.m4s"] {
        assert!(of(2, path).is_some() && of(2, path) == of(1, path), "{path}");
    }
    assert_eq!(of(2, "audio-en/init.mp4"), None, "sound stays where it is");
    assert_eq!(findings(&lab).await, []);
}

#[tokio::test(start_paused = true)]
async fn what_stays_is_healed_where_it_is() {
    let lab = Lab::new();
    lab.make(&lab.title("film", "a film")).await;
    make_again(&lab, remake(&["video-234p"])).await;
    let lost = package("film", 1).key("video-360p/seg-00003.m4s");
    let before = lab.origin.object(&lost);
    lab.origin.remove(&lost);
    let tenant = Tenant::default();
    let engine = lab.engine();
    let found = engine.verify(&tenant, &"film".parse().unwrap(), None).await.unwrap();
    assert_eq!(found[0].findings.len(), 1);
    engine.heal(&tenant, &"film".parse().unwrap()).await.unwrap();
    let service = Service::start(&engine);
    lab.wait_for(|history| history.contains("healed: every origin")).await;
    service.stop().await;
    assert_eq!(lab.origin.object(&lost), before);
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_made_again_is_refused_in_words() {
    let lab = Lab::new();
    lab.make(&lab.title("film", "a film")).await;
    let told = lab.told(&make_again(&lab, remake(&["video-4k"])).await);
    assert_eq!(
        told,
        "rejected pipeline-mismatch: there is no rendition `video-4k`: there are video-360p, video-234p, audio-en"
    );
    let late = Remake { from_ms: Some(99_000), ..remake(&[]) };
    let told = lab.told(&make_again(&lab, late).await);
    assert!(
        told.ends_with("nothing of the title, which is 24 s long, lies in that time"),
        "{told}"
    );
    let other = NewTitle { remake: Some(remake(&["video-234p"])), ..lab.title("film", "b film") };
    let told = lab.told(&lab.make(&other).await);
    assert!(
        told.starts_with("failed master-changed: `main/film/v1` was made from another master"),
        "{told}"
    );
    assert_eq!(lab.record("film").await.live, Some(Version(1)));
}

#[tokio::test(start_paused = true)]
async fn a_version_that_others_refer_to_is_not_deleted() {
    let lab = Lab::new();
    lab.make(&lab.title("film", "a film")).await;
    make_again(&lab, remake(&["video-234p"])).await;
    let before = lab.origin.keys();
    let far = Timestamp(i64::MAX);
    lab.engine().collect(&Tenant::default(), far, 0, true, &|_| {}).await.unwrap();
    assert_eq!(lab.origin.keys(), before);
    // Nor when the one that refers to it is kept for a rollback only.
    lab.make(&NewTitle { again: true, ..lab.title("film", "a film") }).await;
    let before = lab.origin.keys();
    lab.engine().collect(&Tenant::default(), far, 1, true, &|_| {}).await.unwrap();
    assert_eq!(lab.origin.keys(), before);
    lab.engine().collect(&Tenant::default(), far, 0, true, &|_| {}).await.unwrap();
    assert!(lab.origin.keys().iter().all(|key| !key.contains("/v1/") && !key.contains("/v2/")));
}

#[tokio::test(start_paused = true)]
async fn a_loss_of_what_stays_delays_the_new_version_until_it_is_healed() {
    let lab = Lab::new();
    lab.make(&lab.title("film", "a film")).await;
    let lost = package("film", 1).key("video-360p/seg-00003.m4s");
    let before = lab.origin.object(&lost);
    lab.origin.remove(&lost);
    // Making it again takes longer than three tries.
    lab.transcoder.goes_wrong(Part::Span(1), Mishap::Slow(Duration::from_secs(300)));
    let new = NewTitle { remake: Some(remake(&["audio-en"])), ..lab.title("film", "a film") };
    let record = lab.make(&new).await;
    let history = lab.history("film").await;
    assert_eq!(
        (lab.told(&record).as_str(), record.live),
        ("published", Some(Version(2))),
        "{history}"
    );
    assert_eq!(lab.origin.object(&lost), before);
    assert_eq!(findings(&lab).await, []);
}

#[tokio::test(start_paused = true)]
async fn a_loss_of_what_stays_that_cannot_be_healed_ends_the_new_version_soon() {
    let lab = Lab::new();
    let new = lab.title("film", "a film");
    lab.make(&new).await;
    lab.origin.remove(&package("film", 1).key("video-360p/seg-00003.m4s"));
    for _ in 0..9 {
        lab.transcoder.goes_wrong(Part::Span(1), Mishap::OtherBytes);
    }
    let record = lab.make(&NewTitle { remake: Some(remake(&["audio-en"])), ..new }).await;
    let history = lab.history("film").await;
    assert_eq!((record.state.name(), record.live), ("failed", Some(Version(1))), "{history}");
    assert!(history.matches("healing asked for").count() <= 3, "{history}");
}
