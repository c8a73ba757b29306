//! All that one source says, the file or the environment: `None` where it says nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::time::Duration;

use headwater_catalog::PostgresOptions;
use headwater_model::address::{BadAddress, Folder};
use headwater_model::id::Tenant;
use headwater_model::origin::Verify;
use headwater_model::process::{MAX_SLOTS, is_pool_name, is_worker_name};
use headwater_spec::document::{Document, Field, Section};
use headwater_spec::is_secret;
use tracing_subscriber::EnvFilter;

use super::value::{Complaints, Value};
use super::{Complaint, Flags, Heal, LogFormat, Secret};
use crate::env_vars::{self, MAX_ORIGIN_NAME, ORIGIN, OTHERS, SECRETS, SETTINGS};

/// Seconds for which a file must stand still. Less than a tenth is no proof that a transfer is over; after an hour,
/// somebody mistook the unit.
const SETTLE_SECONDS: RangeInclusive<f64> = 0.1..=3600.0;

/// Seconds from one listing of the drop folder to the next, up to a day.
const RESCAN_SECONDS: RangeInclusive<f64> = 0.1..=86_400.0;

/// Seconds from one listing of a watched bucket to the next, up to a day: each is paid for.
const POLL_SECONDS: RangeInclusive<f64> = 1.0..=86_400.0;

/// Transcoder children at a time.
pub(crate) const SLOTS: RangeInclusive<u32> = 1..=MAX_SLOTS as u32;

/// Seconds for which a process may drain, up to a day: a span takes minutes, and whoever waits for longer mistook the
/// unit.
pub(crate) const DRAIN_SECONDS: RangeInclusive<f64> = 0.0..=86_400.0;

/// Seconds for which a task is claimed. Shorter ones are lost to a restart of the database, of which two renewals at least
/// have to be able to fail; longer ones leave a dead worker's tasks for whole films.
const LEASE_SECONDS: RangeInclusive<f64> = 15.0..=3600.0;

/// Seconds for which a transcoder child may report nothing, up to a day.
const SILENCE_SECONDS: RangeInclusive<f64> = 1.0..=86_400.0;

/// Memory of a transcoder child in MB: less than 64 no child starts with, more than a TB no machine has.
const TRANSCODER_MEMORY_MB: RangeInclusive<u32> = 64..=1_048_576;

/// Origins that may have to prove a package. Nobody pays for more copies, and whoever asks for more mistook the key.
const COPIES: RangeInclusive<u32> = 1..=16;

/// Days from one listing of everything to the next. Less than a quarter of an hour leaves a large catalog no time.
const LIST_DAYS: RangeInclusive<f64> = 0.01..=365.0;

/// Days from one reading of everything to the next, up to ten years; 0 is never.
const READ_DAYS: RangeInclusive<f64> = 0.0..=3650.0;

/// Requests or megabytes in a second. More than ten thousand no origin gives, and zero would audit nothing.
const BUDGET: RangeInclusive<u32> = 1..=10_000;

/// What [`is_pool_name`] asks for.
pub(crate) const POOL_RULE: &str =
    "use 1 to 64 of a-z, 0-9 and -, and start with a letter or digit";

/// What [`is_worker_name`] asks for.
pub(crate) const NAME_RULE: &str =
    "use 1 to 64 of A-Z, a-z, 0-9, -, . and _, and start with a letter or digit";

const SECONDS_A_DAY: f64 = 86_400.0;

/// What to do about a value that stands where an origin should.
const ORIGIN_HINT: &str = "every origin has a section with a name of its own: `[origins.NAME]`, for example `[origins.basement]`";

/// The kinds of origin, before it is known where they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum OriginType {
    /// A local folder.
    Directory,
    /// A bucket.
    S3,
}

