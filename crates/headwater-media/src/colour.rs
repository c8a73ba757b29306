//! Brings the colours of a master to those that every screen shows: BT.709 of limited range, 8 bits.
//!
//! What differs only in matrix and range is a product with nine numbers. What is of wider gamut or brighter goes through
//! light itself (`light.rs`, for whole pictures `tone.rs`).
//!
//! [`Colour::as_sdr`] says what comes out.

use gstreamer as gst;
use gstreamer_video as gst_video;
use gstreamer_video::prelude::*;
use headwater_model::colour::Colour;

use crate::error::Error;

use self::affine::Affine;
use self::tone::ToneMap;

mod affine;
mod light;
mod tone;

/// Converts pictures of one size.
pub(crate) struct Converter {
    how: How,
    pool: gst::BufferPool,
    to: gst_video::VideoInfo,
}

enum How {
    Affine(Affine),
    Tone(Box<ToneMap>),
}

/// In which form pictures of these colours have to come: 10 bits where light has to be computed.
pub(crate) fn wanted(colour: Option<Colour>) -> gst::Caps {
    let caps = gst::Caps::builder("video/x-raw");
    match colour {
        Some(colour) if colour.is_beyond_sdr() => caps.field("format", "I420_10LE"),
        // Red, green and blue have no matrix yet.
        Some(Colour { matrix: RGB, .. }) => {
            caps.field("format", "I420").field("colorimetry", "bt709")
        }
        _ => caps.field("format", "I420"),
    }
    .build()
}

/// `matrix_coefficients` of red, green and blue themselves (H.273, table 4).
const RGB: u8 = 0;

/// Colours in GStreamer's words.
pub(crate) fn colorimetry(colour: Colour) -> gst_video::VideoColorimetry {
    gst_video::VideoColorimetry::new(
        match colour.full_range {
            true => gst_video::VideoColorRange::Range0_255,
            false => gst_video::VideoColorRange::Range16_235,
        },
        gst_video::VideoColorMatrix::from_iso(colour.matrix.into()),
        gst_video::VideoTransferFunction::from_iso(colour.transfer.into()),
        gst_video::VideoColorPrimaries::from_iso(colour.primaries.into()),
    )
}

impl Converter {
    /// For pictures like `from`, whose colours are `colour`; `peak` is the brightest that they get, in cd/m². `None` where
    /// there is nothing to do.
    pub(crate) fn new(
        from: &gst_video::VideoInfo,
        colour: Colour,
        peak: Option<f64>,
    ) -> Result<Option<Self>, Error> {
        let colour = match colour.matrix {
            RGB => Colour { matrix: Colour::BT709.matrix, full_range: false, ..colour },
            _ => colour,
        };
        let how = if colour.is_beyond_sdr() {
            How::Tone(Box::new(ToneMap::new(colour, peak)))
        } else {
            match Affine::new(colour) {
                Some(affine) => How::Affine(affine),
                None => return Ok(None),
            }
        };
        let failed = |_| Error::Step("set up the conversion of colours");
        let to = gst_video::VideoInfo::builder(
            gst_video::VideoFormat::I420,
            from.width(),
            from.height(),
        )
        .fps(from.fps())
        .par(from.par())
        .build()
        .map_err(failed)?;
        Ok(Some(Self { how, pool: crate::scale::pool(&to)?, to }))
    }

    /// What its pictures look like.
    pub(crate) fn info(&self) -> &gst_video::VideoInfo {
        &self.to
    }

    /// The picture in the other colours.
    pub(crate) fn convert(
        &self,
        picture: &gst::BufferRef,
        info: &gst_video::VideoInfo,
    ) -> Result<gst::Buffer, Error> {
        let failed = || Error::Step("convert colours");
        let from = gst_video::VideoFrameRef::from_buffer_ref_readable(picture, info)
            .map_err(|_| failed())?;
        let mut buffer = self.pool.acquire_buffer(None).map_err(|_| failed())?;
        {
            let target = buffer.get_mut().ok_or_else(failed)?;
            let mut to = gst_video::VideoFrameRef::from_buffer_ref_writable(target, &self.to)
                .map_err(|_| failed())?;
            let strides = strides(to.plane_stride()).ok_or_else(failed)?;
            let [luma, blue, red, _] = to.planes_data_mut();
            let target = Target { planes: [luma, blue, red], strides };
            let [luma, blue, red, _] = from.planes_data();
            let source = Source {
                planes: [luma, blue, red],
                strides: self::strides(from.plane_stride()).ok_or_else(failed)?,
                size: (self.to.width() as usize, self.to.height() as usize),
            };
            match &self.how {
                How::Affine(affine) => affine.apply(source, target),
                How::Tone(tone) => tone.apply(source, target),
            }
            .ok_or_else(failed)?;
        }
        Ok(buffer)
    }
}

fn strides(of: &[i32]) -> Option<[usize; 3]> {
    let stride = |n: usize| of.get(n).and_then(|s| usize::try_from(*s).ok());
    Some([stride(0)?, stride(1)?, stride(2)?])
}

/// Luma and the two differences of colour, 4:2:0.
struct Source<'a> {
    planes: [&'a [u8]; 3],
    strides: [usize; 3],
    /// Samples of luma.
    size: (usize, usize),
}

struct Target<'a> {
    planes: [&'a mut [u8]; 3],
    strides: [usize; 3],
}

impl Source<'_> {
    /// Line `y` of plane `n`, so many bytes of it.
    fn line(&self, n: usize, y: usize, bytes: usize) -> Option<&[u8]> {
        let start = y * self.strides[n];
        self.planes[n].get(start..start + bytes)
    }

    /// Samples of a plane of colour.
    fn chroma_size(&self) -> (usize, usize) {
        (self.size.0.div_ceil(2), self.size.1.div_ceil(2))
    }
}

#[cfg(test)]
mod tests;
