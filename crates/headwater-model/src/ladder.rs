//! Fits a pipeline's ladder to one master: never upscaled, never empty, any shape of picture.

use serde::{Deserialize, Serialize};

use crate::colour::DynamicRange;
use crate::pipeline::{Codec, Rung};
use crate::time::FrameRate;

/// One video rendition of a title.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct VideoRendition {
    /// Its name and folder: `video-720p`.
    pub name: String,
    /// How it is coded.
    #[serde(default, skip_serializing_if = "Codec::is_h264")]
    pub codec: Codec,
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
    /// It shows every n-th frame of the title: 2 where its rung has half the frame rate.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub every: u32,
    /// It has one picture of each segment, for fast forward and for finding a scene, and `every` is how many frames a
    /// segment has.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub trick: bool,
    /// It has the colours and the 10 bits of its master.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub hdr: bool,
    /// It is the master's own video. Before a plan is made: if that fits.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub copy: bool,
}

fn one() -> u32 {
    1
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "what serde asks for")]
fn is_one(n: &u32) -> bool {
    *n == 1
}

impl VideoRendition {
    /// How many frames it has of a segment of the title that has `frames`.
    pub fn frames_of(&self, frames: u32) -> u32 {
        if self.trick { 1 } else { frames.div_ceil(self.every.max(1)) }
    }

    /// Whether it shows frame `n`, from 0, of a span with so many segments. The last of them may be longer than others.
    pub fn shows(&self, n: u64, segments: u32) -> bool {
        let every = u64::from(self.every.max(1));
        n.is_multiple_of(every) && (!self.trick || n / every < u64::from(segments))
    }

    /// One picture of each segment, of which most have `frames`, in the size of this one.
    pub fn trick(&self, frames: u32) -> Self {
        let height = self.width.min(self.height);
        Self {
            name: format!("trick-{height}p"),
            every: frames.max(1),
            trick: true,
            copy: false,
            ..self.clone()
        }
    }

    /// Its frame rate, where the title has `rate`.
    pub fn rate(&self, rate: FrameRate) -> FrameRate {
        FrameRate::new(rate.num(), rate.den().saturating_mul(self.every.max(1))).unwrap_or(rate)
    }
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

/// The rungs that `picture` fills: of each codec every one that it has to be shrunk for, and of those that it fits into as
/// it is, the smallest, whose rates suit it best. `rate` is the title's, `range` that of its light: rungs that keep a high
/// one are for those that have it.
pub fn resolve(
    ladder: &[Rung],
    picture: Picture,
    rate: FrameRate,
    range: DynamicRange,
) -> Vec<VideoRendition> {
    let there: Vec<&Rung> =
        ladder.iter().filter(|rung| !rung.hdr || range != DynamicRange::Sdr).collect();
    let (long, short) = (picture.width.max(picture.height), picture.width.min(picture.height));
    let fits = |rung: &Rung| long <= rung.long_side && short <= rung.short_side;
    let alike = |a: &Rung, b: &Rung| (a.codec, a.hdr) == (b.codec, b.hdr);
    let whole = |like: &Rung| there.iter().rposition(|rung| alike(rung, like) && fits(rung));
    let mut renditions: Vec<VideoRendition> = Vec::new();
    for (n, rung) in there.iter().copied().enumerate() {
        let (width, height) = if fits(rung) {
            if whole(rung) != Some(n) {
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
        let same = |r: &VideoRendition| {
            (r.codec, r.hdr) == (rung.codec, rung.hdr) && (r.width, r.height) == (width, height)
        };
        if renditions.iter().any(same) {
            continue;
        }
        renditions.push(VideoRendition {
            name: format!("video-{}", rung.name),
            codec: rung.codec,
            width,
            height,
            crf: rung.crf,
            max_kbps: rung.max_kbps,
            buffer_kbit: rung.buffer_kbit,
            every: every(rung, rate),
            trick: false,
            hdr: rung.hdr,
            copy: rung.copy && fits(rung),
        });
    }
    renditions
}

/// Of how many frames a rung shows one: as few as bring `rate` to what it allows at most.
fn every(rung: &Rung, rate: FrameRate) -> u32 {
    /// 30 a second are meant to allow 30000/1001, and 29.97 to be that.
    const ROUNDED: f64 = 0.001;
    rung.max_fps.map_or(1, |most| ((rate.as_f64() / most - ROUNDED).ceil() as u32).max(1))
}

#[cfg(test)]
mod tests;
