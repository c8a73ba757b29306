//! Transcodes one span: decode once, scale once, encode every rendition.

use std::collections::HashSet;
use std::sync::{Arc, Mutex};

use gstreamer as gst;
use gstreamer_video as gst_video;
use gstreamer_video::prelude::*;
use headwater_model::colour::Colour;
use headwater_model::ladder::VideoRendition;
use headwater_model::pipeline::VideoEncode;
use headwater_model::plan::{Plan, SpanPlan};
use headwater_model::quality::Seen;
use headwater_model::time::MediaTime;
use headwater_ports::transcoder::Report;

use crate::colour::{self, Converter};
use crate::copy;
use crate::encode::{Encoder, Keys};
use crate::error::Error;
use crate::flaws::PictureWatch;
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
) -> Result<(Codecs, Seen), Error> {
    let mut frames = FrameReader::span(master, plan, &span.read)?;
    let rate = plan.cadence.rate();
    let number = |n: u32| i32::try_from(n).unwrap_or(i32::MAX);
    let sizes = |hdr: bool| -> Vec<Option<(u32, u32, gst::Fraction)>> {
        let size = |r: &VideoRendition| {
            let own = r.rate(rate);
            (r.width, r.height, gst::Fraction::new(number(own.num()), number(own.den())))
        };
        plan.video.iter().map(|r| (r.hdr == hdr && !r.copy).then(|| size(r))).collect()
    };
    let any_hdr = plan.video.iter().any(|r| r.hdr);
    let results: Vec<Arc<Mutex<Rendition>>> = plan.video.iter().map(|_| Arc::default()).collect();

    let colours = plan.colour.unwrap_or(Colour::BT709);
    let mut prepared_for = None;
    let mut converter: Option<Converter> = None;
    let (mut scaler, mut hdr_scaler): (Option<LadderScaler>, Option<LadderScaler>) = (None, None);
    // None for what is copied.
    let mut encoders: Vec<Option<Encoder>> = Vec::new();
    let (mut kept, mut count) = (0u64, 0u64);
    let ms = |ticks: u64| MediaTime { ticks, timescale: plan.timescale }.rescale(1000);
    let mut shown_at = plan.segments_of(span).first().map_or(0, |segment| segment.start);
    let mut watch = PictureWatch::new(ms(shown_at), &plan.pipeline.quality);
    let watched = watched(&plan.video);
    // Captions that wait for a picture of each rendition: where every second one is shown, they come with the next.
    let mut captions: Vec<Vec<u8>> = vec![Vec::new(); plan.video.len()];
    while let Some(sample) = frames.next()? {
        let repeats = span.repeats_of(kept);
        kept += 1;
        let picture = sample.buffer().ok_or(Error::Step("read a frame"))?;
        if plan.captions {
            for meta in picture.iter_meta::<gst_video::VideoCaptionMeta>() {
                if meta.caption_type() == gst_video::VideoCaptionType::Cea708Raw {
                    // Nobody reads while a film runs ahead.
                    let read = captions.iter_mut().zip(&plan.video).filter(|(_, r)| !r.trick);
                    read.for_each(|(waiting, _)| waiting.extend(meta.data()));
                }
            }
        }
        if repeats == 0 {
            continue;
        }
        let info = sample
            .caps()
            .and_then(|c| gst_video::VideoInfo::from_caps(c).ok())
            .ok_or(Error::Step("learn a picture's shape"))?;
        // A master may change its picture size half-way: what comes out keeps the ladder's sizes.
        let shape = (info.width(), info.height(), info.format());
        if prepared_for != Some(shape) {
            prepared_for = Some(shape);
            if any_hdr {
                let kept = colour::colorimetry(colours);
                hdr_scaler = Some(LadderScaler::new(&info, &sizes(true), &kept)?);
            }
            converter = Converter::new(&info, colours, plan.peak.map(f64::from))?;
            let info = converter.as_ref().map_or(&info, Converter::info);
            let shown = colour::colorimetry(colours.as_sdr());
            scaler = Some(LadderScaler::new(info, &sizes(false), &shown)?);
        }
        let Some(scaler) = &mut scaler else { continue };
        if encoders.is_empty() {
            for (n, (rendition, result)) in plan.video.iter().zip(&results).enumerate() {
                if rendition.copy {
                    encoders.push(None);
                    continue;
                }
                let grid = VideoGrid {
                    rendition,
                    timescale: plan.timescale,
                    delay: plan.delay,
                    first_number: span.first_segment,
                    segments: plan.segments_of(span),
                    ticks: &span.ticks,
                    colour: plan.colour_of(rendition),
                    mastering: plan.mastering.filter(|_| rendition.hdr),
                    light: plan.light.filter(|_| rendition.hdr),
                    transport: plan.pipeline.transport,
                };
                let spool = Spool::new(spool, &rendition.name, emit.clone())?;
                let segmenter = Box::new(VideoSegmenter::new(spool, grid, result.clone()));
                let of_hdr = hdr_scaler.as_ref().and_then(|hdr| hdr.info(n));
                let info = scaler.info(n).or(of_hdr);
                let info = info.ok_or(Error::Step("learn a rendition's shape"))?;
                let keys = key_frames(plan, span, rendition);
                let encoder = Encoder::video(plan, settings, rendition, info, keys, segmenter)?;
                encoders.push(Some(encoder));
            }
        }
        let steps = count..count + u64::from(repeats);
        let converted = converter.as_ref().map(|c| c.convert(picture, &info)).transpose()?;
        let wanted = |n: usize| {
            plan.video
                .get(n)
                .is_some_and(|v| steps.clone().any(|step| v.shows(step, span.segments)))
        };
        let mut pictures = scaler.scale(converted.as_deref().unwrap_or(picture), wanted)?;
        if let Some(hdr) = &mut hdr_scaler {
            let kept = hdr.scale(picture, wanted)?;
            pictures.iter_mut().zip(kept).for_each(|(own, kept)| *own = own.take().or(kept));
        }
        let (n, info) = watched.and_then(|n| Some((n, scaler.info(n)?))).unzip();
        if let (Some(Some(picture)), Some(info)) = (n.and_then(|n| pictures.get(n)), info) {
            look(&mut watch, picture, info, ms(shown_at))?;
        }
        for _ in 0..repeats {
            for (((encoder, picture), rendition), captions) in
                encoders.iter().zip(&pictures).zip(&plan.video).zip(&mut captions)
            {
                let Some(picture) =
                    picture.as_ref().filter(|_| rendition.shows(count, span.segments))
                else {
                    continue;
                };
                let own = rendition.rate(rate);
                let n = count / u64::from(rendition.every.max(1));
                let (at, next) = (clock_time(own.frame_ns(n)), clock_time(own.frame_ns(n + 1)));
                // The samples themselves are shared.
                let mut buffer = picture.copy();
                let timed = buffer.make_mut();
                timed.set_pts(at);
                timed.set_dts(gst::ClockTime::NONE);
                timed.set_duration(next.saturating_sub(at));
                say_captions(timed, captions);
                if let Some(encoder) = encoder {
                    encoder.push(buffer)?;
                }
            }
            shown_at += u64::from(span.ticks.of(count));
            count += 1;
            if count.is_multiple_of(REPORT_EVERY) {
                emit(Report::Progress { frames: count });
            }
        }
    }
    drop(frames);
    for encoder in encoders.into_iter().flatten() {
        encoder.finish()?;
    }
    emit(Report::Progress { frames: count });
    let segments = span.segments as usize;
    let mut codecs = Codecs::new();
    for (rendition, result) in plan.video.iter().zip(&results) {
        match rendition.copy {
            true => codecs.extend(copy::video(master, plan, rendition, span, spool, emit.clone())?),
            false => codecs.push(finished(&rendition.name, result, segments)?),
        }
    }
    let seen = Seen { flaws: watch.finish(ms(shown_at)), ..Seen::default() };
    Ok((codecs, seen))
}

