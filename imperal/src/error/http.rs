//! Failures of outgoing calls, by kind.

use std::fmt;
use std::time::Duration;

use http::StatusCode;

use super::ErrorKind;
use crate::codes::{self, ErrorCode};

/// The kind of an [`HttpError`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum HttpErrorKind {
    /// No complete answer within the timeout. Of an answer that is read as it comes: silence for that long.
    Timeout,
    /// The service could not be reached, or the connection broke.
    Connect,
    /// An answer that is read as it comes broke off in its middle. What was read of it is not all of it.
    CutOff,
    /// The service answered with a 4xx or 5xx status.
    Status(StatusCode),
    /// The answer is not what was asked for: not JSON, not UTF-8.
    Decode,
    /// The answer has more bytes than the [body limit](crate::context::RequestBuilder::body_limit), or one of its events
    /// more than the [event limit](crate::context::RequestBuilder::event_limit).
    TooLarge,
    /// A redirect that is not followed: with a body to another origin, from https to http, to another
    /// scheme, or one too many. The error names the origins.
    Redirect,
    /// Refused before anything was sent: a timeout over the cap, a malformed URL or header.
    Refused,
    /// The work was cancelled or had ended.
    Stopped,
    /// An effect sends one request that may change something, and this was the second. Nothing was sent.
    SecondRequest,
}

/// A failed outgoing call. Contains no path and no query of a URL, which may hold a key.
#[derive(Debug)]
pub struct HttpError {
    kind: HttpErrorKind,
    detail: String,
    attempts: u32,
    /// Whether no connection was made, so that the service got nothing.
    never_sent: bool,
    source: Option<reqwest::Error>,
}

impl HttpError {
    fn new(kind: HttpErrorKind, detail: String) -> Self {
        Self { kind, detail, attempts: 1, never_sent: false, source: None }
    }

    pub(crate) fn refused(detail: String) -> Self {
        Self { attempts: 0, ..Self::new(HttpErrorKind::Refused, detail) }
    }

    pub(crate) fn decode(detail: String) -> Self {
        Self::new(HttpErrorKind::Decode, detail)
    }

    pub(crate) fn too_large(limit: usize) -> Self {
        let detail = format!("the answer is larger than the limit of {limit} bytes; `.body_limit(..)` sets another");
        Self::new(HttpErrorKind::TooLarge, detail)
    }

    pub(crate) fn event_too_large(limit: usize) -> Self {
        let detail = format!("an event is larger than the limit of {limit} bytes; `.event_limit(..)` sets another");
        Self::new(HttpErrorKind::TooLarge, detail)
    }

    pub(crate) fn redirect(detail: String) -> Self {
        Self::new(HttpErrorKind::Redirect, detail)
    }

    pub(crate) fn stopped(detail: &str) -> Self {
        Self::new(HttpErrorKind::Stopped, detail.to_owned())
    }

    pub(crate) fn status(status: StatusCode) -> Self {
        Self::new(HttpErrorKind::Status(status), format!("the service answered {status}"))
    }

    pub(crate) fn timeout(timeout: Duration) -> Self {
        Self::new(HttpErrorKind::Timeout, format!("no answer within {} s", timeout.as_secs_f64()))
    }

    /// Nothing came of an answer that is read as it comes.
    pub(crate) fn silence(longest: Duration) -> Self {
        Self::new(HttpErrorKind::Timeout, format!("no byte for {} s", longest.as_secs_f64()))
    }

    /// The body of an answer broke off.
    pub(crate) fn cut_off(error: reqwest::Error) -> Self {
        Self { source: Some(error.without_url()), ..Self::broken_off() }
    }

    pub(crate) fn broken_off() -> Self {
        Self::new(HttpErrorKind::CutOff, "the connection broke before the answer was complete".to_owned())
    }

    fn connect() -> Self {
        Self::new(HttpErrorKind::Connect, "the service could not be reached".to_owned())
    }

