//! Every setting documented once: its key in `headwater.toml`, its environment variable, what it does.
//!
//! `docs/configuration.md` is rendered from this list, and so are the hints of [`crate::config`].

use std::collections::BTreeMap;
use std::ffi::OsString;

/// What all our variables start with.
const PREFIX: &str = "HEADWATER_";

/// Names the configuration file, for those who cannot pass `--config`.
pub(crate) const CONFIG: &str = "HEADWATER_CONFIG";

/// The section of an origin, in which `NAME` stands for the origin's name.
pub(crate) const ORIGIN: &str = "origins.NAME";

/// What the variables of an origin start with, likewise.
const ORIGIN_VARIABLE: &str = "HEADWATER_ORIGINS_NAME";

/// Longest name of an origin, as of everything that ends up in logs and metrics.
pub(crate) const MAX_ORIGIN_NAME: usize = 64;

/// How a setting is written in TOML.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// In quotes.
    Text,
    /// Without.
    Number,
    /// `true` or `false`.
    Boolean,
    /// Texts in brackets; with commas between them in a variable.
    List,
}

/// One setting.
#[derive(Debug)]
pub(crate) struct Setting {
    /// Its key in `headwater.toml`, with its section: `watch.folder`, `origins.NAME.path`.
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
        match self.key.rsplit_once('.') {
            Some((section, name)) => (Some(section), name),
            None => (None, self.key),
        }
    }

    /// Whether every origin has one of its own.
    pub(crate) fn is_of_origins(&self) -> bool {
        self.section_and_name().0 == Some(ORIGIN)
    }

    /// The one kind of origin that it means something to; `None` when it does to all of them.
    pub(crate) fn only_for(&self) -> Option<&'static str> {
        if !self.is_of_origins() {
            return None;
        }
        match self.section_and_name().1 {
            "path" => Some("directory"),
            "bucket" | "endpoint" | "region" | "prefix" | "path_style" | "storage_class"
            | "access_key_id" | "secret_access_key" | "session_token" => Some("s3"),
            _ => None,
        }
    }

    /// Its key, with the name of the origin that it is about.
    pub(crate) fn key_of(&self, origin: Option<&str>) -> String {
        origin.map_or_else(|| self.key.to_owned(), |name| self.key.replacen("NAME", name, 1))
    }

    /// Its environment variable, likewise.
    pub(crate) fn variable_of(&self, origin: Option<&str>) -> String {
        let shouted = origin.map(|name| name.replace('-', "_").to_uppercase());
        shouted.map_or_else(
            || self.variable.to_owned(),
            |name| self.variable.replacen("NAME", &name, 1),
        )
    }

    /// The line of the file that gives it this value, which is written as in a variable.
    pub(crate) fn in_file(&self, value: &str) -> String {
        let (_, name) = self.section_and_name();
        match self.form {
            // What holds quotes itself stands in the other ones.
            Form::Text if value.contains('"') => format!("{name} = '{value}'"),
            Form::Text => format!("{name} = \"{value}\""),
            Form::Number | Form::Boolean => format!("{name} = {value}"),
            Form::List => format!("{name} = [\"{}\"]", value.replace(',', "\", \"")),
        }
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
        key: "database",
        variable: "HEADWATER_DATABASE",
        form: Form::Text,
        what: "PostgreSQL database that holds the catalog, for several machines; its password belongs into `HEADWATER_DATABASE_PASSWORD`",
        default: "a SQLite file in `data_dir`",
        example: "postgres://headwater@db.internal/headwater",
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
        key: "watch.buckets",
        variable: "HEADWATER_WATCH_BUCKETS",
        form: Form::List,
        what: "folders of buckets that are watched too: objects right in them become titles; each in an origin of `masters.origins`",
        default: "no bucket is watched",
        example: "s3://inbox/suppliers/",
    },
    Setting {
        key: "watch.poll_seconds",
        variable: "HEADWATER_WATCH_POLL_SECONDS",
        form: Form::Number,
        what: "how often watched buckets are listed, 1 to 86400",
        default: "60",
        example: "300",
    },
    Setting {
        key: "worker.slots",
        variable: "HEADWATER_WORKER_SLOTS",
        form: Form::Number,
        what: "transcoder children at a time, 1 to 256",
        default: "the number of cores, or fewer where memory does not give each 1 GiB and the process 0.5 GiB",
        example: "4",
    },
    Setting {
        key: "worker.pool",
        variable: "HEADWATER_WORKER_POOL",
        form: Form::Text,
        what: "pool of workers that this one belongs to",
        default: "`cpu`",
        example: "cpu-large",
    },
    Setting {
        key: "worker.name",
        variable: "HEADWATER_WORKER_NAME",
        form: Form::Text,
        what: "what the process is called in the catalog and in its folders, by which it is told from others: where two have one name, the catalog calls the second `NAME-2`, and in one data folder it is refused",
        default: "the name of the host and eight digits, other ones at every start",
        example: "render-3",
    },
    Setting {
        key: "worker.drain_seconds",
        variable: "HEADWATER_WORKER_DRAIN_SECONDS",
        form: Form::Number,
        what: "how long work under way may go on after SIGTERM before it is given back, 0 to 86400; whoever sends SIGKILL afterwards has to wait 10 s longer than that",
        default: "20",
        example: "120",
    },
    Setting {
        key: "worker.lease_seconds",
        variable: "HEADWATER_WORKER_LEASE_SECONDS",
        form: Form::Number,
        what: "for how long a task is claimed, 15 to 3600; renewed every third of it, and what a process had that was killed is done by others when it is over; it has to outlast every pause of the machine and every fail-over of the database",
        default: "30, or 90 with a `database`",
        example: "60",
    },
    Setting {
        key: "worker.transcoder_silence_seconds",
        variable: "HEADWATER_WORKER_TRANSCODER_SILENCE_SECONDS",
        form: Form::Number,
        what: "a transcoder child that reports no progress for this long is killed, 1 to 86400",
        default: "120",
        example: "600",
    },
    Setting {
        key: "worker.transcoder_memory_mb",
        variable: "HEADWATER_WORKER_TRANSCODER_MEMORY_MB",
        form: Form::Number,
        what: "memory that a transcoder child may use before it is killed, in MB, 64 to 1048576",
        default: "what its work can come to, by the sizes of picture and ladder and by the preset",
        example: "4096",
    },
    Setting {
        key: "origins.NAME.kind",
        variable: "HEADWATER_ORIGINS_NAME_KIND",
        form: Form::Text,
        what: "kind of the origin: `directory`, or `s3` for every service that speaks S3",
        default: "`directory`",
        example: "s3",
    },
    Setting {
        key: "origins.NAME.path",
        variable: "HEADWATER_ORIGINS_NAME_PATH",
        form: Form::Text,
        what: "folder that holds the objects of a directory origin",
        default: "`origins/NAME` in `data_dir`, or `origin` there for the origin `local`",
        example: "/srv/packages",
    },
    Setting {
        key: "origins.NAME.bucket",
        variable: "HEADWATER_ORIGINS_NAME_BUCKET",
        form: Form::Text,
        what: "bucket of an S3 origin",
        default: "an error: an S3 origin needs one",
        example: "films",
    },
    Setting {
        key: "origins.NAME.endpoint",
        variable: "HEADWATER_ORIGINS_NAME_ENDPOINT",
        form: Form::Text,
        what: "address of the service that an S3 origin is on",
        default: "AWS itself",
        example: "https://s3.us-west-004.backblazeb2.com",
    },
    Setting {
        key: "origins.NAME.region",
        variable: "HEADWATER_ORIGINS_NAME_REGION",
        form: Form::Text,
        what: "region that requests to an S3 origin are signed for",
        default: "`us-east-1`, which services without regions take",
        example: "us-west-004",
    },
    Setting {
        key: "origins.NAME.prefix",
        variable: "HEADWATER_ORIGINS_NAME_PREFIX",
        form: Form::Text,
        what: "what comes before every key in the bucket of an S3 origin, with or without a slash at its end",
        default: "nothing",
        example: "packages",
    },
    Setting {
        key: "origins.NAME.path_style",
        variable: "HEADWATER_ORIGINS_NAME_PATH_STYLE",
        form: Form::Boolean,
        what: "whether the bucket of an S3 origin stands in the path of an address (`true`) or in the name of its host (`false`)",
        default: "`true` with an `endpoint`, else `false`",
        example: "false",
    },
    Setting {
        key: "origins.NAME.storage_class",
        variable: "HEADWATER_ORIGINS_NAME_STORAGE_CLASS",
        form: Form::Text,
        what: "storage class of what is stored on an S3 origin",
        default: "the service's own",
        example: "STANDARD_IA",
    },
    Setting {
        key: "origins.NAME.public_url",
        variable: "HEADWATER_ORIGINS_NAME_PUBLIC_URL",
        form: Form::Text,
        what: "address under which players find the objects of the origin; `prefix` and keys come behind it",
        default: "the bucket's own address, or the path of the folder",
        example: "https://media.example.org",
    },
    Setting {
        key: "origins.NAME.edge_url",
        variable: "HEADWATER_ORIGINS_NAME_EDGE_URL",
        form: Form::Text,
        what: "address of the CDN in front of the origin, for the proof through the edge and for purges; keys come behind it without `prefix`, so where the CDN's root is the bucket's root, it ends in the prefix",
        default: "there is no CDN",
        example: "https://cdn.example.org/packages",
    },
    Setting {
        key: "origins.NAME.purge_method",
        variable: "HEADWATER_ORIGINS_NAME_PURGE_METHOD",
        form: Form::Text,
        what: "HTTP method, in letters, with which a stale object is purged from the CDN",
        default: "nothing is purged",
        example: "PURGE",
    },
    Setting {
        key: "origins.NAME.purge_url",
        variable: "HEADWATER_ORIGINS_NAME_PURGE_URL",
        form: Form::Text,
        what: "where purges are sent",
        default: "the object's own address on the CDN",
        example: "https://api.example.org/purge",
    },
    Setting {
        key: "origins.NAME.purge_body",
        variable: "HEADWATER_ORIGINS_NAME_PURGE_BODY",
        form: Form::Text,
        what: "body of a purge, in which `{url}` stands for the object's address on the CDN",
        default: "a purge has no body",
        example: r#"{"files":["{url}"]}"#,
    },
    Setting {
        key: "masters.origins",
        variable: "HEADWATER_MASTERS_ORIGINS",
        form: Form::List,
        what: "S3 origins in which masters lie: those are read by addresses such as `s3://BUCKET/film.mov`, and no packages are stored there",
        default: "all origins hold packages",
        example: "inbox",
    },
    Setting {
        key: "publish.required",
        variable: "HEADWATER_PUBLISH_REQUIRED",
        form: Form::List,
        what: "origins that must prove a package before viewers get it, best first; with commas between them in a variable",
        default: "all origins but the archive",
        example: "basement,b2",
    },
    Setting {
        key: "publish.min_copies",
        variable: "HEADWATER_PUBLISH_MIN_COPIES",
        form: Form::Number,
        what: "how many origins must prove it, the required ones included",
        default: "the number of required ones, at least 1",
        example: "2",
    },
    Setting {
        key: "publish.archive",
        variable: "HEADWATER_PUBLISH_ARCHIVE",
        form: Form::Text,
        what: "origin that keeps masters, and no packages",
        default: "there is no archive",
        example: "glacier",
    },
    Setting {
        key: "publish.verify",
        variable: "HEADWATER_PUBLISH_VERIFY",
        form: Form::Text,
        what: "what counts as proof: `listing` is what the origin says of its objects, `read` is every byte read back, `edge` is the listing and every object through the CDN",
        default: "`listing`",
        example: "read",
    },
    Setting {
        key: "audit.list_days",
        variable: "HEADWATER_AUDIT_LIST_DAYS",
        form: Form::Number,
        what: "every object of every live title is listed at least this often, in days, 0.01 to 365",
        default: "7",
        example: "1",
    },
    Setting {
        key: "audit.read_days",
        variable: "HEADWATER_AUDIT_READ_DAYS",
        form: Form::Number,
        what: "every byte of every live title is read back at least this often, in days, 0.01 to 3650; 0 is never",
        default: "90",
        example: "30",
    },
    Setting {
        key: "audit.requests_per_second",
        variable: "HEADWATER_AUDIT_REQUESTS_PER_SECOND",
        form: Form::Number,
        what: "requests that the audit may send to an origin in a second, 1 to 10000",
        default: "50",
        example: "10",
    },
    Setting {
        key: "audit.megabytes_per_second",
        variable: "HEADWATER_AUDIT_MEGABYTES_PER_SECOND",
        form: Form::Number,
        what: "megabytes that the audit may read from an origin in a second, 1 to 10000",
        default: "20",
        example: "5",
    },
    Setting {
        key: "audit.heal",
        variable: "HEADWATER_AUDIT_HEAL",
        form: Form::Text,
        what: "whether what the audit finds is put right by itself (`automatic`) or when somebody says so (`manual`)",
        default: "`automatic`",
        example: "manual",
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
        key: "http.health_listen",
        variable: "HEADWATER_HTTP_HEALTH_LISTEN",
        form: Form::Text,
        what: "IP address and port where `/livez` and `/readyz` are answered and nothing else, whatever the roles of the process",
        default: "only `http.listen` has them",
        example: "0.0.0.0:8081",
    },
    Setting {
        key: "log.filter",
        variable: "HEADWATER_LOG_FILTER",
        form: Form::Text,
        what: "what is logged: directives such as `info` or `headwater_engine=debug`, with commas between them",
        default: "`warn,aws=error,headwater=info` for `up` and `worker`, `warn,aws=error` for all other commands",
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

/// Settings that are variables only, since secrets have no place in the file. Their keys are no keys of the file.
pub(crate) const SECRETS: &[Setting] = &[
    Setting {
        key: "database_password",
        variable: "HEADWATER_DATABASE_PASSWORD",
        form: Form::Text,
        what: "password for the database",
        default: "what its address says, or the file that PGPASSFILE names",
        example: "…",
    },
    Setting {
        key: "origins.NAME.access_key_id",
        variable: "HEADWATER_ORIGINS_NAME_ACCESS_KEY_ID",
        form: Form::Text,
        what: "access key of an S3 origin",
        default: "what the AWS tools use: environment, profile, role of the machine",
        example: "…",
    },
    Setting {
        key: "origins.NAME.secret_access_key",
        variable: "HEADWATER_ORIGINS_NAME_SECRET_ACCESS_KEY",
        form: Form::Text,
        what: "secret of that access key",
        default: "there is no access key",
        example: "…",
    },
    Setting {
        key: "origins.NAME.session_token",
        variable: "HEADWATER_ORIGINS_NAME_SESSION_TOKEN",
        form: Form::Text,
        what: "session token of an access key that is temporary",
        default: "the access key is not temporary",
        example: "…",
    },
    Setting {
        key: "origins.NAME.purge_token",
        variable: "HEADWATER_ORIGINS_NAME_PURGE_TOKEN",
        form: Form::Text,
        what: "bearer token that purges are sent with",
        default: "purges come without one",
        example: "…",
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
pub(crate) const OTHERS: &[Other] = &[Other {
    variable: CONFIG,
    what: "configuration file, as `--config`; without either, `headwater.toml` in the current folder where there is one",
    example: "/etc/headwater/headwater.toml",
}];

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

/// What a variable sets, and the name of the origin if it is about one: `HEADWATER_ORIGINS_B2_WEST_BUCKET` sets the
/// bucket of `b2-west`.
pub(crate) fn setting(variable: &str) -> Option<(&'static Setting, Option<String>)> {
    let mut all = SETTINGS.iter().chain(SECRETS);
    if let Some(found) = all.find(|s| !s.is_of_origins() && s.variable == variable) {
        return Some((found, None));
    }
    let origin_and_key = variable.strip_prefix("HEADWATER_ORIGINS_")?;
    let (found, name) = of_origins()
        .filter_map(|(s, key)| Some((s, origin_and_key.strip_suffix(key)?.strip_suffix('_')?)))
        // Should two keys fit, the longer one is meant.
        .max_by_key(|(s, _)| s.key.len())?;
    let shouted = |b: u8| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_';
    let origin = name.to_lowercase().replace('_', "-");
    (name.bytes().all(shouted) && is_origin_name(&origin)).then_some((found, Some(origin)))
}

/// Whether an origin may be called that. No two names become the same part of a variable.
pub(crate) fn is_origin_name(name: &str) -> bool {
    let letter = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    name.len() <= MAX_ORIGIN_NAME
        && name.bytes().next().is_some_and(letter)
        && name.bytes().all(|b| letter(b) || b == b'-')
}

/// All that every origin has, secrets too, with the last part of its variable.
fn of_origins() -> impl Iterator<Item = (&'static Setting, &'static str)> {
    let all = SETTINGS.iter().chain(SECRETS);
    all.filter_map(|s| Some((s, s.variable.strip_prefix(ORIGIN_VARIABLE)?.strip_prefix('_')?)))
}

/// Advice for a variable that is not known: the one that is probably meant, or all that a service has.
pub(crate) fn did_you_mean(name: &str) -> String {
    if let Some(advice) = advice_on_origin(name) {
        return advice;
    }
    let settings = SETTINGS.iter().chain(SECRETS).map(|s| s.variable);
    let known: Vec<&str> = settings.chain([CONFIG]).map(bare).collect();
    match headwater_spec::nearest(bare(name), known.iter().copied()) {
        Some(near) => format!("did you mean `{PREFIX}{near}`?"),
        None => format!("known: `{PREFIX}` with one of {}", known.join(", ")),
    }
}

/// The same for what seems to be a variable of an origin: by `HEADWATER_ORIGIN_B2_BUKCET` somebody probably means
/// `HEADWATER_ORIGINS_B2_BUCKET`.
fn advice_on_origin(name: &str) -> Option<String> {
    let (section, rest) = bare(name).split_once('_')?;
    headwater_spec::nearest(section, ["ORIGINS"])?;
    let words: Vec<&str> = rest.split('_').collect();
    let known: Vec<&str> = of_origins().map(|(_, key)| key).collect();
    // No key has more than three words; the origin's name is what stands before them.
    let near = (1..=words.len().min(3)).find_map(|n| {
        let (origin, key) = words.split_at(words.len() - n);
        let key = headwater_spec::nearest(&key.join("_"), known.iter().copied())?;
        Some((origin.join("-").to_lowercase(), key))
    });
    Some(match near {
        Some((origin, key)) => {
            let usable = is_origin_name(&origin);
            let origin = if usable { origin.replace('-', "_") } else { "NAME".to_owned() };
            format!("did you mean `HEADWATER_ORIGINS_{}_{key}`?", origin.to_uppercase())
        }
        None => format!("known: `{ORIGIN_VARIABLE}_` with one of {}", known.join(", ")),
    })
}

/// A name without the prefix, which would make all names alike.
fn bare(name: &str) -> &str {
    name.strip_prefix(PREFIX).unwrap_or(name)
}

#[cfg(test)]
pub(crate) mod tests;
