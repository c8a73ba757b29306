//! The default ladder: one master to every rendition that fits it, by Headwater and by one ffmpeg command.
//!
//! ffmpeg gets the settings of the very pipeline that Headwater runs: the same encoder, preset, rate control, keys,
//! sizes and segments, its bicubic scaler, and as many threads as it likes. Headwater's figures include what ffmpeg does
//! not do: checksums, the proof and the catalog.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use headwater_model::colour::DynamicRange;
use headwater_model::ladder::{self, Picture, VideoRendition};
use headwater_model::pipeline::{Audio, Pipeline, Video};
use headwater_model::time::FrameRate;

use crate::probe::{self, Master};
use crate::results::{self, Goal, Run};
use crate::{Bed, Options, headwater, hls, machine, measure, vmaf};

/// What the benchmark runs when no pipeline is named: what a user gets who names none.
const PIPELINE: &str = "vod-h264";

/// Length of the master that is made: ten spans and more, so that the end, where some workers idle, weighs little.
const SECONDS: &str = "120";

/// Runs the rounds and returns the section for the results.
pub(crate) fn run(bed: &Bed<'_>, options: &Options) -> Result<String> {
    let name = options.pipeline.as_deref().unwrap_or(PIPELINE);
    let pipeline = headwater::pipeline(bed, name)?;
    let path = match &options.master {
        Some(master) => std::path::absolute(master).context("find the master")?,
        None => make_master(bed)?,
    };
    let master = probe::probe(&path, &bed.dir.join("probe.log"))?;
    let theirs = Ffmpeg::new(&pipeline, &master)?;

    let (ours_dir, theirs_dir) = (bed.dir.join("ladder-headwater"), bed.dir.join("ladder-ffmpeg"));
    let (unseen_dir, unseeing) = (bed.dir.join("ladder-unseen"), unseeing(bed, name)?);
    let mut package = PathBuf::new();
    let tools = results::take_turns(&["Headwater", UNSEEN, "ffmpeg"], options.rounds, |tool| {
        let (index, cost) = match tool {
            "Headwater" => {
                let made = headwater::ingest(bed, &path, name, &ours_dir)?;
                package.clone_from(&made.index);
                (made.index, made.cost)
            }
            UNSEEN => {
                let made = headwater::ingest(bed, &path, &unseeing, &unseen_dir)?;
                (made.index, made.cost)
            }
            _ => theirs.run(&path, 0.0, &theirs_dir)?,
        };
        let bytes = hls::renditions(&index)?.iter().map(|rendition| rendition.bytes).sum();
        Ok(Run { cost, bytes })
    })?;

    let goals = [
        Goal { against: "ffmpeg", wall: Some(0.95), cpu: Some(1.0) },
        Goal { against: UNSEEN, wall: None, cpu: Some(1.05) },
    ];
    let tools_used =
        [(Path::new("ffmpeg"), "-version"), (Path::new("gst-launch-1.0"), "--version")];
    let mut section = format!(
        "## Ladder: {}\n\n{}\nffmpeg: `{}`\n\n{}",
        describe(&path, &master, &theirs.renditions, name),
        machine::describe(bed.root, &tools_used),
        theirs.line(&path),
        results::table(&tools, &goals)
    );
    if options.vmaf {
        section.push_str(&vmaf::compare(bed, &path, &package, &theirs)?);
    }
    Ok(section)
}

/// Headwater with the same pipeline, but without looking for flaws of picture and sound.
const UNSEEN: &str = "Headwater, flaws accepted";

/// A pipeline like the one that is measured, which accepts all flaws and so looks for none.
fn unseeing(bed: &Bed<'_>, name: &str) -> Result<String> {
    let kinds = ["black", "freeze", "silence", "clipping", "loudness"];
    let rules: String = kinds.iter().map(|kind| format!("{kind} = \"accept\"\n")).collect();
    let text = headwater::pipeline_text(bed, name)?;
    if text.contains("[quality]") {
        bail!("pipeline `{name}` has its own rules of quality: what they cost is not known");
    }
    let file = bed.dir.join("flaws-accepted.toml");
    std::fs::write(&file, format!("{text}\n[quality]\n{rules}")).context("write a pipeline")?;
    Ok(file.display().to_string())
}

fn describe(path: &Path, master: &Master, renditions: &[VideoRendition], pipeline: &str) -> String {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let heights: Vec<String> =
        renditions.iter().map(|r| format!("{}×{}", r.width, r.height)).collect();
    let ((width, height), (over, under)) = (master.size, master.rate);
    let fps = f64::from(over) / f64::from(under);
    format!(
        "{name}, {:.0} s of {width}×{height} at {fps:.2} fps, `{pipeline}` to {}",
        master.seconds,
        heights.join(", ")
    )
}

/// The sample master, repeated without another generation of loss to two minutes.
fn make_master(bed: &Bed<'_>) -> Result<PathBuf> {
    let master = bed.dir.join("ladder.mp4");
    if !master.exists() {
        let unfinished = bed.dir.join("ladder.part.mp4");
        let mut command = Command::new("ffmpeg");
        command.args(["-nostdin", "-v", "error", "-y", "-stream_loop", "-1", "-i"]).arg(bed.sample);
        command.args(["-t", SECONDS, "-c", "copy"]).arg(&unfinished);
        measure::prepare(&mut command, &bed.dir.join("make.log"))?;
        std::fs::rename(unfinished, &master)?;
    }
    Ok(master)
}

