//! Masters in buckets and on web servers: the same packages as from files, of which only what is needed is fetched.

use std::fs;
use std::path::Path;
use std::time::Duration;

use headwater_lying_origin::{LyingOrigin, WebManners, WebServer};
use serde_json::Value;
use tokio::runtime::Runtime;

use crate::masters;
use crate::origins::{Server, holds};
use crate::run::{Ran, Running, Site, wait_until};
use crate::service::Service;

/// A site that reads masters from `in/` of the server's bucket, and tells what it fetches.
fn site(server: &Server) -> Site {
    let more = [
        ("HEADWATER_ORIGINS_INBOX_PREFIX", "in"),
        ("HEADWATER_MASTERS_ORIGINS", "inbox"),
        ("HEADWATER_LOG_FILTER", "headwater=info"),
        ("HEADWATER_LOG_FORMAT", "json"),
    ];
    let more = more.map(|(name, value)| (name.to_owned(), value.to_owned()));
    Site::new().with(server.variables_of("INBOX").into_iter().chain(more))
}

/// What is in the origin of a site.
fn packages(site: &Site) -> Vec<(String, Vec<u8>)> {
    holds(&site.path("headwater-data/origin/main"))
}

/// Fails unless both sites hold the same packages, byte by byte.
fn same(one: &Site, other: &Site) {
    let (one, other) = (packages(one), packages(other));
    assert_eq!(one.len(), other.len());
    for (one, other) in one.iter().zip(&other) {
        assert!(one == other, "{} and {} differ", one.0, other.0);
    }
}

/// Bytes that the tasks of a kind fetched of the master, one after another.
fn fetched(ran: &Ran, kind: &str) -> Vec<u64> {
    let lines = ran.stderr.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let of_kind = lines.filter(|line| {
        let task = line["span"]["kind"].as_str().unwrap_or_default();
        line["fields"]["message"] == "fetched of the master" && task.starts_with(kind)
    });
    of_kind.map(|line| line["fields"]["bytes"].as_u64().unwrap()).collect()
}

#[test]
fn a_title_from_a_bucket_is_the_same_bytes_as_from_a_file_and_spans_fetch_their_part() {
    let server = Server::start();
    let master = fs::read(masters::HEAVY.path()).unwrap();
    let size = master.len() as u64;
    assert!(size > 25_000_000, "{size}");
    server.origin.place("in/Heavy Film.mp4", master);
    let remote = site(&server);
    let pipeline = remote.quick(1);
    let ran = remote.ingest(Path::new("s3://media/in/Heavy Film.mp4"), "heavy", &pipeline);
    assert_eq!(ran.code, Some(0), "{ran}");
    let status = remote.status("heavy");
    assert_eq!(status["master"], "s3://media/in/Heavy Film.mp4");
    let all = server.origin.given();

    let local = Site::new();
    local.publish(&masters::HEAVY.path(), "heavy", &local.quick(1));
    same(&remote, &local);

    let spans = fetched(&ran, "span");
    assert_eq!(spans.len(), 8, "{ran}");
    assert!(!ran.stderr.contains("not wholly confined"), "children get it behind their walls");
    // An eighth of the master each, what the decoder needs before that, and what was fetched ahead in vain.
    assert!(spans.iter().all(|bytes| *bytes < size * 2 / 5), "{spans:?} of {size}");
    let counted: u64 =
        ["prepare", "span", "audio"].map(|it| fetched(&ran, it).iter().sum()).iter().sum();
    assert!(all < counted + size + 1, "{all} bytes, once to hash it, and {counted} for children");
    assert!(!ran.to_string().contains(LyingOrigin::SECRET_KEY), "{ran}");
}

