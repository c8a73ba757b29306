//! Titles, packages, tasks and leases: decisions, kept through any crash.

use std::sync::Arc;

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
use thiserror::Error;

/// Why a catalog did not do what it was asked.
#[derive(Debug, Error)]
pub enum CatalogError {
    /// The lease expired and somebody else may have the task: the result is not wanted any more.
    #[error("the lease on task {task} is no longer held")]
    LeaseLost {
        /// The task.
        task: i64,
    },
    /// The database cannot be reached, or is just coming up: it may be there again soon.
    #[error("the catalog's database cannot be reached: {source}")]
    Away {
        /// Why not.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The database does not let in whoever opens it, by that name and password: it will not do so later either.
    #[error("the catalog's database turns us away: {source}")]
    TurnedAway {
        /// What it says.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The disk under the database is full.
    #[error("the disk of the catalog is full")]
    Full,
    /// The database has a newer schema than this binary knows.
    #[error("the catalog was made by a newer headwater; use that version or newer")]
    TooNew,
    /// The database failed.
    #[error("failed to {operation}: {source}")]
    Database {
        /// What was tried.
        operation: &'static str,
        /// Why it failed.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

/// What became of a submission.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Submitted {
    /// It is queued as this version.
    Queued(Version),
    /// The title is being worked on already from this very path; nothing was added.
    InProgress(Version),
}

/// A file in a watched folder: what tells a new delivery from a known one.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct SeenFile {
    /// Absolute path.
    pub path: String,
    /// Size in bytes.
    pub bytes: u64,
    /// Modification time, nanoseconds since 1970.
    pub modified_ns: i64,
}

/// The catalog. What it decides, it decides with `headwater_model::queue` and `headwater_model::life`, so every catalog
/// does the same; `headwater_testkit::catalog_suite` holds them to it.
///
/// A title's state is that of its newest package; a package's is what its tasks have made of it.
///
/// Only the catalog's own clock counts: a lease is worth nothing from `until` on, whether or not somebody else has the
/// task by then. Every method is one transaction: it happens whole, or (when it returns an error) not at all.
#[async_trait]
pub trait Catalog: Send + Sync {
    /// The same catalog for whoever would rather wait than hear [`CatalogError::Away`]: what it is asked while its database
    /// is away is asked again until that is back, however long it takes. Who has waited enough drops the call.
    fn patient(self: Arc<Self>) -> Arc<dyn Catalog>;

    /// Queues a title: a new one as `v1`, a known one as its next version, while viewers keep what they have.
    ///
    /// A title whose newest package failed or was rejected resumes that version when the master's path and pipeline are
    /// the same and `again` is not set: what is done is kept, all else is tried afresh. After a failed proof it goes on
    /// with `Verify`, which believes nothing that was made before. When its plan is void (the master turned out bad or
    /// changed under way), it starts over as the next version instead.
    ///
    /// A newest package that is still being made from another path or by another pipeline is given up: the tasks are
    /// cancelled, and their workers are told so by [`CatalogError::LeaseLost`].
    async fn submit(&self, new: &NewTitle) -> Result<Submitted, CatalogError>;

    /// Whether a file of a watched folder is known in this size and time.
    async fn knows_file(&self, file: &SeenFile) -> Result<bool, CatalogError>;

    /// Remembers a file of a watched folder; true when it was not known in this size and time.
    ///
    /// Ask [`Catalog::knows_file`], submit, then remember: a crash in between submits twice, which does no harm, and
    /// never forgets a delivery.
    async fn remember_file(&self, file: &SeenFile) -> Result<bool, CatalogError>;

    /// One title.
    async fn title(
        &self,
        tenant: &Tenant,
        title: &TitleId,
    ) -> Result<Option<TitleRecord>, CatalogError>;

    /// All titles of a tenant, the one that was queued last first, at most `limit`.
    async fn titles(&self, tenant: &Tenant, limit: u32) -> Result<Vec<TitleRecord>, CatalogError>;

    /// History of a title, oldest first.
    async fn events(&self, tenant: &Tenant, title: &TitleId) -> Result<Vec<Event>, CatalogError>;

    /// One package.
    async fn package(&self, package: &PackageId) -> Result<Option<PackageRecord>, CatalogError>;

    /// How a package came about.
    async fn making(&self, package: &PackageId) -> Result<Option<Making>, CatalogError>;

    /// What the transcoder said last in the try of this package that failed last, when it said anything.
    async fn last_words(&self, package: &PackageId) -> Result<Option<String>, CatalogError>;

    /// The objects of a package that is being made, by path. Empty once it is published: then the inventory has them (R7).
    async fn objects(&self, package: &PackageId) -> Result<Vec<Object>, CatalogError>;

    /// Packages that were made or are being made from this master with this pipeline (`sha256`s), newest first. True
    /// for those that were published, whether or not they are still what viewers get.
    async fn packages_of(
        &self,
        tenant: &Tenant,
        master: Sha256,
        pipeline: Sha256,
    ) -> Result<Vec<(PackageId, bool)>, CatalogError>;

    /// Claims the best task that `offer` may do, for `lease_ms` from now: of the lanes that `headwater_model::lane::in_order`
    /// chooses, and in the lane of the oldest package the first in the order of `headwater_model::life::after`. A task
    /// whose lease has run out is free again; that does not count as a failure, but for a task that has outlived
    /// `headwater_model::queue::MAX_LOST_LEASES` workers. Nothing is claimed of a title that is held.
    ///
    /// The packages of one title are published one after another, oldest first, and none of them is healed meanwhile: of
    /// the tasks that touch its pointers, one is under way at a time.
    async fn claim(&self, offer: &Offer, lease_ms: i64) -> Result<Option<Claimed>, CatalogError>;

    /// Ends when there may be work that was not there before, queued by whatever process; never, where that cannot be
    /// told. Who waits for it looks once in a while all the same: news can be lost.
    async fn news(&self) {
        std::future::pending().await
    }

    /// Keeps a claim alive for `lease_ms` from now and notes how many frames are done. A lease that has run out is not
    /// revived.
    async fn renew(
        &self,
        lease: &Lease,
        lease_ms: i64,
        frames_done: u64,
    ) -> Result<Lease, CatalogError>;

    /// Accepts a result and, in the same transaction, takes the title on (`headwater_model::life::after`).
    async fn complete(&self, lease: &Lease, outcome: &Outcome) -> Result<(), CatalogError>;

    /// Puts the task back with back-off, or ends the package when another try cannot help or tries are used up: its other
    /// tasks are cancelled then, those that are under way included. `Archive` ends alone, and is left alone. Where viewers
    /// have the package, that ends its healing and nothing else; with `Retry::NewVersion`, the version that is to take its
    /// place is queued in the same transaction, unless `headwater_model::queue::replacement` says why not.
    async fn fail(&self, lease: &Lease, failure: &Failure) -> Result<(), CatalogError>;

    /// Gives a claim back unused: the try does not count.
    async fn release(&self, lease: &Lease) -> Result<(), CatalogError>;

    /// Ends every lease at once. Only for a catalog whose one process has just started and so knows that whoever held
    /// them is dead.
    async fn end_all_leases(&self) -> Result<u64, CatalogError>;

    /// Does what is asked of a title.
    async fn steer(
        &self,
        tenant: &Tenant,
        title: &TitleId,
        order: Order,
    ) -> Result<Answer, CatalogError>;

    /// Does what is asked of a task of a tenant.
    async fn steer_task(
        &self,
        tenant: &Tenant,
        task: i64,
        order: TaskOrder,
    ) -> Result<Answer, CatalogError>;

    /// The tasks of a tenant that somebody wants to see, in the order of their age, at most `limit`.
    async fn tasks(
        &self,
        tenant: &Tenant,
        filter: &TaskFilter,
        limit: u32,
    ) -> Result<Vec<TaskRecord>, CatalogError>;

    /// Enters a worker that has come up, and says what name it goes by: the one that it wants or, while another process
    /// of that name is alive, one that is free (`headwater_model::worker::free_name`).
    async fn enlist(&self, worker: &Worker) -> Result<String, CatalogError>;

    /// Notes that a worker is there still, and how it is. False when it is not known any more and has to enlist again.
    async fn beat(
        &self,
        name: &str,
        instance: &str,
        state: WorkerState,
    ) -> Result<bool, CatalogError>;

    /// The workers that were heard of within a day, by name.
    async fn workers(&self) -> Result<Vec<WorkerRecord>, CatalogError>;

    /// Gives a duty to the process `instance` for `lease_ms` milliseconds from now, by the catalog's clock: when nobody has
    /// it, when whoever had it did not say so in time, or when it is the one that has it. False when another has it.
    async fn take_duty(
        &self,
        duty: Duty,
        instance: &str,
        lease_ms: i64,
    ) -> Result<bool, CatalogError>;

    /// Gives a duty back, so that another may have it at once. Nothing happens when another has it.
    async fn leave_duty(&self, duty: Duty, instance: &str) -> Result<(), CatalogError>;

    /// Notes what a look at a package came to: a finding opens an incident or renews the one that is open, and what the
    /// look proves right closes it ([`Look::closes`]). What is wrong with the title's pointers is none of a version that
    /// viewers neither get nor are about to get.
    ///
    /// What is open of versions that viewers do not get is settled whenever that may have changed, when a version goes
    /// live and when a healing ends: an incident of an object that viewers need passes to the version that they get, all
    /// others close (`headwater_model::incident::is_needed`).
    async fn note(&self, package: &PackageId, look: &Look) -> Result<(), CatalogError>;

    /// Incidents of a tenant or of one of its titles, oldest first: those that are open or, with `closed_too`, all.
    async fn incidents(
        &self,
        tenant: &Tenant,
        title: Option<&TitleId>,
        closed_too: bool,
        limit: u32,
    ) -> Result<Vec<Incident>, CatalogError>;

    /// Open incidents of an object on an origin, of whatever packages, oldest first.
    async fn incidents_of(
        &self,
        tenant: &Tenant,
        origin: &str,
        object: &str,
    ) -> Result<Vec<Incident>, CatalogError>;

    /// Queues `Heal` of a package that was published, and forgets what came out of it as other bytes before. False, and
    /// nothing happens, when something is being done about it already, or when it was never published or is condemned.
    async fn heal(&self, package: &PackageId) -> Result<bool, CatalogError>;

    /// Queues `Publish` of a package that was published before: viewers are to get it again. False, and nothing happens,
    /// when it never was or is condemned, or when something is being done about it already.
    async fn roll_back(&self, package: &PackageId) -> Result<bool, CatalogError>;

    /// Whether the queue has tasks of a package that are not finished. `Archive` does not count.
    async fn is_busy(&self, package: &PackageId) -> Result<bool, CatalogError>;

    /// Queues `Archive` of a package's master. False, and nothing happens, when it is under way for any package of that
    /// master, or when the package's master is not known.
    async fn archive(&self, package: &PackageId) -> Result<bool, CatalogError>;

    /// A master, if any package was made of it or a copy of it is known.
    async fn master(
        &self,
        tenant: &Tenant,
        sha256: Sha256,
    ) -> Result<Option<MasterRecord>, CatalogError>;

    /// The masters of a tenant that have a copy, or that the newest or live version of a title was made of, in the order
    /// of their SHA-256, behind `after`, at most `limit`.
    async fn masters(
        &self,
        tenant: &Tenant,
        after: Option<Sha256>,
        limit: u32,
    ) -> Result<Vec<MasterRecord>, CatalogError>;

    /// Keeps a copy of a master that was found in an archive and is not proven. One that is known stays as it is.
    async fn keep_copy(&self, tenant: &Tenant, copy: &MasterCopy) -> Result<(), CatalogError>;

    /// What the last probe of an origin found, and when. `settings` stands for where it is and how it is asked: a profile
    /// of other settings is none.
    async fn profile(
        &self,
        origin: &str,
        settings: &str,
    ) -> Result<Option<(Profile, Timestamp)>, CatalogError>;

    /// Keeps what a probe of an origin found.
    async fn keep_profile(
        &self,
        origin: &str,
        settings: &str,
        profile: &Profile,
    ) -> Result<(), CatalogError>;

    /// What origins should have of a tenant's titles, in the order of their keys, those behind the title whose keys start
    /// with `after`, at most `limit`.
    async fn holdings(
        &self,
        tenant: &Tenant,
        after: Option<&str>,
        limit: u32,
    ) -> Result<Vec<Holding>, CatalogError>;

    /// The same of one title.
    async fn holding(
        &self,
        tenant: &Tenant,
        title: &TitleId,
    ) -> Result<Option<Holding>, CatalogError>;

    /// What long work has written down under `name`, to go on from there, and when.
    async fn checkpoint(&self, name: &str) -> Result<Option<(String, Timestamp)>, CatalogError>;

    /// Writes it down; with `None`, forgets it.
    async fn keep_checkpoint(&self, name: &str, text: Option<&str>) -> Result<(), CatalogError>;

    /// Condemns versions that are about to be deleted: from then on they are neither healed nor rolled back to. All of
    /// them or, when the title is not as it was `seen` or has anything in the queue (`Archive` does not count), none, and
    /// then it is false. Refused for what viewers get and for the newest version.
    async fn condemn(&self, seen: &Holding, versions: &[Version]) -> Result<bool, CatalogError>;

    /// Forgets a condemned package whose objects were deleted.
    async fn forget(&self, package: &PackageId) -> Result<(), CatalogError>;

    /// Keeps the version's number, and all below it, from being given to another one: an origin has something under it
    /// that is not known any more.
    async fn take(&self, package: &PackageId) -> Result<(), CatalogError>;

    /// Takes over a title that is not known, as it was found on an origin.
    async fn restore(&self, restored: &Restored) -> Result<(), CatalogError>;
}
