//! The life of a title as a table.

use super::*;
use crate::refusal::Code;

#[test]
fn each_outcome_leads_on() {
    let made = Outcome::Made { objects: vec![], codecs: vec![], cpu_ms: 0 };
    let sealed = Outcome::Sealed { inventory: Sha256([0; 32]), objects: 1, bytes: 1 };
    for (outcome, left, state, tasks) in [
        (&made, 2, TitleState::Transcoding, vec![]),
        (&made, 0, TitleState::Sealing, vec![TaskKind::Seal]),
        (&sealed, 0, TitleState::Verifying, vec![TaskKind::Verify]),
        (&Outcome::Proven, 0, TitleState::Publishing, vec![TaskKind::Publish]),
        (&Outcome::Published, 0, TitleState::Published, vec![]),
    ] {
        assert_eq!(after(outcome, left), Next { state, tasks }, "{outcome:?} with {left} left");
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
