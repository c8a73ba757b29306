//! What is in the files of a delivery beside its picture: sound and subtitles, as its manifest says.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use headwater_model::delivery::{AudioEssence, Channels, TextEssence};
use headwater_model::master::{AudioTrack, DeliveredSound, DeliveredText, SoundPart, TextTrack};
use headwater_model::refusal::Code;
use headwater_packaging::check;
use headwater_packaging::text::{Format, Subtitles};
use headwater_ports::transcoder::Inspection;

use crate::error::Error;
use crate::source::Master;

/// Text of a file of subtitles, in bytes: the dialogues of ten hours of film have one million.
pub(crate) const MOST_TEXT: u64 = 32 << 20;

/// What a master's facts are called that a file of a delivery is.
pub(crate) const FILE: &str = "text/x-raw";

/// Adds to what was found in the picture's file what the other files have. `look` looks at one of them.
pub(crate) fn add(
    master: &Master,
    found: &mut Inspection,
    mut look: impl FnMut(&Master) -> Result<Inspection, Error>,
) -> Result<(), Error> {
    let Some(bundled) = master.delivery().cloned() else { return Ok(()) };
    let source = |n: u32| {
        master
            .source(n)
            .map_err(|e| Error::refused(Code::Unreadable, format!("a file cannot be read: {e}")))
    };
    // Tracks of each file, and when its own line begins.
    let mut known: BTreeMap<u32, (Vec<AudioTrack>, i64)> = BTreeMap::new();
    known.insert(0, (found.facts.audio.clone(), found.zero_ns));
    let number = |file: &str| bundled.number_of(file).unwrap_or(0);
    let mut sound = Vec::new();
    for essence in &bundled.delivery.audio {
        let mut parts = Vec::new();
        for (n, track) in wanted(essence, number) {
            let (tracks, zero_ns) = match known.entry(n) {
                Entry::Occupied(there) => there.into_mut(),
                Entry::Vacant(free) => {
                    let other = look(&source(n)?)?;
                    free.insert((other.facts.audio, other.zero_ns))
                }
            };
            let track = (track as usize).checked_sub(1).and_then(|place| tracks.get(place));
            let file = &bundled.files[n as usize].file;
            let track = track.ok_or_else(|| {
                let why = format!(
                    "`{file}` has {} audio tracks, and the manifest wants another",
                    tracks.len()
                );
                Error::refused(Code::DamagedMaster, why)
            })?;
            parts.push((n, track.clone(), *zero_ns, file.clone()));
        }
        sound.push(put_together(essence, &parts)?);
    }
    if !bundled.delivery.own_sound && !sound.is_empty() {
        found.facts.audio.clear();
    }
    found.facts.audio.extend(sound);
    for essence in &bundled.delivery.text {
        let n = number(&essence.file);
        found.facts.text.push(subtitles(essence, n, &source(n)?)?);
    }
    if let Some(n) = bundled.poster() {
        poster(&source(n)?, &bundled.files[n as usize].file)?;
    }
    found.facts.delivery = Some(bundled);
    Ok(())
}

/// Files and their tracks, from 1.
fn wanted(essence: &AudioEssence, number: impl Fn(&str) -> u32) -> Vec<(u32, u32)> {
    let track = essence.tracks.first().copied().unwrap_or(1);
    match &essence.file {
        _ if !essence.files.is_empty() => {
            essence.files.iter().map(|file| (number(file), track)).collect()
        }
        file => {
            let n = file.as_deref().map_or(0, number);
            let tracks = if essence.tracks.is_empty() { &[1][..] } else { &essence.tracks };
            tracks.iter().map(|track| (n, *track)).collect()
        }
    }
}

fn put_together(
    essence: &AudioEssence,
    parts: &[(u32, AudioTrack, i64, String)],
) -> Result<AudioTrack, Error> {
    let Some((_, first, zero_ns, _)) = parts.first() else {
        return Err(Error::Step("put sound together"));
    };
    if let Some((.., file)) =
        parts.iter().find(|(_, track, ..)| parts.len() > 1 && track.channels != 1)
    {
        let why = format!(
            "a track of `{file}` has several channels, where the manifest wants one of each"
        );
        return Err(Error::refused(Code::DamagedMaster, why));
    }
    let layout = essence.channels.map(|channels| match channels {
        Channels::Stereo => "stereo".to_owned(),
        Channels::Surround => "5.1".to_owned(),
    });
    let channels = match parts.len() {
        1 => first.channels,
        several => u32::try_from(several).unwrap_or(u32::MAX),
    };
    let part = |(source, track, ..): &(u32, AudioTrack, i64, String)| SoundPart {
        source: *source,
        stream: track.stream.clone(),
    };
    Ok(AudioTrack {
        channels,
        layout: layout.or_else(|| first.layout.clone()),
        language: essence.language.clone().or_else(|| first.language.clone()),
        end_ns: parts.iter().map(|(_, track, ..)| track.end_ns).max().unwrap_or(first.end_ns),
        delivered: Some(DeliveredSound {
            parts: parts.iter().map(part).collect(),
            name: essence.name.clone(),
            zero_ns: *zero_ns,
        }),
        ..first.clone()
    })
}

