//! Whatever is wrong behind the verifier's back keeps the title off the air, and the finding names the object (R5).

use expect_test::{Expect, expect};
use headwater_model::incident::How;
use headwater_model::refusal::Code;
use headwater_ports::origin::OriginErrorKind;
use headwater_testkit::digest::put;
use headwater_testkit::flaky::{Fail, Flaky};

use super::gated_origin::GatedOrigin;
use super::*;

const SEGMENT: &str = "video-360p/seg-00003.m4s";

/// Damages a package of one title each time it is sealed and checks what `status` says in the end. Twice: on an origin
/// that reports MD5s and on one that reports nothing.
async fn check(damage: impl Fn(&MemoryOrigin) + Copy + Send + Sync + 'static, expected: Expect) {
    for grade in [ProofGrade::B, ProofGrade::C] {
        let lab = Lab::with_grade(grade);
        let engine = lab.engine_on(GatedOrigin::damaged_when_sealed(lab.origin.clone(), damage));
        engine.submit(&lab.title("film", "a film")).await.unwrap();
        let record = lab.work(&engine, "film").await;
        let told = lab.told(&record);
        // The digests are those of texts that this test is not about.
        expected.assert_eq(told.split(": its SHA-256").next().unwrap());
        assert_eq!(record.live, None);
        assert_eq!(lab.text("main/film/index.m3u8"), None, "{grade:?}");
        let findings = lab.found("film").await;
        assert!(record.state.refusal().unwrap().message.starts_with(&findings[0].to_string()));
    }
}

fn at(path: &str) -> ObjectKey {
    package("film", 1).key(path)
}

