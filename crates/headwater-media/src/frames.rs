//! Decodes: units in, frames out, in presentation order.
//!
//! Demuxing and decoding are two pipelines with a thread between them. So the decoder sees exactly the units that the
//! plan names, and no segment, seek or edit list makes it clip, drop or repeat a frame.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use gstreamer as gst;
use gstreamer::prelude::*;
use gstreamer_app as gst_app;
use headwater_model::colour::Colour;
use headwater_model::index::Basis;
use headwater_model::master::{Fields, Orientation};
use headwater_model::plan::{Plan, SpanRead};
use headwater_model::refusal::Code;

use crate::colour;
use crate::error::Error;
use crate::running::{Running, make};
use crate::source::Master;
use crate::stages::Stage;
use crate::units::UnitReader;
use crate::words;

/// Compressed units that wait for the decoder.
const UNITS_WAITING: u64 = 8;

/// Decoded frames that wait to be scaled: 4 of 1080p are 12 MB, and more would only hide which side is slow.
const FRAMES_WAITING: u32 = 4;

/// What comes out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    /// As decoded.
    Raw,
    /// Progressive, upright 4:2:0 in the master's own colours.
    Encodable { orientation: Orientation, fields: Option<Fields>, colour: Option<Colour> },
}

/// Frames of the first video track.
#[derive(Debug)]
pub(crate) struct FrameReader {
    running: Option<Running>,
    sink: gst_app::AppSink,
    feeder: Option<JoinHandle<()>>,
    fault: Arc<Mutex<Option<Error>>>,
    wanted: Option<SpanRead>,
    taken: u64,
    stage: Stage,
}

impl FrameReader {
    /// All frames as decoded.
    pub(crate) fn whole(master: &Master, stream: &str) -> Result<Self, Error> {
        Self::start(UnitReader::whole(master, stream)?, Shape::Raw, None)
    }

    /// Exactly the frames of a span, ready to be encoded.
    pub(crate) fn span(master: &Master, plan: &Plan, read: &SpanRead) -> Result<Self, Error> {
        let shape = Shape::Encodable {
            orientation: plan.orientation,
            fields: plan.fields,
            colour: plan.colour,
        };
        Self::start(UnitReader::span(master, &plan.stream, read)?, shape, Some(read.clone()))
    }

    /// Key frames, ready to be encoded: of those before each of these times (as the container has them, ascending), the last.
    pub(crate) fn keys(master: &Master, plan: &Plan, times: Vec<i64>) -> Result<Self, Error> {
        let shape = Shape::Encodable {
            orientation: plan.orientation,
            fields: plan.fields,
            colour: plan.colour,
        };
        Self::start(UnitReader::keys(master, &plan.stream, times)?, shape, None)
    }

    fn start(mut units: UnitReader, shape: Shape, wanted: Option<SpanRead>) -> Result<Self, Error> {
        let first = units
            .next()?
            .ok_or_else(|| Error::refused(Code::DamagedMaster, "the video track is empty"))?;
        let caps =
            first.caps().ok_or(Error::Step("learn the codec of the video track"))?.to_owned();
        let running = Running::new("decode");
        let source = gst_app::AppSrc::builder()
            .format(gst::Format::Time)
            .caps(&caps)
            .block(true)
            .max_buffers(UNITS_WAITING)
            .build();
        let sink = gst_app::AppSink::builder().sync(false).max_buffers(FRAMES_WAITING).build();
        let mut chain = vec![source.clone().upcast::<gst::Element>()];
        if words::media_type(&caps) != "video/x-raw" {
            chain.push(decoder(&caps)?);
        }
        if let Shape::Encodable { orientation, fields, colour } = shape {
            chain.extend(conversion(orientation, fields, colour)?);
        }
        chain.push(sink.clone().upcast());
        running.chain(&chain.iter().collect::<Vec<_>>())?;
        running.play()?;
        let fault = Arc::new(Mutex::new(None));
        let feeder_fault = fault.clone();
        let feeder = std::thread::Builder::new()
            .name("feed".to_owned())
            .spawn(move || {
                let mut next = Ok(Some(first));
                loop {
                    if let (Shape::Raw, Ok(Some(sample))) = (shape, &next) {
                        next = Ok(Some(without_colours(sample)));
                    }
                    match next {
                        // Refused only while the pipeline shuts down.
                        Ok(Some(sample)) if source.push_sample(&sample).is_ok() => {}
                        Ok(Some(_)) => return,
                        Ok(None) => break,
                        Err(error) => {
                            *feeder_fault.lock().unwrap_or_else(PoisonError::into_inner) =
                                Some(error);
                            break;
                        }
                    }
                    next = units.next();
                }
                let _ = source.end_of_stream();
            })
            .map_err(|_| Error::Step("start a thread"))?;
        Ok(Self {
            running: Some(running),
            sink,
            feeder: Some(feeder),
            fault,
            wanted,
            taken: 0,
            stage: Stage::begin("frames decoded"),
        })
    }

