//! Small pictures of a title on sheets, one for each segment, and its poster. Only key frames are decoded: the last one
//! before a segment begins shows what it is about.

use std::path::Path;

use gstreamer as gst;
use gstreamer::prelude::*;
use gstreamer_app as gst_app;
use gstreamer_video as gst_video;
use gstreamer_video::prelude::*;
use headwater_model::colour::Colour;
use headwater_model::plan::{Pictures, Plan};
use headwater_ports::transcoder::Report;

use crate::colour::{self, Converter};
use crate::delivered;
use crate::error::Error;
use crate::frames::FrameReader;
use crate::running::{Running, make};
use crate::scale::LadderScaler;
use crate::segmenter::{Codecs, Emit, Spool};
use crate::source::Master;

/// Quality of JPEG, of 100: what thumbnails of video sites have.
const SHEET_QUALITY: i32 = 75;
const POSTER_QUALITY: i32 = 88;

/// A poster is not looked for in this share at either end of a title: there are logos and credits.
const EDGE: usize = 20;

/// Makes the pictures of `plan`.
pub(crate) fn make_all(
    master: &Master,
    plan: &Plan,
    pictures: &Pictures,
    spool: &Path,
    emit: Emit,
) -> Result<Codecs, Error> {
    let spool = Spool::new(spool, Pictures::FOLDER, emit.clone())?;
    let starts = &pictures.times;
    let mut frames = FrameReader::keys(master, plan, starts.clone())?;
    let mut shown = Shown::new(plan, pictures)?;
    let (mut sheet, mut number, mut done) = (Sheet::new(pictures)?, 0, 0);
    let (mut poster, mut best) = (None, 0.0);
    let mut next = frames.next()?;
    let mut last: Option<(gst::Buffer, gst::Buffer)> = None;
    for (n, start) in starts.iter().enumerate() {
        // The last frame that is shown by then; before the first of all, the first.
        while let Some(sample) = &next {
            let at = sample.buffer().and_then(|b| b.pts());
            let at = at.and_then(|t| i64::try_from(t.nseconds()).ok()).unwrap_or(0);
            if at > *start + ROUNDED_NS && last.is_some() {
                break;
            }
            last = Some(shown.of(sample)?);
            next = frames.next()?;
        }
        let Some((small, large)) = &last else { break };
        let interest = sheet.put(done, small)?;
        let is_inside = n * EDGE >= starts.len() && (starts.len() - n) * EDGE >= starts.len();
        if poster.is_none() || (is_inside && interest > best) {
            (poster, best) = (Some(large.clone()), if is_inside { interest } else { 0.0 });
        }
        done += 1;
        emit(Report::Progress { frames: 0 });
        if done == pictures.on_a_sheet() || n + 1 == starts.len() {
            let jpeg = jpeg(&sheet.buffer, &sheet.info, SHEET_QUALITY)?;
            spool.picture(Some(number), &jpeg)?;
            (sheet, number, done) = (Sheet::new(pictures)?, number + 1, 0);
        }
    }
    // One that came with the title is what its makers want to be seen.
    let delivered = plan.delivery.as_ref().and_then(|d| Some((d, d.poster()?)));
    let poster = match delivered {
        Some((bundled, n)) => {
            let failed = |_| Error::Step("read the poster");
            let name = bundled.files.get(n as usize).map_or("", |file| file.file.as_str());
            delivered::poster(&master.source(n).map_err(failed)?, name)?
        }
        None => {
            let poster = poster.ok_or(Error::Step("find a picture"))?;
            jpeg(&poster, shown.large_info()?, POSTER_QUALITY)?
        }
    };
    spool.picture(None, &poster)?;
    Ok(vec![])
}

/// Containers round time stamps to milliseconds.
const ROUNDED_NS: i64 = 2_000_000;

