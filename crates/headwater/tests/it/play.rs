//! A published title plays in the players that people use, whole and with seeks, from `headwater up`'s own server.

use std::fs;

use serde_json::Value;

use crate::masters;
use crate::run::{Ran, Site, program, repository};
use crate::service::Service;

fn check(manifest: &str, players: &[&str]) {
    let folder = repository().join("testdata/players");
    assert!(
        folder.join("node_modules").is_dir(),
        "the players are not installed\nhint: run `npm ci` in {}",
        folder.display()
    );
    let site = Site::new();
    let service = Service::start(&site, "vod-h264");
    fs::copy(masters::LARGER.path(), service.drop_folder().join("film.mp4")).unwrap();
    let film = service.settled("film");
    assert_eq!(film["state"], "published", "{film}");
    let url = format!("http://{}/media/main/film/{manifest}", service.address);
    for player in players {
        let whole = play(player, &url, &["--rate", "2"]);
        assert_eq!(whole["ended"], true, "{whole}");
        play(player, &url, &["--seek", "11", "--seek", "2.5", "--seconds", "1"]);
    }
    assert_eq!(service.stop().code, Some(0));
}

/// Plays, and gives what a viewer would have noticed: `play.mjs` fails for errors, gaps, stalls and missed seeks.
pub(crate) fn play(player: &str, url: &str, how: &[&str]) -> Value {
    let mut command = program("node");
    command
        .arg(repository().join("testdata/players/play.mjs"))
        .args(["--player", player, "--url", url])
        .args(how);
    let ran = Ran::of(&mut command);
    assert_eq!(ran.code, Some(0), "{player} {how:?}: {ran}");
    ran.last_line()
}

#[test]
fn hls() {
    check("index.m3u8", &["hls.js", "shaka"]);
}

#[test]
fn dash() {
    check("manifest.mpd", &["dash.js", "shaka"]);
}

/// The same texts at the same times, wherever a player has them from: segments in HLS, one file in DASH.
#[test]
fn subtitles_show_at_their_times() {
    let site = Site::new();
    let service = Service::start(&site, "vod-h264");
    fs::copy(masters::WORDS_MKV.path(), service.drop_folder().join("film.mkv")).unwrap();
    let film = service.settled("film");
    assert_eq!(film["state"], "published", "{film}");
    for (player, manifest) in [
        ("hls.js", "index.m3u8"),
        ("shaka", "index.m3u8"),
        ("dash.js", "manifest.mpd"),
        ("shaka", "manifest.mpd"),
    ] {
        let url = format!("http://{}/media/main/film/{manifest}", service.address);
        subtitles(player, &url, &[], 0.002);
    }
    assert_eq!(service.stop().code, Some(0));
}

/// Plays the subtitles of [`masters::WORDS`], and fails unless each shows at its time, or so many seconds later at most.
pub(crate) fn subtitles(player: &str, url: &str, how: &[&str], late: f64) {
    let how = [&["--text", "0", "--seek", "57", "--seconds", "6"], how].concat();
    let seen = play(player, url, &how);
    let cues = seen["cues"].as_array().unwrap();
    for (from, to, text) in masters::WORDS {
        let is_it = |cue: &&Value| {
            let near =
                |key: &str, at: f64| (-0.002..late).contains(&(cue[key].as_f64().unwrap() - at));
            near("from", from) && near("to", to) && cue["text"].as_str().unwrap().contains(text)
        };
        assert!(cues.iter().any(|cue| is_it(&cue)), "{player}, {url}: {text} in {seen}");
    }
}

/// A radio play in two languages.
#[test]
fn sound_without_a_picture() {
    let site = Site::new();
    let service = Service::start(&site, "vod-h264");
    fs::copy(masters::RADIO_PLAY.path(), service.drop_folder().join("play.mka")).unwrap();
    let film = service.settled("play");
    assert_eq!(film["state"], "published", "{film}");
    for (player, manifest) in [
        ("hls.js", "index.m3u8"),
        ("shaka", "index.m3u8"),
        ("dash.js", "manifest.mpd"),
        ("shaka", "manifest.mpd"),
    ] {
        let url = format!("http://{}/media/main/play/{manifest}", service.address);
        let whole = play(player, &url, &["--sound-only", "--rate", "2"]);
        assert_eq!(whole["ended"], true, "{whole}");
    }
    assert_eq!(service.stop().code, Some(0));
}

