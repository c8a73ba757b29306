//! The blocking side of the directory origin: keys to files, step by step below one open directory.

use std::collections::HashSet;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::ops::Range;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use bytes::Bytes;
use headwater_model::id::Sha256;
use headwater_model::key::ObjectKey;
use headwater_ports::origin::{Page, PutFile};
use rustix::fs::{AtFlags, FileType, Mode, OFlags};
use rustix::io::Errno;
use sha2::Digest as _;

use super::{aside, list};

/// How a folder is opened: no link is followed, so a walk never leaves the root.
const FOLDER: OFlags =
    OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

/// How an object is opened. `NONBLOCK` because opening a pipe that somebody put there would wait for its writer.
const OBJECT: OFlags =
    OFlags::RDONLY.union(OFlags::NOFOLLOW).union(OFlags::NONBLOCK).union(OFlags::CLOEXEC);

/// Times a write is begun. Each further one means that another process pruned the folder between its making and the
/// rename, or swept the file written aside on a file system that does not share locks; thrice in a row is no accident.
const TRIES: u32 = 3;

/// Bytes that are copied at once.
const BLOCK: usize = 1024 * 1024;

/// Folders remembered as synced. A title being made uses about ten; forgetting all of them costs one sync each.
const REMEMBERED: usize = 4096;

/// An open root.
pub(super) struct Store {
    root: OwnedFd,
    page: usize,
    /// Folders whose names this process has synced into their parents. Whoever made them may have crashed in between,
    /// so having found a folder is not enough.
    synced: Mutex<HashSet<String>>,
}

