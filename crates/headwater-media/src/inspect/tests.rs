//! What single access units say about themselves.

use super::*;

#[test]
fn frames_that_are_only_references_are_hidden() {
    assert!(is_hidden("video/x-vp8", &[0x00, 1, 2]), "show_frame is 0");
    assert!(!is_hidden("video/x-vp8", &[0x10, 1, 2]), "show_frame is 1");
    assert!(!is_hidden("video/x-vp9", &[0b1000_0110, 0]), "profile 0, shown");
    assert!(is_hidden("video/x-vp9", &[0b1000_0100, 0]), "profile 0, not shown");
    assert!(!is_hidden("video/x-vp9", &[0b1000_1000, 0]), "an existing frame is shown");
    assert!(
        !is_hidden("video/x-vp9", &[0b1000_0100, 0b1100_0000]),
        "a superframe ends with a shown frame"
    );
    assert!(!is_hidden("video/x-h264", &[0]), "other codecs are not looked into");
    assert!(!is_hidden("video/x-vp8", &[]), "nothing says nothing");
}

#[test]
fn skipped_leading_pictures_are_found_behind_parameter_sets() {
    let unit =
        |kinds: &[u8]| -> Vec<u8> { kinds.iter().flat_map(|k| [0, 0, 0, 2, k << 1, 1]).collect() };
    assert!(is_rasl(&unit(&[35, 39, 8])), "delimiter, message, RASL_N");
    assert!(is_rasl(&unit(&[9])));
    assert!(!is_rasl(&unit(&[35, 21])), "a clean random access picture");
    assert!(!is_rasl(&[0, 0, 0, 99]), "cut off");
}
