//! Cases of healing: incidents, and work that is done again because an origin lost what it made.

use std::collections::BTreeSet;

use headwater_model::audit::{Holding, Standing};
use headwater_model::finding::{Finding, FindingKind, Way};
use headwater_model::id::{Sha256, Tenant, Version};
use headwater_model::incident::{At, Found, How, Incident, Look, MOST, Mended};
use headwater_model::life::{PackageRecord, Restored, RestoredPackage, TitleState};
use headwater_model::quality::Seen;
use headwater_model::refusal::Code;
use headwater_model::task::{Failure, MAX_ATTEMPTS, Outcome, Retry, TaskKind};
use headwater_ports::catalog::{CatalogError, Submitted};

use super::scene::{
    LONG_MS, Scene, assert_refused, good, lasting, object, package, passing, plan_of, prepared,
    sealed, title,
};

type Case = Result<(), CatalogError>;

fn finding(origin: &str, object: &str) -> Finding {
    let (origin, object) = (origin.to_owned(), object.to_owned());
    Finding { origin, object, kind: FindingKind::Missing }
}

fn lost(tasks: &[TaskKind]) -> Failure {
    Failure { retry: Retry::After(tasks.to_vec()), ..passing(Code::NotProven) }
}

async fn incidents(s: &Scene, closed_too: bool) -> Result<Vec<Incident>, CatalogError> {
    s.catalog.incidents(&Tenant::default(), Some(&title("film")), closed_too, 10_000).await
}

/// What was found once is remembered with how it ended.
pub async fn findings_open_incidents_and_looks_close_them(s: Scene) -> Case {
    let v1 = package("film", 1);
    s.submit("film").await?;
    s.submit("other").await?;
    let found = [finding("a", "x"), finding("a", "y"), finding("b", "x")];
    let look = |whole: &[&str], findings: &[Finding], mended: &[Mended]| Look {
        whole: whole.iter().map(|name| (*name).to_owned()).collect(),
        findings: findings.to_vec(),
        mended: mended.to_vec(),
        ..Look::default()
    };
    s.catalog.note(&v1, &look(&["a", "b"], &found, &[])).await?;
    s.catalog.note(&package("other", 1), &look(&[], &found[..1], &[])).await?;
    let first = incidents(&s, false).await?;
    let told: Vec<&Finding> = first.iter().map(|i| &i.finding).collect();
    assert_eq!(told, found.iter().collect::<Vec<_>>());
    assert!(first.iter().all(|i| i.package == v1 && i.first_seen == i.last_seen));
    let tenant = Tenant::default();
    let of_x = s.catalog.incidents_of(&tenant, "a", "x").await?;
    let packages: Vec<_> = of_x.iter().map(|i| i.package.title.as_str()).collect();
    assert_eq!(packages, ["film", "other"], "one object may be that of several");
    assert_eq!(s.catalog.incidents_of(&tenant, "b", "y").await?, []);

    s.clock.advance_ms(1_000);
    let how = How::Copied { from: "b".to_owned() };
    let done = Mended { origin: "a".to_owned(), object: "y".to_owned(), how: how.clone() };
    s.catalog.note(&v1, &look(&[], &[], &[done])).await?;
    assert_eq!(incidents(&s, false).await?.len(), 3, "done is not proven");

    let empty = Finding { kind: FindingKind::Empty { expected: Some(9) }, ..finding("a", "x") };
    s.catalog.note(&v1, &look(&["a"], std::slice::from_ref(&empty), &[])).await?;
    let open = incidents(&s, false).await?;
    assert_eq!(open.len(), 2, "one on each origin");
    assert_eq!((open[0].id, &open[0].finding), (first[0].id, &empty), "the same, found anew");
    assert_eq!(open[0].last_seen.0 - open[0].first_seen.0, 1_000);
    let all = incidents(&s, true).await?;
    assert_eq!(all.len(), 3);
    assert_eq!((all[1].mended.as_ref(), all[1].closed), (Some(&how), Some(open[0].last_seen)));

    s.catalog.note(&v1, &look(&["a", "b"], &[], &[])).await?;
    assert_eq!(incidents(&s, false).await?, []);
    assert_eq!(incidents(&s, true).await?[0].mended, None, "it came back by itself");
    assert_eq!(s.catalog.incidents_of(&tenant, "a", "x").await?.len(), 1, "only what is open");
    s.catalog.note(&v1, &look(&["a"], &found[..1], &[])).await?;
    assert_eq!(incidents(&s, true).await?.len(), 4, "lost again is another incident");

    let on_edge = Finding {
        kind: FindingKind::NotOnEdge { status: 404, way: Way::Cached },
        ..finding("a", "z")
    };
    s.catalog.note(&v1, &look(&[], std::slice::from_ref(&on_edge), &[])).await?;
    s.catalog.note(&v1, &look(&["a"], &found[..1], &[])).await?;
    assert_eq!(incidents(&s, false).await?.len(), 2, "a look at the origin ends nothing there");
    let edges = vec!["a".to_owned()];
    s.catalog.note(&v1, &Look { edges, ..look(&["a"], &found[..1], &[]) }).await?;
    assert_eq!(s.catalog.incidents(&Tenant::default(), None, false, 10).await?.len(), 2);
    assert_eq!(s.catalog.incidents(&Tenant::default(), None, false, 1).await?.len(), 1);
    Ok(())
}

