//! Cases of results: what is accepted, what is refused, and what follows.

use headwater_model::id::{Sha256, Version};
use headwater_model::life::TitleState;
use headwater_model::quality::Seen;
use headwater_model::queue::PROOF_LASTS_MS;
use headwater_model::refusal::{Code, Refusal};
use headwater_model::task::{
    Failure, MAX_ATTEMPTS, MAX_ATTEMPTS_ON_ORIGIN, Outcome, Retry, TaskKind,
};
use headwater_ports::catalog::CatalogError;

use super::scene::{
    LEASE_MS, LONG_MS, Scene, assert_lost, assert_refused, facts, good, lasting, object, package,
    passing, plan_of, prepared,
};

type Case = Result<(), CatalogError>;

/// From the drop folder to the viewers, with one lost try on the way.
pub async fn a_title_goes_all_the_way(s: Scene) -> Case {
    s.submit("film").await?;
    s.finish(TaskKind::Prepare, &prepared(1, 2)).await?;
    assert_eq!(s.state("film").await?, TitleState::Transcoding);
    let audio = s.claim_kind(TaskKind::Audio(0)).await?;
    let span = s.claim_kind(TaskKind::Span(0)).await?;
    s.catalog.fail(&span.lease, &passing(Code::TranscoderFailed)).await?;
    s.finish(TaskKind::Span(1), &good(TaskKind::Span(1))).await?;
    s.catalog.complete(&audio.lease, &good(TaskKind::Audio(0))).await?;
    assert_eq!(s.state("film").await?, TitleState::Transcoding);
    s.clock.advance_ms(LONG_MS);
    let span = s.claim_kind(TaskKind::Span(0)).await?;
    assert_eq!(span.attempt, 2);
    s.catalog.complete(&span.lease, &good(TaskKind::Span(0))).await?;
    assert_eq!(s.state("film").await?, TitleState::Sealing);
    s.finish(TaskKind::Seal, &good(TaskKind::Seal)).await?;
    assert_eq!(s.state("film").await?, TitleState::Verifying);
    s.finish(TaskKind::Verify, &good(TaskKind::Verify)).await?;
    let film = s.title("film").await?;
    assert_eq!((film.state, film.live), (TitleState::Publishing, None));
    s.finish(TaskKind::Publish, &good(TaskKind::Publish)).await?;
    let film = s.title("film").await?;
    assert_eq!((film.state, film.live), (TitleState::Published, Some(Version(1))));
    assert_eq!(s.try_claim().await?, None);

    let mut history = s.history("film").await?;
    let tried = history.remove(2);
    assert!(tried.starts_with("span 1 failed (attempt 1), next try in 2."), "{tried}");
    assert_eq!(
        history,
        [
            "queued from /drop/film.mp4 with pipeline vod-h264",
            "master read: 720p25, 1 audio track, 600 frames in 4 segments and 2 spans",
            "span 2 done",
            "audio 1 done",
            "span 1 done (attempt 2)",
            "sealed: 12 objects, 3,456 bytes",
            "proven: origin local holds every object",
            "published as v1",
        ]
    );
    Ok(())
}

/// The plan that workers get is the one that was handed in.
pub async fn what_prepare_found_is_kept(s: Scene) -> Case {
    s.prepare("film", 3).await?;
    let plan = plan_of(1, 3);
    let film = s.title("film").await?;
    assert_eq!((film.master, film.facts), (Some(plan.master), Some(facts())));
    assert_eq!(s.claim().await?.plan.as_deref(), Some(&plan));
    let record = s.catalog.package(&package("film", 1)).await?.expect("there is a v1");
    assert_eq!((record.plan, record.codecs, record.inventory), (Some(plan), vec![], None));
    Ok(())
}

/// A worker that was thought dead comes back with its result.
pub async fn a_result_with_a_stale_token_is_refused(s: Scene) -> Case {
    s.prepare("film", 1).await?;
    let stale = s.claim().await?;
    s.clock.advance_ms(LEASE_MS);
    let fresh = s.claim().await?;
    assert_eq!(fresh.lease.task, stale.lease.task);
    assert_lost(s.catalog.complete(&stale.lease, &good(stale.kind)).await);
    assert_eq!(s.catalog.objects(&package("film", 1)).await?, []);
    s.catalog.complete(&fresh.lease, &good(fresh.kind)).await?;
    assert_eq!(s.catalog.objects(&package("film", 1)).await?.len(), 1);
    Ok(())
}

/// The task is in the queue again, whether or not somebody has claimed it.
pub async fn a_result_after_expiry_is_refused(s: Scene) -> Case {
    s.submit("film").await?;
    let claimed = s.claim().await?;
    s.clock.advance_ms(LEASE_MS);
    assert_lost(s.catalog.complete(&claimed.lease, &good(claimed.kind)).await);
    assert_eq!(s.state("film").await?, TitleState::Queued);
    Ok(())
}

