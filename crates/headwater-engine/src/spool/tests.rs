//! The spool: what dead runs left is swept, and nobody sweeps a live one.

use std::os::unix::fs::PermissionsExt;

use headwater_model::time::Timestamp;
use rustix::thread::{CapabilitySet, CapabilitySets, set_capabilities};

use super::*;

fn names_in(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let mut names: Vec<String> =
        entries.map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[tokio::test]
async fn leftovers_of_dead_runs_are_swept_at_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("spool");
    // A run of the same name, one of another, and one of a release that had no folder for each process.
    for dead in ["w1/task-1-1", "w2/task-2-1", "task-3-1"] {
        fs::create_dir_all(root.join(dead).join("video-360p")).unwrap();
        fs::write(root.join(dead).join("video-360p/seg-00001.m4s"), b"half").unwrap();
    }
    for dead in ["w1", "w2"] {
        fs::write(root.join(dead).join(LOCK_NAME), b"").unwrap();
    }
    let spool = Spool::take(&root, "w1").await.unwrap();
    assert_eq!(names_in(&root), [LOCK_NAME, "w1"]);
    assert_eq!(names_in(&root.join("w1")), [LOCK_NAME]);
    drop(spool);
}

#[tokio::test]
async fn processes_share_the_spool_and_sweep_none_that_is_alive() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    let first = Spool::take(root, "w1").await.unwrap();
    fs::create_dir(root.join("w1/task-1-1")).unwrap();
    let second = Spool::take(root, "w2").await.unwrap();
    assert_eq!(names_in(root), [LOCK_NAME, "w1", "w2"]);
    assert!(root.join("w1/task-1-1").is_dir());
    assert!(is_alive(root, "w1") && is_alive(root, "w2") && !is_alive(root, "w3"));
    assert!(matches!(Spool::take(root, "w1").await, Err(SpoolError::InUse(_))));
    drop(first);
    assert!(!is_alive(root, "w1"));
    let third = Spool::take(root, "w3").await.unwrap();
    assert_eq!(names_in(root), [LOCK_NAME, "w2", "w3"]);
    drop((second, third));
}

#[test]
fn what_cannot_be_swept_stays_and_nobody_is_kept_from_starting() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().to_owned();
    for dead in ["w1/task-1-1/hidden", "w1/task-1-2", "w2/task-2-1/hidden"] {
        fs::create_dir_all(root.join(dead)).unwrap();
    }
    let hidden = [root.join("w1/task-1-1/hidden"), root.join("w2/task-2-1/hidden")];
    for folder in &hidden {
        fs::write(folder.join("large"), b"half").unwrap();
        fs::set_permissions(folder, PermissionsExt::from_mode(0o300)).unwrap();
    }
    // Rights are a thread's own: without those of root nobody lists such a folder.
    let taken = thread::spawn(move || {
        let none = CapabilitySet::empty();
        let none = CapabilitySets { effective: none, permitted: none, inheritable: none };
        set_capabilities(None, none).unwrap();
        take_blocking(&root, "w1").map(|_| names_in(&root.join("w1")))
    });
    assert_eq!(taken.join().unwrap().unwrap(), [LOCK_NAME, "task-1-1"]);
    for folder in &hidden {
        fs::set_permissions(folder, PermissionsExt::from_mode(0o700)).unwrap();
    }
}

#[tokio::test]
async fn a_claim_gets_an_empty_folder_and_leaves_none() {
    let root = tempfile::tempdir().unwrap();
    let lease = Lease { task: 7, token: 2, until: Timestamp(0) };
    let folder = folder_of(root.path(), "w1", &lease);
    fs::create_dir(root.path().join("w1")).unwrap();
    make(&folder).await.unwrap();
    fs::write(folder.join("seg-00001.m4s"), b"half").unwrap();
    make(&folder).await.unwrap();
    assert_eq!(fs::read_dir(&folder).unwrap().count(), 0);
    remove(&folder).await;
    assert!(!folder.exists());
    remove(&folder).await;
}