/// Whatever a less close look found of it since.
pub async fn an_incident_remembers_what_it_took_to_find_it(s: Scene) -> Case {
    let v1 = package("film", 1);
    s.submit("film").await?;
    let missing = finding("a", "x");
    let truncated =
        Finding { kind: FindingKind::Truncated { expected: 2, found: 1 }, ..missing.clone() };
    let way = Way::Cached;
    let on_edge = Finding { kind: FindingKind::NotOnEdge { status: 404, way }, ..missing.clone() };
    let read = || BTreeSet::from([At::of(&missing)]);
    let a = || vec!["a".to_owned()];
    let find = |findings: &[&Finding]| Look {
        whole: a(),
        findings: findings.iter().map(|f| (*f).clone()).collect(),
        ..Look::default()
    };
    s.catalog.note(&v1, &Look { read: read(), ..find(&[&truncated]) }).await?;
    s.catalog.note(&v1, &find(&[&on_edge])).await?;
    s.catalog.note(&v1, &find(&[&missing])).await?;
    let open = incidents(&s, false).await?;
    assert_eq!(open[0].found, Found { by_reading: true, on_edge: true });
    for look in [find(&[]), Look { edges: a(), ..find(&[]) }, Look { read: read(), ..find(&[]) }] {
        s.catalog.note(&v1, &look).await?;
        assert_eq!(incidents(&s, false).await?.len(), 1, "{look:?}");
    }
    s.catalog.note(&v1, &Look { read: read(), edges: a(), ..find(&[]) }).await?;
    assert_eq!(incidents(&s, false).await?, []);

    // It is another one, found in another way.
    s.catalog.note(&v1, &find(&[&missing])).await?;
    assert_eq!(incidents(&s, false).await?[0].found, Found::default());
    s.catalog.note(&v1, &find(&[])).await?;
    assert_eq!(incidents(&s, false).await?, []);
    Ok(())
}

/// An audit that began before v2 was published finds its pointers where those of v1 were.
pub async fn pointers_of_another_version_are_no_incident(s: Scene) -> Case {
    let [v1, v2] = [package("film", 1), package("film", 2)];
    let found = [finding("a", "main/film/index.m3u8"), finding("a", "main/film/v1/x")];
    let look = Look { findings: found.to_vec(), ..Look::default() };
    let objects = async || {
        let open = incidents(&s, false).await?;
        Ok::<_, CatalogError>(open.into_iter().map(|i| i.finding.object).collect::<Vec<_>>())
    };
    s.submit("film").await?;
    s.work_until(TaskKind::Publish).await.map(drop)?;
    s.catalog.note(&v1, &look).await?;
    assert_eq!(objects().await?.len(), 2, "as it was stored");
    s.clock.advance_ms(LONG_MS);
    s.work().await?;
    s.submit("film").await?;
    let publish = s.work_until(TaskKind::Publish).await?;
    s.catalog.note(&v2, &look).await?;
    assert_eq!(objects().await?.len(), 4, "as they are stored");
    s.catalog.complete(&publish.lease, &good(TaskKind::Publish)).await?;
    s.catalog.note(&v2, &Look { whole: vec!["a".to_owned()], ..Look::default() }).await?;
    s.catalog.note(&v1, &look).await?;
    assert_eq!(objects().await?, ["main/film/v1/x"], "viewers get v2");
    assert!(s.catalog.roll_back(&v1).await?);
    s.catalog.note(&v1, &look).await?;
    assert_eq!(objects().await?.len(), 2, "viewers are about to get it");
    Ok(())
}