/// A worker that did not hear the answer asks again: nothing is queued twice.
pub async fn completing_twice_is_refused(s: Scene) -> Case {
    s.submit("film").await?;
    let claimed = s.claim().await?;
    s.catalog.complete(&claimed.lease, &prepared(1, 2)).await?;
    assert_lost(s.catalog.complete(&claimed.lease, &prepared(1, 2)).await);
    assert_lost(s.catalog.fail(&claimed.lease, &lasting(Code::Internal)).await);
    let mut due = 0;
    while s.try_claim().await?.is_some() {
        due += 1;
    }
    assert_eq!(due, 3, "an audio track and 2 spans");
    Ok(())
}

/// No fault of the engine may publish what was never proven.
pub async fn a_span_cannot_prove_a_package(s: Scene) -> Case {
    s.prepare("film", 1).await?;
    let claimed = s.claim().await?;
    for outcome in
        [good(TaskKind::Verify), good(TaskKind::Publish), good(TaskKind::Seal), prepared(1, 1)]
    {
        assert_refused(s.catalog.complete(&claimed.lease, &outcome).await);
    }
    assert_eq!(s.state("film").await?, TitleState::Transcoding);
    s.catalog.complete(&claimed.lease, &good(claimed.kind)).await
}

/// The world may be better later; other tasks go on meanwhile.
pub async fn a_failure_waits_before_the_next_try(s: Scene) -> Case {
    s.prepare("film", 1).await?;
    let audio = s.claim_kind(TaskKind::Audio(0)).await?;
    s.catalog.fail(&audio.lease, &passing(Code::OriginUnavailable)).await?;
    s.claim_kind(TaskKind::Span(0)).await?;
    s.clock.advance_ms(1_999);
    assert_eq!(s.try_claim().await?, None);
    s.clock.advance_ms(1_001);
    assert_eq!(s.claim_kind(TaskKind::Audio(0)).await?.attempt, 2);
    Ok(())
}

/// After three tries it is news.
pub async fn a_title_fails_when_the_tries_are_used_up(s: Scene) -> Case {
    s.submit("film").await?;
    for attempt in 1..=MAX_ATTEMPTS {
        assert_eq!(s.state("film").await?, TitleState::Queued);
        let claimed = s.claim_kind(TaskKind::Prepare).await?;
        assert_eq!(claimed.attempt, attempt);
        s.catalog.fail(&claimed.lease, &passing(Code::TranscoderFailed)).await?;
        s.clock.advance_ms(LONG_MS);
    }
    let refusal = Refusal::new(Code::TranscoderFailed, "it did not work");
    assert_eq!(s.state("film").await?, TitleState::Failed(refusal));
    assert_eq!(s.try_claim().await?, None);
    let end = "failed: transcoder-failed: it did not work";
    assert_eq!(s.history("film").await?.pop().as_deref(), Some(end));
    Ok(())
}

/// What was made waits for the origin and loses nothing by it.
pub async fn an_origin_that_is_away_is_waited_for(s: Scene) -> Case {
    for (title, code) in [("film", Code::OriginUnavailable), ("other", Code::OriginFull)] {
        s.submit(title).await?;
        for attempt in 1..MAX_ATTEMPTS_ON_ORIGIN {
            let claimed = s.claim_kind(TaskKind::Prepare).await?;
            assert_eq!(claimed.attempt, attempt);
            s.catalog.fail(&claimed.lease, &passing(code)).await?;
            s.clock.advance_ms(LONG_MS);
        }
        let claimed = s.claim_kind(TaskKind::Prepare).await?;
        s.catalog.fail(&claimed.lease, &passing(code)).await?;
        assert!(s.state(title).await?.is_final(), "but not for ever");
    }
    Ok(())
}

/// It stays bad.
pub async fn a_bad_master_is_not_tried_again(s: Scene) -> Case {
    s.submit("film").await?;
    let claimed = s.claim().await?;
    s.catalog.fail(&claimed.lease, &lasting(Code::NoVideoTrack)).await?;
    let refusal = Refusal::new(Code::NoVideoTrack, "it did not work");
    assert_eq!(s.state("film").await?, TitleState::Rejected(refusal));
    s.clock.advance_ms(LONG_MS);
    assert_eq!(s.try_claim().await?, None);
    Ok(())
}

/// Nobody goes on with a title that has failed, and a late result does not bring it back.
pub async fn an_end_cancels_what_is_under_way(s: Scene) -> Case {
    s.prepare("film", 3).await?;
    let audio = s.claim_kind(TaskKind::Audio(0)).await?;
    let span = s.claim_kind(TaskKind::Span(0)).await?;
    s.catalog.fail(&span.lease, &lasting(Code::TranscoderFailed)).await?;
    assert_lost(s.catalog.renew(&audio.lease, LEASE_MS, 0).await);
    assert_lost(s.catalog.complete(&audio.lease, &good(audio.kind)).await);
    s.clock.advance_ms(LONG_MS);
    assert_eq!(s.try_claim().await?, None);
    assert_eq!(s.state("film").await?.name(), "failed");
    let end = "failed at span 1: transcoder-failed: it did not work";
    assert_eq!(s.history("film").await?.pop().as_deref(), Some(end));
    Ok(())
}

