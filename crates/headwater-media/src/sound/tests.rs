//! Where sound goes on the title's line.

use super::*;

fn check(end: u64, chunks: &[(i64, u64)], expected: &[(u64, u64, u64)], left: u64) {
    let mut p = Placement::new(end, 48_000);
    for ((at_ms, samples), (silence, skip, take)) in chunks.iter().zip(expected) {
        let placed = p.place(at_ms * 1_000_000, *samples);
        assert_eq!(
            placed,
            Placed { silence: *silence, skip: *skip, take: *take },
            "chunk at {at_ms} ms"
        );
    }
    assert_eq!(p.left(), left);
}

#[test]
fn sound_that_starts_late_is_preceded_by_silence() {
    check(48_000, &[(100, 1024)], &[(4800, 0, 1024)], 48_000 - 5824);
}

#[test]
fn sound_before_the_picture_is_cut() {
    check(48_000, &[(-10, 1024), (11, 1024)], &[(0, 480, 544), (0, 0, 1024)], 48_000 - 1568);
    check(48_000, &[(-100, 1024)], &[(0, 1024, 0)], 48_000);
}

#[test]
fn rounded_time_stamps_do_not_tear_the_sound() {
    check(
        48_000,
        &[(0, 1024), (21, 1024), (43, 1024), (63, 1024)],
        &[(0, 0, 1024); 4],
        48_000 - 4096,
    );
}

#[test]
fn a_gap_is_filled_and_an_overlap_is_cut() {
    check(48_000, &[(0, 480), (30, 480)], &[(0, 0, 480), (960, 0, 480)], 48_000 - 1920);
    check(48_000, &[(0, 4800), (80, 4800)], &[(0, 0, 4800), (0, 960, 3840)], 48_000 - 8640);
}

#[test]
fn sound_after_the_picture_is_cut() {
    check(1000, &[(0, 800), (16, 800)], &[(0, 0, 800), (0, 0, 200)], 0);
}
