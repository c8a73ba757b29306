//! `headwater probe`: what is in a master.

use std::io::ErrorKind;
use std::path::Path;

use headwater_model::address::Address;
use headwater_model::colour::Colour;
use headwater_model::flaw::in_times;
use headwater_model::history::counted;
use headwater_model::index::Cadence;
use headwater_model::index::{Basis, cadence};
use headwater_model::master::{EditList, Fields, Orientation, VideoTrack};
use headwater_model::refusal::{Code, Refusal};
use headwater_ports::masters::Input;
use headwater_ports::transcoder::{Inspection, TranscodeError};
use serde_json::json;

use crate::app;
use crate::cli::Outcome;
use crate::commands::ingest::address;
use crate::config::Config;
use crate::terminal::{complain, say};

/// What a transcoder child finds, or why the master cannot be used.
async fn look(config: &Config, file: &Path) -> anyhow::Result<Result<Inspection, Refusal>> {
    let remote = match file.to_str().filter(|text| Address::is_one(text)) {
        Some(_) => Some(address(file)?),
        None => None,
    };
    let input = match remote {
        None if std::fs::metadata(file).is_err_and(|e| e.kind() == ErrorKind::NotFound) => {
            let message = format!("there is no file `{}`", file.display());
            return Ok(Err(Refusal::new(Code::NoSuchFile, message)));
        }
        None => Input::File(file.to_owned()),
        Some(Err(refusal)) => return Ok(Err(refusal)),
        Some(Ok(at)) => match app::masters(config).open(&at).await {
            Ok(master) => Input::Remote(master),
            Err(error) => return Ok(Err(error.into_failure().refusal)),
        },
    };
    match app::transcoder(config)?.inspect(&input).await {
        Ok(found) => Ok(Ok(found)),
        Err(TranscodeError::Refused(refusal)) => Ok(Err(refusal)),
        Err(TranscodeError::Master(error)) => Ok(Err(error.into_failure().refusal)),
        Err(error) => Err(error.into()),
    }
}

/// Looks at the master the way `Prepare` does.
pub(crate) async fn probe(config: Config, file: &Path, json: bool) -> anyhow::Result<Outcome> {
    let found = match look(&config, file).await? {
        Ok(found) => found,
        Err(refusal) => {
            if json {
                say(&json!({ "file": file, "code": refusal.code, "message": refusal.message })
                    .to_string());
            } else {
                complain(&refusal.to_string());
            }
            return Ok(Outcome::Refused);
        }
    };
    let times = found.index.frame_times();
    let flaws = in_times(&found.facts, &times);
    let stated = found.facts.video.first().and_then(|v| v.stated_rate);
    let cadence = cadence(&times, stated);
    let seconds = match (times.first(), times.last()) {
        (Some(first), Some(last)) => (last - first) as f64 / 1e9 + 1.0 / cadence.rate().as_f64(),
        _ => 0.0,
    };
    let indexed = match found.index.basis {
        Basis::Parsed => "parsed",
        Basis::Decoded => "decoded",
    };
    if json {
        let mut line = json!({
            "file": file, "container": found.facts.container, "bytes": found.facts.bytes, "video": found.facts.video,
            "audio": found.facts.audio, "text": found.facts.text, "other": found.facts.other, "frames": times.len(),
            "edit_lists": found.facts.edit_lists,
            "cadence": cadence, "seconds": seconds, "index": indexed, "flaws": flaws,
        });
        if let Some(timecode) = &found.facts.timecode {
            line["timecode"] = json!(timecode);
        }
        say(&line.to_string());
        return Ok(Outcome::Done);
    }
    let bytes = counted(found.facts.bytes, "byte");
    say(&format!("{}  {}, {bytes}", file.display(), found.facts.container));
    for v in &found.facts.video {
        let decoder = v.decoder.as_deref().unwrap_or("no decoder");
        let (num, den) = v.sample_aspect;
        let shape = if num == den { String::new() } else { format!(", sample aspect {num}:{den}") };
        say(&format!(
            "  video  {} {}x{}{shape}{}{}  ({decoder})",
            v.codec,
            v.width,
            v.height,
            scan(v),
            turned(v.orientation)
        ));
        say(&format!("         {}", colours(v)));
    }
    if !times.is_empty() {
        let rate = match cadence {
            Cadence::Constant(rate) => format!("{rate} frames per second"),
            Cadence::Variable(rate) => {
                format!("variable rate, about {:.3} frames per second", rate.as_f64())
            }
        };
        let frames = counted(times.len() as u64, "frame");
        say(&format!("         {frames}, {rate}, {seconds:.3} s, index {indexed}"));
    }
    for a in &found.facts.audio {
        let language = a.language.as_deref().unwrap_or("language not stated");
        let decoder = a.decoder.as_deref().unwrap_or("no decoder");
        say(&format!(
            "  audio  {} {} Hz {}, {language}  ({decoder})",
            a.codec,
            a.sample_rate,
            a.layout.clone().unwrap_or_else(|| counted(a.channels.into(), "channel"))
        ));
    }
    for t in &found.facts.text {
        let language = t.language.as_deref().unwrap_or("language not stated");
        let title = t.title.as_ref().map(|title| format!(" `{title}`")).unwrap_or_default();
        say(&format!("  text   {}{title}, {language}, {}", t.codec, counted(t.cues, "cue")));
    }
    for list in found.facts.edit_lists.iter().filter(|list| is_worth_telling(list)) {
        say(&format!("  {}", edited(list)));
    }
    if let Some(timecode) = &found.facts.timecode {
        say(&format!("  timecode begins at {timecode}"));
    }
    for flaw in &flaws {
        say(&format!("  {flaw}"));
    }
    for other in &found.facts.other {
        say(&format!("  {other}"));
    }
    Ok(Outcome::Done)
}

