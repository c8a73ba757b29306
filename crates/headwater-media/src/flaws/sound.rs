//! Silence and clipping in the channels of a track, and how loud it is.

use ebur128::{EbuR128, Mode};
use headwater_model::flaw::{Flaw, FlawKind};
use headwater_model::quality::{Loudness, QualityRules, Seen};

use super::Lasting;

/// Sound below this is not heard (-60 dBFS).
const SILENT: f32 = 0.001;

/// At full scale, but for what formats round.
const FULL: f32 = 0.9999;

/// So many samples of a channel at full scale, one after the other, are no peak any more: it is cut off.
const CUT: u32 = 4;

/// Clipping that is over for less than this is still the same.
const APART_MS: u64 = 1000;

/// Listens to the samples of a track, all its channels, before they are mixed.
pub(crate) struct SoundWatch {
    channels: usize,
    rate: u64,
    /// Samples of a channel so far.
    samples: u64,
    silence: Lasting,
    clipping: Lasting,
    clipped_ms: Option<u64>,
    /// How many samples at full scale each channel has had in a row.
    rows: Vec<u32>,
    meter: Option<EbuR128>,
    found: Vec<Flaw>,
}

impl SoundWatch {
    /// For track `stream`, whose samples begin with the title.
    pub(crate) fn new(stream: &str, channels: usize, rate: u32, rules: &QualityRules) -> Self {
        let meter = u32::try_from(channels)
            .ok()
            .and_then(|n| EbuR128::new(n, rate, Mode::I | Mode::LRA | Mode::TRUE_PEAK).ok());
        Self {
            channels: channels.max(1),
            rate: rate.max(1).into(),
            samples: 0,
            silence: Lasting::new(FlawKind::Silence, Some(stream), rules.silence_ms),
            clipping: Lasting::new(FlawKind::Clipping, Some(stream), 0),
            clipped_ms: None,
            rows: vec![0; channels.max(1)],
            meter,
            found: Vec::new(),
        }
    }

    /// Lets so many samples of each channel pass in which there is nothing.
    pub(crate) fn pass_silence(&mut self, mut samples: u64) {
        while samples > 0 {
            let piece = samples.min(self.rate);
            samples -= piece;
            self.hear(&vec![0.0; piece as usize * self.channels], self.channels);
        }
    }

    /// Listens to interleaved samples of so many channels. A track that has others for a while is not heard meanwhile.
    pub(crate) fn hear(&mut self, samples: &[f32], channels: usize) {
        if channels != self.channels {
            self.samples += (samples.len() / channels.max(1)) as u64;
            return;
        }
        // A millisecond at a time: nothing that is told of is finer.
        let piece = (self.rate / 1000).max(1) as usize * self.channels;
        for piece in samples.chunks(piece) {
            let now = self.now();
            let loudest = piece.iter().fold(0.0f32, |max, v| max.max(v.abs()));
            self.silence.is(loudest < SILENT, now, 0, &mut self.found);
            if self.is_cut(piece, loudest) {
                self.clipped_ms = Some(now);
            }
            let clips = self.clipped_ms.is_some_and(|at| now - at < APART_MS);
            self.clipping.is(clips, now, 0, &mut self.found);
            self.samples += (piece.len() / self.channels) as u64;
        }
        if let Some(meter) = &mut self.meter {
            // It takes whole frames, which is what there are.
            let _ = meter.add_frames_f32(samples);
        }
    }

    fn is_cut(&mut self, piece: &[f32], loudest: f32) -> bool {
        if loudest < FULL {
            self.rows.fill(0);
            return false;
        }
        let mut cut = false;
        for frame in piece.chunks_exact(self.channels) {
            for (row, sample) in self.rows.iter_mut().zip(frame) {
                *row = if sample.abs() >= FULL { *row + 1 } else { 0 };
                cut |= *row >= CUT;
            }
        }
        cut
    }

    /// What was heard. No loudness where there is no sound to speak of.
    pub(crate) fn finish(mut self) -> Seen {
        let end = self.now();
        self.silence.end(end, &mut self.found);
        self.clipping.end(end, &mut self.found);
        let loudness = self.loudness();
        Seen { flaws: self.found, loudness: loudness.into_iter().collect() }
    }

    fn loudness(&self) -> Option<Loudness> {
        let meter = self.meter.as_ref()?;
        let peaks = (0..u32::try_from(self.channels).ok()?).map(|n| meter.true_peak(n).ok());
        let peak = peaks.collect::<Option<Vec<f64>>>()?.into_iter().fold(0.0, f64::max);
        let integrated = meter.loudness_global().ok().filter(|lufs| lufs.is_finite())?;
        Some(Loudness {
            track: self.silence.track.clone()?,
            integrated,
            range: meter.loudness_range().ok()?,
            true_peak: 20.0 * peak.log10(),
        })
    }

    fn now(&self) -> u64 {
        self.samples * 1000 / self.rate
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATE: u32 = 48_000;

    /// A tone of 1 kHz, the same in both channels, cut off at full scale.
    fn tone(level: f32, ms: usize) -> Vec<f32> {
        let at = |n: usize| (n as f32 * 1000.0 * std::f32::consts::TAU / RATE as f32).sin() * level;
        (0..ms * 48).flat_map(|n| [at(n).clamp(-1.0, 1.0); 2]).collect()
    }

    fn listen(pieces: &[Vec<f32>]) -> (Vec<String>, Option<Loudness>) {
        let rules = QualityRules { silence_ms: 500, ..QualityRules::default() };
        let mut watch = SoundWatch::new("002", 2, RATE, &rules);
        for piece in pieces {
            watch.hear(piece, 2);
        }
        let seen = watch.finish();
        (seen.flaws.iter().map(Flaw::to_string).collect(), seen.loudness.into_iter().next())
    }

    #[test]
    fn silence_is_told_with_its_times() {
        let (told, _) = listen(&[
            tone(0.5, 700),
            tone(0.0, 800),
            tone(0.5, 300),
            tone(0.0, 400),
            tone(0.1, 100),
        ]);
        assert_eq!(told, ["track 002 is silent from 0:00:00.700 to 0:00:01.500"]);
        let (told, loudness) = listen(&[tone(0.0, 400)]);
        assert_eq!(told, ["track 002 is silent from 0:00:00.000 to 0:00:00.400"], "it ends so");
        assert!(loudness.is_none(), "{loudness:?}");
    }

    #[test]
    fn what_is_cut_off_is_told_and_a_peak_is_not() {
        let (told, _) = listen(&[tone(0.5, 300), tone(1.0, 500), tone(0.5, 300)]);
        assert!(told.is_empty(), "full scale is not clipped: {told:?}");
        let (told, _) = listen(&[
            tone(0.5, 300),
            tone(1.6, 500),
            tone(0.5, 100),
            tone(1.6, 100),
            tone(0.5, 2000),
        ]);
        assert_eq!(told, ["track 002 is clipped from 0:00:00.300 to 0:00:01.999"]);
    }

    #[test]
    fn loudness_is_what_the_standard_says() {
        // EBU Tech 3341, case 1: a stereo sine of 1 kHz at -23 dBFS in each channel has -23 LUFS.
        let level = 10f32.powf(-23.0 / 20.0);
        let (_, loudness) = listen(&[tone(level, 20_000)]);
        let loudness = loudness.unwrap();
        assert!((loudness.integrated + 23.0).abs() < 0.1, "{loudness:?}");
        assert!((loudness.true_peak + 23.0).abs() < 0.1, "{loudness:?}");
        assert!(loudness.range < 0.1, "{loudness:?}");
    }
}
