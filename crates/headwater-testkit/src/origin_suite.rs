//! What every origin must do, run on each of them. The odd cases come first.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use headwater_model::key::{CACHE_NEVER, ObjectKey};
use headwater_ports::masters::Input;
use headwater_ports::origin::{Origin, OriginErrorKind, ProofGrade, PutFile};

use crate::digest::{key, md5, put, sha256};

/// Runs every case on an origin that is empty. Ask for small pages where the origin lets you: then paging is crossed
/// at every kind of boundary.
///
/// # Panics
/// When the origin does not keep its contract.
pub async fn origin_suite(origin: Arc<dyn Origin>) {
    let o = origin.as_ref();
    a_missing_key_is_not_found(o).await;
    an_empty_body_is_an_object(o).await;
    deleting_twice_is_no_error(o).await;
    a_key_below_a_deleted_one_can_be_stored(o).await;
    nothing_listed_is_an_empty_page(o).await;
    keys_are_listed_in_byte_order_across_folders(o).await;
    a_prefix_may_end_inside_a_name(o).await;
    a_listing_goes_on_after_any_key(o).await;
    a_range_is_clipped_to_the_object(o).await;
    a_head_says_what_was_stored(o).await;
    a_file_is_stored_whole_or_not_at_all(o).await;
    an_overwrite_shows_the_old_bytes_or_the_new(&origin).await;
    writers_of_one_key_do_not_mix(&origin).await;
}

async fn a_missing_key_is_not_found(o: &dyn Origin) {
    for missing in ["missing", "missing/deeper/seg-00001.m4s"] {
        let error = o.get(&key(missing), None).await.expect_err("reads what is not there");
        assert_eq!(error.kind, OriginErrorKind::NotFound, "{error}");
        assert!(error.to_string().contains(missing), "`{error}` names the key");
        assert_eq!(o.head(&key(missing)).await.expect("head"), None);
        o.delete(&key(missing)).await.expect("deletes what is not there");
    }
}

async fn an_empty_body_is_an_object(o: &dyn Origin) {
    o.put(put("empty/nothing.bin", "")).await.expect("put");
    assert_eq!(o.get(&key("empty/nothing.bin"), None).await.expect("get").len(), 0);
    assert_eq!(o.get(&key("empty/nothing.bin"), Some(0..10)).await.expect("get").len(), 0);
    let info = o.head(&key("empty/nothing.bin")).await.expect("head").expect("is there");
    assert_eq!(info.bytes, 0);
    assert_eq!(keys(o, "empty/").await, ["empty/nothing.bin"]);
}

async fn deleting_twice_is_no_error(o: &dyn Origin) {
    o.put(put("gone/twice.bin", "x")).await.expect("put");
    o.put(put("gone/neighbour.bin", "y")).await.expect("put");
    for _ in 0..2 {
        o.delete(&key("gone/twice.bin")).await.expect("delete");
        assert_eq!(o.head(&key("gone/twice.bin")).await.expect("head"), None);
        assert_eq!(keys(o, "gone/").await, ["gone/neighbour.bin"]);
    }
}

async fn a_key_below_a_deleted_one_can_be_stored(o: &dyn Origin) {
    o.put(put("was/object", "x")).await.expect("put");
    o.delete(&key("was/object")).await.expect("delete");
    o.put(put("was/object/below", "y")).await.expect("put below");
    o.delete(&key("was/object/below")).await.expect("delete below");
    o.put(put("was/object", "z")).await.expect("put again");
    assert_eq!(o.get(&key("was/object"), None).await.expect("get"), "z");
}

async fn nothing_listed_is_an_empty_page(o: &dyn Origin) {
    for prefix in ["no-such-prefix", "no/such/folder/", "//", "../", "./"] {
        let page = o.list(prefix, None).await.expect("list");
        assert!(page.objects.is_empty() && page.next.is_none(), "{prefix}: {page:?}");
    }
}

