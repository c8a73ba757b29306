//! Cases of masters in the archive: a task beside the life of the title, and what is known of copies.

use headwater_model::archive::{Archiving, MasterRecord};
use headwater_model::id::{Sha256, Tenant};
use headwater_model::lane::Offer;
use headwater_model::life::TitleState;
use headwater_model::queue::MAX_LOST_LEASES;
use headwater_model::refusal::Code;
use headwater_model::task::{MAX_ATTEMPTS_ON_ORIGIN, NewTitle, Outcome, Remake, Role, TaskKind};
use headwater_ports::catalog::CatalogError;

use super::scene::{
    LEASE_MS, LONG_MS, Scene, copy_of, good, lasting, new_title, package, passing, prepared,
    prepared_to_archive,
};

type Case = Result<(), CatalogError>;

/// Everybody but those who fill the archive.
const OTHERS: [Role; 3] = [Role::Worker, Role::Verifier, Role::Publisher];

async fn master(s: &Scene, seed: u8) -> Result<MasterRecord, CatalogError> {
    let record = s.catalog.master(&Tenant::default(), Sha256([seed; 32])).await?;
    Ok(record.expect("the master is known"))
}

/// Prepares a title whose master `[1; 32]` is to be archived.
async fn prepare(s: &Scene, name: &str) -> Case {
    s.submit(name).await?;
    s.finish(TaskKind::Prepare, &prepared_to_archive(1)).await
}

/// Works on all that is due but the archive.
async fn work_beside(s: &Scene) -> Case {
    while let Some(claimed) = s.catalog.claim(&Offer::of("w1", &OTHERS), LEASE_MS).await? {
        s.catalog.complete(&claimed.lease, &good(claimed.kind)).await?;
    }
    Ok(())
}

async fn claim_archive(s: &Scene) -> Result<headwater_model::task::Claimed, CatalogError> {
    let claimed = s.catalog.claim(&Offer::of("w2", &[Role::Archiver]), LEASE_MS).await?;
    let claimed = claimed.expect("a master is to be archived");
    assert_eq!(claimed.kind, TaskKind::Archive);
    Ok(claimed)
}

/// Viewers do not wait for it, whether it is done before them or long after.
pub async fn a_master_is_archived_beside_its_title(s: Scene) -> Case {
    prepare(&s, "film").await?;
    let v1 = package("film", 1);
    assert_eq!(master(&s, 1).await?.archiving, Archiving::UnderWay(None));
    let archive = claim_archive(&s).await?;
    assert_eq!((&archive.package, archive.plan.map(|p| p.master)), (&v1, Some(Sha256([1; 32]))));
    work_beside(&s).await?;
    let published = s.title("film").await?;
    assert_eq!(published.state, TitleState::Published);
    assert!(!s.catalog.is_busy(&v1).await?, "of the title nothing is left to do");
    assert!(s.catalog.heal(&v1).await?, "and it can be healed meanwhile");
    work_beside(&s).await?;

    s.clock.advance_ms(1_000);
    s.catalog.complete(&archive.lease, &good(TaskKind::Archive)).await?;
    let known = master(&s, 1).await?;
    let (copy, proven) = known.copy_on("glacier").expect("there is a copy");
    assert_eq!((copy, proven.is_some()), (&copy_of(1), true));
    assert_eq!(known.copy_on("elsewhere"), None);
    assert_eq!((known.archiving, known.package), (Archiving::Idle, Some(v1)));
    assert_eq!(s.state("film").await?, TitleState::Published);
    let last = s.history("film").await?.pop().unwrap_or_default();
    assert!(
        last.starts_with("master archived: origin glacier holds it as `main/masters/0101"),
        "{last}"
    );
    assert!(last.ends_with(".mp4` (DEEP_ARCHIVE)"), "{last}");
    Ok(())
}

/// It is waited for like any origin, said why, and asked again when somebody wants it.
pub async fn an_archive_that_is_away_does_not_touch_the_title(s: Scene) -> Case {
    prepare(&s, "film").await?;
    work_beside(&s).await?;
    let away = passing(Code::OriginUnavailable);
    for attempt in 1..=MAX_ATTEMPTS_ON_ORIGIN {
        let archive = claim_archive(&s).await?;
        assert_eq!(archive.attempt, attempt);
        s.catalog.fail(&archive.lease, &away).await?;
        s.clock.advance_ms(LONG_MS);
        assert_eq!(s.state("film").await?, TitleState::Published);
        let why = away.refusal.clone();
        let expected = match attempt {
            MAX_ATTEMPTS_ON_ORIGIN => Archiving::GivenUp(why),
            _ => Archiving::UnderWay(Some(why)),
        };
        assert_eq!(master(&s, 1).await?.archiving, expected);
    }
    assert_eq!(s.try_claim().await?, None);
    let last = s.history("film").await?.pop();
    let said = "the master is not archived: origin-unavailable: it did not work";
    assert_eq!(last.as_deref(), Some(said));

    assert!(s.catalog.archive(&package("film", 1)).await?);
    assert_eq!(master(&s, 1).await?.archiving, Archiving::UnderWay(None));
    assert_eq!(claim_archive(&s).await?.attempt, 1);
    Ok(())
}

