//! Puts right what origins lost of a sealed package: from another origin that has the same bytes, by rendering it again,
//! or by saying which tasks have to be done again. Nothing is written but what the inventory says, checked before it is
//! sent, and nothing counts as put right before it was proven once more.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use futures_util::stream::{self, StreamExt};
use headwater_model::finding::{Finding, FindingKind};
use headwater_model::id::{Sha256, Tenant, TitleId, Version};
use headwater_model::incident::{At, How, Look, Mended};
use headwater_model::inventory::{Inventory, Object, ObjectRole};
use headwater_model::key::{CACHE_FOREVER, INVENTORY_NAME, ObjectKey, PackageId};
use headwater_model::life::work_of;
use headwater_model::plan::Plan;
use headwater_model::refusal::{Code, Refusal};
use headwater_model::task::{Claimed, Failure, Outcome, Retry, TaskKind};
use headwater_ports::edge::Way;
use headwater_ports::origin::{Before, Origin, Put};
use serde::Serialize;
use tracing::{info, warn};

use crate::failure::{Halt, later, never};
use crate::lease::Hold;
use crate::life::{Engine, Ports};
use crate::publish::Pointing;
use crate::verify::{self, Pointers, Proof, VerifyError};
use crate::{anew, hash, seal, through_edge};

/// Objects that are copied at once. Each is in memory whole, some 10 MB at the very most.
const COPIES: usize = 8;

/// How often what was found is put right and proven again. A lost inventory hides what else is lost, and lost objects
/// hide what is wrong with pointers; what is wrong still after that does not stay right.
const ROUNDS: usize = 3;

/// Does `Verify`: proves the package on every origin, puts right what can be put right, and has the rest made again.
pub(crate) async fn verify(ports: &Ports, claimed: &Claimed) -> Result<Outcome, Halt> {
    let mended = mend(ports, claimed, None).await?;
    let sound = mended.proofs.iter().filter(|p| p.findings.is_empty());
    let origins: Vec<String> = sound.map(|p| p.origin.clone()).collect();
    let names: Vec<&str> = origins.iter().map(String::as_str).collect();
    if ports.stores.policy().is_met_by(&names) {
        info!(?origins, "proven");
        return Ok(Outcome::Proven { origins });
    }
    let mut failure = not_proven(&mended.findings());
    match mended.elsewhere {
        Some(Elsewhere::Queued) if failure.retry == Retry::Never => failure.retry = Retry::Later,
        Some(Elsewhere::UnderWay) => failure.retry = Retry::Patiently,
        Some(Elsewhere::Queued) | None => {}
    }
    if !mended.lost.is_empty() {
        let mut again = mended.lost;
        if !again.contains(&TaskKind::Seal) {
            again.push(TaskKind::Seal);
        }
        failure.retry = Retry::After(again);
    }
    Err(failure.into())
}

/// Does `Heal`: the same for a package that viewers have, on every origin, pointers included. What is lost and has come
/// out as other bytes is left to a new version ([`crate::anew`]).
pub(crate) async fn heal(ports: &Ports, hold: &Hold, claimed: &Claimed) -> Result<Outcome, Halt> {
    let package = &claimed.package;
    let live = live_of(ports, package).await?;
    let is_live = live.as_ref() == Some(package);
    let mended = mend(ports, claimed, is_live.then_some(Live(hold))).await?;
    if let Some(live) = live.as_ref().filter(|_| !is_live) {
        // What was lost here was found missing there.
        let (record, expected) =
            verify::sealed(ports, live).await.map_err(VerifyError::into_halt)?;
        let pointers = Pointers::of(&record);
        let proofs = verify::prove_everywhere(ports, live, expected, &pointers).await?;
        note(ports, live, &proofs, Vec::new()).await?;
    }
    let findings = mended.findings();
    if findings.is_empty() {
        return Ok(Outcome::Healed { pointers: mended.pointers });
    }
    let mut failure = not_proven(&findings);
    if !mended.lost.is_empty() {
        let live = live.as_ref().unwrap_or(package);
        match anew::instead(ports, claimed, live, &mended).await? {
            Some(instead) => failure = instead,
            None => failure.retry = Retry::After(mended.lost),
        }
    }
    Err(failure.into())
}

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

/// What viewers get of a package's title.
async fn live_of(ports: &Ports, package: &PackageId) -> Result<Option<PackageId>, Halt> {
    let title = ports.catalog.title(&package.tenant, &package.title).await?;
    let live = title.and_then(|title| title.live);
    Ok(live.map(|version| PackageId { version, ..package.clone() }))
}

/// A package that viewers get, whose pointers count too: they are written under this claim.
#[derive(Clone, Copy)]
struct Live<'h>(&'h Hold);

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

