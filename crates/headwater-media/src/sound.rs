//! Transcodes one audio track as a whole: cutting audio would leave gaps (R3).

use std::collections::VecDeque;
use std::path::Path;
use std::sync::mpsc::sync_channel;
use std::sync::{Arc, Mutex};

use gstreamer as gst;
use gstreamer::prelude::*;
use gstreamer_app as gst_app;
use gstreamer_audio as gst_audio;
use headwater_model::master::SoundPart;
use headwater_model::pipeline::{AudioEncode, Pipeline, SURROUND};
use headwater_model::plan::{AAC_FRAME, AudioRendition};
use headwater_model::quality::Seen;
use headwater_model::refusal::Code;
use headwater_ports::transcoder::Report;

use self::limit::Limiter;
use self::loudness::{Meter, decibels};
use self::mix::Mix;
use crate::encode::Encoder;
use crate::error::Error;
use crate::flaws::SoundWatch;
use crate::running::{Running, make};
use crate::segmenter::{AudioSegmenter, Codecs, Emit, Rendition, Spool, finished};
use crate::source::{Master, Times};
use crate::stages::Stage;
use crate::tracks;
use crate::words;

mod limit;
mod loudness;
mod mix;

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
    pipeline: &Pipeline,
    spool: &Path,
    emit: Emit,
) -> Result<(Codecs, Seen), Error> {
    let (channels, rate) = (rendition.channels as usize, rendition.sample_rate);
    // Sound that is left alone is left alone; what is made louder, or added up, may become too loud.
    let changed = settings.loudness.is_some() || rendition.track_channels > rendition.channels;
    let ceiling = if changed { decibels(settings.true_peak) as f32 } else { f32::MAX };
    let gain = match settings.loudness {
        Some(target) => gain_to(target, ceiling, master, rendition, &emit)?,
        None => 1.0,
    };
    let result: Arc<Mutex<Rendition>> = Arc::default();
    let kbps = settings.kbps_of(rendition.channels);
    let make_sink = |skip| -> Result<Box<AudioSegmenter>, Error> {
        let spool = Spool::new(spool, &rendition.name, emit.clone())?;
        Ok(Box::new(AudioSegmenter::new(
            spool,
            rendition.clone(),
            kbps * 1000,
            skip,
            pipeline.transport,
            result.clone(),
        )))
    };
    let encoder = Encoder::audio(settings, rendition.channels, rate, kbps, make_sink)?;
    let mut limiter = Limiter::new(channels, rate, ceiling);
    // What the limiter holds back comes late: as much of its first output is dropped.
    let mut late = limiter.delay() * channels;
    let mut push = |samples: &[f32]| -> Result<(), Error> {
        let mut limited: Vec<f32> = samples.iter().map(|s| s * gain).collect();
        limited.chunks_exact_mut(channels).for_each(|frame| limiter.frame(frame));
        let dropped = late.min(limited.len());
        late -= dropped;
        let bytes: Vec<u8> = limited[dropped..].iter().flat_map(|s| s.to_le_bytes()).collect();
        if bytes.is_empty() { Ok(()) } else { encoder.push(gst::Buffer::from_mut_slice(bytes)) }
    };
    // A track that is there in 5.1 too is heard once.
    let of_track = rendition.track_channels.max(1) as usize;
    let mut watch = (rendition.channels < SURROUND)
        .then(|| SoundWatch::new(&rendition.stream, of_track, rate, &pipeline.quality));
    read(master, rendition, &emit, watch.as_mut(), &mut push)?;
    // Enough more to push the last packet out of limiter and encoder.
    push(&vec![0.0; (limiter_room(rate) + 4 * AAC_FRAME as usize) * channels])?;
    encoder.finish()?;
    Ok((
        vec![finished(&rendition.name, &result, rendition.ends.len())?],
        watch.map_or_else(Seen::default, SoundWatch::finish),
    ))
}

/// By what samples have to be multiplied for an integrated loudness of `target` LUFS. Where peaks are turned down the sound
/// gets quieter, and so it is measured again as it comes out: a few times at most, since each reads all of the track.
fn gain_to(
    target: f64,
    ceiling: f32,
    master: &Master,
    rendition: &AudioRendition,
    emit: &Emit,
) -> Result<f32, Error> {
    /// Nearer than anybody hears.
    const NEAR_LU: f64 = 0.1;
    const TIMES: usize = 3;
    let (channels, rate) = (rendition.channels as usize, rendition.sample_rate);
    let mut meter = Meter::new(channels, rate)?;
    read(master, rendition, emit, None, |samples| meter.add(samples))?;
    let Some(mut gain) = meter.gain_to(target)? else { return Ok(1.0) };
    if meter.true_peak(channels)? * gain <= f64::from(ceiling) {
        return Ok(gain as f32);
    }
    for _ in 0..TIMES {
        let mut meter = Meter::new(channels, rate)?;
        let mut limiter = Limiter::new(channels, rate, ceiling);
        read(master, rendition, emit, None, |samples| {
            let mut limited: Vec<f32> = samples.iter().map(|s| s * gain as f32).collect();
            limited.chunks_exact_mut(channels).for_each(|frame| limiter.frame(frame));
            meter.add(&limited)
        })?;
        let Some(more) = meter.gain_to(target)? else { break };
        if (20.0 * more.log10()).abs() < NEAR_LU {
            break;
        }
        gain *= more;
    }
    Ok(gain as f32)
}

