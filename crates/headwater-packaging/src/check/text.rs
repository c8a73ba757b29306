//! Subtitles: their playlists name all segments in order, the multivariant playlist and the MPD name all of them, and
//! what they are is WebVTT.

use std::collections::BTreeMap;

use headwater_model::finding::FindingKind;
use headwater_model::inventory::{Object, ObjectRole};
use headwater_model::key::{MEDIA_PLAYLIST_NAME, ObjectKey, WHOLE_TEXT_NAME};
use m3u8_rs::{Playlist, parse_playlist_res};

use super::{Findings, Known, TOLERANCE};
use crate::text::{Format, Subtitles};

/// A text rendition as the inventory has it.
#[derive(Default)]
pub(super) struct Text<'a> {
    /// All of it in one file.
    pub(super) whole: Option<&'a Object>,
    /// By number.
    segments: BTreeMap<u32, &'a Object>,
}

/// The text renditions of an inventory, by name.
pub(super) fn of<'a>(objects: &'a [Object]) -> BTreeMap<&'a str, Text<'a>> {
    let mut texts: BTreeMap<&str, Text<'_>> = BTreeMap::new();
    for object in objects {
        if let ObjectRole::Text { rendition, number } = &object.role {
            let text = texts.entry(rendition).or_default();
            match number {
                Some(number) => drop(text.segments.insert(*number, object)),
                None => text.whole = Some(object),
            }
        }
    }
    texts
}

/// What every text rendition must have, whatever the manifests say.
pub(super) fn check(known: &Known<'_>, findings: &mut Findings) {
    for (name, text) in &known.texts {
        let needed = [WHOLE_TEXT_NAME, MEDIA_PLAYLIST_NAME].map(|file| format!("{name}/{file}"));
        for path in needed.iter().filter(|path| !known.objects.contains_key(path.as_str())) {
            findings.add(&known.package.key(path), FindingKind::Missing);
        }
        let gap = (0u32..).zip(text.segments.keys()).find(|(n, number)| n != *number);
        if let Some((missing, _)) = gap {
            let path = format!("{name}/{}", headwater_model::key::text_segment_name(missing));
            findings.add(&known.package.key(&path), FindingKind::Missing);
        }
    }
}

/// A playlist of subtitles names all segments of its rendition in order, and lasts as long as the picture.
pub(super) fn playlist(
    known: &Known<'_>,
    rendition: &Text<'_>,
    key: &ObjectKey,
    text: &str,
    findings: &mut Findings,
) {
    let Ok(Playlist::MediaPlaylist(playlist)) = parse_playlist_res(text.as_bytes()) else {
        return findings.malformed(key, "it is not a media playlist");
    };
    super::hls::whole(&playlist, key, findings);
    let mut expected = rendition.segments.values();
    for segment in &playlist.segments {
        let named = known.resolve(key, &segment.uri);
        match expected.next() {
            Some(next) if named.is_some_and(|object| object.path == next.path) => {}
            _ => return findings.unknown(key, &segment.uri),
        }
        if segment.duration.round() as u64 > playlist.target_duration {
            let target = playlist.target_duration;
            let what =
                format!("`{}` is longer than the target duration of {target} s", segment.uri);
            findings.malformed(key, what);
        }
    }
    for object in expected {
        findings.not_named(&known.key(object), key);
    }
    // m3u8-rs keeps each as `f32`.
    let loss = 1e-5 * playlist.segments.len() as f64;
    let said: f64 = playlist.segments.iter().map(|s| f64::from(s.duration)).sum();
    let shown = known.renditions.iter().map(|r| r.seconds(r.end()));
    if !shown.into_iter().any(|seconds| (seconds - said).abs() <= TOLERANCE + loss) {
        findings.malformed(key, format!("it lasts {said:.3} s, which no rendition does"));
    }
}

/// Whether the bytes of an object are subtitles. `None`: they are.
pub fn text(bytes: &[u8]) -> Option<FindingKind> {
    let malformed = |reason: String| Some(FindingKind::Malformed { reason });
    let Ok(text) = std::str::from_utf8(bytes) else {
        return malformed("it is not UTF-8".to_owned());
    };
    if Format::of(text) != Some(Format::WebVtt) {
        return malformed("it is not WebVTT".to_owned());
    }
    Subtitles::read(Format::WebVtt, text).err().and_then(|why| malformed(why.to_string()))
}
