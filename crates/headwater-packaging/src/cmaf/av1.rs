//! What AV1's own bitstream says, for encoders that do not say it beside it.

use super::Error;
use super::bits::Bits;

/// `obu_type` of AV1, 6.2.2.
const SEQUENCE_HEADER: u8 = 1;
const TEMPORAL_DELIMITER: u8 = 2;

/// Open bitstream units of a temporal unit, each with its type, its header included.
fn units(mut data: &[u8]) -> impl Iterator<Item = (u8, &[u8])> {
    std::iter::from_fn(move || {
        let header = *data.first()?;
        let (kind, extended, sized) = (header >> 3 & 15, header & 4 != 0, header & 2 != 0);
        let mut at = if extended { 2 } else { 1 };
        let end = if sized {
            let mut size = 0usize;
            for shift in (0..56).step_by(7) {
                let byte = *data.get(at)?;
                at += 1;
                size |= usize::from(byte & 0x7f) << shift;
                if byte & 0x80 == 0 {
                    break;
                }
            }
            at.checked_add(size)?
        } else {
            data.len()
        };
        let unit = data.get(..end)?;
        data = data.get(end..)?;
        Some((kind, unit))
    })
}

/// How many bytes at the beginning of a temporal unit do not belong into a sample: its delimiter ("AV1 Codec ISO Media File
/// Format Binding", 2.4).
pub fn av1_delimiter(unit: &[u8]) -> usize {
    match units(unit).next() {
        Some((TEMPORAL_DELIMITER, delimiter)) => delimiter.len(),
        _ => 0,
    }
}

/// The AV1CodecConfigurationRecord of a stream that begins with this temporal unit.
///
/// # Errors
/// When it has no sequence header, or one that ends too early.
pub fn av1_record(unit: &[u8]) -> Result<Vec<u8>, Error> {
    let malformed =
        |reason: &str| Error::Config { record: "AV1 sequence header", reason: reason.to_owned() };
    let (_, header) = units(unit)
        .find(|(kind, _)| *kind == SEQUENCE_HEADER)
        .ok_or_else(|| malformed("there is none"))?;
    let sequence = sequence(header).ok_or_else(|| malformed("it is cut off"))?;
    let mut record = vec![
        0x81,
        sequence.profile << 5 | sequence.level,
        sequence.tier << 7
            | sequence.high << 6
            | sequence.twelve << 5
            | sequence.monochrome << 4
            | sequence.across << 3
            | sequence.down << 2
            | sequence.position,
        0,
    ];
    record.extend(header);
    Ok(record)
}

/// What the record repeats of it; flags are 0 or 1.
struct Sequence {
    profile: u8,
    level: u8,
    tier: u8,
    high: u8,
    twelve: u8,
    monochrome: u8,
    across: u8,
    down: u8,
    position: u8,
}

