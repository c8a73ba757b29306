//! The life of a title, and the loop that takes it through: claim a task, work on it under a lease, hand in the result.
//!
//! # Overview
//!
//! The catalog holds a queue of tasks. [`Engine::run`] claims them by role, in this process or in many, and each task
//! ends in one call that hands its result to the catalog, which accepts it and queues what follows in one transaction
//! (`headwater_model::life::after`). The engine keeps nothing in memory that matters: what is not in the catalog or
//! listed in an inventory on the origin did not happen.
//!
//! # Order of events
//!
//! 1. A file that stands still in the drop folder, or a call of [`Engine::submit`], queues `Prepare`.
//! 2. `Prepare` hashes the master, looks for the same master elsewhere, has it probed and indexed, and makes the plan.
//! 3. Beside all that follows, `Archive` copies the master to the archive, if there is one, and proves the copy. Nobody
//!    waits for it. Whoever finds the master's file gone or changed fetches that copy and goes on.
//! 4. Spans and audio tracks are made in any order and anywhere. A child writes segments into its spool folder; each
//!    goes up as soon as it is finished. Init segments go up last, after they were compared with those of other spans.
//! 5. `Seal`, when all are done: playlists and MPD, then the inventory, last of the package.
//! 6. `Verify` reads the inventory back from the origin and asks the origin about everything in it.
//! 7. `Publish` replaces the title's two pointers and reads them back. It proves once more what was not proven just before.
//!
//! # What is true at each point
//!
//! - An object that the catalog has as a row was stored under its final key with that content.
//! - Nothing that viewers get is ever written over by something else: a package has its own folder, healing writes what
//!   its inventory says, and pointers are touched by `Publish` and, where they are lost, by `Heal` of what viewers get. Of
//!   these one is under way at a time for a title.
//! - Where an inventory is, everything that it lists was stored before it.
//! - A pointer that viewers can see leads into a package that was proven since it was sealed.
//! - All spans of a package were read from the same bytes: those whose SHA-256 is in the plan.
//!
//! # If we crash here
//!
//! - While a part is made: its claim runs out, or is ended at the next start, and the part is made again, as the same
//!   bytes under the same keys (R1). Parts that were handed in are not.
//! - After uploading, before handing in: the same. The objects on the origin are replaced by themselves.
//! - While sealing or proving: both start over from rows and inventory, which nobody else changes.
//! - Between the two pointers: HLS viewers get the new package and DASH viewers the one before, both proven and whole,
//!   until `Publish` is done again.
//! - After the pointers, before handing in: `Publish` writes the same pointers again.
//!
//! # Cancellation
//!
//! Work is one future. It is dropped when the lease is lost and when the process has to stop, and dropping it kills the
//! transcoder child. Then the claim is given back and does not count as a try. Threads that were reading for it finish
//! the block at hand and stop; their results are dropped.
//!
//! A process that drains ([`Shutdown`]) claims nothing more and lets work under way finish for [`Config::drain`]; what is
//! not finished then is given back like that. A process that is to go has [`GIVE_BACK`] to say so to the catalog: a
//! catalog that does not answer by then finds out when the leases run out.
//!
//! A worker that was cut off from the catalog stops when its lease has run out by its own clock. What it still writes
//! meanwhile is what the worker that has the task now writes too (R1), and its result is refused. `Publish` and `Heal`
//! ask for the lease right before each pointer that viewers will see.
//!
//! # Retries
//!
//! Each has one owner. Calls to storage are retried by the origin's adapter. A task that failed is tried again by the
//! queue, with back-off, unless its failure says that another try cannot help; what is wrong with a master never is
//! tried again. The engine itself repeats only the handing in of a result, while the lease can last.
//!
//! # What is left behind
//!
//! - In the spool: nothing but folders of a process that was killed, which the next start sweeps.
//! - On the origin: objects of parts that were never handed in and of packages that failed. No inventory lists them or
//!   no pointer leads to them, and a proof does not mind them.
//! - In the folder for masters that came back: the copies of a process that was killed, which the next start sweeps.
//! - In the archive: a copy that was stored and not handed in. It is proven by the next try, or replaced by itself.
//! - Beside the master: nothing, ever.

