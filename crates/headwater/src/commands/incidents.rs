//! `headwater incidents`: what was found wrong, since when, and how it ended.

use headwater_model::id::TitleId;
use headwater_model::incident::Incident;
use serde_json::json;

use crate::app::App;
use crate::cli::Outcome;
use crate::config::Config;
use crate::report::clock;
use crate::terminal::say;

/// Incidents that are printed. Whoever has more has lost an origin, and reads about one title at a time.
const LISTED: u32 = 100_000;

/// Shows incidents, oldest first.
pub(crate) async fn incidents(
    config: Config,
    title: Option<TitleId>,
    all: bool,
    json: bool,
) -> anyhow::Result<Outcome> {
    let app = App::open(config).await?;
    let found = app.catalog.incidents(&app.config.tenant, title.as_ref(), all, LISTED).await?;
    if json {
        for incident in &found {
            say(&in_json(incident).to_string());
        }
        return Ok(Outcome::Done);
    }
    if found.is_empty() {
        say(if all {
            "no incidents"
        } else {
            "no open incidents (--all shows those that are over)"
        });
    }
    for incident in &found {
        say(&in_words(incident));
    }
    Ok(Outcome::Done)
}

fn in_json(incident: &Incident) -> serde_json::Value {
    json!({
        "id": incident.id, "title": incident.package.title, "version": incident.package.version,
        "origin": incident.finding.origin, "object": incident.finding.object,
        "finding": incident.finding.kind, "message": incident.finding.to_string(),
        "first_seen": clock(incident.first_seen.0), "last_seen": clock(incident.last_seen.0),
        "mended": incident.mended, "closed": incident.closed.map(|at| clock(at.0)),
    })
}

fn in_words(incident: &Incident) -> String {
    let Incident { id, finding, first_seen, mended, closed, .. } = incident;
    let end = match (closed, mended) {
        (None, _) => "open".to_owned(),
        (Some(at), Some(how)) => format!("closed {}: {how}", clock(at.0)),
        (Some(at), None) => format!("closed {}: sound when looked at again", clock(at.0)),
    };
    format!("#{id}  {}  {finding}  [{end}]", clock(first_seen.0))
}
