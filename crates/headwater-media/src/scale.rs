//! Scales one decoded picture to every rendition.
//!
//! Each from the picture itself: from the next larger rendition would cost less, and blur once more at every step
//! (docs/decisions/012).

use gstreamer as gst;
use gstreamer_video as gst_video;
use gstreamer_video::prelude::*;

use crate::error::Error;

use self::plane::{Plane, PlaneScaler, Size};

mod plane;

/// Scales pictures of one size to a ladder.
pub(crate) struct LadderScaler {
    source: gst_video::VideoInfo,
    steps: Vec<Step>,
}

struct Step {
    info: gst_video::VideoInfo,
    pool: gst::BufferPool,
    how: How,
}

enum How {
    /// Same size and nothing to crop: the decoder's own buffer.
    Same,
    /// Same size after cropping an odd line or column.
    Crop,
    /// Resampled, plane by plane.
    Resample(Box<[PlaneScaler; 3]>),
}

fn plane_size(width: u32, height: u32, plane: usize) -> Size {
    let shift = usize::from(plane > 0);
    (width as usize >> shift, height as usize >> shift)
}

impl LadderScaler {
    /// For pictures like `source` (I420), to `sizes`.
    pub(crate) fn new(
        source: &gst_video::VideoInfo,
        sizes: &[(u32, u32)],
        rate: gst::Fraction,
    ) -> Result<Self, Error> {
        let failed = |_| Error::Step("set up the scaler");
        let cropped = (source.width() & !1, source.height() & !1);
        let mut steps = Vec::new();
        for (width, height) in sizes.iter().copied() {
            let info = gst_video::VideoInfo::builder(gst_video::VideoFormat::I420, width, height)
                .fps(rate)
                .par(gst::Fraction::new(1, 1))
                .colorimetry(&source.colorimetry())
                .build()
                .map_err(failed)?;
            let how = if (width, height) != cropped {
                let plane = |n: usize| {
                    let from = plane_size(cropped.0, cropped.1, n);
                    PlaneScaler::new(from, plane_size(width, height, n))
                };
                How::Resample(Box::new([plane(0)?, plane(1)?, plane(2)?]))
            } else if cropped == (source.width(), source.height()) {
                How::Same
            } else {
                How::Crop
            };
            steps.push(Step { pool: pool(&info)?, info, how });
        }
        Ok(Self { source: source.clone(), steps })
    }

    /// The caps of rendition `n`'s pictures.
    pub(crate) fn info(&self, n: usize) -> Option<&gst_video::VideoInfo> {
        self.steps.get(n).map(|s| &s.info)
    }

    /// Whether it was made for pictures like `info`.
    pub(crate) fn fits(&self, info: &gst_video::VideoInfo) -> bool {
        (info.width(), info.height(), info.format())
            == (self.source.width(), self.source.height(), self.source.format())
    }

    /// One buffer for every rendition. Time stamps are left to the caller.
    pub(crate) fn scale(&mut self, picture: &gst::BufferRef) -> Result<Vec<gst::Buffer>, Error> {
        let source = &self.source;
        self.steps
            .iter_mut()
            .map(|step| match &step.how {
                How::Same => Ok(picture.copy()),
                How::Crop | How::Resample(_) => resize(picture, source, step),
            })
            .collect()
    }
}

fn pool(info: &gst_video::VideoInfo) -> Result<gst::BufferPool, Error> {
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
                How::Same | How::Crop => crop(input, output, stride).ok_or_else(failed)?,
            }
        }
    }
    Ok(buffer)
}

/// Copies `from`'s lines to `to`, where they are `stride` bytes apart.
fn crop(from: Plane<'_>, to: &mut [u8], stride: usize) -> Option<()> {
    let (width, height) = from.size;
    for (row, line) in to.chunks_mut(stride).take(height).enumerate() {
        let start = row * from.stride;
        line.get_mut(..width)?.copy_from_slice(from.data.get(start..start + width)?);
    }
    Some(())
}
