//! The one error of handlers, surfaces and the platform.
//!
//! Owns [`Error`] and how any standard error becomes one. An error carries a code, a text for the
//! user, a kind that says who has to act, and a hidden source for the log. It does not implement
//! `std::error::Error` itself: that is what lets `?` take every error that does.

mod http;
mod kind;

use std::borrow::Cow;
use std::error::Error as StdError;
use std::fmt;

use crate::codes::{self, ErrorCode};
use crate::ids::TaskId;

pub use self::http::{HttpError, HttpErrorKind};
pub use self::kind::{ErrorKind, PollFailure};

type Source = Box<dyn StdError + Send + Sync + 'static>;

/// Why a handler, a task or a surface could not do what was asked.
///
/// `?` takes any standard error: it becomes `INTERNAL`, its text goes to the log and not into the
/// chat. An [`HttpError`] keeps its meaning (`BACKEND_TIMEOUT`, `BACKEND_5XX`, `RATE_LIMITED`,
/// `PERMISSION_DENIED`). For a failure the user should read, write [`Error::user`], or answer with
/// [`ActionResult::error`](crate::ActionResult::error).
///
/// ```
/// use imperal::{Error, ErrorKind, codes};
///
/// fn parse(text: &str) -> imperal::Result<u32> {
///     Ok(text.parse::<u32>()?)
/// }
/// let error = parse("x").unwrap_err();
/// assert_eq!(error.code(), &codes::INTERNAL);
/// assert_eq!(error.kind(), ErrorKind::Internal);
/// assert!(!error.message().contains("invalid digit"));
/// ```
pub struct Error(Box<Inner>);

struct Inner {
    kind: ErrorKind,
    code: ErrorCode,
    message: String,
    field: Option<String>,
    running: Option<RunningTask>,
    poll: Option<PollFailure>,
    /// In the closure of an effect: it proves that the effect was not done.
    not_done: bool,
    source: Option<Source>,
}

/// A running task with a key, from [`Context::running_task`](crate::Context::running_task) or
/// [`Error::already_running`].
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct RunningTask {
    /// Its id.
    pub task_id: TaskId,
    /// The author's name for it, or the function's.
    pub name: String,
    /// Its latest progress, 0 to 100; `None` before its first report.
    pub percent: Option<f64>,
    /// The stage of its latest progress report.
    pub stage: Option<String>,
}

impl RunningTask {
    pub(crate) fn new(task_id: TaskId, name: &str) -> Self {
        Self { task_id, name: name.to_owned(), percent: None, stage: None }
    }
}

/// A percent is never a NaN: progress reports with one are refused.
impl Eq for RunningTask {}

/// The user's text for cancelled work.
const CANCELLED_TEXT: &str = "The task was cancelled.";

/// The user's text for a fault in the author's code.
pub(crate) const INTERNAL_TEXT: &str = "Something went wrong inside the extension. The details are in its log.";

impl Error {
    fn new(kind: ErrorKind, code: ErrorCode, message: impl Into<String>) -> Self {
        Self(Box::new(Inner {
            kind,
            code,
            message: message.into(),
            field: None,
            running: None,
            poll: None,
            not_done: false,
            source: None,
        }))
    }

    /// A failure that the user can act on; `message` is shown unchanged.
    pub fn user(code: impl Into<ErrorCode>, message: impl Into<String>) -> Self {
        Self::new(ErrorKind::User, code.into(), message)
    }

