//! The port's methods, each of them one transaction, on whatever database there is.

use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use headwater_model::archive::{MasterCopy, MasterRecord};
use headwater_model::audit::Holding;
use headwater_model::id::{Sha256, Tenant, TitleId, Version};
use headwater_model::incident::{Incident, Look};
use headwater_model::inventory::Object;
use headwater_model::key::PackageId;
use headwater_model::lane::Offer;
use headwater_model::life::{Event, Making, PackageRecord, Restored, TitleRecord};
use headwater_model::origin::Profile;
use headwater_model::steering::{Answer, Order, TaskFilter, TaskOrder, TaskRecord};
use headwater_model::task::{Claimed, Failure, Lease, NewTitle, Outcome};
use headwater_model::time::Timestamp;
use headwater_model::worker::{Duty, Worker, WorkerRecord, WorkerState};
use headwater_ports::catalog::{Catalog, CatalogError, SeenFile, Submitted};
use tokio::time::{Instant, sleep, timeout};
use tracing::{info, warn};

use crate::db::Db;
use crate::error::Fault;
use crate::statements::claims::AtOnce;
use crate::statements::lanes::Book;
use crate::statements::{
    archived, claims, duties, holdings, incidents, packages, profiles, results, steering, tasks,
    titles, workers,
};

/// What a change has to itself until it is committed. A database with one writer needs none of it.
#[derive(Debug, Clone, Copy)]
pub enum Lock<'a> {
    /// Rows that are its own, or that it takes one by one.
    None,
    /// A title with all that belongs to it, whether or not there is one of that name yet.
    Title(&'a Tenant, &'a TitleId),
    /// The title of a task.
    Task(i64),
}

/// Transactions on a database.
#[async_trait]
pub trait Store: Send + Sync {
    /// Starts a change. Its time is taken when it has its lock.
    async fn change(&self, lock: Lock<'_>) -> Result<Db, Fault>;

    /// Starts reading: everything that is read through it is of one moment.
    async fn look(&self) -> Result<Db, Fault>;

    /// Whether there are shorter ways for what is done a thousand times a second, by [`Store::each`].
    fn has_short_ways(&self) -> bool {
        false
    }

    /// Starts what is one statement, or several of which each may stay undone by itself.
    async fn each(&self) -> Result<Db, Fault> {
        self.change(Lock::None).await
    }

    /// Keeps what a transaction changed.
    async fn commit(&self, tx: Db) -> Result<(), Fault>;

    /// Whether a transaction that met `fault` in its `tries`th try (from 1) is to be tried once more, now.
    async fn again(&self, fault: &Fault, tries: u32) -> bool;

    /// How long a transaction may take, where nobody else says that a server is gone.
    fn answers_within(&self) -> Option<Duration> {
        None
    }

    /// One took longer: what it was asked on, and every connection as old as that, is as good as broken.
    fn fell_silent(&self) {}

    /// Ends when another process may have queued something.
    async fn news(&self);
}

/// Between two looks of the patient whether a database is back.
const LOOKS_AGAIN: Duration = Duration::from_secs(1);

/// Since when the patient wait for a database. However many they are, it is told once.
#[derive(Default)]
struct Absence(Mutex<Option<Instant>>);

impl Absence {
    fn begins(&self, error: &CatalogError) {
        let mut since = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if since.is_none() {
            warn!(%error, "waiting for it");
            *since = Some(Instant::now());
        }
    }

    fn ends(&self) {
        let since = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(since) = since {
            info!(after_s = since.elapsed().as_secs(), "the catalog's database is back");
        }
    }
}

/// A catalog in a database.
pub struct SqlCatalog<S> {
    pub(crate) store: Arc<S>,
    pub(crate) book: Arc<Book>,
    absence: Arc<Absence>,
    is_patient: bool,
}

impl<S: Store> SqlCatalog<S> {
    pub(crate) fn new(store: S, book: Book) -> Self {
        let (store, book) = (Arc::new(store), Arc::new(book));
        Self { store, book, absence: Arc::default(), is_patient: false }
    }

    async fn change(&self, lock: Lock<'_>) -> Result<Db, Fault> {
        self.store.change(lock).await
    }

    async fn look(&self) -> Result<Db, Fault> {
        self.store.look().await
    }

