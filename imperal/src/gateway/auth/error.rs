//! Why a token was refused, or a key cannot be used.

use std::fmt;
use std::time::Duration;

/// Why a token was refused, or a key cannot be used. Never contains the token.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum AuthError {
    /// The token or session is not valid. A client gets 401 with this text.
    InvalidToken(String),
    /// A secret, key or key set cannot be used.
    UnusableKey(String),
    /// The issuer's keys cannot be fetched right now, so the token was not checked. A client gets 503.
    KeysUnavailable {
        /// When to try again.
        retry_after: Duration,
    },
}

impl AuthError {
    pub(super) fn invalid(text: impl Into<String>) -> Self {
        Self::InvalidToken(text.into())
    }

    pub(super) fn unusable_key(text: impl Into<String>) -> Self {
        Self::UnusableKey(text.into())
    }

    /// When to try again. `None` if another try has the same result.
    pub(super) fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::KeysUnavailable { retry_after } => Some(*retry_after),
            Self::InvalidToken(_) | Self::UnusableKey(_) => None,
        }
    }
}

impl fmt::Display for AuthError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InvalidToken(text) | Self::UnusableKey(text) => f.write_str(text),
            Self::KeysUnavailable { .. } => {
                f.write_str("Tokens cannot be checked right now: the issuer's keys cannot be fetched. Try again.")
            }
        }
    }
}

impl std::error::Error for AuthError {}
