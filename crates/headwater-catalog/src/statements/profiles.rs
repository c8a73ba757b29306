//! Profiles: what probes found out about origins.

use headwater_model::origin::Profile;
use headwater_model::time::Timestamp;

use super::rows;
use crate::db::{Db, query};
use crate::error::Fault;

/// What the last probe with these settings found.
pub(crate) async fn one(
    tx: &mut Db,
    origin: &str,
    settings: &str,
) -> Result<Option<(Profile, Timestamp)>, Fault> {
    let row = query("select profile, probed_at from profiles where origin = $1 and settings = $2")
        .bind(origin)
        .bind(settings)
        .fetch_optional(tx)
        .await?;
    let Some(row) = row else { return Ok(None) };
    let profile = serde_json::from_str(row.get("profile")?)?;
    Ok(Some((profile, Timestamp(row.get("probed_at")?))))
}

/// Keeps what a probe found, in place of what the one before did.
pub(crate) async fn keep(
    tx: &mut Db,
    origin: &str,
    settings: &str,
    profile: &Profile,
    now: Timestamp,
) -> Result<(), Fault> {
    query(
        "insert into profiles (origin, settings, profile, probed_at) values ($1, $2, $3, $4) \
         on conflict (origin) do update set settings = excluded.settings, profile = excluded.profile, \
             probed_at = excluded.probed_at",
    )
    .bind(origin)
    .bind(settings)
    .bind(rows::json(profile)?)
    .bind(now.0)
    .execute(tx)
    .await?;
    Ok(())
}
