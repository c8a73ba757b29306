//! News: who queues something says so (`notify`), and who waits for work hears it (`listen`), in whatever process.

use std::sync::Arc;
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgListener, PgPoolOptions};
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio::time::sleep;

use crate::db::{Db, query};
use crate::error::Fault;

/// The channel.
const CHANNEL: &str = "headwater_queue";

/// Before a connection that is lost is made anew. Workers look once a second all the same.
const PAUSE: Duration = Duration::from_secs(1);

/// Tells everybody who listens, once this transaction is committed.
pub(super) async fn tell(tx: &mut Db) -> Result<(), Fault> {
    query("select pg_notify('headwater_queue', '')").fetch_one(tx).await.map(|_| ())
}

/// A connection of its own that listens as long as this lives.
pub(super) struct News {
    heard: Arc<Notify>,
    listening: JoinHandle<()>,
}

impl News {
    pub(super) fn of(options: PgConnectOptions) -> Self {
        let heard = Arc::new(Notify::new());
        let listening = tokio::spawn(listen(options, heard.clone()));
        Self { heard, listening }
    }

    /// Ends at the next news.
    pub(super) async fn wait(&self) {
        self.heard.notified().await;
    }
}

impl Drop for News {
    fn drop(&mut self) {
        self.listening.abort();
    }
}

async fn listen(options: PgConnectOptions, heard: Arc<Notify>) {
    loop {
        // Whatever ends it, most likely the server, is told by everybody else who asks it something.
        let _ = listen_once(options.clone(), &heard).await;
        sleep(PAUSE).await;
    }
}

async fn listen_once(options: PgConnectOptions, heard: &Notify) -> Result<(), sqlx::Error> {
    let pool = PgPoolOptions::new().max_connections(1).connect_with(options).await?;
    let mut listener = PgListener::connect_with(&pool).await?;
    listener.listen(CHANNEL).await?;
    loop {
        // What was said while the connection was lost is lost.
        listener.try_recv().await?;
        heard.notify_waiters();
    }
}
