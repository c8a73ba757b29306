//! Incidents: what was found wrong with an object on an origin, from the first look that found it until it is right.

use std::collections::BTreeMap;
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

/// What a look at a package came to.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Look {
    /// Names of the origins that were looked at so closely that what is not among the findings is sound there.
    pub whole: Vec<String>,
    /// Names of those whose edge was looked through as closely.
    pub edges: Vec<String>,
    /// What is wrong.
    pub findings: Vec<Finding>,
    /// What was done about earlier findings.
    pub mended: Vec<Mended>,
}

impl Look {
    /// Whether an open incident ends by this look, `open` being what was found last.
    pub fn closes(&self, open: &Finding) -> bool {
        let looked_at = if open.kind.is_of_edge() { &self.edges } else { &self.whole };
        // One of many ends when none of them is left.
        let is_many = matches!(open.kind, FindingKind::Many { .. });
        let same = |f: &Finding| f.origin == open.origin && (is_many || f.object == open.object);
        looked_at.contains(&open.origin) && !self.findings.iter().any(same)
    }

    /// What was done about `object` on `origin`; for many objects at once, about any that the package has there.
    pub fn mended(&self, origin: &str, object: &str) -> Option<&How> {
        let is_it = |m: &&Mended| m.object == object || object.ends_with("/*");
        let mended = self.mended.iter().filter(|m| m.origin == origin).find(is_it);
        mended.map(|m| &m.how)
    }
}

/// Whether viewers of `live` need an object of another version of the title, by its key, since `live` refers to it. An
/// open incident of it is one of `live` from when they get that; incidents of all other objects end then.
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
mod tests {
    use super::*;
    use crate::finding::{FindingKind, Way};
    use crate::id::{Tenant, TitleId};
    use crate::plan::Base;

    #[test]
    fn an_incident_ends_only_by_a_look_at_the_whole_origin_that_does_not_find_it() {
        let finding = |origin: &str, object: &str| Finding {
            origin: origin.to_owned(),
            object: object.to_owned(),
            kind: FindingKind::Missing,
        };
        let look = Look {
            whole: vec!["a".to_owned()],
            findings: vec![finding("a", "x"), finding("c", "z")],
            ..Look::default()
        };
        assert!(!look.closes(&finding("a", "x")), "still wrong");
        assert!(look.closes(&finding("a", "y")));
        assert!(!look.closes(&finding("b", "y")), "not looked at");
        assert!(!look.closes(&finding("c", "y")), "not looked at as a whole");
    }

    #[test]
    fn what_was_wrong_on_an_edge_is_not_right_because_the_origin_is() {
        let kind = FindingKind::NotOnEdge { status: 404, way: Way::Cached };
        let (origin, object) = ("a".to_owned(), "x".to_owned());
        let on_edge = Finding { origin, object, kind };
        let mut look = Look { whole: vec!["a".to_owned()], ..Look::default() };
        assert!(!look.closes(&on_edge));
        look.edges = look.whole.clone();
        assert!(look.closes(&on_edge));
    }

    #[test]
    fn of_older_versions_only_what_is_kept_is_needed() {
        let package = |version| PackageId {
            tenant: Tenant::default(),
            title: TitleId::from_file_name("film.mp4"),
            version: Version(version),
        };
        let kept = |base, names: &[&str]| {
            let kept = names.iter().map(|name| (*name).to_owned()).collect();
            let base = Base { version: Version(base), kept, copied: vec![] };
            Plan { base: Some(base), ..crate::plan::tests::any() }
        };
        // The picture of v1, sound of v2.
        let mut plans = BTreeMap::from([
            (Version(3), kept(2, &["video-234p", "audio-en"])),
            (Version(2), kept(1, &["video-234p"])),
            (Version(1), crate::plan::tests::any()),
        ]);
        let needed = |plans: &_, object: &str| is_needed(&package(3), plans, object);
        let check = |object: &str| needed(&plans, object);
        assert!(check("main/film/v1/video-234p/seg-00001.m4s"), "two versions back");
        assert!(check("main/film/v2/audio-en/media.m3u8"));
        assert!(check("main/film/v1/*"), "some of it");
        assert!(check("main/film/v2/*"), "some of it");
        assert!(!check("main/film/v3/*"), "its own");
        assert!(!check("main/film/v4/*"), "a version that it does not refer to");
        assert!(!check("main/film/v1/audio-en/seg-00001.m4s"), "v2 made it again");
        assert!(!check("main/film/v2/video-360p/seg-00001.m4s"), "made again");
        assert!(!check("main/film/v3/video-360p/seg-00001.m4s"), "its own");
        assert!(!check("main/film/v2/manifest.mpd"));
        assert!(!check("main/film/index.m3u8"), "a pointer is always that of what viewers get");
        assert!(!check("main/film-2/v1/video-234p/seg-00001.m4s"), "another title");
        plans.remove(&Version(2));
        assert!(needed(&plans, "main/film/v1/video-234p/seg-00001.m4s"));
        assert!(needed(&plans, "main/film/v1/audio-en/seg-00001.m4s"), "nobody can tell");
        assert!(!needed(&plans, "main/film/v1/video-360p/seg-00001.m4s"));
    }
}
