//! Encoders: pictures or samples in, access units out, each in a pipeline of its own.

use std::collections::HashSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use gstreamer as gst;
use gstreamer::prelude::*;
use gstreamer_app as gst_app;
use gstreamer_audio as gst_audio;
use gstreamer_video as gst_video;
use headwater_model::ladder::VideoRendition;
use headwater_model::pipeline::{AudioEncode, SURROUND, VideoEncode};
use headwater_model::plan::Plan;

use crate::coder::Coder;
use crate::error::Error;
use crate::running::{Running, make};
use crate::stages::Stage;

/// Pictures, or pieces of sound, that wait for an encoder. Encoders of one span take unequally long for a picture, and
/// the slowest holds up all others once its queue is full: with 12 instead of 3, a single span on two cores is done 2 to
/// 11 % sooner. They are 70 MB in a ladder from 1080p, which is less than the encoders' own look-ahead.
const BUFFERS_WAITING: u64 = 12;

/// Which frames are IDRs.
#[derive(Debug, Clone)]
pub(crate) struct Keys {
    /// Exactly these, counted from 0.
    pub(crate) at: HashSet<u64>,
    /// How far apart they are at most: the encoder looks no further ahead than to the next one.
    pub(crate) every: u32,
}

/// What an encoder puts out.
pub(crate) struct Unit {
    /// Its bytes.
    pub(crate) data: gst::Buffer,
    /// Number of the frame in presentation order, from 0.
    pub(crate) frame: u64,
    /// IDR.
    pub(crate) key: bool,
}

/// Takes units in coding order. The first call of all is `config`, with the record that a sample entry carries
/// or the AudioSpecificConfig.
pub(crate) trait UnitSink: Send {
    fn config(&mut self, config: &[u8]) -> Result<(), Error>;
    fn unit(&mut self, unit: Unit) -> Result<(), Error>;
}

/// One running encoder.
pub(crate) struct Encoder {
    running: Running,
    source: gst_app::AppSrc,
    gate: Arc<Gate>,
    fault: Arc<Mutex<Option<Error>>>,
}

/// Holds back whoever feeds an encoder while enough waits for it. An `appsrc` that blocks would do the same, and wait for
/// ever once its pipeline has failed.
#[derive(Debug, Default)]
struct Gate {
    waiting: Mutex<u64>,
    moved: Condvar,
}

/// The loudspeakers of 5.1, in the order of samples.
const FIVE_ONE: [gst_audio::AudioChannelPosition; 6] = {
    use gst_audio::AudioChannelPosition as At;
    [At::FrontLeft, At::FrontRight, At::FrontCenter, At::Lfe1, At::RearLeft, At::RearRight]
};

/// How often a feeder that waits looks whether the encoder still lives.
const LOOK_AGAIN: Duration = Duration::from_millis(100);

impl Gate {
    /// Takes a place, or tells after a while that there was none.
    fn enter(&self) -> bool {
        let waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let full = |waiting: &mut u64| *waiting >= BUFFERS_WAITING;
        let waited = self.moved.wait_timeout_while(waiting, LOOK_AGAIN, full);
        let (mut waiting, timeout) = waited.unwrap_or_else(PoisonError::into_inner);
        if !timeout.timed_out() {
            *waiting += 1;
        }
        !timeout.timed_out()
    }

    fn leave(&self) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        *waiting = waiting.saturating_sub(1);
        self.moved.notify_all();
    }
}

/// The first of `names` that is installed.
pub(crate) fn first_installed(names: &[String]) -> Result<gst::Element, Error> {
    names
        .iter()
        .find_map(|name| gst::ElementFactory::make(name).build().ok())
        .ok_or_else(|| Error::NoElement(names.join("`, `")))
}

