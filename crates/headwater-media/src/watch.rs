//! Looks from outside at what a child takes: its memory, and what has gathered in its spool folder.
//!
//! The kernel's own limits (`confine`) come beside this. They cannot do it alone: the limit on memory counts what is set
//! aside, not what is used, and no limit counts the files of a folder.

use std::path::{Path, PathBuf};
use std::time::Duration;

use headwater_model::allowance::Taken;

/// How often a child is looked at. It can take some hundred megabytes in that time, and the kernel stops it a gigabyte
/// beyond its allowance.
pub(crate) const LOOK_EVERY: Duration = Duration::from_millis(250);

/// What a child has taken. Blocks for as long as it takes to list the folder, of which no more than `most_files` entries
/// are counted: a child may make them quicker than they can be listed.
pub(crate) fn look(child: u32, spool: &Path, most_files: u64) -> Taken {
    let (spool, files) = size(spool, most_files);
    Taken { memory: resident(child).unwrap_or(0), spool, files }
}

/// Memory that a process uses, in bytes. `None` when it is gone, or where there is no `/proc`.
pub(crate) fn resident(process: u32) -> Option<u64> {
    let pages = std::fs::read_to_string(format!("/proc/{process}/statm")).ok()?;
    let resident: u64 = pages.split_ascii_whitespace().nth(1)?.parse().ok()?;
    Some(resident * rustix::param::page_size() as u64)
}

/// Bytes and entries below a folder. Links are counted and not followed.
fn size(folder: &Path, most_files: u64) -> (u64, u64) {
    let (mut bytes, mut files) = (0, 0);
    let mut folders: Vec<PathBuf> = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        // What goes while it is looked at is no longer taken.
        let Ok(entries) = std::fs::read_dir(folder) else { continue };
        for entry in entries.flatten() {
            files += 1;
            if files > most_files {
                return (bytes, files);
            }
            match entry.metadata() {
                Ok(found) if found.is_dir() => folders.push(entry.path()),
                Ok(found) => bytes += found.len(),
                Err(_) => {}
            }
        }
    }
    (bytes, files)
}

#[cfg(test)]
mod tests;
