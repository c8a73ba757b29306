//! The tables of the memory catalog and how they change: row by row what the real catalog does in SQL.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use headwater_model::archive::MasterCopy;
use headwater_model::history::Line;
use headwater_model::id::{Sha256, Tenant, TitleId, Version};
use headwater_model::incident::Incident;
use headwater_model::inventory::Object;
use headwater_model::key::PackageId;
use headwater_model::lane::{Lane, Needs, Offer, Priority, Standing, in_order};
use headwater_model::life::{
    Event, Making, PackageRecord, Progress, TitleRecord, TitleState, Work,
};
use headwater_model::master::MasterFacts;
use headwater_model::origin::Profile;
use headwater_model::quality::Seen;
use headwater_model::queue::{SpanTally, is_proven_still, lost_too_often, progress};
use headwater_model::refusal::Refusal;
use headwater_model::task::{Claimed, Lease, NewTitle, Role, TaskKind};
use headwater_model::time::Timestamp;
use headwater_model::worker::{Duty, WorkerRecord};
use headwater_ports::catalog::{CatalogError, SeenFile};

mod archived;
mod healing;
mod results;
mod steering;
mod submitting;

/// The tables. Keys are ids, so that iterating is the order of the queue.
#[derive(Default)]
pub(super) struct State {
    pub(super) titles: BTreeMap<i64, Title>,
    pub(super) packages: BTreeMap<i64, Package>,
    tasks: BTreeMap<i64, Task>,
    pub(super) seen_files: HashMap<String, SeenFile>,
    /// By name, with when they were kept.
    pub(super) checkpoints: HashMap<String, (String, Timestamp)>,
    /// By origin, with the settings that they are of.
    pub(super) profiles: HashMap<String, (String, Profile, Timestamp)>,
    /// By tenant and master, with when they were proven.
    pub(super) copies: BTreeMap<(String, Sha256), (MasterCopy, Option<Timestamp>)>,
    /// Oldest first.
    pub(super) incidents: Vec<Incident>,
    /// By name.
    workers: BTreeMap<String, WorkerRecord>,
    /// Who has them, and until when.
    duties: BTreeMap<Duty, (String, Timestamp)>,
    /// When a task of a lane was handed out last.
    claimed: BTreeMap<Lane, Timestamp>,
    /// By tenant and title, the highest version that is not given to anybody.
    taken: HashMap<(String, String), u32>,
    last_id: i64,
}

pub(super) struct Title {
    pub(super) tenant: Tenant,
    title: TitleId,
    newest: i64,
    live: Option<Version>,
    live_since: Option<Timestamp>,
    priority: Priority,
    held: bool,
    pub(super) queued: Timestamp,
    pub(super) events: Vec<Event>,
}

pub(super) struct Package {
    title: i64,
    pub(super) id: PackageId,
    state: TitleState,
    new: NewTitle,
    facts: Option<MasterFacts>,
    /// Known once it was prepared, or from the inventory of one that was taken over.
    master: Option<Sha256>,
    pub(super) record: PackageRecord,
    pub(super) codecs: BTreeMap<String, String>,
    pub(super) seen: BTreeMap<TaskKind, Seen>,
    pub(super) objects: BTreeMap<String, Object>,
    pub(super) last_words: Option<String>,
    /// The task that failed last, `Archive` left out.
    failed_last: Option<TaskKind>,
    pub(super) published: bool,
    condemned: bool,
    /// Renditions that came out as other bytes while it was healed.
    differs: BTreeSet<String>,
    /// It is sealed once more, since its inventory is lost.
    reseals: bool,
    sealed: Option<Timestamp>,
    updated: Timestamp,
}

struct Task {
    package: i64,
    kind: TaskKind,
    state: TaskState,
    token: i64,
    tries: u32,
    failures: u32,
    losses: u32,
    frames: u64,
    frames_done: u64,
    cpu_ms: u64,
    started: Option<Timestamp>,
    updated: Timestamp,
    /// Why its last try failed, and what the transcoder said last in it.
    trouble: Option<Refusal>,
    last_words: Option<String>,
}

enum TaskState {
    Queued { due: Timestamp },
    Leased { until: Timestamp, worker: String },
    Done { at: Timestamp },
    Failed { at: Timestamp },
    Cancelled,
}

impl Task {
    fn is_open(&self) -> bool {
        matches!(self.state, TaskState::Queued { .. } | TaskState::Leased { .. })
    }

    fn is_due(&self, now: Timestamp) -> bool {
        match self.state {
            TaskState::Queued { due } => due <= now,
            TaskState::Leased { until, .. } => until <= now,
            TaskState::Done { .. } | TaskState::Failed { .. } | TaskState::Cancelled => false,
        }
    }

