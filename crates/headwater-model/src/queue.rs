//! Decides what the queue does with a submission, a failure and a lost lease, so that every catalog does the same.
//!
//! Catalogs keep rows and transactions; whatever is a choice is made here, from plain values.

use crate::id::Version;
use crate::plan::Plan;
use crate::refusal::{Code, Refusal};
use crate::task::{
    Failure, Lease, MAX_ATTEMPTS, MAX_ATTEMPTS_ON_ORIGIN, NewTitle, Outcome, Remake, Retry,
    TaskKind, back_off_ms,
};
use crate::time::Timestamp;

use crate::life::{Progress, TitleState};

/// How often a task may lose its worker without a word before it is taken for the cause. A worker's death is not
/// counted against the master ([`MAX_ATTEMPTS`] is for failures that were reported), and ten rolling upgrades in a row
/// may well meet the same span; a task that has outlived that many workers is what kills them.
pub const MAX_LOST_LEASES: u32 = 10;

/// A title's newest package, as far as a submission cares.
#[derive(Debug, Clone, Copy)]
pub struct Newest<'a> {
    /// Where it stands.
    pub state: &'a TitleState,
    /// Where its master is.
    pub master_path: &'a str,
    /// Name of its pipeline.
    pub pipeline: &'a str,
    /// Whether `Prepare` is done, so that resuming means following that plan.
    pub planned: bool,
}

/// What a submission leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Submission {
    /// The newest package is being made from this very path with this pipeline: nothing is added.
    InProgress,
    /// The newest package goes on where it stopped: what is done stays done, the rest is tried afresh.
    Resume,
    /// The title gets its next version.
    NewVersion {
        /// The newest package is still being made, from something that nobody wants any more: its tasks are cancelled.
        gives_up: bool,
    },
}

/// Decides what a submission leads to. `newest` is `None` for a title that nobody has heard of.
///
/// A package whose proof failed resumes with `Verify`: the origin may have been repaired, and no segment is believed
/// before it has proven all of them again. Who wants new segments instead says `again`.
///
/// A package is not resumed when what stopped it makes its plan void (see [`plan_holds_after`]): a better file under
/// the same name would otherwise be cut by the frames of the old one, and be written over it (R1, R6).
///
/// A package that is being published is never given up: its pointers may be half swapped.
pub fn submission(newest: Option<Newest<'_>>, new: &NewTitle) -> Submission {
    let Some(newest) = newest else { return Submission::NewVersion { gives_up: false } };
    let same = newest.master_path == new.master_path && newest.pipeline == new.pipeline;
    match newest.state {
        TitleState::Rejected(refusal) | TitleState::Failed(refusal)
            if same
                && !new.again
                && new.remake.is_none()
                && (!newest.planned || plan_holds_after(refusal.code)) =>
        {
            Submission::Resume
        }
        TitleState::Published | TitleState::Rejected(_) | TitleState::Failed(_) => {
            Submission::NewVersion { gives_up: false }
        }
        _ if same => Submission::InProgress,
        TitleState::Publishing => Submission::NewVersion { gives_up: false },
        TitleState::Queued
        | TitleState::Transcoding
        | TitleState::Sealing
        | TitleState::Verifying => Submission::NewVersion { gives_up: true },
    }
}

/// Whether a plan can still be followed after work on it ended with `code`. It cannot when the way on is another file:
/// the plan counts the frames of the one that was read.
pub fn plan_holds_after(code: Code) -> bool {
    match code {
        Code::EmptyFile
        | Code::NotAFile
        | Code::MasterChanged
        | Code::NotMedia
        | Code::DamagedMaster
        | Code::NoVideoTrack
        | Code::UnsupportedCodec
        | Code::PictureTooLarge
        | Code::QualityRejected
        | Code::ChecksumMismatch
        | Code::FrameCountMismatch
        | Code::DuplicateMaster
        | Code::PipelineMismatch => false,
        Code::Unreadable
        | Code::NoSuchFile
        | Code::BadAddress
        | Code::MasterGone
        | Code::MasterInColdStorage
        | Code::ElementMissing
        | Code::DiskFull
        | Code::OriginFull
        | Code::OriginUnavailable
        | Code::TranscoderFailed
        | Code::NotProven
        | Code::NotOnEdge
        | Code::MadeDifferently
        | Code::Superseded
        | Code::Cancelled
        | Code::Internal => true,
    }
}