    /// The next frame, or `None` when all that were asked for have been given. Fewer or other frames than the plan
    /// counts are an error.
    pub(crate) fn next(&mut self) -> Result<Option<gst::Sample>, Error> {
        let Some(running) = &self.running else { return Ok(None) };
        if self.wanted.as_ref().is_some_and(|w| self.taken == w.frames) {
            return Ok(None);
        }
        loop {
            let Some(sample) = running.pull(&self.sink, "decode the master")? else {
                if let Some(error) =
                    self.fault.lock().unwrap_or_else(PoisonError::into_inner).take()
                {
                    return Err(error);
                }
                return match &self.wanted {
                    Some(wanted) => Err(miscount(format!(
                        "the decoder gave {} frames of the {} that the index counts",
                        self.taken, wanted.frames
                    ))),
                    None => Ok(None),
                };
            };
            self.stage.done();
            let Some(wanted) = &self.wanted else { return Ok(Some(sample)) };
            if wanted.basis == Basis::Parsed {
                let pts = sample
                    .buffer()
                    .and_then(|b| b.pts())
                    .and_then(|t| i64::try_from(t.nseconds()).ok());
                let pts =
                    pts.ok_or_else(|| miscount("a frame came without a time stamp".to_owned()))?;
                if pts < wanted.first_frame_pts_ns {
                    continue;
                }
                let (first, last) = (self.taken == 0, self.taken + 1 == wanted.frames);
                if (first && pts != wanted.first_frame_pts_ns)
                    || (last && pts != wanted.last_frame_pts_ns)
                {
                    return Err(miscount(format!(
                        "frame {} of the span is shown at {pts} ns, which the index does not expect",
                        self.taken
                    )));
                }
            }
            self.taken += 1;
            return Ok(Some(sample));
        }
    }
}

impl Drop for FrameReader {
    fn drop(&mut self) {
        // Stopping the pipeline makes the feeder's next push fail, so that it can be waited for.
        self.running = None;
        if let Some(feeder) = self.feeder.take() {
            let _ = feeder.join();
        }
    }
}

/// A decoder repeats what the container says of colours, right or wrong. Where it does not, the decoder says what the codec
/// has them to be.
fn without_colours(sample: &gst::SampleRef) -> gst::Sample {
    let (Some(caps), Some(buffer)) = (sample.caps(), sample.buffer_owned()) else {
        return sample.to_owned();
    };
    let mut caps = caps.to_owned();
    if words::media_type(&caps) != "video/x-raw"
        && let Some(structure) = caps.make_mut().structure_mut(0)
    {
        structure.remove_field("colorimetry");
    }
    gst::Sample::builder().buffer(&buffer).caps(&caps).build()
}

fn miscount(message: String) -> Error {
    Error::refused(Code::FrameCountMismatch, message)
}

