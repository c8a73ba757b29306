//! Reads TOML strictly: every key is known, every value has its type, and whatever is wrong is collected with its
//! place instead of ending the reading.
//!
//! A file is read by asking for its values: [`Document::root`] gives a [`Section`], a section gives [`Field`]s, a field
//! gives its value or rejects it. Whoever gets `None` goes on with the next value: the reason has been written down.

use std::cell::RefCell;
use std::fmt;
use std::ops::{Range, RangeInclusive};

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::nearest::nearest;
use crate::problem::{Problem, blanked};

/// What to do about an unknown key, by its name, where that is something else than to write the nearest known one.
pub type Advice<'a> = &'a dyn Fn(&str) -> Option<String>;

/// A TOML file that parses, and what has been found wrong with its values so far.
#[derive(Debug)]
pub struct Document<'t> {
    name: &'t str,
    text: &'t str,
    table: Spanned<DeTable<'t>>,
    // Shared by all sections and fields, which only ever add to it.
    problems: RefCell<Vec<Problem>>,
}

impl<'t> Document<'t> {
    /// Parses `text`; `name` is what problems call the file. An error of syntax comes alone: what the parser says
    /// about later lines is often but its echo.
    pub fn parse(name: &'t str, text: &'t str) -> Result<Self, Vec<Problem>> {
        let (table, errors) = DeTable::parse_recoverable(text);
        let place = |e: &toml::de::Error| e.span().unwrap_or(0..0);
        match errors.iter().min_by_key(|e| place(e).start) {
            None => Ok(Self { name, text, table, problems: RefCell::default() }),
            Some(e) => {
                let message = format!("not TOML: {}", e.message());
                Err(vec![Problem::new(name, &blanked(text), place(e), message, None)])
            }
        }
    }

    /// The top of the file, where `keys` are known.
    pub fn root(&self, keys: &[&str]) -> Section<'_> {
        self.root_with(keys, &|_| None)
    }

    /// As [`Self::root`], with `advice` on unknown keys.
    pub fn root_with(&self, keys: &[&str], advice: Advice<'_>) -> Section<'_> {
        // Something that is missing from the top of the file belongs at its start.
        let root = Section::new(self, String::new(), 0..0, self.table.get_ref());
        root.knowing(keys, advice)
    }

    /// Whether nothing has been rejected so far.
    pub fn is_good(&self) -> bool {
        self.problems.borrow().is_empty()
    }

    /// Ends the reading: `value` when nothing was rejected, else all problems in the order of the file.
    pub fn finish<T>(self, value: Option<T>) -> Result<T, Vec<Problem>> {
        let mut problems = self.problems.into_inner();
        problems.sort_by_key(|p| (p.line, p.column));
        match value {
            Some(value) if problems.is_empty() => Ok(value),
            _ => Err(problems),
        }
    }

    fn reject(&self, at: Range<usize>, message: String, hint: Option<String>) {
        let problem = Problem::new(self.name, self.text, at, message, hint);
        self.problems.borrow_mut().push(problem);
    }
}

/// A table of a document.
#[derive(Debug, Clone)]
pub struct Section<'d> {
    document: &'d Document<'d>,
    /// Its full key, empty for the root.
    path: String,
    span: Range<usize>,
    table: &'d DeTable<'d>,
    /// Known keys that unknown ones are probably meant to be.
    misspelt: Vec<String>,
}

impl<'d> Section<'d> {
    fn new(
        document: &'d Document<'d>,
        path: String,
        span: Range<usize>,
        table: &'d DeTable<'d>,
    ) -> Self {
        Self { document, path, span, table, misspelt: Vec::new() }
    }

    /// Rejects all keys but `keys`.
    fn knowing(mut self, keys: &[&str], advice: Advice<'_>) -> Self {
        for field in self.fields().into_iter().filter(|f| !keys.contains(&f.name.as_str())) {
            let hint = advice(&field.name).unwrap_or_else(|| did_you_mean(&field.name, keys));
            field.reject_key(format!("unknown key `{}`", field.path), Some(hint));
            let meant = nearest(&field.name, keys.iter().copied());
            self.misspelt.extend(meant.map(str::to_owned));
        }
        self
    }

    /// The value of `key`, if the file has one.
    pub fn get(&self, key: &str) -> Option<Field<'d>> {
        let (key, value) = self.table.get_key_value(key)?;
        Some(Field {
            document: self.document,
            name: key.get_ref().to_string(),
            path: self.path_of(key.get_ref()),
            key: key.span(),
            value,
        })
    }

    /// The value of `key`; its absence is a problem, for which `hint` gives a line to add. A misspelt key is one
    /// problem, not two.
    pub fn need(&self, key: &str, hint: &str) -> Option<Field<'d>> {
        let field = self.get(key);
        if field.is_none() && !self.misspelt.iter().any(|m| m == key) {
            let message = format!("`{}` is missing", self.path_of(key));
            self.document.reject(self.span.clone(), message, Some(hint.to_owned()));
        }
        field
    }

    /// All values, in no particular order.
    pub fn fields(&self) -> Vec<Field<'d>> {
        self.table.keys().filter_map(|key| self.get(key.get_ref())).collect()
    }

    fn path_of(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) }
    }
}

/// A value of a document, with the key it stands under.
#[derive(Debug, Clone)]
pub struct Field<'d> {
    document: &'d Document<'d>,
    name: String,
    path: String,
    key: Range<usize>,
    value: &'d Spanned<DeValue<'d>>,
}

impl fmt::Display for Field<'_> {
    /// As the file has it: `gop_seconds = 2`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} = {}", self.name, &self.document.text[self.value.span()])
    }
}

