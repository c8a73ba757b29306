//! The sentences of a title's history, which content ops read to see what happened to a master (R10).

use std::fmt;

use crate::archive::MasterCopy;
use crate::id::Version;
use crate::lane::Priority;
use crate::life::TitleState;
use crate::master::MasterFacts;
use crate::plan::Plan;
use crate::refusal::Refusal;
use crate::task::{Remake, TaskKind};
use crate::time::FrameRate;

/// One thing that happened. Displayed as one plain sentence, lower case, no full stop.
#[derive(Debug, Clone, Copy)]
pub enum Line<'a> {
    /// A master was submitted.
    Queued {
        /// As this version.
        version: Version,
        /// From here.
        master_path: &'a str,
        /// To be made by this pipeline.
        pipeline: &'a str,
        /// Why, where somebody said so.
        reason: Option<&'a str>,
    },
    /// A part of a title is to be made again.
    RemakeQueued {
        /// As this version.
        version: Version,
        /// Which part.
        remake: &'a Remake,
    },
    /// A package that was being made is not wanted any more.
    GivenUp {
        /// The package.
        version: Version,
        /// What is wanted instead.
        newer: Version,
    },
    /// Nothing more of the title is begun until it is released.
    Held,
    /// It is no longer held.
    Released,
    /// It is wanted more or less than before.
    Prioritised {
        /// How much now.
        priority: Priority,
    },
    /// Somebody asked for a task to be tried at once, with all its tries unused.
    TriedAfresh {
        /// Which.
        kind: TaskKind,
    },
    /// A package that had stopped goes on.
    Resumed {
        /// Tasks that stay done.
        done: u64,
        /// Tasks that are tried afresh.
        left: u64,
    },
    /// The master was read and planned.
    Prepared {
        /// What was found.
        facts: &'a MasterFacts,
        /// What will be made of it.
        plan: &'a Plan,
    },
    /// Something is odd about the master.
    Flaw {
        /// What, and where.
        text: &'a str,
    },
    /// Somebody has to look at what was found.
    HeldForReview,
    /// The master is the one that an earlier version was made from.
    AlreadyPublished {
        /// That version.
        version: Version,
    },
    /// A span or audio track is made.
    Made {
        /// Which.
        kind: TaskKind,
        /// At which try, from 1.
        attempt: u32,
    },
    /// A span or audio track is made again and is not what viewers have.
    MadeDifferently {
        /// Which.
        kind: TaskKind,
        /// What of it came out as other bytes.
        renditions: &'a [String],
    },
    /// A build of the engine that was to make a part again would cut the title otherwise than it is cut.
    CutOtherwise {
        /// The version that will have all of it.
        version: Version,
        /// The version that it was to go back to.
        base: Version,
    },
    /// Playlists, MPD and inventory are written.
    Sealed {
        /// Objects in the inventory.
        objects: u64,
        /// Their bytes.
        bytes: u64,
    },
    /// Origins hold what the inventory says.
    Proven {
        /// Their names.
        origins: &'a [String],
    },
    /// Viewers get it.
    Published {
        /// This version.
        version: Version,
    },
    /// A task failed and will be tried again.
    TryAgain {
        /// Which.
        kind: TaskKind,
        /// At which try, from 1.
        attempt: u32,
        /// Why.
        refusal: &'a Refusal,
        /// How long from now, in milliseconds.
        wait_ms: i64,
    },
    /// What a task needs is lost, so other tasks are done again first.
    DoneAgain {
        /// Which task found out.
        kind: TaskKind,
        /// What is done again.
        tasks: &'a [TaskKind],
        /// What is lost.
        refusal: &'a Refusal,
        /// How long from now, in milliseconds.
        wait_ms: i64,
    },
    /// Somebody, or an audit, asked for what is lost to be put right.
    HealQueued,
    /// Viewers are to get a version again that they had before.
    RollbackQueued {
        /// That version.
        to: Version,
    },
    /// A version that nobody needs was deleted.
    Collected {
        /// That version.
        version: Version,
    },
    /// Every origin holds the package again.
    Healed,
    /// What is lost could not be put right. Viewers keep what they have.
    NotHealed {
        /// At which task.
        kind: TaskKind,
        /// Why not.
        refusal: &'a Refusal,
    },
    /// Somebody, or an audit, asked for the master to be copied to the archive.
    ArchiveQueued,
    /// The archive proved to hold the master.
    Archived {
        /// The copy.
        copy: &'a MasterCopy,
    },
    /// The master could not be copied to the archive.
    NotArchived {
        /// Why not.
        refusal: &'a Refusal,
    },
    /// The catalog was lost, and the title was found on an origin.
    Restored {
        /// That origin.
        origin: &'a str,
        /// What its pointers lead to.
        live: Option<Version>,
    },
    /// A lease ran out: the worker died, or the network to it did.
    WorkerLost {
        /// What it worked on.
        kind: TaskKind,
        /// Its name.
        worker: &'a str,
    },
    /// All leases were ended since their holders are known to be dead.
    Restarted {
        /// How many tasks of the title that concerned.
        tasks: u64,
    },
    /// The title was rejected or failed.
    Ended {
        /// At which task.
        kind: TaskKind,
        /// Rejected or failed, and why.
        state: &'a TitleState,
    },
}

