//! Error codes that reach users and other programs.
//!
//! Owns the list of the platform's codes and the form that an author's own code must have. The
//! first eleven are the reference SDK's taxonomy; the others say how a task or call
//! ended without an answer of its own, or why the platform refused.

use std::borrow::Cow;
use std::fmt;

use serde::{Deserialize, Serialize};

/// A machine-readable error code: `A-Z`, `0-9` and `_`, 3 to 64 characters, a letter first.
///
/// A text of another form is replaced by [`EXT_UNSTRUCTURED_ERROR`] and named in the log, so that
/// no caller ever meets a code it cannot match on.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ErrorCode(Cow<'static, str>);

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident)*) => {
        $($(#[$doc])* pub const $name: ErrorCode = ErrorCode(Cow::Borrowed(stringify!($name)));)*
        /// Every code the platform itself uses.
        pub const ALL: &[ErrorCode] = &[$($name),*];
    };
}

codes! {
    /// A required parameter is missing.
    VALIDATION_MISSING_FIELD
    /// A parameter has the wrong type or breaks a bound of its schema.
    VALIDATION_TYPE_ERROR
    /// An id was made up instead of taken from an earlier result.
    FABRICATED_ID_SHAPE
    /// No such extension.
    UNKNOWN_TOOL
    /// The extension has no such function.
    UNKNOWN_SUB_FUNCTION
    /// The user may not do this.
    PERMISSION_DENIED
    /// A service, call or task did not answer in its time.
    BACKEND_TIMEOUT
    /// A service failed or could not be reached.
    BACKEND_5XX
    /// Too many requests, or too many running tasks.
    RATE_LIMITED
    /// A fault inside the extension; the details are in the log.
    INTERNAL
    /// An error that carries no well-formed code.
    EXT_UNSTRUCTURED_ERROR
    /// A task with the same key runs for the user already.
    ALREADY_RUNNING
    /// The key of a request was used before, for another one: another function, other parameters, another text.
    KEY_REUSED
    /// The user cancelled the task.
    CANCELLED
    /// The process that ran the call or task stopped; it can be run again.
    INTERRUPTED
    /// The task was silent for longer than the liveness window.
    TASK_SILENT
    /// The processes that ran a durable task crashed again and again, or it made no progress in many attempts.
    TASK_CRASHED
    /// No running program could continue a durable task.
    TASK_STUCK
    /// The value of a step is larger than 1 MiB.
    STEP_TOO_LARGE
    /// A durable task has too many steps, or their values are too large in all.
    STEPS_EXCEEDED
    /// A step, message or task was begun in a step with the context of the body.
    STEP_IN_STEP
    /// Nobody answered a question of the task in time.
    NO_ANSWER
    /// The answer to a question follows its schema, but the type of the answer does not take it.
    ANSWER_MISFIT
    /// The question has another answer already, its time is over, or it was withdrawn.
    QUESTION_CLOSED
    /// The task has as many open questions as it may.
    QUESTIONS_EXCEEDED
    /// No model is configured for the assistant.
    NO_MODEL
    /// The model's service failed, or refused the request.
    MODEL_FAILED
    /// The user has used the tokens that the assistant has for a day.
    TOKENS_EXCEEDED
    /// The task was stopped because it is not known whether an effect was done.
    EFFECT_UNKNOWN
    /// An effect sent a second request that may change something.
    EFFECT_TWO_REQUESTS
    /// The task cannot be exported: its values may have secrets, or are no longer kept.
    NOT_EXPORTABLE
    /// A new task cannot go on from the task, or run it again.
    NOT_CONTINUABLE
    /// Something was written in a durable task outside of a step, where each attempt would write it again.
    STEP_NEEDED
    /// A document was changed since it was read.
    DOCUMENT_CONFLICT
    /// There is a document with this id already.
    DOCUMENT_EXISTS
    /// A newer version of the program wrote the document; only a patch may change it.
    DOCUMENT_NEWER
    /// A document is larger than 1 MiB.
    DOCUMENT_TOO_LARGE
    /// A document does not fit the type of its collection.
    DOCUMENT_UNREADABLE
    /// A user has as many documents or bytes of documents as one may, or a step writes too many.
    DOCUMENTS_EXCEEDED
    /// A file is larger than one may be.
    FILE_TOO_LARGE
    /// A user has as many files or bytes of files as one may.
    FILES_EXCEEDED
    /// The content of a file is lost or damaged.
    FILE_UNREADABLE
    /// A query of many documents has no index that fits it.
    INDEX_NEEDED
    /// A secret that the function needs has no value, or one that cannot be opened any more.
    SECRET_MISSING
    /// A result, step, message, question or document has the value of a secret in it.
    SECRET_EXPOSED
    /// A call or task has as many open drafts as it may.
    DRAFT_LIMIT
    /// A part of a schedule cannot be used: its expression, zone, interval, name or dates, or its function.
    SCHEDULE_INVALID
    /// A user has as many schedules as one may.
    TOO_MANY_SCHEDULES
    /// A schedule was changed since it was read.
    SCHEDULE_CHANGED
    /// A schedule is not active, and cannot be made so as things are.
    SCHEDULE_NOT_ACTIVE
    /// A destructive function would run by itself, and its user has not approved it with these parameters.
    APPROVAL_NEEDED
    /// A result is larger than 1 MiB.
    RESULT_TOO_LARGE
    /// A result is nested deeper than 120 levels.
    RESULT_TOO_DEEP
    /// A number of a result is NaN or infinite.
    RESULT_NOT_FINITE
    /// There is no such thing: a task, a page.
    NOT_FOUND
    /// Nobody is signed in, or the token is not valid any more.
    UNAUTHENTICATED
    /// The request is not of the form the API takes.
    MALFORMED_REQUEST
    /// The user has stored as much today as one may.
    QUOTA_EXCEEDED
    /// The platform cannot write right now; nothing was accepted.
    UNAVAILABLE
}

impl ErrorCode {
    /// The code as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn is_well_formed(text: &str) -> bool {
        (3..=64).contains(&text.len())
            && text.starts_with(|c: char| c.is_ascii_uppercase())
            && text.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_')
    }

    fn checked(text: Cow<'static, str>) -> Self {
        if Self::is_well_formed(&text) {
            Self(text)
        } else {
            tracing::warn!(code = %text, "error code is not 3-64 of A-Z, 0-9 and _; sent as EXT_UNSTRUCTURED_ERROR");
            EXT_UNSTRUCTURED_ERROR
        }
    }
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<&'static str> for ErrorCode {
    fn from(text: &'static str) -> Self {
        Self::checked(Cow::Borrowed(text))
    }
}

impl From<String> for ErrorCode {
    fn from(text: String) -> Self {
        Self::checked(Cow::Owned(text))
    }
}

impl PartialEq<str> for ErrorCode {
    fn eq(&self, other: &str) -> bool {
        self.0 == other
    }
}

impl PartialEq<&str> for ErrorCode {
    fn eq(&self, other: &&str) -> bool {
        self.0 == *other
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_malformed_code_becomes_unstructured() {
        assert_eq!(ErrorCode::from("RATE_2"), "RATE_2");
        for bad in ["", "ab", "lower_case", "9LIVES", "WITH SPACE", "ÄRGER"] {
            assert_eq!(ErrorCode::from(bad), EXT_UNSTRUCTURED_ERROR, "{bad:?}");
        }
        assert_eq!(ErrorCode::from("X".repeat(65)), EXT_UNSTRUCTURED_ERROR);
    }

    #[test]
    fn every_platform_code_is_well_formed() {
        for code in ALL {
            assert!(ErrorCode::is_well_formed(code.as_str()), "{code}");
        }
    }
}
