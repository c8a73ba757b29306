//! What a broken or hostile codec might do, for tests: in debug builds, a master that ends in
//! `headwater-mischief STAGE WHAT.` makes the child do it, right after it was confined and before it looks at the rest.
//!
//! STAGE is `inspect`, `make`, or `once`: the first try of making a span. What was tried is told on standard error, so
//! that it comes up among the last words.

use std::ffi::CString;
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::net::{TcpStream, UdpSocket};
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::FileExt;
use std::os::unix::net::{UnixDatagram, UnixListener, UnixStream};
use std::path::Path;

use headwater_ports::transcoder::Part;

use crate::channel;
use crate::protocol::Job;

/// How the marker begins.
const MARK: &str = "headwater-mischief ";

/// The marker is at most this long.
const LONGEST: u64 = 128;

/// Does what the master asks for, if it asks for anything.
pub(crate) fn perhaps(job: &Job, spool: &Path) {
    let Some(asked) = asked() else { return };
    let Some((stage, what)) = asked.split_once(' ') else { return };
    // The first claim of a task has a folder whose name ends so.
    let first = spool.file_name().is_some_and(|name| name.to_string_lossy().ends_with("-1"));
    let now = match job {
        Job::Engine => false,
        Job::Inspect => stage == "inspect",
        Job::Make { part: Part::Span(_), .. } if first && stage == "once" => true,
        Job::Make { .. } => stage == "make",
    };
    if now {
        misbehave(what, spool);
    }
}

/// What stands between the marker and the last full stop of the master. None in masters that are no files.
fn asked() -> Option<String> {
    let master = File::from(std::io::stdin().as_fd().try_clone_to_owned().ok()?);
    let bytes = master.metadata().ok().filter(fs::Metadata::is_file)?.len();
    let length = bytes.min(LONGEST);
    let mut end = vec![0; usize::try_from(length).ok()?];
    master.read_exact_at(&mut end, bytes - length).ok()?;
    let end = String::from_utf8_lossy(&end).into_owned();
    let asked = end.get(end.rfind(MARK)? + MARK.len()..)?;
    Some(asked.strip_suffix('.')?.to_owned())
}

fn misbehave(what: &str, spool: &Path) {
    mutter(&format!("mischief: {what}"));
    match what {
        "crash" => crash(),
        "hang" => loop {
            std::thread::park();
        },
        "memory" => eat(),
        "shared-memory" => share(),
        "address-space" => drop(Vec::<u8>::with_capacity(1 << 44)),
        "write" => write_for_ever(&spool.join("large")),
        "litter" => (0..10_000_000).for_each(|n| drop(File::create(spool.join(format!("{n:09}"))))),
        "shout" => drop(channel::get().map(shout)),
        "log" => shout(std::io::stderr()),
        "babble" => loop {
            let _ = channel::get().map(|mut worker| worker.write_all(b"\"alive\"\n"));
        },
        "garbage" => tell(b"{\"segments\": all fine\n"),
        // Nobody minds.
        "print" => return drop(std::io::stdout().write_all(b"[ac3 @ 0x1] a frame is damaged\n")),
        "lie" => {
            let answer = b"{\"engine\":{\"engine\":\"the best\",\"encoders\":[]}}\n";
            tell(answer);
        }
        "flee" => flee(spool),
        "break-out" => break_out(spool),
        _ => {}
    }
    leave(0);
}

#[expect(clippy::exit, clippy::disallowed_methods, reason = "a child that ends without a result")]
fn leave(code: i32) -> ! {
    std::process::exit(code)
}

#[expect(unsafe_code, reason = "safe code does not crash")]
fn crash() {
    // SAFETY: nothing is there, which ends the process.
    unsafe { std::ptr::without_provenance_mut::<u8>(8).write_volatile(0) };
}

/// Takes memory and uses it, until somebody ends that.
fn eat() {
    let mut eaten = Vec::new();
    loop {
        eaten.push(vec![1u8; 8 << 20]);
        // Slow enough to be seen growing.
        std::thread::sleep(std::time::Duration::from_millis(2));
    }
}

/// Takes memory that is in no count once it is given back, and gives up when there is none.
#[expect(unsafe_code, reason = "what safe code cannot do")]
fn share() {
    const BYTES: usize = 64 << 20;
    for _ in 0..1_000 {
        let (rights, kind) =
            (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_SHARED | libc::MAP_ANONYMOUS);
        // SAFETY: a new map, which is nobody's, is written to as far as it goes.
        unsafe {
            let map = libc::mmap(std::ptr::null_mut(), BYTES, rights, kind, -1, 0);
            if map == libc::MAP_FAILED {
                let why = std::io::Error::last_os_error();
                mutter(&format!("no shared memory: {why}"));
                leave(3);
            }
            std::ptr::write_bytes(map.cast::<u8>(), 1, BYTES);
            libc::madvise(map, BYTES, libc::MADV_DONTNEED);
        }
    }
}

fn write_for_ever(path: &Path) {
    let Ok(mut file) = File::create(path) else { return };
    let block = vec![7; 1 << 20];
    while file.write_all(&block).is_ok() {}
}

