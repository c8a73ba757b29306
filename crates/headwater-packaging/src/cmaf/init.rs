//! Writes init segments (CMAF headers): `ftyp` and a `moov` that describes one track and has no samples.

use headwater_model::colour::{Colour, ContentLight, MasteringDisplay};
use mp4_atom::{
    Audio, BufMut, Colr, Dinf, Dref, Edts, Elst, ElstEntry, Encode, FourCC, Ftyp, Hdlr, Mdhd, Mvex,
    Mvhd, Pasp, Smhd, Stco, Stsc, Stsz, Stts, Tkhd, Trex, Url, Visual, Vmhd, esds,
};

use super::{Error, TRACK_ID, VideoConfig, codec_string_aac};
use crate::language;

/// What a video track's init segment says.
#[derive(Debug, Clone, Copy)]
pub struct VideoInit<'a> {
    /// Picture width in square pixels.
    pub width: u32,
    /// Picture height in square pixels.
    pub height: u32,
    /// Ticks per second.
    pub timescale: u32,
    /// Ticks that every composition offset contains for reordering; the edit list takes them out again.
    pub delay: u64,
    /// How it is coded.
    pub config: VideoConfig<'a>,
    /// Colour, when known.
    pub colour: Option<Colour>,
    /// The screen that an HDR picture was graded on.
    pub mastering: Option<MasteringDisplay>,
    /// How bright an HDR picture gets.
    pub light: Option<ContentLight>,
}

/// What an audio track's init segment says.
#[derive(Debug, Clone, Copy)]
pub struct AudioInit<'a> {
    /// Samples per second.
    pub sample_rate: u32,
    /// Channels.
    pub channels: u32,
    /// Ticks per second.
    pub timescale: u32,
    /// Language (BCP 47 or ISO 639), when known.
    pub language: Option<&'a str>,
    /// AudioSpecificConfig; goes into `esds` byte for byte.
    pub asc: &'a [u8],
    /// Mean bit rate in bit/s.
    pub bitrate: u32,
}

/// What an AAC decoder holds of each channel at most, in bits (ISO/IEC 14496-3, 4.5.3.1).
const AAC_BUFFER_BITS: u32 = 6144;

impl VideoInit<'_> {
    /// The bytes of the init segment.
    ///
    /// # Errors
    /// When a side is longer than 65,535, the delay is more than 2^63 - 1 or the record is malformed.
    pub fn to_bytes(&self) -> Result<Vec<u8>, Error> {
        self.config.codec_string(self.colour)?;
        let side = |what, value: u32| {
            let limit = u64::from(u16::MAX);
            u16::try_from(value).map_err(|_| Error::TooLarge { what, value: value.into(), limit })
        };
        let (width, height) =
            (side("picture width", self.width)?, side("picture height", self.height)?);
        let tkhd = Tkhd { width: width.into(), height: height.into(), ..tkhd() };
        let visual = Visual { data_reference_index: 1, width, height, ..Visual::default() };
        let colr = self.colour.map(|c| Colr::Nclx {
            colour_primaries: c.primaries.into(),
            transfer_characteristics: c.transfer.into(),
            matrix_coefficients: c.matrix.into(),
            full_range_flag: c.full_range,
        });
        let (entry, record) = self.config.boxes();
        let entry = |buf: &mut Vec<u8>| {
            buf.encode_atom(entry, |buf| {
                visual.encode(buf)?;
                buf.encode_atom(record, |buf| {
                    buf.append_slice(self.config.record());
                    Ok(())
                })?;
                colr.encode(buf)?;
                if let Some(mastering) = &self.mastering {
                    buf.encode_atom(b"mdcv", |buf| {
                        buf.append_slice(&mastering_bytes(mastering));
                        Ok(())
                    })?;
                }
                if let Some(light) = &self.light {
                    buf.encode_atom(b"clli", |buf| {
                        light.max_pixel.encode(buf)?;
                        light.max_frame_average.encode(buf)
                    })?;
                }
                Pasp { h_spacing: 1, v_spacing: 1 }.encode(buf)
            })
        };
        init(tkhd, self.delay, mdhd(self.timescale, None), hdlr(b"vide"), &Vmhd::default(), entry)
    }
}

/// MasteringDisplayColourVolumeBox (ISO/IEC 14496-12, 12.1.8): green, blue, red, white, in the units of the SEI message.
fn mastering_bytes(of: &MasteringDisplay) -> Vec<u8> {
    let [red, green, blue] = of.primaries;
    let points = [green, blue, red, of.white];
    let mut bytes: Vec<u8> =
        points.iter().flat_map(|(x, y)| [x.to_be_bytes(), y.to_be_bytes()].concat()).collect();
    bytes.extend(of.max_luminance.to_be_bytes());
    bytes.extend(of.min_luminance.to_be_bytes());
    bytes
}

