//! The inventory object: JSON Lines, one header and then one object a line, sorted by path.

use std::collections::BTreeSet;

use headwater_model::id::Version;
use headwater_model::inventory::{FORMAT, Header, Inventory, Object, ObjectRole};
use headwater_model::key::ObjectKey;
use serde::Deserialize;
use thiserror::Error;

/// Why bytes are not an inventory.
#[derive(Debug, Error)]
pub enum Error {
    /// It is empty, or its last line has no end: the rest may be missing.
    #[error("the inventory is cut off")]
    CutOff,
    /// A line is not what it should be. Lines count from 1.
    #[error("line {line} of the inventory: {source}")]
    Line {
        /// Its number.
        line: usize,
        /// Why.
        source: serde_json::Error,
    },
    /// Another format, perhaps of a later version.
    #[error("the inventory has the format `{0}`, not `{FORMAT}`")]
    Format(String),
    /// The header promises another number of objects.
    #[error("the inventory lists {found} objects, its header says {expected}")]
    Count {
        /// What the header says.
        expected: u64,
        /// Lines that follow.
        found: u64,
    },
    /// Objects are not sorted by path, or one is listed twice.
    #[error("line {line} of the inventory: `{path}` does not come after the path before it")]
    Order {
        /// Its number.
        line: usize,
        /// Its path.
        path: String,
    },
    /// An object without bytes: nothing in a package is empty.
    #[error("line {line} of the inventory: `{path}` has no bytes")]
    Empty {
        /// Its number.
        line: usize,
        /// Its path.
        path: String,
    },
    /// A path that leads out of the package.
    #[error("line {line} of the inventory: `{path}` is not a path")]
    Path {
        /// Its number.
        line: usize,
        /// Its path.
        path: String,
    },
    /// A rendition that the header does not introduce, or introduces twice.
    #[error("the inventory does not introduce rendition `{0}` exactly once")]
    Rendition(String),
}

/// The bytes of an inventory. Objects are sorted by path, and the header's format and count are set, so the same
/// objects give the same bytes in whichever order they come.
pub fn write(header: &Header, objects: &[Object]) -> Vec<u8> {
    let mut sorted: Vec<&Object> = objects.iter().collect();
    sorted.sort_by(|a, b| a.path.cmp(&b.path));
    let header =
        Header { format: FORMAT.to_owned(), objects: objects.len() as u64, ..header.clone() };
    let mut bytes = Vec::new();
    let written = serde_json::to_writer(&mut bytes, &header).and_then(|()| {
        bytes.push(b'\n');
        sorted.iter().try_for_each(|object| {
            serde_json::to_writer(&mut bytes, object)?;
            bytes.push(b'\n');
            Ok(())
        })
    });
    written.expect("text and numbers can be written to memory");
    bytes
}

/// Two digests alone take 96 characters: a header that promises more objects than that allows is not believed.
const SHORTEST_LINE: usize = 96;

/// Reads an inventory, strictly: it is the truth that everything else is checked against.
///
/// # Errors
/// Says the first line that is wrong and why.
pub fn read(bytes: &[u8]) -> Result<Inventory, Error> {
    let Some((b'\n', text)) = bytes.split_last() else {
        return Err(Error::CutOff);
    };
    let mut lines = (1..).zip(text.split(|b| *b == b'\n'));
    let (line, first) = lines.next().ok_or(Error::CutOff)?;
    let json = |line| move |source| Error::Line { line, source };
    let header: Header = serde_json::from_slice(first).map_err(json(line))?;
    if header.format != FORMAT {
        return Err(Error::Format(header.format));
    }
    let mut introduced = BTreeSet::new();
    for rendition in &header.renditions {
        if !introduced.insert(rendition.name.as_str()) {
            return Err(Error::Rendition(rendition.name.clone()));
        }
    }
    let longest = bytes.len() / SHORTEST_LINE;
    let mut objects: Vec<Object> =
        Vec::with_capacity(usize::try_from(header.objects).unwrap_or(longest).min(longest));
    for (line, text) in lines {
        let object = object(text).map_err(json(line))?;
        let path = || object.path.clone();
        if !ObjectKey::is_key(&object.path) {
            return Err(Error::Path { line, path: path() });
        }
        if object.bytes == 0 {
            return Err(Error::Empty { line, path: path() });
        }
        if objects.last().is_some_and(|before| before.path >= object.path) {
            return Err(Error::Order { line, path: path() });
        }
        // Of text and pictures there is nothing to say beforehand.
        if let ObjectRole::Init { rendition }
        | ObjectRole::Segment { rendition, .. }
        | ObjectRole::Transport { rendition, .. } = &object.role
            && !introduced.contains(rendition.as_str())
        {
            return Err(Error::Rendition(rendition.clone()));
        }
        objects.push(object);
    }
    let found = objects.len() as u64;
    if found != header.objects {
        return Err(Error::Count { expected: header.objects, found });
    }
    Ok(Inventory { header, objects })
}

/// Reads one object.
///
/// To read a role among the object's own fields, serde keeps all of them aside until it has seen its kind, which takes
/// longer than all else; and an audit reads hundreds of millions of lines. So a line as [`write`] writes nearly all of
/// them is read by [`Line`], and everything else by the general way, which also knows what to say about it.
fn object(text: &[u8]) -> Result<Object, serde_json::Error> {
    let line = serde_json::from_slice::<Line<'_>>(text).ok();
    line.and_then(Line::into_object).map_or_else(|| serde_json::from_slice(text), Ok)
}

/// A line without characters that JSON has to escape.
#[derive(Deserialize)]
struct Line<'l> {
    path: &'l str,
    bytes: u64,
    sha256: &'l str,
    md5: &'l str,
    version: Option<Version>,
    kind: &'l str,
    rendition: Option<&'l str>,
    number: Option<u32>,
    start: Option<u64>,
    ticks: Option<u64>,
    samples: Option<u32>,
}

impl Line<'_> {
    /// The object, if the line is one.
    fn into_object(self) -> Option<Object> {
        let role = match self.kind {
            "init" => ObjectRole::Init { rendition: self.rendition?.to_owned() },
            "segment" => ObjectRole::Segment {
                rendition: self.rendition?.to_owned(),
                number: self.number?,
                start: self.start?,
                ticks: self.ticks?,
                samples: self.samples?,
            },
            "transport" => ObjectRole::Transport {
                rendition: self.rendition?.to_owned(),
                number: self.number?,
                start: self.start?,
            },
            "text" => {
                ObjectRole::Text { rendition: self.rendition?.to_owned(), number: self.number }
            }
            "picture" => ObjectRole::Picture { number: self.number },
            "manifest" => ObjectRole::Manifest,
            "plan" => ObjectRole::Plan,
            _ => return None,
        };
        Some(Object {
            path: self.path.to_owned(),
            bytes: self.bytes,
            sha256: self.sha256.parse().ok()?,
            md5: self.md5.parse().ok()?,
            version: self.version,
            role,
        })
    }
}

#[cfg(test)]
mod tests;
