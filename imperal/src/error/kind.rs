//! Kinds of errors: the person who has to act, and the failed part of a poll.

/// The person who has to act on an [`Error`](crate::Error).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The user: the request cannot be done as it was made.
    User,
    /// No one: the same call may succeed later.
    Retryable,
    /// No one: the user cancelled the work.
    Cancelled,
    /// The author: a fault in the extension. Its text stays out of the chat.
    Internal,
    /// The operator: the platform could not do its part.
    Platform,
}

/// The failed part of a wait of [`Context::poll`](crate::Context::poll).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum PollFailure {
    /// The job itself: the check returned [`JobStatus::Failed`](crate::context::JobStatus::Failed).
    Job,
    /// A check: the job may still run at the service. A 401 in the middle is one.
    Check,
    /// The job was not done within [`within`](crate::context::Polling::within).
    Deadline,
}
