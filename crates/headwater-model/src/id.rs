//! Names of things: tenants, titles, package versions, and the digests that identify content.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize, Serializer};
use thiserror::Error;

/// The tenant that everything belongs to unless the configuration names others.
pub const DEFAULT_TENANT: &str = "main";

/// Longest tenant or title name, in bytes. S3 keys end at 1,024 bytes; this leaves room for the rest of the key.
const MAX_NAME: usize = 120;

/// Why a text cannot be the name of a tenant or title.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error(
    "`{0}` is not a usable name: use 1 to 120 of the characters a-z 0-9 . _ - and start with a letter or digit"
)]
pub struct BadName(pub String);

/// Why a text is not a digest.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("`{0}` is not a hexadecimal digest of {1} bytes")]
pub struct BadDigest(String, usize);

fn is_name(text: &str) -> bool {
    let ok = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    text.len() <= MAX_NAME
        && text.as_bytes().first().is_some_and(|b| ok(*b))
        && text.bytes().all(|b| ok(b) || matches!(b, b'.' | b'_' | b'-'))
        && !text.contains("..")
}

macro_rules! name {
    ($(#[$doc:meta])* $type:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $type(String);

        impl $type {
            /// The name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }
        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
        impl FromStr for $type {
            type Err = BadName;
            fn from_str(text: &str) -> Result<Self, BadName> {
                if is_name(text) { Ok(Self(text.to_owned())) } else { Err(BadName(text.to_owned())) }
            }
        }
        impl TryFrom<String> for $type {
            type Error = BadName;
            fn try_from(text: String) -> Result<Self, BadName> {
                text.parse()
            }
        }
        impl From<$type> for String {
            fn from(name: $type) -> String {
                name.0
            }
        }
    };
}

name! {
    /// A customer or station. Lower case, since it is the first part of every object key.
    Tenant
}
name! {
    /// A film or an episode: what viewers watch. Lower case, since it is part of every object key.
    TitleId
}

impl Default for Tenant {
    fn default() -> Self {
        Self(DEFAULT_TENANT.to_owned())
    }
}

impl TitleId {
    /// The title that a file becomes when nobody names one: its name without the extension, folded to the allowed
    /// characters. `Big Buck Bunny (2008).mp4` becomes `big-buck-bunny-2008`.
    pub fn from_file_name(file_name: &str) -> Self {
        let stem = file_name
            .rsplit_once('.')
            .map_or(file_name, |(stem, _)| if stem.is_empty() { file_name } else { stem });
        let mut id = String::new();
        for c in stem.to_lowercase().chars() {
            let keep = c.is_ascii_lowercase()
                || c.is_ascii_digit()
                || (matches!(c, '_' | '.') && !id.is_empty());
            if keep && !(c == '.' && id.ends_with('.')) {
                id.push(c);
            } else if !id.is_empty() && !id.ends_with('-') {
                id.push('-');
            }
            if id.len() >= MAX_NAME {
                break;
            }
        }
        let id = id.trim_end_matches(['-', '.', '_']);
        Self(if id.is_empty() { "untitled".to_owned() } else { id.to_owned() })
    }
}

/// One immutable, numbered version of a title's output. Counts from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Version(pub u32);

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "v{}", self.0)
    }
}

macro_rules! digest {
    ($(#[$doc:meta])* $type:ident, $len:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
        #[serde(try_from = "String")]
        pub struct $type(pub [u8; $len]);

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(to_hex(&self.0, &mut [0; 2 * $len]))
            }
        }
        impl Serialize for $type {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(to_hex(&self.0, &mut [0; 2 * $len]))
            }
        }
        impl fmt::Debug for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({})", stringify!($type), self)
            }
        }
        impl FromStr for $type {
            type Err = BadDigest;
            fn from_str(text: &str) -> Result<Self, BadDigest> {
                from_hex(text).map(Self).ok_or_else(|| BadDigest(text.to_owned(), $len))
            }
        }
        impl TryFrom<String> for $type {
            type Error = BadDigest;
            fn try_from(text: String) -> Result<Self, BadDigest> {
                text.parse()
            }
        }
    };
}

/// Writes bytes in hexadecimal to `text`, which is twice as long.
fn to_hex<'a>(bytes: &[u8], text: &'a mut [u8]) -> &'a str {
    let written = hex::encode_to_slice(bytes, text).is_ok();
    std::str::from_utf8(text).ok().filter(|_| written).unwrap_or_default()
}

/// What each hexadecimal digit stands for; more than 15 for what is none.
const DIGITS: [u8; 256] = {
    let mut digits = [0xFF; 256];
    let mut n = 0;
    while n < 16 {
        digits[b"0123456789abcdef"[n as usize] as usize] = n;
        digits[b"0123456789ABCDEF"[n as usize] as usize] = n;
        n += 1;
    }
    digits
};

/// Reads so many bytes in hexadecimal. An audit reads three digests for every object: digit by digit, with an error for
/// each, that took as long as parsing what is around them.
fn from_hex<const LEN: usize>(text: &str) -> Option<[u8; LEN]> {
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    if pairs.len() != LEN || !rest.is_empty() {
        return None;
    }
    let (mut bytes, mut all) = ([0; LEN], 0);
    for (byte, [high, low]) in bytes.iter_mut().zip(pairs) {
        let (high, low) = (DIGITS[usize::from(*high)], DIGITS[usize::from(*low)]);
        *byte = high << 4 | low;
        all |= high | low;
    }
    (all < 16).then_some(bytes)
}

digest! {
    /// SHA-256: what identifies masters, pipelines and objects.
    Sha256, 32
}
digest! {
    /// MD5: only because it is what many origins report as an object's ETag. Never used to identify anything.
    Md5, 16
}

#[cfg(test)]
mod tests;
