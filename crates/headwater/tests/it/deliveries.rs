//! Several files that belong together: picture, sound in other languages, a channel in each file, subtitles.

use std::fs;
use std::path::Path;

use crate::masters;
use crate::package;
use crate::run::{Site, program, quick_pipeline, tool, wait_until};
use crate::service::Service;

/// A sound of its own: a tone of this pitch.
fn tone(file: &Path, hertz: u32, seconds: u32) {
    let mut ffmpeg = program("ffmpeg");
    let graph = format!("sine=f={hertz}:r=48000:d={seconds}");
    ffmpeg.args(["-nostdin", "-v", "error", "-y", "-f", "lavfi", "-i", &graph]);
    tool(ffmpeg.args(["-c:a", "pcm_s16le"]).arg(file));
}

const SUBRIP: &str =
    "1\n01:00:01,000 --> 01:00:03,500\nHello\n\n2\n01:00:09,000 --> 01:00:11,000\nAgain\n";

const MANIFEST: &str = r#"
version = 1
title = "the-film"

[video]
file = "picture.mp4"

[[audio]]
language = "en"

[[audio]]
file = "de.wav"
language = "de"
name = "Deutsch"

[[audio]]
files = ["left.wav", "right.wav"]
channels = "2.0"
language = "fr"

[[text]]
file = "film.srt"
language = "en"
purpose = "hard-of-hearing"
starts_at_ms = 3600000
"#;

fn lay_out(folder: &Path) {
    fs::create_dir_all(folder).unwrap();
    fs::copy(masters::H264_25.path(), folder.join("picture.mp4")).unwrap();
    tone(&folder.join("de.wav"), 300, 16);
    tone(&folder.join("left.wav"), 500, 16);
    tone(&folder.join("right.wav"), 700, 16);
    fs::write(folder.join("film.srt"), SUBRIP).unwrap();
    fs::write(folder.join("film.delivery.toml"), MANIFEST).unwrap();
}

/// Pitches of all tones, in Hz.
const PITCHES: [u32; 5] = [300, 440, 500, 700, 900];

/// Which of them a channel of a file has in its second second: it is ten times as strong as any other.
fn pitch(file: &Path, channel: usize) -> u32 {
    let how = ["-vn", "-ss", "1", "-t", "1", "-c:a", "pcm_s16le", "-ac", "2"];
    let bytes = package::decode(file, &how, "s16le");
    let samples = bytes.chunks_exact(2).map(|b| i16::from_le_bytes([b[0], b[1]]));
    let own: Vec<f64> = samples.skip(channel).step_by(2).map(f64::from).collect();
    let strength = |hertz: u32| {
        let turn = std::f64::consts::TAU * f64::from(hertz) / 48_000.0;
        let (mut real, mut imaginary) = (0.0, 0.0);
        for (n, sample) in own.iter().enumerate() {
            let (sine, cosine) = (turn * n as f64).sin_cos();
            real += sample * cosine;
            imaginary += sample * sine;
        }
        real.hypot(imaginary)
    };
    let mut heard = PITCHES.map(|hertz| (strength(hertz), hertz));
    heard.sort_by(|a, b| b.0.total_cmp(&a.0));
    assert!(heard[0].0 > 10.0 * heard[1].0, "{}: {heard:?}", file.display());
    heard[0].1
}

fn check(site: &Site, title: &str) {
    let scratch = site.path("renditions");
    fs::create_dir(&scratch).unwrap();
    let renditions = package::renditions(&site.package(title), &scratch);
    for (name, left, right) in
        [("audio-en", 440, 440), ("audio-de", 300, 300), ("audio-fr", 500, 700)]
    {
        let own = renditions.iter().find(|r| r.name == name).unwrap();
        for (channel, wanted) in [(0, left), (1, right)] {
            let found = pitch(&own.file, channel);
            assert_eq!(found, wanted, "{name}");
        }
    }
    let text = site.package(title).join("text-en-sdh/whole.vtt");
    let text = fs::read_to_string(text).unwrap();
    assert!(text.contains("00:00:01.000 --> 00:00:03.500\nHello"), "{text}");
    let playlist = fs::read_to_string(site.package(title).join("index.m3u8")).unwrap();
    assert!(playlist.contains("NAME=\"Deutsch\""), "{playlist}");
}

