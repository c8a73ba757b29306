//! Proves a package: asks each origin itself about every object in the inventory, and reads the manifests as a player
//! would (R5). Nothing that this process remembers counts.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use futures_util::future::join_all;
use futures_util::stream::{self, StreamExt};
use headwater_model::finding::{Finding, FindingKind};
use headwater_model::id::{Sha256, Tenant, TitleId};
use headwater_model::incident::At;
use headwater_model::inventory::{Header, Inventory, Object, ObjectRole, RenditionHeader};
use headwater_model::key::{INVENTORY_NAME, ObjectKey, PackageId};
use headwater_model::life::PackageRecord;
use headwater_model::origin::Verify;
use headwater_model::refusal::Code;
use headwater_packaging::{check, inventory};
use headwater_ports::catalog::CatalogError;
use headwater_ports::edge::Edge;
use headwater_ports::origin::{Origin, OriginError, OriginErrorKind, ProofGrade};
use thiserror::Error;

use crate::failure::{Halt, later};
use crate::life::{Engine, Ports};
use crate::listing::{self, Verdict};
use crate::through_edge::{self, Lasts};
use crate::{hash, mend};

/// Objects that are read back at once. Each is in memory whole, some 10 MB at the very most; eight hide an origin's
/// latency and keep every core hashing.
const READS: usize = 8;

/// Objects that an origin is asked about at once, of which at most a byte is read: a film of 18,000 objects is through
/// in a quarter of a minute at 50 ms an answer.
const LOOKS: usize = 64;

/// How closely a proof looks at objects that the listing is sound about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Depth {
    /// The last byte of each is read: what an origin lists it may still be unable to serve.
    Touched,
    /// Every byte.
    Read,
    /// Their last byte, and every byte through the edge, where there is one.
    ThroughEdge,
}

impl Depth {
    pub(crate) fn of(policy: Verify) -> Self {
        match policy {
            Verify::Listing => Depth::Touched,
            Verify::Read => Depth::Read,
            Verify::Edge => Depth::ThroughEdge,
        }
    }
}

/// What a proof on one origin found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proof {
    /// The package.
    pub package: PackageId,
    /// Name of the origin that was asked.
    pub origin: String,
    /// How much the origin's own word is worth.
    pub grade: ProofGrade,
    /// Objects that the inventory lists; 0 when it could not be read.
    pub objects: u64,
    /// Their bytes.
    pub bytes: u64,
    /// How many of them were read to the last byte.
    pub read_back: u64,
    /// Which of those that are wrong, or were when they were read before, were read now.
    pub read: BTreeSet<At>,
    /// Whether nothing was left out: what is not among the findings is there as the origin says.
    pub whole: bool,
    /// Whether all of them were read through the edge too.
    pub through_edge: bool,
    /// If not: which were, since something had been found wrong there. Nothing is wrong on an edge that is gone.
    pub on_edge: BTreeSet<At>,
    /// What is wrong; empty when everything is proven.
    pub findings: Vec<Finding>,
}

