//! Masters in buckets and on web servers, read in parts.
//!
//! Which bucket is asked how is configured: an address names a bucket, and no credentials. A master is looked at once,
//! and every part that is read of it later is asked for on condition that it still is the same, and compared as well,
//! for not everybody heeds conditions.
//!
//! **Retries.** Those of the origins: [`crate::s3::calls`] has one gate and one pace for each bucket and for each host.

mod bucket;
mod web;

use std::collections::HashMap;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use headwater_model::address::{Address, Folder, stamp_of};
use headwater_ports::masters::{
    MasterError, MasterErrorKind, MasterPage, Masters, RemoteMaster, Seen,
};
use headwater_ports::origin::OriginErrorKind;
use tokio::sync::OnceCell;

use crate::s3::S3Settings;
use crate::s3::calls::Calls;
use crate::s3::error::Failed;
use bucket::Bucket;
use web::Web;

/// Everything that masters can be read from. Asks nobody before it is asked.
#[derive(Debug, Default)]
pub struct RemoteMasters {
    buckets: Vec<(S3Settings, OnceCell<Arc<Bucket>>)>,
    /// One client for all, made when it is first needed.
    client: OnceCell<reqwest::Client>,
    /// The calls to each host that a master was read from: as many as suppliers have.
    hosts: Mutex<HashMap<String, Calls>>,
    /// How many times as impatient it is as it should be.
    haste: u32,
}

impl RemoteMasters {
    /// Reads what is in these buckets, or below these prefixes of them, and what any web server gives.
    pub fn new(buckets: Vec<S3Settings>) -> Self {
        let buckets = buckets.into_iter().map(|settings| (settings, OnceCell::new())).collect();
        Self { buckets, ..Self::default() }
    }

    /// The same, so many times as impatient: tests cannot wait for minutes.
    #[cfg(test)]
    fn in_haste(self, times: u32) -> Self {
        Self { haste: times, ..self }
    }

    /// The bucket that a key is in: of several with its name the one with the longest prefix that fits.
    async fn bucket(&self, bucket: &str, key: &str) -> Option<Arc<Bucket>> {
        let holds = |s: &S3Settings| s.bucket == bucket && key.starts_with(&s.prefix);
        let fitting = self.buckets.iter().filter(|(settings, _)| holds(settings));
        let (settings, opened) = fitting.max_by_key(|(settings, _)| settings.prefix.len())?;
        let open = async || Arc::new(Bucket::new(settings, self.haste).await);
        Some(opened.get_or_init(open).await.clone())
    }

    fn unknown(&self, address: String, bucket: &str) -> MasterError {
        let known = self.buckets.iter().map(|(s, _)| format!("`{}/{}`", s.bucket, s.prefix));
        let known: Vec<String> = known.collect();
        let known = match known.is_empty() {
            true => "no bucket is".to_owned(),
            false => known.join(", "),
        };
        let reason = format!(
            "no origin with the bucket `{bucket}` and a prefix that fits is configured (known: {known}); add one, and name it in `masters.origins`"
        );
        MasterError { kind: MasterErrorKind::Denied, address, reason }
    }

    async fn web(&self, url: &str) -> Result<Web, MasterError> {
        let client = self.client.get_or_try_init(async || web::client()).await;
        let client = client.map_err(|reason| MasterError {
            kind: MasterErrorKind::Unavailable,
            address: url.to_owned(),
            reason,
        })?;
        let host = url.split('/').nth(2).unwrap_or_default();
        let mut hosts = self.hosts.lock().unwrap_or_else(PoisonError::into_inner);
        let calls =
            hosts.entry(host.to_owned()).or_insert_with(|| Calls::new(host, self.haste)).clone();
        Ok(Web { client: client.clone(), calls })
    }
}

#[async_trait]
impl Masters for RemoteMasters {
    async fn open(&self, address: &Address) -> Result<Arc<dyn RemoteMaster>, MasterError> {
        let failed = |failed: Failed| error(address.to_string(), &failed);
        let refused = |(kind, reason)| MasterError { kind, address: address.to_string(), reason };
        let (holder, identity) = match address {
            Address::Object { bucket, key } => {
                let opened = self.bucket(bucket, key).await;
                let opened = opened.ok_or_else(|| self.unknown(address.to_string(), bucket))?;
                let identity = opened.look(key).await.map_err(failed)?;
                (Holder::Bucket(opened, key.clone()), identity)
            }
            Address::Web(url) => {
                let web = self.web(url).await?;
                let identity = web.look(url).await.map_err(failed)?.map_err(refused)?;
                (Holder::Web(web, url.clone()), identity)
            }
            Address::File(_) => {
                return Err(refused((MasterErrorKind::Denied, "it is a file".to_owned())));
            }
        };
        let Some(stamp) = identity.stamp() else {
            let reason =
                "who holds it says neither by an ETag nor by a time whether it is still the same";
            return Err(refused((MasterErrorKind::Unsuitable, reason.to_owned())));
        };
        let seen = Seen { bytes: identity.bytes, stamp };
        Ok(Arc::new(Opened { address: address.clone(), seen, identity, holder }))
    }

