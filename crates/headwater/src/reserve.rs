//! A little disk space kept back in the data folder, so that when the disk is full the catalog can still note that.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio_util::sync::CancellationToken;

/// What noting the failure of a few titles takes in SQLite's log, with room to spare.
const BYTES: usize = 256 * 1024;

/// With less than this the catalog cannot write anything down: a few pages of its own and of its log.
const FULL_BYTES: u64 = 32 * 1024;

/// How often to look.
const EVERY: Duration = Duration::from_secs(1);

/// The space kept back.
#[derive(Debug, Clone)]
pub(crate) struct Reserve {
    file: PathBuf,
}

impl Reserve {
    /// In the data folder `folder`.
    pub(crate) fn new(folder: &Path) -> Self {
        Self { file: folder.join("reserve") }
    }

    /// Whether the disk has no room left for the catalog.
    pub(crate) fn disk_is_full(&self) -> bool {
        self.free().is_some_and(|free| free < FULL_BYTES)
    }

    /// Gives the space up when the disk is full and takes it back when there is plenty, until `stop`.
    pub(crate) async fn keep(self, stop: CancellationToken) {
        loop {
            let reserve = self.clone();
            // Whatever fails here fails again where it matters, and is reported there.
            let _ = tokio::task::spawn_blocking(move || reserve.adjust()).await;
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(EVERY) => {}
            }
        }
    }

    fn adjust(&self) -> std::io::Result<()> {
        let there = fs::metadata(&self.file).is_ok_and(|m| m.len() == BYTES as u64);
        match self.free() {
            Some(free) if free < FULL_BYTES && there => {
                tracing::warn!(file = %self.file.display(), "the disk of the data folder is full; the reserve is given up");
                fs::remove_file(&self.file)
            }
            Some(free) if free > 2 * BYTES as u64 && !there => {
                // Written, not only sized: a file with a hole keeps nothing back.
                fs::File::create(&self.file)?.write_all(&vec![0x48; BYTES])
            }
            _ => Ok(()),
        }
    }

    fn free(&self) -> Option<u64> {
        let disk = rustix::fs::statvfs(self.file.parent()?).ok()?;
        Some(disk.f_bavail.saturating_mul(disk.f_frsize))
    }
}
