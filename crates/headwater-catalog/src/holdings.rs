//! Holdings: what origins should have, title by title in key order; and where audits of them stand.

use headwater_model::audit::{Content, Held, Holding};
use headwater_model::id::{Tenant, TitleId, Version};
use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection};

use crate::error::Fault;
use crate::rows;

/// Holdings in the order of their keys: `film-2/…` comes before `film/…`.
pub(crate) async fn list(
    tx: &mut SqliteConnection,
    tenant: &Tenant,
    after: Option<&str>,
    limit: u32,
) -> Result<Vec<Holding>, Fault> {
    let titles = sqlx::query(
        "select id, title, live from titles \
         where tenant = $1 and ($2 is null or tenant || '/' || title || '/' > $2) \
         order by title || '/' limit $3",
    )
    .bind(tenant.as_str())
    .bind(after)
    .bind(limit)
    .fetch_all(&mut *tx)
    .await?;
    let mut holdings = Vec::with_capacity(titles.len());
    for title in &titles {
        holdings.push(holding(tx, tenant, title).await?);
    }
    Ok(holdings)
}

/// One holding.
pub(crate) async fn one(
    tx: &mut SqliteConnection,
    tenant: &Tenant,
    title: &TitleId,
) -> Result<Option<Holding>, Fault> {
    let row = sqlx::query("select id, title, live from titles where tenant = $1 and title = $2")
        .bind(tenant.as_str())
        .bind(title.as_str())
        .fetch_optional(&mut *tx)
        .await?;
    let Some(row) = row else { return Ok(None) };
    holding(tx, tenant, &row).await.map(Some)
}

async fn holding(
    tx: &mut SqliteConnection,
    tenant: &Tenant,
    title: &SqliteRow,
) -> Result<Holding, Fault> {
    let versions = sqlx::query(
        "select version, state, code, message, inventory, pointers from packages where title_id = $1 \
         order by version",
    )
    .bind(title.try_get::<i64, _>("id")?)
    .fetch_all(tx)
    .await?;
    let live: Option<i64> = title.try_get("live")?;
    Ok(Holding {
        tenant: tenant.clone(),
        title: rows::parsed(title, "title")?,
        live: live.and_then(|v| u32::try_from(v).ok()).map(Version),
        versions: versions.iter().map(held).collect::<Result<_, _>>()?,
    })
}

fn held(row: &SqliteRow) -> Result<Held, Fault> {
    let content = match rows::parsed_maybe(row, "inventory")? {
        Some(inventory) => {
            Content::Sealed { inventory, pointers: serde_json::from_str(row.try_get("pointers")?)? }
        }
        None if rows::state(row)?.is_final() => Content::Nothing,
        None => Content::InTheMaking,
    };
    Ok(Held { version: Version(rows::small(row, "version")?), content })
}

/// What was written down under a name.
pub(crate) async fn checkpoint(
    tx: &mut SqliteConnection,
    name: &str,
) -> Result<Option<String>, Fault> {
    let text = sqlx::query_scalar("select text from checkpoints where name = $1");
    Ok(text.bind(name).fetch_optional(tx).await?)
}

/// Writes it down, or forgets it.
pub(crate) async fn keep_checkpoint(
    tx: &mut SqliteConnection,
    name: &str,
    text: Option<&str>,
) -> Result<(), Fault> {
    let statement = match text {
        Some(text) => sqlx::query(
            "insert into checkpoints (name, text) values ($1, $2) \
             on conflict (name) do update set text = excluded.text",
        )
        .bind(name)
        .bind(text),
        None => sqlx::query("delete from checkpoints where name = $1").bind(name),
    };
    statement.execute(tx).await?;
    Ok(())
}
