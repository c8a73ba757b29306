//! What suppliers send, and what comes of it.

use expect_test::{Expect, expect};
use proptest::prelude::*;

use super::*;

fn check(text: &str, format: Format, expected: Expect) {
    assert_eq!(Format::of(text), Some(format));
    expected.assert_eq(&Subtitles::read(format, text).expect("it can be read").whole());
}

#[test]
fn subrip_as_it_comes() {
    check(
        "\u{feff}1\r\n00:00:01,000 --> 00:00:02,500 X1:40\r\n<I>Who</I> & <font color=\"red\">what</font>?\r\n\r\n2\r\n00:00:03,0 --> 00:00:04,000\r\n{\\an8}1 < 2\r\n\r\n3\r\n01:00:00,000 --> 01:00:01,000\r\none\r\n\r\ntwo\r\n\r\n4\r\n00:00:09,000 --> 00:00:09,000\r\nnever\r\n",
        Format::Srt,
        expect![[r#"
            WEBVTT

            00:00:01.000 --> 00:00:02.500
            <i>Who</i> &amp; what?

            00:00:03.000 --> 00:00:04.000 line:0
            1 &lt; 2

            01:00:00.000 --> 01:00:01.000
            one
            two
        "#]],
    );
}

#[test]
fn webvtt_keeps_its_settings_and_styles() {
    check(
        "WEBVTT - a film\nX-TIMESTAMP-MAP=MPEGTS:900000,LOCAL:00:00:00.000\n\nSTYLE\n::cue { color: lime }\n\nNOTE nothing\n\nfirst\n00:05.000 --> 00:06.000  line:0   align:start\n<v Ann>Hi &amp; ho\n\n00:00:01.000 --> 00:00:02.000\nearlier\n",
        Format::WebVtt,
        expect![[r#"
            WEBVTT

            STYLE
            ::cue { color: lime }

            00:00:01.000 --> 00:00:02.000
            earlier

            00:00:05.000 --> 00:00:06.000 line:0 align:start
            <v Ann>Hi &amp; ho
        "#]],
    );
}

#[test]
fn ttml_of_several_kinds() {
    check(
        r#"<?xml version="1.0"?>
<tt xmlns="http://www.w3.org/ns/ttml" xmlns:tts="http://www.w3.org/ns/ttml#styling" xmlns:ttp="http://www.w3.org/ns/ttml#parameter" ttp:frameRate="25" ttp:tickRate="10000000">
  <head>
    <styling><style xml:id="it" tts:fontStyle="italic"/></styling>
    <layout><region xml:id="top" tts:displayAlign="before"/><region xml:id="low"><style tts:displayAlign="after"/></region></layout>
  </head>
  <body begin="10s"><div>
    <p begin="00:00:01:05" end="00:00:02.5" region="top">Up<br/>there &amp; <span style="it">far</span></p>
    <p begin="30000000t" dur="500ms" region="low">
      low
      down
    </p>
  </div></body>
</tt>"#,
        Format::Ttml,
        expect![[r#"
            WEBVTT

            00:00:11.200 --> 00:00:12.500 line:0
            Up
            there &amp; <i>far</i>

            00:00:13.000 --> 00:00:13.500
            low down
        "#]],
    );
}

#[test]
fn what_makes_no_sense_is_told_with_its_line() {
    let told = |format, text: &str| Subtitles::read(format, text).unwrap_err().to_string();
    assert_eq!(
        told(Format::Srt, "1\n00:00:01 -> 2\nx\n"),
        "line 2: `00:00:01 -> 2` is no line of times"
    );
    assert_eq!(
        told(Format::WebVtt, "WEBVTT\n\n00:00:61.000 --> 1\nx\n"),
        "line 3: a cue that begins with `00:00:61.000 --> 1` has no times"
    );
    assert_eq!(
        told(Format::Ttml, "<tt><body>\n<p begin='soon' end='2s'>x</p></body></tt>"),
        "line 2: `soon` is no time"
    );
    assert_eq!(Format::of("{\"a\": 1}"), None);
    assert_eq!(Format::of(""), None);
}

#[test]
fn segments_have_what_is_shown_in_them() {
    let cue = |start_ms, end_ms, text: &str| Cue {
        start_ms,
        end_ms,
        settings: String::new(),
        text: text.to_owned(),
    };
    let all = Subtitles {
        cues: vec![cue(1000, 2000, "a"), cue(5500, 6500, "b"), cue(6000, 7000, "c")],
        blocks: vec![],
    };
    let texts = |start, end| -> Vec<char> {
        all.segment(start, end, 0).lines().filter(|l| l.len() == 1).flat_map(str::chars).collect()
    };
    assert_eq!(
        (texts(0, 6000), texts(6000, 12_000), texts(12_000, 18_000)),
        (vec!['a', 'b'], vec!['b', 'c'], vec![])
    );
    let moved = all.earlier(5800);
    assert_eq!(
        moved.cues.iter().map(|c| (c.start_ms, c.end_ms)).collect::<Vec<_>>(),
        [(0, 700), (200, 1200)]
    );
}

proptest! {
    /// Nothing that somebody sends makes it panic, and what is read is read again as the same.
    #[test]
    fn whatever_it_is(text in "(?s)[\\PC\n]{0,200}", start in 0u64..10_000_000, length in 1u64..100_000, words in "[a-z &<>\n]{1,40}") {
        for format in [Format::Srt, Format::WebVtt, Format::Ttml] {
            let _ = Subtitles::read(format, &text);
        }
        let srt = format!("1\n{} --> {}\n{words}\n", Clock(start), Clock(start + length));
        let read = Subtitles::read(Format::Srt, &srt).unwrap();
        let again = Subtitles::read(Format::WebVtt, &read.whole()).unwrap();
        prop_assert_eq!(read, again);
    }
}

#[test]
fn demuxers_markup_becomes_that_of_webvtt() {
    let cue = Cue::of_pango(
        0,
        1,
        "<span foreground='#ff0'>A &amp; B</span>\n\n<i>it&apos;s &lt;here&gt;</i>",
    );
    assert_eq!(cue.text, "A &amp; B\n<i>it's &lt;here&gt;</i>");
    assert_eq!(Cue::plain(0, 1, "a < b & c").text, "a &lt; b &amp; c");
    assert_eq!(Cue::of_pango(0, 1, "cut <i").text, "cut &lt;i");
}
