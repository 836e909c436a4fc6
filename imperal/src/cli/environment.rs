//! Environment variables that the command line does not read by itself: secrets.

use super::exit::CliError;

/// The text of a variable. `None` if it is unset or empty.
pub(super) fn env_text(name: &str) -> Result<Option<String>, CliError> {
    let Some(text) = std::env::var_os(name) else { return Ok(None) };
    let text =
        text.into_string().map_err(|_| CliError::new(format!("{name} is not UTF-8; set it again or unset it")))?;
    Ok(Some(text).filter(|text| !text.is_empty()))
}
