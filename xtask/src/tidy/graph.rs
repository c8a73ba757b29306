//! Which crate may depend on which: the directions of ARCHITECTURE.md as tables, checked against `cargo metadata`.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result};
use serde::Deserialize;

/// What each crate of the workspace may depend on within the workspace, tests aside. Adapters (`media`, `origin`,
/// `catalog`) see neither each other nor the engine, the engine sees no adapter; they meet in the binary, and in the
/// program that benchmarks measure. The testkit is for tests and for what is one in all but name.
const DIRECTIONS: &[(&str, &[&str])] = &[
    ("headwater-model", &[]),
    ("headwater-spec", &["headwater-model"]),
    ("headwater-packaging", &["headwater-model"]),
    ("headwater-ports", &["headwater-model"]),
    ("headwater-media", &["headwater-model", "headwater-packaging", "headwater-ports"]),
    ("headwater-origin", &["headwater-model", "headwater-ports"]),
    ("headwater-catalog", &["headwater-model", "headwater-ports"]),
    (
        "headwater-engine",
        &["headwater-model", "headwater-spec", "headwater-packaging", "headwater-ports"],
    ),
    ("headwater-api", &["headwater-model", "headwater-spec", "headwater-ports"]),
    (
        "headwater",
        &[
            "headwater-model",
            "headwater-spec",
            "headwater-packaging",
            "headwater-ports",
            "headwater-media",
            "headwater-origin",
            "headwater-catalog",
            "headwater-engine",
            "headwater-api",
        ],
    ),
    ("headwater-testkit", &["headwater-model", "headwater-packaging", "headwater-ports"]),
    ("headwater-lying-origin", &[]),
    ("headwater-torture", &["headwater-testkit", "headwater-lying-origin"]),
    (
        "headwater-load",
        &[
            "headwater-model",
            "headwater-spec",
            "headwater-packaging",
            "headwater-ports",
            "headwater-origin",
            "headwater-catalog",
            "headwater-engine",
        ],
    ),
    // Measures and simulates, on servers and with films that the testkit makes; it is never installed.
    (
        "headwater-crowd",
        &["headwater-model", "headwater-ports", "headwater-catalog", "headwater-testkit"],
    ),
    ("headwater-benches", &["headwater-model"]),
    ("xtask", &["headwater-benches"]),
];

/// Dependencies that only some crates may name, tests aside: the start of their names, who may, and why nobody else.
const OWNERS: &[(&str, &[&str], &str)] = &[
    (
        "gstreamer",
        &["headwater-media"],
        "the media crate hides GStreamer behind the `Transcoder` port",
    ),
    (
        "aws-",
        &["headwater-origin"],
        "the origin crate hides object storage behind the `Origin` port",
    ),
    (
        "s3s",
        &["headwater-lying-origin"],
        "an S3 server is for tests: no crate of the product is one",
    ),
    (
        "sqlx",
        &["headwater-catalog"],
        "the catalog crate hides the database behind the `Catalog` port",
    ),
    ("axum", &["headwater-api", "headwater"], "HTTP ends at the API"),
    ("clap", &["headwater"], "command lines end at the binary"),
    (
        "anyhow",
        &[
            "headwater",
            "headwater-load",
            "headwater-crowd",
            "headwater-torture",
            "headwater-benches",
            "xtask",
        ],
        "a library's errors have types that callers can tell apart",
    ),
];

/// Crates that must not reach others even through their dependencies, and why.
const OUT_OF_REACH: &[(&str, &[&str], &str)] = &[
    ("headwater-model", &["tokio"], "decisions are pure"),
    ("headwater-spec", &["tokio"], "reading a pipeline file is pure"),
    ("headwater-packaging", &["tokio"], "writing and reading packages is pure"),
    ("xtask", &["gstreamer", "glib-sys"], "xtask installs GStreamer, so it has to build without"),
];

/// What `cargo metadata` tells, as far as it matters here.
#[derive(Debug, Deserialize)]
pub(super) struct Graph {
    pub(super) packages: Vec<Package>,
    workspace_members: BTreeSet<String>,
    resolve: Resolve,
}

#[derive(Debug, Deserialize)]
pub(super) struct Package {
    id: String,
    pub(super) name: String,
    pub(super) version: String,
    pub(super) license: Option<String>,
    /// The registry or repository; none for folders.
    pub(super) source: Option<String>,
    dependencies: Vec<Dependency>,
}

