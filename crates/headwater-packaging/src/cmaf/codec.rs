//! Names of codecs as manifests spell them (RFC 6381), from what the encoder says about its stream.

use headwater_model::colour::Colour;
use mp4_atom::Atom as _;

use super::Error;

/// The codec string of H.264, such as `avc1.64001f`: profile, constraint flags and level in hexadecimal (RFC 6381, 3.3).
///
/// `avcc` is an AVCDecoderConfigurationRecord (ISO/IEC 14496-15, 5.3.3.1): GStreamer's `codec_data` of
/// `stream-format=avc`. The whole record is checked.
fn codec_string_avc(avcc: &[u8]) -> Result<String, Error> {
    let malformed =
        |reason: String| Error::Config { record: "AVCDecoderConfigurationRecord", reason };
    let mut rest = avcc;
    let record =
        mp4_atom::Avcc::decode_body(&mut rest).map_err(|source| malformed(source.to_string()))?;
    if !rest.is_empty() {
        return Err(malformed(format!("{} bytes too many", rest.len())));
    }
    if record.sequence_parameter_sets.is_empty() || record.picture_parameter_sets.is_empty() {
        return Err(malformed("it has no parameter sets".to_owned()));
    }
    Ok(format!(
        "avc1.{:02x}{:02x}{:02x}",
        record.avc_profile_indication, record.profile_compatibility, record.avc_level_indication
    ))
}

