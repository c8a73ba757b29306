//! Titles on S3, alone and beside a folder: proven on each, put right from each other and from the master, and found
//! again when the catalog is lost.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use headwater_lying_origin::{EdgeLie, LyingEdge, LyingOrigin, Manners};
use serde_json::Value;
use tokio::runtime::Runtime;

use crate::masters;
use crate::run::{Ran, Site};

/// An S3 server that runs as long as this lives.
pub(crate) struct Server {
    _runtime: Runtime,
    pub(crate) origin: LyingOrigin,
}

impl Server {
    pub(crate) fn start() -> Self {
        let runtime = Runtime::new().unwrap();
        let origin = runtime.block_on(LyingOrigin::start(Manners::default())).unwrap();
        Self { _runtime: runtime, origin }
    }

    /// Variables that make it the origin `lab`.
    fn variables(&self) -> Vec<(String, String)> {
        self.variables_of("LAB")
    }

    /// Variables that make it an origin of this name, in capitals.
    pub(crate) fn variables_of(&self, name: &str) -> Vec<(String, String)> {
        let Manners { bucket, region, .. } = self.origin.manners();
        [
            ("KIND", "s3"),
            ("ENDPOINT", &self.origin.endpoint()),
            ("BUCKET", bucket),
            ("REGION", region),
            ("PREFIX", "packages"),
            ("ACCESS_KEY_ID", LyingOrigin::ACCESS_KEY),
            ("SECRET_ACCESS_KEY", LyingOrigin::SECRET_KEY),
        ]
        .map(|(key, value)| (format!("HEADWATER_ORIGINS_{name}_{key}"), value.to_owned()))
        .to_vec()
    }

    /// What it holds: path below the tenant, and bytes.
    fn holds(&self) -> Vec<(String, Vec<u8>)> {
        let keys = self.origin.keys().into_iter();
        let below = |key: String| Some(key.strip_prefix("packages/main/")?.to_owned());
        let read = |path: String| {
            let body = self.origin.object(&format!("packages/main/{path}")).unwrap().to_vec();
            (path, body)
        };
        keys.filter_map(below).map(read).collect()
    }
}

/// Everything below a folder: path and bytes, in the order of keys.
pub(crate) fn holds(root: &Path) -> Vec<(String, Vec<u8>)> {
    fn walk(folder: &Path, root: &Path, found: &mut Vec<(String, Vec<u8>)>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(&path, root, found);
            } else {
                let name = path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
                found.push((name, fs::read(&path).unwrap()));
            }
        }
    }
    let mut found = Vec::new();
    walk(root, root, &mut found);
    found.sort();
    found
}

/// A site with two origins, `basement` in a folder and `lab` on S3.
fn two(server: &Server) -> Site {
    let kind = ("HEADWATER_ORIGINS_BASEMENT_KIND".to_owned(), "directory".to_owned());
    Site::new().with(server.variables().into_iter().chain([kind]))
}

fn basement(site: &Site) -> PathBuf {
    site.path("headwater-data/origins/basement/main")
}

/// The objects that an audit found wrong, with the origin.
fn wrong(ran: &Ran) -> BTreeSet<(String, String)> {
    let lines = ran.stdout.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let findings = lines.filter(|line| line["event"] == "finding").map(|line| {
        let text = |field: &str| line["finding"][field].as_str().unwrap().to_owned();
        (text("origin"), text("object").replacen("main/", "", 1))
    });
    findings.collect()
}

