//! CMAF tracks (ISO/IEC 23000-19) as bytes: init segments and the heads of media segments, written and read back.
//!
//! A track is one init segment ([`VideoInit`], [`AudioInit`]) and media segments of one fragment each:
//! [`segment_head`] gives `styp`, `moof` and the header of `mdat`, and the caller appends the sample bytes, which are
//! therefore never copied here. [`read_init`] and [`read_segment`] say what bytes of unknown origin really contain.
//!
//! Every track is track 1 of its own file, is decoded from tick 0 on and presented from 0 on (R2). Where frames are
//! reordered, every composition offset contains the same delay, so that none is negative, and the init segment has the
//! edit list that takes it out (brand `cmfc` of ISO/IEC 23000-19); `docs/decisions/001` says why.

use thiserror::Error;

mod av1;
mod bits;
mod init;
mod segment;
mod vp9;

mod codec;

mod read;

pub use av1::{av1_delimiter, av1_record};
pub use codec::{VideoConfig, codec_string_aac};
pub use init::{AudioInit, VideoInit};
pub use read::{InitFacts, SegmentFacts, Track, read_init, read_segment};
pub use segment::{Sample, segment_head};
pub use vp9::vp9_record;

/// The only track of every file.
const TRACK_ID: u32 = 1;

/// Why bytes could not be written or are not what they should be.
#[derive(Debug, Error)]
pub enum Error {
    /// What an encoder said about its stream makes no sense.
    #[error("the {record} is malformed: {reason}")]
    Config {
        /// `AVCDecoderConfigurationRecord` or `AudioSpecificConfig`.
        record: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// A number does not fit into its box.
    #[error("{value} is too much for the {what}: at most {limit}")]
    TooLarge {
        /// Which number.
        what: &'static str,
        /// Its value.
        value: u64,
        /// The largest that fits.
        limit: u64,
    },
    /// A sample was to be presented before it is decoded.
    #[error("sample {number} is presented {ticks} ticks before it is decoded")]
    Early {
        /// Its place in the segment, from 0.
        number: usize,
        /// How much too early.
        ticks: u32,
    },
    /// A segment without samples was to be written.
    #[error("a segment needs at least one sample")]
    NoSamples,
    /// A box could not be encoded.
    #[error("failed to write the boxes: {0}")]
    Write(#[source] mp4_atom::Error),
    /// A box could not be decoded.
    #[error("failed to read box `{kind}`: {source}")]
    Read {
        /// Its four characters.
        kind: String,
        /// Why.
        source: mp4_atom::Error,
    },
    /// A box ends after the bytes that hold it.
    #[error("box `{kind}` is cut off: {found} of {expected} bytes are there")]
    CutOff {
        /// Its four characters; `?` when not even they are there.
        kind: String,
        /// Bytes that it says it has.
        expected: u64,
        /// Bytes that are there.
        found: u64,
    },
    /// A box that must be there is not.
    #[error("there is no box `{0}`")]
    Missing(String),
    /// A box that must not be there is.
    #[error("box `{kind}` does not belong into {place}")]
    Unexpected {
        /// Its four characters.
        kind: String,
        /// Where it was found.
        place: &'static str,
    },
    /// Two boxes do not agree.
    #[error("{0}")]
    Contradiction(String),
}

#[cfg(test)]
mod tests;
