//! Colours that standards state in numbers.

use super::affine::Affine;
use super::affine::{from_rgb, to_codes, to_rgb};
use super::tone::ToneMap;
use super::*;
use headwater_model::colour::DynamicRange;

/// A picture of one colour, 3 × 3 so that the last line and column have no neighbour.
fn convert8(affine: &Affine, sample: [u8; 3]) -> [u8; 3] {
    let planes = [vec![sample[0]; 9], vec![sample[1]; 4], vec![sample[2]; 4]];
    let mut done = [vec![0; 9], vec![0; 4], vec![0; 4]];
    let source =
        Source { planes: [&planes[0], &planes[1], &planes[2]], strides: [3, 2, 2], size: (3, 3) };
    let [y, cb, cr] = &mut done;
    affine.apply(source, Target { planes: [y, cb, cr], strides: [3, 2, 2] }).unwrap();
    for plane in &done {
        assert!(plane.iter().all(|v| *v == plane[0]), "{plane:?}");
    }
    [done[0][0], done[1][0], done[2][0]]
}

fn near(found: [u8; 3], wanted: [u8; 3], apart: u8) {
    let far = found.iter().zip(&wanted).any(|(a, b)| a.abs_diff(*b) > apart);
    assert!(!far, "{found:?} instead of {wanted:?}");
}

#[test]
fn bars_of_standard_definition_become_bars_of_high_definition() {
    // 75 % bars: white, yellow, cyan, green, magenta, red, blue (ITU-R BT.801 and SMPTE RP 219).
    let old = [
        [180, 128, 128],
        [162, 44, 142],
        [131, 156, 44],
        [112, 72, 58],
        [84, 184, 198],
        [65, 100, 212],
        [35, 212, 114],
    ];
    let new = [
        [180, 128, 128],
        [168, 44, 136],
        [145, 147, 44],
        [133, 63, 52],
        [63, 193, 204],
        [51, 109, 212],
        [28, 212, 120],
    ];
    let affine = Affine::new(Colour::BT470BG).unwrap();
    for (old, new) in old.into_iter().zip(new) {
        near(convert8(&affine, old), new, 1);
    }
}

#[test]
fn full_range_becomes_limited() {
    let affine = Affine::new(Colour { full_range: true, ..Colour::BT709 }).unwrap();
    assert_eq!(convert8(&affine, [0, 128, 128]), [16, 128, 128]);
    assert_eq!(convert8(&affine, [255, 128, 128]), [235, 128, 128]);
    near(convert8(&affine, [128, 255, 1]), [126, 240, 16], 1);
    assert!(Affine::new(Colour::BT709).is_none(), "nothing to do");
}

/// The sample for a 10-bit sample of `from`, as the standards write it.
fn to_sdr(from: Colour, peak: Option<f64>, [y, cb, cr]: [f64; 3]) -> [f64; 3] {
    let product = |row: [f64; 3], v: [f64; 3]| row[0] * v[0] + row[1] * v[1] + row[2] * v[2];
    let levels = [(y - 64.0) / 876.0, (cb - 512.0) / 896.0, (cr - 512.0) / 896.0];
    let signal = to_rgb(from.matrix, levels).map(|v| v.clamp(0.0, 1.0));
    let peak = light::peak(from, peak);
    let toned = |nits: [f64; 3]| {
        let scale = light::tone(nits.into_iter().fold(0.0, f64::max), peak);
        nits.map(|v| v * scale)
    };
    let light = match from.dynamic_range() {
        DynamicRange::Sdr => signal.map(light::screen),
        DynamicRange::Pq => toned(signal.map(light::pq_to_nits)),
        DynamicRange::Hlg => {
            let scene = signal.map(light::hlg_to_scene);
            let system = light::hlg_system(product(light::WIDE_LUMA, scene));
            toned(scene.map(|v| v * system))
        }
    };
    let shown = light::from_gamut(from.primaries).map(|row| product(row, light) as f32);
    let shown = light::within(shown).map(|v| light::to_screen(v.into()));
    to_codes(from_rgb(Colour::BT709.matrix, shown))
}

