//! `headwater title`: holds titles, lets them go on, gives them up, and says how much they are wanted.

use anyhow::Context;
use headwater_model::id::TitleId;
use headwater_model::life::{TitleRecord, TitleState};
use headwater_model::refusal::Code;
use headwater_model::steering::{Answer, Order};
use serde_json::json;

use crate::app::App;
use crate::cli::Outcome;
use crate::commands::{tell_if_nobody_can, turn_down, unknown_title};
use crate::config::Config;
use crate::origins::Need;
use crate::terminal::{news, say};

/// Does what is asked of a title.
pub(crate) async fn steer(
    config: Config,
    (title, order): (TitleId, Order),
    json: bool,
) -> anyhow::Result<Outcome> {
    let app = App::open(config, Need::Nothing).await?;
    match app.catalog.steer(&app.config.tenant, &title, order).await? {
        Answer::Unknown => return unknown_title(&app, &title, json).await,
        Answer::Refused(why) => {
            let hint = what_else(order, &title);
            let message = format!("title `{title}` stays as it is: {why}");
            return Ok(turn_down(("title", title.as_str()), &message, &hint, json));
        }
        Answer::Done => {}
    }
    let record = app.catalog.title(&app.config.tenant, &title).await?;
    let record = record.with_context(|| format!("title `{title}` vanished from the catalog"))?;
    if json {
        let TitleRecord { title, state, version, live, held, priority, .. } = &record;
        let mut line = json!({
            "title": title, "order": word(order), "done": true, "state": state.name(), "version": version,
            "held": held, "priority": priority,
        });
        if let Some(live) = live {
            line["live"] = json!(live);
        }
        say(&line.to_string());
        return Ok(Outcome::Done);
    }
    say(&format!("{title}  {}", told(order, &record)));
    let is_whole = app.catalog.incidents(&record.tenant, Some(&title), false, 1).await?.is_empty();
    if let Some(hint) = what_next(order, &record, is_whole) {
        news(&format!("hint: {hint}"));
    }
    if order == Order::Release && !record.state.is_final() {
        tell_if_nobody_can(&app, &title, "").await?;
    }
    Ok(Outcome::Done)
}

fn word(order: Order) -> &'static str {
    match order {
        Order::Hold => "hold",
        Order::Release => "release",
        Order::Cancel => "cancel",
        Order::Prioritise(_) => "priority",
    }
}

/// What to do where an order makes no sense.
fn what_else(order: Order, title: &TitleId) -> String {
    match order {
        Order::Hold => format!("`headwater title release {title}` lets it go on"),
        Order::Release | Order::Cancel | Order::Prioritise(_) => {
            format!("`headwater status {title}` says where it stands")
        }
    }
}

/// What came of an order.
fn told(order: Order, record: &TitleRecord) -> String {
    match (order, record.live) {
        (Order::Hold, _) => {
            "held: nothing more of it is begun, what is under way is finished".to_owned()
        }
        (Order::Release, _) => "released: it goes on".to_owned(),
        (Order::Cancel, Some(live)) => format!("cancelled: viewers keep {live}"),
        (Order::Cancel, None) => "cancelled".to_owned(),
        (Order::Prioritise(priority), _) => format!("its priority is {priority} now"),
    }
}

/// What may come next, where the title has no open incident (`is_whole`), or has one.
fn what_next(order: Order, record: &TitleRecord, is_whole: bool) -> Option<String> {
    match order {
        Order::Hold => Some(format!("`headwater title release {}` lets it go on", record.title)),
        Order::Cancel if record.state == TitleState::Published => {
            (!is_whole).then(|| Code::Cancelled.next_step_of_healing().to_owned())
        }
        Order::Cancel => Some(Code::Cancelled.next_step().to_owned()),
        Order::Release | Order::Prioritise(_) => None,
    }
}
