//! What making a title again would take: by what its versions took, and only what is really made.

use super::*;
use crate::id::Version;
use crate::plan::again;
use crate::plan::tests::of_spans;
use crate::task::Remake;

/// Four spans of 150 frames in 640x360 and 320x180, and one track of sound.
fn plan() -> Plan {
    let mut plan = of_spans(4);
    let best = plan.video[0].clone();
    plan.video.push(VideoRendition { name: "video-180p".into(), width: 320, height: 180, ..best });
    plan
}

fn part(renditions: &[&str], from_ms: Option<u64>) -> Plan {
    let remake = Remake {
        base: Version(1),
        renditions: renditions.iter().map(|name| (*name).to_owned()).collect(),
        from_ms,
        to_ms: None,
        reason: None,
        heals: false,
    };
    let plan = plan();
    Plan { base: Some(again(&plan, &remake).unwrap()), ..plan }
}

/// 10 s for each span, 3 s for the sound.
const SPENT: [(TaskKind, u64); 5] = [
    (TaskKind::Audio(0), 3_000),
    (TaskKind::Span(0), 10_000),
    (TaskKind::Span(1), 10_000),
    (TaskKind::Span(2), 10_000),
    (TaskKind::Span(3), 10_000),
];

/// 24 s of sound at 128 kbit/s, and 5 MB of picture.
const SOUND: u64 = 24 * 16_000;
const BYTES: u64 = 5_000_000 + SOUND;

#[track_caller]
fn check(plan: &Plan, expected: (u64, u64, u64, u64)) {
    let whole = self::plan();
    let (spans, audio_tracks, cpu_ms, bytes) = expected;
    let told = cost(plan, &[Past { plan: &whole, spent: &SPENT }], BYTES);
    assert_eq!(told, Cost { spans, audio_tracks, cpu_ms: Some(cpu_ms), bytes });
}

#[test]
fn a_whole_title_takes_what_it_took() {
    check(&plan(), (4, 1, 43_000, BYTES));
}

#[test]
fn a_rendition_takes_its_share_of_the_pixels() {
    check(&part(&["video-180p"], None), (4, 0, 8_000, 1_000_000));
    check(&part(&["video-360p", "audio-en"], None), (4, 1, 35_000, 4_000_000 + SOUND));
}

#[test]
fn sound_alone_takes_what_sound_took() {
    check(&part(&["audio-en"], None), (0, 1, 3_000, SOUND));
}

#[test]
fn spans_that_are_copied_are_stored_and_not_made() {
    check(&part(&[], Some(18_000)), (1, 0, 10_000, 5_000_000));
}

/// v2 made only the small rendition again, of the last span; what it took is scaled up by what it made.
#[test]
fn a_version_that_was_made_in_part_says_as_much_as_a_whole_one() {
    let v2 = part(&["video-180p"], Some(18_000));
    let spent = [(TaskKind::Span(3), 2_000)];
    let (whole, v1) = (plan(), Past { plan: &plan(), spent: &SPENT });
    let told = cost(&whole, &[Past { plan: &v2, spent: &spent }, v1], BYTES);
    assert_eq!(told.cpu_ms, Some(43_000));
}

#[test]
fn what_nobody_knows_is_not_nothing() {
    let whole = plan();
    let rebuilt = Past { plan: &whole, spent: &[] };
    let told = cost(&whole, &[rebuilt], BYTES);
    assert_eq!((told.spans, told.cpu_ms), (4, None));
    assert_eq!(told.and(Cost { cpu_ms: Some(1), ..Cost::default() }).cpu_ms, None);
}
