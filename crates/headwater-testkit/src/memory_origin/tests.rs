//! The memory origin keeps the contract, and its doors do the damage they promise.

use std::sync::Arc;

use headwater_ports::origin::{Origin, OriginErrorKind, ProofGrade};

use super::MemoryOrigin;
use crate::digest::{key, md5, put};
use crate::origin_suite::origin_suite;

#[tokio::test]
async fn keeps_the_contract() {
    origin_suite(Arc::new(MemoryOrigin::new("memory").with_page(3))).await;
    origin_suite(Arc::new(MemoryOrigin::new("memory").with_grade(ProofGrade::C))).await;
}

#[tokio::test]
async fn refuses_bytes_that_do_not_match_their_checksums() {
    let origin = MemoryOrigin::new("memory");
    let mut wrong = put("a", "sent");
    wrong.md5 = md5(b"meant");
    let error = origin.put(wrong).await.expect_err("refused");
    assert_eq!(error.kind, OriginErrorKind::Corrupt);
    assert_eq!(origin.keys(), [""; 0]);
}

#[tokio::test]
async fn every_door_damages_in_its_own_way() {
    let origin = MemoryOrigin::new("memory");
    let names = ["altered", "emptied", "removed", "rotten", "short", "truncated", "unreadable"];
    for name in names {
        origin.put(put(name, "0123456789")).await.expect("put");
    }
    origin.alter(&key("altered"));
    origin.empty(&key("emptied"));
    origin.remove(&key("removed"));
    origin.rot(&key("rotten"));
    origin.truncate_unseen(&key("short"), 4);
    origin.truncate(&key("truncated"), 4);
    origin.make_unreadable(&key("unreadable"));

    let mut seen = Vec::new();
    for info in origin.list("", None).await.expect("list").objects {
        let read = origin.get(&info.key, None).await;
        let told_truth = read.as_ref().is_ok_and(|bytes| info.md5 == Some(md5(bytes)));
        let read = read.map_or("error".to_owned(), |b| String::from_utf8_lossy(&b).into_owned());
        seen.push(format!("{} {} {read} {told_truth}", info.key, info.bytes));
    }
    assert_eq!(
        seen,
        [
            "altered 10 0123446789 true",
            "emptied 0  true",
            "rotten 10 0123446789 false",
            "short 10 0123 false",
            "truncated 4 0123 true",
            "unreadable 10 error false",
        ]
    );
}
