//! Proves that playlists and MPD agree with the inventory (R5), and that segments are what the inventory says.
//!
//! Manifests are parsed with m3u8-rs and dash-mpd and resolved as a player would; nothing of [`crate::hls`] and
//! [`crate::dash`] is used, so that a mistake there is found here. The rule: **the manifests name exactly the
//! inventory's objects, and time goes on from each segment to the next in every one of them.**
//!
//! One mistake gives few findings: of what a manifest says wrongly, only the first is reported, since the rest mostly
//! follows from it; and a rendition that a manifest leaves out as a whole is reported once.

use std::collections::{BTreeMap, BTreeSet};

use headwater_model::finding::FindingKind;
use headwater_model::inventory::{Inventory, Object, ObjectRole, RenditionHeader};
use headwater_model::key::{
    HLS_NAME, INIT_NAME, MEDIA_PLAYLIST_NAME, MPD_NAME, ObjectKey, PackageId,
};
use headwater_model::plan::Pictures;

mod hls;

mod dash;

mod alignment;

mod media;

mod pictures;

mod text;

pub use media::{init, segment, transport};
pub use pictures::picture;
pub use text::text;

/// Time that a manifest may be off by, in seconds: less than any player or ear notices.
const TOLERANCE: f64 = 0.001;

/// What is wrong with the manifests of a package: each finding with the key of the object that it is about.
///
/// `files` holds the bytes of every playlist and MPD of the package by key, and of the title's pointers if they are to
/// be checked too (they are when they are there). A manifest of the inventory that is not among them is `Missing`.
pub fn manifests(
    package: &PackageId,
    inventory: &Inventory,
    files: &BTreeMap<ObjectKey, Vec<u8>>,
) -> Vec<(ObjectKey, FindingKind)> {
    let known = Known::new(package, inventory);
    let mut findings = Findings::default();
    alignment::check(&known, &mut findings);

    for name in [HLS_NAME, MPD_NAME] {
        if !known.objects.contains_key(name) {
            findings.add(&package.key(name), FindingKind::Missing);
        }
    }
    for object in known.objects.values() {
        let key = known.key(object);
        match (&object.role, files.get(&key)) {
            (
                ObjectRole::Init { .. }
                | ObjectRole::Segment { .. }
                | ObjectRole::Transport { .. }
                | ObjectRole::Text { .. }
                | ObjectRole::Picture { .. }
                | ObjectRole::Plan,
                _,
            ) => {}
            (ObjectRole::Manifest, None) => findings.add(&key, FindingKind::Missing),
            (ObjectRole::Manifest, Some(bytes)) => manifest(&known, &key, bytes, &mut findings),
        }
    }
    for key in package.pointers() {
        if let Some(bytes) = files.get(&key) {
            manifest(&known, &key, bytes, &mut findings);
        }
    }
    // What every rendition must have, whatever the manifests say.
    for rendition in &known.renditions {
        for path in [rendition.path(INIT_NAME), rendition.path(MEDIA_PLAYLIST_NAME)] {
            if !known.objects.contains_key(path.as_str()) {
                findings.add(&package.key(&path), FindingKind::Missing);
            }
        }
    }
    text::check(&known, &mut findings);
    pictures::check(&known, &mut findings);
    findings.0
}

fn manifest(known: &Known<'_>, key: &ObjectKey, bytes: &[u8], findings: &mut Findings) {
    // The parsers take text, and m3u8-rs panics on anything else.
    let Ok(text) = std::str::from_utf8(bytes) else {
        return findings.malformed(key, "it is not UTF-8");
    };
    let playlist = known.by_key.get(key).map(|object| object.path.as_str());
    let rendition = known.renditions.iter().find(|r| Some(r.playlist().as_str()) == playlist);
    let of_text = playlist.and_then(|path| {
        let (name, file) = path.rsplit_once('/')?;
        known.texts.get(name).filter(|_| file == MEDIA_PLAYLIST_NAME)
    });
    if let Some(of_text) = of_text {
        return text::playlist(known, of_text, key, text, findings);
    }
    let of_pictures = playlist.is_some_and(|path| {
        path.rsplit_once('/').is_some_and(|(folder, _)| folder == Pictures::FOLDER)
    });
    if of_pictures {
        return pictures::listing(known, key, text, findings);
    }
    match (key.name(), rendition) {
        (_, Some(rendition)) => hls::media_playlist(known, rendition, key, text, findings),
        (HLS_NAME, None) => hls::multivariant(known, key, text, findings),
        (MPD_NAME, None) => dash::mpd(known, key, text, findings),
        (_, None) => findings.malformed(key, "it belongs to no rendition"),
    }
}