    async fn each(&self) -> Result<Db, Fault> {
        self.store.each().await
    }
}

/// Runs the statements of a method as one transaction of `$self`: `$start` begins it, `$body` does the work with it, and
/// only when that succeeds is it committed. Async closures cannot promise to be `Send` yet, hence a macro.
macro_rules! transaction {
    ($self:ident.$start:ident($($lock:expr)?), $operation:literal, |$tx:ident, $now:ident| $body:expr) => {{
        let mut tries = 0;
        loop {
            tries += 1;
            let work = pin!(async {
                let mut db = $self.$start($($lock)?).await?;
                let answer = {
                    let $now = db.now;
                    let $tx = &mut db;
                    $body.await?
                };
                $self.store.commit(db).await?;
                Ok::<_, Fault>(answer)
            });
            let done = match $self.store.answers_within() {
                None => work.await,
                // It is dropped only after the store knows, which then has no use for its connection.
                Some(limit) => timeout(limit, work).await.unwrap_or_else(|_| {
                    $self.store.fell_silent();
                    Err(Fault::Silent(limit))
                }),
            };
            match done {
                Err(fault) if $self.store.again(&fault, tries).await => {}
                done => match done.map_err(|fault| fault.during($operation)) {
                    Err(error @ CatalogError::Away { .. }) if $self.is_patient => {
                        $self.absence.begins(&error);
                        tries = 0;
                        sleep(LOOKS_AGAIN).await;
                    }
                    done => {
                        if $self.is_patient {
                            $self.absence.ends();
                        }
                        break done;
                    }
                },
            }
        }
    }};
}

#[async_trait]
impl<S: Store + 'static> Catalog for SqlCatalog<S> {
    fn patient(self: Arc<Self>) -> Arc<dyn Catalog> {
        let Self { store, book, absence, is_patient: _ } = &*self;
        let (store, book, absence) = (store.clone(), book.clone(), absence.clone());
        Arc::new(Self { store, book, absence, is_patient: true })
    }

    async fn submit(&self, new: &NewTitle) -> Result<Submitted, CatalogError> {
        transaction!(
            self.change(Lock::Title(&new.tenant, &new.title)),
            "queue the title",
            |tx, now| titles::submit(tx, new, now)
        )
    }

    async fn knows_file(&self, file: &SeenFile) -> Result<bool, CatalogError> {
        transaction!(self.look(), "look for the file", |tx, _now| titles::knows_file(tx, file))
    }

    async fn remember_file(&self, file: &SeenFile) -> Result<bool, CatalogError> {
        transaction!(
            self.change(Lock::None),
            "remember the file",
            |tx, _now| titles::remember_file(tx, file)
        )
    }

    async fn title(
        &self,
        tenant: &Tenant,
        title: &TitleId,
    ) -> Result<Option<TitleRecord>, CatalogError> {
        transaction!(self.look(), "read the title", |tx, now| titles::one(tx, tenant, title, now))
    }

    async fn titles(&self, tenant: &Tenant, limit: u32) -> Result<Vec<TitleRecord>, CatalogError> {
        transaction!(self.look(), "list titles", |tx, now| titles::list(tx, tenant, limit, now))
    }

    async fn events(&self, tenant: &Tenant, title: &TitleId) -> Result<Vec<Event>, CatalogError> {
        transaction!(self.look(), "read the history", |tx, _now| titles::events(tx, tenant, title))
    }

    async fn package(&self, package: &PackageId) -> Result<Option<PackageRecord>, CatalogError> {
        transaction!(self.look(), "read the package", |tx, _now| packages::one(tx, package))
    }

    async fn making(&self, package: &PackageId) -> Result<Option<Making>, CatalogError> {
        transaction!(self.look(), "read how a package came about", |tx, _now| packages::making(
            tx, package
        ))
    }

    async fn last_words(&self, package: &PackageId) -> Result<Option<String>, CatalogError> {
        transaction!(self.look(), "read last words", |tx, _now| packages::last_words(tx, package))
    }

    async fn objects(&self, package: &PackageId) -> Result<Vec<Object>, CatalogError> {
        transaction!(self.look(), "list objects", |tx, _now| packages::objects(tx, package))
    }

    async fn packages_of(
        &self,
        tenant: &Tenant,
        master: Sha256,
        pipeline: Sha256,
    ) -> Result<Vec<(PackageId, bool)>, CatalogError> {
        transaction!(self.look(), "look for the master", |tx, _now| packages::of(
            tx, tenant, master, pipeline
        ))
    }

    async fn claim(&self, offer: &Offer, lease_ms: i64) -> Result<Option<Claimed>, CatalogError> {
        if self.store.has_short_ways() {
            let answer = transaction!(self.each(), "claim a task", |tx, _now| {
                claims::claim_at_once(tx, offer, lease_ms, &self.book)
            })?;
            match answer {
                AtOnce::Done(claimed) => return Ok(claimed),
                AtOnce::TakesMore => {}
            }
        }
        transaction!(self.change(Lock::None), "claim a task", |tx, _now| claims::claim(
            tx, offer, lease_ms, &self.book
        ))
    }