use std::any::Any;
use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::panic::AssertUnwindSafe;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::join_all;
use headwater_model::id::{Tenant, TitleId};
use headwater_model::key::PackageId;
use headwater_model::lane::{Needs, Offer};
use headwater_model::pipeline::Pipeline;
use headwater_model::plan::{self, Plan};
use headwater_model::process::memory_offered;
use headwater_model::refusal::{Code, Refusal};
use headwater_model::task::{Claimed, NewTitle, Outcome, Retry, Role, TaskKind};
use headwater_model::worker::Worker;
use headwater_ports::catalog::{Catalog, CatalogError, Submitted};
use headwater_ports::masters::Masters;
use headwater_ports::transcoder::{Part, TranscodeError, Transcoder};
use thiserror::Error;
use tokio::sync::{OnceCell, watch};
use tokio::task::{Id, JoinError, JoinSet, spawn_blocking};
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;
use tracing::{Instrument, debug, error, info, info_span, warn};

use crate::failure::{Halt, later};
use crate::lease::{Hold, millis};
use crate::presence::Presence;
use crate::pulse::Pulse;
use crate::retrieved::Retrieved;
use crate::shutdown::Shutdown;
use crate::spool::{self, Spool, SpoolError};
use crate::stores::Stores;
use crate::verify::{self, VerifyError};
use crate::{archive, make, mend, prepare, publish, seal};

/// How often an idle role asks for work that another process may have queued; work of this process wakes it at once.
/// A second is soon for tasks of a minute, and a thousand workers ask a database as often as it does not notice.
const POLL: Duration = Duration::from_secs(1);

/// Seals and proofs at once. They wait for the origin most of the time and read it in parallel on their own; a second
/// one keeps a short title from waiting behind a long one.
const PROOFS: usize = 2;

/// Publications at once: four small requests each.
const PUBLICATIONS: usize = 4;

/// Masters that are archived at once: one fills a link by itself, a second keeps a trailer from waiting behind a film, and
/// each has some 160 MB in memory.
const ARCHIVINGS: usize = 2;

/// Time between two tries to hand in a result. The work is done and costs minutes to repeat; a failed-over database is
/// back in seconds.
const HAND_IN_AGAIN: Duration = Duration::from_secs(1);

/// How long giving back what is under way may take: one small transaction each. With the time for draining it stays below
/// the 30 s after which whatever runs containers kills them.
const GIVE_BACK: Duration = Duration::from_secs(5);

/// Finds pipelines by name.
pub trait Pipelines: Send + Sync {
    /// The pipeline, or why there is none. May read files: called beside the runtime.
    fn pipeline(&self, name: &str) -> Result<Pipeline, Refusal>;
}

impl<F: Fn(&str) -> Result<Pipeline, Refusal> + Send + Sync> Pipelines for F {
    fn pipeline(&self, name: &str) -> Result<Pipeline, Refusal> {
        self(name)
    }
}

/// The world, as far as the engine knows it.
#[derive(Clone)]
pub struct Ports {
    /// Titles, tasks and leases.
    pub catalog: Arc<dyn Catalog>,
    /// Where packages are stored.
    pub stores: Stores,
    /// Buckets and web servers that hold masters.
    pub masters: Arc<dyn Masters>,
    /// What looks at masters and makes segments.
    pub transcoder: Arc<dyn Transcoder>,
    /// What to make out of masters.
    pub pipelines: Arc<dyn Pipelines>,
}

impl Ports {
    /// The same world for work on a package, whose pipeline may ask for other proof than is configured.
    pub(crate) fn held_to(&self, plan: Option<&Plan>) -> Self {
        let stores = match plan {
            Some(plan) => self.stores.held_to(&plan.pipeline.publish),
            None => self.stores.clone(),
        };
        Self { stores, ..self.clone() }
    }
}

