//! The master, as a file or far away: whether it is there, whether it is still the same, and what it hashes to. Opened
//! for reading only, never touched (R9).

use std::collections::VecDeque;
use std::fmt;
use std::fs::{self, Metadata};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::UNIX_EPOCH;

use headwater_model::address::Address;
use headwater_model::delivery::Bundled;
use headwater_model::id::Sha256;
use headwater_model::refusal::Code;
use headwater_model::task::{Claimed, Failure};
use headwater_ports::masters::{Input, MasterError, MasterErrorKind, Masters, Seen};
use tokio::sync::OnceCell;
use tokio::task::spawn_blocking;
use tokio_util::sync::CancellationToken;

use crate::bundle;
use crate::failure::{later, never};
use crate::hash::{self, Stretch, StretchDigests, Stretches};
use crate::sums::{self, Sums};

/// What tells cheaply whether a file is still the one that was looked at before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Stamp {
    /// Size in bytes.
    pub(crate) bytes: u64,
    /// Modification time, nanoseconds since 1970; 0 where the file system keeps none. Of a master far away, a number made
    /// of its ETag or of the time of its last change ([`Seen::stamp`]).
    pub(crate) modified_ns: i64,
}

impl Stamp {
    /// The stamp of a file whose metadata was read.
    pub(crate) fn of(metadata: &Metadata) -> Self {
        let since = metadata.modified().ok().and_then(|t| t.duration_since(UNIX_EPOCH).ok());
        let modified_ns = since.and_then(|d| i64::try_from(d.as_nanos()).ok()).unwrap_or(0);
        Self { bytes: metadata.len(), modified_ns }
    }
}

impl From<Seen> for Stamp {
    fn from(seen: Seen) -> Self {
        Self { bytes: seen.bytes, modified_ns: seen.stamp }
    }
}

/// A master that was looked at, to read from.
#[derive(Debug, Clone)]
pub(crate) struct Opened {
    /// Where it lies.
    pub(crate) at: Address,
    /// What it was like.
    pub(crate) stamp: Stamp,
    /// How to read it.
    pub(crate) input: Input,
    /// Its files, where it is a delivery.
    pub(crate) bundled: Option<Arc<Bundled>>,
    /// SHA-256 of each of them, once they were read.
    pub(crate) sources: Vec<Sha256>,
}

impl Opened {
    /// A file that was looked at.
    pub(crate) fn file(path: &Path, stamp: Stamp) -> Self {
        let path = path.to_owned();
        Self {
            at: Address::File(path.clone()),
            stamp,
            input: Input::File(path),
            bundled: None,
            sources: vec![],
        }
    }

    /// Fails unless it still is what it was when it was opened.
    pub(crate) async fn check_unchanged(&self, masters: &dyn Masters) -> Result<(), Failure> {
        let now = match &self.input {
            Input::Remote(_) if let Some(bundled) = &self.bundled => {
                bundle::open_listed(masters, &self.at, bundled).await?.stamp
            }
            Input::File(_) => open(masters, &self.at).await?.stamp,
            Input::Remote(_) => match masters.open(&self.at).await {
                Ok(now) => now.seen().into(),
                // Each read of it has made sure that it is the same, so that what is made of it need not be thrown away.
                Err(error) if error.kind == MasterErrorKind::Unavailable => return Ok(()),
                Err(error) => return Err(error.into_failure()),
            },
        };
        if now == self.stamp { Ok(()) } else { Err(changed(&self.at, self.stamp, now)) }
    }
}

/// Looks at a master without reading it: at all files, where it is a delivery.
pub(crate) async fn open(masters: &dyn Masters, at: &Address) -> Result<Opened, Failure> {
    if bundle::names_a_delivery(at) {
        bundle::open(masters, at).await
    } else {
        open_file(masters, at).await
    }
}

/// Looks at what lies there, whatever it is.
pub(crate) async fn open_file(masters: &dyn Masters, at: &Address) -> Result<Opened, Failure> {
    if let Address::File(path) = at {
        let stamp = off_runtime(path, look_blocking).await?;
        return Ok(Opened::file(path, stamp));
    }
    let master = masters.open(at).await.map_err(MasterError::into_failure)?;
    let stamp = Stamp::from(master.seen());
    if stamp.bytes == 0 {
        return Err(empty(at));
    }
    Ok(Opened {
        at: at.clone(),
        stamp,
        input: Input::Remote(master),
        bundled: None,
        sources: vec![],
    })
}

