//! SubRip: a number, a line of times, lines of text, an empty line. There is no standard; this reads what players read.

use super::{Cue, Malformed, Subtitles, clock, escaped, lines};

/// The two times of a line, and what follows them.
pub(super) fn timing(line: &str) -> Option<(u64, u64, &str)> {
    let (start, rest) = line.split_once("-->")?;
    let rest = rest.trim_start();
    let (end, after) = rest.split_once([' ', '\t']).unwrap_or((rest, ""));
    Some((clock(start)?, clock(end)?, after))
}

pub(super) fn read(text: &str) -> Result<Subtitles, Malformed> {
    let all: Vec<&str> = text.lines().collect();
    let mut cues: Vec<Cue> = Vec::new();
    let mut n = 0;
    while n < all.len() {
        let line = all[n].trim();
        if line.is_empty() {
            n += 1;
            continue;
        }
        // The number may be missing.
        let is_number = line.bytes().all(|b| b.is_ascii_digit());
        let at = if is_number && !line.contains("-->") { n + 1 } else { n };
        let Some((start_ms, end_ms, _)) = all.get(at).and_then(|line| timing(line)) else {
            let what = match all.get(at) {
                Some(found) => format!("`{}` is no line of times", found.trim()),
                None => "the file ends after a number".to_owned(),
            };
            return Err(Malformed { line: at + 1, what });
        };
        // Text goes on over empty lines until the next number with times behind it.
        let begins = |n: usize| {
            let number = |line: &str| {
                let line = line.trim();
                !line.is_empty() && line.bytes().all(|b| b.is_ascii_digit())
            };
            let timed = |n: usize| all.get(n).is_some_and(|line| timing(line).is_some());
            all.get(n).is_some_and(|line| number(line)) && timed(n + 1) || timed(n)
        };
        let end = (at + 1..all.len()).find(|n| begins(*n)).unwrap_or(all.len());
        let (settings, text) = marked_up(&all[at + 1..end].join("\n"));
        cues.push(Cue { start_ms, end_ms, settings, text });
        n = end;
    }
    Ok(Subtitles { cues, blocks: vec![] })
}

/// Text with the tags that WebVTT has too; those of fonts and of SubStation Alpha go, but for `{\an8}`: on top.
fn marked_up(text: &str) -> (String, String) {
    const KEPT: [&str; 6] = ["<i>", "</i>", "<b>", "</b>", "<u>", "</u>"];
    let mut settings = String::new();
    let mut done = String::new();
    let mut rest = text;
    while let Some(at) = rest.find(['<', '{']) {
        done += &escaped(&rest[..at]);
        rest = &rest[at..];
        let close = if rest.starts_with('<') { '>' } else { '}' };
        let tag = rest.find(close).map(|end| &rest[..=end]).filter(|tag| !tag.contains('\n'));
        let lower = tag.map(str::to_ascii_lowercase);
        match (tag, lower.as_deref()) {
            (Some(tag), Some(lower)) if KEPT.contains(&lower) => {
                done += lower;
                rest = &rest[tag.len()..];
            }
            (Some(tag), Some(lower)) if lower.starts_with("<font") || lower == "</font>" => {
                rest = &rest[tag.len()..];
            }
            (Some(tag), Some(lower)) if lower.starts_with("{\\") => {
                if ["{\\an7}", "{\\an8}", "{\\an9}"].contains(&lower) {
                    settings = "line:0".to_owned();
                }
                rest = &rest[tag.len()..];
            }
            _ => {
                done += &escaped(&rest[..1]);
                rest = &rest[1..];
            }
        }
    }
    done += &escaped(rest);
    (settings, lines(&done))
}
