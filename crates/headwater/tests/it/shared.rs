//! Processes that share a PostgreSQL database: how they come up while it is away, and what they refuse.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

use headwater_testkit::postgres::Server;
use rustix::process::Signal;

use crate::masters;
use crate::run::{Ran, Running, Site, wait_until};
use crate::service::get;

fn site(database: String) -> Site {
    Site::new().with([("HEADWATER_DATABASE".to_owned(), database)])
}

/// An address that nobody listens on.
fn free_address() -> String {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string()
}

fn log(site: &Site) -> String {
    fs::read_to_string(site.path("log")).unwrap()
}

fn start(site: &Site, arguments: &[&str]) -> Running {
    let mut command = site.command(arguments);
    command.env("HEADWATER_HTTP_LISTEN", "127.0.0.1:0");
    Running::start_with_log(&mut command, fs::File::create(site.path("log")).unwrap())
}

fn status(probes: &str, path: &str) -> u16 {
    get(probes, path, "").status()
}

#[test]
fn a_service_waits_for_its_database_and_answers_probes_meanwhile() {
    let mut server = Server::start();
    let site = site(server.database());
    server.kill();
    let probes = free_address();
    let health = format!("--health={probes}");
    let up = ["up", "--roles=watch,http,verify", &health];
    let mut running = start(&site, &up);
    wait_until("it answers probes", || TcpStream::connect(&probes).is_ok());
    assert_eq!((status(&probes, "/livez"), status(&probes, "/readyz")), (200, 503));
    wait_until("it says what it waits for", || log(&site).contains("; waiting for it"));
    // More than one try.
    std::thread::sleep(Duration::from_millis(2500));
    assert!(running.is_alive(), "{}", log(&site));
    assert_eq!(log(&site).matches("cannot be reached").count(), 1, "{}", log(&site));
    let short = site.run(["status"]);
    assert_eq!(short.code, Some(1), "who asks something does not wait: {short}");

    running.signal(Signal::TERM);
    assert_eq!(running.finish().code, Some(0), "{}", log(&site));

    let mut running = start(&site, &up);
    wait_until("it says what it waits for", || log(&site).contains("; waiting for it"));
    server.start_again();
    wait_until("it is ready", || status(&probes, "/readyz") == 200);
    assert!(running.is_alive(), "{}", log(&site));
    let warning = "warning: origin local is a folder in the data folder of this process";
    assert!(log(&site).contains(warning), "{}", log(&site));
    running.signal(Signal::INT);
    assert_eq!(running.finish().code, Some(0), "{}", log(&site));

    // What is refused for good is not waited for.
    let unknown = self::site(server.url("nowhere"));
    let ran = unknown.run(["worker"]);
    assert_eq!(ran.code, Some(1), "{ran}");
    assert!(ran.stderr.contains("\"nowhere\" does not exist\nhint: "), "{ran}");
}

#[test]
fn a_command_that_waits_outlasts_its_database() {
    let mut server = Server::start_durable();
    let site = site(server.database());
    server.kill();
    let mut command = site.ingest_command(&masters::LARGER.path(), "film", "vod-h264");
    let mut running = Running::start(&mut command);
    // Also when it is away from the start.
    std::thread::sleep(Duration::from_secs(2));
    assert!(running.is_alive());
    server.start_again();
    wait_until("a child works", || !site.children().is_empty());
    server.kill();
    std::thread::sleep(Duration::from_secs(3));
    assert!(running.is_alive());
    server.start_again();
    let ran = running.finish();
    assert_eq!((ran.code, &ran.last_line()["state"]), (Some(0), &"published".into()), "{ran}");
    let history = site.history("film");
    assert!(!history.iter().any(|line| line.contains("attempt ")), "{history:#?}");
}

#[test]
fn a_pipeline_that_other_machines_do_not_have_is_refused_at_the_door() {
    // Nobody is asked before that.
    let site = site("postgres://headwater@127.0.0.1:9/headwater".to_owned());
    let pipeline = site.quick(2);
    let ran = site.ingest(&masters::LARGER.path(), "film", &pipeline);
    assert_eq!(ran.code, Some(2), "{ran}");
    let told = ran.last_line();
    assert_eq!(told["pipeline"], *pipeline, "{ran}");
    let next_step = told["next_step"].as_str().unwrap();
    assert!(next_step.contains("`pipelines_dir` of every process"), "{ran}");
    let ran = site.run(["retranscode", "film", "--pipeline", &pipeline]);
    assert_eq!(ran.code, Some(2), "{ran}");
    assert!(ran.stderr.contains("--pipeline quick-2"), "{ran}");
}

#[test]
fn a_rebuild_has_the_database_to_itself() {
    let server = Server::start();
    let site = site(server.database());
    let made = Site::new();
    made.publish(&masters::LARGER.path(), "film", &made.quick(2));
    let origin = made.path("headwater-data/origin");
    let rebuild = || {
        let mut command = site.command(["catalog", "rebuild", "--origin=local"]);
        Ran::of(command.env("HEADWATER_ORIGINS_LOCAL_PATH", &origin))
    };

    // Somebody without tasks is there too.
    let mut running = start(&site, &["up", "--roles=http"]);
    wait_until("it is listed", || site.run(["workers"]).stdout.contains(" alive "));
    let name = site.run(["--json", "workers"]).last_line()["name"].as_str().unwrap().to_owned();
    let ran = rebuild();
    assert_eq!(ran.code, Some(1), "{ran}");
    assert!(
        ran.stderr
            .contains(&format!("others work on the database at `127.0.0.1:{}/", server.port())),
        "{ran}"
    );
    assert!(ran.stderr.contains(&name), "{ran}");
    let hint = site.run(["ingest", masters::LARGER.path().to_str().unwrap()]).stderr;
    assert!(hint.contains("no service works on this database"), "{hint}");
    assert!(running.is_alive(), "{}", log(&site));
    running.signal(Signal::INT);
    assert_eq!(running.finish().code, Some(0), "{}", log(&site));

    let database = server.database();
    let site = self::site(database.clone());
    let name = database.rsplit('/').next().unwrap();
    assert_eq!(site.run(["status"]).code, Some(0));
    let stopped =
        "insert into checkpoints (name, text, kept_at) values ('rebuild/main', 'local', 0)";
    server.psql_in(name, stopped);
    let running = start(&site, &["worker"]);
    wait_until("it says what it waits for", || log(&site).contains("is being rebuilt"));
    assert!(!log(&site).contains("worker       "), "{}", log(&site));
    let mut command = site.command(["catalog", "rebuild", "--origin=local"]);
    let ran = Ran::of(command.env("HEADWATER_ORIGINS_LOCAL_PATH", &origin));
    assert_eq!(ran.code, Some(0), "{ran}");
    wait_until("it works", || site.run(["workers"]).stdout.contains(" alive "));
    running.signal(Signal::INT);
    assert_eq!(running.finish().code, Some(0), "{}", log(&site));
    let full = self::site(database);
    let mut command = full.command(["catalog", "rebuild", "--origin=local"]);
    let ran = Ran::of(command.env("HEADWATER_ORIGINS_LOCAL_PATH", &origin));
    assert!(ran.stderr.contains("choose an empty database with HEADWATER_DATABASE"), "{ran}");
}
