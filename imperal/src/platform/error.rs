//! Why a platform does not start.

use std::fmt;

use crate::context::HttpError;
use crate::ledger::LedgerError;

/// Why a platform did not start.
#[derive(Debug)]
#[non_exhaustive]
pub enum PlatformError {
    /// Extensions or functions that cannot be served; one sentence each, with file and line.
    Functions(Vec<String>),
    /// Settings outside their range; one sentence each, with the option's name.
    Settings(Vec<String>),
    /// The ledger refused.
    Ledger(LedgerError),
    /// The outgoing HTTP client could not be made.
    Http(HttpError),
    /// There is no key for the secrets that an extension declares, or a wrong one.
    SecretKeys(String),
}

impl fmt::Display for PlatformError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Functions(faults) | Self::Settings(faults) => f.write_str(&faults.join("\n")),
            Self::Ledger(error) => error.fmt(f),
            Self::SecretKeys(why) => f.write_str(why),
            Self::Http(error) => write!(f, "the HTTP client could not be made: {error}"),
        }
    }
}

impl std::error::Error for PlatformError {}

impl From<LedgerError> for PlatformError {
    fn from(error: LedgerError) -> Self {
        Self::Ledger(error)
    }
}
