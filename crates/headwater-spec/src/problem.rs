//! One thing that is wrong with a file: where, what, and what to do about it.

use std::fmt;
use std::ops::Range;

/// One thing that is wrong with a file. Its `Display` shows the offending line with the place underlined.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The file, as the caller named it.
    pub file: String,
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// What is wrong: lower case, no full stop.
    pub message: String,
    /// What to do about it, where there is something to say.
    pub hint: Option<String>,
    /// The text of the line.
    excerpt: String,
    /// How many characters of it are to blame, at least 1.
    width: usize,
}

impl Problem {
    /// A problem with the bytes `at` of `text`. A place beyond the end is taken for the end.
    pub(crate) fn new(
        file: &str,
        text: &str,
        at: Range<usize>,
        message: String,
        hint: Option<String>,
    ) -> Self {
        let start = floor(text, at.start);
        let line_start = text[..start].rfind('\n').map_or(0, |n| n + 1);
        let line_end = text[start..].find('\n').map_or(text.len(), |n| start + n);
        let end = floor(text, at.end).clamp(start, line_end);
        Self {
            file: file.to_owned(),
            line: text[..line_start].matches('\n').count() + 1,
            column: text[line_start..start].chars().count() + 1,
            message,
            hint,
            excerpt: text[line_start..line_end].trim_end().to_owned(),
            width: text[start..end].trim_end().chars().count().max(1),
        }
    }
}

/// The nearest place at or before byte `n` where a character starts.
fn floor(text: &str, n: usize) -> usize {
    let mut n = n.min(text.len());
    while !text.is_char_boundary(n) {
        n -= 1;
    }
    n
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { file, line, column, message, hint, excerpt, width } = self;
        writeln!(f, "{file}:{line}:{column}: {message}")?;
        let number = line.to_string();
        // A tab before the place must be a tab below it too, or the carets stand elsewhere.
        let indent: String = excerpt
            .chars()
            .chain(std::iter::repeat(' '))
            .take(column - 1)
            .map(|c| if c == '\t' { '\t' } else { ' ' })
            .collect();
        writeln!(f, "  {number} | {excerpt}")?;
        write!(f, "  {:1$} | {indent}{2}", "", number.len(), "^".repeat(*width))?;
        if let Some(hint) = hint {
            write!(f, "\nhint: {hint}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Problem {}
