//! Incidents: opened, renewed and closed by what looks at packages come to.

use std::collections::{BTreeMap, HashSet};

use headwater_model::finding::Finding;
use headwater_model::id::{Tenant, TitleId, Version};
use headwater_model::incident::{
    Found, How, Incident, Look, is_needed, is_of_title, told_together,
};
use headwater_model::key::PackageId;
use headwater_model::plan::Plan;
use headwater_model::time::Timestamp;

use super::{packages, rows};
use crate::db::{Db, Row, query, query_as, query_scalar};
use crate::error::Fault;

/// Notes what a look came to.
pub(crate) async fn note(
    tx: &mut Db,
    package: &PackageId,
    look: &Look,
    now: Timestamp,
) -> Result<(), Fault> {
    let package_id = packages::id(tx, package)
        .await?
        .ok_or_else(|| Fault::Contradiction(format!("there is no package `{package}`")))?;
    let rows = query(
        "select id, origin, object, kind, by_reading, on_edge from incidents \
         where package_id = $1 and closed_at is null",
    )
    .bind(package_id)
    .fetch_all(tx)
    .await?;
    let mut open = Vec::with_capacity(rows.len());
    for row in &rows {
        open.push((row.get::<i64>("id")?, finding(row)?, found(row)?));
    }
    let known: HashSet<(&str, &str)> =
        open.iter().map(|(_, f, _)| (f.origin.as_str(), f.object.as_str())).collect();
    let is_open = |f: &Finding| known.contains(&(f.origin.as_str(), f.object.as_str()));
    // A look takes its time: the pointers that it found wrong may be those of a version published meanwhile.
    let points = points(tx, package_id).await?;
    let is_pointer = |f: &&Finding| package.pointers().iter().any(|key| key.as_str() == f.object);
    let of_package = look.findings.iter().filter(|f| points || !is_pointer(f));
    let findings: Vec<Finding> = of_package.cloned().collect();
    for finding in told_together(package, &findings, is_open) {
        let found = look.found(&finding);
        query(
            "insert into incidents (package_id, origin, object, kind, first_seen_at, last_seen_at, by_reading, on_edge) \
             values ($1, $2, $3, $4, $5, $5, $6, $7) \
             on conflict (package_id, origin, object) where closed_at is null do update set \
                 kind = excluded.kind, last_seen_at = excluded.last_seen_at, \
                 by_reading = (incidents.by_reading or excluded.by_reading), on_edge = (incidents.on_edge or excluded.on_edge)",
        )
        .bind(package_id)
        .bind(&finding.origin)
        .bind(&finding.object)
        .bind(rows::json(&finding.kind)?)
        .bind(now.0)
        .bind(found.by_reading)
        .bind(found.on_edge)
        .execute(tx)
        .await?;
    }
    for (id, finding, found) in open {
        let how = look.mended(&finding.origin, &finding.object).map(rows::json).transpose()?;
        let closed = look.closes(&finding, found).then_some(now.0);
        if how.is_none() && closed.is_none() {
            continue;
        }
        query("update incidents set closed_at = $2, mended = coalesce($3, mended) where id = $1")
            .bind(id)
            .bind(closed)
            .bind(how)
            .execute(tx)
            .await?;
    }
    Ok(())
}

/// Whether the title's pointers have to be those of a package: viewers get it, or are about to.
async fn points(tx: &mut Db, package_id: i64) -> Result<bool, Fault> {
    let points = query_scalar(
        "select t.live is null or t.live = p.version or exists (select 1 from tasks \
             where package_id = p.id and kind = 'publish' and finished_at is null) \
         from packages p join titles t on t.id = p.title_id where p.id = $1",
    )
    .bind(package_id)
    .fetch_one(tx)
    .await?;
    Ok(points)
}

/// Settles what is open of a title's versions that viewers do not get and that nobody is making: what viewers' version
/// refers to is its own from now on, and nobody needs the rest. What is not of the title stays as it is.
pub(crate) async fn settle(tx: &mut Db, title_id: i64, now: Timestamp) -> Result<(), Fault> {
    let open: Vec<(i64, String)> = query_as(
        "select i.id, i.object \
         from incidents i join packages p on p.id = i.package_id join titles t on t.id = p.title_id \
         where t.id = $1 and i.closed_at is null and p.version <> t.live \
             and p.state in ('published', 'rejected', 'failed') \
         order by i.id",
    )
    .bind(title_id)
    .fetch_all(tx)
    .await?;
    if open.is_empty() {
        return Ok(());
    }
    let row = query(
        "select p.id, t.tenant, t.title, p.version \
         from titles t join packages p on p.title_id = t.id and p.version = t.live where t.id = $1",
    )
    .bind(title_id)
    .fetch_one(tx)
    .await?;
    let package_id: i64 = row.get("id")?;
    let package = rows::package_id(&row)?;
    let plans = plans_behind(tx, title_id, package.version).await?;
    let how = rows::json(&How::ReplacedBy { version: package.version })?;
    for (id, object) in open {
        if !is_of_title(&package, &object) {
            continue;
        }
        if is_needed(&package, &plans, &object) {
            pass_on(tx, id, package_id).await?;
            continue;
        }
        query("update incidents set closed_at = $2, mended = $3 where id = $1")
            .bind(id)
            .bind(now.0)
            .bind(&how)
            .execute(tx)
            .await?;
    }
    Ok(())
}

