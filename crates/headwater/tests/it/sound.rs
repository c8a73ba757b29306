//! Channels and loudness of what viewers hear.

use std::fs;
use std::path::Path;

use crate::masters;
use crate::package::{self, Rendition};
use crate::run::{Site, program, quick_pipeline, tool};

fn renditions(site: &Site) -> Vec<Rendition> {
    let scratch = site.path("renditions");
    fs::create_dir(&scratch).unwrap();
    package::renditions(&site.package("film"), &scratch)
}

fn named<'r>(renditions: &'r [Rendition], name: &str) -> &'r Rendition {
    renditions.iter().find(|r| r.name == name).unwrap_or_else(|| panic!("{name}: {renditions:?}"))
}

/// How loud each channel is (root of the mean square) after its first second.
fn levels(file: &Path, channels: usize) -> Vec<f64> {
    let how = ["-vn", "-ss", "1", "-c:a", "pcm_s16le", "-ac", &channels.to_string()];
    let bytes = package::decode(file, &how, "s16le");
    let samples: Vec<f64> =
        bytes.chunks_exact(2).map(|b| f64::from(i16::from_le_bytes([b[0], b[1]]))).collect();
    let of = |n: usize| {
        let own: Vec<f64> = samples.iter().skip(n).step_by(channels).copied().collect();
        (own.iter().map(|v| v * v).sum::<f64>() / own.len() as f64).sqrt()
    };
    (0..channels).map(of).collect()
}

/// Sound from the centre, and a quieter one from the left behind: 3 dB less of each in stereo.
#[test]
fn five_one_is_kept_and_mixed_down() {
    let site = Site::new();
    let text = quick_pipeline(3).replace("channels = 2", "channels = 2\nsurround_kbps = 384");
    site.write("surround.toml", text);
    site.publish(&masters::FIVE_ONE.path(), "film", "surround.toml");
    let made = renditions(&site);
    let six = levels(&named(&made, "audio-en-51").file, 6);
    let two = levels(&named(&made, "audio-en").file, 2);
    let (centre, rear) = (six[2], six[4]);
    assert!(centre > 1_000.0 && (rear / centre - 0.5).abs() < 0.03, "{six:?}");
    for silent in [0, 1, 3, 5] {
        assert!(six[silent] < centre / 50.0, "{silent} of {six:?}");
    }
    // One tone: what comes from both adds up, in phase.
    let left = (centre + rear) * std::f64::consts::FRAC_1_SQRT_2;
    let right = centre * std::f64::consts::FRAC_1_SQRT_2;
    assert!(
        (two[0] / left - 1.0).abs() < 0.03 && (two[1] / right - 1.0).abs() < 0.03,
        "{two:?} {six:?}"
    );
    let playlist = fs::read_to_string(site.package("film").join("index.m3u8")).unwrap();
    for part in ["GROUP-ID=\"audio-51\"", "CHANNELS=\"6\"", "NAME=\"English 5.1\""] {
        assert!(playlist.contains(part), "{part}: {playlist}");
    }
    assert_eq!(playlist.matches("#EXT-X-STREAM-INF").count(), 4, "{playlist}");
}

/// Measured by ffmpeg: integrated loudness in LUFS and true peak in dBTP.
fn measured(file: &Path) -> (f64, f64) {
    let mut ffmpeg = program("ffmpeg");
    ffmpeg.args(["-nostats", "-nostdin", "-i"]).arg(file);
    ffmpeg.args(["-af", "ebur128=peak=true", "-f", "null", "-"]);
    let said = String::from_utf8(tool(&mut ffmpeg).stderr).unwrap();
    let summary = said.split("Integrated loudness:").last().unwrap();
    let number = |name: &str| -> f64 {
        let line = summary.lines().find(|line| line.trim_start().starts_with(name)).unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    };
    (number("I:"), number("Peak:"))
}

/// A quiet master, one that is loud, and one with peaks that would be too loud when it is turned up.
#[test]
fn loudness_is_brought_to_its_target() {
    for (master, target) in
        [(&masters::QUIET, -23.0), (&masters::LOUD, -23.0), (&masters::PEAKS, -16.0)]
    {
        let site = Site::new();
        let keys = format!("channels = 2\nloudness = {target}\ntrue_peak = -2");
        site.write("loud.toml", quick_pipeline(3).replace("channels = 2", &keys));
        site.publish(&master.path(), "film", "loud.toml");
        let made = renditions(&site);
        let (loudness, peak) = measured(&named(&made, "audio-1").file);
        assert!((loudness - target).abs() < 0.5, "{}: {loudness} LUFS", master.file);
        // What the encoder overshoots by is less than the ceiling of -2 leaves room for.
        assert!(peak < -1.0, "{}: {peak} dBTP", master.file);
    }
}
