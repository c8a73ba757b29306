//! Several processes with different roles work on one catalog, and each leaves without a trace when it is told to.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use headwater_testkit::postgres::Server;
use rustix::process::Signal;
use serde_json::{Value, json};

use crate::masters;
use crate::run::{Ran, Running, Site, wait_until};
use crate::sandbox::mischievous;
use crate::service::get;

/// What is needed of a service beside workers.
const ALL_BUT_WORKER: &str = "watch,http,verify,archive,audit";

/// A process of a site, whose probes are answered on a port of their own.
#[derive(Debug)]
pub(crate) struct Process<'s> {
    site: &'s Site,
    name: &'static str,
    running: Running,
    /// Host and port of the probes.
    probes: String,
}

impl<'s> Process<'s> {
    /// Starts it and waits until it answers probes. `name` is that of its log.
    pub(crate) fn start(site: &'s Site, name: &'static str, arguments: &[&str]) -> Self {
        Self::start_command(site, name, &mut site.command(arguments))
    }

    /// Likewise for a command of the site's that starts it, and that arguments for it can be added to.
    pub(crate) fn start_command(site: &'s Site, name: &'static str, command: &mut Command) -> Self {
        let log = fs::File::create(site.path(name)).unwrap();
        command
            .arg("--health=127.0.0.1:0")
            .env("HEADWATER_HTTP_LISTEN", "127.0.0.1:0")
            .env("HEADWATER_WATCH_SETTLE_SECONDS", "0.5");
        let running = Running::start_with_log(command, log);
        let mut process = Self { site, name, running, probes: String::new() };
        wait_until("the process says where it answers probes", || {
            let log = process.log();
            assert!(process.running.is_alive(), "{log}");
            let line = log.lines().find_map(|line| line.strip_prefix("health       http://"));
            process.probes = line.unwrap_or_default().trim_end_matches("/readyz").to_owned();
            !process.probes.is_empty()
        });
        wait_until("the process is ready", || process.probe("/readyz").0 == 200);
        process
    }

    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.site.path(self.name)).unwrap()
    }

    /// Status and body of an answer.
    pub(crate) fn probe(&self, path: &str) -> (u16, Value) {
        let answer = get(&self.probes, path, "");
        (answer.status(), serde_json::from_slice(&answer.body).unwrap())
    }

    pub(crate) fn signal(&self, signal: Signal) {
        self.running.signal(signal);
    }

    /// Sends a signal and gives how it ended.
    pub(crate) fn end(self, signal: Signal) -> Ran {
        self.signal(signal);
        self.finish()
    }

    /// Waits for its end, which it was told to come to.
    pub(crate) fn finish(self) -> Ran {
        self.running.finish()
    }
}

/// Queues a master with a pipeline that takes two seconds and more for it.
fn queue(site: &Site, title: &str, pipeline: &str) {
    queue_file(site, &masters::LARGER.path(), title, pipeline);
}

fn queue_file(site: &Site, master: &Path, title: &str, pipeline: &str) {
    let master = master.to_str().unwrap();
    let ran = site.run(["ingest", master, "--title", title, "--pipeline", pipeline]);
    assert_eq!(ran.code, Some(0), "{ran}");
}

fn wait_for_children(site: &Site) {
    wait_until("a child works", || !site.children().is_empty());
}

/// The numbers of tries that a title's history tells of, beyond the first.
fn further_tries(site: &Site, title: &str) -> Vec<String> {
    site.history(title).into_iter().filter(|line| line.contains("attempt ")).collect()
}

