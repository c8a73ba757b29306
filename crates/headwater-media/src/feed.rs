//! The worker's side of a master far away: answers a child's questions, and counts what that took to fetch.
//!
//! A child reads its master in thousands of small pieces. They are cut from blocks that stay for a while, and what is
//! read in a row is fetched ahead, in growing stretches: a seek costs one block, and a long run one request for some
//! megabytes. What is fetched in vain is at most three quarters of what was read in the run so far, and never more than
//! two stretches: next to nothing of a span of a minute.
//!
//! **Memory.** [`KEPT`] blocks, and two stretches under way.

use std::collections::HashMap;
use std::io;
use std::ops::Range;
use std::os::fd::OwnedFd;
use std::process::Stdio;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use headwater_ports::masters::{MasterError, MasterErrorKind, RemoteMaster};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::task::{JoinError, JoinHandle, JoinSet};
use tokio::time::Instant;

use crate::remote::{HERE, MOST, NOT_HERE, QUESTION};

/// Bytes of a block: what a jump in the master costs at least. A request to a bucket costs as much time as 256 KiB at
/// some 100 Mbit/s.
const BLOCK: u64 = 256 * 1024;

/// Blocks that are kept, 64 MiB: the movie header of a ten-hour master, which is read more than once, has 50 MB.
const KEPT: usize = 256;

/// Most blocks of a stretch, 4 MiB: enough to fill a link of 300 Mbit/s over 100 ms with the next one under way.
const STRETCH: u64 = 16;

/// What it took to give a child what it asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Fetched {
    /// Questions of the child.
    pub(crate) reads: u64,
    /// Bytes that it got.
    pub(crate) given: u64,
    /// Requests to where the master lies.
    pub(crate) requests: u64,
    /// Bytes that came from there.
    pub(crate) bytes: u64,
}

/// Answers one child. Dropped, it stops.
#[derive(Debug)]
pub(crate) struct Feed {
    _serving: JoinSet<()>,
    counted: Arc<Counted>,
    bytes: u64,
    address: String,
}

#[derive(Debug, Default)]
struct Counted {
    reads: AtomicU64,
    given: AtomicU64,
    requests: AtomicU64,
    bytes: AtomicU64,
    /// Why the master could not be read. Noted before the child hears of it, so that it is there once the child has ended.
    error: Mutex<Option<MasterError>>,
    /// When the question was asked that is not answered yet.
    asked: Mutex<Option<Instant>>,
}

impl Counted {
    fn asked(&self, at: Option<Instant>) {
        *self.asked.lock().unwrap_or_else(PoisonError::into_inner) = at;
    }
}

impl Feed {
    /// What to give a child as its standard input, and who answers there.
    pub(crate) fn start(master: Arc<dyn RemoteMaster>) -> io::Result<(Stdio, Self)> {
        let (theirs, feed) = start(master)?;
        Ok((Stdio::from(theirs), feed))
    }

    /// Stops; says why the master could not be read, if it could not.
    pub(crate) fn finish(self) -> Result<Fetched, MasterError> {
        let error = self.counted.error.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(error) = error {
            return Err(error);
        }
        let count = |n: &AtomicU64| n.load(Ordering::Relaxed);
        let Counted { reads, given, requests, bytes, .. } = &*self.counted;
        Ok(Fetched {
            reads: count(reads),
            given: count(given),
            requests: count(requests),
            bytes: count(bytes),
        })
    }

    /// Why a child got nowhere, when it is a master that has not given for `long` what was asked for. Those who hold it
    /// are asked again for longer than a child may be silent.
    pub(crate) fn overdue(&self, long: Duration) -> Option<MasterError> {
        let asked = *self.counted.asked.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = asked?.elapsed();
        (waited >= long).then(|| MasterError {
            kind: MasterErrorKind::Unavailable,
            address: self.address.clone(),
            reason: format!("it has not given what was asked for within {} s", waited.as_secs()),
        })
    }

    /// Size of the master in bytes.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }
}

