//! What is odd about a master: found by looking at all of it, told to people with times, and weighed by the pipeline.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::history::counted;
use crate::master::MasterFacts;
use crate::quality::FlawClass;
use crate::time::NS;

/// Something odd, and where.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Flaw {
    /// What it is.
    #[serde(flatten)]
    pub kind: FlawKind,
    /// Track, as the demuxer names it; none where it is about the whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub track: Option<String>,
    /// When it begins, in milliseconds of the presentation.
    pub from_ms: u64,
    /// When it ends, likewise; the same for what is at one moment.
    pub to_ms: u64,
}

/// What can be odd.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "kind")]
pub enum FlawKind {
    /// Nothing is to be seen.
    Black,
    /// The same picture again and again.
    Freeze,
    /// Film that was made tape: of five frames one repeats the picture before (3:2 pulldown).
    Pulldown,
    /// Nothing is to be heard.
    Silence,
    /// Samples at full scale, one after the other: what was louder is cut off.
    Clipping,
    /// Frames are missing between two of even distance.
    DroppedFrames {
        /// How many.
        frames: u64,
    },
    /// A track ends before the picture, or goes on after it.
    LengthMismatch {
        /// By how many milliseconds it is longer than the picture; negative: shorter.
        longer_ms: i64,
    },
    /// A track is quieter or louder than the pipeline takes.
    Loudness {
        /// Its integrated loudness (EBU R 128), in LUFS.
        lufs: f64,
    },
}

impl FlawKind {
    /// What rules are made for.
    pub fn class(&self) -> FlawClass {
        match self {
            FlawKind::Black => FlawClass::Black,
            FlawKind::Freeze => FlawClass::Freeze,
            FlawKind::Pulldown => FlawClass::Pulldown,
            FlawKind::Silence => FlawClass::Silence,
            FlawKind::Clipping => FlawClass::Clipping,
            FlawKind::Loudness { .. } => FlawClass::Loudness,
            FlawKind::DroppedFrames { .. } => FlawClass::DroppedFrames,
            FlawKind::LengthMismatch { .. } => FlawClass::LengthMismatch,
        }
    }

    /// Whether `next`, right after it, is still the same: of what lasts.
    pub fn goes_on(&self, next: &FlawKind) -> bool {
        let lasts = matches!(
            self,
            FlawKind::Black
                | FlawKind::Freeze
                | FlawKind::Pulldown
                | FlawKind::Silence
                | FlawKind::Clipping
        );
        lasts && self.class() == next.class()
    }
}

/// Milliseconds as people read them beside a player.
struct Clock(u64);

impl fmt::Display for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (ms, s) = (self.0 % 1000, self.0 / 1000);
        write!(f, "{}:{:02}:{:02}.{ms:03}", s / 3600, s / 60 % 60, s % 60)
    }
}

impl fmt::Display for Flaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (from, to) = (Clock(self.from_ms), Clock(self.to_ms));
        let track = match &self.track {
            Some(track) => format!("track {track}"),
            None => "the master".to_owned(),
        };
        match &self.kind {
            FlawKind::Black => write!(f, "the picture is black from {from} to {to}"),
            FlawKind::Freeze => write!(f, "the picture stands still from {from} to {to}"),
            FlawKind::Pulldown => {
                write!(f, "film with 3:2 pulldown (4 pictures in 5 frames) from {from} to {to}")
            }
            FlawKind::Silence => write!(f, "{track} is silent from {from} to {to}"),
            FlawKind::Clipping => write!(f, "{track} is clipped from {from} to {to}"),
            FlawKind::DroppedFrames { frames } => {
                write!(f, "{} missing at {from}", counted(*frames, "frame"))
            }
            FlawKind::LengthMismatch { longer_ms } => {
                let seconds = longer_ms.unsigned_abs() as f64 / 1000.0;
                match *longer_ms > 0 {
                    true => write!(f, "{track} goes on for {seconds:.1} s after the picture"),
                    false => write!(f, "{track} ends {seconds:.1} s before the picture"),
                }
            }
            FlawKind::Loudness { lufs } => write!(f, "{track} has {lufs:.1} LUFS"),
        }
    }
}

