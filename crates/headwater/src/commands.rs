//! One file for each command, and how they say no.

pub(crate) mod audit;
pub(crate) mod gc;
pub(crate) mod heal;
pub(crate) mod incidents;
pub(crate) mod ingest;
pub(crate) mod origin;
pub(crate) mod pipelines;
pub(crate) mod probe;
pub(crate) mod rebuild;
pub(crate) mod retranscode;
pub(crate) mod rollback;
pub(crate) mod status;
pub(crate) mod stuck;
pub(crate) mod tasks;
pub(crate) mod title;
pub(crate) mod up;
pub(crate) mod verify;
pub(crate) mod watched;
pub(crate) mod workers;

use std::path::Path;

use anyhow::Context;
use headwater_model::id::TitleId;
use serde_json::json;

use crate::app::App;
use crate::cli::Outcome;
use crate::commands::stuck::Lookout;
use crate::config::Config;
use crate::terminal::{complain, news, say};

/// Titles among which the one is looked for that was meant. More would keep people waiting for an answer that is no.
const NEAR: u32 = 5_000;

/// Says no to what was asked of a title, an origin or whatever `what` names: why, and what to do about it. Nothing was
/// done.
pub(crate) fn turn_down(
    (what, name): (&str, &str),
    message: &str,
    next_step: &str,
    json: bool,
) -> Outcome {
    if json {
        say(&json!({ what: name, "message": message, "next_step": next_step }).to_string());
    } else {
        complain(message);
        news(&format!("hint: {next_step}"));
    }
    Outcome::Refused
}

/// The same for what of the command line or the configuration makes no sense, whatever there is.
pub(crate) fn misuse(what: (&str, &str), message: &str, next_step: &str, json: bool) -> Outcome {
    turn_down(what, message, next_step, json);
    Outcome::Misused
}

/// What to say of a title that nobody has heard of, and what to do about it.
pub(crate) async fn no_such_title(app: &App, title: &TitleId) -> anyhow::Result<(String, String)> {
    let titles = app.catalog.titles(&app.config.tenant, NEAR).await?;
    let known = titles.iter().map(|record| record.title.as_str());
    let near = headwater_spec::nearest(title.as_str(), known);
    let near = near.map(|near| format!("did you mean `{near}`? ")).unwrap_or_default();
    let next_step = format!("{near}`headwater status` lists the titles");
    Ok((format!("there is no title `{title}`"), next_step))
}

/// Says no to a title that nobody has heard of.
pub(crate) async fn unknown_title(
    app: &App,
    title: &TitleId,
    json: bool,
) -> anyhow::Result<Outcome> {
    let (message, next_step) = no_such_title(app, title).await?;
    Ok(turn_down(("title", title.as_str()), &message, &next_step, json))
}

/// Says so when nobody works on what is queued, and what `or` could be done about it here.
pub(crate) async fn tell_if_nobody_works(app: &App, or: &str) -> anyhow::Result<()> {
    if !app.is_workplace_taken().await? {
        let place = match app.config.database {
            Some(_) => "works on this database",
            None => "is running in this data folder",
        };
        news(&format!("hint: no service {place}: start `headwater up`{or}"));
    }
    Ok(())
}

/// Says so when nobody works on what is queued of a title, or nobody who does can do it.
pub(crate) async fn tell_if_nobody_can(app: &App, title: &TitleId, or: &str) -> anyhow::Result<()> {
    if app.is_workplace_taken().await? {
        return Lookout::new().tell(app, title).await;
    }
    tell_if_nobody_works(app, or).await
}

/// Says so when a title is held: whoever waits for it would not see why nothing happens.
pub(crate) async fn tell_if_held(app: &App, title: &TitleId) -> anyhow::Result<()> {
    let record = app.catalog.title(&app.config.tenant, title).await?;
    if record.is_some_and(|record| record.held) {
        tell_held(title);
    }
    Ok(())
}

fn tell_held(title: &TitleId) {
    news(&format!(
        "hint: `{title}` is held, nothing of it is begun: `headwater title release {title}` lets it go on"
    ));
}

/// What could be done about it by who has queued something just now.
pub(crate) const OR_WAIT: &str = ", or use --wait";

/// A pipeline as the catalog keeps it: a file by its whole path, since a service may have started in another folder. Where
/// a database is shared, another machine reads it, which has other files: it is refused.
pub(crate) fn named(
    config: &Config,
    pipeline: String,
    json: bool,
) -> anyhow::Result<Result<String, Outcome>> {
    if !pipeline.ends_with(".toml") {
        return Ok(Ok(pipeline));
    }
    let path = std::path::absolute(Path::new(&pipeline)).context("find the pipeline file")?;
    if config.database.is_some() {
        let message =
            format!("the pipeline `{pipeline}` is a file, which other machines do not have");
        let name = path.file_stem().unwrap_or_default().to_string_lossy();
        let hint = format!(
            "put it into `pipelines_dir` of every process and name it: `--pipeline {name}`"
        );
        return Ok(Err(misuse(("pipeline", &pipeline), &message, &hint, json)));
    }
    Ok(Ok(path.display().to_string()))
}
