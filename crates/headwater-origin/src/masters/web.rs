//! Masters on web servers, over HTTP with ranges (RFC 9110, 14).

use std::net::{IpAddr, Ipv4Addr};
use std::ops::Range;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use headwater_ports::masters::MasterErrorKind;
use headwater_ports::origin::OriginErrorKind;
use reqwest::header::{
    ACCEPT_ENCODING, CONTENT_RANGE, ETAG, HeaderName, IF_MATCH, LAST_MODIFIED, RANGE, RETRY_AFTER,
};
use reqwest::{Client, Response, StatusCode, Url, redirect};

use super::{Came, Identity, Verdict};
use crate::edge::in_words;
use crate::s3::body;
use crate::s3::calls::{Calls, Patience};
use crate::s3::error::Failed;
use crate::s3::retry::Trouble;
use crate::s3::{CALL_LIMIT, header_of, part_limit};

/// How long a connection may take to come about.
const CONNECT_LIMIT: Duration = Duration::from_secs(5);

/// Redirects that are followed: a download page sends on to a mirror, and that to its storage.
const REDIRECTS: usize = 5;

/// A web server.
#[derive(Debug)]
pub(super) struct Web {
    pub(super) client: Client,
    pub(super) calls: Calls,
}

/// The client for all of them.
pub(super) fn client() -> Result<Client, String> {
    let redirects = redirect::Policy::custom(|attempt| {
        match refuse_redirect(attempt.previous(), attempt.url()) {
            Some(why) => attempt.error(why),
            None => attempt.follow(),
        }
    });
    let client = Client::builder()
        .connect_timeout(CONNECT_LIMIT)
        .redirect(redirects)
        .user_agent(concat!("headwater/", env!("CARGO_PKG_VERSION")));
    client.build().map_err(|error| in_words(&error))
}

/// Why a redirect is not followed, if it is not. `before` are the addresses so far, the first of which somebody gave us.
fn refuse_redirect(before: &[Url], next: &Url) -> Option<String> {
    let was_safe = before.last().is_some_and(|url| url.scheme() == "https");
    if before.len() > REDIRECTS {
        return Some("it redirects too often".to_owned());
    }
    if was_safe && next.scheme() != "https" {
        return Some("it redirects from https to where anybody can read along".to_owned());
    }
    // Whoever runs a server on the internet must not have us ask for what only we can reach.
    if is_inside(next) && !before.first().is_some_and(is_inside) {
        let host = next.host_str().unwrap_or_default();
        return Some(format!(
            "it redirects to `{host}`, which is in the network of this machine and not where the address leads; if the master lies there, give its address there"
        ));
    }
    None
}

/// Whether an address names this machine or one of its network by number: loopback, private and link-local addresses, on
/// the last of which clouds give out credentials.
fn is_inside(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    let v4 = |ip: Ipv4Addr| {
        // "This network", and what providers share among customers (RFC 6598).
        let [first, second, ..] = ip.octets();
        let shared = first == 0 || (first == 100 && (64..128).contains(&second));
        ip.is_loopback() || ip.is_private() || ip.is_link_local() || shared
    };
    match host.parse() {
        Ok(IpAddr::V4(ip)) => v4(ip),
        Ok(IpAddr::V6(ip)) => match ip.to_ipv4_mapped() {
            Some(ip) => v4(ip),
            None => {
                let nowhere = ip.is_loopback() || ip.is_unspecified();
                nowhere || ip.is_unique_local() || ip.is_unicast_link_local()
            }
        },
        Err(_) => {
            let host = host.trim_end_matches('.');
            host == "localhost" || host.ends_with(".localhost")
        }
    }
}

impl Web {
    /// Asks for the first byte, which tells all at once: size, what it is known again by, and whether parts are given. An
    /// answer to HEAD would only say that they should be.
    pub(super) async fn look(&self, url: &str) -> Result<Result<Identity, Verdict>, Failed> {
        let patience = Patience { once: CALL_LIMIT, all: None };
        self.calls
            .answer("look at", url, patience, || async {
                let answer = self.ask(url, &(0..1), None).await?;
                let said = |name: HeaderName| header(&answer, &name).map(str::to_owned);
                let (etag, modified) = (said(ETAG), said(LAST_MODIFIED));
                let part = said(CONTENT_RANGE).unwrap_or_default();
                let total = part.rsplit_once('/').and_then(|(_, total)| total.parse().ok());
                let bytes = match (answer.status(), total) {
                    (StatusCode::PARTIAL_CONTENT, Some(total)) => total,
                    (StatusCode::PARTIAL_CONTENT, None) => {
                        let why = "the server does not say how long it is".to_owned();
                        return Ok(Err((MasterErrorKind::Unsuitable, why)));
                    }
                    // There is no first byte.
                    (StatusCode::RANGE_NOT_SATISFIABLE, _) => 0,
                    (StatusCode::OK, _) => return Ok(Err(no_parts())),
                    (status, _) => return Err(refused(status, &answer)),
                };
                Ok(Ok(Identity { bytes, etag, modified }))
            })
            .await
    }