/// The child's end of a socket, and who answers at the other.
fn start(master: Arc<dyn RemoteMaster>) -> io::Result<(OwnedFd, Feed)> {
    let (ours, theirs) = std::os::unix::net::UnixStream::pair()?;
    ours.set_nonblocking(true)?;
    let ours = UnixStream::from_std(ours)?;
    let (bytes, address) = (master.seen().bytes, master.address().to_string());
    let counted = Arc::new(Counted::default());
    let mut serving = JoinSet::new();
    serving.spawn(serve(ours, Ahead::new(master, counted.clone())));
    Ok((theirs.into(), Feed { _serving: serving, counted, bytes, address }))
}

/// Answers until the child is gone or the master cannot be read.
async fn serve(mut child: UnixStream, mut ahead: Ahead) {
    let size = ahead.bytes();
    if child.write_all(&size.to_le_bytes()).await.is_err() {
        return;
    }
    let mut question = [0; QUESTION];
    let mut answer = Vec::new();
    while child.read_exact(&mut question).await.is_ok() {
        let (at, length) = question.split_at(8);
        let at = u64::from_le_bytes(at.try_into().unwrap_or_default());
        let length = u32::from_le_bytes(length.try_into().unwrap_or_default());
        // The child is the least trusted of all processes here.
        let end = at.checked_add(u64::from(length)).filter(|end| *end <= size);
        let Some(end) = end.filter(|_| length <= MOST) else { return };
        ahead.counted.reads.fetch_add(1, Ordering::Relaxed);
        ahead.counted.given.fetch_add(u64::from(length), Ordering::Relaxed);
        answer.clear();
        answer.push(HERE);
        ahead.counted.asked(Some(Instant::now()));
        if let Err(error) = ahead.read(at..end, &mut answer).await {
            let noted = &ahead.counted.error;
            *noted.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
            // A child that is gone need not hear it.
            let _ = child.write_all(&[NOT_HERE]).await;
            return;
        }
        ahead.counted.asked(None);
        if child.write_all(&answer).await.is_err() {
            return;
        }
    }
}

/// Blocks of a master, fetched when they are asked for and some before.
#[derive(Debug)]
struct Ahead {
    master: Arc<dyn RemoteMaster>,
    counted: Arc<Counted>,
    /// Blocks by number, with when they were last read from.
    kept: HashMap<u64, (Bytes, u64)>,
    /// Counts reads of blocks.
    now: u64,
    /// Blocks that were read in a row: from the first to the one behind the last.
    run: Range<u64>,
    /// What is under way.
    coming: Option<Coming>,
}

#[derive(Debug)]
struct Coming {
    blocks: Range<u64>,
    fetching: Fetching,
}

/// A request that ends when nobody waits for it.
#[derive(Debug)]
struct Fetching(JoinHandle<Result<Bytes, MasterError>>);

impl Drop for Fetching {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Ahead {
    fn new(master: Arc<dyn RemoteMaster>, counted: Arc<Counted>) -> Self {
        Self { master, counted, kept: HashMap::new(), now: 0, run: 0..0, coming: None }
    }

    fn bytes(&self) -> u64 {
        self.master.seen().bytes
    }

    /// Appends the bytes of a range, which lies within the master.
    async fn read(&mut self, range: Range<u64>, into: &mut Vec<u8>) -> Result<(), MasterError> {
        let mut at = range.start;
        while at < range.end {
            let number = at / BLOCK;
            let block = self.block(number, range.end.div_ceil(BLOCK)).await?;
            let from = usize::try_from(at - number * BLOCK).unwrap_or_default();
            let wanted = usize::try_from(range.end - at).unwrap_or(usize::MAX);
            let part = block.get(from..).unwrap_or_default();
            let part = part.get(..wanted).unwrap_or(part);
            if part.is_empty() {
                break;
            }
            into.extend_from_slice(part);
            at += part.len() as u64;
        }
        Ok(())
    }

