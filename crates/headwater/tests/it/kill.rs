//! Killing the process at any moment costs what was under way and nothing else: the title ends up published, with the
//! bytes of a run that nobody disturbed.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::masters;
use crate::package::segments;
use crate::run::{Running, Site, wait_until};

/// When to kill.
#[derive(Debug, Clone, Copy)]
enum Moment {
    /// A child is looking at the master, or transcodes it.
    ChildAtWork,
    /// The largest rendition has so many segments.
    Segments(usize),
    /// This object of the title exists: the package is being sealed, proven or published.
    Object(&'static str),
}

/// Ten moments from the first look at the master to the time between the two pointers.
const MOMENTS: [Moment; 10] = [
    Moment::ChildAtWork,
    Moment::Segments(1),
    Moment::Segments(3),
    Moment::Segments(4),
    Moment::Segments(6),
    Moment::Segments(9),
    Moment::Segments(12),
    Moment::Object("v1/index.m3u8"),
    Moment::Object("v1/inventory.jsonl"),
    Moment::Object("index.m3u8"),
];

#[test]
fn two_runs_from_scratch_give_the_same_bytes() {
    let (first, second) = (Site::new(), Site::new());
    for site in [&first, &second] {
        site.publish(&masters::LARGER.path(), "film", "vod-h264");
    }
    same_objects(&first.title("film"), &second.title("film"));
}

#[test]
fn a_run_that_is_killed_ten_times_gives_the_same_bytes() {
    let master = masters::MINUTE.path();
    let undisturbed = Site::new();
    undisturbed.publish(&master, "film", &undisturbed.quick(1));

    let site = Site::new();
    let pipeline = site.quick(1);
    let mut finished: BTreeMap<PathBuf, File> = BTreeMap::new();
    for moment in MOMENTS {
        let mut running = Running::start(&mut site.ingest_command(&master, "film", &pipeline));
        wait_until(&format!("{moment:?}"), || {
            assert!(moment.has_come(&site) || running.is_alive(), "ended before {moment:?}");
            moment.has_come(&site)
        });
        running.kill();
        wait_until("the children are dead", || site.children().is_empty());
        for (path, file) in &finished {
            assert_eq!(File::of(path), *file, "{} was finished and is made again", path.display());
        }
        finished.extend(finished_segments(&site));
    }
    let verdict = site.publish(&master, "film", &pipeline);
    assert_eq!(verdict["version"], 1, "{verdict}");
    same_objects(&undisturbed.title("film"), &site.title("film"));

    let history = site.history("film");
    for span in 1..=verdict["spans"].as_u64().unwrap() {
        let times = history.iter().filter(|line| finished_span(line) == Some(span)).count();
        assert_eq!(times, 1, "`span {span} done` in {history:#?}");
    }
    assert_eq!(
        finished.len(),
        26,
        "every segment of both video renditions was finished at the last kill"
    );
    for (path, file) in &finished {
        assert_eq!(File::of(path), *file, "{} was finished and is made again", path.display());
    }
}

impl Moment {
    fn has_come(self, site: &Site) -> bool {
        match self {
            Moment::ChildAtWork => !site.children().is_empty(),
            Moment::Segments(n) => {
                let folder = site.package("film").join("video-90p");
                folder.exists() && segments(&folder).len() >= n
            }
            Moment::Object(path) => site.title("film").join(path).exists(),
        }
    }
}

/// What tells a file from one that was put in its place.
#[derive(Debug, PartialEq, Eq)]
struct File {
    inode: u64,
    modified: (i64, i64),
}

impl File {
    fn of(path: &Path) -> Self {
        let metadata = fs::metadata(path).unwrap();
        Self { inode: metadata.ino(), modified: (metadata.mtime(), metadata.mtime_nsec()) }
    }
}

/// The span of which this line of a title's history says that it is done: `span 3 done (attempt 2)`.
fn finished_span(line: &str) -> Option<u64> {
    let (number, rest) = line.strip_prefix("span ")?.split_once(' ')?;
    if rest.starts_with("done") { number.parse().ok() } else { None }
}

/// Video segments of the spans that the catalog holds for done. Spans are of one segment here, so they share numbers.
fn finished_segments(site: &Site) -> Vec<(PathBuf, File)> {
    let history = site.history("film");
    let spans = history.iter().filter_map(|line| finished_span(line));
    let renditions = fs::read_dir(site.package("film"))
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path());
    let video: Vec<_> =
        renditions.filter(|path| path.to_string_lossy().contains("/video-")).collect();
    let paths =
        spans.flat_map(|n| video.iter().map(move |folder| folder.join(format!("seg-{n:05}.m4s"))));
    paths.map(|path| (path.clone(), File::of(&path))).collect()
}

/// Compares everything that two origins hold of a title.
fn same_objects(expected: &Path, found: &Path) {
    let (expected, found) = (objects(expected), objects(found));
    let names = |objects: &BTreeMap<String, Vec<u8>>| objects.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&expected), names(&found));
    for (name, bytes) in &expected {
        assert!(found[name] == *bytes, "{name} differs");
    }
}

/// The files below a folder by their path in it.
fn objects(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut objects = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for path in fs::read_dir(next).unwrap().map(|entry| entry.unwrap().path()) {
            if path.is_dir() {
                folders.push(path);
            } else {
                let name = path.strip_prefix(folder).unwrap().to_string_lossy().into_owned();
                objects.insert(name, fs::read(&path).unwrap());
            }
        }
    }
    objects
}

#[test]
fn who_waits_for_another_process_takes_over_when_that_one_is_gone() {
    let site = Site::new();
    let pipeline = site.quick(2);
    let start = |master: &masters::Master, title| {
        let running = Running::start(&mut site.ingest_command(&master.path(), title, &pipeline));
        wait_until("it is queued", || site.run(["status", title]).code == Some(0));
        running
    };
    let mut works = start(&masters::LARGER, "first");
    wait_until("a child works", || !site.children().is_empty());
    let waits = start(&masters::H264_25, "second");
    works.kill();
    let ran = waits.finish();
    assert_eq!(ran.last_line()["state"], "published", "{ran}");
}
