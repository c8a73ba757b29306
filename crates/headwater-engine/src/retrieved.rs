//! Masters that came back from the archive, since their files are gone or changed: kept in a folder of their own while
//! work needs them.
//!
//! A copy is fetched once however many parts wait for it, written aside, and used only when it has the SHA-256 that its
//! plan was made for. It is removed when no package that used it has work left in the queue. Each process has a folder of
//! its own. What a killed process left is removed by the next start: it costs another fetch, and what is in the folder is never in doubt.

use std::collections::{BTreeSet, HashMap};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::stream::TryStreamExt;
use headwater_model::archive::MasterCopy;
use headwater_model::finding::{Finding, FindingKind};
use headwater_model::id::Sha256;
use headwater_model::incident::Look;
use headwater_model::key::{ObjectKey, PackageId};
use headwater_model::refusal::Code;
use headwater_model::task::{Claimed, Failure, Retry};
use headwater_ports::origin::{Origin, OriginError, OriginErrorKind};
use tokio::fs;
use tokio::io::AsyncWriteExt;
use tokio::task::spawn_blocking;
use tracing::{info, warn};

use crate::blocks::{self, Hasher};
use crate::failure::{Halt, later, never, of_origin};
use crate::life::Ports;
use crate::master::{self, Known, Opened, Stamp};
use crate::spool;

/// Bytes that stay free beside a copy that is fetched: transcoders and the catalog need the same disk.
const SPARE: u64 = 1 << 30;

/// Masters that came back. Clones are the same.
#[derive(Clone)]
pub(crate) struct Retrieved {
    folder: PathBuf,
    slots: Arc<Mutex<HashMap<Sha256, Slot>>>,
    /// Beside them: the masters themselves, as far as they had to be read to know them again.
    known: Known,
}

/// Locked while its copy is fetched.
type Slot = Arc<tokio::sync::Mutex<Option<Fetched>>>;

struct Fetched {
    path: PathBuf,
    stamp: Stamp,
    /// Shared with everybody who reads it.
    in_use: Arc<()>,
    packages: BTreeSet<PackageId>,
}

/// A master to read from.
pub(crate) struct Source {
    pub(crate) master: Opened,
    /// Keeps a copy where it is.
    _in_use: Option<Arc<()>>,
}

impl Source {
    /// The master itself.
    pub(crate) fn own(master: Opened) -> Self {
        Self { master, _in_use: None }
    }
}

/// Whether a file that was refused like this may be replaced by its copy.
fn is_lost(failure: &Failure) -> bool {
    let lost = [Code::MasterGone, Code::MasterChanged, Code::EmptyFile, Code::NotAFile];
    lost.contains(&failure.refusal.code)
}

impl Retrieved {
    /// Keeps copies in `folder`, which no other process uses.
    pub(crate) fn new(folder: PathBuf) -> Self {
        Self { folder, slots: Arc::default(), known: Known::default() }
    }

    /// Removes what processes left that are dead by what their folders in `spool` say: files that are named like copies,
    /// and nothing else that somebody may have put there.
    pub(crate) async fn sweep(&self, spool: &Path) {
        let (own, spool) = (self.folder.clone(), spool.to_owned());
        let swept = spawn_blocking(move || {
            let Some(root) = own.parent() else { return };
            // Of a release that had no folder for each process.
            sweep_folder(root);
            for entry in std::fs::read_dir(root).into_iter().flatten().flatten() {
                let (path, name) = (entry.path(), entry.file_name());
                let is_ours = path == own;
                if path.is_dir() && (is_ours || !spool::is_alive(&spool, &name.to_string_lossy())) {
                    sweep_folder(&path);
                    // What somebody else put there keeps it.
                    let _ = std::fs::remove_dir(&path);
                }
            }
        });
        if let Err(error) = swept.await {
            warn!(%error, "copies of masters were not swept");
        }
    }

    /// The file of a planned package, or its copy from the archive when the file is gone or another one.
    pub(crate) async fn source(
        &self,
        ports: &Ports,
        claimed: &Claimed,
        sha256: Sha256,
    ) -> Result<Source, Halt> {
        match master::same(&*ports.masters, &self.known, claimed, sha256).await {
            Ok(master) => Ok(Source::own(master)),
            Err(failure) => self.instead(ports, claimed, sha256, failure).await,
        }
    }

