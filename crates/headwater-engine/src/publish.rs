//! Points viewers at a package: replaces the title's two pointers, last of all (R6), on every origin that proved to hold
//! the package.

use std::collections::BTreeMap;

use bytes::Bytes;
use headwater_model::finding::{Finding, FindingKind};
use headwater_model::id::Sha256;
use headwater_model::incident::{At, Look};
use headwater_model::inventory::{Inventory, Object, ObjectRole};
use headwater_model::key::{CACHE_POINTER, INVENTORY_NAME, ObjectKey, PackageId};
use headwater_model::plan::Plan;
use headwater_model::refusal::Code;
use headwater_model::task::{Claimed, Failure, Outcome, Retry, TaskKind};
use headwater_packaging::view::{PackageView, Place};
use headwater_packaging::{dash, hls};
use headwater_ports::origin::{Before, Origin, OriginErrorKind, Put};
use tracing::warn;

use crate::failure::{Halt, later, never, of_origin};
use crate::lease::Hold;
use crate::life::Ports;
use crate::{hash, mend, verify};

/// Does `Publish`. Doing it again after a crash writes the same two files again.
///
/// The catalog is asked right before the first pointer changes whether the lease still stands, and a lease of a title
/// that is no longer this package's to publish does not. Where an origin honours conditions, a pointer is replaced only
/// if it is still the one that was there before. What the origin then holds is read back: success means that viewers
/// get this package, from as many origins as the policy asks for.
pub(crate) async fn publish(
    ports: &Ports,
    hold: &Hold,
    claimed: &Claimed,
) -> Result<Outcome, Halt> {
    let package = &claimed.package;
    let plan =
        claimed.plan.clone().ok_or_else(|| never(Code::Internal, "the package has no plan"))?;
    let (_, expected) =
        verify::sealed(ports, package).await.map_err(verify::VerifyError::into_halt)?;
    // What was proven long ago may have been lost since, and so may what a rollback goes back to.
    let is_proven = claimed.published_as.is_none() && !claimed.proven_on.is_empty();
    let proven_on = match is_proven {
        true => claimed.proven_on.clone(),
        false => {
            let proven = mend::proven_now(ports, package, expected).await;
            proven.map_err(|halt| proven_again(claimed, halt))?
        }
    };

    let mut pointed = Vec::new();
    let mut first = None;
    for origin in ports.stores.iter().filter(|o| proven_on.iter().any(|name| name == o.name())) {
        match Pointing::prepare(&**origin, package, &plan, expected).await {
            Ok(pointing) => pointed.push(pointing),
            Err(failure) => drop(first.get_or_insert(failure)),
        }
    }
    let met = |pointed: &[Pointing<'_>]| {
        let names: Vec<&str> = pointed.iter().map(|pointing| pointing.origin.name()).collect();
        ports.stores.policy().is_met_by(&names)
    };
    let too_few = |first: Option<Failure>| {
        first.unwrap_or_else(|| {
            never(Code::NotProven, "the package is not proven on as many origins as it has to be")
        })
    };
    if !met(&pointed) {
        return Err(proven_again(claimed, too_few(first).into()));
    }
    hold.confirm().await?;
    let mut done = Vec::new();
    let mut look = Look::default();
    for pointing in pointed {
        let failure = match pointing.point().await {
            Ok(findings) => match findings.first() {
                None => {
                    for pointer in &pointing.pointers {
                        ports.stores.purge(pointing.origin.name(), &pointer.key).await;
                        let origin = pointing.origin.name().to_owned();
                        look.read.insert(At { origin, object: pointer.key.to_string() });
                    }
                    done.push(pointing);
                    continue;
                }
                Some(wrong) => {
                    let failure =
                        later(Code::NotProven, format!("{wrong}, right after it was stored"));
                    look.read.extend(findings.iter().map(At::of));
                    look.findings.extend(findings);
                    failure
                }
            },
            Err(failure) => failure,
        };
        warn!(refusal = %failure.refusal, "pointers not replaced");
        first.get_or_insert(failure);
    }
    ports.catalog.note(package, &look).await?;
    if !met(&done) {
        return Err(too_few(first).into());
    }
    Ok(Outcome::Published { pointers: done.first().map(Pointing::stored).unwrap_or_default() })
}

/// How a publication ends whose package is not, or no longer, what was proven: while viewers do not have it, it goes back to
/// its proof, which has made again what is lost.
fn proven_again(claimed: &Claimed, halt: Halt) -> Halt {
    match halt {
        Halt::Failed(failure)
            if failure.refusal.code == Code::NotProven && claimed.published_as.is_none() =>
        {
            Failure { retry: Retry::After(vec![TaskKind::Verify]), ..failure }.into()
        }
        other => other,
    }
}

/// The pointers of a title on one origin, about to be replaced.
pub(crate) struct Pointing<'o> {
    origin: &'o dyn Origin,
    pointers: Vec<Pointer>,
}

