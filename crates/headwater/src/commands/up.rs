//! `headwater up` and `headwater worker`: all roles in one process, or some of them.

use std::net::SocketAddr;
use std::os::fd::AsFd;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, anyhow, bail};
use futures_util::future::join_all;
use headwater_api::{Api, Health, HeardOf, Vitals, router, serve};
use headwater_engine::audit::{Budget, Schedule};
use headwater_engine::{DropBucket, DropFolder, Shutdown};
use headwater_model::address::Folder;
use headwater_model::process::{Role, Roles};
use headwater_model::worker::Duty;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::app::App;
use crate::cli::Outcome;
use crate::config::{Config, Heal, OriginKind};
use crate::origins::{self, Need};
use crate::progress::{Progress, REFRESH};
use crate::stopping::orders;
use crate::terminal::news;

/// Titles whose progress is shown; the page and `headwater status` have all of them.
const SHOWN: u32 = 50;

/// Longest time that answers under way may take once the process is told to end, unless it drains for longer. The time
/// for draining and this end below the 30 s after which whatever runs containers kills them.
const LAST_ANSWERS: Duration = Duration::from_secs(10);

/// Connections of a worker to a shared database at most, as of any process.
const MOST_CONNECTIONS: u32 = 8;

/// How long the page and package files are served on once the process drains: whatever routes to it hears of that a second
/// or two later.
const STILL_ROUTED: Duration = Duration::from_secs(3);

/// How much later than draining everything has to be over: what is given back is told to the catalog.
const AFTER_DRAINING: Duration = Duration::from_secs(5);

/// Roles that one process at a time has, of all that share a catalog. Two that watch would queue what arrives twice; two
/// audits would take each other's place.
const ALONE: [Role; 2] = [Role::Watch, Role::Audit];

/// Runs until it is told to stop.
pub(crate) async fn up(config: Config, roles: Roles) -> anyhow::Result<Outcome> {
    let shutdown = orders()?;
    let probed = match config.http.health_listen {
        Some(address) => Some(listen(address, "HEADWATER_HTTP_HEALTH_LISTEN").await?),
        None => None,
    };
    let config = with_connections(config, &roles);
    let app = tokio::select! {
        app = open(config, need(&roles), probed.as_ref()) => app?,
        () = shutdown.ending().cancelled() => return Ok(Outcome::Done),
    };
    let _workplace = app.join_workplace().await?;
    let mut alone = Vec::new();
    // Where a database is shared, whoever is second stands by.
    let is_shared = app.config.database.is_some();
    for role in ALONE.into_iter().filter(|role| roles.has(*role) && !is_shared) {
        let Some(lock) = app.take_role(role)? else {
            let folder = app.config.data_dir.display();
            bail!(
                "another headwater already has the role `{role}` in `{folder}`\nhint: `headwater worker` adds transcoders to it; else stop it, give this one other --roles, or choose another folder with --data-dir"
            );
        };
        alone.push(lock);
    }
    let http = match roles.has(Role::Http) {
        true => Some(listen(app.config.http.listen, "HEADWATER_HTTP_LISTEN").await?),
        false => None,
    };
    introduce(&app, &roles, http.as_ref(), probed.as_ref())?;
    warn_of_folders_of_its_own(&app.config);

    // Probes are answered until nothing is under way any more.
    let done = CancellationToken::new();
    let (health, pulse) = (health(&app, &roles, &shutdown), app.engine.pulse());
    let site = http.map(|listener| {
        let api = Api {
            catalog: app.catalog.clone(),
            origins: app.stores.iter().cloned().collect(),
            tenant: app.config.tenant.clone(),
        };
        (listener, router(api, health.clone()))
    });
    let probes = probed.map(|listener| (listener, headwater_api::health(health)));
    let serving = async |site: Option<(TcpListener, _)>| match site {
        Some((listener, router)) => {
            let served = serve(listener, router, done.clone().cancelled_owned()).await;
            served.context("serve HTTP")
        }
        None => Ok(()),
    };
    let ending = || shutdown.ending().clone();
    let failed = Mutex::new(None);
    // Whichever fails takes the others down: half a service would look like a whole one.
    let part = async |part: Part<'_>| {
        if let Err(error) = part.await {
            failed.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
            shutdown.stop();
        }
    };
    let working = async {
        app.engine.run(&roles.tasks(), shutdown.clone()).await?;
        Ok(())
    };
    let watching = async {
        if roles.has(Role::Watch) {
            let stop = ending();
            pulse
                .beating("watch", on_duty(&app, Duty::Watch, &stop, || watch(&app, ending())))
                .await
                .transpose()?;
        }
        Ok(())
    };
    let auditing = async {
        if roles.has(Role::Audit) {
            let stop = ending();
            pulse
                .beating("audit", on_duty(&app, Duty::Audit, &stop, || audit(&app, ending())))
                .await;
        }
        Ok(())
    };
    let showing = async {
        // Somebody who looks at one worker of many wants to know of that worker: its log tells.
        if roles != Roles::only(Role::Worker) {
            show(&app, done.clone()).await;
        }
    };
    let routed = async {
        if roles.has(Role::Http) {
            still_routed(&shutdown, app.config.worker.drain).await;
        }
    };
    let parts = async {
        tokio::join!(
            async {
                tokio::join!(part(Box::pin(working)), routed);
                done.cancel();
            },
            part(Box::pin(watching)),
            part(Box::pin(auditing)),
            part(Box::pin(serving(site))),
            part(Box::pin(serving(probes))),
            showing,
            origins::keep_profiles(&app.origins, &*app.catalog, &*app.clock, ending()),
        )
    };
    tokio::select! {
        _ = parts => {}
        // Whatever is not over by then waits for something that does not answer.
        () = too_late(&shutdown, app.config.worker.drain) => {}
    }
    match failed.into_inner().unwrap_or_else(PoisonError::into_inner) {
        Some(error) => Err(error),
        None => Ok(Outcome::Done),
    }
}

