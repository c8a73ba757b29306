//! The child side: one job, read from the spool folder, told in JSON lines on standard output.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{Read, Write};
use std::path::Path;
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use gstreamer as gst;
use headwater_model::pipeline::{Audio, Video};
use headwater_model::plan::Plan;
use headwater_model::quality::Seen;
use headwater_model::refusal::{Code, Refusal};
use headwater_ports::transcoder::{Done, Part};

use crate::confine::{self, Places};
use crate::error::Error;
use crate::protocol::{Installed, Job, Line, Order};
use crate::running::{self, cpu_ms, make};
use crate::segmenter::{Codecs, Emit};
use crate::source::Master;
use crate::turns::ask_for_long_turns;
use crate::{channel, copy, inspect, leash, pictures, sound, span, text};

/// Does the job in `spool` and exits: 0 when it is done, 1 when it was refused, with the reason as the last line.
pub fn main(spool: &Path) -> ExitCode {
    confine::close_inherited();
    // A worker that dies, even by SIGKILL, takes its children with it.
    if !leash::bind() {
        return ExitCode::FAILURE;
    }
    ask_for_long_turns();
    if channel::take().is_err() {
        return ExitCode::FAILURE;
    }
    let out = Arc::new(Mutex::new(channel::get()));
    let say = move |line: &Line| {
        let Ok(mut text) = serde_json::to_vec(line) else { return };
        text.push(b'\n');
        let out = out.lock().unwrap_or_else(PoisonError::into_inner);
        // A parent that is gone needs no report; the death signal is on its way.
        let _ = out.map(|mut out| out.write_all(&text));
    };
    let last = match run(spool, &say) {
        Ok(line) => line,
        Err(error) => Line::Refused(error.into_refusal()),
    };
    say(&last);
    if matches!(last, Line::Refused(_)) { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

fn run(
    spool: &Path,
    say: &(impl Fn(&Line) + Clone + Send + Sync + 'static),
) -> Result<Line, Error> {
    let Order { allowance, silence, registry, job } = Order::read(spool).map_err(Error::Spool)?;
    running::be_patient(Duration::from_secs(silence));
    // Only `Job::Engine` needs it, and no path leads there from behind the walls.
    let maps = matches!(job, Job::Engine).then(|| File::open("/proc/self/maps").ok()).flatten();
    let places = Places { spool, registry: &registry };
    say(&Line::Confined(confine::confine(job.walls(), places, &allowance)));
    let tell = say.clone();
    leash::watch(move |stages| tell(&Line::Stages(stages)))
        .map_err(|_| Error::Step("start a thread"))?;
    #[cfg(debug_assertions)]
    crate::mischief::perhaps(&job, spool);
    gst::init().map_err(|e| {
        Error::Refused(Refusal::new(Code::Internal, format!("GStreamer does not start: {e}")))
    })?;
    let master = || {
        Master::from_stdin().map_err(|e| {
            Error::refused(Code::Unreadable, format!("the master cannot be read: {e}"))
        })
    };
    match job {
        Job::Engine => Ok(Line::Engine(Installed { engine: engine(maps), encoders: encoders() })),
        Job::Inspect => {
            Ok(Line::Inspected(Box::new(inspect::inspect(&master()?, || say(&Line::Alive))?)))
        }
        Job::Make { plan, part } => {
            let say = say.clone();
            let emit: Emit = Arc::new(move |report| say(&Line::Report(report)));
            let (codecs, seen) = make_part(&master()?, &plan, part, spool, emit)?;
            Ok(Line::Done(Done { codecs, cpu_ms: cpu_ms(), seen }))
        }
    }
}

fn make_part(
    master: &Master,
    plan: &Plan,
    part: Part,
    spool: &Path,
    emit: Emit,
) -> Result<(Codecs, Seen), Error> {
    // What is copied is not decoded, and so not seen.
    let unseen = |codecs| (codecs, Seen::default());
    let missing = || Error::Refused(Refusal::new(Code::Internal, "the plan has no such part"));
    match part {
        Part::Span(n) => {
            let span = plan.spans.get(n as usize).ok_or_else(missing)?;
            match &plan.pipeline.video {
                Video::Encode(settings) => {
                    span::transcode(master, plan, settings, span, spool, emit)
                }
                Video::Copy => {
                    let rendition = plan.video.first().ok_or_else(missing)?;
                    copy::video(master, plan, rendition, span, spool, emit).map(unseen)
                }
            }
        }
        Part::Pictures => {
            let pictures = plan.pictures.as_ref().ok_or_else(missing)?;
            pictures::make_all(master, plan, pictures, spool, emit).map(unseen)
        }
        Part::Text(n) => {
            let rendition = plan.text.get(n as usize).ok_or_else(missing)?;
            text::write(master, plan, rendition, spool, emit).map(unseen)
        }
        Part::Audio(n) => {
            let rendition = plan.audio.get(n as usize).ok_or_else(missing)?;
            match &plan.pipeline.audio {
                Audio::Encode(settings) => {
                    sound::transcode(master, settings, rendition, &plan.pipeline, spool, emit)
                }
                Audio::Copy => {
                    copy::audio(master, rendition, plan.pipeline.transport, spool, emit).map(unseen)
                }
            }
        }
    }
}

/// The encoders that are installed, whatever their rank: pipelines name what they want.
fn encoders() -> BTreeSet<String> {
    let kind = gst::ElementFactoryType::ENCODER;
    let all = gst::ElementFactory::factories_with_type(kind, gst::Rank::NONE);
    all.iter().map(|factory| gst::prelude::GstObjectExt::name(factory).to_string()).collect()
}

/// This build and the libraries whose output goes into segments: another version of any of them may give other bytes.
/// Their versions are in the names of the files that the elements have loaded.
fn engine(maps: Option<File>) -> String {
    // An element that is not installed has loaded nothing; whoever needs it says so.
    let elements = ["x264enc", "x265enc", "av1enc", "vp9enc", "avenc_aac"];
    let _elements: Vec<_> = elements.into_iter().map(make).collect();
    let mut listed = String::new();
    if let Some(mut maps) = maps {
        // A system without `/proc` names GStreamer's version and no libraries.
        let _ = maps.read_to_string(&mut listed);
    }
    let counts = [
        "libx264.",
        "libx265.",
        "libaom.",
        "libvpx.",
        "libavcodec.",
        "libavutil.",
        "libswresample.",
    ];
    let mut libraries: Vec<&str> = listed
        .lines()
        .filter_map(|line| line.rsplit('/').next())
        .filter(|name| counts.iter().any(|l| name.starts_with(l)))
        .collect();
    libraries.sort_unstable();
    libraries.dedup();
    let gstreamer = gst::version_string();
    let gstreamer = gstreamer.trim_start_matches("GStreamer ");
    format!("headwater {} gstreamer {gstreamer} {}", env!("CARGO_PKG_VERSION"), libraries.join(" "))
}
