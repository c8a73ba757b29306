//! The whole MPD, as players get it.

use expect_test::expect;
use headwater_model::id::Version;
use headwater_model::key::segment_name;

use super::*;
use crate::fixture;

#[test]
fn mpd_of_three_pictures_and_two_languages() {
    expect![[r#"
        <?xml version="1.0" encoding="UTF-8"?>
        <MPD xmlns="urn:mpeg:dash:schema:mpd:2011" profiles="urn:mpeg:dash:profile:isoff-live:2011" type="static" mediaPresentationDuration="PT22.022S" minBufferTime="PT6.016S" maxSegmentDuration="PT6.016S" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xmlns:cenc="urn:mpeg:cenc:2013" xmlns:mspr="urn:microsoft:playready" xmlns:xlink="http://www.w3.org/1999/xlink" xmlns:scte35="http://www.scte.org/schemas/35/2016" xmlns:dvb="urn:dvb:dash-extensions:2014-1">
          <Period id="0" start="PT0S">
            <AdaptationSet id="0" contentType="video" par="16:9" segmentAlignment="true" mimeType="video/mp4" maxWidth="1920" maxHeight="1080" maxFrameRate="30000/1001" startWithSAP="1">
              <Role schemeIdUri="urn:mpeg:dash:role:2011" value="main"/>
              <SegmentTemplate media="$RepresentationID$/seg-$Number%05d$.m4s" initialization="$RepresentationID$/init.mp4" startNumber="1" timescale="30000">
                <SegmentTimeline>
                  <S t="0" d="180180" r="2"/>
                  <S d="120120"/>
                </SegmentTimeline>
              </SegmentTemplate>
              <Representation id="video-1080p" bandwidth="9584043" width="1920" height="1080" sar="1:1" frameRate="30000/1001" codecs="avc1.640028"/>
              <Representation id="video-540p" bandwidth="3194681" width="960" height="540" sar="1:1" frameRate="30000/1001" codecs="avc1.64001f"/>
              <Representation id="video-234p" bandwidth="319469" width="416" height="234" sar="1:1" frameRate="30000/1001" codecs="avc1.64000d"/>
            </AdaptationSet>
            <AdaptationSet id="1" contentType="audio" lang="en" segmentAlignment="true" mimeType="audio/mp4" startWithSAP="1">
              <Label>English</Label>
              <Role schemeIdUri="urn:mpeg:dash:role:2011" value="main"/>
              <SegmentTemplate media="$RepresentationID$/seg-$Number%05d$.m4s" initialization="$RepresentationID$/init.mp4" startNumber="1" timescale="48000">
                <SegmentTimeline>
                  <S t="0" d="288768"/>
                  <S d="287744"/>
                  <S d="288768"/>
                  <S d="191488"/>
                </SegmentTimeline>
              </SegmentTemplate>
              <Representation id="audio-eng" bandwidth="255091" audioSamplingRate="48000" codecs="mp4a.40.2">
                <AudioChannelConfiguration schemeIdUri="urn:mpeg:mpegB:cicp:ChannelConfiguration" value="2"/>
              </Representation>
            </AdaptationSet>
            <AdaptationSet id="2" contentType="audio" lang="de" segmentAlignment="true" mimeType="audio/mp4" startWithSAP="1">
              <Label>German</Label>
              <Role schemeIdUri="urn:mpeg:dash:role:2011" value="alternate"/>
              <SegmentTemplate media="$RepresentationID$/seg-$Number%05d$.m4s" initialization="$RepresentationID$/init.mp4" startNumber="1" timescale="48000">
                <SegmentTimeline>
                  <S t="0" d="288768"/>
                  <S d="287744"/>
                  <S d="288768"/>
                  <S d="191488"/>
                </SegmentTimeline>
              </SegmentTemplate>
              <Representation id="audio-de" bandwidth="255091" audioSamplingRate="48000" codecs="mp4a.40.2">
                <AudioChannelConfiguration schemeIdUri="urn:mpeg:mpegB:cicp:ChannelConfiguration" value="2"/>
              </Representation>
            </AdaptationSet>
          </Period>
        </MPD>
    "#]].assert_eq(&mpd(&fixture::view(), Place::Package));
}

#[test]
fn pointer_leads_into_the_version() {
    let pointer = mpd(&fixture::view(), Place::Title(Version(7)));
    let inside = mpd(&fixture::view(), Place::Package);
    assert_eq!(pointer, inside.replace("=\"$Repr", "=\"v7/$Repr"));
}

#[test]
fn template_and_keys_name_the_same_files() {
    for n in [0, 8, 9_998, 99_998, 99_999] {
        let expanded = SEGMENT_TEMPLATE.replace("$Number%05d$", &format!("{:05}", n + 1));
        assert_eq!(expanded, segment_name(n));
    }
}

#[test]
fn silent_title_has_one_adaptation_set() {
    let mut view = fixture::view();
    view.audio.clear();
    assert_eq!(mpd(&view, Place::Package).matches("<AdaptationSet").count(), 1);
}

#[test]
fn unknown_language_and_layout_are_left_out() {
    let mut view = fixture::view();
    view.audio[0].language = None;
    view.audio[0].channels = 16;
    view.audio.truncate(1);
    let mpd = mpd(&view, Place::Package);
    assert!(!mpd.contains("lang="), "{mpd}");
    assert!(!mpd.contains("AudioChannelConfiguration"), "{mpd}");
    assert!(mpd.contains("<Label>Audio 1</Label>"), "{mpd}");
}

#[test]
fn layouts_by_number_of_channels() {
    let layouts: Vec<_> = (0..10)
        .map(|n| channel_configuration(n).and_then(|c| c.value).unwrap_or_default())
        .collect();
    assert_eq!(layouts, ["", "1", "2", "3", "4", "5", "6", "11", "12", ""]);
}

#[test]
fn shapes_of_pictures() {
    assert_eq!(aspect(1920, 1080), "16:9");
    assert_eq!(aspect(406, 720), "203:360");
    assert_eq!(aspect(0, 0), "0:0");
}

#[test]
fn subtitles_have_language_purpose_and_one_default() {
    let view = fixture::view_of(&fixture::plan_with_text());
    let text = mpd(&view, Place::Package);
    let lines: Vec<&str> = text
        .lines()
        .filter(|line| line.contains("text") || line.contains("SUBTITLES"))
        .filter_map(|line| line.strip_prefix("    "))
        .collect();
    expect![[r#"
            <AdaptationSet id="3" contentType="text" lang="en" mimeType="text/vtt">
              <Representation id="text-en-forced" bandwidth="327">
                <BaseURL>text-en-forced/whole.vtt</BaseURL>
            <AdaptationSet id="4" contentType="text" lang="en" mimeType="text/vtt">
              <Representation id="text-en-sdh" bandwidth="327">
                <BaseURL>text-en-sdh/whole.vtt</BaseURL>
            <AdaptationSet id="5" contentType="text" mimeType="text/vtt">
              <Representation id="text-3" bandwidth="327">
                <BaseURL>text-3/whole.vtt</BaseURL>"#]]
    .assert_eq(&lines.join("\n"));
}

#[test]
fn pictures_for_fast_forward_are_told_apart() {
    let view = fixture::view_of(&fixture::plan_with_trick());
    let text = mpd(&view, Place::Package);
    let at = text.find("<AdaptationSet id=\"3\"").expect("it is there");
    expect![[r#"
        <AdaptationSet id="3" contentType="video" segmentAlignment="true" mimeType="video/mp4" startWithSAP="1">
              <EssentialProperty schemeIdUri="http://dashif.org/guidelines/trickmode" value="0"/>
              <SegmentTemplate media="$RepresentationID$/seg-$Number%05d$.m4s" initialization="$RepresentationID$/init.mp4" startNumber="1" timescale="30000">
                <SegmentTimeline>
                  <S t="0" d="180180" r="2"/>
                  <S d="120120"/>
                </SegmentTimeline>
              </SegmentTemplate>
              <Representation id="trick-234p" bandwidth="31947" width="416" height="234" sar="1:1" frameRate="2000/11011" codecs="avc1.64000b" maxPlayoutRate="64" codingDependency="false"/>
            </AdaptationSet>
          </Period>
        </MPD>
    "#]].assert_eq(&text[at..]);
}