/// Reads the master once and gives its SHA-256; fails when it changed meanwhile, and when a checksum that came with it is
/// that of something else.
pub(crate) async fn hash(masters: &dyn Masters, at: &Address) -> Result<(Opened, Sha256), Failure> {
    let opened = open(masters, at).await?;
    let sums = sums::of(masters, &opened).await?;
    let (sha256, digests) = hash_of(masters, &opened, &sums).await?;
    sums.check(&digests)?;
    let sources = digests.iter().map(|digests| digests.sha256);
    let sources = if opened.bundled.is_some() { sources.collect() } else { vec![] };
    Ok((Opened { sources, ..opened }, sha256))
}

/// The SHA-256 of all of it, and the digests of each of its files, which is itself where it is no delivery.
async fn hash_of(
    masters: &dyn Masters,
    opened: &Opened,
    sums: &Sums,
) -> Result<(Sha256, Vec<StretchDigests>), Failure> {
    let at = &opened.at;
    let stop = CancellationToken::new();
    // When the task is cancelled, the reading thread must not go on through the rest of 100 GB.
    let _stop_when_dropped = stop.clone().drop_guard();
    let (input, shown) = (opened.input.clone(), at.clone());
    // What stands before the first file is a stretch too, of no bytes where there is nothing.
    let (header, files) = match &opened.bundled {
        Some(bundled) => {
            (bundled.header().len() as u64, bundled.files.iter().map(|f| f.bytes).collect())
        }
        None => (0, vec![opened.stamp.bytes]),
    };
    let mut stretches = vec![Stretch { bytes: header, with_md5: false }];
    let files = (0..).zip(files);
    stretches.extend(files.map(|(n, bytes)| Stretch { bytes, with_md5: sums.want_md5(n) }));
    let digests: Arc<Mutex<Vec<StretchDigests>>> = Arc::default();
    let noted = digests.clone();
    let read = spawn_blocking(move || {
        let reader = input.open().map_err(|e| refuse(&shown, e))?;
        let reader = Stretches::new(reader, stretches, noted);
        hash::read_through(reader, &stop).map_err(|e| refuse(&shown, e))
    });
    let (bytes, sha256) = read.await.unwrap_or_else(|error| Err(ended_early(&error)))?;
    opened.check_unchanged(masters).await?;
    if bytes != opened.stamp.bytes {
        return Err(changed(at, opened.stamp, Stamp { bytes, ..opened.stamp }));
    }
    let digests = std::mem::take(&mut *digests.lock().unwrap_or_else(PoisonError::into_inner));
    Ok((sha256, digests.into_iter().skip(1).collect()))
}

/// Masters that are remembered: some more than are worked on at once.
const KNOWN: usize = 64;

/// What masters hash to whose stamp is not the one that was noted. Each is read for that once in a process, and not for
/// every part of it. Clones are the same.
#[derive(Debug, Clone, Default)]
pub(crate) struct Known(Arc<Mutex<VecDeque<Hashed>>>);

/// A master as it was looked at, with its hash once somebody has it.
type Hashed = (Address, Stamp, Arc<OnceCell<Sha256>>);

impl Known {
    async fn hash(&self, masters: &dyn Masters, opened: &Opened) -> Result<Sha256, Failure> {
        let hashed = self.entry(opened);
        let hash = async || Ok(hash_of(masters, opened, &Sums::default()).await?.0);
        hashed.get_or_try_init(hash).await.copied()
    }

    fn entry(&self, opened: &Opened) -> Arc<OnceCell<Sha256>> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_it = |(at, stamp, _): &&Hashed| *at == opened.at && *stamp == opened.stamp;
        if let Some((.., hashed)) = known.iter().find(is_it) {
            return hashed.clone();
        }
        if known.len() == KNOWN {
            known.pop_front();
        }
        let hashed = Arc::default();
        known.push_back((opened.at.clone(), opened.stamp, Arc::clone(&hashed)));
        hashed
    }
}

