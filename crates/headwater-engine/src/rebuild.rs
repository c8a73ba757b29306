//! Rebuilds an empty catalog from one origin alone: titles, packages, inventories and pointers (R7).
//!
//! Everything that is taken over is read: each inventory, the plan that the package was made by, and the pointers, which
//! say what viewers get. Whether the origin still has all objects is for the audit that follows.

use std::collections::BTreeSet;

use bytes::Bytes;
use headwater_model::id::{Sha256, Tenant, TitleId, Version};
use headwater_model::inventory::{Inventory, Object, ObjectRole};
use headwater_model::key::{INVENTORY_NAME, ObjectKey, PLAN_NAME, PackageId};
use headwater_model::life::{PackageRecord, Restored, RestoredPackage};
use headwater_model::plan::Plan;
use headwater_model::quality::Seen;
use headwater_packaging::inventory;
use headwater_ports::catalog::{Catalog, CatalogError};
use headwater_ports::origin::{Origin, OriginError, OriginErrorKind};
use thiserror::Error;

use crate::life::Engine;
use crate::publish::render;
use crate::{archive, hash, verify};

/// The highest number that a version has here. A title that is made again every minute reaches it in a thousand years, so
/// a folder with a higher one is not ours, and there is always a next number.
const MAX_VERSION: u32 = 1_000_000_000;

/// What a rebuild took over.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Rebuilt {
    /// Titles.
    pub titles: u64,
    /// Packages.
    pub packages: u64,
    /// Their objects.
    pub objects: u64,
    /// Copies of masters that the archive has. None of them is proven.
    pub masters: u64,
    /// What could not be taken over, a sentence each.
    pub problems: Vec<String>,
}

