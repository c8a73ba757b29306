//! Collects what nobody needs any more: versions that viewers no longer get, after a delay (R6), and that no version that
//! stays refers to, going by the inventories of all that stay, and no pointer leads to.
//!
//! Before its first object is deleted a version is condemned in the catalog, which does so only if nothing has happened
//! to the title since it was looked at. From then on nobody can be given the version again, and whoever collects next
//! goes on where this one was stopped.

use std::collections::BTreeSet;

use futures_util::stream::{self, StreamExt};
use headwater_model::audit::{Content, Held, Holding, Standing};
use headwater_model::id::{Tenant, Version};
use headwater_model::key::{INVENTORY_NAME, ObjectKey, PackageId};
use headwater_model::time::Timestamp;
use headwater_ports::catalog::CatalogError;
use headwater_ports::origin::{Origin, OriginError, OriginErrorKind};
use serde::Serialize;
use thiserror::Error;
use tracing::{info, warn};

use crate::life::Engine;
use crate::{mend, rebuild};

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
    /// Finds packages that viewers no longer get since `before`, but for the `keep` newest of each title that they have
    /// had, and calls `found` for each; with `delete`, they are deleted from every origin: the inventory last, so that what
    /// was interrupted is found again.
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
        title: &Holding,
        before: Timestamp,
        keep: usize,
        delete: bool,
        found: &(dyn Fn(&Unneeded) + Send + Sync),
    ) -> Result<(), GcError> {
        let ports = self.ports();
        // Titles before it may have taken hours.
        let Some(seen) = ports.catalog.holding(&title.tenant, &title.title).await? else {
            return Ok(());
        };
        let unneeded = seen.unneeded(before, keep);
        // What is being made may refer to any version before it.
        let in_the_making = |held: &Held| held.content == Content::InTheMaking;
        if unneeded.is_empty() || seen.versions.iter().any(in_the_making) {
            return Ok(());
        }
        // Whatever stays keeps what it refers to.
        let mut needed = BTreeSet::new();
        for held in seen.versions.iter().filter(|held| !unneeded.contains(&held.version)) {
            let Content::Sealed { inventory, .. } = &held.content else { continue };
            let package = seen.package(held.version);
            let Some(inventory) = mend::read_inventory(ports, &package, *inventory).await else {
                warn!(%package, "nothing collected: what stays is not known");
                return Ok(());
            };
            needed.extend(inventory.objects.iter().filter_map(|object| object.version));
        }
        needed.extend(self.pointed_at(&seen).await?);
        let doomed: Vec<Version> =
            unneeded.into_iter().filter(|version| !needed.contains(version)).collect();
        if delete && !doomed.is_empty() && !ports.catalog.condemn(&seen, &doomed).await? {
            info!(title = %seen.title, "not collected now: something is being done about it");
            return Ok(());
        }
        for version in doomed {
            self.collect_one(&seen, version, delete, found).await?;
        }
        Ok(())
    }

    /// Versions that the title's pointers name on any origin. Where one was away when viewers were given a newer version,
    /// its pointers lead to what was before, and its viewers still get that.
    ///
    /// Asked before anything is condemned: pointers lead to an older version again only by a task of that version, which
    /// keeps the title from being condemned as long as it is open, and once it is done viewers have that version.
    async fn pointed_at(&self, title: &Holding) -> Result<BTreeSet<Version>, GcError> {
        let mut named = BTreeSet::new();
        for origin in self.ports().stores.iter() {
            // Pointers have the same keys whatever version they lead to.
            for key in title.package(Version(0)).pointers() {
                let versions = match origin.get(&key, None).await {
                    Ok(body) => rebuild::versions_in(&body),
                    Err(error) if error.kind == OriginErrorKind::NotFound => continue,
                    Err(error) => return Err(error.into()),
                };
                let leads = versions.iter().max();
                if leads.is_some_and(|leads| title.live.is_none_or(|live| *leads < live)) {
                    warn!(origin = origin.name(), %key, "leads to an older version: heal the title");
                }
                named.extend(versions);
            }
        }
        Ok(named)
    }

    async fn collect_one(
        &self,
        title: &Holding,
        version: Version,
        delete: bool,
        found: &(dyn Fn(&Unneeded) + Send + Sync),
    ) -> Result<(), GcError> {
        let (ports, package) = (self.ports(), title.package(version));
        let held = title.versions.iter().find(|held| held.version == version);
        let Some((Content::Sealed { inventory, .. }, standing)) =
            held.map(|held| (&held.content, held.standing))
        else {
            return Ok(());
        };
        let Some((inventory, own)) = mend::read_inventory_object(ports, &package, *inventory).await
        else {
            if delete && standing == Standing::Condemned && self.is_gone(&package).await? {
                ports.catalog.forget(&package).await?;
            } else {
                warn!(%package, "not collected: no origin gives its inventory");
            }
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

    /// Whether a condemned package has lost its inventory everywhere. That is deleted last of its objects on each origin,
    /// so all of them are gone, and who deleted them was stopped before the catalog heard of it.
    async fn is_gone(&self, package: &PackageId) -> Result<bool, OriginError> {
        for origin in self.ports().stores.iter() {
            if origin.head(&package.key(INVENTORY_NAME)).await?.is_some() {
                return Ok(false);
            }
        }
        Ok(true)
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
