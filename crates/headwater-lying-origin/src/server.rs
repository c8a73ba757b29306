//! Listens, takes requests to the S3 service, and does what no S3 service does: resets connections.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bytes::Bytes;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::TokioIo;
use s3s::auth::SimpleAuth;
use s3s::service::{S3Service, S3ServiceBuilder};
use s3s::{HttpError, HttpRequest, HttpResponse};
use tokio::net::TcpListener;
use tokio::task::{JoinHandle, JoinSet};

use crate::lies::{Call, Lie, Lies};
use crate::s3::{FOREIGN, LyingS3, RESET};
use crate::store::{Checksums, Store};

/// How the server behaves without lying.
#[derive(Debug, Clone)]
pub struct Manners {
    /// Port on the loopback interface; 0 for a free one.
    pub port: u16,
    /// The only bucket there is.
    pub bucket: String,
    /// The region that requests have to be signed for.
    pub region: String,
    /// What is done with checksum headers.
    pub checksums: Checksums,
    /// Whether a wrong `Content-MD5` is refused.
    pub enforces_md5: bool,
    /// Whether signatures, and with them the signed hash of the payload, are checked.
    pub checks_signatures: bool,
    /// Whether the ETag of an object from a single put is its MD5.
    pub etag_is_md5: bool,
    /// Whether answers about an object have its ETag.
    pub gives_etags: bool,
    /// Whether listings have ETags.
    pub lists_etags: bool,
    /// What is made of `If-None-Match` and `If-Match` of a put.
    pub conditions: Conditions,
    /// Whether there are other storage classes than the usual one.
    pub has_classes: bool,
    /// Whether keys may be listed.
    pub allows_listing: bool,
    /// Most objects in a page of a listing.
    pub page: usize,
    /// Puts per second that are let in; the rest is told to slow down.
    pub puts_per_second: Option<u32>,
    /// Time that every call takes at least.
    pub latency: Duration,
}

/// What is made of the conditions of a put.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Conditions {
    /// A put whose conditions do not hold is refused.
    #[default]
    Honoured,
    /// It happens all the same.
    Ignored,
    /// A put that has any is refused as a bad request.
    Refused,
    /// A put that has any is answered with 501, as Backblaze B2 does.
    NotImplemented,
}

impl Default for Manners {
    fn default() -> Self {
        Self {
            port: 0,
            bucket: "media".to_owned(),
            region: "lab-1".to_owned(),
            checksums: Checksums::default(),
            enforces_md5: true,
            checks_signatures: true,
            etag_is_md5: true,
            gives_etags: true,
            lists_etags: true,
            conditions: Conditions::default(),
            has_classes: true,
            allows_listing: true,
            page: 1000,
            puts_per_second: None,
            latency: Duration::ZERO,
        }
    }
}

/// What all connections share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) manners: Manners,
    pub(crate) lies: Lies,
    pub(crate) store: Store,
    pub(crate) calls: Calls,
    pub(crate) limiter: Mutex<Limiter>,
    /// Bytes of objects that were given.
    pub(crate) given: AtomicU64,
}

/// How often each call was made.
#[derive(Debug, Default)]
pub(crate) struct Calls([std::sync::atomic::AtomicU64; 6]);

impl Calls {
    pub(crate) fn of(&self, call: Call) -> &std::sync::atomic::AtomicU64 {
        &self.0[call as usize]
    }
}

/// A bucket of tokens, filled at a steady rate; one second's worth at most.
#[derive(Debug)]
pub(crate) struct Limiter {
    tokens: f64,
    filled: Instant,
}

impl Limiter {
    pub(crate) fn lets_in(&mut self, per_second: u32) -> bool {
        let rate = f64::from(per_second);
        self.tokens = (self.tokens + self.filled.elapsed().as_secs_f64() * rate).min(rate);
        self.filled = Instant::now();
        let in_time = self.tokens >= 1.0;
        if in_time {
            self.tokens -= 1.0;
        }
        in_time
    }
}

/// A running server. It ends, with all that it holds, when this is dropped.
#[derive(Debug)]
pub struct LyingOrigin {
    address: SocketAddr,
    shared: Arc<Shared>,
    accepting: JoinHandle<()>,
}

impl LyingOrigin {
    /// Its only access key.
    pub const ACCESS_KEY: &'static str = "lab-access-key";
    /// And the secret that belongs to it.
    pub const SECRET_KEY: &'static str = "lab-secret-key";

