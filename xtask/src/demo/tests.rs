//! Tests of how the demo reads the service's answers.

use expect_test::expect;

use super::*;

#[test]
fn the_last_line_of_an_answer_counts() {
    let title = Title::parse(
        "{\"news\":\"prepare\"}\n{\"title\":\"sample\",\"state\":\"published\",\"version\":1,\"hls\":\"/d/index.m3u8\"}\n",
    );
    let title = title.unwrap();
    assert!(title.is_final());
    assert_eq!(title.hls.as_deref(), Some("/d/index.m3u8"));
}

#[test]
fn an_answer_may_be_spread_over_lines() {
    assert!(
        Title::parse("{\n  \"title\": \"sample\",\n  \"state\": \"failed\"\n}\n")
            .unwrap()
            .is_final()
    );
}

#[test]
fn a_title_that_is_not_there_yet_is_no_answer() {
    assert!(Title::parse("").is_none());
    assert!(Title::parse("error: there is no title `sample`\n").is_none());
}

#[test]
fn work_in_progress_is_not_final() {
    assert!(!Title::parse(r#"{"title":"sample","state":"transcoding"}"#).unwrap().is_final());
}

#[test]
fn a_refusal_is_told_with_its_code() {
    let title = Title::parse(
        r#"{"title":"sample","state":"rejected","code":"empty-file","message":"the file has no bytes"}"#,
    );
    expect![[r#"
        sample was rejected: empty-file: the file has no bytes
        hint: `cargo xtask demo --fresh` starts over"#]]
    .assert_eq(&title.unwrap().verdict());
}

#[test]
fn the_sample_gets_its_name_only_when_it_is_complete() {
    let dir = std::env::temp_dir().join(format!("xtask-demo-{}", std::process::id()));
    let sample = dir.join("made.mp4");
    fs::create_dir_all(&dir).unwrap();
    fs::write(&sample, "film").unwrap();
    let folder = dir.join("drop");
    drop_in(&sample, &folder).unwrap();
    drop_in(&dir.join("not there: nothing is copied twice"), &folder).unwrap();
    let names: Vec<_> =
        fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names, ["sample.mp4"]);
    fs::remove_dir_all(&dir).unwrap();
}
