//! The operations of S3 that packages need, over the store, with the lies woven in.

mod fates;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use bytes::{Bytes, BytesMut};
use futures_util::StreamExt;
use futures_util::stream;
use s3s::checksum::ChecksumHasher;
use s3s::dto::*;
use s3s::{Body, S3, S3Error, S3ErrorCode, S3Request, S3Response, S3Result, s3_error};

use crate::lies::{Call, What};
use crate::server::{Conditions, Shared};
use crate::store::{Checksums, Stored, Upload, md5_hex};
pub(crate) use fates::{FOREIGN, RESET};
use fates::{answer, no_such_upload, unsupported_header};

/// Time in which the first half of a body is on its way.
const FLUSHED: Duration = Duration::from_millis(10);

/// The service.
pub(crate) struct LyingS3(pub(crate) Arc<Shared>);

impl LyingS3 {
    /// The object as this server would show it now; lies about reading included.
    fn see(&self, key: &str) -> S3Result<Stored> {
        let object = self.0.store.get(key);
        let missing = || s3_error!(NoSuchKey, "The specified key does not exist.");
        let hidden = self.0.lies.meet(key, |what| (what == What::ListWithoutHaving).then_some(()));
        if hidden.is_some() {
            return Err(missing());
        }
        let stale = self.0.lies.meet(key, |what| (what == What::ServeStale).then_some(()));
        let object = match stale {
            Some(()) => object.and_then(|o| o.previous.map(|before| *before)),
            None => object,
        };
        object.ok_or_else(missing)
    }

    /// Refuses a put whose conditions do not hold.
    fn conditions(
        &self,
        key: &str,
        if_match: Option<&IfMatch>,
        if_none_match: Option<&IfNoneMatch>,
    ) -> S3Result {
        let any = if_match.is_some() || if_none_match.is_some();
        match self.0.manners.conditions {
            Conditions::Honoured => {}
            Conditions::Ignored => return Ok(()),
            Conditions::Refused if any => return Err(unsupported_header()),
            Conditions::NotImplemented if any => {
                return Err(answer(501, "NotImplemented", "A header you provided is unknown."));
            }
            Conditions::Refused | Conditions::NotImplemented => return Ok(()),
        }
        let there = self.0.store.get(key).map(|object| object.etag);
        if if_match.is_some() && there.is_none() {
            return Err(s3_error!(NoSuchKey, "The specified key does not exist."));
        }
        let matches = |condition: &ETagCondition| match condition {
            ETagCondition::Any => there.is_some(),
            ETagCondition::ETag(etag) => there.as_deref() == Some(etag.value()),
        };
        let holds = if_match.is_none_or(matches) && !if_none_match.is_some_and(matches);
        if holds { Ok(()) } else { Err(s3_error!(PreconditionFailed, "a condition did not hold")) }
    }

    /// Stores `sent` or what a lie makes of it. Returns what the client is told.
    fn keep(&self, key: &str, sent: Stored) -> Stored {
        let told = sent.clone();
        let lie = self.0.lies.meet(key, |what| match what {
            What::Drop
            | What::StoreEmpty
            | What::StoreTruncated
            | What::StoreAltered
            | What::Rot => Some(what),
            _ => None,
        });
        let mut kept = sent;
        match lie {
            Some(What::Drop) => return told,
            Some(What::StoreEmpty) => kept.body = Bytes::new(),
            Some(What::StoreTruncated) => kept.body.truncate(kept.body.len() / 2),
            Some(What::StoreAltered | What::Rot) => kept.body = flipped(&kept.body),
            _ => {}
        }
        if matches!(lie, Some(What::StoreEmpty | What::StoreTruncated | What::StoreAltered)) {
            kept.etag = md5_hex(&kept.body);
            kept.checksum = checksum_like(&kept.checksum, &kept.body);
        }
        self.0.store.put(key, kept);
        told
    }