/// Byte order of whole keys, in which `-` and `.` come before `/` and digits after it.
const ORDERED: [&str; 13] = [
    "order/a!",
    "order/a-b",
    "order/a-b0/x",
    "order/a.b",
    "order/a/0",
    "order/a/b",
    "order/a/b-c",
    "order/a/b0/c",
    "order/a/b0/d/e",
    "order/a/c",
    "order/a0",
    "order/ab/c",
    "order/\u{e9}/f",
];

async fn keys_are_listed_in_byte_order_across_folders(o: &dyn Origin) {
    for at in ORDERED.iter().rev() {
        o.put(put(at, *at)).await.expect("put");
    }
    assert!(ORDERED.is_sorted(), "the suite's own list is in order");
    assert_eq!(keys(o, "order/").await, ORDERED);
    let all = keys(o, "").await;
    assert!(all.is_sorted() && all.len() > ORDERED.len(), "{all:?}");
}

async fn a_prefix_may_end_inside_a_name(o: &dyn Origin) {
    for prefix in
        ["ord", "order/a", "order/a/b", "order/a/b0", "order/a/b0/", "order/a.b", "order/b"]
    {
        let expected: Vec<_> = ORDERED.into_iter().filter(|k| k.starts_with(prefix)).collect();
        assert_eq!(keys(o, prefix).await, expected, "prefix `{prefix}`");
    }
}

async fn a_listing_goes_on_after_any_key(o: &dyn Origin) {
    // Also after keys that do not exist, since the last of a page may be deleted before the next is asked for.
    let absent = ["order/a", "order/a/", "order/a/b0", "order/a/b0/d/zzz", "order/zzz", "a", "zzz"];
    for after in ORDERED.into_iter().chain(absent) {
        let Some(from) = ObjectKey::new(after) else { continue };
        let expected: Vec<_> = ORDERED.into_iter().filter(|k| *k > after).collect();
        assert_eq!(keys_after(o, "order/", Some(from)).await, expected, "after `{after}`");
    }
}

async fn a_range_is_clipped_to_the_object(o: &dyn Origin) {
    o.put(put("range/digits", "0123456789")).await.expect("put");
    let cases =
        [(0..4, "0123"), (4..5, "4"), (8..99, "89"), (10..11, ""), (50..60, ""), (3..3, "")];
    for (range, expected) in cases {
        let bytes = o.get(&key("range/digits"), Some(range.clone())).await.expect("get");
        assert_eq!(bytes, expected, "{range:?}");
    }
    let all = o.get(&key("range/digits"), Some(0..u64::MAX)).await.expect("get");
    assert_eq!(all, "0123456789");
}

async fn a_head_says_what_was_stored(o: &dyn Origin) {
    let body = "the whole of it";
    o.put(put("head/object", body)).await.expect("put");
    let info = o.head(&key("head/object")).await.expect("head").expect("it is there");
    let listed = o.list("head/", None).await.expect("list").objects;
    assert_eq!(listed.len(), 1);
    for told in [&info, &listed[0]] {
        assert_eq!((&told.key, told.bytes), (&key("head/object"), body.len() as u64));
        assert!(told.md5.is_none_or(|told| told == md5(body.as_bytes())), "{told:?}");
        assert!(told.sha256.is_none_or(|told| told == sha256(body.as_bytes())), "{told:?}");
    }
    let proves = info.md5.is_some() || info.sha256.is_some();
    assert_eq!(proves, o.grade() != ProofGrade::C, "HEAD tells a hash, or reading is needed");
    assert_eq!(o.head(&key("head")).await.expect("head"), None, "a folder is no object");
    assert!(o.address(&key("head/object")).ends_with("head/object"));
}

