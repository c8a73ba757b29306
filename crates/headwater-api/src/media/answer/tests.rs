//! Range fields, one a line, and the conditions that go before them.

use axum::http::Method;
use axum::http::header::{HeaderMap, HeaderName, HeaderValue, IF_NONE_MATCH, IF_RANGE, RANGE};
use expect_test::{Expect, expect};

use super::{Answer, asked, decide};

fn check(size: u64, headers: &[&str], expected: Expect) {
    let lines = headers.iter().map(|h| format!("{h}: {:?}\n", asked(h, size)));
    expected.assert_eq(&lines.collect::<String>());
}

#[test]
fn parts_of_an_object() {
    check(
        1000,
        &[
            "bytes=0-499",
            "bytes=500-",
            "bytes=999-999",
            "bytes=0-99999",
            "bytes=-1",
            "bytes=-500",
            "bytes=-99999",
            "Bytes= 5-6 ",
            "bytes=0-18446744073709551615",
            "bytes=0-99999999999999999999999",
        ],
        expect![[r#"
            bytes=0-499: Part(0..500)
            bytes=500-: Part(500..1000)
            bytes=999-999: Part(999..1000)
            bytes=0-99999: Part(0..1000)
            bytes=-1: Part(999..1000)
            bytes=-500: Part(500..1000)
            bytes=-99999: Part(0..1000)
            Bytes= 5-6 : Part(5..7)
            bytes=0-18446744073709551615: Part(0..1000)
            bytes=0-99999999999999999999999: Part(0..1000)
        "#]],
    );
}

#[test]
fn beyond_the_object() {
    check(
        1000,
        &["bytes=1000-", "bytes=1000-2000", "bytes=-0", "bytes=99999999999999999999999-"],
        expect![[r#"
            bytes=1000-: Unsatisfiable
            bytes=1000-2000: Unsatisfiable
            bytes=-0: Unsatisfiable
            bytes=99999999999999999999999-: Unsatisfiable
        "#]],
    );
    check(
        0,
        &["bytes=0-", "bytes=-1", "bytes=0-0"],
        expect![[r#"
            bytes=0-: Unsatisfiable
            bytes=-1: Unsatisfiable
            bytes=0-0: Unsatisfiable
        "#]],
    );
}

#[test]
fn what_does_not_parse_or_is_several_is_ignored() {
    check(
        1000,
        &[
            "",
            "bytes",
            "bytes=",
            "bytes=-",
            "bytes=a-b",
            "bytes=5-4",
            "bytes=+1-2",
            "bytes=0x1-2",
            "bytes=0-1,5-6",
            "seconds=0-1",
        ],
        expect![[r#"
            : Whole
            bytes: Whole
            bytes=: Whole
            bytes=-: Whole
            bytes=a-b: Whole
            bytes=5-4: Whole
            bytes=+1-2: Whole
            bytes=0x1-2: Whole
            bytes=0-1,5-6: Whole
            seconds=0-1: Whole
        "#]],
    );
}

fn fields(fields: &[(HeaderName, &'static str)]) -> HeaderMap {
    fields.iter().map(|(name, value)| (name.clone(), HeaderValue::from_static(value))).collect()
}

#[test]
fn a_range_is_for_get_only() {
    let headers = fields(&[(RANGE, "bytes=0-3")]);
    assert_eq!(decide(&Method::GET, &headers, 10, None), Answer::Part(0..4));
    assert_eq!(decide(&Method::HEAD, &headers, 10, None), Answer::Whole);
    assert_eq!(decide(&Method::GET, &fields(&[]), 10, None), Answer::Whole);
}

#[test]
fn what_the_client_has_is_not_sent_again() {
    let etag = Some("\"abc\"");
    for known in ["\"abc\"", "W/\"abc\"", "\"x\", \"abc\"", "*"] {
        let headers = fields(&[(IF_NONE_MATCH, known), (RANGE, "bytes=99-")]);
        assert_eq!(decide(&Method::GET, &headers, 10, etag), Answer::NotModified, "{known}");
    }
    let headers = fields(&[(IF_NONE_MATCH, "\"x\"")]);
    assert_eq!(decide(&Method::GET, &headers, 10, etag), Answer::Whole);
    assert_eq!(decide(&Method::GET, &headers, 10, None), Answer::Whole);
}

#[test]
fn a_range_of_another_state_gets_the_whole_object() {
    let headers = |if_range| fields(&[(RANGE, "bytes=0-3"), (IF_RANGE, if_range)]);
    let decide = |if_range, etag| decide(&Method::GET, &headers(if_range), 10, etag);
    assert_eq!(decide("\"abc\"", Some("\"abc\"")), Answer::Part(0..4));
    assert_eq!(decide("\"old\"", Some("\"abc\"")), Answer::Whole);
    assert_eq!(decide("W/\"abc\"", Some("\"abc\"")), Answer::Whole);
    assert_eq!(decide("Sat, 01 Jan 2022 00:00:00 GMT", Some("\"abc\"")), Answer::Whole);
    assert_eq!(decide("\"abc\"", None), Answer::Whole);
}
