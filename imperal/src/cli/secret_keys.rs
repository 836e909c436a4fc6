//! The keys that secrets are sealed with, as `serve` and `dev` get them: from a file or from the environment.

use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use super::environment::env_text;
use super::exit::CliError;
use crate::platform::SecretKeys;
use crate::private_file;
use crate::server::ServerBuilder;

/// Largest file of keys.
const FILE_LIMIT: u64 = 64 * 1024;
const VARIABLE: &str = "IMPERAL_SECRET_KEYS";
const FILE_VARIABLE: &str = "IMPERAL_SECRET_KEYS_FILE";

/// Gives the builder the keys of the environment. `None` if it names none.
fn of_environment() -> Result<Option<SecretKeys>, CliError> {
    let keys = env_text(VARIABLE)?.map(Zeroizing::new);
    let file = std::env::var_os(FILE_VARIABLE).filter(|path| !path.is_empty()).map(PathBuf::from);
    let (text, source) = match (keys, file) {
        (None, None) => return Ok(None),
        (Some(_), Some(_)) => {
            return Err(CliError::new(format!("{VARIABLE} and {FILE_VARIABLE} are both set; set only one of them")));
        }
        (Some(keys), None) => (keys, VARIABLE.to_owned()),
        (None, Some(path)) => (read(&path)?, format!("{} ({FILE_VARIABLE})", path.display())),
    };
    let keys = SecretKeys::parse(&text).map_err(|error| CliError::new(format!("{source}: {error}")))?;
    Ok(Some(keys))
}

/// Links are followed: orchestrators mount secret files as links.
fn read(path: &Path) -> Result<Zeroizing<String>, CliError> {
    let fault = |why: &dyn std::fmt::Display| CliError::new(format!("{} ({FILE_VARIABLE}): {why}", path.display()));
    let found = std::fs::metadata(path).map_err(|error| fault(&error))?;
    if !found.is_file() || found.len() > FILE_LIMIT {
        return Err(fault(&"it is no file of keys"));
    }
    let bytes = Zeroizing::new(std::fs::read(path).map_err(|error| fault(&error))?);
    private_file::warn_about([path]);
    let text = std::str::from_utf8(&bytes).map_err(|_| fault(&"it is not UTF-8"))?;
    Ok(Zeroizing::new(text.to_owned()))
}

/// Keys for `serve`, which makes none.
pub(super) fn for_serve(builder: ServerBuilder) -> Result<ServerBuilder, CliError> {
    Ok(match of_environment()? {
        Some(keys) => builder.secret_keys(keys),
        None => builder,
    })
}

/// Keys for a platform of this user on this machine. Without any one is made in the user's own folder.
pub(super) fn for_developer(builder: ServerBuilder) -> Result<ServerBuilder, CliError> {
    Ok(for_serve(builder)?.with_developer_keys())
}
