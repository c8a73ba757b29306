//! What the server lies about, and which of its lies a request meets.

use std::fmt;
use std::str::FromStr;
use std::sync::{Mutex, PoisonError};

/// A kind of request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Call {
    /// `PutObject`, `CopyObject` and the calls of a multipart upload.
    Put,
    /// `GetObject`.
    Get,
    /// `HeadObject`.
    Head,
    /// `ListObjectsV2` and `ListObjects`.
    List,
    /// `DeleteObject` and `DeleteObjects`.
    Delete,
    /// Everything else.
    Other,
}

/// One way not to keep what was promised.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum What {
    /// Acknowledges a put and stores nothing.
    Drop,
    /// Acknowledges a put and stores no bytes.
    StoreEmpty,
    /// Acknowledges a put and stores its first half.
    StoreTruncated,
    /// Acknowledges a put and stores it with one bit flipped; checksums and ETag are those of what is stored.
    StoreAltered,
    /// The same, but checksums and ETag are those of what was sent: only reading shows it.
    Rot,
    /// Lists what it was sent, and has nothing when it is asked for.
    ListWithoutHaving,
    /// Has the object and leaves it out of listings.
    HaveWithoutListing,
    /// Gives what was there before the last put of the same key.
    ServeStale,
    /// Answers 500 to calls of this kind.
    Fail(Call),
    /// Answers 503 `SlowDown`, with this many seconds in `Retry-After` unless it is 0.
    SlowDown(Call, u32),
    /// Resets the connection: a get in the middle of its answer, anything else instead of an answer.
    Reset(Call),
    /// Does what it is asked and resets the connection instead of answering.
    LoseAnswer(Call),
    /// Never answers.
    Hang(Call),
    /// Answers calls of this kind with this status and code; without a code, as a proxy in front of it would.
    Answer(Call, u16, &'static str),
    /// Answers a get of a part with all of it.
    IgnoreRange,
    /// Begins every page of a listing at its first key.
    RepeatPage,
    /// Lists keys as if they had been parts of an address: without its escapes.
    MangleKeys,
    /// Says nowhere how long an object is, neither in listings nor when it is looked at.
    HideSize,
    /// Answers 400 to a put that carries an `x-amz-checksum-…` header.
    RefuseChecksums,
    /// Answers 403 `ExpiredToken` to everything.
    ExpireCredentials,
    /// Answers 403 `RequestTimeTooSkewed` to everything: its clock and that of whoever asks are too far apart.
    SkewClock,
    /// Answers 507 to every put: no space is left.
    Full,
}

/// A lie about the objects whose keys contain a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lie {
    /// What is done.
    pub what: What,
    /// To which objects; `""` is all. Calls that name no object, such as a listing, are taken by their prefix.
    pub containing: String,
    /// How often; `None` until [`Lies::end`](crate::LyingOrigin::be_honest).
    pub times: Option<u32>,
}

/// Why a text is not a lie.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoLie(String);

impl fmt::Display for NoLie {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` is not a lie", self.0)
    }
}

impl std::error::Error for NoLie {}

impl FromStr for Lie {
    type Err = NoLie;

    /// `drop`, `drop:seg-00003`, `fail-put:init.mp4:2`.
    fn from_str(text: &str) -> Result<Self, NoLie> {
        let bad = || NoLie(text.to_owned());
        let mut parts = text.splitn(3, ':');
        let what = parts.next().and_then(what).ok_or_else(bad)?;
        let containing = parts.next().unwrap_or_default().to_owned();
        let times = parts.next().map(|n| n.parse().map_err(|_| bad())).transpose()?;
        Ok(Self { what, containing, times })
    }
}

fn what(text: &str) -> Option<What> {
    Some(match text {
        "drop" => What::Drop,
        "store-empty" => What::StoreEmpty,
        "store-truncated" => What::StoreTruncated,
        "store-altered" => What::StoreAltered,
        "rot" => What::Rot,
        "list-without-having" => What::ListWithoutHaving,
        "have-without-listing" => What::HaveWithoutListing,
        "serve-stale" => What::ServeStale,
        "refuse-checksums" => What::RefuseChecksums,
        "expire-credentials" => What::ExpireCredentials,
        "skew-clock" => What::SkewClock,
        "full" => What::Full,
        "ignore-range" => What::IgnoreRange,
        "repeat-page" => What::RepeatPage,
        "mangle-keys" => What::MangleKeys,
        "hide-size" => What::HideSize,
        _ => {
            let (what, call) = text.rsplit_once('-')?;
            let call = match call {
                "put" => Call::Put,
                "get" => Call::Get,
                "head" => Call::Head,
                "list" => Call::List,
                "delete" => Call::Delete,
                _ => return None,
            };
            match what {
                "fail" => What::Fail(call),
                "slow-down" => What::SlowDown(call, 0),
                "reset" => What::Reset(call),
                "lose-answer" => What::LoseAnswer(call),
                "hang" => What::Hang(call),
                _ => return None,
            }
        }
    })
}

/// The lies in force.
#[derive(Debug, Default)]
pub(crate) struct Lies(Mutex<Vec<Lie>>);

impl Lies {
    pub(crate) fn tell(&self, lie: Lie) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(lie);
    }

    pub(crate) fn end(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// The first lie that `about` finds for `key`; used up by one.
    pub(crate) fn meet<T>(&self, key: &str, about: impl Fn(What) -> Option<T>) -> Option<T> {
        let mut lies = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for lie in lies.iter_mut() {
            let Some(found) = about(lie.what).filter(|_| key.contains(&lie.containing)) else {
                continue;
            };
            match &mut lie.times {
                Some(0) => continue,
                Some(left) => *left -= 1,
                None => {}
            }
            return Some(found);
        }
        None
    }
}
