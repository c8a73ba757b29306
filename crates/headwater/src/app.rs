//! The only place where adapters meet the engine.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, bail};
use headwater_catalog::{PostgresCatalog, SqliteCatalog};
use headwater_engine::{Config as EngineConfig, Engine, Ports, Stores};
use headwater_media::ChildTranscoder;
use headwater_model::key::ObjectKey;
use headwater_model::pipeline::Pipeline;
use headwater_model::process::Role;
use headwater_model::refusal::{Code, Refusal};
use headwater_model::time::Timestamp;
use headwater_model::worker::{Worker, WorkerState};
use headwater_origin::{RemoteMasters, S3Settings};
use headwater_ports::catalog::{Catalog, CatalogError};
use headwater_ports::clock::Clock;
use headwater_ports::masters::Masters;
use headwater_ports::origin::Origin;
use headwater_ports::transcoder::Transcoder;
use rustix::fs::FlockOperation;
use tracing::{info, warn};

use crate::config::{Config, OriginKind};
use crate::machine;
use crate::origins::{self, Need, Opened};

/// How long a claim lasts unless it is renewed. It has to outlast a pause of the machine; what a process had that was
/// killed is done by others when it is over, and at once when no other process is alive and one starts.
const LEASE: Duration = Duration::from_secs(30);

/// The same where a database is shared: it has to outlast a fail-over, too.
const SHARED_LEASE: Duration = Duration::from_secs(90);

/// For longer than this no look at the lock takes.
const LOOK: Duration = Duration::from_millis(50);

/// Time between two tries to reach a database that is away.
const AGAIN: Duration = Duration::from_secs(1);

/// The catalog's file in a data folder.
const CATALOG: &str = "catalog.db";

/// Connections to a shared database of a command that only asks.
const ASKING: u32 = 2;

/// How long a service waits for one that has the data folder to itself: others that start have it while they end the
/// claims of the dead.
const JOIN: Duration = Duration::from_secs(10);

/// Everything that commands work with.
pub(crate) struct App {
    pub(crate) config: Config,
    pub(crate) catalog: Arc<dyn Catalog>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) origins: Vec<Opened>,
    pub(crate) stores: Stores,
    pub(crate) engine: Engine,
    /// What this process is called in the catalog.
    pub(crate) worker: String,
}

/// The right to work on this data folder, beside others or alone. Given back when it goes, even by SIGKILL.
#[derive(Debug)]
pub(crate) struct Workplace {
    _lock: File,
}

struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the one clock of the process")]
    fn now(&self) -> Timestamp {
        let ms = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_millis());
        Timestamp(i64::try_from(ms).unwrap_or(i64::MAX))
    }
}

impl App {
    /// Opens what is there: without a catalog there is nothing to ask about, and none is made. Origins that are not as
    /// needed are an error, told before anything is done for them.
    pub(crate) async fn open(config: Config, need: Need) -> anyhow::Result<Self> {
        has_catalog(&config)?;
        Self::open_or_make(config, need).await
    }

    /// The same for a command that waits for work to be done: while the database is away, now or later, it waits for that.
    pub(crate) async fn open_patiently(config: Config, need: Need) -> anyhow::Result<Self> {
        has_catalog(&config)?;
        let config = with_few_connections(config, &need);
        Ok(Self::open_in_time(config, need).await?.patient())
    }

    /// Opens what the configuration names, making catalog and folders that are not there yet.
    pub(crate) async fn open_or_make(config: Config, need: Need) -> anyhow::Result<Self> {
        Self::open_as(with_few_connections(config, &need), need, false).await
    }

    /// The same for a service: it waits for a database that is away, however long it takes.
    pub(crate) async fn open_in_time(config: Config, need: Need) -> anyhow::Result<Self> {
        Self::open_as(config, need, true).await
    }

    /// The same for whoever waits: a database that goes away is waited for, too.
    pub(crate) fn patient(self) -> Self {
        Self { catalog: self.catalog.clone().patient(), ..self }
    }

