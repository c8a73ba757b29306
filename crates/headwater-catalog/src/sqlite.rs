//! The catalog of one machine: a SQLite file, and the port's methods, each of them one transaction on it.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use headwater_ports::catalog::CatalogError;
use headwater_ports::clock::Clock;
use sqlx::migrate::Migrator;
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
};
use sqlx::{ConnectOptions, Connection};

use crate::catalog::{Lock, SqlCatalog, Store};
use crate::db::Db;
use crate::error::Fault;
use crate::statements::lanes::Book;
use crate::statements::plans::Shelf;

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
pub type SqliteCatalog = SqlCatalog<SqliteFile>;

/// The file.
pub struct SqliteFile {
    /// One connection: SQLite has one writer at a time, and waiting for a connection is fair where waiting for the
    /// file's lock is not.
    writer: SqlitePool,
    readers: SqlitePool,
    clock: Arc<dyn Clock>,
    plans: Arc<Shelf>,
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
        let store = SqliteFile { writer, readers, clock, plans: Arc::default() };
        // Its own rows are read from memory, so it is asked each time.
        Ok(Self::new(store, Book::new(Duration::ZERO, None)))
    }

    /// Waits for what is under way and closes the file, which folds the write-ahead log into it.
    pub async fn close(&self) {
        self.store.readers.close().await;
        self.store.writer.close().await;
    }
}

#[async_trait]
impl Store for SqliteFile {
    async fn change(&self, _lock: Lock<'_>) -> Result<Db, Fault> {
        let tx = self.writer.begin_with("begin immediate").await?;
        // The write lock is held now.
        Ok(Db::sqlite(tx, self.clock.now(), self.plans.clone()))
    }

    async fn look(&self) -> Result<Db, Fault> {
        let tx = self.readers.begin().await?;
        Ok(Db::sqlite(tx, self.clock.now(), self.plans.clone()))
    }

    async fn commit(&self, tx: Db) -> Result<(), Fault> {
        tx.commit().await
    }

    /// Makes room for one more change on a full disk.
    async fn again(&self, fault: &Fault, tries: u32) -> bool {
        if !fault.is_full() || tries > 1 {
            return false;
        }
        let Ok(mut connection) = self.writer.acquire().await else { return false };
        room::start_log_over(&mut connection).await.is_ok()
    }

    /// Nobody tells; who waits for work looks once in a while.
    async fn news(&self) {
        std::future::pending().await
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

#[cfg(test)]
mod tests;
