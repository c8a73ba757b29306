//! The schema, which processes of different builds share during a roll.
//!
//! A migration only adds: tables, columns that are empty or have a default, indexes. So a build that does not know it yet
//! goes on as before, and may come up again. One that cannot keep to that raises `needs` in the table `schema_form`, in a
//! transaction of its own: from then on, older builds are refused.

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
    let mut tx = connection.begin().await?;
    // Processes that come up at once take turns. The number has no meaning but to be the same everywhere.
    sqlx::query("select pg_advisory_xact_lock(4839201736)").execute(&mut *tx).await?;
    let is_there: bool = sqlx::query_scalar("select to_regclass('schema_form') is not null")
        .fetch_one(&mut *tx)
        .await?;
    if is_there {
        let needs: i64 =
            sqlx::query_scalar("select needs from schema_form").fetch_one(&mut *tx).await?;
        if needs > FORM {
            return Err(Fault::TooNew);
        }
    }
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
