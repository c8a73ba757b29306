//! The spool: what dead runs left is swept, and nobody sweeps a live one.

use headwater_model::time::Timestamp;

use super::*;

#[tokio::test]
async fn leftovers_of_dead_runs_are_swept_at_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("spool");
    fs::create_dir_all(root.join("task-1-1/video-360p")).unwrap();
    fs::write(root.join("task-1-1/video-360p/seg-00001.m4s"), b"half").unwrap();
    let spool = Spool::take(&root).await.unwrap();
    let left: Vec<_> = fs::read_dir(&root).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(left, [LOCK_NAME]);
    drop(spool);
}

#[tokio::test]
async fn a_spool_has_one_process() {
    let folder = tempfile::tempdir().unwrap();
    let first = Spool::take(folder.path()).await.unwrap();
    assert!(matches!(Spool::take(folder.path()).await, Err(SpoolError::InUse(_))));
    drop(first);
    Spool::take(folder.path()).await.unwrap();
}

#[tokio::test]
async fn a_claim_gets_an_empty_folder_and_leaves_none() {
    let root = tempfile::tempdir().unwrap();
    let lease = Lease { task: 7, token: 2, until: Timestamp(0) };
    let folder = folder_of(root.path(), &lease);
    make(&folder).await.unwrap();
    fs::write(folder.join("seg-00001.m4s"), b"half").unwrap();
    make(&folder).await.unwrap();
    assert_eq!(fs::read_dir(&folder).unwrap().count(), 0);
    remove(&folder).await;
    assert!(!folder.exists());
    remove(&folder).await;
}
