//! Files of any size: small ones in one put, large ones in parts.
//!
//! **What is true at each point.** The file is read once, in order, and hashed as a whole on the way; only when that is
//! the content that was asked for are the parts put together. Each part goes up with its own hash in the signature and
//! its MD5 beside it, has its own tries, and waits at the same gate as every other call.
//!
//! **Memory.** [`IN_FLIGHT`] parts that are being sent and one that is being read; and 32 MiB that are on their way here,
//! of a master far away.
//!
//! **What is left behind.** Parts of an upload that is not finished are stored and paid for and seen in no listing. So it
//! is given up on every way out but success, also when the call is dropped; and since a process can be killed, whoever
//! begins an upload gives up those of the same key that were left before it.

use std::io::{self, Read};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use aws_sdk_s3::Client;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{CompletedMultipartUpload, CompletedPart};
use bytes::Bytes;
use futures_util::stream::{self, BoxStream, StreamExt, TryStreamExt};
use headwater_model::id::{Md5, Sha256};
use headwater_model::key::ObjectKey;
use headwater_model::origin::Question;
use headwater_ports::origin::{
    Before, Origin, OriginError, OriginErrorKind, Put, PutFile, StoredFile,
};
use md5::Digest as _;
use tokio::task::spawn_blocking;
use tracing::debug;

use super::calls::Calls;
use super::error::Failed;
use super::{CALL_LIMIT, LIMIT_PER_MB, S3Origin, base64, client, md5_of, megabytes};

/// Bytes of a part, and of the largest file that goes up in one put: few enough that some are in memory at once, and so
/// many that a lost connection to a fast origin is no news. 312 GiB go into as many parts as there may be.
pub(super) const PART: u64 = 32 * MIB;

const MIB: u64 = 1024 * 1024;

/// S3 accepts at most 10,000 parts: <https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html>.
const MOST_PARTS: u64 = 10_000;

/// Parts that go up at once: they fill a link of 1 Gbit/s to an origin 100 ms away. With the one that is being read,
/// 160 MiB are in memory for each file below 312 GiB, and half a gigabyte for one of a terabyte.
const IN_FLIGHT: usize = 4;

/// Time that putting the parts together may take: origins that copy them need minutes.
const COMPLETION_LIMIT: Duration = Duration::from_mins(10);

/// Bytes of each part but the last: `least`, or more where there would be too many.
fn part_size(bytes: u64, least: u64) -> u64 {
    least.max(bytes.div_ceil(MOST_PARTS).next_multiple_of(MIB))
}

/// Stores a file.
pub(super) async fn put(origin: &S3Origin, put: PutFile) -> Result<StoredFile, OriginError> {
    let etag = if put.bytes <= origin.part {
        whole(origin, &put).await?
    } else {
        in_parts(origin, &put).await?
    };
    Ok(StoredFile { etag, storage_class: origin.settings.storage_class.clone() })
}

/// Stores a small file in one put; gives the ETag that it makes.
async fn whole(origin: &S3Origin, put: &PutFile) -> Result<Option<String>, OriginError> {
    let reader = Reader::open(put, put.bytes).await?;
    let part = reader.next(&put.key, 1).await?;
    reader.finish(put).await?;
    let md5 = part.md5;
    let (body, sha256) = (part.body, part.sha256);
    let (key, cache_control, before) = (put.key.clone(), put.cache_control, Before::Anything);
    origin.put(Put { key, body, sha256, md5, cache_control, before }).await?;
    Ok(origin.does(Question::EtagIsMd5).then(|| format!("\"{md5}\"")))
}

/// Stores a file in parts; gives the ETag that they make.
async fn in_parts(origin: &S3Origin, put: &PutFile) -> Result<Option<String>, OriginError> {
    let size = part_size(put.bytes, origin.part);
    let reader = Reader::open(put, size).await?;
    give_up_older(origin, &put.key).await;
    let upload = Upload::begin(origin, put).await?;
    let sent = async {
        let count = i32::try_from(put.bytes.div_ceil(size)).unwrap_or(i32::MAX);
        let parts = reader.parts(put.key.clone(), count);
        let sent = parts.map_ok(|part| upload.send(origin, part)).try_buffered(IN_FLIGHT).boxed();
        let sent: Vec<(CompletedPart, Md5)> = sent.try_collect().await?;
        // Nothing is put together of a file that is not what it was said to be.
        reader.finish(put).await?;
        Ok(sent)
    };
    let (parts, md5s): (Vec<_>, Vec<_>) = match sent.await {
        Ok(sent) => sent.into_iter().unzip(),
        Err(error) => {
            upload.give_up().await;
            return Err(error);
        }
    };
    let etag = etag_of(&md5s);
    if let Err(error) = upload.complete(parts).await {
        upload.give_up().await;
        return Err(error);
    }
    upload.disarm();
    Ok(origin.does(Question::PartsEtagIsMd5).then_some(etag))
}