#[derive(Debug, Deserialize)]
struct Dependency {
    name: String,
    kind: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Resolve {
    nodes: Vec<Node>,
}

#[derive(Debug, Deserialize)]
struct Node {
    id: String,
    deps: Vec<NodeDependency>,
}

#[derive(Debug, Deserialize)]
struct NodeDependency {
    pkg: String,
    dep_kinds: Vec<DependencyKind>,
}

#[derive(Debug, Deserialize)]
struct DependencyKind {
    kind: Option<String>,
}

/// How cargo names a dependency that only tests have.
const DEV: Option<&str> = Some("dev");

impl Graph {
    pub(super) fn parse(metadata: &str) -> Result<Self> {
        serde_json::from_str(metadata).context("understand the output of `cargo metadata`")
    }

    /// Everything that goes against the tables above.
    pub(super) fn findings(&self) -> Vec<String> {
        let members: Vec<&Package> = self.members().collect();
        let mut findings = Vec::new();
        for package in &members {
            let name = package.name.as_str();
            let Some((_, allowed)) = DIRECTIONS.iter().find(|(it, _)| *it == name) else {
                findings.push(format!(
                    "{name}: say in xtask/src/tidy/graph.rs what this crate may depend on"
                ));
                continue;
            };
            for dependency in package.dependencies.iter().filter(|d| d.kind.as_deref() != DEV) {
                let other = dependency.name.as_str();
                if members.iter().any(|m| m.name == other) && !allowed.contains(&other) {
                    findings.push(format!("{name} must not depend on {other}: {}", instead(other)));
                }
                for (owned, owners, why) in OWNERS {
                    if other.starts_with(owned) && !owners.contains(&name) {
                        findings.push(format!("{name} must not depend on {other}: {why}"));
                    }
                }
            }
        }
        for (name, forbidden, why) in OUT_OF_REACH {
            for reached in self.reach(name) {
                if forbidden.contains(&reached) {
                    findings.push(format!(
                        "{name} must not reach {reached}: {why} (`cargo tree -p {name} -i {reached}` shows the way)"
                    ));
                }
            }
        }
        findings
    }

    /// The crates of the workspace that a page does not name, though it maps them.
    pub(super) fn unnamed_in(&self, page: &str, text: &str) -> Vec<String> {
        let word = |c: char| c.is_alphanumeric() || c == '-';
        let names: BTreeSet<&str> = text.split(|c| !word(c)).collect();
        let unnamed = self.members().filter(|package| !names.contains(package.name.as_str()));
        unnamed
            .map(|package| format!("{page} does not name {}: say what it is for", package.name))
            .collect()
    }

    fn members(&self) -> impl Iterator<Item = &Package> {
        self.packages.iter().filter(|package| self.workspace_members.contains(&package.id))
    }

    /// The names of everything that a crate needs, tests aside.
    fn reach(&self, name: &str) -> BTreeSet<&str> {
        let nodes: BTreeMap<&str, &Node> =
            self.resolve.nodes.iter().map(|n| (n.id.as_str(), n)).collect();
        let names: BTreeMap<&str, &str> =
            self.packages.iter().map(|p| (p.id.as_str(), p.name.as_str())).collect();
        let mut open: Vec<&str> =
            self.members().filter(|p| p.name == name).map(|p| p.id.as_str()).collect();
        let mut reached = BTreeSet::new();
        while let Some(id) = open.pop() {
            if reached.insert(id) {
                let needed = nodes.get(id).into_iter().flat_map(|node| &node.deps);
                let needed =
                    needed.filter(|d| d.dep_kinds.iter().any(|it| it.kind.as_deref() != DEV));
                open.extend(needed.map(|d| d.pkg.as_str()));
            }
        }
        reached.into_iter().filter_map(|id| names.get(id).copied()).collect()
    }
}

fn instead(other: &str) -> &'static str {
    match other {
        "headwater-testkit" => "name it under [dev-dependencies]",
        "headwater-media" | "headwater-origin" | "headwater-catalog" => {
            "ask through a port of headwater-ports; the binary plugs the adapter in"
        }
        _ => "dependencies point to what knows less; see ARCHITECTURE.md",
    }
}

#[cfg(test)]
mod tests;
