//! HLS playlists (RFC 8216), rendered from a [`PackageView`] with the types of m3u8-rs.

use headwater_model::key::{
    INIT_NAME, MEDIA_PLAYLIST_NAME, segment_name, text_segment_name, transport_name,
};
use headwater_model::plan::{Pictures, TextPurpose};
use headwater_model::time::MediaTime;
use m3u8_rs::{
    AlternativeMedia, AlternativeMediaType, ClosedCaptionGroupId, ExtTag, InstreamId, Map,
    MasterPlaylist, MediaPlaylist, MediaPlaylistType, MediaSegment, Playlist, QuotedOrUnquoted,
    Resolution, VariantStream,
};

use crate::view::{
    AudioView, PackageView, PicturesView, Place, SegmentView, TextView, TrackView, VideoView,
};
use crate::{language, rate};

/// EXT-X-MAP without EXT-X-I-FRAMES-ONLY needs 6, fMP4 players expect 7 (RFC 8216, 7); without it EXT-X-MEDIA needs 4.
fn version(transport: bool) -> usize {
    if transport { 4 } else { 7 }
}

/// The group of audio renditions of at most two channels, and that with those in 5.1.
fn audio_group_name(n: usize) -> String {
    if n == 0 { "audio".to_owned() } else { "audio-51".to_owned() }
}

/// The group of captions that video carries.
const CAPTIONS_GROUP: &str = "captions";

/// The only group of subtitles.
const TEXT_GROUP: &str = "text";

/// What subtitles for people who do not hear say of themselves (RFC 8216bis, 4.4.6.1).
const HARD_OF_HEARING: &str =
    "public.accessibility.transcribes-spoken-dialog,public.accessibility.describes-music-and-sound";

/// Average bit rate that playing should start with, in bit/s: what Apple's authoring specification asks of the default
/// variant on Wi-Fi. Faster starts in a blur, slower keeps people waiting.
const START_RATE: u64 = 2_000_000;

/// Decimals of EXTINF: microseconds, a thousandth of what players forgive.
const EXTINF_DECIMALS: u32 = 6;

/// The media playlist of one rendition, `media.m3u8` beside its segments.
///
/// m3u8-rs keeps durations as `f32`, seven digits of which the last is not to be trusted, and how many it prints is a
/// switch for the whole process. So the crate lays out the playlist, and the number of each `#EXTINF` line is written
/// here, from ticks: rounding adds at most half a microsecond a segment.
pub fn media_playlist(view: &PackageView, track: &TrackView) -> String {
    let map = Map { uri: INIT_NAME.to_owned(), ..Map::default() };
    let name = if view.transport { transport_name } else { segment_name };
    let segments = (0u32..)
        .zip(&track.segments)
        .map(|(n, _)| MediaSegment {
            uri: name(n),
            map: (n == 0 && !view.transport).then(|| map.clone()),
            ..MediaSegment::default()
        })
        .collect();
    let playlist = text(Playlist::MediaPlaylist(MediaPlaylist {
        version: Some(version(view.transport)),
        target_duration: target_duration(view),
        segments,
        end_list: true,
        playlist_type: Some(MediaPlaylistType::Vod),
        independent_segments: true,
        i_frames_only: view.is_trick(track),
        ..MediaPlaylist::default()
    }));

    with_durations(&playlist, &track.segments, track.timescale)
}

/// The playlist with the exact length of each segment.
fn with_durations(playlist: &str, segments: &[SegmentView], timescale: u32) -> String {
    let mut durations = segments.iter().map(|s| {
        let micros = MediaTime { ticks: s.ticks, timescale }.rescale(10u32.pow(EXTINF_DECIMALS));
        format!("#EXTINF:{}.{:06},", micros / 1_000_000, micros % 1_000_000)
    });
    let mut exact = String::with_capacity(playlist.len() + 8 * segments.len());
    for line in playlist.lines() {
        let duration = line.starts_with("#EXTINF:").then(|| durations.next()).flatten();
        exact.push_str(duration.as_deref().unwrap_or(line));
        exact.push('\n');
    }
    exact
}

