//! `headwater origin`: what the configured origins are, and what they really do.

use headwater_model::origin::{Profile, ProofGrade};
use headwater_ports::origin::Origin;
use serde_json::json;

use crate::app::App;
use crate::cli::Outcome;
use crate::config::Config;
use crate::origins::{self, Opened, grade};
use crate::terminal::{complain, news, say};

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
    let app = App::open(config).await?;
    let Some(opened) = app.origins.iter().find(|o| o.origin().name() == name) else {
        let names: Vec<String> = app.origins.iter().map(|o| o.origin().name().to_owned()).collect();
        let hint = headwater_spec::nearest(name, names.iter().map(String::as_str));
        let hint = hint.map_or_else(
            || format!("configured are: {}", names.join(", ")),
            |near| format!("did you mean `{near}`?"),
        );
        return Ok(refuse(name, &format!("there is no origin `{name}`"), &hint, json));
    };
    match opened {
        Opened::Directory(origin) => {
            let grade = origin.grade();
            if json {
                say(&json!({ "origin": name, "usable": true, "kind": "directory", "grade": self::grade(grade) })
                    .to_string());
            } else {
                say(&format!("origin {name}: a folder, and it can be written to"));
                conclude(grade);
            }
            Ok(Outcome::Done)
        }
        Opened::S3(origin) => {
            if let Err(unusable) = origin.reach().await {
                return Ok(refuse(name, &unusable.problem, &unusable.hint, json));
            }
            let profile = match origins::probe(origin, &*app.catalog).await {
                Ok(profile) => profile,
                Err(error) => {
                    let hint = "try again; if it stays, the origin's log may say more";
                    return Ok(refuse(name, &format!("{error:#}"), hint, json));
                }
            };
            if json {
                let (grade, answers) = (self::grade(profile.grade()), &profile.answers);
                say(&json!({ "origin": name, "usable": true, "kind": "s3", "grade": grade, "answers": answers })
                    .to_string());
            } else {
                table(name, &profile);
                conclude(profile.grade());
            }
            Ok(Outcome::Done)
        }
    }
}

fn table(name: &str, profile: &Profile) {
    say(&format!("origin {name}"));
    for answer in &profile.answers {
        let yes = if answer.yes { "yes" } else { "no " };
        let note =
            if answer.note.is_empty() { String::new() } else { format!("  ({})", answer.note) };
        say(&format!("  {yes}  {}{note}", answer.question));
    }
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
    let app = App::open(config).await?;
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
            say(&json!({ "origin": name, "kind": kind, "part": part, "grade": grade }).to_string());
        } else {
            let grade = grade.map_or("not tested yet".to_owned(), |grade| format!("grade {grade}"));
            say(&format!("{name:<20} {kind:<10} {part:<14} {grade}"));
        }
    }
    Ok(Outcome::Done)
}
