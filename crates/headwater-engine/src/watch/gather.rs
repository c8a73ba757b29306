//! Which entries of a drop folder belong together: a delivery is its manifest and the files that it names, and has arrived
//! when all of them are there; or it is a folder with a marker and no manifest. A checksum beside a file belongs to it.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use headwater_model::address::{Address, stamp_of};
use headwater_model::delivery::{Delivery, LONGEST_LINE};
use headwater_model::id::TitleId;
use tracing::debug;

use crate::bundle::{self, MARKER};
use crate::master::Stamp;
use crate::settling::{Sighting, ignored};
use crate::sums;

/// Everything in the folder that could be a delivery. Blocks: not for the runtime.
pub(super) fn list(folder: &Path) -> io::Result<Vec<Sighting>> {
    let mut sightings = entries(folder)?;
    let mut manifests: Vec<PathBuf> = sightings.iter().map(|s| s.path.clone()).collect();
    let mut taken: BTreeSet<PathBuf> = BTreeSet::new();
    let mut deliveries = Vec::new();
    for folder in sightings.iter_mut().filter(|s| s.path.is_dir()) {
        // What cannot be read is told when it is taken for a master.
        let inside = entries(&folder.path).unwrap_or_default();
        let marker = folder.path.join(MARKER);
        if marker.is_file() && !inside.iter().any(|s| is_manifest(&s.path)) {
            taken.insert(folder.path.clone());
            let files = inside.into_iter().map(|s| s.path).filter(|path| path.is_file());
            deliveries.extend(together(marker, &files.collect::<Vec<_>>()));
        } else {
            // It stands still when what is in it does: what is being copied may still get a manifest or a marker.
            let stamps = inside.iter().map(|s| s.stamp).chain([folder.stamp]);
            folder.stamp = as_one(&stamps.collect::<Vec<_>>());
            manifests.extend(inside.into_iter().map(|s| s.path));
        }
    }
    manifests.retain(|path| is_manifest(path));
    for manifest in manifests {
        let Some(parent) = manifest.parent() else { continue };
        taken.insert(manifest.clone());
        if parent != folder {
            taken.insert(parent.to_owned());
        }
        let Some(delivery) = read(&manifest) else {
            // `Prepare` says what is wrong with it.
            deliveries.extend(sighting(manifest));
            continue;
        };
        let files: Vec<PathBuf> = delivery.files().iter().map(|file| parent.join(file)).collect();
        taken.extend(files.iter().cloned());
        if !delivery.marker || marker_of(&manifest).exists() {
            deliveries.extend(together(manifest, &files));
        }
    }
    sightings.retain(|s| !taken.contains(&s.path));
    for sighting in &mut sightings {
        sighting.stamp = with_sums(sighting);
    }
    sightings.extend(deliveries);
    Ok(sightings)
}

/// The stamp of a file and of the checksums beside it: one that comes later makes it another delivery, which is checked.
fn with_sums(of: &Sighting) -> Stamp {
    let at = Address::File(of.path.clone());
    let sums = sums::all_beside(&at).filter_map(|at| match at {
        Address::File(path) => Some(sighting(path)?.stamp),
        _ => None,
    });
    with_those(of.stamp, &sums.collect::<Vec<_>>())
}

/// The stamp of a file, and of what is said of it.
pub(super) fn with_those(own: Stamp, sums: &[Stamp]) -> Stamp {
    match sums {
        [] => own,
        sums => Stamp { modified_ns: as_one(&[&[own], sums].concat()).modified_ns, ..own },
    }
}

/// Entries of a folder but for transfers under way.
fn entries(folder: &Path) -> io::Result<Vec<Sighting>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if !ignored(&entry.file_name().to_string_lossy()) {
            found.extend(sighting(entry.path()));
        }
    }
    Ok(found)
}

fn sighting(path: PathBuf) -> Option<Sighting> {
    match fs::metadata(&path) {
        Ok(metadata) => Some(Sighting { path, stamp: Stamp::of(&metadata) }),
        // Gone since it was listed, or a link that leads nowhere: no delivery, and no reason to stop for the others.
        Err(error) => {
            debug!(file = %path.display(), %error, "entry not readable");
            None
        }
    }
}

fn is_manifest(path: &Path) -> bool {
    bundle::is_manifest(&Address::File(path.to_owned())) && path.is_file()
}

/// What a manifest says; nothing where it cannot be read.
fn read(manifest: &Path) -> Option<Delivery> {
    let metadata = fs::metadata(manifest).ok().filter(|m| m.len() <= LONGEST_LINE as u64)?;
    let text = fs::read_to_string(manifest).ok().filter(|_| metadata.is_file())?;
    headwater_spec::delivery(&text).ok()
}

/// The delivery as one entry, which stands still when all of it does; nothing as long as something is missing.
fn together(named_by: PathBuf, files: &[PathBuf]) -> Option<Sighting> {
    let mut stamps = Vec::new();
    for part in std::iter::once(&named_by).chain(files) {
        stamps.push(with_sums(&sighting(part.clone())?));
    }
    Some(Sighting { path: named_by, stamp: as_one(&stamps) })
}

