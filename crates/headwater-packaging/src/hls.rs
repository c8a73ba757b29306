//! HLS playlists (RFC 8216, version 7), rendered from a [`PackageView`] with the types of m3u8-rs.

use headwater_model::key::{INIT_NAME, MEDIA_PLAYLIST_NAME, segment_name};
use headwater_model::time::MediaTime;
use m3u8_rs::{
    AlternativeMedia, AlternativeMediaType, ClosedCaptionGroupId, Map, MasterPlaylist,
    MediaPlaylist, MediaPlaylistType, MediaSegment, Playlist, QuotedOrUnquoted, Resolution,
    VariantStream,
};

use crate::view::{AudioView, PackageView, Place, TrackView, VideoView};
use crate::{language, rate};

/// EXT-X-MAP without EXT-X-I-FRAMES-ONLY needs 6, fMP4 players expect 7 (RFC 8216, 7).
const VERSION: usize = 7;

/// The only group of audio renditions.
const AUDIO_GROUP: &str = "audio";

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
    let segments = (0u32..)
        .zip(&track.segments)
        .map(|(n, _)| MediaSegment {
            uri: segment_name(n),
            map: (n == 0).then(|| map.clone()),
            ..MediaSegment::default()
        })
        .collect();
    let playlist = text(Playlist::MediaPlaylist(MediaPlaylist {
        version: Some(VERSION),
        target_duration: target_duration(view),
        segments,
        end_list: true,
        playlist_type: Some(MediaPlaylistType::Vod),
        independent_segments: true,
        ..MediaPlaylist::default()
    }));

    let mut durations = track.segments.iter().map(|s| {
        let micros = MediaTime { ticks: s.ticks, timescale: track.timescale }
            .rescale(10u32.pow(EXTINF_DECIMALS));
        format!("#EXTINF:{}.{:06},", micros / 1_000_000, micros % 1_000_000)
    });
    let mut exact = String::with_capacity(playlist.len() + 8 * track.segments.len());
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
    // The dearest audio rendition may be the one that is heard.
    let audio_peak = view.audio.iter().map(|a| rate::peak(&a.track, target)).max().unwrap_or(0);
    let audio_average = view.audio.iter().map(|a| rate::average(&a.track)).max().unwrap_or(0);
    let mut variants: Vec<VariantStream> = view
        .video
        .iter()
        .map(|video| VariantStream {
            uri: address(place, &video.track),
            bandwidth: rate::peak(&video.track, target) + audio_peak,
            average_bandwidth: Some(rate::average(&video.track) + audio_average),
            codecs: Some(codecs(video, &view.audio)),
            resolution: Some(Resolution { width: video.width.into(), height: video.height.into() }),
            frame_rate: Some((view.frame_rate.as_f64() * 1000.0).round() / 1000.0),
            audio: (!view.audio.is_empty()).then(|| AUDIO_GROUP.to_owned()),
            closed_captions: Some(ClosedCaptionGroupId::None),
            // One attribute at most: m3u8-rs keeps them in a hash map, whose order changes from run to run.
            other_attributes: Some(
                [("VIDEO-RANGE".to_owned(), QuotedOrUnquoted::Unquoted("SDR".to_owned()))].into(),
            ),
            ..VariantStream::default()
        })
        .collect();
    // Such a title would be fetched twice by players that switch up at once, and hls.js reports that as an error.
    let one_segment = view.video.iter().all(|video| video.track.segments.len() < 2);
    let start = if one_segment { u64::MAX } else { START_RATE };
    let distance = |v: &VariantStream| v.average_bandwidth.unwrap_or(0).abs_diff(start);
    if let Some(first) = (0..variants.len()).min_by_key(|n| distance(&variants[*n])) {
        variants[..=first].rotate_right(1);
    }
    text(Playlist::MasterPlaylist(MasterPlaylist {
        version: Some(VERSION),
        independent_segments: true,
        alternatives: audio_group(view, place),
        variants,
        ..MasterPlaylist::default()
    }))
}

/// EXT-X-TARGETDURATION in seconds: the longest segment of any rendition, rounded half up. The same for all
/// renditions, as Apple's authoring specification wants it; at least 1, since 0 makes players reload without end.
fn target_duration(view: &PackageView) -> u64 {
    view.tracks().map(|t| t.longest_segment().rescale(1)).max().unwrap_or(0).max(1)
}

fn address(place: Place, track: &TrackView) -> String {
    format!("{}{}/{MEDIA_PLAYLIST_NAME}", place.base_of(track), track.name)
}

/// CODECS: that of the video and every one in the audio group.
fn codecs(video: &VideoView, audio: &[AudioView]) -> String {
    let mut codecs = vec![video.track.codec.as_str()];
    for codec in audio.iter().map(|a| a.track.codec.as_str()) {
        if !codecs.contains(&codec) {
            codecs.push(codec);
        }
    }
    codecs.join(",")
}

/// EXT-X-MEDIA of all audio renditions. The first is the default; a player chooses by itself (AUTOSELECT) only between
/// languages, so the second rendition of a language waits to be asked for (RFC 8216, 4.3.4.1.1).
fn audio_group(view: &PackageView, place: Place) -> Vec<AlternativeMedia> {
    let audio = &view.audio;
    let names = view.audio_names();
    let languages: Vec<Option<String>> =
        audio.iter().map(|a| a.language.as_deref().and_then(language::for_manifests)).collect();
    audio
        .iter()
        .zip(names)
        .enumerate()
        .map(|(n, (a, name))| AlternativeMedia {
            media_type: AlternativeMediaType::Audio,
            uri: Some(address(place, &a.track)),
            group_id: AUDIO_GROUP.to_owned(),
            language: languages[n].clone(),
            name,
            default: n == 0,
            autoselect: !languages[..n].contains(&languages[n]),
            channels: Some(a.channels.to_string()),
            ..AlternativeMedia::default()
        })
        .collect()
}

fn text(playlist: Playlist) -> String {
    let mut bytes = Vec::new();
    playlist.write_to(&mut bytes).expect("memory takes every byte");
    String::from_utf8(bytes).expect("a playlist of text is text")
}

#[cfg(test)]
mod tests;
