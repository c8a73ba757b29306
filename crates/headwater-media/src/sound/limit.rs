//! Keeps the true peak of sound below a ceiling: looks ahead, turns the volume down just before what would be too loud, and
//! lets it come back slowly.

use std::collections::VecDeque;

/// How far it looks ahead, in seconds: long enough that turning down is no click, short enough that nobody hears it early.
const AHEAD: f64 = 0.005;

/// How long it takes to come back by two thirds, in seconds.
const RELEASE: f64 = 0.1;

/// Samples between two samples at which the true peak is looked for as well (ITU-R BS.1770, annex 2), as rows of its
/// filter.
const BETWEEN: [[f32; 12]; 4] = [
    [
        0.001_708_98,
        0.010_986_33,
        -0.019_653_32,
        0.033_203_13,
        -0.059_448_24,
        0.137_329_1,
        0.972_167_97,
        -0.102_294_92,
        0.047_607_42,
        -0.026_611_33,
        0.014_892_58,
        -0.008_300_78,
    ],
    [
        -0.029_174_8,
        0.029_296_88,
        -0.051_757_81,
        0.089_111_33,
        -0.166_503_9,
        0.465_087_9,
        0.779_785_16,
        -0.200_317_38,
        0.101_562_5,
        -0.058_227_54,
        0.033_081_05,
        -0.018_920_9,
    ],
    [
        -0.018_920_9,
        0.033_081_05,
        -0.058_227_54,
        0.101_562_5,
        -0.200_317_38,
        0.779_785_16,
        0.465_087_9,
        -0.166_503_9,
        0.089_111_33,
        -0.051_757_81,
        0.029_296_88,
        -0.029_174_8,
    ],
    [
        -0.008_300_78,
        0.014_892_58,
        -0.026_611_33,
        0.047_607_42,
        -0.102_294_92,
        0.972_167_97,
        0.137_329_1,
        -0.059_448_24,
        0.033_203_13,
        -0.019_653_32,
        0.010_986_33,
        0.001_708_98,
    ],
];

/// By how many samples what the filter sees lags behind what went in.
const LAG: usize = 6;

/// A limiter for interleaved samples.
#[derive(Debug)]
pub(super) struct Limiter {
    channels: usize,
    ceiling: f32,
    /// Samples of a channel that are held back.
    ahead: usize,
    back: f32,
    /// The last twelve frames, the newest first.
    seen: VecDeque<Vec<f32>>,
    waiting: VecDeque<f32>,
    /// Volumes that are asked for within the window, each with its place: the smallest first, those after it ever larger.
    asked: VecDeque<(u64, f32)>,
    /// Volumes of the window as they came back, and their sum.
    smooth: VecDeque<f32>,
    sum: f64,
    volume: f32,
    now: u64,
}

impl Limiter {
    /// For so many channels and samples a second; `ceiling` is the highest peak, where 1 is full scale.
    pub(super) fn new(channels: usize, rate: u32, ceiling: f32) -> Self {
        let ahead = ((f64::from(rate) * AHEAD) as usize).max(1);
        Self {
            channels,
            ceiling,
            ahead,
            back: (1.0 - (-1.0 / (RELEASE * f64::from(rate))).exp()) as f32,
            seen: VecDeque::from(vec![vec![0.0; channels]; 12]),
            waiting: VecDeque::new(),
            asked: VecDeque::new(),
            smooth: VecDeque::from(vec![1.0; ahead]),
            sum: ahead as f64,
            volume: 1.0,
            now: 0,
        }
    }

    /// By how many samples of a channel what comes out is later than what went in.
    pub(super) fn delay(&self) -> usize {
        self.ahead - 1 + LAG
    }

