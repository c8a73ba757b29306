//! `headwater catalog rebuild`: fills an empty catalog with what an origin holds.

use anyhow::bail;
use headwater_engine::rebuild::RebuildError;
use headwater_model::history::counted;
use serde_json::json;

use crate::app::App;
use crate::cli::Outcome;
use crate::commands::turn_down;
use crate::config::Config;
use crate::origins::Need;
use crate::terminal::{news, say};

/// Rebuilds the catalog.
pub(crate) async fn rebuild(config: Config, origin: &str, json: bool) -> anyhow::Result<Outcome> {
    let app = App::open_or_make(config, Need::Only(origin.to_owned())).await?;
    if let Some(database) = &app.config.database {
        let names: Vec<String> = app.present().await?.into_iter().map(|it| it.name).collect();
        if !names.is_empty() {
            bail!(
                "others work on the database at `{}`: {}\nhint: a rebuild has it to itself: end them first (one that was killed is listed for another 30 s; `headwater workers` shows them)",
                database.place(),
                names.join(", ")
            );
        }
    }
    let Some(_workplace) = app.take_workplace_alone().await? else {
        bail!("a headwater works in `{}`\nhint: stop it first", app.config.data_dir.display());
    };
    let rebuilt = match app.engine.rebuild(&app.config.tenant, origin).await {
        Ok(rebuilt) => rebuilt,
        Err(error @ (RebuildError::NoSuchOrigin(_) | RebuildError::NotEmpty(_))) => {
            let names: Vec<String> = app.stores.iter().map(|o| o.name().to_owned()).collect();
            let hint = match error {
                RebuildError::NoSuchOrigin(_) => format!("there are: {}", names.join(", ")),
                _ if app.config.database.is_some() => {
                    "choose an empty database with HEADWATER_DATABASE".to_owned()
                }
                _ => "choose an empty data folder with --data-dir".to_owned(),
            };
            return Ok(turn_down(("origin", origin), &error.to_string(), &hint, json));
        }
        Err(error) => return Err(error.into()),
    };
    let (titles, packages, objects) = (rebuilt.titles, rebuilt.packages, rebuilt.objects);
    if json {
        let line = json!({
            "origin": origin, "titles": titles, "packages": packages, "objects": objects,
            "masters": rebuilt.masters, "problems": rebuilt.problems,
        });
        say(&line.to_string());
    } else {
        say(&format!(
            "taken over from origin {origin}: {}, {}, {}",
            counted(titles, "title"),
            counted(packages, "package"),
            counted(objects, "object")
        ));
        if let Some(archive) = app.stores.archive() {
            let masters = counted(rebuilt.masters, "master");
            say(&format!("found on origin {}: {masters}", archive.name()));
        }
        for problem in &rebuilt.problems {
            say(&format!("  not taken over: {problem}"));
        }
        news(
            "hint: `headwater audit --all` proves that the origin has all of it; masters are found again by ingesting them",
        );
    }
    Ok(if rebuilt.problems.is_empty() { Outcome::Done } else { Outcome::Refused })
}