/// The decoder for these caps. One thread: spans run side by side, and a second thread per decoder costs more than it
/// gives.
fn decoder(caps: &gst::Caps) -> Result<gst::Element, Error> {
    let factory = words::decoder(caps).ok_or_else(|| {
        Error::refused(
            Code::UnsupportedCodec,
            format!("no decoder for the video track's codec: {}", words::codec(caps)),
        )
    })?;
    let decoder =
        factory.create().build().map_err(|_| Error::NoElement(factory.name().to_string()))?;
    for name in ["max-threads", "threads"] {
        if decoder.find_property(name).is_some() {
            decoder.set_property_from_str(name, "1");
        }
    }
    Ok(decoder)
}

/// Deinterlacing (one frame per frame), turning, and conversion to 4:2:0; all of them pass through what needs nothing.
fn conversion(
    orientation: Orientation,
    fields: Option<Fields>,
    colour: Option<Colour>,
) -> Result<Vec<gst::Element>, Error> {
    let mut chain = Vec::new();
    if let Some(fields) = fields {
        // What the deinterlacer takes: more bits are dropped here, and colour is not halved before fields are apart.
        let formats = gst::List::new(["I420", "Y42B", "Y444", "Y41B"]);
        let convert = make("videoconvert")?;
        let filter = make("capsfilter")?;
        filter.set_property(
            "caps",
            gst::Caps::builder("video/x-raw").field("format", formats).build(),
        );
        let deinterlace = make("deinterlace")?;
        // A frame is shown when its first field was taken; what moves has the lines of that moment.
        let kept = if fields == Fields::BottomFirst { "bottom" } else { "top" };
        deinterlace.set_property_from_str("fields", kept);
        deinterlace.set_property_from_str("method", "yadif");
        keep_times(&deinterlace)?;
        chain.extend([convert, filter, deinterlace]);
    }
    chain.push(make("videoconvert")?);
    let direction = match orientation {
        Orientation::Clockwise => Some("90r"),
        Orientation::UpsideDown => Some("180"),
        Orientation::CounterClockwise => Some("90l"),
        Orientation::Upright | Orientation::Mirrored => None,
    };
    if let Some(direction) = direction {
        let flip = make("videoflip")?;
        flip.set_property_from_str("video-direction", direction);
        chain.push(flip);
    }
    let filter = make("capsfilter")?;
    filter.set_property("caps", colour::wanted(colour));
    chain.push(filter);
    Ok(chain)
}

/// Gives the n-th frame that comes out the time of the n-th that went in.
///
/// A method that looks at the frames around repeats the time of a neighbour for the first and the last frame, and where the
/// master changes between fields and whole frames. A frame more than went in (at such a change) is dropped; one less is
/// noticed by whoever counts.
fn keep_times(deinterlace: &gst::Element) -> Result<(), Error> {
    let times = Arc::new(Mutex::new(VecDeque::new()));
    let (taken, given) = (times.clone(), times);
    let pad = |name| deinterlace.static_pad(name).ok_or(Error::Step("take fields apart"));
    pad("sink")?.add_probe(gst::PadProbeType::BUFFER, move |_, info| {
        if let Some(frame) = info.buffer() {
            let mut times = taken.lock().unwrap_or_else(PoisonError::into_inner);
            times.push_back((frame.pts(), frame.duration()));
        }
        gst::PadProbeReturn::Ok
    });
    pad("src")?.add_probe(gst::PadProbeType::BUFFER, move |_, info| {
        let Some(frame) = info.buffer_mut() else { return gst::PadProbeReturn::Ok };
        let next = given.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
        let Some((pts, duration)) = next else { return gst::PadProbeReturn::Drop };
        let frame = frame.make_mut();
        frame.set_pts(pts);
        frame.set_duration(duration);
        gst::PadProbeReturn::Ok
    });
    Ok(())
}

#[cfg(test)]
mod tests;
