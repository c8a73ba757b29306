//! What the server keeps: objects in memory, in key order.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use bytes::Bytes;
use md5::{Digest, Md5};
use s3s::dto::Checksum;

/// What is done with `x-amz-checksum-…` headers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Checksums {
    /// A wrong one is refused, a right one is kept and returned.
    #[default]
    Enforced,
    /// Neither looked at nor returned, as older Ceph does.
    Ignored,
    /// Not looked at, and returned whatever it was, as rclone's server does.
    Echoed,
    /// A put that carries one is refused, as Backblaze B2 does.
    Refused,
}

/// An object.
#[derive(Debug, Clone)]
pub(crate) struct Stored {
    pub(crate) body: Bytes,
    pub(crate) etag: String,
    pub(crate) checksum: Checksum,
    pub(crate) modified: SystemTime,
    pub(crate) cache_control: Option<String>,
    pub(crate) content_type: Option<String>,
    pub(crate) storage_class: Option<String>,
    /// A copy of it that can be read was made of what is in cold storage.
    pub(crate) is_restored: bool,
    /// What was there before.
    pub(crate) previous: Option<Box<Stored>>,
}

impl Stored {
    /// Whether reading it is refused until it is restored, as S3 does with these storage classes.
    pub(crate) fn is_cold(&self) -> bool {
        let class = self.storage_class.as_deref();
        !self.is_restored && matches!(class, Some("GLACIER" | "DEEP_ARCHIVE"))
    }
}

/// A multipart upload under way.
#[derive(Debug, Default)]
pub(crate) struct Upload {
    pub(crate) key: String,
    pub(crate) parts: BTreeMap<i32, Bytes>,
    pub(crate) cache_control: Option<String>,
    pub(crate) content_type: Option<String>,
    pub(crate) storage_class: Option<String>,
}

#[derive(Debug, Default)]
pub(crate) struct Store {
    objects: Mutex<BTreeMap<String, Stored>>,
    uploads: Mutex<BTreeMap<String, Upload>>,
}

impl Store {
    pub(crate) fn objects(&self) -> MutexGuard<'_, BTreeMap<String, Stored>> {
        self.objects.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn uploads(&self) -> MutexGuard<'_, BTreeMap<String, Upload>> {
        self.uploads.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn get(&self, key: &str) -> Option<Stored> {
        self.objects().get(key).cloned()
    }

    pub(crate) fn put(&self, key: &str, mut object: Stored) {
        let mut objects = self.objects();
        object.previous = objects.remove(key).map(|mut before| {
            before.previous = None;
            Box::new(before)
        });
        objects.insert(key.to_owned(), object);
    }

    /// Up to `limit` objects behind `after` that start with `prefix`, and whether there are more.
    pub(crate) fn list(
        &self,
        prefix: &str,
        after: &str,
        limit: usize,
        shown: impl Fn(&str) -> bool,
    ) -> (Vec<(String, Stored)>, bool) {
        let from = if after < prefix { Bound::Included(prefix) } else { Bound::Excluded(after) };
        let objects = self.objects();
        let mut found = objects
            .range::<str, _>((from, Bound::Unbounded))
            .take_while(|(key, _)| key.starts_with(prefix))
            .filter(|(key, _)| shown(key));
        let page = found.by_ref().take(limit).map(|(k, o)| (k.clone(), o.clone())).collect();
        (page, found.next().is_some())
    }
}

pub(crate) fn md5_hex(bytes: &[u8]) -> String {
    hex::encode(Md5::digest(bytes))
}
