//! The way of one process to the database: a TCP proxy that can be cut.

use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::schedule::Cut;

/// Bytes that are passed on at a time.
const PIECE: usize = 16 * 1024;

/// How long the proxy waits for a database that is coming up before it gives up a connection.
const CONNECT: Duration = Duration::from_secs(2);

/// Who had which port towards the database, the newest last. The system gives ports out again.
pub(crate) type Ports = Arc<Mutex<HashMap<u16, Vec<(i64, Bearer)>>>>;

/// A process of the cluster in one of its lives.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Bearer {
    pub(crate) process: &'static str,
    /// Counts from 1; another one after each start.
    pub(crate) life: u32,
}

/// A proxy between one process and the database. It ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Proxy {
    pub(crate) port: u16,
    state: watch::Sender<Option<Cut>>,
    life: Arc<AtomicU32>,
    accepting: JoinHandle<()>,
}

impl Proxy {
    /// Starts one to the database at `to`.
    pub(crate) async fn start(process: &'static str, to: u16, ports: Ports) -> Result<Self> {
        let listener =
            TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.context("start a proxy")?;
        let port = listener.local_addr().context("start a proxy")?.port();
        let state = watch::Sender::new(None);
        let life = Arc::new(AtomicU32::new(0));
        let (seen, lives) = (state.clone(), life.clone());
        let accepting = tokio::spawn(async move {
            loop {
                let Ok((client, _)) = listener.accept().await else { continue };
                let bearer = Bearer { process, life: lives.load(Ordering::Relaxed) };
                tokio::spawn(connection(client, to, bearer, ports.clone(), seen.clone()));
            }
        });
        Ok(Self { port, state, life, accepting })
    }

    /// What connects from now on is the next life of the process.
    pub(crate) fn next_life(&self) {
        self.life.fetch_add(1, Ordering::Relaxed);
    }

    /// Cuts the process off, or lets it through again.
    pub(crate) fn set(&self, cut: Option<Cut>) {
        self.state.send_replace(cut);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

/// One connection, until either side ends it or a cut breaks it.
async fn connection(
    client: TcpStream,
    to: u16,
    bearer: Bearer,
    ports: Ports,
    cuts: watch::Sender<Option<Cut>>,
) {
    let mut state = cuts.subscribe();
    // A silent network answers nobody.
    let passable = state.wait_for(|cut| *cut != Some(Cut::Silent)).await.map(|cut| *cut);
    if !passable.is_ok_and(|cut| is_open(&cut)) {
        return reset(&client);
    }
    let to = SocketAddr::from((Ipv4Addr::LOCALHOST, to));
    let connected = tokio::time::timeout(CONNECT, TcpStream::connect(to)).await;
    let Ok(Ok(server)) = connected else { return reset(&client) };
    let Ok(address) = server.local_addr() else { return reset(&client) };
    let at = crate::now_ms();
    {
        let mut known = ports.lock().unwrap_or_else(PoisonError::into_inner);
        known.entry(address.port()).or_default().push((at, bearer));
    }
    let _ = (client.set_nodelay(true), server.set_nodelay(true));
    let ((from_client, to_client), (from_server, to_server)) =
        (client.into_split(), server.into_split());
    let broken = state.clone();
    tokio::select! {
        // What was sent before one side went away still arrives.
        _ = async { tokio::join!(
            pass(from_client, to_server, state.clone(), Some(cuts)),
            pass(from_server, to_client, state.clone(), None),
        ) } => {}
        () = is_broken(broken) => {}
    }
}

/// Has the client's next use of the connection fail rather than wait.
fn reset(client: &TcpStream) {
    let _ = client.set_zero_linger();
}

async fn is_broken(mut state: watch::Receiver<Option<Cut>>) {
    if state.wait_for(|cut| *cut == Some(Cut::Broken)).await.is_err() {
        std::future::pending().await
    }
}

/// Whether anything comes through.
fn is_open(cut: &Option<Cut>) -> bool {
    matches!(cut, None | Some(Cut::Late))
}

/// What is in the message by which somebody hands in what was made, and in no other that is sent: a segment's name.
const RESULT: &[u8] = b".m4s";

fn is_result(piece: &[u8]) -> bool {
    piece.windows(RESULT.len()).any(|part| part == RESULT)
}

/// Passes on what comes, as long as the way is open. Where `cuts` are given, a result may be what cuts it.
async fn pass(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    mut state: watch::Receiver<Option<Cut>>,
    cuts: Option<watch::Sender<Option<Cut>>>,
) {
    let mut piece = vec![0; PIECE];
    while let Ok(read) = from.read(&mut piece).await {
        if let Some(cuts) = &cuts
            && is_result(&piece[..read])
        {
            cuts.send_if_modified(|cut| {
                let is_late = *cut == Some(Cut::Late);
                if is_late {
                    *cut = Some(Cut::Silent);
                }
                is_late
            });
        }
        if state.wait_for(is_open).await.is_err() || read == 0 {
            break;
        }
        if to.write_all(&piece[..read]).await.is_err() {
            break;
        }
    }
    let _ = to.shutdown().await;
}

#[cfg(test)]
mod tests;
