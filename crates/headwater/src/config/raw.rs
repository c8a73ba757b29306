//! One source of settings, the file or the environment, read by rules that are the same for both.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::time::Duration;

use headwater_model::id::Tenant;
use headwater_spec::Problem;
use headwater_spec::document::{Document, Field, did_you_mean};
use tracing_subscriber::EnvFilter;

use super::Complaint;
use crate::env_vars::{self, OTHERS, SETTINGS, Setting};

/// Seconds for which a file must stand still. Less than a tenth is no proof that a transfer is over; after an hour,
/// somebody mistook the unit.
const SETTLE_SECONDS: RangeInclusive<f64> = 0.1..=3600.0;

/// Seconds from one listing of the drop folder to the next, up to a day.
const RESCAN_SECONDS: RangeInclusive<f64> = 0.1..=86_400.0;

/// Transcoder children at a time. A child takes a core or more and some hundred MB; no machine has room for more.
const SLOTS: RangeInclusive<u32> = 1..=256;

/// Longest name of an origin, as of everything that ends up in logs and metrics.
const MAX_NAME: usize = 64;

/// How log lines are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LogFormat {
    /// For people.
    Text,
    /// An object per line, for machines.
    Json,
}

/// The kinds of origin, before it is known where they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum OriginType {
    /// A local folder.
    Directory,
}

/// What one source says: `None` where it says nothing.
#[derive(Debug, Default)]
pub(super) struct Layer {
    pub(super) data_dir: Option<PathBuf>,
    pub(super) tenant: Option<Tenant>,
    pub(super) pipeline: Option<String>,
    pub(super) pipelines_dir: Option<PathBuf>,
    pub(super) watch_folder: Option<PathBuf>,
    pub(super) watch_settle: Option<Duration>,
    pub(super) watch_rescan: Option<Duration>,
    pub(super) worker_slots: Option<NonZeroUsize>,
    pub(super) origin_name: Option<String>,
    pub(super) origin_type: Option<OriginType>,
    pub(super) origin_path: Option<PathBuf>,
    pub(super) http_listen: Option<SocketAddr>,
    pub(super) http_public_url: Option<String>,
    pub(super) log_filter: Option<String>,
    pub(super) log_format: Option<LogFormat>,
}

impl Layer {
    /// What this layer says, and where it says nothing, what `under` says.
    pub(super) fn over(self, under: Layer) -> Layer {
        Layer {
            data_dir: self.data_dir.or(under.data_dir),
            tenant: self.tenant.or(under.tenant),
            pipeline: self.pipeline.or(under.pipeline),
            pipelines_dir: self.pipelines_dir.or(under.pipelines_dir),
            watch_folder: self.watch_folder.or(under.watch_folder),
            watch_settle: self.watch_settle.or(under.watch_settle),
            watch_rescan: self.watch_rescan.or(under.watch_rescan),
            worker_slots: self.worker_slots.or(under.worker_slots),
            origin_name: self.origin_name.or(under.origin_name),
            origin_type: self.origin_type.or(under.origin_type),
            origin_path: self.origin_path.or(under.origin_path),
            http_listen: self.http_listen.or(under.http_listen),
            http_public_url: self.http_public_url.or(under.http_public_url),
            log_filter: self.log_filter.or(under.log_filter),
            log_format: self.log_format.or(under.log_format),
        }
    }
}

/// Reads the file `path`, whose content is `text`.
pub(super) fn file(path: &Path, text: &str) -> Result<Layer, Vec<Problem>> {
    let name = path.display().to_string();
    let document = Document::parse(&name, text)?;
    let mut values = BTreeMap::new();
    let names_in = |section: Option<&str>| -> Vec<&'static str> {
        let here = SETTINGS.iter().map(Setting::section_and_name);
        here.filter(|(s, _)| *s == section).map(|(_, name)| name).collect()
    };
    let mut sections: Vec<&str> = SETTINGS.iter().filter_map(|s| s.section_and_name().0).collect();
    sections.dedup();

    let root = document.root(&[names_in(None), sections.clone()].concat());
    let sections: BTreeMap<&str, _> = sections
        .into_iter()
        .filter_map(|s| Some((s, root.get(s)?.section(&names_in(Some(s)))?)))
        .collect();
    for setting in SETTINGS {
        let (section, name) = setting.section_and_name();
        let section = section.map_or(Some(&root), |s| sections.get(s));
        if let Some(field) = section.and_then(|s| s.get(name)) {
            values.insert(setting.key, Value { setting, raw: Raw::File(field) });
        }
    }
    let folder = path.parent().unwrap_or(Path::new(""));
    let layer = read(&values, folder);
    document.finish(Some(layer))
}

