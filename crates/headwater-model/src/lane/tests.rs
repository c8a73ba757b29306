//! Who is offered what, and in which order.

use super::*;

fn standing(id: i64, tenant: &str, priority: Priority, running: u64, claimed: i64) -> Standing {
    Standing {
        id,
        lane: Lane {
            priority,
            tenant: tenant.parse().unwrap(),
            role: Role::Worker,
            healing: false,
            needs: Needs::default(),
        },
        first: Some((id, id)),
        running,
        claimed: Timestamp(claimed),
    }
}

/// A moment in which new titles come first.
const NOW: Timestamp = Timestamp(1_500);

fn order(standings: &[Standing]) -> Vec<i64> {
    in_order(standings, &Offer::of("w", &[Role::Worker]), NOW)
}

#[test]
fn an_urgent_title_comes_before_a_thousand_others() {
    let busy = standing(1, "a", Priority::Normal, 0, 0);
    let urgent = standing(2, "a", Priority::Urgent, 900, 99);
    let low = standing(3, "b", Priority::Low, 0, 0);
    assert_eq!(order(&[low, busy, urgent]), [2, 1, 3]);
}

#[test]
fn who_has_fewest_under_way_comes_first_and_then_who_waited_longest() {
    let a = standing(1, "a", Priority::Normal, 3, 10);
    let b = standing(2, "b", Priority::Normal, 2, 30);
    let c = standing(3, "c", Priority::Normal, 2, 20);
    assert_eq!(order(&[a.clone(), b.clone(), c.clone()]), [3, 2, 1]);
    // What a tenant has under way in another lane counts too.
    let more = Standing { first: None, ..standing(4, "c", Priority::Low, 5, 5) };
    assert_eq!(order(&[a, b, c, more]), [2, 1, 3]);
}

#[test]
fn of_one_tenant_the_oldest_comes_first() {
    let (new, old) =
        (standing(7, "a", Priority::Normal, 0, 0), standing(5, "a", Priority::Normal, 1, 3));
    assert_eq!(order(&[new, old]), [5, 7]);
}

#[test]
fn healing_has_its_turn() {
    let new = standing(1, "a", Priority::Normal, 0, 0);
    let mut healing = standing(2, "b", Priority::Normal, 9, 9);
    healing.lane.healing = true;
    let offer = Offer::of("w", &[Role::Worker]);
    let standings = [new, healing];
    assert_eq!(in_order(&standings, &offer, Timestamp(0)), [2, 1]);
    assert_eq!(in_order(&standings, &offer, Timestamp(1_000)), [1, 2]);
}

#[test]
fn what_another_pool_does_for_a_tenant_is_not_held_against_it() {
    let mut gpu = standing(1, "a", Priority::Normal, 20, 0);
    gpu.lane.needs.pool = "gpu".to_owned();
    gpu.first = None;
    let standings =
        [gpu, standing(2, "a", Priority::Normal, 1, 0), standing(3, "b", Priority::Normal, 7, 0)];
    let offer = Offer::of("w", &[Role::Worker]);
    assert_eq!(in_order(&standings, &offer, Timestamp(1_000)), [2, 3]);
}

#[test]
fn nobody_is_offered_what_they_cannot_do() {
    let needs = Needs {
        pool: "gpu".to_owned(),
        elements: ["x264enc".to_owned()].into(),
        plan: plan::FORMAT,
        memory_mb: 1_024,
    };
    let able = Offer {
        pool: "gpu".to_owned(),
        elements: Some(["x264enc".to_owned(), "avenc_aac".to_owned()].into()),
        memory_mb: Some(1_024),
        ..Offer::of("w", &[Role::Worker])
    };
    assert!(able.takes(Role::Worker, &needs));
    for unable in [
        Offer { roles: vec![Role::Verifier], ..able.clone() },
        Offer { pool: "cpu".to_owned(), ..able.clone() },
        Offer { elements: Some(BTreeSet::new()), ..able.clone() },
        Offer { memory_mb: Some(1_023), ..able.clone() },
        Offer { plan: plan::FORMAT - 1, ..able.clone() },
    ] {
        assert!(!unable.takes(Role::Worker, &needs), "{unable:?}");
    }
    let future = Needs { plan: plan::FORMAT + 1, ..Needs::default() };
    assert!(!able.takes(Role::Worker, &future));
    // Proofs do not care for pools.
    let verifier = Offer::of("v", &[Role::Verifier]);
    assert!(verifier.takes(Role::Verifier, &Needs { pool: "gpu".to_owned(), ..Needs::default() }));
}

#[test]
fn priorities_are_words_and_ranks() {
    for priority in Priority::ALL {
        assert_eq!(priority.name().parse(), Ok(priority));
        assert_eq!(Priority::of_rank(priority.rank()), priority);
    }
    assert_eq!(Priority::of_rank(17), Priority::Normal);
    assert!("asap".parse::<Priority>().unwrap_err().contains("urgent, normal or low"));
}
