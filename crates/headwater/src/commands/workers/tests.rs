//! How workers are shown.

use expect_test::expect;
use headwater_model::task;
use headwater_model::worker::Worker;

use super::*;

const NOW: Timestamp = Timestamp(1_800_000_000_000);

fn worker(name: &str, state: WorkerState, quiet_ms: i64) -> WorkerRecord {
    WorkerRecord {
        worker: Worker {
            name: name.to_owned(),
            instance: "a".to_owned(),
            version: "1.2.3".to_owned(),
            pool: "cpu".to_owned(),
            roles: vec![task::Role::Worker],
            slots: 2,
            memory_mb: None,
            elements: None,
        },
        since: NOW.plus_ms(-3_600_000),
        beat: NOW.plus_ms(-quiet_ms),
        state,
        tasks: vec![],
        duties: vec![],
    }
}

fn some() -> Vec<WorkerRecord> {
    let mut service = worker("service", WorkerState::Alive, 2_000);
    service.worker.roles =
        vec![task::Role::Worker, task::Role::Verifier, task::Role::Publisher, task::Role::Archiver];
    service.duties = vec![Duty::Watch, Duty::Audit];
    service.tasks = vec!["film v1 span 1".to_owned(), "film v1 span 2".to_owned()];
    let mut gpu = worker("gpu-1", WorkerState::Silent, 754_000);
    gpu.worker.pool = "gpu".to_owned();
    gpu.worker.memory_mb = Some(4096);
    gpu.worker.elements = Some(["x264enc", "avenc_aac"].map(str::to_owned).into());
    vec![service, gpu, worker("rolled", WorkerState::Left, 60_000)]
}

#[test]
fn people_see_a_row_for_each_and_what_it_has_in_hand() {
    let text = table(&some(), NOW).join("\n");
    expect![[r#"
        WORKER   STATE                   VERSION  POOL  ROLES                              SLOTS  MEMORY   HEARD OF
        service  alive                   1.2.3    cpu   watch,worker,verify,archive,audit  2               2 s ago
          in hand  film v1 span 1
          in hand  film v1 span 2
        gpu-1    silent for 12 min 34 s  1.2.3    gpu   worker                             2      4096 MB  12 min 34 s ago
        rolled   left                    1.2.3    cpu   worker                             2               1 min 00 s ago"#]]
    .assert_eq(&text);
}

#[test]
fn scripts_get_what_is_known() {
    let lines: Vec<String> = some()
        .iter()
        .map(|record| serde_json::to_string(&WorkerReport::from(record)).unwrap())
        .collect();
    expect![[r#"
        {"name":"service","state":"alive","version":"1.2.3","pool":"cpu","roles":["watch","worker","verify","archive","audit"],"slots":2,"tasks":["film v1 span 1","film v1 span 2"],"since":1799996400000,"heard_of":1799999998000}
        {"name":"gpu-1","state":"silent","version":"1.2.3","pool":"gpu","roles":["worker"],"slots":2,"memory_mb":4096,"encoders":["avenc_aac","x264enc"],"tasks":[],"since":1799996400000,"heard_of":1799999246000}
        {"name":"rolled","state":"left","version":"1.2.3","pool":"cpu","roles":["worker"],"slots":2,"tasks":[],"since":1799996400000,"heard_of":1799999940000}"#]].assert_eq(&lines.join("\n"));
}
