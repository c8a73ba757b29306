//! What becomes of a call before it is looked at and after it is done: let in, refused, reset, or never answered.

use std::sync::PoisonError;
use std::sync::atomic::Ordering;

use hyper::{HeaderMap, StatusCode, header};
use s3s::region::Region;
use s3s::{S3Error, S3ErrorCode, S3Request, S3Result, s3_error};

use super::LyingS3;
use crate::lies::{Call, What};
use crate::server::Shared;

/// A response with this header is never sent: the connection is reset instead.
pub(crate) const RESET: &str = "x-lying-origin-reset";

/// A response with this header is sent with a body that no S3 server writes, as something in between answers.
pub(crate) const FOREIGN: &str = "x-lying-origin-foreign";

/// What a call was answered with instead.
enum Fate {
    Fail,
    SlowDown(u32),
    Reset,
    Hang,
    Expired,
    Skewed,
    Full,
    Answer(u16, &'static str),
}

impl LyingS3 {
    /// What every call passes first: counting, latency, bucket, region, credentials, limits and lies about answers.
    pub(super) async fn enter<T>(
        &self,
        call: Call,
        request: &S3Request<T>,
        bucket: &str,
        key: &str,
    ) -> S3Result {
        let Shared { manners, lies, calls, limiter, .. } = &*self.0;
        calls.of(call).fetch_add(1, Ordering::Relaxed);
        if !manners.latency.is_zero() {
            tokio::time::sleep(manners.latency).await;
        }
        let fate = lies.meet(key, |what| match what {
            What::Fail(c) if c == call => Some(Fate::Fail),
            What::SlowDown(c, seconds) if c == call => Some(Fate::SlowDown(seconds)),
            // A get is reset in the middle of its answer.
            What::Reset(c) if c == call && call != Call::Get => Some(Fate::Reset),
            What::Hang(c) if c == call => Some(Fate::Hang),
            What::Answer(c, status, code) if c == call => Some(Fate::Answer(status, code)),
            What::ExpireCredentials => Some(Fate::Expired),
            What::SkewClock => Some(Fate::Skewed),
            What::Full if call == Call::Put => Some(Fate::Full),
            _ => None,
        });
        match fate {
            None => {}
            Some(Fate::Hang) => std::future::pending().await,
            Some(fate) => return Err(refusal(&fate)),
        }
        if let Some(region) = request.region.as_ref().map(Region::as_str)
            && region != manners.region
        {
            let mut error = S3Error::with_message(
                S3ErrorCode::AuthorizationHeaderMalformed,
                format!("the region '{region}' is wrong; expecting '{}'", manners.region),
            );
            error.set_status_code(StatusCode::BAD_REQUEST);
            return Err(error);
        }
        if bucket != manners.bucket {
            return Err(s3_error!(NoSuchBucket, "The specified bucket does not exist"));
        }
        if call == Call::Put
            && let Some(rate) = manners.puts_per_second
            && !limiter.lock().unwrap_or_else(PoisonError::into_inner).lets_in(rate)
        {
            return Err(slow_down(0));
        }
        if call == Call::List && !manners.allows_listing {
            return Err(s3_error!(AccessDenied, "Access Denied"));
        }
        Ok(())
    }

    /// What a call passes last, its work done: the answer may still be lost.
    pub(super) fn leave(&self, call: Call, key: &str) -> S3Result {
        let lost = |what| (what == What::LoseAnswer(call)).then_some(());
        self.0.lies.meet(key, lost).map_or(Ok(()), |()| Err(reset()))
    }
}

fn refusal(fate: &Fate) -> S3Error {
    match *fate {
        Fate::Fail => s3_error!(InternalError, "failed on purpose"),
        Fate::SlowDown(seconds) => slow_down(seconds),
        Fate::Reset | Fate::Hang => reset(),
        Fate::Expired => s3_error!(ExpiredToken, "The provided token has expired."),
        Fate::Skewed => S3Error::with_message(
            S3ErrorCode::RequestTimeTooSkewed,
            "The difference between the request time and the server's time is too large.",
        ),
        Fate::Full => answer(
            507,
            "XMinioStorageFull",
            "Storage backend has reached its minimum free drive threshold.",
        ),
        Fate::Answer(status, code) => answer(status, code, "answered on purpose"),
    }
}

/// An answer of any status and code; one without a code is not an S3 server's.
pub(super) fn answer(status: u16, code: &'static str, message: &'static str) -> S3Error {
    let mut error = S3Error::with_message(S3ErrorCode::Custom(code.into()), message);
    if code.is_empty() {
        mark(&mut error, FOREIGN);
    }
    error.set_status_code(StatusCode::from_u16(status).unwrap_or_default());
    error
}

fn slow_down(seconds: u32) -> S3Error {
    let mut error = s3_error!(SlowDown, "Please reduce your request rate.");
    if seconds > 0 {
        let mut headers = HeaderMap::new();
        headers.insert(header::RETRY_AFTER, seconds.into());
        error.set_headers(headers);
    }
    error
}

fn reset() -> S3Error {
    let mut error = s3_error!(InternalError, "reset on purpose");
    mark(&mut error, RESET);
    error
}

fn mark(error: &mut S3Error, header: &'static str) {
    let mut headers = HeaderMap::new();
    headers.insert(header, 1.into());
    error.set_headers(headers);
}

pub(super) fn unsupported_header() -> S3Error {
    answer(400, "InvalidRequest", "Unsupported header received for this API call.")
}

pub(super) fn no_such_upload() -> S3Error {
    s3_error!(NoSuchUpload, "The specified upload does not exist.")
}
