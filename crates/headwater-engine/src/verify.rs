//! Proves a package: asks the origin itself about every object in the inventory, and reads the manifests as a player
//! would (R5). Nothing that this process remembers counts.

use std::collections::BTreeMap;

use bytes::Bytes;
use futures_util::stream::{self, StreamExt};
use headwater_model::finding::{Finding, FindingKind};
use headwater_model::id::{Sha256, Tenant, TitleId};
use headwater_model::inventory::{Header, Inventory, Object, ObjectRole, RenditionHeader};
use headwater_model::key::{INVENTORY_NAME, ObjectKey, PackageId};
use headwater_model::refusal::{Code, Refusal};
use headwater_model::task::{Claimed, Failure, Outcome, Retry};
use headwater_packaging::{check, inventory};
use headwater_ports::catalog::CatalogError;
use headwater_ports::origin::{Origin, OriginError, OriginErrorKind, ProofGrade};
use thiserror::Error;
use tracing::info;

use crate::failure::{Halt, later, of_origin};
use crate::hash;
use crate::life::{Engine, Ports};
use crate::listing::{self, Verdict, wrong_size};

/// Objects that are read back at once. Each is in memory whole, some 10 MB at the very most; eight hide an origin's
/// latency and keep every core hashing.
const READS: usize = 8;

/// When a proof reads every object's bytes and not only the manifests'.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ReadBack {
    /// When the origin's own word proves nothing: grade C.
    #[default]
    ByGrade,
    /// Always.
    Always,
}

/// What a proof found.
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
    /// The origin could not be asked.
    #[error(transparent)]
    Origin(#[from] OriginError),
}

impl VerifyError {
    /// What a task that needed the proof makes of it.
    pub(crate) fn into_halt(self, origin: &str) -> Halt {
        match self {
            VerifyError::Catalog(error) => error.into(),
            VerifyError::Origin(error) => of_origin(origin, &error).into(),
            VerifyError::UnknownTitle(_) | VerifyError::NotLive(_) | VerifyError::NotSealed(_) => {
                later(Code::Internal, self.to_string()).into()
            }
        }
    }
}

impl Engine {
    /// Proves what viewers of a title get: the live package and the pointers that lead to it.
    pub async fn verify(&self, tenant: &Tenant, title: &TitleId) -> Result<Proof, VerifyError> {
        let record = self.ports().catalog.title(tenant, title).await?;
        let record = record.ok_or_else(|| VerifyError::UnknownTitle(title.clone()))?;
        let version = record.live.ok_or_else(|| VerifyError::NotLive(title.clone()))?;
        let package = PackageId { tenant: tenant.clone(), title: title.clone(), version };
        prove(self.ports(), &package, self.config().read_back, Pointers::Checked).await
    }
}

/// Does `Verify`.
pub(crate) async fn task(
    ports: &Ports,
    claimed: &Claimed,
    read_back: ReadBack,
) -> Result<Outcome, Halt> {
    let package = &claimed.package;
    let proof = prove(ports, package, read_back, Pointers::Elsewhere)
        .await
        .map_err(|error| error.into_halt(ports.origin.name()))?;
    ports.catalog.record_findings(package, &proof.findings).await?;
    let Some(first) = proof.findings.first() else {
        info!(objects = proof.objects, bytes = proof.bytes, read_back = proof.read_back, "proven");
        return Ok(Outcome::Proven);
    };
    let message = match proof.findings.len() - 1 {
        0 => first.to_string(),
        more => format!("{first} (and {more} more)"),
    };
    // An object that cannot be read may be readable again soon; what was read and is wrong stays wrong.
    let may_pass = |f: &Finding| matches!(f.kind, FindingKind::ListedButUnreadable { .. });
    let retry = if proof.findings.iter().all(may_pass) { Retry::Later } else { Retry::Never };
    Err(Failure { refusal: Refusal::new(Code::NotProven, message), retry, last_words: None }.into())
}

/// Whether the title's pointers should lead to the package.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Pointers {
    /// Not yet, or not any more.
    Elsewhere,
    /// They should: check them too.
    Checked,
}

