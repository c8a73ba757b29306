//! What proof can find wrong with an object: each kind of wrong has its own name (R5).

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::id::Sha256;

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// The origin that was asked.
    pub origin: String,
    /// Key of the object, or of the manifest that is wrong.
    pub object: String,
    /// What is wrong.
    #[serde(flatten)]
    pub kind: FindingKind,
}

/// The ways to be wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "finding")]
pub enum FindingKind {
    /// The origin does not have it.
    Missing,
    /// It has no bytes.
    Empty {
        /// Bytes that should be there, where that is known.
        expected: Option<u64>,
    },
    /// It is shorter than it should be.
    Truncated {
        /// Bytes that should be there.
        expected: u64,
        /// Bytes that are.
        found: u64,
    },
    /// It is longer than it should be.
    TooLong {
        /// Bytes that should be there.
        expected: u64,
        /// Bytes that are.
        found: u64,
    },
    /// Right size, wrong bytes.
    Altered {
        /// What the inventory says.
        expected: Sha256,
        /// What was read.
        found: Sha256,
    },
    /// Right size, and an ETag that its bytes would not make: other bytes, which cannot be told without reading them.
    OtherEtag {
        /// What its bytes make.
        expected: String,
        /// What the origin says.
        found: String,
    },
    /// It has another storage class than was asked for: it costs more, or takes longer to come back.
    OtherClass {
        /// What was asked for.
        expected: String,
        /// What the origin says.
        found: String,
    },
    /// The origin did not answer, so nothing is known.
    NotAnswered {
        /// What went wrong.
        reason: String,
    },
    /// The listing has it, reading it fails.
    ListedButUnreadable {
        /// What the origin said.
        reason: String,
    },
    /// A playlist or MPD names something that the inventory does not have.
    NamesUnknownObject {
        /// The address as written.
        named: String,
    },
    /// The inventory has it and no playlist or MPD names it.
    NotNamed {
        /// The playlist or MPD that should.
        manifest: String,
    },
    /// Time does not go on where the segment before ended.
    TimeGap {
        /// Where it should go on, in ticks.
        expected: u64,
        /// Where it does, in ticks.
        found: u64,
    },
    /// A manifest or segment cannot be parsed or contradicts itself.
    Malformed {
        /// What is wrong with it.
        reason: String,
    },
    /// The origin has lost it, and its edge still gives it as it should be: viewers notice when the edge forgets it.
    OnlyOnEdge {
        /// What is wrong on the origin, in words: `is missing`.
        lost: String,
    },
    /// The origin has it, and its edge does not give it.
    NotOnEdge {
        /// The HTTP status that the edge answers with.
        status: u16,
        /// Which answer of the edge it is.
        way: Way,
    },
    /// The origin has it as it should be, and its edge gives other bytes.
    OtherOnEdge {
        /// What the inventory says.
        expected: Sha256,
        /// What the edge gave.
        found: Sha256,
        /// Which answer of the edge it is.
        way: Way,
    },
    /// The edge did not answer, so nothing is known of what viewers get.
    EdgeNotAnswered {
        /// What went wrong.
        reason: String,
    },
    /// So many objects of a package are wrong that they are one incident, of `main/film/v1/*` for example.
    Many {
        /// How many they are.
        objects: u64,
        /// The key of the first.
        first: String,
        /// What is wrong with that.
        like: Box<FindingKind>,
    },
}

/// The two ways to ask an edge for an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Way {
    /// As viewers do: its cache may answer.
    Cached,
    /// Past its cache, so that it has to ask the origin.
    PastCache,
}

impl FindingKind {
    /// Whether the object is not there as it should be, rather than wrong from the start or unknown.
    pub fn is_loss(&self) -> bool {
        match self {
            FindingKind::Missing
            | FindingKind::Empty { .. }
            | FindingKind::Truncated { .. }
            | FindingKind::TooLong { .. }
            | FindingKind::Altered { .. }
            | FindingKind::OtherEtag { .. }
            | FindingKind::ListedButUnreadable { .. }
            | FindingKind::OnlyOnEdge { .. } => true,
            FindingKind::NotAnswered { .. }
            | FindingKind::OtherClass { .. }
            | FindingKind::NamesUnknownObject { .. }
            | FindingKind::NotNamed { .. }
            | FindingKind::TimeGap { .. }
            | FindingKind::Malformed { .. }
            | FindingKind::NotOnEdge { .. }
            | FindingKind::OtherOnEdge { .. }
            | FindingKind::EdgeNotAnswered { .. } => false,
            FindingKind::Many { like, .. } => like.is_loss(),
        }
    }

