//! Which objects a part of a plan consists of, and whether what was made is that (R2, R3).

use std::collections::BTreeMap;

use headwater_model::inventory::{Object, ObjectRole};
use headwater_model::key::{
    INIT_NAME, WHOLE_TEXT_NAME, picture_name, segment_name, text_segment_name, transport_name,
};
use headwater_model::plan::{AAC_FRAME, Pictures, Plan, TextRendition};
use headwater_model::refusal::{Code, Refusal};
use headwater_ports::transcoder::Part;

/// Every object of `part` by its path; empty when the plan has no such part.
pub(crate) fn objects_of(plan: &Plan, part: Part) -> BTreeMap<String, ObjectRole> {
    let mut objects = BTreeMap::new();
    match part {
        Part::Span(n) => {
            let Some(span) = plan.spans.get(n as usize) else { return objects };
            for rendition in plan.video.iter().filter(|video| !plan.keeps(&video.name)) {
                add_init(&mut objects, &rendition.name);
                for (number, segment) in (span.first_segment..).zip(plan.segments_of(span)) {
                    let (start, ticks) = (segment.start, segment.ticks);
                    let samples = rendition.frames_of(segment.frames);
                    add_segment(&mut objects, &rendition.name, number, start, ticks, samples);
                    if plan.pipeline.transport {
                        add_twin(&mut objects, &rendition.name, number, start);
                    }
                }
            }
        }
        Part::Pictures => {
            let wanted = plan.pictures.as_ref().filter(|_| !plan.keeps(Pictures::FOLDER));
            let Some(pictures) = wanted else { return objects };
            for number in (0..pictures.sheets()).map(Some).chain([None]) {
                let path = format!("{}/{}", Pictures::FOLDER, picture_name(number));
                objects.insert(path, ObjectRole::Picture { number });
            }
        }
        Part::Text(n) => {
            let text = plan.text.get(n as usize).filter(|text| !plan.keeps(&text.name));
            let Some(TextRendition { name, .. }) = text else { return objects };
            let mut add = |file: String, number| {
                let role = ObjectRole::Text { rendition: name.clone(), number };
                objects.insert(format!("{name}/{file}"), role);
            };
            add(WHOLE_TEXT_NAME.to_owned(), None);
            (0u32..)
                .zip(plan.text_segments())
                .for_each(|(n, _)| add(text_segment_name(n), Some(n)));
        }
        Part::Audio(n) => {
            let audio = plan.audio.get(n as usize).filter(|audio| !plan.keeps(&audio.name));
            let Some(rendition) = audio else { return objects };
            add_init(&mut objects, &rendition.name);
            for (number, segment) in (0u32..).zip(0..plan.segments.len()) {
                let frames = rendition.frames_of(segment);
                let length = frames.end.saturating_sub(frames.start);
                let (start, ticks) =
                    (frames.start * u64::from(AAC_FRAME), length * u64::from(AAC_FRAME));
                let samples = u32::try_from(length).unwrap_or(u32::MAX);
                add_segment(&mut objects, &rendition.name, number, start, ticks, samples);
                if plan.pipeline.transport {
                    add_twin(&mut objects, &rendition.name, number, start);
                }
            }
        }
    }
    objects
}

fn add_init(objects: &mut BTreeMap<String, ObjectRole>, rendition: &str) {
    let role = ObjectRole::Init { rendition: rendition.to_owned() };
    objects.insert(format!("{rendition}/{INIT_NAME}"), role);
}

/// The segment as MPEG-TS.
fn add_twin(objects: &mut BTreeMap<String, ObjectRole>, rendition: &str, number: u32, start: u64) {
    let role = ObjectRole::Transport { rendition: rendition.to_owned(), number, start };
    objects.insert(format!("{rendition}/{}", transport_name(number)), role);
}

fn add_segment(
    objects: &mut BTreeMap<String, ObjectRole>,
    rendition: &str,
    number: u32,
    start: u64,
    ticks: u64,
    samples: u32,
) {
    let role =
        ObjectRole::Segment { rendition: rendition.to_owned(), number, start, ticks, samples };
    objects.insert(format!("{rendition}/{}", segment_name(number)), role);
}

/// Fails unless `made` at `path` is what the plan wants there.
pub(crate) fn check_made(
    planned: &BTreeMap<String, ObjectRole>,
    path: &str,
    made: &ObjectRole,
) -> Result<(), Refusal> {
    let refuse = |code, message| Err(Refusal::new(code, message));
    let wanted = planned.get(path);
    match (wanted, made) {
        (Some(wanted), made) if wanted == made => Ok(()),
        (
            Some(ObjectRole::Segment { samples: wanted, .. }),
            ObjectRole::Segment { samples: made, .. },
        ) if wanted != made => refuse(
            Code::FrameCountMismatch,
            format!("`{path}` has {made} frames where the plan counts {wanted}"),
        ),
        (
            Some(ObjectRole::Segment { start, ticks, .. }),
            ObjectRole::Segment { start: made_start, ticks: made_ticks, .. },
        ) => refuse(
            Code::Internal,
            format!(
                "`{path}` lasts {made_ticks} ticks from tick {made_start} where the plan has {ticks} ticks from tick {start}"
            ),
        ),
        (Some(_), _) => {
            refuse(Code::Internal, format!("`{path}` is not what the plan has under this name"))
        }
        (None, _) => refuse(
            Code::Internal,
            format!("`{path}` was made, but this part of the plan has no such object"),
        ),
    }
}

/// Fails unless every planned object was made, once, and every rendition's codec is told.
pub(crate) fn check_complete(
    planned: &BTreeMap<String, ObjectRole>,
    objects: &[Object],
    codecs: &[(String, String)],
) -> Result<(), Refusal> {
    let mut missing: BTreeMap<&str, &ObjectRole> =
        planned.iter().map(|(path, role)| (path.as_str(), role)).collect();
    for object in objects {
        if missing.remove(object.path.as_str()).is_none() {
            let text = format!("`{}` was made twice", object.path);
            return Err(Refusal::new(Code::Internal, text));
        }
    }
    if let Some((path, _)) = missing.first_key_value() {
        let text = format!(
            "the transcoder ended without `{path}`: {} of {} objects were made",
            objects.len(),
            planned.len()
        );
        return Err(Refusal::new(Code::TranscoderFailed, text));
    }
    for role in planned.values() {
        if let ObjectRole::Init { rendition } = role
            && !codecs.iter().any(|(name, _)| name == rendition)
        {
            let text = format!("the transcoder did not tell the codec of `{rendition}`");
            return Err(Refusal::new(Code::TranscoderFailed, text));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
