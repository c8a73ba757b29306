//! Tasks: what the queue holds, who may do it, and when to try again (R8).

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::archive::MasterCopy;
use crate::id::{Sha256, Tenant, TitleId, Version};
use crate::inventory::Object;
use crate::key::PackageId;
use crate::lane::Priority;
use crate::master::MasterFacts;
use crate::plan::Plan;
use crate::quality::{Seen, Verdict};
use crate::refusal::Refusal;
use crate::time::Timestamp;

/// One kind of work on one package.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TaskKind {
    /// Hash, probe and index the master; make the plan.
    Prepare,
    /// Transcode span `n`, counted from 0.
    Span(u32),
    /// Transcode the whole of audio rendition `n`, counted from 0.
    Audio(u32),
    /// Write the whole of text rendition `n`, counted from 0.
    Text(u32),
    /// Make small pictures and the poster.
    Pictures,
    /// Write playlists, MPD and inventory.
    Seal,
    /// Prove that the origin holds every object.
    Verify,
    /// Point viewers at the package.
    Publish,
    /// Put right what origins lost of a package that was proven.
    Heal,
    /// Copy the master to the archive and prove the copy. Beside all the others: viewers do not wait for it, and the
    /// package neither ends with it nor takes it along when it ends.
    Archive,
}

/// Who does a kind of work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// Runs transcoder children: prepare, span, audio, text, pictures.
    Worker,
    /// Seals, proves and heals.
    Verifier,
    /// Publishes.
    Publisher,
    /// Copies masters to the archive.
    Archiver,
}

impl TaskKind {
    /// Who does it.
    pub fn role(self) -> Role {
        match self {
            TaskKind::Prepare
            | TaskKind::Span(_)
            | TaskKind::Audio(_)
            | TaskKind::Text(_)
            | TaskKind::Pictures => Role::Worker,
            TaskKind::Seal | TaskKind::Verify | TaskKind::Heal => Role::Verifier,
            TaskKind::Publish => Role::Publisher,
            TaskKind::Archive => Role::Archiver,
        }
    }

    /// Whether it runs beside the title's life: the title's state neither waits for it nor changes by it.
    pub fn is_beside(self) -> bool {
        self == TaskKind::Archive
    }

    /// The kind without its number, as stored and shown.
    pub fn name(self) -> &'static str {
        match self {
            TaskKind::Prepare => "prepare",
            TaskKind::Span(_) => "span",
            TaskKind::Audio(_) => "audio",
            TaskKind::Text(_) => "text",
            TaskKind::Pictures => "pictures",
            TaskKind::Seal => "seal",
            TaskKind::Verify => "verify",
            TaskKind::Publish => "publish",
            TaskKind::Heal => "heal",
            TaskKind::Archive => "archive",
        }
    }

    /// Its number; 0 for kinds of which a package has one.
    pub fn number(self) -> u32 {
        match self {
            TaskKind::Span(n) | TaskKind::Audio(n) | TaskKind::Text(n) => n,
            TaskKind::Prepare
            | TaskKind::Pictures
            | TaskKind::Seal
            | TaskKind::Verify
            | TaskKind::Publish
            | TaskKind::Heal
            | TaskKind::Archive => 0,
        }
    }

    /// The inverse of [`TaskKind::name`] and [`TaskKind::number`].
    pub fn from_parts(name: &str, number: u32) -> Option<Self> {
        Some(match name {
            "prepare" => TaskKind::Prepare,
            "span" => TaskKind::Span(number),
            "audio" => TaskKind::Audio(number),
            "text" => TaskKind::Text(number),
            "pictures" => TaskKind::Pictures,
            "seal" => TaskKind::Seal,
            "verify" => TaskKind::Verify,
            "publish" => TaskKind::Publish,
            "heal" => TaskKind::Heal,
            "archive" => TaskKind::Archive,
            _ => return None,
        })
    }
}

impl fmt::Display for TaskKind {
    /// Counted from 1, as people do.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TaskKind::Span(n) | TaskKind::Audio(n) | TaskKind::Text(n) => {
                write!(f, "{} {}", self.name(), n + 1)
            }
            other => f.write_str(other.name()),
        }
    }
}

