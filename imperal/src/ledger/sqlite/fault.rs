//! Errors inside the backend, and their translation into [`LedgerError`].
//!
//! Owns the one table from SQLite's codes: an error that may pass by itself is `Unavailable`, one that needs a person
//! is `Unusable` and names the way out.

use std::path::Path;

use rusqlite::ErrorCode;
use rusqlite::ffi::{SQLITE_CONSTRAINT_PRIMARYKEY, SQLITE_CONSTRAINT_UNIQUE, SQLITE_IOERR_WRITE};

use crate::ledger::LedgerError;

/// Why an operation on the file failed.
#[derive(Debug)]
pub(super) enum Fault {
    /// A rule of the contract.
    Refused(LedgerError),
    /// SQLite itself.
    Sqlite(rusqlite::Error),
    /// A stored row that cannot have been written so.
    Row(String),
}

impl From<LedgerError> for Fault {
    fn from(error: LedgerError) -> Self {
        Self::Refused(error)
    }
}

impl From<rusqlite::Error> for Fault {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}

impl From<serde_json::Error> for Fault {
    fn from(error: serde_json::Error) -> Self {
        Self::Row(error.to_string())
    }
}

impl Fault {
    /// Whether the cause is one stored row and not the file, so that other rows still work.
    pub(super) fn is_of_one_row(&self) -> bool {
        match self {
            Self::Refused(_) => false,
            Self::Row(_) => true,
            Self::Sqlite(error) => match error.sqlite_error() {
                Some(code) => matches!(code.code, ErrorCode::ConstraintViolation | ErrorCode::TypeMismatch),
                // A value whose type is not the column's.
                None => true,
            },
        }
    }

    /// Translates it for the caller.
    pub(super) fn into_ledger(self, path: &Path) -> LedgerError {
        match self {
            Self::Refused(error) => error,
            Self::Row(why) => damaged(path, &why),
            Self::Sqlite(error) => from_sqlite(&error, path),
        }
    }
}

fn from_sqlite(error: &rusqlite::Error, path: &Path) -> LedgerError {
    let path_text = path.display();
    let Some(code) = error.sqlite_error() else {
        return damaged(path, &error.to_string());
    };
    match code.code {
        // The writer takes each number once, so a row has a number that it cannot have. The writer repairs the numbers
        // when it reads the owner the next time.
        ErrorCode::ConstraintViolation if error.to_string().contains(".seq") => LedgerError::Unavailable(format!(
            "the numbers of a user's events in {path_text} do not fit the rows: try again, they are repaired then"
        )),
        // The other unique columns are ids.
        ErrorCode::ConstraintViolation
            if [SQLITE_CONSTRAINT_UNIQUE, SQLITE_CONSTRAINT_PRIMARYKEY].contains(&code.extended_code) =>
        {
            LedgerError::IdExists
        }
        ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase => damaged(path, &error.to_string()),
        ErrorCode::DiskFull => LedgerError::Unavailable(format!("no space left for {path_text}: free some")),
        ErrorCode::SystemIoFailure if code.extended_code == SQLITE_IOERR_WRITE => LedgerError::Unavailable(format!(
            "{path_text} cannot grow or be written ({error}): look at the limit on file sizes, the quota and the disk"
        )),
        ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => {
            LedgerError::Unavailable(format!("another program keeps {path_text} locked: wait for it or stop it"))
        }
        ErrorCode::ReadOnly | ErrorCode::PermissionDenied | ErrorCode::CannotOpen => LedgerError::Unavailable(format!(
            "{path_text} cannot be opened for writing ({error}): check the rights on it and on its folder"
        )),
        _ => LedgerError::Unavailable(format!("{path_text}: {error} (code {})", code.extended_code)),
    }
}

fn damaged(path: &Path, why: &str) -> LedgerError {
    LedgerError::Unusable(format!(
        "{} is damaged or not a ledger ({why}): restore a copy, or move it away to begin with an empty one",
        path.display()
    ))
}
