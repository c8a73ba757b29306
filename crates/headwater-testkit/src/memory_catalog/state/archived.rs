//! Masters and their copies in the memory catalog.

use std::collections::BTreeSet;

use headwater_model::archive::{Archiving, MasterRecord};
use headwater_model::history::Line;
use headwater_model::id::{Sha256, Tenant};
use headwater_model::key::PackageId;
use headwater_model::refusal::Refusal;
use headwater_model::task::TaskKind;
use headwater_model::time::Timestamp;

use super::{Package, State, Task, TaskState};

impl State {
    /// What was at the path of a package when one of its title was made from there; of a part that is made again, what the
    /// rest was made of.
    pub(super) fn known_master(&self, package: i64) -> Option<Sha256> {
        let this = self.packages.get(&package)?;
        if let Some(remake) = &this.new.remake {
            let mut of_title = self.packages.values().filter(|p| p.title == this.title);
            return of_title.find(|p| p.id.version == remake.base)?.master;
        }
        let same =
            |p: &&Package| p.title == this.title && p.new.master_path == this.new.master_path;
        let made = self.packages.values().filter(same).filter(|p| p.master.is_some());
        made.max_by_key(|p| p.id.version)?.master
    }

    /// The packages of a master, newest last.
    fn made_of(&self, tenant: &Tenant, sha256: Sha256) -> impl Iterator<Item = (i64, &Package)> {
        let of =
            move |(_, p): &(&i64, &Package)| p.master == Some(sha256) && p.id.tenant == *tenant;
        self.packages.iter().filter(of).map(|(id, p)| (*id, p))
    }

    fn archivings(&self, tenant: &Tenant, sha256: Sha256) -> Vec<(i64, &Task)> {
        let packages: BTreeSet<i64> = self.made_of(tenant, sha256).map(|(id, _)| id).collect();
        let of = |t: &Task| t.kind == TaskKind::Archive && packages.contains(&t.package);
        self.tasks.iter().filter(|(_, t)| of(t)).map(|(id, t)| (*id, t)).collect()
    }

    pub(in super::super) fn archive(&mut self, package: &PackageId, now: Timestamp) -> bool {
        let found = self.packages.iter().find(|(_, p)| &p.id == package);
        let Some((id, title, master)) =
            found.and_then(|(id, p)| Some((*id, p.title, p.record.plan.as_ref()?.master)))
        else {
            return false;
        };
        if self.archivings(&package.tenant, master).iter().any(|(_, t)| t.is_open()) {
            return false;
        }
        self.start_over(id, TaskKind::Archive, 0, now);
        self.record(title, now, Line::ArchiveQueued);
        true
    }

    pub(super) fn give_up_archiving(&mut self, id: i64, refusal: &Refusal, now: Timestamp) {
        let Some(task) = self.tasks.get_mut(&id) else { return };
        task.state = TaskState::Failed { at: now };
        task.trouble = Some(refusal.clone());
        let package = task.package;
        let title = self.package(package).title;
        self.record(title, now, Line::NotArchived { refusal });
    }

    pub(in super::super) fn master(&self, tenant: &Tenant, sha256: Sha256) -> Option<MasterRecord> {
        let newest = self.made_of(tenant, sha256).last().map(|(_, p)| p);
        let copy = self.copies.get(&(tenant.to_string(), sha256)).cloned();
        if newest.is_none() && copy.is_none() {
            return None;
        }
        let ended = |task: &Task| match task.state {
            TaskState::Done { at } | TaskState::Failed { at } => Some(at),
            _ => None,
        };
        let tasks = self.archivings(tenant, sha256);
        let last = tasks.into_iter().max_by_key(|(id, t)| (t.is_open(), ended(t), *id));
        let archiving = match last.map(|(_, task)| (task.is_open(), task.trouble.clone())) {
            Some((true, trouble)) => Archiving::UnderWay(trouble),
            Some((false, Some(refusal))) => Archiving::GivenUp(refusal),
            Some((false, None)) | None => Archiving::Idle,
        };
        Some(MasterRecord {
            sha256,
            package: newest.map(|p| p.id.clone()),
            path: newest.map(|p| p.new.master_path.clone()).unwrap_or_default(),
            copy,
            archiving,
        })
    }

    pub(in super::super) fn masters(
        &self,
        tenant: &Tenant,
        after: Option<Sha256>,
        limit: u32,
    ) -> Vec<MasterRecord> {
        let counts = |(id, p): &(&i64, &Package)| {
            let title = &self.titles[&p.title];
            title.newest == **id || title.live == Some(p.id.version)
        };
        let of_titles = self.packages.iter().filter(|(_, p)| p.id.tenant == *tenant);
        let of_titles = of_titles.filter(counts).filter_map(|(_, p)| p.master);
        let tenant_name = tenant.to_string();
        let copied = self.copies.keys().filter(|(whose, _)| *whose == tenant_name);
        let all: BTreeSet<Sha256> = of_titles.chain(copied.map(|(_, sha256)| *sha256)).collect();
        let some = all.into_iter().filter(|sha256| Some(*sha256) > after).take(limit as usize);
        some.filter_map(|sha256| self.master(tenant, sha256)).collect()
    }
}
