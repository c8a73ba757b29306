//! Which roles a text names, what they work on, and what a machine has room for.

use super::*;

#[test]
fn roles_are_read_as_people_write_them() {
    let read = |text: &str| text.parse::<Roles>();
    assert_eq!(read("http, watch,http").unwrap().to_string(), "watch, http");
    assert_eq!(read("watch,worker,verify,archive,audit,http"), Ok(Roles::all()));
    assert_eq!(read("worker"), Ok(Roles::only(Role::Worker)));
    assert_eq!(read("worker,htp"), Err(BadRoles::Unknown("htp".to_owned())));
    assert_eq!(read(" ,"), Err(BadRoles::None));
}

#[test]
fn all_roles_together_work_on_every_kind_of_task() {
    use task::Role::{Archiver, Publisher, Verifier, Worker};
    assert_eq!(Roles::all().tasks(), [Worker, Verifier, Publisher, Archiver]);
    assert_eq!("verify".parse::<Roles>().unwrap().tasks(), [Verifier, Publisher]);
    assert_eq!("watch,audit,http".parse::<Roles>().unwrap().tasks(), []);
}

#[test]
fn slots_are_what_both_cores_and_memory_allow() {
    for (cores, memory, expected) in [
        (8, None, 8),
        (8, Some(64 * 1024), 8),
        (8, Some(4096), 3),
        (8, Some(1536), 1),
        // Too little for one: better slow than nothing.
        (8, Some(256), 1),
        (1, Some(64 * 1024), 1),
        (1000, None, MAX_SLOTS),
    ] {
        let cores = NonZeroUsize::new(cores).unwrap();
        assert_eq!(slots(cores, memory).get(), expected, "{cores} cores, {memory:?} MiB");
    }
}

#[test]
fn a_process_without_a_name_gets_one_that_can_be_used() {
    for (host, expected) in [
        ("render-3\n", "render-3-0000beef"),
        ("node.example.org", "node.example.org-0000beef"),
        ("../..", "worker-0000beef"),
        ("", "worker-0000beef"),
        ("größe", "gr--e-0000beef"),
    ] {
        let name = worker_name(host, 0xbeef);
        assert_eq!(name, expected);
        assert!(is_worker_name(&name));
    }
    assert!(is_worker_name(&worker_name(&"x".repeat(300), u32::MAX)));
}

#[test]
fn names_are_no_paths() {
    for bad in ["", ".", "..", "a/b", ".hidden", "a b", "-x", &"x".repeat(65)] {
        assert!(!is_worker_name(bad), "{bad}");
    }
    assert!(is_pool_name("gpu-2") && !is_pool_name("GPU") && !is_pool_name("a.b"));
}

#[test]
fn what_is_offered_for_one_more_is_what_is_left() {
    // 5 GiB, and spans of a UHD film: one at a time, and something small beside it.
    let offered = |running: &[u32]| memory_offered(Some(5120), None, running);
    assert_eq!(offered(&[]), Some(5120));
    assert_eq!(offered(&[2560]), Some(2048));
    assert_eq!(offered(&[2560, 2048]), Some(0));
    assert_eq!(offered(&[5120]), Some(0), "more than is left beside the process, and yet begun");
    assert_eq!(offered(&[0, 0]), Some(5120), "what starts no transcoder takes nothing");
    assert_eq!(offered(&[u32::MAX, u32::MAX]), Some(0));
    assert_eq!(memory_offered(None, Some(64), &[2560]), None, "nobody can tell");
}

#[test]
fn what_somebody_has_set_for_each_counts_and_not_what_tasks_need() {
    let offered = |running: &[u32]| memory_offered(Some(5120), Some(1500), running);
    assert_eq!(offered(&[]), Some(5120));
    assert_eq!(offered(&[2560, 0]), Some(5120), "whatever it needs, it gets 1500");
    assert_eq!(offered(&[2560, 2560]), Some(5120));
    assert_eq!(offered(&[2560, 2560, 2560]), Some(0));
}
