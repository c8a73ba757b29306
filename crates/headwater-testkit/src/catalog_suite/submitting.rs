//! Cases of submitting: new titles, resumed ones, newer versions.

use headwater_model::id::{Tenant, Version};
use headwater_model::lane::Offer;
use headwater_model::life::TitleState;
use headwater_model::refusal::{Code, Refusal};
use headwater_model::task::{MAX_ATTEMPTS, NewTitle, Outcome, Role, TaskKind};
use headwater_ports::catalog::{CatalogError, Submitted};

use super::scene::{
    LEASE_MS, LONG_MS, Scene, assert_lost, assert_refused, good, new_title, package, passing,
    prepared, title,
};

type Case = Result<(), CatalogError>;

/// The state that `code` leads to in these cases.
fn refused(code: Code) -> TitleState {
    TitleState::refused(Refusal::new(code, "it did not work"))
}

/// The first submission makes v1 and asks for the master to be looked at.
pub async fn a_new_title_is_queued_as_v1(s: Scene) -> Case {
    assert_eq!(s.submit("film").await?, Submitted::Queued(Version(1)));
    let film = s.title("film").await?;
    assert_eq!((film.state, film.version, film.live), (TitleState::Queued, Version(1), None));
    assert_eq!((film.master, film.facts), (None, None));
    let claimed = s.claim_kind(TaskKind::Prepare).await?;
    assert_eq!(claimed.package, package("film", 1));
    assert_eq!(
        (claimed.master_path.as_str(), claimed.pipeline.as_str()),
        ("/drop/film.mp4", "vod-h264")
    );
    assert_eq!((claimed.attempt, claimed.again, claimed.plan), (1, false, None));
    Ok(())
}

/// The same path and pipeline add nothing while they are being worked on.
pub async fn a_title_in_the_making_is_left_alone(s: Scene) -> Case {
    s.submit("film").await?;
    assert_eq!(s.submit("film").await?, Submitted::InProgress(Version(1)));
    let again = NewTitle { again: true, ..new_title("film") };
    assert_eq!(s.catalog.submit(&again).await?, Submitted::InProgress(Version(1)));
    s.claim_kind(TaskKind::Prepare).await?;
    assert_eq!(s.try_claim().await?, None);
    assert_eq!(s.history("film").await?, ["queued from /drop/film.mp4 with pipeline vod-h264"]);
    Ok(())
}

/// Ops may have put the file right under its name.
pub async fn a_rejected_master_is_looked_at_again(s: Scene) -> Case {
    s.submit("film").await?;
    s.end(TaskKind::Prepare, Code::EmptyFile).await?;
    assert_eq!(s.state("film").await?, refused(Code::EmptyFile));
    assert_eq!(s.submit("film").await?, Submitted::Queued(Version(1)));
    assert_eq!(s.state("film").await?, TitleState::Queued);
    s.finish(TaskKind::Prepare, &good(TaskKind::Prepare)).await?;
    assert_eq!(s.state("film").await?, TitleState::Transcoding);
    Ok(())
}

/// Finished spans are kept; the failed and the cancelled are made.
pub async fn a_failed_title_resumes_with_what_is_done(s: Scene) -> Case {
    s.prepare("film", 3).await?;
    s.end(TaskKind::Span(1), Code::DiskFull).await?;
    assert_eq!(s.state("film").await?, refused(Code::DiskFull));
    assert_eq!(s.submit("film").await?, Submitted::Queued(Version(1)));
    assert_eq!(s.state("film").await?, TitleState::Transcoding);
    s.finish(TaskKind::Span(1), &good(TaskKind::Span(1))).await?;
    s.finish(TaskKind::Span(2), &good(TaskKind::Span(2))).await?;
    s.work().await?;
    assert_eq!(s.state("film").await?, TitleState::Published);
    let history = s.history("film").await?;
    assert!(
        history.contains(&"taken up again: 3 tasks done before, 2 to do".to_owned()),
        "{history:?}"
    );
    Ok(())
}

/// Tries that were used up are given back, and nothing waits for an old back-off.
pub async fn a_resumed_task_has_all_its_tries(s: Scene) -> Case {
    s.prepare("film", 1).await?;
    s.finish(TaskKind::Audio(0), &good(TaskKind::Audio(0))).await?;
    for _ in 0..MAX_ATTEMPTS {
        let claimed = s.claim_kind(TaskKind::Span(0)).await?;
        s.catalog.fail(&claimed.lease, &passing(Code::TranscoderFailed)).await?;
        s.clock.advance_ms(LONG_MS);
    }
    assert_eq!(s.state("film").await?, refused(Code::TranscoderFailed));
    s.submit("film").await?;
    let claimed = s.claim_kind(TaskKind::Span(0)).await?;
    assert_eq!(claimed.attempt, 1);
    s.catalog.fail(&claimed.lease, &passing(Code::TranscoderFailed)).await?;
    assert_eq!(s.state("film").await?, TitleState::Transcoding);
    Ok(())
}

