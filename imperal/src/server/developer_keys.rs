//! The key for secrets under `dev`: a private file of this user, one for each ledger.
//!
//! It is outside of the data folder, because a folder is copied, sent and put into version control. `serve` makes none.

use std::io;
use std::path::{Path, PathBuf};

use super::error::ServerError;
use crate::ledger::Ledger;
use crate::private_file;
use crate::vault::SecretKeys;

/// Largest key file.
const FILE_LIMIT: u64 = 64 * 1024;
/// The fact that has the ledger's own id.
const LEDGER_ID: &str = "ledger id";

/// The keys of this user for a ledger. Made with its first use.
pub(super) async fn of_ledger(ledger: &dyn Ledger) -> Result<SecretKeys, ServerError> {
    let id = uuid::Uuid::new_v4().into_bytes();
    let id = ledger.note_fact(LEDGER_ID, &id).await.map_err(|source| ServerError::Ledger { path: None, source })?;
    let id = id.iter().fold(String::new(), |id, byte| format!("{id}{byte:02x}"));
    let Some(folder) = state_folder() else {
        let source = io::Error::new(io::ErrorKind::NotFound, "neither XDG_STATE_HOME nor a home folder is set");
        return Err(ServerError::DeveloperKey { path: None, source });
    };
    let path = folder.join("imperal").join("secret-keys").join(id);
    in_file(&path).map_err(|source| ServerError::DeveloperKey { path: Some(path), source })
}

/// The keys of a file. Makes the file if it is missing.
fn in_file(path: &Path) -> io::Result<SecretKeys> {
    let text = match private_file::read(path, FILE_LIMIT) {
        Ok(bytes) => zeroize::Zeroizing::new(String::from_utf8_lossy(&bytes).into_owned()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            // An id of its own: the key of another machine or user must not be taken for this one.
            let number = uuid::Uuid::new_v4().simple().to_string();
            let id = format!("dev-{}", number.get(..8).unwrap_or_default());
            let line = zeroize::Zeroizing::new(SecretKeys::generate(&id).map_err(io::Error::other)?);
            if let Some(folder) = path.parent() {
                private_file::make_folder(folder)?;
            }
            private_file::replace(path, format!("{}\n", *line).as_bytes())?;
            line
        }
        Err(error) => return Err(error),
    };
    private_file::warn_about([path]);
    SecretKeys::parse(&text).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
}

/// The folder for state of this user: `XDG_STATE_HOME`, else the system's usual place.
fn state_folder() -> Option<PathBuf> {
    let variable = |name| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    if let Some(folder) = variable("XDG_STATE_HOME") {
        return Some(folder);
    }
    if cfg!(windows) {
        return variable("LOCALAPPDATA");
    }
    let home = variable("HOME")?;
    let usual = if cfg!(target_os = "macos") { "Library/Application Support" } else { ".local/state" };
    Some(home.join(usual))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn key_is_made_once_and_kept() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("imperal/secret-keys/a");
        let made = in_file(&path).unwrap();
        let read = in_file(&path).unwrap();
        assert_eq!(made.ids().collect::<Vec<_>>(), read.ids().collect::<Vec<_>>());
        assert_eq!(made.checks().collect::<Vec<_>>(), read.checks().collect::<Vec<_>>());
        let other = in_file(&folder.path().join("b")).unwrap();
        assert_ne!(made.ids().next(), other.ids().next());
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        }
    }

    #[test]
    fn damaged_key_file_is_refused_and_kept() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        std::fs::write(&path, "not a key").unwrap();
        assert_eq!(in_file(&path).unwrap_err().kind(), io::ErrorKind::InvalidData);
        assert_eq!(std::fs::read(&path).unwrap(), b"not a key");
    }
}
