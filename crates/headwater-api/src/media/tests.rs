//! Package files by request and response: which are served, with what headers, and what failure looks like.

use std::sync::Arc;

use axum::Router;
use axum::http::StatusCode;
use expect_test::{Expect, expect};
use headwater_model::id::Tenant;
use headwater_ports::origin::{Origin, OriginErrorKind, ProofGrade};
use headwater_testkit::digest::{key, put};
use headwater_testkit::flaky::{Fail, Flaky};
use headwater_testkit::memory_origin::MemoryOrigin;

use super::{BLOCK, Class, Place};
use crate::tests::{ask, router_of, scene};

const SEGMENT: &str = "main/film/v1/video-360p/seg-00001.m4s";

/// Letters that differ from block to block.
fn segment(size: u64) -> Vec<u8> {
    (b'A'..=b'Y').cycle().zip(0..size).map(|(letter, _)| letter).collect()
}

async fn origin() -> Arc<MemoryOrigin> {
    let origin = Arc::new(MemoryOrigin::new("memory"));
    origin.put(put("main/film/index.m3u8", "#EXTM3U\n")).await.expect("put");
    origin.put(put("main/film/v1/index.m3u8", "#EXTM3U\n")).await.expect("put");
    origin.put(put("main/film/v1/empty.vtt", "")).await.expect("put");
    origin.put(put(SEGMENT, segment(1000))).await.expect("put");
    origin.put(put("main/film/.hidden", "x")).await.expect("put");
    origin.put(put("other/film/index.m3u8", "x")).await.expect("put");
    origin
}

async fn router() -> Router {
    router_of(&scene(), origin().await)
}

async fn check(request: &str, expected: Expect) {
    let reply = ask(&router().await, request).await;
    let mut lines: Vec<String> = reply
        .headers
        .iter()
        .map(|(name, value)| format!("{name}: {}\n", value.to_str().expect("readable")))
        .collect();
    lines.sort();
    let body = match reply.body.len() {
        bytes @ 1000.. => format!("{bytes} bytes"),
        _ => reply.text(),
    };
    expected.assert_eq(&format!("{}\n{}\n{body}\n", reply.status, lines.concat()));
}

