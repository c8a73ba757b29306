//! The life of a title: its states, and the one function that decides what follows when a task is done.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::id::{Sha256, Tenant, TitleId, Version};
use crate::inventory::Object;
use crate::key::PackageId;
use crate::lane::Priority;
use crate::master::MasterFacts;
use crate::plan::{Pictures, Plan};
use crate::quality::Seen;
use crate::refusal::{Code, Refusal};
use crate::task::{Outcome, Remake, TaskKind};
use crate::time::Timestamp;

/// Where a title's newest package stands. What viewers get is another matter: see [`TitleRecord::live`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "state")]
pub enum TitleState {
    /// Waiting for a worker to look at the master.
    Queued,
    /// Spans and audio tracks are being made.
    Transcoding,
    /// Everything is made; playlists, MPD and inventory are being written.
    Sealing,
    /// The origin is being asked about every object.
    Verifying,
    /// Proven; the pointers are being swapped.
    Publishing,
    /// Live.
    Published,
    /// The master is not usable; another one is needed.
    Rejected(Refusal),
    /// The work did not succeed; it can be tried again.
    Failed(Refusal),
}

impl TitleState {
    /// The state's word, as in `--json`.
    pub fn name(&self) -> &'static str {
        match self {
            TitleState::Queued => "queued",
            TitleState::Transcoding => "transcoding",
            TitleState::Sealing => "sealing",
            TitleState::Verifying => "verifying",
            TitleState::Publishing => "publishing",
            TitleState::Published => "published",
            TitleState::Rejected(_) => "rejected",
            TitleState::Failed(_) => "failed",
        }
    }

    /// Whether nothing more will happen by itself.
    pub fn is_final(&self) -> bool {
        matches!(self, TitleState::Published | TitleState::Rejected(_) | TitleState::Failed(_))
    }

    /// The state that a refusal leads to.
    pub fn refused(refusal: Refusal) -> Self {
        if refusal.code.blames_master() {
            TitleState::Rejected(refusal)
        } else {
            TitleState::Failed(refusal)
        }
    }

    /// The refusal, when there is one.
    pub fn refusal(&self) -> Option<&Refusal> {
        match self {
            TitleState::Rejected(r) | TitleState::Failed(r) => Some(r),
            _ => None,
        }
    }
}

impl fmt::Display for TitleState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What follows when a task is done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Next {
    /// The title's state from now on; `None` when it stays as it is.
    pub state: Option<TitleState>,
    /// Tasks to add to the queue.
    pub tasks: Vec<TaskKind>,
}

/// What a package's tasks are about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Work {
    /// Viewers do not have it yet.
    Making,
    /// Viewers have it, and what is made of it is made again for origins that lost it.
    Healing,
    /// Viewers have it and its inventory is lost on every origin: everything is made again to be counted, and nothing of
    /// it is stored, until what comes out is that very inventory.
    Resealing,
}

impl Work {
    /// Whether viewers have the package.
    pub fn is_for_viewers(self) -> bool {
        self != Work::Making
    }
}

/// Decides what follows when a task of a package hands in `outcome` and `left` others of it are not done, those that are
/// beside ([`TaskKind::is_beside`]) not counted; `work` is what the package's tasks are about. The catalog calls this inside
/// the transaction that accepts the outcome, so a crash leaves either all of it or nothing.
pub fn after(outcome: &Outcome, left: u64, work: Work) -> Next {
    let next = |state, tasks| Next { state: Some(state), tasks };
    match outcome {
        Outcome::Prepared { plan, archives, .. } => {
            let mut tasks = work_of(plan);
            tasks.extend(archives.then_some(TaskKind::Archive));
            next(TitleState::Transcoding, tasks)
        }
        Outcome::Archived { .. } => Next { state: None, tasks: vec![] },
        Outcome::AlreadyPublished { .. } | Outcome::Published { .. } | Outcome::Healed { .. } => {
            next(TitleState::Published, vec![])
        }
        Outcome::Made { .. } | Outcome::MadeDifferently { .. }
            if work.is_for_viewers() && left > 0 =>
        {
            next(TitleState::Published, vec![])
        }
        Outcome::Made { .. } if work == Work::Resealing => {
            next(TitleState::Published, vec![TaskKind::Seal])
        }
        // When something came out otherwise, the heal task sees whether it is still lost, and what follows from that.
        Outcome::Made { .. } | Outcome::MadeDifferently { .. } if work.is_for_viewers() => {
            next(TitleState::Published, vec![TaskKind::Heal])
        }
        Outcome::Sealed { .. } if work.is_for_viewers() => {
            next(TitleState::Published, vec![TaskKind::Heal])
        }
        Outcome::Made { .. } | Outcome::MadeDifferently { .. } if left > 0 => {
            next(TitleState::Transcoding, vec![])
        }
        Outcome::Made { .. } | Outcome::MadeDifferently { .. } => {
            next(TitleState::Sealing, vec![TaskKind::Seal])
        }
        Outcome::Sealed { .. } => next(TitleState::Verifying, vec![TaskKind::Verify]),
        Outcome::Proven { .. } => next(TitleState::Publishing, vec![TaskKind::Publish]),
    }
}

