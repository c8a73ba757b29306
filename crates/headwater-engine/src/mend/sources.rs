//! Where objects of a package can be had from that an origin lost: another origin, the inventory, an edge; and which task
//! makes them.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use futures_util::stream::{self, StreamExt};
use headwater_model::finding::{Finding, FindingKind};
use headwater_model::id::Version;
use headwater_model::incident::{At, How, Mended};
use headwater_model::inventory::{Inventory, Object, ObjectRole};
use headwater_model::key::{CACHE_FOREVER, INVENTORY_NAME, ObjectKey, PackageId};
use headwater_model::plan::Plan;
use headwater_model::task::TaskKind;
use headwater_ports::edge::Way;
use headwater_ports::origin::{Before, Origin, OriginError, Put};
use tracing::{info, warn};

use super::remedies::Whence;
use crate::life::Ports;
use crate::stores::Stores;
use crate::{hash, seal, through_edge, verify};

/// Objects that are copied at once. Each is in memory whole, some 10 MB at the very most.
const COPIES: usize = 8;

/// Where objects of one package can be had from.
pub(super) struct Sources<'p> {
    ports: &'p Ports,
    package: &'p PackageId,
    plan: &'p Plan,
    /// Every object that can be put right, the inventory included, by its key.
    objects: BTreeMap<String, Object>,
    inventory: Inventory,
    /// Viewers get this package.
    are_live: bool,
}

impl<'p> Sources<'p> {
    pub(super) fn new(
        ports: &'p Ports,
        package: &'p PackageId,
        plan: &'p Plan,
        inventory: Inventory,
        own: Object,
        are_live: bool,
    ) -> Self {
        let mut objects: BTreeMap<String, Object> =
            inventory.objects.iter().map(|o| (package.key_of(o).into(), o.clone())).collect();
        objects.insert(package.key(INVENTORY_NAME).into(), own);
        Self { ports, package, plan, objects, inventory, are_live }
    }

    /// Does what can be done without a transcoder, and says what was done.
    pub(super) async fn mend_objects(&self, findings: &[Finding]) -> Vec<Mended> {
        let rendered = self.rendered().await;
        let rendered = &rendered;
        let work = findings.iter().map(|finding| async move {
            let how = match &finding.kind {
                FindingKind::NotOnEdge { way: Way::Cached, .. }
                | FindingKind::OtherOnEdge { way: Way::Cached, .. } => self.purge(finding).await?,
                kind if kind.is_loss() => self.replace(finding, rendered).await?,
                _ => return None,
            };
            info!(origin = finding.origin, object = finding.object, %how, "put right");
            Some(Mended { origin: finding.origin.clone(), object: finding.object.clone(), how })
        });
        let done: Vec<Option<Mended>> =
            stream::iter(work).buffer_unordered(COPIES).boxed().collect().await;
        done.into_iter().flatten().collect()
    }

    /// Has an edge forget what it should not have.
    async fn purge(&self, finding: &Finding) -> Option<How> {
        let key = ObjectKey::new(&finding.object)?;
        self.ports.stores.purge(&finding.origin, &key).await.then_some(How::Purged)
    }

    /// Stores anew what an origin lost.
    async fn replace(&self, finding: &Finding, rendered: &BTreeMap<String, Bytes>) -> Option<How> {
        let origin = self.ports.stores.iter().find(|o| o.name() == finding.origin)?;
        let object = self.objects.get(&finding.object)?;
        let key = self.package.key_of(object);
        let (body, how) = self.find(origin.name(), object, rendered).await?;
        if let Err(error) = store(&self.ports.stores, &**origin, key, body).await {
            warn!(origin = origin.name(), object = finding.object, %error, "not put right");
            return None;
        }
        Some(how)
    }

    /// The bytes of an object from an origin other than `wrong`, rendered again, or from an edge that still has them.
    async fn find(
        &self,
        wrong: &str,
        object: &Object,
        rendered: &BTreeMap<String, Bytes>,
    ) -> Option<(Bytes, How)> {
        let key = self.package.key_of(object);
        for origin in self.ports.stores.iter().filter(|o| o.name() != wrong) {
            let Ok(body) = origin.get(&key, None).await else { continue };
            if hash::sha256_of(body.clone()).await == object.sha256 {
                return Some((body, How::Copied { from: origin.name().to_owned() }));
            }
        }
        if let Some(text) = rendered.get(&object.path) {
            return Some((text.clone(), How::Rendered));
        }
        // Before a package is live no cache can have anything of it, and asking would teach it that there is nothing.
        let edges = self.ports.stores.edges().filter(|_| self.are_live);
        for edge in edges {
            if let Some(body) = through_edge::read(&**edge, &key, object).await {
                return Some((body, How::FromEdge));
            }
        }
        None
    }

