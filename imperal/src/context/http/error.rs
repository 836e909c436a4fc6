//! Why an outgoing call failed, by kind.

use std::fmt;
use std::time::Duration;

use http::StatusCode;

use crate::codes;
use crate::error::Error;

/// The kind of an [`HttpError`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum HttpErrorKind {
    /// No complete answer within the timeout.
    Timeout,
    /// The service could not be reached, or the connection broke.
    Connect,
    /// The service answered with a 4xx or 5xx status.
    Status(StatusCode),
    /// The answer is not what was asked for: not JSON, not UTF-8, too large.
    Decode,
    /// Refused before anything was sent: a timeout over the cap, a malformed URL or header.
    Refused,
    /// The work was cancelled or had ended.
    Stopped,
}

/// A failed outgoing call. Never contains the URL, which may hold a key.
#[derive(Debug)]
pub struct HttpError {
    kind: HttpErrorKind,
    detail: String,
    source: Option<reqwest::Error>,
}

impl HttpError {
    pub(super) fn refused(detail: String) -> Self {
        Self { kind: HttpErrorKind::Refused, detail, source: None }
    }

    pub(super) fn decode(detail: String) -> Self {
        Self { kind: HttpErrorKind::Decode, detail, source: None }
    }

    pub(super) fn stopped(detail: &str) -> Self {
        Self { kind: HttpErrorKind::Stopped, detail: detail.to_owned(), source: None }
    }

    pub(super) fn status(status: StatusCode) -> Self {
        Self { kind: HttpErrorKind::Status(status), detail: format!("the service answered {status}"), source: None }
    }

    pub(super) fn from_reqwest(error: reqwest::Error, timeout: Duration) -> Self {
        let (kind, detail) = if error.is_timeout() {
            (HttpErrorKind::Timeout, format!("no answer within {} s", timeout.as_secs_f64()))
        } else if error.is_builder() {
            (HttpErrorKind::Refused, "the request is malformed".to_owned())
        } else if error.is_decode() {
            (HttpErrorKind::Decode, "the answer could not be read".to_owned())
        } else if error.is_redirect() {
            (HttpErrorKind::Connect, "too many redirects".to_owned())
        } else {
            (HttpErrorKind::Connect, "the service could not be reached".to_owned())
        };
        Self { kind, detail, source: Some(error.without_url()) }
    }

    /// Its kind.
    pub fn kind(&self) -> HttpErrorKind {
        self.kind
    }

    /// Whether the call ran into its timeout.
    pub fn is_timeout(&self) -> bool {
        self.kind == HttpErrorKind::Timeout
    }

    /// Whether the service could not be reached.
    pub fn is_connect(&self) -> bool {
        self.kind == HttpErrorKind::Connect
    }

    /// The status, where the service answered with an error.
    pub fn status_code(&self) -> Option<StatusCode> {
        match self.kind {
            HttpErrorKind::Status(status) => Some(status),
            _ => None,
        }
    }

    /// What it means to the user: the code and text that `?` gives it.
    pub(crate) fn meaning(&self) -> Error {
        match self.kind {
            HttpErrorKind::Timeout => Error::retryable(
                codes::BACKEND_TIMEOUT,
                format!("The service did not answer in time ({}).", self.detail),
            ),
            HttpErrorKind::Connect => Error::retryable(codes::BACKEND_5XX, "The service could not be reached."),
            HttpErrorKind::Status(status) if status.is_server_error() => {
                Error::retryable(codes::BACKEND_5XX, format!("The service failed ({status})."))
            }
            HttpErrorKind::Status(StatusCode::TOO_MANY_REQUESTS) => {
                Error::retryable(codes::RATE_LIMITED, "The service asks to slow down. Try again later.")
            }
            HttpErrorKind::Status(status @ (StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN)) => Error::user(
                codes::PERMISSION_DENIED,
                format!("The service refused access ({status}). Check the key or the account."),
            ),
            HttpErrorKind::Stopped => Error::cancelled(),
            HttpErrorKind::Status(_) | HttpErrorKind::Decode | HttpErrorKind::Refused => {
                Error::internal(self.to_string())
            }
        }
    }
}

impl fmt::Display for HttpError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.detail)
    }
}

impl std::error::Error for HttpError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_ref().map(|error| error as _)
    }
}
