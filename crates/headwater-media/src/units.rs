//! Reads access units of one track: all of them, or exactly those that a span has to decode (R3).

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use gstreamer as gst;
use gstreamer::prelude::*;
use gstreamer_app as gst_app;
use headwater_model::index::Basis;
use headwater_model::plan::SpanRead;
use headwater_model::refusal::Code;

use crate::error::Error;
use crate::running::{Running, make};
use crate::source::Master;
use crate::stages::Stage;
use crate::tracks::{self, Mapping};

/// Compressed units waiting between demuxer and decoder. A few hide the demuxer's reads; a 4K intra frame has megabytes.
const QUEUE: u32 = 16;

/// Containers round time stamps to milliseconds.
const ROUNDED_NS: i64 = 2_000_000;

/// How far behind the seek point the wanted unit may be before seeking is taken to have gone wrong. The longest GOPs
/// of screen recordings have some thousand frames.
const SEEK_SLACK: usize = 5_000;

/// Access units of one track in decoding order.
#[derive(Debug)]
pub(crate) struct UnitReader {
    running: Running,
    sink: gst_app::AppSink,
    mapping: Arc<OnceLock<Arc<Mutex<Mapping>>>>,
    waiting: Option<gst::Sample>,
    left: u64,
    keys: Option<Keys>,
    stage: Stage,
}

/// Which keys are given, where not all units are: the last before each of these times.
#[derive(Debug)]
struct Keys {
    times: VecDeque<i64>,
    /// The last one seen.
    held: Option<(i64, gst::Sample)>,
}

impl UnitReader {
    /// Keys only: of those before each of `times` (as the container has them, ascending nanoseconds), the last; before the
    /// first of all, the first.
    pub(crate) fn keys(master: &Master, stream: &str, times: Vec<i64>) -> Result<Self, Error> {
        let keys = Keys { times: times.into(), held: None };
        Ok(Self { keys: Some(keys), ..Self::whole(master, stream)? })
    }

    fn next_key(&mut self, mut keys: Keys) -> Result<Option<gst::Sample>, Error> {
        let given = loop {
            if keys.times.is_empty() {
                break None;
            }
            let unit = self.pull()?;
            let pts = unit.as_ref().and_then(|unit| {
                let buffer =
                    unit.buffer().filter(|b| !b.flags().contains(gst::BufferFlags::DELTA_UNIT));
                i64::try_from(buffer?.pts()?.nseconds()).ok()
            });
            let (key, at) = match (unit, pts) {
                (None, _) => (None, i64::MAX),
                (Some(_), None) => continue,
                (Some(unit), Some(pts)) => (Some((pts, unit)), pts),
            };
            let held = std::mem::replace(&mut keys.held, key);
            let before = keys.times.len();
            while held.is_some() && keys.times.front().is_some_and(|time| *time + ROUNDED_NS < at) {
                keys.times.pop_front();
            }
            match held {
                Some((_, unit)) if keys.times.len() < before => break Some(unit),
                None if keys.held.is_none() => break None,
                _ => {}
            }
        };
        self.keys = Some(keys);
        Ok(given)
    }

    /// All units.
    pub(crate) fn whole(master: &Master, stream: &str) -> Result<Self, Error> {
        let reader = Self::open(master, stream)?;
        reader.running.play()?;
        Ok(reader)
    }

    /// The units of a span: from the key that its first frame needs to the last that any of its frames needs.
    pub(crate) fn span(master: &Master, stream: &str, read: &SpanRead) -> Result<Self, Error> {
        if read.basis == Basis::Decoded {
            return Self::whole(master, stream);
        }
        let mut reader = match Self::sought(master, stream, read)? {
            Some(reader) => reader,
            None => Self::counted(master, stream, read)?,
        };
        reader.left = u64::from(read.units);
        Ok(reader)
    }