/// Why there is no proof, neither good nor bad.
#[derive(Debug, Error)]
pub enum VerifyError {
    /// The title is not known.
    #[error("there is no title `{0}`")]
    UnknownTitle(TitleId),
    /// Viewers get nothing of this title yet.
    #[error("title `{0}` is not published")]
    NotLive(TitleId),
    /// The package has no inventory yet.
    #[error("package `{0}` is not sealed")]
    NotSealed(PackageId),
    /// The catalog failed.
    #[error(transparent)]
    Catalog(#[from] CatalogError),
}

impl VerifyError {
    /// What a task that needed the proof makes of it.
    pub(crate) fn into_halt(self) -> Halt {
        match self {
            VerifyError::Catalog(error) => error.into(),
            VerifyError::UnknownTitle(_) | VerifyError::NotLive(_) | VerifyError::NotSealed(_) => {
                later(Code::Internal, self.to_string()).into()
            }
        }
    }
}

impl Engine {
    /// Proves what viewers of a title get, on every origin that should have it: the live package and the pointers that
    /// lead to it. What counts as proof is what the title's policy says, unless another way is named. What it finds is an
    /// incident from then on, and what it finds right is none any more.
    pub async fn verify(
        &self,
        tenant: &Tenant,
        title: &TitleId,
        way: Option<Verify>,
    ) -> Result<Vec<Proof>, VerifyError> {
        let package = live(self.ports(), tenant, title).await?;
        let (record, expected) = sealed(self.ports(), &package).await?;
        let ports = self.ports().held_to(record.plan.as_ref());
        let depth = Depth::of(way.unwrap_or(ports.stores.policy().verify));
        let pointers = Pointers::of(&record);
        let proofs = prove_to(&ports, &package, expected, &pointers, depth).await?;
        ports.catalog.note(&package, &mend::seen(&proofs, Vec::new())).await?;
        Ok(proofs)
    }
}

/// The package that viewers of a title get.
pub(crate) async fn live(
    ports: &Ports,
    tenant: &Tenant,
    title: &TitleId,
) -> Result<PackageId, VerifyError> {
    let record = ports.catalog.title(tenant, title).await?;
    let record = record.ok_or_else(|| VerifyError::UnknownTitle(title.clone()))?;
    let version = record.live.ok_or_else(|| VerifyError::NotLive(title.clone()))?;
    Ok(PackageId { tenant: tenant.clone(), title: title.clone(), version })
}

/// What the title's pointers have to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Pointers {
    /// Those of another version, or none: they are not looked at.
    Elsewhere,
    /// These files, by their names.
    Here(Vec<Object>),
}

impl Pointers {
    /// Those that viewers have to find when this package is what they get.
    pub(crate) fn of(record: &PackageRecord) -> Self {
        Pointers::Here(record.pointers.clone())
    }
}

/// Objects of which nothing is believed that an origin says, and those that were wrong on an edge.
#[derive(Default)]
pub(crate) struct Suspects {
    by_reading: BTreeSet<At>,
    on_edge: BTreeSet<At>,
}

impl Suspects {
    /// Whether an object is not believed in; of an origin where many are, none is.
    pub(crate) fn contains(&self, at: &At) -> bool {
        self.by_reading.contains(at) || are_many(&self.by_reading, &at.origin)
    }
}

/// Whether so many objects on an origin are suspect that each of them is.
fn are_many(suspects: &BTreeSet<At>, origin: &str) -> bool {
    suspects.iter().any(|at| at.origin == origin && at.object.ends_with("/*"))
}

/// What was found wrong with objects of a title by reading them or through an edge, on any origin, and has not been found
/// right in the same way since.
pub(crate) async fn suspects(ports: &Ports, package: &PackageId) -> Result<Suspects, CatalogError> {
    let (tenant, title) = (&package.tenant, &package.title);
    let open = ports.catalog.incidents(tenant, Some(title), false, u32::MAX).await?;
    let mut suspects = Suspects::default();
    for incident in &open {
        let at = At::of(&incident.finding);
        if incident.found.by_reading {
            suspects.by_reading.insert(at.clone());
        }
        if incident.found.on_edge {
            suspects.on_edge.insert(at);
        }
    }
    Ok(suspects)
}

/// Proves one package, whose inventory has the SHA-256 `expected`, on every origin, all at the same time. What is suspect
/// is read, and asked of the edge, whatever the policy asks for.
pub(crate) async fn prove_everywhere(
    ports: &Ports,
    package: &PackageId,
    expected: Sha256,
    pointers: &Pointers,
) -> Result<Vec<Proof>, CatalogError> {
    let depth = Depth::of(ports.stores.policy().verify);
    prove_to(ports, package, expected, pointers, depth).await
}

