//! MPEG-2 transport streams (ISO/IEC 13818-1) as old players of HLS want them (RFC 8216, 3.2): the samples of a CMAF segment
//! once more, in packets. One program, one elementary stream.
//!
//! Segments of a title are made apart from each other, and still go on from one to the next as one stream: the packets of
//! each PID are as many as a counter has values, times anything ([`ROUND`]), so that every segment begins where the one
//! before ended, at 0.

use thiserror::Error;

use crate::cmaf::Sample;

mod read;

pub use read::{SegmentFacts, read_segment};

/// When a presentation starts, in 90 kHz ticks: late enough that nothing is decoded before 0 (as Apple's own segmenter
/// has it).
pub const ZERO: u64 = 10 * CLOCK;

/// Ticks per second (2.4.3.7).
const CLOCK: u64 = 90_000;

/// How long before it is decoded the first byte of an access unit arrives, in ticks of 90 kHz.
const AHEAD: u64 = CLOCK * 7 / 10;

/// Bytes of a packet, and of them those behind its header (2.4.3.2).
const PACKET: usize = 188;
const ROOM: usize = PACKET - 4;
/// What a program clock reference takes of them: length, flags, six bytes.
const WITH_CLOCK: usize = ROOM - 8;
const SYNC: u8 = 0x47;

/// Values of `continuity_counter`.
const ROUND: usize = 16;

/// PID of the table of programs, of the only program's map and of its stream.
const PAT: u16 = 0;
const PMT: u16 = 0x1000;
const STREAM: u16 = 0x100;

/// `stream_type` of H.264 and of AAC in ADTS (table 2-34).
const H264: u8 = 0x1b;
const ADTS: u8 = 0x0f;

/// Packets of AAC that share a PES packet: as long as a clock reference may be away (0.1 s) at 48 kHz.
const TOGETHER: usize = 4;

/// Sums of time stamps are kept in so many bits.
const STAMP_BITS: u32 = 33;

/// Why a segment cannot be carried, or is none.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{0}")]
pub struct Malformed(String);

impl Malformed {
    /// What is coded like this (RFC 6381) is not carried.
    pub fn of_codec(codec: &str) -> Self {
        malformed(format!("MPEG-TS carries H.264 and AAC here, not `{codec}`"))
    }
}

fn malformed(why: impl Into<String>) -> Malformed {
    Malformed(why.into())
}

/// How samples become an elementary stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Coding {
    /// H.264, of which each access unit says its own beginning and keys say their parameters (ITU-T H.264, annex B).
    H264 {
        /// Bytes of the length in front of each NAL unit of a sample.
        length_bytes: usize,
        /// Sequence and picture parameter sets with start codes.
        parameters: Vec<u8>,
    },
    /// AAC with a header for each packet (ISO/IEC 14496-3, 1.A.2): what of it is the same for all.
    Aac {
        /// The seven bytes without the length of the packet.
        header: [u8; 7],
    },
}

impl Coding {
    /// Of an AVCDecoderConfigurationRecord (ISO/IEC 14496-15, 5.3.3.1).
    ///
    /// # Errors
    /// When the record is cut off.
    pub fn h264(record: &[u8]) -> Result<Self, Malformed> {
        let cut_off = || malformed("the AVCDecoderConfigurationRecord is cut off");
        let length_bytes = usize::from(record.get(4).ok_or_else(cut_off)? & 3) + 1;
        let mut parameters = Vec::new();
        let mut rest = record.get(5..).ok_or_else(cut_off)?;
        // Sequence parameter sets count in five bits, picture parameter sets in eight.
        for mask in [0x1f, 0xff] {
            let (count, mut sets) = rest.split_first().ok_or_else(cut_off)?;
            for _ in 0..count & mask {
                let (length, after) = sets.split_first_chunk::<2>().ok_or_else(cut_off)?;
                let length = usize::from(u16::from_be_bytes(*length));
                let (set, after) = after.split_at_checked(length).ok_or_else(cut_off)?;
                parameters.extend(START_CODE);
                parameters.extend_from_slice(set);
                sets = after;
            }
            rest = sets;
        }
        Ok(Self::H264 { length_bytes, parameters })
    }

