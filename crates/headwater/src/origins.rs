//! Opens the origins and edges that the configuration names, and finds out whether they can be worked with and what their word is
//! worth before any work is done for them.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, anyhow};
use futures_util::future::join_all;
use headwater_model::origin::{Profile, ProofGrade};
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

    /// Finds out whether it can be worked with, and its profile when that is not known or old.
    async fn check(&self, catalog: &dyn Catalog, clock: &dyn Clock) -> anyhow::Result<()> {
        // A folder that cannot be written to has failed to open.
        let Opened::S3(origin) = self else { return Ok(()) };
        origin.reach().await.map_err(said)?;
        self.keep_up(catalog, clock).await
    }

    /// Goes by what is known of it by now, and probes it when that is nothing, or old.
    async fn keep_up(&self, catalog: &dyn Catalog, clock: &dyn Clock) -> anyhow::Result<()> {
        let Opened::S3(origin) = self else { return Ok(()) };
        let known = catalog.profile(origin.name(), &identity(origin.settings())).await?;
        let Some((profile, at)) = known else {
            return find_out(origin, catalog).await?.map(drop).map_err(said);
        };
        // Another process may have probed it since.
        take(origin, profile);
        let lasts = i64::try_from(PROFILE_LASTS.as_millis()).unwrap_or(i64::MAX);
        if at.plus_ms(lasts) <= clock.now()
            && let Err(unusable) = find_out(origin, catalog).await?
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

/// Asks an origin everything, keeps what it answered and goes by it from now on. An error says what is wrong without
/// naming the origin.
pub(crate) async fn probe(origin: &S3Origin, catalog: &dyn Catalog) -> anyhow::Result<Profile> {
    find_out(origin, catalog).await?.map_err(|unusable| anyhow!(unusable.problem))
}

/// The same. What is wrong with the catalog is an error; with the origin, an answer.
async fn find_out(
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

/// Opens all origins. With `checked`, origins that cannot be worked with are an error that says why, of all of them at
/// once and within ten seconds, or two minutes more for one that has to be probed, unless the others are enough for the
/// policy.
pub(crate) async fn open_all(
    config: &Config,
    catalog: &dyn Catalog,
    clock: &dyn Clock,
    checked: bool,
) -> anyhow::Result<Vec<Opened>> {
    let mut opened = Vec::new();
    for origin in &config.origins {
        opened.push(Opened::open(origin, catalog).await?);
    }
    if checked {
        let checks = join_all(opened.iter().map(|origin| origin.check(catalog, clock))).await;
        let mut usable = Vec::new();
        let mut problems = Vec::new();
        for (origin, check) in config.origins.iter().zip(checks) {
            match check {
                Ok(()) => usable.push(origin.name.as_str()),
                Err(error) => problems.push(format!("{error:#}")),
            }
        }
        let policy = &config.policy;
        usable.retain(|name| policy.origins.iter().any(|origin| origin == name));
        if !policy.is_met_by(&usable) {
            return Err(anyhow!(problems.join("\n\n")));
        }
        // The others are enough: what is missing there is put right when it is back.
        for problem in problems {
            news(&format!("warning: {problem}"));
        }
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
