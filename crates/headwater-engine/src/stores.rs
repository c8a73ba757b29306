//! The origins that hold packages, and the archive. What is stored goes to all of them; how many have to take it, and to prove that they
//! hold it, the policy says.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::future::join_all;
use headwater_model::key::ObjectKey;
use headwater_model::origin::{Policy, PublishRules, Verify};
use headwater_model::refusal::Code;
use headwater_model::task::Failure;
use headwater_ports::edge::Edge;
use headwater_ports::origin::{Origin, OriginErrorKind, Put};
use thiserror::Error;
use tokio::time::Instant;
use tracing::warn;

use crate::failure::{never, of_origin};

/// For how long an origin that did not answer is left out where the others are enough. Its adapter has tried for minutes
/// by then, and without this every single object would wait as long again.
const LEFT_OUT: Duration = Duration::from_mins(1);

/// The origins that hold packages, and the policy they are held to. Cheap to clone.
#[derive(Clone)]
pub struct Stores {
    stores: Arc<[Store]>,
    archive: Option<Arc<dyn Origin>>,
    policy: Arc<Policy>,
    /// By the names of the origins that they are in front of.
    edges: Arc<BTreeMap<String, Arc<dyn Edge>>>,
}

struct Store {
    origin: Arc<dyn Origin>,
    /// Until when nothing is stored here that can do without it.
    left_out_until: Mutex<Option<Instant>>,
}

/// The policy names an origin that there is not.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("there is no origin `{0}`")]
pub struct NoSuchOrigin(pub String);

impl Stores {
    /// Those of `origins` that the policy keeps packages on, in its order, and the one that it keeps masters on.
    pub fn new(origins: &[Arc<dyn Origin>], policy: Policy) -> Result<Self, NoSuchOrigin> {
        let find = |name: &String| {
            let origin = origins.iter().find(|o| o.name() == name);
            origin.cloned().ok_or_else(|| NoSuchOrigin(name.clone()))
        };
        let store = |name| Ok(Store { origin: find(name)?, left_out_until: Mutex::default() });
        let stores = policy.origins.iter().map(store).collect::<Result<_, _>>()?;
        let archive = policy.archive.as_ref().map(find).transpose()?;
        Ok(Self { stores, archive, policy: Arc::new(policy), edges: Arc::default() })
    }

    /// The same with edges, by the names of the origins that they are in front of.
    #[must_use]
    pub fn with_edges(self, edges: BTreeMap<String, Arc<dyn Edge>>) -> Self {
        Self { edges: Arc::new(edges), ..self }
    }

    /// The same origins, held to what a pipeline asks for.
    pub(crate) fn held_to(&self, rules: &PublishRules) -> Self {
        if rules.is_empty() {
            return self.clone();
        }
        Self { policy: Arc::new(self.policy.held_to(rules)), ..self.clone() }
    }

    /// Why no title could ever be published by their policy, if so.
    pub(crate) fn cannot_be_met(&self) -> Option<String> {
        let no_edge = self.policy.verify == Verify::Edge && self.edges().next().is_none();
        let no_edge = no_edge.then(|| "no origin has an edge to prove anything through".to_owned());
        self.policy.cannot_be_met().or(no_edge)
    }

    /// What they are held to.
    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// The origins, best first.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<dyn Origin>> {
        self.stores.iter().map(|store| &store.origin)
    }

    /// The edge in front of an origin.
    pub fn edge_of(&self, origin: &str) -> Option<&Arc<dyn Edge>> {
        self.edges.get(origin)
    }

    /// The edges, those of the best origins first.
    pub(crate) fn edges(&self) -> impl Iterator<Item = &Arc<dyn Edge>> {
        self.iter().filter_map(|origin| self.edge_of(origin.name()))
    }

    /// Has the edge in front of an origin forget an object, where there is one that can. What it keeps all the same is
    /// found by whoever proves through it.
    pub(crate) async fn purge(&self, origin: &str, key: &ObjectKey) -> bool {
        let Some(edge) = self.edge_of(origin).filter(|edge| edge.purges()) else { return false };
        match edge.purge(key).await {
            Ok(()) => true,
            Err(error) => {
                warn!(origin, %key, %error, "not purged");
                false
            }
        }
    }

    /// The origin that keeps masters, and no packages.
    pub fn archive(&self) -> Option<&Arc<dyn Origin>> {
        self.archive.as_ref()
    }

    /// Stores an object on all of them; success means that enough of them acknowledged it.
    pub(crate) async fn put(&self, put: Put) -> Result<(), Failure> {
        let results = join_all(self.stores.iter().map(|store| self.put_on(store, &put))).await;
        let mut hold = Vec::new();
        let mut failures = Vec::new();
        for (store, result) in self.stores.iter().zip(results) {
            match result {
                Ok(()) => hold.push(store.origin.name()),
                Err(failure) => failures.push((store.origin.name(), failure)),
            }
        }
        if self.policy.is_met_by(&hold) {
            return Ok(());
        }
        // One that cannot be done without says more than one that could have made up the number.
        let required = |name: &str| self.policy.required.iter().any(|required| required == name);
        let worst = failures.iter().position(|(name, _)| required(name)).unwrap_or(0);
        if failures.is_empty() {
            return Err(never(Code::Internal, "the policy asks for more origins than there are"));
        }
        Err(failures.swap_remove(worst).1)
    }

    async fn put_on(&self, store: &Store, put: &Put) -> Result<(), Failure> {
        let name = store.origin.name();
        let until = *store.left_out_until.lock().unwrap_or_else(PoisonError::into_inner);
        if until.is_some_and(|until| Instant::now() < until) && self.can_do_without(name) {
            let message = format!("origin {name} is left out: it did not answer a short while ago");
            return Err(never(Code::OriginUnavailable, message));
        }
        let result = store.origin.put(put.clone()).await;
        let left_out = match &result {
            Err(error) if error.kind == OriginErrorKind::Unavailable => {
                warn!(origin = name, %error, "not stored");
                Some(Instant::now() + LEFT_OUT)
            }
            _ => None,
        };
        *store.left_out_until.lock().unwrap_or_else(PoisonError::into_inner) = left_out;
        result.map_err(|error| of_origin(name, &error))
    }

    fn can_do_without(&self, name: &str) -> bool {
        let others: Vec<&str> = self.iter().map(|o| o.name()).filter(|o| *o != name).collect();
        self.policy.is_met_by(&others)
    }
}

#[cfg(test)]
mod tests;
