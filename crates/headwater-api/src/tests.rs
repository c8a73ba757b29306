//! The whole surface by request and response, on fakes of the catalog and the origin.

use std::sync::Arc;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Request, StatusCode};
use expect_test::{Expect, expect};
use headwater_model::finding::{Finding, FindingKind};
use headwater_model::id::Tenant;
use headwater_model::incident::Look;
use headwater_model::refusal::Code;
use headwater_model::task::{Failure, TaskKind};
use headwater_ports::catalog::Catalog;
use headwater_ports::origin::Origin;
use headwater_testkit::catalog_suite::scene::{Scene, lasting, package, prepared};
use headwater_testkit::clock::ManualClock;
use headwater_testkit::memory_catalog::MemoryCatalog;
use headwater_testkit::memory_origin::MemoryOrigin;
use tower::ServiceExt;

use crate::{Api, Health, Vitals, router};

/// What came back.
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Reply {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().expect("a readable header"))
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.body.clone()).expect("text")
    }
}

/// Asks `router`. `request` is a method, a path, and headers, one a line: `GET /media/x\nrange: bytes=0-`.
pub(crate) async fn ask(router: &Router, request: &str) -> Reply {
    let mut lines = request.lines();
    let (method, path) = lines.next().and_then(|l| l.split_once(' ')).expect("a method and a path");
    let mut builder = Request::builder().method(method).uri(path);
    for (name, value) in lines.filter_map(|line| line.split_once(": ")) {
        builder = builder.header(name, value);
    }
    let request = builder.body(Body::empty()).expect("a request");
    let response = router.clone().oneshot(request).await.expect("a response");
    let (parts, body) = response.into_parts();
    let body = to_bytes(body, usize::MAX).await.expect("a whole body").to_vec();
    Reply { status: parts.status, headers: parts.headers, body }
}

pub(crate) fn scene() -> Scene {
    let clock = Arc::new(ManualClock::default());
    Scene { catalog: Arc::new(MemoryCatalog::new(Arc::clone(&clock) as _)), clock }
}

pub(crate) fn router_of(scene: &Scene, origin: Arc<dyn Origin>) -> Router {
    let catalog = Arc::clone(&scene.catalog);
    let api = Api { catalog: catalog.clone(), origins: vec![origin], tenant: Tenant::default() };
    router(api, well(catalog))
}

/// A process without any loops.
fn well(catalog: Arc<dyn Catalog>) -> Health {
    Health { catalog, roles: vec![("http", vec![])], vitals: Arc::new(Vitals::default) }
}

async fn check_json(scene: &Scene, path: &str, expected: Expect) {
    let router = router_of(scene, Arc::new(MemoryOrigin::new("memory")));
    let reply = ask(&router, &format!("GET {path}")).await;
    let body: serde_json::Value = serde_json::from_slice(&reply.body).expect("JSON");
    let body = serde_json::to_string_pretty(&body).expect("JSON");
    let kind = (reply.header("content-type"), reply.header("cache-control"));
    expected.assert_eq(&format!("{} {kind:?}\n{body}\n", reply.status));
}

