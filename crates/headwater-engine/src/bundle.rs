//! Deliveries as masters: the files that a manifest names, read as one.
//!
//! A package keeps the list that it was made from in its plan, and goes by that: the manifest may say something else
//! meanwhile, as when subtitles have arrived, and what viewers have can be healed all the same.

use std::fs::File;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use headwater_model::address::{Address, stamp_of};
use headwater_model::delivery::{Bundled, BundledFile, Delivery, LONGEST_LINE};
use headwater_model::refusal::Code;
use headwater_model::task::Failure;
use headwater_ports::masters::{Input, MasterError, MasterErrorKind, Masters, RemoteMaster, Seen};
use tokio::task::spawn_blocking;

use crate::failure::{later, never};
use crate::master::{self, Opened, Stamp};
use crate::settling::ignored;

/// What names of manifests end with.
const MANIFESTS: [&str; 2] = ["delivery.toml", "delivery.json"];

/// What a delivery's marker is called, alone in its folder or behind the name of its manifest.
pub(crate) const MARKER: &str = ".complete";

/// Whether what lies there says what a delivery is: `film.delivery.toml`, `delivery.toml`, or the marker of a folder that
/// has neither.
pub(crate) fn names_a_delivery(at: &Address) -> bool {
    is_manifest(at) || at.name() == MARKER
}

/// Whether what lies there is the manifest of a delivery: `film.delivery.toml`, or `delivery.toml`.
pub(crate) fn is_manifest(at: &Address) -> bool {
    let name = at.name().to_lowercase();
    let ends = |end: &&str| {
        name.strip_suffix(*end).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
    };
    MANIFESTS.iter().any(ends)
}

/// What a manifest says now, with its files as they lie there.
pub(crate) async fn open(masters: &dyn Masters, at: &Address) -> Result<Opened, Failure> {
    let delivery = match is_manifest(at) {
        true => read(masters, at).await?,
        false => of_folder(at).await?,
    };
    let mut parts = Vec::new();
    for file in delivery.files() {
        parts.push(part(masters, at, file).await?);
    }
    let files = parts
        .iter()
        .map(|part| BundledFile { file: part.file.clone(), bytes: part.opened.stamp.bytes });
    let bundled = Bundled { files: files.collect(), delivery };
    put_together(at, bundled, parts)
}

/// What a manifest says.
pub(crate) async fn read(masters: &dyn Masters, at: &Address) -> Result<Delivery, Failure> {
    let text = read_manifest(masters, at).await?;
    headwater_spec::delivery(&text).map_err(|why| {
        // The parsers show the place in lines of their own.
        let why = why.lines().next().unwrap_or_default().to_owned();
        never(Code::DamagedMaster, format!("the manifest `{at}` cannot be read: {why}"))
    })
}

/// What the files beside a marker are by their names.
async fn of_folder(marker: &Address) -> Result<Delivery, Failure> {
    let folder = match marker {
        Address::File(path) => path.parent().map(Path::to_owned).unwrap_or_default(),
        _ => {
            let text = format!("`{marker}` is no manifest: in buckets a delivery needs one");
            return Err(never(Code::NotAFile, text));
        }
    };
    let shown = folder.display().to_string();
    let named = spawn_blocking(move || names_in(&folder)).await.map_err(std::io::Error::other);
    let names = named.flatten().map_err(|error| {
        later(Code::Unreadable, format!("the folder `{shown}` cannot be read: {error}"))
    })?;
    headwater_spec::delivery_of_names(&names).map_err(|why| {
        let text =
            format!("what is in `{shown}` cannot be told: {why}; name its files in a manifest");
        never(Code::DamagedMaster, text)
    })
}

/// Names of the files in a folder that are part of a delivery. Blocks.
pub(crate) fn names_in(folder: &Path) -> std::io::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if !ignored(&name) && entry.path().is_file() {
            names.push(name);
        }
    }
    Ok(names)
}

/// The delivery that a package was made from.
pub(crate) async fn open_listed(
    masters: &dyn Masters,
    at: &Address,
    bundled: &Bundled,
) -> Result<Opened, Failure> {
    let mut parts = Vec::new();
    for BundledFile { file, bytes } in &bundled.files {
        let part = part(masters, at, file).await?;
        if part.opened.stamp.bytes != *bytes {
            let after = part.opened.stamp;
            return Err(master::changed(&part.opened.at, Stamp { bytes: *bytes, ..after }, after));
        }
        parts.push(part);
    }
    put_together(at, bundled.clone(), parts)
}

