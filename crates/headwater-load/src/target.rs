//! The bucket that everything is done to, named as `headwater` itself has it named, and the origin that it is.

use anyhow::{Context, Result};
use headwater_model::origin::Profile;
use headwater_origin::{Credentials, S3Origin, S3Settings};

/// Name of the origin; also part of the variables' names.
pub(crate) const NAME: &str = "lab";

/// Where the bucket is and what opens it.
#[derive(Clone)]
pub(crate) struct Target {
    /// `http://127.0.0.1:9100`.
    pub(crate) endpoint: String,
    pub(crate) bucket: String,
    pub(crate) region: String,
    pub(crate) access_key: String,
    pub(crate) secret_key: String,
}

impl Target {
    /// The target that the variables name.
    pub(crate) fn of(variable: impl Fn(&str) -> Option<String>) -> Result<Self> {
        let read = |name: &str| {
            let name = format!("HEADWATER_ORIGINS_LAB_{name}");
            variable(&name).with_context(|| format!("`{name}` is not set"))
        };
        Ok(Self {
            endpoint: read("ENDPOINT")?,
            bucket: read("BUCKET")?,
            region: read("REGION")?,
            access_key: read("ACCESS_KEY_ID")?,
            secret_key: read("SECRET_ACCESS_KEY")?,
        })
    }

    /// The bucket as an origin of the product, which has been asked what its word is worth.
    pub(crate) async fn origin(&self) -> Result<S3Origin> {
        let origin = self.unknown_origin().await;
        let profile = origin.probe().await.context("probe the origin")?;
        origin.goes_by(profile);
        Ok(origin)
    }

    /// The same, and nothing has been asked.
    pub(crate) async fn unknown_origin(&self) -> S3Origin {
        let settings = S3Settings {
            name: NAME.to_owned(),
            bucket: self.bucket.clone(),
            prefix: String::new(),
            endpoint: Some(self.endpoint.clone()),
            region: Some(self.region.clone()),
            path_style: true,
            storage_class: None,
            public_url: None,
            credentials: Some(Credentials {
                access_key: self.access_key.clone(),
                secret_key: self.secret_key.clone(),
                session_token: None,
            }),
        };
        S3Origin::new(settings, Profile::default()).await
    }
}
