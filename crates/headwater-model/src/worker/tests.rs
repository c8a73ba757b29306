//! Names and silence of workers.

use super::*;
use crate::lane::Needs;

#[test]
fn two_of_one_name_are_told_apart() {
    let taken = ["w", "w-2"];
    let is_taken = |name: &str| taken.contains(&name);
    assert_eq!(free_name("w", is_taken), "w-3");
    assert_eq!(free_name("v", is_taken), "v");
}

#[test]
fn who_says_nothing_is_silent_unless_they_said_goodbye() {
    let now = Timestamp(SILENT_MS);
    let at = |said, beat| WorkerState::at(said, Timestamp(beat), now);
    assert_eq!(at(WorkerState::Alive, 0), WorkerState::Silent);
    assert_eq!(at(WorkerState::Alive, 1), WorkerState::Alive);
    assert_eq!(at(WorkerState::Draining, 1), WorkerState::Draining);
    assert_eq!(at(WorkerState::Left, 0), WorkerState::Left);
}

fn record(name: &str, pool: &str, has: Option<&[&str]>, memory_mb: Option<u32>) -> WorkerRecord {
    WorkerRecord {
        worker: Worker {
            name: name.to_owned(),
            instance: name.to_owned(),
            version: "1.2.3".to_owned(),
            pool: pool.to_owned(),
            roles: vec![Role::Worker],
            slots: 1,
            memory_mb,
            elements: has.map(|has| has.iter().map(|name| (*name).to_owned()).collect()),
        },
        since: Timestamp(0),
        beat: Timestamp(0),
        state: WorkerState::Alive,
        tasks: vec![],
        duties: vec![],
    }
}

fn needs(pool: &str, elements: &[&str], memory_mb: u32) -> Needs {
    let elements = elements.iter().map(|name| (*name).to_owned()).collect();
    Needs { pool: pool.to_owned(), elements, plan: crate::plan::FORMAT, memory_mb }
}

#[test]
fn what_nobody_can_take_says_what_is_lacking() {
    let lack = |role, needs: &Needs, workers: &[WorkerRecord]| {
        Lack::of(role, needs, workers).map_or("none".to_owned(), |lack| lack.to_string())
    };
    let small = record("small", "cpu", Some(&["x264enc", "avenc_aac"]), Some(1024));
    let bare = record("bare", "cpu", Some(&["avenc_aac"]), None);
    let film = needs("cpu", &["x264enc", "avenc_aac"], 1024);
    let workers = [small.clone(), bare.clone()];
    assert_eq!(lack(Role::Worker, &film, &workers), "none");
    assert_eq!(lack(Role::Publisher, &film, &workers), "no living worker has the role `verify`");
    assert_eq!(
        lack(Role::Worker, &Needs { pool: "gpu".to_owned(), ..film.clone() }, &workers),
        "no living worker is of the pool `gpu`"
    );
    assert_eq!(
        lack(Role::Worker, &needs("cpu", &["x264enc", "x265enc"], 0), &workers),
        "no living worker of the pool `cpu` has x265enc"
    );
    // Memory of one that has no encoder is none for it.
    assert_eq!(
        lack(Role::Worker, &needs("cpu", &["x264enc"], 1280), &workers),
        "a transcoder takes 1280 MB, and no living worker of the pool `cpu` has more than 1024 MB"
    );
    // Who did not say what it has is asked, and who goes takes nothing any more.
    assert_eq!(
        lack(Role::Worker, &needs("cpu", &["x265enc"], 9999), &[record("w", "cpu", None, None)]),
        "none"
    );
    for state in [WorkerState::Draining, WorkerState::Left, WorkerState::Silent] {
        let gone = WorkerRecord { state, ..small.clone() };
        assert_eq!(lack(Role::Worker, &film, &[gone]), "no living worker has the role `worker`");
    }
}