impl OriginType {
    const ALL: [(&'static str, OriginType); 2] =
        [("directory", OriginType::Directory), ("s3", OriginType::S3)];

    /// How it is written.
    pub(super) fn word(self) -> &'static str {
        match self {
            OriginType::Directory => "directory",
            OriginType::S3 => "s3",
        }
    }
}

/// What one source says.
#[derive(Default)]
pub(super) struct Layer<'s> {
    pub(super) data_dir: Option<PathBuf>,
    pub(super) database: Option<PostgresOptions>,
    pub(super) database_password: Option<Secret>,
    pub(super) tenant: Option<Tenant>,
    pub(super) pipeline: Option<String>,
    pub(super) pipelines_dir: Option<PathBuf>,
    pub(super) watch_folder: Option<PathBuf>,
    pub(super) watch_settle: Option<Duration>,
    pub(super) watch_rescan: Option<Duration>,
    pub(super) watch_buckets: Option<Vec<Folder>>,
    pub(super) watch_poll: Option<Duration>,
    pub(super) worker_slots: Option<NonZeroUsize>,
    pub(super) worker_pool: Option<String>,
    pub(super) worker_name: Option<String>,
    pub(super) worker_drain: Option<Duration>,
    pub(super) worker_lease: Option<Duration>,
    pub(super) transcoder_silence: Option<Duration>,
    pub(super) transcoder_memory: Option<u32>,
    /// By name.
    pub(super) origins: BTreeMap<String, OriginLayer>,
    pub(super) masters_origins: Option<Vec<String>>,
    pub(super) publish_required: Option<Vec<String>>,
    pub(super) publish_min_copies: Option<usize>,
    pub(super) publish_archive: Option<String>,
    pub(super) publish_verify: Option<Verify>,
    pub(super) audit_list: Option<Duration>,
    /// Inside, `None` is never.
    pub(super) audit_read: Option<Option<Duration>>,
    pub(super) audit_requests: Option<u32>,
    pub(super) audit_megabytes: Option<u32>,
    pub(super) audit_heal: Option<Heal>,
    pub(super) http_listen: Option<SocketAddr>,
    pub(super) http_public_url: Option<String>,
    pub(super) http_health_listen: Option<SocketAddr>,
    pub(super) log_filter: Option<String>,
    pub(super) log_format: Option<LogFormat>,
    /// The same as it was said, for whoever finds later that values do not go together. What overrides comes first.
    pub(super) said: Vec<Value<'s>>,
}

/// What one source says about an origin.
#[derive(Default)]
pub(super) struct OriginLayer {
    pub(super) kind: Option<OriginType>,
    pub(super) path: Option<PathBuf>,
    pub(super) bucket: Option<String>,
    pub(super) endpoint: Option<String>,
    pub(super) region: Option<String>,
    pub(super) prefix: Option<String>,
    pub(super) path_style: Option<bool>,
    pub(super) storage_class: Option<String>,
    pub(super) public_url: Option<String>,
    pub(super) edge_url: Option<String>,
    pub(super) purge_method: Option<String>,
    pub(super) purge_url: Option<String>,
    pub(super) purge_body: Option<String>,
    pub(super) access_key_id: Option<Secret>,
    pub(super) secret_access_key: Option<Secret>,
    pub(super) session_token: Option<Secret>,
    pub(super) purge_token: Option<Secret>,
}

/// What the command line says.
impl From<Flags> for Layer<'_> {
    fn from(flags: Flags) -> Self {
        Self {
            data_dir: flags.data_dir,
            worker_slots: flags.slots,
            worker_pool: flags.pool,
            worker_name: flags.name,
            worker_drain: flags.drain,
            http_health_listen: flags.health_listen,
            ..Self::default()
        }
    }
}

