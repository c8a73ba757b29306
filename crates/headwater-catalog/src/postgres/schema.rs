//! The schema, which processes of different builds share during a roll.
//!
//! A migration only adds: tables, columns that are empty or have a default, indexes. So a build that does not know it yet
//! goes on as before, and may come up again. One that cannot keep to that raises `needs` in the table `schema_form`, in a
//! transaction of its own: from then on, older builds are refused.

use std::collections::HashMap;

use sqlx::migrate::Migrator;
use sqlx::{Connection, PgConnection};

use crate::error::Fault;

/// The form of the schema that this build works with. A migration that older builds cannot work with sets `schema_form.needs`
/// to the next number, and this with it.
const FORM: i64 = 1;

/// Applies the migrations that are missing, unless the schema needs a newer build.
pub(super) async fn bring_up_to_date(
    connection: &mut PgConnection,
    migrations: &Migrator,
) -> Result<(), Fault> {
    // Most find nothing to do. They wait for nobody then, and need no more than to read.
    if has_all(connection, migrations).await? {
        return check_form(connection).await;
    }
    let mut tx = connection.begin().await?;
    // Processes that come up at once take turns. The number has no meaning but to be the same everywhere.
    sqlx::query("select pg_advisory_xact_lock(4839201736)").execute(&mut *tx).await?;
    check_form(&mut tx).await?;
    // What a newer build has added is none of ours.
    let migrations = Migrator {
        migrations: migrations.migrations.clone(),
        ignore_missing: true,
        // The lock above is ours and goes with the transaction; sqlx's would stay with the connection.
        locking: false,
        ..Migrator::DEFAULT
    };
    migrations.run_direct(None, &mut *tx, false).await.map_err(Fault::Migrate)?;
    tx.commit().await?;
    Ok(())
}

/// Refuses a schema that needs a newer build.
async fn check_form(connection: &mut PgConnection) -> Result<(), Fault> {
    if !is_there(connection, "schema_form").await? {
        return Ok(());
    }
    let needs: i64 =
        sqlx::query_scalar("select needs from schema_form").fetch_one(connection).await?;
    if needs > FORM { Err(Fault::TooNew) } else { Ok(()) }
}

/// Whether all migrations were applied, as they are in this build.
async fn has_all(connection: &mut PgConnection, migrations: &Migrator) -> Result<bool, Fault> {
    if !is_there(connection, "_sqlx_migrations").await? {
        return Ok(false);
    }
    let applied: Vec<(i64, Vec<u8>)> =
        sqlx::query_as("select version, checksum from _sqlx_migrations where success")
            .fetch_all(connection)
            .await?;
    let applied: HashMap<i64, Vec<u8>> = applied.into_iter().collect();
    Ok(migrations
        .iter()
        .all(|ours| applied.get(&ours.version).is_some_and(|theirs| *theirs == *ours.checksum)))
}

async fn is_there(connection: &mut PgConnection, table: &str) -> Result<bool, Fault> {
    let found = sqlx::query_scalar("select to_regclass($1) is not null");
    Ok(found.bind(table).fetch_one(connection).await?)
}
