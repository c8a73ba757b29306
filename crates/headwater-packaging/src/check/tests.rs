//! A table of mutations: what is found when one thing in a sound package is wrong.

use std::fmt::Write as _;

use expect_test::{Expect, expect};
use headwater_model::inventory::ObjectRole;
use headwater_model::plan::{Plan, SegmentPlan};
use proptest::prelude::*;

use super::*;
use crate::fixture;

mod beside;

type Files = BTreeMap<ObjectKey, Vec<u8>>;

/// Findings shown of each mutation: the video renditions share a timeline, so most come three times.
const SHOWN: usize = 5;

fn found(inventory: &Inventory, files: &Files) -> String {
    let findings = manifests(&fixture::package(), inventory, files);
    let more = findings.len().saturating_sub(SHOWN);
    let mut text: String = findings
        .into_iter()
        .take(SHOWN)
        .map(|(key, kind)| fixture::sentence(&key, kind) + "\n")
        .collect();
    if more > 0 {
        writeln!(text, "and {more} more").expect("memory");
    }
    text
}

/// What is found after the inventory or the manifests were changed.
fn check(change: impl FnOnce(&mut Inventory, &mut Files), expected: Expect) {
    let (mut inventory, mut files) = (fixture::inventory(), fixture::files());
    change(&mut inventory, &mut files);
    expected.assert_eq(&found(&inventory, &files));
}

/// What is found after each of `edits`, made to one manifest by itself: the first of the one text becomes the other.
/// The manifest is named by its key without tenant and title.
fn check_edits(manifest: &str, edits: &[(&str, &str)], expected: Expect) {
    let key = ObjectKey::new(format!("main/film/{manifest}")).expect("a key");
    let mut table = String::new();
    for (from, to) in edits {
        let mut files = fixture::files();
        let bytes = files.get_mut(&key).expect("a manifest");
        let text = String::from_utf8(bytes.clone()).expect("text");
        assert!(text.contains(from), "`{from}` is not in {text}");
        *bytes = text.replacen(from, to, 1).into_bytes();
        let found = found(&fixture::inventory(), &files);
        writeln!(table, "{from:?} becomes {to:?}:\n{found}").expect("memory");
    }
    expected.assert_eq(&table);
}

const PLAYLIST: &str = "v1/video-540p/media.m3u8";
const HLS: &str = "v1/index.m3u8";
const MPD: &str = "v1/manifest.mpd";

#[test]
fn sound_package_has_no_findings() {
    check(|_, _| {}, expect![""]);
}

#[test]
fn pointers_are_optional() {
    check(|_, files| files.retain(|key, _| key.as_str().contains("/v1/")), expect![""]);
}

