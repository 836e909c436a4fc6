//! What a handler can reach: one surface a file.
//!
//! Owns [`Context`] and the narrow traits through which the surfaces reach the platform. Knows no
//! SQL and no HTTP server. The same type serves a handler and a background task; what differs is
//! whether it belongs to a task.

mod background;
mod blocking;
mod chat;
mod fan_out;
mod http;
mod log;
mod on_cancel;
mod poll;
mod progress;
mod signal;
mod state;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::error::Error;
use crate::ids::{CallId, TaskId};
use crate::result::Result;
use crate::trace::WorkSpan;
use on_cancel::Cleanups;

pub use crate::rows::MsgType;
pub use crate::user::User;

pub use background::BackgroundTask;
pub(crate) use background::{NewBackground, SpawnTask, Work};
pub use blocking::Blocking;
pub use chat::{CHAT_TEXT_LIMIT, Delivery, Receipt, TRUNCATION_MARKER};
pub(crate) use chat::{ChatDelivery, DeliverChat, cut_text};
pub use fan_out::{FanOut, Part};
pub use http::{
    DEFAULT_TIMEOUT, Http, HttpError, HttpErrorKind, MAX_BODY_LIMIT, MAX_TIMEOUT, RequestBuilder, Response, Retry,
    RetryWait, Timeout,
};
pub(crate) use http::{Exchange, HttpPool, Outgoing, Transport, choose_cryptography};
pub use log::Log;
pub use on_cancel::OnCancel;
pub(crate) use on_cancel::{clean_up, forget_cleanups};
pub use poll::{JobStatus, Polling};
pub use progress::Percent;
pub(crate) use progress::{Held, ProgressListener, ProgressMark, ReportProgress};
pub(crate) use signal::{Signal, Stop};
pub(crate) use state::States;

/// Whose work a context belongs to: fixed when it is made, never changed.
#[derive(Debug, Clone)]
pub(crate) struct Origin {
    pub(crate) app_id: &'static str,
    pub(crate) function: &'static str,
    pub(crate) user: User,
    pub(crate) call_id: CallId,
    pub(crate) task_id: Option<TaskId>,
}

/// The platform's side of the surfaces.
#[derive(Clone)]
pub(crate) struct Ports {
    pub(crate) tasks: Arc<dyn SpawnTask>,
    pub(crate) progress: Arc<dyn ReportProgress>,
    pub(crate) chat: Arc<dyn DeliverChat>,
    pub(crate) http: HttpPool,
    pub(crate) states: Arc<States>,
}

/// The surfaces of one call or one background task. Cloning is cheap; all clones are the same
/// call or task.
///
/// When the call or task has ended, its surfaces refuse: a clone kept by a stray `tokio::spawn`
/// can neither send, report nor deliver.
#[derive(Clone)]
pub struct Context(Arc<Inner>);

struct Inner {
    origin: Origin,
    signal: Signal,
    ports: Arc<Ports>,
    cleanups: Cleanups,
    span: WorkSpan,
}

impl Context {
    pub(crate) fn new(origin: Origin, ports: Arc<Ports>, span: WorkSpan) -> Self {
        Self(Arc::new(Inner { origin, signal: Signal::new(), ports, cleanups: Cleanups::default(), span }))
    }

    pub(crate) fn origin(&self) -> &Origin {
        &self.0.origin
    }

    pub(crate) fn signal(&self) -> &Signal {
        &self.0.signal
    }

    pub(crate) fn span(&self) -> &WorkSpan {
        &self.0.span
    }

    pub(crate) fn ports(&self) -> &Arc<Ports> {
        &self.0.ports
    }

    /// The user who made the call.
    pub fn user(&self) -> &User {
        &self.0.origin.user
    }

    /// The extension's `app_id`.
    pub fn app_id(&self) -> &str {
        self.0.origin.app_id
    }

    /// The chat function's name.
    pub fn function(&self) -> &str {
        self.0.origin.function
    }

    /// The call that this belongs to; a background task keeps the call that started it.
    pub fn call_id(&self) -> CallId {
        self.0.origin.call_id
    }

    /// The background task, or `None` in the handler itself.
    pub fn task_id(&self) -> Option<TaskId> {
        self.0.origin.task_id
    }

    /// Completes when the user cancels. From then on the task ends `cancelled`, whatever the work
    /// returns; it has the grace period (10 s) for cleaning up.
    ///
    /// For `tokio::select!` around waits that are not the platform's own; `progress` and `http`
    /// notice by themselves. Cancel safe. In a handler outside a task it completes when the call's
    /// cap ends it.
    pub async fn cancelled(&self) {
        self.0.signal.told().await;
    }

    /// Whether the user has cancelled; a `true` counts as told, as with [`Context::cancelled`].
    pub fn is_cancelled(&self) -> bool {
        self.0.signal.check().is_err()
    }

    /// How long this call or task may still run before its cap ends it: 300 s for a call, 180 s or
    /// 1800 s for a task, less what has passed. Zero once it is over.
    pub fn time_left(&self) -> Duration {
        self.0.signal.time_left()
    }

    /// Refuses when the work was told to stop or is over, and counts as a sign of life.
    fn enter(&self) -> Result<()> {
        self.0.signal.check().map_err(Stop::into_error)?;
        self.0.signal.touch();
        Ok(())
    }
}

impl Stop {
    fn into_error(self) -> Error {
        match self {
            Self::Cancelled => Error::cancelled(),
            Self::Over => Error::cancelled().with_source("the call or task that this context belongs to has ended"),
        }
    }
}

impl fmt::Debug for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Context").field("origin", &self.0.origin).finish_non_exhaustive()
    }
}
