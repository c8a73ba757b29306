//! `headwater verify`: asks every origin about every object of a published title.

use headwater_engine::{Proof, VerifyError};
use headwater_model::history::counted;
use headwater_model::id::TitleId;
use headwater_model::origin::Verify;
use serde_json::json;

use crate::app::App;
use crate::cli::Outcome;
use crate::commands::{misuse, no_such_title, turn_down};
use crate::config::Config;
use crate::origins::{Need, grade};
use crate::terminal::say;

/// Said when there is no CDN to prove anything through.
pub(crate) const NO_EDGE: &str = "no origin has an edge to prove anything through";

/// And what to do about it.
pub(crate) const EDGE_HINT: &str =
    "add `edge_url` to an origin, for example `edge_url = \"https://cdn.example.org\"`";

/// Proves the title.
pub(crate) async fn verify(
    config: Config,
    title: TitleId,
    policy: Option<Verify>,
    json: bool,
) -> anyhow::Result<Outcome> {
    let app = App::open(config, Need::Proving).await?;
    if policy == Some(Verify::Edge)
        && !app.stores.iter().any(|o| app.stores.edge_of(o.name()).is_some())
    {
        return Ok(misuse(("title", title.as_str()), NO_EDGE, EDGE_HINT, json));
    }
    let proofs = match app.engine.verify(&app.config.tenant, &title, policy).await {
        Ok(proofs) => proofs,
        Err(
            error @ (VerifyError::UnknownTitle(_)
            | VerifyError::NotLive(_)
            | VerifyError::NotSealed(_)),
        ) => {
            let (message, next_step) = match &error {
                VerifyError::UnknownTitle(title) => no_such_title(&app, title).await?,
                _ => {
                    (error.to_string(), format!("`headwater status {title}` says where it stands"))
                }
            };
            if json {
                let line = json!({
                    "title": title, "proven": false, "message": message, "next_step": next_step,
                });
                say(&line.to_string());
                return Ok(Outcome::Refused);
            }
            return Ok(turn_down(("title", title.as_str()), &message, &next_step, json));
        }
        Err(error) => return Err(error.into()),
    };
    let proven = proofs.iter().all(|proof| proof.findings.is_empty());
    let next_step =
        format!("Put it right, from another origin or from the master: `headwater heal {title}`");
    if json {
        let origins: Vec<_> = proofs.iter().map(in_json).collect();
        let version = proofs.first().map(|proof| proof.package.version);
        let mut line =
            json!({ "title": title, "version": version, "proven": proven, "origins": origins });
        if !proven {
            line["next_step"] = next_step.into();
        }
        say(&line.to_string());
    } else {
        for proof in &proofs {
            for line in in_words(&title, proof) {
                say(&line);
            }
        }
        if !proven {
            say(&format!("  next step   {next_step}"));
        }
    }
    Ok(if proven { Outcome::Done } else { Outcome::Refused })
}

/// The proof on one origin.
fn in_json(proof: &Proof) -> serde_json::Value {
    json!({
        "origin": proof.origin, "grade": grade(proof.grade), "proven": proof.findings.is_empty(),
        "objects": proof.objects, "bytes": proof.bytes, "read_back": proof.read_back, "through_edge": proof.through_edge,
        "findings": proof.findings,
    })
}

fn in_words(title: &TitleId, proof: &Proof) -> Vec<String> {
    let verdict = if proof.findings.is_empty() { "proven" } else { "NOT proven" };
    let Proof { package, origin, objects, bytes, read_back, .. } = proof;
    let through_edge = if proof.through_edge { ", all through the edge" } else { "" };
    let first = format!(
        "{title} {} on origin {origin} (grade {}): {verdict}, {}, {}, {read_back} read back{through_edge}",
        package.version,
        grade(proof.grade),
        counted(*objects, "object"),
        counted(*bytes, "byte")
    );
    let findings = proof.findings.iter().map(|finding| format!("  {finding}"));
    std::iter::once(first).chain(findings).collect()
}
