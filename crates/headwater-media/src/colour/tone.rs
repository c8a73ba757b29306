//! [`light::to_sdr`](super::light::to_sdr) for whole pictures: the same steps, with the curves looked up in tables.
//!
//! A lattice of three dimensions, as colour management uses it, would be faster. It is far off where a colour leaves the
//! gamut: the curve of a screen is steepest at black, which is where one of its three lights then is.

use headwater_model::colour::{Colour, DynamicRange};

use super::affine::shares;
use super::light;
use super::{Source, Target};

/// Steps of a curve. Between them it is taken to be straight: at the edge of the gamut, where a light is a difference of
/// larger ones and the screen's curve is steepest, the nearest step would be codes away.
const STEPS: usize = 4096;

/// A curve from 0 to 1, at equal steps.
struct Curve(Vec<f32>);

impl Curve {
    fn of(exact: impl Fn(f64) -> f64) -> Self {
        Self((0..=STEPS).map(|n| exact(n as f64 / STEPS as f64) as f32).collect())
    }

    fn at(&self, at: f32) -> f32 {
        let at = at * STEPS as f32;
        let step = at as usize;
        match self.0.get(step..step + 2) {
            Some(&[below, above]) => below + (above - below) * (at - step as f32),
            _ => self.0.last().copied().unwrap_or_default(),
        }
    }
}

/// From 10-bit samples of one master to 8-bit samples of BT.709.
pub(super) struct ToneMap {
    /// A step of luma and of the differences of colour, and what black is.
    luma: f32,
    chroma: f32,
    black: f32,
    /// What the differences add: of Cr to red, of Cb and Cr to green, of Cb to blue.
    to_rgb: [f32; 4],
    /// Light of a signal.
    light: Curve,
    tone: Tone,
    gamut: [[f32; 3]; 3],
    /// Signal of the root of light, since roots are cheap and leave little of the curve.
    shown: Curve,
}

/// What light is multiplied with.
enum Tone {
    /// By the largest signal.
    BySignal(Curve),
    /// The light of a scene: by the root of its luma, and then by the root of the largest.
    OfScene(Curve, Curve),
}

impl ToneMap {
    /// For pictures of `from` that get as bright as `peak`, in cd/m².
    pub(super) fn new(from: Colour, peak: Option<f64>) -> Self {
        let (kr, kb) = shares(from.matrix);
        let green = 1.0 - kr - kb;
        let (of_red, of_blue) = (2.0 * (1.0 - kr), 2.0 * (1.0 - kb));
        let (luma, chroma, black) = match from.full_range {
            true => (1023.0, 1023.0, 0.0),
            false => (876.0, 896.0, 64.0),
        };
        let peak = light::peak(from, peak);
        let (light, tone) = match from.dynamic_range() {
            DynamicRange::Sdr => (Curve::of(light::screen), Tone::BySignal(Curve::of(|_| 1.0))),
            DynamicRange::Pq => {
                let by_signal = Curve::of(|v| light::tone(light::pq_to_nits(v), peak));
                (Curve::of(light::pq_to_nits), Tone::BySignal(by_signal))
            }
            DynamicRange::Hlg => {
                let system = Curve::of(|root| light::hlg_system(root * root));
                let by_root = Curve::of(|root| light::tone(root * root * light::HLG_PEAK, peak));
                (Curve::of(light::hlg_to_scene), Tone::OfScene(system, by_root))
            }
        };
        Self {
            luma: 1.0 / luma as f32,
            chroma: 1.0 / chroma as f32,
            black,
            to_rgb: [of_red, -of_blue * kb / green, -of_red * kr / green, of_blue]
                .map(|v| v as f32),
            light,
            tone,
            gamut: light::from_gamut(from.primaries).map(|row| row.map(|v| v as f32)),
            shown: Curve::of(|root| light::to_screen(root * root)),
        }
    }

    /// What differences of colour add to red, green and blue.
    fn added(&self, cb: u16, cr: u16) -> [f32; 3] {
        let [cb, cr] = [cb, cr].map(|v| (f32::from(v) - 512.0) * self.chroma);
        let [cr_red, cb_green, cr_green, cb_blue] = self.to_rgb;
        [cr_red * cr, cb_green * cb + cr_green * cr, cb_blue * cb]
    }

