//! What caps, tags and the first decoded frame say of a track.

use gstreamer as gst;
use gstreamer_audio as gst_audio;
use gstreamer_video as gst_video;
use gstreamer_video::prelude::*;
use headwater_model::colour::{Colour, ContentLight, MasteringDisplay};
use headwater_model::master::{AudioTrack, Fields, Orientation, TextTrack, VideoTrack};
use headwater_model::refusal::Code;
use headwater_model::time::FrameRate;

use crate::error::Error;
use crate::frames::FrameReader;
use crate::source::Master;
use crate::{sound, words};

/// What is known of any track before one of its frames was decoded.
pub(crate) struct Described<'a> {
    pub(crate) caps: &'a gst::Caps,
    pub(crate) stream: &'a str,
    pub(crate) language: Option<&'a str>,
    pub(crate) title: Option<&'a str>,
    pub(crate) orientation: Option<&'a str>,
    /// In nanoseconds after the first video frame.
    pub(crate) start_ns: i64,
    pub(crate) end_ns: i64,
    /// Access units, packets or cues.
    pub(crate) units: u64,
    pub(crate) captions: bool,
}

/// What kind of track it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Video,
    Audio,
    Text,
    Other,
}

impl Kind {
    pub(crate) fn of(caps: &gst::CapsRef) -> Self {
        const TEXT: [&str; 5] =
            ["text/", "closedcaption/", "subpicture/", "application/x-ssa", "application/x-ass"];
        let kind = words::media_type(caps);
        match () {
            () if kind.starts_with("video/") || kind.starts_with("image/") => Kind::Video,
            () if kind.starts_with("audio/") => Kind::Audio,
            () if kind == "application/ttml+xml"
                || TEXT.iter().any(|prefix| kind.starts_with(prefix)) =>
            {
                Kind::Text
            }
            () => Kind::Other,
        }
    }
}

fn number(structure: &gst::StructureRef, name: &str) -> u32 {
    structure.get::<i32>(name).ok().and_then(|n| u32::try_from(n).ok()).unwrap_or(0)
}

fn rate_of(rate: gst::Fraction) -> Option<FrameRate> {
    FrameRate::new(u32::try_from(rate.numer()).ok()?, u32::try_from(rate.denom()).ok()?)
}

pub(crate) fn video(track: &Described<'_>) -> Option<VideoTrack> {
    let caps = track.caps;
    let s = caps.structure(0)?;
    let aspect = s.get::<gst::Fraction>("pixel-aspect-ratio").ok().and_then(rate_of);
    Some(VideoTrack {
        stream: track.stream.to_owned(),
        codec: words::codec(caps),
        media_type: words::media_type(caps),
        width: number(s, "width"),
        height: number(s, "height"),
        sample_aspect: aspect.map_or((1, 1), |a| (a.num(), a.den())),
        orientation: track.orientation.map_or(Orientation::Upright, words::orientation),
        stated_rate: s.get::<gst::Fraction>("framerate").ok().and_then(rate_of),
        interlaced: is_interlaced(s),
        fields: fields(s),
        bit_depth: s.get::<u32>("bit-depth-luma").ok(),
        chroma: s.get::<&str>("chroma-format").ok().map(str::to_owned),
        colour: s
            .get::<&str>("colorimetry")
            .ok()
            .and_then(|c| c.parse::<gst_video::VideoColorimetry>().ok())
            .map_or(Colour::UNSPECIFIED, |c| colour(&c)),
        mastering: gst_video::VideoMasteringDisplayInfo::from_caps(caps).ok().map(mastering),
        light: gst_video::VideoContentLightLevel::from_caps(caps).ok().map(|light| ContentLight {
            max_pixel: light.max_content_light_level(),
            max_frame_average: light.max_frame_average_light_level(),
        }),
        language: track.language.map(str::to_owned),
        end_ns: track.end_ns,
        decoder: words::decoder(caps).map(|f| f.name().to_string()),
        captions: track.captions,
    })
}

fn is_interlaced(caps: &gst::StructureRef) -> bool {
    caps.get::<&str>("interlace-mode").is_ok_and(|mode| mode != "progressive")
}

fn fields(caps: &gst::StructureRef) -> Option<Fields> {
    match (caps.get::<&str>("interlace-mode").ok()?, caps.get::<&str>("field-order").ok()) {
        ("progressive", _) => None,
        ("mixed", _) => Some(Fields::Mixed),
        (_, Some("top-field-first")) => Some(Fields::TopFirst),
        (_, Some("bottom-field-first")) => Some(Fields::BottomFirst),
        (_, _) => None,
    }
}

/// The code points of H.273.
fn colour(colorimetry: &gst_video::VideoColorimetry) -> Colour {
    let code = |code: u32| u8::try_from(code).unwrap_or(2);
    Colour {
        primaries: code(colorimetry.primaries().to_iso()),
        transfer: code(colorimetry.transfer().to_iso()),
        matrix: code(colorimetry.matrix().to_iso()),
        full_range: colorimetry.range() == gst_video::VideoColorRange::Range0_255,
    }
}

fn mastering(info: gst_video::VideoMasteringDisplayInfo) -> MasteringDisplay {
    // The binding divides by 50,000, in which the SEI message counts.
    let point = |c: gst_video::VideoMasteringDisplayInfoCoordinate| {
        let units = |value: f32| (value * 50_000.0).round() as u16;
        (units(c.x()), units(c.y()))
    };
    MasteringDisplay {
        primaries: info.display_primaries().map(point),
        white: point(info.white_point()),
        max_luminance: info.max_display_mastering_luminance(),
        min_luminance: info.min_display_mastering_luminance(),
    }
}

