//! How the kernel hands out the processor among the threads of transcoders (docs/decisions/011).

/// The longest turn that Linux gives a thread of an ordinary policy.
const TURN_NS: u64 = 100_000_000;

/// Asks for long turns for this process's threads: those that it starts from now on inherit them. Nothing depends on the
/// answer but speed.
#[expect(unsafe_code, reason = "no crate wraps sched_setattr for ordinary policies")]
pub(crate) fn ask_for_long_turns() {
    let wanted = libc::sched_attr {
        size: size_of::<libc::sched_attr>() as u32,
        sched_policy: libc::SCHED_BATCH as u32,
        sched_flags: 0,
        // Whoever made the worker nicer wants that for its children too.
        sched_nice: rustix::process::getpriority_process(None).unwrap_or(0),
        sched_priority: 0,
        sched_runtime: TURN_NS,
        sched_deadline: 0,
        sched_period: 0,
    };
    // SAFETY: sched_setattr(2) reads `size` bytes at the address, which is that of a live value of that size, and keeps
    // no pointer to it. Thread 0 is the calling one.
    let _refused =
        unsafe { libc::syscall(libc::SYS_sched_setattr, 0, std::ptr::from_ref(&wanted), 0) };
}
