//! How a command ends: exit codes, and errors with the way out.
//!
//! Owns the one table of exit codes, which help and docs print, and the type that every command
//! fails with: what happened, and what to do about it.

use std::process::ExitCode;

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
    Interrupted,
}

impl Exit {
    /// Every one, in the order of the docs.
    pub(super) const ALL: &[Self] = &[
        Self::Success,
        Self::Failure,
        Self::Usage,
        Self::Cancelled,
        Self::Refused,
        Self::Unavailable,
        Self::Interrupted,
    ];

    /// The number, and what it says.
    pub(super) fn meaning(self) -> (u8, &'static str) {
        match self {
            Self::Success => (0, "done; for a call that was followed, every task succeeded"),
            Self::Failure => (1, "failed: an error turn, findings, a stale manifest"),
            Self::Usage => (2, "wrong usage of the command line"),
            Self::Cancelled => (3, "the call or task was cancelled"),
            Self::Refused => (4, "refused, and nothing was done: parameters, rights, token, a limit, no such thing"),
            Self::Unavailable => (5, "no platform answers, or it cannot accept anything now"),
            Self::Interrupted => (130, "Ctrl-C: not watched to its end"),
        }
    }

    /// How an error with this code ends a command.
    pub(super) fn from_error_code(code: &ErrorCode) -> Self {
        if *code == codes::CANCELLED { Self::Cancelled } else { Self::Failure }
    }

    /// The one that says more of two tasks of a call: a failure, then a cancel.
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
        Self::from(exit.meaning().0)
    }
}

/// Why a command failed: a sentence for the person at the terminal, and the way out where the
/// sentence does not say it.
#[derive(Debug)]
pub(crate) struct CliError {
    pub(super) exit: Exit,
    pub(super) text: String,
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

    /// Adds the platform's code.
    #[must_use]
    pub(super) fn coded(mut self, code: impl Into<String>) -> Self {
        self.code = Some(code.into()).filter(|code: &String| !code.is_empty());
        self
    }

    /// Whether the platform gave this code.
    pub(super) fn is(&self, code: &ErrorCode) -> bool {
        self.code.as_deref() == Some(code.as_str())
    }

    /// Whether the same may do well a little later.
    pub(super) fn may_pass(&self) -> bool {
        self.exit == Exit::Unavailable || self.is(&crate::codes::RATE_LIMITED)
    }

    /// Adds what to do.
    #[must_use]
    pub(super) fn hint(mut self, hint: impl Into<Option<String>>) -> Self {
        self.hint = hint.into().or(self.hint);
        self
    }
}

impl<E: std::error::Error> From<E> for CliError {
    fn from(error: E) -> Self {
        Self::new(error.to_string())
    }
}

/// The candidate that was probably meant.
pub(super) fn did_you_mean<'a>(written: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let written = written.to_lowercase().replace('-', "_");
    candidates
        .into_iter()
        .map(|candidate| (strsim::osa_distance(&written, &candidate.replace('-', "_")), candidate))
        .filter(|(distance, candidate)| *distance <= 1 + candidate.len() / 4)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// "did you mean `x`?", where something was.
pub(super) fn guess<'a>(written: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<String> {
    did_you_mean(written, candidates).map(|meant| format!("did you mean `{meant}`?"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_exit_of_several_tasks_is_the_one_that_says_most() {
        assert_eq!(Exit::Success.combine(Exit::Cancelled), Exit::Cancelled);
        assert_eq!(Exit::Cancelled.combine(Exit::Failure), Exit::Failure);
        assert_eq!(Exit::Failure.combine(Exit::Cancelled), Exit::Failure);
        assert_eq!(Exit::Cancelled.combine(Exit::Success), Exit::Cancelled);
    }

    #[test]
    fn no_two_exits_share_a_number() {
        let mut numbers: Vec<_> = Exit::ALL.iter().map(|exit| exit.meaning().0).collect();
        numbers.sort_unstable();
        numbers.dedup();
        assert_eq!(numbers.len(), Exit::ALL.len());
    }

    #[test]
    fn slips_are_recognised_and_other_words_are_not() {
        let known = ["greet", "greet_at_length", "refine_output"];
        for (written, meant) in [("gret", "greet"), ("refine_ouput", "refine_output"), ("Greet", "greet")] {
            assert_eq!(did_you_mean(written, known), Some(meant));
        }
        assert_eq!(did_you_mean("tasks", known), None);
    }
}
