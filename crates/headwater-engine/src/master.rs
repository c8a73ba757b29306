//! The master as a file: whether it is one, whether it is still the same, and what it hashes to. Opened for reading
//! only, never touched (R9).

use std::fs::{self, File, Metadata};
use std::io;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use headwater_model::id::Sha256;
use headwater_model::refusal::Code;
use headwater_model::task::{Claimed, Failure};
use tokio::task::spawn_blocking;
use tokio_util::sync::CancellationToken;

use crate::failure::{later, never};
use crate::hash;

/// What tells cheaply whether a file is still the one that was looked at before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Stamp {
    /// Size in bytes.
    pub(crate) bytes: u64,
    /// Modification time, nanoseconds since 1970; 0 where the file system keeps none.
    pub(crate) modified_ns: i64,
}

impl Stamp {
    /// The stamp of a file whose metadata was read.
    pub(crate) fn of(metadata: &Metadata) -> Self {
        let since = metadata.modified().ok().and_then(|t| t.duration_since(UNIX_EPOCH).ok());
        let modified_ns = since.and_then(|d| i64::try_from(d.as_nanos()).ok()).unwrap_or(0);
        Self { bytes: metadata.len(), modified_ns }
    }
}

/// Looks at the file without opening it.
pub(crate) async fn look(path: &Path) -> Result<Stamp, Failure> {
    off_runtime(path, look_blocking).await
}

/// Reads the file once and gives its stamp and SHA-256; fails when it changed meanwhile.
pub(crate) async fn hash(path: &Path) -> Result<(Stamp, Sha256), Failure> {
    let stop = CancellationToken::new();
    // When the task is cancelled, the reading thread must not go on through the rest of 100 GB.
    let _stop_when_dropped = stop.clone().drop_guard();
    off_runtime(path, move |path| hash_blocking(path, &stop)).await
}

/// Fails unless the file of a package has the content that its plan was made from. Size and time as its own `Prepare` noted
/// them settle it, since a newer version may have been made of another file at the same path; when they differ, the content is hashed again, since a copy put back after a mishap is as good as the file
/// was.
pub(crate) async fn same(claimed: &Claimed, expected: Sha256) -> Result<Stamp, Failure> {
    if claimed.master_path.is_empty() {
        let text = format!(
            "the catalog was rebuilt from an origin, and no origin says where the master is: its SHA-256 is {expected}"
        );
        return Err(never(Code::MasterGone, text));
    }
    let path = Path::new(&claimed.master_path);
    let stamp = look(path).await?;
    let noted = claimed.facts.as_ref();
    let noted = noted.map(|f| Stamp { bytes: f.bytes, modified_ns: f.modified_ns });
    if noted == Some(stamp) {
        return Ok(stamp);
    }
    let (stamp, sha256) = hash(path).await?;
    if sha256 == expected {
        return Ok(stamp);
    }
    let text = format!(
        "the master `{}` is not the file that the plan was made from: its SHA-256 is {sha256} instead of {expected}",
        path.display()
    );
    Err(never(Code::MasterChanged, text))
}

/// Fails unless the file still has this stamp.
pub(crate) async fn check_unchanged(path: &Path, stamp: Stamp) -> Result<(), Failure> {
    let now = look(path).await?;
    if now == stamp { Ok(()) } else { Err(changed(path, stamp.bytes, now.bytes)) }
}

/// The refusal of a master that did not stand still.
pub(crate) fn changed(path: &Path, before: u64, after: u64) -> Failure {
    let what = if before == after {
        format!("still has {after} bytes, but was written to")
    } else {
        format!("had {before} bytes and has {after} now")
    };
    never(
        Code::MasterChanged,
        format!("the master `{}` changed while it was read: it {what}", path.display()),
    )
}

async fn off_runtime<T: Send + 'static>(
    path: &Path,
    work: impl FnOnce(&Path) -> Result<T, Failure> + Send + 'static,
) -> Result<T, Failure> {
    let path: PathBuf = path.to_owned();
    match spawn_blocking(move || work(&path)).await {
        Ok(result) => result,
        Err(error) => {
            Err(later(Code::Internal, format!("reading the master ended early: {error}")))
        }
    }
}

fn look_blocking(path: &Path) -> Result<Stamp, Failure> {
    let metadata = fs::metadata(path).map_err(|e| refuse(path, &e))?;
    let shown = path.display();
    if metadata.is_dir() {
        Err(never(Code::NotAFile, format!("`{shown}` is a folder, not a media file")))
    } else if !metadata.is_file() {
        Err(never(
            Code::NotAFile,
            format!("`{shown}` is a device, pipe or socket, not a media file"),
        ))
    } else if metadata.len() == 0 {
        Err(never(Code::EmptyFile, format!("the master `{shown}` is empty: it has 0 bytes")))
    } else {
        Ok(Stamp::of(&metadata))
    }
}

fn hash_blocking(path: &Path, stop: &CancellationToken) -> Result<(Stamp, Sha256), Failure> {
    let stamp = look_blocking(path)?;
    let file = File::open(path).map_err(|e| refuse(path, &e))?;
    let (bytes, sha256) = hash::read_through(file, stop).map_err(|e| refuse(path, &e))?;
    let after = look_blocking(path)?;
    if after != stamp || bytes != stamp.bytes {
        return Err(changed(path, stamp.bytes, after.bytes));
    }
    Ok((stamp, sha256))
}

/// What an error of the file system says about the master.
fn refuse(path: &Path, error: &io::Error) -> Failure {
    let shown = path.display();
    match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => {
            never(Code::MasterGone, format!("there is no file `{shown}` any more"))
        }
        io::ErrorKind::PermissionDenied => never(
            Code::Unreadable,
            format!("the service may not read the master `{shown}`: {error}"),
        ),
        // A disk or a network share may recover; if it does not, the last try says so.
        _ => later(Code::Unreadable, format!("the master `{shown}` cannot be read: {error}")),
    }
}

#[cfg(test)]
mod tests;
