//! What is fetched for what is read.

use std::sync::Mutex;

use async_trait::async_trait;
use headwater_model::address::Address;
use headwater_ports::masters::Seen;

use super::*;
use crate::remote;

const MB: u64 = 1024 * 1024;

/// A master whose bytes say where they are, and that notes what is read of it.
#[derive(Debug)]
struct Film {
    address: Address,
    bytes: u64,
    ranges: Mutex<Vec<Range<u64>>>,
    /// From here on it cannot be read.
    broken: u64,
    /// From here on there is no answer.
    silent: u64,
    /// How long an answer takes.
    slow: Duration,
}

fn film(bytes: u64) -> Arc<Film> {
    broken(bytes, u64::MAX)
}

fn broken(bytes: u64, broken: u64) -> Arc<Film> {
    let address = "s3://inbox/film.mov".parse().unwrap();
    Arc::new(Film {
        address,
        bytes,
        ranges: Mutex::default(),
        broken,
        silent: u64::MAX,
        slow: Duration::ZERO,
    })
}

fn byte(at: u64) -> u8 {
    (at % 251) as u8
}

#[async_trait]
impl RemoteMaster for Film {
    fn address(&self) -> &Address {
        &self.address
    }

    fn seen(&self) -> Seen {
        Seen { bytes: self.bytes, stamp: 1 }
    }

    async fn read(&self, range: Range<u64>) -> Result<Bytes, MasterError> {
        assert!(range.end <= self.bytes && !range.is_empty(), "{range:?}");
        self.ranges.lock().unwrap().push(range.clone());
        if !self.slow.is_zero() {
            tokio::time::sleep(self.slow).await;
        }
        if range.end > self.silent {
            std::future::pending::<()>().await;
        }
        if range.end > self.broken {
            let (kind, reason) = (MasterErrorKind::Changed, "it changed".to_owned());
            return Err(MasterError { kind, address: self.address.to_string(), reason });
        }
        Ok(range.map(byte).collect::<Vec<u8>>().into())
    }
}

impl Film {
    fn fetched(&self) -> u64 {
        self.ranges.lock().unwrap().iter().map(|r| r.end - r.start).sum()
    }

    fn requests(&self) -> usize {
        self.ranges.lock().unwrap().len()
    }
}

fn ahead(film: &Arc<Film>) -> Ahead {
    Ahead::new(film.clone(), Arc::default())
}

async fn read(ahead: &mut Ahead, range: Range<u64>) {
    let mut found = Vec::new();
    ahead.read(range.clone(), &mut found).await.unwrap();
    assert!(found.iter().copied().eq(range.clone().map(byte)), "{range:?}");
}

#[tokio::test]
async fn small_reads_in_a_row_become_few_requests_and_little_is_fetched_in_vain() {
    let film = film(1_000 * MB);
    let mut ahead = ahead(&film);
    let start = 500 * MB + 12_345;
    let mut at = start;
    // Pieces as a demuxer asks for them.
    while at < start + 14 * MB {
        read(&mut ahead, at..at + 3_331).await;
        at += 3_331;
    }
    let fetched = film.fetched();
    assert!(fetched < 14 * MB + 2 * STRETCH * BLOCK, "{fetched} bytes for 14 MiB");
    assert!(film.requests() < 20, "{:?}", film.ranges.lock().unwrap());
}

#[tokio::test]
async fn a_short_run_fetches_half_as_much_again_at_most() {
    for length in [1, BLOCK, 3 * BLOCK, 10 * BLOCK, 30 * BLOCK] {
        let film = film(1_000 * MB);
        let mut ahead = ahead(&film);
        for at in (0..length).step_by(50_000) {
            read(&mut ahead, at..length.min(at + 50_000)).await;
        }
        // Whatever is under way counts.
        tokio::task::yield_now().await;
        let fetched = film.fetched();
        assert!(fetched <= length + length / 2 + 2 * BLOCK, "{fetched} for {length}");
    }
}

#[tokio::test]
async fn jumps_cost_a_block_each_and_what_was_read_stays() {
    let film = film(1_000 * MB);
    let mut ahead = ahead(&film);
    for n in 0..50 {
        read(&mut ahead, n * 17 * MB..n * 17 * MB + 100).await;
    }
    assert_eq!((film.requests(), film.fetched()), (50, 50 * BLOCK));
    for n in 0..50 {
        read(&mut ahead, n * 17 * MB + 100..n * 17 * MB + 200).await;
    }
    assert_eq!(film.requests(), 50, "nothing was asked for again");
}

#[tokio::test(start_paused = true)]
async fn after_a_jump_a_run_is_fetched_ahead_as_before() {
    let mut film = Arc::into_inner(film(1_000 * MB)).unwrap();
    film.slow = Duration::from_secs(1);
    let film = Arc::new(film);
    let mut ahead = ahead(&film);
    let mut waited = Vec::new();
    for start in [0, 500 * MB, 700 * MB] {
        let mut all = Duration::ZERO;
        let mut at = start;
        // It ends in a jump while something is under way.
        while at < start + 6 * MB || ahead.coming.is_none() {
            let asked = Instant::now();
            read(&mut ahead, at..at + BLOCK).await;
            all += asked.elapsed();
            // The child has something to do with it, for which the next stretch comes meanwhile.
            tokio::time::sleep(Duration::from_millis(500)).await;
            at += BLOCK;
        }
        let under_way = ahead.coming.as_ref().map(|coming| coming.blocks.start * BLOCK);
        assert!(under_way.is_some_and(|at| at >= start), "{under_way:?} in the run from {start}");
        waited.push(all.as_secs());
    }
    assert!(waited[0] <= 6, "{waited:?}");
    assert_eq!((waited[1], waited[2]), (waited[0], waited[0]), "{:?}", film.ranges.lock().unwrap());
}