    async fn news(&self) {
        self.store.news().await;
    }

    async fn renew(
        &self,
        lease: &Lease,
        lease_ms: i64,
        frames_done: u64,
    ) -> Result<Lease, CatalogError> {
        transaction!(self.each(), "renew the lease", |tx, _now| {
            tasks::renew(tx, lease, lease_ms, frames_done)
        })
    }

    async fn complete(&self, lease: &Lease, outcome: &Outcome) -> Result<(), CatalogError> {
        if let Outcome::Made { objects, codecs, cpu_ms, seen } = outcome
            && seen.is_empty()
            && self.store.has_short_ways()
        {
            let answer = transaction!(self.each(), "accept the result", |tx, _now| {
                results::complete_at_once(tx, lease, objects, codecs, *cpu_ms)
            })?;
            match answer {
                AtOnce::Done(()) => return Ok(()),
                AtOnce::TakesMore => {}
            }
        }
        transaction!(self.change(Lock::Task(lease.task)), "accept the result", |tx, now| {
            results::complete(tx, lease, outcome, now)
        })
    }

    async fn fail(&self, lease: &Lease, failure: &Failure) -> Result<(), CatalogError> {
        transaction!(self.change(Lock::Task(lease.task)), "note the failure", |tx, now| {
            results::fail(tx, lease, failure, now)
        })
    }

    async fn release(&self, lease: &Lease) -> Result<(), CatalogError> {
        transaction!(self.change(Lock::Task(lease.task)), "give the task back", |tx, now| {
            tasks::release(tx, lease, now)
        })
    }

    async fn end_all_leases(&self) -> Result<u64, CatalogError> {
        transaction!(self.change(Lock::None), "end all leases", |tx, now| tasks::end_all_leases(
            tx, now
        ))
    }

    async fn steer(
        &self,
        tenant: &Tenant,
        title: &TitleId,
        order: Order,
    ) -> Result<Answer, CatalogError> {
        transaction!(self.change(Lock::Title(tenant, title)), "steer the title", |tx, _now| {
            steering::steer(tx, tenant, title, order)
        })
    }

    async fn steer_task(
        &self,
        tenant: &Tenant,
        task: i64,
        order: TaskOrder,
    ) -> Result<Answer, CatalogError> {
        transaction!(self.change(Lock::Task(task)), "steer the task", |tx, _now| {
            steering::steer_task(tx, tenant, task, order)
        })
    }

    async fn tasks(
        &self,
        tenant: &Tenant,
        filter: &TaskFilter,
        limit: u32,
    ) -> Result<Vec<TaskRecord>, CatalogError> {
        transaction!(self.look(), "list tasks", |tx, _now| steering::list(
            tx, tenant, filter, limit
        ))
    }

    async fn enlist(&self, worker: &Worker) -> Result<String, CatalogError> {
        transaction!(self.change(Lock::None), "enter a worker", |tx, _now| workers::enlist(
            tx, worker
        ))
    }

    async fn beat(
        &self,
        name: &str,
        instance: &str,
        state: WorkerState,
    ) -> Result<bool, CatalogError> {
        transaction!(self.change(Lock::None), "note a worker", |tx, _now| workers::beat(
            tx, name, instance, state
        ))
    }

    async fn workers(&self) -> Result<Vec<WorkerRecord>, CatalogError> {
        transaction!(self.look(), "list workers", |tx, _now| workers::list(tx))
    }

    async fn take_duty(
        &self,
        duty: Duty,
        instance: &str,
        lease_ms: i64,
    ) -> Result<bool, CatalogError> {
        transaction!(self.change(Lock::None), "take a duty", |tx, now| duties::take(
            tx, duty, instance, now, lease_ms
        ))
    }

    async fn leave_duty(&self, duty: Duty, instance: &str) -> Result<(), CatalogError> {
        transaction!(self.change(Lock::None), "leave a duty", |tx, _now| duties::leave(
            tx, duty, instance
        ))
    }

    async fn note(&self, package: &PackageId, look: &Look) -> Result<(), CatalogError> {
        transaction!(
            self.change(Lock::Title(&package.tenant, &package.title)),
            "note what was found",
            |tx, now| incidents::note(tx, package, look, now)
        )
    }

    async fn incidents(
        &self,
        tenant: &Tenant,
        title: Option<&TitleId>,
        closed_too: bool,
        limit: u32,
    ) -> Result<Vec<Incident>, CatalogError> {
        transaction!(self.look(), "read incidents", |tx, _now| incidents::list(
            tx, tenant, title, closed_too, limit
        ))
    }

    async fn incidents_of(
        &self,
        tenant: &Tenant,
        origin: &str,
        object: &str,
    ) -> Result<Vec<Incident>, CatalogError> {
        transaction!(self.look(), "read incidents", |tx, _now| incidents::of(
            tx, tenant, origin, object
        ))
    }

