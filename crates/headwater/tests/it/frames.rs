//! Every rendition shows exactly the frames of one full decode of the master, however it is cut into spans.

use std::fs;

use crate::masters::{self, Master};
use crate::package::{self, Packet, Rendition, Thumbnail};
use crate::run::{Site, quick_pipeline};

/// How far a frame may be shown from where the master shows it, in seconds. WebM rounds to milliseconds.
const TIME_TOLERANCE: f64 = 0.002;

/// How far a cell of a thumbnail may be off on average: encoding at test quality costs a few levels, a bar of another
/// frame's number more than two hundred in a twentieth of the picture.
const MEAN_TOLERANCE: f64 = 6.0;

/// How far sound and picture may end from each other, in seconds.
const END_TOLERANCE: f64 = 0.1;

/// What the master has, found by ffmpeg.
struct Truth {
    frames: Vec<Thumbnail>,
    times: Vec<f64>,
}

fn check(master: &Master, spans: &[u32]) {
    let file = master.path();
    let truth = Truth { frames: package::thumbnails(&file), times: package::frame_times(&file) };
    assert_eq!(truth.frames.len(), truth.times.len(), "ffmpeg and ffprobe agree about the master");
    check_against(master, &truth, spans);
}

fn check_against(master: &Master, truth: &Truth, spans: &[u32]) {
    let file = master.path();
    for &span_segments in spans {
        let site = Site::new();
        let verdict = site.publish(&file, "film", &site.quick(span_segments));
        assert_eq!(
            verdict["frames"],
            truth.frames.len(),
            "frames with spans of {span_segments}: {verdict}"
        );
        let scratch = site.path("renditions");
        fs::create_dir(&scratch).unwrap();
        let renditions = package::renditions(&site.package("film"), &scratch);
        check_renditions(
            truth,
            &renditions,
            &format!("{} with spans of {span_segments}", master.file),
        );
    }
}

fn check_renditions(truth: &Truth, renditions: &[Rendition], what: &str) {
    let mut grid: Option<Vec<Packet>> = None;
    for rendition in renditions.iter().filter(|r| r.is_video()) {
        let what = format!("{what}, {}", rendition.name);
        let (start, packets) = package::packets(&rendition.file);
        assert_eq!(start, "0.000000", "{what}: start");
        same_times(&truth.times, &packets, &what);
        same_frames(&truth.frames, &package::thumbnails(&rendition.file), &what);
        match &grid {
            Some(grid) => aligned(grid, &packets, &what),
            None => grid = Some(packets),
        }
    }
    let grid = grid.expect("there is a video rendition");
    for rendition in renditions.iter().filter(|r| !r.is_video()) {
        let (start, packets) = package::packets(&rendition.file);
        assert_eq!(start, "0.000000", "{what}, {}: start", rendition.name);
        let apart = package::end(&grid) - package::end(&packets);
        assert!(
            apart.abs() <= END_TOLERANCE,
            "{what}, {}: ends {apart:.3} s before the picture",
            rendition.name
        );
    }
}

/// Renditions have their frames and their keys at the same times.
fn aligned(largest: &[Packet], packets: &[Packet], what: &str) {
    assert_eq!(largest.len(), packets.len(), "{what}: packets");
    for (n, (a, b)) in largest.iter().zip(packets).enumerate() {
        assert_eq!((a.at, a.key), (b.at, b.key), "{what}: packet {n}, as in the largest rendition");
        // ffprobe knows no duration of AV1 in fragments.
        assert!(a.lasts == b.lasts || b.lasts == 0.0, "{what}: packet {n} lasts otherwise");
    }
}

fn same_times(expected: &[f64], packets: &[Packet], what: &str) {
    assert_eq!(packets.len(), expected.len(), "{what}: packets");
    for (n, (expected, packet)) in expected.iter().zip(packets).enumerate() {
        let apart = (packet.at - expected).abs();
        assert!(
            apart <= TIME_TOLERANCE,
            "{what}: frame {n} is shown at {} instead of {expected}",
            packet.at
        );
    }
}

