//! The server over real TCP: what is on the wire, and how it stops.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use headwater_ports::origin::Origin;
use headwater_testkit::digest::put;
use headwater_testkit::flaky::{Fail, Flaky};
use headwater_testkit::memory_origin::MemoryOrigin;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::serve;
use crate::tests::{router_of, scene};

const SEGMENT: &str = "/media/main/film/v1/video/seg-00001.m4s";
const SIZE: usize = 3_000_000;

/// More than the socket buffers of both ends take.
const VAST: usize = 64_000_000;

struct Server {
    address: std::net::SocketAddr,
    stop: oneshot::Sender<()>,
    done: JoinHandle<std::io::Result<()>>,
}

async fn start(router: Router) -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("bind");
    let address = listener.local_addr().expect("address");
    let (stop, stopped) = oneshot::channel::<()>();
    let stopped = async move {
        let _ = stopped.await;
    };
    Server { address, stop, done: tokio::spawn(serve(listener, router, stopped)) }
}

async fn origin() -> Arc<MemoryOrigin> {
    let origin = Arc::new(MemoryOrigin::new("memory"));
    let body: Vec<u8> = (0..SIZE).map(|n| (n % 251) as u8).collect();
    origin.put(put(&SEGMENT["/media/".len()..], body)).await.expect("put");
    origin
}

/// Sends requests over one connection, the last with `Connection: close`, and reads to its end.
async fn talk(server: &Server, requests: &[&str]) -> Vec<u8> {
    let mut stream = TcpStream::connect(server.address).await.expect("connect");
    for (n, request) in requests.iter().enumerate() {
        let close = if n + 1 == requests.len() { "connection: close\r\n" } else { "" };
        let text = format!("{request}\r\nhost: test\r\n{close}\r\n");
        stream.write_all(text.as_bytes()).await.expect("send");
    }
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).await.expect("receive");
    bytes
}

fn split(answer: &[u8]) -> (String, &[u8]) {
    let end = answer.windows(4).position(|w| w == b"\r\n\r\n").expect("an end of the headers") + 4;
    (String::from_utf8_lossy(&answer[..end]).to_lowercase(), &answer[end..])
}

#[tokio::test]
async fn ranges_and_heads_on_one_connection() {
    let server = start(router_of(&scene(), origin().await)).await;
    let head = format!("HEAD {SEGMENT} HTTP/1.1");
    let part = format!("GET {SEGMENT} HTTP/1.1\r\nrange: bytes=1048570-2097159");
    let answer = talk(&server, &[&head, &part]).await;

    let (first, rest) = split(&answer);
    assert!(first.starts_with("http/1.1 200 ok\r\n"), "{first}");
    assert!(first.contains("content-length: 3000000\r\n"), "{first}");
    assert!(first.contains("content-type: video/iso.segment\r\n"), "{first}");
    let (second, body) = split(rest);
    assert!(second.starts_with("http/1.1 206 partial content\r\n"), "{second}");
    assert!(second.contains("content-range: bytes 1048570-2097159/3000000\r\n"), "{second}");
    assert!(second.contains("content-length: 1048590\r\n"), "{second}");
    assert!(!second.contains("transfer-encoding"), "{second}");
    assert_eq!(body.len(), 1_048_590);
    assert!(body.iter().enumerate().all(|(n, byte)| *byte == ((n + 1_048_570) % 251) as u8));
}

#[tokio::test]
async fn a_whole_object_arrives_whole() {
    let server = start(router_of(&scene(), origin().await)).await;
    let answer = talk(&server, &[&format!("GET {SEGMENT} HTTP/1.1")]).await;
    assert_eq!(split(&answer).1.len(), SIZE);
}

#[tokio::test]
async fn an_object_that_breaks_off_is_not_taken_for_whole() {
    let origin = origin().await;
    origin.put(put(&SEGMENT["/media/".len()..], vec![7; VAST])).await.expect("put");
    let hidden = Arc::clone(&origin);
    let server = start(router_of(&scene(), origin)).await;
    let mut stream = TcpStream::connect(server.address).await.expect("connect");
    let request = format!("GET {SEGMENT} HTTP/1.1\r\nhost: test\r\n\r\n");
    stream.write_all(request.as_bytes()).await.expect("send");
    let mut start = [0; 100];
    stream.read_exact(&mut start).await.expect("receive");
    hidden.make_unreadable(&headwater_testkit::digest::key(&SEGMENT["/media/".len()..]));
    let mut rest = Vec::new();
    // The connection is closed before `Content-Length` is fulfilled, with or without a reset.
    let _ = stream.read_to_end(&mut rest).await;
    assert!(rest.len() < VAST, "{} bytes", rest.len());
}

#[tokio::test]
async fn a_stop_lets_requests_finish_and_closes_idle_connections() {
    let server = start(router_of(&scene(), origin().await)).await;
    let mut idle = TcpStream::connect(server.address).await.expect("connect");
    let mut busy = TcpStream::connect(server.address).await.expect("connect");
    let request = format!("GET {SEGMENT} HTTP/1.1\r\nhost: test\r\n\r\n");
    busy.write_all(request.as_bytes()).await.expect("send");
    let mut start = [0; 1];
    busy.read_exact(&mut start).await.expect("the answer has begun");
    server.stop.send(()).expect("still serving");
    let mut rest = Vec::new();
    busy.read_to_end(&mut rest).await.expect("receive");
    let answer = [&start[..], &rest].concat();
    assert_eq!(split(&answer).1.len(), SIZE);
    assert_eq!(idle.read(&mut start).await.expect("closed"), 0);
    server.done.await.expect("joins").expect("serves");
    assert!(TcpStream::connect(server.address).await.is_err(), "nobody listens any more");
}

#[tokio::test]
async fn a_stop_does_not_wait_for_ever() {
    let hang = vec![Fail::HangGets { containing: "" }];
    let server = start(router_of(&scene(), Arc::new(Flaky::new(origin().await, hang)))).await;
    let mut stuck = TcpStream::connect(server.address).await.expect("connect");
    let request = format!("GET {SEGMENT} HTTP/1.1\r\nhost: test\r\n\r\n");
    stuck.write_all(request.as_bytes()).await.expect("send");
    tokio::time::sleep(Duration::from_millis(100)).await;
    // From here on time passes only where everybody waits for it.
    tokio::time::pause();
    let before = Instant::now();
    server.stop.send(()).expect("still serving");
    server.done.await.expect("joins").expect("serves");
    assert!(before.elapsed() < Duration::from_secs(5));
    assert_eq!(stuck.read(&mut [0; 1]).await.unwrap_or(0), 0, "cut off");
}
