//! TTML (W3C): paragraphs with times, whatever the profile. What is kept of styles is italics, and whether a text stands on
//! top: the rest is how one player drew it.

use std::collections::{BTreeMap, BTreeSet};

use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};

use super::{Cue, Malformed, Subtitles, escaped, lines};

/// How an attribute of time counts.
#[derive(Debug, Clone, Copy)]
struct Rates {
    /// Frames a second.
    frames: f64,
    ticks: f64,
}

#[derive(Debug, Default)]
struct Styles {
    italic: BTreeSet<String>,
    on_top: BTreeSet<String>,
}

/// What holds for everything in an element.
#[derive(Debug, Clone, Default)]
struct Scope {
    start_ms: u64,
    end_ms: Option<u64>,
    italic: bool,
    on_top: bool,
    paragraph: bool,
}

pub(super) fn read(text: &str) -> Result<Subtitles, Malformed> {
    let mut reader = Reader::from_str(text);
    let mut rates = Rates { frames: 30.0, ticks: 1.0 };
    let mut styles = Styles::default();
    let mut scopes = vec![Scope::default()];
    let mut region = String::new();
    let mut cues: Vec<Cue> = Vec::new();
    let mut written = String::new();
    loop {
        let at = usize::try_from(reader.buffer_position()).unwrap_or(0);
        let line = 1 + text.get(..at).map_or(0, |before| before.matches('\n').count());
        let malformed = |what: String| Malformed { line, what };
        match reader.read_event().map_err(|error| malformed(error.to_string()))? {
            Event::Start(element) => {
                let (name, attributes) = parts(&element);
                match name.as_str() {
                    "tt" => rates = rates_of(&attributes),
                    "style" => note_style(&attributes, &region, &mut styles),
                    "region" => {
                        region = attributes.get("id").cloned().unwrap_or_default();
                        note_region(&attributes, &region, &mut styles);
                    }
                    _ => {}
                }
                let above = scopes.last().cloned().unwrap_or_default();
                let scope =
                    inside(&name, &attributes, &above, rates, &styles).map_err(malformed)?;
                if scope.italic && !above.italic && scope.paragraph {
                    written += "<i>";
                }
                scopes.push(scope);
            }
            Event::Empty(element) => {
                let (name, attributes) = parts(&element);
                match name.as_str() {
                    "br" => written.push('\n'),
                    "style" => note_style(&attributes, &region, &mut styles),
                    "region" => {
                        let own = attributes.get("id").cloned().unwrap_or_default();
                        note_region(&attributes, &own, &mut styles);
                    }
                    _ => {}
                }
            }
            Event::End(element) => {
                let scope = scopes.pop().unwrap_or_default();
                let above = scopes.last().cloned().unwrap_or_default();
                if scope.italic && !above.italic && scope.paragraph {
                    written += "</i>";
                }
                match element.local_name().as_ref() {
                    "region" => region.clear(),
                    "p" => {
                        let text = lines(&std::mem::take(&mut written));
                        let end = scope.end_ms.unwrap_or(u64::MAX);
                        if end == u64::MAX && !text.is_empty() {
                            return Err(malformed(
                                "a paragraph does not say when it ends".to_owned(),
                            ));
                        }
                        let settings =
                            if scope.on_top { "line:0".to_owned() } else { String::new() };
                        cues.push(Cue { start_ms: scope.start_ms, end_ms: end, settings, text });
                    }
                    _ => {}
                }
            }
            Event::Text(found) if scopes.last().is_some_and(|s| s.paragraph) => {
                let found = found.xml10_content();
                // Line ends of the file are no line ends of the text.
                let words: Vec<&str> = found.split_whitespace().collect();
                let edge = |c: Option<char>| c.is_some_and(char::is_whitespace);
                if edge(found.chars().next()) && !written.ends_with(['\n', ' ']) {
                    written.push(' ');
                }
                written += &escaped(&words.join(" "));
                if !words.is_empty() && edge(found.chars().last()) {
                    written.push(' ');
                }
            }
            Event::GeneralRef(found) if scopes.last().is_some_and(|s| s.paragraph) => {
                let name = found.xml10_content();
                let known = match (found.resolve_char_ref(), name.as_ref()) {
                    (Ok(Some(c)), _) => c.to_string(),
                    (_, "amp") => "&".to_owned(),
                    (_, "lt") => "<".to_owned(),
                    (_, "gt") => ">".to_owned(),
                    (_, "quot") => "\"".to_owned(),
                    (_, "apos") => "'".to_owned(),
                    (_, other) => return Err(malformed(format!("`&{other};` is not known"))),
                };
                written += &escaped(&known);
            }
            Event::Eof => return Ok(Subtitles { cues, blocks: vec![] }),
            _ => {}
        }
    }
}