impl<'s> Layer<'s> {
    /// What this layer says, and where it says nothing, what `under` says.
    pub(super) fn over(self, under: Layer<'s>) -> Layer<'s> {
        let mut origins = under.origins;
        for (name, above) in self.origins {
            let below = origins.remove(&name).unwrap_or_default();
            origins.insert(name, above.over(below));
        }
        Layer {
            data_dir: self.data_dir.or(under.data_dir),
            database: self.database.or(under.database),
            database_password: self.database_password.or(under.database_password),
            tenant: self.tenant.or(under.tenant),
            pipeline: self.pipeline.or(under.pipeline),
            pipelines_dir: self.pipelines_dir.or(under.pipelines_dir),
            watch_folder: self.watch_folder.or(under.watch_folder),
            watch_settle: self.watch_settle.or(under.watch_settle),
            watch_rescan: self.watch_rescan.or(under.watch_rescan),
            watch_buckets: self.watch_buckets.or(under.watch_buckets),
            watch_poll: self.watch_poll.or(under.watch_poll),
            worker_slots: self.worker_slots.or(under.worker_slots),
            worker_pool: self.worker_pool.or(under.worker_pool),
            worker_name: self.worker_name.or(under.worker_name),
            worker_drain: self.worker_drain.or(under.worker_drain),
            worker_lease: self.worker_lease.or(under.worker_lease),
            transcoder_silence: self.transcoder_silence.or(under.transcoder_silence),
            transcoder_memory: self.transcoder_memory.or(under.transcoder_memory),
            origins,
            masters_origins: self.masters_origins.or(under.masters_origins),
            publish_required: self.publish_required.or(under.publish_required),
            publish_min_copies: self.publish_min_copies.or(under.publish_min_copies),
            publish_archive: self.publish_archive.or(under.publish_archive),
            publish_verify: self.publish_verify.or(under.publish_verify),
            audit_list: self.audit_list.or(under.audit_list),
            audit_read: self.audit_read.or(under.audit_read),
            audit_requests: self.audit_requests.or(under.audit_requests),
            audit_megabytes: self.audit_megabytes.or(under.audit_megabytes),
            audit_heal: self.audit_heal.or(under.audit_heal),
            http_listen: self.http_listen.or(under.http_listen),
            http_public_url: self.http_public_url.or(under.http_public_url),
            http_health_listen: self.http_health_listen.or(under.http_health_listen),
            log_filter: self.log_filter.or(under.log_filter),
            log_format: self.log_format.or(under.log_format),
            said: self.said.into_iter().chain(under.said).collect(),
        }
    }

    /// What was said last about a setting that is not one of an origin.
    pub(super) fn value(&self, key: &str) -> Option<&Value<'s>> {
        self.said.iter().find(|v| v.setting().key == key)
    }

    /// All that was said about an origin, what overrides first.
    pub(super) fn values_of<'l>(&'l self, origin: &'l str) -> impl Iterator<Item = &'l Value<'s>> {
        self.said.iter().filter(move |v| v.origin() == Some(origin))
    }
}

impl OriginLayer {
    fn over(self, under: OriginLayer) -> OriginLayer {
        OriginLayer {
            kind: self.kind.or(under.kind),
            path: self.path.or(under.path),
            bucket: self.bucket.or(under.bucket),
            endpoint: self.endpoint.or(under.endpoint),
            region: self.region.or(under.region),
            prefix: self.prefix.or(under.prefix),
            path_style: self.path_style.or(under.path_style),
            storage_class: self.storage_class.or(under.storage_class),
            public_url: self.public_url.or(under.public_url),
            edge_url: self.edge_url.or(under.edge_url),
            purge_method: self.purge_method.or(under.purge_method),
            purge_url: self.purge_url.or(under.purge_url),
            purge_body: self.purge_body.or(under.purge_body),
            access_key_id: self.access_key_id.or(under.access_key_id),
            secret_access_key: self.secret_access_key.or(under.secret_access_key),
            session_token: self.session_token.or(under.session_token),
            purge_token: self.purge_token.or(under.purge_token),
        }
    }
}