/// Every AAC track has an edit list that hides what its encoder put before the sound.
fn is_worth_telling(list: &EditList) -> bool {
    const AUDIBLE_NS: i64 = 100_000_000;
    list.pieces > 1 || list.from_ns > AUDIBLE_NS || list.delay_ns > AUDIBLE_NS
}

fn edited(list: &EditList) -> String {
    let seconds = |ns: i64| ns as f64 / 1e9;
    let mut words = format!("edit list of track {}:", list.stream);
    if list.pieces > 1 {
        words += &format!(" {} pieces put together,", list.pieces);
    }
    if list.delay_ns > 0 {
        words += &format!(" starts {:.3} s late,", seconds(list.delay_ns));
    }
    if list.from_ns > 0 {
        words += &format!(" hides its first {:.3} s,", seconds(list.from_ns));
    }
    words.trim_end_matches([',', ':']).to_owned()
}

fn scan(track: &VideoTrack) -> &'static str {
    match (track.interlaced, track.fields) {
        (false, _) => "",
        (true, None) => ", interlaced",
        (true, Some(Fields::TopFirst)) => ", interlaced, top field first",
        (true, Some(Fields::BottomFirst)) => ", interlaced, bottom field first",
        (true, Some(Fields::Mixed)) => ", partly interlaced",
    }
}

fn turned(orientation: Orientation) -> &'static str {
    match orientation {
        Orientation::Upright => "",
        Orientation::Clockwise => ", shown a quarter turn clockwise",
        Orientation::UpsideDown => ", shown upside down",
        Orientation::CounterClockwise => ", shown a quarter turn counter-clockwise",
        Orientation::Mirrored => ", shown mirrored",
    }
}

fn colours(track: &VideoTrack) -> String {
    let mut words: Vec<String> =
        track.bit_depth.map(|bits| format!("{bits} bits")).into_iter().collect();
    words.extend(track.chroma.clone());
    words.push(match track.colour {
        Colour { primaries: 2, transfer: 2, matrix: 2, .. } => "colours not stated".to_owned(),
        colour => colour.to_string(),
    });
    if track.captions {
        words.push("with captions (CEA-608 or CEA-708)".to_owned());
    }
    if let Some(light) = track.light {
        words.push(format!("up to {} cd/m²", light.max_pixel));
    }
    words.join(", ")
}
