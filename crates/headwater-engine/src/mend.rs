//! Puts right what origins lost of a sealed package: from another origin that has the same bytes, by rendering it again,
//! or by saying which tasks have to be done again. Nothing is written but what the inventory says, checked before it is
//! sent, and nothing counts as put right before it was proven once more.

use std::collections::BTreeSet;

use bytes::Bytes;
use headwater_model::finding::{Finding, FindingKind};
use headwater_model::id::Sha256;
use headwater_model::incident::{Look, Mended};
use headwater_model::inventory::{Inventory, Object};
use headwater_model::key::{INVENTORY_NAME, ObjectKey, PackageId};
use headwater_model::life::work_of;
use headwater_model::plan::Plan;
use headwater_model::refusal::{Code, Refusal};
use headwater_model::task::{Claimed, Failure, Outcome, Retry, TaskKind};
use tracing::{info, warn};

use crate::failure::{Halt, later, never};
use crate::lease::Hold;
use crate::life::Ports;
use crate::verify::{self, Pointers, Proof, VerifyError};
use crate::{anew, hash};

mod pointers;
mod remedies;
mod sources;

pub use remedies::Remedy;
pub(crate) use sources::store;

use pointers::{Live, live_of, point};
use sources::{Sources, maker_of};

/// How often what was found is put right and proven again. A lost inventory hides what else is lost, and lost objects
/// hide what is wrong with pointers; what is wrong still after that does not stay right.
const ROUNDS: usize = 3;

/// Does `Verify`: proves the package on every origin, puts right what can be put right, and has the rest made again.
pub(crate) async fn verify(ports: &Ports, claimed: &Claimed) -> Result<Outcome, Halt> {
    let mended = mend(ports, claimed, None).await?;
    if let Some(origins) = proven_on(ports, &mended.proofs) {
        info!(?origins, "proven");
        return Ok(Outcome::Proven { origins });
    }
    let mut failure = mended.failure();
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
    if mended.findings().is_empty() {
        return Ok(Outcome::Healed { pointers: mended.pointers });
    }
    let mut failure = mended.failure();
    if !mended.lost.is_empty() {
        let live = live.as_ref().unwrap_or(package);
        match anew::instead(ports, claimed, live, &mended).await? {
            Some(instead) => failure = instead,
            None => failure.retry = Retry::After(mended.lost),
        }
    }
    Err(failure.into())
}

/// The names of the origins that hold a package now, if they are as many as the policy asks for.
pub(crate) async fn proven_now(
    ports: &Ports,
    package: &PackageId,
    expected: Sha256,
) -> Result<Vec<String>, Halt> {
    let proofs = verify::prove_everywhere(ports, package, expected, &Pointers::Elsewhere).await?;
    note(ports, package, &proofs, Vec::new()).await?;
    if let Some(origins) = proven_on(ports, &proofs) {
        return Ok(origins);
    }
    let findings: Vec<Finding> = proofs.into_iter().flat_map(|proof| proof.findings).collect();
    Err(not_proven(&findings).into())
}

/// The names of the origins whose proof found nothing wrong, if they are as many as the policy asks for.
fn proven_on(ports: &Ports, proofs: &[Proof]) -> Option<Vec<String>> {
    let sound = proofs.iter().filter(|proof| proof.findings.is_empty());
    let origins: Vec<String> = sound.map(|proof| proof.origin.clone()).collect();
    let names: Vec<&str> = origins.iter().map(String::as_str).collect();
    ports.stores.policy().is_met_by(&names).then_some(origins)
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
    /// Whether something was put right at last and was wrong again when it was looked at: an origin alters what it is given.
    undone: bool,
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

    /// What the package is refused for.
    fn failure(&self) -> Failure {
        let mut failure = not_proven(&self.findings());
        // What an origin does to what it is given, it may not do a few seconds later.
        if self.undone && failure.retry == Retry::Never {
            failure.retry = Retry::Later;
        }
        failure
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
        undone: false,
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
        outlook.undone = !done.is_empty();
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
        on_edge: proofs.iter().flat_map(|proof| proof.on_edge.iter().cloned()).collect(),
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
        match verify::inventory_object(&**origin, package, expected).await {
            Ok(found) => return Ok(found),
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