/// One stamp of several.
pub(super) fn as_one(stamps: &[Stamp]) -> Stamp {
    let says = stamps.iter().map(|stamp| format!("{} {}", stamp.bytes, stamp.modified_ns));
    let modified_ns = stamp_of(&says.collect::<Vec<_>>().join("\n"));
    Stamp { bytes: stamps.iter().map(|stamp| stamp.bytes).sum(), modified_ns }
}

/// `.complete` beside a manifest in a folder of its own, else `film.complete` beside `film.delivery.toml`.
pub(super) fn marker_of(manifest: &Path) -> PathBuf {
    match stem(manifest) {
        Some(stem) => manifest.with_file_name(format!("{stem}{MARKER}")),
        None => manifest.with_file_name(MARKER),
    }
}

/// `film` of `film.delivery.toml`; nothing of `delivery.toml`.
fn stem(manifest: &Path) -> Option<String> {
    let name = manifest.file_name()?.to_str()?;
    let at = name.to_lowercase().rfind(".delivery.")?;
    name.get(..at).filter(|stem| !stem.is_empty()).map(str::to_owned)
}

/// The title that a delivery becomes, and the pipeline that it asks for; `None` for what is no manifest. Blocks.
pub fn asked_for(path: &Path) -> Option<(TitleId, Option<String>)> {
    if !bundle::names_a_delivery(&Address::File(path.to_owned())) {
        return None;
    }
    let says = read(path).filter(|_| path.file_name() != Some(MARKER.as_ref()));
    Some(asked_by(path, says.as_ref()))
}

/// Likewise of a manifest that was read, if it could be.
pub(super) fn asked_by(path: &Path, says: Option<&Delivery>) -> (TitleId, Option<String>) {
    let named = says.and_then(|delivery| delivery.title.as_deref()?.parse().ok());
    let pipeline = says.and_then(|delivery| delivery.pipeline.clone());
    (named.unwrap_or_else(|| title_of(path)), pipeline)
}

/// The title of a delivery that does not say it itself: the name of its manifest, or of the folder that it is in.
fn title_of(manifest: &Path) -> TitleId {
    let folder = || manifest.parent()?.file_name()?.to_str().map(str::to_owned);
    // The last ending goes with what a file's name becomes.
    TitleId::from_file_name(&format!(
        "{}.delivery",
        stem(manifest).or_else(folder).unwrap_or_default()
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_delivery_is_there_when_all_its_files_are() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        let seen = || -> Vec<String> {
            let mut found: Vec<String> = list(folder.path())
                .unwrap()
                .iter()
                .map(|s| s.path.strip_prefix(folder.path()).unwrap().display().to_string())
                .collect();
            found.sort();
            found
        };
        write("other.mov", "1");
        write("film.mov", "22");
        let manifest = "version = 1\n[video]\nfile = \"film.mov\"\n[[text]]\nfile = \"film.srt\"\n";
        write("film.delivery.toml", manifest);
        assert_eq!(seen(), ["other.mov"], "subtitles are missing");
        write("film.srt", "333");
        assert_eq!(seen(), ["film.delivery.toml", "other.mov"]);
        let stamp = || list(folder.path()).unwrap().iter().map(|s| s.stamp.bytes).max();
        let before = stamp();
        write("film.srt", "4444");
        assert_eq!(stamp(), before.map(|bytes| bytes + 1), "it counts as one");

        write("play/left.wav", "1");
        write(
            "play/delivery.json",
            "{\"version\": 1, \"marker\": true, \"audio\": [{\"file\": \"left.wav\"}]}",
        );
        assert_eq!(seen(), ["film.delivery.toml", "other.mov"], "its marker is missing");
        write("play/.complete", "");
        assert_eq!(seen(), ["film.delivery.toml", "other.mov", "play/delivery.json"]);
        write("film.complete", "");
        write("other.mov.md5", "d41d8cd98f00b204e9800998ecf8427e");
        assert_eq!(seen().len(), 3, "neither a marker nor a checksum is a title");
        write("bare/film.mov", "1");
        assert!(seen().contains(&"bare".to_owned()), "a folder, which is refused");
        write("bare/.complete", "");
        let all = ["bare/.complete", "film.delivery.toml", "other.mov", "play/delivery.json"];
        assert_eq!(seen(), all);
        write("bad.delivery.toml", "version = 9");
        assert!(seen().contains(&"bad.delivery.toml".to_owned()), "somebody has to be told");
    }

    #[test]
    fn a_checksum_that_comes_later_makes_another_delivery() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("film.mov"), "1").unwrap();
        let stamp = || list(folder.path()).unwrap()[0].stamp;
        let before = stamp();
        assert_eq!(stamp(), before);
        fs::write(folder.path().join("film.mov.md5"), "c4ca4238a0b923820dcc509a6f75849b").unwrap();
        assert_ne!(stamp(), before);
    }

    #[test]
    fn titles_are_named_after_manifest_or_folder() {
        for (path, title) in [
            ("/in/Some Film.delivery.toml", "some-film"),
            ("/in/play/delivery.json", "play"),
            ("/in/play/.complete", "play"),
            ("/in/a.b.delivery.toml", "a.b"),
        ] {
            assert_eq!(title_of(Path::new(path)).as_str(), title);
        }
    }
}
