//! Masters in buckets and on web servers: read where they lie, archived from there, noticed when they change, and taken
//! from a bucket that is watched.

use headwater_model::task::Remake;
use headwater_ports::masters::MasterErrorKind;
use headwater_ports::transcoder::Part;
use headwater_testkit::digest;
use headwater_testkit::scripted_transcoder::Mishap;

use super::*;
use crate::DropBucket;

const AT: &str = "s3://inbox/a/film.mp4";

fn film(lab: &Lab) -> NewTitle {
    NewTitle { master_path: AT.to_owned(), ..lab.title_at("film", Path::new("/none")) }
}

#[tokio::test(start_paused = true)]
async fn a_master_in_a_bucket_gives_the_same_package_as_its_file() {
    let lab = Lab::new();
    lab.masters.place(AT, "a film");
    let record = lab.make(&film(&lab)).await;
    assert_eq!((lab.told(&record).as_str(), record.live), ("published", Some(Version(1))));
    assert_eq!(record.master, Some(digest::sha256(b"a film")));
    assert!(lab.history("film").await.contains("queued from s3://inbox/a/film.mp4 with"));

    let local = Lab::new();
    local.make(&local.title("film", "a film")).await;
    let keys = |lab: &Lab| -> Vec<ObjectKey> {
        lab.origin.keys().into_iter().map(|key| ObjectKey::new(key).unwrap()).collect()
    };
    assert_eq!(keys(&lab), keys(&local));
    for key in keys(&lab) {
        // The history of both is another one, the bytes are not.
        let body = |lab: &Lab| lab.origin.object(&key).unwrap().0;
        let plan = key.as_str().ends_with("plan.json") || key.as_str().ends_with("inventory.jsonl");
        assert!(plan || body(&lab) == body(&local), "{key}");
    }
}

#[tokio::test(start_paused = true)]
async fn it_is_archived_from_where_it_lies_and_that_copy_serves_when_it_is_gone() {
    let lab = Lab::new();
    let glacier = Arc::new(MemoryOrigin::new("glacier"));
    let policy = Policy { archive: Some("glacier".to_owned()), ..Policy::of_one("lab") };
    let stores = Stores::new(&[lab.origin.clone(), glacier.clone()], policy).unwrap();
    let engine = lab.engine_with(lab.catalog.clone(), stores);
    lab.masters.place(AT, "a film");
    engine.submit(&film(&lab)).await.unwrap();
    let service = Service::start(&engine);
    lab.wait("film", |record| record.state.is_final()).await;
    lab.wait_for(|history| history.contains("archived")).await;
    let key = ObjectKey::new(glacier.keys().remove(0)).unwrap();
    assert_eq!(glacier.object(&key).unwrap().0, "a film");
    assert!(key.as_str().ends_with(".mp4"), "{key}");

    lab.masters.remove(AT);
    let remake = Remake {
        base: Version(1),
        renditions: vec!["video-360p".to_owned()],
        from_ms: None,
        to_ms: None,
        reason: None,
        heals: false,
    };
    let again = NewTitle { again: true, remake: Some(remake), ..film(&lab) };
    engine.submit(&again).await.unwrap();
    let record = lab.wait("film", |r| r.live == Some(Version(2)) || r.state.refusal().is_some());
    assert_eq!(lab.told(&record.await), "published");
    service.stop().await;
}