/// Reads the environment. A variable that is empty says nothing: that is how compose files leave one out.
pub(super) fn environment(variables: &BTreeMap<String, String>) -> Result<Layer, Vec<Complaint>> {
    let complaints = RefCell::default();
    let mut values = BTreeMap::new();
    for (name, value) in variables {
        if let Some(setting) = SETTINGS.iter().find(|s| s.variable == name) {
            if !value.is_empty() {
                let raw = Raw::Variable { value, complaints: &complaints };
                values.insert(setting.key, Value { setting, raw });
            }
        } else if OTHERS.iter().all(|o| o.variable != name) {
            let hint = env_vars::did_you_mean(name);
            let message = "unknown environment variable".to_owned();
            complaints.borrow_mut().push(Complaint::Variable { name: name.clone(), message, hint });
        }
    }
    let layer = read(&values, Path::new(""));
    drop(values);
    match complaints.into_inner() {
        complaints if complaints.is_empty() => Ok(layer),
        complaints => Err(complaints),
    }
}

/// Reads all settings. Relative paths start at `folder`.
fn read(values: &BTreeMap<&'static str, Value<'_>>, folder: &Path) -> Layer {
    let value = |key: &str| values.get(key);
    let path = |key: &str| Some(folder.join(value(key)?.filled("a path")?));
    let seconds = |key: &str, range| Some(Duration::from_secs_f64(value(key)?.number(range)?));
    Layer {
        data_dir: path("data_dir"),
        tenant: value("tenant").and_then(tenant),
        pipeline: value("pipeline").and_then(pipeline),
        pipelines_dir: path("pipelines_dir"),
        watch_folder: path("watch.folder"),
        watch_settle: seconds("watch.settle_seconds", SETTLE_SECONDS),
        watch_rescan: seconds("watch.rescan_seconds", RESCAN_SECONDS),
        worker_slots: value("worker.slots").and_then(slots),
        origin_name: value("origin.name").and_then(origin_name),
        origin_type: value("origin.kind")
            .and_then(|v| v.one_of(&[("directory", OriginType::Directory)], "kind of origin")),
        origin_path: path("origin.path"),
        http_listen: value("http.listen").and_then(listen),
        http_public_url: value("http.public_url").and_then(public_url),
        log_filter: value("log.filter").and_then(filter),
        log_format: value("log.format").and_then(|v| {
            v.one_of(&[("text", LogFormat::Text), ("json", LogFormat::Json)], "log format")
        }),
    }
}

fn tenant(value: &Value<'_>) -> Option<Tenant> {
    let parsed = value.text()?.parse();
    parsed.map_err(|e: headwater_model::id::BadName| value.reject(e.to_string())).ok()
}

fn pipeline(value: &Value<'_>) -> Option<String> {
    let name = value.filled("a name")?;
    if name.contains(['/', '\\']) || name.starts_with('.') || name.ends_with(".toml") {
        value.reject(format!("`{name}` is a file, not the name of a pipeline"));
        return None;
    }
    Some(name.to_owned())
}

fn slots(value: &Value<'_>) -> Option<NonZeroUsize> {
    NonZeroUsize::new(usize::try_from(value.whole(SLOTS)?).ok()?)
}

fn origin_name(value: &Value<'_>) -> Option<String> {
    let name = value.filled("a name")?;
    let usable = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    if name.len() > MAX_NAME || !name.bytes().all(usable) {
        value.reject(format!("`{name}` is not 1 to {MAX_NAME} of a-z, 0-9 and -"));
        return None;
    }
    Some(name.to_owned())
}