#[test]
fn media_playlist_with_other_segments() {
    check_edits(
        PLAYLIST,
        &[
            ("#EXTINF:6.006000,\nseg-00002.m4s\n", ""),
            ("#EXTINF:4.004000,\nseg-00004.m4s\n", ""),
            ("seg-00002.m4s\n", "seg-00002.m4s\n#EXTINF:6.006000,\nseg-00002.m4s\n"),
            ("seg-00002.m4s", "seg-00022.m4s"),
            ("seg-00002.m4s", "../video-234p/seg-00002.m4s"),
            (
                "seg-00002.m4s\n#EXTINF:6.006000,\nseg-00003",
                "seg-00003.m4s\n#EXTINF:6.006000,\nseg-00002",
            ),
        ],
        expect![[r##"
            "#EXTINF:6.006000,\nseg-00002.m4s\n" becomes "":
            `v1/video-540p/seg-00003.m4s` starts at tick 360360, but the segment before it ends at tick 180180
            `v1/video-540p/seg-00002.m4s` is named by no entry of `v1/video-540p/media.m3u8`

            "#EXTINF:4.004000,\nseg-00004.m4s\n" becomes "":
            `v1/video-540p/seg-00004.m4s` is named by no entry of `v1/video-540p/media.m3u8`

            "seg-00002.m4s\n" becomes "seg-00002.m4s\n#EXTINF:6.006000,\nseg-00002.m4s\n":
            `v1/video-540p/seg-00002.m4s` starts at tick 180180, but the segment before it ends at tick 360360

            "seg-00002.m4s" becomes "seg-00022.m4s":
            `v1/video-540p/media.m3u8` names `seg-00022.m4s`, which is not part of the package
            `v1/video-540p/seg-00003.m4s` starts at tick 360360, but the segment before it ends at tick 180180
            `v1/video-540p/seg-00002.m4s` is named by no entry of `v1/video-540p/media.m3u8`

            "seg-00002.m4s" becomes "../video-234p/seg-00002.m4s":
            `v1/video-540p/media.m3u8` names `../video-234p/seg-00002.m4s`, which is not part of the package
            `v1/video-540p/seg-00003.m4s` starts at tick 360360, but the segment before it ends at tick 180180
            `v1/video-540p/seg-00002.m4s` is named by no entry of `v1/video-540p/media.m3u8`

            "seg-00002.m4s\n#EXTINF:6.006000,\nseg-00003" becomes "seg-00003.m4s\n#EXTINF:6.006000,\nseg-00002":
            `v1/video-540p/seg-00003.m4s` starts at tick 360360, but the segment before it ends at tick 180180
            `v1/video-540p/seg-00002.m4s` starts at tick 180180, but the segment before it ends at tick 540540
            `v1/video-540p/seg-00004.m4s` starts at tick 540540, but the segment before it ends at tick 360360

        "##]],
    );
}

#[test]
fn media_playlist_with_other_durations() {
    check_edits(
        PLAYLIST,
        &[
            ("#EXTINF:6.006000", "#EXTINF:6.008"),
            ("#EXTINF:6.006000", "#EXTINF:6.0065"),
            ("#EXTINF:6.006000", "#EXTINF:nan"),
            ("#EXTINF:6.006000,\n", ""),
            ("TARGETDURATION:6", "TARGETDURATION:5"),
        ],
        expect![[r##"
            "#EXTINF:6.006000" becomes "#EXTINF:6.008":
            `v1/video-540p/media.m3u8` is malformed: it says that `seg-00001.m4s` lasts 6.008000 s, the inventory says 6.006000 s

            "#EXTINF:6.006000" becomes "#EXTINF:6.0065":

            "#EXTINF:6.006000" becomes "#EXTINF:nan":
            `v1/video-540p/media.m3u8` is malformed: it says that `seg-00001.m4s` lasts 0.000000 s, the inventory says 6.006000 s

            "#EXTINF:6.006000,\n" becomes "":
            `v1/video-540p/media.m3u8` is malformed: it says that `seg-00001.m4s` lasts 0.000000 s, the inventory says 6.006000 s

            "TARGETDURATION:6" becomes "TARGETDURATION:5":
            `v1/video-540p/media.m3u8` is malformed: `seg-00001.m4s` is longer than the target duration of 5 s

        "##]],
    );
}

#[test]
fn media_playlist_whose_durations_drift() {
    check(
        |_, files| {
            let key = ObjectKey::new(format!("main/film/{PLAYLIST}")).expect("a key");
            let text = String::from_utf8(files[&key].clone()).expect("text");
            files.insert(key, text.replace("6.006000", "6.0067").into_bytes());
        },
        expect![[r#"
            `v1/video-540p/media.m3u8` is malformed: its durations drift away up to `seg-00002.m4s`
        "#]],
    );
}

#[test]
fn media_playlist_with_other_tags() {
    check_edits(
        PLAYLIST,
        &[
            ("#EXT-X-MAP:URI=\"init.mp4\"\n", ""),
            ("init.mp4", "../video-234p/init.mp4"),
            ("#EXT-X-ENDLIST\n", ""),
            ("TYPE:VOD", "TYPE:EVENT"),
            ("#EXTINF:4.004000", "#EXT-X-DISCONTINUITY\n#EXTINF:4.004000"),
            ("#EXTINF:4.004000", "#EXT-X-BYTERANGE:10@0\n#EXTINF:4.004000"),
            ("#EXTM3U", "404 not found"),
        ],
        expect![[r##"
            "#EXT-X-MAP:URI=\"init.mp4\"\n" becomes "":
            `v1/video-540p/media.m3u8` is malformed: its first segment has no EXT-X-MAP
            `v1/video-540p/init.mp4` is named by no entry of `v1/video-540p/media.m3u8`

            "init.mp4" becomes "../video-234p/init.mp4":
            `v1/video-540p/media.m3u8` names `../video-234p/init.mp4`, which is not part of the package
            `v1/video-540p/init.mp4` is named by no entry of `v1/video-540p/media.m3u8`

            "#EXT-X-ENDLIST\n" becomes "":
            `v1/video-540p/media.m3u8` is malformed: it does not end with EXT-X-ENDLIST

            "TYPE:VOD" becomes "TYPE:EVENT":
            `v1/video-540p/media.m3u8` is malformed: its EXT-X-PLAYLIST-TYPE is not VOD

            "#EXTINF:4.004000" becomes "#EXT-X-DISCONTINUITY\n#EXTINF:4.004000":
            `v1/video-540p/media.m3u8` is malformed: it says that `seg-00004.m4s` is discontinuous, a byte range or encrypted, which no segment is

            "#EXTINF:4.004000" becomes "#EXT-X-BYTERANGE:10@0\n#EXTINF:4.004000":
            `v1/video-540p/media.m3u8` is malformed: it says that `seg-00004.m4s` is discontinuous, a byte range or encrypted, which no segment is

            "#EXTM3U" becomes "404 not found":
            `v1/video-540p/media.m3u8` is malformed: it is not a playlist

        "##]],
    );
}

#[test]
fn bytes_that_are_no_text() {
    check(
        |_, files| files.values_mut().for_each(|b| b.insert(0, 0xff)),
        expect![[r#"
        `v1/audio-de/media.m3u8` is malformed: it is not UTF-8
        `v1/audio-eng/media.m3u8` is malformed: it is not UTF-8
        `v1/index.m3u8` is malformed: it is not UTF-8
        `v1/manifest.mpd` is malformed: it is not UTF-8
        `v1/video-1080p/media.m3u8` is malformed: it is not UTF-8
        and 4 more
    "#]],
    );
}

#[test]
fn multivariant_playlist_with_other_addresses() {
    check_edits(
        HLS,
        &[
            ("video-540p/media.m3u8\n", ""),
            ("video-540p/media.m3u8", "video-720p/media.m3u8"),
            ("video-540p/media.m3u8", "video-540p/init.mp4"),
            ("video-234p/", "https://cdn.example/v1/video-234p/"),
            ("video-234p/", "/video-234p/"),
            ("video-234p/", "../../../../video-234p/"),
            ("URI=\"audio-eng/media.m3u8\",", ""),
        ],
        expect![[r#"
            "video-540p/media.m3u8\n" becomes "":
            `v1/index.m3u8` names ``, which is not part of the package
            `v1/video-540p/media.m3u8` is named by no entry of `v1/index.m3u8`

            "video-540p/media.m3u8" becomes "video-720p/media.m3u8":
            `v1/index.m3u8` names `video-720p/media.m3u8`, which is not part of the package
            `v1/video-540p/media.m3u8` is named by no entry of `v1/index.m3u8`

            "video-540p/media.m3u8" becomes "video-540p/init.mp4":
            `v1/index.m3u8` names `video-540p/init.mp4`, which is not part of the package
            `v1/video-540p/media.m3u8` is named by no entry of `v1/index.m3u8`

            "video-234p/" becomes "https://cdn.example/v1/video-234p/":
            `v1/index.m3u8` names `https://cdn.example/v1/video-234p/media.m3u8`, which is not part of the package
            `v1/video-234p/media.m3u8` is named by no entry of `v1/index.m3u8`

            "video-234p/" becomes "/video-234p/":
            `v1/index.m3u8` names `/video-234p/media.m3u8`, which is not part of the package
            `v1/video-234p/media.m3u8` is named by no entry of `v1/index.m3u8`

            "video-234p/" becomes "../../../../video-234p/":
            `v1/index.m3u8` names `../../../../video-234p/media.m3u8`, which is not part of the package
            `v1/video-234p/media.m3u8` is named by no entry of `v1/index.m3u8`

            "URI=\"audio-eng/media.m3u8\"," becomes "":
            `v1/index.m3u8` is malformed: `English` has no address
            `v1/audio-eng/media.m3u8` is named by no entry of `v1/index.m3u8`

        "#]],
    );
}

#[test]
fn multivariant_playlist_with_other_facts() {
    check_edits(
        HLS,
        &[
            ("avc1.64001f", "avc1.640029"),
            ("AUDIO=\"audio\"", "AUDIO=\"sound\""),
            (",AUDIO=\"audio\"", ""),
            ("DEFAULT=YES,", ""),
        ],
        expect![[r#"
            "avc1.64001f" becomes "avc1.640029":
            `v1/index.m3u8` is malformed: it says that `video-540p` is coded as `avc1.640029,mp4a.40.2`, which does not include `avc1.64001f`

            "AUDIO=\"audio\"" becomes "AUDIO=\"sound\"":
            `v1/index.m3u8` is malformed: `video-540p/media.m3u8` is without its sound

            ",AUDIO=\"audio\"" becomes "":
            `v1/index.m3u8` is malformed: `video-540p/media.m3u8` is without its sound

            "DEFAULT=YES," becomes "":
            `v1/index.m3u8` is malformed: 0 audio renditions are the default, not 1

        "#]],
    );
}

#[test]
fn pointers_into_another_version() {
    check_edits(
        "index.m3u8",
        &[("v1/video-234p", "v2/video-234p")],
        expect![[r#"
        "v1/video-234p" becomes "v2/video-234p":
        `index.m3u8` names `v2/video-234p/media.m3u8`, which is not part of the package
        `v1/video-234p/media.m3u8` is named by no entry of `index.m3u8`

    "#]],
    );
    check_edits(
        "manifest.mpd",
        &[("initialization=\"v1/", "initialization=\"v2/"), ("media=\"v1/", "media=\"")],
        expect![[r#"
            "initialization=\"v1/" becomes "initialization=\"v2/":
            `manifest.mpd` names `v2/video-1080p/init.mp4`, which is not part of the package
            `v1/video-1080p/init.mp4` is named by no entry of `manifest.mpd`
            `manifest.mpd` names `v2/video-540p/init.mp4`, which is not part of the package
            `v1/video-540p/init.mp4` is named by no entry of `manifest.mpd`
            `manifest.mpd` names `v2/video-234p/init.mp4`, which is not part of the package
            and 1 more

            "media=\"v1/" becomes "media=\"":
            `manifest.mpd` names `video-1080p/seg-00001.m4s`, which is not part of the package
            `v1/video-1080p/seg-00001.m4s` is named by no entry of `manifest.mpd`
            `v1/video-1080p/seg-00002.m4s` is named by no entry of `manifest.mpd`
            `v1/video-1080p/seg-00003.m4s` is named by no entry of `manifest.mpd`
            `v1/video-1080p/seg-00004.m4s` is named by no entry of `manifest.mpd`
            and 10 more

        "#]],
    );
}

#[test]
fn mpd_with_another_timeline() {
    check_edits(
        MPD,
        &[
            ("<S d=\"120120\"/>", ""),
            ("r=\"2\"", "r=\"1\""),
            ("r=\"2\"", "r=\"3\""),
            ("r=\"2\"", "r=\"9223372036854775807\""),
            ("r=\"2\"", "r=\"-1\""),
            ("<S d=\"120120\"/>", "<S t=\"540541\" d=\"120120\"/>"),
            ("t=\"0\" d=\"180180\"", "t=\"5\" d=\"180180\""),
            ("d=\"180180\"", "d=\"180181\""),
            ("timescale=\"30000\"", "timescale=\"90000\""),
        ],
        expect![[r#"
            "<S d=\"120120\"/>" becomes "":
            `v1/video-1080p/seg-00004.m4s` is named by no entry of `v1/manifest.mpd`
            `v1/video-540p/seg-00004.m4s` is named by no entry of `v1/manifest.mpd`
            `v1/video-234p/seg-00004.m4s` is named by no entry of `v1/manifest.mpd`

            "r=\"2\"" becomes "r=\"1\"":
            `v1/manifest.mpd` is malformed: it says that `video-1080p/seg-00003.m4s` starts at tick 360360 and has 120120, the inventory says 360360 and 180180
            `v1/video-1080p/seg-00004.m4s` is named by no entry of `v1/manifest.mpd`
            `v1/video-540p/seg-00004.m4s` is named by no entry of `v1/manifest.mpd`
            `v1/video-234p/seg-00004.m4s` is named by no entry of `v1/manifest.mpd`

            "r=\"2\"" becomes "r=\"3\"":
            `v1/manifest.mpd` is malformed: it says that `video-1080p/seg-00004.m4s` starts at tick 540540 and has 180180, the inventory says 540540 and 120120
            `v1/manifest.mpd` names `video-1080p/seg-00005.m4s`, which is not part of the package
            `v1/manifest.mpd` names `video-540p/seg-00005.m4s`, which is not part of the package
            `v1/manifest.mpd` names `video-234p/seg-00005.m4s`, which is not part of the package

            "r=\"2\"" becomes "r=\"9223372036854775807\"":
            `v1/manifest.mpd` is malformed: it says that `video-1080p/seg-00004.m4s` starts at tick 540540 and has 180180, the inventory says 540540 and 120120
            `v1/manifest.mpd` names `video-1080p/seg-00005.m4s`, which is not part of the package
            `v1/manifest.mpd` names `video-540p/seg-00005.m4s`, which is not part of the package
            `v1/manifest.mpd` names `video-234p/seg-00005.m4s`, which is not part of the package

            "r=\"2\"" becomes "r=\"-1\"":
            `v1/manifest.mpd` is malformed: it says that `video-1080p/seg-00002.m4s` starts at tick 180180 and has 120120, the inventory says 180180 and 180180
            `v1/video-1080p/seg-00003.m4s` is named by no entry of `v1/manifest.mpd`
            `v1/video-1080p/seg-00004.m4s` is named by no entry of `v1/manifest.mpd`
            `v1/video-540p/seg-00003.m4s` is named by no entry of `v1/manifest.mpd`
            `v1/video-540p/seg-00004.m4s` is named by no entry of `v1/manifest.mpd`
            and 2 more

            "<S d=\"120120\"/>" becomes "<S t=\"540541\" d=\"120120\"/>":
            `v1/video-1080p/seg-00004.m4s` starts at tick 540541, but the segment before it ends at tick 540540
            `v1/video-540p/seg-00004.m4s` starts at tick 540541, but the segment before it ends at tick 540540
            `v1/video-234p/seg-00004.m4s` starts at tick 540541, but the segment before it ends at tick 540540

            "t=\"0\" d=\"180180\"" becomes "t=\"5\" d=\"180180\"":
            `v1/video-1080p/seg-00001.m4s` starts at tick 5, but the segment before it ends at tick 0
            `v1/manifest.mpd` is malformed: it says that `video-1080p/seg-00002.m4s` starts at tick 180185 and has 180180, the inventory says 180180 and 180180
            `v1/video-540p/seg-00001.m4s` starts at tick 5, but the segment before it ends at tick 0
            `v1/video-234p/seg-00001.m4s` starts at tick 5, but the segment before it ends at tick 0

            "d=\"180180\"" becomes "d=\"180181\"":
            `v1/manifest.mpd` is malformed: it says that `video-1080p/seg-00001.m4s` starts at tick 0 and has 180181, the inventory says 0 and 180180

            "timescale=\"30000\"" becomes "timescale=\"90000\"":
            `v1/manifest.mpd` is malformed: the timeline of `video-1080p` has 90000 ticks a second or an offset, the inventory has 30000 and none

        "#]],
    );
}

#[test]
fn mpd_with_another_template() {
    check_edits(
        MPD,
        &[
            ("seg-$Number%05d$", "seg-$Number$"),
            ("seg-$Number%05d$", "seg-00001"),
            ("seg-$Number%05d$", "seg-$Time$"),
            ("seg-$Number%05d$", "seg-$Number%05d"),
            ("startNumber=\"1\"", "startNumber=\"2\""),
            ("/init.mp4", "/init.m4s"),
        ],
        expect![[r#"
            "seg-$Number%05d$" becomes "seg-$Number$":
            `v1/manifest.mpd` names `video-1080p/seg-1.m4s`, which is not part of the package
            `v1/video-1080p/seg-00001.m4s` is named by no entry of `v1/manifest.mpd`
            `v1/video-1080p/seg-00002.m4s` is named by no entry of `v1/manifest.mpd`
            `v1/video-1080p/seg-00003.m4s` is named by no entry of `v1/manifest.mpd`
            `v1/video-1080p/seg-00004.m4s` is named by no entry of `v1/manifest.mpd`
            and 10 more

            "seg-$Number%05d$" becomes "seg-00001":
            `v1/manifest.mpd` is malformed: it says that `video-1080p/seg-00001.m4s` starts at tick 180180 and has 180180, the inventory says 0 and 180180
            `v1/video-1080p/seg-00001.m4s` starts at tick 0, but the segment before it ends at tick 180180
            `v1/video-1080p/seg-00002.m4s` is named by no entry of `v1/manifest.mpd`
            `v1/video-1080p/seg-00003.m4s` is named by no entry of `v1/manifest.mpd`
            `v1/video-1080p/seg-00004.m4s` is named by no entry of `v1/manifest.mpd`
            and 8 more

            "seg-$Number%05d$" becomes "seg-$Time$":
            `v1/manifest.mpd` names `$RepresentationID$/seg-$Time$.m4s`, which is not part of the package
            `v1/video-1080p/seg-00001.m4s` is named by no entry of `v1/manifest.mpd`
            `v1/video-1080p/seg-00002.m4s` is named by no entry of `v1/manifest.mpd`
            `v1/video-1080p/seg-00003.m4s` is named by no entry of `v1/manifest.mpd`
            `v1/video-1080p/seg-00004.m4s` is named by no entry of `v1/manifest.mpd`
            and 8 more

            "seg-$Number%05d$" becomes "seg-$Number%05d":
            `v1/manifest.mpd` names `$RepresentationID$/seg-$Number%05d.m4s`, which is not part of the package
            `v1/video-1080p/seg-00001.m4s` is named by no entry of `v1/manifest.mpd`
            `v1/video-1080p/seg-00002.m4s` is named by no entry of `v1/manifest.mpd`
            `v1/video-1080p/seg-00003.m4s` is named by no entry of `v1/manifest.mpd`
            `v1/video-1080p/seg-00004.m4s` is named by no entry of `v1/manifest.mpd`
            and 8 more

            "startNumber=\"1\"" becomes "startNumber=\"2\"":
            `v1/manifest.mpd` is malformed: it says that `video-1080p/seg-00002.m4s` starts at tick 0 and has 180180, the inventory says 180180 and 180180
            `v1/manifest.mpd` names `video-1080p/seg-00005.m4s`, which is not part of the package
            `v1/video-1080p/seg-00002.m4s` starts at tick 180180, but the segment before it ends at tick 0
            `v1/video-1080p/seg-00001.m4s` is named by no entry of `v1/manifest.mpd`
            `v1/manifest.mpd` names `video-540p/seg-00005.m4s`, which is not part of the package
            and 5 more

            "/init.mp4" becomes "/init.m4s":
            `v1/manifest.mpd` names `video-1080p/init.m4s`, which is not part of the package
            `v1/video-1080p/init.mp4` is named by no entry of `v1/manifest.mpd`
            `v1/manifest.mpd` names `video-540p/init.m4s`, which is not part of the package
            `v1/video-540p/init.mp4` is named by no entry of `v1/manifest.mpd`
            `v1/manifest.mpd` names `video-234p/init.m4s`, which is not part of the package
            and 1 more

        "#]],
    );
}

#[test]
fn mpd_with_other_facts() {
    check_edits(
        MPD,
        &[
            ("id=\"video-540p\"", "id=\"video-720p\""),
            ("avc1.64001f", "avc1.640029"),
            ("PT22.022S", "PT22S"),
            ("type=\"static\"", "type=\"dynamic\""),
            ("<Role", "<BaseURL>https://cdn.example/</BaseURL><Role"),
            ("</Period>", "</Period><Period/>"),
            ("</MPD>", ""),
        ],
        expect![[r#"
            "id=\"video-540p\"" becomes "id=\"video-720p\"":
            `v1/manifest.mpd` names `video-720p`, which is not part of the package
            `v1/video-540p/init.mp4` is named by no entry of `v1/manifest.mpd`

            "avc1.64001f" becomes "avc1.640029":
            `v1/manifest.mpd` is malformed: it says that `video-540p` is coded as `avc1.640029`, the inventory says `avc1.64001f`

            "PT22.022S" becomes "PT22S":
            `v1/manifest.mpd` is malformed: it lasts 22 s, which no rendition does

            "type=\"static\"" becomes "type=\"dynamic\"":
            `v1/manifest.mpd` is malformed: it is not static

            "<Role" becomes "<BaseURL>https://cdn.example/</BaseURL><Role":
            `v1/manifest.mpd` is malformed: it has a BaseURL, which leads its addresses elsewhere

            "</Period>" becomes "</Period><Period/>":
            `v1/manifest.mpd` is malformed: it has 2 periods, not 1

            "</MPD>" becomes "":
            `v1/manifest.mpd` is malformed: parse error "Period: ill-formed document: start tag not closed: `</MPD>` not found before end of input"

        "#]],
    );
}

#[test]
fn inventory_without_an_object() {
    let mut table = String::new();
    for path in [
        "index.m3u8",
        "manifest.mpd",
        "video-540p/media.m3u8",
        "video-540p/init.mp4",
        "video-540p/seg-00002.m4s",
        "video-540p/seg-00004.m4s",
        "video-1080p/seg-00004.m4s",
    ] {
        let mut inventory = fixture::inventory();
        inventory.objects.retain(|o| o.path != path);
        let found = found(&inventory, &fixture::files());
        writeln!(table, "without {path}:\n{found}").expect("memory");
    }
    expect![[r#"
        without index.m3u8:
        `v1/index.m3u8` is missing

        without manifest.mpd:
        `v1/manifest.mpd` is missing

        without video-540p/media.m3u8:
        `v1/index.m3u8` names `video-540p/media.m3u8`, which is not part of the package
        `index.m3u8` names `v1/video-540p/media.m3u8`, which is not part of the package
        `v1/video-540p/media.m3u8` is missing

        without video-540p/init.mp4:
        `v1/manifest.mpd` names `video-540p/init.mp4`, which is not part of the package
        `v1/video-540p/media.m3u8` names `init.mp4`, which is not part of the package
        `manifest.mpd` names `v1/video-540p/init.mp4`, which is not part of the package
        `v1/video-540p/init.mp4` is missing

        without video-540p/seg-00002.m4s:
        `v1/video-540p/seg-00002.m4s` is missing
        `v1/manifest.mpd` names `video-540p/seg-00002.m4s`, which is not part of the package
        `v1/video-540p/seg-00003.m4s` is named by no entry of `v1/manifest.mpd`
        `v1/video-540p/seg-00004.m4s` is named by no entry of `v1/manifest.mpd`
        `v1/video-540p/media.m3u8` names `seg-00002.m4s`, which is not part of the package
        and 4 more

        without video-540p/seg-00004.m4s:
        `v1/video-540p/seg-00004.m4s` is missing
        `v1/manifest.mpd` names `video-540p/seg-00004.m4s`, which is not part of the package
        `v1/video-540p/media.m3u8` names `seg-00004.m4s`, which is not part of the package
        `manifest.mpd` names `v1/video-540p/seg-00004.m4s`, which is not part of the package

        without video-1080p/seg-00004.m4s:
        `v1/video-1080p/seg-00004.m4s` is missing
        `v1/manifest.mpd` names `video-1080p/seg-00004.m4s`, which is not part of the package
        `v1/video-1080p/media.m3u8` names `seg-00004.m4s`, which is not part of the package
        `manifest.mpd` names `v1/video-1080p/seg-00004.m4s`, which is not part of the package

    "#]]
    .assert_eq(&table);
}

#[test]
fn manifest_that_could_not_be_read() {
    check(
        |_, files| files.retain(|key, _| key.as_str() != "main/film/v1/audio-de/media.m3u8"),
        expect![[r#"
            `v1/audio-de/media.m3u8` is missing
        "#]],
    );
}

#[test]
fn manifest_that_nothing_leads_to() {
    check(
        |inventory, files| {
            let path = "extra.m3u8".to_owned();
            files.insert(fixture::package().key(&path), b"#EXTM3U\n".to_vec());
            inventory.objects.push(fixture::object(path, 8, ObjectRole::Manifest));
        },
        expect![[r#"
            `v1/extra.m3u8` is malformed: it belongs to no rendition
            `v1/extra.m3u8` is named by no entry of `v1/index.m3u8`
            `v1/extra.m3u8` is named by no entry of `index.m3u8`
        "#]],
    );
}

#[test]
fn sound_that_is_not_aligned_with_the_picture() {
    check(
        |inventory, _| {
            for object in &mut inventory.objects {
                if let ObjectRole::Segment { rendition, number: 1, ticks, .. } = &mut object.role
                    && rendition.as_str() == "audio-de"
                {
                    *ticks += 1100;
                }
            }
        },
        expect![[r#"
            `v1/audio-de/seg-00002.m4s` is malformed: it ends at 12.034 s, but segment 1 of `video-1080p` ends at 12.012 s
            `v1/audio-de/media.m3u8` is malformed: it says that `seg-00002.m4s` lasts 5.994667 s, the inventory says 6.017583 s
            `v1/audio-de/seg-00003.m4s` starts at tick 576512, but the segment before it ends at tick 577612
            `v1/manifest.mpd` is malformed: it says that `audio-de/seg-00002.m4s` starts at tick 288768 and has 287744, the inventory says 288768 and 288844
            `manifest.mpd` is malformed: it says that `v1/audio-de/seg-00002.m4s` starts at tick 288768 and has 287744, the inventory says 288768 and 288844
        "#]],
    );
}

proptest! {
    #[test]
    fn changed_manifests_never_panic(
        changes in prop::collection::vec(
            (any::<prop::sample::Index>(), any::<prop::sample::Index>(), any::<u8>()),
            1..6,
        ),
    ) {
        let mut files = fixture::files();
        for (file, at, value) in changes {
            let key = file.get(&files.keys().cloned().collect::<Vec<_>>()).clone();
            let bytes = files.get_mut(&key).expect("one of the keys");
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        manifests(&fixture::package(), &fixture::inventory(), &files);
    }
}
