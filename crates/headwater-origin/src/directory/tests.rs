//! The directory origin keeps the contract, stays inside its root, and leaves nothing behind that it does not sweep.

use std::fs;
use std::io;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use headwater_model::key::CACHE_NEVER;
use headwater_ports::masters::Input;
use headwater_ports::origin::{Origin, OriginErrorKind, PutFile};
use headwater_testkit::digest::{key, put, sha256};
use headwater_testkit::origin_suite::origin_suite;
use rustix::io::Errno;

use super::{DirectoryOrigin, PAGE, READS, WRITES, aside, kind_of};

fn open(root: &Path) -> DirectoryOrigin {
    DirectoryOrigin::open("local", root).expect("open")
}

fn files_aside(root: &Path) -> usize {
    fs::read_dir(root.join(aside::FOLDER)).map_or(0, |entries| entries.count())
}

#[tokio::test(flavor = "multi_thread")]
async fn keeps_the_contract() {
    let folder = tempfile::tempdir().expect("tempdir");
    origin_suite(Arc::new(open(folder.path()))).await;
    assert_eq!(files_aside(folder.path()), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn keeps_the_contract_whatever_the_size_of_a_page() {
    for page in [1, 2, 5] {
        let folder = tempfile::tempdir().expect("tempdir");
        let origin = DirectoryOrigin::open_with_page("local", folder.path(), page).expect("open");
        origin_suite(Arc::new(origin)).await;
    }
}

#[tokio::test]
async fn a_page_has_a_thousand_objects() {
    let folder = tempfile::tempdir().expect("tempdir");
    let origin = open(folder.path());
    fs::create_dir(folder.path().join("many")).expect("mkdir");
    for n in 0..=PAGE {
        fs::write(folder.path().join(format!("many/{n:05}")), "x").expect("write");
    }
    let first = origin.list("many/", None).await.expect("list");
    assert_eq!((first.objects.len(), &first.next), (PAGE, &Some(key("many/00999"))));
    let second = origin.list("many/", first.next.as_ref()).await.expect("list");
    assert_eq!((second.objects.len(), second.next), (1, None));
}

#[test]
fn a_copy_that_nobody_waits_for_stops_and_leaves_nothing() {
    let folder = tempfile::tempdir().expect("tempdir");
    let origin = open(&folder.path().join("origin"));
    let path = folder.path().join("film.mxf");
    let body = vec![7; 5_000_000];
    fs::write(&path, &body).expect("write");
    let put = PutFile {
        key: key("main/masters/film.mxf"),
        file: Input::File(path),
        bytes: body.len() as u64,
        sha256: sha256(&body),
        cache_control: CACHE_NEVER,
    };
    let blocks = AtomicU32::new(0);
    let third = || blocks.fetch_add(1, Ordering::Relaxed) < 2;
    origin.store.put_file(&put, &third).expect_err("nobody waits");
    assert_eq!(blocks.load(Ordering::Relaxed), 3, "it stops at once");
    assert_eq!(origin.store.size(&put.key).expect("look"), None);
    assert_eq!(files_aside(&folder.path().join("origin")), 0);
}

#[tokio::test]
async fn makes_its_root_and_says_where_objects_are() {
    let folder = tempfile::tempdir().expect("tempdir");
    let origin = open(&folder.path().join("not/yet/there"));
    origin.put(put("main/film/v1/index.m3u8", "#EXTM3U")).await.expect("put");
    let address = origin.address(&key("main/film/v1/index.m3u8"));
    assert!(Path::new(&address).is_absolute());
    assert_eq!(fs::read_to_string(address).expect("read"), "#EXTM3U");
}

#[test]
fn a_root_that_is_a_file_is_refused_by_name() {
    let folder = tempfile::tempdir().expect("tempdir");
    let file = folder.path().join("file");
    fs::write(&file, "x").expect("write");
    let error = DirectoryOrigin::open("local", &file).err().expect("refused");
    assert!(error.to_string().starts_with(&format!("failed to open `{}`: ", file.display())));
}

#[tokio::test]
async fn no_link_leads_out_of_the_root() {
    let outside = tempfile::tempdir().expect("tempdir");
    fs::write(outside.path().join("secret"), "secret").expect("write");
    let folder = tempfile::tempdir().expect("tempdir");
    let origin = open(folder.path());
    symlink(outside.path(), folder.path().join("way-out")).expect("link");
    symlink(outside.path().join("secret"), folder.path().join("secret")).expect("link");

    for at in ["way-out/secret", "secret"] {
        let error = origin.get(&key(at), None).await.expect_err("not read");
        assert_eq!(error.kind, OriginErrorKind::NotFound);
        assert_eq!(origin.head(&key(at)).await.expect("head"), None);
    }
    assert_eq!(origin.list("", None).await.expect("list").objects, []);
    assert_eq!(origin.list("way-out/", None).await.expect("list").objects, []);
    let error = origin.put(put("way-out/new", "x")).await.expect_err("not written");
    assert_eq!(error.kind, OriginErrorKind::Denied);
    origin.delete(&key("way-out/secret")).await.expect("delete");

    // A link in the place of an object is replaced by the object, not written through.
    origin.put(put("secret", "public")).await.expect("put");
    assert_eq!(fs::read_to_string(outside.path().join("secret")).expect("read"), "secret");
    assert_eq!(origin.get(&key("secret"), None).await.expect("get"), "public");
}

#[tokio::test]
async fn names_with_a_dot_in_front_are_not_objects() {
    let folder = tempfile::tempdir().expect("tempdir");
    let origin = open(folder.path());
    origin.put(put("main/film", "x")).await.expect("put");
    fs::write(folder.path().join("main/.DS_Store"), "x").expect("write");
    fs::write(folder.path().join(aside::FOLDER).join("stray"), "x").expect("write");

    let listed = origin.list("", None).await.expect("list").objects;
    assert_eq!(listed.iter().map(|o| o.key.as_str()).collect::<Vec<_>>(), ["main/film"]);
    for hidden in ["main/.DS_Store", ".headwater-tmp/stray"] {
        assert_eq!(origin.head(&key(hidden)).await.expect("head"), None);
        let error = origin.get(&key(hidden), None).await.expect_err("not read");
        assert_eq!(error.kind, OriginErrorKind::NotFound);
        let error = origin.put(put(hidden, "x")).await.expect_err("not written");
        assert_eq!(error.kind, OriginErrorKind::Denied);
        origin.delete(&key(hidden)).await.expect("leaves it alone");
        assert!(folder.path().join(hidden).exists());
    }
}

#[tokio::test]
async fn a_key_below_a_file_is_denied_and_leaves_nothing() {
    let folder = tempfile::tempdir().expect("tempdir");
    let origin = open(folder.path());
    origin.put(put("main/film", "x")).await.expect("put");
    let long = format!("main/{}", "x".repeat(300));
    for impossible in ["main/film/v1", "main", &long] {
        let error = origin.put(put(impossible, "x")).await.expect_err("cannot be stored");
        assert_eq!(error.kind, OriginErrorKind::Denied, "{error}");
    }
    assert_eq!(origin.head(&key(&long)).await.expect("head"), None);
    assert_eq!(files_aside(folder.path()), 0);
}

#[tokio::test]
async fn a_pipe_in_the_place_of_an_object_does_not_hang() {
    let folder = tempfile::tempdir().expect("tempdir");
    let origin = open(folder.path());
    rustix::fs::mknodat(
        rustix::fs::CWD,
        folder.path().join("pipe"),
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::RWXU,
        0,
    )
    .expect("mkfifo");
    let error = origin.get(&key("pipe"), None).await.expect_err("not read");
    assert_eq!(error.kind, OriginErrorKind::NotFound);
}

#[tokio::test]
async fn deleting_the_last_object_removes_its_folders() {
    let folder = tempfile::tempdir().expect("tempdir");
    let origin = open(folder.path());
    origin.put(put("main/film/v1/video/seg", "x")).await.expect("put");
    origin.put(put("main/other/v1/init", "x")).await.expect("put");
    origin.delete(&key("main/film/v1/video/seg")).await.expect("delete");
    assert!(!folder.path().join("main/film").exists());
    assert!(folder.path().join("main/other/v1/init").exists());
    origin.put(put("main/film/v1/video/seg", "y")).await.expect("put again");
    assert_eq!(origin.get(&key("main/film/v1/video/seg"), None).await.expect("get"), "y");
}

#[tokio::test(flavor = "multi_thread")]
async fn storing_survives_somebody_pruning_the_folder() {
    let folder = tempfile::tempdir().expect("tempdir");
    let origin = Arc::new(open(folder.path()));
    let pruner = tokio::spawn({
        let origin = Arc::clone(&origin);
        async move {
            for _ in 0..60 {
                origin.put(put("a/b/c/passing", "x")).await.expect("put");
                origin.delete(&key("a/b/c/passing")).await.expect("delete");
            }
        }
    });
    for n in 0..60 {
        let at = format!("a/b/c/lasting-{n}");
        origin.put(put(&at, "x")).await.expect("put");
        assert!(origin.head(&key(&at)).await.expect("head").is_some());
        origin.delete(&key(&at)).await.expect("delete");
    }
    pruner.await.expect("joins");
}

#[test]
fn opening_sweeps_what_dead_writers_left_and_nothing_else() {
    let folder = tempfile::tempdir().expect("tempdir");
    let root = folder.path();
    let store = super::Store::open(root, PAGE).expect("open");
    store.sweep();
    drop(open(root));

    fs::create_dir_all(root.join(aside::FOLDER)).expect("mkdir");
    let aside_folder = || {
        let flags = rustix::fs::OFlags::DIRECTORY;
        rustix::fs::open(root.join(aside::FOLDER), flags, rustix::fs::Mode::empty()).expect("open")
    };
    let alive = aside::Aside::create(aside_folder()).expect("create");
    fs::write(root.join(aside::FOLDER).join("4242-0123456789abcdef"), "half").expect("write");
    assert_eq!(files_aside(root), 2);

    drop(open(root));
    assert_eq!(files_aside(root), 1, "the file of the live writer stays");
    alive.place(&aside_folder(), "placed").expect("the writer goes on undisturbed");
    fs::remove_file(root.join(aside::FOLDER).join("placed")).expect("clean up");

    drop(aside::Aside::create(aside_folder()).expect("create"));
    assert_eq!(files_aside(root), 0, "a write that fails removes its file");
}

#[test]
fn system_errors_become_kinds() {
    let cases = [
        (Errno::NOENT, OriginErrorKind::NotFound),
        (Errno::NOSPC, OriginErrorKind::Full),
        (Errno::DQUOT, OriginErrorKind::Full),
        (Errno::ACCESS, OriginErrorKind::Denied),
        (Errno::PERM, OriginErrorKind::Denied),
        (Errno::ROFS, OriginErrorKind::Denied),
        (Errno::IO, OriginErrorKind::Unavailable),
        (Errno::MFILE, OriginErrorKind::Unavailable),
    ];
    for (errno, kind) in cases {
        assert_eq!(kind_of(&io::Error::from(errno)), kind, "{errno:?}");
    }
}

#[tokio::test]
async fn a_folder_that_does_not_answer_is_not_waited_for_for_ever() {
    let folder = tempfile::tempdir().unwrap();
    let limit = Duration::from_millis(20);
    let origin = DirectoryOrigin { limit, ..open(folder.path()) };
    // As calls to a file server that has gone away hold them.
    let _writes = origin.writes.acquire_many(WRITES as u32).await.unwrap();
    let _reads = origin.reads.acquire_many(READS as u32).await.unwrap();
    let at = key("film/a");
    let errors = [
        origin.put(put("film/a", "x")).await.unwrap_err(),
        origin.get(&at, None).await.unwrap_err(),
        origin.head(&at).await.unwrap_err(),
        origin.list("film/", None).await.unwrap_err(),
        origin.delete(&at).await.unwrap_err(),
    ];
    for error in errors {
        assert_eq!(error.kind, OriginErrorKind::Unavailable, "{error}");
    }
}
