//! Watches a drop folder and queues what arrives there whole. Never moves, changes or deletes anything in it (R9).
//!
//! The file system's notifications only say when to look: every decision comes from a look at the whole folder, since
//! notifications get lost under load and do not exist on most network file systems.

mod bucket;
mod gather;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use headwater_model::id::{Tenant, TitleId};
use headwater_model::lane::DEFAULT_POOL;
use headwater_model::task::NewTitle;
use headwater_ports::catalog::{CatalogError, SeenFile};
use notify::event::{AccessKind, AccessMode};
use notify::{EventKind, RecursiveMode, Watcher};
use thiserror::Error;
use tokio::sync::Notify;
use tokio::task::spawn_blocking;
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

pub use bucket::DropBucket;

use crate::life::Engine;
use crate::master::Stamp;
use crate::settling::{Settling, Sighting};

pub use gather::asked_for;

/// How long after a notification the folder is looked at: a transfer sends thousands a second, and one look serves all.
const CALM: Duration = Duration::from_millis(200);

/// How soon a catalog or a folder that failed is asked again: soon enough that nobody waits for it, seldom enough that
/// the log stays readable.
const AFTER_TROUBLE: Duration = Duration::from_secs(5);

/// A folder to watch.
#[derive(Debug, Clone)]
pub struct DropFolder {
    /// Where it is. Made if it is not there.
    pub path: PathBuf,
    /// Whose titles the files become.
    pub tenant: Tenant,
    /// Pipeline for all of them.
    pub pipeline: String,
    /// How long size and time of a file have to stand still before it counts as whole.
    pub settle: Duration,
    /// How often to look when no notification comes.
    pub rescan: Duration,
}

/// Why a folder cannot be watched.
#[derive(Debug, Error)]
#[error("failed to open the drop folder `{}`", folder.display())]
pub struct WatchError {
    /// The folder.
    folder: PathBuf,
    /// Why.
    #[source]
    source: io::Error,
}

impl Engine {
    /// Watches `folder` until `shutdown`.
    ///
    /// A file becomes the title of its name. A folder in the drop folder becomes a title too, which `Prepare` rejects,
    /// so that whoever dropped it sees what happened, unless the manifest of a delivery is in it.
    pub async fn watch(
        &self,
        folder: DropFolder,
        shutdown: CancellationToken,
    ) -> Result<(), WatchError> {
        let path = folder.path.clone();
        let ready = spawn_blocking(move || {
            fs::create_dir_all(&path)?;
            // Titles keep the path of their master: it must not depend on where the service was started.
            fs::canonicalize(path)
        });
        let folder = match ready.await.map_err(io::Error::other).flatten() {
            Ok(path) => DropFolder { path, ..folder },
            Err(source) => return Err(WatchError { folder: folder.path, source }),
        };
        let moved = Arc::new(Notify::new());
        let _notifications = notifications(&folder.path, moved.clone());
        info!(folder = %folder.path.display(), "drop folder watched");

        let started = Instant::now();
        let mut settling = Settling::new(folder.settle);
        loop {
            let fine = self.look(&folder, started, &mut settling).await;
            let now = Instant::now();
            let due = settling.next_due().map_or(now + folder.rescan, |due| started + due);
            let next = if fine { due.min(now + folder.rescan) } else { now + AFTER_TROUBLE };
            tokio::select! {
                () = shutdown.cancelled() => return Ok(()),
                () = sleep_until(next) => {}
                () = moved.notified() => tokio::select! {
                    () = shutdown.cancelled() => return Ok(()),
                    () = sleep(CALM) => {}
                },
            }
        }
    }

    /// Looks at the folder once and queues what is whole; false when something has to be tried again soon.
    async fn look(&self, folder: &DropFolder, started: Instant, settling: &mut Settling) -> bool {
        let path = folder.path.clone();
        let seen = spawn_blocking(move || gather::list(&path)).await;
        let sightings = match seen.map_err(io::Error::other).flatten() {
            Ok(sightings) => sightings,
            Err(error) => {
                warn!(folder = %folder.path.display(), %error, "drop folder not readable");
                return false;
            }
        };
        let mut fine = true;
        for Sighting { path, stamp } in settling.look(started.elapsed(), sightings) {
            match self.deliver_file(folder, &path, stamp).await {
                Ok(()) => settling.hand_on(&path),
                Err(error) => {
                    warn!(file = %path.display(), %error, "delivery not queued yet");
                    fine = false;
                }
            }
        }
        fine
    }

    async fn deliver_file(
        &self,
        folder: &DropFolder,
        path: &Path,
        stamp: Stamp,
    ) -> Result<(), CatalogError> {
        let (Some(text), Some(name)) = (path.to_str(), path.file_name().and_then(|n| n.to_str()))
        else {
            warn!(file = %path.display(), "ignored: the file's name is not UTF-8; rename it");
            return Ok(());
        };
        let manifest = path.to_owned();
        let asked = spawn_blocking(move || gather::asked_for(&manifest)).await.ok().flatten();
        let (title, pipeline) = asked.unwrap_or_else(|| (TitleId::from_file_name(name), None));
        let pipeline = pipeline.unwrap_or_else(|| folder.pipeline.clone());
        let (tenant, path) = (&folder.tenant, text.to_owned());
        self.deliver(Delivery { tenant, pipeline: &pipeline, title, path, stamp }).await
    }

    /// Queues a master that has arrived whole, unless that was done before.
    async fn deliver(&self, delivery: Delivery<'_>) -> Result<(), CatalogError> {
        let Delivery { tenant, pipeline, title, path, stamp } = delivery;
        let file =
            SeenFile { path: path.clone(), bytes: stamp.bytes, modified_ns: stamp.modified_ns };
        let catalog = &self.ports().catalog;
        if catalog.knows_file(&file).await? {
            return Ok(());
        }
        let new = NewTitle {
            tenant: tenant.clone(),
            title,
            master_path: path,
            pipeline: pipeline.to_owned(),
            pool: DEFAULT_POOL.to_owned(),
            priority: None,
            again: false,
            remake: None,
            reason: None,
        };
        let submitted = self.submit(&new).await?;
        info!(title = %new.title, file = new.master_path, ?submitted, "delivery");
        // After the submission: a crash in between submits twice, which does no harm, and never forgets a delivery.
        catalog.remember_file(&file).await?;
        Ok(())
    }
}

/// A master that has arrived.
struct Delivery<'d> {
    tenant: &'d Tenant,
    pipeline: &'d str,
    title: TitleId,
    /// Where it lies, as the catalog keeps it.
    path: String,
    stamp: Stamp,
}

/// Wakes `moved` whenever something happens in the folder; `None` where the system cannot tell.
fn notifications(folder: &Path, moved: Arc<Notify>) -> Option<notify::RecommendedWatcher> {
    let watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
        // Opening and reading are no news, and our own look does both. After an error a look shows what is the case.
        let only_read = event.is_ok_and(|e| {
            e.kind.is_access() && e.kind != EventKind::Access(AccessKind::Close(AccessMode::Write))
        });
        if !only_read {
            moved.notify_one();
        }
    });
    let watching = watcher.and_then(|mut watcher| {
        watcher.watch(folder, RecursiveMode::NonRecursive)?;
        Ok(watcher)
    });
    match watching {
        Ok(watcher) => Some(watcher),
        Err(error) => {
            warn!(folder = %folder.display(), %error, "no notifications; looking now and then");
            None
        }
    }
}
