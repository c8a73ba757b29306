//! Decides which files of a drop folder have arrived whole: those that stood still for long enough and are not named
//! like unfinished transfers.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::master::Stamp;

/// Endings that transfer tools give to files they are still writing: curl and rsync wrappers, browsers, Aspera
/// (`.partial`, `.aspx`) and WinSCP (`.filepart`).
const UNFINISHED: [&str; 6] = [".part", ".partial", ".tmp", ".crdownload", ".aspx", ".filepart"];

/// Endings of what says something about another file: its checksum, or that the delivery is complete.
const BESIDE: [&str; 3] = [".md5", ".sha256", ".complete"];

/// Whether an entry of this name is no delivery: hidden, a transfer under way, or about another one.
pub(crate) fn ignored(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    name.starts_with('.') || UNFINISHED.iter().chain(&BESIDE).any(|end| name.ends_with(end))
}

/// An entry of the folder as one look saw it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Sighting {
    /// Where it is.
    pub(crate) path: PathBuf,
    /// Its size and time.
    pub(crate) stamp: Stamp,
}

/// What is known about the entries from the looks so far. Remembers as many as the folder has, no more.
#[derive(Debug)]
pub(crate) struct Settling {
    settle: Duration,
    entries: HashMap<PathBuf, Entry>,
}

#[derive(Debug, Clone, Copy)]
struct Entry {
    stamp: Stamp,
    /// When it was first seen like this, counted from whenever the caller counts from.
    since: Duration,
    handed_on: bool,
}

impl Settling {
    /// Entries count once size and time were the same for `settle`.
    pub(crate) fn new(settle: Duration) -> Self {
        Self { settle, entries: HashMap::new() }
    }

    /// Takes in everything that the folder has at `now`, and gives the entries that are whole and were not
    /// [handed on](Settling::hand_on) in this form yet, by path.
    pub(crate) fn look(&mut self, now: Duration, folder: Vec<Sighting>) -> Vec<Sighting> {
        let mut entries = HashMap::with_capacity(folder.len());
        let mut whole = Vec::new();
        for Sighting { path, stamp } in folder {
            let entry = match self.entries.get(&path) {
                Some(entry) if entry.stamp == stamp => *entry,
                _ => Entry { stamp, since: now, handed_on: false },
            };
            if !entry.handed_on && now >= entry.since + self.settle {
                whole.push(Sighting { path: path.clone(), stamp });
            }
            entries.insert(path, entry);
        }
        self.entries = entries;
        whole.sort_by(|a, b| a.path.cmp(&b.path));
        whole
    }

    /// Notes that the entry needs nothing more unless it changes.
    pub(crate) fn hand_on(&mut self, path: &Path) {
        if let Some(entry) = self.entries.get_mut(path) {
            entry.handed_on = true;
        }
    }

    /// When the next entry will be whole if nothing changes; earlier than now for one that could not be handed on.
    pub(crate) fn next_due(&self) -> Option<Duration> {
        self.entries.values().filter(|e| !e.handed_on).map(|e| e.since + self.settle).min()
    }
}

#[cfg(test)]
mod tests;
