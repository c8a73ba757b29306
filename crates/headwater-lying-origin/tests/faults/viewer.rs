//! What viewers of a title would get, judged by the bytes that the server holds and not by what it says about them.

use std::collections::BTreeMap;

use bytes::Bytes;
use headwater_lying_origin::LyingOrigin;
use headwater_testkit::digest::sha256;

use crate::lab::PREFIX;

/// What an honest server holds, by key, after both versions of the title were published. A segment is a pure function
/// of its master (R1), so that every other server has to hold the same.
pub(crate) struct Reference {
    pub(crate) objects: BTreeMap<String, Bytes>,
    /// The title's pointers when the first version was live, by key.
    pub(crate) first: BTreeMap<String, Bytes>,
}

/// What a title's pointers lead to.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Sight {
    /// There is no pointer: nothing is on the air.
    Nothing,
    /// Every pointer that there is leads into a package of which every byte is right.
    Whole,
    /// A pointer is not one that the engine ever wrote.
    BrokenPointer,
    /// A pointer leads into a package that lacks something, or has something wrong: what must never happen.
    Hole(String),
}

/// The title's pointers.
pub(crate) fn pointers() -> [String; 2] {
    ["index.m3u8", "manifest.mpd"].map(|name| format!("{PREFIX}main/film/{name}"))
}

/// Looks at what `server` holds.
pub(crate) fn look(server: &LyingOrigin, reference: &Reference) -> Sight {
    let sights = pointers().map(|key| {
        let Some(pointer) = server.object(&key) else { return Sight::Nothing };
        if reference.first.get(&key) == Some(&pointer) {
            package(server, reference, 1)
        } else if reference.objects.get(&key) == Some(&pointer) {
            package(server, reference, 2)
        } else {
            Sight::BrokenPointer
        }
    });
    let [hls, dash] = sights;
    hls.max(dash)
}

/// Whether `server` holds the inventory of a version and all that it lists.
fn package(server: &LyingOrigin, reference: &Reference, version: u32) -> Sight {
    let folder = format!("{PREFIX}main/film/v{version}/");
    let key = format!("{folder}inventory.jsonl");
    let Some(inventory) = server.object(&key) else { return Sight::Hole("no inventory".into()) };
    if reference.objects.get(&key) != Some(&inventory) {
        return Sight::Hole("another inventory".to_owned());
    }
    let text = String::from_utf8(inventory.to_vec()).unwrap();
    let mut objects = 0;
    // The first line is the header.
    for line in text.lines().skip(1) {
        let listed: serde_json::Value = serde_json::from_str(line).unwrap();
        let path = listed["path"].as_str().unwrap();
        let Some(body) = server.object(&format!("{folder}{path}")) else {
            return Sight::Hole(format!("no {path}"));
        };
        if sha256(&body).to_string() != listed["sha256"].as_str().unwrap() {
            return Sight::Hole(format!("wrong bytes in {path}"));
        }
        objects += 1;
    }
    assert_eq!(objects, 21, "an inventory that lists too little would make every check empty");
    Sight::Whole
}
