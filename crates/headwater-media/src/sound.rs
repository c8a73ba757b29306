//! Transcodes one audio track as a whole: cutting audio would leave gaps (R3).

use std::path::Path;
use std::sync::{Arc, Mutex};

use gstreamer as gst;
use gstreamer::prelude::*;
use gstreamer_app as gst_app;
use headwater_model::pipeline::AudioEncode;
use headwater_model::plan::{AAC_FRAME, AudioRendition};
use headwater_model::refusal::Code;
use headwater_ports::transcoder::Report;

use crate::encode::Encoder;
use crate::error::Error;
use crate::running::{Running, make};
use crate::segmenter::{AudioSegmenter, Codecs, Emit, Rendition, Spool, finished};
use crate::source::{Master, Times};
use crate::stages::Stage;
use crate::tracks;
use crate::words;

/// A chunk whose time stamp is this near to where the one before ended goes on there: containers round to milliseconds.
/// Anything further is a gap or an overlap in the master, and filling or cutting it keeps the sound in sync (R2: 10 ms).
const JITTER_NS: i64 = 5_000_000;

/// Bytes of one 32-bit float sample of one channel.
const SAMPLE_BYTES: usize = 4;

/// Silence is handed over in pieces of this many samples, so that an hour of it does not sit in memory.
const SILENCE: u64 = 48_000;

/// Places decoded chunks on the title's line of samples, which starts at 0 and has a known end.
#[derive(Debug)]
pub(crate) struct Placement {
    next: u64,
    end: u64,
    rate: u64,
}

/// What to do with a chunk: first so much silence, then the chunk from `skip` on for `take` samples.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Placed {
    pub(crate) silence: u64,
    pub(crate) skip: u64,
    pub(crate) take: u64,
}

impl Placement {
    pub(crate) fn new(end: u64, rate: u32) -> Self {
        Self { next: 0, end, rate: u64::from(rate.max(1)) }
    }

    /// Places `samples` samples that are presented at `at_ns` after the title's start.
    pub(crate) fn place(&mut self, at_ns: i64, samples: u64) -> Placed {
        let ns = |samples: u64| {
            i64::try_from(u128::from(samples) * 1_000_000_000 / u128::from(self.rate))
                .unwrap_or(i64::MAX)
        };
        let sample = |ns: i64| {
            let samples =
                (i128::from(ns) * i128::from(self.rate) + 500_000_000).div_euclid(1_000_000_000);
            i64::try_from(samples).unwrap_or(i64::MAX)
        };
        let near = self.next > 0 && (at_ns - ns(self.next)).abs() <= JITTER_NS;
        let at = if near { i64::try_from(self.next).unwrap_or(i64::MAX) } else { sample(at_ns) };
        let next = i64::try_from(self.next).unwrap_or(i64::MAX);
        let silence = u64::try_from(at - next).unwrap_or(0).min(self.end - self.next);
        let skip = u64::try_from(next - at).unwrap_or(0).min(samples);
        let take = (samples - skip).min(self.end - self.next - silence);
        self.next += silence + take;
        Placed { silence, skip, take }
    }

    /// Samples still missing at the end.
    pub(crate) fn left(&self) -> u64 {
        self.end - self.next
    }
}

