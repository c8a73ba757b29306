//! What a source says about one setting, read by rules that are the same for file and environment, and turned down where
//! it was said.

use std::cell::RefCell;
use std::ops::RangeInclusive;

use headwater_spec::document::{Field, did_you_mean};

use super::Complaint;
use crate::env_vars::{SECRETS, SETTINGS, Setting};

/// What was found wrong so far outside of the file, which collects its own problems.
pub(super) type Complaints = RefCell<Vec<Complaint>>;

/// What a source says about a setting.
#[derive(Clone)]
pub(super) struct Value<'s> {
    setting: &'static Setting,
    /// Name of the origin that it is about, if it is about one.
    origin: Option<String>,
    raw: Raw<'s>,
}

#[derive(Clone)]
enum Raw<'s> {
    File(Field<'s>),
    Variable { value: &'s str, complaints: &'s Complaints },
}

impl<'s> Value<'s> {
    pub(super) fn in_file(
        setting: &'static Setting,
        origin: Option<&str>,
        field: Field<'s>,
    ) -> Self {
        Self { setting, origin: origin.map(str::to_owned), raw: Raw::File(field) }
    }

    pub(super) fn in_variable(
        setting: &'static Setting,
        origin: Option<String>,
        value: &'s str,
        complaints: &'s Complaints,
    ) -> Self {
        Self { setting, origin, raw: Raw::Variable { value, complaints } }
    }

    pub(super) fn setting(&self) -> &'static Setting {
        self.setting
    }

    pub(super) fn origin(&self) -> Option<&str> {
        self.origin.as_deref()
    }

    /// The full key, with the name of the origin.
    pub(super) fn key(&self) -> String {
        self.setting.key_of(self.origin())
    }

    /// Whether it stands in the file.
    pub(super) fn is_in_file(&self) -> bool {
        matches!(self.raw, Raw::File(_))
    }

    pub(super) fn text(&self) -> Option<&str> {
        match &self.raw {
            Raw::File(field) => field.text(),
            Raw::Variable { value, .. } => Some(value),
        }
    }

    /// A text that is not empty; `what` says what should be there.
    pub(super) fn filled(&self, what: &str) -> Option<&str> {
        let text = self.text()?;
        if text.trim().is_empty() {
            self.reject(format!("`{}` is empty instead of {what}", self.key()));
            return None;
        }
        Some(text)
    }

    /// The values of a list, each to be read and rejected by itself.
    pub(super) fn items(&self) -> Option<Vec<Value<'s>>> {
        let item = |raw| Value { raw, ..self.clone() };
        match &self.raw {
            Raw::File(field) => {
                Some(field.items()?.into_iter().map(|field| item(Raw::File(field))).collect())
            }
            Raw::Variable { value, complaints } => {
                let complaints: &'s Complaints = complaints;
                let values = value.split(',').map(str::trim);
                Some(values.map(|value| item(Raw::Variable { value, complaints })).collect())
            }
        }
    }

    pub(super) fn boolean(&self) -> Option<bool> {
        match &self.raw {
            Raw::File(field) => field.boolean(),
            Raw::Variable { value, .. } => {
                let parsed = value.parse().ok();
                if parsed.is_none() {
                    self.reject(format!("`{value}` is neither `true` nor `false`"));
                }
                parsed
            }
        }
    }

    pub(super) fn whole(&self, range: RangeInclusive<u32>) -> Option<u32> {
        match &self.raw {
            Raw::File(field) => field.whole(range, &self.hint()),
            Raw::Variable { value, .. } => match value.parse::<u32>() {
                Ok(n) if range.contains(&n) => Some(n),
                _ => {
                    let (low, high) = (range.start(), range.end());
                    self.reject(format!("`{value}` is not a whole number from {low} to {high}"));
                    None
                }
            },
        }
    }

    pub(super) fn number(&self, range: RangeInclusive<f64>) -> Option<f64> {
        match &self.raw {
            Raw::File(field) => field.number(range, &self.hint()),
            Raw::Variable { value, .. } => match value.parse::<f64>() {
                Ok(n) if range.contains(&n) => Some(n),
                _ => {
                    let (low, high) = (range.start(), range.end());
                    self.reject(format!("`{value}` is not a number from {low} to {high}"));
                    None
                }
            },
        }
    }

    /// One of the words of `known`, with what it means; `what` names them.
    pub(super) fn one_of<T: Copy>(&self, known: &[(&str, T)], what: &str) -> Option<T> {
        let text = self.text()?;
        let found = known.iter().find(|(word, _)| *word == text).map(|(_, meaning)| *meaning);
        if found.is_none() {
            let words: Vec<&str> = known.iter().map(|(word, _)| *word).collect();
            self.reject_with(format!("`{text}` is no {what}"), did_you_mean(text, &words));
        }
        found
    }

    pub(super) fn reject(&self, message: String) {
        self.reject_with(message, self.hint());
    }

    pub(super) fn reject_with(&self, message: String, hint: String) {
        match &self.raw {
            Raw::File(field) => field.reject(message, Some(hint)),
            Raw::Variable { complaints, .. } => self.complain(complaints, message, hint),
        }
    }

    /// Turns down that anything is said about the setting, whatever it is: it `means nothing to …`.
    pub(super) fn reject_setting(&self, why: &str, hint: String) {
        match &self.raw {
            Raw::File(field) => field.reject_key(format!("`{}` {why}", self.key()), Some(hint)),
            Raw::Variable { complaints, .. } => self.complain(complaints, why.to_owned(), hint),
        }
    }

    fn complain(&self, complaints: &Complaints, message: String, hint: String) {
        let name = self.setting.variable_of(self.origin());
        complaints.borrow_mut().push(Complaint::Variable { name, message, hint });
    }

    /// What the setting is and how it is written.
    fn hint(&self) -> String {
        let Setting { what, default, example, .. } = self.setting;
        let line = self.line(self.setting, example);
        let default = self.origin().map_or((*default).to_owned(), |o| default.replace("NAME", o));
        format!("for example `{line}` ({what}; when left out, {default})")
    }

    /// What the setting `name` of the same section is called in the source that this one is from.
    pub(super) fn neighbour(&self, name: &str) -> String {
        match (self.find(name), &self.raw) {
            (None, _) => name.to_owned(),
            (Some(setting), Raw::File(_)) => setting.key_of(self.origin()),
            (Some(setting), Raw::Variable { .. }) => setting.variable_of(self.origin()),
        }
    }

    /// How the setting `name` of the same section would be said in that source; its example when `value` is `None`.
    pub(super) fn saying(&self, name: &str, value: Option<&str>) -> String {
        let setting = self.find(name);
        setting.map_or(name.to_owned(), |s| self.line(s, value.unwrap_or(s.example)))
    }

    fn find(&self, name: &str) -> Option<&'static Setting> {
        let (section, _) = self.setting.section_and_name();
        SETTINGS.iter().chain(SECRETS).find(|s| s.section_and_name() == (section, name))
    }

    fn line(&self, setting: &Setting, value: &str) -> String {
        match self.raw {
            Raw::File(_) => setting.in_file(value),
            Raw::Variable { .. } => format!("{}={value}", setting.variable_of(self.origin())),
        }
    }
}