    /// Of an AudioSpecificConfig (ISO/IEC 14496-3, 1.6.2.1).
    ///
    /// # Errors
    /// When it says what a header of ADTS has no bits for.
    pub fn aac(config: &[u8]) -> Result<Self, Malformed> {
        let [first, second, ..] = *config else {
            return Err(malformed("the AudioSpecificConfig is cut off"));
        };
        let (object_type, rate) = (first >> 3, (first & 7) << 1 | second >> 7);
        let channels = second >> 3 & 0xf;
        if !(1..=4).contains(&object_type) || rate > 12 || !(1..=7).contains(&channels) {
            return Err(malformed(format!(
                "AAC of object type {object_type}, rate index {rate} and channel configuration {channels} has no ADTS"
            )));
        }
        let header = [
            0xff,
            // MPEG-4, no checksum.
            0xf1,
            (object_type - 1) << 6 | rate << 2 | channels >> 2,
            (channels & 3) << 6,
            0,
            // How full the encoder's buffer is: not said.
            0x1f,
            0xfc,
        ];
        Ok(Self::Aac { header })
    }

    fn stream_type(&self) -> u8 {
        match self {
            Coding::H264 { .. } => H264,
            Coding::Aac { .. } => ADTS,
        }
    }

    /// Samples that share a PES packet.
    fn together(&self) -> usize {
        match self {
            Coding::H264 { .. } => 1,
            Coding::Aac { .. } => TOGETHER,
        }
    }

    /// Appends a sample to a PES packet.
    fn append(&self, key: bool, sample: &[u8], pes: &mut Vec<u8>) -> Result<(), Malformed> {
        match self {
            Coding::H264 { length_bytes, parameters } => {
                pes.extend(START_CODE);
                pes.extend([DELIMITER, ANY_SLICES]);
                if key {
                    pes.extend_from_slice(parameters);
                }
                let mut rest = sample;
                while !rest.is_empty() {
                    let cut_off = || malformed("a NAL unit is cut off");
                    let (length, after) =
                        rest.split_at_checked(*length_bytes).ok_or_else(cut_off)?;
                    let length = length.iter().fold(0, |sum, byte| sum << 8 | usize::from(*byte));
                    let (unit, after) = after.split_at_checked(length).ok_or_else(cut_off)?;
                    rest = after;
                    if unit.first().is_some_and(|first| first & 0x1f != DELIMITER) {
                        pes.extend(START_CODE);
                        pes.extend_from_slice(unit);
                    }
                }
            }
            Coding::Aac { header } => {
                let length = u16::try_from(sample.len() + header.len())
                    .ok()
                    .filter(|length| *length < 1 << 13)
                    .ok_or_else(|| malformed("a packet of AAC has 8 KiB"))?;
                let mut header = *header;
                header[3] |= (length >> 11) as u8;
                header[4] = (length >> 3) as u8;
                header[5] |= ((length & 7) as u8) << 5;
                pes.extend(header);
                pes.extend_from_slice(sample);
            }
        }
        Ok(())
    }
}

/// In front of each NAL unit (ITU-T H.264, B.1.1).
const START_CODE: [u8; 4] = [0, 0, 0, 1];
/// `nal_unit_type` of an access unit delimiter, and its content: slices of any type.
const DELIMITER: u8 = 9;
const ANY_SLICES: u8 = 0xf0;

/// Where the samples of a segment are on the track's line of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Times {
    /// When the first is decoded (`tfdt`), in ticks.
    pub start: u64,
    /// Ticks per second.
    pub timescale: u32,
    /// Ticks that each composition offset has too many (see [`crate::cmaf`]).
    pub delay: u64,
}

