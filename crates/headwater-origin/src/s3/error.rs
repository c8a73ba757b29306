//! What an error of the SDK means: for the next try, for the engine, and for whoever reads it. The one place that knows
//! the error codes of S3 and its relatives.

use std::error::Error;
use std::fmt;
use std::time::Duration;

use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_smithy_runtime_api::http::Response;
use headwater_ports::origin::{OriginError, OriginErrorKind};

use super::retry::Trouble;

/// Codes that mean "too much", whatever the status. Each is some vendor's.
const THROTTLED: [&str; 7] = [
    "SlowDown",
    "SlowDownRead",
    "SlowDownWrite",
    "Throttling",
    "ThrottlingException",
    "TooManyRequests",
    "RequestLimitExceeded",
];

/// Codes that mean "no room".
const FULL: [&str; 5] = [
    "XMinioStorageFull",
    "QuotaExceeded",
    "StorageLimitExceeded",
    "XMinioAdminBucketQuotaExceeded",
    "InsufficientStorage",
];

/// Codes that mean "what came is not what you said would come".
const CORRUPT: [&str; 4] =
    ["BadDigest", "InvalidDigest", "XAmzContentSHA256Mismatch", "XAmzContentChecksumMismatch"];

/// A failed try.
#[derive(Debug)]
pub(crate) struct Failed {
    pub(crate) trouble: Trouble,
    pub(crate) kind: OriginErrorKind,
    /// Status of the answer, if there was one.
    pub(crate) status: Option<u16>,
    /// The origin's code, if it answered with one.
    pub(crate) code: Option<String>,
    /// Nothing was sent: whoever should give credentials to sign it with does not.
    pub(crate) lacks_credentials: bool,
    message: String,
}

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl Error for Failed {}

impl Failed {
    /// A failure without an answer.
    pub(crate) fn new(trouble: Trouble, kind: OriginErrorKind, message: impl Into<String>) -> Self {
        let message = message.into();
        Self { trouble, kind, status: None, code: None, lacks_credentials: false, message }
    }

    fn passing(trouble: Trouble, message: impl Into<String>) -> Self {
        Self::new(trouble, OriginErrorKind::Unavailable, message)
    }

    /// No answer in time.
    pub(crate) fn too_late(limit: Duration) -> Self {
        Self::passing(Trouble::Timeout, format!("no answer within {} s", limit.as_secs()))
    }

    /// More bytes than were asked for, or than anything has that is stored in one piece: the same again next time.
    pub(crate) fn too_long(most: u64) -> Self {
        let message = format!("the origin sends more than {most} bytes");
        Self::new(Trouble::Lasting, OriginErrorKind::Corrupt, message)
    }

    /// It was never sent.
    pub(crate) fn no_turn() -> Self {
        let why = "the origin lets in too few calls for this one to have had its turn";
        Self::passing(Trouble::Throttled(None), why)
    }

