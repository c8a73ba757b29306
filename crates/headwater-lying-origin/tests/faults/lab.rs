//! A world of its own for every row: a server, a catalog, an engine with the real S3 adapter.

use std::fs;
use std::sync::Arc;
use std::time::{Duration, Instant};

use headwater_engine::{Config, Engine, Ports, Stores};
use headwater_lying_origin::{Checksums, LyingOrigin, Manners};
use headwater_model::id::Tenant;
use headwater_model::life::TitleRecord;
use headwater_model::origin::{Policy, Profile, Verify};
use headwater_model::task::{NewTitle, Role};
use headwater_model::time::Timestamp;
use headwater_origin::{Credentials, S3Origin, S3Settings};
use headwater_ports::catalog::Catalog;
use headwater_ports::clock::Clock;
use headwater_ports::masters::FilesOnly;
use headwater_testkit::memory_catalog::MemoryCatalog;
use headwater_testkit::scripted_transcoder::ScriptedTranscoder;
use tokio::task::JoinHandle;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

/// What comes before every key.
pub(crate) const PREFIX: &str = "packages/";

/// How much faster than time the queue's back-off passes: two seconds, eight, half a minute, in a second together.
const HASTE_OF_QUEUE: i64 = 50;

/// How much sooner the adapter loses its patience: with a call after a third of a second, with an origin that only ever
/// says `SlowDown` after three seconds.
const HASTE_OF_CALLS: u32 = 100;

/// Longer, by the queue's clock, than any row takes.
const LEASE: Duration = Duration::from_hours(24);

/// What kind of server a row is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Enforces and returns checksums.
    A,
    /// The same without ETags in its listings: it is asked about every object by HEAD.
    AWithoutEtags,
    /// Checks nothing and tells nothing.
    C,
}

impl Kind {
    pub(crate) const ALL: [Kind; 3] = [Kind::A, Kind::AWithoutEtags, Kind::C];

    pub(crate) fn manners(self) -> Manners {
        match self {
            Kind::A => Manners::default(),
            Kind::AWithoutEtags => Manners { lists_etags: false, ..Manners::default() },
            Kind::C => Manners {
                checksums: Checksums::Ignored,
                enforces_md5: false,
                checks_signatures: false,
                etag_is_md5: false,
                lists_etags: false,
                ..Manners::default()
            },
        }
    }
}

/// What a probe of an honest server of this kind finds out.
pub(crate) async fn probed(kind: Kind) -> Profile {
    let server = LyingOrigin::start(kind.manners()).await.unwrap();
    S3Origin::new(settings(&server), Profile::default()).await.probe().await.unwrap()
}

fn settings(server: &LyingOrigin) -> S3Settings {
    S3Settings {
        name: "lab".to_owned(),
        bucket: server.manners().bucket.clone(),
        prefix: PREFIX.to_owned(),
        endpoint: Some(server.endpoint()),
        region: Some(server.manners().region.clone()),
        path_style: true,
        storage_class: None,
        public_url: None,
        credentials: Some(Credentials {
            access_key: LyingOrigin::ACCESS_KEY.to_owned(),
            secret_key: LyingOrigin::SECRET_KEY.to_owned(),
            session_token: None,
        }),
    }
}

/// The queue's clock.
struct FastClock(Instant);

impl Clock for FastClock {
    fn now(&self) -> Timestamp {
        let elapsed = i64::try_from(self.0.elapsed().as_millis()).unwrap();
        Timestamp(1_767_225_600_000 + elapsed * HASTE_OF_QUEUE)
    }
}

/// One server and one engine at work on one title.
pub(crate) struct Lab {
    pub(crate) server: LyingOrigin,
    folder: tempfile::TempDir,
    catalog: Arc<MemoryCatalog>,
    engine: Engine,
    shutdown: CancellationToken,
    running: JoinHandle<()>,
}