/// The ETag of an upload in parts where ETags are MD5s: that of the parts' MD5s, and how many there are.
pub(super) fn etag_of(parts: &[Md5]) -> String {
    let mut all = md5::Md5::new();
    for part in parts {
        all.update(part.0);
    }
    format!("\"{}-{}\"", Md5(all.finalize().into()), parts.len())
}

/// A part in memory.
struct Part {
    number: i32,
    body: Bytes,
    sha256: Sha256,
    md5: Md5,
}

/// A file that is read part by part, in order.
struct Reader(Arc<Mutex<Reading>>);

struct Reading {
    file: Box<dyn Read + Send>,
    left: u64,
    size: u64,
    whole: sha2::Sha256,
}

impl Reader {
    async fn open(put: &PutFile, size: u64) -> Result<Self, OriginError> {
        let (file, left) = (put.file.clone(), put.bytes);
        let opened = beside(move || {
            let file = file.open()?;
            Ok(Reading { file, left, size, whole: sha2::Sha256::new() })
        });
        let reading = opened.await.map_err(|error| unreadable(&put.key, error))?;
        Ok(Self(Arc::new(Mutex::new(reading))))
    }

    /// Reads the next part, which is the `number`th, from 1.
    async fn next(&self, key: &ObjectKey, number: i32) -> Result<Part, OriginError> {
        next(self.0.clone(), key.clone(), number).await
    }

    /// All parts, of which there are `count`, one after another.
    fn parts(&self, key: ObjectKey, count: i32) -> BoxStream<'static, Result<Part, OriginError>> {
        let reading = self.0.clone();
        stream::iter(1..=count).then(move |n| next(reading.clone(), key.clone(), n)).boxed()
    }

    /// Fails unless all that was read is what it should be.
    async fn finish(&self, put: &PutFile) -> Result<(), OriginError> {
        let reading = self.0.clone();
        let ended = beside(move || reading.lock().unwrap_or_else(PoisonError::into_inner).end());
        let (found, whole) = ended.await.map_err(|error| unreadable(&put.key, error))?;
        if whole && found == put.sha256 {
            return Ok(());
        }
        let why = format!(
            "the file `{}` is not what it was when it was hashed: its SHA-256 is {found} instead of {}",
            put.file, put.sha256
        );
        Err(Failed::corrupt(why).into_error("store", put.key.as_str()))
    }
}

async fn next(
    reading: Arc<Mutex<Reading>>,
    key: ObjectKey,
    number: i32,
) -> Result<Part, OriginError> {
    let read = beside(move || reading.lock().unwrap_or_else(PoisonError::into_inner).next(number));
    read.await.map_err(|error| unreadable(&key, error))
}

impl Reading {
    /// The SHA-256 of what was read, and whether that was all of the file.
    fn end(&mut self) -> io::Result<(Sha256, bool)> {
        let found = std::mem::take(&mut self.whole).finalize().into();
        // One byte more is enough to tell that it has grown.
        let whole = self.left == 0 && self.file.read(&mut [0])? == 0;
        Ok((Sha256(found), whole))
    }

    fn next(&mut self, number: i32) -> io::Result<Part> {
        let bytes = self.left.min(self.size);
        let mut body = vec![0; usize::try_from(bytes).map_err(io::Error::other)?];
        self.file.read_exact(&mut body)?;
        self.left -= bytes;
        self.whole.update(&body);
        let (sha256, md5) = (sha2::Sha256::digest(&body).into(), md5::Md5::digest(&body).into());
        Ok(Part { number, body: body.into(), sha256: Sha256(sha256), md5: Md5(md5) })
    }
}

/// Runs `work` on a thread that may block.
async fn beside<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    spawn_blocking(work).await.unwrap_or_else(|error| Err(io::Error::other(error)))
}

fn unreadable(key: &ObjectKey, error: io::Error) -> OriginError {
    let kind = match error.kind() {
        // It is shorter than it was.
        io::ErrorKind::UnexpectedEof => OriginErrorKind::Corrupt,
        _ => OriginErrorKind::Unavailable,
    };
    OriginError { kind, operation: "read the file for", key: key.to_string(), source: error.into() }
}

/// An upload that is not finished. Dropped like that, it is given up in the background.
struct Upload {
    calls: Calls,
    client: Client,
    bucket: String,
    /// As the origin has it.
    full: String,
    key: ObjectKey,
    id: String,
    armed: bool,
}

impl Upload {
    async fn begin(origin: &S3Origin, put: &PutFile) -> Result<Self, OriginError> {
        let full = origin.full(&put.key);
        let id = origin.calls.ask("begin to store", put.key.as_str(), CALL_LIMIT, || async {
            let begun = origin
                .client
                .create_multipart_upload()
                .bucket(&origin.settings.bucket)
                .key(&full)
                .content_type(put.key.content_type())
                .cache_control(put.cache_control)
                .set_storage_class(origin.storage_class());
            let begun = begun.send().await?;
            let id = begun.upload_id().map(str::to_owned);
            id.ok_or_else(|| Failed::corrupt("the origin gave the upload no id".to_owned()))
        });
        Ok(Self {
            id: id.await?,
            calls: origin.calls.clone(),
            client: origin.client.clone(),
            bucket: origin.settings.bucket.clone(),
            full,
            key: put.key.clone(),
            armed: true,
        })
    }