#[test]
fn a_service_and_workers_share_one_catalog() {
    let site = Site::new();
    let service = Process::start(&site, "service.log", &["up", "--roles", ALL_BUT_WORKER]);
    let (_, ready) = service.probe("/readyz");
    let roles = |ready: &Value| -> Vec<String> {
        let roles = ready["roles"].as_array().unwrap();
        roles.iter().map(|role| role["name"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(roles(&ready), ["watch", "verify", "archive", "audit", "http"], "{ready}");
    let master = masters::LARGER.path();
    fs::copy(master, site.path("headwater-data/drop/film.mp4")).unwrap();
    wait_until("the master is queued", || site.run(["status", "film"]).code == Some(0));
    std::thread::sleep(Duration::from_millis(1500));
    assert_eq!(site.status("film")["state"], "queued", "nobody transcodes yet");

    let first = Process::start(&site, "first.log", &["worker", "--name=first", "--slots=1"]);
    assert_eq!(roles(&first.probe("/readyz").1), ["worker"]);
    assert_eq!(get(&first.probes, "/", "").status(), 404, "a worker has no page");
    assert!(first.log().contains("worker       first: pool cpu, 1 at a time"), "{}", first.log());
    wait_for_children(&site);
    // Whoever comes later takes nothing from those who are alive, neither claims nor files.
    let second = Process::start(&site, "second.log", &["worker", "--slots=1", "--pool=spare"]);
    let film = site.run(["--json", "status", "--follow", "film"]).last_line();
    assert_eq!(film["state"], "published", "{film}");
    assert_eq!(further_tries(&site, "film"), [""; 0]);
    for process in [&first, &second, &service] {
        let log = process.log();
        assert!(!log.contains("dropped"), "somebody lost a claim: {log}");
    }

    let again = site.run(["worker", "--name=first"]);
    assert_eq!(again.code, Some(1), "{again}");
    assert!(again.stderr.contains("is used by another process"), "{again}");
    for process in [first, second, service] {
        let (name, ran) = (process.name, process.end(Signal::TERM));
        assert_eq!(ran.code, Some(0), "{}", fs::read_to_string(site.path(name)).unwrap());
    }
}

#[test]
fn whoever_is_still_led_to_a_process_that_drains_is_served() {
    let site = Site::new();
    let idle = Process::start(&site, "idle.log", &["up", "--roles=http"]);
    let log = idle.log();
    let page = log.lines().find_map(|line| line.strip_prefix("page"));
    let page = page.unwrap().trim().trim_start_matches("http://").trim_end_matches('/').to_owned();
    let told = Instant::now();
    idle.signal(Signal::TERM);
    wait_until("it is not ready", || idle.probe("/readyz").0 == 503);
    while told.elapsed() < Duration::from_millis(2000) {
        assert_eq!(get(&page, "/", "").status(), 200);
        std::thread::sleep(Duration::from_millis(100));
    }
    assert_eq!(idle.running.finish().code, Some(0));
    assert!(told.elapsed() < Duration::from_secs(9), "it took {:?}", told.elapsed());

    let idle = Process::start(&site, "idle.log", &["up", "--roles=http"]);
    let told = Instant::now();
    assert_eq!(idle.end(Signal::INT).code, Some(0));
    assert!(told.elapsed() < Duration::from_millis(2900), "Ctrl-C took {:?}", told.elapsed());
}

#[test]
fn sigterm_lets_what_is_under_way_finish() {
    let site = Site::new();
    let arguments = ["worker", "--slots=1", "--drain-timeout=100"];
    let worker = Process::start(&site, "worker.log", &arguments);
    queue(&site, "film", "vod-h264");
    wait_until("it transcodes", || site.status("film")["state"] == "transcoding");
    wait_for_children(&site);
    worker.signal(Signal::TERM);
    wait_until("it is not ready", || worker.probe("/readyz").0 == 503);
    let (_, ready) = worker.probe("/readyz");
    assert_eq!(ready["status"], "draining", "{ready}");
    assert_eq!(ready["checks"][1]["ok"], false, "{ready}");
    let (status, live) = worker.probe("/livez");
    assert_eq!((status, &live["status"]), (200, &Value::from("alive")), "{live}");
    let log = site.path("worker.log");
    let ran = worker.running.finish();
    assert_eq!(ran.code, Some(0), "{}", fs::read_to_string(log).unwrap());
    let history = site.history("film");
    assert!(history.iter().any(|line| line.ends_with("done")), "something was done: {history:#?}");
    assert_eq!(site.status("film")["state"], "transcoding", "and nothing else was begun");
    assert!(site.children().is_empty());
}

#[test]
fn what_takes_longer_goes_back_at_once_and_costs_no_try() {
    let site = Site::new();
    // Somebody is alive all the time, so that no claim ends but those that are given back.
    let bystander = Process::start(&site, "bystander.log", &["up", "--roles=http"]);
    let began = Process::start(&site, "began.log", &["up", "--drain-timeout=0.2"]);
    queue(&site, "film", "vod-h264");
    wait_until("it transcodes", || site.status("film")["state"] == "transcoding");
    wait_for_children(&site);
    let told = Instant::now();
    let ran = began.end(Signal::TERM);
    assert_eq!(ran.code, Some(0), "{}", fs::read_to_string(site.path("began.log")).unwrap());
    assert!(told.elapsed() < Duration::from_secs(15), "{:?}", told.elapsed());
    assert!(site.children().is_empty());
    let other = Process::start(&site, "other.log", &["up"]);
    let film = site.run(["--json", "status", "--follow", "film"]).last_line();
    assert_eq!(film["state"], "published", "{film}");
    assert_eq!(further_tries(&site, "film"), [""; 0]);
    assert_eq!(other.end(Signal::INT).code, Some(0));
    assert_eq!(bystander.end(Signal::TERM).code, Some(0));
}

#[test]
fn a_second_signal_ends_the_process_at_once() {
    for (first, second, code) in
        [(Signal::TERM, Signal::TERM, 143), (Signal::TERM, Signal::INT, 130)]
    {
        let site = Site::new();
        let worker = Process::start(&site, "worker.log", &["worker", "--drain-timeout=100"]);
        // Whose children never finish: nothing but a signal ends the process.
        let endless = mischievous(&site, "film.mp4", "make", "hang");
        queue_file(&site, &endless, "film", "vod-h264");
        wait_until("it transcodes", || site.status("film")["state"] == "transcoding");
        wait_for_children(&site);
        worker.signal(first);
        wait_until("it drains", || worker.log().contains("draining: "));
        // As one comes that was sent to the process and then to its group.
        worker.signal(first);
        std::thread::sleep(Duration::from_secs(1));
        assert!(!worker.log().contains("stopped at once"), "{}", worker.log());
        let told = Instant::now();
        let ran = worker.end(second);
        assert_eq!(ran.code, Some(code), "{ran}");
        assert!(told.elapsed() < Duration::from_secs(3), "{:?}", told.elapsed());
        let log = fs::read_to_string(site.path("worker.log")).unwrap();
        assert!(log.contains("stopped at once"), "{log}");
        wait_until("its children are dead", || site.children().is_empty());
    }
}

#[test]
fn a_part_that_fails_ends_the_process_with_a_sentence() {
    let site = Site::new();
    site.write("drop", b"a file where a folder should be");
    let drop = site.path("drop");
    let mut command = site.command(["up", "--roles=watch,worker,verify"]);
    let ran = Ran::of(command.env("HEADWATER_WATCH_FOLDER", &drop));
    assert_eq!(ran.code, Some(1), "{ran}");
    let said = format!("error: failed to open the drop folder `{}`", drop.display());
    assert!(ran.stderr.contains(&said), "{ran}");

    let misspelt = site.run(["up", "--roles=watch,wroker"]);
    assert_eq!(misspelt.code, Some(2), "{misspelt}");
    assert!(misspelt.stderr.contains("there is no role `wroker`: there are"), "{misspelt}");
    let none = site.run(["worker", "--slots=0"]);
    assert_eq!(none.code, Some(2), "{none}");
}

#[test]
fn who_stands_by_watches_when_the_other_is_gone() {
    let server = Server::start();
    let database = ("HEADWATER_DATABASE".to_owned(), server.database());
    let site = Site::new().with([database]);
    let watch = ["up", "--roles=watch,audit,archive"];
    let stands_by = |log: &str| log.contains("another process watches; this one stands by");
    let first = Process::start(&site, "first.log", &watch);
    wait_until("the first watches", || first.log().contains("drop folder watched"));
    let second = Process::start(&site, "second.log", &watch);
    wait_until("the second stands by", || stands_by(&second.log()));
    assert!(!second.log().contains("drop folder watched"), "{}", second.log());
    assert_eq!(second.probe("/readyz").0, 200, "and is ready");
    let workers = site.run(["--json", "workers"]);
    let roles: Vec<Value> = workers
        .stdout
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["roles"].clone())
        .collect();
    let [all, one] = [json!(["watch", "archive", "audit"]), json!(["archive"])];
    assert!(roles == [all.clone(), one.clone()] || roles == [one, all], "{workers}");

    assert_eq!(first.end(Signal::TERM).code, Some(0));
    wait_until("the second watches", || second.log().contains("drop folder watched"));
    assert!(second.log().contains("this process takes over"), "{}", second.log());
    fs::copy(masters::SILENT.path(), site.path("headwater-data/drop/film.mp4")).unwrap();
    wait_until("the master is queued", || site.run(["status", "film"]).code == Some(0));
    // There is nobody yet who transcodes.
    let tasks = site.run(["tasks"]);
    let stuck =
        "1 task waits in vain, since no living worker has the role `worker`: start one with";
    assert!(tasks.stdout.contains(stuck), "{tasks}");
    let status = site.run(["status", "film"]);
    assert!(status.stderr.contains(&format!("hint: {stuck}")), "{status}");
    let mut waiting = site.command(["status", "film", "--follow"]);
    let mut waiting =
        Running::start_with_log(&mut waiting, fs::File::create(site.path("waiting.log")).unwrap());
    wait_until("it says that it waits in vain", || {
        fs::read_to_string(site.path("waiting.log")).unwrap().contains(stuck)
    });
    waiting.kill();

    // One that is killed is missed for as long as its duty lasts.
    let third = Process::start(&site, "third.log", &watch);
    wait_until("the third stands by", || stands_by(&third.log()));
    assert_eq!(second.end(Signal::KILL).code, None);
    std::thread::sleep(Duration::from_secs(15));
    assert!(!third.log().contains("drop folder watched"), "{}", third.log());
    wait_until("the third watches", || third.log().contains("drop folder watched"));
    assert_eq!(third.end(Signal::TERM).code, Some(0));
}