#[test]
fn what_was_made_from_a_bucket_is_healed_made_again_and_archived_from_there() {
    let server = Server::start();
    let master = fs::read(masters::H264_25.path()).unwrap();
    server.origin.place("in/My Film 01.mp4", master.clone());
    let site = site(&server).with(
        [
            ("HEADWATER_ORIGINS_LOCAL_KIND", "directory"),
            ("HEADWATER_ORIGINS_LOCAL_PATH", "packages"),
            ("HEADWATER_ORIGINS_VAULT_KIND", "directory"),
            ("HEADWATER_ORIGINS_VAULT_PATH", "vault"),
            ("HEADWATER_PUBLISH_ARCHIVE", "vault"),
            ("HEADWATER_MASTERS_ORIGINS", "inbox"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into_iter()
        .chain(server.variables_of("INBOX"))
        .filter(|(name, _)| !name.ends_with("_PREFIX")),
    );
    let pipeline = site.quick(1);
    let ran =
        site.run(["ingest", "s3://media/in/My Film 01.mp4", "--wait", "--pipeline", &pipeline]);
    assert_eq!(ran.code, Some(0), "{ran}");
    assert!(ran.stdout.starts_with("my-film-01  v1 published"), "{ran}");
    let status = site.status("my-film-01");
    assert_eq!(status["archive"]["proven"], true, "{status}");
    let kept = holds(&site.path("vault"));
    assert!(kept.len() == 1 && kept[0].1 == master, "the archive has it");

    let segment = site.path("packages/main/my-film-01/v1/video-180p/seg-00002.m4s");
    let before = fs::read(&segment).unwrap();
    fs::remove_file(&segment).unwrap();
    let planned = site.run(["heal", "my-film-01", "--dry-run"]).stdout;
    assert!(planned.contains("made again from the master: "), "{planned}");
    let healed = site.run(["heal", "my-film-01"]);
    assert_eq!(healed.code, Some(0), "{healed}");
    assert_eq!(fs::read(&segment).unwrap(), before, "byte for byte");

    let again = site.run(["retranscode", "my-film-01", "--rendition", "video-90p", "--wait"]);
    assert_eq!(again.code, Some(0), "{again}");
    assert!(again.stdout.contains("v2 published"), "{again}");
}

#[test]
fn a_title_from_a_web_server_is_the_same_bytes_as_from_a_file() {
    let runtime = Runtime::new().unwrap();
    let server = runtime.block_on(WebServer::start()).unwrap();
    server.place("/a/h264-25.mp4", fs::read(masters::H264_25.path()).unwrap());
    // It has to be asked again now and then.
    server.behave(WebManners { refuses: (2, 503), ..WebManners::default() });
    let remote = Site::new();
    let url = server.url("/a/h264-25.mp4");
    remote.publish(Path::new(&url), "film", &remote.quick(2));
    let local = Site::new();
    local.publish(&masters::H264_25.path(), "film", &local.quick(2));
    same(&remote, &local);
    let probed = remote.run(["--json", "probe", &url]);
    assert_eq!(probed.last_line()["frames"], 400, "{probed}");
}

/// A site whose service watches a folder of the server's bucket.
fn watching(server: &Server) -> Site {
    let watched = [
        ("HEADWATER_WATCH_BUCKETS", "s3://media/in/"),
        ("HEADWATER_WATCH_POLL_SECONDS", "1"),
        ("HEADWATER_ORIGINS_INBOX_PREFIX", "in"),
        ("HEADWATER_MASTERS_ORIGINS", "inbox"),
    ];
    let watched = watched.map(|(name, value)| (name.to_owned(), value.to_owned()));
    Site::new().with(server.variables_of("INBOX").into_iter().chain(watched))
}

#[test]
fn objects_in_a_watched_bucket_become_titles() {
    let server = Server::start();
    let film = fs::read(masters::H264_25.path()).unwrap();
    server.origin.place("in/First.mp4", film.clone());
    server.origin.place("in/below/not-this.mp4", film);
    let site = watching(&server);
    let pipeline = site.quick(2);
    let service = Service::start(&site, pipeline.trim_end_matches(".toml"));
    let first = service.settled("first");
    assert_eq!(first["state"], "published", "{first}");
    assert_eq!(first["master"], "s3://media/in/First.mp4");
    server.origin.place("in/second.mp4", "this is no film at all");
    let second = service.settled("second");
    assert_eq!((&second["state"], &second["code"]), (&"rejected".into(), &"not-media".into()));
    // Another one under the same name is another delivery.
    server.origin.place("in/second.mp4", fs::read(masters::SILENT.path()).unwrap());
    wait_until("the new one is taken", || site.status("second")["state"] != "rejected");
    assert_eq!(service.settled("second")["state"], "published");
    let titles = site.run(["--json", "status"]);
    assert_eq!(titles.stdout.lines().count(), 2, "{titles}");
    let ended = service.stop();
    assert_eq!(ended.code, Some(0), "{ended}");
}

/// A manifest in a watched bucket: its files become no titles, and it counts once all of them are there.
#[test]
fn deliveries_in_a_watched_bucket_become_titles() {
    let server = Server::start();
    let site = watching(&server);
    let pipeline = site.quick(2);
    let manifest = "version = 1\n[video]\nfile = \"film.mp4\"\n[[text]]\nfile = \"below/film.srt\"\nlanguage = \"en\"\n";
    server.origin.place("in/film.delivery.toml", manifest);
    server.origin.place("in/film.mp4", fs::read(masters::H264_25.path()).unwrap());
    let service = Service::start(&site, pipeline.trim_end_matches(".toml"));
    std::thread::sleep(Duration::from_secs(3));
    assert_eq!(site.run(["--json", "status"]).stdout.lines().count(), 0, "subtitles are missing");
    let cue = "1\n00:00:01,000 --> 00:00:03,000\nHello\n";
    server.origin.place("in/below/film.srt", cue);
    let film = service.settled("film");
    assert_eq!(film["state"], "published", "{film}");
    assert!(site.package("film").join("text-en/whole.vtt").exists());
    let titles = site.run(["--json", "status"]);
    assert_eq!(titles.stdout.lines().count(), 1, "{titles}");
    assert_eq!(service.stop().code, Some(0));
}

#[test]
fn a_master_that_changes_under_way_is_told_as_such() {
    let runtime = Runtime::new().unwrap();
    let server = runtime.block_on(WebServer::start()).unwrap();
    let master = fs::read(masters::HEAVY.path()).unwrap();
    let size = master.len() as u64;
    server.place("/film.mp4", master.clone());
    let site = Site::new();
    let (url, pipeline) = (server.url("/film.mp4"), site.quick(1));
    let running = Running::start(&mut site.ingest_command(Path::new(&url), "film", &pipeline));
    // Hashed and indexed, and a span has begun.
    wait_until("a span is read", || server.given() > 2 * size + 1_000_000);
    let other: Vec<u8> = master.iter().map(|byte| byte.wrapping_add(1)).collect();
    server.place("/film.mp4", other);
    let ran = running.finish();
    let verdict = ran.last_line();
    assert_eq!((ran.code, &verdict["code"]), (Some(1), &"master-changed".into()), "{ran}");
    assert!(verdict["message"].as_str().unwrap().contains(&url), "{ran}");
}

#[test]
fn a_master_that_is_away_for_longer_than_a_child_may_be_silent_is_waited_for() {
    let runtime = Runtime::new().unwrap();
    let server = runtime.block_on(WebServer::start()).unwrap();
    let master = fs::read(masters::HEAVY.path()).unwrap();
    let size = master.len() as u64;
    server.place("/film.mp4", master);
    let silence = ("HEADWATER_WORKER_TRANSCODER_SILENCE_SECONDS".to_owned(), "3".to_owned());
    let site = Site::new().with([silence]);
    let (url, pipeline) = (server.url("/film.mp4"), site.quick(1));
    let running = Running::start(&mut site.ingest_command(Path::new(&url), "film", &pipeline));
    wait_until("it was hashed and indexed", || server.given() > 2 * size);
    server.behave(WebManners { gives_until: size / 2, ..WebManners::default() });
    let lost = || site.history("film").into_iter().find(|line| line.contains("failed (attempt"));
    wait_until("a child was silent for too long", || lost().is_some());
    server.behave(WebManners::default());
    let ran = running.finish();
    assert_eq!(ran.last_line()["state"], "published", "{ran}");
    let lost = lost().unwrap();
    assert!(lost.contains("origin-unavailable"), "{lost}");
    assert!(lost.contains("has not given what was asked for"), "{lost}");
}

#[test]
fn addresses_that_cannot_be_used_are_refused_at_the_door() {
    let server = Server::start();
    let runtime = Runtime::new().unwrap();
    let web = runtime.block_on(WebServer::start()).unwrap();
    web.place("/film.mp4", "film");
    web.behave(WebManners { ranges: false, ..WebManners::default() });
    let site = site(&server);
    let without_parts = web.url("/film.mp4");
    for (address, code, why) in [
        (
            "s3://media/in/none.mp4",
            "no-such-file",
            "there is no object `s3://media/in/none.mp4`: 404",
        ),
        ("s3://media/out/film.mp4", "unreadable", "no origin with the bucket `media`"),
        ("s3://other/film.mp4", "unreadable", "no origin with the bucket `other`"),
        ("s3://media/in/", "bad-address", "names a folder of a bucket"),
        ("ftp://h.example/film.mp4", "bad-address", "cannot be read by `ftp://`"),
        ("https://me:hunter2@h.example/f.mp4", "bad-address", "a user's name or a password"),
        ("https://h.example/f.mp4?X-Amz-Signature=hunter2", "bad-address", "has a query"),
        (&without_parts, "unreadable", "gives no parts of files"),
    ] {
        let ran = site.run(["--json", "ingest", address, "--title", "film"]);
        let said = ran.last_line();
        assert_eq!((ran.code, &said["code"]), (Some(1), &code.into()), "{ran}");
        assert!(said["message"].as_str().unwrap().contains(why), "{ran}");
        assert!(!ran.to_string().contains("hunter2"), "{ran}");
    }
    assert_eq!(site.run(["--json", "status"]).stdout, "", "nothing was queued");
}
