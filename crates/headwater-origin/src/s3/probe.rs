//! Finds out what an S3 origin does with what it is told, by telling it right and wrong things below a prefix of its own
//! and taking everything away again.

use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{
    ChecksumMode, CompletedMultipartUpload, CompletedPart, Delete, ObjectIdentifier,
};
use bytes::Bytes;
use headwater_model::origin::{Answer, Profile, Question};
use headwater_ports::origin::{OriginError, OriginErrorKind};
use md5::{Digest as _, Md5};
use sha2::Sha256;

use super::error::Failed;
use super::{CALL_LIMIT, LIMIT_PER_MB, S3Origin, base64, client, file};

/// What is stored: long enough for ranges, short enough for anybody's egress bill.
const BODY: &[u8; 1000] = &[0x48; 1000];

/// The smallest first part that S3 takes.
const PART: usize = 5 * 1024 * 1024;

/// Characters that servers are known to mangle.
const ODD: &str = "odd/a +b%2Fc=é&d.m4s";

/// A probe under way.
struct Probe<'a> {
    origin: &'a S3Origin,
    prefix: String,
    answers: Vec<Answer>,
}

/// Asks everything. An origin that cannot even store, read and delete an object is an error.
pub(super) async fn probe(origin: &S3Origin) -> Result<Profile, OriginError> {
    let prefix = format!("{}.headwater-probe-{:016x}/", origin.settings.prefix, fastrand::u64(..));
    let mut probe = Probe { origin, prefix, answers: Vec::new() };
    let asked = probe.ask_everything().await;
    // Whatever happened: nothing stays behind.
    let swept = probe.sweep().await;
    asked.and(swept).map_err(|failed| failed.into_error("probe", &probe.prefix))?;
    Ok(Profile { answers: probe.answers })
}

