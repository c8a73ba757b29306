//! What VP9's own bitstream says, for encoders that do not say it beside it.

use headwater_model::colour::Colour;
use headwater_model::time::FrameRate;

use super::Error;
use super::bits::Bits;

/// Levels of VP9 (VP9 bitstream, annex A): samples a second, samples of a picture, kbit/s, number × 10.
const LEVELS: [(u64, u64, u64, u8); 14] = [
    (829_440, 36_864, 200, 10),
    (2_764_800, 73_728, 800, 11),
    (4_608_000, 122_880, 1_800, 20),
    (9_216_000, 245_760, 3_600, 21),
    (20_736_000, 552_960, 7_200, 30),
    (36_864_000, 983_040, 12_000, 31),
    (83_558_400, 2_228_224, 18_000, 40),
    (160_432_128, 2_228_224, 30_000, 41),
    (311_951_360, 8_912_896, 60_000, 50),
    (588_251_136, 8_912_896, 120_000, 51),
    (1_176_502_272, 8_912_896, 180_000, 52),
    (1_176_502_272, 35_651_584, 180_000, 60),
    (2_353_004_544, 35_651_584, 240_000, 61),
    (4_706_009_088, 35_651_584, 480_000, 62),
];

/// Version, flags and VPCodecConfigurationRecord of a stream that begins with this frame ("VP Codec ISO Media File Format
/// Binding", 2.2). Its level is the least that allows pictures of this size and rate at `kbps`.
///
/// # Errors
/// When the frame is no key, or its header is cut off.
pub fn vp9_record(
    frame: &[u8],
    (width, height): (u32, u32),
    rate: FrameRate,
    kbps: u32,
    colour: Colour,
) -> Result<Vec<u8>, Error> {
    let (profile, depth, chroma) = key_frame(frame).ok_or_else(|| Error::Config {
        record: "VP9 frame header",
        reason: "it is not that of a key frame".to_owned(),
    })?;
    let samples = u64::from(width) * u64::from(height);
    let each_second = (samples as f64 * rate.as_f64()).ceil() as u64;
    let fits = |level: &&(u64, u64, u64, u8)| {
        each_second <= level.0 && samples <= level.1 && u64::from(kbps) <= level.2
    };
    let level = LEVELS.iter().find(fits).map_or(62, |level| level.3);
    Ok(vec![
        1,
        0,
        0,
        0,
        profile,
        level,
        depth << 4 | chroma << 1 | u8::from(colour.full_range),
        colour.primaries,
        colour.transfer,
        colour.matrix,
        0,
        0,
    ])
}

/// Profile, bits and chroma of a key frame (VP9 bitstream, 6.2): 1 is 4:2:0, colours where the luma is.
fn key_frame(frame: &[u8]) -> Option<(u8, u8, u8)> {
    const SYNC: u32 = 0x49_8342;
    const RGB: u32 = 7;
    let mut bits = Bits::new(frame);
    if bits.take(2)? != 2 {
        return None;
    }
    let profile = bits.take(1)? | bits.take(1)? << 1;
    if profile == 3 {
        let _reserved = bits.flag()?;
    }
    let existing = bits.flag()?;
    let inter = bits.flag()?;
    let (_shown, _resilient) = (bits.flag()?, bits.flag()?);
    if existing || inter || bits.take(24)? != SYNC {
        return None;
    }
    let depth = match profile >= 2 {
        true if bits.flag()? => 12,
        true => 10,
        false => 8,
    };
    let space = bits.take(3)?;
    if space != RGB {
        let _range = bits.flag()?;
    }
    let chroma = match (profile, space) {
        (1 | 3, RGB) => 3,
        (1 | 3, _) => match (bits.flag()?, bits.flag()?) {
            (true, true) => 1,
            (true, false) => 2,
            _ => 3,
        },
        _ => 1,
    };
    Some((u8::try_from(profile).ok()?, depth, chroma))
}

#[cfg(test)]
mod tests {
    use super::super::VideoConfig;
    use super::*;

    #[test]
    fn a_record_is_made_of_the_first_frame() {
        let first = [0x82, 0x49, 0x83, 0x42, 0x40, 0x03, 0xf0, 0x02, 0xf6];
        let hd = |kbps| vp9_record(&first, (1280, 720), FrameRate::PAL, kbps, Colour::BT709);
        let record = hd(3000).expect("a key");
        let codec = VideoConfig::Vp9(&record).codec_string(None).expect("a record");
        assert_eq!(codec, "vp09.00.31.08.01.01.01.01.00");
        assert_eq!(hd(20_000).expect("a key")[5], 41, "its rate asks for more");
        let inter = [0x86, 0x49, 0x83, 0x42];
        assert!(vp9_record(&inter, (2, 2), FrameRate::PAL, 1, Colour::BT709).is_err());
        assert!(vp9_record(&first[..3], (2, 2), FrameRate::PAL, 1, Colour::BT709).is_err());
    }
}
