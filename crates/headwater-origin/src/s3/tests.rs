//! The contract on an S3 server of every grade, and what only a server that misbehaves can show.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::StreamExt;
use futures_util::stream;
use headwater_lying_origin::{Call, Checksums, Lie, LyingOrigin, Manners, What};
use headwater_model::origin::Answer;
use headwater_ports::origin::OriginErrorKind;
use headwater_testkit::digest::{key, put};
use headwater_testkit::origin_suite::origin_suite;

use super::*;

/// What an origin that does these things is found to do.
pub(super) fn doing(questions: &[Question]) -> Profile {
    let answers =
        questions.iter().map(|&question| Answer { question, yes: true, note: String::new() });
    Profile { answers: answers.collect() }
}

fn grade_a() -> Profile {
    doing(&Question::ALL)
}

fn grade_b() -> Profile {
    doing(&[Question::RefusesWrongMd5, Question::RefusesWrongSignedHash, Question::EtagIsMd5])
}

pub(super) fn settings(server: &LyingOrigin) -> S3Settings {
    S3Settings {
        name: "lab".to_owned(),
        bucket: server.manners().bucket.clone(),
        prefix: "packages/".to_owned(),
        endpoint: Some(server.endpoint()),
        region: Some(server.manners().region.clone()),
        path_style: true,
        storage_class: None,
        public_url: None,
        credentials: Some(Credentials {
            access_key: LyingOrigin::ACCESS_KEY.to_owned(),
            secret_key: LyingOrigin::SECRET_KEY.to_owned(),
            session_token: None,
        }),
    }
}

pub(super) async fn origin(server: &LyingOrigin, profile: Profile) -> S3Origin {
    S3Origin::new(settings(server), profile).await
}

async fn contract(manners: Manners, profile: Profile) {
    let server = LyingOrigin::start(Manners { page: 3, ..manners }).await.unwrap();
    origin_suite(Arc::new(origin(&server, profile).await)).await;
    assert!(server.keys().iter().all(|key| key.starts_with("packages/")), "below the prefix");
}

#[tokio::test]
async fn grade_a_keeps_the_contract() {
    contract(Manners::default(), grade_a()).await;
}

#[tokio::test]
async fn grade_b_keeps_the_contract() {
    contract(Manners { checksums: Checksums::Refused, ..Manners::default() }, grade_b()).await;
}

#[tokio::test]
async fn grade_c_keeps_the_contract() {
    let manners = Manners {
        checksums: Checksums::Ignored,
        enforces_md5: false,
        checks_signatures: false,
        etag_is_md5: false,
        lists_etags: false,
        ..Manners::default()
    };
    contract(manners, Profile::default()).await;
}

#[tokio::test]
async fn what_passes_is_tried_again() {
    let server = LyingOrigin::start(Manners::default()).await.unwrap();
    let origin = origin(&server, grade_a()).await;
    let lies = [
        What::Fail(Call::Put),
        What::Reset(Call::Put),
        What::SlowDown(Call::Put, 0),
        What::Fail(Call::Get),
        What::Reset(Call::Get),
        What::Reset(Call::Head),
        What::SlowDown(Call::List, 1),
        What::Fail(Call::Delete),
    ];
    for what in lies {
        server.lie(Lie { what, containing: String::new(), times: Some(2) });
    }
    let body = vec![7; 300_000];
    origin.put(put("film/v1/seg-00001.m4s", body.clone())).await.unwrap();
    assert_eq!(origin.get(&key("film/v1/seg-00001.m4s"), None).await.unwrap(), body);
    assert!(origin.head(&key("film/v1/seg-00001.m4s")).await.unwrap().is_some());
    let asked = Instant::now();
    assert_eq!(origin.list("film/", None).await.unwrap().objects.len(), 1);
    assert!(asked.elapsed() >= Duration::from_secs(2), "Retry-After is honoured");
    origin.delete(&key("film/v1/seg-00001.m4s")).await.unwrap();
    assert_eq!(server.calls(Call::Put), 7, "each of three troubles came twice");
}

