//! What a codec gone wrong can do: nothing beyond its own try. The children of debug builds do on request what a broken
//! or hostile codec might (`mischief` in headwater-media), from inside their walls.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use crate::masters;
use crate::run::{Running, Site, wait_until};
use crate::service::Service;

/// A master that makes the child do `what` at `stage`, and is a good one otherwise.
pub(crate) fn mischievous(site: &Site, name: &str, stage: &str, what: &str) -> PathBuf {
    let mut bytes = fs::read(masters::H264_25.path()).unwrap();
    let mark = format!("headwater-mischief {stage} {what}.");
    // A box that players skip, so that nothing else is wrong with the file.
    bytes.extend(u32::try_from(8 + mark.len()).unwrap().to_be_bytes());
    bytes.extend(b"free");
    bytes.extend(mark.as_bytes());
    site.write(name, bytes)
}

/// What is in a folder, if it is one.
fn entries(folder: &Path) -> Vec<PathBuf> {
    fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()).collect()
}

#[test]
fn a_child_has_no_network_and_sees_no_files() {
    let secret = |name: &str| (name.to_owned(), "hush".to_owned());
    let site = Site::new().with([
        secret("AWS_SECRET_ACCESS_KEY"),
        secret("AWS_SESSION_TOKEN"),
        secret("DATABASE_URL"),
    ]);
    // Something to find.
    site.write("headwater.toml", "tenant = 'main'\n");
    let master = mischievous(&site, "film.mp4", "once", "break-out");
    let ran = site.ingest(&master, "film", &site.quick(4));
    assert_eq!(ran.last_line()["state"], "published", "the second try is undisturbed: {ran}");

    let words = ran.stderr.lines().find(|line| line.contains("mischief: break-out"));
    let words = words.unwrap_or_else(|| panic!("{ran}")).replace("\\n", "\n");
    let told = |what: &str| words.lines().filter(|line| line.starts_with(what)).count();
    assert_eq!(told("GOT AWAY WITH"), 0, "{words}");
    assert_eq!(told("MISSING"), 0, "what its work needs still works: {words}");
    assert_eq!(told("refused"), 58, "{words}");
    assert!(words.contains("refused: read ../headwater.toml: Permission denied"), "{words}");
    assert!(words.contains("refused: connect by TCP: Operation not permitted"), "{words}");
    assert!(words.contains("refused: start a program: Operation not permitted"), "{words}");
    // That by which it reports.
    assert!(words.contains("descriptors: 1\n"), "{words}");
    assert!(words.contains("mischief: done"), "it came to its end: {words}");

    let names = words.lines().find_map(|line| line.strip_prefix("environment: ")).unwrap();
    for name in names.split(' ') {
        let known = ["HEADWATER_WORKER_PID", "LANG", "LD_LIBRARY_PATH", "NO_COLOR", "TMPDIR"];
        let harmless = name.starts_with("GST_") || name == "XDG_DATA_HOME";
        assert!(harmless || known.contains(&name), "`{name}` in {names}");
    }
    assert!(!site.path("headwater-data/planted").exists());
    for process in entries(&site.path("headwater-data/spool")) {
        assert!(!process.join("planted").exists(), "{}", process.display());
    }
    assert!(!ran.stderr.contains("not wholly confined"), "{ran}");
}

#[test]
fn whatever_a_child_does_costs_one_try_and_nothing_else() {
    let limits = [
        ("HEADWATER_WORKER_TRANSCODER_SILENCE_SECONDS", "5"),
        ("HEADWATER_WORKER_TRANSCODER_MEMORY_MB", "300"),
        ("HEADWATER_WORKER_SLOTS", "3"),
    ];
    let site = Site::new().with(limits.map(|(name, value)| (name.to_owned(), value.to_owned())));
    let pipeline = site.quick(4);
    let service = Service::start(&site, pipeline.trim_end_matches(".toml"));
    let cases = [
        ("crash", "was killed by signal 11 (SIGSEGV)"),
        ("hang", "made no progress for 5 s"),
        ("memory", "MB of memory, more than the 300 MB that it may use"),
        ("shared-memory", "exited with code 3 and without a result"),
        ("address-space", "gave up by itself (signal 6, SIGABRT)"),
        ("write", "wrote "),
        ("litter", "files, which is more than its work can come to"),
        ("shout", "wrote a line of more than 1 MB"),
        ("log", "made no progress for 5 s"),
        ("garbage", "wrote a line that is no report"),
        ("lie", "gave an answer to another question"),
        ("quit", "exited with code 0 and without a result"),
    ];
    // One that never gets better, and those that do.
    let hopeless = mischievous(&site, "hopeless.mp4", "make", "crash");
    fs::rename(hopeless, service.drop_folder().join("hopeless.mp4")).unwrap();
    for (what, _) in cases {
        let master = mischievous(&site, &format!("{what}.mp4"), "once", what);
        fs::rename(master, service.drop_folder().join(format!("{what}.mp4"))).unwrap();
    }
    // Libraries do, and it costs nothing.
    let talkative = mischievous(&site, "talkative.mp4", "make", "print");
    fs::rename(talkative, service.drop_folder().join("talkative.mp4")).unwrap();
    for (what, sentence) in cases {
        let film = service.settled(what);
        assert_eq!(film["state"], "published", "{film}");
        let history = site.history(what);
        let lost: Vec<_> = history.iter().filter(|line| line.contains("failed (attempt")).collect();
        let [lost] = lost[..] else { panic!("one try is lost: {history:#?}") };
        assert!(lost.starts_with("span 1 failed (attempt 1)"), "{lost}");
        assert!(lost.contains("transcoder-failed") && lost.contains(sentence), "{what}: {lost}");
        if what == "memory" {
            let words = lost.split_whitespace().filter_map(|word| word.parse::<u64>().ok());
            assert!(words.max().is_some_and(|mb| mb < 1_400), "it was stopped in time: {lost}");
        }
    }
    let talkative = service.settled("talkative");
    assert_eq!(talkative["state"], "published", "{talkative}");
    assert!(!site.history("talkative").iter().any(|line| line.contains("failed")));
    let failed = service.settled("hopeless");
    assert_eq!(
        (&failed["state"], &failed["code"]),
        (&"failed".into(), &"transcoder-failed".into())
    );
    let status = site.status("hopeless");
    let words = status["last_words"].as_str().unwrap_or_default();
    assert!(words.contains("mischief: crash"), "{status}");
    assert!(site.children().is_empty(), "nothing goes on behind the service's back");
    let ran = service.stop();
    assert_eq!(ran.code, Some(0), "{ran}");
}

#[test]
fn a_worker_that_is_killed_leaves_no_child() {
    let site = Site::new();
    let master = mischievous(&site, "film.mp4", "make", "flee");
    let log = File::create(site.path("log")).unwrap();
    let mut command = site.ingest_command(&master, "film", &site.quick(1));
    let mut running = Running::start_with_log(&mut command, log);
    wait_until("a child tried to get away", || {
        let processes = entries(&site.path("headwater-data/spool")).into_iter();
        processes.flat_map(|it| entries(&it)).any(|spool| spool.join("fled").exists())
    });
    assert!(!site.children().is_empty());
    // Only the worker: its children are in groups of their own.
    running.kill();
    wait_until("no child is left", || site.children().is_empty());
}