const HDR10: Colour = Colour { primaries: 9, transfer: 16, matrix: 9, full_range: false };

#[test]
fn grey_stays_grey_and_white_becomes_white() {
    let shown = |level: f64, peak| to_sdr(HDR10, peak, [level, 512.0, 512.0]);
    // 58.07 % of PQ are 203 cd/m².
    let white = 64.0 + 0.5807 * 876.0;
    let [y, cb, cr] = shown(white, Some(203.0));
    assert!((y - 235.0).abs() < 0.2 && (cb - 128.0).abs() < 0.1 && (cr - 128.0).abs() < 0.1);
    let [brightest, ..] = shown(64.0 + 0.7518 * 876.0, Some(1000.0));
    assert!(
        (brightest - 235.0).abs() < 0.2,
        "1,000 cd/m² of a picture that has no more: {brightest}"
    );
    let [diffuse, ..] = shown(white, Some(1000.0));
    assert!((180.0..225.0).contains(&diffuse), "room is left for what is brighter: {diffuse}");
    assert_eq!(shown(64.0, None).map(|v| v.round()), [16.0, 128.0, 128.0]);
}

#[test]
fn what_gets_brighter_gets_brighter() {
    for peak in [300.0, 1000.0, 4000.0, 10_000.0] {
        let levels = (64..=940).map(|v| to_sdr(HDR10, Some(peak), [f64::from(v), 512.0, 512.0])[0]);
        let levels: Vec<f64> = levels.collect();
        assert!(levels.windows(2).all(|w| w[1] >= w[0] - 1e-9), "up to {peak}");
    }
}

#[test]
fn tables_are_near_to_the_curves() {
    const HLG: Colour = Colour { transfer: 18, ..HDR10 };
    const P3: Colour = Colour { primaries: 12, transfer: 1, matrix: 1, full_range: false };
    for (colour, peak) in [(HDR10, Some(1000.0)), (HDR10, Some(4000.0)), (HLG, None), (P3, None)] {
        let tone = ToneMap::new(colour, peak);
        let mut worst = 0.0f64;
        // Samples that are colours: of red, green and blue at some levels each.
        for n in 0..20_000u32 {
            let mixed = n.wrapping_mul(2_654_435_761);
            let level = |shift: u32| f64::from(mixed >> shift & 255) / 255.0;
            let [y, cb, cr] = from_rgb(colour.matrix, [level(0), level(8), level(16)]);
            let sample = [64.0 + 876.0 * y, 512.0 + 896.0 * cb, 512.0 + 896.0 * cr].map(f64::round);
            let exact = to_sdr(colour, peak, sample);
            let found = tone.value(sample.map(|v| v as u16));
            for (exact, found) in exact.iter().zip(found) {
                worst = worst.max((exact - found).abs());
            }
        }
        assert!(worst < 0.6, "{colour}: {worst}");
    }
}

#[test]
fn a_picture_gets_its_samples() {
    let tone = ToneMap::new(HDR10, None);
    let sample = [502u16, 640, 400];
    let bytes = |v: u16, count: usize| v.to_le_bytes().repeat(count);
    let planes = [bytes(sample[0], 21 * 13), bytes(sample[1], 11 * 7), bytes(sample[2], 11 * 7)];
    let source = Source {
        planes: [&planes[0], &planes[1], &planes[2]],
        strides: [42, 22, 22],
        size: (21, 13),
    };
    let mut done = [vec![0; 21 * 13], vec![0; 11 * 7], vec![0; 11 * 7]];
    let [y, cb, cr] = &mut done;
    tone.apply(source, Target { planes: [y, cb, cr], strides: [21, 11, 11] }).unwrap();
    for (plane, exact) in done.iter().zip(to_sdr(HDR10, None, sample.map(f64::from))) {
        let mean = plane.iter().map(|v| f64::from(*v)).sum::<f64>() / plane.len() as f64;
        assert!((mean - exact).abs() < 0.3, "{mean} instead of {exact}");
        assert!(plane.iter().all(|v| (f64::from(*v) - exact).abs() <= 1.0), "{plane:?}");
    }
}
