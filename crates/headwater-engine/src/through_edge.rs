//! What viewers get through the edge in front of an origin: read to the last byte past its cache, and as its cache has it.
//!
//! An edge that is asked for something too early may remember for an hour that there is nothing. So it is asked only
//! about what the origin has just proven to have, past its cache first; and about what an origin lost only when viewers
//! have been getting it.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream::{self, StreamExt};
use headwater_model::finding::{Finding, FindingKind};
use headwater_model::inventory::Object;
use headwater_model::key::ObjectKey;
use headwater_ports::edge::{Answer, Edge, Way};
use tokio::time::sleep;

use crate::hash;

/// Objects that are read at once. Each is in memory whole, some 10 MB at the very most.
const READS: usize = 8;

/// For how long a cache may go on giving the pointers of before: longer than their `Cache-Control` allows.
const POINTERS_LAG: Duration = Duration::from_secs(10);

/// What an object is to viewers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lasts {
    /// Never replaced.
    ForEver,
    /// A pointer: a cache may be a moment behind.
    AMoment,
}

/// Looks through the edge at everything that is sound on the origin, and adds what is wrong to `findings`. With
/// `are_live`, it is told apart whether the edge still gives what the origin lost.
pub(crate) async fn look_at_all(
    edge: &dyn Edge,
    origin: &str,
    objects: Vec<(ObjectKey, Object, Lasts)>,
    are_live: bool,
    findings: &mut Vec<Finding>,
) {
    let found: BTreeMap<String, FindingKind> =
        findings.iter().map(|f| (f.object.clone(), f.kind.clone())).collect();
    let found = &found;
    let looks = objects.into_iter().map(|(key, object, lasts)| async move {
        let kind = match found.get(key.as_str()) {
            None => look(edge, &key, &object, lasts).await,
            Some(kind) if are_live && kind.is_loss() => lost(edge, &key, &object, kind).await,
            Some(_) => None,
        };
        (key, kind)
    });
    let mut looks = stream::iter(looks).buffered(READS).boxed();
    let mut new = Vec::new();
    while let Some((key, kind)) = looks.next().await {
        let Some(kind) = kind else { continue };
        match findings.iter_mut().find(|f| f.object == key.as_str()) {
            Some(finding) => finding.kind = kind,
            None => new.push(Finding { origin: origin.to_owned(), object: key.into(), kind }),
        }
    }
    findings.append(&mut new);
}

/// What is wrong with what the edge gives of an object that is sound on its origin.
pub(crate) async fn look(
    edge: &dyn Edge,
    key: &ObjectKey,
    object: &Object,
    lasts: Lasts,
) -> Option<FindingKind> {
    if let Some(wrong) = look_once(edge, key, object, Way::PastCache).await {
        return Some(wrong);
    }
    let wrong = look_once(edge, key, object, Way::Cached).await?;
    if lasts == Lasts::ForEver {
        return Some(wrong);
    }
    sleep(POINTERS_LAG).await;
    look_once(edge, key, object, Way::Cached).await
}

/// The same of an object that its origin lost: that the edge still gives it, if it does.
pub(crate) async fn lost(
    edge: &dyn Edge,
    key: &ObjectKey,
    object: &Object,
    kind: &FindingKind,
) -> Option<FindingKind> {
    let lost = kind.to_string();
    read(edge, key, object).await.map(|_| FindingKind::OnlyOnEdge { lost })
}

/// The bytes of an object as viewers get them, if they are right.
pub(crate) async fn read(edge: &dyn Edge, key: &ObjectKey, object: &Object) -> Option<Bytes> {
    let Ok(Answer::Body(body)) = edge.get(key, Way::Cached, object.bytes).await else {
        return None;
    };
    (hash::sha256_of(body.clone()).await == object.sha256).then_some(body)
}

async fn look_once(
    edge: &dyn Edge,
    key: &ObjectKey,
    object: &Object,
    way: Way,
) -> Option<FindingKind> {
    match edge.get(key, way, object.bytes).await {
        Ok(Answer::Body(body)) => {
            let found = hash::sha256_of(body).await;
            let expected = object.sha256;
            (found != expected).then_some(FindingKind::OtherOnEdge { expected, found, way })
        }
        Ok(Answer::Refused(status)) => Some(FindingKind::NotOnEdge { status, way }),
        Err(error) => Some(FindingKind::EdgeNotAnswered { reason: error.reason }),
    }
}
