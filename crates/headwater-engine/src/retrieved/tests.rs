//! What is kept of masters that came back, when nobody needs them any more.

use super::*;
use crate::tests::Lab;

#[tokio::test(start_paused = true)]
async fn nothing_is_kept_of_a_master_that_is_gone_again() {
    let lab = Lab::new();
    let engine = lab.engine();
    let retrieved = Retrieved::new("never-made".into());
    // Two that could not be fetched; somebody is about to try again with the second.
    let wanted = Slot::default();
    retrieved.slots.lock().unwrap().insert(Sha256([1; 32]), Slot::default());
    retrieved.slots.lock().unwrap().insert(Sha256([2; 32]), wanted.clone());
    retrieved.tidy(engine.ports()).await;
    let left: Vec<Sha256> = retrieved.slots.lock().unwrap().keys().copied().collect();
    assert_eq!(left, [Sha256([2; 32])]);
    drop(wanted);
    retrieved.tidy(engine.ports()).await;
    assert!(retrieved.slots.lock().unwrap().is_empty());
}
