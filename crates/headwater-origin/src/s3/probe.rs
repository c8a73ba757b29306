//! Finds out what an S3 origin does with what it is told, by telling it right and wrong things below a prefix of its own
//! and taking everything away again.
//!
//! **What counts as an answer.** That something wrong was refused says something only if the same, put right, is taken a
//! moment later: an origin that has run out of quota or rights refuses everything. What passes is waited for, and what
//! goes on failing is no answer: then there is no profile.

use std::future::Future;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use aws_sdk_s3::error::SdkError;
use aws_sdk_s3::operation::head_object::HeadObjectOutput;
use aws_sdk_s3::operation::put_object::builders::PutObjectFluentBuilder;
use aws_sdk_s3::operation::put_object::{PutObjectError, PutObjectOutput};
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{
    ChecksumMode, CompletedMultipartUpload, CompletedPart, Delete, Object, ObjectIdentifier,
};
use aws_smithy_runtime_api::http::Response;
use bytes::Bytes;
use headwater_model::origin::{Answer, Profile, Question};
use headwater_ports::origin::OriginErrorKind;
use md5::{Digest as _, Md5};
use sha2::Sha256;

use super::error::Failed;
use super::retry::Trouble;
use super::series::{Series, Step, Stuck, Unusable};
use super::{S3Origin, base64, client, file};

/// Time for all questions: most of it for an upload of 5 MB over a slow link.
const LIMIT: Duration = Duration::from_mins(2);

/// Time for taking away what was stored for them.
const SWEEP_LIMIT: Duration = Duration::from_secs(30);

/// What is stored: long enough for ranges, short enough for anybody's egress bill.
const BODY: &[u8; 1000] = &[0x48; 1000];

/// The smallest first part that S3 takes.
const PART: usize = 5 * 1024 * 1024;

/// Characters that servers are known to mangle.
const ODD: &str = "odd/a +b%2Fc=é&d.m4s";

/// Everything that may be stored, for the case that a listing forgets or mangles keys.
const NAMES: [&str; 10] = [
    "plain",
    "wrong-md5",
    "right-md5",
    "wrong-hash",
    "right-hash",
    "wrong-checksum",
    "right-checksum",
    "parts",
    "copy",
    ODD,
];

/// Tries after which a fault of the server is what it makes of the call: some answer 500 to a hash that is wrong.
const FAULTS: u32 = 3;

/// A probe under way.
struct Probe<'a> {
    origin: &'a S3Origin,
    series: Series<'a>,
    prefix: String,
    answers: Vec<Answer>,
}

/// Asks everything. An origin that cannot even store, read and delete an object is an error.
pub(super) async fn probe(origin: &S3Origin) -> Result<Profile, Unusable> {
    let prefix = format!("{}.headwater-probe-{:016x}/", origin.settings.prefix, fastrand::u64(..));
    let series = Series::new(origin, LIMIT);
    let mut probe = Probe { origin, series, prefix, answers: Vec::new() };
    let asked = probe.ask_everything().await;
    // Whatever happened: nothing stays behind.
    probe.series = Series::new(origin, SWEEP_LIMIT);
    let swept = probe.sweep().await;
    asked.map_err(|stuck| series.explain(&stuck))?;
    swept.map_err(|stuck| probe.series.explain(&stuck))?;
    Ok(Profile { answers: probe.answers })
}

/// Whether an origin enforces something that a put announces, by what became of a wrong one and then of a right one.
/// With what it did.
fn enforces<T>(wrong: Result<T, Failed>, right: Result<T, Failed>) -> (bool, String) {
    match (wrong, right) {
        (Ok(_), _) => (false, "it was taken".to_owned()),
        (Err(_), Err(right)) => {
            (false, format!("not even a right one is taken: {}", right.short()))
        }
        (Err(wrong), Ok(_)) if wrong.is_about_content() => (true, wrong.short()),
        (Err(wrong), Ok(_)) => (false, format!("it is refused as something else: {wrong}")),
    }
}

/// Whether an origin honours the condition of a put that does not hold, by what became of it. With what it did.
fn honours<T>(guarded: Result<T, Failed>) -> (bool, String) {
    match guarded {
        Ok(_) => (false, "it was taken".to_owned()),
        Err(failed) if failed.kind == OriginErrorKind::Changed => (true, failed.short()),
        // Such an origin refuses the condition, not what it forbids, and would refuse every put that has one.
        Err(failed) => (false, format!("it is not understood: {failed}")),
    }
}

