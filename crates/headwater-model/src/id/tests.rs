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
    let counted = "000102030405060708090A0b0c0d0e0f".parse::<Md5>();
    assert_eq!(counted, Ok(Md5([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15])));
}

#[test]
fn what_is_no_digest_is_told() {
    let (short, long) = ("ab".repeat(15), "ab".repeat(17));
    let odd = "a".repeat(31);
    let (other, sign) = (format!("{short}ag"), format!("{short}+a"));
    let two_bytes = format!("{short}é");
    for text in ["", &short, &long, &odd, &other, &sign, &two_bytes] {
        assert!(text.parse::<Md5>().is_err(), "{text}");
    }
}
