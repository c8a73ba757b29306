//! Looks at a master for the first time: hash, duplicates, probe, index, plan. Nothing is transcoded here, and the
//! file is read to its end twice at most: once for its hash, once for its index.

use std::path::Path;

use headwater_model::id::{Sha256, TitleId, Version};
use headwater_model::key::PackageId;
use headwater_model::master::MasterFacts;
use headwater_model::pipeline::Pipeline;
use headwater_model::plan::{Plan, again, plan};
use headwater_model::refusal::{Code, Refusal};
use headwater_model::task::{Claimed, Failure, Outcome, Remake, Retry};
use headwater_ports::transcoder::TranscodeError;
use tokio::task::spawn_blocking;
use tracing::info;

use crate::failure::{Halt, later, never};
use crate::life::Ports;
use crate::retrieved::{Retrieved, Source};
use crate::{hash, master};

/// Does `Prepare`.
pub(crate) async fn prepare(
    ports: &Ports,
    masters: &Retrieved,
    claimed: &Claimed,
) -> Result<Outcome, Halt> {
    let pipeline = resolve(ports, &claimed.pipeline).await?;
    let (source, sha256) = source(ports, masters, claimed).await?;
    let (path, stamp) = (&source.path, source.stamp);
    info!(bytes = stamp.bytes, %sha256, "master read");

    // Before the probe: a master that is known need not be looked at.
    if !claimed.again
        && claimed.remake.is_none()
        && let Some(outcome) = known(ports, &claimed.package, sha256, &pipeline).await?
    {
        return Ok(outcome);
    }

    let engine = ports.transcoder.engine().await.map_err(TranscodeError::into_failure)?;
    let inspected = ports.transcoder.inspect(path).await;
    // Asked before the probe's word counts: that a file vanished or grew explains whatever the probe thinks of it.
    master::check_unchanged(path, stamp).await?;
    let inspection = inspected.map_err(TranscodeError::into_failure)?;
    let cpu_ms = inspection.cpu_ms;
    let mut facts = inspection.facts;
    facts.bytes = stamp.bytes;
    facts.modified_ns = stamp.modified_ns;

    if let Some(remake) = &claimed.remake {
        let plan = partial(ports, claimed, remake, sha256, engine).await?;
        return Ok(prepared(ports, facts, plan, cpu_ms));
    }
    // The index of two hours of film has 200,000 units.
    let (facts, plan) = hash::compute(move || {
        let plan = plan(sha256, &pipeline, &engine, &facts, &inspection.index, inspection.zero_ns);
        (facts, plan)
    })
    .await;
    let plan =
        plan.map_err(|refusal| Failure { refusal, retry: Retry::Never, last_words: None })?;
    info!(frames = plan.frames, spans = plan.spans.len(), "plan made");
    Ok(prepared(ports, facts, plan, cpu_ms))
}

fn prepared(ports: &Ports, facts: MasterFacts, plan: Plan, cpu_ms: u64) -> Outcome {
    let archives = ports.stores.archive().is_some();
    Outcome::Prepared { facts: Box::new(facts), plan: Box::new(plan), cpu_ms, archives }
}

/// The master and its SHA-256. A title that is made again goes on from the archive's copy when the file that it was made
/// from is gone, and a part of it also when another file is in its place.
async fn source(
    ports: &Ports,
    masters: &Retrieved,
    claimed: &Claimed,
) -> Result<(Source, Sha256), Halt> {
    let path = Path::new(&claimed.master_path);
    let known = claimed.known_master.filter(|_| claimed.again || claimed.remake.is_some());
    let read = if claimed.master_path.is_empty() {
        let text = "the catalog was rebuilt from an origin, and no origin says where the master is";
        Err(never(Code::MasterGone, text))
    } else {
        master::hash(path).await
    };
    match (read, known) {
        (Ok((_, found)), Some(known)) if found != known && claimed.remake.is_some() => {
            let base = claimed.remake.as_ref().map_or(claimed.package.version, |r| r.base);
            let changed = another_master(claimed, base, known, found);
            Ok((masters.instead(ports, claimed, known, changed).await?, known))
        }
        (Ok((stamp, found)), _) => Ok((Source::own(path, stamp), found)),
        (Err(failure), Some(known)) => {
            Ok((masters.instead(ports, claimed, known, failure).await?, known))
        }
        (Err(failure), None) => Err(failure.into()),
    }
}

/// The plan of a version that keeps most of an older one.
async fn partial(
    ports: &Ports,
    claimed: &Claimed,
    remake: &Remake,
    master: Sha256,
    engine: String,
) -> Result<Plan, Halt> {
    let older = PackageId { version: remake.base, ..claimed.package.clone() };
    let plan = ports.catalog.package(&older).await?.and_then(|record| record.plan);
    let refuse = |code, message: String| Err(never(code, message).into());
    let Some(plan) = plan else {
        let text = format!("the catalog has no plan of `{older}`: make the whole title again");
        return refuse(Code::PipelineMismatch, text);
    };
    if plan.master != master {
        return Err(another_master(claimed, remake.base, plan.master, master).into());
    }
    match again(&plan, remake) {
        Ok(base) => Ok(Plan { engine, base: Some(base), ..plan }),
        Err(message) => refuse(Code::PipelineMismatch, message),
    }
}

/// The refusal of a file that is not the one that version `base` was made from.
fn another_master(claimed: &Claimed, base: Version, made_from: Sha256, found: Sha256) -> Failure {
    let older = PackageId { version: base, ..claimed.package.clone() };
    let text = format!(
        "`{older}` was made from another master: its SHA-256 is {made_from} and that of `{}` is {found}",
        claimed.master_path
    );
    never(Code::MasterChanged, text)
}

async fn resolve(ports: &Ports, name: &str) -> Result<Pipeline, Failure> {
    let (pipelines, name) = (ports.pipelines.clone(), name.to_owned());
    match spawn_blocking(move || pipelines.pipeline(&name)).await {
        Ok(Ok(pipeline)) => Ok(pipeline),
        Ok(Err(refusal)) => Err(Failure { refusal, retry: Retry::Never, last_words: None }),
        Err(error) => {
            Err(later(Code::Internal, format!("reading the pipeline ended early: {error}")))
        }
    }
}

/// What to say when viewers already get, or will get, a package of this master and pipeline. `None`: go on.
async fn known(
    ports: &Ports,
    package: &PackageId,
    master: Sha256,
    pipeline: &Pipeline,
) -> Result<Option<Outcome>, Halt> {
    let packages = ports.catalog.packages_of(&package.tenant, master, pipeline.sha256).await?;
    for (other, _) in packages.iter().filter(|(p, _)| p != package) {
        let Some(title) = ports.catalog.title(&other.tenant, &other.title).await? else { continue };
        let live = title.live == Some(other.version);
        if other.title == package.title {
            // An older version of this title may well have been this master, and viewers have another one since.
            if live {
                return Ok(Some(Outcome::AlreadyPublished { version: other.version }));
            }
        } else if live || (title.version == other.version && !title.state.is_final()) {
            let refusal = duplicate(&other.title, live, &pipeline.name);
            return Err(never(refusal.code, refusal.message).into());
        }
    }
    Ok(None)
}

fn duplicate(title: &TitleId, live: bool, pipeline: &str) -> Refusal {
    let stands = if live { "is published" } else { "is being worked on" };
    Refusal::new(
        Code::DuplicateMaster,
        format!(
            "title `{title}` has this very master with pipeline `{pipeline}` and {stands}; nothing was transcoded"
        ),
    )
}
