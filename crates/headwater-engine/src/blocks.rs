//! Large objects, read block by block: what does not fit into memory is hashed or written as it comes.

use bytes::Bytes;
use futures_util::stream::{self, BoxStream, StreamExt, TryStreamExt};
use headwater_model::id::Sha256;
use headwater_model::key::ObjectKey;
use headwater_ports::origin::{Origin, OriginError, OriginErrorKind};
use sha2::Digest;

use crate::hash;

/// Bytes that are asked for at once: half of what an adapter gives a call without a known size its time for.
const BLOCK: u64 = 8 * 1024 * 1024;

/// Blocks that are asked for ahead. With them 32 MiB are in memory, and a link of 1 Gbit/s over 200 ms is full.
const AHEAD: usize = 4;

/// The first `bytes` of an object, in order. An object that has fewer is an error.
pub(crate) fn read<'o>(
    origin: &'o dyn Origin,
    key: &'o ObjectKey,
    bytes: u64,
) -> BoxStream<'o, Result<Bytes, OriginError>> {
    let starts = (0..bytes.div_ceil(BLOCK)).map(|n| n * BLOCK);
    let blocks = starts.map(move |start| async move {
        let end = bytes.min(start + BLOCK);
        let block = origin.get(key, Some(start..end)).await?;
        if block.len() as u64 == end - start {
            return Ok(block);
        }
        let there = start + block.len() as u64;
        let source = format!("it ends after {there} of {bytes} bytes").into();
        let (kind, operation) = (OriginErrorKind::Corrupt, "read");
        Err(OriginError { kind, operation, key: key.to_string(), source })
    });
    stream::iter(blocks).buffered(AHEAD).boxed()
}

/// The SHA-256 of the first `bytes` of an object.
pub(crate) async fn hash(
    origin: &dyn Origin,
    key: &ObjectKey,
    bytes: u64,
) -> Result<Sha256, OriginError> {
    let mut hasher = Hasher::default();
    let mut blocks = read(origin, key, bytes);
    while let Some(block) = blocks.try_next().await? {
        hasher.add(block).await;
    }
    Ok(hasher.finish())
}

/// Hashes blocks beside the runtime.
#[derive(Default)]
pub(crate) struct Hasher(sha2::Sha256);

impl Hasher {
    /// Goes on with a block.
    pub(crate) async fn add(&mut self, block: Bytes) {
        let mut hasher = std::mem::take(&mut self.0);
        self.0 = hash::compute(move || {
            hasher.update(&block);
            hasher
        })
        .await;
    }

    /// The SHA-256 of all blocks.
    pub(crate) fn finish(self) -> Sha256 {
        Sha256(self.0.finalize().into())
    }
}