/// Reads the file, which lies in `folder`.
pub(super) fn file<'s>(document: &'s Document<'s>, folder: &Path) -> Layer<'s> {
    let mut sections: Vec<&str> =
        SETTINGS.iter().filter_map(|s| s.section_and_name().0).map(top).collect();
    sections.dedup();
    let root = document.root_with(&[names_in(None), sections.clone()].concat(), &|key| {
        (key == "origin").then(|| ORIGIN_HINT.to_owned())
    });
    let mut said: Vec<Value<'_>> = values(None, &root, None).collect();
    let mut names = BTreeSet::new();
    for name in sections {
        let Some(field) = root.get(name) else { continue };
        if name == top(ORIGIN) {
            for (name, section) in field.entries().into_iter().flatten().filter_map(origin) {
                said.extend(values(Some(ORIGIN), &section, Some(&name)));
                names.insert(name);
            }
        } else if let Some(section) = field.section(&names_in(Some(name))) {
            said.extend(values(Some(name), &section, None));
        }
    }
    read(said, names, folder)
}

/// The first part of a section's key, which is the key at the top of the file.
fn top(section: &'static str) -> &'static str {
    section.split_once('.').map_or(section, |(top, _)| top)
}

/// Keys of a section, without it.
fn names_in(section: Option<&str>) -> Vec<&'static str> {
    let all = SETTINGS.iter().map(|s| s.section_and_name());
    all.filter(|(s, _)| *s == section).map(|(_, name)| name).collect()
}

/// What `table` says about the settings of `section`.
fn values<'s>(
    section: Option<&'static str>,
    table: &Section<'s>,
    origin: Option<&str>,
) -> impl Iterator<Item = Value<'s>> {
    SETTINGS.iter().filter_map(move |setting| {
        let (of, name) = setting.section_and_name();
        let field = if of == section { table.get(name)? } else { return None };
        Some(Value::in_file(setting, origin, field))
    })
}

/// The name and the section of an origin.
fn origin<'s>(field: Field<'s>) -> Option<(String, Section<'s>)> {
    let name = field.name();
    let keys = names_in(Some(ORIGIN));
    if !field.is_table() && keys.contains(&name) {
        field.reject_key(
            format!("`{name}` stands outside of any origin"),
            Some(ORIGIN_HINT.to_owned()),
        );
        return None;
    }
    if !env_vars::is_origin_name(name) {
        let rule = format!(
            "use 1 to {MAX_ORIGIN_NAME} of a-z, 0-9 and -, and start with a letter or digit"
        );
        field.reject_key(format!("`{name}` cannot be the name of an origin"), Some(rule));
        return None;
    }
    let section = field.section_with(&keys, &|key| secret_hint(name, key))?;
    Some((name.to_owned(), section))
}

/// What to do with a secret in the file.
fn secret_hint(origin: &str, key: &str) -> Option<String> {
    if !is_secret(key) {
        return None;
    }
    let exact: Vec<_> = SECRETS.iter().filter(|s| s.section_and_name().1 == key).collect();
    let meant = if exact.is_empty() { SECRETS.iter().collect() } else { exact };
    let variables: Vec<String> =
        meant.iter().map(|s| format!("`{}`", s.variable_of(Some(origin)))).collect();
    Some(format!(
        "secrets have no place in the file; variables hold them: {}",
        variables.join(", ")
    ))
}

/// Reads the environment. A variable that is empty says nothing: that is how compose files leave one out.
pub(super) fn environment<'s>(
    variables: &'s BTreeMap<String, String>,
    complaints: &'s Complaints,
) -> Layer<'s> {
    let mut said = Vec::new();
    for (name, text) in variables {
        match env_vars::setting(name) {
            Some(_) if text.is_empty() => {}
            Some((setting, origin)) => {
                said.push(Value::in_variable(setting, origin, text, complaints));
            }
            None if OTHERS.iter().any(|o| o.variable == name) => {}
            None => complaints.borrow_mut().push(Complaint::Variable {
                name: name.clone(),
                message: "unknown environment variable".to_owned(),
                hint: env_vars::did_you_mean(name),
            }),
        }
    }
    let names = said.iter().filter_map(|v| v.origin().map(str::to_owned)).collect();
    read(said, names, Path::new(""))
}