/// How this process works.
#[derive(Debug, Clone)]
pub struct Config {
    /// Its name in the catalog and in the history of titles. Of all processes that share the folders below, it is the only
    /// one of that name: theirs in there are called so.
    pub worker: String,
    /// The pool of workers that it belongs to.
    pub pool: String,
    /// Folder for the files of transcoder children. What processes left there that are dead is removed at the start.
    pub spool: PathBuf,
    /// Folder for masters that come back from the archive, likewise.
    pub retrieved: PathBuf,
    /// Prepare, span and audio tasks at once: as many as the machine has cores and memory for.
    pub slots: usize,
    /// Memory of the machine, in megabytes, where there is a bound.
    pub memory_mb: Option<u32>,
    /// Memory that each transcoder may take, in megabytes, where that is not as its task needs.
    pub memory_mb_each: Option<u32>,
    /// How long work under way may go on when the process drains.
    pub drain: Duration,
    /// For how long a task is claimed; renewed every third of it. A dead worker's tasks wait that long.
    pub lease: Duration,
}

/// Why an engine ended that was not told to.
#[derive(Debug, Error)]
pub enum RunError {
    /// It has no place to work in.
    #[error(transparent)]
    Spool(#[from] SpoolError),
    /// A loop that claims tasks is gone, and with it all that it had under way.
    #[error("the loop that looks for tasks to {lane} has failed: {words}")]
    Loop {
        /// What it did.
        lane: Lane,
        /// What it said.
        words: String,
    },
}

/// What a loop of the engine does, as told to people.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lane(Role);

impl Lane {
    /// Its name in the pulse.
    fn name(self) -> &'static str {
        match self.0 {
            Role::Worker => "worker",
            Role::Verifier => "verify",
            Role::Publisher => "publish",
            Role::Archiver => "archive",
        }
    }
}

impl fmt::Display for Lane {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            Role::Worker => "transcode",
            Role::Verifier | Role::Publisher | Role::Archiver => self.name(),
        })
    }
}

/// Takes titles through their life. Cheap to clone; clones are the same engine.
#[derive(Clone)]
pub struct Engine {
    ports: Ports,
    config: Arc<Config>,
    masters: Retrieved,
    pulse: Pulse,
    presence: Presence,
    /// Encoders that are installed, once that is known.
    encoders: Arc<OnceCell<BTreeSet<String>>>,
    /// Changes whenever there may be new work.
    wake: watch::Sender<()>,
}

impl Engine {
    /// An engine that does nothing yet.
    pub fn new(ports: Ports, config: Config) -> Self {
        let masters = Retrieved::new(config.retrieved.join(&config.worker));
        let (config, pulse, wake) = (Arc::new(config), Pulse::default(), watch::Sender::new(()));
        let presence = Presence::new(ports.catalog.clone());
        Self { ports, config, masters, pulse, presence, encoders: Arc::default(), wake }
    }

    /// Whether its loops turn; other loops of the process may beat there too.
    pub fn pulse(&self) -> &Pulse {
        &self.pulse
    }

    pub(crate) fn presence(&self) -> &Presence {
        &self.presence
    }

    /// Time since the catalog last took down that this process is there; `None` while it does not know of it.
    pub fn heard_of(&self) -> Option<Duration> {
        self.presence.heard_of()
    }

    pub(crate) fn ports(&self) -> &Ports {
        &self.ports
    }

    /// Queues a title for the pool that its pipeline asks for, and wakes this process's workers.
    pub async fn submit(&self, new: &NewTitle) -> Result<Submitted, CatalogError> {
        let (pipelines, name) = (self.ports.pipelines.clone(), new.pipeline.clone());
        // One that cannot be read is told by `Prepare`, in the history of the title.
        let asked = spawn_blocking(move || pipelines.pipeline(&name).ok()?.pool).await;
        let pool = asked.ok().flatten().unwrap_or_else(|| new.pool.clone());
        let submitted = self.ports.catalog.submit(&NewTitle { pool, ..new.clone() }).await?;
        self.wake.send_replace(());
        Ok(submitted)
    }

    /// Queues the healing of what viewers of a title get, and says what that is; and the archiving of its master, when
    /// the archive does not have that for certain. False when something is done about the title already.
    pub async fn heal(
        &self,
        tenant: &Tenant,
        title: &TitleId,
    ) -> Result<(bool, PackageId), VerifyError> {
        let package = verify::live(&self.ports, tenant, title).await?;
        let queued = self.ports.catalog.heal(&package).await?;
        archive::queue(&self.ports, &package).await?;
        self.wake.send_replace(());
        Ok((queued, package))
    }

