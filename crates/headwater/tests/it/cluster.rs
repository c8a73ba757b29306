//! A cluster as on machines of their own: processes with a data folder each share one PostgreSQL and one origin, and any of
//! them, the database included, may go in the middle of a title.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use headwater_testkit::postgres::Server;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use crate::masters;
use crate::roles::Process;
use crate::run::{Ran, Site, program, quick_pipeline, tool, wait_until};

/// The shortest lease that can be configured, so that a test can wait until it is over.
const LEASE: (&str, &str) = ("HEADWATER_WORKER_LEASE_SECONDS", "15");

/// What every process of a cluster is told: where the catalog is, and the origin.
fn cluster(database: &str, more: &[(&str, &str)]) -> Site {
    let site = Site::new();
    let text = |path: PathBuf| path.to_str().unwrap().to_owned();
    let said = [
        ("HEADWATER_DATABASE", database.to_owned()),
        ("HEADWATER_ORIGINS_SHARED_KIND", "directory".to_owned()),
        ("HEADWATER_ORIGINS_SHARED_PATH", text(site.path("origin"))),
        ("HEADWATER_PIPELINES_DIR", text(site.path(""))),
        ("HEADWATER_PIPELINE", "quick-3".to_owned()),
    ];
    site.quick(3);
    let more = more.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    let said = said.map(|(name, value)| (name.to_owned(), value));
    site.with(said.into_iter().chain(more))
}

/// A machine on which nothing is known but where the database is.
fn elsewhere(database: &str) -> Site {
    Site::new().with([("HEADWATER_DATABASE".to_owned(), database.to_owned())])
}

/// Queues a master of five spans with a pipeline of the cluster's.
fn queue(cluster: &Site, title: &str, pipeline: &str) {
    let master = masters::MINUTE.path();
    let ingest = ["ingest", master.to_str().unwrap(), "--title", title, "--pipeline", pipeline];
    is_done(cluster, &[&["--data-dir=queueing"][..], &ingest].concat());
}

fn is_done(site: &Site, arguments: &[&str]) -> Ran {
    let ran = site.run(arguments);
    assert_eq!(ran.code, Some(0), "{arguments:?}: {ran}");
    ran
}

