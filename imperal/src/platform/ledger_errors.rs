//! The errors that a user reads when the ledger, or a node that stops, refuses a request.

use crate::codes;
use crate::error::Error;
use crate::ledger::LedgerError;

/// The error for new work on a node that stops.
pub(super) fn stopping() -> Error {
    Error::platform(codes::UNAVAILABLE, "The platform is stopping. Try again in a moment.")
}

/// The error for a read that failed. The log has the cause.
pub(super) fn unreadable(error: &LedgerError) -> Error {
    tracing::error!(%error, "the ledger could not be read");
    Error::platform(codes::UNAVAILABLE, "The platform cannot read its ledger right now. Nothing is lost; try again.")
        .with_source(error.to_string())
}

/// The error for a write that failed. The log has the cause.
pub(super) fn unavailable(error: &LedgerError) -> Error {
    if let LedgerError::QuotaExceeded(limit) = error {
        return Error::user(
            codes::QUOTA_EXCEEDED,
            format!(
                "Your chat would exceed the {} that one user may store a day. Send less, or go on after midnight UTC.",
                mebibytes(*limit)
            ),
        );
    }
    tracing::error!(%error, "the ledger refused a write");
    let text = if matches!(error, LedgerError::Indeterminate(_)) {
        "The platform lost its ledger during a write. The outcome is unknown. Check the chat before you retry."
    } else {
        "The platform cannot write right now. Nothing was accepted; try again."
    };
    Error::platform(codes::UNAVAILABLE, text).with_source(error.to_string())
}

/// The error for a call that ran and whose reply is not stored yet.
pub(super) fn reply_unconfirmed(error: &LedgerError) -> Error {
    Error::platform(
        codes::UNAVAILABLE,
        "The platform cannot write right now. The call was accepted; its reply will be in the chat.",
    )
    .with_source(unavailable(error).to_string())
}

pub(super) fn mebibytes(bytes: u64) -> String {
    if bytes.is_multiple_of(1 << 20) { format!("{} MiB", bytes >> 20) } else { format!("{bytes} bytes") }
}

/// The error for a file that was not written or deleted.
pub(super) fn file_error(error: &LedgerError) -> Error {
    match error {
        LedgerError::TooManyFiles(limit) => Error::user(
            codes::FILES_EXCEEDED,
            format!("You have {limit} files of this extension, which is the limit. Delete some first."),
        ),
        LedgerError::TooManyFileBytes(limit) => Error::user(
            codes::FILES_EXCEEDED,
            format!("Your files of this extension may have {} in all. Delete some first.", mebibytes(*limit)),
        ),
        LedgerError::FileMissing(file_id) => {
            Error::user(codes::NOT_FOUND, format!("The file {file_id} is not there any more. Upload it again."))
        }
        error if error.is_failure() => unavailable(error),
        error => Error::cancelled().with_source(format!("the file was not written: {error}")),
    }
}