struct Pointer {
    key: ObjectKey,
    text: Bytes,
    before: Before,
}

impl<'o> Pointing<'o> {
    /// Renders the pointers and checks that they lead where they should, before anybody can see them.
    pub(crate) async fn prepare(
        origin: &'o dyn Origin,
        package: &PackageId,
        plan: &Plan,
        expected: Sha256,
    ) -> Result<Self, Failure> {
        let finding = |key: ObjectKey, kind| {
            let finding = Finding { origin: origin.name().to_owned(), object: key.into(), kind };
            match finding.kind {
                FindingKind::NotAnswered { .. } => {
                    later(Code::OriginUnavailable, finding.to_string())
                }
                _ => never(Code::NotProven, finding.to_string()),
            }
        };
        let inventory = verify::inventory_on(origin, package, expected)
            .await
            .map_err(|kind| finding(package.key(INVENTORY_NAME), kind))?;
        let (rendered, inventory) = hash::compute({
            let (package, plan) = (package.clone(), plan.clone());
            move || (render(&package, &plan, &inventory), inventory)
        })
        .await;
        let rendered = rendered?;
        let mut files = BTreeMap::new();
        for object in inventory.objects.iter().filter(|o| o.role == ObjectRole::Manifest) {
            let key = package.key_of(object);
            files.insert(key.clone(), read(origin, &key).await?.into());
        }
        for (key, text) in &rendered {
            files.insert(key.clone(), text.to_vec());
        }
        let findings = verify::check_manifests(package, inventory, files).await;
        if let Some((key, kind)) = findings.into_iter().next() {
            return Err(finding(key, kind));
        }
        let mut pointers = Vec::new();
        for (key, text) in rendered {
            let there = origin.head(&key).await.map_err(|e| of_origin(origin.name(), &e))?;
            let before = match there.map(|info| info.etag) {
                None => Before::Nothing,
                Some(Some(etag)) => Before::Etag(etag),
                Some(None) => Before::Anything,
            };
            pointers.push(Pointer { key, text, before });
        }
        Ok(Self { origin, pointers })
    }

    /// What the catalog has to know of them: the same on every origin.
    pub(crate) fn stored(&self) -> Vec<Object> {
        let object = |pointer: &Pointer| {
            let hash::Digests { bytes, sha256, md5 } = hash::digests(&pointer.text);
            let path = pointer.key.name().to_owned();
            Object { path, bytes, sha256, md5, version: None, role: ObjectRole::Manifest }
        };
        self.pointers.iter().map(object).collect()
    }

    /// Replaces them, reads them back and says what is wrong with them then. An origin that is a moment behind itself may
    /// well give the ones before, or none.
    pub(crate) async fn point(&self) -> Result<Vec<Finding>, Failure> {
        let name = self.origin.name();
        for Pointer { key, text, before } in &self.pointers {
            let hash::Digests { sha256, md5, .. } = hash::digests(text);
            let put = Put {
                key: key.clone(),
                body: text.clone(),
                sha256,
                md5,
                cache_control: CACHE_POINTER,
                before: before.clone(),
            };
            match self.origin.put(put).await {
                Ok(()) => {}
                // A try of this very put may have got through although its answer did not: the bytes will tell.
                Err(error) if error.kind == OriginErrorKind::Changed => {}
                Err(error) => return Err(of_origin(name, &error)),
            }
        }
        let mut findings = Vec::new();
        for (Pointer { key, .. }, stored) in self.pointers.iter().zip(self.stored()) {
            let wrong = match self.origin.get(key, None).await {
                Ok(body) => verify::wrong_bytes(&stored, &body),
                Err(error) if error.kind == OriginErrorKind::NotFound => Some(FindingKind::Missing),
                Err(error) => return Err(of_origin(name, &error)),
            };
            let origin = name.to_owned();
            findings.extend(wrong.map(|kind| Finding { origin, object: key.clone().into(), kind }));
        }
        Ok(findings)
    }
}

/// The pointers' keys and contents. Small enough to be hashed where they are.
pub(crate) fn render(
    package: &PackageId,
    plan: &Plan,
    inventory: &Inventory,
) -> Result<[(ObjectKey, Bytes); 2], Failure> {
    let codecs = inventory.header.codecs();
    let view = PackageView::new(plan, &inventory.objects, &codecs).map_err(|e| {
        never(Code::Internal, format!("the inventory is not that of the plan: {e}"))
    })?;
    let place = Place::Title(package.version);
    let [hls_key, mpd_key] = package.pointers();
    Ok([
        (hls_key, hls::multivariant(&view, place).into()),
        (mpd_key, dash::mpd(&view, place).into()),
    ])
}

async fn read(origin: &dyn Origin, key: &ObjectKey) -> Result<Bytes, Failure> {
    origin.get(key, None).await.map_err(|e| of_origin(origin.name(), &e))
}
