//! Says what the bytes of a transport stream really contain.

use super::{
    ADTS, H264, Malformed, PACKET, PAT, PMT, ROUND, STAMP_BITS, STREAM, SYNC, checksum, malformed,
    program_map, program_table,
};

/// The highest bit of a time stamp: stamps start over after a day, and what is further ahead than half of that is behind.
const HALF: u64 = 1 << (STAMP_BITS - 1);

/// What a segment says of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SegmentFacts {
    /// When its first access unit is presented, in ticks of 90 kHz.
    pub presented: u64,
    /// PES packets in it.
    pub packets: u32,
    /// Whether decoding can start with it.
    pub starts_with_key: bool,
}

/// Reads a segment: whole packets, the tables first, every counter from 0 on and back to 0, PES packets that begin where
/// one may and are decoded one after the other.
///
/// # Errors
/// Says the first thing that is wrong.
pub fn read_segment(bytes: &[u8]) -> Result<SegmentFacts, Malformed> {
    if bytes.is_empty() || !bytes.len().is_multiple_of(PACKET) {
        return Err(malformed("it is not made of packets of 188 bytes"));
    }
    let mut counters = [(PAT, 0usize), (PMT, 0), (STREAM, 0)];
    let mut facts: Option<SegmentFacts> = None;
    let mut decoded = None;
    for (n, packet) in bytes.chunks_exact(PACKET).enumerate() {
        let at = |why: &str| malformed(format!("packet {}: {why}", n + 1));
        if packet[0] != SYNC {
            return Err(at("it does not begin with 0x47"));
        }
        let starts = packet[1] & 0x40 != 0;
        let pid = u16::from_be_bytes([packet[1] & 0x1f, packet[2]]);
        let Some((_, count)) = counters.iter_mut().find(|(known, _)| *known == pid) else {
            return Err(at(&format!("it is of PID {pid}, which nobody announces")));
        };
        if usize::from(packet[3] & 0xf) != *count % ROUND {
            return Err(at(&format!("packets of PID {pid} are missing before it")));
        }
        *count += 1;
        let (payload, key) = payload(packet).ok_or_else(|| at("it has no payload"))?;
        match pid {
            PAT => section(payload, &program_table()).ok_or_else(|| at("its table is wrong"))?,
            PMT => [H264, ADTS]
                .iter()
                .find_map(|stream| section(payload, &program_map(*stream)))
                .ok_or_else(|| at("its table is wrong"))?,
            _ if n < 2 => return Err(at("the tables do not come first")),
            _ if !starts && facts.is_none() => return Err(at("it begins within a PES packet")),
            _ if !starts => {}
            _ => {
                let (shown, now) = stamps(payload).ok_or_else(|| at("its PES header is wrong"))?;
                let goes_back = |later: u64, than: u64| later.wrapping_sub(than) & HALF != 0;
                let repeats = |before| now == before || goes_back(now, before);
                if decoded.is_some_and(repeats) || goes_back(shown, now) {
                    return Err(at("its time stamps go back"));
                }
                decoded = Some(now);
                let first = SegmentFacts { presented: shown, packets: 0, starts_with_key: key };
                facts.get_or_insert(first).packets += 1;
            }
        }
    }
    if let Some((pid, _)) = counters.iter().find(|(_, count)| !count.is_multiple_of(ROUND)) {
        return Err(malformed(format!("the next segment does not go on with PID {pid}")));
    }
    facts.ok_or_else(|| malformed("there is no PES packet"))
}

/// What a packet carries, and whether decoding can start there (2.4.3.4).
fn payload(packet: &[u8]) -> Option<(&[u8], bool)> {
    match packet.get(3)? & 0x30 {
        0x10 => Some((packet.get(4..)?, false)),
        0x30 => {
            let length = usize::from(*packet.get(4)?);
            let key = length > 0 && packet.get(5)? & 0x40 != 0;
            Some((packet.get(5 + length..).filter(|rest| !rest.is_empty())?, key))
        }
        _ => None,
    }
}

fn section(payload: &[u8], expected: &[u8]) -> Option<()> {
    let found = payload.get(1..)?.get(..expected.len() + 4)?;
    let (table, sum) = found.split_at(expected.len());
    (payload[0] == 0 && table == expected && sum == checksum(expected).to_be_bytes()).then_some(())
}

/// When a PES packet is presented and decoded.
fn stamps(pes: &[u8]) -> Option<(u64, u64)> {
    let stamp = |at: usize| {
        let b = pes.get(at..at + 5)?;
        let marks = b[0] & 1 == 1 && b[2] & 1 == 1 && b[4] & 1 == 1;
        let high = u64::from(b[0] >> 1 & 7) << 30;
        let middle = u64::from(u16::from_be_bytes([b[1], b[2]]) >> 1) << 15;
        let low = u64::from(u16::from_be_bytes([b[3], b[4]]) >> 1);
        marks.then_some(high | middle | low)
    };
    (pes.get(..3)? == [0, 0, 1]).then_some(())?;
    match pes.get(7)? >> 6 {
        2 => stamp(9).map(|shown| (shown, shown)),
        3 => Some((stamp(9)?, stamp(14)?)),
        _ => None,
    }
}