fn because(f: &mut fmt::Formatter<'_>, reason: Option<&str>) -> fmt::Result {
    reason.map_or(Ok(()), |reason| write!(f, " ({reason})"))
}

impl fmt::Display for Line<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Line::Queued { version: Version(1), master_path, pipeline, .. } => {
                write!(f, "queued from {master_path} with pipeline {pipeline}")
            }
            Line::Queued { version, master_path, pipeline, reason } => {
                write!(f, "queued as {version} from {master_path} with pipeline {pipeline}")?;
                because(f, reason)
            }
            Line::RemakeQueued { version, remake } => {
                write!(f, "queued as {version}: {remake}")?;
                if !remake.is_whole() {
                    write!(f, ", the rest from {}", remake.base)?;
                }
                because(f, remake.reason.as_deref())
            }
            Line::Held => f.write_str("held: nothing more of it is begun until it is released"),
            Line::Released => f.write_str("released: work on it goes on"),
            Line::Prioritised { priority } => write!(f, "its priority is {priority} now"),
            Line::TriedAfresh { kind } => write!(f, "{kind} is tried again at once, as was asked"),
            Line::GivenUp { version, newer } => {
                write!(f, "{version} given up: {newer} was asked for before it was done")
            }
            Line::Resumed { done, left } => {
                write!(f, "taken up again: {} done before, {} to do", counted(done, "task"), left)
            }
            Line::Prepared { facts, plan } if facts.video.is_empty() => write!(
                f,
                "master read: no picture, {} in {}",
                counted(facts.audio.len() as u64, "audio track"),
                counted(plan.segments.len() as u64, "segment"),
            ),
            Line::Prepared { facts, plan } => write!(
                f,
                "master read: {}, {}, {} in {} and {}",
                picture(facts, plan.cadence.rate()),
                counted(facts.audio.len() as u64, "audio track"),
                counted(plan.frames, "frame"),
                counted(plan.segments.len() as u64, "segment"),
                counted(plan.spans.len() as u64, "span"),
            ),
            Line::Flaw { text } => write!(f, "found: {text}"),
            Line::HeldForReview => f.write_str(
                "held for somebody to look at what was found: work goes on when it is released",
            ),
            Line::AlreadyPublished { version } => {
                write!(f, "nothing to make: {version} was made from this master by this pipeline")
            }
            Line::Made { kind, attempt: 1 } => write!(f, "{kind} done"),
            Line::Made { kind, attempt } => write!(f, "{kind} done (attempt {attempt})"),
            Line::MadeDifferently { kind, renditions } => {
                write!(
                    f,
                    "{kind} came out as other bytes than viewers have: {}",
                    renditions.join(", ")
                )
            }
            Line::CutOtherwise { version, base } => {
                write!(
                    f,
                    "{version} is made as a whole: this build cuts the master otherwise than {base} is cut"
                )
            }
            Line::Sealed { objects, bytes } => {
                write!(f, "sealed: {}, {}", counted(objects, "object"), counted(bytes, "byte"))
            }
            Line::Proven { origins: [one] } => write!(f, "proven: origin {one} holds every object"),
            Line::Proven { origins } => {
                write!(f, "proven: origins {} hold every object", origins.join(", "))
            }
            Line::Published { version } => write!(f, "published as {version}"),
            Line::TryAgain { kind, attempt, refusal, wait_ms } => {
                let seconds = wait_ms as f64 / 1000.0;
                write!(
                    f,
                    "{kind} failed (attempt {attempt}), next try in {seconds:.1} s: {refusal}"
                )
            }
            Line::DoneAgain { kind, tasks, refusal, wait_ms } => {
                let names: Vec<String> = tasks.iter().map(ToString::to_string).collect();
                let (seconds, names) = (wait_ms as f64 / 1000.0, names.join(", "));
                write!(
                    f,
                    "{kind} found something lost; done again in {seconds:.1} s: {names}: {refusal}"
                )
            }
            Line::HealQueued => f.write_str("healing asked for"),
            Line::RollbackQueued { to } => write!(f, "rollback to {to} asked for"),
            Line::Collected { version } => write!(f, "{version} deleted: viewers get a newer one"),
            Line::Healed => f.write_str("healed: every origin holds every object"),
            Line::NotHealed { kind, refusal } => {
                write!(f, "{kind} failed, viewers keep what they have: {refusal}")
            }
            Line::ArchiveQueued => f.write_str("archiving of the master asked for"),
            Line::Archived { copy } => {
                let MasterCopy { origin, key, storage_class, .. } = copy;
                write!(f, "master archived: origin {origin} holds it as `{key}`")?;
                storage_class.as_ref().map_or(Ok(()), |class| write!(f, " ({class})"))
            }
            Line::NotArchived { refusal } => write!(f, "the master is not archived: {refusal}"),
            Line::Restored { origin, live: Some(live) } => {
                write!(f, "taken over from origin {origin}, where viewers get {live}")
            }
            Line::Restored { origin, live: None } => {
                write!(f, "taken over from origin {origin}, where it is not published")
            }
            Line::WorkerLost { kind, worker } => {
                write!(f, "{kind} is back in the queue: worker {worker} fell silent")
            }
            Line::Restarted { tasks } => {
                write!(f, "the service started again: {} back in the queue", counted(tasks, "task"))
            }
            Line::Ended { kind, state } => {
                f.write_str(state.name())?;
                // What stops at the first look concerns the master as a whole.
                if kind != TaskKind::Prepare {
                    write!(f, " at {kind}")?;
                }
                state.refusal().map_or(Ok(()), |refusal| write!(f, ": {refusal}"))
            }
        }
    }
}

/// `720p25`, `576i25`, `1080p23.976`.
fn picture(facts: &MasterFacts, rate: FrameRate) -> String {
    let Some(track) = facts.video.first() else { return "no picture".to_owned() };
    let scan = if track.interlaced { 'i' } else { 'p' };
    let rate = format!("{:.3}", rate.as_f64());
    let rate = rate.trim_end_matches('0').trim_end_matches('.');
    format!("{}{scan}{rate}", track.width.min(track.height))
}

/// `1 span`, `1,588 frames`.
pub fn counted(n: u64, noun: &str) -> String {
    let digits = n.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    format!("{text} {noun}{}", if n == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests;
