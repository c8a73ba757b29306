//! What a submission, a failure and a lost lease lead to, as tables.

use super::*;
use crate::id::{Sha256, Tenant};
use crate::quality::Verdict;

fn submitted(path: &str, again: bool) -> NewTitle {
    NewTitle {
        tenant: Tenant::default(),
        title: crate::id::TitleId::from_file_name("film.mp4"),
        master_path: path.into(),
        pipeline: "vod-h264".into(),
        pool: "cpu".to_owned(),
        priority: None,
        again,
        remake: None,
        reason: None,
    }
}

fn check(state: TitleState, planned: bool, path: &str, again: bool) -> Submission {
    let newest =
        Newest { state: &state, master_path: "/drop/film.mp4", pipeline: "vod-h264", planned };
    submission(Some(newest), &submitted(path, again))
}

#[test]
fn a_submission_meets_the_newest_package() {
    let failed = |code| TitleState::refused(Refusal::new(code, "why"));
    let (next, instead) =
        (Submission::NewVersion { gives_up: false }, Submission::NewVersion { gives_up: true });
    assert_eq!(submission(None, &submitted("/drop/film.mp4", false)), next);
    for (state, planned, same_path, again, expected) in [
        (TitleState::Queued, false, true, false, Submission::InProgress),
        (TitleState::Verifying, true, true, true, Submission::InProgress),
        (TitleState::Transcoding, true, false, false, instead),
        (TitleState::Publishing, true, false, false, next),
        (TitleState::Published, true, true, false, next),
        (failed(Code::EmptyFile), false, true, false, Submission::Resume),
        (failed(Code::EmptyFile), false, false, false, next),
        (failed(Code::DiskFull), true, true, false, Submission::Resume),
        (failed(Code::DiskFull), true, true, true, next),
        (failed(Code::NotProven), true, true, false, Submission::Resume),
        (failed(Code::DamagedMaster), true, true, false, next),
        (failed(Code::MasterChanged), true, true, false, next),
    ] {
        let path = if same_path { "/drop/film.mp4" } else { "/drop/better.mp4" };
        let got = check(state.clone(), planned, path, again);
        assert_eq!(got, expected, "{state:?} planned {planned} {path} again {again}");
    }
}

fn lease(token: i64) -> Lease {
    Lease { task: 1, token, until: Timestamp(0) }
}

#[test]
fn a_passing_fault_is_tried_three_times() {
    let failure = |retry| Failure {
        refusal: Refusal::new(Code::TranscoderFailed, "why"),
        retry,
        last_words: None,
    };
    let at = |retry, failures| {
        try_again_at(&failure(retry), failures, &lease(1), Timestamp(0)).map(|t| t.0)
    };
    assert!((2_000..=3_000).contains(&at(Retry::Later, 1).unwrap()));
    assert!((8_000..=12_000).contains(&at(Retry::Later, 2).unwrap()));
    assert_eq!((at(Retry::Later, 3), at(Retry::Never, 1)), (None, None));
    assert!(at(Retry::Patiently, 39).is_some() && at(Retry::Patiently, 40).is_none());
    assert_eq!(at(Retry::NewVersion(Box::new(part_of(1, true))), 1), None);
}

fn part_of(base: u32, heals: bool) -> Remake {
    let (from_ms, to_ms, reason) = (None, None, None);
    let renditions = vec!["video-360p".to_owned()];
    Remake { base: Version(base), renditions, from_ms, to_ms, reason, heals }
}