#[tokio::test]
async fn a_pointer_is_kept_for_seconds() {
    check(
        "GET /media/main/film/index.m3u8",
        expect![[r#"
            200 OK
            accept-ranges: bytes
            access-control-allow-origin: *
            access-control-expose-headers: content-length,content-range,etag
            cache-control: public, max-age=5
            content-length: 8
            content-type: application/vnd.apple.mpegurl
            referrer-policy: no-referrer
            x-content-type-options: nosniff

            #EXTM3U

        "#]],
    )
    .await;
}

#[tokio::test]
async fn a_file_of_a_version_is_kept_for_ever() {
    check(
        &format!("GET /media/{SEGMENT}"),
        expect![[r#"
            200 OK
            accept-ranges: bytes
            access-control-allow-origin: *
            access-control-expose-headers: content-length,content-range,etag
            cache-control: public, max-age=31536000, immutable
            content-length: 1000
            content-type: video/iso.segment
            etag: "73c0e81a2c9a15998df690e512e68721"
            referrer-policy: no-referrer
            x-content-type-options: nosniff

            1000 bytes
        "#]],
    )
    .await;
}

#[tokio::test]
async fn a_part_is_sent_with_its_place() {
    check(
        &format!("GET /media/{SEGMENT}\nrange: bytes=0-9"),
        expect![[r#"
            206 Partial Content
            accept-ranges: bytes
            access-control-allow-origin: *
            access-control-expose-headers: content-length,content-range,etag
            cache-control: public, max-age=31536000, immutable
            content-length: 10
            content-range: bytes 0-9/1000
            content-type: video/iso.segment
            etag: "73c0e81a2c9a15998df690e512e68721"
            referrer-policy: no-referrer
            x-content-type-options: nosniff

            ABCDEFGHIJ
        "#]],
    )
    .await;
    check(
        "GET /media/main/film/index.m3u8\nrange: bytes=-4",
        expect![[r#"
            206 Partial Content
            accept-ranges: bytes
            access-control-allow-origin: *
            access-control-expose-headers: content-length,content-range,etag
            cache-control: public, max-age=5
            content-length: 4
            content-range: bytes 4-7/8
            content-type: application/vnd.apple.mpegurl
            referrer-policy: no-referrer
            x-content-type-options: nosniff

            M3U

        "#]],
    )
    .await;
}

#[tokio::test]
async fn a_part_that_is_not_there_tells_the_size() {
    check(&format!("GET /media/{SEGMENT}\nrange: bytes=1000-"), expect![[r#"
        416 Range Not Satisfiable
        access-control-allow-origin: *
        access-control-expose-headers: content-length,content-range,etag
        cache-control: no-store
        content-length: 201
        content-range: bytes */1000
        content-type: application/problem+json
        referrer-policy: no-referrer
        x-content-type-options: nosniff

        {"type":"about:blank","title":"Range Not Satisfiable","status":416,"detail":"`main/film/v1/video-360p/seg-00001.m4s` has 1000 bytes and not the ones that were asked for","code":"range-not-satisfiable"}
    "#]]).await;
}

#[tokio::test]
async fn head_tells_everything_and_sends_nothing() {
    check(
        &format!("HEAD /media/{SEGMENT}\nrange: bytes=0-9"),
        expect![[r#"
            200 OK
            accept-ranges: bytes
            access-control-allow-origin: *
            access-control-expose-headers: content-length,content-range,etag
            cache-control: public, max-age=31536000, immutable
            content-length: 1000
            content-type: video/iso.segment
            etag: "73c0e81a2c9a15998df690e512e68721"
            referrer-policy: no-referrer
            x-content-type-options: nosniff


        "#]],
    )
    .await;
}

#[tokio::test]
async fn what_is_known_already_is_not_sent() {
    let router = router().await;
    let first = ask(&router, &format!("GET /media/{SEGMENT}")).await;
    let etag = first.header("etag");
    let request = format!("GET /media/{SEGMENT}\nif-none-match: {etag}");
    let again = ask(&router, &request).await;
    assert_eq!((again.status, again.body.len()), (StatusCode::NOT_MODIFIED, 0));
    assert_eq!(again.header("etag"), etag);
}

#[tokio::test]
async fn an_empty_file_is_sent_as_such() {
    check(
        "GET /media/main/film/v1/empty.vtt",
        expect![[r#"
            200 OK
            accept-ranges: bytes
            access-control-allow-origin: *
            access-control-expose-headers: content-length,content-range,etag
            cache-control: public, max-age=31536000, immutable
            content-length: 0
            content-type: text/vtt
            etag: "d41d8cd98f00b204e9800998ecf8427e"
            referrer-policy: no-referrer
            x-content-type-options: nosniff


        "#]],
    )
    .await;
}

#[tokio::test]
async fn a_missing_file_is_a_problem_that_players_elsewhere_can_read() {
    check("GET /media/main/film/v1/missing.m4s\norigin: https://player.example", expect![[r#"
        404 Not Found
        access-control-allow-origin: *
        access-control-expose-headers: content-length,content-range,etag
        cache-control: no-store
        content-length: 136
        content-type: application/problem+json
        referrer-policy: no-referrer
        x-content-type-options: nosniff

        {"type":"about:blank","title":"Not Found","status":404,"detail":"there is no object `main/film/v1/missing.m4s`","code":"no-such-object"}
    "#]])
        .await;
}

#[tokio::test]
async fn a_preflight_allows_ranges() {
    let request = format!(
        "OPTIONS /media/{SEGMENT}\norigin: https://player.example\n\
         access-control-request-method: GET\naccess-control-request-headers: range"
    );
    check(
        &request,
        expect![[r#"
            200 OK
            access-control-allow-headers: range,if-range,if-none-match
            access-control-allow-methods: GET,HEAD,OPTIONS
            access-control-allow-origin: *
            access-control-max-age: 86400
            allow: GET,HEAD
            content-length: 0
            referrer-policy: no-referrer
            x-content-type-options: nosniff


        "#]],
    )
    .await;
}

#[tokio::test]
async fn nothing_but_packages_is_served() {
    let router = router().await;
    for path in [
        "other/film/index.m3u8",
        "main/film/.hidden",
        "main/film/v1/../../../other/film/index.m3u8",
        "main/film/v1/%2e%2e/%2e%2e/%2e%2e/other/film/index.m3u8",
        "main/film/v1/..%2f..%2f..%2fother/film/index.m3u8",
        "main/film/v1",
        "main/film/v1/",
        "main/film",
        "main",
        "%ff%fe",
        "/etc/passwd",
    ] {
        let reply = ask(&router, &format!("GET /media/{path}")).await;
        assert_eq!(reply.status, StatusCode::NOT_FOUND, "{path}");
        assert!(reply.text().contains(r#""code":"no-such-"#), "{path}: {}", reply.text());
    }
}

#[test]
fn places_are_pointers_or_files_of_a_version() {
    let class = |path: &str| Place::of(&Tenant::default(), path).map(|place| place.class);
    for pointer in ["main/film/index.m3u8", "main/film/manifest.mpd"] {
        assert_eq!(class(pointer), Some(Class::Pointer), "{pointer}");
    }
    for fixed in ["main/film/v1/index.m3u8", "main/film/v12/video/init.mp4", SEGMENT] {
        assert_eq!(class(fixed), Some(Class::Fixed), "{fixed}");
    }
    for neither in [
        "main/film/other.m3u8",
        "main/film/v01/init.mp4",
        "main/film/v/init.mp4",
        "main/film/v+1/init.mp4",
        "main/film/v99999999999/init.mp4",
        "main/film/v1/.tmp/init.mp4",
        "main/.film/v1/init.mp4",
        "main/Film/v1/init.mp4",
        "main//v1/init.mp4",
        ".headwater-tmp/film/v1/init.mp4",
    ] {
        assert_eq!(class(neither), None, "{neither}");
    }
}

#[tokio::test]
async fn a_large_object_comes_whole_in_blocks() {
    let origin = origin().await;
    for size in [BLOCK - 1, BLOCK, BLOCK + 1, 3 * BLOCK + 7] {
        let body = segment(size);
        origin.put(put(SEGMENT, body.clone())).await.expect("put");
        let router = router_of(&scene(), Arc::clone(&origin) as _);
        let reply = ask(&router, &format!("GET /media/{SEGMENT}")).await;
        assert_eq!(reply.header("content-length"), size.to_string());
        assert!(reply.body == body, "{size} bytes");
        let from = BLOCK / 2;
        let reply = ask(&router, &format!("GET /media/{SEGMENT}\nrange: bytes={from}-")).await;
        assert_eq!(reply.status, StatusCode::PARTIAL_CONTENT);
        assert!(reply.body == body[from as usize..], "{size} bytes from {from}");
    }
}

#[tokio::test]
async fn an_origin_that_fails_is_a_503() {
    let origin = origin().await;
    let flaky = Arc::new(Flaky::new(Arc::clone(&origin) as _, vec![Fail::FirstGets(2)]));
    let router = router_of(&scene(), flaky);
    for path in [SEGMENT, "main/film/index.m3u8"] {
        let reply = ask(&router, &format!("GET /media/{path}")).await;
        assert_eq!(reply.status, StatusCode::SERVICE_UNAVAILABLE);
        assert!(reply.text().contains("origin-unavailable"));
        assert!(!reply.text().contains("on purpose"), "the inside stays inside: {}", reply.text());
    }
    assert_eq!(ask(&router, &format!("GET /media/{SEGMENT}")).await.status, StatusCode::OK);
}

#[tokio::test]
async fn an_object_that_cannot_be_read_or_is_too_short_is_a_503() {
    let origin = origin().await;
    let router = router_of(&scene(), Arc::clone(&origin) as _);
    let get = format!("GET /media/{SEGMENT}");
    origin.truncate_unseen(&key(SEGMENT), 999);
    assert_eq!(ask(&router, &get).await.status, StatusCode::SERVICE_UNAVAILABLE);
    let refuses = Fail::Gets { containing: SEGMENT, kind: OriginErrorKind::Unavailable };
    let flaky = Arc::new(Flaky::new(origin.clone(), vec![refuses]));
    let refused = ask(&router_of(&scene(), flaky), &get).await;
    assert_eq!(refused.status, StatusCode::SERVICE_UNAVAILABLE);
    // However long the listing remembers it.
    origin.make_unreadable(&key(SEGMENT));
    assert_eq!(ask(&router, &get).await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn without_a_checksum_there_is_no_tag_and_a_condition_gets_all() {
    let origin = Arc::new(MemoryOrigin::new("memory").with_grade(ProofGrade::C));
    origin.put(put(SEGMENT, segment(1000))).await.expect("put");
    let router = router_of(&scene(), origin);
    let request = format!("GET /media/{SEGMENT}\nrange: bytes=0-9\nif-range: \"anything\"");
    let reply = ask(&router, &request).await;
    assert_eq!((reply.status, reply.body.len()), (StatusCode::OK, 1000));
    assert_eq!(reply.header("etag"), "");
}
