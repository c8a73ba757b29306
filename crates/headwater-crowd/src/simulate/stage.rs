//! The play: events in the order of their times, carried out on the catalog.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use headwater_catalog::PostgresCatalog;
use headwater_model::lane::Priority;
use headwater_model::quality::Seen;
use headwater_model::task::{Claimed, Lease, NewTitle, Outcome, Role, TaskKind};
use headwater_model::time::Timestamp;
use headwater_ports::catalog::{Catalog, CatalogError};
use headwater_testkit::catalog_suite::scene::{good, new_title, prepared};
use tokio::task::JoinSet;

use super::Options;
use super::cast::{Event, State, Task, Worker};
use super::history::History;
use super::report::{Report, TitleLog};
use crate::library;
use crate::stopwatch::Stopwatch;

/// The time of the play, which jumps.
#[derive(Debug, Default)]
pub(crate) struct Clock(AtomicI64);

impl headwater_ports::clock::Clock for Clock {
    fn now(&self) -> Timestamp {
        Timestamp(self.0.load(Ordering::SeqCst))
    }
}

/// Events within so many milliseconds are carried out together: each at its own time, on a database that hears of it in any
/// order. A span takes a minute; with less, a database that waits for its disk would make the play last for hours.
const TOGETHER_MS: i64 = 5_000;

/// At most so many, so that the database is asked as a cluster would ask it.
const AT_ONCE: usize = 64;

/// How often who has nothing to do asks again.
const POLL_MS: i64 = 10_000;

/// How long a worker that died stays away.
const AWAY_MS: std::ops::Range<i64> = 30_000..300_000;

/// Workers that transcode, for each that proves and publishes.
const PER_VERIFIER: usize = 20;

/// Tenants and their share of the titles, in hundredths; the first one's are a back catalogue.
const TENANTS: [(&str, usize, Priority); 4] = [
    ("archive", 60, Priority::Low),
    ("film", 25, Priority::Normal),
    ("series", 10, Priority::Normal),
    ("news", 5, Priority::Normal),
];

const HOUR_MS: f64 = 3_600_000.0;

/// How often whoever waits is told how far it is.
const TELLS: Duration = Duration::from_secs(60);

/// Time that something lasted.
pub(crate) type Stretch = (Timestamp, Timestamp);

/// All that happens and has happened.
pub(crate) struct Stage {
    catalog: Arc<PostgresCatalog>,
    clock: Arc<Clock>,
    history: History,
    options: Options,
    rng: fastrand::Rng,
    workers: Vec<Worker>,
    coming: BinaryHeap<Reverse<(i64, u64, Event)>>,
    number: u64,
    titles: Vec<TitleLog>,
    published: usize,
    plans: BTreeMap<u64, Outcome>,
    watches: BTreeMap<&'static str, Stopwatch>,
    /// Of workers that transcode.
    idle: Vec<Stretch>,
    dead: Vec<Stretch>,
    busy_ms: i64,
    wasted_ms: i64,
    claims: u64,
    leases_lost: u64,
    deaths: u64,
    real: Duration,
    cut_short: bool,
}

/// What came of a call.
enum Came {
    Turn {
        worker: usize,
        life: u32,
        at: Timestamp,
        done: Option<(Task, bool)>,
        claimed: Option<Box<Claimed>>,
        took: Vec<(&'static str, Duration)>,
    },
    Renewal {
        worker: usize,
        at: Timestamp,
        lease: Option<Lease>,
        token: i64,
        took: Duration,
    },
}

impl Stage {
    pub(crate) fn new(
        catalog: Arc<PostgresCatalog>,
        clock: Arc<Clock>,
        history: History,
        options: &Options,
    ) -> Self {
        // Not 0: leases and back-offs are counted from there.
        clock.0.store(1_800_000_000_000, Ordering::SeqCst);
        let now = headwater_ports::clock::Clock::now(&*clock);
        let transcode =
            (0..options.workers).map(|n| Worker::new(format!("worker-{n}"), &[Role::Worker], now));
        let verify = (0..options.workers.div_ceil(PER_VERIFIER))
            .map(|n| Worker::new(format!("verifier-{n}"), &[Role::Verifier, Role::Publisher], now));
        Self {
            catalog,
            clock,
            history,
            options: options.clone(),
            rng: fastrand::Rng::with_seed(options.seed),
            workers: transcode.chain(verify).collect(),
            coming: BinaryHeap::new(),
            number: 0,
            titles: Vec::new(),
            published: 0,
            plans: BTreeMap::new(),
            watches: BTreeMap::new(),
            idle: Vec::new(),
            dead: Vec::new(),
            busy_ms: 0,
            wasted_ms: 0,
            claims: 0,
            leases_lost: 0,
            deaths: 0,
            real: Duration::ZERO,
            cut_short: false,
        }
    }

