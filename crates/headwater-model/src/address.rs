//! Where a master lies: in a file, in a bucket, or on a web server.
//!
//! An address holds no secret. It is kept in the catalog and shown in histories, logs and `--json`; so one with a user's
//! name, a password or a query, in which signatures stand, is refused before anybody keeps it.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

/// Where a master lies.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Address {
    /// A file that workers can open: `/srv/masters/film.mov`.
    File(PathBuf),
    /// An object in a bucket that is configured: `s3://bucket/key`.
    Object {
        /// The bucket.
        bucket: String,
        /// The whole key, as the service has it.
        key: String,
    },
    /// What a web server gives: an address that begins with `https://` or `http://`.
    Web(String),
}

/// Why a text is no address of a master: a sentence that repeats nothing that could be a secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct BadAddress(String);

fn bad<T>(why: impl Into<String>) -> Result<T, BadAddress> {
    Err(BadAddress(why.into()))
}

impl Address {
    /// Whether `text` begins like an address and not like a path.
    pub fn is_one(text: &str) -> bool {
        scheme(text).is_some()
    }

    /// The last part, which titles are named after: the name of the file.
    pub fn name(&self) -> String {
        match self {
            Address::File(path) => {
                path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default()
            }
            Address::Object { key, .. } => last(key).to_owned(),
            Address::Web(url) => decoded(last(url)),
        }
    }

    /// What people call it: a file, an object.
    pub fn thing(&self) -> &'static str {
        match self {
            Address::File(_) | Address::Web(_) => "file",
            Address::Object { .. } => "object",
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Address::File(path) => write!(f, "{}", path.display()),
            Address::Object { bucket, key } => write!(f, "s3://{bucket}/{key}"),
            Address::Web(url) => f.write_str(url),
        }
    }
}

impl FromStr for Address {
    type Err = BadAddress;

    fn from_str(text: &str) -> Result<Self, BadAddress> {
        let Some((scheme, rest)) = scheme(text) else {
            return match text {
                "" => bad("the address of the master is empty"),
                path => Ok(Address::File(PathBuf::from(path))),
            };
        };
        match scheme.to_ascii_lowercase().as_str() {
            "s3" => {
                let (bucket, key) = rest.split_once('/').unwrap_or((rest, ""));
                check_bucket(bucket)?;
                if key.is_empty() || key.ends_with('/') {
                    return bad(
                        "it names a folder of a bucket, where the key of an object should stand: `s3://bucket/key`",
                    );
                }
                if key.chars().any(char::is_control) {
                    return bad("the key holds a line break or another control character");
                }
                Ok(Address::Object { bucket: bucket.to_owned(), key: key.to_owned() })
            }
            scheme @ ("http" | "https") => web(scheme, rest),
            other => bad(format!(
                "masters cannot be read by `{other}://`: addresses begin with `s3://`, `https://` or `http://`, and all else is a path"
            )),
        }
    }
}

/// The part before `://` and the one behind it; none of a path.
fn scheme(text: &str) -> Option<(&str, &str)> {
    let (scheme, rest) = text.split_once("://")?;
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.');
    (!scheme.is_empty() && scheme.bytes().all(plain)).then_some((scheme, rest))
}

fn web(scheme: &str, rest: &str) -> Result<Address, BadAddress> {
    let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
    if host.contains('@') {
        return bad(
            "the address holds a user's name or a password, which would be kept and shown: take away what stands before the `@`",
        );
    }
    if rest.contains('?') {
        return bad(
            "the address has a query (`?…`), in which signatures stand that expire and must not be kept: give the address without one, or put the bucket into the configuration and say `s3://bucket/key`",
        );
    }
    let odd = |c: char| c == '#' || c == '\\' || c.is_whitespace() || c.is_control();
    if host.is_empty() || rest.contains(odd) {
        return bad(
            "it is not the address of a file on a web server: `https://host/path/film.mov`",
        );
    }
    if rest.split_once('/').is_none_or(|(_, path)| last(path).is_empty()) {
        return bad("it names no file: the address ends where the name of one should stand");
    }
    Ok(Address::Web(format!("{scheme}://{rest}")))
}

fn check_bucket(bucket: &str) -> Result<(), BadAddress> {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_');
    if bucket.is_empty() || !bucket.bytes().all(plain) {
        return bad("no bucket of that name can be: `s3://bucket/key`");
    }
    Ok(())
}

/// All that follows the last slash.
fn last(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

/// A part of a URL as people write it (RFC 3986, 2.1); as it is, where that makes no text.
fn decoded(part: &str) -> String {
    let mut bytes = Vec::with_capacity(part.len());
    let mut rest = part.as_bytes();
    while let Some((first, behind)) = rest.split_first() {
        let digits = behind.get(..2).and_then(|digits| std::str::from_utf8(digits).ok());
        let value = digits.filter(|_| *first == b'%').and_then(|d| u8::from_str_radix(d, 16).ok());
        match value {
            Some(value) => {
                bytes.push(value);
                rest = behind.get(2..).unwrap_or_default();
            }
            None => {
                bytes.push(*first);
                rest = behind;
            }
        }
    }
    String::from_utf8(bytes).unwrap_or_else(|_| part.to_owned())
}

/// The part of a bucket that is watched for masters: `s3://bucket/prefix/`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Folder {
    /// The bucket.
    pub bucket: String,
    /// What the keys of masters begin with: empty, or ending in a slash.
    pub prefix: String,
}

impl Folder {
    /// The object of this key, when that is one that could be a master: right in the folder, not below it.
    pub fn object(&self, key: &str) -> Option<Address> {
        let name = key.strip_prefix(&self.prefix)?;
        let plain = !name.is_empty() && !name.contains('/') && !name.chars().any(char::is_control);
        plain.then(|| Address::Object { bucket: self.bucket.clone(), key: key.to_owned() })
    }
}

impl fmt::Display for Folder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "s3://{}/{}", self.bucket, self.prefix)
    }
}

impl FromStr for Folder {
    type Err = BadAddress;

    fn from_str(text: &str) -> Result<Self, BadAddress> {
        let Some(("s3" | "S3", rest)) = scheme(text) else {
            return bad("it is not a folder of a bucket: `s3://bucket/prefix/`");
        };
        let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        check_bucket(bucket)?;
        let prefix = prefix.trim_end_matches('/');
        if prefix.chars().any(char::is_control) || prefix.starts_with('/') {
            return bad("it is not a folder of a bucket: `s3://bucket/prefix/`");
        }
        let prefix = if prefix.is_empty() { String::new() } else { format!("{prefix}/") };
        Ok(Folder { bucket: bucket.to_owned(), prefix })
    }
}

/// A number that changes when what `says` so does: an ETag, or the time of the last change. With the size it tells, as
/// size and time of a file do, whether a master far away is still the one that was looked at; never 0, which stands for
/// "unknown". FNV-1a, 64 bits, without the sign.
pub fn stamp_of(says: &str) -> i64 {
    let hash = says.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    i64::try_from(hash >> 1).unwrap_or(i64::MAX).max(1)
}

#[cfg(test)]
mod tests;
