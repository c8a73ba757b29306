//! The catalog of a cluster: a PostgreSQL database that any number of processes share (R8).
//!
//! What SQLite gets from having one writer, this gets from locks. A transaction that changes a title has that title to
//! itself (an advisory lock on its name), and so counts what is left of it by what is committed; tasks are claimed with
//! `for update skip locked`, each by one; everything else is single rows. Locks and leases die with their connection or
//! by the server's clock, which is the only one that counts.
//!
//! What is done a thousand times a second, claiming a task, renewing its lease and completing a span, is one statement
//! each, and completions of one title do not wait for each other (`complete_made_1` in the migrations says why the last of
//! a package still knows that it is the last). Whatever such a statement does not know how to deal with it leaves alone,
//! and a transaction with the title to itself does it.

use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use std::{fmt, io};

use async_trait::async_trait;
use headwater_model::time::Timestamp;
use headwater_ports::catalog::CatalogError;
use headwater_ports::clock::Clock;
use sqlx::migrate::Migrator;
use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions};
use sqlx::{ConnectOptions, Executor, PgConnection, Postgres, SqlSafeStr, Transaction};
use tokio::time::{sleep, timeout};

use crate::catalog::{Lock, SqlCatalog, Store};
use crate::db::Db;
use crate::error::Fault;
use crate::statements::lanes::Book;
use crate::statements::plans::Shelf;

mod news;
mod schema;

use news::News;

static MIGRATIONS: Migrator = sqlx::migrate!("../../migrations/postgres");

/// Connections of a process that is not told to do with fewer. Transactions take milliseconds: a few serve dozens of tasks.
const CONNECTIONS: u32 = 8;

/// How long a call waits for a connection before it says that the database is away: as long as one takes to come up, not
/// as long as a fail-over, which callers wait for as they see fit.
pub(crate) const CONNECT: Duration = Duration::from_secs(5);

/// How long a transaction may take. A server that is cut off from power says no farewell, and TCP waits for it for a quarter
/// of an hour; nothing that is asked here takes a server that is there as long as this.
const ANSWERS_WITHIN: Duration = Duration::from_secs(20);

/// Tries of a transaction that lost its connection or was in another's way. A restart of the server breaks every
/// connection there is, and each try meets one of them.
const TRIES: u32 = CONNECTIONS + 2;

/// Tries of one that was not answered: the second is made on a new connection, which is to whoever has taken over.
const TRIES_OF_SILENCE: u32 = 2;

/// Before the first of them, more before each further one.
const PAUSE: Duration = Duration::from_millis(10);

/// How old what is known of the lanes may be.
const BOOK_LASTS: Duration = Duration::from_secs(1);

/// What each connection is told at first.
///
/// - The server lets go of what a process holds that is cut off in the middle of a transaction: without it, the title that
///   it has locked would be locked until TCP gives up, which takes hours.
/// - Each statement sees what was committed before it, whatever the database's own default is: `complete_made_1` counts on
///   it.
/// - A plan of a statement that changes something serves whatever values it is given, since all of them look for rows by
///   keys. Left to itself, the server makes a plan for each claim, which takes it half as long as the claim. Nor is
///   anything here worth compiling. A plan is kept, and may have been made when a table was so small that reading all of
///   it was best: where there is an index, it is taken.
const SESSION: &str = "set idle_in_transaction_session_timeout = '30s'; \
    set tcp_keepalives_idle = 10; set tcp_keepalives_interval = 5; set tcp_keepalives_count = 4; \
    set tcp_user_timeout = 30000; set default_transaction_isolation = 'read committed'; \
    set plan_cache_mode = force_generic_plan; set jit = off; set enable_seqscan = off";

/// How statements are remembered by a connection: all there are.
const STATEMENTS: usize = 256;

/// A catalog in a PostgreSQL database.
pub type PostgresCatalog = SqlCatalog<PostgresDatabase>;

/// How to get to a database.
#[derive(Clone)]
pub struct PostgresOptions {
    connect: PgConnectOptions,
    connections: u32,
    clock: Option<Arc<dyn Clock>>,
    book_lasts: Duration,
    answers_within: Duration,
}

impl fmt::Debug for PostgresOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PostgresOptions({})", self.place())
    }
}

impl PostgresOptions {
    /// Reads `postgres://user@host:port/database?sslmode=…`; what is missing comes from the usual variables (`PGHOST` …).
    ///
    /// # Errors
    ///
    /// A sentence that does not tell the address, since that may hold a password.
    pub fn parse(url: &str) -> Result<Self, String> {
        if !url.starts_with("postgres://") && !url.starts_with("postgresql://") {
            return Err("it does not start with `postgres://`".to_owned());
        }
        let connect: PgConnectOptions =
            url.parse().map_err(|_| "it is not an address of a PostgreSQL database".to_owned())?;
        let connect = connect
            .application_name("headwater")
            .statement_cache_capacity(STATEMENTS)
            // What fails says which operation it was.
            .disable_statement_logging();
        Ok(Self {
            connect,
            connections: CONNECTIONS,
            clock: None,
            book_lasts: BOOK_LASTS,
            answers_within: ANSWERS_WITHIN,
        })
    }

