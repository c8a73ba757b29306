//! The archive: copies masters there, proves the copies, and knows which are missing (R9).
//!
//! A copy is made beside the life of its title. An archive that is away keeps no title from viewers; its task is tried
//! again like all work that waits for an origin, and what was given up is found by the next audit.

use std::collections::BTreeSet;

use headwater_model::archive::{
    Archiving, Expected, MasterCopy, Told, Word, judge, key_of, master_of, prefix,
};
use headwater_model::finding::{Finding, FindingKind};
use headwater_model::id::{Sha256, Tenant};
use headwater_model::incident::{At, How, Look, Mended};
use headwater_model::key::{CACHE_NEVER, ObjectKey, PackageId};
use headwater_model::refusal::Code;
use headwater_model::task::{Claimed, Failure, Outcome, Retry};
use headwater_ports::catalog::{Catalog, CatalogError};
use headwater_ports::origin::{
    ObjectInfo, Origin, OriginError, OriginErrorKind, ProofGrade, PutFile,
};
use tracing::{info, warn};

use crate::blocks;
use crate::failure::{Halt, later, never, of_origin};
use crate::life::Ports;
use crate::master::{self, Known};

/// Does `Archive`.
pub(crate) async fn archive(ports: &Ports, claimed: &Claimed) -> Result<Outcome, Halt> {
    let Some(archive) = ports.stores.archive() else {
        return Err(never(Code::OriginUnavailable, "no archive is configured any more").into());
    };
    let plan =
        claimed.plan.as_ref().ok_or_else(|| never(Code::Internal, "the package has no plan"))?;
    let (tenant, sha256) = (&claimed.package.tenant, plan.master);
    let known = ports.catalog.master(tenant, sha256).await?;
    let copy = known.as_ref().and_then(|known| known.copy_on(archive.name()));
    let rotten = match copy {
        Some((copy, _)) => is_rotten(&*ports.catalog, tenant, copy).await?,
        None => false,
    };
    if let Some((copy, proven)) = copy {
        // An ETag that was only found says nothing about the bytes, nor does any of a copy that was found rotten.
        let etag = copy.etag.clone().filter(|_| proven.is_some());
        // A rule of the bucket may have moved it to another class since.
        let expected = Expected { bytes: copy.bytes, sha256, etag, storage_class: None };
        match prove(&**archive, &copy.key, &expected, rotten).await {
            Ok(Proven { info, was_read }) => {
                info!(key = %copy.key, "archived before");
                close(&*ports.catalog, tenant, archive.name(), &copy.key, was_read, None).await?;
                let class = info.storage_class.clone().or(copy.storage_class.clone());
                let copy = of_info(archive.name(), sha256, info);
                return Ok(Outcome::Archived { copy: MasterCopy { storage_class: class, ..copy } });
            }
            Err(kind @ FindingKind::NotAnswered { .. }) => {
                return Err(not_proven(archive.name(), &copy.key, kind).into());
            }
            Err(kind) => {
                warn!(key = %copy.key, wrong = %kind, "the copy is lost and has to be sent again")
            }
        }
    }
    let again = copy.is_some();
    let key = key_of(tenant, sha256, &claimed.master_path);
    let key = copy.map(|(copy, _)| copy.key.clone()).or(key);
    let key = key.ok_or_else(|| never(Code::Internal, "the master's copy has no key"))?;
    let expected = send(ports, &**archive, claimed, sha256, &key).await?;
    // An archive that acknowledged it and kept the rotten one would say the same as before.
    match prove(&**archive, &key, &expected, rotten).await {
        Ok(Proven { info, was_read }) => {
            let how = again.then_some(How::SentAgain);
            close(&*ports.catalog, tenant, archive.name(), &key, was_read, how).await?;
            let info =
                ObjectInfo { storage_class: info.storage_class.or(expected.storage_class), ..info };
            Ok(Outcome::Archived { copy: of_info(archive.name(), sha256, info) })
        }
        Err(kind) => {
            let finding = finding(archive.name(), &key, kind.clone());
            let look = Look { findings: vec![finding], ..Look::default() };
            ports.catalog.note(&claimed.package, &look).await?;
            // Only a person can have it restored, and sending it again does not make it readable.
            let waits = rotten && matches!(kind, FindingKind::ListedButUnreadable { .. });
            let failure = not_proven(archive.name(), &key, kind);
            let retry = if waits { Retry::Never } else { failure.retry };
            Err(Failure { retry, ..failure }.into())
        }
    }
}

