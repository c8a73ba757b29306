//! Presence: tells the catalog that this process is there, so that people see who works, and learns the name that it goes
//! by there.

use std::convert::Infallible;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use headwater_model::worker::{BEAT_MS, Worker, WorkerState};
use headwater_ports::catalog::{Catalog, CatalogError};
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout};
use tracing::{debug, info, warn};

use crate::shutdown::Shutdown;

/// How often a catalog that is away is told again that this process has come up.
const AGAIN: Duration = Duration::from_secs(1);

/// How long the goodbye may take. Whoever does not hear it takes the process for silent, half a minute later.
const GOODBYE: Duration = Duration::from_secs(2);

/// This process in the eyes of the catalog. Clones are the same.
#[derive(Clone)]
pub(crate) struct Presence {
    catalog: Arc<dyn Catalog>,
    /// Tells this process from any other that wants its name.
    instance: Arc<str>,
    known: Arc<Mutex<Option<Known>>>,
}

/// What the catalog took down.
#[derive(Clone)]
struct Known {
    name: String,
    /// When this process last heard that it did.
    at: Instant,
}

impl Presence {
    /// Nobody knows of it yet.
    pub(crate) fn new(catalog: Arc<dyn Catalog>) -> Self {
        // Its keys come from the system's randomness.
        let token = RandomState::new().build_hasher().finish();
        Self { catalog, instance: format!("{token:016x}").into(), known: Arc::default() }
    }

    pub(crate) fn instance(&self) -> &str {
        &self.instance
    }

    /// What it is called, once the catalog knows it.
    pub(crate) fn name(&self) -> Option<String> {
        self.known().map(|known| known.name)
    }

    /// Time since the catalog last took down that it is there; `None` before it has.
    pub(crate) fn heard_of(&self) -> Option<Duration> {
        self.known().map(|known| known.at.elapsed())
    }

    fn known(&self) -> Option<Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set_name(&self, name: Option<String>) {
        let known = name.map(|name| Known { name, at: Instant::now() });
        *self.known.lock().unwrap_or_else(PoisonError::into_inner) = known;
    }

    /// Enters this process and keeps telling that it is there. Work can be claimed once it has a name, which `wake` tells.
    pub(crate) async fn keep(
        &self,
        said: &Worker,
        shutdown: &Shutdown,
        wake: &watch::Sender<()>,
    ) -> Infallible {
        let (mut trouble, mut away) = (false, None);
        loop {
            let Some(name) = self.name() else {
                match self.catalog.enlist(said).await {
                    Ok(name) => {
                        if name != said.name {
                            warn!(wanted = said.name, name, "another worker has this name");
                        }
                        self.set_name(Some(name));
                        wake.send_replace(());
                        trouble = false;
                    }
                    Err(error) => {
                        if !trouble {
                            warn!(%error, "the catalog does not know of this worker yet");
                            trouble = true;
                        }
                        sleep(AGAIN).await;
                    }
                }
                continue;
            };
            tokio::select! {
                () = sleep(Duration::from_millis(BEAT_MS.unsigned_abs())) => {}
                () = drains(shutdown) => {}
            }
            let state = match shutdown.is_draining() {
                true => WorkerState::Draining,
                false => WorkerState::Alive,
            };
            let beat = self.catalog.beat(&name, &self.instance, state).await;
            match &beat {
                // Of all loops of the process, this one says so: all of them find out.
                Err(error @ CatalogError::Away { .. }) if away.is_none() => {
                    warn!(%error, "what is under way goes on and is handed in when it is back");
                    away = Some(Instant::now());
                }
                Err(error) => debug!(%error, "the catalog was not told that this worker is there"),
                Ok(_) => {
                    if let Some(since) = away.take() {
                        let after_s = since.elapsed().as_secs();
                        info!(after_s, "the catalog hears of this process again");
                    }
                }
            }
            match beat {
                Ok(true) => self.set_name(Some(name)),
                // It was silent for so long that it was forgotten, or somebody else has its name.
                Ok(false) => self.set_name(None),
                Err(_) => {}
            }
            if state == WorkerState::Draining {
                sleep(Duration::from_millis(BEAT_MS.unsigned_abs())).await;
            }
        }
    }

    /// Says goodbye.
    pub(crate) async fn leave(&self) {
        let Some(name) = self.name() else { return };
        self.set_name(None);
        let told = self.catalog.beat(&name, &self.instance, WorkerState::Left);
        if !matches!(timeout(GOODBYE, told).await, Ok(Ok(_))) {
            debug!("the catalog was not told that this worker leaves");
        }
    }
}

/// Ends when the process has begun to drain, and is told at once.
async fn drains(shutdown: &Shutdown) {
    shutdown.ending().cancelled().await;
}
