//! Uploads a package and proves it, as the product does before it publishes: hashes were computed when the files were
//! made, and nothing counts before the origin itself was asked about every object.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, ensure};
use async_trait::async_trait;
use bytes::Bytes;
use futures_util::stream::{self, StreamExt, TryStreamExt};
use headwater_catalog::SqliteCatalog;
use headwater_engine::{Config, Engine, Ports, Stores};
use headwater_model::id::Tenant;
use headwater_model::inventory::ObjectRole;
use headwater_model::key::{INVENTORY_NAME, ObjectKey, PLAN_NAME};
use headwater_model::origin::Policy;
use headwater_model::plan::Plan;
use headwater_model::refusal::{Code, Refusal};
use headwater_model::time::Timestamp;
use headwater_packaging::inventory;
use headwater_ports::catalog::Catalog;
use headwater_ports::clock::Clock;
use headwater_ports::masters::{FilesOnly, Input};
use headwater_ports::origin::Origin;
use headwater_ports::transcoder::{Done, Inspection, Part, Report, TranscodeError, Transcoder};
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio::task::spawn_blocking;

use crate::package::{self, Package};
use crate::target::{NAME, Target};
use crate::write::{TENANT, put};

/// Files that go up at once: what two workers of the product have in flight.
const IN_FLIGHT: usize = 8;

/// Uploads and proves.
pub(crate) async fn upload(target: &Target, dir: &Path) -> Result<Value> {
    let tenant: Tenant = TENANT.parse()?;
    let package = read_back(dir, &tenant)?;
    let origin: Arc<dyn Origin> = Arc::new(target.origin().await?);
    let stores = Stores::new(std::slice::from_ref(&origin), Policy::of_one(NAME))?;
    let work = tempfile::tempdir().context("make a folder for the catalog")?;
    let catalog = SqliteCatalog::open(&work.path().join("catalog.db"), Arc::new(Now)).await?;
    catalog.restore(&package.restored).await?;
    let engine = engine(catalog, stores, work.path());

    let began = Instant::now();
    let stored = store(&*origin, dir, &package).await?;
    let (upload, began) = (began.elapsed(), Instant::now());
    let proofs = engine.verify(&tenant, &package.id.title, None).await?;
    let verify = began.elapsed();
    for proof in &proofs {
        let first = proof.findings.first();
        ensure!(first.is_none(), "{} findings, such as {first:?}", proof.findings.len());
    }
    ensure!(proofs.len() == 1, "the package was proven on {} origins", proofs.len());
    Ok(json!({
        "objects": stored,
        "upload_seconds": upload.as_secs_f64(),
        "verify_seconds": verify.as_secs_f64(),
    }))
}

/// What was made as files below `dir`, by its inventory and plan: the segments are not read.
fn read_back(dir: &Path, tenant: &Tenant) -> Result<Package> {
    let id = package::id(tenant, 0)?;
    let read = |name: &str| {
        let file = file_of(dir, &id.key(name));
        fs::read(&file).with_context(|| format!("read `{}`", file.display()))
    };
    let plan: Plan = serde_json::from_slice(&read(PLAN_NAME)?).context("understand the plan")?;
    let inventory = inventory::read(&read(INVENTORY_NAME)?)?;
    let is_media =
        |role: &ObjectRole| matches!(role, ObjectRole::Init { .. } | ObjectRole::Segment { .. });
    let media = inventory.objects.into_iter().filter(|object| is_media(&object.role)).collect();
    Package::seal(id, &plan, media)
}

fn file_of(dir: &Path, key: &ObjectKey) -> PathBuf {
    dir.join(key.as_str())
}

/// Stores everything, the segments first, and says how many objects that are.
async fn store(origin: &dyn Origin, dir: &Path, package: &Package) -> Result<usize> {
    let plan = package.restored.packages.first().and_then(|it| it.record.plan.as_ref());
    let plan = plan.context("the package has no plan")?;
    let inventory = read_inventory(package)?;
    let by_path = |path: &str| inventory.objects.iter().find(|object| object.path == path);
    let media: Vec<_> = package::media(plan)
        .into_iter()
        .map(|(path, _)| by_path(&path).with_context(|| format!("`{path}` was not made")))
        .collect::<Result<_>>()?;
    let puts = media.into_iter().map(|object| async move {
        let key = package.id.key(&object.path);
        let file = file_of(dir, &key);
        let body = spawn_blocking(move || fs::read(file)).await??;
        origin.put(put(key, object, Bytes::from(body))).await?;
        anyhow::Ok(())
    });
    let puts: Vec<_> = puts.collect();
    let stored = puts.len() + package.texts.len();
    stream::iter(puts).buffer_unordered(IN_FLIGHT).try_collect::<()>().await?;
    for (key, object, text) in &package.texts {
        origin.put(put(key.clone(), object, text.clone())).await?;
    }
    Ok(stored)
}

fn read_inventory(package: &Package) -> Result<headwater_model::inventory::Inventory> {
    let found = package.texts.iter().find(|(key, ..)| key.name() == INVENTORY_NAME);
    let (_, _, text) = found.context("the package has no inventory")?;
    Ok(inventory::read(text)?)
}

/// An engine that proves what others have made.
fn engine(catalog: SqliteCatalog, stores: Stores, work: &Path) -> Engine {
    let no_pipelines =
        |_: &str| Err(Refusal::new(Code::PipelineMismatch, "nothing is transcoded here"));
    let ports = Ports {
        catalog: Arc::new(catalog),
        stores,
        masters: Arc::new(FilesOnly),
        transcoder: Arc::new(Nothing),
        pipelines: Arc::new(no_pipelines),
    };
    let config = Config {
        worker: "load".to_owned(),
        pool: "cpu".to_owned(),
        spool: work.join("spool"),
        retrieved: work.join("retrieved"),
        slots: 1,
        memory_mb: None,
        memory_mb_each: None,
        drain: std::time::Duration::ZERO,
        lease: std::time::Duration::from_secs(30),
    };
    Engine::new(ports, config)
}

struct Now;

impl Clock for Now {
    #[expect(clippy::disallowed_methods, reason = "the one clock of the process")]
    fn now(&self) -> Timestamp {
        let ms = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_millis());
        Timestamp(i64::try_from(ms).unwrap_or(i64::MAX))
    }
}

/// A transcoder for an engine that is never asked to transcode.
struct Nothing;

impl Nothing {
    fn refusal<T>() -> Result<T, TranscodeError> {
        let why = "nothing is transcoded here";
        Err(TranscodeError::Refused(Refusal::new(Code::TranscoderFailed, why)))
    }
}

#[async_trait]
impl Transcoder for Nothing {
    async fn engine(&self) -> Result<String, TranscodeError> {
        Self::refusal()
    }

    async fn encoders(&self) -> Result<BTreeSet<String>, TranscodeError> {
        Ok(BTreeSet::new())
    }

    async fn inspect(&self, _master: &Input) -> Result<Inspection, TranscodeError> {
        Self::refusal()
    }

    async fn make(
        &self,
        _master: &Input,
        _plan: &Plan,
        _part: Part,
        _spool: &Path,
        _reports: mpsc::Sender<Report>,
    ) -> Result<Done, TranscodeError> {
        Self::refusal()
    }
}
