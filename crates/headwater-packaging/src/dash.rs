//! The MPD (ISO/IEC 23009-1), rendered from a [`PackageView`] with the types of dash-mpd.
//!
//! One period, one adaptation set for all video renditions of a codec and one for each audio rendition. Segments are
//! addressed by number with a timeline, so that HLS and DASH name the same files. The profile is `isoff-live`, the one
//! for segment templates, on-demand titles included; that of CMAF would promise media profiles, which nothing here checks.

use std::time::Duration;

use dash_mpd_core::{
    Accessibility, AdaptationSet, AudioChannelConfiguration, BaseURL, EssentialProperty, Label,
    MPD, Period, Representation, Role, S, SegmentTemplate, SegmentTimeline,
};
use headwater_model::colour::DynamicRange;
use headwater_model::key::{INIT_NAME, WHOLE_TEXT_NAME};
use headwater_model::plan::{Pictures, TextPurpose};
use headwater_model::time::{MediaTime, gcd};
use serde::Serialize as _;

use crate::view::{AudioView, PackageView, PicturesView, Place, TextView, TrackView, VideoView};
use crate::{language, rate};

/// How many times as fast as usual pictures of segments are shown at most: ten of them in a second.
const FASTEST: f64 = 64.0;

/// Names of segments as a template; expands to what `headwater_model::key::segment_name` gives.
const SEGMENT_TEMPLATE: &str = "seg-$Number%05d$.m4s";

