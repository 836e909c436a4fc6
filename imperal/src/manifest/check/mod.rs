//! The check of a manifest against every rule it must obey.
//!
//! Owns the rules' order and what an extension and a file are each asked. `table` says which fields
//! there are and what form each has, `walk` compares a file with it, `rules` says what the whole
//! must obey, `extension_rules` what the reference asks of an extension. A file may come from
//! anybody: nothing here panics or hangs on any input, the work grows with the size of the file,
//! and nothing outside the extension's folder is read (`file`, `sink`).

mod cron;
mod extension_rules;
pub(super) mod file;
mod finding;
mod form;
mod icon;
mod lines;
mod report;
mod rules;
mod schemas;
mod sink;
mod source;
mod table;
mod walk;
mod why;
mod xml;

use std::path::Path;

use serde_json::{Map, Value};

pub use finding::{Finding, Level};
pub use report::{Look, render, to_json};

use self::finding::Raised;
use self::sink::{Language, Sink, shortened};
use super::build::{self, FILE};
use super::model::Manifest;
use crate::function::Extension;

/// What a manifest was made from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Origin {
    Extension,
    File,
}

/// What rules take from the environment, as the reference's do.
#[derive(Debug, Default)]
struct Circumstances {
    /// `IMPERAL_VALIDATOR_V23_SEVERITY=warn`
    v23_warns: bool,
    /// `IMPERAL_AUTHOR_ID`
    author: String,
    /// `IMPERAL_FIRSTPARTY_AUTHOR_IDS`, with commas between them.
    first_party: Vec<String>,
}

impl Circumstances {
    fn of_environment() -> Self {
        let read = |name: &str| std::env::var(name).unwrap_or_default().trim().to_owned();
        Self {
            v23_warns: read("IMPERAL_VALIDATOR_V23_SEVERITY").eq_ignore_ascii_case("warn"),
            author: read("IMPERAL_AUTHOR_ID"),
            first_party: read("IMPERAL_FIRSTPARTY_AUTHOR_IDS")
                .split(',')
                .map(|author| author.trim().to_owned())
                .filter(|author| !author.is_empty())
                .collect(),
        }
    }

    /// Whether the author is known and is not first-party. Without either there is no verdict.
    fn is_stranger(&self) -> bool {
        !self.author.is_empty() && !self.first_party.is_empty() && !self.first_party.contains(&self.author)
    }
}

/// Whether there is a rule of this code.
pub(crate) fn is_rule(code: &str) -> bool {
    !why::why(code).is_empty()
}

/// The keys of a manifest's root, in the order in which they are written.
pub(super) fn known_keys() -> impl Iterator<Item = &'static str> {
    table::ROOT.fields.iter().map(|field| field.name)
}

/// Where a manifest has keys that no manifest has, as paths.
pub(super) fn unknown_keys(manifest: &Value) -> Vec<String> {
    let mut unknown = Vec::new();
    walk::walk(manifest, &mut |fault| {
        if matches!(fault.what, walk::What::Unknown) {
            unknown.push(fault.path);
        }
    });
    unknown
}

/// The first place where there is a list and should be an object. Deriving a reader takes both.
pub(super) fn list_for_object(manifest: &Value) -> Option<String> {
    let mut first = None;
    walk::walk(manifest, &mut |fault| {
        let list = match &fault.what {
            walk::What::NotAnObject(found) => found == &"a list",
            walk::What::Wrong { must, found } => must == "an object" && found == "a list",
            walk::What::Missing | walk::What::Unknown => false,
        };
        if list && first.is_none() {
            first = Some(if fault.path.is_empty() { "the manifest".to_owned() } else { format!("`{}`", fault.path) });
        }
    });
    first
}

/// Every rule on an extension of this binary and, where its folder has one, on its `imperal.json`.
///
/// Findings carry file and line of the Rust source, or of the file. Errors come first.
pub fn validate_extension(extension: &Extension, folder: &Path) -> Vec<Finding> {
    let manifest = Manifest::export(extension).to_value();
    let raised = every_rule(&manifest, Origin::Extension, &Circumstances::of_environment(), Some(folder));
    let mut findings: Vec<Finding> = raised
        .into_iter()
        .map(|raised| {
            let (file, line) = source::place(extension, &manifest, &raised.path);
            place(raised, file, line)
        })
        .collect();
    of_file_on_disk(extension, folder, &mut findings);
    sort(&mut findings);
    findings
}

/// What is on disk: its structure where it differs from the code's, what a build keeps of it, and
/// whether it is up to date.
fn of_file_on_disk(extension: &Extension, folder: &Path, findings: &mut Vec<Finding>) {
    let path = folder.join(FILE);
    let shown = path.display().to_string();
    let def = extension.def();
    let bytes = match file::read(&path, file::MANIFEST_BYTES) {
        Ok(bytes) => bytes,
        Err(error) => {
            let message = if error.is_missing() {
                format!("there is no {FILE} in {}", folder.display())
            } else {
                format!("{shown} cannot be read: {error}")
            };
            let raised =
                Raised { rule: "V8", level: Level::Warn, path: String::new(), message, fix: "run `build`".to_owned() };
            findings.push(place(raised, def.file.to_owned(), def.line));
            return;
        }
    };
    let of_code: Vec<(&str, String)> = findings.iter().map(|found| (found.rule, found.path.clone())).collect();
    match crate::json::read::<Value>(&bytes) {
        Err(error) => findings.push(not_json(&error, &shown)),
        Ok(value) => {
            let mut sink = Sink::new(Language::Rust);
            rules::structure(&value, &mut sink);
            if let Some(manifest) = value.as_object() {
                rules::reference(manifest, &mut sink);
                of_kept_parts(extension, manifest, &mut sink);
                file_wins(extension, manifest, &mut sink);
            }
            sink.raised_mut()
                .retain(|raised| !of_code.iter().any(|(rule, path)| *rule == raised.rule && *path == raised.path));
            findings.extend(with_lines(sink.finish(), &bytes, &shown));
        }
    }
    if let Ok(build::Freshness::Stale(difference)) = build::check(extension, folder) {
        let raised = Raised {
            rule: "M30",
            level: Level::Warn,
            path: String::new(),
            message: format!("{FILE} is out of date: {}", difference.headline()),
            fix: "run `build`".to_owned(),
        };
        findings.push(place(raised, shown, 1));
    }
}

