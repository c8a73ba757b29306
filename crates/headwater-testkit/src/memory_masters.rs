//! A bucket with masters in memory, which can be written to while it is read, and taken away.

use std::collections::BTreeMap;
use std::ops::{Bound, Range};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use headwater_model::address::{Address, Folder, stamp_of};
use headwater_ports::masters::{
    MasterError, MasterErrorKind, MasterPage, Masters, RemoteMaster, Seen,
};

/// Masters by address. Clones are the same.
#[derive(Debug, Clone, Default)]
pub struct MemoryMasters(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    objects: BTreeMap<String, Bytes>,
    failing: Option<MasterErrorKind>,
}

/// Objects in a page of a listing: so few that every test turns pages.
const PAGE: usize = 2;

impl MemoryMasters {
    /// Puts a master there.
    pub fn place(&self, address: &str, body: impl Into<Bytes>) {
        self.state().objects.insert(address.to_owned(), body.into());
    }

    /// Takes one away.
    pub fn remove(&self, address: &str) {
        self.state().objects.remove(address);
    }

    /// From now on every call fails like this, or none any more.
    pub fn fails(&self, kind: Option<MasterErrorKind>) {
        self.state().failing = kind;
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn get(&self, address: &str) -> Result<Bytes, MasterError> {
        let error = |kind, reason: &str| {
            Err(MasterError { kind, address: address.to_owned(), reason: reason.to_owned() })
        };
        let state = self.state();
        match (state.failing, state.objects.get(address)) {
            (Some(kind), _) => error(kind, "503 SlowDown: on purpose"),
            (None, Some(body)) => Ok(body.clone()),
            (None, None) => error(MasterErrorKind::NotFound, "404 NoSuchKey"),
        }
    }
}

fn seen(body: &Bytes) -> Seen {
    Seen { bytes: body.len() as u64, stamp: stamp_of(&crate::digest::md5(body).to_string()) }
}

#[derive(Debug)]
struct Opened {
    masters: MemoryMasters,
    address: Address,
    seen: Seen,
}

#[async_trait]
impl RemoteMaster for Opened {
    fn address(&self) -> &Address {
        &self.address
    }

    fn seen(&self) -> Seen {
        self.seen
    }

    async fn read(&self, range: Range<u64>) -> Result<Bytes, MasterError> {
        let address = self.address.to_string();
        let body = self.masters.get(&address)?;
        if seen(&body) != self.seen {
            let (kind, reason) = (MasterErrorKind::Changed, "412 PreconditionFailed".to_owned());
            return Err(MasterError { kind, address, reason });
        }
        let at = |n: u64| usize::try_from(n).unwrap_or(usize::MAX).min(body.len());
        Ok(body.slice(at(range.start)..at(range.end)))
    }
}

#[async_trait]
impl Masters for MemoryMasters {
    async fn open(&self, address: &Address) -> Result<Arc<dyn RemoteMaster>, MasterError> {
        let seen = seen(&self.get(&address.to_string())?);
        Ok(Arc::new(Opened { masters: self.clone(), address: address.clone(), seen }))
    }

    async fn list(&self, folder: &Folder, after: Option<&str>) -> Result<MasterPage, MasterError> {
        let state = self.state();
        if let Some(kind) = state.failing {
            let reason = "503 SlowDown: on purpose".to_owned();
            return Err(MasterError { kind, address: folder.to_string(), reason });
        }
        let bucket = format!("s3://{}/", folder.bucket);
        let start = after.map(|key| format!("{bucket}{key}"));
        let start = start.map_or(Bound::Included(folder.to_string()), Bound::Excluded);
        let below = state.objects.range((start, Bound::Unbounded));
        let mut below = below.filter_map(|(key, body)| Some((key.strip_prefix(&bucket)?, body)));
        let mut page = MasterPage::default();
        for (key, body) in below.by_ref().take(PAGE) {
            page.found.extend(folder.object(key).map(|address| (address, seen(body))));
            page.next = Some(key.to_owned());
        }
        if below.next().is_none() {
            page.next = None;
        }
        Ok(page)
    }
}