    /// The answer ended in the middle.
    pub(crate) fn cut(error: &(dyn Error + 'static)) -> Self {
        Self::passing(Trouble::Reset, format!("the answer was cut off: {}", chain(error)))
    }

    /// What the origin says does not fit what was asked.
    pub(crate) fn corrupt(message: impl Into<String>) -> Self {
        Self::new(Trouble::Garbled, OriginErrorKind::Corrupt, message)
    }

    /// An answer whose status said that all was well, and that is an error of this code.
    pub(crate) fn after_all(code: &str, message: &str) -> Self {
        Self::told(200, (Some(code), Some(message)), None, String::new)
    }

    /// An answer of this status that says what is wrong.
    pub(crate) fn told(
        status: u16,
        (code, message): (Option<&str>, Option<&str>),
        pause: Option<Duration>,
        otherwise: impl Fn() -> String,
    ) -> Self {
        let (trouble, kind) = classify(status, code, pause);
        let message = match (code, message) {
            (Some(code), Some(message)) => format!("{status} {code}: {message}"),
            (Some(code), None) => format!("{status} {code}"),
            (None, _) => format!("{status}: {}", otherwise()),
        };
        let code = code.map(str::to_owned);
        Self { status: Some(status), code, ..Self::new(trouble, kind, message) }
    }

    /// The same, of a call that reads an object: there is none when the origin says so. A 404 without its code comes
    /// from something in front of it, such as an ingress without a backend, which knows nothing about objects.
    pub(crate) fn of_reading(self) -> Self {
        if self.says_no_such_key() { self.not_found() } else { self }
    }

    /// The same, of a call whose answer has no body and so no code: the status has to do.
    pub(crate) fn of_looking(self) -> Self {
        let any = self.code.as_deref().is_none_or(|code| code == "NotFound");
        let is_absence = self.says_no_such_key() || (self.status == Some(404) && any);
        if is_absence { self.not_found() } else { self }
    }

    /// The same, of a put that is to replace what is there: when nothing is there, that has changed.
    pub(crate) fn of_replacing(self) -> Self {
        if self.says_no_such_key() {
            Self { trouble: Trouble::Lasting, kind: OriginErrorKind::Changed, ..self }
        } else {
            self
        }
    }

    /// That there is no such object, where that is an answer like any other.
    pub(crate) fn absent<T>(self) -> Result<Option<T>, Self> {
        if self.kind == OriginErrorKind::NotFound { Ok(None) } else { Err(self) }
    }

    fn not_found(self) -> Self {
        Self { trouble: Trouble::Lasting, kind: OriginErrorKind::NotFound, ..self }
    }

    fn says_no_such_key(&self) -> bool {
        self.status == Some(404) && self.code.as_deref() == Some("NoSuchKey")
    }

    /// Whether there is no upload in parts of that id any more.
    pub(crate) fn is_no_such_upload(&self) -> bool {
        self.code.as_deref() == Some("NoSuchUpload")
    }

    /// Whether the origin has said that it did not do it; else it may have, and its word was lost.
    pub(crate) fn is_refusal(&self) -> bool {
        match self.trouble {
            Trouble::Throttled(_) | Trouble::Lasting => true,
            Trouble::Fault | Trouble::Reset | Trouble::Timeout | Trouble::Garbled => false,
        }
    }

    /// Whether it says that the body is not what was announced. A bad request may be about anything: it counts where
    /// the same request with the right announcement is taken.
    pub(crate) fn is_about_content(&self) -> bool {
        self.kind == OriginErrorKind::Corrupt
            || (self.status == Some(400) && self.kind == OriginErrorKind::Denied)
    }

    /// The origin's own code, or all that is known.
    pub(crate) fn short(&self) -> String {
        self.code.clone().unwrap_or_else(|| self.message.clone())
    }

    /// Whether a range began behind the object's last byte.
    pub(crate) fn is_beyond_the_end(&self) -> bool {
        self.status == Some(416) || self.code.as_deref() == Some("InvalidRange")
    }

    /// For callers of the port.
    pub(crate) fn into_error(self, operation: &'static str, key: &str) -> OriginError {
        OriginError { kind: self.kind, operation, key: key.to_owned(), source: Box::new(self) }
    }
}

impl<E: ProvideErrorMetadata + Error + 'static> From<SdkError<E, Response>> for Failed {
    fn from(error: SdkError<E, Response>) -> Self {
        match &error {
            SdkError::TimeoutError(_) => Self::passing(Trouble::Timeout, chain(&error)),
            SdkError::DispatchFailure(failure) if failure.is_timeout() => {
                Self::passing(Trouble::Timeout, chain(&error))
            }
            SdkError::DispatchFailure(_) if let Some(why) = about_credentials(&error) => {
                Self { lacks_credentials: true, ..without_credentials(why, chain(&error)) }
            }
            SdkError::DispatchFailure(_) => Self::passing(Trouble::Reset, chain(&error)),
            SdkError::ConstructionFailure(_) => {
                Self::new(Trouble::Lasting, OriginErrorKind::Denied, chain(&error))
            }
            SdkError::ResponseError(response) => {
                of_answer(response.raw(), (None, None), || chain(&error))
            }
            SdkError::ServiceError(service) => {
                let told = (service.err().code(), service.err().message());
                of_answer(service.raw(), told, || chain(&error))
            }
            _ => Self::passing(Trouble::Fault, chain(&error)),
        }
    }
}