fn same_frames(expected: &[Thumbnail], found: &[Thumbnail], what: &str) {
    assert_eq!(found.len(), expected.len(), "{what}: decoded frames");
    for (n, (expected_frame, frame)) in expected.iter().zip(found).enumerate() {
        let apart = distance(expected_frame, frame);
        if apart > MEAN_TOLERANCE {
            let nearest = (0..expected.len()).min_by(|a, b| {
                distance(&expected[*a], frame).total_cmp(&distance(&expected[*b], frame))
            });
            panic!(
                "{what}: frame {n} differs by {apart:.1} levels; it looks like frame {nearest:?} of the master"
            );
        }
    }
}

/// Mean difference of two thumbnails in levels of grey.
fn distance(a: &Thumbnail, b: &Thumbnail) -> f64 {
    let sum: u32 = a.iter().zip(b).map(|(a, b)| u32::from(a.abs_diff(*b))).sum();
    f64::from(sum) / a.len() as f64
}

#[test]
fn b_frames_at_23976() {
    check(&masters::H264_23976, &[1, 2, 3]);
}

#[test]
fn b_frames_at_25() {
    check(&masters::H264_25, &[1, 2, 3]);
}

#[test]
fn b_frames_at_2997() {
    check(&masters::H264_2997, &[1, 2, 3]);
}

#[test]
fn b_frames_at_30() {
    check(&masters::H264_30, &[1, 2, 3]);
}

#[test]
fn b_frames_at_50() {
    check(&masters::H264_50, &[1, 2, 3]);
}

#[test]
fn b_frames_at_5994() {
    check(&masters::H264_5994, &[1, 2, 3]);
}

#[test]
fn h264_with_open_gops() {
    check(&masters::H264_OPEN_GOP, &[1, 2, 3]);
}

#[test]
fn mkv_with_times_in_milliseconds() {
    check(&masters::MKV, &[1, 2, 3]);
}

#[test]
fn vp8_with_frames_that_are_never_shown() {
    check(&masters::VP8, &[1, 2, 3]);
}

#[test]
fn vp9_with_superframes() {
    check(&masters::VP9, &[1, 2, 3]);
}

#[test]
fn av1() {
    check(&masters::AV1, &[1, 2, 3]);
}

#[test]
fn mov_with_pcm() {
    check(&masters::MOV_PCM, &[1, 2, 3]);
}

#[test]
fn hevc_with_open_gops() {
    check(&masters::HEVC_OPEN_GOP, &[1, 2, 3]);
}

#[test]
fn edit_list_that_hides_the_beginning() {
    check(&masters::EDIT_LIST, &[1, 2, 3]);
}

#[test]
fn rotated_by_the_track_header() {
    check(&masters::ROTATED, &[1, 2, 3]);
}

#[test]
fn variable_frame_rate() {
    // Three of every seven frames of 30 a second are missing.
    let frames = package::thumbnails(&masters::VARIABLE_RATE.path());
    check_on_grid(&masters::VARIABLE_RATE, frames, 30.0, &[1, 2, 3]);
}

/// Each frame is shown until the next one, so many times a second.
fn check_on_grid(master: &Master, there: Vec<Thumbnail>, rate: f64, spans: &[u32]) {
    let at = package::frame_times(&master.path());
    let steps = (at.last().unwrap() * rate).round() as usize + 1;
    let shown = (0..steps).map(|step| {
        let now = step as f64 / rate;
        at.iter().rposition(|t| *t <= now + TIME_TOLERANCE).unwrap()
    });
    let frames: Vec<Thumbnail> = shown.map(|n| there[n].clone()).collect();
    let times = (0..steps).map(|step| step as f64 / rate).collect();
    check_against(master, &Truth { frames, times }, spans);
}

