//! A PostgreSQL server for tests, of their own: made in a folder that goes with it, on a free port of this machine.

#![allow(clippy::disallowed_methods, reason = "a server of another make is a program to start")]

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// Where Debian puts the programs of each major version.
const DEBIAN: &str = "/usr/lib/postgresql";

/// How long a server may take to come up on a machine that is busy.
const PATIENCE: Duration = Duration::from_secs(60);

/// What somebody sets who has a small machine for the database alone: memory, and checkpoints that are minutes apart. The
/// rest is as it comes.
const FOR_MEASURING: [&str; 3] =
    ["shared_buffers=1GB", "max_wal_size=4GB", "checkpoint_timeout=15min"];

/// Nobody: the server refuses to run as root.
const NOBODY: u32 = 65_534;

/// A server that is stopped when it is dropped.
pub struct Server {
    programs: PathBuf,
    folder: TempDir,
    port: u16,
    /// Whether what it answered survives that it is killed, and the machine with it.
    durable: bool,
    /// Settings besides those that tests need.
    settings: &'static [&'static str],
    running: Option<Child>,
    databases: AtomicU32,
}

impl Server {
    /// Starts a server that keeps nothing safe, which is fast.
    pub fn start() -> Self {
        Self::new(false, &[])
    }

    /// Starts a server that keeps what it answered, as in production.
    pub fn start_durable() -> Self {
        Self::new(true, &[])
    }

    /// Starts a server that keeps what it answered and has the memory of a small one in production.
    pub fn start_for_measuring() -> Self {
        Self::new(true, &FOR_MEASURING)
    }

    fn new(durable: bool, settings: &'static [&'static str]) -> Self {
        let programs = programs();
        let folder = tempfile::Builder::new().prefix("hw-pg-").tempdir().expect("a folder");
        let mut server = Self {
            programs,
            folder,
            port: 0,
            durable,
            settings,
            running: None,
            databases: AtomicU32::new(0),
        };
        server.give_away(server.folder.path());
        let done = server
            .program("initdb")
            .args(["--username=postgres", "--auth=trust", "--encoding=UTF8", "--no-locale"])
            .args(["--no-sync", "--pgdata"])
            .arg(server.data())
            .stdout(Stdio::null())
            .output()
            .expect("initdb can be started");
        assert!(done.status.success(), "initdb: {}", String::from_utf8_lossy(&done.stderr));
        server.port = free_port();
        server.start_again();
        server
    }

    /// The port that it listens on at 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Where a program of its version is.
    pub fn program_path(&self, name: &str) -> PathBuf {
        self.programs.join(name)
    }

    /// Its process, as long as it runs.
    pub fn pid(&self) -> Option<u32> {
        self.running.as_ref().map(Child::id)
    }

    /// The address of one of its databases.
    pub fn url(&self, database: &str) -> String {
        format!("postgres://postgres@127.0.0.1:{}/{database}", self.port)
    }

    /// A new, empty database, and its address.
    pub fn database(&self) -> String {
        let name = format!("test{}", self.databases.fetch_add(1, Ordering::Relaxed));
        self.psql(&format!("create database {name}"));
        self.url(&name)
    }

    /// Carries out a statement in the database `postgres` and gives its output.
    pub fn psql(&self, sql: &str) -> String {
        self.psql_in("postgres", sql)
    }

    /// The same in any of its databases.
    pub fn psql_in(&self, database: &str, sql: &str) -> String {
        let done = Command::new(self.programs.join("psql"))
            .args(["--no-psqlrc", "--quiet", "--tuples-only", "--no-align", "--dbname"])
            .args([&self.url(database), "--command", sql])
            .output()
            .expect("psql can be started");
        assert!(done.status.success(), "{sql}: {}", String::from_utf8_lossy(&done.stderr));
        String::from_utf8_lossy(&done.stdout).trim().to_owned()
    }

    /// Kills it as a crash would: what it had not written is lost, and every connection breaks.
    pub fn kill(&mut self) {
        let Some(mut running) = self.running.take() else { return };
        // Its children go too when they find it gone; `immediate` makes them go at once.
        let pid = running.id().to_string();
        let _ = Command::new("kill").args(["-QUIT", &pid]).status();
        let _ = running.wait();
    }

    /// Starts it once more, on the same port with the same data.
    pub fn start_again(&mut self) {
        let safe = if self.durable { "on" } else { "off" };
        let mut program = self.program("postgres");
        program.arg("-D").arg(self.data()).args(["-p", &self.port.to_string()]);
        program.arg("-k").arg(self.folder.path());
        for setting in [
            "listen_addresses=127.0.0.1".to_owned(),
            "max_connections=200".to_owned(),
            "shared_buffers=64MB".to_owned(),
            format!("fsync={safe}"),
            format!("synchronous_commit={safe}"),
            format!("full_page_writes={safe}"),
        ] {
            program.args(["-c", &setting]);
        }
        for setting in self.settings {
            program.args(["-c", setting]);
        }
        let log = std::fs::File::options()
            .create(true)
            .append(true)
            .open(self.folder.path().join("log"))
            .expect("a log");
        program.stdout(Stdio::null()).stderr(log).stdin(Stdio::null());
        self.running = Some(program.spawn().expect("postgres can be started"));
        let started = Instant::now();
        loop {
            let ready = Command::new(self.programs.join("pg_isready"))
                .args(["--quiet", "--host=127.0.0.1", "--port", &self.port.to_string()])
                .args(["--username=postgres", "--dbname=postgres"])
                .status();
            if ready.is_ok_and(|status| status.success()) {
                return;
            }
            let log = || std::fs::read_to_string(self.folder.path().join("log"));
            let ended = self.running.as_mut().map(Child::try_wait);
            assert!(!matches!(ended, Some(Ok(Some(_)))), "postgres ended: {:?}", log());
            assert!(started.elapsed() < PATIENCE, "postgres does not come up: {:?}", log());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// One of its programs, to be run by somebody who is not root.
    fn program(&self, name: &str) -> Command {
        let path = self.programs.join(name);
        if !is_root() {
            return Command::new(path);
        }
        let mut command = Command::new("setpriv");
        let user = NOBODY.to_string();
        command.args(["--reuid", &user, "--regid", &user, "--clear-groups", "--"]).arg(path);
        // It must be able to enter the folder that it is started in.
        command.current_dir("/");
        command
    }

    fn give_away(&self, path: &Path) {
        if is_root() {
            std::os::unix::fs::chown(path, Some(NOBODY), Some(NOBODY)).expect("root gives away");
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}

fn is_root() -> bool {
    // The owner of one's own `/proc` entry is who one is.
    std::fs::metadata("/proc/self").is_ok_and(|me| std::os::unix::fs::MetadataExt::uid(&me) == 0)
}

/// The newest installed version's programs.
fn programs() -> PathBuf {
    let versions = std::fs::read_dir(DEBIAN).into_iter().flatten().flatten();
    let mut found: Vec<(u32, PathBuf)> = versions
        .filter_map(|entry| {
            let version = entry.file_name().to_str()?.parse().ok()?;
            let programs = entry.path().join("bin");
            programs.join("postgres").exists().then_some((version, programs))
        })
        .collect();
    found.sort();
    let newest = found.pop().map(|(_, programs)| programs);
    newest.expect("PostgreSQL is installed: `cargo xtask setup` installs Debian's `postgresql`")
}

fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("it has an address").port()
}
