//! `--where`: which titles are meant, by what the catalog knows of them.

use headwater_model::life::TitleRecord;
use headwater_model::plan::Plan;

use super::package_of;
use crate::app::App;

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

/// One `FIELD=VALUE`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Condition<'a> {
    field: Field,
    value: &'a str,
}

/// Understands conditions; or says which one it does not, and why.
pub(super) fn conditions(texts: &[String]) -> Result<Vec<Condition<'_>>, (&str, String)> {
    let understand = |text| condition(text).map_err(|problem| (text, problem));
    texts.iter().map(String::as_str).map(understand).collect()
}

fn condition(text: &str) -> Result<Condition<'_>, String> {
    let Some((name, value)) = text.split_once('=') else {
        return Err(format!("`{text}` is not FIELD=VALUE"));
    };
    match FIELDS.iter().find(|(known, _)| *known == name) {
        Some((_, field)) => Ok(Condition { field: *field, value }),
        None => {
            let known: Vec<&str> = FIELDS.iter().map(|(name, _)| *name).collect();
            Err(format!("there is no field `{name}`: there are {}", known.join(", ")))
        }
    }
}

/// The titles that meet all conditions, of those that are published.
pub(super) async fn matching(
    app: &App,
    conditions: &[Condition<'_>],
) -> anyhow::Result<Vec<TitleRecord>> {
    let mut records = Vec::new();
    for record in app.catalog.titles(&app.config.tenant, TITLES).await? {
        let Some(live) = record.live else { continue };
        let package = app.catalog.package(&package_of(&record, live)).await?;
        let plan = package.and_then(|package| package.plan);
        let meets = |it: &Condition<'_>| field_of(&record, plan.as_ref(), it.field) == it.value;
        if conditions.iter().all(meets) {
            records.push(record);
        }
    }
    Ok(records)
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
