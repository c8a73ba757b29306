//! Scales one decoded picture to every rendition, each from the next larger one.

use std::sync::Arc;

use gstreamer as gst;
use gstreamer_video as gst_video;
use gstreamer_video::prelude::*;
use pic_scale::{
    ImageSize, ImageStore, ImageStoreMut, Resampling, ResamplingFunction, Scaler, ThreadingPolicy,
};

use crate::error::Error;

/// Bicubic (Keys, a = -0.5). Lanczos-3 would have half as many taps again.
const FILTER: ResamplingFunction = ResamplingFunction::CatmullRom;

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
    Resample([Arc<Resampling<u8, 1>>; 3]),
}

/// One plane as bytes.
struct Plane<'a> {
    data: &'a [u8],
    stride: usize,
    width: usize,
    height: usize,
}

fn plane_size(width: u32, height: u32, plane: usize) -> (usize, usize) {
    let shift = usize::from(plane > 0);
    (width as usize >> shift, height as usize >> shift)
}

impl LadderScaler {
    /// For pictures like `source` (I420), to `sizes`, largest first.
    pub(crate) fn new(
        source: &gst_video::VideoInfo,
        sizes: &[(u32, u32)],
        rate: gst::Fraction,
    ) -> Result<Self, Error> {
        let failed = |_| Error::Step("set up the scaler");
        let scaler = {
            let mut scaler = Scaler::new(FILTER);
            scaler.set_threading_policy(ThreadingPolicy::Single)
        };
        let cropped = (source.width() & !1, source.height() & !1);
        let mut before = cropped;
        let mut steps = Vec::new();
        for (width, height) in sizes.iter().copied() {
            let info = gst_video::VideoInfo::builder(gst_video::VideoFormat::I420, width, height)
                .fps(rate)
                .par(gst::Fraction::new(1, 1))
                .colorimetry(&source.colorimetry())
                .build()
                .map_err(failed)?;
            let how = if (width, height) != before {
                let plan = |n: usize| {
                    let (from, to) =
                        (plane_size(before.0, before.1, n), plane_size(width, height, n));
                    scaler
                        .plan_planar_resampling(
                            ImageSize::new(from.0, from.1),
                            ImageSize::new(to.0, to.1),
                        )
                        .map_err(|_| Error::Step("plan the scaling"))
                };
                How::Resample([plan(0)?, plan(1)?, plan(2)?])
            } else if steps.is_empty() && cropped == (source.width(), source.height()) {
                How::Same
            } else {
                How::Crop
            };
            steps.push(Step { pool: pool(&info)?, info, how });
            before = (width, height);
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
    pub(crate) fn scale(&self, picture: &gst::BufferRef) -> Result<Vec<gst::Buffer>, Error> {
        let mut out: Vec<gst::Buffer> = Vec::with_capacity(self.steps.len());
        for step in &self.steps {
            let from = out.last();
            let made = match (&step.how, from) {
                (How::Same, _) => picture.copy(),
                (how, Some(larger)) => {
                    let info = &self.steps[out.len() - 1].info;
                    resize(how, larger, info, (info.width(), info.height()), step)?
                }
                (how, None) => resize(
                    how,
                    picture,
                    &self.source,
                    (self.source.width() & !1, self.source.height() & !1),
                    step,
                )?,
            };
            out.push(made);
        }
        Ok(out)
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

fn resize(
    how: &How,
    from: &gst::BufferRef,
    from_info: &gst_video::VideoInfo,
    size: (u32, u32),
    step: &Step,
) -> Result<gst::Buffer, Error> {
    let failed = || Error::Step("scale a picture");
    let source = gst_video::VideoFrameRef::from_buffer_ref_readable(from, from_info)
        .map_err(|_| failed())?;
    let mut buffer = step.pool.acquire_buffer(None).map_err(|_| failed())?;
    {
        let target = buffer.get_mut().ok_or_else(failed)?;
        let mut target = gst_video::VideoFrameRef::from_buffer_ref_writable(target, &step.info)
            .map_err(|_| failed())?;
        for n in 0..3u32 {
            let plane = n as usize;
            let (width, height) = plane_size(size.0, size.1, plane);
            let stride = source
                .plane_stride()
                .get(plane)
                .and_then(|s| usize::try_from(*s).ok())
                .ok_or_else(failed)?;
            let input =
                Plane { data: source.plane_data(n).map_err(|_| failed())?, stride, width, height };
            let stride = target
                .plane_stride()
                .get(plane)
                .and_then(|s| usize::try_from(*s).ok())
                .ok_or_else(failed)?;
            let (width, height) = plane_size(step.info.width(), step.info.height(), plane);
            let output = target.plane_data_mut(n).map_err(|_| failed())?;
            match how {
                How::Resample(plans) => {
                    let mut from =
                        ImageStore::<u8, 1>::from_slice(input.data, input.width, input.height)
                            .map_err(|_| failed())?;
                    from.stride = input.stride;
                    let mut to = ImageStoreMut::<u8, 1>::borrow(output, width, height)
                        .map_err(|_| failed())?;
                    to.stride = stride;
                    plans[plane].resample(&from, &mut to).map_err(|_| failed())?;
                }
                How::Same | How::Crop => {
                    for (row, line) in output.chunks_mut(stride).take(height).enumerate() {
                        let start = row * input.stride;
                        let bytes = input.data.get(start..start + width).ok_or_else(failed)?;
                        line.get_mut(..width).ok_or_else(failed)?.copy_from_slice(bytes);
                    }
                }
            }
        }
    }
    Ok(buffer)
}
