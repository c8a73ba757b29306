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
    let mut taken = Taken { memory: resident(child).unwrap_or(0), ..Taken::default() };
    // What hides from the count is not given the benefit of the doubt.
    taken.hidden = size(spool, most_files, &mut taken).is_err();
    taken
}

/// Memory that a process uses, in bytes. `None` when it is gone, or where there is no `/proc`.
pub(crate) fn resident(process: u32) -> Option<u64> {
    let pages = std::fs::read_to_string(format!("/proc/{process}/statm")).ok()?;
    let resident: u64 = pages.split_ascii_whitespace().nth(1)?.parse().ok()?;
    Some(resident * rustix::param::page_size() as u64)
}

/// Adds up bytes and entries below a folder. Links are counted and not followed. What goes while it is looked at is no
/// longer taken; what cannot be looked at otherwise is an error.
fn size(folder: &Path, most_files: u64, taken: &mut Taken) -> std::io::Result<()> {
    let mut folders: Vec<PathBuf> = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        let Some(entries) = unless_gone(std::fs::read_dir(folder))? else { continue };
        for entry in entries {
            let Some(entry) = unless_gone(entry)? else { continue };
            taken.files += 1;
            if taken.files > most_files {
                return Ok(());
            }
            match unless_gone(entry.metadata())? {
                Some(found) if found.is_dir() => folders.push(entry.path()),
                Some(found) => taken.spool += found.len(),
                None => {}
            }
        }
    }
    Ok(())
}

fn unless_gone<T>(found: std::io::Result<T>) -> std::io::Result<Option<T>> {
    match found {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        found => found.map(Some),
    }
}

#[cfg(test)]
mod tests;
