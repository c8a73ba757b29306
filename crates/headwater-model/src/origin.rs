//! What an origin does, as a live probe of it found out, and what that makes its word worth (R5).

use std::fmt;

use serde::{Deserialize, Serialize};

/// How much an origin's own word is worth (R5).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum ProofGrade {
    /// Enforces a strong checksum on upload and returns it when asked.
    A,
    /// Enforces MD5 or the signed payload hash, and its ETag is the MD5.
    B,
    /// Neither: only reading the bytes back proves anything.
    C,
}

/// One thing that a probe finds out. In the order in which they are asked and shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Question {
    /// A put with a wrong `Content-MD5` is refused.
    RefusesWrongMd5,
    /// A put whose body does not have the SHA-256 that was signed is refused.
    RefusesWrongSignedHash,
    /// A put with a wrong `x-amz-checksum-sha256` is refused, and one with a right one is taken.
    RefusesWrongChecksum,
    /// HEAD returns the SHA-256 that was sent.
    ReturnsChecksum,
    /// The ETag of a single put is its MD5, in the answer and in HEAD.
    EtagIsMd5,
    /// Listings have that ETag too.
    ListsEtags,
    /// Listings have the right size.
    ListsSizes,
    /// A range is answered with 206 and the right bytes.
    ServesRanges,
    /// `If-None-Match: *` protects what is there.
    HonoursIfNoneMatch,
    /// `If-Match` with another ETag protects what is there.
    HonoursIfMatch,
    /// An upload in parts arrives whole.
    TakesParts,
    /// The ETag of such an upload is the MD5 of its parts' MD5s and their number.
    PartsEtagIsMd5,
    /// A copy within the bucket arrives whole.
    Copies,
    /// Many objects can be deleted in one call.
    DeletesMany,
    /// Keys with spaces, `+`, `%` and letters beyond ASCII come back from a listing as they were.
    KeepsOddKeys,
    /// What was deleted is gone at once.
    ForgetsAtOnce,
}

impl Question {
    /// All, in order.
    pub const ALL: [Question; 16] = [
        Question::RefusesWrongMd5,
        Question::RefusesWrongSignedHash,
        Question::RefusesWrongChecksum,
        Question::ReturnsChecksum,
        Question::EtagIsMd5,
        Question::ListsEtags,
        Question::ListsSizes,
        Question::ServesRanges,
        Question::HonoursIfNoneMatch,
        Question::HonoursIfMatch,
        Question::TakesParts,
        Question::PartsEtagIsMd5,
        Question::Copies,
        Question::DeletesMany,
        Question::KeepsOddKeys,
        Question::ForgetsAtOnce,
    ];
}

impl fmt::Display for Question {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Question::RefusesWrongMd5 => "refuses a wrong Content-MD5",
            Question::RefusesWrongSignedHash => "refuses a body of another hash than was signed",
            Question::RefusesWrongChecksum => "refuses a wrong SHA-256 checksum",
            Question::ReturnsChecksum => "returns the SHA-256 checksum in HEAD",
            Question::EtagIsMd5 => "ETag is the MD5",
            Question::ListsEtags => "listings have the ETag",
            Question::ListsSizes => "listings have the right size",
            Question::ServesRanges => "serves ranges",
            Question::HonoursIfNoneMatch => "honours If-None-Match on puts",
            Question::HonoursIfMatch => "honours If-Match on puts",
            Question::TakesParts => "takes uploads in parts",
            Question::PartsEtagIsMd5 => "ETag of parts is the MD5 of theirs",
            Question::Copies => "copies within the bucket",
            Question::DeletesMany => "deletes many in one call",
            Question::KeepsOddKeys => "keeps odd characters in keys",
            Question::ForgetsAtOnce => "what was deleted is gone at once",
        })
    }
}

/// What the origin did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    /// What was asked.
    pub question: Question,
    /// Whether it does so.
    pub yes: bool,
    /// What it did instead, where that says more.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub note: String,
}