/// The origin may have been repaired: it is asked again about everything, and nothing is made again.
pub async fn a_failed_proof_resumes_with_verify(s: Scene) -> Case {
    s.submit("film").await?;
    s.end(TaskKind::Verify, Code::NotProven).await?;
    s.submit("film").await?;
    assert_eq!(s.state("film").await?, TitleState::Verifying);
    s.finish(TaskKind::Verify, &good(TaskKind::Verify)).await?;
    s.claim_kind(TaskKind::Publish).await?;
    Ok(())
}

/// What was proven weeks ago may be lost since.
pub async fn a_failed_publication_resumes_with_its_proof(s: Scene) -> Case {
    s.submit("film").await?;
    s.end(TaskKind::Publish, Code::OriginUnavailable).await?;
    s.submit("film").await?;
    assert_eq!(s.state("film").await?, TitleState::Verifying);
    s.finish(TaskKind::Verify, &good(TaskKind::Verify)).await?;
    let publish = s.claim_kind(TaskKind::Publish).await?;
    assert_eq!((publish.attempt, publish.proven_on), (1, vec!["local".to_owned()]));
    s.catalog.complete(&publish.lease, &good(TaskKind::Publish)).await?;
    assert_eq!(s.state("film").await?, TitleState::Published);
    assert_eq!(s.try_claim().await?, None);
    Ok(())
}

/// The plan counts the frames of the file that was read; another file needs another plan, and other keys (R6).
pub async fn a_master_that_changed_starts_over_as_the_next_version(s: Scene) -> Case {
    s.prepare("film", 1).await?;
    s.end(TaskKind::Span(0), Code::MasterChanged).await?;
    assert_eq!(s.submit("film").await?, Submitted::Queued(Version(2)));
    let claimed = s.claim_kind(TaskKind::Prepare).await?;
    assert_eq!((claimed.package, claimed.plan), (package("film", 2), None));
    assert!(s.catalog.objects(&package("film", 1)).await?.is_empty(), "v1 will never be sealed");
    Ok(())
}

/// Who does not want what is there says so.
pub async fn again_makes_a_new_version_of_a_failed_title(s: Scene) -> Case {
    s.prepare("film", 1).await?;
    s.end(TaskKind::Span(0), Code::TranscoderFailed).await?;
    let again = NewTitle { again: true, ..new_title("film") };
    assert_eq!(s.catalog.submit(&again).await?, Submitted::Queued(Version(2)));
    let claimed = s.claim_kind(TaskKind::Prepare).await?;
    assert!(claimed.again);
    assert_eq!(s.try_claim().await?, None, "v1's tasks stay cancelled");
    Ok(())
}

/// The last wish wins, and workers on the old one are told.
pub async fn a_better_master_gives_up_the_one_in_the_making(s: Scene) -> Case {
    s.prepare("film", 2).await?;
    let at_work = s.claim().await?;
    let better = NewTitle { master_path: "/drop/better.mp4".to_owned(), ..new_title("film") };
    assert_eq!(s.catalog.submit(&better).await?, Submitted::Queued(Version(2)));
    assert_lost(s.catalog.renew(&at_work.lease, LEASE_MS, 1).await);
    assert_lost(s.catalog.complete(&at_work.lease, &good(at_work.kind)).await);
    let film = s.title("film").await?;
    assert_eq!((film.state, film.version), (TitleState::Queued, Version(2)));
    assert_eq!(s.claim_kind(TaskKind::Prepare).await?.master_path, "/drop/better.mp4");
    assert_eq!(s.try_claim().await?, None);
    assert_eq!(
        s.history("film").await?[2..],
        [
            "v1 given up: v2 was asked for before it was done",
            "queued as v2 from /drop/better.mp4 with pipeline vod-h264"
        ]
    );
    Ok(())
}

/// A package whose pointers may be half swapped is let finish, and no other of the title overtakes it.
pub async fn packages_of_a_title_are_published_in_order(s: Scene) -> Case {
    s.submit("film").await?;
    let publish = s.work_until(TaskKind::Publish).await?;
    let better = NewTitle { master_path: "/drop/better.mp4".to_owned(), ..new_title("film") };
    assert_eq!(s.catalog.submit(&better).await?, Submitted::Queued(Version(2)));
    s.work().await?;
    assert_eq!(s.state("film").await?, TitleState::Publishing, "v2 waits for v1");
    s.catalog.complete(&publish.lease, &good(TaskKind::Publish)).await?;
    assert_eq!(s.title("film").await?.live, Some(Version(1)));
    s.finish(TaskKind::Publish, &good(TaskKind::Publish)).await?;
    let film = s.title("film").await?;
    assert_eq!((film.state, film.live), (TitleState::Published, Some(Version(2))));
    Ok(())
}

