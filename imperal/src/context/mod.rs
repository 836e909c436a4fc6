//! The surfaces of a running function, one per file.
//!
//! Owns [`Context`], which handlers and background tasks both get. The surfaces reach the platform through the
//! trait `Host` alone and know no SQL and no HTTP server.

mod assistant;
mod background;
mod blocking;
mod chat;
mod documents;
mod draft;
mod durable;
mod fan_out;
mod files;
mod guarded_host;
mod hazard;
mod host;
mod http;
mod log;
mod on_cancel;
mod poll;
mod progress;
mod schedules;
mod secrets;
mod signal;
mod span;
mod state;
mod step_files;

use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::AtomicU8;
use std::time::Duration;

use crate::codes;
use crate::error::Error;
use crate::ids::{CallId, TaskId};
use crate::result::Result;
use on_cancel::Cleanups;

pub use crate::error::{HttpError, HttpErrorKind, PollFailure};
use crate::rows::{Attempt, Work};
pub use crate::rows::{EffectAnswer, MsgType};
use crate::secrets::SecretsInUse;
pub use crate::user::User;

pub(crate) use assistant::{
    CallApproval, Decision, ModelNote, ModelOutcome, OfferedFunction, ToolAnswer, ToolCall, ToolKind,
};
pub use background::BackgroundTask;
pub(crate) use background::{TaskBody, TaskRequest};
pub use blocking::Blocking;
pub use chat::{CHAT_TEXT_LIMIT, Delivery, Receipt, TRUNCATION_MARKER};
pub(crate) use chat::{ChatDelivery, SaidStep, cut_text};
pub(crate) use documents::{Change as DocumentChange, DocumentsWritten, StepDocuments, merge_again, to_writes};
pub use documents::{Collection, Cursor, Document, DocumentValue, Documents, Find, Found, UnreadableDocument};
pub use draft::Draft;
pub use durable::{
    Answer, Ask, AskOr, AskWithin, DurableTask, Effect, EffectKey, FanOutSteps, KnownEffect, PreparedTask, Retrying,
    Sleep, Step, StepName, StepRetry, StepValue, TaskContext,
};
pub(crate) use durable::{
    DurableRequest, DurableRun, EFFECT_GRACE, Leaving, MessageKey, PARKED_FROM, StepsDigest, StoredSteps, are_alike,
    log_with_documents,
};
use durable::{EffectRequest, InFlight, StepScope};
pub use fan_out::{FanOut, Part};
pub(crate) use files::{FileBytes, FilePut};
pub use files::{FileStream, Files, ListFiles, PutFile};
use guarded_host::GuardedHost;
pub(crate) use guarded_host::screen_ending;
use hazard::Place;
pub(crate) use hazard::{Hazard, PathText, SaidText};
pub(crate) use host::{AnswerCheck, Host, HostFuture};
pub(crate) use http::{BodyStream, Exchange, HttpPool, OpenResponse, OutgoingRequest, Pending, Transport};
pub use http::{
    DEFAULT_TIMEOUT, EventStream, Http, MAX_BODY_LIMIT, MAX_TIMEOUT, RequestBuilder, Response, ResponseStream, Retry,
    RetryWait, ServerEvent, Timeout,
};
pub use log::Log;
pub use on_cancel::OnCancel;
pub(crate) use on_cancel::{clean_up, forget_cleanups};
pub use poll::{JobStatus, Polling};
pub use progress::Percent;
pub(crate) use progress::{ProgressMark, ReportPause, StepMoment, WorkListener};
pub(crate) use schedules::ScheduleChange;
pub use schedules::{OwnSchedule, OwnSchedules};
pub(crate) use secrets::check_value;
pub use signal::StopReason;
pub(crate) use signal::{Disturbance, Signal};
pub(crate) use span::WorkSpan;
pub(crate) use state::States;
pub(crate) use step_files::StepFiles;

/// How often cancelled work looks whether its effects are still in flight.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// The call or task that a context belongs to. It never changes.
#[derive(Debug, Clone)]
pub(crate) struct Origin {
    pub(crate) app_id: &'static str,
    pub(crate) function: &'static str,
    pub(crate) user: User,
    pub(crate) call_id: CallId,
    pub(crate) task_id: Option<TaskId>,
    /// The attempt of the task; 0 in a call.
    pub(crate) attempt: u32,
    /// The values that it has read. Tasks that it starts share them.
    pub(crate) secrets: SecretsInUse,
}

impl Origin {
    /// The work that the surfaces write for.
    pub(crate) fn work(&self) -> Work {
        match self.task_id {
            Some(task_id) => Work::Task(Attempt { task_id, number: self.attempt }),
            None => Work::Call(self.call_id),
        }
    }
}

