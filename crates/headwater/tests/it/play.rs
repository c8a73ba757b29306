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
fn play(player: &str, url: &str, how: &[&str]) -> Value {
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