    /// The ETag of an object from a single put.
    fn etag(&self, body: &[u8]) -> String {
        static COUNTER: AtomicU64 = AtomicU64::new(0);
        if self.0.manners.etag_is_md5 {
            md5_hex(body)
        } else {
            format!("{:032x}", COUNTER.fetch_add(1, Ordering::Relaxed))
        }
    }

    /// Looks at the checksums that came with a body, and gives back those to keep.
    fn check(
        &self,
        key: &str,
        sent: Checksum,
        md5: Option<&str>,
        body: &[u8],
    ) -> S3Result<Checksum> {
        if self.0.manners.enforces_md5
            && let Some(md5) = md5
            && decode_base64(md5).map(hex::encode).as_deref() != Some(&md5_hex(body))
        {
            return Err(s3_error!(BadDigest, "The Content-MD5 you specified did not match"));
        }
        let refused = self.0.lies.meet(key, |what| (what == What::RefuseChecksums).then_some(()));
        let any = sent != Checksum::default();
        match self.0.manners.checksums {
            Checksums::Refused if any => Err(unsupported_header()),
            _ if any && refused.is_some() => Err(unsupported_header()),
            Checksums::Enforced if sent != checksum_like(&sent, body) => {
                Err(s3_error!(BadDigest, "The checksum you specified did not match"))
            }
            Checksums::Enforced | Checksums::Echoed => Ok(sent),
            Checksums::Ignored | Checksums::Refused => Ok(Checksum::default()),
        }
    }

    /// The size of an object, where it is told.
    fn size(&self, key: &str, body: &Bytes) -> Option<i64> {
        let hidden = self.0.lies.meet(key, |what| (what == What::HideSize).then_some(()));
        hidden.is_none().then(|| length(body))
    }

    /// A key as it is listed.
    fn listed(&self, key: String) -> String {
        let mangled = self.0.lies.meet(&key, |what| (what == What::MangleKeys).then_some(()));
        match mangled {
            Some(()) => key.replace("%2F", "/").replace('+', " "),
            None => key,
        }
    }

    fn objects_of_page(
        &self,
        prefix: &str,
        after: &str,
        limit: Option<i32>,
    ) -> (Vec<Object>, bool, Option<String>) {
        let most = self.0.manners.page;
        let limit = limit.and_then(|n| usize::try_from(n).ok()).unwrap_or(most).min(most);
        let shown = |key: &str| {
            let hidden = |what| (what == What::HaveWithoutListing).then_some(());
            self.0.lies.meet(key, hidden).is_none()
        };
        let (page, more) = self.0.store.list(prefix, after, limit, shown);
        let last = page.last().map(|(key, _)| key.clone());
        let objects = page
            .into_iter()
            .map(|(key, object)| Object {
                size: self.size(&key, &object.body),
                key: Some(self.listed(key)),
                e_tag: self.0.manners.lists_etags.then_some(ETag::Strong(object.etag)),
                last_modified: Some(object.modified.into()),
                storage_class: object.storage_class.map(ObjectStorageClass::from),
                ..Default::default()
            })
            .collect();
        (objects, more, last)
    }
}

#[async_trait::async_trait]
impl S3 for LyingS3 {
    async fn head_bucket(
        &self,
        request: S3Request<HeadBucketInput>,
    ) -> S3Result<S3Response<HeadBucketOutput>> {
        self.enter(Call::Other, &request, &request.input.bucket, "").await?;
        Ok(S3Response::new(HeadBucketOutput::default()))
    }

