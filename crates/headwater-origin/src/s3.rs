//! An S3-compatible origin.
//!
//! **What is true at each point.** An object goes up in one call from memory, with its hashes computed beforehand: the
//! payload's SHA-256 is part of the signature, and by the origin's profile a checksum header or `Content-MD5` goes with
//! it. What the origin answers is compared where it can be. None of that is taken for proof: the verifier asks later.
//!
//! **Retries.** This module owns them all ([`calls`], [`retry`], [`gate`]); the SDK's are switched off.
//!
//! **Cancellation.** Dropping a call closes its connection. An upload that was dropped may be there or not.

pub(crate) mod body;
pub(crate) mod calls;
pub(crate) mod client;
pub(crate) mod error;
mod file;
mod gate;
pub(crate) mod listing;
mod pace;
mod probe;
mod reach;
pub(crate) mod retry;
mod series;

use std::ops::Range;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use async_trait::async_trait;
use aws_sdk_s3::Client;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{ChecksumMode, StorageClass};
use bytes::Bytes;
use headwater_model::id::{Md5, Sha256};
use headwater_model::key::ObjectKey;
use headwater_model::origin::{Profile, ProofGrade, Question};
use headwater_ports::origin::{
    Before, ObjectInfo, Origin, OriginError, Page, Put, PutFile, StoredFile,
};
use tokio::task::spawn_blocking;

pub use client::{Credentials, S3Settings};
pub use series::Unusable;

use body::{Announced, MOST_LISTED, MOST_WHOLE};
use calls::Calls;
use error::Failed;
use listing::{Listed, Unlisted};

/// Time that a call without a body may take.
pub(crate) const CALL_LIMIT: Duration = Duration::from_secs(30);

/// Time more for each started MB of a body: 100 kB/s, a link on which nobody would publish films.
const LIMIT_PER_MB: Duration = Duration::from_secs(10);

/// Time that reading an object in one piece, or a part of one, may take: as much as 16 MB need at that rate, where a
/// segment has 10 MB at the very most.
const READ_LIMIT: Duration = Duration::from_secs(30 + 10 * 16);

/// Time that one try of reading a part of a master may take. A child that waits for a stretch of 4 MiB is taken to hang
/// after two minutes: a second try has to come before.
pub(crate) fn part_limit(range: &Range<u64>) -> Duration {
    let bytes = usize::try_from(range.end.saturating_sub(range.start)).unwrap_or(usize::MAX);
    CALL_LIMIT + LIMIT_PER_MB * megabytes(bytes)
}

/// Objects of a page of a listing, at most
/// (<https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectsV2.html>).
const PAGE: usize = 1_000;

/// An S3-compatible origin.
pub struct S3Origin {
    settings: S3Settings,
    profile: RwLock<Arc<Profile>>,
    client: Client,
    calls: Calls,
    /// Bytes of a part of a large file.
    part: u64,
}

impl S3Origin {
    /// An origin that behaves as `profile` says. Asks nothing yet.
    pub async fn new(settings: S3Settings, profile: Profile) -> Self {
        let client = client::client(&settings).await;
        let profile = RwLock::new(Arc::new(profile));
        let calls = Calls::new(&settings.name, 1);
        Self { settings, profile, client, calls, part: file::PART }
    }

    /// The same, `times` as impatient: limits of calls, waits between tries and the pace of all calls are in a time that
    /// passes that much faster. For tests of what happens when patience runs out.
    #[must_use]
    pub fn in_haste(self, times: u32) -> Self {
        Self { calls: Calls::new(&self.settings.name, times), ..self }
    }

    /// Where it is and how it is asked.
    pub fn settings(&self) -> &S3Settings {
        &self.settings
    }

    /// How it is taken to behave.
    pub fn profile(&self) -> Arc<Profile> {
        self.profile.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Takes it to behave like this from now on. Calls under way go on as they were begun.
    pub fn goes_by(&self, profile: Profile) {
        *self.profile.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(profile);
    }

    fn does(&self, question: Question) -> bool {
        self.profile().does(question)
    }

    /// Lists, stores, reads and deletes, within ten seconds.
    ///
    /// # Errors
    ///
    /// What a person has to put right before the origin can be used.
    pub async fn reach(&self) -> Result<(), Unusable> {
        Box::pin(reach::reach(self)).await
    }

    /// Lists and reads once, within ten seconds; changes nothing.
    ///
    /// # Errors
    ///
    /// What a person has to put right before the origin can be looked at.
    pub async fn reach_to_read(&self) -> Result<(), Unusable> {
        reach::reach_to_read(self).await
    }

    /// Finds out what the origin does, with some forty calls below a prefix of their own, within some two
    /// minutes and mostly within a few seconds. Leaves nothing behind.
    ///
    /// # Errors
    ///
    /// What a person has to put right: it cannot even store, read, list and delete.
    pub async fn probe(&self) -> Result<Profile, Unusable> {
        // Many calls deep in one another, of which whoever awaits this need not know the type.
        Box::pin(probe::probe(self)).await
    }

    fn storage_class(&self) -> Option<StorageClass> {
        self.settings.storage_class.as_deref().map(StorageClass::from)
    }

    fn etag_is_md5(&self) -> bool {
        self.does(Question::EtagIsMd5)
    }

    fn full(&self, key: &ObjectKey) -> String {
        format!("{}{key}", self.settings.prefix)
    }

    /// Deletes the object of this whole key, once; one that is not there is no error.
    async fn delete_once(&self, key: &str) -> Result<(), Failed> {
        let request = self.client.delete_object().bucket(&self.settings.bucket).key(key);
        match request.send().await {
            Ok(_) => Ok(()),
            // Most say nothing about what was not there.
            Err(error) => Failed::from(error).of_reading().absent::<()>().map(drop),
        }
    }

    /// Whether a checksum in an answer means something: it was enforced when the object came.
    fn checksums_count(&self) -> bool {
        self.does(Question::RefusesWrongChecksum) && self.does(Question::ReturnsChecksum)
    }
}

#[async_trait]
impl Origin for S3Origin {
    fn name(&self) -> &str {
        &self.settings.name
    }

