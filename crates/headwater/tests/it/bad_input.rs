//! Masters that cannot be used, and machines that cannot use them: every one ends with a stable code and one sentence,
//! and is left as it was.

use std::fs::{self, OpenOptions, Permissions};
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::Value;

use crate::masters::{self, find};
use crate::run::{Ran, Running, Site, repository, wait_until};

/// User and group that own nothing, on every Linux.
const NOBODY: u32 = 65_534;

/// What a master that cannot be used looks like.
pub(crate) fn bad_files() -> Vec<(&'static str, Vec<u8>, &'static str)> {
    let good = fs::read(masters::H264_25.path()).unwrap();
    let moov_first = fs::read(masters::MOOV_FIRST.path()).unwrap();
    // ffmpeg writes `moov` last. Its size stands before its name.
    let without_moov = good[..find(&good, b"moov").unwrap() - 4].to_vec();
    let mut unknown_codec = good;
    let entry = find(&unknown_codec, b"avc1\0\0\0\0\0\0\0\x01").unwrap();
    unknown_codec[entry..entry + 4].copy_from_slice(b"vvc1");
    let text = fs::read(repository().join("testdata/README.md")).unwrap();
    vec![
        ("empty.mp4", Vec::new(), "empty-file"),
        ("text.mp4", text, "not-media"),
        ("without-moov.mp4", without_moov, "damaged-master"),
        ("cut-off.mp4", moov_first[..moov_first.len() / 2].to_vec(), "damaged-master"),
        ("blink.mp4", fs::read(masters::BLINK.path()).unwrap(), "damaged-master"),
        ("words-only.mkv", fs::read(masters::WORDS_ONLY.path()).unwrap(), "no-video-track"),
        ("vvc.mp4", unknown_codec, "unsupported-codec"),
    ]
}

/// That the title ended in `state` with `code` and one plain sentence, and that `status` says the same.
fn check_refused(site: &Site, title: &str, ran: &Ran, state: &str, code: &str) -> Value {
    assert_eq!(ran.code, Some(1), "{ran}");
    let verdict = ran.last_line();
    check_verdict(&verdict, state, code);
    let status = site.status(title);
    for key in ["state", "code", "message"] {
        assert_eq!(status[key], verdict[key], "{status}");
    }
    assert!(status["next_step"].as_str().is_some_and(|step| !step.is_empty()), "{status}");
    verdict
}

/// State, code, and a sentence that people can read.
pub(crate) fn check_verdict(verdict: &Value, state: &str, code: &str) {
    assert_eq!((&verdict["state"], &verdict["code"]), (&state.into(), &code.into()), "{verdict}");
    let message = verdict["message"].as_str().unwrap();
    let one_line = !message.contains('\n') && !message.ends_with('.');
    assert!(message.len() > 15 && one_line, "one plain sentence without a full stop: {message:?}");
    // A path may have any letters in it, those of a test's folder among them.
    let words: Vec<&str> = message.split('`').filter(|part| !part.contains('/')).collect();
    for inside in ["Error", "Some(", "panicked", "gst", "GStreamer", "demux", "0x"] {
        assert!(!words.concat().contains(inside), "a word of the inside: {message:?}");
    }
}

/// Ingests one of [`bad_files`]: refused with its code, and with a sentence that has `words`.
fn bad_file(name: &str, words: &str) {
    let (file, bytes, code) = bad_files().into_iter().find(|(file, ..)| *file == name).unwrap();
    let site = Site::new();
    let master = site.write(file, &bytes);
    let before = fs::metadata(&master).unwrap().modified().unwrap();
    let ran = site.ingest(&master, "film", "vod-h264");
    let verdict = check_refused(&site, "film", &ran, "rejected", code);
    assert!(verdict["message"].as_str().unwrap().contains(words), "{verdict}");
    assert!(!ran.stderr.contains(code), "said twice: {ran}");
    assert!(fs::read(&master).unwrap() == bytes, "the master was written to");
    assert_eq!(fs::metadata(&master).unwrap().modified().unwrap(), before);
}

#[test]
fn no_bytes() {
    bad_file("empty.mp4", "is empty");
}

#[test]
fn text_that_is_called_mp4() {
    bad_file("text.mp4", "no media");
}

#[test]
fn mp4_without_its_moov() {
    bad_file("without-moov.mp4", "has no index");
}

#[test]
fn mp4_that_was_cut_off() {
    bad_file("cut-off.mp4", "is cut off");
}

