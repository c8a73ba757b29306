//! How many tasks a second 64 claimers get through, against the statements that no queue in PostgreSQL can do without, under
//! pgbench.
//!
//! Bare and real take turns, and so do tables without a finished task and tables with as many finished tasks as open ones, on
//! one server that keeps what it answers: whatever else the machine does meanwhile hits all of them alike.

#![allow(
    clippy::disallowed_methods,
    reason = "pgbench is another program, to be measured beside ours"
)]

use std::fs;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use headwater_catalog::{PostgresCatalog, PostgresOptions};
use headwater_model::lane::Offer;
use headwater_model::quality::Seen;
use headwater_model::task::{Outcome, Role, TaskKind};
use headwater_ports::catalog::Catalog;
use headwater_testkit::postgres::Server;
use serde::Serialize;

use crate::library;
use crate::processor;
use crate::stopwatch::{Percentiles, Stopwatch};

/// At the same time.
const CLAIMERS: usize = 64;

/// Longer than any turn.
const LEASE_MS: i64 = 600_000;

/// What to measure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Options {
    pub(crate) titles: u64,
    pub(crate) finished: u64,
    pub(crate) seconds: u64,
    pub(crate) rounds: usize,
    pub(crate) connections: u32,
}

impl Options {
    pub(crate) fn parse(args: &[&str]) -> Option<Self> {
        let mut options =
            Self { titles: 25_000, finished: 25_000, seconds: 20, rounds: 3, connections: 16 };
        let (pairs, []) = args.as_chunks() else { return None };
        for [name, value] in pairs {
            match *name {
                "--titles" => options.titles = value.parse().ok()?,
                "--finished" => options.finished = value.parse().ok()?,
                "--seconds" => options.seconds = value.parse().ok()?,
                "--rounds" => options.rounds = value.parse().ok()?,
                "--connections" => options.connections = value.parse().ok()?,
                _ => return None,
            }
        }
        Some(options)
    }
}

/// All that was measured.
#[derive(Debug, Serialize)]
pub(crate) struct Measured {
    claimers: usize,
    connections: u32,
    tables: Vec<Table>,
}

/// What was measured in tables of one size.
#[derive(Debug, Serialize)]
pub(crate) struct Table {
    open: u64,
    finished: u64,
    /// Tasks per second of each turn.
    pub(crate) bare: Vec<Bare>,
    pub(crate) with_objects: Vec<Turn>,
    pub(crate) without_objects: Vec<Turn>,
    database_bytes: u64,
}

/// One turn of the statements alone.
#[derive(Debug, Serialize)]
pub(crate) struct Bare {
    pub(crate) tasks_per_second: f64,
    cpu_ms: Cpu,
}

/// Processor time of a task, in milliseconds.
#[derive(Debug, Clone, Copy, Serialize)]
pub(crate) struct Cpu {
    server: f64,
    client: f64,
}

/// One turn of the real thing.
#[derive(Debug, Serialize)]
pub(crate) struct Turn {
    pub(crate) tasks_per_second: f64,
    cpu_ms: Cpu,
    claim: Percentiles,
    complete: Percentiles,
}

/// Tables that are ready to be measured.
struct Loaded {
    database: String,
    catalog: Arc<PostgresCatalog>,
    table: Table,
}

pub(crate) async fn run(options: &Options) -> Result<Measured> {
    let server = Server::start_for_measuring();
    let mut loaded = Vec::new();
    for finished in [0, options.finished] {
        loaded.push(load(&server, options, finished).await?);
    }
    let time = Duration::from_secs(options.seconds);
    for round in 0..options.rounds {
        // What starts changes from round to round.
        for turn in 0..3 {
            for n in 0..loaded.len() {
                let place = (round + turn + n) % loaded.len();
                let Loaded { database, catalog, table } = &mut loaded[place];
                match (round + turn) % 3 {
                    0 => table.bare.push(bare(&server, database, options.seconds)?),
                    1 => table.with_objects.push(real(&server, catalog, time, true).await?),
                    _ => table.without_objects.push(real(&server, catalog, time, false).await?),
                }
            }
        }
    }
    let mut tables = Vec::new();
    for Loaded { database, catalog, mut table } in loaded {
        let bytes = server.psql(&format!("select pg_database_size('{database}')"));
        table.database_bytes = bytes.parse().with_context(|| format!("`{bytes}` is no size"))?;
        catalog.close().await;
        tables.push(table);
    }
    Ok(Measured { claimers: CLAIMERS, connections: options.connections, tables })
}

async fn load(server: &Server, options: &Options, finished: u64) -> Result<Loaded> {
    let url = server.database();
    let database = url.rsplit('/').next().unwrap_or_default().to_owned();
    let address = PostgresOptions::parse(&url).map_err(anyhow::Error::msg)?;
    let address = address.connections(options.connections);
    let catalog = Arc::new(PostgresCatalog::connect(&address).await?);
    library::model(server, &database, &catalog).await?;
    let started = Instant::now();
    if finished > 0 {
        library::copy(server, &database, finished, true);
    }
    library::copy(server, &database, options.titles, false);
    make_bare(server, &database, options.titles * library::TASKS);
    library::settle(server, &database);
    eprintln!("{} titles loaded in {:.0} s", options.titles + finished, secs(started.elapsed()));
    let table = Table {
        open: options.titles * library::TASKS,
        finished: finished * library::TASKS,
        bare: Vec::new(),
        with_objects: Vec::new(),
        without_objects: Vec::new(),
        database_bytes: 0,
    };
    Ok(Loaded { database, catalog, table })
}

