//! Results and failures of tasks in the memory catalog.

use headwater_model::history::Line;
use headwater_model::id::Version;
use headwater_model::life::{TitleState, Work, after};
use headwater_model::quality::Verdict;
use headwater_model::queue::{
    answers, cut_otherwise, first_again, frames_of, state_before, try_again_at,
};
use headwater_model::task::{Failure, Lease, Outcome, Retry, TaskKind};
use headwater_model::time::Timestamp;
use headwater_ports::catalog::CatalogError;

use super::{State, TaskState, contradiction};

impl State {
    /// Tells of flaws, and holds the title where somebody has to look at them.
    fn review(&mut self, title: i64, verdict: &Verdict, now: Timestamp) {
        for text in &verdict.told {
            self.record(title, now, Line::Flaw { text });
        }
        if verdict.hold {
            self.title(title).held = true;
            self.record(title, now, Line::HeldForReview);
        }
    }

    pub(in super::super) fn complete(
        &mut self,
        lease: &Lease,
        outcome: &Outcome,
        now: Timestamp,
    ) -> Result<(), CatalogError> {
        let held = self.held(lease, now)?;
        let (package_id, kind, attempt) = (held.package, held.kind, held.tries);
        if !answers(kind, outcome) {
            return Err(contradiction("accept the result", format!("{kind} cannot end like this")));
        }
        let work = self.package(package_id).work();
        if matches!(outcome, Outcome::MadeDifferently { .. }) && work != Work::Healing {
            let why = format!("{kind} cannot differ from what nobody has");
            return Err(contradiction("accept the result", why));
        }
        if let Outcome::Sealed { inventory, .. } = outcome
            && work.is_for_viewers()
            && self.package(package_id).record.inventory != Some(*inventory)
        {
            let why = "viewers have the package with another inventory".to_owned();
            return Err(contradiction("accept the result", why));
        }
        if let Outcome::AlreadyPublished { version } = outcome {
            return self.go_back(package_id, *version, now);
        }
        let held = self.held(lease, now)?;
        held.state = TaskState::Done { at: now };
        held.frames_done = held.frames;
        held.cpu_ms = outcome.cpu_ms();
        held.trouble = None;
        let left = self.tasks_of(package_id).filter(|t| t.is_left()).count() as u64;
        let next = after(outcome, left, work);

        let package = self.package(package_id);
        let (title, version) = (package.title, package.id.version);
        let mut frames = vec![0; next.tasks.len()];
        match outcome {
            Outcome::Prepared { facts, plan, verdict, .. } => {
                package.facts = Some((**facts).clone());
                package.record.plan = Some((**plan).clone());
                package.master = Some(plan.master);
                frames = next.tasks.iter().map(|kind| frames_of(*kind, plan)).collect();
                let base = cut_otherwise(package.new.remake.as_ref(), plan);
                self.record(title, now, Line::Prepared { facts, plan });
                if let Some(base) = base {
                    self.record(title, now, Line::CutOtherwise { version, base });
                }
                self.review(title, verdict, now);
            }
            Outcome::Made { .. } if work == Work::Healing => {
                self.record(title, now, Line::Made { kind, attempt });
            }
            Outcome::Made { objects, codecs, seen, .. } => {
                package.seen.insert(kind, seen.clone());
                package.objects.extend(objects.iter().map(|o| (o.path.clone(), o.clone())));
                package.codecs.extend(codecs.iter().cloned());
                self.record(title, now, Line::Made { kind, attempt });
            }
            Outcome::MadeDifferently { renditions, .. } => {
                package.differs.extend(renditions.iter().cloned());
                self.record(title, now, Line::MadeDifferently { kind, renditions });
            }
            Outcome::Sealed { objects, bytes, .. } if work.is_for_viewers() => {
                package.reseal(false);
                self.record(title, now, Line::Sealed { objects: *objects, bytes: *bytes });
            }
            Outcome::Sealed { inventory, objects, bytes, verdict } => {
                package.record.inventory = Some(*inventory);
                package.sealed = Some(now);
                (package.record.objects, package.record.bytes) = (*objects, *bytes);
                self.record(title, now, Line::Sealed { objects: *objects, bytes: *bytes });
                self.review(title, verdict, now);
            }
            Outcome::Proven { origins } => {
                package.record.proven_on = origins.clone();
                self.record(title, now, Line::Proven { origins });
            }
            Outcome::Published { pointers } => {
                package.published = true;
                package.objects.clear();
                package.codecs.clear();
                package.record.pointers = pointers.clone();
                let row = self.title(title);
                if row.live.replace(version) != Some(version) {
                    row.live_since = Some(now);
                }
                self.settle(title, now);
                self.record(title, now, Line::Published { version });
            }
            Outcome::Healed { pointers } => {
                if !pointers.is_empty() {
                    package.record.pointers = pointers.clone();
                }
                self.settle(title, now);
                self.record(title, now, Line::Healed);
            }
            Outcome::Archived { copy } => {
                let tenant = package.id.tenant.to_string();
                self.copies.insert((tenant, copy.sha256), (copy.clone(), Some(now)));
                self.record(title, now, Line::Archived { copy });
            }
            Outcome::AlreadyPublished { .. } => {}
        }
        for (kind, frames) in next.tasks.into_iter().zip(frames) {
            self.add_task(package_id, kind, frames, now);
        }
        if let Some(state) = next.state {
            self.set_state(package_id, state, now);
        }
        Ok(())
    }