#[test]
fn mkv_that_was_cut_off_before_its_first_track() {
    let site = Site::new();
    let whole = fs::read(masters::MKV.path()).unwrap();
    let master = site.write("film.mkv", &whole[..200]);
    let ran = site.ingest(&master, "film", "vod-h264");
    check_refused(&site, "film", &ran, "rejected", "damaged-master");
}

#[test]
fn neither_picture_nor_sound() {
    bad_file("words-only.mkv", "neither picture nor sound");
}

#[test]
fn a_picture_for_a_tenth_of_the_sound() {
    bad_file("blink.mp4", "the picture lasts 1.0 s of the 16.0 s");
}

/// A small file that would become gigabytes is known by its header.
#[test]
fn a_picture_of_16384_by_8192() {
    let site = Site::new();
    let ran = site.ingest(&masters::BOMB.path(), "film", "vod-h264");
    let verdict = check_refused(&site, "film", &ran, "rejected", "picture-too-large");
    assert!(verdict["message"].as_str().unwrap().contains("16384 × 8192"), "{verdict}");
}

#[test]
fn a_picture_of_one_pixel() {
    let site = Site::new();
    let ran = site.ingest(&masters::ONE_PIXEL.path(), "film", "vod-h264");
    let verdict = check_refused(&site, "film", &ran, "rejected", "damaged-master");
    assert!(verdict["message"].as_str().unwrap().contains("1 × 1"), "{verdict}");
}

/// A box with every number of a kind replaced, of an MP4 whose `moov` comes last.
fn with_boxes(kind: &[u8; 4], change: impl Fn(&mut [u8])) -> Vec<u8> {
    let mut bytes = fs::read(masters::H264_25.path()).unwrap();
    let mut at = find(&bytes, b"moov").unwrap();
    while let Some(found) = find(&bytes[at..], kind) {
        at += found;
        let size = u32::from_be_bytes(bytes[at - 4..at].try_into().unwrap()) as usize;
        change(&mut bytes[at + 4..at - 4 + size]);
        at += 4;
    }
    bytes
}

#[test]
fn ten_thousand_tracks() {
    let mut bytes = fs::read(masters::H264_25.path()).unwrap();
    let moov = find(&bytes, b"moov").unwrap() - 4;
    let track = find(&bytes[moov..], b"trak").unwrap() + moov - 4;
    let size = |bytes: &[u8], at: usize| u32::from_be_bytes(bytes[at..at + 4].try_into().unwrap());
    let one = bytes[track..track + size(&bytes, track) as usize].to_vec();
    let larger = size(&bytes, moov) + 10_000 * one.len() as u32;
    bytes[moov..moov + 4].copy_from_slice(&larger.to_be_bytes());
    let id = find(&one, b"tkhd").unwrap() + 16;
    for n in 0..10_000u32 {
        let mut track = one.clone();
        track[id..id + 4].copy_from_slice(&(10 + n).to_be_bytes());
        bytes.extend(track);
    }
    let site = Site::new();
    let master = site.write("film.mp4", bytes);
    let ran = site.ingest(&master, "film", "vod-h264");
    check_refused(&site, "film", &ran, "rejected", "damaged-master");
}

/// No frame lasts any time, or all of them for ever, or less than nothing: each ends with a code, within its time.
#[test]
fn lengths_that_make_no_sense() {
    for (name, delta) in [("zero", 0u32), ("ever", 0x7fff_ffff), ("negative", 0xffff_ff00)] {
        // Version, flags, count; then how many samples, and how long each is.
        let bytes = with_boxes(b"stts", |stts| {
            stts[8..]
                .chunks_exact_mut(8)
                .for_each(|e| e[4..].copy_from_slice(&delta.to_be_bytes()));
        });
        let site = Site::new();
        let master = site.write("film.mp4", bytes);
        let ran = site.ingest(&master, "film", &site.quick(2));
        let verdict = ran.last_line();
        let state = verdict["state"].as_str().unwrap();
        assert!(["published", "rejected"].contains(&state), "{name}: {verdict}");
        if state == "rejected" {
            assert_eq!(verdict["code"], "damaged-master", "{name}: {verdict}");
        }
    }
}

