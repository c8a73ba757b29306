//! Collects what nobody needs any more: versions that viewers no longer get, after a delay (R6). Nothing is deleted that
//! the live package has, whatever the catalog says about versions: each deletion is checked against the live inventory.

use std::collections::BTreeSet;

use futures_util::stream::{self, StreamExt};
use headwater_model::audit::{Content, Holding};
use headwater_model::id::Tenant;
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
                for version in holding.unneeded(before, keep) {
                    let package = holding.package(version);
                    self.collect_one(holding, &package, delete, found).await?;
                }
            }
        }
    }

    async fn collect_one(
        &self,
        holding: &Holding,
        package: &PackageId,
        delete: bool,
        found: &(dyn Fn(&Unneeded) + Send + Sync),
    ) -> Result<(), GcError> {
        let ports = self.ports();
        let objects = async |version| match content_of(holding, version) {
            Some(Content::Sealed { inventory, .. }) => {
                let package = holding.package(version);
                mend::read_inventory_object(ports, &package, *inventory).await
            }
            _ => None,
        };
        let Some((inventory, own)) = objects(package.version).await else {
            warn!(%package, "not collected: no origin has its inventory");
            return Ok(());
        };
        // What it has from older versions is theirs.
        let own_objects = inventory.objects.iter().filter(|object| object.version.is_none());
        let mut keys: BTreeSet<ObjectKey> =
            own_objects.map(|object| package.key_of(object)).collect();
        if let Some(live) = holding.live {
            let Some((needed, _)) = objects(live).await else {
                warn!(%package, "not collected: what viewers get is not known");
                return Ok(());
            };
            let live = holding.package(live);
            if needed.objects.iter().any(|object| object.version == Some(package.version)) {
                return Ok(());
            }
            for object in &needed.objects {
                keys.remove(&live.key_of(object));
            }
        }
        let bytes = inventory.objects.iter().filter(|o| keys.contains(&package.key_of(o)));
        found(&Unneeded {
            package: package.clone(),
            objects: keys.len() as u64 + 1,
            bytes: bytes.map(|object| object.bytes).sum::<u64>() + own.bytes,
        });
        if delete {
            for origin in ports.stores.iter() {
                delete_all(&**origin, &keys).await?;
                origin.delete(&package.key(INVENTORY_NAME)).await?;
            }
            ports.catalog.forget(package).await?;
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

fn content_of(holding: &Holding, version: headwater_model::id::Version) -> Option<&Content> {
    holding.versions.iter().find(|held| held.version == version).map(|held| &held.content)
}