/// What a command lists with `--json`.
fn list(site: &Site, arguments: &[&str]) -> Vec<Value> {
    let ran = is_done(site, &[&["--json"], arguments].concat());
    ran.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The fields of this name, of objects in a row.
fn each(objects: &[Value], field: &str) -> Vec<Value> {
    objects.iter().map(|object| object[field].clone()).collect()
}

/// Waits until nothing more happens to a title, which has to be published.
fn is_published(site: &Site, title: &str) {
    let film = site.run(["--json", "status", "--follow", title]).last_line();
    assert_eq!(film["state"], "published", "{film}");
}

/// Waits until the cluster knows workers of these names.
fn are_known(site: &Site, names: &[&str]) {
    wait_until("the workers are known", || each(&list(site, &["workers"]), "name") == names);
}

/// The transcoder children of the process with this data folder.
fn children(site: &Site, data: &str) -> Vec<Pid> {
    let spool = format!("{}/", site.path(data).join("spool").display());
    let is_ours = |process: &Path| {
        let line = fs::read(process.join("cmdline")).unwrap_or_default();
        let line = String::from_utf8_lossy(&line).replace('\0', " ");
        line.contains(" transcoder-child ") && line.contains(&spool)
    };
    let processes = fs::read_dir("/proc").unwrap().flatten();
    let ours = processes.filter(|process| is_ours(&process.path()));
    ours.filter_map(|p| Pid::from_raw(p.file_name().to_str()?.parse().ok()?)).collect()
}

/// Has the next child of a process stand still: whatever is done to the process is done in the middle of a part.
fn stop_a_child(site: &Site, data: &str) -> Pid {
    let stands_still = |child: &Pid| {
        // It may be gone already.
        let _ = kill_process(*child, Signal::STOP);
        let stat = format!("/proc/{}/stat", child.as_raw_nonzero());
        fs::read_to_string(stat).is_ok_and(|stat| stat.contains(") T "))
    };
    let mut stopped = None;
    wait_until("a child stands still", || {
        stopped = children(site, data).into_iter().find(&stands_still);
        stopped.is_some()
    });
    stopped.unwrap()
}

/// All that was done for a title, of which nothing failed.
fn done(site: &Site, title: &str) -> Vec<Value> {
    let all = list(site, &["tasks", title, "--state=queued,waiting,leased,held,done,failed"]);
    for task in &all {
        assert_eq!((&task["state"], &task["failures"]), (&json!("done"), &json!(0)), "{task}");
    }
    all
}

/// What tasks do, in words and in order.
fn kinds(tasks: &[Value]) -> Vec<String> {
    let mut kinds: Vec<_> =
        each(tasks, "kind").iter().map(|it| it.as_str().unwrap().to_owned()).collect();
    kinds.sort();
    kinds
}

/// The results of a title that a process has handed in and that were taken, likewise.
fn handed_in(process: &Process<'_>, title: &str) -> Vec<String> {
    let (log, package) = (process.log(), format!("task{{package=main/{title}/v1 kind="));
    let results = log.lines().filter(|line| line.ends_with(": handed in"));
    let kind = |line: &str| Some(line.split_once(&package)?.1.split_once('}')?.0.to_owned());
    let mut kinds: Vec<_> = results.filter_map(kind).collect();
    kinds.sort();
    kinds
}

/// Tries beyond the first that a title's history tells of.
fn further_tries(site: &Site, title: &str) -> Vec<String> {
    site.history(title).into_iter().filter(|line| line.contains("attempt ")).collect()
}

#[test]
fn a_database_makes_machines_one_cluster() {
    let server = Server::start();
    let database = server.database();
    let (site, elsewhere) = (cluster(&database, &[]), elsewhere(&database));
    let large = quick_pipeline(3).replacen("version = 1", "version = 1\npool = \"large\"", 1);
    site.write("large.toml", large);

    let arguments = ["--data-dir=service", "up", "--roles=watch,verify,http", "--name=service"];
    let service = Process::start(&site, "service.log", &arguments);
    // Whoever has the duty to watch it makes it, a moment after it has come up.
    wait_until("the drop folder is there", || site.path("service/drop").is_dir());
    fs::copy(masters::SILENT.path(), site.path("service/drop/film.mp4")).unwrap();
    wait_until("the master is queued", || elsewhere.run(["status", "film"]).code == Some(0));
    queue(&site, "large", "large");
    queue(&site, "never", "quick-3");

    let task = |title: &str, state: &str| {
        let found = list(&elsewhere, &["tasks", title, "--state", state]);
        assert_eq!(found.len(), 1, "{found:?}");
        found[0].clone()
    };
    is_done(&elsewhere, &["title", "hold", "film"]);
    is_done(&elsewhere, &["title", "priority", "large", "urgent"]);
    assert_eq!(task("film", "held")["kind"], "prepare");
    let large = task("large", "queued");
    assert_eq!((&large["priority"], &large["needs"]["pool"]), (&json!("urgent"), &json!("large")));
    is_done(&elsewhere, &["title", "cancel", "never"]);
    let number = task("never", "cancelled")["task"].to_string();
    is_done(&elsewhere, &["task", "retry", &number]);
    assert_eq!(task("never", "queued")["task"].to_string(), number);
    is_done(&elsewhere, &["task", "cancel", &number]);
    let never = elsewhere.status("never");
    assert_eq!((&never["state"], &never["code"]), (&json!("failed"), &json!("cancelled")));

    let one = ["--data-dir=one", "worker", "--name=one", "--slots=1"];
    let one = Process::start(&site, "one.log", &one);
    let two = ["--data-dir=two", "worker", "--name=two", "--slots=2", "--pool=large"];
    let two = Process::start(&site, "two.log", &two);
    is_published(&elsewhere, "large");
    assert_eq!(elsewhere.status("film")["state"], "queued", "it is held still");
    is_done(&elsewhere, &["title", "release", "film"]);
    is_published(&elsewhere, "film");
    for (title, worker) in [("film", &one), ("large", &two)] {
        let rest = ["seal", "verify", "publish"];
        let (by_service, by_worker): (Vec<_>, Vec<_>) =
            kinds(&done(&elsewhere, title)).into_iter().partition(|it| rest.contains(&it.as_str()));
        assert_eq!(handed_in(worker, title), by_worker);
        assert_eq!(handed_in(&service, title), by_service);
        assert!(site.path("origin/main").join(title).join("index.m3u8").exists());
    }

    let workers = list(&elsewhere, &["workers"]);
    assert_eq!(each(&workers, "name"), ["one", "service", "two"]);
    assert_eq!(each(&workers, "state"), ["alive"; 3]);
    assert_eq!(each(&workers, "pool"), ["cpu", "cpu", "large"]);
    assert_eq!(each(&workers, "slots"), [1, 0, 2]);
    let roles = [json!(["worker"]), json!(["watch", "verify"]), json!(["worker"])];
    assert_eq!(each(&workers, "roles"), roles);
    let version = is_done(&elsewhere, &["--version"]).stdout;
    let version = version.trim().strip_prefix("headwater ").unwrap();
    assert_eq!(each(&workers, "version"), [version; 3]);
    let text = is_done(&elsewhere, &["workers"]).stdout;
    let words = |line: &str| line.split_whitespace().take(6).collect::<Vec<_>>().join(" ");
    let rows: Vec<_> = text.lines().filter(|line| !line.starts_with(' ')).map(words).collect();
    let expected = [
        "WORKER STATE VERSION POOL ROLES SLOTS".to_owned(),
        format!("one alive {version} cpu worker 1"),
        format!("service alive {version} cpu watch,verify 0"),
        format!("two alive {version} large worker 2"),
    ];
    assert_eq!(rows, expected, "{text}");

    for process in [one, two, service] {
        let ran = process.end(Signal::TERM);
        assert_eq!(ran.code, Some(0), "{ran}");
    }
    assert_eq!(each(&list(&elsewhere, &["workers"]), "state"), ["left"; 3]);
}

/// Has the database note which tasks become what.
const NOTES: &str = "create table notes (task bigint, was text, state text); \
    create function note() returns trigger language plpgsql as $$ begin \
        insert into notes values (new.id, old.state, new.state); return null; \
    end $$; \
    create trigger noting after update of state on tasks for each row execute function note()";

#[test]
fn a_database_that_is_away_for_longer_than_a_lease_costs_no_title() {
    // What was committed has to be there again.
    let mut server = Server::start_durable();
    let database = server.database();
    let (site, elsewhere) = (cluster(&database, &[LEASE]), elsewhere(&database));
    is_done(&elsewhere, &["status"]);
    let name = database.rsplit('/').next().unwrap();
    server.psql_in(name, NOTES);
    let service = ["--data-dir=service", "up", "--roles=verify,http", "--name=service"];
    let service = Process::start(&site, "service.log", &service);
    let one = ["--data-dir=one", "worker", "--name=one", "--slots=1"];
    let one = Process::start(&site, "one.log", &one);
    let two = ["--data-dir=two", "worker", "--name=two", "--slots=1"];
    let two = Process::start(&site, "two.log", &two);
    are_known(&elsewhere, &["one", "service", "two"]);
    queue(&site, "film", "quick-3");
    wait_until("it transcodes", || elsewhere.status("film")["state"] == "transcoding");
    let stopped = [stop_a_child(&site, "one"), stop_a_child(&site, "two")];

    // Claims are answered before the disk has them. One that a killed server forgets is no loss that it could count.
    server.psql("checkpoint");
    server.kill();
    let processes = [&service, &one, &two];
    for process in processes {
        wait_until("it is not ready", || process.probe("/readyz").0 == 503);
        assert_eq!(process.probe("/livez").0, 200, "which is no reason to start it again");
    }
    for worker in [&one, &two] {
        wait_until("its lease ran out", || worker.log().contains("work dropped"));
    }
    let is_gone = |child: &Pid| !Path::new(&format!("/proc/{}", child.as_raw_nonzero())).exists();
    wait_until("what it was at is stopped", || stopped.iter().all(is_gone));
    assert_eq!(processes.map(|process| process.probe("/livez").0), [200; 3]);

    server.start_again();
    for process in processes {
        wait_until("it is ready again", || process.probe("/readyz").0 == 200);
    }
    is_published(&elsewhere, "film");
    let done = done(&elsewhere, "film");
    let lost: u64 = done.iter().map(|task| task["losses"].as_u64().unwrap()).sum();
    assert_eq!(lost, 2, "what was under way was lost, and nothing else: {done:?}");
    let twice = "select task from notes where state = 'done' group by task having count(*) > 1";
    assert_eq!(server.psql_in(name, twice), "");
    let accepted = "select distinct was from notes where state = 'done'";
    assert_eq!(server.psql_in(name, accepted), "leased");
    is_done(&site, &["--data-dir=queueing", "verify", "film"]);
    for process in [one, two, service] {
        let ran = process.end(Signal::TERM);
        assert_eq!(ran.code, Some(0), "{ran}");
    }
}

#[test]
fn workers_of_one_name_are_told_apart() {
    let server = Server::start();
    let database = server.database();
    let (site, elsewhere) = (cluster(&database, &[]), elsewhere(&database));
    let service = ["--data-dir=service", "up", "--roles=verify", "--name=service"];
    let service = Process::start(&site, "service.log", &service);
    let one = ["--data-dir=one", "worker", "--name=twin", "--slots=1"];
    let one = Process::start(&site, "one.log", &one);
    are_known(&elsewhere, &["service", "twin"]);
    let two = ["--data-dir=two", "worker", "--name=twin", "--slots=1"];
    let two = Process::start(&site, "two.log", &two);
    are_known(&elsewhere, &["service", "twin", "twin-2"]);
    assert!(two.log().contains("another worker has this name"), "{}", two.log());

    queue(&site, "film", "quick-3");
    wait_until("it transcodes", || elsewhere.status("film")["state"] == "transcoding");
    let stopped = [stop_a_child(&site, "one"), stop_a_child(&site, "two")];
    for name in ["twin", "twin-2"] {
        let mine = list(&elsewhere, &["tasks", "--state=leased", "--worker", name]);
        assert_eq!(mine.len(), 1, "{mine:?}");
        let in_hand = format!("film v1 {}", mine[0]["kind"].as_str().unwrap());
        let workers = list(&elsewhere, &["workers"]);
        let worker = workers.iter().find(|worker| worker["name"] == name).unwrap();
        assert_eq!(worker["tasks"], json!([in_hand]), "{workers:?}");
    }
    for child in stopped {
        kill_process(child, Signal::CONT).unwrap();
    }
    is_published(&elsewhere, "film");
    let done = done(&elsewhere, "film");
    let [by_one, by_two, rest] = [&one, &two, &service].map(|it| handed_in(it, "film"));
    assert!(!by_one.is_empty() && !by_two.is_empty(), "both work: {by_one:?} {by_two:?}");
    let mut by_all = [by_one, by_two, rest].concat();
    by_all.sort();
    assert_eq!(by_all, kinds(&done), "each is done once");
    assert_eq!(further_tries(&elsewhere, "film"), [""; 0]);

    // The other one's name stays its own.
    assert_eq!(one.end(Signal::TERM).code, Some(0));
    let workers = list(&elsewhere, &["workers"]);
    assert_eq!(each(&workers, "name"), ["service", "twin-2", "twin"], "the living first");
    assert_eq!(each(&workers, "state"), ["alive", "alive", "left"]);
    assert_eq!(two.end(Signal::TERM).code, Some(0));
    assert_eq!(service.end(Signal::TERM).code, Some(0));
}

#[test]
fn a_newer_schema_is_refused_in_one_sentence_and_left_alone() {
    let server = Server::start();
    let database = server.database();
    let (site, elsewhere) = (cluster(&database, &[]), elsewhere(&database));
    queue(&site, "film", "quick-3");
    let name = database.rsplit('/').next().unwrap();
    server.psql_in(name, "update schema_form set needs = needs + 1");
    let dump = || {
        let mut dump = program(server.program_path("pg_dump"));
        let dump = tool(dump.arg(&database)).stdout;
        // Each dump has a secret of its own in these lines.
        let is_same = |line: &&str| !line.contains("restrict ");
        String::from_utf8(dump).unwrap().lines().filter(is_same).collect::<Vec<_>>().join("\n")
    };
    let before = dump();
    assert!(before.contains("film"), "{before}");
    for arguments in [
        &["status"][..],
        &["status", "film"],
        &["--json", "status", "film"],
        &["workers"],
        &["tasks"],
        &["incidents"],
        &["title", "hold", "film"],
        &["task", "cancel", "1"],
        &["worker"],
        &["up", "--roles=verify"],
        &["up"],
    ] {
        let ran = elsewhere.run(arguments);
        assert_eq!(ran.code, Some(1), "{arguments:?}: {ran}");
        assert_eq!(ran.stdout, "", "{arguments:?}: {ran}");
        let place = database.strip_prefix("postgres://postgres@").unwrap();
        let sentence = format!(
            "error: open the catalog at `{place}`: the catalog was made by a newer headwater; use that version or newer\n"
        );
        assert_eq!(ran.stderr, sentence, "{arguments:?}");
    }
    assert!(dump() == before, "nothing was changed");
    server.psql_in(name, "update schema_form set needs = needs - 1");
    assert_eq!(elsewhere.status("film")["state"], "queued");
}

#[test]
fn a_worker_that_is_told_to_end_finishes_or_gives_back_and_another_goes_on() {
    let server = Server::start();
    let database = server.database();
    let (site, elsewhere) = (cluster(&database, &[]), elsewhere(&database));
    let service = ["--data-dir=service", "up", "--roles=verify", "--name=service"];
    let service = Process::start(&site, "service.log", &service);
    let patient =
        ["--data-dir=patient", "worker", "--name=patient", "--slots=1", "--drain-timeout=600"];
    let patient = Process::start(&site, "patient.log", &patient);
    let hasty = ["--data-dir=hasty", "worker", "--name=hasty", "--slots=1", "--drain-timeout=0.5"];
    let hasty = Process::start(&site, "hasty.log", &hasty);
    are_known(&elsewhere, &["hasty", "patient", "service"]);
    queue(&site, "film", "quick-3");
    wait_until("it transcodes", || elsewhere.status("film")["state"] == "transcoding");
    let child = stop_a_child(&site, "patient");
    stop_a_child(&site, "hasty");
    let in_hand = |name: &str| {
        let mine = list(&elsewhere, &["tasks", "--state=leased", "--worker", name]);
        assert_eq!(mine.len(), 1, "{mine:?}");
        mine[0]["task"].clone()
    };
    let (kept, given_back) = (in_hand("patient"), in_hand("hasty"));

    patient.signal(Signal::TERM);
    let told = Instant::now();
    let ran = hasty.end(Signal::TERM);
    assert_eq!(ran.code, Some(0), "{ran}");
    // Half a second, five for giving back, and what a busy machine takes.
    assert!(told.elapsed() < Duration::from_secs(12), "{:?}", told.elapsed());
    assert!(children(&site, "hasty").is_empty());
    let queued = list(&elsewhere, &["tasks", "film", "--state=queued"]);
    let back = queued.iter().find(|task| task["task"] == given_back);
    let back = back.unwrap_or_else(|| panic!("task {given_back} is not given back: {queued:?}"));
    let counted = [&back["tries"], &back["failures"], &back["losses"]];
    assert_eq!(counted, [0, 0, 0], "{back}");

    let ready = patient.probe("/readyz");
    assert_eq!((ready.0, &ready.1["status"]), (503, &json!("draining")), "{ready:?}");
    kill_process(child, Signal::CONT).unwrap();
    let ran = patient.finish();
    assert_eq!(ran.code, Some(0), "{ran}");
    let finished = list(&elsewhere, &["tasks", "film", "--state=done"]);
    assert!(each(&finished, "task").contains(&kept), "it finishes {kept}: {finished:?}");
    assert_eq!(list(&elsewhere, &["tasks", "--state=leased"]), [json!(null); 0]);
    let workers = list(&elsewhere, &["workers"]);
    assert_eq!(each(&workers, "state"), ["alive", "left", "left"], "{workers:?}");

    let other = ["--data-dir=other", "worker", "--name=other", "--slots=2"];
    let other = Process::start(&site, "other.log", &other);
    is_published(&elsewhere, "film");
    assert_eq!(each(&done(&elsewhere, "film"), "losses"), [0; 10]);
    let given_back = back["kind"].as_str().unwrap().to_owned();
    assert!(handed_in(&other, "film").contains(&given_back), "{}", other.log());
    assert_eq!(further_tries(&elsewhere, "film"), [""; 0]);
    assert_eq!(other.end(Signal::TERM).code, Some(0));
    assert_eq!(service.end(Signal::TERM).code, Some(0));
}

#[test]
fn a_full_spool_costs_a_worker_a_try_until_there_is_room() {
    let server = Server::start();
    let database = server.database();
    let (site, elsewhere) = (cluster(&database, &[]), elsewhere(&database));
    let service = ["--data-dir=service", "up", "--roles=verify", "--name=service"];
    let service = Process::start(&site, "service.log", &service);
    fs::create_dir_all(site.path("small/spool")).unwrap();
    // The mount is seen by this process and its children alone, and goes with them.
    let script = "mount -t tmpfs -o size=64k tmpfs small/spool || exit 9; \
                  (until [ -e room ]; do sleep 0.05; done; mount -o remount,size=64m small/spool) & exec \"$@\"";
    let rights: &[&str] =
        if rustix::process::geteuid().is_root() { &[] } else { &["--map-root-user"] };
    let headwater = env!("CARGO_BIN_EXE_headwater");
    let worker = ["--data-dir=small", "worker", "--name=small", "--slots=1"];
    let arguments = [rights, &["--mount", "sh", "-c", script, "sh", headwater], &worker].concat();
    let mut command = site.command_of(Path::new("unshare"), arguments);
    let worker = Process::start_command(&site, "small.log", &mut command);
    queue(&site, "film", "quick-3");

    let full = |line: &String| line.contains("failed (attempt 1)") && line.contains("disk-full: ");
    let mut told = None;
    wait_until("the disk is full", || {
        told = elsewhere.history("film").into_iter().find(full);
        told.is_some()
    });
    let told = told.unwrap();
    assert!(told.contains("spool folder"), "{told}");
    let ready = worker.probe("/readyz");
    assert_eq!(ready.0, 200, "{ready:?}");
    site.write("room", "");
    is_published(&elsewhere, "film");
    assert_eq!(worker.probe("/readyz").0, 200);
    assert_eq!(worker.end(Signal::TERM).code, Some(0));
    assert_eq!(service.end(Signal::TERM).code, Some(0));
}
