//! Looks at a master for the first time: hash, duplicates, probe, index, plan. Nothing is transcoded here, and the
//! file is read to its end twice at most: once for its hash, once for its index.

use headwater_model::flaw::in_times;
use headwater_model::id::{Sha256, TitleId, Version};
use headwater_model::key::PackageId;
use headwater_model::master::MasterFacts;
use headwater_model::pipeline::Pipeline;
use headwater_model::plan::{Base, Plan, again, plan, reuse};
use headwater_model::quality::{Seen, Verdict};
use headwater_model::refusal::{Code, Refusal};
use headwater_model::task::{Claimed, Failure, Outcome, Remake, Retry};
use headwater_ports::transcoder::TranscodeError;
use tokio::task::spawn_blocking;
use tracing::info;

use crate::failure::{Halt, later, never};
use crate::life::Ports;
use crate::master::Opened;
use crate::retrieved::{Retrieved, Source};
use crate::{hash, master};

/// Does `Prepare`.
pub(crate) async fn prepare(
    ports: &Ports,
    masters: &Retrieved,
    claimed: &Claimed,
) -> Result<Outcome, Halt> {
    let older = match &claimed.remake {
        Some(remake) => Some((remake, older(ports, claimed, remake).await?)),
        None => None,
    };
    // A part follows the pipeline of the rest, whatever has become of the file that it was in.
    let pipeline = match &older {
        Some((_, plan)) => plan.pipeline.clone(),
        None => resolve(ports, &claimed.pipeline).await?,
    };
    // Before hours of work are spent on what could never be published.
    if let Some(reason) = ports.stores.held_to(&pipeline.publish).cannot_be_met() {
        let message =
            format!("the pipeline `{}` asks for proof that cannot be had: {reason}", pipeline.name);
        return Err(never(Code::PipelineMismatch, message).into());
    }
    let (source, sha256) = source(ports, masters, claimed).await?;
    let (master, stamp) = (&source.master, source.master.stamp);
    info!(bytes = stamp.bytes, %sha256, "master read");

    if let Some((remake, plan)) = &older
        && plan.master != sha256
    {
        return Err(another_master(claimed, remake.base, plan.master, sha256).into());
    }
    // Before the probe: a master that is known need not be looked at.
    if !claimed.again
        && older.is_none()
        && let Some(outcome) = known(ports, &claimed.package, sha256, &pipeline).await?
    {
        return Ok(outcome);
    }

    let engine = ports.transcoder.engine().await.map_err(TranscodeError::into_failure)?;
    let encoders = ports.transcoder.encoders().await.map_err(TranscodeError::into_failure)?;
    let inspected = ports.transcoder.inspect(&master.input).await;
    // Asked before the probe's word counts: that a file vanished or grew explains whatever the probe thinks of it.
    master.check_unchanged(&*ports.masters).await?;
    let inspection = inspected.map_err(TranscodeError::into_failure)?;
    let cpu_ms = inspection.cpu_ms;
    let mut facts = inspection.facts;
    facts.bytes = stamp.bytes;
    facts.modified_ns = stamp.modified_ns;
    facts.sources = master.sources.clone();

    let partial = match older {
        Some((remake, plan)) => {
            let base = again(&plan, remake).map_err(|text| never(Code::PipelineMismatch, text))?;
            Some((remake.heals, Plan { engine: engine.clone(), base: Some(base), ..plan }))
        }
        None => None,
    };
    if let Some((false, plan)) = partial {
        return Ok(prepared(ports, facts, plan, cpu_ms, Verdict::default()));
    }
    // The index of two hours of film has 200,000 units.
    let rules = pipeline.quality.clone();
    let (facts, plan) = hash::compute(move || {
        facts.flaws = in_times(&facts, &inspection.index.frame_times());
        let plan = plan(sha256, &pipeline, &engine, &facts, &inspection.index, inspection.zero_ns);
        (facts, plan)
    })
    .await;
    let mut plan = plan
        .map_err(|refusal| Failure { refusal, retry: Retry::Never, last_words: None })?
        .made_with(&encoders);
    // Nobody has asked for exactly this part: where this build would cut the title otherwise, all of it is made by the
    // plan that this build can follow, rather than a part by one that it may not.
    if let Some((true, partial)) = partial
        && partial.cuts_like(&plan)
    {
        plan = partial;
    }
    if plan.base.is_none() && !claimed.again {
        plan.base = reused(ports, &claimed.package, &plan).await?;
    }
    let seen = Seen { flaws: facts.flaws.clone(), ..Seen::default() };
    let verdict = rules.verdict(&seen).map_err(|refusal| Failure {
        refusal,
        retry: Retry::Never,
        last_words: None,
    })?;
    info!(frames = plan.frames, spans = plan.spans.len(), "plan made");
    Ok(prepared(ports, facts, plan, cpu_ms, verdict))
}