#[tokio::test(start_paused = true)]
async fn a_deleted_segment() {
    check(
        |origin| origin.remove(&at(SEGMENT)),
        expect![
            "failed not-proven: `main/film/v1/video-360p/seg-00003.m4s` on origin lab is missing"
        ],
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn an_emptied_segment() {
    check(
        |origin| origin.empty(&at(SEGMENT)),
        expect!["failed not-proven: `main/film/v1/video-360p/seg-00003.m4s` on origin lab is empty (it should have 4336 bytes)"],
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_truncated_segment() {
    check(
        |origin| origin.truncate(&at(SEGMENT), 100),
        expect!["failed not-proven: `main/film/v1/video-360p/seg-00003.m4s` on origin lab is truncated: 100 of 4336 bytes are there"],
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn an_altered_segment() {
    check(
        |origin| origin.alter(&at(SEGMENT)),
        expect![
            "failed not-proven: `main/film/v1/video-360p/seg-00003.m4s` on origin lab is altered"
        ],
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn an_altered_init_segment() {
    check(
        |origin| origin.alter(&at("audio-en/init.mp4")),
        expect!["failed not-proven: `main/film/v1/audio-en/init.mp4` on origin lab is altered"],
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_lost_inventory() {
    check(
        |origin| origin.remove(&at("inventory.jsonl")),
        expect!["failed not-proven: `main/film/v1/inventory.jsonl` on origin lab is missing"],
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_cut_off_inventory() {
    check(
        |origin| origin.truncate(&at("inventory.jsonl"), 500),
        expect!["failed not-proven: `main/film/v1/inventory.jsonl` on origin lab is altered"],
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn an_emptied_inventory() {
    check(
        |origin| origin.empty(&at("inventory.jsonl")),
        expect!["failed not-proven: `main/film/v1/inventory.jsonl` on origin lab is empty"],
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn several_things_at_once_are_counted() {
    check(
        |origin| {
            origin.remove(&at(SEGMENT));
            origin.empty(&at("audio-en/seg-00001.m4s"));
            origin.truncate(&at("manifest.mpd"), 10);
        },
        expect!["failed not-proven: `main/film/v1/audio-en/seg-00001.m4s` on origin lab is empty (it should have 2950 bytes) (and 1 more)"],
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_segment_that_cannot_be_read_is_listed_but_unreadable_and_made_again() {
    let lab = Lab::new();
    let damage = |origin: &MemoryOrigin| origin.make_unreadable(&at(SEGMENT));
    let engine = lab.engine_on(GatedOrigin::damaged_when_sealed(lab.origin.clone(), damage));
    engine.submit(&lab.title("film", "a film")).await.unwrap();
    let record = lab.work(&engine, "film").await;
    expect!["failed not-proven: `main/film/v1/video-360p/seg-00003.m4s` on origin lab is listed but cannot be read: the object cannot be read"]
        .assert_eq(&lab.told(&record));
    assert_eq!(lab.history("film").await.matches("span 2, seal: not-proven").count(), 2);
}

#[tokio::test(start_paused = true)]
async fn rot_that_the_listing_hides_is_found_where_reading_back_is_asked_for() {
    let rot = |origin: &MemoryOrigin| origin.rot(&at(SEGMENT));
    let lab = Lab { verify: Verify::Read, ..Lab::new() };
    let engine = lab.engine_on(GatedOrigin::damaged_when_sealed(lab.origin.clone(), rot));
    engine.submit(&lab.title("film", "a film")).await.unwrap();
    let told = lab.told(&lab.work(&engine, "film").await);
    assert!(
        told.contains("`main/film/v1/video-360p/seg-00003.m4s` on origin lab is altered"),
        "{told}"
    );
}

#[tokio::test(start_paused = true)]
async fn an_upload_that_was_acknowledged_and_lost_is_found() {
    let lab = Lab::new();
    let fails = vec![Fail::DropPuts { containing: "audio-en/seg-00002" }];
    let engine = lab.engine_on(Arc::new(Flaky::new(lab.origin.clone(), fails)));
    engine.submit(&lab.title("film", "a film")).await.unwrap();
    let record = lab.work(&engine, "film").await;
    expect!["failed not-proven: `main/film/v1/audio-en/seg-00002.m4s` on origin lab is missing"]
        .assert_eq(&lab.told(&record));
}

#[tokio::test(start_paused = true)]
async fn a_live_title_is_proven_with_its_pointers() {
    let lab = Lab::new();
    lab.make(&lab.title("film", "a film")).await;
    let (tenant, title) = (Tenant::default(), "film".parse().unwrap());
    let engine = lab.engine();
    let [proof] = <[_; 1]>::try_from(engine.verify(&tenant, &title, None).await.unwrap()).unwrap();
    assert_eq!(proof.findings, []);
    assert_eq!((proof.objects, proof.read_back), (21, 5));

    lab.origin.truncate(&ObjectKey::new("main/film/index.m3u8").unwrap(), 20);
    lab.origin.remove(&ObjectKey::new("main/film/manifest.mpd").unwrap());
    let (segment, _) = lab.origin.object(&at(SEGMENT)).unwrap();
    lab.origin.remove(&at(SEGMENT));
    let [proof] = <[_; 1]>::try_from(engine.verify(&tenant, &title, None).await.unwrap()).unwrap();
    let told: Vec<_> = proof.findings.iter().map(ToString::to_string).collect();
    expect![[r#"
        `main/film/v1/video-360p/seg-00003.m4s` on origin lab is missing
        `main/film/index.m3u8` on origin lab is truncated: 20 of 584 bytes are there
        `main/film/manifest.mpd` on origin lab is missing"#]]
    .assert_eq(&told.join("\n"));
    assert_eq!(lab.found("film").await, proof.findings, "what a person found is not forgotten");
    lab.origin.put(put(at(SEGMENT).as_str(), segment)).await.unwrap();
    let [proof] = <[_; 1]>::try_from(engine.verify(&tenant, &title, None).await.unwrap()).unwrap();
    assert_eq!((lab.found("film").await, proof.findings.len()), (proof.findings, 2));
    assert!(engine.verify(&tenant, &"other".parse().unwrap(), None).await.is_err());
}

/// A title that is proven, and that nobody has published for an hour.
async fn proven_an_hour_ago(lab: &Lab) {
    let engine = lab.engine();
    engine.submit(&lab.title("film", "a film")).await.unwrap();
    let service = Service::start_as(&engine, &[Role::Worker, Role::Verifier]);
    lab.wait("film", |record| record.state.name() == "publishing").await;
    service.stop().await;
    sleep(Duration::from_secs(3_600)).await;
}

#[tokio::test(start_paused = true)]
async fn what_is_lost_between_proof_and_publication_is_made_again_before_viewers_get_it() {
    for path in [SEGMENT, "manifest.mpd", "inventory.jsonl"] {
        let lab = Lab::new();
        proven_an_hour_ago(&lab).await;
        lab.origin.remove(&at(path));
        let told = lab.told(&lab.work(&lab.engine(), "film").await);
        let history = lab.history("film").await;
        assert_eq!(told, "published", "{path}:\n{history}");
        assert!(lab.origin.object(&at(path)).is_some());
        assert!(history.contains("publish found something lost"), "{history}");
        assert_eq!(lab.found("film").await, []);
        let (tenant, title) = (Tenant::default(), "film".parse().unwrap());
        let all = lab.catalog.incidents(&tenant, Some(&title), true, 9).await.unwrap();
        let of_it = all.iter().filter(|incident| incident.finding.object == at(path).as_str());
        let mended: Vec<_> = of_it.map(|incident| incident.mended.clone()).collect();
        if path == SEGMENT {
            assert_eq!(mended, [Some(How::MadeAgain)]);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_publication_that_was_given_up_is_taken_up_with_a_new_proof() {
    let lab = Lab::new();
    proven_an_hour_ago(&lab).await;
    let away = lab.engine_on(Arc::new(Flaky::new(lab.origin.clone(), vec![Fail::Away])));
    let record = lab.work(&away, "film").await;
    assert_eq!(record.state.refusal().unwrap().code, Code::OriginUnavailable);
    lab.origin.remove(&at("inventory.jsonl"));
    lab.origin.remove(&at(SEGMENT));
    let told = lab.told(&lab.make(&lab.title("film", "a film")).await);
    assert_eq!(told, "published", "{}", lab.history("film").await);
    assert!(lab.origin.object(&at(SEGMENT)).is_some());
}

#[tokio::test(start_paused = true)]
async fn reads_that_nobody_answers_are_waited_for_and_no_loss() {
    let kinds = [OriginErrorKind::Unavailable, OriginErrorKind::Denied];
    for (kind, containing) in kinds.into_iter().flat_map(|k| [(k, "seg-0"), (k, "media.m3u8")]) {
        let lab = Lab::new();
        let fails = vec![Fail::Gets { containing, kind }];
        let engine = lab.engine_on(Arc::new(Flaky::new(lab.origin.clone(), fails)));
        engine.submit(&lab.title("film", "a film")).await.unwrap();
        let service = Service::start(&engine);
        lab.wait_for(|history| history.contains("verify failed (attempt 20)")).await;
        service.stop().await;
        let found = lab.found("film").await;
        assert!(found.iter().all(|finding| finding.kind.is_unanswered()), "{found:?}");
        let made = lab.transcoder.calls().len();
        assert_eq!(lab.told(&lab.work(&lab.engine(), "film").await), "published");
        assert_eq!(lab.transcoder.calls().len(), made, "nothing is made again");
    }
}