/// What is done for one role.
type Part<'p> = Pin<Box<dyn Future<Output = anyhow::Result<()>> + 'p>>;

/// What these roles need of the origins before they begin.
fn need(roles: &Roles) -> Need {
    if roles.has(Role::Worker) || roles.has(Role::Verify) {
        Need::Publishing
    } else if *roles == Roles::only(Role::Watch) {
        Need::Nothing
    } else {
        Need::Whatever(Vec::new())
    }
}

/// A cluster has many workers, and a database few connections: each takes what its slots can use.
fn with_connections(mut config: Config, roles: &Roles) -> Config {
    if *roles == Roles::only(Role::Worker) {
        let slots = u32::try_from(config.worker.slots.get()).unwrap_or(u32::MAX);
        let connections = slots.saturating_add(2).min(MOST_CONNECTIONS);
        config.database = config.database.map(|it| it.connections(connections));
    }
    config
}

/// Opens what there is to work with. That takes as long as the database is away, and whoever probes meanwhile hears that
/// this process is alive and not ready.
async fn open(config: Config, need: Need, probed: Option<&TcpListener>) -> anyhow::Result<App> {
    let app = async {
        let app = App::open_in_time(config, need).await?;
        app.wait_for_rebuild().await?;
        Ok(app)
    };
    let Some(probed) = probed else { return app.await };
    let same = probed.as_fd().try_clone_to_owned().context("answer probes")?;
    let same = TcpListener::from_std(same.into()).context("answer probes")?;
    tokio::select! {
        app = app => app,
        served = serve(same, headwater_api::starting(), std::future::pending()) => {
            bail!("probes are not answered any more: {served:?}")
        }
    }
}

async fn listen(address: SocketAddr, variable: &str) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address).await.map_err(|error| {
        let hint = format!("set {variable} to another address, such as 127.0.0.1:8081");
        anyhow!("listen on {address} (hint: {hint}): {error}")
    })
}

/// Waits until nobody is led here any more who wants to see a title. Whoever stops the process at once has none to wait for.
async fn still_routed(shutdown: &Shutdown, drain: Duration) {
    shutdown.ending().cancelled().await;
    tokio::select! {
        () = shutdown.now().cancelled() => {}
        () = tokio::time::sleep(STILL_ROUTED.min(drain)) => {}
    }
}

/// Waits until everything has to be over.
async fn too_late(shutdown: &Shutdown, drain: Duration) {
    shutdown.ending().cancelled().await;
    let stopped = async {
        shutdown.now().cancelled().await;
        tokio::time::sleep(LAST_ANSWERS).await;
    };
    tokio::select! {
        () = stopped => {}
        () = tokio::time::sleep(LAST_ANSWERS.max(drain.saturating_add(AFTER_DRAINING))) => {}
    }
}

/// Says where masters are put, where the page is, and what else somebody wants to know who has started this.
fn introduce(
    app: &App,
    roles: &Roles,
    http: Option<&TcpListener>,
    probed: Option<&TcpListener>,
) -> anyhow::Result<()> {
    let Config { watch, worker, http: site, .. } = &app.config;
    if *roles != Roles::all() {
        news(&format!("roles        {roles}"));
    }
    if *roles == Roles::only(Role::Worker) {
        let (name, slots, pool) = (&app.worker, worker.slots, &worker.pool);
        news(&format!("worker       {name}: pool {pool}, {slots} at a time"));
    }
    if roles.has(Role::Watch) {
        let folder = std::path::absolute(&watch.folder).context("find the drop folder")?;
        news(&format!("drop folder  {}", folder.display()));
        for folder in &watch.buckets {
            news(&format!("bucket       {folder}"));
        }
        if app.config.database.is_some() {
            news(
                "             (one process of all that share the database watches; the log says when this one stands by)",
            );
        }
    }
    // Port 0 asks for any free one.
    let address = |listener: &TcpListener| {
        listener.local_addr().context("learn the address that is listened on")
    };
    if let Some(listener) = http {
        let address = address(listener)?;
        let page = site.public_url.clone().unwrap_or_else(|| format!("http://{address}"));
        news(&format!("page         {page}/"));
    }
    if let Some(listener) = probed {
        news(&format!("health       http://{}/readyz", address(listener)?));
    }
    Ok(())
}

