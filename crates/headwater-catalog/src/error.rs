//! Turns what goes wrong inside a transaction into what a caller of the port can act on, in one place.

use std::borrow::Cow;
use std::io;
use std::time::Duration;

use headwater_ports::catalog::CatalogError;
use sqlx::migrate::MigrateError;

use crate::postgres::CONNECT;

/// Why a transaction was not carried out.
#[derive(Debug)]
pub enum Fault {
    /// The lease is not held any more.
    LeaseLost { task: i64 },
    /// The database said no.
    Sql(sqlx::Error),
    /// The server has not answered for this long.
    Silent(Duration),
    /// The schema needs a newer build.
    TooNew,
    /// The schema could not be brought up to date.
    Migrate(MigrateError),
    /// What is stored, or what is to be stored, contradicts itself.
    Contradiction(String),
}

impl From<sqlx::Error> for Fault {
    fn from(error: sqlx::Error) -> Self {
        Fault::Sql(error)
    }
}

impl From<serde_json::Error> for Fault {
    fn from(error: serde_json::Error) -> Self {
        Fault::Contradiction(format!("stored JSON: {error}"))
    }
}

/// What PostgreSQL says when its server is going away, is coming up, is one that only reads since another took over, has no
/// connection left, or has let go of a connection that was idle for too long, in a transaction or not.
/// <https://www.postgresql.org/docs/current/errcodes-appendix.html>
const AWAY: [&str; 11] = [
    "57P01", "57P02", "57P03", "08000", "08003", "08006", "25006", "53300", "25P03", "25P04",
    "57P05",
];
/// What it says to a login that it does not take, and to one for a database that it does not have.
const TURNED_AWAY: [&str; 3] = ["28P01", "28000", "3D000"];
/// What it says on a server that only reads.
const READ_ONLY: &str = "25006";
/// `serialization_failure` and `deadlock_detected`: of two that were in each other's way, this one was undone.
const IN_THE_WAY: [&str; 2] = ["40001", "40P01"];
/// `disk_full` of PostgreSQL.
const SERVER_FULL: &str = "53100";
/// `SQLITE_FULL`: a write met a full disk. <https://www.sqlite.org/rescode.html>
const FULL: &str = "13";
/// `SQLITE_BUSY`: another process has the file.
const BUSY: &str = "5";
/// `SQLITE_IOERR_SHMSIZE`: the WAL's shared memory file could not grow, which has no other cause in practice.
const SHARED_MEMORY_FULL: &str = "4874";

impl Fault {
    /// Whether another process was in the way.
    pub(crate) fn is_busy(&self) -> bool {
        match self {
            Fault::Sql(error) => code_of(error).is_some_and(|code| code == BUSY),
            Fault::LeaseLost { .. }
            | Fault::Silent(_)
            | Fault::TooNew
            | Fault::Migrate(_)
            | Fault::Contradiction(_) => false,
        }
    }

    /// Whether a connection broke that had been there: the next one may be whole. That none came up within the time for
    /// that is another matter.
    pub(crate) fn lost_connection(&self) -> bool {
        match self {
            Fault::Sql(error) => {
                is_away(error)
                    && !is_turned_away(error)
                    && !matches!(error, sqlx::Error::PoolTimedOut)
            }
            Fault::Silent(_) => true,
            Fault::LeaseLost { .. }
            | Fault::TooNew
            | Fault::Migrate(_)
            | Fault::Contradiction(_) => false,
        }
    }

    /// Whether it was undone for the sake of another transaction.
    pub(crate) fn was_in_the_way(&self) -> bool {
        match self {
            Fault::Sql(error) => {
                code_of(error).is_some_and(|code| IN_THE_WAY.contains(&code.as_ref()))
            }
            Fault::LeaseLost { .. }
            | Fault::Silent(_)
            | Fault::TooNew
            | Fault::Migrate(_)
            | Fault::Contradiction(_) => false,
        }
    }

    /// Whether the disk was full.
    pub(crate) fn is_full(&self) -> bool {
        match self {
            Fault::Sql(error) => is_full(error),
            Fault::LeaseLost { .. }
            | Fault::Silent(_)
            | Fault::TooNew
            | Fault::Migrate(_)
            | Fault::Contradiction(_) => false,
        }
    }

    /// What the caller is told when this happened while the catalog was opened. Whoever is turned away then is told so; one
    /// that has been let in before may be again, once those who changed a password have changed it everywhere.
    pub(crate) fn opening(self) -> CatalogError {
        match self {
            Fault::Sql(error) if is_turned_away(&error) => {
                CatalogError::TurnedAway { source: reason(error).into() }
            }
            fault => fault.during("open the catalog"),
        }
    }

    /// What the caller is told when this happened while trying to `operation`.
    pub(crate) fn during(self, operation: &'static str) -> CatalogError {
        let source = match self {
            Fault::LeaseLost { task } => return CatalogError::LeaseLost { task },
            Fault::TooNew | Fault::Migrate(MigrateError::VersionMissing(_)) => {
                return CatalogError::TooNew;
            }
            Fault::Silent(limit) => {
                let source = format!("it has not answered for {} s", limit.as_secs()).into();
                return CatalogError::Away { source };
            }
            Fault::Sql(error)
            | Fault::Migrate(MigrateError::Execute(error))
            | Fault::Migrate(MigrateError::ExecuteMigration(error, _)) => {
                if is_full(&error) {
                    return CatalogError::Full;
                }
                if is_away(&error) {
                    return CatalogError::Away { source: reason(error).into() };
                }
                reason(error).into()
            }
            Fault::Migrate(error) => error.into(),
            Fault::Contradiction(text) => text.into(),
        };
        CatalogError::Database { operation, source }
    }
}

fn is_full(error: &sqlx::Error) -> bool {
    code_of(error)
        .is_some_and(|code| code == FULL || code == SHARED_MEMORY_FULL || code == SERVER_FULL)
}

fn is_away(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(_)
        | sqlx::Error::PoolTimedOut
        | sqlx::Error::WorkerCrashed
        // What a connection says that broke off in the middle.
        | sqlx::Error::Protocol(_) => true,
        error => {
            is_turned_away(error)
                || code_of(error).is_some_and(|code| AWAY.contains(&code.as_ref()))
        }
    }
}

fn is_turned_away(error: &sqlx::Error) -> bool {
    code_of(error).is_some_and(|code| TURNED_AWAY.contains(&code.as_ref()))
}

/// What is said of an error: in a few words where it is one that people meet, else in those of the database.
fn reason(error: sqlx::Error) -> String {
    match &error {
        sqlx::Error::Io(io) if io.kind() == io::ErrorKind::ConnectionRefused => {
            "it refuses connections".to_owned()
        }
        sqlx::Error::PoolTimedOut => {
            format!("it has not let anybody in for {} s", CONNECT.as_secs())
        }
        sqlx::Error::Database(said) if said.code().is_some_and(|code| code == READ_ONLY) => {
            "it only reads, as one does that another has taken over from".to_owned()
        }
        sqlx::Error::Database(said) => format!("the database says: {}", said.message()),
        error => error.to_string(),
    }
}

fn code_of(error: &sqlx::Error) -> Option<Cow<'_, str>> {
    error.as_database_error().and_then(|e| e.code())
}
