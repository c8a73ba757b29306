//! A CDN in front of the lying origin, which can lie by itself.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::header::{AUTHORIZATION, CACHE_CONTROL, HOST, LOCATION};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio::task::{JoinHandle, JoinSet};

use crate::server::{LyingOrigin, Shared};

/// A purge names an object or a few.
const MOST_PURGE_BYTES: usize = 64 * 1024;

/// What an edge does with an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EdgeLie {
    /// It answers with this status, also past its cache.
    Answers(u16),
    /// It gives other bytes, also past its cache.
    Alters,
    /// It answers a purge with the address that it was sent to, as a host that has moved to https does.
    RedirectsPurges,
}

/// A running CDN in front of a [`LyingOrigin`]. It remembers what it answered, also that there is nothing, until it is
/// told to forget it, but for what may not be kept for a minute. It ends when it is dropped.
#[derive(Debug)]
pub struct LyingEdge {
    address: SocketAddr,
    state: Arc<State>,
    accepting: JoinHandle<()>,
}

#[derive(Debug)]
struct State {
    origin: Arc<Shared>,
    token: Option<String>,
    memory: Mutex<Memory>,
}

#[derive(Debug, Default)]
struct Memory {
    cache: BTreeMap<String, (StatusCode, Bytes)>,
    lies: Vec<(String, EdgeLie)>,
    purged: Vec<String>,
}

impl LyingEdge {
    /// Starts one in front of `origin`, on this port or a free one. Purges need the token, if there is one.
    ///
    /// # Errors
    ///
    /// When the port is taken.
    pub async fn start(origin: &LyingOrigin, port: u16, token: Option<&str>) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?;
        let address = listener.local_addr()?;
        let state = Arc::new(State {
            origin: origin.shared().clone(),
            token: token.map(str::to_owned),
            memory: Mutex::default(),
        });
        let accepting = tokio::spawn(accept(listener, state.clone()));
        Ok(Self { address, state, accepting })
    }

    /// What objects are found under.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Begins a lie about objects whose keys contain a text.
    pub fn lie(&self, containing: &str, lie: EdgeLie) {
        self.state.memory().lies.push((containing.to_owned(), lie));
    }

    /// Ends all lies. What is remembered stays so.
    pub fn be_honest(&self) {
        self.state.memory().lies.clear();
    }

    /// Has it remember an answer.
    pub fn remember(&self, key: &str, status: u16, body: &'static str) {
        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::NOT_FOUND);
        self.state.memory().cache.insert(key.to_owned(), (status, body.into()));
    }

    /// Keys that it was told to forget, in order.
    pub fn purged(&self) -> Vec<String> {
        self.state.memory().purged.clone()
    }
}

impl Drop for LyingEdge {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

impl State {
    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn answer(&self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        let redirects = |(_, lie): &(String, EdgeLie)| *lie == EdgeLie::RedirectsPurges;
        if request.method() != Method::GET && self.memory().lies.iter().any(redirects) {
            let mut response = Response::new(Full::default());
            *response.status_mut() = StatusCode::FOUND;
            if let Ok(location) = request.uri().path().parse() {
                response.headers_mut().insert(LOCATION, location);
            }
            return response;
        }
        let (status, body) = match *request.method() {
            Method::GET => self.get(&request),
            Method::POST => self.purge_by_body(request).await,
            ref method if method.as_str() == "PURGE" => {
                self.purge(&request, &[key_of(request.uri().path())])
            }
            _ => (StatusCode::METHOD_NOT_ALLOWED, Bytes::new()),
        };
        let mut response = Response::new(Full::new(body));
        *response.status_mut() = status;
        response
    }

    fn get(&self, request: &Request<Incoming>) -> (StatusCode, Bytes) {
        let key = key_of(request.uri().path());
        let past_cache =
            request.uri().query().is_some() || request.headers().contains_key(CACHE_CONTROL);
        let mut memory = self.memory();
        if let Some(remembered) = memory.cache.get(&key).filter(|_| !past_cache) {
            return remembered.clone();
        }
        let stored = self.origin.store.get(&key);
        let lasts = stored.as_ref().and_then(|o| o.cache_control.as_deref());
        let may_keep = lasts.is_none_or(|text| text.contains("immutable"));
        let lie = memory.lies.iter().find(|(text, _)| key.contains(text.as_str())).map(|(_, l)| *l);
        let answer = match (lie, stored) {
            (Some(EdgeLie::Answers(status)), _) => {
                (StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_GATEWAY), Bytes::new())
            }
            (_, None) => (StatusCode::NOT_FOUND, Bytes::new()),
            (Some(EdgeLie::Alters), Some(_)) => (StatusCode::OK, Bytes::from_static(b"a lie")),
            (Some(EdgeLie::RedirectsPurges) | None, Some(object)) => (StatusCode::OK, object.body),
        };
        if may_keep && !past_cache {
            memory.cache.insert(key, answer.clone());
        }
        answer
    }

    /// The addresses in the body, one or more, in quotes.
    async fn purge_by_body(&self, request: Request<Incoming>) -> (StatusCode, Bytes) {
        let (head, body) = request.into_parts();
        let Ok(body) = Limited::new(body, MOST_PURGE_BYTES).collect().await else {
            return (StatusCode::PAYLOAD_TOO_LARGE, Bytes::new());
        };
        let text = String::from_utf8_lossy(&body.to_bytes()).into_owned();
        let host = head.headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
        let begins = format!("http://{host}");
        let keys = text.split('"').filter_map(|part| part.strip_prefix(&begins)).map(key_of);
        let keys: Vec<String> = keys.collect();
        self.purge(&Request::from_parts(head, ()), &keys)
    }

    fn purge<B>(&self, request: &Request<B>, keys: &[String]) -> (StatusCode, Bytes) {
        let said = request.headers().get(AUTHORIZATION).and_then(|value| value.to_str().ok());
        let wanted = self.token.as_ref().map(|token| format!("Bearer {token}"));
        if wanted.is_some() && said != wanted.as_deref() {
            return (StatusCode::FORBIDDEN, Bytes::new());
        }
        let mut memory = self.memory();
        for key in keys {
            memory.cache.remove(key);
            memory.purged.push(key.clone());
        }
        (StatusCode::OK, Bytes::new())
    }
}

fn key_of(path: &str) -> String {
    path.trim_start_matches('/').to_owned()
}

async fn accept(listener: TcpListener, state: Arc<State>) {
    // Dropped with this task, and the connections with it.
    let mut connections = JoinSet::new();
    loop {
        let Ok((stream, _)) = listener.accept().await else { continue };
        let state = state.clone();
        connections.spawn(async move {
            let answer = service_fn(|request| {
                let state = state.clone();
                async move { Ok::<_, Infallible>(state.answer(request).await) }
            });
            // A client that goes away is of no interest here.
            let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), answer).await;
        });
        while connections.try_join_next().is_some() {}
    }
}