#[tokio::test]
async fn what_does_not_pass_is_said_at_once() {
    let server = LyingOrigin::start(Manners::default()).await.unwrap();
    let cases = [
        (What::ExpireCredentials, OriginErrorKind::Denied, "ExpiredToken"),
        (What::SkewClock, OriginErrorKind::Denied, "RequestTimeTooSkewed"),
        (What::Full, OriginErrorKind::Full, "XMinioStorageFull"),
        (What::RefuseChecksums, OriginErrorKind::Denied, "Unsupported header"),
    ];
    for (what, kind, says) in cases {
        let origin = origin(&server, grade_a()).await;
        server.lie(Lie { what, containing: String::new(), times: None });
        let error = origin.put(put("film/a", "x")).await.unwrap_err();
        server.be_honest();
        assert_eq!(error.kind, kind, "{error}");
        assert!(error.to_string().contains(says), "{error}");
    }
}

#[tokio::test]
async fn mistakes_of_the_configuration_are_said_at_once_and_without_secrets() {
    let server = LyingOrigin::start(Manners::default()).await.unwrap();
    let right = settings(&server);
    let wrong_secret = Credentials {
        access_key: LyingOrigin::ACCESS_KEY.to_owned(),
        secret_key: "not-the-secret".to_owned(),
        session_token: None,
    };
    let cases = [
        (S3Settings { bucket: "no-such-bucket".to_owned(), ..right.clone() }, "NoSuchBucket"),
        (S3Settings { region: Some("mars-1".to_owned()), ..right.clone() }, "expecting 'lab-1'"),
        (S3Settings { credentials: Some(wrong_secret), ..right.clone() }, "SignatureDoesNotMatch"),
    ];
    for (settings, says) in cases {
        assert!(!format!("{settings:?}").contains("secret"), "{settings:?}");
        let error = S3Origin::new(settings, grade_a()).await.put(put("a", "x")).await.unwrap_err();
        assert_eq!(error.kind, OriginErrorKind::Denied, "{error}");
        assert!(error.to_string().contains(says), "{error}");
        assert!(!error.to_string().contains("not-the-secret"), "{error}");
    }
}

/// What `reach` says about settings, without the words of the origin.
async fn unusable(settings: S3Settings) -> String {
    let began = Instant::now();
    let problem = S3Origin::new(settings, Profile::default()).await.reach().await.unwrap_err();
    assert!(began.elapsed() < reach::LIMIT + Duration::from_secs(1), "{problem}");
    assert!(!problem.to_string().contains("not-the-secret") && !problem.hint.is_empty());
    problem.problem.split(" (").next().unwrap_or_default().to_owned()
}

#[tokio::test]
async fn who_only_looks_stores_nothing() {
    let server = LyingOrigin::start(Manners::default()).await.unwrap();
    let right = settings(&server);
    S3Origin::new(right.clone(), Profile::default()).await.reach_to_read().await.unwrap();
    assert_eq!(server.calls(Call::Put), 0);
    let bucket = S3Settings { bucket: "no-such-bucket".to_owned(), ..right };
    let bucket = S3Origin::new(bucket, Profile::default()).await;
    let told = bucket.reach_to_read().await.unwrap_err().to_string();
    assert!(told.starts_with("origin lab: there is no bucket `no-such-bucket`"), "{told}");
}

