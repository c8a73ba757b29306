//! Reads a pipeline file: which keys there are, in which order they are read, and what identifies the outcome.

mod audio;
mod canonical;
mod publish;
mod quality;
mod rates;
mod video;

use headwater_model::origin::PublishRules;
use headwater_model::pipeline::{Codec, Pipeline, Video, VideoEncode};
use headwater_model::process::is_pool_name;
use headwater_model::quality::QualityRules;

use crate::document::{Document, Field, Section};
use crate::problem::Problem;

/// The version of the format that this build reads.
const VERSION: u32 = 1;

/// Keys at the top of the file.
const KEYS: &[&str] =
    &["version", "segment_seconds", "mpeg_ts", "pool", "video", "audio", "publish", "quality"];

/// What `mode` may be.
const MODES: &[&str] = &["encode", "copy"];

/// Shortest and longest target of a segment in seconds. DESIGN's promise: shorter ones multiply requests and objects,
/// longer ones make players wait and a lost one hurt.
const SEGMENT_SECONDS: std::ops::RangeInclusive<f64> = 5.0..=10.0;

/// Reads and checks a pipeline file. `file` is its name or path, `pipelines/vod-h264.toml`; the pipeline is named after
/// it, `vod-h264`. All problems are found at once, in the order of the file.
pub fn pipeline(file: &str, text: &str) -> Result<Pipeline, Vec<Problem>> {
    let document = Document::parse(file, text)?;
    let pipeline = read(file, &document);
    document.finish(pipeline)
}

fn read(file: &str, document: &Document<'_>) -> Option<Pipeline> {
    let root = document.root(KEYS);
    version(&root)?;

    let segment_ms = root
        .need("segment_seconds", "add `segment_seconds = 6`, which players expect")
        .and_then(|f| f.seconds_as_ms(SEGMENT_SECONDS, "players expect about 6 s"));
    let video = root
        .need("video", "add a section `[video]`")
        .and_then(|f| f.section(video::KEYS))
        .and_then(|section| video::read(&section, segment_ms));
    let audio = root
        .need("audio", "add a section `[audio]`")
        .and_then(|f| f.section(audio::KEYS))
        .and_then(|section| audio::read(&section));
    let transport = match root.get("mpeg_ts") {
        Some(field) => mpeg_ts(&field, video.as_ref().map(|v| &v.video)),
        None => Some(false),
    };
    let pool = match root.get("pool") {
        Some(field) => pool(&field).map(Some),
        None => Some(None),
    };
    let publish = match root.get("publish") {
        Some(field) => field.section(publish::KEYS).and_then(|section| publish::read(&section)),
        None => Some(PublishRules::default()),
    };
    let quality = match root.get("quality") {
        Some(field) => field.section(quality::KEYS).and_then(|section| quality::read(&section)),
        None => Some(QualityRules::default()),
    };

    let (segment_ms, video) = (segment_ms?, video?);
    let mut pipeline = Pipeline {
        name: name_of(file),
        sha256: canonical::UNKNOWN,
        segment_ms,
        gop_ms: video.gop_ms,
        span_segments: video.span_segments,
        video: video.video,
        audio: audio?,
        pool: pool?,
        publish: publish?,
        quality: quality?,
        transport: transport?,
    };
    pipeline.sha256 = canonical::sha256(&pipeline);
    Some(pipeline)
}

/// Whether HLS has its segments as MPEG-TS, which carries H.264 here and nothing else.
fn mpeg_ts(field: &Field<'_>, video: Option<&Video>) -> Option<bool> {
    let wanted = field.boolean()?;
    if let (true, Some(Video::Encode(VideoEncode { ladder, .. }))) = (wanted, video)
        && let Some(rung) = ladder.iter().find(|rung| rung.codec != Codec::H264)
    {
        let hint = "leave the rung out, or make a pipeline of its own for old devices".to_owned();
        let why =
            format!("MPEG-TS carries H.264 here, and rung `{}` is coded otherwise", rung.name);
        field.reject(why, Some(hint));
        return None;
    }
    Some(wanted)
}

/// The name of a pool of workers. Whether there are such workers, `headwater workers` knows.
fn pool(field: &Field<'_>) -> Option<String> {
    let name = field.text()?;
    if is_pool_name(name) {
        return Some(name.to_owned());
    }
    let hint = "lower-case letters, digits and `-`, such as `gpu`".to_owned();
    field.reject(format!("`{name}` is no name of a pool of workers"), Some(hint));
    None
}

/// Checks the version. With another one nothing else is looked at: the rules would be those of another format.
fn version(root: &Section<'_>) -> Option<()> {
    let hint = format!("this build reads version {VERSION}");
    let field = root.need("version", &format!("add `version = {VERSION}`"))?;
    if field.whole(0..=u32::MAX, &hint)? != VERSION {
        field.reject(format!("{field} is not known"), Some(hint));
        return None;
    }
    Some(())
}

/// The name of a pipeline: its file name without folder and `.toml`.
fn name_of(file: &str) -> String {
    let name = file.rsplit(['/', '\\']).next().unwrap_or(file);
    name.strip_suffix(".toml").unwrap_or(name).to_owned()
}

/// Whether a section says `mode = "copy"`, in which case nothing else may stand in it. `None`: its mode is no mode.
fn copies(section: &Section<'_>) -> Option<bool> {
    let Some(mode) = section.get("mode") else { return Some(false) };
    let copies = mode.one_of(MODES, "mode")? == "copy";
    if copies {
        for field in section.fields().into_iter().filter(|f| f.name() != "mode") {
            let hint = "remove it, or set `mode = \"encode\"`".to_owned();
            let message = format!("`{}` has no effect on a track that is copied", field.name());
            field.reject_key(message, Some(hint));
        }
    }
    Some(copies)
}

/// The GStreamer factories of `encoders`, in order of preference: each known, none twice, at least one.
fn encoders(section: &Section<'_>, known: &[&str]) -> Option<Vec<String>> {
    let field = section.need("encoders", &format!("add `encoders = [\"{}\"]`", known[0]))?;
    let items = field.items()?;
    if items.is_empty() {
        let hint = format!("name at least one, best first: `{}`", known.join("`, `"));
        field.reject("no encoder is named".to_owned(), Some(hint));
        return None;
    }
    let mut encoders: Vec<String> = Vec::new();
    let mut all_good = true;
    for item in items {
        match item.one_of(known, "encoder that this build knows") {
            Some(name) if encoders.iter().any(|e| e == name) => {
                item.reject(format!("`{name}` is named twice"), None);
            }
            Some(name) => encoders.push(name.to_owned()),
            None => all_good = false,
        }
    }
    all_good.then_some(encoders)
}

#[cfg(test)]
mod tests;