impl Lab {
    pub(crate) async fn start(kind: Kind, profile: Profile, verify: Verify) -> Self {
        let server = LyingOrigin::start(kind.manners()).await.unwrap();
        let origin = S3Origin::new(settings(&server), profile).await.in_haste(HASTE_OF_CALLS);
        let policy = Policy { verify, ..Policy::of_one("lab") };
        let folder = tempfile::tempdir().unwrap();
        let catalog = Arc::new(MemoryCatalog::new(Arc::new(FastClock(Instant::now()))));
        let ports = Ports {
            catalog: catalog.clone(),
            stores: Stores::new(&[Arc::new(origin)], policy).unwrap(),
            masters: Arc::new(FilesOnly),
            transcoder: Arc::new(ScriptedTranscoder::new(24)),
            pipelines: Arc::new(|name: &str| Ok(ScriptedTranscoder::pipeline(name))),
        };
        let config = Config {
            worker: "w1".to_owned(),
            pool: "cpu".to_owned(),
            spool: folder.path().join("spool"),
            retrieved: folder.path().join("retrieved"),
            slots: 2,
            memory_mb: None,
            memory_mb_each: None,
            drain: LEASE,
            lease: LEASE,
        };
        let (engine, shutdown) = (Engine::new(ports, config), CancellationToken::new());
        let running = tokio::spawn({
            let (engine, shutdown) = (engine.clone(), shutdown.clone());
            async move {
                let roles = [Role::Worker, Role::Verifier, Role::Publisher, Role::Archiver];
                engine.run(&roles, shutdown).await.unwrap();
            }
        });
        Self { server, folder, catalog, engine, shutdown, running }
    }

    /// Hands in a master of this content, as `headwater ingest FILE` does; the path is always the same.
    pub(crate) async fn submit(&self, content: &str) {
        let path = self.folder.path().join("film.mp4");
        if fs::read_to_string(&path).ok().as_deref() != Some(content) {
            fs::write(&path, content).unwrap();
        }
        let new = NewTitle {
            tenant: Tenant::default(),
            title: "film".parse().unwrap(),
            master_path: path.to_str().unwrap().to_owned(),
            pipeline: "vod".to_owned(),
            pool: "cpu".to_owned(),
            priority: None,
            again: false,
            remake: None,
            reason: None,
        };
        self.engine.submit(&new).await.unwrap();
    }

    pub(crate) async fn record(&self) -> TitleRecord {
        let film = "film".parse().unwrap();
        self.catalog.title(&Tenant::default(), &film).await.unwrap().unwrap()
    }

    pub(crate) async fn history(&self) -> Vec<String> {
        let film = "film".parse().unwrap();
        let events = self.catalog.events(&Tenant::default(), &film).await.unwrap();
        events.into_iter().map(|event| event.text).collect()
    }

    /// The kind of the first thing that is still wrong, as the catalog has it.
    pub(crate) async fn finding(&self) -> Option<String> {
        let film = "film".parse().unwrap();
        let open = self.catalog.incidents(&Tenant::default(), Some(&film), false, 1_000).await;
        let first = open.unwrap().into_iter().next()?;
        let kind = serde_json::to_value(&first.finding.kind).unwrap();
        Some(kind["finding"].as_str().unwrap().to_owned())
    }

    /// Looks again and again until `done` says so of the title and its history; false after a time in which every row
    /// should have got somewhere.
    pub(crate) async fn watch(
        &self,
        patience: Duration,
        mut done: impl FnMut(&TitleRecord, &[String]) -> bool,
    ) -> bool {
        let began = Instant::now();
        loop {
            if done(&self.record().await, &self.history().await) {
                return true;
            }
            if began.elapsed() > patience {
                return false;
            }
            sleep(Duration::from_millis(100)).await;
        }
    }

    pub(crate) async fn stop(self) {
        self.shutdown.cancel();
        self.running.await.unwrap();
    }
}