    /// A failure that may pass; `message` is shown unchanged, with a button to run the call again.
    pub fn retryable(code: impl Into<ErrorCode>, message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Retryable, code.into(), message)
    }

    /// A fault in the extension: the user reads a general sentence, the log the source.
    pub fn internal(source: impl Into<Box<dyn StdError + Send + Sync + 'static>>) -> Self {
        Self::new(ErrorKind::Internal, codes::INTERNAL, INTERNAL_TEXT).with_source(source)
    }

    /// The work was cancelled. Let it propagate: the platform tells the user.
    pub fn cancelled() -> Self {
        Self::new(ErrorKind::Cancelled, codes::CANCELLED, CANCELLED_TEXT)
    }

    /// The refusal of a task whose key a running task has.
    pub(crate) fn running_already(task: RunningTask) -> Self {
        let RunningTask { task_id, name, .. } = &task;
        let text = format!("{name} is running already (task {task_id}). Wait for it to end, or cancel it.");
        let mut error = Self::new(ErrorKind::User, codes::ALREADY_RUNNING, text);
        error.0.running = Some(task);
        error
    }

    /// A result that cannot be stored or sent: a fault of the author, with a text for the user.
    pub(crate) fn result(code: ErrorCode, message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Internal, code, message)
    }

    pub(crate) fn platform(code: ErrorCode, message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Platform, code, message)
    }

    /// Names the parameter that is wrong, as a path such as `rows[2].id`.
    #[must_use]
    pub fn with_field(mut self, field: impl Into<String>) -> Self {
        self.0.field = Some(field.into());
        self
    }

    /// Adds the cause, for the log.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Box<dyn StdError + Send + Sync + 'static>>) -> Self {
        self.0.source = Some(source.into());
        self
    }

    /// Says that the effect whose closure returns this error was not done, and will not be: the service refused it in an
    /// answer that the platform cannot read. See [`TaskContext::effect`](crate::TaskContext::effect).
    ///
    /// ```
    /// # use imperal::prelude::*;
    /// # #[derive(Deserialize)] struct Answer { declined: Option<String> }
    /// fn check(answer: Answer) -> Result<()> {
    ///     match answer.declined {
    ///         Some(why) => Err(Error::user("DECLINED", why).not_done()),
    ///         None => Ok(()),
    ///     }
    /// }
    /// # let _ = check(Answer { declined: None });
    /// ```
    #[must_use]
    pub fn not_done(mut self) -> Self {
        self.0.not_done = true;
        self
    }

    pub(crate) fn is_not_done(&self) -> bool {
        self.0.not_done
    }

    /// The machine-readable code.
    pub fn code(&self) -> &ErrorCode {
        &self.0.code
    }

    /// The person who has to act.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// The text for the user.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// The parameter that is wrong, if the error is about one.
    pub fn field(&self) -> Option<&str> {
        self.0.field.as_deref()
    }

    /// The running task with the [`key`](crate::context::BackgroundTask::key) of the task that was refused, for an
    /// `ALREADY_RUNNING` error.
    pub fn already_running(&self) -> Option<&RunningTask> {
        self.0.running.as_ref()
    }

    /// The cause.
    pub fn source(&self) -> Option<&(dyn StdError + Send + Sync + 'static)> {
        self.0.source.as_deref()
    }

    /// Whether the work was cancelled or is over.
    pub fn is_cancelled(&self) -> bool {
        self.0.kind == ErrorKind::Cancelled
    }

    /// The failed part of a wait of [`Context::poll`](crate::Context::poll), for an error from one: the job, a check
    /// of it, or the deadline.
    pub fn poll_failure(&self) -> Option<PollFailure> {
        self.0.poll
    }

    pub(crate) fn with_poll_failure(mut self, failure: PollFailure) -> Self {
        self.0.poll = Some(failure);
        self
    }

    /// The error with its texts replaced. A source whose text changes is only a text from then on.
    pub(crate) fn screened(mut self, replace: impl Fn(&str) -> Cow<'_, str>) -> Self {
        let screen = |text: &mut String| {
            if let Cow::Owned(replaced) = replace(text) {
                *text = replaced;
            }
        };
        screen(&mut self.0.message);
        self.0.field.iter_mut().for_each(screen);
        if matches!(replace(self.0.code.as_str()), Cow::Owned(_)) {
            self.0.code = codes::EXT_UNSTRUCTURED_ERROR;
        }
        if let Some(source) = &self.0.source {
            let mut text = source.to_string();
            let mut inner = source.source();
            while let Some(error) = inner {
                text = format!("{text}: {error}");
                inner = error.source();
            }
            if let Cow::Owned(replaced) = replace(&text) {
                self.0.source = Some(replaced.into());
            }
        }
        self
    }

    /// The code and the text for the user.
    pub(crate) fn into_code_and_message(self) -> (ErrorCode, String) {
        (self.0.code, self.0.message)
    }
}

/// The deepest source of an error: "connection refused" and not "error sending request".
#[cfg(feature = "platform")]
pub(crate) fn root<'a>(error: &'a (dyn StdError + 'static)) -> &'a (dyn StdError + 'static) {
    let mut innermost = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    innermost
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.0.code, self.0.message)?;
        let mut source = self.0.source.as_deref().map(|s| s as &dyn StdError);
        while let Some(error) = source {
            write!(f, ": {error}")?;
            source = error.source();
        }
        Ok(())
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Error({:?}, {self})", self.0.kind)
    }
}

impl<E: StdError + Send + Sync + 'static> From<E> for Error {
    fn from(error: E) -> Self {
        // Coherence allows one blanket impl, so errors with a meaning of their own are recognised here.
        match (&error as &(dyn StdError + 'static)).downcast_ref::<HttpError>() {
            Some(http) => {
                let (kind, code, message) = http.classify();
                Self::new(kind, code, message).with_source(error)
            }
            None => Self::internal(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_standard_error_is_internal_and_its_text_stays_out_of_the_chat() {
        let error = Error::from(std::io::Error::other("password hunter2 refused"));
        assert_eq!(error.kind(), ErrorKind::Internal);
        assert!(error.to_string().contains("hunter2"), "the log has the source");
        assert!(!error.message().contains("hunter2"));
    }

    #[test]
    fn size_is_one_pointer() {
        assert_eq!(size_of::<Error>(), size_of::<usize>());
    }
}
