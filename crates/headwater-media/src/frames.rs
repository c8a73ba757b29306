//! Decodes: units in, frames out, in presentation order.
//!
//! Demuxing and decoding are two pipelines with a thread between them. So the decoder sees exactly the units that the
//! plan names, and no segment, seek or edit list makes it clip, drop or repeat a frame.

use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use gstreamer as gst;
use gstreamer::prelude::*;
use gstreamer_app as gst_app;
use headwater_model::index::Basis;
use headwater_model::master::Orientation;
use headwater_model::plan::SpanRead;
use headwater_model::refusal::Code;

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
    /// Progressive, upright 8-bit 4:2:0 of limited range, as the encoders take it.
    Encodable(Orientation),
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
    pub(crate) fn span(
        master: &Master,
        stream: &str,
        read: &SpanRead,
        orientation: Orientation,
    ) -> Result<Self, Error> {
        Self::start(
            UnitReader::span(master, stream, read)?,
            Shape::Encodable(orientation),
            Some(read.clone()),
        )
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
        if let Shape::Encodable(orientation) = shape {
            chain.extend(conversion(orientation)?);
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

/// Deinterlacing (one frame per frame), turning, and conversion to 8-bit 4:2:0; all of them pass through what needs
/// nothing.
fn conversion(orientation: Orientation) -> Result<Vec<gst::Element>, Error> {
    let deinterlace = make("deinterlace")?;
    deinterlace.set_property_from_str("fields", "top");
    deinterlace.set_property_from_str("method", "linear");
    let convert = make("videoconvert")?;
    let mut chain = vec![deinterlace, convert];
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
    filter.set_property("caps", gst::Caps::builder("video/x-raw").field("format", "I420").build());
    chain.push(filter);
    Ok(chain)
}

#[cfg(test)]
mod tests;
