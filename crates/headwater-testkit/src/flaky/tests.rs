//! Each way of failing fails that way and no other.

use std::sync::Arc;
use std::time::Duration;

use headwater_ports::origin::{Origin, OriginErrorKind};

use super::{Fail, Flaky};
use crate::digest::{key, put};
use crate::memory_origin::MemoryOrigin;
use crate::origin_suite::origin_suite;

fn flaky(fail: Fail) -> (Arc<MemoryOrigin>, Flaky) {
    let memory = Arc::new(MemoryOrigin::new("memory"));
    (Arc::clone(&memory), Flaky::new(memory, vec![fail]))
}

#[tokio::test]
async fn without_a_fault_it_is_a_good_origin() {
    let memory = Arc::new(MemoryOrigin::new("memory").with_page(3));
    origin_suite(Arc::new(Flaky::new(memory, vec![]))).await;
}

#[tokio::test]
async fn the_first_calls_fail_and_the_next_succeed() {
    let (_, origin) = flaky(Fail::FirstPuts(2));
    for _ in 0..2 {
        let error = origin.put(put("a", "x")).await.expect_err("fails");
        assert_eq!(error.kind, OriginErrorKind::Unavailable);
    }
    origin.put(put("a", "x")).await.expect("succeeds");

    let (memory, origin) = flaky(Fail::FirstGets(1));
    memory.put(put("a", "x")).await.expect("put");
    assert!(origin.get(&key("a"), None).await.is_err());
    assert!(origin.get(&key("a"), None).await.is_ok());
}

#[tokio::test]
async fn acknowledged_puts_are_lost_or_cut() {
    let (memory, origin) = flaky(Fail::DropPuts { containing: "seg-2" });
    for name in ["seg-1", "seg-2", "seg-3"] {
        origin.put(put(name, "0123")).await.expect("acknowledged");
    }
    assert_eq!(memory.keys(), ["seg-1", "seg-3"]);

    let (memory, origin) = flaky(Fail::TruncatePuts { containing: "" });
    origin.put(put("a", "0123")).await.expect("acknowledged");
    assert_eq!(memory.get(&key("a"), None).await.expect("get"), "01");
}

#[tokio::test]
async fn it_fills_up() {
    let (memory, origin) = flaky(Fail::FullAfter { bytes: 5 });
    origin.put(put("a", "0123")).await.expect("fits");
    let error = origin.put(put("b", "0123")).await.expect_err("does not fit");
    assert_eq!(error.kind, OriginErrorKind::Full);
    origin.put(put("c", "4")).await.expect("fits");
    assert_eq!(memory.keys(), ["a", "c"]);
}

#[tokio::test]
async fn it_hangs_where_it_is_told_to() {
    let soon = Duration::from_millis(20);
    let (_, origin) = flaky(Fail::HangPuts { containing: "stuck" });
    origin.put(put("free", "x")).await.expect("put");
    assert!(tokio::time::timeout(soon, origin.put(put("stuck", "x"))).await.is_err());

    let (_, origin) = flaky(Fail::HangGets { containing: "stuck" });
    assert!(tokio::time::timeout(soon, origin.get(&key("stuck"), None)).await.is_err());
}
