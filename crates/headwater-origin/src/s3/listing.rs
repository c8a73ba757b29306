//! Reads listings, which is most of what an audit does.
//!
//! The SDK goes through such an answer twice, first to see whether it is an error, and takes 4 µs of processor time for
//! an object, where a server may take 2. So it signs, sends and understands refusals, as for every call; but the body of
//! an answer that says 200 is handed out unread ([`Unread`]) and read here ([`read`]). docs/decisions/022 has the figures.

use std::sync::{Arc, Mutex, PoisonError};

use aws_sdk_s3::config::interceptors::BeforeDeserializationInterceptorContextMut;
use aws_sdk_s3::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_s3::error::BoxError;
use aws_sdk_s3::primitives::SdkBody;
use quick_xml::Reader;
use quick_xml::escape::resolve_predefined_entity;
use quick_xml::events::{BytesRef, Event};

/// What the SDK gets to read instead.
const NOTHING: &str = "<ListBucketResult/>";

/// Takes the body of a listing out of the SDK's hands.
#[derive(Debug, Clone, Default)]
pub(crate) struct Unread(Arc<Mutex<Option<SdkBody>>>);

impl Unread {
    /// The body, once the call has succeeded.
    pub(crate) fn take(&self) -> SdkBody {
        let body = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        body.unwrap_or_else(SdkBody::empty)
    }
}

impl Intercept for Unread {
    fn name(&self) -> &'static str {
        "Unread"
    }

    fn modify_before_deserialization(
        &self,
        context: &mut BeforeDeserializationInterceptorContextMut<'_>,
        _components: &RuntimeComponents,
        _config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let answer = context.response_mut();
        if answer.status().is_success() {
            let body = std::mem::replace(answer.body_mut(), SdkBody::from(NOTHING));
            *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(body);
        }
        Ok(())
    }
}

/// An object as it is listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Listed<'t> {
    pub(crate) key: &'t str,
    pub(crate) bytes: u64,
    pub(crate) etag: Option<&'t str>,
    /// When it was stored, as it is written there.
    pub(crate) modified: Option<&'t str>,
    pub(crate) storage_class: Option<&'t str>,
}

/// What a listing says besides.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Told {
    /// There are more objects.
    pub(crate) is_truncated: bool,
    /// The last key.
    pub(crate) last: Option<String>,
}

/// Why an answer is no listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Unlisted {
    /// It is an error, after a status that said otherwise.
    Refused {
        /// Its code.
        code: String,
        /// What it says.
        message: String,
    },
    /// It is not all of one, or something else.
    Garbled(String),
}

impl From<String> for Unlisted {
    fn from(why: String) -> Self {
        Unlisted::Garbled(why)
    }
}

