//! Seccomp: which calls of the kernel a child cannot make.
//!
//! A list of what is denied, not of what is allowed: codecs and drivers use calls that nobody here has listed, and a
//! codec that fails in the middle of a film is worse than one more harmless call. What is denied fails as if the user
//! had no right to it (`EPERM`), so that libraries which only try say so and go on.

use std::collections::BTreeMap;

use libc::c_long;
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen as Len, SeccompCmpOp as Op, SeccompCondition,
    SeccompFilter, SeccompRule, TargetArch, apply_filter, sock_filter,
};

use super::Walls;

/// Network. What is open already can be read and written: the master may be a socket.
const NETWORK: &[c_long] = &[
    libc::SYS_socket,
    libc::SYS_connect,
    libc::SYS_bind,
    libc::SYS_listen,
    libc::SYS_accept,
    libc::SYS_accept4,
    // These can hand descriptors to others, and say where to; `sendto` is looked at below.
    libc::SYS_sendmsg,
    libc::SYS_sendmmsg,
];

/// Other programs and processes. Clones that are no threads are looked at below.
const PROCESSES: &[c_long] = &[libc::SYS_execve, libc::SYS_execveat];

/// Folders (`files` says why), also where the kernel has no Landlock.
const FOLDERS: &[c_long] = &[
    libc::SYS_mkdirat,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_mkdir,
];

/// Signals to others, and leaving the process group that is killed as a whole.
const OTHERS: &[c_long] = &[
    libc::SYS_kill,
    libc::SYS_tkill,
    libc::SYS_rt_sigqueueinfo,
    libc::SYS_rt_tgsigqueueinfo,
    libc::SYS_pidfd_open,
    libc::SYS_pidfd_getfd,
    libc::SYS_pidfd_send_signal,
    libc::SYS_setpgid,
    libc::SYS_setsid,
    libc::SYS_ptrace,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_process_madvise,
    libc::SYS_kcmp,
    libc::SYS_migrate_pages,
    libc::SYS_move_pages,
    // When others run, and when itself: `turns` has asked for what is wanted. To be nicer is looked at below.
    libc::SYS_sched_setaffinity,
    libc::SYS_sched_setscheduler,
    libc::SYS_sched_setparam,
    libc::SYS_sched_setattr,
    libc::SYS_ioprio_set,
];

/// Who is sent a signal when something comes to a descriptor, and which: signals to others by another name. Commands of
/// `fcntl`, with those of `linux/fcntl.h` that `libc` does not name for all systems.
const OWNERS: [libc::c_int; 3] = [libc::F_SETOWN, 10, 15];

/// The same as requests of `ioctl`: `FIOSETOWN` and `SIOCSPGRP` (`asm-generic/sockios.h`).
const OWNER_REQUESTS: [u64; 2] = [0x8901, 0x8902];

/// Ways around the other two walls: calls that are made on the caller's behalf, memory that is in no count, and what
/// Landlock does not look at. Rights and times of files are the worker's business, links would lead it astray.
const ESCAPES: &[c_long] = &[
    libc::SYS_io_uring_setup,
    libc::SYS_io_uring_enter,
    libc::SYS_io_uring_register,
    libc::SYS_memfd_create,
    libc::SYS_memfd_secret,
    libc::SYS_userfaultfd,
    libc::SYS_shmget,
    libc::SYS_shmat,
    libc::SYS_msgget,
    libc::SYS_semget,
    libc::SYS_mq_open,
    libc::SYS_truncate,
    libc::SYS_fchmod,
    libc::SYS_fchmodat,
    libc::SYS_fchmodat2,
    libc::SYS_fchown,
    libc::SYS_fchownat,
    libc::SYS_utimensat,
    libc::SYS_setxattr,
    libc::SYS_lsetxattr,
    libc::SYS_fsetxattr,
    libc::SYS_removexattr,
    libc::SYS_lremovexattr,
    libc::SYS_fremovexattr,
    libc::SYS_symlinkat,
    libc::SYS_linkat,
    libc::SYS_mknodat,
    libc::SYS_open_by_handle_at,
    libc::SYS_name_to_handle_at,
    libc::SYS_fanotify_init,
];

