//! An origin with a gate in front: at a chosen operation it stops for ever, or lets the test do something first.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};

use async_trait::async_trait;
use bytes::Bytes;
use headwater_model::key::ObjectKey;
use headwater_ports::origin::{
    ObjectInfo, Origin, OriginError, Page, ProofGrade, Put, PutFile, StoredFile,
};
use headwater_testkit::memory_origin::MemoryOrigin;
use tokio::sync::Notify;

/// What happens at the gate.
pub(crate) enum Gate {
    /// The operation of this number, from 0, is never answered; the bell rings.
    Closes(usize, Arc<Notify>),
    /// The listing of this number, from 0, is never answered; the bell rings.
    ClosesAtList(usize, Arc<Notify>),
    /// Before the operation of this number, from 0, the test may do something.
    Before(usize, Box<dyn Fn() + Send + Sync>),
    /// After something is stored under a key that ends like this, the test may change what is there.
    AfterPut(&'static str, Box<dyn Fn(&MemoryOrigin) + Send + Sync>),
}

pub(crate) struct GatedOrigin {
    inner: Arc<MemoryOrigin>,
    gate: Gate,
    operations: AtomicUsize,
    lists: AtomicUsize,
    reads: Arc<AtomicU32>,
}

impl GatedOrigin {
    pub(crate) fn new(inner: Arc<MemoryOrigin>, gate: Gate) -> Arc<Self> {
        Arc::new(Self {
            inner,
            gate,
            operations: AtomicUsize::new(0),
            lists: AtomicUsize::new(0),
            reads: Arc::default(),
        })
    }

    /// One that hangs at operation `n`, and the bell that says when.
    pub(crate) fn closing(inner: Arc<MemoryOrigin>, n: usize) -> (Arc<Self>, Arc<Notify>) {
        let bell = Arc::new(Notify::new());
        (Self::new(inner, Gate::Closes(n, bell.clone())), bell)
    }

    /// One that hangs at the listing `n`, and the bell that says when.
    pub(crate) fn closing_at_list(inner: Arc<MemoryOrigin>, n: usize) -> (Arc<Self>, Arc<Notify>) {
        let bell = Arc::new(Notify::new());
        (Self::new(inner, Gate::ClosesAtList(n, bell.clone())), bell)
    }

    /// One that damages itself once the package is sealed: behind the verifier's back, before it looks.
    pub(crate) fn damaged_when_sealed(
        inner: Arc<MemoryOrigin>,
        damage: impl Fn(&MemoryOrigin) + Send + Sync + 'static,
    ) -> Arc<Self> {
        Self::new(inner, Gate::AfterPut("inventory.jsonl", Box::new(damage)))
    }

    /// How often something was read.
    pub(crate) fn reads(&self) -> Arc<AtomicU32> {
        self.reads.clone()
    }

    async fn pass(&self) {
        let n = self.operations.fetch_add(1, Ordering::SeqCst);
        match &self.gate {
            Gate::Closes(at, bell) if n >= *at => {
                bell.notify_one();
                std::future::pending().await
            }
            Gate::Before(at, act) if n == *at => act(),
            Gate::Closes(..) | Gate::ClosesAtList(..) | Gate::Before(..) | Gate::AfterPut(..) => {}
        }
    }
}

#[async_trait]
impl Origin for GatedOrigin {
    fn name(&self) -> &str {
        self.inner.name()
    }

    fn grade(&self) -> ProofGrade {
        self.inner.grade()
    }

    fn address(&self, key: &ObjectKey) -> String {
        self.inner.address(key)
    }

    async fn put(&self, put: Put) -> Result<(), OriginError> {
        self.pass().await;
        let key = put.key.clone();
        self.inner.put(put).await?;
        if let Gate::AfterPut(ending, change) = &self.gate
            && key.as_str().ends_with(ending)
        {
            change(&self.inner);
        }
        Ok(())
    }

    async fn put_file(&self, put: PutFile) -> Result<StoredFile, OriginError> {
        self.pass().await;
        self.inner.put_file(put).await
    }

    async fn get(&self, key: &ObjectKey, range: Option<Range<u64>>) -> Result<Bytes, OriginError> {
        self.pass().await;
        self.reads.fetch_add(1, Ordering::SeqCst);
        self.inner.get(key, range).await
    }

    async fn head(&self, key: &ObjectKey) -> Result<Option<ObjectInfo>, OriginError> {
        self.pass().await;
        self.inner.head(key).await
    }

    async fn list(&self, prefix: &str, after: Option<&ObjectKey>) -> Result<Page, OriginError> {
        let n = self.lists.fetch_add(1, Ordering::SeqCst);
        if let Gate::ClosesAtList(at, bell) = &self.gate
            && n >= *at
        {
            bell.notify_one();
            std::future::pending().await
        }
        self.pass().await;
        self.inner.list(prefix, after).await
    }

    async fn delete(&self, key: &ObjectKey) -> Result<(), OriginError> {
        self.pass().await;
        self.inner.delete(key).await
    }
}
