//! Cases of new versions that take the place of what is lost and does not come out as it was.

use headwater_model::finding::{Finding, FindingKind};
use headwater_model::id::{Sha256, Tenant, Version};
use headwater_model::incident::{How, Incident, Look};
use headwater_model::life::TitleState;
use headwater_model::plan::{Base, Plan};
use headwater_model::quality::Verdict;
use headwater_model::refusal::Code;
use headwater_model::task::{Failure, Outcome, Remake, Retry, TaskKind};
use headwater_ports::catalog::CatalogError;

use super::scene::{
    LONG_MS, Scene, assert_refused, facts, good, lasting, package, passing, plan_of, title,
};

type Case = Result<(), CatalogError>;

fn differing(renditions: &[&str]) -> Outcome {
    let renditions = renditions.iter().map(|name| (*name).to_owned()).collect();
    Outcome::MadeDifferently { renditions, cpu_ms: 2_500 }
}

fn new_version(base: u32) -> Failure {
    let remake = Remake {
        base: Version(base),
        renditions: vec!["video-360p".to_owned()],
        from_ms: None,
        to_ms: None,
        reason: Some("it is lost".to_owned()),
        heals: true,
    };
    Failure { retry: Retry::NewVersion(Box::new(remake)), ..passing(Code::MadeDifferently) }
}

fn missing(object: &str) -> Finding {
    let (origin, object) = ("a".to_owned(), format!("main/film/{object}"));
    Finding { origin, object, kind: FindingKind::Missing }
}

async fn find(s: &Scene, version: u32, objects: &[&str]) -> Case {
    let findings = objects.iter().map(|object| missing(object)).collect();
    s.catalog.note(&package("film", version), &Look { findings, ..Look::default() }).await
}

async fn incidents(s: &Scene) -> Result<Vec<Incident>, CatalogError> {
    s.catalog.incidents(&Tenant::default(), Some(&title("film")), true, 1_000).await
}

/// Heals `version` up to the second claim of the heal task, and hands that in as this failure.
async fn heal_and_fail(s: &Scene, version: u32, failure: &Failure) -> Case {
    assert!(s.catalog.heal(&package("film", version)).await?);
    let heal = s.claim_kind(TaskKind::Heal).await?;
    s.catalog.fail(&heal.lease, failure).await
}

/// What the plan of a new version keeps of `base`: all but `video-360p`.
fn kept(base: u32) -> Base {
    let kept = ["video-234p", "audio-1"].map(str::to_owned).to_vec();
    Base { version: Version(base), kept, copied: vec![] }
}

/// `Prepare` of a new version that keeps the rest.
fn prepared_in_part(base: u32) -> Outcome {
    let plan = Plan { base: Some(kept(base)), ..plan_of(1, 1) };
    Outcome::Prepared {
        facts: Box::new(facts()),
        plan: Box::new(plan),
        cpu_ms: 400,
        archives: false,
        verdict: Verdict::default(),
    }
}

/// From all parts that were made again, until somebody asks anew.
pub async fn the_heal_task_knows_what_came_out_otherwise(s: Scene) -> Case {
    let v1 = package("film", 1);
    s.submit("film").await?;
    s.finish(TaskKind::Prepare, &good(TaskKind::Prepare)).await?;
    let early = s.claim_kind(TaskKind::Audio(0)).await?;
    assert_refused(s.catalog.complete(&early.lease, &differing(&["audio-1"])).await);
    s.catalog.complete(&early.lease, &good(TaskKind::Audio(0))).await?;
    s.work().await?;

    let parts = vec![TaskKind::Audio(0), TaskKind::Span(0)];
    let lost = Failure { retry: Retry::After(parts), ..passing(Code::NotProven) };
    heal_and_fail(&s, 1, &lost).await?;
    s.clock.advance_ms(LONG_MS);
    s.finish(TaskKind::Audio(0), &differing(&["audio-1"])).await?;
    assert_eq!(s.state("film").await?, TitleState::Published);
    s.finish(TaskKind::Span(0), &differing(&["video-360p", "video-234p"])).await?;
    let heal = s.claim_kind(TaskKind::Heal).await?;
    assert_eq!(heal.differs, ["audio-1", "video-234p", "video-360p"]);
    s.catalog.fail(&heal.lease, &lasting(Code::NotProven)).await?;
    let told = s.history("film").await?;
    let line = "span 1 came out as other bytes than viewers have: video-360p, video-234p";
    assert!(told.iter().any(|text| text == line), "{told:?}");

    assert!(s.catalog.heal(&v1).await?);
    assert_eq!(s.claim_kind(TaskKind::Heal).await?.differs, [] as [&str; 0]);
    Ok(())
}