#[test]
fn a_title_on_s3_is_the_same_bytes_as_in_a_folder() {
    let server = Server::start();
    let remote = Site::new().with(server.variables());
    let verdict = remote.publish(&masters::H264_25.path(), "film", &remote.quick(2));
    let address = verdict["hls"].as_str().unwrap();
    assert!(address.ends_with("/media/packages/main/film/index.m3u8"), "{address}");
    let local = Site::new();
    local.publish(&masters::H264_25.path(), "film", &local.quick(2));
    let (there, here) = (server.holds(), holds(&local.path("headwater-data/origin/main")));
    assert_eq!(there.len(), here.len());
    for (there, here) in there.iter().zip(&here) {
        assert!(there == here, "{} and {} differ", there.0, here.0);
    }
    let proof = remote.run(["--json", "verify", "film"]).last_line();
    assert_eq!((&proof["proven"], &proof["origins"][0]["grade"]), (&true.into(), &"A".into()));
    assert!(!remote.path("headwater-data/origin").exists(), "nothing is kept beside it");
}

#[test]
fn two_origins_are_put_right_from_each_other_and_from_the_master() {
    let server = Server::start();
    let site = two(&server);
    site.publish(&masters::H264_25.path(), "film", &site.quick(1));
    let before = server.holds();
    assert_eq!(before, holds(&basement(&site)));

    // Lost here, lost there, and lost in both places.
    let (here, there) = ("film/v1/video-180p/seg-00002.m4s", "film/v1/audio-1/seg-00001.m4s");
    let both = "film/v1/video-90p/seg-00003.m4s";
    let key = |path: &str| format!("packages/main/{path}");
    fs::write(basement(&site).join(here), b"").unwrap();
    assert!(server.origin.alter(&key(there), true, |body| body.slice(..body.len() / 2)));
    fs::remove_file(basement(&site).join(both)).unwrap();
    assert!(server.origin.remove(&key(both)));
    let audit = site.run(["--json", "audit", "--all"]);
    assert_eq!(audit.code, Some(1), "{audit}");
    let of = |origin: &str, path: &str| (origin.to_owned(), path.to_owned());
    let expected = [of("basement", here), of("lab", there), of("basement", both), of("lab", both)];
    assert_eq!(wrong(&audit), BTreeSet::from(expected));

    let planned = site.run(["heal", "film", "--dry-run"]).stdout;
    assert!(planned.contains("would be copied from origin lab"), "{planned}");
    assert!(planned.contains("would be made again from the master: span 3"), "{planned}");
    let healed = site.run(["heal", "--all"]);
    assert_eq!(healed.code, Some(0), "{healed}");
    assert_eq!((server.holds(), holds(&basement(&site))), (before.clone(), before));
    let spans = site.history("film").iter().filter(|text| text.starts_with("span ")).count();
    assert_eq!(spans, 4 + 1, "one of four was made again");
    assert_eq!(site.run(["audit", "--all", "--policy", "read"]).code, Some(0));
    assert_eq!(site.run(["incidents"]).stdout.lines().count(), 1, "none is open");
}

#[test]
fn a_catalog_that_is_lost_is_rebuilt_from_an_origin() {
    let server = Server::start();
    let site = two(&server);
    site.publish(&masters::H264_25.path(), "film", &site.quick(2));
    for entry in fs::read_dir(site.path("headwater-data")).unwrap() {
        let path = entry.unwrap().path();
        if path.file_name().unwrap().to_str().unwrap().starts_with("catalog.db") {
            fs::remove_file(path).unwrap();
        }
    }
    assert!(site.run(["status"]).stderr.contains("there is no catalog in "));
    let rebuilt = site.run(["--json", "catalog", "rebuild", "--origin", "lab"]);
    assert_eq!((rebuilt.code, &rebuilt.last_line()["titles"]), (Some(0), &1.into()), "{rebuilt}");
    assert_eq!(site.status("film")["live"], 1);
    assert_eq!(site.run(["audit", "--all", "--policy", "read"]).code, Some(0));
    assert_eq!(site.run(["verify", "film"]).code, Some(0));
}