#[test]
fn odd_width_and_height() {
    check(&masters::ODD_SIZE, &[1, 2, 3]);
}

#[test]
fn pixels_that_are_not_square() {
    check(&masters::WIDE_PIXELS, &[1, 2, 3]);
}

#[test]
fn sound_longer_than_the_picture() {
    check(&masters::LONG_SOUND, &[1, 3]);
}

#[test]
fn sound_shorter_than_the_picture() {
    check(&masters::SHORT_SOUND, &[1, 3]);
}

#[test]
fn sound_that_starts_late() {
    check(&masters::LATE_SOUND, &[1, 3]);
}

#[test]
fn no_sound() {
    check(&masters::SILENT, &[2]);
}

#[test]
fn a_minute_in_spans_of_ten() {
    check(&masters::MINUTE, &[10]);
}

#[test]
fn h264_in_a_transport_stream() {
    check(&masters::TS_H264, &[1]);
}

#[test]
fn mpeg2_in_a_transport_stream() {
    check(&masters::TS_MPEG2, &[1]);
}

#[test]
fn mpeg2_in_a_program_stream() {
    check(&masters::PS_MPEG2, &[1]);
}

#[test]
fn mpeg2_in_mxf() {
    check(&masters::MXF_MPEG2, &[1]);
}

#[test]
fn dnxhr_in_mxf() {
    check(&masters::MXF_DNXHR, &[1]);
}

#[test]
fn mpeg4_in_avi() {
    // Nobody says which colours it has, and those of a small picture are taken for BT.601. There is a gap before its
    // second frame.
    let converted = "scale=in_color_matrix=bt601:out_color_matrix=bt709,format=yuv420p";
    let frames = package::filtered_thumbnails(&masters::AVI.path(), converted);
    check_on_grid(&masters::AVI, frames, 25.0, &[1]);
}

#[test]
fn prores_in_mov() {
    check(&masters::PRORES, &[1, 3]);
}

#[test]
fn hevc_of_ten_bits() {
    check(&masters::HEVC_10, &[1, 2]);
}

/// 5 s are 250 and 300 frames; a boundary never falls on a frame that the smaller rendition does not show.
#[test]
fn a_rung_of_half_the_rate_shows_every_second_frame() {
    for (master, spans) in [(&masters::H264_50, 1), (&masters::H264_5994, 2)] {
        let file = master.path();
        let site = Site::new();
        let pipeline = quick_pipeline(spans);
        let (all, half) = ("buffer_kbit = 400 }", "buffer_kbit = 400, max_fps = 30 }");
        assert!(pipeline.contains(all));
        site.write("half.toml", pipeline.replace(all, half));
        site.publish(&file, "film", "half.toml");
        let scratch = site.path("renditions");
        fs::create_dir(&scratch).unwrap();
        let renditions = package::renditions(&site.package("film"), &scratch);
        let (frames, times) = (package::thumbnails(&file), package::frame_times(&file));
        for (name, every) in [("video-180p", 1), ("video-90p", 2)] {
            let rendition = renditions.iter().find(|r| r.name == name).unwrap();
            let (start, packets) = package::packets(&rendition.file);
            assert_eq!(start, "0.000000", "{name}");
            let shown: Vec<f64> = times.iter().copied().step_by(every).collect();
            same_times(&shown, &packets, name);
            let shown: Vec<Thumbnail> = frames.iter().step_by(every).cloned().collect();
            same_frames(&shown, &package::thumbnails(&rendition.file), name);
        }
        let playlist = fs::read_to_string(site.package("film").join("index.m3u8")).unwrap();
        let rates = playlist.split("FRAME-RATE=").skip(1);
        let rates: Vec<&str> = rates.filter_map(|rest| rest.split([',', '\n']).next()).collect();
        let wanted = if spans == 1 { ["50", "25"] } else { ["59.94", "29.97"] };
        assert!(wanted.iter().all(|rate| rates.contains(rate)), "{playlist}");
    }
}