/// The inventory, arranged for looking things up.
struct Known<'a> {
    package: &'a PackageId,
    /// Every object by its path.
    objects: BTreeMap<&'a str, &'a Object>,
    /// The same by its key: some may lie in older versions.
    by_key: BTreeMap<ObjectKey, &'a Object>,
    /// In the order of the header.
    renditions: Vec<Rendition<'a>>,
    /// Text renditions by name.
    texts: BTreeMap<&'a str, text::Text<'a>>,
}

/// A rendition as the inventory has it.
struct Rendition<'a> {
    header: &'a RenditionHeader,
    init: Option<&'a Object>,
    /// By number.
    segments: Vec<Segment<'a>>,
    /// Those that are there as MPEG-TS too, by number: all of them or none.
    twins: BTreeMap<u32, &'a Object>,
}

/// A segment as the inventory has it.
#[derive(Clone, Copy)]
struct Segment<'a> {
    object: &'a Object,
    number: u32,
    start: u64,
    ticks: u64,
}

impl<'a> Known<'a> {
    fn new(package: &'a PackageId, inventory: &'a Inventory) -> Self {
        let objects: BTreeMap<_, _> =
            inventory.objects.iter().map(|o| (o.path.as_str(), o)).collect();
        let mut renditions: Vec<Rendition<'a>> = inventory
            .header
            .renditions
            .iter()
            .map(|header| Rendition {
                header,
                init: None,
                segments: Vec::new(),
                twins: BTreeMap::new(),
            })
            .collect();
        let by_name: BTreeMap<&str, usize> =
            (0..).zip(&inventory.header.renditions).map(|(n, r)| (r.name.as_str(), n)).collect();
        for object in &inventory.objects {
            let of = |name: &String| by_name.get(name.as_str()).copied();
            match &object.role {
                ObjectRole::Init { rendition } => {
                    if let Some(n) = of(rendition) {
                        renditions[n].init = Some(object);
                    }
                }
                ObjectRole::Segment { rendition, number, start, ticks, .. } => {
                    if let Some(n) = of(rendition) {
                        let (number, start, ticks) = (*number, *start, *ticks);
                        renditions[n].segments.push(Segment { object, number, start, ticks });
                    }
                }
                ObjectRole::Transport { rendition, number, .. } => {
                    if let Some(n) = of(rendition) {
                        renditions[n].twins.insert(*number, object);
                    }
                }
                ObjectRole::Text { .. }
                | ObjectRole::Picture { .. }
                | ObjectRole::Manifest
                | ObjectRole::Plan => {}
            }
        }
        for rendition in &mut renditions {
            rendition.segments.sort_by_key(|s| s.number);
        }
        let by_key = inventory.objects.iter().map(|o| (package.key_of(o), o)).collect();
        let texts = text::of(&inventory.objects);
        Self { package, objects, by_key, renditions, texts }
    }

    fn key(&self, object: &Object) -> ObjectKey {
        self.package.key_of(object)
    }

    /// The object that `address`, as written in the manifest at `from`, leads to (RFC 3986, 5.2): relative, without
    /// query or escapes, since Headwater writes nothing else.
    fn resolve(&self, from: &ObjectKey, address: &str) -> Option<&'a Object> {
        let mut parts: Vec<&str> = from.as_str().split('/').collect();
        parts.pop();
        for part in address.split('/') {
            match part {
                ".." => {
                    parts.pop()?;
                }
                "." => {}
                part => parts.push(part),
            }
        }
        let key = ObjectKey::new(parts.join("/"))?;
        self.by_key.get(&key).copied()
    }
}

