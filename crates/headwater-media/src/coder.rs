//! What encoders of each codec are told, and what has to be done to what they put out.

use gstreamer as gst;
use gstreamer::prelude::*;
use headwater_model::colour::{Colour, DynamicRange};
use headwater_model::ladder::VideoRendition;
use headwater_model::pipeline::{Codec, VideoEncode};
use headwater_model::plan::Plan;
use headwater_model::time::FrameRate;
use headwater_packaging::cmaf;

use crate::encode::first_installed;
use crate::error::Error;
use crate::running::make;

/// An encoder and what stands behind it.
pub(crate) struct Coder {
    pub(crate) elements: Vec<gst::Element>,
    pub(crate) record: Record,
    /// Makes a sample of what comes out: some of it does not belong into a file.
    pub(crate) sample: fn(gst::Buffer) -> Result<gst::Buffer, Error>,
}

/// Where the record that a sample entry carries comes from.
pub(crate) enum Record {
    /// Caps have it.
    Caps,
    /// The bitstream itself.
    Av1,
    Vp9 {
        size: (u32, u32),
        rate: FrameRate,
        kbps: u32,
        colour: Colour,
    },
}

impl Record {
    /// The record of a stream that begins with this unit.
    pub(crate) fn of(&self, first: &gst::Sample) -> Result<Vec<u8>, Error> {
        let unreadable = || Error::Step("read the encoder's configuration");
        let bytes = |buffer: &gst::BufferRef| -> Result<Vec<u8>, Error> {
            Ok(buffer.map_readable().map_err(|_| unreadable())?.to_vec())
        };
        let unit = || bytes(first.buffer().ok_or_else(unreadable)?);
        match self {
            Record::Caps => {
                let config = first
                    .caps()
                    .and_then(|c| c.structure(0))
                    .and_then(|s| s.get::<gst::Buffer>("codec_data").ok())
                    .ok_or(Error::Step("learn the encoder's configuration"))?;
                bytes(&config)
            }
            Record::Av1 => Ok(cmaf::av1_record(&unit()?)?),
            Record::Vp9 { size, rate, kbps, colour } => {
                Ok(cmaf::vp9_record(&unit()?, *size, *rate, *kbps, *colour)?)
            }
        }
    }
}

impl Coder {
    /// The encoder of a rendition of `plan`, with a key at least every `gop` frames.
    pub(crate) fn new(
        plan: &Plan,
        settings: &VideoEncode,
        rendition: &VideoRendition,
        gop: u32,
    ) -> Result<Self, Error> {
        let rate = rendition.rate(plan.cadence.rate());
        let colour = plan.colour_of(rendition).unwrap_or(Colour::BT709);
        let (encoders, effort) = settings.of(rendition.codec);
        let encoder = first_installed(encoders)?;
        let only = |caps: gst::Caps| -> Result<gst::Element, Error> {
            let filter = make("capsfilter")?;
            filter.set_property("caps", caps);
            Ok(filter)
        };
        let coded = |kind: &str| gst::Caps::builder(kind).field("alignment", "au");
        Ok(match rendition.codec {
            Codec::H264 => {
                x264(&encoder, effort, gop, rendition);
                let caps = coded("video/x-h264").field("stream-format", "avc");
                let filter = only(caps.field("profile", "high").build())?;
                let elements = vec![encoder, filter];
                Self { elements, record: Record::Caps, sample: Ok }
            }
            Codec::H265 => {
                x265(&encoder, effort, gop, rendition);
                if rendition.hdr {
                    say_light(&encoder, plan, colour);
                }
                let filter = only(coded("video/x-h265").field("stream-format", "hvc1").build())?;
                let elements = vec![encoder, make("h265parse")?, filter];
                Self { elements, record: Record::Caps, sample: without_parameter_sets }
            }
            Codec::Av1 => {
                libaom(&encoder, effort, gop, rendition);
                Self { elements: vec![encoder], record: Record::Av1, sample: without_delimiter }
            }
            Codec::Vp9 => {
                libvpx(&encoder, effort, gop, rendition);
                let size = (rendition.width, rendition.height);
                let record = Record::Vp9 { size, rate, kbps: rendition.max_kbps, colour };
                Self { elements: vec![encoder], record, sample: Ok }
            }
        })
    }

