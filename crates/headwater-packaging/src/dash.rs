//! The MPD (ISO/IEC 23009-1), rendered from a [`PackageView`] with the types of dash-mpd.
//!
//! One period, one adaptation set for all video renditions and one for each audio rendition. Segments are addressed by
//! number with a timeline, so that HLS and DASH name the same files. The profile is `isoff-live`, the one for segment
//! templates, on-demand titles included; that of CMAF would promise media profiles, which nothing here checks.

use std::time::Duration;

use dash_mpd_core::{
    AdaptationSet, AudioChannelConfiguration, Label, MPD, Period, Representation, Role, S,
    SegmentTemplate, SegmentTimeline,
};
use headwater_model::key::INIT_NAME;
use headwater_model::time::MediaTime;
use serde::Serialize as _;

use crate::view::{AudioView, PackageView, Place, TrackView, VideoView};
use crate::{language, rate};

/// Names of segments as a template; expands to what `headwater_model::key::segment_name` gives.
const SEGMENT_TEMPLATE: &str = "seg-$Number%05d$.m4s";

/// The MPD: `manifest.mpd` of the package, or the title's pointer to it.
pub fn mpd(view: &PackageView, place: Place) -> String {
    // A player can show a segment's start only when it has the whole of it, so that is what it buffers first:
    // the longest segment there is.
    let longest_ms = view.tracks().map(|t| ceil_ms(t.longest_segment())).max().unwrap_or(0).max(1);
    let longest = Duration::from_millis(longest_ms);
    let names = view.audio_names();
    let mut adaptations = vec![video_set(view, place, longest_ms)];
    adaptations.extend(
        (0..)
            .zip(&view.audio)
            .zip(names)
            .map(|((n, a), name)| audio_set(n, a, name, place, longest_ms)),
    );
    let mpd = MPD {
        xmlns: Some("urn:mpeg:dash:schema:mpd:2011".to_owned()),
        profiles: Some("urn:mpeg:dash:profile:isoff-live:2011".to_owned()),
        mpdtype: Some("static".to_owned()),
        mediaPresentationDuration: Some(duration(view.duration)),
        minBufferTime: Some(longest),
        maxSegmentDuration: Some(longest),
        periods: vec![Period {
            id: Some("0".to_owned()),
            start: Some(Duration::ZERO),
            adaptations,
            ..Period::default()
        }],
        ..MPD::default()
    };
    text(&mpd)
}

fn video_set(view: &PackageView, place: Place, buffer_ms: u64) -> AdaptationSet {
    let largest = |side: fn(&VideoView) -> u32| view.video.iter().map(side).max().map(u64::from);
    let frame_rate = view.frame_rate.to_string();
    let mut versions = view.video.iter().map(|v| v.track.version);
    let first = versions.next().flatten();
    let together = versions.all(|version| version == first);
    AdaptationSet {
        id: Some("0".to_owned()),
        contentType: Some("video".to_owned()),
        mimeType: Some("video/mp4".to_owned()),
        par: view.video.first().map(|v| aspect(v.width, v.height)),
        segmentAlignment: Some(true),
        startWithSAP: Some(1),
        maxWidth: largest(|v| v.width),
        maxHeight: largest(|v| v.height),
        maxFrameRate: Some(frame_rate.clone()),
        Role: vec![role("main")],
        // All video renditions have the same boundaries (R2): they are said once, unless some lie in another folder.
        SegmentTemplate: view.video.first().filter(|_| together).map(|v| template(&v.track, place)),
        representations: view
            .video
            .iter()
            .map(|v| Representation {
                width: Some(v.width.into()),
                height: Some(v.height.into()),
                sar: Some("1:1".to_owned()),
                frameRate: Some(frame_rate.clone()),
                SegmentTemplate: (!together).then(|| template(&v.track, place)),
                ..representation(&v.track, buffer_ms)
            })
            .collect(),
        ..AdaptationSet::default()
    }
}