#[tokio::test]
async fn what_is_wrong_with_an_origin_is_one_sentence() {
    let server = LyingOrigin::start(Manners::default()).await.unwrap();
    let right = settings(&server);
    S3Origin::new(right.clone(), Profile::default()).await.reach().await.unwrap();
    assert_eq!(server.keys(), Vec::<String>::new(), "nothing is left behind");
    let credentials = |access: &str, secret: &str| {
        Some(Credentials {
            access_key: access.to_owned(),
            secret_key: secret.to_owned(),
            session_token: None,
        })
    };
    let bucket = S3Settings { bucket: "no-such-bucket".to_owned(), ..right.clone() };
    assert!(
        unusable(bucket).await.starts_with("there is no bucket `no-such-bucket` at http://127")
    );
    let region = S3Settings { region: Some("mars-1".to_owned()), ..right.clone() };
    assert_eq!(unusable(region).await, "the bucket `media` is not in the region `mars-1`");
    let key = credentials("NOBODY", "not-the-secret");
    let key = S3Settings { credentials: key, ..right.clone() };
    assert_eq!(unusable(key).await, "the access key is not known there");
    let secret = credentials(LyingOrigin::ACCESS_KEY, "not-the-secret");
    let secret = S3Settings { credentials: secret, ..right.clone() };
    assert_eq!(unusable(secret).await, "the secret key does not belong to the access key");
    // Nobody listens on the discard port.
    let host = S3Settings { endpoint: Some("http://127.0.0.1:9".to_owned()), ..right.clone() };
    assert_eq!(unusable(host).await, "http://127.0.0.1:9 cannot be reached");

    let no_list = Manners { allows_listing: false, ..Manners::default() };
    let no_list = LyingOrigin::start(no_list).await.unwrap();
    let told = unusable(settings(&no_list)).await;
    assert_eq!(told, "the credentials may not list the bucket `media`");
    let class = Some("STANDARD_IA".to_owned());
    let no_classes = Manners { has_classes: false, ..Manners::default() };
    let no_classes = LyingOrigin::start(no_classes).await.unwrap();
    let told = unusable(S3Settings { storage_class: class, ..settings(&no_classes) }).await;
    assert_eq!(told, "it does not take objects of storage class `STANDARD_IA`");
    for (what, says) in [
        (
            What::Answer(Call::Get, 403, "AccessDenied"),
            "the credentials may not read objects of the bucket `media`",
        ),
        (What::ExpireCredentials, "the credentials have expired"),
        (What::SkewClock, "the clock of this machine is off by more than the origin allows"),
        (What::Full, "there is no space left in the bucket `media`"),
    ] {
        server.lie(Lie { what, containing: String::new(), times: None });
        assert_eq!(unusable(right.clone()).await, says);
        server.be_honest();
        assert_eq!(server.keys(), Vec::<String>::new(), "nothing is left behind");
    }
}

#[tokio::test]
async fn a_silent_origin_is_given_ten_seconds() {
    let server = LyingOrigin::start(Manners::default()).await.unwrap();
    server.lie(Lie { what: What::Hang(Call::List), containing: String::new(), times: None });
    assert!(unusable(settings(&server)).await.ends_with(" did not answer within 10 s"));
}

#[tokio::test]
async fn an_answer_that_contradicts_what_was_sent_is_no_success() {
    // Whatever the origin is told to make of it: its ETag is not the MD5 of what went up.
    let manners = Manners { etag_is_md5: false, ..Manners::default() };
    let server = LyingOrigin::start(manners).await.unwrap();
    let origin = origin(&server, grade_b()).await;
    let error = origin.put(put("film/a", "x")).await.unwrap_err();
    assert_eq!(error.kind, OriginErrorKind::Corrupt, "{error}");
}

