//! Folders of jobs that make no files: gone with the job, or, when the process was killed, with a later one.

use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::time::Duration;

use tracing::warn;

/// What all their names begin with.
const PREFIX: &str = "job-";

/// What was killed is swept when it is as old as this: builds that lock nothing look dead, and no job of theirs takes so long.
pub(super) const LEFT_BEHIND: Duration = Duration::from_hours(24);

/// A folder that is removed when nobody needs it.
#[derive(Debug)]
pub(super) struct Scratch {
    path: PathBuf,
    /// Says for as long as it is open that the folder is in use. Where the file system has no locks, nothing is ever swept.
    _lock: File,
}

impl Scratch {
    /// Makes one of this number; `None` when there is one already. Containers that share a data folder have processes of the
    /// same number: what is there is somebody else's.
    pub(super) fn make(root: &Path, number: u64) -> io::Result<Option<Self>> {
        let path = root.join(format!("{PREFIX}{}-{number}", std::process::id()));
        match fs::create_dir(&path) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => return Ok(None),
            made => made?,
        }
        let lock = File::open(&path)?;
        // Nobody else wants it: it is too young to be swept.
        let _ = lock.try_lock();
        Ok(Some(Self { path, _lock: lock }))
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // A left-over holds no more than a job, and is swept one day.
        let _ = fs::remove_dir_all(&self.path);
    }
}

/// Removes what processes left that were killed: folders that are at least as old as `age` and that nobody holds. Blocks:
/// not for the runtime.
pub(super) fn sweep(root: &Path, age: Duration) {
    let Ok(entries) = fs::read_dir(root) else { return };
    for entry in entries.flatten() {
        if !entry.file_name().to_string_lossy().starts_with(PREFIX) {
            continue;
        }
        let path = entry.path();
        let modified = entry.metadata().and_then(|about| about.modified());
        if !modified.is_ok_and(|at| at.elapsed().is_ok_and(|old| old >= age)) {
            continue;
        }
        let Ok(held) = File::open(&path) else { continue };
        if held.try_lock().is_err() {
            continue;
        }
        match fs::remove_dir_all(&path) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                warn!(folder = %path.display(), %error, "left-over of a killed process not removed");
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests;