/// A lost origin does not fill the catalog.
pub async fn many_findings_are_one_incident(s: Scene) -> Case {
    let v1 = package("film", 1);
    s.submit("film").await?;
    let findings: Vec<Finding> =
        (0..1_200).map(|n| finding("a", &format!("main/film/v1/a/seg-{n}.m4s"))).collect();
    let look = |findings: &[Finding]| Look {
        whole: vec!["a".to_owned()],
        findings: findings.to_vec(),
        ..Look::default()
    };
    s.catalog.note(&v1, &look(&findings[..MOST])).await?;
    let told: Vec<Finding> = incidents(&s, false).await?.into_iter().map(|i| i.finding).collect();
    assert_eq!(told, findings[..MOST], "in their order");
    s.catalog.note(&v1, &look(&findings)).await?;
    s.catalog.note(&v1, &look(&findings)).await?;
    let open = incidents(&s, false).await?;
    assert_eq!(open.len(), MOST + 1, "what is known stays, and the rest is one");
    let many = open.last().expect("there are some").clone();
    assert_eq!(many.finding.object, "main/film/v1/*");
    assert!(matches!(many.finding.kind, FindingKind::Many { objects: 1_200, .. }), "{many:?}");

    let (origin, object) = ("a".to_owned(), findings[500].object.clone());
    let mended = vec![Mended { origin, object, how: How::MadeAgain }];
    s.catalog.note(&v1, &Look { mended, ..look(&findings[..1]) }).await?;
    let open: Vec<i64> = incidents(&s, false).await?.iter().map(|i| i.id).collect();
    assert_eq!(open.len(), 2, "the one that is left, and what it is one of");
    assert_eq!(open[1], many.id);
    s.catalog.note(&v1, &look(&[])).await?;
    assert_eq!(incidents(&s, false).await?, []);
    let all = incidents(&s, true).await?;
    assert_eq!(all[MOST].mended, Some(How::MadeAgain));
    Ok(())
}

/// The title publishes by itself when the origin keeps what it is given the second time.
pub async fn what_a_proof_misses_is_made_again_before_the_next_proof(s: Scene) -> Case {
    s.submit("film").await?;
    s.finish(TaskKind::Prepare, &prepared(1, 2)).await?;
    for kind in [TaskKind::Audio(0), TaskKind::Span(0), TaskKind::Span(1), TaskKind::Seal] {
        s.finish(kind, &good(kind)).await?;
    }
    let verify = s.claim_kind(TaskKind::Verify).await?;
    s.catalog.fail(&verify.lease, &lost(&[TaskKind::Span(1), TaskKind::Seal])).await?;
    assert_eq!(s.state("film").await?, TitleState::Transcoding);
    assert_eq!(s.title("film").await?.progress.spans_done, 1);
    assert_eq!(s.try_claim().await?, None, "the origin is given a moment");
    s.clock.advance_ms(LONG_MS);
    let span = s.claim_kind(TaskKind::Span(1)).await?;
    assert_eq!((span.published_as, span.attempt), (None, 1));
    s.catalog.complete(&span.lease, &good(TaskKind::Span(1))).await?;
    assert_eq!(s.catalog.objects(&package("film", 1)).await?.len(), 3, "all are known still");
    for kind in [TaskKind::Seal, TaskKind::Verify, TaskKind::Publish] {
        s.finish(kind, &good(kind)).await?;
    }
    assert_eq!(s.state("film").await?, TitleState::Published);
    assert_eq!(s.catalog.objects(&package("film", 1)).await?, []);
    let history = s.history("film").await?;
    assert!(history[6].starts_with("verify found something lost; done again in 2."), "{history:?}");
    assert!(history[6].contains("span 2, seal: not-proven: it did not work"), "{history:?}");
    Ok(())
}

