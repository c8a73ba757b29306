//! What a pipeline makes of a master's flaws: which are told, which have to be looked at by somebody, which are too many.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::flaw::{Flaw, FlawKind};
use crate::history::counted;
use crate::refusal::{Code, Refusal};

/// A kind of flaw, as pipelines name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FlawClass {
    /// [`FlawKind::Black`].
    Black,
    /// [`FlawKind::Freeze`].
    Freeze,
    /// [`FlawKind::Pulldown`].
    Pulldown,
    /// [`FlawKind::Silence`].
    Silence,
    /// [`FlawKind::Clipping`].
    Clipping,
    /// [`FlawKind::Loudness`].
    Loudness,
    /// [`FlawKind::DroppedFrames`].
    DroppedFrames,
    /// [`FlawKind::LengthMismatch`].
    LengthMismatch,
}

impl FlawClass {
    /// All of them.
    pub const ALL: [FlawClass; 8] = [
        FlawClass::Black,
        FlawClass::Freeze,
        FlawClass::Pulldown,
        FlawClass::Silence,
        FlawClass::Clipping,
        FlawClass::Loudness,
        FlawClass::DroppedFrames,
        FlawClass::LengthMismatch,
    ];

    /// Its key in a pipeline: `dropped_frames`.
    pub fn key(self) -> &'static str {
        match self {
            FlawClass::Black => "black",
            FlawClass::Freeze => "freeze",
            FlawClass::Pulldown => "pulldown",
            FlawClass::Silence => "silence",
            FlawClass::Clipping => "clipping",
            FlawClass::Loudness => "loudness",
            FlawClass::DroppedFrames => "dropped_frames",
            FlawClass::LengthMismatch => "length_mismatch",
        }
    }
}

/// What follows from a flaw.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "kebab-case")]
pub enum Judgement {
    /// Nothing: it is not even told.
    Accept,
    /// It is told.
    #[default]
    Warn,
    /// The title is held until somebody has looked at it and releases it.
    Hold,
    /// The master is rejected.
    Reject,
}

impl Judgement {
    /// All, mildest first.
    pub const ALL: [Judgement; 4] =
        [Judgement::Accept, Judgement::Warn, Judgement::Hold, Judgement::Reject];

    /// Its word in a pipeline.
    pub fn word(self) -> &'static str {
        match self {
            Judgement::Accept => "accept",
            Judgement::Warn => "warn",
            Judgement::Hold => "hold",
            Judgement::Reject => "reject",
        }
    }
}

/// How loud a track is (EBU R 128).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Loudness {
    /// The track, as the demuxer names it.
    pub track: String,
    /// Integrated loudness in LUFS.
    pub integrated: f64,
    /// Loudness range in LU (EBU Tech 3342).
    pub range: f64,
    /// Highest true peak in dBTP (ITU-R BS.1770, annex 2).
    pub true_peak: f64,
}

/// What was seen and heard of a title, or of a part of it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Seen {
    /// What is wrong.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub flaws: Vec<Flaw>,
    /// How loud tracks are.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub loudness: Vec<Loudness>,
}

impl Seen {
    /// Whether there is nothing to say.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// What parts saw, put together.
    pub fn of(parts: impl IntoIterator<Item = Seen>) -> Self {
        let mut all = Self::default();
        for part in parts {
            all.flaws.extend(part.flaws);
            all.loudness.extend(part.loudness);
        }
        all
    }
}

/// What follows from the flaws of a master that is not rejected.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Verdict {
    /// What its history tells of, one line each.
    pub told: Vec<String>,
    /// Whether somebody has to look at it before it goes on.
    pub hold: bool,
}

/// What a pipeline says of flaws. None of it changes a segment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct QualityRules {
    /// What follows from each kind; [`Judgement::Warn`] for those that are not here.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub judgements: BTreeMap<FlawClass, Judgement>,
    /// Black and still pictures, and silence, of less than so many milliseconds are no flaws.
    pub black_ms: u64,
    /// Likewise.
    pub freeze_ms: u64,
    /// Likewise.
    pub silence_ms: u64,
    /// Quietest and loudest integrated loudness that is no flaw, in LUFS; none takes any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub loudness: Option<(f64, f64)>,
}

