//! Titles behind a CDN: what it gives is proven too, told apart from what its origin has, and purged.

use std::collections::BTreeMap;

use headwater_model::finding::{FindingKind, Way};
use headwater_model::incident::{How, Incident};
use headwater_ports::edge::{Answer, Edge};

use super::gated_origin::{Gate, GatedOrigin};
use super::*;
use crate::audit::{Budget, Method, Scope, Source};

const SEGMENT: &str = "main/film/v1/video-234p/seg-00003.m4s";

fn key(text: &str) -> ObjectKey {
    ObjectKey::new(text).unwrap()
}

/// An engine whose origin `lab` has this edge.
fn engine(lab: &Lab, edge: &Arc<MemoryEdge>, verify: Verify) -> Engine {
    engine_on(lab, lab.origin.clone(), edge, verify)
}

/// The same with another way to the origin.
fn engine_on(lab: &Lab, origin: Arc<dyn Origin>, edge: &Arc<MemoryEdge>, verify: Verify) -> Engine {
    let policy = Policy { verify, ..Policy::of_one("lab") };
    let edges: BTreeMap<String, Arc<dyn Edge>> = [("lab".to_owned(), edge.clone() as _)].into();
    let stores = Stores::new(&[origin], policy).unwrap().with_edges(edges);
    lab.engine_with(lab.catalog.clone(), stores)
}

fn edge(lab: &Lab) -> Arc<MemoryEdge> {
    Arc::new(MemoryEdge::new(lab.origin.clone()))
}

/// A published title whose objects viewers have all got through the edge.
async fn watched(verify: Verify) -> (Lab, Arc<MemoryEdge>, Engine) {
    let lab = Lab::new();
    let edge = edge(&lab);
    let engine = engine(&lab, &edge, verify);
    engine.submit(&lab.title("film", "a film")).await.unwrap();
    assert_eq!(lab.told(&lab.work(&engine, "film").await), "published");
    for object in lab.origin.keys() {
        edge.get(&key(&object), Way::Cached, u64::MAX).await.unwrap();
    }
    (lab, edge, engine)
}

async fn found(engine: &Engine) -> Vec<(String, FindingKind)> {
    let title = "film".parse().unwrap();
    let proofs = engine.verify(&Tenant::default(), &title, Some(Verify::Edge)).await.unwrap();
    assert!(proofs[0].through_edge);
    proofs[0].findings.iter().map(|f| (f.object.clone(), f.kind.clone())).collect()
}

