//! Files in parts, on a server that misbehaves: what arrives is whole, and what does not leaves nothing behind.

use std::path::PathBuf;

use headwater_lying_origin::{Call, Checksums, Lie, LyingOrigin, Manners, What};
use headwater_model::key::CACHE_NEVER;
use headwater_model::origin::Profile;
use headwater_ports::masters::Input;
use headwater_ports::origin::{ObjectInfo, ProofGrade};
use headwater_testkit::digest::{key, sha256};
use tempfile::TempDir;

use super::super::S3Settings;
use super::super::tests::{doing, settings};
use super::*;

/// Five parts of this size and a bit.
const SMALL: u64 = MIB;

fn path_of(put: &PutFile) -> &PathBuf {
    let Input::File(path) = &put.file else { panic!("a file") };
    path
}

struct Lab {
    server: LyingOrigin,
    origin: S3Origin,
    folder: TempDir,
}

impl Lab {
    async fn new() -> Self {
        Self::with(Manners::default(), doing(&Question::ALL)).await
    }

    async fn with(manners: Manners, profile: Profile) -> Self {
        let server = LyingOrigin::start(manners).await.unwrap();
        let class = Some("DEEP_ARCHIVE".to_owned());
        let settings = S3Settings { storage_class: class, ..settings(&server) };
        let origin = S3Origin::new(settings, profile).await.in_haste(100);
        Self {
            server,
            origin: S3Origin { part: SMALL, ..origin },
            folder: tempfile::tempdir().unwrap(),
        }
    }

    fn film(&self) -> (PutFile, Vec<u8>) {
        let body: Vec<u8> = (0..5 * SMALL as u32 + 17).map(|n| (n % 253) as u8).collect();
        let path: PathBuf = self.folder.path().join("film.mxf");
        std::fs::write(&path, &body).unwrap();
        let put = PutFile {
            key: key("main/masters/film.mxf"),
            file: Input::File(path),
            bytes: body.len() as u64,
            sha256: sha256(&body),
            cache_control: CACHE_NEVER,
        };
        (put, body)
    }

    fn lie(&self, what: What, times: u32) {
        self.server.lie(Lie { what, containing: "masters".to_owned(), times: Some(times) });
    }

    fn stored(&self) -> Option<Bytes> {
        self.server.object("packages/main/masters/film.mxf")
    }

