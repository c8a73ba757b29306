//! How many origins have to take an object, and which is read.

use headwater_model::origin::Verify;
use headwater_ports::origin::Origin;
use headwater_testkit::digest::put;
use headwater_testkit::flaky::{Fail, Flaky};
use headwater_testkit::memory_origin::MemoryOrigin;

use super::*;

fn policy(required: &[&str], min_copies: usize) -> Policy {
    Policy {
        origins: vec!["a".to_owned(), "b".to_owned()],
        required: required.iter().map(|name| (*name).to_owned()).collect(),
        min_copies,
        archive: None,
        verify: Verify::Listing,
    }
}

fn origins(b_fails: bool) -> (Arc<MemoryOrigin>, Arc<MemoryOrigin>, Vec<Arc<dyn Origin>>) {
    let (a, b) = (Arc::new(MemoryOrigin::new("a")), Arc::new(MemoryOrigin::new("b")));
    let fails = if b_fails { vec![Fail::FirstPuts(1)] } else { vec![] };
    let all: Vec<Arc<dyn Origin>> = vec![a.clone(), Arc::new(Flaky::new(b.clone(), fails))];
    (a, b, all)
}

#[tokio::test(start_paused = true)]
async fn a_put_succeeds_when_the_policy_is_met() {
    for (required, min, enough) in
        [(&["a"][..], 1, true), (&[], 1, true), (&["b"], 1, false), (&["a"], 2, false)]
    {
        let (_, _, all) = origins(true);
        let stores = Stores::new(&all, policy(required, min)).unwrap();
        let stored = stores.put(put("x", "body")).await;
        assert_eq!(stored.is_ok(), enough, "{required:?} {min}");
        if let Err(failure) = stored {
            assert!(failure.refusal.message.contains("origin b"), "{}", failure.refusal);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_origin_that_was_away_is_asked_again_after_a_while_or_when_it_is_needed() {
    let (_, b, all) = origins(true);
    let stores = Stores::new(&all, policy(&["a"], 1)).unwrap();
    for object in ["one", "two"] {
        stores.put(put(object, "body")).await.unwrap();
    }
    assert_eq!(b.keys(), Vec::<String>::new(), "left out for now");
    tokio::time::advance(LEFT_OUT).await;
    stores.put(put("three", "body")).await.unwrap();
    assert_eq!(b.keys(), ["three"]);

    let (_, b, all) = origins(true);
    let stores = Stores::new(&all, policy(&["b"], 1)).unwrap();
    stores.put(put("one", "body")).await.unwrap_err();
    stores.put(put("two", "body")).await.unwrap();
    assert_eq!(b.keys(), ["two"], "never left out");
}

#[test]
fn a_policy_names_origins_that_there_are() {
    let (_, _, all) = origins(false);
    let error = Stores::new(&all[..1], policy(&[], 1)).map(drop).unwrap_err();
    assert_eq!(error.to_string(), "there is no origin `b`");
}