/// Reads all settings. Relative paths start at `folder`.
fn read<'s>(said: Vec<Value<'s>>, origins: BTreeSet<String>, folder: &Path) -> Layer<'s> {
    let value = |key: &str| said.iter().find(|v| v.setting().key == key);
    let path = |key: &str| Some(folder.join(value(key)?.filled("a path")?));
    let seconds = |key: &str, range| Some(Duration::from_secs_f64(value(key)?.number(range)?));
    let budget = |key: &str| value(key)?.whole(BUDGET);
    Layer {
        data_dir: path("data_dir"),
        database: value("database").and_then(database),
        database_password: value("database_password").and_then(secret),
        tenant: value("tenant").and_then(tenant),
        pipeline: value("pipeline").and_then(pipeline),
        pipelines_dir: path("pipelines_dir"),
        watch_folder: path("watch.folder"),
        watch_settle: seconds("watch.settle_seconds", SETTLE_SECONDS),
        watch_rescan: seconds("watch.rescan_seconds", RESCAN_SECONDS),
        watch_buckets: value("watch.buckets").and_then(folders),
        watch_poll: seconds("watch.poll_seconds", POLL_SECONDS),
        worker_slots: value("worker.slots").and_then(slots),
        worker_pool: value("worker.pool").and_then(|v| named(v, POOL_RULE, is_pool_name)),
        worker_name: value("worker.name").and_then(|v| named(v, NAME_RULE, is_worker_name)),
        worker_drain: seconds("worker.drain_seconds", DRAIN_SECONDS),
        worker_lease: seconds("worker.lease_seconds", LEASE_SECONDS),
        transcoder_silence: seconds("worker.transcoder_silence_seconds", SILENCE_SECONDS),
        transcoder_memory: value("worker.transcoder_memory_mb")
            .and_then(|v| v.whole(TRANSCODER_MEMORY_MB)),
        origins: origins
            .into_iter()
            .map(|name| {
                let layer = read_origin(&said, &name, folder);
                (name, layer)
            })
            .collect(),
        masters_origins: value("masters.origins").and_then(names),
        publish_required: value("publish.required").and_then(names),
        publish_min_copies: value("publish.min_copies")
            .and_then(|v| usize::try_from(v.whole(COPIES)?).ok()),
        publish_archive: value("publish.archive")
            .and_then(|v| Some(v.filled("the name of an origin")?.to_owned())),
        publish_verify: value("publish.verify").and_then(|v| {
            let known =
                [("listing", Verify::Listing), ("read", Verify::Read), ("edge", Verify::Edge)];
            v.one_of(&known, "kind of proof")
        }),
        audit_list: value("audit.list_days")
            .and_then(|v| Some(Duration::from_secs_f64(v.number(LIST_DAYS)? * SECONDS_A_DAY))),
        audit_read: value("audit.read_days").and_then(read_days),
        audit_requests: budget("audit.requests_per_second"),
        audit_megabytes: budget("audit.megabytes_per_second"),
        audit_heal: value("audit.heal").and_then(|v| {
            v.one_of(&[("automatic", Heal::Automatic), ("manual", Heal::Manual)], "way to heal")
        }),
        http_listen: value("http.listen").and_then(listen),
        http_public_url: value("http.public_url").and_then(site),
        http_health_listen: value("http.health_listen").and_then(listen),
        log_filter: value("log.filter").and_then(filter),
        log_format: value("log.format").and_then(|v| {
            v.one_of(&[("text", LogFormat::Text), ("json", LogFormat::Json)], "log format")
        }),
        said,
    }
}

