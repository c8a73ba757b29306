//! An origin in memory that is graded B, with doors through which tests damage what it holds.

use std::collections::BTreeMap;
use std::io::Read;
use std::ops::{Bound, Range};
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use headwater_model::key::ObjectKey;
use headwater_ports::origin::{
    Before, ObjectInfo, Origin, OriginError, OriginErrorKind, Page, ProofGrade, Put, PutFile,
    StoredFile,
};

use crate::digest::{md5, sha256};

/// Objects in one page of a listing, as S3 has it.
const PAGE: usize = 1000;

/// An origin in memory. It refuses bytes that do not match their checksums, and reports MD5s in listings.
pub struct MemoryOrigin {
    name: String,
    grade: ProofGrade,
    page: usize,
    storage_class: Option<String>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    objects: BTreeMap<ObjectKey, Stored>,
    stored: Vec<ObjectKey>,
}

struct Stored {
    /// What the origin says about it.
    info: ObjectInfo,
    /// What reading gives; `None` when reading fails.
    body: Option<Bytes>,
    cache_control: &'static str,
    /// It has to be restored before it can be read.
    is_cold: bool,
}

impl MemoryOrigin {
    /// An empty origin, grade B.
    pub fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            grade: ProofGrade::B,
            page: PAGE,
            storage_class: None,
            state: Mutex::default(),
        }
    }

    /// The same with another grade; at C neither listing nor head tell an MD5.
    pub fn with_grade(self, grade: ProofGrade) -> Self {
        Self { grade, ..self }
    }

    /// The same with at most `objects` in a page of a listing.
    pub fn with_page(self, objects: usize) -> Self {
        Self { page: objects, ..self }
    }

    /// The same with a storage class for what is stored. Of `GLACIER`, nothing can be read until [`MemoryOrigin::thaw`].
    pub fn with_storage_class(self, class: &str) -> Self {
        Self { storage_class: Some(class.to_owned()), ..self }
    }

    /// Restores an object from cold storage: it can be read, and keeps its class.
    pub fn thaw(&self, key: &ObjectKey) {
        if let Some(stored) = self.state().objects.get_mut(key) {
            stored.is_cold = false;
        }
    }

    /// Keys of all objects, in order.
    pub fn keys(&self) -> Vec<String> {
        self.state().objects.keys().map(ToString::to_string).collect()
    }

    /// Keys in the order in which objects were stored, repetitions included.
    pub fn stored(&self) -> Vec<String> {
        self.state().stored.iter().map(ToString::to_string).collect()
    }

    /// What an object was stored with: its bytes and its `Cache-Control`.
    pub fn object(&self, key: &ObjectKey) -> Option<(Bytes, &'static str)> {
        let state = self.state();
        let stored = state.objects.get(key)?;
        Some((stored.body.clone()?, stored.cache_control))
    }

    /// Loses an object.
    pub fn remove(&self, key: &ObjectKey) {
        self.state().objects.remove(key);
    }

    /// Replaces an object by nothing at all.
    pub fn empty(&self, key: &ObjectKey) {
        self.truncate(key, 0);
    }

    /// Keeps only the first `bytes` of an object.
    pub fn truncate(&self, key: &ObjectKey, bytes: usize) {
        self.replace(key, |body| body.slice(..bytes.min(body.len())));
    }

    /// Replaces an object by another of the same size; listings tell the new MD5.
    pub fn alter(&self, key: &ObjectKey) {
        self.replace(key, flipped);
    }

    /// Changes an object's bytes while the origin goes on saying what it said before: only reading back shows it.
    pub fn rot(&self, key: &ObjectKey) {
        self.replace_unseen(key, flipped);
    }

    /// Loses the end of an object, all but `bytes`, while the origin goes on saying what it said before.
    pub fn truncate_unseen(&self, key: &ObjectKey, bytes: usize) {
        self.replace_unseen(key, |body| body.slice(..bytes.min(body.len())));
    }

    /// Goes on listing an object that can no longer be read.
    pub fn make_unreadable(&self, key: &ObjectKey) {
        if let Some(stored) = self.state().objects.get_mut(key) {
            stored.body = None;
        }
    }

    fn replace(&self, key: &ObjectKey, change: impl FnOnce(Bytes) -> Bytes) {
        if let Some(stored) = self.state().objects.get_mut(key)
            && let Some(body) = stored.body.take().map(change)
        {
            stored.info.bytes = body.len() as u64;
            stored.info.md5 = Some(md5(&body));
            stored.info.etag = stored.info.md5.map(|md5| md5.to_string());
            stored.body = Some(body);
        }
    }

    fn replace_unseen(&self, key: &ObjectKey, change: impl FnOnce(Bytes) -> Bytes) {
        if let Some(stored) = self.state().objects.get_mut(key) {
            stored.body = stored.body.take().map(change);
        }
    }

    fn told(&self, info: &ObjectInfo) -> ObjectInfo {
        let md5 = info.md5.filter(|_| self.grade != ProofGrade::C);
        let etag = info.etag.clone().filter(|_| self.grade != ProofGrade::C);
        ObjectInfo { md5, etag, ..info.clone() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The same bytes with the middle one changed.
fn flipped(body: Bytes) -> Bytes {
    let mut body = body.to_vec();
    let middle = body.len() / 2;
    if let Some(byte) = body.get_mut(middle) {
        *byte ^= 1;
    }
    body.into()
}

fn error(
    kind: OriginErrorKind,
    operation: &'static str,
    key: &ObjectKey,
    why: &'static str,
) -> OriginError {
    OriginError { kind, operation, key: key.to_string(), source: why.into() }
}

#[async_trait]
impl Origin for MemoryOrigin {
    fn name(&self) -> &str {
        &self.name
    }

    fn grade(&self) -> ProofGrade {
        self.grade
    }

    fn address(&self, key: &ObjectKey) -> String {
        format!("memory://{}/{key}", self.name)
    }

    async fn put(&self, put: Put) -> Result<(), OriginError> {
        let as_sent = sha256(&put.body) == put.sha256 && md5(&put.body) == put.md5;
        if self.grade != ProofGrade::C && !as_sent {
            let why = "the bytes do not match their checksum";
            return Err(error(OriginErrorKind::Corrupt, "store", &put.key, why));
        }
        let md5 = md5(&put.body);
        let mut info = ObjectInfo::new(put.key.clone(), put.body.len() as u64);
        info.md5 = Some(md5);
        info.etag = Some(md5.to_string());
        info.storage_class.clone_from(&self.storage_class);
        let is_cold = self.storage_class.as_deref() == Some("GLACIER");
        let body = Some(put.body);
        let mut state = self.state();
        let there = state.objects.get(&put.key).and_then(|stored| stored.info.etag.as_deref());
        let fits = match &put.before {
            Before::Anything => true,
            Before::Nothing => there.is_none(),
            Before::Etag(etag) => there == Some(etag),
        };
        if !fits {
            return Err(error(OriginErrorKind::Changed, "store", &put.key, "it was changed"));
        }
        state.stored.push(put.key.clone());
        let cache_control = put.cache_control;
        state.objects.insert(put.key, Stored { info, body, cache_control, is_cold });
        Ok(())
    }

    async fn put_file(&self, put: PutFile) -> Result<StoredFile, OriginError> {
        let file = put.file.clone();
        let read = tokio::task::spawn_blocking(move || {
            let mut body = Vec::new();
            file.open()?.read_to_end(&mut body)?;
            Ok(body)
        });
        let read = read.await.unwrap_or_else(|error| Err(std::io::Error::other(error)));
        let body = read.map_err(|source| OriginError {
            kind: OriginErrorKind::Unavailable,
            operation: "store",
            key: put.key.to_string(),
            source: source.into(),
        })?;
        if sha256(&body) != put.sha256 {
            let why = "the file is not what it was said to be";
            return Err(error(OriginErrorKind::Corrupt, "store", &put.key, why));
        }
        let md5 = md5(&body);
        let PutFile { key, sha256, cache_control, .. } = put;
        let before = Before::Anything;
        self.put(Put { key, body: body.into(), sha256, md5, cache_control, before }).await?;
        let etag = (self.grade != ProofGrade::C).then(|| md5.to_string());
        Ok(StoredFile { etag, storage_class: self.storage_class.clone() })
    }

    async fn get(&self, key: &ObjectKey, range: Option<Range<u64>>) -> Result<Bytes, OriginError> {
        let state = self.state();
        let stored = state.objects.get(key).ok_or_else(|| {
            error(OriginErrorKind::NotFound, "read", key, "there is no such object")
        })?;
        if stored.is_cold {
            let why = "it has to be restored from cold storage";
            return Err(error(OriginErrorKind::Cold, "read", key, why));
        }
        let body = stored.body.as_ref().ok_or_else(|| {
            error(OriginErrorKind::NotFound, "read", key, "the object cannot be read")
        })?;
        let clip = |at: u64| usize::try_from(at).unwrap_or(usize::MAX).min(body.len());
        let range = range.map_or(0..body.len(), |r| clip(r.start)..clip(r.end));
        Ok(body.slice(range.start..range.end.max(range.start)))
    }

    async fn head(&self, key: &ObjectKey) -> Result<Option<ObjectInfo>, OriginError> {
        Ok(self.state().objects.get(key).map(|stored| self.told(&stored.info)))
    }

    async fn list(&self, prefix: &str, after: Option<&ObjectKey>) -> Result<Page, OriginError> {
        let state = self.state();
        let start = after.map_or(Bound::Unbounded, Bound::Excluded);
        let mut found = state
            .objects
            .range::<ObjectKey, _>((start, Bound::Unbounded))
            .filter(|(key, _)| key.as_str().starts_with(prefix));
        let objects: Vec<_> =
            found.by_ref().take(self.page).map(|(_, stored)| self.told(&stored.info)).collect();
        let more = found.next().is_some();
        let next = objects.last().filter(|_| more).map(|last| last.key.clone());
        Ok(Page { objects, next })
    }

    async fn delete(&self, key: &ObjectKey) -> Result<(), OriginError> {
        self.state().objects.remove(key);
        Ok(())
    }
}

#[cfg(test)]
mod tests;