#[tokio::test(start_paused = true)]
async fn one_that_changes_or_goes_under_way_is_told_as_such() {
    for (replaced, expected) in [
        (
            Some("another film"),
            "failed master-changed: the master `s3://inbox/a/film.mp4` is not the file that the plan was made from",
        ),
        (
            None,
            "failed master-gone: there is no master `s3://inbox/a/film.mp4` any more: 404 NoSuchKey",
        ),
    ] {
        let lab = Lab::new();
        lab.masters.place(AT, "a film");
        lab.transcoder.goes_wrong(Part::Span(0), Mishap::Slow(Duration::from_secs(10)));
        let engine = lab.engine();
        engine.submit(&film(&lab)).await.unwrap();
        let service = Service::start(&engine);
        lab.wait("film", |record| record.state.name() == "transcoding").await;
        match replaced {
            Some(other) => lab.masters.place(AT, other),
            None => lab.masters.remove(AT),
        }
        let record = lab.wait("film", |record| record.state.is_final()).await;
        let told = lab.told(&record);
        let changed = "failed master-changed: the master `s3://inbox/a/film.mp4` changed while";
        assert!(told.starts_with(expected) || told.starts_with(changed), "{told}");
        service.stop().await;
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_wrong_with_it_has_a_name_and_who_is_away_is_waited_for() {
    for (kind, expected) in [
        (MasterErrorKind::Denied, "rejected unreadable: the service may not read the master"),
        (MasterErrorKind::Cold, "failed master-in-cold-storage: the master"),
        (MasterErrorKind::Unsuitable, "rejected unreadable: the master"),
        (MasterErrorKind::NotFound, "failed master-gone: there is no master"),
    ] {
        let lab = Lab::new();
        lab.masters.fails(Some(kind));
        let told = lab.told(&lab.make(&film(&lab)).await);
        assert!(told.starts_with(expected), "{told}");
        assert!(told.contains("`s3://inbox/a/film.mp4`") && told.contains("503"), "{told}");
    }
    let lab = Lab::new();
    lab.masters.place(AT, "");
    let told = lab.told(&lab.make(&film(&lab)).await);
    assert_eq!(
        told,
        "rejected empty-file: the master `s3://inbox/a/film.mp4` is empty: it has 0 bytes"
    );

    let lab = Lab::new();
    lab.masters.place(AT, "a film");
    lab.masters.fails(Some(MasterErrorKind::Unavailable));
    let engine = lab.engine();
    engine.submit(&film(&lab)).await.unwrap();
    let service = Service::start(&engine);
    lab.wait_for(|history| history.contains("origin-unavailable")).await;
    sleep(Duration::from_mins(30)).await;
    assert!(!lab.record("film").await.state.is_final());
    lab.masters.fails(None);
    let record = lab.wait("film", |record| record.state.is_final()).await;
    assert_eq!(lab.told(&record), "published");
    service.stop().await;
}

struct Watching {
    shutdown: CancellationToken,
    running: JoinHandle<()>,
}

impl Watching {
    fn start(lab: &Lab) -> Self {
        let shutdown = CancellationToken::new();
        let (engine, stop) = (lab.engine(), shutdown.clone());
        let bucket = DropBucket {
            folder: "s3://inbox/a".parse().unwrap(),
            tenant: Tenant::default(),
            pipeline: "vod".to_owned(),
            poll: Duration::from_mins(1),
        };
        let running = tokio::spawn(async move { engine.watch_bucket(&bucket, &stop).await });
        Self { shutdown, running }
    }

    async fn stop(self) {
        self.shutdown.cancel();
        self.running.await.unwrap();
    }
}

async fn titles_in(lab: &Lab, seconds: u64) -> Vec<String> {
    sleep(Duration::from_secs(seconds)).await;
    let titles = lab.catalog.titles(&Tenant::default(), 100).await.unwrap();
    let mut names: Vec<String> =
        titles.iter().map(|t| format!("{} {}", t.title, t.version)).collect();
    names.sort();
    names
}

#[tokio::test(start_paused = true)]
async fn objects_in_a_watched_bucket_become_titles_and_once_more_when_they_change() {
    let lab = Lab::new();
    for (key, body) in [
        ("a/A Film (2008).mp4", "a film"),
        ("a/.hidden.mp4", "c"),
        ("a/film.mp4.part", "d"),
        ("a/series/episode.mp4", "e"),
        ("ab.mp4", "f"),
        ("b/film.mp4", "g"),
    ] {
        lab.masters.place(&format!("s3://inbox/{key}"), body);
    }
    let watching = Watching::start(&lab);
    assert_eq!(titles_in(&lab, 1).await, ["a-film-2008 v1"]);
    lab.masters.place(AT, "a film, too");
    assert_eq!(titles_in(&lab, 60).await, ["a-film-2008 v1", "film v1"]);
    assert_eq!(lab.record("film").await.master_path, AT);
    lab.work(&lab.engine(), "film").await;
    watching.stop().await;

    let watching = Watching::start(&lab);
    assert_eq!(titles_in(&lab, 300).await, ["a-film-2008 v1", "film v1"], "known already");
    // As many bytes as before.
    lab.masters.place(AT, "a film, two");
    assert_eq!(titles_in(&lab, 60).await, ["a-film-2008 v1", "film v2"]);
    watching.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_bucket_that_is_away_is_asked_again() {
    let lab = Lab::new();
    lab.masters.place(AT, "a film");
    lab.masters.fails(Some(MasterErrorKind::Denied));
    let watching = Watching::start(&lab);
    assert!(titles_in(&lab, 200).await.is_empty());
    lab.masters.fails(None);
    assert_eq!(titles_in(&lab, 60).await, ["film v1"]);
    watching.stop().await;
}
