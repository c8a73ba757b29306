//! What people and scripts read: every answer of the command line, with its exit code.

use std::collections::BTreeSet;

use expect_test::{Expect, expect};
use serde_json::Value;

use crate::masters;
use crate::run::{Ran, Site, repository};

/// What a command prints and how it ends, with this test's folder called `SITE`.
fn check<const N: usize>(site: &Site, arguments: [&str; N], expected: Expect) {
    let ran = Ran::of(site.command(arguments).env("COLUMNS", "100"));
    let folder = site.path("");
    let folder = folder.to_str().unwrap().trim_end_matches('/');
    let code = ran.code.map_or("a signal".to_owned(), |code| code.to_string());
    let text = format!("exit code {code}\n--- stdout\n{}--- stderr\n{}", ran.stdout, ran.stderr);
    expected.assert_eq(&text.replace(folder, "SITE"));
}

#[test]
fn help() {
    check(&Site::new(), ["--help"], expect![[]]);
}

#[test]
fn help_of_ingest() {
    check(&Site::new(), ["ingest", "--help"], expect![[]]);
}

#[test]
fn an_unknown_command_is_a_usage_error() {
    check(&Site::new(), ["ingets", "film.mp4"], expect![[]]);
}

#[test]
fn a_title_that_is_no_name_is_a_usage_error() {
    check(&Site::new(), ["status", "Big Film"], expect![[]]);
}

#[test]
fn an_unknown_key_in_the_configuration() {
    let site = Site::new();
    site.write("headwater.toml", "[watch]\nfoldr = \"incoming\"\n");
    check(&site, ["status"], expect![[]]);
}

#[test]
fn an_unknown_variable_in_the_environment() {
    let site = Site::new();
    let ran = Ran::of(site.command(["status"]).env("HEADWATER_HTTP_LISTN", "127.0.0.1:8081"));
    assert_eq!(ran.code, Some(2), "{ran}");
    assert!(ran.stderr.contains("did you mean `HEADWATER_HTTP_LISTEN`?"), "{ran}");
}

#[test]
fn a_configuration_file_that_is_not_there() {
    check(&Site::new(), ["--config", "nowhere.toml", "status"], expect![[]]);
}

#[test]
fn a_good_pipeline_file() {
    let site = Site::new();
    site.quick(2);
    check(&site, ["pipelines", "check", "quick-2.toml"], expect![[]]);
}

#[test]
fn a_bad_pipeline_file() {
    let site = Site::new();
    let text = crate::run::quick_pipeline(2).replace("segment_seconds = 5", "segment_seconds = 12");
    site.write("bad.toml", text.replace("preset =", "presset ="));
    check(&site, ["pipelines", "check", "bad.toml"], expect![[]]);
}

#[test]
fn shipped_pipelines() {
    check(&Site::new(), ["pipelines", "list"], expect![[]]);
}

#[test]
fn probing_a_master() {
    let site = Site::new();
    std::fs::copy(repository().join("testdata/sources/bigbuckbunny.mp4"), site.path("film.mp4"))
        .unwrap();
    check(&site, ["probe", "film.mp4"], expect![[]]);
    check(&site, ["--json", "probe", "film.mp4"], expect![[]]);
}

#[test]
fn status_of_nothing() {
    let site = Site::new();
    check(&site, ["status"], expect![[]]);
    check(&site, ["status", "film"], expect![[]]);
    check(&site, ["verify", "film"], expect![[]]);
}

#[test]
fn ingest_without_waiting_queues() {
    let site = Site::new();
    std::fs::copy(masters::SILENT.path(), site.path("Big Film (2026).mp4")).unwrap();
    check(&site, ["ingest", "Big Film (2026).mp4"], expect![[]]);
    check(&site, ["status"], expect![[]]);
}

#[test]
fn an_unknown_pipeline() {
    let site = Site::new();
    site.write("film.mp4", "anything");
    check(&site, ["ingest", "film.mp4", "--pipeline", "vod-h265"], expect![[]]);
}

#[test]
fn the_last_line_of_ingest_has_the_documented_fields() {
    let site = Site::new();
    let fields =
        |verdict: &Value| verdict.as_object().unwrap().keys().cloned().collect::<BTreeSet<_>>();
    let set = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<BTreeSet<_>>();
    let whether_published = ["title", "state", "version", "spans", "frames", "seconds"];

    let published = site.publish(&masters::SILENT.path(), "film", &site.quick(2));
    assert_eq!(
        fields(&published),
        set(&[&whether_published[..], &["hls", "mpd"]].concat()),
        "{published}"
    );
    let hls = site.title("film").join("index.m3u8");
    assert_eq!(published["hls"], hls.to_str().unwrap());
    assert_eq!(published["mpd"], hls.with_file_name("manifest.mpd").to_str().unwrap());
    assert_eq!(
        (&published["version"], &published["spans"], &published["frames"]),
        (&1.into(), &2.into(), &400.into())
    );
    assert_eq!(published["seconds"], 16.0);

    let rejected = site.ingest(&site.write("empty.mp4", ""), "nothing", "vod-h264").last_line();
    assert_eq!(
        fields(&rejected),
        set(&[&whether_published[..], &["code", "message"]].concat()),
        "{rejected}"
    );
    let missing = site.ingest(&site.path("nowhere.mp4"), "nothing", "vod-h264").last_line();
    assert_eq!(
        fields(&missing),
        set(&["title", "state", "code", "message", "spans", "frames", "seconds"]),
        "{missing}"
    );
}
