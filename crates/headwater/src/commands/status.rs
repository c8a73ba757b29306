//! `headwater status`: titles, and what happened to them.

use headwater_model::id::TitleId;
use headwater_model::life::TitleRecord;

use crate::app::App;
use crate::cli::Outcome;
use crate::commands::stuck::Lookout;
use crate::commands::{tell_if_nobody_can, tell_if_nobody_works, unknown_title};
use crate::config::Config;
use crate::origins::Need;
use crate::progress::{Progress, REFRESH};
use crate::report::TitleReport;
use crate::stopping::stop_signal;
use crate::terminal::say;

/// Titles in a list. A person reads no more; a program asks for each one by name.
const LISTED: u32 = 1000;

/// Shows one title or all.
pub(crate) async fn status(
    config: Config,
    title: Option<TitleId>,
    follow: bool,
    json: bool,
) -> anyhow::Result<Outcome> {
    let app = match follow {
        true => App::open_patiently(config, Need::Nothing).await?,
        false => App::open(config, Need::Nothing).await?,
    };
    match title {
        Some(title) => one(&app, &title, follow, json).await,
        None => all(&app, follow, json).await,
    }
}

async fn one(app: &App, title: &TitleId, follow: bool, json: bool) -> anyhow::Result<Outcome> {
    let Some(mut record) = app.catalog.title(&app.config.tenant, title).await? else {
        return unknown_title(app, title, json).await;
    };
    if !json && !record.state.is_final() {
        tell_if_nobody_can(app, title, "").await?;
    }
    let mut progress = Progress::default();
    let mut lookout = match follow && !record.state.is_final() {
        true => Lookout::begin(app, title).await?,
        false => Lookout::new(),
    };
    while follow && !record.state.is_final() {
        if !json {
            progress.show(std::slice::from_ref(&record));
        }
        tokio::time::sleep(REFRESH).await;
        lookout.look(app, title).await?;
        match app.catalog.title(&app.config.tenant, title).await? {
            Some(newer) => record = newer,
            None => break,
        }
    }
    progress.show(&[]);
    let report = TitleReport::whole(app, &record).await?;
    say(&if json { serde_json::to_string(&report)? } else { report.text() });
    Ok(outcome_of(&record))
}

/// With `--follow`, a title that was refused is a failure of the command too: scripts wait with it.
fn outcome_of(record: &TitleRecord) -> Outcome {
    if record.state.refusal().is_some() { Outcome::Refused } else { Outcome::Done }
}

/// Shows titles until all are published or refused.
async fn follow_all(app: &App, mut records: Vec<TitleRecord>) -> anyhow::Result<()> {
    let stop = stop_signal()?;
    let mut progress = Progress::after(&records);
    while records.iter().any(|r| !r.state.is_final()) && !stop.is_cancelled() {
        progress.show(&records);
        tokio::select! {
            () = stop.cancelled() => {}
            () = tokio::time::sleep(REFRESH) => {}
        }
        tokio::select! {
            () = stop.cancelled() => {}
            newer = app.catalog.titles(&app.config.tenant, LISTED) => records = newer?,
        }
    }
    progress.show(&records);
    Ok(())
}

async fn all(app: &App, follow: bool, json: bool) -> anyhow::Result<Outcome> {
    let records = app.catalog.titles(&app.config.tenant, LISTED).await?;
    for record in &records {
        let report = TitleReport::brief(app, record);
        say(&if json { serde_json::to_string(&report)? } else { report.line() });
    }
    if records.is_empty() && !json {
        let folder = app.config.watch.folder.display();
        say(&format!("no titles yet in {}; drop a master into {folder}", app.place()));
    }
    if !json && records.iter().any(|record| !record.state.is_final()) {
        tell_if_nobody_works(app, "").await?;
    }
    if follow {
        follow_all(app, records).await?;
    }
    Ok(Outcome::Done)
}