impl<'d> Field<'d> {
    /// The key, without its section.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Notes a problem with the value.
    pub fn reject(&self, message: String, hint: Option<String>) {
        self.document.reject(self.value.span(), message, hint);
    }

    /// Notes that the key has no business here.
    pub fn reject_key(&self, message: String, hint: Option<String>) {
        self.document.reject(self.key.clone(), message, hint);
    }

    /// A string.
    pub fn text(&self) -> Option<&'d str> {
        match self.value.get_ref() {
            DeValue::String(text) => Some(text.as_ref()),
            _ => self.reject_type("a string in quotes"),
        }
    }

    /// `true` or `false`.
    pub fn boolean(&self) -> Option<bool> {
        match self.value.get_ref() {
            DeValue::Boolean(yes) => Some(*yes),
            _ => self.reject_type("true or false"),
        }
    }

    /// One of the words of `known`; `what` names them: `x264 preset`.
    pub fn one_of(&self, known: &[&str], what: &str) -> Option<&'d str> {
        let text = self.text()?;
        if known.contains(&text) {
            return Some(text);
        }
        self.reject(format!("`{text}` is no {what}"), Some(did_you_mean(text, known)));
        None
    }

    /// A whole number within `range`; `hint` tells where the limits come from.
    pub fn whole(&self, range: RangeInclusive<u32>, hint: &str) -> Option<u32> {
        let DeValue::Integer(digits) = self.value.get_ref() else {
            return self.reject_type("a whole number");
        };
        let value = i64::from_str_radix(digits.as_str(), digits.radix());
        match value.ok().and_then(|n| u32::try_from(n).ok()).filter(|n| range.contains(n)) {
            Some(n) => Some(n),
            None => self.reject_range(range.start(), range.end(), hint),
        }
    }

    /// A number within `range`, with or without decimals; `hint` tells where the limits come from.
    pub fn number(&self, range: RangeInclusive<f64>, hint: &str) -> Option<f64> {
        let value = match self.value.get_ref() {
            DeValue::Integer(n) => {
                i64::from_str_radix(n.as_str(), n.radix()).ok().map(|n| n as f64)
            }
            DeValue::Float(n) => n.as_str().parse().ok(),
            _ => return self.reject_type("a number"),
        };
        // NaN lies in no range.
        match value.filter(|n| range.contains(n)) {
            Some(n) => Some(n),
            None => self.reject_range(range.start(), range.end(), hint),
        }
    }

    /// Seconds within `range`, as whole milliseconds.
    pub fn seconds_as_ms(&self, range: RangeInclusive<f64>, hint: &str) -> Option<u32> {
        let ms = self.number(range, hint)? * 1000.0;
        if (ms - ms.round()).abs() > 1e-6 {
            let hint = format!("the nearest is {}", ms.round() / 1000.0);
            self.reject(format!("{self} is finer than a millisecond"), Some(hint));
            return None;
        }
        Some(ms.round() as u32)
    }

    /// The items of an array.
    pub fn items(&self) -> Option<Vec<Field<'d>>> {
        let DeValue::Array(items) = self.value.get_ref() else {
            return self.reject_type("an array");
        };
        let item = |value| Field { value, ..self.clone() };
        Some(items.iter().map(item).collect())
    }

    /// Whether the value is a table.
    pub fn is_table(&self) -> bool {
        matches!(self.value.get_ref(), DeValue::Table(_))
    }

    /// A table in which `keys` are known.
    pub fn section(&self, keys: &[&str]) -> Option<Section<'d>> {
        self.section_with(keys, &|_| None)
    }

    /// As [`Self::section`], with `advice` on unknown keys.
    pub fn section_with(&self, keys: &[&str], advice: Advice<'_>) -> Option<Section<'d>> {
        Some(self.table()?.knowing(keys, advice))
    }

    /// The values of a table whose keys are names that the file is free to choose.
    pub fn entries(&self) -> Option<Vec<Field<'d>>> {
        Some(self.table()?.fields())
    }

    fn table(&self) -> Option<Section<'d>> {
        let DeValue::Table(table) = self.value.get_ref() else {
            return self.reject_type("a table");
        };
        Some(Section::new(self.document, self.path.clone(), self.value.span(), table))
    }

    fn reject_range<T>(
        &self,
        low: &dyn fmt::Display,
        high: &dyn fmt::Display,
        hint: &str,
    ) -> Option<T> {
        self.reject(format!("{self} is outside {low} to {high}"), Some(hint.to_owned()));
        None
    }

    fn reject_type<T>(&self, expected: &str) -> Option<T> {
        let found = match self.value.get_ref() {
            DeValue::String(_) => "a string",
            DeValue::Integer(_) => "a whole number",
            DeValue::Float(_) => "a number with decimals",
            DeValue::Boolean(_) => "a boolean",
            DeValue::Datetime(_) => "a date or time",
            DeValue::Array(_) => "an array",
            DeValue::Table(_) => "a table",
        };
        let bare = |s: &str| s.parse::<f64>().is_ok() || s.parse::<bool>().is_ok();
        let quoted = matches!(self.value.get_ref(), DeValue::String(s) if bare(s));
        let hint = quoted.then(|| "take the quotes away".to_owned());
        self.reject(format!("`{}` must be {expected}, not {found}", self.path), hint);
        None
    }
}

/// Advice for a word that is not among `known`: the nearest one, or all when none is near.
pub fn did_you_mean(word: &str, known: &[&str]) -> String {
    match nearest(word, known.iter().copied()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => {
            let all: Vec<String> = known.iter().map(|k| format!("`{k}`")).collect();
            format!("known: {}", all.join(", "))
        }
    }
}

#[cfg(test)]
mod tests;