    /// With this password.
    pub fn password(mut self, password: &str) -> Self {
        self.connect = self.connect.password(password);
        self
    }

    /// With at most so many connections.
    pub fn connections(mut self, connections: u32) -> Self {
        self.connections = connections.max(1);
        self
    }

    /// By another clock than the server's, and with nothing remembered from claim to claim: for tests that move the time.
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = Some(clock);
        self.book_lasts = Duration::ZERO;
        self
    }

    /// By another clock than the server's, and with what is remembered from claim to claim getting old by that clock: for
    /// simulations.
    pub fn clock_for_all(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = Some(clock);
        self
    }

    /// With a server that is taken for gone when it has not answered within `limit`: for tests.
    pub fn answers_within(mut self, limit: Duration) -> Self {
        self.answers_within = limit;
        self
    }

    /// Where it is, without secrets: `host:port/database`.
    pub fn place(&self) -> String {
        let (host, port) = (self.connect.get_host(), self.connect.get_port());
        let database = self.connect.get_database().unwrap_or_else(|| self.connect.get_username());
        format!("{host}:{port}/{database}")
    }
}

/// The database.
pub struct PostgresDatabase {
    pool: PgPool,
    silence: Arc<Silence>,
    answers_within: Duration,
    clock: Option<Arc<dyn Clock>>,
    plans: Arc<Shelf>,
    news: News,
}

/// When a server last fell silent. What was connected before that leads to a machine that may be gone, and is not used
/// again: asking each of them would take as long as the first.
#[derive(Default)]
struct Silence(Mutex<Option<Instant>>);

impl Silence {
    fn fell(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
    }

    /// Whether a connection of this age was there then.
    fn befell(&self, age: Duration) -> bool {
        let fell = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        fell.is_some_and(|fell| fell.elapsed() <= age)
    }
}

impl PostgresCatalog {
    /// Opens the catalog in a database and brings its schema up to date, which others may be using meanwhile: migrations
    /// only add (`migrations/README.md`).
    ///
    /// # Errors
    ///
    /// [`CatalogError::TooNew`] when the schema needs a newer Headwater; [`CatalogError::Away`] when the server does not
    /// answer; [`CatalogError::TurnedAway`] when it does not take the login or has no such database.
    pub async fn connect(options: &PostgresOptions) -> Result<Self, CatalogError> {
        Self::try_connect(options).await.map_err(Fault::opening)
    }

    async fn try_connect(options: &PostgresOptions) -> Result<Self, Fault> {
        let PostgresOptions { connect, connections, clock, book_lasts, answers_within } =
            options.clone();
        let first = timeout(CONNECT, connect.connect()).await;
        let mut first = first.unwrap_or(Err(sqlx::Error::PoolTimedOut))?;
        first.execute(SESSION).await?;
        schema::bring_up_to_date(&mut first, &MIGRATIONS).await?;
        drop(first);
        let silence = Arc::new(Silence::default());
        let (before, after) = (silence.clone(), silence.clone());
        let pool = PgPoolOptions::new()
            .max_connections(connections)
            .acquire_timeout(CONNECT)
            .after_connect(|connection, _| {
                Box::pin(async move { connection.execute(SESSION).await.map(|_| ()) })
            })
            // A broken one shows at its first statement, and the transaction is tried again: asking each time whether it
            // is there would be one more round trip of every transaction.
            .test_before_acquire(false)
            .before_acquire(move |_, it| {
                let is_of_use = !before.befell(it.age);
                Box::pin(async move { Ok(is_of_use) })
            })
            // Without it, what was dropped in the middle of a statement would wait here for its answer, in the place of
            // another connection.
            .after_release(move |_, it| {
                let is_silent = after.befell(it.age);
                let gone = || sqlx::Error::Io(io::ErrorKind::TimedOut.into());
                Box::pin(async move { if is_silent { Err(gone()) } else { Ok(true) } })
            })
            .connect_with(connect.clone())
            .await?;
        let (book, news) = (Book::new(book_lasts, clock.clone()), News::of(connect));
        let store =
            PostgresDatabase { pool, silence, answers_within, clock, plans: Arc::default(), news };
        Ok(Self::new(store, book))
    }

    /// Waits for what is under way and closes all connections.
    pub async fn close(&self) {
        self.store.pool.close().await;
    }
}

/// The server's time in milliseconds since 1970, once all locks of the statement are held.
macro_rules! with_time {
    ($lock:literal) => {
        concat!(
            "with lock as materialized (",
            $lock,
            ") select cast(extract(epoch from clock_timestamp()) * 1000 as bigint) from lock"
        )
    };
}