/// An element's name and attributes without their prefixes.
fn parts(element: &BytesStart<'_>) -> (String, BTreeMap<String, String>) {
    let attributes = element
        .attributes()
        .flatten()
        .map(|a| (a.key.local_name().as_ref().to_owned(), a.value.into_owned()));
    (element.local_name().as_ref().to_owned(), attributes.collect())
}

fn rates_of(tt: &BTreeMap<String, String>) -> Rates {
    let number = |key: &str| tt.get(key).and_then(|v| v.parse::<f64>().ok()).filter(|v| *v > 0.0);
    let frames = number("frameRate");
    let multiplier = tt
        .get("frameRateMultiplier")
        .and_then(|v| v.split_once(' '))
        .and_then(|(num, den)| Some(num.parse::<f64>().ok()? / den.parse::<f64>().ok()?))
        .filter(|m| *m > 0.0 && m.is_finite());
    let frames_each = frames.unwrap_or(30.0) * multiplier.unwrap_or(1.0);
    // Without a rate of its own a tick is a frame, where frames are spoken of, or else a second.
    let ticks = number("tickRate").unwrap_or(if frames.is_some() { frames_each } else { 1.0 });
    Rates { frames: frames_each, ticks }
}

fn note_style(attributes: &BTreeMap<String, String>, region: &str, styles: &mut Styles) {
    if region.is_empty() {
        if let (Some(id), true) = (attributes.get("id"), is_italic(attributes)) {
            styles.italic.insert(id.clone());
        }
    } else {
        note_region(attributes, region, styles);
    }
}

fn note_region(attributes: &BTreeMap<String, String>, region: &str, styles: &mut Styles) {
    if attributes.get("displayAlign").is_some_and(|align| align == "before") {
        styles.on_top.insert(region.to_owned());
    }
}

fn is_italic(attributes: &BTreeMap<String, String>) -> bool {
    attributes.get("fontStyle").is_some_and(|style| style == "italic" || style == "oblique")
}

/// What holds in an element: its times count from those of what it is in.
fn inside(
    name: &str,
    attributes: &BTreeMap<String, String>,
    above: &Scope,
    rates: Rates,
    styles: &Styles,
) -> Result<Scope, String> {
    let time = |key: &str| attributes.get(key).map(|value| ms(value, rates)).transpose();
    let begin = time("begin")?.unwrap_or(0);
    let start_ms = above.start_ms.saturating_add(begin);
    let end = time("end")?.map(|end| above.start_ms.saturating_add(end));
    let lasts = time("dur")?.map(|lasts| start_ms.saturating_add(lasts));
    let own_end = [end, lasts].into_iter().flatten().min();
    let named = |set: &BTreeSet<String>, key: &str| {
        attributes.get(key).is_some_and(|ids| ids.split_whitespace().any(|id| set.contains(id)))
    };
    Ok(Scope {
        start_ms,
        end_ms: [own_end, above.end_ms].into_iter().flatten().min(),
        italic: above.italic || is_italic(attributes) || named(&styles.italic, "style"),
        on_top: above.on_top || named(&styles.on_top, "region"),
        paragraph: above.paragraph || name == "p",
    })
}

/// A time expression (TTML 2, 12.3.1) in milliseconds.
fn ms(value: &str, rates: Rates) -> Result<u64, String> {
    let wrong = || format!("`{value}` is no time");
    let seconds = match value.split(':').collect::<Vec<_>>()[..] {
        [h, m, s] => clock(h, m, s),
        [h, m, s, f] => {
            let frames: Option<f64> = f.parse().ok();
            clock(h, m, s).zip(frames).map(|(whole, frames)| whole + frames / rates.frames)
        }
        [offset] => {
            let unit = offset.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.');
            let number: Option<f64> = offset[..offset.len() - unit.len()].parse().ok();
            let each = match unit {
                "h" => Some(3600.0),
                "m" => Some(60.0),
                "s" => Some(1.0),
                "ms" => Some(0.001),
                "f" => Some(1.0 / rates.frames),
                "t" => Some(1.0 / rates.ticks),
                _ => None,
            };
            number.zip(each).map(|(number, each)| number * each)
        }
        _ => None,
    };
    let seconds = seconds.filter(|s| s.is_finite() && (0.0..1e9).contains(s)).ok_or_else(wrong)?;
    Ok((seconds * 1000.0).round() as u64)
}

fn clock(hours: &str, minutes: &str, seconds: &str) -> Option<f64> {
    let number = |text: &str| text.parse::<f64>().ok().filter(|n| *n >= 0.0);
    Some(number(hours)? * 3600.0 + number(minutes)? * 60.0 + number(seconds)?)
}
