//! `headwater ingest`: queues one master, and with `--wait` sees it through.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::Context;
use headwater_model::address::{Address, BadAddress};
use headwater_model::id::{TitleId, Version};
use headwater_model::lane::DEFAULT_POOL;
use headwater_model::life::{TitleRecord, TitleState};
use headwater_model::refusal::{Code, Refusal};
use headwater_model::task::NewTitle;
use headwater_ports::catalog::Submitted;
use headwater_ports::masters::MasterErrorKind;
use tokio_util::sync::CancellationToken;

use crate::app::{self, App};
use crate::archived;
use crate::cli::{IngestArgs, Outcome};
use crate::commands::stuck::Lookout;
use crate::commands::watched::watched;
use crate::commands::{OR_WAIT, named, tell_if_held, tell_if_nobody_can};
use crate::config::Config;
use crate::origins::Need;
use crate::progress::{Progress, REFRESH};
use crate::report::{TitleReport, Verdict};
use crate::stopping::stop_signal;
use crate::terminal::{complain, news, say};

/// Queues the master.
pub(crate) async fn ingest(
    config: Config,
    args: IngestArgs,
    json: bool,
) -> anyhow::Result<Outcome> {
    let at = address(&args.file)?;
    let name = at.as_ref().map(Address::name).unwrap_or_default();
    // What the manifest of a delivery says, which the command line may say otherwise.
    let (of_manifest, pipeline_asked) = headwater_engine::asked_for(Path::new(&args.file)).unzip();
    let of_name = || of_manifest.unwrap_or_else(|| TitleId::from_file_name(&name));
    let title = args.title.unwrap_or_else(of_name);
    // What cannot even be found is a slip of the pen: it gets an answer and no place in the catalog.
    let found = match at {
        Ok(at) => at_the_door(&config, &at).await.map(|()| at),
        Err(refusal) => Err(refusal),
    };
    let master_path = match found {
        Ok(at) => at.to_string(),
        Err(refusal) => return refuse(&title, &refusal, json),
    };
    let usual = || pipeline_asked.flatten().unwrap_or_else(|| config.pipeline.clone());
    let pipeline = args.pipeline.unwrap_or_else(usual);
    let pipeline = match named(&config, pipeline, json)? {
        Ok(pipeline) => pipeline,
        Err(outcome) => return Ok(outcome),
    };
    if let Err(refusal) = app::pipeline(config.pipelines_dir.as_deref(), &pipeline) {
        return refuse(&title, &refusal, json);
    }
    let app = match args.wait {
        true => App::open_in_time(config, Need::Publishing).await?.patient(),
        false => App::open_or_make(config, Need::Nothing).await?,
    };
    let new = NewTitle {
        tenant: app.config.tenant.clone(),
        title: title.clone(),
        master_path,
        pipeline,
        pool: DEFAULT_POOL.to_owned(),
        priority: args.priority,
        again: args.again,
        remake: None,
        reason: None,
    };
    let submitted = app.engine.submit(&new).await?;
    if args.wait {
        let (Submitted::Queued(version) | Submitted::InProgress(version)) = submitted;
        return see_through(&app, &title, version, json, &stop_signal()?).await;
    }
    let record = find(&app, &title).await?;
    if json {
        say(&serde_json::to_string(&TitleReport::brief(&app, &record))?);
    } else {
        match submitted {
            Submitted::Queued(version) => say(&format!("{title}  queued as {version}")),
            Submitted::InProgress(version) => {
                say(&format!("{title}  is being worked on already, as {version}"))
            }
        }
        tell_if_held(&app, &title).await?;
        tell_if_nobody_can(&app, &title, OR_WAIT).await?;
    }
    Ok(Outcome::Done)
}

pub(crate) fn refuse(title: &TitleId, refusal: &Refusal, json: bool) -> anyhow::Result<Outcome> {
    if json {
        say(&serde_json::to_string(&Verdict::at_the_door(title, refusal))?);
    } else {
        complain(&refusal.to_string());
        news(&format!("hint: {}", refusal.code.next_step_at_the_door()));
    }
    Ok(Outcome::Refused)
}

/// Where the master lies, or why that is no address.
pub(crate) fn address(file: &Path) -> anyhow::Result<Result<Address, Refusal>> {
    if let Some(text) = file.to_str().filter(|text| Address::is_one(text)) {
        let parsed = text.parse();
        return Ok(parsed.map_err(|error: BadAddress| {
            Refusal::new(Code::BadAddress, format!("the address cannot be used: {error}"))
        }));
    }
    let path = shown_path(file)?;
    Ok(match path.to_str() {
        Some(_) => Ok(Address::File(path)),
        None => Err(Refusal::new(Code::Unreadable, "the path of the master is not UTF-8")),
    })
}