impl Probe<'_> {
    fn key(&self, name: &str) -> String {
        format!("{}{name}", self.prefix)
    }

    fn bucket(&self) -> &str {
        &self.origin.settings.bucket
    }

    fn answer(&mut self, question: Question, (yes, note): (bool, impl Into<String>)) {
        self.answers.push(Answer { question, yes, note: note.into() });
    }

    /// Without the storage class of the settings: what is in cold storage could not be read back.
    fn put(&self, name: &str) -> PutObjectFluentBuilder {
        let body = ByteStream::from_static(BODY);
        self.origin.client.put_object().bucket(self.bucket()).key(self.key(name)).body(body)
    }

    /// A call that the origin may well refuse: that is an answer too, unless it has run out of space.
    async fn may_refuse<T, E: Into<Failed>, F: Future<Output = Result<T, E>>>(
        &self,
        call: impl Fn() -> F,
    ) -> Result<Result<T, Failed>, Stuck> {
        let faults = AtomicU32::new(0);
        let call = async || match call().await.map_err(Into::into) {
            Ok(done) => Ok(Ok(done)),
            Err(failed) if failed.kind == OriginErrorKind::Full => Err(failed),
            Err(failed) => match failed.trouble {
                Trouble::Lasting | Trouble::Garbled => Ok(Err(failed)),
                Trouble::Fault if faults.fetch_add(1, Ordering::Relaxed) + 1 == FAULTS => {
                    Ok(Err(failed))
                }
                Trouble::Fault | Trouble::Throttled(_) | Trouble::Reset | Trouble::Timeout => {
                    Err(failed)
                }
            },
        };
        self.series.call(Step::Store, call).await
    }

    /// The same, for puts.
    async fn may_refuse_put<
        F: Future<Output = Result<PutObjectOutput, SdkError<PutObjectError, Response>>>,
    >(
        &self,
        name: &str,
        send: impl Fn(PutObjectFluentBuilder) -> F,
    ) -> Result<Result<PutObjectOutput, Failed>, Stuck> {
        self.may_refuse(|| send(self.put(name))).await
    }

    /// What HEAD says; none when there is no such object.
    async fn head(
        &self,
        name: &str,
        mode: Option<ChecksumMode>,
    ) -> Result<Option<HeadObjectOutput>, Stuck> {
        let head = || self.origin.client.head_object().bucket(self.bucket()).key(self.key(name));
        let call = async || match head().set_checksum_mode(mode.clone()).send().await {
            Ok(found) => Ok(Some(found)),
            Err(error) => Failed::from(error).of_looking().absent(),
        };
        self.series.call(Step::Read, call).await
    }

    async fn list(&self, name: &str) -> Result<Vec<Object>, Stuck> {
        let list = || {
            self.origin.client.list_objects_v2().bucket(self.bucket()).prefix(self.key(name)).send()
        };
        Ok(self.series.call(Step::List, list).await?.contents.unwrap_or_default())
    }

    async fn ask_everything(&mut self) -> Result<(), Stuck> {
        let stored = self.series.call(Step::Store, || self.put("plain").send()).await?;
        self.ask_what_is_enforced().await?;
        self.ask_what_is_told(stored.e_tag()).await?;
        self.ask_about_conditions().await?;
        self.ask_about_parts_and_copies().await?;
        self.ask_about_keys_and_deleting().await
    }

    async fn ask_what_is_enforced(&mut self) -> Result<(), Stuck> {
        let sha256: [u8; 32] = Sha256::digest(BODY).into();
        let md5: [u8; 16] = Md5::digest(BODY).into();

        let announced =
            |put: PutObjectFluentBuilder, md5: [u8; 16]| put.content_md5(base64(&md5)).send();
        let wrong = self.may_refuse_put("wrong-md5", |put| announced(put, [0; 16])).await?;
        let right = self.may_refuse_put("right-md5", |put| announced(put, md5)).await?;
        self.answer(Question::RefusesWrongMd5, enforces(wrong, right));

        let announced = |put: PutObjectFluentBuilder, sha256: [u8; 32]| async move {
            let signed = client::SignedHash::new(&headwater_model::id::Sha256(sha256));
            put.customize().interceptor(signed).send().await
        };
        let wrong = self.may_refuse_put("wrong-hash", |put| announced(put, [0; 32])).await?;
        let right = self.may_refuse_put("right-hash", |put| announced(put, sha256)).await?;
        self.answer(Question::RefusesWrongSignedHash, enforces(wrong, right));

        let announced = |put: PutObjectFluentBuilder, sha256: [u8; 32]| {
            put.checksum_sha256(base64(&sha256)).send()
        };
        let wrong = self.may_refuse_put("wrong-checksum", |put| announced(put, [0; 32])).await?;
        let right = self.may_refuse_put("right-checksum", |put| announced(put, sha256)).await?;
        let is_taken = right.is_ok();
        self.answer(Question::RefusesWrongChecksum, enforces(wrong, right));
        let told = match is_taken {
            true => self.head("right-checksum", Some(ChecksumMode::Enabled)).await?,
            false => None,
        };
        let told = told.and_then(|found| found.checksum_sha256);
        self.answer(Question::ReturnsChecksum, (told == Some(base64(&sha256)), ""));
        Ok(())
    }

    async fn ask_what_is_told(&mut self, stored: Option<&str>) -> Result<(), Stuck> {
        let md5 = headwater_model::id::Md5(Md5::digest(BODY).into());
        let is_md5 = |etag: Option<&str>| etag.and_then(super::md5_of) == Some(md5);
        let found = self.head("plain", None).await?;
        let all = is_md5(stored) && is_md5(found.as_ref().and_then(|found| found.e_tag()));
        let note = if is_md5(stored) {
            String::new()
        } else {
            format!("it is {}", stored.unwrap_or_default())
        };
        self.answer(Question::EtagIsMd5, (all, note));

        let listed = self.list("plain").await?;
        let listed = listed.iter().find(|o| o.key() == Some(&self.key("plain")));
        let note = if listed.is_none() { "the listing does not have it" } else { "" };
        let lists_etags = is_md5(listed.and_then(|o| o.e_tag()));
        let lists_sizes = listed.and_then(|o| o.size()) == Some(BODY.len() as i64);
        self.answer(Question::ListsEtags, (lists_etags, ""));
        self.answer(Question::ListsSizes, (lists_sizes, note));

        let key = self.key("plain");
        let get = || self.origin.client.get_object().bucket(self.bucket()).key(&key);
        let call = async || {
            let part = get().range("bytes=10-19").send().await?;
            let is_part = part.content_range().is_some();
            let body = part.body.collect().await.map_err(|e| Failed::cut(&e))?;
            Ok::<_, Failed>((is_part, body.into_bytes().len()))
        };
        let (is_part, length) = self.series.call(Step::Read, call).await?;
        let serves = is_part && length == 10;
        let note = if serves { String::new() } else { format!("{length} bytes") };
        self.answer(Question::ServesRanges, (serves, note));
        Ok(())
    }

    async fn ask_about_conditions(&mut self) -> Result<(), Stuck> {
        let guarded = self.may_refuse_put("plain", |put| put.if_none_match("*").send()).await?;
        self.answer(Question::HonoursIfNoneMatch, honours(guarded));
        let other = format!("\"{:032x}\"", 1);
        let guarded = self.may_refuse_put("plain", |put| put.if_match(&other).send()).await?;
        self.answer(Question::HonoursIfMatch, honours(guarded));
        Ok(())
    }

    async fn ask_about_parts_and_copies(&mut self) -> Result<(), Stuck> {
        let whole = self.may_refuse(|| self.upload_in_parts()).await?;
        let etag = match &whole {
            Ok(whole) => whole.etag.clone(),
            Err(_) => None,
        };
        self.answer(Question::TakesParts, arrived(whole.map(|whole| whole.is_whole)));
        let note = match etag {
            Some(etag) if etag == parts_etag() => String::new(),
            Some(etag) => format!("it is {etag}"),
            None => "there is none".to_owned(),
        };
        self.answer(Question::PartsEtagIsMd5, (note.is_empty(), note));
        let copied = self.may_refuse(|| self.copy()).await?;
        self.answer(Question::Copies, arrived(copied));
        Ok(())
    }

    async fn ask_about_keys_and_deleting(&mut self) -> Result<(), Stuck> {
        let ids = ["right-md5", "right-hash", "parts", "copy"]
            .map(|name| ObjectIdentifier::builder().key(self.key(name)).build());
        let ids: Result<Vec<_>, _> = ids.into_iter().collect();
        let many = ids.ok().and_then(|ids| Delete::builder().set_objects(Some(ids)).build().ok());
        let delete = || self.origin.client.delete_objects().bucket(self.bucket());
        let deleted = self.may_refuse(|| delete().set_delete(many.clone()).send()).await?;
        self.answer(
            Question::DeletesMany,
            match deleted {
                Ok(done) => {
                    let error = done.errors().first().and_then(|e| e.code()).unwrap_or_default();
                    (done.errors().is_empty(), error.to_owned())
                }
                Err(failed) => (false, failed.short()),
            },
        );
        let kept = match self.may_refuse_put(ODD, |put| put.send()).await? {
            Ok(_) => {
                let listed = self.list("odd/").await?;
                let keys: Vec<_> = listed.iter().filter_map(|o| o.key()).collect();
                if keys == [self.key(ODD)] { Ok(()) } else { Err(format!("{keys:?}")) }
            }
            Err(failed) => Err(failed.short()),
        };
        self.answer(Question::KeepsOddKeys, (kept.is_ok(), kept.err().unwrap_or_default()));

        self.delete(self.key("plain")).await?;
        let gone = self.head("plain", None).await?.is_none();
        self.answer(Question::ForgetsAtOnce, (gone, ""));
        Ok(())
    }

    /// An object in two parts, in one go: what fails on the way is given up and begun anew.
    async fn upload_in_parts(&self) -> Result<Uploaded, Failed> {
        let (client, bucket, key) = (&self.origin.client, self.bucket(), self.key("parts"));
        let begun = client.create_multipart_upload().bucket(bucket).key(&key).send().await?;
        let id = begun.upload_id().unwrap_or_default();
        let finish = async {
            let mut sent = Vec::new();
            for (number, body) in (1..).zip(parts()) {
                let part = client.upload_part().bucket(bucket).key(&key).upload_id(id);
                let part = part.part_number(number).body(ByteStream::from(body)).send().await?;
                let etag = part.e_tag().map(str::to_owned);
                let done = CompletedPart::builder().part_number(number).set_e_tag(etag);
                sent.push(done.build());
            }
            let sent = CompletedMultipartUpload::builder().set_parts(Some(sent)).build();
            let whole = client.complete_multipart_upload().bucket(bucket).key(&key).upload_id(id);
            whole.multipart_upload(sent).send().await?;
            Ok(())
        };
        if let Err(failed) = finish.await {
            let given_up = client.abort_multipart_upload().bucket(bucket).key(&key).upload_id(id);
            // Why it did not work says more than that giving it up did not work either.
            let _ = given_up.send().await;
            return Err(failed);
        }
        let found = client.head_object().bucket(bucket).key(&key).send().await?;
        let is_whole = found.content_length() == Some((PART + BODY.len()) as i64);
        Ok(Uploaded { is_whole, etag: found.e_tag().map(str::to_owned) })
    }

    async fn copy(&self) -> Result<bool, Failed> {
        let (client, bucket, key) = (&self.origin.client, self.bucket(), self.key("copy"));
        let source = format!("{bucket}/{}", self.key("plain"));
        client.copy_object().bucket(bucket).key(&key).copy_source(source).send().await?;
        let copy = client.get_object().bucket(bucket).key(&key).send().await?;
        let body = copy.body.collect().await.map_err(|e| Failed::cut(&e))?.into_bytes();
        Ok(body == BODY[..])
    }

    /// Gives up an upload that was cut off in the middle. Not every origin can list them, and who takes none has none.
    async fn give_up_parts(&self) {
        let (client, bucket) = (&self.origin.client, self.bucket());
        let list = || client.list_multipart_uploads().bucket(bucket).prefix(&self.prefix).send();
        let Ok(listed) = self.series.call(Step::List, list).await else { return };
        for upload in listed.uploads() {
            let (Some(key), Some(id)) = (upload.key(), upload.upload_id()) else { continue };
            let abort = client.abort_multipart_upload().bucket(bucket).key(key).upload_id(id);
            let _ = self.series.call(Step::Delete, || abort.clone().send()).await;
        }
    }

    async fn delete(&self, key: String) -> Result<(), Stuck> {
        self.series.call(Step::Delete, || self.origin.delete_once(&key)).await
    }

    /// Deletes everything below the probe's prefix.
    async fn sweep(&self) -> Result<(), Stuck> {
        self.give_up_parts().await;
        let listed = self.list("").await?;
        let listed = listed.into_iter().filter_map(|object| object.key);
        for key in listed.chain(NAMES.map(|name| self.key(name))) {
            self.delete(key).await?;
        }
        Ok(())
    }
}

/// An upload in parts that came to its end.
struct Uploaded {
    is_whole: bool,
    etag: Option<String>,
}

fn arrived(result: Result<bool, Failed>) -> (bool, String) {
    match result {
        Ok(true) => (true, String::new()),
        Ok(false) => (false, "other bytes arrived".to_owned()),
        Err(failed) => (false, failed.short()),
    }
}

/// The parts of an object that does not go up in one.
fn parts() -> [Bytes; 2] {
    [Bytes::from(vec![0x48; PART]), Bytes::from_static(BODY)]
}

/// The ETag of that object where ETags are MD5s.
fn parts_etag() -> String {
    file::etag_of(&parts().map(|part| headwater_model::id::Md5(Md5::digest(&part).into())))
}

#[cfg(test)]
mod tests;
