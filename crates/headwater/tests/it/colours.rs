//! Every rendition has the colours of the master, in the numbers of BT.709.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::masters::{self, Master, PATCHES};
use crate::package;
use crate::run::{Site, program, tool};

/// How far a stripe may be off, in code values of 8 bits.
const TOLERANCE: f64 = 2.0;

/// Luma and both differences of BT.709 in limited range (ITU-R BT.709, 3.2 to 3.5).
fn coded([red, green, blue]: [u8; 3]) -> [f64; 3] {
    let [red, green, blue] = [red, green, blue].map(|v| f64::from(v) / 255.0);
    let luma = 0.2126 * red + 0.7152 * green + 0.0722 * blue;
    [
        16.0 + 219.0 * luma,
        128.0 + 224.0 * (blue - luma) / 1.8556,
        128.0 + 224.0 * (red - luma) / 1.5748,
    ]
}

/// Means of the middle of each stripe in one frame.
fn stripes(file: &Path) -> Vec<[f64; 3]> {
    let shown = tool(
        program("ffprobe")
            .args(["-v", "error", "-of", "json", "-show_streams", "-select_streams", "v"])
            .arg(file),
    );
    let stream = serde_json::from_slice::<Value>(&shown.stdout).unwrap()["streams"][0].clone();
    assert_eq!(stream["color_space"], "bt709", "{stream}");
    assert_eq!(stream["color_range"], "tv", "{stream}");
    let size = |side: &str| stream[side].as_u64().unwrap() as usize;
    let (width, height) = (size("width"), size("height"));
    let frame = package::decode(file, &["-frames:v", "1", "-pix_fmt", "yuv420p"], "rawvideo");
    let (luma, rest) = frame.split_at(width * height);
    let (blue, red) = rest.split_at(width / 2 * (height / 2));
    let mean = |plane: &[u8], width: usize, height: usize, n: usize| {
        let stripe = width / PATCHES.len();
        let lines = height / 4..height / 2;
        let samples = lines.flat_map(|y| {
            let from = y * width + n * stripe + stripe / 4;
            plane[from..from + stripe / 2].iter().map(|v| f64::from(*v))
        });
        let samples: Vec<f64> = samples.collect();
        samples.iter().sum::<f64>() / samples.len() as f64
    };
    (0..PATCHES.len())
        .map(|n| {
            [
                mean(luma, width, height, n),
                mean(blue, width / 2, height / 2, n),
                mean(red, width / 2, height / 2, n),
            ]
        })
        .collect()
}

fn check(master: &Master) {
    let site = Site::new();
    site.publish(&master.path(), "film", &site.quick(10));
    let scratch = site.path("renditions");
    fs::create_dir(&scratch).unwrap();
    let renditions = package::renditions(&site.package("film"), &scratch);
    let mut pictures = 0;
    for rendition in renditions.iter().filter(|r| r.is_video()) {
        for (found, rgb) in stripes(&rendition.file).iter().zip(PATCHES) {
            let wanted = coded(rgb);
            let apart = found.iter().zip(wanted).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
            assert!(
                apart <= TOLERANCE,
                "{}, {}: {rgb:?} is {found:?} instead of {wanted:?}",
                master.file,
                rendition.name
            );
        }
        pictures += 1;
    }
    assert_eq!(pictures, 2);
}

#[test]
fn standard_definition() {
    check(&masters::PATCHES_601);
}

#[test]
fn full_range() {
    check(&masters::PATCHES_FULL);
}

#[test]
fn high_definition() {
    check(&masters::PATCHES_709);
}

#[test]
fn ten_bits() {
    check(&masters::PATCHES_PRORES);
}

#[test]
fn red_green_and_blue() {
    check(&masters::PATCHES_RGB);
}

/// A grey ramp of PQ: the rendition that keeps it says so in every place, and those for ordinary screens are lit as BT.2390
/// has it.
#[test]
fn high_dynamic_range_is_kept_and_mapped() {
    let site = Site::new();
    let text = crate::run::quick_pipeline(10).replace(
        "ladder = [\n",
        r#"ladder = [
  { name = "180p-hdr", codec = "h265", hdr = true, long_side = 320, short_side = 180, crf = 18, max_kbps = 900, buffer_kbit = 1800 },
"#,
    );
    let text = text.replace(
        "[audio]",
        "[video.h265]\nencoders = [\"x265enc\"]\npreset = \"ultrafast\"\n\n[audio]",
    );
    site.write("hdr.toml", text);
    let master = &masters::HDR10;
    site.publish(&master.path(), "film", "hdr.toml");
    let scratch = site.path("renditions");
    fs::create_dir(&scratch).unwrap();
    let renditions = package::renditions(&site.package("film"), &scratch);
    let hdr = renditions.iter().find(|r| r.name == "video-180p-hdr").unwrap();
    let shown = tool(
        program("ffprobe")
            .args(["-v", "error", "-of", "json", "-show_streams", "-show_frames"])
            .args(["-select_streams", "v", "-read_intervals", "%+#1"])
            .arg(&hdr.file),
    );
    let told: Value = serde_json::from_slice(&shown.stdout).unwrap();
    let stream = &told["streams"][0];
    assert_eq!(stream["pix_fmt"], "yuv420p10le", "{stream}");
    assert_eq!(
        (&stream["color_transfer"], &stream["color_space"]),
        (&"smpte2084".into(), &"bt2020nc".into())
    );
    let said = told.to_string();
    for part in ["10000000/10000", "\"max_content\":1000", "\"max_average\":400"] {
        assert!(said.contains(part), "{part}: {said}");
    }
    // What is kept is kept: the same samples, but for what the encoder changes.
    let ten_bits = |file: &Path| {
        let bytes =
            package::decode(file, &["-frames:v", "1", "-pix_fmt", "yuv420p10le"], "rawvideo");
        bytes
            .chunks_exact(2)
            .map(|b| f64::from(u16::from_le_bytes([b[0], b[1]])))
            .collect::<Vec<f64>>()
    };
    let (wanted, found) = (ten_bits(&master.path()), ten_bits(&hdr.file));
    assert_eq!(wanted.len(), found.len());
    let apart: f64 = wanted.iter().zip(&found).map(|(a, b)| (a - b).abs()).sum();
    assert!(apart / (wanted.len() as f64) < 6.0, "{}", apart / wanted.len() as f64);
    let sdr = renditions.iter().find(|r| r.name == "video-180p").unwrap();
    assert_eq!(stripes(&sdr.file).len(), PATCHES.len(), "it says BT.709");
    let playlist = fs::read_to_string(site.package("film").join("index.m3u8")).unwrap();
    let line = playlist.lines().find(|line| line.contains("hvc1.2.4")).unwrap();
    assert!(line.contains("VIDEO-RANGE=PQ"), "{line}");
    assert_eq!(playlist.matches("VIDEO-RANGE=SDR").count(), 2, "{playlist}");
    let mpd = fs::read_to_string(site.package("film").join("manifest.mpd")).unwrap();
    assert!(mpd.contains("cicp:TransferCharacteristics\" value=\"16\""), "{mpd}");
}
