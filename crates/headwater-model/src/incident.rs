//! Incidents: what was found wrong with an object on an origin, from the first look that found it until it is right.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::finding::{Finding, FindingKind};
use crate::id::Version;
use crate::key::PackageId;
use crate::plan::Plan;
use crate::time::Timestamp;

mod many;

pub use many::{MOST, told_together};

/// An object that was found wrong on an origin. An object has at most one open incident on each.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Incident {
    /// Its number in the catalog.
    pub id: i64,
    /// The package that needs the object.
    pub package: PackageId,
    /// What is wrong, as the last look found it.
    #[serde(flatten)]
    pub finding: Finding,
    /// What it took to find it, over all looks so far.
    #[serde(skip)]
    pub found: Found,
    /// When it was first found.
    pub first_seen: Timestamp,
    /// When it was last found.
    pub last_seen: Timestamp,
    /// What was done about it last; nothing by us when it is closed all the same.
    pub mended: Option<How>,
    /// When the object was proven again; `None` while the incident is open.
    pub closed: Option<Timestamp>,
}

/// What made an object right again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "how")]
pub enum How {
    /// It was copied from an origin that has it.
    Copied {
        /// That origin's name.
        from: String,
    },
    /// It was copied from the edge, which still had it.
    FromEdge,
    /// It was rendered again from the inventory.
    Rendered,
    /// The span or track that it belongs to was made again, as the same bytes.
    MadeAgain,
    /// The edge was told to forget what it had of it.
    Purged,
    /// Viewers get a version that does without it.
    ReplacedBy {
        /// That version.
        version: Version,
    },
    /// The master was sent to the archive again.
    SentAgain,
}

impl fmt::Display for How {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            How::Copied { from } => write!(f, "copied from origin {from}"),
            How::FromEdge => f.write_str("copied from the edge"),
            How::Rendered => f.write_str("rendered again"),
            How::MadeAgain => f.write_str("made again"),
            How::Purged => f.write_str("purged from the edge"),
            How::ReplacedBy { version } => {
                write!(f, "viewers get {version}, which does without it")
            }
            How::SentAgain => f.write_str("sent again from the master"),
        }
    }
}

/// What was done about an object on an origin. Whether it helped, the next look says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mended {
    /// The origin's name.
    pub origin: String,
    /// The object's key.
    pub object: String,
    /// What was done.
    pub how: How,
}

/// What it took to find something wrong with an object: what a look has to do as well before it can say that all is well
/// again. A later look that finds something else takes nothing of it back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Found {
    /// It was read from its origin. What the origin says about it may have been right all the time.
    pub by_reading: bool,
    /// It was asked of the edge.
    pub on_edge: bool,
}

impl Found {
    /// What both took.
    pub fn and(self, other: Self) -> Self {
        Self {
            by_reading: self.by_reading || other.by_reading,
            on_edge: self.on_edge || other.on_edge,
        }
    }
}

/// What a look at a package came to.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Look {
    /// Names of the origins of which every object was compared with the inventory, so that what is not among the findings
    /// is there as the origin says. An inventory that could not be read makes no look a whole one.
    pub whole: Vec<String>,
    /// Names of those whose edge was looked through as closely.
    pub edges: Vec<String>,
    /// What was asked of other edges: what had been found wrong there.
    pub on_edge: BTreeSet<At>,
    /// What was read to the last byte: at least what is among the findings by that, and what only that can close.
    pub read: BTreeSet<At>,
    /// What is wrong.
    pub findings: Vec<Finding>,
    /// What was done about earlier findings.
    pub mended: Vec<Mended>,
}

/// An object on an origin.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct At {
    /// The origin's name.
    pub origin: String,
    /// The object's key.
    pub object: String,
}

impl At {
    /// Where something was found.
    pub fn of(finding: &Finding) -> Self {
        Self { origin: finding.origin.clone(), object: finding.object.clone() }
    }

    /// All that the package has on an origin.
    pub fn everything(origin: &str) -> Self {
        Self { origin: origin.to_owned(), object: "*".to_owned() }
    }
}