/// The multivariant playlist: `index.m3u8` of the package, or the title's pointer to it.
///
/// The first variant is what players start with: the one whose average rate is nearest to [`START_RATE`], and of a title
/// with one segment, which cannot get better on the way, the best. The others follow, largest first.
pub fn multivariant(view: &PackageView, place: Place) -> String {
    let target = target_duration(view);
    let groups = view.audio_groups();
    let mut variants: Vec<VariantStream> = Vec::new();
    for (n, group) in groups.iter().enumerate() {
        let heard: Vec<&AudioView> = group.iter().filter_map(|n| view.audio.get(*n)).collect();
        // The dearest audio rendition may be the one that is heard.
        let audio_peak = heard.iter().map(|a| rate::peak(&a.track, target)).max().unwrap_or(0);
        let audio_average = heard.iter().map(|a| rate::average(&a.track)).max().unwrap_or(0);
        let with_sound = VariantStream {
            audio: (!heard.is_empty()).then(|| audio_group_name(n)),
            subtitles: (!view.text.is_empty()).then(|| TEXT_GROUP.to_owned()),
            ..VariantStream::default()
        };
        variants.extend(view.video.iter().map(|video| VariantStream {
            uri: address(place, &video.track),
            bandwidth: rate::peak(&video.track, target) + audio_peak,
            average_bandwidth: Some(rate::average(&video.track) + audio_average),
            codecs: Some(codecs(Some(video), &heard)),
            resolution: Some(Resolution { width: video.width.into(), height: video.height.into() }),
            frame_rate: Some((video.frame_rate.as_f64() * 1000.0).round() / 1000.0),
            closed_captions: Some(match view.captions {
                true => ClosedCaptionGroupId::GroupId(CAPTIONS_GROUP.to_owned()),
                false => ClosedCaptionGroupId::None,
            }),
            // One attribute at most: m3u8-rs keeps them in a hash map, whose order changes from run to run.
            other_attributes: Some([("VIDEO-RANGE".to_owned(), range(video))].into()),
            ..with_sound.clone()
        }));
        // Without a picture the default sound is what is played, and the others are its alternatives: with those, players
        // may fetch the default too.
        variants.extend(heard.split_first().filter(|_| view.video.is_empty()).map(
            |(audio, others)| {
                let peak = others.iter().map(|a| rate::peak(&a.track, target)).max().unwrap_or(0);
                let average = others.iter().map(|a| rate::average(&a.track)).max().unwrap_or(0);
                VariantStream {
                    uri: address(place, &audio.track),
                    bandwidth: rate::peak(&audio.track, target) + peak,
                    average_bandwidth: Some(rate::average(&audio.track) + average),
                    codecs: Some(codecs(None, &heard)),
                    ..with_sound
                }
            },
        ));
    }
    // Such a title would be fetched twice by players that switch up at once, and hls.js reports that as an error.
    let one_segment = view.video.iter().all(|video| video.track.segments.len() < 2);
    let start = if one_segment { u64::MAX } else { START_RATE };
    // Of several codecs, the one that every player has.
    let by_all = |v: &VariantStream| v.codecs.as_deref().is_some_and(|c| c.starts_with("avc1"));
    let distance =
        |v: &VariantStream| (!by_all(v), v.average_bandwidth.unwrap_or(0).abs_diff(start));
    let of_first_group = variants.len() / groups.len().max(1);
    if let Some(first) = (0..of_first_group).min_by_key(|n| distance(&variants[*n])) {
        variants[..=first].rotate_right(1);
    }
    variants.extend(view.trick.iter().map(|video| VariantStream {
        is_i_frame: true,
        uri: address(place, &video.track),
        bandwidth: rate::peak(&video.track, target),
        average_bandwidth: Some(rate::average(&video.track)),
        codecs: Some(video.track.codec.clone()),
        resolution: Some(Resolution { width: video.width.into(), height: video.height.into() }),
        ..VariantStream::default()
    }));
    text(Playlist::MasterPlaylist(MasterPlaylist {
        version: Some(version(view.transport)),
        independent_segments: true,
        alternatives: [audio_group(view, place), text_group(view, place), captions_group(view)]
            .concat(),
        variants,
        unknown_tags: view.pictures.iter().map(|pictures| images(pictures, place)).collect(),
        ..MasterPlaylist::default()
    }))
}

/// EXT-X-TARGETDURATION in seconds: the longest segment of any rendition, rounded half up. The same for all
/// renditions, as Apple's authoring specification wants it; at least 1, since 0 makes players reload without end.
fn target_duration(view: &PackageView) -> u64 {
    view.tracks().map(|t| t.longest_segment().rescale(1)).max().unwrap_or(0).max(1)
}

/// EXT-X-IMAGE-STREAM-INF, by which players of television sets find small pictures.
fn images(pictures: &PicturesView, place: Place) -> ExtTag {
    let plan = &pictures.plan;
    let seconds = MediaTime {
        ticks: pictures.segments.iter().take(plan.on_a_sheet()).map(|(_, ticks)| ticks).sum(),
        timescale: pictures.timescale,
    };
    let bandwidth = (pictures.largest * 8000).div_ceil(seconds.rescale(1000).max(1));
    let base = place.base_of(pictures.version);
    let (width, height) = (plan.width, plan.height);
    ExtTag {
        tag: "X-IMAGE-STREAM-INF".to_owned(),
        rest: Some(format!(
            "BANDWIDTH={bandwidth},RESOLUTION={width}x{height},CODECS=\"jpeg\",URI=\"{base}{}/{MEDIA_PLAYLIST_NAME}\"",
            Pictures::FOLDER
        )),
    }
}

/// VIDEO-RANGE (RFC 8216bis, 4.4.6.2).
fn range(video: &VideoView) -> QuotedOrUnquoted {
    QuotedOrUnquoted::Unquoted(video.range().video_range().to_owned())
}