/// An origin that keeps losing things is not fed for ever.
pub async fn a_proof_that_never_succeeds_ends(s: Scene) -> Case {
    s.submit("film").await?;
    let mut verify = s.work_until(TaskKind::Verify).await?;
    for _ in 1..MAX_ATTEMPTS {
        s.catalog.fail(&verify.lease, &lost(&[TaskKind::Span(0), TaskKind::Seal])).await?;
        s.clock.advance_ms(LONG_MS);
        s.finish(TaskKind::Span(0), &good(TaskKind::Span(0))).await?;
        s.finish(TaskKind::Seal, &good(TaskKind::Seal)).await?;
        verify = s.claim_kind(TaskKind::Verify).await?;
    }
    s.catalog.fail(&verify.lease, &lost(&[TaskKind::Span(0), TaskKind::Seal])).await?;
    assert!(matches!(s.state("film").await?, TitleState::Failed(r) if r.code == Code::NotProven));
    assert_eq!(s.try_claim().await?, None);
    Ok(())
}

/// Nothing is transcoded for it.
pub async fn a_lost_playlist_takes_sealing_only(s: Scene) -> Case {
    s.submit("film").await?;
    let verify = s.work_until(TaskKind::Verify).await?;
    s.catalog.fail(&verify.lease, &lost(&[TaskKind::Seal])).await?;
    assert_eq!(s.state("film").await?, TitleState::Sealing);
    s.clock.advance_ms(LONG_MS);
    s.finish(TaskKind::Seal, &good(TaskKind::Seal)).await?;
    s.finish(TaskKind::Verify, &good(TaskKind::Verify)).await?;
    assert_eq!(s.state("film").await?, TitleState::Publishing);
    Ok(())
}

/// Its tasks say what the objects have to be, and the title's state and inventory stay.
pub async fn a_published_title_is_healed_while_viewers_have_it(s: Scene) -> Case {
    let v1 = package("film", 1);
    s.submit("film").await?;
    s.work().await?;
    let before = s.catalog.package(&v1).await?;
    let took = s.title("film").await?.progress.working_ms;
    s.clock.advance_ms(LONG_MS);
    assert!(s.catalog.heal(&v1).await?);
    assert!(!s.catalog.heal(&v1).await?, "once is enough");
    assert!(s.catalog.is_busy(&v1).await?);
    let heal = s.claim_kind(TaskKind::Heal).await?;
    s.catalog.fail(&heal.lease, &lost(&[TaskKind::Audio(0), TaskKind::Span(0)])).await?;
    assert_eq!(s.state("film").await?, TitleState::Published);
    s.clock.advance_ms(LONG_MS);
    for kind in [TaskKind::Audio(0), TaskKind::Span(0)] {
        let claimed = s.claim_kind(kind).await?;
        assert_eq!(claimed.published_as, before.as_ref().and_then(|p| p.inventory));
        s.catalog.complete(&claimed.lease, &good(kind)).await?;
        assert_eq!(s.state("film").await?, TitleState::Published);
    }
    assert_eq!(s.catalog.objects(&v1).await?, [], "the inventory has them");
    s.finish(TaskKind::Heal, &good(TaskKind::Heal)).await?;
    let film = s.title("film").await?;
    assert_eq!((film.state, film.live), (TitleState::Published, Some(Version(1))));
    assert_eq!(film.progress.working_ms, took, "it took what it took");
    assert_eq!(s.catalog.package(&v1).await?, before);
    assert!(!s.catalog.is_busy(&v1).await?);
    assert_eq!(s.try_claim().await?, None);
    let history = s.history("film").await?;
    assert_eq!(history.last().map(String::as_str), Some("healed: every origin holds every object"));
    Ok(())
}

