//! A CDN in front of an origin: what viewers are answered.

use async_trait::async_trait;
use bytes::Bytes;
pub use headwater_model::finding::Way;
use headwater_model::key::ObjectKey;
use thiserror::Error;

/// What an edge answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// An object's bytes.
    Body(Bytes),
    /// None, with this HTTP status: 404, 403 and their like.
    Refused(u16),
}

/// The edge did not answer, or not so that it could be understood.
#[derive(Debug, Error)]
#[error("failed to {operation} `{key}`: {reason}")]
pub struct EdgeError {
    /// What was tried: `read`, `purge`.
    pub operation: &'static str,
    /// Which object.
    pub key: String,
    /// Why.
    pub reason: String,
}

/// A CDN in front of one origin.
///
/// The adapter owns every retry; callers take its answer as final.
#[async_trait]
pub trait Edge: Send + Sync {
    /// Reads an object. Of one that has more than `at_most` bytes, some more than that are given and the rest is not
    /// waited for: an edge may answer with anything.
    async fn get(&self, key: &ObjectKey, way: Way, at_most: u64) -> Result<Answer, EdgeError>;

    /// Whether it can be told to forget.
    fn purges(&self) -> bool;

    /// Has the cache forget an object; forgetting what it does not have is no error.
    async fn purge(&self, key: &ObjectKey) -> Result<(), EdgeError>;
}
