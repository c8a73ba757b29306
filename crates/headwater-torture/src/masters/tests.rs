//! Copies of masters, told from each other by their bytes.

use super::*;

#[test]
fn a_copy_is_the_one_of_its_title_and_whole() {
    let master = Master { bytes: b"frames".to_vec(), expected: Package::new() };
    let file = tempfile::NamedTempFile::new().unwrap();
    master.write("m1-0001", file.path()).unwrap();
    let copy = fs::read(file.path()).unwrap();
    assert!(master.is("m1-0001", &copy));
    assert!(!master.is("m1-0002", &copy), "another title");
    assert!(!master.is("m1-0001", &copy[..copy.len() - 1]), "cut short");
    assert!(!master.is("m1-0001", &[&copy[..], b"!"].concat()), "with something behind it");
    let mut altered = copy;
    altered[2] ^= 1;
    assert!(!master.is("m1-0001", &altered));
}
