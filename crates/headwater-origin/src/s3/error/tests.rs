//! What answers mean, as a table.

use OriginErrorKind::{Changed, Cold, Corrupt, Denied, Full, Unavailable};
use Trouble::{Fault, Garbled, Lasting, Reset, Throttled, Timeout};

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
