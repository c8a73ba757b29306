//! Takes a track of text out of a master and writes it as WebVTT: whole, and in segments.

use std::path::Path;
use std::sync::PoisonError;

use gstreamer as gst;
use gstreamer::prelude::*;
use gstreamer_app as gst_app;
use headwater_model::plan::{Plan, TextRendition};
use headwater_model::refusal::Code;
use headwater_model::time::MediaTime;
use headwater_packaging::text::{Cue, Subtitles};
use headwater_packaging::ts;
use headwater_ports::transcoder::Report;

use crate::delivered;
use crate::error::Error;
use crate::running::{Running, make};
use crate::segmenter::{Codecs, Emit, Spool};
use crate::source::Master;
use crate::tracks;

/// Text of a track, in bytes: the dialogues of ten hours of film have one million. More is no dialogue.
const MOST_TEXT: usize = 32 << 20;

/// A text without a length is shown until the next one, and for this long at most.
const USUAL_LENGTH_MS: u64 = 5_000;

/// Writes `rendition` of `plan` into `spool`.
pub(crate) fn write(
    master: &Master,
    plan: &Plan,
    rendition: &TextRendition,
    spool: &Path,
    emit: Emit,
) -> Result<Codecs, Error> {
    let read = match &rendition.delivered {
        Some(own) => {
            let failed = |_| Error::Step("read subtitles");
            let file = master.source(own.source).map_err(failed)?;
            let (_, read) = delivered::read(&file, &rendition.name)?;
            read.earlier(i64::try_from(own.starts_at_ms).unwrap_or(i64::MAX))
        }
        None => read(master, rendition, &emit)?,
    };
    let subtitles = read.until(plan.duration().rescale(1000));
    let spool = Spool::new(spool, &rendition.name, emit)?;
    spool.text(None, &subtitles.whole())?;
    let ms = |ticks: u64| MediaTime { ticks, timescale: plan.timescale }.rescale(1000);
    // Only HLS has segments of them.
    let zero = if plan.pipeline.transport { ts::ZERO } else { 0 };
    for (number, (start, ticks)) in (0u32..).zip(plan.text_segments()) {
        spool.text(Some(number), &subtitles.segment(ms(start), ms(start + ticks), zero))?;
    }
    Ok(vec![])
}

/// All that the track says, on the title's line of time.
fn read(master: &Master, rendition: &TextRendition, emit: &Emit) -> Result<Subtitles, Error> {
    let running = Running::new("text");
    let parse = make("parsebin")?;
    running.chain(&[&master.element(), &parse])?;
    let sink = gst_app::AppSink::builder().sync(false).max_buffers(64).build();
    let element: gst::Element = sink.clone().upcast();
    running.pipeline().add(&element).map_err(|_| Error::Step("add a sink"))?;
    let times = master.times(&rendition.stream);
    let mapping = tracks::when_found(&parse, &rendition.stream, move |pad| {
        let mapping = tracks::unclip(pad, times);
        let target = element.static_pad("sink").ok_or(Error::Step("find a sink's pad"))?;
        pad.link(&target).map_err(|_| Error::Step("link a track"))?;
        Ok(mapping)
    });
    running.play()?;
    let mut cues: Vec<Cue> = Vec::new();
    // Those whose end nobody has said yet.
    let (mut open, mut bytes) = (false, 0);
    while let Some(sample) = running.pull(&sink, "read subtitles")? {
        let Some((buffer, pts)) = sample.buffer().and_then(|b| Some((b, b.pts()?))) else {
            continue;
        };
        let mapping = mapping.get().ok_or(Error::Step("learn when subtitles are shown"))?;
        let at_ns = mapping.lock().unwrap_or_else(PoisonError::into_inner).stream_ns(pts);
        let Some(at_ns) = at_ns.map(|at| at - rendition.zero_ns) else { continue };
        let data = buffer.map_readable().map_err(|_| Error::Step("read subtitles"))?;
        bytes += data.len();
        if bytes > MOST_TEXT {
            let why = format!("track {} has more text than any dialogue", rendition.stream);
            return Err(Error::refused(Code::DamagedMaster, why));
        }
        let text = String::from_utf8_lossy(&data);
        // Some containers end each text with a zero.
        let text = text.trim_end_matches('\0');
        let ms = |ns: i64| u64::try_from(ns / 1_000_000).unwrap_or(0);
        let start_ms = ms(at_ns);
        if let Some(last) = cues.last_mut().filter(|_| open) {
            last.end_ms = last.end_ms.min(start_ms);
        }
        let length = buffer.duration().and_then(|d| i64::try_from(d.nseconds()).ok());
        open = length.is_none();
        let end_ms = length.map_or(start_ms + USUAL_LENGTH_MS, |length| ms(at_ns + length));
        let is_pango = sample
            .caps()
            .and_then(|caps| {
                caps.structure(0)?.get::<&str>("format").ok().map(|f| f == "pango-markup")
            })
            .unwrap_or(false);
        let cue = if is_pango { Cue::of_pango } else { Cue::plain };
        cues.push(cue(start_ms, end_ms, text));
        emit(Report::Progress { frames: 0 });
    }
    Ok(Subtitles::of(cues))
}
