//! Configuration: defaults, over which goes `headwater.toml`, over which go environment variables, over which go flags.
//!
//! With none of them everything works, in `./headwater-data`. All sources are checked by the same rules, and a mistake
//! in one is reported even where another overrides it. Paths in the file are relative to the file's folder, all others
//! to the current folder. Which settings there are is written down in [`crate::env_vars`].
//!
//! `value` reads what a source says about one setting, `raw` all that it says, and `origins` finds out whether what all
//! sources say about origins goes together.

mod value;

mod raw;

mod origins;

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::time::Duration;

use headwater_catalog::PostgresOptions;
use headwater_media::Limits;
use headwater_model::address::Folder;
use headwater_model::id::Tenant;
use headwater_model::origin::Policy;
use headwater_origin::S3Settings;
use headwater_spec::document::Document;

use self::raw::Layer;
pub(crate) use self::raw::{DRAIN_SECONDS, NAME_RULE, POOL_RULE, SLOTS};
use self::value::Complaints;
use crate::{env_vars, machine};

/// The file that is read when nobody names one.
const DEFAULT_FILE: &str = "headwater.toml";

/// Everything that a process needs to know to start. Printed, it shows no secrets.
#[derive(Debug, Clone)]
pub(crate) struct Config {
    /// Folder for everything that the service keeps.
    pub(crate) data_dir: PathBuf,
    /// The database that holds the catalog; a file in that folder when there is none.
    pub(crate) database: Option<PostgresOptions>,
    /// Tenant that titles belong to.
    pub(crate) tenant: Tenant,
    /// Name of the pipeline for masters that come without one.
    pub(crate) pipeline: String,
    /// Folder with pipeline files that come before the shipped ones.
    pub(crate) pipelines_dir: Option<PathBuf>,
    /// The drop folder.
    pub(crate) watch: Watch,
    /// The workers of this process.
    pub(crate) worker: Worker,
    /// Where packages are held, and copies of masters, by name.
    pub(crate) origins: Vec<Origin>,
    /// Where masters come from, by name: only ever read.
    pub(crate) masters: Vec<S3Settings>,
    /// What has to be proven on them before viewers get a package.
    pub(crate) policy: Policy,
    /// How what is live is looked after.
    pub(crate) audit: Audit,
    /// The HTTP server.
    pub(crate) http: Http,
    /// What is logged and how.
    pub(crate) log: Log,
    /// What is left aside, in sentences for whoever wrote it.
    pub(crate) warnings: Vec<String>,
}

/// The drop folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Watch {
    /// Where masters are put.
    pub(crate) folder: PathBuf,
    /// How long size and time of a file must stand still before it counts.
    pub(crate) settle: Duration,
    /// How often the folder is listed whether or not anything was heard of it.
    pub(crate) rescan: Duration,
    /// Folders of buckets that are watched like it.
    pub(crate) buckets: Vec<Folder>,
    /// How often those are listed.
    pub(crate) poll: Duration,
}

/// The workers of this process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Worker {
    /// Transcoder children at a time.
    pub(crate) slots: NonZeroUsize,
    /// The pool that they belong to.
    pub(crate) pool: String,
    /// What the process is called in the catalog; it finds a name by itself when there is none.
    pub(crate) name: Option<String>,
    /// How long work under way may go on once the process is told to end.
    pub(crate) drain: Duration,
    /// For how long a task is claimed; what suits the catalog when nothing is said.
    pub(crate) lease: Option<Duration>,
    /// What each of them may take.
    pub(crate) transcoder: Limits,
}

/// A place that holds packages, or masters.
#[derive(Debug, Clone)]
pub(crate) struct Origin {
    /// Its name, which findings mention.
    pub(crate) name: String,
    /// What it is.
    pub(crate) kind: OriginKind,
    /// The CDN in front of it.
    pub(crate) edge: Option<Edge>,
}

/// What an origin is.
#[derive(Debug, Clone)]
pub(crate) enum OriginKind {
    /// A local folder.
    Directory {
        /// Where.
        path: PathBuf,
        /// Where players find its objects, without a slash at its end.
        public_url: Option<String>,
    },
    /// A bucket, or part of one.
    S3(S3Settings),
}

/// A CDN in front of an origin.
#[derive(Debug, Clone)]
pub(crate) struct Edge {
    /// What comes before the keys of objects, without a slash at its end.
    pub(crate) url: String,
    /// How stale objects are purged; they are not when there is none.
    pub(crate) purge: Option<Purge>,
}

