//! Transcodes one span: decode once, scale once, encode every rendition.

use std::collections::HashSet;
use std::sync::{Arc, Mutex};

use gstreamer as gst;
use gstreamer_video as gst_video;
use headwater_model::pipeline::VideoEncode;
use headwater_model::plan::{Plan, SpanPlan};
use headwater_ports::transcoder::Report;

use crate::encode::{Encoder, Keys};
use crate::error::Error;
use crate::frames::FrameReader;
use crate::scale::LadderScaler;
use crate::segmenter::{Codecs, Emit, Rendition, Spool, VideoGrid, VideoSegmenter, finished};
use crate::source::Master;

/// Frames between two reports of progress: about a second of film.
const REPORT_EVERY: u64 = 25;

/// Transcodes `span` of `plan` into `spool`.
pub(crate) fn transcode(
    master: &Master,
    plan: &Plan,
    settings: &VideoEncode,
    span: &SpanPlan,
    spool: &std::path::Path,
    emit: Emit,
) -> Result<Codecs, Error> {
    let mut frames = FrameReader::span(master, &plan.stream, &span.read, plan.orientation)?;
    let rate = plan.cadence.rate();
    let fraction = gst::Fraction::new(
        i32::try_from(rate.num()).unwrap_or(i32::MAX),
        i32::try_from(rate.den()).unwrap_or(i32::MAX),
    );
    let sizes: Vec<(u32, u32)> = plan.video.iter().map(|r| (r.width, r.height)).collect();
    let results: Vec<Arc<Mutex<Rendition>>> = plan.video.iter().map(|_| Arc::default()).collect();
    let keys = key_frames(plan, span);

    let mut scaler: Option<LadderScaler> = None;
    let mut encoders: Vec<Encoder> = Vec::new();
    let mut count = 0u64;
    while let Some(sample) = frames.next()? {
        let picture = sample.buffer().ok_or(Error::Step("read a frame"))?;
        let info = sample
            .caps()
            .and_then(|c| gst_video::VideoInfo::from_caps(c).ok())
            .ok_or(Error::Step("learn a picture's shape"))?;
        // A master may change its picture size half-way: what comes out keeps the ladder's sizes.
        if !scaler.as_ref().is_some_and(|s| s.fits(&info)) {
            scaler = Some(LadderScaler::new(&info, &sizes, fraction)?);
        }
        let Some(scaler) = &mut scaler else { continue };
        if encoders.is_empty() {
            for (n, (rendition, result)) in plan.video.iter().zip(&results).enumerate() {
                let grid = VideoGrid {
                    width: rendition.width,
                    height: rendition.height,
                    timescale: plan.timescale,
                    delay: plan.delay,
                    first_number: span.first_segment,
                    segments: plan.segments_of(span),
                    ticks: &span.ticks,
                };
                let spool = Spool::new(spool, &rendition.name, emit.clone())?;
                let segmenter = Box::new(VideoSegmenter::new(spool, grid, result.clone()));
                let info = scaler.info(n).ok_or(Error::Step("learn a rendition's shape"))?;
                encoders.push(Encoder::video(
                    settings,
                    rendition,
                    info,
                    rate,
                    keys.clone(),
                    segmenter,
                )?);
            }
        }
        let at = gst::ClockTime::from_nseconds(u64::try_from(rate.frame_ns(count)).unwrap_or(0));
        let next =
            gst::ClockTime::from_nseconds(u64::try_from(rate.frame_ns(count + 1)).unwrap_or(0));
        for (encoder, mut buffer) in encoders.iter().zip(scaler.scale(picture)?) {
            let timed = buffer.make_mut();
            timed.set_pts(at);
            timed.set_dts(gst::ClockTime::NONE);
            timed.set_duration(next.saturating_sub(at));
            encoder.push(buffer)?;
        }
        count += 1;
        if count.is_multiple_of(REPORT_EVERY) {
            emit(Report::Progress { frames: count });
        }
    }
    drop(frames);
    for encoder in encoders {
        encoder.finish()?;
    }
    emit(Report::Progress { frames: count });
    let segments = span.segments as usize;
    plan.video.iter().zip(&results).map(|(r, result)| finished(&r.name, result, segments)).collect()
}

/// The frames of a span (from 0) that have to be IDRs: the first of every segment, and within it as many more, evenly
/// spread, as it takes to have one about every GOP length. A last GOP of a few frames would cost a key for nothing.
fn key_frames(plan: &Plan, span: &SpanPlan) -> Keys {
    let segments = plan.segments_of(span);
    let base = segments.first().map_or(0, |s| s.first_frame);
    let gop = u64::from(plan.gop_frames());
    let mut keys = Keys { at: HashSet::new(), every: 1 };
    for segment in segments {
        let (first, frames) = (segment.first_frame - base, u64::from(segment.frames));
        let gops = frames.saturating_sub(gop / 4).div_ceil(gop).max(1);
        keys.at.extend((0..gops).map(|n| first + n * frames / gops));
        keys.every = keys.every.max(u32::try_from(frames.div_ceil(gops)).unwrap_or(u32::MAX));
    }
    keys
}

#[cfg(test)]
mod tests;
