//! Names of codecs as manifests spell them (RFC 6381), from what the encoder says about its stream.

use mp4_atom::Atom as _;

use super::Error;

/// The codec string of H.264, such as `avc1.64001f`: profile, constraint flags and level in hexadecimal (RFC 6381, 3.3).
///
/// `avcc` is an AVCDecoderConfigurationRecord (ISO/IEC 14496-15, 5.3.3.1): GStreamer's `codec_data` of
/// `stream-format=avc`. The whole record is checked.
pub fn codec_string_avc(avcc: &[u8]) -> Result<String, Error> {
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
