//! `headwater verify`: asks the origin about every object of a published title.

use headwater_engine::VerifyError;
use headwater_model::id::TitleId;
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
    if json {
        let line = json!({
            "title": title, "version": proof.package.version, "origin": proof.origin, "grade": grade, "proven": proven,
            "objects": proof.objects, "bytes": proof.bytes, "read_back": proof.read_back, "findings": proof.findings,
        });
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
    }
    Ok(if proven { Outcome::Done } else { Outcome::Refused })
}
