//! `/livez` and `/readyz`: whether this process should be started again, and whether it should be given work.
//!
//! They are two questions. A process whose catalog is away is alive: starting it again would bring no catalog back and
//! lose what is under way. It is not ready, and neither is one that is about to end.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CACHE_CONTROL;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use headwater_model::worker::SILENT_MS;
use headwater_ports::catalog::Catalog;

use crate::wire::{Check, Health as Answer};

/// Loops beat every second. One that has not for this long is stuck, also on a machine whose transcoders leave little
/// time for anything else.
const STUCK: Duration = Duration::from_secs(10);

/// A process that the catalog has not heard of for this long is silent to all others.
const SILENT: Duration = Duration::from_millis(SILENT_MS.unsigned_abs());

/// How long a healthy catalog takes at most for a look at one row; whoever asks about health does not wait much longer.
const PROMPT: Duration = Duration::from_secs(2);

/// A note of the catalog that is asked for, whether or not it is there.
const NOTE: &str = "health";

/// What can be said about this process.
#[derive(Clone)]
pub struct Health {
    /// Asked by `/readyz`.
    pub catalog: Arc<dyn Catalog>,
    /// What the process is there for: the name of each role, and the loops that it needs.
    pub roles: Vec<(&'static str, Vec<&'static str>)>,
    /// How it is now.
    pub vitals: Arc<dyn Fn() -> Vitals + Send + Sync>,
}

/// How a process is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Vitals {
    /// Whether it was told to end.
    pub is_draining: bool,
    /// The loops that run, each with the time since it last beat.
    pub loops: Vec<(&'static str, Duration)>,
    /// What the catalog has heard of it.
    pub heard_of: HeardOf,
}

/// When the catalog last took down that a process is there: it has to take changes for that, not only to answer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum HeardOf {
    /// Nobody has to know: the process has no tasks.
    #[default]
    NotNeeded,
    /// Never: it goes by no name yet, and can claim nothing.
    Never,
    /// So long ago.
    Ago(Duration),
}

/// The two addresses.
pub(crate) fn routes(health: Health) -> Router {
    Router::new().route("/livez", get(live)).route("/readyz", get(ready)).with_state(health)
}

/// The two of a process that comes up: nothing of it can be stuck yet, and its catalog has not answered.
pub(crate) fn routes_while_starting() -> Router {
    let (alive, opens) =
        (async || answer(liveness(&Vitals::default())), async || answer(opening()));
    Router::new().route("/livez", get(alive)).route("/readyz", get(opens))
}

fn opening() -> Answer {
    let message = "the process comes up: catalog and origins have not answered yet".to_owned();
    let check = Check { name: "catalog", ok: false, message };
    Answer { status: "not-ready", checks: vec![check], roles: vec![] }
}

async fn live(State(health): State<Health>) -> Response {
    answer(liveness(&(health.vitals)()))
}

async fn ready(State(health): State<Health>) -> Response {
    let began = Instant::now();
    let asked = tokio::time::timeout(PROMPT, health.catalog.checkpoint(NOTE)).await;
    let catalog = match asked {
        Ok(Ok(_)) => Ok(began.elapsed()),
        Ok(Err(error)) => {
            tracing::warn!(%error, "not ready: the catalog does not answer");
            Err("does not answer at the moment".to_owned())
        }
        Err(_) => Err(format!("has not answered within {} s", PROMPT.as_secs())),
    };
    answer(readiness(&health.roles, &(health.vitals)(), catalog))
}

/// Whether the loops turn.
fn liveness(vitals: &Vitals) -> Answer {
    let checks: Vec<Check> = vitals.loops.iter().map(|(name, ago)| turns(name, *ago)).collect();
    let status = if checks.iter().all(|check| check.ok) { "alive" } else { "stuck" };
    Answer { status, checks, roles: vec![] }
}

fn turns(name: &'static str, ago: Duration) -> Check {
    let ok = ago < STUCK;
    let message = match ok {
        true => format!("the loop `{name}` turned {} ms ago", ago.as_millis()),
        false => format!("the loop `{name}` has not turned for {} s", ago.as_secs()),
    };
    Check { name, ok, message }
}

/// Whether it can work. `catalog` is the time that it took to answer, or why it has not.
fn readiness(
    roles: &[(&'static str, Vec<&'static str>)],
    vitals: &Vitals,
    catalog: Result<Duration, String>,
) -> Answer {
    let catalog = match catalog {
        Ok(took) => (true, format!("answered in {} ms", took.as_millis())),
        Err(message) => (false, message),
    };
    let work = match vitals.is_draining {
        false => (true, "new work is taken".to_owned()),
        true => (false, "draining: what is under way is finished, nothing new is taken".to_owned()),
    };
    let check = |name, (ok, message)| Check { name, ok, message };
    let mut checks = vec![check("catalog", catalog), check("work", work)];
    checks.extend(known(vitals.heard_of).map(|known| check("worker", known)));
    let roles: Vec<Check> =
        roles.iter().map(|(name, loops)| check(name, fit(loops, vitals))).collect();
    let status = match checks.iter().chain(&roles).all(|check| check.ok) {
        true => "ready",
        false if vitals.is_draining => "draining",
        false => "not-ready",
    };
    Answer { status, checks, roles }
}

/// Whether the catalog takes down that a process with tasks is there.
fn known(heard_of: HeardOf) -> Option<(bool, String)> {
    match heard_of {
        HeardOf::NotNeeded => None,
        HeardOf::Never => Some((false, "the catalog does not know of it yet".to_owned())),
        HeardOf::Ago(ago) if ago < SILENT => {
            Some((true, format!("the catalog heard of it {} s ago", ago.as_secs())))
        }
        HeardOf::Ago(ago) => {
            let s = ago.as_secs();
            Some((false, format!("the catalog has not taken down for {s} s that it is there")))
        }
    }
}

/// Whether a role with these loops does its part.
fn fit(loops: &[&'static str], vitals: &Vitals) -> (bool, String) {
    for needed in loops {
        let found = vitals.loops.iter().find(|(name, _)| name == needed);
        match found.map(|(name, ago)| turns(name, *ago)) {
            Some(check) if check.ok => {}
            Some(check) => return (false, check.message),
            None if vitals.is_draining => return (false, format!("the loop `{needed}` has ended")),
            None => return (false, format!("the loop `{needed}` has not begun")),
        }
    }
    (true, "works".to_owned())
}

fn answer(answer: Answer) -> Response {
    let well = matches!(answer.status, "alive" | "ready");
    let status = if well { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, [(CACHE_CONTROL, "no-store")], Json(answer)).into_response()
}

#[cfg(test)]
mod tests;