/// The folder is looked at and the catalog rebuilt from it, however dead the bucket is.
#[test]
fn a_dead_origin_keeps_nobody_from_the_others() {
    let server = Server::start();
    let site = two(&server);
    site.publish(&masters::H264_25.path(), "film", &site.quick(2));
    drop(server);

    let dead = "origin lab: http://127.0.0.1:";
    let began = Instant::now();
    let proof = site.run(["verify", "film"]);
    assert_eq!(proof.code, Some(1), "{proof}");
    assert!(proof.stderr.contains(dead) && began.elapsed() < Duration::from_secs(15), "{proof}");
    let all = site.run(["audit", "--all"]);
    assert_eq!(all.code, Some(1), "{all}");
    assert!(all.stderr.contains("origin lab was not audited to the end"), "{all}");
    assert!(all.stdout.contains("origin basement (grade C): complete"), "{all}");
    let one = site.run(["audit", "--all", "--origin", "basement"]);
    assert_eq!((one.code, one.stderr.as_str()), (Some(0), ""), "{one}");
    let rebuild = ["catalog", "rebuild", "--origin", "basement", "--data-dir", "new"];
    let folder = basement(&site);
    let folder = folder.parent().unwrap().to_str().unwrap();
    let mut command = site.command(rebuild);
    let rebuilt = Ran::of(command.env("HEADWATER_ORIGINS_BASEMENT_PATH", folder));
    assert_eq!(rebuilt.code, Some(0), "{rebuilt}");
    assert!(rebuilt.stdout.contains("1 title, 1 package,"), "{rebuilt}");
    assert!(!rebuilt.stderr.contains(dead), "nobody asked for it: {rebuilt}");
}

#[test]
fn an_origin_that_cannot_be_used_is_told_before_any_work() {
    let server = Server::start();
    let mut secret = server.variables();
    secret.retain(|(name, _)| !name.ends_with("SECRET_ACCESS_KEY"));
    secret.push(("HEADWATER_ORIGINS_LAB_SECRET_ACCESS_KEY".to_owned(), "hush-hush".to_owned()));
    let mut bucket = server.variables();
    bucket.push(("HEADWATER_ORIGINS_LAB_BUCKET".to_owned(), "no-such-bucket".to_owned()));
    for (variables, says) in [
        (secret, "the secret key does not belong to the access key"),
        (bucket, "there is no bucket `no-such-bucket`"),
    ] {
        let site = Site::new().with(variables);
        let began = Instant::now();
        let ran = site.ingest(&masters::H264_25.path(), "film", &site.quick(2));
        assert!(began.elapsed() < Duration::from_secs(15), "{ran}");
        assert_eq!(ran.code, Some(1), "{ran}");
        assert!(ran.stderr.contains("origin lab: ") && ran.stderr.contains(says), "{ran}");
        assert!(!ran.to_string().contains("hush-hush"), "{ran}");
        assert_eq!(site.run(["origin", "test", "lab"]).code, Some(1));
        assert_eq!(server.origin.keys(), Vec::<String>::new());
    }
}

/// What the SDK logs about it is Rust, and stays away.
#[test]
fn an_origin_without_keys_names_the_variables_that_hold_them() {
    let server = Server::start();
    let mut variables = server.variables();
    variables.retain(|(name, _)| !name.ends_with("ACCESS_KEY_ID") && !name.ends_with("ACCESS_KEY"));
    let site = Site::new().with(variables);
    // This machine may have a role or a profile, and the test must not.
    let profile = site.write("profile", "[default]\nrole_arn = arn\ncredential_source = Nobody\n");
    let mut command = site.command(["origin", "test", "lab"]);
    command.env("AWS_CONFIG_FILE", profile).env_remove("AWS_ACCESS_KEY_ID");
    let ran = Ran::of(&mut command);
    assert_eq!(ran.code, Some(1), "{ran}");
    let lines: Vec<&str> = ran.stderr.lines().collect();
    let keys =
        "set HEADWATER_ORIGINS_LAB_ACCESS_KEY_ID and HEADWATER_ORIGINS_LAB_SECRET_ACCESS_KEY";
    assert_eq!(lines.len(), 2, "{ran}");
    assert!(lines[0].starts_with("error: origin lab: no credentials were found"), "{ran}");
    assert!(lines[1].starts_with(&format!("hint: {keys}, or ")), "{ran}");

    let listed = site.run(["origin", "list"]).stdout;
    assert!(listed.trim_end().ends_with("grade not known yet"), "{listed}");
    assert!(site.run(["--json", "origin", "list"]).last_line().get("grade").is_none());
}