/// The default pipeline with all that it can have, as its name.
fn with_pictures(site: &Site) -> String {
    let text = fs::read_to_string(repository().join("pipelines/vod-h264.toml")).unwrap();
    let all = text.replace("trick = false", "trick = true");
    let all = all.replace("pictures = false", "pictures = true");
    assert_eq!(text.len() - 2, all.len(), "both are there");
    site.write("seen.toml", all);
    "seen".to_owned()
}

/// Shaka shows the pictures of segments while it runs ahead.
#[test]
fn fast_forward() {
    let site = Site::new();
    let service = Service::start(&site, &with_pictures(&site));
    fs::copy(masters::WORDS_MKV.path(), service.drop_folder().join("film.mkv")).unwrap();
    let film = service.settled("film");
    assert_eq!(film["state"], "published", "{film}");
    for manifest in ["index.m3u8", "manifest.mpd"] {
        let url = format!("http://{}/media/main/film/{manifest}", service.address);
        let seen = play("shaka", &url, &["--fast-forward", "--seconds", "20"]);
        let pictures = seen["pictures"].as_array().unwrap();
        assert!(
            pictures.iter().any(|p| p.as_str().unwrap().ends_with(".m4s")),
            "{manifest}: {seen}"
        );
    }
    assert_eq!(service.stop().code, Some(0));
}

/// Who asks for another language hears it, and nothing stops.
#[test]
fn languages_switch() {
    let site = Site::new();
    let service = Service::start(&site, "vod-h264");
    fs::copy(masters::LANGUAGES.path(), service.drop_folder().join("film.mkv")).unwrap();
    let film = service.settled("film");
    assert_eq!(film["state"], "published", "{film}");
    for (player, manifest) in [
        ("hls.js", "index.m3u8"),
        ("shaka", "index.m3u8"),
        ("dash.js", "manifest.mpd"),
        ("shaka", "manifest.mpd"),
    ] {
        let url = format!("http://{}/media/main/film/{manifest}", service.address);
        let whole = play(player, &url, &["--hear", "de", "--seconds", "12"]);
        let heard = whole["heard"].as_array().unwrap();
        let of = |name: &str| {
            let of_it = |address: &&Value| address.as_str().unwrap().contains(name);
            heard.iter().filter(of_it).any(|address| address.as_str().unwrap().ends_with(".m4s"))
        };
        assert!(of("/audio-de/"), "{player}, {manifest}: {whole}");
    }
    assert_eq!(service.stop().code, Some(0));
}

/// The small picture for a time is that of its segment.
#[test]
fn thumbnails() {
    let site = Site::new();
    let service = Service::start(&site, &with_pictures(&site));
    fs::copy(masters::WORDS_MKV.path(), service.drop_folder().join("film.mkv")).unwrap();
    let film = service.settled("film");
    assert_eq!(film["state"], "published", "{film}");
    for manifest in ["index.m3u8", "manifest.mpd"] {
        let url = format!("http://{}/media/main/film/{manifest}", service.address);
        let seen = play("shaka", &url, &["--thumbnail", "40", "--seconds", "2"]);
        let found = &seen["thumbnail"];
        let address = found["address"].as_str().unwrap_or_default();
        assert!(address.ends_with("/pictures/sheet-00001.jpg"), "{manifest}: {seen}");
        // The seventh of 6 s each: second row, second column of five.
        let (width, height) = (found["width"].as_f64().unwrap(), found["height"].as_f64().unwrap());
        assert_eq!(found["x"].as_f64().unwrap(), width, "{manifest}: {found}");
        assert_eq!(found["y"].as_f64().unwrap(), height, "{manifest}: {found}");
    }
    assert_eq!(service.stop().code, Some(0));
}
