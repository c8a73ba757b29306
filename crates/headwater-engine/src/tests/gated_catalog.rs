//! A catalog with a gate in front: a chosen call is never answered, or some calls fail.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

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
use headwater_model::steering::{Answer, Order, TaskFilter, TaskOrder, TaskRecord};
use headwater_model::task::{Claimed, Failure, Lease, NewTitle, Outcome};
use headwater_model::time::Timestamp;
use headwater_model::worker::{Duty, Worker, WorkerRecord, WorkerState};
use headwater_ports::catalog::{Catalog, CatalogError, SeenFile, Submitted};
use headwater_testkit::memory_catalog::MemoryCatalog;
use tokio::sync::{Mutex, MutexGuard, Notify};
use tokio::time::sleep;

/// What happens at the gate.
pub(crate) enum Gate {
    /// The call of this number, from 0, and all after it are not made; the bell rings. Claims and renewals pass.
    ClosesBefore(usize, Arc<Notify>),
    /// That call is made, and its answer never arrives; the bell rings.
    ClosesAfter(usize, Arc<Notify>),
    /// Calls of this method fail this many times.
    Fails(&'static str, usize),
    /// The database is away for this many calls of this method.
    Away(&'static str, usize),
    /// Calls of this method are never answered.
    Hangs(&'static str),
    /// Calls of this method fail from this number on, from 0.
    FailsFrom(&'static str, usize),
    /// They are never answered from this number on.
    HangsFrom(&'static str, usize),
    /// Calls of this method panic.
    Panics(&'static str),
    /// There is one connection. A call has it until whoever asked has heard the answer, which takes a moment.
    OneConnection(Mutex<()>),
}

pub(crate) struct GatedCatalog {
    inner: Arc<MemoryCatalog>,
    gate: Arc<Gate>,
    calls: Arc<AtomicUsize>,
    is_patient: bool,
}

impl GatedCatalog {
    pub(crate) fn new(inner: Arc<MemoryCatalog>, gate: Gate) -> Arc<Self> {
        let (gate, calls) = (Arc::new(gate), Arc::default());
        Arc::new(Self { inner, gate, calls, is_patient: false })
    }

    async fn before(&self, method: &str) -> Result<usize, CatalogError> {
        let counts = match &*self.gate {
            // How often these are called depends on how long the machine takes.
            Gate::ClosesBefore(..) | Gate::ClosesAfter(..) => {
                !["claim", "renew", "enlist", "beat"].contains(&method)
            }
            Gate::Fails(chosen, _)
            | Gate::Away(chosen, _)
            | Gate::FailsFrom(chosen, _)
            | Gate::HangsFrom(chosen, _) => *chosen == method,
            Gate::Hangs(hanging) if *hanging == method => std::future::pending().await,
            Gate::Panics(broken) if *broken == method => panic!("the catalog's fault"),
            Gate::Hangs(_) | Gate::Panics(_) | Gate::OneConnection(_) => false,
        };
        if !counts {
            return Ok(usize::MAX);
        }
        let call = self.calls.fetch_add(1, Ordering::SeqCst);
        match &*self.gate {
            Gate::ClosesBefore(n, bell) if call >= *n => ring(bell).await,
            // Calls of other tasks after the one that is never answered.
            Gate::ClosesAfter(n, bell) if call > *n => ring(bell).await,
            Gate::HangsFrom(_, first) if call >= *first => std::future::pending().await,
            Gate::Fails(_, times) if call < *times => Err(broken()),
            Gate::FailsFrom(_, first) if call >= *first => Err(broken()),
            Gate::Away(_, times) if call < *times => {
                Err(CatalogError::Away { source: "nobody answers".into() })
            }
            _ => Ok(call),
        }
    }

    async fn connection(&self) -> Option<MutexGuard<'_, ()>> {
        let Gate::OneConnection(connection) = &*self.gate else { return None };
        let connection = connection.lock().await;
        sleep(Duration::from_millis(1)).await;
        Some(connection)
    }

    async fn after(&self, call: usize) {
        if let Gate::ClosesAfter(n, bell) = &*self.gate
            && call == *n
        {
            let _: usize = ring(bell).await.unwrap_or_default();
        }
    }
}

fn broken() -> CatalogError {
    CatalogError::Database { operation: "ask the database", source: "it is away".into() }
}

async fn ring(bell: &Notify) -> Result<usize, CatalogError> {
    bell.notify_one();
    std::future::pending().await
}

macro_rules! gated {
    ($($method:ident($($arg:ident: $type:ty),*) -> $out:ty;)*) => {
        #[async_trait]
        impl Catalog for GatedCatalog {
            fn patient(self: Arc<Self>) -> Arc<dyn Catalog> {
                let Self { inner, gate, calls, is_patient: _ } = &*self;
                let (inner, gate, calls) = (inner.clone(), gate.clone(), calls.clone());
                Arc::new(Self { inner, gate, calls, is_patient: true })
            }

            $(async fn $method(&self, $($arg: $type),*) -> Result<$out, CatalogError> {
                let call = loop {
                    match self.before(stringify!($method)).await {
                        Err(CatalogError::Away { .. }) if self.is_patient => {
                            sleep(Duration::from_secs(1)).await;
                        }
                        call => break call?,
                    }
                };
                let _connection = self.connection().await;
                let answer = self.inner.$method($($arg),*).await;
                self.after(call).await;
                answer
            })*
        }
    };
}

gated! {
    submit(new: &NewTitle) -> Submitted;
    knows_file(file: &SeenFile) -> bool;
    remember_file(file: &SeenFile) -> bool;
    title(tenant: &Tenant, title: &TitleId) -> Option<TitleRecord>;
    titles(tenant: &Tenant, limit: u32) -> Vec<TitleRecord>;
    events(tenant: &Tenant, title: &TitleId) -> Vec<Event>;
    package(package: &PackageId) -> Option<PackageRecord>;
    making(package: &PackageId) -> Option<Making>;
    objects(package: &PackageId) -> Vec<Object>;
    packages_of(tenant: &Tenant, master: Sha256, pipeline: Sha256) -> Vec<(PackageId, bool)>;
    claim(offer: &Offer, lease_ms: i64) -> Option<Claimed>;
    steer(tenant: &Tenant, title: &TitleId, order: Order) -> Answer;
    steer_task(tenant: &Tenant, task: i64, order: TaskOrder) -> Answer;
    tasks(tenant: &Tenant, filter: &TaskFilter, limit: u32) -> Vec<TaskRecord>;
    enlist(worker: &Worker) -> String;
    beat(name: &str, instance: &str, state: WorkerState) -> bool;
    workers() -> Vec<WorkerRecord>;
    take_duty(duty: Duty, instance: &str, lease_ms: i64) -> bool;
    leave_duty(duty: Duty, instance: &str) -> ();
    renew(lease: &Lease, lease_ms: i64, frames_done: u64) -> Lease;
    complete(lease: &Lease, outcome: &Outcome) -> ();
    fail(lease: &Lease, failure: &Failure) -> ();
    release(lease: &Lease) -> ();
    end_all_leases() -> u64;
    note(package: &PackageId, look: &Look) -> ();
    incidents(tenant: &Tenant, title: Option<&TitleId>, closed_too: bool, limit: u32) -> Vec<Incident>;
    incidents_of(tenant: &Tenant, origin: &str, object: &str) -> Vec<Incident>;
    heal(package: &PackageId) -> bool;
    roll_back(package: &PackageId) -> bool;
    is_busy(package: &PackageId) -> bool;
    archive(package: &PackageId) -> bool;
    master(tenant: &Tenant, sha256: Sha256) -> Option<MasterRecord>;
    masters(tenant: &Tenant, after: Option<Sha256>, limit: u32) -> Vec<MasterRecord>;
    keep_copy(tenant: &Tenant, copy: &MasterCopy) -> ();
    holdings(tenant: &Tenant, after: Option<&str>, limit: u32) -> Vec<Holding>;
    holding(tenant: &Tenant, title: &TitleId) -> Option<Holding>;
    checkpoint(name: &str) -> Option<(String, Timestamp)>;
    condemn(seen: &Holding, versions: &[Version]) -> bool;
    forget(package: &PackageId) -> ();
    take(package: &PackageId) -> ();
    restore(restored: &Restored) -> ();
    keep_checkpoint(name: &str, text: Option<&str>) -> ();
    profile(origin: &str, settings: &str) -> Option<(Profile, Timestamp)>;
    keep_profile(origin: &str, settings: &str, profile: &Profile) -> ();
    last_words(package: &PackageId) -> Option<String>;
}
