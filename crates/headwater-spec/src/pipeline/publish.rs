//! Reads `[publish]`: what has to be proven, and on which origins, before a title of this pipeline is published.

use headwater_model::origin::{PublishRules, Verify};

use crate::document::{Field, Section};

/// Keys of `[publish]`.
pub(super) const KEYS: &[&str] = &["required", "min_copies", "verify"];

/// What `verify` may be.
const WAYS: [(&str, Verify); 3] =
    [("listing", Verify::Listing), ("read", Verify::Read), ("edge", Verify::Edge)];

/// More copies than anybody has origins.
const MOST_COPIES: u32 = 16;

/// Every key may be left out: then what is configured for all titles holds. `None`: something is wrong.
pub(super) fn read(section: &Section<'_>) -> Option<PublishRules> {
    let required = read_if_there(section, "required", |field| names(&field))?;
    let hint = "at least 1, and at least as many as are required";
    let min_copies =
        read_if_there(section, "min_copies", |field| field.whole(1..=MOST_COPIES, hint))?;
    let verify = read_if_there(section, "verify", |field| {
        let words = WAYS.map(|(word, _)| word);
        let word = field.one_of(&words, "way to prove a package")?;
        WAYS.iter().find(|(known, _)| *known == word).map(|(_, way)| *way)
    })?;
    if let (Some(required), Some(copies), Some(field)) =
        (&required, min_copies, section.get("min_copies"))
        && (copies as usize) < required.len()
    {
        let message = format!("{copies} is less than the {} origins required", required.len());
        field.reject(message, Some(format!("`min_copies = {}`", required.len())));
        return None;
    }
    Some(PublishRules { required, min_copies: min_copies.map(|copies| copies as usize), verify })
}

/// `None`: it is there and wrong.
fn read_if_there<'d, T>(
    section: &Section<'d>,
    key: &str,
    read: impl FnOnce(Field<'d>) -> Option<T>,
) -> Option<Option<T>> {
    match section.get(key) {
        Some(field) => read(field).map(Some),
        None => Some(None),
    }
}

/// Names of origins, none twice. Whether there are such origins only the configuration knows.
fn names(field: &Field<'_>) -> Option<Vec<String>> {
    let mut names: Vec<String> = Vec::new();
    let mut all_good = true;
    for item in field.items()? {
        match item.text() {
            Some(name) if names.iter().any(|known| known == name) => {
                item.reject(format!("`{name}` is required twice"), None);
                all_good = false;
            }
            Some(name) => names.push(name.to_owned()),
            None => all_good = false,
        }
    }
    all_good.then_some(names)
}
