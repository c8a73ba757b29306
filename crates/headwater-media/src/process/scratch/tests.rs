//! Whose folders are swept.

use super::*;

fn names(root: &Path) -> Vec<String> {
    let entries = fs::read_dir(root).unwrap();
    let mut names: Vec<String> =
        entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

#[test]
fn what_the_dead_left_is_swept_and_nothing_else() {
    let root = tempfile::tempdir().unwrap();
    let left = root.path().join("job-1-0");
    fs::create_dir_all(left.join("deep")).unwrap();
    fs::write(left.join("order.json"), "{}").unwrap();
    fs::create_dir(root.path().join("registry")).unwrap();
    let alive = Scratch::make(root.path(), 7).unwrap().unwrap();
    assert!(Scratch::make(root.path(), 7).unwrap().is_none(), "it is somebody else's");
    let own = alive.path().file_name().unwrap().to_string_lossy().into_owned();

    sweep(root.path(), LEFT_BEHIND);
    assert!(left.exists(), "it may be that of a build that locks nothing");
    sweep(root.path(), Duration::ZERO);
    assert_eq!(names(root.path()), [own, "registry".to_owned()]);
    drop(alive);
    assert_eq!(names(root.path()), ["registry"]);
    sweep(&root.path().join("nowhere"), Duration::ZERO);
}
