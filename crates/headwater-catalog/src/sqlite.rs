//! The catalog of one machine: a SQLite file, and the port's methods, each of them one transaction on it.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use headwater_model::archive::{MasterCopy, MasterRecord};
use headwater_model::audit::Holding;
use headwater_model::id::{Sha256, Tenant, TitleId, Version};
use headwater_model::incident::{Incident, Look};
use headwater_model::inventory::Object;
use headwater_model::key::PackageId;
use headwater_model::life::{Event, Making, PackageRecord, Restored, TitleRecord};
use headwater_model::origin::Profile;
use headwater_model::task::{Claimed, Failure, Lease, NewTitle, Outcome, Role};
use headwater_model::time::Timestamp;
use headwater_ports::catalog::{Catalog, CatalogError, SeenFile, Submitted};
use headwater_ports::clock::Clock;
use sqlx::migrate::Migrator;
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
};
use sqlx::{ConnectOptions, Connection, Sqlite, Transaction};

use crate::error::Fault;
use crate::{archived, holdings, incidents, packages, profiles, results, tasks, titles};

mod room;

static MIGRATIONS: Migrator = sqlx::migrate!("../../migrations/sqlite");

/// How soon a file that another process is just making is opened again.
const BUSY_AGAIN: Duration = Duration::from_millis(20);

/// How long a writer waits for another process. Transactions here take milliseconds; a disk that transcoders keep busy
/// can make one of its syncs take seconds.
const BUSY_TIMEOUT: Duration = Duration::from_secs(30);

/// Connections that read at the same time: the web page, `status --follow` and a few workers. More would wait for the
/// disk instead of for each other.
const READERS: u32 = 4;

/// A catalog in a SQLite file.
pub struct SqliteCatalog {
    /// One connection: SQLite has one writer at a time, and waiting for a connection is fair where waiting for the
    /// file's lock is not.
    writer: SqlitePool,
    readers: SqlitePool,
    clock: Arc<dyn Clock>,
}

impl SqliteCatalog {
    /// Opens the catalog in the file `path`, which is made if it is missing, and brings its schema up to date.
    ///
    /// # Errors
    ///
    /// [`CatalogError::TooNew`] when a newer Headwater has been at the file; it is left as it was.
    pub async fn open(path: &Path, clock: Arc<dyn Clock>) -> Result<Self, CatalogError> {
        let started = Instant::now();
        loop {
            match Self::try_open(options(path), clock.clone()).await {
                // SQLite does not wait by itself while another process switches a new file to its log.
                Err(fault) if fault.is_busy() && started.elapsed() < BUSY_TIMEOUT => {
                    tokio::time::sleep(BUSY_AGAIN).await;
                }
                opened => return opened.map_err(|fault| fault.during("open the catalog")),
            }
        }
    }

    async fn try_open(options: SqliteConnectOptions, clock: Arc<dyn Clock>) -> Result<Self, Fault> {
        let log = log_of(options.get_filename());
        let writer = SqlitePoolOptions::new()
            .max_connections(1)
            .idle_timeout(None)
            .max_lifetime(None)
            .after_release(move |connection, _| {
                let log = log.clone();
                Box::pin(async move {
                    // A full disk makes SQLite roll back by itself, and the rollback that follows fails: such a
                    // connection would refuse every transaction from then on.
                    if connection.is_in_transaction() {
                        return Ok(false);
                    }
                    // On a full disk none can be made; what was made before is for that moment.
                    let _ = room::keep(connection, &log).await;
                    Ok(true)
                })
            })
            .connect_with(options.clone())
            .await?;
        // One transaction round all migrations: two processes that open a new file at once take turns, and whoever
        // comes second finds the work done.
        let mut tx = writer.begin_with("begin immediate").await?;
        // `Migrator::run` does just this, but through a trait that costs the future its `Send`.
        MIGRATIONS.run_direct(None, &mut *tx, false).await.map_err(Fault::Migrate)?;
        tx.commit().await?;
        let readers = SqlitePoolOptions::new()
            .max_connections(READERS)
            // One that stays: with the last connection SQLite would give up the log, and the room that is in it.
            .min_connections(1)
            .idle_timeout(None)
            .max_lifetime(None)
            .connect_with(options.pragma("query_only", "on"))
            .await?;
        Ok(Self { writer, readers, clock })
    }

