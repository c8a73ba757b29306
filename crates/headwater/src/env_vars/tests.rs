//! The list against itself, against the reference in `docs/`, and against what an environment holds that is not ours.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::os::unix::ffi::OsStringExt;

use expect_test::expect_file;

use super::*;

#[test]
fn every_setting_has_its_own_key_and_variable() {
    let keys: BTreeSet<&str> = SETTINGS.iter().chain(SECRETS).map(|s| s.key).collect();
    assert_eq!(keys.len(), SETTINGS.len() + SECRETS.len());
    for setting in SETTINGS.iter().chain(SECRETS) {
        let spelled = format!("{PREFIX}{}", setting.key.replace('.', "_").to_uppercase());
        assert_eq!(setting.variable, spelled);
    }
}

#[test]
fn keys_and_variables_name_the_origin() {
    for setting in SETTINGS.iter().chain(SECRETS).filter(|s| s.is_of_origins()) {
        let name = setting.section_and_name().1;
        assert_eq!(setting.key_of(Some("b2-west")), format!("origins.b2-west.{name}"));
        let variable = setting.variable_of(Some("b2-west"));
        assert_eq!(variable, format!("HEADWATER_ORIGINS_B2_WEST_{}", name.to_uppercase()));
        let (found, origin) = super::setting(&variable).unwrap();
        assert_eq!((found.key, origin.as_deref()), (setting.key, Some("b2-west")));
    }
}