/// What only administrators do, and attackers to the kernel: most of the holes of the last years were in these.
const KERNEL: &[c_long] = &[
    libc::SYS_bpf,
    libc::SYS_perf_event_open,
    libc::SYS_keyctl,
    libc::SYS_add_key,
    libc::SYS_request_key,
    libc::SYS_mount,
    libc::SYS_umount2,
    libc::SYS_fsopen,
    libc::SYS_fsconfig,
    libc::SYS_fsmount,
    libc::SYS_fspick,
    libc::SYS_move_mount,
    libc::SYS_open_tree,
    libc::SYS_mount_setattr,
    libc::SYS_pivot_root,
    libc::SYS_chroot,
    libc::SYS_unshare,
    libc::SYS_setns,
    libc::SYS_init_module,
    libc::SYS_finit_module,
    libc::SYS_delete_module,
    libc::SYS_kexec_load,
    libc::SYS_reboot,
    libc::SYS_swapon,
    libc::SYS_swapoff,
    libc::SYS_acct,
    libc::SYS_quotactl,
    libc::SYS_sethostname,
    libc::SYS_setdomainname,
    libc::SYS_settimeofday,
    libc::SYS_clock_settime,
    libc::SYS_clock_adjtime,
    libc::SYS_adjtimex,
    libc::SYS_syslog,
    libc::SYS_vhangup,
    libc::SYS_lookup_dcookie,
    libc::SYS_personality,
];

/// The newest call that was looked at for these lists: `mseal`, of Linux 6.10. From 424 on, all processors share numbers.
const LAST_KNOWN: u32 = libc::SYS_mseal as u32;

/// Older forms of the above, which newer machines do not have.
#[cfg(target_arch = "x86_64")]
const OLDER: &[c_long] = &[
    libc::SYS_chmod,
    libc::SYS_chown,
    libc::SYS_lchown,
    libc::SYS_utime,
    libc::SYS_utimes,
    libc::SYS_futimesat,
    libc::SYS_symlink,
    libc::SYS_link,
    libc::SYS_mknod,
    libc::SYS_modify_ldt,
    libc::SYS_iopl,
    libc::SYS_ioperm,
    libc::SYS_kexec_file_load,
];
#[cfg(not(target_arch = "x86_64"))]
const OLDER: &[c_long] = &[];

/// Starting a process in ways that are never a thread, where the machine has them.
#[cfg(target_arch = "x86_64")]
const FORKS: &[c_long] = &[libc::SYS_fork, libc::SYS_vfork];
#[cfg(not(target_arch = "x86_64"))]
const FORKS: &[c_long] = &[];

/// Denies this thread, and those it will start, what their work does not need.
pub(super) fn deny(walls: Walls) -> Option<String> {
    let because = |why: String| {
        Some(format!("it can use the network and start programs, as far as this user may: {why}"))
    };
    let programs = match programs(walls) {
        Ok(programs) => programs,
        Err(error) => return because(format!("no seccomp filter for this processor: {error}")),
    };
    programs.iter().find_map(|program| apply_filter(program).err()).and_then(|error| {
        because(format!("this kernel, or the seccomp profile of the container, has none: {error}"))
    })
}

/// The filters. Each call goes through all of them, and the strictest answer counts.
fn programs(walls: Walls) -> Result<Vec<BpfProgram>, seccompiler::BackendError> {
    let arch = TargetArch::try_from(std::env::consts::ARCH)?;
    let filter = |rules: BTreeMap<i64, Vec<SeccompRule>>, errno: i32| {
        let denied = SeccompAction::Errno(errno.unsigned_abs());
        BpfProgram::try_from(SeccompFilter::new(rules, SeccompAction::Allow, denied, arch)?)
    };
    let mut programs = vec![filter(rules(walls)?, libc::EPERM)?];
    if walls == Walls::Work {
        // Their flags are in memory, where no filter can look. Whoever is told that there is no such call uses `clone` and
        // `openat`.
        let unseen = [libc::SYS_clone3, libc::SYS_openat2].map(|call| (call, Vec::new()));
        programs.push(filter(BTreeMap::from(unseen), libc::ENOSYS)?);
    }
    programs.push(nothing_newer());
    Ok(programs)
}