    /// Starts a server.
    ///
    /// # Errors
    ///
    /// When the port is taken.
    pub async fn start(manners: Manners) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, manners.port)).await?;
        let address = listener.local_addr()?;
        let checks_signatures = manners.checks_signatures;
        let shared = Arc::new(Shared {
            manners,
            lies: Lies::default(),
            store: Store::default(),
            calls: Calls::default(),
            limiter: Mutex::new(Limiter { tokens: 0.0, filled: Instant::now() }),
            given: AtomicU64::new(0),
        });
        let mut builder = S3ServiceBuilder::new(LyingS3(shared.clone()));
        if checks_signatures {
            builder.set_auth(SimpleAuth::from_single(Self::ACCESS_KEY, Self::SECRET_KEY));
        }
        let service = builder.build();
        let accepting = tokio::spawn(accept(listener, service, checks_signatures));
        Ok(Self { address, shared, accepting })
    }

    /// What clients are configured with.
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    /// How it behaves.
    pub fn manners(&self) -> &Manners {
        &self.shared.manners
    }

    /// Begins a lie.
    pub fn lie(&self, lie: Lie) {
        self.shared.lies.tell(lie);
    }

    /// Ends all lies. What was stored or lost meanwhile stays so.
    pub fn be_honest(&self) {
        self.shared.lies.end();
    }

    /// How many calls of this kind have come in.
    pub fn calls(&self, call: Call) -> u64 {
        self.shared.calls.of(call).load(Ordering::Relaxed)
    }

    /// Keys of everything that is stored.
    pub fn keys(&self) -> Vec<String> {
        self.shared.store.objects().keys().cloned().collect()
    }

    /// The bytes of an object.
    pub fn object(&self, key: &str) -> Option<Bytes> {
        self.shared.store.get(key).map(|object| object.body)
    }

    /// Keys of uploads in parts that are neither finished nor given up: nobody sees them, and they are paid for.
    pub fn unfinished(&self) -> Vec<String> {
        self.shared.store.uploads().values().map(|upload| upload.key.clone()).collect()
    }

    /// Gives up all uploads that are not finished, as a rule of the bucket or another client may.
    pub fn forget_uploads(&self) {
        self.shared.store.uploads().clear();
    }

    /// How many parts have arrived of uploads that are not finished.
    pub fn parts(&self) -> usize {
        self.shared.store.uploads().values().map(|upload| upload.parts.len()).sum()
    }

    /// The storage class that an object was stored with.
    pub fn storage_class(&self, key: &str) -> Option<String> {
        self.shared.store.get(key)?.storage_class
    }

    /// Restores an object from cold storage, as a person does at the provider.
    pub fn restore(&self, key: &str) -> bool {
        let mut objects = self.shared.store.objects();
        let Some(object) = objects.get_mut(key) else { return false };
        object.is_restored = true;
        true
    }

    /// Puts an object there, as somebody else does.
    pub fn place(&self, key: &str, body: impl Into<Bytes>) {
        let body = body.into();
        self.shared.store.put(key, crate::s3::stored(body));
    }

    /// Bytes of objects that were given to whoever asked for them.
    pub fn given(&self) -> u64 {
        self.shared.given.load(Ordering::Relaxed)
    }

    /// Takes an object away behind everybody's back.
    pub fn remove(&self, key: &str) -> bool {
        self.shared.store.objects().remove(key).is_some()
    }

    /// Changes an object's bytes behind everybody's back. Its ETag and checksums are those of the new bytes when
    /// `honestly`, else they stay.
    pub fn alter(&self, key: &str, honestly: bool, change: impl FnOnce(Bytes) -> Bytes) -> bool {
        let mut objects = self.shared.store.objects();
        let Some(object) = objects.get_mut(key) else { return false };
        object.body = change(object.body.clone());
        if honestly {
            object.etag = crate::store::md5_hex(&object.body);
            object.checksum = crate::s3::checksum_like(&object.checksum, &object.body);
        }
        true
    }
}

impl Drop for LyingOrigin {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn accept(listener: TcpListener, service: S3Service, checks_signatures: bool) {
    // Dropped with this task, and the connections with it.
    let mut connections = JoinSet::new();
    loop {
        let Ok((stream, _)) = listener.accept().await else { continue };
        let _ = stream.set_nodelay(true);
        let service = service.clone();
        connections.spawn(async move {
            let answer = service_fn(|mut request: HttpRequest<Incoming>| {
                if !checks_signatures {
                    // To the service, everybody is anonymous.
                    request.headers_mut().remove(hyper::header::AUTHORIZATION);
                    request.headers_mut().remove("x-amz-content-sha256");
                }
                answer(&service, request)
            });
            // A client that goes away, or one that was reset on purpose: neither is of interest here.
            let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), answer).await;
        });
        while connections.try_join_next().is_some() {}
    }
}

async fn answer(
    service: &S3Service,
    request: HttpRequest<Incoming>,
) -> Result<HttpResponse, HttpError> {
    let mut response = Service::call(service, request).await?;
    if response.headers().contains_key(FOREIGN) {
        *response.body_mut() = Bytes::from_static(b"<html>nothing here</html>").into();
        response.headers_mut().remove(hyper::header::CONTENT_LENGTH);
    }
    if response.headers().contains_key(RESET) {
        return Err(HttpError::new("reset on purpose".into()));
    }
    Ok(response)
}
