//! What a child may take: more than honest work takes, and less than harms the machine.

use super::*;
use crate::ladder::VideoRendition;
use crate::plan::tests::{any, of_spans};

/// A plan for a picture of this size, with a ladder of these sizes and this preset.
fn plan(coded: (u32, u32), ladder: &[(u32, u32)], preset: &str) -> Plan {
    let mut plan = of_spans(2);
    plan.coded = Some(coded);
    let first = plan.video[0].clone();
    let rendition =
        |&(width, height): &(u32, u32)| VideoRendition { width, height, ..first.clone() };
    plan.video = ladder.iter().map(rendition).collect();
    if let Video::Encode(encode) = &mut plan.pipeline.video {
        encode.preset = preset.to_owned();
    }
    plan
}

fn memory(plan: &Plan) -> u64 {
    Allowance::of_span(plan, &plan.spans[0], None).memory_mb
}

#[test]
fn memory_grows_with_the_picture_the_ladder_and_the_look_ahead() {
    let hd = (1920, 1080);
    let small = memory(&plan((320, 180), &[(320, 180)], "superfast"));
    let full = memory(&plan(hd, &[hd, (1280, 720), (640, 360)], "veryfast"));
    let slow = memory(&plan(hd, &[hd, (1280, 720), (640, 360)], "veryslow"));
    let large = memory(&plan((7680, 4320), &[hd, (1280, 720), (640, 360)], "veryfast"));
    assert_eq!((small, full, slow, large), (417, 1_238, 1_853, 5_272));
    assert!(small < full && full < slow && slow < large);
}

#[test]
fn a_plan_that_does_not_know_the_picture_allows_for_4k() {
    let known = plan((4096, 2304), &[(1920, 1080)], "slow");
    assert_eq!(memory(&Plan { coded: None, ..known.clone() }), memory(&known));
}

#[test]
fn a_master_that_claims_an_absurd_picture_gets_no_more_than_a_bound() {
    let absurd = plan((u32::MAX, u32::MAX), &[(1920, 1080)], "slow");
    assert!(memory(&absurd) < 40_000);
}

#[test]
fn the_spool_may_hold_what_the_caps_allow_several_times_over() {
    let plan = any();
    let span = &plan.spans[0];
    let allowed = Allowance::of_span(&plan, span, None);
    let kbps: u64 = plan.video.iter().map(|v| u64::from(v.max_kbps)).sum();
    let honest = mb(kbps * 12 * 1000 / 8);
    assert!(allowed.spool_mb >= 4 * honest, "{allowed:?}");
    assert!(allowed.spool_mb < 64 + 8 * honest + 8, "{allowed:?}");
    let copied = {
        let mut plan = plan.clone();
        plan.pipeline.video = Video::Copy;
        Allowance::of_span(&plan, span, Some(1000 * MB))
    };
    assert_eq!(copied.spool_mb, 1064, "what is copied is no larger than the master");
}

#[test]
fn processor_time_is_ten_times_what_is_slow() {
    let hd = (1920, 1080);
    let plan = plan(hd, &[hd], "veryslow");
    let allowed = Allowance::of_span(&plan, &plan.spans[0], None).cpu_seconds;
    // 150 frames of a span of 6 s, at three frames a second.
    assert!(allowed > 10 * 50 && allowed < 10_000, "{allowed}");
    let look = Allowance::of_look(Some(100 << 30));
    assert!(look.cpu_seconds > 1_000_000, "100 GB may have to be decoded: {look:?}");
    assert_eq!(Allowance::of_engine().cpu_seconds, LEAST_CPU);
}

#[test]
fn what_is_too_much_is_said_with_how_much_it_was_and_may_be() {
    let allowance = Allowance { memory_mb: 100, cpu_seconds: 1, spool_mb: 10, files: 5 };
    let fits = Taken { memory: 100 * MB, spool: 10 * MB, files: 5, hidden: false };
    assert_eq!(allowance.exceeded_by(&fits), None);
    let said = |taken: Taken| allowance.exceeded_by(&taken).unwrap_or_default();
    assert_eq!(
        said(Taken { memory: 150 * MB, ..fits }),
        "used 150 MB of memory, more than the 100 MB that it may use (`worker.transcoder_memory_mb` sets another bound)"
    );
    assert_eq!(
        said(Taken { spool: 11 * MB, ..fits }),
        "wrote 11 MB that nobody had taken yet, more than the 10 MB that its work can come to"
    );
    assert_eq!(
        said(Taken { files: 6, ..fits }),
        "made more than 5 files, which is more than its work can come to"
    );
    assert_eq!(
        said(Taken { hidden: true, ..fits }),
        "keeps something in its spool folder from being looked at"
    );
    assert_eq!(
        allowance.with_memory(Some(200)).exceeded_by(&Taken { memory: 150 * MB, ..fits }),
        None
    );
}