/// What is denied always, and what with some arguments.
fn rules(walls: Walls) -> Result<BTreeMap<i64, Vec<SeccompRule>>, seccompiler::BackendError> {
    let mut rules = BTreeMap::new();
    let lists = [NETWORK, OTHERS, ESCAPES, KERNEL, OLDER];
    for call in lists.into_iter().flatten() {
        rules.insert(*call, Vec::new());
    }
    let when = |argument, len, op, value| {
        SeccompRule::new(vec![SeccompCondition::new(argument, len, op, value)?])
    };
    // Pairs are how GStreamer wakes its threads; only local ones, which lead nowhere.
    let local = u64::from(libc::AF_UNIX.unsigned_abs());
    rules.insert(libc::SYS_socketpair, vec![when(0, Len::Dword, Op::Ne, local)?]);
    // Reading and writing descriptors may come as `recv` and `send`, which name no address.
    rules.insert(libc::SYS_sendto, vec![when(4, Len::Qword, Op::Ne, 0)?]);
    // A process may end itself, which is how `abort` works.
    let own = u64::from(std::process::id());
    rules.insert(libc::SYS_tgkill, vec![when(0, Len::Dword, Op::Ne, own)?]);
    // Who wants to outlive the worker, or to be looked into.
    let options = [libc::PR_SET_PDEATHSIG, libc::PR_SET_DUMPABLE, libc::PR_SET_PTRACER];
    let options = options.map(|option| when(0, Len::Dword, Op::Eq, option as u64));
    rules.insert(libc::SYS_prctl, options.into_iter().collect::<Result<_, _>>()?);
    // Memory that several share, and that no file is behind, is in no count once its pages are given back. Nobody here
    // needs the stricter way to ask for shared maps either.
    let (kind, anonymous) = (libc::MAP_TYPE as u64, libc::MAP_ANONYMOUS as u64);
    let (shared, strictly) = (libc::MAP_SHARED as u64, libc::MAP_SHARED_VALIDATE as u64);
    let maps = [
        when(3, Len::Dword, Op::MaskedEq(kind | anonymous), shared | anonymous)?,
        when(3, Len::Dword, Op::MaskedEq(kind), strictly)?,
    ];
    rules.insert(libc::SYS_mmap, maps.into());
    // Files that never had a name are in no count.
    let nameless = (libc::O_TMPFILE & !libc::O_DIRECTORY).unsigned_abs().into();
    let nameless = |flags| when(flags, Len::Dword, Op::MaskedEq(nameless), nameless);
    rules.insert(libc::SYS_openat, vec![nameless(2)?]);
    #[cfg(target_arch = "x86_64")]
    rules.insert(libc::SYS_open, vec![nameless(1)?]);
    let owners = OWNERS.map(|command| when(1, Len::Dword, Op::Eq, command.unsigned_abs().into()));
    rules.insert(libc::SYS_fcntl, owners.into_iter().collect::<Result<_, _>>()?);
    let owners = OWNER_REQUESTS.map(|request| when(1, Len::Dword, Op::Eq, request));
    rules.insert(libc::SYS_ioctl, owners.into_iter().collect::<Result<_, _>>()?);
    // Encoders have threads that are to run after others of theirs. Nobody can be less nice again.
    let thread = u64::from(libc::PRIO_PROCESS);
    let others = vec![when(0, Len::Dword, Op::Ne, thread)?, when(1, Len::Dword, Op::Ne, 0)?];
    rules.insert(libc::SYS_setpriority, others);
    // Limits of others; its own it can only lower.
    rules.insert(libc::SYS_prlimit64, vec![when(0, Len::Dword, Op::Ne, 0)?]);
    if walls == Walls::Work {
        for call in PROCESSES.iter().chain(FORKS).chain(FOLDERS) {
            rules.insert(*call, Vec::new());
        }
        let thread = libc::CLONE_THREAD as u64;
        rules.insert(libc::SYS_clone, vec![when(0, Len::Qword, Op::MaskedEq(thread), 0)?]);
    } else {
        // The program that looks at plugins is started with a process group, and killed when it hangs.
        for call in
            [libc::SYS_kill, libc::SYS_setpgid, libc::SYS_setsid, libc::SYS_tgkill, libc::SYS_prctl]
        {
            rules.remove(&call);
        }
    }
    Ok(rules)
}

/// Takes away calls that are newer than the lists above, as if the kernel were as old as them: whoever wants one has
/// another way for older kernels. That takes the calls of the x32 variant of x86-64 with it, whose numbers are the same
/// with a high bit set, so that they would pass by every rule.
fn nothing_newer() -> BpfProgram {
    const LOAD: u16 = (libc::BPF_LD | libc::BPF_W | libc::BPF_ABS) as u16;
    const SKIP_ONE_IF_GREATER: u16 = (libc::BPF_JMP | libc::BPF_JGT | libc::BPF_K) as u16;
    const RETURN: u16 = (libc::BPF_RET | libc::BPF_K) as u16;
    let step = |code, jt, k| sock_filter { code, jt, jf: 0, k };
    vec![
        // The number of the call is the first word that filters see.
        step(LOAD, 0, 0),
        step(SKIP_ONE_IF_GREATER, 1, LAST_KNOWN),
        step(RETURN, 0, libc::SECCOMP_RET_ALLOW),
        step(RETURN, 0, libc::SECCOMP_RET_ERRNO | libc::ENOSYS.unsigned_abs()),
    ]
}
