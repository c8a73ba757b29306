//! Migrations of a database that builds of different ages share: they only add (`migrations/README.md`).

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

/// What takes something away from a build that does not know of the migration, or asks something new of it.
const TAKES: [&str; 5] = ["drop ", "rename ", "alter column", "truncate ", "delete from"];

/// What only tells the server how to keep what is there.
const KEEPS: &str = "set compression";

/// Findings about all PostgreSQL migrations but the first, which finds nothing to take away from.
pub(super) fn check(root: &Path) -> Result<Vec<String>> {
    let folder = root.join("migrations/postgres");
    let entries = fs::read_dir(&folder).with_context(|| format!("read `{}`", folder.display()))?;
    let mut files: Vec<_> = entries.flatten().map(|entry| entry.path()).collect();
    files.sort();
    let mut findings = Vec::new();
    for file in files.iter().skip(1) {
        let text =
            fs::read_to_string(file).with_context(|| format!("read `{}`", file.display()))?;
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        findings.extend(of_file(&name, &text));
    }
    Ok(findings)
}

/// Findings about one migration.
pub(super) fn of_file(name: &str, text: &str) -> Vec<String> {
    let code: String = text
        .lines()
        .map(|line| line.split("--").next().unwrap_or_default())
        .collect::<Vec<_>>()
        .join("\n")
        .to_lowercase();
    // One that says that older builds cannot go on may do what it wants: they are refused from then on.
    if code.contains("update schema_form set needs") {
        return Vec::new();
    }
    let mut findings = Vec::new();
    for statement in code.split(';') {
        let words = statement.split_whitespace().collect::<Vec<_>>().join(" ");
        let takes = TAKES.iter().find(|what| words.contains(**what) && !words.contains(KEEPS));
        let demands = words.contains("add column")
            && words.contains("not null")
            && !words.contains(" default ");
        let what = match (takes, demands) {
            (Some(what), _) => format!("has `{}`", what.trim()),
            (None, true) => "adds a column that may not be null and has no default".to_owned(),
            (None, false) => continue,
        };
        findings.push(format!(
            "migrations/postgres/{name} {what}, which builds that are a roll behind cannot live with: only add, or raise `schema_form.needs`"
        ));
    }
    findings
}

#[cfg(test)]
mod tests;
