//! The spool: where transcoder children put their files, one private folder per claim, empty before and after.

use std::fs::{self, DirEntry, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use headwater_model::task::Lease;
use thiserror::Error;
use tokio::task::spawn_blocking;
use tracing::warn;

/// Name of the file whose lock says that the process that sweeps here is alive. The kernel lets go of it when the
/// process ends, however it ends.
const LOCK_NAME: &str = ".lock";

/// How often a folder is swept into which somebody still writes: for a second, longer than a killed process lives.
const SWEEPS: u32 = 20;

/// Time from one sweep to the next.
const BETWEEN_SWEEPS: Duration = Duration::from_millis(50);

/// Why the spool cannot be used.
#[derive(Debug, Error)]
pub enum SpoolError {
    /// A process that shares the folder would have its files swept away.
    #[error("the spool folder `{}` is used by another process", .0.display())]
    InUse(PathBuf),
    /// The file system said no.
    #[error("failed to prepare the spool folder `{}`", folder.display())]
    Io {
        /// The folder.
        folder: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
}

/// A spool folder that belongs to this process until the value is dropped.
#[derive(Debug)]
pub(crate) struct Spool {
    _lock: File,
}

impl Spool {
    /// Takes `root` for this process and removes what dead runs left in it.
    pub(crate) async fn take(root: &Path) -> Result<Self, SpoolError> {
        let folder = root.to_owned();
        let taken = spawn_blocking({
            let folder = folder.clone();
            move || take_blocking(&folder)
        });
        match taken.await {
            Ok(result) => result,
            Err(error) => Err(SpoolError::Io { folder, source: io::Error::other(error) }),
        }
    }
}

fn take_blocking(root: &Path) -> Result<Spool, SpoolError> {
    let io = |source| SpoolError::Io { folder: root.to_owned(), source };
    fs::create_dir_all(root).map_err(io)?;
    let lock = File::create(root.join(LOCK_NAME)).map_err(io)?;
    lock.try_lock().map_err(|error| match error {
        TryLockError::WouldBlock => SpoolError::InUse(root.to_owned()),
        TryLockError::Error(source) => io(source),
    })?;
    for entry in fs::read_dir(root).map_err(io)? {
        let entry = entry.map_err(io)?;
        if entry.file_name() != LOCK_NAME {
            sweep(&entry).map_err(io)?;
        }
    }
    Ok(Spool { _lock: lock })
}

fn sweep(leftover: &DirEntry) -> io::Result<()> {
    let (kind, path) = (leftover.file_type()?, leftover.path());
    let remove = || if kind.is_dir() { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
    let mut tries = 1;
    loop {
        match remove() {
            // A child of a dead run that is still dying may be tidying up after itself, or finish a file.
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) if error.kind() == io::ErrorKind::DirectoryNotEmpty && tries < SWEEPS => {
                tries += 1;
                thread::sleep(BETWEEN_SWEEPS);
            }
            swept => return swept,
        }
    }
}

/// The folder of one claim. The token is in its name: a child of an older claim of the same task that is still dying
/// writes elsewhere.
pub(crate) fn folder_of(root: &Path, lease: &Lease) -> PathBuf {
    root.join(format!("task-{}-{}", lease.task, lease.token))
}

/// Makes the folder, empty.
pub(crate) async fn make(folder: &Path) -> io::Result<()> {
    let folder = folder.to_owned();
    let made = spawn_blocking(move || match fs::create_dir(&folder) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            fs::remove_dir_all(&folder)?;
            fs::create_dir(&folder)
        }
        result => result,
    });
    made.await.map_err(io::Error::other)?
}

/// Removes the folder with all that is in it. What cannot be removed is only space: the next start sweeps it.
pub(crate) async fn remove(folder: &Path) {
    let path = folder.to_owned();
    let removed = spawn_blocking(move || fs::remove_dir_all(&path)).await;
    match removed.map_err(io::Error::other).flatten() {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => warn!(folder = %folder.display(), %error, "spool folder not removed"),
    }
}

#[cfg(test)]
mod tests;