    /// Red, green and blue of the screen, 0 to 1.
    fn shown(&self, y: u16, added: [f32; 3]) -> [f32; 3] {
        let y = (f32::from(y) - self.black) * self.luma;
        let signal = added.map(|v| (y + v).clamp(0.0, 1.0));
        let of_signal = signal.map(|v| self.light.at(v));
        let scale = match &self.tone {
            Tone::BySignal(curve) => curve.at(largest(signal)),
            Tone::OfScene(system, curve) => {
                let shares = light::WIDE_LUMA.map(|v| v as f32);
                let nits = system.at(product(shares, of_signal).sqrt());
                let largest = nits * largest(of_signal) / light::HLG_PEAK as f32;
                nits * curve.at(largest.sqrt())
            }
        };
        let light = of_signal.map(|v| v * scale);
        let shown = self.gamut.map(|row| product(row, light));
        light::within(shown).map(|v| self.shown.at(v.sqrt()))
    }

    /// Converts 10-bit samples (two bytes each, the lower first). What 8 bits cannot say is spread in a fixed pattern, or
    /// skies would have steps. `None` when planes are smaller than they say.
    pub(super) fn apply(&self, from: Source<'_>, to: Target<'_>) -> Option<()> {
        let ((width, height), (across, down)) = (from.size, from.chroma_size());
        let [luma, blue, red] = to.planes;
        for row in 0..down {
            let (cb, cr) = (from.line(1, row, 2 * across)?, from.line(2, row, 2 * across)?);
            let lines = 2 * row..(2 * row + 2).min(height);
            for n in 0..across {
                let added = self.added(sample(cb, n)?, sample(cr, n)?);
                let (mut differences, mut seen) = ([0.0; 2], 0.0);
                for y in lines.clone() {
                    let old = from.line(0, y, 2 * width)?;
                    let new = luma.get_mut(y * to.strides[0]..)?.get_mut(..width)?;
                    for x in 2 * n..(2 * n + 2).min(width) {
                        let [level, cb, cr] = coded(self.shown(sample(old, x)?, added));
                        *new.get_mut(x)? = spread(level, x, y);
                        differences[0] += cb;
                        differences[1] += cr;
                        seen += 1.0;
                    }
                }
                let [cb, cr] = differences.map(|sum| sum / seen);
                *blue.get_mut(row * to.strides[1] + n)? = spread(cb, n, row);
                *red.get_mut(row * to.strides[2] + n)? = spread(cr, n, row);
            }
        }
        Some(())
    }

    #[cfg(test)]
    pub(super) fn value(&self, [y, cb, cr]: [u16; 3]) -> [f64; 3] {
        coded(self.shown(y, self.added(cb, cr))).map(f64::from)
    }
}

fn product(shares: [f32; 3], [red, green, blue]: [f32; 3]) -> f32 {
    shares[0] * red + shares[1] * green + shares[2] * blue
}

fn largest([red, green, blue]: [f32; 3]) -> f32 {
    red.max(green).max(blue)
}

/// Luma and both differences of BT.709 as 8 bits of limited range, not rounded.
fn coded([red, green, blue]: [f32; 3]) -> [f32; 3] {
    let y = 0.2126 * red + 0.7152 * green + 0.0722 * blue;
    [16.0 + 219.0 * y, 128.0 + (224.0 / 1.8556) * (blue - y), 128.0 + (224.0 / 1.5748) * (red - y)]
}

fn sample(line: &[u8], n: usize) -> Option<u16> {
    match line.get(2 * n..2 * n + 2) {
        Some(&[low, high]) => Some(u16::from_le_bytes([low, high])),
        _ => None,
    }
}

/// The whole number below, or the one above as often as the value is near to it: an ordered pattern (Bayer, 8 × 8).
fn spread(value: f32, x: usize, y: usize) -> u8 {
    let (x, y) = (x as u32 & 7, y as u32 & 7);
    let mixed = x ^ y;
    let bit = |v: u32, n: u32| v >> n & 1;
    let order = bit(mixed, 0) << 5
        | bit(y, 0) << 4
        | bit(mixed, 1) << 3
        | bit(y, 1) << 2
        | bit(mixed, 2) << 1
        | bit(y, 2);
    (value + (order as f32 + 0.5) / 64.0).clamp(0.0, 255.0) as u8
}
