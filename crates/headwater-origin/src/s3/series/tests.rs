//! How what went wrong is put into words, where a server would take ten seconds to show it.

use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_s3::error::{ConnectorError, SdkError};
use aws_sdk_s3::operation::list_objects_v2::ListObjectsV2Error;
use aws_sdk_s3::primitives::SdkBody;
use aws_smithy_runtime_api::http::Response;
use headwater_model::origin::Profile;

use super::super::S3Settings;
use super::super::reach::LIMIT;
use super::*;

async fn told(failed: SdkError<ListObjectsV2Error, Response>) -> (String, String) {
    let settings = S3Settings {
        name: "b2-west".to_owned(),
        bucket: "films".to_owned(),
        prefix: String::new(),
        endpoint: Some("http://127.0.0.1:9".to_owned()),
        region: None,
        path_style: true,
        storage_class: None,
        public_url: None,
        credentials: None,
    };
    let origin = S3Origin::new(settings, Profile::default()).await;
    let stuck = Stuck { step: Step::List, failed: failed.into() };
    let Unusable { problem, hint, .. } = Series::new(&origin, LIMIT).explain(&stuck);
    (problem.split(" (").next().unwrap_or_default().to_owned(), hint)
}

/// An answer of this status that says nothing.
fn wordless(status: u16) -> SdkError<ListObjectsV2Error, Response> {
    let error = ListObjectsV2Error::unhandled("no words");
    SdkError::service_error(error, Response::new(status.try_into().unwrap(), SdkBody::empty()))
}

#[tokio::test]
async fn what_answers_without_a_code_is_no_s3_service() {
    let other = (
        "what answers at http://127.0.0.1:9 is no S3 service, or has no bucket `films`".to_owned(),
        "check `origins.b2-west.endpoint` and `origins.b2-west.bucket`".to_owned(),
    );
    for status in [200, 302, 404, 405] {
        assert_eq!(told(wordless(status)).await, other, "{status}");
    }
    for (status, problem) in [
        (403, "the credentials may not list the bucket `films`"),
        (408, "http://127.0.0.1:9 did not answer within 10 s"),
        (429, "it does not let us list the bucket `films`"),
        (500, "it does not let us list the bucket `films`"),
        (507, "there is no space left in the bucket `films`"),
    ] {
        assert_eq!(told(wordless(status)).await.0, problem, "{status}");
    }
}

#[tokio::test]
async fn credentials_that_cannot_be_fetched_can_be_set() {
    let busy = CredentialsError::provider_error(std::io::Error::other("busy"));
    let unsigned = ConnectorError::other(Box::new(busy), None);
    let (problem, hint) = told(SdkError::dispatch_failure(unsigned)).await;
    assert_eq!(problem, "the credentials cannot be fetched from where they are kept");
    let keys = "set HEADWATER_ORIGINS_B2_WEST_ACCESS_KEY_ID and HEADWATER_ORIGINS_B2_WEST_SECRET_ACCESS_KEY";
    assert!(hint.starts_with(&format!("{keys}, or check the role or profile")), "{hint}");
}
