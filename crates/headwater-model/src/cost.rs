//! What making a title again would take, going by what its versions took: how many spans, how much processor time, how
//! many bytes.

use crate::ladder::VideoRendition;
use crate::pipeline::Audio;
use crate::plan::Plan;
use crate::task::TaskKind;

/// What AAC takes that was in a master already: the usual rate of stereo, in kbit/s.
const COPIED_KBPS: u32 = 128;

/// What work on titles takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Cost {
    /// Spans that are transcoded.
    pub spans: u64,
    /// Audio tracks that are transcoded.
    pub audio_tracks: u64,
    /// Processor time in milliseconds; `None` where nothing is known to go by.
    pub cpu_ms: Option<u64>,
    /// Bytes that are stored on each origin, about.
    pub bytes: u64,
}

impl Cost {
    /// Both together.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self {
            spans: self.spans + other.spans,
            audio_tracks: self.audio_tracks + other.audio_tracks,
            cpu_ms: self.cpu_ms.zip(other.cpu_ms).map(|(one, two)| one + two),
            bytes: self.bytes + other.bytes,
        }
    }
}

/// A version that was made, and what that took.
#[derive(Debug, Clone, Copy)]
pub struct Past<'a> {
    /// Its plan.
    pub plan: &'a Plan,
    /// Processor time of each of its tasks, in milliseconds. Empty where the catalog was rebuilt.
    pub spent: &'a [(TaskKind, u64)],
}

/// What `plan` would take, whose parts that go back to another version cost nothing. `past` are versions of the title,
/// the one that says most about it first; `bytes` are those of a whole one.
pub fn cost(plan: &Plan, past: &[Past<'_>], bytes: u64) -> Cost {
    let made = plan.to_make();
    let spans: Vec<u32> = match made.video.as_slice() {
        [] => Vec::new(),
        _ => (0u32..).zip(&plan.spans).map(|(n, _)| n).filter(|n| !plan.copies(*n)).collect(),
    };
    let audio: Vec<&str> = plan
        .audio
        .iter()
        .map(|audio| audio.name.as_str())
        .filter(|name| !plan.keeps(name))
        .collect();
    let picture = match spans.is_empty() {
        true => Some(0.0),
        false => past
            .iter()
            .find_map(Past::ms_per_pixel)
            .map(|ms| ms * pixels(&made.video) * frames(plan, &spans) as f64),
    };
    let sound = audio
        .iter()
        .map(|name| past.iter().find_map(|past| past.of_audio(name)))
        .sum::<Option<_>>();
    Cost {
        spans: spans.len() as u64,
        audio_tracks: audio.len() as u64,
        cpu_ms: picture.zip(sound).map(|(picture, sound): (f64, u64)| picture as u64 + sound),
        bytes: stored(plan, bytes),
    }
}

impl Past<'_> {
    /// Processor time for each pixel of each frame that was made of the picture.
    fn ms_per_pixel(&self) -> Option<f64> {
        let spans = self.spent.iter().filter_map(|(kind, ms)| match kind {
            TaskKind::Span(n) if !self.plan.copies(*n) => Some((*n, *ms)),
            _ => None,
        });
        let (spans, ms): (Vec<u32>, Vec<u64>) = spans.unzip();
        let work = pixels(&self.plan.to_make().video) * frames(self.plan, &spans) as f64;
        (work > 0.0).then(|| ms.iter().sum::<u64>() as f64 / work)
    }

    fn of_audio(&self, name: &str) -> Option<u64> {
        let n = self.plan.audio.iter().position(|audio| audio.name == name)?;
        let kind = TaskKind::Audio(u32::try_from(n).ok()?);
        self.spent.iter().find(|(spent, _)| *spent == kind).map(|(_, ms)| *ms)
    }
}

fn pixels(video: &[VideoRendition]) -> f64 {
    video.iter().map(|v| f64::from(v.width) * f64::from(v.height)).sum()
}

fn frames(plan: &Plan, spans: &[u32]) -> u64 {
    spans.iter().filter_map(|n| plan.spans.get(*n as usize)).map(|span| plan.frames_of(span)).sum()
}

/// Bytes that the plan stores anew, where a whole version has `whole`. Spans that are copied are stored as well; what is
/// kept is only referred to.
fn stored(plan: &Plan, whole: u64) -> u64 {
    let kbps = match &plan.pipeline.audio {
        Audio::Encode(encode) => encode.kbps,
        Audio::Copy => COPIED_KBPS,
    };
    let track = u64::from(kbps) * plan.duration().rescale(1000) / 8;
    let made = plan.audio.iter().filter(|audio| !plan.keeps(&audio.name)).count() as u64;
    let picture = whole.saturating_sub(track * plan.audio.len() as u64);
    let share = pixels(&plan.to_make().video) / pixels(&plan.video).max(1.0);
    (picture as f64 * share) as u64 + track * made
}

#[cfg(test)]
mod tests;
