//! A library of films on a cluster of workers, played through in compressed time: the catalog and its database are the real
//! ones, what workers do between a claim and its result is only slept through, by a clock that jumps from event to event.
//!
//! Events that are close together are carried out at the same time, as they are in a cluster, so which worker gets which
//! task is not the same in each run. How long a task takes, when workers die and what titles there are depends on the seed
//! alone.

mod cast;
mod history;
mod report;
mod stage;

use std::sync::Arc;

use anyhow::{Context, Result};
use headwater_catalog::{PostgresCatalog, PostgresOptions};
use headwater_testkit::postgres::Server;

use history::History;
use report::Report;
use stage::{Clock, Stage};

/// What to play.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Options {
    /// That transcode, one task at a time.
    pub(crate) workers: usize,
    pub(crate) titles: usize,
    /// Of all workers together.
    pub(crate) deaths_per_hour: f64,
    /// Titles that somebody waits for, dropped in while all this runs.
    pub(crate) urgent_per_hour: f64,
    pub(crate) seed: u64,
    pub(crate) lease_seconds: i64,
    /// Real time after which no further title is begun.
    pub(crate) minutes_of_real_time: Option<f64>,
}

impl Options {
    pub(crate) fn parse(args: &[&str]) -> Option<Self> {
        let mut options = Self {
            workers: 200,
            titles: 25_000,
            deaths_per_hour: 20.0,
            urgent_per_hour: 1.0,
            seed: 1,
            lease_seconds: 300,
            minutes_of_real_time: None,
        };
        let (pairs, []) = args.as_chunks() else { return None };
        for [name, value] in pairs {
            match *name {
                "--workers" => options.workers = value.parse().ok().filter(|n| *n > 0)?,
                "--titles" => options.titles = value.parse().ok().filter(|n| *n > 0)?,
                "--deaths-per-hour" => options.deaths_per_hour = rate(value)?,
                "--urgent-per-hour" => options.urgent_per_hour = rate(value)?,
                "--seed" => options.seed = value.parse().ok()?,
                "--lease-seconds" => {
                    options.lease_seconds = value.parse().ok().filter(|n| *n > 0)?
                }
                "--minutes-of-real-time" => options.minutes_of_real_time = Some(rate(value)?),
                _ => return None,
            }
        }
        Some(options)
    }
}

fn rate(word: &str) -> Option<f64> {
    word.parse().ok().filter(|rate: &f64| rate.is_finite() && *rate >= 0.0)
}

/// Connections, as a few processes of workers have them together.
const CONNECTIONS: u32 = 16;

pub(crate) async fn run(options: &Options) -> Result<Report> {
    let server = tokio::task::spawn_blocking(Server::start_for_measuring).await?;
    let url = server.database();
    let clock = Arc::new(Clock::default());
    let address = PostgresOptions::parse(&url).map_err(anyhow::Error::msg)?;
    let address = address.connections(CONNECTIONS).clock_for_all(clock.clone());
    let catalog = Arc::new(PostgresCatalog::connect(&address).await?);
    let history = History::read()?;
    let mut stage = Stage::new(catalog.clone(), clock, history, options);
    stage.play().await?;
    let database = url.rsplit('/').next().unwrap_or_default();
    let bytes = server.psql(&format!("select pg_database_size('{database}')"));
    let bytes = bytes.parse().with_context(|| format!("`{bytes}` is no size"))?;
    let unpublished = server.psql_in(database, "select count(*) from titles where live is null");
    let unpublished = unpublished.parse().context("count titles")?;
    let open = server.psql_in(database, "select count(*) from tasks where state <> 'done'");
    let open = open.parse().context("count tasks")?;
    catalog.close().await;
    Ok(stage.report(bytes, unpublished, open))
}

#[cfg(test)]
mod tests;
