//! What every kind of wrong master is called.

use std::time::Duration;

use expect_test::{Expect, expect};
use headwater_ports::masters::FilesOnly;

use super::*;

fn check(result: Result<impl std::fmt::Debug, Failure>, folder: &Path, expected: Expect) {
    let failure = result.unwrap_err();
    let folder = folder.display().to_string();
    let text = format!("{:?} {}", failure.retry, failure.refusal).replace(&folder, "FOLDER");
    expected.assert_eq(&text);
}

fn at(path: &Path) -> Address {
    Address::File(path.to_owned())
}

async fn look(path: &Path) -> Result<Opened, Failure> {
    open(&FilesOnly, &at(path)).await
}

#[tokio::test]
async fn a_file_gets_its_stamp_and_hash() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("film.mp4");
    fs::write(&path, b"abc").unwrap();
    let (opened, sha256) = hash(&FilesOnly, &at(&path)).await.unwrap();
    assert_eq!((opened.stamp.bytes, sha256), (3, hash::sha256(b"abc")));
    assert_eq!(look(&path).await.unwrap().stamp, opened.stamp);
    opened.check_unchanged(&FilesOnly).await.unwrap();
}

#[tokio::test]
async fn a_master_that_is_not_as_it_was_noted_is_read_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("film.mp4");
    fs::write(&path, b"abc").unwrap();
    let time = fs::metadata(&path).unwrap().modified().unwrap();
    let (known, opened) = (Known::default(), look(&path).await.unwrap());
    let first = known.clone().hash(&FilesOnly, &opened).await.unwrap();
    // What no honest file does: another content at the same time. Whoever read it would see it.
    fs::write(&path, b"abd").unwrap();
    fs::File::options().write(true).open(&path).unwrap().set_modified(time).unwrap();
    let again = look(&path).await.unwrap();
    assert_eq!(known.hash(&FilesOnly, &again).await.unwrap(), first);
    fs::File::options().write(true).open(&path).unwrap().set_modified(UNIX_EPOCH).unwrap();
    let later = look(&path).await.unwrap();
    assert_eq!(known.hash(&FilesOnly, &later).await.unwrap(), hash::sha256(b"abd"));

    let gone = Opened { at: at(Path::new("/none")), ..later.clone() };
    let gone = Opened { input: Input::File("/none".into()), ..gone };
    assert!(known.hash(&FilesOnly, &gone).await.is_err(), "and a failure is not remembered");
    for n in 0..2 * KNOWN {
        let other = Stamp { bytes: n as u64, modified_ns: 0 };
        known.entry(&Opened { stamp: other, ..later.clone() });
    }
    assert_eq!(known.0.lock().unwrap().len(), KNOWN);
}

#[tokio::test]
async fn wrong_kinds_of_files_have_names() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    fs::write(root.join("empty.mp4"), b"").unwrap();
    fs::create_dir(root.join("folder.mp4")).unwrap();
    std::os::unix::net::UnixListener::bind(root.join("socket")).unwrap();
    check(
        look(&root.join("gone.mp4")).await,
        root,
        expect!["Never master-gone: there is no file `FOLDER/gone.mp4` any more"],
    );
    check(
        look(&root.join("empty.mp4")).await,
        root,
        expect!["Never empty-file: the master `FOLDER/empty.mp4` is empty: it has 0 bytes"],
    );
    check(
        look(&root.join("folder.mp4")).await,
        root,
        expect!["Never not-a-file: `FOLDER/folder.mp4` is a folder, not a media file"],
    );
    check(
        look(&root.join("socket")).await,
        root,
        expect!["Never not-a-file: `FOLDER/socket` is a device, pipe or socket, not a media file"],
    );
}

#[test]
fn rights_are_for_people_to_give_and_faults_may_pass() {
    let path = Path::new("/in/film.mp4");
    let refused = |kind: io::ErrorKind| Err::<(), _>(refuse(&path.display(), kind.into()));
    check(
        refused(io::ErrorKind::PermissionDenied),
        Path::new("/in"),
        expect![
            "Never unreadable: the service may not read the master `FOLDER/film.mp4`: permission denied"
        ],
    );
    check(
        refused(io::ErrorKind::TimedOut),
        Path::new("/in"),
        expect!["Later unreadable: the master `FOLDER/film.mp4` cannot be read: timed out"],
    );
}

#[tokio::test]
async fn growth_and_rewriting_are_both_changes() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("film.mp4");
    fs::write(&path, b"abc").unwrap();
    let opened = look(&path).await.unwrap();

    fs::write(&path, b"abcdef").unwrap();
    check(
        opened.check_unchanged(&FilesOnly).await,
        folder.path(),
        expect![
            "Never master-changed: the master `FOLDER/film.mp4` changed while it was read: it had 3 bytes and has 6 now"
        ],
    );

    fs::write(&path, b"xyz").unwrap();
    let earlier = UNIX_EPOCH + Duration::from_secs(1_000_000_000);
    fs::File::options().write(true).open(&path).unwrap().set_modified(earlier).unwrap();
    check(
        opened.check_unchanged(&FilesOnly).await,
        folder.path(),
        expect![
            "Never master-changed: the master `FOLDER/film.mp4` changed while it was read: it still has 3 bytes, but was written to"
        ],
    );
}