impl Store {
    pub(super) fn open(root: &Path, page: usize) -> io::Result<Self> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let root = rustix::fs::open(root, flags, Mode::empty())?;
        Ok(Self { root, page, synced: Mutex::default() })
    }

    /// Removes what crashed writers left. Not being able to is a nuisance and no reason to refuse the origin.
    pub(super) fn sweep(&self) {
        let swept = self.folder(aside::FOLDER).and_then(|folder| aside::sweep(&folder));
        match swept {
            Ok(0) => {}
            Ok(files) => tracing::info!(files, "removed files that unfinished writes had left"),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => tracing::warn!(%error, "failed to sweep unfinished writes"),
        }
    }

    pub(super) fn put(&self, key: &ObjectKey, body: &[u8]) -> io::Result<()> {
        self.put_by(key, &|file| file.write_all(body))
    }

    /// Stores a copy of a file while `is_wanted`, if it still is what it should be ([`io::ErrorKind::InvalidData`] else).
    pub(super) fn put_file(&self, put: &PutFile, is_wanted: &dyn Fn() -> bool) -> io::Result<()> {
        self.put_by(&put.key, &|file| {
            // That the master's folder is gone must not be taken for the origin's.
            let source = put.file.open().map_err(io::Error::other)?;
            let found = copy(source, file, is_wanted)?;
            if found == (put.bytes, put.sha256) {
                return Ok(());
            }
            let file = &put.file;
            let why = format!(
                "the file `{file}` is not what it was when it was hashed: its SHA-256 is {} instead of {}",
                found.1, put.sha256
            );
            Err(io::Error::new(io::ErrorKind::InvalidData, why))
        })
    }

    /// Stores what `write` writes.
    fn put_by(
        &self,
        key: &ObjectKey,
        write: &dyn Fn(&mut File) -> io::Result<()>,
    ) -> io::Result<()> {
        let Some((folder, name)) = split(key) else {
            let reason = "names that start with a dot are the origin's own";
            return Err(io::Error::new(io::ErrorKind::PermissionDenied, reason));
        };
        for _ in 1..TRIES {
            match self.put_once(folder, name, write) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                done => return done,
            }
        }
        // `NotFound` would tell the caller that an object is missing; what is missing is the ground under it.
        self.put_once(folder, name, write).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => io::Error::other(error),
            _ => error,
        })
    }

    fn put_once(
        &self,
        folder: &str,
        name: &str,
        write: &dyn Fn(&mut File) -> io::Result<()>,
    ) -> io::Result<()> {
        let mut written = aside::Aside::create(self.make_folder(aside::FOLDER)?)?;
        write(written.file())?;
        written.file().sync_all()?;
        let folder = self.make_folder(folder)?;
        written.place(&folder, name)?;
        sync_folder(&folder)
    }

    pub(super) fn get(&self, key: &ObjectKey, range: Option<Range<u64>>) -> io::Result<Bytes> {
        let opened = split(key).map_or(Err(Errno::NOENT.into()), |(folder, name)| {
            let folder = self.folder(folder)?;
            Ok(File::from(rustix::fs::openat(&folder, name, OBJECT, Mode::empty())?))
        });
        let mut file = match opened {
            Ok(file) if file.metadata()?.is_file() => file,
            Ok(_) => return Err(Errno::NOENT.into()),
            Err(error) if is_absence(&error) => return Err(Errno::NOENT.into()),
            Err(error) => return Err(error),
        };
        let size = file.metadata()?.len();
        let range = range.unwrap_or(0..size);
        let start = range.start.min(size);
        let wanted = range.end.min(size).saturating_sub(start);
        file.seek(SeekFrom::Start(start))?;
        let mut bytes = Vec::with_capacity(usize::try_from(wanted).map_err(io::Error::other)?);
        file.take(wanted).read_to_end(&mut bytes)?;
        Ok(bytes.into())
    }

    /// Size of an object in bytes; `None` when there is none.
    pub(super) fn size(&self, key: &ObjectKey) -> io::Result<Option<u64>> {
        let Some((folder, name)) = split(key) else { return Ok(None) };
        match self.folder(folder).and_then(|folder| size_of(&folder, name)) {
            Err(error) if is_absence(&error) => Ok(None),
            found => found,
        }
    }

    pub(super) fn list(&self, prefix: &str, after: Option<&ObjectKey>) -> io::Result<Page> {
        // No key outside the folder that the prefix names can match, so the walk starts there.
        let folder = prefix.rsplit_once('/').map_or("", |(folder, _)| folder);
        if !folder.is_empty() && folder.split('/').any(|part| !is_ours(part)) {
            return Ok(Page::default());
        }
        match self.folder(folder) {
            Ok(start) => list::page(start, folder, prefix, after, self.page),
            Err(error) if is_absence(&error) => Ok(Page::default()),
            Err(error) => Err(error),
        }
    }

    /// Removes an object and the folders that it leaves empty. Not synced: an object that a power cut brings back is
    /// deleted again by whoever wanted it gone.
    pub(super) fn delete(&self, key: &ObjectKey) -> io::Result<()> {
        let Some((folder, name)) = split(key) else { return Ok(()) };
        let opened = match self.folder(folder) {
            Err(error) if is_absence(&error) => return Ok(()),
            opened => opened?,
        };
        match rustix::fs::unlinkat(&opened, name, AtFlags::empty()) {
            Ok(()) => self.prune(folder),
            // Linux says EISDIR for a folder, which is no object.
            Err(error) if is_absence(&error.into()) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    fn prune(&self, folder: &str) -> io::Result<()> {
        let mut path = folder;
        while !path.is_empty() {
            let (parent, name) = path.rsplit_once('/').unwrap_or(("", path));
            let removed = self
                .folder(parent)
                .and_then(|p| Ok(rustix::fs::unlinkat(&p, name, AtFlags::REMOVEDIR)?));
            match removed {
                Ok(()) => self.forget(path),
                Err(error) if error.kind() == io::ErrorKind::DirectoryNotEmpty => break,
                // Another process was faster.
                Err(error) if is_absence(&error) => break,
                Err(error) => return Err(error),
            }
            path = parent;
        }
        Ok(())
    }

    /// Opens a folder below the root; `""` is the root itself.
    fn folder(&self, path: &str) -> io::Result<OwnedFd> {
        let mut folder = self.root.try_clone()?;
        for part in path.split('/').filter(|part| !part.is_empty()) {
            folder = rustix::fs::openat(&folder, part, FOLDER, Mode::empty())?;
        }
        Ok(folder)
    }

    /// Opens a folder below the root, making what is missing; its name and those above it are on disk afterwards.
    fn make_folder(&self, path: &str) -> io::Result<OwnedFd> {
        let mut folder = self.root.try_clone()?;
        let mut end = 0;
        for part in path.split('/').filter(|part| !part.is_empty()) {
            end += part.len();
            let so_far = &path[..end];
            let next = match rustix::fs::openat(&folder, part, FOLDER, Mode::empty()) {
                Err(Errno::NOENT) => {
                    match rustix::fs::mkdirat(&folder, part, Mode::from_raw_mode(0o777)) {
                        Ok(()) | Err(Errno::EXIST) => self.forget(so_far),
                        Err(error) => return Err(error.into()),
                    }
                    rustix::fs::openat(&folder, part, FOLDER, Mode::empty())?
                }
                opened => opened?,
            };
            if !self.is_remembered(so_far) {
                sync_folder(&folder)?;
                self.remember(so_far);
            }
            folder = next;
            end += 1;
        }
        Ok(folder)
    }

    fn is_remembered(&self, path: &str) -> bool {
        self.synced.lock().unwrap_or_else(PoisonError::into_inner).contains(path)
    }

    fn remember(&self, path: &str) {
        let mut synced = self.synced.lock().unwrap_or_else(PoisonError::into_inner);
        if synced.len() >= REMEMBERED {
            synced.clear();
        }
        synced.insert(path.to_owned());
    }

    fn forget(&self, path: &str) {
        self.synced.lock().unwrap_or_else(PoisonError::into_inner).remove(path);
    }
}

/// Copies a file block by block; gives its size in bytes and its SHA-256. Ends early when nobody wants it any more.
fn copy(
    mut from: impl Read,
    to: &mut File,
    is_wanted: &dyn Fn() -> bool,
) -> io::Result<(u64, Sha256)> {
    let (mut block, mut bytes, mut hasher) = (vec![0; BLOCK], 0, sha2::Sha256::new());
    loop {
        if !is_wanted() {
            return Err(io::Error::other("nobody waits for it any more"));
        }
        let n = match from.read(&mut block) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            read => read?,
        };
        if n == 0 {
            return Ok((bytes, Sha256(hasher.finalize().into())));
        }
        hasher.update(&block[..n]);
        to.write_all(&block[..n])?;
        bytes += n as u64;
    }
}