    /// Drops a package whose master is that of an earlier one, which the title goes back to.
    fn go_back(
        &mut self,
        package: i64,
        version: Version,
        now: Timestamp,
    ) -> Result<(), CatalogError> {
        let title = self.package(package).title;
        let path = self.package(package).new.master_path.clone();
        let earlier = self
            .packages
            .iter_mut()
            .find(|(_, p)| p.title == title && p.id.version == version && p.published);
        let Some((id, earlier)) = earlier else {
            let why = format!("{version} was never published");
            return Err(contradiction("accept the result", why));
        };
        earlier.updated = now;
        if earlier.new.master_path.is_empty() {
            earlier.new.master_path = path;
        }
        let id = *id;
        self.title(title).newest = id;
        self.packages.remove(&package);
        self.tasks.retain(|_, t| t.package != package);
        self.record(title, now, Line::AlreadyPublished { version });
        Ok(())
    }

    pub(in super::super) fn fail(
        &mut self,
        lease: &Lease,
        failure: &Failure,
        now: Timestamp,
    ) -> Result<(), CatalogError> {
        let held = self.held(lease, now)?;
        held.failures += 1;
        let (package_id, kind, attempt) = (held.package, held.kind, held.tries);
        let again = try_again_at(failure, held.failures, lease, now);
        let Failure { refusal, last_words, retry } = failure;
        match (again, retry) {
            (None, _) => held.state = TaskState::Failed { at: now },
            (Some(_), Retry::After(_)) => held.state = TaskState::Done { at: now },
            (Some(due), Retry::Later | Retry::Patiently | Retry::Never | Retry::NewVersion(_)) => {
                held.requeue(due)
            }
        }
        held.trouble = Some(refusal.clone());
        held.last_words = last_words.clone();
        let package = self.package(package_id);
        let (title, healing) = (package.title, package.is_healing());
        package.last_words = last_words.clone();
        if !kind.is_beside() {
            package.failed_last = Some(kind);
        }
        match (again, retry) {
            (Some(at), Retry::After(lost)) => {
                let wait_ms = at.0 - now.0;
                self.record(title, now, Line::DoneAgain { kind, tasks: lost, refusal, wait_ms });
                self.do_again(package_id, lost, at, now);
            }
            (Some(at), Retry::Later | Retry::Patiently | Retry::Never | Retry::NewVersion(_)) => {
                let wait_ms = at.0 - now.0;
                self.record(title, now, Line::TryAgain { kind, attempt, refusal, wait_ms });
            }
            (None, _) if kind.is_beside() => {
                self.record(title, now, Line::NotArchived { refusal });
            }
            (None, Retry::NewVersion(remake)) if healing => {
                self.replace(package_id, kind, remake, refusal, now);
            }
            (None, _) if healing => self.end_healing(package_id, kind, refusal, now),
            (None, _) => {
                self.end_package(package_id, kind, TitleState::refused(refusal.clone()), now);
            }
        }
        Ok(())
    }

    /// Opens tasks again whose results are lost.
    fn do_again(&mut self, package: i64, lost: &[TaskKind], at: Timestamp, now: Timestamp) {
        let first = first_again(lost);
        for kind in &first {
            let plan = self.package(package).record.plan.as_ref();
            let frames = plan.map_or(0, |plan| frames_of(*kind, plan));
            self.start_over(package, *kind, frames, at);
        }
        let seals = lost.contains(&TaskKind::Seal);
        if self.package(package).is_healing() {
            self.package(package).reseal(seals);
        } else if let (true, Some(kind)) = (seals, first.iter().min()) {
            self.package(package).record.inventory = None;
            self.set_state(package, state_before(*kind), now);
        }
    }
}
