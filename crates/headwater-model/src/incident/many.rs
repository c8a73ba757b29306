//! Findings that are too many to be an incident each: an origin that lost everything would otherwise fill the catalog with
//! a row for every object that there is (R7).

use std::collections::{BTreeMap, HashSet};

use crate::finding::{Finding, FindingKind};
use crate::key::PackageId;

/// Incidents of a package on one origin. More than these nobody looks at one by one, and 25,000 titles on an emptied
/// origin are then as many rows; with all objects of each they would be 450 million.
pub const MOST: usize = 100;

/// What a look's findings become in the catalog: an incident each or, of an origin with more than [`MOST`], one for all
/// that are not open yet. Healing goes by what it finds itself, so nothing depends on which they were.
pub fn told_together(
    package: &PackageId,
    findings: &[Finding],
    is_open: impl Fn(&Finding) -> bool,
) -> Vec<Finding> {
    let mut counts = BTreeMap::<&str, usize>::new();
    for finding in findings {
        *counts.entry(&finding.origin).or_default() += 1;
    }
    let mut told = Vec::new();
    let mut together = HashSet::new();
    for finding in findings {
        let count = counts.get(finding.origin.as_str()).copied().unwrap_or_default();
        if count <= MOST || is_open(finding) {
            told.push(finding.clone());
        } else if together.insert(&finding.origin) {
            let kind = FindingKind::Many {
                objects: count as u64,
                first: finding.object.clone(),
                like: Box::new(finding.kind.clone()),
            };
            let (origin, object) = (finding.origin.clone(), format!("{}*", package.prefix()));
            told.push(Finding { origin, object, kind });
        }
    }
    told
}

#[cfg(test)]
mod tests;