/// Looks whether there is a master at all.
async fn at_the_door(config: &Config, at: &Address) -> Result<(), Refusal> {
    let no = |message| Err(Refusal::new(Code::NoSuchFile, message));
    let Address::File(path) = at else {
        return match app::masters(config).open(at).await {
            Ok(_) => Ok(()),
            Err(error) if error.kind == MasterErrorKind::NotFound => {
                no(format!("there is no {} `{at}`: {}", at.thing(), error.reason))
            }
            Err(error) => Err(error.into_failure().refusal),
        };
    };
    match std::fs::metadata(path) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == ErrorKind::NotFound => no(format!("there is no file `{at}`")),
        Err(error) => no(format!("`{at}` cannot be found: {error}")),
    }
}

/// Where the master is, for people and for workers that start in another folder: absolute and, where it can be told,
/// without `..`. The file's own name stays: a link's says more than that of what it leads to.
fn shown_path(file: &Path) -> anyhow::Result<PathBuf> {
    let path = std::path::absolute(file).with_context(|| format!("find `{}`", file.display()))?;
    let folder = path.parent().and_then(|folder| std::fs::canonicalize(folder).ok());
    Ok(match (folder, path.file_name()) {
        (Some(folder), Some(name)) => folder.join(name),
        _ => path,
    })
}

async fn find(app: &App, title: &TitleId) -> anyhow::Result<TitleRecord> {
    let record = app.catalog.title(&app.config.tenant, title).await?;
    record.with_context(|| format!("title `{title}` vanished from the catalog"))
}

/// How long the data folder may be full without a word from the catalog until nobody waits any longer: it is out of the
/// room that it keeps for notes, but another program may be about to free the disk.
const FULL_LIMIT: Duration = Duration::from_secs(30);

/// With less than this on its disk the catalog may be unable to write.
const FULL_BYTES: u64 = 32 * 1024;

/// Waits until the title, of which version `asked_for` was queued, is published and its master archived, or until it is
/// refused, or until `stop`; does the work itself when nobody else does. `app` is a patient one.
pub(crate) async fn see_through(
    app: &App,
    title: &TitleId,
    asked_for: Version,
    json: bool,
    stop: &CancellationToken,
) -> anyhow::Result<Outcome> {
    let mut lookout = Lookout::begin(app, title).await?;
    let shutdown = stop.child_token();
    let watch = async {
        let mut progress = Progress::default();
        let mut last_word = (0, Instant::now());
        loop {
            if disk_is_full(&app.config.data_dir) {
                let words = app.catalog.events(&app.config.tenant, title).await?.len();
                if words != last_word.0 {
                    last_word = (words, Instant::now());
                } else if last_word.1.elapsed() > FULL_LIMIT {
                    return Ok(None);
                }
            } else {
                last_word.1 = Instant::now();
            }
            let record = find(app, title).await?;
            if record.state.is_final() || shutdown.is_cancelled() {
                // The result says how it ended.
                progress.clear();
                if record.state == TitleState::Published {
                    archived::wait(app, &record, &shutdown).await?;
                }
                return anyhow::Ok(Some(record));
            }
            if !json {
                progress.show(std::slice::from_ref(&record));
            }
            lookout.look(app, title).await?;
            tokio::select! {
                () = shutdown.cancelled() => {}
                () = tokio::time::sleep(REFRESH) => {}
            }
        }
    };
    let record = watched(app, &shutdown, watch).await?;
    let Some(record) = record else {
        let folder = app.config.data_dir.display();
        let message = format!(
            "the disk of the data folder `{folder}` is full, not even a failure can be noted there"
        );
        return refuse(title, &Refusal::new(Code::DiskFull, message), json);
    };
    let report = TitleReport::whole(app, &record).await?;
    // A version that turns out to be one that was published already is given up for it.
    if record.state == TitleState::Published && record.version < asked_for {
        news(&format!(
            "{title}  was published already as {}, from this master with this pipeline: nothing was made again (use --again for that)",
            record.version
        ));
    }
    if json {
        if let Some(archive) = report.archive.as_ref().filter(|archive| !archive.proven) {
            news(&format!("{title}  its master is {}", archive.message));
        }
        say(&serde_json::to_string(&Verdict::from(report))?);
    } else {
        say(&TitleReport { events: vec![], ..report }.text());
    }
    Ok(if record.state.refusal().is_some() || !record.state.is_final() {
        Outcome::Refused
    } else {
        Outcome::Done
    })
}

fn disk_is_full(folder: &Path) -> bool {
    rustix::fs::statvfs(folder)
        .is_ok_and(|disk| disk.f_bavail.saturating_mul(disk.f_frsize) < FULL_BYTES)
}
