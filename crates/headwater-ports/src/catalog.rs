//! Titles, packages, tasks and leases: decisions, kept through any crash.

use async_trait::async_trait;
use headwater_model::finding::Finding;
use headwater_model::id::{Sha256, Tenant, TitleId, Version};
use headwater_model::inventory::Object;
use headwater_model::key::PackageId;
use headwater_model::life::{Event, PackageRecord, TitleRecord};
use headwater_model::task::{Claimed, Failure, Lease, NewTitle, Outcome, Role};
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

/// The catalog.
#[async_trait]
pub trait Catalog: Send + Sync {
    /// Queues a title: a new one as `v1`, a known one as its next version. A title whose newest package failed or was
    /// rejected resumes that version when the master's path and pipeline are the same and `again` is not set, so that
    /// finished spans are kept.
    async fn submit(&self, new: &NewTitle) -> Result<Submitted, CatalogError>;

    /// Remembers a file of a watched folder; true when it was not known in this size and time.
    async fn remember_file(&self, file: &SeenFile) -> Result<bool, CatalogError>;

    /// One title.
    async fn title(
        &self,
        tenant: &Tenant,
        title: &TitleId,
    ) -> Result<Option<TitleRecord>, CatalogError>;

    /// All titles of a tenant, newest first, at most `limit`.
    async fn titles(&self, tenant: &Tenant, limit: u32) -> Result<Vec<TitleRecord>, CatalogError>;

    /// History of a title, oldest first.
    async fn events(&self, tenant: &Tenant, title: &TitleId) -> Result<Vec<Event>, CatalogError>;

    /// One package.
    async fn package(&self, package: &PackageId) -> Result<Option<PackageRecord>, CatalogError>;

    /// The objects of a package that is being made, by path. Empty once it is sealed: then the inventory has them (R7).
    async fn objects(&self, package: &PackageId) -> Result<Vec<Object>, CatalogError>;

    /// Packages that were made or are being made from this master with this pipeline (`sha256`s), newest first.
    async fn packages_of(
        &self,
        tenant: &Tenant,
        master: Sha256,
        pipeline: Sha256,
    ) -> Result<Vec<(PackageId, bool)>, CatalogError>;

    /// Claims the best task that one of `roles` may do, for `lease_ms` from now.
    async fn claim(
        &self,
        worker: &str,
        roles: &[Role],
        lease_ms: i64,
    ) -> Result<Option<Claimed>, CatalogError>;

    /// Keeps a claim alive for `lease_ms` from now and notes how many frames are done.
    async fn renew(
        &self,
        lease: &Lease,
        lease_ms: i64,
        frames_done: u64,
    ) -> Result<Lease, CatalogError>;

    /// Accepts a result and, in the same transaction, takes the title on (`headwater_model::life::after`).
    async fn complete(&self, lease: &Lease, outcome: &Outcome) -> Result<(), CatalogError>;

    /// Puts the task back with back-off, or ends the title when another try cannot help or tries are used up.
    async fn fail(&self, lease: &Lease, failure: &Failure) -> Result<(), CatalogError>;

    /// Gives a claim back unused: the try does not count.
    async fn release(&self, lease: &Lease) -> Result<(), CatalogError>;

    /// Ends every lease at once. Only for a catalog whose one process has just started and so knows that whoever held
    /// them is dead.
    async fn end_all_leases(&self) -> Result<u64, CatalogError>;

    /// Replaces the findings of a package.
    async fn record_findings(
        &self,
        package: &PackageId,
        findings: &[Finding],
    ) -> Result<(), CatalogError>;

    /// The findings of a package's last proof.
    async fn findings(&self, package: &PackageId) -> Result<Vec<Finding>, CatalogError>;
}
