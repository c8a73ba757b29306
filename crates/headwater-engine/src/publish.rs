//! Points viewers at a package: replaces the title's two pointers, last of all (R6).

use std::collections::BTreeMap;

use bytes::Bytes;
use headwater_model::finding::Finding;
use headwater_model::inventory::{Inventory, ObjectRole};
use headwater_model::key::{CACHE_POINTER, ObjectKey, PackageId};
use headwater_model::plan::Plan;
use headwater_model::refusal::Code;
use headwater_model::task::{Claimed, Failure, Outcome};
use headwater_packaging::view::{PackageView, Place};
use headwater_packaging::{dash, hls};
use headwater_ports::origin::Put;

use crate::failure::{Halt, later, never, of_origin};
use crate::lease::Hold;
use crate::life::Ports;
use crate::{hash, verify};

/// Does `Publish`. Doing it again after a crash writes the same two files again.
///
/// The catalog is asked right before the first pointer changes whether the lease still stands, and a lease of a title
/// that is no longer this package's to publish does not. What the origin then holds is read back: success means that
/// viewers get this package.
pub(crate) async fn publish(
    ports: &Ports,
    hold: &Hold,
    claimed: &Claimed,
) -> Result<Outcome, Halt> {
    let package = &claimed.package;
    let name = ports.origin.name();
    let plan =
        claimed.plan.clone().ok_or_else(|| never(Code::Internal, "the package has no plan"))?;
    let inventory = verify::load(ports, package).await.map_err(|e| e.into_halt(name))?;
    let inventory = inventory.map_err(|finding| not_proven(&finding))?;
    let (pointers, inventory) = hash::compute({
        let package = package.clone();
        move || (render(&package, &plan, &inventory), inventory)
    })
    .await;
    let pointers = pointers?;

    // Before anybody can see them: that they lead where they should.
    let mut files = BTreeMap::new();
    for object in inventory.objects.iter().filter(|o| o.role == ObjectRole::Manifest) {
        let key = package.key(&object.path);
        files.insert(key.clone(), read(ports, &key).await?.into());
    }
    for (key, text) in &pointers {
        files.insert(key.clone(), text.to_vec());
    }
    let findings = verify::check_manifests(package, inventory, files).await;
    if let Some((key, kind)) = findings.into_iter().next() {
        let finding = Finding { origin: name.to_owned(), object: key.into(), kind };
        return Err(not_proven(&finding).into());
    }

    hold.confirm().await?;
    for (key, text) in &pointers {
        let hash::Digests { sha256, md5, .. } = hash::digests(text);
        let put =
            Put { key: key.clone(), body: text.clone(), sha256, md5, cache_control: CACHE_POINTER };
        ports.origin.put(put).await.map_err(|e| of_origin(name, &e))?;
    }
    for (key, text) in &pointers {
        if read(ports, key).await? != text {
            let message =
                format!("pointer `{key}` on origin {name} is not what was just stored there");
            return Err(later(Code::NotProven, message).into());
        }
    }
    Ok(Outcome::Published)
}

/// The pointers' keys and contents. Small enough to be hashed where they are.
fn render(
    package: &PackageId,
    plan: &Plan,
    inventory: &Inventory,
) -> Result<[(ObjectKey, Bytes); 2], Failure> {
    let codecs: Vec<(String, String)> =
        inventory.header.renditions.iter().map(|r| (r.name.clone(), r.codec.clone())).collect();
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

async fn read(ports: &Ports, key: &ObjectKey) -> Result<Bytes, Failure> {
    ports.origin.get(key, None).await.map_err(|e| of_origin(ports.origin.name(), &e))
}

fn not_proven(finding: &Finding) -> Failure {
    never(Code::NotProven, finding.to_string())
}
