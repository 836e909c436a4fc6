//! Runs the rules on a manifest.
//!
//! `manifest_rules`, `panel_rules` and `schemas` have the rules on a manifest (M), `extension_rules` those
//! on an extension (V). Exceptions: V25 is in `manifest_rules`, M32 in `extension_rules`; V21, M28 and M34
//! are in `icon`, M33 is here, M35 in `collector`; M0, V8 and M30 are in `validate`, one level up.
//!
//! A finding has a path in the manifest here; `validate` adds file and line. Input may be hostile: no rule
//! panics or hangs, and the work is linear in the size of the file.

mod collector;
mod environment;
mod extension_rules;
mod icon;
mod json_schema;
mod lookup;
mod manifest_rules;
mod panel_rules;
mod reasons;
mod regex_syntax;
mod schemas;

use std::collections::HashSet;
use std::path::Path;

use serde_json::{Map, Value};

pub(crate) use self::collector::shortened;
use self::collector::{Collector, Language};
use self::environment::{Environment, Origin};
pub(crate) use self::reasons::reason;
use crate::finding::UnplacedFinding;

/// Whether a rule has this code.
///
/// ```
/// assert!(imperal_manifest::is_rule("V14"));
/// assert!(!imperal_manifest::is_rule("V99"));
/// ```
#[must_use]
pub fn is_rule(code: &str) -> bool {
    !reason(code).is_empty()
}

/// Checks a manifest that an extension's code declares.
pub(crate) fn check_declared(manifest: &Value, folder: &Path) -> Vec<UnplacedFinding> {
    check_manifest(manifest, Origin::Code, Language::Rust, Some(folder))
}

/// Checks the manifest in a file. The icon is only checked if the folder is known.
pub(crate) fn check_file(manifest: &Value, folder: Option<&Path>) -> Vec<UnplacedFinding> {
    check_manifest(manifest, Origin::File, Language::of_folder(folder), folder)
}

fn check_manifest(manifest: &Value, origin: Origin, language: Language, folder: Option<&Path>) -> Vec<UnplacedFinding> {
    let mut findings = Collector::new(language);
    manifest_rules::check_fields(manifest, &mut findings);
    let Some(fields) = manifest.as_object() else { return findings.finish() };
    if origin == Origin::Code {
        for finding in findings.kept_mut() {
            finding.rule = extension_rules::code_for_extension(finding.rule, &finding.path, fields);
        }
    }
    manifest_rules::check_reference_rules(fields, &mut findings);
    extension_rules::check_extension_rules(fields, origin, &Environment::read(), &mut findings);
    icon::check_icon(fields, folder, &mut findings);
    manifest_rules::check_own_rules(fields, &mut findings);
    findings.finish()
}

/// Checks the manifest file of an extension whose code declares `declared`.
///
/// The rules of our own skip the tools that the code declares, because a build rewrites them. `known` has
/// rule and path of each finding in the code. Findings in the file with the same rule and path are dropped.
pub(crate) fn check_kept_parts(file: &Value, declared: &Value, known: &[(&str, String)]) -> Vec<UnplacedFinding> {
    let mut findings = Collector::new(Language::Rust);
    manifest_rules::check_fields(file, &mut findings);
    if let Some(manifest) = file.as_object() {
        manifest_rules::check_reference_rules(manifest, &mut findings);
        manifest_rules::check_own_rules(&without_declared_tools(manifest, declared), &mut findings);
        compare_texts(manifest, declared, &mut findings);
    }
    let is_known =
        |finding: &UnplacedFinding| known.iter().any(|(rule, path)| *rule == finding.rule && *path == finding.path);
    findings.kept_mut().retain(|finding| !is_known(finding));
    findings.finish()
}

/// A copy of the file's manifest in which `null` replaces each tool that the code declares.
fn without_declared_tools(manifest: &Map<String, Value>, declared: &Value) -> Map<String, Value> {
    fn name_of(tool: &Value) -> Option<&str> {
        tool.get("name")?.as_str()
    }
    let declared: HashSet<&str> =
        declared.get("tools").and_then(Value::as_array).into_iter().flatten().filter_map(name_of).collect();
    let is_declared = |tool: &Value| name_of(tool).is_some_and(|name| declared.contains(name));
    let kept = |tool: &Value| if is_declared(tool) { Value::Null } else { tool.clone() };
    let field = |(key, value): (&String, &Value)| match value {
        Value::Array(tools) if key == "tools" => (key.clone(), tools.iter().map(kept).collect()),
        value => (key.clone(), value.clone()),
    };
    manifest.iter().map(field).collect()
}

/// M33: reports texts in the file that differ from the code's. A build would overwrite them.
fn compare_texts(manifest: &Map<String, Value>, declared: &Value, findings: &mut Collector) {
    for key in ["name", "description", "icon"] {
        let in_code = declared.get(key).unwrap_or(&Value::Null);
        if let Some(in_file) = manifest.get(key).filter(|in_file| *in_file != in_code) {
            let message = format!("the file's `{key}` is {in_file}, the code's is {in_code}");
            findings.warn("M33", key, message, "run `build`, which writes the text of the code");
        }
    }
}