fn address(place: Place, track: &TrackView) -> String {
    format!("{}{}/{MEDIA_PLAYLIST_NAME}", place.base_of(track.version), track.name)
}

/// CODECS: that of the video and every one in the audio group.
fn codecs(video: Option<&VideoView>, audio: &[&AudioView]) -> String {
    let mut codecs: Vec<&str> = video.iter().map(|video| video.track.codec.as_str()).collect();
    for codec in audio.iter().map(|a| a.track.codec.as_str()) {
        if !codecs.contains(&codec) {
            codecs.push(codec);
        }
    }
    codecs.join(",")
}

/// EXT-X-MEDIA of all audio renditions. The first of each group is its default; a player chooses by itself (AUTOSELECT)
/// only between languages, so the second rendition of a language waits to be asked for (RFC 8216, 4.3.4.1.1).
fn audio_group(view: &PackageView, place: Place) -> Vec<AlternativeMedia> {
    let names = view.audio_names();
    let groups = view.audio_groups();
    let groups = groups.iter().enumerate();
    groups
        .flat_map(|(group, members)| {
            let mut languages = Vec::new();
            let members: Vec<AlternativeMedia> = members
                .iter()
                .filter_map(|n| Some((view.audio.get(*n)?, names.get(*n)?)))
                .map(|(a, name)| {
                    let language = a.language.as_deref().and_then(language::for_manifests);
                    let (is_first, is_new) = (languages.is_empty(), !languages.contains(&language));
                    languages.push(language.clone());
                    AlternativeMedia {
                        media_type: AlternativeMediaType::Audio,
                        // Without a picture the default is the variant itself.
                        uri: (!is_first || !view.video.is_empty())
                            .then(|| address(place, &a.track)),
                        group_id: audio_group_name(group),
                        language,
                        name: name.clone(),
                        default: is_first,
                        autoselect: is_new,
                        channels: Some(a.channels.to_string()),
                        ..AlternativeMedia::default()
                    }
                })
                .collect();
            members
        })
        .collect()
}

/// EXT-X-MEDIA of all subtitles. Forced ones are shown by themselves to who hears their language; of the others a player
/// may choose the first of each language and purpose by itself.
fn text_group(view: &PackageView, place: Place) -> Vec<AlternativeMedia> {
    let languages: Vec<Option<String>> =
        view.text.iter().map(|t| t.language.as_deref().and_then(language::for_manifests)).collect();
    let is_first = |n: usize| {
        let purpose = view.text[n].purpose;
        !(0..n).any(|m| languages[m] == languages[n] && view.text[m].purpose == purpose)
    };
    // One is, unless all are only for what nobody could understand otherwise.
    let default = view.text.iter().position(|t| t.purpose != TextPurpose::Forced);
    let group = view.text.iter().zip(view.text_names()).enumerate();
    group
        .map(|(n, (t, name))| AlternativeMedia {
            media_type: AlternativeMediaType::Subtitles,
            uri: Some(format!("{}{}/{MEDIA_PLAYLIST_NAME}", place.base_of(t.version), t.name)),
            group_id: TEXT_GROUP.to_owned(),
            language: languages[n].clone(),
            name,
            default: Some(n) == default,
            autoselect: is_first(n),
            forced: t.purpose == TextPurpose::Forced,
            characteristics: (t.purpose == TextPurpose::HardOfHearing)
                .then(|| HARD_OF_HEARING.to_owned()),
            ..AlternativeMedia::default()
        })
        .collect()
}

/// EXT-X-MEDIA of captions in the video: the first channel, which is the one that is used. In which language they are
/// nobody says.
fn captions_group(view: &PackageView) -> Vec<AlternativeMedia> {
    let captions = view.captions.then(|| AlternativeMedia {
        media_type: AlternativeMediaType::ClosedCaptions,
        group_id: CAPTIONS_GROUP.to_owned(),
        name: "Captions".to_owned(),
        autoselect: true,
        instream_id: Some(InstreamId::CC(1)),
        ..AlternativeMedia::default()
    });
    captions.into_iter().collect()
}

/// The media playlist of a text rendition.
pub fn text_playlist(view: &TextView) -> String {
    let segments = (0u32..)
        .zip(&view.segments)
        .map(|(n, _)| MediaSegment { uri: text_segment_name(n), ..MediaSegment::default() });
    let playlist = text(Playlist::MediaPlaylist(MediaPlaylist {
        version: Some(version(false)),
        target_duration: view.longest_segment().rescale(1).max(1),
        segments: segments.collect(),
        end_list: true,
        playlist_type: Some(MediaPlaylistType::Vod),
        ..MediaPlaylist::default()
    }));
    with_durations(&playlist, &view.segments, view.timescale)
}

fn text(playlist: Playlist) -> String {
    let mut bytes = Vec::new();
    playlist.write_to(&mut bytes).expect("memory takes every byte");
    String::from_utf8(bytes).expect("a playlist of text is text")
}

#[cfg(test)]
mod tests;
