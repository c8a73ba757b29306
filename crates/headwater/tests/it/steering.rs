//! People steer the queue while it works: titles are held, hurried and given up, tasks are tried again, and everybody sees
//! who works on what.

use std::fs;

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::masters;
use crate::roles::Process;
use crate::run::{Ran, Site, wait_until};

/// A service that transcodes one thing at a time.
const ONE_SLOT: [&str; 4] = ["up", "--slots=1", "--name=service", "--drain-timeout=0.2"];

fn objects(ran: &Ran) -> Vec<Value> {
    assert_eq!(ran.code, Some(0), "{ran}");
    ran.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// `headwater tasks --json` with these arguments.
fn tasks(site: &Site, arguments: &[&str]) -> Vec<Value> {
    objects(&site.run([&["--json", "tasks"], arguments].concat()))
}

/// The one worker that there is.
fn worker(site: &Site) -> Value {
    let workers = objects(&site.run(["--json", "workers"]));
    assert_eq!(workers.len(), 1, "{workers:?}");
    workers[0].clone()
}

/// Queues a master without doing anything.
fn queue(site: &Site, title: &str, more: &[&str]) {
    let master = masters::SILENT.path();
    let pipeline = site.quick(4);
    let ingest = ["ingest", master.to_str().unwrap(), "--title", title, "--pipeline", &pipeline];
    let ran = site.run([&ingest[..], &["--again"], more].concat());
    assert_eq!(ran.code, Some(0), "{ran}");
}

fn is_done(site: &Site, arguments: &[&str]) -> Ran {
    let ran = site.run(arguments);
    assert_eq!(ran.code, Some(0), "{ran}");
    ran
}

/// An order that is refused, with these words and a hint.
fn is_refused(site: &Site, arguments: &[&str], why: &str) {
    let ran = site.run(arguments);
    assert_eq!(ran.code, Some(1), "{ran}");
    assert!(ran.stderr.contains(why) && ran.stderr.contains("\nhint: "), "{ran}");
    let json = site.run([&["--json"], arguments].concat());
    let line = json.last_line();
    assert_eq!(json.code, Some(1), "{json}");
    assert!(line["message"].as_str().unwrap().contains(why), "{json}");
    assert!(!line["next_step"].as_str().unwrap().is_empty(), "{json}");
}

/// When a title's master was read.
fn begun(site: &Site, title: &str) -> i64 {
    let status = site.status(title);
    let events = status["events"].as_array().unwrap();
    let read = |event: &&Value| event["text"].as_str().unwrap().starts_with("master read");
    events.iter().find(read).unwrap_or_else(|| panic!("{status}"))["at"].as_i64().unwrap()
}

#[test]
fn held_titles_wait_and_urgent_ones_go_first() {
    let site = Site::new();
    assert_eq!(site.run(["origin", "list"]).code, Some(0), "makes a catalog");
    let nobody = site.run(["workers"]);
    assert!(nobody.stdout.starts_with("no worker was heard of"), "{nobody}");
    let nothing = site.run(["tasks"]);
    assert!(nothing.stdout.starts_with("no open tasks"), "{nothing}");

    queue(&site, "held", &[]);
    queue(&site, "late", &["--priority=low"]);
    queue(&site, "usual", &[]);
    queue(&site, "early", &[]);
    let held = is_done(&site, &["title", "hold", "held"]);
    assert!(held.stdout.starts_with("held  held: nothing more of it is begun"), "{held}");
    let master = masters::SILENT.path();
    let again = ["ingest", master.to_str().unwrap(), "--title=held", "--pipeline=quick-4.toml"];
    let again = is_done(&site, &again);
    assert!(again.stderr.contains("`held` is held, nothing of it is begun"), "{again}");
    is_done(&site, &["title", "priority", "early", "urgent"]);

    let of =
        |task: &Value| (task["title"].clone(), task["state"].clone(), task["priority"].clone());
    let found: Vec<_> = tasks(&site, &[]).iter().map(of).collect();
    let expected = [
        (json!("held"), json!("held"), json!("normal")),
        (json!("late"), json!("queued"), json!("low")),
        (json!("usual"), json!("queued"), json!("normal")),
        (json!("early"), json!("queued"), json!("urgent")),
    ];
    assert_eq!(found, expected);
    assert_eq!(tasks(&site, &["--state=held,waiting"]).len(), 1);
    assert_eq!(tasks(&site, &["late"]).len(), 1);
    assert_eq!(tasks(&site, &["--state=done"]).len(), 0);
    let few = site.run(["tasks", "--limit=3"]);
    assert_eq!(few.stdout.lines().count(), 4, "{few}");
    assert!(few.stderr.starts_with("1 task left out: "), "{few}");
    assert!(few.stderr.contains("hint: no service is running in this data folder"), "{few}");
    let status = site.status("held");
    assert_eq!((&status["held"], &status["priority"]), (&json!(true), &Value::Null), "{status}");
    let status = site.status("early");
    assert_eq!(
        (&status["held"], &status["priority"]),
        (&Value::Null, &json!("urgent")),
        "{status}"
    );
    let all = site.run(["status"]).stdout;
    assert!(all.contains("queued  [held]\n") && all.contains("queued  [urgent]\n"), "{all}");

    is_refused(&site, &["title", "hold", "held"], "`held` stays as it is: it is held already");
    is_refused(&site, &["title", "release", "late"], "stays as it is: it is not held");
    is_refused(&site, &["title", "hold", "heldd"], "there is no title `heldd`");
    assert!(site.run(["title", "hold", "heldd"]).stderr.contains("did you mean `held`?"));
    is_refused(&site, &["tasks", "heldd"], "there is no title `heldd`");
    for senseless in [
        &["title", "priority", "late", "urgnt"][..],
        &["tasks", "--state=leasd"],
        &["tasks", "--limit=0"],
        &["task", "retry", "0"],
    ] {
        assert_eq!(site.run(senseless).code, Some(2), "{senseless:?}");
    }
    let stranger = site.run(["tasks", "--worker=nobody"]);
    assert!(stranger.stderr.contains("no worker `nobody` was heard of"), "{stranger}");

    let service = Process::start(&site, "service.log", &ONE_SLOT);
    let alive = worker(&site);
    assert_eq!((&alive["name"], &alive["state"]), (&json!("service"), &json!("alive")), "{alive}");
    assert_eq!((&alive["slots"], &alive["pool"]), (&json!(1), &json!("cpu")), "{alive}");
    assert_eq!(alive["roles"], json!(["worker", "verify", "archive"]), "{alive}");
    for title in ["early", "usual", "late"] {
        let film = site.run(["--json", "status", "--follow", title]).last_line();
        assert_eq!(film["state"], "published", "{film}");
    }
    let order = ["early", "usual", "late"].map(|title| begun(&site, title));
    assert!(order.is_sorted(), "{order:?}");
    assert_eq!(site.status("held")["state"], "queued", "it is held still");

    is_done(&site, &["title", "release", "held"]);
    let film = site.run(["--json", "status", "--follow", "held"]).last_line();
    assert_eq!((&film["state"], &film["held"]), (&json!("published"), &Value::Null), "{film}");
    is_refused(&site, &["title", "cancel", "held"], "stays as it is: nothing is being made of it");
    is_done(&site, &["retranscode", "early", "--priority=normal"]);
    assert_eq!(site.status("early")["priority"], Value::Null);

    assert_eq!(service.end(Signal::TERM).code, Some(0));
    let gone = worker(&site);
    assert_eq!((&gone["name"], &gone["state"]), (&json!("service"), &json!("left")), "{gone}");
    let text = site.run(["workers"]).stdout;
    assert!(text.lines().nth(1).unwrap().starts_with("service  left"), "{text}");
}

#[test]
fn what_is_under_way_is_cancelled_and_taken_up_again() {
    let site = Site::new();
    let service = Process::start(&site, "service.log", &ONE_SLOT);
    let master = masters::LARGER.path();
    let master = master.to_str().unwrap();
    is_done(&site, &["ingest", master, "--title=film", "--pipeline=vod-h264"]);
    wait_until("it transcodes", || site.status("film")["state"] == "transcoding");
    wait_until("a child works", || !site.children().is_empty());
    let mine = tasks(&site, &["--worker=service", "--state=leased"]);
    assert_eq!(mine.len(), 1, "{mine:?}");
    assert_eq!((&mine[0]["tries"], &mine[0]["worker"]), (&json!(1), &json!("service")), "{mine:?}");
    let in_hand = format!("film v1 {}", mine[0]["kind"].as_str().unwrap());
    assert_eq!(worker(&site)["tasks"], json!([in_hand]));
    let number = mine[0]["task"].to_string();
    is_refused(&site, &["task", "retry", &number], "stays as it is: a worker is at it");

    let cancelled = is_done(&site, &["title", "cancel", "film"]);
    assert!(cancelled.stderr.contains("ngest it again"), "{cancelled}");
    let film = site.status("film");
    assert_eq!((&film["state"], &film["code"]), (&json!("failed"), &json!("cancelled")), "{film}");
    assert_eq!(tasks(&site, &[]).len(), 0, "nothing is open");
    wait_until("its child is stopped", || site.children().is_empty());

    is_done(&site, &["task", "retry", &number]);
    let film = site.run(["--json", "status", "--follow", "film"]).last_line();
    assert_eq!((&film["state"], &film["version"]), (&json!("published"), &json!(1)), "{film}");
    is_refused(&site, &["task", "retry", &number], "stays as it is: it is done");
    is_refused(&site, &["task", "cancel", &number], "stays as it is: it is over");
    is_refused(&site, &["task", "cancel", "4711"], "there is no task 4711");
    assert_eq!(service.end(Signal::TERM).code, Some(0));
}

#[test]
fn a_task_that_failed_is_tried_again() {
    let site = Site::new();
    let master = site.path("film.mp4");
    fs::copy(masters::SILENT.path(), &master).unwrap();
    let pipeline = site.quick(4);
    is_done(&site, &["ingest", "film.mp4", "--pipeline", &pipeline]);
    fs::rename(&master, site.path("away.mp4")).unwrap();
    let service = Process::start(&site, "service.log", &ONE_SLOT);
    let film = site.run(["--json", "status", "--follow", "film"]).last_line();
    assert_eq!(
        (&film["state"], &film["code"]),
        (&json!("failed"), &json!("master-gone")),
        "{film}"
    );
    let failed = tasks(&site, &["film", "--state=failed"]);
    assert_eq!(failed.len(), 1, "{failed:?}");
    assert_eq!(
        (&failed[0]["kind"], &failed[0]["code"]),
        (&json!("prepare"), &json!("master-gone"))
    );
    let text = is_done(&site, &["tasks", "--state=failed"]).stdout;
    assert!(text.contains("master-gone: "), "{text}");

    fs::rename(site.path("away.mp4"), &master).unwrap();
    let number = failed[0]["task"].to_string();
    is_done(&site, &["title", "hold", "film"]);
    let answer = site.run(["--json", "task", "retry", &number]).last_line();
    let held = json!({ "task": failed[0]["task"], "order": "retry", "done": true, "held": true });
    assert_eq!(answer, held);
    is_done(&site, &["title", "release", "film"]);
    let film = site.run(["--json", "status", "--follow", "film"]).last_line();
    assert_eq!(film["state"], "published", "{film}");
    assert_eq!(service.end(Signal::TERM).code, Some(0));
}