/// How a video stream is coded: the record that its sample entry carries, byte for byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VideoConfig<'a> {
    /// H.264: an AVCDecoderConfigurationRecord (ISO/IEC 14496-15, 5.3.3.1).
    Avc(&'a [u8]),
    /// H.265: an HEVCDecoderConfigurationRecord (ISO/IEC 14496-15, 8.3.3.1).
    Hevc(&'a [u8]),
    /// AV1: an AV1CodecConfigurationRecord ("AV1 Codec ISO Media File Format Binding", 2.3).
    Av1(&'a [u8]),
    /// VP9: version, flags and VPCodecConfigurationRecord ("VP Codec ISO Media File Format Binding", 2.2).
    Vp9(&'a [u8]),
}

/// What a sample entry is called, what the box of its record, and how it is made.
type Kind<'a> = ([u8; 4], [u8; 4], fn(&'a [u8]) -> VideoConfig<'a>);

impl<'a> VideoConfig<'a> {
    /// All there are: what a sample entry of each is called, what the box of its record, and how it is made.
    pub(super) const KINDS: [Kind<'a>; 4] = [
        (*b"avc1", *b"avcC", VideoConfig::Avc),
        (*b"hvc1", *b"hvcC", VideoConfig::Hevc),
        (*b"av01", *b"av1C", VideoConfig::Av1),
        (*b"vp09", *b"vpcC", VideoConfig::Vp9),
    ];

    /// The record.
    pub(super) fn record(self) -> &'a [u8] {
        match self {
            VideoConfig::Avc(record)
            | VideoConfig::Hevc(record)
            | VideoConfig::Av1(record)
            | VideoConfig::Vp9(record) => record,
        }
    }

    /// What its sample entry is called, and the box of its record.
    pub(super) fn boxes(self) -> ([u8; 4], [u8; 4]) {
        let [avc, hevc, av1, vp9] = Self::KINDS.map(|(entry, record, _)| (entry, record));
        match self {
            VideoConfig::Avc(_) => avc,
            VideoConfig::Hevc(_) => hevc,
            VideoConfig::Av1(_) => av1,
            VideoConfig::Vp9(_) => vp9,
        }
    }

    /// The codec string. `colour` is that of the track, where its init segment says it.
    ///
    /// # Errors
    /// When the record is malformed.
    pub fn codec_string(self, colour: Option<Colour>) -> Result<String, Error> {
        match self {
            VideoConfig::Avc(record) => codec_string_avc(record),
            VideoConfig::Hevc(record) => codec_string_hevc(record),
            VideoConfig::Av1(record) => codec_string_av1(record, colour),
            VideoConfig::Vp9(record) => codec_string_vp9(record),
        }
    }
}

fn whole<T: mp4_atom::Atom>(record: &[u8], name: &'static str) -> Result<T, Error> {
    let malformed = |reason: String| Error::Config { record: name, reason };
    let mut rest = record;
    let decoded = T::decode_body(&mut rest).map_err(|source| malformed(source.to_string()))?;
    match rest.len() {
        0 => Ok(decoded),
        left => Err(malformed(format!("{left} bytes too many"))),
    }
}

/// The codec string of H.265, such as `hvc1.2.4.L120.B0`: profile, compatibility flags in reverse, tier and level,
/// constraint flags without the zeros at their end (ISO/IEC 14496-15, E.3).
fn codec_string_hevc(record: &[u8]) -> Result<String, Error> {
    const NAME: &str = "HEVCDecoderConfigurationRecord";
    let hvcc: mp4_atom::Hvcc = whole(record, NAME)?;
    for (kind, what) in [(32, "video"), (33, "sequence"), (34, "picture")] {
        if !hvcc.arrays.iter().any(|a| a.nal_unit_type == kind && !a.nalus.is_empty()) {
            let reason = format!("it has no {what} parameter set");
            return Err(Error::Config { record: NAME, reason });
        }
    }
    let space = ["", "A", "B", "C"][usize::from(hvcc.general_profile_space & 3)];
    let compatible = u32::from_be_bytes(hvcc.general_profile_compatibility_flags).reverse_bits();
    let tier = if hvcc.general_tier_flag { 'H' } else { 'L' };
    let mut string = format!(
        "hvc1.{space}{}.{compatible:X}.{tier}{}",
        hvcc.general_profile_idc, hvcc.general_level_idc
    );
    let flags = hvcc.general_constraint_indicator_flags;
    let said = flags.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
    for byte in &flags[..said] {
        string += &format!(".{byte:X}");
    }
    Ok(string)
}

/// The codec string of AV1, such as `av01.0.05M.08`: profile, level and tier, bits. Colours follow where they are not those
/// of BT.709, which go without saying ("AV1 Codec ISO Media File Format Binding", 5).
fn codec_string_av1(record: &[u8], colour: Option<Colour>) -> Result<String, Error> {
    const NAME: &str = "AV1CodecConfigurationRecord";
    let av1c: mp4_atom::Av1c = whole(record, NAME)?;
    let bits = match (av1c.high_bitdepth, av1c.twelve_bit) {
        (false, _) => 8,
        (true, false) => 10,
        (true, true) => 12,
    };
    let tier = if av1c.seq_tier_0 { 'H' } else { 'M' };
    let mut string =
        format!("av01.{}.{:02}{tier}.{bits:02}", av1c.seq_profile, av1c.seq_level_idx_0);
    if let Some(colour) = colour.filter(|colour| *colour != Colour::BT709) {
        let Colour { primaries, transfer, matrix, full_range } = colour;
        let position = match (av1c.chroma_subsampling_x, av1c.chroma_subsampling_y) {
            (true, true) => av1c.chroma_sample_position,
            _ => 0,
        };
        string += &format!(
            ".{}.{}{}{position}.{primaries:02}.{transfer:02}.{matrix:02}.{}",
            u8::from(av1c.monochrome),
            u8::from(av1c.chroma_subsampling_x),
            u8::from(av1c.chroma_subsampling_y),
            u8::from(full_range)
        );
    }
    Ok(string)
}

/// The codec string of VP9, such as `vp09.00.31.08.01.01.01.01.00`: profile, level, bits, chroma, colours and range ("VP
/// Codec ISO Media File Format Binding", 4).
fn codec_string_vp9(record: &[u8]) -> Result<String, Error> {
    let vpcc: mp4_atom::VpcC = whole(record, "VPCodecConfigurationRecord")?;
    Ok(format!(
        "vp09.{:02}.{:02}.{:02}.{:02}.{:02}.{:02}.{:02}.{:02}",
        vpcc.profile,
        vpcc.level,
        vpcc.bit_depth,
        vpcc.chroma_subsampling,
        vpcc.color_primaries,
        vpcc.transfer_characteristics,
        vpcc.matrix_coefficients,
        u8::from(vpcc.video_full_range_flag)
    ))
}

/// The codec string of AAC, such as `mp4a.40.2`: MPEG-4 audio and its audio object type (RFC 6381, 3.3).
///
/// `asc` is an AudioSpecificConfig (ISO/IEC 14496-3, 1.6.2.1): GStreamer's `codec_data` of `stream-format=raw`.
pub fn codec_string_aac(asc: &[u8]) -> Result<String, Error> {
    let [first, second, ..] = asc else {
        return Err(Error::Config {
            record: "AudioSpecificConfig",
            reason: format!("it has {} bytes, at least 2 are needed", asc.len()),
        });
    };
    /// The five bits that say that six more follow.
    const ESCAPE: u8 = 31;
    let object_type = match first >> 3 {
        ESCAPE => 32 + ((first & 7) << 3 | second >> 5),
        short => short,
    };
    if object_type == 0 {
        return Err(Error::Config {
            record: "AudioSpecificConfig",
            reason: "its audio object type is 0".to_owned(),
        });
    }
    Ok(format!("mp4a.40.{object_type}"))
}
