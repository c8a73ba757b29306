//! What is wrong with a master is found while it is made, told with its times, and judged by its pipeline.

use serde_json::Value;

use crate::masters::{self, Master};
use crate::package;
use crate::roles::Process;
use crate::run::{Site, program, quick_pipeline, repository, tool, wait_until};

/// How far a time may be off, in milliseconds: a frame, and a packet of sound.
const TOLERANCE: i64 = 80;

/// What the master of these tests has: from when, until when.
const FLAWS: [(&str, i64, i64); 3] =
    [("freeze", 1_000, 7_000), ("silence", 3_000, 10_000), ("black", 8_000, 12_000)];

fn flaws(status: &Value) -> Vec<Value> {
    status["flaws"].as_array().cloned().unwrap_or_default()
}

fn check(status: &Value) {
    let found = flaws(status);
    assert_eq!(found.len(), FLAWS.len(), "{status}");
    for (flaw, (kind, from, to)) in found.iter().zip(FLAWS) {
        let near = |key: &str, ms: i64| (flaw[key].as_i64().unwrap() - ms).abs() <= TOLERANCE;
        assert_eq!(flaw["kind"], kind, "{flaw}");
        assert!(near("from_ms", from) && near("to_ms", to), "{flaw}");
    }
}

/// Spans begin at 5, 10 and 15 s: the still picture and the black one go on from one into the next.
#[test]
fn flaws_are_told_whatever_the_span() {
    for spans in [1, 3] {
        let site = Site::new();
        site.publish(&masters::FLAWED.path(), "film", &site.quick(spans));
        let status = site.status("film");
        check(&status);
        let history = site.history("film");
        assert_eq!(history.iter().filter(|line| line.starts_with("found: ")).count(), 3);
        let text = site.run(["status", "film"]).stdout;
        assert!(text.contains("  flaw        the picture is black from 0:00:08.0"), "{text}");
    }
}

/// Measured by ffmpeg.
fn loudness_of(master: &Master) -> f64 {
    let mut ffmpeg = program("ffmpeg");
    ffmpeg.args(["-nostats", "-nostdin", "-i"]).arg(master.path());
    ffmpeg.args(["-af", "ebur128", "-f", "null", "-"]);
    let said = String::from_utf8(tool(&mut ffmpeg).stderr).unwrap();
    let summary = said.split("Integrated loudness:").last().unwrap();
    let line = summary.lines().find(|line| line.trim_start().starts_with("I:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

#[test]
fn loudness_is_what_another_meter_says() {
    let site = Site::new();
    site.publish(&masters::FLAWED.path(), "film", &site.quick(10));
    let status = site.status("film");
    let told = status["loudness"][0]["integrated"].as_f64().unwrap();
    let wanted = loudness_of(&masters::FLAWED);
    assert!((told - wanted).abs() < 0.5, "{told} instead of {wanted}");
}

fn with_rules(site: &Site, name: &str, rules: &str) {
    site.write(name, format!("{}\n[quality]\n{rules}\n", quick_pipeline(2)));
}

#[test]
fn a_master_with_a_flaw_can_be_rejected() {
    let site = Site::new();
    with_rules(&site, "strict.toml", "freeze = 'accept'\nblack = 'reject'");
    let ran = site.ingest(&masters::FLAWED.path(), "film", "strict.toml");
    let verdict = ran.last_line();
    assert_eq!(ran.code, Some(1), "{ran}");
    assert_eq!(
        (&verdict["state"], &verdict["code"]),
        (&"rejected".into(), &"quality-rejected".into())
    );
    assert!(verdict["message"].as_str().unwrap().starts_with("the picture is black"), "{verdict}");
    assert!(!site.title("film").join("index.m3u8").exists(), "nobody can see it");
    // Known before anything is made: sound that goes on for three seconds.
    with_rules(&site, "lengths.toml", "length_mismatch = 'reject'");
    let ran = site.ingest(&masters::LONG_SOUND.path(), "long", "lengths.toml");
    assert_eq!(ran.last_line()["code"], "quality-rejected", "{ran}");
    assert!(!site.history("long").iter().any(|line| line.starts_with("span")), "{ran}");
}

#[test]
fn a_master_with_a_flaw_can_be_held() {
    let site = Site::new();
    with_rules(&site, "careful.toml", "black = 'hold'\nblack_seconds = 2\nsilence = 'accept'");
    let ingest = site.run([
        "ingest",
        masters::FLAWED.path().to_str().unwrap(),
        "--title=film",
        "--pipeline=careful.toml",
    ]);
    assert_eq!(ingest.code, Some(0), "{ingest}");
    let service = Process::start(&site, "service", &["up"]);
    wait_until("it is held", || site.status("film")["held"] == true);
    let status = site.status("film");
    assert_eq!(status["state"], "verifying", "{status}");
    assert_eq!(flaws(&status).len(), 2, "{status}");
    assert!(!site.title("film").join("index.m3u8").exists(), "nobody can see it");
    let released = site.run(["title", "release", "film"]);
    assert_eq!(released.code, Some(0), "{released}");
    wait_until("it is published", || site.status("film")["state"] == "published");
    drop(service);
    let renditions = site.path("renditions");
    std::fs::create_dir(&renditions).unwrap();
    assert_eq!(package::renditions(&site.package("film"), &renditions).len(), 3);
}

/// Film that was made tape is told as such, whatever the spans; the same film at its own rate is not.
#[test]
fn film_that_was_made_tape_is_told() {
    let site = Site::new();
    let make = |name: &str, filter: &str| {
        let file = site.path(name);
        let mut ffmpeg = program("ffmpeg");
        ffmpeg.args(["-nostdin", "-v", "error", "-y", "-stream_loop", "2", "-r", "24000/1001"]);
        ffmpeg.arg("-i").arg(repository().join("testdata/sources/bigbuckbunny.mp4"));
        ffmpeg.args(["-an", "-vf", filter, "-c:v", "mpeg2video", "-b:v", "8M"]);
        ffmpeg.args(["-flags", "+ildct+ilme", "-top", "1"]);
        tool(ffmpeg.arg(&file));
        file
    };
    let tape = make("tape.mpg", "scale=720:480,telecine=first_field=top:pattern=23,setfield=tff");
    let film = make("film.mpg", "scale=720:480");
    for spans in [1, 10] {
        let title = format!("tape-{spans}");
        site.publish(&tape, &title, &site.quick(spans));
        let told = flaws(&site.status(&title));
        let pulldown = told.iter().filter(|flaw| flaw["kind"] == "pulldown").count();
        assert_eq!(pulldown, 1, "{told:?}");
    }
    site.publish(&film, "film", &site.quick(10));
    let told = flaws(&site.status("film"));
    assert!(told.iter().all(|flaw| flaw["kind"] != "pulldown"), "{told:?}");
}