/// Transcodes the track of `rendition` into `spool`.
pub(crate) fn transcode(
    master: &Master,
    settings: &AudioEncode,
    rendition: &AudioRendition,
    spool: &Path,
    emit: Emit,
) -> Result<Codecs, Error> {
    let (running, sink) = open(master, rendition)?;
    running.play()?;
    let result: Arc<Mutex<Rendition>> = Arc::default();
    // Stereo gets the whole rate, mono half of it.
    let kbps = settings.kbps * rendition.channels.min(2) / 2;
    let frame_bytes = SAMPLE_BYTES * rendition.channels as usize;
    let total = rendition.ends.last().copied().unwrap_or(0) * u64::from(AAC_FRAME);
    let make_sink = |skip| -> Result<Box<AudioSegmenter>, Error> {
        let spool = Spool::new(spool, &rendition.name, emit.clone())?;
        Ok(Box::new(AudioSegmenter::new(
            spool,
            rendition.clone(),
            kbps * 1000,
            skip,
            result.clone(),
        )))
    };
    let encoder =
        Encoder::audio(settings, rendition.channels, rendition.sample_rate, kbps, make_sink)?;
    let times = master.times(&rendition.stream);
    let mut placement = Placement::new(total, rendition.sample_rate);
    let mut chunks = 0u64;
    let stage = Stage::begin("pieces of sound decoded");
    while placement.left() > 0 {
        let Some(sample) = running.pull(&sink, "decode the sound")? else { break };
        let buffer = sample.buffer().ok_or(Error::Step("read sound"))?;
        let segment = sample.segment().and_then(|s| s.downcast_ref::<gst::ClockTime>());
        let at = buffer.pts().and_then(|pts| segment.and_then(|s| s.to_stream_time_full(pts)));
        let at_ns = match at {
            Some(gst::Signed::Positive(t)) => i64::try_from(t.nseconds()).unwrap_or(i64::MAX),
            Some(gst::Signed::Negative(t)) => -i64::try_from(t.nseconds()).unwrap_or(i64::MAX),
            None => continue,
        };
        let at_ns = match times {
            Times::Edited(edit) => edit.presented_ns(at_ns),
            Times::Demuxer | Times::Plain => at_ns,
        };
        let samples = (buffer.size() / frame_bytes) as u64;
        let placed = placement.place(at_ns.saturating_sub(rendition.zero_ns), samples);
        silence(&encoder, placed.silence, frame_bytes)?;
        if placed.take > 0 {
            let (from, bytes) =
                (placed.skip as usize * frame_bytes, placed.take as usize * frame_bytes);
            let part = buffer
                .copy_region(gst::BufferCopyFlags::MEMORY, from..from + bytes)
                .map_err(|_| Error::Step("cut sound"))?;
            encoder.push(part)?;
        }
        chunks += 1;
        stage.done();
        if chunks.is_multiple_of(512) {
            emit(Report::Progress { frames: 0 });
        }
    }
    drop(running);
    // Silence to the end of the picture, and enough more to push the last packet out of the encoder.
    silence(&encoder, placement.left() + 4 * u64::from(AAC_FRAME), frame_bytes)?;
    encoder.finish()?;
    Ok(vec![finished(&rendition.name, &result, rendition.ends.len())?])
}

/// A pipeline that decodes the track to interleaved 32-bit float samples of the rendition's rate and channels.
fn open(master: &Master, rendition: &AudioRendition) -> Result<(Running, gst_app::AppSink), Error> {
    let running = Running::new("sound");
    let parse = make("parsebin")?;
    running.chain(&[&master.element(), &parse])?;
    let convert = make("audioconvert")?;
    let resample = make("audioresample")?;
    let sink = gst_app::AppSink::builder()
        .sync(false)
        .max_buffers(16)
        .caps(
            &gst::Caps::builder("audio/x-raw")
                .field("format", "F32LE")
                .field("layout", "interleaved")
                .field("rate", i32::try_from(rendition.sample_rate).unwrap_or(48_000))
                .field("channels", i32::try_from(rendition.channels).unwrap_or(2))
                .build(),
        )
        .build();
    running.chain(&[&convert, &resample, sink.upcast_ref()])?;
    let weak = running.pipeline().downgrade();
    tracks::when_found(&parse, &rendition.stream, move |pad| {
        let pipeline = weak.upgrade().ok_or(Error::Step("link the audio decoder"))?;
        link(&pipeline, pad, &convert)
    });
    Ok((running, sink))
}

fn link(pipeline: &gst::Pipeline, pad: &gst::Pad, convert: &gst::Element) -> Result<(), Error> {
    let caps = &pad.current_caps().unwrap_or_else(|| pad.query_caps(None));
    let failed = || Error::Step("link the audio decoder");
    let target = convert.static_pad("sink").ok_or_else(failed)?;
    if words::media_type(caps) == "audio/x-raw" {
        return pad.link(&target).map(|_| ()).map_err(|_| failed());
    }
    let factory = words::decoder(caps).ok_or_else(|| {
        Error::refused(
            Code::UnsupportedCodec,
            format!("no decoder for the audio track's codec: {}", words::codec(caps)),
        )
    })?;
    let decoder =
        factory.create().build().map_err(|_| Error::NoElement(factory.name().to_string()))?;
    pipeline.add(&decoder).map_err(|_| failed())?;
    decoder.link(convert).map_err(|_| failed())?;
    decoder.sync_state_with_parent().map_err(|_| failed())?;
    pad.link(&decoder.static_pad("sink").ok_or_else(failed)?).map(|_| ()).map_err(|_| failed())
}

fn silence(encoder: &Encoder, mut samples: u64, frame_bytes: usize) -> Result<(), Error> {
    while samples > 0 {
        let piece = samples.min(SILENCE);
        samples -= piece;
        encoder.push(gst::Buffer::from_mut_slice(vec![0u8; piece as usize * frame_bytes]))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
