//! Addresses: what is one, what it is called, and what must not get into one.

use super::*;

fn check(text: &str, shown: &str, name: &str) {
    let address: Address = text.parse().unwrap();
    assert_eq!((address.to_string().as_str(), address.name().as_str()), (shown, name), "{text}");
    assert_eq!(address.to_string().parse::<Address>().unwrap(), address, "it reads itself");
}

#[test]
fn files_objects_and_what_web_servers_give_are_addresses() {
    check("/srv/masters/film.mov", "/srv/masters/film.mov", "film.mov");
    check("/odd/a://b.mov", "/odd/a://b.mov", "b.mov");
    check("s3://inbox/a/My Film.mov", "s3://inbox/a/My Film.mov", "My Film.mov");
    check("s3://inbox/what?.mov", "s3://inbox/what?.mov", "what?.mov");
    check("S3://inbox/film.mov", "s3://inbox/film.mov", "film.mov");
    check("https://h.example/a/My%20Film.mov", "https://h.example/a/My%20Film.mov", "My Film.mov");
    check("HTTP://h.example:81/f%zz.mov", "http://h.example:81/f%zz.mov", "f%zz.mov");
}

#[test]
fn what_is_no_address_says_why_and_shows_no_secret() {
    for (text, why) in [
        ("", "empty"),
        ("s3://inbox", "names a folder"),
        ("s3://inbox/", "names a folder"),
        ("s3://inbox/a/", "names a folder"),
        ("s3:///film.mov", "no bucket of that name"),
        ("s3://user:hunter2@inbox/film.mov", "no bucket of that name"),
        ("ftp://user:hunter2@h.example/film.mov", "cannot be read by `ftp://`"),
        ("https://", "not the address of a file"),
        ("https://h.example", "names no file"),
        ("https://h.example/a/", "names no file"),
        ("https://h.example/a b.mov", "not the address of a file"),
        ("https://h.example/a.mov#hunter2", "not the address of a file"),
        ("https://user:hunter2@h.example/film.mov", "a user's name or a password"),
        ("https://h.example/film.mov?X-Amz-Signature=hunter2", "has a query"),
        ("https://h.example?user@hunter2", "has a query"),
    ] {
        let said = text.parse::<Address>().unwrap_err().to_string();
        assert!(said.contains(why), "{text}: {said}");
        assert!(!said.contains("hunter2"), "{text}: {said}");
    }
}

#[test]
fn a_folder_of_a_bucket_has_the_objects_right_in_it() {
    let folder: Folder = "s3://inbox/a/b".parse().unwrap();
    assert_eq!(folder.to_string(), "s3://inbox/a/b/");
    assert_eq!(folder.object("a/b/film.mov").unwrap().to_string(), "s3://inbox/a/b/film.mov");
    for other in ["a/b/", "a/b/c/film.mov", "a/film.mov", "a/bfilm.mov", "a/b/x\n.mov"] {
        assert_eq!(folder.object(other), None, "{other}");
    }
    let whole: Folder = "s3://inbox".parse().unwrap();
    assert_eq!((whole.to_string().as_str(), whole.prefix.as_str()), ("s3://inbox/", ""));
    assert!(whole.object("film.mov").is_some());
    for text in ["/srv/drop", "https://inbox/a/", "s3:///a", "s3://inbox//a"] {
        assert!(text.parse::<Folder>().is_err(), "{text}");
    }
}

#[test]
fn stamps_differ_and_are_never_zero() {
    assert_eq!(stamp_of("\"abc\""), stamp_of("\"abc\""));
    assert_ne!(stamp_of("\"abc\""), stamp_of("\"abd\""));
    assert!(stamp_of("") > 0);
}