/// The same, to another depth than the policy's.
async fn prove_to(
    ports: &Ports,
    package: &PackageId,
    expected: Sha256,
    pointers: &Pointers,
    depth: Depth,
) -> Result<Vec<Proof>, CatalogError> {
    let suspects = suspects(ports, package).await?;
    let asked = Asked { package, expected, depth, pointers, suspects: &suspects };
    let proofs = ports.stores.iter().map(async |origin| {
        let edge = ports.stores.edge_of(origin.name());
        prove(&**origin, edge.map(|edge| &**edge), asked).await
    });
    Ok(join_all(proofs).await)
}

/// What is to be proven.
#[derive(Clone, Copy)]
struct Asked<'p> {
    package: &'p PackageId,
    /// SHA-256 of its inventory.
    expected: Sha256,
    depth: Depth,
    pointers: &'p Pointers,
    /// What has to be read whatever the depth.
    suspects: &'p Suspects,
}

/// The package as the catalog has it, and the SHA-256 of its inventory.
pub(crate) async fn sealed(
    ports: &Ports,
    package: &PackageId,
) -> Result<(PackageRecord, Sha256), VerifyError> {
    let record = ports.catalog.package(package).await?;
    let found = record.and_then(|record| record.inventory.map(|sha256| (record, sha256)));
    found.ok_or_else(|| VerifyError::NotSealed(package.clone()))
}

/// Proves one package on one origin, and through its edge, if there is one, as far as that is asked for.
async fn prove(origin: &dyn Origin, edge: Option<&dyn Edge>, asked: Asked<'_>) -> Proof {
    let Asked { package, expected, depth, pointers, suspects } = asked;
    let mut proof = Proof {
        package: package.clone(),
        origin: origin.name().to_owned(),
        grade: origin.grade(),
        objects: 0,
        bytes: 0,
        read_back: 0,
        read: BTreeSet::new(),
        whole: false,
        through_edge: false,
        on_edge: BTreeSet::new(),
        findings: Vec::new(),
    };
    let add = |proof: &mut Proof, object: String, kind| {
        proof.findings.push(Finding { origin: origin.name().to_owned(), object, kind });
    };
    let at = |key: ObjectKey| At { origin: origin.name().to_owned(), object: key.into() };
    let inventory = match inventory_on(origin, package, expected).await {
        Ok(inventory) => inventory,
        Err(kind) => {
            add(&mut proof, package.key(INVENTORY_NAME).into(), kind);
            return proof;
        }
    };
    let mut read = BTreeSet::from([at(package.key(INVENTORY_NAME))]);
    proof.objects = inventory.header.objects;
    proof.bytes = inventory.objects.iter().map(|o| o.bytes).sum();

    let listed = match listing::compare(origin, package, &inventory.objects).await {
        Ok(verdicts) => verdicts,
        Err(error) => {
            let reason = error.source.to_string();
            add(&mut proof, package.prefix(), FindingKind::NotAnswered { reason });
            return proof;
        }
    };
    let everything = depth == Depth::Read || origin.grade() == ProofGrade::C;
    let of = |object: &Object| package.key_of(object);
    let is_read = |object: &Object| {
        everything || object.role == ObjectRole::Manifest || suspects.contains(&at(of(object)))
    };
    let asked = inventory
        .objects
        .iter()
        .zip(listed)
        .map(|(object, verdict)| ask(origin, of(object), object, verdict, is_read(object)));
    let asked: Vec<Verdict> = stream::iter(asked).buffered(LOOKS).boxed().collect().await;
    let looks = inventory.objects.iter().zip(asked).map(|(object, verdict)| {
        look(origin, of(object), &inventory.header, object, verdict, is_read(object))
    });
    let looks: Vec<Look> = stream::iter(looks).buffered(READS).boxed().collect().await;

    let mut manifests = BTreeMap::new();
    for (object, look) in inventory.objects.iter().zip(looks) {
        match look {
            Look::NotRead => {}
            Look::Sound(body) => {
                proof.read_back += 1;
                read.insert(at(of(object)));
                if let Some(body) = body {
                    manifests.insert(of(object), body.into());
                }
            }
            Look::Wrong(kind) => {
                if kind.is_found_by_reading() {
                    read.insert(at(of(object)));
                }
                add(&mut proof, of(object).into(), kind);
            }
            Look::WrongBytes(kind) => {
                read.insert(at(of(object)));
                add(&mut proof, of(object).into(), kind);
            }
        }
    }
    if let Pointers::Here(pointers) = pointers {
        for key in package.pointers() {
            let stored = pointers.iter().find(|pointer| pointer.path == key.name());
            let wrong = match origin.get(&key, None).await {
                Ok(body) => {
                    read.insert(at(key.clone()));
                    stored.and_then(|pointer| wrong_bytes(pointer, &body))
                }
                Err(error) => Some(unread(&error)),
            };
            if let Some(kind) = wrong {
                add(&mut proof, key.into(), kind);
            }
        }
    }
    let mut on_edge: BTreeSet<At> = suspects.on_edge.iter().cloned().collect();
    on_edge.retain(|at| at.origin == origin.name());
    if are_many(&on_edge, origin.name()) {
        on_edge.insert(At::everything(origin.name()));
    }
    let is_whole = depth == Depth::ThroughEdge || are_many(&on_edge, origin.name());
    let mut visible = visible(package, &inventory, pointers);
    visible.retain(|(key, ..)| is_whole || on_edge.contains(&at(key.clone())));
    let of_manifests = check_manifests(package, inventory, manifests).await;
    for (key, kind) in of_manifests {
        // What is wrong with its bytes is said above; to the check of the manifests such a file is just missing.
        if !proof.findings.iter().any(|f| f.object == key.as_str()) {
            add(&mut proof, key.into(), kind);
        }
    }
    if let Some(edge) = edge {
        proof.through_edge = is_whole;
        on_edge = visible.iter().map(|(key, ..)| at(key.clone())).collect();
        let (are_live, findings) = (*pointers != Pointers::Elsewhere, &mut proof.findings);
        through_edge::look_at_all(edge, origin.name(), visible, are_live, findings).await;
    }
    if !proof.through_edge {
        proof.on_edge = on_edge;
    }
    proof.whole = !proof.findings.iter().any(|finding| finding.kind.is_unanswered());
    let wrong: BTreeSet<At> = proof.findings.iter().map(At::of).collect();
    read.retain(|at| wrong.contains(at) || suspects.contains(at));
    if proof.whole && are_many(&suspects.by_reading, origin.name()) {
        read.insert(At::everything(origin.name()));
    }
    proof.read = read;
    proof
}

