//! An inventory is read as it was written, or not at all.

use expect_test::{Expect, expect};

use super::*;
use crate::fixture;

fn text() -> String {
    let inventory = fixture::inventory();
    String::from_utf8(write(&inventory.header, &inventory.objects)).expect("JSON is text")
}

/// What reading says after `from` was replaced by `to`, once.
fn check(from: &str, to: &str, complaint: Expect) {
    let text = text();
    let changed = text.replacen(from, to, 1);
    assert_ne!(text, changed, "`{from}` is not there");
    let why = read(changed.as_bytes()).expect_err("it was broken");
    complaint.assert_eq(&why.to_string());
}

#[test]
fn first_lines() {
    let text = text();
    let lines: Vec<&str> = text.lines().take(3).collect();
    expect![[r#"
        {"format":"headwater-inventory/1","package":{"tenant":"main","title":"film","version":1},"master":"0101010101010101010101010101010101010101010101010101010101010101","pipeline":"vod-h264","pipeline_sha256":"0202020202020202020202020202020202020202020202020202020202020202","engine":"test","renditions":[{"name":"video-1080p","codec":"avc1.640028","timescale":30000,"delay":2002,"version":1},{"name":"video-540p","codec":"avc1.64001f","timescale":30000,"delay":2002,"version":1},{"name":"video-234p","codec":"avc1.64000d","timescale":30000,"delay":2002,"version":1},{"name":"audio-eng","codec":"mp4a.40.2","timescale":48000,"delay":0,"version":1},{"name":"audio-de","codec":"mp4a.40.2","timescale":48000,"delay":0,"version":1}],"objects":32}
        {"path":"audio-de/init.mp4","bytes":700,"sha256":"0303030303030303030303030303030303030303030303030303030303030303","md5":"04040404040404040404040404040404","kind":"init","rendition":"audio-de"}
        {"path":"audio-de/media.m3u8","bytes":271,"sha256":"0303030303030303030303030303030303030303030303030303030303030303","md5":"04040404040404040404040404040404","kind":"manifest"}"#]].assert_eq(&lines.join("\n"));
}

#[test]
fn what_was_written_is_read() {
    let inventory = fixture::inventory();
    assert_eq!(read(text().as_bytes()).expect("it is whole"), inventory);
}

#[test]
fn lines_of_every_kind_are_read_as_serde_reads_them() {
    let (mut fast, mut kinds) = (0, BTreeSet::new());
    let text = text().replacen("\"kind\":\"manifest\"", "\"kind\":\"plan\"", 1);
    for line in text.lines().skip(1) {
        let general: Object = serde_json::from_str(line).expect("it is an object");
        assert_eq!(object(line.as_bytes()).expect("it is an object"), general);
        kinds.insert(line.split_once("\"kind\":").map(|(_, kind)| kind[..6].to_owned()));
        let as_line = serde_json::from_str::<Line<'_>>(line).ok().and_then(Line::into_object);
        fast += usize::from(as_line == Some(general));
    }
    assert_eq!((fast, kinds.len()), (32, 4), "{kinds:?}");
}

#[test]
fn a_name_that_json_has_to_escape_is_read() {
    let line = text().lines().nth(1).expect("a line").replace("audio-de/", r#"\u0061\"é/"#);
    let object = object(line.as_bytes()).expect("it is an object");
    assert_eq!(object.path, "a\"é/init.mp4");
}

#[test]
fn order_and_count_of_the_caller_do_not_matter() {
    let Inventory { mut header, mut objects } = fixture::inventory();
    objects.reverse();
    header.objects = 0;
    assert_eq!(String::from_utf8_lossy(&write(&header, &objects)), text());
}

#[test]
fn cut_off_anywhere_is_an_error() {
    let text = text();
    for end in 0..text.len() {
        assert!(read(&text.as_bytes()[..end]).is_err(), "cut off at {end}");
    }
}

#[test]
fn another_format() {
    check(
        "headwater-inventory/1",
        "headwater-inventory/2",
        expect![
            "the inventory has the format `headwater-inventory/2`, not `headwater-inventory/1`"
        ],
    );
}

#[test]
fn lost_line() {
    let text = text();
    let line = text.lines().nth(5).expect("many lines");
    check(&format!("{line}\n"), "", expect!["the inventory lists 31 objects, its header says 32"]);
}

#[test]
fn line_twice() {
    let text = text();
    let line = text.lines().nth(5).expect("many lines");
    check(
        line,
        &format!("{line}\n{line}"),
        expect![
            "line 7 of the inventory: `audio-de/seg-00003.m4s` does not come after the path before it"
        ],
    );
}

#[test]
fn unsorted() {
    check(
        "audio-de/seg-00001.m4s",
        "audio-de/seg-00009.m4s",
        expect![
            "line 5 of the inventory: `audio-de/seg-00002.m4s` does not come after the path before it"
        ],
    );
}

#[test]
fn empty_object() {
    check(
        "\"bytes\":700",
        "\"bytes\":0",
        expect!["line 2 of the inventory: `audio-de/init.mp4` has no bytes"],
    );
}

#[test]
fn path_that_leads_out() {
    check(
        "audio-de/init.mp4",
        "../init.mp4",
        expect!["line 2 of the inventory: `../init.mp4` is not a path"],
    );
}

#[test]
fn rendition_that_nobody_introduced() {
    check(
        "{\"name\":\"audio-de\"",
        "{\"name\":\"audio-dk\"",
        expect!["the inventory does not introduce rendition `audio-de` exactly once"],
    );
}

#[test]
fn not_json() {
    check(
        "{\"path\"",
        "\"path\"",
        expect![[
            r#"line 2 of the inventory: invalid type: string "path", expected struct Object at line 1 column 6"#
        ]],
    );
}
