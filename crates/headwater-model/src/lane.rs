//! Lanes: how the queue is divided, so that whoever asks for work gets what it can do and what is most wanted (R8).
//!
//! Tasks that are alike in everything that decides who may do them and how urgent they are share a lane, and stand in it in
//! the order of their age. There are few lanes however many tasks there are, so the choice between them can be made here,
//! in memory, from a handful of values.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::allowance::Allowance;
use crate::id::Tenant;
use crate::pipeline::{Audio, Codec, Pipeline, Video};
use crate::plan::{self, Plan};
use crate::queue::healing_comes_first;
use crate::task::{Role, TaskKind};
use crate::time::Timestamp;

/// The pool of workers that do not say which they are of, and of tasks whose pipeline does not.
pub const DEFAULT_POOL: &str = "cpu";

/// Memory that tasks need is rounded up to this many megabytes, so that films of much the same size share a lane.
const MEMORY_STEP_MB: u32 = 256;

/// How much a title is wanted. Nothing of a title is begun while something of a more wanted one waits that the same worker
/// could do; what is under way is finished.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(rename_all = "kebab-case")]
pub enum Priority {
    /// Before all others: somebody waits for it.
    Urgent,
    /// As it comes.
    #[default]
    Normal,
    /// When nothing else is to do: a back catalogue.
    Low,
}

impl Priority {
    /// All there are, the most wanted first.
    pub const ALL: [Priority; 3] = [Priority::Urgent, Priority::Normal, Priority::Low];

    /// Its word, as on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Priority::Urgent => "urgent",
            Priority::Normal => "normal",
            Priority::Low => "low",
        }
    }

    /// Its place among all, from 0: how catalogs keep it.
    pub fn rank(self) -> i64 {
        match self {
            Priority::Urgent => 0,
            Priority::Normal => 1,
            Priority::Low => 2,
        }
    }

    /// The inverse of [`Priority::rank`]; what a newer Headwater may have thought of is normal.
    pub fn of_rank(rank: i64) -> Self {
        Priority::ALL.into_iter().find(|p| p.rank() == rank).unwrap_or_default()
    }
}

impl fmt::Display for Priority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Priority {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, Self::Err> {
        let found = Priority::ALL.into_iter().find(|p| p.name() == word);
        found.ok_or_else(|| format!("`{word}` is not a priority: urgent, normal or low"))
    }
}

/// What a worker has to have for a task.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Needs {
    /// Name of the pool of workers.
    pub pool: String,
    /// GStreamer factories.
    pub elements: BTreeSet<String>,
    /// Format of the plan that it has to read ([`plan::FORMAT`]); 0 before there is one.
    pub plan: u32,
    /// Memory for its transcoder, in megabytes; 0 where none is started.
    pub memory_mb: u32,
}

impl Default for Needs {
    /// Nothing but a worker.
    fn default() -> Self {
        Self { pool: DEFAULT_POOL.to_owned(), elements: BTreeSet::new(), plan: 0, memory_mb: 0 }
    }
}

impl Needs {
    /// What a task of this kind needs, in a package of this pool with this plan, if there is one yet.
    pub fn of(kind: TaskKind, pool: &str, plan: Option<&Plan>) -> Self {
        let format = plan.map_or(0, |_| plan::FORMAT);
        match (kind.role(), plan) {
            (Role::Worker, Some(plan)) => Self {
                pool: pool.to_owned(),
                elements: elements(&plan.pipeline),
                plan: format,
                memory_mb: memory_mb(plan),
            },
            (Role::Worker, None) => Self { pool: pool.to_owned(), ..Self::default() },
            // Storage is asked from anywhere.
            (Role::Verifier | Role::Publisher | Role::Archiver, _) => {
                Self { plan: format, ..Self::default() }
            }
        }
    }
}

/// Memory that a transcoder of a plan may take, whichever part it makes.
fn memory_mb(plan: &Plan) -> u32 {
    let spans = plan.spans.iter().map(|span| Allowance::of_span(plan, span, None).memory_mb);
    let most = spans.chain([Allowance::of_audio(plan, None).memory_mb]).max().unwrap_or(0);
    let step = u64::from(MEMORY_STEP_MB);
    u32::try_from(most.div_ceil(step) * step).unwrap_or(u32::MAX)
}

