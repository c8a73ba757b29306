//! Tests of the directions on small made-up workspaces.

use expect_test::{Expect, expect};
use serde_json::{Value, json};

use super::*;

/// A workspace from lines such as `a -> b, dev c`. Names that start no line are from outside.
fn graph(lines: &str) -> Graph {
    let parse = |line: &str| {
        let (name, needs) = line.split_once(" -> ").unwrap_or((line, ""));
        let needs = needs.split(", ").filter(|it| !it.is_empty());
        let needs = needs.map(|it| match it.strip_prefix("dev ") {
            Some(name) => (name.to_owned(), json!("dev")),
            None => (it.to_owned(), Value::Null),
        });
        (name.trim().to_owned(), needs.collect::<Vec<_>>())
    };
    let crates: Vec<_> =
        lines.lines().map(str::trim).filter(|line| !line.is_empty()).map(parse).collect();
    let outside = crates.iter().flat_map(|(_, needs)| needs).map(|(name, _)| name);
    let known: BTreeSet<&String> = crates.iter().map(|(name, _)| name).collect();
    let outside: BTreeSet<&String> = outside.filter(|name| !known.contains(name)).collect();
    let package = |name: &str, needs: &[(String, Value)]| {
        let needs = needs.iter().map(|(name, kind)| json!({"name": name, "kind": kind}));
        json!({"id": name, "name": name, "version": "1.0.0", "license": "MIT", "source": null,
               "dependencies": needs.collect::<Vec<_>>()})
    };
    let node = |name: &str, needs: &[(String, Value)]| {
        let needs =
            needs.iter().map(|(name, kind)| json!({"pkg": name, "dep_kinds": [{"kind": kind}]}));
        json!({"id": name, "deps": needs.collect::<Vec<_>>()})
    };
    let all = || {
        crates
            .iter()
            .map(|(n, d)| (n.as_str(), d.as_slice()))
            .chain(outside.iter().map(|n| (n.as_str(), &[][..])))
    };
    // `ext-…` stands for a crate from outside that has dependencies itself.
    let members: Vec<&&String> = known.iter().filter(|name| !name.starts_with("ext-")).collect();
    let metadata = json!({
        "packages": all().map(|(n, d)| package(n, d)).collect::<Vec<_>>(),
        "workspace_members": members,
        "resolve": {"nodes": all().map(|(n, d)| node(n, d)).collect::<Vec<_>>()},
    });
    Graph::parse(&metadata.to_string()).unwrap()
}

fn check(lines: &str, expected: Expect) {
    expected.assert_eq(&graph(lines).findings().join("\n"));
}

#[test]
fn the_intended_directions_are_fine() {
    check(
        "headwater-model -> serde
         headwater-ports -> headwater-model, tokio
         headwater-catalog -> headwater-model, headwater-ports, sqlx, dev headwater-testkit
         headwater-testkit -> headwater-ports
         headwater -> headwater-catalog, anyhow, clap",
        expect![""],
    );
}

#[test]
fn an_adapter_that_sees_another_is_found() {
    check(
        "headwater-origin
         headwater-catalog -> headwater-origin",
        expect![
            "headwater-catalog must not depend on headwater-origin: ask through a port of headwater-ports; the binary plugs the adapter in"
        ],
    );
}

#[test]
fn an_engine_that_sees_an_adapter_is_found() {
    check(
        "headwater-media
         headwater-engine -> headwater-media",
        expect![
            "headwater-engine must not depend on headwater-media: ask through a port of headwater-ports; the binary plugs the adapter in"
        ],
    );
}

#[test]
fn a_heavy_dependency_outside_its_crate_is_found() {
    check(
        "headwater-engine -> gstreamer-app, dev sqlx, anyhow",
        expect![[r#"
            headwater-engine must not depend on gstreamer-app: the media crate hides GStreamer behind the `Transcoder` port
            headwater-engine must not depend on anyhow: a library's errors have types that callers can tell apart"#]],
    );
}

#[test]
fn fakes_in_the_product_are_found() {
    check(
        "headwater-testkit
         headwater -> headwater-testkit",
        expect!["headwater must not depend on headwater-testkit: name it under [dev-dependencies]"],
    );
}

#[test]
fn a_forbidden_crate_is_found_behind_others() {
    check(
        "headwater-model -> ext-a
         ext-a -> ext-b, dev tokio
         ext-b -> tokio",
        expect![
            "headwater-model must not reach tokio: decisions are pure (`cargo tree -p headwater-model -i tokio` shows the way)"
        ],
    );
    check(
        "headwater-model -> ext-a
         ext-a -> dev tokio",
        expect![""],
    );
}

#[test]
fn a_new_crate_needs_a_line_in_the_table() {
    check(
        "headwater-hats",
        expect!["headwater-hats: say in xtask/src/tidy/graph.rs what this crate may depend on"],
    );
}

#[test]
fn a_page_that_maps_the_crates_names_each() {
    let graph = graph("headwater-model\nheadwater\nxtask");
    let found = graph.unnamed_in("README.md", "`headwater-model` decides; run `cargo xtask test`");
    assert_eq!(found, ["README.md does not name headwater: say what it is for"]);
}