#[test]
fn variables_are_taken_apart() {
    let apart = |variable: &str| {
        super::setting(variable).map(|(s, origin)| (s.key, origin.unwrap_or_default()))
    };
    for (variable, key, origin) in [
        ("HEADWATER_TENANT", "tenant", ""),
        ("HEADWATER_ORIGINS_B2_PATH", "origins.NAME.path", "b2"),
        ("HEADWATER_ORIGINS_B2_PATH_STYLE", "origins.NAME.path_style", "b2"),
        ("HEADWATER_ORIGINS_B2_PATH_PATH", "origins.NAME.path", "b2-path"),
        ("HEADWATER_ORIGINS_NAME_KIND", "origins.NAME.kind", "name"),
        ("HEADWATER_ORIGINS_PUBLIC_URL_EDGE_URL", "origins.NAME.edge_url", "public-url"),
        ("HEADWATER_ORIGINS_4_SECRET_ACCESS_KEY", "origins.NAME.secret_access_key", "4"),
    ] {
        assert_eq!(apart(variable), Some((key, origin.to_owned())), "{variable}");
    }
    for variable in [
        "HEADWATER_ORIGINS",
        "HEADWATER_ORIGINS_BUCKET",
        "HEADWATER_ORIGINS__BUCKET",
        "HEADWATER_ORIGINS___BUCKET",
        "HEADWATER_ORIGINS_B2_COLOUR",
        "HEADWATER_ORIGINS_B2BUCKET",
        // There would be two spellings of one variable.
        "HEADWATER_ORIGINS_b2_BUCKET",
        "HEADWATER_ORIGINS_B-2_BUCKET",
        "HEADWATER_ORIGINS_Ä_BUCKET",
        "HEADWATER_CONFIG",
    ] {
        assert_eq!(apart(variable), None, "{variable}");
    }
    let long = |n| apart(&format!("HEADWATER_ORIGINS_{}_KIND", "A".repeat(n))).is_some();
    assert!(long(MAX_ORIGIN_NAME) && !long(MAX_ORIGIN_NAME + 1));
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
    for setting in SETTINGS.iter().chain(SECRETS) {
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
        ("HEADWATER_ORIGINS_B2_BUKCET", "did you mean `HEADWATER_ORIGINS_B2_BUCKET`?"),
        (
            "HEADWATER_ORIGIN_B2_WEST_PUBLIC_ULR",
            "did you mean `HEADWATER_ORIGINS_B2_WEST_PUBLIC_URL`?",
        ),
        ("HEADWATER_ORIGINS_B2_ACCESS_KEY", "did you mean `HEADWATER_ORIGINS_B2_ACCESS_KEY_ID`?"),
        (
            "HEADWATER_ORIGINS_b2_SECRETACCESSKEY",
            "did you mean `HEADWATER_ORIGINS_B2_SECRET_ACCESS_KEY`?",
        ),
        ("HEADWATER_ORIGIN_PATH", "did you mean `HEADWATER_ORIGINS_NAME_PATH`?"),
        ("HEADWATER_ORIGINS__KIND", "did you mean `HEADWATER_ORIGINS_NAME_KIND`?"),
        ("HEADWATER_PUBLISH_REQUIRE", "did you mean `HEADWATER_PUBLISH_REQUIRED`?"),
    ] {
        assert_eq!(did_you_mean(typed), meant);
    }
    assert!(
        did_you_mean("HEADWATER_S3_BUCKET").contains("ORIGINS_NAME_PATH"),
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
    page += example_file(&examples()).trim_start();
    page += "```\n\n## Settings\n\n| key | variable | what | default | example |\n|---|---|---|---|---|\n";
    for Setting { key, variable, what, default, example, .. } in SETTINGS {
        writeln!(page, "| `{key}` | `{variable}` | {what} | {default} | `{example}` |").unwrap();
    }
    page += "\n## Secrets\n\n| variable | what | default |\n|---|---|---|\n";
    for Setting { variable, what, default, .. } in SECRETS {
        writeln!(page, "| `{variable}` | {what} | {default} |").unwrap();
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
  value, even where another source overrides it. All of them are shown at once, with file, line and column; values that
  contradict each other are told when each is right by itself.
- Relative paths in the file start at the file's folder; those in variables and flags at the current folder.
- What lies in `data_dir` by default follows it, whoever sets it.
- An empty variable counts as not set. Variables that Kubernetes makes for a service named `headwater` are ignored.
- The drop folder and the folders that the service writes to must not lie in each other, nor must two origins.

**Origins** are the places that hold packages, and one of them masters. With none configured there is one: `local`, the
folder `origin` in `data_dir`. Once there is a section `[origins.NAME]`, or a variable of an origin, there are only those
that are configured; where all of those hold masters only (`masters.origins`), `local` stays. Secrets alone make no origin: what is taken out of the configuration is gone, whether or not its keys
are still exported, and a warning says so.

- `NAME` is a name of your own, 1 to 64 of a-z, 0-9 and -, which starts with a letter or digit. In variables it is upper
  case, with `_` for `-`: the bucket of `[origins.b2-west]` is `HEADWATER_ORIGINS_B2_WEST_BUCKET`. A variable may bring
  in an origin that the file does not have.
- What means nothing to the kind of an origin is an error: a bucket for a directory, a path for a bucket.
- Secrets are variables and nothing else. A key that looks like one is an error in the file, and neither its value nor
  that of a variable is ever shown. An address with a user's name or a password in it is an error too.

This page is rendered from `crates/headwater/src/env_vars.rs`; a test keeps it current.
";

/// A setting with a value, and the origin that it is about.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Example {
    pub(crate) setting: &'static Setting,
    pub(crate) origin: Option<&'static str>,
    pub(crate) value: &'static str,
}

impl Example {
    pub(crate) fn variable(&self) -> (String, String) {
        (self.setting.variable_of(self.origin), self.value.to_owned())
    }
}

/// A value for every setting, in the order of the list; four origins, since no origin has them all.
pub(crate) fn examples() -> Vec<Example> {
    let plain =
        |setting: &'static Setting| Example { setting, origin: None, value: setting.example };
    let is_of_origins = |s: &&Setting| s.is_of_origins();
    let before = SETTINGS.iter().take_while(|s| !s.is_of_origins()).map(plain);
    let after = SETTINGS.iter().skip_while(|s| !s.is_of_origins()).skip_while(is_of_origins);
    before.chain(example_origins()).chain(after.map(plain)).collect()
}

fn example_origins() -> Vec<Example> {
    let all = || SETTINGS.iter().filter(|s| s.is_of_origins());
    let b2 = all().filter(|s| s.only_for() != Some("directory"));
    let b2 = b2.map(|setting| Example { setting, origin: Some("b2"), value: setting.example });
    let others = [
        ("basement", "kind", "directory"),
        ("basement", "path", "/srv/packages"),
        ("glacier", "kind", "s3"),
        ("glacier", "bucket", "masters"),
        ("glacier", "storage_class", "GLACIER_IR"),
        ("inbox", "kind", "s3"),
        ("inbox", "bucket", "inbox"),
    ];
    let others = others.into_iter().map(|(origin, name, value)| {
        let setting = all().find(|s| s.section_and_name().1 == name).unwrap();
        Example { setting, origin: Some(origin), value }
    });
    b2.chain(others).collect()
}

/// A file that says this.
pub(crate) fn example_file(examples: &[Example]) -> String {
    let mut file = String::new();
    let mut open = None;
    for Example { setting, origin, value } in examples {
        let key = setting.key_of(*origin);
        let section = key.rsplit_once('.').map(|(section, _)| section.to_owned());
        if section != open {
            writeln!(file, "\n[{}]", section.as_deref().unwrap_or_default()).unwrap();
            open = section;
        }
        writeln!(file, "{}", setting.in_file(value)).unwrap();
    }
    file
}
