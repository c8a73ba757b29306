//! Lists a tree in the order of whole keys, one page at a time.
//!
//! A folder sorts as its name with `/` behind it: `a-b` and `a.b` come before everything in `a/`, and `a0` after it,
//! as in S3. Memory holds the names of the folders on the way to the place that is being read, and nothing else.

use std::io;
use std::os::fd::OwnedFd;
use std::vec;

use headwater_model::key::ObjectKey;
use headwater_ports::origin::{ObjectInfo, Page};
use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags};

use super::store::{is_absence, is_ours, size_of};

/// Which keys a page is about. A folder's key ends with `/`.
struct Wanted<'a> {
    prefix: &'a str,
    after: Option<&'a str>,
}

impl Wanted<'_> {
    /// Whether `key` is wanted, or, for a folder, may hold what is.
    fn has(&self, key: &str) -> bool {
        let is_folder = key.ends_with('/');
        let in_prefix = key.starts_with(self.prefix) || (is_folder && self.prefix.starts_with(key));
        let follows =
            self.after.is_none_or(|after| key > after || (is_folder && after.starts_with(key)));
        in_prefix && follows
    }
}

/// A folder that is being read.
struct Level {
    folder: OwnedFd,
    /// Its key: `""` for the root, else with `/` at the end.
    key: String,
    /// Keys in it that are left, in order.
    left: vec::IntoIter<String>,
}

impl Level {
    fn read(folder: OwnedFd, key: String, wanted: &Wanted) -> io::Result<Self> {
        let mut keys = Vec::new();
        for entry in Dir::read_from(&folder)? {
            let entry = entry?;
            let Some(name) = entry.file_name().to_str().ok().filter(|name| is_ours(name)) else {
                continue;
            };
            let key = match entry_type(&folder, name, entry.file_type())? {
                Some(FileType::RegularFile) => format!("{key}{name}"),
                Some(FileType::Directory) => format!("{key}{name}/"),
                _ => continue,
            };
            if wanted.has(&key) {
                keys.push(key);
            }
        }
        keys.sort_unstable();
        Ok(Self { folder, key, left: keys.into_iter() })
    }
}

/// What kind of thing an entry is; some file systems want to be asked twice. `None` when it is gone.
fn entry_type(folder: &OwnedFd, name: &str, listed: FileType) -> io::Result<Option<FileType>> {
    if listed != FileType::Unknown {
        return Ok(Some(listed));
    }
    match rustix::fs::statat(folder, name, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(stat) => Ok(Some(FileType::from_raw_mode(stat.st_mode))),
        Err(error) if is_absence(&error.into()) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// At most `limit` objects whose keys start with `prefix` and come after `after`. `start` is the open folder `path`,
/// below which all of them are. What disappears while the walk is under way is left out.
pub(super) fn page(
    start: OwnedFd,
    path: &str,
    prefix: &str,
    after: Option<&ObjectKey>,
    limit: usize,
) -> io::Result<Page> {
    let wanted = Wanted { prefix, after: after.map(ObjectKey::as_str) };
    let key = if path.is_empty() { String::new() } else { format!("{path}/") };
    let mut page = Page::default();
    let mut levels = vec![Level::read(start, key, &wanted)?];
    while let Some(level) = levels.last_mut() {
        let Some(key) = level.left.next() else {
            levels.pop();
            continue;
        };
        let name = key[level.key.len()..].trim_end_matches('/');
        if key.ends_with('/') {
            let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            match rustix::fs::openat(&level.folder, name, flags, Mode::empty()) {
                Ok(folder) => levels.push(Level::read(folder, key, &wanted)?),
                Err(error) if is_absence(&error.into()) => {}
                Err(error) => return Err(error.into()),
            }
            continue;
        }
        let bytes = match size_of(&level.folder, name) {
            Ok(Some(bytes)) => bytes,
            Ok(None) => continue,
            Err(error) if is_absence(&error) => continue,
            Err(error) => return Err(error),
        };
        // A name that no key can have, with a backslash for example, was not put here through this origin.
        let Some(key) = ObjectKey::new(key) else { continue };
        if page.objects.len() == limit {
            page.next = page.objects.last().map(|last| last.key.clone());
            break;
        }
        page.objects.push(ObjectInfo::new(key, bytes));
    }
    Ok(page)
}