/// 2,000 uploads against a limiter that lets in 200 a second.
async fn under_a_limiter(in_flight: usize) {
    const UPLOADS: usize = 2_000;
    let manners = Manners { puts_per_second: Some(200), ..Manners::default() };
    let server = LyingOrigin::start(manners).await.unwrap();
    let origin = origin(&server, grade_a()).await;
    let began = Instant::now();
    let uploads = stream::iter(0..UPLOADS).map(|n| {
        let origin = &origin;
        async move { origin.put(put(&format!("film/{n}"), vec![1; 1000])).await }
    });
    let lost = uploads.buffer_unordered(in_flight).filter(|r| std::future::ready(r.is_err()));
    assert_eq!(lost.count().await, 0);
    let rate = UPLOADS as f64 / began.elapsed().as_secs_f64();
    let refused = server.calls(Call::Put) - UPLOADS as u64;
    assert_eq!(server.keys().len(), UPLOADS);
    // On a quiet machine it is more than 190 (`cargo xtask bench origin`); this has to hold beside a compiler.
    assert!(rate >= 140.0, "{rate:.0} a second, {refused} refused");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_limiter_loses_nothing_with_64_in_flight() {
    under_a_limiter(64).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_limiter_loses_nothing_with_400_in_flight() {
    under_a_limiter(400).await;
}

#[tokio::test]
async fn what_an_origin_does_not_know_is_tried_once() {
    let server = LyingOrigin::start(Manners::default()).await.unwrap();
    let what = What::Answer(Call::Put, 501, "NotImplemented");
    server.lie(Lie { what, containing: String::new(), times: None });
    let error = origin(&server, grade_a()).await.put(put("film/a", "x")).await.unwrap_err();
    assert_eq!((error.kind, server.calls(Call::Put)), (OriginErrorKind::Denied, 1), "{error}");
}

#[tokio::test]
async fn a_proxy_that_finds_no_backend_says_nothing_about_objects() {
    let server = LyingOrigin::start(Manners::default()).await.unwrap();
    let origin = origin(&server, grade_a()).await;
    let segment = "film/seg-00001.m4s";
    for call in [Call::Put, Call::Get, Call::List, Call::Delete] {
        let what = What::Answer(call, 404, "");
        server.lie(Lie { what, containing: String::new(), times: Some(2) });
    }
    origin.put(put(segment, "a segment")).await.unwrap();
    assert_eq!(origin.get(&key(segment), None).await.unwrap(), "a segment");
    assert_eq!(origin.list("film/", None).await.unwrap().objects.len(), 1);
    origin.delete(&key(segment)).await.unwrap();
    assert_eq!(server.keys(), Vec::<String>::new(), "it was deleted");
}

#[tokio::test]
async fn a_404_that_stays_is_no_missing_object_but_an_origin_that_is_away() {
    let server = LyingOrigin::start(Manners::default()).await.unwrap();
    let origin = origin(&server, grade_a()).await.in_haste(100);
    server.lie(Lie {
        what: What::Answer(Call::Get, 404, ""),
        containing: String::new(),
        times: None,
    });
    server.lie(Lie {
        what: What::Answer(Call::Put, 404, ""),
        containing: String::new(),
        times: None,
    });
    let read = origin.get(&key("film/a"), None).await.unwrap_err();
    let stored = origin.put(put("film/a", "x")).await.unwrap_err();
    for error in [read, stored] {
        assert_eq!(error.kind, OriginErrorKind::Unavailable, "{error}");
    }
}

#[tokio::test]
async fn what_was_to_be_replaced_and_is_gone_has_changed() {
    let server = LyingOrigin::start(Manners::default()).await.unwrap();
    let origin = origin(&server, grade_a()).await;
    let before = Before::Etag("\"1\"".to_owned());
    let error = origin.put(Put { before, ..put("film/index.m3u8", "x") }).await.unwrap_err();
    assert_eq!((error.kind, server.calls(Call::Put)), (OriginErrorKind::Changed, 1), "{error}");
}

#[tokio::test]
async fn an_origin_that_wants_to_be_left_alone_for_ever_is_for_a_minute() {
    let server = LyingOrigin::start(Manners::default()).await.unwrap();
    let origin = origin(&server, grade_a()).await.in_haste(100);
    let what = What::SlowDown(Call::Put, u32::MAX);
    server.lie(Lie { what, containing: String::new(), times: Some(1) });
    let stored = origin.put(put("film/a", "x"));
    tokio::time::timeout(Duration::from_secs(10), stored).await.unwrap().unwrap();
}

#[tokio::test]
async fn an_object_whose_size_is_not_told_is_not_empty() {
    let server = LyingOrigin::start(Manners::default()).await.unwrap();
    let origin = origin(&server, grade_a()).await.in_haste(100);
    origin.put(put("film/a", "x")).await.unwrap();
    server.lie(Lie { what: What::HideSize, containing: String::new(), times: None });
    let listed = origin.list("film/", None).await.unwrap_err();
    let looked = origin.head(&key("film/a")).await.unwrap_err();
    for error in [listed, looked] {
        assert_eq!(error.kind, OriginErrorKind::Corrupt, "{error}");
    }
}

#[tokio::test]
async fn an_error_after_a_good_status_is_what_its_code_says() {
    let server = LyingOrigin::start(Manners::default()).await.unwrap();
    let origin = origin(&server, grade_a()).await;
    origin.put(put("film/a", "x")).await.unwrap();
    // More often than garbled answers are tried.
    let what = What::Answer(Call::List, 200, "SlowDown");
    server.lie(Lie { what, containing: String::new(), times: Some(5) });
    assert_eq!(origin.list("film/", None).await.unwrap().objects.len(), 1);
}

#[tokio::test]
async fn a_listing_that_does_not_move_on_is_an_error() {
    let server = LyingOrigin::start(Manners { page: 2, ..Manners::default() }).await.unwrap();
    let origin = origin(&server, grade_a()).await;
    for name in ["film/a", "film/b", "film/c"] {
        origin.put(put(name, "x")).await.unwrap();
    }
    server.lie(Lie { what: What::RepeatPage, containing: String::new(), times: None });
    let first = origin.list("film/", None).await.unwrap();
    let error = origin.list("film/", first.next.as_ref()).await.unwrap_err();
    assert_eq!(error.kind, OriginErrorKind::Corrupt, "{error}");
    assert!(error.to_string().contains("the listing does not move on"), "{error}");
}

#[tokio::test]
async fn a_part_is_a_part_also_of_an_origin_that_always_sends_everything() {
    let server = LyingOrigin::start(Manners::default()).await.unwrap();
    let origin = origin(&server, grade_a()).await;
    origin.put(put("film/a", "0123456789")).await.unwrap();
    server.lie(Lie { what: What::IgnoreRange, containing: String::new(), times: None });
    for (range, expected) in
        [(2..5, "234"), (5..99, "56789"), (10..99, ""), (0..u64::MAX, "0123456789")]
    {
        let read = origin.get(&key("film/a"), Some(range.clone())).await.unwrap();
        assert_eq!(read, expected, "{range:?}");
    }
}

#[tokio::test]
async fn an_object_that_is_larger_than_anything_that_is_stored_is_not_read() {
    let server = LyingOrigin::start(Manners::default()).await.unwrap();
    let origin = origin(&server, grade_a()).await;
    origin.put(put("film/v1/inventory.jsonl", "x")).await.unwrap();
    let long = vec![0; usize::try_from(MOST_WHOLE).unwrap() + 1];
    server.alter("packages/film/v1/inventory.jsonl", true, |_| long.into());
    let error = origin.get(&key("film/v1/inventory.jsonl"), None).await.unwrap_err();
    assert_eq!((error.kind, server.calls(Call::Get)), (OriginErrorKind::Corrupt, 1), "{error}");
}

#[tokio::test]
async fn an_archive_that_cannot_be_read_at_once_can_be_worked_with() {
    let server = LyingOrigin::start(Manners::default()).await.unwrap();
    let class = Some("DEEP_ARCHIVE".to_owned());
    let settings = S3Settings { storage_class: class, ..settings(&server) };
    S3Origin::new(settings, Profile::default()).await.reach().await.unwrap();
    assert_eq!(server.keys(), Vec::<String>::new(), "nothing is left behind");
}

#[tokio::test]
async fn what_passes_is_no_reason_not_to_start() {
    let server = LyingOrigin::start(Manners::default()).await.unwrap();
    for call in [Call::List, Call::Put, Call::Get, Call::Delete] {
        let what = What::SlowDown(call, 0);
        server.lie(Lie { what, containing: String::new(), times: Some(2) });
    }
    origin(&server, Profile::default()).await.reach().await.unwrap();
}
