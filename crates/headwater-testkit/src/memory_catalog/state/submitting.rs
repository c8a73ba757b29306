//! Titles of the memory catalog that are queued, resumed or given up.

use std::collections::{BTreeMap, BTreeSet};

use headwater_model::history::Line;
use headwater_model::id::Version;
use headwater_model::key::PackageId;
use headwater_model::life::{PackageRecord, TitleState};
use headwater_model::quality::Seen;
use headwater_model::queue::{Newest, Submission, state_before, submission};
use headwater_model::refusal::{Code, Refusal};
use headwater_model::task::{NewTitle, TaskKind};
use headwater_model::time::Timestamp;
use headwater_ports::catalog::Submitted;

use super::{Package, State, Task, TaskState, Title};

impl State {
    pub(in super::super) fn submit(&mut self, new: &NewTitle, now: Timestamp) -> Submitted {
        let Some(title) = self.title_id(&new.tenant, &new.title) else {
            let title = self.next_id();
            let (tenant, id) = (new.tenant.clone(), new.title.clone());
            let row = Title {
                tenant,
                title: id,
                newest: 0,
                live: None,
                live_since: None,
                priority: new.priority.unwrap_or_default(),
                held: false,
                queued: now,
                events: vec![],
            };
            self.titles.insert(title, row);
            return self.queue(title, self.next_version(title), new, now);
        };
        if let Some(priority) = new.priority {
            self.title(title).priority = priority;
        }
        let package_id = self.title(title).newest;
        let package = self.package(package_id);
        let version = package.id.version;
        let state = package.state.clone();
        let newest = Newest {
            state: &state,
            master_path: &package.new.master_path,
            pipeline: &package.new.pipeline,
            planned: package.record.plan.is_some(),
        };
        match submission(Some(newest), new) {
            Submission::InProgress => Submitted::InProgress(version),
            Submission::Resume => self.resume(title, package_id, now),
            Submission::NewVersion { gives_up } => {
                let next = self.next_version(title);
                if gives_up {
                    self.cancel(package_id);
                    let why = format!("{next} was asked for before it was done");
                    let given_up = TitleState::refused(Refusal::new(Code::Superseded, why));
                    self.set_state(package_id, given_up, now);
                    self.record(title, now, Line::GivenUp { version, newer: next });
                }
                if state != TitleState::Published && state != TitleState::Publishing {
                    self.package(package_id).objects.clear();
                    self.package(package_id).codecs.clear();
                }
                self.queue(title, next, new, now)
            }
        }
    }

    /// The version behind all that a title has, and behind those that an origin has something of.
    pub(super) fn next_version(&self, title: i64) -> Version {
        let versions = self.packages.values().filter(|p| p.title == title);
        let Title { tenant, title, .. } = &self.titles[&title];
        let taken = self.taken.get(&(tenant.to_string(), title.to_string()));
        Version(versions.map(|p| p.id.version.0).chain(taken.copied()).max().unwrap_or(0) + 1)
    }

    pub(in super::super) fn take(&mut self, package: &PackageId) {
        let of = (package.tenant.to_string(), package.title.to_string());
        let taken = self.taken.entry(of).or_default();
        *taken = package.version.0.max(*taken);
    }

    pub(super) fn queue(
        &mut self,
        title: i64,
        version: Version,
        new: &NewTitle,
        now: Timestamp,
    ) -> Submitted {
        let id = self.next_id();
        let (tenant, name) = (new.tenant.clone(), new.title.clone());
        let package = Package {
            title,
            id: PackageId { tenant, title: name, version },
            state: TitleState::Queued,
            new: new.clone(),
            facts: None,
            master: None,
            record: PackageRecord {
                plan: None,
                codecs: vec![],
                seen: Seen::default(),
                inventory: None,
                objects: 0,
                bytes: 0,
                proven_on: vec![],
                pointers: vec![],
            },
            codecs: BTreeMap::new(),
            seen: BTreeMap::new(),
            objects: BTreeMap::new(),
            last_words: None,
            failed_last: None,
            published: false,
            condemned: false,
            differs: BTreeSet::new(),
            reseals: false,
            sealed: None,
            updated: now,
        };
        self.packages.insert(id, package);
        let row = self.title(title);
        (row.newest, row.queued) = (id, now);
        self.add_task(id, TaskKind::Prepare, 0, now);
        let (master_path, pipeline) = (new.master_path.as_str(), new.pipeline.as_str());
        let reason = new.reason.as_deref();
        let line = match &new.remake {
            Some(remake) => Line::RemakeQueued { version, remake },
            None => Line::Queued { version, master_path, pipeline, reason },
        };
        self.record(title, now, line);
        Submitted::Queued(version)
    }

    pub(super) fn resume(&mut self, title: i64, package: i64, now: Timestamp) -> Submitted {
        let mut reopened = vec![];
        let has_ended =
            |t: &&mut Task| matches!(t.state, TaskState::Failed { .. } | TaskState::Cancelled);
        for task in self.tasks_of(package).filter(has_ended) {
            task.requeue(now);
            (task.tries, task.failures, task.losses) = (0, 0, 0);
            task.trouble = None;
            reopened.push(task.kind);
        }
        let first = reopened.iter().filter(|kind| !kind.is_beside()).min();
        let mut first = *first.expect("a package that stopped has a task to go on with");
        let done = self.tasks_of(package).filter(|t| t.is_done()).count() as u64;
        if first == TaskKind::Publish {
            self.close(package, now);
            first = TaskKind::Verify;
            self.start_over(package, first, 0, now);
        }
        self.set_state(package, state_before(first), now);
        self.record(title, now, Line::Resumed { done, left: reopened.len() as u64 });
        Submitted::Queued(self.package(package).id.version)
    }
}