#[test]
fn files_of_a_manifest_are_one_title() {
    let site = Site::new();
    let folder = site.path("delivery");
    lay_out(&folder);
    let manifest = folder.join("film.delivery.toml");
    let ran = site.run([
        "--json",
        "ingest",
        "--wait",
        "--pipeline",
        &site.quick(2),
        manifest.to_str().unwrap(),
    ]);
    let verdict = ran.last_line();
    assert_eq!(
        (&verdict["title"], &verdict["state"]),
        (&"the-film".into(), &"published".into()),
        "{ran}"
    );
    check(&site, "the-film");
    // What is lost is made again from the same files, though the manifest says something else meanwhile.
    fs::write(&manifest, "version = 1\n[video]\nfile = \"other.mp4\"\n").unwrap();
    let lost = site.package("the-film").join("audio-fr/seg-00002.m4s");
    let before = fs::read(&lost).unwrap();
    fs::remove_file(&lost).unwrap();
    let healed = site.run(["heal", "the-film"]);
    assert_eq!(healed.code, Some(0), "{healed}");
    assert_eq!(fs::read(&lost).unwrap(), before);
}

/// A folder in the drop folder: nothing happens before all of it is there.
#[test]
fn a_folder_arrives_when_its_manifest_is_fulfilled() {
    let site = Site::new();
    let service = Service::start(&site, "vod-h264");
    let folder = service.drop_folder().join("some film");
    lay_out(&folder);
    let film = service.settled("the-film");
    assert_eq!(film["state"], "published", "{film}");
    assert_eq!(service.stop().code, Some(0));
    check(&site, "the-film");
}

/// A folder without a manifest: its files are what their names say, once its marker is there.
#[test]
fn names_say_what_files_are_once_a_marker_is_there() {
    let site = Site::new();
    let service = Service::start(&site, site.quick(2).trim_end_matches(".toml"));
    // Where it is not seen before all of it is there.
    let scratch = site.path("scratch");
    lay_out(&scratch);
    let folder = service.drop_folder().join("the-film");
    fs::create_dir_all(&folder).unwrap();
    for (from, to) in [
        ("picture.mp4", "film.mp4"),
        ("de.wav", "film.de.wav"),
        ("left.wav", "film.fr.L.wav"),
        ("right.wav", "film.fr.R.wav"),
    ] {
        fs::rename(scratch.join(from), folder.join(to)).unwrap();
    }
    let from_zero = SUBRIP.replace("01:00:", "00:00:");
    fs::write(folder.join("film.en.sdh.srt"), from_zero).unwrap();
    fs::write(folder.join(".complete"), "").unwrap();
    let film = service.settled("the-film");
    assert_eq!(film["state"], "published", "{film}");
    assert_eq!(service.stop().code, Some(0));
    let package = site.package("the-film");
    let there = |name: &str| package.join(name).exists();
    for name in ["audio-de", "audio-fr", "text-en-sdh/whole.vtt"] {
        assert!(there(name), "{name}");
    }
    let playlist = fs::read_to_string(package.join("index.m3u8")).unwrap();
    let sounds = playlist.matches("TYPE=AUDIO").count();
    assert_eq!(sounds, 3, "the picture's own sound is there too: {playlist}");
}

#[test]
fn a_wrong_checksum_is_refused() {
    let site = Site::new();
    let folder = site.path("delivery");
    lay_out(&folder);
    let zeros = "00000000000000000000000000000000";
    let manifest = folder.join("film.delivery.toml");
    let refused = |text: &str, words: &str| {
        fs::write(&manifest, text).unwrap();
        let ran = site.ingest(&manifest, "film", &site.quick(2));
        let verdict = ran.last_line();
        assert_eq!(
            (&verdict["state"], &verdict["code"]),
            (&"rejected".into(), &"checksum-mismatch".into()),
            "{ran}"
        );
        let message = verdict["message"].as_str().unwrap();
        assert!(message.contains(words), "{message}");
    };
    refused(&format!("{MANIFEST}\n[md5]\n\"left.wav\" = \"{zeros}\"\n"), "the manifest says");
    let sum = |file: &str, tool_name: &str| {
        let mut sum = program(tool_name);
        let path = folder.join(file);
        let out = tool(sum.arg(&path));
        String::from_utf8(out.stdout).unwrap()
    };
    // Right ones of all kinds disturb nobody, and a wrong one beside them is found.
    let md5 = sum("left.wav", "md5sum");
    let digits = md5.split_whitespace().next().unwrap();
    let right = format!("{MANIFEST}\n[md5]\n\"left.wav\" = \"{digits}\"\n");
    fs::write(folder.join("picture.mp4.sha256"), sum("picture.mp4", "sha256sum")).unwrap();
    let beside = folder.join("film.srt.md5");
    fs::write(&beside, zeros).unwrap();
    refused(&right, "`film.srt.md5` says");
    fs::write(&beside, sum("film.srt", "md5sum")).unwrap();
    let ran = site.ingest(&manifest, "film", &site.quick(2));
    assert_eq!(ran.last_line()["state"], "published", "{ran}");
}