/// Makes an open incident one of another package. It may have been found of that package too: then the two are one.
async fn pass_on(tx: &mut Db, id: i64, package_id: i64) -> Result<(), Fault> {
    let known = query(
        "update incidents set first_seen_at = case when incidents.first_seen_at < same.first_seen_at then incidents.first_seen_at else same.first_seen_at end, \
             by_reading = (incidents.by_reading or same.by_reading), \
             on_edge = (incidents.on_edge or same.on_edge) \
         from incidents same where same.id = $1 and incidents.package_id = $2 \
             and incidents.origin = same.origin and incidents.object = same.object \
             and incidents.closed_at is null",
    )
    .bind(id)
    .bind(package_id)
    .execute(tx)
    .await?;
    let merged = match known {
        0 => "update incidents set package_id = $2 where id = $1",
        _ => "delete from incidents where id = $1 and package_id <> $2",
    };
    query(merged).bind(id).bind(package_id).execute(tx).await?;
    Ok(())
}

/// Passes what is open of a package that is about to be forgotten, and not of its title, on to the package that viewers get,
/// or else to the newest.
pub(crate) async fn keep_others(tx: &mut Db, package: &PackageId) -> Result<(), Fault> {
    let open: Vec<(i64, String, i64)> = query_as(
        "select i.id, i.object, heir.id \
         from incidents i join packages p on p.id = i.package_id join titles t on t.id = p.title_id \
             join packages heir on heir.title_id = t.id and heir.version = coalesce(t.live, t.newest) \
         where t.tenant = $1 and t.title = $2 and p.version = $3 and i.closed_at is null order by i.id",
    )
    .bind(package.tenant.as_str())
    .bind(package.title.as_str())
    .bind(package.version.0)
    .fetch_all(tx)
    .await?;
    for (id, _, heir) in open.into_iter().filter(|(_, object, _)| !is_of_title(package, object)) {
        pass_on(tx, id, heir).await?;
    }
    Ok(())
}

/// The plans of a version and of those that it goes back to.
async fn plans_behind(
    tx: &mut Db,
    title_id: i64,
    version: Version,
) -> Result<BTreeMap<Version, Plan>, Fault> {
    let mut plans = BTreeMap::new();
    let mut next = Some(version);
    while let Some(version) = next.take().filter(|version| !plans.contains_key(version)) {
        let row = query("select plan from packages where title_id = $1 and version = $2")
            .bind(title_id)
            .bind(version.0)
            .fetch_optional(tx)
            .await?;
        let Some(row) = row else { break };
        if let Some(plan) = rows::from_json::<Plan>(&row, "plan")? {
            next = plan.base.as_ref().map(|base| base.version);
            plans.insert(version, plan);
        }
    }
    Ok(plans)
}

/// The statement that reads incidents, given how to pick them.
macro_rules! incident_rows {
    ($pick:literal) => {
        concat!(
            "select t.tenant, t.title, p.version, i.id, i.origin, i.object, i.kind, i.by_reading, i.on_edge, \
                 i.first_seen_at, i.last_seen_at, i.closed_at, i.mended \
             from incidents i join packages p on p.id = i.package_id join titles t on t.id = p.title_id ",
            $pick
        )
    };
}

/// Incidents of a tenant or of one of its titles, oldest first: those that are open, or all.
pub(crate) async fn list(
    tx: &mut Db,
    tenant: &Tenant,
    title: Option<&TitleId>,
    closed_too: bool,
    limit: u32,
) -> Result<Vec<Incident>, Fault> {
    let rows = query(incident_rows!(
        "where t.tenant = $1 and ($2 is null or t.title = $2) and ($3 or i.closed_at is null) \
         order by i.id limit $4"
    ))
    .bind(tenant.as_str())
    .bind(title.map(TitleId::as_str))
    .bind(closed_too)
    .bind(limit)
    .fetch_all(tx)
    .await?;
    rows.iter().map(incident).collect()
}

/// Open incidents of an object on an origin, oldest first.
pub(crate) async fn of(
    tx: &mut Db,
    tenant: &Tenant,
    origin: &str,
    object: &str,
) -> Result<Vec<Incident>, Fault> {
    let rows = query(incident_rows!(
        "where t.tenant = $1 and i.origin = $2 and i.object = $3 and i.closed_at is null order by i.id"
    ))
    .bind(tenant.as_str())
    .bind(origin)
    .bind(object)
    .fetch_all(tx)
    .await?;
    rows.iter().map(incident).collect()
}

fn incident(row: &Row) -> Result<Incident, Fault> {
    Ok(Incident {
        id: row.get("id")?,
        package: rows::package_id(row)?,
        finding: finding(row)?,
        found: found(row)?,
        first_seen: Timestamp(row.get("first_seen_at")?),
        last_seen: Timestamp(row.get("last_seen_at")?),
        mended: rows::from_json(row, "mended")?,
        closed: row.get::<Option<i64>>("closed_at")?.map(Timestamp),
    })
}

fn finding(row: &Row) -> Result<Finding, Fault> {
    Ok(Finding {
        origin: row.get("origin")?,
        object: row.get("object")?,
        kind: serde_json::from_str(row.get("kind")?)?,
    })
}

fn found(row: &Row) -> Result<Found, Fault> {
    Ok(Found { by_reading: row.get("by_reading")?, on_edge: row.get("on_edge")? })
}