    pub(super) async fn read(
        &self,
        url: &str,
        identity: &Identity,
        range: &Range<u64>,
    ) -> Result<Result<Bytes, Verdict>, Failed> {
        let patience = Patience { once: part_limit(range), all: None };
        self.calls
            .answer("read", url, patience, || async {
                let asked = self.ask(url, range, identity.condition());
                let begins = tokio::time::timeout(self.calls.hasten(CALL_LIMIT), asked).await;
                let answer = begins.map_err(|_| Failed::too_late(CALL_LIMIT))??;
                let part = header(&answer, &CONTENT_RANGE).map(str::to_owned);
                let came = Came {
                    etag: header(&answer, &ETAG),
                    modified: header(&answer, &LAST_MODIFIED),
                    part: part.as_deref(),
                };
                let changed = |why: &str| Ok(Err((MasterErrorKind::Changed, why.to_owned())));
                match answer.status() {
                    StatusCode::PARTIAL_CONTENT => {}
                    StatusCode::PRECONDITION_FAILED => {
                        return changed("it is not the file that was looked at any more (412)");
                    }
                    StatusCode::RANGE_NOT_SATISFIABLE => {
                        return changed("it has become shorter (416)");
                    }
                    StatusCode::OK => {
                        return Ok(Err(identity.check(&came).err().unwrap_or_else(no_parts)));
                    }
                    status => return Err(refused(status, &answer)),
                }
                if let Err(verdict) = identity.check(&came) {
                    return Ok(Err(verdict));
                }
                let taken = take(answer, range.end - range.start).await?;
                let part = part.unwrap_or_default();
                body::check(&part, range, taken.len() as u64).map_err(Failed::corrupt)?;
                Ok(Ok(taken))
            })
            .await
    }

    async fn ask(
        &self,
        url: &str,
        range: &Range<u64>,
        condition: Option<&str>,
    ) -> Result<Response, Failed> {
        let mut request = self.client.get(url).header(RANGE, header_of(range));
        // Parts of something that was packed on the way are no parts of the file.
        request = request.header(ACCEPT_ENCODING, "identity");
        if let Some(etag) = condition {
            request = request.header(IF_MATCH, etag);
        }
        request.send().await.map_err(|error| unanswered(&error))
    }
}

fn no_parts() -> Verdict {
    let why = "the server gives no parts of files, it answers 200 to a request for one: download the file, and put it into the drop folder";
    (MasterErrorKind::Unsuitable, why.to_owned())
}

fn header<'r>(answer: &'r Response, name: &HeaderName) -> Option<&'r str> {
    answer.headers().get(name)?.to_str().ok()
}

/// The body, which has `most` bytes at most.
async fn take(mut answer: Response, most: u64) -> Result<Bytes, Failed> {
    let mut taken = BytesMut::new();
    while let Some(chunk) = answer.chunk().await.map_err(|error| unanswered(&error))? {
        taken.extend_from_slice(&chunk);
        if taken.len() as u64 > most {
            return Err(Failed::too_long(most));
        }
    }
    Ok(taken.freeze())
}

/// What a status means that is no answer to what was asked.
fn refused(status: StatusCode, answer: &Response) -> Failed {
    let pause = header(answer, &RETRY_AFTER).and_then(|after| after.trim().parse().ok());
    let reason = || status.canonical_reason().unwrap_or("an unknown status").to_owned();
    let pause = pause.map(Duration::from_secs);
    let failed = Failed::told(status.as_u16(), (None, None), pause, reason);
    match status {
        // The server speaks for itself here, and knows what files it has.
        StatusCode::NOT_FOUND | StatusCode::GONE => Failed::new(
            Trouble::Lasting,
            OriginErrorKind::NotFound,
            format!("{} {}", status.as_u16(), reason()),
        ),
        _ => failed,
    }
}

fn unanswered(error: &reqwest::Error) -> Failed {
    if error.is_redirect() {
        let mut cause: Option<&dyn std::error::Error> = Some(error);
        while let Some(deeper) = cause.and_then(std::error::Error::source) {
            cause = Some(deeper);
        }
        let why = cause.map_or_else(String::new, ToString::to_string);
        return Failed::new(Trouble::Lasting, OriginErrorKind::Denied, why);
    }
    let trouble = if error.is_timeout() { Trouble::Timeout } else { Trouble::Reset };
    Failed::new(trouble, OriginErrorKind::Unavailable, in_words(error))
}

#[cfg(test)]
mod tests;