/// Reads the answer to `ListObjectsV2`
/// (<https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectsV2.html>), telling `see` each object in the order of
/// the listing.
///
/// # Errors
///
/// Why it is no such answer, or not all of one.
pub(crate) fn read(answer: &[u8], mut see: impl FnMut(Listed<'_>)) -> Result<Told, Unlisted> {
    let text = std::str::from_utf8(answer).map_err(|_| "the listing is not UTF-8".to_owned())?;
    let mut reader = Reader::from_str(text);
    let mut told = Told::default();
    let mut object = Fields::default();
    let mut refusal: Option<(String, String)> = None;
    // How deep we are, what the two innermost elements are, and the text so far in the innermost.
    let (mut depth, mut inside, mut word) = (0u32, Element::Other, String::new());
    loop {
        let event = reader.read_event().map_err(|e| format!("the listing cannot be read: {e}"))?;
        match event {
            Event::Start(start) => {
                depth += 1;
                word.clear();
                let name = start.local_name();
                match (depth, name.as_ref()) {
                    (1, "ListBucketResult") => {}
                    (1, "Error") => refusal = Some(Default::default()),
                    (1, other) => {
                        return Err(format!("the answer is no listing but `{other}`").into());
                    }
                    (2, "Contents") => {
                        inside = Element::Object;
                        object.clear();
                    }
                    (2, _) => inside = Element::Other,
                    _ => {}
                }
            }
            Event::Text(text) => word.push_str(&text),
            Event::CData(text) => word.push_str(&text),
            Event::GeneralRef(reference) => push_character(&mut word, &reference)?,
            Event::End(end) => {
                let name = end.local_name();
                if let Some((code, message)) = &mut refusal {
                    match (depth, name.as_ref()) {
                        (2, "Code") => word.trim().clone_into(code),
                        (2, "Message") => word.trim().clone_into(message),
                        (1, _) => {
                            return Err(refused(std::mem::take(code), std::mem::take(message)));
                        }
                        _ => {}
                    }
                    depth -= 1;
                    continue;
                }
                match (depth, inside, name.as_ref()) {
                    (2, Element::Object, _) => {
                        see(object.listed()?);
                        told.last.get_or_insert_default().clone_from(&object.key);
                    }
                    (2, _, "IsTruncated") => told.is_truncated = word.trim() == "true",
                    (3, Element::Object, name) => object.set(name, &word),
                    (1, ..) => return Ok(told),
                    _ => {}
                }
                depth -= 1;
            }
            Event::Eof => return Err("the listing is cut off".to_owned().into()),
            // An element without content says nothing that is not the default.
            Event::Empty(empty)
                if depth == 0 && empty.local_name().as_ref() == "ListBucketResult" =>
            {
                return Ok(told);
            }
            _ => {}
        }
    }
}

fn refused(code: String, message: String) -> Unlisted {
    if code.is_empty() {
        return "the answer is no listing but an error without a code".to_owned().into();
    }
    Unlisted::Refused { code, message }
}

/// The element at depth 2.
#[derive(Debug, Clone, Copy)]
enum Element {
    Object,
    Other,
}

/// What has been read of an object; its space is used again for the next.
#[derive(Debug, Default)]
struct Fields {
    key: String,
    bytes: Option<u64>,
    /// Empty where there is none.
    etag: String,
    modified: String,
    storage_class: String,
}

impl Fields {
    fn clear(&mut self) {
        self.key.clear();
        self.bytes = None;
        self.etag.clear();
        self.modified.clear();
        self.storage_class.clear();
    }

    fn set(&mut self, name: &str, word: &str) {
        match name {
            "Key" => word.clone_into(&mut self.key),
            "Size" => self.bytes = word.trim().parse().ok(),
            "LastModified" => word.trim().clone_into(&mut self.modified),
            "ETag" => word.clone_into(&mut self.etag),
            "StorageClass" => word.trim().clone_into(&mut self.storage_class),
            _ => {}
        }
    }

    fn listed(&self) -> Result<Listed<'_>, String> {
        let Self { key, bytes, etag, modified, storage_class } = self;
        let told = |text| Some(text).filter(|text: &&str| !text.is_empty());
        let (etag, modified) = (told(etag.as_str()), told(modified.as_str()));
        let storage_class = told(storage_class.as_str());
        match (key.as_str(), bytes) {
            ("", _) => Err("an object is listed without its key".to_owned()),
            // Taken for 0, it would be one that has lost its bytes.
            (key, None) => Err(format!("`{key}` is listed without a size that can be read")),
            (key, Some(bytes)) => Ok(Listed { key, bytes: *bytes, etag, modified, storage_class }),
        }
    }
}

fn push_character(word: &mut String, reference: &BytesRef<'_>) -> Result<(), String> {
    let unknown = || format!("the listing has an unknown character `&{};`", &**reference);
    match reference.resolve_char_ref().map_err(|_| unknown())? {
        Some(character) => word.push(character),
        None => word.push_str(resolve_predefined_entity(reference).ok_or_else(unknown)?),
    }
    Ok(())
}

#[cfg(test)]
mod tests;
