//! Serves a router on a listener until told to stop, with every connection bounded in number and patience.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

/// Connections at once. Each may hold one block of an object: 512 of 1 MiB are half a gigabyte at the very worst. More
/// wait in the listener's backlog. A larger audience belongs behind a CDN.
const CONNECTIONS: usize = 512;

/// How long a client may take to send its next request, so that silent ones do not keep a place.
const PATIENCE: Duration = Duration::from_secs(30);

/// How long requests under way may go on after the stop. A segment takes a second or two; a rolling upgrade waits for
/// this.
const GRACE: Duration = Duration::from_secs(10);

/// How long to wait after a failed accept, which means that the process has no file descriptor left.
const BREATHER: Duration = Duration::from_secs(1);

/// Serves `router` on `listener` until `stop` is done, then lets requests under way finish for at most ten seconds.
///
/// # Errors
/// When the listener is not one that can be served.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    stop: impl Future<Output = ()> + Send,
) -> io::Result<()> {
    let address = listener.local_addr()?;
    tracing::info!(%address, "serving");
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    let graceful = GracefulShutdown::new();
    // Dropped at the end with whatever is left in it: no connection outlives this function.
    let mut connections = JoinSet::new();
    let mut stop = std::pin::pin!(stop);
    loop {
        let place = tokio::select! {
            () = &mut stop => break,
            place = Arc::clone(&places).acquire_owned() => place.map_err(io::Error::other)?,
        };
        let accepted = tokio::select! {
            () = &mut stop => break,
            accepted = listener.accept() => accepted,
        };
        let stream = match accepted {
            Ok((stream, _)) => stream,
            Err(error) => {
                tracing::warn!(%error, "failed to accept a connection");
                tokio::time::sleep(BREATHER).await;
                continue;
            }
        };
        while connections.try_join_next().is_some() {}
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(PATIENCE)
            .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router.clone()));
        let watched = graceful.watch(connection);
        connections.spawn(async move {
            if let Err(error) = watched.await {
                // Players hang up in the middle of a segment whenever somebody seeks.
                tracing::debug!(%error, "a connection ended early");
            }
            drop(place);
        });
    }
    drop(listener);
    if tokio::time::timeout(GRACE, graceful.shutdown()).await.is_err() {
        tracing::info!(grace_s = GRACE.as_secs(), "cut off requests that did not finish in time");
    }
    Ok(())
}

#[cfg(test)]
mod tests;