/// The encoders of a pipeline: those that its plan was made with stand first. Sound and picture of a title share a lane, so
/// that its parts are made in the order in which they are listed.
fn elements(pipeline: &Pipeline) -> BTreeSet<String> {
    let mut video: BTreeSet<String> = BTreeSet::new();
    if let Video::Encode(encode) = &pipeline.video {
        let codecs: BTreeSet<Codec> = encode.ladder.iter().map(|rung| rung.codec).collect();
        video.extend(codecs.iter().filter_map(|codec| encode.of(*codec).0.first()).cloned());
    }
    let audio = match &pipeline.audio {
        Audio::Encode(encode) => encode.encoders.first(),
        Audio::Copy => None,
    };
    video.into_iter().chain(audio.cloned()).collect()
}

/// Who asks for work, and what it has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offer {
    /// Its name, which leases and histories tell.
    pub worker: String,
    /// What it does.
    pub roles: Vec<Role>,
    /// The pool that it is of.
    pub pool: String,
    /// The GStreamer factories that it has; `None` for whoever is not asked to encode.
    pub elements: Option<BTreeSet<String>>,
    /// Formats of plans that it can read, the newest.
    pub plan: u32,
    /// Memory for one transcoder, in megabytes; `None` without a bound.
    pub memory_mb: Option<u32>,
}

impl Offer {
    /// Somebody of the default pool who does everything.
    pub fn of(worker: &str, roles: &[Role]) -> Self {
        Self {
            worker: worker.to_owned(),
            roles: roles.to_vec(),
            pool: DEFAULT_POOL.to_owned(),
            elements: None,
            plan: plan::FORMAT,
            memory_mb: None,
        }
    }

    /// Whether it may do the tasks of a lane.
    pub fn takes(&self, role: Role, needs: &Needs) -> bool {
        let readable = needs.plan == 0 || (plan::OLDEST_FORMAT..=self.plan).contains(&needs.plan);
        let equipped = role != Role::Worker
            || (self.pool == needs.pool
                && self.elements.as_ref().is_none_or(|has| needs.elements.is_subset(has))
                && self.memory_mb.is_none_or(|has| needs.memory_mb <= has));
        self.roles.contains(&role) && readable && equipped
    }
}

/// What tasks of a lane have in common.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Lane {
    /// How much their titles are wanted.
    pub priority: Priority,
    /// Whose they are.
    pub tenant: Tenant,
    /// Who does them.
    pub role: Role,
    /// Whether they make something again for titles that viewers have.
    pub healing: bool,
    /// What they take.
    pub needs: Needs,
}

/// A lane as it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// Which.
    pub id: i64,
    /// What its tasks are.
    pub lane: Lane,
    /// The first of those that are due, by age: numbers of its package and its own. `None` when none is.
    pub first: Option<(i64, i64)>,
    /// How many are under way.
    pub running: u64,
    /// When one was handed out last.
    pub claimed: Timestamp,
}

/// The lanes that `offer` may take a task from, the best first.
///
/// Most wanted first. What is healed and what is new take turns ([`healing_comes_first`]). Among the tenants whose tasks are
/// equally wanted, the one that has the fewest under way comes first, and of those that have as many, the one that has
/// waited longest: so each gets as much of the machines as the others, however many titles it has queued, and what one does
/// not use is the others'. Then age.
pub fn in_order(standings: &[Standing], offer: &Offer, now: Timestamp) -> Vec<i64> {
    // Of what the machines at hand do: what waits for storage does not count against what needs processors, nor what one
    // pool does against what another has to share.
    let shared = |lane: &Lane| {
        offer.roles.contains(&lane.role)
            && (lane.role != Role::Worker || lane.needs.pool == offer.pool)
    };
    let mut tenants: BTreeMap<&Tenant, (u64, Timestamp)> = BTreeMap::new();
    for standing in standings.iter().filter(|standing| shared(&standing.lane)) {
        let (running, claimed) =
            tenants.entry(&standing.lane.tenant).or_insert((0, Timestamp(i64::MIN)));
        *running += standing.running;
        *claimed = standing.claimed.max(*claimed);
    }
    let healing_first = healing_comes_first(now);
    let mut due: Vec<_> = standings
        .iter()
        .filter(|standing| offer.takes(standing.lane.role, &standing.lane.needs))
        .filter_map(|standing| {
            let Lane { priority, tenant, healing, .. } = &standing.lane;
            let share = tenants.get(tenant).copied();
            Some(((*priority, *healing != healing_first, share, standing.first?), standing.id))
        })
        .collect();
    due.sort_unstable();
    due.into_iter().map(|(_, id)| id).collect()
}

#[cfg(test)]
mod tests;
