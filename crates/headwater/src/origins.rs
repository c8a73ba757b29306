//! Opens the origins and edges that the configuration names, and finds out whether they can be worked with and what their word is
//! worth before any work is done for them.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, anyhow};
use futures_util::future::join_all;
use headwater_model::origin::{Policy, Profile, ProofGrade};
use headwater_origin::{DirectoryOrigin, HttpEdge, Purge, S3Origin, S3Settings, Unusable};
use headwater_ports::catalog::Catalog;
use headwater_ports::clock::Clock;
use headwater_ports::edge::Edge;
use headwater_ports::origin::Origin;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::config::{self, Config, OriginKind};
use crate::terminal::news;

/// After this long a profile is old: vendors change what their origins do.
const PROFILE_LASTS: Duration = Duration::from_hours(7 * 24);

/// How often a running service looks whether a profile is old.
const LOOK: Duration = Duration::from_mins(10);

/// An origin that was opened.
#[derive(Clone)]
pub(crate) enum Opened {
    /// A local folder.
    Directory(Arc<DirectoryOrigin>),
    /// A bucket.
    S3(Arc<S3Origin>),
}

impl Opened {
    /// Opens one origin with what is known of it, and asks it nothing.
    pub(crate) async fn open(
        origin: &config::Origin,
        catalog: &dyn Catalog,
    ) -> anyhow::Result<Self> {
        match &origin.kind {
            OriginKind::Directory { path, public_url } => {
                let path = std::path::absolute(path)
                    .with_context(|| format!("find the folder of origin {}", origin.name))?;
                let opened = DirectoryOrigin::open(&origin.name, &path)?;
                Ok(Opened::Directory(Arc::new(opened.with_public_url(public_url.clone()))))
            }
            OriginKind::S3(settings) => {
                let known = catalog.profile(&origin.name, &identity(settings)).await?;
                let profile = known.map(|(profile, _)| profile).unwrap_or_default();
                Ok(Opened::S3(Arc::new(S3Origin::new(settings.clone(), profile).await)))
            }
        }
    }

    /// It as the engine sees it.
    pub(crate) fn origin(&self) -> Arc<dyn Origin> {
        match self {
            Opened::Directory(origin) => origin.clone(),
            Opened::S3(origin) => origin.clone(),
        }
    }

    /// Finds out whether it can be stored to, or only read, and its profile when that is not known or old.
    async fn check(
        &self,
        stores: bool,
        catalog: &dyn Catalog,
        clock: &dyn Clock,
    ) -> anyhow::Result<()> {
        // A folder that cannot be written to has failed to open.
        let Opened::S3(origin) = self else { return Ok(()) };
        let reached = if stores { origin.reach().await } else { origin.reach_to_read().await };
        match reached {
            // What is made for it waits until there is room, and its profile does so too.
            Err(unusable) if unusable.is_full => {
                news(&format!("warning: {}", said(unusable)));
                return Ok(());
            }
            reached => reached.map_err(said)?,
        }
        match self.keep_up(catalog, clock).await {
            // Where nothing may be stored, its word counts for nothing, and everything is read back.
            Err(error) if !stores => news(&format!("warning: {error:#}")),
            kept => kept?,
        }
        Ok(())
    }

    /// Goes by what is known of it by now, and probes it when that is nothing, or old.
    async fn keep_up(&self, catalog: &dyn Catalog, clock: &dyn Clock) -> anyhow::Result<()> {
        let Opened::S3(origin) = self else { return Ok(()) };
        let known = catalog.profile(origin.name(), &identity(origin.settings())).await?;
        let Some((profile, at)) = known else {
            return probe(origin, catalog).await?.map(drop).map_err(said);
        };
        // Another process may have probed it since.
        take(origin, profile);
        let lasts = i64::try_from(PROFILE_LASTS.as_millis()).unwrap_or(i64::MAX);
        if at.plus_ms(lasts) <= clock.now()
            && let Err(unusable) = probe(origin, catalog).await?
        {
            // What was found a week ago is a better guess than nothing, and the origin can be worked with.
            warn!(
                origin = origin.name(),
                why = unusable.problem,
                "not probed again: it goes by what was found before"
            );
        }
        Ok(())
    }
}

/// Asks an origin everything, keeps what it answered and goes by it from now on. What is wrong with the catalog is an
/// error; with the origin, an answer.
pub(crate) async fn probe(
    origin: &S3Origin,
    catalog: &dyn Catalog,
) -> anyhow::Result<Result<Profile, Unusable>> {
    let profile = match origin.probe().await {
        Ok(profile) => profile,
        Err(unusable) => return Ok(Err(unusable)),
    };
    catalog.keep_profile(origin.name(), &identity(origin.settings()), &profile).await?;
    info!(origin = origin.name(), grade = grade(profile.grade()), "probed");
    take(origin, profile.clone());
    Ok(Ok(profile))
}

/// Takes an origin to behave like this from now on.
fn take(origin: &S3Origin, profile: Profile) {
    let before = origin.profile();
    if *before == profile {
        return;
    }
    if before.grade() != profile.grade() && !before.answers.is_empty() {
        warn!(
            origin = origin.name(),
            before = grade(before.grade()),
            now = grade(profile.grade()),
            "the origin's word is worth something else than before"
        );
    }
    origin.goes_by(profile);
}