    /// Takes one sample of each channel and gives one of each, which went in [`Limiter::delay`] before.
    pub(super) fn frame(&mut self, frame: &mut [f32]) {
        let mut oldest = self.seen.pop_back().unwrap_or_default();
        oldest.clear();
        oldest.extend_from_slice(frame);
        self.seen.push_front(oldest);
        let wanted = match self.ceiling {
            // Nothing is too loud, and looking for peaks costs more than all else here.
            f32::MAX => 1.0,
            ceiling => (ceiling / self.peak().max(ceiling)).min(1.0),
        };
        while self.asked.back().is_some_and(|(_, other)| *other >= wanted) {
            self.asked.pop_back();
        }
        self.asked.push_back((self.now, wanted));
        while self.asked.front().is_some_and(|(at, _)| at + self.ahead as u64 <= self.now) {
            self.asked.pop_front();
        }
        let least = self.asked.front().map_or(1.0, |(_, volume)| *volume);
        self.volume = if least < self.volume {
            least
        } else {
            self.volume + (least - self.volume) * self.back
        };
        self.sum += f64::from(self.volume);
        self.smooth.push_back(self.volume);
        self.sum -= f64::from(self.smooth.pop_front().unwrap_or(1.0));
        let volume = (self.sum / self.ahead as f64) as f32;
        self.waiting.extend(frame.iter());
        let held = self.delay() * self.channels;
        for sample in frame {
            // Silence until the first of them is due.
            *sample = match self.waiting.len() > held {
                true => self.waiting.pop_front().unwrap_or(0.0) * volume,
                false => 0.0,
            };
        }
        self.now += 1;
    }

    /// The largest sample around the one that is in the middle of the filter, between samples too.
    fn peak(&self) -> f32 {
        let mut peak = 0.0f32;
        for channel in 0..self.channels {
            for phase in &BETWEEN {
                let sum: f32 =
                    phase.iter().zip(&self.seen).map(|(tap, frame)| tap * frame[channel]).sum();
                peak = peak.max(sum.abs());
            }
            peak = peak.max(self.seen[LAG - 1][channel].abs()).max(self.seen[LAG][channel].abs());
        }
        peak
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATE: u32 = 48_000;

    fn through(limiter: &mut Limiter, sound: &[f32]) -> Vec<f32> {
        let mut all: Vec<f32> = sound.to_vec();
        all.extend(vec![0.0; limiter.delay() * limiter.channels]);
        all.chunks_mut(limiter.channels).for_each(|frame| limiter.frame(frame));
        all.split_off(limiter.delay() * limiter.channels)
    }

    fn tone(hertz: f32, loud: f32, samples: usize) -> Vec<f32> {
        let step = 2.0 * std::f32::consts::PI * hertz / RATE as f32;
        (0..samples).map(|n| loud * (step * n as f32 + 0.785).sin()).collect()
    }

    #[test]
    fn what_is_quiet_stays_as_it_is() {
        let sound = tone(997.0, 0.5, 4800);
        let mut limiter = Limiter::new(1, RATE, 0.89);
        assert_eq!(through(&mut limiter, &sound), sound);
    }

    #[test]
    fn no_sample_is_above_the_ceiling() {
        let mut sound = tone(440.0, 0.3, 9600);
        sound[4000..4100].iter_mut().for_each(|s| *s *= 6.0);
        sound.extend(tone(3000.0, 2.0, 9600));
        let mut limiter = Limiter::new(2, RATE, 0.89);
        let stereo: Vec<f32> = sound.iter().flat_map(|s| [*s, -0.2 * s]).collect();
        let done = through(&mut limiter, &stereo);
        assert_eq!(done.len(), stereo.len());
        let loudest = done.iter().fold(0.0f32, |a, s| a.max(s.abs()));
        assert!(loudest <= 0.8901, "{loudest}");
        assert!(loudest > 0.8, "it is not turned down more than needed: {loudest}");
    }

    /// A quarter of the sampling rate, sampled beside its peaks: samples say 0.707 of it.
    #[test]
    fn peaks_between_samples_count() {
        let sound: Vec<f32> = tone(12_000.0, 1.2, 9600);
        assert!(sound.iter().all(|s| s.abs() < 0.86));
        let mut limiter = Limiter::new(1, RATE, 0.89);
        let done = through(&mut limiter, &sound);
        let loudest = done[2000..8000].iter().fold(0.0f32, |a, s| a.max(s.abs()));
        assert!(
            (0.60..0.66).contains(&loudest),
            "0.89 of a peak is 0.63 of what is sampled: {loudest}"
        );
    }
}
