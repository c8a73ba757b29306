//! The schedule: as a seed says, and with everything in it.

use std::collections::{BTreeMap, BTreeSet};

use super::*;

const PACE: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(4));

#[test]
fn a_seed_gives_the_same_rounds_again_and_another_gives_others() {
    assert_eq!(rounds(7, 200, PACE), rounds(7, 200, PACE));
    assert_ne!(rounds(7, 200, PACE), rounds(8, 200, PACE));
    assert_eq!(rounds(7, 200, PACE).len(), 200);
}

#[test]
fn a_short_run_has_every_kind_once() {
    for seed in 0..50 {
        let kinds: BTreeSet<Kind> = rounds(seed, 10, PACE).iter().map(|r| r.kind).collect();
        assert_eq!(kinds.len(), Kind::ALL.len());
    }
}

#[test]
fn leases_run_out_only_where_they_are_meant_to() {
    let lease = Duration::from_secs(LEASE_SECONDS);
    for round in rounds(1, 1000, PACE) {
        let beyond = matches!(round.kind, Kind::CutForLong | Kind::Freeze);
        assert_eq!(round.lasts > lease, beyond, "{round:?}");
        let is_late = round.cut == Cut::Late;
        assert_eq!(is_late, round.kind == Kind::CutForLong, "{round:?}");
        assert!((PACE.0..=PACE.1).contains(&round.after), "{round:?}");
    }
}

#[test]
fn after_a_deck_everything_has_met_somebody() {
    let all = || Kind::ALL.into_iter().map(|kind| (kind, 1)).collect::<BTreeMap<_, _>>();
    assert_eq!(deck(), 27);
    assert_eq!(never_met(deck(), &all(), 1), [""; 0]);
    assert_eq!(never_met(deck(), &all(), 0).len(), 1);
    let mut most = all();
    most.insert(Kind::Freeze, 0);
    most.remove(&Kind::KillChild);
    assert_eq!(never_met(deck() - 1, &most, 0), [""; 0]);
    let never = never_met(deck(), &most, 1).join("; ");
    assert!(never.contains("transcoder killed") && never.contains("frozen"), "{never}");
}
