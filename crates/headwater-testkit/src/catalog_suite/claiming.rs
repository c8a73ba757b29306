//! Cases of claiming: who gets which task, for how long, and what becomes of it when nobody speaks up.

use std::collections::HashSet;
use std::sync::Arc;

use headwater_model::lane::Offer;
use headwater_model::life::TitleState;
use headwater_model::queue::MAX_LOST_LEASES;
use headwater_model::refusal::Code;
use headwater_model::task::{Failure, Retry, Role, TaskKind};
use headwater_model::time::Timestamp;
use headwater_ports::catalog::CatalogError;
use headwater_ports::clock::Clock;

use super::scene::{ALL, LEASE_MS, LONG_MS, Scene, assert_lost, good, package, passing};

type Case = Result<(), CatalogError>;

/// Nothing to do is an answer.
pub async fn nothing_is_due_in_an_empty_queue(s: Scene) -> Case {
    assert_eq!(s.try_claim().await?, None);
    assert_eq!(s.catalog.end_all_leases().await?, 0);
    Ok(())
}

/// The second gets nothing.
pub async fn two_claimers_of_one_task(s: Scene) -> Case {
    s.submit("film").await?;
    let first = s.catalog.claim(&Offer::of("w1", &ALL), LEASE_MS).await?;
    let second = s.catalog.claim(&Offer::of("w2", &ALL), LEASE_MS).await?;
    assert_eq!((first.is_some(), second), (true, None));
    Ok(())
}

/// However many ask at once, nobody gets what another has, and everything is given to somebody.
pub async fn many_claimers_get_disjoint_tasks(s: Scene) -> Case {
    s.prepare("film", 15).await?;
    let mut claimers = Vec::new();
    for n in 0..8 {
        let catalog = Arc::clone(&s.catalog);
        claimers.push(tokio::spawn(async move {
            let mut kinds = Vec::new();
            while let Some(claimed) =
                catalog.claim(&Offer::of(&format!("w{n}"), &ALL), LEASE_MS).await?
            {
                kinds.push(claimed.kind);
                tokio::task::yield_now().await;
            }
            Ok::<_, CatalogError>(kinds)
        }));
    }
    let mut all = Vec::new();
    for claimer in claimers {
        all.extend(claimer.await.expect("no claimer panics")?);
    }
    assert_eq!(all.len(), 16, "15 spans and an audio track: {all:?}");
    assert_eq!(all.into_iter().collect::<HashSet<_>>().len(), 16);
    Ok(())
}

/// A worker does not publish, and a publisher does not transcode.
pub async fn roles_are_respected(s: Scene) -> Case {
    let claim =
        async |roles: &'static [Role]| s.catalog.claim(&Offer::of("w1", roles), LEASE_MS).await;
    s.submit("film").await?;
    assert_eq!(claim(&[]).await?, None);
    assert_eq!(claim(&[Role::Verifier, Role::Publisher]).await?, None);
    let seal = s.work_until(TaskKind::Seal).await?;
    s.catalog.release(&seal.lease).await?;
    assert_eq!(claim(&[Role::Worker, Role::Publisher]).await?, None);
    let seal = claim(&[Role::Verifier]).await?.expect("the seal is due");
    s.catalog.complete(&seal.lease, &good(TaskKind::Seal)).await?;
    s.finish(TaskKind::Verify, &good(TaskKind::Verify)).await?;
    assert_eq!(claim(&[Role::Worker, Role::Verifier]).await?, None);
    assert!(claim(&[Role::Publisher]).await?.is_some());
    Ok(())
}

/// Old titles first; within a title the long audio task first, then the spans in order.
pub async fn the_oldest_title_and_audio_come_first(s: Scene) -> Case {
    s.submit("old").await?;
    let old = s.claim_kind(TaskKind::Prepare).await?;
    s.prepare("new", 1).await?;
    // The older title's tasks join the queue after those of the newer one.
    s.catalog.complete(&old.lease, &super::scene::prepared(2, 2)).await?;
    let mut order = Vec::new();
    while let Some(claimed) = s.try_claim().await? {
        order.push(format!("{} {}", claimed.package.title, claimed.kind));
    }
    assert_eq!(order, ["old audio 1", "old span 1", "old span 2", "new audio 1", "new span 1"]);
    Ok(())
}

