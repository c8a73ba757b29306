//! `headwater rollback`: gives viewers an older version of a title again.

use anyhow::{Context, bail};
use headwater_model::id::{TitleId, Version};
use headwater_model::key::PackageId;
use serde_json::json;
use tokio_util::sync::CancellationToken;

use crate::app::App;
use crate::cli::Outcome;
use crate::commands::heal::work;
use crate::commands::retranscode::no_such_title;
use crate::commands::turn_down;
use crate::commands::up::stop_signal;
use crate::config::Config;
use crate::origins::Need;
use crate::progress::REFRESH;
use crate::terminal::say;

/// Points back, and waits until that is done.
pub(crate) async fn rollback(
    config: Config,
    title: TitleId,
    to: Version,
    json: bool,
) -> anyhow::Result<Outcome> {
    let app = App::open(config, Need::Publishing).await?;
    let package = PackageId { tenant: app.config.tenant.clone(), title, version: to };
    let holding = app.catalog.holding(&package.tenant, &package.title).await?;
    let refusal = match &holding {
        None => Some(no_such_title(&package.title).0),
        Some(holding) if holding.live == Some(to) => Some(format!("viewers get {to} already")),
        Some(_) if !app.engine.roll_back(&package).await? => Some(format!(
            "viewers have never had {to}, it is being deleted, or something is being done about it"
        )),
        Some(_) => None,
    };
    if let Some(refusal) = refusal {
        let hint = match holding {
            Some(holding) => {
                let known: Vec<String> =
                    holding.versions.iter().map(|held| held.version.to_string()).collect();
                format!("there are {}", known.join(", "))
            }
            None => no_such_title(&package.title).1.to_owned(),
        };
        return Ok(turn_down(("title", package.title.as_str()), &refusal, &hint, json));
    }
    let shutdown = stop_signal()?;
    let watch = async {
        let live = wait(&app, &package, &shutdown).await;
        shutdown.cancel();
        live
    };
    let ((), live) = tokio::try_join!(work(&app, shutdown.clone()), watch)?;
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