/// A worker's time-limited, fenced claim on a task. The token is new with every claim: results that come with an older
/// one are refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    /// The task's row.
    pub task: i64,
    /// Fencing token.
    pub token: i64,
    /// When it ends unless it is renewed.
    pub until: Timestamp,
}

/// A claimed task with what its worker has to know.
#[derive(Debug, Clone, PartialEq)]
pub struct Claimed {
    /// The claim.
    pub lease: Lease,
    /// The package.
    pub package: PackageId,
    /// What to do.
    pub kind: TaskKind,
    /// Which try this is, from 1.
    pub attempt: u32,
    /// Where the master is.
    pub master_path: String,
    /// Name of the pipeline (before there is a plan).
    pub pipeline: String,
    /// Whether a master that another title has is to be transcoded all the same.
    pub again: bool,
    /// What is to be made again, when it is not the whole title.
    pub remake: Option<Remake>,
    /// The plan, once `Prepare` is done.
    pub plan: Option<Arc<Plan>>,
    /// What the probe found in the master, once `Prepare` is done.
    pub facts: Option<Arc<MasterFacts>>,
    /// For `Prepare`: SHA-256 of what was at this path when an earlier version of the title was made from there; where a part is made
    /// again, of what the version was made of that has the rest.
    pub known_master: Option<Sha256>,
    /// For `Publish`: names of the origins that have just proven to hold the package, best first: enough to publish on. Empty when nobody
    /// has, or that is too long ago.
    pub proven_on: Vec<String>,
    /// SHA-256 of the inventory when viewers have the package already: what is made now is made again for origins that
    /// lost it, and has to be what was made then.
    pub published_as: Option<Sha256>,
    /// Whether that inventory is lost on every origin: what is made now is only counted, to be sealed as it was.
    pub reseals: bool,
    /// Renditions of which something came out as other bytes while this package was healed: what of them is lost cannot
    /// be had again as it was.
    pub differs: Vec<String>,
}

/// What a finished task hands in.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// `Prepare`: the facts and the plan.
    Prepared {
        /// What the probe found.
        facts: Box<MasterFacts>,
        /// What will be made.
        plan: Box<Plan>,
        /// Processor time that the look took, in milliseconds.
        cpu_ms: u64,
        /// Whether the master is to be copied to an archive.
        archives: bool,
        /// What follows from its flaws.
        verdict: Verdict,
    },
    /// `Prepare`: the same title already has this master, made by this pipeline.
    AlreadyPublished {
        /// The version that has it.
        version: Version,
    },
    /// `Span`, `Audio`, `Text`, `Pictures`: the objects that are on the origin, and the codec of every rendition they belong to.
    Made {
        /// The objects.
        objects: Vec<Object>,
        /// (rendition, RFC 6381 codec).
        codecs: Vec<(String, String)>,
        /// Processor time that it took, in milliseconds.
        cpu_ms: u64,
        /// What was seen and heard of it meanwhile.
        seen: Seen,
    },
    /// `Span`, `Audio`, `Text` of a package that viewers have: some of it came out as other bytes than they have, and was not
    /// stored. What came out as it was is on the origins.
    MadeDifferently {
        /// Renditions whose objects are not what they were.
        renditions: Vec<String>,
        /// Processor time that it took, in milliseconds.
        cpu_ms: u64,
    },
    /// `Seal`: the inventory object, which now stands for all the others (R7).
    Sealed {
        /// SHA-256 of the inventory object.
        inventory: Sha256,
        /// Number of objects in it.
        objects: u64,
        /// Their bytes.
        bytes: u64,
        /// What follows from the flaws that were found while it was made.
        verdict: Verdict,
    },
    /// `Verify`: as many origins as the policy asks for hold everything.
    Proven {
        /// Their names, best first.
        origins: Vec<String>,
    },
    /// `Publish`: the pointers point here.
    Published {
        /// The pointers as they were stored, by file name.
        pointers: Vec<Object>,
    },
    /// `Heal`: every origin holds the package.
    Healed {
        /// The pointers as they were stored, where they had to be; else empty.
        pointers: Vec<Object>,
    },
    /// `Archive`: the archive proved to hold the master.
    Archived {
        /// The copy.
        copy: MasterCopy,
    },
}