    async fn put_object(
        &self,
        mut request: S3Request<PutObjectInput>,
    ) -> S3Result<S3Response<PutObjectOutput>> {
        let body = request.input.body.take();
        let input = &request.input;
        let key = input.key.clone();
        self.enter(Call::Put, &request, &input.bucket, &key).await?;
        if input.storage_class.is_some() && !self.0.manners.has_classes {
            return Err(s3_error!(InvalidStorageClass, "The storage class is not valid"));
        }
        self.conditions(&key, input.if_match.as_ref(), input.if_none_match.as_ref())?;
        let sent = Checksum {
            checksum_crc32: input.checksum_crc32.clone(),
            checksum_crc32c: input.checksum_crc32c.clone(),
            checksum_crc64nvme: input.checksum_crc64nvme.clone(),
            checksum_sha1: input.checksum_sha1.clone(),
            checksum_sha256: input.checksum_sha256.clone(),
            ..Default::default()
        };
        let body = whole(body).await?;
        let checksum = self.check(&key, sent, input.content_md5.as_deref(), &body)?;
        let told = self.keep(
            &key,
            Stored {
                etag: self.etag(&body),
                body,
                checksum,
                modified: now(),
                cache_control: input.cache_control.clone(),
                content_type: input.content_type.clone(),
                storage_class: input.storage_class.as_ref().map(|c| c.as_str().to_owned()),
                is_restored: false,
                previous: None,
            },
        );
        self.leave(Call::Put, &key)?;
        Ok(S3Response::new(PutObjectOutput {
            e_tag: Some(ETag::Strong(told.etag)),
            checksum_crc64nvme: told.checksum.checksum_crc64nvme,
            checksum_sha256: told.checksum.checksum_sha256,
            ..Default::default()
        }))
    }

    async fn get_object(
        &self,
        request: S3Request<GetObjectInput>,
    ) -> S3Result<S3Response<GetObjectOutput>> {
        let input = &request.input;
        self.enter(Call::Get, &request, &input.bucket, &input.key).await?;
        if self.0.manners.conditions == Conditions::Honoured {
            self.conditions(&input.key, input.if_match.as_ref(), None)?;
        }
        let object = self.see(&input.key)?;
        if object.is_cold() {
            let mut error = S3Error::with_message(
                S3ErrorCode::InvalidObjectState,
                "The operation is not valid for the object's storage class",
            );
            error.set_status_code(hyper::StatusCode::FORBIDDEN);
            return Err(error);
        }
        let size = object.body.len() as u64;
        let ignored = |what| (what == What::IgnoreRange).then_some(());
        let range = match self.0.lies.meet(&input.key, ignored) {
            Some(()) => None,
            None => input.range,
        };
        let range = range
            .map(|r| r.check(size))
            .transpose()
            .map_err(|_| s3_error!(InvalidRange, "The requested range is not satisfiable"))?;
        let body = match &range {
            Some(range) => object.body.slice(range.start as usize..range.end as usize),
            None => object.body.clone(),
        };
        self.0.given.fetch_add(body.len() as u64, Ordering::Relaxed);
        let reset = |what| (what == What::Reset(Call::Get)).then_some(());
        let output = GetObjectOutput {
            content_length: Some(length(&body)),
            content_range: range
                .as_ref()
                .map(|r| format!("bytes {}-{}/{size}", r.start, r.end.saturating_sub(1))),
            body: Some(match self.0.lies.meet(&input.key, reset) {
                None => Body::from(body).into(),
                Some(()) => {
                    let half = body.slice(..body.len() / 2);
                    // What came before is sent while this waits; else a small body is lost with its head.
                    let reset = async {
                        tokio::time::sleep(FLUSHED).await;
                        Err(std::io::Error::other("reset on purpose"))
                    };
                    StreamingBlob::wrap(stream::iter([Ok(half)]).chain(stream::once(reset)))
                }
            }),
            e_tag: self.0.manners.gives_etags.then_some(ETag::Strong(object.etag)),
            cache_control: object.cache_control,
            content_type: object.content_type,
            last_modified: Some(object.modified.into()),
            ..Default::default()
        };
        Ok(match range {
            Some(_) => S3Response::with_status(output, hyper::StatusCode::PARTIAL_CONTENT),
            None => S3Response::new(output),
        })
    }

