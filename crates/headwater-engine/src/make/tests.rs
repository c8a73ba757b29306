//! What a worker takes of what a child says it has made.

use super::*;

async fn take_of(bytes: u64) -> Result<u64, Failure> {
    let spool = tempfile::tempdir().unwrap();
    let (path, role) = ("video/init.mp4", ObjectRole::Init { rendition: "video".to_owned() });
    fs::create_dir(spool.path().join("video")).unwrap();
    fs::File::create(spool.path().join(path)).unwrap().set_len(bytes).unwrap();
    let planned = BTreeMap::from([(path.to_owned(), role.clone())]);
    let made = Made { file: path.into(), path: path.to_owned(), role };
    take(&planned, spool.path(), made).await.map(|(object, _)| object.bytes)
}

#[tokio::test]
async fn a_file_that_nobody_could_read_back_is_not_taken() {
    assert_eq!(take_of(1000).await.unwrap(), 1000);
    let failure = take_of(1 << 40).await.unwrap_err();
    assert_eq!((failure.refusal.code, failure.retry), (Code::TranscoderFailed, Retry::Later));
    let said = failure.refusal.to_string();
    assert!(said.contains("made `video/init.mp4` of more than 64 MiB"), "{said}");
}
