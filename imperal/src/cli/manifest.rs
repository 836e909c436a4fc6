//! `manifest`, `build` and `validate`: prints, writes and checks `imperal.json`.

use std::path::{Path, PathBuf};

use super::args::ExtensionArgs;
use super::exit::{CliError, Exit};
use super::out::{self, OutputStyle};
use crate::function::{Extension, Registry};
use crate::manifest::{self, Finding, Freshness, ReportStyle};

/// `manifest`.
pub(super) fn print(registry: &Registry, app_id: Option<&str>) -> Result<Exit, CliError> {
    let extensions = chosen_extensions(registry, app_id)?;
    let [extension] = extensions.as_slice() else {
        return Err(CliError::new(format!(
            "this binary has several extensions: choose one with --app: {}",
            app_ids(registry)
        )));
    };
    out::print_line(&manifest::export(extension).to_json());
    Ok(Exit::Success)
}

/// `build`.
pub(super) fn build(registry: &Registry, check: bool, args: &ExtensionArgs) -> Result<Exit, CliError> {
    let mut exit = Exit::Success;
    for extension in chosen_extensions(registry, args.app.as_deref())? {
        let folder = source_folder(extension, args);
        if !check {
            out::print_line(&manifest::build(extension, &folder)?.to_string());
            continue;
        }
        let file = folder.join(manifest::FILE);
        match manifest::check_freshness(extension, &folder)? {
            Freshness::Fresh => out::print_line(&format!("Up to date: {}", file.display())),
            Freshness::Stale(difference) => {
                exit = Exit::Failure;
                eprintln!("{} is stale: run `build` and commit it\n{difference}", file.display());
            }
        }
    }
    Ok(exit)
}

/// `validate [FILE]`.
pub(super) fn validate(
    registry: &Registry,
    file: Option<&Path>,
    args: &ExtensionArgs,
    allow: &[String],
    json: bool,
) -> Result<Exit, CliError> {
    let findings: Vec<Finding> = match file {
        Some(file) => manifest::validate_file(file),
        None => chosen_extensions(registry, args.app.as_deref())?
            .into_iter()
            .flat_map(|extension| manifest::validate_extension(extension, &source_folder(extension, args)))
            .collect(),
    };
    Ok(print_findings(&without_allowed(findings, allow)?, json))
}

/// The findings except the warnings and notes of allowed rules. Errors stay.
fn without_allowed(mut findings: Vec<Finding>, allow: &[String]) -> Result<Vec<Finding>, CliError> {
    if let Some(unknown) = allow.iter().find(|code| !manifest::is_rule(code)) {
        let text = format!("there is no rule `{unknown}`; docs/manifest.md lists the rules");
        return Err(CliError::usage(text));
    }
    findings.retain(|found| found.is_error() || !allow.iter().any(|code| code == found.rule));
    Ok(findings)
}

fn print_findings(findings: &[Finding], json: bool) -> Exit {
    if json {
        out::print_json(&manifest::findings_to_json(findings));
    } else {
        let colour = OutputStyle::of_stdout().colour;
        out::print_line(manifest::render_findings(findings, ReportStyle::full(colour)).trim_end());
    }
    if findings.iter().any(Finding::is_error) { Exit::Failure } else { Exit::Success }
}

fn chosen_extensions<'a>(registry: &'a Registry, app_id: Option<&str>) -> Result<Vec<&'a Extension>, CliError> {
    match app_id {
        None => Ok(registry.extensions().collect()),
        Some(app_id) => registry.extension(app_id).map(|extension| vec![extension]).ok_or_else(|| {
            CliError::refused(format!("there is no extension `{app_id}` here; there is {}", app_ids(registry)))
        }),
    }
}

fn app_ids(registry: &Registry) -> String {
    registry.extensions().map(Extension::app_id).collect::<Vec<_>>().join(", ")
}

/// The folder of its Cargo.toml: `--folder`, or where it was compiled if that exists, or the current folder.
fn source_folder(extension: &Extension, args: &ExtensionArgs) -> PathBuf {
    let compiled = PathBuf::from(extension.def().manifest_dir);
    match &args.folder {
        Some(folder) => folder.clone(),
        None if compiled.is_dir() => compiled,
        None => PathBuf::from("."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn allow_hides_warnings_and_keeps_errors() {
        let text = r#"{"app_id": "A", "version": "1.0.0", "panels": [{"slot": "overlay", "panel_id": "a"}]}"#;
        let all = manifest::validate_text(text, "imperal.json");
        let rules = |allow: &[&str]| -> Vec<&str> {
            let allow: Vec<String> = allow.iter().map(|&code| code.to_owned()).collect();
            without_allowed(all.clone(), &allow).unwrap().iter().map(|found| found.rule).collect()
        };
        assert!(rules(&[]).contains(&"M31"));
        assert!(!rules(&["V12", "M31"]).iter().any(|rule| matches!(*rule, "M31" | "V12")));
        assert!(rules(&["M4"]).contains(&"M4"));
        assert!(without_allowed(all.clone(), &["M99".to_owned()]).is_err());
    }
}
