//! What is done to the cluster, round by round: decided by a seed alone, so that a run can be had again.
//!
//! What comes of it is not: which task a process had when it was killed depends on the machine. The same seed kills the
//! same processes in the same order after the same pauses.

use std::collections::BTreeMap;
use std::time::Duration;

/// Processes that only transcode.
pub const WORKERS: [&str; 4] = ["worker-1", "worker-2", "worker-3", "worker-4"];

/// All other roles, a process for each, and two that prove: they are killed too, and the work goes on.
pub const OTHERS: [&str; 6] = ["verify-1", "verify-2", "archive", "audit", "watch", "http"];

/// The origins that hold packages.
pub const ORIGINS: [&str; 2] = ["lab", "shed"];

/// How long a task is claimed in a torture, in seconds: the shortest that can be configured.
pub const LEASE_SECONDS: u64 = 15;

/// Something that happens to a cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// SIGKILL of a worker.
    KillWorker,
    /// SIGKILL of a process with another role.
    KillOther,
    /// SIGTERM of any process: it has to end with 0.
    Terminate,
    /// SIGKILL of a transcoder child.
    KillChild,
    /// PostgreSQL crashes and comes up again.
    KillDatabase,
    /// A process is cut off from the database for less than a lease.
    Cut,
    /// A worker is cut off for longer than its leases as it hands in a result, which arrives when they are over.
    CutForLong,
    /// A worker stands still (SIGSTOP) for longer than its leases, and goes on as if nothing had been.
    Freeze,
    /// An origin loses, alters or refuses what it is sent, or does not answer.
    Fault,
    /// An origin loses or alters what it holds.
    Loss,
}

impl Kind {
    /// All of them, in the order of the summary.
    pub const ALL: [Kind; 10] = [
        Kind::KillWorker,
        Kind::KillOther,
        Kind::Terminate,
        Kind::KillChild,
        Kind::KillDatabase,
        Kind::Cut,
        Kind::CutForLong,
        Kind::Freeze,
        Kind::Fault,
        Kind::Loss,
    ];

    /// As the summary calls it.
    pub fn name(self) -> &'static str {
        match self {
            Kind::KillWorker => "worker killed",
            Kind::KillOther => "other process killed",
            Kind::Terminate => "process told to end",
            Kind::KillChild => "transcoder killed",
            Kind::KillDatabase => "database crashed",
            Kind::Cut => "cut off, shortly",
            Kind::CutForLong => "cut off, beyond the lease",
            Kind::Freeze => "frozen beyond the lease",
            Kind::Fault => "origin at fault",
            Kind::Loss => "objects lost",
        }
    }

    /// How often it happens beyond the once that every deck has it.
    fn more(self) -> usize {
        match self {
            Kind::KillChild => 4,
            Kind::KillWorker | Kind::Terminate => 3,
            Kind::KillOther | Kind::Fault => 2,
            Kind::KillDatabase | Kind::Cut | Kind::Loss => 1,
            Kind::CutForLong | Kind::Freeze => 0,
        }
    }
}

/// How a process is cut off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cut {
    /// Connections break, and new ones are refused.
    Broken,
    /// Nothing comes through any more, in neither direction; what was sent arrives when the cut is over.
    Silent,
    /// Everything comes through until somebody hands in what was made: from that very message on it is silent.
    Late,
}

/// One thing that is done, and how long after the one before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Round {
    /// Time since the last round began.
    pub after: Duration,
    /// What.
    pub kind: Kind,
    /// To which process or origin, by its name; to nobody in particular when it is empty.
    pub target: &'static str,
    /// Until it is over: until the killed are started again, the cut ends, the origin is honest.
    pub lasts: Duration,
    /// How a connection is cut.
    pub cut: Cut,
    /// Chooses whatever else there is to choose, such as the objects that are lost.
    pub dice: u64,
}

/// Rounds after which everything has happened as often as it does in one deck.
fn deck() -> usize {
    Kind::ALL.into_iter().map(|kind| 1 + kind.more()).sum()
}

/// What should have happened in so many rounds and met nobody: who was not tortured has stood nothing. A run that is shorter
/// than a deck may miss what finds nobody.
pub(crate) fn never_met(
    rounds: usize,
    met: &BTreeMap<Kind, usize>,
    overtaken: usize,
) -> Vec<String> {
    if rounds < deck() {
        return Vec::new();
    }
    let never = Kind::ALL.into_iter().filter(|kind| met.get(kind).is_none_or(|times| *times == 0));
    let mut never: Vec<String> =
        never.map(|kind| format!("`{}` has met nobody in {rounds} rounds", kind.name())).collect();
    if overtaken == 0 {
        never.push(format!(
            "no worker has lost a task to another that was at it, in {rounds} rounds"
        ));
    }
    never
}

/// The rounds of a seed. The first ten have every kind once; `pace` is the shortest and the longest time between two.
pub fn rounds(seed: u64, rounds: usize, pace: (Duration, Duration)) -> Vec<Round> {
    let mut dice = fastrand::Rng::with_seed(seed);
    let mut kinds = Vec::new();
    while kinds.len() < rounds {
        let mut each = Kind::ALL.to_vec();
        dice.shuffle(&mut each);
        let more = |kind: Kind| std::iter::repeat_n(kind, kind.more());
        let mut more: Vec<Kind> = Kind::ALL.into_iter().flat_map(more).collect();
        dice.shuffle(&mut more);
        kinds.extend(each.into_iter().chain(more));
    }
    kinds.truncate(rounds);
    kinds.into_iter().map(|kind| round(&mut dice, kind, pace)).collect()
}

fn round(dice: &mut fastrand::Rng, kind: Kind, pace: (Duration, Duration)) -> Round {
    let mut millis = |from: u64, to: u64| Duration::from_millis(dice.u64(from..=to));
    let whole = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    let after = millis(whole(pace.0), whole(pace.1));
    let beyond = LEASE_SECONDS * 1000;
    let lasts = match kind {
        Kind::KillWorker | Kind::KillOther | Kind::Terminate => millis(0, 2_000),
        Kind::KillDatabase => millis(0, 3_000),
        Kind::Cut | Kind::Fault => millis(1_000, 8_000),
        Kind::Freeze => millis(beyond + 1_000, beyond + 7_000),
        // It begins with the next result.
        Kind::CutForLong => millis(beyond + 6_000, beyond + 12_000),
        Kind::KillChild | Kind::Loss => Duration::ZERO,
    };
    let one_of =
        |dice: &mut fastrand::Rng, names: &[&'static str]| names[dice.usize(..names.len())];
    let anybody = [&WORKERS[..], &OTHERS[..]].concat();
    let target = match kind {
        Kind::KillWorker | Kind::CutForLong | Kind::Freeze => one_of(dice, &WORKERS),
        Kind::KillOther => one_of(dice, &OTHERS),
        Kind::Terminate | Kind::Cut => one_of(dice, &anybody),
        Kind::Fault | Kind::Loss => one_of(dice, &ORIGINS),
        Kind::KillChild | Kind::KillDatabase => "",
    };
    let is_broken = dice.bool();
    let cut = match kind {
        // A result that comes late is what this is for.
        Kind::CutForLong => Cut::Late,
        _ if is_broken => Cut::Broken,
        _ => Cut::Silent,
    };
    Round { after, kind, target, lasts, cut, dice: dice.u64(..) }
}

#[cfg(test)]
mod tests;
