//! Compares findings for the manifests of the examples and of other extensions in the workspace.
//!
//! The test builds each example and runs its `manifest` and `validate`. The reference must accept the
//! manifest, and must have no warning that we do not have, about the manifest or an extension made from it.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use crate::{Row, broken, python};

/// Rules of the reference that a Rust extension cannot obey.
const NOT_OURS: &[(&str, &str)] = &[
    ("V8", "the reference does not look at the file here"),
    ("V9", "the platform in the binary answers for its own health"),
    ("V12", "there are no hooks"),
];

pub(crate) fn prove() -> Vec<Row> {
    let mut row = Row { what: "manifests of the examples", equal: 0, explained: vec![], unexplained: vec![] };
    let examples = examples();
    let exported: Vec<String> = examples.iter().map(manifest_of).collect();
    let verdicts = broken::verdicts(exported.iter().map(String::as_str));
    let asked: Vec<Value> =
        exported.iter().zip(&examples).map(|(text, example)| json!([text, example.folder])).collect();
    let of_extensions = python::run("extension_rules.py", &json!(asked).to_string());
    for (((example, text), verdict), reported) in
        examples.iter().zip(&exported).zip(verdicts).zip(of_extensions.as_array().unwrap())
    {
        let name = example.name();
        let ours: Vec<&str> = findings(text);
        let mut faults: Vec<String> = verdict.iter().map(|(code, place)| format!("{code} at {place}")).collect();
        for issue in reported.as_array().unwrap() {
            let (rule, level) = (issue[0].as_str().unwrap(), issue[1].as_str().unwrap());
            if level == "ERROR" || !(ours.contains(&rule) || NOT_OURS.iter().any(|(code, _)| *code == rule)) {
                faults.push(format!("{rule} {level}"));
            }
        }
        if faults.is_empty() {
            row.equal += 1;
        } else {
            row.unexplained.push((name, faults.join(", ")));
        }
    }
    vec![row]
}

/// An extension: the binary of a crate in `examples/`, or one of its cargo examples.
struct Example {
    folder: PathBuf,
    /// Name of the cargo example; none for the binary.
    target: Option<String>,
}

impl Example {
    fn name(&self) -> String {
        let folder = self.folder.file_name().unwrap().to_string_lossy().into_owned();
        self.target.as_ref().map_or_else(|| folder.clone(), |target| format!("{folder}/{target}"))
    }
}

/// Every extension of the crates in `examples/`.
fn examples() -> Vec<Example> {
    let folder = python::workspace().join("examples").canonicalize().unwrap();
    let mut found = Vec::new();
    for folder in entries(&folder).into_iter().filter(|path| path.join("Cargo.toml").is_file()) {
        if folder.join("src/main.rs").is_file() {
            found.push(Example { folder, target: None });
            continue;
        }
        for file in entries(&folder).into_iter().filter(|path| path.extension().is_some_and(|kind| kind == "rs")) {
            let target = file.file_stem().unwrap().to_string_lossy().into_owned();
            if target != "lib" {
                found.push(Example { folder: folder.clone(), target: Some(target) });
            }
        }
    }
    assert!(!found.is_empty(), "there is at least one example");
    found
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    let mut entries: Vec<PathBuf> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    entries
}

fn manifest_of(example: &Example) -> String {
    let mut command = Command::new(env!("CARGO"));
    command.args(["run", "--quiet"]).current_dir(&example.folder);
    if let Some(target) = &example.target {
        command.args(["--example", target]);
    }
    let output = command.args(["--", "manifest"]).output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "`manifest` of {} failed: {errors}", example.name());
    String::from_utf8(output.stdout).unwrap()
}

/// Codes of our findings for a manifest.
fn findings(text: &str) -> Vec<&'static str> {
    imperal::manifest::validate_text(text, "imperal.json").iter().map(|found| found.rule).collect()
}
