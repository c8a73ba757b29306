//! What answers mean, as a table.

use OriginErrorKind::{Changed, Cold, Corrupt, Denied, Full, NotFound, Unavailable};
use Trouble::{Fault, Garbled, Lasting, Reset, Throttled, Timeout};

use aws_sdk_s3::error::ConnectorError;
use aws_sdk_s3::operation::get_object::GetObjectError;

use super::*;

#[test]
fn an_answer_means_by_its_code_first_and_then_by_its_status() {
    for (status, code, expected) in [
        (400, "SlowDown", (Throttled(None), Unavailable)),
        (429, "", (Throttled(None), Unavailable)),
        (503, "", (Throttled(None), Unavailable)),
        (500, "InternalError", (Fault, Unavailable)),
        (502, "", (Fault, Unavailable)),
        (409, "ConditionalRequestConflict", (Fault, Unavailable)),
        (501, "NotImplemented", (Lasting, Denied)),
        (501, "", (Lasting, Denied)),
        (400, "RequestTimeout", (Timeout, Unavailable)),
        (408, "", (Timeout, Unavailable)),
        (400, "IncompleteBody", (Reset, Unavailable)),
        (425, "", (Reset, Unavailable)),
        (301, "PermanentRedirect", (Lasting, Denied)),
        (307, "TemporaryRedirect", (Lasting, Denied)),
        (200, "InternalError", (Fault, Unavailable)),
        (400, "BadDigest", (Garbled, Corrupt)),
        (412, "PreconditionFailed", (Lasting, Changed)),
        (403, "InvalidObjectState", (Lasting, Cold)),
        (403, "AccessDenied", (Lasting, Denied)),
        (403, "QuotaExceeded", (Lasting, Full)),
        (507, "", (Lasting, Full)),
        (404, "NoSuchBucket", (Lasting, Denied)),
        (404, "NoSuchUpload", (Lasting, Unavailable)),
        (404, "NoSuchKey", (Fault, Unavailable)),
        (404, "", (Fault, Unavailable)),
    ] {
        let code = Some(code).filter(|code| !code.is_empty());
        assert_eq!(classify(status, code, None), expected, "{status} {code:?}");
    }
}

/// A call that was never sent, since this became of its credentials.
fn unsigned(error: CredentialsError) -> Failed {
    let error = ConnectorError::other(Box::new(error), None);
    SdkError::<GetObjectError, Response>::dispatch_failure(error).into()
}

#[test]
fn that_there_are_no_credentials_stays_so_and_that_none_were_given_may_pass() {
    let hiccup = || std::io::Error::other("busy");
    for (error, trouble) in [
        (CredentialsError::not_loaded("none"), Lasting),
        (CredentialsError::invalid_configuration(hiccup()), Lasting),
        (CredentialsError::provider_timed_out(Duration::from_secs(1)), Timeout),
        (CredentialsError::provider_error(hiccup()), Fault),
        (CredentialsError::unhandled(hiccup()), Fault),
    ] {
        let failed = unsigned(error);
        assert_eq!((failed.trouble, failed.lacks_credentials), (trouble, true), "{failed}");
        let lasts = failed.kind == Denied;
        assert_eq!(lasts, trouble == Lasting, "{failed}");
    }
}

/// An answer of this status and code.
fn answered(status: u16, code: &str) -> Failed {
    let code = Some(code).filter(|code| !code.is_empty());
    Failed::told(status, (code, None), None, String::new)
}

#[test]
fn only_some_calls_can_be_told_that_there_is_no_object() {
    for (status, code, reading, looking, replacing) in [
        (404, "NoSuchKey", NotFound, NotFound, Changed),
        // What the SDK makes of an answer without a body.
        (404, "NotFound", Unavailable, NotFound, Unavailable),
        (404, "", Unavailable, NotFound, Unavailable),
        (404, "NoSuchBucket", Denied, Denied, Denied),
        (410, "", Denied, Denied, Denied),
        (200, "NoSuchKey", Unavailable, Unavailable, Unavailable),
    ] {
        let failed = || answered(status, code);
        let kinds = (failed().of_reading().kind, failed().of_looking().kind);
        assert_eq!(kinds, (reading, looking), "{status} {code}");
        assert_eq!(failed().of_replacing().kind, replacing, "{status} {code}");
    }
}

#[test]
fn only_a_bad_request_or_a_bad_digest_is_about_content() {
    for (status, code, is) in [
        (400, "BadDigest", true),
        (400, "InvalidRequest", true),
        (422, "XAmzContentSHA256Mismatch", true),
        (400, "QuotaExceeded", false),
        (400, "SlowDown", false),
        (403, "AccessDenied", false),
        (404, "NoSuchKey", false),
        (500, "InternalError", false),
        (501, "NotImplemented", false),
        (507, "", false),
    ] {
        assert_eq!(answered(status, code).is_about_content(), is, "{status} {code}");
    }
}
