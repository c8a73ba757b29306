//! Titles on several origins: what has to be on all of them, and what goes on when one is away.

use headwater_testkit::flaky::{Fail, Flaky};

use super::*;

/// Two origins, `lab` and `second`, of which `required` have to prove a package and `min_copies` in all.
fn stores(
    first: Arc<dyn Origin>,
    second: Arc<dyn Origin>,
    required: &[&str],
    min: usize,
) -> Stores {
    let policy = Policy {
        origins: vec!["lab".to_owned(), "second".to_owned()],
        required: required.iter().map(|name| (*name).to_owned()).collect(),
        min_copies: min,
        ..Policy::of_one("lab")
    };
    Stores::new(&[first, second], policy).unwrap()
}

fn second() -> Arc<MemoryOrigin> {
    // Of another grade and page size: no origin is asked in another's way.
    Arc::new(MemoryOrigin::new("second").with_grade(ProofGrade::C).with_page(3))
}

#[tokio::test(start_paused = true)]
async fn both_origins_end_with_the_same_objects() {
    let (lab, other) = (Lab::new(), second());
    let stores = stores(lab.origin.clone(), other.clone(), &["lab", "second"], 2);
    let engine = lab.engine_with(lab.catalog.clone(), stores);
    engine.submit(&lab.title("film", "a film")).await.unwrap();
    assert_eq!(lab.told(&lab.work(&engine, "film").await), "published");
    assert_eq!(lab.origin.keys(), other.keys());
    for key in lab.origin.keys() {
        let key = ObjectKey::new(key).unwrap();
        assert_eq!(lab.origin.object(&key), other.object(&key), "{key}");
    }
    let history = lab.history("film").await;
    assert!(history.contains("proven: origins lab, second hold every object"), "{history}");
    let proofs = engine.verify(&Tenant::default(), &"film".parse().unwrap(), None).await.unwrap();
    let told: Vec<_> = proofs
        .iter()
        .map(|p| (p.origin.as_str(), p.objects, p.read_back, p.findings.len()))
        .collect();
    assert_eq!(told, [("lab", 21, 5, 0), ("second", 21, 21, 0)]);
}

#[tokio::test(start_paused = true)]
async fn a_package_that_a_required_origin_lost_a_part_of_is_live_nowhere() {
    let (lab, other) = (Lab::new(), second());
    let drops = vec![Fail::DropPuts { containing: "audio-en/init.mp4" }];
    let stores =
        stores(lab.origin.clone(), Arc::new(Flaky::new(other.clone(), drops)), &["second"], 1);
    let engine = lab.engine_with(lab.catalog.clone(), stores);
    engine.submit(&lab.title("film", "a film")).await.unwrap();
    let told = lab.told(&lab.work(&engine, "film").await);
    assert!(told.contains("on origin second is missing"), "{told}");
    for origin in [&lab.origin, &other] {
        assert!(!origin.keys().contains(&"main/film/index.m3u8".to_owned()));
    }
}

#[tokio::test(start_paused = true)]
async fn an_origin_that_undoes_what_is_put_right_is_given_time() {
    let (lab, other) = (Lab::new(), second());
    // What was made, and what three rounds of the first proof put right.
    let drops = vec![Fail::DropFirstPuts { containing: "audio-en/init.mp4", times: 5 }];
    let stores =
        stores(lab.origin.clone(), Arc::new(Flaky::new(other.clone(), drops)), &["second"], 1);
    let engine = lab.engine_with(lab.catalog.clone(), stores);
    engine.submit(&lab.title("film", "a film")).await.unwrap();
    assert_eq!(lab.told(&lab.work(&engine, "film").await), "published");
    assert_eq!(lab.origin.keys(), other.keys());
    let told = lab.history("film").await;
    assert!(told.contains("is missing"), "the first proof failed: {told}");
}

#[tokio::test(start_paused = true)]
async fn an_origin_that_is_not_needed_may_be_away() {
    let (lab, other) = (Lab::new(), second());
    let away = Arc::new(Flaky::new(other.clone(), vec![Fail::FirstPuts(u32::MAX)]));
    let stores = stores(lab.origin.clone(), away, &["lab"], 1);
    let engine = lab.engine_with(lab.catalog.clone(), stores);
    engine.submit(&lab.title("film", "a film")).await.unwrap();
    assert_eq!(lab.told(&lab.work(&engine, "film").await), "published");
    assert_eq!(other.keys(), Vec::<String>::new());
    let record = lab.catalog.package(&package("film", 1)).await.unwrap().unwrap();
    assert_eq!(record.proven_on, ["lab"]);
    let findings = lab.found("film").await;
    assert!(findings.iter().all(|f| f.origin == "second"), "{findings:?}");
    assert!(!findings.is_empty(), "what is not there is said");
}

#[tokio::test(start_paused = true)]
async fn too_few_copies_are_not_enough() {
    let (lab, other) = (Lab::new(), second());
    let away = Arc::new(Flaky::new(other, vec![Fail::FirstPuts(u32::MAX)]));
    let stores = stores(lab.origin.clone(), away, &["lab"], 2);
    let engine = lab.engine_with(lab.catalog.clone(), stores);
    engine.submit(&lab.title("film", "a film")).await.unwrap();
    let told = lab.told(&lab.work(&engine, "film").await);
    assert!(told.starts_with("failed origin-unavailable: origin second"), "{told}");
    assert_eq!(lab.text("main/film/index.m3u8"), None);
}

#[tokio::test(start_paused = true)]
async fn a_pipeline_may_ask_for_less_or_more_than_is_configured() {
    let asks = |required: &[&str], verify| PublishRules {
        required: Some(required.iter().map(|name| (*name).to_owned()).collect()),
        min_copies: None,
        verify,
    };
    for (rules, expected) in [
        (PublishRules::default(), "failed origin-unavailable: origin second"),
        (asks(&["lab"], Some(Verify::Read)), "published"),
        (
            asks(&["third"], None),
            "rejected pipeline-mismatch: the pipeline `vod` asks for proof that cannot be had: there is no origin `third` that holds packages (there are: lab, second)",
        ),
        (
            asks(&["lab"], Some(Verify::Edge)),
            "rejected pipeline-mismatch: the pipeline `vod` asks for proof that cannot be had: no origin has an edge to prove anything through",
        ),
    ] {
        let lab = Lab { publish: rules.clone(), ..Lab::new() };
        let away = Arc::new(Flaky::new(second(), vec![Fail::FirstPuts(u32::MAX)]));
        let stores = stores(lab.origin.clone(), away, &["lab", "second"], 2);
        let engine = lab.engine_with(lab.catalog.clone(), stores);
        engine.submit(&lab.title("film", "a film")).await.unwrap();
        let told = lab.told(&lab.work(&engine, "film").await);
        assert!(told.starts_with(expected), "{rules:?}: {told}");
        if told == "published" {
            let proofs = engine.verify(&Tenant::default(), &"film".parse().unwrap(), None).await;
            let proofs = proofs.unwrap();
            assert_eq!(proofs[0].read_back, proofs[0].objects, "as the pipeline asks");
        }
    }
}