/// How an object is purged from a CDN.
#[derive(Debug, Clone)]
pub(crate) struct Purge {
    /// HTTP method, in upper case.
    pub(crate) method: String,
    /// Where the request goes; the object's own URL on the CDN when there is none.
    pub(crate) url: Option<String>,
    /// Its body, in which `{url}` stands for that URL.
    pub(crate) body: Option<String>,
    /// Sent as a bearer token.
    pub(crate) token: Option<Secret>,
}

/// A text that is not to be shown. Printed, it shows nothing.
#[derive(Clone)]
pub(crate) struct Secret(String);

impl Secret {
    /// The text, for whoever it is meant for.
    pub(crate) fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// How what is live is looked after.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Audit {
    /// Within this time every object of every live title is listed.
    pub(crate) list: Duration,
    /// Within this time every byte of theirs is read back; never when there is none.
    pub(crate) read: Option<Duration>,
    /// Requests that an origin gets in a second.
    pub(crate) requests_per_second: u32,
    /// Megabytes, of 1,000,000 bytes, that are read from an origin in a second.
    pub(crate) megabytes_per_second: u32,
    /// Who puts right what is found.
    pub(crate) heal: Heal,
}

/// Who puts right what the audit finds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Heal {
    /// The service, at once.
    Automatic,
    /// Whoever says so.
    Manual,
}

/// The HTTP server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Http {
    /// Address and port to listen on.
    pub(crate) listen: SocketAddr,
    /// Address by which others reach the service, without a slash at its end.
    pub(crate) public_url: Option<String>,
    /// Another address and port, where nothing is served but the answers to probes.
    pub(crate) health_listen: Option<SocketAddr>,
}

/// What is logged and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Log {
    /// Directives that `tracing_subscriber::EnvFilter` takes; each command has its own when there are none.
    pub(crate) filter: Option<String>,
    /// For people or for machines.
    pub(crate) format: LogFormat,
}

/// How log lines are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LogFormat {
    /// For people.
    Text,
    /// An object per line, for machines.
    Json,
}

/// What the command line says about the configuration.
#[derive(Debug, Clone, Default)]
pub(crate) struct Flags {
    /// `--config`: the file to read. It must be there.
    pub(crate) config: Option<PathBuf>,
    /// `--data-dir`.
    pub(crate) data_dir: Option<PathBuf>,
    /// `--slots`.
    pub(crate) slots: Option<NonZeroUsize>,
    /// `--pool`.
    pub(crate) pool: Option<String>,
    /// `--name`.
    pub(crate) name: Option<String>,
    /// `--drain-timeout`.
    pub(crate) drain: Option<Duration>,
    /// `--health`.
    pub(crate) health_listen: Option<SocketAddr>,
}

/// Why there is no configuration.
#[derive(Debug)]
pub(crate) enum ConfigError {
    /// The file cannot be read.
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Everything that is wrong with the values, file first.
    Invalid(Vec<Complaint>),
}

/// One thing that is wrong.
#[derive(Debug)]
pub(crate) enum Complaint {
    /// With the file.
    File(headwater_spec::Problem),
    /// With an environment variable.
    Variable {
        /// Its name.
        name: String,
        /// What is wrong with it.
        message: String,
        /// What to do about it.
        hint: String,
    },
    /// With values that are good each by itself.
    Conflict {
        /// What is wrong.
        message: String,
        /// What to do about it.
        hint: String,
    },
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ConfigError::Unreadable { path, source } => {
                write!(f, "failed to read the configuration `{}`: {source}", path.display())
            }
            ConfigError::Invalid(complaints) => {
                for (n, complaint) in complaints.iter().enumerate() {
                    let gap = if n == 0 { "" } else { "\n\n" };
                    write!(f, "{gap}{complaint}")?;
                }
                Ok(())
            }
        }
    }
}

impl fmt::Display for Complaint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Complaint::File(problem) => problem.fmt(f),
            Complaint::Variable { name, message, hint } => {
                write!(f, "{name}: {message}\nhint: {hint}")
            }
            Complaint::Conflict { message, hint } => write!(f, "{message}\nhint: {hint}"),
        }
    }
}

impl std::error::Error for ConfigError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            ConfigError::Unreadable { source, .. } => Some(source),
            ConfigError::Invalid(_) => None,
        }
    }
}

