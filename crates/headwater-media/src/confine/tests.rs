//! What holds where the kernel, or a container's profile, has no Landlock or no seccomp. Each case is a process of its
//! own, for there is no way back: this very test program, started again with a word about what to take away first.
//!
//! That everything holds where everything is there is shown from inside a real child, in `crates/headwater/tests/it`.

use std::net::TcpListener;

use landlock::ABI;
use seccompiler::{BpfProgram, SeccompAction, SeccompFilter, TargetArch, apply_filter};

use super::*;

/// What is to be missing: set for the process inside.
const MISSING: &str = "HEADWATER_TEST_MISSING";

/// What the process inside has seen, a line each.
#[expect(clippy::disallowed_methods, reason = "a test that needs a process of its own")]
fn seen_without(missing: &str) -> String {
    let spool = tempfile::tempdir().unwrap();
    let program = std::env::current_exe().unwrap();
    let output = std::process::Command::new(program)
        .args(["--exact", "confine::tests::inside", "--nocapture", "--test-threads=1"])
        .env(MISSING, missing)
        .env("TMPDIR", spool.path())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    said
}

/// The process inside. Without the word it is nobody's, and does nothing.
#[test]
fn inside() {
    let Ok(missing) = std::env::var(MISSING) else { return };
    let spool = std::env::temp_dir();
    let calls: &[i64] = match missing.as_str() {
        "landlock" => &[libc::SYS_landlock_create_ruleset, libc::SYS_landlock_restrict_self],
        "seccomp" => &[libc::SYS_seccomp],
        _ => &[],
    };
    if !calls.is_empty() {
        let rules = calls.iter().map(|call| (*call, Vec::new())).collect();
        let arch = TargetArch::try_from(std::env::consts::ARCH).unwrap();
        let denied = SeccompAction::Errno(libc::EPERM.unsigned_abs());
        let filter = SeccompFilter::new(rules, SeccompAction::Allow, denied, arch).unwrap();
        apply_filter(&BpfProgram::try_from(filter).unwrap()).unwrap();
    }
    let allowance = Allowance { memory_mb: 512, cpu_seconds: 60, spool_mb: 16, files: 100 };
    let places = Places { spool: &spool, registry: &spool };
    // What is printed before the first line stands in a line that the runner of tests has begun.
    println!();
    for sentence in confine(Walls::Work, places, &allowance) {
        println!("told: {sentence}");
    }
    let can = |what: &str, can: bool| println!("{what}: {}", if can { "yes" } else { "no" });
    can("reads elsewhere", std::fs::read("/etc/passwd").is_ok());
    can("writes to its spool", std::fs::write(spool.join("mine"), "mine").is_ok());
    can("makes folders", std::fs::create_dir(spool.join("folder")).is_ok());
    can("listens", TcpListener::bind("127.0.0.1:0").is_ok());
    can("starts threads", std::thread::Builder::new().spawn(|| ()).is_ok_and(|t| t.join().is_ok()));
    can("takes a gigabyte", Vec::<u8>::new().try_reserve(1 << 30).is_ok());
    can("takes three gigabytes", Vec::<u8>::new().try_reserve(3 << 30).is_ok());
    let status = std::fs::read_to_string("/proc/thread-self/status").unwrap_or_default();
    can("may gain rights", status.contains("NoNewPrivs:\t0"));
}

#[track_caller]
fn check(seen: &str, expected: &[&str]) {
    for line in expected {
        assert!(seen.lines().any(|seen| seen.starts_with(line)), "`{line}` in {seen}");
    }
    let told = expected.iter().filter(|line| line.starts_with("told")).count();
    assert_eq!(seen.lines().filter(|line| line.starts_with("told")).count(), told, "{seen}");
}

#[test]
fn with_everything_there_nothing_is_told() {
    check(
        &seen_without("nothing"),
        &[
            "reads elsewhere: no",
            "writes to its spool: yes",
            "makes folders: no",
            "listens: no",
            "starts threads: yes",
            "takes a gigabyte: yes",
            "takes three gigabytes: no",
            "may gain rights: no",
        ],
    );
}

#[test]
fn what_an_older_landlock_lacks_is_told() {
    let told = |abi| files::lacking(abi).len();
    assert_eq!([ABI::V1, ABI::V2].map(told), [2, 2]);
    assert_eq!([ABI::V3, ABI::V5].map(told), [1, 1]);
    assert!(files::lacking(ABI::V5)[0].contains("signals to other processes"));
    assert_eq!([ABI::V6, ABI::V10].map(told), [0, 0]);
}

#[test]
fn without_landlock_the_rest_holds_and_that_is_told() {
    check(
        &seen_without("landlock"),
        &[
            "told: it can read and write all files of this user: this kernel, or the seccomp profile of the container, \
             has no Landlock",
            "reads elsewhere: yes",
            "writes to its spool: yes",
            "makes folders: no",
            "listens: no",
            "starts threads: yes",
            "takes three gigabytes: no",
            "may gain rights: no",
        ],
    );
}

#[test]
fn without_seccomp_the_rest_holds_and_that_is_told() {
    check(
        &seen_without("seccomp"),
        &[
            "told: it can use the network and start programs",
            "reads elsewhere: no",
            "writes to its spool: yes",
            "makes folders: no",
            // Landlock knows TCP, since Linux 6.7.
            "listens: no",
            "starts threads: yes",
            "takes three gigabytes: no",
        ],
    );
}