impl Default for QualityRules {
    /// Films fade to black for a second or two, and titles stand still for some.
    fn default() -> Self {
        Self {
            judgements: BTreeMap::new(),
            black_ms: 3_000,
            freeze_ms: 5_000,
            silence_ms: 5_000,
            loudness: None,
        }
    }
}

/// Film that was made tape is told from so many milliseconds on: less than that happens by chance.
const PULLDOWN_MS: u64 = 3_000;

/// Two flaws that are no further apart than this are one: a span ends with its last frame, the next begins one frame on.
const ONE_MS: u64 = 100;

impl QualityRules {
    /// Whether nothing is said.
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }

    /// What follows from a flaw.
    pub fn of(&self, flaw: &Flaw) -> Judgement {
        self.judgements.get(&flaw.kind.class()).copied().unwrap_or_default()
    }

    /// How long a flaw of this kind lasts at least.
    pub fn least_ms(&self, kind: &FlawKind) -> u64 {
        match kind {
            FlawKind::Black => self.black_ms,
            FlawKind::Freeze => self.freeze_ms,
            FlawKind::Silence => self.silence_ms,
            FlawKind::Pulldown => PULLDOWN_MS,
            _ => 0,
        }
    }

    /// The flaws of a title from what was seen of its parts: what goes on from one part into the next becomes one, what is
    /// too short or accepted is left out.
    pub fn told(&self, seen: &Seen) -> Vec<Flaw> {
        let off = |sound: &&Loudness| {
            self.loudness.is_some_and(|(least, most)| !(least..=most).contains(&sound.integrated))
        };
        let loudness = seen.loudness.iter().filter(off).map(|sound| Flaw {
            kind: FlawKind::Loudness { lufs: sound.integrated },
            track: Some(sound.track.clone()),
            from_ms: 0,
            to_ms: 0,
        });
        let mut found: Vec<Flaw> = seen.flaws.iter().cloned().chain(loudness).collect();
        found.sort_by(|a, b| {
            let key = |f: &Flaw| (f.kind.class(), f.track.clone(), f.from_ms, f.to_ms);
            key(a).cmp(&key(b))
        });
        let mut told: Vec<Flaw> = Vec::new();
        for flaw in found {
            match told.last_mut() {
                Some(last)
                    if last.kind.goes_on(&flaw.kind)
                        && last.track == flaw.track
                        && flaw.from_ms <= last.to_ms + ONE_MS =>
                {
                    last.to_ms = last.to_ms.max(flaw.to_ms);
                }
                _ => told.push(flaw),
            }
        }
        told.retain(|flaw| {
            flaw.to_ms - flaw.from_ms >= self.least_ms(&flaw.kind)
                && self.of(flaw) != Judgement::Accept
        });
        told.sort_by_key(|flaw| (flaw.from_ms, flaw.to_ms));
        told
    }

    /// What follows from all of them: the hardest that any of them deserves, and a sentence with those that do.
    pub fn judge(&self, flaws: &[Flaw]) -> (Judgement, String) {
        /// More than a person reads.
        const SHOWN: usize = 3;
        let worst = flaws.iter().map(|f| self.of(f)).max().unwrap_or(Judgement::Accept);
        let those: Vec<String> =
            flaws.iter().filter(|f| self.of(f) == worst).map(Flaw::to_string).collect();
        let mut text = those.iter().take(SHOWN).cloned().collect::<Vec<_>>().join("; ");
        if let Some(more @ 1..) = those.len().checked_sub(SHOWN) {
            text += &format!("; and {} more", counted(more as u64, "place"));
        }
        (worst, text)
    }

    /// What follows from what was seen of a title.
    ///
    /// # Errors
    /// The refusal of a master with a flaw that is to be rejected.
    pub fn verdict(&self, seen: &Seen) -> Result<Verdict, Refusal> {
        /// More lines would bury the rest of a title's history; its report has them all.
        const LINES: usize = 20;
        let flaws = self.told(seen);
        let (judgement, text) = self.judge(&flaws);
        if judgement == Judgement::Reject {
            return Err(Refusal::new(Code::QualityRejected, text));
        }
        let mut told: Vec<String> = flaws.iter().take(LINES).map(Flaw::to_string).collect();
        if let Some(more @ 1..) = flaws.len().checked_sub(LINES) {
            told.push(counted(more as u64, "more flaw"));
        }
        Ok(Verdict { told, hold: judgement == Judgement::Hold })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flaw(kind: FlawKind, from_ms: u64, to_ms: u64) -> Flaw {
        Flaw { kind, track: None, from_ms, to_ms }
    }

    #[test]
    fn what_goes_on_across_spans_is_one_flaw() {
        let rules = QualityRules::default();
        let found = vec![
            flaw(FlawKind::Black, 60_000, 62_000),
            flaw(FlawKind::Freeze, 60_000, 61_000),
            flaw(FlawKind::Black, 58_500, 59_960),
            flaw(FlawKind::Black, 100_000, 102_999),
        ];
        let seen = Seen { flaws: found, ..Seen::default() };
        let told: Vec<String> = rules.told(&seen).iter().map(Flaw::to_string).collect();
        assert_eq!(told, ["the picture is black from 0:00:58.500 to 0:01:02.000"]);
    }

    #[test]
    fn loudness_counts_where_limits_are_set() {
        let track = |integrated: f64| Loudness {
            track: "002".to_owned(),
            integrated,
            range: 6.0,
            true_peak: -1.5,
        };
        let seen = Seen { flaws: vec![], loudness: vec![track(-23.2), track(-31.4)] };
        assert!(QualityRules::default().told(&seen).is_empty());
        let rules = QualityRules { loudness: Some((-24.0, -22.0)), ..QualityRules::default() };
        let told: Vec<String> = rules.told(&seen).iter().map(Flaw::to_string).collect();
        assert_eq!(told, ["track 002 has -31.4 LUFS"]);
    }

    #[test]
    fn the_hardest_judgement_counts() {
        let mut rules = QualityRules::default();
        rules.judgements.insert(FlawClass::Freeze, Judgement::Hold);
        rules.judgements.insert(FlawClass::Silence, Judgement::Accept);
        rules.judgements.insert(FlawClass::DroppedFrames, Judgement::Reject);
        let frozen = flaw(FlawKind::Freeze, 0, 9_000);
        let black = flaw(FlawKind::Black, 0, 9_000);
        let silent = flaw(FlawKind::Silence, 0, 9_000);
        let dropped = |at| flaw(FlawKind::DroppedFrames { frames: 1 }, at, at + 40);
        assert!(rules.told(&Seen { flaws: vec![silent], ..Seen::default() }).is_empty());
        assert_eq!(rules.judge(&[]), (Judgement::Accept, String::new()));
        assert_eq!(rules.judge(std::slice::from_ref(&black)).0, Judgement::Warn);
        let (judgement, text) = rules.judge(&[black.clone(), frozen.clone()]);
        assert_eq!(judgement, Judgement::Hold);
        assert_eq!(text, "the picture stands still from 0:00:00.000 to 0:00:09.000");
        let seen = |flaws: &[Flaw]| Seen { flaws: flaws.to_vec(), ..Seen::default() };
        let held = rules.verdict(&seen(&[black.clone(), frozen.clone()])).unwrap();
        assert_eq!((held.told.len(), held.hold), (2, true));
        let all: Vec<Flaw> = (1..6).map(|n| dropped(n * 1000)).chain([frozen, black]).collect();
        let refused = rules.verdict(&seen(&all)).unwrap_err();
        assert_eq!(refused.code, Code::QualityRejected);
        assert!(refused.message.ends_with("; and 2 places more"), "{}", refused.message);
    }
}
