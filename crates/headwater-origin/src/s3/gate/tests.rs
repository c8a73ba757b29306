//! Tests of waiting for a turn.

use super::*;

#[tokio::test]
async fn places_come_back_and_grow_with_success() {
    let gate = Gate::new(1);
    let later = gate.now() + Duration::from_secs(60);
    let mut places = Vec::new();
    for _ in 0..super::super::pace::START_IN_FLIGHT {
        places.push(gate.enter(later).await.unwrap());
    }
    let waits = tokio::time::timeout(Duration::from_millis(50), gate.enter(later)).await;
    assert!(waits.is_err(), "all are taken");
    places.pop();
    let place = tokio::time::timeout(Duration::from_secs(5), gate.enter(later)).await.unwrap();
    assert!(place.is_some());
}

#[tokio::test]
async fn nobody_waits_longer_for_a_turn_than_it_is_of_use() {
    // A minute is 60 ms.
    let gate = Gate::new(1_000);
    let later = || gate.now() + Duration::from_mins(10);
    let place = gate.enter(later()).await.unwrap();
    place.leave("lab", Ended::Throttled, Some(Duration::MAX));
    let soon = gate.now() + Duration::from_secs(20);
    assert!(gate.enter(soon).await.is_none(), "it would be sent after it is of any use");
    assert!(gate.enter(later()).await.is_some(), "a minute at most");
}