    /// Waits for what is under way and closes the file, which folds the write-ahead log into it.
    pub async fn close(&self) {
        self.readers.close().await;
        self.writer.close().await;
    }

    /// Starts a change. Take the time after this: the write lock is held then.
    async fn change(&self) -> Result<Transaction<'static, Sqlite>, Fault> {
        Ok(self.writer.begin_with("begin immediate").await?)
    }

    /// Makes room for one more change on a full disk.
    async fn use_room(&self) -> Result<(), Fault> {
        room::start_log_over(&mut *self.writer.acquire().await?).await
    }

    /// Starts reading: everything that is read through it is of one moment.
    async fn look(&self) -> Result<Transaction<'static, Sqlite>, Fault> {
        Ok(self.readers.begin().await?)
    }
}

fn options(path: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(true)
        .busy_timeout(BUSY_TIMEOUT)
        .journal_mode(SqliteJournalMode::Wal)
        // A decision that was answered must survive a power cut; `normal` may lose the last ones.
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        // What fails says which operation it was; a slow disk is no news.
        .disable_statement_logging()
}

/// SQLite's write-ahead log of the file `path`.
fn log_of(path: &Path) -> PathBuf {
    let mut log = path.as_os_str().to_owned();
    log.push("-wal");
    log.into()
}

/// Runs the statements of a method as one transaction of `$self`: `$start` begins it, `$body` does the work with it, and
/// only when that succeeds is it committed. On a full disk it is run once more, in the room that is kept for that. Async
/// closures cannot promise to be `Send` yet, hence a macro.
macro_rules! transaction {
    ($self:ident.$start:ident(), $operation:literal, |$tx:ident| $body:expr) => {{
        let mut room_used = false;
        loop {
            let work = async {
                let mut $tx = $self.$start().await?;
                let answer = $body.await?;
                $tx.commit().await?;
                Ok::<_, Fault>(answer)
            };
            match work.await {
                Err(fault) if fault.is_full() && !room_used && $self.use_room().await.is_ok() => {
                    room_used = true;
                }
                done => break done.map_err(|fault| fault.during($operation)),
            }
        }
    }};
}

#[async_trait]
impl Catalog for SqliteCatalog {
    async fn submit(&self, new: &NewTitle) -> Result<Submitted, CatalogError> {
        transaction!(self.change(), "queue the title", |tx| titles::submit(
            &mut tx,
            new,
            self.clock.now()
        ))
    }

    async fn knows_file(&self, file: &SeenFile) -> Result<bool, CatalogError> {
        transaction!(self.look(), "look for the file", |tx| titles::knows_file(&mut tx, file))
    }

    async fn remember_file(&self, file: &SeenFile) -> Result<bool, CatalogError> {
        transaction!(self.change(), "remember the file", |tx| titles::remember_file(&mut tx, file))
    }

    async fn title(
        &self,
        tenant: &Tenant,
        title: &TitleId,
    ) -> Result<Option<TitleRecord>, CatalogError> {
        let now = self.clock.now();
        transaction!(self.look(), "read the title", |tx| titles::one(&mut tx, tenant, title, now))
    }

    async fn titles(&self, tenant: &Tenant, limit: u32) -> Result<Vec<TitleRecord>, CatalogError> {
        let now = self.clock.now();
        transaction!(self.look(), "list titles", |tx| titles::list(&mut tx, tenant, limit, now))
    }

    async fn events(&self, tenant: &Tenant, title: &TitleId) -> Result<Vec<Event>, CatalogError> {
        transaction!(self.look(), "read the history", |tx| titles::events(&mut tx, tenant, title))
    }

