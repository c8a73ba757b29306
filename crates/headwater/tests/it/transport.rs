//! HLS with segments as MPEG-TS, for old players: the same pictures and the same sound as those of CMAF.

use std::fs;
use std::path::{Path, PathBuf};

use crate::masters;
use crate::package;
use crate::play;
use crate::run::{Site, program, quick_pipeline, tool};
use crate::service::Service;

fn pipeline(span_segments: u32) -> String {
    quick_pipeline(span_segments)
        .replace("segment_seconds = 5\n", "segment_seconds = 5\nmpeg_ts = true\n")
}

/// All segments of a rendition in a row, which are one stream.
fn joined(folder: &Path, scratch: &Path) -> PathBuf {
    let mut segments: Vec<PathBuf> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|e| e == "ts"))
        .collect();
    segments.sort();
    let bytes: Vec<u8> = segments.iter().flat_map(|path| fs::read(path).unwrap()).collect();
    let file = scratch.join(folder.file_name().unwrap()).with_extension("ts");
    fs::write(&file, bytes).unwrap();
    file
}

/// Spans are made apart, and segments of their packets go on from each other all the same.
#[test]
fn segments_in_a_row_are_one_stream() {
    let site = Site::new();
    site.write("old.toml", pipeline(1));
    site.publish(&masters::LARGER.path(), "film", "old.toml");
    let (package, scratch) = (site.package("film"), site.path("renditions"));
    fs::create_dir(&scratch).unwrap();
    for rendition in package::renditions(&package, &scratch) {
        let stream = joined(&package.join(&rendition.name), &scratch);
        // Warnings are about counters that jump and time stamps that go back.
        let read = tool(
            program("ffmpeg")
                .args(["-nostdin", "-v", "warning", "-i"])
                .arg(&stream)
                .args(["-c", "copy", "-f", "null", "-"]),
        );
        let said = String::from_utf8_lossy(&read.stderr).into_owned();
        assert_eq!(said, "", "{}", rendition.name);
        if rendition.is_video() {
            assert_eq!(
                package::thumbnails(&stream),
                package::thumbnails(&rendition.file),
                "{}",
                rendition.name
            );
            // Ten seconds later than in CMAF, to 1/90,000 s.
            let (stamps, shown) =
                (package::frame_times(&stream), package::frame_times(&rendition.file));
            assert!((package::first_frame(&stream) - 10.0).abs() < 1e-4);
            assert_eq!(stamps.len(), shown.len());
            assert!(stamps.iter().zip(&shown).all(|(a, b)| (a - b).abs() < 2e-5), "{stamps:?}");
        } else {
            assert_eq!(package::samples(&stream), package::samples(&rendition.file));
        }
    }
    let playlist = fs::read_to_string(package.join("video-360p/media.m3u8"))
        .or_else(|_| fs::read_to_string(package.join("video-180p/media.m3u8")))
        .unwrap();
    assert!(playlist.contains("\nseg-00001.ts\n"), "{playlist}");
    assert!(!playlist.contains("EXT-X-MAP") && !playlist.contains(".m4s"), "{playlist}");
    let mpd = fs::read_to_string(package.join("manifest.mpd")).unwrap();
    assert!(mpd.contains(".m4s") && !mpd.contains(".ts\""), "{mpd}");
}

/// They are proven, and made again with the same bytes.
#[test]
fn a_lost_segment_is_made_again() {
    let site = Site::new();
    site.write("old.toml", pipeline(1));
    site.publish(&masters::H264_25.path(), "film", "old.toml");
    let folder = site.package("film");
    for path in ["video-180p/seg-00002.ts", "audio-1/seg-00003.ts"] {
        let lost = folder.join(path);
        let before = fs::read(&lost).unwrap();
        fs::remove_file(&lost).unwrap();
        let missed = site.run(["verify", "film"]);
        assert_ne!(missed.code, Some(0), "{missed}");
        assert!(missed.stdout.contains(path), "{missed}");
        let healed = site.run(["heal", "film"]);
        assert_eq!(healed.code, Some(0), "{healed}");
        assert_eq!(fs::read(&lost).unwrap(), before, "{path}");
    }
}

#[test]
fn it_plays_with_its_subtitles() {
    let site = Site::new();
    site.write("old.toml", pipeline(1));
    let service = Service::start(&site, "old");
    fs::copy(masters::WORDS_MKV.path(), service.drop_folder().join("film.mkv")).unwrap();
    let film = service.settled("film");
    assert_eq!(film["state"], "published", "{film}");
    let url = format!("http://{}/media/main/film/index.m3u8", service.address);
    for player in ["hls.js", "shaka"] {
        // As much as the first frame is decoded before it is shown: two frames.
        play::subtitles(player, &url, &["--transport"], 0.09);
        let seeks = ["--transport", "--seek", "11", "--seek", "2.5", "--seconds", "1"];
        play::play(player, &url, &seeks);
        let whole = play::play(player, &url, &["--transport", "--rate", "4"]);
        assert_eq!(whole["ended"], true, "{whole}");
    }
    assert_eq!(service.stop().code, Some(0));
}

#[test]
fn other_codecs_than_old_players_know_are_refused() {
    let site = Site::new();
    let text = pipeline(1).replace("name = \"90p\", ", "name = \"90p\", codec = \"h265\",");
    let h265 = "[video.h265]\nencoders = [\"x265enc\"]\npreset = \"ultrafast\"\n\n[audio]";
    let text = text.replace("[audio]", h265);
    site.write("old.toml", text);
    let ran = site.ingest(&masters::H264_25.path(), "film", "old.toml");
    assert_eq!(ran.code, Some(1), "{ran}");
    assert!(
        ran.stdout.contains("MPEG-TS carries H.264 here, and rung `90p` is coded otherwise"),
        "{ran}"
    );
}
