//! Ways to damage a file, as disks, networks and strangers do.

use fastrand::Rng;

/// Damages a file in one to three ways, and says how. `other` is a file of another kind.
pub(super) fn damage(bytes: &mut Vec<u8>, other: &[u8], random: &mut Rng) -> String {
    let ways = 1 + random.usize(..3);
    let told: Vec<String> = (0..ways).map(|_| once(bytes, other, random)).collect();
    told.join(", ")
}

/// What a container says of itself mostly stands here, at either end.
const HEADER: usize = 8 * 1024;

fn once(bytes: &mut Vec<u8>, other: &[u8], random: &mut Rng) -> String {
    if bytes.len() < 16 {
        bytes.extend_from_slice(other);
        return "is another file".to_owned();
    }
    let at = place(bytes.len(), random);
    let most = 1 << random.usize(4..17);
    let run = (1 + random.usize(..most)).min(bytes.len() - at);
    match random.u8(..10) {
        0 => {
            bytes.truncate(at);
            format!("cut off at {at}")
        }
        1 => {
            let bits = 1 + random.usize(..64);
            for _ in 0..bits {
                let at = place(bytes.len(), random);
                bytes[at] ^= 1 << random.u8(..8);
            }
            format!("{bits} bits flipped")
        }
        2 => {
            let with = [0, 0xff, random.u8(..)][random.usize(..3)];
            bytes[at..at + run].fill(with);
            format!("{run} bytes of {with:#04x} at {at}")
        }
        3 => {
            bytes[at..at + run].fill_with(|| random.u8(..));
            format!("{run} bytes of noise at {at}")
        }
        4 => {
            bytes.drain(at..at + run);
            format!("{run} bytes lost at {at}")
        }
        5 => {
            let again = bytes[at..at + run].to_vec();
            bytes.splice(at..at, again);
            format!("{run} bytes twice at {at}")
        }
        6 => {
            let from = place(bytes.len(), random);
            let run = run.min(bytes.len() - from);
            let moved = bytes[from..from + run].to_vec();
            bytes[at..at + run].copy_from_slice(&moved);
            format!("{run} bytes of {from} at {at}")
        }
        7 | 8 => {
            // Sizes and counts are whole numbers of four bytes, the greatest first.
            let at = at.min(bytes.len() - 4);
            let before =
                u32::from_be_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
            let odd = [0, 1, 7, 8, 0x7fff_ffff, 0x8000_0000, u32::MAX];
            let number = match random.u8(..3) {
                0 => odd[random.usize(..odd.len())],
                1 => before.wrapping_add(1),
                _ => before.wrapping_sub(1),
            };
            bytes[at..at + 4].copy_from_slice(&number.to_be_bytes());
            format!("{number:#x} instead of {before:#x} at {at}")
        }
        _ => {
            let from = random.usize(..other.len().max(1)).min(other.len());
            bytes.truncate(at);
            bytes.extend_from_slice(&other[from..]);
            format!("another file's end from {at} on")
        }
    }
}

/// Somewhere in a file; every second time in its header or its end.
fn place(length: usize, random: &mut Rng) -> usize {
    let near = HEADER.min(length);
    match random.u8(..4) {
        0 => random.usize(..near),
        1 => length - near + random.usize(..near),
        _ => random.usize(..length),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_damages_the_same_places_and_others_others() {
        let (file, other) = (vec![7; 100_000], vec![9; 5_000]);
        let damaged = |seed: u64| {
            let mut bytes = file.clone();
            let told = damage(&mut bytes, &other, &mut Rng::with_seed(seed));
            (told, bytes)
        };
        for seed in 0..2_000 {
            let (told, bytes) = damaged(seed);
            assert_eq!((told.clone(), bytes.clone()), damaged(seed));
            assert!(!told.is_empty());
        }
        let changed = (0..2_000).filter(|seed| damaged(*seed).1 != file).count();
        assert!(changed > 1_500, "{changed}");
        let short = (0..2_000).all(|seed| {
            let mut bytes = vec![1; 20];
            damage(&mut bytes, &other, &mut Rng::with_seed(seed));
            true
        });
        assert!(short, "nothing is too short");
    }
}