/// Heals, and gives all incidents.
async fn heal(lab: &Lab, engine: &Engine) -> Vec<Incident> {
    let (tenant, title) = (Tenant::default(), "film".parse().unwrap());
    let service = Service::start(engine);
    engine.heal(&tenant, &title).await.unwrap();
    lab.wait_for(|history| history.contains("healed")).await;
    service.stop().await;
    lab.catalog.incidents(&tenant, Some(&title), true, 100).await.unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_proof_through_the_edge_reads_everything_past_the_cache_and_as_viewers_do() {
    let lab = Lab::new();
    let edge = edge(&lab);
    let engine = engine(&lab, &edge, Verify::Edge);
    engine.submit(&lab.title("film", "a film")).await.unwrap();
    assert_eq!(lab.told(&lab.work(&engine, "film").await), "published");
    let mut asked = edge.asked();
    asked.sort();
    let own = |key: &String| !key.ends_with("inventory.jsonl") && key.contains("/v1/");
    let twice = lab.origin.keys().into_iter().filter(own).flat_map(|key| [key.clone(), key]);
    assert_eq!(asked, twice.collect::<Vec<_>>());
    assert_eq!(edge.purged(), ["main/film/index.m3u8", "main/film/manifest.mpd"]);
    assert_eq!(found(&engine).await, []);
}

#[tokio::test(start_paused = true)]
async fn a_cache_that_learnt_too_early_that_there_is_nothing_is_purged_before_publishing() {
    let lab = Lab::new();
    let edge = edge(&lab);
    edge.remember(&key(SEGMENT), Answer::Refused(404));
    let engine = engine(&lab, &edge, Verify::Edge);
    engine.submit(&lab.title("film", "a film")).await.unwrap();
    assert_eq!(lab.told(&lab.work(&engine, "film").await), "published");
    let title = "film".parse().unwrap();
    let all = lab.catalog.incidents(&Tenant::default(), Some(&title), true, 9).await.unwrap();
    assert_eq!(all.len(), 1);
    let kind = FindingKind::NotOnEdge { status: 404, way: Way::Cached };
    assert_eq!((&all[0].finding.kind, &all[0].mended), (&kind, &Some(How::Purged)));
    assert!(all[0].closed.is_some());
}

#[tokio::test(start_paused = true)]
async fn an_edge_is_not_asked_for_what_its_origin_lost_before_viewers_had_it() {
    let lab = Lab::new();
    let edge = edge(&lab);
    let once = std::sync::atomic::AtomicBool::new(true);
    let strike = move |origin: &MemoryOrigin| {
        if once.swap(false, std::sync::atomic::Ordering::SeqCst) {
            origin.remove(&key(SEGMENT));
        }
    };
    let gate = Gate::AfterPut("inventory.jsonl", Box::new(strike));
    let origin = GatedOrigin::new(lab.origin.clone(), gate);
    let engine = engine_on(&lab, origin, &edge, Verify::Edge);
    engine.submit(&lab.title("film", "a film")).await.unwrap();
    assert_eq!(lab.told(&lab.work(&engine, "film").await), "published");
    let asked = edge.asked().into_iter().filter(|key| key == SEGMENT).count();
    assert_eq!(asked, 2, "past the cache and as viewers do, once it was there again");
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_purged_keeps_a_title_from_being_published() {
    let lab = Lab::new();
    let edge = Arc::new(MemoryEdge::new(lab.origin.clone()).that_cannot_be_purged());
    edge.remember(&key(SEGMENT), Answer::Refused(404));
    let engine = engine(&lab, &edge, Verify::Edge);
    engine.submit(&lab.title("film", "a film")).await.unwrap();
    let told = lab.told(&lab.work(&engine, "film").await);
    let expected = format!(
        "failed not-on-edge: `{SEGMENT}` on origin lab is there, but its edge answers 404 from its cache"
    );
    assert_eq!(told, expected);
    assert_eq!(lab.text("main/film/index.m3u8"), None);
}

#[tokio::test(start_paused = true)]
async fn a_title_waits_for_an_edge_that_is_away_or_does_not_find_its_origin() {
    for is_away in [true, false] {
        let lab = Lab::new();
        let edge = edge(&lab);
        edge.be_away(is_away);
        edge.be_lost(!is_away);
        let engine = engine(&lab, &edge, Verify::Edge);
        engine.submit(&lab.title("film", "a film")).await.unwrap();
        let service = Service::start(&engine);
        let why =
            if is_away { "does not answer: it cannot be reached" } else { "answers 404 past" };
        lab.wait_for(|history| history.contains(why)).await;
        assert_eq!(lab.text("main/film/index.m3u8"), None);
        edge.be_away(false);
        edge.be_lost(false);
        let record = lab.wait("film", |record| record.state.is_final()).await;
        assert_eq!(lab.told(&record), "published");
        service.stop().await;
    }
}

#[tokio::test(start_paused = true)]
async fn what_the_origin_lost_and_the_edge_still_gives_is_copied_from_the_edge() {
    let (lab, edge, engine) = watched(Verify::Listing).await;
    lab.origin.remove(&key(SEGMENT));
    let lost = FindingKind::OnlyOnEdge { lost: "is missing".to_owned() };
    assert_eq!(found(&engine).await, [(SEGMENT.to_owned(), lost)]);
    let made = lab.transcoder.calls().len();
    let incidents = heal(&lab, &engine).await;
    assert_eq!(lab.transcoder.calls().len(), made, "nothing is transcoded");
    assert_eq!((incidents.len(), &incidents[0].mended), (1, &Some(How::FromEdge)));
    assert!(edge.purged().contains(&SEGMENT.to_owned()));
    assert_eq!(found(&engine).await, []);
}

#[tokio::test(start_paused = true)]
async fn an_edge_with_wrong_bytes_is_no_source() {
    let (lab, edge, engine) = watched(Verify::Listing).await;
    lab.origin.remove(&key(SEGMENT));
    edge.remember(&key(SEGMENT), Answer::Body("something else".into()));
    assert_eq!(found(&engine).await, [(SEGMENT.to_owned(), FindingKind::Missing)]);
    let incidents = heal(&lab, &engine).await;
    assert_eq!(incidents[0].mended, Some(How::MadeAgain));
    assert!(edge.purged().contains(&SEGMENT.to_owned()), "viewers get what was made again");
    assert_eq!(found(&engine).await, []);
}

#[tokio::test(start_paused = true)]
async fn what_was_found_through_the_edge_is_healed_there_whatever_the_policy() {
    let (lab, edge, engine) = watched(Verify::Listing).await;
    let pointer = key("main/film/index.m3u8");
    edge.remember(&key(SEGMENT), Answer::Refused(404));
    edge.remember(&pointer, Answer::Refused(404));
    assert_eq!(found(&engine).await.len(), 2);
    let before = edge.asked().len();
    let incidents = heal(&lab, &engine).await;
    let told: Vec<_> = incidents.iter().map(|i| (&i.mended, i.closed.is_some())).collect();
    assert_eq!(told, [(&Some(How::Purged), true); 2]);
    let asked = &edge.asked()[before..];
    assert!(asked.iter().all(|key| key == SEGMENT || key == pointer.as_str()), "{asked:?}");
    assert_eq!(found(&engine).await, []);
}

#[tokio::test(start_paused = true)]
async fn what_is_lost_where_the_edge_was_wrong_is_one_incident_that_ends() {
    let (lab, edge, engine) = watched(Verify::Listing).await;
    edge.remember(&key(SEGMENT), Answer::Refused(404));
    assert_eq!(found(&engine).await.len(), 1);
    lab.origin.remove(&key(SEGMENT));
    let incidents = heal(&lab, &engine).await;
    assert_eq!((incidents.len(), &incidents[0].mended), (1, &Some(How::MadeAgain)));
    assert!(incidents[0].closed.is_some(), "{incidents:?}");
    assert_eq!(found(&engine).await, []);
}

#[tokio::test(start_paused = true)]
async fn nothing_stays_wrong_on_an_edge_that_is_gone() {
    let (lab, edge, engine) = watched(Verify::Listing).await;
    edge.remember(&key(SEGMENT), Answer::Refused(404));
    assert_eq!(found(&engine).await.len(), 1);
    let incidents = heal(&lab, &lab.engine()).await;
    assert!(incidents[0].closed.is_some(), "{incidents:?}");
}

#[tokio::test(start_paused = true)]
async fn what_the_edge_gives_otherwise_than_its_origin_is_purged() {
    let (lab, edge, engine) = watched(Verify::Edge).await;
    let pointer = key("main/film/index.m3u8");
    edge.remember(&key(SEGMENT), Answer::Body("something else".into()));
    edge.remember(&pointer, Answer::Refused(403));
    let findings = found(&engine).await;
    let told = findings.iter().map(|(object, kind)| format!("{object} {kind}"));
    let [segment, index] = <[String; 2]>::try_from(told.collect::<Vec<_>>()).unwrap();
    let begins = format!("{SEGMENT} is there, but its edge gives other bytes from its cache: ");
    assert!(segment.starts_with(&begins), "{segment}");
    assert_eq!(index, format!("{pointer} is there, but its edge answers 403 from its cache"));
    let incidents = heal(&lab, &engine).await;
    assert!(incidents.iter().all(|i| i.mended == Some(How::Purged) && i.closed.is_some()));
    assert_eq!(incidents.len(), 2);
    assert_eq!(found(&engine).await, []);
}

#[tokio::test(start_paused = true)]
async fn an_audit_through_the_edge_tells_its_faults_from_those_of_the_origin() {
    let (lab, edge, engine) = watched(Verify::Listing).await;
    let (gone, stale) = (key(SEGMENT), key("main/film/v1/audio-en/init.mp4"));
    lab.origin.remove(&gone);
    edge.remember(&stale, Answer::Refused(404));
    let method = Method {
        read: 1.0,
        from: Source::Edge,
        round: 0,
        heals: false,
        budget: Budget::NONE,
        checkpoint: None,
    };
    let tenant = Tenant::default();
    let audit = async |method: &Method| {
        let tallies = engine.audit(&tenant, &Scope::default(), method, &|_| {}).await.unwrap();
        (tallies[0].tally.findings, lab.found("film").await)
    };
    let (findings, open) = audit(&method).await;
    let told: Vec<String> = open.iter().map(ToString::to_string).collect();
    assert_eq!(
        told,
        [
            format!("`{stale}` on origin lab is there, but its edge answers 404 from its cache"),
            format!("`{gone}` on origin lab is missing, although its edge still gives it"),
        ]
    );
    assert_eq!(findings, 2);
    let listing = Method { read: 0.0, from: Source::Origin, ..method.clone() };
    assert_eq!(audit(&listing).await.1.len(), 2, "the origin's word ends no incident of the edge");
    edge.purge(&stale).await.unwrap();
    assert_eq!(audit(&method).await.1.len(), 1);
}
