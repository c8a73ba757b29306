//! Cuts encoded units into CMAF segments at the plan's boundaries, and checks every one against the plan.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use gstreamer as gst;
use headwater_model::colour::{Colour, ContentLight, MasteringDisplay};
use headwater_model::inventory::ObjectRole;
use headwater_model::key::{
    INIT_NAME, WHOLE_TEXT_NAME, picture_name, segment_name, text_segment_name, transport_name,
};
use headwater_model::ladder::VideoRendition;
use headwater_model::pipeline::Codec;
use headwater_model::plan::{AAC_FRAME, AudioRendition, FrameTicks, SegmentPlan};
use headwater_model::refusal::Code;
use headwater_packaging::{cmaf, ts};
use headwater_ports::transcoder::{Made, Report};

use crate::encode::{Unit, UnitSink};
use crate::error::Error;

/// Where finished files are announced.
pub(crate) type Emit = Arc<dyn Fn(Report) + Send + Sync>;

/// (rendition, RFC 6381 codec) of every rendition that was made.
pub(crate) type Codecs = Vec<(String, String)>;

/// Writes the files of one rendition into the spool folder and announces each when it is finished.
pub(crate) struct Spool {
    folder: PathBuf,
    rendition: String,
    emit: Emit,
}

impl Spool {
    pub(crate) fn new(spool: &Path, rendition: &str, emit: Emit) -> Result<Self, Error> {
        let folder = spool.join(rendition);
        // A child finds it there, and may not even try to make it.
        if !folder.is_dir() {
            fs::create_dir_all(&folder).map_err(Error::Spool)?;
        }
        Ok(Self { folder, rendition: rendition.to_owned(), emit })
    }

    pub(crate) fn init(&self, bytes: &[u8]) -> Result<(), Error> {
        let role = ObjectRole::Init { rendition: self.rendition.clone() };
        self.write(INIT_NAME, role, |file| file.write_all(bytes))
    }

    /// Writes one segment: its head, then the samples as they are, without joining them in memory first.
    fn segment(
        &self,
        number: u32,
        start: u64,
        samples: &[cmaf::Sample],
        data: &[gst::Buffer],
    ) -> Result<(), Error> {
        let head = cmaf::segment_head(number + 1, start, samples)?;
        let ticks = samples.iter().map(|s| u64::from(s.duration)).sum();
        let role = ObjectRole::Segment {
            rendition: self.rendition.clone(),
            number,
            start,
            ticks,
            samples: samples.len() as u32,
        };
        self.write(&segment_name(number), role, |file| {
            let mut file = std::io::BufWriter::with_capacity(1 << 20, file);
            file.write_all(&head)?;
            for sample in data {
                let sample = sample
                    .map_readable()
                    .map_err(|_| std::io::Error::other("a sample is not readable"))?;
                file.write_all(&sample)?;
            }
            file.flush()
        })
    }

    /// Writes the same segment as MPEG-TS.
    fn twin(
        &self,
        number: u32,
        coding: &ts::Coding,
        times: ts::Times,
        samples: &[cmaf::Sample],
        data: &[gst::Buffer],
    ) -> Result<(), Error> {
        let unreadable = |_| Error::Spool(std::io::Error::other("a sample is not readable"));
        let maps: Vec<_> =
            data.iter().map(|d| d.map_readable()).collect::<Result<_, _>>().map_err(unreadable)?;
        let bytes = ts::segment(coding, times, samples, maps.iter().map(|map| map.as_slice()))?;
        let role =
            ObjectRole::Transport { rendition: self.rendition.clone(), number, start: times.start };
        self.write(&transport_name(number), role, |file| file.write_all(&bytes))
    }

    /// Writes a sheet of small pictures, or the poster.
    pub(crate) fn picture(&self, number: Option<u32>, jpeg: &[u8]) -> Result<(), Error> {
        let role = ObjectRole::Picture { number };
        self.write(&picture_name(number), role, |file| file.write_all(jpeg))
    }