/// Viewers have the title: that a part of it cannot be made again does not take it from them.
pub async fn what_cannot_be_healed_leaves_the_title_as_it_is(s: Scene) -> Case {
    let v1 = package("film", 1);
    s.submit("film").await?;
    s.work().await?;
    assert!(s.catalog.heal(&v1).await?);
    let heal = s.claim_kind(TaskKind::Heal).await?;
    s.catalog.fail(&heal.lease, &lost(&[TaskKind::Audio(0), TaskKind::Span(0)])).await?;
    s.clock.advance_ms(LONG_MS);
    let audio = s.claim_kind(TaskKind::Audio(0)).await?;
    s.catalog.fail(&audio.lease, &lasting(Code::MasterGone)).await?;
    assert_eq!(s.state("film").await?, TitleState::Published);
    assert_eq!(s.try_claim().await?, None, "the rest is not made for nothing");
    let history = s.history("film").await?;
    let last = "audio 1 failed, viewers keep what they have: master-gone: it did not work";
    assert_eq!(history.last().map(String::as_str), Some(last));

    assert!(s.catalog.heal(&v1).await?, "it can be asked for again");
    let heal = s.claim_kind(TaskKind::Heal).await?;
    s.catalog.fail(&heal.lease, &lost(&[TaskKind::Span(0)])).await?;
    s.clock.advance_ms(LONG_MS);
    s.finish(TaskKind::Span(0), &good(TaskKind::Span(0))).await?;
    s.finish(TaskKind::Heal, &good(TaskKind::Heal)).await
}

/// What it has to be is not forgotten, and viewers are not asked to wait for it.
pub async fn a_lost_inventory_is_counted_again_and_has_to_be_the_same(s: Scene) -> Case {
    let v1 = package("film", 1);
    s.submit("film").await?;
    s.work().await?;
    let before = s.catalog.package(&v1).await?;
    let all = [TaskKind::Audio(0), TaskKind::Span(0), TaskKind::Seal];
    let other = sealed(Sha256([8; 32]));
    for is_given_up in [true, false] {
        assert!(s.catalog.heal(&v1).await?);
        let heal = s.claim_kind(TaskKind::Heal).await?;
        assert!(!heal.reseals);
        s.catalog.fail(&heal.lease, &lost(&all)).await?;
        s.clock.advance_ms(LONG_MS);
        let audio = s.claim_kind(TaskKind::Audio(0)).await?;
        assert!(audio.reseals && audio.published_as.is_some());
        s.catalog.complete(&audio.lease, &good(TaskKind::Audio(0))).await?;
        assert_eq!(s.catalog.objects(&v1).await?.len(), 1);
        assert_eq!(s.state("film").await?, TitleState::Published);
        let meanwhile = s.catalog.package(&v1).await?;
        let meanwhile = meanwhile.map(|record| PackageRecord { codecs: vec![], ..record });
        assert_eq!(meanwhile, before);
        if is_given_up {
            let span = s.claim_kind(TaskKind::Span(0)).await?;
            s.catalog.fail(&span.lease, &lasting(Code::MasterGone)).await?;
            assert_eq!(s.catalog.objects(&v1).await?, []);
            assert_eq!(s.state("film").await?, TitleState::Published);
            continue;
        }
        s.finish(TaskKind::Span(0), &good(TaskKind::Span(0))).await?;
        let seal = s.claim_kind(TaskKind::Seal).await?;
        assert!(seal.reseals);
        assert_refused(s.catalog.complete(&seal.lease, &other).await);
        s.catalog.complete(&seal.lease, &good(TaskKind::Seal)).await?;
        assert_eq!(s.catalog.objects(&v1).await?, []);
        let heal = s.claim_kind(TaskKind::Heal).await?;
        assert!(!heal.reseals);
        s.catalog.complete(&heal.lease, &good(TaskKind::Heal)).await?;
    }
    assert_eq!(s.catalog.package(&v1).await?, before);
    assert_eq!(s.state("film").await?, TitleState::Published);
    assert_eq!(s.try_claim().await?, None);
    Ok(())
}

