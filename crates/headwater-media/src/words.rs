//! Caps and tags in the words that people use.

use gstreamer as gst;
use gstreamer_pbutils as pbutils;
use headwater_model::master::Orientation;

/// The media type of caps: `video/x-h264`.
pub(crate) fn media_type(caps: &gst::CapsRef) -> String {
    caps.structure(0).map_or_else(|| "unknown".to_owned(), |s| s.name().to_string())
}

/// A codec in words: `H.264 (High Profile)`. What nobody has words for is named by its code, which is what a supplier
/// can be asked about: `vvc1`.
pub(crate) fn codec(caps: &gst::CapsRef) -> String {
    let plain = media_type(caps);
    if let Some(fourcc) = plain.rsplit_once("x-gst-fourcc-").map(|(_, code)| code) {
        return match fourcc {
            "vvc1" | "vvi1" => format!("H.266/VVC (`{fourcc}`)"),
            _ => format!("`{fourcc}`"),
        };
    }
    if caps.is_any() || caps.is_empty() {
        return plain;
    }
    // Only one thing can be described: where caps leave a choice, such as of rates, which is of no interest here.
    let mut caps = caps.to_owned();
    caps.fixate();
    let words = pbutils::pb_utils_get_codec_description(&caps).to_string();
    if words.contains(&plain) { plain } else { words }
}

/// A format of subtitles in words.
pub(crate) fn text(caps: &gst::CapsRef) -> String {
    let known = match media_type(caps).as_str() {
        "closedcaption/x-cea-608" => "CEA-608 captions",
        "closedcaption/x-cea-708" => "CEA-708 captions",
        "application/x-subtitle-vtt" => "WebVTT",
        "application/ttml+xml" => "TTML",
        "application/x-ssa" | "application/x-ass" => "SubStation Alpha",
        "subpicture/x-dvd" => "DVD pictures",
        "subpicture/x-dvb" => "DVB pictures",
        "subpicture/x-pgs" => "Blu-ray pictures",
        "text/x-raw" => "timed text",
        _ => return codec(caps),
    };
    known.to_owned()
}

/// The turn that an `image-orientation` tag asks for.
pub(crate) fn orientation(tag: &str) -> Orientation {
    match tag {
        "rotate-90" => Orientation::Clockwise,
        "rotate-180" => Orientation::UpsideDown,
        "rotate-270" => Orientation::CounterClockwise,
        other if other.starts_with("flip-") => Orientation::Mirrored,
        _ => Orientation::Upright,
    }
}

/// A decoder for these caps: the one GStreamer ranks highest.
pub(crate) fn decoder(caps: &gst::CapsRef) -> Option<gst::ElementFactory> {
    let mut factories: Vec<gst::ElementFactory> = gst::ElementFactory::factories_with_type(
        gst::ElementFactoryType::DECODER,
        gst::Rank::MARGINAL,
    )
    .into_iter()
    .filter(|f| f.can_sink_all_caps(caps) && f.klass().contains("Decoder"))
    .collect();
    use gst::prelude::PluginFeatureExtManual;
    factories.sort_by(|a, b| {
        b.rank().cmp(&a.rank()).then_with(|| {
            gst::prelude::GstObjectExt::name(a).cmp(&gst::prelude::GstObjectExt::name(b))
        })
    });
    factories.into_iter().next()
}

#[cfg(test)]
mod tests;