    async fn package(&self, package: &PackageId) -> Result<Option<PackageRecord>, CatalogError> {
        transaction!(self.look(), "read the package", |tx| packages::one(&mut tx, package))
    }

    async fn making(&self, package: &PackageId) -> Result<Option<Making>, CatalogError> {
        transaction!(self.look(), "read how a package came about", |tx| packages::making(
            &mut tx, package
        ))
    }

    async fn last_words(&self, package: &PackageId) -> Result<Option<String>, CatalogError> {
        transaction!(self.look(), "read last words", |tx| packages::last_words(&mut tx, package))
    }

    async fn objects(&self, package: &PackageId) -> Result<Vec<Object>, CatalogError> {
        transaction!(self.look(), "list objects", |tx| packages::objects(&mut tx, package))
    }

    async fn packages_of(
        &self,
        tenant: &Tenant,
        master: Sha256,
        pipeline: Sha256,
    ) -> Result<Vec<(PackageId, bool)>, CatalogError> {
        transaction!(self.look(), "look for the master", |tx| packages::of(
            &mut tx, tenant, master, pipeline
        ))
    }

    async fn claim(
        &self,
        worker: &str,
        roles: &[Role],
        lease_ms: i64,
    ) -> Result<Option<Claimed>, CatalogError> {
        transaction!(self.change(), "claim a task", |tx| tasks::claim(
            &mut tx,
            worker,
            roles,
            lease_ms,
            self.clock.now()
        ))
    }

    async fn renew(
        &self,
        lease: &Lease,
        lease_ms: i64,
        frames_done: u64,
    ) -> Result<Lease, CatalogError> {
        transaction!(self.change(), "renew the lease", |tx| tasks::renew(
            &mut tx,
            lease,
            lease_ms,
            frames_done,
            self.clock.now()
        ))
    }

    async fn complete(&self, lease: &Lease, outcome: &Outcome) -> Result<(), CatalogError> {
        transaction!(self.change(), "accept the result", |tx| results::complete(
            &mut tx,
            lease,
            outcome,
            self.clock.now()
        ))
    }

    async fn fail(&self, lease: &Lease, failure: &Failure) -> Result<(), CatalogError> {
        transaction!(self.change(), "note the failure", |tx| results::fail(
            &mut tx,
            lease,
            failure,
            self.clock.now()
        ))
    }

    async fn release(&self, lease: &Lease) -> Result<(), CatalogError> {
        transaction!(self.change(), "give the task back", |tx| tasks::release(
            &mut tx,
            lease,
            self.clock.now()
        ))
    }

    async fn end_all_leases(&self) -> Result<u64, CatalogError> {
        transaction!(self.change(), "end all leases", |tx| tasks::end_all_leases(
            &mut tx,
            self.clock.now()
        ))
    }

    async fn note(&self, package: &PackageId, look: &Look) -> Result<(), CatalogError> {
        transaction!(self.change(), "note what was found", |tx| incidents::note(
            &mut tx,
            package,
            look,
            self.clock.now()
        ))
    }

    async fn incidents(
        &self,
        tenant: &Tenant,
        title: Option<&TitleId>,
        closed_too: bool,
        limit: u32,
    ) -> Result<Vec<Incident>, CatalogError> {
        transaction!(self.look(), "read incidents", |tx| incidents::list(
            &mut tx, tenant, title, closed_too, limit
        ))
    }

    async fn incidents_of(
        &self,
        tenant: &Tenant,
        origin: &str,
        object: &str,
    ) -> Result<Vec<Incident>, CatalogError> {
        transaction!(self.look(), "read incidents", |tx| incidents::of(
            &mut tx, tenant, origin, object
        ))
    }

    async fn heal(&self, package: &PackageId) -> Result<bool, CatalogError> {
        transaction!(self.change(), "queue the healing", |tx| tasks::heal(
            &mut tx,
            package,
            self.clock.now()
        ))
    }

    async fn roll_back(&self, package: &PackageId) -> Result<bool, CatalogError> {
        transaction!(self.change(), "queue the rollback", |tx| tasks::roll_back(
            &mut tx,
            package,
            self.clock.now()
        ))
    }

