//! A catalog in memory, for tests of the engine: the same contract as the real one, shown by the same suite.

mod state;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use headwater_model::archive::{MasterCopy, MasterRecord};
use headwater_model::audit::Holding;
use headwater_model::id::{Sha256, Tenant, TitleId, Version};
use headwater_model::incident::{Incident, Look};
use headwater_model::inventory::Object;
use headwater_model::key::PackageId;
use headwater_model::lane::Offer;
use headwater_model::life::{Event, Making, PackageRecord, Restored, TitleRecord};
use headwater_model::origin::Profile;
use headwater_model::quality::Seen;
use headwater_model::steering::{Answer, Order, TaskFilter, TaskOrder, TaskRecord};
use headwater_model::task::{Claimed, Failure, Lease, NewTitle, Outcome};
use headwater_model::time::Timestamp;
use headwater_model::worker::{Duty, Worker, WorkerRecord, WorkerState};
use headwater_ports::catalog::{Catalog, CatalogError, SeenFile, Submitted};
use headwater_ports::clock::Clock;

use state::{Package, State, Title};

/// A catalog that is gone when it is dropped.
pub struct MemoryCatalog {
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
}

impl MemoryCatalog {
    /// An empty catalog that goes by `clock`.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, state: Mutex::default() }
    }

    /// Everything, locked: what a transaction is in the real catalog. Methods check before they change anything.
    fn state(&self) -> MutexGuard<'_, State> {
        // A panic in one task of a test fails that test; it must not hide behind a poisoned lock in another.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Catalog for MemoryCatalog {
    fn patient(self: Arc<Self>) -> Arc<dyn Catalog> {
        self
    }

    async fn submit(&self, new: &NewTitle) -> Result<Submitted, CatalogError> {
        Ok(self.state().submit(new, self.clock.now()))
    }

    async fn knows_file(&self, file: &SeenFile) -> Result<bool, CatalogError> {
        Ok(self.state().seen_files.get(&file.path) == Some(file))
    }

    async fn remember_file(&self, file: &SeenFile) -> Result<bool, CatalogError> {
        let before = self.state().seen_files.insert(file.path.clone(), file.clone());
        Ok(before.as_ref() != Some(file))
    }

    async fn title(
        &self,
        tenant: &Tenant,
        title: &TitleId,
    ) -> Result<Option<TitleRecord>, CatalogError> {
        let state = self.state();
        let id = state.title_id(tenant, title);
        Ok(id.map(|id| state.title_record(&state.titles[&id], self.clock.now())))
    }

    async fn titles(&self, tenant: &Tenant, limit: u32) -> Result<Vec<TitleRecord>, CatalogError> {
        let state = self.state();
        let mut titles: Vec<(&i64, &Title)> =
            state.titles.iter().filter(|(_, t)| &t.tenant == tenant).collect();
        titles.sort_by_key(|(id, t)| std::cmp::Reverse((t.queued, **id)));
        let now = self.clock.now();
        let some = titles.into_iter().take(limit as usize);
        Ok(some.map(|(_, title)| state.title_record(title, now)).collect())
    }

    async fn events(&self, tenant: &Tenant, title: &TitleId) -> Result<Vec<Event>, CatalogError> {
        let state = self.state();
        let id = state.title_id(tenant, title);
        Ok(id.map_or(vec![], |id| state.titles[&id].events.clone()))
    }

    async fn package(&self, package: &PackageId) -> Result<Option<PackageRecord>, CatalogError> {
        let state = self.state();
        Ok(state.find_package(package).map(|p| PackageRecord {
            codecs: p.codecs.clone().into_iter().collect(),
            seen: Seen::of(p.seen.values().cloned()),
            ..p.record.clone()
        }))
    }

    async fn making(&self, package: &PackageId) -> Result<Option<Making>, CatalogError> {
        Ok(self.state().making(package))
    }

    async fn last_words(&self, package: &PackageId) -> Result<Option<String>, CatalogError> {
        Ok(self.state().find_package(package).and_then(|p| p.last_words.clone()))
    }

    async fn objects(&self, package: &PackageId) -> Result<Vec<Object>, CatalogError> {
        let state = self.state();
        let objects = state.find_package(package).map(|p| p.objects.values().cloned().collect());
        Ok(objects.unwrap_or_default())
    }

    async fn packages_of(
        &self,
        tenant: &Tenant,
        master: Sha256,
        pipeline: Sha256,
    ) -> Result<Vec<(PackageId, bool)>, CatalogError> {
        let state = self.state();
        let made_of_it = |p: &&Package| {
            let plan = p.record.plan.as_ref();
            &p.id.tenant == tenant
                && plan
                    .is_some_and(|plan| (plan.master, plan.pipeline.sha256) == (master, pipeline))
        };
        let packages = state.packages.values().rev().filter(made_of_it);
        Ok(packages.map(|p| (p.id.clone(), p.published)).collect())
    }

    async fn claim(&self, offer: &Offer, lease_ms: i64) -> Result<Option<Claimed>, CatalogError> {
        Ok(self.state().claim(offer, lease_ms, self.clock.now()))
    }

    async fn renew(
        &self,
        lease: &Lease,
        lease_ms: i64,
        frames_done: u64,
    ) -> Result<Lease, CatalogError> {
        self.state().renew(lease, lease_ms, frames_done, self.clock.now())
    }

    async fn complete(&self, lease: &Lease, outcome: &Outcome) -> Result<(), CatalogError> {
        self.state().complete(lease, outcome, self.clock.now())
    }

    async fn fail(&self, lease: &Lease, failure: &Failure) -> Result<(), CatalogError> {
        self.state().fail(lease, failure, self.clock.now())
    }

    async fn release(&self, lease: &Lease) -> Result<(), CatalogError> {
        self.state().release(lease, self.clock.now())
    }

    async fn end_all_leases(&self) -> Result<u64, CatalogError> {
        Ok(self.state().end_all_leases(self.clock.now()))
    }

    async fn steer(
        &self,
        tenant: &Tenant,
        title: &TitleId,
        order: Order,
    ) -> Result<Answer, CatalogError> {
        Ok(self.state().steer(tenant, title, order, self.clock.now()))
    }

    async fn steer_task(
        &self,
        tenant: &Tenant,
        task: i64,
        order: TaskOrder,
    ) -> Result<Answer, CatalogError> {
        Ok(self.state().steer_task(tenant, task, order, self.clock.now()))
    }

    async fn tasks(
        &self,
        tenant: &Tenant,
        filter: &TaskFilter,
        limit: u32,
    ) -> Result<Vec<TaskRecord>, CatalogError> {
        Ok(self.state().list_tasks(tenant, filter, limit, self.clock.now()))
    }

    async fn enlist(&self, worker: &Worker) -> Result<String, CatalogError> {
        Ok(self.state().enlist(worker, self.clock.now()))
    }

    async fn beat(
        &self,
        name: &str,
        instance: &str,
        state: WorkerState,
    ) -> Result<bool, CatalogError> {
        Ok(self.state().beat(name, instance, state, self.clock.now()))
    }

    async fn workers(&self) -> Result<Vec<WorkerRecord>, CatalogError> {
        Ok(self.state().list_workers(self.clock.now()))
    }

    async fn take_duty(
        &self,
        duty: Duty,
        instance: &str,
        lease_ms: i64,
    ) -> Result<bool, CatalogError> {
        Ok(self.state().take_duty(duty, instance, lease_ms, self.clock.now()))
    }

    async fn leave_duty(&self, duty: Duty, instance: &str) -> Result<(), CatalogError> {
        self.state().leave_duty(duty, instance);
        Ok(())
    }

    async fn note(&self, package: &PackageId, look: &Look) -> Result<(), CatalogError> {
        self.state().note(package, look, self.clock.now())
    }

    async fn incidents(
        &self,
        tenant: &Tenant,
        title: Option<&TitleId>,
        closed_too: bool,
        limit: u32,
    ) -> Result<Vec<Incident>, CatalogError> {
        let state = self.state();
        let wanted = state.incidents.iter().filter(|i| {
            i.package.tenant == *tenant
                && title.is_none_or(|title| i.package.title == *title)
                && (closed_too || i.closed.is_none())
        });
        Ok(wanted.take(limit as usize).cloned().collect())
    }

    async fn incidents_of(
        &self,
        tenant: &Tenant,
        origin: &str,
        object: &str,
    ) -> Result<Vec<Incident>, CatalogError> {
        let state = self.state();
        let open = state.incidents.iter().filter(|i| {
            i.closed.is_none()
                && i.package.tenant == *tenant
                && (i.finding.origin.as_str(), i.finding.object.as_str()) == (origin, object)
        });
        Ok(open.cloned().collect())
    }

    async fn heal(&self, package: &PackageId) -> Result<bool, CatalogError> {
        Ok(self.state().heal(package, self.clock.now()))
    }

    async fn roll_back(&self, package: &PackageId) -> Result<bool, CatalogError> {
        Ok(self.state().roll_back(package, self.clock.now()))
    }

    async fn is_busy(&self, package: &PackageId) -> Result<bool, CatalogError> {
        Ok(self.state().is_busy(package))
    }

    async fn archive(&self, package: &PackageId) -> Result<bool, CatalogError> {
        Ok(self.state().archive(package, self.clock.now()))
    }

    async fn master(
        &self,
        tenant: &Tenant,
        sha256: Sha256,
    ) -> Result<Option<MasterRecord>, CatalogError> {
        Ok(self.state().master(tenant, sha256))
    }

    async fn masters(
        &self,
        tenant: &Tenant,
        after: Option<Sha256>,
        limit: u32,
    ) -> Result<Vec<MasterRecord>, CatalogError> {
        Ok(self.state().masters(tenant, after, limit))
    }

    async fn keep_copy(&self, tenant: &Tenant, copy: &MasterCopy) -> Result<(), CatalogError> {
        let found = (copy.clone(), None);
        self.state().copies.entry((tenant.to_string(), copy.sha256)).or_insert(found);
        Ok(())
    }

    async fn holdings(
        &self,
        tenant: &Tenant,
        after: Option<&str>,
        limit: u32,
    ) -> Result<Vec<Holding>, CatalogError> {
        let state = self.state();
        let titles = state.titles.iter().filter(|(_, t)| &t.tenant == tenant);
        let mut all: Vec<Holding> = titles.map(|(id, t)| state.holding(*id, t)).collect();
        all.sort_by_key(Holding::prefix);
        all.retain(|holding| after.is_none_or(|after| holding.prefix().as_str() > after));
        all.truncate(limit as usize);
        Ok(all)
    }

    async fn holding(
        &self,
        tenant: &Tenant,
        title: &TitleId,
    ) -> Result<Option<Holding>, CatalogError> {
        let state = self.state();
        let id = state.title_id(tenant, title);
        Ok(id.map(|id| state.holding(id, &state.titles[&id])))
    }

    async fn checkpoint(&self, name: &str) -> Result<Option<(String, Timestamp)>, CatalogError> {
        Ok(self.state().checkpoints.get(name).cloned())
    }

    async fn keep_checkpoint(&self, name: &str, text: Option<&str>) -> Result<(), CatalogError> {
        let now = self.clock.now();
        let checkpoints = &mut self.state().checkpoints;
        match text {
            Some(text) => drop(checkpoints.insert(name.to_owned(), (text.to_owned(), now))),
            None => drop(checkpoints.remove(name)),
        }
        Ok(())
    }

    async fn condemn(&self, seen: &Holding, versions: &[Version]) -> Result<bool, CatalogError> {
        self.state().condemn(seen, versions)
    }

    async fn forget(&self, package: &PackageId) -> Result<(), CatalogError> {
        self.state().forget(package, self.clock.now())
    }

    async fn take(&self, package: &PackageId) -> Result<(), CatalogError> {
        self.state().take(package);
        Ok(())
    }

    async fn restore(&self, restored: &Restored) -> Result<(), CatalogError> {
        self.state().restore(restored, self.clock.now())
    }

    async fn profile(
        &self,
        origin: &str,
        settings: &str,
    ) -> Result<Option<(Profile, Timestamp)>, CatalogError> {
        let state = self.state();
        let kept = state.profiles.get(origin).filter(|(with, ..)| with == settings);
        Ok(kept.map(|(_, profile, at)| (profile.clone(), *at)))
    }

    async fn keep_profile(
        &self,
        origin: &str,
        settings: &str,
        profile: &Profile,
    ) -> Result<(), CatalogError> {
        let kept = (settings.to_owned(), profile.clone(), self.clock.now());
        self.state().profiles.insert(origin.to_owned(), kept);
        Ok(())
    }
}

#[cfg(test)]
mod tests;
