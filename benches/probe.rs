//! What ffprobe says about a master: an independent look at what is being compared.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};
use serde::Deserialize;

use crate::measure;

/// A master, as far as a comparison needs it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Master {
    /// Coded width and height.
    pub(crate) size: (u32, u32),
    /// Shape of a pixel.
    pub(crate) sample_aspect: (u32, u32),
    /// Frames per second as a fraction.
    pub(crate) rate: (u32, u32),
    /// Whether there is sound.
    pub(crate) sound: bool,
    /// Length in seconds.
    pub(crate) seconds: f64,
}

#[derive(Deserialize)]
struct Answer {
    streams: Vec<Stream>,
    format: Format,
}

#[derive(Deserialize)]
struct Stream {
    codec_type: String,
    width: Option<u32>,
    height: Option<u32>,
    sample_aspect_ratio: Option<String>,
    r_frame_rate: String,
}

#[derive(Deserialize)]
struct Format {
    duration: String,
}

/// Asks ffprobe.
pub(crate) fn probe(master: &Path, log: &Path) -> Result<Master> {
    let mut ffprobe = Command::new("ffprobe");
    ffprobe.args(["-v", "error", "-show_streams", "-show_format", "-of", "json"]).arg(master);
    let answer = measure::prepare(&mut ffprobe, log)?;
    understand(&answer)
        .with_context(|| format!("understand what ffprobe says about `{}`", master.display()))
}

fn understand(answer: &str) -> Result<Master> {
    let answer: Answer = serde_json::from_str(answer)?;
    let picture =
        answer.streams.iter().find(|s| s.codec_type == "video").context("there is no picture")?;
    let aspect = picture.sample_aspect_ratio.as_deref().and_then(|it| fraction(it, ':'));
    Ok(Master {
        size: picture.width.zip(picture.height).context("the picture has no size")?,
        sample_aspect: aspect.unwrap_or((1, 1)),
        rate: fraction(&picture.r_frame_rate, '/').context("the picture has no frame rate")?,
        sound: answer.streams.iter().any(|s| s.codec_type == "audio"),
        seconds: answer.format.duration.parse().context("the length is not a number")?,
    })
}

fn fraction(text: &str, between: char) -> Option<(u32, u32)> {
    let (over, under) = text.split_once(between)?;
    Some((over.parse().ok()?, under.parse().ok()?)).filter(|(_, under)| *under > 0)
}