impl Look {
    /// What it took this look to find `finding`.
    pub fn found(&self, finding: &Finding) -> Found {
        if matches!(finding.kind, FindingKind::Many { .. }) {
            let each = self.findings.iter().filter(|f| f.origin == finding.origin);
            return each.map(|f| self.found(f)).fold(Found::default(), Found::and);
        }
        let by_its_kind = finding.kind.is_found_by_reading();
        let by_reading = by_its_kind || self.read.contains(&At::of(finding));
        let on_edge = finding.kind.is_of_edge();
        Found { by_reading: by_reading && !on_edge, on_edge }
    }

    /// Whether an open incident ends by this look, `open` being what was found last: only by a look that would have found
    /// it. One of many ends when none of them is left.
    pub fn closes(&self, open: &Finding, found: Found) -> bool {
        let is_many = matches!(open.kind, FindingKind::Many { .. });
        let same = |f: &Finding| f.origin == open.origin && (is_many || f.object == open.object);
        if self.findings.iter().any(same) {
            return false;
        }
        // Bytes that were read and are right leave nothing to ask the origin about.
        let everything = At::everything(&open.origin);
        let all_read = is_many && self.read.contains(&everything);
        let compared = self.whole.contains(&open.origin) && !found.by_reading;
        let on_origin = self.read.contains(&At::of(open)) || all_read || compared;
        // An edge is asked for what its origin has, so that what was only ever wrong there says nothing about the origin.
        let only_on_edge = open.kind.is_of_edge() && !found.by_reading;
        let all_asked = is_many && self.on_edge.contains(&everything);
        let asked = self.on_edge.contains(&At::of(open)) || all_asked;
        let on_edge = self.edges.contains(&open.origin) || asked;
        (on_origin || only_on_edge) && (on_edge || !(found.on_edge || open.kind.is_of_edge()))
    }

    /// What was done about `object` on `origin`; for many objects at once, about any that the package has there.
    pub fn mended(&self, origin: &str, object: &str) -> Option<&How> {
        let is_it = |m: &&Mended| m.object == object || object.ends_with("/*");
        let mended = self.mended.iter().filter(|m| m.origin == origin).find(is_it);
        mended.map(|m| &m.how)
    }
}

/// Whether an object is one of the title of a package, by its key. The copy of its master in an archive is not: whichever
/// version viewers get, it is wrong until it is right.
pub fn is_of_title(package: &PackageId, object: &str) -> bool {
    let prefix = format!("{}/{}/", package.tenant, package.title);
    object.starts_with(&prefix)
}

/// Whether viewers of `live` need an object of another version of the title, by its key, since `live` refers to it. An
/// open incident of it is one of `live` from when they get that; incidents of all other objects of the title end then.
///
/// `plans` are those of `live` and of the versions that it goes back to. Where one is missing, since that version was
/// deleted, any version's object of a rendition that is kept counts as needed: it is for the next look to say.
pub fn is_needed(live: &PackageId, plans: &BTreeMap<Version, Plan>, object: &str) -> bool {
    let in_title = object.strip_prefix(&format!("{}/{}/", live.tenant, live.title));
    let Some((version, path)) = in_title.and_then(|rest| rest.split_once('/')) else {
        return false;
    };
    if let (Some(folder), Some(plan)) = (object.strip_suffix('*'), plans.get(&live.version)) {
        // Many objects at once: any that is needed will do.
        let mut kept = plan.base.iter().flat_map(|base| &base.kept);
        return kept.any(|name| is_needed(live, plans, &format!("{folder}{name}/")));
    }
    let Some((rendition, _)) = path.split_once('/') else { return false };
    let mut home = live.version;
    while let Some(plan) = plans.get(&home) {
        match &plan.base {
            // Versions only ever go back to older ones.
            Some(base) if plan.keeps(rendition) && base.version < home => home = base.version,
            _ => return home != live.version && version == home.to_string(),
        }
    }
    home != live.version && version != live.version.to_string()
}

#[cfg(test)]
mod tests;