/// What to look at when a transcoder failed.
pub async fn last_words_are_those_of_the_last_failure(s: Scene) -> Case {
    let v1 = package("film", 1);
    s.prepare("film", 1).await?;
    assert_eq!(s.catalog.last_words(&v1).await?, None);
    for words in [Some("x264enc: out of memory"), Some("qtdemux: broken"), None] {
        s.clock.advance_ms(LONG_MS);
        let span = s.work_until(TaskKind::Span(0)).await?;
        let failure =
            Failure { last_words: words.map(str::to_owned), ..passing(Code::TranscoderFailed) };
        s.catalog.fail(&span.lease, &failure).await?;
        assert_eq!(s.catalog.last_words(&v1).await?.as_deref(), words);
    }
    Ok(())
}

/// A span that is made twice gives the same paths (R1); what is stored is what was handed in last.
pub async fn objects_are_replaced_by_path(s: Scene) -> Case {
    let v1 = package("film", 1);
    let codec = |rendition: &str, codec: &str| (rendition.to_owned(), codec.to_owned());
    s.prepare("film", 1).await?;
    let audio = Outcome::Made {
        objects: vec![object("b/init.mp4", 1), object("a/init.mp4", 2)],
        codecs: vec![codec("b", "mp4a.40.2"), codec("a", "avc1.42c00d")],
        cpu_ms: 0,
        seen: Seen::default(),
    };
    s.finish(TaskKind::Audio(0), &audio).await?;
    let many = (0..1_500).map(|n| object(&format!("c/seg-{n:05}.m4s"), 5));
    let span = Outcome::Made {
        objects: [object("b/init.mp4", 3)].into_iter().chain(many).collect(),
        codecs: vec![codec("a", "avc1.64001f")],
        cpu_ms: 0,
        seen: Seen::default(),
    };
    s.finish(TaskKind::Span(0), &span).await?;
    let objects = s.catalog.objects(&v1).await?;
    assert_eq!(objects.len(), 1_502);
    assert_eq!(objects[..2], [object("a/init.mp4", 2), object("b/init.mp4", 3)]);
    assert!(objects.is_sorted_by_key(|o| o.path.clone()));
    let record = s.catalog.package(&v1).await?.expect("there is a v1");
    assert_eq!(record.codecs, [codec("a", "avc1.64001f"), codec("b", "mp4a.40.2")]);
    Ok(())
}

/// From then on the inventory has them (R7).
pub async fn objects_vanish_when_the_package_is_published(s: Scene) -> Case {
    let v1 = package("film", 1);
    s.submit("film").await?;
    let seal = s.work_until(TaskKind::Seal).await?;
    assert_eq!(s.catalog.objects(&v1).await?.len(), 2);
    s.catalog.complete(&seal.lease, &good(TaskKind::Seal)).await?;
    assert_eq!(s.catalog.objects(&v1).await?.len(), 2, "it may have to be sealed again");
    s.finish(TaskKind::Verify, &good(TaskKind::Verify)).await?;
    assert_eq!(s.catalog.objects(&v1).await?.len(), 2, "what is proven may be lost once more");
    let record = s.catalog.package(&v1).await?.expect("there is a v1");
    assert_eq!(record.codecs.len(), 2, "playlists are written from these");
    s.finish(TaskKind::Publish, &good(TaskKind::Publish)).await?;
    assert_eq!(s.catalog.objects(&v1).await?, []);
    let record = s.catalog.package(&v1).await?.expect("there is a v1");
    assert_eq!(record.inventory, Some(Sha256([9; 32])));
    assert_eq!(record.proven_on, ["local"]);
    assert_eq!((record.objects, record.bytes), (12, 3_456));
    assert_eq!(record.codecs, []);
    Ok(())
}

/// Long after the proof it has to be proven again, and so it has when a proof is asked for before.
pub async fn a_publication_knows_which_proof_is_fresh(s: Scene) -> Case {
    s.submit("film").await?;
    let mut publish = s.work_until(TaskKind::Publish).await?;
    assert_eq!(publish.proven_on, ["local"]);
    s.catalog.release(&publish.lease).await?;
    s.clock.advance_ms(PROOF_LASTS_MS - 1);
    publish = s.claim_kind(TaskKind::Publish).await?;
    assert_eq!(publish.proven_on, ["local"]);
    s.catalog.release(&publish.lease).await?;
    s.clock.advance_ms(1);
    publish = s.claim_kind(TaskKind::Publish).await?;
    assert_eq!(publish.proven_on, [""; 0]);
    let proof = Failure { retry: Retry::After(vec![TaskKind::Verify]), ..passing(Code::NotProven) };
    s.catalog.fail(&publish.lease, &proof).await?;
    assert_eq!(s.state("film").await?, TitleState::Publishing, "its pointers may be half swapped");
    s.clock.advance_ms(LONG_MS);
    s.finish(TaskKind::Verify, &good(TaskKind::Verify)).await?;
    publish = s.claim_kind(TaskKind::Publish).await?;
    assert_eq!(publish.proven_on, ["local"]);
    s.catalog.complete(&publish.lease, &good(TaskKind::Publish)).await
}