    /// No connection was made.
    #[cfg(any(test, feature = "testing"))]
    pub(crate) fn unreachable() -> Self {
        Self { never_sent: true, ..Self::connect() }
    }

    pub(crate) fn second_request() -> Self {
        let detail = "an effect sends one request that may change something; put the second into an effect of its own";
        Self { attempts: 0, ..Self::new(HttpErrorKind::SecondRequest, detail.to_owned()) }
    }

    pub(crate) fn after(mut self, attempts: u32) -> Self {
        self.attempts = attempts;
        self
    }

    pub(crate) fn from_reqwest(error: reqwest::Error, timeout: Duration) -> Self {
        let made = if error.is_timeout() {
            Self::timeout(timeout)
        } else if error.is_builder() {
            Self::refused("the request is malformed".to_owned())
        } else if error.is_decode() {
            Self::decode("the answer could not be read".to_owned())
        } else {
            Self::connect()
        };
        let never_sent = made.kind == HttpErrorKind::Connect && error.is_connect();
        Self { never_sent, source: Some(error.without_url()), ..made }
    }

    /// How often the request was sent: more than 1 only with
    /// [`retry`](crate::context::RequestBuilder::retry), 0 when it was refused before.
    pub fn attempts(&self) -> u32 {
        self.attempts
    }

    /// Whether another attempt may succeed.
    pub(crate) fn may_pass(&self) -> bool {
        self.kind == HttpErrorKind::Connect
    }

    /// Whether the service got nothing of the request.
    pub(crate) fn was_never_sent(&self) -> bool {
        self.never_sent || self.kind == HttpErrorKind::Refused
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

    /// The kind, code and user's text that `?` gives to it.
    pub(super) fn classify(&self) -> (ErrorKind, ErrorCode, String) {
        let tried = match self.attempts {
            0 | 1 => String::new(),
            attempts => format!(" It was asked {attempts} times."),
        };
        match self.kind {
            HttpErrorKind::Timeout => (
                ErrorKind::Retryable,
                codes::BACKEND_TIMEOUT,
                format!("The service did not answer in time ({}).{tried}", self.detail),
            ),
            HttpErrorKind::Connect => {
                (ErrorKind::Retryable, codes::BACKEND_5XX, format!("The service could not be reached.{tried}"))
            }
            HttpErrorKind::CutOff => {
                let text = "The connection to the service broke in the middle of its answer.";
                (ErrorKind::Retryable, codes::BACKEND_5XX, text.to_owned())
            }
            HttpErrorKind::Status(status) if status.is_server_error() => {
                (ErrorKind::Retryable, codes::BACKEND_5XX, format!("The service failed ({status}).{tried}"))
            }
            HttpErrorKind::Status(StatusCode::TOO_MANY_REQUESTS) => (
                ErrorKind::Retryable,
                codes::RATE_LIMITED,
                format!("The service asks to slow down.{tried} Try again later."),
            ),
            HttpErrorKind::Status(status @ (StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN)) => (
                ErrorKind::User,
                codes::PERMISSION_DENIED,
                format!("The service refused access ({status}). Check the key or the account."),
            ),
            HttpErrorKind::Stopped => (ErrorKind::Cancelled, codes::CANCELLED, super::CANCELLED_TEXT.to_owned()),
            HttpErrorKind::SecondRequest => {
                (ErrorKind::Internal, codes::EFFECT_TWO_REQUESTS, super::INTERNAL_TEXT.to_owned())
            }
            HttpErrorKind::Status(_)
            | HttpErrorKind::Decode
            | HttpErrorKind::TooLarge
            | HttpErrorKind::Redirect
            | HttpErrorKind::Refused => (ErrorKind::Internal, codes::INTERNAL, super::INTERNAL_TEXT.to_owned()),
        }
    }
}

impl fmt::Display for HttpError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.detail)?;
        if self.attempts > 1 { write!(f, ", after {} attempts", self.attempts) } else { Ok(()) }
    }
}

impl std::error::Error for HttpError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_ref().map(|error| error as _)
    }
}
