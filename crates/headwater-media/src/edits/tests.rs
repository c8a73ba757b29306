//! Edit lists: which are taken over, and what they do to times.

use super::*;

fn boxed(kind: &[u8; 4], body: &[u8]) -> Vec<u8> {
    let mut out = (body.len() as u32 + 8).to_be_bytes().to_vec();
    out.extend_from_slice(kind);
    out.extend_from_slice(body);
    out
}

fn scale(kind: &[u8; 4], value: u32) -> Vec<u8> {
    let mut body = vec![0; 12];
    body.extend_from_slice(&value.to_be_bytes());
    boxed(kind, &body)
}

/// A movie (600 ticks a second) with one track (48,000 ticks) and these entries.
fn movie(entries: &[(u32, i32, u32)]) -> Vec<u8> {
    let mut elst = vec![0; 4];
    elst.extend_from_slice(&(entries.len() as u32).to_be_bytes());
    for (duration, time, rate) in entries {
        elst.extend(
            [duration.to_be_bytes(), time.to_be_bytes(), (rate << 16).to_be_bytes()].concat(),
        );
    }
    let edts = boxed(b"edts", &boxed(b"elst", &elst));
    let trak = [scale(b"tkhd", 7), edts, boxed(b"mdia", &scale(b"mdhd", 48_000))].concat();
    boxed(b"moov", &[scale(b"mvhd", 600), boxed(b"trak", &trak)].concat())
}

#[test]
fn priming_is_skipped_and_the_end_is_known() {
    let moov = movie(&[(600, 1024, 1)]);
    let (edits, patches) = of_movie(&moov).unwrap();
    assert_eq!(
        edits,
        [Edit { track: 7, delay_ns: 0, from_ns: 21_333_333, to_ns: Some(1_021_333_333) }]
    );
    let mut patched = moov.clone();
    let at = patches[0].at as usize;
    patched[at..at + patches[0].bytes.len()].copy_from_slice(&patches[0].bytes);
    let (edits_then, _) = of_movie(&patched).unwrap();
    assert_eq!(
        (edits_then[0].from_ns, edits_then[0].delay_ns),
        (0, 0),
        "the demuxer sees everything"
    );
    let edit = edits[0];
    assert!(
        !edit.shows(0)
            && edit.shows(21_333_333)
            && edit.shows(1_021_000_000)
            && !edit.shows(1_050_000_000)
    );
    assert_eq!(edit.presented_ns(21_333_333), 0);
}

#[test]
fn an_empty_edit_delays() {
    let (edits, _) = of_movie(&movie(&[(300, -1, 1), (0, 0, 1)])).unwrap();
    assert_eq!(edits, [Edit { track: 7, delay_ns: 500_000_000, from_ns: 0, to_ns: None }]);
    assert_eq!(edits[0].presented_ns(0), 500_000_000);
}

#[test]
fn anything_else_is_left_to_the_demuxer() {
    for entries in
        [&[(300, 0, 1), (300, 48_000, 1)][..], &[(300, 0, 2)], &[(300, 0, 1), (300, -1, 1)], &[]]
    {
        assert_eq!(of_movie(&movie(entries)), None, "{entries:?}");
    }
}

#[test]
fn cut_off_boxes_are_no_movie() {
    let moov = movie(&[(600, 1024, 1)]);
    for end in 0..moov.len() {
        let _ = of_movie(&moov[..end]);
    }
}
