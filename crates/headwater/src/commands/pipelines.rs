//! `headwater pipelines`: checks and lists pipeline files.

use std::path::Path;

use anyhow::Context;
use headwater_model::history::counted;
use headwater_model::pipeline::{Audio, Pipeline, Video};
use serde_json::json;

use crate::app;
use crate::cli::Outcome;
use crate::config::Config;
use crate::terminal::{complain, say};

/// Checks a file.
pub(crate) fn check(file: &Path, json: bool) -> anyhow::Result<Outcome> {
    let text =
        std::fs::read_to_string(file).with_context(|| format!("read `{}`", file.display()))?;
    match headwater_spec::pipeline(&file.display().to_string(), &text) {
        Ok(pipeline) => {
            say(&if json { serde_json::to_string(&pipeline)? } else { in_words(&pipeline) });
            Ok(Outcome::Done)
        }
        Err(problems) => {
            for problem in problems {
                if json {
                    let line = json!({
                        "file": problem.file, "line": problem.line, "column": problem.column,
                        "message": problem.message, "hint": problem.hint,
                    });
                    say(&line.to_string());
                } else {
                    complain(&problem.to_string());
                }
            }
            Ok(Outcome::Refused)
        }
    }
}

/// Lists what can be named.
pub(crate) fn list(config: &Config, json: bool) -> anyhow::Result<Outcome> {
    for name in app::names(config.pipelines_dir.as_deref()) {
        say(&if json {
            json!({ "name": name, "default": name == config.pipeline }).to_string()
        } else {
            name
        });
    }
    Ok(Outcome::Done)
}

fn in_words(pipeline: &Pipeline) -> String {
    let mut lines = vec![format!("{}  {}", pipeline.name, pipeline.sha256)];
    let seconds = |ms: u32| f64::from(ms) / 1000.0;
    lines.push(format!("  segments   {} s", seconds(pipeline.segment_ms)));
    match &pipeline.video {
        Video::Copy => lines.push("  video      copied as it is".to_owned()),
        Video::Encode(v) => {
            lines.push(format!(
                "  video      {} preset {}, IDR every {} s, spans of {}",
                v.encoders.join(" or "),
                v.preset,
                seconds(pipeline.gop_ms),
                counted(pipeline.span_segments.into(), "segment")
            ));
            for r in &v.ladder {
                lines.push(format!(
                    "    {:<8} fits {}x{}, crf {}, at most {} kbit/s",
                    r.name, r.long_side, r.short_side, r.crf, r.max_kbps
                ));
            }
        }
    }
    lines.push(match &pipeline.audio {
        Audio::Copy => "  audio      copied as it is".to_owned(),
        Audio::Encode(a) => {
            format!(
                "  audio      {} {} kbit/s, {} Hz, {} at most",
                a.encoders.join(" or "),
                a.kbps,
                a.sample_rate,
                counted(a.channels.into(), "channel")
            )
        }
    });
    lines.join("\n")
}