impl Config {
    /// Reads the file, if there is one, and puts everything together. `environment` holds the variables that
    /// [`env_vars::ours`] lets through.
    pub(crate) fn load(
        flags: &Flags,
        environment: &BTreeMap<String, String>,
    ) -> Result<Self, ConfigError> {
        let named = flags.config.clone().or_else(|| {
            environment.get(env_vars::CONFIG).filter(|p| !p.is_empty()).map(PathBuf::from)
        });
        let path = named.clone().unwrap_or_else(|| PathBuf::from(DEFAULT_FILE));
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => Some(text),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound && named.is_none() => None,
            Err(source) => return Err(ConfigError::Unreadable { path, source }),
        };
        let file = text.as_deref().map(|text| (path.as_path(), text));
        let mut config =
            resolve(file, environment, flags, machine::slots()).map_err(ConfigError::Invalid)?;
        if let Some(folder) = config.pipelines_dir.as_ref().filter(|folder| !folder.is_dir()) {
            config.warnings.push(format!(
                "`pipelines_dir` is `{}`, and there is no such folder: only the shipped pipelines can be used",
                folder.display()
            ));
        }
        Ok(config)
    }
}

/// Puts the sources together: `file` is its path and text, `slots` what the machine has room for.
fn resolve(
    file: Option<(&Path, &str)>,
    environment: &BTreeMap<String, String>,
    flags: &Flags,
    slots: NonZeroUsize,
) -> Result<Config, Vec<Complaint>> {
    // A file that is not there says as much as an empty one.
    let (path, text) = file.unwrap_or((Path::new(""), ""));
    let name = path.display().to_string();
    let folder = path.parent().unwrap_or(Path::new(""));
    let complaints = Complaints::default();
    let config = match Document::parse(&name, text) {
        Ok(document) => {
            let flags = flags.clone().into();
            let config = read(&document, folder, environment, &complaints, flags, slots);
            document.finish(config)
        }
        Err(problems) => {
            raw::environment(environment, &complaints);
            Err(problems)
        }
    };
    let complaints = complaints.into_inner();
    match config {
        Ok(config) if complaints.is_empty() => Ok(config),
        config => {
            let problems = config.err().unwrap_or_default().into_iter().map(Complaint::File);
            Err(problems.chain(complaints).collect())
        }
    }
}

/// The configuration, unless something is wrong: that goes to `document` and `complaints`.
fn read<'s>(
    document: &'s Document<'s>,
    folder: &Path,
    environment: &'s BTreeMap<String, String>,
    complaints: &'s Complaints,
    flags: Layer<'s>,
    slots: NonZeroUsize,
) -> Option<Config> {
    let good = || document.is_good() && complaints.borrow().is_empty();
    let from_file = raw::file(document, folder);
    let mut from_environment = raw::environment(environment, complaints);
    // A key that is misspelt is not missing too: what does not go together is looked for among good values only.
    if !good() {
        return None;
    }
    let mut warnings = origins::leave_stray_secrets(&mut from_environment, &from_file);
    let said = flags.over(from_environment).over(from_file);
    if said.database_password.is_some() && said.database.is_none() {
        warnings.push(
            "HEADWATER_DATABASE_PASSWORD is set and no database is: the catalog is the one in the data folder"
                .to_owned(),
        );
    }
    let config = Config { warnings, ..complete(said, slots) };
    if good() {
        complaints.borrow_mut().extend(conflicts(&config));
    }
    good().then_some(config)
}

/// Fills in the defaults. Those that lie in the data folder follow it, whoever set it.
fn complete(said: Layer<'_>, slots: NonZeroUsize) -> Config {
    let day = Duration::from_secs(86_400);
    let data_dir = said.data_dir.clone().unwrap_or_else(|| PathBuf::from("headwater-data"));
    Config {
        origins: origins::origins(&said, &data_dir),
        masters: origins::masters(&said),
        policy: origins::policy(&said),
        database: match (said.database, said.database_password) {
            (Some(database), Some(password)) => Some(database.password(password.expose())),
            (database, _) => database,
        },
        tenant: said.tenant.unwrap_or_default(),
        pipeline: said.pipeline.unwrap_or_else(|| "vod-h264".to_owned()),
        pipelines_dir: said.pipelines_dir,
        watch: Watch {
            folder: said.watch_folder.unwrap_or_else(|| data_dir.join("drop")),
            settle: said.watch_settle.unwrap_or(Duration::from_secs(5)),
            rescan: said.watch_rescan.unwrap_or(Duration::from_secs(10)),
            buckets: said.watch_buckets.unwrap_or_default(),
            poll: said.watch_poll.unwrap_or(Duration::from_mins(1)),
        },
        worker: Worker {
            slots: said.worker_slots.unwrap_or(slots),
            pool: said.worker_pool.unwrap_or_else(|| "cpu".to_owned()),
            name: said.worker_name,
            drain: said.worker_drain.unwrap_or(Duration::from_secs(20)),
            lease: said.worker_lease,
            transcoder: Limits {
                silence: said.transcoder_silence.unwrap_or(Limits::default().silence),
                memory_mb: said.transcoder_memory.map(u64::from),
            },
        },
        audit: Audit {
            list: said.audit_list.unwrap_or(7 * day),
            read: said.audit_read.unwrap_or(Some(90 * day)),
            requests_per_second: said.audit_requests.unwrap_or(50),
            megabytes_per_second: said.audit_megabytes.unwrap_or(20),
            heal: said.audit_heal.unwrap_or(Heal::Automatic),
        },
        http: Http {
            listen: said.http_listen.unwrap_or(SocketAddr::from(([127, 0, 0, 1], 8080))),
            public_url: said.http_public_url,
            health_listen: said.http_health_listen,
        },
        log: Log { filter: said.log_filter, format: said.log_format.unwrap_or(LogFormat::Text) },
        warnings: Vec::new(),
        data_dir,
    }
}

