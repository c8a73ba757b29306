//! Subtitles of a master come out as WebVTT at the times of the picture.

use std::fs;

use crate::masters::{self, Master};
use crate::run::Site;

/// `00:00:58.000 --> 00:01:02.250` and the text below it.
fn cues(file: &str) -> Vec<(f64, f64, String)> {
    let clock = |text: &str| {
        let fields: Vec<f64> = text.trim().split(':').map(|f| f.parse().unwrap()).collect();
        fields.iter().fold(0.0, |sum, field| sum * 60.0 + field)
    };
    let blocks = file.split("\n\n").filter(|block| block.contains("-->"));
    let cues = blocks.map(|block| {
        let (times, text) = block.trim().split_once('\n').unwrap();
        let (from, to) = times.split_once("-->").unwrap();
        (clock(from), clock(to), text.to_owned())
    });
    cues.collect()
}

fn check(master: &Master, name: &str, first: &str) -> (String, String) {
    let site = Site::new();
    site.publish(&master.path(), "film", &site.quick(3));
    let package = site.package("film");
    let file = |path: &str| fs::read_to_string(package.join(name).join(path)).unwrap();
    let whole = cues(&file("whole.vtt"));
    assert_eq!(whole.len(), masters::WORDS.len(), "{whole:?}");
    for ((from, to, text), (wanted_from, wanted_to, _)) in whole.iter().zip(masters::WORDS) {
        let apart = (from - wanted_from).abs().max((to - wanted_to).abs());
        assert!(apart < 0.002, "{text}: {from} to {to}");
    }
    assert_eq!(whole[0].2, first);
    assert_eq!(whole[1].2, "Across\nlines");
    let playlist = file("media.m3u8");
    let lengths: Vec<f64> = playlist
        .lines()
        .filter_map(|line| line.strip_prefix("#EXTINF:")?.trim_end_matches(',').parse().ok())
        .collect();
    assert_eq!(lengths, [60.0, 5.0], "{playlist}");
    assert!(playlist.contains("#EXT-X-TARGETDURATION:60"), "{playlist}");
    let [one, two] = ["seg-00001.vtt", "seg-00002.vtt"].map(|name| cues(&file(name)));
    assert_eq!((&one[..], &two[..]), (&whole[..2], &whole[1..]), "one is in both");
    let manifest = |name: &str| fs::read_to_string(package.join(name)).unwrap();
    (manifest("index.m3u8"), manifest("manifest.mpd"))
}

#[test]
fn of_a_matroska_file() {
    let (hls, mpd) = check(&masters::WORDS_MKV, "text-en-sdh", "<i>One</i> &amp; two");
    let line = hls.lines().find(|line| line.contains("TYPE=SUBTITLES")).unwrap();
    for part in ["LANGUAGE=\"en\"", "DEFAULT=YES", "AUTOSELECT=YES", "describes-music-and-sound"] {
        assert!(line.contains(part), "{part}: {line}");
    }
    let variants = hls.lines().filter(|line| line.starts_with("#EXT-X-STREAM-INF"));
    assert!(variants.into_iter().all(|line| line.contains("SUBTITLES=\"text\"")), "{hls}");
    assert!(mpd.contains("mimeType=\"text/vtt\""), "{mpd}");
    assert!(mpd.contains("<BaseURL>text-en-sdh/whole.vtt</BaseURL>"), "{mpd}");
}

#[test]
fn of_an_mp4() {
    let (hls, _) = check(&masters::WORDS_MP4, "text-1", "One &amp; two");
    assert!(hls.contains("NAME=\"Subtitles 1\""), "{hls}");
}

/// They are proven and healed like everything else.
#[test]
fn lost_subtitles_are_made_again() {
    let site = Site::new();
    site.publish(&masters::WORDS_MKV.path(), "film", &site.quick(3));
    let lost = site.package("film").join("text-en-sdh/seg-00001.vtt");
    let before = fs::read(&lost).unwrap();
    fs::remove_file(&lost).unwrap();
    let healed = site.run(["heal", "film"]);
    assert_eq!(healed.code, Some(0), "{healed}");
    assert_eq!(fs::read(&lost).unwrap(), before);
    fs::write(&lost, "WEBVTT\n").unwrap();
    let verified = site.run(["verify", "film"]);
    assert_ne!(verified.code, Some(0), "{verified}");
}
