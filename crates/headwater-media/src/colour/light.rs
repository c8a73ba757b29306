//! Colours of wide gamut and high dynamic range, shown on a screen of BT.709: through light.
//!
//! What is as bright as diffuse white, 203 cd/m² (ITU-R BT.2408), becomes the white of the screen; what is brighter is
//! brought below it by the curve of ITU-R BT.2390, 5.4.1, applied to the largest of red, green and blue, so that hues stay
//! as they are. What lies outside the gamut then loses as much of its saturation as it takes.

use headwater_model::colour::{Colour, DynamicRange};

/// Diffuse white of an HDR picture, cd/m².
pub(super) const WHITE: f64 = 203.0;

/// The brightest that HDR10 pictures get where they do not say it: what most are graded to.
const USUAL_PEAK: f64 = 1000.0;

/// How bright pictures of `from` get, in cd/m², where `said` is what they say.
pub(super) fn peak(from: Colour, said: Option<f64>) -> f64 {
    match from.dynamic_range() {
        DynamicRange::Sdr => WHITE,
        DynamicRange::Pq => said.unwrap_or(USUAL_PEAK).max(WHITE),
        DynamicRange::Hlg => HLG_PEAK,
    }
}

/// What light of so many cd/m² is multiplied with, that white becomes 1, in pictures that get as bright as `peak`.
pub(super) fn tone(nits: f64, peak: f64) -> f64 {
    if nits > 0.0 { curve(nits, peak) / nits / WHITE } else { 0.0 }
}

/// The curve of BT.2390: as it is up to a knee, then ever flatter up to the white of the screen.
fn curve(nits: f64, peak: f64) -> f64 {
    let top = nits_to_pq(peak);
    let white = nits_to_pq(WHITE) / top;
    let knee = 1.5 * white - 0.5;
    let level = (nits_to_pq(nits) / top).min(1.0);
    if level <= knee || white >= 1.0 {
        return nits.min(WHITE);
    }
    let t = (level - knee) / (1.0 - knee);
    let (t2, t3) = (t * t, t * t * t);
    let bent = (2.0 * t3 - 3.0 * t2 + 1.0) * knee
        + (t3 - 2.0 * t2 + t) * (1.0 - knee)
        + (3.0 * t2 - 2.0 * t3) * white;
    pq_to_nits(bent * top)
}

/// Exponent of a screen (ITU-R BT.1886).
const SCREEN: f64 = 2.4;

/// Light of a signal on a screen, both 0 to 1.
pub(super) fn screen(signal: f64) -> f64 {
    signal.powf(SCREEN)
}

/// And back.
pub(super) fn to_screen(light: f64) -> f64 {
    light.powf(1.0 / SCREEN)
}

/// Constants of SMPTE ST 2084.
const M1: f64 = 2610.0 / 16384.0;
const M2: f64 = 2523.0 / 4096.0 * 128.0;
const C1: f64 = 3424.0 / 4096.0;
const C2: f64 = 2413.0 / 4096.0 * 32.0;
const C3: f64 = 2392.0 / 4096.0 * 32.0;

/// Light of a signal by SMPTE ST 2084, in cd/m².
pub(super) fn pq_to_nits(signal: f64) -> f64 {
    let root = signal.powf(1.0 / M2);
    10_000.0 * ((root - C1).max(0.0) / (C2 - C3 * root)).powf(1.0 / M1)
}

fn nits_to_pq(nits: f64) -> f64 {
    let power = (nits / 10_000.0).powf(M1);
    ((C1 + C2 * power) / (1.0 + C3 * power)).powf(M2)
}

/// The screen that hybrid log-gamma is meant for, cd/m² (ITU-R BT.2100, table 5), and its system gamma.
pub(super) const HLG_PEAK: f64 = 1000.0;
const HLG_GAMMA: f64 = 1.2;

/// Light of the scene, 0 to 1, of a signal of hybrid log-gamma.
pub(super) fn hlg_to_scene(signal: f64) -> f64 {
    const A: f64 = 0.178_832_77;
    const B: f64 = 0.284_668_92;
    const C: f64 = 0.559_910_73;
    if signal <= 0.5 { signal * signal / 3.0 } else { (((signal - C) / A).exp() + B) / 12.0 }
}

/// What light of a scene of such luma is multiplied with, to be that of the screen in cd/m².
pub(super) fn hlg_system(luma: f64) -> f64 {
    if luma > 0.0 { HLG_PEAK * luma.powf(HLG_GAMMA - 1.0) } else { 0.0 }
}

/// Shares of red, green and blue in the brightness of light with the primaries of BT.2020.
pub(super) const WIDE_LUMA: [f64; 3] = [0.2627, 0.6780, 0.0593];

pub(super) type Matrix = [[f64; 3]; 3];

/// Light of these primaries as light of those of BT.709; all have the white of D65.
pub(super) fn from_gamut(primaries: u8) -> Matrix {
    // Products of the matrices that follow from the chromaticities of H.273, table 2 (SMPTE RP 177).
    match primaries {
        9 => [
            [1.660_491, -0.587_641, -0.072_850],
            [-0.124_550, 1.132_900, -0.008_349],
            [-0.018_151, -0.100_579, 1.118_730],
        ],
        11 | 12 => [
            [1.224_940, -0.224_940, 0.0],
            [-0.042_057, 1.042_057, 0.0],
            [-0.019_638, -0.078_636, 1.098_274],
        ],
        _ => [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]],
    }
}

/// Brings light into 0 to 1 by mixing in grey of the same brightness, as little as it takes.
pub(super) fn within(light: [f32; 3]) -> [f32; 3] {
    if light.iter().all(|v| (0.0..=1.0).contains(v)) {
        return light;
    }
    let grey = (0.2126 * light[0] + 0.7152 * light[1] + 0.0722 * light[2]).clamp(0.0, 1.0);
    let too_far = |v: f32| match v {
        v if v < 0.0 => v / (v - grey),
        v if v > 1.0 => (v - 1.0) / (v - grey),
        _ => 0.0,
    };
    let share = light.into_iter().map(too_far).fold(0.0, f32::max).min(1.0);
    light.map(|v| (v + share * (grey - v)).clamp(0.0, 1.0))
}
