//! Resamples one plane of 8-bit samples.
//!
//! Along columns, pic-scale takes 32 neighbours of a line at once; along lines it takes one sample at a time, at eight
//! times the cost. So lines are resampled as columns too, of the plane laid on its side, band by band. The bytes are the
//! same, for a third of the time (Catmull-Rom, luma of 1280×720 to 960×540 to 640×360 to 416×234, AVX2: 0.7 against
//! 2.2 ms).

use std::sync::Arc;

use pic_scale::{
    ImageSize, ImageStore, ImageStoreMut, Resampling, ResamplingFunction, Scaler, ThreadingPolicy,
};
use wide::u8x16;

use crate::error::Error;

/// Sharper than any of two lobes, and at equal bytes better by VMAF than swscale's bicubic (docs/decisions/012).
pub(super) const FILTER: ResamplingFunction = ResamplingFunction::Lanczos3;

/// Samples on a side of the block that is turned at once: as many as fit one register.
const BLOCK: usize = 16;

/// Lines that are laid on their side at once: at 1920 samples a line, they and what becomes of them stay in the
/// second-level cache.
const BAND: usize = 4 * BLOCK;

/// Width and height, samples.
pub(super) type Size = (usize, usize);

/// Samples in memory.
#[derive(Debug, Clone, Copy)]
pub(super) struct Plane<'a> {
    pub(super) data: &'a [u8],
    /// Bytes from one line to the next.
    pub(super) stride: usize,
    pub(super) size: Size,
}

/// Resamples planes of one size to another.
pub(super) struct PlaneScaler {
    to: Size,
    columns: Arc<Resampling<u8, 1>>,
    /// Of a whole band on its side.
    band: Arc<Resampling<u8, 1>>,
    /// Of the last band, which may have fewer lines.
    last: Arc<Resampling<u8, 1>>,
    /// As high as the result, as wide as the source.
    low: Vec<u8>,
    /// A band of it on its side.
    on_side: Vec<u8>,
    /// The same band of the result.
    done: Vec<u8>,
}

impl PlaneScaler {
    pub(super) fn new(from: Size, to: Size) -> Result<Self, Error> {
        let scaler = {
            let mut scaler = Scaler::new(FILTER);
            scaler.set_threading_policy(ThreadingPolicy::Single)
        };
        let plan = |from: Size, to: Size| {
            scaler
                .plan_planar_resampling(ImageSize::new(from.0, from.1), ImageSize::new(to.0, to.1))
                .map_err(|_| Error::Step("plan the scaling"))
        };
        let lines = |count: usize| plan((count, from.0), (count, to.0));
        Ok(Self {
            to,
            columns: plan(from, (from.0, to.1))?,
            band: lines(BAND)?,
            last: lines((to.1 % BAND).max(1))?,
            low: vec![0; from.0 * to.1],
            on_side: vec![0; from.0 * BAND],
            done: vec![0; to.0 * BAND],
        })
    }

    /// Resamples `from` into `to`, whose lines are `stride` bytes apart.
    pub(super) fn scale(
        &mut self,
        from: Plane<'_>,
        to: &mut [u8],
        stride: usize,
    ) -> Result<(), Error> {
        self.try_scale(from, to, stride).ok_or(Error::Step("scale a picture"))
    }

    fn try_scale(&mut self, from: Plane<'_>, to: &mut [u8], stride: usize) -> Option<()> {
        let (wide, (width, height)) = (from.size.0, self.to);
        resample(&self.columns, from, &mut self.low, (wide, height))?;
        for y in (0..height).step_by(BAND) {
            let lines = BAND.min(height - y);
            let plan = if lines == BAND { &self.band } else { &self.last };
            let low = self.low.get(y * wide..(y + lines) * wide)?;
            turn(plane(low, (wide, lines)), &mut self.on_side, lines)?;
            let on_side = self.on_side.get(..wide * lines)?;
            let done = self.done.get_mut(..width * lines)?;
            resample(plan, plane(on_side, (lines, wide)), done, (lines, width))?;
            turn(plane(done, (lines, width)), to.get_mut(y * stride..)?, stride)?;
        }
        Some(())
    }
}

fn plane(data: &[u8], size: Size) -> Plane<'_> {
    Plane { data, stride: size.0, size }
}

fn resample(
    plan: &Arc<Resampling<u8, 1>>,
    from: Plane<'_>,
    to: &mut [u8],
    size: Size,
) -> Option<()> {
    let mut source = ImageStore::from_slice(from.data, from.size.0, from.size.1).ok()?;
    source.stride = from.stride;
    let mut target = ImageStoreMut::borrow(to, size.0, size.1).ok()?;
    plan.resample(&source, &mut target).ok()
}

/// Writes the columns of `from` as lines of `to`, which are `stride` bytes apart. `None` if it is too small.
fn turn(from: Plane<'_>, to: &mut [u8], stride: usize) -> Option<()> {
    let (width, height) = from.size;
    let (blocks_wide, blocks_high) = (width - width % BLOCK, height - height % BLOCK);
    for y in (0..blocks_high).step_by(BLOCK) {
        for x in (0..blocks_wide).step_by(BLOCK) {
            let from = Plane { data: from.data.get(y * from.stride + x..)?, ..from };
            turn_block(from, to.get_mut(x * stride + y..)?, stride)?;
        }
    }
    for y in 0..height {
        let done = if y < blocks_high { blocks_wide } else { 0 };
        for x in done..width {
            *to.get_mut(x * stride + y)? = *from.data.get(y * from.stride + x)?;
        }
    }
    Some(())
}

/// Turns the first block of `from` in four rounds, each of which interleaves its upper with its lower half.
#[inline]
fn turn_block(from: Plane<'_>, to: &mut [u8], stride: usize) -> Option<()> {
    // One check for all sixteen lines: checked one by one, they are not kept in registers.
    let from_data = from.data.get(..(BLOCK - 1) * from.stride + BLOCK)?;
    let to = to.get_mut(..(BLOCK - 1) * stride + BLOCK)?;
    let mut block: [u8x16; BLOCK] = std::array::from_fn(|line| {
        let samples = from_data.get(line * from.stride..).and_then(|l| l.first_chunk());
        u8x16::new(samples.copied().unwrap_or_default())
    });
    for _ in 0..4 {
        block = std::array::from_fn(|line| {
            let (upper, lower) = (block[line / 2], block[line / 2 + BLOCK / 2]);
            if line % 2 == 0 {
                u8x16::unpack_low(upper, lower)
            } else {
                u8x16::unpack_high(upper, lower)
            }
        });
    }
    for (line, samples) in block.iter().enumerate() {
        if let Some(out) = to.get_mut(line * stride..).and_then(|l| l.first_chunk_mut()) {
            *out = samples.to_array();
        }
    }
    Some(())
}

#[cfg(test)]
mod tests;
