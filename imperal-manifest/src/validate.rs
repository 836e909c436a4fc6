//! Validates a manifest and places each finding in a file.
//!
//! The entry points of this crate. They read files, run the rules of `check`, add lines, and sort. They read
//! no file outside the manifest's folder.

use std::path::Path;

use serde_json::Value;

use crate::check::{check_declared, check_file, check_kept_parts, reason, shortened};
use crate::files::{self, MANIFEST_BYTES, ManifestFile};
use crate::finding::{Finding, Level, UnplacedFinding};
use crate::json;
use crate::line_numbers::line_numbers;
use crate::model::FILE;

/// Checks a manifest file of any origin.
///
/// The file must be regular, have at most 4 MiB, and be JSON; otherwise the only finding is `M0`. The icon
/// must be in the same folder or below it.
///
/// Returns at most 200 findings per level, errors first. If there are more, the last finding (`M35`) counts
/// the omitted ones.
#[must_use]
pub fn validate_file(path: &Path) -> Vec<Finding> {
    let name = path.display().to_string();
    match files::read_limited(path, MANIFEST_BYTES) {
        Ok(bytes) => validate_bytes(&bytes, &name, path.parent()),
        Err(error) => {
            let message = format!("cannot read {name}: {error}");
            let fix = "name a manifest file, or run `build` first".to_owned();
            vec![place(unplaced("M0", Level::Error, message, fix), name, 0)]
        }
    }
}

/// Checks the text of a manifest, but not its icon. `name` is the file name in the findings.
#[must_use]
pub fn validate_text(text: &str, name: &str) -> Vec<Finding> {
    validate_bytes(text.as_bytes(), name, None)
}

/// Checks the manifest that an extension's code declares, and `file`, the `imperal.json` in `folder`.
///
/// `locate` returns the source file and line for a path in the manifest such as `tools.0.name`. `difference` says
/// how `imperal.json` differs from the output of a build; `None` means that it is up to date.
pub fn validate_declared(
    manifest: &Value,
    folder: &Path,
    file: &ManifestFile,
    locate: &dyn Fn(&str) -> (String, u32),
    difference: Option<&str>,
) -> Vec<Finding> {
    let mut findings: Vec<Finding> = check_declared(manifest, folder)
        .into_iter()
        .map(|finding| {
            let (file, line) = locate(&finding.path);
            place(finding, file, line)
        })
        .collect();
    validate_file_of_code(manifest, folder, file, locate, difference, &mut findings);
    sort(&mut findings);
    findings
}

/// Checks the `imperal.json` next to the code: its content, and whether it is missing (V8) or stale (M30).
fn validate_file_of_code(
    declared: &Value,
    folder: &Path,
    file: &ManifestFile,
    locate: &dyn Fn(&str) -> (String, u32),
    difference: Option<&str>,
    findings: &mut Vec<Finding>,
) {
    let name = file.path().display().to_string();
    let text = match file.content() {
        Ok(text) => text,
        Err(error) => {
            let message = if error.is_missing() {
                format!("{} has no {FILE}", folder.display())
            } else {
                format!("cannot read {name}: {error}")
            };
            let (file, line) = locate("");
            findings.push(place(unplaced("V8", Level::Warn, message, "run `build`".to_owned()), file, line));
            return;
        }
    };
    let known: Vec<(&str, String)> = findings.iter().map(|finding| (finding.rule, finding.path.clone())).collect();
    match &text.value {
        Err(error) => findings.push(not_json(error, &name)),
        Ok(value) => findings.extend(with_lines(check_kept_parts(value, declared, &known), &text.bytes, &name)),
    }
    if let Some(difference) = difference {
        let message = format!("{FILE} is out of date: {difference}");
        findings.push(place(unplaced("M30", Level::Warn, message, "run `build`".to_owned()), name, 1));
    }
}

fn validate_bytes(bytes: &[u8], name: &str, folder: Option<&Path>) -> Vec<Finding> {
    let manifest: Value = match json::read(bytes) {
        Ok(manifest) => manifest,
        Err(error) => return vec![not_json(&error, name)],
    };
    let mut findings = with_lines(check_file(&manifest, folder), bytes, name);
    sort(&mut findings);
    findings
}

/// Adds the line of each finding in a manifest's text.
fn with_lines(findings: Vec<UnplacedFinding>, bytes: &[u8], name: &str) -> Vec<Finding> {
    if findings.is_empty() {
        return Vec::new();
    }
    let paths: Vec<&str> = findings.iter().map(|finding| finding.path.as_str()).collect();
    let lines = line_numbers(std::str::from_utf8(bytes).unwrap_or_default(), &paths);
    findings.into_iter().zip(lines).map(|(finding, line)| place(finding, name.to_owned(), line)).collect()
}

fn not_json(error: &serde_json::Error, file: &str) -> Finding {
    let message = format!("{file} is not JSON: {error}");
    let finding = unplaced("M0", Level::Error, message, "correct the text at that line".to_owned());
    place(finding, file.to_owned(), u32::try_from(error.line()).unwrap_or(0))
}

fn unplaced(rule: &'static str, level: Level, message: String, fix: String) -> UnplacedFinding {
    UnplacedFinding { rule, level, path: String::new(), message, fix }
}

fn place(finding: UnplacedFinding, file: String, line: u32) -> Finding {
    let UnplacedFinding { rule, level, path, message, fix } = finding;
    Finding { rule, level, message, file, line, fix, why: reason(rule), path: shortened(path) }
}

/// Sorts by level, errors first, then by file and line. M35 comes last.
fn sort(findings: &mut [Finding]) {
    findings.sort_by(|a, b| {
        let key = |finding: &Finding| (finding.rule == "M35", finding.level);
        (key(a), &a.file, a.line).cmp(&(key(b), &b.file, b.line))
    });
}