/// Viewers keep what they have until the next version is proven.
pub async fn live_stays_while_the_next_version_is_made(s: Scene) -> Case {
    s.submit("film").await?;
    s.work().await?;
    assert_eq!(s.submit("film").await?, Submitted::Queued(Version(2)));
    let film = s.title("film").await?;
    assert_eq!((film.state, film.version), (TitleState::Queued, Version(2)));
    assert_eq!(film.live, Some(Version(1)));
    s.end(TaskKind::Verify, Code::NotProven).await?;
    assert_eq!(s.title("film").await?.live, Some(Version(1)));
    s.submit("film").await?;
    s.work().await?;
    assert_eq!(s.title("film").await?.live, Some(Version(2)));
    Ok(())
}

/// The same master once more: the version that was to be made is dropped, and its number is free.
pub async fn a_known_master_goes_back_to_its_version(s: Scene) -> Case {
    s.submit("film").await?;
    s.work().await?;
    assert_eq!(s.submit("film").await?, Submitted::Queued(Version(2)));
    let claimed = s.claim_kind(TaskKind::Prepare).await?;
    let known = Outcome::AlreadyPublished { version: Version(1) };
    s.catalog.complete(&claimed.lease, &known).await?;
    let film = s.title("film").await?;
    assert_eq!((film.state, film.version), (TitleState::Published, Version(1)));
    assert_eq!(film.live, Some(Version(1)));
    assert_eq!(s.catalog.package(&package("film", 2)).await?, None);
    assert_lost(s.catalog.complete(&claimed.lease, &known).await);
    assert_eq!(s.try_claim().await?, None);
    assert_eq!(
        s.history("film").await?.pop().as_deref(),
        Some("nothing to make: v1 was made from this master by this pipeline")
    );
    let again = NewTitle { again: true, ..new_title("film") };
    assert_eq!(s.catalog.submit(&again).await?, Submitted::Queued(Version(2)));
    Ok(())
}

/// The claim stays as it was: the worker may still hand in a plan.
pub async fn a_title_cannot_go_back_to_what_was_never_published(s: Scene) -> Case {
    s.submit("film").await?;
    let claimed = s.claim_kind(TaskKind::Prepare).await?;
    for version in [1, 7] {
        let known = Outcome::AlreadyPublished { version: Version(version) };
        assert_refused(s.catalog.complete(&claimed.lease, &known).await);
    }
    assert_eq!(s.state("film").await?, TitleState::Queued);
    s.catalog.complete(&claimed.lease, &prepared(1, 1)).await
}

/// Two tenants may have a title of the same name.
pub async fn tenants_do_not_see_each_other(s: Scene) -> Case {
    let other: Tenant = "other".parse().expect("a usable name");
    s.submit("film").await?;
    s.work().await?;
    let theirs = NewTitle { tenant: other.clone(), ..new_title("film") };
    assert_eq!(s.catalog.titles(&other, 10).await?, []);
    assert_eq!(s.catalog.submit(&theirs).await?, Submitted::Queued(Version(1)));
    let record = s.catalog.title(&other, &title("film")).await?;
    assert_eq!(record.map(|r| (r.state, r.live)), Some((TitleState::Queued, None)));
    assert_eq!(s.state("film").await?, TitleState::Published);
    let claimed = s.catalog.claim(&Offer::of("w1", &[Role::Worker]), LEASE_MS).await?;
    assert_eq!(claimed.map(|c| c.package.tenant), Some(other));
    Ok(())
}

/// An origin may have something of versions that a rebuilt catalog does not know.
pub async fn a_number_that_is_taken_is_not_given_again(s: Scene) -> Case {
    s.catalog.take(&package("film", 5)).await?;
    s.catalog.take(&package("film", 3)).await?;
    assert_eq!(s.submit("film").await?, Submitted::Queued(Version(6)), "the first that is free");
    s.work().await?;
    assert_eq!(s.title("film").await?.live, Some(Version(6)));
    s.catalog.take(&package("film", 2)).await?;
    assert_eq!(s.submit("film").await?, Submitted::Queued(Version(7)));
    s.work().await?;
    s.catalog.take(&package("film", 9)).await?;
    assert_eq!(s.submit("film").await?, Submitted::Queued(Version(10)));
    assert_eq!(s.submit("other").await?, Submitted::Queued(Version(1)), "its own numbers");
    Ok(())
}