/// What a command needs of the origins before it begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Need {
    /// Nothing: they are not asked.
    Nothing,
    /// That titles can be published: what the policy asks for can be listed, read, stored to and deleted from. One that
    /// is full counts: what is made waits until there is room.
    Publishing,
    /// That titles can be proven: what the policy asks for can be listed and read.
    Proving,
    /// That this one can be listed and read.
    Only(String),
    /// Nothing, and yet those that cannot be listed and read are named. With names, only of these.
    Whatever(Vec<String>),
}

impl Need {
    /// Whether the origin of this name matters.
    fn concerns(&self, name: &str) -> bool {
        match self {
            Need::Nothing => false,
            Need::Publishing | Need::Proving => true,
            Need::Only(only) => only == name,
            Need::Whatever(names) => names.is_empty() || names.iter().any(|it| it == name),
        }
    }

    /// Whether it is met when the origins `usable` can be used.
    fn is_met_by(&self, usable: &[&str], policy: &Policy) -> bool {
        match self {
            Need::Nothing | Need::Whatever(_) => true,
            Need::Publishing | Need::Proving => {
                let holds = |name: &&str| policy.origins.iter().any(|origin| origin == name);
                let usable: Vec<&str> = usable.iter().copied().filter(holds).collect();
                policy.is_met_by(&usable)
            }
            Need::Only(only) => usable.contains(&only.as_str()),
        }
    }
}

/// Opens all origins. Those that are not as needed are an error that says why, of all of them at once and within ten
/// seconds, or two minutes more for one that has to be probed, unless the others are enough.
pub(crate) async fn open_all(
    config: &Config,
    catalog: &dyn Catalog,
    clock: &dyn Clock,
    need: &Need,
) -> anyhow::Result<Vec<Opened>> {
    let mut opened = Vec::new();
    for origin in &config.origins {
        opened.push(Opened::open(origin, catalog).await?);
    }
    let stores = *need == Need::Publishing;
    let named: Vec<(&str, &Opened)> =
        config.origins.iter().map(|origin| origin.name.as_str()).zip(&opened).collect();
    let asked = named.into_iter().filter(|(name, _)| need.concerns(name));
    let checks =
        asked.map(async |(name, origin)| (name, origin.check(stores, catalog, clock).await));
    let (mut usable, mut problems) = (Vec::new(), Vec::new());
    for (name, check) in join_all(checks).await {
        match check {
            Ok(()) => usable.push(name),
            Err(error) => problems.push(format!("{error:#}")),
        }
    }
    if !need.is_met_by(&usable, &config.policy) {
        if problems.is_empty() {
            // An origin that is not configured: whoever asks for it says so better.
            return Ok(opened);
        }
        return Err(anyhow!(problems.join("\n\n")));
    }
    // The others are enough: what is missing there is put right when it is back.
    for problem in problems {
        news(&format!("warning: {problem}"));
    }
    Ok(opened)
}

/// The edges, by the names of the origins that they are in front of. Asks them nothing.
pub(crate) fn edges(config: &Config) -> anyhow::Result<BTreeMap<String, Arc<dyn Edge>>> {
    let mut edges: BTreeMap<String, Arc<dyn Edge>> = BTreeMap::new();
    for origin in &config.origins {
        let Some(edge) = &origin.edge else { continue };
        let purge = edge.purge.as_ref().map(|purge| Purge {
            method: purge.method.clone(),
            url: purge.url.clone(),
            body: purge.body.clone(),
            token: purge.token.as_ref().map(|token| token.expose().to_owned()),
        });
        edges.insert(origin.name.clone(), Arc::new(HttpEdge::new(&edge.url, purge)?));
    }
    Ok(edges)
}

/// Keeps up with what is known of origins, and probes them again when that is old, until `stop`.
pub(crate) async fn keep_profiles(
    origins: &[Opened],
    catalog: &dyn Catalog,
    clock: &dyn Clock,
    stop: CancellationToken,
) {
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(LOOK) => {}
        }
        for origin in origins {
            // One that is away now is said so by whoever needs it.
            if let Err(error) = origin.keep_up(catalog, clock).await {
                warn!(%error, "it could not be found out how an origin behaves by now");
            }
        }
    }
}

/// What is wrong with an origin, with what to do about it.
pub(crate) fn said(unusable: Unusable) -> anyhow::Error {
    anyhow!("{unusable}\nhint: {}", unusable.hint)
}

/// What a profile belongs to: everything that makes another origin of it, and no secret.
pub(crate) fn identity(settings: &S3Settings) -> String {
    let S3Settings { bucket, prefix, endpoint, region, path_style, storage_class, .. } = settings;
    let mut text = format!("{bucket}/{prefix}");
    for part in [endpoint, region, storage_class] {
        // Writing to a string does not fail.
        let _ = write!(text, " {}", part.as_deref().unwrap_or("-"));
    }
    if *path_style { text + " path" } else { text }
}

/// A grade as a letter.
pub(crate) fn grade(grade: ProofGrade) -> &'static str {
    match grade {
        ProofGrade::A => "A",
        ProofGrade::B => "B",
        ProofGrade::C => "C",
    }
}

#[cfg(test)]
mod tests;