    async fn is_busy(&self, package: &PackageId) -> Result<bool, CatalogError> {
        transaction!(self.look(), "look at the queue", |tx| tasks::is_busy(&mut tx, package))
    }

    async fn archive(&self, package: &PackageId) -> Result<bool, CatalogError> {
        transaction!(self.change(), "queue the archiving", |tx| archived::archive(
            &mut tx,
            package,
            self.clock.now()
        ))
    }

    async fn master(
        &self,
        tenant: &Tenant,
        sha256: Sha256,
    ) -> Result<Option<MasterRecord>, CatalogError> {
        transaction!(self.look(), "read the master", |tx| archived::one(&mut tx, tenant, sha256))
    }

    async fn masters(
        &self,
        tenant: &Tenant,
        after: Option<Sha256>,
        limit: u32,
    ) -> Result<Vec<MasterRecord>, CatalogError> {
        transaction!(self.look(), "list masters", |tx| archived::list(
            &mut tx, tenant, after, limit
        ))
    }

    async fn keep_copy(&self, tenant: &Tenant, copy: &MasterCopy) -> Result<(), CatalogError> {
        transaction!(self.change(), "keep a copy of a master", |tx| archived::keep_found(
            &mut tx, tenant, copy
        ))
    }

    async fn holdings(
        &self,
        tenant: &Tenant,
        after: Option<&str>,
        limit: u32,
    ) -> Result<Vec<Holding>, CatalogError> {
        transaction!(self.look(), "read holdings", |tx| holdings::list(
            &mut tx, tenant, after, limit
        ))
    }

    async fn holding(
        &self,
        tenant: &Tenant,
        title: &TitleId,
    ) -> Result<Option<Holding>, CatalogError> {
        transaction!(self.look(), "read a holding", |tx| holdings::one(&mut tx, tenant, title))
    }

    async fn checkpoint(&self, name: &str) -> Result<Option<(String, Timestamp)>, CatalogError> {
        transaction!(self.look(), "read a checkpoint", |tx| holdings::checkpoint(&mut tx, name))
    }

    async fn keep_checkpoint(&self, name: &str, text: Option<&str>) -> Result<(), CatalogError> {
        transaction!(self.change(), "keep a checkpoint", |tx| holdings::keep_checkpoint(
            &mut tx,
            name,
            text,
            self.clock.now()
        ))
    }

    async fn condemn(&self, seen: &Holding, versions: &[Version]) -> Result<bool, CatalogError> {
        transaction!(self.change(), "condemn versions", |tx| holdings::condemn(
            &mut tx,
            seen,
            versions,
            self.clock.now()
        ))
    }

    async fn forget(&self, package: &PackageId) -> Result<(), CatalogError> {
        transaction!(self.change(), "forget the package", |tx| holdings::forget(
            &mut tx,
            package,
            self.clock.now()
        ))
    }

    async fn take(&self, package: &PackageId) -> Result<(), CatalogError> {
        transaction!(self.change(), "take a number", |tx| titles::take(&mut tx, package))
    }

    async fn restore(&self, restored: &Restored) -> Result<(), CatalogError> {
        transaction!(self.change(), "take over a title", |tx| holdings::restore(
            &mut tx,
            restored,
            self.clock.now()
        ))
    }

    async fn profile(
        &self,
        origin: &str,
        settings: &str,
    ) -> Result<Option<(Profile, Timestamp)>, CatalogError> {
        transaction!(self.look(), "read the profile", |tx| profiles::one(&mut tx, origin, settings))
    }

    async fn keep_profile(
        &self,
        origin: &str,
        settings: &str,
        profile: &Profile,
    ) -> Result<(), CatalogError> {
        transaction!(self.change(), "keep the profile", |tx| profiles::keep(
            &mut tx,
            origin,
            settings,
            profile,
            self.clock.now()
        ))
    }
}

#[cfg(test)]
mod tests;