/// Whether somebody who read a copy found other bytes in it: then what the archive says about it is no proof.
async fn is_rotten(
    catalog: &dyn Catalog,
    tenant: &Tenant,
    copy: &MasterCopy,
) -> Result<bool, CatalogError> {
    let open = catalog.incidents_of(tenant, &copy.origin, copy.key.as_str()).await?;
    Ok(open.iter().any(|incident| incident.found.by_reading))
}

/// Sends the master; gives what the copy has to be.
async fn send(
    ports: &Ports,
    archive: &dyn Origin,
    claimed: &Claimed,
    sha256: Sha256,
    key: &ObjectKey,
) -> Result<Expected, Halt> {
    let masters = &*ports.masters;
    // Sent once, and read whole for that anyway.
    let opened = master::same(masters, &Known::default(), claimed, sha256).await?;
    let stamp = opened.stamp;
    let put = PutFile {
        key: key.clone(),
        file: opened.input.clone(),
        bytes: stamp.bytes,
        sha256,
        cache_control: CACHE_NEVER,
    };
    match archive.put_file(put).await {
        Ok(stored) => Ok(Expected {
            bytes: stamp.bytes,
            sha256,
            etag: stored.etag,
            storage_class: stored.storage_class,
        }),
        Err(error) => {
            // A master that vanished or was replaced explains whatever went wrong; one that was replaced by a file of the
            // same size and time is only told by its content.
            opened.check_unchanged(masters).await?;
            let corrupt = error.kind == OriginErrorKind::Corrupt;
            if corrupt && master::hash(masters, &opened.at).await?.1 != sha256 {
                return Err(master::changed(&opened.at, stamp, stamp).into());
            }
            Err(of_origin(archive.name(), &error).into())
        }
    }
}

/// A copy that is proven.
struct Proven {
    info: ObjectInfo,
    was_read: bool,
}

/// Asks an archive for proof of a copy, and reads it where its word is not enough, as it is for one that was `rotten`;
/// else says what is wrong.
async fn prove(
    archive: &dyn Origin,
    key: &ObjectKey,
    expected: &Expected,
    rotten: bool,
) -> Result<Proven, FindingKind> {
    let info = archive.head(key).await.map_err(|error| unanswered(&error))?;
    let info = info.ok_or(FindingKind::Missing)?;
    match judge(expected, &told(&info)) {
        Word::Contradicts(kind) => return Err(kind),
        Word::Proves if archive.grade() != ProofGrade::C && !rotten => {
            return Ok(Proven { info, was_read: false });
        }
        Word::Proves | Word::SaysNothing => {}
    }
    match blocks::hash(archive, key, expected.bytes).await {
        Ok(found) if found == expected.sha256 => Ok(Proven { info, was_read: true }),
        Ok(found) => Err(FindingKind::Altered { expected: expected.sha256, found }),
        Err(error) if error.kind == OriginErrorKind::Cold => {
            let reason = match rotten {
                true => {
                    "it was rotten when it was read before, and its storage class keeps it from being read again: restore it at the provider, then have the title healed"
                }
                false => {
                    "its ETag proves nothing there, and its storage class keeps it from being read back"
                }
            };
            Err(FindingKind::ListedButUnreadable { reason: reason.to_owned() })
        }
        Err(error) => Err(unanswered(&error)),
    }
}

