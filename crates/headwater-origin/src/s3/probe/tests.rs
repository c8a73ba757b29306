//! What a probe makes of servers that behave in every way that is known of vendors.

use headwater_lying_origin::{Call, Checksums, Conditions, Lie, LyingOrigin, Manners, What};
use headwater_model::origin::ProofGrade;
use headwater_ports::origin::{Before, Origin, Put};
use headwater_testkit::digest::put;

use super::super::tests::origin;
use super::*;

/// What a probe says about a server, as a person would note it.
async fn probed(manners: Manners) -> (ProofGrade, Vec<String>) {
    let server = LyingOrigin::start(manners).await.unwrap();
    probed_on(&server).await
}

async fn probed_on(server: &LyingOrigin) -> (ProofGrade, Vec<String>) {
    let profile = origin(server, Profile::default()).await.probe().await.unwrap();
    assert_eq!(server.keys(), Vec::<String>::new(), "something was left behind");
    let asked: Vec<_> = profile.answers.iter().map(|answer| answer.question).collect();
    assert_eq!(asked, Question::ALL);
    let not = profile.answers.iter().filter(|answer| !answer.yes);
    let not = not.map(|answer| format!("{}: {}", answer.question, answer.note)).collect();
    (profile.grade(), not)
}

#[tokio::test]
async fn a_probe_of_a_strict_origin() {
    assert_eq!(probed(Manners::default()).await, (ProofGrade::A, vec![]));
}

#[tokio::test]
async fn a_probe_of_an_origin_that_knows_no_checksums() {
    let manners = Manners { checksums: Checksums::Refused, ..Manners::default() };
    let (grade, not) = probed(manners).await;
    assert_eq!(grade, ProofGrade::B);
    assert_eq!(
        not,
        [
            "refuses a wrong SHA-256 checksum: not even a right one is taken: InvalidRequest",
            "returns the SHA-256 checksum in HEAD: ",
        ]
    );
}

#[tokio::test]
async fn a_checksum_that_is_echoed_proves_nothing() {
    let manners = Manners {
        checksums: Checksums::Echoed,
        enforces_md5: false,
        checks_signatures: false,
        conditions: Conditions::Ignored,
        ..Manners::default()
    };
    let (grade, not) = probed(manners).await;
    assert_eq!(grade, ProofGrade::C);
    assert_eq!(
        not,
        [
            "refuses a wrong Content-MD5: it was taken",
            "refuses a body of another hash than was signed: it was taken",
            "refuses a wrong SHA-256 checksum: it was taken",
            "honours If-None-Match on puts: it was taken",
            "honours If-Match on puts: it was taken",
        ]
    );
}

#[tokio::test]
async fn an_etag_that_is_no_md5_is_grade_c_without_checksums() {
    let manners = Manners {
        checksums: Checksums::Ignored,
        etag_is_md5: false,
        lists_etags: false,
        ..Manners::default()
    };
    let (grade, not) = probed(manners).await;
    assert_eq!(grade, ProofGrade::C);
    assert!(not.iter().any(|line| line.starts_with("ETag is the MD5: it is ")), "{not:?}");
}

/// Enforces nothing, and its ETag is the MD5 all the same.
fn careless() -> Manners {
    Manners {
        checksums: Checksums::Ignored,
        enforces_md5: false,
        checks_signatures: false,
        ..Manners::default()
    }
}

#[tokio::test]
async fn an_origin_that_refuses_everything_enforces_nothing() {
    for (lie, note) in [
        (What::Answer(Call::Put, 400, "InvalidRequest"), "not even a right one is taken"),
        (What::Answer(Call::Put, 403, "AccessDenied"), "not even a right one is taken"),
    ] {
        let server = LyingOrigin::start(careless()).await.unwrap();
        for containing in ["-md5", "-hash", "-checksum"] {
            server.lie(Lie { what: lie, containing: containing.to_owned(), times: None });
        }
        let (grade, not) = probed_on(&server).await;
        assert_eq!(grade, ProofGrade::C, "{not:?}");
        assert_eq!(not.iter().filter(|line| line.contains(note)).count(), 3, "{not:?}");
    }
}