/// Everything that a probe found out.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Profile {
    /// Its answers.
    pub answers: Vec<Answer>,
}

impl Profile {
    /// Whether the origin was seen to do this.
    pub fn does(&self, question: Question) -> bool {
        self.answers.iter().any(|answer| answer.question == question && answer.yes)
    }

    /// How much the origin's word is worth. A checksum that is returned and not enforced counts for nothing.
    pub fn grade(&self) -> ProofGrade {
        let enforces_something =
            self.does(Question::RefusesWrongMd5) || self.does(Question::RefusesWrongSignedHash);
        if self.does(Question::RefusesWrongChecksum) && self.does(Question::ReturnsChecksum) {
            ProofGrade::A
        } else if enforces_something && self.does(Question::EtagIsMd5) {
            ProofGrade::B
        } else {
            ProofGrade::C
        }
    }
}

/// What has to be proven, and where, before viewers get a package; and where its master is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// Names of the origins that hold packages, best first: those that are asked first when something is read.
    pub origins: Vec<String>,
    /// Names of those that must prove that they hold a package.
    pub required: Vec<String>,
    /// How many origins must prove it, the required ones included. At least 1.
    pub min_copies: usize,
    /// Name of the origin that keeps masters, and no packages.
    pub archive: Option<String>,
    /// What counts as proof.
    pub verify: Verify,
}

impl Policy {
    /// A policy for one origin.
    pub fn of_one(origin: &str) -> Self {
        Self {
            origins: vec![origin.to_owned()],
            required: vec![origin.to_owned()],
            min_copies: 1,
            archive: None,
            verify: Verify::default(),
        }
    }

    /// The policy for titles of a pipeline that asks for something of its own. Packages still go to all origins.
    #[must_use]
    pub fn held_to(&self, rules: &PublishRules) -> Self {
        let required = rules.required.clone().unwrap_or_else(|| self.required.clone());
        let least = required.len().max(1);
        // A number that was configured for other origins says nothing about these.
        let configured = if rules.required.is_some() { least } else { self.min_copies };
        let min_copies = rules.min_copies.unwrap_or(configured).max(least);
        Self { required, min_copies, verify: rules.verify.unwrap_or(self.verify), ..self.clone() }
    }

    /// Why no title could ever be published by it, if so.
    pub fn cannot_be_met(&self) -> Option<String> {
        let there_are = self.origins.join(", ");
        if let Some(unknown) = self.required.iter().find(|name| !self.origins.contains(name)) {
            let message = format!("there is no origin `{unknown}` that holds packages");
            return Some(format!("{message} (there are: {there_are})"));
        }
        let (copies, most) = (self.min_copies, self.origins.len());
        (copies > most).then(|| {
            format!(
                "{copies} copies are more than there are origins that hold packages: {there_are}"
            )
        })
    }

    /// Whether it is enough that the origins in `hold` hold something.
    pub fn is_met_by(&self, hold: &[&str]) -> bool {
        self.required.iter().all(|name| hold.contains(&name.as_str()))
            && hold.len() >= self.min_copies
    }
}

/// What a pipeline asks of the origins for its titles. Where it says nothing, what is configured for all titles holds.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct PublishRules {
    /// Instead of [`Policy::required`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub required: Option<Vec<String>>,
    /// Instead of [`Policy::min_copies`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_copies: Option<usize>,
    /// Instead of [`Policy::verify`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verify: Option<Verify>,
}

impl PublishRules {
    /// Whether nothing is asked for.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// What counts as proof, beyond which an origin of grade C is always read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verify {
    /// The origin's listing: size and MD5 of every object; HEAD or its bytes where the listing cannot tell. The
    /// manifests are read in any case.
    #[default]
    Listing,
    /// Every byte read back.
    Read,
    /// The listing, and every object through the edge: as cached, and past the cache.
    Edge,
}

#[cfg(test)]
mod tests;