    /// Queues that viewers of a title get `version` again, which they have had before. False when they never had, or when
    /// something is being done about it already.
    pub async fn roll_back(&self, package: &PackageId) -> Result<bool, CatalogError> {
        let queued = self.ports.catalog.roll_back(package).await?;
        self.wake.send_replace(());
        Ok(queued)
    }

    /// Works on tasks of `roles` until `shutdown`; then finishes what is under way, or gives it back, and ends. Without any,
    /// it only lets others know that this process is there.
    ///
    /// Dropping the returned future is like killing the process: leases stay until they run out.
    ///
    /// # Errors
    /// When there is no place to work in, and when one of its loops fails: the others give back what they have first.
    pub async fn run(&self, roles: &[Role], shutdown: impl Into<Shutdown>) -> Result<(), RunError> {
        let shutdown = shutdown.into();
        let _spool = if roles.contains(&Role::Worker) {
            let Config { spool, worker, .. } = &*self.config;
            let taken = Spool::take(spool, worker).await?;
            self.masters.sweep(spool).await;
            Some(taken)
        } else {
            None
        };
        let lanes = [
            (Role::Worker, self.config.slots.max(1)),
            (Role::Verifier, PROOFS),
            (Role::Publisher, PUBLICATIONS),
            (Role::Archiver, ARCHIVINGS),
        ];
        let lanes = lanes.into_iter().filter(|(role, _)| roles.contains(role));
        let turning = lanes.map(|(role, bound)| {
            let (lane, shutdown) = (Lane(role), &shutdown);
            async move {
                let turns = self.pulse.beating(lane.name(), self.lane(role, bound, shutdown));
                let ended = AssertUnwindSafe(turns).catch_unwind().await;
                ended.map_err(|panic| {
                    shutdown.stop();
                    RunError::Loop { lane, words: in_words(&*panic) }
                })
            }
        });
        let Config { worker, pool, slots, memory_mb, .. } = &*self.config;
        let slots = match roles.contains(&Role::Worker) {
            true => u32::try_from(*slots).unwrap_or(u32::MAX),
            false => 0,
        };
        let said = Worker {
            name: worker.clone(),
            instance: self.presence.instance().to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            pool: pool.clone(),
            roles: roles.to_vec(),
            slots,
            memory_mb: *memory_mb,
            elements: match roles.contains(&Role::Worker) {
                // Those who claim say why they cannot be listed, and try again.
                true => self.encoders().await.ok(),
                false => None,
            },
        };
        let present = self.presence.keep(&said, &shutdown, &self.wake);
        let turning = async {
            let all = async {
                // Who has no tasks is there all the same, until it is told to end.
                if roles.is_empty() {
                    shutdown.ending().cancelled().await;
                }
                join_all(turning).await
            };
            tokio::select! {
                ended = all => ended,
                never = present => match never {},
            }
        };
        let ended = tokio::select! {
            ended = turning => ended.into_iter().collect(),
            () = self.patience_with(&shutdown) => {
                warn!("the catalog took not everything back: the rest is free when its leases run out");
                Ok(())
            }
        };
        self.presence.leave().await;
        ended
    }

    /// Waits until nothing that is under way may stay any longer. Gives the order to stop when the time for draining is
    /// over.
    async fn patience_with(&self, shutdown: &Shutdown) {
        shutdown.ending().cancelled().await;
        let drain = self.config.drain;
        tokio::select! {
            () = shutdown.now().cancelled() => {}
            () = sleep(drain) => {
                info!(drain_s = drain.as_secs_f64(), "what is not finished by now is given back");
                shutdown.stop();
            }
        }
        sleep(GIVE_BACK).await;
    }

