//! Nobody has to take the origin's word: one segment that is lost, emptied, cut short or altered is found and made again
//! before a title is published, and is found in one that is.

use std::fs;
use std::path::Path;

use crate::masters;
use crate::run::{Running, Site, wait_until};

/// What is done to an object behind everybody's back.
#[derive(Debug, Clone, Copy)]
enum Deed {
    Delete,
    Empty,
    Truncate,
    /// Same length.
    Alter,
}

const DEEDS: [Deed; 4] = [Deed::Delete, Deed::Empty, Deed::Truncate, Deed::Alter];

impl Deed {
    fn do_to(self, object: &Path) {
        let mut bytes = fs::read(object).unwrap();
        match self {
            Deed::Delete => return fs::remove_file(object).unwrap(),
            Deed::Empty => bytes.clear(),
            Deed::Truncate => bytes.truncate(bytes.len() / 2),
            Deed::Alter => {
                let middle = bytes.len() / 2;
                bytes[middle] ^= 1;
            }
        }
        fs::write(object, bytes).unwrap();
    }

    /// What the finding says is wrong, in words and as its stable name.
    fn found_as(self) -> (&'static str, &'static str) {
        match self {
            Deed::Delete => ("is missing", "missing"),
            Deed::Empty => ("is empty", "empty"),
            Deed::Truncate => ("is truncated", "truncated"),
            Deed::Alter => ("is altered", "altered"),
        }
    }
}

/// The segment of the first span is harmed as soon as it is there, while other spans are still being made. No viewer may
/// ever get it: it is found, made again and proven before the title is published.
fn made_again(deed: Deed) {
    let site = Site::new();
    let mut command = site.ingest_command(&masters::H264_25.path(), "film", &site.quick(1));
    // One at a time, so that there is work left when the first span is done.
    let running = Running::start(command.env("HEADWATER_WORKER_SLOTS", "1"));
    let segment = site.package("film").join("video-180p/seg-00001.m4s");
    wait_until("the first segment is stored", || segment.exists());
    let untouched = fs::read(&segment).unwrap();
    deed.do_to(&segment);
    let pointer = site.title("film").join("index.m3u8");
    wait_until("the title is published", || {
        let published = pointer.exists();
        assert!(
            !published || fs::read(&segment).ok().as_ref() == Some(&untouched),
            "viewers got it"
        );
        published
    });
    let ran = running.finish();
    assert_eq!((ran.code, &ran.last_line()["state"]), (Some(0), &"published".into()), "{ran}");

    let incident = site.run(["--json", "incidents", "film", "--all"]).last_line();
    let (words, name) = deed.found_as();
    assert_eq!(incident["object"], "main/film/v1/video-180p/seg-00001.m4s");
    assert_eq!(incident["finding"], name);
    assert!(incident["message"].as_str().unwrap().contains(words), "{incident}");
    assert!(incident["closed"].is_i64(), "{incident}");
    let history = site.run(["status", "film"]).stdout;
    assert!(history.contains("verify found something lost; done again in"), "{history}");
    assert_eq!(site.run(["verify", "film"]).code, Some(0));
}

#[test]
fn a_segment_deleted_before_publishing() {
    made_again(Deed::Delete);
}

#[test]
fn a_segment_emptied_before_publishing() {
    made_again(Deed::Empty);
}

#[test]
fn a_segment_truncated_before_publishing() {
    made_again(Deed::Truncate);
}

#[test]
fn a_segment_altered_before_publishing() {
    made_again(Deed::Alter);
}

/// As long as the origin loses it again, nothing is published, and the refusal names it.
#[test]
fn a_segment_that_does_not_stay() {
    let site = Site::new();
    let mut command = site.ingest_command(&masters::H264_25.path(), "film", &site.quick(1));
    let mut running = Running::start(&mut command);
    let segment = site.package("film").join("video-180p/seg-00001.m4s");
    while running.is_alive() {
        let _ = fs::remove_file(&segment);
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    let ran = running.finish();
    assert_eq!(ran.code, Some(1), "{ran}");
    let verdict = ran.last_line();
    assert_eq!(
        (&verdict["state"], &verdict["code"]),
        (&"failed".into(), &"not-proven".into()),
        "{verdict}"
    );
    let message = verdict["message"].as_str().unwrap();
    assert!(message.contains("`main/film/v1/video-180p/seg-00001.m4s` on origin local is missing"));
    for pointer in ["index.m3u8", "manifest.mpd"] {
        assert!(!site.title("film").join(pointer).exists(), "there is a pointer: {pointer}");
    }
    assert_eq!(site.run(["verify", "film"]).code, Some(1), "there is nothing to prove");
}

#[test]
fn everything_that_is_harmed_after_publishing_is_named() {
    let site = Site::new();
    site.publish(&masters::H264_25.path(), "film", &site.quick(2));
    let sound = site.run(["--json", "verify", "film"]);
    assert_eq!((sound.code, &sound.last_line()["proven"]), (Some(0), &true.into()), "{sound}");

    let objects =
        ["video-90p/seg-00003.m4s", "audio-1/seg-00002.m4s", "video-180p/init.mp4", "manifest.mpd"];
    for path in objects {
        let object = site.package("film").join(path);
        let untouched = fs::read(&object).unwrap();
        for deed in DEEDS {
            deed.do_to(&object);
            let (words, name) = deed.found_as();
            let key = format!("main/film/v1/{path}");
            let ran = site.run(["--json", "verify", "film"]);
            assert_eq!(ran.code, Some(1), "{deed:?} {path}: {ran}");
            let findings = ran.last_line()["origins"][0]["findings"].clone();
            assert_eq!(findings.as_array().unwrap().len(), 1, "{deed:?} {path}: {findings}");
            assert_eq!(
                (&findings[0]["object"], &findings[0]["finding"]),
                (&key.as_str().into(), &name.into())
            );
            let said = site.run(["verify", "film"]).stdout;
            assert!(
                said.contains("NOT proven")
                    && said.contains(&format!("`{key}` on origin local {words}"))
                    && said.contains("`headwater heal film`"),
                "{said}"
            );
            let healed = site.run(["heal", "film"]);
            assert_eq!(healed.code, Some(0), "{deed:?} {path}: {healed}");
            assert!(fs::read(&object).unwrap() == untouched, "{deed:?} {path}: not the same bytes");
        }
    }
    assert_eq!(site.run(["verify", "film"]).code, Some(0), "put right, it is proven again");
}
