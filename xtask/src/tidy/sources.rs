//! Rules about the text of source files.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// A file that is longer is not read by anybody: it holds two things that have names of their own.
const MAX_LINES: usize = 700;

/// Words that mean that work is not finished, or a rule is switched off. Put together here so that this file does not
/// find itself.
const UNFINISHED: [&str; 4] =
    [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("XX", "X"), concat!("HA", "CK")];

/// Crates whose every answer depends on their arguments alone, and what would give them another source.
const PURE: [&str; 3] = ["headwater-model", "headwater-spec", "headwater-packaging"];
const WORLD: [&str; 6] =
    ["std::fs", "std::net", "std::env", "SystemTime", "Instant::now", "std::process"];

/// Findings in all Rust files of the workspace.
pub(super) fn check(root: &Path) -> Result<Vec<String>> {
    let mut findings = Vec::new();
    for folder in ["crates", "xtask", "benches"] {
        for file in rust_files(&root.join(folder))? {
            let text =
                fs::read_to_string(&file).with_context(|| format!("read `{}`", file.display()))?;
            let shown = file.strip_prefix(root).unwrap_or(&file).display().to_string();
            findings.extend(findings_in(&shown, &text));
        }
    }
    Ok(findings)
}

/// All Rust files below a folder, in order.
fn rust_files(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in
            fs::read_dir(&folder).with_context(|| format!("list `{}`", folder.display()))?
        {
            let entry = entry.with_context(|| format!("list `{}`", folder.display()))?;
            let kind = entry
                .file_type()
                .with_context(|| format!("look at `{}`", entry.path().display()))?;
            if kind.is_dir() {
                folders.push(entry.path());
            } else if entry.path().extension().is_some_and(|it| it == "rs") {
                files.push(entry.path());
            }
        }
    }
    files.sort();
    Ok(files)
}

fn findings_in(file: &str, text: &str) -> Vec<String> {
    let mut findings = Vec::new();
    if !text.starts_with("//! ") {
        findings.push(format!(
            "{file}: start the file with `//!` and one sentence that says what it is for"
        ));
    }
    let lines = text.lines().count();
    if lines > MAX_LINES {
        findings.push(format!(
            "{file}: {lines} lines: move a part that has a name of its own to its own file"
        ));
    }
    let pure =
        PURE.iter().any(|name| file.contains(&format!("/{name}/"))) && !file.contains("tests");
    for (number, line) in (1..).zip(text.lines()) {
        let at = |what: &str| format!("{file}:{number}: {what}");
        if let Some(word) = UNFINISHED.iter().find(|word| has_word(line, word)) {
            findings.push(at(&format!(
                "`{word}`: do it now, or file an issue and say here what holds instead"
            )));
        }
        if line.contains("[allow(") && !allow_has_reason(text, number) {
            findings.push(at("say why the lint does not apply here: `reason = \"…\"`"));
        }
        let code = line.split("//").next().unwrap_or_default();
        if let Some(world) = WORLD.iter().find(|world| pure && code.contains(*world)) {
            findings.push(at(&format!("`{world}` in a pure crate: take it as an argument")));
        }
    }
    findings
}

/// Whether `word` stands alone in `line`.
fn has_word(line: &str, word: &str) -> bool {
    let letter = |c: char| c.is_alphanumeric() || c == '_';
    line.match_indices(word).any(|(at, _)| {
        !line[..at].ends_with(letter) && !line[at + word.len()..].starts_with(letter)
    })
}

/// Whether the attribute that starts on line `number`, counted from 1, gives a reason before it ends.
fn allow_has_reason(text: &str, number: usize) -> bool {
    let attribute =
        text.lines().skip(number - 1).map(|line| (line.contains("reason = "), line.contains(")]")));
    for (reason, end) in attribute {
        if reason || end {
            return reason;
        }
    }
    false
}

#[cfg(test)]
mod tests;
