//! How a command ends: its exit code, and the error it prints.
//!
//! Owns the one table of exit codes, which help and docs print, and the error type of every command: a
//! sentence, and what to do about it.

use std::process::ExitCode;

use imperal_manifest::did_you_mean;

use crate::codes::{self, ErrorCode};

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Exit {
    Success,
    Failure,
    Usage,
    Cancelled,
    Refused,
    Unavailable,
    Asks,
    Interrupted,
}

impl Exit {
    /// All of them, in the order of the docs.
    pub(super) const ALL: &[Self] = &[
        Self::Success,
        Self::Failure,
        Self::Usage,
        Self::Cancelled,
        Self::Refused,
        Self::Unavailable,
        Self::Asks,
        Self::Interrupted,
    ];

    /// The exit code.
    pub(super) fn code(self) -> u8 {
        match self {
            Self::Success => 0,
            Self::Failure => 1,
            Self::Usage => 2,
            Self::Cancelled => 3,
            Self::Refused => 4,
            Self::Unavailable => 5,
            Self::Asks => 6,
            // As shells report a program that SIGINT ended.
            Self::Interrupted => 130,
        }
    }

    /// The explanation in help and docs.
    pub(super) fn meaning(self) -> &'static str {
        match self {
            Self::Success => "done; with `--follow`, every task succeeded",
            Self::Failure => "failed: an error turn, findings, a stale manifest",
            Self::Usage => "the command line is wrong",
            Self::Cancelled => "the call or task was cancelled",
            Self::Refused => "refused, nothing was done: parameters, rights, token, a limit, an unknown name",
            Self::Unavailable => "no platform answers or accepts work; a watched task has no outcome yet",
            Self::Asks => "a watched task waits for an answer; `answer TASK` gives it",
            Self::Interrupted => "Ctrl-C: stopped watching before the end",
        }
    }

    /// How an error turn with this code ends a command.
    pub(super) fn from_error_code(code: &ErrorCode) -> Self {
        if *code == codes::CANCELLED { Self::Cancelled } else { Self::Failure }
    }

    /// The exit of two tasks together: failure wins over cancelled, cancelled over success.
    #[must_use]
    pub(super) fn combine(self, other: Self) -> Self {
        match (self, other) {
            (Self::Success, other) => other,
            (Self::Cancelled, Self::Failure) => Self::Failure,
            (this, _) => this,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

/// Why a command failed: a sentence for the person at the terminal, and a hint where the sentence does not say
/// what to do.
#[derive(Debug)]
pub(crate) struct CliError {
    pub(super) exit: Exit,
    pub(super) text: String,
    /// The platform's error code, if the platform sent the error.
    pub(super) code: Option<String>,
    pub(super) hint: Option<String>,
}

impl CliError {
    pub(super) fn new(text: impl Into<String>) -> Self {
        Self { exit: Exit::Failure, text: text.into(), code: None, hint: None }
    }

    pub(super) fn usage(text: impl Into<String>) -> Self {
        Self { exit: Exit::Usage, ..Self::new(text) }
    }

    pub(super) fn refused(text: impl Into<String>) -> Self {
        Self { exit: Exit::Refused, ..Self::new(text) }
    }

    pub(super) fn unavailable(text: impl Into<String>) -> Self {
        Self { exit: Exit::Unavailable, ..Self::new(text) }
    }

    /// Adds the platform's error code.
    #[must_use]
    pub(super) fn with_code(mut self, code: impl Into<String>) -> Self {
        self.code = Some(code.into()).filter(|code: &String| !code.is_empty());
        self
    }

    /// Adds what to do.
    #[must_use]
    pub(super) fn hint(mut self, hint: impl Into<Option<String>>) -> Self {
        self.hint = hint.into().or(self.hint);
        self
    }

    /// Whether the platform sent this code.
    pub(super) fn has_code(&self, code: &ErrorCode) -> bool {
        self.code.as_deref() == Some(code.as_str())
    }

    /// Whether a retry may succeed.
    pub(super) fn is_transient(&self) -> bool {
        self.exit == Exit::Unavailable || self.has_code(&codes::RATE_LIMITED)
    }
}

impl<E: std::error::Error> From<E> for CliError {
    fn from(error: E) -> Self {
        Self::new(error.to_string())
    }
}

/// "did you mean `x`?", if a candidate is close to the written word.
pub(super) fn suggestion<'a>(written: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<String> {
    did_you_mean(written, candidates).map(|meant| format!("did you mean `{meant}`?"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn combined_exit_is_the_worst_of_the_tasks() {
        assert_eq!(Exit::Success.combine(Exit::Cancelled), Exit::Cancelled);
        assert_eq!(Exit::Cancelled.combine(Exit::Failure), Exit::Failure);
        assert_eq!(Exit::Failure.combine(Exit::Cancelled), Exit::Failure);
        assert_eq!(Exit::Cancelled.combine(Exit::Success), Exit::Cancelled);
    }

    #[test]
    fn exit_codes_are_unique() {
        let mut codes: Vec<_> = Exit::ALL.iter().map(|exit| exit.code()).collect();
        codes.sort_unstable();
        codes.dedup();
        assert_eq!(codes.len(), Exit::ALL.len());
    }
}
