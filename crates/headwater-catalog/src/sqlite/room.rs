//! Room on the disk that belongs to the catalog alone, so that it can note that the disk is full.
//!
//! SQLite writes in two places: changes go to the end of the write-ahead log, and a checkpoint copies them from there
//! into the file. Room is kept in both: free pages inside the file, and a log that has been long enough once, which
//! SQLite writes over from its beginning after a checkpoint. What was merely left free on the disk would be gone
//! first: transcoders write far faster than a catalog does.
//!
//! <https://www.sqlite.org/wal.html>, <https://www.sqlite.org/fileformat2.html#the_freelist>

use std::path::Path;

use sqlx::{Connection, SqliteConnection};

use crate::error::Fault;

/// What is kept: notes about dozens of titles that fail.
const BYTES: u64 = 256 * 1024;

/// Makes room in the file if half of what was kept is used up, and in the log if it was never that long.
pub(super) async fn keep(connection: &mut SqliteConnection, log: &Path) -> Result<(), Fault> {
    if log_is_long_enough(log).await && free_bytes(connection).await? >= BYTES / 2 {
        return Ok(());
    }
    // The log is as short as possible then, and what was appended so far has its place in the file.
    start_log_over(connection).await?;
    let mut tx = connection.begin_with("begin immediate").await?;
    let size = i64::try_from(BYTES).unwrap_or(i64::MAX);
    sqlx::query("insert into room values (zeroblob($1))").bind(size).execute(&mut *tx).await?;
    tx.commit().await?;
    // Only pages that a checkpoint has written are really on the disk.
    start_log_over(connection).await?;
    sqlx::query("delete from room").execute(&mut *connection).await?;
    Ok(())
}

/// Copies the log into the file and lets the next change write over it from the beginning. Waits for readers.
pub(super) async fn start_log_over(connection: &mut SqliteConnection) -> Result<(), Fault> {
    sqlx::query("pragma wal_checkpoint(restart)").execute(connection).await?;
    Ok(())
}

async fn free_bytes(connection: &mut SqliteConnection) -> Result<u64, Fault> {
    let pages: u32 =
        sqlx::query_scalar("pragma freelist_count").fetch_one(&mut *connection).await?;
    let page_size: u32 = sqlx::query_scalar("pragma page_size").fetch_one(connection).await?;
    Ok(u64::from(pages) * u64::from(page_size))
}

async fn log_is_long_enough(log: &Path) -> bool {
    tokio::fs::metadata(log).await.is_ok_and(|log| log.len() >= BYTES)
}