/// The MPD: `manifest.mpd` of the package, or the title's pointer to it.
pub fn mpd(view: &PackageView, place: Place) -> String {
    // A player can show a segment's start only when it has the whole of it, so that is what it buffers first:
    // the longest segment there is.
    let longest_ms = view.tracks().map(|t| ceil_ms(t.longest_segment())).max().unwrap_or(0).max(1);
    let longest = Duration::from_millis(longest_ms);
    let names = view.audio_names();
    let codings = view.codings();
    let mut adaptations: Vec<AdaptationSet> = codings
        .iter()
        .enumerate()
        .map(|(n, set)| AdaptationSet {
            Accessibility: captions(view),
            ..video_set(n, set, place, longest_ms)
        })
        .collect();
    adaptations.extend(
        (0..)
            .zip(&view.audio)
            .zip(names)
            .map(|((n, a), name)| audio_set(codings.len(), n, a, name, place, longest_ms)),
    );
    let main = adaptations.first().and_then(|set| set.id.clone());
    let mut behind = adaptations.len();
    for video in &view.trick {
        adaptations.push(trick_set(behind, main.as_deref(), video, place, longest_ms));
        behind += 1;
    }
    if let Some(pictures) = &view.pictures {
        adaptations.push(image_set(behind, pictures, place));
        behind += 1;
    }
    let texts = view.text.iter().zip(view.text_names()).enumerate();
    adaptations.extend(texts.map(|(n, (t, name))| text_set(behind + n, t, name, view, place)));
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

/// Video renditions that are coded alike: players switch within a set, and between sets only if they must.
fn video_set(n: usize, video: &[&VideoView], place: Place, buffer_ms: u64) -> AdaptationSet {
    let largest = |side: fn(&VideoView) -> u32| video.iter().map(|v| side(v)).max().map(u64::from);
    let fastest = video.iter().map(|v| v.frame_rate);
    let fastest = fastest.max_by(|a, b| a.as_f64().total_cmp(&b.as_f64()));
    let mut versions = video.iter().map(|v| v.track.version);
    let first = versions.next().flatten();
    let together = versions.all(|version| version == first);
    AdaptationSet {
        id: Some(n.to_string()),
        contentType: Some("video".to_owned()),
        mimeType: Some("video/mp4".to_owned()),
        par: video.first().map(|v| aspect(v.width, v.height)),
        segmentAlignment: Some(true),
        startWithSAP: Some(1),
        maxWidth: largest(|v| v.width),
        maxHeight: largest(|v| v.height),
        maxFrameRate: fastest.map(|rate| rate.to_string()),
        Role: vec![role("main")],
        essential_property: video.first().map_or_else(Vec::new, |v| light(v)),
        // All video renditions have the same boundaries (R2): they are said once, unless some lie in another folder.
        SegmentTemplate: video.first().filter(|_| together).map(|v| template(&v.track, place)),
        representations: video
            .iter()
            .map(|v| Representation {
                width: Some(v.width.into()),
                height: Some(v.height.into()),
                sar: Some("1:1".to_owned()),
                frameRate: Some(v.frame_rate.to_string()),
                SegmentTemplate: (!together).then(|| template(&v.track, place)),
                ..representation(&v.track, buffer_ms)
            })
            .collect(),
        ..AdaptationSet::default()
    }
}

/// Captions that video carries (SCTE 214-1, 7.2).
fn captions(view: &PackageView) -> Vec<Accessibility> {
    let captions = view.captions.then(|| Accessibility {
        schemeIdUri: "urn:scte:dash:cc:cea-608:2015".to_owned(),
        value: Some("CC1".to_owned()),
        ..Accessibility::default()
    });
    captions.into_iter().collect()
}

/// What a player has to be able to show (ISO/IEC 23091-2, ISO/IEC 23009-1, 5.8.5.8): it leaves light alone that it cannot.
fn light(video: &VideoView) -> Vec<EssentialProperty> {
    let Some(colour) = video.colour.filter(|_| video.range() != DynamicRange::Sdr) else {
        return vec![];
    };
    let property = |what: &str, value: u8| EssentialProperty {
        schemeIdUri: format!("urn:mpeg:mpegB:cicp:{what}"),
        value: Some(value.to_string()),
        ..EssentialProperty::default()
    };
    vec![
        property("ColourPrimaries", colour.primaries),
        property("TransferCharacteristics", colour.transfer),
        property("MatrixCoefficients", colour.matrix),
    ]
}

/// One picture of each segment, for fast forward (DASH-IF IOP, 3.2.9): a player that does not know what that is has to
/// leave the set alone.
fn trick_set(
    id: usize,
    main: Option<&str>,
    video: &VideoView,
    place: Place,
    buffer_ms: u64,
) -> AdaptationSet {
    AdaptationSet {
        id: Some(id.to_string()),
        essential_property: vec![EssentialProperty {
            schemeIdUri: "http://dashif.org/guidelines/trickmode".to_owned(),
            value: main.map(str::to_owned),
            ..EssentialProperty::default()
        }],
        SegmentTemplate: Some(template(&video.track, place)),
        representations: vec![Representation {
            width: Some(video.width.into()),
            height: Some(video.height.into()),
            sar: Some("1:1".to_owned()),
            frameRate: Some(average_rate(&video.track)),
            codingDependency: Some(false),
            maxPlayoutRate: Some(FASTEST),
            ..representation(&video.track, buffer_ms)
        }],
        contentType: Some("video".to_owned()),
        mimeType: Some("video/mp4".to_owned()),
        segmentAlignment: Some(true),
        startWithSAP: Some(1),
        ..AdaptationSet::default()
    }
}

/// Frames per second, as a fraction, of a rendition that has one in each segment: the last one is shorter.
fn average_rate(track: &TrackView) -> String {
    let ticks = track.segments.iter().map(|s| s.ticks).sum::<u64>().max(1);
    let frames = track.segments.len() as u64 * u64::from(track.timescale);
    let common = gcd(frames, ticks).max(1);
    match (frames / common, ticks / common) {
        (frames, 1) => frames.to_string(),
        (frames, seconds) => format!("{frames}/{seconds}"),
    }
}

/// Audio rendition `n` (from 0), behind so many sets of video. The first is the default, and exactly it has the role
/// `main`: dash.js plays what is main, Shaka what is main in the wanted language. The others are its alternatives.
fn audio_set(
    behind: usize,
    n: usize,
    audio: &AudioView,
    name: String,
    place: Place,
    buffer_ms: u64,
) -> AdaptationSet {
    AdaptationSet {
        id: Some((behind + n).to_string()),
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

/// Small pictures as tiles (DASH-IF IOP, 6.2.6). All sheets last as long as the first; where the last is cut short, so is
/// what is on it.
fn image_set(id: usize, pictures: &PicturesView, place: Place) -> AdaptationSet {
    let plan = &pictures.plan;
    let each = pictures.segments.first().map_or(1, |(_, ticks)| *ticks);
    let ticks = each * plan.on_a_sheet() as u64;
    let seconds = MediaTime { ticks, timescale: pictures.timescale };
    let base = place.base_of(pictures.version);
    let (width, height) = plan.sheet();
    AdaptationSet {
        id: Some(id.to_string()),
        contentType: Some("image".to_owned()),
        mimeType: Some("image/jpeg".to_owned()),
        SegmentTemplate: Some(SegmentTemplate {
            timescale: Some(pictures.timescale.into()),
            duration: Some(ticks as f64),
            startNumber: Some(1),
            media: Some(format!("{base}$RepresentationID$/sheet-$Number%05d$.jpg")),
            ..SegmentTemplate::default()
        }),
        representations: vec![Representation {
            id: Some(Pictures::FOLDER.to_owned()),
            bandwidth: Some(
                (pictures.largest * 8000).div_ceil(seconds.rescale(1000).max(1)).max(1),
            ),
            width: Some(width.into()),
            height: Some(height.into()),
            essential_property: vec![EssentialProperty {
                schemeIdUri: "http://dashif.org/guidelines/thumbnail_tile".to_owned(),
                value: Some(format!("{}x{}", plan.columns, plan.rows)),
                ..EssentialProperty::default()
            }],
            ..Representation::default()
        }],
        ..AdaptationSet::default()
    }
}

/// Subtitles, as one WebVTT file: dash.js does not play segments of it, and both dash.js and Shaka play this.
fn text_set(
    id: usize,
    text: &TextView,
    name: String,
    view: &PackageView,
    place: Place,
) -> AdaptationSet {
    let mut roles = vec![role(match text.purpose {
        TextPurpose::Dialogue => "subtitle",
        TextPurpose::HardOfHearing => "caption",
        TextPurpose::Forced => "forced-subtitle",
    })];
    let default = view.text.iter().find(|text| text.purpose != TextPurpose::Forced);
    if default.is_some_and(|default| default.name == text.name) {
        roles.push(role("main"));
    }
    let address = format!("{}{}/{WHOLE_TEXT_NAME}", place.base_of(text.version), text.name);
    let ms = view.duration.rescale(1000).max(1);
    AdaptationSet {
        id: Some(id.to_string()),
        contentType: Some("text".to_owned()),
        mimeType: Some("text/vtt".to_owned()),
        lang: text.language.as_deref().and_then(language::for_manifests),
        Label: vec![Label { content: name, ..Label::default() }],
        Role: roles,
        representations: vec![Representation {
            id: Some(text.name.clone()),
            bandwidth: Some((text.bytes * 8 * 1000).div_ceil(ms).max(1)),
            BaseURL: vec![BaseURL { base: address, ..BaseURL::default() }],
            ..Representation::default()
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
    let base = place.base_of(track.version);
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
