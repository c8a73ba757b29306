//! What the machine gives this process: cores, memory, a name.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use headwater_model::process;

/// Transcoders that this machine has room for.
pub(crate) fn slots() -> NonZeroUsize {
    // Counts what a container may use, not what the host has.
    let cores = std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
    process::slots(cores, memory_mib())
}

/// A name for this process, another one at every start.
pub(crate) fn worker_name() -> String {
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    // Its keys come from the system's randomness: process ids repeat in containers, where many have number 1.
    let token = RandomState::new().build_hasher().finish();
    process::worker_name(&host, token as u32)
}

/// Memory in MiB that this process may use: the machine's, or less where a control group says so. `None` where nobody
/// can tell.
pub(crate) fn memory_mib() -> Option<u64> {
    let read = |path: &Path| std::fs::read_to_string(path).ok();
    let machine = read(Path::new("/proc/meminfo")).and_then(|text| total(&text));
    let group = read(Path::new("/proc/self/cgroup")).unwrap_or_default();
    let limits = limits(&group).into_iter().filter_map(|path| limit(&read(&path)?));
    limits.chain(machine).min().map(|bytes| bytes / (1024 * 1024))
}

/// The machine's memory in bytes, out of `/proc/meminfo`.
fn total(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1024)
}

/// Files that may limit this process, out of `/proc/self/cgroup`: of its control group and of all around it. Version 2
/// has one hierarchy, version 1 one of its own for memory.
fn limits(cgroup: &str) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for line in cgroup.lines() {
        let mut parts = line.splitn(3, ':').skip(1);
        let (Some(controllers), Some(path)) = (parts.next(), parts.next()) else { continue };
        let (root, name) = match controllers {
            "" => ("/sys/fs/cgroup", "memory.max"),
            _ if controllers.split(',').any(|c| c == "memory") => {
                ("/sys/fs/cgroup/memory", "memory.limit_in_bytes")
            }
            _ => continue,
        };
        // A container sees its own group as the root, whatever path it has outside.
        for group in Path::new(path.trim_start_matches('/')).ancestors() {
            files.push(Path::new(root).join(group).join(name));
        }
    }
    files
}

/// Bytes that such a file allows; `None` for no limit, which version 1 writes as a number beyond all memory.
fn limit(text: &str) -> Option<u64> {
    text.trim().parse().ok()
}

#[cfg(test)]
mod tests;
