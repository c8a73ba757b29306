//! The sentence about a master in the archive.

use headwater_model::archive::MasterCopy;
use headwater_model::finding::FindingKind;
use headwater_model::id::Sha256;
use headwater_model::key::ObjectKey;
use headwater_model::refusal::{Code, Refusal};

use super::*;

fn said(
    copy: Option<Option<Timestamp>>,
    archiving: Archiving,
    wrong: Option<FindingKind>,
) -> String {
    let sha256 = Sha256([1; 32]);
    let stored = MasterCopy {
        origin: "glacier".to_owned(),
        key: ObjectKey::new("main/masters/a.mp4").unwrap(),
        bytes: 1,
        sha256,
        etag: None,
        storage_class: None,
    };
    let copy = copy.map(|proven| (stored, proven));
    let known = MasterRecord { sha256, package: None, path: String::new(), copy, archiving };
    let wrong = wrong.map(|kind| Finding {
        origin: "glacier".to_owned(),
        object: "main/masters/a.mp4".to_owned(),
        kind,
    });
    let report = ArchiveReport::new("glacier", "film", &known, wrong.as_ref());
    assert_eq!(report.proven, wrong.is_none() && report.proven_at.is_some());
    report.message
}

#[test]
fn where_a_master_stands_is_one_sentence() {
    let away = || Refusal::new(Code::OriginUnavailable, "it is away");
    let at = Timestamp(1_767_225_600_000);
    for (copy, archiving, sentence) in [
        (Some(Some(at)), Archiving::Idle, "archived on glacier, proven at 2026-01-01 00:00:00Z"),
        (
            Some(Some(at)),
            Archiving::GivenUp(away()),
            "archived on glacier, proven at 2026-01-01 00:00:00Z; `headwater heal film` sends it once this is put right: origin-unavailable: it is away",
        ),
        (
            Some(None),
            Archiving::Idle,
            "found on glacier, where it was not proven since the catalog was rebuilt",
        ),
        (None, Archiving::UnderWay(None), "not archived on glacier yet; it is on its way"),
        (
            None,
            Archiving::UnderWay(Some(away())),
            "not archived on glacier yet; it is tried again: origin-unavailable: it is away",
        ),
        (
            None,
            Archiving::GivenUp(away()),
            "not archived on glacier yet; `headwater heal film` sends it once this is put right: origin-unavailable: it is away",
        ),
        (None, Archiving::Idle, "not archived on glacier yet; `headwater heal film` sends it"),
    ] {
        assert_eq!(said(copy, archiving, None), sentence);
    }
    assert_eq!(
        said(Some(Some(at)), Archiving::Idle, Some(FindingKind::Missing)),
        "the copy `main/masters/a.mp4` on origin glacier is missing, and was proven at 2026-01-01 00:00:00Z; `headwater heal film` sends it"
    );
}