/// More samples than a limiter holds back.
fn limiter_room(rate: u32) -> usize {
    rate as usize / 50
}

/// Gives all samples of the rendition in pieces, interleaved: from the start of the title to the end of its last segment,
/// with silence wherever the track has nothing. `watch` hears them as they are, with all channels of the track.
fn read(
    master: &Master,
    rendition: &AudioRendition,
    emit: &Emit,
    watch: Option<&mut SoundWatch>,
    take: impl FnMut(&[f32]) -> Result<(), Error>,
) -> Result<(), Error> {
    let failed = |_| Error::Step("read sound");
    match rendition.parts.as_slice() {
        [] => read_track(master, rendition, emit, watch, take),
        [one] => {
            let own = AudioRendition { stream: one.stream.clone(), ..rendition.clone() };
            read_track(&master.source(one.source).map_err(failed)?, &own, emit, watch, take)
        }
        parts => read_parts(master, rendition, parts, emit, watch, take),
    }
}

/// The same of tracks of one channel each, which are read side by side.
fn read_parts(
    master: &Master,
    rendition: &AudioRendition,
    parts: &[SoundPart],
    emit: &Emit,
    mut watch: Option<&mut SoundWatch>,
    mut take: impl FnMut(&[f32]) -> Result<(), Error>,
) -> Result<(), Error> {
    /// Pieces of a channel that wait for those of the others.
    const WAITING: usize = 16;
    const TOGETHER: &str = "put sound together";
    let mix = Mix::new(None, parts.len(), rendition.channels as usize);
    std::thread::scope(|scope| {
        let mut readers = Vec::new();
        for part in parts {
            let own = AudioRendition {
                stream: part.stream.clone(),
                channels: 1,
                track_channels: 1,
                ..rendition.clone()
            };
            let source = master.source(part.source).map_err(|_| Error::Step("read sound"))?;
            let (sender, pieces) = sync_channel::<Vec<f32>>(WAITING);
            let reader = scope.spawn(move || {
                read_track(&source, &own, emit, None, |samples| {
                    // Nobody listens any more: another channel has failed, and says why.
                    sender.send(samples.to_vec()).map_err(|_| Error::Step(TOGETHER))
                })
            });
            readers.push((reader, pieces, VecDeque::<f32>::new()));
        }
        let (mut frames, mut mixed) = (Vec::new(), Vec::new());
        loop {
            for (_, pieces, waiting) in &mut readers {
                while waiting.is_empty() {
                    let Ok(piece) = pieces.recv() else { break };
                    waiting.extend(piece);
                }
            }
            let there = readers.iter().map(|(.., waiting)| waiting.len()).min().unwrap_or(0);
            if there == 0 {
                break;
            }
            frames.clear();
            for _ in 0..there {
                frames.extend(readers.iter_mut().filter_map(|(.., waiting)| waiting.pop_front()));
            }
            if let Some(watch) = &mut watch {
                watch.hear(&frames, parts.len());
            }
            mixed.clear();
            mix.mix(&frames, &mut mixed);
            take(&mixed)?;
        }
        // Of several that fail the others only say that one has.
        let mut ended = Ok(());
        for (reader, pieces, _) in readers {
            drop(pieces);
            match reader.join().unwrap_or(Err(Error::Step(TOGETHER))) {
                Ok(()) => {}
                Err(Error::Step(TOGETHER)) => ended = Err(Error::Step(TOGETHER)),
                Err(error) => return Err(error),
            }
        }
        ended
    })
}

