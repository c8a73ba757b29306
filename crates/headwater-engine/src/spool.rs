//! The spool: where transcoder children put their files, one private folder per claim, empty before and after.
//!
//! Several processes share it. Each has a folder of its name in it, with a lock that says that it is alive; whoever
//! starts removes the folders of the dead.

use std::fs::{self, DirEntry, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use headwater_model::task::Lease;
use thiserror::Error;
use tokio::task::spawn_blocking;
use tracing::warn;

/// Name of the files whose locks say, in a process's folder, that the process is alive, and beside these folders, that
/// somebody starts and sweeps. The kernel lets go of a lock when the process ends, however it ends.
const LOCK_NAME: &str = ".lock";

/// How often a folder is swept into which somebody still writes: for a second, longer than a killed process lives.
const SWEEPS: u32 = 20;

/// Time from one sweep to the next, and from one look at a lock to the next.
const BETWEEN_SWEEPS: Duration = Duration::from_millis(50);

/// How often a process that starts asks whether it is its turn: for ten seconds, in which others remove what the dead
/// left.
const TURNS: u32 = 200;

/// How often a process asks for its own folder. Somebody who looks whether it is in use holds it for a moment.
const LOOKS: u32 = 4;

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

/// A folder in the spool that belongs to this process until the value is dropped.
#[derive(Debug)]
pub(crate) struct Spool {
    _lock: File,
}

impl Spool {
    /// Takes the folder `name` in `root` for this process and removes what dead runs left in `root`.
    pub(crate) async fn take(root: &Path, name: &str) -> Result<Self, SpoolError> {
        let (folder, name) = (root.to_owned(), name.to_owned());
        let taken = spawn_blocking({
            let folder = folder.clone();
            move || take_blocking(&folder, &name)
        });
        match taken.await {
            Ok(result) => result,
            Err(error) => Err(SpoolError::Io { folder, source: io::Error::other(error) }),
        }
    }
}

fn take_blocking(root: &Path, name: &str) -> Result<Spool, SpoolError> {
    fs::create_dir_all(root)
        .map_err(|source| SpoolError::Io { folder: root.to_owned(), source })?;
    // One after the other: a folder whose process has not locked it yet looks like one of the dead.
    let _turn = lock(root, TURNS)?;
    let own = root.join(name);
    fs::create_dir_all(&own).map_err(|source| SpoolError::Io { folder: own.clone(), source })?;
    let held = lock(&own, LOOKS)?;
    let io = |source| SpoolError::Io { folder: root.to_owned(), source };
    for entry in fs::read_dir(root).map_err(io)? {
        let entry = entry.map_err(io)?;
        let entry_name = entry.file_name();
        if entry_name != LOCK_NAME && entry_name != name && !is_locked(&entry.path()) {
            sweep(&entry);
        }
    }
    for entry in fs::read_dir(&own).map_err(io)? {
        let entry = entry.map_err(io)?;
        if entry.file_name() != LOCK_NAME {
            sweep(&entry);
        }
    }
    Ok(Spool { _lock: held })
}

/// Locks a folder, asking for it that many times.
fn lock(folder: &Path, times: u32) -> Result<File, SpoolError> {
    let io = |source| SpoolError::Io { folder: folder.to_owned(), source };
    let lock = File::create(folder.join(LOCK_NAME)).map_err(io)?;
    let mut tries = 1;
    loop {
        match lock.try_lock() {
            Ok(()) => return Ok(lock),
            Err(TryLockError::WouldBlock) if tries < times => {
                tries += 1;
                thread::sleep(BETWEEN_SWEEPS);
            }
            Err(TryLockError::WouldBlock) => return Err(SpoolError::InUse(folder.to_owned())),
            Err(TryLockError::Error(source)) => return Err(io(source)),
        }
    }
}

/// Whether the folder is that of a process that is alive. One that cannot be told counts as such.
fn is_locked(folder: &Path) -> bool {
    match File::open(folder.join(LOCK_NAME)) {
        Ok(lock) => lock.try_lock().is_err(),
        Err(error) => {
            !matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
        }
    }
}

/// Whether a process of this name is alive that has a folder in `root`. Blocks: not for the runtime.
pub(crate) fn is_alive(root: &Path, name: &str) -> bool {
    is_locked(&root.join(name))
}

/// Removes what a dead run left. What cannot be removed is only space, and no reason not to start.
fn sweep(leftover: &DirEntry) {
    let path = leftover.path();
    let remove = || match leftover.file_type()?.is_dir() {
        true => fs::remove_dir_all(&path),
        false => fs::remove_file(&path),
    };
    let mut tries = 1;
    let error = loop {
        match remove() {
            Ok(()) => return,
            // A child of a dead run that is still dying may be tidying up after itself, or finish a file.
            Err(error) if error.kind() == io::ErrorKind::NotFound => return,
            Err(error) if error.kind() == io::ErrorKind::DirectoryNotEmpty && tries < SWEEPS => {
                tries += 1;
                thread::sleep(BETWEEN_SWEEPS);
            }
            Err(error) => break error,
        }
    };
    let leftover = path.display();
    warn!(
        "what a dead run left in `{leftover}` cannot be removed and keeps taking space: {error}; remove it by hand"
    );
}

/// The folder of one claim, in that of the process `name`. The token is in its name: a child of an older claim of the
/// same task that is still dying writes elsewhere.
pub(crate) fn folder_of(root: &Path, name: &str, lease: &Lease) -> PathBuf {
    root.join(name).join(format!("task-{}-{}", lease.task, lease.token))
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
