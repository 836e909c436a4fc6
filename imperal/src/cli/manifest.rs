//! `manifest`, `build`, `validate`: what the platform reads, written and checked.

use std::path::{Path, PathBuf};

use super::args::OfExtension;
use super::exit::{CliError, Exit};
use super::out::{self, Look as OutLook};
use crate::function::{Extension, Registry};
use crate::manifest::{self, Finding, Freshness, Look, Manifest};

pub(super) fn print(registry: &Registry, app_id: Option<&str>) -> Result<Exit, CliError> {
    let extensions = chosen(registry, app_id)?;
    let [extension] = extensions.as_slice() else {
        return Err(CliError::new(format!(
            "this binary has several extensions: choose one with --app: {}",
            known(registry)
        )));
    };
    out::say(&Manifest::export(extension).to_json());
    Ok(Exit::Done)
}

pub(super) fn build(registry: &Registry, check: bool, of: &OfExtension) -> Result<Exit, CliError> {
    let mut code = Exit::Done;
    for extension in chosen(registry, of.app.as_deref())? {
        let folder = folder(extension, of);
        if !check {
            out::say(&manifest::build(extension, &folder)?.to_string());
            continue;
        }
        let file = folder.join(manifest::FILE);
        match manifest::check(extension, &folder)? {
            Freshness::Fresh => out::say(&format!("Up to date: {}", file.display())),
            Freshness::Stale(difference) => {
                code = Exit::Failed;
                eprintln!("{} is stale: run `build` and commit it\n{difference}", file.display());
            }
        }
    }
    Ok(code)
}

pub(super) fn validate(
    registry: &Registry,
    file: Option<&Path>,
    of: &OfExtension,
    json: bool,
) -> Result<Exit, CliError> {
    let findings: Vec<Finding> = match file {
        Some(file) => manifest::validate_file(file),
        None => chosen(registry, of.app.as_deref())?
            .into_iter()
            .flat_map(|extension| manifest::validate_extension(extension, &folder(extension, of)))
            .collect(),
    };
    Ok(show(&findings, json))
}

/// `validate FILE` where there is no extension: any manifest, any origin.
pub(super) fn of_file(file: &Path, json: bool) -> Exit {
    show(&manifest::validate_file(file), json)
}

fn show(findings: &[Finding], json: bool) -> Exit {
    if json {
        out::json(&manifest::to_json(findings));
    } else {
        let colour = OutLook::of_stdout().colour;
        out::say(manifest::render(findings, Look::full(colour)).trim_end());
    }
    if findings.iter().any(Finding::is_error) { Exit::Failed } else { Exit::Done }
}

fn chosen<'a>(registry: &'a Registry, app_id: Option<&str>) -> Result<Vec<&'a Extension>, CliError> {
    match app_id {
        None => Ok(registry.extensions().collect()),
        Some(app_id) => registry.extension(app_id).map(|extension| vec![extension]).ok_or_else(|| {
            CliError::refused(format!("there is no extension `{app_id}` here; there is {}", known(registry)))
        }),
    }
}

fn known(registry: &Registry) -> String {
    registry.extensions().map(Extension::app_id).collect::<Vec<_>>().join(", ")
}

/// Where it was compiled, while that is there; else here.
fn folder(extension: &Extension, of: &OfExtension) -> PathBuf {
    let compiled = PathBuf::from(extension.def().manifest_dir);
    match &of.folder {
        Some(folder) => folder.clone(),
        None if compiled.is_dir() => compiled,
        None => PathBuf::from("."),
    }
}
