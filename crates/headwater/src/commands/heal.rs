//! `headwater heal`: puts right what origins have lost of published titles.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use anyhow::bail;
use headwater_engine::VerifyError;
use headwater_model::id::{TitleId, Version};
use headwater_model::incident::{How, Incident};
use headwater_model::key::PackageId;
use serde_json::json;
use tokio_util::sync::CancellationToken;

use crate::app::App;
use crate::archived::{self, ArchiveReport};
use crate::cli::{HealArgs, Outcome};
use crate::commands::incidents::IncidentReport;
use crate::commands::stuck::Lookout;
use crate::commands::watched::watched;
use crate::commands::{turn_down, unknown_title};
use crate::config::Config;
use crate::origins::Need;
use crate::progress::REFRESH;
use crate::stopping::stop_signal;
use crate::terminal::{news, say};

/// A wait that is worth a word.
const LONG: Duration = Duration::from_secs(10);

/// What to do when nothing is known of why it is not healed.
const READ_ON: &str = "Read its history: `headwater status TITLE`. A proof that finds more says more: `headwater verify TITLE`.";

/// Heals one title or all with open incidents.
pub(crate) async fn heal(config: Config, args: HealArgs, json: bool) -> anyhow::Result<Outcome> {
    let app = match args.dry_run {
        true => App::open(config, Need::Proving).await?,
        false => App::open_patiently(config, Need::Publishing).await?,
    };
    let titles = match args.title {
        Some(title) => vec![title],
        None => with_incidents(&app).await?,
    };
    if titles.is_empty() && !json {
        say(
            "nothing to heal: there are no open incidents (`headwater audit --all` looks for some)",
        );
    }
    let mut outcome = Outcome::Done;
    if args.dry_run {
        for title in &titles {
            if look(&app, title, json).await? == Outcome::Refused {
                outcome = Outcome::Refused;
            }
        }
        return Ok(outcome);
    }
    let shutdown = stop_signal()?;
    let watch = async {
        for title in &titles {
            if one(&app, title, json, &shutdown).await? == Outcome::Refused {
                outcome = Outcome::Refused;
            }
        }
        anyhow::Ok(())
    };
    watched(&app, &shutdown, watch).await?;
    Ok(outcome)
}

/// Titles with open incidents.
async fn with_incidents(app: &App) -> anyhow::Result<Vec<TitleId>> {
    let open = app.catalog.incidents(&app.config.tenant, None, false, u32::MAX).await?;
    let titles: BTreeSet<TitleId> =
        open.into_iter().map(|incident| incident.package.title).collect();
    Ok(titles.into_iter().collect())
}

/// Says what is wrong with a title and what would be done about it.
async fn look(app: &App, title: &TitleId, json: bool) -> anyhow::Result<Outcome> {
    let remedies = match app.engine.remedies(&app.config.tenant, title).await {
        Ok(remedies) => remedies,
        Err(error) => return refuse(app, title, error, json).await,
    };
    if json {
        say(&json!({ "title": title, "remedies": remedies }).to_string());
        return Ok(Outcome::Done);
    }
    if remedies.is_empty() {
        say(&format!("{title}  nothing is wrong"));
    }
    for remedy in remedies {
        say(&format!("{title}  {}: {}", remedy.finding, remedy.what));
    }
    Ok(Outcome::Done)
}

async fn refuse(
    app: &App,
    title: &TitleId,
    error: VerifyError,
    json: bool,
) -> anyhow::Result<Outcome> {
    let hint = match &error {
        VerifyError::Catalog(_) => return Err(error.into()),
        VerifyError::UnknownTitle(title) => return unknown_title(app, title, json).await,
        VerifyError::NotLive(_) | VerifyError::NotSealed(_) => {
            format!(
                "only what viewers get is healed; `headwater status {title}` says where it stands"
            )
        }
    };
    Ok(turn_down(("title", title.as_str()), &error.to_string(), &hint, json))
}

