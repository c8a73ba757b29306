//! `headwater up`: all roles in one process.

use std::sync::Arc;

use anyhow::{Context, bail};
use futures_util::future::join_all;
use headwater_api::{Api, router, serve};
use headwater_engine::audit::{Budget, Schedule};
use headwater_engine::{DropBucket, DropFolder};
use headwater_model::task::Role;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::app::App;
use crate::cli::Outcome;
use crate::config::{Config, Heal};
use crate::origins::{self, Need};
use crate::progress::{Progress, REFRESH};
use crate::terminal::news;

/// Titles whose progress is shown; the page and `headwater status` have all of them.
const SHOWN: u32 = 50;

/// Every role.
pub(crate) const ALL_ROLES: [Role; 4] =
    [Role::Worker, Role::Verifier, Role::Publisher, Role::Archiver];

/// Runs until it is told to stop.
pub(crate) async fn up(config: Config) -> anyhow::Result<Outcome> {
    let app = App::open(config, Need::Publishing).await?;
    let Some(_workplace) = app.take_workplace().await? else {
        bail!(
            "another headwater already works in `{}`\nhint: stop it, or choose another folder with --data-dir",
            app.config.data_dir.display()
        );
    };
    let shutdown = stop_signal()?;
    let listen = app.config.http.listen;
    let listener = TcpListener::bind(listen).await.with_context(|| {
        format!("listen on {listen} (hint: set HEADWATER_HTTP_LISTEN to another address, such as 127.0.0.1:8081)")
    })?;
    // Port 0 asks for any free one.
    let listen = listener.local_addr().context("learn the address that is listened on")?;
    let address = listener.local_addr().unwrap_or(listen);
    let page = app.config.http.public_url.clone().unwrap_or_else(|| format!("http://{address}"));
    let drop_folder =
        std::path::absolute(&app.config.watch.folder).context("find the drop folder")?;
    news(&format!("drop folder  {}", drop_folder.display()));
    for folder in &app.config.watch.buckets {
        news(&format!("bucket       {folder}"));
    }
    news(&format!("page         {page}/"));

    let api = router(Api {
        catalog: app.catalog.clone(),
        origins: app.stores.iter().cloned().collect(),
        tenant: app.config.tenant.clone(),
    });
    let folder = DropFolder {
        path: app.config.watch.folder.clone(),
        tenant: app.config.tenant.clone(),
        pipeline: app.config.pipeline.clone(),
        settle: app.config.watch.settle,
        rescan: app.config.watch.rescan,
    };
    let buckets = app.config.watch.buckets.iter().map(|folder| DropBucket {
        folder: folder.clone(),
        tenant: app.config.tenant.clone(),
        pipeline: app.config.pipeline.clone(),
        poll: app.config.watch.poll,
    });
    let buckets: Vec<DropBucket> = buckets.collect();
    let [stop_watch, stop_buckets, stop_http, stop_show, stop_probe, stop_audit] =
        [(); 6].map(|()| shutdown.clone());
    // Whichever fails takes the others down: half a service would look like a whole one.
    let result = tokio::try_join!(
        async { app.engine.run(&ALL_ROLES, shutdown.clone()).await.map_err(anyhow::Error::from) },
        async { app.engine.watch(folder, stop_watch).await.map_err(anyhow::Error::from) },
        async {
            join_all(buckets.iter().map(|it| app.engine.watch_bucket(it, &stop_buckets))).await;
            Ok(())
        },
        async { serve(listener, api, stop_http.cancelled_owned()).await.context("serve HTTP") },
        show(&app, stop_show),
        async {
            let audit = &app.config.audit;
            let schedule = Schedule {
                list: audit.list,
                read: audit.read,
                budget: Budget {
                    requests: audit.requests_per_second,
                    bytes: u64::from(audit.megabytes_per_second) * 1_000_000,
                },
                heals: audit.heal == Heal::Automatic,
            };
            let clock = app.clock.clone();
            let now = Arc::new(move || clock.now().0);
            app.engine.audit_for_ever(&app.config.tenant, schedule, now, stop_audit).await;
            Ok(())
        },
        async {
            origins::keep_profiles(&app.origins, &*app.catalog, &*app.clock, stop_probe).await;
            Ok(())
        },
    );
    result.map(|_| Outcome::Done)
}

/// Shows progress until `stop`.
async fn show(app: &App, stop: CancellationToken) -> anyhow::Result<()> {
    let tenant = &app.config.tenant;
    let mut progress = Progress::after(&app.catalog.titles(tenant, SHOWN).await?);
    loop {
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            () = tokio::time::sleep(REFRESH) => {}
        }
        match app.catalog.titles(tenant, SHOWN).await {
            Ok(records) => progress.show(&records),
            // The engine says what is wrong with the catalog; progress is not worth a second voice.
            Err(error) => tracing::debug!(%error, "no progress to show"),
        }
    }
}

/// A token that SIGINT or SIGTERM cancels. A second signal ends the process at once: nothing is lost by that, what is
/// not finished is done again.
pub(crate) fn stop_signal() -> anyhow::Result<CancellationToken> {
    let stop = CancellationToken::new();
    let token = stop.clone();
    let mut interrupt = signal(SignalKind::interrupt()).context("listen for SIGINT")?;
    let mut terminate = signal(SignalKind::terminate()).context("listen for SIGTERM")?;
    tokio::spawn(async move {
        tokio::select! { _ = interrupt.recv() => {}, _ = terminate.recv() => {} }
        news("stopping; work that is under way is given back (again to stop at once)");
        token.cancel();
        tokio::select! { _ = interrupt.recv() => {}, _ = terminate.recv() => {} }
        exit_now();
    });
    Ok(stop)
}

#[expect(
    clippy::exit,
    clippy::disallowed_methods,
    reason = "a second Ctrl-C asks for exactly this; children die with their parent"
)]
fn exit_now() -> ! {
    std::process::exit(130)
}