    fn grade(&self) -> ProofGrade {
        self.profile().grade()
    }

    fn address(&self, key: &ObjectKey) -> String {
        self.settings.address(&self.full(key))
    }

    async fn put(&self, put: Put) -> Result<(), OriginError> {
        let key = self.full(&put.key);
        let limit = CALL_LIMIT + LIMIT_PER_MB * megabytes(put.body.len());
        self.calls
            .ask("store", put.key.as_str(), limit, || async {
                let mut request = self
                    .client
                    .put_object()
                    .bucket(&self.settings.bucket)
                    .key(&key)
                    .body(ByteStream::from(put.body.clone()))
                    .content_type(put.key.content_type())
                    .cache_control(put.cache_control)
                    .set_storage_class(self.storage_class());
                // One or the other: some origins refuse a call with both.
                if self.does(Question::RefusesWrongChecksum) {
                    request = request.checksum_sha256(base64(&put.sha256.0));
                } else if self.does(Question::RefusesWrongMd5) {
                    request = request.content_md5(base64(&put.md5.0));
                }
                request = match &put.before {
                    Before::Nothing if self.does(Question::HonoursIfNoneMatch) => {
                        request.if_none_match("*")
                    }
                    Before::Etag(etag) if self.does(Question::HonoursIfMatch) => {
                        request.if_match(etag)
                    }
                    Before::Anything | Before::Nothing | Before::Etag(_) => request,
                };
                let signed = client::SignedHash::new(&put.sha256);
                let answer = request.customize().interceptor(signed).send().await;
                let answer = answer.map_err(|error| match &put.before {
                    Before::Etag(_) => Failed::from(error).of_replacing(),
                    Before::Anything | Before::Nothing => Failed::from(error),
                })?;
                match answer.e_tag().filter(|_| self.etag_is_md5()).and_then(md5_of) {
                    Some(stored) if stored != put.md5 => Err(Failed::corrupt(format!(
                        "the origin says that it stored {stored} instead of {}",
                        put.md5
                    ))),
                    _ => Ok(()),
                }
            })
            .await
    }

    async fn put_file(&self, put: PutFile) -> Result<StoredFile, OriginError> {
        file::put(self, put).await
    }

    async fn get(&self, key: &ObjectKey, range: Option<Range<u64>>) -> Result<Bytes, OriginError> {
        if range.as_ref().is_some_and(Range::is_empty) {
            return Ok(Bytes::new());
        }
        let full = self.full(key);
        self.calls
            .ask("read", key.as_str(), READ_LIMIT, || async {
                let request = self
                    .client
                    .get_object()
                    .bucket(&self.settings.bucket)
                    .key(&full)
                    .set_range(range.as_ref().map(header_of));
                // Only the body takes longer the larger it is.
                let begins =
                    tokio::time::timeout(self.calls.hasten(CALL_LIMIT), request.send()).await;
                let begins = begins.map_err(|_| Failed::too_late(CALL_LIMIT))?;
                let answer = match begins.map_err(|error| Failed::from(error).of_reading()) {
                    Err(failed) if failed.is_beyond_the_end() => return Ok(Bytes::new()),
                    answer => answer?,
                };
                let announced = Announced {
                    length: answer.content_length().and_then(|n| u64::try_from(n).ok()),
                    part: answer.content_range().map(str::to_owned),
                };
                match &range {
                    Some(range) => body::part(answer.body, &announced, range).await,
                    None => body::whole(answer.body, announced.length, MOST_WHOLE).await,
                }
            })
            .await
    }

