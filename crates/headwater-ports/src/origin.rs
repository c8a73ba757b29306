//! Storage that holds packages.

use std::ops::Range;

use async_trait::async_trait;
use bytes::Bytes;
use headwater_model::id::{Md5, Sha256};
use headwater_model::key::ObjectKey;
pub use headwater_model::origin::ProofGrade;
use thiserror::Error;

use crate::masters::Input;

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
    /// What has to be there for it to happen.
    pub before: Before,
}

/// A file to store, of any size: what does not fit into memory.
#[derive(Debug, Clone)]
pub struct PutFile {
    /// Where.
    pub key: ObjectKey,
    /// The file, or a master far away. It is only ever opened for reading.
    pub file: Input,
    /// Its size in bytes.
    pub bytes: u64,
    /// Its SHA-256: what is stored is this content or nothing.
    pub sha256: Sha256,
    /// `Cache-Control` header.
    pub cache_control: &'static str,
}

/// What a file was stored as: what to compare the origin's word with from now on. No proof by itself.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct StoredFile {
    /// The ETag that its bytes make as they were sent; `None` where the origin makes ETags of something else.
    pub etag: Option<String>,
    /// The storage class that was asked for.
    pub storage_class: Option<String>,
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
    /// SHA-256 of the content, where the origin enforces it on upload and returns it. Listings never do.
    pub sha256: Option<Sha256>,
    /// What a conditional put compares; opaque.
    pub etag: Option<String>,
    /// Storage class, where the origin names one.
    pub storage_class: Option<String>,
}

impl ObjectInfo {
    /// An object of which nothing but its size is known.
    pub fn new(key: ObjectKey, bytes: u64) -> Self {
        Self { key, bytes, md5: None, sha256: None, etag: None, storage_class: None }
    }
}

/// What has to be at a key for a put to happen. An origin that cannot look before it writes ignores it, so this is a
/// second lock beside the catalog's lease and never the only one.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Before {
    /// Whatever there is.
    #[default]
    Anything,
    /// No object.
    Nothing,
    /// The object with this ETag.
    Etag(String),
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
    /// It is in a storage class that has to be restored before it can be read.
    Cold,
    /// It did not answer, or answered with a passing fault.
    Unavailable,
    /// What arrived is not what was sent.
    Corrupt,
    /// What was there before is not what [`Put::before`] asked for.
    Changed,
}

impl OriginErrorKind {
    /// Whether trying again cannot help.
    pub fn is_permanent(self) -> bool {
        match self {
            // Restoring takes a person, and then hours.
            OriginErrorKind::NotFound | OriginErrorKind::Cold => true,
            // Rights and credentials are renewed, and what was made waits for them.
            OriginErrorKind::Denied
            | OriginErrorKind::Full
            | OriginErrorKind::Unavailable
            | OriginErrorKind::Corrupt
            | OriginErrorKind::Changed => false,
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

    /// Stores a file, replacing what was there, all or nothing, with a bounded part of it in memory. The file is read
    /// once and hashed on the way; when its content is not what [`PutFile`] says, nothing is stored and the error is
    /// [`OriginErrorKind::Corrupt`]. Dropped before its end it stores nothing and leaves nothing that costs money.
    async fn put_file(&self, put: PutFile) -> Result<StoredFile, OriginError>;

    /// Reads an object, or `range` of it in bytes (clipped to its size).
    async fn get(&self, key: &ObjectKey, range: Option<Range<u64>>) -> Result<Bytes, OriginError>;

    /// What the origin says about one object; `None` when it has none.
    async fn head(&self, key: &ObjectKey) -> Result<Option<ObjectInfo>, OriginError>;

    /// Objects whose keys start with `prefix`, in key order, after `after`.
    async fn list(&self, prefix: &str, after: Option<&ObjectKey>) -> Result<Page, OriginError>;

    /// Removes an object; removing what is not there is no error.
    async fn delete(&self, key: &ObjectKey) -> Result<(), OriginError>;
}
