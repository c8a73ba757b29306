//! A pipeline that is stopped when it goes out of scope, and the few ways in which this crate waits for one.

use std::sync::OnceLock;
use std::time::{Duration, Instant};

use gstreamer as gst;
use gstreamer::prelude::*;
use gstreamer_app as gst_app;

use crate::error::Error;

/// How long a step of a pipeline may take before it is taken to hang: as long as the parent waits for a word of a silent
/// child. Opening a master reads its index, seeking reads one GOP.
static PATIENCE: OnceLock<Duration> = OnceLock::new();

/// What it is until it is set, as in tests.
const USUAL_PATIENCE: Duration = Duration::from_secs(120);

/// Sets how long a step may take. Only the first call counts.
pub(crate) fn be_patient(limit: Duration) {
    let _ = PATIENCE.set(limit);
}

fn patience() -> Duration {
    *PATIENCE.get().unwrap_or(&USUAL_PATIENCE)
}

/// How long one wait for output lasts before the bus is asked for errors.
const POLL: gst::ClockTime = gst::ClockTime::from_mseconds(100);

/// Processor time of this process so far, in milliseconds: all threads, user and system.
pub(crate) fn cpu_ms() -> u64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    u64::try_from(time.tv_sec * 1000 + time.tv_nsec / 1_000_000).unwrap_or(0)
}

/// Makes an element by its factory's name.
pub(crate) fn make(factory: &str) -> Result<gst::Element, Error> {
    gst::ElementFactory::make(factory).build().map_err(|_| Error::NoElement(factory.to_owned()))
}

/// A pipeline.
#[derive(Debug)]
pub(crate) struct Running {
    pipeline: gst::Pipeline,
}

impl Drop for Running {
    fn drop(&mut self) {
        // Going down cannot be refused in a way that matters: the process ends soon.
        let _ = self.pipeline.set_state(gst::State::Null);
    }
}

impl Running {
    /// An empty pipeline; `name` appears in errors.
    pub(crate) fn new(name: &str) -> Self {
        Self { pipeline: gst::Pipeline::with_name(name) }
    }

    /// Adds elements and links them in order.
    pub(crate) fn chain(&self, elements: &[&gst::Element]) -> Result<(), Error> {
        self.pipeline.add_many(elements).map_err(|_| Error::Step("put a pipeline together"))?;
        gst::Element::link_many(elements).map_err(|_| Error::Step("link a pipeline"))
    }

    /// The pipeline itself, for pads that appear later.
    pub(crate) fn pipeline(&self) -> &gst::Pipeline {
        &self.pipeline
    }

    /// Starts playing without waiting for it.
    pub(crate) fn play(&self) -> Result<(), Error> {
        match self.pipeline.set_state(gst::State::Playing) {
            Ok(_) => Ok(()),
            Err(_) => Err(self.error().unwrap_or(Error::Step("start a pipeline"))),
        }
    }

    /// Goes to paused and waits until the first output is there.
    pub(crate) fn preroll(&self) -> Result<(), Error> {
        if self.pipeline.set_state(gst::State::Paused).is_err() {
            return Err(self.error().unwrap_or(Error::Step("start a pipeline")));
        }
        self.settle("open the master")
    }

    /// Seeks to the key at or before `at` and waits until it is there. False when the container cannot be sought.
    pub(crate) fn seek_to_key(&self, at: gst::ClockTime) -> Result<bool, Error> {
        let flags = gst::SeekFlags::FLUSH | gst::SeekFlags::KEY_UNIT | gst::SeekFlags::SNAP_BEFORE;
        if self.pipeline.seek_simple(flags, at).is_err() {
            return Ok(false);
        }
        self.settle("seek in the master")?;
        Ok(true)
    }

    /// Waits for a change of state to finish.
    fn settle(&self, step: &'static str) -> Result<(), Error> {
        let started = Instant::now();
        loop {
            if let Some(error) = self.error() {
                return Err(error);
            }
            let (result, ..) = self.pipeline.state(POLL);
            match result {
                Ok(gst::StateChangeSuccess::Async) => {}
                Ok(_) => return Ok(()),
                Err(_) => return Err(self.error().unwrap_or(Error::Step(step))),
            }
            if started.elapsed() > patience() {
                return Err(Error::Stuck { step, seconds: patience().as_secs() });
            }
        }
    }

    /// The first error on the bus, if any.
    pub(crate) fn error(&self) -> Option<Error> {
        let message = self.pipeline.bus()?.pop_filtered(&[gst::MessageType::Error])?;
        match message.view() {
            gst::MessageView::Error(error) => Some(Error::of_message(error)),
            _ => None,
        }
    }

    /// The next sample of `sink`, or `None` at its end.
    pub(crate) fn pull(
        &self,
        sink: &gst_app::AppSink,
        step: &'static str,
    ) -> Result<Option<gst::Sample>, Error> {
        let started = Instant::now();
        loop {
            if let Some(sample) = sink.try_pull_sample(POLL) {
                return Ok(Some(sample));
            }
            if let Some(error) = self.error() {
                return Err(error);
            }
            if sink.is_eos() {
                return Ok(None);
            }
            if started.elapsed() > patience() {
                return Err(Error::Stuck { step, seconds: patience().as_secs() });
            }
        }
    }

    /// Waits until every sink has seen the end of its stream, or for the first error. `each` is called while waiting.
    pub(crate) fn wait_for_end(&self, mut each: impl FnMut()) -> Result<(), Error> {
        let Some(bus) = self.pipeline.bus() else { return Err(Error::Step("watch a pipeline")) };
        loop {
            let message =
                bus.timed_pop_filtered(POLL, &[gst::MessageType::Error, gst::MessageType::Eos]);
            match message.as_ref().map(|m| m.view()) {
                Some(gst::MessageView::Error(error)) => return Err(Error::of_message(error)),
                Some(_) => return Ok(()),
                None => each(),
            }
        }
    }
}
