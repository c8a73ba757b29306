//! An origin that fails, forgets, truncates, fills up or hangs on purpose, and otherwise does what the one behind it
//! does.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use async_trait::async_trait;
use bytes::Bytes;
use headwater_model::key::ObjectKey;
use headwater_ports::origin::{
    ObjectInfo, Origin, OriginError, OriginErrorKind, Page, ProofGrade, Put, PutFile, StoredFile,
};

use crate::digest::{md5, sha256};

/// One way to be unreliable. `containing` chooses objects by a part of their key; `""` means all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fail {
    /// Every call is refused as unavailable.
    Away,
    /// The first `n` puts are refused as unavailable.
    FirstPuts(u32),
    /// The first `n` gets are refused as unavailable.
    FirstGets(u32),
    /// Gets fail.
    Gets {
        /// Of which objects.
        containing: &'static str,
        /// How.
        kind: OriginErrorKind,
    },
    /// Puts are acknowledged and forgotten.
    DropPuts {
        /// Of which objects.
        containing: &'static str,
    },
    /// The same for the first `times` of them.
    DropFirstPuts {
        /// Of which objects.
        containing: &'static str,
        /// How many.
        times: u32,
    },
    /// Puts are acknowledged and only half of the bytes is kept.
    TruncatePuts {
        /// Of which objects.
        containing: &'static str,
    },
    /// Puts that would bring the bytes taken so far over this number are refused as full.
    FullAfter {
        /// Bytes that fit.
        bytes: u64,
    },
    /// Listings are refused.
    Lists,
    /// Puts are never answered.
    HangPuts {
        /// Of which objects.
        containing: &'static str,
    },
    /// Gets are never answered.
    HangGets {
        /// Of which objects.
        containing: &'static str,
    },
}

/// An unreliable origin.
pub struct Flaky {
    inner: Arc<dyn Origin>,
    fails: Vec<Fail>,
    puts: AtomicU32,
    gets: AtomicU32,
    taken: AtomicU64,
    dropped: AtomicU32,
}

impl Flaky {
    /// Makes `inner` unreliable in all of these ways.
    pub fn new(inner: Arc<dyn Origin>, fails: Vec<Fail>) -> Self {
        Self {
            inner,
            fails,
            puts: AtomicU32::new(0),
            gets: AtomicU32::new(0),
            taken: AtomicU64::new(0),
            dropped: AtomicU32::new(0),
        }
    }
}

fn refused(kind: OriginErrorKind, operation: &'static str, key: &ObjectKey) -> OriginError {
    OriginError { kind, operation, key: key.to_string(), source: "refused on purpose".into() }
}

#[async_trait]
impl Origin for Flaky {
    fn name(&self) -> &str {
        self.inner.name()
    }

    fn grade(&self) -> ProofGrade {
        self.inner.grade()
    }

    fn address(&self, key: &ObjectKey) -> String {
        self.inner.address(key)
    }

    async fn put(&self, mut put: Put) -> Result<(), OriginError> {
        let before = self.puts.fetch_add(1, Ordering::Relaxed);
        for fail in &self.fails {
            let hits = |part: &str| put.key.as_str().contains(part);
            match fail {
                Fail::Away => return Err(refused(OriginErrorKind::Unavailable, "store", &put.key)),
                Fail::FirstPuts(n) if before < *n => {
                    return Err(refused(OriginErrorKind::Unavailable, "store", &put.key));
                }
                Fail::DropPuts { containing } if hits(containing) => return Ok(()),
                Fail::DropFirstPuts { containing, times } if hits(containing) => {
                    if self.dropped.fetch_add(1, Ordering::Relaxed) < *times {
                        return Ok(());
                    }
                }
                Fail::TruncatePuts { containing } if hits(containing) => {
                    put.body.truncate(put.body.len() / 2);
                    // The origin behind gets checksums that fit, as from a proxy that sums up what it received.
                    put.sha256 = sha256(&put.body);
                    put.md5 = md5(&put.body);
                }
                Fail::FullAfter { bytes } => {
                    let size = put.body.len() as u64;
                    if self.taken.fetch_add(size, Ordering::Relaxed) + size > *bytes {
                        self.taken.fetch_sub(size, Ordering::Relaxed);
                        return Err(refused(OriginErrorKind::Full, "store", &put.key));
                    }
                }
                Fail::HangPuts { containing } if hits(containing) => std::future::pending().await,
                Fail::FirstPuts(_)
                | Fail::FirstGets(_)
                | Fail::Gets { .. }
                | Fail::DropPuts { .. }
                | Fail::DropFirstPuts { .. }
                | Fail::TruncatePuts { .. }
                | Fail::Lists
                | Fail::HangPuts { .. }
                | Fail::HangGets { .. } => {}
            }
        }
        self.inner.put(put).await
    }

    async fn put_file(&self, put: PutFile) -> Result<StoredFile, OriginError> {
        let before = self.puts.fetch_add(1, Ordering::Relaxed);
        for fail in &self.fails {
            let hits = |part: &str| put.key.as_str().contains(part);
            match fail {
                Fail::FirstPuts(n) if before < *n => {
                    return Err(refused(OriginErrorKind::Unavailable, "store", &put.key));
                }
                Fail::DropPuts { containing } if hits(containing) => {
                    return Ok(StoredFile::default());
                }
                Fail::HangPuts { containing } if hits(containing) => std::future::pending().await,
                _ => {}
            }
        }
        self.inner.put_file(put).await
    }

    async fn get(&self, key: &ObjectKey, range: Option<Range<u64>>) -> Result<Bytes, OriginError> {
        let before = self.gets.fetch_add(1, Ordering::Relaxed);
        for fail in &self.fails {
            match fail {
                Fail::Away => return Err(refused(OriginErrorKind::Unavailable, "read", key)),
                Fail::FirstGets(n) if before < *n => {
                    return Err(refused(OriginErrorKind::Unavailable, "read", key));
                }
                Fail::HangGets { containing } if key.as_str().contains(containing) => {
                    std::future::pending().await
                }
                Fail::Gets { containing, kind } if key.as_str().contains(containing) => {
                    return Err(refused(*kind, "read", key));
                }
                _ => {}
            }
        }
        self.inner.get(key, range).await
    }

    async fn head(&self, key: &ObjectKey) -> Result<Option<ObjectInfo>, OriginError> {
        if self.fails.contains(&Fail::Away) {
            return Err(refused(OriginErrorKind::Unavailable, "look at", key));
        }
        self.inner.head(key).await
    }

    async fn list(&self, prefix: &str, after: Option<&ObjectKey>) -> Result<Page, OriginError> {
        if self.fails.contains(&Fail::Away) {
            let kind = OriginErrorKind::Unavailable;
            let (key, source) = (prefix.to_owned(), "refused on purpose".into());
            return Err(OriginError { kind, operation: "list", key, source });
        }
        if self.fails.contains(&Fail::Lists) {
            let (kind, source) = (OriginErrorKind::Denied, "refused on purpose".into());
            return Err(OriginError { kind, operation: "list", key: prefix.to_owned(), source });
        }
        self.inner.list(prefix, after).await
    }

    async fn delete(&self, key: &ObjectKey) -> Result<(), OriginError> {
        self.inner.delete(key).await
    }
}

#[cfg(test)]
mod tests;
