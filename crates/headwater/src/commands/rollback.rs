//! `headwater rollback`: gives viewers an older version of a title again.

use anyhow::{Context, bail};
use headwater_model::audit::{Held, Holding, Standing};
use headwater_model::id::{TitleId, Version};
use headwater_model::key::PackageId;
use serde_json::json;
use tokio_util::sync::CancellationToken;

use crate::app::App;
use crate::cli::Outcome;
use crate::commands::watched::watched;
use crate::commands::{tell_if_held, turn_down, unknown_title};
use crate::config::Config;
use crate::origins::Need;
use crate::progress::REFRESH;
use crate::stopping::stop_signal;
use crate::terminal::say;

/// Points back, and waits until that is done.
pub(crate) async fn rollback(
    config: Config,
    title: TitleId,
    to: Version,
    json: bool,
) -> anyhow::Result<Outcome> {
    let app = App::open_patiently(config, Need::Publishing).await?;
    let package = PackageId { tenant: app.config.tenant.clone(), title, version: to };
    let Some(holding) = app.catalog.holding(&package.tenant, &package.title).await? else {
        return unknown_title(&app, &package.title, json).await;
    };
    let refusal = match what_forbids(&holding, to) {
        None if !app.engine.roll_back(&package).await? => Some(is_busy(&holding, to)),
        refusal => refusal,
    };
    if let Some((message, next_step)) = refusal {
        return Ok(turn_down(("title", package.title.as_str()), &message, &next_step, json));
    }
    tell_if_held(&app, &package.title).await?;
    let shutdown = stop_signal()?;
    let live = watched(&app, &shutdown, wait(&app, &package, &shutdown)).await?;
    let done = live == Some(to);
    let events = app.catalog.events(&package.tenant, &package.title).await?;
    let last = events.last().map(|event| event.text.clone()).unwrap_or_default();
    if json {
        say(&json!({ "title": package.title, "live": live, "done": done, "message": last })
            .to_string());
    } else {
        let got = live.map_or("nothing".to_owned(), |live| live.to_string());
        say(&format!("{}  viewers get {got}: {last}", package.title));
    }
    Ok(if done { Outcome::Done } else { Outcome::Refused })
}

/// Why viewers cannot be given that version, and what to do instead. None where the catalog only has to be free of other
/// work on it.
fn what_forbids(holding: &Holding, to: Version) -> Option<(String, String)> {
    let title = &holding.title;
    let there = |held: &&Held| held.version == to;
    let message = match holding.versions.iter().find(there).map(|held| held.standing) {
        _ if holding.live == Some(to) => format!("viewers get {to} of `{title}` already"),
        None => {
            let known: Vec<String> =
                holding.versions.iter().map(|held| held.version.to_string()).collect();
            format!("there is no {to} of `{title}` (known: {})", known.join(", "))
        }
        Some(Standing::Condemned) => format!("{to} of `{title}` is being deleted"),
        Some(Standing::NeverPublished) => format!("viewers have never had {to} of `{title}`"),
        Some(Standing::Published) => return None,
    };
    let possible =
        |held: &&Held| held.standing == Standing::Published && holding.live != Some(held.version);
    let possible: Vec<Version> =
        holding.versions.iter().filter(possible).map(|held| held.version).collect();
    let next_step = match possible.as_slice() {
        [] => format!(
            "there is no version to roll back to: `headwater retranscode {title}` makes a new one"
        ),
        [.., newest] => {
            let all: Vec<String> = possible.iter().map(Version::to_string).collect();
            let all = all.join(", ");
            format!(
                "choose one that viewers have had ({all}): `headwater rollback {title} --to {newest}`"
            )
        }
    };
    Some((message, next_step))
}

/// The same for a version that something is being done about.
fn is_busy(holding: &Holding, to: Version) -> (String, String) {
    let title = &holding.title;
    (
        format!("{to} of `{title}` is being worked on"),
        format!("ask again once that is done: `headwater status {title}` shows it"),
    )
}

/// Waits until nothing more is done about the package, and says what viewers get.
async fn wait(
    app: &App,
    package: &PackageId,
    stop: &CancellationToken,
) -> anyhow::Result<Option<Version>> {
    while app.catalog.is_busy(package).await? {
        tokio::select! {
            () = stop.cancelled() => bail!("interrupted; it goes on when a service runs"),
            () = tokio::time::sleep(REFRESH) => {}
        }
    }
    let record = app.catalog.title(&package.tenant, &package.title).await?;
    Ok(record.context("the title vanished from the catalog")?.live)
}

#[cfg(test)]
mod tests;
