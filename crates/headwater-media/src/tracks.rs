//! Finds the tracks of a master behind a `parsebin`, and keeps sinks from clipping what they carry.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use gstreamer as gst;
use gstreamer::prelude::*;

use crate::error::Error;
use crate::source::Times;
use crate::words;

/// Number of a track within its container. Demuxers end their stream ids with it (`…/002`, `…/002:1:000`), whatever
/// order their pads appear in.
pub(crate) fn number(pad: &gst::Pad) -> String {
    let id = pad.stream_id().map(|id| id.to_string()).unwrap_or_default();
    // Before the slash is a random number of the source; a bare elementary stream has nothing else.
    id.split_once('/').map_or_else(String::new, |(_, rest)| rest.to_owned())
}

/// Calls `link` once, when the pad of track `stream` appears. Pads of other tracks stay unlinked: demuxers skip them,
/// and no sink of theirs can hold the pipeline. What `link` gives is there as soon as data can flow.
pub(crate) fn when_found<T: Send + Sync + 'static>(
    parse: &gst::Element,
    stream: &str,
    link: impl Fn(&gst::Pad) -> Result<T, Error> + Send + Sync + 'static,
) -> Arc<OnceLock<T>> {
    let found: Arc<OnceLock<T>> = Arc::default();
    let stream = stream.to_owned();
    let slot = found.clone();
    parse.connect_pad_added(move |parse, pad| {
        if number(pad) != stream || slot.get().is_some() {
            return;
        }
        match link(pad) {
            // Set only here, and only once.
            Ok(value) => drop(slot.set(value)),
            Err(error) => gst::element_error!(
                parse,
                gst::CoreError::Pad,
                ("a track cannot be linked: {error}")
            ),
        }
    });
    found
}

/// The media type of a pad that may not have caps yet.
pub(crate) fn media_type(pad: &gst::Pad) -> String {
    words::media_type(&pad.current_caps().unwrap_or_else(|| pad.query_caps(None)))
}

/// How a track's own time stamps map to the time that all tracks share.
#[derive(Debug, Default)]
pub(crate) struct Mapping {
    segment: Option<gst::FormattedSegment<gst::ClockTime>>,
    times: Times,
    /// Segments seen so far that map time differently.
    pub(crate) kinds: usize,
}

impl Mapping {
    /// When `pts` is presented, in nanoseconds; negative before the start.
    pub(crate) fn stream_ns(&self, pts: gst::ClockTime) -> Option<i64> {
        let media_ns = self.media_ns(pts)?;
        Some(match self.times {
            Times::Edited(edit) => edit.presented_ns(media_ns),
            Times::Demuxer | Times::Plain => media_ns,
        })
    }

    /// Where a unit is on the track's own line, before our edit, in nanoseconds.
    pub(crate) fn media_ns(&self, pts: gst::ClockTime) -> Option<i64> {
        let ns = |t: gst::ClockTime| i64::try_from(t.nseconds()).unwrap_or(i64::MAX);
        if self.times == Times::Plain {
            return Some(ns(pts));
        }
        match self.segment.as_ref()?.to_stream_time_full(pts)? {
            gst::Signed::Positive(t) => Some(ns(t)),
            gst::Signed::Negative(t) => Some(-ns(t)),
        }
    }

    /// Whether the edit lets a frame through that is shown at `pts`: a frame belongs to the edit that it starts in; 1 ms
    /// for what containers round. A segment that does not move time is no edit: partly fragmented files have one that
    /// begins with their first fragment, behind frames that are shown.
    pub(crate) fn shows(&self, pts: gst::ClockTime) -> bool {
        match (self.times, self.media_ns(pts)) {
            (Times::Plain, _) => return true,
            (Times::Edited(edit), Some(media_ns)) => return edit.shows(media_ns),
            (Times::Edited(_) | Times::Demuxer, _) => {}
        }
        let slack = gst::ClockTime::from_mseconds(1);
        self.segment.as_ref().is_none_or(|s| {
            s.start() == s.time()
                || (s.start().is_none_or(|start| pts + slack >= start)
                    && s.stop().is_none_or(|stop| pts < stop + slack))
        })
    }
}

/// Lets every buffer of `pad` through to a sink, which would drop what lies outside the segment: a key frame before the
/// start of an edit is not shown, and nothing after it can be decoded without it. What the segment said goes to the
/// returned mapping instead.
pub(crate) fn unclip(pad: &gst::Pad, times: Times) -> Arc<Mutex<Mapping>> {
    let mapping = Arc::new(Mutex::new(Mapping { times, ..Mapping::default() }));
    let noted = mapping.clone();
    pad.add_probe(gst::PadProbeType::EVENT_DOWNSTREAM, move |_, info| {
        if let Some(gst::PadProbeData::Event(event)) = &info.data
            && let gst::EventView::Segment(view) = event.view()
            && let Some(segment) = view.segment().downcast_ref::<gst::ClockTime>()
        {
            let mut noted = noted.lock().unwrap_or_else(PoisonError::into_inner);
            let maps_alike = |s: &gst::FormattedSegment<gst::ClockTime>| {
                s.start() == segment.start() && s.time() == segment.time()
            };
            if noted.times != Times::Plain && !noted.segment.as_ref().is_some_and(maps_alike) {
                noted.kinds += 1;
            }
            noted.segment = Some(segment.clone());
            let open = gst::FormattedSegment::<gst::ClockTime>::new();
            let open = gst::event::Segment::builder(&open).seqnum(event.seqnum()).build();
            info.data = Some(gst::PadProbeData::Event(open));
        }
        gst::PadProbeReturn::Ok
    });
    mapping
}
