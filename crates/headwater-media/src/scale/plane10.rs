//! Resamples one plane of 10-bit samples. Encoders of 10 bits take so long that nothing is gained by laying planes on
//! their side, as those of 8 bits are.

use std::sync::Arc;

use pic_scale::{ImageSize, ImageStore, ImageStoreMut, Resampling, Scaler, ThreadingPolicy};

use super::plane::{FILTER, Plane, Size};
use crate::error::Error;

/// Bits of a sample.
const DEPTH: usize = 10;

/// Resamples planes of one size to another.
pub(super) struct PlaneScaler10 {
    to: Size,
    plan: Arc<Resampling<u16, 1>>,
    samples: Vec<u16>,
    done: Vec<u16>,
}

impl PlaneScaler10 {
    pub(super) fn new(from: Size, to: Size) -> Result<Self, Error> {
        let mut scaler = Scaler::new(FILTER);
        scaler.set_threading_policy(ThreadingPolicy::Single);
        let size = |(width, height)| ImageSize::new(width, height);
        let plan = scaler
            .plan_planar_resampling16(size(from), size(to), DEPTH)
            .map_err(|_| Error::Step("plan the scaling"))?;
        Ok(Self { to, plan, samples: Vec::new(), done: vec![0; to.0 * to.1] })
    }

    /// Resamples `from`, of two bytes a sample, into `to`, whose lines are `stride` bytes apart.
    pub(super) fn scale(
        &mut self,
        from: Plane<'_>,
        to: &mut [u8],
        stride: usize,
    ) -> Result<(), Error> {
        self.try_scale(from, to, stride).ok_or(Error::Step("scale a picture"))
    }

    fn try_scale(&mut self, from: Plane<'_>, to: &mut [u8], stride: usize) -> Option<()> {
        let (width, height) = from.size;
        self.samples.clear();
        for y in 0..height {
            let line = from.data.get(y * from.stride..)?.get(..2 * width)?;
            self.samples.extend(line.chunks_exact(2).map(|s| u16::from_le_bytes([s[0], s[1]])));
        }
        let mut source = ImageStore::from_slice(&self.samples, width, height).ok()?;
        source.bit_depth = DEPTH;
        let mut target = ImageStoreMut::borrow(&mut self.done, self.to.0, self.to.1).ok()?;
        target.bit_depth = DEPTH;
        self.plan.resample(&source, &mut target).ok()?;
        for (y, line) in self.done.chunks_exact(self.to.0).enumerate() {
            let out = to.get_mut(y * stride..)?.get_mut(..2 * self.to.0)?;
            for (out, sample) in out.chunks_exact_mut(2).zip(line) {
                out.copy_from_slice(&sample.to_le_bytes());
            }
        }
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_grey_stays_that_grey_and_a_slope_a_slope() {
        let (from, to) = ((64, 32), (40, 20));
        let mut scaler = PlaneScaler10::new(from, to).unwrap();
        let mut run = |at: &dyn Fn(usize) -> u16| -> Vec<u16> {
            let line: Vec<u8> = (0..64).flat_map(|x| at(x).to_le_bytes()).collect();
            let data = line.repeat(32);
            let mut out = vec![0; 96 * 20];
            scaler.scale(Plane { data: &data, stride: 128, size: from }, &mut out, 96).unwrap();
            let line = out[96 * 10..][..80].chunks_exact(2);
            line.map(|s| u16::from_le_bytes([s[0], s[1]])).collect()
        };
        assert_eq!(run(&|_| 700), [700; 40]);
        let slope = run(&|x| 100 + 10 * x as u16);
        for (x, found) in slope.iter().enumerate().skip(4).take(32) {
            let wanted = 100.0 + 10.0 * ((x as f64 + 0.5) * 1.6 - 0.5);
            assert!((f64::from(*found) - wanted).abs() <= 1.5, "{x}: {found} instead of {wanted}");
        }
    }
}