/// A key's folder and file name; `None` when a part has a dot in front and so cannot be an object.
fn split(key: &ObjectKey) -> Option<(&str, &str)> {
    let text = key.as_str();
    text.split('/').all(is_ours).then(|| text.rsplit_once('/').unwrap_or(("", text)))
}

/// Whether a part of a path can belong to a key of this origin.
pub(super) fn is_ours(part: &str) -> bool {
    !part.is_empty() && !part.starts_with('.')
}

/// Size in bytes of a regular file; `None` for anything else.
pub(super) fn size_of(folder: &OwnedFd, name: &str) -> io::Result<Option<u64>> {
    let stat = rustix::fs::statat(folder, name, AtFlags::SYMLINK_NOFOLLOW)?;
    let is_file = FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile;
    Ok(is_file.then(|| u64::try_from(stat.st_size).unwrap_or(0)))
}

/// Whether an error means that the tree has no object of this key: nothing there, a link or a folder in its place, a
/// file where a folder would have to be, or a name that is too long to exist.
pub(super) fn is_absence(error: &io::Error) -> bool {
    matches!(
        Errno::from_io_error(error),
        Some(Errno::NOENT | Errno::NOTDIR | Errno::LOOP | Errno::ISDIR | Errno::NAMETOOLONG)
    )
}

/// Puts a folder's names on disk. Some network and FUSE file systems have nothing to sync there and say `EINVAL`.
pub(super) fn sync_folder(folder: impl AsFd) -> io::Result<()> {
    match rustix::fs::fsync(folder) {
        Err(Errno::INVAL) => Ok(()),
        done => Ok(done?),
    }
}