    async fn head_object(
        &self,
        request: S3Request<HeadObjectInput>,
    ) -> S3Result<S3Response<HeadObjectOutput>> {
        let input = &request.input;
        self.enter(Call::Head, &request, &input.bucket, &input.key).await?;
        let object = self.see(&input.key)?;
        let checksum =
            if input.checksum_mode.is_some() { object.checksum } else { Checksum::default() };
        Ok(S3Response::new(HeadObjectOutput {
            content_length: self.size(&input.key, &object.body),
            e_tag: self.0.manners.gives_etags.then_some(ETag::Strong(object.etag)),
            cache_control: object.cache_control,
            content_type: object.content_type,
            storage_class: object.storage_class.map(StorageClass::from),
            last_modified: Some(object.modified.into()),
            checksum_crc32: checksum.checksum_crc32,
            checksum_crc32c: checksum.checksum_crc32c,
            checksum_crc64nvme: checksum.checksum_crc64nvme,
            checksum_sha256: checksum.checksum_sha256,
            ..Default::default()
        }))
    }

    async fn list_objects_v2(
        &self,
        request: S3Request<ListObjectsV2Input>,
    ) -> S3Result<S3Response<ListObjectsV2Output>> {
        let input = &request.input;
        let prefix = input.prefix.clone().unwrap_or_default();
        self.enter(Call::List, &request, &input.bucket, &prefix).await?;
        // The token is the last key of the page before.
        let after = input.continuation_token.as_deref().or(input.start_after.as_deref());
        let repeated = |what| (what == What::RepeatPage).then_some(());
        let after = after.filter(|_| self.0.lies.meet(&prefix, repeated).is_none());
        let (objects, more, last) =
            self.objects_of_page(&prefix, after.unwrap_or(""), input.max_keys);
        Ok(S3Response::new(ListObjectsV2Output {
            name: Some(input.bucket.clone()),
            prefix: input.prefix.clone(),
            key_count: i32::try_from(objects.len()).ok(),
            max_keys: input.max_keys,
            is_truncated: Some(more),
            next_continuation_token: last.filter(|_| more),
            contents: Some(objects),
            ..Default::default()
        }))
    }

    async fn delete_object(
        &self,
        request: S3Request<DeleteObjectInput>,
    ) -> S3Result<S3Response<DeleteObjectOutput>> {
        let input = &request.input;
        self.enter(Call::Delete, &request, &input.bucket, &input.key).await?;
        self.0.store.objects().remove(&input.key);
        self.leave(Call::Delete, &input.key)?;
        Ok(S3Response::new(DeleteObjectOutput::default()))
    }

    async fn delete_objects(
        &self,
        request: S3Request<DeleteObjectsInput>,
    ) -> S3Result<S3Response<DeleteObjectsOutput>> {
        let input = &request.input;
        self.enter(Call::Delete, &request, &input.bucket, "").await?;
        let mut objects = self.0.store.objects();
        for object in &input.delete.objects {
            objects.remove(&object.key);
        }
        let deleted =
            |o: &ObjectIdentifier| DeletedObject { key: Some(o.key.clone()), ..Default::default() };
        Ok(S3Response::new(DeleteObjectsOutput {
            deleted: Some(input.delete.objects.iter().map(deleted).collect()),
            ..Default::default()
        }))
    }

    async fn copy_object(
        &self,
        request: S3Request<CopyObjectInput>,
    ) -> S3Result<S3Response<CopyObjectOutput>> {
        let input = &request.input;
        self.enter(Call::Put, &request, &input.bucket, &input.key).await?;
        let CopySource::Bucket { bucket, key, .. } = &input.copy_source else {
            return Err(s3_error!(NotImplemented, "access points are not there"));
        };
        if **bucket != *self.0.manners.bucket {
            return Err(s3_error!(NoSuchBucket, "The specified bucket does not exist"));
        }
        let told = self.keep(&input.key, self.see(key)?);
        Ok(S3Response::new(CopyObjectOutput {
            copy_object_result: Some(CopyObjectResult {
                e_tag: Some(ETag::Strong(told.etag)),
                last_modified: Some(told.modified.into()),
                ..Default::default()
            }),
            ..Default::default()
        }))
    }

