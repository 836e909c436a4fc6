//! Why a token was refused.

use std::fmt;
use std::time::Duration;

/// Why a token was refused or a key cannot be used. Never contains the token.
#[derive(Debug, Clone)]
pub struct AuthError {
    text: String,
    /// Set if the token could not be checked.
    retry_after: Option<Duration>,
}

impl AuthError {
    pub(super) fn invalid(text: impl Into<String>) -> Self {
        Self { text: text.into(), retry_after: None }
    }

    /// The issuer's keys are not available right now.
    pub(super) fn unavailable(retry_after: Duration) -> Self {
        let text = "Tokens cannot be checked right now: the issuer's keys cannot be fetched. Try again.";
        Self { text: text.to_owned(), retry_after: Some(retry_after) }
    }

    /// When to try again. `None` if the token itself is refused.
    pub(super) fn retry_after(&self) -> Option<Duration> {
        self.retry_after
    }
}

impl fmt::Display for AuthError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl std::error::Error for AuthError {}