/// The names of the origins that hold a package now, if they are as many as the policy asks for.
pub(crate) async fn proven_now(
    ports: &Ports,
    package: &PackageId,
    expected: Sha256,
) -> Result<Vec<String>, Halt> {
    let proofs = verify::prove_everywhere(ports, package, expected, &Pointers::Elsewhere).await?;
    note(ports, package, &proofs, Vec::new()).await?;
    let sound = proofs.iter().filter(|proof| proof.findings.is_empty());
    let origins: Vec<String> = sound.map(|proof| proof.origin.clone()).collect();
    let names: Vec<&str> = origins.iter().map(String::as_str).collect();
    if ports.stores.policy().is_met_by(&names) {
        return Ok(origins);
    }
    let findings: Vec<Finding> = proofs.into_iter().flat_map(|proof| proof.findings).collect();
    Err(not_proven(&findings).into())
}

/// What came of mending.
pub(crate) struct Outlook {
    /// One for every origin, made after everything that could be done was done.
    proofs: Vec<Proof>,
    /// Tasks that made what is still lost on some origin.
    pub(crate) lost: Vec<TaskKind>,
    /// What is still lost on some origin of what the package itself holds, where its inventory is known.
    pub(crate) gone: Vec<Object>,
    /// The pointers as they are stored now, where they had to be.
    pointers: Vec<Object>,
    /// Where something is lost that an older version holds: what that version's healing is up to.
    elsewhere: Option<Elsewhere>,
}

/// How far the healing of an older version is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Elsewhere {
    /// Nobody was at it until now. Where that is so again and again, it ends without healing what is lost.
    Queued,
    /// It will take as long as it takes.
    UnderWay,
}

impl Outlook {
    fn findings(&self) -> Vec<Finding> {
        self.proofs.iter().flat_map(|proof| proof.findings.iter().cloned()).collect()
    }

    /// Whether an origin's proof found an object lost there.
    pub(crate) fn lacks(&self, origin: &str, key: &ObjectKey) -> bool {
        let mut findings = self.proofs.iter().flat_map(|proof| &proof.findings);
        findings.any(|f| f.origin == origin && f.object == key.as_str() && f.kind.is_loss())
    }

    /// Names of the origins that answered whatever they were asked.
    pub(crate) fn answered(&self) -> impl Iterator<Item = &str> {
        let answered =
            self.proofs.iter().filter(|p| !p.findings.iter().any(|f| f.kind.is_unanswered()));
        answered.map(|proof| proof.origin.as_str())
    }
}

/// What a package is refused for.
fn not_proven(findings: &[Finding]) -> Failure {
    let Some(first) = findings.first() else {
        return later(Code::Internal, "the policy asks for more origins than there are");
    };
    let message = match findings.len() - 1 {
        0 => first.to_string(),
        more => format!("{first} (and {more} more)"),
    };
    let unreadable = |f: &Finding| matches!(f.kind, FindingKind::ListedButUnreadable { .. });
    let unanswered = |f: &Finding| f.kind.is_unanswered();
    let of_edge = |f: &Finding| f.kind.is_of_edge();
    let code = if findings.iter().all(of_edge) {
        Code::NotOnEdge
    } else if findings.iter().all(unanswered) {
        Code::OriginUnavailable
    } else {
        Code::NotProven
    };
    // An object that cannot be read may be readable again soon, an origin that does not answer now may soon give what
    // another one lost, and a cache forgets; what was read and is wrong stays wrong.
    let may_pass =
        findings.iter().any(|f| unanswered(f) || of_edge(f)) || findings.iter().all(unreadable);
    let retry = if may_pass { Retry::Later } else { Retry::Never };
    Failure { refusal: Refusal::new(code, message), retry, last_words: None }
}