/// Places that must not lie in each other. Everything in the drop folder is taken for a master, so the service would
/// ingest its own packages and its own catalog; and two origins in one place are but one copy.
fn conflicts(config: &Config) -> Vec<Complaint> {
    let drop = ("watch.folder".to_owned(), &config.watch.folder);
    let folders: Vec<(String, &PathBuf)> = config.origins.iter().filter_map(folder).collect();
    let mut mistaken: Vec<String> = folders
        .iter()
        .filter_map(|origin| within(origin, &drop).or_else(|| within(&drop, origin)))
        .collect();
    // Origins lie in the data folder by default, and then this says no more than what is said already.
    if mistaken.is_empty() {
        mistaken.extend(within(&("data_dir".to_owned(), &config.data_dir), &drop));
    }
    let pairs = config.origins.iter().enumerate();
    let pairs = pairs.flat_map(|(n, one)| config.origins.iter().skip(n + 1).map(move |o| (one, o)));
    let shared = pairs.filter_map(|(one, other)| overlap(one, other));
    let masters = config.masters.iter().map(|settings| {
        let kind = OriginKind::S3(settings.clone());
        Origin { name: settings.name.clone(), kind, edge: None }
    });
    mistaken.extend(
        masters.flat_map(|from| config.origins.iter().filter_map(move |to| overlap(&from, to))),
    );

    let conflict =
        |hint: &'static str| move |message| Complaint::Conflict { message, hint: hint.to_owned() };
    let mistaken = mistaken.into_iter().map(conflict(
        "masters would be mistaken for packages, or packages for masters: keep the folders apart",
    ));
    let shared = shared.map(conflict("two origins in one place are but one copy: keep them apart"));
    mistaken.chain(shared).collect()
}

/// The folder of an origin that is one, with its key.
fn folder(origin: &Origin) -> Option<(String, &PathBuf)> {
    match &origin.kind {
        OriginKind::Directory { path, .. } => Some((format!("origins.{}.path", origin.name), path)),
        OriginKind::S3(_) => None,
    }
}

/// Says so when the first folder lies in the second one, or is the same.
fn within(inner: &(String, &PathBuf), outer: &(String, &PathBuf)) -> Option<String> {
    // Compared as absolute paths, since one may be given from the root and the other from the current folder.
    let absolute = |path: &PathBuf| std::path::absolute(path).unwrap_or_else(|_| path.clone());
    absolute(inner.1).starts_with(absolute(outer.1)).then(|| {
        let (inner_path, outer_path) = (inner.1.display(), outer.1.display());
        format!("`{}` (`{inner_path}`) lies in `{}` (`{outer_path}`)", inner.0, outer.0)
    })
}

/// Says so when one origin lies in the other one.
fn overlap(one: &Origin, other: &Origin) -> Option<String> {
    if let (Some(one), Some(other)) = (folder(one), folder(other)) {
        return within(&one, &other).or_else(|| within(&other, &one));
    }
    let (OriginKind::S3(a), OriginKind::S3(b)) = (&one.kind, &other.kind) else { return None };
    // Prefixes end in a slash, so that of two the longer one lies in the shorter.
    let prefixed = a.prefix.starts_with(&b.prefix) || b.prefix.starts_with(&a.prefix);
    (a.endpoint == b.endpoint && a.bucket == b.bucket && prefixed).then(|| {
        let key = |o: &Origin, s: &S3Settings| {
            format!("`origins.{}` (`{}/{}`)", o.name, s.bucket, s.prefix)
        };
        format!("{} and {} share a bucket and lie in each other", key(one, a), key(other, b))
    })
}

#[cfg(test)]
mod tests;