/// Spans of one segment: every codec begins each of them with a key, and none hands anything over.
#[test]
fn every_codec_shows_every_frame() {
    let site = Site::new();
    let pipeline = quick_pipeline(1).replace(
        "ladder = [\n",
        r#"ladder = [
  { name = "180p-h265", codec = "h265", long_side = 320, short_side = 180, crf = 26, max_kbps = 500, buffer_kbit = 1000 },
  { name = "90p-av1", codec = "av1", long_side = 160, short_side = 90, crf = 30, max_kbps = 300, buffer_kbit = 600 },
  { name = "90p-vp9", codec = "vp9", long_side = 160, short_side = 90, crf = 30, max_kbps = 300, buffer_kbit = 600 },
"#,
    );
    let sections = r#"[video.h265]
encoders = ["x265enc"]
preset = "ultrafast"

[video.av1]
encoders = ["av1enc"]
speed = 8

[video.vp9]
encoders = ["vp9enc"]
speed = 8

[audio]"#;
    site.write("many.toml", pipeline.replace("[audio]", sections));
    let master = &masters::H264_25;
    let file = master.path();
    site.publish(&file, "film", "many.toml");
    let scratch = site.path("renditions");
    fs::create_dir(&scratch).unwrap();
    let renditions = package::renditions(&site.package("film"), &scratch);
    let truth = Truth { frames: package::thumbnails(&file), times: package::frame_times(&file) };
    assert_eq!(renditions.iter().filter(|r| r.is_video()).count(), 5);
    check_renditions(&truth, &renditions, master.file);
    let playlist = fs::read_to_string(site.package("film").join("index.m3u8")).unwrap();
    for codec in ["avc1.64", "hvc1.1.6.L", "av01.0.00M.08", "vp09.00.11.08"] {
        assert!(playlist.contains(codec), "{codec} in {playlist}");
    }
    let mpd = fs::read_to_string(site.package("film").join("manifest.mpd")).unwrap();
    assert_eq!(mpd.matches("contentType=\"video\"").count(), 4, "{mpd}");
}

/// The first frame of every segment, and nothing else.
#[test]
fn pictures_for_fast_forward_are_the_first_of_each_segment() {
    for spans in [1, 4] {
        let site = Site::new();
        let pipeline =
            quick_pipeline(spans).replace("gop_seconds = 1", "gop_seconds = 1\ntrick = true");
        site.write("trick.toml", pipeline);
        let file = masters::H264_25.path();
        site.publish(&file, "film", "trick.toml");
        let scratch = site.path("renditions");
        fs::create_dir(&scratch).unwrap();
        let renditions = package::renditions(&site.package("film"), &scratch);
        let trick = renditions.iter().find(|r| r.name == "trick-90p").unwrap();
        let (start, packets) = package::packets(&trick.file);
        assert_eq!(start, "0.000000");
        let at: Vec<f64> = packets.iter().map(|p| p.at).collect();
        assert_eq!(at, [0.0, 5.0, 10.0, 15.0]);
        assert!(packets.iter().all(|p| p.key), "{packets:?}");
        let frames = package::thumbnails(&file);
        let shown: Vec<Thumbnail> = [0, 125, 250, 375].map(|n| frames[n].clone()).to_vec();
        same_frames(&shown, &package::thumbnails(&trick.file), "trick-90p");
        let playlist = fs::read_to_string(site.package("film").join("index.m3u8")).unwrap();
        assert!(playlist.contains("#EXT-X-I-FRAME-STREAM-INF:"), "{playlist}");
    }
}