/// It is queued in the transaction that ends the healing, and viewers keep the old one until it is proven.
pub async fn a_new_version_takes_the_place_of_what_is_lost(s: Scene) -> Case {
    s.submit("film").await?;
    s.work().await?;
    let v1 = package("film", 1);
    let lost = ["v1/video-360p/seg-00001.m4s", "v1/audio-1/seg-00001.m4s", "index.m3u8"];
    find(&s, 1, &lost).await?;
    heal_and_fail(&s, 1, &new_version(1)).await?;
    let film = s.title("film").await?;
    let stands = (film.version, film.live, film.state);
    assert_eq!(stands, (Version(2), Some(Version(1)), TitleState::Queued));
    assert!(!s.catalog.is_busy(&v1).await?);
    let told = s.history("film").await?;
    let last = "queued as v2: video-360p made again, the rest from v1 (it is lost)";
    assert_eq!(told.last().map(String::as_str), Some(last));

    let prepare = s.claim_kind(TaskKind::Prepare).await?;
    assert_eq!((prepare.master_path.as_str(), prepare.published_as), ("/drop/film.mp4", None));
    assert!(prepare.remake.as_ref().is_some_and(|remake| remake.heals));
    s.catalog.complete(&prepare.lease, &prepared_in_part(1)).await?;
    let first_seen = incidents(&s).await?[1].first_seen;
    s.clock.advance_ms(1_000);
    // Found once more by the proof of the new version, which refers to it.
    s.work_until(TaskKind::Verify).await.map(drop)?;
    find(&s, 2, &["v1/audio-1/seg-00001.m4s", "v2/video-360p/seg-00001.m4s"]).await?;
    assert!(incidents(&s).await?.iter().all(|i| i.closed.is_none()), "viewers have v1 still");
    s.clock.advance_ms(LONG_MS);
    s.work().await?;
    assert_eq!(s.title("film").await?.live, Some(Version(2)));

    let replaced = Some(How::ReplacedBy { version: Version(2) });
    for incident in incidents(&s).await? {
        let object = incident.finding.object.as_str();
        match object.strip_prefix("main/film/") {
            Some("v1/video-360p/seg-00001.m4s" | "index.m3u8") => {
                assert_eq!(incident.package, v1);
                assert!(incident.closed.is_some() && incident.mended == replaced, "{incident:?}");
            }
            Some("v1/audio-1/seg-00001.m4s") => {
                assert_eq!(incident.package, package("film", 2), "it is needed still");
                assert_eq!((incident.closed, incident.first_seen), (None, first_seen));
            }
            _ => assert_eq!(incident.closed, None, "{object} is its own"),
        }
    }
    assert_eq!(incidents(&s).await?.len(), 4, "two of one object are one");
    Ok(())
}

/// Neither of a title that viewers get otherwise, nor twice, nor while something newer is being made.
pub async fn a_version_is_replaced_once(s: Scene) -> Case {
    let why =
        async |s: &Scene| Ok::<_, CatalogError>(s.history("film").await?.pop().unwrap_or_default());
    s.submit("film").await?;
    s.work().await?;
    heal_and_fail(&s, 1, &new_version(2)).await?;
    assert_eq!(s.title("film").await?.version, Version(1));
    let told = "heal failed, viewers keep what they have: made-differently: it did not work, and viewers get v1 by now";
    assert_eq!(why(&s).await?, told);

    s.submit("film").await?;
    let newer = s.claim_kind(TaskKind::Prepare).await?;
    heal_and_fail(&s, 1, &new_version(1)).await?;
    assert!(why(&s).await?.ends_with("it did not work, and v2 is being made already"));
    s.catalog.fail(&newer.lease, &lasting(Code::DamagedMaster)).await?;

    heal_and_fail(&s, 1, &new_version(1)).await?;
    assert_eq!(s.title("film").await?.version, Version(3), "v2 is not in its way");
    s.end(TaskKind::Prepare, Code::DamagedMaster).await?;
    heal_and_fail(&s, 1, &new_version(1)).await?;
    let told = "and v3 was to take the place of v1 and viewers do not get it";
    assert!(why(&s).await?.ends_with(told), "{}", why(&s).await?);
    assert_eq!(s.title("film").await?.version, Version(3));
    Ok(())
}