    /// The copy of a master whose file was refused; that refusal, when there is none.
    pub(crate) async fn instead(
        &self,
        ports: &Ports,
        claimed: &Claimed,
        sha256: Sha256,
        failure: Failure,
    ) -> Result<Source, Halt> {
        let Some((archive, copy)) = copy_of(ports, claimed, sha256).await? else {
            return Err(failure.into());
        };
        if !is_lost(&failure) {
            return Err(failure.into());
        }
        let slot = {
            let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
            slots.entry(sha256).or_default().clone()
        };
        let mut slot = slot.lock().await;
        let mut fetched = match slot.take() {
            Some(fetched) => fetched,
            None => {
                info!(key = %copy.key, bytes = copy.bytes, "the master is fetched from the archive");
                match self.fetch(&*archive, &copy).await {
                    Ok(fetched) => fetched,
                    Err(trouble) => {
                        return Err(refuse(ports, claimed, &copy, &failure, trouble).await?.into());
                    }
                }
            }
        };
        fetched.packages.insert(claimed.package.clone());
        let master = Opened::file(&fetched.path, fetched.stamp);
        let source = Source { master, _in_use: Some(fetched.in_use.clone()) };
        *slot = Some(fetched);
        Ok(source)
    }

    /// What becomes of a part whose master was refused under way: with a copy, it is done again from that.
    pub(crate) async fn or_later(
        &self,
        ports: &Ports,
        claimed: &Claimed,
        sha256: Sha256,
        failure: Failure,
    ) -> Result<Failure, Halt> {
        let has_copy = is_lost(&failure) && copy_of(ports, claimed, sha256).await?.is_some();
        Ok(if has_copy { Failure { retry: Retry::Later, ..failure } } else { failure })
    }

    async fn fetch(&self, archive: &dyn Origin, copy: &MasterCopy) -> Result<Fetched, Trouble> {
        fs::create_dir_all(&self.folder).await?;
        let free = free_in(&self.folder).await?;
        if free < copy.bytes.saturating_add(SPARE) {
            return Err(Trouble::Full { free });
        }
        let path = self.folder.join(copy.key.name());
        let aside = self.folder.join(format!("{}.part", copy.key.name()));
        let written = write(archive, &copy.key, copy.bytes, &aside).await;
        let trouble = match written {
            Ok(found) if found == copy.sha256 => None,
            Ok(found) => Some(Trouble::Altered(found)),
            Err(trouble) => Some(trouble),
        };
        if let Some(trouble) = trouble {
            // What cannot be removed now goes with the next start.
            let _ = fs::remove_file(&aside).await;
            return Err(trouble);
        }
        fs::rename(&aside, &path).await?;
        let stamp = Stamp::of(&fs::metadata(&path).await?);
        info!(path = %path.display(), "the master is back");
        Ok(Fetched { path, stamp, in_use: Arc::default(), packages: BTreeSet::new() })
    }

    /// Removes the copies that nobody needs any more.
    pub(crate) async fn tidy(&self, ports: &Ports) {
        let slots: Vec<(Sha256, Slot)> = {
            let slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
            slots.iter().map(|(sha256, slot)| (*sha256, slot.clone())).collect()
        };
        for (sha256, slot) in slots {
            // One that is locked is wanted.
            let Ok(mut slot) = slot.try_lock() else { continue };
            let Some(fetched) = &*slot else { continue };
            if Arc::strong_count(&fetched.in_use) > 1 || is_needed(ports, fetched).await {
                continue;
            }
            match fs::remove_file(&fetched.path).await {
                Ok(()) => info!(%sha256, "the master's copy is not needed any more"),
                Err(error) => warn!(%sha256, %error, "the master's copy was not removed"),
            }
            *slot = None;
        }
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        // One that somebody else holds too is about to be filled.
        slots.retain(|_, slot| {
            Arc::strong_count(slot) > 1 || slot.try_lock().is_ok_and(|slot| slot.is_some())
        });
    }
}

/// Removes the copies in a folder. Blocks: not for the runtime.
fn sweep_folder(folder: &Path) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let is_file = entry.file_type().is_ok_and(|kind| kind.is_file());
        if !is_file || !is_copy(&entry.file_name().to_string_lossy()) {
            continue;
        }
        if let Err(error) = std::fs::remove_file(entry.path()) {
            warn!(file = %entry.path().display(), %error, "a master's copy was not removed");
        }
    }
}

