//! How long tasks take: drawn from what was measured.

use anyhow::{Context, Result};
use headwater_model::task::TaskKind;
use serde::Deserialize;

/// Measured spans, and where they come from.
const MEASURED: &str = include_str!("../../../../testdata/history/spans.json");

/// Spans of a minute that titles have, each as likely: from an episode to a long film, 119 in the mean.
const LENGTHS: [u64; 8] = [44, 58, 88, 110, 119, 134, 165, 234];

/// How much dearer or cheaper the picture of one title is than that of another, as a factor either way. Not measured.
const TITLES_DIFFER: f64 = 1.5;

/// What was measured.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct History {
    frames: f64,
    cpu_seconds: Vec<f64>,
    fps: f64,
    span_seconds: f64,
    prepare_seconds: f64,
    audio_seconds: f64,
    seal_seconds: f64,
    verify_seconds: f64,
    publish_seconds: f64,
}

impl History {
    pub(crate) fn read() -> Result<Self> {
        serde_json::from_str(MEASURED).context("understand `testdata/history/spans.json`")
    }

    /// Spans of a title.
    pub(crate) fn spans(seed: u64, title: u64) -> u64 {
        LENGTHS[fastrand::Rng::with_seed(mixed(seed, title, 0)).usize(..LENGTHS.len())]
    }

    /// Milliseconds that a task takes, whoever does it and however often.
    pub(crate) fn takes_ms(&self, seed: u64, title: u64, kind: TaskKind) -> i64 {
        let dear = fastrand::Rng::with_seed(mixed(seed, title, 1)).f64() * 2.0 - 1.0;
        let mut rng = fastrand::Rng::with_seed(mixed(seed, title, 2 + number(kind)));
        let seconds = match kind {
            TaskKind::Span(_) => {
                let measured = self.cpu_seconds[rng.usize(..self.cpu_seconds.len())] / self.frames;
                measured * self.fps * self.span_seconds * TITLES_DIFFER.powf(dear)
            }
            TaskKind::Prepare => self.prepare_seconds,
            TaskKind::Audio(_) | TaskKind::Text(_) | TaskKind::Pictures => self.audio_seconds,
            TaskKind::Seal => self.seal_seconds,
            TaskKind::Verify => self.verify_seconds,
            TaskKind::Publish | TaskKind::Heal | TaskKind::Archive => self.publish_seconds,
        };
        // A tenth either way: machines and neighbours differ.
        let seconds = seconds * (0.9 + 0.2 * rng.f64());
        (seconds * 1000.0) as i64
    }

    /// Every task of a title with the time that it takes.
    pub(crate) fn of_title(&self, seed: u64, title: u64) -> Vec<(TaskKind, i64)> {
        let spans = u32::try_from(Self::spans(seed, title)).unwrap_or(u32::MAX);
        let others = [
            TaskKind::Prepare,
            TaskKind::Audio(0),
            TaskKind::Seal,
            TaskKind::Verify,
            TaskKind::Publish,
        ];
        let kinds = others.into_iter().chain((0..spans).map(TaskKind::Span));
        kinds.map(|kind| (kind, self.takes_ms(seed, title, kind))).collect()
    }
}

/// The same for nothing else.
fn number(kind: TaskKind) -> u64 {
    match kind {
        TaskKind::Prepare => 0,
        TaskKind::Audio(_) | TaskKind::Text(_) | TaskKind::Pictures => 1,
        TaskKind::Seal => 2,
        TaskKind::Verify => 3,
        TaskKind::Publish => 4,
        TaskKind::Heal => 5,
        TaskKind::Archive => 6,
        TaskKind::Span(n) => 7 + u64::from(n),
    }
}

/// Numbers that are near each other become seeds that are not.
fn mixed(seed: u64, title: u64, what: u64) -> u64 {
    let golden = 0x9E37_79B9_7F4A_7C15_u64;
    [title, what].into_iter().fold(seed.wrapping_mul(golden), |mixed, next| {
        (mixed ^ next).wrapping_mul(golden).rotate_left(29)
    })
}