/// The master of a title that fails or is replaced is archived all the same, and a title that goes on takes it along.
pub async fn the_end_of_a_title_leaves_its_archiving_alone(s: Scene) -> Case {
    prepare(&s, "film").await?;
    let archive = claim_archive(&s).await?;
    s.end(TaskKind::Span(0), Code::TranscoderFailed).await?;
    assert_eq!(s.state("film").await?.name(), "failed");
    s.catalog.fail(&archive.lease, &lasting(Code::MasterGone)).await?;
    assert_eq!(s.state("film").await?.name(), "failed");
    assert!(matches!(master(&s, 1).await?.archiving, Archiving::GivenUp(_)));

    s.submit("film").await?;
    assert_eq!(s.state("film").await?, TitleState::Transcoding, "by the span that failed");
    let archive = claim_archive(&s).await?;
    work_beside(&s).await?;
    let better = NewTitle { master_path: "/drop/better.mp4".to_owned(), ..new_title("film") };
    s.catalog.submit(&better).await?;
    s.catalog.complete(&archive.lease, &good(TaskKind::Archive)).await?;
    assert!(master(&s, 1).await?.copy.is_some());
    assert_eq!(s.state("film").await?, TitleState::Queued, "of the better one");
    Ok(())
}

/// Whatever has it: a second title, or somebody who asks.
pub async fn a_master_is_archived_once_at_a_time(s: Scene) -> Case {
    assert!(!s.catalog.archive(&package("film", 1)).await?, "nobody knows it");
    s.submit("film").await?;
    assert!(!s.catalog.archive(&package("film", 1)).await?, "its master is not known yet");
    s.finish(TaskKind::Prepare, &prepared_to_archive(1)).await?;
    let claimed = claim_archive(&s).await?;
    s.submit("copy").await?;
    let outcome = match prepared_to_archive(1) {
        Outcome::Prepared { facts, plan, cpu_ms, verdict, .. } => {
            Outcome::Prepared { facts, plan, cpu_ms, archives: false, verdict }
        }
        other => other,
    };
    loop {
        let next = s.claim().await?;
        if next.kind == TaskKind::Prepare {
            s.catalog.complete(&next.lease, &outcome).await?;
            break;
        }
        s.catalog.complete(&next.lease, &good(next.kind)).await?;
    }
    for name in ["film", "copy"] {
        assert!(!s.catalog.archive(&package(name, 1)).await?, "it is under way");
    }
    s.catalog.complete(&claimed.lease, &good(TaskKind::Archive)).await?;
    assert_eq!(master(&s, 1).await?.package, Some(package("copy", 1)), "the newest");
    assert!(s.catalog.archive(&package("copy", 1)).await?, "asked for again");
    assert_eq!(claim_archive(&s).await?.package, package("copy", 1));
    Ok(())
}

/// A master that no uploader survives is no reason to take a title from anybody.
pub async fn archiving_that_kills_its_workers_ends_alone(s: Scene) -> Case {
    prepare(&s, "film").await?;
    work_beside(&s).await?;
    for _ in 0..=MAX_LOST_LEASES {
        claim_archive(&s).await?;
        s.clock.advance_ms(LEASE_MS);
    }
    assert_eq!(s.catalog.claim(&Offer::of("w2", &[Role::Archiver]), LEASE_MS).await?, None);
    assert!(matches!(master(&s, 1).await?.archiving, Archiving::GivenUp(_)));
    assert_eq!(s.state("film").await?, TitleState::Published);
    Ok(())
}

