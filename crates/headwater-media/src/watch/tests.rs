//! What a child has taken, seen from outside.

use std::os::unix::fs::PermissionsExt;

use rustix::thread::{CapabilitySet, CapabilitySets, set_capabilities};

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
    let taken = look(u32::MAX, spool.path(), 100);
    assert_eq!((taken.files, taken.hidden), (5, false));
    assert!((1010..2000).contains(&taken.spool), "{}: a link counts as itself", taken.spool);
    assert_eq!(look(u32::MAX, spool.path(), 2).files, 3, "counting stops behind the bound");
}

#[test]
fn what_cannot_be_counted_is_too_much_and_what_is_gone_is_nothing() {
    let spool = tempfile::tempdir().unwrap();
    let hidden = spool.path().join("hidden");
    std::fs::create_dir(&hidden).unwrap();
    std::fs::set_permissions(&hidden, PermissionsExt::from_mode(0o300)).unwrap();
    let (path, gone) = (spool.path().to_owned(), spool.path().join("gone"));
    // Rights are a thread's own: without those of root nobody lists such a folder.
    let looked = std::thread::spawn(move || {
        let none = CapabilitySet::empty();
        let none = CapabilitySets { effective: none, permitted: none, inheritable: none };
        set_capabilities(None, none).unwrap();
        (look(u32::MAX, &path, 100), look(u32::MAX, &gone, 100))
    });
    let (taken, gone) = looked.join().unwrap();
    assert!(taken.hidden, "{taken:?}");
    assert_eq!(gone, Taken::default());
}

#[test]
fn a_process_uses_memory_until_it_is_gone() {
    let own = resident(std::process::id()).unwrap();
    assert!(own > 1 << 20, "{own}");
    assert_eq!(resident(u32::MAX), None);
}
