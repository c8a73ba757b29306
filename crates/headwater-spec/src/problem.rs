//! One thing that is wrong with a file: where, what, and what to do about it.

use std::fmt;
use std::ops::Range;

/// Words that tell of a secret when they stand in a key.
const SECRETS: [&str; 6] = ["secret", "token", "password", "access_key", "api_key", "credential"];

/// One thing that is wrong with a file. Its `Display` shows the offending line with the place underlined; of a line
/// with a secret only what stands before its value, since problems end up in logs and in tickets.
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
    /// The text of the line, without secrets.
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
            excerpt: quotable(text[line_start..line_end].trim_end()),
            width: text[start..end].trim_end().chars().count().max(1),
        }
    }
}

/// Whether a key of this name would hold a secret.
pub fn is_secret(key: &str) -> bool {
    telltale(key).is_some()
}

/// What may be shown of a line: all of it, or what comes before a secret, up to the end of its key, or before the user
/// and password in an address, or before what follows the question mark of one with percent signs there.
fn quotable(line: &str) -> String {
    let key = telltale(line).map(|start| end_of_key(line, start));
    let Some(end) = key.into_iter().chain(login(line)).chain(coded(line)).min() else {
        return line.to_owned();
    };
    let ellipsis = if end < line.len() { " …" } else { "" };
    format!("{}{ellipsis}", &line[..end])
}

/// A text of the same length in which all is blank that follows the first key of a secret, comments aside. For files that
/// do not parse: nobody knows where in them a secret ends.
pub(crate) fn blanked(text: &str) -> String {
    let mut line_start = 0;
    for line in text.split_inclusive('\n') {
        let comment = line.trim_start().starts_with('#');
        if let Some(start) = telltale(line).filter(|_| !comment) {
            let end = end_of_key(text, line_start + start);
            // As many bytes, so that all places stay where they are.
            let blank = |c: char| if c == '\n' { "\n".into() } else { " ".repeat(c.len_utf8()) };
            return format!(
                "{}{}",
                &text[..end],
                text[end..].chars().map(blank).collect::<String>()
            );
        }
        line_start += line.len();
    }
    text.to_owned()
}

/// Where the first word of a secret starts.
fn telltale(text: &str) -> Option<usize> {
    let lower = text.to_ascii_lowercase();
    SECRETS.iter().filter_map(|word| lower.find(word)).min()
}

/// Where a user's name or a password starts in an address.
fn login(text: &str) -> Option<usize> {
    let ends = |c: char| matches!(c, '/' | '?' | '#' | '\'' | '"') || c.is_whitespace();
    let mut addresses = text.match_indices("://").map(|(at, scheme)| at + scheme.len());
    addresses.find(|start| text[*start..].split(ends).next().is_some_and(|host| host.contains('@')))
}

/// Where an address goes on behind its question mark, when any of that is written with percent signs: it could be the key of
/// a secret.
fn coded(text: &str) -> Option<usize> {
    let ends = |c: char| matches!(c, '\'' | '"') || c.is_whitespace();
    let mut addresses = text.match_indices("://").map(|(at, scheme)| at + scheme.len());
    addresses.find_map(|start| {
        let address = text[start..].split(ends).next()?;
        let (before, query) = address.split_once('?')?;
        query.contains('%').then_some(start + before.len() + 1)
    })
}

/// Where the key ends in which byte `start` is.
fn end_of_key(text: &str, start: usize) -> usize {
    let in_key = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    text[start..].find(|c| !in_key(c)).map_or(text.len(), |n| start + n)
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
