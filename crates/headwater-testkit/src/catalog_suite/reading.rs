//! Cases of reading: titles, progress, known masters and files.

use headwater_model::audit::{Content, Holding};
use headwater_model::id::{Sha256, Tenant, Version};
use headwater_model::incident::Look;
use headwater_model::life::{Making, Progress};
use headwater_model::origin::{Answer, Profile, Question};
use headwater_model::refusal::Code;
use headwater_model::task::{NewTitle, Remake, TaskKind};
use headwater_ports::catalog::{CatalogError, SeenFile};
use headwater_ports::clock::Clock;

use super::scene::{
    LEASE_MS, LONG_MS, SPAN_FRAMES, Scene, assert_refused, good, new_title, object, package,
    passing, pipeline, prepared, title,
};

type Case = Result<(), CatalogError>;

/// Asking for what is not there is no error; storing something about it is.
pub async fn what_nobody_knows_is_nothing(s: Scene) -> Case {
    let (tenant, film, v1) = (Tenant::default(), title("film"), package("film", 1));
    assert_eq!(s.catalog.title(&tenant, &film).await?, None);
    assert_eq!(s.catalog.titles(&tenant, 10).await?, []);
    assert_eq!(s.catalog.events(&tenant, &film).await?, []);
    assert_eq!(s.catalog.package(&v1).await?, None);
    assert_eq!(s.catalog.last_words(&v1).await?, None);
    assert_eq!(s.catalog.objects(&v1).await?, []);
    assert_eq!(s.catalog.packages_of(&tenant, Sha256([1; 32]), pipeline().sha256).await?, []);
    assert_eq!(s.catalog.incidents(&tenant, None, true, 10).await?, []);
    assert_refused(s.catalog.note(&v1, &Look::default()).await);
    assert!(!s.catalog.heal(&v1).await?);
    Ok(())
}

/// What it was asked for as, and what each of its tasks took that is done.
pub async fn a_package_knows_how_it_came_about(s: Scene) -> Case {
    assert_eq!(s.catalog.making(&package("film", 1)).await?, None);
    s.submit("film").await?;
    s.finish(TaskKind::Prepare, &prepared(1, 2)).await?;
    s.finish(TaskKind::Audio(0), &good(TaskKind::Audio(0))).await?;
    s.finish(TaskKind::Span(0), &good(TaskKind::Span(0))).await?;
    let mut making = Making {
        master_path: new_title("film").master_path,
        pipeline: "vod-h264".to_owned(),
        remake: None,
        spent: vec![(TaskKind::Audio(0), 2_500), (TaskKind::Span(0), 2_500)],
        trouble: None,
    };
    assert_eq!(s.catalog.making(&package("film", 1)).await?, Some(making.clone()));
    let span = s.claim_kind(TaskKind::Span(1)).await?;
    s.catalog.fail(&span.lease, &passing(Code::TranscoderFailed)).await?;
    let trouble = s.catalog.making(&package("film", 1)).await?.and_then(|it| it.trouble);
    assert_eq!(trouble.map(|why| why.code), Some(Code::TranscoderFailed));
    s.clock.advance_ms(LONG_MS);
    s.work().await?;
    making.spent.push((TaskKind::Span(1), 2_500));
    assert_eq!(s.catalog.making(&package("film", 1)).await?, Some(making));

    let remake = Remake {
        base: Version(1),
        renditions: vec!["audio-1".to_owned()],
        from_ms: None,
        to_ms: None,
        reason: Some("too loud".to_owned()),
        heals: false,
    };
    let part = NewTitle { again: true, remake: Some(remake.clone()), ..new_title("film") };
    s.catalog.submit(&part).await?;
    let making = s.catalog.making(&package("film", 2)).await?;
    assert_eq!(making.map(|it| (it.remake, it.spent)), Some((Some(remake), vec![])));
    Ok(())
}

