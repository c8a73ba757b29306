//! Every setting documented once: its key in `headwater.toml`, its environment variable, what it does.
//!
//! `docs/configuration.md` is rendered from this list, and so are the hints of [`crate::config`].

use std::collections::BTreeMap;
use std::ffi::OsString;

/// What all our variables start with.
const PREFIX: &str = "HEADWATER_";

/// Names the configuration file, for those who cannot pass `--config`.
pub(crate) const CONFIG: &str = "HEADWATER_CONFIG";

/// How a setting is written in TOML.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// In quotes.
    Text,
    /// Without.
    Number,
}

/// One setting.
#[derive(Debug)]
pub(crate) struct Setting {
    /// Its key in `headwater.toml`, with its section: `watch.folder`.
    pub(crate) key: &'static str,
    /// Its environment variable.
    pub(crate) variable: &'static str,
    /// How it is written in TOML.
    pub(crate) form: Form,
    /// What it does, in a few words.
    pub(crate) what: &'static str,
    /// What it is when nothing is said, in words.
    pub(crate) default: &'static str,
    /// A value that somebody could want.
    pub(crate) example: &'static str,
}

impl Setting {
    /// The section that its key stands in, if it is in one, and the key without it.
    pub(crate) fn section_and_name(&self) -> (Option<&'static str>, &'static str) {
        match self.key.split_once('.') {
            Some((section, name)) => (Some(section), name),
            None => (None, self.key),
        }
    }

    /// The example as a line of the file.
    pub(crate) fn example_in_file(&self) -> String {
        let (_, name) = self.section_and_name();
        match self.form {
            Form::Text => format!("{name} = \"{}\"", self.example),
            Form::Number => format!("{name} = {}", self.example),
        }
    }

    /// The example as an environment variable.
    pub(crate) fn example_in_environment(&self) -> String {
        format!("{}={}", self.variable, self.example)
    }
}

/// All settings, in the order of the file.
pub(crate) const SETTINGS: &[Setting] = &[
    Setting {
        key: "data_dir",
        variable: "HEADWATER_DATA_DIR",
        form: Form::Text,
        what: "folder for everything that the service keeps: catalog, spool, drop folder, packages",
        default: "`headwater-data` in the current folder",
        example: "/var/lib/headwater",
    },
    Setting {
        key: "tenant",
        variable: "HEADWATER_TENANT",
        form: Form::Text,
        what: "tenant that titles belong to: the first part of every object key",
        default: "`main`",
        example: "station-1",
    },
    Setting {
        key: "pipeline",
        variable: "HEADWATER_PIPELINE",
        form: Form::Text,
        what: "name of the pipeline for masters that come without one",
        default: "`vod-h264`",
        example: "copy",
    },
    Setting {
        key: "pipelines_dir",
        variable: "HEADWATER_PIPELINES_DIR",
        form: Form::Text,
        what: "folder with your own pipeline files, which come before the shipped ones",
        default: "the shipped pipelines only",
        example: "/etc/headwater/pipelines",
    },
    Setting {
        key: "watch.folder",
        variable: "HEADWATER_WATCH_FOLDER",
        form: Form::Text,
        what: "drop folder: masters that are put here become titles",
        default: "`drop` in `data_dir`",
        example: "/srv/aspera/incoming",
    },
    Setting {
        key: "watch.settle_seconds",
        variable: "HEADWATER_WATCH_SETTLE_SECONDS",
        form: Form::Number,
        what: "how long size and time of a file must stand still before it counts as complete, 0.1 to 3600",
        default: "5",
        example: "30",
    },
    Setting {
        key: "watch.rescan_seconds",
        variable: "HEADWATER_WATCH_RESCAN_SECONDS",
        form: Form::Number,
        what: "how often the drop folder is listed in case a notification got lost, 0.1 to 86400",
        default: "10",
        example: "60",
    },
    Setting {
        key: "worker.slots",
        variable: "HEADWATER_WORKER_SLOTS",
        form: Form::Number,
        what: "transcoder children at a time, 1 to 256",
        default: "the number of cores",
        example: "4",
    },
    Setting {
        key: "origin.name",
        variable: "HEADWATER_ORIGIN_NAME",
        form: Form::Text,
        what: "name of the origin, which findings mention",
        default: "`local`",
        example: "basement",
    },
    Setting {
        key: "origin.kind",
        variable: "HEADWATER_ORIGIN_KIND",
        form: Form::Text,
        what: "kind of the origin: `directory`",
        default: "`directory`",
        example: "directory",
    },
    Setting {
        key: "origin.path",
        variable: "HEADWATER_ORIGIN_PATH",
        form: Form::Text,
        what: "folder that holds the packages of a directory origin",
        default: "`origin` in `data_dir`",
        example: "/srv/packages",
    },
    Setting {
        key: "http.listen",
        variable: "HEADWATER_HTTP_LISTEN",
        form: Form::Text,
        what: "IP address and port to listen on; `0.0.0.0:8080` is every interface, port 0 any free port",
        default: "`127.0.0.1:8080`",
        example: "0.0.0.0:8080",
    },
    Setting {
        key: "http.public_url",
        variable: "HEADWATER_HTTP_PUBLIC_URL",
        form: Form::Text,
        what: "address by which others reach the service, for links that it prints",
        default: "`http://` and the address it listens on",
        example: "https://headwater.example.org",
    },
    Setting {
        key: "log.filter",
        variable: "HEADWATER_LOG_FILTER",
        form: Form::Text,
        what: "what is logged: directives such as `info` or `headwater_engine=debug`, with commas between them",
        default: "`warn,headwater=info` for `up`, `warn` for all other commands",
        example: "warn,headwater=debug",
    },
    Setting {
        key: "log.format",
        variable: "HEADWATER_LOG_FORMAT",
        form: Form::Text,
        what: "`text` for people or `json`, an object per line, for machines",
        default: "`text`",
        example: "json",
    },
];