/// However many titles there are to heal, three of four turns are those of new ones.
pub async fn healing_and_new_titles_do_not_wait_for_each_other(s: Scene) -> Case {
    for name in ["a", "b", "c", "d"] {
        s.submit(name).await?;
        s.work().await?;
        assert!(s.catalog.heal(&package(name, 1)).await?);
    }
    let heal = s.claim_kind(TaskKind::Heal).await?;
    let retry = Retry::After(vec![TaskKind::Span(0)]);
    s.catalog.fail(&heal.lease, &Failure { retry, ..passing(Code::NotProven) }).await?;
    for name in ["e", "f", "g", "h"] {
        s.submit(name).await?;
    }
    s.clock.advance_ms(LONG_MS);
    for (role, healing) in [(Role::Worker, TaskKind::Span(0)), (Role::Verifier, TaskKind::Heal)] {
        let mut healed = 0;
        for _ in 0..8 {
            let claimed =
                s.catalog.claim(&Offer::of("w1", &[role]), LEASE_MS).await?.expect("much is due");
            healed += u32::from(claimed.kind == healing);
            s.catalog.release(&claimed.lease).await?;
            s.clock.advance_ms(1_000);
        }
        assert_eq!(healed, 2, "{role:?}");
        // The proofs of new titles are due for the second half.
        while let Some(claimed) =
            s.catalog.claim(&Offer::of("w1", &[Role::Worker]), LEASE_MS).await?
        {
            s.catalog.complete(&claimed.lease, &good(claimed.kind)).await?;
        }
    }
    Ok(())
}

/// From `until` on, and not before; with a newer token; and the old holder is told.
pub async fn an_expired_lease_is_free_again(s: Scene) -> Case {
    s.submit("film").await?;
    let first = s.claim().await?;
    assert_eq!(first.lease.until, s.clock.now().plus_ms(LEASE_MS));
    s.clock.advance_ms(LEASE_MS - 1);
    assert_eq!(s.try_claim().await?, None);
    s.clock.advance_ms(1);
    let second = s.claim().await?;
    assert_eq!((second.lease.task, second.attempt), (first.lease.task, 2));
    assert!(second.lease.token > first.lease.token);
    assert_lost(s.catalog.renew(&first.lease, LEASE_MS, 0).await);
    assert_lost(s.catalog.release(&first.lease).await);
    assert_lost(s.catalog.fail(&first.lease, &passing(Code::Internal)).await);
    s.catalog.renew(&second.lease, LEASE_MS, 0).await?;
    let lost = "prepare is back in the queue: worker w1 fell silent";
    assert_eq!(s.history("film").await?.pop().as_deref(), Some(lost));
    Ok(())
}

/// As long as it comes in time.
pub async fn a_heartbeat_keeps_the_lease(s: Scene) -> Case {
    s.submit("film").await?;
    let mut lease = s.claim().await?.lease;
    for _ in 0..5 {
        s.clock.advance_ms(LEASE_MS - 1);
        lease = s.catalog.renew(&lease, LEASE_MS, 0).await?;
        assert_eq!(lease.until, s.clock.now().plus_ms(LEASE_MS));
        assert_eq!(s.try_claim().await?, None);
    }
    s.catalog.complete(&lease, &good(TaskKind::Prepare)).await
}

/// Even when nobody has claimed the task yet: it is in the queue again.
pub async fn a_heartbeat_after_expiry_is_refused(s: Scene) -> Case {
    s.submit("film").await?;
    let lease = s.claim().await?.lease;
    s.clock.advance_ms(LEASE_MS);
    assert_lost(s.catalog.renew(&lease, LEASE_MS, 0).await);
    s.claim_kind(TaskKind::Prepare).await?;
    Ok(())
}

/// A worker that is shut down gives its tasks back at once and for nothing.
pub async fn a_released_try_does_not_count(s: Scene) -> Case {
    s.submit("film").await?;
    let mut token = 0;
    for _ in 0..20 {
        let claimed = s.claim_kind(TaskKind::Prepare).await?;
        assert_eq!(claimed.attempt, 1);
        assert!(claimed.lease.token > token);
        token = claimed.lease.token;
        s.catalog.release(&claimed.lease).await?;
        assert_lost(s.catalog.release(&claimed.lease).await);
    }
    Ok(())
}