/// A checksum beside a master counts, and is no title of its own.
#[test]
fn a_checksum_beside_a_master() {
    let site = Site::new();
    let service = Service::start(&site, site.quick(2).trim_end_matches(".toml"));
    let sum = service.drop_folder().join("film.mp4.md5");
    fs::write(&sum, "00000000000000000000000000000000  film.mp4\n").unwrap();
    fs::copy(masters::H264_25.path(), service.drop_folder().join("film.mp4")).unwrap();
    let film = service.settled("film");
    assert_eq!(film["code"], "checksum-mismatch", "{film}");
    // The supplier sends the right one.
    let mut md5sum = program("md5sum");
    let right = tool(md5sum.arg(service.drop_folder().join("film.mp4"))).stdout;
    fs::write(&sum, right).unwrap();
    wait_until("it is published", || site.status("film")["state"] == "published");
    assert_eq!(service.stop().code, Some(0));
    let titles = site.run(["--json", "status"]);
    assert_eq!(titles.stdout.lines().count(), 1, "{titles}");
}

#[test]
fn what_a_manifest_names_has_to_be_there() {
    let site = Site::new();
    let folder = site.path("delivery");
    lay_out(&folder);
    let manifest = folder.join("film.delivery.toml");
    for (from, to, words) in [
        ("\"film.srt\"", "\"none.srt\"", "none.srt"),
        ("\"film.srt\"", "\"de.wav\"", "neither SubRip nor WebVTT nor TTML"),
        ("language = \"en\"\n\n[[audio]]", "tracks = [2]\n\n[[audio]]", "1 audio tracks"),
        ("version = 1", "version = 2", "version 2 is not known"),
    ] {
        fs::write(&manifest, MANIFEST.replacen(from, to, 1)).unwrap();
        let ran = site.ingest(&manifest, "film", &site.quick(2));
        assert_eq!(ran.code, Some(1), "{ran}");
        let message = ran.last_line()["message"].as_str().unwrap().to_owned();
        assert!(message.contains(words), "{words}: {message}");
    }
}

/// Subtitles that come a day later are a new version, whose pictures and sound are those that viewers have.
#[test]
fn what_arrives_later_is_all_that_is_made() {
    let site = Site::new();
    let folder = site.path("delivery");
    lay_out(&folder);
    let manifest = folder.join("film.delivery.toml");
    let (before, text) = MANIFEST.split_once("[[text]]").unwrap();
    fs::write(&manifest, before).unwrap();
    let pipeline = site.quick(2);
    site.publish(&manifest, "film", &pipeline);
    fs::write(&manifest, format!("{before}[[text]]{text}")).unwrap();
    let verdict = site.publish(&manifest, "film", &pipeline);
    assert_eq!(verdict["version"], 2, "{verdict}");
    let second = site.title("film").join("v2");
    let there = |name: &str| second.join(name).exists();
    assert!(there("text-en-sdh/whole.vtt"), "the new part");
    for kept in ["video-180p", "video-90p", "audio-en", "audio-de", "audio-fr"] {
        assert!(!there(kept), "{kept} is where it was");
    }
    let playlist = fs::read_to_string(site.title("film").join("index.m3u8")).unwrap();
    for part in ["v1/video-180p/media.m3u8", "v1/audio-de/media.m3u8", "v2/text-en-sdh/media.m3u8"]
    {
        assert!(playlist.contains(part), "{part}: {playlist}");
    }
    assert_eq!(site.run(["verify", "film"]).code, Some(0));
    assert!(
        !site.history("film").iter().any(|line| line.starts_with("span") && line.contains("v2"))
    );
}

/// What its makers want to be seen is seen, unchanged.
#[test]
fn a_poster_of_its_own_is_shown() {
    let site = Site::new();
    let folder = site.path("delivery");
    lay_out(&folder);
    let poster = folder.join("poster.jpg");
    let mut ffmpeg = program("ffmpeg");
    ffmpeg.args(["-nostdin", "-v", "error", "-y", "-f", "lavfi", "-i", "color=red:s=200x300:d=1"]);
    tool(ffmpeg.args(["-frames:v", "1"]).arg(&poster));
    let manifest = folder.join("film.delivery.toml");
    let with = |file: &str| {
        fs::write(&manifest, format!("{MANIFEST}\n[poster]\nfile = \"{file}\"\n")).unwrap();
        site.ingest(&manifest, "film", "pictures.toml")
    };
    let text = quick_pipeline(2).replace("gop_seconds = 1", "gop_seconds = 1\npictures = true");
    site.write("pictures.toml", text);
    let refused = with("film.srt").last_line();
    let why = "the poster `film.srt` is no JPEG: have it saved as one";
    assert_eq!(refused["message"], why, "{refused}");
    let made = with("poster.jpg");
    assert_eq!(made.last_line()["state"], "published", "{made}");
    let shown = fs::read(site.package("film").join("pictures/poster.jpg")).unwrap();
    assert_eq!(shown, fs::read(&poster).unwrap());
}
