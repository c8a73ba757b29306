//! Limits that the kernel counts, and rights that are given up.

use headwater_model::allowance::Allowance;
use rustix::process::{
    DumpableBehavior, Resource, Rlimit, getrlimit, set_dumpable_behavior, setrlimit,
};
use rustix::thread::{CapabilitySet, CapabilitySets, set_capabilities, set_no_new_privs};

/// Open files: a pipeline takes a few descriptors for each of its queues and buses.
const FILES: u64 = 1_024;

/// What writable memory may come to beyond what is in use, in MB: stacks of threads and arenas of `malloc` are set aside
/// in megabytes and used in kilobytes. The parent watches what is in use; this stops what is too quick for it.
const SET_ASIDE_MB: u64 = 1_024;

/// First descriptor that is nobody's: standard input is the master, output the reports, error the log.
const FIRST_FREE: u32 = 3;

/// Descriptors that are closed one by one where the kernel cannot close a range.
const LIKELY: u32 = 4_096;

/// Sets the limits. There is none on the number of processes: the kernel counts those of a user, other children and
/// whatever else runs as that user included, so that one child's limit would be another's failure. The child cannot
/// start a process anyway (`calls`), and threads are bounded by memory.
pub(super) fn limit(allowance: &Allowance) -> Vec<String> {
    let mut missing = Vec::new();
    let mut check = |what: &str, done: rustix::io::Result<()>| {
        if let Err(error) = done {
            missing.push(format!("{what}: {error}"));
        }
    };
    check("it may gain rights by starting programs", set_no_new_privs(true));
    check("others may look into its memory", set_dumpable_behavior(DumpableBehavior::NotDumpable));
    check("it keeps the rights of root", give_up_capabilities());
    let mb = |mb: u64| mb.saturating_mul(1 << 20);
    for (what, resource, most) in [
        ("its memory", Resource::Data, mb(allowance.memory_mb.saturating_add(SET_ASIDE_MB))),
        ("its processor time", Resource::Cpu, allowance.cpu_seconds),
        ("the size of its files", Resource::Fsize, mb(allowance.spool_mb)),
        ("the number of its open files", Resource::Nofile, FILES),
        ("its core dumps", Resource::Core, 0),
        ("its message queues", Resource::Msgqueue, 0),
    ] {
        check(&format!("the kernel does not limit {what}"), set(resource, most));
    }
    missing
}

/// Sets both limits, or keeps lower ones that whoever started the service has set.
fn set(resource: Resource, most: u64) -> rustix::io::Result<()> {
    let before = getrlimit(resource).maximum.unwrap_or(u64::MAX);
    // At the upper limit on processor time the kernel kills without a word; below it, with a signal of its own.
    let last = if resource == Resource::Cpu { most.saturating_add(5) } else { most };
    let (current, maximum) = (Some(before.min(most)), Some(before.min(last)));
    setrlimit(resource, Rlimit { current, maximum })
}

/// Root keeps its name and loses its powers, but for reading: the spool may lie in a folder that only its owner can
/// pass through, and what may be read is up to Landlock.
fn give_up_capabilities() -> rustix::io::Result<()> {
    let before = rustix::thread::capabilities(None)?;
    let kept = before.permitted & CapabilitySet::DAC_READ_SEARCH;
    let none = CapabilitySet::empty();
    set_capabilities(None, CapabilitySets { effective: kept, permitted: kept, inheritable: none })
}

/// Closes what the parent, or whoever started it, has left open in this process.
#[expect(unsafe_code, reason = "no crate wraps close_range")]
pub(crate) fn close_inherited() {
    // SAFETY: this runs first in the life of the process, with one thread, before anything was opened: nobody in it owns a
    // descriptor from `FIRST_FREE` on.
    let closed = unsafe { libc::syscall(libc::SYS_close_range, FIRST_FREE, u32::MAX, 0) };
    if closed == 0 {
        return;
    }
    for descriptor in FIRST_FREE..LIKELY {
        // SAFETY: as above.
        unsafe { libc::close(descriptor.cast_signed()) };
    }
}