/// The master is not to blame for a worker that was killed.
pub async fn dead_workers_do_not_count_as_failures(s: Scene) -> Case {
    s.submit("film").await?;
    for _ in 0..MAX_LOST_LEASES {
        s.claim_kind(TaskKind::Prepare).await?;
        s.clock.advance_ms(LEASE_MS);
    }
    let claimed = s.claim_kind(TaskKind::Prepare).await?;
    assert_eq!(claimed.attempt, MAX_LOST_LEASES + 1);
    s.catalog.fail(&claimed.lease, &passing(Code::TranscoderFailed)).await?;
    assert_eq!(s.state("film").await?, TitleState::Queued);
    Ok(())
}

/// What kills every worker that touches it must not kill the next; other titles go on.
pub async fn a_task_that_outlives_too_many_workers_fails(s: Scene) -> Case {
    s.submit("poison").await?;
    for _ in 0..=MAX_LOST_LEASES {
        s.claim_kind(TaskKind::Prepare).await?;
        s.clock.advance_ms(LEASE_MS);
    }
    s.submit("film").await?;
    assert_eq!(s.claim().await?.package.title.as_str(), "film");
    let state = s.state("poison").await?;
    assert_eq!(state.refusal().map(|r| r.code), Some(Code::Internal));
    assert_eq!(state.name(), "failed");
    Ok(())
}

/// After a restart nobody waits for the dead; nothing is counted against the tasks.
pub async fn all_leases_end_at_once(s: Scene) -> Case {
    s.prepare("film", 2).await?;
    let (audio, span) = (s.claim().await?, s.claim().await?);
    for round in 0..20 {
        assert_eq!(s.catalog.end_all_leases().await?, 2, "round {round}");
        assert_lost(s.catalog.complete(&audio.lease, &good(audio.kind)).await);
        assert_lost(s.catalog.renew(&span.lease, LEASE_MS, 1).await);
        assert_eq!(s.claim().await?.kind, audio.kind);
        assert_eq!(s.claim().await?.kind, span.kind);
    }
    assert_eq!(s.state("film").await?, TitleState::Transcoding);
    let restarted = "the service started again: 2 tasks back in the queue";
    assert_eq!(s.history("film").await?.pop().as_deref(), Some(restarted));
    assert!(s.clock.now() > Timestamp(0));
    Ok(())
}

/// `Publish` and `Heal` of a title, whichever version they are of: each may write what the other has just written.
pub async fn one_task_at_a_time_touches_the_pointers_of_a_title(s: Scene) -> Case {
    for _ in 0..2 {
        s.submit("film").await?;
        s.work().await?;
    }
    s.submit("other").await?;
    s.work().await?;
    let [v1, v2] = [package("film", 1), package("film", 2)];
    assert!(s.catalog.heal(&v2).await?);
    let heal = s.claim_kind(TaskKind::Heal).await?;
    assert!(s.catalog.roll_back(&v1).await?);
    assert_eq!(s.try_claim().await?, None, "viewers' version is being healed");
    assert!(s.catalog.heal(&package("other", 1)).await?);
    s.finish(TaskKind::Heal, &good(TaskKind::Heal)).await?;
    s.catalog.fail(&heal.lease, &passing(Code::NotProven)).await?;

    // Between two tries of the healing there is room.
    let back = s.claim_kind(TaskKind::Publish).await?;
    s.clock.advance_ms(LEASE_MS - 1);
    assert_eq!(s.try_claim().await?, None, "and the other way round");
    s.catalog.complete(&back.lease, &good(TaskKind::Publish)).await?;
    s.finish(TaskKind::Heal, &good(TaskKind::Heal)).await?;

    assert!(s.catalog.roll_back(&v2).await?);
    let forth = s.claim_kind(TaskKind::Publish).await?;
    assert!(s.catalog.roll_back(&v1).await?);
    assert_eq!(s.try_claim().await?, None, "an older version neither");
    // Its worker is dead: whoever is first is next, and the other one waits again.
    s.clock.advance_ms(LEASE_MS);
    let next = s.claim_kind(TaskKind::Publish).await?;
    assert_eq!(next.package, v1);
    assert_eq!(s.try_claim().await?, None);
    assert_lost(s.catalog.complete(&forth.lease, &good(TaskKind::Publish)).await);
    s.catalog.complete(&next.lease, &good(TaskKind::Publish)).await?;
    assert_eq!(s.claim_kind(TaskKind::Publish).await?.package, v2);
    Ok(())
}