/// Frames of spans under way count, those of tries that ended do not.
pub async fn progress_counts_unfinished_spans(s: Scene) -> Case {
    s.submit("film").await?;
    assert_eq!(s.title("film").await?.progress, Progress::default());
    s.finish(TaskKind::Prepare, &prepared(1, 3)).await?;
    let planned = Progress {
        spans: 3,
        frames: 3 * SPAN_FRAMES,
        duration_ms: 36_000,
        cpu_ms: 400,
        ..Progress::default()
    };
    assert_eq!(s.title("film").await?.progress, planned);

    s.clock.advance_ms(5_000);
    s.finish(TaskKind::Audio(0), &good(TaskKind::Audio(0))).await?;
    let first = s.claim_kind(TaskKind::Span(0)).await?;
    let second = s.claim_kind(TaskKind::Span(1)).await?;
    s.clock.advance_ms(1_000);
    s.catalog.complete(&first.lease, &good(first.kind)).await?;
    s.catalog.renew(&second.lease, LEASE_MS, 120).await?;
    let under_way = Progress {
        spans_done: 1,
        frames_done: SPAN_FRAMES + 120,
        working_ms: 1_000,
        cpu_ms: 5_400,
        ..planned
    };
    assert_eq!(s.title("film").await?.progress, under_way);

    s.catalog.release(&second.lease).await?;
    assert_eq!(s.title("film").await?.progress.frames_done, SPAN_FRAMES);
    s.finish(TaskKind::Span(1), &good(TaskKind::Span(1))).await?;
    s.clock.advance_ms(1_000);
    s.finish(TaskKind::Span(2), &good(TaskKind::Span(2))).await?;
    s.clock.advance_ms(60_000);
    let done = Progress {
        spans_done: 3,
        frames_done: 3 * SPAN_FRAMES,
        working_ms: 2_000,
        cpu_ms: 10_400,
        ..planned
    };
    assert_eq!(s.title("film").await?.progress, done);
    assert_eq!(s.catalog.titles(&Tenant::default(), 1).await?[0].progress, done);
    Ok(())
}

/// The one that was asked for last is on top, at most as many as wanted.
pub async fn titles_are_listed_newest_first(s: Scene) -> Case {
    let names = async |limit| -> Result<Vec<String>, CatalogError> {
        let titles = s.catalog.titles(&Tenant::default(), limit).await?;
        Ok(titles.into_iter().map(|t| format!("{} {}", t.title, t.version)).collect())
    };
    for name in ["a", "b", "c"] {
        s.submit(name).await?;
        s.clock.advance_ms(1_000);
    }
    assert_eq!(names(10).await?, ["c v1", "b v1", "a v1"]);
    assert_eq!(names(2).await?, ["c v1", "b v1"]);
    assert_eq!(names(0).await?, [""; 0]);
    s.work().await?;
    s.submit("a").await?;
    assert_eq!(names(2).await?, ["a v2", "c v1"]);
    let a = s.title("a").await?;
    assert_eq!((a.created, a.updated), (s.clock.now(), s.clock.now()));
    Ok(())
}

/// By content and pipeline, whatever the title is called; true once viewers have got it.
pub async fn a_master_is_recognised(s: Scene) -> Case {
    let tenant = Tenant::default();
    let (first, second, pipeline) = (Sha256([1; 32]), Sha256([2; 32]), pipeline().sha256);
    s.submit("film").await?;
    assert_eq!(s.catalog.packages_of(&tenant, first, pipeline).await?, []);
    s.work().await?;
    s.submit("copy").await?;
    s.finish(TaskKind::Prepare, &prepared(1, 1)).await?;
    assert_eq!(
        s.catalog.packages_of(&tenant, first, pipeline).await?,
        [(package("copy", 1), false), (package("film", 1), true)]
    );
    assert_eq!(s.catalog.packages_of(&tenant, second, pipeline).await?, []);
    assert_eq!(s.catalog.packages_of(&tenant, first, first).await?, []);
    let other: Tenant = "other".parse().expect("a usable name");
    assert_eq!(s.catalog.packages_of(&other, first, pipeline).await?, []);
    Ok(())
}

/// A file that was replaced under its name is news.
pub async fn files_are_known_by_size_and_time(s: Scene) -> Case {
    let file = SeenFile {
        path: "/drop/film.mp4".to_owned(),
        bytes: u64::from(u32::MAX) + 1,
        modified_ns: 1_700_000_000_123_456_789,
    };
    assert!(!s.catalog.knows_file(&file).await?);
    assert!(s.catalog.remember_file(&file).await?);
    assert!(s.catalog.knows_file(&file).await?);
    assert!(!s.catalog.remember_file(&file).await?);
    for changed in [
        SeenFile { bytes: 5, ..file.clone() },
        SeenFile { bytes: 5, modified_ns: -1, ..file.clone() },
        file,
    ] {
        assert!(!s.catalog.knows_file(&changed).await?);
        assert!(s.catalog.remember_file(&changed).await?);
        assert!(!s.catalog.remember_file(&changed).await?);
    }
    Ok(())
}