/// Its history says so, since less was asked for.
pub async fn a_title_that_is_cut_otherwise_is_made_as_a_whole(s: Scene) -> Case {
    s.submit("film").await?;
    s.work().await?;
    heal_and_fail(&s, 1, &new_version(1)).await?;
    s.finish(TaskKind::Prepare, &good(TaskKind::Prepare)).await?;
    let told = "v2 is made as a whole: this build cuts the master otherwise than v1 is cut";
    assert_eq!(s.history("film").await?.last().map(String::as_str), Some(told));
    Ok(())
}

/// What was found while an older version was healed is what viewers' version needs, or nothing.
pub async fn healing_an_older_version_leaves_no_incident_of_it(s: Scene) -> Case {
    s.submit("film").await?;
    s.work().await?;
    heal_and_fail(&s, 1, &new_version(1)).await?;
    s.finish(TaskKind::Prepare, &prepared_in_part(1)).await?;
    s.work().await?;
    find(&s, 1, &["v1/video-360p/seg-00001.m4s", "v1/video-234p/seg-00001.m4s"]).await?;
    heal_and_fail(&s, 1, &lasting(Code::MadeDifferently)).await?;
    let open: Vec<_> = incidents(&s).await?.into_iter().filter(|i| i.closed.is_none()).collect();
    let told: Vec<_> = open.iter().map(|i| (&i.package, i.finding.object.as_str())).collect();
    assert_eq!(told, [(&package("film", 2), "main/film/v1/video-234p/seg-00001.m4s")]);
    Ok(())
}

/// Whatever viewers get, and whether or not the version that it was found of is still there.
pub async fn what_is_wrong_with_a_masters_copy_is_settled_by_no_version(s: Scene) -> Case {
    let copy = |package| {
        let (origin, object) = ("glacier".to_owned(), "main/masters/0101.mp4".to_owned());
        let (expected, found) = (Sha256([1; 32]), Sha256([2; 32]));
        let finding = Finding { origin, object, kind: FindingKind::Altered { expected, found } };
        (package, Look { findings: vec![finding], ..Look::default() })
    };
    s.submit("film").await?;
    s.work().await?;
    for version in [1, 2, 3] {
        let (found_of, look) = copy(package("film", version));
        s.catalog.note(&found_of, &look).await?;
        s.submit("film").await?;
        s.work().await?;
        find(&s, version, &["v1/audio-1/seg-00001.m4s"]).await?;
    }
    let open = async || {
        let open = incidents(&s).await?.into_iter().filter(|i| i.closed.is_none());
        Ok::<_, CatalogError>(open.collect::<Vec<_>>())
    };
    assert!(s.catalog.roll_back(&package("film", 3)).await?);
    s.work().await?;
    let copies = |open: &[Incident]| -> Vec<Version> {
        let copies = open.iter().filter(|i| i.finding.origin == "glacier");
        copies.map(|i| i.package.version).collect()
    };
    assert_eq!(copies(&open().await?), [Version(1), Version(2), Version(3)]);
    let first_seen = open().await?[0].first_seen;
    let held = s.catalog.holding(&Tenant::default(), &title("film")).await?.expect("it is known");
    assert!(s.catalog.condemn(&held, &[Version(1), Version(2)]).await?);
    s.catalog.forget(&package("film", 1)).await?;
    s.catalog.forget(&package("film", 2)).await?;
    let open = open().await?;
    assert_eq!(copies(&open), [Version(3)], "it is one of what viewers get");
    let one = open.iter().find(|i| i.finding.origin == "glacier");
    assert_eq!(one.map(|i| (i.first_seen, i.found.by_reading)), Some((first_seen, true)));
    Ok(())
}
