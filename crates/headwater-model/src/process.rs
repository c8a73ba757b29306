//! What one process is there for and how much it takes on: its roles, its name, and how many transcoders at once.

use std::collections::BTreeSet;
use std::fmt;
use std::num::NonZeroUsize;
use std::str::FromStr;

use thiserror::Error;

use crate::task;

/// Transcoders that a process runs at most, whatever it has: a child takes a core or more, and no machine has room for
/// more.
pub const MAX_SLOTS: usize = 256;

/// Memory in MiB that a transcoder is counted with: a span of a noisy 1080p25 master with the ladder `vod-h264` peaked at
/// 951 MiB.
const SLOT_MIB: u64 = 1024;

/// Memory in MiB that the process itself is counted with: two masters that are archived in parts of 32 MiB, four at a
/// time, and uploads of segments.
const OWN_MIB: u64 = 512;

/// Longest name of a pool or a worker, as of everything that ends up in logs and metrics.
const MAX_NAME: usize = 64;

/// One thing that a process can be there for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// Watches the drop folder and queues what arrives there.
    Watch,
    /// Looks at masters and transcodes them.
    Worker,
    /// Seals, proves, heals and publishes packages.
    Verify,
    /// Copies masters to the archive.
    Archive,
    /// Keeps looking for what origins have lost.
    Audit,
    /// Serves the page, the API and package files.
    Http,
}

impl Role {
    /// Every role, in the order in which they are told.
    pub const ALL: [Role; 6] =
        [Role::Watch, Role::Worker, Role::Verify, Role::Archive, Role::Audit, Role::Http];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Role::Watch => "watch",
            Role::Worker => "worker",
            Role::Verify => "verify",
            Role::Archive => "archive",
            Role::Audit => "audit",
            Role::Http => "http",
        }
    }

    /// The one that works on these tasks.
    pub fn doing(tasks: task::Role) -> Self {
        match tasks {
            task::Role::Worker => Role::Worker,
            task::Role::Verifier | task::Role::Publisher => Role::Verify,
            task::Role::Archiver => Role::Archive,
        }
    }

    /// Tasks of the queue that it works on.
    pub fn tasks(self) -> &'static [task::Role] {
        match self {
            Role::Worker => &[task::Role::Worker],
            Role::Verify => &[task::Role::Verifier, task::Role::Publisher],
            Role::Archive => &[task::Role::Archiver],
            Role::Watch | Role::Audit | Role::Http => &[],
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What a process is there for: at least one role. Written `watch,http`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Roles(BTreeSet<Role>);

/// Why a text names no roles.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum BadRoles {
    /// It names something else.
    #[error("there is no role `{0}`: there are watch, worker, verify, archive, audit and http")]
    Unknown(String),
    /// It names nothing.
    #[error("a process needs at least one role: watch, worker, verify, archive, audit or http")]
    None,
}

impl Roles {
    /// Every role.
    pub fn all() -> Self {
        Self(Role::ALL.into())
    }

    /// This one alone.
    pub fn only(role: Role) -> Self {
        Self([role].into())
    }

    /// Whether `role` is one of them.
    pub fn has(&self, role: Role) -> bool {
        self.0.contains(&role)
    }

    /// Each, in the order of [`Role::ALL`].
    pub fn iter(&self) -> impl Iterator<Item = Role> {
        self.0.iter().copied()
    }

    /// Tasks of the queue that they work on.
    pub fn tasks(&self) -> Vec<task::Role> {
        self.iter().flat_map(Role::tasks).copied().collect()
    }
}

impl FromStr for Roles {
    type Err = BadRoles;

    fn from_str(text: &str) -> Result<Self, BadRoles> {
        let mut roles = BTreeSet::new();
        for word in text.split(',').map(str::trim).filter(|word| !word.is_empty()) {
            let role = Role::ALL.into_iter().find(|role| role.name() == word);
            roles.insert(role.ok_or_else(|| BadRoles::Unknown(word.to_owned()))?);
        }
        if roles.is_empty() { Err(BadRoles::None) } else { Ok(Self(roles)) }
    }
}

impl fmt::Display for Roles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, role) in self.iter().enumerate() {
            write!(f, "{}{role}", if n == 0 { "" } else { ", " })?;
        }
        Ok(())
    }
}

/// Transcoders that a machine has room for: one for each core, and no more than fit into `memory_mib` beside the process
/// itself. One in any case, or a small machine would do nothing at all. Memory that is not known does not count.
pub fn slots(cores: NonZeroUsize, memory_mib: Option<u64>) -> NonZeroUsize {
    let fit = memory_mib.map_or(u64::MAX, |memory| memory.saturating_sub(OWN_MIB) / SLOT_MIB);
    let fit = usize::try_from(fit).unwrap_or(MAX_SLOTS);
    NonZeroUsize::new(cores.get().min(fit).min(MAX_SLOTS)).unwrap_or(NonZeroUsize::MIN)
}

/// Memory in MB that a process offers for one more task: of `machine`, what is left beside the process itself and what the
/// tasks need that it has under way (`running`, each as [`crate::lane::Needs`] says; those that start no transcoder need
/// 0). While none of them needs any, it offers everything: what needs more than is ever left would wait for good.
///
/// `each` is what any transcoder may take, whatever its task needs, where somebody has set that. Then there is room for one
/// more, or for none.
///
/// A task that needs much waits until there is room for it, and smaller ones overtake it meanwhile, also when it is more
/// wanted than they are: a process that kept room for it would stand idle, and another one may have room.
pub fn memory_offered(machine: Option<u32>, each: Option<u32>, running: &[u32]) -> Option<u32> {
    let machine = machine?;
    let under_way = running.iter().filter(|needs| **needs > 0);
    let taken = under_way.map(|needs| each.unwrap_or(*needs)).fold(0, u32::saturating_add);
    if taken == 0 {
        return Some(machine);
    }
    let own = u32::try_from(OWN_MIB).unwrap_or(u32::MAX);
    let left = machine.saturating_sub(own).saturating_sub(taken);
    Some(match each {
        None => left,
        Some(each) if each <= left => machine,
        Some(_) => 0,
    })
}

/// A name for a process on `host` that nobody gave one: `token` is another one at every start, so that a process that
/// died and the one that came for it are told apart.
pub fn worker_name(host: &str, token: u32) -> String {
    let plain = |c: char| if is_plain(c) { c } else { '-' };
    // Room for a hyphen and eight digits.
    let host: String = host.trim().chars().map(plain).take(MAX_NAME - 9).collect();
    let host = host.trim_matches(['-', '.', '_']);
    format!("{}-{token:08x}", if host.is_empty() { "worker" } else { host })
}

/// Whether a process may be called that. It is the name of a folder too.
pub fn is_worker_name(name: &str) -> bool {
    name.len() <= MAX_NAME
        && name.starts_with(|c: char| c.is_ascii_alphanumeric())
        && name.chars().all(is_plain)
}

/// Whether a pool of workers may be called that: as origins are.
pub fn is_pool_name(name: &str) -> bool {
    is_worker_name(name)
        && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
}

fn is_plain(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_')
}

#[cfg(test)]
mod tests;