/// Proves one package.
async fn prove(
    ports: &Ports,
    package: &PackageId,
    read_back: ReadBack,
    pointers: Pointers,
) -> Result<Proof, VerifyError> {
    let origin = &*ports.origin;
    let grade = origin.grade();
    let mut proof = Proof {
        package: package.clone(),
        origin: origin.name().to_owned(),
        grade,
        objects: 0,
        bytes: 0,
        read_back: 0,
        findings: Vec::new(),
    };
    let inventory = match load(ports, package).await? {
        Ok(inventory) => inventory,
        Err(finding) => {
            proof.findings.push(finding);
            return Ok(proof);
        }
    };
    proof.objects = inventory.header.objects;
    proof.bytes = inventory.objects.iter().map(|o| o.bytes).sum();

    let verdicts = listing::compare(origin, package, &inventory.objects).await?;
    let everything = read_back == ReadBack::Always || grade == ProofGrade::C;
    let looks = inventory.objects.iter().zip(verdicts).map(|(object, verdict)| {
        let read = everything || object.role == ObjectRole::Manifest || verdict == Verdict::Differs;
        look(origin, package, &inventory.header, object, verdict, read)
    });
    let looks: Vec<Look> = stream::iter(looks).buffered(READS).boxed().collect().await;

    let mut manifests = BTreeMap::new();
    for (object, look) in inventory.objects.iter().zip(looks) {
        match look {
            Look::NotRead => {}
            Look::Sound(body) => {
                proof.read_back += 1;
                if let Some(body) = body {
                    manifests.insert(package.key(&object.path), body.into());
                }
            }
            Look::Wrong(kind) => {
                proof.findings.push(finding(origin, package.key(&object.path), kind))
            }
        }
    }
    if pointers == Pointers::Checked {
        for key in package.pointers() {
            match origin.get(&key, None).await {
                Ok(body) => drop(manifests.insert(key, body.into())),
                Err(error) => proof.findings.push(finding(origin, key, unreadable(&error))),
            }
        }
    }
    let of_manifests = check_manifests(package, inventory, manifests).await;
    for (key, kind) in of_manifests {
        // What is wrong with its bytes is said above; to the check of the manifests such a file is just missing.
        if !proof.findings.iter().any(|f| f.object == key.as_str()) {
            proof.findings.push(finding(origin, key, kind));
        }
    }
    Ok(proof)
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
    Wrong(FindingKind),
}

async fn look(
    origin: &dyn Origin,
    package: &PackageId,
    header: &Header,
    object: &Object,
    verdict: Verdict,
    read: bool,
) -> Look {
    match verdict {
        Verdict::Wrong(kind) => return Look::Wrong(kind),
        Verdict::Sound | Verdict::Differs if !read => return Look::NotRead,
        Verdict::Sound | Verdict::Differs => {}
    }
    let body = match origin.get(&package.key(&object.path), None).await {
        Ok(body) => body,
        Err(error) => {
            let reason = error.source.to_string();
            return Look::Wrong(FindingKind::ListedButUnreadable { reason });
        }
    };
    let rendition = match &object.role {
        ObjectRole::Init { rendition } | ObjectRole::Segment { rendition, .. } => {
            header.renditions.iter().find(|r| r.name == *rendition)
        }
        ObjectRole::Manifest => None,
    };
    let rendition = rendition.cloned();
    let object = object.clone();
    hash::compute(move || judge(&object, rendition.as_ref(), body)).await
}

/// Judges the bytes that were read of an object: that they are those of the inventory, and that these are what the
/// inventory says about them.
fn judge(object: &Object, rendition: Option<&RenditionHeader>, body: Bytes) -> Look {
    if let Some(wrong) = wrong_size(object.bytes, body.len() as u64) {
        return Look::Wrong(wrong);
    }
    let found = hash::sha256(&body);
    if found != object.sha256 {
        return Look::Wrong(FindingKind::Altered { expected: object.sha256, found });
    }
    let wrong = match (&object.role, rendition) {
        (ObjectRole::Init { .. }, Some(rendition)) => check::init(rendition, object, &body),
        (ObjectRole::Segment { .. }, Some(rendition)) => check::segment(rendition, object, &body),
        // The inventory introduces every rendition that its objects belong to.
        (ObjectRole::Init { rendition } | ObjectRole::Segment { rendition, .. }, None) => {
            let reason = format!("the inventory does not introduce its rendition `{rendition}`");
            Some(FindingKind::Malformed { reason })
        }
        (ObjectRole::Manifest, _) => None,
    };
    match wrong {
        Some(wrong) => Look::Wrong(wrong),
        None => Look::Sound((object.role == ObjectRole::Manifest).then_some(body)),
    }
}

/// What an error says about an object that nobody has listed.
fn unreadable(error: &OriginError) -> FindingKind {
    match error.kind {
        OriginErrorKind::NotFound => FindingKind::Missing,
        _ => FindingKind::ListedButUnreadable { reason: error.source.to_string() },
    }
}

/// Reads the inventory back from the origin and checks that it is the one that the catalog has the SHA-256 of; else
/// says what is wrong with it.
pub(crate) async fn load(
    ports: &Ports,
    package: &PackageId,
) -> Result<Result<Inventory, Finding>, VerifyError> {
    let record = ports.catalog.package(package).await?;
    let expected =
        record.and_then(|r| r.inventory).ok_or_else(|| VerifyError::NotSealed(package.clone()))?;
    let key = package.key(INVENTORY_NAME);
    let body = match ports.origin.get(&key, None).await {
        Ok(body) => body,
        Err(error) if error.kind == OriginErrorKind::NotFound => {
            return Ok(Err(finding(&*ports.origin, key, FindingKind::Missing)));
        }
        Err(error) => return Err(error.into()),
    };
    let read = hash::compute({
        let package = package.clone();
        move || read_inventory(&package, expected, &body)
    });
    Ok(read.await.map_err(|kind| finding(&*ports.origin, key, kind)))
}

fn read_inventory(
    package: &PackageId,
    expected: Sha256,
    body: &[u8],
) -> Result<Inventory, FindingKind> {
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

fn finding(origin: &dyn Origin, key: ObjectKey, kind: FindingKind) -> Finding {
    Finding { origin: origin.name().to_owned(), object: key.into(), kind }
}
