//! Small pictures: what tells of them names all sheets, and only these, and each place on a sheet lies within it.

use headwater_model::finding::FindingKind;
use headwater_model::inventory::{Object, ObjectRole};
use headwater_model::key::{MEDIA_PLAYLIST_NAME, ObjectKey, THUMBNAILS_NAME};
use headwater_model::plan::Pictures;

use super::{Findings, Known};

/// The sheets of an inventory in order.
pub(super) fn sheets<'a>(known: &Known<'a>) -> Vec<&'a Object> {
    let mut sheets: Vec<(u32, &Object)> = known
        .objects
        .values()
        .filter_map(|object| match object.role {
            ObjectRole::Picture { number: Some(number) } => Some((number, *object)),
            _ => None,
        })
        .collect();
    sheets.sort_by_key(|(number, _)| *number);
    sheets.into_iter().map(|(_, object)| object).collect()
}

/// What has to be there where there are sheets.
pub(super) fn check(known: &Known<'_>, findings: &mut Findings) {
    if sheets(known).is_empty() {
        return;
    }
    for name in [MEDIA_PLAYLIST_NAME, THUMBNAILS_NAME] {
        let path = format!("{}/{name}", Pictures::FOLDER);
        if !known.objects.contains_key(path.as_str()) {
            findings.add(&known.package.key(&path), FindingKind::Missing);
        }
    }
}

/// The WebVTT file, or the image playlist: each line that names a file.
pub(super) fn listing(known: &Known<'_>, key: &ObjectKey, text: &str, findings: &mut Findings) {
    let mut named: Vec<&str> = Vec::new();
    for line in text.lines().filter(|line| line.contains(".jpg") && !line.starts_with('#')) {
        let address = line.split('#').next().unwrap_or_default();
        match known.resolve(key, address) {
            Some(object) if matches!(object.role, ObjectRole::Picture { number: Some(_) }) => {
                named.push(&object.path);
            }
            _ => return findings.unknown(key, address),
        }
    }
    for sheet in sheets(known).iter().filter(|sheet| !named.contains(&sheet.path.as_str())) {
        findings.not_named(&known.key(sheet), key);
    }
    if !named.is_sorted() {
        findings.malformed(key, "its pictures are not in their order");
    }
}

/// Whether the bytes of an object are a JPEG from its beginning to its end. `None`: they are.
pub fn picture(bytes: &[u8]) -> Option<FindingKind> {
    let whole = bytes.starts_with(&[0xff, 0xd8]) && bytes.ends_with(&[0xff, 0xd9]);
    (!whole).then(|| FindingKind::Malformed { reason: "it is not a whole JPEG".to_owned() })
}
