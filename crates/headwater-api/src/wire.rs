//! What the API sends. These types are a promise to clients; the model's may change without them.

use headwater_model::finding::Finding;
use headwater_model::lane::Priority;
use headwater_model::life::{Event, Progress, TitleRecord};
use serde::Serialize;

/// `GET /api/titles`.
#[derive(Serialize)]
pub(crate) struct Titles {
    /// Newest first.
    pub(crate) titles: Vec<Title>,
    /// Whether there are older ones that are not listed.
    pub(crate) more: bool,
}

/// A title in a list. Moments are milliseconds since 1970-01-01 UTC.
#[derive(Serialize)]
pub(crate) struct Title {
    title: String,
    /// `queued`, `transcoding`, `sealing`, `verifying`, `publishing`, `published`, `rejected`, `failed`.
    state: &'static str,
    /// Newest version, being made or finished.
    version: u32,
    /// The version that viewers get.
    #[serde(skip_serializing_if = "Option::is_none")]
    live: Option<u32>,
    /// Addresses for players, relative to this server, when a version is live.
    #[serde(skip_serializing_if = "Option::is_none")]
    hls: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    mpd: Option<String>,
    /// Why it was rejected or failed.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    refusal: Option<Refusal>,
    /// Whether nothing more of it is begun until it is released.
    held: bool,
    /// `urgent`, `normal` or `low`.
    priority: Priority,
    master: Master,
    pipeline: String,
    progress: Work,
    created_ms: i64,
    updated_ms: i64,
}

#[derive(Serialize)]
struct Refusal {
    /// Stable; see `headwater_model::refusal::Code`.
    code: &'static str,
    /// One plain sentence.
    message: String,
    /// What a person can do about it.
    next_step: &'static str,
}

#[derive(Serialize)]
struct Master {
    path: String,
    /// Once it was read.
    #[serde(skip_serializing_if = "Option::is_none")]
    sha256: Option<String>,
}

#[derive(Serialize)]
struct Work {
    /// 0 before there is a plan.
    spans: u32,
    spans_done: u32,
    /// 0 before there is a plan.
    frames: u64,
    frames_done: u64,
    /// Length of the presentation.
    duration_ms: u64,
    /// Time spent transcoding so far.
    working_ms: u64,
    /// Processor time of the transcoder.
    cpu_ms: u64,
}

/// `GET /api/titles/{title}`.
#[derive(Serialize)]
pub(crate) struct Detail {
    #[serde(flatten)]
    pub(crate) title: Title,
    /// Its history, oldest first.
    pub(crate) events: Vec<Moment>,
    /// What the last proof of its newest version found wrong.
    pub(crate) findings: Vec<Wrong>,
    /// What the transcoder said last before it failed, many lines.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) last_words: Option<String>,
}

/// A line of a title's history.
#[derive(Serialize)]
pub(crate) struct Moment {
    at_ms: i64,
    text: String,
}

/// Something that is wrong with an object.
#[derive(Serialize)]
pub(crate) struct Wrong {
    origin: String,
    object: String,
    /// The whole finding in one sentence.
    text: String,
}

/// `GET /livez` and `GET /readyz`.
#[derive(Serialize)]
pub(crate) struct Health {
    /// `alive` or `stuck`; `ready`, `not-ready` or `draining`.
    pub(crate) status: &'static str,
    /// What was looked at: the loops of the process; `catalog`, `work` and, where there are tasks, `worker`.
    pub(crate) checks: Vec<Check>,
    /// What the process is there for, told by `/readyz`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) roles: Vec<Check>,
}

/// One thing that was looked at.
#[derive(Serialize)]
pub(crate) struct Check {
    pub(crate) name: &'static str,
    pub(crate) ok: bool,
    /// How it is, for people.
    pub(crate) message: String,
}

impl From<TitleRecord> for Title {
    fn from(record: TitleRecord) -> Self {
        let (tenant, title) = (&record.tenant, &record.title);
        let address = |name| record.live.map(|_| format!("/media/{tenant}/{title}/{name}"));
        let refusal = record.state.refusal().map(|refusal| Refusal {
            code: refusal.code.as_str(),
            message: refusal.message.clone(),
            next_step: refusal.code.next_step(),
        });
        Self {
            title: title.to_string(),
            state: record.state.name(),
            version: record.version.0,
            live: record.live.map(|version| version.0),
            hls: address(headwater_model::key::HLS_NAME),
            mpd: address(headwater_model::key::MPD_NAME),
            refusal,
            held: record.held,
            priority: record.priority,
            master: Master {
                path: record.master_path,
                sha256: record.master.map(|sha256| sha256.to_string()),
            },
            pipeline: record.pipeline,
            progress: record.progress.into(),
            created_ms: record.created.0,
            updated_ms: record.updated.0,
        }
    }
}

impl From<Progress> for Work {
    fn from(progress: Progress) -> Self {
        let Progress { spans, spans_done, frames, frames_done, duration_ms, working_ms, cpu_ms } =
            progress;
        Self { spans, spans_done, frames, frames_done, duration_ms, working_ms, cpu_ms }
    }
}

impl From<Event> for Moment {
    fn from(event: Event) -> Self {
        Self { at_ms: event.at.0, text: event.text }
    }
}

impl From<Finding> for Wrong {
    fn from(finding: Finding) -> Self {
        let text = finding.to_string();
        Self { origin: finding.origin, object: finding.object, text }
    }
}