/// Years of small troubles do not add up to one that is given up.
pub async fn healing_starts_with_all_its_tries(s: Scene) -> Case {
    s.submit("film").await?;
    s.work().await?;
    for _ in 0..3 {
        assert!(s.catalog.heal(&package("film", 1)).await?);
        for _ in 1..MAX_ATTEMPTS {
            let heal = s.claim_kind(TaskKind::Heal).await?;
            s.catalog.fail(&heal.lease, &passing(Code::NotProven)).await?;
            s.clock.advance_ms(LONG_MS);
        }
        s.finish(TaskKind::Heal, &good(TaskKind::Heal)).await?;
    }
    Ok(())
}

/// Published up to what the pointers lead to; where the master is, is learned when it comes again.
pub async fn a_title_is_taken_over_as_it_was_found(s: Scene) -> Case {
    let restored = |version: u32| RestoredPackage {
        package: package("film", version),
        master: plan_of(1, 2).master,
        pipeline: "vod-h264".to_owned(),
        pipeline_sha256: plan_of(1, 2).pipeline.sha256,
        record: PackageRecord {
            plan: (version > 1).then(|| plan_of(1, 2)),
            codecs: vec![],
            seen: Seen::default(),
            inventory: Some(Sha256([version as u8; 32])),
            objects: 12,
            bytes: 3_456,
            proven_on: vec!["b2".to_owned()],
            pointers: if version == 2 { vec![object("index.m3u8", 7)] } else { vec![] },
        },
    };
    let film = Restored {
        tenant: Tenant::default(),
        title: title("film"),
        live: Some(Version(2)),
        packages: [1, 2, 3].map(restored).to_vec(),
    };
    s.catalog.restore(&film).await?;
    assert_refused(s.catalog.restore(&film).await);
    let record = s.title("film").await?;
    assert_eq!((record.version, record.live), (Version(3), Some(Version(2))));
    assert!(matches!(record.state, TitleState::Failed(r) if r.code == Code::NotProven));
    for n in [1, 2, 3] {
        let found = s.catalog.package(&package("film", n)).await?;
        assert_eq!(found, Some(restored(n).record), "v{n}");
    }
    let told = s.history("film").await?;
    assert_eq!(told, ["taken over from origin b2, where viewers get v2"]);
    assert!(!s.catalog.heal(&package("film", 3)).await?, "nobody gets it");
    assert!(s.catalog.heal(&package("film", 2)).await?);
    assert_eq!(s.claim_kind(TaskKind::Heal).await?.master_path, "");

    s.submit("film").await?;
    let claimed = s.claim_kind(TaskKind::Prepare).await?;
    let known = Outcome::AlreadyPublished { version: Version(2) };
    s.catalog.complete(&claimed.lease, &known).await?;
    assert_eq!(s.title("film").await?.master_path, "/drop/film.mp4");
    Ok(())
}

/// Pointing back takes one task, and only to what viewers have had.
pub async fn viewers_can_be_given_an_older_version_again(s: Scene) -> Case {
    for _ in 0..2 {
        s.submit("film").await?;
        s.work().await?;
    }
    assert_eq!(s.title("film").await?.live, Some(Version(2)));
    assert!(!s.catalog.roll_back(&package("film", 3)).await?);
    assert!(s.catalog.roll_back(&package("film", 1)).await?);
    assert!(!s.catalog.roll_back(&package("film", 1)).await?, "once is enough");
    let publish = s.claim_kind(TaskKind::Publish).await?;
    assert_eq!((publish.package.version, publish.published_as.is_some()), (Version(1), true));
    s.catalog.complete(&publish.lease, &good(TaskKind::Publish)).await?;
    let film = s.title("film").await?;
    assert_eq!(
        (film.version, film.live, film.state),
        (Version(2), Some(Version(1)), TitleState::Published)
    );

    assert!(s.catalog.roll_back(&package("film", 2)).await?);
    let publish = s.claim_kind(TaskKind::Publish).await?;
    s.catalog.fail(&publish.lease, &lasting(Code::NotProven)).await?;
    let film = s.title("film").await?;
    assert_eq!((film.live, film.state), (Some(Version(1)), TitleState::Published));
    let history = s.history("film").await?;
    let last = "publish failed, viewers keep what they have: not-proven: it did not work";
    assert_eq!(history.last().map(String::as_str), Some(last));
    Ok(())
}

