//! Masters that lie far away: looked at, listed, and read in parts.
//!
//! A master is opened once for each piece of work, and what is read of it belongs together: one that has changed since
//! is an error of the read, never other bytes.

use std::collections::VecDeque;
use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::{Buf, Bytes};
use headwater_model::address::{Address, Folder};
use headwater_model::refusal::{Code, Refusal};
use headwater_model::task::{Failure, Retry};
use thiserror::Error;
use tokio::runtime::Handle;
use tokio::task::JoinHandle;

/// Bytes that a sequential read asks for at once.
const BLOCK: u64 = 8 * 1024 * 1024;

/// Blocks that a sequential read asks for ahead. With them 32 MiB are in memory, and a link of 1 Gbit/s over 200 ms is
/// full.
const AHEAD: usize = 4;

/// What tells a master from another one at the same address, without reading it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Seen {
    /// Size in bytes.
    pub bytes: u64,
    /// Of its ETag or, where there is none, of the time of its last change:
    /// [`headwater_model::address::stamp_of`].
    pub stamp: i64,
}

/// What kind of failure, for the caller to decide on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MasterErrorKind {
    /// There is nothing at this address.
    NotFound,
    /// Credentials or permissions, or a bucket that nobody has configured.
    Denied,
    /// It is in a storage class that has to be restored before it can be read.
    Cold,
    /// It is not what it was when it was opened.
    Changed,
    /// Whoever holds it cannot give parts of it, or does not say how large it is or whether it has changed.
    Unsuitable,
    /// No answer, or a passing fault.
    Unavailable,
}

/// A failed call.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("`{address}`: {reason}")]
pub struct MasterError {
    /// What kind.
    pub kind: MasterErrorKind,
    /// Which master, or which folder.
    pub address: String,
    /// What happened, with the status of HTTP where there was one.
    pub reason: String,
}

impl MasterError {
    /// What to tell content ops, and whether to try again.
    pub fn into_failure(self) -> Failure {
        let Self { kind, address, reason } = self;
        let (code, message, retry) = match kind {
            MasterErrorKind::NotFound => (
                Code::MasterGone,
                format!("there is no master `{address}` any more: {reason}"),
                Retry::Never,
            ),
            MasterErrorKind::Denied => (
                Code::Unreadable,
                format!("the service may not read the master `{address}`: {reason}"),
                Retry::Never,
            ),
            MasterErrorKind::Cold => (
                Code::MasterInColdStorage,
                format!("the master `{address}` is in cold storage: {reason}"),
                Retry::Never,
            ),
            MasterErrorKind::Changed => (
                Code::MasterChanged,
                format!("the master `{address}` changed while it was read: {reason}"),
                Retry::Never,
            ),
            MasterErrorKind::Unsuitable => (
                Code::Unreadable,
                format!("the master `{address}` cannot be read in parts: {reason}"),
                Retry::Never,
            ),
            // What was made waits for it, as for an origin.
            MasterErrorKind::Unavailable => (
                Code::OriginUnavailable,
                format!("the master `{address}` cannot be read now: {reason}"),
                Retry::Later,
            ),
        };
        Failure { refusal: Refusal::new(code, message), retry, last_words: None }
    }
}

/// A master far away, as it was when it was opened.
#[async_trait]
pub trait RemoteMaster: fmt::Debug + Send + Sync {
    /// Where it lies.
    fn address(&self) -> &Address;

    /// What it was like when it was opened.
    fn seen(&self) -> Seen;

    /// The bytes of `range`, which does not reach beyond its end: all of them, or an error.
    async fn read(&self, range: Range<u64>) -> Result<Bytes, MasterError>;
}

/// A page of the objects in a folder of a bucket.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MasterPage {
    /// Those right in the folder, in the order of their keys.
    pub found: Vec<(Address, Seen)>,
    /// Ask again with this to go on; `None` at the end.
    pub next: Option<String>,
}

/// Buckets and web servers that hold masters.
///
/// The adapter owns every retry; callers take its answer as final.
#[async_trait]
pub trait Masters: Send + Sync {
    /// Looks at a master and remembers what it is like. A file of this machine is not looked at here: an error.
    async fn open(&self, address: &Address) -> Result<Arc<dyn RemoteMaster>, MasterError>;

    /// Objects in a folder of a bucket, after the key `after`.
    async fn list(&self, folder: &Folder, after: Option<&str>) -> Result<MasterPage, MasterError>;
}

/// No buckets and no web servers: for whoever works with files only.
#[derive(Debug, Clone, Copy, Default)]
pub struct FilesOnly;

#[async_trait]
impl Masters for FilesOnly {
    async fn open(&self, address: &Address) -> Result<Arc<dyn RemoteMaster>, MasterError> {
        Err(no_way(address.to_string()))
    }

    async fn list(&self, folder: &Folder, _after: Option<&str>) -> Result<MasterPage, MasterError> {
        Err(no_way(folder.to_string()))
    }
}

fn no_way(address: String) -> MasterError {
    let reason = "only files can be read here".to_owned();
    MasterError { kind: MasterErrorKind::Denied, address, reason }
}

/// A master to read from.
#[derive(Debug, Clone)]
pub enum Input {
    /// A file of this machine or of a folder that machines share.
    File(PathBuf),
    /// One far away.
    Remote(Arc<dyn RemoteMaster>),
}

impl Input {
    /// Reads it from its beginning, on a thread of the runtime that may block. A failed read of one far away ends with a
    /// [`MasterError`] inside of the [`io::Error`].
    ///
    /// # Errors
    ///
    /// A file that cannot be opened, or is no plain file; a master far away where no runtime is.
    pub fn open(&self) -> io::Result<Box<dyn Read + Send>> {
        match self {
            Input::File(path) => {
                let file = File::open(path)?;
                if !file.metadata()?.is_file() {
                    return Err(io::Error::other("it is not a plain file"));
                }
                Ok(Box::new(file))
            }
            Input::Remote(master) => Ok(Box::new(Sequential {
                master: master.clone(),
                runtime: Handle::try_current().map_err(io::Error::other)?,
                asked: 0,
                coming: VecDeque::new(),
                block: Bytes::new(),
            })),
        }
    }
}

impl fmt::Display for Input {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Input::File(path) => write!(f, "{}", path.display()),
            Input::Remote(master) => master.address().fmt(f),
        }
    }
}

/// A master far away, read from its beginning to its end with some blocks under way.
struct Sequential {
    master: Arc<dyn RemoteMaster>,
    runtime: Handle,
    /// Up to where it was asked for.
    asked: u64,
    coming: VecDeque<JoinHandle<Result<Bytes, MasterError>>>,
    block: Bytes,
}

impl Drop for Sequential {
    fn drop(&mut self) {
        self.coming.iter().for_each(JoinHandle::abort);
    }
}

impl Read for Sequential {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let bytes = self.master.seen().bytes;
        while self.asked < bytes && self.coming.len() < AHEAD {
            let range = self.asked..bytes.min(self.asked + BLOCK);
            self.asked = range.end;
            let master = self.master.clone();
            self.coming.push_back(self.runtime.spawn(async move { master.read(range).await }));
        }
        if self.block.is_empty() {
            let Some(next) = self.coming.pop_front() else { return Ok(0) };
            let read = self.runtime.block_on(next).map_err(io::Error::other)?;
            self.block = read.map_err(io::Error::other)?;
        }
        let n = self.block.len().min(into.len());
        self.block.copy_to_slice(into.get_mut(..n).unwrap_or_default());
        Ok(n)
    }
}
