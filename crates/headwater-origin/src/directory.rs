//! A directory as an origin: the file's path within the root is the key.
//!
//! **What is true at each point.** An object is written aside in [`aside::FOLDER`], synced, renamed over its key, and
//! the folder that now names it is synced: a reader sees the old bytes or the new ones, and what was acknowledged
//! survives a power cut. A crash leaves files in that one folder and nowhere else; [`DirectoryOrigin::open`] removes
//! those whose writer is gone.
//!
//! **What is not an object.** Symbolic links, devices, and whatever has a dot in front of its name. Links are never
//! followed below the root, so no key leads out of it.
//!
//! **Proof.** A file system keeps no checksum that it could be asked for: grade C, only reading back proves anything.

mod aside;
mod list;
mod store;

use std::fs;
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use headwater_model::key::ObjectKey;
use headwater_ports::origin::{
    ObjectInfo, Origin, OriginError, OriginErrorKind, Page, ProofGrade, Put, PutFile, StoredFile,
};
use tokio::sync::Semaphore;
use tokio::time::timeout;

use store::Store;

/// Writes at once. Every write waits for the disk to flush, and the flushes that wait together share one journal
/// commit, so some company pays; more only keeps more bodies in memory.
const WRITES: usize = 8;

/// Reads, looks and listings at once. Tokio has 512 threads for blocking work, which hashing and writing need too: a
/// crowd of viewers must not take them all.
const READS: usize = 32;

/// How long a call may take, its wait for a place included: far more than 10 MB need behind everybody else's on a slow
/// disk, and an end to it where a network file system has gone away. Copying a file is not limited: that takes as long
/// as the file is large.
const CALL_LIMIT: Duration = Duration::from_mins(2);

/// Objects in one page of a listing: as many as S3 gives.
const PAGE: usize = 1000;

/// An origin in a directory. Several processes may share it.
pub struct DirectoryOrigin {
    name: String,
    root: PathBuf,
    public_url: Option<String>,
    store: Arc<Store>,
    writes: Arc<Semaphore>,
    reads: Arc<Semaphore>,
    /// How long a call may take.
    limit: Duration,
}

impl DirectoryOrigin {
    /// Opens the origin that the configuration calls `name`, makes `root` when it is missing, and removes what crashed
    /// writers left behind. Blocks for as long as that takes.
    ///
    /// The directory stays open: when another is mounted over it, this origin still uses the one it was given.
    pub fn open(name: &str, root: &Path) -> Result<Self, OriginError> {
        Self::open_with_page(name, root, PAGE)
    }

    /// The same, found by players at `url`, which has no slash at its end.
    pub fn with_public_url(self, url: Option<String>) -> Self {
        Self { public_url: url, ..self }
    }

    fn open_with_page(name: &str, root: &Path, page: usize) -> Result<Self, OriginError> {
        let open = || {
            let root = make_root(root)?;
            let store = Store::open(&root, page)?;
            store.sweep();
            Ok((root, Arc::new(store)))
        };
        let (root, store) = open().map_err(|e| failed("open", &root.to_string_lossy(), e))?;
        Ok(Self {
            name: name.to_owned(),
            root,
            public_url: None,
            store,
            writes: Arc::new(Semaphore::new(WRITES)),
            reads: Arc::new(Semaphore::new(READS)),
            limit: CALL_LIMIT,
        })
    }

    /// The same as [`Self::run`], as long as a call may take.
    async fn call<T: Send + 'static>(
        &self,
        gate: &Arc<Semaphore>,
        operation: &'static str,
        key: &str,
        work: impl FnOnce(&Store) -> io::Result<T> + Send + 'static,
    ) -> Result<T, OriginError> {
        let ran = timeout(self.limit, self.run(gate, operation, key, work)).await;
        ran.unwrap_or_else(|late| Err(failed(operation, key, late.into())))
    }

    /// Runs `work` on a thread that may block, once `gate` lets it in. Work that has begun is finished even when
    /// nobody waits for it any more, and keeps its place until then.
    async fn run<T: Send + 'static>(
        &self,
        gate: &Arc<Semaphore>,
        operation: &'static str,
        key: &str,
        work: impl FnOnce(&Store) -> io::Result<T> + Send + 'static,
    ) -> Result<T, OriginError> {
        let store = Arc::clone(&self.store);
        let result = match Arc::clone(gate).acquire_owned().await {
            Ok(place) => tokio::task::spawn_blocking(move || {
                let _place = place;
                work(&store)
            })
            .await
            .unwrap_or_else(|e| Err(io::Error::other(e))),
            Err(closed) => Err(io::Error::other(closed)),
        };
        result.map_err(|e| failed(operation, key, e))
    }
}

