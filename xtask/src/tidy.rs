//! `cargo xtask tidy`: the rules of this repository that the compiler and clippy do not know.
//!
//! Every finding says what is wrong, where, and what to do about it.

mod graph;
mod licences;
mod migrations;
mod sources;

use std::fs;

use anyhow::{Context, Result, bail};

use crate::{shell, workspace};

/// Checks everything and lists all findings at once.
pub(crate) fn run() -> Result<()> {
    let root = workspace::root();
    let read =
        |name: &str| fs::read_to_string(root.join(name)).with_context(|| format!("read `{name}`"));
    let policy = licences::Policy::parse(&read("deny.toml")?)?;
    let mut command = workspace::cargo(&["metadata", "--format-version=1", "--locked"]);
    for target in &policy.graph.targets {
        command.arg(format!("--filter-platform={target}"));
    }
    let graph = graph::Graph::parse(&shell::read(&mut command)?)?;

    let mut findings = sources::check(&root)?;
    findings.extend(migrations::check(&root)?);
    findings.extend(graph.findings());
    findings.extend(policy.findings(&graph.packages));
    for name in ["README.md", "ARCHITECTURE.md"] {
        findings.extend(graph.unnamed_in(name, &read(name).unwrap_or_default()));
    }
    if findings.is_empty() {
        eprintln!("tidy: {} packages and every source file are in order", graph.packages.len());
        return Ok(());
    }
    for finding in &findings {
        eprintln!("tidy: {finding}");
    }
    bail!("{} findings", findings.len())
}
