//! Masters in one bucket of a service that speaks S3.

use std::ops::Range;

use aws_sdk_s3::Client;
use aws_sdk_s3::primitives::ByteStream;
use bytes::Bytes;
use headwater_model::address::{Folder, stamp_of};
use headwater_ports::masters::{MasterErrorKind, MasterPage, Seen};
use headwater_ports::origin::OriginErrorKind;

use super::{Came, Identity, Verdict};
use crate::s3::body::{self, Announced, MOST_LISTED};
use crate::s3::calls::{Calls, Patience};
use crate::s3::error::Failed;
use crate::s3::listing::{self, Unlisted};
use crate::s3::{CALL_LIMIT, S3Settings, client, header_of, part_limit};

/// Sorts behind every key that somebody gives an object.
const BEHIND_ALL: char = '\u{10fffd}';

/// A bucket that holds masters.
#[derive(Debug)]
pub(super) struct Bucket {
    name: String,
    client: Client,
    calls: Calls,
}

const CALL: Patience = Patience { once: CALL_LIMIT, all: None };

impl Bucket {
    pub(super) async fn new(settings: &S3Settings, haste: u32) -> Self {
        let client = client::client(settings).await;
        let calls = Calls::new(&settings.name, haste);
        Self { name: settings.bucket.clone(), client, calls }
    }

    pub(super) async fn look(&self, key: &str) -> Result<Identity, Failed> {
        self.calls
            .answer("look at", key, CALL, || async {
                let found = self.client.head_object().bucket(&self.name).key(key).send().await;
                let found = found.map_err(|error| Failed::from(error).of_looking())?;
                let bytes = found.content_length().and_then(|n| u64::try_from(n).ok());
                let unknown = || Failed::corrupt("the service does not say how long it is");
                Ok(Identity {
                    bytes: bytes.ok_or_else(unknown)?,
                    etag: found.e_tag().map(str::to_owned),
                    modified: found.last_modified().map(ToString::to_string),
                })
            })
            .await
    }

    pub(super) async fn read(
        &self,
        key: &str,
        identity: &Identity,
        range: &Range<u64>,
    ) -> Result<Result<Bytes, Verdict>, Failed> {
        let patience = Patience { once: part_limit(range), all: None };
        self.calls
            .answer("read", key, patience, || async {
                let request = self.client.get_object().bucket(&self.name).key(key);
                let request = request
                    .range(header_of(range))
                    .set_if_match(identity.condition().map(str::to_owned));
                let begins =
                    tokio::time::timeout(self.calls.hasten(CALL_LIMIT), request.send()).await;
                let begins = begins.map_err(|_| Failed::too_late(CALL_LIMIT))?;
                let answer = match begins {
                    Ok(answer) => answer,
                    Err(error) => match Failed::from(error).of_reading() {
                        failed if failed.kind == OriginErrorKind::Changed => {
                            let why = "it is not the object that was looked at any more (412)";
                            return Ok(Err((MasterErrorKind::Changed, why.to_owned())));
                        }
                        failed if failed.is_beyond_the_end() => {
                            let why = "it has become shorter (416)";
                            return Ok(Err((MasterErrorKind::Changed, why.to_owned())));
                        }
                        failed => return Err(failed),
                    },
                };
                let modified = answer.last_modified().map(ToString::to_string);
                let came = Came {
                    etag: answer.e_tag(),
                    modified: modified.as_deref(),
                    part: answer.content_range(),
                };
                if let Err(verdict) = identity.check(&came) {
                    return Ok(Err(verdict));
                }
                let length = answer.content_length().and_then(|n| u64::try_from(n).ok());
                let wanted = range.end - range.start;
                if came.part.is_none() && wanted < identity.bytes {
                    let why = "the service sends the whole object when it is asked for a part";
                    return Ok(Err((MasterErrorKind::Unsuitable, why.to_owned())));
                }
                let part = came.part.map(str::to_owned);
                body::part(answer.body, &Announced { length, part }, range).await.map(Ok)
            })
            .await
    }

    /// A page of a folder. What lies below a folder of it is leapt over, since it may be a whole library.
    pub(super) async fn list(
        &self,
        folder: &Folder,
        after: Option<&str>,
    ) -> Result<MasterPage, Failed> {
        self.calls
            .answer("list", &folder.prefix, CALL, || async {
                let request = self.client.list_objects_v2().bucket(&self.name);
                let request =
                    request.prefix(&folder.prefix).set_start_after(after.map(str::to_owned));
                let unread = listing::Unread::default();
                request.customize().interceptor(unread.clone()).send().await?;
                let answer = body::whole(ByteStream::new(unread.take()), None, MOST_LISTED).await?;
                page(&answer, folder, after)
            })
            .await
    }
}

fn page(answer: &[u8], folder: &Folder, after: Option<&str>) -> Result<MasterPage, Failed> {
    let mut found = Vec::new();
    let told = listing::read(answer, |listed| {
        let stamp = listed.etag.or(listed.modified).map_or(0, stamp_of);
        let seen = Seen { bytes: listed.bytes, stamp };
        found.extend(folder.object(listed.key).map(|address| (address, seen)));
    });
    let told = told.map_err(|why| match why {
        Unlisted::Refused { code, message } => Failed::after_all(&code, &message),
        Unlisted::Garbled(why) => Failed::corrupt(why),
    })?;
    if !told.is_truncated {
        return Ok(MasterPage { found, next: None });
    }
    if told.last.as_deref() <= after {
        return Err(Failed::corrupt("the listing does not move on"));
    }
    let last = told.last.unwrap_or_default();
    let below = last.strip_prefix(&folder.prefix).and_then(|rest| rest.split_once('/'));
    let next = match below {
        Some((part, _)) => format!("{}{part}/{BEHIND_ALL}", folder.prefix),
        None => last,
    };
    Ok(MasterPage { found, next: Some(next) })
}