    async fn create_multipart_upload(
        &self,
        request: S3Request<CreateMultipartUploadInput>,
    ) -> S3Result<S3Response<CreateMultipartUploadOutput>> {
        static COUNTER: AtomicU64 = AtomicU64::new(0);
        let input = &request.input;
        self.enter(Call::Put, &request, &input.bucket, &input.key).await?;
        let id = format!("upload-{}", COUNTER.fetch_add(1, Ordering::Relaxed));
        let upload = Upload {
            key: input.key.clone(),
            cache_control: input.cache_control.clone(),
            content_type: input.content_type.clone(),
            storage_class: input.storage_class.as_ref().map(|c| c.as_str().to_owned()),
            ..Default::default()
        };
        self.0.store.uploads().insert(id.clone(), upload);
        Ok(S3Response::new(CreateMultipartUploadOutput {
            bucket: Some(input.bucket.clone()),
            key: Some(input.key.clone()),
            upload_id: Some(id),
            ..Default::default()
        }))
    }

    async fn list_multipart_uploads(
        &self,
        request: S3Request<ListMultipartUploadsInput>,
    ) -> S3Result<S3Response<ListMultipartUploadsOutput>> {
        let input = &request.input;
        let prefix = input.prefix.clone().unwrap_or_default();
        self.enter(Call::List, &request, &input.bucket, &prefix).await?;
        let uploads = self.0.store.uploads();
        let below = uploads.iter().filter(|(_, upload)| upload.key.starts_with(&prefix));
        let uploads = below.map(|(id, upload)| MultipartUpload {
            key: Some(upload.key.clone()),
            upload_id: Some(id.clone()),
            ..Default::default()
        });
        Ok(S3Response::new(ListMultipartUploadsOutput {
            bucket: Some(input.bucket.clone()),
            uploads: Some(uploads.collect()),
            is_truncated: Some(false),
            ..Default::default()
        }))
    }

    async fn upload_part(
        &self,
        mut request: S3Request<UploadPartInput>,
    ) -> S3Result<S3Response<UploadPartOutput>> {
        let body = request.input.body.take();
        let input = &request.input;
        self.enter(Call::Put, &request, &input.bucket, &input.key).await?;
        let sent = Checksum {
            checksum_crc32: input.checksum_crc32.clone(),
            checksum_crc32c: input.checksum_crc32c.clone(),
            checksum_crc64nvme: input.checksum_crc64nvme.clone(),
            checksum_sha1: input.checksum_sha1.clone(),
            checksum_sha256: input.checksum_sha256.clone(),
            ..Default::default()
        };
        let body = whole(body).await?;
        self.check(&input.key, sent, input.content_md5.as_deref(), &body)?;
        let etag = self.etag(&body);
        let mut uploads = self.0.store.uploads();
        let upload = uploads.get_mut(&input.upload_id).ok_or_else(no_such_upload)?;
        upload.parts.insert(input.part_number, body);
        self.leave(Call::Put, &input.key)?;
        Ok(S3Response::new(UploadPartOutput {
            e_tag: Some(ETag::Strong(etag)),
            ..Default::default()
        }))
    }