/// A variable that is no setting.
#[derive(Debug)]
#[cfg_attr(
    not(test),
    expect(dead_code, reason = "the reference page is rendered from it by a test")
)]
pub(crate) struct Other {
    /// Its name.
    pub(crate) variable: &'static str,
    /// What it does.
    pub(crate) what: &'static str,
    /// A value that somebody could want.
    pub(crate) example: &'static str,
}

/// Variables that have no key in the file.
pub(crate) const OTHERS: &[Other] = &[
    Other {
        variable: CONFIG,
        what: "configuration file, as `--config`; without either, `headwater.toml` in the current folder where there is one",
        example: "/etc/headwater/headwater.toml",
    },
    Other {
        variable: "HEADWATER_STRICT",
        what: "tests only: a missing tool or service fails the test that needs it instead of skipping it",
        example: "1",
    },
];

/// Our variables among those of a process, by name. The name of the first one that is not UTF-8 is an error.
pub(crate) fn ours(
    variables: impl Iterator<Item = (OsString, OsString)>,
) -> Result<BTreeMap<String, String>, String> {
    let mut ours = BTreeMap::new();
    for (name, value) in variables {
        let name = name.to_string_lossy().into_owned();
        if !name.starts_with(PREFIX) {
            continue;
        }
        match value.into_string() {
            Ok(value) if is_service_link(&name, &value) => {}
            Ok(value) => drop(ours.insert(name, value)),
            Err(_) => return Err(name),
        }
    }
    Ok(ours)
}

/// Whether Kubernetes set the variable: in every container it describes each service of the namespace, one named
/// `headwater` or `headwater-api` too, as `HEADWATER_PORT=tcp://10.0.0.11:80`, `HEADWATER_API_SERVICE_HOST=10.0.0.11`.
fn is_service_link(name: &str, value: &str) -> bool {
    let with_protocol = ["tcp://", "udp://", "sctp://"].iter().any(|p| value.starts_with(p));
    let of_a_port = ["_TCP_", "_UDP_", "_SCTP_"].iter().any(|p| name.contains(p));
    name.contains("_SERVICE_HOST")
        || name.contains("_SERVICE_PORT")
        || (name.contains("_PORT") && (with_protocol || of_a_port))
}

/// Advice for a variable that is not known: the one that is probably meant, or all that a service has.
pub(crate) fn did_you_mean(name: &str) -> String {
    let settings = SETTINGS.iter().map(|s| s.variable);
    let known: Vec<&str> = settings.chain([CONFIG]).map(bare).collect();
    match headwater_spec::nearest(bare(name), known.iter().copied()) {
        Some(near) => format!("did you mean `{PREFIX}{near}`?"),
        None => format!("known: `{PREFIX}` with one of {}", known.join(", ")),
    }
}

/// A name without the prefix, which would make all names alike.
fn bare(name: &str) -> &str {
    name.strip_prefix(PREFIX).unwrap_or(name)
}

#[cfg(test)]
pub(crate) mod tests;