fn put_together(at: &Address, bundled: Bundled, parts: Vec<Part>) -> Result<Opened, Failure> {
    let header = bundled.header();
    if header.len() > LONGEST_LINE {
        return Err(never(Code::DamagedMaster, format!("the manifest `{at}` says too much")));
    }
    let stamps = parts.iter().map(|part| {
        let Stamp { bytes, modified_ns } = part.opened.stamp;
        format!("{} {bytes} {modified_ns}", part.file)
    });
    let seen =
        Seen { bytes: bundled.bytes(), stamp: stamp_of(&stamps.collect::<Vec<_>>().join("\n")) };
    let bundle = Bundle { at: at.clone(), seen, header: header.into(), parts };
    Ok(Opened {
        at: at.clone(),
        stamp: seen.into(),
        input: Input::Remote(Arc::new(bundle)),
        bundled: Some(Arc::new(bundled)),
        sources: vec![],
    })
}

async fn read_manifest(masters: &dyn Masters, at: &Address) -> Result<String, Failure> {
    let too_long =
        || never(Code::DamagedMaster, format!("the manifest `{at}` is longer than 1 MiB"));
    let opened = Box::pin(master::open_file(masters, at)).await?;
    if opened.stamp.bytes > LONGEST_LINE as u64 {
        return Err(too_long());
    }
    let bytes = match opened.input {
        Input::Remote(master) => {
            master.read(0..opened.stamp.bytes).await.map_err(MasterError::into_failure)?.to_vec()
        }
        Input::File(path) => {
            let read = spawn_blocking(move || std::fs::read(path)).await;
            read.map_err(std::io::Error::other).flatten().map_err(|error| {
                later(Code::Unreadable, format!("the manifest `{at}` cannot be read: {error}"))
            })?
        }
    };
    String::from_utf8(bytes)
        .map_err(|_| never(Code::DamagedMaster, format!("the manifest `{at}` is not UTF-8")))
}

/// A file of a delivery.
#[derive(Debug)]
struct Part {
    file: String,
    opened: Opened,
}

async fn part(masters: &dyn Masters, manifest: &Address, file: &str) -> Result<Part, Failure> {
    let at = beside(manifest, file);
    let opened = Box::pin(master::open_file(masters, &at)).await?;
    Ok(Part { file: file.to_owned(), opened })
}

/// Where a file lies that a manifest names.
pub(crate) fn beside(manifest: &Address, file: &str) -> Address {
    let folder = |text: &str| {
        text.rsplit_once('/').map_or(String::new(), |(folder, _)| format!("{folder}/"))
    };
    match manifest {
        Address::File(path) => {
            Address::File(path.parent().map_or_else(|| PathBuf::from(file), |p| p.join(file)))
        }
        Address::Object { bucket, key } => {
            Address::Object { bucket: bucket.clone(), key: format!("{}{file}", folder(key)) }
        }
        Address::Web(url) => Address::Web(format!("{}{}", folder(url), encoded(file))),
    }
}

/// As it stands in a URL (RFC 3986, 2.1).
fn encoded(path: &str) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-._~/!$&'()*+,;=:@".contains(&b);
    path.bytes()
        .map(|b| if plain(b) { char::from(b).to_string() } else { format!("%{b:02X}") })
        .collect()
}

/// The bytes of a delivery.
#[derive(Debug)]
struct Bundle {
    at: Address,
    seen: Seen,
    header: Bytes,
    parts: Vec<Part>,
}

#[async_trait]
impl RemoteMaster for Bundle {
    fn address(&self) -> &Address {
        &self.at
    }

    fn seen(&self) -> Seen {
        self.seen
    }

    async fn read(&self, range: Range<u64>) -> Result<Bytes, MasterError> {
        let mut out = BytesMut::with_capacity((range.end - range.start) as usize);
        let mut start = self.header.len() as u64;
        if let Some(own) = overlap(&range, 0, start) {
            out.extend_from_slice(&self.header[own.start as usize..own.end as usize]);
        }
        for part in &self.parts {
            let bytes = part.opened.stamp.bytes;
            if let Some(own) = overlap(&range, start, bytes) {
                out.extend_from_slice(&read_part(&part.opened, own).await?);
            }
            start += bytes;
        }
        Ok(out.freeze())
    }
}

