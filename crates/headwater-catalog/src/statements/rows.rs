//! Rows into the model's types and back.

use headwater_model::id::Version;
use headwater_model::key::PackageId;
use headwater_model::lane::Priority;
use headwater_model::life::{Event, PackageRecord, Progress, TitleRecord, TitleState};
use headwater_model::quality::Seen;
use headwater_model::queue::{SpanTally, progress};
use headwater_model::refusal::{Code, Refusal};
use headwater_model::task::{Role, TaskKind};
use headwater_model::time::Timestamp;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::db::Row;
use crate::error::Fault;

/// A count as SQL keeps it. No count here comes near 2^63.
pub(crate) fn int(n: u64) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}

/// A count from a column that is never written below 0.
pub(crate) fn count(row: &Row, column: &str) -> Result<u64, Fault> {
    Ok(u64::try_from(row.get::<i64>(column)?).unwrap_or(0))
}

/// A small count from a column that is never written below 0.
pub(crate) fn small(row: &Row, column: &str) -> Result<u32, Fault> {
    Ok(u32::try_from(row.get::<i64>(column)?).unwrap_or(0))
}

/// A value as JSON text.
pub(crate) fn json<T: Serialize>(value: &T) -> Result<String, Fault> {
    Ok(serde_json::to_string(value)?)
}

/// The value of a column of JSON text, when it has one.
pub(crate) fn from_json<T: DeserializeOwned>(row: &Row, column: &str) -> Result<Option<T>, Fault> {
    let text: Option<&str> = row.get(column)?;
    Ok(text.map(serde_json::from_str).transpose()?)
}

/// The value of a text column that only this crate writes.
pub(crate) fn parsed<T>(row: &Row, column: &str) -> Result<T, Fault>
where
    T: std::str::FromStr<Err: std::fmt::Display>,
{
    parse(row.get(column)?)
}

/// The same for a column that may be null.
pub(crate) fn parsed_maybe<T>(row: &Row, column: &str) -> Result<Option<T>, Fault>
where
    T: std::str::FromStr<Err: std::fmt::Display>,
{
    row.get::<Option<&str>>(column)?.map(parse).transpose()
}

fn parse<T>(text: &str) -> Result<T, Fault>
where
    T: std::str::FromStr<Err: std::fmt::Display>,
{
    text.parse().map_err(|e: T::Err| Fault::Contradiction(e.to_string()))
}

/// Columns `kind` and `number`.
pub(crate) fn kind(row: &Row) -> Result<TaskKind, Fault> {
    kind_of(row.get("kind")?, row.get("number")?)
}

/// A kind of task from its name and number.
pub(crate) fn kind_of(name: &str, number: i64) -> Result<TaskKind, Fault> {
    let number = u32::try_from(number).unwrap_or(0);
    TaskKind::from_parts(name, number)
        .ok_or_else(|| Fault::Contradiction(format!("`{name}` is not a kind of task")))
}

/// A role as it is kept.
pub(crate) fn role_name(role: Role) -> &'static str {
    match role {
        Role::Worker => "worker",
        Role::Verifier => "verifier",
        Role::Publisher => "publisher",
        Role::Archiver => "archiver",
    }
}

/// Column `role`.
pub(crate) fn role(row: &Row) -> Result<Role, Fault> {
    let name: &str = row.get("role")?;
    [Role::Worker, Role::Verifier, Role::Publisher, Role::Archiver]
        .into_iter()
        .find(|role| role_name(*role) == name)
        .ok_or_else(|| Fault::Contradiction(format!("`{name}` is not a role")))
}

/// Columns `code` and `message`.
pub(crate) fn refusal(row: &Row) -> Result<Refusal, Fault> {
    let code: Option<&str> = row.get("code")?;
    Ok(refusal_of(code.unwrap_or_default(), row.get("message")?))
}

/// A refusal from its code and sentence. During a rolling upgrade a newer Headwater may write a code that this one does not
/// know: the sentence still says what happened.
pub(crate) fn refusal_of(code: &str, message: Option<String>) -> Refusal {
    let code = serde_json::from_value(code.into()).unwrap_or(Code::Internal);
    Refusal::new(code, message.unwrap_or_default())
}

/// The same, when there is one.
pub(crate) fn trouble(row: &Row) -> Result<Option<Refusal>, Fault> {
    let failed = row.get::<Option<&str>>("code")?.is_some();
    failed.then(|| refusal(row)).transpose()
}

/// Columns `state`, `code` and `message`.
pub(crate) fn state(row: &Row) -> Result<TitleState, Fault> {
    let name: &str = row.get("state")?;
    Ok(match name {
        "queued" => TitleState::Queued,
        "transcoding" => TitleState::Transcoding,
        "sealing" => TitleState::Sealing,
        "verifying" => TitleState::Verifying,
        "publishing" => TitleState::Publishing,
        "published" => TitleState::Published,
        "rejected" => TitleState::Rejected(refusal(row)?),
        "failed" => TitleState::Failed(refusal(row)?),
        other => return Err(Fault::Contradiction(format!("`{other}` is not a state of a title"))),
    })
}

/// Columns `tenant`, `title` and `version`.
pub(crate) fn package_id(row: &Row) -> Result<PackageId, Fault> {
    Ok(PackageId {
        tenant: parsed(row, "tenant")?,
        title: parsed(row, "title")?,
        version: Version(small(row, "version")?),
    })
}

/// A title with its newest package and what its spans add up to, at `now`.
pub(crate) fn title(row: &Row, now: Timestamp) -> Result<TitleRecord, Fault> {
    let PackageId { tenant, title, version } = package_id(row)?;
    let state = state(row)?;
    let updated = Timestamp(row.get("updated_at")?);
    let planned = Progress {
        spans: small(row, "spans")?,
        frames: count(row, "frames")?,
        duration_ms: count(row, "duration_ms")?,
        cpu_ms: count(row, "cpu_ms")?,
        ..Progress::default()
    };
    let tally = SpanTally {
        done: small(row, "spans_done")?,
        frames_done: count(row, "frames_done")?,
        started: row.get::<Option<i64>>("first_started_at")?.map(Timestamp),
        finished: row.get::<Option<i64>>("last_finished_at")?.map(Timestamp),
    };
    let live: Option<i64> = row.get("live")?;
    Ok(TitleRecord {
        tenant,
        title,
        progress: progress(planned, tally, &state, updated, now),
        state,
        version,
        live: live.and_then(|v| u32::try_from(v).ok()).map(Version),
        master_path: row.get("master_path")?,
        master: parsed_maybe(row, "master")?,
        pipeline: row.get("pipeline")?,
        facts: from_json(row, "facts")?,
        priority: Priority::of_rank(row.get("priority")?),
        held: row.get("held")?,
        created: Timestamp(row.get("queued_at")?),
        updated,
    })
}

/// A package; its codecs and what was seen of it are rows of their own.
pub(crate) fn package(
    row: &Row,
    codecs: Vec<(String, String)>,
    seen: Seen,
) -> Result<PackageRecord, Fault> {
    Ok(PackageRecord {
        plan: from_json(row, "plan")?,
        codecs,
        seen,
        inventory: parsed_maybe(row, "inventory")?,
        objects: count(row, "objects")?,
        bytes: count(row, "bytes")?,
        proven_on: serde_json::from_str(row.get("proven_on")?)?,
        pointers: serde_json::from_str(row.get("pointers")?)?,
    })
}

/// A line of history.
pub(crate) fn event(row: &Row) -> Result<Event, Fault> {
    Ok(Event { at: Timestamp(row.get("happened_at")?), text: row.get("text")? })
}
