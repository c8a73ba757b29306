//! Scenarios: the life of titles on fakes. Time is tokio's paused clock, so an hour of leases and back-off takes no time.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use headwater_model::finding::Finding;
use headwater_model::id::{Tenant, Version};
use headwater_model::key::{ObjectKey, PackageId};
use headwater_model::life::TitleRecord;
use headwater_model::origin::{Policy, PublishRules, Verify};
use headwater_model::pipeline::Pipeline;
use headwater_model::task::{NewTitle, Role};
use headwater_model::time::Timestamp;
use headwater_ports::catalog::Catalog;
use headwater_ports::clock::Clock;
use headwater_ports::origin::{Origin, ProofGrade};
use headwater_testkit::memory_catalog::MemoryCatalog;
use headwater_testkit::memory_edge::MemoryEdge;
use headwater_testkit::memory_masters::MemoryMasters;
use headwater_testkit::memory_origin::MemoryOrigin;
use headwater_testkit::scripted_transcoder::ScriptedTranscoder;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use crate::{Config, Engine, Ports, RunError, Shutdown, Stores};

mod one_title;

mod bad_masters;

mod proofs;

mod versions;

mod collecting;

mod copies;

mod edges;

mod healing;

mod rebuilding;

mod archiving;

mod remaking;

mod replacing;

mod leases;

mod draining;

mod duties;

mod crashes;

mod drop_folder;

mod far_away;

pub(crate) mod gated_catalog;
pub(crate) mod gated_origin;

const ALL: [Role; 4] = [Role::Worker, Role::Verifier, Role::Publisher, Role::Archiver];

/// Tokio's clock, so that leases and back-off pass with it.
struct TokioClock(Instant);

impl Clock for TokioClock {
    fn now(&self) -> Timestamp {
        Timestamp(1_767_225_600_000 + i64::try_from(self.0.elapsed().as_millis()).unwrap())
    }
}

/// A whole small world. Masters are 24 s long for the transcoder: 4 segments, 2 spans, 1 audio track.
pub(crate) struct Lab {
    folder: tempfile::TempDir,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) catalog: Arc<MemoryCatalog>,
    pub(crate) origin: Arc<MemoryOrigin>,
    masters: MemoryMasters,
    transcoder: Arc<ScriptedTranscoder>,
    slots: usize,
    /// Of the machine that engines run on.
    memory_mb: Option<u32>,
    drain: Duration,
    verify: Verify,
    /// What the pipeline asks for of the origins.
    publish: PublishRules,
}

impl Lab {
    pub(crate) fn new() -> Self {
        Self::with_grade(ProofGrade::B)
    }

    fn with_grade(grade: ProofGrade) -> Self {
        let clock: Arc<dyn Clock> = Arc::new(TokioClock(Instant::now()));
        Self {
            folder: tempfile::tempdir().unwrap(),
            catalog: Arc::new(MemoryCatalog::new(clock.clone())),
            clock,
            origin: Arc::new(MemoryOrigin::new("lab").with_grade(grade).with_page(7)),
            masters: MemoryMasters::default(),
            transcoder: Arc::new(ScriptedTranscoder::new(24)),
            slots: 2,
            memory_mb: None,
            drain: Duration::from_secs(20),
            verify: Verify::Listing,
            publish: PublishRules::default(),
        }
    }

    pub(crate) fn engine(&self) -> Engine {
        self.engine_by(self.catalog.clone(), self.origin.clone())
    }

    /// An engine with another way to the origin.
    pub(crate) fn engine_on(&self, origin: Arc<dyn Origin>) -> Engine {
        self.engine_by(self.catalog.clone(), origin)
    }

    /// An engine on two origins, `second` being the name of the other, of which one has to have everything.
    pub(crate) fn on_two(&self, first: Arc<dyn Origin>, second: Arc<dyn Origin>) -> Engine {
        let policy = Policy {
            origins: vec!["lab".to_owned(), "second".to_owned()],
            required: vec![],
            min_copies: 1,
            ..Policy::of_one("lab")
        };
        let stores = Stores::new(&[first, second], policy).unwrap();
        self.engine_with(self.catalog.clone(), stores)
    }

    pub(crate) fn engine_by(&self, catalog: Arc<dyn Catalog>, origin: Arc<dyn Origin>) -> Engine {
        let policy = Policy { verify: self.verify, ..Policy::of_one(origin.name()) };
        let stores = Stores::new(&[origin], policy).unwrap();
        self.engine_with(catalog, stores)
    }

    fn engine_with(&self, catalog: Arc<dyn Catalog>, stores: Stores) -> Engine {
        let ports = Ports {
            catalog,
            stores,
            masters: Arc::new(self.masters.clone()),
            transcoder: self.transcoder.clone(),
            pipelines: Arc::new({
                let publish = self.publish.clone();
                move |name: &str| {
                    let pipeline = ScriptedTranscoder::pipeline(name);
                    Ok(Pipeline { publish: publish.clone(), ..pipeline })
                }
            }),
        };
        let config = Config {
            worker: "w1".to_owned(),
            memory_mb: self.memory_mb,
            memory_mb_each: None,
            pool: "cpu".to_owned(),
            spool: self.folder.path().join("spool"),
            retrieved: self.folder.path().join("retrieved"),
            slots: self.slots,
            drain: self.drain,
            lease: Duration::from_secs(30),
        };
        Engine::new(ports, config)
    }

