//! Reads `[audio]`: what becomes of the sound.

use headwater_model::pipeline::{Audio, AudioEncode, USUAL_PEAK};

use super::{copies, encoders};
use crate::document::{Field, Section};

/// Keys of `[audio]`.
pub(super) const KEYS: &[&str] = &[
    "mode",
    "encoders",
    "kbps",
    "sample_rate",
    "channels",
    "surround_kbps",
    "loudness",
    "true_peak",
];

/// Targets of integrated loudness in LUFS, from what cinemas measure to what the loudest music service plays.
const LOUDNESS: std::ops::RangeInclusive<f64> = -31.0..=-9.0;

/// Ceilings of true peaks in dBTP.
const TRUE_PEAK: std::ops::RangeInclusive<f64> = -9.0..=0.0;

/// GStreamer factories that make AAC-LC and take a bit rate.
pub(super) const ENCODERS: &[&str] = &["avenc_aac", "fdkaacenc"];

/// What every player and every AAC decoder takes.
const SAMPLE_RATES: [u32; 2] = [44_100, 48_000];

/// Bit rate of a track in kbit/s.
const KBPS: std::ops::RangeInclusive<u32> = 32..=512;

/// Bit rate of six channels in kbit/s.
const SURROUND_KBPS: std::ops::RangeInclusive<u32> = 192..=1024;

/// Least kbit/s of a channel: below it AAC-LC is audibly damaged, that is the ground of HE-AAC.
const LEAST_PER_CHANNEL: u32 = 32;

/// Most kbit/s of a channel: a frame of 1024 samples carries at most 6,144 bits per channel (ISO/IEC 14496-3), which are
/// 264 kbit/s at 44.1 kHz; an encoder that needs a little room for its own swings keeps below 256.
const MOST_PER_CHANNEL: u32 = 256;

pub(super) fn read(section: &Section<'_>) -> Option<Audio> {
    if copies(section)? {
        return Some(Audio::Copy);
    }
    let encoders = encoders(section, ENCODERS);
    let channels = section
        .need("channels", "add `channels = 2`")
        .and_then(|f| f.whole(1..=2, "mono and stereo are what this version makes"));
    let sample_rate =
        section.need("sample_rate", "add `sample_rate = 48000`").and_then(|f| sample_rate(&f));
    let kbps = section.need("kbps", "add `kbps = 128`").and_then(|f| kbps(&f, channels));
    let surround_kbps = match section.get("surround_kbps") {
        Some(field) => Some(field.whole(SURROUND_KBPS, "384 is usual for 5.1")?),
        None => None,
    };
    let loudness = match section.get("loudness") {
        Some(field) => {
            let hint = "-23 is broadcast in Europe, -24 in America, -16 what mobile players expect";
            Some(field.number(LOUDNESS, hint)?)
        }
        None => None,
    };
    let true_peak = match section.get("true_peak") {
        Some(field) => field.number(TRUE_PEAK, "-1 leaves room for what encoders overshoot by")?,
        None => USUAL_PEAK,
    };
    Some(Audio::Encode(AudioEncode {
        encoders: encoders?,
        kbps: kbps?,
        sample_rate: sample_rate?,
        channels: channels?,
        surround_kbps,
        loudness,
        true_peak,
    }))
}

fn sample_rate(field: &Field<'_>) -> Option<u32> {
    let hint = "48000 suits film and television, 44100 music";
    let rate = field.whole(SAMPLE_RATES[0]..=SAMPLE_RATES[1], hint)?;
    if SAMPLE_RATES.contains(&rate) {
        return Some(rate);
    }
    field.reject(format!("{field} is neither 44100 nor 48000"), Some(hint.to_owned()));
    None
}

fn kbps(field: &Field<'_>, channels: Option<u32>) -> Option<u32> {
    let kbps = field.whole(KBPS, "128 is right for stereo, 64 for mono")?;
    let Some(channels) = channels else { return Some(kbps) };
    let (least, most) = (LEAST_PER_CHANNEL * channels, MOST_PER_CHANNEL * channels);
    if (least..=most).contains(&kbps) {
        return Some(kbps);
    }
    let sound = if channels == 1 { "mono" } else { "stereo" };
    let hint = format!("AAC-LC carries {sound} well at {least} to {most}");
    field.reject(format!("{field} cannot be reached with {sound} sound"), Some(hint));
    None
}