    /// These elements, which do all that is needed.
    pub(crate) fn of_sound(elements: Vec<gst::Element>) -> Self {
        Self { elements, record: Record::Caps, sample: Ok }
    }
}

/// x264 with capped CRF, one thread, and no key but those that are asked for.
///
/// * One thread: the bytes must not depend on the machine (R1), and it is spans in parallel that use the cores.
/// * `scenecut=0`, closed GOPs: every rendition has its IDRs at the same frames (R2).
/// * VBV is set on purpose in every way that x264enc knows: in `pass=qual` its default `bitrate` would cap the rate.
fn x264(encoder: &gst::Element, preset: &str, gop: u32, r: &VideoRendition) {
    encoder.set_property_from_str("speed-preset", preset);
    encoder.set_property_from_str("pass", "qual");
    encoder.set_property_from_str("quantizer", &format!("{}", r.crf.round()));
    encoder.set_property_from_str("bitrate", &r.max_kbps.to_string());
    encoder.set_property_from_str(
        "vbv-buf-capacity",
        &(u64::from(r.buffer_kbit) * 1000 / u64::from(r.max_kbps.max(1))).to_string(),
    );
    encoder.set_property_from_str("threads", "1");
    encoder.set_property_from_str("sliced-threads", "false");
    encoder.set_property_from_str("key-int-max", &gop.to_string());
    let options = format!(
        "crf={}:vbv-maxrate={}:vbv-bufsize={}:scenecut=0:open-gop=0:min-keyint=1:threads=1:lookahead-threads=1",
        r.crf, r.max_kbps, r.buffer_kbit
    );
    encoder.set_property_from_str("option-string", &options);
}

/// x265 likewise: without threads of its own, since neither lines nor frames side by side give the same bytes everywhere.
fn x265(encoder: &gst::Element, preset: &str, gop: u32, r: &VideoRendition) {
    encoder.set_property_from_str("speed-preset", preset);
    encoder.set_property_from_str("tune", "No tunning");
    encoder.set_property_from_str("key-int-max", &gop.to_string());
    let options = format!(
        "crf={}:vbv-maxrate={}:vbv-bufsize={}:scenecut=0:open-gop=0:min-keyint=1:pools=none:frame-threads=1:wpp=0:\
         repeat-headers=0:aud=0:info=0:b-pyramid=1",
        r.crf, r.max_kbps, r.buffer_kbit
    );
    encoder.set_property_from_str("option-string", &options);
}

/// What an HDR10 or HLG stream says of its light, in x265's words (ITU-T H.265, D.2.28 and D.2.35).
fn say_light(encoder: &gst::Element, plan: &Plan, colour: Colour) {
    let mut options: String = encoder.property("option-string");
    let Colour { primaries, transfer, matrix, .. } = colour;
    options +=
        &format!(":colorprim={primaries}:transfer={transfer}:colormatrix={matrix}:range=limited");
    if let Some(screen) = plan.mastering {
        let point = |(x, y): (u16, u16)| format!("({x},{y})");
        let [red, green, blue] = screen.primaries.map(point);
        let (white, max, min) = (point(screen.white), screen.max_luminance, screen.min_luminance);
        options += &format!(":master-display=G{green}B{blue}R{red}WP{white}L({max},{min})");
    }
    if let Some(light) = plan.light {
        options += &format!(":max-cll={},{}", light.max_pixel, light.max_frame_average);
    }
    if colour.dynamic_range() == DynamicRange::Pq {
        options += ":hdr10=1";
    }
    encoder.set_property("option-string", options);
}

