//! Licences, sources and bans of all dependencies, by the same `deny.toml` that cargo-deny reads.
//!
//! cargo-deny takes minutes to build and the network to run; these three checks need neither, so they run with every
//! `cargo xtask test`. `cargo deny check advisories` stays what it is for: asking the world for news.

use std::iter::Peekable;

use anyhow::{Context, Result};
use serde::Deserialize;

use super::graph::Package;

/// The part of `deny.toml` that is checked here.
#[derive(Debug, Deserialize)]
pub(super) struct Policy {
    pub(super) graph: GraphPolicy,
    licenses: Licences,
    bans: Bans,
}

#[derive(Debug, Deserialize)]
pub(super) struct GraphPolicy {
    /// The targets that we ship for: what only others need does not count.
    pub(super) targets: Vec<String>,
}

#[derive(Debug, Deserialize)]
struct Licences {
    allow: Vec<String>,
}

#[derive(Debug, Deserialize)]
struct Bans {
    deny: Vec<Ban>,
}

#[derive(Debug, Deserialize)]
struct Ban {
    #[serde(rename = "crate")]
    name: String,
    reason: String,
}

impl Policy {
    pub(super) fn parse(deny_toml: &str) -> Result<Self> {
        toml::from_str(deny_toml).context("understand `deny.toml`")
    }

    /// What the packages have that the policy does not allow.
    pub(super) fn findings(&self, packages: &[Package]) -> Vec<String> {
        let mut findings = Vec::new();
        for Package { name, version, license, source, .. } in packages {
            let licence = license.as_deref().unwrap_or("none");
            if !self.allows(licence) {
                findings.push(format!(
                    "{name} {version} has licence `{licence}`: use another crate, or allow it in deny.toml with a reason"
                ));
            }
            if let Some(ban) = self.bans.deny.iter().find(|ban| ban.name == *name) {
                findings.push(format!("{name} {version} is banned in deny.toml: {}", ban.reason));
            }
            let official = |source: &String| {
                source.starts_with("registry+") && source.ends_with("/crates.io-index")
            };
            if let Some(source) = source.as_ref().filter(|source| !official(source)) {
                findings.push(format!(
                    "{name} {version} comes from `{source}`: depend on a release on crates.io"
                ));
            }
        }
        findings
    }

    /// Whether an SPDX expression can be satisfied with allowed licences only. An old `/` means `OR`.
    fn allows(&self, expression: &str) -> bool {
        let spaced = expression.replace('/', " OR ").replace('(', " ( ").replace(')', " ) ");
        let mut words = spaced.split_whitespace().peekable();
        let allowed = self.any(&mut words);
        allowed && words.next().is_none()
    }

    fn any<'a>(&self, words: &mut Peekable<impl Iterator<Item = &'a str>>) -> bool {
        let mut allowed = self.all(words);
        while words.next_if_eq(&"OR").is_some() {
            allowed |= self.all(words);
        }
        allowed
    }

    fn all<'a>(&self, words: &mut Peekable<impl Iterator<Item = &'a str>>) -> bool {
        let mut allowed = self.one(words);
        while words.next_if_eq(&"AND").is_some() {
            allowed &= self.one(words);
        }
        allowed
    }

    fn one<'a>(&self, words: &mut Peekable<impl Iterator<Item = &'a str>>) -> bool {
        match words.next() {
            Some("(") => {
                let allowed = self.any(words);
                words.next_if_eq(&")").is_some() && allowed
            }
            Some(id) if words.next_if_eq(&"WITH").is_some() => {
                let exception = words.next().unwrap_or_default();
                self.licenses.allow.iter().any(|it| *it == format!("{id} WITH {exception}"))
            }
            Some(id) => self.licenses.allow.iter().any(|it| it == id),
            None => false,
        }
    }
}

#[cfg(test)]
mod tests;