/// A site whose only origin is on S3, behind a CDN that can be purged with a token.
fn behind_a_cdn(server: &Server) -> (LyingEdge, Site) {
    let cdn = LyingEdge::start(&server.origin, 0, Some("purge-token"));
    let cdn = server._runtime.block_on(cdn).unwrap();
    let edge = [
        ("EDGE_URL", format!("{}/packages", cdn.url())),
        ("PURGE_METHOD", "PURGE".to_owned()),
        ("PURGE_TOKEN", "purge-token".to_owned()),
    ];
    let edge = edge.map(|(key, value)| (format!("HEADWATER_ORIGINS_LAB_{key}"), value));
    let verify = ("HEADWATER_PUBLISH_VERIFY".to_owned(), "edge".to_owned());
    let site = Site::new().with(server.variables().into_iter().chain(edge).chain([verify]));
    (cdn, site)
}

#[test]
fn what_a_cdn_gives_is_proven_told_apart_from_its_origin_and_purged() {
    let server = Server::start();
    let (cdn, site) = behind_a_cdn(&server);
    let tested = site.run(["origin", "test", "lab"]);
    assert_eq!(tested.code, Some(0), "{}", tested.stdout);
    assert!(tested.stdout.contains("yes  has forgotten what was purged"), "{}", tested.stdout);
    assert_eq!(server.origin.keys(), Vec::<String>::new(), "nothing is left behind");

    let segment = "packages/main/film/v1/video-180p/seg-00001.m4s";
    cdn.remember(segment, 404, "");
    site.publish(&masters::H264_25.path(), "film", &site.quick(1));
    assert!(cdn.purged().contains(&segment.to_owned()), "learnt too early");
    let proof = site.run(["--json", "verify", "film"]).last_line();
    assert_eq!(proof["origins"][0]["through_edge"], true);
    assert_eq!(proof["proven"], true);

    // Everything has been asked for, so the cache has it.
    server.origin.remove(segment);
    cdn.remember("packages/main/film/v1/audio-1/init.mp4", 403, "");
    let audited = site.run(["audit", "film", "--policy", "edge"]);
    assert_eq!(audited.code, Some(1));
    for told in [
        "seg-00001.m4s` on origin lab is missing, although its edge still gives it",
        "audio-1/init.mp4` on origin lab is there, but its edge answers 403 from its cache",
    ] {
        assert!(audited.stdout.contains(told), "{}", audited.stdout);
    }
    let healed = site.run(["heal", "film"]);
    assert_eq!(healed.code, Some(0), "{}{}", healed.stdout, healed.stderr);
    assert!(healed.stdout.contains("copied from the edge"), "{}", healed.stdout);
    assert!(healed.stdout.contains("purged from the edge"), "{}", healed.stdout);
    assert!(!healed.stdout.contains("purge-token") && !healed.stderr.contains("purge-token"));
    assert_eq!(site.run(["audit", "film", "--policy", "edge"]).code, Some(0));

    cdn.lie("video-180p", EdgeLie::Answers(404));
    let proof = site.run(["verify", "film"]);
    assert!(proof.stdout.contains("its edge answers 404 past its cache"), "{}", proof.stdout);
    // What was wrong on an edge is asked there again, whatever the policy, until it is right.
    let listing = ["verify", "film", "--policy", "listing"];
    assert_eq!(site.run(listing).code, Some(1));
    cdn.be_honest();
    assert_eq!(site.run(listing).code, Some(0));
    assert_eq!(site.run(["incidents", "film"]).stdout.lines().count(), 1, "none is open");
}