    /// The folder of the process in the spool.
    fn spool(&self) -> PathBuf {
        self.folder.path().join("spool/w1")
    }

    /// A master of this content, and the request to make a title of it.
    pub(crate) fn title(&self, title: &str, content: &str) -> NewTitle {
        let path = self.folder.path().join(format!("{title}.mp4"));
        fs::write(&path, content).unwrap();
        self.title_at(title, &path)
    }

    fn title_at(&self, title: &str, path: &Path) -> NewTitle {
        NewTitle {
            tenant: Tenant::default(),
            title: title.parse().unwrap(),
            master_path: path.to_str().unwrap().to_owned(),
            pipeline: "vod".to_owned(),
            pool: "cpu".to_owned(),
            priority: None,
            again: false,
            remake: None,
            reason: None,
        }
    }

    async fn record(&self, title: &str) -> TitleRecord {
        let title = title.parse().unwrap();
        self.catalog.title(&Tenant::default(), &title).await.unwrap().unwrap()
    }

    /// Runs all roles on `engine` until the title needs nothing more.
    pub(crate) async fn work(&self, engine: &Engine, title: &str) -> TitleRecord {
        let service = Service::start(engine);
        let record = self.wait(title, |record| record.state.is_final()).await;
        service.stop().await;
        record
    }

    async fn wait(&self, title: &str, until: impl Fn(&TitleRecord) -> bool) -> TitleRecord {
        // Paused time runs away while threads outside the runtime compute: an hour would not be enough.
        for _ in 0..200_000 {
            let record = self.record(title).await;
            if until(&record) {
                return record;
            }
            sleep(Duration::from_secs(1)).await;
        }
        panic!("title `{title}` is stuck:\n{}", self.history(title).await);
    }

    /// Waits until the history of the title `film` has something.
    pub(crate) async fn wait_for(&self, until: impl Fn(&str) -> bool) {
        for _ in 0..200_000 {
            if until(&self.history("film").await) {
                return;
            }
            sleep(Duration::from_secs(1)).await;
        }
        panic!("never happened:\n{}", self.history("film").await);
    }

    /// Submits and works until the title needs nothing more.
    pub(crate) async fn make(&self, new: &NewTitle) -> TitleRecord {
        let engine = self.engine();
        engine.submit(new).await.unwrap();
        self.work(&engine, new.title.as_str()).await
    }

    /// The state of a title with its refusal, folders shortened.
    fn told(&self, record: &TitleRecord) -> String {
        let refusal = record.state.refusal().map_or(String::new(), |r| format!(" {r}"));
        let folder = self.folder.path().to_str().unwrap();
        format!("{}{refusal}", record.state).replace(folder, "FOLDER")
    }

    /// The title's history, one line each.
    async fn history(&self, title: &str) -> String {
        let title = title.parse().unwrap();
        let events = self.catalog.events(&Tenant::default(), &title).await.unwrap();
        let folder = self.folder.path().to_str().unwrap();
        events.iter().map(|e| e.text.replace(folder, "FOLDER") + "\n").collect()
    }

    /// Its open incidents.
    async fn found(&self, title: &str) -> Vec<Finding> {
        let title = title.parse().unwrap();
        let open = self.catalog.incidents(&Tenant::default(), Some(&title), false, 1_000).await;
        open.unwrap().into_iter().map(|incident| incident.finding).collect()
    }

    /// The content of an object.
    fn text(&self, key: &str) -> Option<String> {
        let (body, _) = self.origin.object(&ObjectKey::new(key).unwrap())?;
        Some(String::from_utf8(body.to_vec()).unwrap())
    }
}

fn package(title: &str, version: u32) -> PackageId {
    let (tenant, title) = (Tenant::default(), title.parse().unwrap());
    PackageId { tenant, title, version: Version(version) }
}

/// An engine at work in the background.
pub(crate) struct Service {
    shutdown: Shutdown,
    running: JoinHandle<Result<(), RunError>>,
}

impl Service {
    pub(crate) fn start(engine: &Engine) -> Self {
        Self::start_as(engine, &ALL)
    }

    fn start_as(engine: &Engine, roles: &'static [Role]) -> Self {
        let (engine, shutdown) = (engine.clone(), Shutdown::new());
        let stop = shutdown.clone();
        let running = tokio::spawn(async move { engine.run(roles, stop).await });
        Self { shutdown, running }
    }

    /// Has it give back at once what is under way.
    pub(crate) async fn stop(self) {
        self.shutdown.stop();
        self.ended().await.unwrap();
    }

    /// Waits until it has ended by itself.
    async fn ended(self) -> Result<(), RunError> {
        self.running.await.unwrap()
    }

    /// As SIGKILL would: nothing is given back, nothing tidied up.
    async fn kill(self) {
        self.running.abort();
        assert!(self.running.await.unwrap_err().is_cancelled());
    }
}
