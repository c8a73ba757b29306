//! Audits: what origins should hold, and what was found of it.

use serde::{Deserialize, Serialize};

use crate::id::{Sha256, Tenant, TitleId, Version};
use crate::inventory::Object;
use crate::key::{ObjectKey, PackageId};
use crate::time::Timestamp;

/// What the catalog says about the packages of one title.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holding {
    /// Whose.
    pub tenant: Tenant,
    /// Which title.
    pub title: TitleId,
    /// What viewers get.
    pub live: Option<Version>,
    /// Since when they get it.
    pub live_since: Option<Timestamp>,
    /// Every version that there ever was, oldest first.
    pub versions: Vec<Held>,
}

/// One version of a title.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    /// Which.
    pub version: Version,
    /// What origins should have of it.
    pub content: Content,
    /// Whether viewers can ever get it.
    pub standing: Standing,
}

/// Whether viewers can get a version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// They never did. It is being made, or was given up, or was not proven: nobody can roll back to it.
    NeverPublished,
    /// They get it, or have had it and can be given it again.
    Published,
    /// They never will again: it is being deleted.
    Condemned,
}

/// What origins should have of a version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// Whatever has been made of it so far.
    InTheMaking,
    /// What its inventory says.
    Sealed {
        /// SHA-256 of the inventory object.
        inventory: Sha256,
        /// The pointers as they were stored when it was published.
        pointers: Vec<Object>,
    },
    /// Nothing: it was given up before it was sealed.
    Nothing,
}

impl Holding {
    /// What every key of the title starts with: `main/film/`.
    pub fn prefix(&self) -> String {
        format!("{}/{}/", self.tenant, self.title)
    }

    /// Versions that nobody needs: sealed, older than what viewers get, and no longer got by them since `before`, but for
    /// the `keep` newest that viewers have had, which can be rolled back to; and those whose deletion was begun before. A
    /// title of which nothing is live keeps everything else.
    pub fn unneeded(&self, before: Timestamp, keep: usize) -> Vec<Version> {
        let live = self.live.filter(|_| self.live_since.is_some_and(|at| at < before));
        let mut keep = keep;
        let is_unneeded = |held: &&Held| {
            let is_older = live.is_some_and(|live| held.version < live);
            match held.standing {
                Standing::Condemned => true,
                Standing::NeverPublished => is_older,
                Standing::Published if is_older && keep > 0 => {
                    keep -= 1;
                    false
                }
                Standing::Published => is_older,
            }
        };
        let sealed = |held: &&Held| matches!(held.content, Content::Sealed { .. });
        let newest_first = self.versions.iter().rev().filter(sealed);
        newest_first.filter(is_unneeded).map(|held| held.version).collect()
    }

    /// One of its packages.
    pub fn package(&self, version: Version) -> PackageId {
        PackageId { tenant: self.tenant.clone(), title: self.title.clone(), version }
    }
}

/// Whether an object is among the `share` (0 to 1) of all that a round reads. Rounds differ in `round`, so that in time
/// every object is read; the same round asked again, after a crash for example, reads the same.
pub fn is_sampled(key: &ObjectKey, share: f64, round: u64) -> bool {
    // FNV-1a with the round mixed in, then a finishing step that spreads it over all bits (splitmix64).
    let mut hash: u64 = 0xCBF2_9CE4_8422_2325 ^ round.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    for byte in key.as_str().bytes() {
        hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01B3);
    }
    hash = (hash ^ (hash >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    hash = (hash ^ (hash >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    hash ^= hash >> 31;
    (hash >> 11) as f64 / (1u64 << 53) as f64 <= share && share > 0.0
}

/// What an audit has looked at and found so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Tally {
    /// Titles.
    pub titles: u64,
    /// Objects that are needed.
    pub objects: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Objects that were read to the last byte.
    pub read: u64,
    /// Objects that are wrong.
    pub findings: u64,
    /// Objects that no inventory names.
    pub orphans: u64,
    /// Their bytes.
    pub orphan_bytes: u64,
}

impl Tally {
    /// Adds another one.
    pub fn add(&mut self, other: Tally) {
        self.titles += other.titles;
        self.objects += other.objects;
        self.bytes += other.bytes;
        self.read += other.read;
        self.findings += other.findings;
        self.orphans += other.orphans;
        self.orphan_bytes += other.orphan_bytes;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_viewers_left_long_ago_is_not_needed() {
        let sealed = || Content::Sealed { inventory: Sha256([1; 32]), pointers: vec![] };
        let held = |n, content| {
            let standing = match (n, &content) {
                (1, _) => Standing::Condemned,
                (4, _) | (_, Content::Nothing | Content::InTheMaking) => Standing::NeverPublished,
                (_, Content::Sealed { .. }) => Standing::Published,
            };
            Held { version: Version(n), content, standing }
        };
        let holding = |live: Option<u32>| Holding {
            tenant: Tenant::default(),
            title: "film".parse().expect("a name"),
            live: live.map(Version),
            live_since: live.map(|_| Timestamp(1_000)),
            versions: vec![
                held(1, sealed()),
                held(2, sealed()),
                held(3, Content::Nothing),
                held(4, sealed()),
                held(5, sealed()),
                held(6, Content::InTheMaking),
            ],
        };
        let unneeded = |live, before, keep| -> Vec<u32> {
            let versions = holding(live).unneeded(Timestamp(before), keep);
            versions.into_iter().map(|version| version.0).collect()
        };
        assert_eq!(unneeded(Some(7), 1_001, 0), [5, 4, 2, 1]);
        assert_eq!(unneeded(Some(7), 1_001, 1), [4, 2, 1], "v4 cannot be rolled back to");
        assert_eq!(unneeded(Some(7), 1_001, 2), [4, 1]);
        assert_eq!(unneeded(Some(7), 1_001, 9), [4, 1], "what was begun is ended");
        assert_eq!(unneeded(Some(7), 1_000, 0), [1], "not long enough ago");
        assert_eq!(unneeded(Some(2), 1_001, 0), [1], "after a rollback newer ones stay");
        assert_eq!(unneeded(Some(5), 1_001, 0), [4, 2, 1]);
        assert_eq!(unneeded(None, 1_001, 0), [1], "nothing is live");
    }

    #[test]
    fn a_sample_is_a_share_of_all_and_another_one_every_round() {
        let keys: Vec<ObjectKey> = (0..20_000)
            .filter_map(|n| ObjectKey::new(format!("main/film/v1/video-720p/seg-{n:05}.m4s")))
            .collect();
        let sampled = |share, round| -> Vec<bool> {
            keys.iter().map(|key| is_sampled(key, share, round)).collect()
        };
        let count = |sample: &[bool]| sample.iter().filter(|read| **read).count();
        assert_eq!(count(&sampled(0.0, 1)), 0);
        assert_eq!(count(&sampled(1.0, 1)), keys.len());
        let (first, second) = (sampled(0.01, 1), sampled(0.01, 2));
        assert!((150..250).contains(&count(&first)), "{}", count(&first));
        assert_eq!(first, sampled(0.01, 1));
        let both = first.iter().zip(&second).filter(|(a, b)| **a && **b).count();
        assert!(both < 20, "{both} of two samples are the same");
    }
}
