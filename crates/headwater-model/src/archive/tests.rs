//! Keys of copies, and what an origin's word about one is worth.

use super::*;

fn sha256() -> Sha256 {
    Sha256([0xab; 32])
}

#[test]
fn a_key_is_the_content_and_an_extension_for_people() {
    let tenant = Tenant::default();
    let hex = "ab".repeat(32);
    for (path, extension) in [
        ("/drop/film.MOV", "mov"),
        ("/drop/film.final.mxf", "mxf"),
        ("/drop.d/film", "bin"),
        ("/drop/film.", "bin"),
        ("/drop/film.ümlaut", "bin"),
        ("/drop/Dr. Strange and friends", "bin"),
        ("", "bin"),
    ] {
        let key = key_of(&tenant, sha256(), path).unwrap();
        assert_eq!(key.as_str(), format!("main/masters/{hex}.{extension}"), "{path}");
        assert_eq!(master_of(&tenant, &key), Some(sha256()));
    }
    for other in ["main/masters/film.mov", "other/masters/ab.mov", "main/film/v1/seg-00001.m4s"] {
        assert_eq!(master_of(&tenant, &ObjectKey::new(other).unwrap()), None, "{other}");
    }
}

#[test]
fn an_origin_proves_a_copy_by_its_hash_or_by_the_etag_of_its_bytes() {
    let some = |text: &str| Some(text.to_owned());
    let expected = Expected {
        bytes: 10,
        sha256: sha256(),
        etag: some("\"e-2\""),
        storage_class: some("DEEP_ARCHIVE"),
    };
    let told = Told { bytes: 10, sha256: None, etag: some("\"e-2\""), storage_class: None };
    let wrong = |kind| Word::Contradicts(kind);
    let class = FindingKind::OtherClass {
        expected: "DEEP_ARCHIVE".to_owned(),
        found: "STANDARD".to_owned(),
    };
    let etag =
        FindingKind::OtherEtag { expected: "\"e-2\"".to_owned(), found: "\"f-2\"".to_owned() };
    let other = Sha256([1; 32]);
    for (told, word) in [
        (told.clone(), Word::Proves),
        (Told { storage_class: some("DEEP_ARCHIVE"), ..told.clone() }, Word::Proves),
        (Told { storage_class: some("STANDARD"), ..told.clone() }, wrong(class)),
        (Told { etag: some("\"f-2\""), ..told.clone() }, wrong(etag)),
        (Told { etag: None, ..told.clone() }, Word::SaysNothing),
        // A hash says more than an ETag.
        (Told { sha256: Some(sha256()), etag: some("x"), ..told.clone() }, Word::Proves),
        (
            Told { sha256: Some(other), ..told.clone() },
            wrong(FindingKind::Altered { expected: sha256(), found: other }),
        ),
        (Told { bytes: 0, ..told.clone() }, wrong(FindingKind::Empty { expected: Some(10) })),
        (
            Told { bytes: 9, ..told.clone() },
            wrong(FindingKind::Truncated { expected: 10, found: 9 }),
        ),
    ] {
        assert_eq!(judge(&expected, &told), word, "{told:?}");
    }
    let silent = Expected { etag: None, ..expected };
    assert_eq!(judge(&silent, &told), Word::SaysNothing, "nothing to compare with");
}
