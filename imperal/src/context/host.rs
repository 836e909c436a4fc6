//! The trait between the surfaces and the platform.
//!
//! A surface checks its arguments and hands plain values to its [`Host`], which writes, schedules and audits.
//! The surfaces know the platform by this trait alone.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use super::background::TaskRequest;
use super::chat::ChatDelivery;
use super::durable::DurableRequest;
use super::progress::{ProgressMark, ReportPause};
use super::{Context, Origin};
use crate::error::RunningTask;
use crate::ids::{QuestionId, TaskId, TurnId};
use crate::result::Result;
use crate::rows::{Attempt, CloseQuestion, NewQuestion, NewStep, Question, StepsSoFar};

/// The future of a host method that waits for the ledger.
pub(crate) type HostFuture<'a, T> = Pin<Box<dyn Future<Output = Result<T>> + Send + 'a>>;

/// The platform, as the surfaces of a call or task see it.
pub(crate) trait Host: Send + Sync {
    /// Starts a background task for the call or task `parent`. Completes when the task is on disk.
    fn start_task(self: Arc<Self>, parent: Context, task: TaskRequest) -> HostFuture<'static, TaskId>;

    /// The running task of this extension and user under a key.
    fn running_task<'a>(&'a self, origin: &'a Origin, key: &'a str) -> HostFuture<'a, Option<RunningTask>>;

    /// Takes a progress report. Waits for nothing.
    fn report_progress(&self, origin: &Origin, mark: ProgressMark);

    /// A wait before the report returns to the work. Tests stop work at a report with it.
    fn pause_after_report(&self, origin: &Origin) -> Option<ReportPause>;

    /// Writes a chat turn with its audit row. Completes when both are on disk.
    fn deliver_message<'a>(&'a self, origin: &'a Origin, delivery: ChatDelivery) -> HostFuture<'a, TurnId>;

    /// Starts a durable task for the call or task `parent`. Completes when the task is on disk.
    fn start_durable_task(self: Arc<Self>, parent: Context, task: DurableRequest) -> HostFuture<'static, TaskId>;

    /// Stores a step of an attempt. Repeats the write until it is stored, or the attempt has no right to it.
    fn store_step<'a>(&'a self, origin: &'a Origin, step: NewStep) -> HostFuture<'a, ()>;

    /// The value of a stored step, however large.
    fn step_value<'a>(&'a self, origin: &'a Origin, ordinal: u16) -> HostFuture<'a, Option<String>>;

    /// Asks the user a question, once the call that started the task has its reply. Repeats the write until it is
    /// stored, or the attempt has no right to it.
    fn ask_question<'a>(&'a self, origin: &'a Origin, question: NewQuestion) -> HostFuture<'a, Question>;

    /// Closes a question of the task, unless it is closed. Returns it as it is then.
    fn close_question<'a>(
        &'a self,
        origin: &'a Origin,
        question_id: QuestionId,
        why: CloseQuestion,
    ) -> HostFuture<'a, Question>;

    /// A question of the task.
    fn find_question<'a>(&'a self, origin: &'a Origin, question_id: QuestionId) -> HostFuture<'a, Question>;

    /// Takes the steps of an attempt, for watchers. Waits for nothing.
    fn report_steps(&self, attempt: Attempt, steps: StepsSoFar);
}