    /// Claims tasks of one role and works on at most `bound` of them at once.
    async fn lane(&self, role: Role, bound: usize, shutdown: &Shutdown) {
        let mut wake = self.wake.subscribe();
        let mut running = JoinSet::new();
        // What each of them needs of the machine's memory.
        let mut memory: HashMap<Id, u32> = HashMap::new();
        let mut trouble = false;
        while !shutdown.is_draining() {
            // Before the claim: what is queued while the catalog looks must wake the wait below.
            wake.mark_unchanged();
            if running.len() < bound {
                let Config { memory_mb, memory_mb_each, .. } = &*self.config;
                let needed: Vec<u32> = memory.values().copied().collect();
                match self.claim(role, memory_offered(*memory_mb, *memory_mb_each, &needed)).await {
                    Ok(Some(claimed)) => {
                        let plan = claimed.plan.as_deref();
                        let needs = Needs::of(claimed.kind, &self.config.pool, plan).memory_mb;
                        let span =
                            info_span!("task", package = %claimed.package, kind = %claimed.kind);
                        // What comes in answer to a question from before the end goes back as it is.
                        let stop = match shutdown.is_draining() {
                            true => shutdown.ending(),
                            false => shutdown.now(),
                        };
                        let work = self.clone().attend(claimed, stop.clone());
                        memory.insert(running.spawn(work.instrument(span)).id(), needs);
                        trouble = false;
                        continue;
                    }
                    Ok(None) => trouble = false,
                    // The presence of this process says that the catalog is away; all else is said once, not at every poll.
                    Err(error @ CatalogError::Away { .. }) => {
                        debug!(?role, %error, "no work can be claimed");
                    }
                    Err(error) if !trouble => {
                        warn!(?role, %error, "no work can be claimed");
                        trouble = true;
                    }
                    Err(_) => {}
                }
            }
            tokio::select! {
                () = shutdown.ending().cancelled() => {}
                Some(ended) = running.join_next_with_id() => {
                    memory.remove(&ended.as_ref().map_or_else(JoinError::id, |(id, ())| *id));
                    log_panic(ended.map(|_| ()));
                }
                _ = wake.changed() => {}
                () = self.ports.catalog.news() => {}
                () = sleep(POLL) => {}
            }
        }
        while let Some(ended) = running.join_next().await {
            log_panic(ended);
        }
    }

    /// The encoders of this machine. Without knowing them, no transcoding is begun: others have them for certain.
    async fn encoders(&self) -> Result<BTreeSet<String>, TranscodeError> {
        let known = self.encoders.get_or_try_init(|| self.ports.transcoder.encoders()).await?;
        Ok(known.clone())
    }

    /// Claims a task that needs no more memory than that.
    async fn claim(
        &self,
        role: Role,
        memory_mb: Option<u32>,
    ) -> Result<Option<Claimed>, CatalogError> {
        // Before it is known by a name, it could not be told from others.
        let Some(worker) = self.presence.name() else { return Ok(None) };
        let Config { pool, lease, .. } = &*self.config;
        let elements = match role {
            Role::Worker => match self.encoders().await {
                Ok(encoders) => Some(encoders),
                Err(error) => {
                    let source = Box::new(error);
                    return Err(CatalogError::Database { operation: "list the encoders", source });
                }
            },
            Role::Verifier | Role::Publisher | Role::Archiver => None,
        };
        let offer = Offer {
            worker,
            roles: vec![role],
            pool: pool.clone(),
            elements,
            plan: plan::FORMAT,
            memory_mb,
        };
        self.ports.catalog.claim(&offer, millis(*lease)).await
    }

    /// Works on one task and hands in what came of it, or gives it back when `stop` says so.
    async fn attend(self, claimed: Claimed, stop: CancellationToken) {
        info!(attempt = claimed.attempt, "started");
        let Config { spool, worker, .. } = &*self.config;
        let spool = spool::folder_of(spool, worker, &claimed.lease);
        let hold = Hold::new(self.patient(), claimed.lease.clone(), self.config.lease);
        // Whichever ends first drops the others, and dropping the work kills its child.
        let end = tokio::select! {
            biased;
            () = stop.cancelled() => End::Stopped,
            result = AssertUnwindSafe(self.work(&hold, &claimed, &spool)).catch_unwind() => match result {
                Ok(Ok(outcome)) => End::Done(outcome),
                Ok(Err(halt)) => End::Halted(halt),
                Err(panic) => End::Halted(later(Code::Internal, in_words(&*panic)).into()),
            },
            () = hold.keep() => End::Halted(Halt::LeaseLost),
        };
        spool::remove(&spool).await;
        // A catalog that takes no result yet may well take a renewal: the claim stays alive until the result is in.
        tokio::select! {
            biased;
            () = self.hand_in(&hold, end) => {}
            () = hold.keep() => error!("result lost with the lease"),
        }
        self.masters.tidy(&self.ports).await;
        self.wake.send_replace(());
    }