#[test]
fn lengths_of_tracks_that_make_no_sense() {
    for length in [0u32, 1, 0xffff_fff0] {
        let bytes = with_boxes(b"mdhd", |mdhd| mdhd[16..20].copy_from_slice(&length.to_be_bytes()));
        let site = Site::new();
        let master = site.write("film.mp4", bytes);
        let ran = site.ingest(&master, "film", &site.quick(2));
        let state = ran.last_line()["state"].as_str().unwrap().to_owned();
        assert!(["published", "rejected"].contains(&state.as_str()), "{length}: {ran}");
    }
}

#[test]
fn a_codec_that_nobody_decodes() {
    bad_file("vvc.mp4", "H.266/VVC");
}

#[test]
fn a_folder() {
    let site = Site::new();
    let folder = site.path("season-1");
    fs::create_dir(&folder).unwrap();
    let ran = site.ingest(&folder, "film", "vod-h264");
    check_refused(&site, "film", &ran, "rejected", "not-a-file");
}

#[test]
fn a_file_that_is_not_there() {
    let site = Site::new();
    let ran = site.ingest(Path::new("folder/../nowhere.mp4"), "film", "vod-h264");
    assert_eq!(ran.code, Some(1), "{ran}");
    check_verdict(&ran.last_line(), "failed", "no-such-file");
}

#[test]
fn a_file_that_may_not_be_read() {
    let site = Site::new();
    let master = site.path("film.mp4");
    fs::copy(masters::H264_25.path(), &master).unwrap();
    fs::set_permissions(&master, Permissions::from_mode(0o000)).unwrap();
    // Root may read everything, so root becomes nobody, who has to find program and folder.
    let program = site.path("headwater");
    fs::copy(env!("CARGO_BIN_EXE_headwater"), &program).unwrap();
    fs::set_permissions(site.path("."), Permissions::from_mode(0o777)).unwrap();
    let mut command = site.command_of(&program, ["--json", "ingest", "--wait", "film.mp4"]);
    if rustix::process::geteuid().is_root() {
        command.uid(NOBODY).gid(NOBODY);
    }
    let ran = Ran::of(&mut command);
    check_refused(&site, "film", &ran, "rejected", "unreadable");
    fs::set_permissions(&master, Permissions::from_mode(0o600)).unwrap();
    assert!(fs::read(&master).unwrap() == fs::read(masters::H264_25.path()).unwrap());
}

#[test]
fn a_file_that_grows_while_it_is_read() {
    let site = Site::new();
    let master = site.path("film.mp4");
    fs::copy(masters::H264_25.path(), &master).unwrap();
    let stop = AtomicBool::new(false);
    let ran = std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut file = OpenOptions::new().append(true).open(&master).unwrap();
            while !stop.load(Ordering::Relaxed) {
                file.write_all(b"more").unwrap();
                std::thread::sleep(Duration::from_millis(2));
            }
        });
        let ran = site.ingest(&master, "film", "vod-h264");
        stop.store(true, Ordering::Relaxed);
        ran
    });
    check_refused(&site, "film", &ran, "failed", "master-changed");
}

#[test]
fn a_file_that_is_deleted_half_way() {
    let site = Site::new();
    let master = site.path("film.mp4");
    fs::copy(masters::MINUTE.path(), &master).unwrap();
    let running = Running::start(&mut site.ingest_command(&master, "film", &site.quick(1)));
    let first = site.package("film").join("video-180p/seg-00001.m4s");
    wait_until("the first segment is stored", || first.exists());
    fs::remove_file(&master).unwrap();
    let ran = running.finish();
    check_refused(&site, "film", &ran, "failed", "master-gone");
}

#[test]
fn a_file_that_is_replaced_half_way() {
    let site = Site::new();
    let master = site.path("film.mp4");
    fs::copy(masters::MINUTE.path(), &master).unwrap();
    let running = Running::start(&mut site.ingest_command(&master, "film", &site.quick(1)));
    let first = site.package("film").join("video-180p/seg-00001.m4s");
    wait_until("the first segment is stored", || first.exists());
    let other = site.path("other.mp4");
    fs::copy(masters::H264_25.path(), &other).unwrap();
    fs::rename(&other, &master).unwrap();
    let ran = running.finish();
    check_refused(&site, "film", &ran, "failed", "master-changed");
}

