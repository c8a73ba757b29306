//! The history as content ops read it.

use expect_test::{Expect, expect};

use super::*;
use crate::refusal::Code;

fn check(lines: &[Line<'_>], expected: Expect) {
    expected.assert_eq(&lines.iter().map(|line| format!("{line}\n")).collect::<String>());
}

#[test]
fn a_title_that_needs_a_second_try() {
    let refusal = Refusal::new(Code::TranscoderFailed, "the encoder crashed with signal 11");
    check(
        &[
            Line::Queued {
                version: Version(1),
                master_path: "/drop/film.mp4",
                pipeline: "vod-h264",
                reason: None,
            },
            Line::Made { kind: TaskKind::Audio(0), attempt: 1 },
            Line::TryAgain {
                kind: TaskKind::Span(0),
                attempt: 1,
                refusal: &refusal,
                wait_ms: 2_340,
            },
            Line::WorkerLost { kind: TaskKind::Span(1), worker: "w1" },
            Line::Restarted { tasks: 1 },
            Line::Made { kind: TaskKind::Span(0), attempt: 2 },
            Line::Sealed { objects: 1_234, bytes: 1_005_000 },
            Line::Proven { origins: &["local".to_owned()] },
            Line::Proven { origins: &["b2".to_owned(), "ibm".to_owned()] },
            Line::Published { version: Version(1) },
        ],
        expect![[r#"
            queued from /drop/film.mp4 with pipeline vod-h264
            audio 1 done
            span 1 failed (attempt 1), next try in 2.3 s: transcoder-failed: the encoder crashed with signal 11
            span 2 is back in the queue: worker w1 fell silent
            the service started again: 1 task back in the queue
            span 1 done (attempt 2)
            sealed: 1,234 objects, 1,005,000 bytes
            proven: origin local holds every object
            proven: origins b2, ibm hold every object
            published as v1
        "#]],
    );
}

#[test]
fn a_title_with_more_than_one_version() {
    let rejected = TitleState::refused(Refusal::new(Code::EmptyFile, "the file has no bytes"));
    let failed = TitleState::refused(Refusal::new(Code::DiskFull, "the origin has no space left"));
    check(
        &[
            Line::Queued {
                version: Version(2),
                master_path: "/drop/b.mp4",
                pipeline: "vod-h264",
                reason: Some("better grading"),
            },
            Line::GivenUp { version: Version(1), newer: Version(2) },
            Line::Ended { kind: TaskKind::Prepare, state: &rejected },
            Line::Ended { kind: TaskKind::Span(6), state: &failed },
            Line::Resumed { done: 7, left: 3 },
            Line::AlreadyPublished { version: Version(1) },
        ],
        expect![[r#"
            queued as v2 from /drop/b.mp4 with pipeline vod-h264 (better grading)
            v1 given up: v2 was asked for before it was done
            rejected: empty-file: the file has no bytes
            failed at span 7: disk-full: the origin has no space left
            taken up again: 7 tasks done before, 3 to do
            nothing to make: v1 was made from this master by this pipeline
        "#]],
    );
}

#[test]
fn numbers_are_grouped_by_thousands() {
    let counts = [0, 1, 999, 1_000, 1_588, 12_345_678];
    assert_eq!(
        counts.map(|n| counted(n, "frame")),
        ["0 frames", "1 frame", "999 frames", "1,000 frames", "1,588 frames", "12,345,678 frames"]
    );
}