impl Times {
    /// Ticks of the track as those of 90 kHz, from [`ZERO`] on.
    fn stamp(self, ticks: u64) -> u64 {
        let ticks = i128::from(ticks) - i128::from(self.delay);
        let scaled = (ticks * i128::from(CLOCK)).div_euclid(self.timescale.max(1).into());
        u64::try_from(scaled + i128::from(ZERO)).unwrap_or(0)
    }
}

/// When what starts at `start` (ticks without the delay) is presented, as a time stamp says it.
pub fn presented(start: u64, timescale: u32) -> u64 {
    Times { start, timescale, delay: 0 }.stamp(start) % (1 << STAMP_BITS)
}

/// A PES packet that is not cut into packets yet.
struct Pes {
    bytes: Vec<u8>,
    decoded: u64,
    key: bool,
}

/// A whole segment: `samples` in decoding order with the bytes of each.
///
/// # Errors
/// When samples are not what `coding` says.
pub fn segment<'a>(
    coding: &Coding,
    times: Times,
    samples: &[Sample],
    bytes: impl Iterator<Item = &'a [u8]>,
) -> Result<Vec<u8>, Malformed> {
    let mut packets: Vec<Pes> = Vec::with_capacity(samples.len());
    let mut now = times.start;
    for (n, (sample, data)) in samples.iter().zip(bytes).enumerate() {
        if n % coding.together() == 0 {
            let shown = now + u64::try_from(sample.composition_offset).unwrap_or(0);
            let (presented, decoded) = (times.stamp(shown), times.stamp(now));
            packets.push(Pes {
                bytes: header(coding, presented, decoded),
                decoded,
                key: sample.key,
            });
        }
        if let Some(pes) = packets.last_mut() {
            coding.append(sample.key, data, &mut pes.bytes)?;
        }
        now += u64::from(sample.duration);
    }
    // The largest has most room for the packets that make the round whole.
    let largest = (0..packets.len()).max_by_key(|n| packets[*n].bytes.len());
    let largest = largest.ok_or_else(|| malformed("a segment needs at least one sample"))?;
    let needed = |pes: &Pes| 1 + pes.bytes.len().saturating_sub(WITH_CLOCK).div_ceil(ROOM);
    let in_all: usize = packets.iter().map(needed).sum();
    let more = (ROUND - in_all % ROUND) % ROUND;
    let mut out = Vec::with_capacity((in_all + more + 2 * ROUND) * PACKET);
    let (mut counter, mut tables) = (0, 0);
    for (n, mut pes) in packets.drain(..).enumerate() {
        // A player may begin at any packet: the tables come round all the time.
        while tables < ROUND && tables * samples.len() <= n * coding.together() * ROUND {
            table(PAT, tables, &program_table(), &mut out);
            table(PMT, tables, &program_map(coding.stream_type()), &mut out);
            tables += 1;
        }
        if let Coding::Aac { .. } = coding {
            // Sound says how long it is; of pictures nobody wants to know (2.4.3.7).
            let length = u16::try_from(pes.bytes.len() - PES_START).unwrap_or(0).to_be_bytes();
            pes.bytes[4..PES_START].copy_from_slice(&length);
        }
        let count = needed(&pes) + if n == largest { more } else { 0 };
        if pes.bytes.len() < count {
            return Err(malformed("there is not enough in the segment to fill its packets"));
        }
        cut(&pes, count, &mut counter, &mut out);
    }
    while tables < ROUND {
        table(PAT, tables, &program_table(), &mut out);
        table(PMT, tables, &program_map(coding.stream_type()), &mut out);
        tables += 1;
    }
    Ok(out)
}

/// Start code, stream id and length of a PES packet.
const PES_START: usize = 6;

