//! What a child has taken, seen from outside.

use super::*;

#[test]
fn everything_below_the_folder_counts_and_nothing_behind_a_link() {
    let spool = tempfile::tempdir().unwrap();
    let elsewhere = tempfile::tempdir().unwrap();
    std::fs::write(elsewhere.path().join("large"), vec![0; 1 << 20]).unwrap();
    std::fs::create_dir_all(spool.path().join("a/b")).unwrap();
    std::fs::write(spool.path().join("a/b/file"), [0; 1000]).unwrap();
    std::fs::write(spool.path().join("job.json"), [0; 10]).unwrap();
    std::os::unix::fs::symlink(elsewhere.path(), spool.path().join("link")).unwrap();
    let (bytes, files) = size(spool.path(), 100);
    assert_eq!(files, 5);
    assert!((1010..2000).contains(&bytes), "{bytes}: a link counts as itself");
    assert_eq!(size(spool.path(), 2).1, 3, "counting stops behind the bound");
}

#[test]
fn a_process_uses_memory_until_it_is_gone() {
    let own = resident(std::process::id()).unwrap();
    assert!(own > 1 << 20, "{own}");
    assert_eq!(resident(u32::MAX), None);
}