    async fn open_as(config: Config, need: Need, waits: bool) -> anyhow::Result<Self> {
        // The catalog must not depend on where this process was started.
        let data = std::path::absolute(&config.data_dir).context("find the data folder")?;
        std::fs::create_dir_all(&data)
            .with_context(|| format!("make the data folder `{}`", data.display()))?;
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let (catalog, known) = if waits {
            let catalog = wait_for_catalog(&config, &data, clock.clone()).await?;
            (catalog.clone(), catalog.patient())
        } else {
            let catalog = open_catalog(&config, &data, clock.clone()).await?;
            (catalog.clone(), catalog)
        };
        let origins = origins::open_all(&config, &*known, &*clock, &need).await?;
        let opened: Vec<Arc<dyn Origin>> = origins.iter().map(Opened::origin).collect();
        let stores = Stores::new(&opened, config.policy.clone())?;
        let stores = stores.with_edges(origins::edges(&config)?);
        let folder = config.pipelines_dir.clone();
        let ports = Ports {
            catalog: catalog.clone(),
            stores: stores.clone(),
            masters: masters(&config),
            transcoder: transcoder(&config)?,
            pipelines: Arc::new(move |name: &str| pipeline(folder.as_deref(), name)),
        };
        let worker = config.worker.name.clone().unwrap_or_else(machine::worker_name);
        let engine = Engine::new(
            ports,
            EngineConfig {
                worker: worker.clone(),
                pool: config.worker.pool.clone(),
                spool: data.join("spool"),
                retrieved: data.join("retrieved"),
                slots: config.worker.slots.get(),
                memory_mb: machine::memory_mib().and_then(|mib| u32::try_from(mib).ok()),
                memory_mb_each: config
                    .worker
                    .transcoder
                    .memory_mb
                    .map(|mb| u32::try_from(mb).unwrap_or(u32::MAX)),
                drain: config.worker.drain,
                lease: config.worker.lease.unwrap_or(match config.database {
                    Some(_) => SHARED_LEASE,
                    None => LEASE,
                }),
            },
        );
        Ok(Self { config, clock, catalog, origins, stores, engine, worker })
    }

    /// Where the catalog is, for people.
    pub(crate) fn place(&self) -> String {
        match &self.config.database {
            Some(database) => format!("the database at `{}`", database.place()),
            None => format!("the data folder `{}`", self.config.data_dir.display()),
        }
    }

    /// Where players find an object: on the origin that the policy names first.
    pub(crate) fn address(&self, key: &ObjectKey) -> Option<String> {
        self.stores.iter().next().map(|origin| origin.address(key))
    }

