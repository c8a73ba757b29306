//! Seals a package: renders playlists and MPD from what was made, and lists everything in the inventory, which from
//! then on is the truth about the package (R7).

use headwater_model::inventory::{FORMAT, Header, Object, ObjectRole, RenditionHeader};
use headwater_model::key::{
    HLS_NAME, INVENTORY_NAME, MEDIA_PLAYLIST_NAME, MPD_NAME, PLAN_NAME, PackageId,
};
use headwater_model::life::PackageRecord;
use headwater_model::plan::Plan;
use headwater_model::refusal::Code;
use headwater_model::task::{Claimed, Failure, Outcome};
use headwater_packaging::view::{PackageView, Place};
use headwater_packaging::{dash, hls, inventory};

use crate::failure::{Halt, never};
use crate::hash;
use crate::life::Ports;
use crate::make::put;

/// Does `Seal`. The inventory goes up last: where it is, everything that it lists was stored before.
///
/// The same objects give the same bytes, so sealing again after a crash replaces every file by itself.
pub(crate) async fn seal(ports: &Ports, claimed: &Claimed) -> Result<Outcome, Halt> {
    let package = &claimed.package;
    let plan =
        claimed.plan.clone().ok_or_else(|| never(Code::Internal, "the package has no plan"))?;
    let Some(PackageRecord { codecs, .. }) = ports.catalog.package(package).await? else {
        return Err(never(Code::Internal, "the catalog does not know the package").into());
    };
    let objects = ports.catalog.objects(package).await?;
    let sealed = hash::compute({
        let package = package.clone();
        move || render(&package, &plan, objects, &codecs)
    })
    .await?;
    for (object, text) in sealed.manifests {
        put(ports, package, &object, text.into()).await?;
    }
    let Inventory { object, bytes } = sealed.inventory;
    let inventory = object.sha256;
    put(ports, package, &object, bytes.into()).await?;
    Ok(Outcome::Sealed { inventory, objects: sealed.objects, bytes: sealed.bytes })
}

/// What sealing writes.
pub(crate) struct Sealed {
    /// Playlists, MPD and the plan.
    pub(crate) manifests: Vec<(Object, String)>,
    inventory: Inventory,
    /// Objects in the inventory.
    objects: u64,
    /// Their bytes.
    bytes: u64,
}

/// The inventory as an object of its own. It does not list itself.
struct Inventory {
    object: Object,
    bytes: Vec<u8>,
}

/// Renders everything that sealing writes.
pub(crate) fn render(
    package: &PackageId,
    plan: &Plan,
    mut objects: Vec<Object>,
    codecs: &[(String, String)],
) -> Result<Sealed, Failure> {
    let view = PackageView::new(plan, &objects, codecs).map_err(|incomplete| {
        never(Code::Internal, format!("the package is not complete: {incomplete}"))
    })?;
    let media = view.tracks().map(|track| {
        (format!("{}/{MEDIA_PLAYLIST_NAME}", track.name), hls::media_playlist(&view, track))
    });
    let texts = media.chain([
        (HLS_NAME.to_owned(), hls::multivariant(&view, Place::Package)),
        (MPD_NAME.to_owned(), dash::mpd(&view, Place::Package)),
    ]);
    let mut manifests: Vec<_> =
        texts.map(|(path, text)| (manifest(path, text.as_bytes()), text)).collect();
    let recipe = serde_json::to_string(plan)
        .map_err(|e| never(Code::Internal, format!("the plan cannot be written: {e}")))?;
    let object = manifest(PLAN_NAME.to_owned(), recipe.as_bytes());
    manifests.push((Object { role: ObjectRole::Plan, ..object }, recipe));
    objects.extend(manifests.iter().map(|(object, _)| object.clone()));
    let renditions = view.tracks().map(|track| RenditionHeader {
        name: track.name.clone(),
        codec: track.codec.clone(),
        timescale: track.timescale,
        delay: track.delay,
        version: package.version,
    });
    let header = Header {
        format: FORMAT.to_owned(),
        package: package.clone(),
        master: plan.master,
        pipeline: plan.pipeline.name.clone(),
        pipeline_sha256: plan.pipeline.sha256,
        engine: plan.engine.clone(),
        renditions: renditions.collect(),
        objects: objects.len() as u64,
    };
    let bytes = inventory::write(&header, &objects);
    Ok(Sealed {
        manifests,
        objects: objects.len() as u64,
        bytes: objects.iter().map(|o| o.bytes).sum(),
        inventory: Inventory { object: manifest(INVENTORY_NAME.to_owned(), &bytes), bytes },
    })
}

fn manifest(path: String, bytes: &[u8]) -> Object {
    let hash::Digests { bytes, sha256, md5 } = hash::digests(bytes);
    Object { path, bytes, sha256, md5, role: ObjectRole::Manifest }
}