    /// Whether somebody has a lease on it that counts.
    fn is_held(&self, now: Timestamp) -> bool {
        matches!(self.state, TaskState::Leased { until, .. } if until > now)
    }

    fn is_done(&self) -> bool {
        matches!(self.state, TaskState::Done { .. })
    }

    /// Whether the package's state depends on it and it is not done.
    fn is_left(&self) -> bool {
        !self.is_done() && !self.kind.is_beside()
    }

    fn requeue(&mut self, due: Timestamp) {
        self.state = TaskState::Queued { due };
        self.frames_done = 0;
    }
}

impl Package {
    /// Whether viewers have it, so that its tasks are about putting it right.
    fn is_healing(&self) -> bool {
        self.published && self.record.inventory.is_some()
    }

    fn work(&self) -> Work {
        match (self.is_healing(), self.reseals) {
            (false, _) => Work::Making,
            (true, false) => Work::Healing,
            (true, true) => Work::Resealing,
        }
    }

    /// Notes that it is sealed once more, or no longer, and forgets what was counted for it.
    fn reseal(&mut self, reseals: bool) {
        if self.reseals != reseals {
            self.reseals = reseals;
            self.objects.clear();
            self.codecs.clear();
        }
    }
}

impl State {
    fn next_id(&mut self) -> i64 {
        self.last_id += 1;
        self.last_id
    }

    pub(super) fn title_id(&self, tenant: &Tenant, title: &TitleId) -> Option<i64> {
        let found = self.titles.iter().find(|(_, t)| &t.tenant == tenant && &t.title == title);
        found.map(|(id, _)| *id)
    }

    pub(super) fn find_package(&self, package: &PackageId) -> Option<&Package> {
        self.packages.values().find(|p| &p.id == package)
    }

    /// A row that another row refers to.
    fn title(&mut self, id: i64) -> &mut Title {
        self.titles.get_mut(&id).expect("packages refer to titles that exist")
    }

    fn package(&mut self, id: i64) -> &mut Package {
        self.packages.get_mut(&id).expect("tasks and titles refer to packages that exist")
    }

    fn tasks_of(&mut self, package: i64) -> impl Iterator<Item = &mut Task> {
        self.tasks.values_mut().filter(move |t| t.package == package)
    }

    fn record(&mut self, title: i64, at: Timestamp, line: Line<'_>) {
        let text = line.to_string();
        self.title(title).events.push(Event { at, text });
    }

    fn set_state(&mut self, package: i64, state: TitleState, now: Timestamp) {
        let package = self.package(package);
        package.state = state;
        package.updated = now;
    }

    fn add_task(&mut self, package: i64, kind: TaskKind, frames: u64, now: Timestamp) {
        let task = Task {
            package,
            kind,
            state: TaskState::Queued { due: now },
            token: 0,
            tries: 0,
            failures: 0,
            losses: 0,
            frames,
            frames_done: 0,
            cpu_ms: 0,
            started: None,
            updated: now,
            trouble: None,
            last_words: None,
        };
        let before = self.tasks.values_mut().find(|t| t.package == package && t.kind == kind);
        if let Some(before) = before {
            before.requeue(now);
            return;
        }
        let id = self.next_id();
        self.tasks.insert(id, task);
    }

    /// Opens a task anew, due at `due`, with all its tries unused.
    fn start_over(&mut self, package: i64, kind: TaskKind, frames: u64, due: Timestamp) {
        self.add_task(package, kind, frames, due);
        for task in self.tasks_of(package).filter(|t| t.kind == kind) {
            (task.tries, task.failures, task.losses) = (0, 0, 0);
            task.trouble = None;
        }
    }

    fn cancel(&mut self, package: i64) {
        for task in self.tasks_of(package).filter(|t| t.is_open() && !t.kind.is_beside()) {
            task.state = TaskState::Cancelled;
            task.frames_done = 0;
        }
    }

