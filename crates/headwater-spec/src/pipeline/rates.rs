//! What bit rates a picture of a size can have: the floor that x264 cannot go below, the ceiling that H.264 sets.

use headwater_model::pipeline::Codec;

/// What a level of H.264 allows in High profile (ITU-T H.264, tables; rates and buffers × 1.25).
#[derive(Debug)]
pub(super) struct Level {
    /// Its number.
    pub(super) name: &'static str,
    /// Largest picture in macroblocks of 16 × 16 pixels.
    macroblocks: u32,
    /// Longest side in pixels: √(8 × macroblocks) macroblocks.
    long_side: u32,
    /// Highest rate in kbit/s.
    pub(super) max_kbps: u32,
    /// Largest buffer in kbit.
    pub(super) buffer_kbit: u32,
}

/// 4.2 is what players of full HD decode; what is larger needs 5.2, beyond which no player is to be counted on.
const LEVELS: [Level; 2] = [
    Level {
        name: "4.2",
        macroblocks: 8_704,
        long_side: 4_208,
        max_kbps: 62_500,
        buffer_kbit: 78_125,
    },
    Level {
        name: "5.2",
        macroblocks: 36_864,
        long_side: 8_688,
        max_kbps: HIGHEST,
        buffer_kbit: HIGHEST,
    },
];

/// What H.265, AV1 and VP9 allow at the highest level that is to be counted on (H.265 6.2, AV1 6.3, VP9 6.2), where they
/// differ the least of them, and no more than the highest rate here.
const OTHERS: Level = Level {
    name: "6.2",
    macroblocks: 139_264,
    long_side: 8_192,
    max_kbps: HIGHEST,
    buffer_kbit: HIGHEST,
};

/// Highest rate in kbit/s and largest buffer in kbit of any level up to 5.2.
pub(super) const HIGHEST: u32 = 300_000;

/// Fewest bits per pixel and frame, in hundredths. At QP 51, the coarsest there is, busy film still takes 0.008 (1080p)
/// to 0.013 (234p) bits per pixel with x264's preset `fast` and an IDR every 2 s; a cap below that is not kept, whatever
/// the quality. The thinnest row of Apple's table has 0.05.
const FLOOR_CENTIBITS: u64 = 1;

/// Frames per second at which the floor is taken: film's, the slowest in common use, so that no rate is refused that
/// some master could keep.
const FLOOR_FPS: u64 = 24;

/// The lowest level of a codec that holds a picture of this size; `None` when not even the highest does.
pub(super) fn level(codec: Codec, long_side: u32, short_side: u32) -> Option<&'static Level> {
    let macroblocks = u64::from(long_side.div_ceil(16)) * u64::from(short_side.div_ceil(16));
    let levels: &[Level] = match codec {
        Codec::H264 => &LEVELS,
        Codec::H265 | Codec::Av1 | Codec::Vp9 => std::slice::from_ref(&OTHERS),
    };
    levels.iter().find(|l| long_side <= l.long_side && macroblocks <= u64::from(l.macroblocks))
}

/// The lowest cap in kbit/s that x264 can keep with a picture of this size.
pub(super) fn floor_kbps(long_side: u32, short_side: u32) -> u32 {
    let pixels = u64::from(long_side) * u64::from(short_side);
    u32::try_from((pixels * FLOOR_FPS * FLOOR_CENTIBITS).div_ceil(100_000)).unwrap_or(u32::MAX)
}
