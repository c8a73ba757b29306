//! `cargo xtask test`: installs what the tests need, then every check, the quick ones first. CI runs exactly this.

use std::process::Command;
use std::time::Instant;

use anyhow::{Context, Result};

use crate::workspace::{cargo, root, target};
use crate::{packages, shell, tidy};

/// Something that passes or fails.
type Stage = fn() -> Result<()>;

/// Runs everything, stops at the first stage that fails, and tells how long each took.
pub(crate) fn run() -> Result<()> {
    let stages: [(&str, Stage); 8] = [
        ("Debian packages", || packages::install(packages::Need::Test)),
        ("Rust tools", rust_tools),
        ("browser players", players),
        ("format", || shell::run(&mut cargo(&["fmt", "--all", "--check"]))),
        ("tidy", tidy::run),
        ("clippy", clippy),
        ("build", || nextest(&["--no-run"])),
        ("tests", || nextest(&[])),
    ];
    let mut times = String::new();
    for (name, stage) in stages {
        eprintln!("\n== {name}");
        let started = Instant::now();
        stage().with_context(|| format!("stage `{name}`"))?;
        times.push_str(&format!("{name:<20}{:>6.0} s\n", started.elapsed().as_secs_f64()));
    }
    eprint!("\n{times}");
    Ok(())
}

/// rustfmt, clippy and nextest, where the toolchain came without them.
fn rust_tools() -> Result<()> {
    for tool in ["fmt", "clippy"] {
        if !shell::succeeds(&mut cargo(&[tool, "--version"])) {
            let component = if tool == "fmt" { "rustfmt" } else { tool };
            shell::run(Command::new("rustup").args(["component", "add", component]))?;
        }
    }
    if nextest_command().is_none() {
        let tools = target().join("tools");
        // Built for debugging: nextest waits for tests all day, and an optimised build of it takes three times as long.
        let mut install = cargo(&[
            "install",
            "--locked",
            "--debug",
            "cargo-nextest",
            "--version",
            "^0.9.100",
            "--root",
        ]);
        shell::run(install.arg(tools))?;
    }
    Ok(())
}

/// `cargo nextest`: whatever version is installed, or else our own.
fn nextest_command() -> Option<Command> {
    if shell::succeeds(&mut cargo(&["nextest", "--version"])) {
        return Some(cargo(&["nextest"]));
    }
    let own = target().join("tools/bin/cargo-nextest");
    own.exists().then(|| {
        let mut command = Command::new(own);
        command.arg("nextest").current_dir(root());
        command
    })
}

fn players() -> Result<()> {
    let folder = root().join("testdata/players");
    shell::run(
        Command::new("npm")
            .args(["ci", "--no-audit", "--no-fund", "--ignore-scripts"])
            .current_dir(folder),
    )
}

fn clippy() -> Result<()> {
    shell::run(&mut cargo(&[
        "clippy",
        "--locked",
        "--workspace",
        "--all-targets",
        "--",
        "--deny",
        "warnings",
    ]))
}

fn nextest(more: &[&str]) -> Result<()> {
    let mut command = nextest_command().context("cargo-nextest is not installed")?;
    command.args(["run", "--locked", "--workspace"]).args(more);
    shell::run(&mut command)
}