    async fn heal(&self, package: &PackageId) -> Result<bool, CatalogError> {
        transaction!(
            self.change(Lock::Title(&package.tenant, &package.title)),
            "queue the healing",
            |tx, now| tasks::heal(tx, package, now)
        )
    }

    async fn roll_back(&self, package: &PackageId) -> Result<bool, CatalogError> {
        transaction!(
            self.change(Lock::Title(&package.tenant, &package.title)),
            "queue the rollback",
            |tx, now| tasks::roll_back(tx, package, now)
        )
    }

    async fn is_busy(&self, package: &PackageId) -> Result<bool, CatalogError> {
        transaction!(self.look(), "look at the queue", |tx, _now| tasks::is_busy(tx, package))
    }

    async fn archive(&self, package: &PackageId) -> Result<bool, CatalogError> {
        transaction!(
            self.change(Lock::Title(&package.tenant, &package.title)),
            "queue the archiving",
            |tx, now| archived::archive(tx, package, now)
        )
    }

    async fn master(
        &self,
        tenant: &Tenant,
        sha256: Sha256,
    ) -> Result<Option<MasterRecord>, CatalogError> {
        transaction!(self.look(), "read the master", |tx, _now| archived::one(tx, tenant, sha256))
    }

    async fn masters(
        &self,
        tenant: &Tenant,
        after: Option<Sha256>,
        limit: u32,
    ) -> Result<Vec<MasterRecord>, CatalogError> {
        transaction!(self.look(), "list masters", |tx, _now| archived::list(
            tx, tenant, after, limit
        ))
    }

    async fn keep_copy(&self, tenant: &Tenant, copy: &MasterCopy) -> Result<(), CatalogError> {
        transaction!(self.change(Lock::None), "keep a copy of a master", |tx, _now| {
            archived::keep_found(tx, tenant, copy)
        })
    }

    async fn holdings(
        &self,
        tenant: &Tenant,
        after: Option<&str>,
        limit: u32,
    ) -> Result<Vec<Holding>, CatalogError> {
        transaction!(self.look(), "read holdings", |tx, _now| holdings::list(
            tx, tenant, after, limit
        ))
    }

    async fn holding(
        &self,
        tenant: &Tenant,
        title: &TitleId,
    ) -> Result<Option<Holding>, CatalogError> {
        transaction!(self.look(), "read a holding", |tx, _now| holdings::one(tx, tenant, title))
    }

    async fn checkpoint(&self, name: &str) -> Result<Option<(String, Timestamp)>, CatalogError> {
        transaction!(self.look(), "read a checkpoint", |tx, _now| holdings::checkpoint(tx, name))
    }

    async fn keep_checkpoint(&self, name: &str, text: Option<&str>) -> Result<(), CatalogError> {
        transaction!(self.change(Lock::None), "keep a checkpoint", |tx, now| {
            holdings::keep_checkpoint(tx, name, text, now)
        })
    }

    async fn condemn(&self, seen: &Holding, versions: &[Version]) -> Result<bool, CatalogError> {
        transaction!(
            self.change(Lock::Title(&seen.tenant, &seen.title)),
            "condemn versions",
            |tx, now| holdings::condemn(tx, seen, versions, now)
        )
    }

    async fn forget(&self, package: &PackageId) -> Result<(), CatalogError> {
        transaction!(
            self.change(Lock::Title(&package.tenant, &package.title)),
            "forget the package",
            |tx, now| holdings::forget(tx, package, now)
        )
    }

    async fn take(&self, package: &PackageId) -> Result<(), CatalogError> {
        transaction!(
            self.change(Lock::Title(&package.tenant, &package.title)),
            "take a number",
            |tx, _now| titles::take(tx, package)
        )
    }

    async fn restore(&self, restored: &Restored) -> Result<(), CatalogError> {
        transaction!(
            self.change(Lock::Title(&restored.tenant, &restored.title)),
            "take over a title",
            |tx, now| holdings::restore(tx, restored, now)
        )
    }

    async fn profile(
        &self,
        origin: &str,
        settings: &str,
    ) -> Result<Option<(Profile, Timestamp)>, CatalogError> {
        transaction!(self.look(), "read the profile", |tx, _now| profiles::one(
            tx, origin, settings
        ))
    }

    async fn keep_profile(
        &self,
        origin: &str,
        settings: &str,
        profile: &Profile,
    ) -> Result<(), CatalogError> {
        transaction!(self.change(Lock::None), "keep the profile", |tx, now| profiles::keep(
            tx, origin, settings, profile, now
        ))
    }
}
