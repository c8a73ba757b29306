//! Sizes and digests of bytes and files, computed beside the async runtime and never on it.

use std::collections::VecDeque;
use std::io::{self, Read};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::mpsc::sync_channel;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use bytes::Bytes;
use headwater_model::id::{Md5, Sha256};
use md5::Digest;
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

/// What a read buffer holds: long enough that a disk or a network file system reads in sequence, short enough that the
/// two of them cost nothing beside a transcoder.
const BUFFER: usize = 1 << 20;

/// Size and digests of an object, computed once and carried everywhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Digests {
    /// Size in bytes.
    pub(crate) bytes: u64,
    /// What identifies the content.
    pub(crate) sha256: Sha256,
    /// What many origins report as ETag.
    pub(crate) md5: Md5,
}

/// The digests of `bytes`.
pub(crate) fn digests(bytes: &[u8]) -> Digests {
    Digests { bytes: bytes.len() as u64, sha256: sha256(bytes), md5: md5(bytes) }
}

/// The MD5 of `bytes`.
pub(crate) fn md5(bytes: &[u8]) -> Md5 {
    Md5(md5::Md5::digest(bytes).into())
}

/// The SHA-256 of `bytes`.
pub(crate) fn sha256(bytes: &[u8]) -> Sha256 {
    Sha256(sha2::Sha256::digest(bytes).into())
}

/// Runs `work` on the pool of compute threads, one per core, so that many objects in flight neither hold up the
/// runtime nor take more cores than there are. A panic in `work` goes on in the caller.
pub(crate) async fn compute<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    let (sender, receiver) = oneshot::channel();
    rayon::spawn(move || {
        // The receiver is gone when the task was cancelled: then nobody wants the result.
        let _ = sender.send(catch_unwind(AssertUnwindSafe(work)));
    });
    match receiver.await {
        Ok(Ok(value)) => value,
        Ok(Err(panic)) => resume_unwind(panic),
        Err(_) => unreachable!("the closure above always sends"),
    }
}

/// [`digests`] on the compute threads.
pub(crate) async fn digests_of(bytes: Bytes) -> Digests {
    compute(move || digests(&bytes)).await
}

/// [`sha256`] on the compute threads.
pub(crate) async fn sha256_of(bytes: Bytes) -> Sha256 {
    compute(move || sha256(&bytes)).await
}

/// Reads `file` to its end once and gives the number of bytes and their SHA-256. Blocks: not for the runtime.
///
/// One thread reads while this one hashes, with two buffers between them, so that whichever is slower sets the pace.
/// Ends early with [`io::ErrorKind::Interrupted`] once `stop` is cancelled.
pub(crate) fn read_through(
    mut file: impl Read + Send,
    stop: &CancellationToken,
) -> io::Result<(u64, Sha256)> {
    thread::scope(|scope| {
        // One buffer is being filled and one hashed; more would only hide how slow the slower side is.
        let (full, filled) = sync_channel::<io::Result<(Vec<u8>, usize)>>(1);
        let (empty, emptied) = sync_channel::<Vec<u8>>(2);
        for _ in 0..2 {
            // Room for both was made above.
            let _ = empty.send(vec![0; BUFFER]);
        }
        scope.spawn(move || {
            while let Ok(mut buffer) = emptied.recv() {
                let read = fill(&mut file, &mut buffer).map(|n| (buffer, n));
                let last = !matches!(read, Ok((_, BUFFER)));
                if full.send(read).is_err() || last {
                    break;
                }
            }
        });
        let mut hasher = sha2::Sha256::new();
        let mut bytes = 0;
        while let Ok(read) = filled.recv() {
            let (buffer, n) = read?;
            if stop.is_cancelled() {
                return Err(io::ErrorKind::Interrupted.into());
            }
            hasher.update(&buffer[..n]);
            bytes += n as u64;
            // The reader has ended after the last buffer.
            let _ = empty.send(buffer);
        }
        Ok((bytes, Sha256(hasher.finalize().into())))
    })
}

/// A stretch of what is read, and what is wanted of it beside its SHA-256.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Stretch {
    pub(crate) bytes: u64,
    pub(crate) with_md5: bool,
}

/// The digests of a stretch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct StretchDigests {
    pub(crate) sha256: Sha256,
    /// Where it was wanted: it takes longer than reading.
    pub(crate) md5: Option<Md5>,
}

/// Passes on what it reads, and notes the digests of each of the stretches that this consists of.
pub(crate) struct Stretches<R> {
    inner: R,
    /// What is left of each, the one that is being read first.
    left: VecDeque<Stretch>,
    sha256: sha2::Sha256,
    md5: md5::Md5,
    done: Arc<Mutex<Vec<StretchDigests>>>,
}

impl<R: Read> Stretches<R> {
    pub(crate) fn new(
        inner: R,
        stretches: Vec<Stretch>,
        done: Arc<Mutex<Vec<StretchDigests>>>,
    ) -> Self {
        let (sha256, md5) = (sha2::Sha256::new(), md5::Md5::new());
        Self { inner, left: stretches.into(), sha256, md5, done }
    }

    fn note(&mut self, mut bytes: &[u8]) {
        while let Some(Stretch { bytes: left, with_md5 }) = self.left.front_mut() {
            let (own, rest) =
                bytes.split_at(usize::try_from(*left).unwrap_or(usize::MAX).min(bytes.len()));
            self.sha256.update(own);
            if *with_md5 {
                self.md5.update(own);
            }
            *left -= own.len() as u64;
            bytes = rest;
            if *left > 0 {
                return;
            }
            let md5 = with_md5.then(|| Md5(self.md5.finalize_reset().into()));
            let sha256 = Sha256(self.sha256.finalize_reset().into());
            self.left.pop_front();
            let mut done = self.done.lock().unwrap_or_else(PoisonError::into_inner);
            done.push(StretchDigests { sha256, md5 });
        }
    }
}

impl<R: Read> Read for Stretches<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.inner.read(buffer)?;
        self.note(buffer.get(..n).unwrap_or_default());
        Ok(n)
    }
}

/// Fills `buffer` from `file`; less than its length means that the file is at its end.
fn fill(file: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut n = 0;
    while n < buffer.len() {
        match file.read(&mut buffer[n..]) {
            Ok(0) => break,
            Ok(more) => n += more,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(n)
}

#[cfg(test)]
mod tests;
