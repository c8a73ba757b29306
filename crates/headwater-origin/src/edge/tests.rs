//! The adapter against a CDN that remembers what it answered, and one that misbehaves.

use std::time::Instant;

use headwater_lying_origin::{EdgeLie, LyingEdge, LyingOrigin, Manners};
use headwater_ports::origin::Origin;
use headwater_testkit::digest::{key, put};

use super::*;
use crate::{Credentials, S3Origin, S3Settings};

const TOKEN: &str = "a-purge-token";

/// An origin that holds `film/seg.m4s`, and the CDN in front of it.
async fn world() -> (LyingOrigin, LyingEdge) {
    let server = LyingOrigin::start(Manners::default()).await.unwrap();
    let settings = S3Settings {
        name: "lab".to_owned(),
        bucket: server.manners().bucket.clone(),
        prefix: String::new(),
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
    };
    let origin = S3Origin::new(settings, Default::default()).await;
    origin.put(put("film/seg.m4s", "a segment")).await.unwrap();
    let edge = LyingEdge::start(&server, 0, Some(TOKEN)).await.unwrap();
    (server, edge)
}

fn adapter(edge: &LyingEdge, purge: Option<Purge>) -> HttpEdge {
    HttpEdge::new(&edge.url(), purge).unwrap()
}

fn purging(method: &str) -> Purge {
    Purge { method: method.to_owned(), url: None, body: None, token: Some(TOKEN.to_owned()) }
}

async fn get(edge: &HttpEdge, way: Way) -> Answer {
    edge.get(&key("film/seg.m4s"), way, 1_000).await.unwrap()
}

#[tokio::test]
async fn viewers_get_what_the_cache_has_until_it_is_purged() {
    let (server, cdn) = world().await;
    let edge = adapter(&cdn, Some(purging("PURGE")));
    assert_eq!(get(&edge, Way::Cached).await, Answer::Body("a segment".into()));
    server.remove("film/seg.m4s");
    assert_eq!(get(&edge, Way::Cached).await, Answer::Body("a segment".into()), "remembered");
    assert_eq!(get(&edge, Way::PastCache).await, Answer::Refused(404));
    assert!(edge.purges());
    edge.purge(&key("film/seg.m4s")).await.unwrap();
    assert_eq!(get(&edge, Way::Cached).await, Answer::Refused(404));
}

#[tokio::test]
async fn a_purge_is_said_in_the_words_of_the_cdn() {
    let (_server, cdn) = world().await;
    let purge = Purge {
        url: Some(format!("{}/api/purge", cdn.url())),
        body: Some(r#"{"files":["{url}"]}"#.to_owned()),
        ..purging("POST")
    };
    adapter(&cdn, Some(purge)).purge(&key("film/seg.m4s")).await.unwrap();
    assert_eq!(cdn.purged(), ["film/seg.m4s"]);
}

#[tokio::test]
async fn a_refused_purge_is_an_error_without_the_token_in_it() {
    let (_server, cdn) = world().await;
    let wrong = Purge { token: Some("not-the-token".to_owned()), ..purging("PURGE") };
    let edge = adapter(&cdn, Some(wrong));
    let error = edge.purge(&key("film/seg.m4s")).await.unwrap_err();
    assert_eq!(error.to_string(), "failed to purge `film/seg.m4s`: it answers 403 Forbidden");
    assert!(!format!("{edge:?}").contains("not-the-token"));
}

#[tokio::test]
async fn a_purge_that_is_sent_elsewhere_is_not_done() {
    let (_server, cdn) = world().await;
    cdn.lie("", EdgeLie::RedirectsPurges);
    for url in [None, Some(format!("{}/api/purge", cdn.url()))] {
        let edge = adapter(&cdn, Some(Purge { url, ..purging("POST") }));
        let error = edge.purge(&key("film/seg.m4s")).await.unwrap_err();
        assert_eq!(error.reason, "it answers 302 Found");
    }
    assert_eq!(cdn.purged(), Vec::<String>::new());
}

#[tokio::test]
async fn a_purge_that_nobody_takes_is_not_done() {
    let (_server, cdn) = world().await;
    // The CDN knows purges by POST, and GET for objects, of which this is none.
    let nowhere = Purge { url: Some(format!("{}/api/v0/purge", cdn.url())), ..purging("GET") };
    let error = adapter(&cdn, Some(nowhere)).purge(&key("film/seg.m4s")).await.unwrap_err();
    assert_eq!(error.reason, "it answers 404 Not Found");
}

#[test]
fn keys_of_a_purge_are_shown_nowhere() {
    let purge = Purge {
        url: Some("https://api.example/purge?key=hush".to_owned()),
        body: Some(r#"{"key":"hush","urls":["{url}"]}"#.to_owned()),
        method: "POST".to_owned(),
        token: Some("hush".to_owned()),
    };
    let shown = format!("{purge:?}");
    assert!(shown.contains("https://api.example/purge") && !shown.contains("hush"), "{shown}");
}

#[tokio::test]
async fn an_answer_that_does_not_end_is_not_waited_for() {
    let (server, cdn) = world().await;
    server.alter("film/seg.m4s", true, |_| vec![7; 50_000_000].into());
    let edge = adapter(&cdn, None);
    let Answer::Body(body) = get(&edge, Way::Cached).await else { panic!("refused") };
    assert!(body.len() > 1_000 && body.len() < 10_000_000, "{}", body.len());
}

#[tokio::test]
async fn a_passing_fault_is_tried_again_and_then_told() {
    let (_server, cdn) = world().await;
    cdn.lie("seg", EdgeLie::Answers(502));
    let edge = adapter(&cdn, None);
    let error = edge.get(&key("film/seg.m4s"), Way::PastCache, 10).await.unwrap_err();
    assert_eq!(error.reason, "it answers 502 Bad Gateway");
    let (edge, cdn) = (edge, {
        cdn.be_honest();
        cdn
    });
    assert_eq!(get(&edge, Way::PastCache).await, Answer::Body("a segment".into()));
    cdn.lie("seg", EdgeLie::Alters);
    assert_eq!(get(&edge, Way::PastCache).await, Answer::Body("a lie".into()));
}

#[tokio::test]
async fn an_edge_that_is_not_there_is_told_soon() {
    let edge = HttpEdge::new("http://127.0.0.1:9", None).unwrap();
    let begun = Instant::now();
    let error = edge.get(&key("film/seg.m4s"), Way::Cached, 10).await.unwrap_err();
    assert!(error.reason.starts_with("it cannot be reached"), "{}", error.reason);
    assert!(begun.elapsed() < Duration::from_secs(10));
}