/// Brings decoded pictures to the two sizes in which they are shown.
struct Shown {
    colours: Colour,
    peak: Option<f64>,
    sizes: Vec<Option<(u32, u32, gst::Fraction)>>,
    prepared_for: Option<(u32, u32, gst_video::VideoFormat)>,
    converter: Option<Converter>,
    scaler: Option<LadderScaler>,
}

impl Shown {
    fn new(plan: &Plan, pictures: &Pictures) -> Result<Self, Error> {
        let still = gst::Fraction::new(1, 1);
        let (width, height) = pictures.poster;
        Ok(Self {
            colours: plan.colour.unwrap_or(Colour::BT709),
            peak: plan.peak.map(f64::from),
            sizes: vec![
                Some((pictures.width, pictures.height, still)),
                Some((width, height, still)),
            ],
            prepared_for: None,
            converter: None,
            scaler: None,
        })
    }

    /// Small and large.
    fn of(&mut self, sample: &gst::Sample) -> Result<(gst::Buffer, gst::Buffer), Error> {
        let picture = sample.buffer().ok_or(Error::Step("read a frame"))?;
        let info = sample
            .caps()
            .and_then(|c| gst_video::VideoInfo::from_caps(c).ok())
            .ok_or(Error::Step("learn a picture's shape"))?;
        let shape = (info.width(), info.height(), info.format());
        if self.prepared_for != Some(shape) {
            self.prepared_for = Some(shape);
            self.converter = Converter::new(&info, self.colours, self.peak)?;
            let from = self.converter.as_ref().map_or(&info, Converter::info);
            let colours = colour::colorimetry(self.colours.as_sdr());
            self.scaler = Some(LadderScaler::new(from, &self.sizes, &colours)?);
        }
        let converted = self.converter.as_ref().map(|c| c.convert(picture, &info)).transpose()?;
        let scaler = self.scaler.as_mut().ok_or(Error::Step("set up the scaler"))?;
        let mut made = scaler.scale(converted.as_deref().unwrap_or(picture), |_| true)?.into_iter();
        match (made.next().flatten(), made.next().flatten()) {
            (Some(small), Some(large)) => Ok((small, large)),
            _ => Err(Error::Step("scale a picture")),
        }
    }

    fn large_info(&self) -> Result<&gst_video::VideoInfo, Error> {
        self.scaler.as_ref().and_then(|s| s.info(1)).ok_or(Error::Step("set up the scaler"))
    }
}

/// Pictures side by side.
struct Sheet {
    info: gst_video::VideoInfo,
    buffer: gst::Buffer,
    tile: gst_video::VideoInfo,
    columns: usize,
}

impl Sheet {
    /// Of black.
    fn new(pictures: &Pictures) -> Result<Self, Error> {
        let failed = |_| Error::Step("set up a sheet of pictures");
        let (width, height) = pictures.sheet();
        let i420 = gst_video::VideoFormat::I420;
        let of_size = |width, height| {
            let bt709 = colour::colorimetry(Colour::BT709);
            gst_video::VideoInfo::builder(i420, width, height).colorimetry(&bt709).build()
        };
        let info = of_size(width, height).map_err(failed)?;
        let tile = of_size(pictures.width, pictures.height).map_err(failed)?;
        let mut bytes = vec![128u8; info.size()];
        bytes[..info.offset()[1]].fill(16);
        let buffer = gst::Buffer::from_mut_slice(bytes);
        Ok(Self { info, buffer, tile, columns: pictures.columns as usize })
    }