    /// The first task for `offer` in the order of the queue.
    fn first_due(&self, offer: &Offer, now: Timestamp) -> Option<(Lane, i64)> {
        let older_publish = |task: &Task| {
            let package = &self.packages[&task.package];
            self.tasks.values().filter(|t| t.kind == TaskKind::Publish && t.is_open()).any(|t| {
                let other = &self.packages[&t.package];
                other.title == package.title && other.id.version < package.id.version
            })
        };
        let points = |task: &Task| matches!(task.kind, TaskKind::Publish | TaskKind::Heal);
        let is_pointed = |id: i64, task: &Task| {
            let title = self.packages[&task.package].title;
            let mut others = self.tasks.iter().filter(|(other, _)| **other != id);
            others.any(|(_, t)| {
                points(t) && t.is_held(now) && self.packages[&t.package].title == title
            })
        };
        let may_be_claimed = |id: i64, t: &Task| {
            t.is_due(now)
                && !(points(t) && is_pointed(id, t))
                && !(t.kind == TaskKind::Publish && older_publish(t))
        };
        let mut lanes: BTreeMap<Lane, Standing> = BTreeMap::new();
        for (id, task) in self.tasks.iter().filter(|(_, t)| t.is_open()) {
            let Some(lane) = self.lane(task) else { continue };
            let next = lanes.len() as i64;
            let standing = lanes.entry(lane.clone()).or_insert_with(|| Standing {
                id: next,
                claimed: self.claimed.get(&lane).copied().unwrap_or(Timestamp(0)),
                lane,
                first: None,
                running: 0,
            });
            standing.running += u64::from(task.is_held(now));
            if may_be_claimed(*id, task) {
                let first = standing.first.get_or_insert((task.package, *id));
                *first = (task.package, *id).min(*first);
            }
        }
        // Tenants that have nothing queued in a lane may have had something handed out in it all the same.
        for (lane, claimed) in self
            .claimed
            .iter()
            .filter(|(lane, _)| !lanes.contains_key(*lane))
            .map(|(l, c)| (l.clone(), *c))
            .collect::<Vec<_>>()
        {
            let id = lanes.len() as i64;
            lanes.insert(lane.clone(), Standing { id, lane, first: None, running: 0, claimed });
        }
        let standings: Vec<Standing> = lanes.into_values().collect();
        let best = in_order(&standings, offer, now).into_iter().next()?;
        let best = standings.into_iter().find(|standing| standing.id == best)?;
        Some((best.lane, best.first?.1))
    }

    /// The lane of a task; none where its title is held.
    fn lane(&self, task: &Task) -> Option<Lane> {
        let package = &self.packages[&task.package];
        let title = &self.titles[&package.title];
        let plan = match task.kind {
            TaskKind::Prepare => None,
            _ => package.record.plan.as_ref(),
        };
        let role = task.kind.role();
        (!title.held).then(|| Lane {
            priority: title.priority,
            tenant: title.tenant.clone(),
            role,
            healing: package.published && matches!(role, Role::Worker | Role::Verifier),
            needs: Needs::of(task.kind, &package.new.pool, plan),
        })
    }

    pub(super) fn claim(
        &mut self,
        offer: &Offer,
        lease_ms: i64,
        now: Timestamp,
    ) -> Option<Claimed> {
        while let Some((lane, id)) = self.first_due(offer, now) {
            let task = &self.tasks[&id];
            let (kind, package) = (task.kind, task.package);
            let mut losses = task.losses;
            if let TaskState::Leased { worker: lost, .. } = &task.state {
                let lost = lost.clone();
                losses += 1;
                let title = self.package(package).title;
                self.record(title, now, Line::WorkerLost { kind, worker: &lost });
                if let Some(refusal) = lost_too_often(kind, losses) {
                    if kind.is_beside() {
                        self.give_up_archiving(id, &refusal, now);
                        continue;
                    }
                    if self.package(package).is_healing() {
                        self.end_healing(package, kind, &refusal, now);
                        continue;
                    }
                    self.end_package(package, kind, TitleState::refused(refusal), now);
                    continue;
                }
            }
            let task = self.tasks.get_mut(&id)?;
            let until = now.plus_ms(lease_ms);
            task.state = TaskState::Leased { until, worker: offer.worker.clone() };
            task.updated = now;
            task.token += 1;
            task.tries += 1;
            task.losses = losses;
            task.frames_done = 0;
            task.started.get_or_insert(now);
            let lease = Lease { task: id, token: task.token, until };
            let attempt = task.tries;
            self.claimed.insert(lane, now);
            let known_master = self.known_master(package);
            let proof = |t: &&mut Task| t.kind == TaskKind::Verify;
            let proven = self.tasks_of(package).find(proof).and_then(|proof| match proof.state {
                TaskState::Done { at } => Some(at),
                _ => None,
            });
            let is_proven = is_proven_still(proven, now);
            let package = self.package(package);
            return Some(Claimed {
                lease,
                package: package.id.clone(),
                kind,
                attempt,
                master_path: package.new.master_path.clone(),
                pipeline: package.new.pipeline.clone(),
                again: package.new.again,
                remake: package.new.remake.clone(),
                plan: package.record.plan.clone().map(Arc::new),
                facts: package.facts.clone().map(Arc::new),
                known_master: known_master.filter(|_| kind == TaskKind::Prepare),
                proven_on: match is_proven && kind == TaskKind::Publish {
                    true => package.record.proven_on.clone(),
                    false => vec![],
                },
                published_as: package.record.inventory.filter(|_| package.published),
                reseals: package.reseals,
                differs: package.differs.iter().cloned().collect(),
            });
        }
        None
    }