/// The parts that all contexts of a process share.
#[derive(Clone)]
pub(crate) struct Services {
    /// Behind the guard of secrets.
    host: Arc<dyn Host>,
    http: HttpPool,
    states: Arc<States>,
}

impl Services {
    pub(crate) fn new(host: Arc<dyn Host>, http: HttpPool, states: Arc<States>) -> Arc<Self> {
        Arc::new(Self { host: GuardedHost::new(host), http, states })
    }
}

/// The surfaces of one call or one background task. Cloning is cheap; all clones belong to the same call or
/// task.
///
/// When the call or task has ended, its surfaces refuse: a clone in a stray `tokio::spawn` can neither send,
/// report nor deliver.
///
/// The context of a step belongs to the step, and refuses once the step has ended.
#[derive(Clone)]
pub struct Context(Arc<Inner>, Option<Arc<StepScope>>);

struct Inner {
    origin: Origin,
    signal: Signal,
    services: Arc<Services>,
    cleanups: Cleanups,
    span: WorkSpan,
    /// In the context of a cleanup: why the work was stopped.
    cleanup_after: Option<StopReason>,
    /// In the context of a durable task: its attempt.
    durable: Option<Arc<DurableRun>>,
    /// How many drafts are open.
    open_drafts: AtomicU8,
}

impl Context {
    pub(crate) fn new(origin: Origin, services: Arc<Services>, span: WorkSpan) -> Self {
        Self::make(origin, services, span, None, None)
    }

    /// The context of an attempt of a durable task.
    pub(crate) fn durable(origin: Origin, services: Arc<Services>, span: WorkSpan, run: Arc<DurableRun>) -> Self {
        Self::make(origin, services, span, None, Some(run))
    }

    fn make(
        origin: Origin,
        services: Arc<Services>,
        span: WorkSpan,
        cleanup_after: Option<StopReason>,
        durable: Option<Arc<DurableRun>>,
    ) -> Self {
        let inner = Inner {
            origin,
            signal: Signal::new(),
            services,
            cleanups: Cleanups::default(),
            span,
            cleanup_after,
            durable,
            open_drafts: AtomicU8::new(0),
        };
        Self(Arc::new(inner), None)
    }

    /// The context of a step of this work.
    fn in_step(&self, scope: Arc<StepScope>) -> Self {
        Self(self.0.clone(), Some(scope))
    }

    /// Ends the context of a step, with the cleanups that were registered in it. Those of work that is being
    /// stopped stay: the supervisor runs them.
    fn close_step(&self) {
        let is_live = self.0.signal.is_live();
        for number in self.1.iter().flat_map(|scope| scope.close()) {
            if is_live {
                drop(self.0.cleanups.take(number));
            }
        }
    }

    /// In a durable task whose process stops: asks for the hand-over, and waits to be dropped by it. The next attempt
    /// does the work that could not begin.
    pub(crate) async fn wait_for_hand_over(&self) {
        if self.step_in_use().is_some_and(|scope| scope.effect().is_some()) {
            // It would be cut off, and then be unknown. Its closure gets an error.
            return;
        }
        if let Some(run) = self.durable_run() {
            run.ask_hand_over();
            // The step runs again, so it is not waited for.
            let _pause = self.step_scope().map(|_| run.pause());
            std::future::pending::<()>().await;
        }
    }

    /// The attempt, in a durable task.
    pub(crate) fn durable_run(&self) -> Option<&Arc<DurableRun>> {
        self.0.durable.as_ref()
    }

    /// The step that this context belongs to.
    fn step_scope(&self) -> Option<&StepScope> {
        self.1.as_deref()
    }

    /// The step that uses this context now: its own, or another whose closure is being polled.
    fn step_in_use(&self) -> Option<Arc<StepScope>> {
        self.1.clone().or_else(|| StepScope::polled(self.durable_run()?.attempt))
    }

    /// The documents of the step that uses this context now.
    fn step_documents(&self) -> Option<Arc<StepDocuments>> {
        self.step_in_use().map(|step| step.documents().clone())
    }

    /// Whether what is written with this context is stored: by a handler or a background task at once, by a step with it.
    fn keeps_documents(&self) -> bool {
        self.step_in_use().map_or(self.durable_run().is_none(), |step| step.writes_documents())
    }

    /// Refuses, in the closure of a step, what this context does outside of steps. It would not be attributed to
    /// the step: when the step runs again it would happen again, and a step would hold up the one it runs in.
    ///
    /// # Errors
    /// `STEP_IN_STEP`.
    fn check_outside_of_steps(&self, what: &str) -> Result<()> {
        match (self.step_scope(), self.step_in_use()) {
            (None, Some(step)) => Err(Error::platform(
                codes::STEP_IN_STEP,
                format!(
                    "{what} was begun in the step `{}` with the context of the body. In a step, use the context that \
                     its closure gets; steps cannot be nested.",
                    step.name()
                ),
            )),
            _ => Ok(()),
        }
    }

