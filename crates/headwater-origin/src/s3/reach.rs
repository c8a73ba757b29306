//! Whether an S3 origin can be worked with at all, and if not, why: in one sentence, within ten seconds, before anything
//! is transcoded for it.

use std::future::Future;
use std::time::Duration;

use aws_sdk_s3::primitives::ByteStream;
use headwater_ports::origin::OriginErrorKind;
use thiserror::Error;
use tokio::time::Instant;

use super::S3Origin;
use super::error::Failed;
use super::retry::Trouble;

/// Time for the whole of it.
pub(super) const LIMIT: Duration = Duration::from_secs(10);

/// Why an origin cannot be worked with.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("origin {origin}: {problem}")]
pub struct Unusable {
    /// Its name in the configuration.
    pub origin: String,
    /// What is wrong, in one sentence, with what the origin said.
    pub problem: String,
    /// What to do about it.
    pub hint: String,
}

/// Lists, stores and deletes, each once.
pub(super) async fn reach(origin: &S3Origin) -> Result<(), Unusable> {
    let until = Instant::now() + LIMIT;
    let (client, settings) = (&origin.client, &origin.settings);
    let bucket = &settings.bucket;
    let list = client.list_objects_v2().bucket(bucket).prefix(&settings.prefix).max_keys(1);
    in_time(until, list.send()).await.map_err(|failed| explain(origin, Step::List, &failed))?;
    let key = format!("{}.headwater-probe-{:016x}", settings.prefix, fastrand::u64(..));
    let body = ByteStream::from_static(b"may this be stored?");
    let put = client.put_object().bucket(bucket).key(&key).body(body);
    in_time(until, put.send()).await.map_err(|failed| explain(origin, Step::Store, &failed))?;
    let delete = client.delete_object().bucket(bucket).key(&key);
    in_time(until, delete.send()).await.map_err(|failed| explain(origin, Step::Delete, &failed))?;
    Ok(())
}

async fn in_time<T, E: Into<Failed>>(
    until: Instant,
    call: impl Future<Output = Result<T, E>>,
) -> Result<T, Failed> {
    match tokio::time::timeout_at(until, call).await {
        Ok(result) => result.map_err(Into::into),
        Err(_) => Err(Failed::too_late(LIMIT)),
    }
}

/// What was tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    List,
    Store,
    Delete,
}

impl Step {
    fn verb(self) -> &'static str {
        match self {
            Step::List => "list",
            Step::Store => "store objects in",
            Step::Delete => "delete objects from",
        }
    }
}

/// Puts a failure into words, with the words of the origin behind them.
fn explain(origin: &S3Origin, step: Step, failed: &Failed) -> Unusable {
    let settings = &origin.settings;
    let (name, bucket) = (&settings.name, &settings.bucket);
    let variable =
        |key: &str| format!("HEADWATER_ORIGINS_{}_{key}", name.to_uppercase().replace('-', "_"));
    let endpoint = settings.endpoint.as_deref().unwrap_or("AWS");
    let region = settings.region.as_deref().unwrap_or("us-east-1");
    let credentials = || {
        format!(
            "set {} and {}, or give this process a role or profile",
            variable("ACCESS_KEY_ID"),
            variable("SECRET_ACCESS_KEY")
        )
    };
    let (problem, hint) = match failed.code.as_deref() {
        Some("NoSuchBucket") => (
            format!("there is no bucket `{bucket}` at {endpoint}"),
            format!("make the bucket, or correct `origins.{name}.bucket`"),
        ),
        Some(
            "InvalidAccessKeyId"
            | "InvalidClientTokenId"
            | "InvalidToken"
            | "NotSignedUp"
            | "UnrecognizedClientException",
        ) => ("the access key is not known there".to_owned(), credentials()),
        Some("SignatureDoesNotMatch") => (
            "the secret key does not belong to the access key".to_owned(),
            format!("check {}", variable("SECRET_ACCESS_KEY")),
        ),
        Some("ExpiredToken" | "TokenRefreshRequired") => {
            ("the credentials have expired".to_owned(), credentials())
        }
        Some("RequestTimeTooSkewed" | "RequestExpired") => (
            "the clock of this machine is off by more than the origin allows".to_owned(),
            "set the clock, for example with NTP".to_owned(),
        ),
        Some(
            "AuthorizationHeaderMalformed"
            | "PermanentRedirect"
            | "IllegalLocationConstraintException",
        ) => (
            format!("the bucket `{bucket}` is not in the region `{region}`"),
            format!("correct `origins.{name}.region`; the origin's answer may name the right one"),
        ),
        Some("AccessDenied" | "AllAccessDisabled" | "UnauthorizedAccess") => (
            format!("the credentials may not {} the bucket `{bucket}`", step.verb()),
            "give them the rights to list, read, write and delete there".to_owned(),
        ),
        _ if failed.lacks_credentials => ("no credentials were found".to_owned(), credentials()),
        _ if failed.trouble == Trouble::Timeout => (
            format!("{endpoint} did not answer within {} s", LIMIT.as_secs()),
            format!("check `origins.{name}.endpoint` and the network in between"),
        ),
        _ if failed.trouble == Trouble::Reset => (
            format!("{endpoint} cannot be reached"),
            format!("check `origins.{name}.endpoint` and the network in between"),
        ),
        _ if failed.kind == OriginErrorKind::Full => (
            format!("there is no space left in the bucket `{bucket}`"),
            "free some space, or raise the quota".to_owned(),
        ),
        _ => (
            format!("it does not let us {} the bucket `{bucket}`", step.verb()),
            "what it says about that is all that is known".to_owned(),
        ),
    };
    Unusable { origin: name.clone(), problem: format!("{problem} ({failed})"), hint }
}
