//! Compares what an origin lists with what the inventory says (R5): one request for a thousand objects.

use headwater_model::finding::FindingKind;
use headwater_model::inventory::Object;
use headwater_model::key::PackageId;
use headwater_ports::origin::{ObjectInfo, Origin, OriginError};

/// What the listing says about one object of the inventory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Size is right, and so is the MD5 where the origin tells one.
    Sound,
    /// The MD5 is not that of the inventory: reading will tell what is there instead.
    Differs,
    /// Wrong without reading a byte.
    Wrong(FindingKind),
}

/// A verdict for each of `objects`, which are in the order of their paths, as are listings. Holds one page at a time.
/// What is listed beside them is not part of the package, and no concern of a proof.
pub(crate) async fn compare(
    origin: &dyn Origin,
    package: &PackageId,
    objects: &[Object],
) -> Result<Vec<Verdict>, OriginError> {
    let mut verdicts = Vec::with_capacity(objects.len());
    let mut expected = objects.iter().peekable();
    let mut after = None;
    loop {
        let page = origin.list(&package.prefix(), after.as_ref()).await?;
        for info in &page.objects {
            let Some(path) = package.path_of(&info.key) else { continue };
            while expected.next_if(|object| object.path.as_str() < path).is_some() {
                verdicts.push(Verdict::Wrong(FindingKind::Missing));
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
    verdicts.extend(expected.map(|_| Verdict::Wrong(FindingKind::Missing)));
    Ok(verdicts)
}

fn judge(object: &Object, listed: &ObjectInfo) -> Verdict {
    match wrong_size(object.bytes, listed.bytes) {
        Some(wrong) => Verdict::Wrong(wrong),
        None if listed.md5.is_some_and(|md5| md5 != object.md5) => Verdict::Differs,
        None => Verdict::Sound,
    }
}

/// What is wrong with an object of `found` bytes that should have `expected`, which are never 0.
pub(crate) fn wrong_size(expected: u64, found: u64) -> Option<FindingKind> {
    if found == expected {
        None
    } else if found == 0 {
        Some(FindingKind::Empty { expected })
    } else if found < expected {
        Some(FindingKind::Truncated { expected, found })
    } else {
        Some(FindingKind::TooLong { expected, found })
    }
}

#[cfg(test)]
mod tests;