/// The header of a PES packet (2.4.3.6).
fn header(coding: &Coding, presented: u64, decoded: u64) -> Vec<u8> {
    let stream_id = if let Coding::H264 { .. } = coding { 0xe0 } else { 0xc0 };
    let mut header = vec![0, 0, 1, stream_id, 0, 0];
    let stamp = |mark: u8, at: u64| {
        let at = at % (1 << STAMP_BITS);
        let byte = |shift: u32| (at >> shift) as u8;
        [mark << 4 | (byte(29) & 0x0e) | 1, byte(22), byte(14) | 1, byte(7), byte(0) << 1 | 1]
    };
    // Data begins with an access unit.
    header.push(0x84);
    if presented == decoded {
        header.extend([0x80, 5]);
        header.extend(stamp(2, presented));
    } else {
        header.extend([0xc0, 10]);
        header.extend(stamp(3, presented));
        header.extend(stamp(1, decoded));
    }
    header
}

/// Cuts a PES packet into exactly `count` packets.
fn cut(pes: &Pes, count: usize, counter: &mut u8, out: &mut Vec<u8>) {
    let mut rest = pes.bytes.as_slice();
    for n in 0..count {
        let room = if n == 0 { WITH_CLOCK } else { ROOM };
        // Each of the others has something, too.
        let length = room.min(rest.len() - (count - n - 1));
        let (now, after) = rest.split_at(length);
        rest = after;
        let stuffing = ROOM - length;
        let start = u8::from(n == 0) << 6;
        let adaptation = if stuffing > 0 { 0x30 } else { 0x10 };
        out.extend([
            SYNC,
            start | (STREAM >> 8) as u8,
            (STREAM & 0xff) as u8,
            adaptation | *counter,
        ]);
        *counter = (*counter + 1) % ROUND as u8;
        if stuffing > 0 {
            out.push((stuffing - 1) as u8);
            let end = out.len() + stuffing - 1;
            if n == 0 {
                out.push(if pes.key { 0x50 } else { 0x10 });
                let base = pes.decoded.saturating_sub(AHEAD) % (1 << STAMP_BITS);
                out.extend(((base << 15) | 0x7e00).to_be_bytes()[2..].iter());
            } else if stuffing > 1 {
                out.push(0);
            }
            out.resize(end, 0xff);
        }
        out.extend_from_slice(now);
    }
}

/// A packet with a table.
fn table(pid: u16, counter: usize, section: &[u8], out: &mut Vec<u8>) {
    let end = out.len() + PACKET;
    out.extend([SYNC, 0x40 | (pid >> 8) as u8, (pid & 0xff) as u8, 0x10 | (counter % ROUND) as u8]);
    // It begins at once.
    out.push(0);
    out.extend_from_slice(section);
    out.extend(checksum(section).to_be_bytes());
    out.resize(end, 0xff);
}

/// Which programs there are (2.4.4.3): program 1.
fn program_table() -> Vec<u8> {
    let [high, low] = PMT.to_be_bytes();
    vec![0x00, 0xb0, 13, 0, 1, 0xc1, 0, 0, 0, 1, 0xe0 | high, low]
}

/// What is in it (2.4.4.8): one stream, which has the clock.
fn program_map(stream_type: u8) -> Vec<u8> {
    let [high, low] = STREAM.to_be_bytes();
    let clock = [0xe0 | high, low];
    let stream = [stream_type, 0xe0 | high, low, 0xf0, 0];
    [&[0x02, 0xb0, 18, 0, 1, 0xc1, 0, 0][..], &clock, &[0xf0, 0], &stream].concat()
}

/// The checksum of tables (annex A).
fn checksum(section: &[u8]) -> u32 {
    section.iter().fold(u32::MAX, |sum, byte| {
        (0..8).fold(sum ^ u32::from(*byte) << 24, |sum, _| {
            if sum >> 31 == 1 { sum << 1 ^ 0x04c1_1db7 } else { sum << 1 }
        })
    })
}

#[cfg(test)]
mod tests;