    /// The catalog for whoever holds a claim: a database that is away is no failure of the work, which is dropped with its
    /// claim and no sooner.
    fn patient(&self) -> Arc<dyn Catalog> {
        self.ports.catalog.clone().patient()
    }

    async fn work(&self, hold: &Hold, claimed: &Claimed, spool: &Path) -> Result<Outcome, Halt> {
        let ports =
            Ports { catalog: self.patient(), ..self.ports.held_to(claimed.plan.as_deref()) };
        let (ports, masters) = (&ports, &self.masters);
        match claimed.kind {
            TaskKind::Prepare => prepare::prepare(ports, masters, claimed).await,
            TaskKind::Span(n) => {
                make::make(ports, masters, hold, claimed, Part::Span(n), spool).await
            }
            TaskKind::Audio(n) => {
                make::make(ports, masters, hold, claimed, Part::Audio(n), spool).await
            }
            TaskKind::Text(n) => {
                make::make(ports, masters, hold, claimed, Part::Text(n), spool).await
            }
            TaskKind::Pictures => {
                make::make(ports, masters, hold, claimed, Part::Pictures, spool).await
            }
            TaskKind::Seal => seal::seal(ports, claimed).await,
            TaskKind::Verify => mend::verify(ports, claimed).await,
            TaskKind::Heal => mend::heal(ports, hold, claimed).await,
            TaskKind::Archive => archive::archive(ports, claimed).await,
            TaskKind::Publish => publish::publish(ports, hold, claimed).await,
        }
    }

    /// Tells the catalog how a task ended, for as long as one lease lasts: longer than a catalog is away when it is only
    /// restarted, and what it refuses for longer it will not take at all. A claim is given back with one try, since the
    /// process is about to end and the claim will run out by itself.
    async fn hand_in(&self, hold: &Hold, end: End) {
        let catalog = &self.ports.catalog;
        let patience = match end {
            End::Done(_) | End::Halted(_) => self.config.lease,
            End::Stopped => Duration::ZERO,
        };
        let until = Instant::now() + patience;
        loop {
            let lease = hold.lease();
            let told = match &end {
                End::Done(outcome) => catalog.complete(&lease, outcome).await,
                End::Halted(Halt::Failed(failure)) => {
                    let (refusal, last_words) = (&failure.refusal, failure.last_words.as_deref());
                    // A bad master is news for whoever sent it; a warning is about what is wrong here.
                    if refusal.code.blames_master() {
                        info!(%refusal, last_words, "refused");
                    } else if let Retry::After(lost) = &failure.retry {
                        info!(found = refusal.message, again = ?lost, "what is lost is made again");
                    } else {
                        warn!(%refusal, last_words, "failed");
                    }
                    catalog.fail(&lease, failure).await
                }
                End::Halted(Halt::LeaseLost) => return,
                End::Stopped => catalog.release(&lease).await,
            };
            match told {
                Ok(()) if matches!(end, End::Stopped) => {
                    let frames_done = hold.frames_done();
                    return info!(frames_done, "given back unfinished, which costs no try");
                }
                Ok(()) => return info!("handed in"),
                Err(error @ CatalogError::LeaseLost { .. }) => {
                    return info!(%error, "result dropped");
                }
                Err(error) if Instant::now() + HAND_IN_AGAIN < until => {
                    warn!(%error, "result not handed in yet");
                    sleep(HAND_IN_AGAIN).await;
                }
                Err(error) => return error!(%error, "result lost"),
            }
        }
    }
}

/// How the work on a task ended.
enum End {
    Done(Outcome),
    Halted(Halt),
    Stopped,
}

fn log_panic(ended: Result<(), JoinError>) {
    if let Err(error) = ended {
        error!(%error, "a task ended without handing in anything");
    }
}

/// What a panic said.
fn in_words(panic: &(dyn Any + Send)) -> String {
    let text = panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("no message");
    format!("the engine panicked: {text}")
}