fn prepared(
    ports: &Ports,
    facts: MasterFacts,
    plan: Plan,
    cpu_ms: u64,
    verdict: Verdict,
) -> Outcome {
    let archives = ports.stores.archive().is_some();
    Outcome::Prepared { facts: Box::new(facts), plan: Box::new(plan), cpu_ms, archives, verdict }
}

/// The master and its SHA-256. A title that is made again goes on from the archive's copy when the file that it was made
/// from is gone, and a part of it also when another file is in its place.
async fn source(
    ports: &Ports,
    masters: &Retrieved,
    claimed: &Claimed,
) -> Result<(Source, Sha256), Halt> {
    let known = claimed.known_master.filter(|_| claimed.again || claimed.remake.is_some());
    let read = if claimed.master_path.is_empty() {
        let text = "the catalog was rebuilt from an origin, and no origin says where the master is";
        Err(never(Code::MasterGone, text))
    } else {
        read(ports, claimed).await
    };
    match (read, known) {
        (Ok((_, found)), Some(known)) if found != known && claimed.remake.is_some() => {
            let base = claimed.remake.as_ref().map_or(claimed.package.version, |r| r.base);
            let changed = another_master(claimed, base, known, found);
            Ok((masters.instead(ports, claimed, known, changed).await?, known))
        }
        (Ok((master, found)), _) => Ok((Source::own(master), found)),
        (Err(failure), Some(known)) => {
            Ok((masters.instead(ports, claimed, known, failure).await?, known))
        }
        (Err(failure), None) => Err(failure.into()),
    }
}

async fn read(ports: &Ports, claimed: &Claimed) -> Result<(Opened, Sha256), Failure> {
    let at = master::address(&claimed.master_path)?;
    master::hash(&*ports.masters, &at).await
}

/// What of a delivery viewers have already, where only some of its files are new.
async fn reused(ports: &Ports, package: &PackageId, plan: &Plan) -> Result<Option<Base>, Halt> {
    if plan.sources.is_empty() {
        return Ok(None);
    }
    let title = ports.catalog.title(&package.tenant, &package.title).await?;
    let Some(version) = title.and_then(|title| title.live) else { return Ok(None) };
    let live = PackageId { version, ..package.clone() };
    let record = ports.catalog.package(&live).await?;
    let base = record.and_then(|record| reuse(plan, &record.plan?, version));
    if let Some(base) = &base {
        info!(%version, kept = ?base.kept, "some of it is there already");
    }
    Ok(base)
}

/// The plan of the version that a part of the title goes back to.
async fn older(ports: &Ports, claimed: &Claimed, remake: &Remake) -> Result<Plan, Halt> {
    let older = PackageId { version: remake.base, ..claimed.package.clone() };
    let plan = ports.catalog.package(&older).await?.and_then(|record| record.plan);
    plan.ok_or_else(|| {
        let text = format!("the catalog has no plan of `{older}`: make the whole title again");
        never(Code::PipelineMismatch, text).into()
    })
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
