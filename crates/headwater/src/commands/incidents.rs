//! `headwater incidents`: what was found wrong, since when, and how it ended.

use headwater_model::finding::Finding;
use headwater_model::id::{TitleId, Version};
use headwater_model::incident::{How, Incident};
use headwater_model::time::Timestamp;
use serde::Serialize;

use crate::app::App;
use crate::cli::Outcome;
use crate::commands::unknown_title;
use crate::config::Config;
use crate::origins::Need;
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
    let app = App::open(config, Need::Nothing).await?;
    if let Some(title) = &title
        && app.catalog.title(&app.config.tenant, title).await?.is_none()
    {
        return unknown_title(&app, title, json).await;
    }
    let found = app.catalog.incidents(&app.config.tenant, title.as_ref(), all, LISTED).await?;
    if json {
        for incident in &found {
            say(&serde_json::to_string(&IncidentReport::from(incident))?);
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

/// An incident as `--json` prints it, here and wherever it ends.
#[derive(Debug, Serialize)]
pub(crate) struct IncidentReport<'a> {
    id: i64,
    title: &'a TitleId,
    /// The version of viewers that it is about.
    version: Version,
    #[serde(flatten)]
    finding: &'a Finding,
    /// The finding as a sentence.
    message: String,
    /// Milliseconds since 1970, as all times.
    first_seen: Timestamp,
    last_seen: Timestamp,
    /// What was done about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    mended: Option<&'a How>,
    /// Absent while it is open.
    #[serde(skip_serializing_if = "Option::is_none")]
    closed: Option<Timestamp>,
}

impl<'a> From<&'a Incident> for IncidentReport<'a> {
    fn from(incident: &'a Incident) -> Self {
        Self {
            id: incident.id,
            title: &incident.package.title,
            version: incident.package.version,
            finding: &incident.finding,
            message: incident.finding.to_string(),
            first_seen: incident.first_seen,
            last_seen: incident.last_seen,
            mended: incident.mended.as_ref(),
            closed: incident.closed,
        }
    }
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
