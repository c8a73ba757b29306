//! Seals a package: renders playlists and MPD from what was made, and lists everything in the inventory, which from
//! then on is the truth about the package (R7).

use headwater_model::inventory::{FORMAT, Header, Object, ObjectRole, RenditionHeader};
use headwater_model::key::{
    HLS_NAME, INVENTORY_NAME, MEDIA_PLAYLIST_NAME, MPD_NAME, PLAN_NAME, PackageId, THUMBNAILS_NAME,
};
use headwater_model::life::PackageRecord;
use headwater_model::plan::{Pictures, Plan};
use headwater_model::quality::Verdict;
use headwater_model::refusal::Code;
use headwater_model::task::{Claimed, Failure, Outcome, Retry};
use headwater_packaging::view::{PackageView, Place};
use headwater_packaging::{dash, hls, inventory, pictures};

use crate::failure::{Halt, later, never};
use crate::life::Ports;
use crate::make::put;
use crate::{anew, hash, mend, verify};

/// Does `Seal`. The inventory goes up last: where it is, everything that it lists was stored before.
///
/// The same objects give the same bytes, so sealing again after a crash replaces every file by itself. A package that viewers
/// have is sealed again only as it was: an inventory with another SHA-256 would make theirs something else.
pub(crate) async fn seal(ports: &Ports, claimed: &Claimed) -> Result<Outcome, Halt> {
    let package = &claimed.package;
    let plan =
        claimed.plan.clone().ok_or_else(|| never(Code::Internal, "the package has no plan"))?;
    let Some(PackageRecord { codecs, seen, .. }) = ports.catalog.package(package).await? else {
        return Err(never(Code::Internal, "the catalog does not know the package").into());
    };
    // Before manifests are written of what is not to be shown. What viewers have was judged when it was made.
    let verdict = match claimed.published_as {
        None => plan.pipeline.quality.verdict(&seen),
        Some(_) => Ok(Verdict::default()),
    };
    let verdict =
        verdict.map_err(|refusal| Failure { refusal, retry: Retry::Never, last_words: None })?;
    let mut objects = ports.catalog.objects(package).await?;
    let mut codecs = codecs;
    let (kept, kept_codecs) = kept(ports, package, &plan).await?;
    objects.extend(kept);
    codecs.extend(kept_codecs);
    let sealed = hash::compute({
        let package = package.clone();
        move || render(&package, &plan, objects, &codecs)
    })
    .await?;
    if claimed.published_as.is_some_and(|before| before != sealed.inventory.object.sha256) {
        let key = package.key(INVENTORY_NAME);
        let message = format!("`{key}` is lost on every origin and came out as other bytes");
        return Err(anew::new_version(message, package, Vec::new()).into());
    }
    for (object, text) in sealed.manifests {
        put(ports, package, &object, text.into()).await?;
    }
    let Inventory { object, bytes } = sealed.inventory;
    let inventory = object.sha256;
    put(ports, package, &object, bytes.into()).await?;
    Ok(Outcome::Sealed { inventory, objects: sealed.objects, bytes: sealed.bytes, verdict })
}

/// The objects of renditions that stay in older versions, and their codecs.
async fn kept(
    ports: &Ports,
    package: &PackageId,
    plan: &Plan,
) -> Result<(Vec<Object>, Vec<(String, String)>), Halt> {
    let Some(base) = plan.base.as_ref().filter(|base| !base.kept.is_empty()) else {
        return Ok((Vec::new(), Vec::new()));
    };
    let older = PackageId { version: base.version, ..package.clone() };
    let (_, expected) =
        verify::sealed(ports, &older).await.map_err(verify::VerifyError::into_halt)?;
    let inventory = mend::read_inventory(ports, &older, expected).await;
    let inventory = inventory.ok_or_else(|| {
        later(Code::OriginUnavailable, format!("no origin gives the inventory of `{older}`"))
    })?;
    let is_kept = |object: &&Object| {
        base.kept.iter().any(|name| {
            object.role.rendition() == Some(name.as_str())
                || object.path == format!("{name}/{MEDIA_PLAYLIST_NAME}")
                || object.path == format!("{name}/{THUMBNAILS_NAME}")
        })
    };
    let objects = inventory
        .objects
        .iter()
        .filter(is_kept)
        .map(|object| Object { version: object.version.or(Some(base.version)), ..object.clone() });
    let renditions = inventory.header.renditions.iter().filter(|r| base.kept.contains(&r.name));
    let codecs = renditions.map(|r| (r.name.clone(), r.codec.clone()));
    Ok((objects.collect(), codecs.collect()))
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
    // What is kept has a playlist where it is.
    let own = view.tracks().filter(|track| track.version.is_none());
    let media = own.map(|track| {
        (format!("{}/{MEDIA_PLAYLIST_NAME}", track.name), hls::media_playlist(&view, track))
    });
    let own = view.text.iter().filter(|text| text.version.is_none());
    let text =
        own.map(|text| (format!("{}/{MEDIA_PLAYLIST_NAME}", text.name), hls::text_playlist(text)));
    let own = view.pictures.iter().filter(|pictures| pictures.version.is_none());
    let pictures = own.flat_map(|of| {
        let path = |name: &str| format!("{}/{name}", Pictures::FOLDER);
        [
            (path(THUMBNAILS_NAME), pictures::webvtt(of)),
            (path(MEDIA_PLAYLIST_NAME), pictures::playlist(of)),
        ]
    });
    let texts = media.chain(text).chain(pictures).chain([
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
        trick: view.is_trick(track),
        version: track.version.unwrap_or(package.version),
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
    Object { path, bytes, sha256, md5, version: None, role: ObjectRole::Manifest }
}
