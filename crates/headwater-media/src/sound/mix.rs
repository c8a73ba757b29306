//! Brings the channels of a track to those of a rendition.

use gstreamer_audio::AudioChannelPosition as At;

/// A channel at 3 dB less.
const HALF_POWER: f32 = std::f32::consts::FRAC_1_SQRT_2;

/// What of each channel of a track goes into each channel of a rendition.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Mix {
    /// A row for each channel that comes out, a number for each that goes in.
    rows: Vec<Vec<f32>>,
}

impl Mix {
    /// From channels at `positions` to `channels`: 1, 2 or 6. Those of an order that nobody states are taken for that of
    /// SMPTE ST 2067-8: left, right, centre, low frequencies, left and right surround.
    pub(super) fn new(positions: Option<&[At]>, from: usize, channels: usize) -> Self {
        let stated = positions.filter(|p| p.len() == from && !p.contains(&At::None));
        let positions: Vec<At> = match stated {
            Some(stated) => stated.to_vec(),
            None => usual(from),
        };
        let column = |at: At| -> Vec<f32> {
            match channels {
                1 => vec![(stereo(at).0 + stereo(at).1) / 2.0],
                2 => vec![stereo(at).0, stereo(at).1],
                _ => surround(at, channels),
            }
        };
        let columns: Vec<Vec<f32>> = match (from, channels) {
            // One channel is as loud on its own as from two loudspeakers.
            (1, 1) => vec![vec![1.0]],
            (1, 2) => vec![vec![1.0, 1.0]],
            _ => positions.iter().map(|at| column(*at)).collect(),
        };
        let rows = (0..channels)
            .map(|row| {
                columns.iter().map(|column| column.get(row).copied().unwrap_or(0.0)).collect()
            })
            .collect();
        Self { rows }
    }

    /// Mixes interleaved samples.
    pub(super) fn mix(&self, from: &[f32], to: &mut Vec<f32>) {
        let channels = self.rows.first().map_or(1, Vec::len).max(1);
        for frame in from.chunks_exact(channels) {
            for row in &self.rows {
                to.push(row.iter().zip(frame).map(|(share, sample)| share * sample).sum());
            }
        }
    }
}

fn usual(channels: usize) -> Vec<At> {
    let order = [
        At::FrontLeft,
        At::FrontRight,
        At::FrontCenter,
        At::Lfe1,
        At::RearLeft,
        At::RearRight,
        At::SideLeft,
        At::SideRight,
    ];
    match channels {
        1 => vec![At::Mono],
        _ => order.into_iter().chain(std::iter::repeat(At::None)).take(channels).collect(),
    }
}

/// Left and right of a channel (ITU-R BS.775-3, table 2); low frequencies are left out, since no loudspeaker of a pair is
/// made for them.
fn stereo(at: At) -> (f32, f32) {
    match at {
        At::Mono | At::FrontCenter | At::TopFrontCenter => (HALF_POWER, HALF_POWER),
        At::FrontLeft | At::TopFrontLeft | At::WideLeft => (1.0, 0.0),
        At::FrontRight | At::TopFrontRight | At::WideRight => (0.0, 1.0),
        At::FrontLeftOfCenter => (1.0, 0.0),
        At::FrontRightOfCenter => (0.0, 1.0),
        At::RearLeft | At::SideLeft | At::SurroundLeft | At::TopRearLeft | At::TopSideLeft => {
            (HALF_POWER, 0.0)
        }
        At::RearRight | At::SideRight | At::SurroundRight | At::TopRearRight | At::TopSideRight => {
            (0.0, HALF_POWER)
        }
        At::RearCenter | At::TopRearCenter | At::TopCenter => (0.5, 0.5),
        _ => (0.0, 0.0),
    }
}

/// Left, right, centre, low frequencies, left and right surround of a channel.
fn surround(at: At, channels: usize) -> Vec<f32> {
    let own = match at {
        At::Mono | At::FrontCenter => Some(2),
        At::FrontLeft | At::FrontLeftOfCenter | At::WideLeft | At::TopFrontLeft => Some(0),
        At::FrontRight | At::FrontRightOfCenter | At::WideRight | At::TopFrontRight => Some(1),
        At::Lfe1 | At::Lfe2 => Some(3),
        At::RearLeft | At::SideLeft | At::SurroundLeft | At::TopRearLeft => Some(4),
        At::RearRight | At::SideRight | At::SurroundRight | At::TopRearRight => Some(5),
        _ => None,
    };
    let mut column = vec![0.0; channels];
    match own.and_then(|own| column.get_mut(own)) {
        Some(share) => *share = 1.0,
        None if at == At::RearCenter => {
            column.iter_mut().skip(4).take(2).for_each(|share| *share = HALF_POWER);
        }
        None => {}
    }
    column
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIVE_ONE: [At; 6] =
        [At::FrontLeft, At::FrontRight, At::FrontCenter, At::Lfe1, At::RearLeft, At::RearRight];

    fn mixed(mix: &Mix, frame: &[f32]) -> Vec<f32> {
        let mut out = Vec::new();
        mix.mix(frame, &mut out);
        out
    }

    #[test]
    fn six_channels_become_two_as_itu_says() {
        let mix = Mix::new(Some(&FIVE_ONE), 6, 2);
        assert_eq!(mixed(&mix, &[1.0, 0.0, 0.0, 0.0, 0.0, 0.0]), [1.0, 0.0]);
        assert_eq!(mixed(&mix, &[0.0, 0.0, 1.0, 0.0, 0.0, 0.0]), [HALF_POWER, HALF_POWER]);
        assert_eq!(mixed(&mix, &[0.0, 0.0, 0.0, 1.0, 0.0, 0.0]), [0.0, 0.0]);
        assert_eq!(mixed(&mix, &[0.0, 0.0, 0.0, 0.0, 0.0, 1.0]), [0.0, HALF_POWER]);
        assert_eq!(Mix::new(None, 6, 2), mix, "the order that nobody states");
    }

    #[test]
    fn channels_keep_their_place_where_there_is_one() {
        let mix = Mix::new(Some(&FIVE_ONE), 6, 6);
        let frame = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6];
        assert_eq!(mixed(&mix, &frame), frame);
        let seven = [
            At::FrontLeft,
            At::FrontRight,
            At::FrontCenter,
            At::Lfe1,
            At::RearLeft,
            At::RearRight,
            At::SideLeft,
            At::SideRight,
        ];
        let mix = Mix::new(Some(&seven), 8, 6);
        assert_eq!(mixed(&mix, &[0.0, 0.0, 0.0, 0.0, 0.25, 0.0, 0.5, 0.0])[4], 0.75);
        let mono = Mix::new(Some(&[At::Mono]), 1, 1);
        assert_eq!(mixed(&mono, &[0.5, -0.5]), [0.5, -0.5]);
        let stereo = Mix::new(Some(&[At::FrontLeft, At::FrontRight]), 2, 2);
        assert_eq!(mixed(&stereo, &[0.5, -0.5]), [0.5, -0.5]);
    }
}