/// Reads the settings of an origin, likewise.
fn read_origin(said: &[Value<'_>], origin: &str, folder: &Path) -> OriginLayer {
    let value = |name: &str| {
        let mut of_origin = said.iter().filter(|v| v.origin() == Some(origin));
        of_origin.find(|v| v.setting().section_and_name().1 == name)
    };
    OriginLayer {
        kind: value("kind").and_then(|v| v.one_of(&OriginType::ALL, "kind of origin")),
        path: value("path").and_then(|v| Some(folder.join(v.filled("a path")?))),
        bucket: value("bucket").and_then(|v| word(v, "the name of a bucket")),
        endpoint: value("endpoint").and_then(site),
        region: value("region").and_then(|v| word(v, "the name of a region")),
        prefix: value("prefix").and_then(prefix),
        path_style: value("path_style").and_then(Value::boolean),
        storage_class: value("storage_class").and_then(|v| word(v, "a storage class")),
        public_url: value("public_url").and_then(site),
        edge_url: value("edge_url").and_then(site),
        purge_method: value("purge_method").and_then(method),
        purge_url: value("purge_url").and_then(address),
        purge_body: value("purge_body").and_then(|v| Some(v.filled("a body")?.to_owned())),
        access_key_id: value("access_key_id").and_then(secret),
        secret_access_key: value("secret_access_key").and_then(secret),
        session_token: value("session_token").and_then(secret),
        purge_token: value("purge_token").and_then(secret),
    }
}

/// The address of a database, which may hold a password: nothing of it is shown. In the file it must not.
fn database(value: &Value<'_>) -> Option<PostgresOptions> {
    let address = value.filled("the address of a database")?;
    if value.is_in_file() && holds_password(address) {
        value.reject_setting(
            "holds a password",
            "secrets have no place in the file; `HEADWATER_DATABASE_PASSWORD` holds it".to_owned(),
        );
        return None;
    }
    PostgresOptions::parse(address).map_err(|why| value.reject(why)).ok()
}

/// Whether an address has a password, before the host or behind the question mark.
fn holds_password(address: &str) -> bool {
    let login = address.split_once("://").and_then(|(_, rest)| rest.split_once('@'));
    let query = address.split_once('?').map_or("", |(_, query)| query);
    let keys = query.split(['&', '#']).filter_map(|pair| pair.split('=').next());
    login.is_some_and(|(login, _)| login.contains(':'))
        || keys.map(decoded).any(|key| key.eq_ignore_ascii_case("password"))
}

/// A text without percent signs, as what reads addresses takes it.
fn decoded(text: &str) -> String {
    let mut parts = text.split('%');
    let mut plain = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let code = part.get(..2).and_then(|hex| u8::from_str_radix(hex, 16).ok());
        match code {
            Some(code) => {
                plain.push(char::from(code));
                plain.push_str(part.get(2..).unwrap_or_default());
            }
            None => plain.push_str(part),
        }
    }
    plain
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

/// A name for which `is_good`, which `rule` says in words.
fn named(value: &Value<'_>, rule: &str, is_good: fn(&str) -> bool) -> Option<String> {
    let text = value.text()?;
    if !is_good(text) {
        value.reject(format!("`{text}` is no such name: {rule}"));
        return None;
    }
    Some(text.to_owned())
}

fn listen(value: &Value<'_>) -> Option<SocketAddr> {
    let text = value.text()?;
    let address = text.parse().ok();
    if address.is_none() {
        value.reject(format!("`{text}` is not an IP address and a port"));
    }
    address
}

/// The address of a site, of which it loses the slash at its end.
fn site(value: &Value<'_>) -> Option<String> {
    let text = without_login(value)?;
    if !is_address(text) || text.contains('?') {
        value.reject(format!("`{text}` is not the address of a site"));
        return None;
    }
    Some(text.trim_end_matches('/').to_owned())
}

/// The address of a page, which may have a query.
fn address(value: &Value<'_>) -> Option<String> {
    let text = without_login(value)?;
    if !is_address(text) {
        value.reject(format!("`{text}` is not an address"));
        return None;
    }
    Some(text.to_owned())
}

/// An address in which nobody's name and password stand: addresses are logged, kept and shown to viewers.
fn without_login<'v>(value: &'v Value<'_>) -> Option<&'v str> {
    let text = value.text()?;
    let rest = text.split_once("://").map_or(text, |(_, rest)| rest);
    if rest.split(['/', '?', '#']).next().is_some_and(|host| host.contains('@')) {
        value.reject_setting(
            "holds a user's name or a password",
            "take away what stands before the `@`; secrets have variables of their own".to_owned(),
        );
        return None;
    }
    Some(text)
}

fn is_address(text: &str) -> bool {
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    let odd = |c: char| c == '#' || c.is_whitespace() || c.is_control();
    rest.is_some_and(|rest| {
        !rest.is_empty() && !rest.starts_with(['/', '?']) && !rest.contains(odd)
    })
}

/// A word that a request can carry; `what` says what it should be.
fn word(value: &Value<'_>, what: &str) -> Option<String> {
    let text = value.filled(what)?;
    if text.contains('/') || !text.bytes().all(|b| b.is_ascii_graphic()) {
        value.reject(format!("`{text}` is not {what}"));
        return None;
    }
    Some(text.to_owned())
}

/// What comes before every key: empty, or ending in a slash.
fn prefix(value: &Value<'_>) -> Option<String> {
    let text = value.text()?;
    let parts = text.trim_matches('/');
    if parts.is_empty() {
        return Some(String::new());
    }
    // Services on file systems take such parts for folders, and would store elsewhere than was said.
    let bad = |part: &str| matches!(part, "" | "." | "..") || part.chars().any(char::is_control);
    if parts.split('/').any(bad) {
        value.reject(format!("`{text}` is not the start of a key"));
        return None;
    }
    Some(format!("{parts}/"))
}

fn method(value: &Value<'_>) -> Option<String> {
    let text = value.filled("an HTTP method")?;
    if !text.bytes().all(|b| b.is_ascii_alphabetic()) {
        value.reject(format!("`{text}` is not an HTTP method"));
        return None;
    }
    // Methods are told apart by their case, and all in use are upper case.
    Some(text.to_ascii_uppercase())
}

/// What must not be shown, whatever is wrong with it.
fn secret(value: &Value<'_>) -> Option<Secret> {
    let text = value.text()?;
    if !text.bytes().all(|b| b.is_ascii_graphic()) {
        value.reject_setting(
            "holds a space, a line break or a letter beyond ASCII",
            "such a thing at the end often comes from the file that the value was read from"
                .to_owned(),
        );
        return None;
    }
    Some(Secret(text.to_owned()))
}

fn names(value: &Value<'_>) -> Option<Vec<String>> {
    let items = value.items()?;
    // All are read before the first bad one ends it, so that every mistake is told.
    let names: Vec<Option<String>> =
        items.iter().map(|item| Some(item.filled("the name of an origin")?.to_owned())).collect();
    names.into_iter().collect()
}

fn folders(value: &Value<'_>) -> Option<Vec<Folder>> {
    let read = |item: &Value<'_>| {
        let parsed = item.filled("a folder of a bucket")?.parse();
        parsed.map_err(|error: BadAddress| item.reject(error.to_string())).ok()
    };
    let folders: Vec<Option<Folder>> = value.items()?.iter().map(read).collect();
    folders.into_iter().collect()
}

/// How often everything is read; never when it is 0.
fn read_days(value: &Value<'_>) -> Option<Option<Duration>> {
    let days = value.number(READ_DAYS)?;
    if days == 0.0 {
        return Some(None);
    }
    if days < *LIST_DAYS.start() {
        value.reject(format!("`{}` is less than {} and not 0", value.key(), LIST_DAYS.start()));
        return None;
    }
    Some(Some(Duration::from_secs_f64(days * SECONDS_A_DAY)))
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
