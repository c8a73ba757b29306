//! Copies of masters in the archive: where they are, what proves them, and what is done about those that are missing
//! (R9).

use serde::{Deserialize, Serialize};

use crate::finding::FindingKind;
use crate::id::{Sha256, Tenant};
use crate::key::{ObjectKey, PackageId};
use crate::refusal::Refusal;
use crate::time::Timestamp;

/// A master's copy in the archive, as it was stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MasterCopy {
    /// Name of the archive.
    pub origin: String,
    /// Where it is there.
    pub key: ObjectKey,
    /// Size in bytes.
    pub bytes: u64,
    /// What it is a copy of.
    pub sha256: Sha256,
    /// What the archive said when it was proven: a later look compares it.
    pub etag: Option<String>,
    /// The storage class that the archive says it has, where it says one.
    pub storage_class: Option<String>,
}

/// What is done about a master's copy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Archiving {
    /// Nothing, and nothing went wrong last time.
    Idle,
    /// It is in the queue or being sent; with what went wrong in the last try, if there was one.
    UnderWay(Option<Refusal>),
    /// It was tried as often as it may, or another try cannot help.
    GivenUp(Refusal),
}

/// A master that is known, and its copy in the archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MasterRecord {
    /// Which.
    pub sha256: Sha256,
    /// The newest package that was made of it, unless all of them were deleted.
    pub package: Option<PackageId>,
    /// Where it was when that package was made; empty when nobody knows.
    pub path: String,
    /// Its copy, with when it was last proven: never, when it was only found by its key in a catalog that was rebuilt.
    pub copy: Option<(MasterCopy, Option<Timestamp>)>,
    /// What is done about it.
    pub archiving: Archiving,
}

impl MasterRecord {
    /// Its copy on `archive`, with when it was last proven.
    pub fn copy_on(&self, archive: &str) -> Option<(&MasterCopy, Option<Timestamp>)> {
        let (copy, proven) = self.copy.as_ref()?;
        (copy.origin == archive).then_some((copy, *proven))
    }
}

/// Letters of an extension that a key takes over. Longer ones are names with a dot in them.
const EXTENSION: usize = 8;

/// What the keys of all copies of a tenant's masters start with.
pub fn prefix(tenant: &Tenant) -> String {
    format!("{tenant}/masters/")
}

/// What the key of a master's copy starts with: all of it but the extension.
pub fn prefix_of(tenant: &Tenant, sha256: Sha256) -> String {
    format!("{}{sha256}.", prefix(tenant))
}

/// The key of a master's copy: its content and, for people, the extension of the file at `path`.
pub fn key_of(tenant: &Tenant, sha256: Sha256, path: &str) -> Option<ObjectKey> {
    let name = path.rsplit('/').next().unwrap_or(path);
    let extension = name.rsplit_once('.').map(|(_, extension)| extension.to_ascii_lowercase());
    let plain = |e: &String| {
        (1..=EXTENSION).contains(&e.len()) && e.bytes().all(|b| b.is_ascii_alphanumeric())
    };
    let extension = extension.filter(plain).unwrap_or_else(|| "bin".to_owned());
    ObjectKey::new(format!("{}{extension}", prefix_of(tenant, sha256)))
}

/// The master that a key of the archive says that it holds a copy of.
pub fn master_of(tenant: &Tenant, key: &ObjectKey) -> Option<Sha256> {
    let name = key.as_str().strip_prefix(&prefix(tenant))?;
    name.split_once('.')?.0.parse().ok()
}

/// What a copy has to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expected {
    /// Size in bytes.
    pub bytes: u64,
    /// Its content.
    pub sha256: Sha256,
    /// The ETag that its bytes make, or that it had when it was proven; `None` where ETags say nothing.
    pub etag: Option<String>,
    /// The storage class that was asked for.
    pub storage_class: Option<String>,
}

/// What an origin says about a copy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// Size in bytes.
    pub bytes: u64,
    /// SHA-256, where the origin enforces it and returns it.
    pub sha256: Option<Sha256>,
    /// ETag.
    pub etag: Option<String>,
    /// Storage class, where it says one.
    pub storage_class: Option<String>,
}

/// What an origin's word makes of a copy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Word {
    /// It is proven: its hash is that of the master, or its ETag the one that the master's bytes make.
    Proves,
    /// Nothing is wrong, and nothing proven: the bytes have to be read.
    SaysNothing,
    /// It is wrong.
    Contradicts(FindingKind),
}

/// Judges what an origin says about a copy.
pub fn judge(expected: &Expected, told: &Told) -> Word {
    if let Some(wrong) = FindingKind::of_size(expected.bytes, told.bytes) {
        return Word::Contradicts(wrong);
    }
    if let (Some(expected), Some(found)) = (&expected.storage_class, &told.storage_class)
        && expected != found
    {
        let (expected, found) = (expected.clone(), found.clone());
        return Word::Contradicts(FindingKind::OtherClass { expected, found });
    }
    match (told.sha256, &expected.etag, &told.etag) {
        (Some(found), ..) if found == expected.sha256 => Word::Proves,
        (Some(found), ..) => {
            Word::Contradicts(FindingKind::Altered { expected: expected.sha256, found })
        }
        // Some origins quote it here and not there.
        (None, Some(expected), Some(found))
            if expected.trim_matches('"') == found.trim_matches('"') =>
        {
            Word::Proves
        }
        (None, Some(expected), Some(found)) => {
            let (expected, found) = (expected.clone(), found.clone());
            Word::Contradicts(FindingKind::OtherEtag { expected, found })
        }
        (None, ..) => Word::SaysNothing,
    }
}

#[cfg(test)]
mod tests;
