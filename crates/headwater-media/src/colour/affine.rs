//! From one matrix and range to those of BT.709: what is grey stays grey, so that luma takes something of both differences
//! of colour, and these nothing of luma.

use headwater_model::colour::Colour;

use super::{Source, Target};

/// Bits behind the point.
const BITS: u32 = 16;

/// 8 bits of limited range: black, and from black to white; from the middle to each end of a difference.
const BLACK: f64 = 16.0;
const LUMA: f64 = 219.0;
const MIDDLE: f64 = 128.0;
const CHROMA: f64 = 224.0;

/// Shares of red and blue in luma (H.273, 8.3).
pub(super) fn shares(matrix: u8) -> (f64, f64) {
    match matrix {
        4 => (0.30, 0.11),
        5 | 6 => (0.299, 0.114),
        7 => (0.212, 0.087),
        9 | 10 => (0.2627, 0.0593),
        _ => (0.2126, 0.0722),
    }
}

/// Red, green and blue of luma 0 to 1 and differences -0.5 to 0.5.
pub(super) fn to_rgb(matrix: u8, [y, cb, cr]: [f64; 3]) -> [f64; 3] {
    let (kr, kb) = shares(matrix);
    let red = y + 2.0 * (1.0 - kr) * cr;
    let blue = y + 2.0 * (1.0 - kb) * cb;
    [red, (y - kr * red - kb * blue) / (1.0 - kr - kb), blue]
}

/// And back.
pub(super) fn from_rgb(matrix: u8, [red, green, blue]: [f64; 3]) -> [f64; 3] {
    let (kr, kb) = shares(matrix);
    let y = kr * red + (1.0 - kr - kb) * green + kb * blue;
    [y, (blue - y) / (2.0 * (1.0 - kb)), (red - y) / (2.0 * (1.0 - kr))]
}

/// 8 bits of limited range, not rounded.
pub(super) fn to_codes([y, cb, cr]: [f64; 3]) -> [f64; 3] {
    [BLACK + LUMA * y, MIDDLE + CHROMA * cb, MIDDLE + CHROMA * cr]
}

/// The product.
pub(super) struct Affine {
    /// Of luma and both differences for luma, and what is added.
    luma: [i32; 4],
    /// Of both differences for each of them, and what is added.
    chroma: [[i32; 3]; 2],
}

impl Affine {
    /// `None` where samples are as they should be.
    pub(super) fn new(from: Colour) -> Option<Self> {
        if shares(from.matrix) == shares(Colour::BT709.matrix) && !from.full_range {
            return None;
        }
        let (black, luma, chroma) =
            if from.full_range { (0.0, 255.0, 255.0) } else { (BLACK, LUMA, CHROMA) };
        let exact = |y: f64, cb: f64, cr: f64| {
            let sample = [(y - black) / luma, (cb - MIDDLE) / chroma, (cr - MIDDLE) / chroma];
            to_codes(from_rgb(Colour::BT709.matrix, to_rgb(from.matrix, sample)))
        };
        let fixed = |value: f64| (value * f64::from(1u32 << BITS)).round() as i32;
        let zero = exact(0.0, 0.0, 0.0);
        let (y, cb, cr) = (exact(1.0, 0.0, 0.0), exact(0.0, 1.0, 0.0), exact(0.0, 0.0, 1.0));
        let of = |n: usize, unit: [f64; 3]| fixed(unit[n] - zero[n]);
        let half = 1 << (BITS - 1);
        Some(Self {
            luma: [of(0, y), of(0, cb), of(0, cr), fixed(zero[0]) + half],
            chroma: [1, 2].map(|n| [of(n, cb), of(n, cr), fixed(zero[n]) + half]),
        })
    }

    /// Converts 8-bit samples. `None` when planes are smaller than they say.
    pub(super) fn apply(&self, from: Source<'_>, to: Target<'_>) -> Option<()> {
        let code = |sum: i32| (sum >> BITS).clamp(0, 255) as u8;
        let ((width, height), (across, down)) = (from.size, from.chroma_size());
        let [luma, blue, red] = to.planes;
        let mut added = vec![0i32; across];
        for row in 0..down {
            let (cb, cr) = (from.line(1, row, across)?, from.line(2, row, across)?);
            let new_cb = blue.get_mut(row * to.strides[1]..)?.get_mut(..across)?;
            let new_cr = red.get_mut(row * to.strides[2]..)?.get_mut(..across)?;
            for n in 0..across {
                let (b, r) = (i32::from(cb[n]), i32::from(cr[n]));
                added[n] = self.luma[1] * b + self.luma[2] * r + self.luma[3];
                let difference = |[of_b, of_r, plus]: [i32; 3]| code(of_b * b + of_r * r + plus);
                new_cb[n] = difference(self.chroma[0]);
                new_cr[n] = difference(self.chroma[1]);
            }
            for y in 2 * row..(2 * row + 2).min(height) {
                let old = from.line(0, y, width)?;
                let new = luma.get_mut(y * to.strides[0]..)?.get_mut(..width)?;
                for ((new, old), added) in new.chunks_mut(2).zip(old.chunks(2)).zip(&added) {
                    for (new, old) in new.iter_mut().zip(old) {
                        *new = code(self.luma[0] * i32::from(*old) + added);
                    }
                }
            }
        }
        Some(())
    }
}
