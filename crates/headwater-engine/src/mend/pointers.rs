//! Puts a title's pointers right where an origin lost them, and only while they are those of the package that is healed.

use headwater_model::finding::Finding;
use headwater_model::id::Sha256;
use headwater_model::incident::{How, Mended};
use headwater_model::inventory::Object;
use headwater_model::key::PackageId;
use headwater_model::plan::Plan;
use headwater_model::refusal::Code;
use tracing::warn;

use crate::failure::{Halt, later};
use crate::lease::Hold;
use crate::life::Ports;
use crate::publish::Pointing;
use crate::verify::Proof;

/// What viewers get of a package's title.
pub(super) async fn live_of(ports: &Ports, package: &PackageId) -> Result<Option<PackageId>, Halt> {
    let title = ports.catalog.title(&package.tenant, &package.title).await?;
    let live = title.and_then(|title| title.live);
    Ok(live.map(|version| PackageId { version, ..package.clone() }))
}

/// A package that viewers get, whose pointers count too: they are written under this claim.
#[derive(Clone, Copy)]
pub(super) struct Live<'h>(pub(super) &'h Hold);

impl Live<'_> {
    /// Fails unless the package is still what viewers get and nobody else may write its pointers.
    async fn confirm(self, ports: &Ports, package: &PackageId) -> Result<(), Halt> {
        self.0.confirm().await?;
        match live_of(ports, package).await? {
            Some(live) if live == *package => Ok(()),
            _ => Err(later(Code::Superseded, "viewers get another version by now").into()),
        }
    }
}

/// Replaces the pointers on every origin where the package is sound and they are not: with what, and what was put right.
///
/// They are the same on every origin. Where this build renders them otherwise than the one that published the package,
/// they are wrong everywhere else from now on, and the next round sees to that.
pub(super) async fn point(
    ports: &Ports,
    live: Live<'_>,
    package: &PackageId,
    plan: &Plan,
    expected: Sha256,
    proofs: &[Proof],
) -> Result<Option<(Vec<Object>, Vec<Mended>)>, Halt> {
    let keys = package.pointers();
    let is_pointer = |f: &Finding| keys.iter().any(|key| key.as_str() == f.object);
    let mut all = None;
    for (origin, proof) in ports.stores.iter().zip(proofs) {
        if proof.findings.is_empty() || !proof.findings.iter().all(is_pointer) {
            continue;
        }
        let pointing = match Pointing::prepare(&**origin, package, plan, expected).await {
            Ok(pointing) => pointing,
            Err(failure) => {
                warn!(refusal = %failure.refusal, "pointers not put right");
                continue;
            }
        };
        live.confirm(ports, package).await?;
        match pointing.point().await {
            Ok(wrong) if wrong.is_empty() => {}
            Ok(wrong) => {
                warn!(?wrong, "pointers not put right");
                continue;
            }
            Err(failure) => {
                warn!(refusal = %failure.refusal, "pointers not put right");
                continue;
            }
        }
        for key in &keys {
            ports.stores.purge(origin.name(), key).await;
        }
        let put_right = proof.findings.iter().map(|f| Mended {
            origin: f.origin.clone(),
            object: f.object.clone(),
            how: How::Rendered,
        });
        all.get_or_insert((pointing.stored(), Vec::new())).1.extend(put_right);
    }
    Ok(all)
}