/// One ffmpeg command that does what a pipeline does to a master.
pub(crate) struct Ffmpeg {
    pub(crate) renditions: Vec<VideoRendition>,
    picture: Picture,
    preset: String,
    /// Frames from one key to the next.
    keyint: u64,
    segment_ms: u32,
    sound: Option<Sound>,
}

struct Sound {
    kbps: u32,
    sample_rate: u32,
    channels: u32,
}

impl Ffmpeg {
    pub(crate) fn new(pipeline: &Pipeline, master: &Master) -> Result<Self> {
        let Video::Encode(video) = &pipeline.video else {
            bail!("pipeline `{}` encodes nothing: it belongs to `bench packaging`", pipeline.name);
        };
        let sound = match &pipeline.audio {
            Audio::Encode(audio) if master.sound => {
                let &headwater_model::pipeline::AudioEncode { kbps, sample_rate, channels, .. } =
                    audio;
                Some(Sound { kbps, sample_rate, channels })
            }
            _ => None,
        };
        let picture = Picture::of(master.size, master.sample_aspect, false);
        let rate = FrameRate::new(master.rate.0, master.rate.1).unwrap_or(FrameRate::PAL);
        let (over, under) = (u64::from(master.rate.0), u64::from(master.rate.1));
        Ok(Self {
            renditions: ladder::resolve(&video.ladder, picture, rate, DynamicRange::Sdr),
            picture,
            preset: video.preset.clone(),
            keyint: (u64::from(pipeline.gop_ms) * over + 500 * under) / (1000 * under),
            segment_ms: pipeline.segment_ms,
            sound,
        })
    }

    /// Runs it into `dir`, with every constant rate factor moved by `crf`. Returns the multivariant playlist.
    pub(crate) fn run(
        &self,
        master: &Path,
        crf: f64,
        dir: &Path,
    ) -> Result<(PathBuf, measure::Cost)> {
        headwater::empty(dir)?;
        let mut command = Command::new("ffmpeg");
        command.args(self.args(&master.to_string_lossy(), crf)).current_dir(dir);
        let (_, cost) = measure::run(&mut command, &dir.with_extension("log"))?;
        Ok((dir.join("index.m3u8"), cost))
    }

    /// The command as one would type it.
    fn line(&self, master: &Path) -> String {
        let name = master.file_name().unwrap_or_default().to_string_lossy();
        format!("ffmpeg {}", self.args(&name, 0.0).join(" "))
    }

    fn args(&self, master: &str, crf: f64) -> Vec<String> {
        let mut args = words("-nostdin -v error -y -i");
        args.push(master.to_owned());
        args.extend(["-filter_complex".to_owned(), self.filters()]);
        for n in 0..self.renditions.len() {
            args.extend(["-map".to_owned(), format!("[v{n}]")]);
        }
        args.extend(words(&format!(
            "-c:v libx264 -preset {} -pix_fmt yuv420p -g {1} -keyint_min {1} -sc_threshold 0 -flags +cgop",
            self.preset, self.keyint
        )));
        for (n, r) in self.renditions.iter().enumerate() {
            args.extend(words(&format!(
                "-crf:v:{n} {} -maxrate:v:{n} {}k -bufsize:v:{n} {}k",
                r.crf + crf,
                r.max_kbps,
                r.buffer_kbit
            )));
        }
        if let Some(sound) = &self.sound {
            let Sound { kbps, sample_rate, channels } = sound;
            args.extend(words(&format!(
                "-map 0:a:0 -c:a aac -b:a {kbps}k -ac {channels} -ar {sample_rate}"
            )));
        }
        args.extend(words(&format!(
            "-f hls -hls_time {} -hls_playlist_type vod -hls_segment_type fmp4 -hls_flags independent_segments \
             -master_pl_name index.m3u8 -hls_segment_filename %v/%05d.m4s -var_stream_map",
            f64::from(self.segment_ms) / 1000.0
        )));
        args.push(self.variants());
        args.push("%v/media.m3u8".to_owned());
        args
    }

    /// One decode, one branch for each rendition, scaled only where the size changes.
    fn filters(&self) -> String {
        let branches: Vec<String> = (0..self.renditions.len()).map(|n| format!("[s{n}]")).collect();
        let mut filters = format!("[0:v:0]split={}{}", branches.len(), branches.concat());
        for (n, r) in self.renditions.iter().enumerate() {
            let same = (r.width, r.height) == (self.picture.width, self.picture.height);
            let scale = format!("scale={}:{}:flags=bicubic", r.width, r.height);
            filters.push_str(&format!(";[s{n}]{}[v{n}]", if same { "null" } else { &scale }));
        }
        filters
    }

    fn variants(&self) -> String {
        let group = if self.sound.is_some() { ",agroup:sound" } else { "" };
        let mut variants: Vec<String> =
            (0..self.renditions.len()).map(|n| format!("v:{n}{group}")).collect();
        if self.sound.is_some() {
            variants.push(format!("a:0{group}"));
        }
        variants.join(" ")
    }
}

fn words(text: &str) -> Vec<String> {
    text.split_whitespace().map(str::to_owned).collect()
}

#[cfg(test)]
mod tests;