    /// Writes a segment of subtitles, or all of them.
    pub(crate) fn text(&self, number: Option<u32>, text: &str) -> Result<(), Error> {
        let name = number.map_or_else(|| WHOLE_TEXT_NAME.to_owned(), text_segment_name);
        let role = ObjectRole::Text { rendition: self.rendition.clone(), number };
        self.write(&name, role, |file| file.write_all(text.as_bytes()))
    }

    fn write(
        &self,
        name: &str,
        role: ObjectRole,
        write: impl FnOnce(&mut fs::File) -> std::io::Result<()>,
    ) -> Result<(), Error> {
        let file = self.folder.join(name);
        fs::File::create(&file).and_then(|mut f| write(&mut f)).map_err(Error::Spool)?;
        let path = format!("{}/{name}", self.rendition);
        (self.emit)(Report::Made(Made { file: PathBuf::from(&path), path, role }));
        Ok(())
    }
}

/// Video: closed GOPs of known length, B-frames in coding order.
pub(crate) struct VideoSegmenter {
    spool: Spool,
    rendition: VideoRendition,
    timescale: u32,
    delay: u64,
    first_number: u32,
    segments: Vec<SegmentPlan>,
    colour: Option<Colour>,
    mastering: Option<MasteringDisplay>,
    light: Option<ContentLight>,
    transport: Transport,
    /// When each frame that is shown of the span starts, in ticks from the span's start; one more than there are frames.
    times: Vec<u64>,
    done: usize,
    units: Vec<Unit>,
    result: Arc<Mutex<Rendition>>,
}

/// What became of a rendition: shared, since the segmenter itself lives inside an encoder's pipeline.
#[derive(Debug, Default)]
pub(crate) struct Rendition {
    /// RFC 6381 codec, once the encoder is configured.
    pub(crate) codec: Option<String>,
    /// Segments written.
    pub(crate) segments: usize,
}

/// The codec of a rendition of which all `segments` were written; fewer are an error.
pub(crate) fn finished(
    name: &str,
    rendition: &Mutex<Rendition>,
    segments: usize,
) -> Result<(String, String), Error> {
    let rendition = rendition.lock().unwrap_or_else(PoisonError::into_inner);
    match &rendition.codec {
        Some(codec) if rendition.segments == segments => Ok((name.to_owned(), codec.clone())),
        _ => Err(Error::refused(
            Code::FrameCountMismatch,
            format!(
                "{name} has {} segments of the {segments} that the plan counts",
                rendition.segments
            ),
        )),
    }
}

fn note(rendition: &Mutex<Rendition>, change: impl FnOnce(&mut Rendition)) {
    change(&mut rendition.lock().unwrap_or_else(PoisonError::into_inner));
}

/// What a video segmenter is made for.
pub(crate) struct VideoGrid<'a> {
    pub(crate) rendition: &'a VideoRendition,
    pub(crate) timescale: u32,
    pub(crate) delay: u64,
    pub(crate) first_number: u32,
    pub(crate) segments: &'a [SegmentPlan],
    pub(crate) ticks: &'a FrameTicks,
    /// Its colours, where they are known.
    pub(crate) colour: Option<Colour>,
    /// What it says of its light, where that is high.
    pub(crate) mastering: Option<MasteringDisplay>,
    pub(crate) light: Option<ContentLight>,
    /// Whether segments are written as MPEG-TS too.
    pub(crate) transport: bool,
}

/// How a rendition becomes MPEG-TS.
enum Transport {
    NotWanted,
    /// The encoder has not said yet how it codes.
    Unknown,
    Known(ts::Coding),
}

impl Transport {
    fn wanted(wanted: bool) -> Self {
        if wanted { Transport::Unknown } else { Transport::NotWanted }
    }

    fn learn(
        &mut self,
        coding: impl FnOnce() -> Result<ts::Coding, ts::Malformed>,
    ) -> Result<(), Error> {
        if let Transport::Unknown = self {
            *self = Transport::Known(coding()?);
        }
        Ok(())
    }

    fn known(&self) -> Option<&ts::Coding> {
        match self {
            Transport::Known(coding) => Some(coding),
            Transport::NotWanted | Transport::Unknown => None,
        }
    }
}