#[test]
fn the_same_master_twice() {
    let site = Site::new();
    let (master, pipeline) = (masters::SILENT.path(), site.quick(3));
    site.publish(&master, "film", &pipeline);

    let other_title = site.ingest(&master, "film-again", &pipeline);
    let verdict = check_refused(&site, "film-again", &other_title, "rejected", "duplicate-master");
    assert!(verdict["message"].as_str().unwrap().contains("`film`"), "{verdict}");
    assert!(!site.title("film-again").exists(), "nothing was stored");

    let same_title = site.publish(&master, "film", &pipeline);
    assert_eq!(same_title["frames"], 400, "{same_title}");
    let told = Ran::of(&mut site.ingest_command(&master, "film", &pipeline));
    assert!(told.stderr.contains("film  was published already as v1"), "{told}");
    assert!(!site.title("film").join("v2").exists(), "nothing was transcoded again");

    let mut asked_for = site.ingest_command(&master, "film", &pipeline);
    let again = Ran::of(asked_for.arg("--again"));
    assert_eq!(
        (again.code, &again.last_line()["state"]),
        (Some(0), &"published".into()),
        "{again}"
    );
    assert!(
        site.title("film").join(format!("v{}", again.last_line()["version"])).is_dir(),
        "{again}"
    );
}

/// It is waited for, and the title publishes by itself when somebody has made room.
#[test]
fn a_full_origin() {
    let site = Site::new();
    let master = masters::H264_25.path();
    fs::create_dir_all(site.path("headwater-data/origin")).unwrap();
    let pipeline = site.quick(1);
    let script = "mount -t tmpfs -o size=256k tmpfs \"$1\" || exit 9; folder=$1; shift; \
                  (until \"$STATUS\" status film | grep -q 'origin-full: origin local has no space left'; \
                   do sleep 0.2; done; mount -o remount,size=64m \"$folder\") >/dev/null 2>&1 & \"$@\"";
    let ingest = site.ingest_command(&master, "film", &pipeline);
    let mut command =
        in_mount_namespace(&site, script, &site.path("headwater-data/origin"), &ingest);
    let ran = Ran::of(command.env("STATUS", env!("CARGO_BIN_EXE_headwater")));
    assert_eq!(ran.code, Some(0), "{ran}");
    assert_eq!(ran.last_line()["state"], "published", "{ran}");
}

#[test]
fn a_full_spool() {
    full_disk("headwater-data/spool", "64k", "");
}

#[test]
fn a_full_data_folder() {
    full_disk("headwater-data", "1200k", "");
}

/// Another program takes every byte that becomes free as soon as there is a catalog: what the catalog needs to note the
/// failure has to be its own by then.
#[test]
fn a_data_folder_that_another_program_fills() {
    let greedy = "(until [ -n \"$(find \"$1\" -name catalog.db -size +400k)\" ]; do sleep 0.01; done; \
                  while sleep 0.01; do cat /dev/zero >>\"$1/greedy\"; done) >/dev/null 2>&1 &";
    full_disk("headwater-data", "2m", greedy);
}

/// Ingests with a small file system mounted at `folder`, beside `other` of the shell, which finds the folder in `$1`.
fn full_disk(folder: &str, size: &str, other: &str) {
    let site = Site::new();
    let master = masters::H264_25.path();
    let untouched = fs::read(&master).unwrap();
    fs::create_dir_all(site.path(folder)).unwrap();
    let pipeline = site.quick(1);
    // The mount is seen by this process and its children alone, and goes with them.
    let script = format!(
        "mount -t tmpfs -o size={size} tmpfs \"$1\" || exit 9; {other}\n shift; \"$@\"; code=$?; \"$STATUS\" --json status film; [ -z \"$!\" ] || kill $!; exit $code"
    );
    let ingest = site.ingest_command(&master, "film", &pipeline);
    let mut command = in_mount_namespace(&site, &script, &site.path(folder), &ingest);
    let ran = Ran::of(command.env("STATUS", env!("CARGO_BIN_EXE_headwater")));
    assert_eq!(ran.code, Some(1), "{ran}");
    check_verdict(&ran.last_line(), "failed", "disk-full");
    assert!(fs::read(&master).unwrap() == untouched);
}

/// `script` with `folder` and the words of `ingest` as its arguments.
fn in_mount_namespace(site: &Site, script: &str, folder: &Path, ingest: &Command) -> Command {
    let rights: &[&str] =
        if rustix::process::geteuid().is_root() { &[] } else { &["--map-root-user"] };
    let unshare = PathBuf::from("unshare");
    let mut command =
        site.command_of(&unshare, rights.iter().chain(&["--mount", "sh", "-c", script, "sh"]));
    command.arg(folder).arg(ingest.get_program()).args(ingest.get_args());
    command
}