fn subtitles(essence: &TextEssence, source: u32, file: &Master) -> Result<TextTrack, Error> {
    let (format, subtitles) = read(file, &essence.file)?;
    let codec = match format {
        Format::Srt => "SubRip",
        Format::WebVtt => "WebVTT",
        Format::Ttml => "TTML",
    };
    Ok(TextTrack {
        stream: String::new(),
        codec: codec.to_owned(),
        media_type: FILE.to_owned(),
        language: essence.language.clone(),
        title: essence.name.clone(),
        cues: subtitles.cues.len() as u64,
        delivered: Some(DeliveredText {
            source,
            purpose: essence.purpose,
            starts_at_ms: essence.starts_at_ms,
        }),
    })
}

/// The most that a poster may have: as many bytes as one of 8K in good quality.
const LARGEST_POSTER: u64 = 32 << 20;

/// Reads a poster, which is `name` to people. It is stored as it is, and so it has to be what its name there says.
pub(crate) fn poster(file: &Master, name: &str) -> Result<Vec<u8>, Error> {
    let refuse = |why: String| Error::refused(Code::DamagedMaster, why);
    let bytes = file
        .content(LARGEST_POSTER)
        .map_err(|e| refuse(format!("the poster `{name}` cannot be read: {e}")))?;
    match check::picture(&bytes) {
        None => Ok(bytes),
        Some(_) => Err(refuse(format!("the poster `{name}` is no JPEG: have it saved as one"))),
    }
}

/// Reads a file of subtitles, which is `name` to people.
pub(crate) fn read(file: &Master, name: &str) -> Result<(Format, Subtitles), Error> {
    let refuse = |why: String| Error::refused(Code::DamagedMaster, why);
    let bytes =
        file.content(MOST_TEXT).map_err(|e| refuse(format!("`{name}` cannot be read: {e}")))?;
    let neither = || refuse(format!("`{name}` is neither SubRip nor WebVTT nor TTML"));
    let text = match decoded(&bytes) {
        Some(text) => text,
        // No encoding of letters in bytes has a zero.
        None if bytes.contains(&0) => return Err(neither()),
        None => {
            return Err(refuse(format!(
                "`{name}` is neither UTF-8 nor UTF-16: have it saved as UTF-8"
            )));
        }
    };
    let format = Format::of(&text).ok_or_else(neither)?;
    let read = Subtitles::read(format, &text).map_err(|e| refuse(format!("`{name}`, {e}")))?;
    Ok((format, read))
}

/// Text in UTF-8, or in UTF-16 that says so. Anything else would be a guess, and show wrong letters.
fn decoded(bytes: &[u8]) -> Option<String> {
    let wide = |rest: &[u8], unit: fn([u8; 2]) -> u16| {
        let units: Vec<u16> = rest.chunks_exact(2).map(|pair| unit([pair[0], pair[1]])).collect();
        String::from_utf16(&units).ok()
    };
    match bytes {
        [0xff, 0xfe, rest @ ..] => wide(rest, u16::from_le_bytes),
        [0xfe, 0xff, rest @ ..] => wide(rest, u16::from_be_bytes),
        _ => String::from_utf8(bytes.to_vec()).ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::decoded;

    #[test]
    fn text_is_read_as_what_it_says_that_it_is() {
        let little: Vec<u8> = "\u{feff}Für".encode_utf16().flat_map(u16::to_le_bytes).collect();
        let big: Vec<u8> = "\u{feff}Für".encode_utf16().flat_map(u16::to_be_bytes).collect();
        assert_eq!(decoded(&little).as_deref(), Some("Für"));
        assert_eq!(decoded(&big).as_deref(), Some("Für"));
        assert_eq!(decoded("Für".as_bytes()).as_deref(), Some("Für"));
        assert_eq!(decoded(b"F\xfcr"), None, "in Latin-1, or in one of many others");
    }
}
