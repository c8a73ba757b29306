//! How tasks are shown.

use expect_test::expect;
use headwater_model::id::Tenant;
use headwater_model::key::PackageId;
use headwater_model::refusal::{Code, Refusal};
use headwater_model::task::{self, TaskKind};
use headwater_model::worker::{Worker, WorkerState};

use super::*;

const NOW: Timestamp = Timestamp(1_800_000_000_000);

fn task(number: i64, kind: TaskKind, state: TaskState) -> TaskRecord {
    let title = "film".parse().unwrap();
    TaskRecord {
        task: number,
        package: PackageId { tenant: Tenant::default(), title, version: Version(2) },
        kind,
        state,
        priority: Priority::Normal,
        needs: None,
        worker: None,
        attempts: 0,
        failures: 0,
        losses: 0,
        due: NOW.plus_ms(-10_000),
        started: None,
        updated: NOW.plus_ms(-20_000),
        frames: 0,
        frames_done: 0,
        trouble: None,
        last_words: None,
    }
}

fn leased() -> TaskRecord {
    TaskRecord {
        priority: Priority::Urgent,
        needs: Some(Needs::default()),
        worker: Some("first".to_owned()),
        attempts: 1,
        due: NOW.plus_ms(25_000),
        started: Some(NOW.plus_ms(-20_000)),
        frames: 1500,
        frames_done: 125,
        ..task(12, TaskKind::Span(1), TaskState::Leased)
    }
}

fn waiting() -> TaskRecord {
    TaskRecord {
        attempts: 2,
        failures: 1,
        losses: 1,
        due: NOW.plus_ms(65_000),
        frames: 1500,
        trouble: Some(Refusal::new(Code::TranscoderFailed, "the transcoder crashed")),
        last_words: Some("x264enc: no".to_owned()),
        ..task(13, TaskKind::Span(2), TaskState::Waiting)
    }
}

#[test]
fn people_see_where_each_stands() {
    let tasks = [
        task(9, TaskKind::Prepare, TaskState::Done),
        task(11, TaskKind::Audio(0), TaskState::Queued),
        leased(),
        waiting(),
        TaskRecord {
            worker: Some("gone".to_owned()),
            ..task(14, TaskKind::Span(3), TaskState::Silent)
        },
        task(15, TaskKind::Seal, TaskState::Held),
    ];
    expect![[r#"
        TASK  TITLE  VERSION  KIND     STATE    PRIORITY  WORKER  TRY  FRAMES    SINCE                   TROUBLE
        9     film   v2       prepare  done                                      20 s ago
        11    film   v2       audio 1  queued                                    for 10 s
        12    film   v2       span 2   leased   urgent    first   1    125/1500  for 20 s
        13    film   v2       span 3   waiting                    2    0/1500    next try in 1 min 05 s  transcoder-failed: the transcoder crashed
        14    film   v2       span 4   silent             gone                   for 10 s
        15    film   v2       seal     held"#]].assert_eq(&table(&tasks, NOW).join("\n"));
}

#[test]
fn what_is_as_usual_takes_no_room() {
    let lines = table(&[task(11, TaskKind::Verify, TaskState::Queued)], NOW);
    assert_eq!(lines[0], "TASK  TITLE  VERSION  KIND    STATE   SINCE");
}

#[test]
fn scripts_get_what_is_known() {
    let json = |task: &TaskRecord| serde_json::to_string(&TaskReport::of(task, &[])).unwrap();
    expect![[r#"{"task":12,"title":"film","version":2,"kind":"span 2","state":"leased","priority":"urgent","needs":{"pool":"cpu","elements":[],"plan":0,"memory_mb":0},"worker":"first","tries":1,"failures":0,"losses":0,"due":1800000025000,"started":1799999980000,"updated":1799999980000,"frames":1500,"frames_done":125}"#]].assert_eq(&json(&leased()));
    expect![[r#"{"task":13,"title":"film","version":2,"kind":"span 3","state":"waiting","priority":"normal","tries":2,"failures":1,"losses":1,"due":1800000065000,"updated":1799999980000,"frames":1500,"frames_done":0,"code":"transcoder-failed","message":"the transcoder crashed","last_words":"x264enc: no"}"#]].assert_eq(&json(&waiting()));
    let done = json(&task(9, TaskKind::Prepare, TaskState::Done));
    assert!(!done.contains("due"), "what is over is not due: {done}");
}

#[test]
fn what_is_left_out_is_counted_as_far_as_anybody_cares() {
    assert_eq!(
        left_out_in_words(7, 200),
        "7 tasks left out: --limit shows more than 200, --state and a title choose among them"
    );
    assert!(left_out_in_words(1000, 200).starts_with("1,000 tasks or more left out: "));
}

#[test]
fn what_nobody_can_take_is_pointed_out_once_for_each_thing_that_is_lacking() {
    let queued = |number, kind, pool: &str| TaskRecord {
        needs: Some(Needs { pool: pool.to_owned(), ..Needs::default() }),
        ..task(number, kind, TaskState::Queued)
    };
    let tasks = [
        queued(1, TaskKind::Span(0), "gpu"),
        queued(2, TaskKind::Span(1), "gpu"),
        queued(3, TaskKind::Span(2), "cpu"),
        queued(4, TaskKind::Seal, "cpu"),
        leased(),
        waiting(),
    ];
    let worker = WorkerRecord {
        worker: Worker {
            name: "w".to_owned(),
            instance: "a".to_owned(),
            version: "1.2.3".to_owned(),
            pool: "cpu".to_owned(),
            roles: vec![task::Role::Worker],
            slots: 1,
            memory_mb: None,
            elements: None,
        },
        since: NOW,
        beat: NOW,
        state: WorkerState::Alive,
        tasks: vec![],
        duties: vec![],
    };
    expect![[r#"
        1 task waits in vain, since no living worker has the role `verify`: start one with `headwater up --roles verify`
        2 tasks wait in vain, since no living worker is of the pool `gpu`: start one with `headwater worker --pool gpu`"#]]
    .assert_eq(&sentences(&tasks, std::slice::from_ref(&worker)).join("\n"));
    let report = TaskReport::of(&tasks[0], std::slice::from_ref(&worker));
    assert_eq!(report.stuck.as_deref(), Some("no living worker is of the pool `gpu`"));
    assert_eq!(TaskReport::of(&tasks[2], &[worker]).stuck, None);
}
