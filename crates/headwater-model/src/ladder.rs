//! Fits a pipeline's ladder to one master: never upscaled, never empty, any shape of picture.

use serde::{Deserialize, Serialize};

use crate::pipeline::Rung;

/// One video rendition of a title.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct VideoRendition {
    /// Its name and folder: `video-720p`.
    pub name: String,
    /// Picture width in square pixels, even.
    pub width: u32,
    /// Picture height in square pixels, even.
    pub height: u32,
    /// Constant rate factor.
    pub crf: f64,
    /// VBV maximum rate in kbit/s.
    pub max_kbps: u32,
    /// VBV buffer in kbit.
    pub buffer_kbit: u32,
}

/// A picture as it is meant to be seen: upright, in square pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Picture {
    /// Width in square pixels.
    pub width: u32,
    /// Height in square pixels.
    pub height: u32,
}

impl Picture {
    /// The picture of a track with coded size `coded`, pixels of shape `sample_aspect`, turned or not.
    ///
    /// Anamorphic material keeps its height and gets its true width: what every player expects of square pixels.
    pub fn of(coded: (u32, u32), sample_aspect: (u32, u32), swaps_sides: bool) -> Self {
        // A 4:2:0 picture has even sides: an odd last line or column is cropped, which costs nothing and blurs nothing.
        let (w, h) = (even_down(coded.0), even_down(coded.1));
        let (num, den) =
            if sample_aspect.0 == 0 || sample_aspect.1 == 0 { (1, 1) } else { sample_aspect };
        let width = u64::from(w) * u64::from(num) / u64::from(den);
        let width = if num == den { w } else { even_near(width as f64) };
        if swaps_sides { Self { width: h, height: width } } else { Self { width, height: h } }
    }
}

fn even_down(n: u32) -> u32 {
    (n & !1).max(2)
}

fn even_near(n: f64) -> u32 {
    ((n / 2.0).round() as u32 * 2).max(2)
}

/// The rungs that `picture` fills: every rung that it has to be shrunk for, and of those that it fits into as it is,
/// the smallest, whose rates suit it best.
pub fn resolve(ladder: &[Rung], picture: Picture) -> Vec<VideoRendition> {
    let (long, short) = (picture.width.max(picture.height), picture.width.min(picture.height));
    let fits = |rung: &Rung| long <= rung.long_side && short <= rung.short_side;
    let whole = ladder.iter().rposition(fits);
    let mut renditions: Vec<VideoRendition> = Vec::new();
    for (n, rung) in ladder.iter().enumerate() {
        let (width, height) = if fits(rung) {
            if whole != Some(n) {
                continue;
            }
            (picture.width, picture.height)
        } else {
            let scale = (f64::from(rung.long_side) / f64::from(long))
                .min(f64::from(rung.short_side) / f64::from(short));
            (
                even_near(f64::from(picture.width) * scale),
                even_near(f64::from(picture.height) * scale),
            )
        };
        // A very flat picture can come out the same on two rungs.
        if renditions.last().is_some_and(|r| (r.width, r.height) == (width, height)) {
            continue;
        }
        renditions.push(VideoRendition {
            name: format!("video-{}", rung.name),
            width,
            height,
            crf: rung.crf,
            max_kbps: rung.max_kbps,
            buffer_kbit: rung.buffer_kbit,
        });
    }
    renditions
}

#[cfg(test)]
mod tests;