/// Neither what viewers get nor the newest version can be condemned, and nothing else forgotten.
pub async fn a_version_that_is_deleted_is_condemned_before(s: Scene) -> Case {
    for _ in 0..3 {
        s.submit("film").await?;
        s.work().await?;
        s.clock.advance_ms(1_000);
    }
    let since = |holding: Option<Holding>| holding.and_then(|holding| holding.live_since);
    let (tenant, film) = (Tenant::default(), title("film"));
    let third = since(s.catalog.holding(&tenant, &film).await?);
    assert!(s.catalog.roll_back(&package("film", 2)).await?);
    s.work().await?;
    let rolled_back = since(s.catalog.holding(&tenant, &film).await?);
    assert!(rolled_back > third && third.is_some(), "{rolled_back:?} {third:?}");
    let seen = s.catalog.holding(&tenant, &film).await?.expect("it is known");
    let standing = |holding: &Holding| holding.versions.iter().map(|v| v.standing).collect();
    let before: Vec<Standing> = standing(&seen);
    assert_eq!(before, [Standing::Published; 3]);
    for needed in [2, 3, 4] {
        assert_refused(s.catalog.condemn(&seen, &[Version(1), Version(needed)]).await);
    }
    assert_refused(s.catalog.forget(&package("film", 1)).await);
    assert_eq!(s.catalog.holding(&tenant, &film).await?.as_ref(), Some(&seen), "all or none");

    assert!(s.catalog.condemn(&seen, &[Version(1)]).await?);
    let after = s.catalog.holding(&tenant, &film).await?.expect("it is known");
    let after_all: Vec<Standing> = standing(&after);
    assert_eq!(after_all[0], Standing::Condemned);
    assert!(!s.catalog.condemn(&seen, &[Version(1)]).await?, "it is not as it was seen");
    assert!(s.catalog.condemn(&after, &[Version(1)]).await?, "what was begun can go on");
    assert!(!s.catalog.roll_back(&package("film", 1)).await?);
    assert!(!s.catalog.heal(&package("film", 1)).await?);
    s.catalog.forget(&package("film", 1)).await?;
    assert_eq!(s.catalog.package(&package("film", 1)).await?, None);
    assert_eq!(
        s.history("film").await?.pop().as_deref(),
        Some("v1 deleted: viewers get a newer one")
    );
    assert_eq!(
        s.submit("film").await?,
        Submitted::Queued(Version(4)),
        "its number is not used again"
    );
    Ok(())
}

/// What is queued or under way may end with any version that viewers had.
pub async fn a_title_that_is_worked_on_is_not_condemned(s: Scene) -> Case {
    for _ in 0..2 {
        s.submit("film").await?;
        s.work().await?;
    }
    let (tenant, film, v1) = (Tenant::default(), title("film"), [Version(1)]);
    let seen = s.catalog.holding(&tenant, &film).await?.expect("it is known");
    assert!(s.catalog.roll_back(&package("film", 1)).await?);
    assert!(!s.catalog.condemn(&seen, &v1).await?, "a rollback is queued");
    let publish = s.claim_kind(TaskKind::Publish).await?;
    assert!(!s.catalog.condemn(&seen, &v1).await?, "it is under way");
    s.catalog.complete(&publish.lease, &good(TaskKind::Publish)).await?;
    assert!(!s.catalog.condemn(&seen, &v1).await?, "viewers get it");
    assert!(s.catalog.roll_back(&package("film", 2)).await?);
    s.work().await?;

    let seen = s.catalog.holding(&tenant, &film).await?.expect("it is known");
    assert!(s.catalog.heal(&package("film", 2)).await?);
    assert!(!s.catalog.condemn(&seen, &v1).await?, "a version that may refer to it is healed");
    s.work().await?;
    s.submit("other").await?;
    assert!(s.catalog.condemn(&seen, &v1).await?, "another title is no concern of it");
    Ok(())
}