/// What of `range` lies in a part that begins at `start`, counted from there.
fn overlap(range: &Range<u64>, start: u64, bytes: u64) -> Option<Range<u64>> {
    let from = range.start.max(start);
    let to = range.end.min(start + bytes);
    (from < to).then(|| from - start..to - start)
}

async fn read_part(of: &Opened, range: Range<u64>) -> Result<Bytes, MasterError> {
    let path = match &of.input {
        Input::Remote(master) => return master.read(range).await,
        Input::File(path) => path.clone(),
    };
    let read = spawn_blocking(move || {
        let file = File::open(path)?;
        let mut bytes = vec![0; (range.end - range.start) as usize];
        file.read_exact_at(&mut bytes, range.start)?;
        Ok::<_, std::io::Error>(Bytes::from(bytes))
    });
    read.await.map_err(std::io::Error::other).flatten().map_err(|error| {
        let kind = match error.kind() {
            std::io::ErrorKind::NotFound => MasterErrorKind::NotFound,
            std::io::ErrorKind::PermissionDenied => MasterErrorKind::Denied,
            std::io::ErrorKind::UnexpectedEof => MasterErrorKind::Changed,
            _ => MasterErrorKind::Unavailable,
        };
        MasterError { kind, address: of.at.to_string(), reason: error.to_string() }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn manifests_are_known_by_their_names() {
        for (name, is) in [
            ("/in/film.delivery.toml", true),
            ("/in/film/delivery.json", true),
            ("s3://in/film.DELIVERY.TOML", true),
            ("/in/mydelivery.toml", false),
            ("/in/film.toml", false),
            ("/in/film.delivery.toml.mov", false),
        ] {
            assert_eq!(is_manifest(&name.parse().unwrap()), is, "{name}");
        }
    }

    #[test]
    fn files_lie_beside_their_manifest() {
        for (manifest, file, wanted) in [
            ("/in/film.delivery.toml", "de/left.wav", "/in/de/left.wav"),
            ("s3://in/a/film.delivery.toml", "film.mov", "s3://in/a/film.mov"),
            ("s3://in/film.delivery.toml", "film.mov", "s3://in/film.mov"),
            ("https://host/a/delivery.toml", "the film.mov", "https://host/a/the%20film.mov"),
        ] {
            assert_eq!(beside(&manifest.parse().unwrap(), file).to_string(), wanted);
        }
    }

    #[tokio::test]
    async fn a_delivery_is_read_as_one() {
        let folder = tempfile::tempdir().unwrap();
        let write =
            |name: &str, bytes: &[u8]| std::fs::write(folder.path().join(name), bytes).unwrap();
        write("a.mov", b"0123456789");
        write("b.srt", b"abcdef");
        let text = "version = 1\n[video]\nfile = \"a.mov\"\n[[text]]\nfile = \"b.srt\"\n";
        write("film.delivery.toml", text.as_bytes());
        let at = Address::File(folder.path().join("film.delivery.toml"));
        let masters = headwater_ports::masters::FilesOnly;
        let opened = open(&masters, &at).await.unwrap();
        let Input::Remote(bundle) = &opened.input else { panic!("it is read through the worker") };
        let all = bundle.read(0..opened.stamp.bytes).await.unwrap();
        let (bundled, first) = Bundled::read(&all).unwrap();
        assert_eq!(&all[first as usize..], b"0123456789abcdef");
        assert_eq!(bundle.read(first + 8..first + 12).await.unwrap(), &b"89ab"[..]);
        // The manifest may say more meanwhile: what was made goes by its own list.
        write("film.delivery.toml", b"version = 1\n[video]\nfile = \"other.mov\"\n");
        let again = open_listed(&masters, &at, &bundled).await.unwrap();
        assert_eq!(again.stamp, opened.stamp);
        write("b.srt", b"abcdefg");
        let changed = open_listed(&masters, &at, &bundled).await.unwrap_err();
        assert_eq!(changed.refusal.code, Code::MasterChanged);
    }
}