/// Where the master of a package lies.
pub(crate) fn address(path: &str) -> Result<Address, Failure> {
    path.parse().map_err(|error| {
        never(Code::Unreadable, format!("the address of the master makes no sense: {error}"))
    })
}

/// Fails unless the master of a package has the content that its plan was made from. Size and time as its own `Prepare`
/// noted them settle it, since a newer version may have been made of another one at the same place; when they differ, the
/// content is hashed again, since a copy put back after a mishap is as good as the master was.
pub(crate) async fn same(
    masters: &dyn Masters,
    known: &Known,
    claimed: &Claimed,
    expected: Sha256,
) -> Result<Opened, Failure> {
    if claimed.master_path.is_empty() {
        let text = format!(
            "the catalog was rebuilt from an origin, and no origin says where the master is: its SHA-256 is {expected}"
        );
        return Err(never(Code::MasterGone, text));
    }
    let at = address(&claimed.master_path)?;
    let opened = match claimed.plan.as_ref().and_then(|plan| plan.delivery.as_ref()) {
        Some(bundled) => bundle::open_listed(masters, &at, bundled).await?,
        None => open(masters, &at).await?,
    };
    let noted = claimed.facts.as_ref();
    let noted = noted.map(|f| Stamp { bytes: f.bytes, modified_ns: f.modified_ns });
    if noted == Some(opened.stamp) {
        return Ok(opened);
    }
    let sha256 = known.hash(masters, &opened).await?;
    if sha256 == expected {
        return Ok(opened);
    }
    let text = format!(
        "the master `{at}` is not the file that the plan was made from: its SHA-256 is {sha256} instead of {expected}"
    );
    Err(never(Code::MasterChanged, text))
}

/// The refusal of a master that did not stand still.
pub(crate) fn changed(at: &Address, before: Stamp, after: Stamp) -> Failure {
    let (before, after) = (before.bytes, after.bytes);
    let what = if before == after {
        format!("still has {after} bytes, but was written to")
    } else {
        format!("had {before} bytes and has {after} now")
    };
    never(Code::MasterChanged, format!("the master `{at}` changed while it was read: it {what}"))
}

fn empty(at: &dyn fmt::Display) -> Failure {
    never(Code::EmptyFile, format!("the master `{at}` is empty: it has 0 bytes"))
}

fn ended_early(error: &tokio::task::JoinError) -> Failure {
    later(Code::Internal, format!("reading the master ended early: {error}"))
}

async fn off_runtime<T: Send + 'static>(
    path: &Path,
    work: impl FnOnce(&Path) -> Result<T, Failure> + Send + 'static,
) -> Result<T, Failure> {
    let path: PathBuf = path.to_owned();
    spawn_blocking(move || work(&path)).await.unwrap_or_else(|error| Err(ended_early(&error)))
}

fn look_blocking(path: &Path) -> Result<Stamp, Failure> {
    let shown = path.display();
    let metadata = fs::metadata(path).map_err(|e| refuse(&shown, e))?;
    if metadata.is_dir() {
        Err(never(Code::NotAFile, format!("`{shown}` is a folder, not a media file")))
    } else if !metadata.is_file() {
        Err(never(
            Code::NotAFile,
            format!("`{shown}` is a device, pipe or socket, not a media file"),
        ))
    } else if metadata.len() == 0 {
        Err(empty(&shown))
    } else {
        Ok(Stamp::of(&metadata))
    }
}

/// What an error of the file system, or of whoever holds a master far away, says about the master.
fn refuse(shown: &dyn fmt::Display, error: io::Error) -> Failure {
    let error = match error.downcast::<MasterError>() {
        Ok(error) => return error.into_failure(),
        Err(error) => error,
    };
    match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => {
            never(Code::MasterGone, format!("there is no file `{shown}` any more"))
        }
        io::ErrorKind::PermissionDenied => never(
            Code::Unreadable,
            format!("the service may not read the master `{shown}`: {error}"),
        ),
        // A disk or a network share may recover; if it does not, the last try says so.
        _ => later(Code::Unreadable, format!("the master `{shown}` cannot be read: {error}")),
    }
}

#[cfg(test)]
mod tests;
