//! `headwater verify`: asks the origin about every object of a published title.

use anyhow::Context;
use headwater_engine::VerifyError;
use headwater_model::id::TitleId;
use headwater_model::key::PackageId;
use headwater_ports::origin::ProofGrade;
use serde_json::json;

use crate::app::App;
use crate::cli::Outcome;
use crate::config::Config;
use crate::terminal::{complain, say};

/// Proves the title.
pub(crate) async fn verify(config: Config, title: TitleId, json: bool) -> anyhow::Result<Outcome> {
    let app = App::open(config).await?;
    let proof = match app.engine.verify(&app.config.tenant, &title).await {
        Ok(proof) => proof,
        Err(
            error @ (VerifyError::UnknownTitle(_)
            | VerifyError::NotLive(_)
            | VerifyError::NotSealed(_)),
        ) => {
            if json {
                say(&json!({ "title": title, "proven": false, "message": error.to_string() })
                    .to_string());
            } else {
                complain(&error.to_string());
            }
            return Ok(Outcome::Refused);
        }
        Err(error) => return Err(error.into()),
    };
    let grade = match proof.grade {
        ProofGrade::A => "A",
        ProofGrade::B => "B",
        ProofGrade::C => "C",
    };
    let proven = proof.findings.is_empty();
    let next_step = if proven { None } else { Some(next_step(&app, &proof.package).await?) };
    if json {
        let mut line = json!({
            "title": title, "version": proof.package.version, "origin": proof.origin, "grade": grade, "proven": proven,
            "objects": proof.objects, "bytes": proof.bytes, "read_back": proof.read_back, "findings": proof.findings,
        });
        if let Some(next_step) = next_step {
            line["next_step"] = next_step.into();
        }
        say(&line.to_string());
    } else {
        let verdict = if proven { "proven" } else { "NOT proven" };
        say(&format!(
            "{title} {} on origin {} (grade {grade}): {verdict}, {} objects, {} bytes, {} read back",
            proof.package.version, proof.origin, proof.objects, proof.bytes, proof.read_back
        ));
        for finding in &proof.findings {
            say(&format!("  {finding}"));
        }
        if let Some(next_step) = next_step {
            say(&format!("  next step   {next_step}"));
        }
    }
    Ok(if proven { Outcome::Done } else { Outcome::Refused })
}

/// How to put right what viewers get. The catalog knows the path of the newest version's master only, and that may be
/// another film: of an older version, the content is named instead.
async fn next_step(app: &App, package: &PackageId) -> anyhow::Result<String> {
    let title = &package.title;
    let record = app.catalog.title(&package.tenant, title).await?;
    let record = record.with_context(|| format!("title `{title}` vanished from the catalog"))?;
    let live = app.catalog.package(package).await?.and_then(|p| p.plan);
    let (file, which) = match live {
        Some(plan) if record.version != package.version => {
            ("FILE".to_owned(), format!(" from the master with SHA-256 {}", plan.master))
        }
        _ => (format!("'{}'", record.master_path.replace('\'', r"'\''")), String::new()),
    };
    Ok(format!(
        "Viewers get this version, with what is wrong. Make it again{which}, in this data folder and with the pipeline \
         that it had: `headwater ingest {file} --title {title} --again --wait`"
    ))
}
