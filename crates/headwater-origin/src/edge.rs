//! A CDN over HTTP: objects read as viewers do and past the cache, and purged from it.

mod trial;

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use headwater_model::key::ObjectKey;
use headwater_ports::edge::{Answer, Edge, EdgeError, Way};
use reqwest::header::{CACHE_CONTROL, CONTENT_TYPE};
use reqwest::{Client, Method, RequestBuilder, Response, StatusCode, redirect};
use tokio::time::sleep;
use tracing::debug;

pub use self::trial::{Trial, try_edge};

/// How long a connection may take to come about.
const CONNECT_LIMIT: Duration = Duration::from_secs(5);

/// How long an answer may take, its 10 MB at the very most included: what is slower than that stalls every player.
const ANSWER_LIMIT: Duration = Duration::from_secs(30);

/// Waits before tries after the first. An edge that fails for longer fails viewers too, and that is worth knowing.
const AGAIN_AFTER: [Duration; 2] = [Duration::from_millis(300), Duration::from_secs(1)];

/// How an object is purged.
#[derive(Clone)]
pub struct Purge {
    /// HTTP method: `PURGE`, `DELETE`, `POST`.
    pub method: String,
    /// Where the request goes; to the object's own address on the CDN when there is none.
    pub url: Option<String>,
    /// Its body, in which `{url}` stands for that address.
    pub body: Option<String>,
    /// Sent as a bearer token.
    pub token: Option<String>,
}

impl fmt::Debug for Purge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // CDNs that know no bearer tokens want their keys in the query or in the body.
        let url = self.url.as_deref().map(|url| url.split('?').next().unwrap_or(url));
        let mut shown = f.debug_struct("Purge");
        shown.field("method", &self.method).field("url", &url).finish_non_exhaustive()
    }
}

/// A CDN that is spoken to over HTTP.
#[derive(Debug)]
pub struct HttpEdge {
    client: Client,
    /// Follows no redirects: a purge that is sent on becomes a GET, and that succeeds.
    purging: Client,
    url: String,
    purge: Option<(Method, Purge)>,
}

/// The edge cannot be spoken to as it is configured.
#[derive(Debug, thiserror::Error)]
#[error("the edge `{url}` cannot be used: {reason}")]
pub struct BadEdge {
    url: String,
    reason: String,
}

impl HttpEdge {
    /// The edge whose objects are found under `url`, which has no slash at its end. Asks nothing.
    pub fn new(url: &str, purge: Option<Purge>) -> Result<Self, BadEdge> {
        let bad = |reason: String| BadEdge { url: url.to_owned(), reason };
        let client = |redirects: redirect::Policy| {
            let client = Client::builder()
                .connect_timeout(CONNECT_LIMIT)
                .timeout(ANSWER_LIMIT)
                .redirect(redirects)
                .user_agent(concat!("headwater/", env!("CARGO_PKG_VERSION")));
            client.build().map_err(|error| bad(in_words(&error)))
        };
        // Viewers follow them.
        let (client, purging) =
            (client(redirect::Policy::default())?, client(redirect::Policy::none())?);
        let purge = match purge {
            Some(purge) => match Method::from_bytes(purge.method.as_bytes()) {
                Ok(method) => Some((method, purge)),
                Err(error) => return Err(bad(error.to_string())),
            },
            None => None,
        };
        Ok(Self { client, purging, url: url.to_owned(), purge })
    }

    fn address(&self, key: &ObjectKey) -> String {
        format!("{}/{key}", self.url)
    }

    fn read_request(&self, key: &ObjectKey, way: Way) -> RequestBuilder {
        let address = self.address(key);
        match way {
            Way::Cached => self.client.get(address),
            // Nobody has asked with this query before, and caches that leave queries aside may heed the header.
            Way::PastCache => {
                let never_seen = fastrand::u64(..);
                let request = self.client.get(format!("{address}?headwater={never_seen:016x}"));
                request.header(CACHE_CONTROL, "no-cache")
            }
        }
    }