async fn mend(ports: &Ports, claimed: &Claimed, live: Option<Live<'_>>) -> Result<Outlook, Halt> {
    let package = &claimed.package;
    let plan =
        claimed.plan.as_ref().ok_or_else(|| never(Code::Internal, "the package has no plan"))?;
    let (record, expected) =
        verify::sealed(ports, package).await.map_err(VerifyError::into_halt)?;
    let mut pointers = match live {
        Some(_) => Pointers::of(&record),
        None => Pointers::Elsewhere,
    };
    let proofs = verify::prove_everywhere(ports, package, expected, &pointers).await?;
    let mut outlook = Outlook {
        proofs,
        lost: Vec::new(),
        gone: Vec::new(),
        pointers: Vec::new(),
        elsewhere: None,
    };
    note(ports, package, &outlook.proofs, Vec::new()).await?;
    if outlook.findings().is_empty() {
        return Ok(outlook);
    }
    let Some((inventory, own)) = read_inventory_object(ports, package, expected).await else {
        if inventory_is_lost(claimed, &outlook.proofs) {
            outlook.lost = everything(claimed, plan);
        } else if !outlook.findings().iter().any(|f| f.kind.is_unanswered()) {
            // It was there a moment ago.
            let message = "no origin gives the inventory of the package";
            return Err(later(Code::OriginUnavailable, message).into());
        }
        return Ok(outlook);
    };
    let sources = Sources::new(ports, package, plan, inventory, own, live.is_some());
    for _ in 0..ROUNDS {
        let mut done = sources.mend_objects(&outlook.findings()).await;
        if let Some(live) = live {
            let pointed = point(ports, live, package, plan, expected, &outlook.proofs).await?;
            if let Some((stored, put_right)) = pointed {
                pointers = Pointers::Here(stored.clone());
                outlook.pointers = stored;
                done.extend(put_right);
            }
        }
        if done.is_empty() {
            break;
        }
        outlook.proofs = verify::prove_everywhere(ports, package, expected, &pointers).await?;
        note(ports, package, &outlook.proofs, done).await?;
        if outlook.findings().is_empty() {
            break;
        }
    }
    for version in sources.lost_elsewhere(&outlook.findings()) {
        let older = PackageId { version, ..package.clone() };
        if ports.catalog.heal(&older).await? {
            outlook.elsewhere = Some(Elsewhere::Queued);
        } else if ports.catalog.is_busy(&older).await? {
            outlook.elsewhere.get_or_insert(Elsewhere::UnderWay);
        }
    }
    outlook.gone = sources.gone(&outlook.findings());
    let tasks: BTreeSet<TaskKind> =
        outlook.gone.iter().filter_map(|object| maker_of(plan, object)).collect();
    outlook.lost = tasks.into_iter().collect();
    Ok(outlook)
}

/// Tells the catalog what was found and what was done about it.
async fn note(
    ports: &Ports,
    package: &PackageId,
    proofs: &[Proof],
    mended: Vec<Mended>,
) -> Result<(), Halt> {
    Ok(ports.catalog.note(package, &seen(proofs, mended)).await?)
}

/// What proofs on all origins have seen.
pub(crate) fn seen(proofs: &[Proof], mended: Vec<Mended>) -> Look {
    let whole = proofs.iter().filter(|proof| proof.whole);
    let edges = whole.clone().filter(|proof| proof.through_edge);
    Look {
        read: proofs.iter().flat_map(|proof| proof.read.iter().cloned()).collect(),
        edges: edges.map(|proof| proof.origin.clone()).collect(),
        whole: whole.map(|proof| proof.origin.clone()).collect(),
        findings: proofs.iter().flat_map(|proof| proof.findings.iter().cloned()).collect(),
        mended,
    }
}

/// The package's inventory from the first origin that has it.
pub(crate) async fn read_inventory(
    ports: &Ports,
    package: &PackageId,
    expected: Sha256,
) -> Option<Inventory> {
    read_inventory_object(ports, package, expected).await.map(|(inventory, _)| inventory)
}

/// The same, and the inventory as an object of its own.
pub(crate) async fn read_inventory_object(
    ports: &Ports,
    package: &PackageId,
    expected: Sha256,
) -> Option<(Inventory, Object)> {
    find_inventory(ports, package, expected).await.ok()
}

/// The same, or what is wrong with it on each origin.
pub(crate) async fn find_inventory(
    ports: &Ports,
    package: &PackageId,
    expected: Sha256,
) -> Result<(Inventory, Object), Vec<Finding>> {
    let mut nowhere = Vec::new();
    for origin in ports.stores.iter() {
        match verify::inventory_and_body(&**origin, package, expected).await {
            Ok((inventory, body)) => {
                let (path, role) = (INVENTORY_NAME.to_owned(), ObjectRole::Manifest);
                let (bytes, sha256) = (body.len() as u64, expected);
                let md5 = hash::md5_of(body).await;
                return Ok((inventory, Object { path, bytes, sha256, md5, version: None, role }));
            }
            Err(kind) => {
                warn!(origin = origin.name(), ?kind, "no inventory");
                let (origin, object) = (origin.name().to_owned(), package.key(INVENTORY_NAME));
                nowhere.push(Finding { origin, object: object.into(), kind });
            }
        }
    }
    Err(nowhere)
}