impl AudioInit<'_> {
    /// The bytes of the init segment.
    ///
    /// # Errors
    /// When there are more than 65,535 channels or the configuration is malformed.
    pub fn to_bytes(&self) -> Result<Vec<u8>, Error> {
        codec_string_aac(self.asc)?;
        let channel_count = u16::try_from(self.channels).map_err(|_| Error::TooLarge {
            what: "number of channels",
            value: self.channels.into(),
            limit: u16::MAX.into(),
        })?;
        let audio = Audio {
            data_reference_index: 1,
            channel_count,
            sample_size: 16,
            // 16 bits before the point: rates above 65,535 Hz do not fit, and 0 says to look at the configuration.
            sample_rate: u16::try_from(self.sample_rate).unwrap_or(0).into(),
        };
        let buffer_bits = AAC_BUFFER_BITS.saturating_mul(self.channels);
        let [_, buffer_bytes @ ..] = (buffer_bits / 8).to_be_bytes();
        let esds = esds::Esds {
            es_desc: esds::EsDescriptor {
                // 0 in files: the track tells streams apart (ISO/IEC 14496-14, 3.1.2).
                es_id: 0,
                dec_config: esds::DecoderConfig {
                    object_type_indication: 0x40, // MPEG-4 audio
                    stream_type: 0x05,            // audio stream
                    up_stream: 0,
                    buffer_size_db: buffer_bytes.into(),
                    // A second can hold what one second brings and what the bit reservoir had saved.
                    max_bitrate: self.bitrate.saturating_add(buffer_bits),
                    avg_bitrate: self.bitrate,
                    dec_specific: Some(esds::DecoderSpecific {
                        raw: self.asc.to_vec(),
                        ..esds::DecoderSpecific::default()
                    }),
                },
                ..esds::EsDescriptor::default()
            },
        };
        let entry = |buf: &mut Vec<u8>| {
            buf.encode_atom(b"mp4a", |buf| {
                audio.encode(buf)?;
                esds.encode(buf)
            })
        };
        let tkhd = Tkhd { volume: 1.into(), ..tkhd() };
        init(tkhd, 0, mdhd(self.timescale, self.language), hdlr(b"soun"), &Smhd::default(), entry)
    }
}

/// A track's header: in use, no creation time (R1), no duration, since fragments follow.
fn tkhd() -> Tkhd {
    Tkhd { track_id: TRACK_ID, enabled: true, in_movie: true, ..Tkhd::default() }
}

fn mdhd(timescale: u32, tag: Option<&str>) -> Mdhd {
    Mdhd { timescale, language: language::for_boxes(tag).to_owned(), ..Mdhd::default() }
}

fn hdlr(handler: &[u8; 4]) -> Hdlr {
    Hdlr { handler: handler.into(), name: "Headwater".to_owned() }
}

/// The edit that starts the presentation `delay` ticks into the media (ISO/IEC 14496-12, 8.6.6); none when there is
/// nothing to skip. A duration of 0 means: to the end, however many fragments follow.
fn edts(delay: u64) -> Option<Edts> {
    let entry = ElstEntry { segment_duration: 0, media_time: Some(delay), media_rate: 1.into() };
    (delay > 0).then(|| Edts { elst: Some(Elst { entries: vec![entry] }) })
}

/// The file's promise to readers. `cmfc` is CMAF whose edit list says where presentation starts; `cmf2` would forbid
/// the list in favour of signed offsets, by which ffmpeg shows every frame too late. `iso6` has fragments that count
/// from their own `moof` and carry `tfdt`. `dash` and the media profiles (`cfhd`, `caac`) would promise more than is
/// checked here.
fn ftyp() -> Ftyp {
    Ftyp {
        major_brand: FourCC::new(b"cmfc"),
        minor_version: 0,
        compatible_brands: [b"iso6", b"cmfc"].map(FourCC::new).to_vec(),
    }
}

/// The whole init segment. Containers are written one by one so that boxes come in the order in which ISO/IEC
/// 14496-12, 6.3.4 recommends them, and so that the sample entry's configuration stays as it is.
fn init(
    tkhd: Tkhd,
    delay: u64,
    mdhd: Mdhd,
    hdlr: Hdlr,
    media_header: &impl Encode,
    sample_entry: impl FnOnce(&mut Vec<u8>) -> mp4_atom::Result<()>,
) -> Result<Vec<u8>, Error> {
    let mvhd = Mvhd {
        timescale: mdhd.timescale,
        rate: 1.into(),
        volume: 1.into(),
        next_track_id: TRACK_ID + 1,
        ..Mvhd::default()
    };
    let dinf = Dinf { dref: Dref { entries: vec![Url::default().into()] } };
    // Every default is said by each fragment, so there are none here.
    let trex = Trex { track_id: TRACK_ID, default_sample_description_index: 1, ..Trex::default() };
    let mvex = Mvex { mehd: None, trex: vec![trex] };

    let mut buf = Vec::new();
    let written = ftyp().encode(&mut buf).and_then(|()| {
        buf.encode_atom(b"moov", |buf| {
            mvhd.encode(buf)?;
            buf.encode_atom(b"trak", |buf| {
                tkhd.encode(buf)?;
                edts(delay).encode(buf)?;
                buf.encode_atom(b"mdia", |buf| {
                    mdhd.encode(buf)?;
                    hdlr.encode(buf)?;
                    buf.encode_atom(b"minf", |buf| {
                        media_header.encode(buf)?;
                        dinf.encode(buf)?;
                        buf.encode_atom(b"stbl", |buf| {
                            buf.encode_atom(b"stsd", |buf| {
                                0u32.encode(buf)?; // version and flags
                                1u32.encode(buf)?; // one entry
                                sample_entry(buf)
                            })?;
                            Stts::default().encode(buf)?;
                            Stsc::default().encode(buf)?;
                            Stsz::default().encode(buf)?;
                            Stco::default().encode(buf)
                        })
                    })
                })
            })?;
            mvex.encode(buf)
        })
    });
    written.map_err(Error::Write)?;
    Ok(buf)
}