/// The samples of one track.
fn read_track(
    master: &Master,
    rendition: &AudioRendition,
    emit: &Emit,
    mut watch: Option<&mut SoundWatch>,
    mut take: impl FnMut(&[f32]) -> Result<(), Error>,
) -> Result<(), Error> {
    let channels = rendition.channels as usize;
    let (running, sink) = open(master, rendition)?;
    running.play()?;
    let total = rendition.ends.last().copied().unwrap_or(0) * u64::from(AAC_FRAME);
    let times = master.times(&rendition.stream);
    let mut placement = Placement::new(total, rendition.sample_rate);
    let mut mix: Option<(gst::Caps, Mix, usize)> = None;
    let mut mixed: Vec<f32> = Vec::new();
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
        // A track may change its channels half-way.
        let caps = sample.caps().ok_or(Error::Step("learn the channels of the sound"))?;
        if !mix.as_ref().is_some_and(|(known, ..)| known.as_ref() == caps) {
            let info = gst_audio::AudioInfo::from_caps(caps)
                .map_err(|_| Error::Step("learn the channels of the sound"))?;
            let from = info.channels() as usize;
            mix = Some((caps.to_owned(), Mix::new(info.positions(), from, channels), from));
        }
        let Some((_, mix, from)) = &mix else { continue };
        let data = buffer.map_readable().map_err(|_| Error::Step("read sound"))?;
        let samples: Vec<f32> = data
            .chunks_exact(SAMPLE_BYTES)
            .map(|s| f32::from_le_bytes([s[0], s[1], s[2], s[3]]))
            .collect();
        let there = (samples.len() / from.max(&1)) as u64;
        let placed = placement.place(at_ns.saturating_sub(rendition.zero_ns), there);
        if let Some(watch) = &mut watch {
            watch.pass_silence(placed.silence);
        }
        silence(placed.silence, channels, &mut take)?;
        if placed.take > 0 {
            let (first, count) = (placed.skip as usize * from, placed.take as usize * from);
            let samples = &samples[first..first + count];
            if let Some(watch) = &mut watch {
                watch.hear(samples, *from);
            }
            mixed.clear();
            mix.mix(samples, &mut mixed);
            take(&mixed)?;
        }
        chunks += 1;
        stage.done();
        if chunks.is_multiple_of(512) {
            emit(Report::Progress { frames: 0 });
        }
    }
    if let Some(watch) = watch {
        watch.pass_silence(placement.left());
    }
    silence(placement.left(), channels, &mut take)
}

/// A pipeline that decodes the track to interleaved 32-bit float samples of the rendition's rate.
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
                .build(),
        )
        .build();
    running.chain(&[&convert, &resample, sink.upcast_ref()])?;
    decode_into(&running, &parse, &rendition.stream, &convert);
    Ok((running, sink))
}

/// What the first decoded piece of a track is like; `None` when the track is empty.
pub(crate) fn first_piece(
    master: &Master,
    stream: &str,
) -> Result<Option<gst_audio::AudioInfo>, Error> {
    let running = Running::new("first sound");
    let parse = make("parsebin")?;
    running.chain(&[&master.element(), &parse])?;
    let convert = make("identity")?;
    let sink = gst_app::AppSink::builder().sync(false).max_buffers(1).build();
    running.chain(&[&convert, sink.upcast_ref()])?;
    decode_into(&running, &parse, stream, &convert);
    running.play()?;
    let sample = running.pull(&sink, "decode the sound")?;
    Ok(sample.and_then(|s| gst_audio::AudioInfo::from_caps(s.caps()?).ok()))
}

/// Puts the decoder of track `stream` between `parse` and `next` once its caps are settled. Parsers of some codecs settle
/// them with the first packet, long after the pad is there.
fn decode_into(running: &Running, parse: &gst::Element, stream: &str, next: &gst::Element) {
    let (pipeline, next) = (running.pipeline().downgrade(), next.downgrade());
    tracks::when_found(parse, stream, move |pad| {
        let link_now = {
            let (pipeline, next) = (pipeline.clone(), next.clone());
            move |pad: &gst::Pad, caps: &gst::CapsRef| match (pipeline.upgrade(), next.upgrade()) {
                (Some(pipeline), Some(next)) if !pad.is_linked() => {
                    link(&pipeline, pad, caps, &next)
                }
                _ => Ok(()),
            }
        };
        // Where nothing parses, they are known already, and no event tells them again.
        if let Some(caps) = pad.current_caps() {
            return link_now(pad, &caps);
        }
        let pipeline = pipeline.clone();
        pad.add_probe(gst::PadProbeType::EVENT_DOWNSTREAM, move |pad, info| {
            if let Some(gst::PadProbeData::Event(event)) = &info.data
                && let gst::EventView::Caps(caps) = event.view()
                && let Err(error) = link_now(pad, caps.caps())
                && let Some(pipeline) = pipeline.upgrade()
            {
                gst::element_error!(pipeline, gst::CoreError::Pad, ("{error}"));
            }
            gst::PadProbeReturn::Ok
        });
        Ok(())
    });
}

fn link(
    pipeline: &gst::Pipeline,
    pad: &gst::Pad,
    caps: &gst::CapsRef,
    next: &gst::Element,
) -> Result<(), Error> {
    let failed = || Error::Step("link the audio decoder");
    let target = next.static_pad("sink").ok_or_else(failed)?;
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
    decoder.link(next).map_err(|_| failed())?;
    decoder.sync_state_with_parent().map_err(|_| failed())?;
    pad.link(&decoder.static_pad("sink").ok_or_else(failed)?).map(|_| ()).map_err(|_| failed())
}

fn silence(
    mut samples: u64,
    channels: usize,
    take: &mut impl FnMut(&[f32]) -> Result<(), Error>,
) -> Result<(), Error> {
    while samples > 0 {
        let piece = samples.min(SILENCE);
        samples -= piece;
        take(&vec![0.0; piece as usize * channels])?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
