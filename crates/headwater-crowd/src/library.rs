//! A library of films as rows, copied by SQL from one title that went through the catalog: millions of tasks in seconds.

use anyhow::{Context, Result, ensure};
use headwater_catalog::PostgresCatalog;
use headwater_model::inventory::{Object, ObjectRole};
use headwater_model::lane::{Offer, Priority};
use headwater_model::task::{NewTitle, Role, TaskKind};
use headwater_ports::catalog::Catalog;
use headwater_testkit::catalog_suite::scene::{LEASE_MS, new_title, object, prepared};
use headwater_testkit::postgres::Server;

/// Tasks of a title that transcode it: two hours in spans of a minute, and its sound.
pub(crate) const TASKS: u64 = 120;

/// Objects of a span: ten segments in each of five renditions.
const RENDITIONS: u32 = 5;
const SEGMENTS: u32 = 10;

/// Ticks and frames of a segment of picture: 6 s in ticks of 1/90000 s, at 25 frames per second.
const OF_VIDEO: (u64, u32) = (540_000, 150);

/// Ticks and frames of a segment of sound: 6 s at 48 kHz, in frames of 1024 samples.
const OF_AUDIO: (u64, u32) = (288_000, 282);

/// Whose titles they are: shares are equal, so that a claim has to choose between all of them (R8).
const TENANTS: [&str; 4] = ["main", "film", "series", "news"];

/// How much titles are wanted, of each tenant one as much as the other.
const PRIORITIES: [Priority; 2] = [Priority::Normal, Priority::Low];

/// The name of the title that those of this tenant and priority are copied from.
fn model_of(tenant: &str, priority: Priority) -> String {
    format!("model-{tenant}-{}", priority.rank())
}

/// Makes the titles that all others are copied from, one for each tenant and priority, and takes their own tasks out of
/// the queue.
pub(crate) async fn model(
    server: &Server,
    database: &str,
    catalog: &PostgresCatalog,
) -> Result<()> {
    let mut made = 0;
    for tenant in TENANTS {
        for priority in PRIORITIES {
            let model = new_title(&model_of(tenant, priority));
            let model = NewTitle { tenant: tenant.parse()?, priority: Some(priority), ..model };
            catalog.submit(&model).await?;
            let claimed = catalog.claim(&Offer::of("loader", &[Role::Worker]), LEASE_MS).await?;
            let claimed = claimed.context("the one task there is can be claimed")?;
            catalog.complete(&claimed.lease, &prepared(1, TASKS - 1)).await?;
            let tasks = server.psql_in(
                database,
                "update tasks set finished_at = due_at where finished_at is null; \
                 select count(*) from tasks where kind in ('span', 'audio')",
            );
            made += TASKS;
            ensure!(tasks == made.to_string(), "titles have {tasks} tasks, not {made}");
        }
    }
    Ok(())
}

/// Adds `titles` titles, all of whose tasks wait, or are done. One after the other they are of another model, so the ages of
/// titles in all lanes are mixed.
pub(crate) fn copy(server: &Server, database: &str, titles: u64, done: bool) {
    let (name, state, live) = match done {
        true => ("old", "published", "1"),
        false => ("film", "transcoding", "null"),
    };
    let task = match done {
        true => "'done', m.due_at, 1, 1, m.due_at, m.due_at + 60000",
        false => "'queued', m.due_at, 0, 0, null, null",
    };
    // What refers to what is as it should be: checking it row by row would take longer than all the rest.
    let models = TENANTS.len() * PRIORITIES.len();
    let sql = format!(
        "set session_replication_role = replica; \
         create temporary table models as \
             select t.*, row_number() over (order by t.id) - 1 as place from titles t where t.title like 'model-%'; \
         insert into titles (tenant, title, newest, live, queued_at, created_at, priority) \
         select m.tenant, '{name}-' || n || '-of-' || m.title, 1, {live}, m.queued_at, m.created_at, m.priority \
         from generate_series(1, {titles}) n join models m on m.place = n % {models} order by n; \
         insert into packages (title_id, version, state, master_path, pipeline, pool, again, master, pipeline_sha256, \
             facts, plan, spans, frames, duration_ms, inventory, published_at, created_at, updated_at) \
         select t.id, 1, '{state}', '/masters/' || t.title || '.mov', m.pipeline, m.pool, false, m.master, \
             m.pipeline_sha256, m.facts, m.plan, m.spans, m.frames, m.duration_ms, \
             case when '{live}' = '1' then m.master end, {live} * m.created_at, m.created_at, m.updated_at \
         from titles t join models mt on mt.tenant = t.tenant and mt.priority = t.priority \
             join packages m on m.title_id = mt.id \
         where t.title like '{name}-%' order by t.id; \
         insert into tasks (package_id, lane_id, kind, number, role, frames, created_at, updated_at, \
             state, due_at, token, tries, started_at, finished_at) \
         select p.id, m.lane_id, m.kind, m.number, m.role, m.frames, m.created_at, m.updated_at, {task} \
         from packages p join titles t on t.id = p.title_id \
             join models mt on mt.tenant = t.tenant and mt.priority = t.priority \
             join packages mp on mp.title_id = mt.id join tasks m on m.package_id = mp.id \
         where t.title like '{name}-%' and m.kind in ('span', 'audio') \
         order by p.id, m.id"
    );
    server.psql_in(database, &sql);
}

/// Brings a database into the state that it would be in after some time.
pub(crate) fn settle(server: &Server, database: &str) {
    server.psql_in(database, "vacuum analyze");
    server.psql_in(database, "checkpoint");
}

/// What a span or a track consists of.
pub(crate) fn objects(kind: TaskKind) -> Vec<Object> {
    let (renditions, (ticks, samples)) = match kind {
        TaskKind::Span(_) => ((1..=RENDITIONS).map(|n| format!("video-{n}")).collect(), OF_VIDEO),
        _ => (vec!["audio-1".to_owned()], OF_AUDIO),
    };
    let mut objects = Vec::new();
    for rendition in renditions {
        for n in 0..SEGMENTS {
            let number = kind.number() * SEGMENTS + n;
            let made = object(&format!("{rendition}/seg-{number:05}.m4s"), u64::from(number));
            let (rendition, start) = (rendition.clone(), u64::from(number) * ticks);
            let role = ObjectRole::Segment { rendition, number, start, ticks, samples };
            objects.push(Object { role, bytes: 1_000_000 + u64::from(number), ..made });
        }
    }
    objects
}

/// Their codecs.
pub(crate) fn codecs(kind: TaskKind) -> Vec<(String, String)> {
    let codec = |rendition: String| (rendition, "avc1.64001f".to_owned());
    match kind {
        TaskKind::Span(_) => (1..=RENDITIONS).map(|n| codec(format!("video-{n}"))).collect(),
        _ => vec![codec("audio-1".to_owned())],
    }
}

#[cfg(test)]
mod tests;
