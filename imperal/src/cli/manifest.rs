//! `manifest`: what the platform reads, on standard output.

use std::process::ExitCode;

use super::{CliError, out};
use crate::function::Registry;
use crate::manifest::Manifest;

pub(super) fn print(registry: &Registry, app_id: Option<&str>) -> Result<ExitCode, CliError> {
    let known = || registry.extensions().map(crate::function::Extension::app_id).collect::<Vec<_>>().join(", ");
    let extension = match app_id {
        Some(app_id) => registry.extension(app_id),
        None if registry.extensions().len() == 1 => registry.extensions().next(),
        None => {
            return Err(CliError::new(format!(
                "this binary has several extensions: choose one with --app: {}",
                known()
            )));
        }
    };
    let extension = extension.ok_or_else(|| CliError::new(format!("no such extension here; there is {}", known())))?;
    out::say(&Manifest::export(extension).to_json());
    Ok(ExitCode::SUCCESS)
}