/// Rules on what only the file declares: its sections, and its tools that are not in the code.
fn of_kept_parts(extension: &Extension, manifest: &Map<String, Value>, sink: &mut Sink) {
    let mut kept = manifest.clone();
    let defined = |tool: &Value| {
        let name = tool.get("name").and_then(Value::as_str);
        extension.functions().iter().any(|function| Some(function.name) == name)
    };
    if let Some(Value::Array(tools)) = kept.get_mut("tools") {
        for tool in tools.iter_mut().filter(|tool| defined(tool)) {
            *tool = Value::Null;
        }
    }
    rules::own(&kept, sink);
}

/// M33: texts of the file that differ from the code's.
fn file_wins(extension: &Extension, manifest: &Map<String, Value>, sink: &mut Sink) {
    let def = extension.def();
    for (key, of_code) in [("name", def.name), ("description", def.description), ("icon", def.icon)] {
        if let Some(kept) = manifest.get(key).filter(|kept| kept.as_str() != Some(of_code)) {
            let message = format!("the file's `{key}` is {kept}, the code's is {of_code:?}: the file wins");
            let fix = format!("remove `{key}` from {FILE} and run `build`, or make both the same");
            sink.warn("M33", key, message, fix);
        }
    }
}

/// Every rule on a manifest file, whoever wrote it.
///
/// A file that cannot be read or is not JSON is a finding too (`M0`). Only regular files of at most
/// 4 MiB are read, and the icon only from the file's own folder. Of each level the first 200
/// findings are returned, and the last (`M35`) says how many more there are. Errors come first.
pub fn validate_file(path: &Path) -> Vec<Finding> {
    let shown = path.display().to_string();
    match file::read(path, file::MANIFEST_BYTES) {
        Ok(bytes) => validate_bytes(&bytes, &shown, path.parent()),
        Err(error) => {
            let raised = Raised {
                rule: "M0",
                level: Level::Error,
                path: String::new(),
                message: format!("cannot read {shown}: {error}"),
                fix: "name a manifest file, or run `build` first".to_owned(),
            };
            vec![place(raised, shown, 0)]
        }
    }
}

/// Every rule on a manifest's text; `name` is what findings call it. The icon is not looked at.
pub fn check_text(text: &str, name: &str) -> Vec<Finding> {
    validate_bytes(text.as_bytes(), name, None)
}

fn validate_bytes(bytes: &[u8], name: &str, folder: Option<&Path>) -> Vec<Finding> {
    let value: Value = match crate::json::read(bytes) {
        Ok(value) => value,
        Err(error) => return vec![not_json(&error, name)],
    };
    let raised = every_rule(&value, Origin::File, &Circumstances::of_environment(), folder);
    let mut findings = with_lines(raised, bytes, name);
    sort(&mut findings);
    findings
}

/// Findings of a file, each with its line.
fn with_lines(raised: Vec<Raised>, bytes: &[u8], name: &str) -> Vec<Finding> {
    if raised.is_empty() {
        return Vec::new();
    }
    let paths: Vec<&str> = raised.iter().map(|raised| raised.path.as_str()).collect();
    let lines = lines::of(std::str::from_utf8(bytes).unwrap_or_default(), &paths);
    raised.into_iter().zip(lines).map(|(raised, line)| place(raised, name.to_owned(), line)).collect()
}

fn every_rule(manifest: &Value, origin: Origin, around: &Circumstances, folder: Option<&Path>) -> Vec<Raised> {
    let language = match origin {
        Origin::Extension => Language::Rust,
        Origin::File => Language::of_folder(folder),
    };
    let mut sink = Sink::new(language);
    rules::structure(manifest, &mut sink);
    let Some(fields) = manifest.as_object() else { return sink.finish() };
    if origin == Origin::Extension {
        for raised in sink.raised_mut() {
            raised.rule = extension_rules::code_of_extension(raised.rule, &raised.path, fields);
        }
    }
    rules::reference(fields, &mut sink);
    extension_rules::check(fields, origin, around, &mut sink);
    icon::check(fields, folder, &mut sink);
    rules::own(fields, &mut sink);
    sink.finish()
}

fn not_json(error: &serde_json::Error, file: &str) -> Finding {
    let raised = Raised {
        rule: "M0",
        level: Level::Error,
        path: String::new(),
        message: format!("{file} is not JSON: {error}"),
        fix: "correct the text at that line".to_owned(),
    };
    place(raised, file.to_owned(), u32::try_from(error.line()).unwrap_or(0))
}

fn place(raised: Raised, file: String, line: u32) -> Finding {
    let Raised { rule, level, path, message, fix } = raised;
    Finding { rule, level, message, file, line, fix, why: why::why(rule), path: shortened(path) }
}

/// Errors first; within a level in the order of files and lines. How many more there are comes last.
fn sort(findings: &mut [Finding]) {
    findings.sort_by(|a, b| {
        let key = |found: &Finding| (found.rule == "M35", found.level);
        (key(a), &a.file, a.line).cmp(&(key(b), &b.file, b.line))
    });
}