fn tell(line: &[u8]) {
    drop(channel::get().map(|mut worker| worker.write_all(line)));
}

fn shout(mut to: impl Write) {
    let block = vec![b'A'; 1 << 16];
    while to.write_all(&block).is_ok() {}
}

/// Tries to live on without the worker, leaves a word that it did, and waits for its end.
#[expect(unsafe_code, reason = "what safe code cannot do")]
fn flee(spool: &Path) {
    // SAFETY: none of these touches memory; a child that came into being would be a copy with this one thread.
    unsafe {
        libc::prctl(libc::PR_SET_PDEATHSIG, 0);
        libc::setsid();
        libc::setpgid(0, 0);
        libc::fork();
    }
    let _ = fs::write(spool.join("fled"), "");
    loop {
        std::thread::park();
    }
}

/// Tries whatever would get it out, and tells what came of it.
fn break_out(spool: &Path) {
    let files = [
        "/etc/hostname",
        "/etc/passwd",
        "/proc/1/environ",
        "/proc/self/environ",
        "/proc/self/maps",
    ];
    for file in files {
        tried(&format!("read {file}"), fs::read(file));
    }
    tried("open /dev/zero", File::open("/dev/zero"));
    // The spool folder of the try lies in that of its process, and that in the spool of the data folder.
    let data = spool.ancestors().nth(3).unwrap_or(spool);
    for file in ["catalog.db", "../headwater.toml"] {
        tried(&format!("read {file}"), fs::read(data.join(file)));
    }
    tried("list /", fs::read_dir("/"));
    tried("list other tries", fs::read_dir(spool.join("..")));
    tried("list the spool of others", fs::read_dir(spool.join("../..")));
    let outside = data.join("planted");
    tried("write outside", fs::write(&outside, "here"));
    tried("write beside the spool", fs::write(spool.join("../planted"), "here"));
    tried("write to /tmp", fs::write("/tmp/headwater-planted", "here"));
    tried("write to the master", OpenOptions::new().write(true).open("/proc/self/fd/0"));
    tried("link to a file outside", std::os::unix::fs::symlink("/etc/passwd", spool.join("link")));
    tried("link hard", fs::hard_link(data.join("catalog.db"), spool.join("hard")));
    tried("change rights", fs::set_permissions(data, rights()));
    tried("make a folder", fs::create_dir(spool.join("folder")));
    tried("remove the catalog", fs::remove_file(data.join("catalog.db")));
    tried("connect by TCP", TcpStream::connect("127.0.0.1:22"));
    tried("open UDP", UdpSocket::bind("127.0.0.1:0"));
    tried("connect to a local socket", UnixStream::connect("/run/dbus/system_bus_socket"));
    tried("listen on a local socket", UnixListener::bind(spool.join("socket")));
    tried("open a local socket", UnixDatagram::unbound());
    tried("start a program", start_a_program());
    calls(spool);
    // What has to go on working.
    must("write to the spool", fs::write(spool.join("mine"), "mine"));
    must("read from the spool", fs::read(spool.join("mine")));
    tried("rename a file", fs::rename(spool.join("mine"), spool.join("other")));
    tried("remove a file", fs::remove_file(spool.join("mine")));
    must("a pair of sockets", UnixStream::pair().map(|(mut a, _b)| drop(a.write(b"x"))));
    must("a thread", std::thread::Builder::new().spawn(|| ()).map(|t| drop(t.join())));
    must("be nicer", rustix::process::setpriority_process(None, 19));
    let names: Vec<String> =
        std::env::vars_os().map(|(name, _)| name.to_string_lossy().into_owned()).collect();
    mutter(&format!("environment: {}", names.join(" ")));
    let open = (3..1024).filter(|n| is_open(*n)).count();
    mutter(&format!("descriptors: {open}"));
    mutter("mischief: done");
}

fn rights() -> fs::Permissions {
    std::os::unix::fs::PermissionsExt::from_mode(0o777)
}

#[expect(clippy::disallowed_methods, reason = "it must not work")]
fn start_a_program() -> std::io::Result<std::process::Output> {
    std::process::Command::new("/bin/true").output()
}

#[expect(unsafe_code, reason = "asking about a descriptor that may be nobody's")]
fn is_open(descriptor: i32) -> bool {
    // SAFETY: only asks for a flag.
    unsafe { libc::fcntl(descriptor, libc::F_GETFD) != -1 }
}