#[tokio::test]
async fn what_is_kept_is_bounded_and_goes_by_age() {
    let film = film(400 * MB);
    let mut ahead = ahead(&film);
    for block in 0..80 * MB / BLOCK {
        read(&mut ahead, block * BLOCK..block * BLOCK + 100).await;
        assert!(ahead.kept.len() <= KEPT, "{} blocks", ahead.kept.len());
        // The beginning, where the movie header is, is read now and then.
        read(&mut ahead, 0..100).await;
    }
    let beginning = film.ranges.lock().unwrap().iter().filter(|r| r.start == 0).count();
    assert_eq!(beginning, 1);
}

#[tokio::test]
async fn the_end_is_where_it_is() {
    for size in [1, BLOCK - 1, BLOCK, BLOCK + 1, 5 * BLOCK + 17] {
        let film = film(size);
        let mut ahead = ahead(&film);
        read(&mut ahead, 0..size).await;
        read(&mut ahead, size - 1..size).await;
        assert_eq!(film.fetched(), size);
    }
}

/// A child that reads some ranges on a thread of its own.
async fn child(film: &Arc<Film>, ranges: Vec<Range<u64>>) -> (io::Result<Vec<u8>>, Feed) {
    let (ours, feed) = start(film.clone()).unwrap();
    let read = tokio::task::spawn_blocking(move || {
        let (bytes, _) = remote::Bytes::of(ours)?;
        let mut all = Vec::new();
        for range in ranges {
            let mut part = vec![0; (range.end - range.start) as usize];
            bytes.read_exact_at(&mut part, range.start)?;
            all.extend(part);
        }
        Ok(all)
    });
    (read.await.unwrap(), feed)
}

#[tokio::test]
async fn a_child_gets_what_it_asks_for_and_it_is_counted() {
    let film = film(20 * MB);
    let (read, feed) = child(&film, vec![5..10, 3 * MB..6 * MB + 7]).await;
    let expected: Vec<u8> = (5..10).chain(3 * MB..6 * MB + 7).map(byte).collect();
    assert!(read.unwrap() == expected);
    let counted = feed.finish().unwrap();
    assert_eq!(counted.reads, 5, "1 MiB at a time");
    assert_eq!(counted.requests, film.requests() as u64);
    assert!(counted.bytes < 6 * MB, "{counted:?}");
}

#[tokio::test]
async fn what_cannot_be_read_fails_the_child_and_says_why_to_the_worker() {
    let film = broken(20 * MB, 2 * MB);
    let (read, feed) = child(&film, vec![0..10, 3 * MB..4 * MB]).await;
    assert!(read.is_err());
    let error = feed.finish().unwrap_err();
    assert_eq!(error.to_string(), "`s3://inbox/film.mov`: it changed");
}

#[tokio::test]
async fn a_child_that_asks_for_what_is_not_there_is_left_alone() {
    let film = film(MB);
    let (read, feed) = child(&film, std::iter::once(MB - 1..MB + 1).collect()).await;
    assert!(read.is_err());
    assert_eq!(feed.finish().unwrap().requests, 0);
}

#[tokio::test(start_paused = true)]
async fn a_master_that_does_not_answer_is_told_from_a_child_that_hangs() {
    let mut film = Arc::into_inner(film(20 * MB)).unwrap();
    film.silent = MB;
    let film = Arc::new(film);
    let (ours, feed) = start(film.clone()).unwrap();
    let mut child = UnixStream::from_std({
        let ours = std::os::unix::net::UnixStream::from(ours);
        ours.set_nonblocking(true).unwrap();
        ours
    })
    .unwrap();
    let (minute, mut size) = (Duration::from_mins(1), [0; 8]);
    child.read_exact(&mut size).await.unwrap();
    let question = |at: u64| [&at.to_le_bytes()[..], &1u32.to_le_bytes()].concat();

    // What is answered is not waited for, however long the child does something else.
    child.write_all(&question(0)).await.unwrap();
    child.read_exact(&mut [0; 2]).await.unwrap();
    tokio::time::advance(2 * minute).await;
    assert_eq!(feed.overdue(minute), None);

    child.write_all(&question(10 * MB)).await.unwrap();
    while film.requests() < 2 {
        tokio::task::yield_now().await;
    }
    assert_eq!(feed.overdue(minute), None);
    tokio::time::advance(minute).await;
    let error = feed.overdue(minute).unwrap();
    assert_eq!(error.kind, MasterErrorKind::Unavailable);
    assert_eq!(
        error.to_string(),
        "`s3://inbox/film.mov`: it has not given what was asked for within 60 s"
    );
    assert_eq!(feed.finish().unwrap().reads, 2);
}