async fn a_file_is_stored_whole_or_not_at_all(o: &dyn Origin) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("film.mov");
    // Longer than what is copied or hashed at once.
    let body: Vec<u8> = (0..3_000_001u32).map(|n| (n % 251) as u8).collect();
    std::fs::write(&path, &body).expect("write");
    let file = |at: &str, sha256| PutFile {
        key: key(at),
        file: Input::File(path.clone()),
        bytes: body.len() as u64,
        sha256,
        cache_control: CACHE_NEVER,
    };
    let stored = o.put_file(file("file/film.mov", sha256(&body))).await.expect("put_file");
    let info = o.head(&key("file/film.mov")).await.expect("head").expect("it is there");
    assert_eq!(info.bytes, body.len() as u64);
    let bare = |etag: Option<String>| etag.map(|etag| etag.trim_matches('"').to_owned());
    let (said, found) = (bare(stored.etag), bare(info.etag));
    assert!(said.is_none() || said == found, "the ETag is what was foretold: {said:?}, {found:?}");
    assert_eq!(o.get(&key("file/film.mov"), None).await.expect("get"), body);

    let other = sha256(b"another film");
    let error = o.put_file(file("file/film.mov", other)).await.expect_err("another content");
    assert_eq!(error.kind, OriginErrorKind::Corrupt, "{error}");
    assert_eq!(
        o.get(&key("file/film.mov"), None).await.expect("get"),
        body,
        "what was there stays"
    );
    o.put_file(file("file/none.mov", other)).await.expect_err("another content");
    assert_eq!(keys(o, "file/").await, ["file/film.mov"]);
    assert_eq!(std::fs::read(&path).expect("read"), body, "the file itself is left alone");
}

async fn an_overwrite_shows_the_old_bytes_or_the_new(origin: &Arc<dyn Origin>) {
    // Of different lengths, and longer than what one write of the system takes.
    let bodies = [vec![b'a'; 300_000], vec![b'b'; 200_001]];
    origin.put(put("overwrite/object", bodies[0].clone())).await.expect("put");
    let done = Arc::new(AtomicBool::new(false));
    let reader = tokio::spawn({
        let (origin, done, bodies) = (Arc::clone(origin), Arc::clone(&done), bodies.clone());
        async move {
            let mut reads = 0;
            while !done.load(Ordering::Relaxed) || reads == 0 {
                let seen = origin.get(&key("overwrite/object"), None).await.expect("get");
                assert!(bodies.iter().any(|b| *b == seen), "{} bytes of neither", seen.len());
                reads += 1;
                tokio::task::yield_now().await;
            }
        }
    });
    for n in 1..=20 {
        origin.put(put("overwrite/object", bodies[n % 2].clone())).await.expect("put");
    }
    done.store(true, Ordering::Relaxed);
    reader.await.expect("the reader only saw whole objects");
    assert_eq!(keys(origin.as_ref(), "overwrite/").await, ["overwrite/object"]);
}

async fn writers_of_one_key_do_not_mix(origin: &Arc<dyn Origin>) {
    let bodies: Vec<Vec<u8>> = (b'a'..=b'f').map(|letter| vec![letter; 100_000]).collect();
    let writers: Vec<_> = bodies
        .iter()
        .cloned()
        .map(|body| {
            let origin = Arc::clone(origin);
            tokio::spawn(async move { origin.put(put("contended/deep/object", body)).await })
        })
        .collect();
    for writer in writers {
        writer.await.expect("joins").expect("put");
    }
    let seen = origin.get(&key("contended/deep/object"), None).await.expect("get");
    assert!(bodies.iter().any(|body| *body == seen), "one writer's bytes, whole");
}

async fn keys(o: &dyn Origin, prefix: &str) -> Vec<String> {
    keys_after(o, prefix, None).await
}

/// All keys of a listing, page by page.
async fn keys_after(o: &dyn Origin, prefix: &str, mut after: Option<ObjectKey>) -> Vec<String> {
    let mut keys = Vec::new();
    loop {
        let page = o.list(prefix, after.as_ref()).await.expect("list");
        keys.extend(page.objects.iter().map(|object| object.key.to_string()));
        let Some(next) = page.next else { return keys };
        assert!(after.is_none_or(|before| before < next), "the listing moves on");
        after = Some(next);
    }
}