    /// Playlists, MPD and plan by path, rendered from the inventory, where they come out as the inventory has them.
    async fn rendered(&self) -> BTreeMap<String, Bytes> {
        let (package, plan) = (self.package.clone(), self.plan.clone());
        let inventory = self.inventory.clone();
        hash::compute(move || {
            let codecs = inventory.header.codecs();
            let kept = |o: &&Object| o.role.rendition().is_some() || o.version.is_some();
            let media = inventory.objects.iter().filter(kept);
            let sealed = seal::render(&package, &plan, media.cloned().collect(), &codecs);
            let manifests = sealed.map(|sealed| sealed.manifests).unwrap_or_default();
            let known = |object: &Object| inventory.objects.contains(object);
            let same = manifests.into_iter().filter(|(object, _)| known(object));
            same.map(|(object, text)| (object.path, text.into())).collect()
        })
        .await
    }

    /// What would be done about one loss, `all` being whatever was found wrong anywhere.
    pub(super) async fn remedy(
        &self,
        finding: &Finding,
        all: &BTreeSet<At>,
        master: &Whence,
        same_build: bool,
    ) -> String {
        let Some(object) = self.objects.get(&finding.object) else {
            return "a person has to look at this: it is not in the inventory".to_owned();
        };
        let key = self.package.key_of(object);
        let is_wrong = |name: &str| {
            let (origin, object) = (name.to_owned(), finding.object.clone());
            all.contains(&At { origin, object })
        };
        for origin in self.ports.stores.iter().filter(|o| !is_wrong(o.name())) {
            if verify::is_sound(&**origin, &key, object).await {
                return format!("would be copied from origin {}", origin.name());
            }
        }
        for edge in self.ports.stores.edges() {
            if through_edge::read(&**edge, &key, object).await.is_some() {
                return "would be copied from an edge, which still has it".to_owned();
            }
        }
        match maker_of(self.plan, object) {
            Some(task) if same_build => master.again(&task.to_string()),
            Some(task) => master.again(&format!(
                "{task}; another build made it, and if this one makes other bytes, the whole rendition as a new version"
            )),
            None => "would be rendered again".to_owned(),
        }
    }

    /// Older versions that hold something of this one that is lost: it is for them to make it again.
    pub(super) fn lost_elsewhere(&self, findings: &[Finding]) -> BTreeSet<Version> {
        let lost = findings.iter().filter(|f| f.kind.is_loss());
        lost.filter_map(|f| self.objects.get(&f.object)?.version).collect()
    }

    /// What the package itself holds that is lost on some origin and could not be put right.
    pub(super) fn gone(&self, findings: &[Finding]) -> Vec<Object> {
        let lost = findings.iter().filter(|f| f.kind.is_loss());
        let objects = lost.filter_map(|f| self.objects.get(&f.object));
        objects.filter(|object| object.version.is_none()).cloned().collect()
    }
}

/// The task that makes an object; none of a manifest.
pub(super) fn maker_of(plan: &Plan, object: &Object) -> Option<TaskKind> {
    let audio = |rendition: &str| {
        let n = plan.audio.iter().position(|audio| audio.name == rendition)?;
        Some(TaskKind::Audio(u32::try_from(n).ok()?))
    };
    match &object.role {
        // Every span makes them, all the same.
        ObjectRole::Init { rendition } => audio(rendition).or(Some(TaskKind::Span(0))),
        ObjectRole::Segment { rendition, number, .. }
        | ObjectRole::Transport { rendition, number, .. } => audio(rendition).or_else(|| {
            let n = plan.spans.iter().rposition(|span| span.first_segment <= *number)?;
            Some(TaskKind::Span(u32::try_from(n).ok()?))
        }),
        ObjectRole::Picture { .. } => plan.pictures.as_ref().map(|_| TaskKind::Pictures),
        ObjectRole::Text { rendition, .. } => {
            let n = plan.text.iter().position(|text| text.name == *rendition)?;
            Some(TaskKind::Text(u32::try_from(n).ok()?))
        }
        ObjectRole::Manifest | ObjectRole::Plan => None,
    }
}

/// Stores an object of a package that one origin lost.
pub(crate) async fn store(
    stores: &Stores,
    origin: &dyn Origin,
    key: ObjectKey,
    body: Bytes,
) -> Result<(), OriginError> {
    let hash::Digests { sha256, md5, .. } = hash::digests_of(body.clone()).await;
    let (cache_control, before) = (CACHE_FOREVER, Before::Anything);
    origin.put(Put { key: key.clone(), body, sha256, md5, cache_control, before }).await?;
    // Meanwhile the cache may have learnt that there is nothing, or what was wrong.
    stores.purge(origin.name(), &key).await;
    Ok(())
}