/// The state of a title whose next task to do is `kind`: what a resumed package goes back to.
pub fn state_before(kind: TaskKind) -> TitleState {
    match kind {
        TaskKind::Prepare => TitleState::Queued,
        // An archive is filled beside everything that comes after `Prepare`, and nothing waits for it.
        TaskKind::Span(_)
        | TaskKind::Audio(_)
        | TaskKind::Text(_)
        | TaskKind::Pictures
        | TaskKind::Archive => TitleState::Transcoding,
        TaskKind::Seal => TitleState::Sealing,
        TaskKind::Verify => TitleState::Verifying,
        TaskKind::Publish => TitleState::Publishing,
        TaskKind::Heal => TitleState::Published,
    }
}

/// When a task that failed for the `failures`th time is tried again; `None` when it is not.
pub fn try_again_at(
    failure: &Failure,
    failures: u32,
    lease: &Lease,
    now: Timestamp,
) -> Option<Timestamp> {
    let most = match (failure.refusal.code, &failure.retry) {
        (Code::OriginUnavailable | Code::OriginFull | Code::NotOnEdge, _)
        | (_, Retry::Patiently) => MAX_ATTEMPTS_ON_ORIGIN,
        _ => MAX_ATTEMPTS,
    };
    let again = match failure.retry {
        Retry::Later | Retry::Patiently | Retry::After(_) => failures < most,
        Retry::Never | Retry::NewVersion(_) => false,
    };
    again.then(|| now.plus_ms(back_off_ms(failures, jitter(lease))))
}

/// A title for which a new version is asked in place of what is lost.
#[derive(Debug, Clone, Copy)]
pub struct Replaced<'a> {
    /// What viewers get.
    pub live: Option<Version>,
    /// Its newest version, and where that stands.
    pub newest: (Version, &'a TitleState),
    /// Parts that were made again in its versions so far.
    pub remakes: &'a [(Version, Remake)],
}

/// Whether a new version is made in place of what is lost of a title, since making it again gave other bytes; else why
/// not, in words.
///
/// Once for a version: when the new one does not get to viewers, or is lost as well, another would end no better, and an
/// encoder that gives other bytes each time would have titles made again for ever.
pub fn replacement(remake: &Remake, title: Replaced<'_>) -> Result<(), String> {
    let Replaced { live, newest: (newest, state), remakes } = title;
    if live != Some(remake.base) {
        let live = live.map_or("nothing".to_owned(), |live| live.to_string());
        return Err(format!("viewers get {live} by now"));
    }
    let same = |before: &&(Version, Remake)| before.1.heals && before.1.base == remake.base;
    if let Some((before, _)) = remakes.iter().find(same) {
        return Err(format!(
            "{before} was to take the place of {} and viewers do not get it",
            remake.base
        ));
    }
    if !state.is_final() {
        return Err(format!("{newest} is being made already"));
    }
    Ok(())
}

/// The version that a new one was to go back to, when it was asked for to heal and its plan goes back to none: this
/// build would not cut the title as that version is cut.
pub fn cut_otherwise(remake: Option<&Remake>, plan: &Plan) -> Option<Version> {
    let remake = remake.filter(|remake| remake.heals && !remake.is_whole())?;
    plan.base.is_none().then_some(remake.base)
}

/// Which of the tasks that have to be done again are opened at once: all but `Seal`, which the last of the others
/// brings, and `Seal` only when there are no others.
pub fn first_again(lost: &[TaskKind]) -> Vec<TaskKind> {
    let work: Vec<TaskKind> = lost.iter().copied().filter(|k| *k != TaskKind::Seal).collect();
    if work.is_empty() { lost.to_vec() } else { work }
}

/// 0..=100, as good as random across tasks and tries: what spreads workers that failed together.
fn jitter(lease: &Lease) -> u32 {
    // Fibonacci hashing: multiplying by 2^64 / golden ratio scatters neighbouring numbers over the upper bits.
    let seed = lease.task.wrapping_mul(31).wrapping_add(lease.token) as u64;
    ((seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32) % 101) as u32
}