    /// Seeks to the span's key and looks for exactly that unit. `None` when it does not turn up.
    fn sought(master: &Master, stream: &str, read: &SpanRead) -> Result<Option<Self>, Error> {
        if read.first_unit == 0 {
            return Ok(None);
        }
        let mut reader = Self::open(master, stream)?;
        reader.running.preroll()?;
        let wanted =
            gst::ClockTime::from_nseconds(u64::try_from(read.first_unit_pts_ns).unwrap_or(0));
        // Demuxers seek on the line that they know, without the edits that were hidden from them.
        let at = reader
            .mapping
            .get()
            .and_then(|m| m.lock().unwrap_or_else(PoisonError::into_inner).media_ns(wanted));
        let Some(at) = at.and_then(|ns| u64::try_from(ns).ok()) else { return Ok(None) };
        if !reader.running.seek_to_key(gst::ClockTime::from_nseconds(at))? {
            return Ok(None);
        }
        reader.running.play()?;
        for _ in 0..SEEK_SLACK {
            let Some(sample) = reader.pull()? else { return Ok(None) };
            if is_first(&sample, read) {
                reader.waiting = Some(sample);
                return Ok(Some(reader));
            }
        }
        Ok(None)
    }

    /// Counts from the start of the track: slower, and right for every master that demuxes the same way twice.
    fn counted(master: &Master, stream: &str, read: &SpanRead) -> Result<Self, Error> {
        let mut reader = Self::whole(master, stream)?;
        for _ in 0..read.first_unit {
            reader.pull()?;
        }
        match reader.pull()? {
            Some(sample) if is_first(&sample, read) => reader.waiting = Some(sample),
            _ => {
                return Err(Error::refused(
                    Code::FrameCountMismatch,
                    format!(
                        "access unit {} of the master is not the one that was indexed",
                        read.first_unit
                    ),
                ));
            }
        }
        Ok(reader)
    }

    fn open(master: &Master, stream: &str) -> Result<Self, Error> {
        let running = Running::new("read");
        let parse = make("parsebin")?;
        running.chain(&[&master.element(), &parse])?;
        let sink = gst_app::AppSink::builder().sync(false).max_buffers(QUEUE).build();
        running.pipeline().add(&sink).map_err(|_| Error::Step("add a sink"))?;
        let target = sink.static_pad("sink").ok_or(Error::Step("find a sink's pad"))?;
        let times = master.times(stream);
        let mapping = tracks::when_found(&parse, stream, move |pad| {
            let mapping = tracks::unclip(pad, times);
            pad.link(&target).map_err(|_| Error::Step("link a track"))?;
            Ok(mapping)
        });
        let stage = Stage::begin("units read");
        Ok(Self { running, sink, mapping, waiting: None, left: u64::MAX, keys: None, stage })
    }

    /// When a unit is presented on the clock that all tracks share, in nanoseconds.
    pub(crate) fn stream_ns(&self, pts: gst::ClockTime) -> Option<i64> {
        let mapping = self.mapping.get()?;
        mapping.lock().unwrap_or_else(PoisonError::into_inner).stream_ns(pts)
    }

    fn pull(&mut self) -> Result<Option<gst::Sample>, Error> {
        let sample = self.running.pull(&self.sink, "read the master")?;
        self.stage.done();
        Ok(sample)
    }

    /// The next unit.
    pub(crate) fn next(&mut self) -> Result<Option<gst::Sample>, Error> {
        if let Some(keys) = self.keys.take() {
            return self.next_key(keys);
        }
        if self.left == 0 {
            return Ok(None);
        }
        self.left -= 1;
        match self.waiting.take() {
            Some(sample) => Ok(Some(sample)),
            None => self.pull(),
        }
    }
}

fn is_first(sample: &gst::Sample, read: &SpanRead) -> bool {
    sample.buffer().is_some_and(|b| {
        b.pts().is_some_and(|t| i64::try_from(t.nseconds()) == Ok(read.first_unit_pts_ns))
            && b.size() == read.first_unit_size as usize
    })
}
