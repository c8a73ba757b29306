//! Commands that do the queue's work themselves when no service does, while they watch what becomes of it.

use std::time::Duration;

use anyhow::anyhow;
use headwater_model::process::Roles;
use tokio_util::sync::CancellationToken;

use crate::app::App;
use crate::progress::REFRESH;

/// How long a last look may take once everything is to end: a database that is away is not waited for any longer.
const LAST_LOOK: Duration = Duration::from_secs(10);

/// Does the queue's work, when nobody else does, for as long as `watch` waits for what comes of it.
pub(crate) async fn watched<T>(
    app: &App,
    stop: &CancellationToken,
    watch: impl Future<Output = anyhow::Result<T>>,
) -> anyhow::Result<T> {
    together(work(app, stop), stop, watch).await
}

/// Runs both until either is over, and cancels `stop` then. `work` is never dropped: it gives back what it has, and is
/// waited for. `watch` is, when it has not ended some time after `stop`.
async fn together<T>(
    work: impl Future<Output = anyhow::Result<()>>,
    stop: &CancellationToken,
    watch: impl Future<Output = anyhow::Result<T>>,
) -> anyhow::Result<T> {
    let working = async {
        let ended = work.await;
        stop.cancel();
        ended
    };
    let watching = async {
        let too_late = async {
            stop.cancelled().await;
            tokio::time::sleep(LAST_LOOK).await;
        };
        let seen = tokio::select! {
            seen = watch => seen,
            () = too_late => Err(anyhow!("interrupted; it goes on when a service runs")),
        };
        stop.cancel();
        seen
    };
    let (worked, seen) = tokio::join!(working, watching);
    worked.and(seen)
}

/// Does the queue's work when no service does, until `stop`.
async fn work(app: &App, stop: &CancellationToken) -> anyhow::Result<()> {
    let taking = async {
        // Whoever works there now may leave before everything is done.
        loop {
            if let Some(workplace) = app.take_workplace().await? {
                return anyhow::Ok(workplace);
            }
            tokio::time::sleep(REFRESH).await;
        }
    };
    let _workplace = tokio::select! {
        () = stop.cancelled() => return Ok(()),
        taken = taking => taken?,
    };
    app.engine.run(&Roles::all().tasks(), stop.clone()).await.map_err(anyhow::Error::from)
}

#[cfg(test)]
mod tests;
