//! Collects what nobody needs any more: versions that viewers no longer get, after a delay (R6), and that no version that
//! stays refers to, going by the inventories of all that stay.

use std::collections::BTreeSet;

use futures_util::stream::{self, StreamExt};
use headwater_model::audit::{Content, Held, Holding};
use headwater_model::id::{Tenant, Version};
use headwater_model::key::{INVENTORY_NAME, ObjectKey, PackageId};
use headwater_model::time::Timestamp;
use headwater_ports::catalog::CatalogError;
use headwater_ports::origin::{Origin, OriginError};
use serde::Serialize;
use thiserror::Error;
use tracing::warn;

use crate::life::Engine;
use crate::mend;

/// Titles that are read at once.
const TITLES: u32 = 64;

/// Deletions of one package under way at once.
const DELETIONS: usize = 16;

/// A package that nobody needs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Unneeded {
    /// Which.
    #[serde(flatten)]
    pub package: PackageId,
    /// Its objects, the inventory included.
    pub objects: u64,
    /// Their bytes on each origin.
    pub bytes: u64,
}

/// Why nothing more was collected.
#[derive(Debug, Error)]
pub enum GcError {
    /// The catalog failed.
    #[error(transparent)]
    Catalog(#[from] CatalogError),
    /// An origin did not delete.
    #[error(transparent)]
    Origin(#[from] OriginError),
}

impl Engine {
    /// Finds packages that viewers no longer get since `before`, but for the `keep` newest of each title, and calls
    /// `found` for each; with `delete`, they are deleted from every origin: the inventory last, so that what was
    /// interrupted is found again.
    pub async fn collect(
        &self,
        tenant: &Tenant,
        before: Timestamp,
        keep: usize,
        delete: bool,
        found: &(dyn Fn(&Unneeded) + Send + Sync),
    ) -> Result<(), GcError> {
        let mut after = None;
        loop {
            let holdings = self.ports().catalog.holdings(tenant, after.as_deref(), TITLES).await?;
            let Some(last) = holdings.last() else { return Ok(()) };
            after = Some(last.prefix());
            for holding in &holdings {
                self.collect_of(holding, before, keep, delete, found).await?;
            }
        }
    }

    /// Collects what nobody needs of one title.
    async fn collect_of(
        &self,
        holding: &Holding,
        before: Timestamp,
        keep: usize,
        delete: bool,
        found: &(dyn Fn(&Unneeded) + Send + Sync),
    ) -> Result<(), GcError> {
        let unneeded = holding.unneeded(before, keep);
        // What is being made may refer to any version before it.
        let in_the_making = |held: &Held| held.content == Content::InTheMaking;
        if unneeded.is_empty() || holding.versions.iter().any(in_the_making) {
            return Ok(());
        }
        // Whatever stays keeps what it refers to.
        let mut needed = BTreeSet::new();
        for held in holding.versions.iter().filter(|held| !unneeded.contains(&held.version)) {
            let Content::Sealed { inventory, .. } = &held.content else { continue };
            let package = holding.package(held.version);
            let Some(inventory) = mend::read_inventory(self.ports(), &package, *inventory).await
            else {
                warn!(%package, "nothing collected: what stays is not known");
                return Ok(());
            };
            needed.extend(inventory.objects.iter().filter_map(|object| object.version));
        }
        for version in unneeded.into_iter().filter(|version| !needed.contains(version)) {
            self.collect_one(holding, version, delete, found).await?;
        }
        Ok(())
    }

    async fn collect_one(
        &self,
        holding: &Holding,
        version: Version,
        delete: bool,
        found: &(dyn Fn(&Unneeded) + Send + Sync),
    ) -> Result<(), GcError> {
        let (ports, package) = (self.ports(), holding.package(version));
        let held = holding.versions.iter().find(|held| held.version == version);
        let Some(Content::Sealed { inventory, .. }) = held.map(|held| &held.content) else {
            return Ok(());
        };
        let Some((inventory, own)) = mend::read_inventory_object(ports, &package, *inventory).await
        else {
            warn!(%package, "not collected: no origin has its inventory");
            return Ok(());
        };
        // What it has from older versions is theirs.
        let objects = inventory.objects.iter().filter(|object| object.version.is_none());
        let keys: BTreeSet<ObjectKey> =
            objects.clone().map(|object| package.key_of(object)).collect();
        found(&Unneeded {
            package: package.clone(),
            objects: keys.len() as u64 + 1,
            bytes: objects.map(|object| object.bytes).sum::<u64>() + own.bytes,
        });
        if delete {
            for origin in ports.stores.iter() {
                delete_all(&**origin, &keys).await?;
                origin.delete(&package.key(INVENTORY_NAME)).await?;
            }
            ports.catalog.forget(&package).await?;
        }
        Ok(())
    }
}

async fn delete_all(origin: &dyn Origin, keys: &BTreeSet<ObjectKey>) -> Result<(), OriginError> {
    let deletions = keys.iter().map(|key| origin.delete(key));
    let mut deletions = stream::iter(deletions).buffer_unordered(DELETIONS).boxed();
    while let Some(deleted) = deletions.next().await {
        deleted?;
    }
    Ok(())
}
