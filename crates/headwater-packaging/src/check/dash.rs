//! The DASH half of the proof: what the MPD's templates and timelines expand to.

use dash_mpd_core::{AdaptationSet, MPD, Representation, SegmentTemplate};
use headwater_model::finding::FindingKind;
use headwater_model::key::ObjectKey;

use headwater_model::plan::Pictures;

use super::{Findings, Known, Rendition, TOLERANCE, pictures};

/// The MPD has one representation for every rendition, with its codec, and every template expands to exactly the
/// rendition's objects with their times.
pub(super) fn mpd(known: &Known<'_>, key: &ObjectKey, text: &str, findings: &mut Findings) {
    let mpd = match dash_mpd_core::parse(text) {
        Ok(mpd) => mpd,
        Err(why) => return findings.malformed(key, why.to_string()),
    };
    let [period] = &mpd.periods[..] else {
        let periods = mpd.periods.len();
        return findings.malformed(key, format!("it has {periods} periods, not 1"));
    };
    whole(known, &mpd, key, findings);

    let mut seen: Vec<&str> = Vec::new();
    for set in &period.adaptations {
        let based = [&mpd.base_url, &period.BaseURL, &set.BaseURL];
        for representation in &set.representations {
            let id = representation.id.as_deref().unwrap_or_default();
            let of_text = known.texts.get(id).and_then(|text| text.whole);
            let is_based = of_text.is_none() && !representation.BaseURL.is_empty();
            if based.iter().any(|b| !b.is_empty()) || is_based {
                findings.malformed(key, "it has a BaseURL, which leads its addresses elsewhere");
            }
            if id == Pictures::FOLDER {
                seen.push(id);
                image(known, set, key, findings);
                continue;
            }
            if let Some(whole) = of_text {
                seen.push(id);
                let address = representation.BaseURL.first().map_or("", |b| b.base.as_str());
                if known.resolve(key, address).is_none_or(|named| named.path != whole.path) {
                    findings.unknown(key, address);
                }
                continue;
            }
            let Some(rendition) = known.renditions.iter().find(|r| r.header.name == id) else {
                findings.unknown(key, id);
                continue;
            };
            seen.push(id);
            self::representation(known, rendition, set, representation, key, findings);
        }
    }
    if !seen.contains(&Pictures::FOLDER)
        && let Some(sheet) = pictures::sheets(known).first()
    {
        findings.not_named(&known.key(sheet), key);
    }
    for (_, text) in known.texts.iter().filter(|(name, _)| !seen.contains(name)) {
        if let Some(whole) = text.whole {
            findings.not_named(&known.key(whole), key);
        }
    }
    for rendition in known.renditions.iter().filter(|r| !seen.contains(&r.header.name.as_str())) {
        findings.account(known, rendition, key, false, &[]);
    }
}

/// The template of small pictures expands to all sheets.
fn image(known: &Known<'_>, set: &AdaptationSet, key: &ObjectKey, findings: &mut Findings) {
    let media = set.SegmentTemplate.as_ref().and_then(|template| template.media.as_deref());
    for (number, sheet) in (1u64..).zip(pictures::sheets(known)) {
        let address = expand(media, Pictures::FOLDER, number);
        if known.resolve(key, &address).is_none_or(|named| named.path != sheet.path) {
            return findings.unknown(key, &address);
        }
    }
}

/// What is said about the presentation as a whole.
fn whole(known: &Known<'_>, mpd: &MPD, key: &ObjectKey, findings: &mut Findings) {
    if mpd.mpdtype.as_deref().is_some_and(|t| t != "static") {
        findings.malformed(key, "it is not static");
    }
    let said = mpd.mediaPresentationDuration.map_or(0.0, |d| d.as_secs_f64());
    let ends_there = |r: &Rendition<'_>| (r.seconds(r.end()) - said).abs() <= TOLERANCE;
    if !known.renditions.iter().any(ends_there) {
        findings.malformed(key, format!("it lasts {said} s, which no rendition does"));
    }
}

