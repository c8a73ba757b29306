//! Subtitles, pictures for fast forward, and titles without a picture.

use expect_test::expect;

use super::*;

#[test]
fn subtitles_are_part_of_the_proof() {
    let plan = fixture::plan_with_text();
    let (inventory, files) = (fixture::inventory_of(&plan), fixture::files_of(&plan));
    assert_eq!(found(&inventory, &files), "");
    let edited = |manifest: &str, from: &str, to: &str| {
        let mut files = files.clone();
        let key = ObjectKey::new(format!("main/film/v1/{manifest}")).expect("a key");
        let text = String::from_utf8(files[&key].clone()).expect("text");
        assert!(text.contains(from), "`{from}` is not in {text}");
        files.insert(key, text.replacen(from, to, 1).into_bytes());
        found(&inventory, &files)
    };
    let playlist = "text-3/media.m3u8";
    let table = [
        edited(playlist, "seg-00001.vtt", "seg-00009.vtt"),
        edited(playlist, "#EXT-X-ENDLIST", ""),
        edited(playlist, "#EXTINF:", "#EXTINF:1"),
        edited("index.m3u8", "text-3/media.m3u8", "text-4/media.m3u8"),
        edited("index.m3u8", "SUBTITLES=\"text\"", "SUBTITLES=\"words\""),
        edited("index.m3u8", "FORCED=YES", "FORCED=YES,DEFAULT=YES"),
        edited("manifest.mpd", "text-3/whole.vtt", "text-3/seg-00001.vtt"),
        edited("manifest.mpd", "id=\"text-3\"", "id=\"text-5\""),
    ];
    expect![[r#"
        `v1/text-3/media.m3u8` names `seg-00009.vtt`, which is not part of the package
        ---
        `v1/text-3/media.m3u8` is malformed: it does not end with EXT-X-ENDLIST
        ---
        `v1/text-3/media.m3u8` is malformed: `seg-00001.vtt` is longer than the target duration of 22 s
        ---
        `v1/index.m3u8` names `text-4/media.m3u8`, which is not part of the package
        `v1/text-3/media.m3u8` is named by no entry of `v1/index.m3u8`
        ---
        `v1/index.m3u8` is malformed: `video-540p/media.m3u8` is without its subtitles
        ---
        `v1/index.m3u8` is malformed: more than one rendition of subtitles is the default
        ---
        `v1/manifest.mpd` names `text-3/seg-00001.vtt`, which is not part of the package
        ---
        `v1/manifest.mpd` is malformed: it has a BaseURL, which leads its addresses elsewhere
        `v1/manifest.mpd` names `text-5`, which is not part of the package
        `v1/text-3/whole.vtt` is named by no entry of `v1/manifest.mpd`
    "#]].assert_eq(&table.join("---\n"));
    let without = |path: &str| {
        let mut inventory = inventory.clone();
        inventory.objects.retain(|object| object.path != path);
        found(&inventory, &files)
    };
    let lost = ["text-3/seg-00001.vtt", "text-3/whole.vtt", "text-3/media.m3u8"].map(without);
    expect![[r#"
        `v1/text-3/media.m3u8` names `seg-00001.vtt`, which is not part of the package
        ---
        `v1/manifest.mpd` is malformed: it has a BaseURL, which leads its addresses elsewhere
        `v1/manifest.mpd` names `text-3`, which is not part of the package
        `manifest.mpd` is malformed: it has a BaseURL, which leads its addresses elsewhere
        `manifest.mpd` names `text-3`, which is not part of the package
        `v1/text-3/whole.vtt` is missing
        ---
        `v1/index.m3u8` names `text-3/media.m3u8`, which is not part of the package
        `index.m3u8` names `v1/text-3/media.m3u8`, which is not part of the package
        `v1/text-3/media.m3u8` is missing
    "#]]
    .assert_eq(&lost.join("---\n"));
}

#[test]
fn what_is_no_webvtt_is_found() {
    assert_eq!(text(b"WEBVTT\n\n00:01.000 --> 00:02.000\nhello\n"), None);
    for wrong in [&b"WEBVTX\n"[..], b"\xff", b"WEBVTT\n\n00:0x.000 --> 00:02.000\nhello\n"] {
        assert!(text(wrong).is_some(), "{wrong:?}");
    }
}

#[test]
fn a_title_without_a_picture_is_sound() {
    let plan = fixture::plan();
    // Its segments are those of the sound.
    let segments = (0..plan.segments.len()).map(|n| {
        let frames = plan.audio[0].frames_of(n);
        SegmentPlan {
            first_frame: frames.start,
            frames: u32::try_from(frames.end - frames.start).expect("few"),
            start: frames.start * 1024,
            ticks: (frames.end - frames.start) * 1024,
        }
    });
    let segments = segments.collect();
    let plan = Plan { video: vec![], timescale: 48_000, segments, ..plan };
    let (inventory, files) = (fixture::inventory_of(&plan), fixture::files_of(&plan));
    assert_eq!(found(&inventory, &files), "");
    let key = ObjectKey::new("main/film/v1/index.m3u8").expect("a key");
    let text = String::from_utf8(files[&key].clone()).expect("text");
    expect![[r##"
        #EXTM3U
        #EXT-X-VERSION:7
        #EXT-X-INDEPENDENT-SEGMENTS
        #EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="audio",LANGUAGE="en",NAME="English",DEFAULT=YES,AUTOSELECT=YES,CHANNELS="2"
        #EXT-X-MEDIA:TYPE=AUDIO,URI="audio-de/media.m3u8",GROUP-ID="audio",LANGUAGE="de",NAME="German",AUTOSELECT=YES,CHANNELS="2"
        #EXT-X-STREAM-INF:BANDWIDTH=511998,AVERAGE-BANDWIDTH=325706,CODECS="mp4a.40.2",AUDIO="audio"
        audio-eng/media.m3u8
    "##]].assert_eq(&text);
}

#[test]
fn pictures_for_fast_forward_are_part_of_the_proof() {
    let plan = fixture::plan_with_trick();
    let (inventory, files) = (fixture::inventory_of(&plan), fixture::files_of(&plan));
    assert_eq!(found(&inventory, &files), "");
    let edited = |manifest: &str, from: &str, to: &str| {
        let mut files = files.clone();
        let key = ObjectKey::new(format!("main/film/v1/{manifest}")).expect("a key");
        let text = String::from_utf8(files[&key].clone()).expect("text");
        assert!(text.contains(from), "`{from}` is not in {text}");
        files.insert(key, text.replacen(from, to, 1).into_bytes());
        found(&inventory, &files)
    };
    let table = [
        edited("trick-234p/media.m3u8", "#EXT-X-I-FRAMES-ONLY\n", ""),
        edited("video-234p/media.m3u8", "#EXT-X-TARGET", "#EXT-X-I-FRAMES-ONLY\n#EXT-X-TARGET"),
        edited("index.m3u8", "trick-234p/media.m3u8", "trick-235p/media.m3u8"),
        edited("manifest.mpd", "id=\"trick-234p\"", "id=\"trick-5p\""),
    ];
    expect![[r#"
        `v1/trick-234p/media.m3u8` is malformed: it does not have EXT-X-I-FRAMES-ONLY
        ---
        `v1/video-234p/media.m3u8` is malformed: it has EXT-X-I-FRAMES-ONLY
        ---
        `v1/index.m3u8` names `trick-235p/media.m3u8`, which is not part of the package
        `v1/trick-234p/media.m3u8` is named by no entry of `v1/index.m3u8`
        ---
        `v1/manifest.mpd` names `trick-5p`, which is not part of the package
        `v1/trick-234p/init.mp4` is named by no entry of `v1/manifest.mpd`
    "#]]
    .assert_eq(&table.join("---\n"));
}

#[test]
fn segments_as_mpeg_ts_are_part_of_the_proof() {
    let plan = fixture::plan_with_transport();
    let (inventory, files) = (fixture::inventory_of(&plan), fixture::files_of(&plan));
    assert_eq!(found(&inventory, &files), "");
    let mut less = inventory.clone();
    less.objects.retain(|o| o.path != "video-540p/seg-00002.ts");
    expect![[r#"
        `v1/video-540p/media.m3u8` names `seg-00002.ts`, which is not part of the package
        `v1/video-540p/seg-00003.m4s` starts at tick 360360, but the segment before it ends at tick 180180
        `v1/video-540p/seg-00002.m4s` is named by no entry of `v1/video-540p/media.m3u8`
    "#]].assert_eq(&found(&less, &files));
    let mut none = inventory;
    none.objects.retain(|o| !o.path.ends_with(".ts"));
    expect![[r#"
        `v1/audio-de/media.m3u8` is malformed: its first segment has no EXT-X-MAP
        `v1/audio-de/media.m3u8` names `seg-00001.ts`, which is not part of the package
        `v1/audio-de/media.m3u8` names `seg-00002.ts`, which is not part of the package
        `v1/audio-de/media.m3u8` names `seg-00003.ts`, which is not part of the package
        `v1/audio-de/media.m3u8` names `seg-00004.ts`, which is not part of the package
        and 25 more
    "#]]
    .assert_eq(&found(&none, &files));
}
