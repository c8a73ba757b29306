//! Digests of test data, and objects to store with the right ones.

use bytes::Bytes;
use headwater_model::id::{Md5, Sha256};
use headwater_model::key::{CACHE_FOREVER, ObjectKey};
use headwater_ports::origin::{Before, Put};
use md5::Digest as _;

/// SHA-256 of `bytes`.
pub fn sha256(bytes: &[u8]) -> Sha256 {
    Sha256(sha2::Sha256::digest(bytes).into())
}

/// MD5 of `bytes`.
pub fn md5(bytes: &[u8]) -> Md5 {
    Md5(md5::Md5::digest(bytes).into())
}

/// A key that the test knows to be one.
///
/// # Panics
/// When it is not.
pub fn key(text: &str) -> ObjectKey {
    ObjectKey::new(text).unwrap_or_else(|| panic!("`{text}` is not an object key"))
}

/// An object to store, checksums and all.
///
/// # Panics
/// When `at` is not an object key.
pub fn put(at: &str, body: impl Into<Bytes>) -> Put {
    let body = body.into();
    let (sha256, md5) = (sha256(&body), md5(&body));
    Put { key: key(at), body, sha256, md5, cache_control: CACHE_FOREVER, before: Before::Anything }
}