    fn now(&self) -> Timestamp {
        headwater_ports::clock::Clock::now(&*self.clock)
    }

    fn at(&mut self, at: Timestamp, event: Event) {
        self.number += 1;
        self.coming.push(Reverse((at.0, self.number, event)));
    }

    /// Until the next of something that happens so often in an hour.
    fn pause(&mut self, per_hour: f64) -> Option<i64> {
        let even = 1.0 - self.rng.f64();
        (per_hour > 0.0).then(|| (-even.ln() * HOUR_MS / per_hour) as i64)
    }

    pub(crate) async fn play(&mut self) -> Result<()> {
        let started = Instant::now();
        self.submit_all().await?;
        let now = self.now();
        for worker in 0..self.workers.len() {
            self.at(now, Event::Turn { worker, life: 0 });
        }
        self.next_death(now);
        self.next_urgent(now);
        let most = self.options.minutes_of_real_time.map(|minutes| minutes * 60.0);
        let (begins, mut told) = (now, Instant::now());
        while self.published < self.titles.len() {
            self.scene().await?;
            if told.elapsed() > TELLS {
                told = Instant::now();
                eprintln!(
                    "{:.0} min: {} of {} titles published in {:.1} h of the play",
                    started.elapsed().as_secs_f64() / 60.0,
                    self.published,
                    self.titles.len(),
                    (self.now().0 - begins.0) as f64 / HOUR_MS
                );
            }
            if most.is_some_and(|most| started.elapsed().as_secs_f64() > most) {
                self.cut_short = true;
                break;
            }
        }
        self.real = started.elapsed();
        let now = self.now();
        for worker in 0..self.workers.len() {
            self.leave(worker, now);
        }
        Ok(())
    }

    fn next_death(&mut self, now: Timestamp) {
        if let Some(pause) = self.pause(self.options.deaths_per_hour) {
            self.at(now.plus_ms(pause), Event::Death);
        }
    }

    fn next_urgent(&mut self, now: Timestamp) {
        if let Some(pause) = self.pause(self.options.urgent_per_hour) {
            self.at(now.plus_ms(pause), Event::Urgent);
        }
    }

    async fn submit_all(&mut self) -> Result<()> {
        let mut calls = JoinSet::new();
        for n in 0..self.options.titles {
            let (tenant, _, priority) = tenant_of(n);
            let new = self.title(tenant, Some(priority))?;
            let catalog = self.catalog.clone();
            calls.spawn(async move {
                let asked = Instant::now();
                catalog.submit(&new).await.map(|_| asked.elapsed())
            });
            if calls.len() >= AT_ONCE {
                self.submitted(calls.join_next().await)?;
            }
        }
        while !calls.is_empty() {
            self.submitted(calls.join_next().await)?;
        }
        Ok(())
    }

    fn submitted(
        &mut self,
        call: Option<Result<Result<Duration, CatalogError>, tokio::task::JoinError>>,
    ) -> Result<()> {
        let took = call.context("a call is under way")???;
        self.watch("submit", took);
        Ok(())
    }

    fn watch(&mut self, method: &'static str, took: Duration) {
        self.watches.entry(method).or_default().took(took);
    }

    /// The next title.
    fn title(&mut self, tenant: &str, priority: Option<Priority>) -> Result<NewTitle> {
        let number = self.titles.len() as u64;
        let tasks = self.history.of_title(self.options.seed, number);
        self.titles.push(TitleLog::new(self.now(), priority == Some(Priority::Urgent), &tasks));
        Ok(NewTitle { tenant: tenant.parse()?, priority, ..new_title(&format!("t{number}")) })
    }

    /// Carries out what comes next, and all that comes at much the same time.
    async fn scene(&mut self) -> Result<()> {
        let Some(Reverse((first, ..))) = self.coming.peek().copied() else {
            anyhow::bail!("nothing is to come, and {} titles are not published", self.left());
        };
        let mut events = Vec::new();
        while let Some(Reverse((at, _, event))) = self.coming.peek().copied() {
            if at > first + TOGETHER_MS || events.len() == AT_ONCE {
                break;
            }
            self.coming.pop();
            self.clock.0.fetch_max(at, Ordering::SeqCst);
            events.push((Timestamp(at), event));
        }
        let mut calls = JoinSet::new();
        for (at, event) in events {
            self.happens(at, event, &mut calls).await?;
        }
        while let Some(came) = calls.join_next().await {
            self.came(came??);
        }
        Ok(())
    }

    fn left(&self) -> usize {
        self.titles.len() - self.published
    }

