//! The HLS half of the proof: what playlists name, and what they say about it.

use headwater_model::inventory::{Object, ObjectRole};
use headwater_model::key::{HLS_NAME, ObjectKey};
use m3u8_rs::{
    AlternativeMediaType, MediaPlaylist, MediaPlaylistType, Playlist, parse_playlist_res,
};

use super::{Findings, Known, Rendition, TOLERANCE};

/// What m3u8-rs may lose of each duration, in seconds: it keeps them as `f32`.
const PARSING_LOSS: f64 = 1e-6;

/// The multivariant playlist names every media playlist, and no other; every variant says the codec of its rendition
/// and has sound if there is any.
pub(super) fn multivariant(
    known: &Known<'_>,
    key: &ObjectKey,
    text: &str,
    findings: &mut Findings,
) {
    let playlist = match parse_playlist_res(text.as_bytes()) {
        Ok(Playlist::MasterPlaylist(playlist)) => playlist,
        Ok(Playlist::MediaPlaylist(_)) => {
            return findings.malformed(key, "it is a media playlist, not a multivariant one");
        }
        Err(_) => return findings.malformed(key, "it is not a playlist"),
    };
    let mut named: Vec<&str> = Vec::new();
    let mut rendition_at = |address: &str, findings: &mut Findings| {
        let object = known.resolve(key, address).filter(|o| o.role == ObjectRole::Manifest);
        let Some(object) = object else {
            findings.unknown(key, address);
            return None;
        };
        named.push(&object.path);
        known.renditions.iter().find(|r| r.playlist() == object.path)
    };
    for media in &playlist.alternatives {
        match media.uri.as_deref() {
            Some(address) => {
                rendition_at(address, findings);
            }
            // What is heard without a picture is the variant itself.
            None if media.media_type == AlternativeMediaType::ClosedCaptions => {}
            None if media.default && known.renditions.iter().all(super::alignment::is_audio) => {}
            None => findings.malformed(key, format!("`{}` has no address", media.name)),
        }
    }
    let sound =
        || playlist.alternatives.iter().filter(|m| m.media_type == AlternativeMediaType::Audio);
    let groups: Vec<&str> = sound().map(|m| m.group_id.as_str()).collect();
    for variant in &playlist.variants {
        if let Some(rendition) = rendition_at(&variant.uri, findings) {
            let codec = &rendition.header.codec;
            let said = variant.codecs.as_deref().unwrap_or_default();
            if !said.split(',').any(|c| c.trim() == codec) {
                let name = &rendition.header.name;
                findings.malformed(
                    key,
                    format!("it says that `{name}` is coded as `{said}`, which does not include `{codec}`"),
                );
            }
        }
        // What is only pictures has neither sound nor words.
        if variant.is_i_frame {
            continue;
        }
        let group = variant.audio.as_deref();
        if group.is_some_and(|g| !groups.contains(&g)) || (group.is_none() && !groups.is_empty()) {
            findings.malformed(key, format!("`{}` is without its sound", variant.uri));
        }
    }
    let words =
        || playlist.alternatives.iter().filter(|m| m.media_type == AlternativeMediaType::Subtitles);
    if words().filter(|m| m.default).count() > 1 {
        findings.malformed(key, "more than one rendition of subtitles is the default");
    }
    let played = playlist.variants.iter().filter(|variant| !variant.is_i_frame);
    for variant in played.filter(|_| words().next().is_some()) {
        let group = variant.subtitles.as_deref();
        if !words().any(|m| Some(m.group_id.as_str()) == group) {
            findings.malformed(key, format!("`{}` is without its subtitles", variant.uri));
        }
    }
    for group in &groups {
        let defaults = sound().filter(|m| m.group_id == *group && m.default).count();
        if defaults != 1 {
            findings.malformed(key, format!("{defaults} audio renditions are the default, not 1"));
        }
    }
    for tag in playlist.unknown_tags.iter().filter(|tag| tag.tag == "X-IMAGE-STREAM-INF") {
        let address =
            tag.rest.as_deref().and_then(|rest| rest.split("URI=\"").nth(1)?.split('"').next());
        rendition_at(address.unwrap_or_default(), findings);
    }
    let is_media_playlist = |o: &&&Object| {
        o.role == ObjectRole::Manifest && o.path.ends_with(".m3u8") && o.path != HLS_NAME
    };
    for object in known.objects.values().filter(is_media_playlist) {
        if !named.contains(&object.path.as_str()) {
            findings.not_named(&known.key(object), key);
        }
    }
}