#[tokio::test]
async fn a_published_title_has_addresses_for_players() {
    let scene = scene();
    scene.submit("film").await.expect("submit");
    scene.work().await.expect("work");
    check_json(
        &scene,
        "/api/titles",
        expect![[r#"
            200 OK ("application/json", "no-store")
            {
              "more": false,
              "titles": [
                {
                  "created_ms": 1767225600000,
                  "held": false,
                  "hls": "/media/main/film/index.m3u8",
                  "live": 1,
                  "master": {
                    "path": "/drop/film.mp4",
                    "sha256": "0101010101010101010101010101010101010101010101010101010101010101"
                  },
                  "mpd": "/media/main/film/manifest.mpd",
                  "pipeline": "vod-h264",
                  "priority": "normal",
                  "progress": {
                    "cpu_ms": 5400,
                    "duration_ms": 12000,
                    "frames": 300,
                    "frames_done": 300,
                    "spans": 1,
                    "spans_done": 1,
                    "working_ms": 0
                  },
                  "state": "published",
                  "title": "film",
                  "updated_ms": 1767225600000,
                  "version": 1
                }
              ]
            }
        "#]],
    )
    .await;
}

#[tokio::test]
async fn a_title_in_the_making_tells_how_far_it_is() {
    let scene = scene();
    scene.prepare("film", 3).await.expect("prepare");
    let claimed = scene.work_until(TaskKind::Span(1)).await.expect("claim");
    scene.clock.advance_ms(10_000);
    scene.catalog.renew(&claimed.lease, 30_000, 75).await.expect("renew");
    check_json(
        &scene,
        "/api/titles",
        expect![[r#"
            200 OK ("application/json", "no-store")
            {
              "more": false,
              "titles": [
                {
                  "created_ms": 1767225600000,
                  "held": false,
                  "master": {
                    "path": "/drop/film.mp4",
                    "sha256": "0101010101010101010101010101010101010101010101010101010101010101"
                  },
                  "pipeline": "vod-h264",
                  "priority": "normal",
                  "progress": {
                    "cpu_ms": 5400,
                    "duration_ms": 36000,
                    "frames": 900,
                    "frames_done": 375,
                    "spans": 3,
                    "spans_done": 1,
                    "working_ms": 10000
                  },
                  "state": "transcoding",
                  "title": "film",
                  "updated_ms": 1767225600000,
                  "version": 1
                }
              ]
            }
        "#]],
    )
    .await;
}

#[tokio::test]
async fn a_rejected_title_tells_why_and_what_to_do() {
    let scene = scene();
    scene.submit("film").await.expect("submit");
    scene.end(TaskKind::Prepare, Code::NoVideoTrack).await.expect("end");
    check_json(
        &scene,
        "/api/titles/film",
        expect![[r#"
            200 OK ("application/json", "no-store")
            {
              "code": "no-video-track",
              "created_ms": 1767225600000,
              "events": [
                {
                  "at_ms": 1767225600000,
                  "text": "queued from /drop/film.mp4 with pipeline vod-h264"
                },
                {
                  "at_ms": 1767225600000,
                  "text": "rejected: no-video-track: it did not work"
                }
              ],
              "findings": [],
              "held": false,
              "master": {
                "path": "/drop/film.mp4"
              },
              "message": "it did not work",
              "next_step": "Ask the supplier for the file again.",
              "pipeline": "vod-h264",
              "priority": "normal",
              "progress": {
                "cpu_ms": 0,
                "duration_ms": 0,
                "frames": 0,
                "frames_done": 0,
                "spans": 0,
                "spans_done": 0,
                "working_ms": 0
              },
              "state": "rejected",
              "title": "film",
              "updated_ms": 1767225600000,
              "version": 1
            }
        "#]],
    )
    .await;
}

#[tokio::test]
async fn a_title_that_is_not_proven_names_every_finding() {
    let scene = scene();
    scene.submit("film").await.expect("submit");
    let claimed = scene.work_until(TaskKind::Verify).await.expect("claim");
    let object = "main/film/v1/video-360p/seg-00002.m4s".to_owned();
    let kind = FindingKind::Truncated { expected: 1000, found: 400 };
    let finding = Finding { origin: "local".to_owned(), object, kind };
    let look = Look { findings: vec![finding], ..Look::default() };
    scene.catalog.note(&package("film", 1), &look).await.expect("note");
    let failure = Failure { last_words: Some("one\ntwo".to_owned()), ..lasting(Code::NotProven) };
    scene.catalog.fail(&claimed.lease, &failure).await.expect("fail");
    check_json(&scene, "/api/titles/film", expect![[r#"
        200 OK ("application/json", "no-store")
        {
          "code": "not-proven",
          "created_ms": 1767225600000,
          "events": [
            {
              "at_ms": 1767225600000,
              "text": "queued from /drop/film.mp4 with pipeline vod-h264"
            },
            {
              "at_ms": 1767225600000,
              "text": "master read: 720p25, 1 audio track, 300 frames in 2 segments and 1 span"
            },
            {
              "at_ms": 1767225600000,
              "text": "audio 1 done"
            },
            {
              "at_ms": 1767225600000,
              "text": "span 1 done"
            },
            {
              "at_ms": 1767225600000,
              "text": "sealed: 12 objects, 3,456 bytes"
            },
            {
              "at_ms": 1767225600000,
              "text": "failed at verify: not-proven: it did not work"
            }
          ],
          "findings": [
            {
              "object": "main/film/v1/video-360p/seg-00002.m4s",
              "origin": "local",
              "text": "`main/film/v1/video-360p/seg-00002.m4s` on origin local is truncated: 400 of 1000 bytes are there"
            }
          ],
          "held": false,
          "last_words": "one\ntwo",
          "master": {
            "path": "/drop/film.mp4",
            "sha256": "0101010101010101010101010101010101010101010101010101010101010101"
          },
          "message": "it did not work",
          "next_step": "Check the origin's storage, then ingest the master again: it is proven anew, and only what is missing is made.",
          "pipeline": "vod-h264",
          "priority": "normal",
          "progress": {
            "cpu_ms": 5400,
            "duration_ms": 12000,
            "frames": 300,
            "frames_done": 300,
            "spans": 1,
            "spans_done": 1,
            "working_ms": 0
          },
          "state": "failed",
          "title": "film",
          "updated_ms": 1767225600000,
          "version": 1
        }
    "#]]).await;
}

#[tokio::test]
async fn a_live_version_stays_while_the_next_fails() {
    let scene = scene();
    scene.submit("film").await.expect("submit");
    scene.work().await.expect("work");
    let mut better = headwater_testkit::catalog_suite::scene::new_title("film");
    better.again = true;
    scene.catalog.submit(&better).await.expect("submit");
    scene.end(TaskKind::Prepare, Code::DamagedMaster).await.expect("end");
    let router = router_of(&scene, Arc::new(MemoryOrigin::new("memory")));
    let reply = ask(&router, "GET /api/titles/film").await;
    let title: serde_json::Value = serde_json::from_slice(&reply.body).expect("JSON");
    assert_eq!(
        (&title["state"], &title["version"], &title["live"], &title["hls"]),
        (&"rejected".into(), &2.into(), &1.into(), &"/media/main/film/index.m3u8".into())
    );
}

#[tokio::test]
async fn a_long_list_ends_and_says_so() {
    let scene = scene();
    for n in 0..201 {
        scene.submit(&format!("film-{n}")).await.expect("submit");
        scene.clock.advance_ms(1);
    }
    let router = router_of(&scene, Arc::new(MemoryOrigin::new("memory")));
    let reply = ask(&router, "GET /api/titles").await;
    let body: serde_json::Value = serde_json::from_slice(&reply.body).expect("JSON");
    assert_eq!(body["titles"].as_array().map(Vec::len), Some(200));
    assert_eq!((&body["titles"][0]["title"], &body["more"]), (&"film-200".into(), &true.into()));
}

#[tokio::test]
async fn what_is_not_there_is_a_problem_document() {
    let scene = scene();
    check_json(
        &scene,
        "/api/titles/unknown",
        expect![[r#"
            404 Not Found ("application/problem+json", "no-store")
            {
              "code": "no-such-title",
              "detail": "there is no title `unknown`",
              "status": 404,
              "title": "Not Found",
              "type": "about:blank"
            }
        "#]],
    )
    .await;
    check_json(
        &scene,
        "/api/titles/Not%20A%20Name",
        expect![[r#"
            404 Not Found ("application/problem+json", "no-store")
            {
              "code": "no-such-title",
              "detail": "there is no title `Not A Name`",
              "status": 404,
              "title": "Not Found",
              "type": "about:blank"
            }
        "#]],
    )
    .await;
    check_json(
        &scene,
        "/nowhere",
        expect![[r#"
            404 Not Found ("application/problem+json", "no-store")
            {
              "code": "no-such-page",
              "detail": "there is nothing at `/nowhere`",
              "status": 404,
              "title": "Not Found",
              "type": "about:blank"
            }
        "#]],
    )
    .await;
    check_json(
        &scene,
        "/assets/another-build/app.js",
        expect![[r#"
            404 Not Found ("application/problem+json", "no-store")
            {
              "code": "no-such-page",
              "detail": "this build of the page has no such file",
              "status": 404,
              "title": "Not Found",
              "type": "about:blank"
            }
        "#]],
    )
    .await;
}

#[tokio::test]
async fn only_reading_is_allowed() {
    let router = router_of(&scene(), Arc::new(MemoryOrigin::new("memory")));
    for path in ["/", "/api/titles", "/livez", "/readyz", "/media/main/film/index.m3u8"] {
        let reply = ask(&router, &format!("DELETE {path}")).await;
        assert_eq!(reply.status, StatusCode::METHOD_NOT_ALLOWED, "{path}");
        assert!(reply.text().contains("method-not-allowed"), "{path}: {}", reply.text());
        assert!(reply.header("allow").contains("GET"), "{path}: {:?}", reply.headers);
    }
}

#[tokio::test]
async fn the_service_says_that_it_is_well() {
    check_json(
        &scene(),
        "/livez",
        expect![[r#"
            200 OK ("application/json", "no-store")
            {
              "checks": [],
              "status": "alive"
            }
        "#]],
    )
    .await;
    let reply =
        ask(&router_of(&scene(), Arc::new(MemoryOrigin::new("memory"))), "GET /readyz").await;
    assert_eq!(reply.status, StatusCode::OK, "{}", reply.text());
    assert!(
        reply.text().starts_with(r#"{"status":"ready","checks":[{"name":"catalog","ok":true,"#)
    );
    assert!(reply.text().ends_with(r#""roles":[{"name":"http","ok":true,"message":"works"}]}"#));
}

#[tokio::test]
async fn the_page_loads_only_what_this_build_carries() {
    let router = router_of(&scene(), Arc::new(MemoryOrigin::new("memory")));
    let page = ask(&router, "GET /").await;
    assert_eq!(page.header("content-type"), "text/html; charset=utf-8");
    assert_eq!(page.header("cache-control"), "no-cache");
    assert!(page.header("content-security-policy").starts_with("default-src 'none'; "));
    assert_eq!(page.header("x-content-type-options"), "nosniff");

    let text = page.text();
    let addresses: Vec<&str> =
        text.split('"').filter(|part| part.starts_with("/assets/")).collect();
    let tag = addresses[0].split('/').nth(2).expect("a tag");
    let named = ["style.css", "app.js", "player.js", "hls.js", "shaka.js"];
    assert_eq!(addresses, [format!("/assets/{tag}/style.css"), format!("/assets/{tag}/app.js")]);
    for name in named {
        let asset = ask(&router, &format!("GET /assets/{tag}/{name}")).await;
        assert_eq!(asset.status, StatusCode::OK, "{name}");
        assert!(asset.header("cache-control").contains("immutable"), "{name}");
        assert_eq!(asset.header("x-content-type-options"), "nosniff", "{name}");
        assert!(asset.header("content-type").starts_with("text/"), "{name}");
        assert!(!asset.body.is_empty(), "{name}");
    }
    // What is inline would be refused by the policy.
    assert!(!text.contains("<style") && !text.contains(" style=") && !text.contains(" onclick="));
}

#[tokio::test]
async fn titles_of_another_tenant_are_not_shown() {
    let scene = scene();
    scene.submit("film").await.expect("submit");
    scene.finish(TaskKind::Prepare, &prepared(1, 1)).await.expect("finish");
    let catalog = Arc::clone(&scene.catalog);
    let origin = Arc::new(MemoryOrigin::new("memory"));
    let tenant = "other".parse().expect("a tenant");
    let health = well(catalog.clone());
    let router = router(Api { catalog, origins: vec![origin], tenant }, health);
    assert_eq!(ask(&router, "GET /api/titles").await.text(), r#"{"titles":[],"more":false}"#);
    assert_eq!(ask(&router, "GET /api/titles/film").await.status, StatusCode::NOT_FOUND);
}