fn listen(value: &Value<'_>) -> Option<SocketAddr> {
    let text = value.text()?;
    let address = text.parse().ok();
    if address.is_none() {
        value.reject(format!("`{text}` is not an IP address and a port"));
    }
    address
}

fn public_url(value: &Value<'_>) -> Option<String> {
    let text = value.text()?;
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    match rest {
        Some(rest)
            if !rest.is_empty() && !rest.starts_with('/') && !rest.contains(['?', '#', ' ']) =>
        {
            Some(text.trim_end_matches('/').to_owned())
        }
        _ => {
            value.reject(format!("`{text}` is not the address of a site"));
            None
        }
    }
}

fn filter(value: &Value<'_>) -> Option<String> {
    let text = value.filled("a filter")?;
    match EnvFilter::builder().parse(text) {
        Ok(_) => Some(text.to_owned()),
        Err(e) => {
            value.reject(format!("`{text}` is not a log filter: {e}"));
            None
        }
    }
}

/// What a source says about a setting.
struct Value<'s> {
    setting: &'static Setting,
    raw: Raw<'s>,
}

enum Raw<'s> {
    File(Field<'s>),
    Variable { value: &'s str, complaints: &'s RefCell<Vec<Complaint>> },
}

impl Value<'_> {
    fn text(&self) -> Option<&str> {
        match &self.raw {
            Raw::File(field) => field.text(),
            Raw::Variable { value, .. } => Some(value),
        }
    }

    /// A text that is not empty; `what` says what should be there.
    fn filled(&self, what: &str) -> Option<&str> {
        let text = self.text()?;
        if text.trim().is_empty() {
            self.reject(format!("`{}` is empty instead of {what}", self.setting.key));
            return None;
        }
        Some(text)
    }

    fn whole(&self, range: RangeInclusive<u32>) -> Option<u32> {
        match &self.raw {
            Raw::File(field) => field.whole(range, &self.hint()),
            Raw::Variable { value, .. } => match value.parse::<u32>() {
                Ok(n) if range.contains(&n) => Some(n),
                _ => {
                    let (low, high) = (range.start(), range.end());
                    self.reject(format!("`{value}` is not a whole number from {low} to {high}"));
                    None
                }
            },
        }
    }

    fn number(&self, range: RangeInclusive<f64>) -> Option<f64> {
        match &self.raw {
            Raw::File(field) => field.number(range, &self.hint()),
            Raw::Variable { value, .. } => match value.parse::<f64>() {
                Ok(n) if range.contains(&n) => Some(n),
                _ => {
                    let (low, high) = (range.start(), range.end());
                    self.reject(format!("`{value}` is not a number from {low} to {high}"));
                    None
                }
            },
        }
    }

    /// One of the words of `known`, with what it means; `what` names them.
    fn one_of<T: Copy>(&self, known: &[(&str, T)], what: &str) -> Option<T> {
        let text = self.text()?;
        let found = known.iter().find(|(word, _)| *word == text).map(|(_, meaning)| *meaning);
        if found.is_none() {
            let words: Vec<&str> = known.iter().map(|(word, _)| *word).collect();
            self.reject_with(format!("`{text}` is no {what}"), did_you_mean(text, &words));
        }
        found
    }

    fn reject(&self, message: String) {
        self.reject_with(message, self.hint());
    }

    fn reject_with(&self, message: String, hint: String) {
        match &self.raw {
            Raw::File(field) => field.reject(message, Some(hint)),
            Raw::Variable { complaints, .. } => {
                let name = self.setting.variable.to_owned();
                complaints.borrow_mut().push(Complaint::Variable { name, message, hint });
            }
        }
    }

    /// What the setting is and how it is written.
    fn hint(&self) -> String {
        let Setting { what, default, .. } = self.setting;
        let example = match self.raw {
            Raw::File(_) => self.setting.example_in_file(),
            Raw::Variable { .. } => self.setting.example_in_environment(),
        };
        format!("for example `{example}` ({what}; when left out, {default})")
    }
}
