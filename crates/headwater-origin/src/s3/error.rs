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
pub(super) struct Failed {
    pub(super) trouble: Trouble,
    pub(super) kind: OriginErrorKind,
    /// The origin's code, if it answered with one.
    pub(super) code: Option<String>,
    /// Nothing was sent: there is nothing to sign it with.
    pub(super) lacks_credentials: bool,
    message: String,
}

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl Error for Failed {}

impl Failed {
    fn passing(trouble: Trouble, message: impl Into<String>) -> Self {
        Self {
            trouble,
            kind: OriginErrorKind::Unavailable,
            code: None,
            lacks_credentials: false,
            message: message.into(),
        }
    }

    /// No answer in time.
    pub(super) fn too_late(limit: Duration) -> Self {
        Self::passing(Trouble::Timeout, format!("no answer within {} s", limit.as_secs()))
    }

    /// The answer ended in the middle.
    pub(super) fn cut(error: &(dyn Error + 'static)) -> Self {
        Self::passing(Trouble::Reset, format!("the answer was cut off: {}", chain(error)))
    }

    /// What the origin says does not fit what was asked.
    pub(super) fn corrupt(message: String) -> Self {
        let kind = OriginErrorKind::Corrupt;
        Self { trouble: Trouble::Garbled, kind, code: None, lacks_credentials: false, message }
    }

    /// The origin does not do what has to be done.
    pub(super) fn unable(message: &str) -> Self {
        Self {
            trouble: Trouble::Lasting,
            kind: OriginErrorKind::Denied,
            code: None,
            lacks_credentials: false,
            message: message.to_owned(),
        }
    }

    /// Whether there is no upload in parts of that id any more.
    pub(super) fn is_no_such_upload(&self) -> bool {
        self.code.as_deref() == Some("NoSuchUpload")
    }

    /// Whether the origin understood and said no.
    pub(super) fn is_refusal(&self) -> bool {
        self.trouble == Trouble::Lasting || self.kind == OriginErrorKind::Corrupt
    }

    /// The origin's own code, or all that is known.
    pub(super) fn short(&self) -> String {
        self.code.clone().unwrap_or_else(|| self.message.clone())
    }

    /// Whether a range began behind the object's last byte.
    pub(super) fn is_beyond_the_end(&self) -> bool {
        self.code.as_deref() == Some("InvalidRange")
    }

    /// For callers of the port.
    pub(super) fn into_error(self, operation: &'static str, key: &str) -> OriginError {
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
            // Without credentials nothing is sent.
            SdkError::DispatchFailure(_) if lacks_credentials(&error) => Self {
                trouble: Trouble::Lasting,
                kind: OriginErrorKind::Denied,
                code: None,
                lacks_credentials: true,
                message: chain(&error),
            },
            SdkError::DispatchFailure(_) => Self::passing(Trouble::Reset, chain(&error)),
            SdkError::ConstructionFailure(_) => Self {
                trouble: Trouble::Lasting,
                kind: OriginErrorKind::Denied,
                code: None,
                lacks_credentials: false,
                message: chain(&error),
            },
            SdkError::ResponseError(response) => {
                of_answer(response.raw(), None, None, || chain(&error))
            }
            SdkError::ServiceError(service) => {
                let (code, message) = (service.err().code(), service.err().message());
                of_answer(service.raw(), code, message, || chain(&error))
            }
            _ => Self::passing(Trouble::Fault, chain(&error)),
        }
    }
}

fn of_answer(
    answer: &Response,
    code: Option<&str>,
    message: Option<&str>,
    otherwise: impl Fn() -> String,
) -> Failed {
    let status = answer.status().as_u16();
    let is = |codes: &[&str]| code.is_some_and(|code| codes.contains(&code));
    let retry_after = || {
        let seconds = answer.headers().get("retry-after")?.trim().parse().ok()?;
        Some(Duration::from_secs(seconds))
    };
    use OriginErrorKind as Kind;
    let (trouble, kind) = match status {
        _ if is(&["InvalidObjectState"]) => (Trouble::Lasting, Kind::Cold),
        _ if is(&FULL) => (Trouble::Lasting, Kind::Full),
        507 => (Trouble::Lasting, Kind::Full),
        _ if is(&THROTTLED) => (Trouble::Throttled(retry_after()), Kind::Unavailable),
        429 | 503 => (Trouble::Throttled(retry_after()), Kind::Unavailable),
        // What arrived there is not what was sent: the way is bad, or the origin.
        _ if is(&CORRUPT) => (Trouble::Garbled, Kind::Corrupt),
        _ if is(&["RequestTimeout"]) => (Trouble::Timeout, Kind::Unavailable),
        404 if is(&["NoSuchBucket"]) => (Trouble::Lasting, Kind::Denied),
        404 => (Trouble::Lasting, Kind::NotFound),
        500.. => (Trouble::Fault, Kind::Unavailable),
        412 => (Trouble::Lasting, Kind::Changed),
        // Two writers at once.
        409 => (Trouble::Fault, Kind::Unavailable),
        400.. => (Trouble::Lasting, Kind::Denied),
        _ => (Trouble::Reset, Kind::Unavailable),
    };
    let message = match (code, message) {
        (Some(code), Some(message)) => format!("{status} {code}: {message}"),
        (Some(code), None) => format!("{status} {code}"),
        (None, _) => format!("{status}: {}", otherwise()),
    };
    Failed { trouble, kind, code: code.map(str::to_owned), lacks_credentials: false, message }
}

fn lacks_credentials(error: &(dyn Error + 'static)) -> bool {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if error.is::<CredentialsError>() {
            return true;
        }
        cause = error.source();
    }
    false
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
