//! Whoever watches does not take the work along when it ends.

use std::sync::atomic::{AtomicBool, Ordering};

use super::*;

/// Work that takes some time to give back what it has.
async fn giving_back(stop: &CancellationToken, given: &AtomicBool) -> anyhow::Result<()> {
    stop.cancelled().await;
    tokio::time::sleep(Duration::from_millis(50)).await;
    given.store(true, Ordering::Relaxed);
    Ok(())
}

#[tokio::test]
async fn work_is_given_back_before_a_failed_watch_is_told() {
    let (stop, given) = (CancellationToken::new(), AtomicBool::new(false));
    let watch = async { Err::<(), _>(anyhow!("interrupted")) };
    let ended = together(giving_back(&stop, &given), &stop, watch).await;
    assert_eq!(ended.unwrap_err().to_string(), "interrupted");
    assert!(given.load(Ordering::Relaxed), "it was dropped");
}

#[tokio::test]
async fn work_that_fails_ends_the_watch() {
    let stop = CancellationToken::new();
    let watch = async {
        stop.cancelled().await;
        Ok(7)
    };
    let ended = together(async { Err(anyhow!("no place")) }, &stop, watch).await;
    assert_eq!(ended.unwrap_err().to_string(), "no place");
}

#[tokio::test]
async fn what_was_seen_is_told() {
    let (stop, given) = (CancellationToken::new(), AtomicBool::new(false));
    let ended = together(giving_back(&stop, &given), &stop, async { Ok(7) }).await;
    assert_eq!(ended.unwrap(), 7);
}
