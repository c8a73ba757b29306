//! Files that are being written: kept apart until they are whole, recognised as abandoned when their writer is gone.
//!
//! A writer holds an exclusive lock (`flock`) on its file. The kernel drops the lock when the process dies, however it
//! dies, so whoever gets the lock knows that nobody writes any more; this holds between containers that share the
//! directory, where process numbers say nothing.

use std::fs::File;
use std::hash::{BuildHasher, RandomState};
use std::io;
use std::os::fd::OwnedFd;
use std::time::Duration;

use rustix::fs::{AtFlags, Dir, FileType, FlockOperation, Mode, OFlags};
use rustix::io::Errno;

/// Where unfinished files are: inside the root, so that the rename stays on one file system.
pub(super) const FOLDER: &str = ".headwater-tmp";

/// Age at which a file counts as abandoned on file systems that know no locks. No write takes a day.
const ABANDONED: Duration = Duration::from_secs(24 * 60 * 60);

/// A file being written. Dropping it before it is in place removes it.
pub(super) struct Aside {
    folder: OwnedFd,
    name: String,
    file: File,
    placed: bool,
}

impl Aside {
    /// Makes an empty file in `folder` and locks it.
    pub(super) fn create(folder: OwnedFd) -> io::Result<Self> {
        // The process number is for people who look into the folder; a fresh hasher's seed makes the name unique.
        let name = format!("{}-{:016x}", std::process::id(), RandomState::new().hash_one(()));
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
        let file = rustix::fs::openat(&folder, &name, flags, Mode::from_raw_mode(0o666))?;
        let written = Self { folder, name, file: file.into(), placed: false };
        match rustix::fs::flock(&written.file, FlockOperation::NonBlockingLockExclusive) {
            // A sweeper that came between has the lock and is about to remove the file.
            Err(Errno::WOULDBLOCK) => Err(Errno::NOENT.into()),
            // Without locks a sweeper goes by age.
            Ok(()) | Err(_) => Ok(written),
        }
    }

    pub(super) fn file(&mut self) -> &mut File {
        &mut self.file
    }

    /// Renames the file over `name` in `folder`.
    pub(super) fn place(mut self, folder: &OwnedFd, name: &str) -> io::Result<()> {
        rustix::fs::renameat(&self.folder, &self.name, folder, name)?;
        self.placed = true;
        Ok(())
    }
}

impl Drop for Aside {
    fn drop(&mut self) {
        if !self.placed {
            let removed = rustix::fs::unlinkat(&self.folder, &self.name, AtFlags::empty());
            if let Err(error) = removed {
                tracing::debug!(name = self.name, %error, "left an unfinished file to the sweep");
            }
        }
    }
}

/// Removes the files in `folder` that nobody writes any more; says how many.
pub(super) fn sweep(folder: &OwnedFd) -> io::Result<u64> {
    let mut swept = 0;
    for entry in Dir::read_from(folder)? {
        let entry = entry?;
        if entry.file_type() == FileType::Directory {
            continue;
        }
        match is_abandoned(folder, entry.file_name()) {
            Ok(false) => {}
            Ok(true) => {
                // The name is unique: if the writer has just put the file in place, this finds nothing.
                match rustix::fs::unlinkat(folder, entry.file_name(), AtFlags::empty()) {
                    Ok(()) => swept += 1,
                    Err(Errno::NOENT) => {}
                    Err(error) => return Err(error.into()),
                }
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => {
                tracing::warn!(name = ?entry.file_name(), %error, "failed to look at an unfinished file");
            }
        }
    }
    Ok(swept)
}

fn is_abandoned(folder: &OwnedFd, name: &std::ffi::CStr) -> io::Result<bool> {
    let flags = OFlags::RDWR | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = File::from(rustix::fs::openat(folder, name, flags, Mode::empty())?);
    match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(true),
        Err(Errno::WOULDBLOCK) => Ok(false),
        Err(_) => Ok(file.metadata()?.modified()?.elapsed().is_ok_and(|age| age >= ABANDONED)),
    }
}