fn of_answer(
    answer: &Response,
    told: (Option<&str>, Option<&str>),
    otherwise: impl Fn() -> String,
) -> Failed {
    let retry_after = || {
        let seconds = answer.headers().get("retry-after")?.trim().parse().ok()?;
        Some(Duration::from_secs(seconds))
    };
    Failed::told(answer.status().as_u16(), told, retry_after(), otherwise)
}

/// What an answer means for the next try and for the caller. `pause` is what it says about when to come back.
fn classify(
    status: u16,
    code: Option<&str>,
    pause: Option<Duration>,
) -> (Trouble, OriginErrorKind) {
    use OriginErrorKind as Kind;
    let is = |codes: &[&str]| code.is_some_and(|code| codes.contains(&code));
    match status {
        _ if is(&["InvalidObjectState"]) => (Trouble::Lasting, Kind::Cold),
        _ if is(&FULL) => (Trouble::Lasting, Kind::Full),
        507 => (Trouble::Lasting, Kind::Full),
        _ if is(&THROTTLED) => (Trouble::Throttled(pause), Kind::Unavailable),
        429 | 503 => (Trouble::Throttled(pause), Kind::Unavailable),
        // What arrived there is not what was sent: the way is bad, or the origin.
        _ if is(&CORRUPT) => (Trouble::Garbled, Kind::Corrupt),
        408 => (Trouble::Timeout, Kind::Unavailable),
        _ if is(&["RequestTimeout"]) => (Trouble::Timeout, Kind::Unavailable),
        // The body broke off on the way, or came earlier than whoever took it was ready.
        _ if is(&["IncompleteBody"]) => (Trouble::Reset, Kind::Unavailable),
        425 => (Trouble::Reset, Kind::Unavailable),
        // It is not going to learn it.
        501 => (Trouble::Lasting, Kind::Denied),
        404 if is(&["NoSuchBucket"]) => (Trouble::Lasting, Kind::Denied),
        404 if is(&["NoSuchUpload"]) => (Trouble::Lasting, Kind::Unavailable),
        // Only a call about one object can be told that there is none; see `of_reading`.
        404 => (Trouble::Fault, Kind::Unavailable),
        412 => (Trouble::Lasting, Kind::Changed),
        // Two writers at once.
        409 => (Trouble::Fault, Kind::Unavailable),
        // A redirect too: the bucket is in another region or at another endpoint, and asking here again leads nowhere.
        300..=499 => (Trouble::Lasting, Kind::Denied),
        // What began as a success and holds an error is a fault as well.
        _ => (Trouble::Fault, Kind::Unavailable),
    }
}

/// Without credentials nothing is sent. That there are none stays so; who gives them may only be busy.
fn without_credentials(why: &CredentialsError, message: String) -> Failed {
    match why {
        CredentialsError::CredentialsNotLoaded(_) | CredentialsError::InvalidConfiguration(_) => {
            Failed::new(Trouble::Lasting, OriginErrorKind::Denied, message)
        }
        CredentialsError::ProviderTimedOut(_) => Failed::passing(Trouble::Timeout, message),
        _ => Failed::passing(Trouble::Fault, message),
    }
}

fn about_credentials<'e>(error: &'e (dyn Error + 'static)) -> Option<&'e CredentialsError> {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if let Some(found) = error.downcast_ref() {
            return Some(found);
        }
        cause = error.source();
    }
    None
}

/// An error with everything that caused it.
fn chain(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.ends_with(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        source = cause.source();
    }
    text
}

#[cfg(test)]
mod tests;