    /// The task that `lease` holds at `now`, or that it does not.
    fn held(&mut self, lease: &Lease, now: Timestamp) -> Result<&mut Task, CatalogError> {
        let holds = |t: &&mut Task| {
            t.token == lease.token
                && matches!(t.state, TaskState::Leased { until, .. } if until > now)
        };
        let task = self.tasks.get_mut(&lease.task).filter(holds);
        task.ok_or(CatalogError::LeaseLost { task: lease.task })
    }

    pub(super) fn renew(
        &mut self,
        lease: &Lease,
        lease_ms: i64,
        frames_done: u64,
        now: Timestamp,
    ) -> Result<Lease, CatalogError> {
        let held = self.held(lease, now)?;
        held.frames_done = frames_done.min(held.frames);
        let renewed = now.plus_ms(lease_ms);
        if let TaskState::Leased { until, .. } = &mut held.state {
            *until = renewed;
        }
        Ok(Lease { until: renewed, ..lease.clone() })
    }

    pub(super) fn release(&mut self, lease: &Lease, now: Timestamp) -> Result<(), CatalogError> {
        let held = self.held(lease, now)?;
        held.requeue(now);
        held.tries -= 1;
        Ok(())
    }

    fn end_package(&mut self, package: i64, kind: TaskKind, state: TitleState, now: Timestamp) {
        self.cancel(package);
        let title = self.package(package).title;
        self.record(title, now, Line::Ended { kind, state: &state });
        self.set_state(package, state, now);
    }

    pub(super) fn end_all_leases(&mut self, now: Timestamp) -> u64 {
        let mut ended = BTreeMap::<i64, u64>::new();
        for task in self.tasks.values_mut() {
            if matches!(task.state, TaskState::Leased { .. }) {
                task.requeue(now);
                *ended.entry(self.packages[&task.package].title).or_default() += 1;
            }
        }
        for (title, tasks) in &ended {
            self.record(*title, now, Line::Restarted { tasks: *tasks });
        }
        ended.values().sum()
    }

    pub(super) fn making(&self, package: &PackageId) -> Option<Making> {
        let (id, found) = self.packages.iter().find(|(_, p)| p.id == *package)?;
        let transcodes = |kind| {
            matches!(
                kind,
                TaskKind::Span(_) | TaskKind::Audio(_) | TaskKind::Text(_) | TaskKind::Pictures
            )
        };
        let done = self.tasks.values().filter(|t| {
            t.package == *id && transcodes(t.kind) && matches!(t.state, TaskState::Done { .. })
        });
        let mut spent: Vec<_> = done.map(|t| (t.kind, t.cpu_ms)).collect();
        spent.sort_by_key(|(kind, _)| (kind.name(), kind.number()));
        let failed = |task: &&Task| task.package == *id && Some(task.kind) == found.failed_last;
        Some(Making {
            master_path: found.new.master_path.clone(),
            pipeline: found.new.pipeline.clone(),
            remake: found.new.remake.clone(),
            spent,
            trouble: self.tasks.values().find(failed).and_then(|task| task.trouble.clone()),
        })
    }

    pub(super) fn title_record(&self, title: &Title, now: Timestamp) -> TitleRecord {
        let package = &self.packages[&title.newest];
        let plan = package.record.plan.as_ref();
        let planned = plan.map_or(Progress::default(), |plan| Progress {
            spans: plan.spans.len() as u32,
            frames: plan.frames,
            duration_ms: plan.duration().rescale(1000),
            cpu_ms: self
                .tasks
                .values()
                .filter(|t| t.package == title.newest)
                .map(|t| t.cpu_ms)
                .sum(),
            ..Progress::default()
        });
        let mut tally = SpanTally::default();
        let spans = self.tasks.values().filter(|t| t.package == title.newest);
        for span in spans.filter(|t| matches!(t.kind, TaskKind::Span(_))) {
            tally.frames_done += span.frames_done;
            tally.started = tally.started.into_iter().chain(span.started).min();
            if let TaskState::Done { at } = span.state {
                tally.done += 1;
                // What healing makes again was made before.
                let at = package.sealed.map_or(at, |sealed| at.min(sealed));
                tally.finished = tally.finished.max(Some(at));
            }
        }
        TitleRecord {
            tenant: title.tenant.clone(),
            title: title.title.clone(),
            progress: progress(planned, tally, &package.state, package.updated, now),
            state: package.state.clone(),
            version: package.id.version,
            live: title.live,
            master_path: package.new.master_path.clone(),
            master: plan.map(|plan| plan.master),
            pipeline: package.new.pipeline.clone(),
            facts: package.facts.clone(),
            priority: title.priority,
            held: title.held,
            created: title.queued,
            updated: package.updated,
        }
    }
}

pub(super) fn contradiction(operation: &'static str, why: String) -> CatalogError {
    CatalogError::Database { operation, source: why.into() }
}
