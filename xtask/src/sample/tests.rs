//! Tests of the arithmetic that keeps the sample's sound in its place.

use super::*;

#[test]
fn both_tracks_of_the_sample_end_together() {
    assert_eq!(LOOPS * CLIP_SAMPLES % 1_024, 0, "the last AAC frame would stick out");
    let clip = vec![0; (CLIP_SAMPLES + 1_536) * SAMPLE_BYTES];
    let sound = loop_sound(&clip).unwrap();
    assert_eq!(sound.len() / SAMPLE_BYTES + ENCODER_DELAY, LOOPS * CLIP_SAMPLES);
}

#[test]
fn later_sounds_move_forward_by_what_the_encoder_adds() {
    let mut clip = vec![0; CLIP_SAMPLES * SAMPLE_BYTES];
    clip[2_000 * SAMPLE_BYTES] = 7;
    let sound = loop_sound(&clip).unwrap();
    let marks = (0..sound.len()).filter(|&at| sound[at] == 7).map(|at| at / SAMPLE_BYTES);
    assert_eq!(marks.take(2).collect::<Vec<_>>(), [976, 976 + CLIP_SAMPLES]);
}

#[test]
fn sound_that_is_too_short_is_refused() {
    assert!(loop_sound(&[0; 16]).is_err());
}