/// What viewers may ask an edge for.
fn visible(
    package: &PackageId,
    inventory: &Inventory,
    pointers: &Pointers,
) -> Vec<(ObjectKey, Object, Lasts)> {
    let objects = inventory.objects.iter().map(|o| (package.key_of(o), o.clone(), Lasts::ForEver));
    let stored = match pointers {
        Pointers::Here(stored) => stored.as_slice(),
        Pointers::Elsewhere => &[],
    };
    let pointers = package.pointers().into_iter().filter_map(|key| {
        let pointer = stored.iter().find(|pointer| pointer.path == key.name())?;
        Some((key, pointer.clone(), Lasts::AMoment))
    });
    objects.chain(pointers).collect()
}

/// What is wrong with the manifests; computed beside the runtime.
pub(crate) async fn check_manifests(
    package: &PackageId,
    inventory: Inventory,
    files: BTreeMap<ObjectKey, Vec<u8>>,
) -> Vec<(ObjectKey, FindingKind)> {
    let package = package.clone();
    hash::compute(move || check::manifests(&package, &inventory, &files)).await
}

/// What came of looking at one object.
enum Look {
    /// The listing is sound and was enough.
    NotRead,
    /// Read and as it should be; with its bytes where they are needed further on.
    Sound(Option<Bytes>),
    /// Wrong as the origin tells, or not to be had.
    Wrong(FindingKind),
    /// Read, and not as it should be.
    WrongBytes(FindingKind),
}