/// The least that a queue needs: a number and a state. Half are done in any case: where nothing is, PostgreSQL finds one
/// index as good as the other, takes the one that has all of them, and is four times as slow.
fn make_bare(server: &Server, database: &str, open: u64) {
    let sql = format!(
        "create table bare (id bigint primary key, state text collate \"C\" not null); \
         insert into bare select n, case when n <= {open} then 'done' else 'queued' end \
         from generate_series(1, 2 * {open}) n; \
         create index bare_queued on bare (id) where state = 'queued'"
    );
    server.psql_in(database, &sql);
}

/// Tasks per second of pgbench with as many clients: a claim and a completion each, two transactions.
fn bare(server: &Server, database: &str, seconds: u64) -> Result<Bare> {
    let before = (processor::of(server.pid().unwrap_or(0)), processor::of_ended());
    let script = std::env::temp_dir().join(format!("hw-bare-{}.sql", std::process::id()));
    fs::write(
        &script,
        "update bare set state = 'leased' where id = (select id from bare where state = 'queued' order by id limit 1 \
             for update skip locked) returning id \\gset\n\
         update bare set state = 'done' where id = :id;\n",
    )?;
    let mut pgbench = Command::new(server.program_path("pgbench"));
    let clients = CLAIMERS.to_string();
    pgbench.args(["--no-vacuum", "--protocol=prepared", "--jobs=2", "--client", &clients]);
    pgbench.args(["--time", &seconds.to_string(), "--file"]).arg(&script);
    let done = pgbench.arg(server.url(database)).output().context("start pgbench")?;
    let (said, complaints) =
        (String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr));
    fs::remove_file(&script)?;
    ensure!(done.status.success(), "pgbench: {complaints}");
    let rate = said.lines().find_map(|line| line.strip_prefix("tps = ")?.split(' ').next());
    let rate: f64 = rate.and_then(|rate| rate.parse().ok()).with_context(|| said.to_string())?;
    let count = said.lines().find_map(|line| {
        line.strip_prefix("number of transactions actually processed: ")?.parse().ok()
    });
    let count: f64 = count.with_context(|| said.to_string())?;
    let cpu_ms = Cpu {
        server: millis(processor::of(server.pid().unwrap_or(0)), before.0) / count,
        client: millis(processor::of_ended(), before.1) / count,
    };
    let bare = Bare { tasks_per_second: rate, cpu_ms };
    eprintln!("  bare: {bare:?}");
    Ok(bare)
}

/// What the claimers get done in some time, through the catalog.
async fn real(
    server: &Server,
    catalog: &Arc<PostgresCatalog>,
    time: Duration,
    objects: bool,
) -> Result<Turn> {
    let before = (processor::of(server.pid().unwrap_or(0)), processor::own());
    let started = Instant::now();
    let claimers: Vec<_> = (0..CLAIMERS)
        .map(|n| tokio::spawn(claimer(catalog.clone(), n, started + time, objects)))
        .collect();
    let (mut claims, mut completions) = (Stopwatch::default(), Stopwatch::default());
    for claimer in claimers {
        let (claimed, completed) = claimer.await??;
        claims.add(claimed);
        completions.add(completed);
    }
    let took = started.elapsed();
    let complete = completions.percentiles();
    let count = complete.calls as f64;
    let turn = Turn {
        tasks_per_second: count / secs(took),
        cpu_ms: Cpu {
            server: millis(processor::of(server.pid().unwrap_or(0)), before.0) / count,
            client: millis(processor::own(), before.1) / count,
        },
        claim: claims.percentiles(),
        complete,
    };
    eprintln!("  objects {objects}: {turn:?}");
    Ok(turn)
}

async fn claimer(
    catalog: Arc<PostgresCatalog>,
    number: usize,
    until: Instant,
    with_objects: bool,
) -> Result<(Stopwatch, Stopwatch)> {
    let offer = Offer::of(&format!("worker-{number}"), &[Role::Worker]);
    // What spans hand in differs in nothing that the catalog looks at, and to think it up is not what is measured.
    let outcome = |kind| {
        let (objects, codecs) = match with_objects {
            true => (library::objects(kind), library::codecs(kind)),
            false => (vec![], vec![]),
        };
        Outcome::Made { objects, codecs, cpu_ms: 60_000, seen: Seen::default() }
    };
    let (span, track) = (outcome(TaskKind::Span(100)), outcome(TaskKind::Audio(0)));
    let (mut claims, mut completions) = (Stopwatch::default(), Stopwatch::default());
    while Instant::now() < until {
        let asked = Instant::now();
        let Some(claimed) = catalog.claim(&offer, LEASE_MS).await? else {
            bail!("nothing was left to claim: more titles are needed");
        };
        claims.took(asked.elapsed());
        let made = match claimed.kind {
            TaskKind::Audio(_) => &track,
            _ => &span,
        };
        let asked = Instant::now();
        catalog.complete(&claimed.lease, made).await?;
        completions.took(asked.elapsed());
    }
    Ok((claims, completions))
}

fn millis(now: Duration, before: Duration) -> f64 {
    secs(now.saturating_sub(before)) * 1000.0
}

fn secs(time: Duration) -> f64 {
    time.as_secs_f64()
}

#[cfg(test)]
mod tests;