    /// In a durable task: holds up a hand-over until it is dropped.
    fn in_flight(&self) -> Option<InFlight> {
        self.durable_run().map(DurableRun::enter)
    }

    fn open_drafts(&self) -> &AtomicU8 {
        &self.0.open_drafts
    }

    /// Whether the work's reports are news. A resumed durable task is silent while it passes its stored steps.
    fn is_live(&self) -> bool {
        self.durable_run().is_none_or(|run| run.is_live())
    }

    /// Whether both are contexts of the same call or the same attempt of a task in this process.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
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

    pub(crate) fn services(&self) -> &Arc<Services> {
        &self.0.services
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

    /// The call that this context belongs to. In a background task it is the call that started the task.
    pub fn call_id(&self) -> CallId {
        self.0.origin.call_id
    }

    /// The background task, or `None` in the handler itself.
    pub fn task_id(&self) -> Option<TaskId> {
        self.0.origin.task_id
    }

    /// Completes when the user cancels. From then on the task ends `cancelled`, whatever the work returns. The
    /// work then has the grace period (10 s) for cleaning up.
    ///
    /// For `tokio::select!` around waits of other libraries; `progress`, `http` and the other surfaces notice a
    /// cancel by themselves. Cancel safe. In a handler outside a task it completes when the call's cap ends
    /// the call.
    pub async fn cancelled(&self) {
        self.0.signal.stopped().await;
    }

    /// Whether this work has to stop or is over, for whichever reason: a cancel, a time limit, a process that
    /// stops. [`stop_reason`](Self::stop_reason) tells them apart. After a `true` for a cancel the task ends
    /// `cancelled`, as with [`Context::cancelled`].
    pub fn is_cancelled(&self) -> bool {
        self.0.signal.check().is_err()
    }

    /// Why this work has to stop or was stopped; `None` while it may go on. After
    /// [`StopReason::Cancelled`] the task ends `cancelled`, as with [`Context::cancelled`].
    ///
    /// In a cleanup of [`on_cancel`](Self::on_cancel) it is the reason why the work was stopped, while the
    /// cleanup's own surfaces work. So a cleanup can tell "the user does not want it" from "the process
    /// stops, and the user may run it again":
    ///
    /// ```
    /// # use imperal::{prelude::*, context::StopReason};
    /// # async fn work(ctx: Context, job_url: String) -> Result<()> {
    /// let armed = ctx.on_cancel(move |ctx| async move {
    ///     if ctx.stop_reason() != Some(StopReason::Interrupted) {
    ///         ctx.http().delete(job_url).timeout(5).send().await?.error_for_status()?;
    ///     }
    ///     Ok(())
    /// });
    /// # armed.disarm(); Ok(()) }
    /// ```
    pub fn stop_reason(&self) -> Option<StopReason> {
        self.0.cleanup_after.or_else(|| self.0.signal.check().err())
    }

    /// How long this call or task may still run before its cap ends it: 300 s for a call, 180 s or
    /// 1800 s for a task, less what has passed. Zero once it is over.
    pub fn time_left(&self) -> Duration {
        self.0.signal.time_left()
    }

    /// Runs a part of the work until it ends or the work has to stop. After a cancel the part goes on while an effect
    /// of the task is in flight: dropped in the middle, the effect would be unknown. The supervisor bounds the time.
    async fn until_stopped<T>(&self, part: impl Future<Output = Result<T>>) -> Result<T> {
        let mut part = std::pin::pin!(part);
        let reason = tokio::select! {
            biased;
            reason = self.0.signal.stopped() => reason,
            ended = &mut part => return ended,
        };
        let has_effects = || self.durable_run().is_some_and(|run| run.has_effects());
        while reason == StopReason::Cancelled && has_effects() {
            tokio::select! {
                _ = &mut part => break,
                () = tokio::time::sleep(LOOK_EVERY) => {}
            }
        }
        Err(reason.into_error())
    }

    /// Refuses when the work was cancelled or is over. Counts as a sign of life.
    fn check_active(&self) -> Result<()> {
        self.0.signal.check().map_err(StopReason::into_error)?;
        if self.step_scope().is_some_and(StepScope::is_closed) {
            return Err(Error::cancelled().with_source("the step that this context belongs to has ended"));
        }
        self.0.signal.touch();
        Ok(())
    }
}

impl StopReason {
    fn into_error(self) -> Error {
        match self {
            Self::Cancelled => Error::cancelled(),
            _ => Error::cancelled().with_source("the call or task that this context belongs to has ended"),
        }
    }
}

impl fmt::Debug for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Context").field("origin", &self.0.origin).finish_non_exhaustive()
    }
}