/// An object's bytes from the first origin that has them as they should be.
pub(crate) async fn read(ports: &Ports, key: &ObjectKey, expected: Sha256) -> Option<Bytes> {
    for origin in ports.stores.iter() {
        match origin.get(key, None).await {
            Ok(body) if hash::sha256_of(body.clone()).await == expected => return Some(body),
            Ok(_) => warn!(origin = origin.name(), %key, "other bytes than expected"),
            Err(error) => warn!(origin = origin.name(), %key, %error, "not read"),
        }
    }
    None
}

/// Whether an inventory that no origin gave is lost, rather than on an origin that does not answer. Sealing a package
/// again costs nothing, so that one loss is enough; what viewers have is made again only when nobody can have it.
fn inventory_is_lost(claimed: &Claimed, proofs: &[Proof]) -> bool {
    let key = claimed.package.key(INVENTORY_NAME);
    let lost = |proof: &Proof| {
        proof.findings.iter().any(|f| f.object == key.as_str() && !f.kind.is_unanswered())
    };
    match claimed.published_as {
        None => proofs.iter().any(lost),
        Some(_) => proofs.iter().all(lost),
    }
}

/// The tasks to do when no origin has the inventory. Until a package is published, the catalog knows what is in it.
fn everything(claimed: &Claimed, plan: &Plan) -> Vec<TaskKind> {
    if claimed.published_as.is_none() {
        return vec![TaskKind::Seal];
    }
    let mut tasks = work_of(plan);
    tasks.push(TaskKind::Seal);
    tasks
}

/// Replaces the pointers on every origin where the package is sound and they are not: with what, and what was put right.
///
/// They are the same on every origin. Where this build renders them otherwise than the one that published the package,
/// they are wrong everywhere else from now on, and the next round sees to that.
async fn point(
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

/// Where objects of one package can be had from.
struct Sources<'p> {
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
    fn new(
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
    async fn mend_objects(&self, findings: &[Finding]) -> Vec<Mended> {
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
        if let Err(error) = store(&**origin, key.clone(), body).await {
            warn!(origin = origin.name(), object = finding.object, %error, "not put right");
            return None;
        }
        // Meanwhile its cache may have learnt that there is nothing, or what was wrong.
        self.ports.stores.purge(origin.name(), &key).await;
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
            let codecs: Vec<(String, String)> = inventory
                .header
                .renditions
                .iter()
                .map(|r| (r.name.clone(), r.codec.clone()))
                .collect();
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
    async fn remedy(&self, finding: &Finding, all: &BTreeSet<At>, same_build: bool) -> String {
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
            Some(task) if same_build => format!("would be made again from the master: {task}"),
            Some(task) => format!(
                "would be made again from the master: {task}; another build made it, and if this one makes other bytes, the \
                 whole rendition as a new version"
            ),
            None => "would be rendered again".to_owned(),
        }
    }

    /// Older versions that hold something of this one that is lost: it is for them to make it again.
    fn lost_elsewhere(&self, findings: &[Finding]) -> BTreeSet<Version> {
        let lost = findings.iter().filter(|f| f.kind.is_loss());
        lost.filter_map(|f| self.objects.get(&f.object)?.version).collect()
    }

    /// What the package itself holds that is lost on some origin and could not be put right.
    fn gone(&self, findings: &[Finding]) -> Vec<Object> {
        let lost = findings.iter().filter(|f| f.kind.is_loss());
        let objects = lost.filter_map(|f| self.objects.get(&f.object));
        objects.filter(|object| object.version.is_none()).cloned().collect()
    }
}

/// The task that makes an object; none of a manifest.
fn maker_of(plan: &Plan, object: &Object) -> Option<TaskKind> {
    let audio = |rendition: &str| {
        let n = plan.audio.iter().position(|audio| audio.name == rendition)?;
        Some(TaskKind::Audio(u32::try_from(n).ok()?))
    };
    match &object.role {
        // Every span makes them, all the same.
        ObjectRole::Init { rendition } => audio(rendition).or(Some(TaskKind::Span(0))),
        ObjectRole::Segment { rendition, number, .. } => audio(rendition).or_else(|| {
            let n = plan.spans.iter().rposition(|span| span.first_segment <= *number)?;
            Some(TaskKind::Span(u32::try_from(n).ok()?))
        }),
        ObjectRole::Manifest | ObjectRole::Plan => None,
    }
}

/// Stores an object of a package on one origin.
pub(crate) async fn store(
    origin: &dyn Origin,
    key: ObjectKey,
    body: Bytes,
) -> Result<(), headwater_ports::origin::OriginError> {
    let hash::Digests { sha256, md5, .. } = hash::digests_of(body.clone()).await;
    let before = Before::Anything;
    origin.put(Put { key, body, sha256, md5, cache_control: CACHE_FOREVER, before }).await
}
