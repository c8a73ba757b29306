//! Scales one decoded picture to every rendition.
//!
//! Each from the picture itself: from the next larger rendition would cost less, and blur once more at every step
//! (docs/decisions/012).

use gstreamer as gst;
use gstreamer_video as gst_video;
use gstreamer_video::prelude::*;

use crate::error::Error;

use self::plane::{Plane, PlaneScaler, Size};
use self::plane10::PlaneScaler10;

mod plane;
mod plane10;

/// Scales pictures of one size to a ladder.
pub(crate) struct LadderScaler {
    source: gst_video::VideoInfo,
    /// None for renditions that another ladder makes.
    steps: Vec<Option<Step>>,
}

struct Step {
    info: gst_video::VideoInfo,
    pool: gst::BufferPool,
    how: How,
    /// Bytes of a sample: 2 of 10 bits, else 1.
    bytes: usize,
}

enum How {
    /// Same size and nothing to crop: the decoder's own buffer.
    Same,
    /// Same size after cropping an odd line or column.
    Crop,
    /// Resampled, plane by plane.
    Resample(Box<[PlaneScaler; 3]>),
    /// The same with 10 bits.
    Resample10(Box<[PlaneScaler10; 3]>),
}

fn plane_size(width: u32, height: u32, plane: usize) -> Size {
    let shift = usize::from(plane > 0);
    (width as usize >> shift, height as usize >> shift)
}

impl LadderScaler {
    /// For pictures like `source` (I420 of 8 or of 10 bits), to these widths, heights and frame rates; none for renditions that
    /// it has nothing to do with.
    pub(crate) fn new(
        source: &gst_video::VideoInfo,
        renditions: &[Option<(u32, u32, gst::Fraction)>],
        colorimetry: &gst_video::VideoColorimetry,
    ) -> Result<Self, Error> {
        let failed = |_| Error::Step("set up the scaler");
        let cropped = (source.width() & !1, source.height() & !1);
        let bytes = if source.format() == gst_video::VideoFormat::I42010le { 2 } else { 1 };
        let mut steps = Vec::new();
        for rendition in renditions {
            let Some((width, height, rate)) = *rendition else {
                steps.push(None);
                continue;
            };
            let info = gst_video::VideoInfo::builder(source.format(), width, height)
                .fps(rate)
                .par(gst::Fraction::new(1, 1))
                .colorimetry(colorimetry)
                .build()
                .map_err(failed)?;
            let sizes =
                |n: usize| (plane_size(cropped.0, cropped.1, n), plane_size(width, height, n));
            let how = if (width, height) != cropped && bytes == 2 {
                let plane = |n: usize| PlaneScaler10::new(sizes(n).0, sizes(n).1);
                How::Resample10(Box::new([plane(0)?, plane(1)?, plane(2)?]))
            } else if (width, height) != cropped {
                let plane = |n: usize| PlaneScaler::new(sizes(n).0, sizes(n).1);
                How::Resample(Box::new([plane(0)?, plane(1)?, plane(2)?]))
            } else if cropped == (source.width(), source.height()) {
                How::Same
            } else {
                How::Crop
            };
            steps.push(Some(Step { pool: pool(&info)?, info, how, bytes }));
        }
        Ok(Self { source: source.clone(), steps })
    }

    /// The caps of rendition `n`'s pictures.
    pub(crate) fn info(&self, n: usize) -> Option<&gst_video::VideoInfo> {
        self.steps.get(n)?.as_ref().map(|s| &s.info)
    }

    /// One buffer for every rendition that is `wanted`. Time stamps are left to the caller.
    pub(crate) fn scale(
        &mut self,
        picture: &gst::BufferRef,
        wanted: impl Fn(usize) -> bool,
    ) -> Result<Vec<Option<gst::Buffer>>, Error> {
        let source = &self.source;
        let scaled = self.steps.iter_mut().enumerate().map(|(n, step)| {
            let Some(step) = step.as_mut().filter(|_| wanted(n)) else { return Ok(None) };
            match &step.how {
                How::Same => Ok(Some(picture.copy())),
                How::Crop | How::Resample(_) | How::Resample10(_) => {
                    resize(picture, source, step).map(Some)
                }
            }
        });
        scaled.collect()
    }
}

pub(crate) fn pool(info: &gst_video::VideoInfo) -> Result<gst::BufferPool, Error> {
    let failed = || Error::Step("set up a picture pool");
    let pool = gst_video::VideoBufferPool::new();
    let mut config = pool.config();
    let caps = info.to_caps().map_err(|_| failed())?;
    let size = u32::try_from(info.size()).map_err(|_| failed())?;
    // No upper bound here: the encoders' own look-ahead bounds how many pictures are alive.
    config.set_params(Some(&caps), size, 0, 0);
    pool.set_config(config).map_err(|_| failed())?;
    pool.set_active(true).map_err(|_| failed())?;
    Ok(pool.upcast())
}

/// Makes a picture of `step`'s size from `from`, without its last line or column where their number is odd.
fn resize(
    from: &gst::BufferRef,
    from_info: &gst_video::VideoInfo,
    step: &mut Step,
) -> Result<gst::Buffer, Error> {
    let failed = || Error::Step("scale a picture");
    let source = gst_video::VideoFrameRef::from_buffer_ref_readable(from, from_info)
        .map_err(|_| failed())?;
    let mut buffer = step.pool.acquire_buffer(None).map_err(|_| failed())?;
    {
        let target = buffer.get_mut().ok_or_else(failed)?;
        let mut target = gst_video::VideoFrameRef::from_buffer_ref_writable(target, &step.info)
            .map_err(|_| failed())?;
        for (n, plane) in (0u32..3).zip(0usize..) {
            let stride = |strides: &[i32]| {
                strides.get(plane).and_then(|s| usize::try_from(*s).ok()).ok_or_else(failed)
            };
            let input = Plane {
                data: source.plane_data(n).map_err(|_| failed())?,
                stride: stride(source.plane_stride())?,
                size: plane_size(from_info.width() & !1, from_info.height() & !1, plane),
            };
            let stride = stride(target.plane_stride())?;
            let output = target.plane_data_mut(n).map_err(|_| failed())?;
            match &mut step.how {
                How::Resample(planes) => planes[plane].scale(input, output, stride)?,
                How::Resample10(planes) => planes[plane].scale(input, output, stride)?,
                How::Same | How::Crop => {
                    crop(input, output, stride, step.bytes).ok_or_else(failed)?;
                }
            }
        }
    }
    Ok(buffer)
}

/// Copies `from`'s lines to `to`, where they are `stride` bytes apart.
fn crop(from: Plane<'_>, to: &mut [u8], stride: usize, bytes: usize) -> Option<()> {
    let (width, height) = (from.size.0 * bytes, from.size.1);
    for (row, line) in to.chunks_mut(stride).take(height).enumerate() {
        let start = row * from.stride;
        line.get_mut(..width)?.copy_from_slice(from.data.get(start..start + width)?);
    }
    Some(())
}
