//! `headwater gc`: deletes versions that viewers no longer get.

use std::sync::Mutex;

use headwater_engine::gc::Unneeded;
use headwater_model::history::counted;
use serde_json::json;

use crate::app::App;
use crate::cli::Outcome;
use crate::config::Config;
use crate::origins::Need;
use crate::terminal::{news, say};

const DAY_MS: i64 = 24 * 60 * 60 * 1000;

/// Lists what nobody needs, and deletes it unless `dry_run`.
pub(crate) async fn gc(
    config: Config,
    dry_run: bool,
    older_than_days: u32,
    keep: usize,
    json: bool,
) -> anyhow::Result<Outcome> {
    let app = App::open(config, Need::Proving).await?;
    let before = app.clock.now().plus_ms(-i64::from(older_than_days) * DAY_MS);
    let sum = Mutex::new((0u64, 0u64, 0u64));
    let found = |unneeded: &Unneeded| {
        let Unneeded { package, objects, bytes } = unneeded;
        if json {
            say(&serde_json::to_string(unneeded).unwrap_or_default());
        } else {
            let (objects, bytes) = (counted(*objects, "object"), counted(*bytes, "byte"));
            say(&format!("{package}  {objects}, {bytes}"));
        }
        if let Ok(mut sum) = sum.lock() {
            *sum = (sum.0 + 1, sum.1 + objects, sum.2 + bytes);
        }
    };
    app.engine.collect(&app.config.tenant, before, keep, !dry_run, &found).await?;
    let (packages, objects, bytes) = sum.into_inner().unwrap_or_default();
    let copies = app.stores.iter().count();
    if json {
        let line = json!({
            "deleted": !dry_run, "packages": packages, "objects": objects, "bytes": bytes, "origins": copies,
        });
        say(&line.to_string());
    } else {
        let what = if dry_run { "would be deleted" } else { "deleted" };
        let each = if copies == 1 { "" } else { "each of " };
        say(&format!(
            "{what}: {}, {}, {} on {each}{}",
            counted(packages, "package"),
            counted(objects, "object"),
            counted(bytes, "byte"),
            counted(copies as u64, "origin")
        ));
        if packages == 0 {
            news(&format!(
                "hint: what viewers get stays with all that it refers to, the {} before it too (--keep), and what they got in the last {} (--older-than)",
                counted(keep as u64, "version"),
                counted(older_than_days.into(), "day")
            ));
        }
    }
    Ok(Outcome::Done)
}
