//! `cargo xtask demo`: from a bare machine to a page that plays a package, with the real service doing the work.
//!
//! `headwater up` runs as a child and draws its own progress on the terminal; this module only drops the sample master
//! into the watched folder and asks `headwater status` how it is going, as anybody could.

use std::fs;
use std::net::TcpListener;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, ExitCode};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde::Deserialize;
use signal_hook::consts::{SIGINT, SIGTERM};

use crate::{packages, sample, shell, workspace};

/// How to run the demo.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Options {
    /// Stop when the title is published.
    pub(crate) once: bool,
    /// Forget what earlier runs did.
    pub(crate) fresh: bool,
}

impl Options {
    pub(crate) fn parse(args: &[&str]) -> Option<Self> {
        let mut options = Self::default();
        for arg in args {
            match *arg {
                "--once" => options.once = true,
                "--fresh" => options.fresh = true,
                _ => return None,
            }
        }
        Some(options)
    }
}

/// The first port tried for the page, and how many follow it: enough for everything else that runs on a laptop.
const PORTS: std::ops::Range<u16> = 8080..8180;

/// Between two looks at the title: short against the half minute that the work takes.
const POLL: Duration = Duration::from_millis(500);

/// A file counts as complete after standing still for a few seconds; a title that has not appeared by now never will.
const TO_APPEAR: Duration = Duration::from_secs(60);

/// What the service has to finish its running requests and stop its transcoders.
const TO_STOP: Duration = Duration::from_secs(20);

/// Runs the demo. The exit code says whether the title was published.
pub(crate) fn run(options: &Options) -> Result<ExitCode> {
    packages::install(packages::Need::Demo)?;
    let sample = sample::make_if_missing()?;
    let headwater = workspace::build_release()?;
    let data = workspace::target().join("demo/data");
    if options.fresh && data.exists() {
        fs::remove_dir_all(&data).with_context(|| format!("remove `{}`", data.display()))?;
    }
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM] {
        signal_hook::flag::register(signal, Arc::clone(&stop)).context("listen for Ctrl-C")?;
    }
    let port = free_port()?;
    let mut up = Command::new(&headwater);
    up.arg("up").arg("--data-dir").arg(&data);
    up.env("HEADWATER_HTTP_LISTEN", format!("127.0.0.1:{port}"));
    // Ctrl-C in the terminal reaches only xtask, which then asks the service to stop: once, not twice.
    up.process_group(0);
    eprintln!("$ HEADWATER_HTTP_LISTEN=127.0.0.1:{port} {}", shell::line(&up));
    let mut service = Service(up.spawn().context("start `headwater up`")?);
    drop_in(&sample, &data.join("drop"))?;

    let Some(title) = follow(&headwater, &data, &mut service, &stop)? else {
        return Ok(ExitCode::FAILURE);
    };
    if title.state != "published" {
        eprintln!("{}", title.verdict());
        return Ok(ExitCode::FAILURE);
    }
    println!("\npublished  {}", title.title);
    println!("package    {}", title.hls.as_deref().unwrap_or("see `headwater status`"));
    println!("           {}", title.mpd.as_deref().unwrap_or("see `headwater status`"));
    println!("page       http://127.0.0.1:{port}/");
    if options.once {
        println!("           (while `cargo xtask demo` is running)");
        return Ok(ExitCode::SUCCESS);
    }
    println!("\nOpen the page to watch it. Drop more masters into {}", data.join("drop").display());
    println!("Ctrl-C stops the service.");
    while !stop.load(Ordering::Relaxed) {
        service.check()?;
        thread::sleep(POLL);
    }
    Ok(ExitCode::SUCCESS)
}

/// Puts the sample where the service looks for masters, the way a careful supplier does: under a name that the watcher
/// ignores until the last byte is there. Where an earlier run left it, there is nothing to do.
fn drop_in(sample: &Path, folder: &Path) -> Result<()> {
    let dropped = folder.join("sample.mp4");
    if dropped.exists() {
        return Ok(());
    }
    let unfinished = folder.join("sample.mp4.part");
    fs::create_dir_all(folder)
        .and_then(|()| fs::copy(sample, &unfinished))
        .and_then(|_| fs::rename(&unfinished, &dropped))
        .with_context(|| format!("copy the sample master to `{}`", dropped.display()))
}

/// Asks for the title until nothing more will happen to it. `None` when Ctrl-C came first.
fn follow(
    headwater: &Path,
    data: &Path,
    service: &mut Service,
    stop: &AtomicBool,
) -> Result<Option<Title>> {
    let started = Instant::now();
    while !stop.load(Ordering::Relaxed) {
        service.check()?;
        match title(headwater, data) {
            Some(title) if title.is_final() => return Ok(Some(title)),
            None if started.elapsed() > TO_APPEAR => {
                bail!("the service did not take up the sample within {} s", TO_APPEAR.as_secs())
            }
            _ => thread::sleep(POLL),
        }
    }
    Ok(None)
}

/// What `headwater status sample` says; nothing as long as there is no such title.
fn title(headwater: &Path, data: &Path) -> Option<Title> {
    let mut status = Command::new(headwater);
    status.args(["status", "sample", "--json", "--data-dir"]).arg(data);
    let output = status.output().ok()?;
    Title::parse(&String::from_utf8_lossy(&output.stdout))
}

/// The part of `headwater status TITLE --json` that matters here.
#[derive(Debug, Deserialize)]
struct Title {
    title: String,
    state: String,
    hls: Option<String>,
    mpd: Option<String>,
    code: Option<String>,
    message: Option<String>,
}

impl Title {
    /// Either all of it is the answer, or the last line is and earlier ones are news of the work.
    fn parse(output: &str) -> Option<Self> {
        serde_json::from_str(output)
            .or_else(|_| serde_json::from_str(output.lines().last().unwrap_or_default()))
            .ok()
    }

    fn is_final(&self) -> bool {
        matches!(self.state.as_str(), "published" | "rejected" | "failed")
    }

    fn verdict(&self) -> String {
        let code = self.code.as_deref().unwrap_or("no code");
        let message = self.message.as_deref().unwrap_or("no message");
        format!(
            "{} was {}: {code}: {message}\nhint: `cargo xtask demo --fresh` starts over",
            self.title, self.state
        )
    }
}

/// The running service. Dropping it asks it to stop, so that no transcoder is left behind however the demo ends.
struct Service(Child);

impl Service {
    /// Fails when the service has ended by itself.
    fn check(&mut self) -> Result<()> {
        if let Some(status) = self.0.try_wait().context("look after `headwater up`")? {
            bail!("`headwater up` ended: {status}");
        }
        Ok(())
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        if let Some(pid) = rustix::process::Pid::from_raw(self.0.id().cast_signed()) {
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::INT);
        }
        let asked = Instant::now();
        while matches!(self.0.try_wait(), Ok(None)) {
            if asked.elapsed() > TO_STOP {
                // Nothing is lost: the service has to survive being killed at any moment.
                let _ = self.0.kill();
                let _ = self.0.wait();
                return;
            }
            thread::sleep(POLL);
        }
    }
}

fn free_port() -> Result<u16> {
    let free = |port: &u16| TcpListener::bind(("127.0.0.1", *port)).is_ok();
    PORTS.clone().find(free).with_context(|| format!("every port of {PORTS:?} is taken"))
}

#[cfg(test)]
mod tests;
