//! One broken ladder for every rule, and what is said about it.

use super::*;

#[test]
fn ladder_without_rungs() {
    let start = GOOD.find("[[video.ladder]]").unwrap();
    let rungs = &GOOD[start..GOOD.find("[audio]").unwrap()];
    check(
        rungs,
        "ladder = []\n",
        expect![[r#"
        pipelines/x.toml:10:10: the ladder is empty
          10 | ladder = []
             |          ^^
        hint: add at least one rung"#]],
    );
    check(
        rungs,
        "ladder = \"720p\"\n",
        expect![[r#"
        pipelines/x.toml:10:10: `video.ladder` must be an array, not a string
          10 | ladder = "720p"
             |          ^^^^^^"#]],
    );
    check(
        rungs,
        "",
        expect![[r#"
        pipelines/x.toml:4:1: `video.ladder` is missing
          4 | [video]
            | ^^^^^^^
        hint: add a rung: `[[video.ladder]]`"#]],
    );
}

#[test]
fn ladder_that_is_not_sorted() {
    let text = edited(&[
        ("long_side = 1280\nshort_side = 720", "long_side = 320\nshort_side = 180"),
        ("max_kbps = 4500\nbuffer_kbit = 9000", "max_kbps = 300\nbuffer_kbit = 600"),
    ]);
    expect![[r#"
        pipelines/x.toml:20:13: 640x360 comes after `720p`, 320x180, and is not smaller
          20 | long_side = 640
             |             ^^^
        hint: sort the ladder, largest rung first"#]]
    .assert_eq(&problems(&text));
    check(
        "long_side = 640",
        "long_side = 1400",
        expect![[r#"
        pipelines/x.toml:20:13: 1400x360 comes after `720p`, 1280x720, and is not smaller
          20 | long_side = 1400
             |             ^^^^
        hint: sort the ladder, largest rung first"#]],
    );
}

#[test]
fn rungs_that_are_the_same() {
    check(
        "name = \"360p\"",
        "name = \"720p\"",
        expect![[r#"
        pipelines/x.toml:19:8: two rungs are named `720p`
          19 | name = "720p"
             |        ^^^^^^"#]],
    );
    check(
        "long_side = 640\nshort_side = 360",
        "long_side = 1280\nshort_side = 720",
        expect![[r#"
        pipelines/x.toml:20:13: `720p` has the same size, 1280x720
          20 | long_side = 1280
             |             ^^^^
        hint: a picture would fill only one of the two: remove the other"#]],
    );
}

#[test]
fn too_many_rungs() {
    let rung = |n: u32| {
        format!(
            "[[video.ladder]]\nname = \"r{n}\"\nlong_side = {}\nshort_side = {}\ncrf = 22\nmax_kbps = {}\nbuffer_kbit = 2000\n",
            600 - 2 * n,
            300 - 2 * n,
            1000 - n
        )
    };
    let rungs: String = (0..15).map(rung).collect();
    check(
        "[audio]",
        &format!("{rungs}\n[audio]"),
        expect![[r#"
        pipelines/x.toml:124:1: the ladder has more than 16 rungs
          124 | [[video.ladder]]
              | ^^^^^^^^^^^^^^^^
        hint: every rung costs each worker an encoder's memory"#]],
    );
}

#[test]
fn rung_names() {
    check(
        "name = \"720p\"",
        "name = \"720 p\"",
        expect![[r#"
        pipelines/x.toml:11:8: `720 p` cannot name a rung
          11 | name = "720 p"
             |        ^^^^^^^
        hint: use 1 to 32 of a-z, 0-9 and -: it becomes a folder"#]],
    );
    check(
        "name = \"720p\"",
        "name = \"\"",
        expect![[r#"
        pipelines/x.toml:11:8: `` cannot name a rung
          11 | name = ""
             |        ^^
        hint: use 1 to 32 of a-z, 0-9 and -: it becomes a folder"#]],
    );
    check(
        "name = \"720p\"",
        "name = \"../../etc\"",
        expect![[r#"
        pipelines/x.toml:11:8: `../../etc` cannot name a rung
          11 | name = "../../etc"
             |        ^^^^^^^^^^^
        hint: use 1 to 32 of a-z, 0-9 and -: it becomes a folder"#]],
    );
}

#[test]
fn sides() {
    check(
        "long_side = 1280",
        "long_side = 1279",
        expect![[r#"
        pipelines/x.toml:12:13: long_side = 1279 is odd
          12 | long_side = 1279
             |             ^^^^
        hint: 4:2:0 video has even sides: 1278"#]],
    );
    check(
        "long_side = 1280\nshort_side = 720",
        "long_side = 720\nshort_side = 1280",
        expect![[r#"
        pipelines/x.toml:12:13: long_side = 720 is less than short_side = 1280
          12 | long_side = 720
             |             ^^^
        hint: boxes turn with the picture: portrait needs no rungs of its own"#]],
    );
    check(
        "long_side = 1280\nshort_side = 720",
        "long_side = 7680\nshort_side = 4320",
        expect![[r#"
        pipelines/x.toml:12:13: H.264 has no level up to 5.2 for a picture of 7680x4320
          12 | long_side = 7680
             |             ^^^^
        hint: 4096x2304 is the largest 16:9 picture"#]],
    );
    check(
        "short_side = 720\n",
        "",
        expect![[r#"
        pipelines/x.toml:10:1: `video.ladder.short_side` is missing
          10 | [[video.ladder]]
             | ^^^^^^^^^^^^^^^^
        hint: the shorter side of the box in pixels: add `short_side = 720`"#]],
    );
}

#[test]
fn quality() {
    check(
        "crf = 22",
        "crf = 0",
        expect![[r#"
        pipelines/x.toml:14:7: crf = 0 is outside 1 to 51
          14 | crf = 0
             |       ^
        hint: 18 is near to the master, 23 usual, 28 visibly coarse"#]],
    );
    check(
        "crf = 22",
        "crf = 52",
        expect![[r#"
        pipelines/x.toml:14:7: crf = 52 is outside 1 to 51
          14 | crf = 52
             |       ^^
        hint: 18 is near to the master, 23 usual, 28 visibly coarse"#]],
    );
    check(
        "crf = 22",
        "crf = -1",
        expect![[r#"
        pipelines/x.toml:14:7: crf = -1 is outside 1 to 51
          14 | crf = -1
             |       ^^
        hint: 18 is near to the master, 23 usual, 28 visibly coarse"#]],
    );
}

#[test]
fn bit_rate_that_cannot_be_reached() {
    check(
        "max_kbps = 4500\nbuffer_kbit = 9000",
        "max_kbps = 200\nbuffer_kbit = 400",
        expect![[r#"
        pipelines/x.toml:15:12: max_kbps = 200 cannot be reached at 1280x720
          15 | max_kbps = 200
             |            ^^^
        hint: even the coarsest quantiser needs more: at least 222"#]],
    );
    check(
        "max_kbps = 4500\nbuffer_kbit = 9000",
        "max_kbps = 63000\nbuffer_kbit = 63000",
        expect![[r#"
            pipelines/x.toml:15:12: max_kbps = 63000 cannot be reached at 1280x720
              15 | max_kbps = 63000
                 |            ^^^^^
            hint: High profile at level 4.2 carries at most 62500"#]],
    );
    check(
        "long_side = 1280\nshort_side = 720\ncrf = 22\nmax_kbps = 4500",
        "long_side = 3840\nshort_side = 2160\ncrf = 22\nmax_kbps = 300001",
        expect![[r#"
            pipelines/x.toml:15:12: max_kbps = 300001 is outside 1 to 300000
              15 | max_kbps = 300001
                 |            ^^^^^^
            hint: the unit is kbit/s; level 5.2 of H.264 ends at 300000"#]],
    );
    check(
        "max_kbps = 4500",
        "max_kbps = 0",
        expect![[r#"
        pipelines/x.toml:15:12: max_kbps = 0 is outside 1 to 300000
          15 | max_kbps = 0
             |            ^
        hint: the unit is kbit/s; level 5.2 of H.264 ends at 300000"#]],
    );
}

#[test]
fn rate_that_does_not_fall_with_the_size() {
    check(
        "max_kbps = 1100",
        "max_kbps = 4500",
        expect![[r#"
        pipelines/x.toml:23:12: max_kbps = 4500 is not below the 4500 of `720p`, which is larger
          23 | max_kbps = 4500
             |            ^^^^
        hint: a smaller picture that costs as much is never the better choice"#]],
    );
}

#[test]
fn buffer() {
    check(
        "buffer_kbit = 9000",
        "buffer_kbit = 2249",
        expect![[r#"
        pipelines/x.toml:16:15: buffer_kbit = 2249 is too small for max_kbps = 4500
          16 | buffer_kbit = 2249
             |               ^^^^
        hint: IDR frames would starve; 2250 is half a second of max_kbps"#]],
    );
    check(
        "buffer_kbit = 9000",
        "buffer_kbit = 27001",
        expect![[r#"
        pipelines/x.toml:16:15: buffer_kbit = 27001 is too large for max_kbps = 4500
          16 | buffer_kbit = 27001
             |               ^^^^^
        hint: a segment could cost twice the cap; 27000 is one segment of it"#]],
    );
    check(
        "max_kbps = 4500\nbuffer_kbit = 9000",
        "max_kbps = 40000\nbuffer_kbit = 80000",
        expect![[r#"
            pipelines/x.toml:16:15: buffer_kbit = 80000 is more than players have
              16 | buffer_kbit = 80000
                 |               ^^^^^
            hint: High profile at level 4.2 has at most 78125"#]],
    );
}