    /// Waits until what was dropped is given up, which happens in the background.
    async fn nothing_is_left(&self) {
        for _ in 0..1_000 {
            if self.server.unfinished().is_empty() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        panic!("left behind: {:?}", self.server.unfinished());
    }
}

#[test]
fn parts_grow_where_there_would_be_too_many() {
    let size = |bytes| part_size(bytes, PART);
    assert_eq!(size(PART + 1), PART);
    assert_eq!(size(PART * MOST_PARTS), PART);
    let tebibyte = 1 << 40;
    for bytes in [PART * MOST_PARTS + 1, tebibyte, 5 * tebibyte] {
        let size = size(bytes);
        assert!(bytes.div_ceil(size) <= MOST_PARTS && size.is_multiple_of(MIB), "{bytes}: {size}");
    }
    assert_eq!(size(5 * tebibyte), 525 * MIB);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_file_arrives_in_parts_with_class_and_foretold_etag() {
    let lab = Lab::new().await;
    let (film, body) = lab.film();
    let stored = lab.origin.put_file(film.clone()).await.unwrap();
    assert_eq!(stored.storage_class.as_deref(), Some("DEEP_ARCHIVE"));
    let told = lab.origin.head(&film.key).await.unwrap().unwrap();
    assert_eq!((told.bytes, &told.etag), (film.bytes, &stored.etag));
    assert!(told.etag.unwrap().ends_with("-6\""), "six parts");
    assert_eq!(told.storage_class.as_deref(), Some("DEEP_ARCHIVE"));
    assert_eq!(lab.stored().unwrap(), body);
    // Begin, six parts, finish.
    assert_eq!((lab.server.calls(Call::Put), lab.server.unfinished().len()), (8, 0));
    let cold = lab.origin.get(&film.key, Some(0..10)).await.unwrap_err();
    assert_eq!(cold.kind, OriginErrorKind::Cold, "{cold}");
    assert!(lab.server.restore("packages/main/masters/film.mxf"));
    assert_eq!(lab.origin.get(&film.key, Some(0..10)).await.unwrap(), body[..10]);
}

/// So slow that an upload cannot be over soon after its first part.
fn slow() -> Manners {
    Manners { latency: Duration::from_millis(100), ..Manners::default() }
}

/// Until the first part of an upload has arrived.
async fn first_part(server: &LyingOrigin) {
    while server.parts() == 0 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

const FAULTS: [What; 6] = [
    What::Fail(Call::Put),
    What::Reset(Call::Put),
    What::LoseAnswer(Call::Put),
    What::SlowDown(Call::Put, 0),
    What::Hang(Call::Put),
    What::Answer(Call::Put, 404, ""),
];

#[tokio::test(flavor = "multi_thread")]
async fn faults_in_the_middle_of_an_upload_lose_nothing() {
    for what in FAULTS {
        let lab = Lab::with(slow(), doing(&Question::ALL)).await;
        let (film, body) = lab.film();
        let strike = async {
            first_part(&lab.server).await;
            lab.lie(what, 3);
        };
        let (stored, ()) = tokio::join!(lab.origin.put_file(film), strike);
        stored.unwrap_or_else(|error| panic!("{what:?}: {error}"));
        assert_eq!(lab.stored().unwrap(), body, "{what:?}");
        assert!(lab.server.calls(Call::Put) > 8, "{what:?} was met");
        lab.nothing_is_left().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn faults_at_the_end_of_an_upload_lose_nothing() {
    for what in FAULTS {
        let lab = Lab::with(slow(), doing(&Question::ALL)).await;
        let (film, body) = lab.film();
        let strike = async {
            while lab.server.parts() < 6 {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            lab.lie(what, 1);
        };
        let (stored, ()) = tokio::join!(lab.origin.put_file(film), strike);
        stored.unwrap_or_else(|error| panic!("{what:?}: {error}"));
        assert_eq!(lab.stored().unwrap(), body, "{what:?}");
        assert!(lab.server.calls(Call::Put) > 8, "{what:?} was met");
        lab.nothing_is_left().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_that_somebody_else_gave_up_is_not_done() {
    let lab = Lab::with(slow(), doing(&Question::ALL)).await;
    let (film, _) = lab.film();
    let strike = async {
        while lab.server.parts() < 6 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        lab.server.forget_uploads();
    };
    let (failed, ()) = tokio::join!(lab.origin.put_file(film), strike);
    let error = failed.unwrap_err();
    assert_eq!(error.kind, OriginErrorKind::Unavailable, "{error}");
    assert!(error.to_string().contains("NoSuchUpload"), "{error}");
    assert_eq!(lab.stored(), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_acknowledged_and_not_kept_contradicts_what_was_foretold() {
    for what in [What::Drop, What::StoreEmpty, What::StoreTruncated, What::StoreAltered] {
        let lab = Lab::new().await;
        let (film, _) = lab.film();
        lab.lie(what, 1);
        let stored = lab.origin.put_file(film.clone()).await.unwrap();
        let told = lab.origin.head(&film.key).await.unwrap();
        let as_foretold = |info: ObjectInfo| info.bytes == film.bytes && info.etag == stored.etag;
        assert!(!told.is_some_and(as_foretold), "{what:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_that_fails_is_given_up() {
    let lab = Lab::with(slow(), doing(&Question::ALL)).await;
    let (film, _) = lab.film();
    let strike = async {
        first_part(&lab.server).await;
        lab.lie(What::Full, 1_000);
    };
    let (failed, ()) = tokio::join!(lab.origin.put_file(film.clone()), strike);
    assert_eq!(failed.unwrap_err().kind, OriginErrorKind::Full);
    assert_eq!((lab.stored(), lab.server.unfinished().len()), (None, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_that_nobody_waits_for_any_more_is_given_up() {
    let lab = Lab::with(slow(), doing(&Question::ALL)).await;
    let (film, body) = lab.film();
    tokio::select! {
        stored = lab.origin.put_file(film.clone()) => panic!("too quick: {stored:?}"),
        () = first_part(&lab.server) => {}
    }
    lab.nothing_is_left().await;
    assert_eq!(lab.stored(), None);
    lab.origin.put_file(film).await.unwrap();
    assert_eq!(lab.stored().unwrap(), body);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_killed_process_left_is_given_up_by_the_next_upload() {
    let lab = Lab::new().await;
    let (film, _) = lab.film();
    let left = Upload::begin(&lab.origin, &film).await.unwrap();
    let other = PutFile { key: key("main/masters/film.mxf2"), ..film.clone() };
    let others = Upload::begin(&lab.origin, &other).await.unwrap();
    left.disarm();
    assert_eq!(lab.server.unfinished().len(), 2);
    lab.origin.put_file(film).await.unwrap();
    assert_eq!(lab.server.unfinished(), ["packages/main/masters/film.mxf2"], "that is another's");
    drop(others);
    lab.nothing_is_left().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_is_not_what_was_hashed_is_not_put_together() {
    let lab = Lab::new().await;
    let (film, body) = lab.film();
    for (what, bytes) in [
        ("altered", {
            let mut other = body.clone();
            other[SMALL as usize * 3] ^= 1;
            other
        }),
        ("shorter", body[..body.len() - 5].to_vec()),
        ("longer", [&body[..], b"more"].concat()),
    ] {
        std::fs::write(path_of(&film), bytes).unwrap();
        let error = lab.origin.put_file(film.clone()).await.unwrap_err();
        assert_eq!(error.kind, OriginErrorKind::Corrupt, "{what}: {error}");
        assert_eq!((lab.stored(), lab.server.unfinished().len()), (None, 0), "{what}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn parts_in_memory_are_few_however_long_the_file_is() {
    // An origin that takes nothing: whatever is read waits in memory.
    let lab = Lab::new().await;
    let (film, _) = lab.film();
    let long = SMALL as usize * 40;
    std::fs::write(path_of(&film), vec![7; long]).unwrap();
    let film = PutFile { bytes: long as u64, sha256: sha256(&vec![7; long]), ..film };
    let reader = Reader::open(&film, SMALL).await.unwrap();
    let held = reader
        .parts(film.key.clone(), 40)
        .map_ok(|_| std::future::pending::<Result<(), OriginError>>());
    let mut held = Box::pin(held.try_buffered(IN_FLIGHT));
    assert!(tokio::time::timeout(Duration::from_millis(300), held.next()).await.is_err());
    let left = reader.0.lock().unwrap().left;
    let read = (long as u64 - left) / SMALL;
    assert!(read <= IN_FLIGHT as u64 + 1, "{read} parts of 40 are in memory");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_origin_whose_etags_of_parts_mean_nothing_foretells_none() {
    // As R2 does: the MD5 for a single put, something of its own for parts.
    let questions: Vec<Question> =
        Question::ALL.into_iter().filter(|q| *q != Question::PartsEtagIsMd5).collect();
    let lab = Lab::with(Manners::default(), doing(&questions)).await;
    assert_eq!(lab.origin.grade(), ProofGrade::A);
    let (film, _) = lab.film();
    assert_eq!(lab.origin.put_file(film).await.unwrap().etag, None);
    let manners =
        Manners { etag_is_md5: false, checksums: Checksums::Ignored, ..Manners::default() };
    let lab = Lab::with(manners, Profile::default()).await;
    let found = lab.origin.probe().await.unwrap();
    assert!(found.does(Question::TakesParts) && !found.does(Question::PartsEtagIsMd5));
}