    /// Puts a picture in place `n`, and says how much there is to see in it.
    fn put(&mut self, n: usize, picture: &gst::Buffer) -> Result<f64, Error> {
        let failed = || Error::Step("put a picture on its sheet");
        let from = gst_video::VideoFrameRef::from_buffer_ref_readable(picture, &self.tile)
            .map_err(|_| failed())?;
        let sheet = self.buffer.get_mut().ok_or_else(failed)?;
        let mut to = gst_video::VideoFrameRef::from_buffer_ref_writable(sheet, &self.info)
            .map_err(|_| failed())?;
        for plane in 0..3u32 {
            let (width, height) =
                (from.comp_width(plane) as usize, from.comp_height(plane) as usize);
            let (x, y) = ((n % self.columns) * width, (n / self.columns) * height);
            let stride = |strides: &[i32]| {
                strides
                    .get(plane as usize)
                    .and_then(|s| usize::try_from(*s).ok())
                    .ok_or_else(failed)
            };
            let (from_stride, to_stride) =
                (stride(from.plane_stride())?, stride(to.plane_stride())?);
            let samples = from.plane_data(plane).map_err(|_| failed())?;
            let out = to.plane_data_mut(plane).map_err(|_| failed())?;
            for line in 0..height {
                let old = samples.get(line * from_stride..).and_then(|l| l.get(..width));
                let new =
                    out.get_mut((y + line) * to_stride + x..).and_then(|l| l.get_mut(..width));
                new.zip(old).ok_or_else(failed).map(|(new, old)| new.copy_from_slice(old))?;
            }
        }
        Ok(interest(from.plane_data(0).map_err(|_| failed())?))
    }
}

/// How far luma is spread, which is nothing for a black picture, a white one and a fog.
fn interest(luma: &[u8]) -> f64 {
    let count = luma.len().max(1) as f64;
    let mean = luma.iter().map(|v| f64::from(*v)).sum::<f64>() / count;
    let variance = luma.iter().map(|v| (f64::from(*v) - mean).powi(2)).sum::<f64>() / count;
    // What is too dark or too bright as a whole is no poster, however sharp its titles are.
    let lit = if (50.0..190.0).contains(&mean) { 1.0 } else { 0.3 };
    variance.sqrt() * lit
}

/// A picture as JPEG (JFIF: full range, the matrix of BT.601).
fn jpeg(
    picture: &gst::Buffer,
    info: &gst_video::VideoInfo,
    quality: i32,
) -> Result<Vec<u8>, Error> {
    let running = Running::new("jpeg");
    let caps = info.to_caps().map_err(|_| Error::Step("describe a picture"))?;
    let source = gst_app::AppSrc::builder().format(gst::Format::Time).caps(&caps).build();
    let convert = make("videoconvert")?;
    let filter = make("capsfilter")?;
    let full = gst::Caps::builder("video/x-raw").field("format", "I420");
    filter.set_property("caps", full.field("colorimetry", "1:4:0:0").build());
    let encoder = make("jpegenc")?;
    encoder.set_property("quality", quality);
    let sink = gst_app::AppSink::builder().sync(false).max_buffers(1).build();
    running.chain(&[source.upcast_ref(), &convert, &filter, &encoder, sink.upcast_ref()])?;
    running.play()?;
    let mut picture = picture.copy();
    picture.make_mut().set_pts(gst::ClockTime::ZERO);
    source.push_buffer(picture).map_err(|_| Error::Step("feed an encoder"))?;
    let _ = source.end_of_stream();
    let sample = running.pull(&sink, "make a JPEG")?.ok_or(Error::Step("make a JPEG"))?;
    let buffer = sample.buffer().ok_or(Error::Step("make a JPEG"))?;
    Ok(buffer.map_readable().map_err(|_| Error::Step("make a JPEG"))?.to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_more_to_see_in_a_picture_than_in_black_or_fog() {
        let picture: Vec<u8> = (0..1000).map(|n| 60 + (n * 37 % 120) as u8).collect();
        let titles: Vec<u8> = (0..1000).map(|n| if n % 20 == 0 { 235 } else { 16 }).collect();
        assert!(interest(&picture) > interest(&titles));
        assert!(interest(&titles) > interest(&[16; 1000]));
        assert!(interest(&[120; 1000]) < 1e-9);
    }
}