/// Heals one title and waits until that is done, be it by a new version.
async fn one(
    app: &App,
    title: &TitleId,
    json: bool,
    stop: &CancellationToken,
) -> anyhow::Result<Outcome> {
    let began = app.clock.now();
    let newest = newest(app, title).await?;
    let (queued, package) = match app.engine.heal(&app.config.tenant, title).await {
        Ok(answer) => answer,
        Err(error) => return refuse(app, title, error, json).await,
    };
    if !queued {
        news(&format!("{title}  is being worked on already; waiting for that"));
    }
    let mut lookout = Lookout::begin(app, title).await?;
    let (waiting, mut told) =
        (Instant::now(), app.catalog.events(&app.config.tenant, title).await?.len());
    let mut is_long = false;
    while is_busy(app, &package, newest).await? {
        let events = app.catalog.events(&app.config.tenant, title).await?;
        // The last of all is said below.
        for event in events.iter().skip(told) {
            news(&format!("{title}  {}", event.text));
        }
        told = events.len();
        if !json {
            lookout.look(app, title).await?;
        }
        if !is_long && waiting.elapsed() > LONG {
            is_long = true;
            news("Ctrl-C ends the waiting: whatever is queued then goes on when a service runs");
        }
        tokio::select! {
            () = stop.cancelled() => bail!("interrupted; it goes on when a service runs"),
            () = tokio::time::sleep(REFRESH) => {}
        }
    }
    let archive = match app.catalog.title(&app.config.tenant, title).await? {
        Some(record) => {
            archived::wait(app, &record, stop).await?;
            ArchiveReport::of(app, &record).await?
        }
        None => None,
    };
    let archive = archive.filter(|archive| !archive.proven || archive.code.is_some());
    let all = app.catalog.incidents(&app.config.tenant, Some(title), true, u32::MAX).await?;
    let closed_now = |incident: &&Incident| incident.closed.is_some_and(|closed| closed >= began);
    let put_right: Vec<&Incident> = all.iter().filter(closed_now).collect();
    let open: Vec<&Incident> = all.iter().filter(|incident| incident.closed.is_none()).collect();
    let healed = open.is_empty();
    let record = app.catalog.title(&app.config.tenant, title).await?;
    let version = record.and_then(|record| record.live).unwrap_or(package.version);
    let events = app.catalog.events(&app.config.tenant, title).await?;
    let last = events.last().map(|event| event.text.clone()).unwrap_or_default();
    let trouble = match healed {
        true => None,
        false => app.catalog.making(&package).await?.and_then(|making| making.trouble),
    };
    let next_step = trouble.as_ref().map_or(READ_ON, |why| why.code.next_step_of_healing());
    if json {
        let of = |incident: &&'_ Incident| json!(IncidentReport::from(*incident));
        let mut line = json!({
            "title": title, "version": version, "healed": healed, "message": last,
            "put_right": put_right.iter().map(of).collect::<Vec<_>>(),
            "open": open.iter().map(of).collect::<Vec<_>>(),
        });
        if let Some(archive) = archive {
            line["archive"] = json!(archive);
        }
        if let Some(why) = &trouble {
            line["code"] = json!(why.code);
        }
        if !healed {
            line["next_step"] = next_step.into();
        }
        say(&line.to_string());
    } else {
        say(&format!("{title} {version}  {last}"));
        for incident in put_right {
            let how = incident.mended.as_ref().map_or("sound again".to_owned(), How::to_string);
            say(&format!(
                "  put right   `{}` on origin {}: {how}",
                incident.finding.object, incident.finding.origin
            ));
        }
        for incident in open {
            say(&format!("  open        {}", incident.finding));
        }
        if let Some(archive) = archive {
            say(&format!("  master      {}", archive.message));
        }
        if !healed {
            say(&format!("  next step   {next_step}"));
        }
    }
    Ok(if healed { Outcome::Done } else { Outcome::Refused })
}

/// The newest version of a title.
async fn newest(app: &App, title: &TitleId) -> anyhow::Result<Version> {
    let record = app.catalog.title(&app.config.tenant, title).await?;
    Ok(record.map_or(Version(0), |record| record.version))
}

/// Whether the healing of `package` is still under way: its own, that of a version that it refers to, or the making of
/// one that is to take its place, which is newer than the one that was newest before.
async fn is_busy(app: &App, package: &PackageId, newest_before: Version) -> anyhow::Result<bool> {
    let last = newest(app, &package.title).await?.0;
    let asked = (1..=package.version.0).rev().chain(newest_before.0 + 1..=last);
    for version in asked.map(Version) {
        if app.catalog.is_busy(&PackageId { version, ..package.clone() }).await? {
            return Ok(true);
        }
    }
    Ok(false)
}
