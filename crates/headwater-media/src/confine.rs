//! Takes from the child, before it touches a byte of a master, everything that its work does not need (R4).
//!
//! # Order
//!
//! 0. Descriptors that the parent left open are closed, before the child opens any of its own.
//! 1. `limits`: capabilities and the right to gain any are given up, core dumps are off, and the kernel counts memory,
//!    processor time and file sizes against the allowance.
//! 2. `files` (Landlock): reads what GStreamer is made of, writes below the spool folder, and nothing else has a path.
//! 3. `calls` (seccomp): no sockets, no other processes, none of what only escapes need. Last, since the steps before
//!    it make calls that it denies.
//!
//! Landlock and seccomp bind the calling thread and those that it starts, so all this happens while there is one.
//!
//! # What is not there
//!
//! A kernel, or the seccomp profile of a container, may know no Landlock or no seccomp. Then the rest holds, and what
//! does not is told in a sentence, which the parent logs once.
//!
//! # What stays possible
//!
//! To ask whether a file exists, and how large it is: Landlock does not hide that. To use the processor and the memory
//! of the allowance. To lie on standard output, which is why the parent and the engine believe nothing of it unseen.

mod calls;
mod files;
mod limits;

use std::path::{Path, PathBuf};

use headwater_model::allowance::Allowance;
use serde::{Deserialize, Serialize};

pub(crate) use limits::close_inherited;

/// What a child may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Walls {
    /// Work on a master.
    Work,
    /// List the installed plugins, for which GStreamer starts a program of its own and writes its registry. No master is
    /// near, and there is no network either.
    Scan,
}

/// Where a child may go.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Places<'p> {
    /// What it may write to.
    pub(crate) spool: &'p Path,
    /// Folder with GStreamer's registry: written by scans, read by all others.
    pub(crate) registry: &'p Path,
}

/// Confines this process, and tells in sentences what could not be done.
pub(crate) fn confine(walls: Walls, places: Places<'_>, allowance: &Allowance) -> Vec<String> {
    let mut missing = limits::limit(allowance);
    missing.extend(files::wall_off(walls, places));
    missing.extend(calls::deny(walls));
    missing
}

/// Folders that the environment names for GStreamer and the dynamic loader, and that so have to be readable.
pub(crate) fn named_folders() -> Vec<PathBuf> {
    let lists = FOLDER_LISTS.iter().filter_map(std::env::var_os);
    let mut folders: Vec<PathBuf> =
        lists.flat_map(|list| std::env::split_paths(&list).collect::<Vec<_>>()).collect();
    // Where GStreamer looks for the plugins that a user has installed.
    folders.extend(
        std::env::var_os("XDG_DATA_HOME").map(|home| PathBuf::from(home).join("gstreamer-1.0")),
    );
    // An empty entry means the current folder to some of them, which is no place to load code from.
    folders.retain(|folder| folder.is_absolute());
    folders
}

/// Environment variables with lists of folders that code is loaded from.
pub(crate) const FOLDER_LISTS: [&str; 5] = [
    "LD_LIBRARY_PATH",
    "GST_PLUGIN_PATH",
    "GST_PLUGIN_PATH_1_0",
    "GST_PLUGIN_SYSTEM_PATH",
    "GST_PLUGIN_SYSTEM_PATH_1_0",
];

#[cfg(test)]
mod tests;
