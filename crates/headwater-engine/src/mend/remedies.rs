//! Says what healing would do, without doing it.

use std::collections::BTreeSet;

use headwater_model::finding::{Finding, FindingKind};
use headwater_model::id::{Sha256, Tenant, TitleId};
use headwater_model::incident::At;
use headwater_model::key::PackageId;
use headwater_model::task::Failure;
use headwater_ports::catalog::CatalogError;
use headwater_ports::edge::Way;
use serde::Serialize;

use super::read_inventory_object;
use super::sources::Sources;
use crate::life::{Engine, Ports};
use crate::master::{self, Opened};
use crate::verify::{self, Pointers, VerifyError};

/// What would be done about a finding.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Remedy {
    /// What is wrong.
    #[serde(flatten)]
    pub finding: Finding,
    /// What would be done, in a few words.
    #[serde(rename = "remedy")]
    pub what: String,
}

impl Engine {
    /// What healing would do about what viewers of a title get. Changes nothing, and notes nothing.
    pub async fn remedies(
        &self,
        tenant: &Tenant,
        title: &TitleId,
    ) -> Result<Vec<Remedy>, VerifyError> {
        let ports = self.ports();
        let package = verify::live(ports, tenant, title).await?;
        let (record, expected) = verify::sealed(ports, &package).await?;
        let ports = &ports.held_to(record.plan.as_ref());
        let pointers = Pointers::of(&record);
        let proofs = verify::prove_everywhere(ports, &package, expected, &pointers).await?;
        let findings: Vec<Finding> = proofs.into_iter().flat_map(|proof| proof.findings).collect();
        if findings.is_empty() {
            // Nobody needs the master, and its archive need not be asked.
            return Ok(Vec::new());
        }
        let inventory = read_inventory_object(ports, &package, expected).await;
        let build = ports.transcoder.engine().await.ok();
        let same_build = build == record.plan.as_ref().map(|plan| plan.engine.clone());
        let master = match &record.plan {
            Some(plan) => whence(ports, &package, plan.master).await?,
            None => Whence::default(),
        };
        let mut remedies = Vec::new();
        let all: BTreeSet<At> = findings.iter().map(At::of).collect();
        for finding in findings {
            let what = match (&inventory, &record.plan) {
                _ if finding.kind.is_of_edge() => on_edge(ports, &finding),
                _ if !finding.kind.is_loss() => "a person has to look at this".to_owned(),
                _ if package.pointers().iter().any(|key| key.as_str() == finding.object) => {
                    "would be written again".to_owned()
                }
                (Some((inventory, own)), Some(plan)) => {
                    let (inventory, own) = (inventory.clone(), own.clone());
                    let sources = Sources::new(ports, &package, plan, inventory, own, true);
                    sources.remedy(&finding, &all, &master, same_build).await
                }
                (None, _) => master.again(match same_build {
                    true => "with the whole package: no origin has the inventory",
                    false => {
                        "as a whole new version: no origin has the inventory, and another build made it"
                    }
                }),
                (_, None) => "a person has to look at this: the catalog has no plan".to_owned(),
            };
            remedies.push(Remedy { finding, what });
        }
        Ok(remedies)
    }
}

/// Where a master would be read from, or why that cannot be.
#[derive(Default)]
pub(super) struct Whence {
    from: String,
    missing: Option<String>,
}

impl Whence {
    /// What would be made again, and how.
    pub(super) fn again(&self, what: &str) -> String {
        match &self.missing {
            None => format!("would be made again from {}: {what}", self.from),
            Some(why) => format!("would have to be made again, and cannot be: {why}"),
        }
    }
}

/// Looks for a master as the tasks would that read it, without reading it.
async fn whence(
    ports: &Ports,
    package: &PackageId,
    sha256: Sha256,
) -> Result<Whence, CatalogError> {
    let path = ports.catalog.making(package).await?.map(|it| it.master_path).unwrap_or_default();
    let gone = match path.is_empty() {
        true => "nobody knows where the master is, since the catalog was rebuilt".to_owned(),
        false => match look(ports, &path).await {
            Ok(_) => return Ok(Whence { from: "the master".to_owned(), missing: None }),
            Err(failure) => failure.refusal.message,
        },
    };
    let Some(archive) = ports.stores.archive() else {
        return Ok(Whence { missing: Some(gone), ..Whence::default() });
    };
    let name = archive.name();
    let known = ports.catalog.master(&package.tenant, sha256).await?;
    let copy = known.as_ref().and_then(|known| known.copy_on(name));
    let missing = match copy {
        None => Some(format!("{gone}, and origin {name} has no copy of it")),
        Some((copy, _)) => match archive.head(&copy.key).await {
            Ok(Some(_)) => None,
            Ok(None) => Some(format!("{gone}, and its copy on origin {name} is missing")),
            Err(error) => Some(format!(
                "{gone}, and origin {name} does not say whether it has the copy: {error}"
            )),
        },
    };
    Ok(Whence { from: format!("the master's copy on origin {name}"), missing })
}

async fn look(ports: &Ports, path: &str) -> Result<Opened, Failure> {
    master::open(&*ports.masters, &master::address(path)?).await
}

/// What would be done about what an edge gives.
fn on_edge(ports: &Ports, finding: &Finding) -> String {
    let purges = ports.stores.edge_of(&finding.origin).is_some_and(|edge| edge.purges());
    match &finding.kind {
        FindingKind::NotOnEdge { way: Way::Cached, .. }
        | FindingKind::OtherOnEdge { way: Way::Cached, .. } => match purges {
            true => "would be purged from the edge".to_owned(),
            false => "a person has to purge it, or its cache to forget it: no purge is configured"
                .to_owned(),
        },
        _ => "a person has to find out why the edge does not give what its origin has".to_owned(),
    }
}
