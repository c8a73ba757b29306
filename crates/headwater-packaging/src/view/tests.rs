//! A view is only made of what the plan asks for, all of it and nothing else.

use expect_test::{Expect, expect};
use headwater_model::key::INIT_NAME;

use super::*;
use crate::fixture::{codecs, object, objects, plan};

/// The view's complaint after `change` was made to the objects.
fn check(change: impl FnOnce(&mut Vec<Object>), complaint: Expect) {
    let plan = plan();
    let mut objects = objects(&plan);
    change(&mut objects);
    let why = PackageView::new(&plan, &objects, &codecs()).expect_err("it is not as planned");
    complaint.assert_eq(&why.to_string());
}

fn at<'a>(objects: &'a mut [Object], path: &str) -> &'a mut Object {
    objects.iter_mut().find(|o| o.path == path).expect("an object at this path")
}

#[test]
fn complete_package_has_a_view() {
    let plan = plan();
    let view = PackageView::new(&plan, &objects(&plan), &codecs()).expect("it is complete");
    assert_eq!(view.duration, MediaTime { ticks: 660_660, timescale: 30_000 });
    let sound = &view.audio[0].track;
    assert_eq!(sound.timescale, 48_000);
    assert_eq!(
        sound.segments.iter().map(|s| (s.start / 1024, s.ticks / 1024)).collect::<Vec<_>>(),
        [(0, 282), (282, 281), (563, 282), (845, 187)]
    );
}

#[test]
fn order_of_objects_and_manifests_among_them_do_not_matter() {
    let plan = plan();
    let mut objects = objects(&plan);
    let view = PackageView::new(&plan, &objects, &codecs());
    objects.reverse();
    objects.push(object("index.m3u8".to_owned(), 9, ObjectRole::Manifest));
    assert_eq!(PackageView::new(&plan, &objects, &codecs()), view);
}

#[test]
fn missing_segment() {
    check(
        |objects| objects.retain(|o| o.path != "video-540p/seg-00003.m4s"),
        expect!["`video-540p/seg-00003.m4s` is planned, but was not made"],
    );
}

#[test]
fn missing_init() {
    check(
        |objects| objects.retain(|o| !o.path.ends_with(INIT_NAME)),
        expect!["`video-1080p/init.mp4` is planned, but was not made"],
    );
}

#[test]
fn one_segment_too_many() {
    check(
        |objects| {
            let more = at(objects, "audio-de/seg-00004.m4s").clone();
            objects.push(Object { path: "audio-de/seg-00005.m4s".to_owned(), ..more });
        },
        expect!["`audio-de/seg-00005.m4s` was made, but is not planned"],
    );
}

#[test]
fn one_segment_twice() {
    check(
        |objects| {
            let again = at(objects, "audio-de/seg-00004.m4s").clone();
            objects.push(again);
        },
        expect!["`audio-de/seg-00004.m4s` was made, but is not planned"],
    );
}

#[test]
fn one_frame_lost() {
    check(
        |objects| {
            if let ObjectRole::Segment { samples, .. } =
                &mut at(objects, "video-234p/seg-00002.m4s").role
            {
                *samples -= 1;
            }
        },
        expect!["`video-234p/seg-00002.m4s` is not as planned: its samples is 179 instead of 180"],
    );
}

#[test]
fn sound_shifted_by_a_frame() {
    check(
        |objects| {
            if let ObjectRole::Segment { start, .. } =
                &mut at(objects, "audio-eng/seg-00002.m4s").role
            {
                *start += 1024;
            }
        },
        expect![
            "`audio-eng/seg-00002.m4s` is not as planned: its start is 289792 instead of 288768"
        ],
    );
}

#[test]
fn segments_swapped() {
    check(
        |objects| {
            let second = at(objects, "video-540p/seg-00002.m4s").role.clone();
            at(objects, "video-540p/seg-00001.m4s").role = second;
        },
        expect![
            "`video-540p/seg-00001.m4s` is not as planned: its role is segment 1 of video-540p instead of segment 0 of video-540p"
        ],
    );
}

#[test]
fn empty_object() {
    check(
        |objects| at(objects, "video-540p/init.mp4").bytes = 0,
        expect!["`video-540p/init.mp4` is not as planned: its size is 0 instead of 1"],
    );
}

#[test]
fn codec_that_nobody_told() {
    let plan = plan();
    let why = PackageView::new(&plan, &objects(&plan), &codecs()[1..]).expect_err("no codec");
    expect!["the codec of rendition `video-1080p` is not known"].assert_eq(&why.to_string());
}