/// Says so where processes on a shared database would look for packages each in a folder of its own: none finds there what
/// others have stored, and no title is ever proven.
fn warn_of_folders_of_its_own(config: &Config) {
    if config.database.is_none() {
        return;
    }
    for origin in &config.origins {
        if let OriginKind::Directory { path, .. } = &origin.kind
            && path.starts_with(&config.data_dir)
        {
            news(&format!(
                "warning: origin {} is a folder in the data folder of this process (`{}`), where processes with another data folder find nothing: configure an origin that all of them reach",
                origin.name,
                path.display()
            ));
        }
    }
}

/// What probes are told.
fn health(app: &App, roles: &Roles, shutdown: &Shutdown) -> Health {
    let (engine, shutdown) = (app.engine.clone(), shutdown.clone());
    let has_tasks = !roles.tasks().is_empty();
    Health {
        catalog: app.catalog.clone(),
        roles: roles.iter().map(|role| (role.name(), loops(role))).collect(),
        vitals: Arc::new(move || Vitals {
            is_draining: shutdown.is_draining(),
            loops: engine.pulse().read(),
            heard_of: match engine.heard_of() {
                _ if !has_tasks => HeardOf::NotNeeded,
                None => HeardOf::Never,
                Some(ago) => HeardOf::Ago(ago),
            },
        }),
    }
}

/// The loops that a role needs, by their names in the engine's pulse.
fn loops(role: Role) -> Vec<&'static str> {
    match role {
        Role::Watch => vec!["watch"],
        Role::Worker => vec!["worker"],
        Role::Verify => vec!["verify", "publish"],
        Role::Archive => vec!["archive"],
        Role::Audit => vec!["audit"],
        // Who is answered knows.
        Role::Http => vec![],
    }
}

fn drop_folder(config: &Config) -> DropFolder {
    DropFolder {
        path: config.watch.folder.clone(),
        tenant: config.tenant.clone(),
        pipeline: config.pipeline.clone(),
        settle: config.watch.settle,
        rescan: config.watch.rescan,
    }
}

fn drop_buckets(config: &Config) -> Vec<DropBucket> {
    let bucket = |folder: &Folder| DropBucket {
        folder: folder.clone(),
        tenant: config.tenant.clone(),
        pipeline: config.pipeline.clone(),
        poll: config.watch.poll,
    };
    config.watch.buckets.iter().map(bucket).collect()
}

/// Does what one process at a time does, until `stop`. Where no database is shared, a lock says already that this is the one.
async fn on_duty<F: Future>(
    app: &App,
    duty: Duty,
    stop: &CancellationToken,
    work: impl Fn() -> F,
) -> Option<F::Output> {
    match app.config.database {
        Some(_) => app.engine.on_duty(duty, stop, work).await,
        None => Some(work().await),
    }
}

/// Watches the drop folder and the buckets until `stop`.
async fn watch(app: &App, stop: CancellationToken) -> anyhow::Result<()> {
    let buckets = drop_buckets(&app.config);
    let (watched, _) = tokio::join!(
        app.engine.watch(drop_folder(&app.config), stop.clone()),
        join_all(buckets.iter().map(|bucket| app.engine.watch_bucket(bucket, &stop))),
    );
    Ok(watched?)
}

/// Audits until `stop`.
async fn audit(app: &App, stop: CancellationToken) {
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
    app.engine.audit_for_ever(&app.config.tenant, schedule, now, stop).await;
}

/// Shows progress until `stop`.
async fn show(app: &App, stop: CancellationToken) {
    let tenant = &app.config.tenant;
    let mut progress: Option<Progress> = None;
    loop {
        match app.catalog.titles(tenant, SHOWN).await {
            Ok(records) => match &mut progress {
                Some(progress) => progress.show(&records),
                // What is finished by now is no news.
                None => progress = Some(Progress::after(&records)),
            },
            // The engine says what is wrong with the catalog; progress is not worth a second voice.
            Err(error) => tracing::debug!(%error, "no progress to show"),
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(REFRESH) => {}
        }
    }
}