/// Reads a sequence header (AV1, 5.5) as far as its colours.
fn sequence(unit: &[u8]) -> Option<Sequence> {
    let extended = unit.first()? & 4 != 0;
    // Behind header and size.
    let mut at = if extended { 2 } else { 1 };
    while unit.get(at)? & 0x80 != 0 {
        at += 1;
    }
    let mut bits = Bits::new(unit.get(at + 1..)?);
    let profile = bits.take(3)?;
    let _still = bits.flag()?;
    let reduced = bits.flag()?;
    let (mut level, mut tier) = (0, 0);
    if reduced {
        level = bits.take(5)?;
    } else {
        let mut delays = None;
        if bits.flag()? {
            let _unit_and_scale = (bits.take(32)?, bits.take(32)?);
            if bits.flag()? {
                variable_length(&mut bits)?;
            }
            if bits.flag()? {
                delays = Some(bits.take(5)? + 1);
                let _ticks = bits.take(32)?;
                let _lengths = bits.take(10)?;
            }
        }
        let initial_delays = bits.flag()?;
        for point in 0..=bits.take(5)? {
            let _layers = bits.take(12)?;
            let own_level = bits.take(5)?;
            let own_tier = if own_level > 7 { bits.take(1)? } else { 0 };
            if point == 0 {
                (level, tier) = (own_level, own_tier);
            }
            if let Some(length) = delays
                && bits.flag()?
            {
                let _decoder_and_encoder = (bits.take(length)?, bits.take(length)?);
                let _low_delay = bits.flag()?;
            }
            if initial_delays && bits.flag()? {
                let _delay = bits.take(4)?;
            }
        }
    }
    let (across, down) = (bits.take(4)? + 1, bits.take(4)? + 1);
    let _size = (bits.take(across)?, bits.take(down)?);
    if !reduced && bits.flag()? {
        let _lengths_of_ids = bits.take(7)?;
    }
    let _tools = bits.take(3)?;
    if !reduced {
        let _more_tools = bits.take(4)?;
        let ordered = bits.flag()?;
        if ordered {
            let _order_tools = bits.take(2)?;
        }
        // Chosen by each picture, or fixed for all.
        let screen_content = bits.flag()? || bits.flag()?;
        if screen_content && !bits.flag()? {
            let _whole_vectors = bits.flag()?;
        }
        if ordered {
            let _order_bits = bits.take(3)?;
        }
    }
    let _filters = bits.take(3)?;
    let high = bits.take(1)?;
    let twelve = if profile == 2 && high == 1 { bits.take(1)? } else { 0 };
    let monochrome = if profile == 1 { 0 } else { bits.take(1)? };
    let colours = match bits.flag()? {
        true => (bits.take(8)?, bits.take(8)?, bits.take(8)?),
        false => (2, 2, 2),
    };
    const SRGB: (u32, u32, u32) = (1, 13, 0);
    let (across, down) = if monochrome == 1 {
        let _range = bits.flag()?;
        (1, 1)
    } else if colours == SRGB {
        (0, 0)
    } else {
        let _range = bits.flag()?;
        match (profile, twelve) {
            (0, _) => (1, 1),
            (1, _) => (0, 0),
            (_, 0) => (1, 0),
            _ => match bits.take(1)? {
                1 => (1, bits.take(1)?),
                _ => (0, 0),
            },
        }
    };
    let position = if (monochrome, across, down) == (0, 1, 1) { bits.take(2)? } else { 0 };
    let byte = |number: u32| u8::try_from(number).unwrap_or(0);
    Some(Sequence {
        profile: byte(profile),
        level: byte(level),
        tier: byte(tier),
        high: byte(high),
        twelve: byte(twelve),
        monochrome: byte(monochrome),
        across: byte(across),
        down: byte(down),
        position: byte(position),
    })
}

/// `uvlc()` of AV1, 4.10.3; what it says is of no interest.
fn variable_length(bits: &mut Bits<'_>) -> Option<()> {
    let mut zeros = 0;
    while !bits.flag()? {
        zeros += 1;
    }
    if zeros < 32 {
        let _value = bits.take(zeros)?;
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::super::VideoConfig;
    use super::*;

    /// As libaom begins a stream: delimiter, sequence header, and then its first frame.
    const FIRST: [u8; 18] = [
        0x12, 0x00, 0x0a, 0x0b, 0x00, 0x00, 0x00, 0x02, 0xaf, 0xf7, 0xf0, 0x36, 0xbe, 0x40, 0x10,
        0x32, 0x01, 0x00,
    ];

    #[test]
    fn a_record_is_made_of_the_sequence_header() {
        let record = av1_record(&FIRST).expect("it has one");
        assert_eq!(record[..4], [0x81, 0x00, 0x0c, 0x00]);
        assert_eq!(record[4..], FIRST[2..15]);
        let codec = VideoConfig::Av1(&record).codec_string(None).expect("a record");
        assert_eq!(codec, "av01.0.00M.08");
        assert_eq!(av1_delimiter(&FIRST), 2);
        assert_eq!(av1_delimiter(&FIRST[2..]), 0);
    }

    #[test]
    fn what_is_cut_off_is_refused() {
        for length in 0..15 {
            assert!(av1_record(&FIRST[..length]).is_err(), "{length} bytes");
        }
    }
}
