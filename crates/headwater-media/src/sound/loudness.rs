//! How loud sound is (EBU R 128, ITU-R BS.1770), and what brings it to a target.

use ebur128::{EbuR128, Mode};

use crate::error::Error;

/// Sound that is quieter than this as a whole is silence with noise: it is left as it is.
const SILENT_LUFS: f64 = -60.0;

/// More than this nobody turns up: what is so quiet is meant to be, or broken.
const MOST_GAIN_DB: f64 = 30.0;

/// Measures all that it is given.
pub(super) struct Meter(EbuR128);

impl Meter {
    pub(super) fn new(channels: usize, rate: u32) -> Result<Self, Error> {
        let channels = u32::try_from(channels).map_err(|_| failed())?;
        let mode = Mode::I | Mode::LRA | Mode::TRUE_PEAK;
        Ok(Self(EbuR128::new(channels, rate, mode).map_err(|_| failed())?))
    }

    pub(super) fn add(&mut self, samples: &[f32]) -> Result<(), Error> {
        self.0.add_frames_f32(samples).map_err(|_| failed())
    }

    /// By what samples have to be multiplied for an integrated loudness of `target` LUFS; `None` for silence.
    pub(super) fn gain_to(&self, target: f64) -> Result<Option<f64>, Error> {
        let measured = self.0.loudness_global().map_err(|_| failed())?;
        let is_heard = measured.is_finite() && measured >= SILENT_LUFS;
        Ok(is_heard.then(|| decibels((target - measured).min(MOST_GAIN_DB))))
    }

    /// The highest true peak of all channels.
    pub(super) fn true_peak(&self, channels: usize) -> Result<f64, Error> {
        let peaks = (0..channels).map(|n| {
            let n = u32::try_from(n).map_err(|_| failed())?;
            self.0.true_peak(n).map_err(|_| failed())
        });
        peaks.collect::<Result<Vec<f64>, _>>().map(|all| all.into_iter().fold(0.0, f64::max))
    }
}

/// A factor in decibels of amplitude as the factor itself.
pub(super) fn decibels(db: f64) -> f64 {
    10f64.powf(db / 20.0)
}

fn failed() -> Error {
    Error::Step("measure how loud the sound is")
}
