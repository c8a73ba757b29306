//! A series of calls that finds something out about an origin: each is made until it is answered, as all calls are, but
//! none beyond the time that there is for all of them. When one fails, it is clear what was tried.

use std::future::Future;
use std::time::Duration;

use headwater_ports::origin::OriginErrorKind;
use thiserror::Error;
use tokio::time::Instant;

use super::calls::Patience;
use super::error::Failed;
use super::retry::Trouble;
use super::{CALL_LIMIT, LIMIT_PER_MB, S3Origin};

/// Time for one try, with a body of 5 MB at most.
const ONCE: Duration = CALL_LIMIT.saturating_add(LIMIT_PER_MB.saturating_mul(5));

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
    /// Whether it lacks nothing but space.
    pub is_full: bool,
}

/// Calls that have to be over by some time.
#[derive(Clone, Copy)]
pub(super) struct Series<'a> {
    origin: &'a S3Origin,
    until: Instant,
    limit: Duration,
}

/// Whether it is an answer to a listing such as S3 gives none: what is wrong with one it says by a code. What is busy or
/// broken may have no words left.
fn is_of_another_service(failed: &Failed) -> bool {
    let is_sound = matches!(failed.trouble, Trouble::Lasting | Trouble::Fault);
    is_sound && failed.code.is_none() && failed.status.is_some_and(|status| status < 500)
}

/// What was tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    List,
    Store,
    /// The same, in the storage class of the settings.
    StoreInClass,
    Read,
    Delete,
}

impl Step {
    fn verb(self) -> &'static str {
        match self {
            Step::List => "list",
            Step::Store | Step::StoreInClass => "store objects in",
            Step::Read => "read objects of",
            Step::Delete => "delete objects from",
        }
    }
}

/// A step that failed for good.
#[derive(Debug)]
pub(super) struct Stuck {
    pub(super) step: Step,
    pub(super) failed: Failed,
}

impl<'a> Series<'a> {
    /// A series that has `limit` from now on.
    pub(super) fn new(origin: &'a S3Origin, limit: Duration) -> Self {
        Self { origin, until: Instant::now() + limit, limit }
    }

    /// Makes a call until it is answered.
    pub(super) async fn call<T, E: Into<Failed>, F: Future<Output = Result<T, E>>>(
        self,
        step: Step,
        call: impl Fn() -> F,
    ) -> Result<T, Stuck> {
        let call = async || call().await.map_err(Into::into);
        let left = self.until.saturating_duration_since(Instant::now());
        let patience = Patience { once: ONCE, all: Some(left) };
        let (calls, bucket) = (&self.origin.calls, &self.origin.settings.bucket);
        let answer = calls.answer(step.verb(), bucket, patience, call).await;
        answer.map_err(|failed| Stuck { step, failed })
    }

    /// Puts what went wrong into words, with the words of the origin behind them.
    pub(super) fn explain(self, stuck: &Stuck) -> Unusable {
        let Stuck { step, failed } = stuck;
        let settings = &self.origin.settings;
        let (name, bucket) = (&settings.name, &settings.bucket);
        let variable = |key: &str| {
            format!("HEADWATER_ORIGINS_{}_{key}", name.to_uppercase().replace('-', "_"))
        };
        let endpoint = settings.endpoint.as_deref().unwrap_or("AWS");
        let region = settings.region.as_deref().unwrap_or("us-east-1");
        let keys =
            format!("set {} and {}", variable("ACCESS_KEY_ID"), variable("SECRET_ACCESS_KEY"));
        let credentials = || format!("{keys}, or give this process a role or profile");
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
                format!(
                    "correct `origins.{name}.region`; the origin's answer may name the right one"
                ),
            ),
            _ if failed.status == Some(403) && failed.kind == OriginErrorKind::Denied => (
                format!("the credentials may not {} the bucket `{bucket}`", step.verb()),
                "give them the rights to list, read, write and delete there".to_owned(),
            ),
            _ if *step == Step::StoreInClass
                && settings.storage_class.is_some()
                && matches!(failed.status, Some(400 | 501)) =>
            {
                let class = settings.storage_class.as_deref().unwrap_or_default();
                (
                    format!("it does not take objects of storage class `{class}`"),
                    format!("correct `origins.{name}.storage_class`, or take it away"),
                )
            }
            _ if failed.lacks_credentials && failed.trouble == Trouble::Lasting => {
                ("no credentials were found".to_owned(), credentials())
            }
            _ if failed.lacks_credentials => (
                "the credentials cannot be fetched from where they are kept".to_owned(),
                format!(
                    "{keys}, or check the role or profile of this process and the network to its provider"
                ),
            ),
            _ if failed.trouble == Trouble::Timeout => (
                format!("{endpoint} did not answer within {} s", self.limit.as_secs()),
                format!("check `origins.{name}.endpoint` and the network in between"),
            ),
            _ if failed.trouble == Trouble::Reset => (
                format!("{endpoint} cannot be reached"),
                format!("check `origins.{name}.endpoint` and the network in between"),
            ),
            _ if *step == Step::List && is_of_another_service(failed) => (
                format!("what answers at {endpoint} is no S3 service, or has no bucket `{bucket}`"),
                format!("check `origins.{name}.endpoint` and `origins.{name}.bucket`"),
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
        let is_full = failed.kind == OriginErrorKind::Full;
        Unusable { origin: name.clone(), problem: format!("{problem} ({failed})"), hint, is_full }
    }
}

#[cfg(test)]
mod tests;