/// Why nothing was rebuilt.
#[derive(Debug, Error)]
pub enum RebuildError {
    /// There is no such origin.
    #[error("there is no origin `{0}` that holds packages")]
    NoSuchOrigin(String),
    /// The catalog knows titles already.
    #[error("the catalog is not empty: it has title `{0}`")]
    NotEmpty(TitleId),
    /// The catalog failed.
    #[error(transparent)]
    Catalog(#[from] CatalogError),
    /// The origin failed.
    #[error(transparent)]
    Origin(#[from] OriginError),
}

/// Name of the checkpoint that is there while a tenant's titles are taken over, and after that was stopped until it is done
/// again.
fn under_way(tenant: &Tenant) -> String {
    format!("rebuild/{tenant}")
}

/// The origin that the titles of `tenant` are being taken over from, or were until that was stopped; `None` when the catalog
/// is whole.
pub async fn source(
    catalog: &dyn Catalog,
    tenant: &Tenant,
) -> Result<Option<String>, CatalogError> {
    Ok(catalog.checkpoint(&under_way(tenant)).await?.map(|(origin, _)| origin))
}

impl Engine {
    /// Fills an empty catalog from `origin`. A rebuild that was stopped can be done again: it looks at everything anew and
    /// takes over what is not known yet.
    pub async fn rebuild(&self, tenant: &Tenant, origin: &str) -> Result<Rebuilt, RebuildError> {
        let ports = self.ports();
        let found = ports.stores.iter().find(|o| o.name() == origin);
        let origin = found.ok_or_else(|| RebuildError::NoSuchOrigin(origin.to_owned()))?;
        let under_way = under_way(tenant);
        let stopped = ports.catalog.checkpoint(&under_way).await?;
        if stopped.is_none_or(|(of, _)| of != origin.name())
            && let Some(title) = ports.catalog.titles(tenant, 1).await?.first()
        {
            return Err(RebuildError::NotEmpty(title.title.clone()));
        }
        ports.catalog.keep_checkpoint(&under_way, Some(origin.name())).await?;
        let mut rebuilt = Rebuilt::default();
        let mut listed: Option<Found> = None;
        let (prefix, mut after) = (format!("{tenant}/"), None);
        loop {
            let page = origin.list(&prefix, after.as_ref()).await?;
            for info in page.objects {
                let Some(title) = title_of(&prefix, &info.key) else { continue };
                if listed.as_ref().is_none_or(|found| found.title != title)
                    && let Some(done) = listed.replace(Found::new(title))
                {
                    self.restore(tenant, &**origin, done, &mut rebuilt).await?;
                }
                if let Some(found) = &mut listed {
                    found.see(&prefix, &info.key);
                }
            }
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        if let Some(done) = listed {
            self.restore(tenant, &**origin, done, &mut rebuilt).await?;
        }
        if let Some(archive) = ports.stores.archive() {
            match archive::find_copies(ports, &**archive, tenant).await? {
                Ok(found) => rebuilt.masters = found,
                Err(error) => rebuilt
                    .problems
                    .push(format!("masters on origin {} are not known: {error}", archive.name())),
            }
        }
        ports.catalog.keep_checkpoint(&under_way, None).await?;
        Ok(rebuilt)
    }

    /// Takes over one title.
    async fn restore(
        &self,
        tenant: &Tenant,
        origin: &dyn Origin,
        found: Found,
        rebuilt: &mut Rebuilt,
    ) -> Result<(), RebuildError> {
        let Found { title, versions, mut highest } = found;
        let package = |version| PackageId { tenant: tenant.clone(), title: title.clone(), version };
        let mut packages = Vec::new();
        for version in versions {
            match read_package(origin, package(version)).await? {
                Ok(read) => packages.push(read),
                Err(why) => rebuilt.problems.push(format!("{}: {why}", package(version))),
            }
        }
        let mut found = Vec::new();
        for key in package(Version(0)).pointers() {
            let body = read(origin, &key).await?;
            let leads = body.as_deref().and_then(leads_to);
            highest = highest.max(leads.unwrap_or(highest));
            found.push(FoundPointer { key, body, leads });
        }
        let known = |version: &Version| packages.iter().any(|p| p.package.version == *version);
        // The first of the two is written first, so it leads where the last publication meant to.
        let live = found.iter().filter_map(|pointer| pointer.leads).find(known);
        if live.is_none()
            && let Some(leads) = found.iter().find_map(|pointer| pointer.leads)
        {
            rebuilt
                .problems
                .push(format!("{title}: its pointers lead to {leads}, which has no inventory"));
        }
        for restored in &mut packages {
            if live == Some(restored.package.version) {
                restored.record.pointers = pointers(origin, restored, &found, rebuilt).await;
            }
            restored.record.proven_on = vec![origin.name().to_owned()];
            rebuilt.objects += restored.record.objects;
        }
        let catalog = &self.ports().catalog;
        if packages.iter().all(|p| p.package.version < highest) {
            // Caches may keep for a year what is there under names of a version that is not known any more.
            catalog.take(&package(highest)).await?;
        }
        if packages.is_empty() {
            return Ok(());
        }
        rebuilt.titles += 1;
        rebuilt.packages += packages.len() as u64;
        let restored = Restored { tenant: tenant.clone(), title, live, packages };
        // A rebuild that was stopped may have come to this one.
        if catalog.title(tenant, &restored.title).await?.is_none() {
            catalog.restore(&restored).await?;
        }
        Ok(())
    }
}

/// One of a title's pointers as it was found.
struct FoundPointer {
    key: ObjectKey,
    body: Option<Bytes>,
    leads: Option<Version>,
}

/// What the pointers of a title have to be for viewers to get `live`: as they were found where they lead there, else as
/// this build renders them, so that the next look finds that they are wrong and healing knows what they have to be.
async fn pointers(
    origin: &dyn Origin,
    live: &RestoredPackage,
    found: &[FoundPointer],
    rebuilt: &mut Rebuilt,
) -> Vec<Object> {
    let version = live.package.version;
    let mut pointers = Vec::new();
    let mut rendered = None;
    for FoundPointer { key, body, leads } in found {
        if let Some(body) = body.as_deref().filter(|_| *leads == Some(version)) {
            pointers.push(object(key.name(), body, ObjectRole::Manifest));
            continue;
        }
        if rendered.is_none() {
            rendered = Some(rendered_for(origin, live).await);
        }
        let text = rendered.iter().flatten().find(|(of, _)| of == key);
        pointers.extend(text.map(|(key, text)| object(key.name(), text, ObjectRole::Manifest)));
        let way_on = if text.is_some() { "heal the title" } else { "make the title again" };
        rebuilt.problems.push(format!(
            "`{key}` does not lead to {version}, as the title's other pointer does: {way_on}"
        ));
    }
    pointers
}

/// A title's pointers as this build renders them; none where the package's plan is not known.
async fn rendered_for(origin: &dyn Origin, live: &RestoredPackage) -> Vec<(ObjectKey, Bytes)> {
    let RestoredPackage { package, record, .. } = live;
    let (Some(plan), Some(expected)) = (record.plan.clone(), record.inventory) else {
        return Vec::new();
    };
    let Ok(inventory) = verify::inventory_on(origin, package, expected).await else {
        return Vec::new();
    };
    let package = package.clone();
    let render = move || render(&package, &plan, &inventory).map(Vec::from).unwrap_or_default();
    hash::compute(render).await
}

/// A title of which something was listed.
struct Found {
    title: TitleId,
    /// Versions that have an inventory.
    versions: Vec<Version>,
    /// The highest version that has anything.
    highest: Version,
}

impl Found {
    fn new(title: TitleId) -> Self {
        Self { title, versions: Vec::new(), highest: Version(0) }
    }

    fn see(&mut self, root: &str, key: &ObjectKey) {
        let path = key.as_str().strip_prefix(root).unwrap_or_default();
        let mut parts = path.splitn(3, '/').skip(1);
        let (Some(folder), Some(rest)) = (parts.next(), parts.next()) else { return };
        let Some(version) = version_of(folder) else { return };
        self.highest = self.highest.max(version);
        if rest == INVENTORY_NAME {
            self.versions.push(version);
        }
    }
}

fn title_of(root: &str, key: &ObjectKey) -> Option<TitleId> {
    let (title, _) = key.as_str().strip_prefix(root)?.split_once('/')?;
    title.parse().ok()
}

fn version_of(folder: &str) -> Option<Version> {
    let version = Version(folder.strip_prefix('v')?.parse().ok()?);
    (version.to_string() == folder && version.0 <= MAX_VERSION).then_some(version)
}

/// The version that a pointer leads to: the highest that it names. A version has something of its own, and refers
/// otherwise only to older ones (decision 019), in whatever order.
fn leads_to(pointer: &[u8]) -> Option<Version> {
    versions_in(pointer).into_iter().max()
}

/// Every version that a pointer names: viewers who follow it need something of each.
pub(crate) fn versions_in(pointer: &[u8]) -> BTreeSet<Version> {
    let text = String::from_utf8_lossy(pointer);
    let words = text.split(|c: char| c.is_whitespace() || matches!(c, '"' | '<' | '>'));
    words.filter_map(|word| version_of(word.split_once('/')?.0)).collect()
}

async fn read(origin: &dyn Origin, key: &ObjectKey) -> Result<Option<Bytes>, OriginError> {
    match origin.get(key, None).await {
        Ok(body) => Ok(Some(body)),
        Err(error) if error.kind == OriginErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

fn object(path: &str, body: &[u8], role: ObjectRole) -> Object {
    let hash::Digests { bytes, sha256, md5 } = hash::digests(body);
    Object { path: path.to_owned(), bytes, sha256, md5, version: None, role }
}

/// Reads what a package is, or says why it cannot be taken over.
async fn read_package(
    origin: &dyn Origin,
    package: PackageId,
) -> Result<Result<RestoredPackage, String>, OriginError> {
    let Some(body) = read(origin, &package.key(INVENTORY_NAME)).await? else {
        return Ok(Err("its inventory was listed and is not there".to_owned()));
    };
    let (sha256, parsed) =
        hash::compute(move || (hash::sha256(&body), inventory::read(&body))).await;
    let Inventory { header, objects } = match parsed {
        Ok(inventory) if inventory.header.package == package => inventory,
        Ok(other) => {
            return Ok(Err(format!("its inventory is that of `{}`", other.header.package)));
        }
        Err(error) => return Ok(Err(error.to_string())),
    };
    let plan = match objects.iter().find(|o| o.role == ObjectRole::Plan) {
        Some(object) => read_plan(origin, &package, object).await?,
        None => None,
    };
    let record = PackageRecord {
        plan,
        codecs: Vec::new(),
        seen: Seen::default(),
        inventory: Some(sha256),
        objects: header.objects,
        bytes: objects.iter().map(|o| o.bytes).sum(),
        proven_on: Vec::new(),
        pointers: Vec::new(),
    };
    Ok(Ok(RestoredPackage {
        package,
        master: header.master,
        pipeline: header.pipeline,
        pipeline_sha256: header.pipeline_sha256,
        record,
    }))
}

/// The plan, if it is the one that the inventory lists and this build understands it.
async fn read_plan(
    origin: &dyn Origin,
    package: &PackageId,
    listed: &Object,
) -> Result<Option<Plan>, OriginError> {
    let Some(body) = read(origin, &package.key(PLAN_NAME)).await? else { return Ok(None) };
    let expected: Sha256 = listed.sha256;
    let read = move || {
        let right = hash::sha256(&body) == expected;
        right.then(|| serde_json::from_slice(&body).ok()).flatten()
    };
    Ok(hash::compute(read).await)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pointer_leads_to_the_version_that_it_names() {
        let hls =
            "#EXTM3U\n#EXT-X-MEDIA:TYPE=AUDIO,URI=\"v3/audio/media.m3u8\"\nv3/video/media.m3u8\n";
        assert_eq!(leads_to(hls.as_bytes()), Some(Version(3)));
        let mpd = "<SegmentTemplate media=\"v12/$RepresentationID$/seg-$Number%05d$.m4s\"/>";
        assert_eq!(leads_to(mpd.as_bytes()), Some(Version(12)));
        let partial =
            "#EXTM3U\n#EXT-X-MEDIA:TYPE=AUDIO,URI=\"v1/audio/media.m3u8\"\nv10/a/m\nv9/b/m\n";
        assert_eq!(leads_to(partial.as_bytes()), Some(Version(10)));
        assert_eq!(versions_in(partial.as_bytes()), [1, 9, 10].map(Version).into());
        for other in ["", "#EXTM3U\n", "v/x", "vx/y", "v01/x", "v4294967295/x", "video/media.m3u8"]
        {
            assert_eq!(leads_to(other.as_bytes()), None, "{other}");
        }
    }
}