/// Asks about one object where the listing is not enough: for its hash, or for its last byte, since an origin may list
/// what it cannot serve. What will be read to the end anyway needs neither.
async fn ask(
    origin: &dyn Origin,
    key: ObjectKey,
    object: &Object,
    listed: Verdict,
    will_be_read: bool,
) -> Verdict {
    let verdict = match listed {
        Verdict::NotListed => told(origin, &key, object).await,
        Verdict::Unsure if !will_be_read => told(origin, &key, object).await,
        Verdict::Sound | Verdict::Unsure | Verdict::Differs | Verdict::Wrong(_) => listed,
    };
    if verdict != Verdict::Sound || will_be_read {
        return verdict;
    }
    match origin.get(&key, Some(object.bytes.saturating_sub(1)..object.bytes)).await {
        Ok(last) if last.len() == 1 => Verdict::Sound,
        Ok(_) => Verdict::Differs,
        Err(error) => Verdict::Wrong(unreadable(&error)),
    }
}

/// What HEAD makes of an object.
pub(crate) async fn told(origin: &dyn Origin, key: &ObjectKey, object: &Object) -> Verdict {
    match origin.head(key).await {
        Ok(Some(info)) => listing::judge(object, &info),
        Ok(None) => Verdict::Wrong(FindingKind::Missing),
        Err(error) => {
            let reason = error.source.to_string();
            Verdict::Wrong(FindingKind::NotAnswered { reason })
        }
    }
}

/// Whether an origin has an object as it should be, as far as a short look can tell: where no hash is told, by reading.
/// Of what is suspect ([`suspects`]) it can tell nothing.
pub(crate) async fn is_sound(origin: &dyn Origin, key: &ObjectKey, object: &Object) -> bool {
    has(origin, key, object).await == Some(true)
}

/// The same; `None` when the origin does not answer.
pub(crate) async fn has(origin: &dyn Origin, key: &ObjectKey, object: &Object) -> Option<bool> {
    match told(origin, key, object).await {
        Verdict::Sound => Some(true),
        Verdict::Unsure => match origin.get(key, None).await {
            Ok(body) => Some(hash::sha256_of(body).await == object.sha256),
            Err(error) => (error.kind == OriginErrorKind::NotFound).then_some(false),
        },
        Verdict::Wrong(FindingKind::NotAnswered { .. }) => None,
        Verdict::NotListed | Verdict::Differs | Verdict::Wrong(_) => Some(false),
    }
}

async fn look(
    origin: &dyn Origin,
    key: ObjectKey,
    header: &Header,
    object: &Object,
    verdict: Verdict,
    read: bool,
) -> Look {
    match verdict {
        Verdict::Wrong(kind) => return Look::Wrong(kind),
        Verdict::NotListed => return Look::Wrong(FindingKind::Missing),
        Verdict::Sound if !read => return Look::NotRead,
        Verdict::Sound | Verdict::Unsure | Verdict::Differs => {}
    }
    let body = match origin.get(&key, None).await {
        Ok(body) => body,
        Err(error) => return Look::Wrong(unreadable(&error)),
    };
    let rendition = object.role.rendition();
    let rendition = header.renditions.iter().find(|r| Some(r.name.as_str()) == rendition).cloned();
    let object = object.clone();
    hash::compute(move || judge(&object, rendition.as_ref(), body)).await
}

/// How the bytes that were read differ from the object's.
pub(crate) fn wrong_bytes(object: &Object, body: &[u8]) -> Option<FindingKind> {
    let found = hash::sha256(body);
    let altered = FindingKind::Altered { expected: object.sha256, found };
    FindingKind::of_size(object.bytes, body.len() as u64)
        .or_else(|| (found != object.sha256).then_some(altered))
}

/// [`wrong_bytes`] on the compute threads.
pub(crate) async fn wrong_bytes_of(object: &Object, body: Bytes) -> Option<FindingKind> {
    let object = object.clone();
    hash::compute(move || wrong_bytes(&object, &body)).await
}

