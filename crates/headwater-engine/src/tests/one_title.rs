//! One master in, one proven package out.

use expect_test::expect;
use headwater_model::key::{CACHE_FOREVER, CACHE_POINTER};

use super::*;

#[tokio::test(start_paused = true)]
async fn a_master_becomes_a_published_package() {
    let lab = Lab { slots: 1, ..Lab::new() };
    let record = lab.make(&lab.title("film", "a film")).await;
    assert_eq!(lab.told(&record), "published");
    assert_eq!(record.live, Some(Version(1)));
    assert_eq!((record.progress.spans, record.progress.spans_done), (2, 2));
    assert_eq!((record.progress.frames, record.progress.frames_done), (600, 600));
    // The number of bytes depends on how manifests are spelled.
    let history: String = lab.history("film").await;
    let short = |line: &str| match line.strip_prefix("sealed: ") {
        Some(_) => line.rsplit_once(", ").unwrap().0.to_owned(),
        None => line.to_owned(),
    };
    let history: String = history.lines().map(|line| short(line) + "\n").collect();
    expect![[r#"
        queued from FOLDER/film.mp4 with pipeline vod
        master read: 360p25, 1 audio track, 600 frames in 4 segments and 2 spans
        audio 1 done
        span 1 done
        span 2 done
        sealed: 21 objects
        proven: origin lab holds every object
        published as v1
    "#]]
    .assert_eq(&history);
    expect![[r#"
        main/film/index.m3u8
        main/film/manifest.mpd
        main/film/v1/audio-en/init.mp4
        main/film/v1/audio-en/media.m3u8
        main/film/v1/audio-en/seg-00001.m4s
        main/film/v1/audio-en/seg-00002.m4s
        main/film/v1/audio-en/seg-00003.m4s
        main/film/v1/audio-en/seg-00004.m4s
        main/film/v1/index.m3u8
        main/film/v1/inventory.jsonl
        main/film/v1/manifest.mpd
        main/film/v1/plan.json
        main/film/v1/video-234p/init.mp4
        main/film/v1/video-234p/media.m3u8
        main/film/v1/video-234p/seg-00001.m4s
        main/film/v1/video-234p/seg-00002.m4s
        main/film/v1/video-234p/seg-00003.m4s
        main/film/v1/video-234p/seg-00004.m4s
        main/film/v1/video-360p/init.mp4
        main/film/v1/video-360p/media.m3u8
        main/film/v1/video-360p/seg-00001.m4s
        main/film/v1/video-360p/seg-00002.m4s
        main/film/v1/video-360p/seg-00003.m4s
        main/film/v1/video-360p/seg-00004.m4s"#]]
    .assert_eq(&lab.origin.keys().join("\n"));
    assert!(lab.text("main/film/index.m3u8").unwrap().contains("v1/video-360p/media.m3u8"));
    assert!(lab.text("main/film/manifest.mpd").unwrap().contains("v1/"));
}

#[tokio::test(start_paused = true)]
async fn the_inventory_goes_up_after_all_it_lists_and_the_pointers_last() {
    let lab = Lab::new();
    lab.make(&lab.title("film", "a film")).await;
    let stored = lab.origin.stored();
    let inventory = stored.iter().position(|k| k == "main/film/v1/inventory.jsonl").unwrap();
    assert_eq!(stored[inventory + 1..], ["main/film/index.m3u8", "main/film/manifest.mpd"]);
    let cache = |key: &str| lab.origin.object(&ObjectKey::new(key).unwrap()).unwrap().1;
    assert_eq!(cache("main/film/index.m3u8"), CACHE_POINTER);
    assert_eq!(cache("main/film/v1/index.m3u8"), CACHE_FOREVER);
}

#[tokio::test(start_paused = true)]
async fn nothing_is_left_in_the_spool_and_the_master_is_untouched() {
    let lab = Lab::new();
    let new = lab.title("film", "a film");
    let before = fs::metadata(&new.master_path).unwrap();
    lab.make(&new).await;
    let after = fs::metadata(&new.master_path).unwrap();
    assert_eq!(fs::read_to_string(&new.master_path).unwrap(), "a film");
    assert_eq!(before.modified().unwrap(), after.modified().unwrap());
    let left: Vec<_> = fs::read_dir(lab.spool()).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(left, [".lock"]);
}

#[tokio::test(start_paused = true)]
async fn two_titles_from_the_same_content_have_the_same_segments() {
    let lab = Lab::new();
    lab.make(&lab.title("film", "a film")).await;
    let again = NewTitle { again: true, ..lab.title("copy", "a film") };
    assert_eq!(lab.told(&lab.make(&again).await), "published");
    for path in ["video-360p/init.mp4", "video-360p/seg-00003.m4s", "audio-en/seg-00004.m4s"] {
        let body = |title| lab.origin.object(&package(title, 1).key(path)).unwrap().0;
        assert_eq!(body("film"), body("copy"));
    }
}