    async fn complete_multipart_upload(
        &self,
        request: S3Request<CompleteMultipartUploadInput>,
    ) -> S3Result<S3Response<CompleteMultipartUploadOutput>> {
        let input = &request.input;
        self.enter(Call::Put, &request, &input.bucket, &input.key).await?;
        self.conditions(&input.key, input.if_match.as_ref(), input.if_none_match.as_ref())?;
        let upload = self.0.store.uploads().remove(&input.upload_id).ok_or_else(no_such_upload)?;
        let wanted = input.multipart_upload.as_ref().and_then(|u| u.parts.as_ref());
        let mut body = BytesMut::new();
        let mut digests = Vec::new();
        for part in wanted.into_iter().flatten() {
            let number = part.part_number.unwrap_or_default();
            let bytes = upload
                .parts
                .get(&number)
                .ok_or_else(|| s3_error!(InvalidPart, "a part was never uploaded"))?;
            digests.extend(hex::decode(md5_hex(bytes)).unwrap_or_default());
            body.extend_from_slice(bytes);
        }
        let body = body.freeze();
        let sent =
            Checksum { checksum_crc64nvme: input.checksum_crc64nvme.clone(), ..Default::default() };
        let checksum = self.check(&input.key, sent, None, &body)?;
        let parts = wanted.map_or(0, Vec::len);
        let told = self.keep(
            &input.key,
            Stored {
                body,
                etag: format!("{}-{parts}", self.etag(&digests)),
                checksum,
                modified: now(),
                cache_control: upload.cache_control,
                content_type: upload.content_type,
                storage_class: upload.storage_class,
                is_restored: false,
                previous: None,
            },
        );
        self.leave(Call::Put, &input.key)?;
        Ok(S3Response::new(CompleteMultipartUploadOutput {
            bucket: Some(input.bucket.clone()),
            key: Some(upload.key),
            e_tag: Some(ETag::Strong(told.etag)),
            ..Default::default()
        }))
    }

    async fn abort_multipart_upload(
        &self,
        request: S3Request<AbortMultipartUploadInput>,
    ) -> S3Result<S3Response<AbortMultipartUploadOutput>> {
        let input = &request.input;
        self.enter(Call::Other, &request, &input.bucket, &input.key).await?;
        self.0.store.uploads().remove(&input.upload_id).ok_or_else(no_such_upload)?;
        Ok(S3Response::new(AbortMultipartUploadOutput::default()))
    }
}

/// Checksums of the same kinds as `wanted`, of `body`.
pub(crate) fn checksum_like(wanted: &Checksum, body: &[u8]) -> Checksum {
    let mut hasher = ChecksumHasher {
        crc32: wanted.checksum_crc32.as_ref().map(|_| Default::default()),
        crc32c: wanted.checksum_crc32c.as_ref().map(|_| Default::default()),
        sha1: wanted.checksum_sha1.as_ref().map(|_| Default::default()),
        sha256: wanted.checksum_sha256.as_ref().map(|_| Default::default()),
        crc64nvme: wanted.checksum_crc64nvme.as_ref().map(|_| Default::default()),
    };
    hasher.update(body);
    hasher.finalize()
}

async fn whole(body: Option<StreamingBlob>) -> S3Result<Bytes> {
    let mut bytes = BytesMut::new();
    let Some(mut body) = body else { return Ok(Bytes::new()) };
    while let Some(chunk) = body.next().await {
        // The payload's signed hash is compared as it streams in.
        let chunk = chunk.map_err(|error| {
            let mut refused = S3Error::with_message(
                S3ErrorCode::Custom("XAmzContentSHA256Mismatch".into()),
                format!("the body could not be taken: {error}"),
            );
            refused.set_status_code(hyper::StatusCode::BAD_REQUEST);
            refused
        })?;
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes.freeze())
}

fn flipped(body: &[u8]) -> Bytes {
    let mut bytes = body.to_vec();
    let middle = bytes.len() / 2;
    if let Some(byte) = bytes.get_mut(middle) {
        *byte ^= 0x10;
    }
    bytes.into()
}

#[allow(
    clippy::disallowed_methods,
    reason = "a server of its own: clients see its time, nothing is decided by it"
)]
fn now() -> SystemTime {
    SystemTime::now()
}

/// An object that somebody else has put there.
pub(crate) fn stored(body: Bytes) -> Stored {
    Stored {
        etag: md5_hex(&body),
        body,
        checksum: Checksum::default(),
        modified: now(),
        cache_control: None,
        content_type: None,
        storage_class: None,
        is_restored: false,
        previous: None,
    }
}

fn length(body: &Bytes) -> i64 {
    i64::try_from(body.len()).unwrap_or(i64::MAX)
}

fn decode_base64(text: &str) -> Option<Vec<u8>> {
    base64_simd::STANDARD.decode_to_vec(text).ok()
}
