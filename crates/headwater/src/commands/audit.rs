//! `headwater audit`: compares what origins hold with what they should.

use std::sync::Arc;

use headwater_engine::audit::{Audited, Budget, Method, News, Scope, Source};
use headwater_model::audit::Tally;
use headwater_model::history::counted;
use headwater_model::origin::ProofGrade;
use headwater_ports::origin::Origin;
use serde_json::json;

use crate::app::App;
use crate::cli::{AuditArgs, Outcome, ProofPolicy};
use crate::commands::verify::{EDGE_HINT, NO_EDGE};
use crate::commands::{misuse, turn_down, unknown_title};
use crate::config::Config;
use crate::origins::{Need, grade};
use crate::report::clock;
use crate::terminal::{complain, news, say};

/// Audits, prints what is wrong as it is found, and the sum of each origin at the end.
pub(crate) async fn audit(config: Config, args: AuditArgs, json: bool) -> anyhow::Result<Outcome> {
    // Whatever else is away, the others are looked at.
    let app = App::open(config, Need::Whatever(args.origin.clone())).await?;
    let tenant = &app.config.tenant;
    for title in &args.titles {
        if app.catalog.title(tenant, title).await?.is_none() {
            return unknown_title(&app, title, json).await;
        }
    }
    let all = app.stores.iter().chain(app.stores.archive());
    let names: Vec<String> = all.map(|o| o.name().to_owned()).collect();
    if let Some(unknown) = args.origin.iter().find(|name| !names.contains(name)) {
        let message = format!("there is no origin `{unknown}` that holds packages or masters");
        let hint = format!("there are: {}", names.join(", "));
        return Ok(turn_down(("origin", unknown), &message, &hint, json));
    }
    let archive = app.stores.archive().map(|archive| archive.name());
    if let Some(archive) = archive.filter(|name| args.origin.iter().any(|origin| origin == name))
        && args.origin.len() == 1
        && !args.all
    {
        let message = format!("origin {archive} holds masters, and no title has any there");
        let hint = format!("`headwater audit --all --origin {archive}` looks at all of them");
        return Ok(turn_down(("origin", archive), &message, &hint, json));
    }
    let policy = match (args.policy, args.sample) {
        (Some(ProofPolicy::Listing), Some(_)) => {
            let message = "a listing is never read in part";
            let hint = "`--sample` goes with `--policy read` or `--policy edge`";
            return Ok(misuse(("option", "sample"), message, hint, json));
        }
        (Some(policy), _) => policy,
        (None, Some(_)) => ProofPolicy::Read,
        (None, None) => ProofPolicy::Listing,
    };
    let (from, all) = match policy {
        ProofPolicy::Listing => (Source::Origin, 0.0),
        ProofPolicy::Read => (Source::Origin, 1.0),
        ProofPolicy::Edge => (Source::Edge, 1.0),
    };
    let read = args.sample.unwrap_or(all);
    if policy == ProofPolicy::Edge {
        let asked = |name: &&String| args.origin.is_empty() || args.origin.contains(name);
        let (with, without): (Vec<&String>, Vec<&String>) =
            names.iter().filter(asked).partition(|name| app.stores.edge_of(name).is_some());
        if with.is_empty() {
            return Ok(misuse(("policy", "edge"), NO_EDGE, EDGE_HINT, json));
        }
        for name in without {
            news(&format!("origin {name} has no edge: only its listing is compared"));
        }
    }
    let way = if policy == ProofPolicy::Edge { "edge/" } else { "" };
    let checkpoint = format!("audit/by-hand/{way}{read}/{tenant}");
    if args.from_start {
        for name in &names {
            app.catalog.keep_checkpoint(&format!("{checkpoint}/{name}"), None).await?;
        }
    }
    let scope = Scope { titles: args.titles, origins: args.origin };
    let method = Method {
        read,
        from,
        // Another sample every time.
        round: u64::try_from(app.clock.now().0).unwrap_or(0),
        heals: args.heal,
        budget: Budget::NONE,
        checkpoint: args.all.then_some(checkpoint),
    };
    let tell = |heard| match heard {
        News::Finding(finding) if json => {
            say(&json!({ "event": "finding", "finding": finding, "message": finding.to_string() })
                .to_string());
        }
        News::Finding(finding) => say(&finding.to_string()),
        News::Orphan { origin, key, bytes } if json => {
            say(&json!({ "event": "orphan", "origin": origin, "object": key, "bytes": bytes })
                .to_string());
        }
        News::Orphan { origin, key, bytes } => {
            let whose = match app.stores.archive() {
                Some(archive) if archive.name() == origin => "belongs to no known master",
                _ => "is named by no inventory",
            };
            say(&format!("`{key}` on origin {origin} {whose} ({})", counted(bytes, "byte")));
        }
        News::GoesOn { origin, stopped, seen } => news(&format!(
            "origin {origin}: going on behind {} seen before {} (--from-start looks again)",
            counted(seen.titles, "title"),
            clock(stopped.0)
        )),
        News::Progress(_) => {}
    };
    let audited = app.engine.audit(tenant, &scope, &method, &tell).await?;
    let (mut sound, mut stopped) = (true, false);
    for Audited { origin, tally, stopped: error } in audited {
        sound &= tally.findings == 0;
        if let Some(error) = error {
            stopped = true;
            let message = format!("origin {origin} was not audited to the end: {error}");
            if json {
                say(&json!({ "event": "stopped", "origin": origin, "tally": tally, "message": message })
                    .to_string());
            } else {
                complain(&message);
            }
            continue;
        }
        if json {
            let line = json!({
                "event": "audited", "origin": origin, "sound": tally.findings == 0, "tally": tally,
            });
            say(&line.to_string());
        } else {
            let find = |o: &&Arc<dyn Origin>| o.name() == origin;
            let archive = app.stores.archive().filter(find);
            let grade = archive.or(app.stores.iter().find(find)).map(|o| o.grade());
            let grade = grade.unwrap_or(ProofGrade::C);
            match archive {
                Some(_) => say(&archive_in_words(&origin, grade, &tally)),
                None => say(&in_words(&origin, grade, &tally)),
            }
        }
    }
    if !sound && !json && !args.heal {
        news("hint: `headwater heal --all` puts it right; `headwater incidents` shows it again");
    }
    Ok(if sound && !stopped { Outcome::Done } else { Outcome::Refused })
}

