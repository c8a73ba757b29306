//! The list against itself, against the reference in `docs/`, and against what an environment holds that is not ours.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::os::unix::ffi::OsStringExt;

use expect_test::expect_file;

use super::*;

#[test]
fn every_setting_has_its_own_key_and_variable() {
    let keys: BTreeSet<&str> = SETTINGS.iter().map(|s| s.key).collect();
    assert_eq!(keys.len(), SETTINGS.len());
    for setting in SETTINGS {
        let spelled = format!("{PREFIX}{}", setting.key.replace('.', "_").to_uppercase());
        assert_eq!(setting.variable, spelled);
    }
}

#[test]
fn variables_of_others_are_left_alone() {
    let variables =
        [("PATH", "/bin"), ("RUST_LOG", "debug"), ("HEADWATERS", "1"), ("HEADWATER_TENANT", "x")]
            .map(|(name, value)| (OsString::from(name), OsString::from(value)));
    let ours = ours(variables.into_iter()).unwrap();
    assert_eq!(ours, BTreeMap::from([("HEADWATER_TENANT".to_owned(), "x".to_owned())]));
}

#[test]
fn kubernetes_may_describe_a_service_of_our_name() {
    for (name, value) in [
        ("HEADWATER_SERVICE_HOST", "10.0.0.11"),
        ("HEADWATER_SERVICE_PORT", "8080"),
        ("HEADWATER_SERVICE_PORT_HTTP", "8080"),
        ("HEADWATER_PORT", "tcp://10.0.0.11:8080"),
        ("HEADWATER_PORT_8080_TCP", "tcp://10.0.0.11:8080"),
        ("HEADWATER_PORT_8080_TCP_PROTO", "tcp"),
        ("HEADWATER_PORT_8080_TCP_PORT", "8080"),
        ("HEADWATER_PORT_8080_TCP_ADDR", "10.0.0.11"),
        ("HEADWATER_API_SERVICE_HOST", "10.0.0.12"),
        ("HEADWATER_API_PORT_53_UDP_ADDR", "10.0.0.12"),
    ] {
        assert!(is_service_link(name, value), "{name}={value}");
    }
    for setting in SETTINGS {
        assert!(!is_service_link(setting.variable, setting.example), "{}", setting.variable);
    }
    assert!(!is_service_link("HEADWATER_PORT", "8080"), "somebody means to set the port");
}

#[test]
fn a_value_that_is_not_utf8_is_named() {
    let bad = OsString::from_vec(vec![b'/', 0xff]);
    let variables = [(OsString::from("HEADWATER_DATA_DIR"), bad)];
    assert_eq!(ours(variables.into_iter()), Err("HEADWATER_DATA_DIR".to_owned()));
}

#[test]
fn a_typo_finds_its_variable() {
    for (typed, meant) in [
        ("HEADWATER_DATADIR", "did you mean `HEADWATER_DATA_DIR`?"),
        ("HEADWATER_WORKERS_SLOTS", "did you mean `HEADWATER_WORKER_SLOTS`?"),
        ("HEADWATER_CONF", "did you mean `HEADWATER_CONFIG`?"),
    ] {
        assert_eq!(did_you_mean(typed), meant);
    }
    assert!(
        did_you_mean("HEADWATER_S3_BUCKET").contains("ORIGIN_PATH"),
        "none is near: all are told"
    );
}

/// `UPDATE_EXPECT=1` renders the reference anew.
#[test]
fn the_reference_is_current() {
    expect_file!["../../../../docs/configuration.md"].assert_eq(&reference());
}

/// The page: a file with an example of every setting, then tables.
fn reference() -> String {
    let mut page = String::from(INTRODUCTION);
    page += "\n## An example of everything\n\n```toml\n";
    page += &example_file();
    page += "```\n\n## Settings\n\n| key | variable | what | default | example |\n|---|---|---|---|---|\n";
    for Setting { key, variable, what, default, example, .. } in SETTINGS {
        writeln!(page, "| `{key}` | `{variable}` | {what} | {default} | `{example}` |").unwrap();
    }
    page += "\n## Variables without a key\n\n| variable | what | example |\n|---|---|---|\n";
    for Other { variable, what, example } in OTHERS {
        writeln!(page, "| `{variable}` | {what} | `{example}` |").unwrap();
    }
    page
}

const INTRODUCTION: &str = "\
# Configuration

With no configuration at all, everything works in `./headwater-data`. What is to be different goes into `headwater.toml`
in the current folder, or into the file that `--config` or `HEADWATER_CONFIG` names; an environment variable overrides
the file, and a flag of the command line overrides both.

- A key or `HEADWATER_*` variable that is not listed here is an error, and the nearest known one is named; so is a bad
  value, even where another source overrides it. Every mistake is shown at once, with file, line and column.
- Relative paths in the file start at the file's folder; those in variables and flags at the current folder.
- What lies in `data_dir` by default follows it, whoever sets it.
- An empty variable counts as not set. Variables that Kubernetes makes for a service named `headwater` are ignored.
- The drop folder and the folders that the service writes to must not lie in each other.

This page is rendered from `crates/headwater/src/env_vars.rs`; a test keeps it current.
";

/// A file that sets everything, in the order of the list.
pub(crate) fn example_file() -> String {
    let mut file = String::new();
    let mut open = None;
    for setting in SETTINGS {
        let (section, _) = setting.section_and_name();
        if section != open {
            open = section;
            writeln!(file, "\n[{}]", section.unwrap_or_default()).unwrap();
        }
        writeln!(file, "{}", setting.example_in_file()).unwrap();
    }
    file
}
