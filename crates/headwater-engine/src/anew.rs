//! Decides what takes the place of what is lost of a package and cannot be had again under its name, since making it
//! again gave other bytes: nothing that viewers have is ever written over by something else (R6), so it is a new version.

use std::collections::BTreeSet;

use headwater_model::inventory::Object;
use headwater_model::key::{INVENTORY_NAME, PackageId};
use headwater_model::plan::Pictures;
use headwater_model::refusal::{Code, Refusal};
use headwater_model::task::{Claimed, Failure, Remake, Retry, TaskKind};
use headwater_ports::transcoder::TranscodeError;

use crate::failure::{Halt, later, never};
use crate::life::Ports;
use crate::mend::{self, Outlook};
use crate::verify::{self, VerifyError};

/// How a package ends that is healed and of which something can only be had as a new version; `None` while what is lost
/// may still come back as it was. Viewers get `live`, which is the package itself or refers to it.
///
/// The new version makes every rendition again of which something is lost by now, whether or not it came out otherwise:
/// what it refers to should not need healing in its turn. What viewers do not get is not replaced.
pub(crate) async fn instead(
    ports: &Ports,
    claimed: &Claimed,
    live: &PackageId,
    outlook: &Outlook,
) -> Result<Option<Failure>, Halt> {
    let package = &claimed.package;
    let plan =
        claimed.plan.as_ref().ok_or_else(|| never(Code::Internal, "the package has no plan"))?;
    let build = ports.transcoder.engine().await.map_err(TranscodeError::into_failure)?;
    let same_build = build == plan.engine;

    if outlook.lost.contains(&TaskKind::Seal) {
        // The build that made the package gives the same bytes (R1), which the SHA-256 of the inventory will tell when
        // all of them are counted. Of any other that is not to be expected.
        if same_build {
            return Ok(None);
        }
        let key = package.key(INVENTORY_NAME);
        return Ok(Some(new_version(format!("`{key}` is lost on every origin"), live, Vec::new())));
    }

    let mut stuck = None;
    for object in outlook.gone.iter().filter(|object| differs(claimed, object)) {
        if !is_anywhere(ports, package, object, outlook).await {
            stuck = Some(package.key_of(object));
            break;
        }
    }
    let Some(stuck) = stuck else { return Ok(None) };
    let message = format!("`{stuck}` is lost and came out as other bytes");
    let answered: Vec<&str> = outlook.answered().collect();
    if !ports.stores.policy().is_met_by(&answered) {
        // Who does not answer may have it, and nothing can be published without them.
        return Ok(Some(later(
            Code::OriginUnavailable,
            format!("{message}, and an origin does not answer"),
        )));
    }
    if same_build && claimed.remake.as_ref().is_some_and(|remake| remake.heals) {
        let version = package.version;
        let why = format!(
            "{message}, although this very build made {version} in place of what was lost before"
        );
        return Ok(Some(never(Code::MadeDifferently, why)));
    }

    let needed = needed_by(ports, live).await?;
    let lost: BTreeSet<&str> = outlook
        .gone
        .iter()
        .filter(|object| needed.contains(package.key_of(object).as_str()))
        .filter_map(|object| object.role.rendition())
        .collect();
    let names = plan
        .video
        .iter()
        .map(|video| &video.name)
        .chain(plan.audio.iter().map(|audio| &audio.name))
        .chain(plan.text.iter().map(|text| &text.name))
        .map(String::as_str)
        .chain(plan.pictures.iter().map(|_| Pictures::FOLDER));
    let renditions: Vec<String> =
        names.filter(|name| lost.contains(name)).map(str::to_owned).collect();
    if renditions.is_empty() {
        let why = format!("{message}, and viewers get {}, which does without it", live.version);
        return Ok(Some(never(Code::MadeDifferently, why)));
    }
    Ok(Some(new_version(message, live, renditions)))
}

/// Whether the rendition of an object came out as other bytes when it was made again.
fn differs(claimed: &Claimed, object: &Object) -> bool {
    object.role.rendition().is_some_and(|name| claimed.differs.iter().any(|other| other == name))
}

/// The failure that asks for a new version in which these renditions are made again, all of them when there are none.
pub(crate) fn new_version(message: String, live: &PackageId, renditions: Vec<String>) -> Failure {
    let remake = Remake {
        base: live.version,
        renditions,
        from_ms: None,
        to_ms: None,
        reason: Some(message.clone()),
        heals: true,
    };
    let refusal = Refusal::new(Code::MadeDifferently, message);
    Failure { refusal, retry: Retry::NewVersion(Box::new(remake)), last_words: None }
}

/// Whether any origin has the object as it should be, other than those whose proof has just found it wrong.
async fn is_anywhere(
    ports: &Ports,
    package: &PackageId,
    object: &Object,
    outlook: &Outlook,
) -> bool {
    let key = package.key_of(object);
    for origin in ports.stores.iter().filter(|origin| !outlook.lacks(origin.name(), &key)) {
        if verify::is_sound(&**origin, &key, object).await {
            return true;
        }
    }
    false
}

/// The keys of everything that viewers of a package get, wherever it is.
async fn needed_by(ports: &Ports, live: &PackageId) -> Result<BTreeSet<String>, Halt> {
    let (_, expected) = verify::sealed(ports, live).await.map_err(VerifyError::into_halt)?;
    let inventory = mend::read_inventory(ports, live, expected).await;
    let inventory = inventory.ok_or_else(|| {
        later(Code::OriginUnavailable, format!("no origin gives the inventory of `{live}`"))
    })?;
    Ok(inventory.objects.iter().map(|object| live.key_of(object).into()).collect())
}
