//! What is told of a master before anything is made of it.

use serde_json::{Value, json};

use crate::masters::{self, Master};
use crate::run::Site;

fn probe(master: &Master) -> Value {
    let path = master.path();
    let ran = Site::new().run(["--json", "probe", path.to_str().unwrap()]);
    assert_eq!(ran.code, Some(0), "{ran}");
    ran.last_line()
}

fn words(master: &Master) -> String {
    let path = master.path();
    let ran = Site::new().run(["probe", path.to_str().unwrap()]);
    assert_eq!(ran.code, Some(0), "{ran}");
    ran.stdout
}

#[test]
fn a_tape_has_fields_a_shape_and_six_loudspeakers() {
    let told = probe(&masters::INTERLACED);
    let video = &told["video"][0];
    assert_eq!(video["interlaced"], true, "{video}");
    assert_eq!(video["fields"], "top-first", "{video}");
    assert_eq!(video["sample_aspect"], json!([3, 4]), "{video}");
    assert_eq!(told["cadence"], json!({ "constant": [25, 1] }), "{told}");
    let audio = &told["audio"][0];
    assert_eq!(audio["layout"], "5.1", "{audio}");
    assert_eq!(audio["channels"], 6, "{audio}");
    assert_eq!(audio["sample_rate"], 48_000, "{audio}");
    let words = words(&masters::INTERLACED);
    assert!(words.contains("interlaced, top field first"), "{words}");
    assert!(words.contains("48000 Hz 5.1"), "{words}");
}

#[test]
fn a_picture_of_high_dynamic_range_says_how_bright_it_gets() {
    let told = probe(&masters::HDR10);
    let video = &told["video"][0];
    assert_eq!(video["bit_depth"], 10, "{video}");
    assert_eq!(video["chroma"], "4:2:0", "{video}");
    assert_eq!(
        video["colour"],
        json!({ "primaries": 9, "transfer": 16, "matrix": 9, "full_range": false }),
    );
    assert_eq!(
        video["mastering"],
        json!({
            "primaries": [[34000, 16000], [13250, 34500], [7500, 3000]], "white": [15635, 16450],
            "max_luminance": 10_000_000, "min_luminance": 50,
        }),
    );
    assert_eq!(video["light"], json!({ "max_pixel": 1000, "max_frame_average": 400 }));
    let words = words(&masters::HDR10);
    assert!(words.contains("10 bits, 4:2:0, primaries BT.2020, transfer PQ"), "{words}");
}

#[test]
fn an_editors_file_has_timecode() {
    let told = probe(&masters::PRORES);
    let video = &told["video"][0];
    assert_eq!(told["timecode"], "01:00:00;00", "{told}");
    assert_eq!(video["bit_depth"], 10, "{video}");
    assert_eq!(video["chroma"], "4:2:2", "{video}");
    assert_eq!(
        video["colour"],
        json!({ "primaries": 1, "transfer": 1, "matrix": 1, "full_range": false }),
    );
    assert_eq!(told["audio"][0]["layout"], "stereo", "{told}");
}

#[test]
fn a_phones_picture_is_of_full_range() {
    let video = probe(&masters::FULL_RANGE)["video"][0].clone();
    assert_eq!(
        video["colour"],
        // Matrices 5 and 6 are one.
        json!({ "primaries": 5, "transfer": 6, "matrix": 6, "full_range": true }),
    );
}

#[test]
fn each_track_says_when_it_ends() {
    let told = probe(&masters::LONG_SOUND);
    let end = |kind: &str| told[kind][0]["end_ns"].as_i64().unwrap();
    let differ = end("audio") - end("video");
    assert!((2_950_000_000..3_050_000_000).contains(&differ), "{told}");
}

#[test]
fn what_an_edit_list_hides_is_told() {
    let told = probe(&masters::EDIT_LIST);
    let lists = told["edit_lists"].as_array().unwrap();
    assert!(!lists.is_empty(), "{told}");
    assert!(lists.iter().all(|list| list["pieces"] == 1), "{told}");
    let words = words(&masters::EDIT_LIST);
    assert!(words.contains("hides its first 0.4"), "cut at 2.32 s, key at 1.92 s: {words}");
}
