//! The life of a title as a table.

use super::*;
use crate::archive::MasterCopy;
use crate::key::ObjectKey;
use crate::quality::Verdict;
use crate::refusal::Code;

#[test]
fn each_outcome_leads_on() {
    let made = Outcome::Made { objects: vec![], codecs: vec![], cpu_ms: 0, seen: Seen::default() };
    let sealed = Outcome::Sealed {
        inventory: Sha256([0; 32]),
        objects: 1,
        bytes: 1,
        verdict: Verdict::default(),
    };
    for (outcome, left, state, tasks) in [
        (&made, 2, TitleState::Transcoding, vec![]),
        (&made, 0, TitleState::Sealing, vec![TaskKind::Seal]),
        (&sealed, 0, TitleState::Verifying, vec![TaskKind::Verify]),
        (&Outcome::Proven { origins: vec![] }, 0, TitleState::Publishing, vec![TaskKind::Publish]),
        (&Outcome::Published { pointers: vec![] }, 0, TitleState::Published, vec![]),
    ] {
        assert_eq!(
            after(outcome, left, Work::Making),
            Next { state: Some(state), tasks },
            "{outcome:?} with {left} left"
        );
    }
}

#[test]
fn a_master_is_archived_beside_whatever_the_title_does() {
    let copy = MasterCopy {
        origin: "glacier".to_owned(),
        key: ObjectKey::new("main/masters/a.mp4").unwrap(),
        bytes: 1,
        sha256: Sha256([1; 32]),
        etag: None,
        storage_class: None,
    };
    for (left, work) in [(0, Work::Making), (3, Work::Making), (0, Work::Healing)] {
        let next = after(&Outcome::Archived { copy: copy.clone() }, left, work);
        assert_eq!(next, Next { state: None, tasks: vec![] });
    }
}

#[test]
fn viewers_keep_a_title_while_it_is_healed() {
    let made = Outcome::Made { objects: vec![], codecs: vec![], cpu_ms: 0, seen: Seen::default() };
    let healed = Outcome::Healed { pointers: vec![] };
    let sealed = Outcome::Sealed {
        inventory: Sha256([0; 32]),
        objects: 1,
        bytes: 1,
        verdict: Verdict::default(),
    };
    for (outcome, left, work, tasks) in [
        (&made, 1, Work::Healing, vec![]),
        (&made, 0, Work::Healing, vec![TaskKind::Heal]),
        (&healed, 0, Work::Healing, vec![]),
        (&made, 1, Work::Resealing, vec![]),
        (&made, 0, Work::Resealing, vec![TaskKind::Seal]),
        (&sealed, 0, Work::Resealing, vec![TaskKind::Heal]),
    ] {
        let next = after(outcome, left, work);
        assert_eq!(
            next,
            Next { state: Some(TitleState::Published), tasks },
            "{outcome:?}, {left} left"
        );
    }
}

#[test]
fn only_a_bad_master_is_rejected() {
    assert!(matches!(
        TitleState::refused(Refusal::new(Code::NoVideoTrack, "")),
        TitleState::Rejected(_)
    ));
    assert!(matches!(TitleState::refused(Refusal::new(Code::DiskFull, "")), TitleState::Failed(_)));
}
