//! Packages a master's own streams as they are: no decoder, no encoder.

use std::path::Path;
use std::sync::{Arc, Mutex};

use gstreamer as gst;
use headwater_model::ladder::VideoRendition;
use headwater_model::plan::{AAC_FRAME, AudioRendition, Plan, SpanPlan};
use headwater_model::refusal::Code;
use headwater_ports::transcoder::Report;

use crate::encode::{Unit, UnitSink};
use crate::error::Error;
use crate::segmenter::{
    AudioSegmenter, Codecs, Emit, Rendition, Spool, VideoGrid, VideoSegmenter, finished,
};
use crate::source::Master;
use crate::units::UnitReader;
use crate::words;

/// Copies a span of the video track.
pub(crate) fn video(
    master: &Master,
    plan: &Plan,
    rendition: &VideoRendition,
    span: &SpanPlan,
    spool: &Path,
    emit: Emit,
) -> Result<Codecs, Error> {
    let mut units = UnitReader::span(master, &plan.stream, &span.read)?;
    let result: Arc<Mutex<Rendition>> = Arc::default();
    let segments = plan.segments_of(span);
    let grid = VideoGrid {
        rendition,
        timescale: plan.timescale,
        delay: plan.delay,
        first_number: span.first_segment,
        segments,
        ticks: &span.ticks,
        colour: None,
        mastering: None,
        light: None,
        transport: plan.pipeline.transport,
    };
    let mut segmenter = VideoSegmenter::new(
        Spool::new(spool, &rendition.name, emit.clone())?,
        grid,
        result.clone(),
    );
    let mut first_frame = 0;
    for (n, segment) in segments.iter().enumerate() {
        // A segment begins with a closed key, so its units are exactly the next ones.
        let mut run = Vec::with_capacity(segment.frames as usize);
        while run.len() < segment.frames as usize {
            let Some(sample) = units.next()? else { break };
            if n == 0 && run.is_empty() {
                segmenter.config(&config(&sample, "video/x-h264")?)?;
            }
            run.push(sample.buffer_owned().ok_or(Error::Step("read an access unit"))?);
        }
        let mut shown: Vec<Option<gst::ClockTime>> = run.iter().map(|b| b.pts()).collect();
        shown.sort_unstable();
        for data in run {
            let place = shown.binary_search(&data.pts()).unwrap_or(0) as u64;
            let key = !data.flags().contains(gst::BufferFlags::DELTA_UNIT);
            segmenter.unit(Unit { data, frame: first_frame + place, key })?;
        }
        first_frame += u64::from(segment.frames);
        emit(Report::Progress { frames: first_frame });
    }
    Ok(vec![finished(&rendition.name, &result, segments.len())?])
}

/// Copies an audio track: the packets nearest to the video's zero and end.
pub(crate) fn audio(
    master: &Master,
    rendition: &AudioRendition,
    transport: bool,
    spool: &Path,
    emit: Emit,
) -> Result<Codecs, Error> {
    let mut units = UnitReader::whole(master, &rendition.stream)?;
    let result: Arc<Mutex<Rendition>> = Arc::default();
    let total = rendition.ends.last().copied().unwrap_or(0);
    let spool = Spool::new(spool, &rendition.name, emit)?;
    let mut segmenter =
        AudioSegmenter::new(spool, rendition.clone(), 0, 0, transport, result.clone());
    let half_packet_ns =
        i64::from(AAC_FRAME) * 500_000_000 / i64::from(rendition.sample_rate.max(1));
    let mut configured = false;
    let mut count = 0;
    let mut last = None;
    while count < total {
        let Some(sample) = units.next()? else { break };
        if !configured {
            segmenter.config(&config(&sample, "audio/mpeg")?)?;
            configured = true;
        }
        let data = sample.buffer_owned().ok_or(Error::Step("read a packet"))?;
        let Some(at_ns) = data.pts().and_then(|pts| units.stream_ns(pts)) else { continue };
        if count == 0 && at_ns - rendition.zero_ns < -half_packet_ns {
            continue;
        }
        last = Some(data.clone());
        segmenter.unit(Unit { data, frame: count, key: true })?;
        count += 1;
    }
    // Sound often ends a few packets before the picture. The last packet again is at worst an echo of 21 ms each time;
    // more than a second of it would be a different film.
    if total.saturating_sub(count) > u64::from(rendition.sample_rate / AAC_FRAME) {
        let message = format!(
            "the sound cannot be copied: it is {} packets shorter than the picture",
            total - count
        );
        return Err(Error::refused(Code::PipelineMismatch, message));
    }
    while let Some(data) = last.clone().filter(|_| count < total) {
        segmenter.unit(Unit { data, frame: count, key: true })?;
        count += 1;
    }
    Ok(vec![finished(&rendition.name, &result, rendition.ends.len())?])
}

/// The decoder configuration in a sample's caps, or a refusal when the stream is of another kind.
fn config(sample: &gst::Sample, wanted: &str) -> Result<Vec<u8>, Error> {
    let caps = sample.caps().ok_or(Error::Step("learn a track's codec"))?;
    let refuse = || {
        Error::refused(
            Code::PipelineMismatch,
            format!("the track cannot be copied: it is {}", words::codec(caps)),
        )
    };
    if words::media_type(caps) != wanted {
        return Err(refuse());
    }
    let data = caps
        .structure(0)
        .and_then(|s| s.get::<gst::Buffer>("codec_data").ok())
        .ok_or_else(refuse)?;
    let data = data.map_readable().map_err(|_| Error::Step("read a decoder configuration"))?;
    Ok(data.to_vec())
}
