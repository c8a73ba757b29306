//! Subtitles: read from what suppliers send, written as WebVTT, whole or in the segments of the picture.

use std::fmt::Write as _;

use thiserror::Error;

mod pango;
mod srt;
mod ttml;
mod vtt;

/// One text and when it is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cue {
    /// When it appears, in milliseconds from the start.
    pub start_ms: u64,
    /// When it disappears, likewise.
    pub end_ms: u64,
    /// WebVTT's cue settings, `line:0 align:start`; mostly none.
    pub settings: String,
    /// Its lines, as WebVTT writes them: with `<i>` and `&amp;`, and no empty line.
    pub text: String,
}

/// Subtitles of one language.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Subtitles {
    /// In the order in which they appear.
    pub cues: Vec<Cue>,
    /// STYLE and REGION blocks of WebVTT, each without the empty line after it.
    pub blocks: Vec<String>,
}

/// How subtitles are written down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// SubRip.
    Srt,
    /// WebVTT (W3C).
    WebVtt,
    /// TTML (W3C), of any profile that has text: IMSC, EBU-TT-D, DFXP.
    Ttml,
}

/// Why a file has no subtitles that can be read.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("line {line}: {what}")]
pub struct Malformed {
    /// Counted from 1.
    pub line: usize,
    /// What is wrong there.
    pub what: String,
}

impl Format {
    /// By what a file begins with; `None` where it is none of them.
    pub fn of(text: &str) -> Option<Self> {
        let text = text.trim_start_matches('\u{feff}').trim_start();
        let first = text.lines().next().unwrap_or_default();
        let is_time = |line: &str| srt::timing(line).is_some();
        match first {
            _ if first == "WEBVTT"
                || first.starts_with("WEBVTT ")
                || first.starts_with("WEBVTT\t") =>
            {
                Some(Format::WebVtt)
            }
            _ if first.starts_with('<') => text
                .contains("<tt")
                .then_some(Format::Ttml)
                .or_else(|| text.contains(":tt").then_some(Format::Ttml)),
            _ if is_time(first) || text.lines().nth(1).is_some_and(is_time) => Some(Format::Srt),
            _ => None,
        }
    }
}

impl Cue {
    /// A text without markup.
    pub fn plain(start_ms: u64, end_ms: u64, text: &str) -> Self {
        Self { start_ms, end_ms, settings: String::new(), text: lines(&escaped(text)) }
    }

    /// A text with Pango's markup.
    pub fn of_pango(start_ms: u64, end_ms: u64, markup: &str) -> Self {
        Self { start_ms, end_ms, settings: String::new(), text: pango::text(markup) }
    }
}

impl Subtitles {
    /// Of these cues, in whatever order.
    pub fn of(mut cues: Vec<Cue>) -> Self {
        cues.retain(|cue| cue.end_ms > cue.start_ms && !cue.text.is_empty());
        cues.sort_by_key(|cue| (cue.start_ms, cue.end_ms));
        Self { cues, blocks: vec![] }
    }

    /// Reads a file.
    ///
    /// # Errors
    /// At the first thing that makes no sense: half of a dialogue is worse than a refusal.
    pub fn read(format: Format, text: &str) -> Result<Self, Malformed> {
        let text = text.trim_start_matches('\u{feff}').replace("\r\n", "\n").replace('\r', "\n");
        let read = match format {
            Format::Srt => srt::read(&text)?,
            Format::WebVtt => vtt::read(&text)?,
            Format::Ttml => ttml::read(&text)?,
        };
        let Subtitles { cues, blocks } = read;
        Ok(Self { blocks, ..Self::of(cues) })
    }

    /// The same, so much earlier (or later, where negative): what ends before the start is left out.
    pub fn earlier(mut self, ms: i64) -> Self {
        let moved =
            |at: u64| u64::try_from(i64::try_from(at).unwrap_or(i64::MAX) - ms).unwrap_or(0);
        for cue in &mut self.cues {
            (cue.start_ms, cue.end_ms) = (moved(cue.start_ms), moved(cue.end_ms));
        }
        self.cues.retain(|cue| cue.end_ms > cue.start_ms);
        self
    }

    /// Without what comes after the end, `end_ms`.
    pub fn until(mut self, end_ms: u64) -> Self {
        self.cues.retain(|cue| cue.start_ms < end_ms);
        for cue in &mut self.cues {
            cue.end_ms = cue.end_ms.min(end_ms);
        }
        self
    }

    /// All of them as one WebVTT file.
    pub fn whole(&self) -> String {
        self.write("", self.cues.iter())
    }

    /// A segment of a playlist (RFC 8216, 3.5): all that is shown in it, with the times of the whole. `zero` is when the
    /// presentation starts, in ticks of 90 kHz: 0, or what [`crate::ts`] begins with.
    pub fn segment(&self, start_ms: u64, end_ms: u64, zero: u64) -> String {
        let shown = |cue: &&Cue| cue.start_ms < end_ms && cue.end_ms > start_ms;
        let map = format!("X-TIMESTAMP-MAP=MPEGTS:{zero},LOCAL:00:00:00.000\n");
        self.write(&map, self.cues.iter().filter(shown))
    }

    fn write<'a>(&self, header: &str, cues: impl Iterator<Item = &'a Cue>) -> String {
        let mut file = format!("WEBVTT\n{header}");
        for block in &self.blocks {
            let _ = write!(file, "\n{block}\n");
        }
        for cue in cues {
            let (start, end) = (Clock(cue.start_ms), Clock(cue.end_ms));
            let settings = match cue.settings.as_str() {
                "" => String::new(),
                settings => format!(" {settings}"),
            };
            let _ = write!(file, "\n{start} --> {end}{settings}\n{}\n", cue.text);
        }
        file
    }
}

/// Milliseconds as WebVTT writes them.
struct Clock(u64);

impl std::fmt::Display for Clock {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (ms, s) = (self.0 % 1000, self.0 / 1000);
        write!(f, "{:02}:{:02}:{:02}.{ms:03}", s / 3600, s / 60 % 60, s % 60)
    }
}

/// `01:02:03.004`, also with a comma, without hours or with fewer decimals, in milliseconds.
fn clock(text: &str) -> Option<u64> {
    let text = text.trim();
    let (whole, part) = text.split_once(['.', ',']).unwrap_or((text, "0"));
    let digits = |t: &str| !t.is_empty() && t.bytes().all(|b| b.is_ascii_digit());
    if part.len() > 9 || !digits(part) {
        return None;
    }
    let fields: Vec<u64> =
        whole.split(':').map(|f| f.parse().ok().filter(|_| digits(f))).collect::<Option<_>>()?;
    let seconds = match fields[..] {
        [m, s] if s < 60 => m.checked_mul(60)? + s,
        [h, m, s] if m < 60 && s < 60 => h.checked_mul(3600)?.checked_add(m * 60 + s)?,
        _ => return None,
    };
    let part = format!("{part:0<3}").get(..3)?.parse::<u64>().ok()?;
    seconds.checked_mul(1000)?.checked_add(part)
}

/// Text that is no markup, as WebVTT writes it.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// Lines without those that are empty, which would end a cue.
fn lines(text: &str) -> String {
    let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    lines.join("\n")
}

#[cfg(test)]
mod tests;