/// Decodes one frame: what cannot give one is refused now and not after an hour, and only a decoded frame tells the
/// true size, shape and scan of some codecs.
pub(crate) fn look_at_first_frame(
    master: &Master,
    track: &mut VideoTrack,
    caps: &gst::CapsRef,
) -> Result<(), Error> {
    let damaged = || {
        Error::refused(
            Code::DamagedMaster,
            format!("not one frame of the {} track can be decoded", words::codec(caps)),
        )
    };
    let mut reader = FrameReader::whole(master, &track.stream)?;
    let frame = reader.next()?.ok_or_else(damaged)?;
    let decoded = frame.caps().ok_or_else(damaged)?;
    let info = gst_video::VideoInfo::from_caps(decoded).map_err(|_| damaged())?;
    track.width = info.width();
    track.height = info.height();
    track.interlaced = info.is_interlaced();
    track.fields = decoded.structure(0).and_then(fields);
    // Where the caps leave it open, each picture says so itself.
    if track.interlaced
        && matches!(track.fields, None | Some(Fields::Mixed))
        && let Some(picture) = frame.buffer()
    {
        use gst_video::VideoBufferFlags as Flags;
        let flags = picture.video_flags();
        track.fields = match track.fields {
            // A whole picture does not say in which order the fields of later ones come.
            Some(Fields::Mixed) if !flags.contains(Flags::INTERLACED) => Some(Fields::Mixed),
            _ if flags.contains(Flags::TFF) => Some(Fields::TopFirst),
            _ => Some(Fields::BottomFirst),
        };
    }
    track.bit_depth = info.comp_depth(0).into();
    track.chroma = Some(chroma(&info).to_owned());
    if let (Ok(num), Ok(den)) =
        (u32::try_from(info.par().numer()), u32::try_from(info.par().denom()))
    {
        track.sample_aspect = (num, den);
    }
    if info.is_rgb() {
        track.colour.matrix = 0;
    }
    // Decoders fill in what nobody has said, by the picture's size; what is otherwise they know from the codec.
    let usual = gst_video::VideoInfo::builder(info.format(), info.width(), info.height()).build();
    let told = info.colorimetry();
    if track.colour == Colour::UNSPECIFIED && usual.is_ok_and(|usual| usual.colorimetry() != told) {
        track.colour = colour(&told);
    }
    track.colour.full_range |= told.range() == gst_video::VideoColorRange::Range0_255;
    if track.stated_rate.is_none() {
        track.stated_rate = rate_of(info.fps());
    }
    Ok(())
}

/// How samples share their colour.
fn chroma(info: &gst_video::VideoInfo) -> &'static str {
    let format = info.format_info();
    if format.is_gray() {
        return "4:0:0";
    }
    match (format.w_sub().get(1).copied(), format.h_sub().get(1).copied()) {
        (Some(1), Some(1)) => "4:2:0",
        (Some(1), _) => "4:2:2",
        (Some(2), _) => "4:1:1",
        _ => "4:4:4",
    }
}

/// Sound, with what only its first decoded piece tells where `master` is given to look at.
pub(crate) fn audio(track: &Described<'_>, master: Option<&Master>) -> Option<AudioTrack> {
    let caps = track.caps;
    let s = caps.structure(0)?;
    let mut found = AudioTrack {
        stream: track.stream.to_owned(),
        codec: words::codec(caps),
        media_type: words::media_type(caps),
        channels: number(s, "channels"),
        sample_rate: number(s, "rate"),
        layout: None,
        language: track.language.map(str::to_owned),
        start_ns: track.start_ns,
        end_ns: track.end_ns,
        decoder: if words::media_type(caps) == "audio/x-raw" {
            Some("none needed".to_owned())
        } else {
            words::decoder(caps).map(|f| f.name().to_string())
        },
        delivered: None,
    };
    found.layout = match found.channels {
        1 => Some("mono".to_owned()),
        2 => Some("stereo".to_owned()),
        _ => None,
    };
    if found.layout.is_none()
        && found.decoder.is_some()
        && let Some(master) = master
        // What cannot be decoded is told when it is needed: a second track may be in order.
        && let Ok(Some(info)) = sound::first_piece(master, track.stream)
    {
        found.channels = info.channels();
        found.sample_rate = info.rate();
        found.layout = layout(info.positions(), info.channels());
    }
    Some(found)
}

/// What channels in these places are called.
fn layout(positions: Option<&[gst_audio::AudioChannelPosition]>, channels: u32) -> Option<String> {
    use gst_audio::AudioChannelPosition as At;
    let positions = positions?;
    let has = |at: At| positions.contains(&at);
    let front = has(At::FrontLeft) && has(At::FrontRight);
    let surround =
        (has(At::RearLeft) && has(At::RearRight)) || (has(At::SideLeft) && has(At::SideRight));
    let name = match channels {
        1 => "mono",
        2 if front => "stereo",
        3 if front && has(At::FrontCenter) => "3.0",
        3 if front && has(At::Lfe1) => "2.1",
        4 if front && surround => "quad",
        4 if front && has(At::FrontCenter) => "4.0",
        5 if front && surround && has(At::FrontCenter) => "5.0",
        6 if front && surround && has(At::FrontCenter) && has(At::Lfe1) => "5.1",
        7 if front && surround && has(At::FrontCenter) && has(At::Lfe1) => "6.1",
        8 if front && surround && has(At::FrontCenter) && has(At::Lfe1) => "7.1",
        _ => return None,
    };
    Some(name.to_owned())
}

pub(crate) fn text(track: &Described<'_>) -> TextTrack {
    TextTrack {
        stream: track.stream.to_owned(),
        codec: words::text(track.caps),
        media_type: words::media_type(track.caps),
        language: track.language.map(str::to_owned),
        title: track.title.map(str::to_owned),
        cues: track.units,
        delivered: None,
    }
}
