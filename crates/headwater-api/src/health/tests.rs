//! What the probes say of processes that are well, stuck, cut off from the catalog and about to end.

use std::sync::Mutex;

use expect_test::{Expect, expect};

use super::*;
use crate::health as router_of;
use crate::tests::{ask, scene};

fn roles() -> Vec<(&'static str, Vec<&'static str>)> {
    vec![("worker", vec!["worker"]), ("verify", vec!["verify", "publish"]), ("http", vec![])]
}

fn vitals(is_draining: bool, loops: &[(&'static str, u64)]) -> Vitals {
    let loops = loops.iter().map(|(name, ms)| (*name, Duration::from_millis(*ms))).collect();
    Vitals { is_draining, loops, heard_of: HeardOf::NotNeeded }
}

const WELL: [(&str, u64); 3] = [("worker", 312), ("verify", 2), ("publish", 999)];

fn check(answer: &Answer, expected: Expect) {
    let checks = answer.checks.iter().chain(&answer.roles);
    let line = |check: &Check| {
        format!("{} {}: {}\n", if check.ok { "+" } else { "-" }, check.name, check.message)
    };
    expected.assert_eq(&(format!("{}\n", answer.status) + &checks.map(line).collect::<String>()));
}

#[test]
fn a_process_that_is_well_is_alive_and_ready() {
    let well = vitals(false, &WELL);
    check(
        &liveness(&well),
        expect![[r#"
            alive
            + worker: the loop `worker` turned 312 ms ago
            + verify: the loop `verify` turned 2 ms ago
            + publish: the loop `publish` turned 999 ms ago
        "#]],
    );
    check(
        &readiness(&roles(), &well, Ok(Duration::from_millis(3))),
        expect![[r#"
            ready
            + catalog: answered in 3 ms
            + work: new work is taken
            + worker: works
            + verify: works
            + http: works
        "#]],
    );
}

#[test]
fn who_works_is_ready_while_the_catalog_takes_down_that_it_is_there() {
    let ready = |heard_of| {
        let vitals = Vitals { heard_of, ..vitals(false, &WELL) };
        assert_eq!(liveness(&vitals).status, "alive", "it is no reason to start again");
        let answer = readiness(&roles(), &vitals, Ok(Duration::ZERO));
        (answer.status, answer.checks.last().map(|check| check.message.clone()).unwrap())
    };
    let said = |status, message: &str| (status, message.to_owned());
    assert_eq!(ready(HeardOf::Never), said("not-ready", "the catalog does not know of it yet"));
    assert_eq!(
        ready(HeardOf::Ago(Duration::from_secs(29))),
        said("ready", "the catalog heard of it 29 s ago")
    );
    assert_eq!(
        ready(HeardOf::Ago(Duration::from_secs(30))),
        said("not-ready", "the catalog has not taken down for 30 s that it is there")
    );
}

#[test]
fn a_loop_that_does_not_turn_is_neither_alive_nor_ready() {
    let stuck = vitals(false, &[("worker", 17_400), ("verify", 1), ("publish", 1)]);
    check(
        &liveness(&stuck),
        expect![[r#"
            stuck
            - worker: the loop `worker` has not turned for 17 s
            + verify: the loop `verify` turned 1 ms ago
            + publish: the loop `publish` turned 1 ms ago
        "#]],
    );
    check(
        &readiness(&roles(), &stuck, Ok(Duration::ZERO)),
        expect![[r#"
            not-ready
            + catalog: answered in 0 ms
            + work: new work is taken
            - worker: the loop `worker` has not turned for 17 s
            + verify: works
            + http: works
        "#]],
    );
}

#[test]
fn a_process_that_drains_is_alive_and_not_ready() {
    let draining = vitals(true, &[("worker", 10)]);
    assert_eq!(liveness(&draining).status, "alive");
    check(
        &readiness(&roles(), &draining, Ok(Duration::ZERO)),
        expect![[r#"
            draining
            + catalog: answered in 0 ms
            - work: draining: what is under way is finished, nothing new is taken
            + worker: works
            - verify: the loop `verify` has ended
            + http: works
        "#]],
    );
}

#[test]
fn a_process_that_has_just_started_is_not_ready_yet() {
    check(
        &readiness(&roles(), &vitals(false, &[]), Ok(Duration::ZERO)),
        expect![[r#"
            not-ready
            + catalog: answered in 0 ms
            + work: new work is taken
            - worker: the loop `worker` has not begun
            - verify: the loop `verify` has not begun
            + http: works
        "#]],
    );
}

#[tokio::test]
async fn probes_get_the_status_that_they_go_by() {
    let now = Arc::new(Mutex::new(vitals(false, &WELL)));
    let catalog = scene().catalog;
    let seen = now.clone();
    let seen = Arc::new(move || seen.lock().expect("vitals").clone());
    let router = router_of(Health { catalog, roles: roles(), vitals: seen });
    for (vitals, live, ready) in [
        (vitals(false, &WELL), 200, 200),
        (vitals(true, &WELL), 200, 503),
        (vitals(false, &[("worker", 60_000)]), 503, 503),
    ] {
        *now.lock().expect("vitals") = vitals;
        for (path, status) in [("/livez", live), ("/readyz", ready)] {
            let reply = ask(&router, &format!("GET {path}")).await;
            assert_eq!(reply.status.as_u16(), status, "{path}: {}", reply.text());
            assert_eq!(reply.header("cache-control"), "no-store");
        }
    }
    assert_eq!(ask(&router, "GET /").await.status, StatusCode::NOT_FOUND, "nothing else is there");
    assert_eq!(ask(&router, "POST /livez").await.status, StatusCode::METHOD_NOT_ALLOWED);
}

#[test]
fn a_catalog_that_is_away_makes_it_not_ready_and_leaves_it_alive() {
    let well = vitals(false, &WELL);
    assert_eq!(liveness(&well).status, "alive");
    let answer = readiness(&roles(), &well, Err("has not answered within 2 s".to_owned()));
    assert_eq!(answer.status, "not-ready");
    let broken: Vec<&Check> =
        answer.checks.iter().chain(&answer.roles).filter(|check| !check.ok).collect();
    assert!(matches!(broken[..], [Check { name: "catalog", .. }]));
}
