//! Sound and picture stay together: flashes and beeps of a package are as far apart as those of its master.

use std::fs;
use std::path::Path;

use crate::masters::{self, Master};
use crate::package;
use crate::run::Site;

/// How far the distance between flash and beep may change, in seconds (R2).
const TOLERANCE: f64 = 0.010;

/// Samples per second of what [`package::samples`] gives.
const RATE: f64 = 48_000.0;

/// How loud a beep is from its first wave on, of 32,767.
const LOUD: u16 = 6_000;

/// Quiet samples that have to come before a beep's first loud one: a tenth of a second between beeps would do too.
const QUIET: usize = 9_600;

/// When each flash and each beep starts, in seconds from the first frame shown.
#[derive(Debug)]
struct Marks {
    flashes: Vec<f64>,
    beeps: Vec<f64>,
}

impl Marks {
    fn of_master(file: &Path) -> Self {
        let times = package::frame_times(file);
        // Time 0 of the master's sound, as ffmpeg decodes it, is when the first of its tracks starts. Its first frame is
        // near that, not at it.
        let zero = package::first_frame(file) - package::start(file);
        let beeps = beeps(&package::samples(file)).into_iter().map(|at| at - zero).collect();
        Self { flashes: flashes(file, &times), beeps }
    }

    fn of_package(package: &Path, scratch: &Path) -> Self {
        let renditions = package::renditions(package, scratch);
        let video = renditions.iter().find(|r| r.is_video()).unwrap();
        let audio = renditions.iter().find(|r| !r.is_video()).unwrap();
        let (_, packets) = package::packets(&video.file);
        let times: Vec<f64> = packets.iter().map(|p| p.at).collect();
        Self { flashes: flashes(&video.file, &times), beeps: beeps(&package::samples(&audio.file)) }
    }

    /// How long after its flash each beep comes, for flashes that are not at the very edges.
    fn apart(&self) -> Vec<f64> {
        let nearest = |flash: &f64| {
            let apart = self.beeps.iter().map(|beep| beep - flash);
            apart
                .filter(|apart| (-0.2..0.8).contains(apart))
                .min_by(|a, b| a.abs().total_cmp(&b.abs()))
        };
        let inner = self.flashes.iter().skip(1).take(self.flashes.len().saturating_sub(3));
        inner
            .map(|flash| {
                nearest(flash).unwrap_or_else(|| panic!("no beep near {flash} s: {self:?}"))
            })
            .collect()
    }
}

/// When the picture turns from dark to bright.
fn flashes(file: &Path, times: &[f64]) -> Vec<f64> {
    let frames = package::thumbnails(file);
    assert_eq!(frames.len(), times.len(), "a time for each frame of {}", file.display());
    let bright: Vec<bool> = frames.iter().map(|frame| frame[frame.len() / 2] > 128).collect();
    let turns = bright.windows(2).zip(times.iter().skip(1)).filter(|(pair, _)| !pair[0] && pair[1]);
    turns.map(|(_, at)| *at).collect()
}

/// When silence ends.
fn beeps(samples: &[i16]) -> Vec<f64> {
    let mut beeps = Vec::new();
    let mut quiet = 0;
    for (n, sample) in samples.iter().enumerate() {
        if sample.unsigned_abs() < LOUD {
            quiet += 1;
            continue;
        }
        if quiet >= QUIET {
            beeps.push(n as f64 / RATE);
        }
        quiet = 0;
    }
    beeps
}

fn check(master: &Master) {
    let file = master.path();
    let site = Site::new();
    site.publish(&file, "film", &site.quick(1));
    let scratch = site.path("renditions");
    fs::create_dir(&scratch).unwrap();
    let expected = Marks::of_master(&file);
    let found = Marks::of_package(&site.package("film"), &scratch);
    let (before, after) = (expected.apart(), found.apart());
    assert!(before.len() >= 7, "the master has flashes and beeps: {expected:?}");
    assert_eq!(before.len(), after.len(), "{expected:?}\n{found:?}");
    for (before, after) in before.iter().zip(&after) {
        assert!(
            (before - after).abs() <= TOLERANCE,
            "beeps come {after:.4} s after flashes, not {before:.4}\n{expected:?}\n{found:?}"
        );
    }
}

#[test]
fn at_25_with_48_khz() {
    check(&masters::FLASHES_25);
}

#[test]
fn at_2997_with_44_1_khz() {
    check(&masters::FLASHES_2997);
}

#[test]
fn at_23976() {
    check(&masters::FLASHES_23976);
}

#[test]
fn at_50() {
    check(&masters::FLASHES_50);
}

#[test]
fn at_5994() {
    check(&masters::FLASHES_5994);
}

#[test]
fn at_a_variable_rate() {
    check(&masters::FLASHES_UNEVEN);
}

#[test]
fn in_a_transport_stream() {
    check(&masters::FLASHES_TS);
}

#[test]
fn in_mxf() {
    check(&masters::FLASHES_MXF);
}

#[test]
fn in_mkv() {
    check(&masters::FLASHES_MKV);
}

#[test]
fn with_sound_that_the_master_has_late() {
    check(&masters::FLASHES_LATE);
}

#[test]
fn with_an_edit_list() {
    check(&masters::FLASHES_CUT);
}

/// A radio play: all of it, where it was.
#[test]
fn without_a_picture() {
    for master in [&masters::RADIO_PLAY, &masters::AUDIO_ONLY] {
        let site = Site::new();
        let file = master.path();
        site.publish(&file, "play", &site.quick(3));
        let scratch = site.path("renditions");
        fs::create_dir(&scratch).unwrap();
        let renditions = package::renditions(&site.package("play"), &scratch);
        let tracks = if master.file.ends_with(".mka") { 2 } else { 1 };
        assert_eq!(renditions.len(), tracks, "{renditions:?}");
        let wanted = package::samples(&file);
        for rendition in renditions {
            let found = package::samples(&rendition.file);
            let longer = found.len() as f64 / RATE - wanted.len() as f64 / RATE;
            // The last packet of FLAC may be half full, which its container does not say.
            assert!((-0.001..0.086).contains(&longer), "{}: {longer} s longer", rendition.name);
            let (wanted, found) = (beeps(&wanted), beeps(&found));
            assert_eq!(wanted.len(), found.len(), "{}", rendition.name);
            let apart = wanted.iter().zip(found).map(|(a, b)| (a - b).abs());
            assert!(apart.fold(0.0, f64::max) < TOLERANCE, "{}", rendition.name);
        }
    }
}