    async fn list(&self, folder: &Folder, after: Option<&str>) -> Result<MasterPage, MasterError> {
        let bucket = self.bucket(&folder.bucket, &folder.prefix).await;
        let bucket = bucket.ok_or_else(|| self.unknown(folder.to_string(), &folder.bucket))?;
        let page = bucket.list(folder, after).await;
        page.map_err(|failed| error(folder.to_string(), &failed))
    }
}

fn error(address: String, failed: &Failed) -> MasterError {
    let kind = match failed.kind {
        OriginErrorKind::NotFound => MasterErrorKind::NotFound,
        OriginErrorKind::Denied => MasterErrorKind::Denied,
        OriginErrorKind::Cold => MasterErrorKind::Cold,
        OriginErrorKind::Changed => MasterErrorKind::Changed,
        OriginErrorKind::Full | OriginErrorKind::Unavailable | OriginErrorKind::Corrupt => {
            MasterErrorKind::Unavailable
        }
    };
    MasterError { kind, address, reason: failed.to_string() }
}

/// A verdict of whoever holds a master that another try does not change.
type Verdict = (MasterErrorKind, String);

/// What a master is known again by.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Identity {
    /// Size in bytes.
    bytes: u64,
    etag: Option<String>,
    /// When it was last changed, as it is written there.
    modified: Option<String>,
}

impl Identity {
    fn stamp(&self) -> Option<i64> {
        self.etag.as_deref().or(self.modified.as_deref()).map(stamp_of)
    }

    /// An ETag that a condition can name: a weak one matches nothing (RFC 9110, 13.1.1).
    fn condition(&self) -> Option<&str> {
        self.etag.as_deref().filter(|etag| !etag.starts_with("W/"))
    }

    /// Fails unless what came with a part belongs to the same master. What an answer does not say cannot differ.
    fn check(&self, now: &Came<'_>) -> Result<(), Verdict> {
        let differs = |before: &Option<String>, now: Option<&str>| {
            now.is_some() && before.is_some() && before.as_deref() != now
        };
        let total: Option<u64> = now.part.and_then(|part| part.rsplit_once('/')?.1.parse().ok());
        let changed = |what: String| Err((MasterErrorKind::Changed, what));
        match (&self.etag, now.etag) {
            (Some(before), Some(now)) if before != now => {
                return changed(format!("its ETag was {before} and is {now} now"));
            }
            _ => {}
        }
        if self.etag.is_none() && differs(&self.modified, now.modified) {
            return changed("the time of its last change is another one".to_owned());
        }
        match total {
            Some(total) if total != self.bytes => {
                changed(format!("it had {} bytes and has {total} now", self.bytes))
            }
            _ => Ok(()),
        }
    }
}

/// What an answer with a part of a master says about it.
#[derive(Debug, Clone, Copy, Default)]
struct Came<'a> {
    etag: Option<&'a str>,
    modified: Option<&'a str>,
    /// `Content-Range`.
    part: Option<&'a str>,
}

/// Where an opened master is read from.
#[derive(Debug)]
enum Holder {
    Bucket(Arc<Bucket>, String),
    Web(Web, String),
}

#[derive(Debug)]
struct Opened {
    address: Address,
    seen: Seen,
    identity: Identity,
    holder: Holder,
}

#[async_trait]
impl RemoteMaster for Opened {
    fn address(&self) -> &Address {
        &self.address
    }

    fn seen(&self) -> Seen {
        self.seen
    }

    async fn read(&self, range: Range<u64>) -> Result<Bytes, MasterError> {
        if range.is_empty() {
            return Ok(Bytes::new());
        }
        let read = match &self.holder {
            Holder::Bucket(bucket, key) => bucket.read(key, &self.identity, &range).await,
            Holder::Web(web, url) => web.read(url, &self.identity, &range).await,
        };
        let address = || self.address.to_string();
        let verdict = read.map_err(|failed| error(address(), &failed))?;
        let bytes =
            verdict.map_err(|(kind, reason)| MasterError { kind, address: address(), reason })?;
        if bytes.len() as u64 == range.end - range.start {
            return Ok(bytes);
        }
        let reason = format!(
            "bytes {} to {} were asked for, and {} came",
            range.start,
            range.end - 1,
            bytes.len()
        );
        Err(MasterError { kind: MasterErrorKind::Changed, address: address(), reason })
    }
}

#[cfg(test)]
mod tests;