    async fn happens(
        &mut self,
        at: Timestamp,
        event: Event,
        calls: &mut JoinSet<Result<Came>>,
    ) -> Result<()> {
        match event {
            Event::Turn { worker, life } => self.turn(worker, life, at, calls),
            Event::Renewal { worker, life, token, task } => {
                let who = &self.workers[worker];
                let State::Busy(has) = &who.state else { return Ok(()) };
                if (who.life, has.lease.token, has.lease.task) == (life, token, task) {
                    calls.spawn(renew(
                        self.catalog.clone(),
                        worker,
                        at,
                        has.lease.clone(),
                        self.lease_ms(),
                    ));
                }
            }
            Event::Death => {
                self.death(at);
                self.next_death(at);
            }
            Event::Return { worker } => {
                let life = self.workers[worker].life;
                self.enter(worker, State::Idle, at);
                self.at(at, Event::Turn { worker, life });
            }
            Event::Urgent => {
                let new = self.title("news", Some(Priority::Urgent))?;
                let asked = Instant::now();
                self.catalog.submit(&new).await?;
                self.watch("submit", asked.elapsed());
                // When all else is done, nobody drops in any more.
                if self.titles.iter().any(|title| !title.urgent && title.begun.is_none()) {
                    self.next_urgent(at);
                }
            }
        }
        Ok(())
    }

    fn lease_ms(&self) -> i64 {
        self.options.lease_seconds * 1_000
    }

    fn turn(&mut self, worker: usize, life: u32, at: Timestamp, calls: &mut JoinSet<Result<Came>>) {
        let who = &self.workers[worker];
        if who.life != life {
            return;
        }
        let has = match &who.state {
            State::Idle => None,
            State::Busy(task) if task.until <= at => Some(task.clone()),
            State::Busy(_) | State::Asking | State::Dead => return,
        };
        let offer = who.offer.clone();
        let outcome = has.as_ref().map(|task| self.outcome(task));
        // Whoever had nothing is without work until it has some.
        if has.is_some() {
            self.enter(worker, State::Asking, at);
        }
        let (catalog, lease_ms) = (self.catalog.clone(), self.lease_ms());
        calls.spawn(async move {
            let mut took = Vec::new();
            let mut done = None;
            if let Some((task, outcome)) = has.zip(outcome) {
                let asked = Instant::now();
                let answer = catalog.complete(&task.lease, &outcome).await;
                took.push((completing(task.kind), asked.elapsed()));
                done = match answer {
                    Ok(()) => Some((task, true)),
                    Err(CatalogError::LeaseLost { .. }) => Some((task, false)),
                    Err(error) => return Err(error.into()),
                };
            }
            let asked = Instant::now();
            let claimed = catalog.claim(&offer, lease_ms).await?.map(Box::new);
            let what = if claimed.is_some() { "claim" } else { "claim, nothing there" };
            took.push((what, asked.elapsed()));
            Ok(Came::Turn { worker, life, at, done, claimed, took })
        });
    }

    fn outcome(&mut self, task: &Task) -> Outcome {
        match task.kind {
            TaskKind::Prepare => {
                let spans = History::spans(self.options.seed, task.title);
                self.plans.entry(spans).or_insert_with(|| prepared(1, spans)).clone()
            }
            kind @ (TaskKind::Span(_) | TaskKind::Audio(_) | TaskKind::Text(_)) => Outcome::Made {
                objects: library::objects(kind),
                codecs: library::codecs(kind),
                cpu_ms: 0,
                seen: Seen::default(),
            },
            kind => good(kind),
        }
    }

    fn came(&mut self, came: Came) {
        match came {
            Came::Renewal { worker, at, lease, token, took } => {
                self.watch("renew", took);
                let life = self.workers[worker].life;
                let State::Busy(has) = &mut self.workers[worker].state else { return };
                if has.lease.token != token {
                    return;
                }
                match lease {
                    Some(lease) => {
                        has.lease = lease;
                        self.renew_later(worker, at);
                    }
                    None => {
                        self.leases_lost += 1;
                        self.enter(worker, State::Idle, at);
                        self.at(at, Event::Turn { worker, life });
                    }
                }
            }
            Came::Turn { worker, life, at, done, claimed, took } => {
                took.into_iter().for_each(|(method, took)| self.watch(method, took));
                if let Some((task, kept)) = done {
                    self.completed(&task, kept, at);
                }
                if self.workers[worker].life != life {
                    // It died while it asked: what it got is its until the lease ends.
                    return;
                }
                let Some(claimed) = claimed else {
                    if !matches!(self.workers[worker].state, State::Idle) {
                        self.enter(worker, State::Idle, at);
                    }
                    self.at(at.plus_ms(POLL_MS), Event::Turn { worker, life });
                    return;
                };
                self.claims += 1;
                let title = claimed.package.title.as_str().trim_start_matches('t');
                let title: u64 = title.parse().unwrap_or_default();
                let takes = self.history.takes_ms(self.options.seed, title, claimed.kind);
                let until = at.plus_ms(takes);
                self.titles[title as usize].begun.get_or_insert(at);
                let task = Task { lease: claimed.lease, kind: claimed.kind, title, until };
                self.enter(worker, State::Busy(task), at);
                self.at(until, Event::Turn { worker, life });
                self.renew_later(worker, at);
            }
        }
    }