impl VideoSegmenter {
    pub(crate) fn new(spool: Spool, grid: VideoGrid<'_>, result: Arc<Mutex<Rendition>>) -> Self {
        let frames: u64 = grid.segments.iter().map(|s| u64::from(s.frames)).sum();
        let segments = u32::try_from(grid.segments.len()).unwrap_or(u32::MAX);
        let mut times = Vec::new();
        let mut now = 0;
        for n in 0..frames {
            if grid.rendition.shows(n, segments) {
                times.push(now);
            }
            now += u64::from(grid.ticks.of(n));
        }
        times.push(now);
        Self {
            spool,
            rendition: grid.rendition.clone(),
            timescale: grid.timescale,
            delay: grid.delay,
            first_number: grid.first_number,
            segments: grid.segments.to_vec(),
            colour: grid.colour,
            mastering: grid.mastering,
            light: grid.light,
            transport: Transport::wanted(grid.transport),
            times,
            done: 0,
            units: Vec::new(),
            result,
        }
    }

    fn close(&mut self, segment: SegmentPlan) -> Result<(), Error> {
        let first = segment.first_frame - self.segments.first().map_or(0, |s| s.first_frame);
        let first = first / u64::from(self.rendition.every.max(1));
        let number = self.first_number + self.done as u32;
        let wrong = |what: &str| {
            Error::refused(
                Code::FrameCountMismatch,
                format!("segment {} of {} {what}", number + 1, self.spool.rendition),
            )
        };
        if !self.units.first().is_some_and(|u| u.key && u.frame == first) {
            return Err(wrong("does not start with its own IDR"));
        }
        let time =
            |frame: u64| usize::try_from(frame).ok().and_then(|n| self.times.get(n)).copied();
        let mut samples = Vec::with_capacity(self.units.len());
        let mut seen = vec![false; self.units.len()];
        for (n, unit) in (first..).zip(&self.units) {
            let place = unit
                .frame
                .checked_sub(first)
                .and_then(|p| usize::try_from(p).ok())
                .and_then(|p| seen.get_mut(p));
            match place {
                Some(place) if !*place => *place = true,
                _ => return Err(wrong("has a frame twice or one of another segment")),
            }
            let (Some(decoded), Some(next), Some(shown)) = (time(n), time(n + 1), time(unit.frame))
            else {
                return Err(wrong("has more frames than the plan"));
            };
            // The n-th sample is decoded when the n-th frame would be shown, were there no reordering; the delay makes
            // room for it and keeps every offset positive.
            let offset = (shown + self.delay)
                .checked_sub(decoded)
                .ok_or_else(|| wrong("reorders frames further than planned"))?;
            samples.push(cmaf::Sample {
                size: u32::try_from(unit.data.size())
                    .map_err(|_| wrong("has a sample of more than 4 GiB"))?,
                duration: u32::try_from(next - decoded)
                    .map_err(|_| wrong("has a frame that lasts for ever"))?,
                composition_offset: i32::try_from(offset)
                    .map_err(|_| wrong("reorders frames too far"))?,
                key: unit.key,
            });
        }
        let data: Vec<gst::Buffer> = self.units.drain(..).map(|u| u.data).collect();
        self.spool.segment(number, segment.start, &samples, &data)?;
        if let Some(coding) = self.transport.known() {
            let (timescale, delay) = (self.timescale, self.delay);
            let times = ts::Times { start: segment.start, timescale, delay };
            self.spool.twin(number, coding, times, &samples, &data)?;
        }
        self.done += 1;
        note(&self.result, |r| r.segments = self.done);
        Ok(())
    }
}

