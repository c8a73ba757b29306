//! `--where`: which titles are meant, by what the catalog knows of them.

use std::collections::BTreeSet;

use headwater_model::id::{Sha256, TitleId};
use headwater_model::life::TitleRecord;
use headwater_model::plan::Plan;
use headwater_spec::document::did_you_mean;

use super::package_of;
use crate::app::{self, App};

/// Titles that one call goes through. More are a migration, and that is better done in parts.
const TITLES: u32 = 1_000_000;

/// What can be asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Field {
    Title,
    State,
    Pipeline,
    Engine,
    Height,
    Master,
}

const FIELDS: [(&str, Field); 6] = [
    ("title", Field::Title),
    ("state", Field::State),
    ("pipeline", Field::Pipeline),
    ("engine", Field::Engine),
    ("height", Field::Height),
    ("master", Field::Master),
];

/// The words for states.
const STATES: [&str; 8] = [
    "queued",
    "transcoding",
    "sealing",
    "verifying",
    "publishing",
    "published",
    "rejected",
    "failed",
];

/// One `FIELD=VALUE`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Condition {
    field: Field,
    /// As [`field_of`] writes it.
    value: String,
}

/// A condition that no title could ever meet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Senseless {
    /// As it was written.
    pub(super) condition: String,
    /// What is wrong with it.
    pub(super) message: String,
    /// What is possible.
    pub(super) hint: String,
}

/// Understands conditions, or says what is wrong with the first that makes no sense.
pub(super) fn conditions(texts: &[String]) -> Result<Vec<Condition>, Senseless> {
    texts.iter().map(|text| condition(text)).collect()
}

fn condition(text: &str) -> Result<Condition, Senseless> {
    let senseless = |message: String, hint: &str| Senseless {
        condition: text.to_owned(),
        message,
        hint: hint.to_owned(),
    };
    let Some((name, value)) = text.split_once('=') else {
        let hint = "write FIELD=VALUE, such as `--where height=1080`";
        return Err(senseless(format!("`{text}` is not FIELD=VALUE"), hint));
    };
    let Some((_, field)) = FIELDS.iter().find(|(known, _)| *known == name) else {
        let known: Vec<&str> = FIELDS.iter().map(|(name, _)| *name).collect();
        let message = format!("there is no field `{name}`");
        return Err(senseless(message, &format!("there are {}", known.join(", "))));
    };
    let understood = match field {
        // What is not known of a title is empty.
        Field::Height | Field::Master if value.is_empty() => Ok(String::new()),
        Field::Height => value.parse::<u32>().map(|lines| lines.to_string()).map_err(|_| {
            let hint = "write the lines of the picture, such as `--where height=1080`";
            senseless(format!("`{value}` is not a height"), hint)
        }),
        Field::Master => value.parse::<Sha256>().map(|sha256| sha256.to_string()).map_err(|e| {
            senseless(e.to_string(), "write the SHA-256 of the master, as `sha256sum` prints it")
        }),
        Field::Title => value
            .parse::<TitleId>()
            .map(String::from)
            .map_err(|e| senseless(e.to_string(), "`headwater status` lists the titles")),
        Field::State if !STATES.contains(&value) => {
            let message = format!("there is no state `{value}`");
            Err(senseless(message, &did_you_mean(value, &STATES)))
        }
        Field::State | Field::Pipeline | Field::Engine => Ok(value.to_owned()),
    };
    understood.map(|value| Condition { field: *field, value })
}

/// The titles that meet all conditions, of those that are published.
pub(super) async fn matching(
    app: &App,
    conditions: &[Condition],
) -> anyhow::Result<Result<Vec<TitleRecord>, Senseless>> {
    let mut records = Vec::new();
    // One that was made by a file of any name, or by one that is gone, is a pipeline too.
    let mut pipelines = BTreeSet::from_iter(app::names(app.config.pipelines_dir.as_deref()));
    for record in app.catalog.titles(&app.config.tenant, TITLES).await? {
        let Some(live) = record.live else { continue };
        let package = app.catalog.package(&package_of(&record, live)).await?;
        let plan = package.and_then(|package| package.plan);
        let meets = |it: &Condition| field_of(&record, plan.as_ref(), it.field) == it.value;
        pipelines.insert(field_of(&record, plan.as_ref(), Field::Pipeline));
        if conditions.iter().all(meets) {
            records.push(record);
        }
    }
    let is_unknown =
        |it: &&Condition| it.field == Field::Pipeline && !pipelines.contains(&it.value);
    if let Some(Condition { value, .. }) = conditions.iter().find(is_unknown) {
        let known: Vec<&str> = pipelines.iter().map(String::as_str).collect();
        return Ok(Err(Senseless {
            condition: format!("pipeline={value}"),
            message: format!("there is no pipeline `{value}`, and no title was made by one"),
            hint: did_you_mean(value, &known),
        }));
    }
    Ok(Ok(records))
}

/// A field of a title as text, empty where it is not known.
fn field_of(record: &TitleRecord, plan: Option<&Plan>, field: Field) -> String {
    match field {
        Field::Title => record.title.to_string(),
        Field::State => record.state.name().to_owned(),
        Field::Pipeline => plan.map_or(record.pipeline.clone(), |plan| plan.pipeline.name.clone()),
        Field::Engine => plan.map(|plan| plan.engine.clone()).unwrap_or_default(),
        Field::Height => {
            let best = plan.and_then(|plan| plan.video.first());
            best.map(|video| video.width.min(video.height).to_string()).unwrap_or_default()
        }
        Field::Master => record.master.map(|sha256| sha256.to_string()).unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests;