/// Calls that no library makes. None of them changes anything where it succeeds.
#[expect(unsafe_code, reason = "what safe code cannot do")]
fn calls(spool: &Path) {
    let parent = rustix::process::getppid().map_or(0, |pid| pid.as_raw_nonzero().get());
    let call = |name: &str, result: libc::c_long| {
        let result = if result < 0 { Err(std::io::Error::last_os_error()) } else { Ok(result) };
        tried(name, result);
    };
    let null = std::ptr::null::<libc::c_void>();
    let spool = CString::new(spool.as_os_str().as_bytes()).unwrap_or_default();
    let pair = UnixStream::pair();
    let pair = pair.as_ref().map_or(-1, |(one, _)| one.as_raw_fd());
    // As `openat2` takes it: flags, rights, and how to go there.
    let how = [0_u64; 3];
    // SAFETY: pointers are null, which the kernel refuses by itself, or to live values that it only reads, in their size;
    // a process that came into being ends at once.
    unsafe {
        call("fork", {
            let made = libc::syscall(libc::SYS_clone, libc::SIGCHLD, 0, 0, 0, 0);
            if made == 0 {
                libc::_exit(0);
            }
            made
        });
        call("signal the worker", libc::syscall(libc::SYS_kill, parent, 0));
        call("signal a thread of the worker", libc::syscall(libc::SYS_tgkill, parent, parent, 0));
        call(
            "trace the worker",
            libc::syscall(libc::SYS_ptrace, libc::PTRACE_ATTACH, parent, null, null),
        );
        call("mount", libc::syscall(libc::SYS_mount, null, null, null, 0, null));
        call("unshare", libc::syscall(libc::SYS_unshare, libc::CLONE_NEWUSER));
        call("keyctl", libc::syscall(libc::SYS_keyctl, 0, -3, 1));
        call("bpf", libc::syscall(libc::SYS_bpf, 0, null, 0));
        call("io_uring", libc::syscall(libc::SYS_io_uring_setup, 1, null));
        let own = |flags: libc::c_int| {
            libc::syscall(libc::SYS_mmap, 0, 4096, libc::PROT_READ, flags, -1, 0)
        };
        call("shared memory", own(libc::MAP_SHARED | libc::MAP_ANONYMOUS));
        call(
            "a strictly shared map",
            libc::syscall(
                libc::SYS_mmap,
                0,
                4096,
                libc::PROT_READ,
                libc::MAP_SHARED_VALIDATE,
                0,
                0,
            ),
        );
        call(
            "a file without a name",
            libc::syscall(
                libc::SYS_openat,
                libc::AT_FDCWD,
                spool.as_ptr(),
                libc::O_TMPFILE | libc::O_RDWR,
                0o600,
            ),
        );
        call(
            "openat2",
            libc::syscall(
                libc::SYS_openat2,
                libc::AT_FDCWD,
                spool.as_ptr(),
                how.as_ptr(),
                size_of_val(&how),
            ),
        );
        // Each as it is already, or as nobody notices.
        let mask = u64::MAX;
        let param = libc::sched_param { sched_priority: 0 };
        call("own by a process", libc::syscall(libc::SYS_fcntl, pair, libc::F_SETOWN, parent));
        call("choose a signal", libc::syscall(libc::SYS_fcntl, pair, 10, 0));
        call("own by a thread", libc::syscall(libc::SYS_fcntl, pair, 15, [0, parent].as_ptr()));
        call("own a socket", libc::syscall(libc::SYS_ioctl, pair, 0x8901, &raw const parent));
        call(
            "own a group's socket",
            libc::syscall(libc::SYS_ioctl, pair, 0x8902, &raw const parent),
        );
        // The kernel keeps a child that gave up the rights of root from a worker that has them: asked of the child itself,
        // it would say yes.
        let own = std::process::id();
        call("priority", libc::syscall(libc::SYS_setpriority, libc::PRIO_PROCESS, own, 19));
        call(
            "cores",
            libc::syscall(libc::SYS_sched_setaffinity, 0, size_of_val(&mask), &raw const mask),
        );
        call("turns", libc::syscall(libc::SYS_sched_setscheduler, 0, 0, &raw const param));
        call("turn", libc::syscall(libc::SYS_sched_setparam, 0, &raw const param));
        call("disk", libc::syscall(libc::SYS_ioprio_set, 1, 0, 0));
        call("memory of System V", libc::syscall(libc::SYS_shmget, 0, 4096, 0o600));
        call("memfd", libc::syscall(libc::SYS_memfd_create, c"x".as_ptr(), 0));
        call("leave the group", libc::syscall(libc::SYS_setsid));
        call("live on", libc::syscall(libc::SYS_prctl, libc::PR_SET_PDEATHSIG, 0));
        call(
            "socketpair of packets",
            libc::syscall(libc::SYS_socketpair, libc::AF_TIPC, 1, 0, null),
        );
        call("a call of tomorrow", libc::syscall(1_000));
        call("x32", libc::syscall(0x4000_0000 + 41, libc::AF_INET, libc::SOCK_STREAM, 0));
    }
}

fn tried<T, E: std::fmt::Display>(what: &str, result: Result<T, E>) {
    match result {
        Ok(_) => mutter(&format!("GOT AWAY WITH: {what}")),
        Err(error) => mutter(&format!("refused: {what}: {error}")),
    }
}

fn must<T, E: std::fmt::Display>(what: &str, result: Result<T, E>) {
    if let Err(error) = result {
        mutter(&format!("MISSING: {what}: {error}"));
    }
}

fn mutter(line: &str) {
    // A log that nobody reads takes nothing from the mischief.
    let _ = writeln!(std::io::stderr(), "{line}");
}
