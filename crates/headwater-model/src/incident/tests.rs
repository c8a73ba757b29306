//! What closes an incident, and whose it is.

use super::*;
use crate::finding::{FindingKind, Way};
use crate::id::{Tenant, TitleId};
use crate::plan::Base;

fn wrong(origin: &str, object: &str, kind: FindingKind) -> Finding {
    Finding { origin: origin.to_owned(), object: object.to_owned(), kind }
}

const LISTED: Found = Found { by_reading: false, on_edge: false };
const READ: Found = Found { by_reading: true, on_edge: false };
const EDGE: Found = Found { by_reading: false, on_edge: true };

#[test]
fn an_incident_ends_only_by_a_look_at_the_whole_origin_that_does_not_find_it() {
    let missing = |origin: &str, object: &str| wrong(origin, object, FindingKind::Missing);
    let look = Look {
        whole: vec!["a".to_owned()],
        findings: vec![missing("a", "x"), missing("c", "z")],
        ..Look::default()
    };
    assert!(!look.closes(&missing("a", "x"), LISTED), "still wrong");
    assert!(look.closes(&missing("a", "y"), LISTED));
    assert!(!look.closes(&missing("b", "y"), LISTED), "not looked at");
    assert!(!look.closes(&missing("c", "y"), LISTED), "not looked at as a whole");
}

#[test]
fn what_was_found_by_reading_or_on_an_edge_ends_only_by_the_same() {
    let on_edge = FindingKind::NotOnEdge { status: 404, way: Way::Cached };
    let truncated = FindingKind::Truncated { expected: 2, found: 1 };
    let both = READ.and(EDGE);
    // (what was found last, what it took so far, the looks that close it: a listing, a read of the object, the edge as
    // well as a listing, the edge as well as a read)
    for (kind, found, closed_by) in [
        (FindingKind::Missing, LISTED, [true, true, true, true]),
        (truncated, READ, [false, true, false, true]),
        (FindingKind::Missing, READ, [false, true, false, true]),
        (on_edge.clone(), EDGE, [false, false, true, true]),
        (FindingKind::Missing, EDGE, [false, false, true, true]),
        (on_edge, both, [false, false, false, true]),
    ] {
        let open = wrong("a", "x", kind);
        let a = || vec!["a".to_owned()];
        let read = || BTreeSet::from([At::of(&open)]);
        let listing = Look { whole: a(), ..Look::default() };
        let reading = Look { read: read(), ..Look::default() };
        let edge = Look { whole: a(), edges: a(), ..Look::default() };
        let edge_and_read = Look { read: read(), ..edge.clone() };
        let looks = [listing, reading, edge, edge_and_read];
        assert_eq!(looks.map(|look| look.closes(&open, found)), closed_by, "{open} {found:?}");
    }
}

#[test]
fn what_a_look_has_read_it_has_found_by_reading() {
    let truncated = wrong("a", "x", FindingKind::Truncated { expected: 2, found: 1 });
    let look = Look { read: BTreeSet::from([At::of(&truncated)]), ..Look::default() };
    assert_eq!(look.found(&truncated), READ);
    assert_eq!(Look::default().found(&truncated), LISTED);
    let reason = "404".to_owned();
    let unreadable = wrong("a", "x", FindingKind::ListedButUnreadable { reason });
    assert_eq!(Look::default().found(&unreadable), READ, "if only its last byte");
    let way = Way::PastCache;
    let on_edge = wrong("a", "x", FindingKind::NotOnEdge { status: 404, way });
    assert_eq!(look.found(&on_edge), EDGE);
}

#[test]
fn of_older_versions_only_what_is_kept_is_needed() {
    let package = |version| PackageId {
        tenant: Tenant::default(),
        title: TitleId::from_file_name("film.mp4"),
        version: Version(version),
    };
    let kept = |base, names: &[&str]| {
        let kept = names.iter().map(|name| (*name).to_owned()).collect();
        let base = Base { version: Version(base), kept, copied: vec![] };
        Plan { base: Some(base), ..crate::plan::tests::any() }
    };
    // The picture of v1, sound of v2.
    let mut plans = BTreeMap::from([
        (Version(3), kept(2, &["video-234p", "audio-en"])),
        (Version(2), kept(1, &["video-234p"])),
        (Version(1), crate::plan::tests::any()),
    ]);
    let needed = |plans: &_, object: &str| is_needed(&package(3), plans, object);
    let check = |object: &str| needed(&plans, object);
    assert!(check("main/film/v1/video-234p/seg-00001.m4s"), "two versions back");
    assert!(check("main/film/v2/audio-en/media.m3u8"));
    assert!(check("main/film/v1/*"), "some of it");
    assert!(check("main/film/v2/*"), "some of it");
    assert!(!check("main/film/v3/*"), "its own");
    assert!(!check("main/film/v4/*"), "a version that it does not refer to");
    assert!(!check("main/film/v1/audio-en/seg-00001.m4s"), "v2 made it again");
    assert!(!check("main/film/v2/video-360p/seg-00001.m4s"), "made again");
    assert!(!check("main/film/v3/video-360p/seg-00001.m4s"), "its own");
    assert!(!check("main/film/v2/manifest.mpd"));
    assert!(!check("main/film/index.m3u8"), "a pointer is always that of what viewers get");
    assert!(!check("main/film-2/v1/video-234p/seg-00001.m4s"), "another title");
    for (object, is_its_own) in [
        ("main/film/v1/video-234p/seg-00001.m4s", true),
        ("main/film/index.m3u8", true),
        ("main/film-2/index.m3u8", false),
        ("main/masters/0123.mp4", false),
    ] {
        assert_eq!(is_of_title(&package(3), object), is_its_own, "{object}");
    }
    plans.remove(&Version(2));
    assert!(needed(&plans, "main/film/v1/video-234p/seg-00001.m4s"));
    assert!(needed(&plans, "main/film/v1/audio-en/seg-00001.m4s"), "nobody can tell");
    assert!(!needed(&plans, "main/film/v1/video-360p/seg-00001.m4s"));
}