/// A media playlist names its rendition's init segment and all of its segments in order, and gives their durations.
pub(super) fn media_playlist(
    known: &Known<'_>,
    rendition: &Rendition<'_>,
    key: &ObjectKey,
    text: &str,
    findings: &mut Findings,
) {
    let playlist = match parse_playlist_res(text.as_bytes()) {
        Ok(Playlist::MediaPlaylist(playlist)) => playlist,
        Ok(Playlist::MasterPlaylist(_)) => {
            return findings.malformed(key, "it is a multivariant playlist, not a media one");
        }
        Err(_) => return findings.malformed(key, "it is not a playlist"),
    };
    whole(&playlist, key, findings);
    if playlist.i_frames_only != rendition.header.trick {
        let what = if playlist.i_frames_only { "has" } else { "does not have" };
        findings.malformed(key, format!("it {what} EXT-X-I-FRAMES-ONLY"));
    }

    // MPEG-TS needs none.
    let mut init_named = !rendition.twins.is_empty();
    let mut named = Vec::new();
    let (mut said_in_all, mut ticks_in_all) = (0.0, 0);
    for (n, segment) in playlist.segments.iter().enumerate() {
        match &segment.map {
            Some(map) => {
                let object = known.resolve(key, &map.uri);
                match object {
                    Some(o) if rendition.init.is_some_and(|init| init.path == o.path) => {
                        init_named = true;
                    }
                    _ => findings.unknown(key, &map.uri),
                }
            }
            None if n == 0 && rendition.twins.is_empty() => {
                findings.malformed(key, "its first segment has no EXT-X-MAP");
            }
            None => {}
        }
        if segment.discontinuity || segment.byte_range.is_some() || segment.key.is_some() {
            let what = "is discontinuous, a byte range or encrypted, which no segment is";
            findings.malformed(key, format!("it says that `{}` {what}", segment.uri));
        }
        let object = known.resolve(key, &segment.uri);
        let Some(found) = object.and_then(|o| rendition.segment_in_hls(o)) else {
            findings.unknown(key, &segment.uri);
            continue;
        };
        let (said, is) = (f64::from(segment.duration), rendition.seconds(found.ticks));
        if (said - is).abs() > TOLERANCE + PARSING_LOSS {
            findings.malformed(
                key,
                format!(
                    "it says that `{}` lasts {said:.6} s, the inventory says {is:.6} s",
                    segment.uri
                ),
            );
        }
        said_in_all += said;
        ticks_in_all = found.ticks.saturating_add(ticks_in_all);
        let loss = PARSING_LOSS * (n + 1) as f64;
        if (said_in_all - rendition.seconds(ticks_in_all)).abs() > TOLERANCE + loss {
            findings.malformed(key, format!("its durations drift away up to `{}`", segment.uri));
        }
        if segment.duration.round() as u64 > playlist.target_duration {
            findings.malformed(
                key,
                format!(
                    "`{}` is longer than the target duration of {} s",
                    segment.uri, playlist.target_duration
                ),
            );
        }
        named.push(*found);
    }
    findings.account(known, rendition, key, init_named, &named);
}

/// A playlist of something that is finished says so; else players wait for more.
pub(super) fn whole(playlist: &MediaPlaylist, key: &ObjectKey, findings: &mut Findings) {
    if !playlist.end_list {
        findings.malformed(key, "it does not end with EXT-X-ENDLIST");
    }
    if playlist.playlist_type != Some(MediaPlaylistType::Vod) {
        findings.malformed(key, "its EXT-X-PLAYLIST-TYPE is not VOD");
    }
}