/// One for each segment, in its place on the sheet, and told in three ways.
#[test]
fn small_pictures_show_where_segments_begin() {
    let site = Site::new();
    let pipeline = quick_pipeline(2).replace("gop_seconds = 1", "gop_seconds = 1\npictures = true");
    site.write("pictures.toml", pipeline);
    let file = masters::WORDS_MKV.path();
    site.publish(&file, "film", "pictures.toml");
    let folder = site.package("film").join("pictures");
    // JPEG has the full range, and the matrix of BT.601.
    let as_video = "scale=in_range=pc:in_color_matrix=bt601:out_color_matrix=bt709:out_range=tv,format=yuv420p";
    let how = ["-vf", as_video, "-pix_fmt", "gray"];
    let sheet = package::decode(&folder.join("sheet-00001.jpg"), &how, "rawvideo");
    let (width, height) = (160, 90);
    assert_eq!(sheet.len(), 5 * width * 5 * height);
    // Keys of the master are 48 frames apart: of those before 0, 5, 10 … s the last.
    let frames = package::thumbnails(&file);
    for n in 0..13usize {
        let (x, y) = (n % 5 * width, n / 5 * height);
        let tile: Vec<u8> = (0..height)
            .flat_map(|row| sheet[(y + row) * 5 * width + x..][..width].to_vec())
            .collect();
        let scratch = site.path("tile.gray");
        fs::write(&scratch, tile).unwrap();
        let found = package::thumbnail_of_grey(&scratch, (width, height));
        let key = n * 125 / 48 * 48;
        same_frames(&[frames[key].clone()], &[found], &format!("picture {n}"));
    }
    let vtt = fs::read_to_string(folder.join("thumbnails.vtt")).unwrap();
    assert!(
        vtt.contains("00:00:55.000 --> 00:01:00.000\nsheet-00001.jpg#xywh=160,180,160,90"),
        "{vtt}"
    );
    let playlist = fs::read_to_string(folder.join("media.m3u8")).unwrap();
    assert!(
        playlist.contains("#EXT-X-TILES:RESOLUTION=160x90,LAYOUT=5x5,DURATION=5.000000"),
        "{playlist}"
    );
    let poster = package::decode(&folder.join("poster.jpg"), &["-pix_fmt", "gray"], "rawvideo");
    assert_eq!(poster.len(), 320 * 180);
    let index = fs::read_to_string(site.package("film").join("index.m3u8")).unwrap();
    assert!(index.contains("URI=\"pictures/media.m3u8\""), "{index}");
    let mpd = fs::read_to_string(site.package("film").join("manifest.mpd")).unwrap();
    assert!(mpd.contains("thumbnail_tile\" value=\"5x5\""), "{mpd}");
}

/// The master has a key every 48 frames, and segments of 125 do not begin with one: it is encoded. With keys every second
/// it is the rendition.
#[test]
fn a_rung_is_the_masters_own_video_where_it_fits() {
    for (master, copied) in [(&masters::H264_25, false), (&masters::KEYS, true)] {
        for spans in [1, 2] {
            let site = Site::new();
            let (box_, copy) = ("short_side = 180,", "short_side = 180, copy = true,");
            let pipeline = quick_pipeline(spans)
                .replace(box_, copy)
                .replace("max_kbps = 600", "max_kbps = 6000");
            let pipeline = pipeline.replace("buffer_kbit = 1200", "buffer_kbit = 12000");
            site.write("copy.toml", pipeline);
            let file = master.path();
            site.publish(&file, "film", "copy.toml");
            let scratch = site.path("renditions");
            fs::create_dir(&scratch).unwrap();
            let renditions = package::renditions(&site.package("film"), &scratch);
            let truth =
                Truth { frames: package::thumbnails(&file), times: package::frame_times(&file) };
            check_renditions(&truth, &renditions, master.file);
            let largest = renditions.iter().find(|r| r.name == "video-180p").unwrap();
            let same = package::decode(&largest.file, &[], "rawvideo")
                == package::decode(&file, &["-map", "0:v"], "rawvideo");
            assert_eq!(same, copied, "{} with spans of {spans}", master.file);
        }
    }
}