    fn renew_later(&mut self, worker: usize, at: Timestamp) {
        let next = at.plus_ms(self.lease_ms() / 3);
        let who = &self.workers[worker];
        let State::Busy(Task { lease, until, .. }) = &who.state else { return };
        if next < *until {
            let (life, token, task) = (who.life, lease.token, lease.task);
            self.at(next, Event::Renewal { worker, life, token, task });
        }
    }

    fn completed(&mut self, task: &Task, kept: bool, at: Timestamp) {
        let title = &mut self.titles[task.title as usize];
        match (kept, task.kind) {
            (false, _) => self.leases_lost += 1,
            (true, TaskKind::Prepare) => title.prepared = Some(at),
            (true, TaskKind::Publish) => {
                self.published += usize::from(title.published.is_none());
                title.published.get_or_insert(at);
            }
            (true, _) => {}
        }
    }

    fn death(&mut self, at: Timestamp) {
        let alive: Vec<usize> = (0..self.workers.len())
            .filter(|n| matches!(self.workers[*n].state, State::Idle | State::Busy(_)))
            .collect();
        let Some(worker) = self.rng.choice(alive) else { return };
        self.deaths += 1;
        if let (State::Busy(_), true) =
            (&self.workers[worker].state, self.workers[worker].transcodes())
        {
            self.wasted_ms += at.0 - self.workers[worker].since.0;
        }
        self.workers[worker].life += 1;
        self.enter(worker, State::Dead, at);
        let away = self.rng.i64(AWAY_MS);
        self.at(at.plus_ms(away), Event::Return { worker });
    }

    /// Books the state that a worker leaves.
    fn leave(&mut self, worker: usize, at: Timestamp) {
        let who = &self.workers[worker];
        if !who.transcodes() {
            return;
        }
        match who.state {
            State::Idle => self.idle.push((who.since, at)),
            State::Dead => self.dead.push((who.since, at)),
            State::Busy(_) => self.busy_ms += at.0 - who.since.0,
            State::Asking => {}
        }
    }

    fn enter(&mut self, worker: usize, state: State, at: Timestamp) {
        self.leave(worker, at);
        let who = &mut self.workers[worker];
        (who.state, who.since) = (state, at);
    }

    /// What there is to tell. `bytes` is the size of the database, `unpublished` and `open` what it says is not done.
    pub(crate) fn report(&self, bytes: u64, unpublished: usize, open: u64) -> Report {
        Report {
            options: self.options.clone(),
            titles: self.titles.clone(),
            idle: self.idle.clone(),
            dead: self.dead.clone(),
            end: self.now(),
            busy_ms: self.busy_ms,
            wasted_ms: self.wasted_ms,
            claims: self.claims,
            leases_lost: self.leases_lost,
            deaths: self.deaths,
            real: self.real,
            cut_short: self.cut_short,
            methods: self.watches.iter().map(|(name, it)| (*name, it.percentiles())).collect(),
            bytes,
            unpublished,
            open,
        }
    }
}

async fn renew(
    catalog: Arc<PostgresCatalog>,
    worker: usize,
    at: Timestamp,
    lease: Lease,
    lease_ms: i64,
) -> Result<Came> {
    let asked = Instant::now();
    let renewed = match catalog.renew(&lease, lease_ms, 0).await {
        Ok(lease) => Some(lease),
        Err(CatalogError::LeaseLost { .. }) => None,
        Err(error) => return Err(error.into()),
    };
    let took = asked.elapsed();
    Ok(Came::Renewal { worker, at, lease: renewed, token: lease.token, took })
}

fn completing(kind: TaskKind) -> &'static str {
    match kind {
        TaskKind::Prepare => "complete, a plan",
        TaskKind::Span(_) | TaskKind::Audio(_) | TaskKind::Text(_) => "complete, what was made",
        _ => "complete, the rest",
    }
}

/// Whose the title of this number is: shares are spread evenly.
fn tenant_of(number: usize) -> (&'static str, usize, Priority) {
    // 37 has no factor in common with 100, so that each place comes up once in a hundred.
    let mut place = number * 37 % 100;
    for tenant in TENANTS {
        if place < tenant.1 {
            return tenant;
        }
        place -= tenant.1;
    }
    TENANTS[0]
}
