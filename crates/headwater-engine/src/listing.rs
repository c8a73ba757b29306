//! Compares what an origin lists with what the inventory says (R5): one request for a thousand objects.

use std::collections::BTreeMap;

use headwater_model::finding::FindingKind;
use headwater_model::id::Version;
use headwater_model::inventory::Object;
use headwater_model::key::PackageId;
use headwater_ports::origin::{ObjectInfo, Origin, OriginError};

/// What is known of one object of the inventory without reading it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Size and hash are right.
    Sound,
    /// The size is right, and there is no hash to go by.
    Unsure,
    /// It is not listed. Some origins list late, so that alone proves nothing.
    NotListed,
    /// The hash is not that of the inventory: reading will tell what is there instead.
    Differs,
    /// Wrong without reading a byte.
    Wrong(FindingKind),
}

/// A verdict for each of `objects`, which are in the order of their paths, also those that an older version holds.
pub(crate) async fn compare(
    origin: &dyn Origin,
    package: &PackageId,
    objects: &[Object],
) -> Result<Vec<Verdict>, OriginError> {
    let mut by_version: BTreeMap<Version, Vec<usize>> = BTreeMap::new();
    for (n, object) in objects.iter().enumerate() {
        by_version.entry(object.version.unwrap_or(package.version)).or_default().push(n);
    }
    let mut verdicts = vec![Verdict::NotListed; objects.len()];
    for (version, places) in by_version {
        let of_version: Vec<&Object> = places.iter().map(|n| &objects[*n]).collect();
        let package = PackageId { version, ..package.clone() };
        let found = compare_one(origin, &package, &of_version).await?;
        for (n, verdict) in places.into_iter().zip(found) {
            verdicts[n] = verdict;
        }
    }
    Ok(verdicts)
}

/// The same for objects that one version holds. Listings are in the order of paths too, so this holds one page at a
/// time. What is listed beside them is not part of the package, and no concern of a proof.
async fn compare_one(
    origin: &dyn Origin,
    package: &PackageId,
    objects: &[&Object],
) -> Result<Vec<Verdict>, OriginError> {
    let mut verdicts = Vec::with_capacity(objects.len());
    let mut expected = objects.iter().peekable();
    let mut after = None;
    loop {
        let page = origin.list(&package.prefix(), after.as_ref()).await?;
        for info in &page.objects {
            let Some(path) = package.path_of(&info.key) else { continue };
            while expected.next_if(|object| object.path.as_str() < path).is_some() {
                verdicts.push(Verdict::NotListed);
            }
            if let Some(object) = expected.next_if(|object| object.path == path) {
                verdicts.push(judge(object, info));
            }
        }
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    verdicts.extend(expected.map(|_| Verdict::NotListed));
    Ok(verdicts)
}

/// What the origin's word about an object makes of it.
pub(crate) fn judge(object: &Object, told: &ObjectInfo) -> Verdict {
    let right = match (told.sha256, told.md5) {
        (Some(sha256), _) => Some(sha256 == object.sha256),
        (None, Some(md5)) => Some(md5 == object.md5),
        (None, None) => None,
    };
    match (FindingKind::of_size(object.bytes, told.bytes), right) {
        (Some(wrong), _) => Verdict::Wrong(wrong),
        (None, Some(true)) => Verdict::Sound,
        (None, Some(false)) => Verdict::Differs,
        (None, None) => Verdict::Unsure,
    }
}

#[cfg(test)]
mod tests;