impl Segment<'_> {
    fn end(&self) -> u64 {
        self.start.saturating_add(self.ticks)
    }
}

impl<'a> Rendition<'a> {
    fn path(&self, name: &str) -> String {
        format!("{}/{name}", self.header.name)
    }

    fn playlist(&self) -> String {
        self.path(MEDIA_PLAYLIST_NAME)
    }

    /// Its segment `number`.
    fn segment(&self, number: u32) -> Option<&Segment<'a>> {
        let place = self.segments.binary_search_by_key(&number, |s| s.number).ok()?;
        self.segments.get(place)
    }

    /// The segment that this object is; `None` when it is none of this rendition.
    fn segment_of(&self, object: &Object) -> Option<&Segment<'a>> {
        let ObjectRole::Segment { number, .. } = &object.role else {
            return None;
        };
        self.segment(*number).filter(|s| s.object.path == object.path)
    }

    /// The same of what HLS names: where segments are there as MPEG-TS, that.
    fn segment_in_hls(&self, object: &Object) -> Option<&Segment<'a>> {
        match &object.role {
            ObjectRole::Transport { number, .. } => {
                self.twins.get(number).filter(|twin| twin.path == object.path)?;
                self.segment(*number)
            }
            _ if self.twins.is_empty() => self.segment_of(object),
            _ => None,
        }
    }

    fn seconds(&self, ticks: u64) -> f64 {
        ticks as f64 / f64::from(self.header.timescale.max(1))
    }

    fn end(&self) -> u64 {
        self.segments.last().map_or(0, Segment::end)
    }
}

/// Findings in the order in which they were made, each once.
#[derive(Default)]
struct Findings(Vec<(ObjectKey, FindingKind)>);

impl Findings {
    fn add(&mut self, key: &ObjectKey, kind: FindingKind) {
        let finding = (key.clone(), kind);
        if !self.0.contains(&finding) {
            self.0.push(finding);
        }
    }

    /// Only the first of each object.
    fn malformed(&mut self, key: &ObjectKey, reason: impl Into<String>) {
        let known = |(k, kind): &(ObjectKey, FindingKind)| {
            k == key && matches!(kind, FindingKind::Malformed { .. })
        };
        if !self.0.iter().any(known) {
            self.add(key, FindingKind::Malformed { reason: reason.into() });
        }
    }

    fn unknown(&mut self, manifest: &ObjectKey, named: &str) {
        self.add(manifest, FindingKind::NamesUnknownObject { named: named.to_owned() });
    }

    fn not_named(&mut self, key: &ObjectKey, manifest: &ObjectKey) {
        self.add(key, FindingKind::NotNamed { manifest: manifest.to_string() });
    }

    /// Compares what a manifest names of a rendition, in its order, with what there is.
    fn account(
        &mut self,
        known: &Known<'_>,
        rendition: &Rendition<'_>,
        manifest: &ObjectKey,
        init_named: bool,
        named: &[Segment<'_>],
    ) {
        if let Some(init) = rendition.init.filter(|_| !init_named) {
            self.not_named(&known.key(init), manifest);
        }
        let mut expected = 0;
        for segment in named {
            if segment.start != expected {
                let kind = FindingKind::TimeGap { expected, found: segment.start };
                self.add(&known.key(segment.object), kind);
            }
            expected = segment.end();
        }
        if named.is_empty() && !init_named {
            return;
        }
        let numbers: BTreeSet<u32> = named.iter().map(|s| s.number).collect();
        for segment in rendition.segments.iter().filter(|s| !numbers.contains(&s.number)) {
            self.not_named(&known.key(segment.object), manifest);
        }
    }
}

#[cfg(test)]
mod tests;
