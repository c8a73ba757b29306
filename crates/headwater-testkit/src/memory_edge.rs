//! An edge in memory in front of an origin in memory, with doors through which tests spoil its cache.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use headwater_model::key::ObjectKey;
use headwater_ports::edge::{Answer, Edge, EdgeError, Way};

use crate::memory_origin::MemoryOrigin;

/// An edge that remembers every answer it gave, also that there is nothing, until it is told to forget it.
pub struct MemoryEdge {
    origin: Arc<MemoryOrigin>,
    purges: bool,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    cache: BTreeMap<ObjectKey, Answer>,
    asked: Vec<ObjectKey>,
    purged: Vec<ObjectKey>,
    /// It answers nobody.
    is_away: bool,
    /// It does not find its way to the origin.
    is_lost: bool,
}

impl MemoryEdge {
    /// An edge with an empty cache.
    pub fn new(origin: Arc<MemoryOrigin>) -> Self {
        Self { origin, purges: true, state: Mutex::default() }
    }

    /// The same, and it cannot be told to forget.
    pub fn that_cannot_be_purged(self) -> Self {
        Self { purges: false, ..self }
    }

    /// Has it remember an answer.
    pub fn remember(&self, key: &ObjectKey, answer: Answer) {
        self.state().cache.insert(key.clone(), answer);
    }

    /// Whether it answers nobody from now on.
    pub fn be_away(&self, is_away: bool) {
        self.state().is_away = is_away;
    }

    /// Whether it asks its origin for what is not there from now on, as one that was configured wrongly does.
    pub fn be_lost(&self, is_lost: bool) {
        self.state().is_lost = is_lost;
    }

    /// What it was asked for, in order.
    pub fn asked(&self) -> Vec<String> {
        self.state().asked.iter().map(ToString::to_string).collect()
    }

    /// What it was told to forget, in order.
    pub fn purged(&self) -> Vec<String> {
        self.state().purged.iter().map(ToString::to_string).collect()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Edge for MemoryEdge {
    async fn get(&self, key: &ObjectKey, way: Way, _at_most: u64) -> Result<Answer, EdgeError> {
        let mut state = self.state();
        state.asked.push(key.clone());
        if state.is_away {
            let reason = "it cannot be reached".to_owned();
            return Err(EdgeError { operation: "read", key: key.to_string(), reason });
        }
        let remembered = state.cache.get(key).filter(|_| way == Way::Cached);
        if let Some(answer) = remembered {
            return Ok(answer.clone());
        }
        let body = self.origin.object(key).filter(|_| !state.is_lost).map(|(body, _)| body);
        let answer = body.map_or(Answer::Refused(404), Answer::Body);
        if way == Way::Cached {
            state.cache.insert(key.clone(), answer.clone());
        }
        Ok(answer)
    }

    fn purges(&self) -> bool {
        self.purges
    }

    async fn purge(&self, key: &ObjectKey) -> Result<(), EdgeError> {
        let mut state = self.state();
        state.purged.push(key.clone());
        state.cache.remove(key);
        Ok(())
    }
}
