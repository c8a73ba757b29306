//! A web server with files on it, which may keep to as little of HTTP as a supplier's server does.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header::{
    CONTENT_RANGE, ETAG, HeaderName, HeaderValue, IF_MATCH, LAST_MODIFIED, LOCATION, RANGE,
};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio::task::{JoinHandle, JoinSet};

use crate::store::md5_hex;

/// How the server behaves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebManners {
    /// Whether it gives parts of files.
    pub ranges: bool,
    /// What stands before its ETags: nothing, or `W/`. Without any there are none.
    pub etags: Option<&'static str>,
    /// Whether it says when a file was changed.
    pub modified: bool,
    /// Whether a condition is heeded.
    pub conditions: bool,
    /// How many requests it answers with this status before all others: 503, 403.
    pub refuses: (u32, u16),
    /// It is too busy to give parts that begin here or behind: 503.
    pub gives_until: u64,
    /// Where it sends everybody.
    pub redirects: Option<String>,
}

impl Default for WebManners {
    fn default() -> Self {
        Self {
            ranges: true,
            etags: Some(""),
            modified: true,
            conditions: true,
            refuses: (0, 503),
            gives_until: u64::MAX,
            redirects: None,
        }
    }
}

#[derive(Debug, Default)]
struct State {
    manners: Mutex<WebManners>,
    /// Files by path, with how often they were written.
    files: Mutex<BTreeMap<String, (Bytes, u32)>>,
    given: AtomicU64,
    requests: AtomicU64,
}

/// A running server. It ends, with all that it holds, when this is dropped.
#[derive(Debug)]
pub struct WebServer {
    address: SocketAddr,
    state: Arc<State>,
    accepting: JoinHandle<()>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl WebServer {
    /// Starts one on a free port.
    ///
    /// # Errors
    ///
    /// When there is none.
    pub async fn start() -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let state = Arc::<State>::default();
        let accepting = tokio::spawn(accept(listener, state.clone()));
        Ok(Self { address, state, accepting })
    }

    /// The address of a file, which begins with a slash.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Has it behave like this.
    pub fn behave(&self, manners: WebManners) {
        *lock(&self.state.manners) = manners;
    }

    /// Puts a file there.
    pub fn place(&self, path: &str, body: impl Into<Bytes>) {
        let mut files = lock(&self.state.files);
        let times = files.get(path).map_or(0, |(_, times)| times + 1);
        files.insert(path.to_owned(), (body.into(), times));
    }

    /// Bytes of files that were given.
    pub fn given(&self) -> u64 {
        self.state.given.load(Ordering::Relaxed)
    }

    /// Requests that came.
    pub fn requests(&self) -> u64 {
        self.state.requests.load(Ordering::Relaxed)
    }
}

impl Drop for WebServer {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

fn bare(status: u16) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::default());
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_GATEWAY);
    response
}

fn set(response: &mut Response<Full<Bytes>>, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        response.headers_mut().insert(name, value);
    }
}

impl State {
    fn answer(&self, request: &Request<Incoming>) -> Response<Full<Bytes>> {
        self.requests.fetch_add(1, Ordering::Relaxed);
        let manners = {
            let mut manners = lock(&self.manners);
            if manners.refuses.0 > 0 {
                manners.refuses.0 -= 1;
                return bare(manners.refuses.1);
            }
            manners.clone()
        };
        if let Some(to) = &manners.redirects {
            let mut response = bare(302);
            set(&mut response, LOCATION, to);
            return response;
        }
        let found = lock(&self.files).get(request.uri().path()).cloned();
        let Some((body, times)) = found else { return bare(404) };
        let etag = manners.etags.map(|begins| format!("{begins}\"{}\"", md5_hex(&body)));
        let header = |name: HeaderName| request.headers().get(name)?.to_str().ok();
        let condition = header(IF_MATCH).filter(|_| manners.conditions);
        if condition.is_some() && condition != etag.as_deref() {
            return bare(412);
        }
        let size = body.len() as u64;
        let range = header(RANGE).filter(|_| manners.ranges).and_then(|range| {
            let (first, last) = range.strip_prefix("bytes=")?.split_once('-')?;
            Some((first.parse::<u64>().ok()?, last.parse().unwrap_or(u64::MAX)))
        });
        let mut response = match range {
            Some((first, _)) if first >= manners.gives_until => return bare(503),
            Some((first, _)) if first >= size => {
                let mut response = bare(416);
                set(&mut response, CONTENT_RANGE, &format!("bytes */{size}"));
                response
            }
            Some((first, last)) => {
                let last = last.min(size - 1);
                let clip = |n: u64| usize::try_from(n).unwrap_or(usize::MAX).min(body.len());
                let part = body.slice(clip(first)..clip(last + 1));
                self.given.fetch_add(part.len() as u64, Ordering::Relaxed);
                let mut response = Response::new(Full::new(part));
                *response.status_mut() = StatusCode::PARTIAL_CONTENT;
                set(&mut response, CONTENT_RANGE, &format!("bytes {first}-{last}/{size}"));
                response
            }
            None => {
                self.given.fetch_add(size, Ordering::Relaxed);
                Response::new(Full::new(body))
            }
        };
        if let Some(etag) = &etag {
            set(&mut response, ETAG, etag);
        }
        if manners.modified {
            let time = format!("Sun, 22 Nov 2026 10:00:{:02} GMT", times % 60);
            set(&mut response, LAST_MODIFIED, &time);
        }
        response
    }
}

async fn accept(listener: TcpListener, state: Arc<State>) {
    // Dropped with this task, and the connections with it.
    let mut connections = JoinSet::new();
    loop {
        let Ok((stream, _)) = listener.accept().await else { continue };
        let _ = stream.set_nodelay(true);
        let state = state.clone();
        connections.spawn(async move {
            let answer = service_fn(|request| {
                let state = state.clone();
                async move { Ok::<_, Infallible>(state.answer(&request)) }
            });
            // A client that goes away is of no interest here.
            let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), answer).await;
        });
        while connections.try_join_next().is_some() {}
    }
}