    async fn head(&self, key: &ObjectKey) -> Result<Option<ObjectInfo>, OriginError> {
        let full = self.full(key);
        let found = self
            .calls
            .ask("look at", key.as_str(), CALL_LIMIT, || async {
                let mut request =
                    self.client.head_object().bucket(&self.settings.bucket).key(&full);
                if self.checksums_count() {
                    request = request.checksum_mode(ChecksumMode::Enabled);
                }
                match request.send().await {
                    Ok(found) => {
                        let bytes = found.content_length().and_then(|n| u64::try_from(n).ok());
                        // Taken for 0, it would be an object that has lost its bytes.
                        let unknown = || Failed::corrupt("the origin does not say how long it is");
                        Ok(Some((bytes.ok_or_else(unknown)?, found)))
                    }
                    Err(error) => Failed::from(error).of_looking().absent(),
                }
            })
            .await?;
        Ok(found.map(|(bytes, found)| {
            let sha256 = found.checksum_sha256().filter(|_| self.checksums_count());
            ObjectInfo {
                sha256: sha256.and_then(sha256_of),
                storage_class: found.storage_class().map(|class| class.as_str().to_owned()),
                ..info(key.clone(), bytes, found.e_tag(), self.etag_is_md5())
            }
        }))
    }

    async fn list(&self, prefix: &str, after: Option<&ObjectKey>) -> Result<Page, OriginError> {
        let full_prefix = format!("{}{prefix}", self.settings.prefix);
        let mut after = after.map(|key| self.full(key));
        loop {
            let (told, objects) = self
                .calls
                .ask("list", prefix, CALL_LIMIT, || async {
                    let request = self
                        .client
                        .list_objects_v2()
                        .bucket(&self.settings.bucket)
                        .prefix(&full_prefix)
                        .set_start_after(after.clone());
                    let unread = listing::Unread::default();
                    request.customize().interceptor(unread.clone()).send().await?;
                    let body = ByteStream::new(unread.take());
                    let body = body::whole(body, None, MOST_LISTED).await?;
                    let (prefix, etag_is_md5) = (self.settings.prefix.clone(), self.etag_is_md5());
                    // A thousand objects take a millisecond, in which others could be asked.
                    spawn_blocking(move || page(&body, &prefix, etag_is_md5))
                        .await
                        .map_err(|_| Failed::corrupt("reading it ended early".to_owned()))?
                })
                .await?;
            if !told.is_truncated {
                return Ok(Page { objects, next: None });
            }
            if told.last <= after {
                let why = "the listing does not move on".to_owned();
                return Err(Failed::corrupt(why).into_error("list", prefix));
            }
            // Keys that Headwater never writes are somebody else's. A page may be full of them.
            if let Some(next) = objects.last().map(|o: &ObjectInfo| o.key.clone()) {
                return Ok(Page { objects, next: Some(next) });
            }
            after = told.last;
        }
    }

    async fn delete(&self, key: &ObjectKey) -> Result<(), OriginError> {
        let full = self.full(key);
        self.calls.ask("delete", key.as_str(), CALL_LIMIT, || self.delete_once(&full)).await
    }
}

/// The objects of a page of a listing below `prefix`.
fn page(
    body: &[u8],
    prefix: &str,
    etag_is_md5: bool,
) -> Result<(listing::Told, Vec<ObjectInfo>), Failed> {
    let mut objects = Vec::with_capacity(PAGE);
    let told = listing::read(body, |listed| objects.extend(info_of(listed, prefix, etag_is_md5)));
    let told = told.map_err(|why| match why {
        Unlisted::Refused { code, message } => Failed::after_all(&code, &message),
        Unlisted::Garbled(why) => Failed::corrupt(why),
    });
    Ok((told?, objects))
}

/// An object of a listing; none if it is somebody else's.
fn info_of(listed: Listed<'_>, prefix: &str, etag_is_md5: bool) -> Option<ObjectInfo> {
    let key = ObjectKey::new(listed.key.strip_prefix(prefix)?)?;
    let storage_class = listed.storage_class.map(str::to_owned);
    Some(ObjectInfo { storage_class, ..info(key, listed.bytes, listed.etag, etag_is_md5) })
}

fn info(key: ObjectKey, bytes: u64, etag: Option<&str>, etag_is_md5: bool) -> ObjectInfo {
    let md5 = etag.filter(|_| etag_is_md5).and_then(md5_of);
    ObjectInfo { md5, etag: etag.map(str::to_owned), ..ObjectInfo::new(key, bytes) }
}

/// The MD5 that an ETag is; none of an upload in parts.
fn md5_of(etag: &str) -> Option<Md5> {
    etag.trim_matches('"').parse().ok()
}

/// The SHA-256 that a checksum header is; none of an upload in parts.
fn sha256_of(header: &str) -> Option<Sha256> {
    aws_smithy_types::base64::decode(header).ok()?.try_into().ok().map(Sha256)
}

pub(crate) fn header_of(range: &Range<u64>) -> String {
    match range.end {
        u64::MAX => format!("bytes={}-", range.start),
        end => format!("bytes={}-{}", range.start, end - 1),
    }
}

fn base64(bytes: &[u8]) -> String {
    aws_smithy_types::base64::encode(bytes)
}

fn megabytes(bytes: usize) -> u32 {
    u32::try_from(bytes / 1_000_000 + 1).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests;