/// Audio rendition `n` (from 0). The first is the default, and exactly it has the role `main`: dash.js plays what is
/// main, Shaka what is main in the wanted language. The others are its alternatives.
fn audio_set(
    n: usize,
    audio: &AudioView,
    name: String,
    place: Place,
    buffer_ms: u64,
) -> AdaptationSet {
    AdaptationSet {
        id: Some((n + 1).to_string()),
        contentType: Some("audio".to_owned()),
        mimeType: Some("audio/mp4".to_owned()),
        lang: audio.language.as_deref().and_then(language::for_manifests),
        segmentAlignment: Some(true),
        startWithSAP: Some(1),
        Label: vec![Label { content: name, ..Label::default() }],
        Role: vec![role(if n == 0 { "main" } else { "alternate" })],
        SegmentTemplate: Some(template(&audio.track, place)),
        representations: vec![Representation {
            audioSamplingRate: Some(audio.sample_rate.to_string()),
            AudioChannelConfiguration: channel_configuration(audio.channels).into_iter().collect(),
            ..representation(&audio.track, buffer_ms)
        }],
        ..AdaptationSet::default()
    }
}

fn representation(track: &TrackView, buffer_ms: u64) -> Representation {
    Representation {
        id: Some(track.name.clone()),
        bandwidth: Some(rate::sustained(track, buffer_ms)),
        codecs: Some(track.codec.clone()),
        ..Representation::default()
    }
}

fn template(track: &TrackView, place: Place) -> SegmentTemplate {
    let base = place.base_of(track);
    SegmentTemplate {
        timescale: Some(track.timescale.into()),
        initialization: Some(format!("{base}$RepresentationID$/{INIT_NAME}")),
        media: Some(format!("{base}$RepresentationID$/{SEGMENT_TEMPLATE}")),
        startNumber: Some(1),
        SegmentTimeline: Some(SegmentTimeline { segments: timeline(track) }),
        ..SegmentTemplate::default()
    }
}

/// Runs of segments of the same length, each run one `S` (5.3.9.6). Only the first says when it starts: the others
/// follow without a gap.
fn timeline(track: &TrackView) -> Vec<S> {
    let mut runs: Vec<S> = Vec::new();
    for segment in &track.segments {
        match runs.last_mut() {
            Some(run) if run.d == segment.ticks => run.r = Some(run.r.unwrap_or(0) + 1),
            last => {
                let t = last.is_none().then_some(segment.start);
                runs.push(S { t, d: segment.ticks, ..S::default() });
            }
        }
    }
    runs
}

fn role(value: &str) -> Role {
    Role {
        schemeIdUri: "urn:mpeg:dash:role:2011".to_owned(),
        value: Some(value.to_owned()),
        ..Role::default()
    }
}

/// ChannelConfiguration of ISO/IEC 23091-3, which counts loudspeaker layouts and not channels: up to 5.1 the two are
/// the same, 7 channels are layout 11, and 8 are layout 12, the one with side and rear pairs. No layout is known for
/// other numbers.
fn channel_configuration(channels: u32) -> Option<AudioChannelConfiguration> {
    let layout = match channels {
        1..=6 => channels,
        7 => 11,
        8 => 12,
        _ => return None,
    };
    Some(AudioChannelConfiguration {
        schemeIdUri: "urn:mpeg:mpegB:cicp:ChannelConfiguration".to_owned(),
        value: Some(layout.to_string()),
        ..AudioChannelConfiguration::default()
    })
}

/// `16:9` of 1920 by 1080.
fn aspect(width: u32, height: u32) -> String {
    let (mut a, mut b) = (width, height);
    while b != 0 {
        (a, b) = (b, a % b);
    }
    let divisor = a.max(1);
    format!("{}:{}", width / divisor, height / divisor)
}

fn ceil_ms(time: MediaTime) -> u64 {
    let ms = (u128::from(time.ticks) * 1000).div_ceil(u128::from(time.timescale.max(1)));
    u64::try_from(ms).unwrap_or(u64::MAX)
}

fn duration(time: MediaTime) -> Duration {
    let scale = u64::from(time.timescale.max(1));
    let nanos = time.ticks % scale * 1_000_000_000 / scale;
    Duration::from_secs(time.ticks / scale) + Duration::from_nanos(nanos)
}

/// One element a line, for people and for diffs.
fn text(mpd: &MPD) -> String {
    let mut xml = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    let mut serializer = quick_xml::se::Serializer::new(&mut xml);
    serializer.indent(' ', 2);
    mpd.serialize(serializer).expect("an MPD consists of elements, attributes and text");
    xml.push('\n');
    xml
}

#[cfg(test)]
mod tests;