impl PostgresDatabase {
    fn given(&self) -> Option<Timestamp> {
        self.clock.as_ref().map(|clock| clock.now())
    }

    async fn lock(&self, tx: &mut PgConnection, lock: Lock<'_>) -> Result<Timestamp, Fault> {
        // Names and not rows: a title that is just being made has none yet.
        let time = match lock {
            Lock::None => sqlx::query_scalar(with_time!("select 1")).fetch_one(tx).await?,
            Lock::Title(tenant, title) => {
                sqlx::query_scalar(with_time!(
                    "select pg_advisory_xact_lock(hashtextextended($1 || '/' || $2, 0))"
                ))
                .bind(tenant.as_str())
                .bind(title.as_str())
                .fetch_one(tx)
                .await?
            }
            // One row whether or not there is such a task: who works with it finds out.
            Lock::Task(task) => {
                sqlx::query_scalar(with_time!(
                    "select count(pg_advisory_xact_lock(hashtextextended(t.tenant || '/' || t.title, 0))::text) \
                     from tasks k join packages p on p.id = k.package_id join titles t on t.id = p.title_id \
                     where k.id = $1"
                ))
                .bind(task)
                .fetch_one(tx)
                .await?
            }
        };
        Ok(self.given().unwrap_or(Timestamp(time)))
    }

    async fn begin(
        &self,
        statement: &'static str,
        lock: Lock<'_>,
    ) -> Result<(Transaction<'static, Postgres>, Timestamp), Fault> {
        let mut tx = self.open(statement).await?;
        let now = self.lock(&mut tx, lock).await?;
        Ok((tx, now))
    }

    /// Begins a transaction. In a task of its own, which goes on when nobody waits for it any more: sqlx 0.9 loses sight of a
    /// transaction whose beginning is dropped, and its connection goes back to the pool with it open
    /// (<https://github.com/launchbadge/sqlx/issues/4393>, mended after 0.9.0: this goes when that is released). What others
    /// then do on that connection is not kept, and once a statement fails, so do all after it.
    async fn open(&self, statement: &'static str) -> Result<Transaction<'static, Postgres>, Fault> {
        // There are no more such tasks than connections: whoever waits for one can be stopped.
        let connection = self.pool.acquire().await?;
        let (silence, limit) = (self.silence.clone(), self.answers_within);
        let begun = tokio::spawn(async move {
            let begin = pin!(Transaction::begin(connection, Some(statement.into_sql_str())));
            match timeout(limit, begin).await {
                Ok(begun) => begun.map_err(Fault::from),
                // It is dropped only after the pool knows, which then has no use for its connection.
                Err(_) => {
                    silence.fell();
                    Err(Fault::Silent(limit))
                }
            }
        });
        // Nobody stops it but the end of the process.
        begun.await.unwrap_or(Err(Fault::Sql(sqlx::Error::WorkerCrashed)))
    }
}

#[async_trait]
impl Store for PostgresDatabase {
    async fn change(&self, lock: Lock<'_>) -> Result<Db, Fault> {
        // Each statement sees what was committed before it: what is counted after the lock is the truth.
        let (tx, now) = self.begin("begin isolation level read committed", lock).await?;
        Ok(Db::postgres(tx, now, self.given(), self.plans.clone()))
    }

    async fn look(&self) -> Result<Db, Fault> {
        // What is looked for is often left open: each plan is made for what is asked.
        let statement =
            "begin isolation level repeatable read, read only; set local plan_cache_mode = auto";
        let (tx, now) = self.begin(statement, Lock::None).await?;
        Ok(Db::postgres(tx, now, self.given(), self.plans.clone()))
    }

    fn has_short_ways(&self) -> bool {
        true
    }

    async fn each(&self) -> Result<Db, Fault> {
        let connection = self.pool.acquire().await?;
        Ok(Db::postgres_each(connection, self.given(), self.plans.clone()))
    }

    async fn commit(&self, mut tx: Db) -> Result<(), Fault> {
        if tx.queues {
            news::tell(&mut tx).await?;
        }
        tx.commit().await
    }

    fn answers_within(&self) -> Option<Duration> {
        Some(self.answers_within)
    }

    fn fell_silent(&self) {
        self.silence.fell();
    }

    /// What was answered stays true when it is tried again: results carry the token of their lease, and what else is asked
    /// for twice is found to be there. That an order of somebody was carried out may then be told as that there is nothing
    /// to do.
    async fn again(&self, fault: &Fault, tries: u32) -> bool {
        let tries_at_most =
            if matches!(fault, Fault::Silent(_)) { TRIES_OF_SILENCE } else { TRIES };
        if tries >= tries_at_most || !(fault.lost_connection() || fault.was_in_the_way()) {
            return false;
        }
        sleep(PAUSE * tries).await;
        true
    }

    async fn news(&self) {
        self.news.wait().await;
    }
}

#[cfg(test)]
mod tests;