/// The rendition whose pictures are looked at: the smallest that shows every frame.
fn watched(renditions: &[VideoRendition]) -> Option<usize> {
    let all = renditions
        .iter()
        .enumerate()
        .filter(|(_, r)| r.every == 1 && !r.trick && !r.hdr && !r.copy);
    all.min_by_key(|(_, r)| u64::from(r.width) * u64::from(r.height)).map(|(n, _)| n)
}

/// Has a picture looked at.
fn look(
    watch: &mut PictureWatch,
    picture: &gst::BufferRef,
    info: &gst_video::VideoInfo,
    at_ms: u64,
) -> Result<(), Error> {
    let failed = || Error::Step("look at a picture");
    let picture =
        gst_video::VideoFrameRef::from_buffer_ref_readable(picture, info).map_err(|_| failed())?;
    let luma = picture.plane_data(0).map_err(|_| failed())?;
    let stride = picture.plane_stride().first().and_then(|s| usize::try_from(*s).ok());
    let size = (info.width() as usize, info.height() as usize);
    watch.see(luma, stride.ok_or_else(failed)?, size, at_ms);
    Ok(())
}

/// Gives a picture the captions that wait for one: x264 writes them beside it (ATSC A/53, part 4, 6.2.3).
fn say_captions(picture: &mut gst::BufferRef, waiting: &mut Vec<u8>) {
    /// Pieces of three bytes that fit beside one picture.
    const MOST: usize = 31 * 3;
    let taken: Vec<u8> = waiting.drain(..waiting.len().min(MOST)).collect();
    // The copy of a picture that was not scaled has those of its own, which are among them.
    while let Some(own) = picture.meta_mut::<gst_video::VideoCaptionMeta>() {
        if own.remove().is_err() {
            break;
        }
    }
    if !taken.is_empty() {
        let kind = gst_video::VideoCaptionType::Cea708Raw;
        gst_video::VideoCaptionMeta::add(picture, kind, &taken);
    }
}

fn clock_time(ns: i64) -> gst::ClockTime {
    gst::ClockTime::from_nseconds(u64::try_from(ns).unwrap_or(0))
}

/// The frames of a span (from 0) that have to be IDRs in a rendition that shows every n-th: the first of every segment,
/// and within it as many more, evenly spread, as it takes to have one about every GOP length, at the same times in all
/// renditions. A last GOP of a few frames would cost a key for nothing. Of one picture a segment, all.
fn key_frames(plan: &Plan, span: &SpanPlan, rendition: &VideoRendition) -> Keys {
    if rendition.trick {
        return Keys { at: (0..span.segments.into()).collect(), every: 1 };
    }
    let segments = plan.segments_of(span);
    let base = segments.first().map_or(0, |s| s.first_frame);
    let gop = u64::from(plan.gop_frames());
    let (stride, every) = (u64::from(plan.stride), u64::from(rendition.every.max(1)));
    let mut keys = Keys { at: HashSet::new(), every: 1 };
    for segment in segments {
        let (first, frames) = (segment.first_frame - base, u64::from(segment.frames));
        let gops = frames.saturating_sub(gop / 4).div_ceil(gop).max(1);
        let shown = |n: u64| n / stride * stride / every;
        keys.at.extend((0..gops).map(|n| shown(first + n * frames / gops)));
        let longest = frames.div_ceil(gops).next_multiple_of(stride) / every;
        keys.every = keys.every.max(u32::try_from(longest).unwrap_or(u32::MAX));
    }
    keys
}

#[cfg(test)]
mod tests;
