//! Settings of an S3 origin, and the client made of them.

use std::fmt;
use std::time::Duration;

use aws_config::BehaviorVersion;
use aws_runtime::auth::PayloadSigningOverride;
use aws_sdk_s3::Client;
use aws_sdk_s3::config::interceptors::BeforeTransmitInterceptorContextMut;
use aws_sdk_s3::config::retry::RetryConfig;
use aws_sdk_s3::config::timeout::TimeoutConfig;
use aws_sdk_s3::config::{
    ConfigBag, Intercept, Region, RequestChecksumCalculation, ResponseChecksumValidation,
    RuntimeComponents, StalledStreamProtectionConfig,
};
use aws_sdk_s3::error::BoxError;
use headwater_model::id::Sha256;

/// How long a connection may take to come about.
const CONNECT_LIMIT: Duration = Duration::from_secs(5);

/// What signs requests when nothing says otherwise; origins that have no regions take it.
const ANY_REGION: &str = "us-east-1";

/// Where an S3 origin is and how it is asked.
#[derive(Debug, Clone)]
pub struct S3Settings {
    /// Its name in the configuration.
    pub name: String,
    /// Bucket.
    pub bucket: String,
    /// What comes before every key: empty, or ending in `/`.
    pub prefix: String,
    /// URL of the service; AWS itself when there is none.
    pub endpoint: Option<String>,
    /// Region that requests are signed for.
    pub region: Option<String>,
    /// Whether the bucket stands in the path and not in the host's name.
    pub path_style: bool,
    /// Storage class of what is stored.
    pub storage_class: Option<String>,
    /// Where players find objects when that is not the bucket itself, without a slash at its end.
    pub public_url: Option<String>,
    /// Access key and secret; the standard chain (environment, profile, role of the machine) when there are none.
    pub credentials: Option<Credentials>,
}

/// What requests are signed with. Printed, it shows nothing.
#[derive(Clone)]
pub struct Credentials {
    /// Access key id.
    pub access_key: String,
    /// Secret access key.
    pub secret_key: String,
    /// Of temporary credentials.
    pub session_token: Option<String>,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Credentials(…)")
    }
}

impl S3Settings {
    /// Where players find the object `key`, prefix included.
    pub(crate) fn address(&self, key: &str) -> String {
        if let Some(url) = &self.public_url {
            return format!("{url}/{key}");
        }
        let bucket = &self.bucket;
        let region = self.region.as_deref().unwrap_or(ANY_REGION);
        match &self.endpoint {
            None => format!("https://{bucket}.s3.{region}.amazonaws.com/{key}"),
            Some(endpoint) => {
                let endpoint = endpoint.trim_end_matches('/');
                match endpoint.split_once("://") {
                    Some((scheme, host)) if !self.path_style => {
                        format!("{scheme}://{bucket}.{host}/{key}")
                    }
                    _ => format!("{endpoint}/{bucket}/{key}"),
                }
            }
        }
    }
}

/// A client that tries once, checks nothing by itself and asks at most as long as the caller waits.
pub(crate) async fn client(settings: &S3Settings) -> Client {
    let region = settings.region.clone().unwrap_or_else(|| ANY_REGION.to_owned());
    let mut config = aws_sdk_s3::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new(region.clone()))
        .force_path_style(settings.path_style)
        .retry_config(RetryConfig::disabled())
        .timeout_config(TimeoutConfig::builder().connect_timeout(CONNECT_LIMIT).build())
        // A limit on every call does what this is for, and small answers of a slow origin are no stall.
        .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
        .request_checksum_calculation(RequestChecksumCalculation::WhenRequired)
        .response_checksum_validation(ResponseChecksumValidation::WhenRequired);
    config.set_endpoint_url(settings.endpoint.clone());
    config = match &settings.credentials {
        Some(own) => config.credentials_provider(aws_sdk_s3::config::Credentials::new(
            own.access_key.clone(),
            own.secret_key.clone(),
            own.session_token.clone(),
            None,
            "headwater",
        )),
        None => {
            let chain = aws_config::defaults(BehaviorVersion::latest())
                .region(Region::new(region))
                .load()
                .await;
            config.set_credentials_provider(chain.credentials_provider());
            config
        }
    };
    Client::from_conf(config.build())
}

/// Puts a SHA-256 that is known already into the signature, so that the body is not hashed once more.
#[derive(Debug)]
pub(crate) struct SignedHash(String);

impl SignedHash {
    pub(crate) fn new(sha256: &Sha256) -> Self {
        Self(sha256.to_string())
    }
}

impl Intercept for SignedHash {
    fn name(&self) -> &'static str {
        "SignedHash"
    }

    fn modify_before_signing(
        &self,
        _context: &mut BeforeTransmitInterceptorContextMut<'_>,
        _components: &RuntimeComponents,
        config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let hash = PayloadSigningOverride::Precomputed(self.0.clone());
        config.interceptor_state().store_put(hash);
        Ok(())
    }
}
