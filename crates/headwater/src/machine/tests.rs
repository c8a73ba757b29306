//! What the kernel's files say, as machines and containers have them.

use super::*;

#[test]
fn memory_is_read_from_what_the_kernel_says() {
    let meminfo = "MemTotal:       16384256 kB\nMemFree:         1234567 kB\n";
    assert_eq!(total(meminfo), Some(16_384_256 * 1024));
    assert_eq!(total("MemFree: 1 kB\n"), None);
    assert_eq!(limit("4294967296\n"), Some(4 << 30));
    assert_eq!(limit("max\n"), None);
}

#[test]
fn a_limit_of_any_group_around_this_one_counts() {
    let shown = |cgroup: &str| -> Vec<String> {
        limits(cgroup).iter().map(|path| path.display().to_string()).collect()
    };
    assert_eq!(
        shown("0::/system.slice/headwater.service\n"),
        [
            "/sys/fs/cgroup/system.slice/headwater.service/memory.max",
            "/sys/fs/cgroup/system.slice/memory.max",
            "/sys/fs/cgroup/memory.max",
        ]
    );
    assert_eq!(shown("0::/\n"), ["/sys/fs/cgroup/memory.max"]);
    assert_eq!(
        shown("5:cpu,cpuacct:/a\n4:memory:/docker/x\n"),
        [
            "/sys/fs/cgroup/memory/docker/x/memory.limit_in_bytes",
            "/sys/fs/cgroup/memory/docker/memory.limit_in_bytes",
            "/sys/fs/cgroup/memory/memory.limit_in_bytes",
        ]
    );
}

#[test]
fn this_machine_has_memory_and_a_name() {
    assert!(memory_mib().is_some_and(|mib| mib > 64));
    let (one, other) = (worker_name(), worker_name());
    assert!(process::is_worker_name(&one) && one != other, "{one} {other}");
}