fn representation(
    known: &Known<'_>,
    rendition: &Rendition<'_>,
    set: &AdaptationSet,
    representation: &Representation,
    key: &ObjectKey,
    findings: &mut Findings,
) {
    let name = &rendition.header.name;
    let codec = representation.codecs.as_ref().or(set.codecs.as_ref());
    if codec != Some(&rendition.header.codec) {
        let said = codec.map_or("nothing", String::as_str);
        let is = &rendition.header.codec;
        findings.malformed(
            key,
            format!("it says that `{name}` is coded as `{said}`, the inventory says `{is}`"),
        );
    }
    let template = representation.SegmentTemplate.as_ref().or(set.SegmentTemplate.as_ref());
    let Some(template) = template else {
        return findings.malformed(key, format!("`{name}` has no SegmentTemplate"));
    };
    let timescale = template.timescale.unwrap_or(1);
    if timescale != u64::from(rendition.header.timescale)
        || template.presentationTimeOffset.unwrap_or(0) != 0
    {
        return findings.malformed(
            key,
            format!(
                "the timeline of `{name}` has {timescale} ticks a second or an offset, the inventory has {} and none",
                rendition.header.timescale
            ),
        );
    }

    let init = expand(template.initialization.as_deref(), name, 0);
    let init_named = known
        .resolve(key, &init)
        .is_some_and(|o| rendition.init.is_some_and(|init| init.path == o.path));
    if !init_named {
        findings.unknown(key, &init);
    }

    let mut named = Vec::new();
    let mut now = 0;
    // One more than there are shows that there are too many, however many a repeat count claims.
    let enough = rendition.segments.len() + 1;
    for (n, (start, ticks)) in timeline(template).take(enough).enumerate() {
        let number = template.startNumber.unwrap_or(1).saturating_add(n as u64);
        let address = expand(template.media.as_deref(), name, number);
        let object = known.resolve(key, &address);
        let Some(segment) = object.and_then(|o| rendition.segment_of(o)) else {
            // The template names the rest alike.
            findings.unknown(key, &address);
            break;
        };
        let start = start.unwrap_or(now);
        if start != now {
            let kind = FindingKind::TimeGap { expected: now, found: start };
            findings.add(&known.key(segment.object), kind);
        } else if (start, ticks) != (segment.start, segment.ticks) {
            findings.malformed(
                key,
                format!(
                    "it says that `{address}` starts at tick {start} and has {ticks}, the inventory says {} and {}",
                    segment.start, segment.ticks
                ),
            );
        }
        now = start.saturating_add(ticks);
        named.push(*segment);
    }
    findings.account(known, rendition, key, init_named, &named);
}

/// Start, where it is said, and length of every segment of a timeline, in ticks. A repeat count without an end (-1,
/// 5.3.9.6) is only for presentations that go on, and counts as none.
fn timeline(template: &SegmentTemplate) -> impl Iterator<Item = (Option<u64>, u64)> {
    let runs = template.SegmentTimeline.iter().flat_map(|t| &t.segments);
    runs.flat_map(|s| {
        let more = u64::try_from(s.r.unwrap_or(0)).unwrap_or(0);
        std::iter::once((s.t, s.d)).chain((0..more).map(|_| (None, s.d)))
    })
}

/// Expands a template (5.3.9.4.4). One that uses what Headwater does not write stays as it is, and so names nothing.
fn expand(template: Option<&str>, id: &str, number: u64) -> String {
    let template = template.unwrap_or_default();
    let mut address = String::new();
    for (n, part) in template.split('$').enumerate() {
        match part {
            // Outside of a pair of dollars.
            part if n % 2 == 0 => address.push_str(part),
            "" => address.push('$'),
            "RepresentationID" => address.push_str(id),
            "Number" => address.push_str(&number.to_string()),
            "Number%05d" => address.push_str(&format!("{number:05}")),
            _ => return template.to_owned(),
        }
    }
    let in_pairs = template.matches('$').count().is_multiple_of(2);
    if in_pairs { address } else { template.to_owned() }
}
