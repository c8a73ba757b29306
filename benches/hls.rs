//! Reads just enough of an HLS package to weigh it: the same way for every tool's output.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// One rendition of a package on disk.
#[derive(Debug, PartialEq)]
pub(crate) struct Rendition {
    /// Height of the picture; `None` for sound.
    pub(crate) height: Option<u32>,
    /// Its media playlist.
    pub(crate) playlist: PathBuf,
    /// Bytes of its segments and its init segment.
    pub(crate) bytes: u64,
}

/// All renditions that a multivariant playlist names, each once.
pub(crate) fn renditions(index: &Path) -> Result<Vec<Rendition>> {
    let text = read(index)?;
    let mut found: Vec<Rendition> = Vec::new();
    for (height, uri) in named(&text) {
        let playlist = beside(index, &uri);
        if found.iter().all(|rendition| rendition.playlist != playlist) {
            let bytes = weigh(&playlist)?;
            found.push(Rendition { height, playlist, bytes });
        }
    }
    Ok(found)
}

fn read(file: &Path) -> Result<String> {
    fs::read_to_string(file).with_context(|| format!("read `{}`", file.display()))
}

fn beside(file: &Path, uri: &str) -> PathBuf {
    file.parent().unwrap_or(Path::new("")).join(uri)
}

/// (height, address) of every variant and of every rendition with an address of its own (RFC 8216 section 4.3.4).
fn named(index: &str) -> Vec<(Option<u32>, String)> {
    let mut found = Vec::new();
    let mut lines = index.lines();
    while let Some(line) = lines.next() {
        if let Some(variant) = line.strip_prefix("#EXT-X-STREAM-INF:") {
            let height =
                attribute(variant, "RESOLUTION").and_then(|it| it.split_once('x')?.1.parse().ok());
            found.extend(
                lines
                    .by_ref()
                    .find(|line| !line.starts_with('#'))
                    .map(|uri| (height, uri.to_owned())),
            );
        } else if let Some(media) = line.strip_prefix("#EXT-X-MEDIA:") {
            found.extend(attribute(media, "URI").map(|uri| (None, uri.to_owned())));
        }
    }
    found
}

/// The value of an attribute without its quotes. Good for names that end no other name and values without commas,
/// which is all that is asked for here.
fn attribute<'a>(list: &'a str, name: &str) -> Option<&'a str> {
    list.split(',')
        .find_map(|it| it.strip_prefix(name)?.strip_prefix('='))
        .map(|value| value.trim_matches('"'))
}

/// Bytes of all files that a media playlist names.
fn weigh(playlist: &Path) -> Result<u64> {
    let text = read(playlist)?;
    let map = text.lines().filter_map(|line| attribute(line.strip_prefix("#EXT-X-MAP:")?, "URI"));
    let segments = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    let mut files: Vec<&str> = map.chain(segments).collect();
    // One file with byte ranges is named many times and stored once.
    files.sort_unstable();
    files.dedup();
    files.into_iter().try_fold(0, |sum, uri| {
        let file = beside(playlist, uri);
        let size =
            fs::metadata(&file).with_context(|| format!("look at `{}`", file.display()))?.len();
        Ok(sum + size)
    })
}

#[cfg(test)]
mod tests;
