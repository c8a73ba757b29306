//! WebVTT (W3C): blocks with an empty line between them. Texts are kept as they are.

use super::{Cue, Malformed, Subtitles, lines, srt};

pub(super) fn read(text: &str) -> Result<Subtitles, Malformed> {
    let mut read = Subtitles::default();
    let mut block: Vec<&str> = Vec::new();
    // An empty line more closes the last block.
    for (n, line) in (1..).zip(text.lines().skip(1).chain([""])) {
        if !line.trim().is_empty() {
            block.push(line);
            continue;
        }
        take(&block, n + 1 - block.len(), &mut read)?;
        block.clear();
    }
    Ok(read)
}

/// A block that begins at `line`.
fn take(block: &[&str], line: usize, read: &mut Subtitles) -> Result<(), Malformed> {
    let Some(first) = block.first() else { return Ok(()) };
    let begins = |word: &str| first.trim_end() == word || first.starts_with(&format!("{word} "));
    // What stands behind `WEBVTT` before the first empty line, as the map of times of a segment.
    let is_header = line == 2 && block.iter().all(|line| srt::timing(line).is_none());
    if begins("NOTE") || (is_header && !begins("STYLE") && !begins("REGION")) {
        return Ok(());
    }
    if begins("STYLE") || begins("REGION") {
        read.blocks.push(block.join("\n"));
        return Ok(());
    }
    let times = usize::from(!first.contains("-->"));
    let Some((start_ms, end_ms, settings)) = block.get(times).and_then(|l| srt::timing(l)) else {
        let what = format!("a cue that begins with `{}` has no times", first.trim());
        return Err(Malformed { line, what });
    };
    let text = lines(&block[times + 1..].join("\n"));
    let settings = settings.split_whitespace().collect::<Vec<_>>().join(" ");
    read.cues.push(Cue { start_ms, end_ms, settings, text });
    Ok(())
}
