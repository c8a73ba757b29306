//! What masters call a language, and what becomes of it.

use super::*;

#[test]
fn every_spelling_of_a_language_is_understood() {
    for tag in ["de", "deu", "ger", "DE", "de-AT", "ger_AT"] {
        assert_eq!(for_boxes(Some(tag)), "deu", "{tag}");
        assert_eq!(for_people(tag), Some("German"), "{tag}");
    }
    assert_eq!(for_manifests("ger").as_deref(), Some("de"));
    assert_eq!(for_manifests("eng-US").as_deref(), Some("en-US"));
    assert_eq!(for_manifests("zho-Hant-TW").as_deref(), Some("zh-Hant-TW"));
    // A language without a two-letter code keeps three.
    assert_eq!(for_manifests("fil").as_deref(), Some("fil"));
}

#[test]
fn what_is_no_language_is_undetermined() {
    for tag in ["und", "", "x", "q0", "qqqq", "\u{e9}n", "english"] {
        assert_eq!(for_boxes(Some(tag)), "und", "{tag}");
        assert_eq!(for_manifests(tag), None, "{tag}");
        assert_eq!(for_people(tag), None, "{tag}");
    }
    assert_eq!(for_boxes(None), "und");
}

#[test]
fn every_bibliographic_code_has_a_language() {
    for (bibliographic, terminologic) in BIBLIOGRAPHIC {
        assert_eq!(for_boxes(Some(bibliographic)), terminologic);
        assert!(Language::from_639_3(bibliographic).is_none(), "{bibliographic} needs no entry");
    }
}

#[test]
fn hostile_subtags_do_not_reach_a_manifest() {
    assert_eq!(for_manifests("en-\"\n-GB").as_deref(), Some("en-GB"));
}