#[tokio::test]
async fn a_refusal_that_is_not_about_the_content_proves_nothing() {
    for (status, code) in [(403, "AccessDenied"), (404, "NoSuchKey"), (405, ""), (500, "Oops")] {
        let server = LyingOrigin::start(careless()).await.unwrap();
        let what = What::Answer(Call::Put, status, code);
        server.lie(Lie { what, containing: "wrong-".to_owned(), times: None });
        let (grade, not) = probed_on(&server).await;
        assert_eq!(grade, ProofGrade::C, "{not:?}");
        let as_else = |line: &&String| line.contains(": it is refused as something else: ");
        assert_eq!(not.iter().filter(as_else).count(), 3, "{not:?}");
    }
}

#[tokio::test]
async fn an_origin_that_is_full_has_no_profile() {
    let server = LyingOrigin::start(careless()).await.unwrap();
    server.lie(Lie { what: What::Full, containing: "wrong-md5".to_owned(), times: None });
    let unusable = origin(&server, Profile::default()).await.probe().await.unwrap_err();
    let says = "there is no space left in the bucket `media` (507 XMinioStorageFull";
    assert!(unusable.problem.starts_with(says), "{unusable}");
    assert_eq!(server.keys(), Vec::<String>::new(), "something was left behind");
}

#[tokio::test]
async fn a_condition_that_is_not_understood_is_not_honoured_and_not_sent() {
    for conditions in [Conditions::Refused, Conditions::NotImplemented] {
        let manners = Manners { conditions, ..Manners::default() };
        let server = LyingOrigin::start(manners).await.unwrap();
        let (grade, not) = probed_on(&server).await;
        assert_eq!((grade, not.len()), (ProofGrade::A, 2), "{not:?}");
        let line = |line: &String| line.contains("on puts: it is not understood: ");
        assert!(not.iter().all(line), "{not:?}");
        let origin = origin(&server, Profile::default()).await;
        origin.goes_by(origin.probe().await.unwrap());
        for before in [Before::Nothing, Before::Etag("\"1\"".to_owned())] {
            origin.put(Put { before, ..put("film/index.m3u8", "x") }).await.unwrap();
        }
    }
}

#[tokio::test]
async fn what_passes_does_not_end_a_probe() {
    let server = LyingOrigin::start(Manners::default()).await.unwrap();
    for what in [
        What::SlowDown(Call::Put, 0),
        What::Fail(Call::Put),
        What::Reset(Call::Head),
        What::SlowDown(Call::List, 0),
        What::Reset(Call::Get),
        What::Fail(Call::Delete),
    ] {
        server.lie(Lie { what, containing: String::new(), times: Some(2) });
    }
    assert_eq!(probed_on(&server).await, (ProofGrade::A, vec![]));
}

#[tokio::test]
async fn an_origin_that_mangles_keys_is_left_as_clean_as_any() {
    let server = LyingOrigin::start(Manners::default()).await.unwrap();
    server.lie(Lie { what: What::MangleKeys, containing: String::new(), times: None });
    let (grade, not) = probed_on(&server).await;
    assert_eq!((grade, not.len()), (ProofGrade::A, 1), "{not:?}");
    assert!(not[0].starts_with("keeps odd characters in keys: ["), "{not:?}");
}

#[tokio::test]
async fn a_probe_that_is_cut_off_leaves_no_parts_behind() {
    let manners = Manners { latency: Duration::from_millis(20), ..Manners::default() };
    let server = LyingOrigin::start(manners).await.unwrap();
    let origin = origin(&server, Profile::default()).await;
    let strike = async {
        while server.parts() == 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        // There is no space for the other part, and what is there is not given up at once.
        for what in [What::Full, What::Answer(Call::Other, 403, "AccessDenied")] {
            server.lie(Lie { what, containing: "parts".to_owned(), times: Some(1) });
        }
    };
    let (probed, ()) = tokio::join!(origin.probe(), strike);
    let unusable = probed.unwrap_err();
    assert!(unusable.problem.starts_with("there is no space left"), "{unusable}");
    assert_eq!((server.keys().len(), server.unfinished().len()), (0, 0));
}