/// The tasks that make all objects of a plan. Audio first: it is one long task per track, and would otherwise be what
/// everybody waits for at the end.
pub fn work_of(plan: &Plan) -> Vec<TaskKind> {
    let audio = (0u32..).zip(&plan.audio).filter(|(_, audio)| !plan.keeps(&audio.name));
    let text = (0u32..).zip(&plan.text).filter(|(_, text)| !plan.keeps(&text.name));
    let any_video = plan.video.iter().any(|video| !plan.keeps(&video.name));
    let spans = (0u32..).zip(&plan.spans).filter(|_| any_video);
    let tracks = audio.map(|(n, _)| TaskKind::Audio(n)).chain(text.map(|(n, _)| TaskKind::Text(n)));
    let pictures = plan.pictures.iter().filter(|_| !plan.keeps(Pictures::FOLDER));
    let tracks = tracks.chain(pictures.map(|_| TaskKind::Pictures));
    tracks.chain(spans.map(|(n, _)| TaskKind::Span(n))).collect()
}

/// A title as the catalog knows it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TitleRecord {
    /// Whose.
    pub tenant: Tenant,
    /// Which.
    pub title: TitleId,
    /// Where its newest package stands.
    #[serde(flatten)]
    pub state: TitleState,
    /// Newest version, being made or finished.
    pub version: Version,
    /// What viewers get, if anything.
    pub live: Option<Version>,
    /// Absolute path of the master.
    pub master_path: String,
    /// The master's SHA-256, once it was read.
    pub master: Option<Sha256>,
    /// Name of the pipeline.
    pub pipeline: String,
    /// What the probe found.
    #[serde(skip)]
    pub facts: Option<MasterFacts>,
    /// How much it is wanted.
    pub priority: Priority,
    /// Whether nothing more of it is begun until it is released.
    pub held: bool,
    /// How far the work is.
    pub progress: Progress,
    /// When it was queued.
    pub created: Timestamp,
    /// When its state last changed.
    pub updated: Timestamp,
}

/// How far the newest package of a title is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Progress {
    /// Spans in the plan; 0 before there is one.
    pub spans: u32,
    /// Spans done.
    pub spans_done: u32,
    /// Frames in the plan.
    pub frames: u64,
    /// Frames done, those of unfinished spans included.
    pub frames_done: u64,
    /// Length of the presentation in milliseconds.
    pub duration_ms: u64,
    /// Milliseconds since the first span was started, until now or until the last was done.
    pub working_ms: u64,
    /// Processor time of the transcoder children whose results were accepted, in milliseconds.
    pub cpu_ms: u64,
}

/// A package as the catalog knows it.
#[derive(Debug, Clone, PartialEq)]
pub struct PackageRecord {
    /// The plan, once there is one.
    pub plan: Option<Plan>,
    /// RFC 6381 codec by rendition, as far as tasks have reported them; from when viewers get it, the inventory has them.
    pub codecs: Vec<(String, String)>,
    /// What was seen and heard of it while it was made.
    pub seen: Seen,
    /// SHA-256 of the inventory object, once sealed.
    pub inventory: Option<Sha256>,
    /// Number of objects, once sealed.
    pub objects: u64,
    /// Bytes, once sealed.
    pub bytes: u64,
    /// Names of the origins that proved to hold it, best first; empty until they have.
    pub proven_on: Vec<String>,
    /// The title's pointers as they were stored when it was published, by file name: what viewers have to find there
    /// as long as it is live.
    pub pointers: Vec<Object>,
}

/// How a package came about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Making {
    /// Where its master was; empty where the catalog was rebuilt.
    pub master_path: String,
    /// Name of its pipeline, or path of the file that it is in, as it was asked for.
    pub pipeline: String,
    /// What was to be made again, when it was not the whole title.
    pub remake: Option<Remake>,
    /// Processor time of every transcoding task that is done, in milliseconds; none where the catalog was rebuilt.
    pub spent: Vec<(TaskKind, u64)>,
    /// Why the last try failed that did; none once that task was done or started over, and none of `Archive`.
    pub trouble: Option<Refusal>,
}

/// A title as it was found on an origin, for a catalog that was lost.
#[derive(Debug, Clone, PartialEq)]
pub struct Restored {
    /// Whose.
    pub tenant: Tenant,
    /// Which title.
    pub title: TitleId,
    /// What its pointers lead to.
    pub live: Option<Version>,
    /// Its packages, at least one.
    pub packages: Vec<RestoredPackage>,
}

/// A package as it was found on an origin.
#[derive(Debug, Clone, PartialEq)]
pub struct RestoredPackage {
    /// Which.
    pub package: PackageId,
    /// SHA-256 of its master. Where that is, no origin says.
    pub master: Sha256,
    /// Name of its pipeline.
    pub pipeline: String,
    /// SHA-256 of its pipeline.
    pub pipeline_sha256: Sha256,
    /// All else.
    pub record: PackageRecord,
}

impl Restored {
    /// The state of one of its packages: what nobody was ever pointed at was not proven when the catalog was lost.
    pub fn state_of(&self, version: Version) -> TitleState {
        if self.live.is_some_and(|live| version <= live) {
            return TitleState::Published;
        }
        let message = format!("{version} was sealed and not published when the catalog was lost");
        TitleState::Failed(Refusal::new(Code::NotProven, message))
    }
}

/// One line of a title's history.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Event {
    /// When.
    pub at: Timestamp,
    /// What happened, in one plain sentence.
    pub text: String,
}

#[cfg(test)]
mod tests;