/// Whether a file is named like a copy, or one that is being fetched.
fn is_copy(name: &str) -> bool {
    name.split_once('.').is_some_and(|(digest, _)| digest.parse::<Sha256>().is_ok())
}

/// Bytes that are free for us on the disk of a folder.
async fn free_in(folder: &Path) -> io::Result<u64> {
    let folder = folder.to_owned();
    let looked = spawn_blocking(move || rustix::fs::statvfs(&folder)).await;
    let disk = looked.map_err(io::Error::other)??;
    Ok(disk.f_bavail.saturating_mul(disk.f_frsize))
}

/// Whether a package that used a copy has work left. A catalog that does not answer now is asked again later.
async fn is_needed(ports: &Ports, fetched: &Fetched) -> bool {
    for package in &fetched.packages {
        if ports.catalog.is_busy(package).await.unwrap_or(true) {
            return true;
        }
    }
    false
}

async fn copy_of(
    ports: &Ports,
    claimed: &Claimed,
    sha256: Sha256,
) -> Result<Option<(Arc<dyn Origin>, MasterCopy)>, Halt> {
    let Some(archive) = ports.stores.archive() else { return Ok(None) };
    let known = ports.catalog.master(&claimed.package.tenant, sha256).await?;
    let copy = known.and_then(|known| known.copy_on(archive.name()).map(|(copy, _)| copy.clone()));
    Ok(copy.map(|copy| (archive.clone(), copy)))
}

/// Why a copy did not come back.
enum Trouble {
    Full { free: u64 },
    Disk(io::Error),
    Origin(OriginError),
    Altered(Sha256),
}

impl From<io::Error> for Trouble {
    fn from(error: io::Error) -> Self {
        Trouble::Disk(error)
    }
}

/// Writes an object to a file and gives its SHA-256. Nothing is synced: what a power cut takes is fetched again.
async fn write(
    archive: &dyn Origin,
    key: &ObjectKey,
    bytes: u64,
    to: &Path,
) -> Result<Sha256, Trouble> {
    let mut file = fs::File::create(to).await?;
    let mut hasher = Hasher::default();
    let mut blocks = blocks::read(archive, key, bytes);
    while let Some(block) = blocks.try_next().await.map_err(Trouble::Origin)? {
        file.write_all(&block).await?;
        hasher.add(block).await;
    }
    file.flush().await?;
    Ok(hasher.finish())
}

/// What to tell of a copy that did not come back, for a file that was refused. What is wrong with the copy itself becomes
/// an incident.
async fn refuse(
    ports: &Ports,
    claimed: &Claimed,
    copy: &MasterCopy,
    file: &Failure,
    trouble: Trouble,
) -> Result<Failure, Halt> {
    let MasterCopy { origin, key, bytes, sha256, .. } = copy;
    let (file, title) = (&file.refusal.message, &claimed.package.title);
    let kind = match trouble {
        Trouble::Full { free } => {
            let text = format!(
                "{file}; for its copy of {bytes} bytes the data folder has not enough space: {free} bytes are free"
            );
            return Ok(later(Code::DiskFull, text));
        }
        Trouble::Disk(error) => {
            let code = match error.kind() {
                io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Code::DiskFull,
                _ => Code::Internal,
            };
            return Ok(later(code, format!("{file}; its copy could not be written: {error}")));
        }
        Trouble::Origin(error) if error.kind == OriginErrorKind::Cold => {
            let text = format!(
                "{file}; its copy is in cold storage: restore object `{key}` of origin {origin} at the provider, then `headwater heal {title}`"
            );
            return Ok(never(Code::MasterInColdStorage, text));
        }
        Trouble::Origin(error) => match error.kind {
            OriginErrorKind::NotFound => FindingKind::Missing,
            OriginErrorKind::Corrupt => {
                FindingKind::ListedButUnreadable { reason: error.source.to_string() }
            }
            _ => return Ok(of_origin(origin, &error)),
        },
        Trouble::Altered(found) => FindingKind::Altered { expected: *sha256, found },
    };
    let finding = Finding { origin: origin.clone(), object: key.to_string(), kind };
    let text = format!("{file}; its copy is lost too: {finding}");
    let look = Look { findings: vec![finding], ..Look::default() };
    ports.catalog.note(&claimed.package, &look).await?;
    Ok(never(Code::MasterGone, text))
}

#[cfg(test)]
mod tests;