/// A vendor's change, or another bucket, is not answered for by an old probe.
pub async fn a_profile_is_that_of_its_settings(s: Scene) -> Case {
    assert_eq!(s.catalog.profile("b2", "here").await?, None);
    let profile = |yes| Profile {
        answers: vec![Answer { question: Question::EtagIsMd5, yes, note: "as seen".to_owned() }],
    };
    s.catalog.keep_profile("b2", "here", &profile(true)).await?;
    s.clock.advance_ms(1_000);
    s.catalog.keep_profile("ibm", "there", &profile(false)).await?;
    let kept = s.catalog.profile("b2", "here").await?;
    let later = s.catalog.profile("ibm", "there").await?;
    assert_eq!(kept.as_ref().map(|(kept, _)| kept), Some(&profile(true)));
    assert_eq!(later.map(|(_, at)| at.0 - kept.map_or(0, |(_, at)| at.0)), Some(1_000));
    assert_eq!(s.catalog.profile("b2", "elsewhere").await?, None);
    s.catalog.keep_profile("b2", "elsewhere", &profile(false)).await?;
    assert_eq!(s.catalog.profile("b2", "here").await?, None, "one is kept");
    Ok(())
}

/// Audits go through them in the order in which origins list keys.
pub async fn holdings_are_in_key_order(s: Scene) -> Case {
    let tenant = Tenant::default();
    for name in ["film", "film-2", "film.x", "alone"] {
        s.submit(name).await?;
    }
    s.end(TaskKind::Prepare, Code::NoVideoTrack).await?;
    s.work().await?;
    s.submit("young").await?;
    let all = s.catalog.holdings(&tenant, None, 10).await?;
    let names = |all: &[Holding]| -> Vec<String> {
        all.iter().map(|holding| holding.title.to_string()).collect()
    };
    assert_eq!(names(&all), ["alone", "film-2", "film.x", "film", "young"]);
    let next = s.catalog.holdings(&tenant, Some("main/film-2/"), 2).await?;
    assert_eq!(names(&next), ["film.x", "film"]);
    assert_eq!(s.catalog.holdings(&tenant, Some("main/young/"), 2).await?, []);
    let film = s.catalog.holding(&tenant, &title("film")).await?.expect("it is known");
    assert_eq!((film.live, film.versions.len()), (None, 1));
    assert_eq!(film.versions[0].content, Content::Nothing, "it was refused");
    let alone = &all[0];
    let sealed =
        Content::Sealed { inventory: Sha256([9; 32]), pointers: vec![object("index.m3u8", 7)] };
    assert_eq!((alone.live, &alone.versions[0].content), (Some(Version(1)), &sealed));
    assert_eq!(all[4].versions[0].content, Content::InTheMaking);
    assert_eq!(s.catalog.holding(&tenant, &title("nobody")).await?, None);
    Ok(())
}

/// Long work goes on where it was.
pub async fn a_checkpoint_is_kept_until_it_is_forgotten(s: Scene) -> Case {
    assert_eq!(s.catalog.checkpoint("audit").await?, None);
    s.catalog.keep_checkpoint("audit", Some("here")).await?;
    s.catalog.keep_checkpoint("other", Some("elsewhere")).await?;
    s.clock.advance_ms(1_000);
    s.catalog.keep_checkpoint("audit", Some("there")).await?;
    let (there, later) = s.catalog.checkpoint("audit").await?.expect("it was kept");
    s.catalog.keep_checkpoint("audit", None).await?;
    assert_eq!(s.catalog.checkpoint("audit").await?, None);
    let (elsewhere, at) = s.catalog.checkpoint("other").await?.expect("it was kept");
    assert_eq!((there.as_str(), elsewhere.as_str(), later.0 - at.0), ("there", "elsewhere", 1_000));
    Ok(())
}
