//! Duties: which process watches, and which audits.

use headwater_model::time::Timestamp;
use headwater_model::worker::Duty;

use crate::db::{Db, query, query_as};
use crate::error::Fault;

/// Gives a duty to a process, unless another one has it still. Two that want it at once wait for each other at its row, and
/// the second finds what the first has made of it.
pub(crate) async fn take(
    tx: &mut Db,
    duty: Duty,
    instance: &str,
    now: Timestamp,
    lease_ms: i64,
) -> Result<bool, Fault> {
    let given = query(
        "insert into duties (duty, holder, until_at) values ($1, $2, $3) \
         on conflict (duty) do update set holder = excluded.holder, until_at = excluded.until_at \
         where duties.holder = excluded.holder or duties.until_at <= $4",
    )
    .bind(duty.name())
    .bind(instance)
    .bind(now.plus_ms(lease_ms))
    .bind(now)
    .execute(tx)
    .await?;
    Ok(given > 0)
}

/// Gives it back.
pub(crate) async fn leave(tx: &mut Db, duty: Duty, instance: &str) -> Result<(), Fault> {
    query("delete from duties where duty = $1 and holder = $2")
        .bind(duty.name())
        .bind(instance)
        .execute(tx)
        .await?;
    Ok(())
}

/// Who has which, by their instances. Duties that this build does not know are left out.
pub(crate) async fn held(tx: &mut Db, now: Timestamp) -> Result<Vec<(Duty, String)>, Fault> {
    let held: Vec<(String, String)> =
        query_as("select duty, holder from duties where until_at > $1")
            .bind(now)
            .fetch_all(tx)
            .await?;
    let known = |name: &str| Duty::ALL.into_iter().find(|duty| duty.name() == name);
    Ok(held.into_iter().filter_map(|(duty, holder)| Some((known(&duty)?, holder))).collect())
}