/// Those of titles as they are, and all that were ever copied.
pub async fn masters_are_listed_with_their_copies(s: Scene) -> Case {
    let digests = async |after, limit| {
        let some = s.catalog.masters(&Tenant::default(), after, limit).await?;
        Ok::<_, CatalogError>(some.iter().map(|m| m.sha256.0[0]).collect::<Vec<u8>>())
    };
    assert_eq!(digests(None, 10).await?, [0; 0]);
    for (name, seed) in [("film", 3), ("serial", 1), ("film", 2)] {
        s.catalog.submit(&NewTitle { again: true, ..new_title(name) }).await?;
        s.finish(TaskKind::Prepare, &prepared_to_archive(seed)).await?;
        let archive = claim_archive(&s).await?;
        if seed == 3 {
            s.catalog.fail(&archive.lease, &lasting(Code::MasterGone)).await?;
        } else {
            let copy = copy_of(seed);
            s.catalog.complete(&archive.lease, &Outcome::Archived { copy }).await?;
        }
        work_beside(&s).await?;
    }
    s.catalog.keep_copy(&Tenant::default(), &copy_of(7)).await?;
    s.catalog.keep_copy(&"other".parse().expect("a tenant"), &copy_of(8)).await?;
    assert_eq!(digests(None, 10).await?, [1, 2, 7], "nobody gets the one of film v1 any more");
    assert_eq!(digests(Some(Sha256([1; 32])), 1).await?, [2]);
    let lost = master(&s, 3).await?;
    assert_eq!((lost.package, lost.copy), (Some(package("film", 1)), None));
    assert_eq!(master(&s, 7).await?.package, None);
    assert_eq!(s.catalog.master(&Tenant::default(), Sha256([8; 32])).await?, None);
    Ok(())
}

/// A catalog that was rebuilt knows where it is, until it is proven again.
pub async fn a_copy_that_was_found_is_not_proven(s: Scene) -> Case {
    s.catalog.keep_copy(&Tenant::default(), &copy_of(1)).await?;
    assert_eq!(master(&s, 1).await?.copy, Some((copy_of(1), None)));
    prepare(&s, "film").await?;
    s.work().await?;
    let proven = master(&s, 1).await?.copy;
    assert!(matches!(proven, Some((_, Some(_)))));
    s.catalog.keep_copy(&Tenant::default(), &copy_of(1)).await?;
    assert_eq!(master(&s, 1).await?.copy, proven, "what is known stays");
    Ok(())
}

/// What was read from a path once is known when the file is gone.
pub async fn a_path_is_remembered_with_what_was_there(s: Scene) -> Case {
    prepare(&s, "film").await?;
    s.work().await?;
    let again = NewTitle { again: true, ..new_title("film") };
    s.catalog.submit(&again).await?;
    let known = s.claim_kind(TaskKind::Prepare).await?;
    assert_eq!(known.known_master, Some(Sha256([1; 32])));
    let elsewhere = NewTitle { master_path: "/drop/better.mp4".to_owned(), ..again };
    s.catalog.submit(&elsewhere).await?;
    assert_eq!(s.claim_kind(TaskKind::Prepare).await?.known_master, None);
    Ok(())
}

/// Whoever is sending it goes on, and what waits for the archive waits as long as before.
pub async fn a_title_that_resumes_leaves_its_archiving_alone(s: Scene) -> Case {
    prepare(&s, "film").await?;
    let span = s.claim_kind(TaskKind::Audio(0)).await?;
    let archive =
        s.catalog.claim(&Offer::of("w1", &[Role::Archiver]), LEASE_MS).await?.expect("it is due");
    s.catalog.fail(&span.lease, &lasting(Code::TranscoderFailed)).await?;
    s.submit("film").await?;
    assert_eq!(s.catalog.claim(&Offer::of("w2", &[Role::Archiver]), LEASE_MS).await?, None);
    s.catalog.complete(&archive.lease, &good(TaskKind::Archive)).await?;
    Ok(())
}

/// The newest version may have had another one.
pub async fn a_task_knows_the_master_of_its_own_version(s: Scene) -> Case {
    let v1 = package("film", 1);
    prepare(&s, "film").await?;
    s.work().await?;
    s.submit("film").await?;
    let mut other = prepared(2, 1);
    if let Outcome::Prepared { facts, .. } = &mut other {
        facts.bytes = 2;
    }
    s.finish(TaskKind::Prepare, &other).await?;
    s.end(TaskKind::Span(0), Code::TranscoderFailed).await?;
    assert!(s.catalog.heal(&v1).await?);
    let heal = s.claim_kind(TaskKind::Heal).await?;
    assert_eq!(heal.facts.map(|f| f.bytes), Some(1_000_000));
    s.catalog.fail(&heal.lease, &lasting(Code::NotProven)).await?;

    let (renditions, reason) = (vec!["video-360p".to_owned()], None);
    let base = v1.version;
    let remake = Remake { base, renditions, from_ms: None, to_ms: None, reason, heals: true };
    let part = NewTitle { again: true, remake: Some(remake), ..new_title("film") };
    s.catalog.submit(&part).await?;
    let made = s.claim_kind(TaskKind::Prepare).await?;
    assert_eq!((made.facts, made.known_master), (None, Some(Sha256([1; 32]))));
    Ok(())
}