#[test]
fn what_is_lost_is_replaced_once_and_only_in_what_viewers_get() {
    let failed = TitleState::refused(Refusal::new(Code::DiskFull, "why"));
    let live = TitleState::Published;
    let check = |live, newest: (u32, &TitleState), remakes: &[(Version, Remake)]| {
        let newest = (Version(newest.0), newest.1);
        let why = replacement(&part_of(2, true), Replaced { live, newest, remakes });
        why.map_or_else(|why| why, |()| "yes".to_owned())
    };
    let two = Some(Version(2));
    let before = |base, heals| [(Version(9), part_of(base, heals))];
    assert_eq!(check(two, (2, &live), &[]), "yes");
    assert_eq!(check(two, (2, &live), &before(1, true)), "yes", "that was another version");
    assert_eq!(check(two, (2, &live), &before(2, false)), "yes", "a person asked for that");
    assert_eq!(check(two, (3, &failed), &[]), "yes");
    assert_eq!(check(two, (3, &TitleState::Sealing), &[]), "v3 is being made already");
    assert_eq!(check(Some(Version(4)), (4, &live), &[]), "viewers get v4 by now");
    let told = "v9 was to take the place of v2 and viewers do not get it";
    assert_eq!(check(two, (9, &failed), &before(2, true)), told);
    assert_eq!(check(two, (9, &TitleState::Queued), &before(2, true)), told);
}

#[test]
fn a_part_of_a_title_that_is_cut_otherwise_is_told() {
    let plan = crate::plan::tests::any();
    let part = Plan {
        base: Some(crate::plan::Base { version: Version(2), kept: vec![], copied: vec![] }),
        ..plan.clone()
    };
    assert_eq!(cut_otherwise(Some(&part_of(2, true)), &plan), Some(Version(2)));
    assert_eq!(cut_otherwise(Some(&part_of(2, true)), &part), None);
    let whole = Remake { renditions: vec![], ..part_of(2, true) };
    assert_eq!(cut_otherwise(Some(&whole), &plan), None, "that is what was asked for");
    assert_eq!(cut_otherwise(None, &plan), None);
}

#[test]
fn tasks_that_fail_together_do_not_come_back_together() {
    let waits: std::collections::BTreeSet<u32> = (0..50).map(|n| jitter(&lease(n))).collect();
    assert!(waits.len() > 25 && waits.iter().all(|j| *j <= 100), "{waits:?}");
}

#[test]
fn ten_dead_workers_are_forgiven() {
    assert_eq!(lost_too_often(TaskKind::Span(2), 10), None);
    assert_eq!(
        lost_too_often(TaskKind::Span(2), 11).unwrap().to_string(),
        "internal: span 3 was started 11 times and each time its worker fell silent before it was done"
    );
}

#[test]
fn only_the_verifier_proves() {
    let sealed = Outcome::Sealed {
        inventory: Sha256([0; 32]),
        objects: 1,
        bytes: 1,
        verdict: Verdict::default(),
    };
    assert!(answers(TaskKind::Verify, &Outcome::Proven { origins: vec![] }));
    assert!(!answers(TaskKind::Span(0), &Outcome::Proven { origins: vec![] }));
    assert!(answers(TaskKind::Seal, &sealed));
    assert!(!answers(TaskKind::Verify, &sealed));
}

#[test]
fn working_time_stands_still_when_nothing_is_worked_on() {
    let planned = Progress { spans: 2, frames: 100, duration_ms: 4_000, ..Progress::default() };
    let check = |done, finished: i64, state: &TitleState| {
        let tally = SpanTally {
            done,
            frames_done: 120,
            started: Some(Timestamp(1_000)),
            finished: Some(Timestamp(finished)),
        };
        progress(planned, tally, state, Timestamp(5_000), Timestamp(9_000)).working_ms
    };
    let failed = TitleState::refused(Refusal::new(Code::DiskFull, ""));
    assert_eq!(check(1, 3_000, &TitleState::Transcoding), 8_000, "until now");
    assert_eq!(check(2, 3_000, &TitleState::Sealing), 2_000, "until the last span was done");
    assert_eq!(check(1, 3_000, &failed), 4_000, "until it failed");
    let none = progress(planned, SpanTally::default(), &failed, Timestamp(5), Timestamp(9));
    assert_eq!((none.working_ms, none.frames), (0, 100));
}