/// libaom: as good as its quantiser allows at best, and no more than the cap.
fn libaom(encoder: &gst::Element, speed: &str, gop: u32, r: &VideoRendition) {
    encoder.set_property_from_str("cpu-used", speed);
    encoder.set_property_from_str("end-usage", "vbr");
    encoder.set_property_from_str("target-bitrate", &r.max_kbps.to_string());
    encoder.set_property_from_str("min-quantizer", &r.crf.round().to_string());
    encoder.set_property_from_str("max-quantizer", "63");
    encoder.set_property_from_str("buf-sz", &buffer_ms(r));
    encoder.set_property_from_str("lag-in-frames", "19");
    encoder.set_property_from_str("keyframe-mode", "disabled");
    encoder.set_property_from_str("keyframe-max-dist", &gop.to_string());
    encoder.set_property_from_str("threads", "1");
    encoder.set_property_from_str("row-mt", "false");
}

/// libvpx: constrained quality.
fn libvpx(encoder: &gst::Element, speed: &str, gop: u32, r: &VideoRendition) {
    encoder.set_property_from_str("cpu-used", speed);
    encoder.set_property_from_str("end-usage", "cq");
    encoder.set_property_from_str("cq-level", &r.crf.round().to_string());
    encoder.set_property_from_str("target-bitrate", &(u64::from(r.max_kbps) * 1000).to_string());
    encoder.set_property_from_str("buffer-size", &buffer_ms(r));
    encoder.set_property_from_str("lag-in-frames", "19");
    encoder.set_property_from_str("auto-alt-ref", "true");
    encoder.set_property_from_str("frame-parallel-decoding", "false");
    encoder.set_property_from_str("static-threshold", "0");
    encoder.set_property_from_str("keyframe-mode", "disabled");
    encoder.set_property_from_str("keyframe-max-dist", &gop.to_string());
    encoder.set_property_from_str("threads", "1");
    encoder.set_property_from_str("tile-columns", "0");
}

fn buffer_ms(r: &VideoRendition) -> String {
    (u64::from(r.buffer_kbit) * 1000 / u64::from(r.max_kbps.max(1))).to_string()
}

/// An H.265 access unit (4-byte lengths) without parameter sets and delimiters: with `hvc1` the sample entry has the former,
/// and only it (ISO/IEC 14496-15, 8.3.2).
fn without_parameter_sets(unit: gst::Buffer) -> Result<gst::Buffer, Error> {
    const NOT_IN_SAMPLES: std::ops::RangeInclusive<u8> = 32..=35;
    let kept = {
        let data = unit.map_readable().map_err(|_| Error::Step("read an encoded frame"))?;
        let mut rest: &[u8] = &data;
        let mut kept: Vec<u8> = Vec::new();
        while let [a, b, c, d, first, ..] = rest {
            let end = 4 + u32::from_be_bytes([*a, *b, *c, *d]) as usize;
            let unit = rest.get(..end).ok_or(Error::Step("read an encoded frame"))?;
            if !NOT_IN_SAMPLES.contains(&(first >> 1 & 0x3f)) {
                kept.extend(unit);
            }
            rest = &rest[end..];
        }
        if kept.len() == data.len() { None } else { Some(kept) }
    };
    Ok(match kept {
        None => unit,
        Some(kept) => {
            let mut without = gst::Buffer::from_mut_slice(kept);
            if let Some(without) = without.get_mut() {
                let what = gst::BufferCopyFlags::FLAGS | gst::BufferCopyFlags::TIMESTAMPS;
                unit.copy_into(without, what, ..)
                    .map_err(|_| Error::Step("keep a frame's time"))?;
            }
            without
        }
    })
}

/// A temporal unit of AV1 without its delimiter.
fn without_delimiter(unit: gst::Buffer) -> Result<gst::Buffer, Error> {
    let failed = |_| Error::Step("read an encoded frame");
    let delimiter = cmaf::av1_delimiter(&unit.map_readable().map_err(failed)?);
    unit.copy_region(gst::BufferCopyFlags::all(), delimiter..unit.size()).map_err(failed)
}