    /// Takes the right to work here beside others. Whoever comes first ends the claims of the dead.
    pub(crate) async fn join_workplace(&self) -> anyhow::Result<Workplace> {
        let began = tokio::time::Instant::now();
        loop {
            // Where a database is shared, whoever comes first here may be the last of many.
            if self.config.database.is_none()
                && let Some(workplace) = self.take_workplace().await?
            {
                return Ok(workplace);
            }
            let (lock, path) = self.open_lock()?;
            if is_locked(&lock, &path, FlockOperation::NonBlockingLockShared)? {
                return Ok(Workplace { _lock: lock });
            }
            if began.elapsed() > JOIN {
                bail!(
                    "another headwater has `{}` to itself, as one does that rebuilds the catalog\nhint: try again when it is done",
                    self.config.data_dir.display()
                );
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Takes the right to work here, or `None` when another process has it. Others may join later.
    pub(crate) async fn take_workplace(&self) -> anyhow::Result<Option<Workplace>> {
        if self.config.database.is_some() {
            if self.is_attended().await? || self.rebuilt_from().await?.is_some() {
                return Ok(None);
            }
            let (lock, path) = self.open_lock()?;
            let joined = is_locked(&lock, &path, FlockOperation::NonBlockingLockShared)?;
            return Ok(joined.then_some(Workplace { _lock: lock }));
        }
        let Some(workplace) = self.take_workplace_alone().await? else { return Ok(None) };
        // The kernel may let somebody else in between, who then is as alone as we were.
        let (lock, path) = (&workplace._lock, self.lock_path());
        let stays = is_locked(lock, &path, FlockOperation::NonBlockingLockShared)?;
        Ok(stays.then_some(workplace))
    }

    /// The same, and nobody joins as long as this lasts. Whoever worked here before is dead, so its claims end now. On a
    /// database, others may work from other folders: [`App::present`] says who does.
    pub(crate) async fn take_workplace_alone(&self) -> anyhow::Result<Option<Workplace>> {
        let (lock, path) = self.open_lock()?;
        if !is_locked(&lock, &path, FlockOperation::NonBlockingLockExclusive)? {
            // Somebody works here, or only looks whether anybody does.
            tokio::time::sleep(LOOK).await;
            if !is_locked(&lock, &path, FlockOperation::NonBlockingLockExclusive)? {
                return Ok(None);
            }
        }
        if self.config.database.is_none() {
            self.catalog.end_all_leases().await.context("end the claims of an earlier run")?;
        }
        Ok(Some(Workplace { _lock: lock }))
    }

    /// Takes a role that one process has at a time, or `None` when another one has it: for a data folder with a catalog of
    /// its own.
    pub(crate) fn take_role(&self, role: Role) -> anyhow::Result<Option<Workplace>> {
        let path = self.config.data_dir.join(format!("{role}.lock"));
        let lock = File::create(&path).with_context(|| format!("open `{}`", path.display()))?;
        let taken = is_locked(&lock, &path, FlockOperation::NonBlockingLockExclusive)?;
        Ok(taken.then_some(Workplace { _lock: lock }))
    }

    /// Whether some process works on this catalog, here or elsewhere. Changes nothing.
    pub(crate) async fn is_workplace_taken(&self) -> anyhow::Result<bool> {
        if self.config.database.is_some() {
            return self.is_attended().await;
        }
        let path = self.lock_path();
        match File::open(&path) {
            Ok(lock) => Ok(!is_locked(&lock, &path, FlockOperation::NonBlockingLockExclusive)?),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error).with_context(|| format!("open `{}`", path.display())),
        }
    }

    /// Whether anybody has been heard of lately who works on the shared database.
    async fn is_attended(&self) -> anyhow::Result<bool> {
        Ok(self.present().await?.iter().any(|worker| !worker.roles.is_empty()))
    }

    /// The processes that have been heard of lately on this catalog, those without tasks included.
    pub(crate) async fn present(&self) -> anyhow::Result<Vec<Worker>> {
        let workers = self.catalog.workers().await.context("look who works on the database")?;
        let is_there = |state| matches!(state, WorkerState::Alive | WorkerState::Draining);
        let there = workers.into_iter().filter(|record| is_there(record.state));
        Ok(there.map(|record| record.worker).collect())
    }

    /// The origin that a catalog on a shared database is being rebuilt from.
    async fn rebuilt_from(&self) -> anyhow::Result<Option<String>> {
        let catalog = self.catalog.clone().patient();
        Ok(headwater_engine::rebuild::source(&*catalog, &self.config.tenant).await?)
    }

    /// Waits until nobody rebuilds the catalog on a shared database: whoever worked meanwhile would take what is not there
    /// yet for lost. In a data folder, the lock on it says so.
    pub(crate) async fn wait_for_rebuild(&self) -> anyhow::Result<()> {
        let mut told = false;
        while self.config.database.is_some()
            && let Some(origin) = self.rebuilt_from().await?
        {
            if !told {
                warn!(
                    "the catalog is being rebuilt from origin {origin}; waiting for that (where it was stopped, `headwater catalog rebuild --origin {origin}` ends it)"
                );
                told = true;
            }
            tokio::time::sleep(AGAIN).await;
        }
        Ok(())
    }

    fn lock_path(&self) -> PathBuf {
        self.config.data_dir.join("service.lock")
    }

    fn open_lock(&self) -> anyhow::Result<(File, PathBuf)> {
        let path = self.lock_path();
        let lock = File::create(&path).with_context(|| format!("open `{}`", path.display()))?;
        Ok((lock, path))
    }
}

/// Refuses a data folder in which there is no catalog: a folder that was mistyped would be answered for as one in which
/// nothing is wrong.
fn has_catalog(config: &Config) -> anyhow::Result<()> {
    let folder = &config.data_dir;
    if config.database.is_none() && !folder.join(CATALOG).exists() {
        bail!(
            "there is no catalog in `{}`: nothing was ever queued there\nhint: --data-dir names another data folder, HEADWATER_DATABASE a shared database; `headwater up` and `headwater ingest` make a catalog",
            folder.display()
        );
    }
    Ok(())
}

/// What a command takes of the connections that a shared database has. Whoever is to publish does the work of the queue
/// itself, when nobody else does.
fn with_few_connections(mut config: Config, need: &Need) -> Config {
    if *need != Need::Publishing {
        config.database = config.database.map(|it| it.connections(ASKING));
    }
    config
}

/// The catalog: a database that is shared, or a file in the data folder.
async fn open_catalog(
    config: &Config,
    data: &Path,
    clock: Arc<dyn Clock>,
) -> anyhow::Result<Arc<dyn Catalog>> {
    if let Some(database) = &config.database {
        let opened = PostgresCatalog::connect(database).await;
        let place = database.place();
        if let Err(error @ CatalogError::TurnedAway { .. }) = opened {
            bail!(
                "open the catalog at `{place}`: {error}\nhint: check user and database in HEADWATER_DATABASE (or `database` in headwater.toml), and HEADWATER_DATABASE_PASSWORD"
            );
        }
        return Ok(Arc::new(opened.with_context(|| format!("open the catalog at `{place}`"))?));
    }
    let opened = SqliteCatalog::open(&data.join(CATALOG), clock).await;
    Ok(Arc::new(opened.with_context(|| format!("open the catalog in `{}`", data.display()))?))
}

/// The same once its database is there. What a server refuses, a password or the name of a database, it will refuse later
/// too, and is an error.
async fn wait_for_catalog(
    config: &Config,
    data: &Path,
    clock: Arc<dyn Clock>,
) -> anyhow::Result<Arc<dyn Catalog>> {
    let mut told = false;
    loop {
        let error = match open_catalog(config, data, clock.clone()).await {
            Ok(catalog) => {
                if told {
                    info!("the database is there");
                }
                return Ok(catalog);
            }
            Err(error) => error,
        };
        let (Some(CatalogError::Away { source }), Some(database)) =
            (error.downcast_ref(), &config.database)
        else {
            return Err(error);
        };
        if !told {
            let place = database.place();
            warn!(place, "the database cannot be reached: {source}; waiting for it");
            told = true;
        }
        tokio::time::sleep(AGAIN).await;
    }
}

/// What looks at masters and makes segments: this program again, each time with a folder of its own.
pub(crate) fn transcoder(config: &Config) -> anyhow::Result<Arc<dyn Transcoder>> {
    // Children must not depend on where this process was started.
    let data = std::path::absolute(&config.data_dir).context("find the data folder")?;
    let jobs = data.join("jobs");
    std::fs::create_dir_all(&jobs).with_context(|| format!("make `{}`", jobs.display()))?;
    let executable = std::env::current_exe().context("find this program")?;
    Ok(Arc::new(ChildTranscoder::new(executable, jobs, config.worker.transcoder)))
}

/// Where masters can be read from that are no files: buckets that are named for it, then all others that are configured,
/// and web servers. Asks nobody.
pub(crate) fn masters(config: &Config) -> Arc<dyn Masters> {
    let others = config.origins.iter().filter_map(|origin| match &origin.kind {
        OriginKind::S3(settings) => Some(settings),
        OriginKind::Directory { .. } => None,
    });
    let buckets: Vec<S3Settings> = config.masters.iter().chain(others).cloned().collect();
    Arc::new(RemoteMasters::new(buckets))
}

/// Locks the file for as long as it is open, unless another process keeps that from being done.
fn is_locked(file: &File, path: &Path, how: FlockOperation) -> anyhow::Result<bool> {
    match rustix::fs::flock(file, how) {
        Ok(()) => Ok(true),
        Err(rustix::io::Errno::WOULDBLOCK) => Ok(false),
        Err(error) => Err(error).with_context(|| format!("lock `{}`", path.display())),
    }
}

/// The pipeline of that name: a file that the name is the path of, else one in `folder`, else one that is shipped.
pub(crate) fn pipeline(folder: Option<&Path>, name: &str) -> Result<Pipeline, Refusal> {
    let refuse = |why: String| Refusal::new(Code::PipelineMismatch, why);
    let read = |path: &Path| {
        let text = std::fs::read_to_string(path).map_err(|e| {
            refuse(format!("the pipeline file `{}` cannot be read: {e}", path.display()))
        })?;
        parse(&path.display().to_string(), &text)
    };
    if name.ends_with(".toml") {
        return read(Path::new(name));
    }
    if let Some(path) = folder.map(|f| f.join(format!("{name}.toml"))).filter(|p| p.exists()) {
        return read(&path);
    }
    if let Some(shipped) = headwater_spec::SHIPPED.iter().find(|s| s.name() == name) {
        return parse(shipped.file, shipped.text);
    }
    let known = names(folder);
    let hint = headwater_spec::nearest(name, known.iter().map(String::as_str));
    let hint = hint.map_or_else(
        || format!("known are: {}", known.join(", ")),
        |near| format!("did you mean `{near}`?"),
    );
    Err(refuse(format!("there is no pipeline `{name}` ({hint})")))
}

fn parse(file: &str, text: &str) -> Result<Pipeline, Refusal> {
    headwater_spec::pipeline(file, text).map_err(|problems| {
        let first = problems.first().map_or_else(String::new, |p| {
            format!("{}:{}:{}: {}", p.file, p.line, p.column, p.message)
        });
        Refusal::new(Code::PipelineMismatch, format!("the pipeline file is not valid: {first}"))
    })
}

/// Names of all pipelines that can be used, shipped ones included.
pub(crate) fn names(folder: Option<&Path>) -> Vec<String> {
    let own = folder.and_then(|f| std::fs::read_dir(f).ok()).into_iter().flatten().flatten();
    let own = own
        .map(|entry| entry.path())
        .filter(|p: &PathBuf| p.extension().is_some_and(|e| e == "toml"));
    let own = own.filter_map(|p| p.file_stem().map(|s| s.to_string_lossy().into_owned()));
    let mut names: Vec<String> =
        own.chain(headwater_spec::SHIPPED.iter().map(|s| s.name().to_owned())).collect();
    names.sort();
    names.dedup();
    names
}