    fn purge_request(&self, method: &Method, purge: &Purge, key: &ObjectKey) -> RequestBuilder {
        let address = self.address(key);
        let to = purge.url.as_deref().unwrap_or(&address);
        let mut request = self.purging.request(method.clone(), to);
        if let Some(token) = &purge.token {
            request = request.bearer_auth(token);
        }
        if let Some(body) = &purge.body {
            let kind = if body.starts_with(['{', '[']) { "application/json" } else { "text/plain" };
            // Keys and addresses have no character that JSON would want escaped.
            request = request.header(CONTENT_TYPE, kind).body(body.replace("{url}", &address));
        }
        request
    }

    /// Sends a request until it is answered by something else than a passing fault.
    async fn send(
        &self,
        operation: &'static str,
        key: &ObjectKey,
        request: impl Fn() -> RequestBuilder,
        at_most: u64,
    ) -> Result<(StatusCode, Bytes), EdgeError> {
        let mut waits = AGAIN_AFTER.into_iter();
        loop {
            let reason = match answer(request(), at_most).await {
                Ok((status, body)) if !is_passing(status) => return Ok((status, body)),
                Ok((status, _)) => format!("it answers {status}"),
                Err(error) => in_words(&error),
            };
            debug!(operation, %key, reason, "the edge failed");
            match waits.next() {
                Some(wait) => sleep(wait).await,
                None => return Err(EdgeError { operation, key: key.to_string(), reason }),
            }
        }
    }
}

#[async_trait]
impl Edge for HttpEdge {
    async fn get(&self, key: &ObjectKey, way: Way, at_most: u64) -> Result<Answer, EdgeError> {
        let request = || self.read_request(key, way);
        let (status, body) = self.send("read", key, request, at_most).await?;
        let found = status.is_success();
        Ok(if found { Answer::Body(body) } else { Answer::Refused(status.as_u16()) })
    }

    fn purges(&self) -> bool {
        self.purge.is_some()
    }

    async fn purge(&self, key: &ObjectKey) -> Result<(), EdgeError> {
        let Some((method, purge)) = &self.purge else { return Ok(()) };
        let request = || self.purge_request(method, purge, key);
        // What it says about it is of no use here.
        let (status, _) = self.send("purge", key, request, 0).await?;
        // Varnish and its like say so when they have no such object; an API says so when it is somewhere else.
        let has_none = status == StatusCode::NOT_FOUND && purge.url.is_none();
        if status.is_success() || has_none {
            return Ok(());
        }
        let reason = format!("it answers {status}");
        Err(EdgeError { operation: "purge", key: key.to_string(), reason })
    }
}

async fn answer(request: RequestBuilder, at_most: u64) -> reqwest::Result<(StatusCode, Bytes)> {
    let response = request.send().await?;
    let status = response.status();
    let body = if status.is_success() { some(response, at_most).await? } else { Bytes::new() };
    Ok((status, body))
}

/// The body, or the beginning of one that has more than `at_most` bytes.
async fn some(mut response: Response, at_most: u64) -> reqwest::Result<Bytes> {
    let mut body = BytesMut::new();
    while body.len() as u64 <= at_most {
        match response.chunk().await? {
            Some(chunk) => body.extend_from_slice(&chunk),
            None => break,
        }
    }
    Ok(body.freeze())
}

/// Whether another try may well be answered otherwise.
fn is_passing(status: StatusCode) -> bool {
    status.is_server_error()
        || matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT)
}

/// An error with its causes, and without the address: who has that knows it already.
pub(crate) fn in_words(error: &reqwest::Error) -> String {
    let mut text = String::new();
    let mut cause: Option<&dyn std::error::Error> = Some(error);
    while let Some(error) = cause {
        let said = match error.downcast_ref::<reqwest::Error>() {
            Some(error) if error.is_timeout() => "it did not answer in time".to_owned(),
            Some(error) if error.is_connect() => "it cannot be reached".to_owned(),
            Some(_) => "the answer broke off".to_owned(),
            None => error.to_string(),
        };
        if !text.contains(&said) {
            text = if text.is_empty() { said } else { format!("{text}: {said}") };
        }
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests;
