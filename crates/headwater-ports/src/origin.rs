//! Storage that holds packages.

use std::ops::Range;

use async_trait::async_trait;
use bytes::Bytes;
use headwater_model::id::{Md5, Sha256};
use headwater_model::key::ObjectKey;
pub use headwater_model::origin::ProofGrade;
use thiserror::Error;

/// An object to store.
#[derive(Debug, Clone)]
pub struct Put {
    /// Where.
    pub key: ObjectKey,
    /// The bytes: in memory, since a retry sends them again.
    pub body: Bytes,
    /// Their SHA-256, computed once by the caller.
    pub sha256: Sha256,
    /// Their MD5, likewise.
    pub md5: Md5,
    /// `Cache-Control` header.
    pub cache_control: &'static str,
}

/// What an origin says about an object without sending it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectInfo {
    /// Where it is.
    pub key: ObjectKey,
    /// Size in bytes.
    pub bytes: u64,
    /// MD5 of the content, where the origin reports one that can be trusted.
    pub md5: Option<Md5>,
}

/// One page of a listing, in key order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Page {
    /// The objects.
    pub objects: Vec<ObjectInfo>,
    /// Ask again with this to go on; `None` at the end.
    pub next: Option<ObjectKey>,
}

/// What kind of failure, for the caller to decide on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OriginErrorKind {
    /// There is no such object.
    NotFound,
    /// No space left.
    Full,
    /// Credentials or permissions.
    Denied,
    /// It did not answer, or answered with a passing fault.
    Unavailable,
    /// What arrived is not what was sent.
    Corrupt,
}

impl OriginErrorKind {
    /// Whether trying again cannot help.
    pub fn is_permanent(self) -> bool {
        match self {
            OriginErrorKind::NotFound | OriginErrorKind::Denied => true,
            OriginErrorKind::Full | OriginErrorKind::Unavailable | OriginErrorKind::Corrupt => {
                false
            }
        }
    }
}

/// A failed call.
#[derive(Debug, Error)]
#[error("failed to {operation} `{key}`: {source}")]
pub struct OriginError {
    /// What kind.
    pub kind: OriginErrorKind,
    /// What was tried: `store`, `read`, `list`, `delete`.
    pub operation: &'static str,
    /// On which key or prefix.
    pub key: String,
    /// Why.
    pub source: Box<dyn std::error::Error + Send + Sync>,
}

/// Storage for packages: a directory or S3-compatible.
///
/// The adapter owns every retry; callers take its answer as final.
#[async_trait]
pub trait Origin: Send + Sync {
    /// Its name in the configuration, which findings mention.
    fn name(&self) -> &str;

    /// How much its own word is worth.
    fn grade(&self) -> ProofGrade;

    /// Where a person or player finds an object: a path for a directory, else a URL.
    fn address(&self, key: &ObjectKey) -> String;

    /// Stores an object, replacing what was there, all or nothing: a reader sees the old bytes or the new ones.
    async fn put(&self, put: Put) -> Result<(), OriginError>;

    /// Reads an object, or `range` of it in bytes (clipped to its size).
    async fn get(&self, key: &ObjectKey, range: Option<Range<u64>>) -> Result<Bytes, OriginError>;

    /// What the origin says about one object; `None` when it has none.
    async fn head(&self, key: &ObjectKey) -> Result<Option<ObjectInfo>, OriginError>;

    /// Objects whose keys start with `prefix`, in key order, after `after`.
    async fn list(&self, prefix: &str, after: Option<&ObjectKey>) -> Result<Page, OriginError>;

    /// Removes an object; removing what is not there is no error.
    async fn delete(&self, key: &ObjectKey) -> Result<(), OriginError>;
}
