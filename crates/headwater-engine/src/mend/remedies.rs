//! Says what healing would do, without doing it.

use std::collections::BTreeSet;

use headwater_model::finding::{Finding, FindingKind};
use headwater_model::id::{Tenant, TitleId};
use headwater_model::incident::At;
use headwater_ports::edge::Way;
use serde::Serialize;

use super::read_inventory_object;
use super::sources::Sources;
use crate::life::{Engine, Ports};
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
        let inventory = read_inventory_object(ports, &package, expected).await;
        let build = ports.transcoder.engine().await.ok();
        let same_build = build == record.plan.as_ref().map(|plan| plan.engine.clone());
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
                    sources.remedy(&finding, &all, same_build).await
                }
                (None, _) if same_build => {
                    "would be made again with the whole package: no origin has the inventory"
                        .to_owned()
                }
                (None, _) => {
                    "would be made again as a whole new version: no origin has the inventory, and another build made it"
                        .to_owned()
                }
                (_, None) => "a person has to look at this: the catalog has no plan".to_owned(),
            };
            remedies.push(Remedy { finding, what });
        }
        Ok(remedies)
    }
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
