//! A library of films as rows, copied by SQL from one title that went through the catalog: millions of tasks in seconds.

use anyhow::{Context, Result, ensure};
use headwater_catalog::PostgresCatalog;
use headwater_model::inventory::{Object, ObjectRole};
use headwater_model::lane::Offer;
use headwater_model::task::{Role, TaskKind};
use headwater_ports::catalog::Catalog;
use headwater_testkit::catalog_suite::scene::{LEASE_MS, new_title, object, prepared};
use headwater_testkit::postgres::Server;

/// Tasks of a title that transcode it: two hours in spans of a minute, and its sound.
pub(crate) const TASKS: u64 = 120;

/// Objects of a span: ten segments in each of five renditions.
const RENDITIONS: u32 = 5;
const SEGMENTS: u32 = 10;

/// Makes the title that all others are copied from, and takes its own tasks out of the queue.
pub(crate) async fn model(
    server: &Server,
    database: &str,
    catalog: &PostgresCatalog,
) -> Result<()> {
    catalog.submit(&new_title("model")).await?;
    let claimed = catalog.claim(&Offer::of("loader", &[Role::Worker]), LEASE_MS).await?;
    let claimed = claimed.context("the one task there is can be claimed")?;
    catalog.complete(&claimed.lease, &prepared(1, TASKS - 1)).await?;
    let tasks = server.psql_in(
        database,
        "update tasks set finished_at = due_at where finished_at is null; \
         select count(*) from tasks where kind in ('span', 'audio')",
    );
    ensure!(tasks == TASKS.to_string(), "a title has {tasks} tasks, not {TASKS}");
    Ok(())
}

/// Adds `titles` titles, all of whose tasks wait, or are done.
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
    let sql = format!(
        "set session_replication_role = replica; \
         insert into titles (tenant, title, newest, live, queued_at, created_at) \
         select m.tenant, '{name}-' || n, 1, {live}, m.queued_at, m.created_at \
         from titles m, generate_series(1, {titles}) n where m.title = 'model'; \
         insert into packages (title_id, version, state, master_path, pipeline, pool, again, master, pipeline_sha256, \
             facts, plan, spans, frames, duration_ms, inventory, published_at, created_at, updated_at) \
         select t.id, 1, '{state}', '/masters/' || t.title || '.mov', m.pipeline, m.pool, false, m.master, \
             m.pipeline_sha256, m.facts, m.plan, m.spans, m.frames, m.duration_ms, \
             case when '{live}' = '1' then m.master end, {live} * m.created_at, m.created_at, m.updated_at \
         from titles t, titles mt join packages m on m.title_id = mt.id \
         where t.title like '{name}-%' and mt.title = 'model' order by t.id; \
         insert into tasks (package_id, lane_id, kind, number, role, frames, created_at, updated_at, \
             state, due_at, token, tries, started_at, finished_at) \
         select p.id, m.lane_id, m.kind, m.number, m.role, m.frames, m.created_at, m.updated_at, {task} \
         from packages p join titles t on t.id = p.title_id, \
             titles mt join packages mp on mp.title_id = mt.id join tasks m on m.package_id = mp.id \
         where t.title like '{name}-%' and mt.title = 'model' and m.kind in ('span', 'audio') \
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
    let renditions = match kind {
        TaskKind::Span(_) => (1..=RENDITIONS).map(|n| format!("video-{n}")).collect(),
        _ => vec!["audio-1".to_owned()],
    };
    let mut objects = Vec::new();
    for rendition in renditions {
        for n in 0..SEGMENTS {
            let number = kind.number() * SEGMENTS + n;
            let made = object(&format!("{rendition}/seg-{number}.m4s"), u64::from(number));
            let role = ObjectRole::Init { rendition: rendition.clone() };
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