/// Whether what is made again for a title that viewers have comes before new titles, where both wait: in one second of
/// four. So neither waits for the other: 25,000 titles to heal after the loss of a bucket do not keep a new one from its
/// proof, and a library that is being ingested for weeks does not keep a hole open for as long. The time of day is a
/// counter that all workers share.
pub fn healing_comes_first(now: Timestamp) -> bool {
    now.0.div_euclid(1_000).rem_euclid(4) == 0
}

/// For how long a proof is enough to publish on, in milliseconds. Publishing follows a proof at once; what waits longer
/// was stopped, or met an origin that was away, and what was proven before may be lost since.
pub const PROOF_LASTS_MS: i64 = 600_000;

/// Whether a package that was proven at `proven` may be published on that.
pub fn is_proven_still(proven: Option<Timestamp>, now: Timestamp) -> bool {
    proven.is_some_and(|at| now.0 - at.0 < PROOF_LASTS_MS)
}

/// Why a task that has lost its worker `losses` times is not handed out again; `None` when it is.
pub fn lost_too_often(kind: TaskKind, losses: u32) -> Option<Refusal> {
    (losses > MAX_LOST_LEASES).then(|| {
        let message = format!(
            "{kind} was started {losses} times and each time its worker fell silent before it was done"
        );
        Refusal::new(Code::Internal, message)
    })
}

/// Whether `outcome` is what a task of this kind hands in. Anything else is a fault of the engine, and believing it
/// could publish what was never proven.
pub fn answers(kind: TaskKind, outcome: &Outcome) -> bool {
    match outcome {
        Outcome::Prepared { .. } | Outcome::AlreadyPublished { .. } => kind == TaskKind::Prepare,
        Outcome::Made { .. } | Outcome::MadeDifferently { .. } => {
            matches!(
                kind,
                TaskKind::Span(_) | TaskKind::Audio(_) | TaskKind::Text(_) | TaskKind::Pictures
            )
        }
        Outcome::Sealed { .. } => kind == TaskKind::Seal,
        Outcome::Proven { .. } => kind == TaskKind::Verify,
        Outcome::Published { .. } => kind == TaskKind::Publish,
        Outcome::Healed { .. } => kind == TaskKind::Heal,
        Outcome::Archived { .. } => kind == TaskKind::Archive,
    }
}

/// Frames of the picture that a task makes: those of its span, 0 for all other kinds.
pub fn frames_of(kind: TaskKind, plan: &Plan) -> u64 {
    match kind {
        TaskKind::Span(n) => plan.spans.get(n as usize).map_or(0, |span| plan.frames_of(span)),
        _ => 0,
    }
}

/// What the span tasks of a package add up to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SpanTally {
    /// How many are done.
    pub done: u32,
    /// Frames done, those of unfinished spans included.
    pub frames_done: u64,
    /// When the first was started.
    pub started: Option<Timestamp>,
    /// When the last that is done was done: at the latest when the package was sealed, whatever was made again since.
    pub finished: Option<Timestamp>,
}

/// Fills in `planned`, which has the numbers of the plan. Time stands still once the spans are done, and while a title
/// that ended at `updated` waits to be taken up again.
pub fn progress(
    planned: Progress,
    tally: SpanTally,
    state: &TitleState,
    updated: Timestamp,
    now: Timestamp,
) -> Progress {
    // A catalog that was rebuilt has no tasks to add up.
    let done = *state == TitleState::Published;
    let until = match tally.finished {
        Some(finished) if tally.done >= planned.spans => finished,
        _ if state.is_final() => updated,
        _ => now,
    };
    let working = tally.started.map_or(0, |started| until.0.saturating_sub(started.0));
    Progress {
        spans_done: if done { planned.spans } else { tally.done },
        frames_done: if done { planned.frames } else { tally.frames_done.min(planned.frames) },
        working_ms: u64::try_from(working).unwrap_or(0),
        ..planned
    }
}

#[cfg(test)]
mod tests;
