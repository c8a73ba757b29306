//! One language, the three ways that a package must spell it: for boxes, for manifests and for people.

use isolang::Language;

/// What boxes say when the language is not known (ISO 639-2).
pub const UNDETERMINED: &str = "und";

/// Bibliographic codes of ISO 639-2, which tapes and broadcasters use, with the terminologic ones, which files must
/// use. ISO 639-2 has exactly these twenty.
const BIBLIOGRAPHIC: [(&str, &str); 20] = [
    ("alb", "sqi"),
    ("arm", "hye"),
    ("baq", "eus"),
    ("bur", "mya"),
    ("chi", "zho"),
    ("cze", "ces"),
    ("dut", "nld"),
    ("fre", "fra"),
    ("geo", "kat"),
    ("ger", "deu"),
    ("gre", "ell"),
    ("ice", "isl"),
    ("mac", "mkd"),
    ("mao", "mri"),
    ("may", "msa"),
    ("per", "fas"),
    ("rum", "ron"),
    ("slo", "slk"),
    ("tib", "bod"),
    ("wel", "cym"),
];

/// The language that a tag's first part names, in whichever of its codes. `en-GB`, `eng` and `EN` are English.
fn find(tag: &str) -> Option<Language> {
    let primary = tag.split(['-', '_']).next()?.to_ascii_lowercase();
    match primary.len() {
        2 => Language::from_639_1(&primary),
        3 => {
            let code = BIBLIOGRAPHIC.iter().find(|(b, _)| *b == primary).map(|(_, t)| *t);
            Language::from_639_3(code.unwrap_or(&primary))
        }
        _ => None,
    }
    .filter(|l| l.to_639_3() != UNDETERMINED)
}

/// For `mdhd` (ISO/IEC 14496-12, 8.4.2): the three-letter code of ISO 639-2/T, [`UNDETERMINED`] for what has none.
pub fn for_boxes(tag: Option<&str>) -> &'static str {
    tag.and_then(find).map_or(UNDETERMINED, |l| l.to_639_3())
}

/// For `LANGUAGE` and `@lang` (BCP 47): the shortest code, and what the tag says beyond it. `eng-US` becomes `en-US`.
/// `None` for what is no language.
pub fn for_manifests(tag: &str) -> Option<String> {
    let language = find(tag)?;
    let code = language.to_639_1().unwrap_or(language.to_639_3());
    let subtags = tag.split(['-', '_']).skip(1);
    let usable =
        |s: &&str| (1..=8).contains(&s.len()) && s.bytes().all(|b| b.is_ascii_alphanumeric());
    Some(subtags.filter(usable).fold(code.to_owned(), |tag, subtag| format!("{tag}-{subtag}")))
}

/// For people: the language's English name. `None` for what is no language.
pub fn for_people(tag: &str) -> Option<&'static str> {
    find(tag).map(|l| l.to_name())
}

#[cfg(test)]
mod tests;
