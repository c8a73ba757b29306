//! `headwater origin`: what the configured origins are, and what they and the CDNs in front of them really do.

use headwater_model::origin::{Profile, ProofGrade};
use headwater_origin::{Trial, try_edge};
use headwater_ports::origin::Origin;
use serde_json::json;

use crate::app::App;
use crate::cli::Outcome;
use crate::config::Config;
use crate::origins::{self, Need, Opened, grade};
use crate::terminal::{complain, news, say};

/// What to do about a CDN that does not do what it should.
const EDGE_HINT: &str = "hint: check what the CDN's origin is set to, and that `edge_url` with a key behind it leads to the object of that key";

/// What a grade means for proof.
fn meaning(grade: ProofGrade) -> &'static str {
    match grade {
        ProofGrade::A => {
            "it enforces a checksum on upload and returns it: its listing and HEAD are proof"
        }
        ProofGrade::B => {
            "it enforces what it is sent, and its ETag is the MD5: its listing is proof"
        }
        ProofGrade::C => "its own word proves nothing: every byte is read back",
    }
}

/// Tests one origin: whether it can be used, and what it does with what it is told.
pub(crate) async fn test(config: Config, name: &str, json: bool) -> anyhow::Result<Outcome> {
    let app = App::open_or_make(config, Need::Nothing).await?;
    let Some(opened) = app.origins.iter().find(|o| o.origin().name() == name) else {
        let names: Vec<String> = app.origins.iter().map(|o| o.origin().name().to_owned()).collect();
        let hint = headwater_spec::nearest(name, names.iter().map(String::as_str));
        let hint = hint.map_or_else(
            || format!("configured are: {}", names.join(", ")),
            |near| format!("did you mean `{near}`?"),
        );
        return Ok(refuse(name, &format!("there is no origin `{name}`"), &hint, json));
    };
    let found = match opened {
        Opened::Directory(origin) => {
            Found { kind: "directory", grade: origin.grade(), profile: None }
        }
        Opened::S3(origin) => {
            if let Err(unusable) = origin.reach().await {
                return Ok(refuse(name, &unusable.problem, &unusable.hint, json));
            }
            let profile = match origins::probe(origin, &*app.catalog).await? {
                Ok(profile) => profile,
                Err(unusable) => return Ok(refuse(name, &unusable.problem, &unusable.hint, json)),
            };
            Found { kind: "s3", grade: profile.grade(), profile: Some(profile) }
        }
    };
    let trials = match app.stores.edge_of(name) {
        Some(edge) => try_edge(&*opened.origin(), &**edge).await?,
        None => Vec::new(),
    };
    let in_json = |t: &Trial| json!({ "question": t.question, "yes": t.yes, "note": t.note });
    let all_well = trials.iter().all(|trial| trial.yes);
    if json {
        let (grade, answers) = (self::grade(found.grade), found.profile.map(|p| p.answers));
        let line = json!({
            "origin": name, "usable": true, "kind": found.kind, "grade": grade, "answers": answers,
            "edge": trials.iter().map(in_json).collect::<Vec<_>>(),
        });
        say(&line.to_string());
    } else {
        match &found.profile {
            Some(profile) => table(name, profile),
            None => say(&format!("origin {name}: a folder, and it can be written to")),
        }
        conclude(found.grade);
        if !trials.is_empty() {
            say(&format!("edge of origin {name}"));
        }
        for trial in &trials {
            row(trial.yes, trial.question, &trial.note);
        }
        if !all_well {
            news(EDGE_HINT);
        }
    }
    Ok(if all_well { Outcome::Done } else { Outcome::Refused })
}

/// What an origin was found to be.
struct Found {
    kind: &'static str,
    grade: ProofGrade,
    /// What it does; of a folder that is known.
    profile: Option<Profile>,
}

fn table(name: &str, profile: &Profile) {
    say(&format!("origin {name}"));
    for answer in &profile.answers {
        row(answer.yes, &answer.question.to_string(), &answer.note);
    }
}

fn row(yes: bool, question: &str, note: &str) {
    let yes = if yes { "yes" } else { "no " };
    let note = if note.is_empty() { String::new() } else { format!("  ({note})") };
    say(&format!("  {yes}  {question}{note}"));
}

fn conclude(proof: ProofGrade) {
    say(&format!("grade {}: {}", grade(proof), meaning(proof)));
}

fn refuse(name: &str, problem: &str, hint: &str, json: bool) -> Outcome {
    if json {
        say(&json!({ "origin": name, "usable": false, "problem": problem, "hint": hint })
            .to_string());
    } else {
        complain(&format!("origin {name}: {problem}"));
        news(&format!("hint: {hint}"));
    }
    Outcome::Refused
}

/// Lists the configured origins.
pub(crate) async fn list(config: Config, json: bool) -> anyhow::Result<Outcome> {
    let app = App::open_or_make(config, Need::Nothing).await?;
    let policy = &app.config.policy;
    for opened in &app.origins {
        let origin = opened.origin();
        let name = origin.name();
        let (kind, known) = match opened {
            Opened::Directory(_) => ("directory", true),
            Opened::S3(origin) => ("s3", !origin.profile().answers.is_empty()),
        };
        let part = if policy.archive.as_deref() == Some(name) {
            "keeps masters"
        } else if policy.required.iter().any(|required| required == name) {
            "required"
        } else {
            "a copy"
        };
        let grade = known.then(|| grade(origin.grade()));
        if json {
            let mut line = json!({ "origin": name, "kind": kind, "part": part });
            if let Some(grade) = grade {
                line["grade"] = grade.into();
            }
            say(&line.to_string());
        } else {
            let grade =
                grade.map_or("grade not known yet".to_owned(), |grade| format!("grade {grade}"));
            say(&format!("{name:<20} {kind:<10} {part:<14} {grade}"));
        }
    }
    Ok(Outcome::Done)
}