    /// A block; `until` is the one behind the last that will be asked for next.
    async fn block(&mut self, number: u64, until: u64) -> Result<Bytes, MasterError> {
        if self.run.contains(&number) {
            // Read before: no news about what comes next.
        } else if number == self.run.end {
            self.run.end += 1;
        } else {
            self.run = number..number + 1;
        }
        if !self.kept.contains_key(&number) {
            self.fetch(number, until).await?;
        }
        self.look_ahead(number);
        self.now += 1;
        let now = self.now;
        let found = self.kept.get_mut(&number);
        Ok(found
            .map(|(block, read)| {
                *read = now;
                block.clone()
            })
            .unwrap_or_default())
    }

    /// Fetches a block, with those behind it that are sure or likely to be read.
    async fn fetch(&mut self, number: u64, until: u64) -> Result<(), MasterError> {
        if let Some(coming) = self.coming.take_if(|coming| coming.blocks.contains(&number)) {
            return self.take(coming).await;
        }
        let most = number + STRETCH;
        let end = until.max(number + self.stretch()).min(most);
        let coming = self.ask_for(number..end);
        self.take(coming).await
    }

    /// Blocks that are worth fetching ahead: half as many as were read in a row.
    fn stretch(&self) -> u64 {
        ((self.run.end - self.run.start) / 2).clamp(1, STRETCH)
    }

    /// Has the next stretch come when what is there of it ends soon.
    fn look_ahead(&mut self, number: u64) {
        let stretch = self.stretch();
        if stretch < 2 || self.run.end != number + 1 {
            return;
        }
        let next = (number + 1..).find(|n| !self.kept.contains_key(n)).unwrap_or(number);
        // What is under way for a run that ended in a jump is kept for as long as this one needs none: whoever reads
        // sound and pictures in turns comes back.
        if self.coming.as_ref().is_some_and(|coming| coming.blocks.contains(&next)) {
            return;
        }
        if next <= number + stretch / 2 && next * BLOCK < self.bytes() {
            self.coming = Some(self.ask_for(next..next + stretch));
        }
    }

    /// Asks for blocks up to the first that is there already.
    fn ask_for(&self, blocks: Range<u64>) -> Coming {
        let last = self.bytes().div_ceil(BLOCK);
        let known = (blocks.start + 1..blocks.end).find(|n| self.kept.contains_key(n));
        let end = known.unwrap_or(blocks.end).min(last);
        let range = blocks.start * BLOCK..self.bytes().min(end * BLOCK);
        let (master, counted) = (self.master.clone(), self.counted.clone());
        let fetching = tokio::spawn(async move {
            counted.requests.fetch_add(1, Ordering::Relaxed);
            let bytes = master.read(range).await?;
            counted.bytes.fetch_add(bytes.len() as u64, Ordering::Relaxed);
            Ok(bytes)
        });
        Coming { blocks: blocks.start..end, fetching: Fetching(fetching) }
    }

    async fn take(&mut self, mut coming: Coming) -> Result<(), MasterError> {
        let fetched = (&mut coming.fetching.0).await;
        let fetched = fetched.unwrap_or_else(|error| Err(self.ended_early(&error)))?;
        for (number, from) in coming.blocks.zip((0..fetched.len()).step_by(BLOCK as usize)) {
            let end = fetched.len().min(from + BLOCK as usize);
            // A copy: a part of the stretch would keep all of it in memory.
            let block = Bytes::copy_from_slice(fetched.get(from..end).unwrap_or_default());
            self.now += 1;
            self.kept.insert(number, (block, self.now));
        }
        while self.kept.len() > KEPT {
            let oldest = self.kept.iter().min_by_key(|(_, (_, read))| *read).map(|(n, _)| *n);
            oldest.and_then(|number| self.kept.remove(&number));
        }
        Ok(())
    }

    fn ended_early(&self, error: &JoinError) -> MasterError {
        MasterError {
            kind: MasterErrorKind::Unavailable,
            address: self.master.address().to_string(),
            reason: format!("reading it ended early: {error}"),
        }
    }
}

#[cfg(test)]
mod tests;