    async fn send(
        &self,
        origin: &S3Origin,
        part: Part,
    ) -> Result<(CompletedPart, Md5), OriginError> {
        let Part { number, body, sha256, md5 } = part;
        let limit = CALL_LIMIT + LIMIT_PER_MB * megabytes(body.len());
        let etag = self.calls.ask("store a part of", self.key.as_str(), limit, || async {
            let mut request = self
                .client
                .upload_part()
                .bucket(&self.bucket)
                .key(&self.full)
                .upload_id(&self.id)
                .part_number(number)
                .body(ByteStream::from(body.clone()));
            // Checksums of parts have to be announced for the whole upload, and are told back in ways that differ;
            // every origin that looks at anything looks at one of these two.
            if origin.does(Question::RefusesWrongMd5) {
                request = request.content_md5(base64(&md5.0));
            }
            let signed = client::SignedHash::new(&sha256);
            let answer = request.customize().interceptor(signed).send().await?;
            let told = answer.e_tag().filter(|_| origin.does(Question::PartsEtagIsMd5));
            match told.and_then(md5_of) {
                Some(stored) if stored != md5 => Err(Failed::corrupt(format!(
                    "the origin says that it stored {stored} instead of {md5} as part {number}"
                ))),
                _ => Ok(answer.e_tag().map(str::to_owned)),
            }
        });
        let etag = etag.await?;
        Ok((CompletedPart::builder().part_number(number).set_e_tag(etag).build(), md5))
    }

    async fn complete(&self, parts: Vec<CompletedPart>) -> Result<(), OriginError> {
        let parts = CompletedMultipartUpload::builder().set_parts(Some(parts)).build();
        // Whether an earlier try may have done it without our hearing of that.
        let may_be_done = AtomicBool::new(false);
        let completed = self.calls.ask("finish", self.key.as_str(), COMPLETION_LIMIT, || async {
            // A try that is dropped for taking too long cannot say how it ended.
            let before = may_be_done.swap(true, Ordering::Relaxed);
            let request = self
                .client
                .complete_multipart_upload()
                .bucket(&self.bucket)
                .key(&self.full)
                .upload_id(&self.id)
                .multipart_upload(parts.clone());
            match request.send().await.map_err(Failed::from) {
                Ok(_) => Ok(()),
                // Whoever asks for the object will know.
                Err(failed) if failed.is_no_such_upload() && before => Ok(()),
                Err(failed) => {
                    if failed.is_refusal() {
                        may_be_done.store(before, Ordering::Relaxed);
                    }
                    Err(failed)
                }
            }
        });
        completed.await
    }

    /// Gives the upload up, its parts included.
    async fn give_up(mut self) {
        abort(&self.calls, &self.client, &self.bucket, &self.full, &self.id).await;
        self.armed = false;
    }

    /// The upload is finished.
    fn disarm(mut self) {
        self.armed = false;
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        if !self.armed {
            return;
        }
        let (calls, client) = (self.calls.clone(), self.client.clone());
        let (bucket, full, id) = (self.bucket.clone(), self.full.clone(), self.id.clone());
        // Without a runtime the process is ending; the next upload of this key finds what is left.
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move { abort(&calls, &client, &bucket, &full, &id).await });
        }
    }
}

/// Why an upload failed says more than that giving it up failed too.
async fn abort(calls: &Calls, client: &Client, bucket: &str, full: &str, id: &str) {
    let aborted = calls.ask("give up", full, CALL_LIMIT, || async {
        let request = client.abort_multipart_upload().bucket(bucket).key(full).upload_id(id);
        match request.send().await.map_err(Failed::from) {
            Ok(_) => Ok(()),
            Err(failed) if failed.is_no_such_upload() => Ok(()),
            Err(failed) => Err(failed),
        }
    });
    if let Err(error) = aborted.await {
        debug!(%error, "an unfinished upload was left behind");
    }
}

/// Gives up what earlier uploads of this key left. Not every origin can list them, and some have a rule of their own that
/// clears them away.
async fn give_up_older(origin: &S3Origin, key: &ObjectKey) {
    let (client, bucket, full) = (&origin.client, &origin.settings.bucket, origin.full(key));
    let listed =
        origin.calls.ask("look for unfinished uploads of", key.as_str(), CALL_LIMIT, || async {
            let request = client.list_multipart_uploads().bucket(bucket).prefix(&full);
            Ok(request.send().await?)
        });
    let listed = match listed.await {
        Ok(listed) => listed,
        Err(error) => return debug!(%error, "unfinished uploads cannot be listed"),
    };
    let ours = listed.uploads().iter().filter(|upload| upload.key() == Some(full.as_str()));
    for id in ours.filter_map(|upload| upload.upload_id()) {
        abort(&origin.calls, client, bucket, &full, id).await;
    }
}

#[cfg(test)]
mod tests;