/// Nothing of an archive is read: its copies were proven when they were stored, and have to be what they were.
fn archive_in_words(origin: &str, grade: ProofGrade, tally: &Tally) -> String {
    let Tally { objects, bytes, findings, orphans, orphan_bytes, .. } = tally;
    let verdict = match findings {
        0 if grade == ProofGrade::C => "complete by names and sizes".to_owned(),
        0 => "as it was proven".to_owned(),
        wrong => format!("{wrong} wrong"),
    };
    let grade = self::grade(grade);
    let (masters, bytes) = (counted(*objects, "master"), counted(*bytes, "byte"));
    let mut text = format!("archive {origin} (grade {grade}): {verdict}, {masters}, {bytes}");
    if *orphans > 0 {
        let orphans = (counted(*orphans, "object"), counted(*orphan_bytes, "byte"));
        text += &format!("; {} ({}) of no known master", orphans.0, orphans.1);
    }
    text
}

fn in_words(origin: &str, grade: ProofGrade, tally: &Tally) -> String {
    let Tally { titles, objects, bytes, read, findings, orphans, orphan_bytes } = tally;
    let verdict = match findings {
        // Its word about content is no proof, so "sound" would promise too much.
        0 if grade == ProofGrade::C && read < objects => "complete by names and sizes".to_owned(),
        0 => "sound".to_owned(),
        wrong => format!("{wrong} wrong"),
    };
    let grade = self::grade(grade);
    let mut text = format!(
        "origin {origin} (grade {grade}): {verdict}, {}, {}, {}, {read} read back",
        counted(*titles, "title"),
        counted(*objects, "object"),
        counted(*bytes, "byte")
    );
    if *orphans > 0 {
        let orphans = (counted(*orphans, "object"), counted(*orphan_bytes, "byte"));
        text += &format!("; {} ({}) that no inventory names", orphans.0, orphans.1);
    }
    text
}
