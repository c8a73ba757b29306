//! Whole playlists, as players get them.

use expect_test::{Expect, expect};
use headwater_model::id::Version;

use super::*;
use crate::fixture;
use crate::view::SegmentView;

fn check(found: &str, expected: Expect) {
    expected.assert_eq(found);
}

#[test]
fn media_playlist_of_video() {
    let view = fixture::view();
    check(
        &media_playlist(&view, &view.video[0].track),
        expect![[r##"
        #EXTM3U
        #EXT-X-VERSION:7
        #EXT-X-INDEPENDENT-SEGMENTS
        #EXT-X-TARGETDURATION:6
        #EXT-X-PLAYLIST-TYPE:VOD
        #EXT-X-MAP:URI="init.mp4"
        #EXTINF:6.006000,
        seg-00001.m4s
        #EXTINF:6.006000,
        seg-00002.m4s
        #EXTINF:6.006000,
        seg-00003.m4s
        #EXTINF:4.004000,
        seg-00004.m4s
        #EXT-X-ENDLIST
    "##]],
    );
}

#[test]
fn media_playlist_of_audio() {
    let view = fixture::view();
    check(
        &media_playlist(&view, &view.audio[0].track),
        expect![[r##"
        #EXTM3U
        #EXT-X-VERSION:7
        #EXT-X-INDEPENDENT-SEGMENTS
        #EXT-X-TARGETDURATION:6
        #EXT-X-PLAYLIST-TYPE:VOD
        #EXT-X-MAP:URI="init.mp4"
        #EXTINF:6.016000,
        seg-00001.m4s
        #EXTINF:5.994667,
        seg-00002.m4s
        #EXTINF:6.016000,
        seg-00003.m4s
        #EXTINF:3.989333,
        seg-00004.m4s
        #EXT-X-ENDLIST
    "##]],
    );
}

#[test]
fn multivariant_of_three_pictures_and_two_languages() {
    check(
        &multivariant(&fixture::view(), Place::Package),
        expect![[r##"
            #EXTM3U
            #EXT-X-VERSION:7
            #EXT-X-INDEPENDENT-SEGMENTS
            #EXT-X-MEDIA:TYPE=AUDIO,URI="audio-eng/media.m3u8",GROUP-ID="audio",LANGUAGE="en",NAME="English",DEFAULT=YES,AUTOSELECT=YES,CHANNELS="2"
            #EXT-X-MEDIA:TYPE=AUDIO,URI="audio-de/media.m3u8",GROUP-ID="audio",LANGUAGE="de",NAME="German",AUTOSELECT=YES,CHANNELS="2"
            #EXT-X-STREAM-INF:BANDWIDTH=3455999,AVERAGE-BANDWIDTH=2199217,CODECS="avc1.64001f,mp4a.40.2",RESOLUTION=960x540,FRAME-RATE=29.97,VIDEO-RANGE=SDR,AUDIO="audio",CLOSED-CAPTIONS=NONE
            video-540p/media.m3u8
            #EXT-X-STREAM-INF:BANDWIDTH=9855999,AVERAGE-BANDWIDTH=6271944,CODECS="avc1.640028,mp4a.40.2",RESOLUTION=1920x1080,FRAME-RATE=29.97,VIDEO-RANGE=SDR,AUDIO="audio",CLOSED-CAPTIONS=NONE
            video-1080p/media.m3u8
            #EXT-X-STREAM-INF:BANDWIDTH=575999,AVERAGE-BANDWIDTH=366490,CODECS="avc1.64000d,mp4a.40.2",RESOLUTION=416x234,FRAME-RATE=29.97,VIDEO-RANGE=SDR,AUDIO="audio",CLOSED-CAPTIONS=NONE
            video-234p/media.m3u8
        "##]],
    );
}

#[test]
fn pointer_leads_into_the_version() {
    let pointer = multivariant(&fixture::view(), Place::Title(Version(7)));
    let inside = multivariant(&fixture::view(), Place::Package);
    let expected =
        inside.replace("\nvideo-", "\nv7/video-").replace("URI=\"audio-", "URI=\"v7/audio-");
    assert_eq!(pointer, expected);
}

#[test]
fn silent_title_has_no_audio_group() {
    let mut view = fixture::view();
    view.audio.clear();
    view.video.truncate(1);
    check(
        &multivariant(&view, Place::Package),
        expect![[r##"
        #EXTM3U
        #EXT-X-VERSION:7
        #EXT-X-INDEPENDENT-SEGMENTS
        #EXT-X-STREAM-INF:BANDWIDTH=9600000,AVERAGE-BANDWIDTH=6109091,CODECS="avc1.640028",RESOLUTION=1920x1080,FRAME-RATE=29.97,VIDEO-RANGE=SDR,CLOSED-CAPTIONS=NONE
        video-1080p/media.m3u8
    "##]],
    );
}

#[test]
fn tracks_of_one_language_have_different_names() {
    let mut view = fixture::view();
    view.audio.push(view.audio[0].clone());
    view.audio.push(AudioView { language: None, ..view.audio[0].clone() });
    let media: Vec<_> = audio_group(&view, Place::Package)
        .into_iter()
        .map(|m| (m.name, m.language, m.default, m.autoselect))
        .collect();
    let en = Some("en".to_owned());
    assert_eq!(
        media,
        [
            ("English".to_owned(), en.clone(), true, true),
            ("German".to_owned(), Some("de".to_owned()), false, true),
            ("English (Audio 3)".to_owned(), en, false, false),
            ("Audio 4".to_owned(), None, false, true),
        ]
    );
}

#[test]
fn durations_are_exact_where_f32_is_not() {
    let mut view = fixture::view();
    // 9.976633 s: the nearest f32 is 9.976632…
    view.video[0].track.segments =
        vec![SegmentView { start: 0, ticks: 299_299, bytes: 1, bytes_in_hls: 1 }];
    let playlist = media_playlist(&view, &view.video[0].track);
    assert!(playlist.contains("\n#EXTINF:9.976633,\n"), "{playlist}");
    assert!(playlist.contains("\n#EXT-X-TARGETDURATION:10\n"), "{playlist}");
}

#[test]
fn blink_of_a_clip_has_a_target_duration() {
    let mut view = fixture::view();
    for track in view
        .video
        .iter_mut()
        .map(|v| &mut v.track)
        .chain(view.audio.iter_mut().map(|a| &mut a.track))
    {
        track.segments =
            vec![SegmentView { start: 0, ticks: 2002, bytes: 1000, bytes_in_hls: 1000 }];
    }
    assert_eq!(target_duration(&view), 1);
    let playlist = multivariant(&view, Place::Package);
    // 8,000 bits of picture in 2002 / 30000 s, and as many of sound in 2002 / 48000 s.
    assert!(playlist.contains("BANDWIDTH=311690,AVERAGE-BANDWIDTH=311690"), "{playlist}");
}

#[test]
fn a_title_of_one_segment_starts_with_the_best() {
    let first_with = |segments: usize| {
        let mut view = fixture::view();
        let mut bytes = 5_000_000;
        for video in &mut view.video {
            let ticks = 180_180;
            let segment =
                |n| SegmentView { start: n as u64 * ticks, ticks, bytes, bytes_in_hls: bytes };
            video.track.segments = (0..segments).map(segment).collect();
            bytes = 1_400_000;
        }
        let names: Vec<_> = view.video.iter().map(|v| v.track.name.clone()).collect();
        let playlist = multivariant(&view, Place::Package);
        let first = playlist.lines().find(|line| !line.starts_with('#')).unwrap();
        names.iter().position(|name| first.starts_with(name.as_str())).unwrap()
    };
    assert_eq!((first_with(1), first_with(2)), (0, 1));
}

#[test]
fn subtitles_have_language_purpose_and_one_default() {
    let view = fixture::view_of(&fixture::plan_with_text());
    let text = multivariant(&view, Place::Package);
    let lines: Vec<&str> =
        text.lines().filter(|line| line.contains("text") || line.contains("SUBTITLES")).collect();
    expect![[r##"
        #EXT-X-MEDIA:TYPE=SUBTITLES,URI="text-en-forced/media.m3u8",GROUP-ID="text",LANGUAGE="en",NAME="English (forced)",AUTOSELECT=YES,FORCED=YES
        #EXT-X-MEDIA:TYPE=SUBTITLES,URI="text-en-sdh/media.m3u8",GROUP-ID="text",LANGUAGE="en",NAME="English SDH",DEFAULT=YES,AUTOSELECT=YES,CHARACTERISTICS="public.accessibility.transcribes-spoken-dialog,public.accessibility.describes-music-and-sound"
        #EXT-X-MEDIA:TYPE=SUBTITLES,URI="text-3/media.m3u8",GROUP-ID="text",NAME="Subtitles 3",AUTOSELECT=YES
        #EXT-X-STREAM-INF:BANDWIDTH=3455999,AVERAGE-BANDWIDTH=2199217,CODECS="avc1.64001f,mp4a.40.2",RESOLUTION=960x540,FRAME-RATE=29.97,VIDEO-RANGE=SDR,AUDIO="audio",SUBTITLES="text",CLOSED-CAPTIONS=NONE
        #EXT-X-STREAM-INF:BANDWIDTH=9855999,AVERAGE-BANDWIDTH=6271944,CODECS="avc1.640028,mp4a.40.2",RESOLUTION=1920x1080,FRAME-RATE=29.97,VIDEO-RANGE=SDR,AUDIO="audio",SUBTITLES="text",CLOSED-CAPTIONS=NONE
        #EXT-X-STREAM-INF:BANDWIDTH=575999,AVERAGE-BANDWIDTH=366490,CODECS="avc1.64000d,mp4a.40.2",RESOLUTION=416x234,FRAME-RATE=29.97,VIDEO-RANGE=SDR,AUDIO="audio",SUBTITLES="text",CLOSED-CAPTIONS=NONE"##]].assert_eq(&lines.join("\n"));
}

#[test]
fn segments_of_subtitles_are_minutes() {
    let view = fixture::view_of(&fixture::plan_with_text());
    expect![[r#"
        #EXTM3U
        #EXT-X-VERSION:7
        #EXT-X-TARGETDURATION:22
        #EXT-X-PLAYLIST-TYPE:VOD
        #EXTINF:22.022000,
        seg-00001.vtt
        #EXT-X-ENDLIST
    "#]]
    .assert_eq(&text_playlist(&view.text[0]));
}

#[test]
fn pictures_for_fast_forward_are_told_apart() {
    let view = fixture::view_of(&fixture::plan_with_trick());
    let text = multivariant(&view, Place::Package);
    let at = text.find("#EXT-X-I-FRAME").expect("it is there");
    expect![[r##"
        #EXT-X-I-FRAME-STREAM-INF:BANDWIDTH=32000,AVERAGE-BANDWIDTH=20364,CODECS="avc1.64000b",RESOLUTION=416x234,URI="trick-234p/media.m3u8"
    "##]].assert_eq(&text[at..]);
}

/// A German track that has only two channels is there, too, for who hears 5.1.
#[test]
fn sound_in_five_one_is_a_group_of_its_own() {
    let mut view = fixture::view();
    let mut surround = view.audio[0].clone();
    surround.track.name += "-51";
    surround.channels = 6;
    view.audio.push(surround);
    let text = multivariant(&view, Place::Package);
    let lines: Vec<&str> = text.lines().filter(|line| line.contains("audio")).collect();
    expect![[r##"
        #EXT-X-MEDIA:TYPE=AUDIO,URI="audio-eng/media.m3u8",GROUP-ID="audio",LANGUAGE="en",NAME="English",DEFAULT=YES,AUTOSELECT=YES,CHANNELS="2"
        #EXT-X-MEDIA:TYPE=AUDIO,URI="audio-de/media.m3u8",GROUP-ID="audio",LANGUAGE="de",NAME="German",AUTOSELECT=YES,CHANNELS="2"
        #EXT-X-MEDIA:TYPE=AUDIO,URI="audio-eng-51/media.m3u8",GROUP-ID="audio-51",LANGUAGE="en",NAME="English 5.1",DEFAULT=YES,AUTOSELECT=YES,CHANNELS="6"
        #EXT-X-MEDIA:TYPE=AUDIO,URI="audio-de/media.m3u8",GROUP-ID="audio-51",LANGUAGE="de",NAME="German",AUTOSELECT=YES,CHANNELS="2"
        #EXT-X-STREAM-INF:BANDWIDTH=3455999,AVERAGE-BANDWIDTH=2199217,CODECS="avc1.64001f,mp4a.40.2",RESOLUTION=960x540,FRAME-RATE=29.97,VIDEO-RANGE=SDR,AUDIO="audio",CLOSED-CAPTIONS=NONE
        #EXT-X-STREAM-INF:BANDWIDTH=9855999,AVERAGE-BANDWIDTH=6271944,CODECS="avc1.640028,mp4a.40.2",RESOLUTION=1920x1080,FRAME-RATE=29.97,VIDEO-RANGE=SDR,AUDIO="audio",CLOSED-CAPTIONS=NONE
        #EXT-X-STREAM-INF:BANDWIDTH=575999,AVERAGE-BANDWIDTH=366490,CODECS="avc1.64000d,mp4a.40.2",RESOLUTION=416x234,FRAME-RATE=29.97,VIDEO-RANGE=SDR,AUDIO="audio",CLOSED-CAPTIONS=NONE
        #EXT-X-STREAM-INF:BANDWIDTH=9855999,AVERAGE-BANDWIDTH=6271944,CODECS="avc1.640028,mp4a.40.2",RESOLUTION=1920x1080,FRAME-RATE=29.97,VIDEO-RANGE=SDR,AUDIO="audio-51",CLOSED-CAPTIONS=NONE
        #EXT-X-STREAM-INF:BANDWIDTH=3455999,AVERAGE-BANDWIDTH=2199217,CODECS="avc1.64001f,mp4a.40.2",RESOLUTION=960x540,FRAME-RATE=29.97,VIDEO-RANGE=SDR,AUDIO="audio-51",CLOSED-CAPTIONS=NONE
        #EXT-X-STREAM-INF:BANDWIDTH=575999,AVERAGE-BANDWIDTH=366490,CODECS="avc1.64000d,mp4a.40.2",RESOLUTION=416x234,FRAME-RATE=29.97,VIDEO-RANGE=SDR,AUDIO="audio-51",CLOSED-CAPTIONS=NONE"##]].assert_eq(&lines.join("\n"));
}

#[test]
fn segments_as_mpeg_ts_are_named_in_their_place() {
    let view = fixture::view_of(&fixture::plan_with_transport());
    expect![[r#"
        #EXTM3U
        #EXT-X-VERSION:4
        #EXT-X-INDEPENDENT-SEGMENTS
        #EXT-X-TARGETDURATION:6
        #EXT-X-PLAYLIST-TYPE:VOD
        #EXTINF:6.016000,
        seg-00001.ts
        #EXTINF:5.994667,
        seg-00002.ts
        #EXTINF:6.016000,
        seg-00003.ts
        #EXTINF:3.989333,
        seg-00004.ts
        #EXT-X-ENDLIST
    "#]]
    .assert_eq(&media_playlist(&view, &view.audio[0].track));
    let (old, new) = (fixture::view(), view);
    let rate = |view: &PackageView| {
        let text = multivariant(view, Place::Package);
        let rest = text.split("BANDWIDTH=").nth(1).and_then(|rest| rest.split(',').next());
        rest.and_then(|rate| rate.parse::<f64>().ok()).expect("a rate")
    };
    let more = rate(&new) / rate(&old);
    assert!((1.049..1.051).contains(&more), "bit rates are those of what is named: {more}");
}
