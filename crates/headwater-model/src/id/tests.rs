//! Names: what is accepted, and what a file name becomes.

use super::*;

#[test]
fn file_names_become_titles() {
    for (file, title) in [
        ("Big Buck Bunny (2008).mp4", "big-buck-bunny-2008"),
        ("film.v2.MOV", "film.v2"),
        ("Été à Paris.mkv", "t-paris"),
        (".mp4", "mp4"),
        ("___.mov", "untitled"),
        ("a..b.mp4", "a.-b"),
        ("no_extension", "no_extension"),
    ] {
        let id = TitleId::from_file_name(file);
        assert_eq!(id.as_str(), title, "{file}");
        assert_eq!(
            id.as_str().parse::<TitleId>().as_ref(),
            Ok(&id),
            "{file} gives a name that parses"
        );
    }
}

#[test]
fn names_that_could_leave_their_folder_are_refused() {
    for bad in ["", "..", "a/b", "A", ".hidden", "a..b", "é"] {
        assert!(bad.parse::<TitleId>().is_err(), "{bad:?}");
    }
}

#[test]
fn digests_survive_text() {
    let digest = Md5([0xab; 16]);
    assert_eq!(digest.to_string().parse(), Ok(digest));
    assert!("abc".parse::<Md5>().is_err());
}
