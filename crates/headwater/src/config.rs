//! Configuration: defaults, over which goes `headwater.toml`, over which go environment variables, over which go flags.
//!
//! With none of them everything works, in `./headwater-data`. All sources are checked by the same rules, and a mistake
//! in one is reported even where another overrides it. Paths in the file are relative to the file's folder, all others
//! to the current folder. Which settings there are is written down in [`crate::env_vars`].

mod raw;

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::time::Duration;

use headwater_model::id::Tenant;

pub(crate) use self::raw::LogFormat;
use self::raw::{Layer, OriginType};
use crate::env_vars;

/// The file that is read when nobody names one.
const DEFAULT_FILE: &str = "headwater.toml";

/// Everything that a process needs to know to start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Config {
    /// Folder for everything that the service keeps.
    pub(crate) data_dir: PathBuf,
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
    /// Where packages are held.
    pub(crate) origin: Origin,
    /// The HTTP server.
    pub(crate) http: Http,
    /// What is logged and how.
    pub(crate) log: Log,
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
}

/// The workers of this process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Worker {
    /// Transcoder children at a time.
    pub(crate) slots: NonZeroUsize,
}

/// Where packages are held.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Origin {
    /// Its name, which findings mention.
    pub(crate) name: String,
    /// What it is.
    pub(crate) kind: OriginKind,
}

/// What an origin is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum OriginKind {
    /// A local folder.
    Directory {
        /// Where.
        path: PathBuf,
    },
}

/// The HTTP server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Http {
    /// Address and port to listen on.
    pub(crate) listen: SocketAddr,
    /// Address by which others reach the service, without a slash at its end.
    pub(crate) public_url: Option<String>,
}

/// What is logged and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Log {
    /// Directives that `tracing_subscriber::EnvFilter` takes; each command has its own when there are none.
    pub(crate) filter: Option<String>,
    /// For people or for machines.
    pub(crate) format: LogFormat,
}

/// What the command line says about the configuration.
#[derive(Debug, Clone, Default)]
pub(crate) struct Flags {
    /// `--config`: the file to read. It must be there.
    pub(crate) config: Option<PathBuf>,
    /// `--data-dir`.
    pub(crate) data_dir: Option<PathBuf>,
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
        let cores = std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
        resolve(file, environment, flags.data_dir.as_deref(), cores).map_err(ConfigError::Invalid)
    }
}

/// Puts the sources together: `file` is its path and text, `data_dir` the flag.
fn resolve(
    file: Option<(&Path, &str)>,
    environment: &BTreeMap<String, String>,
    data_dir: Option<&Path>,
    cores: NonZeroUsize,
) -> Result<Config, Vec<Complaint>> {
    let from_file = file.map_or(Ok(Layer::default()), |(path, text)| {
        raw::file(path, text)
            .map_err(|problems| problems.into_iter().map(Complaint::File).collect())
    });
    let from_environment = raw::environment(environment);
    let (from_file, from_environment) = match (from_file, from_environment) {
        (Ok(file), Ok(environment)) => (file, environment),
        (file, environment) => {
            let complaints: [Vec<Complaint>; 2] =
                [file.err().unwrap_or_default(), environment.err().unwrap_or_default()];
            return Err(complaints.into_iter().flatten().collect());
        }
    };
    let flags = Layer { data_dir: data_dir.map(Path::to_owned), ..Layer::default() };
    let config = complete(flags.over(from_environment).over(from_file), cores);
    match conflicts(&config) {
        complaints if complaints.is_empty() => Ok(config),
        complaints => Err(complaints),
    }
}

/// Fills in the defaults. Those that lie in the data folder follow it, whoever set it.
fn complete(said: Layer, cores: NonZeroUsize) -> Config {
    let data_dir = said.data_dir.unwrap_or_else(|| PathBuf::from("headwater-data"));
    let kind = match said.origin_type.unwrap_or(OriginType::Directory) {
        OriginType::Directory => OriginKind::Directory {
            path: said.origin_path.unwrap_or_else(|| data_dir.join("origin")),
        },
    };
    Config {
        tenant: said.tenant.unwrap_or_default(),
        pipeline: said.pipeline.unwrap_or_else(|| "vod-h264".to_owned()),
        pipelines_dir: said.pipelines_dir,
        watch: Watch {
            folder: said.watch_folder.unwrap_or_else(|| data_dir.join("drop")),
            settle: said.watch_settle.unwrap_or(Duration::from_secs(5)),
            rescan: said.watch_rescan.unwrap_or(Duration::from_secs(10)),
        },
        worker: Worker { slots: said.worker_slots.unwrap_or(cores) },
        origin: Origin { name: said.origin_name.unwrap_or_else(|| "local".to_owned()), kind },
        http: Http {
            listen: said.http_listen.unwrap_or(SocketAddr::from(([127, 0, 0, 1], 8080))),
            public_url: said.http_public_url,
        },
        log: Log { filter: said.log_filter, format: said.log_format.unwrap_or(LogFormat::Text) },
        data_dir,
    }
}

/// Folders that must not lie in each other: everything in the drop folder is taken for a master, so the service would
/// ingest its own packages and its own catalog.
fn conflicts(config: &Config) -> Vec<Complaint> {
    let OriginKind::Directory { path: origin } = &config.origin.kind;
    let drop = &config.watch.folder;
    let pairs = [
        (origin, drop, "origin.path", "watch.folder"),
        (&config.data_dir, drop, "data_dir", "watch.folder"),
        (drop, origin, "watch.folder", "origin.path"),
    ];
    // Compared as absolute paths, since one may be given from the root and the other from the current folder.
    let absolute = |path: &PathBuf| std::path::absolute(path).unwrap_or_else(|_| path.clone());
    let inside =
        pairs.into_iter().find(|(inner, outer, ..)| absolute(inner).starts_with(absolute(outer)));
    let complaint = inside.map(|(inner, outer, inner_key, outer_key)| Complaint::Conflict {
        message: format!(
            "`{inner_key}` (`{}`) lies in `{outer_key}` (`{}`)",
            inner.display(),
            outer.display()
        ),
        hint: "masters would be mistaken for packages, or packages for masters: keep the folders apart"
            .to_owned(),
    });
    complaint.into_iter().collect()
}

#[cfg(test)]
mod tests;