impl Encoder {
    /// A video encoder for pictures like `info`, with an IDR at each frame in `keys`.
    pub(crate) fn video(
        plan: &Plan,
        settings: &VideoEncode,
        rendition: &VideoRendition,
        info: &gst_video::VideoInfo,
        keys: Keys,
        sink: Box<dyn UnitSink>,
    ) -> Result<Self, Error> {
        let rate = rendition.rate(plan.cadence.rate());
        let coder = Coder::new(plan, settings, rendition, keys.every)?;
        let caps = info.to_caps().map_err(|_| Error::Step("describe a picture"))?;
        let source = gst_app::AppSrc::builder()
            .name(&rendition.name)
            .format(gst::Format::Time)
            .caps(&caps)
            .build();
        let frame_number = move |from_first_ns: u64| {
            let (num, den) = (u128::from(rate.num()), u128::from(rate.den()) * 1_000_000_000);
            u64::try_from((2 * u128::from(from_first_ns) * num + den) / (2 * den))
                .unwrap_or(u64::MAX)
        };
        Self::start(&rendition.name, source, keys.at, coder, frame_number, sink)
    }

    /// An AAC encoder for interleaved 32-bit float samples. `sink` is made from the number of packets to drop first.
    pub(crate) fn audio<S: UnitSink + 'static>(
        settings: &AudioEncode,
        channels: u32,
        sample_rate: u32,
        kbps: u32,
        sink: impl FnOnce(u64) -> Result<Box<S>, Error>,
    ) -> Result<Self, Error> {
        let encoder = first_installed(&settings.encoders)?;
        let factory = encoder.factory().map(|f| f.name().to_string()).unwrap_or_default();
        if encoder.find_property("bitrate").is_some() {
            encoder.set_property_from_str("bitrate", &(kbps * 1000).to_string());
        }
        // libavcodec's encoder chooses for each band whether to code left and right or their sum and difference. GStreamer
        // knows only "always" and "never" of its option, and "always", which it has unless told otherwise, makes two
        // different channels nearly one.
        if encoder.find_property("aac-ms").is_some() {
            encoder.set_property("aac-ms", false);
        }
        let info =
            gst_audio::AudioInfo::builder(gst_audio::AudioFormat::F32le, sample_rate, channels);
        let info = if channels == SURROUND { info.positions(&FIVE_ONE) } else { info };
        let info = info.build().map_err(|_| Error::Step("describe the sound"))?;
        let caps = info.to_caps().map_err(|_| Error::Step("describe the sound"))?;
        let source = gst_app::AppSrc::builder().format(gst::Format::Time).caps(&caps).build();
        let convert = make("audioconvert")?;
        let filter = make("capsfilter")?;
        let wanted =
            gst::Caps::builder("audio/mpeg").field("mpegversion", 4).field("stream-format", "raw");
        filter.set_property("caps", wanted.build());
        // Packets are counted, not timed: their order is all that matters.
        let mut count = 0;
        let number = move |_| {
            count += 1;
            count - 1
        };
        Self::start(
            "audio",
            source,
            HashSet::new(),
            Coder::of_sound(vec![convert, encoder, filter]),
            number,
            sink(late_packets(&factory))?,
        )
    }

    fn start(
        name: &str,
        source: gst_app::AppSrc,
        keys: HashSet<u64>,
        coder: Coder,
        mut number: impl FnMut(u64) -> u64 + Send + 'static,
        mut units: Box<dyn UnitSink>,
    ) -> Result<Self, Error> {
        let running = Running::new(name);
        let gate = Arc::<Gate>::default();
        watch_buffers(&source, keys, gate.clone())?;
        let fault = Arc::new(Mutex::new(None));
        let callback_fault = fault.clone();
        // x264enc starts every stream at 1000 h, so that B-frames never need a negative DTS: frames are counted from
        // the first one, which is an IDR and so the first shown.
        let mut first_pts = None;
        let stage = Stage::begin(&format!("{name} encoded"));
        let mut configured = false;
        let middle = coder.elements.clone();
        let callbacks = gst_app::AppSinkCallbacks::builder()
            .new_sample(move |sink| {
                let sample = sink.pull_sample().map_err(|_| gst::FlowError::Eos)?;
                let mut take = || -> Result<(), Error> {
                    if !configured {
                        units.config(&coder.record.of(&sample)?)?;
                        configured = true;
                    }
                    let data = sample.buffer_owned().ok_or(Error::Step("read an encoded frame"))?;
                    let pts = data.pts().map_or(0, |t| t.nseconds());
                    let first = *first_pts.get_or_insert(pts);
                    stage.done();
                    let frame = number(pts.saturating_sub(first));
                    let key = !data.flags().contains(gst::BufferFlags::DELTA_UNIT);
                    let data = (coder.sample)(data)?;
                    units.unit(Unit { data, frame, key })
                };
                take().map(|()| gst::FlowSuccess::Ok).map_err(|error| {
                    callback_fault
                        .lock()
                        .unwrap_or_else(PoisonError::into_inner)
                        .get_or_insert(error);
                    gst::FlowError::Error
                })
            })
            .build();
        let sink = gst_app::AppSink::builder().sync(false).callbacks(callbacks).build();
        let mut chain = vec![source.clone().upcast::<gst::Element>()];
        chain.extend(middle);
        chain.push(sink.upcast());
        running.chain(&chain.iter().collect::<Vec<_>>())?;
        running.play()?;
        Ok(Self { running, source, gate, fault })
    }

    /// Hands over one buffer; waits while the encoder is behind.
    pub(crate) fn push(&self, buffer: gst::Buffer) -> Result<(), Error> {
        while !self.gate.enter() {
            if let Some(fault) = self.fault() {
                return Err(fault);
            }
        }
        match self.source.push_buffer(buffer) {
            Ok(_) => Ok(()),
            Err(_) => Err(self.fault().unwrap_or(Error::Step("feed an encoder"))),
        }
    }

    /// Ends the stream and waits until the last unit is out.
    pub(crate) fn finish(self) -> Result<(), Error> {
        // Refused only when the pipeline has failed, which the wait reports.
        let _ = self.source.end_of_stream();
        let ended = self.running.wait_for_end(|| ());
        // What the sink could not take in while the encoder emptied itself is not an error of the pipeline.
        match (ended, self.fault()) {
            (Ok(()), None) => Ok(()),
            (_, Some(fault)) => Err(fault),
            (Err(error), None) => Err(error),
        }
    }

    /// The sink's error explains more than the pipeline's "streaming stopped".
    fn fault(&self) -> Option<Error> {
        let own = self.fault.lock().unwrap_or_else(PoisonError::into_inner).take();
        own.or_else(|| self.running.error())
    }
}

/// Counts the buffers that leave `source`: opens the gate for the next one, and asks for an IDR right before each of the
/// frames in `keys`.
fn watch_buffers(
    source: &gst_app::AppSrc,
    keys: HashSet<u64>,
    gate: Arc<Gate>,
) -> Result<(), Error> {
    let pad = source.static_pad("src").ok_or(Error::Step("find a source's pad"))?;
    let count = AtomicU64::new(0);
    pad.add_probe(gst::PadProbeType::BUFFER, move |pad, _| {
        gate.leave();
        let frame = count.fetch_add(1, Ordering::Relaxed);
        if frame > 0 && keys.contains(&frame) {
            let event =
                gst_video::DownstreamForceKeyUnitEvent::builder().all_headers(false).build();
            // Nobody to take it only while the pipeline shuts down.
            let _ = pad.push_event(event);
        }
        gst::PadProbeReturn::Ok
    });
    Ok(())
}

/// Packets that an AAC encoder puts out before the one that decodes to the first sample it was given: libavcodec's looks
/// ahead one frame, the Fraunhofer encoder two.
fn late_packets(factory: &str) -> u64 {
    if factory == "fdkaacenc" { 2 } else { 1 }
}
