//! What is written is read back, and whatever is wrong with it is found.

use proptest::prelude::*;

use super::*;

/// A High profile record with one set of each kind, and lengths of four bytes.
const RECORD: [u8; 18] =
    [1, 0x64, 0, 0x1f, 0xff, 0xe1, 0, 3, 0x67, 0x64, 7, 1, 0, 4, 0x68, 1, 2, 3];

const STEREO: [u8; 2] = [0x11, 0x90];

fn video() -> Coding {
    Coding::h264(&RECORD).unwrap()
}

/// Pictures of these sizes, every third of which is shown two frames later than it is decoded.
fn pictures(sizes: &[usize]) -> (Vec<Sample>, Vec<Vec<u8>>) {
    let unit = |n: usize, size: &usize| {
        let kind = if n == 0 { 0x65 } else { 0x41 };
        [&(*size as u32 + 1).to_be_bytes()[..], &[kind], &vec![n as u8; *size]].concat()
    };
    let bytes: Vec<Vec<u8>> = sizes.iter().enumerate().map(|(n, size)| unit(n, size)).collect();
    let sample = |(n, data): (usize, &Vec<u8>)| Sample {
        size: data.len() as u32,
        duration: 1001,
        composition_offset: if n % 3 == 1 { 4004 } else { 2002 },
        key: n == 0,
    };
    (bytes.iter().enumerate().map(sample).collect(), bytes)
}

fn written(start: u64, sizes: &[usize]) -> Vec<u8> {
    let (samples, bytes) = pictures(sizes);
    let times = Times { start, timescale: 30_000, delay: 2002 };
    segment(&video(), times, &samples, bytes.iter().map(Vec::as_slice)).unwrap()
}

/// What the only stream carries, without the headers of packets.
fn carried(bytes: &[u8]) -> Vec<u8> {
    let mut carried = Vec::new();
    for packet in bytes.chunks_exact(PACKET) {
        if u16::from_be_bytes([packet[1] & 0x1f, packet[2]]) == STREAM {
            let from = if packet[3] & 0x20 == 0 { 4 } else { 5 + usize::from(packet[4]) };
            carried.extend_from_slice(&packet[from..]);
        }
    }
    carried
}

proptest! {
    /// Whatever sizes frames have, every segment is whole by itself and the next one goes on from it.
    #[test]
    fn segments_go_on_from_each_other(sizes in prop::collection::vec(1usize..5000, 1..80), start in 0u64..(1 << 40)) {
        let facts = read_segment(&written(start, &sizes)).unwrap();
        prop_assert_eq!(facts.packets as usize, sizes.len());
        prop_assert!(facts.starts_with_key);
        prop_assert_eq!(facts.presented, presented(start, 30_000));
    }

    #[test]
    fn bytes_of_any_kind_do_not_panic(bytes in prop::collection::vec(any::<u8>(), 0..800), at in 0usize..3000, value: u8) {
        let _ = read_segment(&bytes);
        let mut one = written(0, &[300, 20, 400]);
        let at = at % one.len();
        one[at] = value;
        let _ = read_segment(&one);
        let _ = Coding::h264(&bytes);
        let _ = Coding::aac(&bytes);
    }
}

#[test]
fn every_byte_is_carried_with_start_codes_for_lengths() {
    let data = carried(&written(0, &[700, 3, 90]));
    let start = [0, 0, 0, 1];
    // With both time stamps.
    let header = PES_START + 3 + 10;
    let key = [&start[..], &[9, 0xf0], &start, &[0x67, 0x64, 7], &start, &[0x68, 1, 2, 3]].concat();
    let picture = [&start[..], &[0x65], &vec![0; 700]].concat();
    assert_eq!(data[header..][..key.len()], key, "{:x?}", &data[..40]);
    assert_eq!(data[header + key.len()..][..picture.len()], picture);
    assert!(data.ends_with(&[&start[..], &[0x41], &[2; 90]].concat()));
}

#[test]
fn sound_has_a_header_in_front_of_each_packet() {
    let coding = Coding::aac(&STEREO).unwrap();
    let bytes: Vec<Vec<u8>> = (0..9u8).map(|n| vec![n; 200]).collect();
    let sample = Sample { size: 200, duration: 1024, composition_offset: 0, key: true };
    let times = Times { start: 48_000, timescale: 48_000, delay: 0 };
    let made = segment(&coding, times, &[sample; 9], bytes.iter().map(Vec::as_slice)).unwrap();
    let facts = read_segment(&made).unwrap();
    assert_eq!((facts.packets, facts.presented), (3, ZERO + CLOCK), "four together");
    let data = carried(&made);
    // Sync, AAC-LC, 48 kHz, two channels, 207 bytes.
    let header = [0xff, 0xf1, 0x4c, 0x80, 25, 0xff, 0xfc];
    assert_eq!(data.windows(7).filter(|w| *w == header).count(), 9, "{:x?}", &data[..30]);
    assert_eq!(data[4..6], (4 * 207 + 8u16).to_be_bytes(), "a PES packet of sound has a length");
}

#[test]
fn what_is_wrong_is_said() {
    let whole = written(0, &[900, 300, 40]);
    let without = |n: usize| [&whole[..n * PACKET], &whole[(n + 1) * PACKET..]].concat();
    let said = |bytes: &[u8]| read_segment(bytes).unwrap_err().to_string();
    assert!(said(&without(3)).contains("packets of PID 256 are missing before it"));
    assert!(said(&without(0)).contains("the tables do not come first"));
    assert!(said(&whole[..whole.len() - PACKET]).contains("does not go on with PID"));
    assert!(said(&whole[..whole.len() - 1]).contains("188"));
    assert!(said(&[]).contains("188"));
    let mut other = whole.clone();
    other[10] ^= 1;
    assert!(said(&other).contains("table is wrong"));
    assert_eq!(Coding::aac(&[0x12]).unwrap_err().to_string(), "the AudioSpecificConfig is cut off");
    assert!(Coding::aac(&[0x2b, 0x92]).unwrap_err().to_string().contains("object type 5"));
    assert!(Coding::h264(&RECORD[..12]).unwrap_err().to_string().contains("cut off"));
}
