//! Reads `[quality]`: what follows from flaws that a look at all of a master finds.

use headwater_model::quality::{FlawClass, Judgement, QualityRules};

use crate::document::{Field, Section};

/// Keys of `[quality]`.
pub(super) const KEYS: &[&str] = &[
    "black",
    "freeze",
    "pulldown",
    "silence",
    "clipping",
    "loudness",
    "dropped_frames",
    "length_mismatch",
    "black_seconds",
    "freeze_seconds",
    "silence_seconds",
    "loudness_lufs",
];

/// How long something lasts at least to be a flaw, in seconds: less than a blink is a cut between scenes.
const SECONDS: std::ops::RangeInclusive<f64> = 0.2..=3600.0;

/// Integrated loudness in LUFS.
const LUFS: std::ops::RangeInclusive<f64> = -70.0..=0.0;

/// Every key may be left out. `None`: something is wrong.
pub(super) fn read(section: &Section<'_>) -> Option<QualityRules> {
    let mut rules = QualityRules::default();
    let mut all_good = true;
    for class in FlawClass::ALL {
        let Some(field) = section.get(class.key()) else { continue };
        match judgement(&field) {
            Some(judgement) => drop(rules.judgements.insert(class, judgement)),
            None => all_good = false,
        }
    }
    let lengths = [
        ("black_seconds", &mut rules.black_ms),
        ("freeze_seconds", &mut rules.freeze_ms),
        ("silence_seconds", &mut rules.silence_ms),
    ];
    for (key, length) in lengths {
        let Some(field) = section.get(key) else { continue };
        match field.seconds_as_ms(SECONDS, "films fade for a second or two") {
            Some(ms) => *length = ms.into(),
            None => all_good = false,
        }
    }
    if let Some(field) = section.get("loudness_lufs") {
        rules.loudness = limits(&field);
        all_good &= rules.loudness.is_some();
    }
    // What is no different from the default should not make pipelines differ either.
    rules.judgements.retain(|_, judgement| *judgement != Judgement::default());
    all_good.then_some(rules)
}

fn judgement(field: &Field<'_>) -> Option<Judgement> {
    let words = Judgement::ALL.map(Judgement::word);
    let word = field.one_of(&words, "judgement of a flaw")?;
    Judgement::ALL.into_iter().find(|judgement| judgement.word() == word)
}

/// `[-24, -22]`.
fn limits(field: &Field<'_>) -> Option<(f64, f64)> {
    let hint = "the quietest and the loudest that is right: `[-24, -22]`";
    let items = field.items()?;
    let [least, most] = items.as_slice() else {
        field.reject(format!("{field} are not two numbers"), Some(hint.to_owned()));
        return None;
    };
    let (least, most) = (least.number(LUFS, hint)?, most.number(LUFS, hint)?);
    if least >= most {
        field.reject(format!("{field} leaves nothing between them"), Some(hint.to_owned()));
        return None;
    }
    Some((least, most))
}