impl Probe<'_> {
    fn key(&self, name: &str) -> String {
        format!("{}{name}", self.prefix)
    }

    fn answer(&mut self, question: Question, yes: bool, note: impl Into<String>) {
        self.answers.push(Answer { question, yes, note: note.into() });
    }

    /// Whether a put that has to be refused was.
    fn refusal<T>(&mut self, question: Question, result: Result<T, Failed>) -> Result<(), Failed> {
        match result {
            Ok(_) => self.answer(question, false, "it was taken"),
            Err(failed) if failed.is_refusal() => self.answer(question, true, failed.short()),
            Err(failed) => return Err(failed),
        }
        Ok(())
    }

    async fn ask_everything(&mut self) -> Result<(), Failed> {
        let (client, bucket) = (&self.origin.client, self.origin.settings.bucket.clone());
        let md5: [u8; 16] = Md5::digest(BODY).into();
        let sha256: [u8; 32] = Sha256::digest(BODY).into();
        // Without the storage class of the settings: what is in cold storage could not be read back.
        let put = |key: String| {
            client.put_object().bucket(&bucket).key(key).body(ByteStream::from_static(BODY))
        };
        let plain = self.key("plain");
        let stored = once(put(plain.clone()).send()).await?;
        let head = |key: String| client.head_object().bucket(&bucket).key(key);
        let found = once(head(plain.clone()).send()).await?;
        let etags = [stored.e_tag(), found.e_tag()];
        let etag = etags[0].unwrap_or_default().to_owned();

        let wrong = put(self.key("wrong-md5")).content_md5(base64(&[0; 16]));
        let wrong = once(wrong.send()).await;
        self.refusal(Question::RefusesWrongMd5, wrong)?;

        let signed = client::SignedHash::new(&headwater_model::id::Sha256([0; 32]));
        let wrong = put(self.key("wrong-hash")).customize().interceptor(signed);
        let wrong = once(wrong.send()).await;
        self.refusal(Question::RefusesWrongSignedHash, wrong)?;

        let right = put(self.key("checksum")).checksum_sha256(base64(&sha256));
        match once(right.send()).await {
            Ok(_) => {
                let wrong = put(self.key("wrong-checksum")).checksum_sha256(base64(&[0; 32]));
                let wrong = once(wrong.send()).await;
                self.refusal(Question::RefusesWrongChecksum, wrong)?;
                let asked = head(self.key("checksum")).checksum_mode(ChecksumMode::Enabled);
                let told = once(asked.send()).await?;
                let right = told.checksum_sha256() == Some(base64(&sha256).as_str());
                self.answer(Question::ReturnsChecksum, right, "");
            }
            Err(failed) if failed.is_refusal() => {
                let note = format!("not even a right one is taken: {}", failed.short());
                self.answer(Question::RefusesWrongChecksum, false, note);
                self.answer(Question::ReturnsChecksum, false, "");
            }
            Err(failed) => return Err(failed),
        }

        let is_md5 = |etag: Option<&str>| {
            etag.and_then(super::md5_of) == Some(headwater_model::id::Md5(md5))
        };
        let note = if is_md5(etags[0]) { String::new() } else { format!("it is {etag}") };
        self.answer(Question::EtagIsMd5, etags.into_iter().all(is_md5), note);

        let listed = client.list_objects_v2().bucket(&bucket).prefix(&plain);
        let listed = once(listed.send()).await?;
        let listed = listed.contents().iter().find(|o| o.key() == Some(&plain));
        self.answer(Question::ListsEtags, is_md5(listed.and_then(|o| o.e_tag())), "");
        let size = listed.and_then(|o| o.size());
        let note = if listed.is_none() { "the listing does not have it" } else { "" };
        self.answer(Question::ListsSizes, size == Some(BODY.len() as i64), note);

        let part = client.get_object().bucket(&bucket).key(&plain).range("bytes=10-19");
        let part = once(part.send()).await?;
        let is_part = part.content_range().is_some();
        let length = part.body.collect().await.map_err(|e| Failed::cut(&e))?.into_bytes().len();
        let note = if is_part && length == 10 { String::new() } else { format!("{length} bytes") };
        self.answer(Question::ServesRanges, is_part && length == 10, note);

        let guarded = once(put(plain.clone()).if_none_match("*").send()).await;
        self.refusal(Question::HonoursIfNoneMatch, guarded)?;
        let guarded = once(put(plain.clone()).if_match(format!("\"{:032x}\"", 1)).send()).await;
        self.refusal(Question::HonoursIfMatch, guarded)?;

        let mut etag = None;
        let whole = self.upload_in_parts(&mut etag).await;
        self.arrival(Question::TakesParts, whole)?;
        let note = match &etag {
            Some(etag) if *etag == parts_etag() => String::new(),
            Some(etag) => format!("it is {etag}"),
            None => "there is none".to_owned(),
        };
        self.answer(Question::PartsEtagIsMd5, note.is_empty(), note);
        let copied = self.copy(&plain).await;
        self.arrival(Question::Copies, copied)?;

        let odd = self.key(ODD);
        let kept = match once(put(odd.clone()).send()).await {
            Ok(_) => {
                let listing = client.list_objects_v2().bucket(&bucket).prefix(self.key("odd/"));
                let listing = once(listing.send()).await?;
                let keys: Vec<_> = listing.contents().iter().filter_map(|o| o.key()).collect();
                if keys == [odd.as_str()] { Ok(()) } else { Err(format!("{keys:?}")) }
            }
            Err(failed) if failed.is_refusal() => Err(failed.short()),
            Err(failed) => return Err(failed),
        };
        self.answer(Question::KeepsOddKeys, kept.is_ok(), kept.err().unwrap_or_default());

        let names = ["plain", "checksum", "parts", "copy"].map(|name| self.key(name));
        let ids: Result<Vec<_>, _> =
            names.iter().map(|key| ObjectIdentifier::builder().key(key).build()).collect();
        let many = ids.ok().and_then(|ids| Delete::builder().set_objects(Some(ids)).build().ok());
        let many = client.delete_objects().bucket(&bucket).set_delete(many);
        match once(many.send()).await {
            Ok(done) => {
                let note = done.errors().first().and_then(|e| e.code()).unwrap_or_default();
                self.answer(Question::DeletesMany, done.errors().is_empty(), note);
            }
            Err(failed) if failed.is_refusal() => {
                self.answer(Question::DeletesMany, false, failed.short());
            }
            Err(failed) => return Err(failed),
        }
        once(client.delete_object().bucket(&bucket).key(&plain).send()).await?;
        let gone = match once(head(plain).send()).await {
            Ok(_) => false,
            Err(failed) if failed.kind == OriginErrorKind::NotFound => true,
            Err(failed) => return Err(failed),
        };
        self.answer(Question::ForgetsAtOnce, gone, "");
        Ok(())
    }

    fn arrival(&mut self, question: Question, result: Result<bool, Failed>) -> Result<(), Failed> {
        match result {
            Ok(whole) => {
                self.answer(question, whole, if whole { "" } else { "other bytes arrived" });
            }
            Err(failed) if failed.is_refusal() => self.answer(question, false, failed.short()),
            Err(failed) => return Err(failed),
        }
        Ok(())
    }

    /// Whether an object in two parts is what was sent; with its ETag.
    async fn upload_in_parts(&self, etag: &mut Option<String>) -> Result<bool, Failed> {
        let (client, bucket, key) =
            (&self.origin.client, &self.origin.settings.bucket, self.key("parts"));
        let bodies = parts();
        let begun = client.create_multipart_upload().bucket(bucket).key(&key);
        let begun = once(begun.send()).await?;
        let id = begun.upload_id().unwrap_or_default();
        let finish = async {
            let mut parts = Vec::new();
            for (number, body) in (1..).zip(&bodies) {
                let part = client
                    .upload_part()
                    .bucket(bucket)
                    .key(&key)
                    .upload_id(id)
                    .part_number(number)
                    .body(ByteStream::from(body.clone()));
                let part = once(part.send()).await?;
                parts.push(
                    CompletedPart::builder()
                        .part_number(number)
                        .set_e_tag(part.e_tag().map(str::to_owned))
                        .build(),
                );
            }
            let parts = CompletedMultipartUpload::builder().set_parts(Some(parts)).build();
            let whole = client
                .complete_multipart_upload()
                .bucket(bucket)
                .key(&key)
                .upload_id(id)
                .multipart_upload(parts);
            once(whole.send()).await.map(drop)
        };
        if let Err(failed) = finish.await {
            let given_up = client.abort_multipart_upload().bucket(bucket).key(&key).upload_id(id);
            // Why it did not work says more than that giving it up did not work either.
            let _ = once(given_up.send()).await;
            return Err(failed);
        }
        let found = once(client.head_object().bucket(bucket).key(&key).send()).await?;
        *etag = found.e_tag().map(str::to_owned);
        Ok(found.content_length() == Some((PART + BODY.len()) as i64))
    }

    async fn copy(&self, from: &str) -> Result<bool, Failed> {
        let (client, bucket, key) =
            (&self.origin.client, &self.origin.settings.bucket, self.key("copy"));
        let source = format!("{bucket}/{from}");
        let copy = client.copy_object().bucket(bucket).key(&key).copy_source(source);
        once(copy.send()).await?;
        let copy = once(client.get_object().bucket(bucket).key(&key).send()).await?;
        let body = copy.body.collect().await.map_err(|e| Failed::cut(&e))?.into_bytes();
        Ok(body == BODY[..])
    }

    /// Deletes everything below the probe's prefix.
    async fn sweep(&self) -> Result<(), Failed> {
        let (client, bucket) = (&self.origin.client, &self.origin.settings.bucket);
        let listing = client.list_objects_v2().bucket(bucket).prefix(&self.prefix);
        let listing = once(listing.send()).await?;
        // By name as well: a listing that forgets or mangles keys must not make us leave anything.
        let names = [
            "plain",
            "wrong-md5",
            "wrong-hash",
            "checksum",
            "wrong-checksum",
            "parts",
            "copy",
            ODD,
        ];
        let listed = listing.contents().iter().filter_map(|o| o.key()).map(str::to_owned);
        for key in listed.chain(names.map(|name| self.key(name))) {
            match once(client.delete_object().bucket(bucket).key(key).send()).await {
                Ok(_) => {}
                Err(failed) if failed.kind == OriginErrorKind::NotFound => {}
                Err(failed) => return Err(failed),
            }
        }
        Ok(())
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

/// One try of a call, within the time that any of them may take.
async fn once<T, E: Into<Failed>>(call: impl Future<Output = Result<T, E>>) -> Result<T, Failed> {
    let limit = CALL_LIMIT + LIMIT_PER_MB;
    match tokio::time::timeout(limit, call).await {
        Ok(result) => result.map_err(Into::into),
        Err(_) => Err(Failed::too_late(limit)),
    }
}