/// Judges the bytes that were read of an object: that they are those of the inventory, and that these are what the
/// inventory says about them.
fn judge(object: &Object, rendition: Option<&RenditionHeader>, body: Bytes) -> Look {
    if let Some(wrong) = wrong_bytes(object, &body) {
        return Look::WrongBytes(wrong);
    }
    let wrong = match (&object.role, rendition) {
        (ObjectRole::Init { .. }, Some(rendition)) => check::init(rendition, object, &body),
        (ObjectRole::Segment { .. }, Some(rendition)) => check::segment(rendition, object, &body),
        (ObjectRole::Transport { .. }, Some(rendition)) => {
            check::transport(rendition, object, &body)
        }
        // The inventory introduces every rendition that its objects belong to.
        (
            ObjectRole::Init { rendition }
            | ObjectRole::Segment { rendition, .. }
            | ObjectRole::Transport { rendition, .. },
            None,
        ) => {
            let reason = format!("the inventory does not introduce its rendition `{rendition}`");
            Some(FindingKind::Malformed { reason })
        }
        (ObjectRole::Text { .. }, _) => check::text(&body),
        (ObjectRole::Picture { .. }, _) => check::picture(&body),
        (ObjectRole::Manifest | ObjectRole::Plan, _) => None,
    };
    match wrong {
        Some(wrong) => Look::WrongBytes(wrong),
        None => Look::Sound((object.role == ObjectRole::Manifest).then_some(body)),
    }
}

/// What a read that failed says about an object that its origin lists: it is lost only when the origin has answered so.
pub(crate) fn unreadable(error: &OriginError) -> FindingKind {
    let reason = error.source.to_string();
    match error.kind {
        OriginErrorKind::NotFound | OriginErrorKind::Corrupt | OriginErrorKind::Cold => {
            FindingKind::ListedButUnreadable { reason }
        }
        OriginErrorKind::Full
        | OriginErrorKind::Denied
        | OriginErrorKind::Unavailable
        | OriginErrorKind::Changed => FindingKind::NotAnswered { reason },
    }
}

/// The same of an object that nobody has listed.
fn unread(error: &OriginError) -> FindingKind {
    match error.kind {
        OriginErrorKind::NotFound => FindingKind::Missing,
        _ => unreadable(error),
    }
}

/// Reads the inventory back from the origin and checks that it has the SHA-256 `expected`; else says what is wrong.
pub(crate) async fn inventory_on(
    origin: &dyn Origin,
    package: &PackageId,
    expected: Sha256,
) -> Result<Inventory, FindingKind> {
    inventory_object(origin, package, expected).await.map(|(inventory, _)| inventory)
}

/// The same, and the inventory as an object of its own.
pub(crate) async fn inventory_object(
    origin: &dyn Origin,
    package: &PackageId,
    expected: Sha256,
) -> Result<(Inventory, Object), FindingKind> {
    let key = package.key(INVENTORY_NAME);
    let body = origin.get(&key, None).await.map_err(|error| unread(&error))?;
    let package = package.clone();
    hash::compute(move || {
        let inventory = read_inventory(&package, expected, &body)?;
        let (path, role) = (INVENTORY_NAME.to_owned(), ObjectRole::Manifest);
        let (bytes, md5) = (body.len() as u64, hash::md5(&body));
        Ok((inventory, Object { path, bytes, sha256: expected, md5, version: None, role }))
    })
    .await
}

fn read_inventory(
    package: &PackageId,
    expected: Sha256,
    body: &[u8],
) -> Result<Inventory, FindingKind> {
    // Nobody knows how long it was: of its size only that it has none can be told.
    if body.is_empty() {
        return Err(FindingKind::Empty { expected: None });
    }
    let found = hash::sha256(body);
    if found != expected {
        return Err(FindingKind::Altered { expected, found });
    }
    let inventory = inventory::read(body)
        .map_err(|error| FindingKind::Malformed { reason: error.to_string() })?;
    if inventory.header.package != *package {
        let reason = format!("it is the inventory of `{}`", inventory.header.package);
        return Err(FindingKind::Malformed { reason });
    }
    Ok(inventory)
}