impl Outcome {
    /// Processor time of the transcoder child that it took, in milliseconds.
    pub fn cpu_ms(&self) -> u64 {
        match self {
            Outcome::Prepared { cpu_ms, .. }
            | Outcome::Made { cpu_ms, .. }
            | Outcome::MadeDifferently { cpu_ms, .. } => *cpu_ms,
            Outcome::AlreadyPublished { .. }
            | Outcome::Sealed { .. }
            | Outcome::Proven { .. }
            | Outcome::Published { .. }
            | Outcome::Healed { .. }
            | Outcome::Archived { .. } => 0,
        }
    }
}

/// What a task that did not finish says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// Why.
    pub refusal: Refusal,
    /// Whether another try can help.
    pub retry: Retry,
    /// Last words of every stage, when there are any.
    pub last_words: Option<String>,
}

/// Whether another try can help.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Retry {
    /// A bad master stays bad.
    Never,
    /// The world may be better later.
    Later,
    /// What is missing is being made, which takes as long as it takes: another try as often as while an origin is away.
    Patiently,
    /// These tasks of the package have to be done again first: what they made is lost. With `Seal` among them the
    /// package is no longer sealed; or, when viewers have it, is sealed once more as it was.
    After(Vec<TaskKind>),
    /// What viewers lack cannot be had again under its name: this has to take its place as a new version.
    NewVersion(Box<Remake>),
}

/// Tries before a task fails for good. Three rule out a passing fault; more only delay the news.
pub const MAX_ATTEMPTS: u32 = 3;

/// Tries while an origin does not do what it is asked, or is full: some three hours, since what was made waits for it and loses
/// nothing, and storage comes back by itself more often than people get up.
pub const MAX_ATTEMPTS_ON_ORIGIN: u32 = 40;

/// When to try again after `attempt` (from 1) failed: 2 s, then 8 s … at most 5 min. `jitter` in 0..=100 spreads
/// workers that failed together over half as much again.
pub fn back_off_ms(attempt: u32, jitter: u32) -> i64 {
    let base =
        2_000i64.saturating_mul(4i64.saturating_pow(attempt.saturating_sub(1).min(8))).min(300_000);
    base + base / 2 * i64::from(jitter.min(100)) / 100
}

/// A title to be queued.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewTitle {
    /// Whose.
    pub tenant: Tenant,
    /// Which.
    pub title: TitleId,
    /// Absolute path of the master.
    pub master_path: String,
    /// Name of the pipeline.
    pub pipeline: String,
    /// The pool of workers that its transcoding is for.
    pub pool: String,
    /// How much it is wanted; `None` leaves a known title as it is, and makes a new one normal.
    pub priority: Option<Priority>,
    /// Transcode even if this master is already there.
    pub again: bool,
    /// What is to be made again, when it is not the whole title.
    pub remake: Option<Remake>,
    /// Why the whole title is asked for, for the history; for a part, [`Remake::reason`] says so.
    pub reason: Option<String>,
}

/// A part of a title that is to be made again, as a new version that keeps the rest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Remake {
    /// The version that has the rest.
    pub base: Version,
    /// Renditions; all when there are none.
    pub renditions: Vec<String>,
    /// From when on, in milliseconds of the presentation.
    pub from_ms: Option<u64>,
    /// Until when.
    pub to_ms: Option<u64>,
    /// Why, for the history.
    pub reason: Option<String>,
    /// Whether the queue asked for it by itself, since something of `base` is lost and did not come out as it was. It
    /// does so once for a version.
    #[serde(default)]
    pub heals: bool,
}

impl Remake {
    /// Whether nothing stays.
    pub fn is_whole(&self) -> bool {
        self.renditions.is_empty() && self.from_ms.is_none() && self.to_ms.is_none()
    }
}

impl fmt::Display for Remake {
    /// `video-720p from 12.5 s to 30 s is made again`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.renditions.as_slice() {
            [] => f.write_str("everything")?,
            renditions => f.write_str(&renditions.join(", "))?,
        }
        let seconds = |ms: u64| ms as f64 / 1000.0;
        if let Some(from) = self.from_ms {
            write!(f, " from {} s", seconds(from))?;
        }
        if let Some(to) = self.to_ms {
            write!(f, " to {} s", seconds(to))?;
        }
        f.write_str(" made again")
    }
}