/// What an origin said about a copy.
pub(crate) fn told(info: &ObjectInfo) -> Told {
    Told {
        bytes: info.bytes,
        sha256: info.sha256,
        etag: info.etag.clone(),
        storage_class: info.storage_class.clone(),
    }
}

fn of_info(archive: &str, sha256: Sha256, info: ObjectInfo) -> MasterCopy {
    let ObjectInfo { key, bytes, etag, storage_class, .. } = info;
    MasterCopy { origin: archive.to_owned(), key, bytes, sha256, etag, storage_class }
}

pub(crate) fn unanswered(error: &OriginError) -> FindingKind {
    FindingKind::NotAnswered { reason: error.source.to_string() }
}

fn finding(archive: &str, key: &ObjectKey, kind: FindingKind) -> Finding {
    Finding { origin: archive.to_owned(), object: key.to_string(), kind }
}

fn not_proven(archive: &str, key: &ObjectKey, kind: FindingKind) -> Failure {
    let code = match kind {
        FindingKind::NotAnswered { .. } => Code::OriginUnavailable,
        _ => Code::NotProven,
    };
    later(code, finding(archive, key, kind).to_string())
}

/// Closes what was found wrong with a copy that is proven, for every package that has it as an incident; what was found
/// by reading, only when it `was_read`.
pub(crate) async fn close(
    catalog: &dyn Catalog,
    tenant: &Tenant,
    archive: &str,
    key: &ObjectKey,
    was_read: bool,
    how: Option<How>,
) -> Result<(), CatalogError> {
    let open = catalog.incidents_of(tenant, archive, key.as_str()).await?;
    let packages: BTreeSet<PackageId> = open.into_iter().map(|i| i.package).collect();
    for package in packages {
        let (origin, object) = (archive.to_owned(), key.to_string());
        let at = At { origin: origin.clone(), object: object.clone() };
        let read = was_read.then_some(at).into_iter().collect();
        let mended = how.clone().map(|how| Mended { origin, object, how });
        let mended = mended.into_iter().collect();
        let look = Look { whole: vec![archive.to_owned()], read, mended, ..Look::default() };
        catalog.note(&package, &look).await?;
    }
    Ok(())
}

/// Queues the archiving of a package's master when there is an archive that does not have it for certain. False when
/// nothing was queued.
pub(crate) async fn queue(ports: &Ports, package: &PackageId) -> Result<bool, CatalogError> {
    let Some(archive) = ports.stores.archive() else { return Ok(false) };
    let plan = ports.catalog.package(package).await?.and_then(|record| record.plan);
    let Some(plan) = plan else { return Ok(false) };
    let Some(known) = ports.catalog.master(&package.tenant, plan.master).await? else {
        return Ok(false);
    };
    if let Some((copy, Some(_))) = known.copy_on(archive.name()) {
        let (catalog, tenant) = (&ports.catalog, &package.tenant);
        if catalog.incidents_of(tenant, &copy.origin, copy.key.as_str()).await?.is_empty() {
            return Ok(false);
        }
    }
    if matches!(known.archiving, Archiving::UnderWay(_)) {
        return Ok(false);
    }
    ports.catalog.archive(package).await
}

/// Finds the copies that an archive lists, for a catalog that was lost; gives how many, and takes none of them for proven.
pub(crate) async fn find_copies(
    ports: &Ports,
    archive: &dyn Origin,
    tenant: &Tenant,
) -> Result<Result<u64, OriginError>, CatalogError> {
    let (prefix, mut after, mut found) = (prefix(tenant), None, 0);
    loop {
        let page = match archive.list(&prefix, after.as_ref()).await {
            Ok(page) => page,
            Err(error) => return Ok(Err(error)),
        };
        for listed in page.objects {
            let Some(sha256) = master_of(tenant, &listed.key) else { continue };
            if listed.bytes > 0 {
                let copy = of_info(archive.name(), sha256, listed);
                ports.catalog.keep_copy(tenant, &copy).await?;
                found += 1;
            }
        }
        after = page.next;
        if after.is_none() {
            return Ok(Ok(found));
        }
    }
}