impl UnitSink for VideoSegmenter {
    fn config(&mut self, record: &[u8]) -> Result<(), Error> {
        let config = match self.rendition.codec {
            Codec::H264 => cmaf::VideoConfig::Avc(record),
            Codec::H265 => cmaf::VideoConfig::Hevc(record),
            Codec::Av1 => cmaf::VideoConfig::Av1(record),
            Codec::Vp9 => cmaf::VideoConfig::Vp9(record),
        };
        let init = cmaf::VideoInit {
            width: self.rendition.width,
            height: self.rendition.height,
            timescale: self.timescale,
            delay: self.delay,
            config,
            colour: self.colour,
            mastering: self.mastering,
            light: self.light,
        };
        self.spool.init(&init.to_bytes()?)?;
        let codec = config.codec_string(self.colour)?;
        self.transport.learn(|| match config {
            cmaf::VideoConfig::Avc(record) => ts::Coding::h264(record),
            _ => Err(ts::Malformed::of_codec(&codec)),
        })?;
        note(&self.result, |r| r.codec = Some(codec));
        Ok(())
    }

    fn unit(&mut self, unit: Unit) -> Result<(), Error> {
        let Some(segment) = self.segments.get(self.done).copied() else {
            return Err(Error::refused(
                Code::FrameCountMismatch,
                format!("{} has more frames than the plan", self.spool.rendition),
            ));
        };
        self.units.push(unit);
        let frames = self.rendition.frames_of(segment.frames);
        if self.units.len() == frames as usize { self.close(segment) } else { Ok(()) }
    }
}

/// Audio: packets of 1,024 samples, all of them keys.
pub(crate) struct AudioSegmenter {
    spool: Spool,
    plan: AudioRendition,
    bitrate: u32,
    /// Packets to drop before the first.
    skip: u64,
    done: usize,
    packets: Vec<gst::Buffer>,
    transport: Transport,
    result: Arc<Mutex<Rendition>>,
}

impl AudioSegmenter {
    /// `transport`: whether segments are written as MPEG-TS too.
    pub(crate) fn new(
        spool: Spool,
        plan: AudioRendition,
        bitrate: u32,
        skip: u64,
        transport: bool,
        result: Arc<Mutex<Rendition>>,
    ) -> Self {
        let transport = Transport::wanted(transport);
        Self { spool, plan, bitrate, skip, done: 0, packets: Vec::new(), transport, result }
    }
}

impl UnitSink for AudioSegmenter {
    fn config(&mut self, asc: &[u8]) -> Result<(), Error> {
        let init = cmaf::AudioInit {
            sample_rate: self.plan.sample_rate,
            channels: self.plan.channels,
            timescale: self.plan.sample_rate,
            language: self.plan.language.as_deref(),
            asc,
            bitrate: self.bitrate,
        };
        self.spool.init(&init.to_bytes()?)?;
        let codec = cmaf::codec_string_aac(asc)?;
        self.transport.learn(|| ts::Coding::aac(asc))?;
        note(&self.result, |r| r.codec = Some(codec));
        Ok(())
    }

    fn unit(&mut self, unit: Unit) -> Result<(), Error> {
        // Packets after the last segment are the encoder's flush.
        if unit.frame < self.skip || self.done == self.plan.ends.len() {
            return Ok(());
        }
        self.packets.push(unit.data);
        // A segment that the plan gives no audio frame (less than one fits) stays empty-handed; there is none, since a
        // tail of under a second joins the segment before it.
        let frames = self.plan.frames_of(self.done);
        if self.packets.len() as u64 == frames.end - frames.start {
            let data = std::mem::take(&mut self.packets);
            let size = |b: &gst::Buffer| u32::try_from(b.size()).unwrap_or(u32::MAX);
            let samples: Vec<cmaf::Sample> = data
                .iter()
                .map(|b| cmaf::Sample {
                    size: size(b),
                    duration: AAC_FRAME,
                    composition_offset: 0,
                    key: true,
                })
                .collect();
            let (number, start) = (self.done as u32, frames.start * u64::from(AAC_FRAME));
            self.spool.segment(number, start, &samples, &data)?;
            if let Some(coding) = self.transport.known() {
                let times = ts::Times { start, timescale: self.plan.sample_rate, delay: 0 };
                self.spool.twin(number, coding, times, &samples, &data)?;
            }
            self.done += 1;
            note(&self.result, |r| r.segments = self.done);
        }
        Ok(())
    }
}
