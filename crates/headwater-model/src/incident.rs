//! Incidents: what was found wrong with an object on an origin, from the first look that found it until it is right.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::finding::Finding;
use crate::key::PackageId;
use crate::time::Timestamp;

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
    /// It was rendered again from the inventory.
    Rendered,
    /// The span or track that it belongs to was made again, as the same bytes.
    MadeAgain,
    /// The master was sent to the archive again.
    SentAgain,
}

impl fmt::Display for How {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            How::Copied { from } => write!(f, "copied from origin {from}"),
            How::Rendered => f.write_str("rendered again"),
            How::MadeAgain => f.write_str("made again"),
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
    /// What is wrong.
    pub findings: Vec<Finding>,
    /// What was done about earlier findings.
    pub mended: Vec<Mended>,
}

impl Look {
    /// Whether an open incident of `object` on `origin` ends by this look.
    pub fn closes(&self, origin: &str, object: &str) -> bool {
        self.whole.iter().any(|name| name == origin)
            && !self.findings.iter().any(|f| f.origin == origin && f.object == object)
    }

    /// What was done about `object` on `origin`.
    pub fn mended(&self, origin: &str, object: &str) -> Option<&How> {
        let mended = self.mended.iter().find(|m| m.origin == origin && m.object == object);
        mended.map(|m| &m.how)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::FindingKind;

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
            mended: vec![],
        };
        assert!(!look.closes("a", "x"), "still wrong");
        assert!(look.closes("a", "y"));
        assert!(!look.closes("b", "y"), "not looked at");
        assert!(!look.closes("c", "y"), "not looked at as a whole");
    }
}