#[async_trait]
impl Origin for DirectoryOrigin {
    fn name(&self) -> &str {
        &self.name
    }

    fn grade(&self) -> ProofGrade {
        ProofGrade::C
    }

    fn address(&self, key: &ObjectKey) -> String {
        match &self.public_url {
            Some(url) => format!("{url}/{key}"),
            None => self.root.join(key.as_str()).to_string_lossy().into_owned(),
        }
    }

    async fn put(&self, put: Put) -> Result<(), OriginError> {
        let key = put.key.clone();
        self.call(&self.writes, "store", key.as_str(), move |s| s.put(&put.key, &put.body)).await
    }

    async fn put_file(&self, put: PutFile) -> Result<StoredFile, OriginError> {
        let key = put.key.clone();
        let wanted = Wanted::default();
        let is_wanted = wanted.0.clone();
        self.run(&self.writes, "store", key.as_str(), move |store| {
            store.put_file(&put, &|| is_wanted.load(Ordering::Relaxed))
        })
        .await?;
        Ok(StoredFile::default())
    }

    async fn get(&self, key: &ObjectKey, range: Option<Range<u64>>) -> Result<Bytes, OriginError> {
        let wanted = key.clone();
        self.call(&self.reads, "read", key.as_str(), move |s| s.get(&wanted, range)).await
    }

    async fn head(&self, key: &ObjectKey) -> Result<Option<ObjectInfo>, OriginError> {
        let wanted = key.clone();
        let bytes =
            self.call(&self.reads, "look at", key.as_str(), move |s| s.size(&wanted)).await?;
        Ok(bytes.map(|bytes| ObjectInfo::new(key.clone(), bytes)))
    }

    async fn list(&self, prefix: &str, after: Option<&ObjectKey>) -> Result<Page, OriginError> {
        let (wanted, after) = (prefix.to_owned(), after.cloned());
        self.call(&self.reads, "list", prefix, move |s| s.list(&wanted, after.as_ref())).await
    }

    async fn delete(&self, key: &ObjectKey) -> Result<(), OriginError> {
        let unwanted = key.clone();
        self.call(&self.writes, "delete", key.as_str(), move |s| s.delete(&unwanted)).await
    }
}

/// Says until it is dropped that somebody waits: copying 100 GB for nobody would hold up others.
struct Wanted(Arc<AtomicBool>);

impl Default for Wanted {
    fn default() -> Self {
        Self(Arc::new(AtomicBool::new(true)))
    }
}

impl Drop for Wanted {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Relaxed);
    }
}

/// Makes the root where it is missing, its names synced like those of any folder, and resolves it for good.
fn make_root(root: &Path) -> io::Result<PathBuf> {
    let root = std::path::absolute(root)?;
    let missing: Vec<&Path> = root.ancestors().take_while(|path| !path.exists()).collect();
    fs::create_dir_all(&root)?;
    for parent in missing.iter().filter_map(|made| made.parent()) {
        store::sync_folder(&fs::File::open(parent)?)?;
    }
    fs::canonicalize(root)
}

fn failed(operation: &'static str, key: &str, source: io::Error) -> OriginError {
    let kind = kind_of(&source);
    OriginError { kind, operation, key: key.to_owned(), source: Box::new(source) }
}

/// What the caller should make of an I/O error.
fn kind_of(error: &io::Error) -> OriginErrorKind {
    match error.kind() {
        io::ErrorKind::NotFound => OriginErrorKind::NotFound,
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => OriginErrorKind::Full,
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
            OriginErrorKind::Denied
        }
        // A key that this tree cannot hold, such as one below a file: no retry will change that.
        io::ErrorKind::NotADirectory
        | io::ErrorKind::IsADirectory
        | io::ErrorKind::InvalidFilename => OriginErrorKind::Denied,
        io::ErrorKind::InvalidData => OriginErrorKind::Corrupt,
        _ => OriginErrorKind::Unavailable,
    }
}

#[cfg(test)]
mod tests;