    /// Whether nothing is known, since nobody answered.
    pub fn is_unanswered(&self) -> bool {
        match self {
            FindingKind::Many { like, .. } => like.is_unanswered(),
            kind => matches!(
                kind,
                FindingKind::NotAnswered { .. } | FindingKind::EdgeNotAnswered { .. }
            ),
        }
    }

    /// Whether only reading finds this: no listing and no HEAD can say that it is over.
    pub fn is_found_by_reading(&self) -> bool {
        match self {
            FindingKind::Many { like, .. } => like.is_found_by_reading(),
            kind => matches!(
                kind,
                FindingKind::Altered { .. } | FindingKind::ListedButUnreadable { .. }
            ),
        }
    }

    /// Whether it is about what the edge gives, of which a look at the origin says nothing.
    pub fn is_of_edge(&self) -> bool {
        match self {
            FindingKind::NotOnEdge { .. }
            | FindingKind::OtherOnEdge { .. }
            | FindingKind::EdgeNotAnswered { .. } => true,
            FindingKind::Many { like, .. } => like.is_of_edge(),
            FindingKind::Missing
            | FindingKind::Empty { .. }
            | FindingKind::Truncated { .. }
            | FindingKind::TooLong { .. }
            | FindingKind::Altered { .. }
            | FindingKind::OtherEtag { .. }
            | FindingKind::OtherClass { .. }
            | FindingKind::NotAnswered { .. }
            | FindingKind::ListedButUnreadable { .. }
            | FindingKind::NamesUnknownObject { .. }
            | FindingKind::NotNamed { .. }
            | FindingKind::TimeGap { .. }
            | FindingKind::Malformed { .. }
            | FindingKind::OnlyOnEdge { .. } => false,
        }
    }
}

impl FindingKind {
    /// What is wrong with an object of `found` bytes that should have `expected`, which are never 0.
    pub fn of_size(expected: u64, found: u64) -> Option<Self> {
        if found == expected {
            None
        } else if found == 0 {
            Some(FindingKind::Empty { expected: Some(expected) })
        } else if found < expected {
            Some(FindingKind::Truncated { expected, found })
        } else {
            Some(FindingKind::TooLong { expected, found })
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Finding { origin, object, kind } = self;
        write!(f, "`{object}` on origin {origin} {kind}")
    }
}

impl fmt::Display for FindingKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FindingKind::Missing => write!(f, "is missing"),
            FindingKind::Empty { expected: Some(expected) } => {
                write!(f, "is empty (it should have {expected} bytes)")
            }
            FindingKind::Empty { expected: None } => write!(f, "is empty"),
            FindingKind::Truncated { expected, found } => {
                write!(f, "is truncated: {found} of {expected} bytes are there")
            }
            FindingKind::TooLong { expected, found } => {
                write!(f, "is too long: {found} bytes instead of {expected}")
            }
            FindingKind::Altered { expected, found } => {
                write!(f, "is altered: its SHA-256 is {found} instead of {expected}")
            }
            FindingKind::OtherEtag { expected, found } => {
                write!(f, "is altered: its ETag is {found} instead of {expected}")
            }
            FindingKind::OtherClass { expected, found } => {
                write!(f, "is stored as {found} instead of {expected}")
            }
            FindingKind::NotAnswered { reason } => {
                write!(f, "could not be asked about: {reason}")
            }
            FindingKind::ListedButUnreadable { reason } => {
                write!(f, "is listed but cannot be read: {reason}")
            }
            FindingKind::NamesUnknownObject { named } => {
                write!(f, "names `{named}`, which is not part of the package")
            }
            FindingKind::NotNamed { manifest } => write!(f, "is named by no entry of `{manifest}`"),
            FindingKind::TimeGap { expected, found } => {
                write!(
                    f,
                    "starts at tick {found}, but the segment before it ends at tick {expected}"
                )
            }
            FindingKind::Malformed { reason } => write!(f, "is malformed: {reason}"),
            FindingKind::OnlyOnEdge { lost } => {
                write!(f, "{lost}, although its edge still gives it")
            }
            FindingKind::NotOnEdge { status, way } => {
                write!(f, "is there, but its edge answers {status} {way}")
            }
            FindingKind::OtherOnEdge { expected, found, way } => write!(
                f,
                "is there, but its edge gives other bytes {way}: their SHA-256 is {found} instead of {expected}"
            ),
            FindingKind::EdgeNotAnswered { reason } => {
                write!(f, "is there, but its edge does not answer: {reason}")
            }
            FindingKind::Many { objects, first, like } => {
                write!(f, "is wrong in {objects} objects, the first of which, `{first}`, {like}")
            }
        }
    }
}

impl fmt::Display for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Way::Cached => "from its cache",
            Way::PastCache => "past its cache",
        })
    }
}