/// A track that is longer or shorter than the picture by more than this is told of.
const LENGTHS_DIFFER_NS: i64 = 500_000_000;

/// Gaps in more than one of so many frames are how the master is, such as a phone's, and no flaw.
const GAPS_ARE_RARE: usize = 50;

/// What the times of its frames (ascending nanoseconds) and the lengths of its tracks say of a master.
pub fn in_times(facts: &MasterFacts, times: &[i64]) -> Vec<Flaw> {
    let ms = |ns: i64| u64::try_from(ns / 1_000_000).unwrap_or(0);
    let zero = times.first().copied().unwrap_or(0);
    let mut flaws = Vec::new();
    let mut lengths: Vec<i64> = times.windows(2).map(|w| w[1] - w[0]).collect();
    lengths.sort_unstable();
    let usual = lengths.get(lengths.len() / 2).copied().unwrap_or(NS).max(1);
    let missing = |length: i64| (length + usual / 2) / usual - 1;
    let gaps: Vec<(i64, i64)> = times
        .windows(2)
        .map(|w| (w[0] + usual, missing(w[1] - w[0])))
        .filter(|(_, missing)| *missing > 0)
        .collect();
    if gaps.len() * GAPS_ARE_RARE <= times.len() {
        flaws.extend(gaps.iter().map(|(at, missing)| Flaw {
            kind: FlawKind::DroppedFrames { frames: missing.unsigned_abs() },
            track: None,
            from_ms: ms(at - zero),
            to_ms: ms(at - zero + missing * usual),
        }));
    }
    let end = facts.video.first().map(|video| video.end_ns).filter(|end| *end > 0);
    for (audio, end) in facts.audio.iter().zip(end.into_iter().cycle()) {
        let longer = audio.end_ns - end;
        if longer.abs() > LENGTHS_DIFFER_NS {
            flaws.push(Flaw {
                kind: FlawKind::LengthMismatch { longer_ms: longer / 1_000_000 },
                track: Some(audio.stream.clone()),
                from_ms: ms(end.min(audio.end_ns)),
                to_ms: ms(end.max(audio.end_ns)),
            });
        }
    }
    flaws
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::tests::facts_of;
    use crate::time::FrameRate;

    fn told(times: &[i64], ends: (i64, i64)) -> Vec<String> {
        let mut facts = facts_of(Some(FrameRate::PAL));
        facts.video[0].end_ns = ends.0;
        facts.audio[0].end_ns = ends.1;
        in_times(&facts, times).iter().map(Flaw::to_string).collect()
    }

    #[test]
    fn missing_frames_are_counted_and_placed() {
        let times: Vec<i64> = (0..500)
            .filter(|n| !(100..103).contains(n) && *n != 300)
            .map(|n| FrameRate::PAL.frame_ns(n))
            .collect();
        assert_eq!(
            told(&times, (20 * NS, 20 * NS)),
            ["3 frames missing at 0:00:04.000", "1 frame missing at 0:00:12.000"]
        );
        let phone: Vec<i64> =
            (0..500).filter(|n| n % 5 != 0).map(|n| FrameRate::PAL.frame_ns(n)).collect();
        assert!(told(&phone, (20 * NS, 20 * NS)).is_empty(), "that is how phones are");
    }

    #[test]
    fn sound_of_another_length_is_told() {
        let times: Vec<i64> = (0..500).map(|n| FrameRate::PAL.frame_ns(n)).collect();
        assert_eq!(
            told(&times, (20 * NS, 23 * NS)),
            ["track 002 goes on for 3.0 s after the picture"]
        );
        assert_eq!(told(&times, (20 * NS, 16 * NS)), ["track 002 ends 4.0 s before the picture"]);
        assert!(told(&times, (20 * NS, 20 * NS + 32_000_000)).is_empty());
    }
}
